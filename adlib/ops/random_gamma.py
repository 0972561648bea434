"""Gamma draws as a primitive: Marsaglia and Tsang's rejection sampler, one key an element.

Source: "A simple method for generating gamma variables" (ACM TOMS, 2000). The derivative in
the parameter is implicit reparameterisation (Figurnov, Mohamed, Mnih, 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Sample, define_primitive
from adlib.ops.arithmetic import div, eq, exp, mul
from adlib.ops.gamma import random_gamma_grad
from adlib.ops.operands import uniform
from adlib.ops.random_bits import bits_impl, is_key, key_sample, split_impl
from adlib.ops.reshaping import broadcast_to, full_like, moveaxis
from adlib.ops.selection import select_n_p
from adlib.ops.special import erf_inv_p


def _shape(keys: ShapedArray, alpha: ShapedArray, *, log_space: bool) -> ShapedArray:
    if not is_key(keys) or not dtypes.is_float(alpha.dtype):
        raise TypeError(
            f"random_gamma takes keys and floats, got {keys.str_short()} and "
            f"{alpha.str_short()}.{here()}"
        )
    if alpha.shape[: keys.ndim] != keys.shape:
        raise TypeError(
            f"random_gamma: the leading axes of alpha, of shape {alpha.shape}, must be those of "
            f"the keys, {keys.shape}.{here()}"
        )
    return ShapedArray(alpha.shape, alpha.dtype)


# ---------------------------------------------------------------------- the sampler


def _unit(xp: Any, keys: Any, dtype: Any, drawn: Any) -> Any:
    """One uniform float in [0, 1) for each key, with the digits of the dtype ``drawn``."""
    if drawn.itemsize == 2:
        digits = 10 if drawn.kind == "f" else 7  # bfloat16's are drawn in 8 bits
        words = bits_impl(xp, keys, bit_width=16 if digits == 10 else 8, shape=())
        kept = words.astype(xp.uint32) >> np.uint32(8 * words.dtype.itemsize - digits)
        return kept.astype(dtype) * dtype.type(2.0**-digits)
    if dtype.itemsize == 8:
        words = bits_impl(xp, keys, bit_width=64, shape=())
        return ((words >> np.uint64(12)) | np.uint64(0x3FF << 52)).view(dtype) - dtype.type(1)
    words = bits_impl(xp, keys, bit_width=32, shape=())
    return ((words >> np.uint32(9)) | np.uint32(0x3F800000)).view(dtype) - dtype.type(1)


def _standard_normal(xp: Any, keys: Any, dtype: Any, drawn: Any) -> Any:
    low = dtype.type(np.nextafter(drawn.type(-1), drawn.type(0)))
    width = dtype.type(drawn.type(dtype.type(1) - low))
    u = _rounded(_unit(xp, keys, dtype, drawn) * width, drawn)
    u = xp.maximum(low, _rounded(u + low, drawn))
    return _rounded(dtype.type(math.sqrt(2)) * erf_inv_p.kernel(xp, {})(u), drawn)


def _rounded(x: Any, drawn: Any) -> Any:
    """``x`` with the digits of a narrower dtype."""
    return x if x.dtype == drawn else x.astype(drawn).astype(x.dtype)


def _cube_roots(xp: Any, keys: Any, c: Any, dtype: Any, drawn: Any) -> tuple[Any, Any]:
    """(x, 1 + c x) with x normal, drawn again until the second is positive."""
    x = xp.zeros(keys.shape, dtype)
    v = xp.full(keys.shape, -1, dtype)
    left = xp.arange(keys.shape[0])
    while left.shape[0]:
        pair = split_impl(xp, keys, shape=(2,))
        normal = _standard_normal(xp, pair[:, 1], dtype, drawn)
        root = _rounded(dtype.type(1) + normal * c[left], drawn)
        x[left] = normal
        v[left] = root
        again = ~(root > 0)
        keys, left = pair[:, 0][again], left[again]
    return x, v


def _accepted_cubes(xp: Any, keys: Any, d: Any, c: Any, dtype: Any, drawn: Any) -> Any:
    """V such that d V is a gamma draw with parameter d + 1/3 (the paper's figure)."""
    one, half, bound = dtype.type(1), dtype.type(0.5), dtype.type(0.0331)
    result = xp.ones(d.shape, dtype)
    left = xp.arange(d.shape[0])
    while left.shape[0]:
        triple = split_impl(xp, keys, shape=(3,))
        x, v = _cube_roots(xp, triple[:, 1], c[left], dtype, drawn)
        square, cube = _rounded(x * x, drawn), _rounded(v * v * v, drawn)
        u = _unit(xp, triple[:, 2], dtype, drawn)
        result[left] = cube
        rejected = (u >= one - bound * (square * square)) & (
            xp.log(u) >= square * half + d[left] * (one - cube + xp.log(cube))
        )
        keys, left = triple[:, 0][rejected], left[rejected]
    return result


def _gamma_kernel(xp: Any, log_space: bool) -> Callable[..., Any]:
    def kernel(keys: Any, alpha: Any) -> Any:
        keys, alpha = xp.asarray(keys), xp.asarray(alpha)
        out_dtype, shape = alpha.dtype, alpha.shape
        dtype = np.dtype(np.float64 if out_dtype.itemsize == 8 else np.float32)
        each = math.prod(shape[keys.ndim :])
        own = split_impl(xp, keys, shape=(each,)).reshape(-1)
        a = alpha.reshape(-1).astype(dtype)
        one, third = dtype.type(1), dtype.type(1 / 3)
        large = a >= one
        # a draw for a < 1 is one for a + 1 times u ** (1/a)
        d = _rounded(xp.where(large, a, a + one) - third, out_dtype)
        pair = split_impl(xp, own, shape=(2,))
        # parameters that are NaN or negative would never be accepted
        valid = d > 0
        cubes = xp.full(a.shape, np.nan, dtype)
        safe = d[valid]
        c = _rounded(third / xp.sqrt(safe), out_dtype)
        cubes[valid] = _accepted_cubes(xp, pair[:, 0][valid], safe, c, dtype, out_dtype)
        u = _unit(xp, pair[:, 1], dtype, out_dtype)
        if log_space:
            log_u = xp.log1p(-u)
            boost = xp.where(large | (log_u == 0), dtype.type(0), log_u * (one / a))
            out = xp.log(d) + xp.log(cubes) + boost
        else:
            out = d * cubes * xp.where(large, one, (one - u) ** (one / a))
        return out.astype(out_dtype).reshape(shape)

    return kernel


def _gamma_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, log_space: bool
) -> tuple[Any, Any]:
    keys, alpha = primals
    _, t = tangents
    ans = random_gamma_p.bind(keys, alpha, log_space=log_space)
    if type(t) is Zero:
        return ans, Zero.like(ans)
    if not log_space:
        return ans, mul(t, random_gamma_grad(alpha, ans))
    sample = exp(ans)
    # where the sample itself underflows, the slope is taken at the smallest number
    smallest = full_like(sample, float(_tiny(sample.aval.dtype)))
    zero = eq(sample, full_like(sample, 0))
    sample = select_n_p.bind(zero, sample, broadcast_to(smallest, sample.aval.shape))
    return ans, mul(t, div(random_gamma_grad(alpha, sample), sample))


