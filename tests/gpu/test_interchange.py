"""Arrays of other libraries on the GPU, and ours in theirs, without a copy."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.core.array import ArrayImpl
from tests.gpu import runtime, stand_in


@pytest.fixture
def fake(gpu):
    if not isinstance(gpu, stand_in.Cupy):
        pytest.skip("what is asked of the other library shows on the stand-in")
    return gpu


NUMBERS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32)


def there(x):
    return adlib.device_put(jnp.asarray(x), "gpu")


def address(x):
    return x._value.data.ptr


class Tensor:
    """A tensor of another library on the GPU: it shows its memory, and keeps what it was asked."""

    def __init__(self, array, device=(2, 0)):
        self.array = array
        self.device = device
        self.asked = []

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **asked):
        self.asked.append(asked)
        return runtime.Capsule(self.array.held, asked.get("max_version"))


class Shown:
    """An array of a library that knows ``__cuda_array_interface__`` only, as Numba's."""

    def __init__(self, array):
        self.array = array

    @property
    def __cuda_array_interface__(self):
        return {**self.array.__cuda_array_interface__, "stream": 7}


# ---------------------------------------------------------------------------- theirs, taken


def test_from_dlpack_shares_memory_on_the_gpu(fake):
    theirs = Tensor(fake.asarray(NUMBERS))
    x = jnp.from_dlpack(theirs)
    assert type(x) is ArrayImpl and address(x) == theirs.array.data.ptr
    assert x.device.platform == "gpu" and (x * 2).tolist() == (NUMBERS * 2).tolist()
    # the consumer's stream: CuPy waits for the producer there; 1 is the default stream
    assert [asked["stream"] for asked in theirs.asked] == [1]


def test_the_consumers_stream_is_the_current_one(fake):
    theirs = Tensor(fake.asarray(NUMBERS))
    stream = fake.cuda.Stream(non_blocking=True)
    with stream:
        jnp.from_dlpack(theirs)
    assert theirs.asked[0]["stream"] == stream.ptr


def test_from_dlpack_copies_where_it_is_asked_to(fake):
    theirs = Tensor(fake.asarray(NUMBERS))
    assert address(jnp.from_dlpack(theirs, copy=True)) != theirs.array.data.ptr
    assert address(jnp.from_dlpack(theirs, copy=False)) == theirs.array.data.ptr
    back = jnp.from_dlpack(theirs, device="cpu")
    assert back.device.platform == "cpu" and back.tolist() == NUMBERS.tolist()
    with pytest.raises(BufferError, match="to cpu without a copy"):
        jnp.from_dlpack(theirs, device="cpu", copy=False)


def test_narrower_numbers_are_a_copy(fake):
    theirs = Tensor(fake.asarray(NUMBERS.astype(np.float64)))
    assert jnp.from_dlpack(theirs).dtype == np.float32
    with pytest.raises(BufferError, match="float64 becomes one of float32.*copy=False"):
        jnp.from_dlpack(theirs, copy=False)
    with adlib.enable_x64():
        assert address(jnp.from_dlpack(theirs, copy=False)) == theirs.array.data.ptr


@pytest.mark.parametrize("device, name", [((2, 1), "CUDA device 1"), ((10, 0), "ROCm device 0")])
def test_other_devices_are_named(fake, device, name):
    with pytest.raises(BufferError, match=f"an array on {name}; adlib computes on"):
        jnp.from_dlpack(Tensor(fake.asarray(NUMBERS), device))


def test_memory_that_is_shown_is_taken(fake):
    theirs = Shown(fake.asarray(NUMBERS))
    with runtime.counted() as counts:
        shared = jnp.asarray(theirs, copy=False)
    assert address(shared) == theirs.array.data.ptr and "waited for stream 7" in counts
    for copied in (jnp.asarray(theirs), jnp.array(theirs), jnp.sin(theirs)):
        assert address(copied) != theirs.array.data.ptr and copied.device.platform == "gpu"
    assert jnp.add(shared, theirs).tolist() == (2 * NUMBERS).tolist()
    assert jnp.asarray(theirs, jnp.int32).tolist() == NUMBERS.astype(int).tolist()


