"""The magics that show views: line and cell forms, results, mistakes."""

import pytest

from adlib_widgets import DerivationView, FlowView, JacobianView, MemoryView, NanView

VIEWS = {
    "flow": FlowView,
    "jacobian": JacobianView,
    "admem": MemoryView,
    "whynan": NanView,
    "derive": DerivationView,
}


@pytest.fixture
def shell(ipython):
    ipython.run("import numpy as np, adlib, adlib.numpy as jnp")
    ipython.run("def f(x, y):\n    return jnp.sum(jnp.sin(x) * y)")
    ipython.run("x, y = 1.0, np.array([1.0, 2.0])")
    return ipython


@pytest.mark.parametrize("name", VIEWS)
def test_both_forms_show_and_store_the_view(shell, name):
    line = shell.run(f"%{name} -o seen f(x, y)")
    assert isinstance(line, VIEWS[name]) and shell.names["seen"] is line
    cell = shell.run(f"%%{name} -o seen x y\nz = jnp.sin(x)\njnp.sum(z * y)")
    assert isinstance(cell, VIEWS[name]) and shell.names["seen"] is cell
    assert "z" not in shell.names and shell.names["x"] == 1.0
    # nbval compares the text: nothing in it may change from run to run
    again = shell.run(f"%{name} f(x, y)")
    assert repr(again) == repr(shell.run(f"%{name} f(x, y)"))
    assert "<script" not in again._repr_mimebundle_()["text/html"]


def test_the_lines_are_those_of_the_cell(shell):
    view = shell.run("%%flow x\nz = jnp.sin(x)\nz * 2.0")
    number = shell.shell.execution_count - 1
    assert f"In[{number}]:2" in repr(view) and f"In[{number}]:3" in repr(view)


def test_derive_takes_a_kind(shell):
    assert "jvp of a program" in repr(shell.run("%derive --kind jvp f(x, y)"))
    assert "vmap of a program" in repr(shell.run("%%derive --kind vmap y\njnp.sin(y)"))


def test_whynan_finds_what_made_it(shell):
    shell.run("t = 0.0")
    view = shell.run("%%whynan t\njnp.where(t > 0, jnp.sqrt(t), 0.0)")
    assert repr(view).startswith("The result is finite, but its gradient holds NaN.")


@pytest.mark.parametrize("name", VIEWS)
def test_what_the_function_raises_comes_through(shell, name):
    kind, shown = shell.error(f"%{name} f(x)")
    assert kind == "TypeError" and "missing 1 required positional argument: 'y'" in shown
    kind, shown = shell.error(f"%%{name} x\nz = x * 2.0\nz + undefined_name")
    assert kind == "NameError" and "line 3" in shown
    assert not [name for name in ("adlib_widgets", "view_magics.py") if name in shown]


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%{}", "%{} wants a call, such as %{} f(x, y); nothing was given."),
        ("%{} f", "this is a name: f. Give it arguments: %{} f(…)."),
        ("%{} --hepl f(x)", "%{}: there is no option --hepl. Did you mean --help?"),
        ("%%{}\nx * x", "%%{} wants the names of the variables"),
        ("%%{} xx\nx * x", "%%{}: there is no variable xx. Did you mean x?"),
        ("%%{} x\nz = x", "%%{} is about the last line of the cell, which has to be an expression"),
    ],
)
def test_mistakes_are_explained_without_a_traceback(shell, name, cell, message):
    kind, shown = shell.error(cell.replace("{}", name))
    assert kind == "UsageError" and message.replace("{}", name) in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%derive --kind gard f(x, y)", "'gard' is none. Did you mean grad?"),
        (
            "%%derive --kind zzz x\nx",
            "%%derive: --kind takes grad, jvp, linearize, vmap, jit; 'zzz'",
        ),
        ("%jacobian f(1, 2)", "no positional argument is a float or an array of floats"),
    ],
)
def test_mistakes_of_their_own(shell, cell, message):
    kind, shown = shell.error(cell)
    assert kind == "UsageError" and message in shown
