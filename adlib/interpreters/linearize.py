"""Linearization: run the primal part now, write the linear part on a tape.

A program is pushed forward with tangents that are *unknown*: whatever depends on them alone
is linear and goes to the tape, everything else is computed. That is partial evaluation of
the jvp; reverse mode reads the tape backwards (transpose.py). Frostig et al., "Decomposing
reverse-mode automatic differentiation", 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.base.source import SourceLocation, user_location
from adlib.core import dtypes, quiet
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray, Zero
from adlib.core.evaluate import EvalTrace
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Literal, Var, eval_jaxpr
from adlib.core.primitive import Primitive
from adlib.core.program import program
from adlib.core.trace import Trace, Tracer, fresh, state, using
from adlib.interpreters import derive
from adlib.interpreters.jvp import JVPTrace, JVPTracer, jvp_jaxpr
from adlib.interpreters.stage import StageTrace, replay, single_equation
from adlib.ops.reshaping import instantiate

# ----------------------------------------------------------------------- tape


class LinearTracer(Tracer):
    """An unknown value: a variable of the tape."""

    __slots__ = ("index", "location")

    def __init__(self, trace: Tape, aval: ShapedArray, index: int) -> None:
        self._trace = trace
        self.aval = aval
        self.index = index

    def source(self) -> SourceLocation | None:
        return None


class TapeEqn:
    """One recorded operation; ``args`` mixes LinearTracers and known values (residuals)."""

    __slots__ = ("args", "outs", "params", "primitive", "source")

    def __init__(
        self,
        primitive: Primitive,
        args: Sequence[Any],
        outs: list[LinearTracer],
        params: dict[str, Any],
        source: SourceLocation | None,
    ) -> None:
        self.primitive = primitive
        self.args = args
        self.outs = outs
        self.params = params
        self.source = source


# What eager linearization puts on the tape instead of an equation: (rule, residuals as bare
# ndarrays, indices of inputs, indices of outputs). ``as_eqn`` spells it out.
TapeCall = tuple[Any, Any, list[int], Sequence[int]]


def as_eqn(tape: Tape, entry: TapeEqn | TapeCall) -> TapeEqn:
    """An entry of the tape as an equation."""
    if type(entry) is TapeEqn:
        return entry
    rule, residuals, inputs, outs = entry  # type: ignore[misc]
    avals = rule.jaxpr.in_avals
    boxed = [ArrayImpl(r, a) for r, a in zip(residuals, avals, strict=False)]
    ins = [LinearTracer(tape, a, i) for i, a in zip(inputs, avals[len(boxed) :], strict=True)]
    made = [LinearTracer(tape, a, i) for i, a in zip(outs, rule.out_avals, strict=True)]
    return TapeEqn(linear_call_p, [*boxed, *ins], made, {"rule": rule}, None)


class Tape(Trace):
    """The partial evaluator: known operations pass to the parent, unknown ones are recorded."""

    __slots__ = ("count", "eqns")

    def __init__(self, parent: Trace | None) -> None:
        super().__init__(parent)
        self.eqns: list[TapeEqn | TapeCall] = []
        self.count = 0

    def new(self, aval: ShapedArray) -> LinearTracer:
        tracer = LinearTracer(self, aval, self.count)
        self.count += 1
        return tracer

    def owns(self, value: Any) -> bool:
        return type(value) is LinearTracer and value._trace is self

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        for a in args:
            if type(a) is LinearTracer and a._trace is self:
                break
        else:
            with using(self.parent):  # type: ignore[arg-type]
                return self.parent.process(primitive, args, params)  # type: ignore[union-attr]
        if primitive.inline is not None:
            return primitive.inline(*args, **params)
        if primitive.partial_eval is not None:
            with using(self.parent):  # type: ignore[arg-type]
                return primitive.partial_eval(self, args, **params)
        outs = self.record(primitive, args, params)
        return outs if primitive.multiple_results else outs[0]

    def record(
        self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]
    ) -> list[LinearTracer]:
        """Append an operation whose result is unknown."""
        avals = primitive.abstract([a.aval for a in args], params)
        outs = [self.new(aval) for aval in avals]
        self.eqns.append(TapeEqn(primitive, args, outs, params, _location(self)))
        return outs


def _location(trace: Trace) -> SourceLocation | None:
    stage = bottom_stage(trace)
    if stage is not None and stage.location is not None:
        return stage.location
    return user_location(3)


def bottom_stage(trace: Trace | None) -> StageTrace | None:
    """The stage below a chain of traces, if they end in one."""
    while trace is not None and not isinstance(trace, StageTrace):
        trace = trace.parent
    return trace


# -------------------------------------------------------------- linear calls


class LinearRule:
    """A primitive's pushforward in two parts, derived from its rule.

    Attributes:
      known: program of the primals that returns the results and then ``residuals`` values.
      count: number of results.
      out_mask: which results have a tangent.
      jaxpr: the linear part: takes residuals, then tangents, and returns output tangents;
        None where no result has one.
      transposed: programs of the transposed linear part, by which cotangents are given.
    """

    __slots__ = (
        "count",
        "jaxpr",
        "known",
        "out_avals",
        "out_mask",
        "residuals",
        "single",
        "transposed",
    )

    def __init__(self, split: Split, count: int, out_mask: list[bool]) -> None:
        self.known = derive.Derived(split.known)
        self.count = count
        self.out_mask = out_mask
        self.single = count == 1 and out_mask[0]
        self.residuals = split.residuals
        self.jaxpr: Any = split.unknown if any(out_mask) else None
        self.out_avals = split.unknown.out_avals
        self.transposed: dict[Any, Any] = {}


linear_call_p = Primitive("linear_call", multiple_results=True)
linear_call_p.shape_rule = lambda *avals, rule: rule.jaxpr.out_avals
linear_call_p.kernel_rule = lambda xp, rule: program(rule.jaxpr, xp)
linear_call_p.inline = lambda *args, rule: eval_jaxpr(rule.jaxpr.jaxpr, rule.jaxpr.consts, *args)


# ------------------------------------------------------------------ linearize


class LinearizeTrace(JVPTrace):
    """Forward mode whose tangents live on a tape.

    Its parent is the tape and the tape's parent the interpreter that computes primals.
    """

    __slots__ = ()
    parent: Tape

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if self.eager and primitive.first_order:
            out = self._run_derived(primitive, args, params)
            if out is not None:
                return out
        elif primitive.inline is not None:
            return primitive.inline(*args, **params)
        # the rule itself, pushed onto the tape
        eager, self.eager = self.eager, False
        try:
            return JVPTrace.process(self, primitive, args, params)
        finally:
            self.eager = eager

    def _run_derived(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        """One program and one entry on the tape for the whole rule; None where there is none."""
        primals: list[Any] = []
        tangents: list[Any] = []
        mask, bit = 0, 1
        for a in args:
            if isinstance(a, JVPTracer) and a._trace is self:
                t = a.tangent
                if type(t) is not LinearTracer:
                    return None
                tangents.append(t)
                mask |= bit
                a = a.primal
            primals.append(a)
            bit <<= 1
        tape = self.parent
        below = tape.parent
        with using(below):  # type: ignore[arg-type]
            if not mask:
                return below.process(primitive, tuple(primals), params)  # type: ignore[union-attr]
            rule = linear_rule(primitive, mask, tuple([p.aval for p in primals]), params)
            if rule is None:
                return None
            outs = rule.known(primals)
        outs, residuals = outs[: rule.count], outs[rule.count :]
        if rule.jaxpr is None:
            return outs if primitive.multiple_results else outs[0]
        lin_outs = [tape.new(aval) for aval in rule.out_avals]
        tape.eqns.append(
            TapeEqn(linear_call_p, [*residuals, *tangents], lin_outs, {"rule": rule}, None)
        )
        rest = iter(lin_outs)
        pairs = [
            JVPTracer(self, o, next(rest)) if m else o
            for o, m in zip(outs, rule.out_mask, strict=True)
        ]
        return pairs if primitive.multiple_results else pairs[0]


class DirectTracer(JVPTracer):
    """A primal value and its tangent's index on the tape, in the barest form."""

    __slots__ = ("index", "value")

    def __init__(self, trace: Any, aval: ShapedArray, value: Any, index: int) -> None:
        self._trace = trace
        self.aval = aval
        self.value = value
        self.index = index

    @property
    def primal(self) -> ArrayImpl:  # type: ignore[override]
        return ArrayImpl(self.value, self.aval)

    @property
    def tangent(self) -> LinearTracer:  # type: ignore[override]
        return LinearTracer(self._trace.parent, self.aval.to_tangent_aval(), self.index)


