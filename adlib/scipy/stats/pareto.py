"""``adlib.scipy.stats.pareto``: Pareto's distribution with the exponent ``b``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adlib import numpy as jnp
from adlib.scipy.stats._families import publish, within


def _beyond(z: Any, function: Callable[[Any], Any], outside: float) -> Any:
    return within(z >= 1, z, function, 1, outside)


_standard = {
    "logpdf": lambda z, b: _beyond(z, lambda z: jnp.log(b) - (b + 1) * jnp.log(z), -jnp.inf),
    "cdf": lambda z, b: _beyond(z, lambda z: -jnp.expm1(-b * jnp.log(z)), 0),
    "sf": lambda z, b: _beyond(z, lambda z: z**-b, 1),
    "logsf": lambda z, b: _beyond(z, lambda z: -b * jnp.log(z), 0),
    "ppf": lambda q, b: within((q >= 0) & (q <= 1), q, lambda q: (1 - q) ** (-1 / b), 0.5, jnp.nan),
}

_examples = {
    "cdf": ("2.0, 2.0", "Array(0.75000, dtype=float32, weak_type=True)"),
    "logcdf": ("2.0, 2.0", "Array(-0.28768, dtype=float32, weak_type=True)"),
    "logpdf": ("2.0, 2.0", "Array(-1.38629, dtype=float32, weak_type=True)"),
    "logsf": ("2.0, 2.0", "Array(-1.38629, dtype=float32, weak_type=True)"),
    "pdf": ("2.0, 2.0", "Array(0.25000, dtype=float32, weak_type=True)"),
    "ppf": ("0.25, 2.0", "Array(1.15470, dtype=float32, weak_type=True)"),
    "sf": ("2.0, 2.0", "Array(0.25000, dtype=float32, weak_type=True)"),
}

publish(
    globals(),
    "Pareto's distribution with the exponent ``b``",
    "b",
    _standard,
    _examples,
    domain=lambda b: b > 0,
)
