"""Memory of reverse mode: which buffers live when, and what a checkpoint would free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adlib.core import Eqn, Literal, Var
from adlib.core.printer import variable_names
from adlib.inspect.costs import flops
from adlib.inspect.evaluation import Execution, run_forward, run_reverse
from adlib.inspect.programs import cotangent_seeds, step_ids, trace_program
from adlib.inspect.rule_texts import step_label
from adlib.inspect.summaries import to_json

VERSION = 1
_MOST_CUTS = 100


@dataclass(frozen=True, slots=True)
class MomentRecord:
    """A moment of the forward or reverse sweep.

    Attributes:
      step: position of the equation.
      sweep: ``forward`` or ``reverse``.
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
class CheckpointRecord:
    """A checkpoint around the first ``equations`` equations.

    Attributes:
      equations: how many equations run a second time.
      after, source, code: id, line and text of the last of them.
      peak_bytes: most bytes live at one moment, with it.
      flops: arithmetic that is done a second time, as far as it is counted.
    """

    equations: int
    after: str
    source: str
    code: str
    peak_bytes: int
    flops: int


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """Live bytes through the forward and reverse sweep.

    Attributes:
      steps: (id, label, source) of each equation.
      moments: the forward sweep in program order, then the reverse sweep.
      residuals: largest first.
      argument_bytes: of the arguments, which live throughout.
      peak_bytes, primal_peak_bytes: the most live at one moment, with and without derivatives.
      checkpoints: one for each place that was tried, in program order.
      version: of this record's form.
    """

    steps: tuple[tuple[str, str, str], ...]
    moments: tuple[MomentRecord, ...]
    residuals: tuple[ResidualRecord, ...]
    argument_bytes: int
    peak_bytes: int
    primal_peak_bytes: int
    checkpoints: tuple[CheckpointRecord, ...]
    version: int = VERSION

    @property
    def best_checkpoint(self) -> CheckpointRecord | None:
        """The checkpoint with the lowest peak, the cheapest of such; None if none helps."""
        best = min(self.checkpoints, key=lambda c: (c.peak_bytes, c.equations), default=None)
        return best if best is not None and best.peak_bytes < self.peak_bytes else None

    def to_json(self) -> dict[str, Any]:
        """The record as dicts, lists, strings and numbers only."""
        return to_json(self)  # type: ignore[no-any-return]


@dataclass
class Buffer:
    """A piece of memory; views of it are the same buffer.

    Attributes:
      size: bytes.
      made: equation that makes it; -1 for arguments and constants.
      reads: equations that read it forward.
      needed: equations whose reverse steps read it.
      kept: whether the caller keeps it (arguments, constants, results).
      hidden: whether only a derivative makes it (``cos x`` for ``sin``).
    """

    size: int
    made: int
    value: Any
    var: Var | None = None
    hidden: bool = False
    kept: bool = False
    reads: set[int] = field(default_factory=set)
    needed: set[int] = field(default_factory=set)


@dataclass
class Cotangents:
    """Memory of the reverse sweep alone: made at one equation's reverse step, freed at another's.

    ``made`` is the first consumer, at most the number of equations; ``freed`` the definition,
    -1 for arguments.
    """

    size: int
    made: int
    freed: int


def memory_record(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any] | None = None
) -> MemoryRecord:
    """Run ``function(*args, **kwargs)`` forward and in reverse, and record what is live when.

    Sizes are those of the buffers that the engine makes: a reshape or a broadcast that is a
    view costs nothing.

    Raises:
      NotImplementedError: where a derivative does not exist.
      Exception: what ``function`` raises, unchanged.

    >>> import adlib.numpy as jnp
    >>> record = memory_record(lambda x: jnp.sin(x).sum(), (jnp.ones(1000),))
    >>> [(r.name, r.bytes, r.needed_by) for r in record.residuals]
    [('sin_0′', 4000, ('sin_0',))]
    """
    program = trace_program(function, args, kwargs or {})
    done = run_forward(program)
    run_reverse(done, cotangent_seeds(program, None))
    return _record(done)


def live_bytes(done: Execution) -> list[int]:
    """Bytes held while each equation runs forward, residuals included."""
    count = len(done.steps)
    return _profile(_buffers(done), [], count, _forward_interval(count))[:count]


