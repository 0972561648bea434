"""Broadcasting, reshaping, transposing axes, and the sum that transposes a broadcast.

These come first because the constructors of every other family build on them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import ArrayImpl, scalar
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.operands import normal, operands


def _rearrangement(name: str, **rules: Any) -> Primitive:
    """A linear operation of one argument, on every dtype."""
    primitive = define_primitive(name, **rules)

    def jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        ans = primitive.bind(*primals, **params)
        (t,) = tangents
        return ans, Zero.like(ans) if type(t) is Zero else primitive.bind(t, **params)

    primitive.jvp = jvp
    return primitive


# ----------------------------------------------------------- broadcast_in_dim


def _broadcast_shape(
    x: ShapedArray, *, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...]
) -> ShapedArray:
    fits = len(broadcast_dimensions) == x.ndim and all(
        0 <= d < len(shape) and x.shape[i] in (1, shape[d])
        for i, d in enumerate(broadcast_dimensions)
    )
    if not fits or list(broadcast_dimensions) != sorted(set(broadcast_dimensions)):
        raise TypeError(
            f"broadcast_in_dim: an array of shape {x.shape} with broadcast_dimensions="
            f"{broadcast_dimensions} does not fit shape {shape}.{here()}\n  Each axis i of the "
            "operand becomes axis broadcast_dimensions[i] of the result, of equal size or from "
            "size 1, in increasing order."
        )
    return ShapedArray(shape, x.dtype, x.weak_type)


# Up to this many elements a filled copy is made faster than a view of stride 0.
_SMALL = 4096


def _broadcast_kernel(
    xp: Any, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...]
) -> Callable[..., Any]:
    kept = set(broadcast_dimensions)
    expand = tuple([slice(None) if d in kept else None for d in range(len(shape))])
    small = math.prod(shape) <= _SMALL

    def run(x: Any) -> Any:
        if broadcast_dimensions:
            x = x[expand]
        if x.shape == shape:
            return x
        if not small:
            return xp.broadcast_to(x, shape)
        out = xp.empty(shape, x.dtype)
        out[...] = x
        return out

    return run


def _broadcast_transpose(
    ct: Any, x: Any, *, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...]
) -> tuple[Any]:
    new = tuple(d for d in range(len(shape)) if d not in broadcast_dimensions)
    stretched = tuple(d for i, d in enumerate(broadcast_dimensions) if x.aval.shape[i] != shape[d])
    summed = reduce_sum(ct, tuple(sorted(new + stretched)))
    if stretched:
        summed = reshape(summed, x.aval.shape)
    return (summed,)


def _broadcast_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    shape: tuple[int, ...],
    broadcast_dimensions: tuple[int, ...],
) -> tuple[Any, int]:
    (x,), (d,) = args, dims
    x = moveaxis(x, d, 0)
    return broadcast_in_dim(x, (axis.size, *shape), (0, *(b + 1 for b in broadcast_dimensions))), 0


broadcast_in_dim_p = _rearrangement(
    "broadcast_in_dim",
    shape=_broadcast_shape,
    kernel=_broadcast_kernel,
    transpose=_broadcast_transpose,
    batch=_broadcast_batch,
    samples=lambda: [
        Sample((normal(3),), dict(shape=(2, 3), broadcast_dimensions=(1,)), "leading"),
        Sample((normal(2),), dict(shape=(2, 3), broadcast_dimensions=(0,)), "trailing"),
        Sample((normal(1, 3),), dict(shape=(2, 3), broadcast_dimensions=(0, 1)), "stretch"),
        Sample((normal(1, dtype=np.complex64),), dict(shape=(2, 3), broadcast_dimensions=(0,))),
        Sample((normal(),), dict(shape=(2,), broadcast_dimensions=()), "scalar"),
    ],
)


def broadcast_in_dim(
    operand: Any, shape: Sequence[int], broadcast_dimensions: Sequence[int]
) -> Any:
    """``operand`` repeated to ``shape``; its axis ``i`` becomes axis ``broadcast_dimensions[i]``.

    Raises TypeError where sizes do not fit.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.broadcast_in_dim(jnp.array([1.0, 2.0]), (2, 2), (0,))
    Array([[1., 1.],
           [2., 2.]], dtype=float32)
    """
    (x,) = operands("broadcast_in_dim", operand)
    shape, dims = tuple(shape), tuple(broadcast_dimensions)
    if x.aval.shape == shape and dims == tuple(range(len(shape))):
        return x
    return broadcast_in_dim_p.bind(x, shape=shape, broadcast_dimensions=dims)


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """NumPy's broadcast: axes are aligned at the end."""
    rank = len(x.aval.shape)
    return broadcast_in_dim(x, shape, tuple(range(len(shape) - rank, len(shape))))


