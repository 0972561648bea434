"""custom_gradient and closure_convert."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import closure_convert, custom_gradient, grad, hessian, jit, vmap


@custom_gradient
def scaled(x):
    return x**2, lambda g: g * 7.0 * x


@custom_gradient
def two_arguments(x, y):
    return x * y, lambda g: (g * 10.0 * y, g * 100.0 * x)


@custom_gradient
def of_trees(p):
    def pullback(g):
        return {"a": g["s"] * 5.0, "b": g["t"] * p["a"]}

    return {"s": p["a"] + p["b"], "t": p["a"] * p["b"]}, pullback


ROUTES = {
    "grad": lambda f: grad(f),
    "jit": lambda f: jit(grad(f)),
    "grad of jit": lambda f: grad(jit(f)),
    "vmap": lambda f: lambda *a: vmap(grad(f))(*[jnp.asarray(v)[None] for v in a])[0],
    "vjp": lambda f: lambda *a: adlib.vjp(f, *a)[1](1.0)[0],
    "scan": lambda f: grad(
        lambda *a: adlib.lax.scan(lambda c, _: (c, f(*a)), 0.0, None, length=1)[1][0]
    ),
}


@pytest.mark.parametrize("route", ROUTES)
def test_the_given_pullback_is_used(route):
    for _ in range(3):
        assert float(ROUTES[route](scaled)(3.0)) == 21.0
        assert float(ROUTES[route](two_arguments)(3.0, 2.0)) == 20.0


def test_values_several_arguments_and_trees():
    assert float(scaled(3.0)) == 9.0 and float(jit(scaled)(3.0)) == 9.0
    assert [float(g) for g in grad(two_arguments, (0, 1))(3.0, 2.0)] == [20.0, 300.0]
    g = grad(lambda p: of_trees(p)["s"] + 2 * of_trees(p)["t"])({"a": 3.0, "b": 4.0})
    assert (float(g["a"]), float(g["b"])) == (5.0, 6.0)


def test_second_derivatives_go_through_the_pullback():
    assert float(grad(grad(scaled))(3.0)) == 7.0
    assert float(hessian(scaled)(3.0)) == 7.0


def test_closure_convert_hoists_what_is_transformed():
    seen = []

    def outer(w, x):
        f = lambda v: jnp.sum(w * v) * 3  # noqa: E731
        converted, consts = closure_convert(f, x)
        seen.append(len(consts))
        return converted(x, *consts)

    w, x = jnp.arange(3.0), jnp.ones(3)
    assert float(outer(w, x)) == 9.0
    for route in (grad(outer), jit(grad(outer))):
        np.testing.assert_allclose(route(w, x), 3 * x)
    assert set(seen[1:]) == {1}


def test_integers_that_are_closed_over_stay_inside():
    def outer(i, w):
        converted, consts = closure_convert(lambda v: v * w * i, 1.0)
        assert len(consts) == 1
        return converted(2.0, *consts)

    assert float(jit(outer)(3, 5.0)) == 30.0


def test_other_arguments_than_the_examples():
    converted, consts = closure_convert(lambda p: p["a"] * 2.0, {"a": 1.0})
    assert float(converted({"a": 3.0}, *consts)) == 6.0
    with pytest.raises(TypeError) as caught:
        converted([1.0], *consts)
    assert "closure-converted <lambda> called with arguments of structure" in str(caught.value)
    assert "PyTreeDef(({'a': *},))" in str(caught.value)


@pytest.mark.parametrize("returned", [3.0, (1.0,), (1.0, 2.0), (1.0, abs, abs)])
def test_what_is_no_pair_of_value_and_pullback(returned):
    def f(x):
        return returned

    for run in (custom_gradient(f), grad(custom_gradient(f))):
        with pytest.raises(TypeError) as caught:
            run(1.0)
        message = str(caught.value)
        assert "custom_gradient expects f to return a pair (value, vjp)" in message
        assert "test_custom.py" in message
