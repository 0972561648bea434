"""Functions along an axis: logsumexp, softmax, standardization, one-hot codes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.api.compilation import jit
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array
from adlib.numpy.promotion import promote_inexact


def _float(x: Any) -> Array:
    return promote_inexact("nn", x)[0]


def _axes(axis: Any, rank: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(rank))
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for a in axes:
        if not -rank <= a < rank:
            raise ValueError(f"axis {a} is out of bounds for array of dimension {rank}{here()}")
    return tuple(a % rank for a in axes)


def logsumexp(
    a: Any,
    axis: Any = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Any = None,
) -> Any:
    """``log(sum(b * exp(a)))``, computed without overflow.

    Args:
      a: array.
      axis: int, tuple of int, or None for all.
      b: factors, which broadcast against ``a``; 1 by default. May be negative.
      keepdims: keep the reduced axes with size 1.
      return_sign: give also the sign of the sum, and the logarithm of its size.
      where: mask of the elements that count.

    Returns:
      Array, or (array, sign). NaN where the sum is negative and ``return_sign`` is not set.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.logsumexp(jnp.array([1000.0, 1000.0]))
    Array(1000.6932, dtype=float32)
    """
    x = _float(a)
    if b is not None:
        x, factor = jnp.broadcast_arrays(*_promoted(x, b))
        x = jnp.where(factor != 0, x, -jnp.inf)
    if where is not None:
        x = jnp.where(where, x, -jnp.inf)
    axes = _axes(axis, x.aval.ndim)
    real = lax.real(x) if dtypes.is_complex(x.aval.dtype) else x
    greatest = jnp.max(real, axis=axes, keepdims=True, initial=-jnp.inf)
    # where all elements are -inf (or one is inf) the shift would make NaN
    greatest = lax.stop_gradient(jnp.where(jnp.isfinite(greatest), greatest, 0))
    terms = jnp.exp(x - greatest)
    if b is not None:
        terms = terms * factor
    total = jnp.sum(terms, axis=axes, keepdims=True)
    sign = jnp.sign(total)
    if return_sign or not dtypes.is_complex(x.aval.dtype):
        out = jnp.log(jnp.abs(total)) + greatest
        if not return_sign and b is not None:
            out = jnp.where(sign < 0, jnp.nan, out)
    else:
        out = jnp.log(total) + greatest
    if not keepdims:
        out, sign = jnp.squeeze(out, axes), jnp.squeeze(sign, axes)
    return (out, sign) if return_sign else out


def _promoted(a: Array, b: Any) -> tuple[Any, Any]:
    other = _float(b)
    dtype = jnp.promote_types(a.aval.dtype, other.aval.dtype)
    return a.astype(dtype), other.astype(dtype)  # type: ignore[attr-defined]


def logmeanexp(x: Any, axis: Any = None, where: Any = None, keepdims: bool = False) -> Array:
    """``log(mean(exp(a)))``, computed without overflow.

    ``x`` is an array, the other arguments are as for ``logsumexp``; with ``where``, the mean of
    the elements that count.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.logmeanexp(jnp.array([1000.0, 1000.0]))
    Array(1000., dtype=float32)
    """
    x = _float(x)
    total = logsumexp(x, axis=axis, where=where, keepdims=keepdims)
    axes = _axes(axis, x.aval.ndim)
    if where is None:
        count: Any = float(math.prod(x.aval.shape[i] for i in axes))
    else:
        mask = jnp.broadcast_to(where, x.aval.shape)
        count = jnp.sum(mask, axis=axes, keepdims=keepdims).astype(x.aval.dtype)
    return total - jnp.log(count)  # type: ignore[no-any-return]


def _shifted_exp(x: Array, axis: Any, where: Any) -> tuple[Array, Array]:
    """x minus its greatest element along the axis, and exp of that, 0 outside of ``where``."""
    masked = x if where is None else jnp.where(where, x, -jnp.inf)
    greatest = jnp.max(masked, axis=axis, keepdims=True, initial=-jnp.inf)
    shifted = masked - lax.stop_gradient(greatest)
    terms = jnp.exp(shifted)
    return shifted, terms if where is None else jnp.where(where, terms, 0.0)


def softmax(x: Any, axis: Any = -1, where: Any = None) -> Array:
    """``exp(x) / sum(exp(x))`` along ``axis``.

    Args:
      x: array.
      axis: int, tuple of int, or None for all.
      where: mask of the elements that count; the others get 0.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.softmax(jnp.array([0.0, 0.0]))
    Array([0.5, 0.5], dtype=float32)
    """
    value = _float(x)
    _, terms = _shifted_exp(value, axis, where)
    out = terms / jnp.sum(terms, axis=axis, keepdims=True)
    return out if where is None else jnp.where(where, out, 0)  # type: ignore[no-any-return]


_Program = Callable[..., Any]
_programs: dict[Any, _Program] = {}


def _kept(key: Any, make: Callable[[], _Program]) -> _Program:
    if key not in _programs:
        _programs[key] = jit(make())
    return _programs[key]


def log_softmax(x: Any, axis: Any = -1, where: Any = None) -> Array:
    """Logarithm of ``softmax``, without overflow; -inf outside of ``where``.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.log_softmax(jnp.array([0.0, 0.0]))
    Array([-0.69315, -0.69315], dtype=float32)
    """
    axis = tuple(axis) if isinstance(axis, list) else axis

    def make() -> _Program:
        def log_softmax(value: Array, *mask: Any) -> Array:
            chosen = mask[0] if mask else None
            shifted, terms = _shifted_exp(value, axis, chosen)
            out = shifted - jnp.log(jnp.sum(terms, axis=axis, keepdims=True))
            return out if chosen is None else jnp.where(chosen, out, -jnp.inf)  # type: ignore[no-any-return]

        return log_softmax

    mask = () if where is None else (jnp.asarray(where),)
    return _kept(("log_softmax", axis), make)(_float(x), *mask)  # type: ignore[no-any-return]


def standardize(
    x: Any,
    axis: Any = -1,
    mean: Any = None,
    variance: Any = None,
    epsilon: Any = 1e-5,
    where: Any = None,
    *,
    algorithm: str = "fast",
) -> Array:
    """``(x - mean) / sqrt(variance + epsilon)``: mean 0 and variance 1 along ``axis``.

    Args:
      x: array.
      axis: int, tuple of int, or None for all.
      mean, variance: computed from ``x`` where not given.
      epsilon: keeps the divisor from 0.
      where: mask of the elements that count for mean and variance.
      algorithm: ``"fast"`` for the variance as mean of squares minus square of the mean,
        ``"stable"`` for the mean of squared deviations.

    Raises ValueError for another algorithm.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.standardize(jnp.array([1.0, 2.0, 3.0])).round(3)
    Array([-1.225,  0.   ,  1.225], dtype=float32)
    """
    if algorithm not in ("fast", "stable"):
        raise ValueError(f"Unknown algorithm {algorithm!r}. Expected 'fast' or 'stable'.{here()}")
    value = _float(x)
    if mean is None:
        mean = jnp.mean(value, axis=axis, keepdims=True, where=where)
    if variance is None and algorithm == "fast":
        squares = jnp.mean(jnp.square(value), axis=axis, keepdims=True, where=where)
        variance = jnp.maximum(squares - jnp.square(mean), 0)  # rounding may lead below 0
    elif variance is None:
        variance = jnp.mean(jnp.square(value - mean), axis=axis, keepdims=True, where=where)
    return (value - mean) * lax.rsqrt(jnp.asarray(variance + epsilon))  # type: ignore[no-any-return]


def one_hot(x: Any, num_classes: int, *, dtype: Any = None, axis: int = -1) -> Array:
    """Codes of 0 and a single 1 at the given numbers; all 0 for numbers out of range.

    Args:
      x: integer array.
      num_classes: size of the new axis.
      dtype: dtype of the result; float32 by default.
      axis: place of the new axis in the result.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.one_hot(jnp.array([0, 2]), 3)
    Array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    codes = jnp.asarray(x)
    found = dtypes.canonicalize_dtype(np.float64 if dtype is None else dtype)
    rank = codes.aval.ndim + 1
    if not -rank <= axis < rank:
        raise ValueError(
            f"one_hot: axis {axis} is out of bounds for a result of rank {rank}{here()}"
        )
    place = axis % rank
    classes = operator.index(num_classes)

    def make() -> _Program:
        def _one_hot(values: Array) -> Array:
            wide = lax.expand_dims(values, (place,))
            shape = tuple(classes if i == place else 1 for i in range(rank))
            numbers = lax.broadcasted_iota(values.aval.dtype, shape, place)
            return lax.convert_element_type(wide == numbers, found)

        return _one_hot

    return _kept(("one_hot", classes, found, place, rank), make)(codes)  # type: ignore[no-any-return]