class DirectTrace(LinearizeTrace):
    """Linearization right above the evaluator: the path whose microseconds users feel.

    An operation is one look-up, one call of a program on bare ndarrays, and one tuple on the
    tape. Everything that is out of the ordinary goes the general way.
    """

    __slots__ = ()

    def _run_derived(
        self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]
    ) -> Any:
        values: list[Any] = []
        key: Any = []
        inputs: list[int] = []
        mask, bit = 0, 1
        for a in args:
            if type(a) is DirectTracer and a._trace is self:
                mask |= bit
                inputs.append(a.index)
                values.append(a.value)
            elif type(a) is ArrayImpl:
                values.append(a._value)
            else:
                return LinearizeTrace._run_derived(self, primitive, args, params)
            key.append(a.aval)
            bit <<= 1
        if not mask:
            return LinearizeTrace._run_derived(self, primitive, args, params)
        rule = linear_rule(primitive, mask, tuple(key), params)
        if rule is None:
            return None
        known = rule.known
        token = quiet.enter()
        try:
            outs = known.function(*values)
        finally:
            quiet.leave(token)
        tape = self.parent
        index = tape.count
        if rule.single:
            tape.count = index + 1
            tape.eqns.append((rule, outs[1:], inputs, (index,)))
            result = DirectTracer(self, known.avals[0], outs[0], index)
            return [result] if primitive.multiple_results else result
        results: list[Any] = []
        for value, aval, has_tangent in zip(outs, known.avals, rule.out_mask, strict=False):
            if has_tangent:
                results.append(DirectTracer(self, aval, value, tape.count))
                tape.count += 1
            else:
                results.append(ArrayImpl(value, aval))
        if tape.count > index:
            tape.eqns.append((rule, outs[rule.count :], inputs, range(index, tape.count)))
        return results if primitive.multiple_results else results[0]


