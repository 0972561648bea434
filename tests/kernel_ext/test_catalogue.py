"""The table of magics agrees with the magics and with the documentation."""

import re
from pathlib import Path

import pytest

from adlib_kernel import catalogue
from adlib_kernel.magics import AutodiffMagics

PAGE = Path(__file__).resolve().parents[2] / "docs" / "magics.md"
BEGIN, END = "<!-- from adlib_kernel/catalogue.py: begin -->\n", "<!-- end -->"


def test_the_table_names_every_magic():
    registered = {
        prefix + name: method
        for kind, prefix in (("line", "%"), ("cell", "%%"))
        for name, method in AutodiffMagics.magics[kind].items()
    }
    listed = {form: method for entry in catalogue.CATALOGUE for form, method in entry.forms.items()}
    assert listed == registered


def test_the_documentation_is_that_of_the_table():
    text = PAGE.read_text(encoding="utf-8")
    made = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    assert made.strip("\n") == catalogue.reference(AutodiffMagics).strip("\n")


def test_the_documented_exercise_prints_what_stands_below_it(run_python):
    text = PAGE.read_text(encoding="utf-8")
    cell = next(c for c in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "exercise(" in c)
    below = text[text.index(cell) :]
    assert run_python(cell) == re.search(r"```text\n(.*?)```", below, re.DOTALL).group(1)


@pytest.mark.parametrize(
    "cell", [example for entry in catalogue.CATALOGUE for example in entry.examples]
)
def test_every_example_runs(ipython, cell):
    ipython.run("import numpy as np, adlib, adlib.numpy as jnp\nfrom adlib import grad")
    ipython.run("import matplotlib; matplotlib.use('agg')\nfrom adlib_kernel import exercise")
    ipython.run("def f(x, y=1.0):\n    return jnp.sum(jnp.sin(x) * y)\ng = f")
    ipython.run("x, y, v, w, xs = 1.0, 2.0, 0.5, 3.0, np.arange(3.0)")
    ipython.run("exercise('slope', lambda x: 2 * x, points=[1.0]); my_slope = lambda x: 2 * x")
    if "cost." in cell:
        ipython.run("%adtime -n 1 -r 1 -o cost f(x, y)")
    if "r.sum()" in cell:
        ipython.run("x = np.ones(3)")
    ipython.run(cell.replace("adtime ", "adtime -n 1 -r 1 "))


def test_names_with_signs_are_found_and_others_are_answered():
    assert repr(catalogue.page("%%grad", AutodiffMagics)).startswith("%grad, %%grad: value and")
    with pytest.raises(ValueError, match="there is no magic gard. Did you mean grad?"):
        catalogue.page("gard", AutodiffMagics)


def test_help_is_shown_as_a_table():
    html = catalogue.overview()._repr_mimebundle_()["text/html"]
    assert html.startswith("<table") and "%%checkgrads" in html
    assert "--hessian" in catalogue.page("grad", AutodiffMagics).html
