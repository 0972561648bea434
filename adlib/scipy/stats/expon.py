"""``adlib.scipy.stats.expon``: the exponential distribution."""

from __future__ import annotations

from adlib import numpy as jnp
from adlib.nn import log1mexp
from adlib.scipy.stats._families import publish, within

_standard = {
    "logpdf": lambda z: within(z >= 0, z, lambda z: -z, 0, -jnp.inf),
    "cdf": lambda z: within(z >= 0, z, lambda z: -jnp.expm1(-z), 0, 0),
    "logcdf": lambda z: within(z > 0, z, log1mexp, 1, -jnp.inf),
    "sf": lambda z: within(z >= 0, z, lambda z: jnp.exp(-z), 0, 1),
    "logsf": lambda z: within(z >= 0, z, lambda z: -z, 0, 0),
    "ppf": lambda q: within((q >= 0) & (q <= 1), q, lambda q: -jnp.log1p(-q), 0.5, jnp.nan),
}

_examples = {
    "cdf": ("0.5", "Array(0.39347, dtype=float32, weak_type=True)"),
    "logcdf": ("0.5", "Array(-0.93275, dtype=float32, weak_type=True)"),
    "logpdf": ("0.5", "Array(-0.50000, dtype=float32, weak_type=True)"),
    "logsf": ("0.5", "Array(-0.50000, dtype=float32, weak_type=True)"),
    "pdf": ("0.5", "Array(0.60653, dtype=float32, weak_type=True)"),
    "ppf": ("0.25", "Array(0.28768, dtype=float32, weak_type=True)"),
    "sf": ("0.5", "Array(0.60653, dtype=float32, weak_type=True)"),
}

publish(globals(), "the exponential distribution", "", _standard, _examples)
