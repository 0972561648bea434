"""Window functions of signal processing."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import lax
from adlib.core import dtypes
from adlib.core.array import Array
from adlib.numpy.creation import array, ones
from adlib.numpy.promotion import convert, to_array
from adlib.numpy.ufuncs_math import i0


def _cosines(M: int, weights: tuple[float, ...]) -> Array:
    """Sum of cosines of whole multiples of a turn over the window, with these weights."""
    if M <= 1:
        return ones(max(0, M))
    n = np.arange(M)
    total = sum(w * np.cos(2 * np.pi * k * n / (M - 1)) for k, w in enumerate(weights))
    return array(np.asarray(total))


def hanning(M: int) -> Array:
    """Hann window with ``M`` points: a raised cosine that ends at zero.

    >>> import adlib.numpy as jnp
    >>> jnp.hanning(3)
    Array([0., 1., 0.], dtype=float32)
    """
    return _cosines(M, (0.5, -0.5))


def hamming(M: int) -> Array:
    """Hamming window with ``M`` points: a raised cosine that ends at 0.08.

    >>> import adlib.numpy as jnp
    >>> jnp.hamming(3)
    Array([0.08, 1.  , 0.08], dtype=float32)
    """
    return _cosines(M, (0.54, -0.46))


def blackman(M: int) -> Array:
    """Blackman window with ``M`` points: two cosines.

    >>> import adlib.numpy as jnp
    >>> jnp.blackman(5)[2]
    Array(1., dtype=float32)
    """
    return _cosines(M, (0.42, -0.5, 0.08))


def bartlett(M: int) -> Array:
    """Triangular window with ``M`` points that ends at zero.

    >>> import adlib.numpy as jnp
    >>> jnp.bartlett(5)
    Array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    """
    if M <= 1:
        return ones(max(0, M))
    return array(1 - np.abs(2 * np.arange(M) / (M - 1) - 1))


def kaiser(M: int, beta: Any) -> Array:
    """Kaiser window with ``M`` points; ``beta`` sets its width and may be traced.

    >>> import adlib.numpy as jnp
    >>> jnp.kaiser(3, 0.0)
    Array([1., 1., 1.], dtype=float32)
    """
    dtype = dtypes.canonicalize_dtype(np.float64)
    beta = convert(to_array(beta, "kaiser", 1), dtype)
    if M <= 1:
        return ones(max(0, M))
    offset = 2 * np.arange(M) / (M - 1) - 1
    height = array(np.sqrt(np.maximum(0, 1 - offset**2)), dtype)
    return lax.div(i0(lax.mul(height, beta)), i0(beta))
