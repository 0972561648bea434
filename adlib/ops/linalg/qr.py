"""``qr``, and the products of Householder reflections behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Absent, Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, mul, neg, sub
from adlib.ops.conversion import complex as complex_
from adlib.ops.conversion import imag
from adlib.ops.linalg import parts
from adlib.ops.linalg.triangular import triangular_solve_p
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import full_like, zeros
from adlib.ops.stacking import concatenate
from adlib.ops.structural import slice_in_dim

_INT32 = np.dtype(np.int32)


def _shape(x: ShapedArray, *, pivoting: bool, full_matrices: bool) -> list[ShapedArray]:
    parts.check_matrix("qr", x)
    *batch, m, n = x.shape
    k = m if full_matrices else min(m, n)
    out = [ShapedArray((*batch, m, k), x.dtype), ShapedArray((*batch, k, n), x.dtype)]
    return [*out, ShapedArray((*batch, n), _INT32)] if pivoting else out


def _kernel(xp: Any, pivoting: bool, full_matrices: bool) -> Callable[..., Any]:
    if pivoting:
        one = partial(_pivoted, full_matrices)
        return parts.on_cpu(xp, lambda x: parts.each_matrix(one, (2,), x))
    mode = "complete" if full_matrices else "reduced"

    def factorize(x: Any) -> tuple[Any, Any]:
        q, r = xp.linalg.qr(x, mode)
        return q, r

    return factorize


def _pivoted(full_matrices: bool, x: Any) -> tuple[Any, Any, Any]:
    if x.size == 0:
        k = x.shape[0] if full_matrices else min(x.shape)
        return (
            np.eye(x.shape[0], k, dtype=x.dtype),
            np.zeros((k, x.shape[1]), x.dtype),
            np.arange(x.shape[1], dtype=_INT32),
        )
    mode = "full" if full_matrices else "economic"
    q, r, order = parts.libraries.scipy.qr(x, mode=mode, pivoting=True, check_finite=False)
    return q, r, order.astype(_INT32)


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, pivoting: bool, full_matrices: bool
) -> tuple[list[Any], list[Any]]:
    (x,), (dx,) = primals, tangents
    outs = qr_p.bind(x, pivoting=pivoting, full_matrices=full_matrices)
    if type(dx) is Zero:
        return outs, [Zero.like(o) for o in outs]
    q, r = outs[:2]
    if pivoting:
        dx = _permuted_columns(dx, outs[2])
    m, n = x.aval.shape[-2:]
    if m <= n:
        dq, dr = _wide(q, r, dx, m)
    elif full_matrices:
        dq, dr = _full(q, r, dx, n)
    else:
        dq, dr = _reduced(q, r, dx)
    return outs, [dq, dr, *[Zero.like(o) for o in outs[2:]]]


def _over(x: Any, r: Any) -> Any:
    """``x r⁻¹`` for an upper triangular ``r``."""
    return triangular_solve_p.bind(
        r,
        x,
        left_side=False,
        lower=False,
        transpose_a=False,
        conjugate_a=False,
        unit_diagonal=False,
    )


def _rotation(inner: Any) -> Any:
    """The skew-Hermitian part of ``Qᴴ dx R⁻¹`` that turns Q; the rest is upper triangular.

    The diagonal of R stays real, so that of the rotation takes what is imaginary.
    """
    below = parts.lower(inner, -1)
    turn = sub(below, parts.adjoint(below))
    if dtypes.is_complex(inner.aval.dtype):
        diagonal = imag(mul(inner, parts.constant("eye", inner)))
        turn = add(turn, complex_(mul(diagonal, full_like(diagonal, 0)), diagonal))
    return turn


def _reduced(q: Any, r: Any, dx: Any) -> tuple[Any, Any]:
    """Walter & Lehmann, "Algorithmic differentiation of linear algebra functions", 2010."""
    scaled = _over(dx, r)
    inner = parts.adjoint_product(q, scaled)
    turn = _rotation(inner)
    rest = sub(inner, turn)
    return sub(scaled, parts.product(q, rest)), parts.product(rest, r)


def _full(q: Any, r: Any, dx: Any, n: int) -> tuple[Any, Any]:
    """More rows than columns, Q square: its other columns turn only against the first n.

    With ``Qᴴ dx R⁻¹ = [top; bottom]`` the rotation is ``[[turn, -bottomᴴ], [bottom, 0]]``.
    """
    rank = len(q.aval.shape)
    square = slice_in_dim(r, 0, n, 1, rank - 2)
    inner = parts.adjoint_product(q, _over(dx, square))
    top = slice_in_dim(inner, 0, n, 1, rank - 2)
    bottom = slice_in_dim(inner, n, q.aval.shape[-1], 1, rank - 2)
    turn = _rotation(top)
    left = concatenate([turn, bottom], rank - 2)
    below = bottom.aval.shape[-2]
    blank = zeros(bottom.aval.update(shape=(*bottom.aval.shape[:-2], below, below)))
    right = concatenate([neg(parts.adjoint(bottom)), blank], rank - 2)
    d_square = parts.product(sub(top, turn), square)
    dr = concatenate([d_square, zeros(bottom.aval)], rank - 2)
    return parts.product(q, concatenate([left, right], rank - 1)), dr


def _wide(q: Any, r: Any, dx: Any, m: int) -> tuple[Any, Any]:
    """At least as many columns as rows: the first m columns alone decide how Q turns."""
    rank = len(q.aval.shape)
    n = r.aval.shape[-1]
    square = slice_in_dim(r, 0, m, 1, rank - 1) if n > m else r
    first = slice_in_dim(dx, 0, m, 1, rank - 1) if n > m else dx
    inner = parts.adjoint_product(q, _over(first, square))
    turn = _rotation(inner)
    # Q is square, so Qᴴ dx = turn R + dR for all columns
    if n == m:
        return parts.product(q, turn), parts.product(sub(inner, turn), r)
    return parts.product(q, turn), sub(parts.adjoint_product(q, dx), parts.product(turn, r))


def _permuted_columns(x: Any, order: Any) -> Any:
    """Columns of ``x`` rearranged, as a product with a matrix of zeros and ones."""
    from_where = parts.one_hot_rows(order, x)
    return parts.product(x, parts.matrix_transpose(from_where))


def _params(pivoting: bool = False, full_matrices: bool = False) -> dict[str, Any]:
    return dict(pivoting=pivoting, full_matrices=full_matrices)


qr_p: Primitive = define_primitive(
    "qr",
    shape=_shape,
    kernel=_kernel,
    jvp=_jvp,
    batch=parts.stacked_batch(lambda: qr_p),
    multiple_results=True,
    samples=lambda: [
        Sample((normal(3, 3),), _params(), "square"),
        Sample((normal(4, 2),), _params(), "tall"),
        Sample((normal(2, 4),), _params(), "wide"),
        Sample((normal(3, 2, dtype=np.complex64),), _params(), "complex"),
        Sample((normal(2, 2, dtype=np.complex64),), _params(), "complex-square"),
        Sample((normal(2, 3, 2),), _params(), "stack"),
        Sample((normal(3, 3),), _params(pivoting=True), "pivoting"),
    ],
)


def qr(
    x: Any, *, pivoting: bool = False, full_matrices: bool = True, use_magma: bool | None = None
) -> tuple[Any, ...]:
    """``x = Q R`` with orthonormal columns in Q and an upper triangular R.

    Args:
      x: (..., m, n), float or complex.
      pivoting: exchange columns so that R's diagonal decreases in size.
      full_matrices: Q is (..., m, m) rather than (..., m, min(m, n)).

    Returns:
      Q and R, and with ``pivoting`` the int32 column order p: ``x[..., p] = Q R``.

    Derivatives need the first min(m, n) columns of x to be independent.

    >>> from adlib.lax import linalg
    >>> import adlib.numpy as jnp
    >>> q, r = linalg.qr(jnp.ones((3, 2)), full_matrices=False)
    >>> q.shape, r.shape
    ((3, 2), (2, 2))
    """
    (x,) = operands("qr", x)
    return tuple(qr_p.bind(x, pivoting=bool(pivoting), full_matrices=bool(full_matrices)))


# ------------------------------------------------------------------ reflections


def _reflections_shape(x: ShapedArray) -> list[ShapedArray]:
    parts.check_matrix("geqrf", x)
    return [x, ShapedArray((*x.shape[:-2], min(x.shape[-2:])), x.dtype)]


def _reflections_impl(xp: Any, x: Any) -> tuple[Any, Any]:
    packed, taus = xp.linalg.qr(x, "raw")
    return packed.swapaxes(-1, -2), taus


geqrf_p: Primitive = define_primitive(
    "geqrf",
    shape=_reflections_shape,
    kernel=lambda xp: parts.on_cpu(xp, partial(_reflections_impl, np)),
    jvp=Absent(
        "The reflections that geqrf returns have no derivative rule: differentiate qr, whose "
        "factors have one."
    ),
    batch=parts.stacked_batch(lambda: geqrf_p),
    multiple_results=True,
    samples=lambda: [Sample((normal(3, 2),)), Sample((normal(2, 2, 3),), name="stack")],
)


def geqrf(a: Any) -> tuple[Any, Any]:
    """QR factorization left in LAPACK's form.

    Returns:
      R and, below it, the vectors of the reflections in one (..., m, n) array, and their scales
      (..., min(m, n)): ``householder_product`` of these makes Q.
    """
    packed, taus = geqrf_p.bind(*operands("geqrf", a))
    return packed, taus


# -------------------------------------------------------- Householder products


def _householder_shape(a: ShapedArray, taus: ShapedArray) -> ShapedArray:
    parts.check_matrix("householder_product", a)
    m, n = a.shape[-2:]
    if taus.ndim != a.ndim - 1 or taus.shape[:-1] != a.shape[:-2] or not taus.shape[-1] <= n <= m:
        raise ValueError(
            f"householder_product: a of shape {a.shape} holds reflections below its diagonal, so "
            f"it needs rows ≥ columns ≥ the number of taus, got taus of shape {taus.shape}."
            f"{here()}"
        )
    return a


def _householder_impl(xp: Any, a: Any, taus: Any) -> Any:
    """``(1 - τ₁ v₁ v₁ᴴ) … (1 - τₖ vₖ vₖᴴ)`` applied to the leading columns of the identity."""
    q = xp.broadcast_to(xp.eye(*a.shape[-2:], dtype=a.dtype), a.shape).copy()
    for k in reversed(range(taus.shape[-1])):
        q = _reflect(xp, a, taus[..., k, None, None], k, q)
    return q


def _reflect(xp: Any, a: Any, tau: Any, k: int, q: Any) -> Any:
    v = a[..., k].copy()
    v[..., :k] = 0
    v[..., k] = 1
    v = v[..., None]
    return q - tau * (v @ (v.conj().swapaxes(-1, -2) @ q))


_NO_DERIVATIVE = (
    "The derivative of {} in terms of its reflections is not defined: the representation is not "
    "unique. Differentiate through qr, whose factors are."
)

householder_product_p: Primitive = define_primitive(
    "householder_product",
    shape=_householder_shape,
    impl=_householder_impl,
    jvp=Absent(_NO_DERIVATIVE.format("householder_product")),
    batch=parts.stacked_batch(lambda: householder_product_p),
    samples=lambda: [
        Sample((normal(3, 2), normal(2))),
        Sample((normal(2, 3, 3), normal(2, 2)), name="stack"),
    ],
)


def householder_product(a: Any, taus: Any) -> Any:
    """The first columns of a product of Householder reflections.

    Args:
      a: (..., m, n) with m ≥ n; column k holds below the diagonal the vector of reflection k.
      taus: (..., k), k ≤ n, the scales of the reflections.

    Returns:
      (..., m, n) with orthonormal columns.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> packed, scales = jnp.linalg.qr(jnp.array([[3.0], [4.0]]), mode="raw")
    >>> abs(lax.linalg.householder_product(packed.T, scales)).round(4)
    Array([[0.6],
           [0.8]], dtype=float32)
    """
    a, taus = operands("householder_product", a, taus)
    return householder_product_p.bind(a, taus)


def _ormqr_shape(
    a: ShapedArray, taus: ShapedArray, c: ShapedArray, *, left: bool, transpose: bool
) -> ShapedArray:
    parts.check_matrix("ormqr", a)
    m = c.shape[-2] if left else c.shape[-1]
    if a.shape[-2] != m or c.ndim != a.ndim:
        raise ValueError(
            f"ormqr: reflections of length {a.shape[-2]} do not fit c of shape {c.shape}.{here()}"
        )
    return c


def _ormqr_impl(xp: Any, a: Any, taus: Any, c: Any, *, left: bool, transpose: bool) -> Any:
    if not left:
        # c Q = (Qᴴ cᴴ)ᴴ
        flipped = c.conj().swapaxes(-1, -2)
        out = _ormqr_impl(xp, a, taus, flipped, left=True, transpose=not transpose)
        return out.conj().swapaxes(-1, -2)
    order = range(taus.shape[-1])
    for k in order if transpose else reversed(order):
        tau = taus[..., k, None, None]
        c = _reflect(xp, a, tau.conj() if transpose else tau, k, c)
    return c


ormqr_p: Primitive = define_primitive(
    "ormqr",
    shape=_ormqr_shape,
    impl=_ormqr_impl,
    jvp=Absent(_NO_DERIVATIVE.format("ormqr")),
    batch=parts.stacked_batch(lambda: ormqr_p),
    samples=lambda: [
        Sample((normal(3, 2), normal(2), normal(3, 2)), dict(left=True, transpose=False)),
        Sample((normal(3, 2), normal(2), normal(2, 3)), dict(left=False, transpose=True), "right"),
    ],
)


def ormqr(a: Any, taus: Any, c: Any, *, left: bool = True, transpose: bool = False) -> Any:
    """``Q c`` (``c Q`` unless ``left``) for the square Q of Householder reflections.

    ``a`` (..., m, k) and ``taus`` (..., k) hold the reflections as in ``householder_product``;
    ``transpose`` applies the adjoint of Q.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> packed, scales = jnp.linalg.qr(jnp.array([[3.0], [4.0]]), mode="raw")
    >>> abs(lax.linalg.ormqr(packed.T, scales, jnp.eye(2), transpose=True)).round(4)
    Array([[0.6, 0.8],
           [0.8, 0.6]], dtype=float32)
    """
    a, taus, c = operands("ormqr", a, taus, c)
    return ormqr_p.bind(a, taus, c, left=bool(left), transpose=bool(transpose))
