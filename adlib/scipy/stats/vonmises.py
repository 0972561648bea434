"""``adlib.scipy.stats.vonmises``: von Mises' distribution on the circle."""

from __future__ import annotations

import math
from typing import Any

from adlib import numpy as jnp
from adlib.scipy import special
from adlib.scipy.stats._families import publish


def _logpdf(x: Any, kappa: Any) -> Any:
    return kappa * (jnp.cos(x) - 1) - jnp.log(2 * math.pi * special.i0e(kappa))


_standard = {"logpdf": _logpdf}

_examples = {
    "logpdf": ("0.5, 1.5", "Array(-1.02029, dtype=float32, weak_type=True)"),
    "pdf": ("0.5, 1.5", "Array(0.36049, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "von Mises' distribution on the circle with the concentration ``kappa``",
    "kappa",
    _standard,
    _examples,
    parameters=(),
    domain=lambda kappa: kappa >= 0,
)
