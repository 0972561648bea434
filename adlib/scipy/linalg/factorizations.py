"""Factorizations under SciPy's names: Cholesky, LU, QR, SVD, Schur, Hessenberg, polar."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.lax import linalg
from adlib.numpy.linalg.norms import one_inexact
from adlib.ops.linalg.parts import adjoint
from adlib.scipy.linalg.systems import broadcast_systems


def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Array:
    """The triangular factor of Hermitian positive definite matrices.

    Args:
      a: (..., n, n).
      lower: give L with ``a = L Lᴴ`` instead of U with ``a = Uᴴ U``.
      overwrite_a, check_finite: taken for compatibility.

    Returns:
      (..., n, n); NaN where a matrix is not positive definite.

    Raises:
      ValueError: for arrays that hold no square matrices.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.cholesky(jnp.array([[4.0, 2.0], [2.0, 2.0]]))
    Array([[2., 1.],
           [0., 1.]], dtype=float32)
    """
    x = _matrices("cholesky", one_inexact("cholesky", a))
    if lower:
        return linalg.cholesky(x, symmetrize_input=False)
    # the upper triangle is the one that is read
    return adjoint(linalg.cholesky(adjoint(x), symmetrize_input=False))


def _matrices(name: str, x: Any) -> Any:
    if x.ndim < 2:
        raise ValueError(f"{name} wants matrices; it was given shape {x.shape}.{here()}")
    return x


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, bool]:
    """What ``cho_solve`` needs: the factor, and whether it is the lower one.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.cho_solve(linalg.cho_factor(2 * jnp.eye(2)), jnp.ones(2))
    Array([0.5, 0.5], dtype=float32)
    """
    return cholesky(a, lower=lower), lower


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    """``x`` with ``a x = b``, from ``cho_factor(a)``.

    Args:
      c_and_lower: the factor, and whether it is the lower one.
      b: (..., n) for one system, (..., n, k) for several of a matrix.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.cho_solve((2 * jnp.eye(2), True), jnp.ones(2))
    Array([0.25, 0.25], dtype=float32)
    """
    factor, lower = c_and_lower
    factor, b = _together("cho_solve", factor, b)
    factor, x, column = broadcast_systems("cho_solve", factor, b)
    for transposed in (not lower, lower):
        x = linalg.triangular_solve(
            factor, x, left_side=True, lower=lower, transpose_a=transposed, conjugate_a=transposed
        )
    return x[..., 0] if column else x


def _together(name: str, a: Any, b: Any) -> tuple[Any, Any]:
    """A matrix and a right-hand side in one floating dtype."""
    dtype = jnp.promote_types(one_inexact(name, a).dtype, one_inexact(name, b).dtype)
    return jnp.asarray(a).astype(dtype), jnp.asarray(b).astype(dtype)


def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Array, Array]:
    """L and U in one array, and the int32 row exchanges, as ``lu_solve`` needs them.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.lu_factor(jnp.array([[0.0, 2.0], [1.0, 0.0]]))[1]
    Array([1, 1], dtype=int32)
    """
    factors, pivots, _ = linalg.lu(one_inexact("lu_factor", a))
    return factors, pivots


def lu_solve(
    lu_and_piv: tuple[Any, Any],
    b: Any,
    trans: int = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:
    """``x`` with ``op(a) x = b``, from ``lu_factor(a)``.

    ``trans`` 0, 1, 2 makes op the identity, the transpose or the adjoint.

    Raises:
      ValueError: another ``trans``, factors that are not square, shapes that do not fit.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.lu_solve(linalg.lu_factor(2 * jnp.eye(2)), jnp.ones(2))
    Array([0.5, 0.5], dtype=float32)
    """
    if trans not in (0, 1, 2):
        raise ValueError(f"lu_solve takes trans 0, 1 or 2; it was given {trans!r}.{here()}")
    factors, pivots = lu_and_piv
    factors, b = _together("lu_solve", factors, b)
    factors, x, column = broadcast_systems("lu_solve", factors, b)
    order = linalg.lu_pivots_to_permutation(jnp.asarray(pivots), factors.shape[-1])
    order = jnp.broadcast_to(order, factors.shape[:-1])
    flags = {"left_side": True, "transpose_a": trans > 0, "conjugate_a": trans == 2}
    if trans == 0:
        x = jnp.take_along_axis(x, order[..., None], axis=-2)
        x = linalg.triangular_solve(factors, x, lower=True, unit_diagonal=True, **flags)
        x = linalg.triangular_solve(factors, x, lower=False, **flags)
    else:
        x = linalg.triangular_solve(factors, x, lower=False, **flags)
        x = linalg.triangular_solve(factors, x, lower=True, unit_diagonal=True, **flags)
        x = jnp.take_along_axis(x, jnp.argsort(order, axis=-1)[..., None], axis=-2)
    return x[..., 0] if column else x


def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, ...]:
    """``a = P L U`` with a permutation P, unit lower triangular L and upper triangular U.

    Returns:
      (P, L, U), or (P L, U) with ``permute_l``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.lu(jnp.array([[0.0, 2.0], [1.0, 0.0]]))[2]
    Array([[1., 0.],
           [0., 2.]], dtype=float32)
    """
    x = one_inexact("lu", a)
    factors, _, order = linalg.lu(x)
    m, n = x.shape[-2:]
    k = min(m, n)
    real = jnp.finfo(x.dtype).dtype
    p = (order[..., None, :] == jnp.arange(m)[:, None]).astype(real)
    lower = jnp.tril(factors, -1)[..., :, :k] + jnp.eye(m, k, dtype=x.dtype)
    upper = jnp.triu(factors)[..., :k, :]
    if permute_l:
        return jnp.matmul(p.astype(x.dtype), lower), upper
    return p, lower, upper


def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> tuple[Array, ...]:
    """``a = Q R`` with orthonormal columns in Q and upper triangular R.

    Args:
      a: (..., m, n).
      mode: ``"full"``, ``"economic"`` (min(m, n) columns in Q), or ``"r"`` (R only).
      pivoting: exchange columns so that R's diagonal decreases; their order is returned too.

    Returns:
      Tuple of Q (but for ``"r"``), R, and the order with ``pivoting``.

    Raises:
      ValueError: another mode.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> [part.shape for part in linalg.qr(jnp.ones((3, 2)), mode="economic")]
    [(3, 2), (2, 2)]
    """
    if mode not in ("full", "r", "economic"):
        raise ValueError(f"qr takes mode 'full', 'economic' or 'r'; it was given {mode!r}.{here()}")
    x = one_inexact("qr", a)
    parts = linalg.qr(x, full_matrices=mode != "economic", pivoting=pivoting)
    return parts[1:] if mode == "r" else parts


def qr_multiply(
    a: Any,
    c: Any,
    mode: str = "right",
    pivoting: bool = False,
    conjugate: bool = False,
    overwrite_a: bool = False,
    overwrite_c: bool = False,
) -> tuple[Array, ...]:
    """``c Q`` (mode ``"right"``) or ``Q c`` (``"left"``) with the Q of ``a = Q R``, and R.

    A vector ``c`` counts as a row or a column. With ``conjugate``, Q is conjugated.

    Raises:
      ValueError: another mode.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.qr_multiply(jnp.eye(2), jnp.ones(2))[0]
    Array([1., 1.], dtype=float32)
    """
    if mode not in ("left", "right"):
        raise ValueError(
            f"qr_multiply takes mode 'left' or 'right'; it was given {mode!r}.{here()}"
        )
    a, c = _together("qr_multiply", a, c)
    q, *rest = linalg.qr(a, full_matrices=False, pivoting=pivoting)
    if conjugate:
        q = q.conj()
    if mode == "right":
        return jnp.matmul(c, q), *rest
    if c.ndim == 1:
        return jnp.matmul(q, c[: q.shape[-1]]), *rest
    return jnp.matmul(q, c), *rest


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """``a = U diag(s) Vᴴ``: (U, s, Vᴴ), or s alone without ``compute_uv``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.svd(jnp.diag(jnp.array([1.0, 3.0])), compute_uv=False)
    Array([3., 1.], dtype=float32)
    """
    result = jnp.linalg.svd(a, full_matrices=full_matrices, compute_uv=compute_uv)
    return tuple(result) if compute_uv else result


def eigh(
    a: Any,
    b: Any = None,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    turbo: bool = True,
    eigvals: None = None,
    type: int = 1,
    check_finite: bool = True,
) -> Any:
    """Eigenvalues and eigenvectors of Hermitian matrices.

    Args:
      a: (..., n, n); only its lower (or upper) triangle is read.
      b: positive definite matrices; then ``a v = w b v`` is solved, by Cholesky's factor of b.
      lower: which triangle of ``a`` is read.
      eigvals_only: leave the eigenvectors out.
      type: 1 only, ``a v = w b v``.

    Returns:
      Eigenvalues (..., n), ascending, and eigenvectors as columns (..., n, n).

    Raises:
      NotImplementedError: ``eigvals`` or another ``type``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.eigh(jnp.diag(jnp.array([2.0, 4.0])), jnp.diag(jnp.array([1.0, 4.0])))[0]
    Array([1., 2.], dtype=float32)
    """
    if eigvals is not None or type != 1:
        raise NotImplementedError(f"eigh takes eigvals=None and type=1 only.{here()}")
    if b is None:
        return _eigh(one_inexact("eigh", a), lower, eigvals_only)
    a, b = _together("eigh", a, b)
    triangle = jnp.tril(a) if lower else jnp.triu(a)
    beside = jnp.tril(a, -1) if lower else jnp.triu(a, 1)
    factor = linalg.cholesky(b)
    half = linalg.triangular_solve(factor, triangle + adjoint(beside), left_side=True, lower=True)
    inner = linalg.triangular_solve(factor, adjoint(half), left_side=True, lower=True)
    if eigvals_only:
        return _eigh(inner, True, True)
    values, vectors = _eigh(inner, True, False)
    back = linalg.triangular_solve(
        factor, vectors, left_side=True, lower=True, transpose_a=True, conjugate_a=True
    )
    return values, back


def _eigh(x: Any, lower: bool, eigvals_only: bool) -> Any:
    if eigvals_only:
        return jnp.linalg.eigvalsh(x, UPLO="L" if lower else "U", symmetrize_input=False)
    return tuple(jnp.linalg.eigh(x, UPLO="L" if lower else "U", symmetrize_input=False))


def eigh_tridiagonal(
    d: Any,
    e: Any,
    *,
    eigvals_only: bool = False,
    select: str = "a",
    select_range: tuple[float, float] | None = None,
    tol: float | None = None,
    key: Any = None,
) -> Any:
    """Eigenvalues and eigenvectors of a real symmetric tridiagonal matrix.

    Args:
      d: diagonal (n,).
      e: the diagonals beside it (n - 1,).
      eigvals_only: leave the eigenvectors out.
      select: ``"a"`` for all, ``"i"`` for those numbered ``select_range`` (both ends included).
        ``"v"``, which asks for values in a range, would have a result of unknown size.
      tol, key: taken for compatibility.

    Raises:
      ValueError: shapes that do not fit, an unknown ``select``, a range out of bounds.
      NotImplementedError: ``select="v"``.
      TypeError: complex numbers.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.eigh_tridiagonal(jnp.array([2.0, 2.0]), jnp.array([1.0]), eigvals_only=True)
    Array([1., 3.], dtype=float32)
    """
    d, e = _together("eigh_tridiagonal", d, e)
    if d.ndim != 1 or e.shape != (max(d.shape[0] - 1, 0),):
        raise ValueError(
            "eigh_tridiagonal wants a diagonal of shape (n,) and one of shape (n - 1,) beside it; "
            f"it was given {d.shape} and {e.shape}.{here()}"
        )
    if d.dtype.kind == "c":
        raise TypeError(f"eigh_tridiagonal takes real diagonals.{here()}")
    chosen = _chosen(select, select_range, d.shape[0])
    matrix = jnp.diag(d) + jnp.diag(e, -1)
    values, vectors = _eigh(matrix, True, False)
    if eigvals_only:
        return values[chosen]
    return values[chosen], vectors[:, chosen]


def _chosen(select: str, select_range: Any, n: int) -> slice:
    if select == "a":
        return slice(None)
    if select == "v":
        raise NotImplementedError(
            f"eigh_tridiagonal(select='v') has no shape known beforehand.{here()}\n  Repair: "
            "compute all, and mask."
        )
    if select != "i":
        raise ValueError(
            f"eigh_tridiagonal takes select 'a' or 'i'; it was given {select!r}.{here()}"
        )
    low, high = select_range or (0, n - 1)
    if not 0 <= low <= high < n:
        raise ValueError(
            f"eigh_tridiagonal wants a select_range within 0 and {n - 1}; it was given "
            f"{select_range}.{here()}"
        )
    return slice(int(low), int(high) + 1)


def schur(a: Any, output: str = "real") -> tuple[Array, Array]:
    """``a = Z T Zᴴ`` with a unitary Z; T is triangular, in real form up to 2×2 blocks.

    Args:
      a: (..., n, n).
      output: ``"real"`` (a real ``a`` gives a real T), or ``"complex"``.

    Returns:
      (T, Z). They have no derivatives: neither is unique.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.schur(jnp.eye(2))[0]
    Array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    if output not in ("real", "complex"):
        raise ValueError(
            f"schur takes output 'real' or 'complex'; it was given {output!r}.{here()}"
        )
    x = one_inexact("schur", a)
    if output == "complex" and x.dtype.kind != "c":
        x = x.astype(jnp.promote_types(x.dtype, np.complex64))
    t, z = linalg.schur(x)
    return t, z


