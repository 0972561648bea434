"""Elementwise comparisons, truth values, bits and integers, and the nature of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.makers import binary, logical, no_out, ordering, truth, unary
from adlib.numpy.promotion import (
    broadcast_array,
    convert,
    of_one_shape,
    promote,
    promote_inexact,
    promote_numbers,
    same_shape,
    strong_unless_scalar,
    to_array,
)

# ------------------------------------------------------------------- comparisons

equal = binary(
    "equal",
    "eq",
    "``x == y``, element by element.",
    "jnp.equal(jnp.arange(3), 1)",
    "Array([False,  True, False], dtype=bool)",
)
not_equal = binary(
    "not_equal",
    "ne",
    "``x != y``, element by element.",
    "jnp.not_equal(jnp.arange(3), 1)",
    "Array([ True, False,  True], dtype=bool)",
)
less = ordering(
    "less",
    "lt",
    "``x < y``, element by element.",
    "jnp.less(jnp.arange(3), 1)",
    "Array([ True, False, False], dtype=bool)",
)
less_equal = ordering(
    "less_equal",
    "le",
    "``x <= y``, element by element.",
    "jnp.less_equal(jnp.arange(3), 1)",
    "Array([ True,  True, False], dtype=bool)",
)
greater = ordering(
    "greater",
    "gt",
    "``x > y``, element by element.",
    "jnp.greater(jnp.arange(3), 1)",
    "Array([False, False,  True], dtype=bool)",
)
greater_equal = ordering(
    "greater_equal",
    "ge",
    "``x >= y``, element by element.",
    "jnp.greater_equal(jnp.arange(3), 1)",
    "Array([False,  True,  True], dtype=bool)",
)


def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    """Whether ``|a - b| <= atol + rtol * |b|``, element by element.

    Args:
      a, b: arrays or numbers whose shapes broadcast.
      rtol, atol: relative and absolute tolerance.
      equal_nan: whether NaN counts as close to NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.isclose(jnp.array([1.0, 2.0]), jnp.array([1.0, 2.1]))
    Array([ True, False], dtype=bool)
    """
    a, b = promote("isclose", a, b)
    if not dtypes.is_inexact(a.aval.dtype):
        if a.aval.dtype.kind == "b":
            return lax.eq(a, b)
        a, b = promote_inexact("isclose", a, b)
    real = dtypes.real_of(a.aval.dtype)
    rtol, atol = (convert(to_array(t, "isclose"), real) for t in (rtol, atol))
    # an infinite difference is close only if the values are equal
    close = lax.le(lax.abs(lax.sub(a, b)), lax.add(atol, lax.mul(rtol, lax.abs(b))))
    close, finite, same = same_shape(
        close,
        lax.is_finite(b) if a.aval.dtype.kind != "c" else lax.is_finite(lax.abs(b)),
        lax.eq(a, b),
    )
    result = lax.bitwise_or(lax.bitwise_and(close, finite), same)
    if equal_nan:
        both = lax.bitwise_and(lax.ne(a, a), lax.ne(b, b))
        result = lax.bitwise_or(result, same_shape(both, result)[0])
    return result


# ------------------------------------------------------------------ truth values

logical_and = logical(
    "logical_and",
    "and",
    "Whether both are true; numbers are true unless zero.",
    "jnp.logical_and(jnp.arange(3), True)",
    "Array([False,  True,  True], dtype=bool)",
)
logical_or = logical(
    "logical_or",
    "or",
    "Whether at least one is true; numbers are true unless zero.",
    "jnp.logical_or(jnp.arange(3), False)",
    "Array([False,  True,  True], dtype=bool)",
)
logical_xor = logical(
    "logical_xor",
    "xor",
    "Whether exactly one is true; numbers are true unless zero.",
    "jnp.logical_xor(jnp.arange(3), True)",
    "Array([ True, False, False], dtype=bool)",
)


def logical_not(x: Any, /) -> Array:
    """Whether elements are false, that is, zero.

    >>> import adlib.numpy as jnp
    >>> jnp.logical_not(jnp.arange(3))
    Array([ True, False, False], dtype=bool)
    """
    return lax.bitwise_not(truth(to_array(x, "logical_not")))


# -------------------------------------------------------------------------- bits

bitwise_and = binary(
    "bitwise_and",
    "and",
    "Bits set in both, of integers or booleans.",
    "jnp.bitwise_and(jnp.array([6]), 3)",
    "Array([2], dtype=int32)",
)
bitwise_or = binary(
    "bitwise_or",
    "or",
    "Bits set in at least one, of integers or booleans.",
    "jnp.bitwise_or(jnp.array([6]), 3)",
    "Array([7], dtype=int32)",
)
bitwise_xor = binary(
    "bitwise_xor",
    "xor",
    "Bits set in exactly one, of integers or booleans.",
    "jnp.bitwise_xor(jnp.array([6]), 3)",
    "Array([5], dtype=int32)",
)
bitwise_not = unary(
    "bitwise_not",
    "not",
    "Every bit flipped, of integers or booleans.",
    "jnp.bitwise_not(jnp.array([6]))",
    "Array([-7], dtype=int32)",
)
invert = bitwise_invert = bitwise_not


def left_shift(x1: Any, x2: Any, /) -> Array:
    """Bits moved up by ``x2`` places, zeros moving in.

    >>> import adlib.numpy as jnp
    >>> jnp.left_shift(jnp.array([1]), 3)
    Array([8], dtype=int32)
    """
    return lax.shift_left(*promote_numbers("left_shift", x1, x2))


bitwise_left_shift = left_shift


def right_shift(x1: Any, x2: Any, /) -> Array:
    """Bits moved down by ``x2`` places; the sign bit of signed integers is kept.

    >>> import adlib.numpy as jnp
    >>> jnp.right_shift(jnp.array([8, -8]), 1)
    Array([ 4, -4], dtype=int32)
    """
    x, y = promote_numbers("right_shift", x1, x2)
    if x.aval.dtype.kind == "u":
        return lax.shift_right_logical(x, y)
    return lax.shift_right_arithmetic(x, y)


bitwise_right_shift = right_shift


def bitwise_count(x: Any, /) -> Array:
    """Number of bits set in the absolute value, as uint8.

    >>> import adlib.numpy as jnp
    >>> jnp.bitwise_count(jnp.array([7, -8]))
    Array([3, 1], dtype=uint8)
    """
    x = to_array(x, "bitwise_count")
    if x.aval.dtype.kind == "b":
        return convert(x, np.dtype(np.uint8))
    size = lax.abs(x) if x.aval.dtype.kind == "i" else x
    return convert(lax.population_count(size), np.dtype(np.uint8))


def _integers(name: str, x1: Any, x2: Any) -> list[Array]:
    values = [strong_unless_scalar(v) for v in same_shape(*promote(name, x1, x2))]
    if not dtypes.is_integer(values[0].aval.dtype):
        raise ValueError(f"Arguments to jax.numpy.{name} must be integers.{here()}")
    return values


def gcd(x1: Any, x2: Any) -> Array:
    """Greatest common divisor of integers, by Euclid's algorithm.

    >>> import adlib.numpy as jnp
    >>> jnp.gcd(jnp.array([12, 7]), 18)
    Array([6, 1], dtype=int32)
    """
    x, y = _integers("gcd", x1, x2)
    if x.aval.dtype.kind == "i":
        x, y = lax.abs(x), lax.abs(y)

    def unfinished(pair: Any) -> Any:
        (_, y) = pair
        return lax.reduce_or(lax.ne(y, scalar(0, y.aval.dtype)), tuple(range(y.aval.ndim)))

    def step(pair: Any) -> Any:
        x, y = pair
        done = lax.eq(y, scalar(0, y.aval.dtype))
        divisor = lax.select_n(done, y, lax.full_like(y, 1))
        rest = lax.rem(x, divisor)
        return lax.select_n(done, y, x), lax.select_n(done, rest, y)

    return lax.while_loop(unfinished, step, (x, y))[0]


def lcm(x1: Any, x2: Any) -> Array:
    """Least common multiple of integers.

    >>> import adlib.numpy as jnp
    >>> jnp.lcm(jnp.array([4, 7]), 6)
    Array([12, 42], dtype=int32)
    """
    x, y = _integers("lcm", x1, x2)
    if x.aval.dtype.kind == "i":
        x, y = lax.abs(x), lax.abs(y)
    divisor = gcd(x, y)
    zero = lax.eq(divisor, scalar(0, x.aval.dtype))
    divisor = lax.select_n(zero, divisor, lax.full_like(divisor, 1))
    return lax.mul(x, lax.div(y, divisor))


# ------------------------------------------------------------ nature of numbers


def isnan(x: Any, /) -> Array:
    """Whether elements are NaN (not a number).

    >>> import adlib.numpy as jnp
    >>> jnp.isnan(jnp.array([0.0, jnp.nan]))
    Array([False,  True], dtype=bool)
    """
    x = to_array(x, "isnan")
    return lax.ne(x, x)


def isfinite(x: Any, /) -> Array:
    """Whether elements are neither infinite nor NaN.

    >>> import adlib.numpy as jnp
    >>> jnp.isfinite(jnp.array([0.0, jnp.inf, jnp.nan]))
    Array([ True, False, False], dtype=bool)
    """
    x = to_array(x, "isfinite")
    dtype = x.aval.dtype
    if dtypes.is_float(dtype):
        return lax.is_finite(x)
    if dtype.kind == "c":
        return lax.bitwise_and(lax.is_finite(lax.real(x)), lax.is_finite(lax.imag(x)))
    return lax.full_like(x, True, dtype=np.dtype(bool))


def isinf(x: Any, /) -> Array:
    """Whether elements are infinite, of either sign.

    >>> import adlib.numpy as jnp
    >>> jnp.isinf(jnp.array([0.0, -jnp.inf, jnp.nan]))
    Array([False,  True, False], dtype=bool)
    """
    x = to_array(x, "isinf")
    dtype = x.aval.dtype
    if dtypes.is_float(dtype):
        return lax.eq(lax.abs(x), scalar(math.inf, dtype))
    if dtype.kind == "c":
        return lax.bitwise_or(isinf(lax.real(x)), isinf(lax.imag(x)))
    return lax.full_like(x, False, dtype=np.dtype(bool))


def isposinf(x: Any, /, out: None = None) -> Array:
    """Whether elements are positive infinity.

    >>> import adlib.numpy as jnp
    >>> jnp.isposinf(jnp.array([jnp.inf, -jnp.inf]))
    Array([ True, False], dtype=bool)
    """
    return _infinity("isposinf", x, math.inf, out)


def isneginf(x: Any, /, out: None = None) -> Array:
    """Whether elements are negative infinity.

    >>> import adlib.numpy as jnp
    >>> jnp.isneginf(jnp.array([jnp.inf, -jnp.inf]))
    Array([False,  True], dtype=bool)
    """
    return _infinity("isneginf", x, -math.inf, out)


def _infinity(name: str, x: Any, value: float, out: Any) -> Array:
    no_out(name, out)
    x = to_array(x, name)
    if dtypes.is_float(x.aval.dtype):
        return lax.eq(x, scalar(value, x.aval.dtype))
    if x.aval.dtype.kind == "c":
        raise ValueError(f"{name} is not well defined for complex numbers.{here()}")
    return lax.full_like(x, False, dtype=np.dtype(bool))


def isreal(x: Any) -> Array:
    """Whether the imaginary part is zero.

    >>> import adlib.numpy as jnp
    >>> jnp.isreal(jnp.array([1 + 0j, 1j]))
    Array([ True, False], dtype=bool)
    """
    x = to_array(x, "isreal")
    weak = x.aval.weak_type and not x.aval.shape
    if x.aval.dtype.kind == "c":
        return lax.eq(lax.imag(x), scalar(0, dtypes.real_of(x.aval.dtype), weak))
    yes = scalar(True, np.dtype(bool), weak)
    return broadcast_array(yes, x.aval.shape)


def iscomplex(x: Any) -> Array:
    """Whether the imaginary part is not zero.

    >>> import adlib.numpy as jnp
    >>> jnp.iscomplex(jnp.array([1 + 0j, 1j]))
    Array([False,  True], dtype=bool)
    """
    return logical_not(isreal(x))


def fmax(x1: Any, x2: Any) -> Array:
    """The larger of the two, element by element; a number rather than NaN where it can.

    >>> import adlib.numpy as jnp
    >>> jnp.fmax(jnp.array([1.0, jnp.nan]), 2.0)
    Array([2., 2.], dtype=float32)
    """
    x, y = of_one_shape("fmax", *promote("fmax", x1, x2))
    first = lax.bitwise_or(greater(x, y), lax.ne(y, y))
    return lax.select_n(first, y, x)


def fmin(x1: Any, x2: Any) -> Array:
    """The smaller of the two, element by element; a number rather than NaN where it can.

    >>> import adlib.numpy as jnp
    >>> jnp.fmin(jnp.array([1.0, jnp.nan]), 2.0)
    Array([1., 2.], dtype=float32)
    """
    x, y = of_one_shape("fmin", *promote("fmin", x1, x2))
    first = lax.bitwise_or(less(x, y), lax.ne(y, y))
    return lax.select_n(first, y, x)


def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex, whatever the imaginary parts are.

    >>> import adlib.numpy as jnp
    >>> jnp.iscomplexobj(jnp.zeros(2, complex))
    True
    """
    dtype = getattr(x, "dtype", None)
    return dtypes.kind(np.asarray(x).dtype if dtype is None else dtype) == "c"


def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex.

    >>> import adlib.numpy as jnp
    >>> jnp.isrealobj(jnp.zeros(2))
    True
    """
    return not iscomplexobj(x)
