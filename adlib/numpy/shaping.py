"""Shapes: reshaping, moving and inserting axes, broadcasting, joining and splitting."""

from __future__ import annotations

import builtins
import math
import operator
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core.array import Array, not_an_array
from adlib.numpy.axes import axes_of, axis_of
from adlib.numpy.creation import shape_of, wanted_dtype
from adlib.numpy.promotion import (
    broadcast_array,
    broadcast_shapes,
    convert,
    promote_dtypes,
    to_array,
)

# ------------------------------------------------------------------------- reshape


def shape(a: Any) -> tuple[int, ...]:
    """The shape of an array or of what makes one.

    >>> import adlib.numpy as jnp
    >>> jnp.shape(jnp.zeros((2, 3)))
    (2, 3)
    """
    return a.aval.shape if isinstance(a, Array) else np.shape(a)


def ndim(a: Any) -> int:
    """The number of axes.

    >>> import adlib.numpy as jnp
    >>> jnp.ndim(jnp.zeros((2, 3)))
    2
    """
    return len(shape(a))


def size(a: Any, axis: Any = None) -> int:
    """The number of elements, of all or along some axes.

    >>> import adlib.numpy as jnp
    >>> jnp.size(jnp.zeros((2, 3)))
    6
    """
    sizes = shape(a)
    return math.prod([sizes[i] for i in axes_of(axis, len(sizes))])


def isscalar(element: Any) -> bool:
    """Whether a value is a number or a text, or has rank 0.

    >>> import adlib.numpy as jnp
    >>> jnp.isscalar(2.0), jnp.isscalar(jnp.zeros(1))
    (True, False)
    """
    if isinstance(element, Array):
        return not element.aval.shape
    return bool(np.isscalar(element))


