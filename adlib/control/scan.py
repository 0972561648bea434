"""scan: a program repeated along an axis, carrying a value; differentiable in both modes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.control.functions import evaluate, reordered, zero_mask
from adlib.core import avals as avals_module
from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero
from adlib.core.jaxpr import ClosedJaxpr, Var
from adlib.core.primitive import define_primitive
from adlib.core.program import Compile, program
from adlib.interpreters.batch import AxisData, at_front, batch_jaxpr
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.linearize import Split, Tape, partial_eval_jaxpr
from adlib.interpreters.stage import stage
from adlib.interpreters.transpose import transpose_jaxpr
from adlib.ops.constructors import add_any
from adlib.ops.reshaping import instantiate, moveaxis


def _kernel(
    xp: Any,
    jaxpr: ClosedJaxpr,
    length: int,
    reverse: bool,
    num_consts: int,
    num_carry: int,
    unroll: int,
    compiled: Compile = program,
) -> Callable[..., Any]:
    body = compiled(jaxpr, xp)
    start = num_consts + num_carry
    y_avals = jaxpr.out_avals[num_carry:]
    order = range(length - 1, -1, -1) if reverse else range(length)

    def run(*args: Any) -> Any:
        consts, carry, xs = args[:num_consts], args[num_consts:start], args[start:]
        del args
        ys = [xp.empty((length, *a.shape), avals_module.physical_dtype(a)) for a in y_avals]
        for i in order:
            outs = body(*consts, *carry, *[x[i] for x in xs])
            carry = outs[:num_carry]
            for y, out in zip(ys, outs[num_carry:], strict=True):
                y[i] = out
        return [*carry, *ys]

    return run


def _shape(
    *avals: ShapedArray, jaxpr: ClosedJaxpr, length: int, num_carry: int, **_: Any
) -> list[ShapedArray]:
    outs = jaxpr.out_avals
    stacked = [a.update(shape=(length, *a.shape)) for a in outs[num_carry:]]
    return [*outs[:num_carry], *stacked]


def _three(values: Sequence[Any], num_consts: int, num_carry: int) -> tuple[Any, Any, Any]:
    start = num_consts + num_carry
    return list(values[:num_consts]), list(values[num_consts:start]), list(values[start:])


def _jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    jaxpr: ClosedJaxpr,
    num_consts: int,
    num_carry: int,
    **params: Any,
) -> tuple[list[Any], list[Any]]:
    const_t, carry_t, xs_t = _three(tangents, num_consts, num_carry)
    const_nz, carry_nz, xs_nz = zero_mask(const_t), zero_mask(carry_t), zero_mask(xs_t)
    ys = len(jaxpr.out_avals) - num_carry
    while True:
        nonzero = [*const_nz, *carry_nz, *xs_nz]
        pushed, mask = jvp_jaxpr(jaxpr, nonzero, [*carry_nz, *[False] * ys])
        if mask[:num_carry] == carry_nz:
            break
        carry_nz = mask[:num_carry]
    counts = [num_consts, num_carry, len(xs_t), sum(const_nz), sum(carry_nz), sum(xs_nz)]
    bounds = np.cumsum([0, *counts])
    ranges = [range(a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    in_order = [int(i) for k in (0, 3, 1, 4, 2, 5) for i in ranges[k]]
    outs = len(mask)
    carried = sum(carry_nz)
    out_order = [
        *range(num_carry),
        *range(outs, outs + carried),
        *range(num_carry, outs),
        *range(outs + carried, len(pushed.out_avals)),
    ]
    consts, carry, xs = _three(primals, num_consts, num_carry)
    results = scan_p.bind(
        *consts,
        *_nonzero(const_t),
        *carry,
        *[instantiate(t) for t, nz in zip(carry_t, carry_nz, strict=True) if nz],
        *xs,
        *_nonzero(xs_t),
        jaxpr=reordered(pushed, "scan", in_order, out_order),
        num_consts=num_consts + sum(const_nz),
        num_carry=num_carry + carried,
        **params,
    )
    carry_out, carry_out_t, ys_out, ys_out_t = _cut(results, num_carry, carried, ys)
    primal_out = [*carry_out, *ys_out]
    rest = iter([*carry_out_t, *ys_out_t])
    return primal_out, [
        next(rest) if m else Zero.like(o) for o, m in zip(primal_out, mask, strict=True)
    ]


def _nonzero(tangents: Sequence[Any]) -> list[Any]:
    return [t for t in tangents if type(t) is not Zero]


def _cut(values: list[Any], *counts: int) -> list[list[Any]]:
    """Consecutive pieces of the given lengths, and the rest."""
    pieces, start = [], 0
    for n in counts:
        pieces.append(values[start : start + n])
        start += n
    return [*pieces, values[start:]]


def _batch(
    axis: AxisData,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    jaxpr: ClosedJaxpr,
    num_consts: int,
    num_carry: int,
    **params: Any,
) -> tuple[list[Any], list[Any]]:
    const_b, carry_b, xs_b = _three([d is not None for d in dims], num_consts, num_carry)
    ys = len(jaxpr.out_avals) - num_carry
    while True:
        mapped, mask = batch_jaxpr(
            jaxpr, axis, [*const_b, *carry_b, *xs_b], [*carry_b, *[False] * ys]
        )
        if mask[:num_carry] == carry_b:
            break
        carry_b = mask[:num_carry]
    consts, carry, xs = _three(list(zip(args, dims, strict=True)), num_consts, num_carry)
    consts = [x if d is None else moveaxis(x, d, 0) for x, d in consts]
    carry = [at_front(axis, x, d) if b else x for (x, d), b in zip(carry, carry_b, strict=True)]
    xs = [x if d is None else moveaxis(x, d, 1) for x, d in xs]
    outs = scan_p.bind(
        *consts, *carry, *xs, jaxpr=mapped, num_consts=num_consts, num_carry=num_carry, **params
    )
    places = [0] * num_carry + [1] * ys
    return outs, [p if m else None for p, m in zip(places, mask, strict=True)]


# --------------------------------------------------------- partial evaluation


def _partial_eval(
    tape: Tape,
    args: Sequence[Any],
    *,
    jaxpr: ClosedJaxpr,
    num_consts: int,
    num_carry: int,
    **params: Any,
) -> list[Any]:
    const_unk, carry_unk, xs_unk = _three([tape.owns(a) for a in args], num_consts, num_carry)
    ys = len(jaxpr.out_avals) - num_carry
    while True:
        unknown = [*const_unk, *carry_unk, *xs_unk]
        split = partial_eval_jaxpr(jaxpr, unknown, [*carry_unk, *[False] * ys])
        if split.out_unknown[:num_carry] == carry_unk:
            break
        carry_unk = split.out_unknown[:num_carry]
    known_args = [a for a, u in zip(args, unknown, strict=True) if not u]
    # a carry that turned unknown on the way starts from a known value
    known = [sum(not u for u in group) for group in (const_unk, carry_unk, xs_unk)]
    known_outs, residuals = _run_known(split, known_args, known, params)
    stacked, fixed, reused = residuals

    unknown_args = [a for a, u in zip(args, unknown, strict=True) if u]
    counts = [sum(const_unk), sum(carry_unk)]
    u_consts, u_carry, u_xs = _three(unknown_args, *counts)
    order = _unknown_order(split, counts, len(u_xs), fixed, stacked, reused)
    body = reordered(split.unknown, "scan", order, range(len(split.unknown.out_avals)))
    outs = tape.record(
        scan_p,
        [
            *[v for _, v in fixed],
            *u_consts,
            *u_carry,
            *[v for _, v in reused],
            *[v for _, v in stacked],
            *u_xs,
        ],
        dict(jaxpr=body, num_consts=len(fixed) + counts[0], num_carry=counts[1], **params),
    )
    unknown_outs, values = iter(outs), iter(known_outs)
    return [next(unknown_outs) if u else next(values) for u in split.out_unknown]


def _run_known(
    split: Split, args: list[Any], counts: list[int], params: dict[str, Any]
) -> tuple[list[Any], tuple[Any, Any, Any]]:
    """Run the known part; residuals come as (stacked, fixed, reused), each (index, value).

    A residual that is a constant of the loop, or a slice of an input, is not stacked: it is
    there already.
    """
    num_consts, num_carry, _ = counts
    invars = split.known.jaxpr.invars
    total = len(split.known.out_avals)
    first = total - split.residuals
    stacked, fixed, reused = [], [], []
    kept = list(range(first))
    for i in range(first, total):
        var = split.known.jaxpr.outvars[i]
        place = invars.index(var) if isinstance(var, Var) and var in invars else -1
        if 0 <= place < num_consts:
            fixed.append((i - first, args[place]))
        elif place >= num_consts + num_carry:
            reused.append((i - first, args[place]))
        else:
            stacked.append((i - first, len(kept)))
            kept.append(i)
    body = reordered(split.known, "scan", range(len(invars)), kept)
    outs = scan_p.bind(*args, jaxpr=body, num_consts=num_consts, num_carry=num_carry, **params)
    return outs[:first], ([(r, outs[k]) for r, k in stacked], fixed, reused)


def _unknown_order(
    split: Split, counts: list[int], xs: int, fixed: Any, stacked: Any, reused: Any
) -> list[int]:
    """Inputs of the unknown body (residuals first) in the order of a scan's arguments."""
    r = split.residuals
    consts = range(r, r + counts[0])
    carry = range(r + counts[0], r + sum(counts))
    rest = range(r + sum(counts), r + sum(counts) + xs)
    return [
        *[i for i, _ in fixed],
        *consts,
        *carry,
        *[i for i, _ in reused],
        *[i for i, _ in stacked],
        *rest,
    ]


