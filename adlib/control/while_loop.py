"""while_loop: repeat a program while a condition holds; forward mode only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import (
    name_of,
    values_of,
)
from adlib.control.functions import (
    check_same_structure,
    evaluate,
    reordered,
    settle_weak_types,
    trace,
    zero_mask,
)
from adlib.core.avals import ShapedArray, Zero
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.primitive import Absent, define_primitive
from adlib.core.program import Compile, program
from adlib.interpreters.batch import AxisData, at_front, batch_jaxpr
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.linearize import Tape, partial_eval_jaxpr
from adlib.interpreters.stage import stage
from adlib.ops.conversion import convert_element_type
from adlib.ops.reductions import reduce_or
from adlib.ops.reshaping import broadcast_in_dim, instantiate, moveaxis
from adlib.ops.selection import select_n

_REVERSE = (
    "Reverse-mode differentiation does not work for lax.while_loop or lax.fori_loop with "
    "dynamic start/stop values: the reverse sweep needs the values of every round, and how many "
    "rounds there will be is not known. Repair: use lax.scan, or lax.fori_loop with static "
    "start/stop; for an iteration that converges, give its derivative with custom_vjp or "
    "lax.custom_root; forward mode (jvp, jacfwd) works as it is."
)


def _kernel(
    xp: Any,
    cond_jaxpr: ClosedJaxpr,
    body_jaxpr: ClosedJaxpr,
    cond_nconsts: int,
    body_nconsts: int,
    compiled: Compile = program,
) -> Callable[..., Any]:
    condition = compiled(cond_jaxpr, xp)
    body = compiled(body_jaxpr, xp)
    start = cond_nconsts + body_nconsts

    def run(*args: Any) -> Any:
        cond_consts, body_consts = args[:cond_nconsts], args[cond_nconsts:start]
        carry = args[start:]
        del args
        while condition(*cond_consts, *carry)[0]:
            carry = body(*body_consts, *carry)
        return carry

    return run


def _shape(
    *avals: ShapedArray,
    cond_jaxpr: ClosedJaxpr,
    body_jaxpr: ClosedJaxpr,
    cond_nconsts: int,
    body_nconsts: int,
) -> list[ShapedArray]:
    return body_jaxpr.out_avals


def _parts(args: Sequence[Any], cond_nconsts: int, body_nconsts: int) -> tuple[Any, Any, Any]:
    start = cond_nconsts + body_nconsts
    return list(args[:cond_nconsts]), list(args[cond_nconsts:start]), list(args[start:])


def _jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    cond_jaxpr: ClosedJaxpr,
    body_jaxpr: ClosedJaxpr,
    cond_nconsts: int,
    body_nconsts: int,
) -> tuple[list[Any], list[Any]]:
    cond_consts, body_consts, carry = _parts(primals, cond_nconsts, body_nconsts)
    _, const_tangents, carry_tangents = _parts(tangents, cond_nconsts, body_nconsts)
    const_nz, carry_nz = zero_mask(const_tangents), zero_mask(carry_tangents)
    while True:  # a tangent that appears in one round is there in the next
        mask = jvp_jaxpr(body_jaxpr, [*const_nz, *carry_nz], carry_nz)[1]
        wider = [a or b for a, b in zip(carry_nz, mask, strict=True)]
        if wider == carry_nz:
            break
        carry_nz = wider
    pushed, _ = jvp_jaxpr(body_jaxpr, [*const_nz, *carry_nz], carry_nz)
    n, c = body_nconsts, len(carry)
    nt = sum(const_nz)
    total = len(pushed.in_avals)
    # from (consts, carry, const tangents, carry tangents) to (consts, their tangents, carry, …)
    order = [*range(n), *range(n + c, n + c + nt), *range(n, n + c), *range(n + c + nt, total)]
    body = reordered(pushed, "while", order, range(len(pushed.out_avals)))
    carry_avals = body.in_avals[n + nt :]
    condition = reordered(
        cond_jaxpr,
        ("while", tuple(carry_nz)),
        range(cond_nconsts + c),
        [0],
        [*cond_jaxpr.in_avals[:cond_nconsts], *carry_avals],
    )
    given = [instantiate(t) for t, nz in zip(carry_tangents, carry_nz, strict=True) if nz]
    outs = while_p.bind(
        *cond_consts,
        *body_consts,
        *[t for t in const_tangents if type(t) is not Zero],
        *carry,
        *given,
        cond_jaxpr=condition,
        body_jaxpr=body,
        cond_nconsts=cond_nconsts,
        body_nconsts=n + nt,
    )
    rest = iter(outs[c:])
    return outs[:c], [
        next(rest) if nz else Zero.like(o) for o, nz in zip(outs[:c], carry_nz, strict=True)
    ]


def _batch(
    axis: AxisData,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    cond_jaxpr: ClosedJaxpr,
    body_jaxpr: ClosedJaxpr,
    cond_nconsts: int,
    body_nconsts: int,
) -> tuple[list[Any], list[Any]]:
    cond_b, body_b, carry_b = _parts([d is not None for d in dims], cond_nconsts, body_nconsts)
    while True:
        pred_batched = batch_jaxpr(cond_jaxpr, axis, [*cond_b, *carry_b])[1][0]
        if pred_batched:
            carry_b = [True] * len(carry_b)
        mask = batch_jaxpr(body_jaxpr, axis, [*body_b, *carry_b], carry_b)[1]
        if mask == carry_b:
            break
        carry_b = mask
    body, _ = batch_jaxpr(body_jaxpr, axis, [*body_b, *carry_b], carry_b)
    condition, _ = batch_jaxpr(cond_jaxpr, axis, [*cond_b, *carry_b])
    moved = [x if d is None else moveaxis(x, d, 0) for x, d in zip(args, dims, strict=True)]
    cond_consts, body_consts, carry = _parts(moved, cond_nconsts, body_nconsts)
    _, _, carry_dims = _parts(dims, cond_nconsts, body_nconsts)
    carry = [
        at_front(axis, x, 0 if d is not None else None) if b else x
        for x, d, b in zip(carry, carry_dims, carry_b, strict=True)
    ]
    if pred_batched:
        body, condition, body_consts = _masked(
            condition, body, cond_consts, body_consts, cond_nconsts, body_nconsts
        )
        body_nconsts = len(body_consts)
    outs = while_p.bind(
        *cond_consts,
        *body_consts,
        *carry,
        cond_jaxpr=condition,
        body_jaxpr=body,
        cond_nconsts=cond_nconsts,
        body_nconsts=body_nconsts,
    )
    return outs, [0 if b else None for b in carry_b]


def _masked(
    condition: ClosedJaxpr,
    body: ClosedJaxpr,
    cond_consts: list[Any],
    body_consts: list[Any],
    n: int,
    m: int,
) -> tuple[ClosedJaxpr, ClosedJaxpr, list[Any]]:
    """Run while any example goes on; examples that are done keep their values."""

    def masked_body(*args: Any) -> list[Any]:
        pred_consts, consts, carry = args[:n], args[n : n + m], args[n + m :]
        (pred,) = evaluate(condition, *pred_consts, *carry)
        new = evaluate(body, *consts, *carry)
        return [
            select_n(broadcast_in_dim(pred, x.aval.shape, (0,)), old, x)
            for old, x in zip(carry, new, strict=True)
        ]

    def any_goes_on(*args: Any) -> list[Any]:
        (pred,) = evaluate(condition, *args)
        return [reduce_or(pred, (0,))]

    avals = [*condition.in_avals[:n], *body.in_avals]
    return (
        stage(masked_body, avals),
        stage(any_goes_on, condition.in_avals),
        [*cond_consts, *body_consts],
    )


def _partial_eval(
    tape: Tape,
    args: Sequence[Any],
    *,
    cond_jaxpr: ClosedJaxpr,
    body_jaxpr: ClosedJaxpr,
    cond_nconsts: int,
    body_nconsts: int,
) -> list[Any]:
    params = dict(
        cond_jaxpr=cond_jaxpr,
        body_jaxpr=body_jaxpr,
        cond_nconsts=cond_nconsts,
        body_nconsts=body_nconsts,
    )
    cond_unk, body_unk, carry_unk = _parts([tape.owns(a) for a in args], cond_nconsts, body_nconsts)
    while True:
        split = partial_eval_jaxpr(body_jaxpr, [*body_unk, *carry_unk], carry_unk)
        if split.out_unknown == carry_unk:
            break
        carry_unk = split.out_unknown
    pred = partial_eval_jaxpr(cond_jaxpr, [*cond_unk, *carry_unk])
    outs = tape.record(while_p, args, params)
    if pred.out_unknown[0] or all(carry_unk):
        return list(outs)
    # The known part of the carry runs now by itself. The recorded loop runs it again beside
    # the unknown part: keeping every round's values is what a loop of unknown length cannot.
    cond_consts, body_consts, carry = _parts(args, cond_nconsts, body_nconsts)
    known_count = sum(not u for u in carry_unk)
    body = reordered(split.known, "while", range(len(split.known.in_avals)), range(known_count))
    known = while_p.bind(
        *[x for x, u in zip(cond_consts, cond_unk, strict=True) if not u],
        *[x for x, u in zip(body_consts, body_unk, strict=True) if not u],
        *[x for x, u in zip(carry, carry_unk, strict=True) if not u],
        cond_jaxpr=reordered(pred.known, "while", range(len(pred.known.in_avals)), [0]),
        body_jaxpr=body,
        cond_nconsts=sum(not u for u in cond_unk),
        body_nconsts=sum(not u for u in body_unk),
    )
    values = iter(known)
    return [o if u else next(values) for o, u in zip(outs, carry_unk, strict=True)]


while_p = define_primitive(
    "while",
    shape=_shape,
    kernel=_kernel,
    jvp=_jvp,
    transpose=Absent(_REVERSE, ValueError),
    batch=_batch,
    partial_eval=_partial_eval,
    multiple_results=True,
    first_order=False,
)


def while_loop(cond_fun: Callable[..., Any], body_fun: Callable[..., Any], init_val: Any) -> Any:
    """Repeat ``val = body_fun(val)`` while ``cond_fun(val)``, starting at ``init_val``.

    Args:
      cond_fun: function of the carried value that returns a boolean scalar.
      body_fun: function of the carried value that returns one of the same structure and type.
      init_val: initial value, a pytree of arrays.

    Raises:
      TypeError: the condition is no boolean scalar, or the carry changes its type.
      ValueError: on reverse-mode differentiation, which a loop of unknown length does not
        have; use ``scan``, or ``fori_loop`` with static bounds.

    >>> from adlib import lax
    >>> lax.while_loop(lambda x: x < 100, lambda x: x * 3, 1)
    Array(243, dtype=int32, weak_type=True)
    """
    if not (callable(cond_fun) and callable(body_fun)):
        raise TypeError(
            f"lax.while_loop: cond_fun and body_fun arguments should be callable.{here()}"
        )
    carry, in_tree = values_of(init_val, "while_loop")
    args_tree = tree.structure((tree.unflatten(in_tree, [0] * len(carry)),))

    def trace_body(avals: list[ShapedArray]) -> tuple[Any, list[ShapedArray]]:
        traced = trace(body_fun, args_tree, avals, "while_loop")
        check_same_structure(
            "while_loop: body_fun output and input",
            ["the carry", name_of(body_fun)],
            [in_tree, traced[2]],
        )
        return traced, traced[0].out_avals

    (body, body_consts, _), avals = settle_weak_types(
        trace_body, carry, "while_loop", name_of(body_fun)
    )
    condition, cond_consts, _ = trace(cond_fun, args_tree, avals, "while_loop")
    outs = condition.out_avals
    if len(outs) != 1 or outs[0].shape or outs[0].dtype != np.dtype(bool):
        raise TypeError(
            f"cond_fun must return a boolean scalar, but got output type(s) "
            f"{[a.str_short() for a in outs]}.{here()}\n  Repair: compare (x > 0), and reduce "
            "arrays with jnp.any or jnp.all."
        )
    values = [
        convert_element_type(c, a.dtype) if c.aval is not a and c.aval.dtype != a.dtype else c
        for c, a in zip(carry, avals, strict=True)
    ]
    results = while_p.bind(
        *cond_consts,
        *body_consts,
        *values,
        cond_jaxpr=condition,
        body_jaxpr=body,
        cond_nconsts=len(cond_consts),
        body_nconsts=len(body_consts),
    )
    return tree.unflatten(in_tree, results)
