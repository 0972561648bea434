"""``adlib.scipy.stats.binom``: successes in ``n`` trials."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpmf(k: Any, n: Any, p: Any) -> Any:
    inside = (k >= 0) & (k <= n) & (k == jnp.floor(k))
    k = jnp.where(inside, k, 0)
    ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return jnp.where(inside, ways + special.xlogy(k, p) + special.xlog1py(n - k, -p), -jnp.inf)


_standard = {"logpmf": _logpmf}

_examples = {
    "logpmf": ("2, 5, 0.3", "Array(-1.17539, dtype=float32, weak_type=True)"),
    "pmf": ("2, 5, 0.3", "Array(0.30870, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "the binomial distribution: successes in ``n`` trials of probability ``p``",
    "n p",
    _standard,
    _examples,
    parameters=("loc",),
    domain=lambda n, p: (n >= 0) & (p >= 0) & (p <= 1),
)
