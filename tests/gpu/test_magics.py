"""The magics where there is a GPU: all take its arrays; ``%addevice`` and ``%adtime``."""

import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions import device
from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.timing import measure, time_call
from tests.gpu import runtime, stand_in
from tests.kernel_ext.conftest import ipython  # noqa: F401  # a fixture


@pytest.fixture(autouse=True)
def same_device_afterwards():
    yield
    adlib.config.update("jax_default_device", None)


def name_of(gpu):
    name = gpu.cuda.runtime.getDeviceProperties(0)["name"]
    return name.decode() if isinstance(name, bytes) else name


def test_the_kind_of_a_gpu_is_the_name_of_the_card(gpu):
    (found, *_) = adlib.devices("gpu")
    assert found.device_kind == name_of(gpu)
    assert found.memory_stats()["bytes_limit"] > found.memory_stats()["bytes_in_use"] > 0
    if isinstance(gpu, stand_in.Cupy):
        assert found.device_kind == "Stand-in 1000"
        assert found.memory_stats() == {"bytes_in_use": 2 * 10**9, "bytes_limit": 8 * 10**9}


def test_the_cpu_has_no_card():
    (cpu,) = adlib.devices("cpu")
    assert cpu.device_kind == "cpu" and cpu.memory_stats() is None


def test_the_report_names_the_card_and_its_memory(gpu):
    before = device.device_report()
    assert before.current == "cpu" and before.missing == "" and name_of(gpu) in before.card
    assert repr(before) == (
        f"adlib computes on cpu. gpu is available ({before.card}): %addevice gpu"
    )
    chosen = device.choose_device("gpu")
    assert chosen.current == "gpu" and str(jnp.ones(2).device) == "cuda:0"
    assert repr(chosen) == f"adlib computes on gpu ({chosen.card})."
    if isinstance(gpu, stand_in.Cupy):
        assert chosen.card == "Stand-in 1000, 6 of 8 GB free"
    assert device.choose_device("cpu").current == "cpu" and jnp.ones(2).device.platform == "cpu"


def test_the_report_follows_both_flags(gpu):
    adlib.config.update("jax_platform_name", "gpu")
    try:
        assert device.device_report().current == "gpu"
        adlib.config.update("jax_default_device", adlib.devices("cpu")[0])
        assert device.device_report().current == "cpu"
    finally:
        adlib.config.update("jax_platform_name", "")


class Recorder:
    """CuPy's module ``cuda`` with events that count what stands between them."""

    def __init__(self):
        self.calls = 0
        self.log = []
        cuda = self

        class Event:
            def record(self):
                self.at = cuda.calls
                cuda.log.append("record")

            def synchronize(self):
                cuda.log.append("wait")

        self.Event = Event

    def get_elapsed_time(self, start, end):
        return 2.0 * (end.at - start.at)  # milliseconds

    def called(self):
        self.calls += 1


def test_events_stand_before_and_after_the_calls_of_a_repeat():
    cuda = Recorder()
    timing = measure(cuda.called, number=5, repeat=3, cuda=cuda)
    assert timing.first == pytest.approx(0.002) and timing.number == 5
    assert timing.repeats == pytest.approx((0.002, 0.002, 0.002))
    assert cuda.log == ["record", "record", "wait"] * 4 and cuda.calls == 1 + 3 * 5


def test_results_on_the_gpu_are_timed_by_events(gpu, monkeypatch):
    made = []
    event = gpu.cuda.Event
    monkeypatch.setattr(gpu.cuda, "Event", lambda: made.append(1) or event())

    def f(x):
        return jnp.sum(jnp.sin(x) ** 2)

    x = jnp.linspace(0.0, 1.0, 5)
    here = time_call(Call("f(x)", f, (x,), {}), number=1, repeat=1)
    assert not made and not any("GPU" in note for note in here.notes)
    there = time_call(Call("f(x)", f, (adlib.device_put(x, "gpu"),), {}), number=1, repeat=1)
    assert len(made) == 2 * 2 * sum((row.eager is not None) + (row.jitted is not None)
                                    for row in there.rows)  # fmt: skip
    assert [row.name for row in there.rows] == ["f", "jvp", "vjp", "grad", "hessian"]
    assert there["f"].eager.seconds > 0 and there["f"].jitted is not None
    assert any(note.startswith("On the GPU: timed by CUDA events") for note in there.notes)


def test_timing_a_large_array_brings_nothing_back(gpu):
    if not isinstance(gpu, stand_in.Cupy):
        pytest.skip("bytes are counted on the stand-in")
    x = adlib.device_put(jnp.linspace(0.0, 1.0, 70_000), "gpu")
    with runtime.counted() as counts:
        found = time_call(
            Call("f(x)", lambda x: jnp.sum(jnp.sin(x) ** 2), (x,), {}), number=2, repeat=2
        )
    assert [row.name for row in found.rows] == ["f", "jvp", "vjp", "grad"]
    assert counts.get("bytes brought", 0) <= 64


CELLS = (
    "%grad --check --hessian --flow --graph f(x)", "%jvp f(x) @ v", "%jvp f(x)", "%vjp f(x)",
    "%vjp v @ g(x)", "%jaxpr f(x)", "%derive f(x)", "%flow f(x)", "%jacobian g(x)", "%admem f(x)",
    "%whynan f(x)", "%adtime -n 1 -r 1 f(x)", "%checkgrads f(x)", "%%grad x\njnp.sum(jnp.sin(x))",
    "%%checkgrads x\njnp.sum(x**3)",
)  # fmt: skip


@pytest.mark.parametrize("cell", CELLS)
def test_magics_take_gpu_arrays(gpu, ipython, cell):  # noqa: F811
    x, v = (adlib.device_put(jnp.array(n), "gpu") for n in ([0.5, 1.0, 2.0], [1.0, 0.0, -1.0]))
    ipython.names.update(
        jnp=jnp, x=x, v=v, f=lambda x: jnp.sum(jnp.sin(x) ** 2), g=lambda x: jnp.sin(x) * x[0]
    )
    assert repr(ipython.run(cell))
