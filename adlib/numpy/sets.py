"""Sets as arrays: unique elements, membership, unions and differences.

How many elements such a result has depends on the values. Where these are traced, give
``size``: results are then cut to it, or filled up.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core.array import Array, scalar
from adlib.numpy.axes import axis_of
from adlib.numpy.choosing import known_integers, nonzero
from adlib.numpy.promotion import broadcast_array, convert, index_dtype, promote_dtypes, to_array
from adlib.numpy.shaping import ravel
from adlib.numpy.sorting import searchsorted
from adlib.numpy.taking import take


class UniqueAll(NamedTuple):
    """What ``unique_all`` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: Array
    inverse_indices: Array


def _sorted_rows(x: Array) -> tuple[Array, Array]:
    """Rows in lexical order, and where they stood."""
    integer = index_dtype()
    count = x.aval.shape[0]
    places = lax.iota(integer, count)
    columns = lax.reshape(x, (count, math.prod(x.aval.shape[1:])))
    if not columns.aval.shape[1]:
        return x, places
    keys = lax.unstack(columns, 1)
    *_, order = lax.sort((*keys, places), 0, True, len(keys))
    return take(x, order, 0, mode="clip"), order


def _starts(ordered: Array) -> Array:
    """Whether each sorted row differs from the one before it; NaN equals NaN."""
    count = ordered.aval.shape[0]
    later = lax.slice_in_dim(ordered, 1, count)
    earlier = lax.slice_in_dim(ordered, 0, count - 1)
    differ = lax.ne(later, earlier)
    both_nan = lax.bitwise_and(lax.ne(later, later), lax.ne(earlier, earlier))
    differ = lax.bitwise_and(differ, lax.bitwise_not(both_nan))
    if differ.aval.ndim > 1:
        differ = lax.reduce_or(differ, tuple(range(1, differ.aval.ndim)))
    return lax.concatenate([lax.full((1,), scalar(True, np.dtype(bool))), differ], 0)


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    size: int | None = None,
    fill_value: Any = None,
    sorted: bool = True,
) -> Any:
    """The different elements, sorted; or the different rows along an axis.

    Args:
      return_index, return_inverse, return_counts: also return where each occurs first, which
        one every element is, and how often each occurs.
      size, fill_value: how many to return, and what fills missing ones (the smallest).

    >>> import adlib.numpy as jnp
    >>> jnp.unique(jnp.array([3, 1, 1]))
    Array([1, 3], dtype=int32)
    """
    x = to_array(ar, "unique")
    shape = x.aval.shape
    if axis is None:
        x = ravel(x)
    else:
        axis = axis_of(axis, x.aval.ndim)
        x = lax.transpose(x, [axis, *[d for d in range(x.aval.ndim) if d != axis]])
    integer = index_dtype()
    total = x.aval.shape[0]
    if not total:
        values = _of_nothing(x, size, fill_value)
        zeros = lax.full((values.aval.shape[0],), scalar(0, integer))
        inverse = lax.full(shape if axis is None else (0,), scalar(0, integer))
        found = [values if axis is None else _moved_back(values, axis)]
        found += [zeros] * return_index + [inverse] * return_inverse + [zeros] * return_counts
        return found[0] if len(found) == 1 else tuple(found)
    ordered, order = _sorted_rows(x)
    starts = _starts(ordered) if equal_nan else _starts_of_nan(ordered)
    fits = size is None
    if fits:
        size = int(known_integers("content of an array given to jnp.unique", starts).sum())
    (first,) = nonzero(starts, size=size, fill_value=total)
    values = take(ordered, first, 0, mode="clip")
    number = lax.sub(lax.cumsum(convert(starts, integer), 0), scalar(1, integer))
    missing = lax.ge(first, scalar(total, integer))
    if not fits:
        values = _filled_up(values, missing, fill_value)
    results = [values if axis is None else _moved_back(values, axis)]
    if return_index:
        index = take(order, first, 0, mode="clip")
        results.append(index if fits else _filled_up(index, missing, None))
    if return_inverse:
        inverse = lax.full((total,), scalar(0, integer)).at[order].set(number)
        results.append(lax.reshape(inverse, shape) if axis is None else inverse)
    if return_counts:
        place = lax.min(number, scalar(size, integer))
        counts = lax.full((size + 1,), scalar(0, integer)).at[place].add(1)
        results.append(lax.slice_in_dim(counts, 0, size))
    return results[0] if len(results) == 1 else tuple(results)


