"""``adlib.scipy.linalg``: linear algebra under SciPy's names, differentiable and batched."""

from adlib.scipy.linalg.factorizations import (
    cho_factor,
    cho_solve,
    cholesky,
    eigh,
    eigh_tridiagonal,
    hessenberg,
    lu,
    lu_factor,
    lu_solve,
    polar,
    qr,
    qr_multiply,
    rsf2csf,
    schur,
    svd,
)
from adlib.scipy.linalg.matrix_functions import expm, expm_frechet, funm, sqrtm
from adlib.scipy.linalg.solving import det, inv, solve, solve_sylvester, solve_triangular
from adlib.scipy.linalg.special_matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    dft,
    fiedler,
    fiedler_companion,
    hadamard,
    hankel,
    helmert,
    hilbert,
    invhilbert,
    invpascal,
    leslie,
    pascal,
    toeplitz,
)
