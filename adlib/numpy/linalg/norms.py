"""Norms, and the numbers that come of them: condition, rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.lax import linalg
from adlib.numpy.axes import axes_of, axis_of
from adlib.numpy.promotion import broadcast_array, convert, promote_dtypes_inexact, to_array
from adlib.numpy.reductions import keep_dims
from adlib.ops.linalg.lu import inverse


def one_inexact(name: str, x: Any) -> Array:
    """The argument as an Array of floats or complex numbers, integers converted."""
    (x,) = promote_dtypes_inexact(name, x)
    return convert(x, x.aval.dtype)


def weakly(out: Array, *given: Any) -> Array:
    """``out``, weakly typed where all that was given is."""
    weak = all([to_array(x, "linalg").aval.weak_type for x in given])
    return convert(out, out.aval.dtype, weak)


def const(x: Array, value: Any) -> Array:
    """A constant of the dtype of ``x``."""
    return scalar(value, x.aval.dtype)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """Norm of a vector, a matrix, or of all such along the given axes.

    Args:
      x: array; integers become floats.
      ord: for vectors 0, ±1, ±2, ±inf or any p; for matrices "fro", "nuc", ±1, ±2, ±inf.
        None takes the square root of the sum of squares over all the axes meant.
      axis: an int for vectors, two ints for matrices, None for the whole of a 1-d or 2-d x.
      keepdims: keep the axes, with size 1.

    Returns:
      Real array. Its derivative where the norm is 0 is NaN, as there is none.

    Raises ValueError for an ``ord`` that does not exist and for more than two axes.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.norm(jnp.array([3.0, 4.0]))
    Array(5., dtype=float32)
    """
    x = one_inexact("norm", x)
    ndim = x.aval.ndim
    if axis is None and ord is None:
        return _euclidean(x, tuple(range(ndim)), keepdims)
    axes = axes_of(axis, ndim)
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) == 2:
        order = tuple(axis) if isinstance(axis, (tuple, list)) else axes
        rows, columns = (axis_of(a, ndim) for a in order)
        return _matrix_norm(x, "fro" if ord is None else ord, rows, columns, keepdims)
    raise ValueError(
        f"Improper number of axes for norm: axis={axes}. Pass one axis to compute a vector-norm, "
        f"or two axes to compute a matrix-norm.{here()}"
    )


def _reduced(x: Array, reduction: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    out = reduction(x, axes)
    return keep_dims(out, x.aval.shape, axes) if keepdims else out


def _euclidean(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    if dtypes.is_complex(x.aval.dtype):
        squares = lax.real(lax.mul(x, lax.conj(x)))
    else:
        squares = lax.mul(x, x)
    return lax.sqrt(_reduced(squares, lax.reduce_sum, axes, keepdims))


def _largest(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    out = _reduced(x, lax.reduce_max, axes, keepdims)
    return lax.max(const(out, 0), out)


def _vector_norm(x: Array, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    if ord == 2:
        return _euclidean(x, axes, keepdims)
    if isinstance(ord, str):
        raise ValueError(
            f"Invalid order '{ord}' for vector norm.{here()}\n  Vectors have the orders 0, 1, 2, "
            "p, inf and -inf; 'fro' and 'nuc' are norms of matrices."
        )
    if isinstance(ord, (int, float, np.number)) and np.isinf(ord):
        if ord > 0:
            return _largest(lax.abs(x), axes, keepdims)
        if any([x.aval.shape[a] == 0 for a in axes]):
            raise ValueError(
                f"norm of order -inf of an array without elements, of shape {x.aval.shape}: there "
                f"is no smallest one.{here()}"
            )
        return _reduced(lax.abs(x), lax.reduce_min, axes, keepdims)
    if isinstance(ord, (int, float, np.number)) and ord == 0:
        nonzero = convert(lax.ne(x, const(x, 0)), dtypes.real_of(x.aval.dtype))
        return _reduced(nonzero, lax.reduce_sum, axes, keepdims)
    sizes = lax.abs(x)
    if isinstance(ord, (int, float, np.number)) and ord == 1:
        return _reduced(sizes, lax.reduce_sum, axes, keepdims)
    power = convert(to_array(ord, "norm"), sizes.aval.dtype)
    total = _reduced(lax.pow(sizes, power), lax.reduce_sum, axes, keepdims)
    return lax.pow(total, lax.div(const(sizes, 1), power))


def _matrix_norm(x: Array, ord: Any, rows: int, columns: int, keepdims: bool) -> Array:
    axes = (rows, columns)
    if ord in ("fro", "f"):
        return _euclidean(x, tuple(sorted(axes)), keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        inside, outside = axes if abs(ord) == 1 else axes[::-1]
        sums = lax.reduce_sum(lax.abs(x), (inside,))
        left = (outside - (outside > inside),)
        out = _largest(sums, left, False) if ord > 0 else lax.reduce_min(sums, left)
        return keep_dims(out, x.aval.shape, axes) if keepdims else out
    if ord in (2, -2, "nuc"):
        kept = [i for i in range(x.aval.ndim) if i not in axes]
        values = linalg.svd(lax.transpose(x, (*kept, rows, columns)), compute_uv=False)
        last = (values.aval.ndim - 1,)
        if ord == 2:
            out = _largest(values, last, False)
        else:
            out = (lax.reduce_sum if ord == "nuc" else lax.reduce_min)(values, last)
        return keep_dims(out, x.aval.shape, axes) if keepdims else out
    raise ValueError(
        f"Invalid order '{ord}' for matrix norm.{here()}\n  Matrices have the orders 'fro', "
        "'nuc', 1, -1, 2, -2, inf and -inf."
    )


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """Norm of order ``ord`` of the vectors along ``axis``; of all entries where that is None.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.vector_norm(jnp.array([[1.0, 2.0], [3.0, 4.0]]), axis=1, ord=1)
    Array([3., 7.], dtype=float32)
    """
    x = one_inexact("vector_norm", x)
    axes = axes_of(axis, x.aval.ndim)
    return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Norm of order ``ord`` of each matrix (..., m, n): shape (...).

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.matrix_norm(jnp.array([[3.0, 0.0], [4.0, 0.0]]))
    Array(5., dtype=float32)
    """
    x = one_inexact("matrix_norm", x)
    ndim = x.aval.ndim
    if ndim < 2:
        raise ValueError(
            f"matrix_norm takes stacks of matrices, got an array of shape {x.aval.shape}.{here()}"
        )
    return _matrix_norm(x, ord, ndim - 2, ndim - 1, keepdims)


