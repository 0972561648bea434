"""Signs, absolute values and rounding: functions of which derivatives are piecewise simple."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from adlib.core import dtypes
from adlib.core.avals import Zero
from adlib.core.primitive import Absent, Sample
from adlib.ops.arithmetic import div, eq, mul, neg
from adlib.ops.constructors import elementwise
from adlib.ops.conversion import conj, convert, imag, real
from adlib.ops.operands import normal, operands, uniform
from adlib.ops.reshaping import full_like
from adlib.ops.selection import select_n_p

# ------------------------------------------------------------------ abs, sign


def _unit(x: Any, size: Any) -> Any:
    """``x / |x|``, and 0 at 0."""
    safe = select_n_p.bind(eq(size, full_like(size, 0)), size, full_like(size, 1))
    return div(x, convert(safe, x.aval.dtype))


def _abs_derivative(t: Any, ans: Any, x: Any) -> Any:
    if dtypes.is_complex(x.aval.dtype):
        return real(mul(t, _unit(conj(x), ans)))
    return mul(t, sign(x))


abs_p = elementwise("abs", "absolute", [_abs_derivative], kinds="iufc", result=dtypes.real_of)


def abs(x: Any) -> Any:
    """Absolute value, element by element; real where ``x`` is complex. At 0 the derivative is 0.

    >>> from adlib import lax
    >>> lax.abs(-2.0)
    Array(2., dtype=float32, weak_type=True)
    """
    return abs_p.bind(*operands("abs", x))


def _sign_kernel(xp: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        size = xp.absolute(x)
        return xp.where(size == 0, x, x / xp.where(size == 0, size.dtype.type(1), size))
    if dtypes.is_float(x.dtype):
        return xp.copysign(xp.sign(x), x)  # the sign of -0.0 is -0.0
    return xp.sign(x)


def _sign_derivative(t: Any, ans: Any, x: Any) -> Any:
    if not dtypes.is_complex(x.aval.dtype):
        return Zero.like(ans)
    # of z / |z|: the part of t that is orthogonal to z, over |z|; that is i z/|z| times
    # Im(conj(z/|z|) t) / |z|, which vanishes at 0 like the function itself
    across = imag(mul(conj(ans), t))
    return mul(mul(ans, full_like(ans, 1j)), convert(_unit(across, abs(x)), x.aval.dtype))


sign_p = elementwise("sign", _sign_kernel, [_sign_derivative], kinds="iufc")


def sign(x: Any) -> Any:
    """-1, 0 or 1 as ``x`` is negative, zero or positive; ``x / |x|`` for complex ``x``.

    >>> from adlib import lax
    >>> lax.sign(-2.5)
    Array(-1., dtype=float32, weak_type=True)
    """
    return sign_p.bind(*operands("sign", x))


# ------------------------------------------------------------------- rounding


class RoundingMethod(enum.IntEnum):
    """How ``round`` decides halves.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.round(jnp.array([0.5, 1.5, 2.5]), lax.RoundingMethod.TO_NEAREST_EVEN)
    Array([0., 2., 2.], dtype=float32)
    """

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


floor_p = elementwise("floor", "floor", None, kinds="f")
ceil_p = elementwise("ceil", "ceil", None, kinds="f")


def floor(x: Any) -> Any:
    """The largest whole number not above ``x``, element by element; its derivative is 0.

    >>> from adlib import lax
    >>> lax.floor(-1.5)
    Array(-2., dtype=float32, weak_type=True)
    """
    return floor_p.bind(*operands("floor", x))


def ceil(x: Any) -> Any:
    """The smallest whole number not below ``x``, element by element; its derivative is 0.

    >>> from adlib import lax
    >>> lax.ceil(-1.5)
    Array(-1., dtype=float32, weak_type=True)
    """
    return ceil_p.bind(*operands("ceil", x))


def _round_kernel(xp: Any, x: Any, *, rounding_method: int) -> Any:
    if rounding_method == RoundingMethod.TO_NEAREST_EVEN:
        return xp.rint(x)
    # trunc(x + 0.5) would round up the number just below a half
    whole = xp.trunc(x)
    away = xp.absolute(x - whole) >= x.dtype.type(0.5)
    return xp.copysign(xp.where(away, whole + xp.sign(x), whole), x)


round_p = elementwise(
    "round",
    _round_kernel,
    None,
    kinds="f",
    samples=lambda: [
        Sample((uniform(2, 3, low=-3, high=3),), dict(rounding_method=0)),
        Sample((uniform(2, 3, low=-3, high=3),), dict(rounding_method=1), "even"),
        Sample(
            (uniform(3, low=-3, high=3, dtype=dtypes.bfloat16),),
            dict(rounding_method=0),
            "bfloat16",
        ),
    ],
)


def round(x: Any, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Any:
    """``x`` rounded to whole numbers, halves as ``rounding_method`` says; the derivative is 0.

    >>> from adlib import lax
    >>> lax.round(2.5)
    Array(3., dtype=float32, weak_type=True)
    >>> lax.round(2.5, lax.RoundingMethod.TO_NEAREST_EVEN)
    Array(2., dtype=float32, weak_type=True)
    """
    (x,) = operands("round", x)
    return round_p.bind(x, rounding_method=int(RoundingMethod(rounding_method)))


# ------------------------------------------------------------- rem, nextafter


def _rem_kernel(xp: Any, x: Any, y: Any) -> Any:
    if x.dtype.kind not in "iu":
        return xp.fmod(x, y)
    # the hardware's answers: x where y is 0; y = -1 is kept from overflow
    special = (y == 0) | (y == -1) if y.dtype.kind == "i" else y == 0
    safe = xp.where(special, xp.ones_like(y), y)
    return xp.where(y == 0, x, xp.fmod(x, safe))


def _rem_divisor(t: Any, ans: Any, x: Any, y: Any) -> Any:
    ratio = div(x, y)
    return mul(neg(t), mul(sign(ratio), floor(abs(ratio))))


rem_p = elementwise(
    "rem",
    _rem_kernel,
    [lambda t, ans, x, y: t, _rem_divisor],
    kinds="iuf",
    samples=lambda: [
        Sample((normal(2, 3), uniform(2, 3))),
        Sample((normal(2, 3), uniform(1, 3)), name="broadcast"),
        Sample(
            (np.array([7, -7, 7, -7, 5], np.int32), np.array([3, 3, -3, -1, 0], np.int32)),
            name="int",
        ),
        Sample((normal(3, dtype=np.uint8), np.array([3, 2, 5], np.uint8)), name="unsigned"),
    ],
)


def rem(x: Any, y: Any) -> Any:
    """Remainder of ``x / y`` with the sign of ``x``, element by element.

    >>> from adlib import lax
    >>> lax.rem(-7, 3)
    Array(-1, dtype=int32, weak_type=True)
    """
    return rem_p.bind(*operands("rem", x, y))


nextafter_p = elementwise("nextafter", "nextafter", None, kinds="f", arity=2)
nextafter_p.jvp = Absent(
    "Differentiation rule for 'nextafter' not implemented: it steps from "
    "one floating-point number to another"
)


def nextafter(x1: Any, x2: Any) -> Any:
    """The floating-point number next to ``x1`` in the direction of ``x2``.

    >>> from adlib import lax
    >>> lax.nextafter(1.0, 2.0)
    Array(1.00000, dtype=float32, weak_type=True)
    """
    return nextafter_p.bind(*operands("nextafter", x1, x2))


is_finite_p = elementwise(
    "is_finite",
    "isfinite",
    None,
    kinds="f",
    result=lambda dtype: np.dtype(bool),
    samples=lambda: [
        Sample((np.array([1, np.nan, np.inf, -np.inf], np.float32),)),
        Sample((normal(2, 3),), name="finite"),
    ],
)


def is_finite(x: Any) -> Any:
    """Whether each element is neither infinite nor NaN.

    >>> from adlib import lax
    >>> lax.is_finite(1.0)
    Array(True, dtype=bool, weak_type=True)
    """
    return is_finite_p.bind(*operands("is_finite", x))
