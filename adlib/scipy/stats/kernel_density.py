"""Density estimates by Gaussian kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from adlib import numpy as jnp
from adlib import random
from adlib.base.source import here
from adlib.core.array import Array
from adlib.nn import logsumexp
from adlib.numpy.promotion import promote_dtypes_inexact
from adlib.scipy import special
from adlib.tree_util import register_pytree_node_class


@register_pytree_node_class
class gaussian_kde:  # noqa: N801 (SciPy's name)
    """The mixture of normal distributions around given points, all of one covariance.

    Args:
      dataset: points, of shape ``(d, n)`` or ``(n,)``; at least two.
      bw_method: the factor between the data's and the kernels' standard deviation: ``"scott"``
        (``neff ** (-1 / (d + 4))``, the default), ``"silverman"``, a number, or a function of
        the estimate.
      weights: of the points, of shape ``(n,)``; equal by default.

    Attributes:
      dataset, weights: as given, the weights summing to 1.
      covariance, inv_cov: of the kernels, of shape ``(d, d)``.
      neff: effective number of points, ``1 / sum(weights**2)``.

    Raises:
      ValueError: no or a single point, weights of another shape, an unknown ``bw_method``.
      NotImplementedError: complex points.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import gaussian_kde
    >>> gaussian_kde(jnp.array([-1.0, 0.0, 1.0])).pdf(jnp.array([0.0])).round(4)
    Array([0.3182], dtype=float32)
    """

    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None) -> None:
        (points,) = promote_dtypes_inexact("gaussian_kde", dataset)
        points = jnp.atleast_2d(points)
        if points.dtype.kind == "c":
            raise NotImplementedError(f"gaussian_kde takes real points only.{here()}")
        d, n = points.shape
        if n < 2:
            raise ValueError(
                f"gaussian_kde wants two points or more, as columns; it was given a dataset of "
                f"shape {points.shape}.{here()}"
            )
        if weights is None:
            weights = jnp.full(n, 1 / n, points.dtype)
        else:
            weights = jnp.atleast_1d(jnp.asarray(weights, points.dtype))
            if weights.shape != (n,):
                raise ValueError(
                    f"gaussian_kde wants one weight for each of {n} points; it was given weights "
                    f"of shape {weights.shape}.{here()}"
                )
            weights = weights / jnp.sum(weights)
        self.dataset, self.weights = points, weights
        self.neff = 1 / jnp.sum(weights**2)
        data = jnp.atleast_2d(jnp.cov(points, rowvar=True, bias=False, aweights=weights))
        factor = self._factor(bw_method)
        self.covariance = (data * factor**2).astype(points.dtype)
        self.inv_cov = jnp.linalg.inv(data).astype(points.dtype) / factor**2

    def _factor(self, bw_method: str | float | Callable[[gaussian_kde], Any] | None) -> Any:
        if bw_method is None or bw_method == "scott":
            return self.neff ** (-1 / (self.d + 4))
        if isinstance(bw_method, str):
            if bw_method != "silverman":
                raise ValueError(
                    "gaussian_kde takes bw_method 'scott', 'silverman', a number or a function; "
                    f"it was given {bw_method!r}.{here()}"
                )
            return (self.neff * (self.d + 2) / 4) ** (-1 / (self.d + 4))
        return bw_method(self) if callable(bw_method) else bw_method

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return self.dataset.shape[0]  # type: ignore[no-any-return]

    @property
    def n(self) -> int:
        """Number of points."""
        return self.dataset.shape[1]  # type: ignore[no-any-return]

    def tree_flatten(self) -> tuple[Any, None]:
        return (self.neff, self.dataset, self.weights, self.covariance, self.inv_cov), None

    @classmethod
    def tree_unflatten(cls, _: None, children: Any) -> gaussian_kde:
        made = object.__new__(cls)
        made.neff, made.dataset, made.weights, made.covariance, made.inv_cov = children
        return made

    def logpdf(self, x: Any) -> Array:
        """Logarithm of the density at the points ``x``, of shape ``(d, m)``: shape ``(m,)``."""
        points = self._points(x)
        factor = jnp.linalg.cholesky(self.inv_cov)
        offsets = points[:, :, None] - self.dataset[:, None, :]
        white = jnp.einsum("ij,imn->jmn", factor, offsets)
        scale = jnp.sum(jnp.log(jnp.diagonal(factor))) - self.d / 2 * math.log(2 * math.pi)
        return logsumexp(-jnp.sum(white**2, axis=0) / 2, axis=1, b=self.weights) + scale

    def pdf(self, x: Any) -> Array:
        """Density at the points ``x``, of shape ``(d, m)``: shape ``(m,)``."""
        return jnp.exp(self.logpdf(x))

    evaluate = __call__ = pdf

    def integrate_gaussian(self, mean: Any, cov: Any) -> Array:
        """Integral of the density times that of a normal distribution."""
        mean = jnp.atleast_1d(jnp.squeeze(jnp.asarray(mean)))
        cov = jnp.atleast_2d(jnp.asarray(cov))
        if mean.shape != (self.d,) or cov.shape != (self.d, self.d):
            raise ValueError(
                f"integrate_gaussian wants a mean of shape ({self.d},) and a covariance of shape "
                f"({self.d}, {self.d}); it was given {mean.shape} and {cov.shape}.{here()}"
            )
        return self._overlap(self.dataset - mean[:, None], self.weights, self.covariance + cov)

    def integrate_box_1d(self, low: Any, high: Any) -> Array:
        """Probability of the interval from ``low`` to ``high``, in one dimension."""
        if self.d != 1:
            raise ValueError(
                f"integrate_box_1d is for one dimension; this estimate has {self.d}.{here()}"
            )
        deviation = jnp.sqrt(self.covariance[0, 0])
        upper, lower = ((jnp.asarray(v) - self.dataset[0]) / deviation for v in (high, low))
        return jnp.sum(self.weights * (special.ndtr(upper) - special.ndtr(lower)))

    def integrate_kde(self, other: gaussian_kde) -> Array:
        """Integral of the product of two estimates."""
        if other.d != self.d:
            raise ValueError(
                f"integrate_kde wants estimates of equal dimensions; they have {self.d} and "
                f"{other.d}.{here()}"
            )
        offsets = (self.dataset[:, :, None] - other.dataset[:, None, :]).reshape(self.d, -1)
        weights = (self.weights[:, None] * other.weights).reshape(-1)
        return self._overlap(offsets, weights, self.covariance + other.covariance)

    def resample(self, key: Any, shape: tuple[int, ...] = ()) -> Array:
        """Draws from the estimate, of shape ``(d, *shape)``."""
        choice_key, noise_key = random.split(key)
        chosen = random.choice(choice_key, self.n, shape, p=self.weights)
        noise = random.multivariate_normal(
            noise_key, jnp.zeros(self.d, self.covariance.dtype), self.covariance, shape
        )
        return self.dataset[:, chosen] + jnp.moveaxis(noise, -1, 0)

    def _overlap(self, offsets: Any, weights: Any, cov: Any) -> Array:
        factor = jnp.linalg.cholesky(cov)
        white = jnp.linalg.solve(factor, offsets)
        scale = jnp.prod(jnp.diagonal(factor)) * (2 * math.pi) ** (self.d / 2)
        return jnp.sum(weights * jnp.exp(-jnp.sum(white**2, axis=0) / 2)) / scale

    def _points(self, x: Any) -> Array:
        points = jnp.atleast_2d(jnp.asarray(x, self.dataset.dtype))
        if points.ndim == 2 and points.shape[0] != self.d:
            if points.shape == (1, self.d):
                return points.T  # one point, given as a row
            raise ValueError(
                f"the points have dimension {points.shape[0]}, the dataset has {self.d}.{here()}"
            )
        return points
