"""Bessel functions of whole order."""

from __future__ import annotations

import operator
from typing import Any

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import promote_inexact
from adlib.ops.special_functions import bessel_jn_p
from adlib.scipy.special._arguments import real_inexact


def bessel_jn(z: Any, *, v: int, n_iter: int = 50) -> Array:
    """Bessel functions of the first kind of the orders 0 to ``v``.

    Args:
      z: real array.
      v: highest order, a Python int.
      n_iter: taken for compatibility; the result is accurate without it.

    Returns:
      Array of shape ``(v + 1, *z.shape)``.

    Raises:
      ValueError: for a negative ``v``.

    >>> from adlib.scipy import special
    >>> special.bessel_jn(1.0, v=1)
    Array([0.76520 , 0.44005], dtype=float32)
    """
    order = operator.index(v)
    if order < 0:
        raise ValueError(f"bessel_jn wants an order v of 0 or more; it was given {v}.{here()}")
    (z,) = real_inexact("bessel_jn", z, weak="never")
    return jnp.stack([bessel_jn_p.bind(z, n=n) for n in range(order + 1)])


def i0(x: Any) -> Array:
    """Modified Bessel function of the first kind, of order 0.

    >>> from adlib.scipy import special
    >>> special.i0(1.0)
    Array(1.26607, dtype=float32, weak_type=True)
    """
    (x,) = promote_inexact("i0", x)
    return lax.mul(lax.exp(lax.abs(x)), lax.bessel_i0e(x))


def i0e(x: Any) -> Array:
    """``i0(x) * exp(-abs(x))``, which does not overflow.

    >>> from adlib.scipy import special
    >>> special.i0e(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    return lax.bessel_i0e(*promote_inexact("i0e", x))


def i1(x: Any) -> Array:
    """Modified Bessel function of the first kind, of order 1.

    >>> from adlib.scipy import special
    >>> special.i1(1.0)
    Array(0.56516, dtype=float32, weak_type=True)
    """
    (x,) = promote_inexact("i1", x)
    return lax.mul(lax.exp(lax.abs(x)), lax.bessel_i1e(x))


def i1e(x: Any) -> Array:
    """``i1(x) * exp(-abs(x))``, which does not overflow.

    >>> from adlib.scipy import special
    >>> special.i1e(1.0)
    Array(0.20791, dtype=float32, weak_type=True)
    """
    return lax.bessel_i1e(*promote_inexact("i1e", x))
