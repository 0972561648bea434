"""Transposition: read a linear program backwards.

A linear map's transpose takes cotangents of results to cotangents of arguments. On a tape
that is one sweep from the end: each operation's rule hands cotangents to its arguments, and
where a value fans out its cotangents add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.core import quiet
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero
from adlib.core.evaluate import EvalTrace
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.trace import fresh, state, using
from adlib.interpreters import derive
from adlib.interpreters.linearize import (
    LinearMap,
    LinearRule,
    Tape,
    TapeEqn,
    as_eqn,
    bottom_stage,
    linear_call_p,
)
from adlib.interpreters.stage import StageTrace, replay
from adlib.ops.constructors import add_any
from adlib.ops.conversion import convert


def pull_back(linear: LinearMap, cotangents: Sequence[Any], consume: bool = False) -> list[Any]:
    """Cotangents of the arguments (None where an argument has no tangent; Zero where zero).

    With ``consume`` the tape is used up: each residual is freed as soon as it was read.
    """
    eager = (
        type(state.trace) is EvalTrace
        and derive.usable()
        and (derive.bare() or any([type(entry) is tuple for entry in linear.tape.eqns]))
        and all([type(ct) is ArrayImpl or ct is None or type(ct) is Zero for ct in cotangents])
    )
    sweep = _EagerSweep(linear.tape) if eager else _Sweep(linear.tape)
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

    def run(self, entries: list[Any], consume: bool) -> None:
        stage = bottom_stage(state.trace)
        outer = stage.location if stage is not None else None
        try:
            for entry in _drain(entries) if consume else reversed(entries):
                eqn = as_eqn(self._tape, entry)
                cts = [self._cotangents.pop(o.index, None) for o in eqn.outs]
                if all([ct is None for ct in cts]):
                    continue
                if stage is not None:
                    stage.location = eqn.source
                self.step(eqn, cts)
        finally:
            if stage is not None:
                stage.location = outer

    def step(self, eqn: TapeEqn, cts: list[Any]) -> None:
        """Hand an equation's cotangents to its arguments."""
        if eqn.primitive is linear_call_p:
            rule = eqn.params["rule"]
            count = rule.residuals
            derived = _transposed_rule(rule, tuple([None if ct is None else ct.aval for ct in cts]))
            outs = iter(derived([*eqn.args[:count], *[ct for ct in cts if ct is not None]]))
            results: Any = [next(outs) if m else None for m in derived.info]
            for tracer, ct in zip(eqn.args[count:], results, strict=True):
                self.give(tracer, ct)
            return
        owns = self._tape.owns
        args = [UndefinedPrimal(a.aval) if owns(a) else a for a in eqn.args]
        if eqn.primitive.multiple_results:
            given = [
                Zero(o.aval) if ct is None else ct for o, ct in zip(eqn.outs, cts, strict=True)
            ]
            results = eqn.primitive.transpose(given, *args, **eqn.params)
        else:
            results = eqn.primitive.transpose(cts[0], *args, **eqn.params)
        for tracer, ct in zip(eqn.args, results, strict=True):
            self.give(tracer, ct)


class _EagerSweep(_Sweep):
    """The sweep on concrete values: pairs of bare ndarray and type between derived programs."""

    __slots__ = ("_pairs",)

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self._pairs: list[Any] = [None] * tape.count

    def give(self, tracer: Any, ct: Any) -> None:
        if ct is None or type(ct) is Zero or not self._tape.owns(tracer):
            return
        token = quiet.enter()
        try:
            self._add(tracer.index, ct._value, ct.aval)
        finally:
            quiet.leave(token)

    def _add(self, index: int, value: Any, aval: ShapedArray) -> None:
        before = self._pairs[index]
        if before is not None:
            value = before[0] + value
            aval = aval if before[1].weak_type else before[1]
        self._pairs[index] = (value, aval)

    def take(self, tracer: Any) -> Any:
        found = self._pairs[tracer.index]
        return Zero(tracer.aval) if found is None else ArrayImpl(*found)

    def _pop(self, index: int) -> Any:
        found = self._pairs[index]
        self._pairs[index] = None
        return found

    def run(self, entries: list[Any], consume: bool) -> None:
        pairs = self._pairs
        token = quiet.enter()
        try:
            for entry in _drain(entries) if consume else reversed(entries):
                if type(entry) is not tuple:
                    quiet.leave(token)  # its rule may be the user's: warnings as they are there
                    try:
                        self._general(entry)
                    finally:
                        token = quiet.enter()
                    continue
                rule, residuals, inputs, outs = entry
                if not rule.single:
                    self._several(rule, residuals, inputs, outs)
                    continue
                index = outs[0]
                found = pairs[index]
                if found is None:
                    continue
                pairs[index] = None
                ct, aval = found
                derived = rule.transposed.get(aval)
                if derived is None:
                    derived = _transposed_rule(rule, (aval,))
                results = derived.function(*residuals, ct)
                if derived.places is None:
                    place = inputs[0]
                    before = pairs[place]
                    if before is None:
                        pairs[place] = (results[0], derived.avals[0])
                    else:
                        self._add(place, results[0], derived.avals[0])
                    continue
                for place, value, kind in zip(derived.places, results, derived.avals, strict=True):
                    self._add(inputs[place], value, kind)
        finally:
            quiet.leave(token)

    def _general(self, entry: TapeEqn) -> None:
        """An entry recorded by a rule itself, or within another transformation."""
        cts = [self._pop(o.index) for o in entry.outs]
        if any([ct is not None for ct in cts]):
            boxed = [None if ct is None else ArrayImpl(*ct) for ct in cts]
            del cts
            self.step(entry, boxed)

    def _several(self, rule: LinearRule, residuals: Any, inputs: Any, outs: Any) -> None:
        """A derived entry with several results."""
        cts = [self._pop(index) for index in outs]
        given = [ct[0] for ct in cts if ct is not None]
        if not given:
            return
        avals = tuple([None if ct is None else ct[1] for ct in cts])
        derived = rule.transposed.get(avals) or _transposed_rule(rule, avals)
        results = derived.function(*residuals, *given)
        places = derived.places if derived.places is not None else (0,)
        for place, value, kind in zip(places, results, derived.avals, strict=True):
            self._add(inputs[place], value, kind)


