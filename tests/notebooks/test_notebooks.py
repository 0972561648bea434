"""The course as committed: complete, clean, linked, and with exercises whose solutions run.

That outputs are reproduced is nbval's part (`make notebooks`).
"""

import inspect
import os
import re
import runpy
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from adlib_kernel.actions.course import PARTS, tasks_of
from adlib_kernel.actions.course import VIEWS as EXERCISES_OF_VIEWS
from adlib_kernel.actions.exercise_sets.task import Task

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "notebooks"
ANSWERS = ROOT / "tests" / "kernel_ext" / "actions" / "exercise_sets"
# What the right answers use; a notebook imports what its own cells do.
NAMES = """from adlib import checkpoint, custom_jvp, custom_vjp, grad, hessian, jacfwd, jacrev, jvp
from adlib import lax, linearize, make_jaxpr, vjp, vmap"""
PATHS = sorted(FOLDER.rglob("[!.]*.ipynb"))
COURSE = [
    "00_start",
    "01_gradients",
    "02_jacobians_hessians",
    "03_pushforward_pullback",
    "04_vmap",
    "05_complex",
    "06_custom_rules",
    "07_forward_vs_reverse_cost",
    "08_reading_jaxprs",
    "09_from_scratch",
    "16_gpu",
]
VIEWS = [
    "10_jaxpr_graph",
    "11_derivation",
    "12_flow",
    "13_jacobian_assembly",
    "14_memory",
    "15_why_nan",
]
RESEARCH = ["20_binomial_checkpointing", "21_vertex_elimination", "22_taylor_mode"]
PERSONAL_PATH = re.compile(r"(/home/|/Users/|/root/|/tmp/|/work/|[A-Z]:\\\\?Users)")
COMPARED = ("text/plain", "text/html", "image/svg+xml")

each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def texts(cell: nbformat.NotebookNode) -> list[str]:
    """Everything a cell's outputs say that nbval compares."""
    found = []
    for output in cell.outputs:
        found += [output.get("text", ""), output.get("evalue", "")]
        found += [output.get("data", {}).get(kind, "") for kind in COMPARED]
    return found


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def prose(path: Path) -> str:
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def solutions(path: Path) -> list[str]:
    """The code inside the folded solutions of a notebook."""
    folded = re.findall(r"<details>.*?</details>", prose(path), flags=re.DOTALL)
    return re.findall(r"```python\n(.*?)```", "\n".join(folded), flags=re.DOTALL)


def test_the_course_is_complete():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == COURSE
    assert sorted(path.stem for path in (FOLDER / "views").glob("*.ipynb")) == VIEWS
    assert sorted(path.stem for path in (FOLDER / "research").glob("*.ipynb")) == RESEARCH
    assert {path.stem for path in PATHS} <= {*PARTS, *EXERCISES_OF_VIEWS}


def test_the_start_notebook_links_every_other_one_and_nothing_else():
    linked = re.findall(r"\]\(([\w/]+)\.ipynb\)", prose(FOLDER / "00_start.ipynb"))
    others = sorted(PATHS, key=lambda path: path.stem)[1:]
    assert linked == [path.relative_to(FOLDER).with_suffix("").as_posix() for path in others]


