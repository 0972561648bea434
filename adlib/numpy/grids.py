"""Coordinate grids, and NumPy's index tricks."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.creation import array, shape_of, wanted_dtype
from adlib.numpy.promotion import index_dtype, promote_dtypes, to_array
from adlib.numpy.ranges import arange, linspace
from adlib.numpy.shaping import concatenate

s_ = np.s_
index_exp = np.index_exp


def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> list[Array]:
    """Coordinate arrays of the grid that vectors span.

    Args:
      indexing: "xy" has the second vector along the first axis, "ij" keeps the order.
      sparse: arrays that only broadcast to the grid.

    >>> import adlib.numpy as jnp
    >>> jnp.meshgrid(jnp.arange(2), jnp.arange(2))
    [Array([[0, 1],
           [0, 1]], dtype=int32), Array([[0, 0],
           [1, 1]], dtype=int32)]
    """
    if not copy:
        raise ValueError("jnp.meshgrid only supports copy=True")
    if indexing not in ("xy", "ij"):
        raise ValueError(f"Valid values for indexing are 'xy' and 'ij', got {indexing}{here()}")
    vectors = [to_array(x, "meshgrid", i) for i, x in enumerate(xi)]
    if any([v.aval.ndim > 1 for v in vectors]):
        shapes = [v.aval.shape for v in vectors]
        raise ValueError(f"Arguments to meshgrid must be at most 1D, got shapes {shapes}{here()}")
    rank = len(vectors)
    place = list(range(rank))
    if indexing == "xy" and rank >= 2:
        place[:2] = [1, 0]
    sizes = [1] * rank
    for v, axis in zip(vectors, place, strict=True):
        sizes[axis] = v.aval.size
    result = []
    for v, axis in zip(vectors, place, strict=True):
        v = lax.reshape(v, (v.aval.size,))
        shape = [1] * rank
        shape[axis] = v.aval.size
        result.append(lax.broadcast_in_dim(v, tuple(shape if sparse else sizes), (axis,)))
    return result


def indices(dimensions: Any, dtype: Any = None, sparse: bool = False) -> Any:
    """The indices of every element of an array of a shape, one array for each axis.

    >>> import adlib.numpy as jnp
    >>> jnp.indices((2, 2))[1]
    Array([[0, 1],
           [0, 1]], dtype=int32)
    """
    sizes = shape_of(dimensions)
    found = index_dtype() if dtype is None else wanted_dtype(dtype, "indices")
    rank = len(sizes)
    if not sparse:
        rows = [lax.broadcasted_iota(found, sizes, d) for d in range(rank)]
        return lax.stack(rows, 0) if rows else array([], found)
    result = []
    for d, n in enumerate(sizes):
        shape = tuple([n if k == d else 1 for k in range(rank)])
        result.append(lax.broadcasted_iota(found, shape, d))
    return tuple(result)


# -------------------------------------------------------------------------- index tricks


def _range(s: slice) -> Array:
    """The numbers that a slice stands for; an imaginary step is how many there are."""
    start = 0 if s.start is None else s.start
    step = 1 if s.step is None else s.step
    if isinstance(step, complex):
        count = int(abs(step))
        return linspace(start, s.stop, count)
    return arange(start, s.stop, step)


class _Grid:
    """``mgrid[a:b, c:d]``: coordinates of a grid of ranges, an imaginary step a count."""

    def __init__(self, sparse: bool) -> None:
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return _range(key)
        ranges = promote_dtypes("mgrid", *[_range(s) for s in key])
        if not ranges:
            return [] if self.sparse else array([])
        arrays = meshgrid(*ranges, indexing="ij", sparse=self.sparse)
        return arrays if self.sparse else lax.stack(arrays, 0)


mgrid = _Grid(sparse=False)
ogrid = _Grid(sparse=True)


class _Joined:
    """``r_[1:4, 0, x]``: ranges, numbers and arrays joined along an axis.

    A text in front, as in ``r_["0,2", x, y]``, gives the axis, the least rank, and the axis
    at which shorter shapes start in it.
    """

    def __init__(self, axis: int, rank: int, start: int) -> None:
        self.axis, self.rank, self.start = axis, rank, start

    def __getitem__(self, key: Any) -> Array:
        items = key if isinstance(key, tuple) else (key,)
        axis, rank, start = self.axis, self.rank, self.start
        if items and isinstance(items[0], str):
            if items[0] in ("r", "c"):
                raise NotImplementedError(f"jnp.r_ and jnp.c_ make no matrices: {items[0]!r}")
            try:
                numbers = [int(n) for n in items[0].split(",")]
            except ValueError:
                raise ValueError(f"could not understand directive {items[0]!r}{here()}") from None
            axis, rank, start = (*numbers, *(axis, rank, start)[len(numbers) :])
            items = items[1:]
        parts = []
        for item in items:
            if isinstance(item, slice):
                part, own = _range(item), 1
            else:
                part = array(item) if isinstance(item, (list, tuple)) else to_array(item, "r_")
                own = part.aval.ndim
                part = part if own else lax.reshape(part, (1,))
            parts.append(self._with_rank(part, own, rank, start))
        return concatenate(parts, axis)

    @staticmethod
    def _with_rank(part: Array, own: int, rank: int, start: int) -> Array:
        missing = rank - part.aval.ndim
        if missing <= 0:
            return part
        begin = start if start >= 0 else missing + start + 1
        kept = tuple(range(begin, begin + part.aval.ndim))
        return lax.expand_dims(part, [d for d in range(rank) if d not in kept])


r_ = _Joined(0, 1, -1)
c_ = _Joined(-1, 2, 0)
