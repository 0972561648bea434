"""What the samplers share: checks of shapes and dtypes, and programs kept by shape."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from adlib import lax
from adlib.api.compilation import JitFunction
from adlib.base import errors
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, as_value
from adlib.ops.conversion import convert
from adlib.ops.random_bits import random_split
from adlib.random.keys import single_key

Shape = tuple[int, ...]


def canonical_shape(name: str, shape: Any) -> Shape:
    """A shape as a tuple of int: an int stands for one axis."""
    try:
        sizes = (
            tuple([operator.index(n) for n in shape])
            if np.iterable(shape)
            else (operator.index(shape),)
        )
    except TypeError:
        raise TypeError(
            f"{name}: shape must be an int or a sequence of ints, got {shape!r}.{here()}\n"
            "  Under jit a shape must be static: a Python value, not a traced one."
        ) from None
    if any(n < 0 for n in sizes):
        raise TypeError(f"{name}: sizes of shape {sizes} must be at least 0.{here()}")
    return sizes


def result_shape(name: str, shape: Any, *params: Array) -> Shape:
    """The shape asked for; that of the broadcast parameters where it is None.

    Raises ValueError where the parameters do not broadcast to it.
    """
    shapes = [p.aval.shape for p in params]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            f"{name}: incompatible shapes for broadcasting: {', '.join(map(str, shapes))}.{here()}"
        ) from None
    if shape is None:
        return tuple(common)
    wanted = canonical_shape(name, shape)
    try:
        fits = np.broadcast_shapes(wanted, common) == wanted
    except ValueError:
        fits = False
    if not fits:
        given = ", ".join(map(str, shapes))
        raise ValueError(
            f"{name}: parameters of shape {given} do not broadcast to shape={wanted}.{here()}\n"
            "  The requested shape is that of the whole result, not of the draws for each "
            "parameter. Repair: prepend the number of draws, shape=(n, *parameter.shape)."
        )
    return wanted


def float_dtype(name: str, dtype: Any, also_complex: bool = False) -> np.dtype[Any]:
    """The dtype to draw in; float32 (float64 with x64) for None. Raises ValueError for others."""
    found = dtypes.canonicalize_dtype(float if dtype is None else dtype)
    kinds = "fc" if also_complex else "f"
    if dtypes.kind(found) not in kinds:
        wanted = "float or complex" if also_complex else "float"
        raise ValueError(
            f"dtype argument to `{name}` must be a {wanted} dtype, got {found.name}.{here()}"
        )
    return found  # type: ignore[no-any-return]


def int_dtype(name: str, dtype: Any, error: type[Exception] = ValueError) -> np.dtype[Any]:
    """The integer dtype to draw in; int32 (int64 with x64) for None."""
    found = dtypes.canonicalize_dtype(int if dtype is None else dtype)
    if not dtypes.is_integer(found):
        raise error(f"dtype argument to `{name}` must be an int dtype, got {found.name}.{here()}")
    return found  # type: ignore[no-any-return]


def parameter(name: str, x: Any) -> Array:
    """A distribution's parameter as an Array; lists and tuples of numbers are taken as well.

    Raises ValueError for complex numbers: their imaginary parts would be lost.
    """
    if isinstance(x, (list, tuple)):
        x = np.asarray(x)
    value = as_value(x, name)
    if dtypes.is_complex(value.aval.dtype):
        raise errors.TypePromotionError(
            f"{name}: parameters are real numbers, got {value.aval.str_short()}.{here()}"
        )
    return value


def key_of(name: str, key: Any) -> Array:
    return single_key(name, key)[0]


def as_dtype(x: Array, dtype: Any) -> Array:
    """``x`` in ``dtype``, no longer weakly typed."""
    if x.aval.dtype == dtype and not x.aval.weak_type:
        return x
    return convert(x, dtype)  # type: ignore[no-any-return]


def sampler(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A jitted function of arrays whose keyword arguments are static.

    For each set of keyword arguments one jitted function is kept, so that a draw that was
    made before is a look-up and one call.
    """

    @functools.lru_cache(maxsize=1024)
    def program(statics: tuple[tuple[str, Any], ...]) -> JitFunction:
        bound = functools.partial(fun, **dict(statics))
        functools.update_wrapper(bound, fun)
        return JitFunction(bound, (), ())

    @functools.wraps(fun)
    def call(*args: Array, **statics: Any) -> Any:
        return program(tuple(statics.items()))(*args)

    return call


def rows(x: Any) -> list[Array]:
    """The items along axis 0, as separate arrays."""
    return [lax.index_in_dim(x, i, 0, keepdims=False) for i in range(x.aval.shape[0])]


def split_key(key: Array, count: int) -> list[Array]:
    """``count`` typed keys from a typed key."""
    return rows(random_split(key, (count,)))


def finfo(dtype: Any) -> Any:
    """Limits of a float dtype, those beyond NumPy's own included."""
    return np.finfo(dtype) if dtype.kind == "f" else ml_dtypes.finfo(dtype)
