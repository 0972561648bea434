"""``adlib.flatten_util``: a pytree of arrays as one vector, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from adlib import lax, tree_util
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array
from adlib.ops.conversion import convert


def ravel_pytree(pytree: Any) -> tuple[Array, Callable[[Any], Any]]:
    """All leaves of a tree one after the other in one vector, and the function back.

    Args:
      pytree: arrays and numbers; their dtypes are promoted to a common one.

    Returns:
      (vector, unravel): ``unravel(vector)`` is the tree again, each leaf in its own shape
      and dtype. It raises ValueError for a vector of another length and, where leaves had
      different dtypes, TypeError for one of another dtype.

    >>> import adlib.numpy as jnp
    >>> from adlib.flatten_util import ravel_pytree
    >>> vector, unravel = ravel_pytree({"b": jnp.zeros(1), "w": jnp.ones((1, 2))})
    >>> vector
    Array([0., 1., 1.], dtype=float32)
    >>> unravel(2 * vector)
    {'b': Array([0.], dtype=float32), 'w': Array([[2., 2.]], dtype=float32)}
    """
    leaves, treedef = tree_util.tree_flatten(pytree)
    if not leaves:
        return jnp.zeros(0), lambda vector: tree_util.tree_unflatten(treedef, [])
    arrays = [jnp.asarray(x) for x in leaves]
    own = [a.aval.dtype for a in arrays]
    shapes = [a.aval.shape for a in arrays]
    common, weak = dtypes.promote(*[(a.aval.dtype, a.aval.weak_type) for a in arrays])
    mixed = any(d != common for d in own)
    parts = [lax.reshape(convert(a, common, weak and not mixed), (a.size,)) for a in arrays]
    vector = parts[0] if len(parts) == 1 else lax.concatenate(parts, 0)
    sizes = [math.prod(s) for s in shapes]

    def unravel(flat: Any) -> Any:
        flat = jnp.asarray(flat)
        total = sum(sizes)
        if flat.aval.ndim < 1 or flat.aval.size != total or flat.aval.shape[0] != total:
            raise ValueError(
                f"unravel: a vector of length {total} is wanted, got shape {flat.aval.shape}."
                f"{here()}\n  The tree that was flattened had {total} elements in "
                f"{len(sizes)} leaves of shapes {', '.join(map(str, shapes))}."
            )
        if mixed and flat.aval.dtype != common:
            raise TypeError(
                f"unravel function given array of dtype {flat.aval.dtype.name}, but expected "
                f"dtype {common.name}.{here()}"
            )
        flat = lax.reshape(flat, (total,))
        chunks = lax.split(flat, sizes) if len(sizes) > 1 else [flat]
        pieces = [lax.reshape(chunk, shape) for chunk, shape in zip(chunks, shapes, strict=True)]
        if mixed:
            pieces = [convert(p, d) for p, d in zip(pieces, own, strict=True)]
        return tree_util.tree_unflatten(treedef, pieces)

    return vector, unravel
