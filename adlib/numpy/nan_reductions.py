"""Reductions that leave NaN out."""

from __future__ import annotations

import math
from typing import Any

from adlib import lax
from adlib.core import dtypes
from adlib.core.array import Array
from adlib.numpy.promotion import broadcast_array, broadcast_shapes, to_array
from adlib.numpy.reductions import all, argmax, argmin, mask_of, max, min, prod, sum
from adlib.numpy.statistics import mean, std, var


def _skipping(name: str, a: Any, fill: Any) -> tuple[Array, Any]:
    """The array with NaN replaced, and the mask of NaN (None for integers)."""
    x = to_array(a, name)
    if not dtypes.is_inexact(x.aval.dtype):
        return x, None
    nan = lax.ne(x, x)
    return lax.select_n(nan, x, lax.full_like(x, fill)), nan


def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """``sum`` with NaN counted as 0.

    >>> import adlib.numpy as jnp
    >>> jnp.nansum(jnp.array([1.0, jnp.nan]))
    Array(1., dtype=float32)
    """
    x, _ = _skipping("nansum", a, 0)
    return sum(x, axis, dtype, out, keepdims, initial, where)


def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    where: Any = None,
) -> Array:
    """``mean`` of the elements that are not NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.nanmean(jnp.array([1.0, jnp.nan, 3.0]))
    Array(2., dtype=float32)
    """
    return mean(a, axis, dtype, out, keepdims, where=_present("nanmean", a, where))


def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    ddof: Any = 0,
    keepdims: bool = False,
    where: Any = None,
    mean: Any = None,
) -> Array:
    """``var`` of the elements that are not NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.nanvar(jnp.array([1.0, jnp.nan, 3.0]))
    Array(1., dtype=float32)
    """
    present = _present("nanvar", a, where)
    return var(a, axis, dtype, out, ddof, keepdims, where=present, mean=mean)


def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    ddof: Any = 0,
    keepdims: bool = False,
    where: Any = None,
    mean: Any = None,
) -> Array:
    """``std`` of the elements that are not NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.nanstd(jnp.array([1.0, jnp.nan, 3.0]))
    Array(1., dtype=float32)
    """
    present = _present("nanstd", a, where)
    return std(a, axis, dtype, out, ddof, keepdims, where=present, mean=mean)


def _present(name: str, a: Any, where: Any) -> Any:
    x = to_array(a, name)
    present = lax.eq(x, x)
    if where is None:
        return present
    mask = mask_of(where, name)
    shape = broadcast_shapes(x.aval.shape, mask.aval.shape)
    return lax.bitwise_and(broadcast_array(present, shape), broadcast_array(mask, shape))


def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """``prod`` with NaN counted as 1.

    >>> import adlib.numpy as jnp
    >>> jnp.nanprod(jnp.array([2.0, jnp.nan]))
    Array(2., dtype=float32)
    """
    x, _ = _skipping("nanprod", a, 1)
    return prod(x, axis, dtype, out, keepdims, initial, where)


def _nan_extreme(
    name: str,
    reduce: Any,
    a: Any,
    fill: float,
    axis: Any,
    out: Any,
    keepdims: bool,
    initial: Any,
    where: Any,
) -> Array:
    x, nan = _skipping(name, a, fill)
    result = reduce(x, axis, out, keepdims, initial, where)
    if nan is None:
        return result
    # nothing but NaN is NaN, unless a number was given to start from
    if initial is not None:
        return result
    nothing = all(nan, axis, keepdims=keepdims, where=where)
    return lax.select_n(nothing, result, lax.full_like(result, math.nan))


def nanmax(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """``max`` of the elements that are not NaN; NaN where there is nothing else.

    >>> import adlib.numpy as jnp
    >>> jnp.nanmax(jnp.array([1.0, jnp.nan]))
    Array(1., dtype=float32)
    """
    return _nan_extreme("nanmax", max, a, -math.inf, axis, out, keepdims, initial, where)


def nanmin(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """``min`` of the elements that are not NaN; NaN where there is nothing else.

    >>> import adlib.numpy as jnp
    >>> jnp.nanmin(jnp.array([1.0, jnp.nan]))
    Array(1., dtype=float32)
    """
    return _nan_extreme("nanmin", min, a, math.inf, axis, out, keepdims, initial, where)


def _nan_arg(name: str, find: Any, a: Any, fill: float, axis: Any, out: Any, keep: Any) -> Array:
    x, nan = _skipping(name, a, fill)
    result = find(x, axis, out, bool(keep))
    if nan is None:
        return result
    nothing = all(nan, axis, keepdims=bool(keep))
    return lax.select_n(nothing, result, lax.full_like(result, -1))


def nanargmax(a: Any, axis: Any = None, out: None = None, keepdims: Any = None) -> Array:
    """``argmax`` of the elements that are not NaN; -1 where there is nothing else.

    >>> import adlib.numpy as jnp
    >>> jnp.nanargmax(jnp.array([1.0, jnp.nan]))
    Array(0, dtype=int32)
    """
    return _nan_arg("nanargmax", argmax, a, -math.inf, axis, out, keepdims)


def nanargmin(a: Any, axis: Any = None, out: None = None, keepdims: Any = None) -> Array:
    """``argmin`` of the elements that are not NaN; -1 where there is nothing else.

    >>> import adlib.numpy as jnp
    >>> jnp.nanargmin(jnp.array([1.0, jnp.nan]))
    Array(0, dtype=int32)
    """
    return _nan_arg("nanargmin", argmin, a, math.inf, axis, out, keepdims)
