"""Methods of functions of two arguments: ``jnp.add.reduce``, ``.accumulate``, ``.outer``, ``.at``.

The functions stay plain Python functions, which are called faster than objects of a class;
the methods are attributes. ``isinstance(jnp.add, jnp.ufunc)`` holds for those that have them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax
from adlib.api.vectorize import vmap
from adlib.base.source import here
from adlib.core.array import Array
from adlib.core.trace import Tracer
from adlib.numpy import reductions, statistics, ufuncs, ufuncs_logic, ufuncs_math
from adlib.numpy.axes import axes_of, axis_of
from adlib.numpy.functional import vectorize
from adlib.numpy.promotion import broadcast_array, index_dtype, to_array
from adlib.numpy.shaping import moveaxis, ravel

_UNROLLED = 16  # rows that are combined one after another; more of them by a loop


class _HasMethods(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return hasattr(instance, "nin") and hasattr(instance, "reduce")


class ufunc(metaclass=_HasMethods):
    """What functions are instances of that have ``reduce``, ``accumulate``, ``outer`` and ``at``.

    >>> import adlib.numpy as jnp
    >>> isinstance(jnp.add, jnp.ufunc), jnp.add.reduce(jnp.arange(4))
    (True, Array(6, dtype=int32))
    """


def _running(function: Any, first: Any, rows: Array, masks: Array | None = None) -> Array:
    """What combining the rows with ``first``, one after another, gives at each of them."""
    name = function.__name__

    def step(before: Any, row: Any, mask: Any) -> Any:
        found = to_array(function(before, row), name)
        if mask is not None:
            found = lax.select(broadcast_array(mask, found.aval.shape), found, before)
        return found

    if rows.aval.shape[0] > _UNROLLED:

        def body(before: Any, row: Any) -> Any:
            found = step(before, *row)
            return found, found

        first = to_array(first, name).astype(step(first, rows[0], None).dtype)  # type: ignore[attr-defined,index]
        return lax.scan(body, first, (rows, masks))[1]  # type: ignore[no-any-return]
    results = []
    for k, row in enumerate(lax.unstack(rows, 0)):
        first = step(first, row, None if masks is None else masks[k])  # type: ignore[index]
        results.append(first)
    return lax.stack(results, 0)  # type: ignore[no-any-return]


def _reduce_of(function: Any, whole: Callable[..., Array] | None) -> Any:
    name = function.__name__

    def reduce(
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Array:
        """The elements along axes combined by the function.

        Args:
          axis: one axis, several, or None for all.
          initial: what the first element is combined with.
          where: mask of the elements that count; needs an identity or ``initial``.
        """
        x = to_array(a, f"{name}.reduce")
        if dtype is not None:
            x = x.astype(dtype)  # type: ignore[attr-defined]
        if out is not None:
            raise NotImplementedError(
                f"jnp.{name}.reduce has no 'out': arrays are immutable.{here()}"
            )
        if whole is not None:
            options = {"initial": initial, "where": where}
            given = {k: v for k, v in options.items() if v is not None}
            return whole(x, axis=axis, keepdims=keepdims, **given)
        first = function.identity if initial is None else initial
        if where is not None:
            if first is None:
                raise ValueError(
                    f"reduction operation {name} does not have an identity, so to use a where mask "
                    f"one has to specify 'initial'.{here()}"
                )
            where = broadcast_array(to_array(where, name, 1), x.aval.shape)
        axes = axes_of(axis, x.aval.ndim)
        found = _combined(function, x, axes, first, where)
        return lax.expand_dims(found, axes) if keepdims else found

    return reduce


def _combined(function: Any, x: Array, axes: Any, first: Any, where: Any) -> Array:
    """``x`` with axes combined, from ``first`` on if there is one."""
    rows = _as_rows(x, axes)
    if first is not None:
        start = lax.full(rows.aval.shape[1:], first, x.aval.dtype)
        if not rows.aval.shape[0]:
            return start  # type: ignore[no-any-return]
        masks = None if where is None else _as_rows(where, axes)
        return _running(function, start, rows, masks)[-1]  # type: ignore[index,no-any-return]
    if not rows.aval.shape[0]:
        raise ValueError(
            f"zero-size array to reduction operation {function.__name__} "
            f"which has no identity{here()}"
        )
    if rows.aval.shape[0] == 1:
        return rows[0]  # type: ignore[index,no-any-return]
    return _running(function, rows[0], rows[1:])[-1]  # type: ignore[index,no-any-return]


def _as_rows(x: Array, axes: Any) -> Array:
    """The axes in front, as one."""
    rest = [d for d in range(x.aval.ndim) if d not in axes]
    count = math.prod(x.aval.shape[d] for d in axes)
    rows = lax.transpose(x, [*axes, *rest])
    return lax.reshape(rows, (count, *(x.aval.shape[d] for d in rest)))  # type: ignore[no-any-return]


def _accumulate_of(function: Any, running: Callable[..., Array] | None) -> Any:
    def accumulate(a: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """What ``reduce`` gives up to each element along an axis."""
        x = to_array(a, f"{function.__name__}.accumulate")
        if dtype is not None:
            x = x.astype(dtype)  # type: ignore[attr-defined]
        axis = axis_of(axis, x.aval.ndim)
        if running is not None:
            return running(x, axis)
        if x.aval.shape[axis] < 2:
            return x
        rows = moveaxis(x, axis, 0)
        later = _running(function, rows[0], rows[1:])  # type: ignore[index]
        first = rows[:1].astype(later.aval.dtype)  # type: ignore[index]
        return moveaxis(lax.concatenate([first, later], 0), 0, axis)

    return accumulate


def _outer_of(function: Any) -> Any:
    def outer(a: Any, b: Any) -> Array:
        """The function of every pair of an element of ``a`` and one of ``b``."""
        x, y = to_array(a, function.__name__), to_array(b, function.__name__, 1)
        rank = y.aval.ndim
        x = lax.expand_dims(x, tuple(range(x.aval.ndim, x.aval.ndim + rank)))
        return function(x, y)  # type: ignore[no-any-return]

    return outer


_SCATTERS = {
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "maximum": "max",
    "minimum": "min",
}


def _at_of(function: Any, scatter: str) -> Any:
    def at(a: Any, indices: Any, b: Any = None, *, inplace: bool = True) -> Array:
        """A copy with the function applied at indices, repeated ones repeatedly."""
        name = function.__name__
        if inplace:
            raise NotImplementedError(
                f"Arrays are immutable, so jnp.{name}.at returns a copy; say so with "
                f"inplace=False.{here()}"
            )
        x = to_array(a, name)
        if scatter:
            return getattr(x.at[indices], scatter)(b)  # type: ignore[attr-defined,no-any-return]
        numbers = lax.reshape(lax.iota(index_dtype(), x.aval.size), x.aval.shape)
        places = numbers[indices]
        values = broadcast_array(to_array(b, name, 1), places.aval.shape)

        def step(flat: Any, one: Any) -> Any:
            place, value = one
            return flat.at[place].set(function(flat[place], value)), None

        flat, _ = lax.scan(step, ravel(x), (ravel(places), ravel(values)))
        return lax.reshape(flat, x.aval.shape)  # type: ignore[no-any-return]

    return at


def _reduceat_of(reduce: Any, function: Any) -> Any:
    def reduceat(a: Any, indices: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """``reduce`` of the pieces that start at the given indices."""
        x = moveaxis(to_array(a, function.__name__), axis, 0)
        if isinstance(indices, Tracer):
            found = _pieces(function, x if dtype is None else x.astype(dtype), indices)  # type: ignore[attr-defined]
            return moveaxis(found, 0, axis)
        starts = [int(i) for i in indices]
        parts = []
        for k, start in enumerate(starts):
            stop = starts[k + 1] if k + 1 < len(starts) else x.aval.shape[0]
            piece = lax.slice_in_dim(x, start, max(stop, start + 1))
            parts.append(reduce(piece, 0, dtype))
        return moveaxis(lax.stack(parts, 0), 0, axis)

    return reduceat


def _pieces(function: Any, rows: Array, starts: Array) -> Array:
    """As ``reduceat``, for indices that are known only when the program runs."""
    count = rows.aval.shape[0]
    end = lax.full((1,), count, starts.aval.dtype)
    stops = lax.concatenate([lax.slice_in_dim(starts, 1, None), end], 0)

    def piece(start: Any, stop: Any) -> Array:
        place = lax.iota(starts.aval.dtype, count)
        inside = lax.bitwise_and(lax.gt(place, start), lax.lt(place, stop))
        return _running(function, rows[start], rows, inside)[-1]  # type: ignore[index,no-any-return]

    return vmap(piece)(starts, stops)  # type: ignore[no-any-return]


_WHOLE = {
    "add": reductions.sum,
    "multiply": reductions.prod,
    "maximum": reductions.max,
    "minimum": reductions.min,
    "logical_and": reductions.all,
    "logical_or": reductions.any,
}
_RUNNING = {
    "add": statistics.cumsum,
    "multiply": statistics.cumprod,
    "maximum": lax.cummax,
    "minimum": lax.cummin,
}
_BINARY = (
    *[
        getattr(ufuncs, n)
        for n in (
            "add",
            "subtract",
            "multiply",
            "true_divide",
            "maximum",
            "minimum",
            "power",
            "floor_divide",
            "remainder",
            "float_power",
            "fmod",
        )
    ],
    *[
        getattr(ufuncs_logic, n)
        for n in (
            "equal",
            "not_equal",
            "less",
            "less_equal",
            "greater",
            "greater_equal",
            "logical_and",
            "logical_or",
            "logical_xor",
            "bitwise_and",
            "bitwise_or",
            "bitwise_xor",
            "left_shift",
            "right_shift",
            "fmax",
            "fmin",
            "gcd",
            "lcm",
        )
    ],
    *[
        getattr(ufuncs_math, n)
        for n in ("arctan2", "logaddexp", "logaddexp2", "hypot", "nextafter")
    ],
)


_IDENTITIES = {
    "add": 0,
    "multiply": 1,
    "logical_and": True,
    "logical_or": False,
    "logical_xor": False,
    "bitwise_and": -1,
    "bitwise_or": 0,
    "bitwise_xor": 0,
    "logaddexp": -np.inf,
    "logaddexp2": -np.inf,
}


def _with_methods(
    function: Any, identity: Any, whole: Any = None, running: Any = None, scatter: str = ""
) -> Any:
    """The function of two arguments, with the attributes and methods of ufuncs.

    ``whole``, ``running`` and ``scatter`` name what reduces, accumulates and updates at once.
    """
    function.nin, function.nout, function.nargs, function.identity = 2, 1, 2, identity
    function.reduce = _reduce_of(function, whole)
    function.accumulate = _accumulate_of(function, running)
    function.outer = _outer_of(function)
    function.at = _at_of(function, scatter)
    function.reduceat = _reduceat_of(function.reduce, function)
    return function


def _with_refusals(function: Any) -> Any:
    """The function of one argument, with ``at``; what combines elements needs two of them."""
    function.nin, function.nout, function.nargs, function.identity = 1, 1, 1, None

    def refusal(method: str) -> Any:
        def refused(*_: Any, **__: Any) -> Any:
            raise TypeError(
                f"jnp.{function.__name__}.{method} combines elements, and the function takes one "
                f"argument.{here()}\n  Repair: call it, or take a function of two arguments."
            )

        return refused

    for method in ("reduce", "accumulate", "outer", "reduceat"):
        setattr(function, method, refusal(method))

    def at(a: Any, indices: Any, *, inplace: bool = True) -> Array:
        """A copy with the function applied at indices, repeated ones repeatedly."""
        return by_pairs(a, indices, 0, inplace=inplace)  # type: ignore[no-any-return]

    def first(x: Any, _: Any) -> Any:
        return function(x)

    first.__name__ = function.__name__
    by_pairs = _at_of(first, "")
    function.at = at
    return function


def install() -> None:
    """Give functions of two arguments the methods of ufuncs, and negative what it has of them."""
    _with_refusals(ufuncs.negative)
    for function in _BINARY:
        name = function.__name__
        _with_methods(
            function,
            _IDENTITIES.get(name),
            _WHOLE.get(name),
            _RUNNING.get(name),
            _SCATTERS.get(name, ""),
        )


def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, *, identity: Any = None) -> Any:
    """A function of scalars as one that broadcasts, as NumPy's ufuncs do.

    Args:
      func: function of ``nin`` scalar arrays; returns one, or a tuple of ``nout``.
      identity: what combining with leaves a value as it is; used by ``reduce``.

    Returns:
      Function of arrays whose shapes broadcast. With two arguments and one result it has
      ``reduce``, ``accumulate``, ``outer``, ``at`` and ``reduceat``.

    >>> import adlib.numpy as jnp
    >>> add = jnp.frompyfunc(lambda x, y: x + y, 2, 1, identity=0)
    >>> add(jnp.arange(2), 1), add.reduce(jnp.arange(5))
    (Array([1, 2], dtype=int32), Array(10, dtype=int32))
    """
    call = vectorize(func)

    @functools.wraps(func)
    def ufunc(*args: Any) -> Any:
        if len(args) != nin:
            raise TypeError(
                f"{getattr(func, '__name__', func)} takes {nin} arguments, got {len(args)}{here()}"
            )
        return call(*args)

    if (nin, nout) == (2, 1):
        return _with_methods(ufunc, identity)
    ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.identity = nin, nout, nin, identity  # type: ignore[attr-defined]
    return ufunc
