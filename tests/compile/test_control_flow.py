"""Loops and branches in native code."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.program import Compiled
from adlib.compile.schedule import Control
from tests.compile.test_every_primitive import compile_and_compare


def check(f, *args, loops=1, factor=5.0):
    """Compiled as reference, with as many native loops and branches at the top."""
    args = [jnp.asarray(a) for a in args]
    closed = adlib.make_jaxpr(f)(*args)
    run = compile_and_compare(closed, [a._value for a in args], factor=factor)
    found = [s for s in run.schedule.steps if type(s) is Control]
    assert len(found) == loops, [text for _, text in run.schedule.reasons]
    return run


X = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_scan(length, reverse):
    def f(xs, c):
        return lax.scan(
            lambda c, x: ((c[0] * 0.9 + x, c[1] + 1), (c[0].sum(), x * c[1], c[1])),
            (c, 0),
            xs,
            reverse=reverse,
        )

    check(f, X[:length], X[0])


def test_scan_without_inputs_or_carry():
    check(lambda x: lax.scan(lambda c, _: (c * 2, c), x, None, length=4), X)
    check(lambda x: lax.scan(lambda c, r: (c, r * 2), None, x), X)


def test_carried_values_may_change_places():
    def body(i, c):
        a, b, d = c
        return b, a + 1, d

    check(lambda x, y: lax.fori_loop(0, 5, body, (x, y, x * 2)), X, X + 10)


def test_results_of_a_body_may_be_its_inputs_and_constants():
    constant = jnp.asarray(X[0])

    def body(c, x):
        return x, (c, x, constant, 2.0, jnp.zeros(3), c)

    check(lambda xs: lax.scan(body, xs[0], xs), X)


def test_while():
    def f(x, n):
        def more(c):
            return (c[1] < n) & (c[0].sum() < 1e6)

        return lax.while_loop(more, lambda c: (c[0] * 1.5 + 1, c[1] + 1), (x, 0))

    for n in (0, 1, 2, 5):
        check(f, X, np.int32(n))


@pytest.mark.parametrize("index", [-3, 0, 1, 2, 9])
def test_switch(index):
    branches = [lambda x: x + 1, lambda x: x * jnp.sum(x), lambda x: x]
    check(lambda i, x: lax.switch(i, branches, x), np.int32(index), X)


def test_loops_within_loops_and_branches():
    def f(x):
        def row(c, r):
            s = lax.fori_loop(0, 3, lambda i, v: v + jnp.tanh(r) * i, c)
            t = lax.cond(s.sum() > 0, lambda v: v * 2, lambda v: lax.scan(double, v, r)[0], s)
            return t / 2, t.max()

        def double(c, e):
            return c + e, None

        return lax.scan(row, x[0], x)

    check(f, X)


def test_products_in_loops():
    w = np.random.default_rng(1).standard_normal((40, 40)).astype(np.float32) / 7

    def f(w, xs):
        def cell(h, x):
            h = jnp.tanh(h @ w + x)
            return h, h

        return lax.scan(cell, jnp.zeros((30, 40)), xs)

    check(f, w, np.random.default_rng(2).standard_normal((6, 30, 40)).astype(np.float32))


def test_gradients_of_loops():
    def f(w, xs):
        h, hs = lax.scan(lambda h, x: (jnp.tanh(w @ h + x),) * 2, xs[0], xs)
        return jnp.sum(hs**2) + jnp.sum(h)

    run = Compiled(adlib.make_jaxpr(adlib.grad(f, (0, 1)))(jnp.asarray(X[:5]), jnp.asarray(X)))
    assert run.schedule.native
    check(adlib.grad(f, (0, 1)), X[:5], X, loops=2)


def test_batched_loops():
    def f(x):
        return lax.while_loop(lambda c: c[0] < 10, lambda c: (c[0] * c[1], c[1] + 0.5), (x, x))

    check(adlib.vmap(f), np.float32([1.5, 9, 20, 2, 3.3]))


def test_what_is_not_native_in_a_body_is_named():
    def f(x):
        call = lambda r: adlib.pure_callback(np.sort, r, r)  # noqa: E731
        return lax.scan(lambda c, r: (c + call(r), None), x[0], x)

    closed = adlib.make_jaxpr(f)(jnp.asarray(X))
    run = compile_and_compare(closed, [X])
    assert not any(type(s) is Control for s in run.schedule.steps)
    assert any(
        "steps that are not native: pure_callback" in text for _, text in run.schedule.reasons
    )


@pytest.mark.parametrize("calls", [1, 3])  # before: later calls take the native way
def test_an_endless_loop_can_be_interrupted(calls):
    """And the interpreter is as it was: the same function runs again."""

    @adlib.jit
    def spin(x, limit):
        return lax.while_loop(lambda c: c[0] < limit, lambda c: (c[0] + c[1], c[1] * 1.0), (x, x))

    with adlib.config.override(jit_backend="native"):
        zero = jnp.float32(0)
        for _ in range(calls):
            assert float(spin(jnp.float32(1), jnp.float32(5))[0]) == 5
        ended = []
        started = threading.Event()

        def interrupt():
            import _thread

            started.wait()
            time.sleep(0.3)  # other threads run meanwhile
            ended.append(time.perf_counter())
            _thread.interrupt_main()

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            started.set()
            spin(zero, jnp.float32(1))
        assert time.perf_counter() - ended[0] < 5  # a second on a quiet machine
        thread.join()
        assert float(spin(jnp.float32(1), jnp.float32(5))[0]) == 5