def linear_rule(
    primitive: Primitive, mask: int, avals: tuple[ShapedArray, ...], params: dict[str, Any]
) -> LinearRule | None:
    """The rule derived for these types and active arguments; None at first sight."""
    key = ("linearize", mask, avals, *params.items()) if params else ("linearize", mask, avals)
    try:
        rule = primitive.derived.get(key)
    except TypeError:  # a parameter that cannot be hashed
        return None
    if rule is not None:
        return rule  # type: ignore[no-any-return]
    return derive.lookup(  # type: ignore[no-any-return]
        primitive, key, lambda: _linearized_rule(primitive, avals, mask, params)
    )


def _linearized_rule(primitive: Primitive, avals: Any, active: int, params: Any) -> LinearRule:
    nonzero = [bool(active >> i & 1) for i in range(len(avals))]
    pushed, mask = jvp_jaxpr(single_equation(primitive, avals, params), nonzero)
    unknown = [False] * len(avals) + [True] * sum(nonzero)
    count = len(mask)
    split = partial_eval_jaxpr(pushed, unknown, [False] * count + [True] * sum(mask))
    return LinearRule(split, count, mask)


class LinearMap:
    """The derivative of a function at a point, as a tape: apply it, transpose it, print it.

    Attributes:
      inputs: for each argument its LinearTracer, or None where its tangent is zero.
      outputs: for each result a LinearTracer, a known tangent, or a Zero.
    """

    __slots__ = ("inputs", "outputs", "tape")

    def __init__(self, tape: Tape, inputs: list[Any], outputs: list[Any]) -> None:
        self.tape = tape
        self.inputs = inputs
        self.outputs = outputs

    def apply(self, tangents: Sequence[Any]) -> list[Any]:
        """Output tangents for the tangents of the arguments that have one."""
        env: dict[int, Any] = {}
        given = iter(tangents)
        for tracer in self.inputs:
            if tracer is not None:
                env[tracer.index] = next(given)
        owns = self.tape.owns
        for entry in self.tape.eqns:
            eqn = as_eqn(self.tape, entry)
            args = [env[a.index] if owns(a) else a for a in eqn.args]
            out = eqn.primitive.bind(*args, **eqn.params)
            for tracer, value in zip(
                eqn.outs, out if eqn.primitive.multiple_results else [out], strict=True
            ):
                env[tracer.index] = value
        return [env[o.index] if owns(o) else instantiate(o) for o in self.outputs]

    def separated(self) -> tuple[LinearMap, list[Any]]:
        """The map with places in its residuals' stead, and the residuals."""
        residuals: list[Any] = []

        def place(value: Any) -> Any:
            residuals.append(value)
            return _place

        return self._rebuilt(place), residuals

    def with_residuals(self, residuals: Sequence[Any]) -> LinearMap:
        """The inverse of ``separated``."""
        values = iter(residuals)
        return self._rebuilt(lambda _: next(values))

    def _rebuilt(self, residual: Callable[[Any], Any]) -> LinearMap:
        """A copy on a tape of its own, each residual replaced."""
        tape = Tape(None)
        tape.count = self.tape.count
        tape.alive = False
        owns = self.tape.owns

        def moved(x: Any) -> Any:
            if owns(x):
                return LinearTracer(tape, x.aval, x.index)
            return x if x is None or type(x) is Zero else residual(x)

        for entry in self.tape.eqns:
            e = as_eqn(self.tape, entry)
            args, outs = [moved(a) for a in e.args], [moved(o) for o in e.outs]
            tape.eqns.append(TapeEqn(e.primitive, args, outs, e.params, e.source))
        return LinearMap(tape, [moved(x) for x in self.inputs], [moved(o) for o in self.outputs])


