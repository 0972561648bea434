"""``adlib.scipy.cluster.vq``: vector quantization."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import promote_dtypes_inexact


def vq(obs: Any, code_book: Any, check_finite: bool = True) -> tuple[Array, Array]:
    """The nearest code of each observation.

    Args:
      obs: observations (m, n), or (m,) of one number each.
      code_book: codes (k, n), or (k,).
      check_finite: taken for compatibility.

    Returns:
      Indices of the codes (m,), and the distances to them (m,).

    Raises:
      ValueError: shapes that do not fit.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.cluster.vq import vq
    >>> vq(jnp.array([[1.0, 1.0], [4.0, 4.0]]), jnp.array([[0.0, 0.0], [4.0, 1.0]]))[0]
    Array([0, 1], dtype=int32)
    """
    obs, code_book = promote_dtypes_inexact("vq", obs, code_book)
    if obs.ndim != code_book.ndim or obs.ndim not in (1, 2):
        raise ValueError(
            "vq wants observations (m, n) and codes (k, n), or (m,) and (k,); it was given "
            f"{obs.shape} and {code_book.shape}.{here()}"
        )
    if obs.ndim == 1:
        obs, code_book = obs[:, None], code_book[:, None]
    if obs.shape[1] != code_book.shape[1]:
        raise ValueError(
            f"vq wants as many features in observations as in codes; the shapes are {obs.shape} "
            f"and {code_book.shape}.{here()}"
        )
    offsets = obs[:, None, :] - code_book[None, :, :]
    squares = jnp.sum((offsets * jnp.conj(offsets)).real, axis=-1)
    nearest = jnp.argmin(squares, axis=1)
    chosen = jnp.take_along_axis(squares, nearest[:, None], axis=1)[:, 0]
    return nearest, jnp.sqrt(chosen)


__all__ = ["vq"]
