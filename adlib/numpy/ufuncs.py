"""Elementwise arithmetic: sums, products, quotients, powers, remainders, rounding, parts."""

from __future__ import annotations

import builtins
import math
import operator
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.makers import (
    binary,
    finish,
    float_binary,
    no_out,
    unary,
)
from adlib.numpy.promotion import (
    broadcast_shapes,
    convert,
    promote,
    promote_dtypes,
    promote_inexact,
    promote_numbers,
    promote_ranks,
    same_shape,
    to_array,
    to_arrays,
)

# ------------------------------------------------------------- sums and products

add = binary(
    "add",
    "add",
    "``x + y``, element by element.",
    "jnp.add(jnp.arange(3), 1)",
    "Array([1, 2, 3], dtype=int32)",
)
subtract = binary(
    "subtract",
    "sub",
    "``x - y``, element by element; TypeError for booleans.",
    "jnp.subtract(jnp.arange(3), 1)",
    "Array([-1,  0,  1], dtype=int32)",
)
multiply = binary(
    "multiply",
    "mul",
    "``x * y``, element by element.",
    "jnp.multiply(jnp.arange(3), 2.0)",
    "Array([0., 2., 4.], dtype=float32, weak_type=True)",
)
true_divide = float_binary(
    "true_divide",
    "div",
    "``x / y``, element by element, in floating point.",
    "jnp.true_divide(jnp.arange(3), 2)",
    "Array([0. , 0.5, 1. ], dtype=float32)",
)
divide = true_divide
negative = unary(
    "negative",
    "neg",
    "``-x``, element by element; TypeError for booleans.",
    "jnp.negative(jnp.arange(3))",
    "Array([ 0, -1, -2], dtype=int32)",
)
maximum = binary(
    "maximum",
    "max",
    "The larger of ``x`` and ``y``, element by element; NaN where either is.",
    "jnp.maximum(jnp.arange(3), 1)",
    "Array([1, 1, 2], dtype=int32)",
)
minimum = binary(
    "minimum",
    "min",
    "The smaller of ``x`` and ``y``, element by element; NaN where either is.",
    "jnp.minimum(jnp.arange(3), 1)",
    "Array([0, 1, 1], dtype=int32)",
)


def square(x: Any, /) -> Array:
    """``x * x``, element by element.

    >>> import adlib.numpy as jnp
    >>> jnp.square(jnp.arange(3))
    Array([0, 1, 4], dtype=int32)
    """
    return lax.square(promote_numbers("square", x)[0])


def positive(x: Any, /) -> Array:
    """``+x``: the argument itself, as an Array.

    >>> import adlib.numpy as jnp
    >>> jnp.positive(jnp.arange(2))
    Array([0, 1], dtype=int32)
    """
    return to_array(x, "positive")


def reciprocal(x: Any, /) -> Array:
    """``1 / x``, element by element, in floating point.

    >>> import adlib.numpy as jnp
    >>> jnp.reciprocal(jnp.array([1.0, 4.0]))
    Array([1.  , 0.25], dtype=float32)
    """
    (x,) = promote_inexact("reciprocal", x)
    return lax.integer_pow(x, -1)


# ------------------------------------------------------------------------ powers


