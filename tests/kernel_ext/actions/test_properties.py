"""Properties: each holds for a good answer, and says of a bad one what is wrong."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.properties import (
    equations,
    no_array_larger_than,
    second_derivative,
    works_under_jit,
    works_under_vmap,
)


def test_jit():
    holds = works_under_jit(jnp.array([1.0, -2.0]))
    assert holds(lambda x: jnp.where(x > 0, x, 0.0)) == ""
    calls = []

    def impure(x):
        calls.append(1)
        return x * len(calls)

    assert holds(impure) == "under jit it gives something else"
    with pytest.raises(adlib.errors.TracerBoolConversionError):
        holds(lambda x: x if x[0] > 0 else -x)


def test_vmap():
    holds = works_under_vmap(jnp.array([1.0, -2.0]), jnp.array([3.0, 4.0]))
    assert holds(lambda x, y: x * y) == ""
    calls = []

    def impure(x, y):
        calls.append(1)
        return x * y * len(calls)

    assert holds(impure) == "under vmap it gives something else"


def test_second_derivatives():
    holds = second_derivative(lambda x: -np.sin(x), (0.5, 1.0))
    assert holds(jnp.sin) == ""
    frozen = lambda x: jnp.sin(1.0) + jnp.cos(1.0) * (x - 1.0)  # noqa: E731
    assert holds(frozen) == (
        "the derivative is right, but the derivative of the derivative is not: at 0.5 it is 0.0"
    )


def test_arrays_inside_of_loops_count_too():
    def pairs(x):
        return adlib.lax.fori_loop(0, 2, lambda _, s: s + jnp.sum(x[:, None] * x), 0.0)

    holds = no_array_larger_than(10, "all pairs", lambda attempt: (attempt, (jnp.ones(10),)))
    assert holds(lambda x: jnp.sum(x) ** 2) == ""
    assert holds(pairs) == (
        "the values are right, but it builds all pairs: an array of shape (10, 10)"
    )
    names = [eqn.primitive.name for eqn in equations(adlib.make_jaxpr(pairs)(jnp.ones(3)).jaxpr)]
    assert {"scan", "mul", "reduce_sum"} <= set(names)
