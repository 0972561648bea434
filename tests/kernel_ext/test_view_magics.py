"""The magics that show views: line and cell forms, results, mistakes."""

import _thread
import sys
import types

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


EXPLORERS = {
    "flow": "FlowExplorer",
    "jacobian": "JacobianExplorer",
    "admem": "MemoryExplorer",
    "whynan": "NanExplorer",
    "derive": "DerivationExplorer",
    "jaxpr": "JaxprExplorer",
}


@pytest.mark.parametrize("name", EXPLORERS)
def test_widget_gives_the_interactive_form(shell, name):
    static = shell.run(f"%{name} f(x, y)")
    line = shell.run(f"%{name} --widget -o seen f(x, y)")
    assert type(line).__name__ == EXPLORERS[name] and shell.names["seen"] is line
    assert repr(line) == repr(static)
    cell = shell.run(f"%%{name} --widget x y\njnp.sum(jnp.sin(x) * y)")
    assert type(cell).__name__ == EXPLORERS[name]


def test_widget_without_the_package_is_a_mistake_in_one_line(shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    kind, shown = shell.error("%flow --widget f(x, y)")
    assert (
        kind == "UsageError" and "--widget: explore() needs the Python package anywidget" in shown
    )
    assert "Traceback" not in shown


def test_an_interrupt_while_recording_stops_cleanly_and_the_kernel_goes_on(shell, monkeypatch):
    shell.run("def long(x):\n    for _ in range(200):\n        x = jnp.sin(x)\n    return x")
    closed = []

    class Bar:
        def __init__(self, items, desc, **_):
            self.items, self.desc = items, desc

        def __iter__(self):
            for count, item in enumerate(self.items):
                if count == 50:
                    _thread.interrupt_main()  # what the notebook's button does
                yield item

        def close(self):
            closed.append(self.desc)

    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
        kind, shown = shell.error("%flow -o seen long(x)")
    assert kind == "KeyboardInterrupt" and "seen" not in shell.names
    assert closed == ["%flow: equations, forward"]
    assert float(shell.run("adlib.grad(jnp.sin)(0.0)")) == 1.0
    assert len(shell.run("%flow long(x)").record.steps) == 200