def power(x: Any, y: Any, /) -> Array:
    """``x ** y``, element by element.

    A Python integer ``y`` gives repeated multiplication, which is exact for negative ``x``
    and differentiable everywhere; a float or an array gives the general power.

    Args:
      x, y: arrays or numbers whose shapes broadcast.

    Raises:
      TypeError: integers to a negative Python integer (the result would be no integer).

    >>> import adlib.numpy as jnp
    >>> jnp.power(jnp.array([1.0, -2.0]), 3)
    Array([ 1., -8.], dtype=float32)
    """
    if isinstance(y, (int, np.integer)):
        return _integer_power(to_array(x, "power"), int(y))
    if not isinstance(x, Array) and isinstance(y, Array) and dtypes.is_inexact(y.aval.dtype):
        x, y = promote("power", x, y)
        return lax.pow(x, y)
    x, y = to_arrays("power", x, y)
    if dtypes.is_inexact(x.aval.dtype) and dtypes.is_integer(y.aval.dtype):
        # the exponent keeps its type: no derivative is wanted for it
        dtype, _ = dtypes.promote(
            (x.aval.dtype, x.aval.weak_type), (y.aval.dtype, y.aval.weak_type)
        )
        weak = x.aval.weak_type and y.aval.weak_type
        broadcast_shapes(x.aval.shape, y.aval.shape, what="power")
        x, y = promote_ranks("power", [convert(x, dtype, weak), y])
        return lax.pow(x, y)
    weak = x.aval.weak_type and y.aval.weak_type and not (x.aval.shape or y.aval.shape)
    x, y = promote_numbers("power", x, y)
    if dtypes.is_integer(x.aval.dtype):
        x, y = (convert(v, v.aval.dtype, weak) for v in (x, y))
    return lax.pow(x, y)


def _integer_power(x: Array, y: int) -> Array:
    if x.aval.dtype.kind == "b":
        x = convert(x, np.dtype(np.int32))
    if y < 0 and dtypes.is_integer(x.aval.dtype):
        raise TypeError(
            f"Integers cannot be raised to negative powers, got an array of type "
            f"{x.aval.str_short()} to the power {y}.{here()}\n"
            "  Repair: make the base a float, for example x.astype(float) ** y."
        )
    return lax.integer_pow_p.bind(x, y=y)


pow = power


def float_power(x: Any, y: Any, /) -> Array:
    """``x ** y`` computed in floating point, whatever the dtypes are.

    >>> import adlib.numpy as jnp
    >>> jnp.float_power(jnp.arange(3), -1)
    Array([inf, 1. , 0.5], dtype=float32)
    """
    return lax.pow(*promote_inexact("float_power", x, y))


# --------------------------------------------------------- quotient and remainder


def _zeros_and(x: Array) -> tuple[Array, Array]:
    dtype, weak = x.aval.dtype, x.aval.weak_type
    return scalar(0, dtype, weak), scalar(1, dtype, weak)


def floor_divide(x: Any, y: Any, /) -> Array:
    """``x // y``: the quotient rounded down.

    >>> import adlib.numpy as jnp
    >>> jnp.floor_divide(jnp.array([-3, 3]), 2)
    Array([-2,  1], dtype=int32)
    """
    x, y = promote_numbers("floor_divide", x, y)
    kind = dtypes.kind(x.aval.dtype)
    if kind == "u":
        return lax.div(x, y)
    if kind == "i":
        zero, one = _zeros_and(x)
        quotient = lax.div(x, y)
        inexact = lax.ne(lax.rem(x, y), zero)
        opposite = lax.ne(lax.sign(x), lax.sign(y))
        down = lax.sub(quotient, one)
        return lax.select_n(lax.bitwise_and(opposite, inexact), quotient, down)
    if kind == "c":
        raise TypeError(f"floor_divide does not support complex values.{here()}")
    return _float_divmod(x, y)[0]


def _float_divmod(x: Array, y: Array) -> tuple[Array, Array]:
    """Quotient and remainder that fit together: ``x = q * y + r`` with r of the sign of y."""
    zero, one = _zeros_and(x)
    rest = lax.rem(x, y)
    # by zero: the plain quotient, an infinity or NaN
    whole = lax.select_n(*same_shape(lax.eq(y, zero), lax.sub(x, rest), x))
    quotient = lax.div(whole, y)
    other_side = lax.bitwise_and(lax.ne(rest, zero), lax.ne(lax.sign(y), lax.sign(rest)))
    other_side, rest, moved = same_shape(other_side, rest, lax.add(rest, y))
    rest = lax.select_n(other_side, rest, moved)
    quotient = lax.select_n(other_side, quotient, lax.sub(quotient, one))
    return lax.round(quotient), rest


