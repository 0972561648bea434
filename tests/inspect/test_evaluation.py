"""Running a program equation by equation gives what the engine's derivatives give."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.inspect.evaluation import run_forward, run_reverse
from adlib.inspect.programs import cotangent_seeds, tangent_seeds, trace_program


def mlp(params, x):
    for w, b in params:
        x = jnp.tanh(w @ x + b)
    return (x**2).mean()


def looped(x):
    final, path = lax.scan(lambda c, a: (jnp.sin(c) * a, c), x, jnp.arange(1.0, 4.0))
    return lax.cond(final > 0, jnp.exp, jnp.cos, final) + path.sum()


RNG = np.random.default_rng(0)
PARAMS = [(RNG.normal(size=(4, 4)), RNG.normal(size=4)) for _ in range(2)]
CASES = {
    "scalars": (lambda x, y: jnp.log(jnp.sin(x) * y) / jnp.exp(x * y), (0.7, 1.3)),
    "layers": (mlp, (PARAMS, RNG.normal(size=4))),
    "control flow": (looped, (0.3,)),
    "jit": (adlib.jit(lambda x: adlib.jit(jnp.sin)(x) * adlib.jit(jnp.sin)(2 * x)), (0.4,)),
    "custom rules": (lambda x: adlib.nn.relu(x) * adlib.nn.softplus(x), (0.5,)),
    "checkpoint": (lambda x: adlib.checkpoint(lambda y: jnp.sin(jnp.sin(y)))(x) * x, (0.5,)),
    "gradient of a gradient": (adlib.grad(lambda x: jnp.tanh(x) ** 3), (0.5,)),
    "a value read twice": (lambda x: (x * x).sum() + jnp.sort(x)[0], (RNG.normal(size=5),)),
}


def run(function, args):
    program = trace_program(function, args, {})
    done = run_forward(program, tangent_seeds(program, None))
    run_reverse(done, cotangent_seeds(program, None))
    return program, done


@pytest.mark.parametrize("name", CASES)
def test_values_tangents_and_cotangents_are_the_engines(name):
    function, args = CASES[name]
    program, done = run(function, args)
    (out,) = program.closed.jaxpr.outvars
    ones = adlib.tree_util.tree_map(lambda x: jnp.ones_like(jnp.asarray(x)), args)
    args = adlib.tree_util.tree_map(jnp.asarray, args)
    value, tangent = adlib.jvp(function, args, ones)
    np.testing.assert_allclose(done.values[out], value, rtol=1e-6)
    np.testing.assert_allclose(done.tangents[out], tangent, rtol=1e-5)
    gradients = adlib.grad(function, argnums=tuple(range(len(args))))(*args)
    for var, gradient in zip(
        program.closed.jaxpr.invars, adlib.tree_util.tree_leaves(gradients), strict=True
    ):
        np.testing.assert_allclose(done.cotangents[var], gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_contributions_add_up_to_the_cotangent(name):
    _, done = run(*CASES[name])
    for var, parts in done.contributions.items():
        total = sum(np.asarray(ct) for _, _, ct in parts)
        np.testing.assert_allclose(total, done.cotangents[var], rtol=1e-5, atol=1e-6)


def test_forward_and_reverse_agree_on_the_inner_product():
    program, done = run(*CASES["layers"])
    seeds = tangent_seeds(program, None)
    pairs = zip(program.closed.jaxpr.invars, seeds, strict=True)
    product = sum(float((done.cotangents[v] * t).sum()) for v, t in pairs)
    assert product == pytest.approx(float(done.tangents[program.closed.jaxpr.outvars[0]]), rel=1e-4)


def test_without_derivatives_nothing_is_differentiated():
    program = trace_program(
        lambda x: lax.while_loop(lambda c: c < 9, lambda c: c * 2, x), (1.0,), {}
    )
    done = run_forward(program, differentiate=False)
    assert float(done.values[program.closed.jaxpr.outvars[0]]) == 16.0
    assert done.tangents == {} and all(step.rule is None for step in done.steps)


def test_integers_have_no_tangent_and_no_cotangent():
    program, done = run(lambda x, n: x[n] * n, (np.ones(3), 1))
    x, n = program.closed.jaxpr.invars
    assert n not in done.tangents and n not in done.cotangents and x in done.cotangents


def test_every_equation_is_timed():
    _, done = run(*CASES["layers"])
    assert all(0 < step.seconds < 1 for step in done.steps)
