"""What an index says: its parts, one for each axis of the array and each new axis."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.base import errors
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl, as_value
from adlib.core.trace import Tracer
from adlib.ops.conversion import convert
from adlib.ops.dynamic_slices import normalized, wrapped_indices
from adlib.ops.reshaping import expand_dims
from adlib.ops.stacking import stack


class Item(NamedTuple):
    """One part of an index.

    Attributes:
      kind: "new" (a new axis), "slice", "int" (a scalar) or "array"; next to arrays also
        "gap", for an ellipsis that stands for no axis: by NumPy's rules it keeps them apart.
      axis: the axis of the array that it indexes (None for a new one).
      value: the Python int or scalar Array; (start, count, step, stop); or the index array,
        which is an ndarray where its numbers are known.
    """

    kind: str
    axis: int | None
    value: Any


def parse(x: Any, index: Any, wrap: bool = True) -> tuple[Any, list[Item]]:
    """The parts of an index, one for each axis of ``x`` and each new axis, in order.

    Negative integers are made to count from the front. A boolean scalar is an index along a
    new axis of ``x``, so ``x`` is returned as well.
    """
    shape = x.aval.shape
    entries = index if type(index) is tuple else _single(index)
    simple = _parse_simple(shape, entries, wrap)
    if simple is not None:
        return x, simple
    entries = [_converted(e, place) for place, e in enumerate(entries)]
    x, entries = _boolean_scalars(x, entries)
    entries = _masks_as_integers(x.aval.shape, entries)
    return x, _parse_entries(x.aval.shape, entries, wrap)


def _single(index: Any) -> tuple[Any, ...]:
    if isinstance(index, list | range):
        raise TypeError(
            "Using a non-tuple sequence for multidimensional indexing is not allowed; got the "
            f"{type(index).__name__} {_short(index)}.{here()}\n  Repair: x[jnp.array(indices)] "
            "picks several elements, x[tuple(indices)] gives one index for each axis."
        )
    return tuple(index) if isinstance(index, tuple) else (index,)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _parse_simple(shape: tuple[int, ...], entries: Sequence[Any], wrap: bool) -> list[Item] | None:
    """The parts of an index of Python ints and slices alone; None for anything else."""
    if len(entries) > len(shape):
        return None
    items = []
    for axis, e in enumerate(entries):
        if type(e) is int:
            n = shape[axis]
            if not n:
                return None
            items.append(Item("int", axis, e + n if wrap and e < 0 else e))
        elif (
            type(e) is slice
            and type(e.start) in _PLAIN
            and type(e.stop) in _PLAIN
            and (type(e.step) in _PLAIN)
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
        if isinstance(e, np.ndarray) and not e.size and e.dtype.kind == "f":
            e = e.astype(np.int32)  # [] is empty, not fractional
    elif not isinstance(e, Array | np.ndarray | np.generic):
        e = _from_protocol(e)
    if isinstance(e, ArrayImpl) and e.aval.shape:
        e = np.asarray(e._value if isinstance(e._value, np.ndarray) else e._value.get())
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
    return np.asarray(
        [
            int(v)
            if isinstance(v, Array) and not v.aval.shape and dtypes.is_integer(v.aval.dtype)
            else v
            for v in sequence
        ]
    )


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


_GAP: Any = Item("gap", None, None)


def _consumed(e: Any) -> int:
    """How many axes an entry indexes."""
    if e is None or e is Ellipsis or e is _GAP or type(e) is bool:
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
    if not filling and any(isinstance(e, Array | np.ndarray) and e.shape for e in entries):
        filling = [_GAP]
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
        if e is _GAP:
            items.append(e)
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
                items.append(Item("int", axis, normalized(strong(e), n, wrap)))
        else:
            items.append(Item("array", axis, _array_item(e, n, axis, wrap)))
        axis += 1
    return items


def strong(index: Any) -> Any:
    """A traced scalar without weak type; others as they are."""
    if isinstance(index, Tracer) and index.aval.weak_type:
        return convert(index, index.aval.dtype)
    return index


def _array_item(e: Any, size: int, axis: int, wrap: bool) -> Any:
    if not size and np.size(e):
        raise IndexError(f"index is out of bounds for axis {axis} with size 0.{here()}")
    if not wrap:
        return e
    if isinstance(e, Array):
        return wrapped_indices(e, size)
    return np.where(e < 0, e + np.int64(size), e) if e.dtype.kind == "i" else e
