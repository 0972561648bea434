"""Products and diagonals, as the array API's linear algebra extension names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib import lax
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy import contraction
from adlib.numpy.contraction import vecdot
from adlib.numpy.promotion import convert, promote_dtypes, to_array
from adlib.ops.linalg.parts import matrix_transpose as _matrix_transpose

__all__ = [
    "cross",
    "diagonal",
    "matmul",
    "matrix_transpose",
    "multi_dot",
    "outer",
    "tensordot",
    "trace",
    "vecdot",
]


def matmul(
    x1: Any, x2: Any, /, *, precision: Any = None, preferred_element_type: Any = None
) -> Array:
    """Product of (stacks of) matrices, as ``jnp.matmul``.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.matmul(jnp.ones((2, 3)), jnp.ones((3, 1))).shape
    (2, 1)
    """
    return contraction.matmul(
        x1, x2, precision=precision, preferred_element_type=preferred_element_type
    )


def tensordot(
    x1: Any,
    x2: Any,
    /,
    *,
    axes: Any = 2,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: None = None,
) -> Array:
    """Product over several axes, as ``jnp.tensordot``.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.tensordot(jnp.ones((2, 3)), jnp.ones((3, 4)), axes=1).shape
    (2, 4)
    """
    return contraction.tensordot(
        x1, x2, axes, precision=precision, preferred_element_type=preferred_element_type
    )


def outer(x1: Any, x2: Any, /) -> Array:
    """All products of an element of ``x1`` and one of ``x2``, both of one axis.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.outer(jnp.array([1, 2]), jnp.array([3, 4]))
    Array([[3, 4],
           [6, 8]], dtype=int32)
    """
    x, y = promote_dtypes("outer", x1, x2)
    if x.aval.ndim != 1 or y.aval.ndim != 1:
        raise ValueError(
            f"Input arrays must be one-dimensional, but they are x1.ndim={x.aval.ndim} "
            f"x2.ndim={y.aval.ndim}{here()}\n  Repair: jnp.outer flattens its arguments."
        )
    return contraction.outer(x, y)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """Cross products of vectors of length 3 along ``axis``.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.cross(jnp.array([1.0, 0.0, 0.0]), jnp.array([0.0, 1.0, 0.0]))
    Array([0., 0., 1.], dtype=float32)
    """
    x, y = promote_dtypes("cross", x1, x2)
    sizes = [v.aval.shape[axis] if v.aval.ndim else 0 for v in (x, y)]
    if sizes != [3, 3]:
        raise ValueError(
            "Both input arrays must be (arrays of) 3-dimensional vectors, but they have "
            f"x1.shape[axis]={sizes[0]} and x2.shape[axis]={sizes[1]}{here()}"
        )
    return contraction.cross(x, y, axis=axis)


def matrix_transpose(x: Any, /) -> Array:
    """The transpose of each matrix: the last two axes exchanged.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.matrix_transpose(jnp.ones((2, 3, 4))).shape
    (2, 4, 3)
    """
    x = to_array(x, "matrix_transpose")
    if x.aval.ndim < 2:
        raise ValueError(
            f"x must be at least two-dimensional for matrix_transpose; got ndim={x.aval.ndim}"
            f"{here()}"
        )
    return _matrix_transpose(x)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """Sums of the diagonals of (..., m, n) matrices, shape (...).

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.trace(jnp.arange(4).reshape(2, 2))
    Array(3, dtype=int32)
    """
    return contraction.trace(x, offset=offset, axis1=-2, axis2=-1, dtype=dtype)


def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """Diagonals of (..., m, n) matrices, ``offset`` places to the right of the main one.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.diagonal(jnp.array([[1.0, 2.0], [3.0, 4.0]]), offset=1)
    Array([2.], dtype=float32)
    """
    x = to_array(x, "diagonal")
    x = convert(x, x.aval.dtype)
    if x.aval.ndim < 2:
        raise ValueError(f"diagonal requires at least two axes, got shape {x.aval.shape}.{here()}")
    *lead, m, n = x.aval.shape
    top, left = max(0, -offset), max(0, offset)
    size = max(0, min(m - top, n - left))
    if not size:
        return lax.reshape(lax.slice_in_dim(x, 0, 0, 1, -1), (*lead, 0))
    x = lax.slice_in_dim(lax.slice_in_dim(x, top, top + size, 1, -2), left, left + size, 1, -1)
    # in rows longer by one than the matrix, the diagonal is the first column
    rank = len(lead)
    flat = lax.reshape(x, (*lead, size * size))
    flat = lax.pad(flat, lax.full_like(flat, 0, shape=()), [(0, 0, 0)] * rank + [(0, size, 0)])
    rows = lax.reshape(flat, (*lead, size, size + 1))
    return lax.squeeze(lax.slice_in_dim(rows, 0, 1, 1, -1), (-1,))


def multi_dot(arrays: Sequence[Any], *, precision: Any = None) -> Array:
    """The product of several matrices, in the order that takes the fewest multiplications.

    The first and the last may be vectors (a row and a column).

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.multi_dot([jnp.ones(2), jnp.ones((2, 3)), jnp.ones(3)])
    Array(6., dtype=float32)
    """
    arrays = list(arrays)
    if len(arrays) < 2:
        raise ValueError(f"multi_dot takes at least two arrays, got {len(arrays)}.{here()}")
    values = promote_dtypes("multi_dot", *arrays)
    ranks = [v.aval.ndim for v in values]
    ends = {0, len(values) - 1}
    if any(r != 2 and (i not in ends or r != 1) for i, r in enumerate(ranks)):
        raise ValueError(
            "multi_dot: input arrays must all be two-dimensional, except for the first and last "
            "array which may be 1 or 2 dimensional. Got array shapes "
            f"{[v.aval.shape for v in values]}{here()}"
        )
    if ranks[0] == 1:
        values[0] = lax.expand_dims(values[0], (0,))
    if ranks[-1] == 1:
        values[-1] = lax.expand_dims(values[-1], (1,))
    for x, y in zip(values[:-1], values[1:], strict=True):
        if x.aval.shape[1] != y.aval.shape[0]:
            raise ValueError(
                "multi_dot: the last size of each array must be the first of the next, got shapes "
                f"{[v.aval.shape for v in values]}{here()}"
            )
    sizes = [values[0].aval.shape[0], *[v.aval.shape[1] for v in values]]
    split = _cheapest_order(sizes)

    def product(i: int, j: int) -> Array:
        if i == j:
            return values[i]
        k = split[i, j]
        return matmul(product(i, k), product(k + 1, j), precision=precision)

    out = product(0, len(values) - 1)
    dropped = tuple([axis for axis, r in ((0, ranks[0]), (1, ranks[-1])) if r == 1])
    return lax.squeeze(out, dropped)


def _cheapest_order(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """Where to split each product i…j (Cormen et al., "Introduction to Algorithms", 15.2)."""
    count = len(sizes) - 1
    cost: dict[tuple[int, int], int] = {(i, i): 0 for i in range(count)}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i, j], split[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )
    return split
