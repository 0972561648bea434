"""Quantiles, percentiles and medians."""

from __future__ import annotations

import math
from typing import Any

from adlib import lax
from adlib.base.source import here
from adlib.core.array import Array, scalar
from adlib.numpy.axes import axes_of
from adlib.numpy.promotion import broadcast_array, convert, index_dtype, promote_dtypes_inexact
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
    weights: None = None,
) -> Array:
    """The values below which shares ``q`` of the elements lie; NaN where there is a NaN.

    Args:
      q: number or vector of numbers in [0, 1].
      axis: None, int, or tuple of ints.
      method: "linear" between neighbours, "lower", "higher", "midpoint", "nearest" or
        "inverted_cdf".

    Returns:
      Array with an axis for ``q`` in front where that is a vector.

    >>> import adlib.numpy as jnp
    >>> jnp.quantile(jnp.array([1.0, 2.0, 3.0]), 0.25)
    Array(1.5, dtype=float32)
    """
    _no_weights("quantile", weights, overwrite_input, out)
    return _quantile("quantile", a, q, axis, method, keepdims, skip_nan=False)


def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: None = None,
) -> Array:
    """``quantile`` of the elements that are not NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.nanquantile(jnp.array([1.0, jnp.nan, 3.0]), 0.5)
    Array(2., dtype=float32)
    """
    _no_weights("nanquantile", weights, overwrite_input, out)
    return _quantile("nanquantile", a, q, axis, method, keepdims, skip_nan=True)


def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: None = None,
) -> Array:
    """``quantile`` with ``q`` in percent.

    >>> import adlib.numpy as jnp
    >>> jnp.percentile(jnp.array([1.0, 2.0, 3.0]), 25)
    Array(1.5, dtype=float32)
    """
    _no_weights("percentile", weights, overwrite_input, out)
    return _quantile("percentile", a, _share(q), axis, method, keepdims, skip_nan=False)


def nanpercentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: None = None,
) -> Array:
    """``percentile`` of the elements that are not NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.nanpercentile(jnp.array([1.0, jnp.nan, 3.0]), 50)
    Array(2., dtype=float32)
    """
    _no_weights("nanpercentile", weights, overwrite_input, out)
    return _quantile("nanpercentile", a, _share(q), axis, method, keepdims, skip_nan=True)


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
    _no_weights("median", None, overwrite_input, out)
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
    _no_weights("nanmedian", None, overwrite_input, out)
    return _quantile("nanmedian", a, 0.5, axis, "midpoint", keepdims, skip_nan=True)


def _share(q: Any) -> Array:
    (q,) = promote_dtypes_inexact("percentile", q)
    return lax.div(q, scalar(100, q.aval.dtype, q.aval.weak_type))


def _no_weights(name: str, weights: Any, overwrite: bool, out: Any) -> None:
    if weights is not None or overwrite or out is not None:
        raise ValueError(
            f"jnp.{name} does not support weights, out or overwrite_input != False.{here()}"
        )


def _quantile(
    name: str, a: Any, q: Any, axis: Any, method: str, keepdims: bool, skip_nan: bool
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
    x = lax.transpose(x, [*axes, *kept])
    rest = x.aval.shape[len(axes) :]
    count = math.prod([shape[i] for i in axes])
    x = lax.reshape(x, (count, *rest))
    nan = lax.ne(x, x)
    dtype = x.aval.dtype
    if skip_nan:
        valid = sum(lax.bitwise_not(nan), axis=0, dtype=dtype)
        undefined = lax.eq(valid, scalar(0, dtype))
    else:
        valid = lax.full(rest, scalar(count, dtype))
        undefined = lax.reduce_or(nan, (0,))
    ordered = lax.sort(x, 0)  # NaN comes last
    qs = lax.reshape(q, (q.aval.size,)) if q.aval.ndim != 1 else q
    out = _interpolated(ordered, qs, valid, method)
    out = lax.select_n(
        broadcast_array(undefined, out.aval.shape), out, lax.full_like(out, math.nan)
    )
    if keepdims:
        sizes = tuple([1 if i in axes else n for i, n in enumerate(shape)])
        out = lax.reshape(out, (qs.aval.size, *sizes))
    return out if q.aval.ndim else lax.squeeze(out, (0,))


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
