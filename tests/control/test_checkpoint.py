"""checkpoint: same numbers, recomputation, policies."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import ad_checkpoint, checkpoint, checkpoint_policies, grad, make_jaxpr
from tests.support import check_everywhere


@pytest.fixture
def double_precision():
    with adlib.enable_x64():
        yield


def block(x, y):
    return jnp.sin(jnp.sin(x) * y) + jnp.cos(y)


CASES = {
    "one": checkpoint(block),
    "nested": lambda x, y: checkpoint(lambda u: checkpoint(block)(block(u, y), y))(x),
    "closure": lambda x, y: checkpoint(lambda u: u * jnp.exp(y))(x),
    "tree": lambda x, y: checkpoint(lambda p: {"s": p["x"] * p["y"]})({"x": x, "y": y})["s"],
    "dots kept": checkpoint(
        lambda x, y: jnp.tanh(jnp.outer(x, y) @ x), policy=checkpoint_policies.dots_saveable),
    "everything kept": checkpoint(block, policy=checkpoint_policies.everything_saveable),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_under_every_transformation(name, double_precision):
    x, y = np.random.default_rng(0).uniform(0.3, 1.0, (2, 3))
    check_everywhere(CASES[name], (x, y))


def count(jaxpr, name):
    from adlib.core.jaxpr import subjaxprs

    total = 0
    for eqn in jaxpr.eqns:
        total += eqn.primitive.name == name
        total += sum(count(sub, name) for _, sub in subjaxprs(eqn.params))
    return total


def sines_in_gradient(policy, f=None):
    f = f or (lambda x: jnp.sin(jnp.sin(jnp.sin(x))))
    return count(make_jaxpr(grad(checkpoint(f, policy=policy)))(1.0).jaxpr, "sin")


def test_the_reverse_sweep_computes_the_forward_again():
    plain = count(make_jaxpr(grad(lambda x: jnp.sin(jnp.sin(jnp.sin(x)))))(1.0).jaxpr, "sin")
    assert plain == 3
    assert sines_in_gradient(None) > plain


def test_policies_decide_what_is_computed_again():
    none = sines_in_gradient(checkpoint_policies.nothing_saveable)
    everything = sines_in_gradient(checkpoint_policies.everything_saveable)
    assert none > everything

    def named(x):
        return jnp.sin(ad_checkpoint.checkpoint_name(jnp.sin(jnp.sin(x)), "kept"))

    kept = sines_in_gradient(checkpoint_policies.save_only_these_names("kept"), named)
    lost = sines_in_gradient(checkpoint_policies.save_only_these_names("other"), named)
    assert kept < lost


def test_static_arguments():
    f = checkpoint(lambda x, n: x**n, static_argnums=1)
    assert float(grad(f)(2.0, 3)) == 12.0


def test_residuals_of_the_inside_are_not_kept():
    """What a pullback holds on to grows with the arguments only."""
    layer = checkpoint(lambda x: jnp.sin(jnp.sin(jnp.sin(jnp.sin(x)))))
    _, pullback = adlib.vjp(layer, jnp.ones(1000))
    held = [a for e in pullback._linear.tape.eqns for a in e.args if hasattr(a, "_value")]
    assert sum(a.nbytes for a in held) <= 4000


def test_policies_that_offload_keep_what_they_would_move():
    policies = adlib.checkpoint_policies
    places = dict(offload_src="device", offload_dst="pinned_host")
    named = policies.save_and_offload_only_these_names(
        names_which_can_be_saved=["a"], names_which_can_be_offloaded=["b"], **places
    )
    dots = policies.offload_dot_with_no_batch_dims(**places)

    def f(w, x):
        inner = adlib.ad_checkpoint.checkpoint_name(w @ jnp.sin(x), "b")
        return jnp.sum(jnp.sin(adlib.ad_checkpoint.checkpoint_name(jnp.cos(inner), "a")))

    w, x = jnp.arange(6.0).reshape(2, 3), jnp.ones(3)
    for policy in (named, dots):
        found = adlib.grad(adlib.checkpoint(f, policy=policy), (0, 1))(w, x)
        for a, b in zip(found, adlib.grad(f, (0, 1))(w, x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    with pytest.raises(ValueError, match="both lists have 'a'"):
        policies.save_and_offload_only_these_names(
            names_which_can_be_saved=["a"], names_which_can_be_offloaded=["a", "b"], **places
        )
