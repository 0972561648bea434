"""The explorer of Jacobians on the kernel's side: traits, data, answers, pages."""

import json

import numpy as np
import pytest
import traitlets

import adlib
import adlib.numpy as jnp
from adlib_widgets import JacobianView, show_jacobian
from adlib_widgets.bundle import MOST_BYTES, script
from adlib_widgets.jacobian_explorer import JacobianExplorer, block_data, jacobian_data

X = np.arange(1.0, 6.0, dtype=np.float32)


def band(x):
    return x[1:] * x[:-1]


def layers(params, x):
    return {"y": params["w"] @ x, "n": (x**2).sum()}


PARAMS = {"w": np.arange(6.0, dtype=np.float32).reshape(2, 3)}


@pytest.fixture
def explorer():
    return show_jacobian(band)(X).explore()


@pytest.fixture
def blocks():
    return show_jacobian(layers, argnums=(0, 1))(PARAMS, X[:3]).explore()


def test_the_data_hold_the_matrix_its_colours_and_costs(explorer):
    whole = explorer.data["blocks"][""]
    dense = np.zeros(whole["shape"])
    dense[whole["row"], whole["column"]] = whole["v"]
    np.testing.assert_allclose(dense, adlib.jacfwd(band)(X))
    assert whole["columnColours"] == [0, 1, 0, 1, 0] and whole["groups"] == [2, 2]
    assert whole["rows"][3] == "out[3]" and whole["columns"][4] == "x[4]"
    assert explorer.data["costs"]["function"] == 4 and explorer.data["costs"]["complete"]
    json.dumps(explorer.data, allow_nan=False)


def test_numbers_keep_the_precision_of_their_type():
    data = block_data(show_jacobian(lambda x: x * np.float32(0.1))(X).jacobian)
    assert set(data["v"]) == {0.1}


def test_a_full_matrix_needs_no_places():
    data = block_data(show_jacobian(lambda x: x * x.sum())(X).jacobian)
    assert data["row"] is None and len(data["v"]) == 25 and data["v"][1] == 1.0


def test_nan_and_infinities_travel_as_text():
    data = jacobian_data(show_jacobian(jnp.sqrt)(np.array([0.0, -1.0], np.float32)).jacobian)
    assert data["blocks"][""]["v"] == ["inf", "nan"]
    json.dumps(data, allow_nan=False)


def test_blocks_have_names_and_colours_of_their_own(blocks):
    assert set(blocks.data["blocks"]) == {"", "0:0", "0:1", "1:0", "1:1"}
    block = blocks.data["blocks"]["1:1"]
    assert block["shape"] == [2, 3] and block["corner"] == [1, 6]
    assert block["columns"] == ["x[0]", "x[1]", "x[2]"] and block["v"] == [0, 1, 2, 3, 4, 5]
    assert blocks.data["blocks"]["0:0"]["v"] == []


def test_large_matrices_are_merged_and_told_where_their_entries_are():
    n = 1000
    jacobian = show_jacobian(lambda x: jnp.diff(x) ** 2)(np.arange(n, dtype=np.float32)).jacobian
    data = block_data(jacobian)
    assert data["shape"] == [999, 1000] and data["bundle"] == [11, 11] and not data["whole"]
    assert data["picture"] == [91, 91] and sum(data["count"]) == data["entries"] == 1998
    for k in range(0, len(data["v"]), 17):
        assert jacobian.entry(data["row"][k], data["column"][k]) == data["v"][k]
    assert len(json.dumps(data)) < 20_000


def test_steps(explorer):
    assert explorer.steps == 5
    explorer.step = 5
    explorer.mode = "compressed"
    assert explorer.steps == 2 and explorer.step == 2
    with pytest.raises(traitlets.TraitError, match=r"step must be from 0 \(nothing is filled in\) "
                       r"to 2 \(all is, in compressed mode\); it was given 3."):  # fmt: skip
        explorer.step = 3
    with pytest.raises(traitlets.TraitError):
        explorer.mode = "sparse"


def test_steps_of_functions_with_one_mode_only():
    def loop(x):
        return jnp.sum(adlib.lax.while_loop(lambda c: c.sum() < 50.0, lambda c: c * 2.0, x))

    explorer = show_jacobian(loop)(X).explore()
    assert explorer.steps == 5 and explorer.data["costs"]["vjp"] is None

    @adlib.custom_vjp
    def doubled(x):
        return 2.0 * x

    doubled.defvjp(lambda x: (2.0 * x, None), lambda _, ct: (2.0 * ct,))
    explorer = show_jacobian(lambda x: doubled(x).sum())(X).explore()
    assert explorer.steps == 1 and explorer.data["costs"]["jvp"] is None


def test_a_block_is_chosen_by_position_or_name(blocks):
    blocks.step = 9
    blocks.block = ["out['y']", "x"]
    assert blocks.block == [1, 1] and blocks.step == 3
    with pytest.raises(traitlets.TraitError, match=r"results: out\['n'\], out\['y'\]; arguments: "
                       r"params\['w'\], x. It was given \['z', 'x'\]"):  # fmt: skip
        blocks.block = ["z", "x"]


