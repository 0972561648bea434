"""The lesson on the GPU, with arrays that are there; tests/notebooks runs it without."""

from pathlib import Path

import nbformat
import numpy as np

import adlib

PATH = Path(__file__).resolve().parent.parent.parent / "notebooks" / "16_gpu.ipynb"


def test_its_cells_compute_on_the_gpu(cuda, capsys):
    cells = nbformat.read(PATH, as_version=4).cells
    end = next(i for i, cell in enumerate(cells) if cell.source.startswith("## Exercises"))
    names = {}
    before = np.get_printoptions()
    try:
        for cell in cells[:end]:
            if cell.cell_type == "code":
                exec(compile(cell.source, cell.id, "exec"), names)
    finally:
        np.set_printoptions(**before)
    assert names["place"] == "gpu" and names["card"] is adlib.devices("gpu")[0]
    assert names["x"].device.platform == names["result"].device.platform == "gpu"
    printed = capsys.readouterr().out
    assert f"computing on {names['card'].device_kind}" in printed
    assert "gradient  [-0.6397  0.2731  2.      3.7269  4.6397]" in printed
