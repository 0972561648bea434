"""``adlib.scipy.stats.t``: Student's distribution with ``df`` degrees of freedom."""

from __future__ import annotations

import math
from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpdf(z: Any, df: Any) -> Any:
    half = (df + 1) / 2
    scale = special.gammaln(half) - special.gammaln(df / 2) - jnp.log(df * math.pi) / 2
    return scale - half * jnp.log1p(z**2 / df)


_standard = {"logpdf": _logpdf}

_examples = {
    "logpdf": ("0.5, 3.0", "Array(-1.16097, dtype=float32, weak_type=True)"),
    "pdf": ("0.5, 3.0", "Array(0.31318, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "Student's distribution with ``df`` degrees of freedom",
    "df",
    _standard,
    _examples,
    domain=lambda df: df > 0,
)
