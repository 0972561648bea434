"""Cholesky's factorization ``a = L Lᴴ`` and its update."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, mul
from adlib.ops.linalg import parts
from adlib.ops.linalg.triangular import triangular_solve_p
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import instantiate


def positive_definite(*shape: int, dtype: Any = np.float32) -> Any:
    """A sample argument: positive definite Hermitian matrices."""

    def make(rng: np.random.Generator) -> Any:
        x = normal(*shape, dtype=dtype)(rng)
        square = x @ x.conj().swapaxes(-1, -2)
        return (square + np.eye(shape[-1])).astype(dtype)

    return make


def _shape(x: ShapedArray) -> ShapedArray:
    parts.check_matrix("cholesky", x, square=True)
    return x


def _impl(xp: Any, x: Any) -> Any:
    try:
        return xp.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        if x.ndim > 2:
            return xp.stack([_impl(xp, matrix) for matrix in x])
        # one that fails is NaN in the triangle and zero beside it
        return xp.tril(xp.full(x.shape, np.nan, x.dtype))


def _jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """``dL = L Φ(L⁻¹ da L⁻ᴴ)``, Φ the lower triangle with half the diagonal (Murray 2016)."""
    (x,), (dx,) = primals, tangents
    factor = cholesky_p.bind(x)
    if type(dx) is Zero:
        return factor, Zero.like(factor)
    # only the lower triangle of x was read, so only that of dx counts
    return factor, factor_tangent(factor, parts.from_lower(dx))


def factor_tangent(factor: Any, dx: Any) -> Any:
    """Tangent of the lower factor for a Hermitian tangent of the matrix."""
    solve = partial(triangular_solve_p.bind, factor, lower=True, unit_diagonal=False)
    right = solve(dx, left_side=False, transpose_a=True, conjugate_a=dx.aval.dtype.kind == "c")
    inner = solve(right, left_side=True, transpose_a=False, conjugate_a=False)
    return parts.product(factor, mul(inner, parts.constant("half lower", inner)))


cholesky_p: Primitive = define_primitive(
    "cholesky",
    shape=_shape,
    impl=_impl,
    jvp=_jvp,
    batch=parts.stacked_batch(lambda: cholesky_p),
    samples=lambda: [
        Sample((positive_definite(3, 3),)),
        Sample((positive_definite(2, 2, dtype=np.complex64),), name="complex"),
        Sample((positive_definite(2, 2, 2),), name="stack"),
        Sample((positive_definite(1, 1),), name="one"),
    ],
)


def cholesky(x: Any, *, symmetrize_input: bool = True) -> Any:
    """The lower triangular L with ``x = L Lᴴ`` of Hermitian positive definite matrices.

    Args:
      x: (..., n, n), float or complex.
      symmetrize_input: factorize ``(x + xᴴ) / 2``; otherwise only the lower triangle is read.

    Returns:
      (..., n, n), zero above the diagonal; NaN where a matrix is not positive definite.

    >>> from adlib.lax import linalg
    >>> import adlib.numpy as jnp
    >>> linalg.cholesky(jnp.array([[4.0, 2.0], [2.0, 2.0]]))
    Array([[2., 0.],
           [1., 1.]], dtype=float32)
    """
    (x,) = operands("cholesky", x)
    if symmetrize_input:
        _shape(x.aval)
        x = parts.symmetrized(x)
    return cholesky_p.bind(x)


# ------------------------------------------------------------ cholesky_update


def _update_shape(r: ShapedArray, w: ShapedArray) -> ShapedArray:
    parts.check_matrix("cholesky_update", r, square=True)
    if r.dtype.kind == "c":
        raise TypeError(f"cholesky_update takes real matrices, got dtype {r.dtype.name}.{here()}")
    if w.shape != r.shape[:-1] or r.dtype != w.dtype:
        raise TypeError(
            f"cholesky_update: the vector must have shape {r.shape[:-1]} and dtype "
            f"{r.dtype.name}, got {w.str_short()}.{here()}"
        )
    return r


def _update_impl(xp: Any, r: Any, w: Any) -> Any:
    """One plane rotation for each row clears the vector (Golub & Van Loan, section 6.5.4)."""
    r, w = xp.triu(r), w.copy()
    for k in range(r.shape[-1]):
        a, b = r[..., k, k], w[..., k]
        length = xp.hypot(a, b)
        safe = xp.where(length == 0, xp.ones_like(length), length)
        cosine, sine = (a / safe)[..., None], (b / safe)[..., None]
        row = r[..., k, :].copy()
        r[..., k, :] = cosine * row + sine * w
        w = cosine * w - sine * row
    return r


def _update_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The tangent of ``RᵀR + w wᵀ``, pushed through the factorization."""
    r, w = primals
    dr, dw = (instantiate(t) for t in tangents)
    ans = cholesky_update_p.bind(r, w)
    half = add(
        parts.adjoint_product(parts.upper(r), parts.upper(dr)),
        mul(parts.rows(w), parts.columns(dw)),
    )
    tangent = factor_tangent(parts.matrix_transpose(ans), add(half, parts.matrix_transpose(half)))
    return ans, parts.matrix_transpose(tangent)


cholesky_update_p: Primitive = define_primitive(
    "cholesky_update",
    shape=_update_shape,
    impl=_update_impl,
    jvp=_update_jvp,
    batch=parts.stacked_batch(lambda: cholesky_update_p),
    samples=lambda: [
        Sample((lambda rng: np.triu(positive_definite(3, 3)(rng)), normal(3))),
        Sample((lambda rng: np.triu(positive_definite(2, 2, 2)(rng)), normal(2, 2)), name="stack"),
    ],
)


def cholesky_update(r_matrix: Any, w_vector: Any) -> Any:
    """The upper factor of ``RᵀR + w wᵀ`` from the upper factor R, in O(n²).

    ``r_matrix`` is (..., n, n) and ``w_vector`` (..., n), both real.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.linalg.cholesky_update(jnp.eye(2), jnp.array([1.0, 0.0])).round(3)
    Array([[1.414, 0.   ],
           [0.   , 1.   ]], dtype=float32)
    """
    r, w = operands("cholesky_update", r_matrix, w_vector)
    return cholesky_update_p.bind(r, w)
