"""``adlib.scipy.stats.bernoulli``: 1 with probability ``p``, else 0."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpmf(k: Any, p: Any) -> Any:
    log = special.xlogy(k, p) + special.xlog1py(1 - k, -p)
    return jnp.where((k == 0) | (k == 1), log, -jnp.inf)


def _ppf(q: Any, p: Any) -> Any:
    return jnp.where((q >= 0) & (q <= 1), jnp.where(q > 1 - p, 1.0, 0.0), jnp.full_like(p, jnp.nan))


def _cdf(k: Any, p: Any) -> Any:
    above = jnp.where(k == k, 1.0, jnp.nan)
    return jnp.where(k < 0, 0, jnp.where(k < 1, 1 - p, above))


def _domain(p: Any) -> Any:
    return (p >= 0) & (p <= 1)


_standard = {"logpmf": _logpmf}

_examples = {
    "logpmf": ("1, 0.3", "Array(-1.20397, dtype=float32, weak_type=True)"),
    "pmf": ("1, 0.3", "Array(0.30000, dtype=float32, weak_type=True)"),
}

_without_loc = {
    "cdf": ("0, 0.3", "Array(0.70000, dtype=float32, weak_type=True)"),
    "ppf": ("0.8, 0.3", "Array(1., dtype=float32, weak_type=True)"),
}

_TITLE = "the Bernoulli distribution, 1 with probability ``p`` and 0 else"

publish(globals(), _TITLE, "p", _standard, _examples, parameters=("loc",), domain=_domain)
publish(
    globals(),
    _TITLE,
    "p",
    {"cdf": _cdf, "ppf": _ppf},
    _without_loc,
    parameters=(),
    domain=_domain,
)
