"""``adlib.scipy.interpolate``: interpolation of values on a grid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array, ArrayImpl
from adlib.tree_util import register_pytree_node_class


@register_pytree_node_class
class RegularGridInterpolator:
    """A function that interpolates values given on a rectangular grid.

    Args:
      points: for each axis the coordinates of the grid, strictly ascending.
      values: of shape ``(len(points[0]), …, len(points[n-1]), ...)``.
      method: ``"linear"`` or ``"nearest"``.
      bounds_error: only False: points outside cannot raise, since results may be traced.
      fill_value: the value outside; None extrapolates.

    Raises:
      ValueError: an unknown method; points that are not ascending or do not fit the values.
      NotImplementedError: ``bounds_error=True``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import interpolate
    >>> grid, values = [jnp.array([0.0, 1.0, 4.0])], jnp.array([0.0, 2.0, 5.0])
    >>> f = interpolate.RegularGridInterpolator(grid, values)
    >>> f(jnp.array([[0.5], [2.0], [9.0]]))
    Array([ 1.,  3., nan], dtype=float32)
    """

    def __init__(
        self,
        points: Sequence[Any],
        values: Any,
        method: str = "linear",
        bounds_error: bool = False,
        fill_value: Any = np.nan,
    ) -> None:
        if method not in ("linear", "nearest"):
            raise ValueError(
                "RegularGridInterpolator takes method 'linear' or 'nearest'; it was given "
                f"{method!r}.{here()}"
            )
        if bounds_error:
            raise NotImplementedError(
                "RegularGridInterpolator takes bounds_error=False only: a traced point cannot "
                f"raise.{here()}\n  Repair: check the points before, or use fill_value."
            )
        self.values = jnp.asarray(values)
        if self.values.dtype.kind not in "fc":
            self.values = self.values.astype(float)
        self.grid = tuple(jnp.asarray(p) for p in points)
        self.method, self.fill_value = method, fill_value
        self._check()

    def _check(self) -> None:
        if len(self.grid) > self.values.ndim:
            raise ValueError(
                f"there are {len(self.grid)} point arrays, but values has {self.values.ndim} "
                f"dimensions.{here()}"
            )
        for i, p in enumerate(self.grid):
            if p.ndim != 1 or p.shape[0] != self.values.shape[i]:
                raise ValueError(
                    f"there are {p.shape} points and {self.values.shape[i]} values on dimension "
                    f"{i}.{here()}"
                )
            if isinstance(p, ArrayImpl) and not (np.diff(np.asarray(p)) > 0).all():
                raise ValueError(f"the points in dimension {i} must be strictly ascending.{here()}")

    def tree_flatten(self) -> tuple[Any, Any]:
        return (self.grid, self.values, self.fill_value), self.method

    @classmethod
    def tree_unflatten(cls, method: str, children: Any) -> RegularGridInterpolator:
        made = object.__new__(cls)
        made.grid, made.values, made.fill_value = children
        made.method = method
        return made

    def __call__(self, xi: Any, method: str | None = None) -> Array:
        """The values at the points ``xi``: ``(..., n)``, or a tuple of n arrays."""
        method = method or self.method
        if isinstance(xi, tuple):
            xi = jnp.stack(jnp.broadcast_arrays(*[jnp.asarray(x) for x in xi]), axis=-1)
        xi = jnp.asarray(xi)
        n = len(self.grid)
        if xi.ndim == 1 and n == 1:
            xi = xi[:, None]
        if xi.ndim == 0 or xi.shape[-1] != n:
            raise ValueError(
                f"the requested sample points xi have dimension {xi.shape[-1:]}, but this "
                f"RegularGridInterpolator has dimension {n}.{here()}"
            )
        shape = xi.shape[:-1]
        flat = xi.reshape(-1, n)
        ways, outside = [], jnp.zeros(flat.shape[0], bool)
        for k, p in enumerate(self.grid):
            x = flat[:, k]
            outside = outside | (x < p[0]) | (x > p[-1])
            ways.append(self._along(p, x, method))
        result: Any = 0
        for corner in itertools.product(*ways):
            part = self.values[tuple(index for index, _ in corner)]
            for _, weight in corner:
                part = part * weight.reshape((-1,) + (1,) * (part.ndim - 1))
            result = result + part
        if self.fill_value is not None:
            mask = outside.reshape((-1,) + (1,) * (result.ndim - 1))
            result = jnp.where(mask, jnp.asarray(self.fill_value, result.dtype), result)
        spoiled = jnp.any(jnp.isnan(flat), axis=-1).reshape((-1,) + (1,) * (result.ndim - 1))
        result = jnp.where(spoiled, jnp.nan, result)
        return result.reshape(shape + self.values.shape[n:])

    def _along(self, p: Any, x: Any, method: str) -> list[tuple[Any, Any]]:
        """Indices of the grid points at both sides of ``x``, with their weights."""
        if p.shape[0] == 1:
            return [(jnp.zeros(x.shape, int), jnp.ones_like(x))]
        left = jnp.clip(jnp.searchsorted(p, x) - 1, 0, p.shape[0] - 2)
        share = (x - p[left]) / (p[left + 1] - p[left])
        if method == "nearest":
            return [(jnp.where(share <= 0.5, left, left + 1), jnp.ones_like(share))]
        return [(left, 1 - share), (left + 1, share)]


__all__ = ["RegularGridInterpolator"]
