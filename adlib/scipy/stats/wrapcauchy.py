"""``adlib.scipy.stats.wrapcauchy``: the wrapped Cauchy distribution on 0 to 2 pi."""

from __future__ import annotations

import math
from typing import Any

from adlib import numpy as jnp
from adlib.scipy.stats._families import publish


def _logpdf(x: Any, c: Any) -> Any:
    log = jnp.log1p(-(c**2)) - math.log(2 * math.pi) - jnp.log1p(c**2 - 2 * c * jnp.cos(x))
    return jnp.where((x < 0) | (x > 2 * math.pi), -jnp.inf, log)


_standard = {"logpdf": _logpdf}

_examples = {
    "logpdf": ("1.0, 0.4", "Array(-1.69444, dtype=float32, weak_type=True)"),
    "pdf": ("1.0, 0.4", "Array(0.18370, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "the wrapped Cauchy distribution on 0 to 2 pi",
    "c",
    _standard,
    _examples,
    parameters=(),
    domain=lambda c: (c > 0) & (c < 1),
)
