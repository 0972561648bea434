"""``adlib.scipy.stats.betabinom``: the beta-binomial distribution of ``n`` trials."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpmf(k: Any, n: Any, a: Any, b: Any) -> Any:
    inside = (k >= 0) & (k <= n) & (k == jnp.floor(k))
    k = jnp.where(inside, k, 0)
    ways = -jnp.log(n + 1) - special.betaln(n - k + 1, k + 1)
    log = ways + special.betaln(k + a, n - k + b) - special.betaln(a, b)
    return jnp.where(inside, log, -jnp.inf)


_standard = {"logpmf": _logpmf}

_examples = {
    "logpmf": ("2, 5, 2.0, 3.0", "Array(-1.43508, dtype=float32, weak_type=True)"),
    "pmf": ("2, 5, 2.0, 3.0", "Array(0.23810, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "the beta-binomial distribution of ``n`` trials",
    "n a b",
    _standard,
    _examples,
    parameters=("loc",),
    domain=lambda n, a, b: (n >= 0) & (a > 0) & (b > 0),
)
