"""The extreme element of each window: the derivative of max pooling, and its transpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import ge_p, le_p
from adlib.ops.operands import normal
from adlib.ops.reductions import highest, lowest
from adlib.ops.reshaping import broadcast_to, moveaxis
from adlib.ops.windows_geometry import (
    Pads,
    Sizes,
    in_step,
    padded,
    reduce_window_shape_tuple,
    widened,
    window_params,
    window_shape,
)


def _chosen(
    xp: Any,
    x: Any,
    select_prim: Primitive,
    window: Sizes,
    strides: Sizes,
    spread: Sizes,
    counts: Sizes,
) -> Any:
    """For each window the number of its first element that is largest (or smallest)."""
    better = xp.greater_equal if select_prim is ge_p else xp.less_equal
    best = best_place = None
    for number, k in enumerate(np.ndindex(*window)):
        places = tuple([i * d for i, d in zip(k, spread, strict=True)])
        value = x[in_step(places, counts, strides)]
        if best is None:
            best, best_place = value, xp.zeros(value.shape, np.int32)
            continue
        keep = better(best, value)
        best = xp.where(keep, best, value)
        best_place = xp.where(keep, best_place, np.int32(number))
    return best_place


def _gather_impl(
    xp: Any,
    tangents: Any,
    x: Any,
    *,
    select_prim: Primitive,
    window_dimensions: Sizes,
    window_strides: Sizes,
    padding: Pads,
    base_dilation: Sizes,
    window_dilation: Sizes,
) -> Any:
    axes = tuple(range(x.ndim))
    counts = reduce_window_shape_tuple(
        x.shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    )
    out = xp.zeros(counts, tangents.dtype)
    if not out.size:
        return out
    worst = lowest(x.dtype) if select_prim is ge_p else highest(x.dtype)
    x = padded(xp, x, axes, padding, base_dilation, worst)
    tangents = padded(xp, tangents, axes, padding, base_dilation, 0)
    chosen = _chosen(xp, x, select_prim, window_dimensions, window_strides, window_dilation, counts)
    for number, k in enumerate(np.ndindex(*window_dimensions)):
        places = tuple([i * d for i, d in zip(k, window_dilation, strict=True)])
        out = xp.where(chosen == number, tangents[in_step(places, counts, window_strides)], out)
    return out


def _scatter_impl(
    xp: Any,
    source: Any,
    x: Any,
    *,
    select_prim: Primitive,
    window_dimensions: Sizes,
    window_strides: Sizes,
    padding: Pads,
    window_dilation: Sizes | None = None,
) -> Any:
    spread = (1,) * x.ndim if window_dilation is None else window_dilation
    if not source.size:
        return xp.zeros(x.shape, source.dtype)
    worst = lowest(x.dtype) if select_prim is ge_p else highest(x.dtype)
    whole = padded(xp, x, tuple(range(x.ndim)), padding, (1,) * x.ndim, worst)
    chosen = _chosen(
        xp, whole, select_prim, window_dimensions, window_strides, spread, source.shape
    )
    out = xp.zeros(whole.shape, source.dtype)
    zero = source.dtype.type(0)
    for number, k in enumerate(np.ndindex(*window_dimensions)):
        places = tuple([i * d for i, d in zip(k, spread, strict=True)])
        target = out[in_step(places, source.shape, window_strides)]
        target += xp.where(chosen == number, source, zero)
    # back to the operand's own elements: what was padded goes, what was cut off gets nothing
    return padded(
        xp, out, tuple(range(x.ndim)), tuple([(-lo, -hi) for lo, hi in padding]), (1,) * x.ndim, 0
    )


def _gather_shape(
    t: ShapedArray, x: ShapedArray, *, select_prim: Primitive, **window: Any
) -> ShapedArray:
    out = window_shape("select_and_gather_add", x, **window)
    if t.shape != x.shape:
        raise TypeError(
            f"select_and_gather_add: tangents of shape {t.shape} do not fit an operand of shape "
            f"{x.shape}.{here()}"
        )
    return ShapedArray(out.shape, t.dtype)


def _first_argument_jvp(
    primitive: Callable[[], Primitive],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    **params: Any,
) -> tuple[Any, Any]:
    """Linear in the first argument; the second only decides which elements are meant."""
    _, x = primals
    t, _ = tangents
    ans = primitive().bind(*primals, **params)
    return ans, Zero.like(ans) if type(t) is Zero else primitive().bind(t, x, **params)


def _gather_transpose(
    ct: Any,
    t: Any,
    x: Any,
    *,
    select_prim: Primitive,
    base_dilation: Sizes,
    window_dilation: Sizes,
    **window: Any,
) -> tuple[Any, None]:
    if is_undefined_primal(x) or any(d > 1 for d in base_dilation):
        raise NotImplementedError(
            "Transposition of select_and_gather_add with base_dilation, or in its operand."
        )
    if any(d > 1 for d in window_dilation):
        window["window_dilation"] = window_dilation
    return select_and_scatter_add_p.bind(ct, x, select_prim=select_prim, **window), None


def _pair_batch(
    primitive: Callable[[], Primitive],
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    **params: Any,
) -> tuple[Any, int]:
    values = [
        moveaxis(v, d, 0) if d is not None else broadcast_to(v, (axis.size, *v.aval.shape))
        for v, d in zip(args, dims, strict=True)
    ]
    return primitive().bind(*values, **widened(params)), 0


def _pair_samples() -> list[Sample]:
    none = ((0, 0), (0, 0))
    pool, overlap = (
        window_params((2, 2), (2, 2), none),
        window_params((2,), (1,), ((0, 1),), spread=(2,)),
    )
    return [
        Sample((normal(4, 4), normal(4, 4)), {**pool, "select_prim": ge_p}, "max"),
        Sample((normal(5), normal(5)), {**overlap, "select_prim": le_p}, "min"),
    ]


select_and_gather_add_p: Primitive = define_primitive(
    "select_and_gather_add",
    shape=_gather_shape,
    impl=_gather_impl,
    jvp=partial(_first_argument_jvp, lambda: select_and_gather_add_p),
    transpose=_gather_transpose,
    batch=partial(_pair_batch, lambda: select_and_gather_add_p),
    samples=_pair_samples,
)


def _scatter_transpose(
    ct: Any,
    source: Any,
    x: Any,
    *,
    select_prim: Primitive,
    window_dilation: Sizes | None = None,
    **window: Any,
) -> tuple[Any, None]:
    if is_undefined_primal(x):
        raise NotImplementedError("Transposition of select_and_scatter_add in its operand.")
    ones = (1,) * len(x.aval.shape)
    return select_and_gather_add_p.bind(
        ct,
        x,
        select_prim=select_prim,
        base_dilation=ones,
        window_dilation=window_dilation or ones,
        **window,
    ), None


select_and_scatter_add_p: Primitive = define_primitive(
    "select_and_scatter_add",
    shape=lambda source, x, **_: ShapedArray(x.shape, source.dtype),
    impl=_scatter_impl,
    jvp=partial(_first_argument_jvp, lambda: select_and_scatter_add_p),
    transpose=_scatter_transpose,
    batch=partial(_pair_batch, lambda: select_and_scatter_add_p),
    samples=lambda: [
        Sample(
            (normal(2, 2), normal(4, 4)),
            dict(
                select_prim=ge_p,
                window_dimensions=(2, 2),
                window_strides=(2, 2),
                padding=((0, 0), (0, 0)),
            ),
            "pool",
        ),
        Sample(
            (normal(5), normal(5)),
            dict(select_prim=ge_p, window_dimensions=(3,), window_strides=(1,), padding=((1, 1),)),
            "overlap",
        ),
        Sample(
            (normal(3), normal(5)),
            dict(
                select_prim=le_p,
                window_dimensions=(2,),
                window_strides=(1,),
                padding=((0, 0),),
                window_dilation=(2,),
            ),
            "dilated",
        ),
    ],
)
