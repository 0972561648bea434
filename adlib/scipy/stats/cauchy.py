"""``adlib.scipy.stats.cauchy``: the Cauchy distribution."""

from __future__ import annotations

import math
from typing import Any

from adlib import numpy as jnp
from adlib.scipy.stats._families import publish


def _quantile(left: Any, right: Any) -> Any:
    """By the nearest of the ends and the middle: there the digits are kept."""
    end = jnp.where(left < 0.5, -1 / jnp.tan(math.pi * left), 1 / jnp.tan(math.pi * right))
    middle = (left > 0.25) & (right > 0.25)
    near = jnp.where(middle, jnp.tan(math.pi * (left - 0.5)), end)
    return jnp.where((left >= 0) & (right >= 0), near, jnp.nan)


_standard = {
    "logpdf": lambda z: -math.log(math.pi) - jnp.log1p(z**2),
    # by arctan2, small probabilities keep their relative accuracy in both tails
    "cdf": lambda z: jnp.arctan2(jnp.ones_like(z), -z) / math.pi,
    "sf": lambda z: jnp.arctan2(jnp.ones_like(z), z) / math.pi,
    "ppf": lambda q: _quantile(q, 1 - q),
    "isf": lambda q: _quantile(1 - q, q),
}

_examples = {
    "cdf": ("0.5", "Array(0.64758, dtype=float32, weak_type=True)"),
    "isf": ("0.25", "Array(1., dtype=float32, weak_type=True)"),
    "logcdf": ("0.5", "Array(-0.43451, dtype=float32, weak_type=True)"),
    "logpdf": ("0.5", "Array(-1.36787, dtype=float32, weak_type=True)"),
    "logsf": ("0.5", "Array(-1.04294, dtype=float32, weak_type=True)"),
    "pdf": ("0.5", "Array(0.25465, dtype=float32, weak_type=True)"),
    "ppf": ("0.25", "Array(-1., dtype=float32, weak_type=True)"),
    "sf": ("0.5", "Array(0.35242, dtype=float32, weak_type=True)"),
}

publish(globals(), "the Cauchy distribution", "", _standard, _examples)
