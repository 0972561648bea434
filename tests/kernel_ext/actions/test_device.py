"""Where adlib computes, and what is missing."""

import pytest

import adlib
from adlib_kernel.actions import device
from adlib_kernel.actions.mistakes import MagicMistake


@pytest.fixture(autouse=True)
def same_device_afterwards():
    before = adlib.config.jax_default_device
    yield
    adlib.config.update("jax_default_device", before)


def test_the_cpu_is_always_there():
    assert device.choose_device("cpu").current == "cpu"
    assert device.device_report().current == "cpu"


def refuse(name):
    raise RuntimeError("the driver is too old.\n  more")


def test_without_a_driver_it_says_so(monkeypatch):
    monkeypatch.setattr(adlib, "devices", refuse)
    monkeypatch.setattr(device, "_driver_is_missing", lambda: True)
    with pytest.raises(MagicMistake) as caught:
        device.choose_device("gpu")
    assert str(caught.value) == (
        "%addevice gpu: A GPU needs an NVIDIA card with its driver, and this machine shows none."
    )
    assert repr(device.device_report()).startswith("adlib computes on cpu. A GPU needs an NVIDIA")


def test_without_cupy_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(adlib, "devices", refuse)
    monkeypatch.setattr(device, "_driver_is_missing", lambda: False)
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: None)
    assert device.missing_for_gpu() == (
        "A GPU needs CuPy, which is not installed: pip install 'adlib-jupyter[gpu]'."
    )


def test_with_both_the_engine_has_the_word(monkeypatch):
    monkeypatch.setattr(device, "_driver_is_missing", lambda: False)
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(adlib, "devices", refuse)
    assert device.missing_for_gpu() == "The GPU cannot be used: the driver is too old."


def test_other_names():
    with pytest.raises(MagicMistake, match="%addevice takes cpu or gpu; 'tpu' is neither."):
        device.choose_device("tpu")
