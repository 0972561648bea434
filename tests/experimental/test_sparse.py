"""Sparse derivatives against dense ones: patterns are never too small, colourings are valid."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.experimental import jacobian_sparsity, sparse_hessian, sparse_jacobian
from adlib.experimental.sparse import colour_columns, colour_symmetric

N = 6
X = np.linspace(0.3, 1.7, N).astype(np.float32)
MATRIX = np.eye(N, k=1, dtype=np.float32) + 2 * np.eye(N, dtype=np.float32)
ORDER = np.array([3, 3, 0, 5])


def scanned(x):
    def step(carry, value):
        carry = carry * value
        return carry, carry + value

    return lax.scan(step, 1.0, x)[1]


def counted(x):
    return lax.fori_loop(1, N, lambda i, y: y.at[i].add(y[i - 1] * x[i]), x)


@adlib.custom_jvp
def straight_through(x):
    return jnp.round(x)


straight_through.defjvp(lambda primals, tangents: (jnp.round(primals[0]), tangents[0]))

# name: (function, whether its pattern is found without a surplus)
FUNCTIONS = {
    "entrywise": (lambda x: jnp.sin(x) * x, True),
    "differences": (lambda x: jnp.diff(x) ** 2, True),
    "sum": (lambda x: x[:3].sum() * x[1], True),
    "columns": (lambda x: (x.reshape(2, 3) ** 2).sum(0), True),
    "product": (lambda x: jnp.prod(x[::2]), True),
    "maximum": (lambda x: jnp.max(x.reshape(3, 2) ** 2, axis=1), False),
    "matrix": (lambda x: MATRIX @ jnp.exp(x), True),
    "row times matrix": (lambda x: jnp.exp(x) @ MATRIX, True),
    "gram": (lambda x: x.reshape(3, 2) @ x.reshape(3, 2).T, True),
    "batched": (lambda x: jnp.einsum("bij,bj->bi", jnp.ones((2, 4, 3)), x.reshape(2, 3)), True),
    "einsum": (lambda x: jnp.einsum("ij,jk->ik", x.reshape(2, 3), x.reshape(3, 2)), True),
    "gather": (lambda x: x[ORDER] * x[:4], True),
    "scatter": (lambda x: x.at[1].set(x[4] * 2.0), True),
    "scatter add": (lambda x: jnp.zeros(4).at[jnp.array([1, 1, 3, 9, 0, 0])].add(x**2), True),
    "scatter multiply": (lambda x: x.at[jnp.array([1, 1])].multiply(x[2:4]), True),
    "where": (lambda x: jnp.where(np.arange(N) < 3, x, x[::-1]), True),
    "unknown where": (lambda x: jnp.where(x < 1.0, x, x[::-1] ** 2), False),
    "unknown index": (lambda x: x[jnp.argmax(x)] * x, False),
    "pad": (lambda x: jnp.pad(x**2, (2, 1)), True),
    "tile": (lambda x: jnp.tile(x**2, 2), True),
    "stack": (lambda x: jnp.stack([x, x[::-1] * x]), True),
    "split": (lambda x: jnp.split(x, 3)[1] ** 2, True),
    "cumulative": (lambda x: jnp.cumsum(x**2), True),
    "backwards": (lambda x: lax.cumsum(x**2, reverse=True), True),
    "cumulative product": (jnp.cumprod, True),
    "cumulative maximum": (lax.cummax, False),
    "sort": (lambda x: jnp.sort(x * x), False),
    "convolution": (lambda x: jnp.convolve(x, x), False),
    "conv": (
        lambda x: lax.conv(x.reshape(1, 2, 3), jnp.ones((3, 2, 2)), (1,), "SAME"),
        True,
    ),
    "conv of kernels": (
        lambda x: lax.conv_general_dilated(
            jnp.ones((2, 5, 2)),
            x.reshape(3, 2, 1),
            (2,),
            [(1, 1)],
            rhs_dilation=(2,),
            dimension_numbers=("NHC", "HIO", "NHC"),
        ),
        True,
    ),
    "grouped conv": (
        lambda x: lax.conv_general_dilated(
            x.reshape(1, 2, 3), jnp.ones((4, 1, 2)), (1,), "VALID", feature_group_count=2
        ),
        True,
    ),
    "windows": (lambda x: lax.reduce_window(x, 0.0, lax.add, (2,), (2,), "VALID"), True),
    "fourier": (lambda x: jnp.abs(jnp.fft.rfft(x.reshape(2, 3))) ** 2, True),
    "solve": (lambda x: jnp.linalg.solve(MATRIX[:3, :3], x.reshape(3, 2)), False),
    "stopped": (lambda x: lax.stop_gradient(x) * x[::-1], True),
    "rounded": (lambda x: jnp.floor(x) + x.astype(int), True),
    "custom rule": (straight_through, True),
    "jit": (adlib.jit(lambda x: x[1:] * x[0]), True),
    "checkpoint": (adlib.checkpoint(lambda x: jnp.sin(x[1:]) * x[:-1]), True),
    "vmap": (lambda x: adlib.vmap(lambda a: jnp.prod(a))(x.reshape(3, 2)), True),
    "known branch": (lambda x: lax.cond(True, lambda y: y, lambda y: y[::-1], x), True),
    "unknown branch": (lambda x: lax.cond(x[0] > 1, lambda y: y, lambda y: y[::-1], x), False),
    "scan": (scanned, True),
    "reversed scan": (lambda x: lax.scan(lambda c, y: (c + y, c), 0.0, x, reverse=True)[1], True),
    "loop": (counted, True),
    "while": (
        lambda x: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x[::-1]), (0, x))[
            1
        ],
        False,
    ),
    "nothing": (lambda x: jnp.ones(3), True),
    "scalar": (lambda x: (x**2).sum(), True),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_pattern_and_jacobian_against_the_dense_one(name):
    function, exact = FUNCTIONS[name]
    dense = np.asarray(adlib.jacfwd(function)(X)).reshape(-1, N)
    pattern = jacobian_sparsity(function)(X)
    assert pattern.dtype == bool and pattern.shape == dense.shape
    assert not (dense != 0)[~pattern.toarray()].any()
    if exact:
        np.testing.assert_array_equal(pattern.toarray(), dense != 0)
    np.testing.assert_allclose(sparse_jacobian(function)(X).toarray(), dense, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["auto", "fwd", "rev"])
@pytest.mark.parametrize("name", ["differences", "matrix", "conv", "loop", "scan", "gather"])
def test_every_mode_gives_the_same_matrix(name, mode):
    function = FUNCTIONS[name][0]
    dense = np.asarray(adlib.jacfwd(function)(X)).reshape(-1, N)
    found = sparse_jacobian(function, mode=mode, format="csr")(X)
    np.testing.assert_allclose(found.toarray(), dense, rtol=2e-5, atol=1e-6)


_STEPS = {
    "sin": jnp.sin,
    "shift": lambda x: jnp.roll(x, 1) * x,
    "mask": lambda x: x * np.array([1, 0, 1, 1, 0, 1], np.float32),
    "head": lambda x: x.at[2].set(x[0] * x[5]),
    "matrix": lambda x: MATRIX @ x,
    "flip": lambda x: x[::-1] + 1.0,
    "sum": lambda x: x + x[2:4].sum(),
    "where": lambda x: jnp.where(x > 0.5, x, 2.0 * x),
    "fold": lambda x: jnp.tile(x.reshape(2, 3).sum(0), 2),
    "jit": adlib.jit(lambda x: jnp.tanh(x) * x),
    "scan": lambda x: lax.scan(lambda c, y: (y, c * y), 1.0, x)[1],
}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(_STEPS)), min_size=1, max_size=5))
def test_random_compositions(names):
    def function(x):
        for name in names:
            x = _STEPS[name](x)
        return x

    dense = np.asarray(adlib.jacfwd(function)(X))
    assert not (dense != 0)[~jacobian_sparsity(function)(X).toarray()].any()
    found = sparse_jacobian(function, format="dense")(X)
    np.testing.assert_allclose(np.asarray(found), dense, rtol=1e-3, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_columns_of_a_colour_never_meet(seed, rows, columns):
    pattern = np.random.default_rng(seed).random((rows, columns)) < 0.3
    colours = colour_columns(pattern)
    for colour in set(colours.tolist()):
        assert pattern[:, colours == colour].sum(1).max() <= 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14))
def test_a_star_colouring_determines_every_entry(seed, size):
    half = np.random.default_rng(seed).random((size, size)) < 0.2
    pattern = half | half.T
    colours = colour_symmetric(pattern)
    for i, j in np.argwhere(pattern):
        in_row = pattern[i, colours == colours[j]].sum()
        in_column = pattern[j, colours == colours[i]].sum()
        assert in_row == 1 or in_column == 1


def test_a_band_takes_as_many_colours_as_it_is_wide():
    band = sp.diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(50, 50))
    assert colour_columns(band).max() + 1 == 3


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x[0] * x**2).sum(),
        lambda x: (jnp.diff(x) ** 4).sum(),
        lambda x: jnp.sin(x).sum(),
        lambda x: jnp.prod(x),
        lambda x: x @ MATRIX @ x,
        lambda x: (x[0] * x[1] + x[3] ** 3) * 2.0,
    ],
)
def test_hessian(function):
    dense = np.asarray(adlib.hessian(function)(X))
    found = sparse_hessian(function)(X).toarray()
    np.testing.assert_allclose(found, dense, rtol=1e-4, atol=1e-5)


def test_pytrees_in_and_out_make_one_matrix():
    def function(tree, scale):
        return {"a": tree["u"] * scale, "b": [tree["u"].sum() * tree["v"]]}

    tree = {"u": np.ones(2, np.float32), "v": np.full(3, 2.0, np.float32)}
    found = sparse_jacobian(function)(tree, 3.0).toarray()
    want = np.zeros((5, 5))
    want[:2, :2] = 3 * np.eye(2)
    want[2:, :2] = 2
    want[2:, 2:] = 2 * np.eye(3)
    np.testing.assert_allclose(found, want)
    both = sparse_jacobian(lambda x, y: x * y, (0, 1))(X, 2 * X).toarray()
    np.testing.assert_allclose(both, np.hstack([np.diag(2 * X), np.diag(X)]))


def test_a_custom_vjp_is_pulled_back_and_a_while_loop_pushed_forward():
    @adlib.custom_vjp
    def doubled(x):
        return 2.0 * x

    doubled.defvjp(lambda x: (2.0 * x, None), lambda _, ct: (2.0 * ct,))
    found = sparse_jacobian(lambda x: doubled(x[:2]))(X)
    np.testing.assert_allclose(found.toarray(), 2 * np.eye(2, N))


def test_a_large_problem_takes_few_products():
    size, runs = 3000, []

    def residual(u):
        runs.append(1)
        return (jnp.pad(u[1:], (0, 1)) - 2 * u + jnp.pad(u[:-1], (1, 0))) + u**3

    found = sparse_jacobian(residual, format="csr")(np.ones(size, np.float32))
    assert found.nnz == 3 * size - 2 and len(runs) == 2  # the program, and its linearization
    want = sp.diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(size, size))
    assert abs(found - want).max() == 0


def test_long_loops_are_followed_all_rounds_at_once():
    x = np.full(3000, 0.5, np.float32)

    def body(carry, value):
        for _ in range(5):
            carry = jnp.sin(carry)
        return carry + value, value * 2.0

    pattern = jacobian_sparsity(lambda x: lax.scan(body, 0.0, x)[0])(x)
    assert pattern.shape == (1, 3000) and pattern.nnz == 3000


def test_a_given_pattern_is_used():
    pattern = np.eye(N)
    found = sparse_jacobian(lambda x: x**2, sparsity=pattern)(X)
    np.testing.assert_allclose(found.toarray(), np.diag(2 * X))
    with pytest.raises(ValueError, match=r"sparsity has shape \(6, 6\), but the matrix .*\(5, 6\)"):
        sparse_jacobian(jnp.diff, sparsity=pattern)(X)


def test_errors_teach():
    with pytest.raises(ValueError, match="mode must be one of 'auto', 'fwd', 'rev'; got 'back'"):
        sparse_jacobian(jnp.sin, mode="back")
    with pytest.raises(ValueError, match="format must be one of 'coo'.*got 'bsr'"):
        sparse_hessian(jnp.sum, format="bsr")
    with pytest.raises(TypeError, match=r"requires real-valued inputs .* got int32"):
        sparse_jacobian(jnp.sin)(np.arange(3))
    with pytest.raises(TypeError, match="requires real-valued outputs .* got complex64"):
        sparse_jacobian(lambda x: x * 1j)(X)
    with pytest.raises(TypeError, match="call it outside of jit, vmap and grad"):
        adlib.jit(sparse_jacobian(jnp.sin))(X)


def test_what_the_function_raises_comes_through():
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="^mine$"):
        sparse_jacobian(broken)(X)
    with pytest.raises(ZeroDivisionError, match="^mine$"):
        jacobian_sparsity(broken)(X)


def test_narrow_floats_come_as_float32_since_scipy_has_none():
    found = sparse_jacobian(lambda x: x**2)(jnp.ones(3, jnp.bfloat16))
    assert found.dtype == np.float32 and found.toarray().tolist() == (2 * np.eye(3)).tolist()
    assert sparse_hessian(lambda x: (x**2).sum())(jnp.ones(3, jnp.float16)).dtype == np.float32


def test_keywords_and_constants_of_the_call():
    def function(x, *, weights):
        return x * weights

    weights = np.array([1.0, 0.0, 3.0], np.float32)
    assert jacobian_sparsity(function)(X[:3], weights=weights).nnz == 2
    found = sparse_jacobian(function)(X[:3], weights=weights)
    np.testing.assert_allclose(found.toarray(), np.diag(weights))


def test_import_adlib_does_not_load_it(run_python):
    assert "adlib.experimental" not in run_python("import sys, adlib; print(*sys.modules)").split()
