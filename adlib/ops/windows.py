"""Reductions over sliding windows: sums, maxima and minima, as pooling layers use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar, table
from adlib.core.avals import Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, ge_p, le_p
from adlib.ops.constructors import linear
from adlib.ops.operands import normal, operands
from adlib.ops.reductions import highest, lowest
from adlib.ops.reshaping import broadcast_to, moveaxis
from adlib.ops.select_windows import select_and_gather_add_p
from adlib.ops.selection import max as maximum
from adlib.ops.selection import min as minimum
from adlib.ops.selection import select_n
from adlib.ops.structural import pad
from adlib.ops.structural import slice as slice_
from adlib.ops.windows_geometry import (
    Pads,
    Sizes,
    check_window,
    dilated,
    in_step,
    ints,
    output_size,
    padded,
    padtype_to_pads,
    pairs,
    widened,
    window_params,
    window_shape,
)

# -------------------------------------------------------------------- batching


def _unary_batch(
    primitive: Callable[[], Primitive],
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    **window: Any,
) -> tuple[Any, int]:
    return primitive().bind(moveaxis(args[0], dims[0], 0), **widened(window)), 0


def _reduce_impl(
    function: str,
    fill: Callable[[Any], Any],
    xp: Any,
    x: Any,
    *,
    window_dimensions: Sizes,
    window_strides: Sizes,
    padding: Pads,
    base_dilation: Sizes,
    window_dilation: Sizes,
) -> Any:
    """One axis after the other: a window's result is that of the results along its axes."""
    combine = getattr(xp, function)
    x = padded(xp, x, tuple(range(x.ndim)), padding, base_dilation, fill(x.dtype))
    for axis in range(x.ndim):
        size, stride, spread = window_dimensions[axis], window_strides[axis], window_dilation[axis]
        if size == 1 and stride == 1:
            continue
        count = output_size(x.shape[axis], dilated(size, spread), stride)
        before = (slice(None),) * axis
        if not count:
            x = x[(*before, slice(0, 0))]
            continue
        span = (count - 1) * stride + 1
        parts = [x[(*before, slice(k * spread, k * spread + span, stride))] for k in range(size)]
        x = parts[0]
        for part in parts[1:]:
            x = combine(x, part)
    return x


# ------------------------------------------------------------------------ sum


def _sum_transpose(
    ct: Any,
    x: Any,
    *,
    window_dimensions: Sizes,
    window_strides: Sizes,
    padding: Pads,
    base_dilation: Sizes,
    window_dilation: Sizes,
) -> tuple[Any]:
    """Each element gets the sum over the windows that it is in: a windowed sum again."""
    config = []
    for n, m, k, stride, (lo, _), base, spread in zip(
        x.aval.shape,
        ct.aval.shape,
        window_dimensions,
        window_strides,
        padding,
        base_dilation,
        window_dilation,
        strict=True,
    ):
        reach = dilated(k, spread)
        before = reach - 1 - lo
        after = dilated(n, base) + reach - 1 - dilated(m, stride) - before
        config.append((before, after, stride - 1))
    ct = pad(ct, scalar(0, ct.aval.dtype), config)
    rank = len(config)
    return (
        reduce_window_sum_p.bind(
            ct,
            window_dimensions=window_dimensions,
            window_strides=base_dilation,
            padding=((0, 0),) * rank,
            base_dilation=(1,) * rank,
            window_dilation=window_dilation,
        ),
    )


def _zero_of(dtype: Any) -> Any:
    return 0


def _window_samples() -> list[Sample]:
    none = ((0, 0), (0, 0))
    return [
        Sample((normal(4, 4),), window_params((2, 2), (2, 2), none), "pool"),
        Sample((normal(3, 4),), window_params((2, 3), (1, 2), ((0, 1), (1, 1))), "overlap"),
        Sample((normal(5),), window_params((2,), (1,), ((1, 0),), spread=(2,)), "window-dilation"),
        Sample((normal(4),), window_params((2,), (2,), ((0, 1),), base=(2,)), "base-dilation"),
        Sample((normal(6),), window_params((2,), (2,), ((-1, -1),)), "cut"),
        Sample((normal(2, 3, dtype=np.int32),), window_params((1, 2), (1, 1), none), "int"),
        Sample((normal(1, 2),), window_params((2, 1), (1, 1), none), "empty"),
    ]


reduce_window_sum_p: Primitive = linear(
    "reduce_window_sum",
    shape=partial(window_shape, "reduce_window_sum"),
    impl=partial(_reduce_impl, "add", _zero_of),
    transpose=_sum_transpose,
    batch=partial(_unary_batch, lambda: reduce_window_sum_p),
    samples=lambda: [
        *_window_samples(),
        Sample((normal(4, dtype=np.complex64),), window_params((2,), (1,), ((0, 1),)), "complex"),
    ],
)


# ------------------------------------------------------------------- max, min


def _extreme(name: str, function: str, select_prim: Primitive) -> Primitive:
    fill = lowest if select_prim is ge_p else highest
    primitive = define_primitive(
        name,
        shape=partial(window_shape, name),
        impl=partial(_reduce_impl, function, fill),
        samples=_window_samples,
    )

    def jvp(primals: Sequence[Any], tangents: Sequence[Any], **window: Any) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        ans = primitive.bind(x, **window)
        if type(t) is Zero:
            return ans, Zero.like(ans)
        base = window["base_dilation"]
        if any(d > 1 for d in base):
            # gaps made beforehand: the cotangent's scattering knows none
            config = [(0, 0, d - 1) for d in base]
            x = pad(x, scalar(fill(x.aval.dtype), x.aval.dtype), config)
            t = pad(t, scalar(0, t.aval.dtype), config)
            window = {**window, "base_dilation": (1,) * len(base)}
        return ans, select_and_gather_add_p.bind(t, x, select_prim=select_prim, **window)

    primitive.jvp = jvp
    primitive.batch = partial(_unary_batch, lambda: primitive)
    return primitive


