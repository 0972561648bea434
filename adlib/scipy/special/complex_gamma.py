"""The logarithm of gamma in the complex plane: Stirling's series, recurrence and reflection.

The reflection formula is used in the upper half plane, where the logarithm of sin(pi z) has one
analytic branch; the lower one follows by conjugation (Hare, "Computing the principal branch of
log-Gamma", 1997).
"""

from __future__ import annotations

import math
from typing import Any

from adlib import numpy as jnp

# B(2k) / (2k (2k - 1)) for k = 1, 2, …: the coefficients of 1 / z ** (2k - 1)
_SERIES = (
    1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400
)  # fmt: skip
_SHIFT = 8


def complex_loggamma(z: Any) -> Any:
    """The principal branch of log(gamma(z)), cut along the negative real axis."""
    below = jnp.signbit(z.imag)
    upper = jnp.where(below, z.conj(), z)
    left = upper.real < 0.5
    right = _stirling(jnp.where(left, 1 - upper, upper))
    inside = jnp.where(left, upper, 0.25)  # reflection is not asked of the others
    value = jnp.where(left, math.log(math.pi) - _log_sine(inside) - right, right)
    pole = (z.imag == 0) & (z.real <= 0) & (z.real == jnp.round(z.real))
    return jnp.where(pole, complex(math.nan, math.nan), jnp.where(below, value.conj(), value))


def _stirling(z: Any) -> Any:
    """log(gamma(z)) where the real part is at least 1/2."""
    shifted = z + _SHIFT
    inverse = 1 / shifted
    square, total = inverse * inverse, _SERIES[-1]
    for coefficient in reversed(_SERIES[:-1]):
        total = total * square + coefficient
    large = (shifted - 0.5) * jnp.log(shifted) - shifted + math.log(2 * math.pi) / 2
    passed = sum(jnp.log(z + k) for k in range(_SHIFT))
    return large + total * inverse - passed


def _log_sine(z: Any) -> Any:
    """log(sin(pi z)) in the upper half plane, continued from 0 at z = 1/2."""
    turned = 2j * math.pi * (z - jnp.round(z.real))
    return -1j * math.pi * z + (0.5j * math.pi - math.log(2)) + jnp.log(-jnp.expm1(turned))