# ------------------------------------------------------------------- buffers


def _owner(array: Any) -> Any:
    """The ndarray whose memory an array shows."""
    value = array._value
    while getattr(value, "base", None) is not None and hasattr(value.base, "nbytes"):
        value = value.base
    return value


def _buffers(done: Execution) -> list[Buffer]:
    jaxpr = done.program.closed.jaxpr
    found: dict[int, Buffer] = {}

    def buffer(array: Any, made: int, var: Var | None, hidden: bool = False) -> Buffer:
        owner = _owner(array)
        if id(owner) not in found:
            found[id(owner)] = Buffer(int(owner.nbytes), made, array, var, hidden)
        return found[id(owner)]

    for var in (*jaxpr.constvars, *jaxpr.invars):
        buffer(done.values[var], -1, var).kept = True
    for i, step in enumerate(done.steps):
        for atom in step.eqn.invars:
            if isinstance(atom, Var):
                buffer(done.values[atom], i, atom).reads.add(i)
        for var, result in zip(step.eqn.outvars, step.results, strict=True):
            buffer(result, i, var)
        # numbers that stand in the program are part of the program
        literals = {id(_owner(v.array)) for v in step.eqn.invars if isinstance(v, Literal)}
        for residual in step.residuals:
            if id(_owner(residual)) not in literals:
                buffer(residual, i, None, hidden=True).needed.add(i)
    for atom in jaxpr.outvars:
        if not isinstance(atom, Literal):
            buffer(done.values[atom], len(done.steps), atom).kept = True
    return list(found.values())


def _cotangents(done: Execution) -> list[Cotangents]:
    count = len(done.steps)
    maker = {var: i for i, step in enumerate(done.steps) for var in step.eqn.outvars}
    found: dict[int, Cotangents] = {}
    for var, ct in done.cotangents.items():
        owner = _owner(ct)
        made = min(done.contributions[var][0][0], count)
        freed = maker.get(var, -1)
        if id(owner) in found:
            same = found[id(owner)]
            same.made, same.freed = max(same.made, made), min(same.freed, freed)
        else:
            found[id(owner)] = Cotangents(int(owner.nbytes), made, freed)
    return list(found.values())


# ------------------------------------------------------------- live intervals

# Moments are counted: forward step i at i, reverse step i at 2n-1-i.
Interval = Callable[[Buffer], Iterable[tuple[int, int]]]


def _forward_interval(count: int) -> Interval:
    """When a buffer lives while the program is differentiated."""

    def lives(b: Buffer) -> list[tuple[int, int]]:
        if b.kept:
            return [(max(b.made, 0), 2 * count - 1)]
        last = max(b.reads, default=b.made)
        if b.needed:
            last = 2 * count - 1 - min(b.needed)
        return [(b.made, max(last, b.made))]

    return lives


def _primal_interval(count: int) -> Interval:
    """When a buffer lives while the program is only evaluated."""

    def lives(b: Buffer) -> list[tuple[int, int]]:
        if b.hidden:
            return []
        end = count - 1 if b.kept else max(b.reads, default=b.made)
        return [(max(b.made, 0), max(end, b.made))]

    return lives


def _checkpoint_interval(count: int, cut: int) -> Interval:
    """When a buffer lives with a checkpoint around the first ``cut`` equations.

    Their second run stands between the reverse steps of the others and their own, so that
    reverse step i < cut is at 2n-1-i+cut, and the second run of i at 2n-cut+i.
    """
    end = 2 * count - 1 + cut

    def reverse(i: int) -> int:
        return 2 * count - 1 - i + (cut if i < cut else 0)

    def lives(b: Buffer) -> list[tuple[int, int]]:
        if b.kept:
            return [(max(b.made, 0), end)]
        outside = [reverse(i) for i in b.needed if i >= cut]
        inside = [reverse(i) for i in b.needed if i < cut]
        if b.made >= cut:
            return [(b.made, max([b.made, *b.reads, *outside]))]
        pieces = []
        if not b.hidden:
            pieces.append((b.made, max([b.made, *b.reads, *outside])))
        again = [2 * count - cut + i for i in b.reads if i < cut]
        start = 2 * count - cut + b.made
        if again or inside:  # what neither a step nor a derivative reads is not made again
            pieces.append((start, max([start, *again, *inside])))
        return pieces

    return lives


