"""Memory of reverse mode: which buffers live when, and what a checkpoint would free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adlib.core import Eqn
from adlib.core.printer import variable_names
from adlib.inspect.buffers import facts_of, flat_equations, inside, with_open_checkpoints
from adlib.inspect.costs import total_flops
from adlib.inspect.evaluation import Execution, run_forward, run_reverse
from adlib.inspect.lifetimes import Buffer, Moment, Timeline
from adlib.inspect.programs import Program, cotangent_seeds, trace_program
from adlib.inspect.progress import progress
from adlib.inspect.rule_texts import step_label
from adlib.inspect.summaries import to_json

VERSION = 2
_LEAST_CUTS, _MOST_CUTS, _MOST_STEPS = 16, 100, 20_000
_MOST_BUFFERS = 3000


@dataclass(frozen=True, slots=True)
class MomentRecord:
    """A moment of the forward or reverse sweep.

    Attributes:
      step: position of the equation.
      sweep: ``forward``, ``reverse``, or ``again``: the second run of a checkpoint.
      bytes: live while the equation runs: its operands, its results, and all that is kept.
      residual_bytes: of those, what is kept for the reverse sweep alone.
      primal_bytes: live at the same equation if nothing is differentiated; 0 in reverse.
    """

    step: int
    sweep: str
    bytes: int
    residual_bytes: int
    primal_bytes: int


@dataclass(frozen=True, slots=True)
class ResidualRecord:
    """A buffer that the reverse sweep needs.

    Attributes:
      name: the variable that it is, or ``cos(b)``-like results inside of a rule as the name of
        the equation that made it with a prime, e.g. ``sin_0′``.
      type: of the value.
      bytes: its size.
      made_by: id of the equation that made it, or ``input``.
      source, code: the user's line that made it, and its text.
      needed_by: ids of the equations whose reverse steps read it.
      extra: whether it is memory that the primal program would have freed; arguments and
        results are there anyway.
    """

    name: str
    type: str
    bytes: int
    made_by: str
    source: str
    code: str
    needed_by: tuple[str, ...]
    extra: bool


@dataclass(frozen=True, slots=True)
class BufferRecord:
    """A buffer and its life.

    Attributes:
      name: of the variable; of what only a derivative makes (``cos b``), the name of its
        equation with a prime.
      type: of the value.
      bytes: its size.
      role: ``argument``, ``constant``, ``result``, ``value``, ``residual`` (of the forward
        sweep, kept for the reverse sweep), ``remade`` (by the second run of a checkpoint), or
        ``cotangent``.
      step: position of the equation that makes it (whose value it is the cotangent of); -1
        for arguments.
      source, code: the user's line, and its text.
      first, last: the moments between which it lives, both included.
      needed_by: positions of the equations whose reverse steps, or second runs, read it.
    """

    name: str
    type: str
    bytes: int
    role: str
    step: int
    source: str
    code: str
    first: int
    last: int
    needed_by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """A checkpoint around the first ``equations`` equations.

    Attributes:
      equations: how many equations it holds.
      after, source, code: id, line and text of the last of them.
      peak_bytes: most bytes live at one moment, with it.
      flops: arithmetic that is done a second time, as far as it is counted.
      recomputed: how many equations run a second time: those that the reverse sweep needs.
    """

    equations: int
    after: str
    source: str
    code: str
    peak_bytes: int
    flops: int
    recomputed: int = 0


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """Live bytes through the forward and reverse sweep.

    Attributes:
      steps: (id, label, source) of each equation; those inside of a checkpoint stand in its
        place.
      moments: the forward sweep in program order, then the reverse sweep.
      residuals: largest first.
      argument_bytes: of the arguments, which live throughout.
      peak_bytes, primal_peak_bytes: the most live at one moment, with and without derivatives.
      checkpoints: one for each place that was tried, in program order; none where the program
        has checkpoints of its own.
      buffers: in the order in which they are made, views left out; of more than 3000 the
        largest, residuals before others.
      forward_flops: arithmetic of the program, as far as it is counted.
      recomputed, recomputed_flops: equations that run a second time, and their arithmetic.
      version: of this record's form.
    """

    steps: tuple[tuple[str, str, str], ...]
    moments: tuple[MomentRecord, ...]
    residuals: tuple[ResidualRecord, ...]
    argument_bytes: int
    peak_bytes: int
    primal_peak_bytes: int
    checkpoints: tuple[CheckpointRecord, ...]
    buffers: tuple[BufferRecord, ...] = ()
    forward_flops: int = 0
    recomputed: int = 0
    recomputed_flops: int = 0
    version: int = VERSION

    @property
    def best_checkpoint(self) -> CheckpointRecord | None:
        """The checkpoint with the lowest peak, the cheapest of such; None if none helps."""
        best = min(self.checkpoints, key=lambda c: (c.peak_bytes, c.equations), default=None)
        return best if best is not None and best.peak_bytes < self.peak_bytes else None

    def to_json(self) -> dict[str, Any]:
        """The record as dicts, lists, strings and numbers only."""
        return to_json(self)  # type: ignore[no-any-return]


def memory_record(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any] | None = None
) -> MemoryRecord:
    """Run ``function(*args, **kwargs)`` forward and in reverse, and record what is live when.

    Sizes are those of the buffers that the engine makes: a reshape or a broadcast that is a
    view costs nothing. What stands inside of an ``adlib.checkpoint`` runs twice, as in the
    engine, and its second run is recorded where it stands.

    Raises:
      NotImplementedError: where a derivative does not exist.
      Exception: what ``function`` raises, unchanged.

    >>> import adlib.numpy as jnp
    >>> record = memory_record(lambda x: jnp.sin(x).sum(), (jnp.ones(1000),))
    >>> [(r.name, r.bytes, r.needed_by) for r in record.residuals]
    [('sin_0′', 4000, ('sin_0',))]
    """
    __tracebackhide__ = True
    return program_memory(trace_program(function, args, kwargs or {}))


def program_memory(
    program: Program, *, names: Mapping[Any, str] | None = None, places: bool = True
) -> MemoryRecord:
    """The record of a traced program at its arguments.

    Args:
      names: of its variables; None for letters in order.
      places: whether to look for places where a checkpoint could end.

    Raises:
      NotImplementedError: where a derivative does not exist.
    """
    program = replace(program, closed=with_open_checkpoints(program.closed))
    done = run_forward(program)
    run_reverse(done, cotangent_seeds(program, None))
    flat = flat_equations(program.closed)
    ids = equation_ids(flat)
    if names is None:
        inputs = zip(program.closed.jaxpr.invars, program.input_names, strict=True)
        names = {**variable_names(program.closed.jaxpr), **dict(inputs)}
    timeline = Timeline(done, names, ids)
    own = any(inside(eqn) is not None for eqn in program.closed.eqns)
    tried = _checkpoints(done, names, ids, flat) if places and not own else ()
    return _record(timeline, flat, tried)


def equation_ids(equations: Sequence[Eqn]) -> list[str]:
    """Stable names of equations: ``mul_0``, ``sin_0``, ``mul_1``, …"""
    count: Counter[str] = Counter()
    ids = []
    for eqn in equations:
        ids.append(f"{eqn.primitive.name}_{count[eqn.primitive.name]}")
        count[eqn.primitive.name] += 1
    return ids


def live_bytes(done: Execution) -> list[int]:
    """Bytes held while each equation runs forward, residuals included."""
    flat = flat_equations(done.program.closed)
    timeline = Timeline(done, {}, equation_ids(flat))
    profile, live, start = timeline.profile(), [], 0
    for step in done.steps:
        inner = inside(step.eqn)
        size = 1 if inner is None else len(flat_equations(inner))
        live.append(max(profile[start : start + size], default=0))
        start += size
    return live


# -------------------------------------------------------------------- records


def _record(
    timeline: Timeline, flat: Sequence[Eqn], tried: tuple[CheckpointRecord, ...]
) -> MemoryRecord:
    live, primal = timeline.profile(), timeline.primal_profile()
    end = timeline.forward_end
    # what is live, but would not be without derivatives
    extra = [b for b in timeline.buffers if b.needed and not b.kept]
    held = timeline.profile(extra)
    moments = tuple(
        MomentRecord(m.step, m.sweep, live[i], held[i], primal[i] if i < end else 0)
        for i, m in enumerate(timeline.moments)
    )
    needed = [b for b in timeline.buffers if b.needed and b.role != "remade"]
    needed = [b for b in needed if b.role != "cotangent"]
    residuals = sorted(
        (_residual(b, timeline.ids, flat) for b in needed), key=lambda r: (not r.extra, -r.bytes)
    )
    again, work = _recomputed(timeline.moments, flat)
    return MemoryRecord(
        steps=tuple(
            (name, step_label(eqn), source_of(eqn)[0])
            for name, eqn in zip(timeline.ids, flat, strict=True)
        ),
        moments=moments,
        residuals=tuple(residuals),
        argument_bytes=sum(b.size for b in timeline.buffers if b.role in ("argument", "constant")),
        peak_bytes=max(live, default=0),
        primal_peak_bytes=max(primal, default=0),
        checkpoints=tried,
        buffers=_buffers(timeline, flat),
        forward_flops=sum(map(total_flops, flat)),
        recomputed=again,
        recomputed_flops=work,
    )


def _buffers(timeline: Timeline, flat: Sequence[Eqn]) -> tuple[BufferRecord, ...]:
    shown = [b for b in timeline.buffers if b.size]
    if len(shown) > _MOST_BUFFERS:
        first = sorted(shown, key=lambda b: (-b.size, not b.needed))[:_MOST_BUFFERS]
        shown = sorted(first, key=lambda b: b.made)
    return tuple(
        BufferRecord(
            name=b.name,
            type=b.value.aval.str_short(),
            bytes=b.size,
            role=_role(b),
            step=b.step,
            source="" if b.step < 0 else source_of(flat[b.step])[0],
            code="" if b.step < 0 else source_of(flat[b.step])[1],
            first=b.made,
            last=b.last,
            needed_by=tuple(sorted(b.needed)),
        )
        for b in shown
    )


def _role(b: Buffer) -> str:
    if b.role == "value" and b.kept:
        return "result"
    return "residual" if b.role == "value" and b.needed else b.role


def _residual(b: Buffer, ids: Sequence[str], flat: Sequence[Eqn]) -> ResidualRecord:
    source, code = ("", "") if b.step < 0 else source_of(flat[b.step])
    return ResidualRecord(
        name=b.name,
        type=b.value.aval.str_short(),
        bytes=b.size,
        made_by="input" if b.step < 0 else ids[b.step],
        source=source,
        code=code,
        needed_by=tuple(ids[i] for i in sorted(b.needed)),
        extra=not b.kept,
    )


def _checkpoints(
    done: Execution, names: Mapping[Any, str], ids: Sequence[str], flat: Sequence[Eqn]
) -> tuple[CheckpointRecord, ...]:
    """What a checkpoint around the first equations would do, for many such places.

    The buffers are those of the run without it, so that nothing has to run again.
    """
    count, facts = len(done.steps), facts_of(done)
    # the longer the program, the longer each place takes
    stride = max(1, -(-count // max(_LEAST_CUTS, min(_MOST_CUTS, _MOST_STEPS // max(count, 1)))))
    cuts = [cut for cut in range(1, count + 1) if cut % stride == 0 or cut == count]
    found = []
    for cut in progress(cuts, "places for a checkpoint"):
        timeline = Timeline(done, names, ids, facts=facts, parts=[cut])
        again, work = _recomputed(timeline.moments, flat)
        peak = max(timeline.profile(), default=0)
        after = (ids[cut - 1], *source_of(flat[cut - 1]))
        found.append(CheckpointRecord(cut, *after, peak, work, again))
    return tuple(found)


def _recomputed(moments: Sequence[Moment], flat: Sequence[Eqn]) -> tuple[int, int]:
    """How many equations run a second time, and their arithmetic."""
    again = [m.step for m in moments if m.sweep == "again"]
    return len(again), sum(total_flops(flat[step]) for step in again)


def source_of(eqn: Eqn) -> tuple[str, str]:
    """The user's line of an equation, and its text."""
    return ("", "") if eqn.source is None else (eqn.source.summary(), eqn.source.text())
