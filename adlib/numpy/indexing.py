"""NumPy's indexing: ``x[index]`` in terms of the cheapest primitives.

Known integers and slices become a slice (with a reversal and a squeeze where they are
needed); a traced integer makes it a dynamic slice; only arrays of integers need a gather.
Out of bounds, reads give the nearest element, as they must where the index is not known in
advance; ``x.at[index].get(mode="fill")`` gives a fill value instead.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.base.source import here
from adlib.core.array import Array, ArrayImpl, from_nothing, scalar, table
from adlib.core.avals import ShapedArray
from adlib.numpy.index_parsing import Item, parse, strong
from adlib.ops.conversion import convert
from adlib.ops.dynamic_slices import dynamic_slice_p, normalized, wrapped_indices
from adlib.ops.filling import broadcast_shapes
from adlib.ops.index_plan import GatherDimensionNumbers, GatherScatterMode
from adlib.ops.indexing import gather, gather_p
from adlib.ops.reshaping import broadcast_in_dim, expand_dims, squeeze_p
from adlib.ops.stacking import concatenate
from adlib.ops.structural import rev_p, slice_p

_INT32 = np.dtype(np.int32)


# -------------------------------------------------------------------- reading


class StaticPlan(NamedTuple):
    """What a static index does: a slice, a reversal, a squeeze, new axes; each may be missing."""

    slice: Any
    reversed: tuple[int, ...]
    dropped: tuple[int, ...]
    new: tuple[int, ...]


def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` by NumPy's rules."""
    kind = type(index)
    if kind in STATIC:
        plan = _remembered_plan(x, (index,))
    elif kind is tuple:
        plan = _remembered_plan(x, index) if all([type(e) in STATIC for e in index]) else None
    elif isinstance(index, Array) and x.aval.shape and index.aval.dtype.kind in "iu":
        return _take_along_first(x, index)
    elif kind is np.ndarray and x.aval.shape and index.dtype.kind in "iu":
        return _take_along_first(x, table(index))
    else:
        plan = None
    return take_index(x, index) if plan is None else _static_take(x, plan)


STATIC = frozenset((int, slice, type(None), type(Ellipsis)))
_PLAN_LIMIT = 10_000
_plans: dict[Any, StaticPlan] = {}


def _remembered_plan(x: Any, entries: tuple[Any, ...]) -> StaticPlan | None:
    """What a static index does to arrays of a shape; None where it is not static after all."""
    shape = x.aval.shape
    key = (shape, static_key(entries))
    try:
        plan = _plans.get(key)
    except TypeError:  # an array as a slice's bound
        return None
    if plan is None:
        if len(_plans) > _PLAN_LIMIT:
            _plans.clear()
        items = parse(x, entries)[1]
        if not _inside(x, items):
            return None  # clamped by the operation, so that checkify sees the index
        plan = _plans[key] = static_plan(shape, items)
    return plan


