"""``det``, ``slogdet`` and the matrix of cofactors, which is the determinant's gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import mul, sub
from adlib.ops.conversion import complex as complex_
from adlib.ops.conversion import imag, real
from adlib.ops.linalg import parts
from adlib.ops.linalg.lu import inverse, solve
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import full_like, reduce_sum
from adlib.ops.stacking import concatenate
from adlib.ops.structural import rev, slice_in_dim


def _sum_of_products(x: Any, y: Any) -> Any:
    rank = len(x.aval.shape)
    return reduce_sum(mul(x, y), (rank - 2, rank - 1))


# ------------------------------------------------------------------------ det


def _det_shape(x: ShapedArray) -> ShapedArray:
    parts.check_matrix("det", x, square=True)
    return ShapedArray(x.shape[:-2], x.dtype, x.weak_type)


def _det_impl(xp: Any, x: Any) -> Any:
    n = x.shape[-1]
    if n > 3:
        return xp.linalg.det(x)
    if n == 0:
        return xp.ones(x.shape[:-2], x.dtype)
    a = [[x[..., i, j] for j in range(n)] for i in range(n)]
    if n == 1:
        return a[0][0]
    if n == 2:
        return a[0][0] * a[1][1] - a[0][1] * a[1][0]
    (p, q, r), (s, t, u), (v, w, z) = a
    return p * t * z + q * u * v + r * s * w - r * t * v - p * u * w - q * s * z


def _det_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Jacobi's formula, ``d det = tr(adj(x) dx)``: it needs no inverse, so x may be singular."""
    (x,), (dx,) = primals, tangents
    ans = det_p.bind(x)
    if type(dx) is Zero:
        return ans, Zero.like(ans)
    return ans, _sum_of_products(dx, cofactors(x))


det_p: Primitive = define_primitive(
    "det",
    shape=_det_shape,
    impl=_det_impl,
    jvp=_det_jvp,
    batch=parts.stacked_batch(lambda: det_p),
    samples=lambda: [
        Sample((normal(1, 1),), name="1"),
        Sample((normal(2, 2),), name="2"),
        Sample((normal(3, 3),), name="3"),
        Sample((normal(4, 4),), name="4"),
        Sample((np.arange(9, dtype=np.float32).reshape(3, 3),), name="singular"),
        Sample((normal(2, 3, 3, dtype=np.complex64),), name="complex-stack"),
    ],
)


def det(a: Any) -> Any:
    """Determinants of (..., n, n) matrices, shape (...)."""
    return det_p.bind(*operands("det", a))


# ------------------------------------------------------------------ cofactors


def _roll(x: Any, rows: int, columns: int) -> Any:
    """Rows and columns moved up and left, cyclically."""
    rank = len(x.aval.shape)
    for axis, places in ((rank - 2, rows), (rank - 1, columns)):
        size = x.aval.shape[axis]
        x = concatenate(
            [slice_in_dim(x, places, size, 1, axis), slice_in_dim(x, 0, places, 1, axis)], axis
        )
    return x


def cofactors(x: Any) -> Any:
    """The matrices of cofactors: ``det(x) * inv(x).T`` where there is an inverse."""
    n = x.aval.shape[-1]
    rank = len(x.aval.shape)
    if n < 2:
        return full_like(x, 1)
    if n == 2:
        off_diagonal = sub(full_like(x, 1), parts.constant("eye", x))
        signs = sub(parts.constant("eye", x), off_diagonal)
        return mul(rev(x, (rank - 2, rank - 1)), signs)
    if n == 3:
        return sub(mul(_roll(x, 1, 1), _roll(x, 2, 2)), mul(_roll(x, 1, 2), _roll(x, 2, 1)))
    return cofactors_p.bind(x)