# -------------------------------------------------------------------- reshape


def _reshape_shape(
    x: ShapedArray, *, new_sizes: tuple[int, ...], dimensions: None = None
) -> ShapedArray:
    if math.prod(new_sizes) != x.size or any(n < 0 for n in new_sizes):
        raise TypeError(
            f"reshape: total size of new array must be unchanged, got {x.shape} "
            f"({x.size} elements) and new shape {new_sizes} ({math.prod(new_sizes)}).{here()}"
        )
    return ShapedArray(new_sizes, x.dtype, x.weak_type)


def _reshape_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    new_sizes: tuple[int, ...],
    dimensions: None = None,
) -> tuple[Any, int]:
    return reshape(moveaxis(args[0], dims[0], 0), (axis.size, *new_sizes)), 0


reshape_p = _rearrangement(
    "reshape",
    shape=_reshape_shape,
    impl=lambda xp, x, *, new_sizes, dimensions=None: x.reshape(new_sizes),
    transpose=lambda ct, x, **_: (reshape(ct, x.aval.shape),),
    batch=_reshape_batch,
    samples=lambda: [
        Sample((normal(2, 3),), dict(new_sizes=(3, 2), dimensions=None)),
        Sample((normal(4),), dict(new_sizes=(2, 1, 2), dimensions=None), "rank-3"),
        Sample((normal(1),), dict(new_sizes=(), dimensions=None), "to-scalar"),
    ],
)


def reshape(operand: Any, new_sizes: int | Sequence[int], dimensions: Any = None) -> Any:
    """The elements of ``operand``, in row-major order, in the shape ``new_sizes``.

    Raises TypeError where the numbers of elements differ.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.reshape(jnp.arange(6), (2, 3))
    Array([[0, 1, 2],
           [3, 4, 5]], dtype=int32)
    """
    (x,) = operands("reshape", operand)
    if dimensions is not None and tuple(dimensions) != tuple(range(x.aval.ndim)):
        x = transpose(x, dimensions)
    sizes = (new_sizes,) if isinstance(new_sizes, int) else tuple([int(n) for n in new_sizes])
    if sizes == x.aval.shape:
        return x
    return reshape_p.bind(x, new_sizes=sizes, dimensions=None)


# ------------------------------------------------------------------ transpose


def _transpose_shape(x: ShapedArray, *, permutation: tuple[int, ...]) -> ShapedArray:
    if sorted(permutation) != list(range(x.ndim)):
        raise TypeError(
            f"transpose: permutation {permutation} does not list each axis of an array of shape "
            f"{x.shape} once.{here()}"
        )
    return ShapedArray(tuple([x.shape[p] for p in permutation]), x.dtype, x.weak_type)


def _inverse(permutation: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(permutation)), key=permutation.__getitem__))


def _transpose_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, permutation: tuple[int, ...]
) -> tuple[Any, int]:
    (d,) = dims
    moved = tuple(p + (p >= d) for p in permutation)
    return transpose(args[0], (d, *moved)), 0


