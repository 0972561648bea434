"""``adlib.scipy.stats.gamma``: the gamma distribution."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpdf(z: Any, a: Any) -> Any:
    inside = z >= 0
    z = jnp.where(inside, z, 1)
    return jnp.where(inside, special.xlogy(a - 1, z) - z - special.gammaln(a), -jnp.inf)


_standard = {
    "logpdf": lambda z, a: jnp.where(z != z, z, _logpdf(z, a)),
    "cdf": lambda z, a: special.gammainc(a, jnp.clip(z, 0)),
    "sf": lambda z, a: special.gammaincc(a, jnp.clip(z, 0)),
}

_examples = {
    "cdf": ("0.5, 2.0", "Array(0.09020, dtype=float32, weak_type=True)"),
    "logcdf": ("0.5, 2.0", "Array(-2.40568, dtype=float32, weak_type=True)"),
    "logpdf": ("0.5, 2.0", "Array(-1.19315, dtype=float32, weak_type=True)"),
    "logsf": ("0.5, 2.0", "Array(-0.09453, dtype=float32, weak_type=True)"),
    "pdf": ("0.5, 2.0", "Array(0.30327, dtype=float32, weak_type=True)"),
    "sf": ("0.5, 2.0", "Array(0.90980, dtype=float32, weak_type=True)"),
}

publish(globals(), "the gamma distribution", "a", _standard, _examples, domain=lambda a: a > 0)
