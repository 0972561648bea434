"""Long loops shared by threads: what is cut, the same bits for every number of threads, forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import nn
from adlib.compile import chunks, threads
from adlib.compile.loopir import Buffer, For, Kernel, LoopBuilder, Nest, Store
from adlib.compile.program import Compiled
from tests.compile.test_every_primitive import compile_and_compare, same

F32 = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


@pytest.fixture
def eager_chunks(monkeypatch):
    """Small loops are cut, too."""
    monkeypatch.setattr(chunks, "WORTH", 0)
    monkeypatch.setattr(chunks, "_LEAST", 1)
    before = threads.count()
    yield
    threads.set_count(before)


def normal(*shape):
    rng = np.random.default_rng(sum(shape))
    return jnp.asarray(rng.standard_normal(shape).astype(np.float32))


def compiled(f, *args):
    return Compiled(adlib.make_jaxpr(f)(*args))


def is_cut(run):
    return "_chunk(" in run.llvm


def several(x):
    y = jnp.sin(x) * x + 2
    return y, y.sum(), y.max(1), (x > 3).any(), jnp.argmax(x), x.T, y.sum(0), jnp.prod(x[:3] / 2)


PROGRAMS = {
    "elementwise": (lambda x: jnp.tanh(x) * 2, [(133, 77)]),
    "one long axis": (lambda x: (jnp.exp(x).sum(), x * 2), [(70_001,)]),
    "many results": (several, [(133, 77)]),
    "rows": (nn.softmax, [(301, 50)]),
    "short rows": (nn.softmax, [(2000, 10)]),
    "transpose": (lambda x: (x + 1).T, [(128, 96)]),
    "columns": (lambda x: (x * x).sum(0), [(128, 96)]),
    "gradient": (adlib.grad(lambda x: jnp.log1p(jnp.exp(x)).sum()), [(133, 77)]),
    "running totals": (lambda x: jnp.cumsum(x, 0) + jnp.cumsum(x, 1), [(50, 40)]),
    "scatter": (lambda x: x.at[jnp.arange(20) % 7].add(x[:20]), [(50, 40)]),
    "loop": (
        lambda x: adlib.lax.fori_loop(0, 5, lambda i, c: jnp.sin(c) + c.sum() * 1e-3, x),
        [(60, 40)],
    ),
    "integers": (lambda x: ((x * 9).astype(int) // 3, (x * 9).astype(int).sum()), [(133, 77)]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_bits_for_every_number_of_threads(name, eager_chunks):
    f, shapes = PROGRAMS[name]
    args = [normal(*s) for s in shapes]
    values = [a._value for a in args]
    closed = adlib.make_jaxpr(f)(*args)
    run = Compiled(closed)
    if name not in ("columns",):
        assert is_cut(run)
    found = []
    for count in (1, 2, 3, 7):
        threads.set_count(count)
        found.append([np.asarray(r).tobytes() for r in run.function(*values)])
    assert found.count(found[0]) == len(found)
    compile_and_compare(closed, values, factor=8)


def test_every_chunk_is_done_by_some_thread(eager_chunks):
    threads.set_count(4)
    x = normal(100_003)
    run = compiled(lambda x: x + 1, x)
    for _ in range(50):
        (got,) = run.function(x._value)
        np.testing.assert_array_equal(got, x._value + 1)


def test_small_loops_are_not_cut():
    assert not is_cut(compiled(several, normal(50, 40)))
    assert is_cut(compiled(jnp.sin, jnp.ones((1000, 1000))))


def test_rare_cases_make_only_their_chunk_be_done_again(eager_chunks):
    values = np.linspace(-3, 3, 50_000, dtype=np.float32)
    values[[7, 20_000]] = [3e7, np.inf]
    x = jnp.asarray(values)
    run = compiled(lambda x: (jnp.sin(x), jnp.cos(x).sum()), x[:-10_000])
    assert is_cut(run) and "_exact(i64 %first" in run.llvm
    threads.set_count(2)
    compile_and_compare(run.simplified, [x[:-10_000]._value], factor=4)


def test_many_callers_at_once(eager_chunks):
    """One of them has the pool, the others do their chunks themselves."""
    threads.set_count(3)
    f = compiled(lambda x: (jnp.sin(x) * x, x.sum()), normal(200, 100)).function
    xs = [normal(200, 100)._value * i for i in range(6)]
    wanted = [f(x) for x in xs]
    failures = []

    def work(i):
        for _ in range(60):
            for g, w in zip(f(xs[i]), wanted[i], strict=True):
                if not np.array_equal(g, w):
                    failures.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive(), "a caller waits for ever"
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(eager_chunks):
    threads.set_count(3)
    x = normal(300, 100)
    run = compiled(lambda x: jnp.cos(x).sum(), x)
    wanted = run.function(x._value)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            started = threads.pool().number("started").value
            same(run.function(x._value), wanted)
            status = 0 if started == 0 and threads.pool().number("started").value == 2 else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    same(run.function(x._value), wanted)


def test_the_number_of_threads():
    code = "from adlib.compile import threads; print(threads.default_count(), threads.count())"

    def counted(**names):
        kept = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
        run = subprocess.run(
            [sys.executable, "-c", code], env={**kept, **names}, capture_output=True, check=True
        )
        return run.stdout.split()

    assert counted(ADLIB_NUM_THREADS="3", OMP_NUM_THREADS="5") == [b"3", b"3"]
    assert counted(OMP_NUM_THREADS="5,2") == [b"5", b"5"]
    usable = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1).encode()
    if hasattr(os, "sched_getaffinity"):
        assert counted(ADLIB_NUM_THREADS="many") == [usable, usable]


@pytest.mark.parametrize("count", [0, -1, 65])
def test_numbers_of_threads_that_make_no_sense(count):
    with pytest.raises(ValueError, match=rf"given as {count}[^$]*at least 1[^$]*set_count\(1\)"):
        threads.set_count(count)


# ------------------------------------------------------------------------- what is cut


def nest_of(store, extents, load=None, offset=False):
    """x[load] + 1 goes to y[store]; y is read there where ``load`` is not given."""
    b = LoopBuilder()
    start = b.index((0,) * len(extents) + (0,)) if offset else None
    read = b.load(1 if load is None else 0, store if load is None else load, F32, start)
    value = b.binary("add", read, b.constant(1, F32))
    items = [*b.items, Store(1, store, value, start)]
    for axis in reversed(range(len(extents))):
        items = [For(axis, items, [])]
    sizes = [Buffer("x", F32, 10_000, False), Buffer("y", F32, 10_000, True)]
    nest = Nest(tuple(extents), items)
    return Kernel("k", sizes, [nest]), nest


@pytest.mark.parametrize(
    ("store", "extents", "load", "wanted"),
    [
        ((10, 1, 0), (50, 10), (10, 1, 0), True),
        ((10, 1, 0), (50, 10), None, True),  # a place's old element becomes its new one
        ((1, 50, 0), (50, 10), (10, 1, 0), True),  # a transpose
        ((0, 1, 0), (50, 10), (10, 1, 0), False),  # sums over rows in memory
        ((9, 1, 0), (50, 10), (10, 1, 0), False),  # rows overlap
        ((-10, 1, 490), (50, 10), (10, 1, 0), True),
        ((30, 8, 10, 1, 0), (3, 4, 5, 8), (0, 0, 0, 0, 0), False),
        ((1280, 32, 160, 1, 0), (3, 5, 8, 32), (0, 0, 0, 0, 0), True),  # tiles
    ],
)
def test_loops_whose_rounds_write_apart_are_cut(store, extents, load, wanted):
    found = chunks.cut(*nest_of(store, extents, load), nanoseconds=1e6)
    assert (found is not None) is wanted
    if found:
        assert (found.count - 1) * found.size < found.extent <= found.count * found.size


def test_places_that_values_decide_are_not_cut():
    assert chunks.cut(*nest_of((10, 1, 0), (50, 10), (10, 1, 0), offset=True), 1e6) is None


def test_reading_what_an_earlier_round_wrote_is_not_cut():
    kernel, nest = nest_of((10, 1, 0), (50, 10), (10, 1, 0))
    b = LoopBuilder()
    before = b.load(1, (10, 1, -10), F32)
    nest.items[0].body[0].body[:0] = [*b.items]
    assert before in nest.items[0].body[0].body
    assert chunks.cut(kernel, nest, 1e6) is None


def test_a_chunk_is_worth_waking_a_thread_for():
    kernel, nest = nest_of((10, 1, 0), (1000, 10), (10, 1, 0))
    assert chunks.cut(kernel, nest, chunks.WORTH - 1) is None
    assert chunks.cut(kernel, nest, 2 * chunks.WORTH).count <= 2 * chunks.WORTH / 20_000
    long, outer = nest_of((1, 0), (100_000,), (1, 0))
    assert chunks.cut(long, outer, 1e9).size % 1024 == 0
