"""NumPy's indexing: ``x[index]`` in terms of the cheapest primitives.

Known integers and slices become a slice (with a reversal and a squeeze where they are
needed); a traced integer makes it a dynamic slice; only arrays of integers need a gather.
Out of bounds, reads give the nearest element, as they must where the index is not known in
advance; ``x.at[index].get(mode="fill")`` gives a fill value instead.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.base import errors
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl, as_value, from_numpy, scalar
from adlib.core.avals import ShapedArray
from adlib.core.trace import Tracer
from adlib.ops.conversion import convert
from adlib.ops.dynamic_slices import dynamic_slice_p, normalized, wrapped_indices
from adlib.ops.filling import broadcast_shapes
from adlib.ops.index_plan import GatherDimensionNumbers, GatherScatterMode
from adlib.ops.indexing import gather
from adlib.ops.reshaping import broadcast_in_dim, expand_dims, squeeze_p
from adlib.ops.stacking import stack
from adlib.ops.structural import concatenate, rev_p, slice_p

_INT32 = np.dtype(np.int32)


class Item(NamedTuple):
    """One part of an index.

    Attributes:
      kind: "new" (a new axis), "slice", "int" (a scalar) or "array".
      axis: the axis of the array that it indexes (None for a new one).
      value: the Python int or scalar Array; (start, count, step, stop); or the index array,
        which is an ndarray where its numbers are known.
    """

    kind: str
    axis: int | None
    value: Any


# -------------------------------------------------------------------- reading


def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` by NumPy's rules."""
    # the usual indices, which can be dictionary keys, are worked out once for each shape
    kind = type(index)
    if kind is int:
        key: Any = (x.aval.shape, index)
    elif kind is tuple and all([type(e) in _STATIC for e in index]):
        key = (x.aval.shape, index)
    elif kind in _STATIC:
        key = (x.aval.shape, (index,))
    else:
        return take_index(x, index)
    try:
        plan = _plans.get(key)
    except TypeError:  # slices cannot be hashed before Python 3.12
        return take_index(x, index)
    if plan is None:
        if len(_plans) > _PLAN_LIMIT:
            _plans.clear()
        x, items = parse(x, index)
        plan = _plans[key] = static_plan(x.aval.shape, items)
    return _static_take(x, plan)


_STATIC = (int, slice, type(None), type(Ellipsis))
_PLAN_LIMIT = 10_000
_plans: dict[Any, StaticPlan] = {}


def take_index(
    x: Any, index: Any, mode: Any = None, fill_value: Any = None,
    indices_are_sorted: bool = False, unique_indices: bool = False, wrap: bool = True,
) -> Any:
    """``x[index]``, with a say in what happens out of bounds; see ``x.at[...].get``."""
    x, items = parse(x, index, wrap)
    kinds = {item.kind for item in items}
    mode = GatherScatterMode.from_any(mode)
    static = "array" not in kinds and all(
        item.kind != "int" or type(item.value) is int for item in items
    )
    if static and (mode is not GatherScatterMode.FILL_OR_DROP or _inside(x, items)):
        return _static_take(x, static_plan(x.aval.shape, items))
    if "array" not in kinds and mode is None:
        return _dynamic_take(x, items)
    return _gather_take(x, items, mode, fill_value, indices_are_sorted, unique_indices)


def _inside(x: Any, items: Sequence[Item]) -> bool:
    return all(0 <= i.value < x.aval.shape[i.axis] for i in items if i.kind == "int")


class StaticPlan(NamedTuple):
    """What a static index does: a slice, a reversal, a squeeze, new axes; each may be missing."""

    slice: Any
    reversed: tuple[int, ...]
    dropped: tuple[int, ...]
    new: tuple[int, ...]


