"""Linear algebra: factorizations and solvers of stacks of matrices, with their derivatives."""

from adlib.ops.linalg import (
    cholesky,
    condensed,
    determinant,
    eigen,
    lu,
    matrix_functions,
    parts,
    pseudo_inverse,
    qr,
    svd,
    triangular,
    tridiagonal,
)
