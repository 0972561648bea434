"""Factorizations, with results named as NumPy names them."""

from __future__ import annotations

from typing import Any, NamedTuple

from adlib.base.source import here
from adlib.core.array import Array
from adlib.lax import linalg
from adlib.numpy.linalg.norms import one_inexact, weakly
from adlib.ops.linalg.parts import adjoint, matrix_transpose
from adlib.ops.linalg.qr import geqrf


class SVDResult(NamedTuple):
    """What ``svd`` returns."""

    U: Any
    S: Any
    Vh: Any


class QRResult(NamedTuple):
    """What ``qr`` returns."""

    Q: Any
    R: Any


class EighResult(NamedTuple):
    """What ``eigh`` returns."""

    eigenvalues: Any
    eigenvectors: Any


class EigResult(NamedTuple):
    """What ``eig`` returns."""

    eigenvalues: Any
    eigenvectors: Any


def cholesky(a: Any, *, upper: bool = False, symmetrize_input: bool = True) -> Array:
    """The triangular factor of Hermitian positive definite matrices, ``a = L Lᴴ``.

    Args:
      a: (..., n, n); integers become floats.
      upper: return ``Lᴴ`` instead.
      symmetrize_input: factorize ``(a + aᴴ) / 2``; otherwise read one triangle only.

    Returns:
      (..., n, n); NaN where a matrix is not positive definite.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.cholesky(jnp.array([[4.0, 2.0], [2.0, 2.0]]))
    Array([[2., 0.],
           [1., 1.]], dtype=float32)
    """
    factor = linalg.cholesky(one_inexact("cholesky", a), symmetrize_input=symmetrize_input)
    return weakly(adjoint(factor) if upper else factor, a)


def qr(a: Any, mode: str = "reduced") -> Any:
    """``a = Q R`` with orthonormal columns in Q and upper triangular R.

    Args:
      a: (..., m, n).
      mode: "reduced" (min(m, n) columns in Q), "complete" (m), "r" (only R), or "raw"
        (LAPACK's reflections, transposed, and their scales).

    Returns:
      ``QRResult(Q, R)``, or R alone.

    >>> import adlib.numpy as jnp
    >>> q, r = jnp.linalg.qr(jnp.array([[3.0], [4.0]]))
    >>> abs(q).round(4), abs(r).round(4)
    (Array([[0.6],
           [0.8]], dtype=float32), Array([[5.]], dtype=float32))
    """
    x = one_inexact("qr", a)
    if mode == "raw":
        packed, scales = geqrf(x)
        return QRResult(matrix_transpose(packed), scales)
    if mode in ("reduced", "r", "full"):
        full = False
    elif mode == "complete":
        full = True
    else:
        raise ValueError(
            f"Unsupported QR decomposition mode '{mode}'{here()}\n  The modes are 'reduced', "
            "'complete', 'r' and 'raw'."
        )
    q, r = [weakly(v, a) for v in linalg.qr(x, pivoting=False, full_matrices=full)]
    return r if mode == "r" else QRResult(q, r)


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    subset_by_index: tuple[int, int] | None = None,
) -> Any:
    """Singular value decomposition, ``a = U diag(S) Vh``.

    Args:
      a: (..., m, n).
      full_matrices: U (..., m, m) and Vh (..., n, n) instead of min(m, n) vectors each.
      compute_uv: whether vectors are wanted.
      hermitian: accepted; the result is the same.
      subset_by_index: (first, last + 1) of the singular values wanted.

    Returns:
      ``SVDResult(U, S, Vh)`` or S alone; S descends.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.svd(jnp.array([[3.0, 0.0], [0.0, 4.0]])).S
    Array([4., 3.], dtype=float32)
    """
    x = one_inexact("svd", a)
    out = linalg.svd(
        x,
        full_matrices=full_matrices and subset_by_index is None,
        compute_uv=compute_uv,
        subset_by_index=subset_by_index,
    )
    return SVDResult(*[weakly(v, a) for v in out]) if compute_uv else weakly(out, a)


def svdvals(x: Any, /) -> Array:
    """Singular values of (..., m, n) matrices, descending: shape (..., min(m, n)).

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.svdvals(jnp.array([[3.0, 0.0], [0.0, 4.0]]))
    Array([4., 3.], dtype=float32)
    """
    return svd(x, compute_uv=False)  # type: ignore[no-any-return]


def eigh(a: Any, UPLO: str | None = None, symmetrize_input: bool = True) -> EighResult:
    """Eigenvalues and eigenvectors of Hermitian matrices.

    Args:
      a: (..., n, n).
      UPLO: "L" or "U", the triangle that is read.
      symmetrize_input: work on ``(a + aᴴ) / 2``.

    Returns:
      ``EighResult(eigenvalues, eigenvectors)``: real (..., n), ascending, and (..., n, n) with
      an eigenvector in each column.

    >>> import adlib.numpy as jnp
    >>> values, vectors = jnp.linalg.eigh(jnp.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> values.round(4), abs(vectors).round(4)
    (Array([1., 3.], dtype=float32), Array([[0.7071, 0.7071],
           [0.7071, 0.7071]], dtype=float32))
    """
    if UPLO not in (None, "L", "U"):
        raise ValueError(f"UPLO must be one of None, 'L', or 'U', got {UPLO}{here()}")
    x = one_inexact("eigh", a)
    vectors, values = linalg.eigh(x, lower=UPLO != "U", symmetrize_input=symmetrize_input)
    return EighResult(weakly(values, a), weakly(vectors, a))


def eigvalsh(a: Any, UPLO: str | None = "L", *, symmetrize_input: bool = True) -> Array:
    """Eigenvalues of Hermitian matrices, ascending.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.eigvalsh(jnp.array([[2.0, 1.0], [1.0, 2.0]])).round(4)
    Array([1., 3.], dtype=float32)
    """
    return eigh(a, UPLO, symmetrize_input).eigenvalues


def eig(a: Any) -> EigResult:
    """Eigenvalues (..., n) and right eigenvectors (..., n, n) of square matrices, complex.

    Derivatives of the eigenvectors raise NotImplementedError; those of ``eigvals`` exist.

    >>> import adlib.numpy as jnp
    >>> values, vectors = jnp.linalg.eig(jnp.array([[2.0, 0.0], [0.0, 3.0]]))
    >>> values, vectors.shape
    (Array([2.+0.j, 3.+0.j], dtype=complex64), (2, 2))
    """
    x = one_inexact("eig", a)
    values, vectors = linalg.eig(x, compute_left_eigenvectors=False)
    return EigResult(weakly(values, a), weakly(vectors, a))


def eigvals(a: Any) -> Array:
    """Eigenvalues of square matrices, complex, in no particular order.

    >>> import adlib.numpy as jnp
    >>> jnp.linalg.eigvals(jnp.array([[0.0, 1.0], [-1.0, 0.0]]))
    Array([0.+1.j, 0.-1.j], dtype=complex64)
    """
    x = one_inexact("eigvals", a)
    (values,) = linalg.eig(x, compute_left_eigenvectors=False, compute_right_eigenvectors=False)
    return weakly(values, a)
