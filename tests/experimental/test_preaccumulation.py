"""Elimination of vertices: the Jacobian in every order, the costs, the optimum."""

import itertools

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.experimental.preaccumulation import (
    ORDERS,
    _cost,
    _graph,
    accumulated_jacobian,
    elimination_plan,
    preaccumulate,
)
from adlib.test_util import check_grads


@pytest.fixture(autouse=True)
def x64():
    with adlib.enable_x64(True):
        yield


def lens(a, b):
    y = jnp.sin(jnp.exp(a * b))
    return y * a, y * b


def shared(a, b):
    u = a * b
    v = jnp.sin(u) + u
    return v * u, v, u  # results that feed one another


def vectors(x, m):
    h = jnp.tanh(m @ x)
    return {"s": jnp.sum(h * x), "h": adlib.jit(jnp.exp)(h[:2])}


def constants(a, n):
    return a * n, n + 1, 3.0


def chain(a, b, length=8):
    for _ in range(length):
        a, b = jnp.sin(a) * b, a + jnp.cos(b)
    return a, b


X, M = np.array([0.3, -0.7, 1.1]), np.random.default_rng(0).normal(size=(3, 3))
CASES = {
    "lens": (lens, (0.3, 0.8)),
    "shared": (shared, (0.3, 0.8)),
    "vectors": (vectors, (X, M)),
    "constants": (constants, (0.3, 2)),
    "chain": (chain, (0.3, 0.8)),
    "identity": (lambda a, b: (a, b * 1.0, a), (0.3, 0.8)),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", CASES)
def test_the_jacobian_is_the_same_in_every_order(name, order):
    f, args = CASES[name]
    if (name, order) == ("chain", "optimal"):
        args, f = args, lambda a, b: lens(*lens(a, b))
    found = accumulated_jacobian(f, order)(*args)
    floats = [i for i, a in enumerate(args) if np.asarray(a).dtype.kind == "f"]
    argnums = tuple(range(len(floats)))
    of_floats = adlib.jacfwd(lambda *moved: f(*_merge(args, floats, moved)), argnums)
    theirs = iter(adlib.tree_util.tree_leaves(of_floats(*[args[i] for i in floats])))
    for i, x in enumerate(adlib.tree_util.tree_leaves(found)):
        if i % len(args) in floats:
            y = next(theirs)
            y = y if y.dtype != adlib.float0 else np.zeros(y.shape)
            np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


def _merge(args, places, moved):
    args = list(args)
    for i, value in zip(places, moved, strict=True):
        args[i] = value
    return args


@pytest.mark.parametrize("f", [lens, shared, lambda a, b: lens(b, jnp.sin(a) * b)])
def test_the_optimum_is_the_best_of_all_orders(f):
    closed = adlib.make_jaxpr(f)(1.0, 2.0)
    graph = _graph(closed)
    best = min(_cost(graph, order)[0] for order in itertools.permutations(graph.middle()))
    plans = {order: elimination_plan(f, order)(1.0, 2.0) for order in ORDERS}
    assert plans["optimal"].multiplications == best
    assert all(p.multiplications >= best for p in plans.values())
    assert plans["forward"].order == plans["reverse"].order[::-1]
    assert set(plans["optimal"].order) == set(plans["forward"].order)


def test_the_costs_are_those_of_the_modes():
    # a chain of n scalars: n - 1 products in every order
    plan = elimination_plan(lambda x: jnp.sin(jnp.sin(jnp.sin(x))), "reverse")(1.0)
    assert (plan.multiplications, plan.additions) == (2, 0)
    assert [plan.equations[v] for v in plan.order] == ["sin", "sin"]
    assert elimination_plan(lens, "markowitz")(1.0, 2.0).multiplications == 7


@pytest.mark.parametrize("order", ORDERS)
def test_a_preaccumulated_function_differentiates_as_before(order):
    f = preaccumulate(lens, order)
    assert f.__name__ == "preaccumulated_lens"
    np.testing.assert_allclose(f(0.3, 0.8), lens(0.3, 0.8))
    check_grads(f, (0.3, 0.8), order=2)
    np.testing.assert_allclose(
        adlib.jit(adlib.jacrev(f, (0, 1)))(0.3, 0.8), adlib.jacrev(lens, (0, 1))(0.3, 0.8)
    )
    np.testing.assert_allclose(
        adlib.vmap(adlib.grad(lambda a, b: f(a, b)[0]))(X, X),
        adlib.vmap(adlib.grad(lambda a, b: lens(a, b)[0]))(X, X),
    )


def test_trees_and_whole_numbers():
    f = preaccumulate(lambda tree, n: {"y": tree["x"] ** 2 * n, "n": n})
    slope = adlib.grad(lambda x: jnp.sum(f({"x": x}, 3)["y"]))(X)
    np.testing.assert_allclose(slope, 6 * X)


def test_the_pushforward_multiplies_with_the_jacobian_only():
    def length_of(f):
        _, push = adlib.linearize(f, 0.3, 0.8)
        return len(adlib.make_jaxpr(push)(1.0, 1.0).eqns)

    short, long = (lambda a, b, n=n: chain(a, b, n) for n in (3, 9))
    assert length_of(preaccumulate(short)) == length_of(preaccumulate(long))
    assert length_of(preaccumulate(long)) < length_of(long)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: preaccumulate(lens, "best"), "takes the orders forward, reverse, markowitz"),
        (lambda: elimination_plan(lens, "best"), "it was given 'best'"),
        (lambda: accumulated_jacobian(chain, "optimal")(1.0, 2.0), "at most 16 intermediate"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