# ------------------------------------------------------------------ transpose


def _transpose(
    cts: Sequence[Any],
    *args: Any,
    jaxpr: ClosedJaxpr,
    length: int,
    reverse: bool,
    num_consts: int,
    num_carry: int,
    unroll: int,
) -> list[Any]:
    given = [type(a) is UndefinedPrimal for a in args]
    c_lin, carry_lin, x_lin = _three(given, num_consts, num_carry)
    # A carry may start from a known value (a tangent of zero) and still be linear from its
    # second round on: it is transposed like the others, and its start's cotangent dropped.
    linear = [*c_lin, *[True] * num_carry, *x_lin]
    consts, _, xs = _three(args, num_consts, num_carry)
    res_consts = [a for a, lin in zip(consts, c_lin, strict=True) if not lin]
    res_xs = [a for a, lin in zip(xs, x_lin, strict=True) if not lin]
    const_avals = jaxpr.in_avals[:num_consts]
    acc_avals = [a for a, lin in zip(const_avals, c_lin, strict=True) if lin]
    body = jaxpr.cached(
        ("scan transpose", tuple(linear)),
        lambda: _transposed_body(jaxpr, linear, num_consts, num_carry),
    )
    ct_carry = [instantiate(ct) for ct in cts[:num_carry]]
    ct_ys = [instantiate(ct) for ct in cts[num_carry:]]
    sums = [instantiate(Zero(a)) for a in acc_avals]
    outs = scan_p.bind(
        *res_consts,
        *sums,
        *ct_carry,
        *ct_ys,
        *res_xs,
        jaxpr=body,
        length=length,
        reverse=not reverse,
        num_consts=len(res_consts),
        num_carry=len(sums) + num_carry,
        unroll=unroll,
    )
    ct_consts, ct_init, ct_xs = _cut(outs, len(sums), num_carry)
    const_cts, x_cts = iter(ct_consts), iter(ct_xs)
    return [
        *[next(const_cts) if lin else None for lin in c_lin],
        *[ct if lin else None for ct, lin in zip(ct_init, carry_lin, strict=True)],
        *[next(x_cts) if lin else None for lin in x_lin],
    ]


