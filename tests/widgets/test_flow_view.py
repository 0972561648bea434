"""show_flow: what it shows in text, HTML and SVG."""

import base64
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect import ArraySummary, FlowOutput, FlowRecord, FlowStep, FlowValue, ValueRecord
from adlib.inspect.flow import ContributionRecord
from adlib_widgets import FlowView, show_flow
from adlib_widgets.flow_scene import MOST_ROWS, flow_rows

SPACE = "{http://www.w3.org/2000/svg}"


def f(x, y):
    a = jnp.sin(x)
    return a * x + y


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(SPACE + "text")]


def test_the_text_has_both_sweeps_with_rules_and_numbers():
    lines = str(show_flow(f)(1.0, 2.0)).splitlines()
    assert lines[0] == "forward sweep" and "reverse sweep" in lines
    assert any("ċ = cos(a)·ȧ = 0.5403·1 = 0.5403" in line for line in lines)
    assert any("cos(a)·c̄ = 0.5403·1 = 0.5403" in line for line in lines)
    assert lines[-1].split() == ["ā", "sum", "=", "1.382"]


def test_the_picture_has_the_rules_and_the_sum_at_the_fan_out():
    shown = " ".join(texts(show_flow(f)(1.0, 2.0).svg))
    assert "forward sweep" in shown and "reverse sweep" in shown
    assert "ċ = cos(a)·ȧ = 0.5403·1 = " in shown
    assert "ā = c·d̄ = 0.8415·1 = 0.8415" in shown
    assert "+ cos(a)·c̄ = 0.5403·1 = 0.5403" in shown and "1.382" in shown


def test_arrays_are_small_pictures():
    svg = show_flow(lambda x: jnp.sin(x).sum())(np.linspace(-1.0, 1.0, 5)).svg
    assert len(re.findall(r'<rect [^>]*width="7" height="7"', svg)) == 5 * 2 * 3


def test_a_notebook_gets_text_and_html_without_scripts():
    bundle = show_flow(f)(1.0, 2.0)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    html = bundle["text/html"]
    assert html.count("data:image/svg+xml;base64,") == 1 and html.count("<table") == 2
    for word in ("<script", "<style", "<svg", " onload"):
        assert word not in html
    assert 'alt="Forward and reverse sweep through 3 equations' in html


def test_two_views_of_the_same_run_are_the_same_bytes(run_python):
    assert show_flow(f)(1.0, 2.0).html == show_flow(f)(1.0, 2.0).html
    code = (
        "import adlib.numpy as jnp, hashlib, adlib_widgets\n"
        "html = adlib_widgets.show_flow(lambda x: jnp.tanh(jnp.sin(x) * x))(1.0).html\n"
        "print(hashlib.sha256(html.encode()).hexdigest())"
    )
    assert run_python(code) == run_python(code)


def test_seeds_are_chosen_by_the_caller():
    view = show_flow(f)(1.0, 2.0, tangent=(0.0, 1.0), cotangent=2.0)
    assert view.record.outputs[0].tangent.values == (1.0,)
    assert view.record.inputs[1][1].cotangent.values == (2.0,)


def test_what_the_function_raises_comes_through():
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="^mine$"):
        show_flow(broken)(1.0)


def test_long_programs_keep_both_ends_in_the_picture():
    def long(x):
        for _ in range(MOST_ROWS + 100):
            x = jnp.sin(x)
        return x

    view = show_flow(long)(1.0)
    rows = flow_rows(view.record)
    assert len(rows) == MOST_ROWS + 3
    assert "… 100 more equations …" in texts(view.svg)
    assert len(view.record.steps) == MOST_ROWS + 100


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda x: 3.0,
        lambda x: (x, {"n": jnp.argmax(x)}),
        lambda x: adlib.random.normal(adlib.random.key(0), (3,)) * x,
        lambda x: adlib.lax.scan(lambda c, a: (c * a, c), x, jnp.arange(4.0)),
        adlib.grad(lambda x: (x**3).sum()),
    ],
)
def test_every_kind_of_program_is_drawn(function):
    view = show_flow(function)(jnp.ones(3))
    ElementTree.fromstring(view.svg)
    assert str(view).startswith("forward sweep")


def test_texts_that_want_to_be_markup_stay_texts(nasty):
    summary = ArraySummary(nasty, 1, 4, 1, values=(nasty,))
    value = FlowValue(
        ValueRecord(nasty, nasty),
        summary,
        summary,
        summary,
        tuple(ContributionRecord(nasty, 0, nasty, nasty, summary) for _ in range(2)),
        nasty,
        nasty,
    )
    step = FlowStep(nasty, nasty, nasty, nasty, nasty, (nasty,), (value,), 1, 1, 1, 1)
    output = FlowOutput("out_0", nasty, nasty, summary, summary, summary)
    view = FlowView(FlowRecord(((nasty, value),), (step,), (output,)))
    ElementTree.fromstring(view.svg)
    assert "<script" not in view.html and "<script" not in view.svg
    (data,) = re.findall(r"base64,([^\"]*)", view.html)
    assert base64.b64decode(data).decode() == view.svg


@pytest.mark.parametrize(
    ("name", "start"), [("a.svg", "<svg "), ("a.html", "<!doctype html>"), ("a.txt", "forward")]
)
def test_saving(tmp_path, name, start):
    path = show_flow(f)(1.0, 2.0).save(tmp_path / name)
    assert path.read_text(encoding="utf-8").startswith(start)


def test_saving_to_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"writes .svg, .html and .txt files.*'a.png'"):
        show_flow(f)(1.0, 2.0).save(tmp_path / "a.png")


def test_constants_are_shown():
    view = show_flow(lambda x: np.ones((2, 3), np.float32) @ x)(np.ones(3))
    assert str(view).splitlines()[1].split() == ["constant", "a:f32[2,3]", "all", "1"]
    assert "constant" in texts(view.svg)
