"""Solving systems, inverses, determinants, powers."""

from __future__ import annotations

import math
import operator
from typing import Any, NamedTuple

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array
from adlib.lax import linalg
from adlib.numpy.linalg.norms import matrix_rank, one_inexact, weakly
from adlib.numpy.promotion import (
    broadcast_array,
    broadcast_shapes,
    convert,
    promote_dtypes_inexact,
    to_array,
)
from adlib.ops.linalg import determinant, lu
from adlib.ops.linalg.parts import constant
from adlib.ops.linalg.pseudo_inverse import pinv_p


class SlogdetResult(NamedTuple):
    """What ``slogdet`` returns."""

    sign: Any
    logabsdet: Any


def _square(name: str, a: Any) -> Array:
    """The argument as a stack of square matrices of floats."""
    x = one_inexact(name, a)
    shape = x.aval.shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(
            f"Argument to {name} must have shape [..., n, n], got {shape}.{here()}\n  The last "
            "two axes are the rows and columns of each matrix, and must be of equal size."
        )
    return x


def _wide(x: Array) -> tuple[Array, Any]:
    """Small matrices of half precision in float32, and the dtype they had."""
    own = x.aval.dtype
    small = own.itemsize == 2 and x.aval.shape[-1] <= 3
    return (convert(x, np.dtype(np.float32)) if small else x), own


def solve(a: Any, b: Any) -> Array:
    """``x`` with ``a x = b``.

    Args:
      a: (..., n, n) regular matrices; integers become floats.
      b: (n,) for one right-hand side, otherwise (..., n, k). Leading axes broadcast.

    Returns:
      (..., n) or (..., n, k). Where a matrix is singular the result has infinities or NaN.

    Raises ValueError where shapes do not fit.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.solve(jnp.array([[2.0, 0.0], [0.0, 4.0]]), jnp.array([2.0, 2.0]))
    Array([1. , 0.5], dtype=float32)
    """
    a, b = promote_dtypes_inexact("solve", a, b)
    given = a, b
    if a.aval.ndim < 2:
        raise ValueError(
            f"left hand array must be at least two dimensional; got a.shape={a.aval.shape}{here()}"
        )
    a = _square("solve", a)
    b = convert(b, a.aval.dtype)
    vector = b.aval.ndim == 1
    if not b.aval.ndim or b.aval.shape[-1 if vector else -2] != a.aval.shape[-1]:
        raise ValueError(
            f"solve: right-hand sides of shape {b.aval.shape} do not fit matrices of shape "
            f"{a.aval.shape}.{here()}\n  b must have shape ({a.aval.shape[-1]},) or "
            f"(..., {a.aval.shape[-1]}, k)."
        )
    if vector:
        b = lax.expand_dims(b, (1,))
    lead = broadcast_shapes(a.aval.shape[:-2], b.aval.shape[:-2], what="solve")
    a = broadcast_array(a, lead + a.aval.shape[-2:])
    b = broadcast_array(b, lead + b.aval.shape[-2:])
    x = lu.solve(a, b)
    return weakly(lax.squeeze(x, (-1,)) if vector else x, *given)


def inv(a: Any) -> Array:
    """The inverses of (..., n, n) matrices; infinities or NaN where there is none.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.inv(jnp.array([[2.0, 0.0], [0.0, 4.0]]))
    Array([[0.5 , 0.  ],
           [0.  , 0.25]], dtype=float32)
    """
    return lu.inverse(_square("inv", a))


def det(a: Any) -> Array:
    """Determinants of (..., n, n) matrices; differentiable where they vanish, too.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.det(jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    Array(-2., dtype=float32)
    """
    x, own = _wide(_square("det", a))
    return weakly(convert(determinant.det(x), own), a)