def remainder(x: Any, y: Any, /) -> Array:
    """``x % y``: what the rounded-down quotient leaves, with the sign of ``y``.

    >>> import adlib.numpy as jnp
    >>> jnp.remainder(jnp.array([-3.0, 3.0]), 2.0)
    Array([1., 1.], dtype=float32)
    """
    x, y = promote_numbers("remainder", x, y)
    kind = dtypes.kind(x.aval.dtype)
    if kind == "c":
        raise TypeError(f"remainder does not support complex values.{here()}")
    zero, one = _zeros_and(x)
    if kind in "iu":
        by_zero, y, ones = same_shape(lax.eq(y, zero), y, one)
        y = lax.select_n(by_zero, y, ones)
    rest = lax.rem(x, y)
    if kind == "u":
        return rest
    other_side = lax.bitwise_and(lax.ne(lax.lt(rest, zero), lax.lt(y, zero)), lax.ne(rest, zero))
    return lax.select_n(*same_shape(other_side, rest, lax.add(rest, y)))


mod = remainder


def fmod(x: Any, y: Any, /) -> Array:
    """What the quotient rounded towards zero leaves, with the sign of ``x``.

    >>> import adlib.numpy as jnp
    >>> jnp.fmod(jnp.array([-3.0, 3.0]), 2.0)
    Array([-1.,  1.], dtype=float32)
    """
    x, y = promote_numbers("fmod", x, y)
    if dtypes.is_integer(x.aval.dtype):
        zero, one = _zeros_and(x)
        by_zero, y, ones = same_shape(lax.eq(y, zero), y, one)
        y = lax.select_n(by_zero, y, ones)
    return lax.rem(x, y)


def divmod(x: Any, y: Any, /) -> tuple[Array, Array]:
    """``(x // y, x % y)``.

    >>> import adlib.numpy as jnp
    >>> jnp.divmod(jnp.array([7, -7]), 2)
    (Array([ 3, -4], dtype=int32), Array([1, 1], dtype=int32))
    """
    x, y = promote_numbers("divmod", x, y)
    if dtypes.is_float(x.aval.dtype):
        return _float_divmod(x, y)
    return floor_divide(x, y), remainder(x, y)


def modf(x: Any, /, out: None = None) -> tuple[Array, Array]:
    """Fractional and whole part, both with the sign of ``x``.

    >>> import adlib.numpy as jnp
    >>> jnp.modf(jnp.array([-1.25]))
    (Array([-0.25], dtype=float32), Array([-1.], dtype=float32))
    """
    no_out("modf", out)
    (x,) = promote_inexact("modf", x)
    whole = _toward_zero(x)
    return lax.sub(x, whole), whole


# ---------------------------------------------------------------------- rounding


ROUNDED = """Args:
      x: array or number; integers and booleans are returned as they are.

    Returns:
      Array of the same shape and dtype."""


def _rounding(name: str, what: str, operation: Any, call: str, shown: str) -> Any:
    def ufunc(x: Any, /) -> Array:
        x = to_array(x, name)
        return operation(x) if dtypes.is_inexact(x.aval.dtype) else x

    return finish(ufunc, name, ROUNDED, (what, call, shown))


def _toward_zero(x: Array) -> Array:
    negative_side = lax.lt(x, scalar(0, x.aval.dtype))
    return lax.select_n(negative_side, lax.floor(x), lax.ceil(x))


floor = _rounding(
    "floor",
    "The largest whole number not above ``x``.",
    lax.floor,
    "jnp.floor(jnp.array([-1.5, 1.5]))",
    "Array([-2.,  1.], dtype=float32)",
)
ceil = _rounding(
    "ceil",
    "The smallest whole number not below ``x``.",
    lax.ceil,
    "jnp.ceil(jnp.array([-1.5, 1.5]))",
    "Array([-1.,  2.], dtype=float32)",
)


