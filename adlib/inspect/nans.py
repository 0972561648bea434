"""The first NaN or infinity in a program, forward and in reverse, and what made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adlib.core import Literal, Var, backend
from adlib.core.printer import variable_names
from adlib.inspect.evaluation import Execution, Step, run_forward, run_reverse
from adlib.inspect.nan_causes import derivative_cause, primal_cause
from adlib.inspect.nan_trail import Picture, TrailRow, picture_of, status_of, trail_rows
from adlib.inspect.nested import nested_runs
from adlib.inspect.programs import (
    Program,
    cotangent_seeds,
    opened,
    step_ids,
    tangent_seeds,
    trace_program,
)
from adlib.inspect.rule_texts import cotangent_name, result_text, tangent_name
from adlib.inspect.summaries import ArraySummary, summarize, to_json
from adlib.inspect.texts import literal_text

VERSION = 2


@dataclass(frozen=True, slots=True)
class NamedSummary:
    """A value with its name: an operand, its tangent, or its cotangent.

    ``picture`` shows where its bad entries are; None for single numbers.
    """

    name: str
    summary: ArraySummary
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class BadEquation:
    """The first equation that makes a number that is not finite, in one sweep.

    Attributes:
      sweep: ``primal``, ``tangent`` or ``cotangent``.
      kind: ``nan`` or ``inf``.
      step: id of the equation; ``input`` where an argument itself is bad.
      text: the equation, e.g. ``c = log b``.
      source, code: the user's line, and its text.
      index: the first bad entry; empty for scalars.
      operands: what went in: operands, and incoming tangents or cotangents.
      result: what came out.
      why, repair, repair_code: the cause and the usual repair.
      inside: where the equation stands in another one, e.g. ``round 3 of scan_0``.
      repair_before: code as it is often written, which ``repair_code`` replaces.
      row: id of the equation, or of that in which it stands, on the trail; ``in_0`` for an
        argument.
    """

    sweep: str
    kind: str
    step: str
    text: str
    source: str
    code: str
    index: tuple[int, ...]
    operands: tuple[NamedSummary, ...]
    result: NamedSummary
    why: str
    repair: str
    repair_code: str
    inside: str = ""
    repair_before: str = ""
    row: str = ""


@dataclass(frozen=True, slots=True)
class NanRecord:
    """Where a function and its derivatives stop being finite.

    Attributes:
      primal, tangent, cotangent: the first bad equation of each sweep (of the reverse sweep
        the first that is met, so the last in the program); None where all is finite.
      origin: where the primal's NaN comes from an infinity, the equation that made that.
      result_bad, gradient_bad: ``nan`` or ``inf`` where the result or a gradient holds one.
      not_differentiated: why a sweep of derivatives was not possible; empty where both were.
      trail: inputs and equations on the way of the bad numbers, in program order; empty where
        all is finite.
      version: of this record's form.
    """

    primal: BadEquation | None
    tangent: BadEquation | None
    cotangent: BadEquation | None
    origin: BadEquation | None
    result_bad: str
    gradient_bad: str
    not_differentiated: str = ""
    trail: tuple[TrailRow, ...] = ()
    version: int = VERSION

    @property
    def first(self) -> BadEquation | None:
        """What to repair first.

        The primal's bad equation where the result is bad, else the derivative's, else a primal
        infinity that something later makes finite again.
        """
        if self.result_bad and self.primal is not None:
            return self.primal
        return self.cotangent or self.tangent or self.primal

    def to_json(self) -> dict[str, Any]:
        """The record as dicts, lists, strings and numbers; NaN and infinities as strings."""
        return to_json(self)  # type: ignore[no-any-return]


def nan_record(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any] | None = None
) -> NanRecord:
    """Run ``function(*args, **kwargs)`` and look for the first NaN or infinity.

    The primal program is looked at first, then tangents and cotangents that start as ones.
    Where a NaN appears, an infinity before it counts only if it feeds the NaN.

    Raises:
      Exception: what ``function`` raises, unchanged.

    >>> import adlib.numpy as jnp
    >>> record = nan_record(lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), (0.0,))
    >>> record.result_bad, record.first.step, record.first.why
    ('', 'sqrt_0', 'The derivative of sqrt, 1/(2·sqrt(x)), is infinite at x = 0. The incoming \
derivative is 0 (the value is not chosen by a later where or mask), and 0 times infinity is NaN.')
    """
    program = trace_program(function, args, kwargs or {})
    plain = run_forward(program, differentiate=False)
    search = _Search(plain)
    primal, origin = search.primal()
    outputs = [v for v in program.closed.jaxpr.outvars if isinstance(v, Var)]
    result_bad = _worst(_bad(plain.values[v]) for v in outputs)
    # the function itself has run: what is raised from here on is about its derivative
    try:
        done = _with_derivatives(program)
    except (NotImplementedError, ValueError) as error:
        reason = _first_line(error)
        return _with_trail(
            NanRecord(primal, None, None, origin, result_bad, "", reason), _Search(plain)
        )
    reason = ""
    try:
        run_reverse(done, cotangent_seeds(program, None))
    except (NotImplementedError, ValueError) as error:
        reason = _first_line(error)
    search = _Search(done)
    gradients = [done.cotangents.get(var) for var in program.closed.jaxpr.invars]
    gradient_bad = _worst(_bad(ct) for ct in gradients if ct is not None)
    record = NanRecord(
        primal, search.tangent(), search.cotangent(), origin, result_bad, gradient_bad, reason
    )
    return _with_trail(record, search)


def _with_derivatives(program: Program) -> Execution:
    """The run with tangents, or without them where a custom_vjp rule gives no tangents."""
    try:
        return run_forward(program, tangent_seeds(program, None))
    except TypeError:
        return run_forward(program)


def _with_trail(record: NanRecord, search: _Search) -> NanRecord:
    found = [record.primal, record.tangent, record.cotangent, record.origin]
    roots = [bad.row for bad in found if bad is not None]
    if not roots:
        return record
    return replace(record, trail=trail_rows(search.done, search.names, search.ids, roots))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _bad(array: Any) -> str:
    """``nan`` or ``inf`` where an array holds one; empty where not."""
    status = status_of(array)
    return "" if status == "good" else status


def _named(name: str, array: Any) -> NamedSummary:
    return NamedSummary(name, summarize(array), picture_of(array))


def _worst(kinds: Any) -> str:
    found = set(kinds)
    return "nan" if "nan" in found else "inf" if "inf" in found else ""


def _first_index(array: Any, kind: str) -> tuple[int, ...]:
    value = array._value
    xp = backend.of_array(value).xp
    bad = xp.isnan(value) if kind == "nan" else xp.isinf(value)
    return tuple(xp.argwhere(bad)[0].tolist()) if value.ndim else ()


def _entry(array: Any, index: tuple[int, ...]) -> Any:
    """The entry that an elementwise operation reads for the result's entry ``index``."""
    if array is None or not hasattr(array, "aval"):
        return None
    value = array._value
    if value.ndim and value.ndim != len(index):
        return None
    try:
        entry = value[index] if value.ndim else value[()]
    except IndexError:
        return None
    if not isinstance(value, np.ndarray):
        entry = entry.get()[()]  # one number from the GPU
    return entry.item() if isinstance(entry, np.generic) and entry.dtype.kind in "fiub" else (
        float(entry) if entry.dtype.kind != "c" else None
    )  # fmt: skip