reduce_window_max_p: Primitive = _extreme("reduce_window_max", "maximum", ge_p)
reduce_window_min_p: Primitive = _extreme("reduce_window_min", "minimum", le_p)

# -------------------------------------------------------------- reduce_window


def _monoid(computation: Callable[..., Any], init: Any) -> Primitive | None:
    """The windowed reduction for a known function whose identity is ``init``."""
    value = getattr(init, "_value", None)
    if value is None or init.aval.shape:
        return None
    dtype = init.aval.dtype
    if computation is add and value == 0:
        return reduce_window_sum_p
    if dtypes.kind(dtype) not in "iuf":
        return None
    if computation is maximum and value == lowest(dtype):
        return reduce_window_max_p
    if computation is minimum and value == highest(dtype):
        return reduce_window_min_p
    return None


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[..., Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Reduce the elements of each window.

    Args:
      operand: an array, or a tuple of arrays of one shape that are reduced together.
      init_value: a scalar (or a tuple of them) that every reduction starts with; padding
        adds nothing to it.
      computation: function of two values (or two tuples of values) on corresponding elements
        of arrays, associative. ``lax.add``, ``lax.max`` and ``lax.min`` with their identities
        are computed axis by axis; any other function element by element of the window.
      window_dimensions: size of the window along each axis.
      window_strides: distances between windows; 1 where None.
      padding: "SAME", "VALID", or (low, high) for each axis.
      base_dilation, window_dilation: distances between elements of operand and window.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.reduce_window(jnp.arange(4.0), -jnp.inf, lax.max, (2,), (2,))
    Array([1., 3.], dtype=float32)
    """
    several = isinstance(operand, (tuple, list))
    arrays = operands("reduce_window", *(operand if several else (operand,)))
    inits = tuple(init_value) if several else (init_value,)
    starts = [_start(x, init) for x, init in zip(arrays, inits, strict=True)]
    aval = arrays[0].aval
    window = ints(window_dimensions)
    ones = (1,) * aval.ndim
    strides = ones if window_strides is None else ints(window_strides)
    base = ones if base_dilation is None else ints(base_dilation)
    spread = ones if window_dilation is None else ints(window_dilation)
    check_window("reduce_window", aval, window, strides, base, spread)
    if isinstance(padding, str):
        sizes = [dilated(n, d) for n, d in zip(aval.shape, base, strict=True)]
        reach = [dilated(k, d) for k, d in zip(window, spread, strict=True)]
        padding = padtype_to_pads(sizes, reach, strides, padding)
    params: dict[str, Any] = dict(
        window_dimensions=window,
        window_strides=strides,
        padding=pairs(padding),
        base_dilation=base,
        window_dilation=spread,
    )
    known = None if several else _monoid(computation, starts[0])
    if known is not None:
        return known.bind(arrays[0], **params)
    out = _fold(arrays, starts, computation, several, **params)
    return tuple(out) if several else out[0]


def _start(x: Array, init: Any) -> Any:
    if dtypes.kind(x.aval.dtype) in "biu" and isinstance(init, float) and np.isinf(init):
        init = (highest if init > 0 else lowest)(x.aval.dtype)  # as an infinity means there
    _, start = operands("reduce_window", x, init)
    if start.aval.dtype != x.aval.dtype or start.aval.shape:
        raise TypeError(
            "reduce_window: init_value must be a scalar of the operand's dtype, got "
            f"{start.aval.str_short()} for an operand of type {x.aval.str_short()}.{here()}"
        )
    return start


def _fold(
    arrays: Sequence[Any],
    starts: Sequence[Any],
    computation: Callable[..., Any],
    several: bool,
    *,
    window_dimensions: Sizes,
    window_strides: Sizes,
    padding: Pads,
    base_dilation: Sizes,
    window_dilation: Sizes,
) -> list[Any]:
    """Any function: applied to the first, second, … elements of all windows in turn."""
    shape = window_shape(
        "reduce_window",
        arrays[0].aval,
        window_dimensions=window_dimensions,
        window_strides=window_strides,
        padding=padding,
        base_dilation=base_dilation,
        window_dilation=window_dilation,
    ).shape
    size = arrays[0].aval.shape
    config = [(lo, hi, d - 1) for (lo, hi), d in zip(padding, base_dilation, strict=True)]
    arrays = [pad(x, start, config) for x, start in zip(arrays, starts, strict=True)]
    results = [broadcast_to(start, shape) for start in starts]
    if 0 in shape:
        return results
    present = padded(
        np, np.ones(size, bool), tuple(range(len(shape))), padding, base_dilation, False
    )
    for k in np.ndindex(*window_dimensions):
        places = tuple([i * d for i, d in zip(k, window_dilation, strict=True)])
        steps = in_step(places, shape, window_strides)
        items = [
            slice_(x, [s.start for s in steps], [s.stop for s in steps], window_strides)
            for x in arrays
        ]
        if several:
            new = list(computation(tuple(results), tuple(items)))
        else:
            new = [computation(results[0], items[0])]
        here_ = present[steps]
        if not here_.all():  # what is only padding leaves the result as it is
            mask = table(here_)
            new = [select_n(mask, r, n) for r, n in zip(results, new, strict=True)]
        results = new
    return results
