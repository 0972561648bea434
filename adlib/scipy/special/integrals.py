"""Integrals of exponentials, sines and logarithms; hypergeometric functions."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import convert, promote_inexact
from adlib.ops import special_functions as ops
from adlib.ops.hypergeometric import hyp1f1_p, hyp2f1_p
from adlib.scipy.special._arguments import real_inexact


def exp1(x: Any) -> Array:
    """The integral of ``exp(-t) / t`` from ``x`` to infinity.

    >>> from adlib.scipy import special
    >>> special.exp1(1.0)
    Array(0.21938, dtype=float32)
    """
    return ops.exp1_p.bind(*real_inexact("exp1", x, weak="never"))


def expi(x: Any) -> Array:
    """The principal value of the integral of ``exp(t) / t`` from minus infinity to ``x``.

    >>> from adlib.scipy import special
    >>> special.expi(1.0)
    Array(1.89512, dtype=float32)
    """
    return ops.expi_p.bind(*real_inexact("expi", x, weak="never"))


def expn(n: Any, x: Any) -> Array:
    """The integral of ``exp(-x t) / t**n`` over t from 1 to infinity, for n = 0, 1, 2, ….

    It can be differentiated in ``x``; ValueError in ``n``.

    >>> from adlib.scipy import special
    >>> special.expn(2, 1.0)
    Array(0.14849, dtype=float32)
    """
    return ops.expn_p.bind(*real_inexact("expn", n, jnp.asarray(x), weak="never"))


def sici(x: Any) -> tuple[Array, Array]:
    """The integrals of ``sin(t) / t`` from 0 to ``x`` and of ``-cos(t) / t`` from ``x`` on.

    >>> from adlib.scipy import special
    >>> special.sici(1.0)[0]
    Array(0.94608, dtype=float32)
    """
    (x,) = real_inexact("sici", x, weak="never")
    return ops.si_p.bind(x), ops.ci_p.bind(x)


def fresnel(x: Any) -> tuple[Array, Array]:
    """Fresnel's integrals of ``sin(pi t**2 / 2)`` and ``cos(pi t**2 / 2)`` from 0 to ``x``.

    >>> from adlib.scipy import special
    >>> special.fresnel(1.0)[0]
    Array(0.43826, dtype=float32)
    """
    (x,) = promote_inexact("fresnel", x)
    if x.aval.dtype.kind == "c":
        raise NotImplementedError(
            f"fresnel does not support complex-valued inputs.{here()}\n  Repair: the integrals are "
            "parts of special.wofz, which takes complex numbers."
        )
    x = convert(x, x.aval.dtype)
    return ops.fresnel_s_p.bind(x), ops.fresnel_c_p.bind(x)


def spence(x: Any) -> Array:
    """The integral of ``log(t) / (1 - t)`` from 1 to ``x``: the dilogarithm of ``1 - x``.

    >>> from adlib.scipy import special
    >>> special.spence(0.0)
    Array(1.64493, dtype=float32)
    """
    return ops.spence_p.bind(*real_inexact("spence", jnp.asarray(x), weak="never"))


def hyp1f1(a: Any, b: Any, x: Any) -> Array:
    """Kummer's confluent hypergeometric function: the sum of ``(a)_k / (b)_k x**k / k!``.

    Differentiable in all arguments, to any order.

    >>> from adlib.scipy import special
    >>> special.hyp1f1(1.0, 1.0, 1.0)
    Array(2.71828, dtype=float32)
    """
    return hyp1f1_p.bind(*real_inexact("hyp1f1", a, b, x, weak="never"))


def hyp2f1(a: Any, b: Any, c: Any, x: Any) -> Array:
    """Gauss's hypergeometric function: the sum of ``(a)_k (b)_k / (c)_k x**k / k!``.

    Differentiable in all arguments, to any order; derivatives in the parameters are summed for
    ``x < 1`` and NaN beyond.

    >>> from adlib.scipy import special
    >>> special.hyp2f1(1.0, 1.0, 2.0, 0.5)
    Array(1.38629, dtype=float32)
    """
    return hyp2f1_p.bind(*real_inexact("hyp2f1", a, b, c, x, weak="never"))
