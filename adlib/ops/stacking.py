"""Parts and repetitions: split, concatenate, stack, unstack, tile, and runs of axes made one."""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.constructors import linear
from adlib.ops.operands import normal
from adlib.ops.operands import operands as to_arrays
from adlib.ops.reshaping import instantiate, reduce_sum, reshape
from adlib.ops.structural import batch_first, canonical_axis

# ---------------------------------------------------------------------- split


def _split_shape(x: ShapedArray, *, sizes: tuple[int, ...], axis: int) -> list[ShapedArray]:
    if not 0 <= axis < x.ndim:
        raise ValueError(f"split: axis {axis} does not exist in shape {x.shape}.{here()}")
    if any(n < 0 for n in sizes):
        raise ValueError(f"split: sizes must not be negative, got {sizes}.{here()}")
    if sum(sizes) != x.shape[axis]:
        raise ValueError(
            f"split: sizes {sizes} sum to {sum(sizes)}, but axis {axis} of an array of shape "
            f"{x.shape} has size {x.shape[axis]}.{here()}"
        )
    return [x.update(shape=(*x.shape[:axis], n, *x.shape[axis + 1 :])) for n in sizes]


def _split_kernel(xp: Any, sizes: tuple[int, ...], axis: int) -> Callable[..., Any]:
    all_ = (builtins.slice(None),) * axis
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    parts = [(*all_, builtins.slice(e - n, e)) for n, e in zip(sizes, ends, strict=True)]
    return lambda x: [x[part] for part in parts]


def _several_linear_jvp(
    primitive: Any, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[Any, Any]:
    outs = primitive.bind(*primals, **params)
    (t,) = tangents
    if type(t) is Zero:
        return outs, [Zero.like(o) for o in outs]
    return outs, primitive.bind(t, **params)


def _split_batch(
    axis_data: Any, args: Sequence[Any], dims: Sequence[Any], *, sizes: tuple[int, ...], axis: int
) -> tuple[Any, Any]:
    (d,) = dims
    outs = split_p.bind(args[0], sizes=sizes, axis=axis + (axis >= d))
    return outs, [d] * len(outs)


split_p: Primitive = define_primitive(
    "split",
    shape=_split_shape,
    kernel=_split_kernel,
    jvp=lambda primals, tangents, **params: _several_linear_jvp(
        split_p, primals, tangents, **params
    ),
    transpose=lambda cts, x, *, sizes, axis: (concatenate([instantiate(c) for c in cts], axis),),
    batch=_split_batch,
    samples=lambda: [
        Sample((normal(3, 2),), dict(sizes=(1, 2), axis=0)),
        Sample((normal(2, 4, dtype=np.complex64),), dict(sizes=(2, 0, 2), axis=1), "complex"),
    ],
    multiple_results=True,
)


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """``operand`` cut along ``axis`` into parts of the given sizes, which must cover it.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.split(jnp.arange(3), (1, 2))
    [Array([0], dtype=int32), Array([1, 2], dtype=int32)]
    """
    (x,) = to_arrays("split", operand)
    axis = canonical_axis("split", axis, x.aval.ndim)
    parts: list[Any] = split_p.bind(x, sizes=tuple([operator.index(n) for n in sizes]), axis=axis)
    return parts


# ---------------------------------------------------------------- concatenate


def _concatenate_shape(*xs: ShapedArray, dimension: int) -> ShapedArray:
    if not xs:
        raise ValueError(f"concatenate needs at least one array.{here()}")
    shapes = ", ".join(str(x.shape) for x in xs)
    first = xs[0]
    if any(x.ndim != first.ndim for x in xs):
        raise TypeError(
            f"Cannot concatenate arrays with different numbers of dimensions: got {shapes}."
            f"{here()}\n  Repair: add axes with x[None] or lax.expand_dims."
        )
    if not 0 <= dimension < first.ndim:
        raise TypeError(
            f"concatenate dimension out of bounds: dimension {dimension} for shapes {shapes}."
            f"{here()}"
        )
    rest = [x.shape[:dimension] + x.shape[dimension + 1 :] for x in xs]
    if any(r != rest[0] for r in rest):
        raise TypeError(
            f"Cannot concatenate along dimension {dimension} arrays of shapes {shapes}: all other "
            f"dimensions must be equal.{here()}"
        )
    if any(x.dtype != first.dtype for x in xs):
        names = ", ".join(x.dtype.name for x in xs)
        raise TypeError(
            f"lax.concatenate requires arguments to have the same dtypes, got {names}.{here()}\n"
            "  Repair: jnp.concatenate promotes dtypes on its own; or use x.astype(...)."
        )
    shape = list(first.shape)
    shape[dimension] = sum([x.shape[dimension] for x in xs])
    return ShapedArray(tuple(shape), first.dtype, all([x.weak_type for x in xs]))


def _concatenate_transpose(ct: Any, *xs: Any, dimension: int) -> list[Any]:
    parts = split(ct, [x.aval.shape[dimension] for x in xs], dimension)
    return [p if is_undefined_primal(x) else None for p, x in zip(parts, xs, strict=True)]


def _concatenate_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, dimension: int
) -> tuple[Any, int]:
    moved = [batch_first(axis, x, d) for x, d in zip(args, dims, strict=True)]
    return concatenate_p.bind(*moved, dimension=dimension + 1), 0