_place = object()


def linearize_flat(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any]
) -> tuple[list[Any], LinearMap]:
    """Results of a function of flat arguments, and its derivative there."""
    tape = Tape(state.trace)
    inputs = [
        tape.new(p.aval.to_tangent_aval()) if dtypes.is_inexact(p.aval.dtype) else None
        for p in primals
    ]
    try:
        direct = type(tape.parent) is EvalTrace and derive.bare()
        with fresh(DirectTrace(tape) if direct else LinearizeTrace(tape)) as trace:
            args = [_start(trace, p, t, direct) for p, t in zip(primals, inputs, strict=True)]
            pairs = [trace.split(o) for o in function(*args)]
            del args
    finally:
        tape.alive = False
    return [p for p, _ in pairs], LinearMap(tape, inputs, [t for _, t in pairs])


def _start(trace: LinearizeTrace, primal: Any, tangent: Any, direct: bool) -> Any:
    """An argument with its unknown tangent."""
    if tangent is None:
        return primal
    if direct and type(primal) is ArrayImpl:
        return DirectTracer(trace, primal.aval, primal._value, tangent.index)
    return JVPTracer(trace, primal, tangent)


# --------------------------------------------------------- partial evaluation


class Split:
    """A jaxpr in two parts: ``known`` returns known results and then residuals; ``unknown``
    takes residuals and then the unknown inputs and returns the unknown results.

    Attributes:
      known, unknown: ClosedJaxpr.
      residuals: number of residuals.
      out_unknown: for each result of the whole whether it is unknown.
    """

    __slots__ = ("known", "out_unknown", "residuals", "unknown")

    def __init__(
        self, known: ClosedJaxpr, unknown: ClosedJaxpr, residuals: int, out_unknown: list[bool]
    ) -> None:
        self.known = known
        self.unknown = unknown
        self.residuals = residuals
        self.out_unknown = out_unknown


