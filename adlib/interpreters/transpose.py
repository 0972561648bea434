"""Transposition: read a linear program backwards.

A linear map's transpose takes cotangents of results to cotangents of arguments. On a tape
that is one sweep from the end: each operation's rule hands cotangents to its arguments, and
where a value fans out its cotangents add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.core import backend
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero
from adlib.core.jaxpr import ClosedJaxpr, eval_jaxpr
from adlib.core.program import program
from adlib.core.trace import fresh, state, using
from adlib.interpreters import derive
from adlib.interpreters.linearize import (
    LinearMap,
    LinearRule,
    Tape,
    TapeEqn,
    bottom_stage,
    linear_call_p,
)
from adlib.interpreters.stage import StageTrace, replay
from adlib.ops.constructors import add_any


def pull_back(linear: LinearMap, cotangents: Sequence[Any], consume: bool = False) -> list[Any]:
    """Cotangents of the arguments (None where an argument has no tangent; Zero where zero).

    With ``consume`` the tape is used up: each residual is freed as soon as it was read.
    """
    sweep = _Sweep(linear.tape)
    for tracer, ct in zip(linear.outputs, cotangents, strict=True):
        sweep.give(tracer, ct)
    sweep.run(linear.tape.eqns, consume)
    return [None if t is None else sweep.take(t) for t in linear.inputs]


class _Sweep:
    """Cotangents collected so far, by index of the tape's variable."""

    __slots__ = ("_cotangents", "_tape")

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._cotangents: dict[int, Any] = {}

    def give(self, tracer: Any, ct: Any) -> None:
        """Add a cotangent to a value's."""
        if ct is None or type(ct) is Zero or not self._tape.owns(tracer):
            return
        index = tracer.index
        before = self._cotangents.get(index)
        self._cotangents[index] = ct if before is None else add_any(before, ct)

    def take(self, tracer: Any) -> Any:
        ct = self._cotangents.pop(tracer.index, None)
        return Zero(tracer.aval) if ct is None else ct

    def run(self, eqns: list[TapeEqn], consume: bool) -> None:
        stage = bottom_stage(state.trace)
        outer = stage.location if stage is not None else None
        try:
            for eqn in _drain(eqns) if consume else reversed(eqns):
                cts = [self._cotangents.pop(o.index, None) for o in eqn.outs]
                if all(ct is None for ct in cts):
                    continue
                if stage is not None:
                    stage.location = eqn.source
                self._step(eqn, cts)
        finally:
            if stage is not None:
                stage.location = outer

    def _step(self, eqn: TapeEqn, cts: list[Any]) -> None:
        if eqn.primitive is linear_call_p:
            rule = eqn.params["rule"]
            count = rule.residuals
            results = _transpose_call(rule, eqn.args[:count], cts)
            for tracer, ct in zip(eqn.args[count:], results, strict=True):
                self.give(tracer, ct)
            return
        owns = self._tape.owns
        args = [UndefinedPrimal(a.aval) if owns(a) else a for a in eqn.args]
        if eqn.primitive.multiple_results:
            given: Any = [
                Zero(o.aval) if ct is None else ct for o, ct in zip(eqn.outs, cts, strict=True)
            ]
        else:
            given = cts[0]
        results = eqn.primitive.transpose(given, *args, **eqn.params)
        for tracer, ct in zip(eqn.args, results, strict=True):
            self.give(tracer, ct)


def _drain(eqns: list[TapeEqn]) -> Any:
    while eqns:
        yield eqns.pop()


def _transpose_call(rule: LinearRule, residuals: Sequence[Any], cts: list[Any]) -> list[Any]:
    """Run the transposed program of a derived rule; None for cotangents that are zero."""
    nonzero = tuple([ct is not None for ct in cts])
    entry = rule.transposed.get(nonzero)
    if entry is None:
        linear = [False] * rule.residuals + [True] * (len(rule.jaxpr.in_avals) - rule.residuals)
        jaxpr, mask = transpose_jaxpr(rule.jaxpr, linear, nonzero)
        function = program(jaxpr, backend.default().xp)
        entry = rule.transposed[nonzero] = (jaxpr, function, jaxpr.out_avals, mask)
    jaxpr, function, out_avals, mask = entry
    inputs = [*residuals, *[ct for ct in cts if ct is not None]]
    if derive.usable() and all([type(x) is ArrayImpl for x in inputs]):
        outs = derive.run(function, [x._value for x in inputs], out_avals)
    else:
        outs = eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *inputs)
    rest = iter(outs)
    return [next(rest) if m else None for m in mask]


def transpose_jaxpr(
    closed: ClosedJaxpr, linear: Sequence[bool], nonzero: Sequence[bool]
) -> tuple[ClosedJaxpr, list[bool]]:
    """The transpose of a jaxpr that is linear in the inputs marked ``linear``.

    It takes the other inputs, then a cotangent for each result marked ``nonzero``, and
    returns cotangents of the linear inputs that are not symbolically zero; the mask says
    which those are.
    """
    key = ("transpose", tuple(linear), tuple(nonzero))
    return closed.cached(key, lambda: _transpose_jaxpr(closed, linear, nonzero))  # type: ignore[no-any-return]


def _transpose_jaxpr(
    closed: ClosedJaxpr, linear: Sequence[bool], nonzero: Sequence[bool]
) -> tuple[ClosedJaxpr, list[bool]]:
    with fresh(StageTrace()) as base:
        tape = Tape(base)
        args = [
            tape.new(aval) if lin else base.new_input(aval)
            for aval, lin in zip(closed.in_avals, linear, strict=True)
        ]
        cts = [
            base.new_input(_cotangent_aval(aval)) if nz else None
            for aval, nz in zip(closed.out_avals, nonzero, strict=True)
        ]
        with using(tape):
            outs = replay(closed.jaxpr, closed.consts, args, base)
        inputs = [a if lin else None for a, lin in zip(args, linear, strict=True)]
        results = pull_back(LinearMap(tape, inputs, list(outs)), cts, consume=True)
        results = [r for r, lin in zip(results, linear, strict=True) if lin]
        mask = [type(r) is not Zero for r in results]
        return base.close([r for r, m in zip(results, mask, strict=True) if m]), mask


def _cotangent_aval(aval: ShapedArray) -> ShapedArray:
    return aval.strip_weak_type()


def transpose_flat(
    function: Callable[..., Sequence[Any]], avals: Sequence[ShapedArray]
) -> LinearMap:
    """The tape of a function that is linear in all its flat arguments."""
    tape = Tape(state.trace)
    inputs = [tape.new(aval) for aval in avals]
    with fresh(tape):
        outs = function(*inputs)
        return LinearMap(tape, list(inputs), list(outs))