def test_cupys_own_arrays(gpu):
    theirs = gpu.asarray(NUMBERS)
    assert address(jnp.asarray(theirs)) != theirs.data.ptr
    assert address(jnp.asarray(theirs, copy=False)) == theirs.data.ptr
    assert address(jnp.from_dlpack(theirs)) == theirs.data.ptr


def test_memory_of_others_is_not_overwritten(cuda):
    theirs = cuda.asarray(NUMBERS)
    step = adlib.jit(lambda p: p * 2 - 1, donate_argnums=0)
    for take in (jnp.from_dlpack, lambda a: jnp.asarray(a, copy=False)):
        x = take(theirs)
        assert step(x).tolist() == (NUMBERS * 2 - 1).tolist()
        assert x.is_deleted() and theirs.get().tolist() == NUMBERS.tolist()


def test_memory_that_others_were_shown_outlives_its_donation(cuda):
    x = there(NUMBERS)
    theirs = cuda.asarray(x)
    address_before = address(x)
    result = adlib.jit(lambda p: p * 2 - 1, donate_argnums=0)(x)
    assert x.is_deleted() and address(result) != address_before == theirs.data.ptr
    assert theirs.get().tolist() == NUMBERS.tolist()


# ----------------------------------------------------------------------------- ours, given


def test_a_gpu_array_shows_its_memory(gpu):
    x = there(NUMBERS)
    shown = x.__cuda_array_interface__
    assert shown["data"][0] == address(x) == x.unsafe_buffer_pointer()
    assert tuple(shown["shape"]) == (2, 3) and shown["typestr"] == "<f4" and shown["version"] >= 2
    taken = gpu.asarray(x)
    assert taken.data.ptr == address(x)
    assert not hasattr(jnp.asarray(NUMBERS), "__cuda_array_interface__")


def test_nothing_is_shown_while_a_function_is_traced(gpu):
    seen = []

    def f(x):
        seen.append((hasattr(x, "__cuda_array_interface__"), hasattr(x, "__dlpack__")))
        return x * 2

    adlib.jit(f)(there(NUMBERS))
    adlib.grad(lambda x: jnp.sum(f(x)))(there(NUMBERS))
    assert seen == [(False, False)] * 2


def test_exporting_by_dlpack(gpu):
    x = there(NUMBERS)
    assert x.__dlpack_device__() == (2, 0)
    assert gpu.from_dlpack(x).data.ptr == address(x)


@pytest.mark.parametrize("stream", [None, 1, 2, -1, 4096])
def test_the_stream_of_the_consumer_is_passed_on(fake, stream):
    with runtime.counted() as counts:
        capsule = there(NUMBERS).__dlpack__(stream=stream, max_version=(1, 0))
    assert counts[f"exported for stream {stream}"] == 1 and capsule.version == (1, 0)


def test_an_older_cupy_knows_the_stream_only(fake, monkeypatch):
    def exported(self, stream=None):
        return runtime.Capsule(self.held, None)

    monkeypatch.setattr(stand_in.ndarray, "__dlpack__", exported)
    x = there(NUMBERS)
    assert x.__dlpack__(max_version=(1, 0)).held.ctypes.data == address(x)


def test_exporting_to_the_cpu_is_a_copy(gpu):
    x = there(NUMBERS)
    with pytest.raises(BufferError, match="CUDA device 0 reaches the CPU by a copy only"):
        x.__dlpack__(dl_device=(1, 0), copy=False)
    with pytest.raises(BufferError, match="cannot be exported to CUDA device 3"):
        x.__dlpack__(dl_device=(2, 3))

    class OnTheCpu:
        def __dlpack__(self, **asked):
            return x.__dlpack__(**{**asked, "dl_device": (1, 0)})

        def __dlpack_device__(self):
            return (1, 0)

    assert np.from_dlpack(OnTheCpu()).tolist() == NUMBERS.tolist()


def test_a_copy_is_another_array(fake):
    x = there(NUMBERS)
    copied = x.__dlpack__(copy=True)
    assert copied.held.ctypes.data != address(x) and copied.held.tolist() == NUMBERS.tolist()
