"""Run every notebook from its first cell, headless, and write each as an HTML page.

python tools/cookbook.py [--out build/cookbook] [notebooks ...]
"""

import argparse
import html
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

ROOT = Path(__file__).resolve().parent.parent


def title_of(notebook: nbformat.NotebookNode, default: str) -> str:
    """The first heading of a notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.lstrip().startswith("# "):
            return cell.source.lstrip().splitlines()[0][2:].strip()
    return default


def render(path: Path, out: Path) -> tuple[str, str]:
    """Execute one notebook in its own folder and write the page; returns (file name, title)."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": path.parent}},
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only: kernels here are our own
    ).execute()
    title = title_of(notebook, path.stem)
    page, _ = HTMLExporter().from_notebook_node(notebook, {"metadata": {"name": title}})
    target = out / f"{path.stem}.html"
    target.write_text(page, encoding="utf-8")
    return target.name, title


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "cookbook")
    options = parser.parse_args(argv)
    paths = options.notebooks or sorted((ROOT / "notebooks").rglob("[!.]*.ipynb"))
    paths = [path for path in paths if ".ipynb_checkpoints" not in path.parts]
    if not paths:
        print("cookbook: there is no notebook in notebooks/", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    pages = []
    for path in paths:
        start = time.perf_counter()
        try:
            pages.append(render(path, options.out))
        except CellExecutionError as error:
            print(f"cookbook: {path.name} stopped at a failing cell:\n{error}", file=sys.stderr)
            return 1
        print(f"{path.name}  {time.perf_counter() - start:.1f} s", flush=True)
    items = "\n".join(
        f'<li><a href="{name}">{html.escape(title)}</a></li>' for name, title in pages
    )
    index = options.out / "index.html"
    index.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>adlib</title>\n'
        f"<h1>The adlib cookbook</h1>\n<ol>\n{items}\n</ol></html>\n",
        encoding="utf-8",
    )
    print(f"{len(pages)} pages, start at {index}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
