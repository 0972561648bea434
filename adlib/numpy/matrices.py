"""Matrices of a given form: identity, triangles, diagonals, and the indices of these."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import backend, dtypes
from adlib.core.array import Array, from_nothing, scalar
from adlib.core.avals import ShapedArray
from adlib.numpy.axes import axis_of
from adlib.numpy.choosing import nonzero
from adlib.numpy.creation import array, computing, shape_of, wanted_dtype
from adlib.numpy.promotion import broadcast_array, convert, index_dtype, to_array
from adlib.numpy.ufuncs import power


def _float_or(dtype: Any, what: str) -> Any:
    return dtypes.canonicalize_dtype(np.float64) if dtype is None else wanted_dtype(dtype, what)


def _shifted_comparison(shape: tuple[int, ...], k: Any, compare: Any) -> Array:
    """``compare(row + k, column)`` for every place of matrices of this shape."""
    integer = index_dtype()
    rank = len(shape)
    row = lax.broadcasted_iota(integer, shape, rank - 2)
    column = lax.broadcasted_iota(integer, shape, rank - 1)
    offset = k if isinstance(k, Array) else scalar(operator.index(k), integer)
    if not dtypes.is_integer(offset.aval.dtype):
        raise TypeError(f"The offset k of a diagonal is an integer, got {k}.{here()}")
    shift = convert(offset, integer)
    return compare(lax.add(row, shift), column)


def eye(N: Any, M: Any = None, k: Any = 0, dtype: Any = None, *, device: Any = None) -> Array:
    """Ones on a diagonal, zeros elsewhere.

    Args:
      N, M: numbers of rows and columns (as many, if left out).
      k: how far the diagonal stands right of the main one.

    >>> import adlib.numpy as jnp
    >>> jnp.eye(2)
    Array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    (rows,) = shape_of(N, "argument of 'N' jnp.eye().")
    columns = rows if M is None else shape_of(M, "argument of 'M' jnp.eye().")[0]
    if rows < 0 or columns < 0:
        raise ValueError(f"negative dimensions are not allowed, got {rows} and {columns}{here()}")
    if not isinstance(k, Array) and not isinstance(k, (int, np.integer)):
        raise ValueError(f"eye: the offset k of the diagonal is an integer, got {k}.{here()}")
    found = _float_or(dtype, "eye")
    if computing() and isinstance(k, int):
        made = backend.default().xp.eye(rows, columns, k, found)
        return from_nothing(made, ShapedArray((rows, columns), found))
    return convert(_shifted_comparison((rows, columns), k, lax.eq), found)


def identity(n: Any, dtype: Any = None) -> Array:
    """The identity matrix with ``n`` rows.

    >>> import adlib.numpy as jnp
    >>> jnp.identity(2, int)
    Array([[1, 0],
           [0, 1]], dtype=int32)
    """
    return eye(n, dtype=dtype)


