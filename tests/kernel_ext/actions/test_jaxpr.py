"""Jaxprs of calls."""

import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.jaxpr import jaxpr_of_call


def test_the_view_shows_the_call():
    def f(x, power, *, scale):
        return jnp.sin(x) ** power * scale

    call = Call("f(1.0, 2, scale=3.0)", f, (1.0, 2), {"scale": 3.0})
    view = jaxpr_of_call(call)
    assert repr(view) == str(adlib.make_jaxpr(f)(1.0, 2, scale=3.0))
    assert [n.note for n in view.record.of_kind("input")] == ["x", "power", "scale"]


def test_settings_that_are_no_numbers_are_constants():
    def f(x, mode, activation):
        assert mode == "twice"
        return activation(activation(x))

    view = jaxpr_of_call(Call("f(…)", f, (1.0, "twice", jnp.sin), {}))
    assert [n.note for n in view.record.of_kind("input")] == ["x"]
    assert [n.label for n in view.record.of_kind("equation")] == ["sin", "sin"]


def test_what_the_function_raises_comes_through():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        jaxpr_of_call(Call("broken(1.0)", broken, (1.0,), {}))
