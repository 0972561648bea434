"""Every notebook in a process that computes on the GPU, against the outputs that are stored.

On a card: ``pytest -m gpu tests/gpu/test_notebooks.py``. Without one, the stand-in for CuPy runs
most of them: all but two are marked slow.
"""

from pathlib import Path

import nbformat
import pytest

from tests.gpu.notebook_runs import ROOT, difference, differences, text_of

FOLDER = ROOT / "notebooks"
PATHS = sorted(FOLDER.rglob("[!.]*.ipynb"))
QUICK = ("01_gradients", "15_why_nan")
# Loops of many thousand small steps, for which the stand-in takes a quarter of an hour.
CARD_ONLY = {"20_binomial_checkpointing", "22_taylor_mode"}


def runs():
    for path in PATHS:
        marks = () if path.stem in QUICK else pytest.mark.slow
        if path.stem not in CARD_ONLY:
            yield pytest.param(path, "stand-in", id=f"{path.stem}-stand-in", marks=marks)
        yield pytest.param(path, "card", id=f"{path.stem}-card", marks=pytest.mark.gpu)


@pytest.mark.parametrize("path, where", list(runs()))
def test_it_shows_on_the_gpu_what_is_stored(path: Path, where: str):
    found = differences(path, where)
    assert not found, "\n\n".join(found)


def test_there_is_something_to_compare():
    cells = nbformat.read(FOLDER / "01_gradients.ipynb", as_version=4).cells
    assert sum(bool(text_of(cell).strip()) for cell in cells) >= 5


@pytest.mark.parametrize(
    "stored, found, same",
    [
        ("[0.841  −1.5e-3]", "[0.8410001  -0.0015]", True),
        ("loss 3.14159", "loss 3.14160", True),
        ("loss 3.14159", "loss 3.24", False),
        ("shape (3,)", "shape (4,)", False),
        ("Array([1.], dtype=float32)", "Array([1.], dtype=float64)", False),
        ("1 2", "1", False),
        ("CpuDevice(id=0)", "CudaDevice(id=0)", True),
    ],
)
def test_words_are_compared_exactly_and_numbers_to_a_few_digits(stored, found, same):
    cells = [nbformat.v4.new_code_cell() for _ in range(2)]
    for cell, text in zip(cells, (stored, found), strict=True):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    assert (difference(*map(text_of, cells)) == "") == same