def tri(N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> Array:
    """Ones at and below a diagonal, zeros above.

    >>> import adlib.numpy as jnp
    >>> jnp.tri(2, 3)
    Array([[1., 0., 0.],
           [1., 1., 0.]], dtype=float32)
    """
    (rows,) = shape_of(N)
    columns = rows if M is None else shape_of(M)[0]
    if rows < 0 or columns < 0:
        raise TypeError(
            f"tri shape must have every element be nonnegative, got {(rows, columns)}.{here()}"
        )
    return convert(
        _shifted_comparison((rows, columns), k, lax.ge),
        np.dtype(np.float32) if dtype is None else wanted_dtype(dtype, "tri"),
    )


def _triangle(name: str, m: Any, k: Any, lower: bool) -> Array:
    x = to_array(m, name)
    if x.aval.ndim < 2:
        raise ValueError(f"jnp.{name} takes arrays of rank 2 or more, got {x.aval.shape}{here()}")
    below = _shifted_comparison(x.aval.shape, k if lower else operator.sub(k, 1), lax.ge)
    zeros = lax.full_like(x, 0)
    return lax.select_n(below, zeros, x) if lower else lax.select_n(below, x, zeros)


def tril(m: Any, k: Any = 0) -> Array:
    """The matrix with zeros above its ``k``-th diagonal.

    >>> import adlib.numpy as jnp
    >>> jnp.tril(jnp.array([[1, 2], [3, 4]]))
    Array([[1, 0],
           [3, 4]], dtype=int32)
    """
    return _triangle("tril", m, k, True)


def triu(m: Any, k: Any = 0) -> Array:
    """The matrix with zeros below its ``k``-th diagonal.

    >>> import adlib.numpy as jnp
    >>> jnp.triu(jnp.array([[1, 2], [3, 4]]))
    Array([[1, 2],
           [0, 4]], dtype=int32)
    """
    return _triangle("triu", m, k, False)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The elements on a diagonal of the matrices in two axes, as a last axis.

    >>> import adlib.numpy as jnp
    >>> jnp.diagonal(jnp.array([[1, 2], [3, 4]]))
    Array([1, 4], dtype=int32)
    """
    x = to_array(a, "diagonal")
    x = convert(x, x.aval.dtype)
    rank = x.aval.ndim
    if rank < 2:
        raise ValueError(f"diagonal requires an array of at least two dimensions.{here()}")
    i, j = axis_of(axis1, rank), axis_of(axis2, rank)
    if i == j:
        raise ValueError(f"axis1 and axis2 must be different, got {axis1} and {axis2}{here()}")
    offset = operator.index(offset)
    order = [k for k in range(rank) if k not in (i, j)]
    x = lax.transpose(x, [*order, i, j])
    *lead, rows, columns = x.aval.shape
    first_row, first_column = max(0, -offset), max(0, offset)
    length = max(0, min(rows - first_row, columns - first_column))
    # in row-major order the diagonal is every (columns + 1)-th element
    flat = lax.reshape(x, (*lead, rows * columns))
    start = first_row * columns + first_column
    stop = start + (length - 1) * (columns + 1) + 1 if length else start
    start, stop = (start, stop) if length else (0, 0)
    return lax.slice_in_dim(flat, start, stop, columns + 1, axis=len(lead))


def diag(v: Any, k: int = 0) -> Array:
    """The matrix with a vector on its diagonal, or the diagonal of a matrix.

    Raises ValueError for other ranks.

    >>> import adlib.numpy as jnp
    >>> jnp.diag(jnp.array([1, 2]))
    Array([[1, 0],
           [0, 2]], dtype=int32)
    """
    x = to_array(v, "diag")
    if x.aval.ndim == 2:
        return diagonal(x, k)
    if x.aval.ndim != 1:
        raise ValueError(f"diag input must be 1d or 2d, got shape {x.aval.shape}{here()}")
    k = operator.index(k)
    # element i stands in row i (k >= 0) or column i, so padding moves it there
    before, after = max(0, k), max(0, -k)
    size = x.aval.shape[0] + abs(k)
    zero = scalar(0, x.aval.dtype, x.aval.weak_type)
    column = lax.pad(x, zero, [(after, before, 0)])
    on = _shifted_comparison((size, size), k, lax.eq)
    spread = lax.broadcast_in_dim(column, (size, size), (0,))
    return lax.select_n(on, broadcast_array(zero, (size, size)), spread)


def diagflat(v: Any, k: int = 0) -> Array:
    """The matrix with all elements of ``v`` on a diagonal.

    >>> import adlib.numpy as jnp
    >>> jnp.diagflat(jnp.array([[1, 2]]))
    Array([[1, 0],
           [0, 2]], dtype=int32)
    """
    x = to_array(v, "diagflat")
    x = convert(x, x.aval.dtype)
    return diag(lax.reshape(x, (x.aval.size,)), k)


def fill_diagonal(a: Any, val: Any, wrap: bool = False, *, inplace: bool = True) -> Array:
    """A copy with other values on the main diagonal; ``inplace=False`` must be given.

    >>> import adlib.numpy as jnp
    >>> jnp.fill_diagonal(jnp.zeros((2, 2)), 5.0, inplace=False)
    Array([[5., 0.],
           [0., 5.]], dtype=float32)
    """
    if inplace:
        raise NotImplementedError(
            "Arrays are immutable, so jnp.fill_diagonal returns a copy; say so with "
            f"inplace=False.{here()}"
        )
    if wrap:
        raise NotImplementedError("wrap=True is not implemented, must pass wrap=False.")
    x = to_array(a, "fill_diagonal")
    if x.aval.ndim < 2:
        raise ValueError(f"array must be at least 2-d, got shape {x.aval.shape}{here()}")
    if x.aval.ndim > 2 and len(set(x.aval.shape)) > 1:
        raise ValueError(f"All dimensions of input must be of equal length{here()}")
    count = min(x.aval.shape)
    place = np.arange(count)
    values = to_array(val, "fill_diagonal", 1)
    if values.aval.ndim:
        flat = lax.reshape(values, (values.aval.size,))
        values = flat[np.arange(count) % values.aval.size]  # type: ignore[index]
    return x.at[(place,) * x.aval.ndim].set(values)  # type: ignore[attr-defined,no-any-return]


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    """Vandermonde matrix: the powers of a vector's elements in columns.

    >>> import adlib.numpy as jnp
    >>> jnp.vander(jnp.array([1, 2, 3]))
    Array([[1, 1, 1],
           [4, 2, 1],
           [9, 3, 1]], dtype=int32)
    """
    v = to_array(x, "vander")
    v = convert(v, v.aval.dtype)
    if v.aval.ndim != 1:
        raise ValueError(f"x must be a one-dimensional array, got shape {v.aval.shape}{here()}")
    count = v.aval.shape[0] if N is None else operator.index(N)
    if count < 0:
        raise ValueError(f"N must be nonnegative, got {count}{here()}")
    exponents = range(count) if increasing else range(count - 1, -1, -1)
    if not count:
        return lax.full((v.aval.shape[0], 0), scalar(0, v.aval.dtype))
    return lax.stack([power(v, n) for n in exponents], 1)


# --------------------------------------------------------------------------- indices


def _index_pair(n: Any, k: Any, m: Any, upper: bool) -> tuple[Array, Array]:
    rows, k = operator.index(n), operator.index(k)
    columns = rows if m is None else operator.index(m)
    if rows < 0 or columns < 0:
        raise TypeError(
            f"The sizes of a matrix must not be negative, got {rows} and {columns}.{here()}"
        )
    below = np.tri(rows, columns, k - upper, bool)
    i, j = np.nonzero(~below if upper else below)
    return array(i), array(j)


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """Row and column indices of the lower triangle of a matrix.

    >>> import adlib.numpy as jnp
    >>> jnp.tril_indices(2)
    (Array([0, 1, 1], dtype=int32), Array([0, 0, 1], dtype=int32))
    """
    return _index_pair(n, k, m, False)


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """Row and column indices of the upper triangle of a matrix.

    >>> import adlib.numpy as jnp
    >>> jnp.triu_indices(2)
    (Array([0, 0, 1], dtype=int32), Array([0, 1, 1], dtype=int32))
    """
    return _index_pair(n, k, m, True)


def _matrix_shape(name: str, arr: Any) -> tuple[int, int]:
    shape = to_array(arr, name).aval.shape
    if len(shape) != 2:
        raise ValueError(f"Only 2-D inputs are accepted, got shape {shape}{here()}")
    return shape  # type: ignore[return-value]


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    """``tril_indices`` for the shape of a matrix.

    >>> import adlib.numpy as jnp
    >>> jnp.tril_indices_from(jnp.zeros((2, 2)), -1)
    (Array([1], dtype=int32), Array([0], dtype=int32))
    """
    rows, columns = _matrix_shape("tril_indices_from", arr)
    return tril_indices(rows, k, columns)


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    """``triu_indices`` for the shape of a matrix.

    >>> import adlib.numpy as jnp
    >>> jnp.triu_indices_from(jnp.zeros((2, 2)), 1)
    (Array([0], dtype=int32), Array([1], dtype=int32))
    """
    rows, columns = _matrix_shape("triu_indices_from", arr)
    return triu_indices(rows, k, columns)


def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """Indices of the main diagonal of an array with ``ndim`` axes of size ``n``.

    >>> import adlib.numpy as jnp
    >>> jnp.diag_indices(2)
    (Array([0, 1], dtype=int32), Array([0, 1], dtype=int32))
    """
    if operator.index(n) < 0 or operator.index(ndim) < 0:
        raise ValueError(f"n and ndim must be nonnegative, got {n} and {ndim}{here()}")
    return (lax.iota(index_dtype(), n),) * ndim


def diag_indices_from(arr: Any) -> tuple[Array, ...]:
    """``diag_indices`` for the shape of an array with axes of one size.

    >>> import adlib.numpy as jnp
    >>> jnp.diag_indices_from(jnp.zeros((2, 2)))
    (Array([0, 1], dtype=int32), Array([0, 1], dtype=int32))
    """
    shape = to_array(arr, "diag_indices_from").aval.shape
    if len(shape) < 2:
        raise ValueError(f"input array must be at least 2-d, got shape {shape}{here()}")
    if len(set(shape)) != 1:
        raise ValueError(f"All dimensions of input must be of equal length, got {shape}{here()}")
    return diag_indices(shape[0], len(shape))


def mask_indices(
    n: int, mask_func: Any, k: int = 0, *, size: int | None = None
) -> tuple[Array, ...]:
    """Indices of an n × n matrix where ``mask_func(matrix, k)`` is not zero.

    >>> import adlib.numpy as jnp
    >>> jnp.mask_indices(2, jnp.triu)
    (Array([0, 0, 1], dtype=int32), Array([0, 1, 1], dtype=int32))
    """
    ones = lax.full((n, n), 1)
    return nonzero(mask_func(ones, k), size=size)