@each_notebook
def test_it_is_valid_and_its_metadata_name_no_machine(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert not any(set(cell.metadata) - {"tags"} for cell in notebook.cells)


@each_notebook
def test_cell_ids_are_stable(path):
    ids = [cell.id for cell in read(path).cells]
    prefix = ids[0].rsplit("-", 1)[0]
    assert all(re.fullmatch(rf"{prefix}-\d\d\w?", name) for name in ids), ids
    assert len(set(ids)) == len(ids)


@each_notebook
def test_every_code_cell_was_run_in_order(path):
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_outputs_hold_no_error_no_warning_and_no_widget_state(path):
    for cell in code_cells(path):
        kinds = [output.output_type for output in cell.outputs]
        assert "error" not in kinds or "raises-exception" in tags(cell), cell.source
        streams = [output.name for output in cell.outputs if output.output_type == "stream"]
        assert "stderr" not in streams, cell.source
        shown = {kind for output in cell.outputs for kind in output.get("data", {})}
        assert "application/vnd.jupyter.widget-view+json" not in shown, cell.source


@each_notebook
def test_outputs_are_the_same_on_every_machine(path):
    for cell in code_cells(path):
        if "nbval-ignore-output" in tags(cell):
            continue
        for text in texts(cell):
            assert not re.search(r"0x[0-9a-f]{6,}", text), cell.source
            assert not PERSONAL_PATH.search(text), cell.source
            assert "\x1b[" not in text, cell.source


@each_notebook
def test_a_cell_whose_output_is_not_compared_is_followed_by_one_that_asserts(path):
    cells = code_cells(path)
    for cell, after in zip(cells, cells[1:], strict=False):
        if "nbval-ignore-output" in tags(cell):
            assert "assert" in after.source, cell.source


@each_notebook
def test_prose_and_code_are_in_balance_and_lines_fit_a_screen(path):
    notebook = read(path)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert notebook.cells[0].source.startswith("# ")
    assert kinds.count("markdown") >= 0.6 * kinds.count("code")
    for cell in code_cells(path):
        longest = max(map(len, cell.source.splitlines()), default=0)
        assert longest <= 110, cell.source


def path_of(stem: str) -> Path:
    (path,) = (path for path in PATHS if path.stem == stem)
    return path


def empty_cell(task: Task) -> str:
    """What a learner finds: a definition with dots in it, or dots alone where a value is asked."""
    if not callable(task.reference):
        return f"%%check {task.name}\n..."
    parameters = ", ".join(inspect.signature(task.reference).parameters)
    return f"%%check {task.name}\ndef {task.name}({parameters}):\n    return ..."


@pytest.mark.parametrize("stem", [path.stem for path in PATHS])
def test_it_ends_with_exercises_that_check_themselves(stem):
    cells = read(path_of(stem)).cells
    (first,) = (i for i, cell in enumerate(cells) if cell.source.startswith("## Exercises\n"))
    declared, *rest = cells[first + 1 :]
    assert f'exercise_set("{stem}")' in declared.source
    tasks = tasks_of(stem)
    assert len(rest) == 2 * len(tasks)
    for number, (task, text, cell) in enumerate(zip(tasks, rest[::2], rest[1::2], strict=True), 1):
        assert text.source.startswith(f"**{number} · ")
        assert cell.source == empty_cell(task)
        (output,) = cell.outputs
        assert output.data["text/plain"] == (
            f"{task.name}: not yet. The dots still stand where the answer belongs. "
            f"For a hint: %check --hint {task.name}"
        )


@pytest.mark.parametrize("stem", COURSE[1:])
def test_problems_have_folded_solutions(stem):
    (problems,) = (
        cell.source
        for cell in read(FOLDER / f"{stem}.ipynb").cells
        if "## Problems with solutions" in cell.source
    )
    count = len(re.findall(r"^\*\*\d\.\*\*", problems, flags=re.MULTILINE))
    assert 1 <= count <= 4
    assert problems.count("<details><summary>Solution</summary>") == count
    assert problems.count("</details>") == count


@pytest.mark.parametrize("stem", VIEWS)
def test_a_notebook_on_a_view_has_the_interactive_form_and_a_slider(stem):
    code = "\n".join(cell.source for cell in code_cells(FOLDER / "views" / f"{stem}.ipynb"))
    assert ".explore()" in code and "interact(" in code


@pytest.mark.slow
@pytest.mark.parametrize("stem", [path.stem for path in PATHS])
def test_solutions_run_and_right_answers_pass_in_the_notebook_they_belong_to(stem, monkeypatch):
    # the kernel is another process: show it this checkout, installed or not
    roots = [ROOT, ROOT / "kernel_ext", ROOT / "widgets"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, roots)))
    path = path_of(stem)
    module = runpy.run_path(str(ANSWERS / f"{PARTS.get(stem, 'views')}.py"))
    answers = module[EXERCISES_OF_VIEWS.get(stem, "ANSWERS")]
    names = "" if stem == "09_from_scratch" else NAMES
    added = [*solutions(path), names]
    added += [f"%%check {name}\n{right}" for name, (right, _) in answers.items()]
    notebook = read(path)
    notebook.cells = code_cells(path) + [new_code_cell(code) for code in [*added, "%check --list"]]
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": FOLDER}}
    ).execute()
    (listed,) = notebook.cells[-1].outputs
    assert f"{len(answers)} of {len(answers)} solved" in listed.data["text/plain"]
