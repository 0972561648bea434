"""Draws grad_graph.svg: the gradient of the function in the README's first cell.

Run it from the project's root, in the environment of `make lab`: python docs/images/draw.py
"""

import re
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.io import capture_output

import adlib
from adlib_widgets import show_jaxpr

HERE = Path(__file__).resolve().parent
README = (HERE.parent.parent / "README.md").read_text(encoding="utf-8")


def main() -> None:
    cell = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    shell = InteractiveShell.instance()
    with capture_output():
        # a cell of a notebook, so that equations carry its lines: In[1]:5
        shell.run_cell(cell, store_history=True).raise_error()
    print(show_jaxpr(adlib.grad(shell.user_ns["f"]))(1.5).save(HERE / "grad_graph.svg"))


if __name__ == "__main__":
    main()
