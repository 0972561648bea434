"""Notebooks run where new arrays are made on a GPU, and their text held against what is stored.

A card adds up in another order, so numbers are compared to a few digits, and words exactly.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
STARTUP = ROOT / "tests" / "gpu" / "startup"

_NUMBER = re.compile(r"(?<![\w.])[-−]?(?:\d+\.?\d*|\.\d+)(?:e[-+−]?\d+)?(?![\w])")
# What says where and how fast something ran.
_ELSEWHERE = (
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "ADDRESS"),
    (re.compile(r"(/[^\s\"']*)?/ipykernel_\d+/\d+\.py"), "CELL"),
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"(CpuDevice|CudaDevice)\(id=0\)"), "DEVICE"),
)

# Cells that show something else there, and rightly so.
OTHERWISE = {
    "cost-22": "a residual that is an argument is one Array there, and two over one memory here",
    "revolve-24": "it judges how much of the CPU's memory was taken",
}


def executed(path: Path, where: str) -> nbformat.NotebookNode:
    """The notebook after its cells ran in a process whose GPU is ``where``: "stand-in", "card"."""
    notebook = nbformat.read(path, as_version=4)
    search = [str(STARTUP), str(ROOT), str(ROOT / "kernel_ext"), str(ROOT / "widgets")]
    given = os.environ.get("PYTHONPATH")
    environment = {
        **os.environ,
        "ADLIB_TEST_GPU": where,
        "PYTHONPATH": os.pathsep.join([*search, *([given] if given else [])]),
    }
    folder = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=600, resources=folder, allow_errors=True)
    client.execute(env=environment)
    return notebook


def text_of(cell: nbformat.NotebookNode) -> str:
    """What a cell printed, showed as text, or raised."""
    found = []
    for output in cell.get("outputs", ()):
        if output.output_type == "stream" and output.name == "stdout":
            found.append(output.text)
        elif output.output_type == "error":
            found.append(f"{output.ename}: {output.evalue}")
        elif output.output_type in ("execute_result", "display_data"):
            found.append(output.data.get("text/plain", "") + "\n")
    text = "".join(found)
    for pattern, name in _ELSEWHERE:
        text = pattern.sub(name, text)
    return text


def difference(stored: str, found: str) -> str:
    """What differs in words, or in numbers by more than a few digits; empty where nothing does."""
    words = [_NUMBER.sub("#", text) for text in (stored, found)]
    words = [" ".join(text.split()) for text in words]
    if words[0] != words[1]:
        return f"{stored}\n--- on the GPU:\n{found}"
    pairs = [_NUMBER.findall(text.replace("−", "-")) for text in (stored, found)]
    for old, new in zip(*map(lambda texts: [float(t) for t in texts], pairs), strict=True):
        if not abs(old - new) <= 2e-3 * max(abs(old), abs(new)) + 2e-5:
            return f"{old} against {new} in\n{stored}\n--- on the GPU:\n{found}"
    return ""


def differences(path: Path, where: str) -> list[str]:
    """What every cell shows otherwise; cells whose outputs differ from run to run are left out."""
    stored = nbformat.read(path, as_version=4).cells
    found = []
    for old, new in zip(stored, executed(path, where).cells, strict=True):
        if old.cell_type != "code" or "nbval-ignore-output" in old.metadata.get("tags", ()):
            continue
        if old.id in OTHERWISE:
            continue
        differs = difference(text_of(old), text_of(new))
        if differs:
            found.append(f"cell {old.id}:\n{old.source}\n--- stored:\n{differs}")
    return found
