"""``jnp.linalg``: values against NumPy, derivatives against differences, names and error texts."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from tests.support import assert_close, check_derivatives

LA = jnp.linalg


@pytest.fixture
def x64():
    with adlib.enable_x64():
        yield


def values(*shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


S, T, W, B = values(4, 4), values(4, 3), values(3, 4), values(2, 3, 3)
C = values(3, 3, dtype="complex128")
H = S @ S.T + np.eye(4)
HC = C @ C.conj().T + np.eye(3)

# name of the function, arguments, keywords: the same call in NumPy gives the same values
CASES = [
    *[("norm", (x,), {}) for x in (S[0], S, B, C, 3 * np.arange(4))],
    *[("norm", (S[0], o), {}) for o in (0, 1, 2, 3, 0.5, -1, np.inf, -np.inf)],
    *[("norm", (C[0], o), {}) for o in (0, 1, 2, 3, np.inf)],
    *[("norm", (B, o, (1, 2)), {}) for o in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)],
    *[("norm", (B, o), dict(axis=(2, 0), keepdims=True)) for o in ("fro", 1, 2, np.inf, None)],
    *[("norm", (B,), dict(axis=a, keepdims=True)) for a in (0, -1, (0, 1))],
    ("vector_norm", (B,), {}),
    ("vector_norm", (B,), dict(axis=(0, 2), ord=1)),
    ("matrix_norm", (B,), dict(ord="nuc", keepdims=True)),
    *[("cond", (S, p), {}) for p in (None, 2, -2, 1, np.inf, "fro")],
    ("cond", (B,), {}),
    *[("matrix_rank", (x,), {}) for x in (S, B, np.ones((3, 3)), T, np.ones(3), np.zeros(2))],
    ("matrix_rank", (np.diag([1, 1e-3, 1e-9]),), dict(rtol=1e-6)),
    *[("solve", (S, b), {}) for b in (S[0], T, values(2, 4, 1))],
    ("solve", (B, T[:3, 0]), {}),
    ("solve", (B, values(2, 3, 2)), {}),
    ("solve", (C, np.arange(3)), {}),
    *[("inv", (x,), {}) for x in (S, B, C, np.array([[2, 1], [1, 1]]))],
    *[("det", (x,), {}) for x in (S, B, C, S[:2, :2], S[:1, :1], values(0, 0))],
    *[("slogdet", (x,), {}) for x in (S, B, C, -S[:1, :1])],
    *[("pinv", (x,), {}) for x in (T, W, C, np.ones((3, 2)))],
    ("pinv", (np.diag([1, 1e-3]),), dict(rtol=1e-2)),
    *[("matrix_power", (S, n), {}) for n in (0, 1, 2, 5, 8, -1, -3)],
    ("matrix_power", (B, 3), {}),
    ("cholesky", (H,), {}),
    ("cholesky", (HC,), {}),
    ("cholesky", (HC,), dict(upper=True)),
    *[("qr", (x, m), {}) for x in (T, C) for m in ("reduced", "r")],
    ("qr", (T, "complete"), {}),
    ("qr", (T, "raw"), {}),
    ("qr", (B,), {}),
    *[("svd", (x,), dict(full_matrices=f)) for x in (T, W) for f in (True, False)],
    *[("svd", (x,), dict(compute_uv=False)) for x in (T, B, C)],
    ("svdvals", (T,), {}),
    *[("eigvalsh", (x,), {}) for x in (H, HC)],
    ("eigvalsh", (np.triu(H), "U"), {}),
    ("outer", (S[0], T[0]), {}),
    ("cross", (B, B[::-1]), {}),
    ("cross", (B, B[0]), dict(axis=1)),
    ("trace", (B,), dict(offset=1)),
    *[("diagonal", (x,), dict(offset=o)) for x in (B, T) for o in (0, 1, -2, 5)],
    ("matrix_transpose", (B,), {}),
    ("matmul", (S, T), {}),
    ("vecdot", (C, C[0]), {}),
    ("tensordot", (S, T), dict(axes=1)),
    ("multi_dot", ([S[0], T, W, S[1]],), {}),
    ("multi_dot", ([W, S, T, W, S],), {}),
    ("tensorinv", (values(2, 2, 4), 2), {}),
    ("tensorsolve", (values(2, 3, 6), values(2, 3)), {}),
    ("tensorsolve", (values(6, 2, 3), values(2, 3)), dict(axes=(0,))),
]


@pytest.mark.parametrize(
    "name, args, options", CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_values_agree_with_numpy(name, args, options, x64):
    plain = dict(options)
    if name == "cholesky" and plain.pop("upper", False):
        want = np.linalg.cholesky(args[0]).conj().T
    else:
        want = getattr(np.linalg, name)(*args, **plain)
    if name == "eigvalsh":
        options = {"symmetrize_input": False}
    got = getattr(LA, name)(*args, **options)
    if isinstance(want, tuple):
        assert len(got) == len(want)
    for x, y in zip(*[v if isinstance(v, tuple) else (v,) for v in (got, want)], strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("m, n, k", [(5, 3, None), (5, 3, 2), (3, 5, None), (3, 3, 1)])
def test_least_squares(m, n, k, x64):
    a, b = values(m, n), values(*((m,) if k is None else (m, k)), seed=1)
    want = np.linalg.lstsq(a, b)
    got = LA.lstsq(a, b, numpy_resid=True)
    for x, y in zip(got, want, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-10)
    x, residuals, rank, _ = LA.lstsq(a, b)
    np.testing.assert_allclose(residuals, ((a @ np.asarray(x) - b) ** 2).sum(0).reshape(-1))
    # of many solutions the shortest, where a is not of full rank
    thin = np.ones((3, 2))
    assert LA.lstsq(thin, 2 * np.ones(3))[0].tolist() == pytest.approx([1, 1])
    assert int(LA.lstsq(thin, np.ones(3))[2]) == 1


def test_eigen_decompositions(x64):
    w, v = LA.eigh(HC)
    np.testing.assert_allclose(HC @ np.asarray(v), np.asarray(v) * np.asarray(w), atol=1e-10)
    w, v = LA.eig(S)
    np.testing.assert_allclose(S @ np.asarray(v), np.asarray(v) * np.asarray(w), atol=1e-10)
    np.testing.assert_allclose(np.sort(LA.eigvals(S)), np.sort(np.linalg.eigvals(S)), atol=1e-10)


def test_results_have_names():
    result = LA.svd(jnp.eye(2))
    assert result.S.tolist() == [1, 1] and type(result).__name__ == "SVDResult"
    assert LA.qr(jnp.eye(2)).R.shape == (2, 2)
    assert LA.eigh(jnp.eye(2)).eigenvalues.tolist() == [1, 1]
    assert LA.eig(jnp.eye(2)).eigenvectors.dtype == np.complex64
    assert float(LA.slogdet(jnp.eye(2)).logabsdet) == 0


def test_float32_stays_float32():
    x = values(3, 3, dtype="float32")
    for f in (LA.norm, LA.inv, LA.det, LA.slogdet, LA.svd, LA.qr, LA.eigh, LA.pinv, LA.cond):
        for leaf in adlib.tree_util.tree_leaves(f(x)):
            assert leaf.dtype == np.float32
    assert LA.inv(np.array([[2, 0], [0, 4]])).dtype == np.float32
    assert LA.det(x.astype("complex64")).dtype == np.complex64


# ------------------------------------------------------------------ derivatives


@pytest.mark.parametrize(
    "f, args",
    [
        *[(lambda a, o=o: LA.norm(a, o), (S[0],)) for o in (None, 1, 3, np.inf, -np.inf)],
        *[(lambda a, o=o: LA.norm(a, o), (S,)) for o in ("fro", "nuc", 1, 2, -2, np.inf)],
        (LA.solve, (S, S[0])),
        (LA.solve, (B, B[0])),
        (LA.inv, (B,)),
        *[(LA.det, (x,)) for x in (S, B, S[:2, :2])],
        (lambda a: LA.slogdet(a)[1], (S,)),
        (LA.pinv, (T,)),
        (LA.pinv, (W,)),
        (lambda a, b: LA.lstsq(a, b)[:2], (T, S[0])),
        (lambda a: LA.matrix_power(a, 5), (B,)),
        (lambda a: LA.matrix_power(a, -2), (S,)),
        (LA.cond, (B[0],)),
        (LA.eigvalsh, (H,)),
        (lambda a: LA.cholesky(a, upper=True), (H,)),
        (lambda *a: LA.multi_dot(a), (S[0], T, W)),
        (lambda a: LA.diagonal(a, offset=1), (T,)),
    ],
)
def test_derivatives(f, args, x64):
    args = tuple(jnp.asarray(a) for a in args)
    check_derivatives(f, args, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("f", [LA.det, LA.inv, lambda a: LA.slogdet(a)[1], LA.pinv, LA.norm])
def test_complex_derivatives(f, x64):
    a, t = jnp.asarray(C), jnp.asarray(values(3, 3, dtype="complex128", seed=1))
    out, tangent = adlib.jvp(f, (a,), (t,))
    change = (np.asarray(f(a + 1e-6 * t)) - np.asarray(f(a - 1e-6 * t))) / 2e-6
    np.testing.assert_allclose(tangent, change, rtol=1e-6, atol=1e-6)
    ct = jnp.asarray(values(*out.shape, dtype=out.dtype, seed=2))
    (back,) = adlib.vjp(f, a)[1](ct)
    left = np.sum(np.asarray(ct) * np.asarray(tangent)).real
    np.testing.assert_allclose(np.sum(np.asarray(back) * np.asarray(t)).real, left)


def test_phase_of_a_complex_determinant(x64):
    sign, log = LA.slogdet(C)
    np.testing.assert_allclose(sign * jnp.exp(log), LA.det(C))
    t = values(3, 3, dtype="complex128", seed=1)
    f = lambda a: LA.slogdet(a)[0]  # noqa: E731
    tangent = adlib.jvp(f, (jnp.asarray(C),), (jnp.asarray(t),))[1]
    change = (np.asarray(f(C + 1e-6 * t)) - np.asarray(f(C - 1e-6 * t))) / 2e-6
    np.testing.assert_allclose(tangent, change, rtol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_gradient_of_det_where_it_vanishes(n, x64):
    u, _, v = np.linalg.svd(values(n, n))
    singular = (u * np.array([3.0, 2.0, 1.5, 1.2, 1.1][: n - 1] + [0.0])) @ v
    minors = [
        [
            (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(singular, i, 0), j, 1))
            for j in range(n)
        ]
        for i in range(n)
    ]
    np.testing.assert_allclose(adlib.grad(LA.det)(jnp.asarray(singular)), minors, atol=1e-10)


def test_norm_at_zero_has_no_derivative():
    zero = jnp.zeros(3)
    assert np.all(np.isnan(adlib.grad(LA.norm)(zero)))
    assert np.all(np.isnan(adlib.grad(lambda x: LA.norm(x, 3))(zero)))
    # the repair: a squared norm, or a norm away from zero
    assert adlib.grad(lambda x: (x**2).sum())(zero).tolist() == [0, 0, 0]


def test_vmap_and_jit():
    stack = jnp.asarray(values(5, 3, 3), "float32")
    for f in (LA.inv, LA.det, LA.svd, LA.norm, LA.cond, LA.pinv, lambda a: LA.solve(a, a[0])):
        rows = [f(a) for a in stack]
        want = adlib.tree_util.tree_map(lambda *leaves: jnp.stack(leaves), *rows)
        assert_close(adlib.vmap(f)(stack), want, rtol=1e-4, atol=1e-5)
        assert_close(adlib.jit(adlib.vmap(f))(stack), want, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------ edges


def test_singular_matrices():
    zero = np.zeros((2, 2))
    assert not np.any(np.isfinite(np.diagonal(LA.inv(zero))))
    assert LA.det(np.zeros((4, 4))) == 0
    assert LA.slogdet(zero)[1] == -np.inf and LA.slogdet(zero)[0] == 0
    assert LA.pinv(zero).tolist() == zero.tolist()
    assert LA.cond(zero, 1) == np.inf


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: LA.norm(S, 3), ValueError, "Invalid order '3' for matrix norm"),
        (lambda: LA.norm(S, "max"), ValueError, "Invalid order 'max' for matrix norm"),
        (
            lambda: LA.norm(S[0], "fro"),
            ValueError,
            "(?s)Invalid order 'fro' for vector norm.*'fro' and 'nuc' are norms of matrices",
        ),
        (lambda: LA.norm(B, 2), ValueError, r"Improper number of axes for norm: axis=\(0, 1, 2\)"),
        (lambda: LA.inv(T), ValueError, r"inv must have shape \[..., n, n\], got \(4, 3\)"),
        (lambda: LA.det(S[0]), ValueError, r"det must have shape \[..., n, n\], got \(4,\)"),
        (
            lambda: LA.solve(S, T.T),
            ValueError,
            r"(?s)right-hand sides of shape \(3, 4\) do not fit matrices of shape \(4, 4\).*\(4,\)",
        ),
        (lambda: LA.solve(S[0], S[0]), ValueError, "left hand array must be at least two dim"),
        (lambda: LA.matrix_power(S, 0.5), TypeError, "exponent must be an integer, got 0.5"),
        (lambda: LA.matrix_power(T, 2), TypeError, "Last 2 dimensions of the array must be square"),
        (lambda: LA.qr(S, "thin"), ValueError, "(?s)Unsupported QR decomposition mode 'thin'"),
        (lambda: LA.eigh(S, "A"), ValueError, "UPLO must be one of None, 'L', or 'U', got A"),
        (lambda: LA.slogdet(S, method="svd"), ValueError, "Unknown slogdet method 'svd'"),
        (lambda: LA.multi_dot([S]), ValueError, "takes at least two arrays, got 1"),
        (
            lambda: LA.multi_dot([S, S[None], S]),
            ValueError,
            "must all be two-dimensional, except for the first",
        ),
        (lambda: LA.multi_dot([S, S[:2]]), ValueError, "must be the first of the next"),
        (lambda: LA.outer(S, S), ValueError, "must be one-dimensional, but they are x1.ndim=2"),
        (lambda: LA.cross(S, S), ValueError, r"x1.shape\[axis\]=4"),
        (lambda: LA.tensorinv(S, 0), ValueError, "ind must be a positive integer; got ind=0"),
        (lambda: LA.tensorsolve(S, S), ValueError, "the first axes of a must be those of b"),
        (lambda: LA.lstsq(S, T[:3]), ValueError, "leading dimensions must be equal"),
        (lambda: LA.vector_norm(S, ord="x"), ValueError, "Invalid order 'x' for vector norm"),
        (lambda: LA.matrix_transpose(S[0]), ValueError, "must be at least two-dimensional"),
        (lambda: LA.solve([[1.0]], S[0]), TypeError, "list"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