def _new_shape(old: tuple[int, ...], count: int, new: Any) -> tuple[int, ...]:
    sizes = (operator.index(new),) if isinstance(new, (int, np.integer)) else shape_of(new)
    unknown = [i for i, n in enumerate(sizes) if n == -1]
    if len(unknown) > 1:
        raise TypeError(
            f"can only specify one unknown axis size with a `-1` value, got {sizes}{here()}"
        )
    if unknown:
        known = math.prod([n for n in sizes if n != -1])
        if known == 0 or count % known:
            raise TypeError(
                f"cannot reshape array of shape {old} (size {count}) into shape {sizes} because "
                f"the product of specified axis sizes ({known}) does not evenly divide {count}"
                f"{here()}"
            )
        return (*sizes[: unknown[0]], count // known, *sizes[unknown[0] + 1 :])
    if math.prod(sizes) != count or builtins.any([n < 0 for n in sizes]):
        raise TypeError(
            f"cannot reshape array of shape {old} (size {count}) into shape {sizes} "
            f"(size {math.prod(sizes)}){here()}\n"
            "  Repair: the numbers of elements must be equal; -1 stands for the size that fits."
        )
    return sizes


def reshape(
    a: Any, shape: Any, order: str = "C", *, copy: bool | None = None, out_sharding: None = None
) -> Array:
    """The elements in another shape; one size may be -1, for whatever fits.

    Args:
      a: array or number.
      shape: int or sequence of ints.
      order: "C" reads and fills row by row, "F" column by column.

    Raises:
      TypeError: the numbers of elements differ.

    >>> import adlib.numpy as jnp
    >>> jnp.reshape(jnp.arange(4), (2, -1))
    Array([[0, 1],
           [2, 3]], dtype=int32)
    """
    x = to_array(a, "reshape")
    old = x.aval.shape
    new = _new_shape(old, x.aval.size, shape)
    if order == "C":
        return x if new == old else lax.reshape(x, new)
    if order == "A":
        raise NotImplementedError(
            f"order='A' asks for the layout in memory, which arrays do not show; use 'C' or 'F'."
            f"{here()}"
        )
    if order != "F":
        raise ValueError(f"Unexpected value for 'order': {order!r}; use 'C' or 'F'.{here()}")
    return transpose(lax.reshape(transpose(x), new[::-1]))


def ravel(a: Any, order: str = "C", *, out_sharding: None = None) -> Array:
    """The elements in one row.

    >>> import adlib.numpy as jnp
    >>> jnp.ravel(jnp.zeros((1, 2)))
    Array([0., 0.], dtype=float32)
    """
    if order == "K":
        raise NotImplementedError("Ravel not implemented for order='K'.")
    x = to_array(a, "ravel")
    return reshape(x, (x.aval.size,), order)


def resize(a: Any, new_shape: Any) -> Array:
    """The elements in another shape, repeated as often as it takes to fill it.

    >>> import adlib.numpy as jnp
    >>> jnp.resize(jnp.array([1, 2, 3]), 5)
    Array([1, 2, 3, 1, 2], dtype=int32)
    """
    sizes = shape_of(new_shape)
    if builtins.any([n < 0 for n in sizes]):
        raise ValueError("all elements of `new_shape` must be non-negative")
    x = ravel(to_array(a, "resize"))
    count = math.prod(sizes)
    if count == 0 or x.aval.size == 0:
        return lax.full(sizes, convert(lax.full((), 0), x.aval.dtype))
    times = -(-count // x.aval.size)
    return lax.reshape(lax.slice_in_dim(lax.concatenate([x] * times, 0), 0, count), sizes)


# ------------------------------------------------------------------ order of axes


def transpose(a: Any, axes: Any = None) -> Array:
    """Axes in another order; reversed if none is given.

    Args:
      axes: axis ``i`` of the result is axis ``axes[i]`` of ``a``.

    >>> import adlib.numpy as jnp
    >>> jnp.transpose(jnp.zeros((2, 3))).shape
    (3, 2)
    """
    x = to_array(a, "transpose")
    rank = len(x.aval.shape)
    if axes is None:
        if rank < 2:
            return x
        return lax.transpose(x, tuple(range(rank - 1, -1, -1)))
    if isinstance(axes, int):
        axes = (axes,)
    return lax.transpose(x, tuple([axis_of(i, rank) for i in axes]))


def permute_dims(a: Any, /, axes: Any) -> Array:
    """Axes in another order: axis ``i`` of the result is axis ``axes[i]`` of ``a``.

    Raises TypeError where ``axes`` does not list each axis once.

    >>> import adlib.numpy as jnp
    >>> jnp.permute_dims(jnp.zeros((2, 3)), (1, 0)).shape
    (3, 2)
    """
    x = to_array(a, "permute_dims")
    order = tuple([operator.index(i) for i in axes])
    rank = x.aval.ndim
    if sorted(order) != list(range(rank)):
        raise TypeError(
            f"permute_dims: axes={order} does not list each of the {rank} axes of an array of "
            f"shape {x.aval.shape} once.{here()}"
        )
    return lax.transpose(x, order)


def matrix_transpose(x: Any, /) -> Array:
    """The last two axes swapped.

    >>> import adlib.numpy as jnp
    >>> jnp.matrix_transpose(jnp.zeros((5, 2, 3))).shape
    (5, 3, 2)
    """
    x = to_array(x, "matrix_transpose")
    rank = x.aval.ndim
    if rank < 2:
        raise ValueError(
            f"x must be at least two-dimensional for matrix_transpose; got ndim={rank}{here()}"
        )
    return lax.transpose(x, (*range(rank - 2), rank - 1, rank - 2))


def swapaxes(a: Any, axis1: Any, axis2: Any) -> Array:
    """Two axes exchanged.

    >>> import adlib.numpy as jnp
    >>> jnp.swapaxes(jnp.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    x = to_array(a, "swapaxes")
    order = list(range(x.aval.ndim))
    i, j = axis_of(axis1, x.aval.ndim), axis_of(axis2, x.aval.ndim)
    order[i], order[j] = order[j], order[i]
    return lax.transpose(x, order)


def moveaxis(a: Any, source: Any, destination: Any) -> Array:
    """Axes moved to other places, the rest in their order.

    >>> import adlib.numpy as jnp
    >>> jnp.moveaxis(jnp.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = to_array(a, "moveaxis")
    rank = x.aval.ndim
    from_, to = axes_of(source, rank), axes_of(destination, rank)
    if len(from_) != len(to):
        raise ValueError(
            "Inconsistent number of elements: source and destination must have the same "
            f"number, got {len(from_)} vs {len(to)}{here()}"
        )
    order = [i for i in range(rank) if i not in from_]
    for place, axis in sorted(zip(to, from_, strict=True)):
        order.insert(place, axis)
    return lax.transpose(x, order)


def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    """An axis moved until it stands before axis ``start``.

    >>> import adlib.numpy as jnp
    >>> jnp.rollaxis(jnp.zeros((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    x = to_array(a, "rollaxis")
    rank = x.aval.ndim
    axis = axis_of(axis, rank)
    if not -rank <= start <= rank:
        raise ValueError(f"start={start} must be between {-rank} and {rank}{here()}")
    start = start + rank if start < 0 else start
    return moveaxis(x, axis, start - 1 if start > axis else start)


def squeeze(a: Any, axis: Any = None) -> Array:
    """Without axes of size 1: all of them, or the given ones.

    Raises ValueError where a given axis has another size.

    >>> import adlib.numpy as jnp
    >>> jnp.squeeze(jnp.zeros((1, 3, 1))).shape
    (3,)
    """
    x = to_array(a, "squeeze")
    if axis is None:
        return lax.squeeze(x, [i for i, n in enumerate(x.aval.shape) if n == 1])
    return lax.squeeze(x, axes_of(axis, x.aval.ndim))


def expand_dims(a: Any, axis: Any) -> Array:
    """With new axes of size 1 at the given places of the result.

    >>> import adlib.numpy as jnp
    >>> jnp.expand_dims(jnp.zeros(3), 0).shape
    (1, 3)
    """
    x = to_array(a, "expand_dims")
    if axis is None:
        raise TypeError(f"expand_dims: axis is an int or several, got None.{here()}")
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    return lax.expand_dims(x, axes_of(axis, x.aval.ndim + count))


# --------------------------------------------------------------------- broadcasting


def broadcast_to(array: Any, shape: Any, *, out_sharding: None = None) -> Array:
    """The array repeated along new axes and axes of size 1, by NumPy's rules.

    >>> import adlib.numpy as jnp
    >>> jnp.broadcast_to(jnp.arange(2), (2, 2))
    Array([[0, 1],
           [0, 1]], dtype=int32)
    """
    x = to_array(array, "broadcast_to")
    sizes = shape_of(shape)
    if builtins.any([n < 0 for n in sizes]):
        raise TypeError(f"broadcast_to: sizes must not be negative, got shape {sizes}.{here()}")
    old = x.aval.shape
    fits = len(old) <= len(sizes) and builtins.all(
        [n in (1, m) for n, m in zip(old[::-1], sizes[::-1], strict=False)]
    )
    if not fits:
        raise ValueError(
            f"Incompatible shapes for broadcasting: {old} and requested shape {sizes}{here()}"
        )
    return broadcast_array(x, sizes)


def broadcast_arrays(*args: Any) -> list[Array]:
    """Every array repeated to the shape they have together.

    >>> import adlib.numpy as jnp
    >>> [x.shape for x in jnp.broadcast_arrays(jnp.zeros((2, 1)), jnp.zeros(3))]
    [(2, 3), (2, 3)]
    """
    xs = [to_array(x, "broadcast_arrays", i) for i, x in enumerate(args)]
    target = broadcast_shapes(*[x.aval.shape for x in xs])
    return [broadcast_array(x, target) for x in xs]


def _at_least(name: str, arrays: Any, extend: Any) -> Any:
    made = [extend(to_array(a, name, i)) for i, a in enumerate(arrays)]
    return made[0] if len(made) == 1 else made


def _to_1d(x: Array) -> Array:
    return x if x.aval.shape else lax.reshape(x, (1,))


def _to_2d(x: Array) -> Array:
    rank = x.aval.ndim
    return x if rank >= 2 else lax.expand_dims(x, tuple(range(2 - rank)))


def _to_3d(x: Array) -> Array:
    # a vector stands in the middle, a matrix in front, as NumPy has it
    places = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}.get(x.aval.ndim)
    return x if places is None else lax.expand_dims(x, places)


def atleast_1d(*arys: Any) -> Any:
    """Arrays with at least one axis (one array, or a list for several arguments).

    >>> import adlib.numpy as jnp
    >>> jnp.atleast_1d(jnp.array(1.0)).shape
    (1,)
    """
    return _at_least("atleast_1d", arys, _to_1d)


def atleast_2d(*arys: Any) -> Any:
    """Arrays with at least two axes: vectors become rows.

    >>> import adlib.numpy as jnp
    >>> jnp.atleast_2d(jnp.zeros(3)).shape
    (1, 3)
    """
    return _at_least("atleast_2d", arys, _to_2d)


def atleast_3d(*arys: Any) -> Any:
    """Arrays with at least three axes.

    >>> import adlib.numpy as jnp
    >>> jnp.atleast_3d(jnp.zeros(3)).shape
    (1, 3, 1)
    """
    return _at_least("atleast_3d", arys, _to_3d)


# -------------------------------------------------------------------------- joining


def _sequence(name: str, arrays: Any) -> list[Array]:
    """The items of an argument such as ``[x, y]`` or an array, as Arrays."""
    if isinstance(arrays, (np.ndarray, Array)):
        if not arrays.ndim:
            error = TypeError if name == "stack" else ValueError
            raise error(f"{name} needs a sequence of arrays, got one of rank 0.{here()}")
        arrays = list(to_array(arrays, name))
    elif not isinstance(arrays, (list, tuple)):
        raise not_an_array(arrays, name, 0)
    return [to_array(a, name, i) for i, a in enumerate(arrays)]


def _in_dtype(name: str, xs: list[Array], dtype: Any) -> list[Array]:
    if dtype is None:
        return promote_dtypes(name, *xs)
    found = wanted_dtype(dtype, name)
    return [convert(x, found) for x in xs]


def concatenate(arrays: Any, axis: Any = 0, dtype: Any = None) -> Array:
    """Arrays joined along an axis that exists; flattened first with ``axis=None``.

    Args:
      arrays: sequence of arrays, equal in all sizes but that of ``axis``.

    Raises:
      ValueError: there is none, or they have rank 0. TypeError: shapes do not fit.

    >>> import adlib.numpy as jnp
    >>> jnp.concatenate([jnp.arange(2), jnp.arange(3)])
    Array([0, 1, 0, 1, 2], dtype=int32)
    """
    xs = _sequence("concatenate", arrays)
    if not xs:
        raise ValueError(f"Need at least one array to concatenate.{here()}")
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    rank = xs[0].aval.ndim
    if not rank:
        raise ValueError(
            f"Zero-dimensional arrays cannot be concatenated.{here()}\n"
            "  Repair: jnp.stack joins scalars into a vector."
        )
    if builtins.any([x.aval.ndim != rank for x in xs]):
        shapes = ", ".join(str(x.aval.shape) for x in xs)
        raise TypeError(
            f"Cannot concatenate arrays with different numbers of dimensions: got {shapes}.{here()}"
        )
    xs = _in_dtype("concatenate", xs, dtype)
    return xs[0] if len(xs) == 1 else lax.concatenate(xs, axis_of(axis, rank))


def concat(arrays: Any, /, *, axis: Any = 0) -> Array:
    """Arrays joined along an axis: ``concatenate`` under the array API's name.

    >>> import adlib.numpy as jnp
    >>> jnp.concat([jnp.arange(2), jnp.arange(1)])
    Array([0, 1, 0], dtype=int32)
    """
    return concatenate(arrays, axis)


def stack(arrays: Any, axis: int = 0, out: None = None, dtype: Any = None) -> Array:
    """Arrays of one shape joined along a new axis.

    Raises:
      ValueError: there is none, or shapes differ. TypeError: an item is a list.

    >>> import adlib.numpy as jnp
    >>> jnp.stack([jnp.arange(2), jnp.arange(2)])
    Array([[0, 1],
           [0, 1]], dtype=int32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.stack is not supported.")
    joined = isinstance(arrays, Array) and dtype is None and type(axis) is int and axis == 0
    if joined and arrays.aval.shape and arrays.aval.shape[0]:
        return arrays  # type: ignore[no-any-return]
    xs = _sequence("stack", arrays)
    if not xs:
        raise ValueError(f"Need at least one array to stack.{here()}")
    first = xs[0].aval.shape
    if builtins.any([x.aval.shape != first for x in xs]):
        shapes = ", ".join(str(x.aval.shape) for x in xs)
        raise ValueError(f"All input arrays must have the same shape. Got {shapes}.{here()}")
    xs = _in_dtype("stack", xs, dtype)
    return lax.stack(xs, axis_of(axis, len(first) + 1))


def vstack(tup: Any, dtype: Any = None) -> Array:
    """Arrays joined along the first axis, vectors as rows.

    >>> import adlib.numpy as jnp
    >>> jnp.vstack([jnp.arange(2), jnp.ones((1, 2), int)])
    Array([[0, 1],
           [1, 1]], dtype=int32)
    """
    return concatenate([_to_2d(x) for x in _sequence("vstack", tup)], 0, dtype)


def hstack(tup: Any, dtype: Any = None) -> Array:
    """Arrays joined along the second axis, vectors along their only one.

    >>> import adlib.numpy as jnp
    >>> jnp.hstack([jnp.arange(2), jnp.arange(2)])
    Array([0, 1, 0, 1], dtype=int32)
    """
    xs = [_to_1d(x) for x in _sequence("hstack", tup)]
    return concatenate(xs, 0 if xs and xs[0].aval.ndim == 1 else 1, dtype)


def dstack(tup: Any, dtype: Any = None) -> Array:
    """Arrays joined along the third axis.

    >>> import adlib.numpy as jnp
    >>> jnp.dstack([jnp.arange(2), jnp.arange(2)]).shape
    (1, 2, 2)
    """
    return concatenate([_to_3d(x) for x in _sequence("dstack", tup)], 2, dtype)


def column_stack(tup: Any) -> Array:
    """Vectors, and matrices, side by side as columns.

    >>> import adlib.numpy as jnp
    >>> jnp.column_stack([jnp.arange(2), jnp.arange(2)])
    Array([[0, 0],
           [1, 1]], dtype=int32)
    """
    xs = _sequence("column_stack", tup)
    return concatenate([_to_2d(x).T if x.aval.ndim < 2 else x for x in xs], 1)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The arrays that lie along an axis, as a tuple.

    >>> import adlib.numpy as jnp
    >>> jnp.unstack(jnp.array([[1, 2], [3, 4]]))
    (Array([1, 2], dtype=int32), Array([3, 4], dtype=int32))
    """
    x = to_array(x, "unstack")
    if not x.aval.shape:
        raise ValueError(f"unstack requires arrays with rank > 0, got rank 0.{here()}")
    return tuple(lax.unstack(x, axis_of(axis, x.aval.ndim)))


def block(arrays: Any) -> Array:
    """One array from nested lists of blocks: the innermost lists run along the last axis.

    >>> import adlib.numpy as jnp
    >>> jnp.block([[jnp.ones((1, 1)), jnp.zeros((1, 1))]])
    Array([[1., 0.]], dtype=float32)
    """

    def depth_of(item: Any) -> int:
        if isinstance(item, tuple):
            raise ValueError("jnp.block takes nested lists, not tuples.")
        if not isinstance(item, list):
            return 0
        if not item:
            raise ValueError("jnp.block does not allow empty list arguments")
        depths = {depth_of(i) for i in item}
        if len(depths) > 1:
            raise ValueError("jnp.block: lists must be nested to the same depth everywhere")
        return 1 + depths.pop()

    def leaves(item: Any) -> list[Any]:
        return [x for i in item for x in leaves(i)] if isinstance(item, list) else [item]

    depth = depth_of(arrays)
    rank = max([depth, *[to_array(x, "block").aval.ndim for x in leaves(arrays)]])

    def join(item: Any, level: int) -> Array:
        if isinstance(item, list):
            return concatenate([join(i, level + 1) for i in item], level - depth)
        x = to_array(item, "block")
        return lax.expand_dims(x, tuple(range(rank - x.aval.ndim)))

    return join(arrays, 0)
