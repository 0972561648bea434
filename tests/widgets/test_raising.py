"""A function that raises, or that cannot be traced: the user's own error, in every view."""

import traceback

import pytest

import adlib
import adlib.numpy as jnp
from adlib_widgets import (
    interact,
    show_derivation,
    show_flow,
    show_jacobian,
    show_jaxpr,
    show_memory,
    why_nan,
)

VIEWS = [show_jaxpr, show_derivation, show_flow, show_jacobian, show_memory, why_nan]


def raising(x):
    raise ZeroDivisionError("mine")


def deciding(x):
    y = jnp.sin(x)
    if y > 0:
        return y
    return -y


def late(x, n):
    if n > 2:
        raise ValueError("n is too <b>big</b>")
    return jnp.sin(x) * n


@pytest.mark.parametrize("show", VIEWS)
def test_what_the_function_raises_comes_through_unchanged(show):
    with pytest.raises(ZeroDivisionError, match="^mine$") as error:
        show(raising)(1.0)
    frames = traceback.extract_tb(error.tb)
    assert (frames[-1].name, frames[-1].line) == ("raising", 'raise ZeroDivisionError("mine")')


@pytest.mark.parametrize("show", VIEWS)
def test_what_cannot_be_traced_says_where_and_how_to_repair_it(show):
    with pytest.raises(adlib.errors.TracerBoolConversionError) as error:
        show(deciding)(1.0)
    text = str(error.value)
    assert "if y > 0:" in text and "Repair: use jnp.where" in text


@pytest.mark.parametrize("show", [show_memory, show_derivation, why_nan])
def test_sliders_show_an_error_in_the_place_of_the_picture(show):
    box = interact(lambda x, n: show(lambda x: late(x, n))(x), x=(0.0, 1.0), n=(0, 5))
    before = box.view
    box.controls["n"].value = 4
    alerts = [child.value for child in box.children if type(child).__name__ == "HTML"]
    assert any("n is too &lt;b&gt;big" in text and 'role="alert"' in text for text in alerts)
    box.controls["n"].value = 1
    assert box.view is not before and box.view.record == show(lambda x: late(x, 1))(0.5).record