def static_key(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    """Integers, slices, None and Ellipsis as a dictionary key (slices are none)."""
    return tuple([(e.start, e.stop, e.step) if type(e) is slice else e for e in entries])


def _take_along_first(x: Any, index: Any) -> Any:
    """``x[index]`` with one integer array, or one integer that is not known."""
    shape = x.aval.shape
    if not shape[0]:
        return take_index(x, index)
    rank = len(index.aval.shape)
    params, zeros = _first_axis_params(shape, rank)
    if not rank:
        start = normalized(strong(index), shape[0])
        dtype = start.aval.dtype
        others = zeros if dtype is _INT32 else [scalar(0, dtype)] * len(zeros)
        return squeeze_p.bind(dynamic_slice_p.bind(x, start, *others, **params), dimensions=(0,))
    return gather_p.bind(x, first_axis_indices(index, shape[0]), **params)


def first_axis_indices(index: Any, size: int) -> Any:
    """An integer array, or scalar, as an array of indices along one axis."""
    rank = len(index.aval.shape)
    indices = wrapped_indices(index, size) if rank else normalized(strong(index), size)
    if type(indices) is ArrayImpl:
        column = indices._value[..., None]
        return ArrayImpl(column, ShapedArray(column.shape, indices.aval.dtype))
    return broadcast_in_dim(indices, (*indices.aval.shape, 1), range(rank))


@functools.lru_cache(4096)
def _first_axis_params(shape: tuple[int, ...], rank: int) -> tuple[dict[str, Any], list[Any]]:
    sizes = (1, *shape[1:])
    zeros = [scalar(0, _INT32)] * (len(shape) - 1)
    if not rank:
        return dict(slice_sizes=sizes), zeros
    numbers = GatherDimensionNumbers(tuple(range(rank, rank + len(shape) - 1)), (0,), (0,))
    return dict(
        dimension_numbers=numbers,
        slice_sizes=sizes,
        mode=GatherScatterMode.PROMISE_IN_BOUNDS,
        fill_value=None,
        unique_indices=False,
        indices_are_sorted=False,
    ), zeros


def take_index(
    x: Any,
    index: Any,
    mode: Any = None,
    fill_value: Any = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    wrap: bool = True,
) -> Any:
    """``x[index]``, with a say in what happens out of bounds; see ``x.at[...].get``."""
    x, items = parse(x, index, wrap)
    kinds = {item.kind for item in items}
    mode = GatherScatterMode.from_any(mode)
    static = "array" not in kinds and all(
        item.kind != "int" or type(item.value) is int for item in items
    )
    if static and _inside(x, items):
        return _static_take(x, static_plan(x.aval.shape, items))
    if "array" not in kinds and mode is None:
        return _dynamic_take(x, items)
    return _gather_take(x, items, mode, fill_value, indices_are_sorted, unique_indices)


def _inside(x: Any, items: Sequence[Item]) -> bool:
    return all(0 <= i.value < x.aval.shape[i.axis] for i in items if i.kind == "int")


def static_plan(shape: tuple[int, ...], items: Sequence[Item]) -> StaticPlan:
    starts, limits, strides = [0] * len(shape), list(shape), [1] * len(shape)
    dropped, backwards = [], []
    for kind, axis, value in items:
        if kind == "int":
            starts[axis], limits[axis] = value, value + 1
            dropped.append(axis)
        elif kind == "slice":
            start, count, step, stop = value
            if step < 0:
                backwards.append(axis)
                start, stop, step = start + max(count - 1, 0) * step, start + bool(count), -step
            starts[axis], limits[axis], strides[axis] = start, max(start, stop), step
    cut = None
    if any(starts) or limits != list(shape) or any(s != 1 for s in strides):
        cut = dict(
            start_indices=tuple(starts),
            limit_indices=tuple(limits),
            strides=None if all(s == 1 for s in strides) else tuple(strides),
        )
    kept = [i.kind for i in items if i.kind != "int"]
    return StaticPlan(cut, tuple(backwards), tuple(dropped), _new_places(kept))


def _static_take(x: Any, plan: StaticPlan) -> Any:
    if plan.slice is not None:
        x = slice_p.bind(x, **plan.slice)
    if plan.reversed:
        x = rev_p.bind(x, dimensions=plan.reversed)
    if plan.dropped:
        x = squeeze_p.bind(x, dimensions=plan.dropped)
    return expand_dims(x, plan.new) if plan.new else x


def _new_places(kinds: Sequence[str]) -> tuple[int, ...]:
    return tuple([place for place, kind in enumerate(kinds) if kind == "new"])


def _with_new_axes(x: Any, kinds: Sequence[str]) -> Any:
    """Axes of size 1 where the kinds of the result's axes say "new"."""
    new = _new_places(kinds)
    return expand_dims(x, new) if new else x


def _dynamic_take(x: Any, items: Sequence[Item]) -> Any:
    """Integers, some of them traced, and slices."""
    simple = [i for i in items if i.kind == "slice" and i.value[2] == 1]
    if len(simple) < len([i for i in items if i.kind == "slice"]):
        # cut with strides first, so that blocks remain
        slices = [i for i in items if i.kind == "slice"]
        x, simple = _static_take(x, static_plan(x.aval.shape, slices)), []
    starts: list[Any] = [0] * len(x.aval.shape)
    sizes = list(x.aval.shape)
    for item in simple:
        starts[item.axis], sizes[item.axis] = item.value[:2]
    for item in items:
        if item.kind == "int":
            starts[item.axis], sizes[item.axis] = item.value, 1
    widths = {s.aval.dtype for s in starts if type(s) is not int}
    dtype = widths.pop() if len(widths) == 1 else _INT32
    values = [scalar(s, dtype) if type(s) is int else convert(s, dtype) for s in starts]
    out = dynamic_slice_p.bind(x, *values, slice_sizes=tuple(sizes))
    out = squeeze_p.bind(out, dimensions=tuple([i.axis for i in items if i.kind == "int"]))
    return _with_new_axes(out, [i.kind for i in items if i.kind != "int"])


def _gather_take(
    x: Any,
    items: Sequence[Item],
    mode: Any,
    fill_value: Any,
    indices_are_sorted: bool,
    unique_indices: bool,
) -> Any:
    # slices first: then every axis that has no index is taken as a whole
    slices = [i for i in items if i.kind == "slice"]
    x = _static_take(x, static_plan(x.aval.shape, slices))
    columns = [i.value for i in items if i.kind in ("int", "array")]
    shape, numbers, new = _gather_layout(
        tuple([(i.kind, i.axis, None if i.kind == "slice" else np.shape(i.value)) for i in items])
    )
    sizes = tuple([1 if d in numbers.start_index_map else n for d, n in enumerate(x.aval.shape)])
    single = not shape
    out = gather(
        x,
        index_array(columns, shape, [range(len(shape))] * len(columns)),
        numbers,
        sizes,
        mode=mode,
        fill_value=fill_value,
        indices_are_sorted=indices_are_sorted or single,
        unique_indices=unique_indices or single,
    )
    return expand_dims(out, new) if new else out


@functools.lru_cache(4096)
def _gather_layout(
    signature: tuple[tuple[str, int | None, Any], ...],
) -> tuple[tuple[int, ...], GatherDimensionNumbers, tuple[int, ...]]:
    """(shape of the index arrays together, dimension numbers, places of new axes)."""
    items = [Item(*part) for part in signature]
    arrays = [i for i in items if i.kind in ("int", "array")]
    shape = common_shape([i.value for i in arrays])
    axes = tuple([i.axis for i in arrays])
    layout = [kind for kind, _ in result_layout(items, len(shape))]
    kept = [kind for kind in layout if kind != "new"]
    numbers = GatherDimensionNumbers(
        tuple([place for place, kind in enumerate(kept) if kind == "slice"]),
        tuple(sorted(axes)),
        axes,  # type: ignore[type-var,arg-type]
    )
    return shape, numbers, _new_places(layout)


# ------------------------------------------------------------- arrays of indices


def common_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape to which NumPy broadcasts index arrays of the given shapes."""
    try:
        return broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            f"Incompatible shapes for broadcasting: index arrays of shapes "
            f"{', '.join(map(str, shapes))} do not fit each other.{here()}\n  Index arrays are "
            "used together, element by element. Repair: for all combinations use jnp.ix_(i, j), "
            "or x[i][:, j]."
        ) from None


def index_array(
    columns: Sequence[Any], shape: tuple[int, ...], places: Sequence[Sequence[int]]
) -> Any:
    """Columns as one array of indices, of shape (*shape, number of columns).

    ``places`` says along which axes of ``shape`` each column runs (aligned at their ends).
    """
    if all(not isinstance(c, Array) for c in columns):
        known = np.zeros((*shape, len(columns)), np.int32)
        for k, (column, axes) in enumerate(zip(columns, places, strict=True)):
            known[..., k] = _spread(np.asarray(column), shape, axes)
        return from_nothing(known, ShapedArray(known.shape, _INT32))
    parts = []
    wide = any(isinstance(c, Array) and c.aval.dtype.itemsize == 8 for c in columns)
    dtype = np.dtype(np.int64) if wide else _INT32
    for column, axes in zip(columns, places, strict=True):
        if isinstance(column, Array):
            column = convert(column, dtype)
        elif type(column) is int:
            column = scalar(column, dtype)
        else:
            column = table(np.asarray(column, dtype))
        along = tuple(axes)[len(axes) - len(column.aval.shape) :]
        if any(n != shape[a] for n, a in zip(column.aval.shape, along, strict=True)):
            column = broadcast_in_dim(column, shape, along)
            along = tuple(range(len(shape)))
        parts.append(broadcast_in_dim(column, (*shape, 1), along))
    return concatenate(parts, len(shape))


def _spread(column: Any, shape: tuple[int, ...], axes: Sequence[int]) -> Any:
    sizes = [1] * len(shape)
    for n, a in zip(reversed(column.shape), reversed(axes), strict=False):
        sizes[a] = n
    return column.reshape(sizes)


def result_layout(items: Sequence[Item], rank: int) -> list[tuple[str, int | None]]:
    """What each axis of ``x[index]`` is: ("slice", axis), ("new", None) or ("array", k).

    The broadcast index arrays' ``rank`` axes stand where the arrays stood, or first where
    something stood between them. Scalars count as arrays here.
    """
    pointing = [place for place, i in enumerate(items) if i.kind in ("int", "array")]
    together = pointing[-1] - pointing[0] + 1 == len(pointing)
    inner: list[tuple[str, int | None]] = [("array", k) for k in range(rank)]
    before = items[: pointing[0]] if together else []
    after = items[pointing[-1] + 1 :] if together else items
    kept = ("slice", "new")
    return [
        *[(i.kind, i.axis) for i in before if i.kind in kept],
        *inner,
        *[(i.kind, i.axis) for i in after if i.kind in kept],
    ]
