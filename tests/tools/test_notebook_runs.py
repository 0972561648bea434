"""How notebooks are run: tools/cookbook.py, and nbval as tests/nbval.ini sets it up."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parent.parent.parent


def write_notebook(path: Path, *cells: nbformat.NotebookNode) -> Path:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=list(cells), metadata=kernel), path)
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def cookbook(folder: Path) -> subprocess.CompletedProcess[str]:
    notebooks = sorted(folder.glob("*.ipynb"))
    return run("tools/cookbook.py", "--out", folder / "html", *notebooks)


def nbval(path: Path) -> subprocess.CompletedProcess[str]:
    return run("-m", "pytest", "-c", "tests/nbval.ini", "--rootdir", ".", path)


def test_the_cookbook_runs_on_this_environment_and_links_its_pages(tmp_path):
    write_notebook(
        tmp_path / "01-gradients.ipynb",
        new_markdown_cell("# Slopes & <gradients>"),
        new_code_cell("import sys; print(sys.prefix)"),
    )
    done = cookbook(tmp_path)
    assert done.returncode == 0, done.stderr
    assert sys.prefix in (tmp_path / "html" / "01-gradients.html").read_text()
    link = '<li><a href="01-gradients.html">Slopes &amp; &lt;gradients&gt;</a></li>'
    assert link in (tmp_path / "html" / "index.html").read_text()


def test_a_failing_cell_stops_the_cookbook_and_is_named(tmp_path):
    write_notebook(tmp_path / "02-broken.ipynb", new_code_cell("1 / 0"))
    done = cookbook(tmp_path)
    assert done.returncode == 1
    assert "cookbook: 02-broken.ipynb stopped at a failing cell" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert not (tmp_path / "html" / "index.html").exists()


def shown(code: str, text: str) -> nbformat.NotebookNode:
    output = new_output("execute_result", {"text/plain": text}, execution_count=1)
    return new_code_cell(code, outputs=[output], execution_count=1)


def test_nbval_passes_equal_outputs_and_forgives_an_address(tmp_path):
    path = write_notebook(
        tmp_path / "same.ipynb",
        shown("1 + 1", "2"),
        shown("object()", "<object at 0x7f00deadbeef>"),
    )
    done = nbval(path)
    assert "2 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("code, text", [("1 + 1", "3"), ("'0x12'", "'0x13'")])
def test_nbval_fails_on_another_output(tmp_path, code, text):
    done = nbval(write_notebook(tmp_path / "other.ipynb", shown(code, text)))
    assert "1 failed" in done.stdout
