"""Taking elements by index, and putting, inserting and deleting them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.axes import axis_of
from adlib.numpy.choosing import known_integers, nonzero, unravel
from adlib.numpy.creation import array, shape_of
from adlib.numpy.makers import truth
from adlib.numpy.promotion import (
    broadcast_array,
    broadcast_shapes,
    convert,
    index_dtype,
    to_array,
    to_arrays,
)
from adlib.numpy.shaping import concatenate, ravel, reshape


def _indices(name: str, indices: Any, error: type[Exception] = TypeError) -> Array:
    index = to_array(indices, name, 1)
    if index.aval.dtype.kind == "b" and name in ("take", "put"):
        index = convert(index, index_dtype())
    if not dtypes.is_integer(index.aval.dtype):
        raise error(
            f"{name}: indices must have an integer type, got {index.aval.str_short()}.{here()}\n"
            "  Repair: convert them with .astype(int)."
        )
    return index


def _in_mode(index: Array, size: int, mode: Any) -> tuple[Array, Any]:
    """Indices and mode for ``at``: "wrap" is a remainder, "clip" holds for negative ones too."""
    dtype = index.aval.dtype
    length = scalar(size, dtype)
    if mode == "wrap":
        rest = lax.rem(index, length)
        negative = lax.lt(rest, scalar(0, dtype))
        return lax.select_n(negative, rest, lax.add(rest, length)), "promise_in_bounds"
    if mode == "clip":
        return lax.clamp(scalar(0, dtype), index, scalar(size - 1, dtype)), "promise_in_bounds"
    if mode == "raise":
        raise NotImplementedError("Mode 'raise' is not supported: use 'fill', 'clip' or 'wrap'.")
    if mode not in (None, "fill"):
        raise ValueError(
            f"Invalid mode {mode!r} for indices out of bounds: use 'fill', 'clip' or 'wrap'."
            f"{here()}"
        )
    return index, "fill"


def take(
    a: Any,
    indices: Any,
    axis: int | None = None,
    out: None = None,
    mode: str | None = None,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    fill_value: Any = None,
) -> Array:
    """Elements at the given indices along an axis, or of the flattened array.

    Args:
      indices: integer array; negative ones count from the end.
      mode: what indices out of bounds give: "fill" (the default: ``fill_value``, NaN where
        it is not given), "clip" to the nearest valid one, or "wrap" around.

    >>> import adlib.numpy as jnp
    >>> jnp.take(jnp.array([10.0, 20.0]), jnp.array([1, 5]))
    Array([20., nan], dtype=float32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.take is not supported.")
    x = to_array(a, "take")
    index = _indices("take", indices, ValueError)
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.aval.ndim)
    index, mode = _in_mode(index, x.aval.shape[axis], mode)
    return x.at[(slice(None),) * axis + (index,)].get(  # type: ignore[attr-defined,no-any-return]
        mode=mode,
        fill_value=fill_value,
        unique_indices=unique_indices,
        indices_are_sorted=indices_are_sorted,
    )


def _along_axis(name: str, x: Array, index: Array, axis: int) -> tuple[Any, ...]:
    """Indices of every axis, of which that of ``axis`` is given and the others count."""
    if index.aval.ndim != x.aval.ndim:
        raise ValueError(
            f"indices and arr must have the same number of dimensions; {index.aval.ndim} vs. "
            f"{x.aval.ndim}{here()}"
        )
    sizes = list(x.aval.shape)
    sizes[axis] = 1
    broadcast_shapes(tuple(sizes), index.aval.shape, what=name)
    shape = [
        n if d == axis else max(n, index.aval.shape[d])
        for d, n in enumerate([*sizes[:axis], index.aval.shape[axis], *sizes[axis + 1 :]])
    ]
    index = broadcast_array(index, tuple(shape))
    result: list[Any] = []
    for d in range(x.aval.ndim):
        if d == axis:
            result.append(index)
        elif x.aval.shape[d] == 1:
            result.append(lax.full_like(index, 0))
        else:
            result.append(lax.broadcasted_iota(index.aval.dtype, tuple(shape), d))
    return tuple(result)


