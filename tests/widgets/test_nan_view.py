"""why_nan: the headline, the cards, and their escaping."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib import lax, nn
from adlib.inspect import ArraySummary, BadEquation, NamedSummary, NanRecord
from adlib_widgets import NanView, why_nan


def entropy(x):
    return jnp.where(x > 0, x * jnp.log(x), 0.0).sum()


def headline(function, *args):
    return str(why_nan(function)(*args)).splitlines()[0]


@pytest.mark.parametrize(
    ("function", "args", "text"),
    [
        (jnp.log, (0.0,), "The result holds infinity."),
        (jnp.log, (-1.0,), "The result holds NaN."),
        (jnp.sqrt, (0.0,), "The result is finite, but its gradient holds infinity."),
        (entropy, (np.zeros(2),), "The result is finite, but its gradient holds NaN."),
        (jnp.sin, (0.0,), "No NaN and no infinity: the function and its derivatives are finite "
         "here."),
        (lambda x: x + jnp.minimum(jnp.exp(lax.stop_gradient(x)), 5.0), (200.0,), "Result and "
         "gradient are finite; an infinity on the way there is made harmless."),
    ],
)  # fmt: skip
def test_the_headline(function, args, text):
    assert headline(function, *args) == text


def test_the_reverse_sweep_and_the_hidden_cause_are_both_shown():
    text = str(why_nan(entropy)(np.array([1.0, 0.0])))
    assert "NaN in the reverse sweep of its derivative at entry [1]" in text
    assert "c = log a" in text and "log(0) is −infinity." in text
    assert "jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), 0.0)" in text
    line = entropy.__code__.co_firstlineno + 1
    assert f"test_nan_view.py:{line}: return jnp.where(x > 0, x * jnp.log(x), 0.0).sum()" in text


def test_the_html_needs_no_trust_and_repeats():
    view = why_nan(entropy)(np.array([1.0, 0.0]))
    html = view._repr_mimebundle_()["text/html"]
    assert html.count("<b>Why.</b>") == 2 and "<table" in html
    for word in ("<script", "<style", "<svg", " onload"):
        assert word not in html
    assert html == why_nan(entropy)(np.array([1.0, 0.0])).html


def test_functions_without_a_gradient_say_so():
    loop = why_nan(lambda x: lax.while_loop(lambda c: c < 9, lambda c: c * 2, x))(1.0)
    assert str(loop).startswith("The function is finite here. No derivative: Reverse-mode")


def test_masks_are_no_fault():
    masked = why_nan(lambda x: nn.softmax(jnp.where(x > 0, x, -jnp.inf)))(np.array([1.0, -1.0]))
    assert "NaN" not in str(masked).splitlines()[0].replace("No NaN", "")


def test_what_the_function_raises_comes_through():
    with pytest.raises(ZeroDivisionError):
        why_nan(lambda x: 1 / 0)(1.0)


def test_texts_that_want_to_be_markup_stay_texts(nasty):
    summary = ArraySummary(nasty, 1, 4, 0, 1, 0, values=(nasty,))
    named = NamedSummary(nasty, summary)
    bad = BadEquation(
        "primal", "nan", nasty, nasty, nasty, nasty, (1,), (named,), named, nasty, nasty, nasty
    )
    view = NanView(NanRecord(bad, bad, bad, bad, "nan", "nan", nasty))
    ElementTree.fromstring(view.svg)
    assert "<script" not in view.html and "<script" not in view.svg


@pytest.mark.parametrize("name", ["a.svg", "a.html", "a.txt"])
def test_saving(tmp_path, name):
    path = why_nan(entropy)(np.zeros(2)).save(tmp_path / name)
    assert "log" in path.read_text(encoding="utf-8")
