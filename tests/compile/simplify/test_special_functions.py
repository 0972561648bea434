"""Functions and draws that are loops: native, and equal to what they are eagerly."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, random
from adlib.compile.schedule import Schedule
from adlib.compile.simplify import simplify
from tests.compile.test_every_primitive import compile_and_compare

EDGES = [-1.0, -0.0, 0.0, 1e-30, 1e-3, 0.5, 1.0, 2.5, 30.0, 1e4, 1e30, np.inf, np.nan]


def agree(f, *args, factor=8.0):
    closed = adlib.make_jaxpr(f)(*args)
    assert Schedule(simplify(closed)).native
    return compile_and_compare(closed, [x._value for x in args], factor=factor)


@pytest.mark.parametrize("f", [lax.igamma_grad_a, lax.random_gamma_grad])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_derivatives_in_the_parameter(f, dtype):
    rng = np.random.default_rng(0)
    with adlib.config.override(jax_enable_x64=True):
        a = jnp.asarray(rng.uniform(0.05, 60, (9, 7)).astype("float32")).astype(dtype)
        x = jnp.asarray(rng.uniform(0.01, 80, (9, 7)).astype("float32")).astype(dtype)
        agree(f, a, x)
        agree(f, a[:1], x)
        agree(f, a[0, 0], x)
        agree(f, a[:0], x[:0])
        a, x = (v.reshape(-1).astype(dtype) for v in jnp.meshgrid(*[jnp.asarray(EDGES)] * 2))
        agree(f, a, x)


def test_derivatives_of_the_incomplete_gamma_function():
    a, x = jnp.linspace(0.3, 9, 50), jnp.linspace(0.1, 20, 50)
    agree(adlib.grad(lambda a, x: jnp.sum(adlib.scipy.special.gammainc(a, x))), a, x)
    agree(adlib.grad(lambda a, x: jnp.sum(adlib.scipy.special.gammaincc(a, x) ** 2)), a, x)


@pytest.mark.parametrize("draw", [random.gamma, random.loggamma])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_draws_are_those_of_the_eager_run(draw, dtype):
    with adlib.config.override(jax_enable_x64=True):
        key = random.key(7)
        a = jnp.asarray(np.tile([0.02, 0.3, 1.0, 1.5, 20.0, 1e4], 50)).astype(dtype)
        agree(lambda k, a: draw(k, a, dtype=dtype), key, a, factor=100)
        a = jnp.asarray(EDGES).astype(dtype)
        agree(lambda k, a: draw(k, a, dtype=dtype), key, a, factor=100)
        agree(lambda k, a: draw(k, a, (0,), dtype=dtype), key, a[7])


def test_draws_by_many_keys_and_their_slopes():
    keys = random.split(random.key(1), 12)
    a = jnp.linspace(0.2, 4, 12)
    agree(adlib.vmap(lambda k, a: random.gamma(k, a)), keys, a, factor=100)
    agree(adlib.vmap(adlib.grad(lambda a, k: random.gamma(k, a))), a, keys, factor=100)
    agree(lambda k, a: random.dirichlet(k, a, (5,)), keys[0], a, factor=100)
    agree(lambda k, a: random.beta(k, a, a + 1), keys[0], a, factor=100)
    agree(lambda k, a: random.t(k, a), keys[0], a, factor=200)


def test_older_counters_go_the_long_way():
    with adlib.config.override(jax_threefry_partitionable=False):
        key, a = random.key(3), jnp.linspace(0.2, 4, 30)
        closed = adlib.make_jaxpr(lambda k, a: random.gamma(k, a))(key, a)
        compile_and_compare(closed, [key._value, a._value], factor=100)


def test_mean_and_variance_of_draws():
    a = jnp.asarray([0.1, 1.0, 7.0])
    x = adlib.jit(lambda k: random.gamma(k, a[:, None], (3, 40_000)))(random.key(0))
    np.testing.assert_allclose(x.mean(1), a, rtol=0.05)
    np.testing.assert_allclose(x.var(1), a, rtol=0.1)
