"""What happens around compiled calls: threads, forks, interrupts, depth and size of programs."""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import engine

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


def in_threads(work, count=8):
    """Run ``work(i)`` in as many threads, which start together; raise what they raised."""
    failures = []
    gate = threading.Barrier(count)

    def one(i):
        gate.wait()
        try:
            # configuration belongs to a thread
            with adlib.config.override(jit_backend="native"):
                work(i)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


# ---------------------------------------------------------------------------- threads


def busy(x):
    loop = lax.fori_loop(0, 4, lambda i, v: jnp.sin(v) @ x.T + i, x)
    return loop, jnp.sort(x.sum(0)), jnp.linalg.solve(x @ x.T + 50 * jnp.eye(len(x)), x)


def same(given, wanted):
    for a, b in zip(given, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_first_call_comes_from_many_threads():
    xs = [jnp.asarray(np.random.default_rng(i).standard_normal((9, 9))) for i in range(8)]
    wanted = [adlib.jit(busy)(x) for x in xs]
    for round_ in range(4):
        f = adlib.jit(lambda x, r=round_: busy(x * (r + 1) / (r + 1)))

        def work(i, f=f):
            same(f(xs[i]), f(xs[i]))
            for a, b in zip(f(xs[i]), wanted[i], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)

        in_threads(work)


def test_many_threads_and_many_functions():
    """Large results, which share the memory of earlier ones, and arenas."""
    functions = [
        adlib.jit(lambda x, k=k: (jnp.exp(x * k), (x @ x.T).sum(0), jnp.cumsum(x, 0) * k))
        for k in range(4)
    ]
    xs = [jnp.full((400, 700), i / 10) for i in range(4)]
    wanted = [[f(x) for x in xs] for f in functions]

    def work(i):
        for n in range(12):
            which, arg = (i + n) % 4, (i * 3 + n) % 4
            same(functions[which](xs[arg]), wanted[which][arg])

    in_threads(work)


def test_threads_compile_different_programs_at_once():
    def work(i):
        for n in range(4):
            scale = float(i * 10 + n)
            f = adlib.jit(lambda x, s=scale: jnp.tanh(x) * s + lax.scan(
                lambda c, r: (c + r, None), x[0] * 0, x)[0])  # fmt: skip
            x = np.ones((3, 4 + n), np.float32)
            np.testing.assert_allclose(f(x), np.tanh(x) * scale + 3, rtol=1e-6)

    in_threads(work)


def test_arguments_that_another_thread_writes_to():
    """The result is of some mixture of states, and nothing is read out of range."""
    table = jnp.arange(10.0)
    f = adlib.jit(lambda t, i, x: (t[i], jnp.sort(x), x.sum()))
    index, x = np.zeros(2000, np.int32), np.zeros(2000, np.float32)
    ended = threading.Event()

    def write():
        rng = np.random.default_rng(0)
        while not ended.is_set():
            index[...] = rng.integers(-(2**31), 2**31 - 1, index.shape)
            x[...] = rng.standard_normal(x.shape)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            found = np.asarray(f(table, index, x)[0])
            assert (np.isnan(found) | np.isin(found, np.arange(10))).all()
    finally:
        ended.set()
        writer.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_process_runs_and_compiles():
    x = jnp.asarray(np.random.default_rng(0).standard_normal((60, 60)).astype(np.float32))
    big = jnp.ones((1200, 1000))
    f = adlib.jit(busy)
    g = adlib.jit(lambda x: (jnp.exp(x) * 2).sum(0) + 1)
    wanted, sums = f(x), g(big)
    for _ in range(2):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                same(f(x), wanted)
                same([g(big)], [sums])
                new = adlib.jit(lambda x: jnp.cos(x) @ g(big)[:60])
                np.testing.assert_allclose(new(x), np.cos(x) @ np.asarray(sums)[:60], rtol=1e-4)
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
    same(f(x), wanted)


# ------------------------------------------------------------------------- interrupts


def rounds(depth, length):
    """Loops within loops: ``length ** depth`` rounds."""

    def body(c, _):
        return c * 0.5 + 1, None

    for _ in range(depth - 1):
        inner = body

        def body(c, _, inner=inner):
            return lax.scan(inner, c, None, length=length)[0] * 0.9 + 1, None

    return adlib.jit(lambda x: lax.scan(body, x, None, length=length)[0])


ENDLESS = {
    "while": lambda: adlib.jit(
        lambda x: lax.while_loop(lambda c: c.sum() > -1, lambda c: abs(jnp.sin(c)), x)
    ),
    "scan of scans": lambda: rounds(5, 10_000),
    "a branch in a loop": lambda: adlib.jit(
        lambda x: lax.while_loop(
            lambda c: c[0] > -1,
            lambda c: lax.cond(c[0] > 2, lambda v: v * 0.5, lambda v: v * v + 1, c),
            x,
        )
    ),
    "products in a loop": lambda: adlib.jit(
        lambda x: lax.while_loop(
            lambda c: c[0, 0] > -1, lambda c: abs(jnp.tanh(c @ c)), jnp.outer(x, x) * jnp.ones(1)
        )
    ),
    "vmapped": lambda: adlib.jit(
        adlib.vmap(lambda v: lax.while_loop(lambda c: c >= 0, lambda c: abs(jnp.cos(c)), v))
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_interrupt_ends_a_long_loop(name):
    f = ENDLESS[name]()
    x = jnp.ones(40)
    small = adlib.jit(lambda x: lax.fori_loop(0, 10, lambda i, v: jnp.sin(v) + i, x))
    before = small(x)
    f.lower(x).compile()
    for _ in range(2):
        sent = []

        def interrupt(sent=sent):
            time.sleep(0.15)
            sent.append(time.perf_counter())
            _thread.interrupt_main()

        thread = threading.Thread(target=interrupt)
        with pytest.raises(KeyboardInterrupt):
            thread.start()
            f(x)
        # a second on a quiet machine
        assert time.perf_counter() - sent[0] < 5
        thread.join()
        same([small(x)], [before])


def test_other_threads_run_during_a_long_loop():
    f = ENDLESS["scan of scans"]()
    x, y = jnp.ones(4), jnp.arange(6.0)
    other = adlib.jit(lambda y: lax.scan(lambda c, v: (c + v, c), 0.0, y))
    wanted = other(y)
    counted = []

    def work():
        with adlib.config.override(jit_backend="native"):
            for _ in range(50):
                same(other(y), wanted)
                counted.append(1)
        _thread.interrupt_main()

    thread = threading.Thread(target=work)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        f(x)
    thread.join()
    assert len(counted) == 50


# --------------------------------------------------------------------- depth and size


def nested(wrap, depth):
    def body(x):
        return jnp.sin(x) + 1

    for _ in range(depth):
        body = wrap(body)
    return body


WRAPS = {
    "jit": lambda g: adlib.jit(lambda x: g(x) * 0.99),
    "scan": lambda g: lambda x: lax.scan(lambda c, _: (g(c) * 0.9, None), x, None, length=1)[0],
    "cond": lambda g: lambda x: lax.cond(x[0] > 0, g, lambda y: y * 2, x * 1.01),
    "while": lambda g: lambda x: lax.while_loop(lambda c: c[0] < 5, lambda c: g(c) + 5, x),
    "checkpoint": lambda g: adlib.checkpoint(lambda x: g(x) * 0.99),
}


@pytest.mark.parametrize("name", WRAPS)
def test_deep_nests(name):
    """Two hundred levels, with a stack that tracing them needs."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        deep = nested(WRAPS[name], 200)
        got = adlib.jit(deep)(jnp.ones(3))
        with adlib.config.override(jit_backend="python"):
            wanted = adlib.jit(nested(WRAPS[name], 200))(jnp.ones(3))
    finally:
        sys.setrecursionlimit(limit)
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_loops_that_nest_deep_take_time_in_proportion():
    """Machine code of 80 loops within loops: in one function, LLVM would take minutes."""
    f = adlib.jit(nested(WRAPS["while"], 80))
    np.testing.assert_allclose(f(jnp.ones(3)), 1 + np.sin(5.0) * 0 + f(jnp.ones(3)) - 1)


def test_a_stack_that_is_too_small_is_an_error_and_no_more():
    f = adlib.jit(nested(WRAPS["jit"], 5000))
    for _ in range(2):
        with pytest.raises(RecursionError):
            f(jnp.ones(3))
    shallow = adlib.jit(nested(WRAPS["jit"], 5))
    np.testing.assert_allclose(shallow(jnp.ones(3)), (np.sin(1) + 1) * 0.99**5, rtol=1e-6)
    adlib.grad(lambda x: shallow(x).sum())(jnp.ones(3))


def test_many_arguments_and_results():
    count = 1000
    f = adlib.jit(lambda *xs: [*[x * 2 for x in xs], sum(xs), *xs])
    xs = [np.float32(i) for i in range(count)]
    for _ in range(2):
        got = f(*[jnp.asarray(x) for x in xs])
        assert [float(v) for v in got[:count]] == [2 * i for i in range(count)]
        assert float(got[count]) == sum(range(count))
        assert [float(v) for v in got[count + 1 :]] == list(range(count))


def test_many_steps_of_many_kinds():
    def f(x):
        totals = []
        for i in range(150):
            x = jnp.concatenate([x[1:], x[:1]]) * 1.01
            totals.append(x.sum())
            if i % 10 == 0:
                x = lax.fori_loop(0, 2, lambda j, v: v * 0.99 + j, x)
                x = jnp.sort(x) + x[::-1]
        return x, totals

    x = np.linspace(-1, 1, 30).astype(np.float32)
    got = adlib.jit(f)(x)
    with adlib.config.override(jit_backend="python"):
        wanted = adlib.jit(f)(x)
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-4)
    np.testing.assert_allclose(got[1], wanted[1], rtol=1e-4, atol=1e-3)


@pytest.mark.slow
def test_twenty_thousand_equations():
    def f(x):
        for _ in range(10_000):
            x = jnp.sin(x) * 1.01
        return x

    x = np.float32([0.3, 1, 2])
    wanted = x
    for _ in range(10_000):
        wanted = np.sin(wanted) * np.float32(1.01)
    np.testing.assert_allclose(adlib.jit(f)(x), wanted, rtol=1e-3)


def test_code_for_another_processor(run_python, monkeypatch):
    """Tools that do not know this one's instructions ask for an older one."""
    code = """
import numpy as np, adlib, adlib.numpy as jnp
from adlib.compile import engine
x = np.linspace(-3, 3, 1000, dtype=np.float32)
with adlib.config.override(jit_backend="native"):
    f = adlib.jit(lambda x: (jnp.tanh(x).sum(), jnp.exp(x)))
    np.testing.assert_allclose(f(x)[1], np.exp(x), rtol=1e-6)
print("generic" in engine.identity().split())
"""
    monkeypatch.setenv("ADLIB_JIT_CPU", "generic")
    assert run_python(code).strip() == "True"
