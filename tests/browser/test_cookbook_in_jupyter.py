"""The committed notebooks in Jupyter: they run, and what they show is there to be seen."""

from pathlib import Path

import pytest
from nbconvert import HTMLExporter

from tests.browser.lab import pictures
from tests.browser_page import broken_images

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
PATHS = [path for path in sorted(FOLDER.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
NAMES = [path.relative_to(FOLDER).as_posix() for path in PATHS]

# Those on views have a file of tests each, which runs them and goes on from there.
PLAIN = [name for name in NAMES if not name.startswith("views/")]


@pytest.mark.parametrize("name", PLAIN)
def test_it_runs_in_jupyterlab_without_a_complaint(open_notebook, name):
    page = open_notebook(name)
    page.run_all()
    assert page.unseen() == []


@pytest.mark.parametrize("name", NAMES)
def test_its_page_of_nbconvert_shows_every_picture(browser, tmp_path, name):
    text, _ = HTMLExporter().from_filename(str(FOLDER / name))
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    context = browser.new_context(java_script_enabled=False, offline=True)
    try:
        page = context.new_page()
        page.goto(path.as_uri(), wait_until="domcontentloaded")
        assert broken_images(page.locator("img")) == []
        assert page.locator("img[src^='data:image/svg']").count() == sum(pictures(FOLDER / name))
    finally:
        context.close()


def test_each_notebook_on_a_view_has_tests_of_its_own():
    tested = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    for name in set(NAMES) - set(PLAIN):
        assert any(f'NOTEBOOK = "{name}"' in text for text in tested), name


def test_notebook_7_runs_the_start_notebook(open_notebook):
    page = open_notebook("00_start.ipynb", app="notebook")
    page.run_all()
    assert page.unseen() == []
    page.screenshot("notebook_7_start")
    assert page.kernel.evaluate("float(grad(jnp.sin)(0.0))") == 1.0


def test_the_kernel_of_a_page_answers(open_notebook):
    page = open_notebook("00_start.ipynb")
    page.run_all()
    assert page.kernel.evaluate("float(grad(jnp.sin)(0.0))") == 1.0
