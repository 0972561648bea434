"""The Python side of the NaN explorer."""

import json

import numpy as np
import pytest
import traitlets

import adlib.numpy as jnp
from adlib_widgets import why_nan


def entropy(x):
    return jnp.where(x > 0, x * jnp.log(x), 0.0).sum()


@pytest.fixture
def explorer():
    return why_nan(entropy)(np.array([1.0, 0.0, 0.5])).explore()


def test_it_starts_where_to_repair_first(explorer):
    assert (explorer.selected, explorer.sweep) == ("mul_0", "cotangent")
    assert explorer.data["starts"] == {
        "primal": {"row": "log_0", "kind": "inf"},
        "tangent": {"row": "log_0", "kind": "inf"},
        "cotangent": {"row": "mul_0", "kind": "nan"},
    }


def test_the_findings_have_their_repairs(explorer):
    first, second = explorer.data["findings"]
    assert first["row"] == "mul_0" and second["row"] == "log_0"
    assert second["before"] == "jnp.where(x > 0, jnp.log(x), 0.0)"
    assert second["after"] == "jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), 0.0)"
    assert [value["way"] for value in first["values"]][-1] == "out"


def test_the_data_is_strict_json_and_repeats(explorer):
    text = json.dumps(explorer.data, allow_nan=False)
    again = why_nan(entropy)(np.array([1.0, 0.0, 0.5])).explore()
    assert text == json.dumps(again.data) and '"nan"' in text


def test_where_all_is_finite_nothing_is_selected():
    explorer = why_nan(entropy)(np.array([1.0])).explore()
    assert explorer.data["good"] and explorer.selected == "" and explorer.data["rows"] == []
    with pytest.raises(traitlets.TraitError, match="empty here: all is finite"):
        explorer.selected = "log_0"


def test_what_is_not_on_the_trail_cannot_be_selected(explorer):
    explorer.selected = "in_0"
    with pytest.raises(traitlets.TraitError, match="one of in_0, gt_0, log_0, .*given 'sin_0'"):
        explorer.selected = "sin_0"
    with pytest.raises(traitlets.TraitError):
        explorer.sweep = "sideways"


def test_another_view_keeps_the_selection_where_it_has_it(explorer):
    explorer.selected, explorer.sweep = "log_0", "tangent"
    explorer.show(why_nan(entropy)(np.array([0.0])))
    assert (explorer.selected, explorer.sweep) == ("log_0", "tangent")
    explorer.show(why_nan(entropy)(np.array([1.0])))
    assert explorer.selected == ""
    explorer.show(why_nan(entropy)(np.array([0.0])))
    assert (explorer.selected, explorer.sweep) == ("mul_0", "cotangent")


def test_a_page_of_its_own(explorer):
    page = explorer.to_html()
    state = json.loads(page.split('id="state">')[1].split("</script>")[0])
    assert state["data"] == explorer.data and state["selected"] == "mul_0"


def test_the_widget_shows_its_static_form_too(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert data["text/html"] == explorer.view.html and data["text/plain"] == str(explorer.view)