def take_along_axis(
    arr: Any,
    indices: Any,
    axis: int | None = -1,
    mode: Any = None,
    fill_value: Any = None,
    *,
    wrap_negative_indices: bool | None = None,
) -> Array:
    """Elements along an axis, with other indices in every row: what ``argsort`` gives.

    Args:
      indices: integer array of the rank of ``arr``; other axes broadcast.
      mode: for indices out of bounds, as for ``x.at[i].get``: "fill" (the default), "clip" or
        "promise_in_bounds".
      fill_value: as for ``take``.
      wrap_negative_indices: whether -1 is the last element.

    >>> import adlib.numpy as jnp
    >>> x = jnp.array([[3, 1], [2, 4]])
    >>> jnp.take_along_axis(x, jnp.argsort(x, axis=1), axis=1)
    Array([[1, 3],
           [2, 4]], dtype=int32)
    """
    x, index = to_array(arr, "take_along_axis"), _indices("take_along_axis", indices)
    if axis is None:
        if index.aval.ndim != 1:
            raise ValueError(f"indices must be 1D if axis=None, got ndim={index.aval.ndim}{here()}")
        return take(x, index, None, None, mode, fill_value=fill_value)
    axis = axis_of(axis, x.aval.ndim)
    places = _along_axis("take_along_axis", x, index, axis)
    mode = "fill" if mode is None else mode
    return x.at[places].get(  # type: ignore[attr-defined,no-any-return]
        mode=mode,
        fill_value=fill_value,
        wrap_negative_indices=wrap_negative_indices is not False,
    )


def _copying(name: str, inplace: bool) -> None:
    if inplace:
        raise ValueError(
            f"Arrays are immutable, so jnp.{name} returns an updated copy; say so with "
            f"inplace=False.{here()}"
        )


def put_along_axis(
    arr: Any,
    indices: Any,
    values: Any,
    axis: int | None,
    inplace: bool = True,
    *,
    mode: Any = None,
) -> Array:
    """A copy with values put at other indices in every row; ``inplace=False`` must be given.

    >>> import adlib.numpy as jnp
    >>> jnp.put_along_axis(jnp.zeros((2, 2)), jnp.array([[0], [1]]), 9.0, 1, inplace=False)
    Array([[9., 0.],
           [0., 9.]], dtype=float32)
    """
    _copying("put_along_axis", inplace)
    x, index = to_array(arr, "put_along_axis"), _indices("put_along_axis", indices)
    if axis is None:
        flat = ravel(x).at[index].set(values, mode=mode)  # type: ignore[attr-defined]
        return reshape(flat, x.aval.shape)
    axis = axis_of(axis, x.aval.ndim)
    places = _along_axis("put_along_axis", x, index, axis)
    return x.at[places].set(values, mode=mode)  # type: ignore[attr-defined,no-any-return]


def put(a: Any, ind: Any, v: Any, mode: str | None = None, *, inplace: bool = True) -> Array:
    """A copy with values put at indices of the flattened array; needs ``inplace=False``.

    Args:
      mode: for indices out of bounds: "clip" to the nearest valid one (the default, with
        negative ones counted from the end), or "wrap" around.

    >>> import adlib.numpy as jnp
    >>> jnp.put(jnp.zeros(3), jnp.array([0, 2]), 5.0, inplace=False)
    Array([5., 0., 5.], dtype=float32)
    """
    _copying("put", inplace)
    x, index = to_array(a, "put"), ravel(_indices("put", ind))
    values = ravel(to_array(v, "put", 2))
    if not index.aval.size or not values.aval.size:
        return x
    if mode is None:
        how: Any = "clip"
    else:
        index, how = _in_mode(index, x.aval.size, mode)
    values = values[np.arange(index.aval.size) % values.aval.size]  # type: ignore[index]
    return reshape(ravel(x).at[index].set(values, mode=how), x.aval.shape)  # type: ignore[attr-defined]


