"""Polynomials as vectors of coefficients, the highest power first."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy import linalg
from adlib.numpy.choosing import known_integers
from adlib.numpy.creation import array
from adlib.numpy.matrices import diag, vander
from adlib.numpy.promotion import (
    broadcast_array,
    convert,
    promote_dtypes,
    promote_dtypes_inexact,
    to_array,
)
from adlib.numpy.reductions import sum
from adlib.numpy.shaping import atleast_1d, concatenate
from adlib.numpy.signals import convolve
from adlib.numpy.ufuncs import add, multiply, true_divide


def _padded(a: Array, size: int) -> Array:
    return lax.pad(a, scalar(0, a.aval.dtype, a.aval.weak_type), [(size - a.aval.size, 0, 0)])


def _same_degree(name: str, a1: Any, a2: Any) -> list[Array]:
    a, b = promote_dtypes(name, a1, a2)
    a, b = atleast_1d(a, b)
    size = max(a.aval.size, b.aval.size)
    return [_padded(a, size), _padded(b, size)]


def polyval(p: Any, x: Any, *, unroll: int = 16) -> Array:
    """The value of a polynomial at ``x``, by Horner's rule.

    >>> import adlib.numpy as jnp
    >>> jnp.polyval(jnp.array([1.0, 2.0, 3.0]), 2.0)
    Array(11., dtype=float32)
    """
    p, x = promote_dtypes("polyval", p, x)
    result = lax.full_like(x, 0)
    for i in range(p.aval.shape[0]):
        result = add(multiply(result, x), p[i])  # type: ignore[index]
    return convert(result, result.aval.dtype)


def polyadd(a1: Any, a2: Any) -> Array:
    """Sum of two polynomials.

    >>> import adlib.numpy as jnp
    >>> jnp.polyadd(jnp.array([1, 2]), jnp.array([1, 0, 0]))
    Array([1, 1, 2], dtype=int32)
    """
    return lax.add(*_same_degree("polyadd", a1, a2))


def polysub(a1: Any, a2: Any) -> Array:
    """Difference of two polynomials.

    >>> import adlib.numpy as jnp
    >>> jnp.polysub(jnp.array([1, 0, 0]), jnp.array([1, 2]))
    Array([ 1, -1, -2], dtype=int32)
    """
    return lax.sub(*_same_degree("polysub", a1, a2))


def _trimmed(a: Array) -> Array:
    """Without leading zeros, which must be known."""
    nonzero = np.flatnonzero(known_integers("coefficients (with trim_leading_zeros=True)", a))
    if not nonzero.size:
        return lax.slice_in_dim(a, a.aval.size - 1, a.aval.size)
    return lax.slice_in_dim(a, int(nonzero[0]), a.aval.size)


def polymul(a1: Any, a2: Any, *, trim_leading_zeros: bool = False) -> Array:
    """Product of two polynomials.

    >>> import adlib.numpy as jnp
    >>> jnp.polymul(jnp.array([1.0, 1.0]), jnp.array([1.0, -1.0]))
    Array([ 1.,  0., -1.], dtype=float32)
    """
    a, b = promote_dtypes_inexact("polymul", a1, a2)
    if trim_leading_zeros:
        a, b = _trimmed(a), _trimmed(b)
    a, b = [_padded(p, 1) if not p.aval.size else p for p in atleast_1d(a, b)]
    return convolve(a, b, mode="full")


def polydiv(u: Any, v: Any, *, trim_leading_zeros: bool = False) -> tuple[Array, Array]:
    """Quotient and remainder of two polynomials.

    >>> import adlib.numpy as jnp
    >>> jnp.polydiv(jnp.array([1.0, 0.0, -1.0]), jnp.array([1.0, 1.0]))[0]
    Array([ 1., -1.], dtype=float32)
    """
    u, v = promote_dtypes_inexact("polydiv", u, v)
    _has_coefficients("polydiv", u, v)
    m, n = u.aval.shape[0] - 1, v.aval.shape[0] - 1
    rest, steps = u, []
    for k in range(max(m - n + 1, 0)):
        factor = true_divide(rest[k], v[0])  # type: ignore[index]
        steps.append(factor)
        rest = rest.at[k : k + n + 1].add(lax.neg(multiply(factor, v)))  # type: ignore[attr-defined]
    quotient = lax.stack(steps, 0) if steps else lax.full((1,), scalar(0, u.aval.dtype))
    quotient = convert(quotient, quotient.aval.dtype)
    return quotient, _trimmed(rest) if trim_leading_zeros else rest


def _has_coefficients(name: str, *polynomials: Array) -> None:
    for p in polynomials:
        if not p.aval.shape:
            raise TypeError(
                f"{name} takes polynomials as vectors of coefficients, got a number.{here()}\n"
                "  Repair: jnp.array([c]) is the constant polynomial c."
            )


def polyder(p: Any, m: int = 1) -> Array:
    """The ``m``-th derivative.

    >>> import adlib.numpy as jnp
    >>> jnp.polyder(jnp.array([1.0, 2.0, 3.0]))
    Array([2., 2.], dtype=float32)
    """
    (p,) = promote_dtypes_inexact("polyder", p)
    _has_coefficients("polyder", p)
    m = operator.index(m)
    if m < 0:
        raise ValueError(f"Order of derivative must be positive, got {m}{here()}")
    if not m:
        return p
    kept = p.aval.shape[0] - m
    if kept <= 0:
        return lax.full((0,), scalar(0, p.aval.dtype))
    powers = np.arange(kept)[::-1][:, None] + np.arange(1, m + 1)
    factors = lax.reshape(array(powers.prod(1), p.aval.dtype), (kept, *[1] * (p.aval.ndim - 1)))
    return lax.mul(lax.slice_in_dim(p, 0, kept), factors)


def polyint(p: Any, m: int = 1, k: Any = None) -> Array:
    """The ``m``-th integral, with the constants of integration ``k``.

    >>> import adlib.numpy as jnp
    >>> jnp.polyint(jnp.array([2.0, 2.0]))
    Array([1., 2., 0.], dtype=float32)
    """
    m = operator.index(m)
    if m < 0:
        raise ValueError(f"Order of integral must be positive, got {m}{here()}")
    p, k = promote_dtypes_inexact("polyint", p, 0 if k is None else k)
    _has_coefficients("polyint", p)
    k = atleast_1d(k)
    if k.aval.shape == (1,):
        k = broadcast_array(k, (m,))
    if k.aval.shape != (m,):
        raise ValueError(f"k must be a scalar or a rank-1 array of length 1 or {m}.{here()}")
    if not m:
        return p
    degree = p.aval.shape[0]
    powers = np.arange(degree + m - 1, -1, -1)[:, None] - np.arange(m)
    factors = array(np.maximum(powers, 1).prod(1), p.aval.dtype)
    return lax.div(lax.concatenate([p, k], 0), factors)


def poly(seq_of_zeros: Any) -> Array:
    """The polynomial with the given roots, or the characteristic one of a matrix.

    >>> import adlib.numpy as jnp
    >>> jnp.poly(jnp.array([1.0, 2.0]))
    Array([ 1., -3.,  2.], dtype=float32)
    """
    (zeros,) = promote_dtypes_inexact("poly", seq_of_zeros)
    zeros = atleast_1d(zeros)
    shape = zeros.aval.shape
    if shape == (0,):
        return scalar(1, zeros.aval.dtype)
    if len(shape) == 2 and shape[0] == shape[1] and shape[0]:
        zeros = linalg.eigvals(zeros)
    elif len(shape) != 1:
        raise ValueError(f"input must be 1d or non-empty square 2d array, got {shape}{here()}")
    one = scalar(1, zeros.aval.dtype)
    result = lax.reshape(one, (1,))
    for i in range(zeros.aval.shape[0]):
        root = lax.reshape(lax.neg(zeros[i]), (1,))  # type: ignore[index]
        result = convolve(result, lax.concatenate([lax.reshape(one, (1,)), root], 0), mode="full")
    return result


def _fit_points(x: Any, y: Any) -> list[Array]:
    x, y = promote_dtypes_inexact("polyfit", x, y)
    if x.aval.ndim != 1 or not x.aval.size:
        raise TypeError(f"expected non-empty 1D vector for x, got shape {x.aval.shape}{here()}")
    if y.aval.ndim not in (1, 2) or y.aval.shape[0] != x.aval.shape[0]:
        raise TypeError(
            f"expected x and y to have same length, got shapes {x.aval.shape} and "
            f"{y.aval.shape}{here()}"
        )
    return [x, y]


def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """The polynomial of degree ``deg`` that fits points best, in least squares.

    Args:
      x: vector of m points; y: vector of m values, or one column for each of several fits.
      rcond: relative size below which singular values count as zero.
      full: also return residuals, rank, singular values and ``rcond``.
      w: weights of the points. cov: also return the covariance of the coefficients.

    >>> import adlib.numpy as jnp
    >>> jnp.round(jnp.polyfit(jnp.arange(3.0), 2 * jnp.arange(3.0) + 1, 1), 3)
    Array([2., 1.], dtype=float32)
    """
    deg = operator.index(deg)
    if deg < 0:
        raise ValueError(f"expected deg >= 0, got {deg}{here()}")
    x, y = _fit_points(x, y)
    count, dtype = x.aval.shape[0], x.aval.dtype
    if rcond is None:
        rcond = count * float(np.finfo(dtype).eps)
    matrix, target = vander(x, deg + 1), y
    if w is not None:
        weight = convert(to_array(w, "polyfit"), dtype)
        if weight.aval.shape != x.aval.shape:
            raise TypeError(f"expected w and y to have the same length{here()}")
        matrix = lax.mul(matrix, lax.expand_dims(weight, (1,)))
        shape = (count, *[1] * (y.aval.ndim - 1))
        target = lax.mul(y, lax.reshape(weight, shape))
    scale = lax.sqrt(sum(lax.square(matrix), axis=0))
    c, residuals, rank, singular = linalg.lstsq(
        lax.div(matrix, lax.expand_dims(scale, (0,))), target, rcond
    )
    c = lax.div(c, lax.reshape(scale, (deg + 1, *[1] * (y.aval.ndim - 1))))
    if full:
        return c, residuals, rank, singular, scalar(rcond, dtype, isinstance(rcond, float))
    if not cov:
        return c
    inverse = linalg.inv(matrix.T @ matrix)
    if cov == "unscaled":
        factor: Any = 1.0
    else:
        if count <= deg + 1:
            raise ValueError(
                f"the number of data points must exceed order to scale the covariance "
                f"matrix{here()}"
            )
        factor = true_divide(residuals, count - deg - 1)
    return c, multiply(inverse, factor)


def roots(p: Any, *, strip_zeros: bool = True) -> Array:
    """The roots of a polynomial, complex, as eigenvalues of its companion matrix.

    Args:
      strip_zeros: drop zeros at both ends first, which must then be known.

    >>> import adlib.numpy as jnp
    >>> jnp.sort(jnp.roots(jnp.array([1.0, -3.0, 2.0])).real)
    Array([1., 2.], dtype=float32)
    """
    (p,) = promote_dtypes_inexact("roots", p)
    p = atleast_1d(p)
    if p.aval.ndim != 1:
        raise ValueError(f"roots takes a vector of coefficients, got shape {p.aval.shape}.{here()}")
    trailing = 0
    if strip_zeros:
        known = np.flatnonzero(known_integers("coefficients (with strip_zeros=True)", p))
        if not known.size:
            return lax.full((0,), scalar(0, dtypes.complex_of(p.aval.dtype)))
        trailing = p.aval.size - 1 - int(known[-1])
        p = lax.slice_in_dim(p, int(known[0]), int(known[-1]) + 1)
    degree = p.aval.size - 1
    complex_dtype = dtypes.complex_of(p.aval.dtype)
    if degree < 1:
        return lax.full((trailing,), scalar(0, complex_dtype))
    head = lax.slice_in_dim(p, 1, degree + 1)
    companion = diag(lax.full((degree - 1,), scalar(1, p.aval.dtype)), -1)
    companion = companion.at[0, :].set(lax.neg(true_divide(head, p[0])))  # type: ignore[attr-defined,index]
    found = linalg.eigvals(companion)
    if not trailing:
        return found
    return concatenate([lax.full((trailing,), scalar(0, complex_dtype)), lax.rev(found, (0,))])
