"""What the rules of matrix factorizations share: checks, masks, adjoints, LAPACK's loader.

Stacks of matrices have shape (..., rows, columns) and every operation works on each matrix
of the stack.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import ArrayImpl, from_nothing
from adlib.core.avals import ShapedArray
from adlib.ops.arithmetic import add, eq, mul
from adlib.ops.conversion import conj, convert
from adlib.ops.dot import dot_general_p, matrix_product
from adlib.ops.reshaping import (
    broadcast_to,
    expand_dims,
    full_like,
    moveaxis,
    reduce_sum,
    transpose,
)

FULL = frozenset(np.dtype(d) for d in (np.float32, np.float64, np.complex64, np.complex128))

# --------------------------------------------------------------------- checks


def check_matrix(name: str, x: ShapedArray, square: bool = False) -> None:
    """Raise unless ``x`` is a stack of (square) matrices of floats or complex numbers."""
    if x.ndim < 2:
        raise TypeError(
            f"Input 0 to {name} must have rank at least 2, but got shape={x.shape}.{here()}\n"
            "  Repair: x[:, None] makes a column of a vector, x[None, :] a row."
        )
    if square and x.shape[-1] != x.shape[-2]:
        raise ValueError(
            f"The input to {name} must be a square matrix. Got shape {x.shape}.{here()}\n"
            "  The last two axes must be of equal size, as in (..., n, n)."
        )
    check_precision(name, x)


def check_precision(name: str, x: ShapedArray) -> None:
    """Raise unless LAPACK computes with the dtype of ``x``."""
    if x.dtype in FULL:
        return
    error = NotImplementedError if dtypes.is_inexact(x.dtype) else TypeError
    raise error(
        f"{name} does not accept dtype {x.dtype}: it computes in float32, float64, complex64 "
        f"or complex128.{here()}\n  Repair: convert with x.astype(jnp.float32)."
    )


# ----------------------------------------------------------- kernels' helpers


class _Lapack:
    """SciPy's BLAS and LAPACK wrappers, imported when the first of them is called."""

    @functools.cached_property
    def blas(self) -> Any:
        import scipy.linalg.blas

        return scipy.linalg.blas

    @functools.cached_property
    def lapack(self) -> Any:
        import scipy.linalg.lapack

        return scipy.linalg.lapack

    @functools.cached_property
    def scipy(self) -> Any:
        import scipy.linalg

        return scipy.linalg


libraries = _Lapack()

_LETTERS = {
    np.dtype(np.float32): "s",
    np.dtype(np.float64): "d",
    np.dtype(np.complex64): "c",
    np.dtype(np.complex128): "z",
}


def letter(dtype: Any) -> str:
    """LAPACK's letter for a dtype: ``s``, ``d``, ``c`` or ``z``."""
    return _LETTERS[np.dtype(dtype)]


