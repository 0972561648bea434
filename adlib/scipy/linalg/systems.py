"""Matrices and right-hand sides: one batch shape, and vectors as matrices of one column."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.base.source import here


def broadcast_systems(name: str, a: Any, b: Any) -> tuple[Any, Any, bool]:
    """(a, x, column): matrices (..., n, n) and right-hand sides (..., n, k) of one batch shape.

    ``b`` may be (n,), or a vector for each matrix; ``column`` says that it was. Else its last two
    axes are those of a matrix. Raises ValueError where they do not fit.
    """
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"{name} wants square matrices; theirs have shape {a.shape}.{here()}")
    column = b.ndim == 1 or (a.ndim > 2 and b.shape == a.shape[:-1])
    x = b[..., None] if column else b
    fits = x.ndim >= 2 and x.shape[-2] == a.shape[-1]
    if fits:
        try:
            batch = jnp.broadcast_shapes(a.shape[:-2], x.shape[:-2])
        except ValueError:
            fits = False
    if not fits:
        raise ValueError(
            f"{name}: right-hand sides of shape {b.shape} do not fit matrices of shape {a.shape}."
            f"{here()}\n  Repair: b is (n,), a vector (..., n) for each matrix, or (..., n, k)."
        )
    a = jnp.broadcast_to(a, (*batch, *a.shape[-2:]))
    return a, jnp.broadcast_to(x, (*batch, *x.shape[-2:])), column
