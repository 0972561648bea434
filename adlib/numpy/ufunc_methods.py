"""Methods of functions of two arguments: ``jnp.add.reduce``, ``.accumulate``, ``.outer``, ``.at``.

The functions stay plain Python functions, which are called faster than objects of a class;
the methods are attributes. ``isinstance(jnp.add, jnp.ufunc)`` holds for those that have them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adlib import lax
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy import reductions, statistics, ufuncs, ufuncs_logic, ufuncs_math
from adlib.numpy.axes import axes_of, axis_of
from adlib.numpy.promotion import to_array
from adlib.numpy.shaping import moveaxis, ravel


class _HasMethods(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return hasattr(instance, "nin") and hasattr(instance, "reduce")


class ufunc(metaclass=_HasMethods):
    """What functions are instances of that have ``reduce``, ``accumulate``, ``outer`` and ``at``.

    >>> import adlib.numpy as jnp
    >>> isinstance(jnp.add, jnp.ufunc), jnp.add.reduce(jnp.arange(4))
    (True, Array(6, dtype=int32))
    """


def _one_by_one(function: Any, x: Array) -> list[Array]:
    """The results of combining the rows of ``x`` from the first on."""
    rows = lax.unstack(x, 0)
    results = [rows[0]]
    for row in rows[1:]:
        results.append(function(results[-1], row))
    return results


def _reduce_of(function: Any, whole: Callable[..., Array] | None) -> Any:
    def reduce(
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Array:
        """The elements along axes combined by the function."""
        x = to_array(a, f"{function.__name__}.reduce")
        if dtype is not None:
            x = x.astype(dtype)  # type: ignore[attr-defined]
        if whole is not None:
            options = {"initial": initial, "where": where}
            given = {k: v for k, v in options.items() if v is not None}
            return whole(x, axis=axis, keepdims=keepdims, **given)
        if where is not None or out is not None:
            raise NotImplementedError(
                f"jnp.{function.__name__}.reduce has no 'where' and no 'out'.{here()}"
            )
        for d in sorted(axes_of(axis, x.aval.ndim), reverse=True):
            if not x.aval.shape[d] and initial is None:
                raise ValueError(
                    f"zero-size array to reduction operation {function.__name__} "
                    f"which has no identity{here()}"
                )
            rows = moveaxis(x, d, 0)
            result = _one_by_one(function, rows)[-1] if rows.aval.shape[0] else None
            if initial is not None:
                result = initial if result is None else function(initial, result)
            x = lax.expand_dims(to_array(result, function.__name__), (d,)) if keepdims else result  # type: ignore[assignment]
            initial = None
        return x

    return reduce


def _accumulate_of(function: Any, running: Callable[..., Array] | None) -> Any:
    def accumulate(a: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """What ``reduce`` gives up to each element along an axis."""
        x = to_array(a, f"{function.__name__}.accumulate")
        if dtype is not None:
            x = x.astype(dtype)  # type: ignore[attr-defined]
        axis = axis_of(axis, x.aval.ndim)
        if running is not None:
            return running(x, axis)
        if not x.aval.shape[axis]:
            return x
        return moveaxis(lax.stack(_one_by_one(function, moveaxis(x, axis, 0)), 0), 0, axis)

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


def _at_of(function: Any) -> Any:
    def at(a: Any, indices: Any, b: Any = None, *, inplace: bool = True) -> Array:
        """A copy with the function applied at indices, repeated ones repeatedly."""
        name = function.__name__
        if inplace:
            raise NotImplementedError(
                f"Arrays are immutable, so jnp.{name}.at returns a copy; say so with "
                f"inplace=False.{here()}"
            )
        x = to_array(a, name)
        if name in _SCATTERS:
            return getattr(x.at[indices], _SCATTERS[name])(b)  # type: ignore[attr-defined,no-any-return]
        values = ravel(to_array(b, name, 1))
        places = ravel(to_array(indices, name, 1))
        for i in range(places.aval.size):
            value = values[i % values.aval.size]  # type: ignore[index]
            x = x.at[places[i]].set(function(x[places[i]], value))  # type: ignore[attr-defined,index]
        return x

    return at


def _reduceat_of(reduce: Any, function: Any) -> Any:
    def reduceat(a: Any, indices: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """``reduce`` of the pieces that start at the given, known indices."""
        x = moveaxis(to_array(a, function.__name__), axis, 0)
        starts = [int(i) for i in indices]
        parts = []
        for k, start in enumerate(starts):
            stop = starts[k + 1] if k + 1 < len(starts) else x.aval.shape[0]
            piece = lax.slice_in_dim(x, start, max(stop, start + 1))
            parts.append(reduce(piece, 0, dtype))
        return moveaxis(lax.stack(parts, 0), 0, axis)

    return reduceat


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


def install() -> None:
    """Give functions of two arguments the methods of ufuncs."""
    for function in _BINARY:
        function.nin, function.nout, function.nargs = 2, 1, 3
        function.reduce = _reduce_of(function, _WHOLE.get(function.__name__))
        function.accumulate = _accumulate_of(function, _RUNNING.get(function.__name__))
        function.outer = _outer_of(function)
        function.at = _at_of(function)
        function.reduceat = _reduceat_of(function.reduce, function)
