"""Distributions on whole numbers: Poisson, binomial, multinomial, geometric."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.promotion import promote_inexact
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
from adlib.random.continuous import _unit

# ----------------------------------------------------------------------- geometric


@sampler
def _geometric(key: Array, p: Array, *, shape: Any, dtype: Any) -> Array:
    u = _unit(key, shape, p.aval.dtype)
    u = jnp.where(u == 0, 1, u)
    return as_dtype(jnp.floor(jnp.log(u) / jnp.log1p(-p)) + 1, dtype)


def geometric(
    key: Any, p: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """How many tosses until the first success of probability ``p``, that toss included.

    Args:
      key: a key, typed or raw.
      p: float in (0, 1); broadcasts to ``shape``.
      shape: shape of the result; that of ``p`` by default.
      dtype: integer dtype; int32 by default.

    >>> from adlib import random
    >>> random.geometric(random.key(0), 0.3, (4,))
    Array([1, 1, 4, 3], dtype=int32)
    """
    typed = key_of("geometric", key)
    dtype = int_dtype("geometric", dtype)
    prob = parameter("geometric", p)
    if not dtypes.is_float(prob.aval.dtype):
        prob = as_dtype(prob, dtypes.canonicalize_dtype(np.float64))
    prob = as_dtype(prob, prob.aval.dtype)
    shape = result_shape("geometric", shape, prob)
    return _geometric(typed, prob, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


# ------------------------------------------------------------------------- poisson


def _poisson_small(key: Array, rate: Array, shape: Any, dtype: Any) -> Array:
    """Knuth's method for small rates: how many uniform draws until their product < exp(-rate)."""
    limit = min(np.iinfo(dtype).max, 2**31 - 1)  # steps are counted in 32 bits

    def running(carry: Any) -> Any:
        step, _, _, log_product = carry
        return jnp.any(log_product > -rate) & (step < limit)

    def draw(carry: Any) -> Any:
        step, count, key, log_product = carry
        key, used = split_key(key, 2)
        count = jnp.where(log_product > -rate, count + 1, count)
        u = _unit(used, shape, np.dtype(np.float32))
        return step + 1, count, key, log_product + jnp.log(u)

    start = (
        scalar(0, np.dtype(np.int32)),
        jnp.zeros(shape, dtype),
        key,
        jnp.zeros(shape, np.float32),
    )
    return lax.while_loop(running, draw, start)[1] - 1  # type: ignore[no-any-return]


def _poisson_large(key: Array, rate: Array, shape: Any, dtype: Any) -> Array:
    """Transformed rejection for large rates (Hörmann 1993, algorithm PTRS)."""
    log_rate = jnp.log(rate)
    b = 0.931 + 2.53 * jnp.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    limit = min(np.iinfo(dtype).max, 2**31 - 1)  # steps are counted in 32 bits

    def running(carry: Any) -> Any:
        step, _, accepted, _ = carry
        return jnp.any(~accepted) & (step < limit)

    def draw(carry: Any) -> Any:
        step, out, accepted, key = carry
        key, for_u, for_v = split_key(key, 3)
        u = _unit(for_u, shape, np.dtype(np.float32)) - 0.5
        v = _unit(for_v, shape, np.dtype(np.float32))
        us = 0.5 - jnp.abs(u)
        k = jnp.floor((2 * a / us + b) * u + rate + 0.43)
        s = jnp.log(v * inverse_alpha / (a / (us * us) + b))
        t = -rate + k * log_rate - lax.lgamma(k + 1)
        certain = (us >= 0.07) & (v <= v_r)
        refused = (k < 0) | ((us < 0.013) & (v > us))
        accept = certain | (~refused & (s <= t))
        return step + 1, jnp.where(accept, k, out), accepted | accept, key

    start = (
        scalar(0, np.dtype(np.int32)),
        jnp.full(shape, -1.0, np.float32),
        jnp.zeros(shape, bool),
        key,
    )
    return lax.convert_element_type(lax.while_loop(running, draw, start)[1], dtype)


@sampler
def _poisson(key: Array, rate: Array, *, shape: Any, dtype: Any) -> Array:
    small = jnp.isnan(rate) | (rate < 10)
    # each method is given a harmless rate where the other's result is taken
    few = _poisson_small(key, jnp.where(small, rate, 0.0), shape, dtype)
    many = _poisson_large(key, jnp.where(small, 1e5, rate), shape, dtype)
    out = jnp.where(small, few, many)
    return jnp.where(rate == 0, 0, out)  # type: ignore[no-any-return]


