"""``pinv``: the Moore–Penrose pseudo-inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, sub
from adlib.ops.linalg import parts
from adlib.ops.linalg.cholesky import positive_definite
from adlib.ops.operands import normal


def _shape(x: ShapedArray, rtol: ShapedArray) -> ShapedArray:
    parts.check_matrix("pinv", x)
    *batch, m, n = x.shape
    return ShapedArray((*batch, n, m), x.dtype)


def _impl(xp: Any, x: Any, rtol: Any) -> Any:
    *batch, m, n = x.shape
    if x.size == 0:
        return xp.zeros((*batch, n, m), x.dtype)
    bad = parts.has_nan(xp, x)
    u, s, vh = xp.linalg.svd(xp.where(bad, x.dtype.type(0), x), full_matrices=False)
    cutoff = xp.asarray(rtol)[..., None] * s[..., :1]
    inverse = xp.where(s > cutoff, 1 / s, s.dtype.type(0))
    out = (vh.conj().swapaxes(-1, -2) * inverse[..., None, :]) @ u.conj().swapaxes(-1, -2)
    return xp.where(bad, x.dtype.type(np.nan), out.astype(x.dtype, copy=False))


def _jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """``dP = P Pᴴ dxᴴ (1 - x P) + (1 - P x) dxᴴ Pᴴ P - P dx P`` where the rank stays.

    Golub & Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
    problems whose variables separate", 1973.
    """
    x, rtol = primals
    dx, _ = tangents
    p = pinv_p.bind(x, rtol)
    if type(dx) is Zero:
        return p, Zero.like(p)
    dxh, ph = parts.adjoint(dx), parts.adjoint(p)
    out = parts.product(p, parts.product(dx, p))
    rows = parts.product(parts.product(p, ph), dxh)
    rows = sub(rows, parts.product(rows, parts.product(x, p)))
    columns = parts.product(dxh, parts.product(ph, p))
    columns = sub(columns, parts.product(parts.product(p, x), columns))
    return p, sub(add(rows, columns), out)


pinv_p: Primitive = define_primitive(
    "pinv",
    shape=_shape,
    impl=_impl,
    jvp=_jvp,
    batch=parts.stacked_batch(lambda: pinv_p),
    samples=lambda: [
        Sample((normal(3, 2), np.float32(1e-6)), name="tall"),
        Sample((normal(2, 3), np.float32(1e-6)), name="wide"),
        Sample((positive_definite(2, 2, dtype=np.complex64), np.float32(1e-6)), name="complex"),
    ],
)