def trunc(x: Any) -> Array:
    """The nearest whole number towards zero; integers and booleans are returned as they are.

    >>> import adlib.numpy as jnp
    >>> jnp.trunc(jnp.array([-1.5, 1.5]))
    Array([-1.,  1.], dtype=float32)
    """
    x = to_array(x, "trunc")
    return _toward_zero(x) if dtypes.is_inexact(x.aval.dtype) else x


def rint(x: Any, /) -> Array:
    """The nearest whole number, halves to the even one, as floats.

    >>> import adlib.numpy as jnp
    >>> jnp.rint(jnp.array([0.5, 1.5, 2.6]))
    Array([0., 2., 3.], dtype=float32)
    """
    x = to_array(x, "rint")
    if not dtypes.is_inexact(x.aval.dtype):
        return convert(x, dtypes.canonicalize_dtype(np.float64))
    return _round_even(x)


def _round_even(x: Array) -> Array:
    if x.aval.dtype.kind == "c":
        return lax.complex(_round_even(lax.real(x)), _round_even(lax.imag(x)))
    return lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


def round(a: Any, decimals: int = 0, out: None = None) -> Array:
    """``a`` rounded to ``decimals`` places, halves to the even digit.

    Args:
      a: array or number.
      decimals: Python int; negative ones round to tens, hundreds, …

    >>> import adlib.numpy as jnp
    >>> jnp.round(jnp.array([1.234, 5.678]), 1)
    Array([1.2, 5.7], dtype=float32)
    """
    no_out("round", out)
    decimals = operator.index(decimals)
    x = to_array(a, "round")
    dtype = x.aval.dtype
    if dtype.kind == "b":
        raise ValueError(f"round does not round booleans.{here()}")
    if dtype.kind in "iub":
        if decimals >= 0:
            return x
        factor = scalar(10**-decimals, dtype)
        return multiply(convert(_round_even(true_divide(x, factor)), dtype), factor)
    if decimals == 0:
        return _round_even(x)
    # half precision cannot hold the factor times the value
    wide = convert(x, np.dtype(np.float32), True) if dtype.itemsize == 2 else x
    factor = scalar(10.0 ** builtins.abs(decimals), wide.aval.dtype)
    scaled = lax.mul(wide, factor) if decimals > 0 else lax.div(wide, factor)
    rounded = _round_even(scaled)
    result = lax.div(rounded, factor) if decimals > 0 else lax.mul(rounded, factor)
    return convert(result, dtype, x.aval.weak_type)


around = round


# --------------------------------------------------------------- parts and signs


def absolute(x: Any, /) -> Array:
    """Absolute value; the modulus of complex numbers, as floats.

    >>> import adlib.numpy as jnp
    >>> jnp.absolute(jnp.array([-1.0, 3.0]))
    Array([1., 3.], dtype=float32)
    """
    x = to_array(x, "absolute")
    return x if x.aval.dtype.kind in "ub" else lax.abs(x)


abs = absolute


def fabs(x: Any, /) -> Array:
    """Absolute value in floating point; TypeError for complex numbers.

    >>> import adlib.numpy as jnp
    >>> jnp.fabs(jnp.array([-1, 3]))
    Array([1., 3.], dtype=float32)
    """
    (x,) = promote_inexact("fabs", x)
    if x.aval.dtype.kind == "c":
        raise TypeError(f"fabs does not take complex numbers; use jnp.abs.{here()}")
    return lax.abs(x)


sign = unary(
    "sign",
    "sign",
    "-1, 0 or 1 by sign; ``x / abs(x)`` for complex numbers.",
    "jnp.sign(jnp.array([-2.0, 0.0, 5.0]))",
    "Array([-1.,  0.,  1.], dtype=float32)",
)


def real(val: Any, /) -> Array:
    """Real part.

    >>> import adlib.numpy as jnp
    >>> jnp.real(jnp.array([1 + 2j]))
    Array([1.], dtype=float32)
    """
    x = to_array(val, "real")
    return lax.real(x) if x.aval.dtype.kind == "c" else x


