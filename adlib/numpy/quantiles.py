"""Quantiles, percentiles and medians."""

from __future__ import annotations

import math
from typing import Any

from adlib import lax
from adlib.base.source import here
from adlib.core.array import Array, scalar
from adlib.numpy.axes import axes_of
from adlib.numpy.promotion import (
    broadcast_array,
    convert,
    index_dtype,
    promote_dtypes_inexact,
    to_array,
)
from adlib.numpy.reductions import sum

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf")


def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Array:
    """The values below which shares ``q`` of the elements lie; NaN where there is a NaN.

    Args:
      q: number or vector of numbers in [0, 1].
      axis: None, int, or tuple of ints.
      method: "linear" between neighbours, "lower", "higher", "midpoint", "nearest" or
        "inverted_cdf".
      weights: of the elements: of the shape of ``a``, or of the axes reduced; none of them
        negative. Only for the method "inverted_cdf".

    Returns:
      Array with an axis for ``q`` in front where that is a vector.

    >>> import adlib.numpy as jnp
    >>> jnp.quantile(jnp.array([1.0, 2.0, 3.0]), 0.25)
    Array(1.5, dtype=float32)
    """
    _check("quantile", weights, method, overwrite_input, out)
    return _quantile("quantile", a, q, axis, method, keepdims, skip_nan=False, weights=weights)


def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Array:
    """``quantile`` of the elements that are not NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.nanquantile(jnp.array([1.0, jnp.nan, 3.0]), 0.5)
    Array(2., dtype=float32)
    """
    _check("nanquantile", weights, method, overwrite_input, out)
    return _quantile("nanquantile", a, q, axis, method, keepdims, skip_nan=True, weights=weights)


def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Array:
    """``quantile`` with ``q`` in percent.

    >>> import adlib.numpy as jnp
    >>> jnp.percentile(jnp.array([1.0, 2.0, 3.0]), 25)
    Array(1.5, dtype=float32)
    """
    _check("percentile", weights, method, overwrite_input, out)
    return _quantile(
        "percentile", a, _share(q), axis, method, keepdims, skip_nan=False, weights=weights
    )


def nanpercentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Array:
    """``percentile`` of the elements that are not NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.nanpercentile(jnp.array([1.0, jnp.nan, 3.0]), 50)
    Array(2., dtype=float32)
    """
    _check("nanpercentile", weights, method, overwrite_input, out)
    return _quantile(
        "nanpercentile", a, _share(q), axis, method, keepdims, skip_nan=True, weights=weights
    )


