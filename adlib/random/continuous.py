"""Continuous distributions that are one formula of a uniform or exponential draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array, scalar
from adlib.random.arguments import (
    as_dtype,
    canonical_shape,
    finfo,
    float_dtype,
    key_of,
    parameter,
    result_shape,
    rows,
    sampler,
    split_key,
)
from adlib.random.normal import _normal
from adlib.random.uniform import _uniform


def _unit(key: Array, shape: Any, dtype: Any, low: float = 0.0, high: float = 1.0) -> Array:
    return _uniform(key, scalar(low, dtype), scalar(high, dtype), shape=shape, dtype=dtype)  # type: ignore[no-any-return]


def _tiny(dtype: Any) -> float:
    return float(finfo(dtype).tiny)


# ---------------------------------------------------------------------- exponential


@sampler
def _exponential(key: Array, *, shape: Any, dtype: Any) -> Array:
    return lax.neg(lax.log1p(lax.neg(_unit(key, shape, dtype))))


def exponential(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Exponential draws with mean 1.

    Args:
      key: a key, typed or raw.
      shape: shape of the result.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.exponential(random.key(0), (2,)).round(3)
    Array([2.95 , 3.843], dtype=float32)
    """
    typed = key_of("exponential", key)
    dtype = float_dtype("exponential", dtype)
    return _exponential(typed, shape=canonical_shape("exponential", shape), dtype=dtype)  # type: ignore[no-any-return]


# --------------------------------------------------------------------------- gumbel


@sampler
def _gumbel(key: Array, *, shape: Any, dtype: Any, mode: str) -> Array:
    if mode == "low":
        u = _unit(key, shape, dtype, low=_tiny(dtype))
        return lax.neg(lax.log(lax.neg(lax.log(u))))
    # small draws, which become the upper tail, get finer bits
    coarse, fine = rows(_unit(key, (2, *shape), dtype))
    fine_enough = lax.ge(coarse, scalar(0.5, dtype))
    refined = lax.add(coarse, lax.mul(scalar(float(finfo(dtype).eps), dtype), fine))
    refined = lax.add(refined, scalar(_tiny(dtype), dtype))
    u = lax.select(fine_enough, coarse, refined)
    return lax.neg(lax.log(lax.neg(lax.log1p(lax.neg(u)))))


def gumbel_mode(name: str, mode: Any) -> str:
    """``"low"`` or ``"high"``; None stands for the former."""
    if mode not in (None, "low", "high"):
        raise ValueError(f"{name}: mode must be 'low' or 'high', got {mode!r}.{here()}")
    return mode or "low"