def place(arr: Any, mask: Any, vals: Any, *, inplace: bool = True) -> Array:
    """A copy with the elements where the mask holds replaced in turn; needs ``inplace=False``.

    >>> import adlib.numpy as jnp
    >>> jnp.place(jnp.arange(4), jnp.array([0, 1, 1, 0]), jnp.array([7]), inplace=False)
    Array([0, 7, 7, 3], dtype=int32)
    """
    _copying("place", inplace)
    x, chosen = to_array(arr, "place"), truth(to_array(mask, "place", 1))
    values = ravel(to_array(vals, "place", 2))
    if chosen.aval.size != x.aval.size:
        raise ValueError(f"place: arr and mask must be the same size{here()}")
    if not values.aval.size:
        raise ValueError(f"Cannot place values from empty array{here()}")
    flat = ravel(chosen)
    rank = lax.sub(lax.cumsum(convert(flat, index_dtype()), 0), scalar(1, index_dtype()))
    size = scalar(values.aval.size, index_dtype())
    turn = values[lax.rem(lax.max(rank, scalar(0, index_dtype())), size)]  # type: ignore[index]
    turn = convert(turn, x.aval.dtype, x.aval.weak_type)
    return reshape(lax.select_n(flat, ravel(x), turn), x.aval.shape)


def extract(condition: Any, arr: Any, *, size: int | None = None, fill_value: Any = 0) -> Array:
    """The elements where the condition holds, in one row.

    Args:
      size: how many; needed where the condition is traced. Missing ones are ``fill_value``.

    >>> import adlib.numpy as jnp
    >>> jnp.extract(jnp.array([True, False, True]), jnp.arange(3))
    Array([0, 2], dtype=int32)
    """
    return compress(
        ravel(to_array(condition, "extract")),
        ravel(to_array(arr, "extract", 1)),
        size=size,
        fill_value=fill_value,
    )


