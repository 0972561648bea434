"""Elementary functions: roots, powers, exponentials, logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray
from adlib.core.primitive import Sample
from adlib.ops.arithmetic import add, div, eq, integer_pow, log, mul, sub
from adlib.ops.constructors import elementwise
from adlib.ops.conversion import convert
from adlib.ops.operands import broadcast_shape, normal, operands, uniform
from adlib.ops.reshaping import full_like
from adlib.ops.selection import select_n_p


def positive_and_complex() -> list[Sample]:
    """Samples for functions that are real on positive numbers."""
    return [
        Sample((uniform(2, 3),), name="float32"),
        Sample((uniform(),), name="scalar"),
        Sample((uniform(3, dtype=dtypes.bfloat16),), name="bfloat16"),
        Sample((uniform(3, dtype=np.float16),), name="float16"),
        Sample((normal(3, dtype=np.complex64),), name="complex"),
    ]


def in_float32(function: Any) -> Any:
    """A kernel that computes halves and smaller floats in float32 and rounds once."""

    def kernel(xp: Any, *xs: Any, **params: Any) -> Any:
        dtype = xs[0].dtype
        if dtype.itemsize >= 4:
            return function(xp, *xs, **params)
        wide = [x.astype(np.float32) if x.dtype == dtype else x for x in xs]
        return function(xp, *wide, **params).astype(dtype)

    return kernel


# ---------------------------------------------------------------------- roots

sqrt_p = elementwise(
    "sqrt",
    "sqrt",
    [lambda t, ans, x: mul(t, div(full_like(x, 0.5), ans))],
    samples=positive_and_complex,
)


def sqrt(x: Any, *, accuracy: Any = None) -> Any:
    """Square root, element by element; its derivative at 0 is infinite.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.sqrt(4.0)
    Array(2., dtype=float32, weak_type=True)
    """
    return sqrt_p.bind(*operands("sqrt", x))


rsqrt_p = elementwise(
    "rsqrt",
    in_float32(lambda xp, x: xp.reciprocal(xp.sqrt(x))),
    [lambda t, ans, x: mul(t, mul(full_like(x, -0.5), div(ans, x)))],
    samples=positive_and_complex,
)


def rsqrt(x: Any, *, accuracy: Any = None) -> Any:
    """``1 / sqrt(x)``, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.rsqrt(4.0)
    Array(0.5, dtype=float32, weak_type=True)
    """
    return rsqrt_p.bind(*operands("rsqrt", x))


cbrt_p = elementwise(
    "cbrt",
    "cbrt",
    [lambda t, ans, x: mul(t, mul(full_like(x, 1 / 3), integer_pow(ans, -2)))],
    kinds="f",
)


def cbrt(x: Any, *, accuracy: Any = None) -> Any:
    """Real cube root, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.cbrt(8.0)
    Array(2., dtype=float32, weak_type=True)
    """
    return cbrt_p.bind(*operands("cbrt", x))


# --------------------------------------------------------------------- powers

square_p = elementwise(
    "square", "square", [lambda t, ans, x: mul(t, mul(full_like(x, 2), x))], kinds="iufc"
)


def square(x: Any) -> Any:
    """``x * x``, element by element.

    >>> from adlib import lax
    >>> lax.square(3)
    Array(9, dtype=int32, weak_type=True)
    """
    return square_p.bind(*operands("square", x))


def reciprocal(x: Any) -> Any:
    """``1 / x``, element by element.

    >>> from adlib import lax
    >>> lax.reciprocal(4.0)
    Array(0.25, dtype=float32, weak_type=True)
    """
    return integer_pow(x, -1)


def _pow_shape(x: ShapedArray, y: ShapedArray) -> ShapedArray:
    exponent_fits = y.dtype == x.dtype or dtypes.is_integer(y.dtype)
    if dtypes.kind(x.dtype) not in "iufc" or not exponent_fits:
        raise TypeError(
            f"pow does not accept a base of dtype {x.dtype.name} with an exponent of dtype "
            f"{y.dtype.name}: the exponent must have the dtype of the base or be an integer."
            f"{here()}\n  Repair: convert with x.astype(...); the ** operator does so."
        )
    weak = x.weak_type and (y.weak_type or y.dtype != x.dtype)
    return ShapedArray(broadcast_shape("pow", (x, y)), x.dtype, weak)


def _pow_kernel(xp: Any, x: Any, y: Any) -> Any:
    if x.dtype.kind in "iu":
        return _integer_power(xp, x, y.astype(x.dtype) if y.dtype.itemsize > 1 else y)
    if x.dtype == y.dtype:
        return xp.power(x, y)
    return xp.power(x, y.astype(x.dtype))


def _integer_power(xp: Any, x: Any, y: Any) -> Any:
    if y.dtype.kind == "u":
        return xp.power(x, y).astype(x.dtype)
    # negative powers of integers are 0 but for those of 1 and -1
    positive = xp.power(x, xp.maximum(y, 0)).astype(x.dtype)
    unit = xp.where((x == -1) & (y % 2 != 0), -1, xp.where(abs(x) == 1, 1, 0))
    return xp.where(y < 0, unit, positive).astype(x.dtype)


def _pow_base(t: Any, ans: Any, x: Any, y: Any) -> Any:
    # x**0 is constant, also at 0: there 0 * x**-1 would be NaN, and 0 * x**0 is not
    less = select_n_p.bind(eq(y, full_like(y, 0)), sub(y, full_like(y, 1)), y)
    return mul(t, mul(convert(y, x.aval.dtype), pow_p.bind(x, less)))


def _pow_exponent(t: Any, ans: Any, x: Any, y: Any) -> Any:
    # d/dy x**y = log(x) x**y tends to 0 with x for y > 0: log(1) = 0 stands in for log(0)
    safe = select_n_p.bind(eq(x, full_like(x, 0)), x, full_like(x, 1))
    return mul(t, mul(log(safe), ans))


def _pow_samples() -> list[Sample]:
    c64 = np.complex64
    return [
        Sample((uniform(2, 3), normal(2, 3)), name="float32"),
        Sample((uniform(2, 3), normal(1, 3)), name="broadcast"),
        Sample((uniform(2, 3), normal()), name="scalar-exponent"),
        Sample((normal(3), np.array([0, 3, -2], np.int32)), name="integer-exponent"),
        Sample((normal(3, dtype=c64), normal(3, dtype=c64)), name="complex"),
        Sample((normal(4, dtype=np.int32), np.array([0, 3, 2, -1], np.int32)), name="int"),
        Sample((uniform(3, dtype=dtypes.bfloat16),) * 2, name="bfloat16"),
    ]


pow_p = elementwise("pow", _pow_kernel, [_pow_base, _pow_exponent], samples=_pow_samples)
pow_p.shape_rule = _pow_shape


def pow(x: Any, y: Any) -> Any:
    """``x ** y``, element by element.

    ``y`` has the dtype of ``x``, or is an integer array; TypeError otherwise. A derivative
    with respect to ``x`` at ``y = 0`` is 0, and one with respect to ``y`` at ``x = 0`` too.

    >>> from adlib import lax
    >>> lax.pow(2.0, 3.0)
    Array(8., dtype=float32, weak_type=True)
    """
    if isinstance(y, int) and not isinstance(y, bool):
        (x,), (y,) = operands("pow", x), operands("pow", y)
        return pow_p.bind(x, y)
    return pow_p.bind(*operands("pow", x, y))


# ------------------------------------------------- exponentials and logarithms

exp2_p = elementwise(
    "exp2", "exp2", [lambda t, ans, x: mul(t, mul(full_like(x, float(np.log(2))), ans))]
)


def exp2(x: Any, *, accuracy: Any = None) -> Any:
    """``2 ** x``, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.exp2(3.0)
    Array(8., dtype=float32, weak_type=True)
    """
    return exp2_p.bind(*operands("exp2", x))


def _expm1(xp: Any, x: Any) -> Any:
    out = xp.expm1(x)
    if x.dtype.kind != "c":
        return out
    # on the real axis, and where e^x = 0, NumPy's product with sin y need not be 0
    plain = (~xp.isfinite(x.real) & (x.imag == 0)) | (x.real == -np.inf)
    return xp.where(plain, xp.expm1(x.real), out)


expm1_p = elementwise("expm1", _expm1, [lambda t, ans, x: mul(t, add(ans, full_like(ans, 1)))])


def expm1(x: Any, *, accuracy: Any = None) -> Any:
    """``exp(x) - 1``, element by element, accurate near 0.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.expm1(1e-10)
    Array(1.e-10, dtype=float32, weak_type=True)
    """
    return expm1_p.bind(*operands("expm1", x))


log1p_p = elementwise(
    "log1p",
    "log1p",
    [lambda t, ans, x: div(t, add(x, full_like(x, 1)))],
    samples=positive_and_complex,
)


def log1p(x: Any, *, accuracy: Any = None) -> Any:
    """``log(1 + x)``, element by element, accurate near 0.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.log1p(1e-10)
    Array(1.e-10, dtype=float32, weak_type=True)
    """
    return log1p_p.bind(*operands("log1p", x))


def _logistic_kernel(xp: Any, x: Any) -> Any:
    one = x.dtype.type(1)
    if x.dtype.kind != "c":
        small = xp.exp(-xp.abs(x))  # does not overflow, so that tiny results are not lost
        return xp.where(x < 0, small, one) / (one + small)
    # exp(-x) overflows where the result is 0; tanh does not
    half = x.dtype.type(0.5)
    return xp.where(x.real < 0, half * (one + xp.tanh(half * x)), one / (one + xp.exp(-x)))


logistic_p = elementwise(
    "logistic",
    in_float32(_logistic_kernel),
    [lambda t, ans, x: mul(t, mul(ans, sub(full_like(ans, 1), ans)))],
)


def logistic(x: Any, *, accuracy: Any = None) -> Any:
    """The sigmoid ``1 / (1 + exp(-x))``, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.logistic(0.0)
    Array(0.5, dtype=float32, weak_type=True)
    """
    return logistic_p.bind(*operands("logistic", x))
