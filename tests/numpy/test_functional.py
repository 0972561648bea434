"""vectorize, apply_along_axis, apply_over_axes, frompyfunc."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

M = jnp.arange(6.0).reshape(2, 3)
V = jnp.arange(3.0)


def test_vectorize_scalars():
    f = jnp.vectorize(lambda a, b: jnp.where(a > b, a - b, a + b))
    np.testing.assert_allclose(f(M, 2.0), np.where(np.asarray(M) > 2, M - 2, M + 2))
    assert f(jnp.ones((2, 1)), V).shape == (2, 3)


def test_vectorize_with_a_signature():
    product = jnp.vectorize(jnp.dot, signature="(n,m),(m)->(n)")
    stack, vectors = jnp.ones((4, 1, 2, 3)), jnp.arange(15.0).reshape(5, 3)
    out = product(stack, vectors)
    assert out.shape == (4, 5, 2)
    np.testing.assert_allclose(out[0, :, 0], vectors.sum(1))
    both = jnp.vectorize(lambda v: (v - v.mean(), v.mean()), signature="(n)->(n),()")(M)
    assert both[0].shape == (2, 3) and both[1].tolist() == [1.0, 4.0]


def test_vectorize_excluded():
    f = jnp.vectorize(lambda x, n, scale=1.0: scale * x**n, excluded={1, "scale"})
    np.testing.assert_allclose(f(V, 2, scale=3.0), [0, 3, 12])


def test_vectorize_is_differentiable():
    f = jnp.vectorize(lambda a, b: jnp.sin(a) * b)
    np.testing.assert_allclose(adlib.grad(lambda v: f(v, V).sum())(V), np.cos(V) * V, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: jnp.vectorize(jnp.dot, signature="n,n->")(V, V), ValueError, "not a valid gufunc"),
        (lambda: jnp.vectorize(jnp.dot, signature="(n),(n)->()")(V), TypeError, "expected 2"),
        (lambda: jnp.vectorize(jnp.dot, signature="(n),(n)->()")(V, V[:2]), ValueError,
         "inconsistent size for core dimension 'n'"),
        (lambda: jnp.vectorize(jnp.sum, signature="(n)->(n)")(V), ValueError, "core axes"),
        (lambda: jnp.vectorize(jnp.sum, excluded=(-1,)), ValueError, "count from 0"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_apply_along_axis(axis):
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    for f in (lambda v: v.sum(), lambda v: v[::-1], lambda v: v[:, None] * v):
        mine = jnp.apply_along_axis(f, axis, jnp.array(x))
        np.testing.assert_allclose(mine, np.apply_along_axis(f, axis, x))


def test_apply_over_axes():
    np.testing.assert_allclose(jnp.apply_over_axes(jnp.sum, M, [0, 1]), [[15.0]])


def test_frompyfunc():
    f = jnp.frompyfunc(lambda a, b: a * b + 1, 2, 1)
    assert f(M, V).shape == (2, 3) and (f.nin, f.nout) == (2, 1)
    with pytest.raises(TypeError, match="takes 2 arguments, got 1"):
        f(M)


def test_ufunc_methods_of_a_python_function():
    f = jnp.frompyfunc(lambda a, b: a * b, 2, 1, identity=1)
    x = np.arange(1.0, 7).reshape(2, 3)
    assert isinstance(f, jnp.ufunc) and (f.nin, f.nout, f.nargs, f.identity) == (2, 1, 2, 1)
    for axis in (0, 1, -1, None, (0, 1)):
        for keepdims in (False, True):
            wanted = np.multiply.reduce(x, axis=axis, keepdims=keepdims)
            np.testing.assert_allclose(f.reduce(x, axis=axis, keepdims=keepdims), wanted)
        wanted = np.multiply.reduce(x, axis=axis, where=x > 3, initial=2.0)
        np.testing.assert_allclose(f.reduce(x, axis=axis, where=x > 3, initial=2.0), wanted)
    np.testing.assert_allclose(f.accumulate(x, axis=1), np.multiply.accumulate(x, axis=1))
    np.testing.assert_allclose(f.outer(x[0], x), np.multiply.outer(x[0], x))
    assert f.reduce(jnp.zeros(0)) == 1


@pytest.mark.parametrize("name", ["subtract", "hypot", "logaddexp", "true_divide"])
def test_ufunc_methods_of_long_arrays(name):
    """Long ones are combined by a loop, short ones step by step."""
    x = np.linspace(1.0, 2.0, 40)
    mine, theirs = getattr(jnp, name), getattr(np, name)
    for size in (1, 2, 16, 40):
        np.testing.assert_allclose(mine.reduce(x[:size]), theirs.reduce(x[:size]), rtol=1e-4)
        wanted = theirs.accumulate(x[:size])
        np.testing.assert_allclose(mine.accumulate(x[:size]), wanted, rtol=1e-4)
    for indices in ([0, 3, 1], [5], [0, 0, 7]):
        wanted = theirs.reduceat(x, indices)
        np.testing.assert_allclose(mine.reduceat(x, indices), wanted, rtol=1e-4)
        traced = adlib.jit(lambda x, i: mine.reduceat(x, i))(x, jnp.array(indices))  # noqa: B023
        np.testing.assert_allclose(traced, wanted, rtol=1e-4)


def test_ufunc_at_any_index():
    x = np.arange(12.0).reshape(3, 4)
    for index in ([0, 0, 2], ([0, 2, 0], [1, 1, 1]), (slice(None), 1)):
        wanted = x.copy()
        np.hypot.at(wanted, index, 2.0)
        place = tuple(jnp.array(i) if isinstance(i, list) else i for i in index) if isinstance(
            index, tuple
        ) else jnp.array(index)  # fmt: skip
        np.testing.assert_allclose(jnp.hypot.at(jnp.array(x), place, 2.0, inplace=False), wanted)


def test_errors_of_ufunc_methods():
    with pytest.raises(ValueError, match="zero-size array to reduction operation subtract"):
        jnp.subtract.reduce(jnp.zeros(0))
    with pytest.raises(ValueError, match="does not have an identity, so to use a where mask"):
        jnp.subtract.reduce(jnp.ones(3), where=jnp.array([True, False, True]))
    with pytest.raises(NotImplementedError, match="arrays are immutable"):
        jnp.add.reduce(jnp.ones(3), out=jnp.zeros(()))


def test_a_ufunc_of_one_argument():
    assert isinstance(jnp.negative, jnp.ufunc) and (jnp.negative.nin, jnp.negative.nargs) == (1, 1)
    x = jnp.arange(4.0)
    found = jnp.negative.at(x, jnp.array([1, 3, 3]), inplace=False)
    np.testing.assert_array_equal(found, [0, -1, 2, 3])
    with pytest.raises(TypeError, match="negative.reduce combines elements"):
        jnp.negative.reduce(x)
