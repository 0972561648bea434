"""Loops under every transformation, and the errors that explain what they cannot do."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from tests.support import check_everywhere


@pytest.fixture(autouse=True)
def double_precision():
    with adlib.enable_x64():
        yield


def array(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.3, 1.0, shape)


def scan_sum(init, xs):
    return lax.scan(lambda c, x: (jnp.sin(c) * x + c, c * x), init, xs)


def scan_reverse(init, xs):
    return lax.scan(lambda c, x: (c + x**2, jnp.exp(-c) * x), init, xs, reverse=True)


def scan_closure(w, init, xs):
    def step(c, x):
        new = jnp.tanh(w @ c + x)
        return new, jnp.sum(new)

    return lax.scan(step, init, xs)


def scan_tree(init, xs):
    def step(carry, x):
        a, b = carry["a"], carry["b"]
        return {"a": a * b, "b": b + x}, (a, x * b)

    return lax.scan(step, {"a": init, "b": init * 2}, xs)


def scan_counter(init, xs):
    def step(carry, x):
        i, c = carry
        return (i + 1, c * x + i), c

    (_, c), ys = lax.scan(step, (0, init), xs)
    return c, ys


def scan_without_xs(init):
    return lax.scan(lambda c, _: (jnp.cos(c), c), init, None, length=4)


def scan_nested(init, xs):
    def outer(c, x):
        inner, _ = lax.scan(lambda d, y: (d * y + x, None), c, xs)
        return inner * 0.5, inner

    return lax.scan(outer, init, xs)


def fori(x):
    return lax.fori_loop(0, 4, lambda i, v: jnp.sin(v) + i * x, x)


def mapped(xs):
    return lax.map(lambda x: x**2 * jnp.exp(x), xs)


def prefix_products(xs):
    return lax.associative_scan(jnp.multiply, xs)


def prefix_affine(a, b):
    return lax.associative_scan(lambda p, q: (p[0] * q[0], p[1] * q[0] + q[1]), (a, b))


CASES = {
    "scan": (scan_sum, (array(), array(4))),
    "scan of vectors": (scan_sum, (array(2), array(3, 2))),
    "reverse": (scan_reverse, (array(), array(4))),
    "closure": (scan_closure, (array(2, 2), array(2), array(3, 2))),
    "tree": (scan_tree, (array(), array(3))),
    "counter": (scan_counter, (array(), array(3))),
    "no xs": (scan_without_xs, (array(),)),
    "nested": (scan_nested, (array(), array(3))),
    "length 0": (scan_sum, (array(), array(0))),
    "fori_loop": (fori, (array(),)),
    "map": (mapped, (array(3),)),
    "associative_scan": (prefix_products, (array(5),)),
    "associative_scan of pairs": (prefix_affine, (array(4), array(4, seed=1))),
}


@pytest.mark.parametrize("name", CASES)
def test_loop_under_every_transformation(name):
    f, args = CASES[name]
    check_everywhere(f, args)


def newton_sqrt(a):
    def improve(carry):
        x, _ = carry
        return 0.5 * (x + a / x), x

    return lax.while_loop(lambda c: jnp.abs(c[0] - c[1]) > 1e-13, improve, (a, a + 1.0))[0]


WHILE_CASES = {
    "newton": (newton_sqrt, (array(),)),
    "growth": (
        lambda x, r: lax.while_loop(lambda v: v < 10.0, lambda v: v * (1 + r), x),
        (array(), array()),
    ),
    "dynamic fori_loop": (
        lambda x: lax.fori_loop(0, jnp.asarray(3) + 0, lambda i, v: v * x, x),
        (array(),),
    ),
}


@pytest.mark.parametrize("name", WHILE_CASES)
def test_while_loop_in_forward_mode(name):
    f, args = WHILE_CASES[name]
    check_everywhere(f, args, modes=("fwd",), order=2)


def test_reverse_mode_of_while_loop_is_explained():
    with pytest.raises(ValueError, match="Reverse-mode differentiation does not work for") as e:
        adlib.grad(newton_sqrt)(2.0)
    for repair in ("lax.scan", "custom_vjp", "forward mode"):
        assert repair in str(e.value)


def test_while_loop_whose_condition_is_batched_stops_each_example_by_itself():
    f = lambda x: lax.while_loop(lambda v: v < 100.0, lambda v: v * x, x)  # noqa: E731
    assert adlib.vmap(f)(jnp.array([2.0, 3.0, 50.0])).tolist() == [128.0, 243.0, 2500.0]


def test_scan_keeps_loop_constants_unstacked():
    """The gradient of a scan over W must not store W once for each round."""
    w = jnp.ones((4, 4)) * 0.1

    def loss(w):
        c, _ = lax.scan(lambda c, _: (jnp.tanh(w @ c), None), jnp.ones(4), None, length=7)
        return jnp.sum(c)

    jaxpr = adlib.make_jaxpr(adlib.grad(loss))(w)
    shapes = [v.aval.shape for e in jaxpr.eqns if e.primitive.name == "scan" for v in e.outvars]
    assert (7, 4, 4) not in shapes


MISTAKES = [
    (lambda: lax.scan(lambda c, x: (c * 1j, x), jnp.zeros(()), jnp.ones(3)), TypeError,
     ["carry goes in as f64[]", "comes out as c128[]", "Repair"]),
    (lambda: lax.scan(lambda c, x: c, 0.0, jnp.ones(3)), TypeError,
     ["must be a pair (carry, y)", "return (carry, None)"]),
    (lambda: lax.scan(lambda c, x: ((c, c), x), 0.0, jnp.ones(3)), TypeError,
     ["same pytree structure"]),
    (lambda: lax.scan(lambda c, x: (c, x), 0.0, (jnp.ones(3), jnp.ones(4))), ValueError,
     ["different leading axis sizes", "f64[3]", "f64[4]"]),
    (lambda: lax.scan(lambda c, x: (c, x), 0.0), ValueError, ["`length` not provided"]),
    (lambda: lax.scan(lambda c, x: (c, x), 0.0, 1.0), ValueError, ["no leading axis to scan over"]),
    (lambda: lax.while_loop(lambda c: c, lambda c: c, 1.0), TypeError,
     ["cond_fun must return a boolean scalar", "jnp.any"]),
    (lambda: lax.while_loop(lambda c: c[0] < 1, lambda c: c[0], (1.0,)), TypeError,
     ["same pytree structure"]),
    (lambda: lax.while_loop(lambda c: c < 1, lambda c: jnp.stack([c, c]), 1.0), TypeError,
     ["comes out as f64[2]"]),
    (lambda: lax.fori_loop(0.0, 3, lambda i, x: x, 1.0), TypeError, ["must be integers"]),
    (lambda: lax.scan(3, 0.0, jnp.ones(3)), TypeError, ["should be a callable"]),
    (lambda: lax.associative_scan(jnp.add, (jnp.ones(3), jnp.ones(4))), ValueError,
     ["same size along axis"]),
]  # fmt: skip


@pytest.mark.parametrize("mistake, error, texts", MISTAKES)
def test_mistakes_are_explained(mistake, error, texts):
    with pytest.raises(error) as e:
        mistake()
    for text in [*texts, "test_loops.py"]:
        assert text in str(e.value)
