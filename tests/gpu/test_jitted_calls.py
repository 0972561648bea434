"""Calls of jitted functions where there are two devices: which program runs, and donation."""

import gc

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.core.array import ArrayImpl
from tests.gpu import runtime, stand_in


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def there(x):
    return adlib.device_put(jnp.asarray(x), "gpu")


def on_gpu(x):
    return type(x._value) is not np.ndarray


def test_a_function_that_ran_on_the_cpu_runs_on_the_gpu_too(cuda):
    f = adlib.jit(lambda x: jnp.sin(x) * 2)
    x = jnp.asarray(numbers(5))
    for _ in range(4):  # the later calls go to native code
        here = f(x)
    for _ in range(3):
        result = f(there(x))
        assert on_gpu(result) and not on_gpu(f(x))
        np.testing.assert_allclose(np.asarray(result), np.asarray(here), rtol=1e-6)


def test_results_of_nothing_but_numbers_may_move(cuda):
    made = adlib.jit(lambda: jnp.arange(3.0) * 2)()
    assert made.free and on_gpu(made + there(np.ones(3, np.float32)))
    scaled = adlib.jit(lambda a: a * jnp.ones(3))(2.0)
    assert on_gpu(scaled * there(np.ones(3, np.float32)))


def test_mixing_devices_names_both(cuda):
    f = adlib.jit(lambda x, y: x + y)
    with pytest.raises(ValueError, match=r"argument 1 \(float32\[3\]\) is on cpu"):
        f(there(numbers(3)), jnp.asarray(numbers(3)))


def step(p, g):
    return p - 0.1 * g


def address(x):
    return x._value.data.ptr


def test_a_donated_argument_gives_its_memory_to_the_result(cuda):
    f = adlib.jit(step, donate_argnums=0)
    p, g = there(numbers(40)), there(numbers(40, seed=1))
    wanted = np.asarray(p) - 0.1 * np.asarray(g)
    for _ in range(3):
        where = address(p)
        previous, p = p, f(p, g)
        assert address(p) == where and previous.is_deleted()
        np.testing.assert_allclose(np.asarray(p), wanted, rtol=1e-6)
        wanted = wanted - 0.1 * np.asarray(g)
    with pytest.raises(RuntimeError, match="donated"):
        previous + 1


@pytest.mark.parametrize("how", ["another Array", "an array of CuPy's", "a view"])
def test_memory_that_others_have_is_left_alone(cuda, how):
    f = adlib.jit(step, donate_argnums=0)
    p, g = there(numbers(40)), there(numbers(40, seed=1))
    before = np.asarray(p).copy()
    if how == "another Array":
        other = jnp.array(p, copy=True)._value
    elif how == "an array of CuPy's":
        other = p._value
    else:
        other = p._value[3:]
    result = f(p, g)
    assert p.is_deleted() and result._value.data.ptr != other.data.ptr
    np.testing.assert_array_equal(other.get(), before[-other.size :])
    np.testing.assert_allclose(np.asarray(result), before - 0.1 * np.asarray(g), rtol=1e-6)


CASES = {
    # what reads the argument is done before the result is written
    "before": (lambda p, g: (jnp.sum(p * g) + g, jnp.sin(g)), True),
    # each thread reads its own elements first
    "in one kernel": (lambda p, g: (p * p - g, 2 * g), True),
    # a thread reads what another one has written
    "elsewhere": (lambda p, g: (p[::-1] - g, jnp.sum(g)), False),
    # the argument is read after the first result is there
    "after": (lambda p, g: (g * jnp.sum(g), jnp.sum(p)), True),
}


@pytest.mark.parametrize("name", CASES)
def test_where_the_memory_of_an_argument_is_taken(cuda, name):
    function, _ = CASES[name]
    given = numbers(30), numbers(30, seed=1)
    wanted = function(*map(jnp.asarray, given))
    f = adlib.jit(function, donate_argnums=0)
    for _ in range(2):
        found = f(*map(there, given))
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)
    p = there(given[0])
    where = address(p)
    found = f(p, there(given[1]))
    assert (where in [address(x) for x in found]) == CASES[name][1]


def test_a_kernel_that_writes_over_its_argument_does_not_promise_otherwise(cuda):
    from adlib.compile.cuda.program import GpuProgram

    x = numbers(30)
    closed = adlib.make_jaxpr(step)(x, x)
    (apart,) = GpuProgram(closed, cuda).segments.values()
    (over,) = GpuProgram(closed, cuda, donated=(0,)).segments.values()
    assert apart.source.count("__restrict__") == 3 and over.source.count("__restrict__") == 1


