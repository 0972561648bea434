"""Linearization: known now, unknown on the tape; what is kept for later and for how long."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import checkpoint, core, grad, linearize, make_jaxpr, vjp
from adlib.core import Zero
from adlib.interpreters.linearize import linearize_flat, partial_eval_jaxpr

x = jnp.array([0.5, 1.5])


def names(closed):
    return [e.primitive.name for e in closed.eqns]


def test_the_function_runs_once():
    calls = []

    def f(x):
        calls.append(1)
        return jnp.sin(x) * x

    y, f_jvp = linearize(f, x)
    for t in (jnp.ones(2), 2 * jnp.ones(2)):
        np.testing.assert_allclose(f_jvp(t), adlib.jvp(f, (x,), (t,))[1], rtol=1e-6)
    assert len(calls) == 3


def test_the_linear_part_holds_no_work_of_the_primal_part():
    y, f_jvp = linearize(lambda x: jnp.exp(jnp.sin(x)), x)
    assert set(names(make_jaxpr(f_jvp)(x))) == {"mul"}


def test_flat_interface():
    outs, linear = linearize_flat(lambda a, i, b: [a * b, i, jnp.floor(a)], [x, jnp.arange(2), x])
    assert [t is None for t in linear.inputs] == [False, True, False]
    assert type(linear.outputs[1]) is Zero and linear.outputs[1].aval.dtype == adlib.float0
    tangents = linear.apply([jnp.ones(2), jnp.zeros(2)])
    np.testing.assert_allclose(tangents[0], x)
    assert tangents[2].tolist() == [0, 0]
    assert not linear.tape.alive


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_every_round_gives_the_same_tape(rounds):
    """The rule itself, the program made of it, the program kept."""
    f = lambda x: jnp.sum(jnp.tanh(x) * jnp.log1p(x**2))  # noqa: E731
    for _ in range(rounds):
        y, f_jvp = linearize(f, x)
    np.testing.assert_allclose(f_jvp(x), adlib.jvp(f, (x,), (x,))[1], rtol=1e-5)


def test_partial_evaluation_of_a_jaxpr():
    closed = make_jaxpr(lambda a, b: (jnp.sin(a), jnp.sin(a) * b, jnp.exp(a)))(x, x)
    split = partial_eval_jaxpr(closed, [False, True])
    assert split.out_unknown == [False, True, False] and split.residuals == 1
    assert "mul" not in names(split.known) and names(split.unknown) == ["mul"]
    assert partial_eval_jaxpr(closed, [False, True]) is split
    forced = partial_eval_jaxpr(closed, [False, True], [True, True, False])
    assert forced.out_unknown == [True, True, False]
    for part in (split, forced):
        core.check_jaxpr(part.known.jaxpr)
        core.check_jaxpr(part.unknown.jaxpr)
        known = core.jaxpr_as_fun(part.known)(x)
        count = len(known) - part.residuals
        outs = core.jaxpr_as_fun(part.unknown)(*known[count:], x)
        merged = iter(outs), iter(known[:count])
        got = [next(merged[0] if u else merged[1]) for u in part.out_unknown]
        for a, b in zip(got, core.jaxpr_as_fun(closed)(x, x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_equations_of_the_tape_know_their_lines():
    def loss(x):
        return jnp.sum(jnp.tanh(x))  # forward

    closed = make_jaxpr(grad(loss))(x)
    assert all("# forward" in e.source.text() for e in closed.eqns)


# ------------------------------------------------------------------- memory

MEGABYTE = 1 << 20


def peak(f, *args):
    """Bytes allocated at most while ``f`` runs, beyond what was there before."""
    for _ in range(2):
        f(*[a[:1] for a in args])  # programs are derived before measuring; types differ by size
    f(*args), f(*args), f(*args)
    gc.collect()
    tracemalloc.start()
    try:
        f(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def chain(layer, depth):
    def f(x):
        for _ in range(depth):
            x = layer(x)
        return jnp.sum(x)

    return f


def test_a_gradient_frees_residuals_as_the_sweep_proceeds():
    depth = 200
    big = jnp.ones(MEGABYTE // 4)
    measured = peak(grad(chain(jnp.sin, depth)), big)
    # one residual a layer, and what a single step needs
    assert measured < 1.2 * depth * MEGABYTE


def test_a_linear_chain_keeps_nothing():
    big = jnp.ones(MEGABYTE // 4)
    assert peak(grad(chain(lambda x: x * 1.001, 100)), big) < 6 * MEGABYTE


def test_nested_checkpoints_keep_far_less():
    layer = lambda x: jnp.sin(x)  # noqa: E731

    def block(x):
        for _ in range(15):
            x = layer(x)
        return x

    big = jnp.ones(MEGABYTE // 4)
    whole = peak(grad(chain(layer, 225)), big)
    nested = peak(grad(chain(checkpoint(block), 15)), big)
    assert whole > 200 * MEGABYTE
    assert nested < 45 * MEGABYTE


def halved(layer, depth):
    """The chain in two halves, each checkpointed, and so on down: log2(depth) levels."""
    if depth == 1:
        return layer
    half = halved(layer, depth // 2)
    return checkpoint(lambda x: half(half(x)))


def test_checkpoints_within_checkpoints_keep_the_logarithm():
    big = jnp.ones(MEGABYTE // 4)
    f = lambda x: jnp.sum(halved(jnp.sin, 64)(x))  # noqa: E731
    assert peak(grad(f), big) < 16 * MEGABYTE
    np.testing.assert_allclose(grad(f)(big)[0], grad(chain(jnp.sin, 64))(jnp.float32(1)), rtol=1e-5)


def test_residuals_die_in_the_sweep_of_grad():
    """When the sweep reaches a layer, the residuals of those after it are gone."""
    alive, refs = [], []

    @adlib.custom_vjp
    def layer(x):
        return x * 2.0

    def forward(x):
        kept = x + 1.0
        refs.append(weakref.ref(kept))
        return x * 2.0, kept

    def backward(kept, g):
        del kept
        alive.append(sum(r() is not None for r in refs))
        return (g * 2.0,)

    layer.defvjp(forward, backward)
    grad(chain(layer, 6))(jnp.ones(3))
    assert alive[0] >= 5 and alive[-1] <= 2
    assert alive == sorted(alive, reverse=True)


def test_a_pullback_keeps_its_residuals_until_it_is_dropped():
    refs = []

    def f(x):
        y = jnp.sin(x)
        refs.append(weakref.ref(x))
        return y * y

    y, pullback = vjp(f, x)
    first = pullback(jnp.ones(2))[0].tolist()
    assert pullback(jnp.ones(2))[0].tolist() == first
    del pullback
    gc.collect()
    assert refs[0]() is None