def median(
    a: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Array:
    """The middle element, or the mean of the two middle ones; NaN where there is a NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.median(jnp.array([1.0, 5.0, 2.0]))
    Array(2., dtype=float32)
    """
    _check("median", None, "midpoint", overwrite_input, out)
    return _quantile("median", a, 0.5, axis, "midpoint", keepdims, skip_nan=False)


def nanmedian(
    a: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Array:
    """``median`` of the elements that are not NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.nanmedian(jnp.array([1.0, jnp.nan, 2.0]))
    Array(1.5, dtype=float32)
    """
    _check("nanmedian", None, "midpoint", overwrite_input, out)
    return _quantile("nanmedian", a, 0.5, axis, "midpoint", keepdims, skip_nan=True)


def _share(q: Any) -> Array:
    (q,) = promote_dtypes_inexact("percentile", q)
    return lax.div(q, scalar(100, q.aval.dtype, q.aval.weak_type))


def _check(name: str, weights: Any, method: str, overwrite: bool, out: Any) -> None:
    if overwrite or out is not None:
        raise ValueError(f"jnp.{name} does not support out or overwrite_input != False.{here()}")
    if weights is not None and method != "inverted_cdf":
        raise NotImplementedError(
            f"jnp.{name}: method {method!r} takes no weights; 'inverted_cdf' does.{here()}"
        )


def _quantile(
    name: str,
    a: Any,
    q: Any,
    axis: Any,
    method: str,
    keepdims: bool,
    skip_nan: bool,
    weights: Any = None,
) -> Array:
    if method not in _METHODS:
        listed = ", ".join(repr(m) for m in _METHODS[:-1])
        raise ValueError(f"method can only be {listed} or {_METHODS[-1]!r}, got {method!r}{here()}")
    x, q = promote_dtypes_inexact(name, *promote_dtypes_inexact(name, a), q)
    x, q = (convert(v, v.aval.dtype) for v in (x, q))
    if x.aval.dtype.kind == "c":
        raise ValueError(f"jnp.{name}: complex numbers have no order.{here()}")
    if q.aval.ndim > 1:
        raise ValueError(f"q must be have rank <= 1, got shape {q.aval.shape}{here()}")
    shape = x.aval.shape
    axes = axes_of(axis, len(shape))
    kept = [i for i in range(len(shape)) if i not in axes]
    # the reduced axes as one in front: q then picks rows
    front = [*axes, *kept]
    x = lax.transpose(x, front)
    rest = x.aval.shape[len(axes) :]
    count = math.prod([shape[i] for i in axes])
    if not count:
        raise TypeError(
            f"jnp.{name}: there are no elements along axis={axis} of shape {shape}, and so no "
            f"quantiles.{here()}"
        )
    x = lax.reshape(x, (count, *rest))
    nan = lax.ne(x, x)
    dtype = x.aval.dtype
    if skip_nan:
        valid = sum(lax.bitwise_not(nan), axis=0, dtype=dtype)
        undefined = lax.eq(valid, scalar(0, dtype))
    else:
        valid = lax.full(rest, scalar(count, dtype))
        undefined = lax.reduce_or(nan, (0,))
    qs = lax.reshape(q, (q.aval.size,)) if q.aval.ndim != 1 else q
    if weights is None:
        out = _interpolated(lax.sort(x, 0), qs, valid, method)  # NaN comes last
    else:
        heavy = _weights(name, weights, shape, axes, dtype)
        heavy = lax.reshape(lax.transpose(heavy, front), (count, *rest))
        negative = lax.reduce_or(lax.lt(heavy, scalar(0, dtype)), (0,))
        undefined = lax.bitwise_or(undefined, negative)
        heavy = lax.select_n(nan, heavy, lax.full_like(heavy, 0))
        out = _weighted(x, heavy, qs)
    out = lax.select_n(
        broadcast_array(undefined, out.aval.shape), out, lax.full_like(out, math.nan)
    )
    if keepdims:
        sizes = tuple([1 if i in axes else n for i, n in enumerate(shape)])
        out = lax.reshape(out, (qs.aval.size, *sizes))
    return out if q.aval.ndim else lax.squeeze(out, (0,))


def _weights(name: str, weights: Any, shape: tuple[int, ...], axes: Any, dtype: Any) -> Array:
    """The weights of all elements, from those or from the weights along the reduced axes."""
    w = convert(to_array(weights, name), dtype)
    along = tuple([shape[i] for i in axes])
    if w.aval.shape == shape:
        return w
    if w.aval.shape != along:
        raise ValueError(
            f"jnp.{name}: weights must have the shape {shape} of the array, or {along} of the axes "
            f"reduced, got {w.aval.shape}.{here()}"
        )
    return lax.broadcast_in_dim(w, shape, axes)


def _weighted(x: Array, weights: Array, qs: Array) -> Array:
    """The first elements in order up to which share q of the weight lies, one row for each q."""
    ordered, weights = lax.sort((x, weights), 0, True, 1)
    reached = lax.cumsum(weights, 0)
    count, *rest = x.aval.shape
    total = lax.index_in_dim(reached, count - 1, 0, keepdims=True)
    shape = (qs.aval.size, count, *rest)
    wanted = lax.mul(lax.broadcast_in_dim(qs, shape, (0,)), _repeated(total, shape))
    short = lax.lt(_repeated(reached, shape), wanted)
    place = lax.reduce_sum(convert(short, index_dtype()), (1,))
    place = lax.min(place, scalar(count - 1, index_dtype()))
    return _rows(ordered, place)


def _repeated(x: Array, shape: tuple[int, ...]) -> Array:
    return lax.broadcast_in_dim(x, shape, tuple(range(1, len(shape))))


def _interpolated(ordered: Array, qs: Array, valid: Array, method: str) -> Array:
    """Values at share q of the first ``valid`` rows of sorted columns, one row for each q."""
    dtype = ordered.aval.dtype
    rest = ordered.aval.shape[1:]
    shape = (qs.aval.size, *rest)
    top = lax.sub(valid, scalar(1, dtype))
    top = broadcast_array(lax.max(top, scalar(0, dtype)), shape)
    share = lax.broadcast_in_dim(qs, shape, (0,))
    if method == "inverted_cdf":
        step = lax.mul(share, lax.add(top, scalar(1, dtype)))
        place = lax.sub(lax.ceil(step), scalar(1, dtype))
        return _rows(ordered, lax.clamp(lax.full_like(top, 0), place, top))
    place = lax.mul(share, top)
    low = lax.clamp(lax.full_like(top, 0), lax.floor(place), top)
    high = lax.clamp(lax.full_like(top, 0), lax.ceil(place), top)
    if method == "lower":
        return _rows(ordered, low)
    if method == "higher":
        return _rows(ordered, high)
    if method == "nearest":
        nearest = lax.round(place, lax.RoundingMethod.TO_NEAREST_EVEN)
        return _rows(ordered, lax.clamp(lax.full_like(top, 0), nearest, top))
    below, above = _rows(ordered, low), _rows(ordered, high)
    if method == "midpoint":
        return lax.mul(lax.add(below, above), scalar(0.5, dtype))
    weight = lax.sub(place, lax.floor(place))
    return lax.add(lax.mul(below, lax.sub(scalar(1, dtype), weight)), lax.mul(above, weight))


def _rows(ordered: Array, place: Array) -> Array:
    """``ordered[place[i, j], j]`` for every i and j."""
    integer = index_dtype()
    index = [convert(place, integer)]
    for d in range(1, ordered.aval.ndim):
        index.append(lax.broadcasted_iota(integer, place.aval.shape, d))
    return ordered[tuple(index)]  # type: ignore[index]
