"""Programs as CUDA graphs: what is recorded and when, what it computes, and what breaks it.

On the stand-in for CuPy, whose streams record, and refuse what CUDA refuses while they do.
"""

import warnings

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile.cuda import graphs, orders
from adlib.compile.cuda.program import OPTIONS, GpuProgram
from tests.gpu import nvrtc, runtime, stand_in
from tests.gpu.test_cuda_kernels import needs_nvrtc


@pytest.fixture
def fake(cuda):
    if not isinstance(cuda, stand_in.Cupy):
        pytest.skip("a card does not say how it was started")
    return cuda


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def there(x):
    return adlib.device_put(jnp.asarray(x), "gpu")


def two_products(x, w):
    hidden = jnp.tanh(x @ w)
    return jnp.sum(hidden @ w.T, 1) + 1.0


X, W = numbers(40, 30), numbers(30, 50, seed=1)
WANTED = np.asarray(two_products(jnp.asarray(X), jnp.asarray(W)))


def program_of(f, cuda, *args, **options):
    return GpuProgram(adlib.make_jaxpr(f)(*args), cuda, **options)


def test_what_is_called_again_is_one_launch(fake):
    f = adlib.jit(two_products)
    x, w = there(X), there(W)
    kinds = []
    for _ in range(4):
        with runtime.counted() as counts:
            result = f(x, w)
        kinds.append(dict(counts))
        np.testing.assert_allclose(np.asarray(result), WANTED, rtol=1e-4)
        del result
    first, second, *later = kinds
    assert first["product"] == 2 and first["kernel"] >= 2 and "graph" not in first
    assert second == {"captured": first["product"] + first["kernel"], "graph": 1}
    assert later == [{"graph": 1}] * 2


def test_a_loop_with_results_that_take_turns_is_recorded(fake):
    f = adlib.jit(lambda x, w: jnp.tanh(x @ w) @ w.T / 30)
    x, w = there(X), there(W)
    wanted = X
    for _ in range(8):
        x = f(x, w)
        wanted = np.tanh(wanted @ W) @ W.T / 30
    with runtime.counted() as counts:
        x = f(x, w)
    assert counts == {"graph": 1}
    wanted = np.tanh(wanted @ W) @ W.T / 30
    np.testing.assert_allclose(np.asarray(x), wanted, rtol=1e-3, atol=1e-5)


def test_other_arrays_are_not_those_of_a_recording(fake):
    f = adlib.jit(two_products)
    kept = []
    for seed in range(4):
        x, w = there(numbers(40, 30, seed=seed)), there(W)
        for _ in range(3):
            found = f(x, w)
            wanted = two_products(jnp.asarray(numbers(40, 30, seed=seed)), jnp.asarray(W))
            np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-4)
        kept += [x, w, found]


def test_recordings_are_few(fake, monkeypatch):
    monkeypatch.setattr(graphs, "_MOST_RECORDED", 12)
    program = program_of(two_products, fake, X, W)
    (stretch,) = program.stretches.values()
    w = fake.asarray(W)
    inputs = [fake.asarray(numbers(40, 30, seed=seed)) for seed in range(15)]
    for _ in range(3):
        for x in inputs:
            program.function(x, w)
    assert len(stretch.graphs.kept) == graphs.MOST_KEPT and stretch.graphs.recorded == 12


def test_one_kernel_alone_is_not_recorded(fake):
    program = program_of(lambda x: jnp.sin(x) * 2, fake, X)
    (stretch,) = program.stretches.values()
    assert len(stretch.orders) == 1 and stretch.graphs is None


def test_the_flag_switches_recording_off(fake):
    f = adlib.jit(two_products)
    x, w = there(X), there(W)
    with adlib.config.override(jit_cuda_graphs=False), runtime.counted() as counts:
        for _ in range(3):
            f(x, w)
    assert counts["product"] == 6 and "captured" not in counts
    for _ in range(3):
        f(x, w)
    with runtime.counted() as counts:
        f(x, w)
    assert counts == {"graph": 1}


