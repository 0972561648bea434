"""Static views where nothing of ours runs: notebooks just opened, and pages of nbconvert."""

import copy

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.browser.lab import SCREENSHOTS
from tests.browser.views import examples, notebook_of
from tests.browser_page import broken_images

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook():
    return notebook_of({name: view._repr_mimebundle_() for name, view in examples().items()})


def pictures(notebook):
    return sum(cell.outputs[0].data["text/html"].count("<img ") for cell in notebook.cells)


def assert_seen(images, count):
    assert broken_images(images) == []
    assert images.count() == count
    for image in images.all():
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        assert box["width"] > 100 and box["height"] > 50
        assert image.get_attribute("alt")


@pytest.mark.parametrize("trusted", [False, True], ids=["untrusted", "trusted"])
@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_notebook_that_was_opened_and_not_run(open_notebook, jupyter, notebook, app, trusted):
    name = f"{app}_{'trusted' if trusted else 'untrusted'}.ipynb"
    mine = copy.deepcopy(notebook)
    mine.metadata["title"] = name  # trust goes by content: the same text would be trusted too
    nbformat.write(mine, jupyter.folder / name)
    if trusted:
        jupyter.trust(name)
    page = open_notebook(name, app)
    assert page.is_trusted() == trusted
    assert_seen(page.views(), pictures(notebook))
    folded = page.outputs().locator("details:not([open]) > summary")
    for _ in range(folded.count()):
        folded.first.click()
    page.outputs().get_by_role("columnheader", name="primitive").first.wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_in_both_themes(open_notebook, jupyter, notebook, theme):
    name = f"theme_{theme}.ipynb"
    nbformat.write(notebook, jupyter.folder / name)
    page = open_notebook(name)
    page.theme(theme)
    for cell in notebook.cells:
        page.screenshot(f"{cell.source}_{theme}", page.cell(cell.source))


@pytest.fixture(scope="module")
def explored():
    """A notebook of interactive views that was saved without the state of its widgets."""
    explorers = {name: view.explore() for name, view in examples().items()}
    return notebook_of({name: each._repr_mimebundle_()[0] for name, each in explorers.items()})


def test_an_interactive_view_without_its_kernel_shows_the_static_one(
    open_notebook, jupyter, explored
):
    nbformat.write(explored, jupyter.folder / "explored.ipynb")
    page = open_notebook("explored.ipynb")
    assert not page.is_trusted()
    assert_seen(page.views(), pictures(explored))


@pytest.mark.parametrize("scripts", ["scripts", "no_scripts"])
@pytest.mark.parametrize("kind", ["notebook", "explored"])
def test_a_page_of_nbconvert(browser, request, tmp_path, kind, scripts):
    notebook = request.getfixturevalue(kind)
    text, _ = HTMLExporter().from_notebook_node(notebook)
    path = tmp_path / "views.html"
    path.write_text(text, encoding="utf-8")
    context = browser.new_context(java_script_enabled=scripts == "scripts", offline=True)
    try:
        page = context.new_page()
        # nbconvert's own page asks for MathJax; ours must show without it
        page.goto(path.as_uri(), wait_until="domcontentloaded")
        assert_seen(page.locator("img[src^='data:image/svg']"), pictures(notebook))
        page.screenshot(path=SCREENSHOTS / f"nbconvert_{kind}_{scripts}.png", full_page=True)
    finally:
        context.close()
