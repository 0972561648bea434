"""Reductions to condensed form by unitary similarity: Schur, Hessenberg, tridiagonal; polar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Absent, Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, div, mul, sub
from adlib.ops.conversion import convert
from adlib.ops.linalg import parts
from adlib.ops.linalg.eigen import eigh_p
from adlib.ops.linalg.lu import inverse
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import full_like

_INT32 = np.dtype(np.int32)

# ---------------------------------------------------------------------- schur


def _schur_shape(
    x: ShapedArray, *, compute_schur_vectors: bool, sort_eig_vals: bool, select_callable: Any
) -> list[ShapedArray]:
    parts.check_matrix("schur", x, square=True)
    if sort_eig_vals:
        raise NotImplementedError(f"schur does not sort eigenvalues.{here()}")
    return [x] * (1 + compute_schur_vectors)


def _schur_kernel(
    xp: Any, compute_schur_vectors: bool, sort_eig_vals: bool, select_callable: Any
) -> Callable[..., Any]:
    def one(x: Any) -> tuple[Any, ...]:
        if not np.isfinite(x).all():
            failed = np.full(x.shape, np.nan, x.dtype)
            return (failed, failed)[: 1 + compute_schur_vectors]
        output = "complex" if x.dtype.kind == "c" else "real"
        form, vectors = parts.libraries.scipy.schur(x, output=output, check_finite=False)
        return (form, vectors)[: 1 + compute_schur_vectors]

    return parts.on_cpu(xp, lambda x: parts.each_matrix(one, (2,), x))


def _not_unique(name: str) -> Absent:
    return Absent(
        f"Differentiation rule for '{name}' not implemented: its factors are not unique, and have "
        "no derivative where eigenvalues coincide. Repair: differentiate what is computed from "
        "them (eigenvalues with jnp.linalg.eigvals, a solution with custom_linear_solve)."
    )


_SCHUR = dict(compute_schur_vectors=True, sort_eig_vals=False, select_callable=None)

schur_p: Primitive = define_primitive(
    "schur",
    shape=_schur_shape,
    kernel=_schur_kernel,
    jvp=_not_unique("schur"),
    batch=parts.stacked_batch(lambda: schur_p),
    multiple_results=True,
    samples=lambda: [Sample((normal(3, 3),), _SCHUR), Sample((normal(2, 2, 2),), _SCHUR, "stack")],
)


def schur(
    x: Any,
    *,
    compute_schur_vectors: bool = True,
    sort_eig_vals: bool = False,
    select_callable: Any = None,
) -> Any:
    """``x = Q T Qᴴ`` with a unitary Q and an upper triangular T.

    A real x gives a real T with 2×2 blocks on its diagonal for pairs of complex eigenvalues.

    Args:
      x: (..., n, n), float or complex.
      compute_schur_vectors: whether Q is returned too.

    Returns:
      [T, Q], or [T].

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> t, q = lax.linalg.schur(jnp.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> jnp.sort(jnp.diag(t)).round(4), (q @ t @ q.T).round(4)
    (Array([1., 3.], dtype=float32), Array([[2., 1.],
           [1., 2.]], dtype=float32))
    """
    (x,) = operands("schur", x)
    return schur_p.bind(
        x,
        compute_schur_vectors=bool(compute_schur_vectors),
        sort_eig_vals=bool(sort_eig_vals),
        select_callable=select_callable,
    )


# ----------------------------------------------------- hessenberg, tridiagonal


def _hessenberg_shape(x: ShapedArray) -> list[ShapedArray]:
    parts.check_matrix("hessenberg", x, square=True)
    return [x, ShapedArray((*x.shape[:-2], max(0, x.shape[-1] - 1)), x.dtype)]


def _hessenberg_one(x: Any) -> tuple[Any, Any]:
    if x.shape[-1] == 0:
        return x.copy(), np.zeros(0, x.dtype)
    routine = getattr(parts.libraries.lapack, parts.letter(x.dtype) + "gehrd")
    form, taus, _ = routine(x)
    return form, taus


hessenberg_p: Primitive = define_primitive(
    "hessenberg",
    shape=_hessenberg_shape,
    kernel=lambda xp: parts.on_cpu(xp, partial(parts.each_matrix, _hessenberg_one, (2,))),
    jvp=_not_unique("hessenberg"),
    batch=parts.stacked_batch(lambda: hessenberg_p),
    multiple_results=True,
    samples=lambda: [Sample((normal(3, 3),))],
)


def hessenberg(a: Any) -> tuple[Any, Any]:
    """``a = Q H Qᴴ`` with H zero below its first subdiagonal.

    Args:
      a: (..., n, n), float or complex.

    Returns:
      (..., n, n) holding H and, below it, the vectors of Householder reflections, and their
      scales (..., n - 1): ``householder_product`` of these makes Q.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> packed, scales = lax.linalg.hessenberg(jnp.arange(9.0).reshape(3, 3))
    >>> packed.shape, scales.shape
    ((3, 3), (2,))
    """
    form, taus = hessenberg_p.bind(*operands("hessenberg", a))
    return form, taus


def _tridiagonal_shape(x: ShapedArray, *, lower: bool) -> list[ShapedArray]:
    parts.check_matrix("tridiagonal", x, square=True)
    real = dtypes.real_of(x.dtype)
    *batch, n, _ = x.shape
    beside = max(0, n - 1)
    return [
        x,
        ShapedArray((*batch, n), real),
        ShapedArray((*batch, beside), real),
        ShapedArray((*batch, beside), x.dtype),
    ]


def _tridiagonal_one(lower: bool, x: Any) -> tuple[Any, Any, Any, Any]:
    name = "hetrd" if x.dtype.kind == "c" else "sytrd"
    routine = getattr(parts.libraries.lapack, parts.letter(x.dtype) + name)
    form, diagonal, beside, taus, _ = routine(x, lower=lower)
    return form, diagonal, beside, taus


tridiagonal_p: Primitive = define_primitive(
    "tridiagonal",
    shape=_tridiagonal_shape,
    kernel=lambda xp, lower: parts.on_cpu(
        xp, partial(parts.each_matrix, partial(_tridiagonal_one, lower), (2,))
    ),
    jvp=_not_unique("tridiagonal"),
    batch=parts.stacked_batch(lambda: tridiagonal_p),
    multiple_results=True,
    samples=lambda: [
        Sample((normal(3, 3),), dict(lower=True)),
        Sample((normal(2, 2, 2),), dict(lower=False), "upper"),
    ],
)


def tridiagonal(a: Any, *, lower: bool = True) -> tuple[Any, Any, Any, Any]:
    """``a = Q T Qᴴ`` with a real symmetric tridiagonal T, for a Hermitian ``a``.

    Args:
      a: (..., n, n) with n ≥ 1; only the triangle named by ``lower`` is read.

    Returns:
      The packed form (..., n, n), T's diagonal (..., n), the diagonal beside it (..., n - 1),
      and the scales of the reflections (..., n - 1).

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> _, diagonal, beside, _ = lax.linalg.tridiagonal(jnp.array([[2.0, 1.0], [1.0, 3.0]]))
    >>> diagonal, abs(beside)
    (Array([2., 3.], dtype=float32), Array([1.], dtype=float32))
    """
    packed, diagonal, beside, taus = tridiagonal_p.bind(*operands("tridiagonal", a), lower=lower)
    return packed, diagonal, beside, taus


# ----------------------------------------------------------------------- qdwh


def _qdwh_shape(
    x: ShapedArray, *, is_hermitian: bool, max_iterations: int, eps: float | None
) -> list[ShapedArray]:
    parts.check_matrix("qdwh", x)
    *batch, m, n = x.shape
    if m < n:
        raise ValueError(
            f"qdwh: the matrix must have at least as many rows as columns, got shape {x.shape}."
            f"{here()}\n  Repair: factorize the adjoint, x.mT.conj()."
        )
    return [
        x,
        ShapedArray((*batch, n, n), x.dtype),
        ShapedArray(tuple(batch), _INT32),
        ShapedArray(tuple(batch), np.dtype(bool)),
    ]


def _qdwh_kernel(
    xp: Any, is_hermitian: bool, max_iterations: int, eps: float | None
) -> Callable[..., Any]:
    one = partial(_halley, max_iterations, eps)
    return parts.on_cpu(xp, lambda x: parts.each_matrix(one, (2,), x))


def _halley(max_iterations: int, eps: float | None, x: Any) -> tuple[Any, Any, Any, Any]:
    """Dynamically weighted Halley iteration (Nakatsukasa, Bai & Gygi 2010, algorithm 2).

    ``low`` is a lower bound of the smallest singular value of the iterate; the weights a, b, c
    follow from it, and the inverse in each step is taken by a QR factorization.
    """
    m, n = x.shape
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    change: Any
    scale = np.sqrt(np.linalg.norm(x, 1) * np.linalg.norm(x, np.inf)) if x.size else 1.0
    u = x / (scale if scale else 1.0)
    low, change, count = eps, np.inf, 0
    while count < max_iterations and not (
        change <= (4 * eps) ** (1 / 3) and abs(1 - low) <= 4 * eps
    ):
        d = (4 * (1 - low**2) / low**4) ** (1 / 3) if low < 1 else 0.0
        root = np.sqrt(1 + d)
        a = root + np.sqrt(8 - 4 * d + 8 * (2 - low**2) / (low**2 * root)) / 2
        b = (a - 1) ** 2 / 4
        c = a + b - 1
        q, _ = np.linalg.qr(np.concatenate([np.sqrt(c) * u, np.eye(n)]).astype(x.dtype))
        step = (a - b / c) / np.sqrt(c) * (q[:m] @ q[m:].conj().T)
        new = (b / c * u + step).astype(x.dtype)
        change = np.linalg.norm(new - u)
        u = new
        low = min(1.0, low * (a + b * low**2) / (1 + c * low**2))
        count += 1
        if not np.isfinite(change):
            break
    h = u.conj().T @ x
    converged = bool(np.isfinite(change)) and count < max_iterations
    return u, ((h + h.conj().T) / 2).astype(x.dtype), np.int32(count), np.bool_(converged)


def _qdwh_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[list[Any], list[Any]]:
    """``Uᴴ dx - dxᴴ U = W h + h W`` for the skew ``W = Uᴴ dU``, solved in h's eigenbasis."""
    (x,), (dx,) = primals, tangents
    outs = qdwh_p.bind(x, **params)
    u, h, count, converged = outs
    if type(dx) is Zero:
        return outs, [Zero.like(o) for o in outs]
    basis, values = eigh_p.bind(h, lower=True, sort_eigenvalues=True, subset_by_index=None)
    inner = parts.adjoint_product(u, dx)
    skew = parts.adjoint_product(basis, parts.product(sub(inner, parts.adjoint(inner)), basis))
    sums = add(parts.columns(values), parts.rows(values))
    turn = mul(skew, convert(div(full_like(sums, 1), sums), x.aval.dtype))
    turn = parts.product(basis, turn, parts.adjoint(basis))
    du = parts.product(u, turn)
    dh = sub(inner, parts.product(turn, h))
    m, n = x.aval.shape[-2:]
    if m > n:
        outside = sub(dx, parts.product(u, inner))
        du = add(du, parts.product(outside, inverse(h)))
    return outs, [du, dh, Zero.like(count), Zero.like(converged)]


qdwh_p: Primitive = define_primitive(
    "qdwh",
    shape=_qdwh_shape,
    kernel=_qdwh_kernel,
    jvp=_qdwh_jvp,
    batch=parts.stacked_batch(lambda: qdwh_p),
    multiple_results=True,
    samples=lambda: [
        Sample((normal(2, 2),), _qdwh_params()),
        Sample((normal(3, 2),), _qdwh_params(), "tall"),
        Sample((normal(2, 2, dtype=np.complex64),), _qdwh_params(), "complex"),
    ],
)


def _qdwh_params() -> dict[str, Any]:
    return dict(is_hermitian=False, max_iterations=10, eps=None)


def qdwh(
    x: Any,
    *,
    is_hermitian: bool = False,
    max_iterations: int | None = None,
    eps: float | None = None,
    dynamic_shape: None = None,
) -> tuple[Any, Any, Any, Any]:
    """The polar decomposition ``x = U H``: orthonormal columns in U, H positive semidefinite.

    Args:
      x: (..., m, n) with m ≥ n, float or complex.
      is_hermitian: whether x is; kept for compatibility, it saves nothing here.
      max_iterations: steps at most, 10 by default.
      eps: relative precision, by default the dtype's.

    Returns:
      (U, H, number of iterations as int32, whether they converged as bool).

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> u, h, steps, converged = lax.linalg.qdwh(jnp.array([[0.0, -2.0], [2.0, 0.0]]))
    >>> u.round(4), h.round(4), converged
    (Array([[-0., -1.],
           [ 1., -0.]], dtype=float32), Array([[2., 0.],
           [0., 2.]], dtype=float32), Array(True, dtype=bool))
    """
    (x,) = operands("qdwh", x)
    u, h, count, converged = qdwh_p.bind(
        x,
        is_hermitian=bool(is_hermitian),
        max_iterations=10 if max_iterations is None else int(max_iterations),
        eps=None if eps is None else float(eps),
    )
    return u, h, count, converged


# ----------------------------------------------------------- symmetric_product


def symmetric_product(
    a_matrix: Any,
    c_matrix: Any,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    symmetrize_output: bool = False,
) -> Any:
    """``alpha * A Aᵀ + beta * C`` for ``A`` (..., n, k) and symmetric ``C`` (..., n, n).

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.linalg.symmetric_product(jnp.array([[1.0], [2.0]]), jnp.eye(2), beta=1.0)
    Array([[2., 2.],
           [2., 5.]], dtype=float32)
    """
    a, c = operands("symmetric_product", a_matrix, c_matrix)
    parts.check_matrix("symmetric_product", a.aval)
    out = mul(parts.product(a, parts.matrix_transpose(a)), full_like(a, alpha))
    if beta:
        out = add(out, mul(c, full_like(c, beta)))
    return out