def test_a_recording_runs_in_the_stream_of_the_call(fake):
    f = adlib.jit(two_products)
    x, w = there(X), there(W)
    for _ in range(3):
        f(x, w)
    other = fake.cuda.Stream(non_blocking=True)
    with other, runtime.counted() as counts:
        f(x, w)  # cuBLAS has no room for this stream yet: nothing is reused
    assert counts["product"] == 2


class Broken:
    """An order that CUDA does not record."""

    def __init__(self, xp):
        self.xp = xp

    def issue(self, addresses, queue):
        runtime._streams[queue.stream].synchronize()


def test_what_cannot_be_recorded_runs_all_the_same_with_one_warning(fake):
    program = program_of(two_products, fake, X, W)
    (stretch,) = program.stretches.values()
    stretch.orders.append(Broken(fake))
    x, w = fake.asarray(X), fake.asarray(W)
    found = [program.function(x, w)[0].get()]
    with pytest.warns(RuntimeWarning) as caught:
        found.append(program.function(x, w)[0].get())
    (warning,) = caught
    text = str(warning.message)
    assert "could not be recorded as a CUDA graph" in text and "the host waits" in text
    assert "one by one, with the same results" in text and '"jit_cuda_graphs", False' in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found += [program.function(x, w)[0].get() for _ in range(3)]
    for each in found:
        np.testing.assert_allclose(each, WANTED, rtol=1e-4)
    assert not fake.cuda.get_current_stream().ptr  # the recording stream is left
    assert stretch.graphs.failed and not stretch.graphs.kept


def test_a_program_called_while_the_user_records_is_part_of_that(fake):
    program = program_of(lambda x: jnp.sin(x) * 2, fake, X)
    x = fake.asarray(X)
    (out,) = program.function(x)
    (stretch,) = program.stretches.values()
    stream = fake.cuda.Stream(non_blocking=True)
    target = fake.empty(X.shape, np.float32)
    with stream:
        stream.begin_capture()
        stretch(x, target)
        graph = stream.end_capture()
    x[...] = fake.asarray(2 * X)
    graph.launch()
    np.testing.assert_allclose(target.get(), np.sin(2 * X) * 2, rtol=1e-5)
    np.testing.assert_allclose(out.get(), np.sin(X) * 2, rtol=1e-5)


# ---------------------------------------------------------------- the block of temporaries


def test_temporaries_share_one_block(fake):
    def chain(x, w):
        for _ in range(6):
            x = jnp.tanh(x @ w)
        return x

    w = numbers(40, 40) / 9
    program = program_of(chain, fake, w, w)
    one = 40 * 40 * 4
    assert 2 * one <= program.arena <= 2 * (one + 64)
    assert program.source.count("empty(") == 2  # the block and the result
    (out,) = program.function(fake.asarray(w), fake.asarray(w))
    np.testing.assert_allclose(out.get(), np.asarray(chain(w, w)), rtol=1e-4, atol=1e-5)


def test_what_calls_read_has_memory_of_its_own(fake):
    f = lambda x: jnp.sort(jnp.sin(x) * 3, 0) * 2 + jnp.cos(x)  # noqa: E731
    program = program_of(f, fake, X)
    (out,) = program.function(fake.asarray(X))
    np.testing.assert_allclose(out.get(), np.asarray(f(jnp.asarray(X))), rtol=1e-5)
    assert len(program.stretches) == 2


def test_freed_blocks_are_used_again(fake):
    f = adlib.jit(two_products)
    x, w = there(X), there(W)
    for _ in range(3):
        f(x, w)
    made = runtime.POOL.made
    for _ in range(20):
        f(x, w)
    assert runtime.POOL.made == made


# --------------------------------------------------------------------------------- loops


