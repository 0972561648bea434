"""``%adtime``: what derivatives cost, as multiples of the function itself.

Every timed call waits until its result is there (``block_until_ready``). The first call, in
which a jitted function is traced and compiled, is kept apart from the calls after it.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import adlib
from adlib.base.errors import JAXTypeError
from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.tables import html_table, seconds_text, text_table
from adlib_widgets.svg import escaped

_TARGET_SECONDS = 0.03  # of one repeat, if the number of calls is ours to choose


@dataclass(frozen=True)
class Timing:
    """Measured times of one function, in seconds.

    Attributes:
      first: the first call, with tracing and compilation.
      repeats: seconds per call, one entry per repeat of ``number`` calls.
      number: calls in a repeat.
    """

    first: float
    repeats: tuple[float, ...]
    number: int

    @property
    def seconds(self) -> float:
        """The median over the repeats of the seconds per call."""
        return statistics.median(self.repeats)


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
      rows: ``f``, ``jvp``, ``vjp`` and ``grad``, as far as they exist.
      notes: why something is missing.
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
                if timing is None:
                    cells += ["–", "–", "–"]
                    continue
                multiple = f"{self.multiple(row.name, jitted=jitted):.1f} × f"
                cells += [seconds_text(timing.first), seconds_text(timing.seconds), multiple]
            rows.append(cells)
        return rows

    def _head(self) -> str:
        timings = [t for row in self.rows for t in (row.eager, row.jitted) if t is not None]
        repeats = len(timings[0].repeats)
        return f"{self.call}: seconds per call, median of {repeats} repeats"

    def __repr__(self) -> str:
        heads = [
            ["", "eager", "", "", "jitted", "", ""],
            ["", "first", "then", "", "first", "then", ""],
        ]
        table = text_table([*heads, *self.cells()], right=(1, 2, 3, 4, 5, 6))
        return "\n".join([self._head(), table, *self.notes])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        heads = [
            "",
            "eager: first call",
            "later calls",
            "",
            "jitted: first call",
            "later calls",
            "",
        ]
        paragraphs = "".join(f"<p>{escaped(note)}</p>" for note in self.notes)
        html = f"<p>{escaped(self._head())}</p>{html_table(heads, self.cells())}{paragraphs}"
        return {"text/plain": repr(self), "text/html": html}


def measure(
    function: Callable[[], Any],
    *,
    number: int | None = None,
    repeat: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time a function without arguments.

    Args:
      function: what to time; its result is waited for.
      number: calls per repeat; None chooses it so that a repeat takes about 30 ms.
      repeat: how many repeats.
      clock: a function that gives the time in seconds.
    """

    def seconds_of(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            adlib.block_until_ready(function())
        return clock() - start

    first = seconds_of(1)
    if number is None:
        once = max(min(seconds_of(1), seconds_of(1)), 1e-7)
        number = max(1, min(int(_TARGET_SECONDS / once), 10_000))
    collecting = gc.isenabled()
    gc.disable()
    try:
        repeats = tuple(seconds_of(number) / number for _ in range(repeat))
    finally:
        if collecting:
            gc.enable()
    return Timing(first, repeats, number)


def time_call(
    call: Call,
    *,
    number: int | None = None,
    repeat: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> TimingResult:
    """Time a call, its jvp, its vjp and its gradient, eager and jitted.

    The derivatives are with respect to every float in the arguments; arrays of integers are
    passed along, and Python integers, booleans and other objects are constants to ``jit``.

    Args:
      call: the function and its arguments.
      number: calls per repeat; None chooses.
      repeat: repeats, of which the median counts.
      clock: a function that gives the time in seconds.

    Returns:
      A ``TimingResult``, without ``jvp`` and ``vjp`` where no argument or no result is a float,
      without ``grad`` where the result is not one real number, and without jitted times
      where ``jit`` cannot take the function; its notes say which.

    Raises:
      Exception: whatever the function itself raises.
    """
    split = _split_arguments(call)
    result = split.function(split.floats, split.others)
    programs, notes = _programs(split, result)
    rows = []
    for name, program in programs:
        eager = measure(_bound(program, split), number=number, repeat=repeat, clock=clock)
        jitted = None
        try:
            compiled = _bound(adlib.jit(program), split)
            jitted = measure(compiled, number=number, repeat=repeat, clock=clock)
        except JAXTypeError as error:
            reason = str(error).split("\n")[0]
            notes.append(f"{name} cannot be jitted: {type(error).__name__}: {reason}")
        rows.append(TimingRow(name, eager, jitted))
    return TimingResult(call.text, tuple(rows), tuple(notes))


@dataclass(frozen=True)
class _Split:
    """A call as a function of its floats and of its other arrays."""

    function: Callable[[list[Any], list[Any]], Any]
    floats: list[Any]
    others: list[Any]


def _bound(program: Callable[..., Any], split: _Split) -> Callable[[], Any]:
    return lambda: program(split.floats, split.others)


def _split_arguments(call: Call) -> _Split:
    leaves, treedef = adlib.tree_util.tree_flatten((call.args, call.kwargs))
    floats: list[Any] = []
    others: list[Any] = []
    places: list[tuple[str, int]] = []  # of each leaf: which list, and where in it
    for leaf in leaves:
        kind, value = _sorted_leaf(leaf)
        target = floats if kind == "float" else others
        if kind == "constant":
            places.append(("constant", 0))
        else:
            places.append((kind, len(target)))
            target.append(value)

    if not call.kwargs and len(floats) == len(leaves) == len(call.args):
        # nothing to put together: the time of small functions is all theirs
        return _Split(lambda floats, others: call.function(*floats), floats, others)

    def function(floats: list[Any], others: list[Any]) -> Any:
        sources = {"float": floats, "other": others}
        filled = [
            leaf if kind == "constant" else sources[kind][place]
            for leaf, (kind, place) in zip(leaves, places, strict=True)
        ]
        args, kwargs = adlib.tree_util.tree_unflatten(treedef, filled)
        return call.function(*args, **kwargs)

    return _Split(function, floats, others)


def _sorted_leaf(leaf: Any) -> tuple[str, Any]:
    """What a leaf of the arguments is to derivatives, and its value as an array."""
    if isinstance(leaf, (bool, int, str, bytes)) or not (
        isinstance(leaf, (float, complex)) or hasattr(leaf, "dtype")
    ):
        return "constant", leaf
    array = adlib.numpy.asarray(leaf)
    return ("float" if _is_inexact(array) else "other"), array


def _is_inexact(value: Any) -> bool:
    return bool(adlib.numpy.issubdtype(value.dtype, adlib.numpy.inexact))


def _programs(split: _Split, result: Any) -> tuple[list[tuple[str, Callable[..., Any]]], list[str]]:
    """The functions to time, and notes on those that there are not."""
    function = split.function
    programs: list[tuple[str, Callable[..., Any]]] = [("f", function)]
    outputs = [adlib.numpy.asarray(leaf) for leaf in adlib.tree_util.tree_leaves(result)]
    if not split.floats:
        return programs, ["No argument is a float, so there is nothing to differentiate."]
    if not outputs or not all(map(_is_inexact, outputs)):
        return programs, ["The result is not all floats, so there is nothing to differentiate."]
    tangents = [adlib.numpy.ones_like(x) for x in split.floats]
    cotangents = adlib.tree_util.tree_map(
        lambda y: adlib.numpy.ones_like(adlib.numpy.asarray(y)), result
    )

    def jvp(floats: Sequence[Any], others: Sequence[Any]) -> Any:
        return adlib.jvp(lambda x: function(x, others), (floats,), (tangents,))

    def vjp(floats: Sequence[Any], others: Sequence[Any]) -> Any:
        value, pullback = adlib.vjp(lambda x: function(x, others), floats)
        return value, pullback(cotangents)

    programs += [("jvp", jvp), ("vjp", vjp)]
    whole = adlib.tree_util.all_leaves([result])  # a list with one number is no number
    if not (whole and outputs[0].shape == ()):
        return programs, ["The result is not one number, so there is no gradient."]
    if any(np.issubdtype(x.dtype, np.complexfloating) for x in (*split.floats, *outputs)):
        return programs, ["Arguments or result are complex, so there is no gradient row."]
    programs.append(("grad", adlib.grad(function)))
    return programs, []
