"""Devices, and moving values between them and NumPy."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp


def test_what_there_is():
    (device,) = adlib.devices()
    assert adlib.devices("cpu") == adlib.local_devices() == adlib.devices() == [device]
    assert adlib.device_count() == adlib.local_device_count() == 1
    assert adlib.device_count("cpu") == 1 and adlib.default_backend() == "cpu"
    assert (device.platform, device.id, device.device_kind, device.process_index) == (
        "cpu", 0, "cpu", 0,
    )  # fmt: skip
    assert repr(device) == "CpuDevice(id=0)" and str(device) == "cpu:0"
    gpu = adlib.Device("gpu", 1)
    assert repr(gpu) == "CudaDevice(id=1)" and str(gpu) == "cuda:1"


@pytest.mark.parametrize("ask", [
    adlib.devices, adlib.device_count, lambda name: adlib.device_put(1.0, name),
    lambda name: adlib.local_devices(backend=name),
])  # fmt: skip
def test_what_there_is_not(ask):
    with pytest.raises(RuntimeError) as caught:
        ask("tpu")
    message = str(caught.value)
    assert "Unknown backend 'tpu': adlib computes on 'cpu' and on 'gpu'" in message
    assert "test_devices.py" in message


def test_put_and_get_trees():
    tree = {"a": 1.0, "b": [np.arange(3), jnp.ones(2)], "c": None}
    put = adlib.device_put(tree)
    assert isinstance(put["a"], adlib.Array) and isinstance(put["b"][0], adlib.Array)
    assert put["b"][1] is tree["b"][1] and put["c"] is None
    assert adlib.device_put(1.0, adlib.devices()[0]).weak_type
    got = adlib.device_get(put)
    assert all(type(v) is np.ndarray for v in (got["a"], *got["b"]))
    got["b"][1][0] = 5.0  # a copy: the array stays as it was
    assert tree["b"][1].tolist() == [1, 1]


def test_get_of_a_traced_value():
    with pytest.raises(adlib.errors.TracerArrayConversionError):
        adlib.jit(lambda x: adlib.device_get(x))(1.0)


def test_put_is_transparent_to_transformations():
    f = lambda x: adlib.device_put(x) * 2.0  # noqa: E731
    assert float(adlib.grad(f)(1.0)) == 2.0 and float(adlib.jit(f)(1.0)) == 2.0
    with pytest.raises(TypeError, match="device_put requires ndarray or scalar"):
        adlib.device_put({"a": "text"})


def test_waiting():
    tree = {"a": jnp.ones(2), "b": 3, "c": "text"}
    assert adlib.block_until_ready(tree) is tree
    assert float(adlib.jit(lambda x: adlib.block_until_ready(x))(1.0)) == 1.0


def test_what_is_no_array_stays_as_it_is_when_fetched():
    assert adlib.device_get((1, None, "a"))[0] == 1
    assert isinstance(adlib.device_get(1), int)


def test_a_shape_wants_a_dtype():
    with pytest.raises(ValueError, match=r"a dtype is wanted besides the shape \(2, 3\)"):
        adlib.ShapeDtypeStruct((2, 3), None)
