"""``adlib.lax.linalg``: factorizations and solvers of stacks of matrices."""

from adlib.ops.linalg.cholesky import cholesky, cholesky_p, cholesky_update, cholesky_update_p
from adlib.ops.linalg.condensed import (
    hessenberg,
    hessenberg_p,
    qdwh,
    schur,
    schur_p,
    symmetric_product,
    tridiagonal,
    tridiagonal_p,
)
from adlib.ops.linalg.eigen import eig, eig_p, eigh, eigh_p
from adlib.ops.linalg.lu import (
    lu,
    lu_p,
    lu_pivots_to_permutation,
    lu_pivots_to_permutation_p,
)
from adlib.ops.linalg.qr import (
    householder_product,
    householder_product_p,
    ormqr,
    ormqr_p,
    qr,
    qr_p,
)
from adlib.ops.linalg.svd import svd, svd_p
from adlib.ops.linalg.triangular import triangular_solve, triangular_solve_p
from adlib.ops.linalg.tridiagonal import tridiagonal_solve, tridiagonal_solve_p

__all__ = [
    "cholesky",
    "cholesky_p",
    "cholesky_update",
    "cholesky_update_p",
    "eig",
    "eig_p",
    "eigh",
    "eigh_p",
    "hessenberg",
    "hessenberg_p",
    "householder_product",
    "householder_product_p",
    "lu",
    "lu_p",
    "lu_pivots_to_permutation",
    "lu_pivots_to_permutation_p",
    "ormqr",
    "ormqr_p",
    "qdwh",
    "qr",
    "qr_p",
    "schur",
    "schur_p",
    "svd",
    "svd_p",
    "symmetric_product",
    "triangular_solve",
    "triangular_solve_p",
    "tridiagonal",
    "tridiagonal_p",
    "tridiagonal_solve",
    "tridiagonal_solve_p",
]
