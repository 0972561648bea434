"""The Python side of the memory explorer: traits, trials, saved pages."""

import json

import numpy as np
import pytest
import traitlets

import adlib
import adlib.numpy as jnp
from adlib_widgets import MemoryView, show_memory


def chain(x):
    for _ in range(8):
        x = jnp.sin(x)
    return x.sum()


@pytest.fixture
def explorer():
    return show_memory(chain)(np.ones(1000)).explore()


def test_the_cursor_starts_at_the_peak(explorer):
    moments = explorer.data["plain"]["moments"]
    assert moments[explorer.moment][2] == explorer.data["plain"]["peak"]
    assert explorer.trial is None and len(moments) == 18


def test_what_is_alive_adds_up_to_the_curve(explorer):
    for curve in (explorer.data["plain"], explorer.requests()["checkpoint"](5, 2)):
        for i, moment in enumerate(curve["moments"]):
            alive = [b[2] for b in curve["buffers"] if b[7] <= i <= b[8]]
            assert sum(alive) == moment[2]


def test_the_data_is_strict_json_and_repeats(explorer):
    text = json.dumps(explorer.data, allow_nan=False)
    assert text == json.dumps(show_memory(chain)(np.ones(1000)).explore().data)


def test_a_checkpoint_can_be_set_from_python(explorer):
    explorer.equations = 6
    explorer.segments = 2
    assert explorer.trial == explorer.view.trial(6, 2)
    assert explorer.trial.peak_bytes < explorer.view.record.peak_bytes
    explorer.moment = len(explorer.trial.moments) - 1


@pytest.mark.parametrize(
    ("trait", "value", "text"),
    [
        ("moment", 18, "moment must be from 0 to 17: there are 18 moments, forward and in"),
        ("moment", -1, "it was given -1."),
        ("equations", 10, "how many equations it holds: one of 1, 2, 3, 4, 5, 6, 7, 8, 9;"),
        ("segments", 0, "segments must be from 1 to 12"),
        ("selected", "nobody", "there is none called 'nobody'. There are: "),
    ],
)
def test_what_cannot_be_is_said(explorer, trait, value, text):
    with pytest.raises(traitlets.TraitError) as error:
        setattr(explorer, trait, value)
    assert text in str(error.value)


def test_a_buffer_can_be_selected(explorer):
    explorer.selected = "sin_3′"
    assert explorer.selected == "sin_3′"


def test_requests_answer_and_errors_are_answers(explorer):
    sent = []
    explorer.send = sent.append
    ask = {"request": "checkpoint", "id": 1, "arguments": {"equations": 4, "segments": 1}}
    explorer._answer(explorer, ask, [])
    assert sent[0]["reply"] == 1 and sent[0]["value"]["recomputed"] == 4
    explorer._answer(explorer, {**ask, "arguments": {"equations": 99, "segments": 1}}, [])
    assert "it was asked for 99." in sent[1]["error"]


def test_another_view_keeps_checkpoint_and_cursor_where_it_can(explorer):
    explorer.equations, explorer.moment, explorer.selected = 4, 5, "sin_2′"
    explorer.show(show_memory(chain)(np.ones(10)))
    assert (explorer.equations, explorer.moment, explorer.selected) == (4, 5, "sin_2′")
    assert explorer.trial.argument_bytes == 40
    explorer.show(show_memory(lambda x: x * 2.0)(1.0))
    assert (explorer.equations, explorer.selected) == (0, "")
    assert explorer.moment <= 1


def test_a_saved_page_holds_the_trials(explorer):
    assert explorer.data["plans"] == {}
    page = explorer.to_html()
    plans = json.loads(page.split('id="state">')[1].split("</script>")[0])["data"]["plans"]
    assert plans["5/1"] == explorer.requests()["checkpoint"](5, 1)
    assert {"9/4", "3/3"} <= set(plans) and explorer.data["plans"] == {}


def test_a_record_alone_can_be_explored_but_not_tried():
    record = show_memory(chain)(np.ones(10)).record
    explorer = MemoryView(record).explore()
    assert not explorer.data["can_try"] and len(explorer.data["places"]) == 9
    with pytest.raises(ValueError, match="has only a record, no function"):
        MemoryView(record).trial(3)


def test_functions_with_checkpoints_and_without_equations():
    own = show_memory(lambda x: jnp.sin(adlib.checkpoint(chain)(x)))(np.ones(10)).explore()
    assert [place["equations"] for place in own.data["places"]] == [9, 10]
    assert "peak" not in own.data["places"][0]
    empty = show_memory(lambda x: x)(1.0).explore()
    assert empty.data["plain"]["moments"] == [] and empty.moment == 0
    empty.to_html()


def test_the_widget_shows_its_static_form_too(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert data["text/html"] == explorer.view.html and data["text/plain"] == str(explorer.view)
