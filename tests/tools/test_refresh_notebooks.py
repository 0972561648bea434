"""tools/refresh_notebooks.py: outputs are stored in place, machine traces are not."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent.parent


def refresh(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/refresh_notebooks.py", str(path)],
        cwd=ROOT,
        env={**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def notebook(path: Path, *sources: str) -> Path:
    cells = [new_code_cell(source, metadata={"tags": ["kept"]}) for source in sources]
    cells[0].metadata["execution"] = {"iopub.execute_input": "2020-01-01"}
    kernel = {"name": "python3", "display_name": "someone's own", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python", "version": "3.11.7"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_outputs_are_stored_and_metadata_are_cleaned(tmp_path):
    path = notebook(tmp_path / "one.ipynb", "print(6 * 7)")
    done = refresh(path)
    assert done.returncode == 0, done.stderr
    stored = nbformat.read(path, as_version=4)
    assert stored.cells[0].outputs[0].text == "42\n"
    assert stored.cells[0].metadata == {"tags": ["kept"]}
    assert stored.metadata.language_info == {"name": "python"}
    assert stored.metadata.kernelspec.display_name == "Python 3 (ipykernel)"


def test_refreshing_twice_changes_nothing(tmp_path):
    path = notebook(tmp_path / "one.ipynb", "x = 1\nx + 1", "print(x)")
    refresh(path)
    first = path.read_bytes()
    refresh(path)
    assert path.read_bytes() == first


def test_a_failing_cell_is_named_and_the_notebook_is_left_alone(tmp_path):
    path = notebook(tmp_path / "broken.ipynb", "print('fine')", "1 / 0")
    before = path.read_bytes()
    done = refresh(path)
    assert done.returncode == 1
    assert "refresh: broken.ipynb stopped at a failing cell" in done.stderr
    assert path.read_bytes() == before


def test_of_a_widget_the_form_without_scripts_is_stored(tmp_path):
    source = (
        "from IPython.display import display\n"
        "widget = 'application/vnd.jupyter.widget-view+json'\n"
        "display({'text/plain': 'static', widget: {'model_id': '1'}}, raw=True)"
    )
    path = notebook(tmp_path / "one.ipynb", source)
    assert refresh(path).returncode == 0
    (output,) = nbformat.read(path, as_version=4).cells[0].outputs
    assert output.data == {"text/plain": "static"}


def test_progress_bars_are_off(tmp_path):
    source = "import tqdm\nfor _ in tqdm.tqdm(range(3)): pass"
    path = notebook(tmp_path / "one.ipynb", source)
    assert refresh(path).returncode == 0
    assert nbformat.read(path, as_version=4).cells[0].outputs == []
