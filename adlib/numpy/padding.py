"""Padding in all of NumPy's modes."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.choosing import known_integers
from adlib.numpy.functional import apply_along_axis
from adlib.numpy.promotion import broadcast_array, convert, to_array
from adlib.numpy.quantiles import median
from adlib.numpy.ranges import linspace
from adlib.numpy.reductions import max, min
from adlib.numpy.statistics import mean
from adlib.numpy.ufuncs import round

_STATISTICS: dict[str, Callable[..., Array]] = {
    "maximum": max,
    "minimum": min,
    "mean": mean,
    "median": median,
}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "constant": ("constant_values",),
    "edge": (),
    "empty": (),
    "linear_ramp": ("end_values",),
    "maximum": ("stat_length",),
    "mean": ("stat_length",),
    "median": ("stat_length",),
    "minimum": ("stat_length",),
    "reflect": ("reflect_type",),
    "symmetric": ("reflect_type",),
    "wrap": (),
}


def _pairs(what: str, value: Any, rank: int) -> np.ndarray[Any, Any]:
    """An argument as one (before, after) pair for each axis."""
    shape = value.shape
    if shape in ((), (1,)) or shape in ((2,), (1, 2), (rank, 2)):
        return np.broadcast_to(value, (rank, 2))
    if shape == (rank, 1):
        return np.broadcast_to(value, (rank, 2))
    raise ValueError(
        f"jnp.pad: {what} with nd={rank} has unsupported shape {shape}. Valid shapes are "
        f"({rank}, 2), (1, 2), (2,), (1,), or ().{here()}"
    )


def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    """The array with elements added before and after it along each axis.

    Args:
      pad_width: int, a pair (before, after), one pair for each axis, or a dict of axis to
        either; known while tracing.
      mode: "constant" (``constant_values``, 0), "edge", "empty" (zeros), "linear_ramp"
        (``end_values``), "maximum", "mean", "median", "minimum" (``stat_length``),
        "reflect", "symmetric" (``reflect_type``), "wrap", or a function as NumPy's.

    >>> import adlib.numpy as jnp
    >>> jnp.pad(jnp.array([1, 2]), (1, 2))
    Array([0, 1, 2, 0, 0], dtype=int32)
    """
    x = to_array(array, "pad")
    rank = x.aval.ndim
    if isinstance(pad_width, dict):
        widths = [(0, 0)] * rank
        for axis, width in pad_width.items():
            widths[axis] = (width, width) if isinstance(width, int) else tuple(width)
        pad_width = widths
    width = known_integers("argument pad_width of jnp.pad", pad_width)
    if width.dtype.kind not in "iu":
        raise TypeError(f"`pad_width` must be of integral type, got {width.dtype}{here()}")
    amounts = _pairs("pad_width", width, rank)
    if (amounts < 0).any():
        raise ValueError(f"index can't contain negative values: pad_width={pad_width}{here()}")
    if callable(mode):
        return _by_function(x, amounts, mode, kwargs)
    if mode not in _OPTIONS:
        raise NotImplementedError(
            f"Unimplemented padding mode '{mode}' for jnp.pad: one of {', '.join(_OPTIONS)}{here()}"
        )
    unknown = sorted(set(kwargs) - set(_OPTIONS[mode]))
    if unknown:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {unknown}{here()}")
    if mode in ("constant", "empty"):
        values = kwargs.get("constant_values", 0)
        return _constant(x, amounts, values)
    if mode in ("reflect", "symmetric"):
        odd = kwargs.get("reflect_type", "even") == "odd"
        return _each_axis(x, amounts, lambda v, *where: _mirrored(v, *where, mode, odd))
    if mode == "wrap":
        return _each_axis(x, amounts, _wrapped)
    if mode == "edge":
        return _each_axis(x, amounts, _edge)
    if mode == "linear_ramp":
        ends = kwargs.get("end_values", 0)
        return _ramp(x, amounts, ends)
    return _statistic(x, amounts, _STATISTICS[mode], kwargs.get("stat_length"))


def _each_axis(x: Array, amounts: Any, extend: Callable[..., Array]) -> Array:
    for axis, (before, after) in enumerate(amounts):
        if before or after:
            if not x.aval.shape[axis]:
                raise ValueError(
                    f"jnp.pad: axis {axis} has no elements to extend; use mode 'constant'{here()}"
                )
            x = extend(x, axis, int(before), int(after))
    return x


def _config(rank: int, axis: int, before: int, after: int) -> list[tuple[int, int, int]]:
    return [(before, after, 0) if d == axis else (0, 0, 0) for d in range(rank)]


def _constant(x: Array, amounts: Any, values: Any) -> Array:
    rank = x.aval.ndim
    fill = convert(
        to_array(values if isinstance(values, Array) else np.asarray(values), "pad"),
        x.aval.dtype,
        x.aval.weak_type,
    )
    if fill.aval.size == 1:
        config = [(int(before), int(after), 0) for before, after in amounts]
        return lax.pad(x, lax.reshape(fill, ()), config)
    shape = fill.aval.shape
    _pairs("constant_values", np.empty(shape), rank)
    fills = broadcast_array(fill, (rank, 2))
    for axis, (before, after) in enumerate(amounts):
        x = lax.pad(x, fills[axis, 0], _config(rank, axis, int(before), 0))  # type: ignore[index]
        x = lax.pad(x, fills[axis, 1], _config(rank, axis, 0, int(after)))  # type: ignore[index]
    return x


def _edge(x: Array, axis: int, before: int, after: int) -> Array:
    n = x.aval.shape[axis]
    parts = [
        _stretched(lax.slice_in_dim(x, 0, 1, axis=axis), axis, before),
        x,
        _stretched(lax.slice_in_dim(x, n - 1, n, axis=axis), axis, after),
    ]
    return lax.concatenate(parts, axis)


def _stretched(x: Array, axis: int, count: int) -> Array:
    shape = x.aval.shape
    return broadcast_array(x, (*shape[:axis], count, *shape[axis + 1 :]))


def _wrapped(x: Array, axis: int, before: int, after: int) -> Array:
    n = x.aval.shape[axis]
    left, right = divmod(before, n), divmod(after, n)
    parts = [
        lax.slice_in_dim(x, n - left[1], n, axis=axis),
        *[x] * (left[0] + 1 + right[0]),
        lax.slice_in_dim(x, 0, right[1], axis=axis),
    ]
    return lax.concatenate(parts, axis)


def _mirrored(x: Array, axis: int, before: int, after: int, mode: str, odd: bool) -> Array:
    """Mirrored at the ends, again and again while the mirrored piece is too short."""
    skip = 1 if mode == "reflect" else 0
    if x.aval.shape[axis] == 1 and skip:
        return _edge(x, axis, before, after)
    while before or after:
        n = x.aval.shape[axis] - skip
        front, back = builtins.min(before, n), builtins.min(after, n)
        parts = [x]
        if front:
            piece = lax.rev(lax.slice_in_dim(x, skip, skip + front, axis=axis), (axis,))
            edge = lax.slice_in_dim(x, 0, 1, axis=axis)
            parts.insert(0, _through(edge, piece) if odd else piece)
        if back:
            length = x.aval.shape[axis]
            piece = lax.slice_in_dim(x, length - skip - back, length - skip, axis=axis)
            piece = lax.rev(piece, (axis,))
            edge = lax.slice_in_dim(x, length - 1, length, axis=axis)
            parts.append(_through(edge, piece) if odd else piece)
        x = lax.concatenate(parts, axis)
        before, after = before - front, after - back
    return x


def _through(edge: Array, piece: Array) -> Array:
    """The piece mirrored through the value at the edge."""
    twice = lax.mul(edge, scalar(2, edge.aval.dtype))
    return lax.sub(broadcast_array(twice, piece.aval.shape), piece)


def _ramp(x: Array, amounts: Any, ends: Any) -> Array:
    rank = x.aval.ndim
    ends = to_array(ends if isinstance(ends, Array) else np.asarray(ends), "pad")
    _pairs("end_values", np.empty(ends.aval.shape), rank)
    targets = broadcast_array(convert(ends, x.aval.dtype), (rank, 2))
    for axis, (before, after) in enumerate(amounts):
        n = x.aval.shape[axis]
        first = lax.squeeze(lax.slice_in_dim(x, 0, 1, axis=axis), (axis,))
        last = lax.squeeze(lax.slice_in_dim(x, n - 1, n, axis=axis), (axis,))
        ramps = []
        for count, edge, side in ((int(before), first, 0), (int(after), last, 1)):
            target = targets[axis, side]  # type: ignore[index]
            ramp = linspace(target, edge, count, endpoint=False, axis=axis, dtype=x.aval.dtype)
            ramps.append(ramp)
        x = lax.concatenate([ramps[0], x, lax.rev(ramps[1], (axis,))], axis)
    return x


def _statistic(x: Array, amounts: Any, statistic: Any, lengths: Any) -> Array:
    rank = x.aval.ndim
    spans = None if lengths is None else _pairs("stat_length", np.asarray(lengths), rank)
    if spans is not None and (spans < 1).any():
        raise ValueError(f"jnp.pad: stat_length must be positive, got {lengths}{here()}")
    dtype = x.aval.dtype
    for axis, (before, after) in enumerate(amounts):
        n = x.aval.shape[axis]
        head = n if spans is None else builtins.min(n, int(spans[axis][0]))
        tail = n if spans is None else builtins.min(n, int(spans[axis][1]))
        values = []
        for start, stop in ((0, head), (n - tail, n)):
            value = statistic(lax.slice_in_dim(x, start, stop, axis=axis), axis=axis, keepdims=True)
            if dtypes.is_integer(dtype):
                value = round(value)
            values.append(convert(value, dtype, x.aval.weak_type))
        x = lax.concatenate(
            [_stretched(values[0], axis, int(before)), x, _stretched(values[1], axis, int(after))],
            axis,
        )
    return x


def _by_function(x: Array, amounts: Any, function: Any, kwargs: Any) -> Array:
    """NumPy's protocol: a function of a padded row, its widths, the axis and the options."""
    padded = lax.pad(
        x, scalar(0, x.aval.dtype), [(int(before), int(after), 0) for before, after in amounts]
    )
    for axis in range(x.aval.ndim):
        widths = (int(amounts[axis][0]), int(amounts[axis][1]))
        padded = apply_along_axis(function, axis, padded, widths, axis, kwargs)
    return padded
