"""``svd``: singular values and vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, div, eq, mul, sub
from adlib.ops.conversion import complex as complex_
from adlib.ops.conversion import convert, imag, real
from adlib.ops.linalg import parts
from adlib.ops.linalg.eigen import reciprocal_beside_diagonal
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import full_like

Range = tuple[int, int] | None


def _shape(
    x: ShapedArray, *, full_matrices: bool, compute_uv: bool, subset_by_index: Range
) -> list[ShapedArray]:
    parts.check_matrix("svd", x)
    *batch, m, n = x.shape
    k = min(m, n)
    if subset_by_index is not None:
        start, stop = subset_by_index
        if not 0 <= start < stop <= k or full_matrices:
            raise ValueError(
                f"svd: subset_by_index {subset_by_index} must be a range (first, last + 1) within "
                f"the {k} singular values, with full_matrices=False.{here()}"
            )
        k = stop - start
    values = ShapedArray((*batch, k), dtypes.real_of(x.dtype))
    if not compute_uv:
        return [values]
    left, right = (m, n) if full_matrices else (k, k)
    return [
        values,
        ShapedArray((*batch, m, left), x.dtype),
        ShapedArray((*batch, right, n), x.dtype),
    ]


def _kernel(
    xp: Any, full_matrices: bool, compute_uv: bool, subset_by_index: Range
) -> Callable[..., Any]:
    chosen = slice(None) if subset_by_index is None else slice(*subset_by_index)

    def factorize(x: Any) -> Any:
        if not compute_uv:
            return xp.linalg.svd(x, compute_uv=False)
        u, s, vh = xp.linalg.svd(x, full_matrices=full_matrices)
        return s, u, vh

    def svd(x: Any) -> Any:
        m, n = x.shape[-2:]
        k = min(m, n)
        left, right = (m, n) if full_matrices else (k, k)
        failed: list[Any] = [((k,), x.real.dtype)]
        if compute_uv:
            failed += [((m, left), x.dtype), ((right, n), x.dtype)]
        outs = parts.nan_where_it_fails(xp, factorize, x, failed)
        if not xp.isfinite(x).all():
            bad = parts.has_nan(xp, x)
            outs = tuple(
                xp.where(bad if i else bad[..., 0], o.dtype.type(np.nan), o)
                for i, o in enumerate(outs)
            )
        if subset_by_index is not None:
            outs = (
                (outs[0][..., chosen],)
                if not compute_uv
                else (outs[0][..., chosen], outs[1][..., chosen], outs[2][..., chosen, :])
            )
        return outs

    return svd


def _jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    full_matrices: bool,
    compute_uv: bool,
    subset_by_index: Range,
) -> tuple[list[Any], list[Any]]:
    """With ``P = Uᴴ dx V``: ``ds = diag(P)``, and U and V turn by what is beside it.

    Townsend, "Differentiating the singular value decomposition", 2016; the complex case after
    Wan & Zhang, "Automatic differentiation for complex valued SVD", 2019.
    """
    (x,), (dx,) = primals, tangents
    _check_differentiable(x.aval, full_matrices and compute_uv, subset_by_index)
    s, u, vh = svd_p.bind(
        x, full_matrices=full_matrices and compute_uv, compute_uv=True, subset_by_index=None
    )
    outs = [s, u, vh] if compute_uv else [s]
    if type(dx) is Zero:
        return outs, [Zero.like(o) for o in outs]
    v = parts.adjoint(vh)
    dx_v = parts.product(dx, v)
    inner = parts.adjoint_product(u, dx_v)
    diagonal = parts.diagonal_of(inner)
    ds = real(diagonal) if dtypes.is_complex(x.aval.dtype) else diagonal
    if not compute_uv:
        return outs, [ds]
    du, dv = _vectors(s, u, v, dx, dx_v, inner)
    return outs, [ds, du, parts.adjoint(dv)]


def _check_differentiable(x: ShapedArray, full: bool, subset: Range) -> None:
    m, n = x.shape[-2:]
    if full and m != n:
        raise NotImplementedError(
            "Singular value decomposition JVP not implemented for full matrices: the vectors that "
            f"belong to no singular value are not unique.{here()}\n  Repair: "
            "svd(..., full_matrices=False)."
        )
    if subset is not None and subset != (0, min(m, n)):
        raise NotImplementedError(
            f"Derivatives of svd with subset_by_index.{here()}\n  Repair: compute all and take a "
            "slice."
        )


def _vectors(s: Any, u: Any, v: Any, dx: Any, dx_v: Any, inner: Any) -> tuple[Any, Any]:
    """Tangents of U and V."""
    dtype = u.aval.dtype
    wide, tall = parts.columns(s), parts.rows(s)
    # 1 / (s_j² - s_i²), in two factors that do not overflow
    weights = mul(reciprocal_beside_diagonal(sub(wide, tall)), _reciprocal_or_zero(add(wide, tall)))
    weights = convert(weights, dtype)
    wide, tall = convert(wide, dtype), convert(tall, dtype)
    mirrored = parts.adjoint(inner)
    left = mul(weights, add(mul(inner, wide), mul(tall, mirrored)))
    right = mul(weights, add(mul(tall, inner), mul(mirrored, wide)))
    inverse = _reciprocal_or_zero(wide)
    if dtypes.is_complex(dtype):
        # the phases of u_i and v_i turn together; all of it goes to u_i
        phase = imag(mul(inner, parts.constant("eye", inner)))
        phase = complex_(mul(phase, full_like(phase, 0)), phase)
        left = add(left, mul(phase, inverse))
    du, dv = parts.product(u, left), parts.product(v, right)
    m, n, k = u.aval.shape[-2], v.aval.shape[-2], s.aval.shape[-1]
    if m > k:
        du = add(du, mul(_outside(u, dx_v), inverse))
    if n > k:
        dx_u = parts.adjoint_product(dx, u)
        dv = add(dv, mul(_outside(v, dx_u), inverse))
    return du, dv


def _outside(basis: Any, x: Any) -> Any:
    """The part of ``x`` that is orthogonal to the columns of ``basis``."""
    return sub(x, parts.product(basis, parts.adjoint_product(basis, x)))


def _reciprocal_or_zero(x: Any) -> Any:
    """``1 / x``, and 0 where x is 0: a vanishing singular value pins no direction down."""
    zero = convert(eq(x, full_like(x, 0)), x.aval.dtype)
    return sub(div(full_like(x, 1), add(x, zero)), zero)


def _params(**changes: Any) -> dict[str, Any]:
    return dict(full_matrices=False, compute_uv=True, subset_by_index=None) | changes


svd_p: Primitive = define_primitive(
    "svd",
    shape=_shape,
    kernel=_kernel,
    jvp=_jvp,
    batch=parts.stacked_batch(lambda: svd_p),
    multiple_results=True,
    # complex vectors are unique but for a phase, which LAPACK chooses otherwise than the rule,
    # so that differences of them say nothing: those have tests of their own
    samples=lambda: [
        Sample((normal(3, 3),), _params(full_matrices=True), "square"),
        Sample((normal(4, 2),), _params(), "tall"),
        Sample((normal(2, 4),), _params(), "wide"),
        Sample((normal(3, 2),), _params(compute_uv=False), "values"),
        Sample((normal(2, 3, dtype=np.complex64),), _params(compute_uv=False), "complex-values"),
        Sample((normal(2, 2, 2),), _params(), "stack"),
    ],
)


def svd(
    x: Any,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    subset_by_index: Range = None,
    algorithm: Any = None,
) -> Any:
    """Singular values and vectors, ``x = U diag(s) Vᴴ``.

    Args:
      x: (..., m, n), float or complex.
      full_matrices: U (..., m, m) and Vᴴ (..., n, n) rather than min(m, n) vectors each.
      compute_uv: whether the vectors are wanted.
      subset_by_index: (first, last + 1) of the singular values wanted.

    Returns:
      (U, s, Vᴴ), or s alone; s is real and descends. NaN where the iteration failed.

    >>> from adlib.lax import linalg
    >>> import adlib.numpy as jnp
    >>> linalg.svd(jnp.array([[3.0, 0.0], [0.0, 4.0]]), compute_uv=False)
    Array([4., 3.], dtype=float32)
    """
    (x,) = operands("svd", x)
    subset = None if subset_by_index is None else (int(subset_by_index[0]), int(subset_by_index[1]))
    outs = svd_p.bind(
        x, full_matrices=bool(full_matrices), compute_uv=bool(compute_uv), subset_by_index=subset
    )
    return (outs[1], outs[0], outs[2]) if compute_uv else outs[0]
