"""Linear algebra: values against SciPy's in double precision, derivatives by differences."""

import numpy as np
import pytest
import scipy.linalg as reference

import adlib
import adlib.numpy as jnp
from adlib.scipy import linalg
from adlib.test_util import check_grads

RNG = np.random.default_rng(0)


def matrix(*shape, kind="f"):
    x = RNG.normal(size=shape)
    return x + 1j * RNG.normal(size=shape) if kind == "c" else x


def positive(n, kind="f"):
    x = matrix(n, n, kind=kind)
    return x @ x.conj().T + n * np.eye(n)


@pytest.fixture(autouse=True)
def x64():
    with adlib.enable_x64(True):
        yield


def same(found, wanted, tol=1e-10):
    if isinstance(wanted, tuple):
        assert len(found) == len(wanted)
        for f, w in zip(found, wanted, strict=True):
            same(f, w, tol)
    else:
        np.testing.assert_allclose(found, wanted, rtol=tol, atol=tol)


A, C, S, SC = matrix(4, 4), matrix(4, 4, kind="c"), positive(4), positive(4, "c")
TALL, B = matrix(5, 3), matrix(4, 2)
CALLS = [
    ("cholesky", (S,), {}), ("cholesky", (SC,), {}), ("cholesky", (SC,), {"lower": True}),
    ("lu", (A,), {}), ("lu", (TALL,), {}), ("lu", (TALL.T,), {}), ("lu", (C,), {"permute_l": True}),
    ("lu_factor", (A,), {}), ("det", (A,), {}), ("inv", (C,), {}),
    ("svd", (TALL,), {"compute_uv": False}), ("eigh", (SC,), {"eigvals_only": True}),
    ("eigh", (S, positive(4)), {"eigvals_only": True}),
    ("eigh", (SC,), {"eigvals_only": True, "lower": False}),
    ("solve", (A, B), {}), ("solve", (A, B[:, 0]), {}), ("solve", (S, B), {"assume_a": "pos"}),
    ("solve", (S, B), {"assume_a": "sym"}), ("solve", (SC, B), {"assume_a": "pos", "lower": True}),
    ("solve_triangular", (C, B), {}), ("solve_triangular", (C, B[:, 0]), {"trans": 2}),
    ("solve_triangular", (A, B), {"trans": "T", "lower": True, "unit_diagonal": True}),
    ("solve_sylvester", (A, 5 + S, matrix(4, 4)), {}),
    ("solve_sylvester", (C, SC[:2, :2], matrix(4, 2, kind="c")), {}),
    ("expm", (A,), {}), ("expm", (C,), {}), ("sqrtm", (S,), {}), ("sqrtm", (SC,), {}),
    ("expm_frechet", (A, S), {}), ("expm_frechet", (A, S), {"compute_expm": False}),
    ("funm", (S, np.exp), {}), ("polar", (TALL,), {}), ("polar", (TALL.T,), {"side": "left"}),
    ("block_diag", (A, B[0], np.ones((1, 1))), {}), ("toeplitz", (A[0],), {}),
    ("toeplitz", (C[0], B[:, 0]), {}), ("toeplitz", (C[0],), {}), ("hankel", (A[0],), {}),
    ("hankel", (A[0], B[:, 0]), {}), ("circulant", (A[0],), {}), ("companion", (A[0],), {}),
    ("fiedler", (A[0],), {}), ("leslie", (A[0], A[1, :3]), {}),
    *[("fiedler_companion", (np.arange(1.0, n),), {}) for n in range(3, 9)],
    *[
        ("convolution_matrix", (A[0, :m], n, mode), {})
        for mode in ("full", "same", "valid") for m, n in ((3, 4), (4, 2), (4, 4), (1, 3))
    ],
    ("dft", (5,), {}), ("dft", (4, "sqrtn"), {}), ("hadamard", (8,), {}), ("helmert", (5,), {}),
    ("helmert", (4,), {"full": True}), ("hilbert", (5,), {}), ("invhilbert", (6,), {}),
    ("pascal", (6,), {}), ("pascal", (4, "lower"), {}), ("pascal", (4, "upper"), {}),
    ("invpascal", (6,), {}), ("invpascal", (4, "upper"), {}), ("hessenberg", (A,), {}),
    ("eigh_tridiagonal", (A[0], A[1, :3]), {"eigvals_only": True}),
    ("eigh_tridiagonal", (A[0], A[1, :3]),
     {"eigvals_only": True, "select": "i", "select_range": (1, 2)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=[c[0] for c in CALLS])
def test_values(name, args, kwargs):
    wanted = getattr(reference, name)(*args, **kwargs)
    if name == "companion" or name == "pascal":
        wanted = np.asarray(wanted, float)
    same(getattr(linalg, name)(*args, **kwargs), wanted)


def adjoint(x):
    return jnp.conj(x).swapaxes(-1, -2)


@pytest.mark.parametrize("a", [TALL, TALL.T, C], ids=["tall", "wide", "complex"])
def test_qr(a):
    for mode in ("full", "economic"):
        q, r = linalg.qr(a, mode=mode)
        assert (q.shape, r.shape) == tuple(p.shape for p in reference.qr(a, mode=mode))
        same(q @ r, a)
        q, r, order = linalg.qr(a, mode=mode, pivoting=True)
        same(q @ r, a[:, order])
    (r,) = linalg.qr(a, mode="r")
    same(jnp.abs(r), np.abs(reference.qr(a, mode="r")[0]))


@pytest.mark.parametrize("a", [TALL, TALL.T, C], ids=["tall", "wide", "complex"])
def test_qr_multiply(a):
    q = linalg.qr(a, mode="economic")[0]
    left, right = matrix(q.shape[1], 2), matrix(2, q.shape[0])
    same(linalg.qr_multiply(a, right)[0], right @ np.asarray(q))
    same(linalg.qr_multiply(a, left, mode="left")[0], np.asarray(q) @ left)
    same(linalg.qr_multiply(a, right[0])[0], right[0] @ np.asarray(q))
    same(linalg.qr_multiply(a, right, conjugate=True)[0], right @ np.conj(q))


def test_factors_that_are_not_unique():
    for a in (A, C):
        t, z = linalg.schur(a)
        same(z @ t @ adjoint(z), a)
        t, z = linalg.rsf2csf(t, z)
        same(jnp.tril(t, -1), np.zeros((4, 4)))
        same(z @ t @ adjoint(z), a)
        same(z @ adjoint(z), np.eye(4))
        t, z = linalg.schur(a, output="complex")
        same(jnp.tril(t, -1), np.zeros((4, 4)))
        same(z @ t @ adjoint(z), a)
        h, q = linalg.hessenberg(a, calc_q=True)
        same(q @ h @ adjoint(q), a)
        same(jnp.tril(h, -2), np.zeros((4, 4)))
    values, vectors = linalg.eigh(S, SC.real)
    same(S @ vectors, SC.real @ vectors * values)
    same(vectors.T @ SC.real @ vectors, np.eye(4))
    values, vectors = linalg.eigh_tridiagonal(A[0], A[1, :3])
    same(np.diag(A[0]) + np.diag(A[1, :3], 1) + np.diag(A[1, :3], -1), vectors * values @ vectors.T)
    u, s, vh = linalg.svd(TALL, full_matrices=False)
    same(u * s @ vh, TALL)


@pytest.mark.parametrize("method", ["qdwh", "svd"])
def test_polar(method):
    for a, side in ((TALL, "right"), (TALL.T, "left"), (C, "right"), (C, "left")):
        u, p = linalg.polar(a, side, method=method)
        same(u @ p if side == "right" else p @ u, a)
        same((u, p), reference.polar(a, side))


def test_solving_with_factors():
    for a in (A, C):
        factors = linalg.lu_factor(a)
        for trans, op in ((0, a), (1, a.T), (2, a.conj().T)):
            same(linalg.lu_solve(factors, B, trans), np.linalg.solve(op, B))
            same(linalg.lu_solve(factors, B[:, 0], trans), np.linalg.solve(op, B[:, 0]))
    for lower in (False, True):
        same(linalg.cho_solve(linalg.cho_factor(SC, lower), B), np.linalg.solve(SC, B))
        same(linalg.cho_solve(linalg.cho_factor(SC, lower), B[:, 0]), np.linalg.solve(SC, B[:, 0]))


def test_stacks_of_matrices():
    stack, right = np.stack([S, S + 1]), np.stack([B, B + 1])
    for name in ("cholesky", "expm", "inv", "det", "sqrtm", "hessenberg"):
        f = getattr(linalg, name)
        same(f(stack), np.stack([f(S), f(S + 1)]))
    for part, one, other in zip(
        linalg.schur(stack), linalg.schur(S), linalg.schur(S + 1), strict=True
    ):
        same(part, np.stack([one, other]))
    same(linalg.cho_solve(linalg.cho_factor(stack), right), np.linalg.solve(stack, right))
    same(linalg.lu_solve(linalg.lu_factor(stack), right), np.linalg.solve(stack, right))
    same(linalg.solve_triangular(stack, right), np.linalg.solve(np.triu(stack), right))
    same(linalg.solve(stack, right), np.linalg.solve(stack, right))
    same(linalg.toeplitz(B.T), np.stack([reference.toeplitz(b) for b in B.T]))
    same(linalg.companion(1 + B.T**2), np.stack([reference.companion(b) for b in 1 + B.T**2]))


SMOOTH = [
    (lambda a: linalg.expm(a / 2), (A,)),
    (lambda a, e: linalg.expm_frechet(a, e, compute_expm=False), (A / 2, S / 4)),
    (lambda a: linalg.sqrtm(a @ a.T + 4 * jnp.eye(4)).real, (A,)),
    (lambda a, b, c: linalg.solve_sylvester(a @ a.T, b @ b.T + jnp.eye(4), c), (A, S / 5, A)),
    (lambda a: linalg.funm(a @ a.T + 4 * jnp.eye(4), jnp.log).real, (A,)),
    (lambda a, b: linalg.solve(a @ a.T + jnp.eye(4), b, assume_a="pos"), (A, B)),
    (lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b), (A + 3 * np.eye(4), B)),
    (lambda a: linalg.polar(a)[1], (TALL,)),
    (lambda a, b: linalg.eigh(a @ a.T, b @ b.T + jnp.eye(4), eigvals_only=True), (A, S / 5)),
    (lambda a: jnp.abs(linalg.qr_multiply(a, jnp.ones(5))[0]), (TALL,)),
    (lambda c, r: linalg.toeplitz(c, r), (A[0], B[:, 0])),
    (lambda a: linalg.fiedler_companion(a), (np.arange(1.0, 7.0),)),
    (lambda d, e: linalg.eigh_tridiagonal(d, e, eigvals_only=True), (A[0], A[1, :3])),
]


@pytest.mark.parametrize(("f", "args"), SMOOTH)
def test_derivatives(f, args):
    check_grads(f, args, order=2, atol=1e-4, rtol=1e-4)


def test_matrix_functions_agree_with_each_other():
    same(linalg.sqrtm(S) @ linalg.sqrtm(S), S)
    same(linalg.funm(S, jnp.sqrt), linalg.sqrtm(S))
    moved, error = linalg.funm(S, jnp.exp, disp=False)
    assert moved.shape == (4, 4) and 0 < error < 1e-10
    direction = adlib.jvp(linalg.expm, (A,), (S,))[1]
    same(direction, linalg.expm_frechet(A, S, compute_expm=False))
    same(adlib.jit(linalg.expm)(A), linalg.expm(A))
    assert np.isnan(np.asarray(linalg.expm(A * np.nan))).all()


ERRORS = [
    (lambda: linalg.hadamard(3), "a power of two"),
    (lambda: linalg.qr(A, mode="raw"), "'full', 'economic' or 'r'; it was given 'raw'"),
    (lambda: linalg.qr_multiply(A, A, mode="up"), "it was given 'up'"),
    (lambda: linalg.solve(A, B, assume_a="tri"), "it was given 'tri'"),
    (lambda: linalg.solve_triangular(A, B, trans=3), "it was given 3"),
    (lambda: linalg.lu_solve(linalg.lu_factor(A), B, trans=3), "it was given 3"),
    (lambda: linalg.lu_solve(linalg.lu_factor(TALL), B), "factors of square matrices"),
    (lambda: linalg.solve_sylvester(A, A, B), "A of shape"),
    (lambda: linalg.expm(TALL), "must be a square matrix"),
    (lambda: linalg.expm_frechet(A, B), "one shape and dtype"),
    (lambda: linalg.polar(TALL, side="up"), "it was given 'up'"),
    (lambda: linalg.polar(TALL.T), "method='svd', or the other side"),
    (lambda: linalg.polar(TALL, method="newton"), "it was given 'newton'"),
    (lambda: linalg.schur(A, output="c"), "it was given 'c'"),
    (lambda: linalg.eigh(A, type=2), "type=1 only"),
    (lambda: linalg.eigh_tridiagonal(A[0], A[0]), r"\(n - 1,\) beside it"),
    (lambda: linalg.eigh_tridiagonal(A[0], A[0, :3], select="v"), "compute all, and mask"),
    (lambda: linalg.eigh_tridiagonal(A[0], A[0, :3], select="i", select_range=(2, 9)), "within 0"),
    (lambda: linalg.block_diag(np.ones((1, 1, 1))), "argument 0 has shape"),
    (lambda: linalg.companion(np.ones(1)), "vectors of 2 elements"),
    (lambda: linalg.leslie(A[0], A[0]), "one survival fewer"),
    (lambda: linalg.convolution_matrix(A[0], 0), "n of 1 or more"),
    (lambda: linalg.convolution_matrix(A[0], 3, "circular"), "it was given 'circular'"),
    (lambda: linalg.dft(3, "m"), "it was given 'm'"),
    (lambda: linalg.pascal(3, "left"), "it was given 'left'"),
    (lambda: linalg.hilbert(-1), "a size of 0 or more"),
    (lambda: linalg.funm(TALL, jnp.exp), "a square matrix"),
]


@pytest.mark.parametrize(("call", "message"), ERRORS)
def test_errors(call, message):
    with pytest.raises((ValueError, NotImplementedError), match=message):
        call()