def partial_eval_jaxpr(
    closed: ClosedJaxpr, unknown: Sequence[bool], force_unknown: bool | Sequence[bool] = False
) -> Split:
    """Split a jaxpr by which inputs are known; ``force_unknown`` moves results over."""
    forced = (
        (force_unknown,) * len(closed.jaxpr.outvars)
        if isinstance(force_unknown, bool)
        else tuple(force_unknown)
    )
    key = ("partial_eval", tuple(unknown), forced)
    return closed.cached(key, lambda: _partial_eval_jaxpr(closed, unknown, forced))  # type: ignore[no-any-return]


def _partial_eval_jaxpr(
    closed: ClosedJaxpr, unknown: Sequence[bool], forced: Sequence[bool]
) -> Split:
    with fresh(StageTrace()) as base:
        tape = Tape(base)
        args = [
            tape.new(aval) if unk else base.new_input(aval)
            for aval, unk in zip(closed.in_avals, unknown, strict=True)
        ]
        with using(tape):
            outs = replay(closed.jaxpr, closed.consts, args, base)
        out_unknown = [tape.owns(o) or f for o, f in zip(outs, forced, strict=True)]
        lin_inputs = [a for a in args if tape.owns(a)]
        lin_outs = [o for o, unk in zip(outs, out_unknown, strict=True) if unk]
        jaxpr, residuals = tape_jaxpr(tape, lin_inputs, lin_outs)
        known_outs = [o for o, unk in zip(outs, out_unknown, strict=True) if not unk]
        known = base.close([*known_outs, *residuals])
    return Split(known, jaxpr, len(residuals), out_unknown)


def tape_jaxpr(
    tape: Tape, inputs: Sequence[LinearTracer], outs: Sequence[Any]
) -> tuple[ClosedJaxpr, list[Any]]:
    """What a tape holds as a jaxpr of (residuals, inputs), with the residuals' values.

    Scalars and concrete arrays are constants; every other known value is a residual.
    """
    env: dict[int, Var] = {t.index: Var(t.aval) for t in inputs}
    residual_vars: dict[Any, Var] = {}
    residuals: list[Any] = []
    constvars: dict[int, Var] = {}
    constants: list[Any] = []

    def atom(value: Any) -> Atom:
        if tape.owns(value):
            return env[value.index]
        if type(value) is ArrayImpl:
            if not value.aval.shape:
                return Literal(value)
            if id(value) not in constvars:
                constvars[id(value)] = Var(value.aval)
                constants.append(value)
            return constvars[id(value)]
        key = getattr(value, "binding", None) or id(value)
        if key not in residual_vars:
            residual_vars[key] = Var(value.aval)
            residuals.append(value)
        return residual_vars[key]

    eqns = []
    for eqn in _needed(tape, outs):
        atoms = [atom(a) for a in eqn.args]
        outvars = [Var(o.aval) for o in eqn.outs]
        env.update(zip([o.index for o in eqn.outs], outvars, strict=True))
        eqns.append(Eqn(eqn.primitive, atoms, outvars, eqn.params, eqn.source))
    out_atoms = [atom(instantiate(o)) for o in outs]
    invars = [*residual_vars.values(), *[env[t.index] for t in inputs]]
    return ClosedJaxpr(
        Jaxpr(list(constvars.values()), invars, out_atoms, eqns), constants
    ), residuals


def _needed(tape: Tape, outs: Sequence[Any]) -> list[TapeEqn]:
    """The recorded operations on which ``outs`` depend."""
    wanted = {o.index for o in outs if tape.owns(o)}
    kept = []
    for entry in reversed(tape.eqns):
        eqn = as_eqn(tape, entry)
        if eqn.primitive.effect or any(o.index in wanted for o in eqn.outs):
            kept.append(eqn)
            wanted.update(a.index for a in eqn.args if tape.owns(a))
    return kept[::-1]
