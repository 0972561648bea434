"""``show_flow``: the numbers of a program, forward with tangents and back with cotangents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from adlib.inspect import ArraySummary, FlowRecord, FlowValue, flow_record
from adlib.inspect.rule_texts import cotangent_name, tangent_name
from adlib_widgets import html
from adlib_widgets.flow_scene import flow_svg
from adlib_widgets.static_view import StaticView, aligned, explorer_of

_MOST_LINES = 400
_MOST_ROWS = 300


class FlowView(StaticView):
    """A run of a program: forward sweep with primals and tangents, reverse with cotangents.

    Attributes:
      record: the ``FlowRecord`` from which everything is drawn.
    """

    def __init__(self, record: FlowRecord) -> None:
        self.record = record

    @cached_property
    def _picture(self) -> tuple[str, float]:
        return flow_svg(self.record, description=f"{self.summary}\n{self}")

    @property
    def svg(self) -> str:  # type: ignore[override]
        """The picture as the text of an SVG file."""
        return self._picture[0]

    @cached_property
    def html(self) -> str:  # type: ignore[override]
        """The view as HTML that needs no scripts and no trust."""
        svg, width = self._picture
        forward = _table(["step", "equation", "primal", "tangent", "line"], list(self._forward()))
        reverse = _table(["value", "cotangent", "from"], list(self._reverse()))
        return "".join(
            [
                html.image(svg, self.summary, width),
                html.details("forward sweep, step by step", forward),
                html.details("reverse sweep, step by step", reverse),
            ]
        )

    @property
    def summary(self) -> str:
        """What the picture shows, in one sentence."""
        steps = html.counted(len(self.record.steps), "equation")
        return f"Forward and reverse sweep through {steps}, with the numbers at every step."

    def _forward(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Rows of the forward sweep: step, equation, primal, tangent, line."""
        for value in self.record.constants:
            yield "constant", str(value.value), value.primal.text(), "", ""
        for name, value in self.record.inputs:
            tangent = _tangent_text(value)
            yield "input", f"{value.value} = {name}", value.primal.text(), tangent, ""
        for step in self.record.steps:
            for value in step.results:
                equation = f"{value.value} = {step.text}"
                yield step.id, equation, value.primal.text(), _tangent_text(value), step.source
        for output in self.record.outputs:
            tangent = "" if output.tangent is None else output.tangent.text()
            yield output.id, f"{output.name} = {output.operand}", output.primal.text(), tangent, ""

    def _reverse(self) -> Iterator[tuple[str, str, str]]:
        """Rows of the reverse sweep, from the results back: value, cotangent, who gave it."""
        values = [value for _, value in self.record.inputs]
        values += [value for step in self.record.steps for value in step.results]
        for value in reversed(values):
            if value.cotangent is None:
                continue
            bar = cotangent_name(value.value.name)
            for part in value.contributions:
                share = f"{part.rule}{_more(part.numbers, part.cotangent)}{part.cotangent.text()}"
                yield bar, share, part.consumer
            if len(value.contributions) > 1:
                yield bar, f"sum = {value.cotangent.text()}", ""

    def explore(self) -> Any:
        """The interactive form: steps through both sweeps, or asks for each number first.

        Returns:
          A ``FlowExplorer``: an anywidget whose ``step`` and ``answers`` Python can read.

        Raises:
          ImportError: if the Python package anywidget is not installed.
        """
        return explorer_of(self, "adlib_widgets.flow_explorer", "FlowExplorer")

    def __str__(self) -> str:
        lines = ["forward sweep"]
        lines += aligned(self._forward())
        lines.append("reverse sweep")
        lines += aligned(self._reverse())
        if len(lines) > _MOST_LINES:
            left = len(lines) - _MOST_LINES
            half = _MOST_LINES // 2
            lines = [*lines[:half], f"  … {left} more lines …", *lines[-half:]]
        return "\n".join(lines)


def _more(numbers: str, result: ArraySummary) -> str:
    """The rule's numbers between equals signs, where they say more than the result."""
    return f" = {numbers} = " if numbers and numbers != result.text() else " = "


def _tangent_text(value: FlowValue) -> str:
    if value.tangent is None:
        return ""
    name = tangent_name(value.value.name)
    rule = f"{name} = {value.rule}" if value.rule else name
    return f"{rule}{_more(value.numbers, value.tangent)}{value.tangent.text()}"


def _table(heads: Sequence[str], rows: list[tuple[str, ...]]) -> str:
    """All rows, or the first ones and how many more there are; the record holds them all."""
    more = len(rows) - _MOST_ROWS
    note = html.preformatted(f"… {more} more rows; .record holds them all") if more > 0 else ""
    return html.table(heads, rows[:_MOST_ROWS]) + note


def show_flow(function: Callable[..., Any]) -> Callable[..., FlowView]:
    """A function that runs ``function`` forward and in reverse and shows every number.

    Args:
      function: any function that can be differentiated in reverse mode.

    Returns:
      A function of the same arguments that returns a ``FlowView``, whose ``explore()`` gives
      the interactive form. It also takes ``tangent=`` (like the only argument, or a tuple like
      the positional ones) and ``cotangent=`` (like the result); both are ones where left out.
      What ``function`` raises comes through unchanged.

    >>> import adlib.numpy as jnp
    >>> view = show_flow(lambda x: jnp.sin(x) * x)(2.0)
    >>> for step in view.record.steps:
    ...     (value,) = step.results
    ...     print(step.text, "|", value.rule, "=", value.numbers)
    sin a | cos(a)·ȧ = (−0.4161)·1
    b·a | a·ḃ + b·ȧ = 2·(−0.4161) + 0.9093·1
    """

    def shown(*args: Any, tangent: Any = None, cotangent: Any = None, **kwargs: Any) -> FlowView:
        __tracebackhide__ = True
        record = flow_record(function, args, kwargs, tangent=tangent, cotangent=cotangent)
        return FlowView(record)

    shown.__wrapped__ = function  # type: ignore[attr-defined]  # for signatures, by name
    return shown
