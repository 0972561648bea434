"""``lax.linalg``: factorizations rebuild their input, derivatives, failures, error texts."""

import numpy as np
import pytest
import scipy.linalg

import adlib
import adlib.numpy as jnp
from adlib.lax import linalg
from tests.support import assert_close, check_derivatives, numerical_jvp


@pytest.fixture
def x64():
    with adlib.enable_x64():
        yield


def matrices(*shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


def definite(*shape, dtype="float64"):
    x = matrices(*shape, dtype=dtype)
    return x @ x.conj().swapaxes(-1, -2) + np.eye(shape[-1], dtype=dtype)


def adjoint(x):
    return np.asarray(x).conj().swapaxes(-1, -2)


STACKS = pytest.mark.parametrize("lead", [(), (2,), (2, 0), (2, 3)])
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])


def tolerance(dtype):
    return (
        dict(rtol=1e-4, atol=1e-4)
        if dtype in ("float32", "complex64")
        else dict(rtol=1e-10, atol=1e-10)
    )


# ------------------------------------------------- factorizations, multiplied out


@STACKS
@DTYPES
def test_cholesky(lead, dtype, x64):
    a = definite(*lead, 4, 4, dtype=dtype)
    factor = linalg.cholesky(a)
    assert factor.dtype == dtype
    np.testing.assert_allclose(np.asarray(factor) @ adjoint(factor), a, **tolerance(dtype))
    np.testing.assert_array_equal(factor, np.tril(factor))


@STACKS
@DTYPES
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (1, 1)])
def test_lu(lead, dtype, shape, x64):
    a = matrices(*lead, *shape, dtype=dtype)
    packed, pivots, permutation = (np.asarray(o) for o in linalg.lu(a))
    k = min(shape)
    left = np.tril(packed, -1)[..., :k] + np.eye(shape[0], k)
    right = np.triu(packed)[..., :k, :]
    rows = np.take_along_axis(a, permutation[..., None], -2)
    np.testing.assert_allclose(left @ right, rows, **tolerance(dtype))
    assert pivots.dtype == permutation.dtype == np.int32 and pivots.shape == (*lead, k)
    again = linalg.lu_pivots_to_permutation(pivots, shape[0])
    np.testing.assert_array_equal(again, permutation)


def test_many_small_matrices_agree_with_one_by_one(x64):
    for dtype in ("float64", "complex128"):
        a, b = matrices(100, 3, 3, dtype=dtype), matrices(100, 3, 2, dtype=dtype)
        a[7] = 0
        a[8, :, 1] = 0
        for x, y in zip(linalg.lu(a), zip(*[linalg.lu(m) for m in a], strict=True), strict=False):
            np.testing.assert_allclose(x, np.stack(y), atol=1e-12)
        a[7], a[8] = np.eye(3), 2 * np.eye(3)
        from adlib.ops.linalg.lu import solve

        for trans, op in enumerate((a, a.swapaxes(1, 2), adjoint(a))):
            got = solve(jnp.asarray(a), jnp.asarray(b), trans)
            np.testing.assert_allclose(got, np.linalg.solve(op, b), atol=1e-10)


@STACKS
@DTYPES
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
@pytest.mark.parametrize("full", [True, False])
def test_qr_and_svd(lead, dtype, shape, full, x64):
    a = matrices(*lead, *shape, dtype=dtype)
    q, r = (np.asarray(o) for o in linalg.qr(a, full_matrices=full))
    np.testing.assert_allclose(q @ r, a, **tolerance(dtype))
    np.testing.assert_array_equal(r, np.triu(r))
    assert q.shape[-1] == (shape[0] if full else min(shape))
    u, s, vh = (np.asarray(o) for o in linalg.svd(a, full_matrices=full))
    k = min(shape)
    product = (u[..., :k] * s[..., None, :]) @ vh[..., :k, :]
    np.testing.assert_allclose(product, a, **tolerance(dtype))
    assert s.dtype == a.real.dtype and u.dtype == dtype
    eye = np.broadcast_to(np.eye(u.shape[-1]), (*lead, *u.shape[-1:] * 2))
    np.testing.assert_allclose(adjoint(u) @ u, eye, **tolerance(dtype))
    np.testing.assert_allclose(linalg.svd(a, compute_uv=False), s, **tolerance(dtype))


def test_pivoted_qr(x64):
    a = matrices(2, 4, 3)
    q, r, order = (np.asarray(o) for o in linalg.qr(a, pivoting=True, full_matrices=False))
    np.testing.assert_allclose(q @ r, np.take_along_axis(a, order[:, None, :], -1), atol=1e-12)
    sizes = np.abs(np.diagonal(r, axis1=-2, axis2=-1))
    assert np.all(np.diff(sizes) <= 0)


