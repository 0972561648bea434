"""What reverse mode keeps."""

import adlib
import adlib.numpy as jnp
from adlib.ad_checkpoint import checkpoint_name, checkpoint_policies, print_saved_residuals
from adlib.api.residuals import saved_residuals


def origins(f, *args):
    return [(r.aval.str_short(), r.origin.split(" from ")[0]) for r in saved_residuals(f, *args)]


def layers(weights, x):
    for w in weights:
        x = jnp.tanh(x @ w)
    return jnp.sum(x)


WEIGHTS = [jnp.ones((3, 4)), jnp.ones((4, 2))]


def test_residuals_come_from_arguments_and_operations():
    found = saved_residuals(layers, WEIGHTS, jnp.ones((5, 3)))
    texts = [r.origin for r in found]
    assert "from the argument weights[0]" not in texts or len(texts) > 3
    assert "from the argument x" in texts and "from the argument weights[1]" in texts
    assert any(t.startswith("output of tanh from test_residuals.py:") for t in texts)
    assert any("(layers)" in t for t in texts)


def test_a_checkpoint_keeps_its_arguments_only():
    assert origins(adlib.checkpoint(layers), WEIGHTS, jnp.ones((5, 3))) == [
        ("f32[3,4]", "from the argument weights[0]"),
        ("f32[4,2]", "from the argument weights[1]"),
        ("f32[5,3]", "from the argument x"),
    ]


def test_a_policy_keeps_what_it_names():
    def f(x):
        return jnp.sin(checkpoint_name(jnp.sin(x), "inner"))

    policy = checkpoint_policies.save_only_these_names("inner")
    kept = saved_residuals(adlib.checkpoint(f, policy=policy), 1.0)
    assert len(kept) == 2 and kept[0].origin == "from the argument x"


def test_linear_functions_keep_nothing():
    assert saved_residuals(lambda x: 3 * x[::-1], jnp.ones(3)) == []


def test_printing(capsys):
    print_saved_residuals(lambda x, *, k: x * k, jnp.ones(2), k=jnp.ones(2))
    assert capsys.readouterr().out.splitlines() == [
        "f32[2] from the argument x",
        "f32[2] from the argument k",
    ]
