"""Normal draws, and what is made of them: truncated, log-normal, Maxwell, vectors, rotations."""

from __future__ import annotations

from typing import Any

import numpy as np

import adlib.numpy as jnp
from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
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
from adlib.random.uniform import _rademacher, _uniform


@sampler
def _normal_real(key: Array, *, shape: Any, dtype: Any) -> Array:
    # the open interval (-1, 1): erf_inv is infinite at its ends
    low = scalar(float(np.nextafter(np.array(-1, dtype), np.array(0, dtype), dtype=dtype)), dtype)
    u = _uniform(key, low, scalar(1.0, dtype), shape=shape, dtype=dtype)
    return lax.mul(scalar(float(np.sqrt(2)), dtype), lax.erf_inv(u))


@sampler
def _normal(key: Array, *, shape: Any, dtype: Any) -> Array:
    if not dtypes.is_complex(dtype):
        return _normal_real(key, shape=shape, dtype=dtype)  # type: ignore[no-any-return]
    part = dtypes.real_of(dtype)
    re, im = [
        lax.convert_element_type(_normal_real(k, shape=shape, dtype=part), dtype)
        for k in split_key(key, 2)
    ]
    root = scalar(complex(np.sqrt(2)), dtype)
    return lax.div(lax.add(re, lax.mul(scalar(1j, dtype), im)), root)