def _of_nothing(x: Array, size: int | None, fill_value: Any) -> Array:
    """The unique elements of an array that has none."""
    if not size:
        return x
    if fill_value is None:
        raise ValueError(
            f"jnp.unique: an empty array has no element to fill size={size} places with.{here()}\n"
            "  Repair: give fill_value=."
        )
    fill = convert(to_array(fill_value, "unique"), x.aval.dtype)
    return broadcast_array(fill, (size, *x.aval.shape[1:]))


def _filled_up(x: Array, missing: Array, fill_value: Any) -> Array:
    """``x`` with rows that are missing replaced by a value, or by the first row."""
    if not x.aval.shape[0]:
        return x
    fill = x[0] if fill_value is None else to_array(fill_value, "unique")  # type: ignore[index]
    fill = broadcast_array(convert(fill, x.aval.dtype), x.aval.shape)
    return lax.select_n(lax.broadcast_in_dim(missing, x.aval.shape, (0,)), x, fill)


def _moved_back(x: Array, axis: int) -> Array:
    order = list(range(1, x.aval.ndim))
    order.insert(axis, 0)
    return lax.transpose(x, order)


def _starts_of_nan(ordered: Array) -> Array:
    """As ``_starts``, where NaN differs from NaN."""
    starts = _starts(ordered)
    nan = lax.ne(ordered, ordered)
    if nan.aval.ndim > 1:
        nan = lax.reduce_or(nan, tuple(range(1, nan.aval.ndim)))
    return lax.bitwise_or(starts, nan)


