"""interact: controls bound by name, views that follow them, errors in the picture's place."""

import ipywidgets
import numpy as np
import pytest

import adlib.numpy as jnp
import adlib_widgets
from adlib_widgets import interact, interactive_box, show_flow, show_jacobian

WIDGET = "application/vnd.jupyter.widget-view+json"
X = np.linspace(0.5, 1.5, 6).astype(np.float32)


def f(x, y):
    a = jnp.sin(x)
    return a * x + y


def layer(scale, w, x):
    return jnp.tanh(scale * (w @ x)).sum()


def primal(box):
    return box.view.record.outputs[0].primal.values[0]


def test_a_slider_runs_the_function_again():
    box = interact(show_flow(f), x=(0.0, 3.0), y=2.0)
    assert box.arguments == {"x": 1.5, "y": 2.0}
    explorer = box.explorer
    box.controls["x"].value = 1.0
    assert primal(box) == pytest.approx(np.sin(1.0) + 2.0)
    assert box.explorer is explorer and explorer.data["rows"][0]["primal"]["text"] == "1"


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        ((0.0, 3.0), ipywidgets.FloatSlider, 1.5),
        ((0, 3.0), ipywidgets.FloatSlider, 1.5),
        ((1, 5), ipywidgets.IntSlider, 3),
        ((0, 10, 5), ipywidgets.IntSlider, 5),
        ((np.float32(0.0), np.float32(1.0)), ipywidgets.FloatSlider, 0.5),
        ([1.0, 2.0], ipywidgets.Dropdown, 1.0),
        ({"one": 1.0, "two": 2.0}, ipywidgets.Dropdown, 1.0),
        ([jnp.sin, jnp.cos], ipywidgets.Dropdown, jnp.sin),
        (True, ipywidgets.Checkbox, True),
    ],
)
def test_abbreviations(given, kind, value):
    control = interactive_box.control_for("x", given)
    assert type(control) is kind and control.value == value and control.description == "x"


@pytest.mark.parametrize(
    "given", [2.0, 3, "text", None, X, (X, X), [X], {"w": X}, (1.0, 2.0, 3.0, 4.0), ("a", "b"), []]
)
def test_everything_else_is_fixed(given):
    assert interactive_box.control_for("x", given) is None


def test_a_default_is_where_a_control_starts():
    box = interact(show_flow(lambda x=0.25, n=2: x**n), x=(0.0, 1.0), n=[1, 2, 3])
    assert box.arguments == {"x": 0.25, "n": 2}


def test_step_of_a_slider():
    assert interactive_box.control_for("x", (0.0, 3.0)).step == pytest.approx(0.01)
    assert interactive_box.control_for("x", (0.0, 3.0, 0.5)).step == 0.5


def test_a_widget_is_itself_and_fixed_is_fixed():
    own = ipywidgets.FloatText(2.0)
    box = interact(show_flow(f), x=own, y=ipywidgets.fixed(1.0))
    own.value = 0.0
    assert box.controls == {"x": own} and primal(box) == 1.0


def test_positional_arguments_stay_positional():
    box = interact(
        show_jacobian(layer, argnums=2), scale=(0.1, 2.0), w=np.ones((2, 3)), x=np.ones(3)
    )
    assert box.error is None and box.view.record.matrix.shape == (1, 3)


def test_defaults_and_keywords_may_be_left_alone():
    def g(x, y=3.0, *, z=1.0):
        return x * y * z

    assert primal(interact(show_flow(g), x=(0.0, 2.0), z=2.0)) == 6.0
    assert primal(interact(show_flow(g), x=2.0, z=2.0, y=1.0)) == 4.0


def test_options_of_the_view_pass_through():
    box = interact(show_flow(f), x=(0.0, 2.0), y=1.0, tangent=(0.0, 1.0), cotangent=2.0)
    assert set(box.controls) == {"x"}
    assert box.view.record.outputs[0].tangent.values == (1.0,)
    assert box.view.record.inputs[1][1].cotangent.values == (2.0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": 1.0, "why": 2.0}, r"has no argument 'why'; it has x, y, tangent, cotangent\."),
        ({"x": 1.0, "y": 1.0, "tangnt": 1.0}, r"Did you mean 'tangent'\?"),
        ({"x": 1.0}, r"argument 'y' has no default, so interact\(\) needs it: y=\(0.0, 3.0\)"),
    ],
)
def test_wrong_names_teach(arguments, message):
    with pytest.raises(TypeError, match=message):
        interact(show_flow(f), **arguments)


def test_wrong_controls_teach():
    with pytest.raises(ValueError, match=r"least < most; x was given \(3.0, 0.0\)"):
        interact(show_flow(f), x=(3.0, 0.0), y=1.0)
    with pytest.raises(TypeError, match=r"cannot follow x=HBox\(\): it has no value"):
        interact(show_flow(f), x=ipywidgets.HBox(), y=1.0)


def test_functions_without_a_signature_teach():
    with pytest.raises(TypeError, match="has no signature. Repair: wrap it"):
        interact(show_flow(max), x=1.0)