def on_cpu(xp: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` of NumPy arrays for arrays of ``xp``: where a GPU library lacks a routine."""
    if xp is np:
        return function

    def moved(*arrays: Any) -> Any:
        out = function(*[a.get() if hasattr(a, "get") else np.asarray(a) for a in arrays])
        return tuple(map(xp.asarray, out)) if isinstance(out, tuple) else xp.asarray(out)

    return moved


def each_matrix(function: Callable[..., Any], core: Sequence[int], *arrays: Any) -> Any:
    """Apply ``function`` to the corresponding entries of stacks; results are stacked.

    ``core`` gives for each array how many trailing axes one entry has. Where the stacks are
    empty the function sees zeros, for the shapes of its results.
    """
    batch = arrays[0].shape[: arrays[0].ndim - core[0]]
    if not batch:
        return function(*arrays)
    flat = [a.reshape((-1, *a.shape[a.ndim - c :])) for a, c in zip(arrays, core, strict=True)]
    count = flat[0].shape[0]
    if count == 0:
        outs = [function(*[np.zeros(f.shape[1:], f.dtype) for f in flat])]
    else:
        outs = [function(*[f[i] for f in flat]) for i in range(count)]

    def stacked(parts: Sequence[Any]) -> Any:
        return np.stack(parts)[:count].reshape(batch + np.shape(parts[0]))

    if isinstance(outs[0], tuple):
        return tuple(stacked(parts) for parts in zip(*outs, strict=True))
    return stacked(outs)


def nan_where_it_fails(
    xp: Any, function: Callable[..., Any], x: Any, shapes: Sequence[tuple[tuple[int, ...], Any]]
) -> tuple[Any, ...]:
    """``function(x)``, with NaN for each matrix on which the library gives up.

    ``shapes`` holds (shape, dtype) of one matrix's results.
    """
    try:
        out = function(x)
        return out if isinstance(out, tuple) else (out,)
    except np.linalg.LinAlgError:
        if x.ndim > 2:
            rows = [nan_where_it_fails(xp, function, m, shapes) for m in x]
            return tuple(xp.stack(parts) for parts in zip(*rows, strict=True))
        return tuple(xp.full(shape, np.nan, dtype) for shape, dtype in shapes)


def has_nan(xp: Any, x: Any) -> Any:
    """For each matrix of a stack whether it holds a NaN or an infinity, shape (..., 1, 1)."""
    return ~xp.isfinite(x).all(axis=(-2, -1), keepdims=True)


# ------------------------------------------------------------- rules' helpers


def matrix_transpose(x: Any) -> Any:
    """The transpose of each matrix."""
    rank = len(x.aval.shape)
    return transpose(x, (*range(rank - 2), rank - 1, rank - 2))


def conjugate(x: Any) -> Any:
    return conj(x) if dtypes.is_complex(x.aval.dtype) else x


def adjoint(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return matrix_transpose(conjugate(x))


def product(*xs: Any) -> Any:
    """The matrix product of several stacks, from the left to the right."""
    return functools.reduce(matrix_product, xs)


def adjoint_product(x: Any, y: Any) -> Any:
    """``xᴴ y`` without transposing ``x`` in memory."""
    rank = len(x.aval.shape)
    batch = tuple(range(rank - 2))
    return dot_general_p.bind(
        conjugate(x),
        y,
        dimension_numbers=(((rank - 2,), (rank - 2,)), (batch, batch)),
        precision=None,
        preferred_element_type=None,
    )


def symmetrized(x: Any) -> Any:
    """``(x + xᴴ) / 2``."""
    return mul(add(x, adjoint(x)), full_like(x, 0.5))


@functools.lru_cache(maxsize=256)
def _constant(key: tuple[Any, ...], rank: int, dtype: Any) -> ArrayImpl:
    kind, rows, columns, offset = key
    if kind == "lower":
        value = np.tri(rows, columns, offset)
    elif kind == "upper":
        value = 1 - np.tri(rows, columns, offset - 1)
    elif kind == "half lower":
        value = np.tri(rows, columns) - 0.5 * np.eye(rows, columns)
    else:
        value = np.eye(rows, columns, offset)
    value = value.astype(dtype).reshape((1,) * (rank - 2) + (rows, columns))
    return from_nothing(value, ShapedArray(value.shape, np.dtype(dtype)))


def constant(kind: str, like: Any, offset: int = 0) -> ArrayImpl:
    """A matrix of zeros and ones that broadcasts against the matrices of ``like``.

    ``kind`` is "lower", "upper" (triangles from diagonal ``offset``), "eye", or
    "half lower", the lower triangle with halves on the diagonal.
    """
    *batch, rows, columns = like.aval.shape
    return _constant((kind, rows, columns, offset), len(batch) + 2, like.aval.dtype)


def lower(x: Any, offset: int = 0) -> Any:
    """``x`` with zeros above diagonal ``offset``."""
    return mul(x, constant("lower", x, offset))


def upper(x: Any, offset: int = 0) -> Any:
    """``x`` with zeros below diagonal ``offset``."""
    return mul(x, constant("upper", x, offset))


def from_lower(x: Any) -> Any:
    """The Hermitian matrix whose lower triangle is that of ``x``."""
    half = mul(x, constant("half lower", x))
    return add(half, adjoint(half))


def diagonal_of(x: Any) -> Any:
    """The main diagonals of square matrices."""
    return reduce_sum(mul(x, constant("eye", x)), (len(x.aval.shape) - 2,))


def columns(v: Any) -> Any:
    """Vectors (..., n) as (..., 1, n): they scale the columns of a matrix."""
    return expand_dims(v, (len(v.aval.shape) - 1,))


def rows(v: Any) -> Any:
    """Vectors (..., n) as (..., n, 1): they scale the rows of a matrix."""
    return expand_dims(v, (len(v.aval.shape),))


def one_hot_rows(order: Any, like: Any) -> Any:
    """Permutations (..., n) as matrices of zeros and ones, of the dtype of ``like``.

    Multiplied from the left they rearrange rows: row i of the product is row ``order[i]``.
    """
    size = order.aval.shape[-1]
    places = np.arange(size, dtype=order.aval.dtype).reshape((1,) * len(order.aval.shape) + (size,))
    constant_ = from_nothing(places, ShapedArray(places.shape, places.dtype))
    return convert(eq(rows(order), constant_), like.aval.dtype)


def at_front(axis: Any, x: Any, d: int | None) -> Any:
    """``x`` with the batch axis first, made by repetition where it has none."""
    if d is None:
        return broadcast_to(x, (axis.size, *x.aval.shape))
    return moveaxis(x, d, 0)


def stacked_batch(primitive: Callable[[], Any]) -> Callable[..., Any]:
    """Batching rule of operations on stacks: one more leading axis."""

    def rule(axis: Any, args: Sequence[Any], dims: Sequence[Any], **params: Any) -> Any:
        p = primitive()
        out = p.bind(*[at_front(axis, x, d) for x, d in zip(args, dims, strict=True)], **params)
        return (out, [0] * len(out)) if p.multiple_results else (out, 0)

    return rule
