"""Forward mode: every value is pushed forward together with its tangent.

A Jacobian-vector product of a composition is the composition of Jacobian-vector products,
so each primitive needs only its own rule (Griewank & Walther, "Evaluating Derivatives",
chapter 3; Wengert 1964).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.core.array import Array
from adlib.core.avals import Zero
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.primitive import Primitive
from adlib.core.trace import Trace, Tracer, fresh, state, using
from adlib.interpreters import derive
from adlib.interpreters.stage import StageTrace, replay, single_equation
from adlib.ops.reshaping import instantiate


class JVPTracer(Tracer):
    """A primal value with its tangent."""

    __slots__ = ("primal", "tangent")

    def __init__(self, trace: Any, primal: Array, tangent: Array) -> None:
        self._trace = trace
        self.primal = primal
        self.tangent = tangent
        self.aval = primal.aval

    def concrete(self) -> Any:
        primal = self.primal
        return primal.concrete() if isinstance(primal, Tracer) else primal

    def source(self) -> Any:
        return self.primal.source() if isinstance(self.primal, Tracer) else None


class JVPTrace(Trace):
    """Applies jvp rules; values without a tangent pass to the parent untouched."""

    __slots__ = ("eager",)

    def __init__(self, parent: Trace) -> None:
        super().__init__(parent)
        self.eager = derive.eager(parent)

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        primals = []
        tangents: list[Any] = []
        mask, bit = 0, 1
        for a in args:
            if isinstance(a, JVPTracer) and a._trace is self:
                primals.append(a.primal)
                tangents.append(a.tangent)
                mask |= bit
            else:
                primals.append(a)
                tangents.append(None)
            bit <<= 1
        parent = self.parent
        previous = state.trace
        state.trace = parent  # type: ignore[assignment]
        try:
            if not mask:
                return parent.process(primitive, tuple(primals), params)  # type: ignore[union-attr]
            if self.eager and primitive.first_order:
                outs = _run_derived(primitive, primals, tangents, mask, params)
                if outs is not None:
                    return self._wrap(primitive, outs)
            if primitive.inline is None:
                tangents = [
                    Zero.like(p) if t is None else t for p, t in zip(primals, tangents, strict=True)
                ]
                return self._wrap(primitive, primitive.jvp(primals, tangents, **params))
        finally:
            state.trace = previous
        return primitive.inline(*args, **params)

    def _wrap(self, primitive: Primitive, outs: tuple[Any, Any]) -> Any:
        out, tangent = outs
        if primitive.multiple_results:
            return [self.pair(o, t) for o, t in zip(out, tangent, strict=True)]
        return self.pair(out, tangent)

    def pair(self, primal: Any, tangent: Any) -> Any:
        """A tracer, or the primal itself where the tangent is zero."""
        return primal if type(tangent) is Zero else JVPTracer(self, primal, tangent)

    def split(self, value: Any) -> tuple[Any, Any]:
        """(primal, tangent) of any value; the tangent may be a Zero."""
        if isinstance(value, JVPTracer) and value._trace is self:
            return value.primal, value.tangent
        return value, Zero.like(value)


def jvp_flat(
    function: Any, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Push tangents (or Zeros) through a function of flat arguments."""
    with fresh(JVPTrace(state.trace)) as trace:
        outs = function(*[trace.pair(p, t) for p, t in zip(primals, tangents, strict=True)])
        pairs = [trace.split(o) for o in outs]
    return [p for p, _ in pairs], [t for _, t in pairs]


def jvp_jaxpr(
    closed: ClosedJaxpr, nonzero: Sequence[bool], instantiate_outs: bool | Sequence[bool] = False
) -> tuple[ClosedJaxpr, list[bool]]:
    """The pushforward of a jaxpr, as a jaxpr.

    It takes the primals, then a tangent for each True in ``nonzero``, and returns the
    primal results, then the tangents that are not symbolically zero; which those are is
    returned too. ``instantiate_outs`` turns zeros into arrays, for all or for some results.
    """
    wanted = (
        (instantiate_outs,) * len(closed.jaxpr.outvars)
        if isinstance(instantiate_outs, bool)
        else tuple(instantiate_outs)
    )
    key = ("jvp", tuple(nonzero), wanted)
    return closed.cached(key, lambda: _jvp_jaxpr(closed, nonzero, wanted))  # type: ignore[no-any-return]


def _jvp_jaxpr(
    closed: ClosedJaxpr, nonzero: Sequence[bool], wanted: Sequence[bool]
) -> tuple[ClosedJaxpr, list[bool]]:
    with fresh(StageTrace()) as base:
        primals = [base.new_input(aval) for aval in closed.in_avals]
        tangents = [
            base.new_input(aval.to_tangent_aval()) if nz else None
            for aval, nz in zip(closed.in_avals, nonzero, strict=True)
        ]
        with fresh(JVPTrace(base)) as trace:
            args = [
                p if t is None else JVPTracer(trace, p, t)
                for p, t in zip(primals, tangents, strict=True)
            ]
            outs = [trace.split(o) for o in replay(closed.jaxpr, closed.consts, args, base)]
        with using(base):
            out_tangents = [
                instantiate(t) if want else t for (_, t), want in zip(outs, wanted, strict=True)
            ]
        mask = [type(t) is not Zero for t in out_tangents]
        kept = [t for t in out_tangents if type(t) is not Zero]
        return base.close([*[p for p, _ in outs], *kept]), mask


def _run_derived(
    primitive: Primitive, primals: list[Any], tangents: list[Any], mask: int, params: dict[str, Any]
) -> tuple[Any, Any] | None:
    """Apply the pushforward derived from the rule; None where there is none yet."""
    avals = tuple([p.aval for p in primals])

    def make() -> derive.Derived:
        nonzero = [bool(mask >> i & 1) for i in range(len(avals))]
        return derive.Derived(*jvp_jaxpr(single_equation(primitive, avals, params), nonzero))

    key = ("jvp", mask, avals, *params.items()) if params else ("jvp", mask, avals)
    derived = derive.lookup(primitive, key, make)
    if derived is None:
        return None
    outs = derived([*primals, *[t for t in tangents if t is not None]])
    out_mask = derived.info
    count = len(out_mask)
    if not primitive.multiple_results:
        return outs[0], outs[1] if out_mask[0] else Zero.like(outs[0])
    rest = iter(outs[count:])
    return outs[:count], [
        next(rest) if nz else Zero.like(o) for nz, o in zip(out_mask, outs[:count], strict=True)
    ]