@STACKS
@DTYPES
@pytest.mark.parametrize("lower", [True, False])
def test_eigh(lead, dtype, lower, x64):
    a = matrices(*lead, 4, 4, dtype=dtype)
    a = a + adjoint(a)
    v, w = (np.asarray(o) for o in linalg.eigh(a, lower=lower))
    np.testing.assert_allclose(a @ v, v * w[..., None, :], **tolerance(dtype))
    assert np.all(np.diff(w) >= 0) and w.dtype == a.real.dtype
    half = np.tril(a) if lower else np.triu(a)
    v2, w2 = linalg.eigh(half, lower=lower, symmetrize_input=False)
    np.testing.assert_allclose(w2, w, **tolerance(dtype))


def test_parts_of_the_spectrum(x64):
    a = definite(5, 5)
    v, w = linalg.eigh(a, subset_by_index=(1, 3))
    np.testing.assert_allclose(w, np.linalg.eigvalsh(a)[1:3])
    assert v.shape == (5, 2)
    s = linalg.svd(a, subset_by_index=(0, 2), compute_uv=False, full_matrices=False)
    np.testing.assert_allclose(s, np.linalg.svd(a, compute_uv=False)[:2])
    with pytest.raises(ValueError, match=r"subset_by_index \(3, 9\) is no range within the 5"):
        linalg.eigh(a, subset_by_index=(3, 9))
    with pytest.raises(NotImplementedError, match="compute all and take a slice"):
        adlib.jvp(lambda a: linalg.eigh(a, subset_by_index=(0, 2)), (a,), (a,))


@STACKS
@DTYPES
def test_eig(lead, dtype, x64):
    a = matrices(*lead, 3, 3, dtype=dtype)
    w, left, right = (np.asarray(o) for o in linalg.eig(a))
    np.testing.assert_allclose(a @ right, right * w[..., None, :], **tolerance(dtype))
    np.testing.assert_allclose(adjoint(left) @ a, w[..., None] * adjoint(left), **tolerance(dtype))
    assert w.dtype.kind == left.dtype.kind == right.dtype.kind == "c"


@DTYPES
def test_schur_hessenberg_tridiagonal(dtype, x64):
    a = matrices(2, 4, 4, dtype=dtype)
    t, q = (np.asarray(o) for o in linalg.schur(a))
    np.testing.assert_allclose(q @ t @ adjoint(q), a, **tolerance(dtype))
    packed, taus = linalg.hessenberg(a)
    h = np.triu(packed, -1)
    reflections = np.zeros_like(a)
    reflections[:, 1:, 1:] = np.asarray(
        linalg.householder_product(np.asarray(packed)[:, 1:, :-1], taus)
    )
    reflections[:, 0, 0] = 1
    np.testing.assert_allclose(reflections @ h @ adjoint(reflections), a, **tolerance(dtype))
    hermitian = a + adjoint(a)
    _, diagonal, beside, _ = linalg.tridiagonal(hermitian)
    for d, e, m in zip(diagonal, beside, hermitian, strict=True):
        values = scipy.linalg.eigvalsh_tridiagonal(np.asarray(d), np.asarray(e))
        np.testing.assert_allclose(values, np.linalg.eigvalsh(m), **tolerance(dtype))
    assert diagonal.dtype == a.real.dtype


@DTYPES
def test_products_of_reflections(dtype, x64):
    from adlib.ops.linalg.qr import geqrf

    a = matrices(2, 4, 3, dtype=dtype)
    packed, taus = geqrf(a)
    q = np.asarray(linalg.householder_product(packed, taus))
    np.testing.assert_allclose(q @ np.triu(packed)[:, :3], a, **tolerance(dtype))
    c = matrices(2, 4, 2, dtype=dtype, seed=1)
    full = np.asarray(
        linalg.ormqr(packed, taus, np.broadcast_to(np.eye(4, dtype=dtype), (2, 4, 4)))
    )
    np.testing.assert_allclose(full[..., :3], q, **tolerance(dtype))
    for left, transpose in ((True, True), (True, False), (False, True), (False, False)):
        b = c if left else adjoint(c)
        op = adjoint(full) if transpose else full
        want = op @ b if left else b @ op
        got = linalg.ormqr(packed, taus, b, left=left, transpose=transpose)
        np.testing.assert_allclose(got, want, **tolerance(dtype))


