"""``show_memory``: what reverse mode keeps, where it comes from, and what a checkpoint saves."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from adlib.inspect import MemoryRecord
from adlib.inspect.checkpointing import checkpoint_trial
from adlib.inspect.memory import program_memory
from adlib.inspect.programs import Program, trace_program
from adlib_widgets import html
from adlib_widgets.canvas import bytes_text
from adlib_widgets.memory_scene import best_text, memory_svg
from adlib_widgets.static_view import StaticView, aligned, explorer_of

_MOST_RESIDUALS = 60
_MOST_LINES = 20


class MemoryView(StaticView):
    """Live bytes along the forward and the reverse sweep.

    Attributes:
      record: the ``MemoryRecord`` from which everything is drawn.
      program: the traced function, from which checkpoints can be tried; None if there is only
        a record.
    """

    def __init__(self, record: MemoryRecord, program: Program | None = None) -> None:
        self.record = record
        self.program = program

    @cached_property
    def _picture(self) -> tuple[str, float]:
        return memory_svg(self.record, description=str(self))

    @property
    def svg(self) -> str:  # type: ignore[override]
        """The picture as the text of an SVG file."""
        return self._picture[0]

    @cached_property
    def html(self) -> str:  # type: ignore[override]
        """The view as HTML that needs no scripts and no trust."""
        svg, width = self._picture
        count = len(self.record.residuals)
        residuals = self._residual_table() + _left_out(count)
        lines = html.table(["line", "code", "bytes", "residuals"], self._by_line())
        heads = ["checkpoint up to", "line", "peak", "equations run twice"]
        checkpoints = html.table(heads, self._checkpoint_rows())
        return "".join(
            [
                html.image(svg, self.headline(), width),
                html.details("residuals by source line", lines, open_=True),
                html.details(html.counted(count, "residual"), residuals),
                html.details("where a checkpoint could end", checkpoints),
            ]
        )

    def explore(self) -> Any:
        """An interactive form: a cursor through both sweeps, lifetimes, checkpoints to try.

        Raises:
          ImportError: if the Python package anywidget is not installed.
        """
        return explorer_of(self, "adlib_widgets.memory_explorer", "MemoryExplorer")

    def trial(self, equations: int, segments: int = 1) -> MemoryRecord:
        """The record of the function with checkpoints around its first equations.

        Args:
          equations: how many equations, from the first on.
          segments: into how many checkpoints of the same length they are cut.

        Raises:
          ValueError: if the program cannot be cut so, or if there is only a record.

        >>> import adlib.numpy as jnp
        >>> view = show_memory(lambda x: jnp.sin(jnp.sin(jnp.sin(x))).sum())(jnp.ones(1000))
        >>> view.record.peak_bytes, view.trial(3).peak_bytes
        (24004, 24004)
        """
        if self.program is None:
            raise ValueError(
                "this view has only a record, no function that could run with a checkpoint; "
                "make it by show_memory(function)(*args)."
            )
        return checkpoint_trial(self.program, equations, segments)

    def headline(self) -> str:
        """The peak, and what a checkpoint would save, in two sentences."""
        record = self.record
        times = record.peak_bytes / max(record.primal_peak_bytes, 1)
        return (
            f"Reverse mode needs {bytes_text(record.peak_bytes)} at its peak, {times:.2g} times "
            f"the {bytes_text(record.primal_peak_bytes)} of the function alone. {best_text(record)}"
        )

    def _residual_table(self) -> str:
        heads = ["residual", "type", "bytes", "made by", "line", "needed by"]
        rows = [
            [
                residual.name,
                residual.type,
                bytes_text(residual.bytes) if residual.extra else "0 B (there anyway)",
                residual.made_by,
                residual.source,
                ", ".join(residual.needed_by),
            ]
            for residual in self.record.residuals[:_MOST_RESIDUALS]
        ]
        return html.table(heads, rows)

    def _by_line(self) -> list[tuple[str, str, str, str]]:
        """Bytes kept by each of the user's lines, the most first."""
        total: dict[tuple[str, str], list[Any]] = {}
        for residual in self.record.residuals:
            if residual.extra:
                entry = total.setdefault((residual.source, residual.code), [0, []])
                entry[0] += residual.bytes
                entry[1].append(residual.name)
        ordered = sorted(total.items(), key=lambda item: -item[1][0])
        return [
            (source, code, bytes_text(size), _listed(names))
            for (source, code), (size, names) in ordered[:_MOST_LINES]
        ]

    def _checkpoint_rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (place.after, place.source, bytes_text(place.peak_bytes), str(place.recomputed))
            for place in self.record.checkpoints
        ]

    def __str__(self) -> str:
        lines = [self.headline()]
        rows = [(size, source, code, names) for source, code, size, names in self._by_line()]
        if rows:
            lines += ["residuals by source line", *aligned(rows)]
        return "\n".join(lines)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown}, … {len(names) - 8} more"


def _left_out(count: int) -> str:
    more = count - _MOST_RESIDUALS
    return html.preformatted(f"… {more} more, smaller ones") if more > 0 else ""


def show_memory(function: Callable[..., Any]) -> Callable[..., MemoryView]:
    """A function that runs ``function`` and shows the memory of differentiating it in reverse.

    Args:
      function: any function that can be differentiated in reverse mode.

    Returns:
      A function of the same arguments that returns a ``MemoryView``; its ``.explore()`` gives
      the interactive form. What ``function`` raises comes through unchanged.

    >>> import adlib.numpy as jnp
    >>> view = show_memory(lambda x: jnp.tanh(jnp.sin(x)).sum())(jnp.ones(1000))
    >>> [(residual.name, residual.bytes) for residual in view.record.residuals]
    [('sin_0′', 4000), ('tanh_0′', 4000)]
    """

    def shown(*args: Any, **kwargs: Any) -> MemoryView:
        __tracebackhide__ = True
        program = trace_program(function, args, kwargs)
        return MemoryView(program_memory(program), program)

    shown.__wrapped__ = function  # type: ignore[attr-defined]  # for signatures, by name
    return shown