def _drain(entries: list[Any]) -> Any:
    while entries:
        yield entries.pop()


def _transposed_rule(
    rule: LinearRule, cotangents: tuple[ShapedArray | None, ...]
) -> derive.Derived:
    """A derived rule's transpose for cotangents of these types (None for zero).

    Its info is the mask of inputs that get a cotangent.
    """
    key = cotangents[0] if len(cotangents) == 1 else cotangents
    found = rule.transposed.get(key)
    if found is None:
        linear = [False] * rule.residuals + [True] * (len(rule.jaxpr.in_avals) - rule.residuals)
        found = derive.Derived(*_transpose_jaxpr(rule.jaxpr, linear, cotangents))
        # which inputs the results belong to; None for the commonest case, the only one
        if len(found.info) > 1 or not found.info[0]:
            found.places = [i for i, m in enumerate(found.info) if m]
        rule.transposed[key] = found
    return found


def transpose_jaxpr(
    closed: ClosedJaxpr, linear: Sequence[bool], nonzero: Sequence[bool]
) -> tuple[ClosedJaxpr, list[bool]]:
    """The transpose of a jaxpr that is linear in the inputs marked ``linear``.

    It takes the other inputs, then a cotangent for each result marked ``nonzero``, and
    returns cotangents of the linear inputs that are not symbolically zero; the mask says
    which those are. Cotangents have the types of what they belong to, weak types as well.
    """
    cotangents = [aval if nz else None for aval, nz in zip(closed.out_avals, nonzero, strict=True)]
    key = ("transpose", tuple(linear), tuple(nonzero))
    return closed.cached(key, lambda: _transpose_jaxpr(closed, linear, cotangents, True))  # type: ignore[no-any-return]


def _transpose_jaxpr(
    closed: ClosedJaxpr,
    linear: Sequence[bool],
    cotangents: Sequence[ShapedArray | None],
    settle: bool = False,
) -> tuple[ClosedJaxpr, list[bool]]:
    with fresh(StageTrace()) as base:
        tape = Tape(base)
        args = [
            tape.new(aval) if lin else base.new_input(aval)
            for aval, lin in zip(closed.in_avals, linear, strict=True)
        ]
        cts = [None if aval is None else base.new_input(aval) for aval in cotangents]
        with using(tape):
            outs = replay(closed.jaxpr, closed.consts, args, base)
        inputs = [a if lin else None for a, lin in zip(args, linear, strict=True)]
        results = pull_back(LinearMap(tape, inputs, list(outs)), cts, consume=True)
        if settle:
            with using(base):
                results = [_settled(r, a) for r, a in zip(results, closed.in_avals, strict=True)]
        results = [r for r, lin in zip(results, linear, strict=True) if lin]
        mask = [type(r) is not Zero for r in results]
        return base.close([r for r, m in zip(results, mask, strict=True) if m]), mask


def _settled(ct: Any, aval: ShapedArray) -> Any:
    """A cotangent with its value's weak type: loops need types that repeat."""
    return ct if ct is None or type(ct) is Zero else convert(ct, ct.aval.dtype, aval.weak_type)


def transpose_flat(
    function: Callable[..., Sequence[Any]], avals: Sequence[ShapedArray]
) -> LinearMap:
    """The tape of a function that is linear in all its flat arguments."""
    tape = Tape(state.trace)
    inputs = [tape.new(aval) for aval in avals]
    with fresh(tape):
        outs = function(*inputs)
        return LinearMap(tape, list(inputs), list(outs))