concatenate_p = linear(
    "concatenate",
    shape=_concatenate_shape,
    impl=lambda xp, *xs, dimension: xp.concatenate(xs, axis=dimension),
    transpose=_concatenate_transpose,
    batch=_concatenate_batch,
    samples=lambda: [
        Sample((normal(2, 3), normal(1, 3)), dict(dimension=0)),
        Sample((normal(2, 1), normal(2, 0), normal(2, 2)), dict(dimension=1), "three"),
        Sample((normal(2, dtype=np.complex64),) * 2, dict(dimension=0), "complex"),
        Sample((normal(2, dtype=np.int32),) * 2, dict(dimension=0), "int"),
    ],
)


def concatenate(operands: Sequence[Any], dimension: int) -> Any:
    """Arrays joined along an existing axis; all other sizes and the dtypes must be equal.

    Raises TypeError where they differ, ValueError for no arrays at all.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.concatenate([jnp.array([1, 2]), jnp.array([3])], 0)
    Array([1, 2, 3], dtype=int32)
    """
    xs = to_arrays("concatenate", *operands)
    if len(xs) == 1 and 0 <= dimension < xs[0].aval.ndim:
        return xs[0]
    return concatenate_p.bind(*xs, dimension=operator.index(dimension))


# ----------------------------------------------------------- stack and unstack


def _stack_shape(*xs: ShapedArray, axis: int) -> ShapedArray:
    if not xs:
        raise ValueError(f"stack needs at least one array.{here()}")
    first = xs[0]
    if any(x.shape != first.shape for x in xs):
        shapes = ", ".join(str(x.shape) for x in xs)
        raise ValueError(f"All input arrays must have the same shape, stack got {shapes}.{here()}")
    if any(x.dtype != first.dtype for x in xs):
        names = ", ".join(x.dtype.name for x in xs)
        raise TypeError(
            f"stack requires arguments to have the same dtypes, got {names}.{here()}\n  Repair: "
            "jnp.stack promotes dtypes on its own; or use x.astype(...)."
        )
    shape = (*first.shape[:axis], len(xs), *first.shape[axis:])
    return ShapedArray(shape, first.dtype, all([x.weak_type for x in xs]))


def _stack_transpose(ct: Any, *xs: Any, axis: int) -> list[Any]:
    parts = unstack(ct, axis)
    return [p if is_undefined_primal(x) else None for p, x in zip(parts, xs, strict=True)]


def _stack_batch(
    axis_data: Any, args: Sequence[Any], dims: Sequence[Any], *, axis: int
) -> tuple[Any, int]:
    moved = [batch_first(axis_data, x, d) for x, d in zip(args, dims, strict=True)]
    return stack_p.bind(*moved, axis=axis + 1), 0


stack_p = linear(
    "stack",
    shape=_stack_shape,
    impl=lambda xp, *xs, axis: xp.stack(xs, axis=axis),
    transpose=_stack_transpose,
    batch=_stack_batch,
    samples=lambda: [
        Sample((normal(3), normal(3)), dict(axis=0)),
        Sample((normal(3), normal(3)), dict(axis=1), "last"),
        Sample((normal(dtype=np.complex64),) * 3, dict(axis=0), "scalars"),
        Sample((normal(2, dtype=np.int32),) * 2, dict(axis=0), "int"),
    ],
)


