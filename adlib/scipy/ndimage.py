"""``adlib.scipy.ndimage``: interpolation in images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array


def _reflected(i: Any, size: int) -> Any:
    """d c b a | a b c d | d c b a."""
    period = 2 * size
    i = i % period
    return jnp.where(i >= size, period - 1 - i, i)


def _mirrored(i: Any, size: int) -> Any:
    """d c b | a b c d | c b a."""
    period = max(2 * (size - 1), 1)
    i = i % period
    return jnp.where(i >= size, period - i, i)


_INSIDE: dict[str, Callable[[Any, int], Any]] = {
    "constant": lambda i, size: i,
    "nearest": lambda i, size: jnp.clip(i, 0, size - 1),
    "wrap": lambda i, size: i % size,
    "mirror": _mirrored,
    "reflect": _reflected,
}


def map_coordinates(
    input: Any, coordinates: Sequence[Any], order: int, mode: str = "constant", cval: Any = 0.0
) -> Array:
    """The values of an image between its pixels.

    Args:
      input: image of n axes.
      coordinates: n arrays of one shape: where to look, in pixels from the first one.
      order: 0 for the nearest pixel, 1 for linear interpolation.
      mode: what lies beyond the edges: ``"constant"`` (``cval``), ``"nearest"``, ``"wrap"``,
        ``"mirror"`` (about the edge pixels' centres) or ``"reflect"`` (about their outer edges).
      cval: value outside, with ``mode="constant"``.

    Returns:
      Array of the coordinates' shape and the image's dtype; differentiable in the image, and for
      order 1 in the coordinates.

    Raises:
      NotImplementedError: another order or mode.
      ValueError: not one array of coordinates for each axis.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import ndimage
    >>> ndimage.map_coordinates(jnp.array([0.0, 10.0]), [jnp.array([0.25])], order=1)
    Array([2.5], dtype=float32)
    """
    image = jnp.asarray(input)
    where = [jnp.asarray(c) for c in coordinates]
    if len(where) != image.ndim:
        raise ValueError(
            f"coordinates must be a sequence of length input.ndim, but {len(where)} != "
            f"{image.ndim}.{here()}"
        )
    if mode not in _INSIDE:
        raise NotImplementedError(
            f"map_coordinates supports the modes {', '.join(_INSIDE)}; it was given {mode!r}."
            f"{here()}"
        )
    if order not in (0, 1):
        raise NotImplementedError(
            f"map_coordinates supports order 0 and 1; it was given {order!r}.{here()}"
        )
    ways = [_neighbours(c, order) for c in where]
    total: Any = 0
    for corner in itertools.product(*ways):
        indices, valid = [], True
        for (index, _), size in zip(corner, image.shape, strict=True):
            if mode == "constant":
                valid = valid & (index >= 0) & (index < size)
            indices.append(jnp.clip(_INSIDE[mode](index, size), 0, size - 1))
        value = image[tuple(indices)]
        if mode == "constant":
            value = jnp.where(valid, value, jnp.asarray(cval, image.dtype))
        for _, weight in corner:
            value = value if weight is None else weight * value
        total = total + value
    if image.dtype.kind in "iu" and total.dtype.kind == "f":
        total = jnp.round(total)
    return total.astype(image.dtype)


def _neighbours(c: Any, order: int) -> list[tuple[Any, Any]]:
    """The pixels at both sides of a coordinate with their weights, or the nearest one."""
    if c.dtype.kind != "f":
        return [(c, None)]
    if order == 0:
        return [(jnp.round(c).astype(int), None)]
    below = jnp.floor(c)
    upper = c - below
    return [(below.astype(int), 1 - upper), (below.astype(int) + 1, upper)]


__all__ = ["map_coordinates"]
