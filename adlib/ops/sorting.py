"""Sorting several arrays by some of them, and the largest k."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Sample, define_primitive
from adlib.ops.filling import broadcasted_iota
from adlib.ops.index_plan import GatherDimensionNumbers
from adlib.ops.indexing import gather
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import expand_dims, moveaxis
from adlib.ops.structural import batch_first, canonical_axis

# ----------------------------------------------------------------------- sort


def _sort_shape(
    *xs: ShapedArray, dimension: int, is_stable: bool, num_keys: int
) -> list[ShapedArray]:
    if not xs:
        raise TypeError(f"sort needs at least one array.{here()}")
    if any(x.shape != xs[0].shape for x in xs):
        raise TypeError(
            f"sort: all arrays must have equal shapes, got {', '.join(str(x.shape) for x in xs)}."
            f"{here()}"
        )
    if not 0 <= dimension < xs[0].ndim:
        raise ValueError(
            f"sort: dimension {dimension} is out of bounds for arrays of shape {xs[0].shape}."
            f"{here()}"
        )
    if not 1 <= num_keys <= len(xs):
        raise ValueError(
            f"sort: num_keys={num_keys} must be between 1 and the number of arrays, {len(xs)}."
            f"{here()}"
        )
    return list(xs)


def _sort_kernel(
    xp: Any, dimension: int, is_stable: bool, num_keys: int
) -> Callable[..., list[Any]]:
    def kernel(*xs: Any) -> list[Any]:
        if len(xs) == 1:
            return [_sorted(xp, xs[0], dimension, is_stable)]
        order = _order(xp, xs[:num_keys], dimension)
        return [xp.take_along_axis(x, order, axis=dimension) for x in xs]

    return kernel


def _sorted(xp: Any, x: Any, dimension: int, is_stable: bool) -> Any:
    # equal numbers look alike, except the two zeros: only they can show whether a sort is
    # stable, and the stable one takes several times as long
    kind = x.dtype.kind
    if kind == "V":
        return _sorted(xp, _comparable(x), dimension, is_stable).astype(x.dtype)
    if is_stable and (kind not in "biuf" or (kind == "f" and ((x == 0) & xp.signbit(x)).any())):
        return xp.sort(x, axis=dimension, kind="stable")
    return xp.sort(x, axis=dimension)


def _comparable(x: Any) -> Any:
    """Numbers that NumPy knows how to sort: of bfloat16 and its like, it does not see the NaNs."""
    return x.astype(np.float32) if x.dtype.kind == "V" else x


def _order(xp: Any, keys: Sequence[Any], dimension: int) -> Any:
    """Indices that sort lexicographically by ``keys``, ties kept in place."""
    if len(keys) == 1:
        key = _comparable(keys[0])
        if xp is np:
            return np.argsort(key, axis=dimension, kind="stable")
        return xp.argsort(key, axis=dimension)
    order = None
    for key in reversed(keys):
        if order is None:
            order = _order(xp, [key], dimension)
        else:
            step = _order(xp, [xp.take_along_axis(key, order, axis=dimension)], dimension)
            order = xp.take_along_axis(order, step, axis=dimension)
    return order


def take_along(x: Any, indices: Any, axis: int) -> Any:
    """``x`` at ``indices`` along one axis, position by position on all others."""
    rank = x.aval.ndim
    others = tuple([d for d in range(rank) if d != axis])
    numbers = GatherDimensionNumbers((), (axis,), (axis,), others, others)
    return gather(x, expand_dims(indices, (rank,)), numbers, (1,) * rank)


def _sort_jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    dimension: int,
    is_stable: bool,
    num_keys: int,
) -> tuple[list[Any], list[Any]]:
    params = dict(dimension=dimension, is_stable=is_stable, num_keys=num_keys)
    if all(type(t) is Zero for t in tangents):
        outs = sort_p.bind(*primals, **params)
        return outs, [Zero.like(o) for o in outs]
    # positions are sorted along: they say where each tangent goes
    positions = broadcasted_iota(np.uint32, primals[0].aval.shape, dimension)
    *outs, order = sort_p.bind(*primals, positions, **params)
    moved = [
        Zero.like(o) if type(t) is Zero else take_along(t, order, dimension)
        for o, t in zip(outs, tangents, strict=True)
    ]
    return outs, moved


def _sort_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    dimension: int,
    is_stable: bool,
    num_keys: int,
) -> tuple[list[Any], list[int]]:
    first = dims[0]
    if first is not None and all(d == first for d in dims):
        moved, at = list(args), first
    else:
        moved, at = [batch_first(axis, x, d) for x, d in zip(args, dims, strict=True)], 0
    outs = sort_p.bind(
        *moved, dimension=dimension + (dimension >= at), is_stable=is_stable, num_keys=num_keys
    )
    return outs, [at] * len(outs)


def _sort_params(dimension: int = 0, num_keys: int = 1) -> dict[str, Any]:
    return dict(dimension=dimension, is_stable=True, num_keys=num_keys)


_TIES = np.array([1, 0, 1, 0, 1], np.int32)
sort_p = define_primitive(
    "sort",
    shape=_sort_shape,
    kernel=_sort_kernel,
    jvp=_sort_jvp,
    batch=_sort_batch,
    samples=lambda: [
        Sample((normal(5),), _sort_params()),
        Sample((normal(3, 4),), _sort_params(0), "columns"),
        Sample((normal(3, 4),), _sort_params(1), "rows"),
        Sample((normal(5), normal(5)), _sort_params(), "key-value"),
        Sample((_TIES, normal(5), normal(5, dtype=np.complex64)), _sort_params(0, 2), "two-keys"),
        Sample((_TIES, normal(5)), _sort_params(), "ties"),
        Sample((normal(4, dtype=bool),), _sort_params(), "bool"),
    ],
    multiple_results=True,
)


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Sort an array, or several together, in ascending order along one axis.

    Args:
      operand: an array, or a sequence of arrays of one shape.
      dimension: the axis.
      is_stable: whether equal elements keep their order.
      num_keys: the first ``num_keys`` arrays decide the order, lexicographically; the others
        are rearranged with them.

    Returns an array, or a tuple where a sequence was given. NaN come last, complex numbers
    are ordered by real part, then imaginary part.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.sort((jnp.array([2, 1]), jnp.array([10.0, 20.0])))
    (Array([1, 2], dtype=int32), Array([20., 10.], dtype=float32))
    """
    several = isinstance(operand, Sequence)
    xs = [operands("sort", x)[0] for x in (operand if several else [operand])]
    if not xs:
        raise TypeError(f"sort needs at least one array.{here()}")
    outs = sort_p.bind(
        *xs,
        dimension=canonical_axis("sort", dimension, xs[0].aval.ndim),
        is_stable=bool(is_stable),
        num_keys=operator.index(num_keys),
    )
    return tuple(outs) if several else outs[0]


