"""What each equation of a program costs, and how large its values are, nested programs included.

Flops and bytes are counted from the program alone. Seconds and values come from running it once,
equation by equation, which is slower than running it whole: it is a picture of where the work is.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adlib.core import ClosedJaxpr, Eqn, Jaxpr, Literal, Var
from adlib.inspect.costs import bytes_read, bytes_written, flops
from adlib.inspect.nested import nested_runs
from adlib.inspect.progress import progress
from adlib.inspect.summaries import summarize
from adlib.inspect.texts import nested_programs, program_title

_MOST_RUNS = 20_000  # of equations inside of loops
_RETIMED_BELOW = 1e-3  # seconds: the first run of a short equation also prepares its kernel


@dataclass(frozen=True, slots=True)
class CostRecord:
    """What one equation costs in one run of the whole program.

    Attributes:
      flops: arithmetic operations; of an equation that holds programs, those in them.
      bytes: read and written; of an equation that holds programs, its operands and results.
      rounds: how often the equation runs, as far as the program tells: rounds of a ``while``
        loop count once, and of branches every one counts as if it were taken.
      counted: whether ``flops`` holds everything; library calls are not counted.
    """

    flops: int
    bytes: int
    rounds: int
    counted: bool


@dataclass(frozen=True, slots=True)
class MeasureRecord:
    """What one equation did while the program ran.

    Attributes:
      seconds: in total, over all its runs.
      runs: how often it ran.
      largest: the largest magnitude among its results' finite entries; None without numbers.
      nans, infs: how many entries of its results were NaN and infinite, over all runs.
      values: each result of its last run, in short.
    """

    seconds: float
    runs: int
    largest: float | None
    nans: int
    infs: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """Measures by path of the equation, e.g. ``scan_0/body/mul_1``.

    ``complete`` is False where loops ran so often that the later rounds were left out.
    """

    measures: dict[str, MeasureRecord]
    complete: bool


def cost_record(jaxpr: ClosedJaxpr | Jaxpr) -> dict[str, CostRecord]:
    """Flops and bytes of every equation, by path, nested equations included.

    >>> import adlib, adlib.numpy as jnp
    >>> costs = cost_record(adlib.make_jaxpr(lambda x: jnp.sin(x) * x)(jnp.ones(4)))
    >>> costs["sin_0"].flops, costs["sin_0"].bytes
    (4, 32)
    """
    costs: dict[str, CostRecord] = {}
    _add_costs(_opened(jaxpr), "", 1, costs)
    return costs


def _add_costs(jaxpr: Jaxpr, prefix: str, rounds: int, costs: dict[str, CostRecord]) -> bool:
    """Add the costs of a program that runs ``rounds`` times; tells whether all was counted."""
    all_counted = True
    for path, eqn in _paths(jaxpr, prefix):
        parts = list(_parts(eqn))
        inner_rounds = rounds * (eqn.params.get("length") or 1 if parts else 1)
        costs[path] = CostRecord(0, 0, rounds, True)  # before those in it: outer ones come first
        counted, total = True, 0
        if parts:
            for title, _, inner in parts:
                inside = f"{path}/{title}/"
                counted = _add_costs(_opened(inner), inside, inner_rounds, costs) and counted
                total += sum(costs[p].flops for p, _ in _paths(_opened(inner), inside))
        else:
            own = flops(eqn)
            counted, total = own is not None, (own or 0) * rounds
        moved = (bytes_read(eqn) + bytes_written(eqn)) * rounds
        costs[path] = CostRecord(total, moved, rounds, counted)
        all_counted = all_counted and counted
    return all_counted


def profile_record(jaxpr: ClosedJaxpr, values: Sequence[Any]) -> ProfileRecord:
    """Run a program once at ``values``, equation by equation, and record what passes by.

    Args:
      jaxpr: what ``make_jaxpr(f)(*args)`` gives.
      values: one Array per input of the jaxpr.

    Raises:
      ValueError: if there are not as many values as inputs.

    >>> import adlib, adlib.numpy as jnp
    >>> jaxpr = adlib.make_jaxpr(lambda x: jnp.sin(x) * x)(2.0)
    >>> profile_record(jaxpr, [jnp.asarray(2.0)]).measures["mul_0"].values
    ('1.819',)
    """
    if len(values) != len(jaxpr.jaxpr.invars):
        raise ValueError(
            f"profile_record wants one value per input of the jaxpr: it was given {len(values)} "
            f"values, the jaxpr has {len(jaxpr.jaxpr.invars)} inputs."
        )
    profiler = _Profiler()
    profiler.run(jaxpr, values, "")
    measures = {path: tally.record() for path, tally in profiler.tallies.items()}
    return ProfileRecord(measures, profiler.complete)


@dataclass(slots=True)
class _Tally:
    seconds: float = 0.0
    runs: int = 0
    largest: float | None = None
    nans: int = 0
    infs: int = 0
    values: tuple[str, ...] = ()

    def add(self, results: Sequence[Any], seconds: float) -> None:
        self.seconds += seconds
        self.runs += 1
        summaries = [summarize(result) for result in results]
        for one in summaries:
            self.nans += one.nans
            self.infs += one.infs
            if one.min is not None and one.max is not None:
                size = max(abs(one.min), abs(one.max))
                self.largest = size if self.largest is None else max(self.largest, size)
        self.values = tuple(one.text() for one in summaries)

    def record(self) -> MeasureRecord:
        return MeasureRecord(
            self.seconds, self.runs, self.largest, self.nans, self.infs, self.values
        )


class _Profiler:
    def __init__(self) -> None:
        self.tallies: dict[str, _Tally] = {}
        self.complete = True
        self.inner_runs = 0

    def run(self, closed: ClosedJaxpr, args: Sequence[Any], prefix: str) -> None:
        jaxpr = closed.jaxpr
        values: dict[Var, Any] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
        values.update(zip(jaxpr.invars, args, strict=True))
        steps = list(_paths(jaxpr, prefix))
        for path, eqn in steps if prefix else progress(steps, "equations"):
            operands = [v.array if isinstance(v, Literal) else values[v] for v in eqn.invars]
            tally = self.tallies.setdefault(path, _Tally())
            results, seconds = _timed(eqn, operands, retime=not tally.runs)
            tally.add(results, seconds)
            values.update(zip(eqn.outvars, results, strict=True))
            parts = list(_parts(eqn))
            if parts and not eqn.has_effect:
                self._run_inside(eqn, operands, path, parts)
            elif prefix:
                self.inner_runs += 1

    def _run_inside(
        self, eqn: Eqn, operands: list[Any], path: str, parts: list[tuple[str, Any, Any]]
    ) -> None:
        for _, closed, args, _ in nested_runs(eqn, operands):
            if self.inner_runs > _MOST_RUNS:
                self.complete = False
                return
            title = next((title for title, _, inner in parts if inner is closed), None)
            if title is not None:
                self.run(closed, args, f"{path}/{title}/")


def _timed(eqn: Eqn, operands: list[Any], retime: bool) -> tuple[list[Any], float]:
    best = math.inf
    for _ in range(2 if retime and not eqn.has_effect else 1):
        start = time.perf_counter()
        out = eqn.primitive.bind(*operands, **eqn.params)
        results = list(out) if eqn.primitive.multiple_results else [out]
        for result in results:
            result.block_until_ready()
        seconds = time.perf_counter() - start
        best = min(best, seconds)
        if seconds > _RETIMED_BELOW and not list(_parts(eqn)):
            break
    return results, best


def _paths(jaxpr: Jaxpr, prefix: str) -> Iterator[tuple[str, Eqn]]:
    count: Counter[str] = Counter()
    for eqn in jaxpr.eqns:
        yield f"{prefix}{eqn.primitive.name}_{count[eqn.primitive.name]}", eqn
        count[eqn.primitive.name] += 1


def _parts(eqn: Eqn) -> Iterator[tuple[str, str, ClosedJaxpr | Jaxpr]]:
    """The programs in an equation: their titles in paths, their parameters, themselves."""
    for param, position, inner in nested_programs(eqn.params):
        yield program_title(eqn, param, position), param, inner


def _opened(jaxpr: ClosedJaxpr | Jaxpr) -> Jaxpr:
    return jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr
