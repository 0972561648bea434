"""Cutting arrays apart, repeating, turning and shifting them."""

from __future__ import annotations

import builtins
import operator
from typing import Any

import numpy as np

from adlib import lax
from adlib.base import errors
from adlib.base.source import here
from adlib.core.array import Array, scalar
from adlib.core.trace import Tracer
from adlib.numpy.axes import axes_of, axis_of
from adlib.numpy.promotion import convert, index_dtype, promote_dtypes, to_array
from adlib.numpy.shaping import ravel

# ------------------------------------------------------------------------- splitting


def known_integers(what: str, x: Any) -> Any:
    """The value of an argument that decides on shapes, as NumPy integers."""
    if isinstance(x, Tracer):
        value = x.concrete()
        if value is None:
            raise errors.ConcretizationTypeError(
                f"The {what} decides on the shape of the result, but it is traced "
                f"({errors.kind_of(x)}).{here()}{errors.origin_of(x)}\n"
                "  Repair: make it a static argument (jit(f, static_argnums=...)) or a Python "
                "value."
            )
        x = value
    return np.asarray(x)


def _split(name: str, ary: Any, indices: Any, axis: int, uneven: bool) -> list[Array]:
    x = to_array(ary, name)
    axis = axis_of(axis, x.aval.ndim)
    length = x.aval.shape[axis]
    cuts = known_integers(f"argument indices_or_sections of jnp.{name}", indices)
    if cuts.ndim:
        bounds = [0, *[_clipped(int(c), length) for c in cuts], length]
        if bounds == sorted(bounds):
            sizes = [hi - lo for lo, hi in zip(bounds[:-1], bounds[1:], strict=True)]
            return list(lax.split(x, sizes, axis))
        return [
            lax.slice_in_dim(x, lo, builtins.max(lo, hi), axis=axis)
            for lo, hi in zip(bounds[:-1], bounds[1:], strict=True)
        ]
    parts = int(cuts)
    if parts <= 0:
        raise ValueError(f"number of sections must be larger than 0, got {parts}{here()}")
    if length % parts and not uneven:
        raise ValueError(
            f"array split does not result in an equal division: rest is {length % parts}{here()}\n"
            "  Repair: jnp.array_split allows parts of unequal size."
        )
    base, extra = builtins.divmod(length, parts)
    sizes = [base + 1] * extra + [base] * (parts - extra)
    return list(lax.split(x, sizes, axis))


def _clipped(cut: int, length: int) -> int:
    return builtins.max(0, cut + length) if cut < 0 else builtins.min(cut, length)


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Cut into equal parts, or at the given indices.

    Raises ValueError where the parts cannot be equal.

    >>> import adlib.numpy as jnp
    >>> jnp.split(jnp.arange(4), 2)
    [Array([0, 1], dtype=int32), Array([2, 3], dtype=int32)]
    """
    return _split("split", ary, indices_or_sections, axis, False)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Cut into parts of nearly equal size, or at the given indices.

    >>> import adlib.numpy as jnp
    >>> jnp.array_split(jnp.arange(3), 2)
    [Array([0, 1], dtype=int32), Array([2], dtype=int32)]
    """
    return _split("array_split", ary, indices_or_sections, axis, True)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """``split`` along the first axis.

    >>> import adlib.numpy as jnp
    >>> [x.shape for x in jnp.vsplit(jnp.zeros((4, 2)), 2)]
    [(2, 2), (2, 2)]
    """
    return _split("vsplit", ary, indices_or_sections, 0, False)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """``split`` along the second axis, or the only one.

    >>> import adlib.numpy as jnp
    >>> [x.shape for x in jnp.hsplit(jnp.zeros((2, 4)), 2)]
    [(2, 2), (2, 2)]
    """
    x = to_array(ary, "hsplit")
    return _split("hsplit", x, indices_or_sections, 0 if x.aval.ndim == 1 else 1, False)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """``split`` along the third axis.

    >>> import adlib.numpy as jnp
    >>> [x.shape for x in jnp.dsplit(jnp.zeros((2, 2, 4)), 2)]
    [(2, 2, 2), (2, 2, 2)]
    """
    return _split("dsplit", ary, indices_or_sections, 2, False)


# ----------------------------------------------------------------- tile and repeat


def tile(A: Any, reps: Any) -> Array:
    """The array laid side by side, ``reps`` times along each axis.

    >>> import adlib.numpy as jnp
    >>> jnp.tile(jnp.arange(2), (2, 2))
    Array([[0, 1, 0, 1],
           [0, 1, 0, 1]], dtype=int32)
    """
    x = to_array(A, "tile")
    counts = [reps] if isinstance(reps, (int, np.integer)) else list(reps)
    times = tuple([operator.index(n) for n in counts])
    rank = x.aval.ndim
    if len(times) < rank:
        times = (1,) * (rank - len(times)) + times
    elif len(times) > rank:
        x = lax.expand_dims(x, tuple(range(len(times) - rank)))
    return lax.tile(x, times)


def repeat(
    a: Any,
    repeats: Any,
    axis: int | None = None,
    *,
    total_repeat_length: int | None = None,
    out_sharding: None = None,
) -> Array:
    """Each element repeated in place, along an axis or in the flattened array.

    Args:
      repeats: int, or one int for each element along ``axis``.
      total_repeat_length: the length of the result; needed where ``repeats`` is traced.
        Longer than the repetitions, the last element fills up; shorter, it is cut.

    >>> import adlib.numpy as jnp
    >>> jnp.repeat(jnp.arange(2), 2)
    Array([0, 0, 1, 1], dtype=int32)
    """
    x = to_array(a, "repeat")
    if axis is None:
        x, axis = ravel(x), 0
    elif not x.aval.shape:
        x = lax.reshape(x, (1,))
    axis = axis_of(axis, x.aval.ndim)
    length = x.aval.shape[axis]
    if total_repeat_length is None:
        counts = known_integers("argument repeats of jnp.repeat", repeats)
        if counts.size and counts.min() < 0:
            raise TypeError(
                f"repeat: the numbers of repetitions must not be negative, got {repeats}.{here()}"
            )
        if counts.size == 1:
            return _repeat_each(x, int(counts.reshape(())), axis)
        if counts.shape != (length,):
            raise ValueError(
                f"jnp.repeat: repeats must be an int or have one entry for each of the {length} "
                f"elements along axis {axis}, got shape {counts.shape}.{here()}"
            )
        places: Any = np.repeat(np.arange(length, dtype=np.int32), counts)
        return _gather_along(x, to_array(places, "repeat"), axis)
    ends = to_array(repeats, "repeat", 1)
    integer = index_dtype()
    ends = convert(ends, integer)
    if ends.aval.size == 1 and length != 1:
        ends = lax.broadcast_in_dim(lax.reshape(ends, ()), (length,), ())
    ends = lax.cumsum(lax.reshape(ends, (length,)), 0)
    # how many elements have ended at each place is the index of the one that stands there
    total = operator.index(total_repeat_length)
    if total < 0:
        raise TypeError(f"repeat: total_repeat_length must not be negative, got {total}.{here()}")
    place = lax.broadcasted_iota(integer, (total, length), 0)
    ended = lax.ge(place, lax.broadcast_in_dim(ends, (total, length), (1,)))
    index = lax.reduce_sum(convert(ended, integer), (1,))
    index = lax.min(index, scalar(length - 1, integer))
    return _gather_along(x, index, axis)


def _repeat_each(x: Array, times: int, axis: int) -> Array:
    shape = x.aval.shape
    wide = (*shape[: axis + 1], times, *shape[axis + 1 :])
    kept = (*range(axis + 1), *range(axis + 2, len(wide)))
    return lax.reshape(
        lax.broadcast_in_dim(x, wide, kept),
        (*shape[:axis], shape[axis] * times, *shape[axis + 1 :]),
    )


def _gather_along(x: Array, index: Array, axis: int) -> Array:
    return x[(slice(None),) * axis + (index,)]  # type: ignore[index]


# ------------------------------------------------------------- turning and shifting


def flip(m: Any, axis: Any = None) -> Array:
    """Elements in reverse order, along all axes or the given ones.

    >>> import adlib.numpy as jnp
    >>> jnp.flip(jnp.arange(3))
    Array([2, 1, 0], dtype=int32)
    """
    x = to_array(m, "flip")
    axes = axes_of(axis, x.aval.ndim)
    return lax.rev(x, axes) if axes else x


def fliplr(m: Any) -> Array:
    """``flip`` along the second axis.

    >>> import adlib.numpy as jnp
    >>> jnp.fliplr(jnp.array([[1, 2]]))
    Array([[2, 1]], dtype=int32)
    """
    return flip(to_array(m, "fliplr"), 1)


def flipud(m: Any) -> Array:
    """``flip`` along the first axis.

    >>> import adlib.numpy as jnp
    >>> jnp.flipud(jnp.array([1, 2]))
    Array([2, 1], dtype=int32)
    """
    return flip(to_array(m, "flipud"), 0)


