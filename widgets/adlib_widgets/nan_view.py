"""``why_nan``: the equation that makes the first NaN or infinity, and the usual repair."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from adlib.inspect import BadEquation, NanRecord, nan_record
from adlib_widgets import html, theme
from adlib_widgets.canvas import FORWARD, REVERSE, Canvas
from adlib_widgets.static_view import StaticView, aligned, explorer_of
from adlib_widgets.svg import escaped

_NAMES = {"nan": "NaN", "inf": "infinity"}
_TITLES = {
    "primal": "in the function itself",
    "tangent": "in the forward sweep of its derivative",
    "cotangent": "in the reverse sweep of its derivative",
}
_COLORS = {"primal": theme.INK, "tangent": FORWARD, "cotangent": REVERSE}
_BAD = "#c8382d"
_GOOD = "#2f855a"
_WRAP = 92


class NanView(StaticView):
    """Where a function or its derivative stops being finite, why, and how to repair it.

    Attributes:
      record: the ``NanRecord`` from which everything is written.
    """

    def __init__(self, record: NanRecord) -> None:
        self.record = record

    def explore(self) -> Any:
        """An interactive form: the way of the bad numbers, and repairs to copy.

        Raises:
          ImportError: if the Python package anywidget is not installed.
        """
        return explorer_of(self, "adlib_widgets.nan_explorer", "NanExplorer")

    def headline(self) -> str:
        """What is bad, in a sentence."""
        record = self.record
        first = record.first
        if first is None:
            ok = "No NaN and no infinity: the function and its derivatives are finite here."
            if record.not_differentiated:
                return f"The function is finite here. No derivative: {record.not_differentiated}"
            return ok
        if record.result_bad:
            return f"The result holds {_NAMES[record.result_bad]}."
        if record.gradient_bad:
            return f"The result is finite, but its gradient holds {_NAMES[record.gradient_bad]}."
        return "Result and gradient are finite; an infinity on the way there is made harmless."

    def findings(self) -> list[tuple[str, BadEquation]]:
        """What to show: first what to repair first, then where its bad numbers come from."""
        record = self.record
        first = record.first
        found = [] if first is None else [("first", first)]
        if first is not None and first is not record.primal and record.primal is not None:
            root = record.origin or record.primal
            found.append(("a later step hides it, but not from the derivative", root))
        elif record.origin is not None:
            found.append(("where the infinity comes from", record.origin))
        return found

    @cached_property
    def svg(self) -> str:  # type: ignore[override]
        """The findings as the text of an SVG file: one card each."""
        canvas, y, width = Canvas(), 14.0, 560.0
        color = _BAD if self.findings() else _GOOD
        for line in _wrapped(self.headline()):
            end = canvas.text(0, y, line, size=theme.LABEL_SIZE, color=color, bold=True)
            width, y = max(width, end), y + 18
        for title, bad in self.findings():
            y += 8
            lines = _card_lines(title, bad)
            height = 17.0 * len(lines) + 18
            widest = max(theme.text_width(text, theme.TEXT_SIZE) for text, _, _ in lines)
            width = max(width, widest + 30)
            canvas.rect(0, y, 4, height, _COLORS[bad.sweep], radius=2)
            for i, (text, ink, bold) in enumerate(lines):
                canvas.text(16, y + 20 + 17.0 * i, text, color=ink, bold=bold)
            y += height
        return canvas.document(width, y, title="why NaN", description=str(self))

    @cached_property
    def html(self) -> str:  # type: ignore[override]
        """The findings as HTML that needs no scripts and no trust."""
        color = _BAD if self.findings() else _GOOD
        parts = [
            f'<p style="margin:4px 0;font-weight:600;color:{color}">{escaped(self.headline())}</p>'
        ]
        parts += [_card(title, bad) for title, bad in self.findings()]
        if self.findings() and self.record.not_differentiated:
            parts.append(f"<p>No derivative: {escaped(self.record.not_differentiated)}</p>")
        return "".join(parts)

    def __str__(self) -> str:
        lines = [self.headline()]
        for title, bad in self.findings():
            lines += ["", *(text for text, _, _ in _card_lines(title, bad))]
        return "\n".join(lines)


def where(bad: BadEquation) -> str:
    """In which sweep and at which entry the bad number first stands, in words."""
    place = f" at entry {list(bad.index)}" if bad.index else ""
    place += f", in {bad.inside}" if bad.inside else ""
    name = "NaN" if bad.kind == "nan" else "Infinity"
    return f"{name} {_TITLES[bad.sweep]}{place}"


def _operand_rows(bad: BadEquation) -> list[tuple[str, str, str]]:
    rows = [(f"{item.name}", item.summary.type, item.summary.text()) for item in bad.operands]
    return [*rows, (f"→ {bad.result.name}", bad.result.summary.type, bad.result.summary.text())]


def _card_lines(title: str, bad: BadEquation) -> list[tuple[str, str, bool]]:
    """Text, colour and weight of each line."""
    lines: list[tuple[str, str, bool]] = []
    head = where(bad) if title == "first" else f"{where(bad)} ({title})"
    lines.append((head, _COLORS[bad.sweep], True))
    source = f"   {bad.source}: {bad.code}" if bad.source else ""
    lines.append((f"{bad.text}{source}", theme.INK, True))
    lines += [(text, theme.INK, False) for text in aligned(_operand_rows(bad))]
    lines += [(text, theme.INK, False) for text in _wrapped(f"Why: {bad.why}")]
    if bad.repair:
        lines += [(text, _GOOD, False) for text in _wrapped(f"Repair: {bad.repair}")]
    if bad.repair_before:
        lines += _code_lines("instead of", bad.repair_before, theme.INK, bold=False)
    if bad.repair_code:
        label = "write" if bad.repair_before else ""
        lines += _code_lines(label, bad.repair_code, _GOOD, bold=True)
    return lines


def _code_lines(label: str, code: str, ink: str, *, bold: bool) -> list[tuple[str, str, bool]]:
    """Lines of code behind a label, or indented where there is none."""
    width = len("instead of") + 2 if label else 0
    labels = [label, *[""] * code.count("\n")]
    pairs = zip(labels, code.split("\n"), strict=True)
    return [(f"  {name.ljust(width)}{line}", ink, bold) for name, line in pairs]


def _card(title: str, bad: BadEquation) -> str:
    head = where(bad) if title == "first" else f"{where(bad)} ({title})"
    source = ""
    if bad.source:
        line = f"{bad.source}: {bad.code}"
        source = f'<div style="opacity:0.8">{_code(line)}</div>'
    repair = f"<div><b>Repair.</b> {escaped(bad.repair)}</div>" if bad.repair else ""
    code = bad.repair_code
    if bad.repair_before:
        code = f"# instead of\n{bad.repair_before}\n# write\n{bad.repair_code}"
    code = html.preformatted(code) if code else ""
    # the page's own ink, which a dark theme turns light
    edge = "currentColor" if bad.sweep == "primal" else _COLORS[bad.sweep]
    return (
        f'<div style="border-left:4px solid {edge};padding:2px 0 2px 12px;'
        f'margin:10px 0;max-width:760px"><div style="font-weight:600">{escaped(head)}</div>'
        f"<div><b>{_code(bad.text)}</b></div>{source}"
        f"{html.table(['value', 'type', 'entries'], _operand_rows(bad))}"
        f"<div><b>Why.</b> {escaped(bad.why)}</div>{repair}{code}</div>"
    )


def _code(text: str) -> str:
    return f'<code style="font-family:{theme.FONT};font-size:12.5px">{escaped(text)}</code>'


def _wrapped(text: str) -> list[str]:
    """Lines of at most ``_WRAP`` characters, broken between words, later ones indented."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1].strip() and len(lines[-1]) + len(word) + 1 > _WRAP:
            lines.append("  ")
        lines[-1] += f" {word}" if lines[-1].strip() else word
    return lines


def why_nan(function: Callable[..., Any]) -> Callable[..., NanView]:
    """A function that runs ``function`` and its derivatives and finds the first NaN or infinity.

    Args:
      function: any function that adlib can trace.

    Returns:
      A function of the same arguments that returns a ``NanView``; its ``.explore()`` gives the
      interactive form. What ``function`` raises comes through unchanged.

    >>> import adlib.numpy as jnp
    >>> view = why_nan(lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0))(0.0)
    >>> print(str(view).splitlines()[0])
    The result is finite, but its gradient holds NaN.
    >>> view.record.first.text, view.record.first.kind
    ('c = √a', 'nan')
    """

    def shown(*args: Any, **kwargs: Any) -> NanView:
        __tracebackhide__ = True
        return NanView(nan_record(function, args, kwargs))

    shown.__wrapped__ = function  # type: ignore[attr-defined]  # for signatures, by name
    return shown
