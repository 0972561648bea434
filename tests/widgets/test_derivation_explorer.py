"""The Python side of the derivation explorer."""

import json

import numpy as np
import pytest
import traitlets

import adlib.numpy as jnp
from adlib_widgets import show_derivation


def wave(x):
    y = jnp.sin(x)
    return jnp.exp(y * x) + y


@pytest.fixture
def explorer():
    return show_derivation(wave)(1.0).explore()


def test_everything_is_shown_at_first(explorer):
    assert explorer.stage == 4 and explorer.selected == []
    assert [program["title"] for program in explorer.data["programs"]] == [
        "f", "jvp", "known", "unknown", "transpose",
    ]  # fmt: skip
    assert explorer.data["told"] and explorer.data["summary"].startswith("grad of a program")


def test_the_data_is_strict_json_and_repeats(explorer):
    text = json.dumps(explorer.data, allow_nan=False)
    assert text == json.dumps(show_derivation(wave)(1.0).explore().data)


def test_traits_can_be_set_from_python(explorer):
    explorer.stage = 1
    explorer.selected = ("transpose", 3)
    assert explorer.selected == ["transpose", 3]


@pytest.mark.parametrize(
    ("trait", "value", "text"),
    [
        ("stage", 5, "stage must be the position of a program (0 f, 1 jvp, 2 known, 3 unknown, 4"),
        ("selected", ["transpose", 7], "['transpose', 1 to 6]; it was given ['transpose', 7]."),
        ("selected", ["elsewhere", 1], "it was given ['elsewhere', 1]."),
    ],
)
def test_what_cannot_be_is_said(explorer, trait, value, text):
    with pytest.raises(traitlets.TraitError) as error:
        setattr(explorer, trait, value)
    assert text in str(error.value)


def test_another_view_keeps_what_it_has(explorer):
    explorer.stage, explorer.selected = 3, ["jvp", 2]
    explorer.show(show_derivation(wave)(2.0))
    assert (explorer.stage, explorer.selected) == (3, ["jvp", 2])
    explorer.show(show_derivation(wave, "jvp")(2.0))
    assert (explorer.stage, explorer.selected) == (1, ["jvp", 2])
    explorer.show(show_derivation(jnp.sin, "grad")(2.0))
    assert explorer.stage == 4


def test_long_derivations_ask_for_their_rules():
    def long(x):
        for _ in range(200):
            x = jnp.sin(x)
        return x

    explorer = show_derivation(long)(1.0).explore()
    assert not explorer.data["told"]
    assert {line["rule"] for line in explorer.data["programs"][4]["lines"]} == {""}
    assert explorer.requests()["rule"](4, 0).startswith("Transpose of mul by t")


def test_a_page_of_its_own_holds_the_record(explorer):
    page = explorer.to_html()
    state = json.loads(page.split('id="state">')[1].split("</script>")[0])
    assert state["data"] == explorer.data and state["stage"] == 4


def test_the_widget_shows_its_static_form_too(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert data["text/html"] == explorer.view.html and data["text/plain"] == str(explorer.view)


def test_vmap_and_jit_are_explored_too():
    mapped = show_derivation(lambda w, x: w @ x, "vmap")(np.ones((5, 2, 3)), np.ones((5, 3)))
    types = [line["type"] for line in mapped.explore().data["programs"][1]["lines"]]
    assert types == ["f32[⟨5⟩,2]"]
    jitted = show_derivation(wave, "jit")(1.0).explore()
    assert jitted.stage >= 1 and jitted.data["programs"][0]["title"] == "f"
