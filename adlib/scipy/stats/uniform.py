"""``adlib.scipy.stats.uniform``: the uniform distribution from ``loc`` to ``loc + scale``."""

from __future__ import annotations

from adlib import numpy as jnp
from adlib.scipy.stats._families import publish, within

_standard = {
    "logpdf": lambda z: within((z >= 0) & (z <= 1), z, jnp.zeros_like, 0.5, -jnp.inf),
    "cdf": lambda z: jnp.clip(z, 0, 1),
    "ppf": lambda q: within((q >= 0) & (q <= 1), q, lambda q: q, 0.5, jnp.nan),
}

_examples = {
    "cdf": ("0.25", "Array(0.25000, dtype=float32)"),
    "logpdf": ("0.25", "Array(0., dtype=float32, weak_type=True)"),
    "pdf": ("0.25", "Array(1., dtype=float32, weak_type=True)"),
    "ppf": ("0.25", "Array(0.25000, dtype=float32, weak_type=True)"),
}

publish(
    globals(), "the uniform distribution from ``loc`` to ``loc + scale``", "", _standard, _examples
)
