"""Trigonometric and hyperbolic functions with their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.core import dtypes
from adlib.core.primitive import Sample
from adlib.ops.arithmetic import add, div, mul, neg, sub
from adlib.ops.constructors import elementwise
from adlib.ops.elementary import rsqrt, square
from adlib.ops.operands import normal, operands, uniform
from adlib.ops.reshaping import full_like


def _one(x: Any) -> Any:
    return full_like(x, 1)


def _samples_between(low: float, high: float) -> Any:
    """Samples for functions that are real between ``low`` and ``high``."""
    return lambda: [
        Sample((uniform(2, 3, low=low, high=high),), name="float32"),
        Sample((uniform(low=low, high=high),), name="scalar"),
        Sample((uniform(3, low=low, high=high, dtype=dtypes.bfloat16),), name="bfloat16"),
        Sample((normal(3, dtype=np.complex64),), name="complex"),
    ]


# -------------------------------------------------------------- trigonometric

tan_p = elementwise(
    "tan",
    "tan",
    [lambda t, ans, x: mul(t, add(_one(ans), square(ans)))],
    samples=_samples_between(-1, 1),
)


def tan(x: Any, *, accuracy: Any = None) -> Any:
    """Tangent of ``x`` in radians, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.tan(0.5)
    Array(0.54630, dtype=float32, weak_type=True)
    """
    return tan_p.bind(*operands("tan", x))


asin_p = elementwise(
    "asin",
    "arcsin",
    [lambda t, ans, x: mul(t, rsqrt(sub(_one(x), square(x))))],
    samples=_samples_between(-0.9, 0.9),
)


def asin(x: Any) -> Any:
    """Inverse sine in radians, between -pi/2 and pi/2; NaN outside -1..1.

    >>> from adlib import lax
    >>> lax.asin(1.0)
    Array(1.57080, dtype=float32, weak_type=True)
    """
    return asin_p.bind(*operands("asin", x))


acos_p = elementwise(
    "acos",
    "arccos",
    [lambda t, ans, x: mul(t, neg(rsqrt(sub(_one(x), square(x)))))],
    samples=_samples_between(-0.9, 0.9),
)


def acos(x: Any) -> Any:
    """Inverse cosine in radians, between 0 and pi; NaN outside -1..1.

    >>> from adlib import lax
    >>> lax.acos(0.0)
    Array(1.57080, dtype=float32, weak_type=True)
    """
    return acos_p.bind(*operands("acos", x))


atan_p = elementwise(
    "atan",
    "arctan",
    [lambda t, ans, x: div(t, add(_one(x), square(x)))],
)


def atan(x: Any) -> Any:
    """Inverse tangent in radians, between -pi/2 and pi/2.

    >>> from adlib import lax
    >>> lax.atan(1.0)
    Array(0.78540, dtype=float32, weak_type=True)
    """
    return atan_p.bind(*operands("atan", x))


def _squared_norm(x: Any, y: Any) -> Any:
    return add(square(x), square(y))


atan2_p = elementwise(
    "atan2",
    "arctan2",
    [
        lambda t, ans, x, y: mul(t, div(y, _squared_norm(x, y))),
        lambda t, ans, x, y: mul(t, div(neg(x), _squared_norm(x, y))),
    ],
    kinds="f",
)


def atan2(x: Any, y: Any) -> Any:
    """Angle in radians, between -pi and pi, of the point with ordinate ``x`` and abscissa ``y``.

    >>> from adlib import lax
    >>> lax.atan2(1.0, -1.0)
    Array(2.35619, dtype=float32, weak_type=True)
    """
    return atan2_p.bind(*operands("atan2", x, y))


# ----------------------------------------------------------------- hyperbolic

sinh_p = elementwise("sinh", "sinh", [lambda t, ans, x: mul(t, cosh(x))])
cosh_p = elementwise("cosh", "cosh", [lambda t, ans, x: mul(t, sinh(x))])


def sinh(x: Any) -> Any:
    """Hyperbolic sine, element by element.

    >>> from adlib import lax
    >>> lax.sinh(1.0)
    Array(1.17520, dtype=float32, weak_type=True)
    """
    return sinh_p.bind(*operands("sinh", x))


def cosh(x: Any) -> Any:
    """Hyperbolic cosine, element by element.

    >>> from adlib import lax
    >>> lax.cosh(1.0)
    Array(1.54308, dtype=float32, weak_type=True)
    """
    return cosh_p.bind(*operands("cosh", x))


asinh_p = elementwise(
    "asinh",
    "arcsinh",
    [lambda t, ans, x: mul(t, rsqrt(add(square(x), _one(x))))],
)


def asinh(x: Any) -> Any:
    """Inverse hyperbolic sine, element by element.

    >>> from adlib import lax
    >>> lax.asinh(1.0)
    Array(0.88137, dtype=float32, weak_type=True)
    """
    return asinh_p.bind(*operands("asinh", x))


def _acosh_derivative(t: Any, ans: Any, x: Any) -> Any:
    # two roots, not that of x*x - 1: theirs has the right branch for complex x everywhere
    return mul(t, mul(rsqrt(sub(x, _one(x))), rsqrt(add(x, _one(x)))))


acosh_p = elementwise("acosh", "arccosh", [_acosh_derivative], samples=_samples_between(1.2, 3))


def acosh(x: Any) -> Any:
    """Inverse hyperbolic cosine, element by element; NaN below 1.

    >>> from adlib import lax
    >>> lax.acosh(2.0)
    Array(1.31696, dtype=float32, weak_type=True)
    """
    return acosh_p.bind(*operands("acosh", x))


atanh_p = elementwise(
    "atanh",
    "arctanh",
    [lambda t, ans, x: div(t, mul(add(_one(x), x), sub(_one(x), x)))],
    samples=_samples_between(-0.9, 0.9),
)


def atanh(x: Any) -> Any:
    """Inverse hyperbolic tangent, element by element; NaN outside -1..1.

    >>> from adlib import lax
    >>> lax.atanh(0.5)
    Array(0.54931, dtype=float32, weak_type=True)
    """
    return atanh_p.bind(*operands("atanh", x))
