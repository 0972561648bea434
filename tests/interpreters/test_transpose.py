"""Transposition: linear programs read backwards."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core, lax, linear_transpose, make_jaxpr, vjp
from adlib.core import Zero
from adlib.core.trace import state
from adlib.interpreters.linearize import linearize_flat
from adlib.interpreters.transpose import pull_back, transpose_flat, transpose_jaxpr

x3 = jnp.arange(1.0, 4.0)
matrix = jnp.arange(6.0).reshape(2, 3)

# Linear functions of one vector of length 3.
LINEAR = {
    "scale": lambda x: 3.0 * x,
    "sum": jnp.sum,
    "matrix": lambda x: matrix @ x,
    "reverse": lambda x: x[::-1],
    "slice": lambda x: x[1:],
    "pad": lambda x: jnp.pad(x, (1, 2)),
    "gather": lambda x: x[jnp.array([0, 0, 2])],
    "broadcast": lambda x: jnp.broadcast_to(x, (2, 3)),
    "concatenate": lambda x: jnp.concatenate([x, 2 * x]),
    "cumsum": jnp.cumsum,
    "fan out": lambda x: x + 2 * x - x[0],
    "select": lambda x: jnp.where(jnp.array([True, False, True]), x, -x),
    "several": lambda x: (x, x.sum()),
    "unused": lambda x: jnp.zeros(2),
    "constant beside": lambda x: (x, jnp.ones(2)),
    "scan": lambda x: lax.scan(lambda c, v: (c + 2 * v, 3 * c), 0 * x[0], x)[1],
    "cond": lambda x: lax.cond(True, lambda v: 2 * v, lambda v: v, x),
    "jit": adlib.jit(lambda x: matrix @ x),
    "checkpoint": adlib.checkpoint(lambda x: matrix @ x),
    "vmap": adlib.vmap(lambda v: 2 * v),
    "dtype": lambda x: x.astype(jnp.float16),
}


@pytest.mark.parametrize("name", LINEAR)
def test_transposes_of_linear_functions(name):
    """⟨A x, w⟩ = ⟨x, Aᵀ w⟩, A being read off at the basis."""
    f = LINEAR[name]
    y = f(x3)
    ct = adlib.tree_util.tree_map(lambda v: jnp.cos(jnp.arange(v.size).reshape(v.shape)), y)
    ct = adlib.tree_util.tree_map(lambda c, v: c.astype(v.dtype), ct, y)
    f0 = adlib.tree_util.tree_leaves(f(jnp.zeros(3)))
    basis = [adlib.tree_util.tree_leaves(f(e)) for e in jnp.eye(3)]
    cts = adlib.tree_util.tree_leaves(ct)
    wanted = [
        sum(float(jnp.vdot(c, b - z)) for c, b, z in zip(cts, row, f0, strict=True))
        for row in basis
    ]
    for _ in range(2):
        for transpose in (linear_transpose(f, x3), adlib.jit(linear_transpose(f, x3))):
            (got,) = transpose(ct)
            np.testing.assert_allclose(got, wanted, rtol=2e-3 if name == "dtype" else 1e-5)
            assert got.aval.str_short() == "f32[3]"


def test_bilinear_functions_are_linear_in_each_argument():
    product = lambda a, b: a @ b  # noqa: E731
    a, b = matrix, jnp.ones((3, 2))
    ct = jnp.arange(4.0).reshape(2, 2)
    np.testing.assert_allclose(linear_transpose(lambda v: product(v, b), a)(ct)[0], ct @ b.T)
    np.testing.assert_allclose(linear_transpose(lambda v: product(a, v), b)(ct)[0], a.T @ ct)
    with pytest.raises(NotImplementedError, match="two linear arguments"):
        linear_transpose(product, a, b)(ct)


def test_pulling_back_zeros_and_several_cotangents():
    _, linear = linearize_flat(lambda a, b: [a * b, jnp.sin(a)], [x3, x3])
    ga, gb = pull_back(linear, [jnp.ones(3), Zero.like(x3)])
    np.testing.assert_allclose(ga, x3)
    ga, gb = pull_back(linear, [Zero.like(x3), jnp.ones(3)])
    np.testing.assert_allclose(ga, np.cos(x3), rtol=1e-6)
    assert type(gb) is Zero and gb.aval is x3.aval
    assert len(linear.tape.eqns) > 0


def test_the_tape_is_used_up_on_request():
    _, linear = linearize_flat(lambda a: [jnp.sin(a) * a], [x3])
    pull_back(linear, [jnp.ones(3)], consume=True)
    assert linear.tape.eqns == []


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_the_quick_sweep_and_the_general_one_agree(rounds):
    f = lambda a, b: jnp.tanh(a) * b / (1 + a**2) + b[0]  # noqa: E731
    for _ in range(rounds):
        quick = vjp(f, x3, x3)[1](jnp.ones(3))
    general = adlib.jit(lambda a, b: vjp(f, a, b)[1](jnp.ones(3)))(x3, x3)
    with adlib.enable_checks(True):
        checked = vjp(f, x3, x3)[1](jnp.ones(3))
    for a, b, c in zip(quick, general, checked, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
        np.testing.assert_allclose(a, c, rtol=1e-6)
        assert a.aval is b.aval is c.aval


def test_transposing_a_jaxpr():
    closed = make_jaxpr(lambda a, v: (a * v, jnp.sum(v), a))(x3, x3)
    transposed, mask = transpose_jaxpr(closed, [False, True], [True, False, False])
    assert mask == [True]
    assert [a.str_short() for a in transposed.in_avals] == ["f32[3]", "f32[3]"]
    np.testing.assert_allclose(core.jaxpr_as_fun(transposed)(x3, jnp.ones(3))[0], x3)
    assert transpose_jaxpr(closed, [False, True], [True, False, False])[0] is transposed
    nothing, mask = transpose_jaxpr(closed, [False, True], [False, False, True])
    assert mask == [False] and nothing.out_avals == []
    core.check_jaxpr(transposed.jaxpr)


def test_cotangents_add_up_where_values_fan_out():
    text = str(make_jaxpr(adlib.grad(lambda x: jnp.sum(x * x * x)))(x3))
    assert text.count("add_any") == 2


def test_gradients_have_the_types_of_their_arguments():
    x = (1.0, jnp.float32(2.0), jnp.ones(2, jnp.bfloat16), jnp.ones(2, jnp.float16))
    f = lambda a, b, c, d: (a * b * c.sum() * d.sum()).astype(jnp.float32)  # noqa: E731
    for _ in range(3):
        got = adlib.grad(f, (0, 1, 2, 3))(*x)
        for g, v in zip(got, x, strict=True):
            assert g.aval is adlib.typeof(v)


NOT_LINEAR = {
    "sin": (jnp.sin, "'sin'"),
    "exp": (lambda x: 2 * jnp.exp(x), "'exp'"),
    "division by": (lambda x: 1.0 / x, "is not linear"),
    "comparison": (lambda x: jnp.where(x > 0, x, 0.0), "is not linear"),
}


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_functions_that_are_not_linear(name):
    f, text = NOT_LINEAR[name]
    for _ in range(2):
        with pytest.raises(NotImplementedError, match=text) as caught:
            linear_transpose(f, x3)(x3)
        assert "linear" in str(caught.value) and "test_transpose.py" in str(caught.value)
        assert state.trace is core.evaluate.evaluator


def test_flat_interface_leaves_no_trace_behind():
    linear = transpose_flat(lambda v: [2.0 * v], [x3.aval])
    assert not linear.tape.alive and state.trace is core.evaluate.evaluator
    with pytest.raises(ZeroDivisionError):
        transpose_flat(lambda v: 1 / 0, [x3.aval])
    assert state.trace is core.evaluate.evaluator