def test_an_error_is_shown_and_the_sliders_live_on():
    def fragile(x, kind):
        if kind == "bad":
            raise ValueError("not <this>")
        return x * 2.0

    box = interact(show_flow(fragile), x=(0.0, 2.0), kind=["bad", "good"])
    assert isinstance(box.error, ValueError) and box.explorer is None and box.view is None
    line = fragile.__code__.co_firstlineno + 2
    assert repr(box).splitlines() == [
        "ValueError: not <this>",
        f'  at test_interactive.py:{line}: raise ValueError("not <this>")',
    ]
    html = box._complaint.value
    assert 'role="alert"' in html and "not &lt;this&gt;" in html and "<this>" not in html
    assert box._complaint.layout.display is None and box._picture.layout.display == "none"

    box.controls["kind"].value = "good"
    assert box.error is None and primal(box) == 2.0
    assert box._complaint.layout.display == "none" and box._picture.layout.display is None

    box.controls["kind"].value = "bad"
    assert box.error is not None and box._picture.layout.display == "none"


def test_what_python_itself_decides_by_is_kept_apart():
    def repeated(x, n):
        for _ in range(n):
            x = jnp.sin(x)
        return x

    box = interact(lambda x, n: show_flow(lambda x: repeated(x, n))(x), x=(0.0, 1.0), n=(1, 5))
    assert box.error is None and len(box.view.record.steps) == 3
    box.controls["n"].value = 5
    assert len(box.view.record.steps) == 5


def test_a_slow_function_runs_when_the_slider_is_let_go(monkeypatch):
    box = interact(show_flow(f), x=(0.0, 3.0), y=2.0)
    slider = box.controls["x"]
    assert slider.continuous_update
    monkeypatch.setattr(interactive_box, "SLOW", 0.0)
    slider.value = 1.0
    assert not slider.continuous_update
    monkeypatch.setattr(interactive_box, "SLOW", 60.0)
    slider.value = 2.0
    assert slider.continuous_update


def test_a_display_is_static_and_deterministic():
    data = interact(show_flow(f), x=(0.0, 3.0), y=2.0)._repr_mimebundle_()
    again = show_flow(f)(1.5, 2.0)._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", WIDGET}
    assert all(data[kind] == again[kind] for kind in again)

    def fails(x):
        raise ValueError("no")

    data = interact(show_flow(fails), x=(0.0, 1.0))._repr_mimebundle_()
    assert data["text/plain"].startswith("ValueError: no\n  at test_interactive.py:")


def test_any_function_that_gives_a_view_will_do():
    box = interact(lambda x, kind: adlib_widgets.show_derivation(f, kind)(x, 1.0), x=1.0,
                   kind=["grad", "jvp"])  # fmt: skip
    before = repr(box)
    box.controls["kind"].value = "jvp"
    assert box.error is None and repr(box) != before


def test_another_kind_of_view_gets_its_own_explorer():
    shows = {"flow": show_flow, "jacobian": show_jacobian}
    box = interact(lambda x, kind: shows[kind](jnp.sin)(x), x=1.0, kind=list(shows))
    first = box.explorer
    box.controls["kind"].value = "jacobian"
    assert box.error is None and box._picture.children == (box.explorer,)
    assert type(box.explorer) is not type(first) and first.comm is None


class Plain:
    """A view that has no interactive form."""

    def __init__(self, x):
        self.x = x

    def _repr_mimebundle_(self):
        return {"text/plain": str(self.x), "text/html": f"<p>{self.x}</p>"}

    def __repr__(self):
        return str(self.x)


def test_a_view_without_an_interactive_form_is_shown_as_it_is():
    box = interact(Plain, x=(0, 4))
    (picture,) = box._picture.children
    assert picture.value == "<p>2</p>" and box.explorer is None
    box.controls["x"].value = 3
    assert picture.value == "<p>3</p>" and repr(box) == "3"


@pytest.mark.parametrize(
    "show",
    [
        adlib_widgets.show_flow,
        adlib_widgets.show_jacobian,
        adlib_widgets.show_memory,
        adlib_widgets.show_jaxpr,
        adlib_widgets.why_nan,
        lambda f: adlib_widgets.show_derivation(f, "grad"),
    ],
    ids=["flow", "jacobian", "memory", "jaxpr", "nan", "derivation"],
)
def test_every_view_follows_its_controls(show):
    box = interact(show(layer), scale=(0.1, 2.0), w=np.ones((8, 6), np.float32), x=X)
    assert box.error is None
    explorer = box.explorer
    for scale in (0.2, 1.1, 1.8):
        box.controls["scale"].value = scale
        assert box.error is None and box.arguments["scale"] == scale
    assert box.explorer is explorer and explorer.view is box.view  # swapped in place


def test_ipywidgets_is_optional(run_python):
    code = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "import adlib_widgets\n"
        "try:\n    adlib_widgets.interact(adlib_widgets.show_flow(lambda x: x), x=1.0)\n"
        "except ImportError as error:\n    print(error)"
    )
    assert "interact() needs the Python package ipywidgets: pip install" in run_python(code)
