"""Collectives that move values between the examples of a named vmap.

Each example gathers what all have and keeps its share, so that the rules of ``all_gather``
serve for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.control.collectives import Groups, OwnGroup, all_gather, axis_index, psum
from adlib.core.array import as_value, from_nothing, scalar
from adlib.core.avals import ShapedArray
from adlib.core.trace import axis_size
from adlib.ops.arithmetic import ge
from adlib.ops.dynamic_slices import dynamic_index_in_dim, dynamic_slice_in_dim
from adlib.ops.filling import full_like
from adlib.ops.reshaping import moveaxis, reshape
from adlib.ops.selection import select_n_p


def ppermute(x: Any, axis_name: Any, perm: Sequence[tuple[int, int]]) -> Any:
    """Send each example's value to another one.

    Args:
      x: array, or a pytree of arrays.
      axis_name: name of the vmap's axis.
      perm: pairs (from, to); an example to which nothing is sent gets zeros.

    Raises:
      ValueError: an example that sends or receives twice, or does not exist.
      NameError: no vmap has this axis name.

    >>> import adlib, adlib.numpy as jnp
    >>> shift = lambda x: adlib.lax.ppermute(x, "i", [(0, 1), (1, 2)])
    >>> adlib.vmap(shift, axis_name="i")(jnp.array([1, 2, 3]))
    Array([0, 1, 2], dtype=int32)
    """
    size = axis_size(axis_name)
    source = np.full(size, -1, np.int32)
    for start, end in perm:
        if not (0 <= start < size and 0 <= end < size):
            raise ValueError(
                f"ppermute: the pair ({start}, {end}) names an example that does not exist; the "
                f"axis {axis_name!r} has {size}.{here()}"
            )
        if source[end] >= 0 or start in source:
            raise ValueError(
                f"ppermute: every example sends and receives once at most; the pair ({start}, "
                f"{end}) is one too many.{here()}"
            )
        source[end] = start
    table = from_nothing(source, ShapedArray(source.shape, source.dtype))

    def move(leaf: Any) -> Any:
        mine = dynamic_index_in_dim(table, axis_index(axis_name), 0, keepdims=False)
        sent = dynamic_index_in_dim(all_gather(leaf, axis_name), mine, 0, keepdims=False)
        got = ge(mine, scalar(0, mine.aval.dtype))
        return select_n_p.bind(got, full_like(sent, 0), sent)

    return tree.map(move, x)


def all_to_all(
    x: Any,
    axis_name: Any,
    split_axis: int,
    concat_axis: int,
    *,
    axis_index_groups: Groups = None,
    tiled: bool = False,
) -> Any:
    """Example i gives its j-th part to example j: a transposition of examples and parts.

    Args:
      x: array, or a pytree of arrays.
      axis_name: name of the vmap's axis.
      split_axis: the axis that is cut into one part for each example; without ``tiled`` its size
        is the number of examples, and it disappears.
      concat_axis: the axis along which the received parts are stacked; joined, with ``tiled``.
      axis_index_groups: lists of equal lengths that name each example once: examples exchange
        with those of their own list, and there are as many parts as its length.
      tiled: cut and join axes instead of removing and adding one.

    Raises:
      ValueError: a ``split_axis`` that cannot be cut into as many parts.

    >>> import adlib, adlib.numpy as jnp
    >>> swap = lambda x: adlib.lax.all_to_all(x, "i", 0, 0)
    >>> adlib.vmap(swap, axis_name="i")(jnp.array([[1, 2], [3, 4]]))
    Array([[1, 3],
           [2, 4]], dtype=int32)
    """
    size, index = _place("all_to_all", axis_name, axis_index_groups)

    def exchange(leaf: Any) -> Any:
        value = as_value(leaf, "all_to_all")
        ndim = value.aval.ndim
        split, concat = split_axis % max(ndim, 1), concat_axis % max(ndim, 1)
        part = _part_size("all_to_all", value, split, size, tiled)
        gathered = all_gather(value, axis_name, axis_index_groups=axis_index_groups)
        if not tiled:
            mine = dynamic_index_in_dim(gathered, index, split + 1, keepdims=False)
            return moveaxis(mine, 0, concat)
        start = index * part
        mine = moveaxis(dynamic_slice_in_dim(gathered, start, part, split + 1), 0, concat)
        shape = list(mine.aval.shape)
        shape[concat : concat + 2] = [shape[concat] * shape[concat + 1]]
        return reshape(mine, tuple(shape))

    return tree.map(exchange, x)


def pswapaxes(x: Any, axis_name: Any, axis: int, *, axis_index_groups: Groups = None) -> Any:
    """Exchange the vmap's axis with an array axis of the same size.

    >>> import adlib, adlib.numpy as jnp
    >>> swap = lambda x: adlib.lax.pswapaxes(x, "i", 0)
    >>> adlib.vmap(swap, axis_name="i")(jnp.array([[1, 2], [3, 4]]))
    Array([[1, 3],
           [2, 4]], dtype=int32)
    """
    return all_to_all(x, axis_name, axis, axis, axis_index_groups=axis_index_groups)


def psum_scatter(
    x: Any,
    axis_name: Any,
    *,
    scatter_dimension: int = 0,
    axis_index_groups: Groups = None,
    tiled: bool = False,
) -> Any:
    """The sum over all examples, of which each keeps one part.

    Args:
      x: array, or a pytree of arrays.
      axis_name: name of the vmap's axis.
      scatter_dimension: the axis that is cut into parts; without ``tiled`` it disappears.
      axis_index_groups: lists of equal lengths that name each example once: the sum, and the
        sharing, is among the examples of one list.
      tiled: keep the axis, with a part of its size.

    Raises:
      ValueError: an axis that cannot be cut into as many parts as there are examples.

    >>> import adlib, adlib.numpy as jnp
    >>> share = lambda x: adlib.lax.psum_scatter(x, "i")
    >>> adlib.vmap(share, axis_name="i")(jnp.array([[1, 2], [3, 4]]))
    Array([4, 6], dtype=int32)
    """
    size, index = _place("psum_scatter", axis_name, axis_index_groups)

    def share(leaf: Any) -> Any:
        value = as_value(leaf, "psum_scatter")
        axis = scatter_dimension % max(value.aval.ndim, 1)
        part = _part_size("psum_scatter", value, axis, size, tiled)
        total = psum(value, axis_name, axis_index_groups=axis_index_groups)
        if tiled:
            return dynamic_slice_in_dim(total, index * part, part, axis)
        return dynamic_index_in_dim(total, index, axis, keepdims=False)

    return tree.map(share, x)


def _part_size(name: str, value: Any, axis: int, size: int, tiled: bool) -> int:
    shape = value.aval.shape
    length = shape[axis] if shape else 0
    if not shape or (length % size if tiled else length != size):
        fits = f"a multiple of {size}" if tiled else str(size)
        raise ValueError(
            f"{name} wants axis {axis} to be of size {fits}, one part for each example; the shape "
            f"is {shape}.{here()}"
        )
    return int(length // size)


def _place(name: str, axis_name: Any, groups: Groups) -> tuple[int, Any]:
    """(how many examples exchange, which of them is the current one)."""
    if groups is None:
        return axis_size(axis_name), axis_index(axis_name)
    own = OwnGroup(name, (axis_name,), groups, equal=True)
    return own.size, own.index()
