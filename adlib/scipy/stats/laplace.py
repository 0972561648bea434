"""``adlib.scipy.stats.laplace``: Laplace's distribution."""

from __future__ import annotations

import math
from typing import Any

from adlib import numpy as jnp
from adlib.scipy.stats._families import publish

_standard = {
    "logpdf": lambda z: -jnp.abs(z) - math.log(2),
    "cdf": lambda z: _half_tail(-z),
}


def _half_tail(z: Any) -> Any:
    """The probability beyond ``z``."""
    tail = jnp.exp(-jnp.abs(z)) / 2
    return jnp.where(z > 0, tail, 1 - tail)


_examples = {
    "cdf": ("0.5", "Array(0.69673, dtype=float32, weak_type=True)"),
    "logpdf": ("0.5", "Array(-1.19315, dtype=float32, weak_type=True)"),
    "pdf": ("0.5", "Array(0.30327, dtype=float32, weak_type=True)"),
}

publish(globals(), "Laplace's distribution", "", _standard, _examples)
