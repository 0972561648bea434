"""Reductions: sums, products, extremes, truth of all or any, and where extremes are."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.core.trace import state
from adlib.numpy.axes import axes_of, axis_of, has_names, split_names
from adlib.numpy.creation import array, asarray, wanted_dtype
from adlib.numpy.makers import no_out, truth
from adlib.numpy.promotion import (
    broadcast_array,
    broadcast_shapes,
    convert,
    promote,
    to_array,
)
from adlib.numpy.ufuncs_logic import isclose


def keep_dims(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """A reduced array with its reduced axes back, of size 1; ``shape`` is that before."""
    kept = tuple([i for i in range(len(shape)) if i not in axes])
    sizes = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    return lax.broadcast_in_dim(x, sizes, kept)


def mask_of(where: Any, name: str) -> Array:
    """A ``where=`` argument as an Array. Raises ValueError where it does not hold booleans."""
    mask = to_array(where, name)
    if mask.aval.dtype != np.bool_:
        raise ValueError(
            f"jnp.{name}: where must be None or a boolean array, got {mask.aval.str_short()}."
            f"{here()}\n  Repair: compare, for example where=mask != 0."
        )
    return mask


def masked(x: Array, where: Any, fill: Any, name: str) -> Array:
    """``x`` where the mask holds and ``fill`` elsewhere, of the shape they have together."""
    mask = mask_of(where, name)
    shape = broadcast_shapes(x.aval.shape, mask.aval.shape)
    filling = broadcast_array(scalar(fill, x.aval.dtype), shape)
    return lax.select_n(broadcast_array(mask, shape), filling, broadcast_array(x, shape))


def _needs_identity(name: str, x: Array, axes: Any, initial: Any, where: Any) -> None:
    if initial is not None:
        return
    if where is not None:
        raise ValueError(
            f"reduction operation {name} does not have an identity, so to use a where mask one "
            f"has to specify 'initial'{here()}"
        )
    if builtins.any([x.aval.shape[a] == 0 for a in axes]):
        raise ValueError(
            f"zero-size array to reduction operation {name} which has no identity{here()}"
        )


def _start(initial: Any, name: str) -> Array:
    start = to_array(initial, name)
    if start.aval.shape:
        raise ValueError(
            f"jnp.{name}: initial must be a scalar, got {start.aval.str_short()}.{here()}"
        )
    return start


def _reduce(
    name: str,
    a: Any,
    axis: Any,
    keepdims: bool,
    initial: Any,
    where: Any,
    operation: Callable[..., Any],
    combine: Callable[..., Any],
    identity: Callable[[Any], Any],
    has_identity: bool = True,
    collective: Any = None,
) -> Array:
    """The common part; ``a`` is an Array in the dtype to reduce in."""
    x = convert(a, a.aval.dtype)
    axis, names = split_names(axis)
    if names and collective is None:
        raise NotImplementedError(
            f"jnp.{name} does not reduce over named axes, got axis={names}.{here()}\n  "
            "Repair: sum, max, min and mean do; lax.all_gather brings the axis in as one of "
            "the array's own."
        )
    axes = axes_of(axis, x.aval.ndim)
    if not has_identity:
        _needs_identity(name, x, axes, initial, where)
    if where is not None:
        x = masked(x, where, identity(x.aval.dtype), name)
    result = operation(x, axes)
    if initial is not None:
        result = combine(result, convert(_start(initial, name), x.aval.dtype))
    if names:
        result = collective(result, names)
    return keep_dims(result, x.aval.shape, axes) if keepdims else result


# --------------------------------------------------------------- sums and products


def accumulation_dtype(dtype: Any, wide: bool = True) -> Any:
    """The dtype that sums of ``dtype`` are taken in: small integers in the default one."""
    kind = dtypes.kind(dtype)
    if kind == "b":
        return dtypes.canonicalize_dtype(np.int64)
    if not wide or kind not in "iu":
        return dtype
    default = dtypes.canonicalize_dtype(np.int64 if kind == "i" else np.uint64)
    return default if default.itemsize > dtype.itemsize else dtype


def _to_accumulate(name: str, a: Any, dtype: Any, wide: bool) -> Array:
    """The array in the dtype that the sum is taken in."""
    x = to_array(a, name)
    if dtype is not None:
        return convert(x, wanted_dtype(dtype, name))
    return convert(x, accumulation_dtype(x.aval.dtype, wide))


def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
    promote_integers: bool = True,
) -> Array:
    """Sum of elements, over all axes or the given ones.

    Args:
      a: array or number.
      axis: None, int, or tuple of ints; names of axes of ``vmap`` may be among them.
      dtype: to sum in; by default that of ``a``, with integers widened to the default int.
      keepdims: keep reduced axes, with size 1.
      initial: a number to start from.
      where: boolean array: which elements count.
      promote_integers: whether small integers are widened.

    Raises:
      TypeError: ``a`` is a list. ValueError: an axis does not exist or occurs twice, ``where``
      is not boolean, ``initial`` is not a scalar.

    >>> import adlib.numpy as jnp
    >>> jnp.sum(jnp.array([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Array([4., 6.], dtype=float32)
    """
    if (
        dtype is None
        and out is None
        and initial is None
        and where is None
        and not keepdims
        and isinstance(a, Array)
    ):
        aval = a.aval
        if aval.dtype.kind in "fc" and not aval.weak_type and not has_names(axis):
            if axis is None:
                axes = tuple(range(len(aval.shape)))
            else:
                axes = axes_of(axis, len(aval.shape))
            return state.trace.process(lax.reduce_sum_p, (a,), {"axes": axes}) if axes else a
    no_out("sum", out)
    x = _to_accumulate("sum", a, dtype, promote_integers)
    return _reduce(
        "sum",
        x,
        axis,
        keepdims,
        initial,
        where,
        lax.reduce_sum,
        lax.add,
        lambda d: 0,
        collective=lax.psum,
    )


def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
    promote_integers: bool = True,
) -> Array:
    """Product of elements, over all axes or the given ones; arguments as for ``sum``.

    >>> import adlib.numpy as jnp
    >>> jnp.prod(jnp.array([2.0, 3.0]))
    Array(6., dtype=float32)
    """
    no_out("prod", out)
    x = _to_accumulate("prod", a, dtype, promote_integers)
    return _reduce("prod", x, axis, keepdims, initial, where, lax.reduce_prod, lax.mul, lambda d: 1)


def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """Number of elements that are not zero.

    >>> import adlib.numpy as jnp
    >>> jnp.count_nonzero(jnp.arange(3))
    Array(2, dtype=int32)
    """
    return sum(truth(to_array(a, "count_nonzero")), axis=axis, keepdims=keepdims)


# -------------------------------------------------------------------- extremes


def lowest(dtype: Any) -> Any:
    """What every number of the dtype is at least."""
    kind = dtypes.kind(dtype)
    if kind == "b":
        return False
    return -math.inf if kind in "fc" else int(np.iinfo(dtype).min)


def highest(dtype: Any) -> Any:
    """What every number of the dtype is at most."""
    kind = dtypes.kind(dtype)
    if kind == "b":
        return True
    return math.inf if kind in "fc" else int(np.iinfo(dtype).max)


def max(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """Largest element, over all axes or the given ones; NaN where there is one.

    Args:
      a: array or number.
      axis: None, int, or tuple of ints.
      keepdims: keep reduced axes, with size 1.
      initial: a number that takes part; needed with ``where`` and for empty arrays.
      where: boolean array: which elements take part.

    >>> import adlib.numpy as jnp
    >>> jnp.max(jnp.array([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    Array([5., 4.], dtype=float32)
    """
    no_out("max", out)
    return _reduce(
        "max",
        to_array(a, "max"),
        axis,
        keepdims,
        initial,
        where,
        lax.reduce_max,
        lax.max,
        lowest,
        has_identity=False,
        collective=lax.pmax,
    )


def min(
    a: Any,
    axis: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """Smallest element, over all axes or the given ones; arguments as for ``max``.

    >>> import adlib.numpy as jnp
    >>> jnp.min(jnp.array([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    Array([1., 3.], dtype=float32)
    """
    no_out("min", out)
    return _reduce(
        "min",
        to_array(a, "min"),
        axis,
        keepdims,
        initial,
        where,
        lax.reduce_min,
        lax.min,
        highest,
        has_identity=False,
        collective=lax.pmin,
    )


amax, amin = max, min


def ptp(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Array:
    """Distance from the smallest to the largest element ("peak to peak").

    >>> import adlib.numpy as jnp
    >>> jnp.ptp(jnp.array([1.0, 4.0, 2.0]))
    Array(3., dtype=float32)
    """
    no_out("ptp", out)
    x = to_array(a, "ptp")
    return lax.sub(max(x, axis, keepdims=keepdims), min(x, axis, keepdims=keepdims))


def _arg_extreme(
    name: str, a: Any, axis: Any, out: Any, keepdims: bool, operation: Callable[..., Any]
) -> Array:
    no_out(name, out)
    x = to_array(a, name)
    shape = x.aval.shape
    if axis is None:
        rank = len(shape)
        x = lax.reshape(x, (x.aval.size,))
        axis, reduced, full = 0, tuple(range(rank)), shape
    else:
        axis = axis_of(axis, len(shape))
        reduced, full = (axis,), shape
    if x.aval.shape[axis] == 0:
        raise ValueError(f"attempt to get {name} of an empty sequence{here()}")
    result = operation(x, axis, dtypes.canonicalize_dtype(np.int64))
    return keep_dims(result, full, reduced) if keepdims else result


def argmax(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Array:
    """Index of the first largest element, in the flattened array or along an axis.

    >>> import adlib.numpy as jnp
    >>> jnp.argmax(jnp.array([1.0, 5.0, 3.0]))
    Array(1, dtype=int32)
    """
    return _arg_extreme("argmax", a, axis, out, keepdims, lax.argmax)


def argmin(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Array:
    """Index of the first smallest element, in the flattened array or along an axis.

    >>> import adlib.numpy as jnp
    >>> jnp.argmin(jnp.array([1.0, 5.0, 3.0]))
    Array(0, dtype=int32)
    """
    return _arg_extreme("argmin", a, axis, out, keepdims, lax.argmin)


# ------------------------------------------------------------------ truth values


def any(
    a: Any, axis: Any = None, out: None = None, keepdims: bool = False, *, where: Any = None
) -> Array:
    """Whether some element is true (not zero).

    >>> import adlib.numpy as jnp
    >>> jnp.any(jnp.array([0, 1]))
    Array(True, dtype=bool)
    """
    no_out("any", out)
    x = truth(to_array(a, "any"))
    return _reduce(
        "any", x, axis, keepdims, None, where, lax.reduce_or, lax.bitwise_or, lambda d: False
    )


def all(
    a: Any, axis: Any = None, out: None = None, keepdims: bool = False, *, where: Any = None
) -> Array:
    """Whether every element is true (not zero).

    >>> import adlib.numpy as jnp
    >>> jnp.all(jnp.array([0, 1]))
    Array(False, dtype=bool)
    """
    no_out("all", out)
    x = truth(to_array(a, "all"))
    return _reduce(
        "all", x, axis, keepdims, None, where, lax.reduce_and, lax.bitwise_and, lambda d: True
    )


def allclose(
    a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False
) -> Array:
    """Whether all elements are close: ``|a - b| <= atol + rtol * |b|``.

    Returns:
      A boolean scalar Array.

    >>> import adlib.numpy as jnp
    >>> jnp.allclose(jnp.array([1.0, 2.0]), jnp.array([1.0, 2.000001]))
    Array(True, dtype=bool)
    """
    return all(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Array:
    """Whether shapes are the same and all elements equal.

    >>> import adlib.numpy as jnp
    >>> jnp.array_equal(jnp.arange(3), jnp.array([0, 1, 2]))
    Array(True, dtype=bool)
    """
    a, b = asarray(a1), asarray(a2)
    return _all_equal(a, b, equal_nan) if a.aval.shape == b.aval.shape else array(False)


def array_equiv(a1: Any, a2: Any) -> Array:
    """Whether shapes broadcast and all elements are then equal.

    >>> import adlib.numpy as jnp
    >>> jnp.array_equiv(jnp.array([1, 1]), 1)
    Array(True, dtype=bool)
    """
    a, b = asarray(a1), asarray(a2)
    try:
        broadcast_shapes(a.aval.shape, b.aval.shape)
    except ValueError:
        return array(False)
    return _all_equal(a, b, False)


def _all_equal(a: Array, b: Array, equal_nan: bool) -> Array:
    a, b = promote("array_equal", a, b)
    same = lax.eq(a, b)
    if equal_nan:
        same = lax.bitwise_or(same, lax.bitwise_and(lax.ne(a, a), lax.ne(b, b)))
    return all(same)
