"""What the interactive views have in common: traits, requests, displays, saved pages."""

import json

import pytest
import traitlets

from adlib_widgets.explorer import Explorer
from adlib_widgets.static_view import StaticView, explorer_of

WIDGET = "application/vnd.jupyter.widget-view+json"


class Words(StaticView):
    def __init__(self, words):
        self.words = words

    @property
    def html(self):
        return f"<p>{self.words}</p>"

    def __str__(self):
        return self.words


class WordsExplorer(Explorer):
    name = "flow"  # any script
    count = traitlets.Int(1).tag(sync=True)
    kept = traitlets.Int(7)

    def _traits_of(self, view):
        return {"title": view.words, "data": {"words": view.words}}

    def requests(self):
        return {"twice": lambda text: text * 2, "broken": lambda: 1 / 0}


@pytest.fixture
def explorer(monkeypatch):
    made = WordsExplorer(Words("a word"), count=3)
    made.sent = []
    monkeypatch.setattr(made, "send", made.sent.append)
    return made


def ask(explorer, content):
    explorer._answer(explorer, content, [])
    return explorer.sent


def test_it_has_the_views_traits_and_its_own(explorer):
    assert (explorer.title, explorer.data, explorer.count) == ("a word", {"words": "a word"}, 3)
    assert "export default" in explorer._esm and ".adlib-view" in explorer._css


def test_another_view_is_shown_in_place(explorer):
    explorer.show(Words("other"))
    assert (explorer.title, explorer.data, explorer.count) == ("other", {"words": "other"}, 3)
    assert repr(explorer) == "other"


def test_requests_are_answered(explorer):
    answers = ask(explorer, {"request": "twice", "id": "r1", "arguments": {"text": "ab"}})
    assert answers == [{"reply": "r1", "value": "abab"}]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"request": "broken", "id": "r"}, "ZeroDivisionError: division by zero"),
        ({"request": "none", "id": "r"}, "KeyError: 'none'"),
        ({"request": "twice", "id": "r", "arguments": {"no": 1}}, "TypeError: "),
    ],
)
def test_errors_of_requests_are_answers(explorer, content, error):
    (answer,) = ask(explorer, content)
    assert answer["reply"] == "r" and answer["error"].startswith(error)


@pytest.mark.parametrize("content", [None, "text", {"other": 1}, []])
def test_what_is_no_request_is_ignored(explorer, content):
    assert ask(explorer, content) == []


def test_a_display_has_the_static_view_beside_the_widget(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == "a word" and data["text/html"] == "<p>a word</p>"
    assert set(data) == {"text/plain", "text/html", WIDGET}


def test_a_page_has_the_state_and_nothing_of_the_notebook(explorer):
    page = explorer.to_html()
    text = page.split('id="state">')[1].split("</script>")[0]
    assert json.loads(text) == {"count": 3, "data": {"words": "a word"}, "title": "a word"}


def test_saving(explorer, tmp_path):
    path = explorer.save(tmp_path / "a.html")
    assert path.read_text(encoding="utf-8") == explorer.to_html()
    with pytest.raises(ValueError, match=r"writes an .html file; it was given 'a.png'.*\.view\."):
        explorer.save(tmp_path / "a.png")


def test_anywidget_is_optional_for_the_static_views(run_python):
    code = (
        "import sys; sys.modules['anywidget'] = None\n"
        "import adlib_widgets\n"
        "view = adlib_widgets.show_flow(lambda x: x * x)(2.0)\n"
        "view.html\n"
        "try:\n    view.explore()\n"
        "except ImportError as error:\n    print(error)"
    )
    assert "explore() needs the Python package anywidget: pip install" in run_python(code)


def test_explorers_are_found_by_name():
    module = type(explorer_of(Words("x"), __name__, "WordsExplorer")).__mro__
    assert any(base.__name__ == "WordsExplorer" for base in module)
