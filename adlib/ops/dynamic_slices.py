"""Slices whose place is a value: dynamic_slice, dynamic_update_slice, index_take."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl, as_value, scalar
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Sample, define_primitive
from adlib.ops.arithmetic import add, lt
from adlib.ops.conversion import convert
from adlib.ops.index_plan import GatherDimensionNumbers, ScatterDimensionNumbers
from adlib.ops.indexing import gather
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import (
    broadcast_in_dim,
    expand_dims,
    instantiate,
    moveaxis,
    squeeze,
    zeros,
)
from adlib.ops.scatter import scatter
from adlib.ops.scatter_rules import CLIP
from adlib.ops.selection import select_n
from adlib.ops.stacking import concatenate
from adlib.ops.structural import batch_first, canonical_axis

_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)

# ---------------------------------------------------------------- start values


def normalized(index: Any, size: int, wrap: bool = True) -> Any:
    """A scalar index as an integer Array; negative ones count from the end where ``wrap``.

    Known values are normalised at once; unknown ones by recorded operations.
    """
    if not isinstance(index, Array):
        try:
            index = operator.index(index)
        except TypeError:
            return _integer_scalar(as_value(index))
        return scalar(index + size if wrap and index < 0 else index, _INT32)
    if type(index) is ArrayImpl and not index.aval.shape and dtypes.is_integer(index.aval.dtype):
        value = int(index._value)
        return scalar(value + size if wrap and value < 0 else value, _wide(index.aval.dtype))
    index = _integer_scalar(index)
    dtype = _wide(index.aval.dtype)
    if dtype != index.aval.dtype:
        index = convert(index, dtype)
    if not wrap or dtype.kind == "u":
        return index
    below = lt(index, scalar(0, dtype))
    return select_n(below, index, add(convert(index, dtype), scalar(size, dtype)))


def _wide(dtype: Any) -> Any:
    # narrow integers could not hold a size that is added to them
    return dtype if dtype.itemsize >= 4 else _INT32


def _integer_scalar(index: Any) -> Any:
    if index.aval.shape or not dtypes.is_integer(index.aval.dtype):
        raise TypeError(
            "index arguments to dynamic slices must be integer scalars, got "
            f"{index.aval.str_short()}.{here()}\n  Repair: i.astype(int) for a float; for several "
            "indices at a time use x[i]."
        )
    return index


def _starts(name: str, x: Any, start_indices: Any, wrap: Any) -> list[Any]:
    rank = x.aval.ndim
    if isinstance(start_indices, Array | np.ndarray):
        vector = as_value(start_indices)
        if vector.aval.ndim != 1:
            raise ValueError(
                f"{name}: start_indices must be a sequence of scalars or an array of rank 1, got "
                f"{vector.aval.str_short()}.{here()}"
            )
        if type(vector) is ArrayImpl:
            start_indices = vector._value.tolist()
        else:
            start_indices = [_entry(vector, i) for i in range(vector.aval.shape[0])]
    if len(start_indices) != rank:
        raise ValueError(
            f"{name}: one start index is needed for each axis, got {len(start_indices)} for an "
            f"array of shape {x.aval.shape}.{here()}"
        )
    wraps = [wrap] * rank if isinstance(wrap, bool) else wrap
    starts = [
        normalized(i, n, w) for i, n, w in zip(start_indices, x.aval.shape, wraps, strict=True)
    ]
    if len({s.aval.dtype for s in starts}) > 1:
        starts = [
            convert(s, _INT64 if any(s.aval.dtype.itemsize == 8 for s in starts) else _INT32)
            for s in starts
        ]
    return starts


def _entry(vector: Any, i: int) -> Any:
    return squeeze(dynamic_slice_p.bind(vector, scalar(i, _INT32), slice_sizes=(1,)), (0,))


# -------------------------------------------------------------- dynamic_slice


def _check_window(
    name: str, x: ShapedArray, starts: Sequence[ShapedArray], sizes: tuple[int, ...]
) -> None:
    if len(starts) != x.ndim or len(sizes) != x.ndim:
        raise TypeError(
            f"{name}: an array of shape {x.shape} needs a start and a size for each axis, got "
            f"{len(starts)} starts and sizes {sizes}.{here()}"
        )
    if any(not 0 <= size <= n for size, n in zip(sizes, x.shape, strict=True)):
        raise TypeError(
            f"{name}: a block of shape {sizes} does not fit into an array of shape {x.shape}."
            f"{here()}"
        )
    for s in starts:
        if s.shape or not dtypes.is_integer(s.dtype):
            raise TypeError(
                f"{name}: start indices must be integer scalars, got {s.str_short()}.{here()}"
            )


def _place(x: Any, starts: Sequence[Any], sizes: Sequence[int]) -> tuple[slice, ...]:
    """The block as slices, moved into the array where it would stick out."""
    place = []
    for start, size, n in zip(starts, sizes, x.shape, strict=True):
        start = int(start)
        if start < 0:
            start = 0
        elif start > n - size:
            start = n - size
        place.append(slice(start, start + size))
    return tuple(place)


def _dynamic_slice_shape(
    x: ShapedArray, *starts: ShapedArray, slice_sizes: tuple[int, ...]
) -> ShapedArray:
    _check_window("dynamic_slice", x, starts, slice_sizes)
    return ShapedArray(slice_sizes, x.dtype, x.weak_type)


def _dynamic_slice_kernel(xp: Any, slice_sizes: tuple[int, ...]) -> Callable[..., Any]:
    return lambda x, *starts: x[_place(x, starts, slice_sizes)]


def _dynamic_slice_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, slice_sizes: tuple[int, ...]
) -> tuple[Any, Any]:
    ans = dynamic_slice_p.bind(*primals, slice_sizes=slice_sizes)
    t = tangents[0]
    if type(t) is Zero:
        return ans, Zero.like(ans)
    return ans, dynamic_slice_p.bind(t, *primals[1:], slice_sizes=slice_sizes)


def _dynamic_slice_transpose(
    ct: Any, x: Any, *starts: Any, slice_sizes: tuple[int, ...]
) -> tuple[Any, ...]:
    blank = zeros(x.aval.strip_weak_type())
    return dynamic_update_slice_p.bind(blank, ct, *starts), *[None for _ in starts]


def _as_indices(
    axis: Any, starts: Sequence[Any], dims: Sequence[Any]
) -> tuple[Any, tuple[int, ...], bool]:
    """Start values as one array of indices, the axes they belong to, whether they are batched.

    Axes whose start is a known zero are left out.
    """
    batched = any(d is not None for d in dims)
    named = [
        k
        for k, (s, d) in enumerate(zip(starts, dims, strict=True))
        if d is not None or type(s) is not ArrayImpl or int(s._value) != 0
    ]
    shape = (axis.size, 1) if batched else (1,)
    columns = [
        expand_dims(starts[k], (1,))
        if dims[k] is not None
        else broadcast_in_dim(starts[k], shape, ())
        for k in named
    ]
    if not columns:
        return zeros(ShapedArray((*shape[:-1], 0), _INT32)), (), batched
    return concatenate(columns, len(shape) - 1), tuple(named), batched


def _dynamic_slice_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, slice_sizes: tuple[int, ...]
) -> tuple[Any, int]:
    x, *starts = args
    d = dims[0]
    if all(s is None for s in dims[1:]):
        starts.insert(d, scalar(0, starts[0].aval.dtype if starts else _INT32))
        sizes = (*slice_sizes[:d], axis.size, *slice_sizes[d:])
        return dynamic_slice_p.bind(x, *starts, slice_sizes=sizes), d
    indices, named, _ = _as_indices(axis, starts, dims[1:])
    if d is None:
        numbers = GatherDimensionNumbers(tuple(range(1, x.aval.ndim + 1)), (), named)
        return gather(x, indices, numbers, slice_sizes, mode=CLIP), 0
    x = moveaxis(x, d, 0)
    numbers = GatherDimensionNumbers(
        tuple(range(1, x.aval.ndim)), (), tuple([k + 1 for k in named]), (0,), (0,)
    )
    out = gather(
        x,
        indices,
        numbers,
        (1, *slice_sizes),
        mode=CLIP,
        unique_indices=True,
        indices_are_sorted=True,
    )
    return out, 0


def _index(value: int) -> Any:
    return np.asarray(value, np.int32)


dynamic_slice_p = define_primitive(
    "dynamic_slice",
    shape=_dynamic_slice_shape,
    kernel=_dynamic_slice_kernel,
    jvp=_dynamic_slice_jvp,
    transpose=_dynamic_slice_transpose,
    batch=_dynamic_slice_batch,
    samples=lambda: [
        Sample((normal(3, 4), _index(1), _index(2)), dict(slice_sizes=(2, 1))),
        Sample((normal(4), _index(9)), dict(slice_sizes=(2,)), "clamped"),
        Sample((normal(4, dtype=np.complex64), _index(-1)), dict(slice_sizes=(2,)), "complex"),
        Sample((normal(4, dtype=np.int32), _index(1)), dict(slice_sizes=(2,)), "int"),
    ],
)


def dynamic_slice(
    operand: Any,
    start_indices: Any,
    slice_sizes: Sequence[int],
    *,
    allow_negative_indices: Any = True,
) -> Any:
    """A block of fixed size from a place that may be computed.

    Args:
      operand: array of rank n.
      start_indices: n integer scalars, or an integer array of shape (n,). Negative ones count
        from the end (unless ``allow_negative_indices`` is False); a block that would stick
        out is moved inside.
      slice_sizes: n ints.

    Raises TypeError where the block does not fit into the operand.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.dynamic_slice(jnp.arange(5), (3,), (2,))
    Array([3, 4], dtype=int32)
    >>> lax.dynamic_slice(jnp.arange(5), (4,), (2,))
    Array([3, 4], dtype=int32)
    """
    (x,) = operands("dynamic_slice", operand)
    starts = _starts("dynamic_slice", x, start_indices, allow_negative_indices)
    return dynamic_slice_p.bind(
        x, *starts, slice_sizes=tuple([operator.index(n) for n in slice_sizes])
    )


# ------------------------------------------------------- dynamic_update_slice


def _update_shape(x: ShapedArray, update: ShapedArray, *starts: ShapedArray) -> ShapedArray:
    if update.ndim != x.ndim:
        raise TypeError(
            "dynamic_update_slice: update must have the same rank as operand, got shapes "
            f"{update.shape} and {x.shape}.{here()}"
        )
    if update.dtype != x.dtype:
        raise TypeError(
            "dynamic_update_slice requires arguments to have the same dtypes, got "
            f"{x.dtype.name} and {update.dtype.name}.{here()}\n  Repair: update.astype(...)."
        )
    _check_window("dynamic_update_slice", x, starts, update.shape)
    return x


def _update_impl(xp: Any, x: Any, update: Any, *starts: Any) -> Any:
    out = xp.array(x)
    out[_place(x, starts, update.shape)] = update
    return out


def _update_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    ans = dynamic_update_slice_p.bind(*primals)
    tx, tu, *_ = tangents
    if type(tx) is Zero and type(tu) is Zero:
        return ans, Zero.like(ans)
    return ans, dynamic_update_slice_p.bind(instantiate(tx), instantiate(tu), *primals[2:])


def _update_transpose(ct: Any, x: Any, update: Any, *starts: Any) -> tuple[Any, ...]:
    kept = given = None
    if is_undefined_primal(x):
        blank = zeros(update.aval.update(dtype=ct.aval.dtype, weak_type=False))
        kept = dynamic_update_slice_p.bind(ct, blank, *starts)
    if is_undefined_primal(update):
        given = dynamic_slice_p.bind(ct, *starts, slice_sizes=update.aval.shape)
    return kept, given, *[None for _ in starts]


def _update_batch(axis: Any, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, int]:
    x, update, *starts = args
    x, update = batch_first(axis, x, dims[0]), batch_first(axis, update, dims[1])
    if all(d is None for d in dims[2:]):
        zero = scalar(0, starts[0].aval.dtype if starts else _INT32)
        return dynamic_update_slice_p.bind(x, update, zero, *starts), 0
    indices, named, _ = _as_indices(axis, starts, dims[2:])
    numbers = ScatterDimensionNumbers(
        tuple(range(1, x.aval.ndim)), (), tuple([k + 1 for k in named]), (0,), (0,)
    )
    return scatter(
        x, indices, update, numbers, mode=CLIP, unique_indices=True, indices_are_sorted=True
    ), 0


dynamic_update_slice_p = define_primitive(
    "dynamic_update_slice",
    shape=_update_shape,
    impl=_update_impl,
    jvp=_update_jvp,
    transpose=_update_transpose,
    batch=_update_batch,
    samples=lambda: [
        Sample((normal(3, 4), normal(2, 1), _index(1), _index(2))),
        Sample((normal(4), normal(2), _index(9)), name="clamped"),
        Sample(
            (normal(4, dtype=np.complex64), normal(1, dtype=np.complex64), _index(1)),
            name="complex",
        ),
        Sample((normal(4, dtype=np.int32), normal(2, dtype=np.int32), _index(-1)), name="int"),
    ],
)


def dynamic_update_slice(
    operand: Any, update: Any, start_indices: Any, *, allow_negative_indices: Any = True
) -> Any:
    """``operand`` with the block at ``start_indices`` replaced by ``update``.

    Args:
      operand, update: arrays of one rank n and dtype; ``update`` is no larger.
      start_indices: as in ``dynamic_slice``.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.dynamic_update_slice(jnp.zeros(4), jnp.ones(2), (1,))
    Array([0., 1., 1., 0.], dtype=float32)
    """
    x, new = operands("dynamic_update_slice", operand, update)
    starts = _starts("dynamic_update_slice", x, start_indices, allow_negative_indices)
    return dynamic_update_slice_p.bind(x, new, *starts)


# --------------------------------------------------------------- along an axis


def dynamic_slice_in_dim(
    operand: Any,
    start_index: Any,
    slice_size: int,
    axis: int = 0,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """``operand[start : start + size]`` along one axis; see ``dynamic_slice``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.dynamic_slice_in_dim(jnp.arange(5), 1, 3)
    Array([1, 2, 3], dtype=int32)
    >>> lax.dynamic_slice_in_dim(jnp.arange(5), 4, 3)  # moved back inside
    Array([2, 3, 4], dtype=int32)
    """
    (x,) = operands("dynamic_slice_in_dim", operand)
    axis = canonical_axis("dynamic_slice_in_dim", axis, x.aval.ndim)
    starts: list[Any] = [0] * x.aval.ndim
    starts[axis] = start_index
    sizes = list(x.aval.shape)
    sizes[axis] = slice_size
    return dynamic_slice(x, starts, sizes, allow_negative_indices=allow_negative_indices)


def dynamic_index_in_dim(
    operand: Any,
    index: Any,
    axis: int = 0,
    keepdims: bool = True,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """``operand[index]`` along one axis, which stays with size 1 where ``keepdims``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.dynamic_index_in_dim(jnp.arange(6).reshape(3, 2), 1, axis=0, keepdims=False)
    Array([2, 3], dtype=int32)
    """
    (x,) = operands("dynamic_index_in_dim", operand)
    axis = canonical_axis("dynamic_index_in_dim", axis, x.aval.ndim)
    out = dynamic_slice_in_dim(x, index, 1, axis, allow_negative_indices=allow_negative_indices)
    return out if keepdims else squeeze(out, (axis,))


def dynamic_update_slice_in_dim(
    operand: Any, update: Any, start_index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Any:
    """``operand`` with ``update`` written along one axis from ``start_index`` on.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.dynamic_update_slice_in_dim(jnp.zeros(4), jnp.ones(2), 1, axis=0)
    Array([0., 1., 1., 0.], dtype=float32)
    """
    (x,) = operands("dynamic_update_slice_in_dim", operand)
    axis = canonical_axis("dynamic_update_slice_in_dim", axis, x.aval.ndim)
    starts: list[Any] = [0] * x.aval.ndim
    starts[axis] = start_index
    return dynamic_update_slice(x, update, starts, allow_negative_indices=allow_negative_indices)


def dynamic_update_index_in_dim(
    operand: Any, update: Any, index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Any:
    """``operand`` with its slice at ``index`` along one axis replaced by ``update``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.dynamic_update_index_in_dim(jnp.zeros((2, 2)), jnp.ones(2), 1, axis=0)
    Array([[0., 0.],
           [1., 1.]], dtype=float32)
    """
    x, new = operands("dynamic_update_index_in_dim", operand, update)
    axis = canonical_axis("dynamic_update_index_in_dim", axis, x.aval.ndim)
    if new.aval.ndim == x.aval.ndim - 1:
        new = expand_dims(new, (axis,))
    return dynamic_update_slice_in_dim(
        x, new, index, axis, allow_negative_indices=allow_negative_indices
    )


def index_take(src: Any, idxs: Sequence[Any], axes: Sequence[int]) -> Any:
    """Slices of ``src`` at indices along ``axes``: the indexed axes become one, in front.

    Args:
      src: array.
      idxs: an integer array of shape (n,) for each of ``axes``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.index_take(jnp.arange(6).reshape(3, 2), (jnp.array([2, 0]),), axes=(0,))
    Array([[4, 5],
           [0, 1]], dtype=int32)
    """
    x, *columns = operands("index_take", src, *idxs)
    axes = tuple([canonical_axis("index_take", a, x.aval.ndim) for a in axes])
    wrapped = [wrapped_indices(i, x.aval.shape[a]) for i, a in zip(columns, axes, strict=True)]
    indices = concatenate([expand_dims(i, (1,)) for i in wrapped], 1)
    sizes = tuple([1 if d in axes else n for d, n in enumerate(x.aval.shape)])
    numbers = GatherDimensionNumbers(
        tuple(range(1, x.aval.ndim - len(axes) + 1)), tuple(sorted(axes)), axes
    )
    return gather(x, indices, numbers, sizes)


def wrapped_indices(indices: Any, size: int) -> Any:
    """An integer array with negative entries counted from the end of an axis."""
    if type(indices) is ArrayImpl:
        value = indices._value
        dtype = _wide(indices.aval.dtype)
        if value.dtype.kind == "u" or not (value < 0).any():
            return convert(indices, dtype)
        value = value.astype(dtype)
        return ArrayImpl(
            value + (value < 0) * np.asarray(size, dtype), ShapedArray(indices.aval.shape, dtype)
        )
    indices = convert(indices, _wide(indices.aval.dtype))
    dtype = indices.aval.dtype
    if dtype.kind == "u":
        return indices
    return select_n(lt(indices, scalar(0, dtype)), indices, add(indices, scalar(size, dtype)))