@DTYPES
def test_polar_decomposition(dtype, x64):
    a = matrices(4, 3, dtype=dtype)
    u, h, steps, converged = linalg.qdwh(a)
    want_u, want_h = scipy.linalg.polar(a)
    np.testing.assert_allclose(u, want_u, **tolerance(dtype))
    np.testing.assert_allclose(h, want_h, **tolerance(dtype))
    assert bool(converged) and int(steps) <= 7
    with pytest.raises(ValueError, match="at least as many rows as columns"):
        linalg.qdwh(a.T)


def test_small_solvers(x64):
    dl, d, du = matrices(3, 2, 4)
    b = matrices(2, 4, 3)
    x = linalg.tridiagonal_solve(dl, d + 5, du, b)
    for i in range(2):
        a = np.diag(d[i] + 5) + np.diag(dl[i][1:], -1) + np.diag(du[i][:-1], 1)
        np.testing.assert_allclose(a @ np.asarray(x[i]), b[i], atol=1e-12)
    r, w = np.linalg.cholesky(definite(3, 3)).T, matrices(3)
    new = np.asarray(linalg.cholesky_update(r, w))
    np.testing.assert_allclose(new.T @ new, r.T @ r + np.outer(w, w))
    a, c = matrices(3, 2), definite(3, 3)
    got = linalg.symmetric_product(a, c, alpha=2.0, beta=0.5)
    np.testing.assert_allclose(got, 2 * a @ a.T + 0.5 * c)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("conjugate, transpose", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular_solve(left, lower, conjugate, transpose, unit, x64):
    a = matrices(2, 3, 3, dtype="complex128") + 2 * np.eye(3)
    b = matrices(2, 3, 4, dtype="complex128", seed=1)
    b = b if left else b.swapaxes(1, 2)
    x = np.asarray(
        linalg.triangular_solve(
            a,
            b,
            left_side=left,
            lower=lower,
            transpose_a=bool(transpose),
            conjugate_a=bool(conjugate),
            unit_diagonal=unit,
        )
    )
    op = np.tril(a) if lower else np.triu(a)
    if unit:
        op = op - op * np.eye(3) + np.eye(3)
    op = op.conj() if conjugate else op
    op = op.swapaxes(1, 2) if transpose else op
    np.testing.assert_allclose(op @ x if left else x @ op, b, atol=1e-10)


# ------------------------------------------------------------------ derivatives


SQUARE = matrices(3, 3) + 3 * np.eye(3)


@pytest.mark.parametrize(
    "f, a",
    [
        (linalg.cholesky, definite(3, 3)),
        (lambda a: linalg.cholesky(a, symmetrize_input=False), definite(2, 2)),
        (lambda a: linalg.lu(a)[0], matrices(3, 3)),
        (lambda a: linalg.qr(a, full_matrices=False), matrices(4, 2)),
        (lambda a: linalg.qr(a), matrices(2, 4)),
        (lambda a: linalg.qr(a)[1], matrices(4, 2)),
        (lambda a: linalg.qr(a)[0][:, :2], matrices(4, 2)),
        (lambda a: linalg.qr(a, pivoting=True)[:2], matrices(3, 3)),
        (lambda a: linalg.svd(a, full_matrices=False), matrices(3, 2)),
        (lambda a: linalg.svd(a), matrices(2, 2)),
        (lambda a: linalg.svd(a, compute_uv=False), matrices(2, 3)),
        (linalg.eigh, definite(3, 3)),
        (lambda a: linalg.eigh(a, lower=False, symmetrize_input=False), definite(2, 2)),
        (lambda a: linalg.qdwh(a)[:2], matrices(3, 2)),
    ],
)
def test_derivatives_in_both_modes(f, a, x64):
    check_derivatives(f, (jnp.asarray(a),), rtol=1e-4, atol=1e-5)


# What does not depend on the phases of complex vectors has a derivative that differences see.
@pytest.mark.parametrize(
    "f, shape",
    [
        (lambda a: [jnp.abs(v) ** 2 for v in linalg.svd(a, full_matrices=False)], (3, 2)),
        (lambda a: [jnp.abs(v) ** 2 for v in linalg.svd(a, full_matrices=False)], (2, 3)),
        (lambda a: [jnp.abs(v) ** 2 for v in linalg.eigh(a)], (3, 3)),
        (lambda a: linalg.eigh(a)[0][0] * jnp.conj(linalg.eigh(a)[0][1]), (2, 2)),
        (lambda a: _rank_one(*linalg.svd(a, full_matrices=False)), (3, 2)),
        (lambda a: linalg.qr(a, full_matrices=False), (3, 2)),
        (lambda a: linalg.qr(a), (3, 3)),
        (lambda a: linalg.lu(a)[0], (2, 3)),
        (lambda a: linalg.cholesky(a @ jnp.conj(a).T + 2 * jnp.eye(3)), (3, 3)),
        (
            lambda a: linalg.eig(a, compute_left_eigenvectors=False, enable_eigvec_derivs=True),
            (3, 3),
        ),
    ],
)
def test_complex_derivatives(f, shape, x64):
    a, t = matrices(*shape, dtype="complex128"), matrices(*shape, dtype="complex128", seed=1)
    f_flat = lambda a: tuple(adlib.tree_util.tree_leaves(f(a)))  # noqa: E731
    out, tangents = adlib.jvp(f_flat, (jnp.asarray(a),), (jnp.asarray(t),))
    assert_close(tangents, numerical_jvp(f_flat, (jnp.asarray(a),), (t,)), rtol=1e-5, atol=1e-6)
    cts = tuple(jnp.asarray(matrices(*o.shape, dtype=o.dtype, seed=2)) for o in out)
    (ct,) = adlib.vjp(f_flat, jnp.asarray(a))[1](cts)
    left = sum(
        np.sum(np.asarray(c) * np.asarray(t)).real for c, t in zip(cts, tangents, strict=True)
    )
    np.testing.assert_allclose(np.sum(np.asarray(ct) * t).real, left, rtol=1e-8)


def _rank_one(u, s, vh):
    return jnp.outer(u[:, 0], vh[0])


def test_gradient_of_a_complex_cholesky_factor():
    a = jnp.array([[5.0, 2.0 + 3j, 5j], [2.0 - 3j, 7.0, 1.0 + 7j], [-5j, 1.0 - 7j, 12.0]])

    def f(x):
        factor = linalg.cholesky(x)
        return jnp.sum((factor - jnp.sin(factor)) ** 2)

    np.testing.assert_allclose(
        adlib.grad(f, holomorphic=True)(a),
        [
            [-0.7534186, -3.0509028 - 10.940544j, 5.9896846 + 3.5423026j],
            [-3.0509028 + 10.940544j, -8.904491, -5.1351523 - 6.559373j],
            [5.9896846 - 3.5423026j, -5.1351523 + 6.559373j, 0.01320427],
        ],
        rtol=1e-5,
    )


def test_columns_of_a_complete_qr_stay_orthogonal(x64):
    a, t = matrices(4, 2), matrices(4, 2, seed=1)
    (q, r), (dq, dr) = adlib.jvp(lambda a: linalg.qr(a), (jnp.asarray(a),), (jnp.asarray(t),))
    q, dq = np.asarray(q), np.asarray(dq)
    np.testing.assert_allclose(q.T @ dq + dq.T @ q, np.zeros((4, 4)), atol=1e-12)
    np.testing.assert_allclose(dq @ r + q @ dr, t, atol=1e-12)


def test_coinciding_values_have_no_derivative():
    eye, ones = jnp.eye(2), jnp.ones((2, 2))
    _, (_, ds, _) = adlib.jvp(linalg.svd, (eye,), (ones,))
    np.testing.assert_array_equal(ds, [1, 1])
    _, (dv, dw) = adlib.jvp(linalg.eigh, (eye,), (ones,))
    np.testing.assert_array_equal(dw, [1, 1])
    np.testing.assert_array_equal(dv, [[np.nan, np.inf], [np.inf, np.nan]])
    # a singular value of zero is another matter: the vectors have a derivative
    _, (du, ds, dvh) = adlib.jvp(
        lambda a: linalg.svd(a, full_matrices=False), (jnp.diag(jnp.array([1.0, 0.0])),), (ones,)
    )
    np.testing.assert_array_equal(du, [[0, -1], [1, 0]])
    np.testing.assert_array_equal(dvh, [[0, 1], [-1, 0]])


def test_one_factorization_serves_all_tangents():
    from adlib.ops.linalg.lu import solve

    a, b = jnp.asarray(SQUARE, "float32"), jnp.ones((3, 1))
    text = str(adlib.make_jaxpr(adlib.grad(lambda a, b: solve(a, b).sum(), (0, 1)))(a, b))
    assert text.count("= lu ") == 1 and text.count("lu_solve") == 2


@pytest.mark.parametrize("batched", ["matrix", "vector", "both"])
def test_vmap_of_solvers(batched, x64):
    a = matrices(5, 3, 3) + 3 * np.eye(3)
    b = matrices(5, 3, 2)
    a_axis, b_axis = {"matrix": (0, None), "vector": (None, 0), "both": (0, 0)}[batched]
    args = [jnp.asarray(v if axis == 0 else v[0]) for v, axis in ((a, a_axis), (b, b_axis))]
    for left in (True, False):
        f = lambda a, b: linalg.triangular_solve(a, b if left else b.T, left_side=left)  # noqa: B023, E731
        got = adlib.vmap(f, in_axes=(a_axis, b_axis))(*args)
        rows = [
            f(a[i] if a_axis == 0 else a[0], jnp.asarray(b[i] if b_axis == 0 else b[0]))
            for i in range(5)
        ]
        np.testing.assert_allclose(got, np.stack(rows), atol=1e-12)
    if batched == "vector":  # more right-hand sides of one system
        text = str(adlib.make_jaxpr(adlib.vmap(f, in_axes=(None, 0)))(*args))
        assert "f64[10,3] = triangular_solve" in text


# ------------------------------------------------------------------------ edges


NAN = np.full((2, 2), np.nan, np.float32)


def test_failures_are_nan_and_stay_in_their_matrix():
    good = np.diag(np.float32([4, 9]))
    stack = np.stack([good, -good, NAN])
    factors = np.asarray(linalg.cholesky(stack))
    np.testing.assert_array_equal(factors[0], np.diag([2, 3]))
    np.testing.assert_array_equal(factors[1], [[np.nan, 0], [np.nan, np.nan]])
    np.testing.assert_array_equal(factors[2], [[np.nan, 0], [np.nan, np.nan]])
    for f in (linalg.eigh, linalg.svd, linalg.eig):
        for out in f(np.stack([good, NAN])):
            out = np.asarray(out)
            assert np.all(np.isfinite(out[0])) and np.all(np.isnan(out[1]))
    inf = np.array([[np.inf, 0], [0, 1]], np.float32)
    assert np.all(np.isnan(linalg.svd(inf, compute_uv=False)))


def test_empty_matrices():
    empty = jnp.zeros((0, 0))
    assert linalg.cholesky(empty).shape == (0, 0)
    assert linalg.lu(empty)[1].shape == (0,)
    assert linalg.svd(jnp.zeros((2, 0)), compute_uv=False).shape == (0,)
    assert linalg.triangular_solve(empty, jnp.zeros((2, 0))).shape == (2, 0)


def test_triangular_solve_of_a_vector():
    a = jnp.array([[2.0, 0.0], [1.0, 1.0]])
    x = linalg.triangular_solve(a, jnp.array([2.0, 3.0]), left_side=True, lower=True)
    assert x.tolist() == [1, 2]
    x = linalg.triangular_solve(a, jnp.array([3.0, 3.0]), lower=True)
    assert x.tolist() == [0, 3]


# ----------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "f, a, error, message",
    [
        (linalg.cholesky, jnp.ones(3), TypeError, r"Input 0 to cholesky must have rank at least 2"),
        (
            linalg.cholesky,
            jnp.ones((2, 3)),
            ValueError,
            r"input to cholesky must be a square matrix. Got shape \(2, 3\)",
        ),
        (linalg.eigh, jnp.ones((2, 3)), ValueError, "input to eigh must be a square"),
        (
            linalg.svd,
            jnp.ones((2, 2), "bfloat16"),
            NotImplementedError,
            r"(?s)svd does not accept dtype bfloat16.*Repair: convert with x.astype\(jnp.float32\)",
        ),
        (linalg.qr, jnp.ones((2, 2), "int32"), TypeError, "qr does not accept dtype int32"),
        (
            lambda a: linalg.triangular_solve(a, jnp.ones((2, 3))),
            jnp.ones((2, 2)),
            ValueError,
            r"shapes \(2, 2\) of a and \(2, 3\) of b do not fit x a = b",
        ),
        (
            lambda a: linalg.tridiagonal_solve(a, a, a, a),
            jnp.ones(3),
            ValueError,
            r"diagonals must have shape \(\.\.\., n\)",
        ),
        (
            lambda a: adlib.jvp(linalg.svd, (a,), (a,)),
            jnp.ones((3, 2)),
            NotImplementedError,
            "JVP not implemented for full matrices",
        ),
        (
            lambda a: adlib.jvp(linalg.eig, (a,), (a,)),
            jnp.eye(2),
            NotImplementedError,
            "(?s)eigenvectors of matrices that need not be Hermitian.*jnp.linalg.eigvals",
        ),
        (
            lambda a: adlib.jvp(linalg.schur, (a,), (a,)),
            jnp.eye(2),
            NotImplementedError,
            "Differentiation rule for 'schur' not implemented",
        ),
    ],
)
def test_errors(f, a, error, message):
    with pytest.raises(error, match=message):
        f(a)
