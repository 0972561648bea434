"""The flow stepper in Python: what it sends to the page, its traits, its displays."""

import json

import numpy as np
import pytest
import traitlets

import adlib.numpy as jnp
from adlib.inspect import ArraySummary, FlowOutput, FlowRecord, FlowStep, FlowValue, ValueRecord
from adlib.inspect.flow import ContributionRecord
from adlib_widgets import FlowView, show_flow
from adlib_widgets.flow_explorer import FlowExplorer, Score, flow_data

WIDGET = "application/vnd.jupyter.widget-view+json"


def f(x, y):
    a = jnp.sin(x)
    return a * x + y


def layer(w, x):
    h = jnp.tanh(w @ x)
    return (h * h).sum()


@pytest.fixture
def explorer():
    return show_flow(f)(1.0, 2.0).explore()


def data_of(function, *args):
    return flow_data(show_flow(function)(*args).record)


def test_rows_are_inputs_equations_and_outputs():
    rows = data_of(f, 1.0, 2.0)["rows"]
    assert [(row["kind"], row["name"], row["text"]) for row in rows] == [
        ("input", "a", "x"),
        ("input", "b", "y"),
        ("step", "c", "sin a"),
        ("step", "d", "c·a"),
        ("step", "e", "d + b"),
        ("output", "result", "e"),
    ]
    assert [row["reads"] for row in rows[2:]] == [[0], [2, 0], [3, 1], [4]]
    assert rows[2]["code"] == "a = jnp.sin(x)" and rows[2]["key"].startswith(
        "test_flow_explorer.py"
    )


def test_the_reverse_steps_are_in_the_order_of_reverse_mode():
    data = data_of(f, 1.0, 2.0)
    assert data["forward"] == [[2], [3], [4]]
    steps = [(data["rows"][row]["name"], number) for row, number in data["reverse"]]
    assert steps == [("e", 0), ("d", 0), ("b", 0), ("c", 0), ("a", 0), ("a", 1)]


def test_constants_are_rows_too():
    w = np.full((2, 3), 2.0, np.float32)
    rows = data_of(lambda x: w @ x, np.ones(3))["rows"]
    assert [(row["kind"], row["name"]) for row in rows[:3]] == [
        ("constant", "a"),
        ("input", "b"),
        ("step", "c"),
    ]
    assert rows[2]["reads"] == [0, 1] and rows[0]["tangent"] is None


def test_a_fan_out_has_its_running_sum():
    first, second = data_of(f, 1.0, 2.0)["rows"][0]["parts"]
    assert first["total"] is None and first["share"]["text"] == "0.8415"
    assert second["share"]["text"] == "0.5403" and second["total"]["text"] == "1.382"
    assert (first["from"], second["from"]) == (3, 2)


def test_three_contributions_add_up_one_by_one():
    parts = data_of(lambda x: x + 2.0 * x + 4.0 * x, 1.0)["rows"][0]["parts"]
    totals = [None if part["total"] is None else part["total"]["v"] for part in parts]
    assert totals[0] is None and [total[0] for total in totals[1:]] == [
        parts[0]["share"]["v"][0] + parts[1]["share"]["v"][0],
        7.0,
    ]


def test_local_derivatives_of_scalars():
    rows = data_of(f, 1.0, 2.0)["rows"]
    assert rows[2]["derivatives"] == [pytest.approx(np.cos(1.0))]
    assert rows[3]["derivatives"] == [1.0, pytest.approx(np.sin(1.0))]
    assert data_of(layer, np.ones((2, 3)), np.ones(3))["rows"][2]["derivatives"] == []


def test_arrays_have_pictures_statistics_and_sums():
    rows = data_of(lambda x: jnp.sin(x), np.arange(40.0).reshape(20, 2))["rows"]
    picture = rows[0]["primal"]
    assert (len(picture["p"]), len(picture["p"][0])) == (8, 2)
    assert picture["at"] == [[0, 3, 5, 8, 11, 14, 16, 19], [0, 1]]
    assert picture["sum"] == 780.0 and "v" not in picture
    assert picture["about"] == "f32[20,2], min 0, max 39, mean 19.5"
    small = data_of(lambda x: x * 2.0, np.arange(3.0))["rows"][0]["primal"]
    assert list(small["v"]) == [0.0, 1.0, 2.0] and "at" not in small


