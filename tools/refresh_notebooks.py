"""Run notebooks and store their outputs in place, with the metadata that belong in the repository.

python tools/refresh_notebooks.py [notebooks ...]

For whoever changes a notebook, or what the engine prints. Look at the difference before you
commit it: a number that moved is a finding, not noise.
"""

import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}


# The page of a widget whose state is not stored; beside it stands what needs no widget.
WIDGET = "application/vnd.jupyter.widget-view+json"


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what differs between machines and runs: versions, widgets, execution times."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)
    return notebook


def refresh(path: Path) -> None:
    """Execute one notebook in its own folder and write it back."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": path.parent}},
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only: kernels here are our own
    ).execute()
    nbformat.write(clean(notebook), path)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    paths = parser.parse_args(argv).notebooks or sorted((ROOT / "notebooks").rglob("[!.]*.ipynb"))
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar is no output to keep
    for path in paths:
        try:
            refresh(path)
        except CellExecutionError as error:
            print(f"refresh: {path.name} stopped at a failing cell:\n{error}", file=sys.stderr)
            return 1
        print(path.name, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
