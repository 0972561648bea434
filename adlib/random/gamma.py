"""Gamma draws and the distributions that are made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.ops.random_gamma import random_gamma
from adlib.random.arguments import (
    as_dtype,
    canonical_shape,
    float_dtype,
    key_of,
    parameter,
    result_shape,
    sampler,
    split_key,
)
from adlib.random.continuous import _exponential
from adlib.random.normal import _normal
from adlib.random.uniform import _rademacher


@sampler
def _gamma(key: Array, a: Array, *, shape: Any, dtype: Any, log_space: bool) -> Array:
    alpha = jnp.broadcast_to(as_dtype(a, dtype), shape)
    return random_gamma(key, alpha, log_space)  # type: ignore[no-any-return]


def gamma(
    key: Any, a: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Gamma draws with scale 1. Differentiable in ``a``, by implicit reparameterisation.

    Args:
      key: a key, typed or raw.
      a: positive float; broadcasts to ``shape``.
      shape: shape of the result; that of ``a`` by default.
      dtype: float dtype; float32 by default.

    Source: Marsaglia and Tsang (2000).

    >>> from adlib import random
    >>> random.gamma(random.key(0), 2.0, (2,)).round(3)
    Array([1.59, 1.76], dtype=float32)
    """
    typed, dtype, param, shape = _prepare("gamma", key, a, shape, dtype)
    return _gamma(typed, param, shape=shape, dtype=dtype, log_space=False)  # type: ignore[no-any-return]