def stack(operands: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape and dtype joined along a new axis.

    Raises ValueError where shapes differ, TypeError where dtypes do.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.stack([jnp.arange(2), jnp.arange(2)])
    Array([[0, 1],
           [0, 1]], dtype=int32)
    """
    xs = to_arrays("stack", *operands)
    rank = xs[0].aval.ndim + 1 if xs else 1
    return stack_p.bind(*xs, axis=canonical_axis("stack", axis, rank))


def _unstack_shape(x: ShapedArray, *, axis: int) -> list[ShapedArray]:
    part = x.update(shape=(*x.shape[:axis], *x.shape[axis + 1 :]))
    return [part] * x.shape[axis]


def _unstack_kernel(xp: Any, axis: int) -> Callable[..., Any]:
    if axis == 0:
        return list
    return lambda x: list(xp.moveaxis(x, axis, 0))


def _unstack_batch(
    axis_data: Any, args: Sequence[Any], dims: Sequence[Any], *, axis: int
) -> tuple[Any, Any]:
    (d,) = dims
    moved = axis + (axis >= d)
    outs = unstack_p.bind(args[0], axis=moved)
    return outs, [d - (moved < d)] * len(outs)


unstack_p: Primitive = define_primitive(
    "unstack",
    shape=_unstack_shape,
    kernel=_unstack_kernel,
    jvp=lambda primals, tangents, **params: _several_linear_jvp(
        unstack_p, primals, tangents, **params
    ),
    transpose=lambda cts, x, *, axis: (stack([instantiate(c) for c in cts], axis),),
    batch=_unstack_batch,
    samples=lambda: [
        Sample((normal(2, 3),), dict(axis=0)),
        Sample((normal(2, 3, dtype=np.complex64),), dict(axis=1), "last"),
    ],
    multiple_results=True,
)


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """The arrays of which ``x`` is a stack along ``axis``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.unstack(jnp.arange(4).reshape(2, 2), axis=1)
    (Array([0, 2], dtype=int32), Array([1, 3], dtype=int32))
    """
    (x,) = to_arrays("unstack", x)
    return tuple(unstack_p.bind(x, axis=canonical_axis("unstack", axis, x.aval.ndim)))


# ----------------------------------------------------------------------- tile


def _tile_shape(x: ShapedArray, *, reps: tuple[int, ...]) -> ShapedArray:
    if len(reps) != x.ndim or any(r < 0 for r in reps):
        raise TypeError(
            f"tile: reps {reps} must hold a number >= 0 for each axis of an array of shape "
            f"{x.shape}.{here()}\n  Repair: jnp.tile adds the axes that are missing."
        )
    return x.update(shape=tuple([n * r for n, r in zip(x.shape, reps, strict=True)]))


def _tile_transpose(ct: Any, x: Any, *, reps: tuple[int, ...]) -> tuple[Any]:
    pairs = [size for pair in zip(reps, x.aval.shape, strict=True) for size in pair]
    return (reduce_sum(reshape(ct, pairs), tuple(range(0, len(pairs), 2))),)


def _tile_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, reps: tuple[int, ...]
) -> tuple[Any, int]:
    (d,) = dims
    return tile_p.bind(args[0], reps=(*reps[:d], 1, *reps[d:])), d


tile_p = linear(
    "tile",
    shape=_tile_shape,
    impl=lambda xp, x, *, reps: xp.tile(x, reps),
    transpose=_tile_transpose,
    batch=_tile_batch,
    samples=lambda: [
        Sample((normal(2, 3),), dict(reps=(2, 1))),
        Sample((normal(2, dtype=np.complex64),), dict(reps=(3,)), "complex"),
        Sample((normal(2, dtype=np.int32),), dict(reps=(2,)), "int"),
    ],
)


def tile(operand: Any, reps: Sequence[int]) -> Any:
    """``operand`` repeated as a whole ``reps[i]`` times along each axis ``i``.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.tile(jnp.array([1, 2]), (2,))
    Array([1, 2, 1, 2], dtype=int32)
    """
    (x,) = to_arrays("tile", operand)
    return tile_p.bind(x, reps=tuple([operator.index(r) for r in reps]))


# ------------------------------------------------------------------- collapse


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Any:
    """``operand`` with the axes from start up to (not including) stop made one.

    Raises ValueError where the range of axes is none.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.collapse(jnp.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    (x,) = to_arrays("collapse", operand)
    shape = x.aval.shape
    start, stop, _ = builtins.slice(start_dimension, stop_dimension).indices(len(shape))
    if stop < start:
        raise ValueError(
            f"collapse: axes {start_dimension} to {stop_dimension} of shape {shape} are no range: "
            f"the first comes after the last.{here()}"
        )
    return reshape(x, (*shape[:start], math.prod(shape[start:stop]), *shape[stop:]))
