"""The ``jit`` primitive: a program called as one operation.

It stays one equation in jaxprs; transforming it transforms the program inside, once for
each way of transforming it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero
from adlib.core.jaxpr import ClosedJaxpr, Jaxpr, jaxpr_as_fun
from adlib.core.primitive import define_primitive
from adlib.core.program import Program, program
from adlib.core.trace import Tracer
from adlib.interpreters.batch import batch_jaxpr
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.linearize import Tape, partial_eval_jaxpr
from adlib.interpreters.transpose import transpose_jaxpr
from adlib.ops.reshaping import moveaxis


def hoist_tracers(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, list[Any]]:
    """Constants that are tracers become leading inputs: only arrays may be baked in."""
    traced = [isinstance(c, Tracer) for c in closed.consts]
    if not any(traced):
        return closed, []
    jaxpr = closed.jaxpr
    pairs = list(zip(jaxpr.constvars, closed.consts, traced, strict=True))
    hoisted = Jaxpr(
        [v for v, _, t in pairs if not t],
        [*[v for v, _, t in pairs if t], *jaxpr.invars],
        jaxpr.outvars,
        jaxpr.eqns,
    )
    return ClosedJaxpr(hoisted, [c for _, c, t in pairs if not t]), [c for _, c, t in pairs if t]


def _shape(*avals: ShapedArray, jaxpr: ClosedJaxpr, name: str) -> list[ShapedArray]:
    return jaxpr.out_avals


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: ClosedJaxpr, name: str
) -> tuple[list[Any], list[Any]]:
    nonzero = [type(t) is not Zero for t in tangents]
    pushed, mask = jvp_jaxpr(jaxpr, nonzero)
    given = [t for t in tangents if type(t) is not Zero]
    outs = jit_p.bind(*primals, *given, jaxpr=pushed, name=name)
    count = len(mask)
    rest = iter(outs[count:])
    return outs[:count], [
        next(rest) if m else Zero.like(o) for o, m in zip(outs[:count], mask, strict=True)
    ]


def _batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, jaxpr: ClosedJaxpr, name: str
) -> tuple[list[Any], list[Any]]:
    batched, mask = batch_jaxpr(jaxpr, axis, [d is not None for d in dims])
    moved = [x if d is None else moveaxis(x, d, 0) for x, d in zip(args, dims, strict=True)]
    outs = jit_p.bind(*moved, jaxpr=batched, name=name)
    return outs, [0 if m else None for m in mask]


def _partial_eval(tape: Tape, args: Sequence[Any], *, jaxpr: ClosedJaxpr, name: str) -> list[Any]:
    unknown = [tape.owns(a) for a in args]
    split = partial_eval_jaxpr(jaxpr, unknown)
    known_args = [a for a, u in zip(args, unknown, strict=True) if not u]
    outs = jit_p.bind(*known_args, jaxpr=split.known, name=name)
    count = len(outs) - split.residuals
    inputs = [*outs[count:], *[a for a, u in zip(args, unknown, strict=True) if u]]
    unknown_outs = iter(tape.record(jit_p, inputs, {"jaxpr": split.unknown, "name": name}))
    known_outs = iter(outs[:count])
    return [next(unknown_outs) if u else next(known_outs) for u in split.out_unknown]


def _transpose(cts: Sequence[Any], *args: Any, jaxpr: ClosedJaxpr, name: str) -> list[Any]:
    linear = [type(a) is UndefinedPrimal for a in args]
    nonzero = [type(ct) is not Zero for ct in cts]
    transposed, mask = transpose_jaxpr(jaxpr, linear, nonzero)
    known = [a for a in args if type(a) is not UndefinedPrimal]
    given = [ct for ct in cts if type(ct) is not Zero]
    outs = iter(jit_p.bind(*known, *given, jaxpr=transposed, name=name))
    flags = iter(mask)
    return [next(outs) if lin and next(flags) else None for lin in linear]


# What runs a program. The compiler stands on a floor above, and puts itself here.
executor: list[Callable[[ClosedJaxpr, Any], Program]] = [program]

jit_p = define_primitive(
    "jit",
    shape=_shape,
    kernel=lambda xp, jaxpr, name: executor[0](jaxpr, xp),
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    partial_eval=_partial_eval,
    unfold=lambda *args, jaxpr, name: jaxpr_as_fun(jaxpr)(*args),
    multiple_results=True,
    first_order=False,
)
