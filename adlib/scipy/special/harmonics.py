"""Spherical harmonics."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array, ArrayImpl
from adlib.numpy.promotion import promote_inexact


def sph_harm_y(
    n: Any, m: Any, theta: Any, phi: Any, diff_n: int | None = None, n_max: int | None = None
) -> Array:
    """Spherical harmonics of degree ``n`` and order ``m``, with the Condon–Shortley phase.

    Args:
      n, m: integers, ``abs(m) <= n``; beyond, the result is 0.
      theta: polar angle, from 0 to pi.
      phi: azimuth, from 0 to 2 pi. All four broadcast against each other.
      diff_n: taken for compatibility; only None is supported.
      n_max: highest degree, a Python int; needed where ``n`` is traced.

    Returns:
      Complex array, differentiable in both angles.

    Raises:
      ValueError: ``n`` is traced and ``n_max`` left out.

    >>> from adlib.scipy import special
    >>> special.sph_harm_y(1, 0, 0.0, 0.0)
    Array(0.48860+0.j, dtype=complex64)
    """
    if diff_n is not None:
        raise ValueError(
            f"sph_harm_y takes diff_n=None only: derivatives come from jvp and grad.{here()}"
        )
    n, m = jnp.asarray(n), jnp.asarray(m)
    theta, phi = promote_inexact("sph_harm_y", theta, phi)
    if n_max is None:
        if not isinstance(n, ArrayImpl):
            raise ValueError(
                "sph_harm_y needs n_max=…, the highest degree as a Python int, where n is traced."
                f"{here()}"
            )
        n_max = int(np.max(np.asarray(n), initial=0))
    n, m, theta, phi = jnp.broadcast_arrays(n, m, theta, phi)
    order = jnp.abs(m)
    legendre = _legendre_at(theta, n, order, operator.index(n_max))
    odd = (m < 0) & (order % 2 == 1)  # the harmonic of -m is (-1)^m times the conjugate
    real = jnp.where(odd, -legendre, legendre)
    angle = m.astype(phi.dtype) * phi
    return lax.complex(real * jnp.cos(angle), real * jnp.sin(angle))


def _legendre_at(theta: Any, n: Any, order: Any, n_max: int) -> Any:
    """Normalized associated Legendre functions of ``cos(theta)``, by the stable recursion upwards
    in the degree (Holmes and Featherstone 2002), at the wanted degrees and orders."""
    x, s = jnp.cos(theta), jnp.sin(theta)
    result = jnp.zeros_like(x)
    diagonal = jnp.full_like(x, 0.5 / math.sqrt(math.pi))
    for k in range(n_max + 1):
        if k:
            diagonal = -math.sqrt((2 * k + 1) / (2 * k)) * s * diagonal
        before, now = jnp.zeros_like(x), diagonal
        for degree in range(k, n_max + 1):
            if degree > k:
                a = math.sqrt((4 * degree**2 - 1) / (degree**2 - k**2))
                b = math.sqrt(((degree - 1) ** 2 - k**2) / (4 * (degree - 1) ** 2 - 1))
                before, now = now, a * (x * now - b * before)
            result = jnp.where((n == degree) & (order == k), now, result)
    return result
