"""Special functions: error functions, Bessel functions, zeta and the family of gamma.

Gamma and incomplete gamma functions with parameters stand in ``gamma.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.backends.special import special
from adlib.core import dtypes
from adlib.core.primitive import Sample
from adlib.ops.arithmetic import add, eq, exp, mul, neg, sub
from adlib.ops.constructors import elementwise
from adlib.ops.elementary import in_float32, reciprocal, square
from adlib.ops.inverse_erf import erf_inv_float32
from adlib.ops.operands import normal, operands, uniform
from adlib.ops.reshaping import full_like
from adlib.ops.rounding import sign
from adlib.ops.selection import select_n_p
from adlib.ops.zeta_derivatives import zeta_derivative_p


def named(function: str) -> Callable[..., Any]:
    """The kernel of a function of the special-functions module."""
    return in_float32(lambda xp, *xs: getattr(special(xp), function)(*xs))  # type: ignore[no-any-return]


def real_samples(low: float, high: float) -> Callable[[], list[Sample]]:
    """Samples for functions on real numbers between ``low`` and ``high``."""
    return lambda: [
        Sample((uniform(2, 3, low=low, high=high),), name="float32"),
        Sample((uniform(low=low, high=high),), name="scalar"),
        Sample((uniform(3, low=low, high=high, dtype=dtypes.bfloat16),), name="bfloat16"),
        Sample((uniform(3, low=low, high=high, dtype=np.float16),), name="float16"),
    ]


# ------------------------------------------------------------ error functions

_TWO_OVER_ROOT_PI = float(2 / np.sqrt(np.pi))


def _gauss(x: Any, scale: float) -> Any:
    return mul(full_like(x, scale), exp(neg(square(x))))


erf_p = elementwise(
    "erf",
    named("erf"),
    [lambda t, ans, x: mul(t, _gauss(x, _TWO_OVER_ROOT_PI))],
    kinds="f",
    samples=real_samples(-2, 2),
)
erfc_p = elementwise(
    "erfc",
    named("erfc"),
    [lambda t, ans, x: mul(t, _gauss(x, -_TWO_OVER_ROOT_PI))],
    kinds="f",
    samples=real_samples(-2, 2),
)


def erf(x: Any) -> Any:
    """Error function, ``2/sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to ``x``.

    >>> from adlib import lax
    >>> lax.erf(0.5)
    Array(0.52050, dtype=float32, weak_type=True)
    """
    return erf_p.bind(*operands("erf", x))


def erfc(x: Any) -> Any:
    """``1 - erf(x)``, accurate where ``erf(x)`` is close to 1.

    >>> from adlib import lax
    >>> lax.erfc(0.5)
    Array(0.47950, dtype=float32, weak_type=True)
    """
    return erfc_p.bind(*operands("erfc", x))


def _erf_inv_kernel(xp: Any, x: Any) -> Any:
    return special(xp).erfinv(x) if x.dtype.itemsize == 8 else erf_inv_float32(xp, x)


erf_inv_p = elementwise(
    "erf_inv",
    in_float32(_erf_inv_kernel),
    [lambda t, ans, x: mul(t, mul(full_like(x, float(np.sqrt(np.pi) / 2)), exp(square(ans))))],
    kinds="f",
    samples=real_samples(-0.9, 0.9),
)


def erf_inv(x: Any) -> Any:
    """The inverse of ``erf``: infinite at -1 and 1, NaN beyond.

    In 32 bits by Giles' polynomials (GPU Computing Gems 2, 2010).

    >>> from adlib import lax
    >>> lax.erf_inv(0.5)
    Array(0.47694, dtype=float32, weak_type=True)
    """
    return erf_inv_p.bind(*operands("erf_inv", x))


# ----------------------------------------------------------- Bessel functions


def _i0e_derivative(t: Any, ans: Any, x: Any) -> Any:
    return mul(t, sub(bessel_i1e(x), mul(sign(x), ans)))


def _i1e_derivative(t: Any, ans: Any, x: Any) -> Any:
    # I1'(x) = I0(x) - I1(x)/x, of which the limit at 0 is 1/2
    at_zero = eq(x, full_like(x, 0))
    safe = select_n_p.bind(at_zero, x, full_like(x, 1))
    elsewhere = sub(bessel_i0e(safe), mul(ans, add(sign(safe), reciprocal(safe))))
    return mul(t, select_n_p.bind(at_zero, elsewhere, full_like(x, 0.5)))


bessel_i0e_p = elementwise(
    "bessel_i0e", named("i0e"), [_i0e_derivative], kinds="f", samples=real_samples(-3, 3)
)
bessel_i1e_p = elementwise(
    "bessel_i1e", named("i1e"), [_i1e_derivative], kinds="f", samples=real_samples(-3, 3)
)


def bessel_i0e(x: Any) -> Any:
    """Modified Bessel function of order 0 times ``exp(-abs(x))``.

    >>> from adlib import lax
    >>> lax.bessel_i0e(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    return bessel_i0e_p.bind(*operands("bessel_i0e", x))


def bessel_i1e(x: Any) -> Any:
    """Modified Bessel function of order 1 times ``exp(-abs(x))``.

    >>> from adlib import lax
    >>> lax.bessel_i1e(1.0)
    Array(0.20791, dtype=float32, weak_type=True)
    """
    return bessel_i1e_p.bind(*operands("bessel_i1e", x))


# ----------------------------------------- gamma, its derivatives, and zeta


def _lgamma_kernel(xp: Any, x: Any) -> Any:
    return xp.where(x == -np.inf, -x, special(xp).gammaln(x))


lgamma_p = elementwise(
    "lgamma",
    in_float32(_lgamma_kernel),
    [lambda t, ans, x: mul(t, digamma(x))],
    kinds="f",
    samples=real_samples(0.3, 3),
)


def lgamma(x: Any) -> Any:
    """Logarithm of the absolute value of the gamma function.

    >>> from adlib import lax
    >>> lax.lgamma(1.0)
    Array(0., dtype=float32, weak_type=True)
    """
    return lgamma_p.bind(*operands("lgamma", x))


def _digamma_kernel(xp: Any, x: Any) -> Any:
    return xp.where(x == 0, x.dtype.type(np.nan), special(xp).psi(x))


digamma_p = elementwise(
    "digamma",
    in_float32(_digamma_kernel),
    [lambda t, ans, x: mul(t, polygamma(full_like(x, 1), x))],
    kinds="f",
    samples=real_samples(0.3, 3),
)


def digamma(x: Any) -> Any:
    """Derivative of ``lgamma``; NaN at its poles 0, -1, -2, …

    >>> from adlib import lax
    >>> lax.digamma(1.0)
    Array(-0.57722, dtype=float32, weak_type=True)
    """
    return digamma_p.bind(*operands("digamma", x))


def _no_order(name: str) -> Callable[..., Any]:
    def derivative(t: Any, ans: Any, *args: Any) -> Any:
        raise ValueError(
            f"{name} gradient with respect to {_ORDERS[name]} is not supported: it is an order, "
            "which is kept constant. Repair: lax.stop_gradient on it."
        )

    return derivative


_ORDERS = {"polygamma": "m", "zeta": "x"}


def _zeta_derivative(t: Any, ans: Any, x: Any, q: Any) -> Any:
    return mul(t, mul(neg(x), zeta(add(x, full_like(x, 1)), q)))


zeta_p = elementwise(
    "zeta",
    named("zeta"),
    [lambda t, ans, x, q: mul(t, zeta_derivative_p.bind(x, q, order=1)), _zeta_derivative],
    kinds="f",
    samples=lambda: [
        Sample((uniform(2, 3, low=1.5, high=4), uniform(2, 3, low=0.5, high=3))),
        Sample((np.float32(2), uniform(2, 3, low=0.5, high=3)), name="scalar"),
    ],
)


def zeta(x: Any, q: Any) -> Any:
    """Hurwitz's zeta function, the sum of ``(k + q) ** -x`` over k = 0, 1, …; NaN for ``x < 1``.

    Differentiable in both arguments, to any order.

    >>> from adlib import lax
    >>> lax.zeta(2.0, 1.0)
    Array(1.64493, dtype=float32, weak_type=True)
    """
    return zeta_p.bind(*operands("zeta", x, q))


def _polygamma_kernel(xp: Any, m: Any, x: Any) -> Any:
    s = special(xp)
    one = m.dtype.type(1)
    sign = xp.where(m % 2 == 0, -one, one)
    higher = sign * xp.exp(s.gammaln(m + one)) * s.zeta(m + one, x)
    whole = (m >= 0) & (m == xp.floor(m))
    result = xp.where(m == 0, s.psi(x), higher)
    return xp.where(whole, result, m.dtype.type(np.nan))


polygamma_p = elementwise(
    "polygamma",
    in_float32(_polygamma_kernel),
    [
        _no_order("polygamma"),
        lambda t, ans, m, x: mul(t, polygamma(add(m, full_like(m, 1)), x)),
    ],
    kinds="f",
    samples=lambda: [
        Sample((np.array([0, 1, 2], np.float32), uniform(3, low=0.5, high=3))),
        Sample((np.float32(1), uniform(2, 3, low=0.5, high=3)), name="scalar"),
        Sample((np.float32(2), normal()), name="rank-0"),
    ],
)


def polygamma(m: Any, x: Any) -> Any:
    """Derivative number ``m`` (0, 1, 2, …) of ``digamma`` at ``x``.

    It can be differentiated in ``x``; ValueError in ``m``.

    >>> from adlib import lax
    >>> lax.polygamma(1.0, 1.0)
    Array(1.64493, dtype=float32, weak_type=True)
    """
    return polygamma_p.bind(*operands("polygamma", m, x))
