"""cond and switch under every transformation."""

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


def choose(flag):
    return lambda x, y: lax.cond(flag, lambda x, y: (x * y, x), lambda x, y: (x + y, y**2), x, y)


def by_value(x, y):
    return lax.cond(x > 0.5, jnp.sin, lambda v: v * y, x)


def closing(x, y):
    return lax.cond(x > 0.0, lambda: x * y, lambda: x - y)


def three_way(i):
    return lambda x: lax.switch(i, [jnp.sin, lambda v: v**3, lambda v: 2.0], x)


CASES = {
    "true": (choose(True), (array(), array(seed=1))),
    "false": (choose(False), (array(3), array(3, seed=1))),
    "predicate depends on x": (by_value, (array(), array(seed=1))),
    "closure": (closing, (array(), array(seed=1))),
    "switch 0": (three_way(0), (array(),)),
    "switch 1": (three_way(1), (array(),)),
    "switch constant": (three_way(2), (array(),)),
}


@pytest.mark.parametrize("name", CASES)
def test_branch_under_every_transformation(name):
    f, args = CASES[name]
    check_everywhere(f, args)


def test_index_is_clamped():
    branches = [lambda: 0.0, lambda: 1.0, lambda: 2.0]
    assert [float(lax.switch(i, branches)) for i in (-5, 1, 9)] == [0.0, 1.0, 2.0]


def test_batched_predicate_selects_for_each_example():
    f = lambda p, x: lax.cond(p, jnp.sin, jnp.cos, x)  # noqa: E731
    flags, xs = jnp.array([True, False]), jnp.array([1.0, 1.0])
    np.testing.assert_allclose(adlib.vmap(f)(flags, xs), [np.sin(1.0), np.cos(1.0)])
    np.testing.assert_allclose(adlib.vmap(adlib.grad(f, 1))(flags, xs), [np.cos(1.0), -np.sin(1.0)])


def test_only_the_chosen_branch_runs():
    seen = []

    def loud(name):
        @adlib.custom_vjp
        def f(x):
            return x

        f.defvjp(lambda x: (x, None), lambda res, g: (seen.append(name) or g,))
        return f

    adlib.grad(lambda x: lax.cond(True, loud("yes"), loud("no"), x))(1.0)
    assert "yes" in seen


MISTAKES = [
    (lambda: lax.cond(True, lambda x: x, lambda x: (x, x), 1.0), TypeError,
     ["same pytree structure"]),
    (lambda: lax.cond(True, lambda x: x, lambda x: jnp.stack([x, x]), 1.0), TypeError,
     ["equal output types", "f64[]", "f64[2]"]),
    (lambda: lax.cond(jnp.array([True, False]), jnp.sin, jnp.cos, 1.0), TypeError,
     ["Pred must be a scalar", "jnp.where"]),
    (lambda: lax.cond(True, 1.0, 2.0), TypeError, ["should be callable", "jnp.where"]),
    (lambda: lax.switch(0, []), ValueError, ["Empty branch sequence"]),
    (lambda: lax.switch(0.5, [jnp.sin, jnp.cos], 1.0), TypeError, ["integer scalar"]),
]  # fmt: skip


@pytest.mark.parametrize("mistake, error, texts", MISTAKES)
def test_mistakes_are_explained(mistake, error, texts):
    with pytest.raises(error) as e:
        mistake()
    for text in [*texts, "test_cond.py"]:
        assert text in str(e.value)