def poisson(
    key: Any, lam: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Poisson draws with rate ``lam``.

    Args:
      key: a key, typed or raw.
      lam: rate, at least 0; broadcasts to ``shape``.
      shape: shape of the result; that of ``lam`` by default.
      dtype: integer dtype; int32 by default.

    Source: Knuth, "The Art of Computer Programming" vol. 2, below rate 10; Hörmann, "The
    transformed rejection method for generating Poisson random variables" (1993), above.

    >>> from adlib import random
    >>> random.poisson(random.key(0), 3.0, (4,))
    Array([0, 0, 4, 4], dtype=int32)
    """
    typed = key_of("poisson", key)
    dtype = int_dtype("poisson", dtype)
    rate = parameter("poisson", lam)
    shape = result_shape("poisson", shape, rate)
    rate = as_dtype(jnp.broadcast_to(rate, shape), np.dtype(np.float32))
    return _poisson(typed, rate, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


# ------------------------------------------------------------------------ binomial

# log(k!) minus Stirling's approximation of it, for k = 0 … 9
_STIRLING_TAILS = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
    0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
    0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def _stirling_tail(k: Array) -> Array:
    table = jnp.asarray(_STIRLING_TAILS, k.aval.dtype)
    # the published numbers take the series at 9 for all that is beyond the table
    small = jnp.minimum(jnp.maximum(k, 0.0), 9.0)
    square = (small + 1) * (small + 1)
    series = (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (small + 1)
    exact = jnp.take(table, lax.convert_element_type(small, np.dtype(np.int32)), mode="clip")
    return jnp.where(k <= 9, exact, series)  # type: ignore[no-any-return]


def _binomial_small(key: Array, n: Array, log1m_p: Array, shape: Any, dtype: Any) -> Array:
    """Sum of geometric gaps between successes, for n p up to 10."""
    limit = float(finfo(dtype).max)

    def running(carry: Any) -> Any:
        step, _, total, _ = carry
        return jnp.any(total <= n) & (lax.convert_element_type(step, dtype) < limit)

    def draw(carry: Any) -> Any:
        step, count, total, key = carry
        used, key = split_key(key, 2)
        count = jnp.where(total <= n, count + 1, count)
        gap = jnp.ceil(jnp.log(_unit(used, shape, dtype)) / log1m_p)
        return step + 1, count, total + gap, key

    zeros = jnp.zeros(shape, dtype)
    start = (scalar(0, np.dtype(np.int32)), zeros, zeros, key)
    return lax.while_loop(running, draw, start)[1] - 1  # type: ignore[no-any-return]


class _Envelope(NamedTuple):
    """Constants of the rejection sampler, functions of n and p."""

    n: Array
    a: Array
    b: Array
    c: Array
    v_r: Array
    r: Array
    alpha: Array
    mode: Array


def _envelope(n: Array, p: Array) -> _Envelope:
    spread = jnp.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    return _Envelope(
        n=n,
        a=-0.0873 + 0.0248 * b + 0.01 * p,
        b=b,
        c=n * p + 0.5,
        v_r=0.92 - 4.2 / b,
        r=p / (1 - p),
        alpha=(2.83 + 5.1 / b) * spread,
        mode=jnp.floor((n + 1) * p),
    )


def _log_bound(e: _Envelope, k: Array) -> Array:
    """Logarithm of the probability of k over that of the mode."""
    n, m, r = e.n, e.mode, e.r
    ratio = (m + 0.5) * jnp.log((m + 1) / (r * (n - m + 1)))
    ratio = ratio + (n + 1) * jnp.log((n - m + 1) / (n - k + 1))
    ratio = ratio + (k + 0.5) * jnp.log(r * (n - k + 1) / (k + 1))
    ratio = ratio + _stirling_tail(m) + _stirling_tail(n - m)
    return ratio - _stirling_tail(k) - _stirling_tail(n - k)


def _binomial_large(key: Array, n: Array, p: Array, shape: Any, dtype: Any) -> Array:
    """Transformed rejection (Hörmann 1993, algorithm BTRS), for n p of at least 10."""
    e = _envelope(n, p)
    limit = float(finfo(dtype).max)

    def running(carry: Any) -> Any:
        step, _, accepted, _ = carry
        return jnp.any(~accepted) & (lax.convert_element_type(step, dtype) < limit)

    def draw(carry: Any) -> Any:
        step, out, accepted, key = carry
        key, for_u, for_v = split_key(key, 3)
        u = _unit(for_u, shape, dtype) - 0.5
        v = _unit(for_v, shape, dtype)
        us = 0.5 - jnp.abs(u)
        certain = (us >= 0.07) & (v <= e.v_r)
        k = jnp.floor((2 * e.a / us + e.b) * u + e.c)
        outside = (k < 0) | (k > n)
        height = jnp.log(v * e.alpha / (e.a / (us * us) + e.b))
        accept = certain | (~outside & (height <= _log_bound(e, k)))
        return step + 1, jnp.where(accept, k, out), accepted | accept, key

    start = (
        scalar(0, np.dtype(np.int32)),
        jnp.full(shape, -1.0, dtype),
        jnp.zeros(shape, bool),
        key,
    )
    return lax.while_loop(running, draw, start)[1]  # type: ignore[no-any-return]


@sampler
def _binomial(key: Array, n: Array, p: Array, *, shape: Any, dtype: Any) -> Array:
    # the rarer outcome is counted
    rare = p < 0.5
    q = jnp.where(rare, p, 1 - p)
    bad_n = jnp.isnan(n) | (n < 0)
    infinite = jnp.isinf(n)
    bad_q = jnp.isnan(q) | (q < 0)
    q = jnp.where(bad_q, 0.01, q)
    small = bad_n | (n * q <= 10)
    whole = jnp.floor(n)
    few = _binomial_small(key, jnp.where(small, whole, 0.0), jnp.log1p(-q), shape, dtype)
    many = _binomial_large(
        key, jnp.where(small, 1e4, whole), jnp.where(small, 0.5, q), shape, dtype
    )
    out = jnp.where(small, few, many)
    invalid = bad_q | bad_n
    out = jnp.where(invalid, jnp.nan, out)
    out = jnp.where(infinite & ~invalid, jnp.inf, out)
    return jnp.where(rare | bad_n | jnp.isnan(p) | infinite, out, whole - out)  # type: ignore[no-any-return]


def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = None) -> Array:
    """Successes in ``n`` tosses of probability ``p``.

    Args:
      key: a key, typed or raw.
      n, p: tosses and probability, which broadcast to ``shape``.
      shape: shape of the result; that of the parameters by default.
      dtype: float dtype of the result; float32 by default.

    Returns:
      Array of whole floats; NaN where ``n`` or ``p`` is out of range.

    Source: Hörmann, "The generation of binomial random variates" (1993).

    >>> from adlib import random
    >>> random.binomial(random.key(0), 10, 0.3, (4,))
    Array([2., 2., 1., 2.], dtype=float32)
    """
    typed = key_of("binomial", key)
    dtype = float_dtype("binomial", dtype)
    params = parameter("binomial", n), parameter("binomial", p)
    shape = result_shape("binomial", shape, *params)
    # drawn in the parameters' own dtype: which numbers come does not depend on the result's
    drawn = promote_inexact("binomial", *params)[0].aval.dtype
    n, p = (as_dtype(jnp.broadcast_to(x, shape), drawn) for x in params)
    return as_dtype(_binomial(typed, n, p, shape=shape, dtype=drawn), dtype)


# --------------------------------------------------------------------- multinomial


def multinomial(
    key: Any, n: Any, p: Any, *, shape: Any = None, dtype: Any = None, unroll: int | bool = 1
) -> Array:
    """How often each of several outcomes comes up in ``n`` trials.

    Args:
      key: a key, typed or raw.
      n: trials, shape (...).
      p: probabilities, shape (..., k), summing to 1 along the last axis.
      shape: shape of the result; by default ``n``'s with k.
      dtype: dtype of the result; float32 by default.

    Returns:
      Array of whole numbers of shape (..., k) that sum to ``n``.

    Each outcome is a binomial draw out of the trials that are left.

    >>> import adlib.numpy as jnp
    >>> from adlib import random
    >>> random.multinomial(random.key(0), 10, jnp.array([0.2, 0.3, 0.5]))
    Array([1., 1., 8.], dtype=float32)
    """
    typed = key_of("multinomial", key)
    trials, probs = parameter("multinomial", n), parameter("multinomial", p)
    result = dtypes.canonicalize_dtype(float if dtype is None else dtype)
    dtype = promote_inexact("multinomial", trials, probs)[0].aval.dtype
    if probs.aval.ndim < 1:
        raise ValueError(f"multinomial requires p.ndim >= 1, got p.ndim == 0{here()}")
    full = np.broadcast_shapes((*trials.aval.shape, 1), probs.aval.shape)
    if shape is not None:
        wanted = canonical_shape("multinomial", shape)
        if np.broadcast_shapes(wanted, full) != wanted:
            raise ValueError(
                f"multinomial: n of shape {trials.aval.shape} and p of shape {probs.aval.shape} "
                f"do not broadcast to shape={wanted}.{here()}"
            )
        full = wanted
    trials = as_dtype(jnp.broadcast_to(trials, full[:-1]), dtype)
    probs = as_dtype(jnp.broadcast_to(probs, full), dtype)
    left = lax.cumsum(probs, probs.aval.ndim - 1, reverse=True)
    shares = jnp.moveaxis(probs / jnp.where(left == 0, 1, left), -1, 0)
    keys = split_key(typed, full[-1])

    counts = []
    for k, share in zip(keys, rows(shares), strict=True):
        share = jnp.minimum(jnp.maximum(share, 0), 1)
        count = _binomial(k, trials, share, shape=full[:-1], dtype=dtype)
        counts.append(count)
        trials = trials - count
    return as_dtype(jnp.stack(counts, axis=-1), result)