def static_plan(shape: tuple[int, ...], items: Sequence[Item]) -> StaticPlan:
    starts, limits, strides = [0] * len(shape), list(shape), [1] * len(shape)
    dropped, backwards = [], []
    for kind, axis, value in items:
        if kind == "int":
            n = shape[axis]
            start = value if 0 <= value < n else (n - 1 if value >= n else 0)
            starts[axis], limits[axis] = start, start + 1
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
            start_indices=tuple(starts), limit_indices=tuple(limits),
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
    x: Any, items: Sequence[Item], mode: Any, fill_value: Any, indices_are_sorted: bool,
    unique_indices: bool,
) -> Any:
    # slices first: then every axis that has no index is taken as a whole
    slices = [i for i in items if i.kind == "slice"]
    x = _static_take(x, static_plan(x.aval.shape, slices))
    arrays = [i for i in items if i.kind in ("int", "array")]
    columns, shape = broadcast_columns([i.value for i in arrays])
    axes = tuple([i.axis for i in arrays])
    layout = result_layout(items, len(shape))
    kept = [kind for kind, _ in layout if kind != "new"]
    numbers = GatherDimensionNumbers(
        tuple([place for place, kind in enumerate(kept) if kind == "slice"]),
        tuple(sorted(axes)), axes,
    )
    sizes = tuple([1 if d in axes else n for d, n in enumerate(x.aval.shape)])
    if not shape:
        indices_are_sorted = unique_indices = True
    out = gather(
        x, index_array(columns, shape, [(range(len(shape)))] * len(columns)), numbers, sizes,
        mode=mode, fill_value=fill_value, indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
    )
    return _with_new_axes(out, [kind for kind, _ in layout])


# ------------------------------------------------------------- arrays of indices


