"""Binomial checkpointing: the schedules are optimal, the gradients those of scan."""

import functools
import itertools

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.experimental.revolve import checkpointed_scan, extra_advances, schedule

SIZES = list(itertools.product([1, 2, 3, 7, 20, 64], [1, 2, 3, 6]))


@functools.cache
def least(length, slots):
    """The least number of advances, by trying every first snapshot."""
    if length <= 1:
        return 0
    if slots == 1:
        return length * (length - 1) // 2
    return min(m + least(m, slots) + least(length - m, slots - 1) for m in range(1, length))


@pytest.mark.parametrize(("length", "slots"), SIZES)
def test_schedules_reverse_every_step_with_the_fewest_runs(length, slots):
    plan = schedule(length, slots)
    held, at, reversed_ = {}, 0, []
    for action, number in plan.actions.tolist():
        if action == 0:
            assert at == number
            at += 1
        elif action == 1:
            held[number] = at
        elif action == 2:
            at = held[number]
        else:
            assert at == number
            reversed_.append(number)
    assert reversed_ == list(range(length))[::-1]
    assert max(held) < slots
    assert plan.advances == extra_advances(length, slots) == least(length, slots)


def test_a_thousand_steps():
    assert extra_advances(1000, 10) < 2 * 1000 * 2
    assert schedule(1000, 10).advances == extra_advances(1000, 10)
    assert schedule(0, 3).actions.shape == (0, 2)


def rnn(scan):
    def loss(w, h, xs, k):
        def step(h, x):
            h = jnp.tanh(w @ h + x["a"]) * (1 + 0 * x["i"])
            return h, h[0] * k

        last, ys = scan(step, h, xs)
        return jnp.sum(last**2) + jnp.sum(jnp.sin(ys))

    return loss


RNG = np.random.default_rng(0)
ARGS = (
    jnp.asarray(RNG.normal(size=(3, 3))),
    jnp.asarray(RNG.normal(size=3)),
    {"a": jnp.asarray(RNG.normal(size=(17, 3))), "i": jnp.arange(17)},
    jnp.asarray(0.7),
)


@pytest.mark.parametrize("snapshots", [1, 2, 4, 17, 100])
def test_gradients_are_those_of_scan(snapshots):
    ours = rnn(functools.partial(checkpointed_scan, snapshots=snapshots))
    wanted = adlib.value_and_grad(rnn(lax.scan), (0, 1, 3))(*ARGS)
    for call in (
        adlib.value_and_grad(ours, (0, 1, 3)),
        adlib.jit(adlib.value_and_grad(ours, (0, 1, 3))),
    ):
        value, grads = call(*ARGS)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-6)
        for g, w in zip(grads, wanted[1], strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-6)

    def in_xs(scan, a):
        return rnn(scan)(ARGS[0], ARGS[1], {"a": a, "i": ARGS[2]["i"]}, ARGS[3])

    scan = functools.partial(checkpointed_scan, snapshots=snapshots)
    found = adlib.grad(lambda a: in_xs(scan, a))(ARGS[2]["a"])
    wanted = adlib.grad(lambda a: in_xs(lax.scan, a))(ARGS[2]["a"])
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_it_works_under_vmap_and_with_no_inputs():
    def last(x):
        return checkpointed_scan(lambda c, _: (jnp.sin(c), None), x, length=50, snapshots=3)[0]

    xs = jnp.array([0.3, 1.0])
    wanted = [adlib.grad(lambda x: lax.fori_loop(0, 50, lambda i, c: jnp.sin(c), x))(x) for x in xs]
    np.testing.assert_allclose(adlib.vmap(adlib.grad(last))(xs), wanted, rtol=1e-5)

    def none(c):
        return checkpointed_scan(lambda c, x: (c + x, c), c, jnp.zeros(0), snapshots=2)

    assert none(1.0)[0] == 1.0 and none(1.0)[1].shape == (0,)
    assert adlib.grad(lambda c: none(c)[0])(1.0) == 1.0


def test_the_budget_in_bytes_bounds_what_is_kept():
    state = jnp.ones(1000, jnp.float32)

    def loss(c, max_bytes):
        out, _ = checkpointed_scan(
            lambda c, _: (jnp.sin(c) * 1.01, None), c, length=200, max_bytes=max_bytes
        )
        return jnp.sum(out)

    jaxpr = str(adlib.make_jaxpr(adlib.grad(lambda c: loss(c, 5 * 4000)))(state))
    assert "f32[5,1000]" in jaxpr and "f32[200,1000]" not in jaxpr
    wanted = adlib.grad(lambda c: loss(c, 10**9))(state)
    np.testing.assert_allclose(adlib.grad(lambda c: loss(c, 5 * 4000))(state), wanted, rtol=1e-5)


ONE = (lambda c, _: (c, None), 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checkpointed_scan(*ONE, length=3), "either snapshots or max_bytes"),
        (lambda: checkpointed_scan(*ONE, length=3, max_bytes=3), "one state takes 4 bytes"),
        (lambda: schedule(3, 0), "one snapshot or more; it was given 0"),
        (lambda: checkpointed_scan(*ONE, jnp.ones(2), length=3, snapshots=1), "length"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
