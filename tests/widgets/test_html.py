"""HTML that untrusted notebooks keep whole."""

import base64
import re
from html.parser import HTMLParser

from adlib_widgets import html

# What JupyterLab's sanitizer leaves standing, as far as we use it.
KEPT = set("div img table thead tbody tr th td details summary pre p".split())


class Tags(HTMLParser):
    """Collects tags and attributes, and checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen, self.attributes, self.open, self.texts = set(), [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += attrs
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    return tags


def test_texts_of_the_user_stay_texts(nasty_graph, nasty):
    text = "".join(
        [
            html.equation_table(nasty_graph),
            html.image("<svg/>", nasty, 100),
            html.details(nasty, html.preformatted(nasty)),
        ]
    )
    tags = parsed(text)
    assert tags.seen <= KEPT
    assert {name for name, _ in tags.attributes} <= {"style", "alt", "src", "scope"}
    assert any("<script>" in piece for piece in tags.texts)


def test_the_image_carries_the_svg():
    svg = '<svg xmlns="http://www.w3.org/2000/svg">é</svg>'
    data = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html.image(svg, "a", 200)).group(
        1
    )
    assert base64.b64decode(data).decode() == svg


def test_the_table_lists_nested_equations_under_their_path(nasty_graph):
    paths = [path for path, _ in html.walk_equations(nasty_graph)]
    assert paths == ["jit_0", "sin_0"]
    tags = parsed(html.equation_table(nasty_graph))
    assert tags.texts[:6] == ["equation", "result", "primitive", "operands", "parameters", "line"]


def test_the_sentence_counts_what_there_is(nasty_graph):
    assert html.describe(nasty_graph) == (
        "Graph of a jaxpr with 1 input, 1 constant, 2 equations and 1 output."
    )