def cond(x: Any, p: Any = None) -> Array:
    """Condition number of (..., m, n) matrices in the norm of order ``p``, shape (...).

    None means 2: the ratio of the largest to the smallest singular value. Other orders need
    square matrices. Infinite where a matrix is singular.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.cond(jnp.diag(jnp.array([1.0, 4.0])))
    Array(4., dtype=float32)
    """
    given = to_array(x, "cond")
    x = one_inexact("cond", given)
    shape = x.aval.shape
    if len(shape) < 2 or 0 in shape[-2:]:
        raise ValueError(f"cond takes matrices with elements, got shape {shape}.{here()}")
    if p not in (None, 2, -2) and shape[-1] != shape[-2]:
        raise ValueError(
            f"cond of order p={p} takes square matrices, got shape {shape}.{here()}\n  p=None, 2 "
            "and -2 take others too."
        )
    if p in (None, 2, -2):
        values = linalg.svd(x, compute_uv=False)
        last = values.aval.ndim - 1
        first = lax.index_in_dim(values, 0, last, False)
        final = lax.index_in_dim(values, values.aval.shape[-1] - 1, last, False)
        ratio = lax.div(final, first) if p == -2 else lax.div(first, final)
    else:
        axes = (x.aval.ndim - 2, x.aval.ndim - 1)
        ratio = lax.mul(norm(x, p, axes), norm(inverse(x), p, axes))
    bad = lax.ne(ratio, ratio)
    infinite = broadcast_array(const(ratio, np.inf), ratio.aval.shape)
    bad = lax.bitwise_and(bad, lax.bitwise_not(_any_nan(x)))
    return weakly(lax.select(bad, infinite, ratio), given)


def _any_nan(x: Array) -> Array:
    axes = (x.aval.ndim - 2, x.aval.ndim - 1)
    return lax.reduce_or(lax.ne(x, x), axes)


def matrix_rank(M: Any, rtol: Any = None, *, hermitian: bool = False, tol: Any = None) -> Array:
    """Number of singular values above ``rtol`` times the largest, as an int32 array (...).

    ``rtol`` is by default max(m, n) times the dtype's precision; ``tol`` is its older name.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.matrix_rank(jnp.ones((3, 3)))
    Array(1, dtype=int32)
    """
    x = one_inexact("matrix_rank", M)
    rtol = tol if rtol is None else rtol
    if x.aval.ndim < 2:
        nonzero = lax.reduce_or(lax.ne(x, const(x, 0)), tuple(range(x.aval.ndim)))
        return convert(nonzero, np.dtype(np.int32))
    values = linalg.svd(x, compute_uv=False)
    last = values.aval.ndim - 1
    if rtol is None:
        rtol = max(x.aval.shape[-2:]) * float(np.finfo(values.aval.dtype).eps)
    rtol = convert(to_array(rtol, "matrix_rank"), values.aval.dtype)
    if rtol.aval.shape:
        rtol = lax.expand_dims(rtol, (rtol.aval.ndim,))
    largest = lax.slice_in_dim(values, 0, 1, 1, last)
    above = lax.gt(values, broadcast_array(lax.mul(largest, rtol), values.aval.shape))
    return lax.reduce_sum(convert(above, dtypes.canonicalize_dtype(np.int64)), (last,))