def sort_key_val(
    keys: Any, values: Any, dimension: int = -1, is_stable: bool = True
) -> tuple[Any, Any]:
    """``keys`` sorted along one axis, and ``values`` rearranged with them.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.sort_key_val(jnp.array([3, 1, 2]), jnp.array([30, 10, 20]))
    (Array([1, 2, 3], dtype=int32), Array([10, 20, 30], dtype=int32))
    """
    sorted_keys, moved = sort((keys, values), dimension, is_stable, 1)
    return sorted_keys, moved


# ---------------------------------------------------------------------- top_k


def _top_k_shape(x: ShapedArray, *, k: int, axis: int) -> list[ShapedArray]:
    if dtypes.kind(x.dtype) not in "biuf":
        raise ValueError(
            f"top_k: there is no largest element in dtype {x.dtype.name}; integers, booleans and "
            f"floats can be ordered.{here()}"
        )
    if not 0 <= k <= x.shape[axis]:
        raise ValueError(
            f"top_k: k={k} must lie in 0..{x.shape[axis]}, the size of axis {axis} of an array of "
            f"shape {x.shape}.{here()}"
        )
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    return [ShapedArray(shape, x.dtype, x.weak_type), ShapedArray(shape, np.dtype(np.int32))]


def _top_k_kernel(xp: Any, k: int, axis: int) -> Callable[..., list[Any]]:
    def kernel(x: Any) -> list[Any]:
        rows = _comparable(xp.moveaxis(x, axis, -1))
        chosen = _candidates(xp, rows, k)
        if chosen is not None:
            order = xp.take_along_axis(
                chosen, _descending(xp, xp.take_along_axis(rows, chosen, -1)), -1
            )
        else:
            order = _descending(xp, rows)[..., :k]
        order = xp.moveaxis(order, -1, axis)
        return [xp.take_along_axis(x, order, axis=axis), order.astype(np.int32)]

    return kernel


