"""``adlib.scipy.stats.poisson``: the Poisson distribution with the mean ``mu``."""

from __future__ import annotations

import math
from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpmf(k: Any, mu: Any) -> Any:
    inside = (k >= 0) & (k == jnp.floor(k))
    k = jnp.where(inside, k, 0)
    return jnp.where(inside, special.xlogy(k, mu) - special.gammaln(k + 1) - mu, -jnp.inf)


def _cdf(k: Any, mu: Any) -> Any:
    below = k < 0
    return jnp.where(below, 0, special.gammaincc(jnp.floor(jnp.where(below, 0, k)) + 1, mu))


def _entropy(mu: Any) -> Any:
    """The sum of -p log p over the counts that matter where the mean is small; its asymptotic
    series (in 1/mu) where it is large."""
    small = mu < _MANY
    few = jnp.where(small, mu, 1)
    counts = jnp.arange(_COUNTS, dtype=mu.dtype).reshape((-1,) + (1,) * mu.ndim)
    log = special.xlogy(counts, few) - special.gammaln(counts + 1) - few
    total = -jnp.sum(jnp.where(log > -80, jnp.exp(log) * log, 0), axis=0)
    large = jnp.where(small, _MANY, mu)
    series = 1 / 12 + (1 / 24 + 19 / 360 / large) / large
    return jnp.where(small, total, jnp.log(2 * math.pi * math.e * large) / 2 - series / large)


_MANY, _COUNTS = 100.0, 400

_standard = {"logpmf": _logpmf, "cdf": _cdf, "entropy": _entropy}

_examples = {
    "cdf": ("2, 2.5", "Array(0.54381, dtype=float32, weak_type=True)"),
    "entropy": ("2.5", "Array(1.83073, dtype=float32)"),
    "logpmf": ("2, 2.5", "Array(-1.36057, dtype=float32, weak_type=True)"),
    "pmf": ("2, 2.5", "Array(0.25652, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "the Poisson distribution with the mean ``mu``",
    "mu",
    _standard,
    _examples,
    parameters=("loc",),
    domain=lambda mu: mu >= 0,
)
