"""``adlib.scipy.stats.gumbel_l``: Gumbel's distribution of minima."""

from __future__ import annotations

from adlib import numpy as jnp
from adlib.scipy.stats._families import publish

_standard = {
    "logpdf": lambda z: z - jnp.exp(z),
    "cdf": lambda z: -jnp.expm1(-jnp.exp(z)),
    "sf": lambda z: jnp.exp(-jnp.exp(z)),
    "logsf": lambda z: -jnp.exp(z),
    "ppf": lambda q: jnp.log(-jnp.log1p(-q)),
}

_examples = {
    "cdf": ("0.5", "Array(0.80770, dtype=float32, weak_type=True)"),
    "logcdf": ("0.5", "Array(-0.21356, dtype=float32, weak_type=True)"),
    "logpdf": ("0.5", "Array(-1.14872, dtype=float32, weak_type=True)"),
    "logsf": ("0.5", "Array(-1.64872, dtype=float32, weak_type=True)"),
    "pdf": ("0.5", "Array(0.31704, dtype=float32, weak_type=True)"),
    "ppf": ("0.25", "Array(-1.24590, dtype=float32, weak_type=True)"),
    "sf": ("0.5", "Array(0.19230, dtype=float32, weak_type=True)"),
}

publish(globals(), "Gumbel's distribution of minima", "", _standard, _examples)
