"""Incomplete gamma and beta functions, and the derivatives in their parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.backends.special import special
from adlib.core import dtypes
from adlib.core.primitive import Sample
from adlib.ops.arithmetic import add, eq, exp, log, mul, neg, sub
from adlib.ops.constructors import elementwise
from adlib.ops.elementary import log1p
from adlib.ops.operands import operands, uniform
from adlib.ops.reshaping import full_like
from adlib.ops.selection import select_n_p
from adlib.ops.special import digamma, lgamma, named

# ----------------------------------------------------------- incomplete gamma


def _samples() -> list[Sample]:
    low = dict(low=0.5, high=3.0)
    return [
        Sample((uniform(2, 3, **low), uniform(2, 3, **low))),
        Sample((uniform(1, 3, **low), uniform(2, 3, **low)), name="broadcast"),
        Sample((uniform(**low), uniform(3, low=3.0, high=9.0)), name="tail"),
        Sample((uniform(3, dtype=dtypes.bfloat16, **low),) * 2, name="bfloat16"),
    ]


def _log_power(x: Any, a: Any) -> Any:
    """``(a - 1) * log(x)``, and 0 for ``a`` = 1 also at ``x`` = 0."""
    less = sub(a, full_like(a, 1))
    return select_n_p.bind(eq(less, full_like(less, 0)), mul(less, log(x)), full_like(x, 0))


def _gamma_density(a: Any, x: Any) -> Any:
    return exp(sub(sub(_log_power(x, a), x), lgamma(a)))


igamma_p = elementwise(
    "igamma",
    named("gammainc"),
    [
        lambda t, ans, a, x: mul(t, igamma_grad_a(a, x)),
        lambda t, ans, a, x: mul(t, _gamma_density(a, x)),
    ],
    kinds="f",
    samples=_samples,
)
igammac_p = elementwise(
    "igammac",
    named("gammaincc"),
    [
        lambda t, ans, a, x: neg(mul(t, igamma_grad_a(a, x))),
        lambda t, ans, a, x: neg(mul(t, _gamma_density(a, x))),
    ],
    kinds="f",
    samples=_samples,
)


def igamma(a: Any, x: Any) -> Any:
    """Regularized lower incomplete gamma function: the gamma(a) distribution's share below ``x``.

    >>> from adlib import lax
    >>> lax.igamma(1.0, 0.0)
    Array(0., dtype=float32, weak_type=True)
    """
    return igamma_p.bind(*operands("igamma", a, x))


def igammac(a: Any, x: Any) -> Any:
    """``1 - igamma(a, x)``, accurate where that is small.

    >>> from adlib import lax
    >>> lax.igammac(1.0, 0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    return igammac_p.bind(*operands("igammac", a, x))


# The derivative in a comes from the derivatives of a series and a continued fraction, term
# by term (Moore, "Algorithm AS 187: Derivatives of the incomplete gamma integral", 1982).
# Both share the factor x**a exp(-x) / Gamma(a), which is kept apart: samplers need the
# derivative in units of the density, where it would underflow.

_STEPS = 2000


def _series(special_: Any, xp: Any, a: Any, x: Any) -> Any:
    """d/da of P(a, x), over x**a e**-x / Gamma(a), for x up to about a.

    P over that factor is the sum of x**n / (a (a+1) … (a+n)).
    """
    term = 1 / a
    slope = -term / a
    total, total_slope = term, slope
    for n in range(1, _STEPS):
        slope = (slope - term / (a + n)) * x / (a + n)
        term = term * x / (a + n)
        total = total + term
        total_slope = total_slope + slope
        small = xp.absolute(slope) <= 1e-17 * xp.absolute(total_slope)
        if n > 4 and bool((small | ~xp.isfinite(slope)).all()):
            break
    return total * (xp.log(x) - special_.psi(a)) + total_slope


def _fraction(special_: Any, xp: Any, a: Any, x: Any) -> Any:
    """The same for x beyond a + 1, from Legendre's continued fraction for 1 - P.

    1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - …))) by the forward recurrence of its
    numerators and denominators (p, q), with derivatives (dp, dq) in a.
    """
    zero, one = xp.zeros_like(a), xp.ones_like(a)
    p0, q0, dp0, dq0 = zero, one, zero, zero
    p, q, dp, dq = one, x + 1 - a, zero, -one
    value, slope = p / q, (dp - p / q * dq) / q
    for n in range(1, _STEPS):
        b, c = x + 2 * n + 1 - a, -n * (n - a)
        p0, p, dp0, dp = p, b * p + c * p0, dp, b * dp - p + c * dp0 + n * p0
        q0, q, dq0, dq = q, b * q + c * q0, dq, b * dq - q + c * dq0 + n * q0
        last, value = slope, p / q
        slope = (dp - value * dq) / q
        scale = 1 / q
        p0, p, dp0, dp = p0 * scale, value, dp0 * scale, dp * scale
        q0, q, dq0, dq = q0 * scale, one, dq0 * scale, dq * scale
        size = xp.absolute(slope) + xp.absolute(value)
        small = xp.absolute(slope - last) <= 2e-15 * size
        if n > 4 and bool((small | ~xp.isfinite(slope)).all()):
            break
    return -(value * (xp.log(x) - special_.psi(a)) + slope)


def _scaled_grad(xp: Any, a: Any, x: Any) -> Any:
    """d/da of P(a, x) over x**a e**-x / Gamma(a), in double precision."""
    special_ = special(xp)
    inside = (a > 0) & (x > 0) & xp.isfinite(a) & xp.isfinite(x)
    tail = x > a + 1
    # elements of the other branch get harmless arguments, so that they end no loop late
    below = inside & ~tail
    series = _series(special_, xp, xp.where(below, a, 1.0), xp.where(below, x, 1.0))
    beyond = inside & tail
    fraction = _fraction(special_, xp, xp.where(beyond, a, 1.0), xp.where(beyond, x, 4.0))
    return inside, xp.where(tail, fraction, series)


def _doubles(xp: Any, a: Any, x: Any) -> Any:
    wide = [xp.asarray(v).astype(np.float64) for v in (a, x)]
    return xp.broadcast_arrays(*wide)


def _igamma_grad_a_kernel(xp: Any, a: Any, x: Any) -> Any:
    wide_a, wide_x = _doubles(xp, a, x)
    inside, grad = _scaled_grad(xp, wide_a, wide_x)
    factor = xp.exp(wide_a * xp.log(wide_x) - wide_x - special(xp).gammaln(wide_a))
    edge = xp.where((wide_a > 0) & ((wide_x == 0) | (wide_x == np.inf)), 0.0, np.nan)
    return xp.where(inside, factor * grad, edge).astype(a.dtype)


def _random_gamma_grad_kernel(xp: Any, a: Any, x: Any) -> Any:
    wide_a, wide_x = _doubles(xp, a, x)
    inside, grad = _scaled_grad(xp, wide_a, wide_x)
    edge = xp.where((wide_a > 0) & (wide_x == 0), 0.0, np.nan)
    return xp.where(inside, -wide_x * grad, edge).astype(a.dtype)


def _no_second(name: str) -> Any:
    def derivative(t: Any, ans: Any, a: Any, x: Any) -> Any:
        raise NotImplementedError(
            f"{name} cannot be differentiated: second derivatives of igamma in its parameter a "
            "are not implemented."
        )

    return derivative


igamma_grad_a_p = elementwise(
    "igamma_grad_a",
    _igamma_grad_a_kernel,
    [
        _no_second("igamma_grad_a"),
        # the order of derivatives does not matter: that in a, of the density
        lambda t, ans, a, x: mul(t, mul(_gamma_density(a, x), sub(log(x), digamma(a)))),
    ],
    kinds="f",
    samples=_samples,
)


def igamma_grad_a(a: Any, x: Any) -> Any:
    """Derivative of ``igamma(a, x)`` with respect to ``a``.

    >>> from adlib import lax
    >>> lax.igamma_grad_a(2.0, 3.0)
    Array(-0.19743, dtype=float32, weak_type=True)
    """
    return igamma_grad_a_p.bind(*operands("igamma_grad_a", a, x))


random_gamma_grad_p = elementwise(
    "random_gamma_grad",
    _random_gamma_grad_kernel,
    [_no_second("random_gamma_grad")] * 2,
    kinds="f",
    samples=_samples,
)


def random_gamma_grad(a: Any, x: Any) -> Any:
    """Derivative of a gamma(``a``) sample that came out as ``x``, with respect to ``a``.

    The sample at a fixed quantile moves by ``-(dP/da) / (dP/dx)`` (Figurnov et al., "Implicit
    reparameterization gradients", 2018).

    >>> from adlib import lax
    >>> lax.random_gamma_grad(2.0, 3.0)
    Array(1.32180, dtype=float32, weak_type=True)
    """
    return random_gamma_grad_p.bind(*operands("random_gamma_grad", a, x))


# ------------------------------------------------------------ incomplete beta


def _beta_parameter(t: Any, ans: Any, a: Any, b: Any, x: Any) -> Any:
    raise ValueError("Betainc gradient with respect to a and b not supported.")


def _beta_density(t: Any, ans: Any, a: Any, b: Any, x: Any) -> Any:
    log_beta = sub(add(lgamma(a), lgamma(b)), lgamma(add(a, b)))
    less = sub(b, full_like(b, 1))
    beside = mul(less, log1p(neg(x)))
    beside = select_n_p.bind(eq(less, full_like(less, 0)), beside, full_like(x, 0))
    return mul(t, exp(sub(add(_log_power(x, a), beside), log_beta)))


regularized_incomplete_beta_p = elementwise(
    "regularized_incomplete_beta",
    named("betainc"),
    [_beta_parameter, _beta_parameter, _beta_density],
    kinds="f",
    samples=lambda: [
        Sample((uniform(3, low=0.5, high=3), uniform(3, low=0.5, high=3), uniform(3))),
        Sample((np.float32(2), np.float32(1), uniform(2, 3)), name="scalar"),
    ],
)


def betainc(a: Any, b: Any, x: Any) -> Any:
    """Regularized incomplete beta function: the beta(a, b) distribution's share below ``x``.

    It can be differentiated in ``x``; ValueError in ``a`` and ``b``.

    >>> from adlib import lax
    >>> lax.betainc(2.0, 2.0, 0.5)
    Array(0.5, dtype=float32, weak_type=True)
    """
    return regularized_incomplete_beta_p.bind(*operands("betainc", a, b, x))