def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> tuple[Array, Array]:
    """The complex Schur form of a matrix from its real one.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> rotation = jnp.array([[0.0, -1.0], [1.0, 0.0]])
    >>> linalg.rsf2csf(*linalg.schur(rotation))[0].round(3)[1, 0]
    Array(0.+0.j, dtype=complex64)
    """
    t, z = _together("rsf2csf", T, Z)
    dtype = jnp.promote_types(t.dtype, np.complex64)
    t, z = t.astype(dtype), z.astype(dtype)
    for k in range(t.shape[-1] - 1, 0, -1):
        t, z = _rotated(t, z, k)
    return t, z


def _rotated(t: Any, z: Any, k: int) -> tuple[Any, Any]:
    """Make the entry (k, k - 1) zero by a rotation of the rows and columns k - 1 and k, which
    sends an eigenvector of the 2×2 block to its first axis (Golub and Van Loan, section 7.4)."""
    a, b = t[..., k - 1, k - 1], t[..., k - 1, k]
    c, d = t[..., k, k - 1], t[..., k, k]
    half = (a - d) / 2
    root = jnp.sqrt(half**2 + b * c)
    root = jnp.where(jnp.real(jnp.conj(half) * root) < 0, -root, root)
    shift = half + root  # an eigenvalue minus d
    none = c == 0
    length = jnp.sqrt(jnp.abs(shift) ** 2 + jnp.abs(c) ** 2)
    length = jnp.where(none, 1, length)
    cos, sin = jnp.where(none, 1, shift / length), jnp.where(none, 0, c / length)
    g = jnp.stack([jnp.stack([jnp.conj(cos), jnp.conj(sin)], -1), jnp.stack([-sin, cos], -1)], -2)
    rows = jnp.matmul(g, t[..., k - 1 : k + 1, :])
    t = t.at[..., k - 1 : k + 1, :].set(rows)
    t = t.at[..., :, k - 1 : k + 1].set(jnp.matmul(t[..., :, k - 1 : k + 1], adjoint(g)))
    z = z.at[..., :, k - 1 : k + 1].set(jnp.matmul(z[..., :, k - 1 : k + 1], adjoint(g)))
    return t.at[..., k, k - 1].set(0), z


