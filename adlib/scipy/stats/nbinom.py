"""``adlib.scipy.stats.nbinom``: failures before success number ``n``."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpmf(k: Any, n: Any, p: Any) -> Any:
    inside = (k >= 0) & (k == jnp.floor(k))
    k = jnp.where(inside, k, 0)
    ways = special.gammaln(k + n) - special.gammaln(n) - special.gammaln(k + 1)
    return jnp.where(inside, ways + special.xlogy(n, p) + special.xlog1py(k, -p), -jnp.inf)


_standard = {"logpmf": _logpmf}

_examples = {
    "logpmf": ("2, 3, 0.3", "Array(-2.53351, dtype=float32, weak_type=True)"),
    "pmf": ("2, 3, 0.3", "Array(0.07938, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "the negative binomial distribution: failures before success number ``n``",
    "n p",
    _standard,
    _examples,
    parameters=("loc",),
    domain=lambda n, p: (n > 0) & (p > 0) & (p <= 1),
)
