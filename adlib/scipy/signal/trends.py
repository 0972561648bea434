"""Removing trends."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import promote_inexact


def detrend(
    data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: None = None
) -> Array:
    """Data without their mean, or without the straight line that fits best.

    Args:
      data: array.
      axis: along which.
      type: ``"linear"`` or ``"constant"``.
      bp: breaks: with ``"linear"``, each piece between these indices has a line of its own.
      overwrite_data: only None.

    Raises:
      ValueError: another type; breaks beyond the data.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> signal.detrend(jnp.array([1.0, 2.0, 6.0]), type="constant")
    Array([-2., -1.,  3.], dtype=float32)
    """
    if overwrite_data is not None:
        raise NotImplementedError(
            f"detrend takes overwrite_data=None: arrays stay as they are.{here()}"
        )
    if type not in ("constant", "linear"):
        raise ValueError(
            f"detrend takes type 'linear' or 'constant'; it was given {type!r}.{here()}"
        )
    (data,) = promote_inexact("detrend", data)
    if type == "constant":
        return data - jnp.mean(data, axis, keepdims=True)
    rows = jnp.moveaxis(data, axis, -1)
    n = rows.shape[-1]
    breaks = np.unique(np.concatenate([[0], np.atleast_1d(bp), [n]])).astype(int)
    if breaks[0] < 0 or breaks[-1] > n:
        raise ValueError(f"detrend wants breaks from 0 to {n}; it was given {bp}.{here()}")
    pieces = []
    for start, stop in zip(breaks[:-1], breaks[1:], strict=True):
        length = stop - start
        line = np.stack([np.ones(length), np.arange(1, length + 1) / length], axis=1)
        outside = np.eye(length) - line @ np.linalg.pinv(line)
        pieces.append(rows[..., start:stop] @ jnp.asarray(outside.T, rows.dtype))
    return jnp.moveaxis(jnp.concatenate(pieces, axis=-1), -1, axis)
