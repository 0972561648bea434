"""Integrals of the Gaussian: distribution functions, error functions, Dawson and Faddeeva."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.core.array import Array
from adlib.numpy.promotion import convert, promote_inexact
from adlib.ops import special_functions as ops
from adlib.scipy.special._arguments import real_inexact


def erf(x: Any) -> Array:
    """``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to ``x``.

    >>> from adlib.scipy import special
    >>> special.erf(0.5)
    Array(0.52050, dtype=float32, weak_type=True)
    """
    return lax.erf(*promote_inexact("erf", x))


def erfc(x: Any) -> Array:
    """``1 - erf(x)``, accurate where ``erf(x)`` is near 1.

    >>> from adlib.scipy import special
    >>> special.erfc(0.5)
    Array(0.47950, dtype=float32, weak_type=True)
    """
    return lax.erfc(*promote_inexact("erfc", x))


def erfcx(x: Any) -> Array:
    """``exp(x**2) * erfc(x)``, for ``x`` where ``erfc`` underflows.

    >>> from adlib.scipy import special
    >>> special.erfcx(100.0)
    Array(0.0056416, dtype=float32)
    """
    (x,) = promote_inexact("erfcx", x)
    if x.aval.dtype.kind == "c":
        return wofz(1j * x)
    return ops.erfcx_p.bind(convert(x, x.aval.dtype))


def erfinv(x: Any) -> Array:
    """The inverse of ``erf``: infinite at -1 and 1, NaN beyond.

    >>> from adlib.scipy import special
    >>> special.erfinv(0.5)
    Array(0.47694, dtype=float32, weak_type=True)
    """
    return lax.erf_inv(*promote_inexact("erfinv", x))


def ndtr(x: Any) -> Array:
    """The probability that a standard normal variable is at most ``x``.

    >>> from adlib.scipy import special
    >>> special.ndtr(1.0)
    Array(0.84134, dtype=float32)
    """
    (x,) = real_inexact("ndtr", jnp.asarray(x), weak="never")
    # erfc keeps its relative accuracy in the left tail
    scaled = lax.mul(x, lax.full_like(x, -math.sqrt(0.5)))
    return lax.mul(lax.full_like(x, 0.5), lax.erfc(scaled))


def ndtri(p: Any) -> Array:
    """The inverse of ``ndtr``: the quantile of the standard normal distribution.

    >>> from adlib.scipy import special
    >>> special.ndtri(0.84134475)
    Array(1.0000, dtype=float32)
    """
    return ops.ndtri_p.bind(*real_inexact("ndtri", p, weak="never"))


def log_ndtr(x: Any, series_order: int = 3) -> Array:
    """The logarithm of ``ndtr(x)``, accurate in both tails.

    ``series_order`` is taken for compatibility; the result is accurate without it.

    >>> from adlib.scipy import special
    >>> special.log_ndtr(-20.0)
    Array(-203.91716, dtype=float32)
    """
    return ops.log_ndtr_p.bind(*real_inexact("log_ndtr", jnp.asarray(x), weak="never"))


def dawsn(x: Any) -> Array:
    """Dawson's integral, ``exp(-x**2)`` times the integral of ``exp(t**2)`` from 0 to ``x``.

    >>> from adlib.scipy import special
    >>> special.dawsn(1.0)
    Array(0.53808, dtype=float32)
    """
    return ops.dawsn_p.bind(*real_inexact("dawsn", x, weak="never"))


def owens_t(h: Any, a: Any) -> Array:
    """Owen's T: the probability of ``X > h`` and ``0 < Y < a X`` for standard normal X and Y.

    >>> from adlib.scipy import special
    >>> special.owens_t(0.0, 1.0)
    Array(0.125, dtype=float32)
    """
    h, a = real_inexact("owens_t", h, a, weak="never")
    if h.aval.dtype.itemsize < 4:  # T is a difference of larger numbers
        h, a = (convert(x, np.dtype(np.float32)) for x in (h, a))
    return ops.owens_t_p.bind(h, a)


def wofz(z: Any) -> Array:
    """The Faddeeva function ``exp(-z**2) * erfc(-i z)``, a complex number.

    >>> from adlib.scipy import special
    >>> special.wofz(1j)
    Array(0.42758+0.j, dtype=complex64)
    """
    (z,) = promote_inexact("wofz", z)
    return ops.wofz_p.bind(convert(z, np.result_type(z.aval.dtype, np.complex64)))