transpose_p = _rearrangement(
    "transpose",
    shape=_transpose_shape,
    impl=lambda xp, x, *, permutation: x.transpose(permutation),
    transpose=lambda ct, x, *, permutation: (transpose(ct, _inverse(permutation)),),
    batch=_transpose_batch,
    samples=lambda: [
        Sample((normal(2, 3),), dict(permutation=(1, 0))),
        Sample((normal(2, 3, 4),), dict(permutation=(2, 0, 1)), "rank-3"),
    ],
)


def transpose(operand: Any, permutation: Sequence[int]) -> Any:
    """Axes in another order: axis ``i`` of the result is axis ``permutation[i]``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.transpose(jnp.ones((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    (x,) = operands("transpose", operand)
    permutation = tuple([int(p) for p in permutation])
    if permutation == tuple(range(x.aval.ndim)):
        return x
    return transpose_p.bind(x, permutation=permutation)


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """One axis moved, the others in their order."""
    if source == destination:
        return x
    order = [i for i in range(len(x.aval.shape)) if i != source]
    order.insert(destination, source)
    return transpose(x, order)


# -------------------------------------------------------------------- squeeze


def _squeeze_shape(x: ShapedArray, *, dimensions: tuple[int, ...]) -> ShapedArray:
    for d in dimensions:
        if not 0 <= d < x.ndim or x.shape[d] != 1:
            raise ValueError(
                f"cannot select an axis to squeeze out which has size not equal to one, got "
                f"shape={x.shape} and dimensions={dimensions}.{here()}"
            )
    kept = tuple([n for i, n in enumerate(x.shape) if i not in dimensions])
    return ShapedArray(kept, x.dtype, x.weak_type)


def _squeeze_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, dimensions: tuple[int, ...]
) -> tuple[Any, int]:
    return squeeze(moveaxis(args[0], dims[0], 0), tuple(d + 1 for d in dimensions)), 0


def _squeeze_kernel(xp: Any, dimensions: tuple[int, ...]) -> Callable[..., Any]:
    # as an index: the ellipsis keeps a result of rank 0 an array
    index = [0 if d in dimensions else slice(None) for d in range(max(dimensions) + 1)]
    return operator.itemgetter((*index, ...))


squeeze_p = _rearrangement(
    "squeeze",
    shape=_squeeze_shape,
    kernel=_squeeze_kernel,
    transpose=lambda ct, x, *, dimensions: (expand_dims(ct, dimensions),),
    batch=_squeeze_batch,
    samples=lambda: [
        Sample((normal(2, 1, 3),), dict(dimensions=(1,))),
        Sample((normal(1, 1),), dict(dimensions=(0, 1)), "to-scalar"),
    ],
)


def squeeze(array: Any, dimensions: Sequence[int]) -> Any:
    """``array`` without the given axes, which must be of size 1.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.squeeze(jnp.ones((1, 3, 1)), (0,)).shape
    (3, 1)
    """
    (x,) = operands("squeeze", array)
    rank = x.aval.ndim
    dims = tuple(sorted([d + rank if d < 0 else int(d) for d in dimensions]))
    if len(set(dims)) != len(dims):
        raise ValueError(f"squeeze: dimensions {tuple(dimensions)} name an axis twice.{here()}")
    return squeeze_p.bind(x, dimensions=dims) if dims else x


def expand_dims(array: Any, dimensions: Sequence[int]) -> Any:
    """``array`` with axes of size 1 inserted: ``dimensions`` are their places in the result.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.expand_dims(jnp.ones(3), (0, 2)).shape
    (1, 3, 1)
    """
    (x,) = operands("expand_dims", array)
    rank = x.aval.ndim + len(dimensions)
    new = {d + rank if d < 0 else int(d) for d in dimensions}
    if not new:
        return x
    if len(new) != len(dimensions) or any(not 0 <= d < rank for d in new):
        raise ValueError(
            f"expand_dims: dimensions {tuple(dimensions)} must be different axes of the result, "
            f"which has rank {rank}: {-rank}..{rank - 1}.{here()}"
        )
    kept = tuple([d for d in range(rank) if d not in new])
    sizes = iter(x.aval.shape)
    shape = tuple([1 if d in new else next(sizes) for d in range(rank)])
    return broadcast_in_dim(x, shape, kept)


# ----------------------------------------------------------------- reduce_sum


def reduced_shape(name: str, x: ShapedArray, axes: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a reduction over ``axes``; raises ValueError where an axis does not exist."""
    if len(set(axes)) != len(axes) or any(not 0 <= a < x.ndim for a in axes):
        # an IndexError too, as some callers expect of an axis out of bounds
        raise np.exceptions.AxisError(
            f"{name}: axes {axes} do not fit an array of shape {x.shape}: they must differ and "
            f"lie in 0..{x.ndim - 1}.{here()}"
        )
    return tuple([n for i, n in enumerate(x.shape) if i not in axes])


