"""``%adtime``: what derivatives cost, as multiples of the function itself.

Every timed call waits until its result is there (``block_until_ready``). The first call, in
which a jitted function is traced and compiled, is kept apart from the calls after it, and so is
tracing alone.

Where the results are on a GPU, CUDA events before and after the calls of a repeat take the time:
the calls stand in the GPU's queue one behind the other, as in a program, and only the last of them
is waited for.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import adlib
from adlib.backends import cupy_
from adlib.base.errors import JAXTypeError
from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.progress import progress
from adlib_kernel.actions.timing_result import (
    STABLE_SPREAD,
    Timing,
    TimingResult,
    TimingRow,
    relative_spread,
)

_TARGET_SECONDS = 0.03  # of one repeat, if the number of calls is ours to choose
_LEAST_REPEATS, _MOST_REPEATS, _MOST_SECONDS = 5, 25, 0.5  # if the repeats are ours to choose
_MOST_ENTRIES = 65_536  # of a Hessian that is timed without being asked for


def measure(
    function: Callable[[], Any],
    *,
    number: int | None = None,
    repeat: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
    cuda: Any = None,
) -> Timing:
    """Time a function without arguments.

    Args:
      function: what to time; its result is waited for.
      number: calls per repeat; None chooses it so that a repeat takes about 30 ms.
      repeat: how many repeats; None goes on from 5 until they lie close together, to 25 at
        most and for no longer than half a second.
      clock: a function that gives the time in seconds.
      cuda: CuPy's module ``cuda``, whose events take the time in place of the clock; None where
        the function computes on the CPU.
    """

    def seconds_of(calls: int) -> float:
        if cuda is not None:
            return _seconds_by_events(function, calls, cuda)
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
        repeats: list[float] = []
        while len(repeats) < (_LEAST_REPEATS if repeat is None else repeat):
            repeats.append(seconds_of(number) / number)
        if repeat is None:
            while _worth_another(repeats, number):
                repeats.append(seconds_of(number) / number)
    finally:
        if collecting:
            gc.enable()
    return Timing(first, tuple(repeats), number)


def _seconds_by_events(function: Callable[[], Any], calls: int, cuda: Any) -> float:
    """What a number of calls takes on the GPU, between one event before and one after them."""
    start, end = cuda.Event(), cuda.Event()
    start.record()
    for _ in range(calls):
        function()
    end.record()
    end.synchronize()
    return float(cuda.get_elapsed_time(start, end)) / 1000  # of milliseconds


def _cuda_of(result: Any) -> Any:
    """CuPy's module ``cuda`` where all arrays of a result are on the GPU; None elsewhere."""
    leaves = adlib.tree_util.tree_leaves(result)
    on_gpu = [isinstance(x, adlib.Array) and x.device.platform == "gpu" for x in leaves]
    return cupy_.load().xp.cuda if on_gpu and all(on_gpu) else None


def _worth_another(repeats: list[float], number: int) -> bool:
    unstable = relative_spread(repeats) > STABLE_SPREAD
    return unstable and len(repeats) < _MOST_REPEATS and sum(repeats) * number < _MOST_SECONDS


def time_call(
    call: Call,
    *,
    number: int | None = None,
    repeat: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> TimingResult:
    """Time a call, its jvp, its vjp, its gradient and its Hessian, eager and jitted.

    The derivatives are with respect to every float in the arguments; arrays of integers are
    passed along, and Python integers, booleans and other objects are constants to ``jit``.
    An interrupt ends the series: the result holds what was measured by then, and says so.

    Args:
      call: the function and its arguments.
      number: calls per repeat; None chooses.
      repeat: repeats, of which the median counts; None goes on until they are stable.
      clock: a function that gives the time in seconds.

    Returns:
      A ``TimingResult``, without ``jvp`` and ``vjp`` where no argument or no result is a float,
      without ``grad`` and ``hessian`` where the result is not one real number, without
      ``hessian`` where it would have more than 65,536 entries, and without jitted times
      where ``jit`` cannot take the function; its notes say which.

    Raises:
      Exception: whatever the function itself raises.
      KeyboardInterrupt: an interrupt before anything was measured.
    """
    split = _split_arguments(call)
    result = split.function(split.floats, split.others)
    programs, notes = _programs(split, result)
    rows: list[TimingRow] = []
    cuda = _cuda_of(result)
    options: dict[str, Any] = {"number": number, "repeat": repeat, "clock": clock, "cuda": cuda}
    bar = progress(programs, "%adtime")
    try:
        for name, program in bar:
            eager = measure(_bound(program, split), **options)
            rows.append(TimingRow(name, eager, None))
            jitted, why_not = _jitted(program, split, options)
            rows[-1] = TimingRow(name, eager, jitted)
            if jitted is None:
                notes.append(f"{name} cannot be jitted: {why_not}")
    except KeyboardInterrupt:
        if not rows:
            raise
        notes.append(f"Interrupted while {name} was timed; what was done by then is above.")
    finally:
        bar.close()
    notes += _unstable(rows)
    if cuda is not None:
        notes.append("On the GPU: timed by CUDA events, the calls of a repeat without a pause.")
    return TimingResult(call.text, tuple(rows), tuple(notes))


def _jitted(
    program: Callable[..., Any], split: _Split, options: dict[str, Any]
) -> tuple[Timing | None, str]:
    """The times of a jitted program; None, and the reason, where ``jit`` cannot take it."""
    try:
        timing = measure(_bound(adlib.jit(program), split), **options)
    except JAXTypeError as error:
        reason = str(error).split("\n")[0]
        return None, f"{type(error).__name__}: {reason}"
    clock = options["clock"]
    start = clock()
    adlib.make_jaxpr(program)(split.floats, split.others)
    return replace(timing, trace=clock() - start), ""


def _unstable(rows: Sequence[TimingRow]) -> list[str]:
    """Notes on the times that varied until the end."""
    varied = [
        f"{row.name} {kind} by {timing.spread:.0%}"
        for row in rows
        for kind, timing in (("eager", row.eager), ("jitted", row.jitted))
        if timing is not None and timing.spread > STABLE_SPREAD
    ]
    if not varied:
        return []
    return [f"Still varying at the end: {', '.join(varied)}. Is the machine busy?"]


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
    size = sum(x.size for x in split.floats)
    if size**2 > _MOST_ENTRIES:
        return programs, [f"The Hessian of {size} floats has {size**2} entries; it is left out."]
    programs.append(("hessian", adlib.hessian(function)))
    return programs, []
