"""Incomplete gamma and beta functions, and the derivatives in their parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.backends.special import special
from adlib.core import dtypes
from adlib.core.primitive import Sample
from adlib.ops.arithmetic import add, div, eq, exp, gt, log, mul, neg, sub
from adlib.ops.bitwise import bitwise_and, bitwise_or
from adlib.ops.constructors import elementwise
from adlib.ops.elementary import log1p
from adlib.ops.hypergeometric import hyp1f1_series_p, hyp2f1_series_p
from adlib.ops.operands import operands, uniform
from adlib.ops.reshaping import broadcast_to, full_like
from adlib.ops.selection import select_n_p
from adlib.ops.special import digamma, lgamma, named, polygamma

# ----------------------------------------------------------- incomplete gamma


def _samples() -> list[Sample]:
    low = dict(low=0.5, high=3.0)
    return [
        Sample((uniform(2, 3, **low), uniform(2, 3, **low))),
        Sample((uniform(1, 3, **low), uniform(2, 3, **low)), name="broadcast"),
        Sample((uniform(**low), uniform(3, low=3.0, high=9.0)), name="tail"),
        Sample((uniform(3, dtype=dtypes.bfloat16, **low),) * 2, name="bfloat16"),
    ]


def _power_log(less: Any, x: Any, log_x: Any) -> Any:
    """``less * log_x``, and 0 where that is 0 times the infinite logarithm of ``x`` = 0.

    Elsewhere ``less`` = 0 is no special case: the product has its derivative in ``less``.
    """
    both = bitwise_and(eq(less, full_like(less, 0)), eq(x, full_like(x, 0)))
    log_x = broadcast_to(log_x, both.aval.shape)
    return mul(less, select_n_p.bind(both, log_x, full_like(log_x, 0)))


def _log_power(x: Any, a: Any) -> Any:
    """``(a - 1) * log(x)``, and 0 for ``a`` = 1 also at ``x`` = 0."""
    return _power_log(sub(a, full_like(a, 1)), x, log(x))


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


def _second_in_a(ans: Any, a: Any, x: Any) -> Any:
    """The second derivative of ``igamma(a, x)`` in ``a``."""
    a, x = (broadcast_to(v, ans.aval.shape) for v in (a, x))
    tail = gt(x, add(add(a, a), full_like(x, 8)))
    ten, one = (broadcast_to(full_like(x, v), x.aval.shape) for v in (10, 1))
    # the branch that is not taken gets harmless arguments
    near = _second_by_series(a, select_n_p.bind(tail, x, one))
    far = _second_in_the_tail(select_n_p.bind(tail, one, a), select_n_p.bind(tail, ten, x))
    return select_n_p.bind(tail, near, far)


def _second_by_series(a: Any, x: Any) -> Any:
    """Of ``P = x**a e**-x / Gamma(a + 1) * 1F1(1; a + 1; x)`` (DLMF 8.5.1)."""
    one = broadcast_to(full_like(a, 1), a.aval.shape)
    above = add(a, one)
    slope = sub(log(x), digamma(above))
    value = mul(igamma_p.bind(a, x), sub(mul(slope, slope), polygamma(one, above)))
    once, twice = (hyp1f1_series_p.bind(one, above, x, orders=(0, n, 0)) for n in (1, 2))
    factor = exp(sub(sub(mul(a, log(x)), x), lgamma(above)))
    return add(value, mul(factor, add(mul(add(slope, slope), once), twice)))


_NODES, _WEIGHTS = np.polynomial.laguerre.laggauss(32)


def _second_in_the_tail(a: Any, x: Any) -> Any:
    """Of ``1 - P``, the density times the integral of (1 + s/x)**(a-1) e**-s over s > 0.

    By Gauss and Laguerre's quadrature, exact to rounding for x > 2 a + 8.
    """
    moments = [broadcast_to(full_like(a, 0), a.aval.shape)] * 3
    less = sub(a, full_like(a, 1))
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        rise = log1p(div(full_like(x, node), x))
        term = mul(exp(mul(less, rise)), full_like(x, weight))
        for k in range(3):
            moments[k] = add(moments[k], term)
            term = mul(term, rise)
    slope = sub(log(x), digamma(a))
    first = mul(sub(mul(slope, slope), polygamma(full_like(a, 1), a)), moments[0])
    both = add(add(first, mul(add(slope, slope), moments[1])), moments[2])
    return neg(mul(_gamma_density(a, x), both))


igamma_grad_a_p = elementwise(
    "igamma_grad_a",
    _igamma_grad_a_kernel,
    [
        lambda t, ans, a, x: mul(t, _second_in_a(ans, a, x)),
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


# The next two differentiate -(dP/da) / p, p the density.


def _random_gamma_in_a(t: Any, ans: Any, a: Any, x: Any) -> Any:
    second = div(_second_in_a(ans, a, x), _gamma_density(a, x))
    return neg(mul(t, add(second, mul(ans, sub(log(x), digamma(a))))))


def _random_gamma_in_x(t: Any, ans: Any, a: Any, x: Any) -> Any:
    one = full_like(a, 1)
    own = mul(ans, sub(div(sub(a, one), x), one))
    return neg(mul(t, add(sub(log(x), digamma(a)), own)))


random_gamma_grad_p = elementwise(
    "random_gamma_grad",
    _random_gamma_grad_kernel,
    [_random_gamma_in_a, _random_gamma_in_x],
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


def _beta_parameter(place: int) -> Any:
    """Derivative in a or b, from that side of the mean on which the series converges fast.

    I_x(a, b) = x**a (1 - x)**b / (a B(a, b)) * 2F1(a + b, 1; a + 1; x) (DLMF 8.17.8), and
    I_x(a, b) = 1 - I_(1-x)(b, a).
    """

    def derivative(t: Any, ans: Any, a: Any, b: Any, x: Any) -> Any:
        a, b, x = (broadcast_to(v, ans.aval.shape) for v in (a, b, x))
        one = broadcast_to(full_like(a, 1), ans.aval.shape)
        half = broadcast_to(full_like(a, 0.5), ans.aval.shape)
        zero = broadcast_to(full_like(a, 0), ans.aval.shape)
        both = add(a, b)
        edge = bitwise_or(eq(x, zero), eq(x, one))
        x = select_n_p.bind(edge, x, half)
        turned = gt(mul(x, add(both, add(one, one))), add(a, one))
        p, q = select_n_p.bind(turned, a, b), select_n_p.bind(turned, b, a)
        y = select_n_p.bind(turned, x, sub(one, x))
        share = select_n_p.bind(turned, ans, sub(one, ans))
        log_y, log_rest = log(y), log1p(neg(y))
        log_factor = add(mul(p, log_y), mul(q, log_rest))
        log_factor = add(log_factor, sub(lgamma(both), add(lgamma(add(p, one)), lgamma(q))))
        factor, whole = exp(log_factor), digamma(both)

        def series(*orders: int) -> Any:
            return hyp2f1_series_p.bind(both, one, add(p, one), y, orders=(*orders, 0))

        in_p = mul(share, add(sub(log_y, digamma(add(p, one))), whole))
        in_p = add(in_p, mul(factor, add(series(1, 0, 0), series(0, 0, 1))))
        in_q = mul(share, add(sub(log_rest, digamma(q)), whole))
        in_q = add(in_q, mul(factor, series(1, 0, 0)))
        first, second = (in_p, in_q) if place == 0 else (in_q, in_p)
        return mul(t, select_n_p.bind(edge, select_n_p.bind(turned, first, neg(second)), zero))

    return derivative


def _beta_density(t: Any, ans: Any, a: Any, b: Any, x: Any) -> Any:
    log_beta = sub(add(lgamma(a), lgamma(b)), lgamma(add(a, b)))
    rest = sub(full_like(x, 1), x)
    beside = _power_log(sub(b, full_like(b, 1)), rest, log1p(neg(x)))
    return mul(t, exp(sub(add(_log_power(x, a), beside), log_beta)))


regularized_incomplete_beta_p = elementwise(
    "regularized_incomplete_beta",
    named("betainc"),
    [_beta_parameter(0), _beta_parameter(1), _beta_density],
    kinds="f",
    samples=lambda: [
        Sample((uniform(3, low=0.5, high=3), uniform(3, low=0.5, high=3), uniform(3))),
        Sample((np.float32(2), np.float32(1), uniform(2, 3)), name="scalar"),
    ],
)


def betainc(a: Any, b: Any, x: Any) -> Any:
    """Regularized incomplete beta function: the beta(a, b) distribution's share below ``x``.

    Differentiable in all arguments, to any order.

    >>> from adlib import lax
    >>> lax.betainc(2.0, 2.0, 0.5)
    Array(0.5, dtype=float32, weak_type=True)
    """
    return regularized_incomplete_beta_p.bind(*operands("betainc", a, b, x))
