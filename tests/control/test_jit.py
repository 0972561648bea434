"""The jit primitive: a program as one operation, and its rules."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core, grad, jit, jvp, make_jaxpr, vmap
from adlib.control.jit import hoist_tracers, jit_p
from adlib.interpreters.stage import stage
from tests.support import check_everywhere

x3 = np.array([0.5, 1.0, 2.0])


@pytest.fixture
def double_precision():
    with adlib.enable_x64():
        yield


def several(x, y):
    return jnp.sin(x) * y, y, jnp.sum(x), 3.0


FUNCTIONS = {
    "one result": (jit(lambda x: jnp.tanh(x) * x), (x3,)),
    "several results": (jit(several), (x3, 2 * x3)),
    "nested": (jit(lambda x, y: jit(jnp.sin)(x) * jit(lambda v: v * y)(x)), (x3, 2 * x3)),
    "closure": (lambda x, y: jit(lambda v: v * y)(jnp.sin(x)), (x3, 2 * x3)),
    "twice": (lambda x: (f := jit(lambda v: jnp.cos(v) * v))(f(x)), (x3,)),
    "control flow": (jit(lambda x: adlib.lax.scan(lambda c, v: (c * v, c + v), x[0], x)), (x3,)),
    "dictionaries": (jit(lambda x: {"a": x, "b": (x**2,)}), (x3,)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_under_every_transformation(name, double_precision):
    f, args = FUNCTIONS[name]
    check_everywhere(f, args)


def jits(closed):
    return [e for e in closed.eqns if e.primitive is jit_p]


def test_it_stays_one_equation_under_each_transformation():
    f = jit(several)
    args = (jnp.ones(3), jnp.ones(3))
    (plain,) = jits(make_jaxpr(f)(*args))
    assert plain.params["name"] == "several" and set(plain.params) == {"jaxpr", "name"}
    assert len(jits(make_jaxpr(lambda *a: jvp(f, a, a))(*args))) == 1
    assert len(jits(make_jaxpr(vmap(f))(*args))) == 1
    # forward and backward pass of reverse mode are programs of their own
    backward = make_jaxpr(grad(lambda a, b: jnp.sum(f(a, b)[0])))(*args)
    assert [e.params["name"] for e in jits(backward)] == ["several"] * 2
    core.check_jaxpr(backward.jaxpr)


def test_transformed_once_for_each_way_of_transforming_it():
    calls = []

    @jit
    def f(x):
        calls.append(1)
        return jnp.sin(x)

    g = grad(lambda x: f(x) * 2.0)
    one = jnp.float32(1)
    for _ in range(3):
        g(one), vmap(g)(jnp.ones(2)), jvp(f, (one,), (one,))
    assert len(calls) == 1


def test_unknown_parts_only_are_recorded():
    f = jit(lambda x, y: (jnp.exp(x), x * y))
    closed = make_jaxpr(lambda x, y, t: jvp(lambda y: f(x, y), (y,), (t,)))(1.0, 2.0, 1.0)
    (call,) = jits(closed)
    names = [e.primitive.name for e in call.params["jaxpr"].eqns]
    assert names.count("exp") == 1 and names.count("mul") == 2


def test_results_that_need_no_tangent_have_none():
    y, t = jvp(jit(lambda x: (x * 2, 3, jnp.floor(x))), (1.0,), (1.0,))
    assert float(t[0]) == 2.0 and t[1].dtype == adlib.float0 and float(t[2]) == 0.0


def test_traced_constants_become_arguments():
    kept = []

    def outer(a):
        closed = stage(lambda x: [x * a + np.ones(3, np.float32)], [jnp.ones(3).aval])
        hoisted, consts = hoist_tracers(closed)
        kept.append((len(closed.consts), len(hoisted.consts), len(consts)))
        assert hoisted.jaxpr.eqns is closed.jaxpr.eqns and consts[0] is a
        return a

    jit(outer)(jnp.ones(3))
    assert kept == [(2, 1, 1)]
    closed = stage(lambda x: [x * 2.0], [jnp.ones(3).aval])
    assert hoist_tracers(closed) == (closed, [])


def test_linear_programs_transpose_to_one_equation():
    m = jnp.arange(6.0).reshape(2, 3)
    f = jit(lambda v: m @ v)
    transpose = adlib.linear_transpose(f, jnp.ones(3))
    np.testing.assert_allclose(transpose(jnp.ones(2))[0], m.sum(0))
    assert len(jits(make_jaxpr(transpose)(jnp.ones(2)))) == 1


def test_arguments_that_are_not_used():
    f = jit(lambda x, y: x * 2)
    assert [float(g) for g in grad(f, (0, 1))(1.0, 2.0)] == [2.0, 0.0]
    assert vmap(f, in_axes=(None, 0))(1.0, jnp.ones(2)).tolist() == [2, 2]
