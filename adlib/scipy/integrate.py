"""``adlib.scipy.integrate``: integrals of sampled functions."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.core.array import Array


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """The integral of samples along an axis, by the trapezoidal rule.

    Args:
      y: samples.
      x: where they were taken, ascending or not; equally spaced by ``dx`` where left out.
      dx: the spacing.
      axis: along which the integral is taken.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import integrate
    >>> integrate.trapezoid(jnp.array([0.0, 1.0, 4.0]))
    Array(3., dtype=float32)
    """
    return jnp.trapezoid(y, x, dx, axis)


__all__ = ["trapezoid"]