def _tiny(dtype: Any) -> Any:
    return np.finfo(dtype if dtype.kind == "f" else np.float32).tiny


def _gamma_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, log_space: bool
) -> tuple[Any, int]:
    keys, alpha = args
    key_dim, alpha_dim = dims
    if key_dim is None:
        # one key for all: its elements' keys depend on their number, so that the batch axis
        # cannot simply be one more axis of alpha; each row is drawn from the same key
        keys = broadcast_to(keys, (axis.size, *keys.aval.shape))
    else:
        keys = moveaxis(keys, key_dim, 0)
    if alpha_dim is None:
        alpha = broadcast_to(alpha, (axis.size, *alpha.aval.shape))
    else:
        alpha = moveaxis(alpha, alpha_dim, 0)
    return random_gamma_p.bind(keys, alpha, log_space=log_space), 0


random_gamma_p = define_primitive(
    "random_gamma",
    shape=_shape,
    kernel=_gamma_kernel,
    jvp=_gamma_jvp,
    batch=_gamma_batch,
    samples=lambda: [
        Sample((key_sample(), uniform(2, 3, low=0.4, high=3.0)), dict(log_space=log), name)
        for log, name in ((False, "plain"), (True, "log"))
    ],
)


def random_gamma(keys: Any, alpha: Any, log_space: bool) -> Any:
    """Gamma draws with parameter ``alpha`` and scale 1, or with ``log_space`` their logarithms.

    Keys of shape K need ``alpha`` of shape K + S.
    """
    return random_gamma_p.bind(keys, alpha, log_space=log_space)
