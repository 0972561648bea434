"""``adlib.scipy.stats.gumbel_r``: Gumbel's distribution of maxima."""

from __future__ import annotations

from adlib import numpy as jnp
from adlib.scipy.stats._families import publish

_standard = {
    "logpdf": lambda z: -(z + jnp.exp(-z)),
    "cdf": lambda z: jnp.exp(-jnp.exp(-z)),
    "logcdf": lambda z: -jnp.exp(-z),
    "sf": lambda z: -jnp.expm1(-jnp.exp(-z)),
    "ppf": lambda q: -jnp.log(-jnp.log(q)),
}

_examples = {
    "cdf": ("0.5", "Array(0.54524, dtype=float32, weak_type=True)"),
    "logcdf": ("0.5", "Array(-0.60653, dtype=float32, weak_type=True)"),
    "logpdf": ("0.5", "Array(-1.10653, dtype=float32, weak_type=True)"),
    "logsf": ("0.5", "Array(-0.78798, dtype=float32, weak_type=True)"),
    "pdf": ("0.5", "Array(0.33070, dtype=float32, weak_type=True)"),
    "ppf": ("0.25", "Array(-0.32663, dtype=float32, weak_type=True)"),
    "sf": ("0.5", "Array(0.45476, dtype=float32, weak_type=True)"),
}

publish(globals(), "Gumbel's distribution of maxima", "", _standard, _examples)
