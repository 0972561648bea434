"""``adlib.scipy.stats.logistic``: the logistic distribution."""

from __future__ import annotations

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish

_standard = {
    "logpdf": lambda z: -jnp.abs(z) - 2 * jnp.log1p(jnp.exp(-jnp.abs(z))),
    "cdf": special.expit,
    "sf": lambda z: special.expit(-z),
    "ppf": special.logit,
    "isf": lambda q: -special.logit(q),
}

_examples = {
    "cdf": ("0.5", "Array(0.62246, dtype=float32, weak_type=True)"),
    "isf": ("0.25", "Array(1.09861, dtype=float32, weak_type=True)"),
    "logpdf": ("0.5", "Array(-1.44815, dtype=float32, weak_type=True)"),
    "pdf": ("0.5", "Array(0.23500, dtype=float32, weak_type=True)"),
    "ppf": ("0.25", "Array(-1.09861, dtype=float32, weak_type=True)"),
    "sf": ("0.5", "Array(0.37754, dtype=float32, weak_type=True)"),
}

publish(globals(), "the logistic distribution", "", _standard, _examples)