def recurrent(w, h, xs):
    def step(h, x):
        h = jnp.tanh(w @ h + x)
        return h, jnp.sum(h * h)

    last, losses = adlib.lax.scan(step, h, xs)
    return jnp.sum(losses) + jnp.sum(last)


SCANS = {
    "carry and rows": lambda x: adlib.lax.scan(lambda c, r: (jnp.sin(c) + r, c * r), x[0], x[1:]),
    "backwards": lambda x: adlib.lax.scan(
        lambda c, r: (c + r, jnp.cos(c) * r), x[0], x, reverse=True
    ),
    "no rows": lambda x: adlib.lax.scan(lambda c, _: (jnp.tanh(c), None), x, None, length=5),
    "one round": lambda x: adlib.lax.scan(lambda c, r: (c * r, r), x[0], x[:1]),
    "no round": lambda x: adlib.lax.scan(lambda c, r: (c * r, r), x[0], x[:0]),
    "swapped": lambda x: adlib.lax.scan(lambda c, r: ((c[1], c[0] + r), c[0]), (x[0], x[1]), x),
    "the carry is stacked": lambda x: adlib.lax.scan(lambda c, r: (c + r, c + r), x[0], x),
    "rows as they are": lambda x: adlib.lax.scan(lambda c, r: (c, r), x[0], x),
    "constants": lambda x: adlib.lax.scan(
        lambda c, r: (c * jnp.asarray(W[:, 0]) + r, 1.0), x[0], x
    ),
    "a loop in a loop": lambda x: adlib.lax.scan(
        lambda c, r: adlib.lax.scan(lambda d, _: (jnp.sin(d) + r, d * r), c, None, length=3),
        x[0],
        x,
    ),
    "products": lambda x: adlib.lax.scan(
        lambda c, r: (jnp.tanh(c @ x.T @ x / 40), jnp.sum(c) / 40 + r), x, x
    ),
}


@pytest.mark.parametrize("name", SCANS)
def test_scans_are_written_down_round_by_round(fake, name):
    f = SCANS[name]
    program = program_of(f, fake, X)
    assert len(program.stretches) == 1 and len(program.parts) == len(program.schedule.steps)
    wanted = [np.asarray(x) for x in adlib.tree.leaves(f(jnp.asarray(X)))]
    x = fake.asarray(X)
    for _ in range(3):  # at once, recorded, started again
        for found, w in zip(program.function(x), wanted, strict=True):
            np.testing.assert_allclose(found.get(), w, rtol=2e-5, atol=2e-5)


def test_a_recurrent_network_and_its_gradient_are_one_launch(fake):
    w, h, xs = numbers(20, 20) / 5, numbers(20), numbers(7, 20)
    for f in (recurrent, adlib.grad(recurrent)):
        jitted = adlib.jit(f)
        args = [there(a) for a in (w, h, xs)]
        for _ in range(12):  # blocks take turns
            found = jitted(*args)
        with runtime.counted() as counts:
            found = jitted(*args)
        assert counts == {"graph": 1}
        wanted = f(*map(jnp.asarray, (w, h, xs)))
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-4, atol=1e-5)


@needs_nvrtc
def test_the_kernels_of_loops_are_compiled_for_a_card():
    w, h, xs = numbers(20, 20) / 5, numbers(20), numbers(7, 20)
    program = program_of(adlib.grad(recurrent), None, w, h, xs)
    step = program_of(lambda p, g: p - 0.1 * g, None, X, X, donated=(0,))
    for each, kernels in ((program, 2), (step, 1)):
        assert each.cuda.count("__global__") >= kernels
        assert nvrtc.cubin(each.cuda, "sm_90", OPTIONS)[:4] == b"\x7fELF"