def test_a_full_memory_names_the_program_and_what_is_live(cuda, monkeypatch):
    if not isinstance(cuda, stand_in.Cupy):
        pytest.skip("a card's memory is not filled up for a test")
    x = there(np.ones((64, 1024), np.float32))
    f = adlib.jit(lambda x: jnp.sin(x) @ x.T)
    gc.collect()
    monkeypatch.setattr(runtime.POOL, "limit", runtime.POOL.used_bytes() + 2000)
    with pytest.raises(MemoryError) as caught:
        f(x)
    text = str(caught.value)
    assert "the GPU's memory is full: a jitted program of 2 equations" in text
    assert "whose temporaries take one block of 262,144 bytes" in text
    assert "whose results take 16,384, found no room (Out of memory" in text
    assert "f32[64,1024] (262 kB)" in text
    assert "donate" in text and "checkpoint" in text
    monkeypatch.setattr(runtime.POOL, "limit", 8 * 10**9)
    assert type(f(x)) is ArrayImpl  # the program is as good as before


def test_numbers_are_brought_once(cuda):
    f = adlib.jit(lambda x, rate: x - rate * jnp.cos(x))
    x = there(numbers(20))
    wanted = np.asarray(x) - np.float32(0.3) * np.cos(np.asarray(x))
    for _ in range(3):
        np.testing.assert_allclose(np.asarray(f(x, 0.3)), wanted, rtol=1e-6)
    if isinstance(cuda, stand_in.Cupy):
        made = runtime.POOL.made
        for _ in range(5):
            f(x, 0.3)
        assert runtime.POOL.made == made
    assert float(f(x[0], 0.5)) == pytest.approx(float(x[0] - 0.5 * jnp.cos(x[0])), rel=1e-6)


def test_what_the_pool_keeps_is_bounded(cuda, monkeypatch):
    if not isinstance(cuda, stand_in.Cupy):
        pytest.skip("a card is not filled up for a test")
    monkeypatch.setattr("adlib.compile.cuda.program.LARGE", 1 << 10)
    f = adlib.jit(lambda x: jnp.sin(x) * 2)
    x = there(numbers(1000))
    gc.collect()
    runtime.POOL.free_all_blocks()
    with adlib.config.override(gpu_kept_bytes=100_000):
        for n in range(40):
            cuda.empty((n + 1) * 10_000, np.uint8)  # freed at once, and kept
            f(x)
        assert runtime.POOL.free_bytes() <= 100_000 + 17 * 400_000
        before = runtime.POOL.free_bytes()
        for _ in range(16):
            f(x)
        assert runtime.POOL.free_bytes() < before and runtime.POOL.free_bytes() <= 100_000
    cuda.empty(10_000, np.uint8)
    adlib.clear_caches()
    assert runtime.POOL.free_bytes() == 0


def test_calls_like_an_earlier_one_are_told_from_others(cuda):
    f = adlib.jit(lambda x, y: x * y + 1)
    a, b = there(numbers(20)), there(numbers(20, seed=1))
    wanted = np.asarray(a) * np.asarray(b) + 1
    for _ in range(4):
        np.testing.assert_allclose(np.asarray(f(a, b)), wanted, rtol=1e-6)
    assert len(f._known) == 1
    np.testing.assert_allclose(np.asarray(f(a, y=b)), wanted, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(f(a, 2.0)), 2 * np.asarray(a) + 1, rtol=1e-6)
    with pytest.raises(ValueError, match="two devices"):
        f(a, jnp.asarray(numbers(20)))
    assert not on_gpu(f(jnp.asarray(numbers(20)), jnp.asarray(numbers(20))))
    assert on_gpu(f(jnp.ones(20), b)) and f(jnp.ones(20), jnp.ones(20)).free
    slope = adlib.grad(lambda x: jnp.sum(f(x, b)))(a)
    np.testing.assert_allclose(np.asarray(slope), np.asarray(b), rtol=1e-6)
    found = adlib.vmap(f, (None, 0))(a, there(numbers(3, 20)))
    np.testing.assert_allclose(np.asarray(found), np.asarray(a) * numbers(3, 20) + 1, rtol=1e-6)
    with adlib.disable_jit():
        np.testing.assert_allclose(np.asarray(f(a, b)), wanted, rtol=1e-6)
    with adlib.debug_nans(True), pytest.raises(FloatingPointError):
        f(a * np.nan, b)
    a.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        f(a, b)


def test_structures_of_results(cuda):
    x = there(numbers(7))
    for build in (lambda v: (v,), lambda v: {"a": v, "b": (2 * v, None)}, lambda v: [v * 2] * 2):
        f = adlib.jit(lambda v, build=build: build(v + 1))
        for _ in range(3):
            found = f(x)
        wanted = build(x + 1)
        assert adlib.tree.structure(found) == adlib.tree.structure(wanted)
        for a, b in zip(adlib.tree.leaves(found), adlib.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-6)
