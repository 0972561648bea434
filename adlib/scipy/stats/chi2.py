"""``adlib.scipy.stats.chi2``: the chi-squared distribution with ``df`` degrees of freedom."""

from __future__ import annotations

import math
from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpdf(z: Any, df: Any) -> Any:
    inside = z >= 0
    z, half = jnp.where(inside, z, 1), df / 2
    log = special.xlogy(half - 1, z) - z / 2 - special.gammaln(half) - half * math.log(2)
    return jnp.where(inside, log, -jnp.inf)


_standard = {
    "logpdf": lambda z, df: jnp.where(z != z, z, _logpdf(z, df)),
    "cdf": lambda z, df: special.gammainc(df / 2, jnp.clip(z, 0) / 2),
    "sf": lambda z, df: special.gammaincc(df / 2, jnp.clip(z, 0) / 2),
}

_examples = {
    "cdf": ("0.5, 3.0", "Array(0.08111, dtype=float32, weak_type=True)"),
    "logcdf": ("0.5, 3.0", "Array(-2.51197, dtype=float32, weak_type=True)"),
    "logpdf": ("0.5, 3.0", "Array(-1.51551, dtype=float32, weak_type=True)"),
    "logsf": ("0.5, 3.0", "Array(-0.08459, dtype=float32, weak_type=True)"),
    "pdf": ("0.5, 3.0", "Array(0.21970, dtype=float32, weak_type=True)"),
    "sf": ("0.5, 3.0", "Array(0.91889, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "the chi-squared distribution with ``df`` degrees of freedom",
    "df",
    _standard,
    _examples,
    domain=lambda df: df > 0,
)
