"""``adlib.scipy.stats.dirichlet``: Dirichlet's distribution on the simplex."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import promote_dtypes_inexact
from adlib.scipy import special


def logpdf(x: Any, alpha: Any) -> Array:
    """Logarithm of the density of Dirichlet's distribution.

    Args:
      x: array of shape ``(K, ...)`` whose first axis sums to 1, or ``(K - 1, ...)`` with the last
        entry left out.
      alpha: array of shape ``(K,)``, positive.

    Returns:
      Array of shape ``(...)``; minus infinity off the simplex.

    Raises:
      ValueError: shapes that do not fit.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import dirichlet
    >>> dirichlet.logpdf(jnp.array([0.25, 0.75]), jnp.array([2.0, 3.0]))
    Array(0.52325, dtype=float32)
    """
    alpha, x = promote_dtypes_inexact("dirichlet.logpdf", alpha, x)
    if alpha.ndim != 1 or x.ndim < 1 or x.shape[0] not in (alpha.size, alpha.size - 1):
        raise ValueError(
            "dirichlet.logpdf wants alpha of shape (K,) and x of shape (K, ...) or (K - 1, ...); "
            f"it was given alpha of shape {alpha.shape} and x of shape {x.shape}.{here()}"
        )
    total = jnp.sum(x, axis=0)
    if x.shape[0] == alpha.size - 1:
        x = jnp.concatenate([x, (1 - total)[None]])
        on_simplex = jnp.all((x > 0) & (x < 1), axis=0)
    else:
        near = jnp.abs(total - 1) < 1e3 * jnp.finfo(x.dtype).eps
        on_simplex = jnp.all((x > 0) & (x < 1), axis=0) & near
    alpha = alpha.reshape(alpha.shape + (1,) * (x.ndim - 1))
    scale = special.gammaln(jnp.sum(alpha)) - jnp.sum(special.gammaln(alpha))
    log = scale + jnp.sum(special.xlogy(alpha - 1, jnp.where(on_simplex, x, 0.5)), axis=0)
    return jnp.where(on_simplex, log, -jnp.inf)


def pdf(x: Any, alpha: Any) -> Array:
    """Density of Dirichlet's distribution; see ``logpdf``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import dirichlet
    >>> dirichlet.pdf(jnp.array([0.25, 0.75]), jnp.array([2.0, 3.0]))
    Array(1.6875, dtype=float32)
    """
    return jnp.exp(logpdf(x, alpha))