def _transposed_body(
    jaxpr: ClosedJaxpr, linear: list[bool], num_consts: int, num_carry: int
) -> ClosedJaxpr:
    """One round backwards: adds to the constants' cotangents, passes on the carry's."""
    c_lin, _, x_lin = _three(linear, num_consts, num_carry)
    transposed, mask = transpose_jaxpr(jaxpr, linear, [True] * len(jaxpr.out_avals))
    lin_avals = [a for a, lin in zip(jaxpr.in_avals, linear, strict=True) if lin]
    const_avals, _, x_avals = _three(jaxpr.in_avals, num_consts, num_carry)
    res_c = [a for a, lin in zip(const_avals, c_lin, strict=True) if not lin]
    acc = [a for a, lin in zip(const_avals, c_lin, strict=True) if lin]
    res_x = [a for a, lin in zip(x_avals, x_lin, strict=True) if not lin]

    def run(*args: Any) -> list[Any]:
        consts, sums, cts, xs = _cut(list(args), len(res_c), len(acc), len(jaxpr.out_avals))
        outs = iter(evaluate(transposed, *consts, *xs, *cts))
        full = [
            next(outs) if m else instantiate(Zero(a)) for m, a in zip(mask, lin_avals, strict=True)
        ]
        shares, rest = full[: len(acc)], full[len(acc) :]
        return [*[add_any(s, x) for s, x in zip(sums, shares, strict=True)], *rest]

    return stage(run, [*res_c, *acc, *jaxpr.out_avals, *res_x])


scan_p = define_primitive(
    "scan",
    shape=_shape,
    kernel=_kernel,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    partial_eval=_partial_eval,
    multiple_results=True,
    first_order=False,
)