def slogdet(a: Any, *, method: str | None = None) -> SlogdetResult:
    """Sign (for complex matrices: phase) and logarithm of the size of determinants.

    Args:
      a: (..., n, n).
      method: None, "lu" or "qr": accepted, the result is the same.

    Returns:
      ``SlogdetResult(sign, logabsdet)``, ``det(a) = sign * exp(logabsdet)``.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.slogdet(jnp.diag(jnp.array([-1.0, 1.0])))
    SlogdetResult(sign=Array(-1., dtype=float32), logabsdet=Array(0., dtype=float32))
    """
    if method not in (None, "lu", "qr"):
        raise ValueError(
            f"Unknown slogdet method '{method}'. Supported methods are 'lu' (`None`), and 'qr'."
            f"{here()}"
        )
    x, own = _wide(_square("slogdet", a))
    sign, logabsdet = determinant.slogdet(x)
    if own == x.aval.dtype:
        return SlogdetResult(sign, logabsdet)
    return SlogdetResult(convert(sign, own), convert(logabsdet, own))


def pinv(a: Any, rtol: Any = None, hermitian: bool = False, *, rcond: Any = None) -> Array:
    """Moore–Penrose pseudo-inverses of (..., m, n) matrices, (..., n, m).

    Args:
      a: the matrices.
      rtol: singular values of at most this times the largest count as zero; by default
        10 max(m, n) times the dtype's precision. ``rcond`` is its older name.
      hermitian: accepted; the result is the same.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.pinv(jnp.array([[2.0], [0.0]]))
    Array([[0.5, 0. ]], dtype=float32)
    """
    x = one_inexact("pinv", a)
    if x.aval.ndim < 2:
        raise ValueError(
            f"pinv takes matrices, got an array of shape {x.aval.shape}.{here()}\n"
            "  Repair: x[:, None] makes a column of a vector, x[None, :] a row."
        )
    rtol = rcond if rtol is None else rtol
    real = dtypes.real_of(x.aval.dtype)
    if rtol is None:
        rtol = 10.0 * max(x.aval.shape[-2:], default=1) * float(np.finfo(real).eps)
    tolerance = broadcast_array(convert(to_array(rtol, "pinv"), real), x.aval.shape[:-2])
    return pinv_p.bind(x, tolerance)


def lstsq(
    a: Any, b: Any, rcond: Any = None, *, numpy_resid: bool = False
) -> tuple[Array, Array, Array, Array]:
    """``x`` that minimises ``‖a x - b‖``, the shortest where there are several.

    Args:
      a: (m, n).
      b: (m,) or (m, k).
      rcond: relative size under which singular values count as zero; by default max(m, n)
        times the dtype's precision, and -1 means the precision itself.
      numpy_resid: return residuals only where NumPy does: m > n and a of full rank, which
        cannot be known under a transformation.

    Returns:
      (x, sums of squared residuals, rank of a, singular values of a).

    >>> import adlib.numpy as jnp
    >>> x, squares, rank, _ = jnp.linalg.lstsq(jnp.ones((2, 1)), jnp.array([1.0, 3.0]))
    >>> x.round(4), squares.round(4), rank
    (Array([2.], dtype=float32), Array([2.], dtype=float32), Array(1, dtype=int32))
    """
    a, b = promote_dtypes_inexact("lstsq", a, b)
    if a.aval.ndim != 2 or b.aval.ndim not in (1, 2):
        raise TypeError(
            f"lstsq takes a matrix and a vector or matrix, got shapes {a.aval.shape} and "
            f"{b.aval.shape}.{here()}"
        )
    m, n = a.aval.shape
    if b.aval.shape[0] != m:
        raise ValueError(
            f"lstsq: leading dimensions must be equal, got {a.aval.shape} and {b.aval.shape}."
            f"{here()}"
        )
    eps = float(np.finfo(dtypes.real_of(a.aval.dtype)).eps)
    if rcond is None:
        rcond = max(m, n) * eps
    elif isinstance(rcond, (int, float)) and rcond < 0:
        rcond = eps
    inverse = pinv(a, rcond)
    x = _times(inverse, b)
    rest = lax.sub(_times(a, x), b)
    squares = (
        lax.real(lax.mul(rest, lax.conj(rest)))
        if dtypes.is_complex(rest.aval.dtype)
        else (lax.mul(rest, rest))
    )
    residuals = lax.reduce_sum(squares, (0,))
    rank = matrix_rank(a, rcond)
    if numpy_resid and not (m > n and int(rank) == n):
        residuals = lax.slice_in_dim(lax.reshape(residuals, (residuals.aval.size,)), 0, 0)
    elif residuals.aval.ndim == 0:
        residuals = lax.reshape(residuals, (1,))
    return x, residuals, rank, weakly(linalg.svd(a, compute_uv=False), a, b)