def hessenberg(
    a: Any, *, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """``a = Q H Qᴴ`` with H zero below its first subdiagonal: H, or (H, Q) with ``calc_q``.

    They have no derivatives: neither is unique.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.hessenberg(jnp.eye(2))
    Array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    x = one_inexact("hessenberg", a)
    packed, scales = linalg.hessenberg(x)
    h = jnp.triu(packed, -1)
    if not calc_q:
        return h
    n = x.shape[-1]
    inner = linalg.householder_product(packed[..., 1:, :-1], scales) if n > 1 else x[..., :0, :0]
    q = jnp.zeros_like(x).at[..., 1:, 1:].set(inner) if n > 1 else jnp.zeros_like(x)
    return h, q.at[..., 0, 0].set(1) if n else q


def polar(
    a: Any,
    side: str = "right",
    *,
    method: str = "qdwh",
    eps: float | None = None,
    max_iterations: int | None = None,
) -> tuple[Array, Array]:
    """``a = U P`` (side ``"right"``) or ``a = P U``: U unitary, P positive semidefinite.

    Args:
      a: (..., m, n).
      method: ``"qdwh"`` (iterations; m ≥ n for right, m ≤ n for left) or ``"svd"``.
      eps, max_iterations: of the iterations.

    Returns:
      (U, P).

    Raises:
      ValueError: unknown ``side`` or ``method``.
      NotImplementedError: a shape that ``"qdwh"`` does not take.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.polar(-2 * jnp.eye(2))[0].round(5)
    Array([[-1.,  0.],
           [ 0., -1.]], dtype=float32)
    """
    if side not in ("right", "left"):
        raise ValueError(f"polar takes side 'right' or 'left'; it was given {side!r}.{here()}")
    x = _matrices("polar", one_inexact("polar", a))
    if method == "svd":
        u, s, vh = jnp.linalg.svd(x, full_matrices=False)
        rows = adjoint(vh) if side == "right" else u
        p = jnp.matmul(rows * s[..., None, :].astype(x.dtype), adjoint(rows))
        return jnp.matmul(u, vh), p
    if method != "qdwh":
        raise ValueError(f"polar takes method 'qdwh' or 'svd'; it was given {method!r}.{here()}")
    tall = x if side == "right" else adjoint(x)
    if tall.shape[-2] < tall.shape[-1]:
        raise NotImplementedError(
            f"polar(method='qdwh', side={side!r}) does not take the shape {x.shape}.{here()}\n"
            "  Repair: method='svd', or the other side."
        )
    u, p, _, _ = linalg.qdwh(tall, max_iterations=max_iterations, eps=eps)
    return (u, p) if side == "right" else (adjoint(u), p)
