"""Reductions over sliding windows: sums, maxima and minima, as pooling layers use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, from_numpy, scalar
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, ge_p, le_p
from adlib.ops.constructors import linear
from adlib.ops.operands import normal, operands
from adlib.ops.reductions import highest, lowest
from adlib.ops.reshaping import broadcast_to, moveaxis
from adlib.ops.selection import max as maximum
from adlib.ops.selection import min as minimum
from adlib.ops.selection import select_n
from adlib.ops.structural import pad
from adlib.ops.structural import slice as slice_
from adlib.ops.windows_geometry import (
    Pads,
    Sizes,
    dilated,
    ints,
    output_size,
    padded,
    padtype_to_pads,
    pairs,
)

# ------------------------------------------------------------------- geometry


def _check(name: str, x: ShapedArray, window: Sizes, strides: Sizes, *dilations: Sizes) -> None:
    for what, values in (
        ("window_dimensions", window),
        ("window_strides", strides),
        *[("dilation", d) for d in dilations],
    ):
        if len(values) != x.ndim:
            raise TypeError(
                f"{name} got {len(values)} {what} for an operand of {x.ndim} axes, of shape "
                f"{x.shape}.{here()}\n  Repair: one number for each axis, 1 for the batch and "
                "channel axes."
            )
        if any(v < 1 for v in values):
            raise TypeError(f"{name} {what} must be positive, got {values}.{here()}")


def reduce_window_shape_tuple(
    operand_shape: Sequence[int],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Sizes:
    """Shape of a windowed reduction."""
    ones = (1,) * len(operand_shape)
    base = ones if base_dilation is None else base_dilation
    spread = ones if window_dilation is None else window_dilation
    sizes = [dilated(n, d) for n, d in zip(operand_shape, base, strict=True)]
    reach = [dilated(k, d) for k, d in zip(window_dimensions, spread, strict=True)]
    if isinstance(padding, str):
        padding = padtype_to_pads(sizes, reach, window_strides, padding)
    return tuple(
        [
            output_size(n + int(lo) + int(hi), k, s)
            for n, (lo, hi), k, s in zip(sizes, padding, reach, window_strides, strict=True)
        ]
    )


def _shape(
    name: str,
    x: ShapedArray,
    *,
    window_dimensions: Sizes,
    window_strides: Sizes,
    padding: Pads,
    base_dilation: Sizes,
    window_dilation: Sizes,
) -> ShapedArray:
    _check(name, x, window_dimensions, window_strides, base_dilation, window_dilation)
    if len(padding) != x.ndim:
        raise TypeError(
            f"{name} got {len(padding)} paddings for an operand of {x.ndim} axes.{here()}"
        )
    shape = reduce_window_shape_tuple(
        x.shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    )
    return ShapedArray(shape, x.dtype, x.weak_type)


def _in_step(places: Sizes, counts: Sizes, strides: Sizes) -> tuple[slice, ...]:
    """The elements at one place within each window."""
    return tuple(
        [slice(p, p + (n - 1) * s + 1, s) for p, n, s in zip(places, counts, strides, strict=True)]
    )


def _widened(window: dict[str, Any]) -> dict[str, Any]:
    """Parameters for operands with one more axis in front, over which windows do not reach."""
    more: dict[str, Any] = {}
    for name, value in window.items():
        if name == "padding":
            more[name] = ((0, 0), *value)
        else:
            more[name] = value if name == "select_prim" else (1, *value)
    return more


def _unary_batch(
    primitive: Callable[[], Primitive],
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    **window: Any,
) -> tuple[Any, int]:
    return primitive().bind(moveaxis(args[0], dims[0], 0), **_widened(window)), 0


# -------------------------------------------------------------------- kernels


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
        value = x[_in_step(places, counts, strides)]
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
        out = xp.where(chosen == number, tangents[_in_step(places, counts, window_strides)], out)
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
        target = out[_in_step(places, source.shape, window_strides)]
        target += xp.where(chosen == number, source, zero)
    # back to the operand's own elements: what was padded goes, what was cut off gets nothing
    return padded(
        xp, out, tuple(range(x.ndim)), tuple([(-lo, -hi) for lo, hi in padding]), (1,) * x.ndim, 0
    )


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


def _window(window: Any, strides: Any, pads: Any, base: Any = None, spread: Any = None) -> Any:
    ones = (1,) * len(window)
    return dict(
        window_dimensions=window,
        window_strides=strides,
        padding=pads,
        base_dilation=base or ones,
        window_dilation=spread or ones,
    )


def _window_samples() -> list[Sample]:
    none = ((0, 0), (0, 0))
    return [
        Sample((normal(4, 4),), _window((2, 2), (2, 2), none), "pool"),
        Sample((normal(3, 4),), _window((2, 3), (1, 2), ((0, 1), (1, 1))), "overlap"),
        Sample((normal(5),), _window((2,), (1,), ((1, 0),), spread=(2,)), "window-dilation"),
        Sample((normal(4),), _window((2,), (2,), ((0, 1),), base=(2,)), "base-dilation"),
        Sample((normal(6),), _window((2,), (2,), ((-1, -1),)), "cut"),
        Sample((normal(2, 3, dtype=np.int32),), _window((1, 2), (1, 1), none), "int"),
        Sample((normal(1, 2),), _window((2, 1), (1, 1), none), "empty"),
    ]


reduce_window_sum_p = linear(
    "reduce_window_sum",
    shape=partial(_shape, "reduce_window_sum"),
    impl=partial(_reduce_impl, "add", _zero_of),
    transpose=_sum_transpose,
    batch=partial(_unary_batch, lambda: reduce_window_sum_p),
    samples=lambda: [
        *_window_samples(),
        Sample((normal(4, dtype=np.complex64),), _window((2,), (1,), ((0, 1),)), "complex"),
    ],
)


# ------------------------------------------------------------------- max, min


def _extreme(name: str, function: str, select_prim: Primitive) -> Primitive:
    fill = lowest if select_prim is ge_p else highest
    primitive = define_primitive(
        name,
        shape=partial(_shape, name),
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


reduce_window_max_p = _extreme("reduce_window_max", "maximum", ge_p)
reduce_window_min_p = _extreme("reduce_window_min", "minimum", le_p)


# ------------------------------------- the derivative of max, and its transpose


def _gather_shape(
    t: ShapedArray, x: ShapedArray, *, select_prim: Primitive, **window: Any
) -> ShapedArray:
    out = _shape("select_and_gather_add", x, **window)
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
    return primitive().bind(*values, **_widened(params)), 0


def _pair_samples() -> list[Sample]:
    none = ((0, 0), (0, 0))
    pool, overlap = _window((2, 2), (2, 2), none), _window((2,), (1,), ((0, 1),), spread=(2,))
    return [
        Sample((normal(4, 4), normal(4, 4)), {**pool, "select_prim": ge_p}, "max"),
        Sample((normal(5), normal(5)), {**overlap, "select_prim": le_p}, "min"),
    ]


select_and_gather_add_p = define_primitive(
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


select_and_scatter_add_p = define_primitive(
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
    _check("reduce_window", aval, window, strides, base, spread)
    if isinstance(padding, str):
        sizes = [dilated(n, d) for n, d in zip(aval.shape, base, strict=True)]
        reach = [dilated(k, d) for k, d in zip(window, spread, strict=True)]
        padding = padtype_to_pads(sizes, reach, strides, padding)
    params = dict(
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
    shape = _shape(
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
        steps = _in_step(places, shape, window_strides)
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
            mask = from_numpy(here_)
            new = [select_n(mask, r, n) for r, n in zip(results, new, strict=True)]
        results = new
    return results
