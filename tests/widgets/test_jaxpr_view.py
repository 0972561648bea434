"""show_jaxpr: what it shows, saves and raises."""

import builtins
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib_widgets import JaxprView, show_jaxpr


def log1pexp(x):
    return jnp.log(1.0 + jnp.exp(x))


def test_the_text_is_the_printed_jaxpr():
    view = show_jaxpr(adlib.grad(log1pexp))(3.0)
    assert repr(view) == str(adlib.make_jaxpr(adlib.grad(log1pexp))(3.0))


def test_a_notebook_gets_text_and_html_without_scripts():
    bundle = show_jaxpr(log1pexp)(3.0)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    html = bundle["text/html"]
    assert "data:image/svg+xml;base64," in html and "<table" in html
    for word in ("<script", "<style", "<svg", " onload"):
        assert word not in html
    assert 'alt="Graph of a jaxpr with 1 input, 3 equations and 1 output."' in html
    assert "<summary" in html and "3 equations" in html


def test_a_bundle_can_be_narrowed():
    view = show_jaxpr(log1pexp)(3.0)
    assert set(view._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(view._repr_mimebundle_(exclude={"text/plain"})) == {"text/html"}


def test_the_svg_is_well_formed_and_says_what_it_shows():
    root = ElementTree.fromstring(show_jaxpr(log1pexp)(3.0).svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(space + "title").text == "jaxpr"
    assert "b:f32[] = exp a" in root.find(space + "desc").text
    assert [e.text for e in root.iter(space + "text")][:2] == ["x", "a:f32[]"]


def test_two_views_of_the_same_program_are_the_same_bytes():
    first, second = (show_jaxpr(adlib.grad(log1pexp))(3.0) for _ in range(2))
    assert first.svg == second.svg and first.html == second.html
    assert first.to_dot() == second.to_dot()


def test_another_process_draws_the_same_bytes(run_python):
    code = (
        "import adlib, adlib.numpy as jnp, hashlib, adlib_widgets\n"
        "f = adlib.grad(lambda x: jnp.tanh(jnp.sin(x) * x))\n"
        "print(hashlib.sha256(adlib_widgets.show_jaxpr(f)(1.0).html.encode()).hexdigest())"
    )
    assert run_python(code) == run_python(code)


def test_what_the_function_raises_comes_through():
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="^mine$"):
        show_jaxpr(broken)(1.0)


def test_the_line_of_an_equation_is_the_users():
    view = show_jaxpr(lambda x: jnp.sin(x))(1.0)
    (node,) = view.record.of_kind("equation")
    assert node.source.startswith("test_jaxpr_view.py:")


def test_parts_choose_what_is_shown():
    jaxpr = adlib.make_jaxpr(log1pexp)(1.0)
    assert "<img" not in JaxprView(jaxpr, parts=("text",)).html
    assert "<pre" in JaxprView(jaxpr, parts=("text",)).html
    with pytest.raises(ValueError, match="parts may hold 'text', 'graph' and 'table'; got 'svg'"):
        JaxprView(jaxpr, parts=("svg",))


def test_pytrees_and_keywords_are_named():
    def loss(params, *, scale):
        return (params["w"] * scale).sum()

    view = show_jaxpr(loss)({"w": np.ones(3)}, scale=2.0)
    assert [n.note for n in view.record.of_kind("input")] == ["params['w']", "scale"]


@pytest.mark.parametrize(
    ("name", "start"), [("a.svg", "<svg "), ("a.html", "<!doctype html>"), ("a.dot", "digraph")]
)
def test_saving(tmp_path, name, start):
    path = show_jaxpr(log1pexp)(3.0).save(tmp_path / name)
    assert path.read_text(encoding="utf-8").startswith(start)


def test_saving_to_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"writes .svg, .html, .txt and .dot files.*'a.png'"):
        show_jaxpr(log1pexp)(3.0).save(tmp_path / "a.png")


def test_graphviz_is_optional(monkeypatch):
    view = show_jaxpr(log1pexp)(3.0)
    graphviz = pytest.importorskip("graphviz")
    assert isinstance(view.to_graphviz(), graphviz.Source)

    real_import = builtins.__import__

    def without_graphviz(name, *rest):
        if name == "graphviz":
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.delitem(sys.modules, "graphviz")
    monkeypatch.setattr(builtins, "__import__", without_graphviz)
    with pytest.raises(ImportError, match="needs the Python package graphviz: pip install"):
        view.to_graphviz()


def test_a_bad_argument_is_no_business_of_the_drawing():
    with pytest.raises(TypeError):
        show_jaxpr(log1pexp)(1.0, 2.0)