def loggamma(
    key: Any, a: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Logarithms of gamma draws, exact also where the draws themselves would underflow.

    Args:
      key: a key, typed or raw.
      a: positive float; broadcasts to ``shape``.
      shape: shape of the result; that of ``a`` by default.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.loggamma(random.key(0), 0.001, (2,)).round(1)
    Array([-110.6,  -95.5], dtype=float32)
    """
    typed, dtype, param, shape = _prepare("loggamma", key, a, shape, dtype)
    return _gamma(typed, param, shape=shape, dtype=dtype, log_space=True)  # type: ignore[no-any-return]


def _prepare(name: str, key: Any, a: Any, shape: Any, dtype: Any) -> tuple[Any, Any, Array, Any]:
    typed = key_of(name, key)
    param = parameter(name, a)
    return typed, float_dtype(name, dtype), param, result_shape(name, shape, param)


@sampler
def _beta(key: Array, a: Array, b: Array, *, shape: Any, dtype: Any) -> Array:
    logs = [
        _gamma(
            k, jnp.broadcast_to(as_dtype(x, dtype), shape), shape=shape, dtype=dtype, log_space=True
        )
        for k, x in zip(split_key(key, 2), (a, b), strict=True)
    ]
    greatest = lax.max(*logs)
    first, second = (lax.exp(lax.sub(x, greatest)) for x in logs)
    return lax.div(first, lax.add(first, second))


def beta(
    key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Beta draws: the first of two gamma draws as a share of both.

    Args:
      key: a key, typed or raw.
      a, b: positive floats, which broadcast to ``shape``.
      shape: shape of the result; that of the parameters by default.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.beta(random.key(0), 2.0, 3.0, (2,)).round(3)
    Array([0.236, 0.49 ], dtype=float32)
    """
    typed = key_of("beta", key)
    dtype = float_dtype("beta", dtype)
    params = parameter("beta", a), parameter("beta", b)
    return _beta(typed, *params, shape=result_shape("beta", shape, *params), dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _dirichlet(key: Array, alpha: Array, *, shape: Any, dtype: Any) -> Array:
    full = (*shape, alpha.aval.shape[-1])
    logs = _gamma(key, alpha, shape=full, dtype=dtype, log_space=True)
    greatest = lax.stop_gradient(jnp.max(logs, axis=-1, keepdims=True))
    shares = lax.exp(lax.sub(logs, greatest))
    return lax.div(shares, jnp.sum(shares, axis=-1, keepdims=True))


def dirichlet(
    key: Any, alpha: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Dirichlet draws: gamma draws as shares of their sum along the last axis.

    Args:
      key: a key, typed or raw.
      alpha: positive floats, shape (..., n).
      shape: shape of the result without its last axis; by default ``alpha``'s.
      dtype: float dtype; float32 by default.

    Returns:
      Array of shape ``shape + (n,)``; each row sums to 1.

    Raises ValueError for ``alpha`` of rank 0.

    >>> import adlib.numpy as jnp
    >>> from adlib import random
    >>> random.dirichlet(random.key(0), jnp.ones(3)).round(3)
    Array([0.365, 0.428, 0.207], dtype=float32)
    """
    typed = key_of("dirichlet", key)
    dtype = float_dtype("dirichlet", dtype)
    param = parameter("dirichlet", alpha)
    if param.aval.ndim < 1:
        raise ValueError(f"dirichlet requires alpha.ndim >= 1, got alpha.ndim == 0{here()}")
    batch = param.aval.shape[:-1]
    wanted = batch if shape is None else canonical_shape("dirichlet", shape)
    result_shape("dirichlet", (*wanted, param.aval.shape[-1]), param)
    return _dirichlet(typed, as_dtype(param, dtype), shape=wanted, dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _chisquare(key: Array, df: Array, *, shape: Any, dtype: Any) -> Array:
    half = as_dtype(df, dtype) / 2
    logs = _gamma(key, half, shape=shape, dtype=dtype, log_space=True)
    return 2 * jnp.exp(logs)  # type: ignore[no-any-return]


def chisquare(
    key: Any, df: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Chi-square draws with ``df`` degrees of freedom.

    Args:
      key: a key, typed or raw.
      df: positive float; broadcasts to ``shape``.
      shape: shape of the result; that of ``df`` by default.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.chisquare(random.key(0), 3.0, (2,)).round(3)
    Array([2.205, 2.49 ], dtype=float32)
    """
    typed, dtype, param, shape = _prepare("chisquare", key, df, shape, dtype)
    return _chisquare(typed, param, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _f(key: Array, dfnum: Array, dfden: Array, *, shape: Any, dtype: Any) -> Array:
    above, below = as_dtype(dfnum, dtype), as_dtype(dfden, dtype)
    for_below, for_above = split_key(key, 2)
    num = _chisquare(for_above, above, shape=shape, dtype=dtype) / above
    den = _chisquare(for_below, below, shape=shape, dtype=dtype) / below
    return num / den  # type: ignore[no-any-return]


def f(
    key: Any,
    dfnum: Any,
    dfden: Any,
    shape: Any = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """F draws: the ratio of two mean chi-squares.

    Args:
      key: a key, typed or raw.
      dfnum, dfden: degrees of freedom above and below, which broadcast to ``shape``.
      shape: shape of the result; that of the parameters by default.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.f(random.key(0), 3.0, 5.0, (2,)).round(3)
    Array([2.58 , 0.192], dtype=float32)
    """
    typed = key_of("f", key)
    dtype = float_dtype("f", dtype)
    params = parameter("f", dfnum), parameter("f", dfden)
    return _f(typed, *params, shape=result_shape("f", shape, *params), dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _t(key: Array, df: Array, *, shape: Any, dtype: Any) -> Array:
    for_normal, for_gamma = split_key(key, 2)
    draws = _normal(for_normal, shape=shape, dtype=dtype)
    half = as_dtype(df, dtype) / 2
    gammas = _gamma(for_gamma, half, shape=shape, dtype=dtype, log_space=False)
    return draws * jnp.sqrt(half / gammas)  # type: ignore[no-any-return]


def t(
    key: Any, df: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Student's t draws with ``df`` degrees of freedom.

    Args:
      key: a key, typed or raw.
      df: positive float; broadcasts to ``shape``.
      shape: shape of the result; that of ``df`` by default.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.t(random.key(0), 4.0, (2,)).round(3)
    Array([ 0.716, -2.417], dtype=float32)
    """
    typed, dtype, param, shape = _prepare("t", key, df, shape, dtype)
    return _t(typed, param, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _generalized_normal(key: Array, p: Array, *, shape: Any, dtype: Any) -> Array:
    for_gamma, for_sign = split_key(key, 2)
    gammas = _gamma(for_gamma, 1 / p, shape=shape, dtype=dtype, log_space=False)
    signs = _rademacher(for_sign, shape=shape, dtype=dtype)
    return signs * gammas ** as_dtype(1 / p, dtype)  # type: ignore[no-any-return]


def generalized_normal(
    key: Any, p: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Draws with density proportional to ``exp(-abs(x)**p)``.

    Args:
      key: a key, typed or raw.
      p: positive float.
      shape: shape of the result.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.generalized_normal(random.key(0), 1.5, (2,)).round(3)
    Array([1.06 , 0.089], dtype=float32)
    """
    typed = key_of("generalized_normal", key)
    dtype = float_dtype("generalized_normal", dtype)
    shape = canonical_shape("generalized_normal", shape)
    power = parameter("generalized_normal", p)
    return _generalized_normal(typed, power, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _ball(key: Array, p: Array, *, d: int, shape: Any, dtype: Any) -> Array:
    for_direction, for_radius = split_key(key, 2)
    g = _generalized_normal(for_direction, p, shape=(*shape, d), dtype=dtype)
    e = _exponential(for_radius, shape=shape, dtype=dtype)
    norms = jnp.sum(jnp.abs(g) ** as_dtype(p, dtype), axis=-1) + e
    return g / (norms ** as_dtype(1 / p, dtype))[..., None]  # type: ignore[no-any-return]


def ball(
    key: Any, d: int, p: Any = 2, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Uniform draws from the unit ball of the p-norm in ``d`` dimensions.

    Args:
      key: a key, typed or raw.
      d: dimensions.
      p: positive float; 2 for the Euclidean ball.
      shape: shape of the result without its last axis.
      dtype: float dtype; float32 by default.

    Returns:
      Array of shape ``shape + (d,)``.

    Source: Barthe, Guédon, Mendelson, Naor, "A probabilistic approach to the geometry of the
    l_p^n-ball" (2005).

    >>> from adlib import random
    >>> random.ball(random.key(0), 2).round(3)
    Array([0.917, 0.393], dtype=float32)
    """
    typed = key_of("ball", key)
    dtype = float_dtype("ball", dtype)
    shape = canonical_shape("ball", shape)
    power = parameter("ball", float(p) if isinstance(p, (int, np.integer)) else p)
    return _ball(typed, power, d=int(d), shape=shape, dtype=dtype)  # type: ignore[no-any-return]
