"""show_jacobian: what it shows, saves and raises."""

import builtins
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect import JacobianRecord
from adlib.inspect.jacobian import CellRecord, MatrixRecord
from adlib_widgets import JacobianView, show_jacobian

SPACE = "{http://www.w3.org/2000/svg}"
X = np.arange(1.0, 6.0, dtype=np.float32)


def band(x):
    return x[1:] * x[:-1]


def texts(svg):
    return [e.text for e in ElementTree.fromstring(svg).iter(SPACE + "text")]


def test_the_text_says_the_costs_and_draws_the_pattern():
    lines = repr(show_jacobian(band)(X)).splitlines()
    assert lines[0] == (
        "Jacobian of shape 4×5, 8 of 20 entries in its pattern. "
        "Columns: 5 JVPs, by groups 2. Rows: 4 VJPs, by groups 2."
    )
    assert lines[1:3] == ["   a b a b a", " A ■ ■ · · ·"]


def test_a_notebook_gets_text_and_html_without_scripts():
    bundle = show_jacobian(band)(X)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    html = bundle["text/html"]
    assert "data:image/svg+xml;base64," in html and "<table" in html
    for word in ("<script", "<style", "<svg", " onload"):
        assert word not in html
    assert 'alt="Jacobian of shape 4×5' in html and "2.5× fewer" in html
    assert set(show_jacobian(band)(X)._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}


def test_the_picture_names_numbers_and_counts():
    found = texts(show_jacobian(band)(X).svg)
    assert "x[0]" in found and "out[3]" in found
    assert "2 JVPs instead of 5" in found and "2 VJPs instead of 4" in found
    assert found.count("5") == 3  # the entry, and where the two products hold it


def test_several_arrays_are_told_apart():
    def function(params, x):
        return {"logits": params["weights"] @ x, "norm": (x**2).sum()}

    params = {"weights": np.ones((3, 8), np.float32)}
    view = show_jacobian(function, argnums=(0, 1))(params, np.ones(8, np.float32))
    found = texts(view.svg)
    assert "params['weights']" in found and "x" in found
    assert "…['logits'][2]" in found and "out['norm']" in found
    assert [part[0] for part in view.record.column_parts] == ["params['weights']", "x"]
    large = show_jacobian(lambda a, b: (a * 2.0, b * a), argnums=(0, 1))(
        np.ones(80, np.float32), np.ones(80, np.float32)
    )
    assert {"a", "b", "out[0]", "out[1]"} <= set(texts(large.svg))


def test_zeros_within_the_pattern_are_told_apart():
    view = show_jacobian(lambda x: x**2)(np.zeros(2, np.float32))
    assert "in the pattern, zero here" in texts(view.svg) and "2 of them zero here" in repr(view)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[0] ** 2,
        lambda x: x[:0],
        lambda x: jnp.sqrt(x - 1.0),
        lambda x: jnp.outer(x, x),
        lambda x: jnp.tile(x, 40) ** 2,
        lambda x: {"a": x, "b": [x.sum()]},
        lambda x: [x[:0], x, x.sum()],
    ],
)
def test_every_shape_is_drawn_within_the_picture(function):
    view = show_jacobian(function)(X)
    root = ElementTree.fromstring(view.svg)
    width, height = float(root.get("width")), float(root.get("height"))
    for rect in root.iter(SPACE + "rect"):
        assert float(rect.get("x")) + float(rect.get("width")) <= width
        assert float(rect.get("y")) + float(rect.get("height")) <= height
    assert view.html


def test_two_views_are_the_same_bytes():
    first, second = (show_jacobian(band)(X) for _ in range(2))
    assert first.html == second.html and repr(first) == repr(second)


def test_every_text_is_escaped(nasty):
    matrix = MatrixRecord((1, 1), (1, 1), (CellRecord(0, 0, 1.0),))
    record = JacobianRecord((nasty,), (nasty,), matrix, (0,), (0,), matrix, matrix, 1, 0)
    view = JacobianView(record)
    ElementTree.fromstring(view.svg)
    assert "<script" not in view.svg and "<script" not in view.html


def test_savefig(tmp_path):
    view = show_jacobian(lambda x: {"$a_{b}$": x**2})(X)
    for name, start in (("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.svg", b"<?xml")):
        assert view.savefig(tmp_path / name).read_bytes().startswith(start)
    again = view.savefig(tmp_path / "b.svg").read_bytes()
    assert again == (tmp_path / "a.svg").read_bytes()


def test_matplotlib_is_optional(tmp_path, monkeypatch):
    view = show_jacobian(band)(X)
    real_import = builtins.__import__

    def without_matplotlib(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match="needs the Python package matplotlib: pip install"):
        view.savefig(tmp_path / "a.png")


def test_what_the_function_raises_comes_through():
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="^mine$"):
        show_jacobian(broken)(X)
    with pytest.raises(TypeError, match="got int32"):
        show_jacobian(adlib.numpy.sin)(np.arange(3))
