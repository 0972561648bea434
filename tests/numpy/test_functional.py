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
