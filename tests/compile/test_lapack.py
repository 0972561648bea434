"""Linear algebra as native steps: equal to the kernels, on any matrices, wherever it stands."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.base.config import enable_x64
from adlib.compile import blas, fortran
from adlib.compile.program import Compiled
from adlib.core.primitive import registry
from adlib.core.program import program
from adlib.interpreters.stage import stage
from tests.compile.test_every_primitive import same
from tests.ops.harness import Case
from tests.ops.test_registry import SAMPLES, samples_of

LINEAR_ALGEBRA = frozenset(
    "cholesky cholesky_update cofactors det eig eigh expm expm_frechet geqrf hessenberg "
    "householder_product lu lu_pivots_to_permutation lu_solve ormqr pinv qdwh qr schur slogdet "
    "solve_sylvester sqrtm sqrtm_frechet svd triangular_solve tridiagonal tridiagonal_solve".split()
)
DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
SHAPES = [(1, 1), (3, 3), (3, 5), (5, 3), (2, 3, 4, 4), (19, 19), (0, 0), (2, 0, 3, 3), (0, 3)]
SQUARE = [s for s in SHAPES if s[-1] == s[-2]]


@pytest.fixture(autouse=True)
def _wide():
    with enable_x64(True):
        yield


def random(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def positive(shape, dtype):
    x = random(shape, dtype)
    return (x @ x.conj().swapaxes(-1, -2) + shape[-1] * np.eye(shape[-1])).astype(dtype)


def apply(name, *args, **params):
    out = registry[name].bind(*args, **params)
    return tuple(out) if isinstance(out, (list, tuple)) else (out,)


def compiled_and_reference(f, *args, native=True):
    closed = adlib.make_jaxpr(f)(*args)
    compiled = Compiled(closed)
    if native:
        assert compiled.schedule.native, compiled.source
    values = [np.asarray(a) for a in args]
    with np.errstate(all="ignore"):
        return compiled.function(*values), program(closed, np)(*values), compiled


def agree(f, *args, factor=20.0, native=True):
    given, wanted, compiled = compiled_and_reference(f, *args, native=native)
    same(given, wanted, factor=factor)
    again = compiled.function(*[np.asarray(a) for a in args])
    assert all(x.tobytes() == y.tobytes() for x, y in zip(given, again, strict=True))


# ------------------------------------------------------------------------ direct


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_lu_and_qr(shape, dtype):
    def f(x):
        outs = [*apply("geqrf", x)]
        for pivoting, full in itertools.product((False, True), repeat=2):
            outs += apply("qr", x, pivoting=pivoting, full_matrices=full)
        return (*outs, *apply("lu", x))

    empty_but_not_its_factors = 0 in shape[-2:]
    agree(f, random(shape, dtype), factor=100, native=not empty_but_not_its_factors)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SQUARE)
def test_cholesky(shape, dtype):
    agree(partial(apply, "cholesky"), positive(shape, dtype))


@pytest.mark.parametrize("dtype", DTYPES[:2])
@pytest.mark.parametrize("shape", SQUARE)
def test_updates_of_cholesky(shape, dtype):
    def f(r, w):  # the kernel leaves rounding errors below the diagonal
        return [jnp.triu(apply("cholesky_update", r, w)[0])]

    w = random(shape[:-1], dtype, 1)
    agree(f, random(shape, dtype), w, factor=100)
    agree(f, np.zeros(shape, dtype), 0 * w)
    if w.size:
        out = adlib.jit(partial(apply, "cholesky_update"))(np.ones(shape, dtype), np.nan * w)
        assert np.array_equal(np.isnan(np.triu(out[0])), np.triu(np.ones(shape)).astype(bool))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 3])
def test_triangular_systems(columns, dtype):
    """All combinations of the flags."""
    n = 5
    a = (0.3 * random((2, n, n), dtype) + 3 * np.eye(n)).astype(dtype)

    def f(a, left, right):
        outs = []
        for side, lower, trans, conj, unit in itertools.product((False, True), repeat=5):
            flags = dict(transpose_a=trans, conjugate_a=conj, unit_diagonal=unit, lower=lower)
            b = left if side else right
            outs += apply("triangular_solve", a, b, left_side=side, **flags)
        return outs

    agree(f, a, random((2, n, columns), dtype, 1), random((2, columns, n), dtype, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 4])
def test_systems_by_lu(columns, dtype):
    a = (random((3, 6, 6), dtype) + 2 * np.eye(6)).astype(dtype)

    def f(a, b):
        factors, pivots, _ = apply("lu", a)
        return [apply("lu_solve", a, factors, pivots, b, trans=t)[0] for t in (0, 1, 2)]

    agree(f, a, random((3, 6, columns), dtype, 1), factor=200)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_exchanges_to_permutations(dtype):
    pivots = np.array([[2, 2, 3], [0, 1, 2]], dtype)
    agree(partial(apply, "lu_pivots_to_permutation", permutation_size=5), pivots)


def test_exchanges_beyond_the_matrix_do_no_harm():
    f = adlib.jit(lambda p: lax.linalg.lu_pivots_to_permutation(p, 4))
    assert set(np.asarray(f(np.array([100, -7, 2], np.int32))).tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_of_reflections(dtype):
    def f(a, taus, left, right):
        outs = [*apply("householder_product", a, taus)]
        for transpose in (False, True):
            outs += apply("ormqr", a, taus, left, left=True, transpose=transpose)
            outs += apply("ormqr", a, taus, right, left=False, transpose=transpose)
        return outs

    shapes = [(2, 5, 3), (2, 2), (2, 5, 4), (2, 4, 5)]
    agree(f, *[random(s, dtype, i) / 3 for i, s in enumerate(shapes)], factor=100)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n, columns", [(2, 1), (5, 3)])
def test_tridiagonal_systems(n, columns, dtype):
    below, middle, above = random((3, 2, n), dtype)
    b = random((2, n, columns), dtype, 1)
    f = partial(apply, "tridiagonal_solve", perturb_singular=False)
    agree(f, below, (middle + 4).astype(dtype), above, b)
    given, _, _ = compiled_and_reference(f, below, 0 * middle, 0 * above, b)
    assert np.isnan(given[0]).all()


# ---------------------------------------------------------------------- spectral


def _spectral(x):
    outs = []
    for full, vectors in itertools.product((False, True), repeat=2):
        params = dict(full_matrices=full, compute_uv=vectors, subset_by_index=None)
        outs += apply("svd", x, **params)
    return outs


def _of_square(x):
    hermitian = (x + x.conj().mT) / 2
    outs = [*apply("hessenberg", x)]
    for lower in (False, True):
        outs += apply("eigh", hermitian, lower=lower, sort_eigenvalues=True, subset_by_index=None)
        outs += apply("tridiagonal", hermitian, lower=lower)
    for vectors in (False, True):
        params = dict(sort_eig_vals=False, select_callable=None)
        outs += apply("schur", x, compute_schur_vectors=vectors, **params)
    return outs


def _eig(x, wanted=((False, False), (False, True), (True, False), (True, True))):
    outs = []
    for left, right in wanted:
        outs += apply(
            "eig", x, compute_left_eigenvectors=left, compute_right_eigenvectors=right,
            enable_eigvec_derivs=False,
        )  # fmt: skip
    return outs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [s for s in SHAPES if s != (0, 3)])
def test_singular_values(shape, dtype):
    agree(_spectral, random(shape, dtype), factor=100)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 4, 4), (9, 9), (2, 0, 3, 3)])
def test_condensed_forms(shape, dtype):
    agree(_of_square, random(shape, dtype), factor=300)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 5), (2, 0, 3, 3)])
def test_eigenvalues(shape, dtype):
    x = random(shape, dtype)
    if np.dtype(dtype) in (np.float64, np.complex128):
        agree(_eig, x, factor=1e3)
        return
    agree(partial(_eig, wanted=((False, False), (False, True))), x, factor=100)
    values, left = adlib.jit(partial(_eig, wanted=((True, False),)))(x)
    residual = np.asarray(left).conj().swapaxes(-1, -2) @ x
    residual -= np.asarray(values)[..., None] * np.asarray(left).conj().swapaxes(-1, -2)
    assert np.abs(residual).max(initial=0) < 1e-5


@pytest.mark.parametrize("subset", [(0, 1), (1, 3), (2, 4)])
def test_parts_of_spectra(subset):
    x = random((2, 4, 4), np.float64)
    sym = x + x.swapaxes(-1, -2)
    agree(
        lambda x: apply("eigh", x, lower=True, sort_eigenvalues=True, subset_by_index=subset), sym
    )
    for vectors in (False, True):
        params = dict(full_matrices=False, compute_uv=vectors, subset_by_index=subset)
        agree(partial(apply, "svd", **params), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_matrices_are_put_together_again(dtype):
    """Single precision computes in itself here, the copies by columns go in strips."""
    n = 61
    x = random((n, n), dtype)
    sym = (x + x.conj().T).astype(dtype)
    eps = 2e3 * np.finfo(dtype).eps
    vectors, values = adlib.jit(lax.linalg.eigh)(sym)
    assert vectors.dtype == dtype
    np.testing.assert_allclose(sym @ vectors, vectors * values, atol=eps * 10)
    u, s, vh = adlib.jit(partial(lax.linalg.svd, full_matrices=False))(x[:, :50])
    np.testing.assert_allclose((u * s) @ vh, x[:, :50], atol=eps * 10)
    w, right = adlib.jit(partial(lax.linalg.eig, compute_left_eigenvectors=False))(x)
    np.testing.assert_allclose(x @ np.asarray(right), right * np.asarray(w), atol=eps * 20)
    form, basis = adlib.jit(lax.linalg.schur)(x)
    basis = np.asarray(basis)
    np.testing.assert_allclose(basis @ np.asarray(form) @ basis.conj().T, x, atol=eps * 20)
    factors, _, order = map(np.asarray, adlib.jit(lax.linalg.lu)(x))
    product = (np.tril(factors, -1) + np.eye(n)) @ np.triu(factors)
    np.testing.assert_allclose(product, x[order], atol=eps * 10)


@pytest.mark.parametrize(
    "primitive, sample",
    [p for p in SAMPLES if p.values[0].name in LINEAR_ALGEBRA],
)
def test_every_sample_is_native(primitive, sample):
    case = Case(primitive, samples_of(primitive)[sample])
    compiled = Compiled(stage(case, [a.aval for a in case.args]))
    assert compiled.schedule.native, compiled.source


# ------------------------------------------------------------- degenerate matrices


def _spoiled(dtype):
    x = np.stack([positive((4, 4), dtype)] * 5)
    x[0, 2, 1] = x[0, 1, 2] = np.nan
    x[1, 3, 3] = np.inf
    x[2] = 0
    x[3] = 1
    x[3, 0, 0] = -1
    return x


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinities_come_to_an_end(dtype):
    """No routine hangs on them, and the matrices beside them are computed as ever."""
    x = _spoiled(dtype)
    agree(partial(apply, "cholesky"), x)
    given, wanted, _ = compiled_and_reference(
        lambda x: [*_spectral(x), *_of_square(x), *_eig(x)], x
    )
    for g, w in zip(given, wanted, strict=True):
        assert np.array_equal(np.isnan(g[:2]).any(), np.isnan(w[:2]).any())
        eps = np.finfo(dtype).eps  # signs of vectors may be those of another precision
        np.testing.assert_allclose(np.abs(g[4]), np.abs(w[4]), atol=1e3 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_positive_definite_is_nan_in_its_triangle(dtype):
    x = np.stack([np.eye(3, dtype=dtype), -np.eye(3, dtype=dtype)])
    out = np.asarray(adlib.jit(partial(lax.linalg.cholesky, symmetrize_input=False))(x))
    assert np.array_equal(out[0], np.eye(3))
    assert np.array_equal(np.isnan(out[1]), np.tri(3).astype(bool))
    assert (out[1][~np.tri(3).astype(bool)] == 0).all()


def test_singular_systems_divide_by_zero():
    a = np.zeros((2, 2))
    out = np.asarray(adlib.jit(jnp.linalg.solve)(a, np.ones(2)))
    assert not np.isfinite(out).any()


# ------------------------------------------------------------------ wherever it stands


def test_operands_are_left_as_they_are():
    x = random((6, 6), np.float64)
    before = x.copy()
    b = random((6, 1), np.float64)
    sides = b.copy()
    adlib.jit(lambda x, b: (jnp.linalg.qr(x), jnp.linalg.solve(x, b), apply("geqrf", x)))(x, b)
    assert np.array_equal(x, before) and np.array_equal(b, sides)


def test_operands_may_be_views():
    x = random((3, 4, 8), np.float64)

    def f(x):
        return jnp.linalg.qr(x[1:, :, ::2].mT)[1], jnp.linalg.svd(x[0].T, compute_uv=False)

    agree(f, x)


def _precision(k):
    return jnp.log(jnp.diag(jnp.linalg.cholesky(k))).sum() + jnp.linalg.solve(k, k[0]).sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_are_native(dtype):
    agree(adlib.grad(_precision), positive((5, 5), dtype), factor=100)


def test_complex_gradients_are_native():
    def f(x):
        return jnp.abs(jnp.linalg.cholesky(x)).sum()

    agree(adlib.grad(f), positive((4, 4), np.complex128), factor=100)


def test_derivatives_of_spectra_are_native():
    x = random((4, 4), np.float64)

    def f(x):
        values, vectors = jnp.linalg.eigh(x + x.T)
        singular = jnp.linalg.svd(x, compute_uv=False)
        return jnp.sum(values**3) + jnp.sum(vectors[0] ** 2 * values) + singular.prod()

    agree(adlib.grad(f), x, factor=1e3)


def test_batches_are_native():
    agree(adlib.vmap(adlib.grad(_precision)), positive((7, 3, 3), np.float64), factor=100)
    agree(adlib.vmap(jnp.linalg.cholesky), np.zeros((0, 3, 3)))


def test_loops_are_native():
    def kalman(state, noise):
        """One round of a filter: a system solved in each."""
        mean, cover = state
        gain = jnp.linalg.solve(cover + noise * jnp.eye(3), cover)
        cover = cover - cover @ gain
        mean = gain @ mean + noise
        return (mean, cover), jnp.linalg.cholesky(cover + jnp.eye(3))

    def scanned(cover, noises):
        return lax.scan(kalman, (jnp.ones(3), cover), noises)

    def iterated(x):
        def step(x):
            return lax.linalg.qr(x)[1] @ lax.linalg.qr(x)[0]

        return lax.while_loop(lambda x: jnp.abs(x[1, 0]) > 1e-3, step, x)

    agree(scanned, positive((3, 3), np.float64), np.linspace(0.1, 1, 6))
    agree(iterated, np.array([[2.0, 1.0], [1.0, 5.0]]))
    agree(
        lambda p, x: lax.cond(p, jnp.linalg.inv, lambda x: x, x),
        np.array(True),
        positive((3, 3), float),
    )


# ------------------------------------------------------------------------ libraries


def test_without_numpys_library_scipys_is_taken(monkeypatch):
    caches = (blas.routine, blas.exists, fortran.workspace)
    try:
        monkeypatch.setattr(blas, "_numpys", lambda name: None)
        for cached in caches:
            cached.cache_clear()
        assert blas.routine("dpotrf").bits == 32
        x = positive((2, 4, 4), np.float64)

        def f(x):
            outs = [*apply("cholesky", x), *apply("lu", x), *_spectral(x), *_eig(x)]
            return [*outs, *apply("qr", x, pivoting=True, full_matrices=True)]

        given, wanted, _ = compiled_and_reference(f, x)
        same([np.abs(g) for g in given], [np.abs(w) for w in wanted], factor=100)
    finally:
        monkeypatch.undo()
        for cached in caches:
            cached.cache_clear()


def test_a_missing_routine_leaves_the_kernel(monkeypatch):
    monkeypatch.setattr(blas, "exists", lambda name: False)
    agree(partial(apply, "cholesky"), positive((3, 3), np.float64), native=False)


def test_workspaces_are_asked_for():
    arguments = [50, 40, None, 50, None, "work", -1, None]
    assert fortran.workspace("dgeqrf", np.dtype(np.float64), *arguments) >= 40
