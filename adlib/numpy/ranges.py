"""Ranges of numbers: by step, by count, on a logarithmic scale."""

from __future__ import annotations

import builtins
import operator
from typing import Any

import numpy as np

from adlib import lax
from adlib.base import errors
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, as_value, scalar, table
from adlib.core.trace import Tracer
from adlib.numpy.axes import axis_of
from adlib.numpy.creation import wanted_dtype
from adlib.numpy.promotion import (
    broadcast_array,
    broadcast_shapes,
    convert,
    promote_dtypes_inexact,
    promote_inexact,
)
from adlib.numpy.ufuncs_math import log10
from adlib.ops.reshaping import moveaxis


def _concrete_number(x: Any, what: str, name: str) -> Any:
    """A Python or NumPy number for an argument that decides on a shape."""
    if isinstance(x, (int, float, np.generic)) and not isinstance(x, complex):
        return x
    value = x if isinstance(x, Array) else as_value(x, what)
    if value.aval.shape:
        raise ValueError(
            f"adlib.numpy.{what}: arguments must be scalars; got {name} of shape "
            f"{value.aval.shape}.{here()}"
        )
    if value.aval.dtype.kind == "c":
        raise ValueError(f"{what} takes no complex numbers, got {name}={x}.{here()}")
    concrete = value.concrete() if isinstance(value, Tracer) else value
    if concrete is None:
        raise errors.ConcretizationTypeError(
            f"The jnp.{what} argument {name!r} decides on the shape of the result, but it is "
            f"traced ({errors.kind_of(value)}).{here()}{errors.origin_of(value)}\n"
            "  Repair: make it a static argument (jit(f, static_argnums=...)), or use "
            "jnp.linspace, whose number of samples is fixed."
        )
    return np.asarray(concrete)[()]


def arange(
    start: Any, stop: Any = None, step: Any = None, dtype: Any = None, *, device: Any = None
) -> Array:
    """Numbers from ``start`` (0 if left out) up to, but without, ``stop``.

    Args:
      start, stop, step: scalars, known while tracing; with one of them it is ``stop``.
      dtype: by default int32, or float32 where an argument is a float.

    >>> import adlib.numpy as jnp
    >>> jnp.arange(3)
    Array([0, 1, 2], dtype=int32)
    """
    found = wanted_dtype(dtype, "arange")
    values = {"start": start, "stop": stop, "step": step}
    given = {
        name: _concrete_number(v, "arange", "stop" if name == "start" and stop is None else name)
        for name, v in values.items()
        if v is not None
    }
    if found is None:
        pairs = [_number_type(v) for v in values.values() if v is not None]
        found = dtypes.promote(*pairs)[0]
    if dtypes.kind(found) == "b":
        raise TypeError(f"arange makes no booleans: it counts.{here()}")
    if stop is None and step is None and dtypes.is_integer(found):
        size = builtins.max(0, int(np.ceil(given["start"])))
        return lax.iota(found, size)
    begin = 0 if stop is None else given["start"]
    end = given["start"] if stop is None else given["stop"]
    made = np.arange(begin, end, given.get("step", 1))
    return table(made.astype(found))


def _number_type(x: Any) -> tuple[Any, bool]:
    aval = as_value(x, "arange").aval
    return aval.dtype, aval.weak_type


def _ends(what: str, start: Any, stop: Any) -> list[Array]:
    """Both ends in one floating dtype, not weak: a range has a dtype of its own."""
    return [convert(v, v.aval.dtype) for v in promote_dtypes_inexact(what, start, stop)]


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """``num`` evenly spaced numbers from ``start`` to ``stop``.

    Args:
      start, stop: scalars or arrays, which broadcast; may be traced.
      num: how many, known while tracing.
      endpoint: whether ``stop`` is the last of them.
      retstep: whether to return the distance too.
      axis: where the new axis goes, for arrays.

    >>> import adlib.numpy as jnp
    >>> jnp.linspace(0, 1, 3)
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.{here()}")
    found = wanted_dtype(dtype, "linspace")
    start, stop = _ends("linspace", start, stop)
    work = start.aval.dtype
    shape = broadcast_shapes(start.aval.shape, stop.aval.shape)
    start, stop = (broadcast_array(v, shape) for v in (start, stop))
    out = _moved_to(_spaced(start, stop, num, endpoint), axis)
    if found is not None:
        if dtypes.is_integer(found) and dtypes.is_float(work):
            out = lax.floor(out)
        out = convert(out, found)
    if not retstep:
        return out
    parts = num - 1 if endpoint else num
    if parts > 0:
        return out, lax.div(lax.sub(stop, start), scalar(parts, work))
    return out, lax.full_like(start, np.nan)


def _spaced(start: Array, stop: Array, num: int, endpoint: bool) -> Array:
    """Numbers from ``start`` to ``stop`` along a new first axis."""
    shape, work = start.aval.shape, start.aval.dtype
    real = dtypes.real_of(work)
    first, last = (lax.expand_dims(v, (0,)) for v in (start, stop))
    if num == 0 or (num == 1 and endpoint):
        return lax.slice_in_dim(first, 0, num)
    parts = num - 1 if endpoint else num
    fraction = lax.div(lax.iota(real, parts), scalar(parts, real))
    fraction = convert(lax.reshape(fraction, (parts, *[1] * len(shape))), work)
    fraction = broadcast_array(fraction, (parts, *shape))
    # a weighted mean: hits both ends exactly and does not overflow between them
    rest = lax.sub(scalar(1, work), fraction)
    out = lax.add(lax.mul(first, rest), lax.mul(last, fraction))
    return lax.concatenate([out, last], 0) if endpoint else out


def _moved_to(x: Array, axis: int) -> Array:
    """The first axis at another place."""
    return moveaxis(x, 0, axis_of(axis, x.aval.ndim))


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Array:
    """``base`` to the powers ``linspace(start, stop, num)``.

    >>> import adlib.numpy as jnp
    >>> jnp.logspace(0, 2, 3)
    Array([  1.,  10., 100.], dtype=float32)
    """
    exponents = linspace(start, stop, num, endpoint=endpoint, axis=axis)
    base, exponents = promote_inexact("logspace", base, exponents)
    out = lax.pow(broadcast_array(base, exponents.aval.shape), exponents)
    return out if dtype is None else convert(out, wanted_dtype(dtype, "logspace"))


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Array:
    """``num`` numbers from ``start`` to ``stop`` with a constant ratio.

    Both have one sign, or are complex.

    >>> import adlib.numpy as jnp
    >>> jnp.geomspace(1, 100, 3)
    Array([  1.,  10., 100.], dtype=float32)
    """
    start, stop = _ends("geomspace", start, stop)
    shape = broadcast_shapes(start.aval.shape, stop.aval.shape)
    start, stop = (broadcast_array(v, shape) for v in (start, stop))
    # powers of ten, which are exact where users most expect them to be
    exponent = log10(lax.div(stop, start))
    zero = lax.full_like(exponent, 0)
    out = logspace(zero, exponent, num, endpoint=endpoint)
    out = lax.mul(out, lax.expand_dims(start, (0,)))
    if endpoint and num > 1:
        # the rounding of powers and logarithms must not move the end
        out = lax.concatenate([lax.slice_in_dim(out, 0, num - 1), lax.expand_dims(stop, (0,))], 0)
    out = _moved_to(out, axis)
    if dtype is None:
        return out
    found = wanted_dtype(dtype, "geomspace")
    return convert(lax.floor(out) if dtypes.is_integer(found) else out, found)