def test_too_many_rounds_are_the_hosts(fake, monkeypatch):
    monkeypatch.setattr("adlib.compile.cuda.program.MOST_ORDERS", 20)
    f = lambda x: adlib.lax.scan(lambda c, r: (jnp.sin(c) + r, c), x[0], x)  # noqa: E731
    program = program_of(f, fake, X)
    assert "too many rounds" in "".join(why for _, why in program.schedule.reasons)
    wanted = [np.asarray(x) for x in f(jnp.asarray(X))]
    for found, w in zip(program.function(fake.asarray(X)), wanted, strict=True):
        np.testing.assert_allclose(found.get(), w, rtol=2e-5, atol=2e-5)


def test_a_while_loop_reads_its_condition_back_and_nothing_else(fake):
    def halve(x):
        return adlib.lax.while_loop(lambda v: jnp.sum(v) > 1.0, lambda v: v / 2, x)

    f = adlib.jit(halve)
    x = there(np.full(30, 1.0, np.float32))
    wanted = np.asarray(halve(jnp.full(30, 1.0)))
    with runtime.counted() as counts:
        result = f(x)
    assert counts["bytes brought"] == 6  # five rounds and the end, a byte each
    np.testing.assert_allclose(np.asarray(result), wanted)


def test_a_branch_is_chosen_by_the_host(fake):
    f = adlib.jit(lambda i, x: adlib.lax.switch(i, [jnp.sin, jnp.cos, lambda v: v * 2], x))
    x = there(X)
    for i, wanted in enumerate([np.sin(X), np.cos(X), X * 2]):
        with runtime.counted() as counts:
            found = f(there(np.int32(i)), x)
        assert counts["kernel"] >= 1
        np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-5)


# -------------------------------------------------------------------- the stand-in itself


def test_a_stream_refuses_what_cuda_refuses_while_it_records(fake):
    x = fake.asarray(X)
    refused = {
        "a copy to the host": lambda: x.get(),
        "a number": lambda: float(x[0, 0]),
        "a copy from the host": lambda: fake.asarray(X),
        "memory": lambda: fake.empty(3, np.float32),
        "waiting": lambda: fake.cuda.get_current_stream().synchronize(),
        "other work": lambda: x + x,
    }
    for what, act in refused.items():
        stream = fake.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            with pytest.raises(runtime.CUDARuntimeError, match="CaptureUnsupported"):
                act()
            with pytest.raises(runtime.CUDARuntimeError, match="CaptureInvalidated"):
                stream.end_capture()
        assert not stream.is_capturing(), what
    for stream in (fake.cuda.get_current_stream(), fake.cuda.Stream()):
        with pytest.raises(runtime.CUDARuntimeError, match="CaptureImplicit"):
            stream.begin_capture()


def test_a_graph_of_memory_that_is_gone_fails(fake):
    program = program_of(lambda x: jnp.sin(x) * 2, fake, X)
    (stretch,) = program.stretches.values()
    x, target = fake.asarray(X), fake.empty(X.shape, np.float32)
    stretch(x, target)
    stream = fake.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        stretch(x, target)
        graph = stream.end_capture()
    del target
    with pytest.raises(AssertionError, match="not memory of the GPU"):
        graph.launch()


def test_the_real_package_has_what_is_used():
    cupy = pytest.importorskip("cupy")
    stream = cupy.cuda.Stream
    assert all(hasattr(stream, n) for n in ("begin_capture", "end_capture", "__enter__"))
    assert hasattr(cupy.cuda.Graph, "launch") and hasattr(cupy.cuda, "get_current_stream")
    assert cupy.cuda.runtime.memcpyDeviceToDevice == orders.Copy.KIND
    assert "dst, intptr_t src, size_t size, int kind" in cupy.cuda.runtime.memcpyAsync.__doc__
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)
    with pytest.raises(cupy.cuda.memory.OutOfMemoryError) as caught:
        raise cupy.cuda.memory.OutOfMemoryError(4000, 1000, 3000)
    assert str(caught.value) == str(runtime.OutOfMemoryError(4000, 1000, 3000))
