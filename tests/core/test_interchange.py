"""DLPack on the CPU: memory is shared, and said to be read-only where the protocol can."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

NUMBERS = np.array([1.0, 2.0, 3.0], np.float32)


def torch():
    return pytest.importorskip("torch")


def test_numpy_reads_our_memory_and_may_not_write_to_it():
    x = jnp.asarray(NUMBERS) * 2
    y = np.from_dlpack(x)
    assert y.ctypes.data == x.unsafe_buffer_pointer() and not y.flags.writeable
    assert y.tolist() == [2, 4, 6]


def test_our_arrays_read_numpys_memory():
    a = NUMBERS.copy()
    assert jnp.from_dlpack(a).unsafe_buffer_pointer() == a.ctypes.data
    assert jnp.from_dlpack(a, copy=True).unsafe_buffer_pointer() != a.ctypes.data
    assert jnp.from_dlpack(a[::-1]).tolist() == [3, 2, 1]
    x = jnp.asarray(a)
    assert jnp.from_dlpack(x).unsafe_buffer_pointer() == x.unsafe_buffer_pointer()


def test_memory_of_others_is_not_overwritten():
    a = NUMBERS.copy()
    step = adlib.jit(lambda p: p * 2 - 1, donate_argnums=0)
    for _ in range(4):
        assert step(jnp.from_dlpack(a)).tolist() == [1, 3, 5]
        assert a.tolist() == [1, 2, 3]


def test_gradients_of_shared_memory():
    a = NUMBERS.copy()
    assert adlib.grad(lambda x: jnp.sum(x**2))(jnp.from_dlpack(a)).tolist() == [2, 4, 6]


def test_what_consumers_ask_for():
    x = jnp.asarray(NUMBERS)
    assert x.__dlpack_device__() == (1, 0)
    for asked in ({}, {"max_version": (1, 1)}, {"dl_device": (1, 0)}, {"copy": False}, {"copy": 1}):
        assert "dltensor" in repr(x.__dlpack__(**asked))
    assert "versioned" in repr(x.__dlpack__(max_version=(1, 0)))
    with pytest.raises(BufferError, match="on the CPU cannot be exported to CUDA device 0"):
        x.__dlpack__(dl_device=(2, 0))


def test_memory_that_is_read_only_is_copied_for_those_who_cannot_be_told():
    a = NUMBERS.copy()
    a.flags.writeable = False
    x = adlib.core.array.of_ndarray(a)
    assert np.from_dlpack(x).ctypes.data == a.ctypes.data
    assert "dltensor" in repr(x.__dlpack__())
    with pytest.raises(BufferError, match="cannot say that memory is read-only"):
        x.__dlpack__(copy=False)


def test_narrower_numbers_are_a_copy():
    a = np.array([1.0, 2.0])
    assert jnp.from_dlpack(a).dtype == np.float32
    with pytest.raises(BufferError, match="float64 becomes one of float32"):
        jnp.from_dlpack(a, copy=False)


def test_what_does_not_speak_it_says_so():
    with pytest.raises(TypeError, match="__dlpack__ and __dlpack_device__, got <class 'list'>"):
        jnp.from_dlpack([1.0])


def test_pytorchs_tensors_share_memory_both_ways():
    t = torch().arange(6, dtype=torch().float32).reshape(2, 3)
    x = jnp.from_dlpack(t)
    assert x.unsafe_buffer_pointer() == t.data_ptr() and x.tolist() == t.tolist()
    assert jnp.from_dlpack(t.T).tolist() == t.T.tolist()  # strided
    y = jnp.sin(x)
    back = torch().from_dlpack(y)
    assert back.data_ptr() == y.unsafe_buffer_pointer() and back.tolist() == y.tolist()
    assert jnp.asarray(t).tolist() == t.tolist()
