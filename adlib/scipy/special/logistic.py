"""The logistic function, its inverse and its relatives; Box–Cox transformations."""

from __future__ import annotations

from typing import Any

from adlib import lax, nn
from adlib import numpy as jnp
from adlib.core.array import Array
from adlib.numpy.promotion import promote_inexact


def expit(x: Any) -> Array:
    """The sigmoid ``1 / (1 + exp(-x))``.

    >>> from adlib.scipy import special
    >>> special.expit(0.0)
    Array(0.5, dtype=float32, weak_type=True)
    """
    return lax.logistic(*promote_inexact("expit", x))


def logit(x: Any) -> Array:
    """``log(x / (1 - x))``, the inverse of ``expit``: infinite at 0 and 1.

    >>> from adlib.scipy import special
    >>> special.logit(0.5)
    Array(0., dtype=float32, weak_type=True)
    """
    (x,) = promote_inexact("logit", x)
    return jnp.log(x) - jnp.log1p(-x)


def softmax(x: Any, /, *, axis: Any = None) -> Array:
    """``exp(x) / sum(exp(x))`` along ``axis`` (an int, a tuple, or None for all).

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import special
    >>> special.softmax(jnp.zeros(2))
    Array([0.5, 0.5], dtype=float32)
    """
    return nn.softmax(x, axis=axis)


def log_softmax(x: Any, /, *, axis: Any = None) -> Array:
    """The logarithm of ``softmax``, computed without overflow.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import special
    >>> special.log_softmax(jnp.zeros(2))
    Array([-0.69315, -0.69315], dtype=float32)
    """
    return nn.log_softmax(x, axis=axis)


def boxcox(x: Any, lmbda: Any) -> Array:
    """``(x**lmbda - 1) / lmbda``, and ``log(x)`` where ``lmbda`` is 0 (Box and Cox 1964).

    >>> from adlib.scipy import special
    >>> special.boxcox(3.0, 2.0)
    Array(4., dtype=float32, weak_type=True)
    """
    x, lmbda = promote_inexact("boxcox", x, lmbda)
    return _power_below_one(jnp.log(x), lmbda)


def boxcox1p(x: Any, lmbda: Any) -> Array:
    """``boxcox(1 + x, lmbda)``, accurate for small ``x``.

    >>> from adlib.scipy import special
    >>> special.boxcox1p(2.0, 2.0)
    Array(4., dtype=float32, weak_type=True)
    """
    x, lmbda = promote_inexact("boxcox1p", x, lmbda)
    return _power_below_one(jnp.log1p(x), lmbda)


def _power_below_one(log: Any, power: Any) -> Array:
    """``(exp(power * log) - 1) / power`` with its limit; both derivatives are right at 0 too."""
    tiny = jnp.abs(power) < 1e-3
    safe = jnp.where(tiny, 1, power)
    t = power * log
    near = log * (1 + t / 2 + t**2 / 6 + t**3 / 24)
    return jnp.where(tiny & (jnp.abs(t) < 1e-2), near, _ratio(log, safe, tiny, power))


def _ratio(log: Any, safe: Any, tiny: Any, power: Any) -> Array:
    # a small power of a very large or small number still has its full value
    divisor = jnp.where(tiny & (power == 0), 1, jnp.where(tiny, power, safe))
    return jnp.where(power == 0, log, jnp.expm1(power * log) / divisor)
