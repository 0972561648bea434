"""Bits, and what needs nothing but bits: uniform floats, integers, coin tosses."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.ops.random_bits import random_bits
from adlib.random.arguments import (
    as_dtype,
    canonical_shape,
    finfo,
    float_dtype,
    int_dtype,
    key_of,
    parameter,
    result_shape,
    rows,
    sampler,
    split_key,
)


def bits(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Uniform random bits as unsigned integers.

    Args:
      key: a key, typed or raw.
      shape: shape of the result.
      dtype: uint8, uint16, uint32 (default) or uint64.

    Raises ValueError for another dtype.

    >>> from adlib import random
    >>> random.bits(random.key(0), (2,))
    Array([4070199207, 4202968722], dtype=uint32)
    """
    found = dtypes.canonicalize_dtype(np.uint64 if dtype is None else dtype)
    if dtypes.kind(found) != "u":
        raise ValueError(
            f"dtype argument to `bits` must be an unsigned int dtype, got {found.name}.{here()}"
        )
    return random_bits(key_of("bits", key), 8 * found.itemsize, canonical_shape("bits", shape))  # type: ignore[no-any-return]


# ------------------------------------------------------------------------ floats


def unit_floats(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Floats in [0, 1): random mantissa bits below the exponent of 1, minus 1."""
    width, mantissa = 8 * dtype.itemsize, int(finfo(dtype).nmant)
    drawn = 8 if mantissa < 8 else width
    words = random_bits(key, drawn, shape)
    if drawn != width:
        words = lax.convert_element_type(words, np.dtype(f"uint{width}"))
    unsigned = words.aval.dtype
    one = int(np.ones((), dtype).view(unsigned))
    words = lax.shift_right_logical(words, scalar(drawn - mantissa, unsigned))
    words = lax.bitwise_or(words, scalar(one, unsigned))
    return lax.sub(lax.bitcast_convert_type(words, dtype), scalar(1.0, dtype))


@sampler
def _uniform(key: Array, minval: Array, maxval: Array, *, shape: Any, dtype: Any) -> Array:
    bounds = [as_dtype(minval, dtype), as_dtype(maxval, dtype)]
    low, high = (lax.broadcast_to_rank(b, len(shape)) for b in bounds)
    floats = unit_floats(key, shape, dtype)
    # rounding must not lead below the lower bound
    return lax.max(low, lax.add(lax.mul(floats, lax.sub(high, low)), low))


def uniform(
    key: Any,
    shape: Any = (),
    dtype: Any = None,
    minval: Any = 0.0,
    maxval: Any = 1.0,
    *,
    out_sharding: Any = None,
) -> Array:
    """Uniform floats in [minval, maxval).

    Args:
      key: a key, typed or raw.
      shape: shape of the result; the bounds must broadcast to it.
      dtype: float dtype; float32 by default.
      minval, maxval: bounds.

    Raises ValueError for a dtype that is no float.

    >>> from adlib import random
    >>> random.uniform(random.key(0), (3,))
    Array([0.94767  , 0.97858 , 0.33229], dtype=float32)
    """
    typed = key_of("uniform", key)
    dtype = float_dtype("uniform", dtype)
    low, high = parameter("uniform", minval), parameter("uniform", maxval)
    shape = result_shape("uniform", canonical_shape("uniform", shape), low, high)
    return _uniform(typed, low, high, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


# ---------------------------------------------------------------------- integers


@sampler
def _randint(key: Array, minval: Array, maxval: Array, *, shape: Any, dtype: Any) -> Array:
    info = np.iinfo(dtype)
    width = 8 * dtype.itemsize
    unsigned = np.dtype(f"uint{width}")
    # maxval is excluded: one above the greatest value means that all values are wanted
    above = lax.gt(
        maxval, scalar(min(info.max, np.iinfo(maxval.aval.dtype).max), maxval.aval.dtype)
    )
    bounds = [_clipped(minval, dtype), _clipped(maxval, dtype)]
    low, high = (lax.broadcast_to_rank(b, len(shape)) for b in bounds)
    first, second = split_key(key, 2)
    upper, lower = random_bits(first, width, shape), random_bits(second, width, shape)
    span = lax.convert_element_type(lax.sub(high, low), unsigned)
    one = scalar(1, unsigned)
    span = lax.select(lax.le(high, low), lax.broadcast(one, span.aval.shape), span)
    whole = lax.bitwise_and(above, lax.gt(high, low))
    span = lax.select(whole, lax.add(span, one), span)
    # the two draws are the digits, base 2**width, of one number that is reduced modulo span
    digit = lax.rem(scalar(2 ** (width // 2), unsigned), span)
    digit = lax.rem(lax.mul(digit, digit), span)
    offset = lax.rem(lax.add(lax.mul(lax.rem(upper, span), digit), lax.rem(lower, span)), span)
    return lax.add(low, lax.convert_element_type(offset, dtype))


def _clipped(x: Array, dtype: Any) -> Array:
    """``x`` held within the range of ``dtype`` and converted to it."""
    mine, wanted = np.iinfo(x.aval.dtype), np.iinfo(dtype)
    if mine.min < wanted.min or mine.max > wanted.max:
        low = scalar(max(mine.min, wanted.min), x.aval.dtype)
        x = lax.min(scalar(min(mine.max, wanted.max), x.aval.dtype), lax.max(low, x))
    return as_dtype(x, dtype)


def randint(
    key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Uniform integers in [minval, maxval).

    Args:
      key: a key, typed or raw.
      shape: shape of the result; None for that of the bounds.
      minval, maxval: integer bounds that broadcast to ``shape``.
      dtype: integer dtype; int32 by default.

    Raises TypeError for a dtype that is no integer.

    >>> from adlib import random
    >>> random.randint(random.key(0), (4,), 0, 10)
    Array([9, 0, 2, 3], dtype=int32)
    """
    typed = key_of("randint", key)
    dtype = int_dtype("randint", dtype, TypeError)
    low, high = _bound("randint", minval), _bound("randint", maxval)
    shape = result_shape("randint", shape, low, high)
    if dtype.itemsize >= 4:
        return _randint(typed, low, high, shape=shape, dtype=dtype)  # type: ignore[no-any-return]
    info = np.iinfo(dtype)  # drawn in 32 bits, where the excluded upper bound has its place
    wide = np.dtype(np.int32)
    bounds = [
        lax.clamp(scalar(info.min, wide), as_dtype(x, wide), scalar(info.max + extra, wide))
        for x, extra in ((low, 0), (high, 1))
    ]
    return as_dtype(_randint(typed, *bounds, shape=shape, dtype=wide), dtype)


def _bound(name: str, x: Any) -> Array:
    value = parameter(name, x)
    if dtypes.is_integer(value.aval.dtype):
        return value
    return as_dtype(value, dtypes.canonicalize_dtype(np.int64))


# --------------------------------------------------------------------- coin tosses


@sampler
def _bernoulli(key: Array, p: Array, *, shape: Any, dtype: Any, mode: str) -> Array:
    zero, one = scalar(0.0, dtype), scalar(1.0, dtype)
    p = lax.broadcast_to_rank(p, len(shape)) if p.aval.shape else p
    if mode == "low":
        return lax.lt(_uniform(key, zero, one, shape=shape, dtype=dtype), p)
    coarse_and_fine = _uniform(key, zero, one, shape=(2, *shape), dtype=dtype)
    step = scalar(float(finfo(dtype).eps), dtype)
    coarse, fine = rows(coarse_and_fine)
    return lax.lt(lax.mul(fine, step), lax.sub(p, coarse))


def bernoulli(
    key: Any, p: Any = 0.5, shape: Any = None, mode: str = "low", *, out_sharding: Any = None
) -> Array:
    """True with probability ``p``.

    Args:
      key: a key, typed or raw.
      p: probability, float; broadcasts to ``shape``.
      shape: shape of the result; that of ``p`` by default.
      mode: ``"low"``, or ``"high"`` for twice the bits, which very small ``p`` need.

    Returns:
      Array of bool.

    Raises TypeError for a probability that is no float, ValueError for another mode.

    >>> from adlib import random
    >>> random.bernoulli(random.key(0), 0.5, (4,))
    Array([False, False,  True,  True], dtype=bool)
    """
    if mode not in ("low", "high"):
        raise ValueError(f"bernoulli: mode must be 'low' or 'high', got {mode!r}.{here()}")
    typed = key_of("bernoulli", key)
    prob = parameter("bernoulli", p)
    dtype = prob.aval.dtype
    if not dtypes.is_float(dtype):
        raise TypeError(
            f"bernoulli probability `p` must have a floating dtype, got {dtype.name}.{here()}\n"
            "  Repair: pass a float, such as 0.5."
        )
    shape = result_shape("bernoulli", shape, prob)
    return _bernoulli(typed, as_dtype(prob, dtype), shape=shape, dtype=dtype, mode=mode)  # type: ignore[no-any-return]


@sampler
def _rademacher(key: Array, *, shape: Any, dtype: Any) -> Array:
    half = scalar(0.5, dtypes.canonicalize_dtype(np.float64))
    toss = _bernoulli(key, half, shape=shape, dtype=half.aval.dtype, mode="low")
    if dtype.kind == "b":  # both are true
        return jnp.ones_like(toss)
    twice = lax.mul(scalar(2, dtype), lax.convert_element_type(toss, dtype))
    return lax.sub(twice, scalar(1, dtype))


def rademacher(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """-1 or 1 with equal probability.

    Args:
      key: a key, typed or raw.
      shape: shape of the result.
      dtype: any numeric dtype; int32 by default.

    >>> from adlib import random
    >>> random.rademacher(random.key(0), (4,))
    Array([-1, -1,  1,  1], dtype=int32)
    """
    typed = key_of("rademacher", key)
    dtype = dtypes.canonicalize_dtype(int if dtype is None else dtype)
    return _rademacher(typed, shape=canonical_shape("rademacher", shape), dtype=dtype)  # type: ignore[no-any-return]