def broadcast_columns(values: Sequence[Any]) -> tuple[list[Any], tuple[int, ...]]:
    """Index values, and the shape to which NumPy broadcasts them."""
    try:
        return list(values), broadcast_shapes(*[np.shape(v) for v in values])
    except ValueError:
        shapes = ", ".join(str(np.shape(v)) for v in values)
        raise IndexError(
            f"Incompatible shapes for broadcasting: index arrays of shapes {shapes} do not fit "
            f"each other.{here()}\n  Index arrays are used together, element by element. Repair: "
            "for all combinations use jnp.ix_(i, j), or x[i][:, j]."
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
        return ArrayImpl(known, ShapedArray(known.shape, _INT32))
    parts = []
    wide = any(isinstance(c, Array) and c.aval.dtype.itemsize == 8 for c in columns)
    dtype = np.dtype(np.int64) if wide else _INT32
    for column, axes in zip(columns, places, strict=True):
        if isinstance(column, Array):
            column = convert(column, dtype)
        elif type(column) is int:
            column = scalar(column, dtype)
        else:
            column = from_numpy(np.asarray(column, dtype))
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
    before = [(i.kind, i.axis) for i in items[: pointing[0]]] if together else []
    rest = items[pointing[-1] + 1 :] if together else [
        i for i in items if i.kind in ("slice", "new")
    ]
    return [*before, *inner, *[(i.kind, i.axis) for i in rest]]


# -------------------------------------------------------------------- parsing


def parse(x: Any, index: Any, wrap: bool = True) -> tuple[Any, list[Item]]:
    """The parts of an index, one for each axis of ``x`` and each new axis, in order.

    Negative integers are made to count from the front. A boolean scalar is an index along a
    new axis of ``x``, so ``x`` is returned as well.
    """
    shape = x.aval.shape
    entries = index if type(index) is tuple else _single(index)
    simple = _parse_simple(shape, entries)
    if simple is not None:
        return x, simple
    entries = [_converted(e, place) for place, e in enumerate(entries)]
    x, entries = _boolean_scalars(x, entries)
    entries = _masks_as_integers(x.aval.shape, entries)
    return x, _parse_entries(x.aval.shape, entries, wrap)


def _single(index: Any) -> tuple[Any, ...]:
    if isinstance(index, list):
        raise TypeError(
            "Using a non-tuple sequence for multidimensional indexing is not allowed; got the "
            f"list {_short(index)}.{here()}\n  Repair: x[jnp.array(indices)] picks several "
            "elements, x[tuple(indices)] gives one index for each axis."
        )
    return tuple(index) if isinstance(index, tuple) else (index,)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _parse_simple(shape: tuple[int, ...], entries: Sequence[Any]) -> list[Item] | None:
    """The parts of an index of Python ints and slices alone; None for anything else."""
    if len(entries) > len(shape):
        return None
    items = []
    for axis, e in enumerate(entries):
        if type(e) is int:
            n = shape[axis]
            if not n:
                return None
            items.append(Item("int", axis, e + n if e < 0 else e))
        elif type(e) is slice and type(e.start) in _PLAIN and type(e.stop) in _PLAIN and (
            type(e.step) in _PLAIN
        ):
            items.append(Item("slice", axis, slice_bounds(e, shape[axis])))
        else:
            return None
    for axis in range(len(entries), len(shape)):
        items.append(Item("slice", axis, (0, shape[axis], 1, shape[axis])))
    return items


_PLAIN = (int, type(None))


def slice_bounds(s: slice, size: int) -> tuple[int, int, int, int]:
    """(first index, number of indices, step, stop) of a slice of an axis."""
    if s.step is not None and s.step == 0:
        raise ValueError(f"slice step cannot be zero.{here()}")
    start, stop, step = s.indices(size)
    count = len(range(start, stop, step))
    return (start if count or step > 0 else 0), count, step, stop


def _converted(e: Any, place: int) -> Any:
    """An entry as int, slice, None, Ellipsis, bool, ndarray (known) or Array (traced)."""
    if e is None or e is Ellipsis or type(e) in (int, bool):
        return e
    if isinstance(e, slice):
        return _static_slice(e, place)
    if isinstance(e, str):
        raise TypeError(f"adlib arrays have no fields: the index {e!r} is text.{here()}")
    if isinstance(e, list | tuple | range):
        e = _array_of(e)
    elif not isinstance(e, Array | np.ndarray | np.generic):
        e = _from_protocol(e)
    if isinstance(e, ArrayImpl) and e.aval.shape:
        e = np.asarray(e._value if isinstance(e._value, np.ndarray) else e._value.get())
    if isinstance(e, np.ndarray) and not e.size and e.dtype.kind == "f":
        e = e.astype(np.int32)  # np.array([]) is empty, not fractional
    kind = dtypes.kind(e.aval.dtype if isinstance(e, Array) else e.dtype)
    if kind not in "biu":
        dtype = e.aval.dtype.name if isinstance(e, Array) else e.dtype.name
        raise TypeError(
            f"Indexer must have integer or boolean type, got indexer with type {dtype}.{here()}\n"
            "  Repair: i.astype(int) (or int(i)) says how to round."
        )
    if isinstance(e, np.ndarray | np.generic) and not np.shape(e):
        return bool(e) if kind == "b" else int(e)
    return _concrete_mask(e) if kind == "b" else e


def _from_protocol(e: Any) -> Any:
    if isinstance(e, float | complex):
        return np.asarray(e)
    try:
        return np.asarray(operator.index(e))
    except TypeError:
        pass
    try:
        return as_value(e)
    except TypeError:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), newaxis (`None`) and integer or "
            f"boolean arrays are valid indices; got {_short(e)}.{here()}"
        ) from None


def _array_of(sequence: Any) -> Any:
    if any(isinstance(v, Tracer) for v in sequence):
        return stack([as_value(v) for v in sequence])
    return np.asarray([int(v) if isinstance(v, Array) and not v.aval.shape
                       and dtypes.is_integer(v.aval.dtype) else v for v in sequence])


def _static_slice(e: slice, place: int) -> slice:
    bounds = []
    for bound in (e.start, e.stop, e.step):
        if isinstance(bound, Tracer) and bound.concrete() is None:
            raise IndexError(
                f"Slice entries must be static integers; at position {place} the slice has "
                f"{errors.kind_of(bound)}, so the size of the result would be unknown.{here()}"
                f"{errors.origin_of(bound)}\n  Repair: lax.dynamic_slice_in_dim(x, start, size, "
                "axis) cuts a block of fixed size at a traced place."
            )
        try:
            bounds.append(None if bound is None else operator.index(bound))
        except TypeError:
            raise TypeError(
                f"Slice entries must be integers or None, got {_short(bound)}.{here()}"
            ) from None
    return slice(*bounds)