def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """Turned ``k`` quarters in the plane of two axes, from the first to the second.

    >>> import adlib.numpy as jnp
    >>> jnp.rot90(jnp.array([[1, 2], [3, 4]]))
    Array([[2, 4],
           [1, 3]], dtype=int32)
    """
    x = to_array(m, "rot90")
    first, second = (axis_of(a, x.aval.ndim) for a in axes)
    if first == second:
        raise ValueError(f"axes must be different, got {axes}{here()}")
    k = k % 4
    if k == 0:
        return x
    if k == 2:
        return flip(flip(x, first), second)
    order = list(range(x.aval.ndim))
    order[first], order[second] = second, first
    if k == 1:
        return lax.transpose(flip(x, second), order)
    return flip(lax.transpose(x, order), second)


def roll(a: Any, shift: Any, axis: Any = None) -> Array:
    """Elements shifted along axes; what falls off at the end comes in at the start.

    Args:
      shift: int or tuple of ints, which may be traced.
      axis: None for the flattened array, int or tuple of ints.

    >>> import adlib.numpy as jnp
    >>> jnp.roll(jnp.arange(4), 1)
    Array([3, 0, 1, 2], dtype=int32)
    """
    x = to_array(a, "roll")
    if axis is None:
        return lax.reshape(roll(ravel(x), shift, 0), x.aval.shape)
    axes = [axis_of(i, x.aval.ndim) for i in (axis if isinstance(axis, (tuple, list)) else [axis])]
    if not axes:
        return x
    shifts = list(shift) if isinstance(shift, (tuple, list)) else [shift]
    if isinstance(shift, (Array, np.ndarray)) and shift.ndim:
        shifts = [shift[i] for i in range(shift.shape[0])]
    count = builtins.max(len(axes), len(shifts))
    axes = axes * count if len(axes) == 1 else axes
    shifts = shifts * count if len(shifts) == 1 else shifts
    if len(axes) != len(shifts):
        raise ValueError(f"jnp.roll: {len(shifts)} shifts do not fit {len(axes)} axes{here()}")
    for by, along in zip(shifts, axes, strict=True):
        x = _roll_once(x, by, along)
    return x


def _roll_once(x: Array, shift: Any, axis: int) -> Array:
    length = x.aval.shape[axis]
    if not length:
        return x
    concrete = shift.concrete() if isinstance(shift, Tracer) else shift
    if concrete is not None:
        by = operator.index(concrete) % length
        if not by:
            return x
        tail = lax.slice_in_dim(x, length - by, length, axis=axis)
        return lax.concatenate([tail, lax.slice_in_dim(x, 0, length - by, axis=axis)], axis)
    # a traced shift: the window that starts where the array would after the shift
    twice = lax.concatenate([x, x], axis)
    size = scalar(length, shift.aval.dtype)
    start = lax.rem(lax.sub(size, lax.rem(shift, size)), size)
    return lax.dynamic_slice_in_dim(twice, start, length, axis)


def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Array:
    """Without the zeros at the front ("f") and back ("b") of axes; values must be known.

    >>> import adlib.numpy as jnp
    >>> jnp.trim_zeros(jnp.array([0, 0, 1, 2, 0]))
    Array([1, 2], dtype=int32)
    """
    x = to_array(filt, "trim_zeros")
    if not x.aval.shape:
        return x
    places = np.nonzero(known_integers("argument filt of jnp.trim_zeros", x))
    for d in axes_of(axis, x.aval.ndim):
        found, size = places[d], x.aval.shape[d]
        if not found.size:
            return lax.slice_in_dim(x, 0, 0, axis=d)
        low = int(found.min()) if "f" in trim.lower() else 0
        high = int(found.max()) + 1 if "b" in trim.lower() else size
        x = lax.slice_in_dim(x, low, high, axis=d)
    return x


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """Differences of neighbours along an axis, taken ``n`` times; booleans differ or not.

    >>> import adlib.numpy as jnp
    >>> jnp.diff(jnp.array([1, 4, 9]))
    Array([3, 5], dtype=int32)
    """
    x = to_array(a, "diff")
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}{here()}")
    if not x.aval.shape:
        raise ValueError(f"diff requires input that is at least one dimensional{here()}")
    axis = axis_of(axis, x.aval.ndim)
    parts = []
    for extra in (prepend, x, append):
        if extra is not None:
            part = to_array(extra, "diff")
            if not part.aval.shape:
                sizes = (*x.aval.shape[:axis], 1, *x.aval.shape[axis + 1 :])
                part = lax.broadcast_in_dim(part, sizes, ())
            parts.append(part)
    if len(parts) > 1:
        x = lax.concatenate(promote_dtypes("diff", *parts), axis)
    for _ in range(n):
        length = x.aval.shape[axis]
        later = lax.slice_in_dim(x, builtins.min(1, length), length, axis=axis)
        earlier = lax.slice_in_dim(x, 0, builtins.max(0, length - 1), axis=axis)
        x = lax.ne(later, earlier) if x.aval.dtype.kind == "b" else lax.sub(later, earlier)
    return x
