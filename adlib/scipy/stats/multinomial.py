"""``adlib.scipy.stats.multinomial``: counts of ``n`` independent draws among several outcomes."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.core.array import Array
from adlib.numpy.promotion import promote_dtypes_inexact
from adlib.scipy import special


def logpmf(x: Any, n: Any, p: Any) -> Array:
    """Logarithm of the probability of the counts ``x`` in ``n`` draws.

    Args:
      x: counts, of shape ``(..., K)``.
      n: number of draws, which broadcasts against ``(...)``.
      p: probabilities of the outcomes, of shape ``(..., K)``.

    Returns:
      Array of shape ``(...)``; minus infinity where the counts do not sum to ``n``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import multinomial
    >>> multinomial.logpmf(jnp.array([1, 2]), 3, jnp.array([0.5, 0.5]))
    Array(-0.98083, dtype=float32)
    """
    p, counts, draws = promote_dtypes_inexact("multinomial.logpmf", p, x, n)
    whole = jnp.all((counts >= 0) & (counts == jnp.floor(counts)), axis=-1)
    possible = whole & (jnp.sum(counts, axis=-1) == draws)
    safe = jnp.where(possible[..., None], counts, 0)
    terms = special.xlogy(safe, p) - special.gammaln(safe + 1)
    return jnp.where(possible, special.gammaln(draws + 1) + jnp.sum(terms, axis=-1), -jnp.inf)


def pmf(x: Any, n: Any, p: Any) -> Array:
    """Probability of the counts ``x`` in ``n`` draws; see ``logpmf``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import multinomial
    >>> multinomial.pmf(jnp.array([1, 2]), 3, jnp.array([0.5, 0.5]))
    Array(0.375, dtype=float32)
    """
    return jnp.exp(logpmf(x, n, p))
