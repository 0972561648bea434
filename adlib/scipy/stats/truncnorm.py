"""``adlib.scipy.stats.truncnorm``: the normal distribution cut off at ``a`` and ``b``."""

from __future__ import annotations

import math
from typing import Any

from adlib import numpy as jnp
from adlib.nn import log1mexp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _log_mass(low: Any, high: Any) -> Any:
    """log of the normal probability from ``low`` to ``high``, which is positive.

    Both tails are taken from the side where they are small.
    """
    flip = low > 0
    low, high = jnp.where(flip, -high, low), jnp.where(flip, -low, high)
    left, right = special.log_ndtr(low), special.log_ndtr(high)
    one_side = high <= 0
    near = right + log1mexp(jnp.where(one_side, right - left, 1))
    across = jnp.log1p(-special.ndtr(low) - special.ndtr(-high))
    return jnp.where(one_side, near, across)


def _logpdf(z: Any, a: Any, b: Any) -> Any:
    log = -(z**2) / 2 - 0.5 * math.log(2 * math.pi) - _log_mass(a, b)
    return jnp.where((z < a) | (z > b), -jnp.inf, log)


def _logcdf(z: Any, a: Any, b: Any) -> Any:
    inside = (z > a) & (z < b)
    middle = jnp.where(inside, z, (a + b) / 2)
    log = _log_mass(a, middle) - _log_mass(a, b)
    return jnp.where(inside, log, jnp.where(z >= b, 0, jnp.where(z <= a, -jnp.inf, jnp.nan)))


_standard = {
    "logpdf": _logpdf,
    "logcdf": _logcdf,
    "logsf": lambda z, a, b: _logcdf(-z, -b, -a),
}

_examples = {
    "cdf": ("0.5, -1.0, 2.0", "Array(0.65088, dtype=float32)"),
    "logcdf": ("0.5, -1.0, 2.0", "Array(-0.42943, dtype=float32)"),
    "logpdf": ("0.5, -1.0, 2.0", "Array(-0.84377, dtype=float32)"),
    "logsf": ("0.5, -1.0, 2.0", "Array(-1.05234, dtype=float32)"),
    "pdf": ("0.5, -1.0, 2.0", "Array(0.43009, dtype=float32)"),
    "sf": ("0.5, -1.0, 2.0", "Array(0.34912, dtype=float32)"),
}

publish(
    globals(),
    "the normal distribution cut off at ``a`` and ``b``",
    "a b",
    _standard,
    _examples,
    domain=lambda a, b: a < b,
)