def reduction_batch(
    primitive: Primitive,
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    axes: tuple[int, ...],
    **params: Any,
) -> tuple[Any, int]:
    """The batching rule of every reduction: the axes move over, the batch axis stays."""
    (d,) = dims
    moved = tuple([a + (a >= d) for a in axes])
    return primitive.bind(args[0], axes=moved, **params), d - sum(a < d for a in moved)


def _sum_impl(xp: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    if x.dtype.itemsize < 4 and dtypes.is_float(x.dtype):
        return xp.add.reduce(x, axis=axes, dtype=np.float32).astype(x.dtype)  # rounded once
    # pairwise in the dtype itself: NumPy's own widening of small integers is not wanted
    return xp.add.reduce(x, axis=axes, dtype=x.dtype) if x.dtype.kind != "b" else xp.any(x, axes)


def _sum_transpose(ct: Any, x: Any, *, axes: tuple[int, ...]) -> tuple[Any]:
    kept = tuple(i for i in range(x.aval.ndim) if i not in axes)
    return (broadcast_in_dim(ct, x.aval.shape, kept),)


reduce_sum_p = _rearrangement(
    "reduce_sum",
    shape=lambda x, *, axes: ShapedArray(
        reduced_shape("reduce_sum", x, axes), x.dtype, x.weak_type
    ),
    impl=_sum_impl,
    transpose=_sum_transpose,
    samples=lambda: [
        Sample((normal(2, 3),), dict(axes=(0,))),
        Sample((normal(2, 3),), dict(axes=(0, 1)), "all"),
        Sample((normal(2, 3, 4, dtype=np.complex64),), dict(axes=(0, 2)), "complex"),
        Sample((normal(2, 3, dtype=np.int32),), dict(axes=(1,)), "int"),
        Sample((normal(0, 3),), dict(axes=(0,)), "empty"),
    ],
)
reduce_sum_p.batch = partial(reduction_batch, reduce_sum_p)


def reduce_sum(operand: Any, axes: Sequence[int]) -> Any:
    """Sum over ``axes``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.reduce_sum(jnp.ones((2, 3)), (1,))
    Array([3., 3.], dtype=float32)
    """
    (x,) = operands("reduce_sum", operand)
    axes = tuple([int(a) for a in axes])
    return reduce_sum_p.bind(x, axes=axes) if axes else x


# ---------------------------------------------------------------------- zeros


def zeros(aval: ShapedArray) -> Any:
    """Zeros of a type: one zero, broadcast, not an array filled with them."""
    if aval.dtype == dtypes.float0:
        return ArrayImpl(np.zeros(aval.shape, dtypes.float0), aval)
    zero = scalar(0, aval.dtype, aval.weak_type)
    return broadcast_to(zero, aval.shape) if aval.shape else zero


def instantiate(t: Any) -> Any:
    """A tangent or cotangent as an array."""
    return zeros(t.aval) if type(t) is Zero else t


def full_like(x: Any, value: Any) -> Any:
    """A rank-0 constant of the type of ``x``: broadcasting in the operation does the rest."""
    return scalar(value, x.aval.dtype, x.aval.weak_type)
