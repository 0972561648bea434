"""Choosing among things: permutations, choices with and without replacement, categories."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array
from adlib.ops.random_bits import random_bits
from adlib.random.arguments import (
    as_dtype,
    canonical_shape,
    float_dtype,
    key_of,
    parameter,
    sampler,
    split_key,
)
from adlib.random.continuous import _gumbel, gumbel_mode
from adlib.random.uniform import _uniform, randint


@sampler
def _shuffle(key: Array, x: Array, *, axis: int) -> Array:
    # Sorting by 32-bit keys favours some orders where keys collide: for n elements enough
    # rounds are made that n**3 is no more than the number of key sequences.
    size = max(1, x.aval.size)
    rounds = math.ceil(3 * math.log(size) / math.log(2**32 - 1))
    for _ in range(rounds):
        key, used = split_key(key, 2)
        _, x = lax.sort_key_val(random_bits(used, 32, x.aval.shape), x, axis)
    return x


def _population(name: str, x: Any) -> tuple[int | None, Array | None]:
    """(n, None) for an integer that stands for range(n), else (None, array)."""
    if isinstance(x, (int, np.integer)) and not isinstance(x, bool):
        return int(x), None
    value = parameter(name, x)
    if value.aval.ndim:
        return None, value
    if not dtypes.is_integer(value.aval.dtype):
        raise TypeError(f"{name}: x must be an integer or at least 1-dimensional{here()}")
    return int(value), None  # type: ignore[call-overload]


def _axis(name: str, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(
            f"{name}: axis {axis} is out of bounds for array of dimension {rank}.{here()}"
        )
    return axis % rank


def permutation(
    key: Any, x: Any, axis: int = 0, independent: bool = False, *, out_sharding: Any = None
) -> Array:
    """A random order of the numbers 0 … x-1, or of the slices of an array.

    Args:
      key: a key, typed or raw.
      x: int, or an array of rank at least 1.
      axis: axis along which slices are put in order.
      independent: put every 1-D slice along ``axis`` in an order of its own.

    Returns:
      Array of x integers, or of the shape of x.

    Raises TypeError for a scalar that is no integer.

    >>> from adlib import random
    >>> random.permutation(random.key(0), 5)
    Array([0, 1, 4, 3, 2], dtype=int32)
    """
    typed = key_of("permutation", key)
    count, array = _population("permutation", x)
    if array is None:
        return _shuffle(typed, jnp.arange(count), axis=0)  # type: ignore[no-any-return]
    axis = _axis("permutation", axis, array.aval.ndim)
    if independent or array.aval.ndim == 1:
        return _shuffle(typed, array, axis=axis)  # type: ignore[no-any-return]
    order = _shuffle(typed, jnp.arange(array.aval.shape[axis]), axis=0)
    return jnp.take(array, order, axis=axis)  # type: ignore[no-any-return]


def choice(
    key: Any,
    a: Any,
    shape: Any = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    mode: str | None = None,
) -> Array:
    """Random elements of a sequence.

    Args:
      key: a key, typed or raw.
      a: int n for 0 … n-1, or an array, of which slices along ``axis`` are drawn.
      shape: shape of the draws.
      replace: whether one element may be drawn several times.
      p: probabilities, shape (n,); equal ones by default.
      axis: axis of ``a`` to draw along.
      mode: for draws by ``p`` without replacement, as for ``gumbel``.

    Returns:
      Array of shape ``shape``, in place of ``axis`` for arrays of higher rank.

    Raises ValueError for more draws than elements without replacement, or for
    probabilities of another shape.

    >>> from adlib import random
    >>> random.choice(random.key(0), 5, (3,))
    Array([4, 0, 2], dtype=int32)
    """
    typed = key_of("choice", key)
    shape = canonical_shape("choice", shape)
    count, array = _population("choice", a)
    if array is not None:
        axis = _axis("choice", axis, array.aval.ndim)
        count = array.aval.shape[axis]
    assert count is not None
    draws = math.prod(shape)
    if draws and count <= 0:
        raise ValueError(f"choice: a must be greater than 0 unless no samples are taken.{here()}")
    if not replace and draws > count:
        raise ValueError(
            f"Cannot take a larger sample (size {draws}) than population (size {count}) when "
            f"'replace=False'{here()}"
        )
    if p is None and replace:
        indices = randint(typed, shape, 0, count)
    elif p is None:
        order = _shuffle(typed, jnp.arange(count), axis=0)
        indices = lax.reshape(lax.slice_in_dim(order, 0, draws), shape)
    else:
        indices = _weighted(typed, p, count, shape, replace, gumbel_mode("choice", mode))
    return indices if array is None else jnp.take(array, indices, axis=axis)  # type: ignore[no-any-return]


def _weighted(
    key: Array, p: Any, count: int, shape: tuple[int, ...], replace: bool, mode: str
) -> Array:
    weights = parameter("choice", p)
    if not dtypes.is_float(weights.aval.dtype):
        weights = as_dtype(weights, dtypes.canonicalize_dtype(np.float64))
    if weights.aval.shape != (count,):
        raise ValueError(
            f"choice: p must be None or a 1D vector with the same size as a.shape[axis]. p has "
            f"shape {weights.aval.shape} and a.shape[axis] is {count}.{here()}"
        )
    dtype = weights.aval.dtype
    weights = as_dtype(weights, dtype)
    if not replace:
        # the largest of log p plus Gumbel noise are draws without replacement
        scores = _gumbel(key, shape=(count,), dtype=dtype, mode=mode) + jnp.log(weights)
        chosen = lax.top_k(scores, math.prod(shape))[1]
        return lax.reshape(as_dtype(chosen, dtypes.canonicalize_dtype(np.int64)), shape)
    cumulative = jnp.cumsum(weights)
    zero, one = (jnp.asarray(v, dtype) for v in (0, 1))
    u = _uniform(key, zero, one, shape=shape, dtype=dtype)
    place = jnp.searchsorted(cumulative, cumulative[-1] * (1 - u))
    return place.astype(int)  # type: ignore[no-any-return]


def categorical(
    key: Any,
    logits: Any,
    axis: int = -1,
    shape: Any = None,
    replace: bool = True,
    mode: str | None = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """Categories, drawn with probabilities proportional to ``exp(logits)``.

    Args:
      key: a key, typed or raw.
      logits: float, shape (..., n, ...) with the n categories along ``axis``.
      axis: axis of the categories.
      shape: shape of the result, which ends in the batch shape of ``logits`` (its shape
        without ``axis``); that batch shape by default.
      replace: False draws each category at most once along the leading axes of ``shape``.
      mode: as for ``gumbel``.

    Returns:
      Array of int32 category numbers.

    Raises ValueError where ``shape`` does not end in the batch shape, or for more draws
    without replacement than categories.

    >>> import adlib.numpy as jnp
    >>> from adlib import random
    >>> random.categorical(random.key(0), jnp.log(jnp.array([0.1, 0.2, 0.7])), shape=(5,))
    Array([1, 2, 2, 1, 2], dtype=int32)
    """
    typed = key_of("categorical", key)
    values = parameter("categorical", logits)
    float_dtype("categorical", values.aval.dtype)
    mode = gumbel_mode("categorical", mode)
    if not dtypes.is_float(values.aval.dtype):
        values = as_dtype(values, dtypes.canonicalize_dtype(np.float64))
    rank = values.aval.ndim
    axis = _axis("categorical", axis, rank)
    sizes = list(values.aval.shape)
    batch = tuple(sizes[:axis] + sizes[axis + 1 :])
    wanted = batch if shape is None else canonical_shape("categorical", shape)
    try:
        fits = np.broadcast_shapes(wanted, batch) == wanted
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"categorical: shape={wanted} must end in the batch shape {batch} of the logits, "
            f"which have shape {values.aval.shape} and categories along axis {axis}.{here()}"
        )
    prefix, inner = wanted[: len(wanted) - len(batch)], list(wanted[len(wanted) - len(batch) :])
    if not replace:
        return _without_replacement(typed, values, axis, prefix, mode)
    inner.insert(axis, sizes[axis])
    noise = _gumbel(typed, shape=(*prefix, *inner), dtype=values.aval.dtype, mode=mode)
    return jnp.argmax(noise + values, axis=axis - rank)  # type: ignore[no-any-return]


def _without_replacement(
    key: Array, logits: Array, axis: int, prefix: tuple[int, ...], mode: str
) -> Array:
    draws = math.prod(prefix)
    count = logits.aval.shape[axis]
    if draws > count:
        raise ValueError(
            f"Number of samples without replacement ({draws}) cannot exceed number of "
            f"categories ({count}).{here()}"
        )
    noise = _gumbel(key, shape=logits.aval.shape, dtype=logits.aval.dtype, mode=mode)
    scores = jnp.moveaxis(logits + noise, axis, -1)
    chosen = lax.top_k(scores, draws)[1]
    batch = chosen.aval.shape[:-1]
    return lax.reshape(jnp.moveaxis(chosen, -1, 0), (*prefix, *batch))
