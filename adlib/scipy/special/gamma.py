"""Gamma and beta functions, their logarithms and integrals; factorials; zeta."""

from __future__ import annotations

import functools
import math
import operator
from fractions import Fraction
from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array
from adlib.numpy.promotion import convert, promote_inexact, to_arrays
from adlib.scipy.special._arguments import real_inexact
from adlib.scipy.special.complex_gamma import complex_loggamma


def gammaln(x: Any) -> Array:
    """The logarithm of the absolute value of ``gamma(x)``.

    >>> from adlib.scipy import special
    >>> special.gammaln(5.0)
    Array(3.17805, dtype=float32, weak_type=True)
    """
    return lax.lgamma(*real_inexact("gammaln", x))


def loggamma(x: Any) -> Array:
    """The principal branch of the logarithm of gamma: for real ``x`` NaN below 0, where gamma
    is negative or has a branch cut; of complex numbers everywhere.

    >>> from adlib.scipy import special
    >>> special.loggamma(5.0), special.loggamma(-0.5)
    (Array(3.17805, dtype=float32, weak_type=True), Array(nan, dtype=float32, weak_type=True))
    """
    (x,) = promote_inexact("loggamma", x)
    if x.aval.dtype.kind == "c":
        return complex_loggamma(convert(x, x.aval.dtype))
    return jnp.where(x < 0, jnp.nan, lax.lgamma(jnp.where(x < 0, 1, x)))


def gammasgn(x: Any) -> Array:
    """The sign of ``gamma(x)``; NaN at the poles -1, -2, …, and the sign of the zero at 0.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import special
    >>> special.gammasgn(jnp.array([-1.5, -0.5, 2.0]))
    Array([ 1., -1.,  1.], dtype=float32)
    """
    (x,) = real_inexact("gammasgn", x)
    floor = jnp.floor(x)
    negative = jnp.where(floor % 2 == 0, 1, -1).astype(x.dtype)
    below = jnp.where(x == floor, jnp.nan, negative)
    at_zero = jnp.where(jnp.signbit(x), -1, 1)
    sign = jnp.where(x < 0, below, jnp.where(x == 0, at_zero, 1))
    return jnp.where((x == -jnp.inf) | (x != x), jnp.nan, sign).astype(x.dtype)


def gamma(x: Any) -> Array:
    """The gamma function of real or complex numbers: ``(n - 1)!`` at whole numbers; NaN at
    -1, -2, ….

    >>> from adlib.scipy import special
    >>> special.gamma(5.0).round(2)
    Array(24., dtype=float32)
    """
    (x,) = promote_inexact("gamma", x)
    if x.aval.dtype.kind == "c":
        return jnp.exp(complex_loggamma(convert(x, x.aval.dtype)))
    return gammasgn(x) * jnp.exp(lax.lgamma(x))


def digamma(x: Any) -> Array:
    """The logarithmic derivative of ``gamma``.

    >>> from adlib.scipy import special
    >>> special.digamma(1.0)
    Array(-0.57722, dtype=float32, weak_type=True)
    """
    return lax.digamma(*real_inexact("digamma", x))


def polygamma(n: Any, x: Any) -> Array:
    """Derivative number ``n``, an integer, of ``digamma``; differentiable in ``x``.

    Raises ValueError for other orders, and for derivatives with respect to them.

    >>> from adlib.scipy import special
    >>> special.polygamma(1, 1.0)
    Array(1.64493, dtype=float32, weak_type=True)
    """
    order = to_arrays("polygamma", n)[0].aval.dtype
    if not dtypes.is_integer(order):
        raise ValueError(
            f"polygamma: the order n must be an integer, got dtype {order.name}.{here()}\n  "
            "Repair: lax.polygamma takes orders as floats."
        )
    return lax.polygamma(*real_inexact("polygamma", n, x))


def zeta(x: Any, q: Any = None) -> Array:
    """Hurwitz's zeta function; Riemann's where ``q`` is left out. Differentiable in both.

    >>> from adlib.scipy import special
    >>> special.zeta(2.0)
    Array(1.64493, dtype=float32, weak_type=True)
    """
    return lax.zeta(*promote_inexact("zeta", x, 1.0 if q is None else q))


def gammainc(a: Any, x: Any) -> Array:
    """The regularized lower incomplete gamma function.

    >>> from adlib.scipy import special
    >>> special.gammainc(1.0, 1.0)
    Array(0.63212, dtype=float32, weak_type=True)
    """
    return lax.igamma(*real_inexact("gammainc", a, x))


def gammaincc(a: Any, x: Any) -> Array:
    """The regularized upper incomplete gamma function, ``1 - gammainc(a, x)``.

    >>> from adlib.scipy import special
    >>> special.gammaincc(1.0, 1.0)
    Array(0.36788, dtype=float32, weak_type=True)
    """
    return lax.igammac(*real_inexact("gammaincc", a, x))


