"""Products with logarithms, 0 where the factor is 0; entropies made of them."""

from __future__ import annotations

from typing import Any

from adlib import lax
from adlib import numpy as jnp
from adlib.control.custom_jvp import custom_jvp
from adlib.core.array import Array
from adlib.numpy.promotion import promote_inexact
from adlib.scipy.special._arguments import real_inexact


def xlogy(x: Any, y: Any) -> Array:
    """``x * log(y)``, which is 0 where ``x`` is 0 and ``y`` any number.

    >>> from adlib.scipy import special
    >>> special.xlogy(0.0, 0.0), special.xlogy(2.0, 1.0)
    (Array(0., dtype=float32, weak_type=True), Array(0., dtype=float32, weak_type=True))
    """
    return _xlogy(*promote_inexact("xlogy", x, y))


@custom_jvp
def _xlogy(x: Any, y: Any) -> Array:
    zero = (x == 0) & (y == y)
    return jnp.where(zero, jnp.zeros_like(x), x * jnp.log(jnp.where(zero, 1, y)))


@_xlogy.defjvp
def _xlogy_jvp(primals: Any, tangents: Any) -> Any:
    (x, y), (tx, ty) = primals, tangents
    return _xlogy(x, y), (tx * jnp.log(y) + ty * (x / y)).astype(x.dtype)


def xlog1py(x: Any, y: Any) -> Array:
    """``x * log(1 + y)``, which is 0 where ``x`` is 0 and ``y`` any number.

    >>> from adlib.scipy import special
    >>> special.xlog1py(0.0, -1.0)
    Array(0., dtype=float32, weak_type=True)
    """
    return _xlog1py(*promote_inexact("xlog1py", x, y))


@custom_jvp
def _xlog1py(x: Any, y: Any) -> Array:
    zero = (x == 0) & (y == y)
    return jnp.where(zero, jnp.zeros_like(x), x * jnp.log1p(jnp.where(zero, 0, y)))


@_xlog1py.defjvp
def _xlog1py_jvp(primals: Any, tangents: Any) -> Any:
    (x, y), (tx, ty) = primals, tangents
    return _xlog1py(x, y), (tx * jnp.log1p(y) + ty * (x / (1 + y))).astype(x.dtype)


def entr(x: Any) -> Array:
    """``-x log(x)``: 0 at 0, and minus infinity below.

    >>> from adlib.scipy import special
    >>> special.entr(0.5)
    Array(0.34657, dtype=float32, weak_type=True)
    """
    (x,) = real_inexact("entr", x)
    return lax.select(x < 0, lax.full_like(x, -jnp.inf), lax.neg(_xlogy(x, x)))


def rel_entr(p: Any, q: Any) -> Array:
    """``p log(p / q)``: 0 where ``p`` is 0 and ``q`` is not negative; infinite outside.

    >>> from adlib.scipy import special
    >>> special.rel_entr(0.5, 0.25)
    Array(0.34657, dtype=float32, weak_type=True)
    """
    p, q = jnp.broadcast_arrays(*real_inexact("rel_entr", p, q, weak="first"))
    both, none = (p > 0) & (q > 0), (p == 0) & (q >= 0)
    safe_p, safe_q = jnp.where(both, p, 1), jnp.where(both, q, 1)
    value = safe_p * (jnp.log(safe_p) - jnp.log(safe_q))
    return jnp.where(both, value, jnp.where(none, 0.0, jnp.inf))


def kl_div(p: Any, q: Any) -> Array:
    """``p log(p / q) - p + q``: the summands of the Kullback–Leibler divergence.

    >>> from adlib.scipy import special
    >>> special.kl_div(0.5, 0.25)
    Array(0.09657, dtype=float32, weak_type=True)
    """
    p, q = real_inexact("kl_div", p, q, weak="first")
    return rel_entr(p, q) - p + q
