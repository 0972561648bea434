"""SVG text: well-formed, the same every time, nothing of the user's taken for markup."""

import xml.etree.ElementTree as ElementTree

import pytest

from adlib_widgets import theme
from adlib_widgets.scene import graph_scene
from adlib_widgets.svg import escaped, number, scene_svg

SVG = "{http://www.w3.org/2000/svg}"


def test_texts_of_the_user_stay_texts(nasty_graph, nasty):
    svg = scene_svg(graph_scene(nasty_graph), title=nasty, description=nasty)
    assert "<script" not in svg
    root = ElementTree.fromstring(svg)
    assert {element.tag for element in root.iter()} == {
        SVG + tag for tag in ("svg", "title", "desc", "rect", "g", "path", "text")
    }
    assert root.find(SVG + "title").text == '<script>alert("x")</script>&\ufffd\ufffd'
    texts = [element.text for element in root.iter(SVG + "text")]
    assert any("<script>" in text for text in texts)


def test_escaping_covers_both_quotes():
    assert escaped("<a href=\"x\" b='y'>&") == "&lt;a href=&quot;x&quot; b=&#x27;y&#x27;&gt;&amp;"


def test_no_style_sheet_no_script_no_reference(nasty_graph):
    svg = scene_svg(graph_scene(nasty_graph), title="t", description="d")
    for word in ("<style", "onload", "href", "url(", "id="):
        assert word not in svg


def test_the_ground_is_opaque_and_covers_everything(nasty_graph):
    svg = scene_svg(graph_scene(nasty_graph), title="t", description="d")
    root = ElementTree.fromstring(svg)
    ground = root.find(SVG + "rect")
    assert ground.get("fill") == theme.GROUND and "opacity" not in svg
    assert float(ground.get("width")) == float(root.get("width")) - 1


def test_the_same_scene_gives_the_same_bytes(nasty_graph):
    first, second = (
        scene_svg(graph_scene(nasty_graph), title="t", description="d") for _ in range(2)
    )
    assert first.encode() == second.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.04, "0"), (12.0, "12"), (12.34, "12.3"), (100.0, "100"), (-3.25, "-3.2")],
)
def test_lengths_are_short(value, text):
    assert number(value) == text