def normal(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Standard normal draws; complex ones have unit variance in all.

    Args:
      key: a key, typed or raw.
      shape: shape of the result.
      dtype: float or complex dtype; float32 by default.

    Raises ValueError for another dtype.

    >>> from adlib import random
    >>> random.normal(random.key(0), (3,))
    Array([ 1.62264 ,  2.02526 , -0.43359], dtype=float32)
    """
    typed = key_of("normal", key)
    dtype = float_dtype("normal", dtype, also_complex=True)
    return _normal(typed, shape=canonical_shape("normal", shape), dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _truncated_normal(key: Array, lower: Array, upper: Array, *, shape: Any, dtype: Any) -> Array:
    lower, upper = as_dtype(lower, dtype), as_dtype(upper, dtype)
    root = scalar(float(np.sqrt(2)), dtype)
    low, high = lax.erf(lax.div(lower, root)), lax.erf(lax.div(upper, root))
    u = _uniform(key, low, high, shape=shape, dtype=dtype)
    out = lax.mul(root, lax.erf_inv(u))
    infinity = scalar(np.inf, dtype)
    # rounding must not lead out of the open interval
    above = lax.nextafter(lax.stop_gradient(lower), infinity)
    below = lax.nextafter(lax.stop_gradient(upper), lax.neg(infinity))
    return jnp.minimum(below, jnp.maximum(above, out))


def truncated_normal(
    key: Any,
    lower: Any,
    upper: Any,
    shape: Any = None,
    dtype: Any = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """Standard normal draws conditioned on (lower, upper).

    Args:
      key: a key, typed or raw.
      lower, upper: bounds, which broadcast to ``shape``.
      shape: shape of the result; that of the bounds by default.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.truncated_normal(random.key(0), -1.0, 1.0, (2,)).round(4)
    Array([0.8619, 0.9413], dtype=float32)
    """
    typed = key_of("truncated_normal", key)
    dtype = float_dtype("truncated_normal", dtype)
    low, high = parameter("truncated_normal", lower), parameter("truncated_normal", upper)
    shape = result_shape("truncated_normal", shape, low, high)
    return _truncated_normal(typed, low, high, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


def lognormal(
    key: Any, sigma: Any = 1.0, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None
) -> Array:
    """``exp`` of normal draws with mean 0 and standard deviation ``sigma``.

    Args:
      key: a key, typed or raw.
      sigma: float; broadcasts to ``shape``.
      shape: shape of the result; that of ``sigma`` by default.
      dtype: float or complex dtype; float32 by default.

    >>> from adlib import random
    >>> random.lognormal(random.key(0), 0.5, (2,)).round(3)
    Array([2.251, 2.753], dtype=float32)
    """
    typed = key_of("lognormal", key)
    dtype = float_dtype("lognormal", dtype, also_complex=True)
    scale = parameter("lognormal", sigma)
    shape = result_shape("lognormal", shape, scale)
    return jnp.exp(_normal(typed, shape=shape, dtype=dtype) * as_dtype(scale, dtype))  # type: ignore[no-any-return]


@sampler
def _maxwell(key: Array, *, shape: Any, dtype: Any) -> Array:
    steps = _normal(key, shape=(*shape, 3), dtype=dtype)
    return lax.sqrt(jnp.sum(lax.mul(steps, steps), axis=-1))


def maxwell(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Array:
    """Draws from Maxwell's distribution: lengths of standard normal vectors in 3 dimensions.

    >>> from adlib import random
    >>> random.maxwell(random.key(0), (2,)).round(3)
    Array([2.631, 0.991], dtype=float32)
    """
    typed = key_of("maxwell", key)
    dtype = float_dtype("maxwell", dtype)
    return _maxwell(typed, shape=canonical_shape("maxwell", shape), dtype=dtype)  # type: ignore[no-any-return]


@sampler
def _double_sided_maxwell(key: Array, loc: Array, scale: Array, *, shape: Any, dtype: Any) -> Array:
    for_length, for_sign = split_key(key, 2)
    length = _maxwell(for_length, shape=shape, dtype=dtype)
    signs = _rademacher(for_sign, shape=shape, dtype=dtype)
    return signs * length * as_dtype(scale, dtype) + as_dtype(loc, dtype)  # type: ignore[no-any-return]


def double_sided_maxwell(
    key: Any, loc: Any, scale: Any, shape: Any = (), dtype: Any = None
) -> Array:
    """Maxwell draws with a random sign, times ``scale``, plus ``loc``.

    Args:
      key: a key, typed or raw.
      loc, scale: location and scale, which broadcast against each other.
      shape: added in front of their common shape; where it is empty, that shape itself.
      dtype: float dtype; float32 by default.

    >>> from adlib import random
    >>> random.double_sided_maxwell(random.key(0), 0.0, 1.0, (2,)).round(3)
    Array([1.546, 1.574], dtype=float32)
    """
    typed = key_of("double_sided_maxwell", key)
    dtype = float_dtype("double_sided_maxwell", dtype)
    params = parameter("double_sided_maxwell", loc), parameter("double_sided_maxwell", scale)
    common = result_shape("double_sided_maxwell", None, *params)
    shape = (*(canonical_shape("double_sided_maxwell", shape) or common), *common)
    return _double_sided_maxwell(typed, *params, shape=shape, dtype=dtype)  # type: ignore[no-any-return]


# -------------------------------------------------------------------- multivariate


@sampler
def _multivariate_normal(
    key: Array, mean: Array, cov: Array, *, shape: Any, dtype: Any, method: str
) -> Array:
    size = mean.aval.shape[-1]
    if method == "svd":
        u, s, _ = jnp.linalg.svd(cov)
        factor = u * jnp.sqrt(s[..., None, :])
    elif method == "eigh":
        w, v = jnp.linalg.eigh(cov)
        factor = v * jnp.sqrt(w[..., None, :])
    else:
        factor = jnp.linalg.cholesky(cov)
    draws = as_dtype(_normal(key, shape=(*shape, size), dtype=dtype), mean.aval.dtype)
    return mean + jnp.einsum("...ij,...j->...i", factor, draws)  # type: ignore[no-any-return]


def multivariate_normal(
    key: Any,
    mean: Any,
    cov: Any,
    shape: Any = None,
    dtype: Any = None,
    method: str = "cholesky",
    *,
    out_sharding: Any = None,
) -> Array:
    """Normal vectors with a given mean and covariance.

    Args:
      key: a key, typed or raw.
      mean: shape (..., n).
      cov: positive definite, shape (..., n, n).
      shape: shape of the result without its last axis; by default what the batch axes of
        ``mean`` and ``cov`` broadcast to.
      dtype: float dtype; float32 by default.
      method: ``"cholesky"``, ``"eigh"`` or ``"svd"``: how a root of ``cov`` is found.

    Returns:
      Array of shape ``shape + (n,)``.

    Raises ValueError where shapes do not fit, or for another method.

    >>> import adlib.numpy as jnp
    >>> from adlib import random
    >>> random.multivariate_normal(random.key(0), jnp.zeros(2), jnp.eye(2)).shape
    (2,)
    """
    what = "multivariate_normal"
    if method not in ("cholesky", "eigh", "svd"):
        raise ValueError(
            f"{what}: method must be one of 'cholesky', 'eigh', 'svd', got {method!r}.{here()}"
        )
    typed = key_of(what, key)
    dtype = float_dtype(what, dtype)
    mu, sigma = parameter(what, mean), parameter(what, cov)
    if mu.aval.ndim < 1:
        raise ValueError(
            f"{what} requires mean.ndim >= 1, got mean.ndim == {mu.aval.ndim}.{here()}"
        )
    n = mu.aval.shape[-1]
    if sigma.aval.ndim < 2 or sigma.aval.shape[-2:] != (n, n):
        raise ValueError(
            f"{what} requires cov.shape == (..., n, n) for n={n}, but got cov.shape == "
            f"{sigma.aval.shape}.{here()}"
        )
    batch = np.broadcast_shapes(mu.aval.shape[:-1], sigma.aval.shape[:-2])
    wanted = batch if shape is None else canonical_shape(what, shape)
    try:
        fits = np.broadcast_shapes(batch, wanted) == wanted
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{what}: mean of shape {mu.aval.shape} and cov of shape {sigma.aval.shape} do not "
            f"broadcast to shape={wanted}, which leaves out the last axis.{here()}"
        )
    result = dtype
    if dtype.itemsize < 4:  # the draws are of 16 bits, the algebra is of 32
        single = np.dtype(np.float32)
        result = single if single in (mu.aval.dtype, sigma.aval.dtype) else dtype
        mu, sigma = as_dtype(mu, single), as_dtype(sigma, single)
    else:
        mu, sigma = as_dtype(mu, dtype), as_dtype(sigma, dtype)
    out = _multivariate_normal(typed, mu, sigma, shape=wanted, dtype=dtype, method=method)
    return as_dtype(out, result)


@sampler
def _orthogonal(key: Array, *, shape: Any, dtype: Any, n: int, m: int) -> Array:
    draws = _normal(key, shape=(*shape, max(n, m), min(n, m)), dtype=dtype)
    q, r = jnp.linalg.qr(draws)
    # QR alone is not uniform: the signs of R's diagonal are taken into Q (Mezzadri 2007)
    signs = jnp.sign(jnp.diagonal(r, axis1=-2, axis2=-1))
    out = q * signs[..., None, :]
    return jnp.swapaxes(out, -1, -2) if n < m else out  # type: ignore[no-any-return]


def orthogonal(
    key: Any,
    n: int,
    shape: Any = (),
    dtype: Any = None,
    m: int | None = None,
    *,
    out_sharding: Any = None,
) -> Array:
    """Orthogonal (unitary) matrices, uniform by Haar's measure.

    Args:
      key: a key, typed or raw.
      n: rows.
      shape: batch shape.
      dtype: float or complex dtype; float32 by default.
      m: columns; ``n`` by default. The shorter of rows and columns is orthonormal.

    Returns:
      Array of shape ``shape + (n, m)``.

    Source: Mezzadri, "How to generate random matrices from the classical compact groups"
    (2007).

    >>> import adlib.numpy as jnp
    >>> from adlib import random
    >>> q = random.orthogonal(random.key(0), 2)
    >>> bool(jnp.allclose(q @ q.T, jnp.eye(2), atol=1e-6))
    True
    """
    typed = key_of("orthogonal", key)
    dtype = float_dtype("orthogonal", dtype, also_complex=True)
    shape = canonical_shape("orthogonal", shape)
    return _orthogonal(typed, shape=shape, dtype=dtype, n=int(n), m=int(n if m is None else m))  # type: ignore[no-any-return]
