"""savefig: every view's picture through matplotlib, the same bytes each time."""

import builtins
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import adlib.numpy as jnp
import adlib_widgets
from adlib_widgets.matplotlib_scene import outline, save_svg

SPACE = "{http://www.w3.org/2000/svg}"
STARTS = {"a.png": b"\x89PNG", "a.pdf": b"%PDF", "a.svg": b"<?xml"}


def f(x):
    return jnp.tanh(jnp.sin(x) * x).sum()


VIEWS = {
    "flow": lambda: adlib_widgets.show_flow(f)(np.ones(3)),
    "jacobian": lambda: adlib_widgets.show_jacobian(jnp.sin)(np.ones(3)),
    "memory": lambda: adlib_widgets.show_memory(f)(np.ones(300)),
    "jaxpr": lambda: adlib_widgets.show_jaxpr(f)(np.ones(3)),
    "nan": lambda: adlib_widgets.why_nan(lambda x: jnp.log(x) * 0.0)(0.0),
    "derivation": lambda: adlib_widgets.show_derivation(f, "grad")(np.ones(3)),
}


def drawn(tmp_path, content, name="a.svg", **options):
    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 50"><title>t</title>'
        f'<rect width="100" height="50"/><g transform="translate(5 5)">{content}</g></svg>'
    )
    return save_svg(text, tmp_path / name, **options)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("file", STARTS)
def test_every_view_in_every_format(tmp_path, name, file):
    view = VIEWS[name]()
    first = view.savefig(tmp_path / file)
    assert first == tmp_path / file and first.read_bytes().startswith(STARTS[file])
    assert view.savefig(tmp_path / f"again_{file}").read_bytes() == first.read_bytes()


def test_the_picture_has_its_size_and_all_shapes(tmp_path):
    path = drawn(
        tmp_path,
        '<rect x="1" y="1" width="8" height="8" rx="2" fill="#fff" stroke="red"/>'
        '<path d="M0 0H10V10L2 2C1 1 2 2 3 3z" fill="none" stroke="#123" stroke-dasharray="3 2"/>'
        '<circle cx="4" cy="4" r="2"/><line x1="0" y1="0" x2="5" y2="5" stroke="#000"/>'
        '<text x="3" y="9" font-size="8" font-weight="600" text-anchor="middle">a</text>',
    )
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    assert (root.get("width"), root.get("height")) == ("100pt", "50pt")
    paths = [element.get("style") or "" for element in root.iter(SPACE + "path")]
    assert any("stroke-dasharray" in style for style in paths)
    assert sum("stroke: #ff0000" in style for style in paths) == 1


def test_dpi_and_other_options_are_matplotlibs(tmp_path):
    from matplotlib.image import imread

    path = drawn(tmp_path, '<text x="1" y="9">a</text>', "a.png", dpi=144)
    assert imread(path).shape[:2] == (100, 200)


def test_texts_are_no_mathematics(tmp_path):
    drawn(tmp_path, '<text x="1" y="9">$a_{b$</text>')


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<image/>", "cannot draw the SVG element <image>"),
        ('<g transform="scale(2)"/>', r"cannot draw a group with the transform 'scale\(2\)'"),
    ],
)
def test_what_it_cannot_draw_it_says(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        drawn(tmp_path, content)


def test_paths_in_all_their_letters():
    points, codes = outline("m1 1 2 0v3h-1l-1-1q1 1 2 2c0 0 1 1 2 2z")
    assert points == [
        (1, 1), (3, 1), (3, 4), (2, 4), (1, 3), (2, 4), (3, 5), (3, 5), (4, 6), (5, 7), (1, 1)
    ]  # fmt: skip
    assert codes == [1, 2, 2, 2, 2, 3, 3, 4, 4, 4, 79]
    assert outline("") == ([], [])


def test_an_unknown_format_is_matplotlibs_error(tmp_path):
    with pytest.raises(ValueError, match="Format 'xyz' is not supported"):
        drawn(tmp_path, "", "a.xyz")


def test_matplotlib_is_optional(tmp_path, monkeypatch):
    real_import = builtins.__import__

    def without_matplotlib(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match="needs the Python package matplotlib: pip install"):
        drawn(tmp_path, "")