def _times(a: Array, b: Array) -> Array:
    return lax.dot_general(a, b, (((1,), (0,)), ((), ())))


def matrix_power(a: Any, n: int) -> Array:
    """``a`` multiplied by itself ``n`` times, by repeated squaring; of the inverse for n < 0.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.matrix_power(jnp.array([[1.0, 1.0], [0.0, 1.0]]), 3)
    Array([[1., 3.],
           [0., 1.]], dtype=float32)
    """
    x = to_array(a, "matrix_power")
    if x.aval.ndim < 2 or x.aval.shape[-1] != x.aval.shape[-2]:
        raise TypeError(
            f"Last 2 dimensions of the array must be square, got shape {x.aval.shape}{here()}"
        )
    try:
        n = operator.index(n)
    except TypeError:
        raise TypeError(f"exponent must be an integer, got {n}{here()}") from None
    if n == 0:
        return broadcast_array(constant("eye", x), x.aval.shape)
    if n < 0:
        x, n = inv(x), -n
    result = None
    while True:
        if n & 1:
            result = x if result is None else _stacked(result, x)
        n >>= 1
        if not n:
            return result
        x = _stacked(x, x)


def _stacked(x: Array, y: Array) -> Array:
    rank = x.aval.ndim
    batch = tuple(range(rank - 2))
    return lax.dot_general(x, y, (((rank - 1,), (rank - 2,)), (batch, batch)), None, x.aval.dtype)


def tensorinv(a: Any, ind: int = 2) -> Array:
    """The inverse of the linear map that ``a`` is by ``tensordot(a, x, ind)``.

    ``a`` has as many elements over its first ``ind`` axes as over the rest.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.tensorinv(2 * jnp.eye(4).reshape(4, 2, 2), ind=1).shape
    (2, 2, 4)
    """
    x = to_array(a, "tensorinv")
    ind = operator.index(ind)
    if ind <= 0:
        raise ValueError(f"ind must be a positive integer; got ind={ind}{here()}")
    first, last = x.aval.shape[:ind], x.aval.shape[ind:]
    size = math.prod(first)
    if size != math.prod(last):
        raise ValueError(
            f"tensorinv: the product of the first {ind} sizes of shape {x.aval.shape} must equal "
            f"that of the others.{here()}"
        )
    return lax.reshape(inv(lax.reshape(x, (size, size))), (*last, *first))


def tensorsolve(a: Any, b: Any, axes: tuple[int, ...] | None = None) -> Array:
    """``x`` with ``tensordot(a, x, x.ndim) = b``; ``axes`` of ``a`` are first moved last.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.tensorsolve(2 * jnp.eye(4).reshape(4, 2, 2), jnp.ones(4))
    Array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """
    x, b = to_array(a, "tensorsolve"), to_array(b, "tensorsolve")
    if axes is not None:
        rank = x.aval.ndim
        moved = [i % rank for i in axes]
        x = lax.transpose(x, [i for i in range(rank) if i not in moved] + moved)
    shape = x.aval.shape[b.aval.ndim :]
    size = math.prod(shape)
    if x.aval.shape[: b.aval.ndim] != b.aval.shape or size != b.aval.size:
        raise ValueError(
            f"tensorsolve: shapes {x.aval.shape} and {b.aval.shape} do not fit.{here()}\n  The "
            "first axes of a must be those of b, and the others hold as many elements."
        )
    out = solve(lax.reshape(x, (size, size)), lax.reshape(b, (size,)))
    return lax.reshape(out, shape)