def test_numbers_that_json_lacks_are_texts():
    def harm(x):
        return jnp.log(x) * 0.0

    explorer = show_flow(harm)(np.array([0.0, 1.0])).explore()
    text = json.dumps(explorer.data, allow_nan=False)
    assert '"-inf"' in text and '"nan"' in text
    assert "sum" not in explorer.data["rows"][1]["primal"]


@pytest.mark.parametrize(
    ("function", "steps"),
    [
        (lambda x: x, 1),
        (lambda x: 3.0, 0),
        (lambda x: (x, {"n": jnp.argmax(x)}), None),
        (lambda x: x * jnp.where(x > 1.0, x, 2.0), None),
    ],
)
def test_every_kind_of_program_can_be_stepped(function, steps):
    explorer = show_flow(function)(jnp.ones(3)).explore()
    json.dumps(explorer.data, allow_nan=False)
    assert steps is None or explorer.steps == steps
    explorer.step = explorer.steps


def test_step_is_checked(explorer):
    assert explorer.steps == 9
    explorer.step = 9
    with pytest.raises(traitlets.TraitError) as raised:
        explorer.step = 10
    assert str(raised.value) == (
        "step must be from 0 (inputs only) to 9 (3 forward steps, then 6 reverse steps); "
        "it was given 10."
    )
    with pytest.raises(traitlets.TraitError):
        explorer.sweep = "sideways"
    assert (explorer.step, explorer.sweep) == (9, "both")


def test_traits_can_be_given_at_the_start():
    view = show_flow(f)(1.0, 2.0)
    explorer = FlowExplorer(view, step=4, predict=True)
    assert (explorer.step, explorer.predict) == (4, True)
    with pytest.raises(traitlets.TraitError, match="step must be from 0"):
        FlowExplorer(view, step=99)


def test_another_run_keeps_the_step_where_it_exists(explorer):
    explorer.step = 7
    explorer.show(show_flow(f)(2.0, 3.0))
    assert explorer.step == 7 and explorer.data["rows"][0]["primal"]["text"] == "2"
    explorer.show(show_flow(lambda x: x * 2.0)(1.0))
    assert explorer.step == explorer.steps == 3


def test_the_score_counts_questions_not_tries(explorer):
    assert explorer.score == Score(0, 0, 0)
    first = {"step": 1, "name": "ċ", "expected": 0.5}
    second = {"step": 2, "name": "ḋ", "expected": 1.4}
    explorer.answers = [
        first | {"right": False},
        first | {"right": True},
        second | {"right": True},
        {"step": 3, "name": "ė", "expected": 1.0, "right": False, "skipped": True},
    ]
    assert explorer.score == Score(right=2, at_once=1, asked=3)
    assert str(explorer.score) == "2 of 3 right, 1 at once"


def test_a_display_is_the_static_view_and_the_widget(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", WIDGET}
    again, _ = show_flow(f)(1.0, 2.0).explore()._repr_mimebundle_()
    assert all(data[kind] == again[kind] for kind in ("text/plain", "text/html"))


def test_pages_are_the_same_bytes(run_python):
    code = (
        "import adlib.numpy as jnp, hashlib, adlib_widgets\n"
        "view = adlib_widgets.show_flow(lambda x: jnp.tanh(jnp.sin(x) * x).sum())(jnp.ones(4))\n"
        "print(hashlib.sha256(view.explore().to_html().encode()).hexdigest())"
    )
    assert run_python(code) == run_python(code)


def test_texts_that_want_to_be_markup_stay_texts(nasty):
    text = nasty[:-1]  # a lone surrogate has no UTF-8
    summary = ArraySummary("f32[]", 1, 4, 1, values=(text,))
    part = ContributionRecord("step_0", 0, text, text, summary)
    value = FlowValue(ValueRecord(text, text), summary, summary, summary, (part,), text, text)
    step = FlowStep("step_0", text, text, text, text, (text,), (value,), 1, 1, 1, 1)
    output = FlowOutput("out_0", text, text, summary, summary, summary)
    page = FlowView(FlowRecord(((text, value),), (step,), (output,))).explore().to_html()
    assert "<script>alert" not in page and page.count("<script") == 2
