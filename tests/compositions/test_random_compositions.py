"""Random programs under random chains of transformations: every way to compute agrees.

A program is a sequence of steps on three vectors; a chain is a word over transformations.
Each chain has a meaning that can be computed another way (a loop instead of vmap, a pullback
instead of a pushforward, no jit), and both must agree.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import adlib
import adlib.numpy as jnp
from adlib import lax

N = 3  # size of the vectors


@adlib.custom_jvp
def softened(x):
    return jnp.log1p(x**2)


softened.defjvps(lambda t, ans, x: t * (2 * x / (1 + x**2)))


@adlib.custom_vjp
def scaled(x, y):
    return x * jnp.cos(y)


scaled.defvjp(
    lambda x, y: (scaled(x, y), (x, y)),
    lambda res, g: (g * jnp.cos(res[1]), -g * res[0] * jnp.sin(res[1])),
)


def matrix(x):
    return jnp.outer(x, jnp.arange(1.0, N + 1)) * 0.3 + jnp.eye(N)


# name: (step, whether forward mode can differentiate it)
STEPS = {
    "sin": (lambda x, y: jnp.sin(x) + y, True),
    "mul": (lambda x, y: x * y, True),
    "tanh dot": (lambda x, y: jnp.tanh(matrix(y) @ x), True),
    "exp": (lambda x, y: jnp.exp(-(x**2)) - y, True),
    "division": (lambda x, y: x / (1.5 + jnp.cos(y)), True),
    "sum": (lambda x, y: x * jnp.sum(y), True),
    "index": (lambda x, y: x[jnp.array([2, 0, 1])] + y[0], True),
    "update": (lambda x, y: x.at[1].multiply(y[2]), True),
    "where": (lambda x, y: jnp.where(x > y, x * y, x - y), True),
    "concatenate": (lambda x, y: jnp.concatenate([x[1:], y[:1]]) * 0.7, True),
    "cumsum": (lambda x, y: jnp.cumsum(x) * 0.5 + y, True),
    "maximum": (lambda x, y: jnp.maximum(x, y) * 0.9, True),
    "scan": (lambda x, y: lax.scan(lambda c, v: (jnp.sin(c + v), c * v), x[0], y)[1], True),
    "fori": (lambda x, y: lax.fori_loop(0, 3, lambda i, v: jnp.sin(v) * y + i, x), True),
    "cond": (
        lambda x, y: lax.cond(x[0] > y[1], lambda u, v: u * v, lambda u, v: u + v, x, y),
        True,
    ),
    "inner jit": (lambda x, y: adlib.jit(lambda u, v: jnp.cos(u) * v)(x, y), True),
    "inner vmap": (lambda x, y: adlib.vmap(lambda u, v: u * jnp.sin(v))(x, y), True),
    "inner grad": (lambda x, y: adlib.grad(lambda u: jnp.sum(jnp.sin(u) * y))(x), True),
    "inner jvp": (lambda x, y: adlib.jvp(jnp.tanh, (x,), (y,))[1], True),
    "checkpoint": (lambda x, y: adlib.checkpoint(lambda u, v: jnp.sin(u * v))(x, y), True),
    "custom_jvp": (lambda x, y: softened(x) * y, True),
    "custom_vjp": (lambda x, y: scaled(x, y), False),
}

programs = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 2), st.integers(0, 2)),
    min_size=1,
    max_size=4,
)


def build(program):
    """A function R^N -> R^N, and whether forward mode applies to it."""

    def f(x):
        values = [x, jnp.cos(x), x * 0.5 + 0.3]
        for name, i, j in program:
            values = [*values[1:], STEPS[name][0](values[i], values[j])]
        return values[-1] + 0.1 * values[0]

    return f, all(STEPS[name][1] for name, _, _ in program)


def apply_chain(word, f, reference):
    """``f`` under a chain of transformations that each give R^N -> R^N again.

    With ``reference`` the same function is built without jit and with loops for vmap.
    """
    for letter in word:
        f = TRANSFORMATIONS[letter](f, reference)
    return f


def direction(x):
    return jnp.cos(jnp.arange(1.0, N + 1)) + 0 * x


def by_jit(f, reference):
    return f if reference else adlib.jit(f)


def by_vmap(f, reference):
    """Mean over three shifted copies of the argument."""

    def g(x):
        shifted = jnp.stack([x, x + 0.1, x - 0.2])
        if reference:
            return (f(shifted[0]) + f(shifted[1]) + f(shifted[2])) / 3
        return jnp.mean(adlib.vmap(f)(shifted), axis=0)

    return g


def by_jvp(f, reference):
    """A pushforward; by reverse mode over reverse mode in the reference."""

    def g(x):
        v = direction(x)
        if not reference:
            return adlib.jvp(f, (x,), (v,))[1]
        y, pullback = adlib.vjp(f, x)
        _, transposed = adlib.vjp(lambda u: pullback(u)[0], jnp.zeros_like(y))
        return transposed(v)[0]

    return g


def by_vjp(f, reference):
    """A pullback; from the rows of the Jacobian in the reference."""

    def g(x):
        w = direction(x)
        if not reference:
            return adlib.vjp(f, x)[1](w)[0]
        return w @ adlib.jacrev(f)(x)

    return g


def by_linearize(f, reference):
    def g(x):
        v = direction(x)
        if not reference:
            return adlib.linearize(f, x)[1](v)
        return adlib.jvp(f, (x,), (v,))[1]

    return g


def by_grad(f, reference):
    def g(x):
        loss = lambda u: jnp.sum(jnp.sin(f(u)))  # noqa: E731
        if not reference:
            return adlib.grad(loss)(x)
        return adlib.value_and_grad(adlib.jit(loss))(x)[1]

    return g


def by_checkpoint(f, reference):
    return f if reference else adlib.checkpoint(f)


TRANSFORMATIONS = {
    "jit": by_jit,
    "vmap": by_vmap,
    "jvp": by_jvp,
    "vjp": by_vjp,
    "linearize": by_linearize,
    "grad": by_grad,
    "checkpoint": by_checkpoint,
}
FORWARD = {"jvp", "linearize"}
DERIVATIVES = {"jvp", "vjp", "linearize", "grad"}

chains = st.lists(st.sampled_from(sorted(TRANSFORMATIONS)), min_size=1, max_size=4).filter(
    lambda word: sum(letter in DERIVATIVES for letter in word) <= 2
)
points = st.lists(st.floats(-1.0, 1.0, allow_nan=False, width=32), min_size=N, max_size=N)


@pytest.fixture(autouse=True)
def double_precision():
    with adlib.enable_x64():
        yield


@seed(20240601)
@settings(
    max_examples=300, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow,
                           HealthCheck.filter_too_much],
)  # fmt: skip
@given(program=programs, word=chains, point=points)
def test_chains_of_transformations_agree(program, word, point):
    f, forward = build(program)
    if not forward and FORWARD & set(word):
        word = [letter if letter not in FORWARD else "vjp" for letter in word]
    x = jnp.asarray(np.array(point) + np.array([0.013, 0.027, 0.041]))
    got = apply_chain(word, f, reference=False)(x)
    want = apply_chain(word, f, reference=True)(x)
    np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_step_agrees_with_finite_differences(name):
    """The programs are right, not only consistent."""
    f, _ = build([(name, 0, 1)])
    x = jnp.asarray([0.313, -0.627, 0.441])
    v, w, eps = np.array([0.3, -0.5, 0.7]), np.array([1.0, 0.4, -0.6]), 1e-6
    numeric = w @ (np.asarray(f(x + eps * v)) - np.asarray(f(x - eps * v))) / (2 * eps)
    pulled = adlib.vjp(f, x)[1](jnp.asarray(w))[0]
    np.testing.assert_allclose(np.asarray(pulled) @ v, numeric, rtol=1e-6, atol=1e-8)
