"""Memory that is kept from call to call."""

from __future__ import annotations

import gc
import sys
import threading

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile.memory import Pool, arena

F4 = np.dtype(np.float32)
MB = 1 << 20


def taken(pool, size):
    return pool.take((size // 4,), F4, size)


def test_a_buffer_is_used_again_when_nobody_holds_it():
    pool = Pool()
    first = taken(pool, MB)
    address = first.ctypes.data
    view = first[5:]
    del first
    assert taken(pool, MB).ctypes.data != address  # the view still reads it
    del view
    again = pool.take((MB // 8, 2), np.dtype(np.int32), MB)
    assert again.shape == (MB // 8, 2) and again.dtype == np.int32
    assert again.ctypes.data == address or pool.kept == 2 * MB


def test_what_is_kept_is_bounded():
    pool = Pool(most=4 * MB)
    held = [taken(pool, MB) for _ in range(6)]
    assert pool.kept == 4 * MB
    assert len({a.ctypes.data for a in held}) == 6
    del held
    big = taken(pool, 3 * MB)  # idle ones make room
    assert pool.kept == 3 * MB and big.nbytes == 3 * MB
    huge = taken(pool, 5 * MB)
    assert pool.kept == 3 * MB and huge.nbytes == 5 * MB
    del big, huge
    pool.clear()
    assert pool.kept == 0


def test_threads_never_get_the_same_buffer():
    pool, wrong = Pool(most=64 * MB), []

    def work(number):
        for _ in range(200):
            mine = taken(pool, MB)
            mine[::1024] = number
            other = taken(pool, MB)
            other[::1024] = -1
            if not (mine[::1024] == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and pool.kept <= 16 * MB


def test_finalizers_may_call_programs():
    """Garbage collected while the pool is at work may itself need large results."""
    pool, calls = Pool(), []

    class Node:
        def __del__(self):
            calls.append(taken(pool, MB).nbytes)

    thresholds = gc.get_threshold()
    try:
        gc.set_threshold(1)
        for _ in range(20):
            node = Node()
            node.itself = node
            del node
            taken(pool, MB), pool.clear()
    finally:
        gc.set_threshold(*thresholds)
    assert calls


@pytest.mark.skipif(sys.platform != "linux", reason="counts the page faults of one thread")
def test_large_results_cost_no_fresh_pages():
    import resource

    f = adlib.jit(lambda x: x * x + 2 * x)
    x = jnp.ones((1500, 1000))
    for _ in range(4):
        y = f(x)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(5):
        y = f(x)
    faults = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before
    assert float(y[0, 0]) == 3 and faults < 200  # one result has 1465 pages


def test_buffers_that_live_together_lie_apart():
    rng = np.random.default_rng(0)
    for _ in range(50):
        intervals = []
        for _ in range(20):
            first = int(rng.integers(0, 15))
            intervals.append((int(rng.integers(0, 500)), first, first + int(rng.integers(0, 6))))
        offsets, total = arena(intervals)
        for i, (a, (n, first, last)) in enumerate(zip(offsets, intervals, strict=True)):
            assert a % 64 == 0 and a + n <= total
            for b, (m, start, end) in list(zip(offsets, intervals, strict=True))[:i]:
                if n and m and first <= end and start <= last:
                    assert a + n <= b or b + m <= a
