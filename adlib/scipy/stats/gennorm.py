"""``adlib.scipy.stats.gennorm``: the generalized normal distribution with the exponent ``beta``."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpdf(z: Any, beta: Any) -> Any:
    return jnp.log(beta / 2) - special.gammaln(1 / beta) - jnp.abs(z) ** beta


def _cdf(z: Any, beta: Any) -> Any:
    return (1 + jnp.sign(z) * special.gammainc(1 / beta, jnp.abs(z) ** beta)) / 2


_standard = {"logpdf": _logpdf, "cdf": _cdf}

_examples = {
    "cdf": ("0.5, 1.5", "Array(0.74175, dtype=float32, weak_type=True)"),
    "logpdf": ("0.5, 1.5", "Array(-0.94439, dtype=float32, weak_type=True)"),
    "pdf": ("0.5, 1.5", "Array(0.38892, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "the generalized normal distribution with the exponent ``beta``",
    "beta",
    _standard,
    _examples,
    parameters=(),
    domain=lambda beta: beta > 0,
)
