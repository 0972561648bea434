"""Looking at the process; dynamic slices; guards against tracing."""

import pytest

import adlib
import adlib.numpy as jnp


def test_live_arrays():
    x = jnp.ones(3)
    assert any(y is x for y in adlib.live_arrays()) and adlib.live_arrays("cpu")
    with pytest.raises(RuntimeError, match="gpu"):
        adlib.live_arrays("gpu")


def test_environment_info(capsys):
    assert adlib.print_environment_info() is None
    text = capsys.readouterr().out
    assert adlib.__version__ in text and "CpuDevice(id=0)" in text and "numpy:" in text
    assert adlib.print_environment_info(return_string=True) == text.rstrip("\n")


def test_dynamic_slices():
    x = jnp.arange(10)
    assert x[adlib.ds(2, 3)].tolist() == [2, 3, 4] and x[adlib.ds(3)].tolist() == [0, 1, 2]
    assert x[adlib.ds(1, 3, 2)].tolist() == [1, 3, 5] and x[adlib.ds(1, 0)].tolist() == []
    assert adlib.jit(lambda i: x[adlib.ds(i, 3)])(4).tolist() == [4, 5, 6]
    with pytest.raises(TypeError, match="its size as a Python int"):
        adlib.jit(lambda n: x[adlib.ds(1, n)])(2)


def test_no_tracing():
    f = adlib.jit(lambda x: x + 1)
    f(1.0)
    with adlib.no_tracing():
        assert f(2.0) == 3.0
        with pytest.raises(RuntimeError, match="<lambda> would be traced for i32"):
            f(1)
    assert f(1) == 2
    with adlib.check_tracer_leaks(), adlib.softmax_custom_jvp(False):
        assert adlib.nn.softmax(jnp.zeros(2)).tolist() == [0.5, 0.5]
