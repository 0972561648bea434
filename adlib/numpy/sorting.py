"""Sorting, and what rests on order: searching, digitizing, counting."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.axes import axis_of
from adlib.numpy.choosing import known_integers
from adlib.numpy.promotion import (
    broadcast_array,
    convert,
    index_dtype,
    promote_dtypes,
    promote_dtypes_inexact,
    to_array,
)

_INT32 = np.dtype(np.int32)


def _no_kind(name: str, kind: Any, order: Any) -> None:
    if kind is not None:
        raise TypeError(
            f"'kind' argument to {name} is not supported. Use stable=True or stable=False to "
            f"specify sort stability.{here()}"
        )
    if order is not None:
        raise TypeError(f"'order' argument to {name} is not supported.{here()}")


def _along(name: str, a: Any, axis: int | None) -> tuple[Array, int]:
    """The array, flattened for ``axis=None``, and the axis as an int."""
    x = to_array(a, name)
    if axis is None:
        return lax.reshape(x, (x.aval.size,)), 0
    return x, axis_of(axis, x.aval.ndim)


def sort(
    a: Any,
    axis: int | None = -1,
    *,
    kind: None = None,
    order: None = None,
    stable: bool = True,
    descending: bool = False,
) -> Array:
    """Elements in ascending order along an axis (flattened for None); NaN comes last.

    >>> import adlib.numpy as jnp
    >>> jnp.sort(jnp.array([3, 1, 2]))
    Array([1, 2, 3], dtype=int32)
    """
    _no_kind("sort", kind, order)
    x, axis = _along("sort", a, axis)
    result = lax.sort(x, axis, stable, 1)
    return lax.rev(result, (axis,)) if descending else result


def argsort(
    a: Any,
    axis: int | None = -1,
    *,
    kind: None = None,
    order: None = None,
    stable: bool = True,
    descending: bool = False,
    dtype: Any = None,
) -> Array:
    """The indices that put elements in ascending order; equal ones keep their order.

    >>> import adlib.numpy as jnp
    >>> jnp.argsort(jnp.array([3, 1, 2]))
    Array([1, 2, 0], dtype=int32)
    """
    _no_kind("argsort", kind, order)
    x, axis = _along("argsort", a, axis)
    found = index_dtype() if dtype is None else dtypes.canonicalize_dtype(dtype)
    places = lax.broadcasted_iota(found, x.aval.shape, axis)
    if not descending:
        return lax.sort((x, places), axis, stable, 1)[1]
    # sorted back to front and then reversed, so that equal elements keep their order
    reverse = lax.sort((lax.rev(x, (axis,)), lax.rev(places, (axis,))), axis, stable, 1)[1]
    return lax.rev(reverse, (axis,))


def _cut(name: str, ordered: Array, kth: Any, axis: int) -> tuple[Array, Array]:
    """A sorted array up to and with place ``kth``, and the rest.

    No order is promised on either side. JAX's is that of the smallest elements, then the
    largest, or then the indices that remain; what shows is the same here.
    """
    k, length = operator.index(kth), ordered.aval.shape[axis]
    if not -length <= k < length:
        raise ValueError(f"kth({k}) out of bounds ({length}) in {name}{here()}")
    split = k % length + 1
    lower = lax.slice_in_dim(ordered, 0, split, axis=axis)
    return lower, lax.slice_in_dim(ordered, split, length, axis=axis)


def partition(a: Any, kth: int, axis: int = -1) -> Array:
    """Element ``kth`` in its sorted place, no larger ones before it and no smaller ones after.

    >>> import adlib.numpy as jnp
    >>> jnp.partition(jnp.array([3, 1, 2]), 1)
    Array([1, 2, 3], dtype=int32)
    """
    x, axis = _along("partition", a, axis)
    lower, upper = _cut("partition", lax.sort(x, axis, True, 1), kth, axis)
    return lax.concatenate([lower, lax.rev(upper, (axis,))], axis)


def argpartition(a: Any, kth: int, axis: int = -1) -> Array:
    """The indices of a ``partition``.

    >>> import adlib.numpy as jnp
    >>> jnp.argpartition(jnp.array([3, 1, 2]), 1)
    Array([1, 2, 0], dtype=int32)
    """
    x, axis = _along("argpartition", a, axis)
    lower, upper = _cut("argpartition", argsort(x, axis, dtype=_INT32), kth, axis)
    places = lax.concatenate([lower, lax.sort(upper, axis)], axis)
    return convert(places, _INT32, x.aval.weak_type)


def lexsort(keys: Any, axis: int = -1) -> Array:
    """The indices that sort by several keys, of which the last one counts first.

    >>> import adlib.numpy as jnp
    >>> jnp.lexsort((jnp.array([2, 1, 0]), jnp.array([0, 0, 1])))
    Array([1, 0, 2], dtype=int32)
    """
    arrays = [to_array(k, "lexsort", i) for i, k in enumerate(keys)]
    if not arrays:
        raise TypeError(f"need sequence of keys with len > 0 in lexsort{here()}")
    shape = arrays[0].aval.shape
    if any([k.aval.shape != shape for k in arrays]):
        raise ValueError(f"all keys need to be the same shape{here()}")
    if not shape:
        return scalar(0, index_dtype())
    axis = axis_of(axis, len(shape))
    places = lax.broadcasted_iota(index_dtype(), shape, axis)
    return lax.sort((*arrays[::-1], places), axis, True, len(arrays))[-1]


def sort_complex(a: Any) -> Array:
    """Elements as complex numbers, sorted along the last axis by real, then imaginary part.

    >>> import adlib.numpy as jnp
    >>> jnp.sort_complex(jnp.array([2.0, 1.0]))
    Array([1.+0.j, 2.+0.j], dtype=complex64)
    """
    x = sort(to_array(a, "sort_complex"))
    (x,) = promote_dtypes_inexact("sort_complex", x)
    return convert(x, dtypes.complex_of(x.aval.dtype))


# ------------------------------------------------------------------------- searching


def searchsorted(
    a: Any, v: Any, side: str = "left", sorter: Any = None, *, method: str = "scan"
) -> Array:
    """Where the elements of ``v`` would have to be inserted to keep ``a`` sorted.

    Args:
      a: sorted vector.
      v: array of any shape.
      side: "left" of equal elements or "right".
      sorter: indices that sort ``a``, if it is not sorted.
      method: accepted for JAX's sake; one algorithm does it.

    >>> import adlib.numpy as jnp
    >>> jnp.searchsorted(jnp.array([1, 2, 3]), jnp.array([2, 5]))
    Array([1, 3], dtype=int32)
    """
    if side not in ("left", "right"):
        raise ValueError(f"invalid argument side={side!r}, expected 'left' or 'right'{here()}")
    _check_method(method)
    a, v = promote_dtypes("searchsorted", a, v)
    if a.aval.ndim != 1:
        raise ValueError(f"a should be 1-dimensional, got shape {a.aval.shape}{here()}")
    if sorter is not None:
        a = a[to_array(sorter, "searchsorted")]  # type: ignore[index]
    integer = _INT32
    length, shape = a.aval.shape[0], v.aval.shape
    # bisection of all queries at once: an interval is halved until it is empty
    low = lax.full(shape, scalar(0, integer))
    high = lax.full(shape, scalar(length, integer))
    if not length:
        return low
    for _ in range(length.bit_length()):
        middle = lax.div(lax.add(low, high), scalar(2, integer))
        probe = a.at[middle].get(mode="clip")  # type: ignore[attr-defined]
        right_of = _before(probe, v) if side == "left" else lax.bitwise_not(_before(v, probe))
        going = lax.bitwise_and(right_of, lax.lt(low, high))
        high = lax.select_n(going, lax.select_n(lax.lt(low, high), high, middle), high)
        low = lax.select_n(going, low, lax.add(middle, scalar(1, integer)))
    return low


def _check_method(method: Any) -> None:
    if method not in ("scan", "scan_unrolled", "sort", "compare_all"):
        raise ValueError(
            f"method={method!r} not understood: 'scan', 'scan_unrolled', 'sort' or 'compare_all'."
            f"{here()}"
        )


def _before(x: Array, y: Array) -> Array:
    """``x < y`` in the order of sort, where NaN is larger than everything."""
    if x.aval.dtype.kind == "c":
        parts = lax.real(x), lax.real(y)
        equal = lax.eq(*parts)
        return lax.select_n(equal, _before(*parts), _before(lax.imag(x), lax.imag(y)))
    if not dtypes.is_float(x.aval.dtype):
        return lax.lt(x, y)
    return lax.bitwise_or(lax.lt(x, y), lax.bitwise_and(lax.eq(x, x), lax.ne(y, y)))


def digitize(x: Any, bins: Any, right: bool = False, *, method: str | None = None) -> Array:
    """The number of the bin that each element falls into.

    Args:
      bins: monotonic vector of the edges, ascending or descending.
      right: whether bins contain their right edge rather than their left one.

    >>> import adlib.numpy as jnp
    >>> jnp.digitize(jnp.array([0.5, 2.5]), jnp.array([0.0, 1.0, 2.0]))
    Array([1, 3], dtype=int32)
    """
    x, edges = to_array(x, "digitize", 0), to_array(bins, "digitize", 1)
    if method is not None:
        _check_method(method)
    if edges.aval.ndim != 1:
        raise ValueError(f"digitize: bins must be a 1-dimensional array; got {edges.aval}{here()}")
    count = edges.aval.shape[0]
    if not count:
        return lax.full(x.aval.shape, scalar(0, _INT32))
    side = "left" if right else "right"
    ascending = searchsorted(edges, x, side=side)
    backwards = searchsorted(lax.rev(edges, (0,)), x, side=side)
    descending = lax.sub(scalar(count, _INT32), backwards)
    rises = lax.ge(*promote_dtypes("digitize", edges[count - 1], edges[0]))  # type: ignore[index]
    return lax.select_n(rises, descending, ascending)


def bincount(
    x: Any, weights: Any = None, minlength: int = 0, *, length: int | None = None
) -> Array:
    """How often each of 0, 1, 2, … occurs, or the sum of the weights where it does.

    Args:
      x: vector of non-negative integers; negative ones count as 0.
      length: of the result; needed where ``x`` is traced.

    >>> import adlib.numpy as jnp
    >>> jnp.bincount(jnp.array([0, 2, 2]))
    Array([1, 0, 2], dtype=int32)
    """
    x = to_array(x, "bincount")
    if not dtypes.is_integer(x.aval.dtype) and x.aval.dtype.kind != "b":
        raise TypeError(
            f"x argument to bincount must have an integer type; got {x.aval.dtype}{here()}"
        )
    if x.aval.ndim != 1:
        raise ValueError(f"only 1-dimensional input supported, got shape {x.aval.shape}{here()}")
    integer = index_dtype()
    x = convert(x, integer)
    if length is None:
        known = known_integers("argument x of jnp.bincount (give length=)", x)
        length = max(operator.index(minlength), int(known.max()) + 1 if known.size else 0)
    length = operator.index(length)
    counts = scalar(1, integer) if weights is None else to_array(weights, "bincount", 1)
    if weights is not None and counts.aval.shape != x.aval.shape:
        raise ValueError(
            f"shape of weights must match shape of x, got {counts.aval.shape} and {x.aval.shape}"
            f"{here()}"
        )
    place = lax.max(x, scalar(0, integer))
    zeros = lax.full((length,), scalar(0, counts.aval.dtype))
    if not length:
        return zeros
    return zeros.at[place].add(broadcast_array(counts, x.aval.shape), mode="drop")