def gumbel(
    key: Any,
    shape: Any = (),
    dtype: Any = None,
    mode: str | None = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """Standard Gumbel draws.

    Args:
      key: a key, typed or raw.
      shape: shape of the result.
      dtype: float dtype; float32 by default.
      mode: ``"low"`` (default) or ``"high"``: twice the bits, for a longer upper tail.

    Raises ValueError for another mode.

    >>> from adlib import random
    >>> random.gumbel(random.key(0), (2,)).round(3)
    Array([2.923, 3.833], dtype=float32)
    """
    typed = key_of("gumbel", key)
    dtype = float_dtype("gumbel", dtype)
    shape = canonical_shape("gumbel", shape)
    return _gumbel(typed, shape=shape, dtype=dtype, mode=gumbel_mode("gumbel", mode))  # type: ignore[no-any-return]


# ------------------------------------------------------- laplace, logistic, cauchy


@sampler
def _laplace(key: Array, *, shape: Any, dtype: Any) -> Array:
    u = _unit(key, shape, dtype, low=-1.0 + float(finfo(dtype).epsneg))
    return lax.mul(lax.sign(u), lax.log1p(lax.neg(lax.abs(u))))


def laplace(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Laplace draws with location 0 and scale 1.

    Args:
      key: a key, typed or raw.
      shape: shape of the result.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.laplace(random.key(0), (2,)).round(3)
    Array([-2.257, -3.15 ], dtype=float32)
    """
    typed = key_of("laplace", key)
    dtype = float_dtype("laplace", dtype)
    return _laplace(typed, shape=canonical_shape("laplace", shape), dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _logistic(key: Array, *, shape: Any, dtype: Any) -> Array:
    u = _unit(key, shape, dtype, low=_tiny(dtype))
    return lax.sub(lax.log(u), lax.log1p(lax.neg(u)))


def logistic(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Logistic draws with location 0 and scale 1.

    Args:
      key: a key, typed or raw.
      shape: shape of the result.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.logistic(random.key(0), (2,)).round(3)
    Array([2.896, 3.822], dtype=float32)
    """
    typed = key_of("logistic", key)
    dtype = float_dtype("logistic", dtype)
    return _logistic(typed, shape=canonical_shape("logistic", shape), dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _cauchy(key: Array, *, shape: Any, dtype: Any) -> Array:
    u = _unit(key, shape, dtype, low=float(finfo(dtype).eps))
    return lax.tan(lax.mul(scalar(np.pi, dtype), lax.sub(u, scalar(0.5, dtype))))


def cauchy(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Cauchy draws with location 0 and scale 1.

    Args:
      key: a key, typed or raw.
      shape: shape of the result.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.cauchy(random.key(0), (2,)).round(3)
    Array([ 6.027, 14.838], dtype=float32)
    """
    typed = key_of("cauchy", key)
    dtype = float_dtype("cauchy", dtype)
    return _cauchy(typed, shape=canonical_shape("cauchy", shape), dtype=dtype)  # type: ignore[no-any-return]


# -------------------------------------------------------- distributions with parameters


@sampler
def _pareto(key: Array, b: Array, *, shape: Any, dtype: Any) -> Array:
    return jnp.exp(_exponential(key, shape=shape, dtype=dtype) / as_dtype(b, dtype))  # type: ignore[no-any-return]


def pareto(
    key: Any, b: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Pareto draws with scale 1 and shape parameter ``b``, so that P(x > t) = t**-b.

    Args:
      key: a key, typed or raw.
      b: positive float; broadcasts to ``shape``.
      shape: shape of the result; that of ``b`` by default.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.pareto(random.key(0), 2.0, (2,)).round(3)
    Array([4.371, 6.833], dtype=float32)
    """
    typed = key_of("pareto", key)
    dtype = float_dtype("pareto", dtype)
    param = parameter("pareto", b)
    return _pareto(typed, param, shape=result_shape("pareto", shape, param), dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _rayleigh(key: Array, scale: Array, *, shape: Any, dtype: Any) -> Array:
    log_u = lax.log(_unit(key, shape, dtype))
    return as_dtype(scale, dtype) * lax.sqrt(lax.mul(log_u, scalar(-2.0, dtype)))  # type: ignore[no-any-return]


def rayleigh(
    key: Any, scale: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Rayleigh draws: lengths of normal vectors in the plane with deviation ``scale``.

    Args:
      key: a key, typed or raw.
      scale: positive float; broadcasts to ``shape``.
      shape: shape of the result; that of ``scale`` by default.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.rayleigh(random.key(0), 2.0, (2,)).round(3)
    Array([0.656, 0.416], dtype=float32)
    """
    typed = key_of("rayleigh", key)
    dtype = float_dtype("rayleigh", dtype)
    param = parameter("rayleigh", scale)
    return _rayleigh(typed, param, shape=result_shape("rayleigh", shape, param), dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _weibull_min(
    key: Array, scale: Array, concentration: Array, *, shape: Any, dtype: Any
) -> Array:
    power = 1.0 / as_dtype(concentration, dtype)
    return _exponential(key, shape=shape, dtype=dtype) ** power * as_dtype(scale, dtype)  # type: ignore[no-any-return]


def weibull_min(
    key: Any, scale: Any, concentration: Any, shape: Any = (), dtype: Any = None
) -> Array:
    """Weibull draws: ``scale`` times an exponential draw to the power ``1/concentration``.

    Args:
      key: a key, typed or raw.
      scale, concentration: positive floats.
      shape: shape of the draws; the parameters' is broadcast against it.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.weibull_min(random.key(0), 1.0, 2.0, (2,)).round(3)
    Array([1.718, 1.96 ], dtype=float32)
    """
    typed = key_of("weibull_min", key)
    dtype = float_dtype("weibull_min", dtype)
    params = parameter("weibull_min", scale), parameter("weibull_min", concentration)
    shape = canonical_shape("weibull_min", shape)
    return _weibull_min(typed, *params, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _triangular(
    key: Array, left: Array, mode: Array, right: Array, *, shape: Any, dtype: Any
) -> Array:
    left, mode, right = (as_dtype(x, dtype) for x in (left, mode, right))
    u = _unit(key, shape, dtype)
    rising = left + jnp.sqrt(u * (right - left) * (mode - left))
    falling = right - jnp.sqrt((1 - u) * (right - left) * (right - mode))
    return jnp.where(u < (mode - left) / (right - left), rising, falling)  # type: ignore[no-any-return]


def triangular(
    key: Any,
    left: Any,
    mode: Any,
    right: Any,
    shape: Any = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """Draws whose density rises linearly from ``left`` to ``mode`` and falls to ``right``.

    Args:
      key: a key, typed or raw.
      left, mode, right: floats in this order, which broadcast to ``shape``.
      shape: shape of the result; that of the parameters by default.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.triangular(random.key(0), 0.0, 1.0, 4.0, (2,)).round(3)
    Array([3.208, 3.493], dtype=float32)
    """
    typed = key_of("triangular", key)
    dtype = float_dtype("triangular", dtype)
    params = [parameter("triangular", x) for x in (left, mode, right)]
    shape = result_shape("triangular", shape, *params)
    return _triangular(typed, *params, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _wald(key: Array, mean: Array, *, shape: Any, dtype: Any) -> Array:
    for_normal, for_uniform = split_key(key, 2)
    mean = lax.broadcast_to_rank(as_dtype(mean, dtype), len(shape))
    mean = jnp.broadcast_to(mean, shape)
    v = _normal(for_normal, shape=shape, dtype=dtype)
    z = _unit(for_uniform, shape, dtype)
    y = lax.integer_pow(v, 2)
    root = jnp.sqrt(4.0 * mean * y + lax.integer_pow(mean, 2) * lax.integer_pow(y, 2))
    x = mean + lax.integer_pow(mean, 2) * y / 2.0 - mean / 2.0 * root
    return jnp.where(z <= mean / (mean + x), x, lax.integer_pow(mean, 2) / x)  # type: ignore[no-any-return]


def wald(
    key: Any, mean: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """Inverse Gaussian draws with the given mean and scale 1.

    Args:
      key: a key, typed or raw.
      mean: positive float; broadcasts to ``shape``.
      shape: shape of the result; that of ``mean`` by default.
      dtype: float dtype; float32 by default.

    Source: Michael, Schucany, Haas, "Generating random variates using transformations with
    multiple roots" (1976).

    >>> from adlib import random
    >>> random.wald(random.key(0), 2.0, (2,)).round(3)
    Array([0.533, 0.598], dtype=float32)
    """
    typed = key_of("wald", key)
    dtype = float_dtype("wald", dtype)
    param = parameter("wald", mean)
    return _wald(typed, param, shape=result_shape("wald", shape, param), dtype=dtype)  # type: ignore[no-any-return]
