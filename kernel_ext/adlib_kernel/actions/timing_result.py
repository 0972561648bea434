"""What ``%adtime`` finds: times as objects, as a table and as a plot."""

from __future__ import annotations

import importlib
import statistics
from dataclasses import dataclass
from typing import Any

from adlib_kernel.actions.tables import html_table, seconds_text, text_table
from adlib_widgets.svg import escaped

STABLE_SPREAD = 0.05  # half the middle half of the repeats, relative to their median


@dataclass(frozen=True)
class Timing:
    """Measured times of one function, in seconds.

    Attributes:
      first: the first call, with tracing and compilation.
      repeats: seconds per call, one entry per repeat of ``number`` calls.
      number: calls in a repeat.
      trace: writing down the jaxpr alone, which is a part of ``first``; None where there is
        nothing to trace.
    """

    first: float
    repeats: tuple[float, ...]
    number: int
    trace: float | None = None

    @property
    def seconds(self) -> float:
        """The median over the repeats of the seconds per call."""
        return statistics.median(self.repeats)

    @property
    def spread(self) -> float:
        """How far the repeats lie apart: half their interquartile range over their median."""
        return relative_spread(self.repeats)


def relative_spread(repeats: tuple[float, ...] | list[float]) -> float:
    """Half the interquartile range over the median; 0 for one repeat.

    >>> relative_spread([1.0, 1.0, 1.0, 1.2])
    0.075
    """
    if len(repeats) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(repeats, n=4)
    return (high - low) / 2 / middle if middle else 0.0


@dataclass(frozen=True)
class TimingRow:
    """One line of the table: a function, eager and jitted; None where it cannot be had."""

    name: str
    eager: Timing | None
    jitted: Timing | None


@dataclass(frozen=True)
class TimingResult:
    """Times of a function and its derivatives.

    Attributes:
      call: the call as it was typed.
      rows: ``f``, ``jvp``, ``vjp``, ``grad`` and ``hessian``, as far as they exist.
      notes: why something is missing, and which times varied.
    """

    call: str
    rows: tuple[TimingRow, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> TimingRow:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no row {name!r}; there are {', '.join(row.name for row in self.rows)}")

    def multiple(self, name: str, *, jitted: bool = False) -> float:
        """How many times as long as ``f`` itself, eager or jitted, this one takes."""
        row, base = self[name], self["f"]
        timing, unit = (row.jitted, base.jitted) if jitted else (row.eager, base.eager)
        return float("nan") if timing is None or unit is None else timing.seconds / unit.seconds

    def cells(self) -> list[list[str]]:
        """The table's rows as texts."""
        rows = []
        for row in self.rows:
            cells = [row.name]
            for timing, jitted in ((row.eager, False), (row.jitted, True)):
                columns = 4 if jitted else 3
                if timing is None:
                    cells += ["–"] * columns
                    continue
                if jitted:
                    cells.append("–" if timing.trace is None else seconds_text(timing.trace))
                multiple = f"{self.multiple(row.name, jitted=jitted):.1f} × f"
                cells += [seconds_text(timing.first), seconds_text(timing.seconds), multiple]
            rows.append(cells)
        return rows

    def _head(self) -> str:
        timings = [t for row in self.rows for t in (row.eager, row.jitted) if t is not None]
        counts = sorted({len(timing.repeats) for timing in timings})
        least, most = counts[0], counts[-1]
        repeats = f"{least}" if least == most else f"{least} to {most}"
        return f"{self.call}: seconds per call, median of {repeats} repeats"

    def __repr__(self) -> str:
        heads = [
            ["", "eager", "", "", "jitted", "", "", ""],
            ["", "first", "then", "", "trace", "first", "then", ""],
        ]
        table = text_table([*heads, *self.cells()], right=(1, 2, 3, 4, 5, 6, 7))
        return "\n".join([self._head(), table, *self.notes])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        eager = ["eager: first call", "later calls", ""]
        jitted = ["jitted: tracing alone", "first call", "later calls", ""]
        paragraphs = "".join(f"<p>{escaped(note)}</p>" for note in self.notes)
        table = html_table(["", *eager, *jitted], self.cells())
        html = f"<p>{escaped(self._head())}</p>{table}{paragraphs}"
        return {"text/plain": repr(self), "text/html": html}

    def plot(self, ax: Any = None) -> Any:
        """Bars of the later calls' times, eager and jitted, with their multiples of ``f``.

        Args:
          ax: the matplotlib axes to draw on; new ones if not given.

        Returns:
          The axes.

        Raises:
          ImportError: matplotlib is not installed; the message says how to get it.
        """
        if ax is None:
            try:
                pyplot = importlib.import_module("matplotlib.pyplot")
            except ImportError:
                raise ImportError(
                    "a plot of times needs matplotlib, which is not installed.\n"
                    "  Repair: pip install matplotlib (or 'adlib-jupyter[notebook]')."
                ) from None
            _, ax = pyplot.subplots(figsize=(6, 0.6 + 0.55 * len(self.rows)), layout="constrained")
        height = 0.38
        for offset, jitted, label, hatch in (
            (-0.2, False, "eager", ""),
            (0.2, True, "jitted", "/"),
        ):
            places, seconds, texts = [], [], []
            for place, row in enumerate(self.rows):
                timing = row.jitted if jitted else row.eager
                if timing is not None:
                    places.append(place + offset)
                    seconds.append(timing.seconds)
                    texts.append(f" {self.multiple(row.name, jitted=jitted):.1f} × f")
            bars = ax.barh(places, seconds, height, label=label, hatch=hatch)
            ax.bar_label(bars, texts)
        ax.set_yticks(range(len(self.rows)), [row.name for row in self.rows])
        ax.invert_yaxis()  # f on top, as in the table
        ax.margins(x=0.18)
        ax.set_xlabel("seconds per call")
        ax.set_title(self.call)
        ax.legend()
        return ax