def imag(val: Any, /) -> Array:
    """Imaginary part; zero for real numbers.

    >>> import adlib.numpy as jnp
    >>> jnp.imag(jnp.array([1 + 2j]))
    Array([2.], dtype=float32)
    """
    x = to_array(val, "imag")
    return lax.imag(x) if x.aval.dtype.kind == "c" else lax.full_like(x, 0)


def conjugate(x: Any, /) -> Array:
    """Complex conjugate; real numbers are returned as they are.

    >>> import adlib.numpy as jnp
    >>> jnp.conjugate(jnp.array([1 + 2j]))
    Array([1.-2.j], dtype=complex64)
    """
    x = to_array(x, "conjugate")
    return lax.conj(x) if x.aval.dtype.kind == "c" else x


conj = conjugate


def angle(z: Any, deg: bool = False) -> Array:
    """Argument of complex numbers, in radians, or in degrees with ``deg``.

    >>> import adlib.numpy as jnp
    >>> jnp.angle(jnp.array([1j]), deg=True)
    Array([90.], dtype=float32)
    """
    given = to_array(z, "angle").aval
    (z,) = promote_inexact("angle", z)
    if z.aval.dtype.kind == "c":
        result = lax.atan2(lax.imag(z), lax.real(z))
    else:
        weak = given.weak_type and bool(given.shape) and dtypes.is_inexact(given.dtype)
        result = lax.atan2(*same_shape(scalar(0.0, z.aval.dtype, weak), z))
    return multiply(result, 180 / math.pi) if deg else result


def signbit(x: Any, /) -> Array:
    """Whether the sign bit is set, which tells -0.0 from 0.0.

    >>> import adlib.numpy as jnp
    >>> jnp.signbit(jnp.array([-0.0, 0.0]))
    Array([ True, False], dtype=bool)
    """
    (x,) = promote_dtypes("signbit", x)
    dtype = x.aval.dtype
    if dtypes.is_float(dtype):
        signed = np.dtype(f"int{8 * dtype.itemsize}")
        x = lax.bitcast_convert_type(x, signed)
    elif dtype.kind == "c":
        raise ValueError(f"signbit does not support complex values.{here()}")
    elif dtype.kind in "ub":
        return lax.full_like(x, False, dtype=np.dtype(bool))
    return lax.lt(x, scalar(0, x.aval.dtype))


def copysign(x1: Any, x2: Any, /) -> Array:
    """``x1`` with the sign of ``x2``.

    >>> import adlib.numpy as jnp
    >>> jnp.copysign(jnp.array([1.0, 2.0]), -1.0)
    Array([-1., -2.], dtype=float32)
    """
    x, y = promote_inexact("copysign", x1, x2)
    if x.aval.dtype.kind == "c":
        raise TypeError(f"copysign does not support complex values.{here()}")
    size = lax.abs(x)
    return lax.select_n(*same_shape(signbit(y), size, lax.neg(size)))


def heaviside(x1: Any, x2: Any, /) -> Array:
    """0 where ``x1`` is negative, 1 where it is positive, ``x2`` where it is zero.

    >>> import adlib.numpy as jnp
    >>> jnp.heaviside(jnp.array([-1.0, 0.0, 2.0]), 0.5)
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    scalar_first = not to_array(x1, "heaviside").aval.shape
    x, y = promote_inexact("heaviside", x1, x2)
    weak = scalar_first and x.aval.weak_type
    x, y = convert(x, x.aval.dtype, weak), convert(y, y.aval.dtype, weak)
    zero, one = _zeros_and(x)
    x, y, zeros, ones = same_shape(x, y, zero, one)
    middle = lax.select_n(lax.ne(x, x), y, x)
    upper = lax.select_n(lax.gt(x, zero), middle, ones)
    return lax.select_n(lax.lt(x, zero), upper, zeros)
