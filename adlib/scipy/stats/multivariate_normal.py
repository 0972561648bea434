"""``adlib.scipy.stats.multivariate_normal``: the normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import promote_dtypes_inexact


def logpdf(x: Any, mean: Any, cov: Any, allow_singular: None = None) -> Array:
    """Logarithm of the density of the normal distribution with this mean and covariance.

    Args:
      x: points, of shape ``(..., n)``.
      mean: of shape ``(..., n)``, or a number.
      cov: positive definite, of shape ``(..., n, n)``; or a number, the variance of all.
      allow_singular: only None is supported.

    Returns:
      Array of shape ``(...)``; NaN where ``cov`` is not positive definite.

    Raises:
      NotImplementedError: if ``allow_singular`` is given.
      ValueError: shapes that do not fit.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import multivariate_normal
    >>> multivariate_normal.logpdf(jnp.zeros(2), jnp.zeros(2), jnp.eye(2))
    Array(-1.83788, dtype=float32)
    """
    if allow_singular is not None:
        raise NotImplementedError(
            f"multivariate_normal.logpdf takes allow_singular=None only: cov is factored by "
            f"Cholesky.{here()}"
        )
    x, mean, cov = promote_dtypes_inexact("multivariate_normal.logpdf", x, mean, cov)
    if not mean.ndim and not cov.ndim:
        return -((x - mean) ** 2) / (2 * cov) - jnp.log(2 * math.pi * cov) / 2
    n = mean.shape[-1] if mean.ndim else cov.shape[-1]
    if not cov.ndim:
        return _of_parts(x - mean, jnp.sqrt(cov) * jnp.eye(n, dtype=cov.dtype), n)
    if cov.ndim < 2 or cov.shape[-2:] != (n, n):
        raise ValueError(
            f"multivariate_normal.logpdf wants a covariance of shape (..., {n}, {n}) for a mean "
            f"of shape {mean.shape}; it was given {cov.shape}.{here()}"
        )
    return _of_parts(x - mean, jnp.linalg.cholesky(cov), n)


def _of_parts(offset: Any, factor: Any, n: int) -> Array:
    batch = jnp.broadcast_shapes(offset.shape[:-1], factor.shape[:-2])
    offset = jnp.broadcast_to(offset, (*batch, n))
    factor = jnp.broadcast_to(factor, (*batch, n, n))
    white = lax.linalg.triangular_solve(factor, offset[..., None], left_side=True, lower=True)
    diagonal = jnp.diagonal(factor, axis1=-2, axis2=-1)
    squares = jnp.sum(white[..., 0] ** 2, axis=-1)
    return -squares / 2 - n / 2 * math.log(2 * math.pi) - jnp.sum(jnp.log(diagonal), axis=-1)


def pdf(x: Any, mean: Any, cov: Any) -> Array:
    """Density of the normal distribution with this mean and covariance; see ``logpdf``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import multivariate_normal
    >>> multivariate_normal.pdf(jnp.zeros(2), jnp.zeros(2), jnp.eye(2))
    Array(0.15915, dtype=float32)
    """
    return jnp.exp(logpdf(x, mean, cov))
