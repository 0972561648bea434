"""``adlib.scipy.stats.geom``: the geometric distribution: trials up to the first success."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpmf(k: Any, p: Any) -> Any:
    inside = (k >= 1) & (k == jnp.floor(k))
    k = jnp.where(inside, k, 1)
    return jnp.where(inside, special.xlog1py(k - 1, -p) + jnp.log(p), -jnp.inf)


_standard = {"logpmf": _logpmf}

_examples = {
    "logpmf": ("2, 0.3", "Array(-1.56065, dtype=float32, weak_type=True)"),
    "pmf": ("2, 0.3", "Array(0.21000, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "the geometric distribution: trials up to the first success",
    "p",
    _standard,
    _examples,
    parameters=("loc",),
    domain=lambda p: (p > 0) & (p <= 1),
)
