"""One Jupyter server for the session, on a copy of the notebooks; one page for each test."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory):
    """A running server; its folder holds copies of the committed notebooks."""
    from tests.browser.lab import Server

    home = tmp_path_factory.mktemp("jupyter")
    folder = home / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    server = Server(home, folder)
    yield server
    server.close()


@pytest.fixture(scope="session")
def jupyter_context(browser):
    """One for all pages of Jupyter: the applications' scripts are read and compiled once."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    yield context
    context.close()


@pytest.fixture
def open_notebook(jupyter_context, jupyter):
    """Opens a notebook, in JupyterLab where not told; at the end no page may have complained."""
    from tests.browser.lab import NotebookPage

    opened = []

    def open_(path: str, app: str = "lab") -> NotebookPage:
        opened.append(NotebookPage(jupyter, jupyter_context, path, app))
        return opened[-1]

    try:
        yield open_
        for page in opened:
            page.complaints.check()
    finally:
        for page in opened:
            page.close()


@pytest.fixture
def open_code(open_notebook, jupyter, request):
    """Opens a new notebook of these code cells and runs it."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    def open_(*sources: str, app: str = "lab"):
        cells = [new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        name = f"{re.sub(r'[^a-z0-9]+', '_', request.node.name.lower())}.ipynb"
        notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, jupyter.folder / name)
        page = open_notebook(name, app)
        page.run_all()
        return page

    return open_


@pytest.fixture
def open_saved(browser, tmp_path):
    """Opens the text of a page that an interactive view saved: no kernel, no network."""
    from tests.browser_page import LIMIT, Complaints

    context = browser.new_context(viewport={"width": 1000, "height": 900}, offline=True)
    opened = []

    def open_(text: str):
        path = tmp_path / f"saved_{len(opened)}.html"
        path.write_text(text, encoding="utf-8")
        page = context.new_page()
        page.set_default_timeout(LIMIT)
        opened.append(Complaints(page, (path.as_uri(),)))
        page.goto(path.as_uri())
        page.locator(".adlib-view").wait_for()
        return page

    try:
        yield open_
        for complaints in opened:
            complaints.check()
    finally:
        context.close()