class _Search:
    def __init__(self, done: Execution) -> None:
        self.done = done
        self.program: Program = done.program
        self.names = variable_names(done.program.closed.jaxpr)
        self.ids = step_ids(done.program)

    # ------------------------------------------------------------ the sweeps

    def primal(self) -> tuple[BadEquation | None, BadEquation | None]:
        """The first bad equation, and the maker of the infinity that became a NaN there."""
        jaxpr = self.program.closed.jaxpr
        for name, var in zip(self.program.input_names, jaxpr.invars, strict=True):
            if kind := _bad(self.done.values[var]):
                return self._bad_input(name, var, kind), None
        infinite: list[int] = []
        for number, step in enumerate(self.done.steps):
            kinds = [_bad(result) for result in step.results]
            before = [_bad(operand) for operand in step.operands]
            if "nan" in kinds:
                if "nan" in before:
                    continue
                # an infinity among its operands is what has to be repaired: find its maker
                made = self._maker(step, infinite)
                origin = None if made is None else self._primal_at(made, "inf")
                return self._primal_at(number, "nan"), origin
            if "inf" in kinds and "inf" not in before:
                infinite.append(number)
        return (self._primal_at(infinite[0], "inf") if infinite else None), None

    def _maker(self, step: Step, infinite: list[int]) -> int | None:
        """The first equation making an infinity on which an infinite operand depends."""
        wanted = {
            v
            for v, value in zip(step.eqn.invars, step.operands, strict=True)
            if isinstance(v, Var) and _bad(value) == "inf"
        }
        found = None
        for number in range(len(self.done.steps) - 1, -1, -1):
            eqn = self.done.steps[number].eqn
            if any(v in wanted for v in eqn.outvars):
                if number in infinite:
                    found = number
                wanted.update(v for v in eqn.invars if isinstance(v, Var))
        return found

    def tangent(self) -> BadEquation | None:
        for number, step in enumerate(self.done.steps):
            for out, t in zip(step.eqn.outvars, step.tangents, strict=True):
                given = [t for t in step.operand_tangents if t is not None]
                if t is None or not _bad(t) or any(_bad(g) for g in given):
                    continue
                kind = _bad(t)
                index = _first_index(t, kind)
                at = [_entry(operand, index) for operand in step.operands]
                seeds = [_entry(g, index) for g in given]
                seed = seeds[0] if len(seeds) == 1 else None
                cause = derivative_cause(step.eqn, at, seed, None)
                incoming = [
                    _named(tangent_name(self.name(v)), t)
                    for v, t in zip(step.eqn.invars, step.operand_tangents, strict=True)
                    if t is not None
                ]
                result = _named(tangent_name(self.name(out)), t)
                return self._equation(number, "tangent", kind, index, incoming, result, cause)
        return None

    def cotangent(self) -> BadEquation | None:
        for number in range(len(self.done.steps) - 1, -1, -1):
            step = self.done.steps[number]
            incoming = [ct for ct in step.cotangents if ct is not None]
            if not incoming or any(_bad(ct) for ct in incoming):
                continue
            for port, ct in enumerate(step.given):
                if ct is not None and (kind := _bad(ct)):
                    return self._cotangent_at(number, step, port, ct, kind)
        return None

    # ------------------------------------------------------------- one record

    def _cotangent_at(self, number: int, step: Step, port: int, ct: Any, kind: str) -> BadEquation:
        index = _first_index(ct, kind)
        at = [_entry(operand, index) for operand in step.operands]
        seeds = [_entry(c, index) for c in step.cotangents if c is not None]
        seed = seeds[0] if len(seeds) == 1 else None
        cause = derivative_cause(step.eqn, at, seed, port)
        incoming = [
            _named(cotangent_name(self.name(v)), c)
            for v, c in zip(step.eqn.outvars, step.cotangents, strict=True)
            if c is not None
        ]
        result = _named(cotangent_name(self.name(step.eqn.invars[port])), ct)
        return self._equation(number, "cotangent", kind, index, incoming, result, cause)

    def _primal_at(self, number: int, kind: str) -> BadEquation:
        step = self.done.steps[number]
        out, result = next(
            (v, r) for v, r in zip(step.eqn.outvars, step.results, strict=True) if _bad(r) == kind
        )
        nested = self._nested(number, step)
        if nested is not None:
            return nested
        index = _first_index(result, kind)
        at = [_entry(operand, index) for operand in step.operands]
        cause = primal_cause(step.eqn, at)
        named = _named(self.name(out), result)
        return self._equation(number, "primal", kind, index, [], named, cause)

    def _nested(self, number: int, step: Step) -> BadEquation | None:
        """The first bad equation of the programs inside of an equation, where it has any."""
        for where, closed, args, results in nested_runs(step.eqn, step.operands):
            if not any(_bad(result) for result in results):
                continue
            inner = opened(closed)
            count = len(inner.jaxpr.invars)
            names = tuple(f"argument {i}" for i in range(count))
            program = Program(inner, tuple(args), names, tuple(range(count)), None, None)
            bad, origin = _Search(run_forward(program, differentiate=False)).primal()
            bad = origin or bad
            if bad is None or bad.step == "input":
                return None
            place = f"{where} of {self.ids[number]}" if where else self.ids[number]
            inside = f"{bad.inside}, {place}" if bad.inside else place
            return replace(bad, inside=inside, row=self.ids[number])
        return None

    def _bad_input(self, name: str, var: Var, kind: str) -> BadEquation:
        value = self.done.values[var]
        index = _first_index(value, kind)
        what = "NaN" if kind == "nan" else "an infinity"
        at = f" at {list(index)}" if index else ""
        return BadEquation(
            sweep="primal",
            kind=kind,
            step="input",
            text=name,
            source="",
            code="",
            index=index,
            operands=(),
            result=_named(name, value),
            row=f"in_{self.program.closed.jaxpr.invars.index(var)}",
            why=f"The argument {name} already holds {what}{at}.",
            repair="Look where the argument comes from: missing data, or an earlier step.",
            repair_code="",
        )

    def _equation(
        self,
        number: int,
        sweep: str,
        kind: str,
        index: tuple[int, ...],
        incoming: list[NamedSummary],
        result: NamedSummary,
        cause: Any,
    ) -> BadEquation:
        step = self.done.steps[number]
        eqn = step.eqn
        operands = [self.name(atom) for atom in eqn.invars]
        left = ", ".join(self.names.get(v, "_") for v in eqn.outvars)
        shown = [
            _named(name, value)
            for name, value, atom in zip(operands, step.operands, eqn.invars, strict=True)
            if not isinstance(atom, Literal)
        ]
        return BadEquation(
            sweep=sweep,
            kind=kind,
            step=self.ids[number],
            text=f"{left} = {result_text(eqn, operands)}",
            source="" if eqn.source is None else eqn.source.summary(),
            code="" if eqn.source is None else eqn.source.text(),
            index=index,
            operands=(*shown, *incoming),
            result=result,
            why=cause.why,
            repair=cause.repair,
            repair_code=cause.code,
            repair_before=cause.before,
            row=self.ids[number],
        )

    def name(self, atom: Any) -> str:
        if isinstance(atom, Literal):
            return literal_text(atom).removesuffix(".0")
        return self.names.get(atom, "_")