def _profile(
    buffers: Iterable[Buffer],
    cotangents: Iterable[Cotangents],
    count: int,
    lives: Interval,
    cut: int = 0,
) -> list[int]:
    """Bytes live at each moment."""
    length = 2 * count + cut
    change = [0] * (length + 1)
    for b in buffers:
        for start, last in lives(b):
            if start < length:
                change[start] += b.size
                change[min(last, length - 1) + 1] -= b.size
    for ct in cotangents:
        # where the second run stands, the crossing cotangents are held
        start = 2 * count - 1 - min(ct.made, count - 1) + (cut if ct.made < cut else 0)
        last = length - 1 if ct.freed < 0 else 2 * count - 1 - ct.freed
        last += cut if 0 <= ct.freed < cut else 0
        change[start] += ct.size
        change[last + 1] -= ct.size
    profile, live = [], 0
    for difference in change[:length]:
        live += difference
        profile.append(live)
    return profile


# -------------------------------------------------------------------- records


def _record(done: Execution) -> MemoryRecord:
    count = len(done.steps)
    ids = step_ids(done.program)
    buffers, cotangents = _buffers(done), _cotangents(done)
    live = _profile(buffers, cotangents, count, _forward_interval(count))
    primal = _profile(buffers, [], count, _primal_interval(count))
    # what is live, but would not be without derivatives
    extra = [b for b in buffers if b.needed and not b.kept]
    held = _profile(extra, [], count, _forward_interval(count))
    moments = [
        MomentRecord(
            step=i if i < count else 2 * count - 1 - i,
            sweep="forward" if i < count else "reverse",
            bytes=live[i],
            residual_bytes=held[i],
            primal_bytes=primal[i] if i < count else 0,
        )
        for i in range(2 * count)
    ]
    names = variable_names(done.program.closed.jaxpr)
    inputs = zip(done.program.closed.jaxpr.invars, done.program.input_names, strict=True)
    names.update(inputs)
    residuals = [_residual(done, ids, names, b) for b in buffers if b.needed]
    residuals.sort(key=lambda r: (not r.extra, -r.bytes))
    return MemoryRecord(
        steps=tuple(
            (name, step_label(step.eqn), _source(step.eqn)[0])
            for name, step in zip(ids, done.steps, strict=True)
        ),
        moments=tuple(moments),
        residuals=tuple(residuals),
        argument_bytes=sum(b.size for b in buffers if b.made < 0),
        peak_bytes=max(live, default=0),
        primal_peak_bytes=max(primal, default=0),
        checkpoints=_checkpoints(done, ids, buffers, cotangents),
    )


def _residual(done: Execution, ids: list[str], names: dict[Var, str], b: Buffer) -> ResidualRecord:
    source, code = ("", "") if b.made < 0 else _source(done.steps[b.made].eqn)
    if b.var is not None:
        name = names.get(b.var, "_")
    else:
        name = f"{ids[b.made]}′"
    return ResidualRecord(
        name=name,
        type=b.value.aval.str_short(),
        bytes=b.size,
        made_by="input" if b.made < 0 else ids[b.made],
        source=source,
        code=code,
        needed_by=tuple(ids[i] for i in sorted(b.needed)),
        extra=not b.kept,
    )


def _checkpoints(
    done: Execution, ids: list[str], buffers: list[Buffer], cotangents: list[Cotangents]
) -> tuple[CheckpointRecord, ...]:
    count = len(done.steps)
    stride = max(1, -(-count // _MOST_CUTS))
    found, work = [], 0
    for cut in range(1, count + 1):
        eqn = done.steps[cut - 1].eqn
        work += flops(eqn) or 0
        if cut % stride and cut != count:
            continue
        profile = _profile(buffers, cotangents, count, _checkpoint_interval(count, cut), cut)
        found.append(CheckpointRecord(cut, ids[cut - 1], *_source(eqn), max(profile), work))
    return tuple(found)


def _source(eqn: Eqn) -> tuple[str, str]:
    return ("", "") if eqn.source is None else (eqn.source.summary(), eqn.source.text())
