"""Elementwise functions of analysis: exponentials, logarithms, circular and hyperbolic ones."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.control.custom_jvp import custom_jvp
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.makers import (
    UNARY_FLOAT,
    finish,
    float_binary,
    float_unary,
    not_of_ufuncs,
    promote_float,
)
from adlib.numpy.promotion import (
    broadcast_array,
    convert,
    index_dtype,
    of_one_shape,
    promote_inexact,
    same_shape,
    strong_unless_scalar,
    to_array,
    to_arrays,
)
from adlib.ops.reshaping import zeros as no_tangent

# ------------------------------------------------------ exponentials, logarithms

exp = float_unary(
    "exp",
    "exp",
    "``e ** x``, element by element.",
    "jnp.exp(jnp.array([0.0, 1.0])).round(3)",
    "Array([1.   , 2.718], dtype=float32)",
)
exp2 = float_unary(
    "exp2",
    "exp2",
    "``2 ** x``, element by element.",
    "jnp.exp2(jnp.arange(3))",
    "Array([1., 2., 4.], dtype=float32)",
)
expm1 = float_unary(
    "expm1",
    "expm1",
    "``exp(x) - 1``, accurate near zero.",
    "jnp.expm1(1e-6)",
    "Array(1.0000005e-06, dtype=float32, weak_type=True)",
)
log = float_unary(
    "log",
    "log",
    "Natural logarithm; -inf at 0, NaN for negative numbers.",
    "jnp.log(jnp.array([1.0, 0.0]))",
    "Array([  0., -inf], dtype=float32)",
)
log1p = float_unary(
    "log1p",
    "log1p",
    "``log(1 + x)``, accurate near zero.",
    "jnp.log1p(1e-6)",
    "Array(9.999995e-07, dtype=float32, weak_type=True)",
)
sqrt = float_unary(
    "sqrt",
    "sqrt",
    "Square root; NaN for negative real numbers.",
    "jnp.sqrt(jnp.array([4.0, 9.0]))",
    "Array([2., 3.], dtype=float32)",
)
cbrt = float_unary(
    "cbrt",
    "cbrt",
    "Cube root, real for negative numbers too.",
    "jnp.cbrt(jnp.array([-8.0, 1.0]))",
    "Array([-2.,  1.], dtype=float32)",
)


def log2(x: Any, /) -> Array:
    """Logarithm to base 2.

    >>> import adlib.numpy as jnp
    >>> jnp.log2(jnp.array([1.0, 8.0]))
    Array([0., 3.], dtype=float32)
    """
    (x,) = promote_inexact("log2", x)
    if x.aval.dtype.kind == "c":
        return _scaled(lax.log(x), 1 / math.log(2))
    # a quotient, not a product with the reciprocal: exact for powers of two
    return lax.div(lax.log(x), lax.log(scalar(2.0, x.aval.dtype)))


def _scaled(z: Array, factor: float) -> Array:
    """A complex array times a real number, part by part: infinities make no NaN."""
    real, imag = lax.real(z), lax.imag(z)
    constant = scalar(factor, real.aval.dtype)
    return lax.complex(lax.mul(real, constant), lax.mul(imag, constant))


def log10(x: Any, /) -> Array:
    """Logarithm to base 10.

    >>> import adlib.numpy as jnp
    >>> jnp.log10(jnp.array([1.0, 100.0]))
    Array([0., 2.], dtype=float32)
    """
    (x,) = promote_inexact("log10", x)
    if x.aval.dtype.kind == "c":
        return _scaled(lax.log(x), 1 / math.log(10))
    return lax.mul(lax.log(x), scalar(1 / math.log(10), x.aval.dtype))


# --------------------------------------------------------------------- log-sums
#
# log(b**x + b**y) as max(x, y) + log(1 + b**-|x - y|), which cannot overflow. The derivative
# is given, not derived: the share b**x / (b**x + b**y) of each argument, at infinities too.


def _log_sum(x: Array, y: Array, exponential: Any, per_log: float) -> Array:
    if x.aval.dtype.kind == "c":
        first_larger = lax.gt(lax.real(x), lax.real(y))
        larger = lax.select_n(first_larger, y, x)
        delta = lax.sub(lax.select_n(first_larger, x, y), larger)
    else:
        larger = lax.max(x, y)
        delta = lax.neg(lax.abs(lax.sub(x, y)))
    tail = lax.log1p(exponential(delta))
    if per_log != 1.0:
        tail = lax.mul(tail, scalar(per_log, x.aval.dtype, x.aval.weak_type))
    # equal infinities have no difference; their sum is the answer
    return lax.select_n(lax.ne(delta, delta), lax.add(larger, tail), lax.add(x, y))


def _log_sum_tangent(base_log: float, primals: Any, tangents: Any) -> Array:
    x, y = primals
    gap = lax.sub(x, y)
    gap = lax.select_n(lax.eq(x, y), gap, lax.full_like(gap, 0))  # equal infinities, too
    if base_log != 1.0:
        gap = lax.mul(gap, scalar(base_log, gap.aval.dtype))
    shares = lax.logistic(gap), lax.logistic(lax.neg(gap))
    return lax.add(*[lax.mul(s, t) for s, t in zip(shares, tangents, strict=True)])


@custom_jvp
def _logaddexp(x: Any, y: Any) -> Any:
    return _log_sum(x, y, lax.exp, 1.0)


@_logaddexp.defjvp
def _logaddexp_jvp(primals: Any, tangents: Any) -> Any:
    return _logaddexp(*primals), _log_sum_tangent(1.0, primals, tangents)


@custom_jvp
def _logaddexp2(x: Any, y: Any) -> Any:
    return _log_sum(x, y, _exp2, 1 / math.log(2))


@_logaddexp2.defjvp
def _logaddexp2_jvp(primals: Any, tangents: Any) -> Any:
    return _logaddexp2(*primals), _log_sum_tangent(math.log(2), primals, tangents)


def _exp2(x: Array) -> Array:
    if x.aval.dtype.kind == "c":
        return lax.exp(lax.mul(x, scalar(math.log(2), x.aval.dtype, x.aval.weak_type)))
    return lax.exp2(x)


def logaddexp(x1: Any, x2: Any, /, *, out: None = None, where: None = None) -> Array:
    """``log(exp(x1) + exp(x2))`` without overflow.

    Args:
      x1, x2: arrays or numbers whose shapes broadcast.

    >>> import adlib.numpy as jnp
    >>> jnp.logaddexp(jnp.array([1000.0]), 1000.0).round(2)
    Array([1000.69], dtype=float32)
    """
    if out is not None or where is not None:
        raise not_of_ufuncs("logaddexp", out)
    x, y = of_one_shape("logaddexp", *promote_inexact("logaddexp", x1, x2))
    if x.aval.dtype.kind == "c":
        x, y = strong_unless_scalar(x), strong_unless_scalar(y)
    return _logaddexp(x, y)


def logaddexp2(x1: Any, x2: Any, /, *, out: None = None, where: None = None) -> Array:
    """``log2(2**x1 + 2**x2)`` without overflow.

    Args:
      x1, x2: arrays or numbers whose shapes broadcast.

    >>> import adlib.numpy as jnp
    >>> jnp.logaddexp2(jnp.array([3.0]), 3.0)
    Array([4.], dtype=float32)
    """
    if out is not None or where is not None:
        raise not_of_ufuncs("logaddexp2", out)
    x, y = of_one_shape("logaddexp2", *promote_inexact("logaddexp2", x1, x2))
    return _logaddexp2(strong_unless_scalar(x), strong_unless_scalar(y))


# ------------------------------------------------------- circular and hyperbolic

sin = float_unary(
    "sin",
    "sin",
    "Sine of an angle in radians.",
    "jnp.sin(jnp.array([0.0, 1.0])).round(3)",
    "Array([0.   , 0.841], dtype=float32)",
)
cos = float_unary(
    "cos",
    "cos",
    "Cosine of an angle in radians.",
    "jnp.cos(jnp.array([0.0, 1.0])).round(3)",
    "Array([1.  , 0.54], dtype=float32)",
)
tan = float_unary(
    "tan",
    "tan",
    "Tangent of an angle in radians.",
    "jnp.tan(jnp.array([0.0, 0.5])).round(3)",
    "Array([0.   , 0.546], dtype=float32)",
)
arcsin = float_unary(
    "arcsin",
    "asin",
    "Angle in radians whose sine is ``x``; NaN outside of [-1, 1].",
    "jnp.arcsin(jnp.array([0.0, 1.0])).round(3)",
    "Array([0.   , 1.571], dtype=float32)",
)
arccos = float_unary(
    "arccos",
    "acos",
    "Angle in radians whose cosine is ``x``; NaN outside of [-1, 1].",
    "jnp.arccos(jnp.array([1.0, 0.0])).round(3)",
    "Array([0.   , 1.571], dtype=float32)",
)
arctan = float_unary(
    "arctan",
    "atan",
    "Angle in radians whose tangent is ``x``.",
    "jnp.arctan(jnp.array([0.0, 1.0])).round(3)",
    "Array([0.   , 0.785], dtype=float32)",
)
sinh = float_unary(
    "sinh",
    "sinh",
    "Hyperbolic sine.",
    "jnp.sinh(jnp.array([0.0, 1.0])).round(3)",
    "Array([0.   , 1.175], dtype=float32)",
)
cosh = float_unary(
    "cosh",
    "cosh",
    "Hyperbolic cosine.",
    "jnp.cosh(jnp.array([0.0, 1.0])).round(3)",
    "Array([1.   , 1.543], dtype=float32)",
)
tanh = float_unary(
    "tanh",
    "tanh",
    "Hyperbolic tangent.",
    "jnp.tanh(jnp.array([0.0, 1.0])).round(3)",
    "Array([0.   , 0.762], dtype=float32)",
)
arcsinh = float_unary(
    "arcsinh",
    "asinh",
    "Number whose hyperbolic sine is ``x``.",
    "jnp.arcsinh(jnp.array([0.0, 1.0])).round(3)",
    "Array([0.   , 0.881], dtype=float32)",
)
arccosh = float_unary(
    "arccosh",
    "acosh",
    "Number whose hyperbolic cosine is ``x``; NaN below 1.",
    "jnp.arccosh(jnp.array([1.0, 2.0])).round(3)",
    "Array([0.   , 1.317], dtype=float32)",
)
arctanh = float_unary(
    "arctanh",
    "atanh",
    "Number whose hyperbolic tangent is ``x``; NaN outside of [-1, 1].",
    "jnp.arctanh(jnp.array([0.0, 0.5])).round(3)",
    "Array([0.   , 0.549], dtype=float32)",
)


def arctan2(x1: Any, x2: Any, /) -> Array:
    """Angle of the point whose coordinates are given as ``(y, x)``, in that order.

    >>> import adlib.numpy as jnp
    >>> jnp.arctan2(jnp.array([1.0]), -1.0).round(3)
    Array([2.356], dtype=float32)
    """
    y, x = promote_float("arctan2", x1, x2)
    if x.aval.dtype.kind != "c":
        return lax.atan2(y, x)
    i = scalar(1j, x.aval.dtype, x.aval.weak_type)
    length = lax.sqrt(lax.add(lax.mul(x, x), lax.mul(y, y)))
    return lax.neg(lax.mul(i, lax.log(lax.div(lax.add(x, lax.mul(i, y)), length))))


asin, acos, atan, atan2 = arcsin, arccos, arctan, arctan2
asinh, acosh, atanh = arcsinh, arccosh, arctanh


def _scaling(name: str, what: str, factor: float, call: str, shown: str) -> Any:
    def ufunc(x: Any, /) -> Array:
        x = strong_unless_scalar(promote_inexact(name, x)[0])
        return lax.mul(x, scalar(factor, x.aval.dtype, x.aval.weak_type))

    return finish(ufunc, name, UNARY_FLOAT, (what, call, shown))


deg2rad = _scaling(
    "deg2rad",
    "Degrees in radians.",
    math.pi / 180,
    "jnp.deg2rad(180.0).round(3)",
    "Array(3.142, dtype=float32, weak_type=True)",
)
rad2deg = _scaling(
    "rad2deg",
    "Radians in degrees.",
    180 / math.pi,
    "jnp.rad2deg(jnp.pi)",
    "Array(180., dtype=float32, weak_type=True)",
)
radians, degrees = deg2rad, rad2deg


def hypot(x1: Any, x2: Any, /) -> Array:
    """``sqrt(x1**2 + x2**2)`` without overflow of the squares.

    Raises ValueError for complex numbers.

    >>> import adlib.numpy as jnp
    >>> jnp.hypot(jnp.array([3.0]), 4.0)
    Array([5.], dtype=float32)
    """
    x, y = of_one_shape("hypot", *promote_inexact("hypot", x1, x2))
    x, y = strong_unless_scalar(x), strong_unless_scalar(y)
    dtype = x.aval.dtype
    if dtype.kind == "c":
        raise ValueError(f"jnp.hypot is not well defined for complex-valued inputs.{here()}")
    infinity = scalar(math.inf, dtype, x.aval.weak_type)
    x, y = lax.abs(x), lax.abs(y)
    infinite = lax.bitwise_or(lax.eq(x, infinity), lax.eq(y, infinity))
    larger, smaller = lax.max(x, y), lax.min(x, y)
    at_origin = lax.eq(larger, scalar(0, dtype))
    # the divisor is kept from zero, and so its derivative from NaN
    divisor = lax.select_n(at_origin, larger, lax.full_like(larger, 1))
    ratio = lax.div(smaller, divisor)
    one = scalar(1, dtype, x.aval.weak_type)
    length = lax.mul(larger, lax.sqrt(lax.add(one, lax.square(ratio))))
    length = lax.select_n(at_origin, length, larger)
    return lax.select_n(infinite, length, lax.full_like(length, math.inf))


@custom_jvp
def _sinc_at_zero(scaled: Any, order: int) -> Any:
    """Value at 0 of the derivative of the given order of ``sin(t) / t``, as an array.

    ``t`` is zero there, so that its power series is its value: 1 - t²/6 + t⁴/120 - …
    """
    value = 0.0 if order % 2 else (-1.0) ** (order // 2) / (order + 1)
    return lax.full_like(scaled, value)


_sinc_at_zero.nondiff_argnums = (1,)


@_sinc_at_zero.defjvp
def _sinc_at_zero_jvp(order: int, primals: Any, tangents: Any) -> Any:
    (scaled,), (t,) = primals, tangents
    return _sinc_at_zero(scaled, order), lax.mul(_sinc_at_zero(scaled, order + 1), t)


def sinc(x: Any, /) -> Array:
    """``sin(pi x) / (pi x)``, 1 at zero, with all its derivatives there.

    >>> import adlib.numpy as jnp
    >>> jnp.sinc(jnp.array([0.0, 0.5])).round(3)
    Array([1.   , 0.637], dtype=float32)
    """
    x = strong_unless_scalar(promote_inexact("sinc", x)[0])
    at_zero = lax.eq(x, scalar(0, x.aval.dtype))
    scaled = lax.mul(scalar(math.pi, x.aval.dtype, x.aval.weak_type), x)
    divisor = lax.select_n(at_zero, scaled, lax.full_like(scaled, 1))
    return lax.select_n(at_zero, lax.div(lax.sin(divisor), divisor), _sinc_at_zero(scaled, 0))


@custom_jvp
def _i0(x: Any) -> Any:
    size = lax.abs(x)
    return lax.mul(lax.exp(size), lax.bessel_i0e(size))


@_i0.defjvp
def _i0_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    derivative = lax.mul(lax.exp(lax.abs(x)), lax.bessel_i1e(x))
    return _i0(x), lax.mul(derivative, t)


def i0(x: Any) -> Array:
    """Modified Bessel function of the first kind, order 0.

    >>> import adlib.numpy as jnp
    >>> jnp.i0(jnp.array([0.0, 1.0])).round(3)
    Array([1.   , 1.266], dtype=float32)
    """
    (x,) = promote_inexact("i0", x)
    if x.aval.dtype.kind == "c":
        raise ValueError(f"jnp.i0 does not support complex-valued inputs.{here()}")
    return _i0(x)


# -------------------------------------------------- floating-point representation

nextafter = float_binary(
    "nextafter",
    "nextafter",
    "The next representable number after ``x`` towards ``y``.",
    "jnp.nextafter(jnp.array([1.0]), 2.0)",
    "Array([1.0000001], dtype=float32)",
)


@custom_jvp
def _frexp(x: Any) -> Any:
    dtype = x.aval.dtype
    info = ml_dtypes.finfo(dtype)
    bits, fraction_bits, bias = 8 * dtype.itemsize, info.nmant, 1 - info.minexp
    integer = np.dtype(f"int{bits}")
    # subnormal numbers have their exponent in the fraction; scaled up they have not
    subnormal = lax.lt(lax.abs(x), scalar(float(info.tiny), dtype))
    shift = fraction_bits
    normal = lax.select_n(subnormal, x, lax.mul(x, scalar(2.0**shift, dtype)))
    pattern = lax.bitcast_convert_type(normal, integer)
    mask = scalar((1 << (bits - 1 - fraction_bits)) - 1, integer)
    stored = lax.bitwise_and(
        lax.shift_right_arithmetic(pattern, scalar(fraction_bits, integer)), mask
    )
    exponent = convert(lax.sub(stored, scalar(bias - 1, integer)), np.dtype(np.int32))
    exponent = lax.select_n(
        subnormal, exponent, lax.sub(exponent, scalar(shift, np.dtype(np.int32)))
    )
    keep = ~(((1 << (bits - 1 - fraction_bits)) - 1) << fraction_bits)
    half = (bias - 1) << fraction_bits
    mantissa = lax.bitcast_convert_type(
        lax.bitwise_or(lax.bitwise_and(pattern, scalar(keep, integer)), scalar(half, integer)),
        dtype,
    )
    special = lax.bitwise_not(lax.bitwise_and(lax.is_finite(x), lax.ne(x, scalar(0, dtype))))
    return (
        lax.select_n(special, mantissa, x),
        lax.select_n(special, exponent, lax.full_like(exponent, 0)),
    )


@_frexp.defjvp
def _frexp_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    mantissa, exponent = _frexp(x)
    down = lax.pow(lax.full_like(x, 2), lax.neg(exponent))
    return (mantissa, exponent), (lax.mul(t, down), no_tangent(exponent.aval.to_tangent_aval()))


def frexp(x: Any, /) -> tuple[Array, Array]:
    """Mantissa in ±[0.5, 1) and exponent with ``x = mantissa * 2**exponent``.

    Returns:
      Mantissa in the dtype of ``x``, exponent as int32.

    >>> import adlib.numpy as jnp
    >>> jnp.frexp(jnp.array([1.0, 12.0]))
    (Array([0.5 , 0.75], dtype=float32), Array([1, 4], dtype=int32))
    """
    (x,) = promote_inexact("frexp", x)
    if x.aval.dtype.kind == "c":
        raise TypeError(f"frexp does not support complex-valued inputs.{here()}")
    return _frexp(x)


def ldexp(x1: Any, x2: Any, /) -> Array:
    """``x1 * 2**x2`` for integer ``x2``.

    >>> import adlib.numpy as jnp
    >>> jnp.ldexp(jnp.array([0.5, 0.75]), jnp.array([1, 4]))
    Array([ 1., 12.], dtype=float32)
    """
    x, n = to_arrays("ldexp", x1, x2)
    if n.aval.dtype.kind == "b":
        n = convert(n, index_dtype())
    if not dtypes.is_integer(n.aval.dtype):
        raise ValueError(f"ldexp: exponents are integers, got {n.aval.str_short()}.{here()}")
    (x,) = promote_inexact("ldexp", x)
    if x.aval.dtype.kind == "c":
        raise ValueError(f"ldexp takes real numbers, got {x.aval.str_short()}.{here()}")
    x, n = same_shape(convert(x, x.aval.dtype), n)
    # in two steps, so that a large exponent does not overflow before it meets a small number
    half = lax.shift_right_arithmetic(n, lax.full_like(n, 1))
    two = lax.full_like(x, 2)
    moved = lax.mul(lax.mul(x, lax.pow(two, half)), lax.pow(two, lax.sub(n, half)))
    return lax.select_n(lax.eq(x, lax.full_like(x, 0)), moved, x)


def spacing(x: Any, /) -> Array:
    """Distance to the next number away from zero that the dtype holds.

    >>> import adlib.numpy as jnp
    >>> jnp.spacing(jnp.array(1.0))
    Array(1.1920929e-07, dtype=float32)
    """
    (x,) = promote_inexact("spacing", x)
    x = convert(x, x.aval.dtype)
    if x.aval.dtype.kind == "c":
        raise ValueError(f"jnp.spacing is not defined for complex numbers.{here()}")
    outwards = lax.select_n(
        lax.lt(x, scalar(0, x.aval.dtype)), lax.full_like(x, math.inf), lax.full_like(x, -math.inf)
    )
    return lax.sub(lax.nextafter(x, outwards), x)


def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    """NaN replaced by ``nan``, infinities by the largest finite numbers or the given ones.

    >>> import adlib.numpy as jnp
    >>> jnp.nan_to_num(jnp.array([1.0, jnp.nan, jnp.inf]), posinf=9.0)
    Array([1., 0., 9.], dtype=float32)
    """
    x = to_array(x, "nan_to_num")
    dtype = x.aval.dtype
    if dtype.kind == "c":
        parts = (lax.real(x), lax.imag(x))
        return lax.complex(*[nan_to_num(p, copy, nan, posinf, neginf) for p in parts])
    if not dtypes.is_float(dtype):
        return x
    info = ml_dtypes.finfo(dtype)
    high = float(info.max) if posinf is None else posinf
    low = float(info.min) if neginf is None else neginf
    for where, value in (
        (lax.ne(x, x), nan),
        (lax.eq(x, scalar(math.inf, dtype)), high),
        (lax.eq(x, scalar(-math.inf, dtype)), low),
    ):
        replacement = convert(to_array(value, "nan_to_num"), dtype)
        x = lax.select_n(where, x, broadcast_array(replacement, x.aval.shape))
    return x
