"""Slices, padding, reversal.

None of these compute with the elements, so they take every dtype, PRNG keys included. A
slice and the padding that undoes it are each other's transposes.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core.array import scalar
from adlib.core.avals import ShapedArray, is_undefined_primal
from adlib.core.primitive import Sample
from adlib.ops.arithmetic import sub
from adlib.ops.constructors import linear
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import (
    broadcast_in_dim,
    broadcast_to,
    moveaxis,
    reduce_sum,
    squeeze,
)
from adlib.ops.selection import select_n


def zero_of(x: Any) -> Any:
    """The rank-0 zero of the dtype of ``x``: what padding is filled with."""
    return scalar(0, x.aval.dtype)


def batch_first(axis: Any, x: Any, d: int | None) -> Any:
    """``x`` with its batch axis first, made by repetition where there was none."""
    if d is None:
        return broadcast_to(x, (axis.size, *x.aval.shape))
    return moveaxis(x, d, 0)


# ---------------------------------------------------------------------- slice


def _slice_shape(
    x: ShapedArray,
    *,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> ShapedArray:
    steps = strides or (1,) * x.ndim
    if not len(start_indices) == len(limit_indices) == len(steps) == x.ndim:
        raise TypeError(
            f"slice needs one start, limit and stride for each axis: an array of shape {x.shape} "
            f"got start_indices={start_indices}, limit_indices={limit_indices}, strides={strides}"
            f".{here()}"
        )
    shape = []
    for n, start, limit, step in zip(x.shape, start_indices, limit_indices, steps, strict=True):
        if not 0 <= start <= limit <= n or step < 1:
            raise TypeError(
                f"slice: start {start}, limit {limit} and stride {step} do not fit an axis of "
                f"size {n} (array of shape {x.shape}): 0 <= start <= limit <= size and stride >= 1 "
                f"are needed.{here()}\n  Repair: x[start:limit:stride] takes negative and large "
                "indices, as Python's slices do."
            )
        shape.append(-((start - limit) // step))
    return ShapedArray(tuple(shape), x.dtype, x.weak_type)


def _slice_kernel(
    xp: Any,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> Callable[..., Any]:
    steps = strides or (None,) * len(start_indices)
    return operator.itemgetter(tuple(map(builtins.slice, start_indices, limit_indices, steps)))


def _slice_transpose(
    ct: Any,
    x: Any,
    *,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> tuple[Any]:
    steps = strides or (1,) * len(start_indices)
    config = []
    for n, m, start, step in zip(x.aval.shape, ct.aval.shape, start_indices, steps, strict=True):
        covered = (m - 1) * step + 1 if m else 0
        config.append((start, n - start - covered, step - 1))
    return (pad(ct, zero_of(ct), config),)


def _slice_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> tuple[Any, int]:
    (x,), (d,) = args, dims

    def insert(values: tuple[int, ...], value: int) -> tuple[int, ...]:
        return (*values[:d], value, *values[d:])

    out = slice_p.bind(
        x,
        start_indices=insert(start_indices, 0),
        limit_indices=insert(limit_indices, axis.size),
        strides=None if strides is None else insert(strides, 1),
    )
    return out, d


def _slice_params(start: Any, limit: Any, strides: Any = None) -> dict[str, Any]:
    return dict(start_indices=start, limit_indices=limit, strides=strides)


slice_p = linear(
    "slice",
    shape=_slice_shape,
    kernel=_slice_kernel,
    transpose=_slice_transpose,
    batch=_slice_batch,
    samples=lambda: [
        Sample((normal(3, 4),), _slice_params((1, 0), (3, 2))),
        Sample((normal(3, 5),), _slice_params((0, 1), (3, 5), (2, 3)), "strides"),
        Sample((normal(4, dtype=np.complex64),), _slice_params((1,), (3,)), "complex"),
        Sample((normal(3),), _slice_params((2,), (2,)), "empty"),
        Sample((normal(3, dtype=np.int32),), _slice_params((0,), (2,)), "int"),
        Sample((normal(),), _slice_params((), ()), "scalar"),
    ],
)


def slice(
    operand: Any,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Any:
    """The block ``operand[start:limit:stride]``, with bounds given for each axis.

    Args:
      operand: array of rank n.
      start_indices, limit_indices: n ints each, 0 <= start <= limit <= size.
      strides: n ints >= 1, or None for 1.

    Raises TypeError where bounds do not fit the shape.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.slice(jnp.arange(6), (1,), (6,), (2,))
    Array([1, 3, 5], dtype=int32)
    """
    (x,) = operands("slice", operand)
    return slice_p.bind(
        x,
        start_indices=tuple([operator.index(i) for i in start_indices]),
        limit_indices=tuple([operator.index(i) for i in limit_indices]),
        strides=None if strides is None else tuple([operator.index(i) for i in strides]),
    )


def canonical_axis(name: str, axis: int, rank: int) -> int:
    """``axis`` counted from the front; a ValueError (and IndexError) where there is none."""
    axis = operator.index(axis)
    if not -rank <= axis < rank:
        raise np.exceptions.AxisError(
            f"{name}: axis {axis} is out of bounds for array of dimension {rank}; it must lie in "
            f"{-rank}..{rank - 1}.{here()}"
        )
    return axis + rank if axis < 0 else axis


def slice_in_dim(
    operand: Any, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0
) -> Any:
    """``operand[start:limit:stride]`` along one axis; None and negative bounds as in Python.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.slice_in_dim(jnp.arange(6), 1, 6, 2)
    Array([1, 3, 5], dtype=int32)
    """
    (x,) = operands("slice_in_dim", operand)
    shape = x.aval.shape
    axis = canonical_axis("slice_in_dim", axis, len(shape))
    n = shape[axis]
    start = 0 if start_index is None else operator.index(start_index)
    limit = n if limit_index is None else operator.index(limit_index)
    starts, limits, strides = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis] = start + n if start < 0 else start
    limits[axis] = limit + n if limit < 0 else limit
    strides[axis] = operator.index(stride)
    return slice(x, starts, limits, strides)


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """``operand[index]`` along one axis, which stays with size 1 where ``keepdims``.

    Raises IndexError where the index is out of bounds.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.index_in_dim(jnp.arange(6).reshape(3, 2), -1, axis=0, keepdims=False)
    Array([4, 5], dtype=int32)
    """
    (x,) = operands("index_in_dim", operand)
    axis = canonical_axis("index_in_dim", axis, x.aval.ndim)
    n = x.aval.shape[axis]
    index = operator.index(index)
    if not -n <= index < n:
        raise IndexError(
            f"index_in_dim: index {index} is out of bounds for axis {axis} with size {n}.{here()}"
        )
    index = index + n if index < 0 else index
    out = slice_in_dim(x, index, index + 1, 1, axis)
    return out if keepdims else squeeze(out, (axis,))


# ------------------------------------------------------------------------ pad

PaddingConfig = tuple[tuple[int, int, int], ...]


def _padded_size(n: int, lo: int, hi: int, interior: int) -> int:
    return lo + hi + n + max(0, n - 1) * interior


def _pad_shape(x: ShapedArray, value: ShapedArray, *, padding_config: PaddingConfig) -> ShapedArray:
    if x.dtype != value.dtype:
        raise TypeError(
            f"pad: operand and padding_value must have the same dtype, got {x.dtype.name} and "
            f"{value.dtype.name}.{here()}\n  Repair: padding_value.astype(operand.dtype)."
        )
    if value.shape:
        raise ValueError(
            f"pad: padding_value must be a scalar, got an array of shape {value.shape}.{here()}"
        )
    if len(padding_config) != x.ndim:
        raise ValueError(
            f"pad: length of padding_config must equal the number of axes of operand, got "
            f"{padding_config} for an array of shape {x.shape}.{here()}\n  It holds (low, high, "
            "interior) for each axis."
        )
    if any(interior < 0 for _, _, interior in padding_config):
        raise ValueError(
            f"pad: interior padding must be nonnegative, got padding_config {padding_config}."
            f"{here()}\n  Only low and high may be negative: they then cut elements off."
        )
    shape = tuple(
        [_padded_size(n, *config) for n, config in zip(x.shape, padding_config, strict=True)]
    )
    if any(n < 0 for n in shape):
        raise ValueError(
            f"pad: padding_config {padding_config} cuts more elements off than an array of shape "
            f"{x.shape} has: the result would have shape {shape}.{here()}"
        )
    return ShapedArray(shape, x.dtype, x.weak_type and value.weak_type)


def _pad_plan(shape: tuple[int, ...], config: PaddingConfig) -> tuple[Any, Any, Any]:
    """(result's shape, where elements go, which elements go there)."""
    out_shape, target, source = [], [], []
    for n, (lo, hi, interior) in zip(shape, config, strict=True):
        size, step = _padded_size(n, lo, hi, interior), interior + 1
        first = max(0, -(lo // step))  # the first element whose place is not cut off
        last = min(n, (size - 1 - lo) // step + 1)
        count = max(0, last - first)
        start = lo + first * step
        out_shape.append(size)
        source.append(builtins.slice(first, first + count))
        target.append(
            builtins.slice(start, start + (count - 1) * step + 1, step)
            if count
            else builtins.slice(0, 0)
        )
    return tuple(out_shape), tuple(target), tuple(source)


def _pad_kernel(xp: Any, padding_config: PaddingConfig) -> Callable[..., Any]:
    plans: dict[Any, Any] = {}

    def kernel(x: Any, value: Any) -> Any:
        plan = plans.get(x.shape)
        if plan is None:
            plan = plans[x.shape] = _pad_plan(x.shape, padding_config)
        shape, target, source = plan
        out = xp.empty(shape, x.dtype)
        out[...] = value
        out[target] = x[source]
        return out

    return kernel


def _pad_transpose(
    ct: Any, x: Any, value: Any, *, padding_config: PaddingConfig
) -> tuple[Any, Any]:
    inner = ct
    if any(lo < 0 or hi < 0 for lo, hi, _ in padding_config):
        # what was cut off gets zero
        inner = pad(
            inner, zero_of(ct), [(max(-lo, 0), max(-hi, 0), 0) for lo, hi, _ in padding_config]
        )
    inner = slice(
        inner,
        [max(lo, 0) for lo, _, _ in padding_config],
        [n - max(hi, 0) for n, (_, hi, _) in zip(inner.aval.shape, padding_config, strict=True)],
        [interior + 1 for _, _, interior in padding_config],
    )
    outer = None
    if is_undefined_primal(value):
        axes = tuple(range(ct.aval.ndim))
        outer = sub(reduce_sum(ct, axes), reduce_sum(inner, axes)) if axes else zero_of(ct)
    return inner if is_undefined_primal(x) else None, outer


def _pad_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, padding_config: PaddingConfig
) -> tuple[Any, int]:
    (x, value), (d, value_dim) = args, dims
    if value_dim is None:
        config = (*padding_config[:d], (0, 0, 0), *padding_config[d:])
        return pad_p.bind(x, value, padding_config=config), d
    # each example has its own value: pad with anything, then choose by position
    x = batch_first(axis, x, d)
    padded = pad(x, zero_of(x), ((0, 0, 0), *padding_config))
    true = scalar(True, np.dtype(bool))
    inside = pad(
        broadcast_to(true, x.aval.shape[1:]), scalar(False, true.aval.dtype), padding_config
    )
    outside = broadcast_in_dim(value, padded.aval.shape, (0,))
    return select_n(broadcast_to(inside, padded.aval.shape), outside, padded), 0


def _pad_samples() -> list[Sample]:
    cases = {
        "low-high": ((2, 3), ((1, 2, 0), (0, 1, 0))),
        "interior": ((2, 3), ((1, 0, 2), (0, 1, 1))),
        "negative": ((3, 3), ((-1, 1, 0), (2, -2, 0))),
        "negative-interior": ((4,), ((-2, -1, 2),)),
        "empty": ((0, 2), ((1, 1, 3), (0, 0, 0))),
        "scalar": ((), ()),
    }
    samples = [
        Sample((normal(*shape), normal()), dict(padding_config=config), name)
        for name, (shape, config) in cases.items()
    ]
    for dtype in (np.complex64, np.int32, bool):
        args = (normal(3, dtype=dtype), normal(dtype=dtype))
        samples.append(Sample(args, dict(padding_config=((1, -1, 1),)), np.dtype(dtype).name))
    return samples


pad_p = linear(
    "pad",
    shape=_pad_shape,
    kernel=_pad_kernel,
    transpose=_pad_transpose,
    batch=_pad_batch,
    samples=_pad_samples,
)


def pad(operand: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """``operand`` with ``padding_value`` around it and between its elements.

    Args:
      operand: array of rank n.
      padding_value: scalar of the same dtype.
      padding_config: for each axis (low, high, interior): how many values before the first
        element, after the last, and between any two; negative low and high cut off.

    Raises ValueError or TypeError where these do not fit each other.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.pad(jnp.array([1, 2]), 0, [(1, 2, 1)])
    Array([0, 1, 0, 2, 0, 0], dtype=int32)
    """
    x, value = operands("pad", operand, padding_value)
    config = tuple([tuple([operator.index(i) for i in c]) for c in padding_config])
    return pad_p.bind(x, value, padding_config=config)


# ------------------------------------------------------------------------ rev


def _rev_shape(x: ShapedArray, *, dimensions: tuple[int, ...]) -> ShapedArray:
    if len(set(dimensions)) != len(dimensions) or any(not 0 <= d < x.ndim for d in dimensions):
        raise TypeError(
            f"rev: dimensions {dimensions} must differ and lie in 0..{x.ndim - 1} for an array of "
            f"shape {x.shape}.{here()}"
        )
    return x


def _rev_kernel(xp: Any, dimensions: tuple[int, ...]) -> Callable[..., Any]:
    last = max(dimensions, default=-1)
    backwards, all_ = builtins.slice(None, None, -1), builtins.slice(None)
    return operator.itemgetter(
        tuple([backwards if d in dimensions else all_ for d in range(last + 1)])
    )


def _rev_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, dimensions: tuple[int, ...]
) -> tuple[Any, int]:
    (d,) = dims
    return rev_p.bind(args[0], dimensions=tuple([i + (i >= d) for i in dimensions])), d


rev_p = linear(
    "rev",
    shape=_rev_shape,
    kernel=_rev_kernel,
    transpose=lambda ct, x, *, dimensions: (rev(ct, dimensions),),
    batch=_rev_batch,
    samples=lambda: [
        Sample((normal(2, 3),), dict(dimensions=(0,))),
        Sample((normal(2, 3),), dict(dimensions=(1, 0)), "both"),
        Sample((normal(3, dtype=np.complex64),), dict(dimensions=(0,)), "complex"),
    ],
)


def rev(operand: Any, dimensions: Sequence[int]) -> Any:
    """``operand`` with the order of elements reversed along ``dimensions``.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.rev(jnp.arange(3), (0,))
    Array([2, 1, 0], dtype=int32)
    """
    (x,) = operands("rev", operand)
    return rev_p.bind(x, dimensions=tuple([operator.index(d) for d in dimensions]))
