"""Means, variances, quantiles, covariances, and running sums and products."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.axes import axes_of, axis_of, has_names, split_names
from adlib.numpy.creation import wanted_dtype
from adlib.numpy.makers import no_out, truth
from adlib.numpy.promotion import (
    broadcast_array,
    broadcast_shapes,
    convert,
    float_for,
    promote_dtypes_inexact,
    to_array,
)
from adlib.numpy.reductions import (
    accumulation_dtype,
    mask_of,
    masked,
    sum,
)

# ----------------------------------------------------------------- mean and variance


def _computed_in(dtype: Any) -> Any:
    """The dtype that means are taken in: at least 32 bits wide."""
    if not dtypes.is_inexact(dtype):
        return float_for(dtype)
    return np.dtype(np.float32) if dtype.itemsize < 4 else dtype


def _result_dtype(x: Array, dtype: Any, what: str) -> Any:
    if dtype is not None:
        wanted = wanted_dtype(dtype, what)
        if dtypes.kind(wanted) == "b":
            raise TypeError(
                f"jnp.{what}: there is no division of booleans, so dtype cannot be bool.{here()}"
                "\n  Repair: leave dtype out, or give a floating one."
            )
        return wanted
    own = x.aval.dtype
    return float_for(own)


def _all_axes(axis: Any, ndim: int) -> tuple[Any, ...]:
    """Axes of the array, counted from the front, and then the names of axes of ``vmap``."""
    axis, names = split_names(axis)
    return (*axes_of(axis, ndim), *names)


def _count(
    x: Array, axes: tuple[Any, ...], where: Any, dtype: Any, keepdims: bool, what: str
) -> Array:
    """How many elements are averaged: a constant, or counted where there is a mask."""
    if where is None:
        sizes = [lax.axis_size(a) if isinstance(a, str) else x.aval.shape[a] for a in axes]
        return scalar(math.prod(sizes), dtype)
    mask = mask_of(where, what)
    mask = broadcast_array(mask, broadcast_shapes(x.aval.shape, mask.aval.shape))
    return sum(mask, axis=axes, dtype=dtype, keepdims=keepdims)


def mean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: Any = None,
) -> Array:
    """Arithmetic mean, over all axes or the given ones, in floating point.

    Args:
      a: array or number.
      axis: None, int, or tuple of ints; names of axes of ``vmap`` may be among them.
      dtype: of the result; by default that of ``a``, float32 for integers. An integer dtype is
        computed in too, so the mean is cut to an integer.
      keepdims: keep reduced axes, with size 1.
      where: boolean array: which elements count.

    >>> import adlib.numpy as jnp
    >>> jnp.mean(jnp.arange(4))
    Array(1.5, dtype=float32)
    """
    no_out("mean", out)
    x = to_array(a, "mean")
    aval = x.aval
    plain = dtype is None and where is None and not keepdims
    if plain and aval.dtype.char in "fdFD" and not has_names(axis):
        axes = axes_of(axis, len(aval.shape))
        count = scalar(math.prod([aval.shape[i] for i in axes]), aval.dtype)
        return lax.div_p.bind(sum(x, axis=axes), count)
    result = _result_dtype(x, dtype, "mean")
    work = _computed_in(result) if dtypes.is_inexact(result) else result
    axes = _all_axes(axis, x.aval.ndim)
    mask = None if where is None else mask_of(where, "mean")
    total = sum(convert(x, work), axis=axes, dtype=work, keepdims=keepdims, where=mask)
    average = lax.div(total, _count(x, axes, mask, work, keepdims, "mean"))
    return convert(average, result)


def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: bool = False
) -> Any:
    """Mean with weights.

    Args:
      weights: of the shape of ``a``, or a vector along ``axis``.
      returned: whether to return the sum of weights as well.

    >>> import adlib.numpy as jnp
    >>> jnp.average(jnp.array([1.0, 4.0]), weights=jnp.array([2.0, 1.0]))
    Array(2., dtype=float32)
    """
    if weights is None:
        (x,) = promote_dtypes_inexact("average", a)
        axes = axes_of(axis, x.aval.ndim)
        result = mean(x, axis=axes, keepdims=keepdims)
        count = scalar(math.prod([x.aval.shape[i] for i in axes]), result.aval.dtype)
        return (result, broadcast_array(count, result.aval.shape)) if returned else result
    x, w = promote_dtypes_inexact("average", a, weights)
    if x.aval.shape != w.aval.shape:
        if axis is None or isinstance(axis, (tuple, list)):
            raise ValueError(
                f"Axis must be specified when shapes of a {x.aval.shape} and weights "
                f"{w.aval.shape} differ.{here()}"
            )
        axis = axis_of(axis, x.aval.ndim)
        if w.aval.shape != (x.aval.shape[axis],):
            raise ValueError(
                f"Length of weights {w.aval.shape} not compatible with axis {axis} of shape "
                f"{x.aval.shape}.{here()}"
            )
        w = lax.broadcast_in_dim(w, x.aval.shape, (axis,))
    total = sum(w, axis=axis, keepdims=keepdims)
    result = lax.div(sum(lax.mul(x, w), axis=axis, keepdims=keepdims), total)
    return (result, total) if returned else result


def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    ddof: Any = 0,
    keepdims: bool = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Array:
    """Variance: mean squared distance from the mean.

    Args:
      ddof: subtracted from the number of elements in the divisor; 1 for an unbiased estimate.
      dtype: of the result; by default a real one. That of complex numbers can only be complex.
      mean: the mean, if it is known already, with the reduced axes kept.
      correction: another name of ``ddof``.

    >>> import adlib.numpy as jnp
    >>> jnp.var(jnp.array([1.0, 2.0, 3.0]), ddof=1)
    Array(1., dtype=float32)
    """
    no_out("var", out)
    if correction is not None:
        if not isinstance(ddof, int) or ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = correction
    x = to_array(a, "var")
    result = _result_dtype(x, dtype, "var")
    if dtype is None:
        result = dtypes.real_of(result)
    elif x.aval.dtype.kind == "c" and not dtypes.is_complex(result):
        raise ValueError(
            f"jnp.var: the variance of complex numbers takes a complex dtype, got {result}."
            f"{here()}\n  Repair: leave dtype out and convert the result, which is real."
        )
    work = _computed_in(x.aval.dtype)
    x = convert(x, work)
    axes = _all_axes(axis, x.aval.ndim)
    if where is not None:
        x = masked(x, where, 0, "var")  # what does not count must not reach the derivative either
    if mean is None:
        centre = sum(x, axis=axes, keepdims=True, where=where)
        centre = lax.div(centre, _count(x, axes, where, work, True, "var"))
    else:
        centre = convert(to_array(mean, "var"), work)
    distance = lax.sub(x, centre)
    if work.kind == "c":
        distance2 = lax.real(lax.mul(distance, lax.conj(distance)))
    else:
        distance2 = lax.square(distance)
    real = distance2.aval.dtype
    count = _count(x, axes, where, real, keepdims, "var")
    free = lax.sub(count, convert(to_array(ddof, "var"), real))
    total = sum(distance2, axis=axes, keepdims=keepdims, where=where)
    quotient = lax.div(total, free)
    # no freedom left: undefined rather than negative
    defined = lax.gt(free, scalar(0, real))
    quotient = lax.select_n(defined, lax.full_like(quotient, math.nan), quotient)
    return convert(quotient, result)


def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    ddof: Any = 0,
    keepdims: bool = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Array:
    """Standard deviation: the square root of ``var``, with the same arguments.

    >>> import adlib.numpy as jnp
    >>> jnp.std(jnp.array([1.0, 3.0]))
    Array(1., dtype=float32)
    """
    no_out("std", out)
    if dtype is not None and not dtypes.is_inexact(wanted_dtype(dtype, "std")):
        raise ValueError(f"std: dtype must be floating or complex, got {dtype}.{here()}")
    return lax.sqrt(
        var(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    )


# -------------------------------------------------------------------- running totals


def _running(
    name: str, operation: Callable[..., Any], a: Any, axis: Any, dtype: Any, out: Any, fill: Any
) -> Array:
    no_out(name, out)
    x = to_array(a, name)
    if axis is None:
        x, axis = lax.reshape(x, (x.aval.size,)), 0
    axis = axis_of(axis, x.aval.ndim)
    if fill is not None and dtypes.is_inexact(x.aval.dtype):
        x = lax.select_n(lax.ne(x, x), x, lax.full_like(x, fill))
    own = x.aval.dtype
    found = accumulation_dtype(own, wide=False) if dtype is None else wanted_dtype(dtype, name)
    if dtypes.kind(found) == "b":
        # a sum of truth values is their or, a product their and
        either = lax.cummax if operation is lax.cumsum else lax.cummin
        return convert(either(convert(truth(x), np.dtype(np.int8)), axis), found)
    return operation(convert(x, found), axis)


def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """Sums of the elements up to each one, along an axis or in the flattened array.

    >>> import adlib.numpy as jnp
    >>> jnp.cumsum(jnp.array([1, 2, 3]))
    Array([1, 3, 6], dtype=int32)
    """
    return _running("cumsum", lax.cumsum, a, axis, dtype, out, None)


def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """Products of the elements up to each one, along an axis or in the flattened array.

    >>> import adlib.numpy as jnp
    >>> jnp.cumprod(jnp.array([1, 2, 3]))
    Array([1, 2, 6], dtype=int32)
    """
    return _running("cumprod", lax.cumprod, a, axis, dtype, out, None)


def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """``cumsum`` with NaN counted as 0.

    >>> import adlib.numpy as jnp
    >>> jnp.nancumsum(jnp.array([1.0, jnp.nan, 3.0]))
    Array([1., 1., 4.], dtype=float32)
    """
    return _running("nancumsum", lax.cumsum, a, axis, dtype, out, 0)


def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """``cumprod`` with NaN counted as 1.

    >>> import adlib.numpy as jnp
    >>> jnp.nancumprod(jnp.array([2.0, jnp.nan, 3.0]))
    Array([2., 2., 6.], dtype=float32)
    """
    return _running("nancumprod", lax.cumprod, a, axis, dtype, out, 1)


def _cumulative(name: str, running: Any, x: Any, axis: Any, dtype: Any, first: Any) -> Array:
    x = to_array(x, name)
    if axis is None:
        if x.aval.ndim != 1:
            raise ValueError(
                f"The input array has rank {x.aval.ndim}, however axis was not set to an explicit "
                f"value. The axis argument is only optional for one-dimensional arrays.{here()}"
            )
        axis = 0
    axis = axis_of(axis, x.aval.ndim)
    result = running(x, axis, accumulation_dtype(x.aval.dtype) if dtype is None else dtype)
    if first is None:
        return result
    config = tuple([(int(i == axis), 0, 0) for i in range(x.aval.ndim)])
    return lax.pad(result, scalar(first, result.aval.dtype), config)


def cumulative_sum(
    x: Any, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """``cumsum`` of the array API: a leading 0 with ``include_initial``.

    >>> import adlib.numpy as jnp
    >>> jnp.cumulative_sum(jnp.array([1, 2]), include_initial=True)
    Array([0, 1, 3], dtype=int32)
    """
    first = 0 if include_initial else None
    return _cumulative("cumulative_sum", cumsum, x, axis, dtype, first)


def cumulative_prod(
    x: Any, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """``cumprod`` of the array API: a leading 1 with ``include_initial``.

    >>> import adlib.numpy as jnp
    >>> jnp.cumulative_prod(jnp.array([2, 3]), include_initial=True)
    Array([1, 2, 6], dtype=int32)
    """
    first = 1 if include_initial else None
    return _cumulative("cumulative_prod", cumprod, x, axis, dtype, first)
