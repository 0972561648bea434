"""``adlib.scipy.stats.beta``: the beta distribution."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpdf(z: Any, a: Any, b: Any) -> Any:
    inside = (z >= 0) & (z <= 1)
    z = jnp.where(inside, z, 0.5)
    log = special.xlogy(a - 1, z) + special.xlog1py(b - 1, -z) - special.betaln(a, b)
    return jnp.where(inside, log, -jnp.inf)


def _cdf(z: Any, a: Any, b: Any) -> Any:
    outside = (z < 0) | (z > 1)
    middle = special.betainc(a, b, jnp.where(outside, 0.5, z))
    return jnp.where(outside, jnp.where(z < 0, 0.0, 1.0), middle)


_standard = {
    "logpdf": lambda z, a, b: jnp.where(z != z, z, _logpdf(z, a, b)),
    "cdf": _cdf,
    "sf": lambda z, a, b: _cdf(1 - z, b, a),
}

_examples = {
    "cdf": ("0.25, 2.0, 3.0", "Array(0.26172, dtype=float32, weak_type=True)"),
    "logcdf": ("0.25, 2.0, 3.0", "Array(-1.34048, dtype=float32, weak_type=True)"),
    "logpdf": ("0.25, 2.0, 3.0", "Array(0.52325, dtype=float32, weak_type=True)"),
    "logsf": ("0.25, 2.0, 3.0", "Array(-0.30343, dtype=float32, weak_type=True)"),
    "pdf": ("0.25, 2.0, 3.0", "Array(1.68750, dtype=float32, weak_type=True)"),
    "sf": ("0.25, 2.0, 3.0", "Array(0.73828, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "the beta distribution",
    "a b",
    _standard,
    _examples,
    domain=lambda a, b: (a > 0) & (b > 0),
)