def multigammaln(a: Any, d: Any) -> Array:
    """The logarithm of the gamma function of ``d`` dimensions, for ``a > (d - 1) / 2``.

    Raises:
      TypeError: if ``d`` is not a whole number that is known.

    >>> from adlib.scipy import special
    >>> special.multigammaln(3.0, 2)
    Array(1.5502, dtype=float32)
    """
    (a,) = real_inexact("multigammaln", a, weak="never")
    count = int(d) if isinstance(d, float) and d == int(d) else operator.index(d)
    total = sum(lax.lgamma(a - i / 2) for i in range(count))
    return total + count * (count - 1) / 4 * math.log(math.pi)


def betaln(a: Any, b: Any) -> Array:
    """The logarithm of the absolute value of ``beta(a, b)``.

    >>> from adlib.scipy import special
    >>> special.betaln(2.0, 3.0)
    Array(-2.48491, dtype=float32, weak_type=True)
    """
    a, b = real_inexact("betaln", a, b)
    return lax.lgamma(a) + lax.lgamma(b) - lax.lgamma(a + b)


def beta(a: Any, b: Any) -> Array:
    """``gamma(a) gamma(b) / gamma(a + b)``.

    >>> from adlib.scipy import special
    >>> special.beta(2.0, 3.0)
    Array(0.08333, dtype=float32)
    """
    a, b = real_inexact("beta", a, b)
    return gammasgn(a) * gammasgn(b) * gammasgn(a + b) * jnp.exp(betaln(a, b))


def betainc(a: Any, b: Any, x: Any) -> Array:
    """The regularized incomplete beta function; differentiable in ``x``.

    >>> from adlib.scipy import special
    >>> special.betainc(1.0, 1.0, 0.25)
    Array(0.25, dtype=float32, weak_type=True)
    """
    return lax.betainc(*real_inexact("betainc", a, b, x))


def factorial(n: Any, exact: bool = False) -> Array:
    """``gamma(n + 1)``, and 0 for negative ``n``.

    Raises:
      NotImplementedError: for ``exact=True``, which would need integers of any size.

    >>> from adlib.scipy import special
    >>> special.factorial(4).round(3)
    Array(24., dtype=float32, weak_type=True)
    """
    if exact:
        raise NotImplementedError(
            f"factorial(exact=True) is not supported: arrays hold integers of 64 bits at most."
            f"{here()}\n  Repair: math.factorial gives exact integers."
        )
    (n,) = real_inexact("factorial", n)
    return jnp.where(n < 0, 0, jnp.exp(lax.lgamma(jnp.where(n < 0, 0, n) + 1)))


def poch(z: Any, m: Any) -> Array:
    """The Pochhammer symbol, ``gamma(z + m) / gamma(z)``: the rising factorial.

    >>> from adlib.scipy import special
    >>> special.poch(3.0, 2.0).round(3)
    Array(12., dtype=float32)
    """
    z, m = real_inexact("poch", z, m)
    ratio = gammasgn(z) * gammasgn(z + m) * jnp.exp(lax.lgamma(z + m) - lax.lgamma(z))
    return jnp.where(m == 0, 1, ratio)


def comb(N: Any, k: Any, *, repetition: bool = False) -> Array:
    """How many ways there are to choose ``k`` of ``N`` things; 0 where there are none.

    >>> from adlib.scipy import special
    >>> special.comb(5, 2).round(3)
    Array(10., dtype=float32, weak_type=True)
    """
    n, k = real_inexact("comb", N, k)
    if repetition:
        n = jnp.where((n == 0) & (k == 0), 1, n) + k - 1
    possible = (n >= 0) & (k >= 0) & (k <= n)
    n, k = jnp.where(possible, n, 0), jnp.where(possible, k, 0)
    ways = jnp.exp(lax.lgamma(n + 1) - lax.lgamma(k + 1) - lax.lgamma(n - k + 1))
    return jnp.where(possible, ways, 0)


def bernoulli(n: int) -> Array:
    """The Bernoulli numbers B₀ to Bₙ, with B₁ = -1/2.

    Raises:
      ValueError: for a negative ``n``.

    >>> from adlib.scipy import special
    >>> special.bernoulli(4)
    Array([ 1.     , -0.5    ,  0.16667,  0.     , -0.03333], dtype=float32)
    """
    last = operator.index(n)
    if last < 0:
        raise ValueError(f"bernoulli wants n of 0 or more; it was given {n}.{here()}")
    return jnp.asarray(np.array([float(b) for b in _bernoulli_numbers(last)]))


@functools.cache
def _bernoulli_numbers(last: int) -> list[Fraction]:
    """By the sum of ``comb(m + 1, k) B(k)`` over k = 0, …, m, which is 0 for m > 0."""
    numbers = [Fraction(1)]
    for m in range(1, last + 1):
        if m > 1 and m % 2:
            numbers.append(Fraction(0))
            continue
        total = sum(math.comb(m + 1, k) * b for k, b in enumerate(numbers))
        numbers.append(-total / (m + 1))
    return numbers