def _concrete_mask(mask: Any) -> Any:
    known = mask.concrete() if isinstance(mask, Tracer) else mask
    if known is None:
        raise errors.NonConcreteBooleanIndexError(
            f"Array boolean indices must be concrete; got {mask.aval.str_short()}, a "
            f"{errors.kind_of(mask)}: the size of the result depends on its values."
            f"{here()}{errors.origin_of(mask)}\n  Repair: jnp.where(mask, x, other) keeps the "
            "shape; to change elements use jnp.where(mask, new, x); or jnp.nonzero(mask, size=n)."
        )
    if isinstance(known, ArrayImpl):
        known = known._value
    return bool(known) if not np.shape(known) else np.asarray(known)


def _boolean_scalars(x: Any, entries: list[Any]) -> tuple[Any, list[Any]]:
    """True and False pick one or no element along an axis of size 1 made for them."""
    if not any(type(e) is bool for e in entries):
        return x, entries
    entries = _without_ellipsis(x.aval.shape, entries)
    axis, made, out = 0, [], []
    for e in entries:
        if type(e) is bool:
            made.append(axis)
            out.append(np.zeros(1 if e else 0, np.int32))
            axis += 1
        else:
            out.append(e)
            axis += _consumed(e)
    return expand_dims(x, tuple(made)), out


def _consumed(e: Any) -> int:
    """How many axes an entry indexes."""
    if e is None or e is Ellipsis or type(e) is bool:
        return 0
    return e.ndim if isinstance(e, np.ndarray) and e.dtype == bool else 1


def _without_ellipsis(shape: tuple[int, ...], entries: list[Any]) -> list[Any]:
    if sum(e is Ellipsis for e in entries) > 1:
        raise IndexError(f"an index can only have a single ellipsis ('...').{here()}")
    used = sum(map(_consumed, entries))
    if used > len(shape):
        raise IndexError(
            f"Too many indices: array is {len(shape)}-dimensional, but {used} were indexed "
            f"(shape {shape}).{here()}"
        )
    place = next((i for i, e in enumerate(entries) if e is Ellipsis), None)
    filling = [slice(None)] * (len(shape) - used)
    if place is None:
        return [*entries, *filling]
    return [*entries[:place], *filling, *entries[place + 1 :]]


def _masks_as_integers(shape: tuple[int, ...], entries: list[Any]) -> list[Any]:
    """Boolean arrays replaced by the positions of their True elements."""
    entries = _without_ellipsis(shape, entries)
    out: list[Any] = []
    axis = 0
    for e in entries:
        if isinstance(e, np.ndarray) and e.dtype == bool:
            expected = shape[axis : axis + e.ndim]
            if e.shape != expected:
                raise IndexError(
                    f"boolean index did not match shape of indexed array: got a mask of shape "
                    f"{e.shape} for axes {axis} to {axis + e.ndim - 1} of an array of shape "
                    f"{shape}, where {expected} is wanted.{here()}"
                )
            out += [np.asarray(n, np.int32) for n in e.nonzero()]
        else:
            out.append(e)
        axis += _consumed(e)
    return out


def _parse_entries(shape: tuple[int, ...], entries: Sequence[Any], wrap: bool) -> list[Item]:
    items = []
    axis = 0
    for e in entries:
        if e is None:
            items.append(Item("new", None, None))
            continue
        n = shape[axis]
        if isinstance(e, slice):
            items.append(Item("slice", axis, slice_bounds(e, n)))
        elif type(e) is int or not np.shape(e):
            if not n:
                raise IndexError(f"index is out of bounds for axis {axis} with size 0.{here()}")
            if type(e) is int:
                items.append(Item("int", axis, e + n if wrap and e < 0 else e))
            else:
                items.append(Item("int", axis, normalized(e, n, wrap)))
        else:
            items.append(Item("array", axis, _array_item(e, n, axis, wrap)))
        axis += 1
    return items


def _array_item(e: Any, size: int, axis: int, wrap: bool) -> Any:
    if not size and np.size(e):
        raise IndexError(f"index is out of bounds for axis {axis} with size 0.{here()}")
    if not wrap:
        return e
    if isinstance(e, Array):
        return wrapped_indices(e, size)
    return np.where(e < 0, e + np.int64(size), e) if e.dtype.kind == "i" else e