def unique_all(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueAll:
    """Unique elements, where they occur first, which one every element is, and counts.

    >>> import adlib.numpy as jnp
    >>> jnp.unique_all(jnp.array([3, 1, 1])).counts
    Array([2, 1], dtype=int32)
    """
    return UniqueAll(
        *unique(x, True, True, True, equal_nan=False, size=size, fill_value=fill_value)
    )


def unique_counts(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueCounts:
    """Unique elements and how often they occur.

    >>> import adlib.numpy as jnp
    >>> jnp.unique_counts(jnp.array([3, 1, 1])).values
    Array([1, 3], dtype=int32)
    """
    return UniqueCounts(
        *unique(x, return_counts=True, equal_nan=False, size=size, fill_value=fill_value)
    )


def unique_inverse(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueInverse:
    """Unique elements and which one every element is.

    >>> import adlib.numpy as jnp
    >>> jnp.unique_inverse(jnp.array([3, 1, 1])).inverse_indices
    Array([1, 0, 0], dtype=int32)
    """
    return UniqueInverse(
        *unique(x, return_inverse=True, equal_nan=False, size=size, fill_value=fill_value)
    )


def unique_values(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> Array:
    """Unique elements, sorted.

    >>> import adlib.numpy as jnp
    >>> jnp.unique_values(jnp.array([3, 1, 1]))
    Array([1, 3], dtype=int32)
    """
    return unique(x, equal_nan=False, size=size, fill_value=fill_value)  # type: ignore[no-any-return]


# ----------------------------------------------------------------------- two sets


def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    method: str = "auto",
) -> Array:
    """Whether elements occur in another array.

    >>> import adlib.numpy as jnp
    >>> jnp.isin(jnp.array([1, 2]), jnp.array([2, 3]))
    Array([False,  True], dtype=bool)
    """
    if method not in ("auto", "compare_all", "binary_search", "sort"):
        raise ValueError(
            f"method={method!r} is not understood: 'auto', 'compare_all', 'binary_search' or "
            f"'sort'.{here()}"
        )
    x, y = promote_dtypes("isin", element, test_elements)
    y = lax.sort(ravel(y), 0)
    if not y.aval.size:
        found = lax.full(x.aval.shape, scalar(False, np.dtype(bool)))
    else:
        found = convert(lax.eq(take(y, searchsorted(y, x), 0, mode="clip"), x), np.dtype(bool))
    return lax.bitwise_not(found) if invert else found


def _elements(x: Array) -> tuple[Array, Array, Array]:
    """Sorted elements, where they stood, and whether each differs from the one before.

    Their number is known without their values, as that of the unique ones is not.
    """
    ordered, order = _sorted_rows(ravel(x))
    if not ordered.aval.size:
        return ordered, order, lax.full((0,), scalar(False, np.dtype(bool)))
    return ordered, order, _starts(ordered)


def _elements_of(name: str, ar1: Any, ar2: Any) -> list[Array]:
    """Both arrays in one dtype; complex elements are not weakly typed."""
    values = promote_dtypes(name, ar1, ar2)
    if values[0].aval.dtype.kind == "c":
        values = [convert(v, v.aval.dtype) for v in values]
    return values


def union1d(ar1: Any, ar2: Any, *, size: int | None = None, fill_value: Any = None) -> Array:
    """Elements that occur in one array or the other, sorted.

    >>> import adlib.numpy as jnp
    >>> jnp.union1d(jnp.array([1, 2]), jnp.array([2, 3]))
    Array([1, 2, 3], dtype=int32)
    """
    x, y = _elements_of("union1d", ar1, ar2)
    return unique(lax.concatenate([ravel(x), ravel(y)], 0), size=size, fill_value=fill_value)  # type: ignore[no-any-return]


def intersect1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    return_indices: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Elements that occur in both arrays, sorted; and where, with ``return_indices``.

    >>> import adlib.numpy as jnp
    >>> jnp.intersect1d(jnp.array([1, 2]), jnp.array([2, 3]))
    Array([2], dtype=int32)
    """
    x, y = _elements_of("intersect1d", ar1, ar2)
    (values, first, starts), (others, second, _) = _elements(x), _elements(y)
    in_both = lax.bitwise_and(starts, isin(values, others))
    (place,) = nonzero(in_both, size=size, fill_value=0)
    common = take(values, place, 0, mode="clip")
    missing = None
    if size is not None:
        known = lax.reduce_sum(convert(in_both, index_dtype()), (0,))
        missing = lax.ge(lax.iota(index_dtype(), size), known)
        fill = _filling(common, known, fill_value)
        common = lax.select_n(missing, common, broadcast_array(fill, common.aval.shape))
    if not return_indices:
        return common
    there = searchsorted(others, common)
    found = [take(first, place, 0, mode="clip"), take(second, there, 0, mode="clip")]
    if missing is not None:  # an index past the end where there is no element
        found = [
            lax.select_n(missing, i, lax.full_like(i, n.aval.size))
            for i, n in zip(found, (x, y), strict=True)
        ]
    return common, *found


def _filling(common: Array, known: Array, fill_value: Any) -> Array:
    """What stands for elements that are missing: the value given, or the smallest element."""
    if fill_value is not None:
        return convert(to_array(fill_value, "intersect1d"), common.aval.dtype)
    zero = lax.full_like(common, 0, shape=())
    if not common.aval.size:
        return zero
    nothing = lax.eq(known, scalar(0, known.aval.dtype))
    return lax.select_n(nothing, common[0], zero)  # type: ignore[index]


def setdiff1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Array:
    """Elements of the first array that the second does not have, sorted.

    >>> import adlib.numpy as jnp
    >>> jnp.setdiff1d(jnp.array([1, 2]), jnp.array([2, 3]))
    Array([1], dtype=int32)
    """
    x, y = to_array(ar1, "setdiff1d"), to_array(ar2, "setdiff1d", 1)
    if x.aval.dtype.kind == "c":
        x = convert(x, x.aval.dtype)
    if assume_unique:
        values, wanted = ravel(x), isin(ravel(x), y, invert=True)
    else:
        values, _, starts = _elements(x)
        wanted = lax.bitwise_and(starts, isin(values, y, invert=True))
    (place,) = nonzero(wanted, size=size, fill_value=values.aval.size)
    return take(values, place, 0, mode="fill", fill_value=0 if fill_value is None else fill_value)


def setxor1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Array:
    """Elements that occur in exactly one of the arrays, sorted.

    >>> import adlib.numpy as jnp
    >>> jnp.setxor1d(jnp.array([1, 2]), jnp.array([2, 3]))
    Array([1, 3], dtype=int32)
    """
    x, y = _elements_of("setxor1d", ar1, ar2)
    (x, _, x_starts), (y, _, y_starts) = _elements(x), _elements(y)
    both, starts = lax.sort(
        (lax.concatenate([x, y], 0), lax.concatenate([x_starts, y_starts], 0)), 0, True, 1
    )
    in_one = lax.bitwise_not(lax.bitwise_and(isin(both, x), isin(both, y)))
    (place,) = nonzero(lax.bitwise_and(starts, in_one), size=size, fill_value=both.aval.size)
    found = take(both, place, 0, mode="clip")
    if size is None:
        return found
    missing = lax.ge(place, scalar(both.aval.size, place.aval.dtype))
    return _filled_up(found, missing, fill_value)
