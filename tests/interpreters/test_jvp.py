"""Forward mode."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core, jvp, make_jaxpr
from adlib.core import Zero
from adlib.interpreters.jvp import jvp_flat, jvp_jaxpr

x = jnp.array([0.5, 1.5])


def names(closed):
    return [e.primitive.name for e in closed.eqns]


def test_symbolic_zeros_cost_nothing():
    closed = make_jaxpr(lambda x, y, t: jvp(lambda x: x * jnp.sin(y), (x,), (t,)))(x, x, x)
    assert names(closed) == ["sin", "mul", "mul"]


def test_flat_interface_with_zeros():
    outs, tangents = jvp_flat(
        lambda a, b: [jnp.sin(a), b, a * b], [x, x], [Zero.like(x), jnp.ones(2)]
    )
    assert type(tangents[0]) is Zero and tangents[0].aval is x.aval
    np.testing.assert_array_equal(tangents[1], np.ones(2))
    np.testing.assert_allclose(tangents[2], x)
    assert len(outs) == 3


def test_values_without_a_tangent_come_out_as_they_are():
    seen = []

    def f(x):
        y = jnp.floor(x)
        seen.append(type(y).__name__)
        return x * y

    for _ in range(3):
        jvp(f, (x,), (x,))
    assert seen == ["ArrayImpl"] * 3


def test_integer_results_have_float0_tangents():
    y, t = jvp(lambda x: (x * 2, jnp.argmax(x), x > 1), (x,), (x,))
    assert t[0].dtype == np.float32
    for tangent, value in zip(t[1:], y[1:], strict=True):
        assert tangent.dtype == adlib.float0 and tangent.shape == value.shape


def test_integer_arguments_take_float0_tangents():
    zero = np.zeros((2,), adlib.float0)
    y, t = jvp(lambda i, x: x * i, (jnp.arange(2), x), (zero, x))
    np.testing.assert_allclose(t, x * np.arange(2))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_nesting(order):
    f = jnp.exp
    for _ in range(order):
        f = (lambda g: lambda v: jvp(g, (v,), (1.0,))[1])(f)
    np.testing.assert_allclose(f(0.5), np.exp(0.5), rtol=1e-6)


def test_nested_perturbations_are_not_confused():
    # d/dx (x * d/dy (x + y)) = 1: Siskind & Pearlmutter, "Perturbation confusion"
    inner = lambda x: jvp(lambda y: x + y, (1.0,), (1.0,))[1]  # noqa: E731
    assert float(jvp(lambda x: x * inner(x), (3.0,), (1.0,))[1]) == 1.0


def test_jvp_of_a_jaxpr():
    closed = make_jaxpr(lambda a, b: (a * b, jnp.sin(b), jnp.floor(b)))(x, x)
    pushed, mask = jvp_jaxpr(closed, [True, False])
    assert mask == [True, False, False]
    assert len(pushed.in_avals) == 3 and len(pushed.out_avals) == 4
    assert jvp_jaxpr(closed, [True, False])[0] is pushed
    full, mask = jvp_jaxpr(closed, [True, False], True)
    assert mask == [True] * 3 and len(full.out_avals) == 6
    some, mask = jvp_jaxpr(closed, [True, False], [True, True, False])
    assert mask == [True, True, False]
    core.check_jaxpr(full.jaxpr)


def test_programs_derived_from_rules_are_those_of_the_rules():
    def f(v):
        return jnp.tanh(v) * jnp.sort(v)[::-1] / (1 + v**2)

    first = jvp(f, (x,), (x,))
    for _ in range(3):
        again = jvp(f, (x,), (x,))
        for a, b in zip(first, again, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
            assert a.aval is b.aval


def test_the_rule_is_staged_once():
    calls = []
    p = core.Primitive("counted")
    p.def_abstract_eval(lambda x: x)
    p.def_impl(lambda x: 2 * x)

    @p.def_jvp
    def _(primals, tangents):
        calls.append(1)
        return p.bind(*primals), tangents[0] * 2.0

    for wanted in (1, 2, 2, 2):  # run, staged, kept
        jvp(p.bind, (x,), (x,))
        assert len(calls) == wanted
    jvp(p.bind, (jnp.ones(5),), (jnp.ones(5),))  # other types: a rule of their own
    assert len(calls) == 3
