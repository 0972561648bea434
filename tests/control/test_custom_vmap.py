"""Functions whose vectorization, or whose transpose, their author gives."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import grad, jit, vmap
from adlib.custom_batching import custom_vmap, sequential_vmap
from adlib.custom_derivatives import linear_call
from adlib.test_util import check_grads

X = jnp.arange(3.0)


def made(calls):
    @custom_vmap
    def f(x, y):
        return jnp.sin(x) * y

    @f.def_vmap
    def rule(axis_size, in_batched, x, y):
        calls.append((axis_size, in_batched, x.shape, y.shape))
        return 10 * jnp.sin(x) * y, True

    return f


def test_the_rule_is_used_under_vmap_only():
    calls = []
    f = made(calls)
    assert f(1.0, 2.0) == jnp.sin(1.0) * 2
    np.testing.assert_allclose(jit(f)(1.0, 2.0), 2 * np.sin(1.0), rtol=1e-6)
    assert calls == []
    np.testing.assert_allclose(vmap(f, (0, None))(X, 2.0), 20 * np.sin(X), rtol=1e-6)
    np.testing.assert_allclose(vmap(jit(f), (0, None))(X, 2.0), 20 * np.sin(X), rtol=1e-6)
    np.testing.assert_allclose(jit(vmap(f))(X, X), 10 * np.sin(X) * X, rtol=1e-6)
    assert calls == [(3, [True, False], (3,), ())] * 2 + [(3, [True, True], (3,), (3,))]


def test_the_axis_comes_first_and_trees_pass():
    @custom_vmap
    def f(tree):
        return {"s": tree["a"] + tree["b"]}

    @f.def_vmap
    def rule(axis_size, in_batched, tree):
        assert in_batched == [{"a": True, "b": False}]
        return {"s": tree["a"] * 0 + axis_size}, {"s": True}

    out = vmap(f, ({"a": 1, "b": None},))({"a": jnp.ones((2, 5)), "b": jnp.ones(2)})
    np.testing.assert_array_equal(out["s"], 5 * np.ones((5, 2)))
    again = vmap(vmap(lambda a: f({"a": a, "b": 1.0})["s"]))(jnp.ones((2, 3)))
    assert again.shape == (2, 3)


def test_a_result_may_be_said_not_to_be_batched():
    @custom_vmap
    def f(x):
        return x, x

    f.def_vmap(lambda n, flags, x: ((x, jnp.float32(7)), (True, False)))
    out = vmap(f, out_axes=(0, None))(X)
    assert out[1] == 7.0


def test_differentiation_goes_through():
    f = made([])
    np.testing.assert_allclose(grad(f)(1.0, 2.0), 2 * np.cos(1.0), rtol=1e-6)
    check_grads(f, (0.3, 2.0), order=2)
    value, slope = vmap(adlib.value_and_grad(f), (0, None))(X, 2.0)
    np.testing.assert_allclose(value, 20 * np.sin(X), rtol=1e-6)
    np.testing.assert_allclose(slope, 2 * np.cos(X), rtol=1e-6)


def test_sequential():
    shapes = []

    @sequential_vmap
    def f(x, y):
        shapes.append(x.shape)
        return jnp.sum(x) + y

    np.testing.assert_array_equal(vmap(f, (0, None))(jnp.ones((4, 2)), 1.0), 3 * np.ones(4))
    assert set(shapes) == {(2,)}


def test_mistakes():
    f = custom_vmap(lambda x: x)
    with pytest.raises(AttributeError, match="No batching rule defined"):
        f(1.0)
    f.def_vmap(lambda n, flags, x: x)
    with pytest.raises(TypeError, match=r"must return a pair \(out, out_batched\)"):
        vmap(f)(X)
    f.def_vmap(lambda n, flags, x: (x[0], True))
    with pytest.raises(ValueError, match=r"leading axis must be of size 3; its shape is \(\)"):
        vmap(f)(X)
    f.def_vmap(lambda n, flags, x: (x, (True, True)))
    with pytest.raises(ValueError, match="in the same structure"):
        vmap(f)(X)


# ------------------------------------------------------------------ linear_call


def divide(x, y):
    return linear_call(lambda r, v: v / r, lambda r, ct: 10 * ct / r, y, x)


def test_the_given_transpose_is_used():
    assert divide(6.0, 2.0) == 3.0
    assert grad(divide)(6.0, 2.0) == 5.0 and jit(grad(divide))(6.0, 2.0) == 5.0
    assert grad(jit(divide))(6.0, 2.0) == 5.0
    assert adlib.jvp(lambda x: divide(x, 2.0), (6.0,), (1.0,))[1] == 0.5
    assert adlib.linear_transpose(lambda x: divide(x, 2.0), 1.0)(4.0)[0] == 20.0
    np.testing.assert_array_equal(vmap(grad(divide), (0, None))(X, 2.0), [5.0] * 3)
    np.testing.assert_array_equal(vmap(grad(divide), (None, 0))(6.0, X + 1), 10 / (X + 1))
    np.testing.assert_array_equal(vmap(divide)(X, X + 1), X / (X + 1))


def test_residuals_are_differentiated_through_the_function():
    np.testing.assert_allclose(grad(divide, 1)(6.0, 2.0), -1.5)


def test_trees_and_mistakes():
    def f(x):
        return linear_call(
            lambda r, v: v["a"] * r[0] + v["b"],
            lambda r, ct: {"a": ct * r[0], "b": ct},
            (3.0,),
            {"a": x, "b": 2 * x},
        )

    assert f(1.0) == 5.0 and grad(f)(1.0) == 5.0
    bad = lambda x: linear_call(lambda r, v: v, lambda r, ct: (ct, ct), (), x)  # noqa: E731
    with pytest.raises(TypeError, match="must return what linear_args is"):
        grad(bad)(1.0)
    narrow = lambda x: jnp.sum(linear_call(lambda r, v: v, lambda r, ct: ct[0], (), x))  # noqa: E731
    with pytest.raises(TypeError, match=r"returned f32\[\] for a linear argument of type f32\[3\]"):
        grad(narrow)(X)


def test_results_are_arrays_without_vmap_too():
    @custom_vmap
    def f(x, y):
        return {"product": x * y}

    @f.def_vmap
    def rule(axis_size, in_batched, x, y):
        return {"product": x * y}, {"product": True}

    assert isinstance(f(2.0, 3.0)["product"], adlib.Array)