def compress(
    condition: Any,
    a: Any,
    axis: int | None = None,
    *,
    size: int | None = None,
    fill_value: Any = 0,
    out: None = None,
) -> Array:
    """The parts along an axis where a vector of conditions holds.

    Args:
      size: how many; needed where the condition is traced. Missing ones are ``fill_value``.

    >>> import adlib.numpy as jnp
    >>> jnp.compress(jnp.array([False, True]), jnp.array([[1, 2], [3, 4]]), axis=0)
    Array([[3, 4]], dtype=int32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.compress is not supported.")
    mask = truth(to_array(condition, "compress"))
    x = to_array(a, "compress", 1)
    if mask.aval.ndim != 1:
        raise ValueError(f"condition must be a 1D array, got shape {mask.aval.shape}{here()}")
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.aval.ndim)
    length = x.aval.shape[axis]
    _fits_condition(mask, length, size)
    if mask.aval.size > length:
        mask = lax.slice_in_dim(mask, 0, length)
    to_array(fill_value, "compress", 2)
    (index,) = nonzero(mask, size=size, fill_value=length)
    return take(x, index, axis, mode="fill", fill_value=fill_value)


def _fits_condition(mask: Array, length: int, size: int | None) -> None:
    count = mask.aval.size
    if size is not None:
        if not 0 <= size <= count:
            raise ValueError(
                f"size={size} is negative, or more than the {count} entries of the condition can "
                f"choose.{here()}"
            )
    elif count > length:
        known = known_integers("condition of jnp.compress and jnp.extract (give size=)", mask)
        if known[length:].any():
            raise ValueError(
                f"The condition chooses elements that are out of bounds: it has {count} entries, "
                f"and the array {length} along the axis.{here()}"
            )


def argwhere(a: Any, *, size: int | None = None, fill_value: Any = None) -> Array:
    """Indices of the elements that are not zero, one row for each.

    >>> import adlib.numpy as jnp
    >>> jnp.argwhere(jnp.array([0, 3, 5]))
    Array([[1],
           [2]], dtype=int32)
    """
    x = to_array(a, "argwhere")
    if not x.aval.shape:
        count = nonzero(lax.reshape(x, (1,)), size=size)[0].aval.shape[0]
        return lax.full((count, 0), scalar(0, index_dtype()))
    return lax.stack(nonzero(x, size=size, fill_value=fill_value), 1)


def flatnonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Array:
    """Indices of the elements that are not zero, in the flattened array.

    >>> import adlib.numpy as jnp
    >>> jnp.flatnonzero(jnp.array([0, 3, 5]))
    Array([1, 2], dtype=int32)
    """
    return nonzero(ravel(to_array(a, "flatnonzero")), size=size, fill_value=fill_value)[0]


# ------------------------------------------------------------- places and multi-indices


def unravel_index(indices: Any, shape: Any) -> tuple[Array, ...]:
    """Places in the flattened array as one index for each axis.

    >>> import adlib.numpy as jnp
    >>> jnp.unravel_index(jnp.array(5), (2, 3))
    (Array(1, dtype=int32, weak_type=True), Array(2, dtype=int32, weak_type=True))
    """
    flat = _indices("unravel_index", indices)
    sizes = shape_of(shape)
    total = scalar(math.prod(sizes), flat.aval.dtype, flat.aval.weak_type)
    zero = scalar(0, flat.aval.dtype, flat.aval.weak_type)
    flat = lax.select_n(lax.lt(flat, zero), flat, lax.add(flat, total))
    # out of bounds the nearest valid place, as everywhere in indexing
    one = scalar(1, flat.aval.dtype, flat.aval.weak_type)
    flat = lax.clamp(zero, flat, lax.sub(total, one))
    return tuple(unravel(flat, sizes))


def ravel_multi_index(
    multi_index: Sequence[Any],
    dims: Sequence[int],
    mode: str = "raise",
    order: str = "C",
    *,
    dtype: Any = None,
) -> Array:
    """One index for each axis as places in the flattened array.

    Args:
      mode: for indices out of bounds: "raise" (needs known indices), "clip" or "wrap".
      order: "C" row by row, "F" column by column.

    >>> import adlib.numpy as jnp
    >>> jnp.ravel_multi_index((jnp.array(1), jnp.array(2)), (2, 3))
    Array(5, dtype=int32)
    """
    sizes = shape_of(dims)
    if len(multi_index) != len(sizes):
        raise ValueError(f"len(multi_index)={len(multi_index)} != len(dims)={len(sizes)}{here()}")
    integer = index_dtype() if dtype is None else dtypes.canonicalize_dtype(dtype)
    if not dtypes.is_integer(integer):
        raise ValueError(f"ravel_multi_index: dtype={integer} is not an integer type.{here()}")
    columns = [convert(_indices("ravel_multi_index", i, ValueError), integer) for i in multi_index]
    if mode == "raise":
        for column, size in zip(columns, sizes, strict=True):
            known = known_integers("index given to ravel_multi_index in mode 'raise'", column)
            if known.size and (known.min() < 0 or known.max() >= size):
                raise ValueError(f"invalid entry in coordinates array{here()}")
    elif mode in ("clip", "wrap"):
        columns = [_in_mode(c, n, mode)[0] for c, n in zip(columns, sizes, strict=True)]
    else:
        raise ValueError(f"invalid mode={mode!r}. Expected 'raise', 'wrap', or 'clip'")
    if order not in ("C", "F"):
        raise ValueError(f"invalid order={order!r}. Expected 'C' or 'F'")
    strides = [math.prod(sizes[d + 1 :] if order == "C" else sizes[:d]) for d in range(len(sizes))]
    shape = broadcast_shapes(*[c.aval.shape for c in columns])
    total = lax.full(shape, scalar(0, integer))
    for column, stride in zip(columns, strides, strict=True):
        step = lax.mul(broadcast_array(column, shape), scalar(stride, integer))
        total = lax.add(total, step)
    return total


def ix_(*args: Any) -> tuple[Array, ...]:
    """Vectors shaped so that indexing with them selects their product.

    >>> import adlib.numpy as jnp
    >>> [i.shape for i in jnp.ix_(jnp.array([0, 1]), jnp.array([0, 1, 2]))]
    [(2, 1), (1, 3)]
    """
    result = []
    for position, arg in enumerate(args):
        vector = array(arg) if isinstance(arg, (list, tuple)) else to_array(arg, "ix_", position)
        if vector.aval.ndim != 1:
            raise ValueError(
                f"Arguments to jnp.ix_ must be 1-dimensional, got shape {vector.aval.shape}{here()}"
            )
        if vector.aval.dtype.kind == "b":
            (vector,) = nonzero(vector)
        others = tuple([d for d in range(len(args)) if d != position])
        result.append(lax.expand_dims(vector, others))
    return tuple(result)


# ------------------------------------------------------- insertion, deletion, appending


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    """A copy with values inserted before the given places.

    Args:
      obj: int, slice or vector of ints.

    >>> import adlib.numpy as jnp
    >>> jnp.insert(jnp.array([1, 2]), 1, 9)
    Array([1, 9, 2], dtype=int32)
    """
    x = to_array(arr, "insert")
    new = to_array(values, "insert", 2)
    if not isinstance(obj, slice):
        to_array(obj, "insert", 1)
    weak = x.aval.weak_type
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.aval.ndim)
    length = x.aval.shape[axis]
    where = (
        np.arange(length)[obj]
        if isinstance(obj, slice)
        else known_integers("argument obj of jnp.insert", obj)
    )
    new = convert(new, x.aval.dtype)
    if where.ndim == 0:
        # one place takes as many values as there are along the axis
        if new.aval.ndim and new.aval.ndim == x.aval.ndim:
            many = new.aval.shape[axis]
        elif new.aval.ndim == 1 and x.aval.ndim == 1:
            many = new.aval.shape[0]
        else:
            many = 1
            missing = x.aval.ndim - 1 - new.aval.ndim
            new = lax.expand_dims(new, tuple(range(max(0, missing))))
            new = lax.expand_dims(new, (axis,)) if x.aval.ndim > 1 else reshape(new, (1,))
        where = np.full(many, int(where))
    elif where.size == 1 and new.aval.ndim == 1 and x.aval.ndim == 1:
        where = np.full(new.aval.size, int(where.reshape(())))
    where = np.clip(np.where(where < 0, where + length, where), 0, length)
    order = np.argsort(where, kind="stable")
    target = np.empty(len(where), int)
    target[order] = where[order] + np.arange(len(where))
    kept = np.ones(length + len(where), bool)
    kept[target] = False
    shape = (*x.aval.shape[:axis], length + len(where), *x.aval.shape[axis + 1 :])
    result = lax.full(shape, scalar(0, x.aval.dtype))
    before = (slice(None),) * axis
    result = result.at[(*before, np.nonzero(kept)[0])].set(x)
    sizes = (*x.aval.shape[:axis], len(where), *x.aval.shape[axis + 1 :])
    result = result.at[(*before, target)].set(broadcast_array(new, sizes))
    return convert(result, result.aval.dtype, weak)


def delete(
    arr: Any, obj: Any, axis: int | None = None, *, assume_unique_indices: bool = False
) -> Array:
    """A copy without the elements at the given places.

    Args:
      obj: int, slice, vector of ints or of booleans; known while tracing.

    >>> import adlib.numpy as jnp
    >>> jnp.delete(jnp.array([1, 2, 3]), 1)
    Array([1, 3], dtype=int32)
    """
    x = to_array(arr, "delete")
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of(axis, x.aval.ndim)
    length = x.aval.shape[axis]
    keep = np.ones(length, bool)
    if isinstance(obj, slice):
        gone: Any = obj
    else:
        to_array(obj, "delete", 1)
        gone = known_integers("argument obj of jnp.delete", obj)
        if gone.dtype.kind not in "iub":
            raise ValueError(
                f"delete: obj must hold integers or booleans, got {gone.dtype}.{here()}"
            )
    if not isinstance(gone, slice) and gone.dtype.kind not in "b":
        if gone.size and (gone.min() < -length or gone.max() >= length):
            raise ValueError(
                f"index {gone} is out of bounds for axis {axis} with size {length}{here()}"
            )
        gone = gone.astype(int)
    keep[gone] = False
    return take(x, np.nonzero(keep)[0], axis, mode="clip")


def append(arr: Any, values: Any, axis: int | None = None) -> Array:
    """A copy with values at its end, along an axis or of the flattened array.

    >>> import adlib.numpy as jnp
    >>> jnp.append(jnp.array([1, 2]), 3)
    Array([1, 2, 3], dtype=int32)
    """
    x, y = to_arrays("append", arr, values)
    if axis is None:
        x, y, axis = ravel(x), ravel(y), 0
    return concatenate([x, y], axis)