def _descending(xp: Any, rows: Any) -> Any:
    """Indices that sort rows from the largest, which NaN counts as; the first of equals leads."""
    # a stable sort of the reversed rows, read backwards
    return rows.shape[-1] - 1 - xp.flip(_order(xp, [xp.flip(rows, -1)], rows.ndim - 1), -1)


def _candidates(xp: Any, rows: Any, k: int) -> Any:
    """Indices of the k largest of each long row, in no order; None where ties make them unclear."""
    n = rows.shape[-1]
    if not 0 < 4 * k < n or n < 256:
        return None
    least = xp.partition(rows, n - k, axis=-1)[..., n - k, None]
    large = rows >= least  # False for NaN, so that rows with NaN are left to the full sort
    if not (xp.count_nonzero(large, axis=-1) == k).all():
        return None
    return xp.nonzero(large)[-1].reshape(*rows.shape[:-1], k)


def _top_k_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, k: int, axis: int
) -> tuple[list[Any], list[Any]]:
    values, order = top_k_p.bind(*primals, k=k, axis=axis)
    (t,) = tangents
    moved = Zero.like(values) if type(t) is Zero else take_along(t, order, axis)
    return [values, order], [moved, Zero.like(order)]


def _top_k_batch(
    axis_data: Any, args: Sequence[Any], dims: Sequence[Any], *, k: int, axis: int
) -> tuple[list[Any], list[int]]:
    x = moveaxis(args[0], dims[0], 0)
    return top_k_p.bind(x, k=k, axis=axis + 1), [0, 0]


top_k_p = define_primitive(
    "top_k",
    shape=_top_k_shape,
    kernel=_top_k_kernel,
    jvp=_top_k_jvp,
    batch=_top_k_batch,
    samples=lambda: [
        Sample((normal(5),), dict(k=2, axis=0)),
        Sample((normal(3, 4),), dict(k=2, axis=0), "columns"),
        Sample((normal(3, 4),), dict(k=4, axis=1), "all"),
        Sample((np.array([1, 3, 3, 2], np.int32),), dict(k=3, axis=0), "ties"),
        Sample((normal(3),), dict(k=0, axis=0), "none"),
    ],
    multiple_results=True,
)


def top_k(operand: Any, k: int, *, axis: int = -1) -> list[Any]:
    """The ``k`` largest elements along an axis, in descending order, and their indices.

    Of equal elements the first leads; NaN counts as largest. Raises ValueError where ``k``
    exceeds the size of the axis.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.top_k(jnp.array([3.0, 1.0, 2.0]), 2)
    [Array([3., 2.], dtype=float32), Array([0, 2], dtype=int32)]
    """
    (x,) = operands("top_k", operand)
    axis = canonical_axis("top_k", axis, x.aval.ndim)
    found: list[Any] = top_k_p.bind(x, k=operator.index(k), axis=axis)
    return found
