"""scipy.linalg: matrices and right-hand sides of several batch shapes, and their messages."""

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib.scipy import fft, linalg
from adlib.scipy.sparse.linalg import gmres

RNG = np.random.default_rng(0)
A = np.triu(RNG.normal(size=(2, 3, 3)) + 4 * np.eye(3)).astype(np.float32)
SHAPES = [  # of the matrices, the right-hand sides, the result
    ((2, 3, 3), (3,), (2, 3)), ((3, 3), (2, 3, 1), (2, 3, 1)), ((2, 3, 3), (3, 2), (2, 3, 2)),
    ((2, 3, 3), (2, 3), (2, 3)), ((2, 3, 3), (3, 1), (2, 3, 1)), ((3, 3), (3,), (3,)),
]  # fmt: skip
SOLVERS = {
    "solve": lambda a, b: linalg.solve(a, b),
    "solve_triangular": lambda a, b: linalg.solve_triangular(a, b),
    "cho_solve": lambda a, b: linalg.cho_solve((jnp.linalg.cholesky(a @ a.mT), True), b),
    "lu_solve": lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b),
}


@pytest.mark.parametrize("name", sorted(SOLVERS))
@pytest.mark.parametrize(("matrices", "sides", "wanted"), SHAPES)
def test_batches_broadcast(name, matrices, sides, wanted):
    a = jnp.asarray(A if len(matrices) == 3 else A[0])
    b = jnp.asarray(RNG.normal(size=sides).astype(np.float32))
    x = SOLVERS[name](a, b)
    assert x.shape == wanted
    system = a @ a.mT if name == "cho_solve" else a
    column = b.ndim == 1 or sides == matrices[:-1]
    product = (system @ x[..., None])[..., 0] if column else system @ x
    np.testing.assert_allclose(product, np.broadcast_to(b, wanted), atol=1e-4)


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_right_hand_sides_that_do_not_fit(name):
    for b in (jnp.ones((2, 2)), jnp.ones(4), jnp.ones(()), jnp.ones((3, 2, 1))):
        with pytest.raises(ValueError, match="do not fit matrices of shape"):
            SOLVERS[name](jnp.asarray(A), b)


def test_one_order_of_rows_for_all_matrices():
    factors = jnp.stack([jnp.eye(3), 2 * jnp.eye(3)])
    found = linalg.lu_solve((factors, jnp.arange(3)), jnp.ones(3))
    np.testing.assert_array_equal(found, [[1, 1, 1], [0.5, 0.5, 0.5]])


def test_fiedler_companions_of_several_polynomials():
    a = jnp.array([[1.0, -10.0, 31.0, -30.0], [2.0, 4.0, 6.0, 8.0]])
    found = linalg.fiedler_companion(a)
    assert found.shape == (2, 3, 3)
    for row, matrix in zip(a, found, strict=True):
        np.testing.assert_array_equal(matrix, linalg.fiedler_companion(row))


MISTAKES = [
    (lambda: linalg.polar(jnp.ones(3)), r"polar wants matrices; it was given shape \(3,\)"),
    (lambda: linalg.cholesky(jnp.ones(3)), r"cholesky wants matrices; it was given shape \(3,\)"),
    (lambda: linalg.cho_factor(2.0), r"cholesky wants matrices; it was given shape \(\)"),
    (lambda: linalg.expm(jnp.ones(3)), r"expm wants square matrices; it was given shape \(3,\)"),
    (lambda: linalg.helmert(0), "helmert wants n of 1 or more; it was given 0"),
]


@pytest.mark.parametrize("case", range(len(MISTAKES)))
def test_mistakes(case):
    call, message = MISTAKES[case]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", ["dct", "idct", "dctn", "idctn"])
def test_cosine_transforms_are_linear_in_both_parts(name):
    z = jnp.array([[1 + 1j, 2, 3j], [0.5, -1j, 4]])
    function = getattr(fft, name)
    np.testing.assert_allclose(function(z), function(z.real) + 1j * function(z.imag), rtol=1e-6)


def test_gmres_reports_zero():
    _, info = gmres(2 * jnp.eye(2), jnp.ones(2))
    assert info == 0 and info.dtype == np.int32