def test_an_entry_is_chosen_within_the_matrix(explorer):
    explorer.selected = [3, 4]
    for wrong in ([4, 0], [0], [0, 5], ["a", 0]):
        with pytest.raises(traitlets.TraitError, match="a row from 0 to 3 and a column from 0 to"):
            explorer.selected = wrong
    assert explorer.selected == [3, 4]
    explorer.selected = []


def test_paths_are_answered_and_those_of_small_matrices_ready(explorer, monkeypatch):
    assert set(explorer.paths) == {"0,0", "0,1", "1,1", "1,2", "2,2", "2,3", "3,3", "3,4"}
    sent = []
    monkeypatch.setattr(JacobianExplorer, "send", lambda self, content, *_: sent.append(content))
    ask = {"request": "paths", "id": "r1", "arguments": {"row": 2, "column": 3}}
    explorer._answer(explorer, ask, [])
    (answer,) = sent
    assert answer["reply"] == "r1" and answer["value"]["value"] == 3.0
    assert answer["value"] == explorer.paths["2,3"]
    explorer._answer(explorer, {**ask, "arguments": {"row": 9, "column": 3}}, [])
    assert sent[1]["error"].startswith("IndexError: the Jacobian of shape 4×5 has no entry (9, 3)")


def test_blocks_are_answered(blocks):
    assert blocks.requests()["block"](1, 1) == blocks.data["blocks"]["1:1"]


def test_large_matrices_send_no_paths_but_the_chosen_ones():
    explorer = show_jacobian(lambda x: x * x.sum())(X).explore()
    assert explorer.paths == {}
    explorer.selected = [1, 2]
    explorer.show(show_jacobian(lambda x: x * x.sum())(X + 1.0))
    assert set(explorer.paths) == {"1,2"} and explorer.paths["1,2"]["value"] == 3.0


def test_another_view_is_shown_in_place(explorer):
    explorer.step, explorer.selected = 4, [3, 4]
    explorer.show(show_jacobian(band)(X[:4] * 2.0))
    assert explorer.data["shape"] == [3, 4] and explorer.selected == [] and explorer.step == 4
    explorer.show(show_jacobian(band)(X[:3]))
    assert explorer.step == 3


def test_the_bundle_is_the_static_form_and_the_widget(explorer):
    bundles = [show_jacobian(band)(X).explore()._repr_mimebundle_() for _ in range(2)]
    static = [{k: v for k, v in data.items() if "widget" not in k} for data, _ in bundles]
    assert static[0] == static[1] == show_jacobian(band)(X)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundles[0][0]
    assert repr(explorer) == repr(explorer.view)


def test_a_saved_page_brings_the_paths_of_a_small_matrix():
    explorer = show_jacobian(lambda x: x * x.sum())(X).explore()
    page = explorer.to_html()
    assert len(explorer.paths) == 25 and '"4,4"' in page and len(page) < 400_000


def test_names_that_are_markup_stay_text(nasty):
    def function(tree):
        return {nasty: tree[nasty] ** 2}

    page = show_jacobian(function)({nasty: X[:2]}).explore().to_html()
    assert "<script>alert" not in page


def test_the_script_is_small_enough():
    assert len(script("jacobian").encode()) < MOST_BYTES


def test_a_view_of_a_record_only_cannot_be_explored():
    view = JacobianView(show_jacobian(band)(X).record)
    with pytest.raises(ValueError, match=r"Repair: make the view with show_jacobian\(f\)"):
        view.explore()


def test_a_scalar_function_of_nothing_much():
    for function, point in ((lambda x: x**2, 3.0), (lambda x: x[:0], X)):
        explorer = show_jacobian(function)(np.float32(point)).explore()
        assert explorer.steps == max(explorer.data["shape"])
        json.dumps(explorer.data, allow_nan=False)


def test_numbers_of_reverse_mode_travel_where_they_differ(explorer):
    assert "reverse" not in explorer.data["blocks"][""]

    def unsafe(x):
        return jnp.where(x > 0, jnp.sqrt(x), 0.0)

    explorer = show_jacobian(unsafe)(np.array([0.0, 4.0], np.float32)).explore()
    whole = explorer.data["blocks"][""]
    assert whole["v"] == [0.0, 0.25] and whole["reverse"] == ["nan", 0.25]


def test_a_merged_cell_has_its_largest_entry_or_nan():
    n = 400
    point = np.linspace(-1.0, 1.0, n).astype(np.float32)
    point[7] = np.nan
    jacobian = show_jacobian(lambda x: x**2 + 0.0 * jnp.roll(x, 1))(point).jacobian
    data = block_data(jacobian)
    down, across = data["bundle"]
    cells = {}
    triples = (jacobian.rows, jacobian.columns, jacobian.values)
    for i, j, value in zip(*map(np.ndarray.tolist, triples), strict=True):
        cells.setdefault((i // down, j // across), []).append(value)
    assert data["count"] == [len(cells[key]) for key in sorted(cells)]
    for value, key in zip(data["v"], sorted(cells), strict=True):
        if value == "nan":
            assert np.isnan(cells[key]).any()
        else:
            assert abs(value) == pytest.approx(max(map(abs, cells[key])), rel=1e-6)
