"""Choosing elements by condition or by value: where, clip, select, piecewise, choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, not_an_array, scalar
from adlib.core.trace import state
from adlib.numpy.creation import array
from adlib.numpy.makers import truth
from adlib.numpy.promotion import (
    broadcast_array,
    broadcast_shapes,
    convert,
    index_dtype,
    promote_dtypes,
    promote_pair,
    to_array,
)
from adlib.numpy.splitting import known_integers
from adlib.numpy.ufuncs import maximum, minimum


def where(
    condition: Any,
    x: Any = None,
    y: Any = None,
    /,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """``x`` where the condition holds, else ``y``; with the condition alone, its true indices.

    Both ``x`` and ``y`` are computed and differentiated: a NaN in the branch not taken makes
    gradients NaN, so guard its argument with another ``where``.

    Args:
      condition: boolean array; numbers are true where they are not zero.
      x, y: arrays or numbers; all three broadcast.
      size, fill_value: for the indices, as in ``nonzero``.

    >>> import adlib.numpy as jnp
    >>> jnp.where(jnp.array([True, False]), 1.0, jnp.zeros(2))
    Array([1., 0.], dtype=float32)
    """
    if x is None and y is None:
        return nonzero(condition, size=size, fill_value=fill_value)
    if size is not None or fill_value is not None:
        raise ValueError("size and fill_value arguments cannot be used in three-term where.")
    for position, value in enumerate((condition, x, y)):
        if value is None:
            raise not_an_array(value, "where", position)
    mask = truth(to_array(condition, "where"))
    if not isinstance(x, Array) and not isinstance(y, Array):
        x, y = to_array(x, "where", 1), to_array(y, "where", 2)
    return _choose(mask, *promote_pair("where", x, y))


def _choose(mask: Array, x: Array, y: Array) -> Array:
    shapes = (mask.aval.shape, x.aval.shape, y.aval.shape)
    if not (shapes[1] == shapes[2] and shapes[0] in ((), shapes[1])):
        shape = broadcast_shapes(*shapes)
        if shapes[0]:  # a scalar condition may stay one
            mask = broadcast_array(mask, shape)
        x, y = broadcast_array(x, shape), broadcast_array(y, shape)
    return state.trace.process(lax.select_n_p, (mask, y, x), {})


def nonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> tuple[Array, ...]:
    """Indices of the elements that are not zero, one array for each axis.

    Args:
      size: how many indices to return: needed where the values are traced. Missing ones are
        filled with ``fill_value`` (0), those beyond are left out.

    >>> import adlib.numpy as jnp
    >>> jnp.nonzero(jnp.array([0, 3, 5]))
    (Array([1, 2], dtype=int32),)
    """
    x = to_array(a, "nonzero")
    if not x.aval.shape:
        raise ValueError(
            f"Calling nonzero on 0d arrays is not allowed; use jnp.atleast_1d(x).{here()}"
        )
    mask = truth(x)
    integer = index_dtype()
    if size is None:
        known = known_integers("content of an array given to jnp.nonzero or jnp.where", mask)
        return tuple(array(i.astype(integer)) for i in np.nonzero(known))
    count = x.aval.size
    flat = lax.reshape(mask, (count,))
    # a stable sort brings the true places to the front in their order
    order = lax.sort(
        (convert(lax.bitwise_not(flat), np.dtype(np.uint8)), lax.iota(integer, count)), 0, True, 1
    )[1]
    if size > count:
        order = lax.pad(order, scalar(0, integer), [(0, size - count, 0)])
    order = lax.slice_in_dim(order, 0, size)
    beyond = lax.ge(lax.iota(integer, size), lax.reduce_sum(convert(flat, integer), (0,)))
    indices = unravel(order, x.aval.shape)
    fills = fill_value if isinstance(fill_value, tuple) else (fill_value,) * len(indices)
    result = []
    for index, fill in zip(indices, fills, strict=True):
        filling = convert(to_array(0 if fill is None else fill, "nonzero"), integer)
        result.append(lax.select_n(beyond, index, broadcast_array(filling, (size,))))
    return tuple(result)


def unravel(flat: Array, shape: Sequence[int]) -> list[Array]:
    """Row-major places as one index for each axis."""
    indices: list[Array] = []
    for n in reversed(shape):
        size = scalar(max(n, 1), flat.aval.dtype, flat.aval.weak_type)
        indices.append(lax.rem(flat, size))
        flat = lax.div(flat, size)
    return indices[::-1]


def clip(
    arr: Any = None,
    /,
    min: Any = None,
    max: Any = None,
    *,
    a: Any = None,
    a_min: Any = None,
    a_max: Any = None,
) -> Array:
    """Elements brought between ``min`` and ``max``; one of them may be left out.

    >>> import adlib.numpy as jnp
    >>> jnp.clip(jnp.array([-1.0, 0.5, 2.0]), 0, 1)
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    arr = a if arr is None else arr
    low = a_min if min is None else min
    high = a_max if max is None else max
    if arr is None:
        raise ValueError(f"clip was given no array.{here()}\n  Repair: jnp.clip(x, min, max).")
    x = to_array(arr, "clip")
    for value in (x, low, high):
        if value is not None and to_array(value, "clip").aval.dtype.kind == "c":
            raise ValueError(
                "Clip received a complex value either through the input or the min/max keywords. "
                f"Complex values have no ordering and cannot be clipped.{here()}\n"
                "  Repair: clip the real and the imaginary part, or the absolute value."
            )
    if low is not None:
        x = maximum(low, x)
    return x if high is None else minimum(high, x)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    """For each element the choice that belongs to the first condition that holds.

    >>> import adlib.numpy as jnp
    >>> x = jnp.arange(4)
    >>> jnp.select([x < 1, x < 3], [x, 10 * x], default=-1)
    Array([ 0, 10, 20, -1], dtype=int32)
    """
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"condlist must have length equal to choicelist ({len(condlist)} vs "
            f"{len(choicelist)}){here()}"
        )
    if not len(condlist):
        raise ValueError(f"condlist must be non-empty{here()}")
    condlist = list(condlist)
    *choices, out = promote_dtypes("select", *choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        out = _choose(truth(to_array(condition, "select")), choice, out)
    return out


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Array:
    """A function given by pieces: where ``condlist[i]`` holds, ``funclist[i](x)``.

    Args:
      condlist: boolean arrays of the shape of ``x``; the last one that holds decides.
      funclist: functions or numbers, one for each condition, and one more for the rest.

    >>> import adlib.numpy as jnp
    >>> x = jnp.array([-1.0, 2.0])
    >>> jnp.piecewise(x, [x < 0], [lambda v: -v, lambda v: v**2])
    Array([1., 4.], dtype=float32)
    """
    x = to_array(x, "piecewise")
    if isinstance(condlist, (list, tuple)) and condlist and not np.isscalar(condlist[0]):
        conditions = [truth(to_array(c, "piecewise", 1)) for c in condlist]
    else:
        conditions = [
            truth(
                to_array(
                    condlist if isinstance(condlist, Array) else array(condlist), "piecewise", 1
                )
            )
        ]
    count, given = len(conditions), len(funclist)
    if given not in (count, count + 1):
        raise ValueError(
            f"with {count} condition(s), either {count} or {count + 1} functions are expected; "
            f"got {given}{here()}"
        )
    otherwise = funclist[count] if given == count + 1 else 0
    dtype = x.aval.dtype

    def piece(function: Any) -> Array:
        value = function(x, *args, **kw) if callable(function) else function
        return broadcast_array(convert(to_array(value, "piecewise"), dtype), x.aval.shape)

    out = piece(otherwise)
    for condition, function in zip(conditions, funclist, strict=False):
        out = _choose(condition, piece(function), out)
    return out


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Array:
    """For each element of the index array ``a`` the element of ``choices[a]`` at its place.

    Args:
      mode: for indices out of range: "wrap" or "clip"; "raise" needs known indices.

    >>> import adlib.numpy as jnp
    >>> jnp.choose(jnp.array([1, 0]), [jnp.array([1, 2]), jnp.array([10, 20])])
    Array([10,  2], dtype=int32)
    """
    if out is not None:
        raise NotImplementedError("The 'out' argument to jnp.choose is not supported.")
    index = to_array(a, "choose")
    if not dtypes.is_integer(index.aval.dtype):
        raise ValueError(f"`a` array must be integer typed, got {index.aval.str_short()}{here()}")
    xs = [convert(x, x.aval.dtype) for x in promote_dtypes("choose", *choices)]
    count = len(xs)
    if mode == "raise":
        known = known_integers("argument a of jnp.choose with mode='raise'", index)
        if known.size and (known.min() < 0 or known.max() >= count):
            raise ValueError(f"invalid entry in choice array{here()}")
    elif mode == "wrap":
        index = _wrapped(index, count)
    elif mode == "clip":
        zero, top = scalar(0, index.aval.dtype), scalar(count - 1, index.aval.dtype)
        index = lax.clamp(zero, index, top)
    else:
        raise ValueError(f"mode={mode!r} not understood. Must be 'raise', 'wrap', or 'clip'")
    shape = broadcast_shapes(index.aval.shape, *[x.aval.shape for x in xs])
    index = broadcast_array(convert(index, np.dtype(np.int32)), shape)
    return (
        lax.select_n(index, *[broadcast_array(x, shape) for x in xs])
        if count > 1
        else (broadcast_array(xs[0], shape))
    )


def _wrapped(index: Array, count: int) -> Array:
    size = scalar(count, index.aval.dtype)
    rest = lax.rem(index, size)
    negative = lax.lt(rest, scalar(0, index.aval.dtype))
    return lax.select_n(negative, rest, lax.add(rest, size))