def _cofactors_impl(xp: Any, x: Any) -> Any:
    """From ``x = U S Vᴴ``: ``det(U) det(Vᴴ) U* adj(S) Vᵀ``, which singular values of 0 suit."""
    if x.size == 0:
        return x.copy()
    bad = parts.has_nan(xp, x)
    u, s, vh = xp.linalg.svd(xp.where(bad, x.dtype.type(0), x))
    ones = xp.ones((*s.shape[:-1], 1), s.dtype)
    before = xp.cumprod(xp.concatenate([ones, s[..., :-1]], -1), -1)
    after = xp.cumprod(xp.concatenate([ones, s[..., :0:-1]], -1), -1)[..., ::-1]
    scale = (before * after) * (xp.linalg.det(u) * xp.linalg.det(vh))[..., None]
    out = (u.conj() * scale[..., None, :]) @ vh.conj()
    return xp.where(bad, x.dtype.type(np.nan), out.astype(x.dtype, copy=False))


def _cofactors_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """``dC = tr(x⁻¹ dx) C - x⁻ᵀ dxᵀ C``: second derivatives of det need x to be regular."""
    (x,), (dx,) = primals, tangents
    ans = cofactors_p.bind(x)
    if type(dx) is Zero:
        return ans, Zero.like(ans)
    trace = _sum_of_products(dx, parts.matrix_transpose(inverse(x)))
    first = mul(parts.rows(parts.rows(trace)), ans)
    second = solve(x, parts.product(parts.matrix_transpose(dx), ans), trans=1)
    return ans, sub(first, second)


cofactors_p: Primitive = define_primitive(
    "cofactors",
    shape=lambda x: x,
    impl=_cofactors_impl,
    jvp=_cofactors_jvp,
    batch=parts.stacked_batch(lambda: cofactors_p),
    samples=lambda: [
        Sample((normal(4, 4),)),
        Sample((normal(3, 3, dtype=np.complex64),), name="complex"),
        Sample((normal(2, 3, 3),), name="stack"),
    ],
)


# -------------------------------------------------------------------- slogdet


def _slogdet_shape(x: ShapedArray) -> list[ShapedArray]:
    parts.check_matrix("slogdet", x, square=True)
    batch = x.shape[:-2]
    return [ShapedArray(batch, x.dtype), ShapedArray(batch, dtypes.real_of(x.dtype))]


def _slogdet_impl(xp: Any, x: Any) -> tuple[Any, Any]:
    sign, log = xp.linalg.slogdet(x)
    return sign.astype(x.dtype, copy=False), log.astype(x.real.dtype, copy=False)


def _slogdet_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """``d log det = tr(x⁻¹ dx)``: its real part moves the size, its imaginary part the phase."""
    (x,), (dx,) = primals, tangents
    sign, log = slogdet_p.bind(x)
    if type(dx) is Zero:
        return [sign, log], [Zero.like(sign), Zero.like(log)]
    trace = _sum_of_products(dx, parts.matrix_transpose(inverse(x)))
    if not dtypes.is_complex(x.aval.dtype):
        return [sign, log], [Zero.like(sign), trace]
    turn = imag(trace)
    phase = complex_(mul(turn, full_like(turn, 0)), turn)
    return [sign, log], [mul(phase, sign), real(trace)]


slogdet_p: Primitive = define_primitive(
    "slogdet",
    shape=_slogdet_shape,
    impl=_slogdet_impl,
    jvp=_slogdet_jvp,
    batch=parts.stacked_batch(lambda: slogdet_p),
    multiple_results=True,
    samples=lambda: [
        Sample((normal(3, 3),)),
        Sample((normal(2, 2, dtype=np.complex64),), name="complex"),
        Sample((normal(2, 2, 2),), name="stack"),
    ],
)


def slogdet(a: Any) -> tuple[Any, Any]:
    """Sign (phase) and logarithm of the size of the determinants of (..., n, n) matrices."""
    sign, log = slogdet_p.bind(*operands("slogdet", a))
    return sign, log
