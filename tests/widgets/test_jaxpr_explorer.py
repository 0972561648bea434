"""show_jaxpr(f)(*args).explore(): its traits, requests, errors and JSON."""

import json

import numpy as np
import pytest
import traitlets

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib_widgets import JaxprView, show_jaxpr


def unrolled(weights, rows):
    state = jnp.zeros(3)
    for row in rows:
        state = jnp.tanh(weights @ state + row)
    return state.sum()


def loop(weights, rows):
    def body(carry, row):
        carry = jnp.tanh(carry @ weights + row)
        return carry, carry.sum()

    return lax.scan(body, jnp.zeros(3), rows)[1].sum()


def steps(count):
    return np.ones((3, 3), np.float32) / 4, np.ones((count, 3), np.float32)


@pytest.fixture
def small():
    return show_jaxpr(loop)(*steps(5)).explore()


@pytest.fixture
def long():
    return show_jaxpr(adlib.grad(unrolled))(*steps(100)).explore()


def paths(drawing):
    def visit(level):
        for tile in level["tiles"]:
            yield tile["p"]
            for piece in tile["c"]:
                if piece[0] == "g":
                    yield from visit(piece[3])

    return list(visit(drawing["root"]))


def test_all_state_is_strict_json_and_the_same_again(small, long):
    for explorer in (small, long):
        explorer.color = "magnitude"
        for name in ("data", "drawing", "measures", "unfolded"):
            json.dumps(getattr(explorer, name), allow_nan=False)
    again = show_jaxpr(loop)(*steps(5)).explore()
    assert again.data == small.data and again.drawing == small.drawing


def test_not_a_number_travels_as_text():
    explorer = show_jaxpr(lambda x: jnp.log(x) * 2.0)(np.float32(-1.0)).explore()
    explorer.color = "magnitude"
    assert json.loads(json.dumps(explorer.measures, allow_nan=False))["nans"] == [None, 1, 1, None]


def test_a_notebook_gets_the_static_form_beside_the_widget(small):
    data, _ = small._repr_mimebundle_()
    assert data["text/plain"] == repr(small.view) and "<table" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_nodes_know_who_makes_what_they_read(small):
    nodes = {node["path"]: node for node in small.data["nodes"]}
    names = [node["path"] for node in small.data["nodes"]]
    tanh = nodes["scan_0/body/tanh_0"]
    assert [names[i] for i in tanh["from"]] == ["scan_0/body/add_0"]
    weights = nodes["scan_0/body/in_0"]  # an input of the body is the caller's value
    assert [names[i] for i in weights["from"]] == ["in_0"]
    assert nodes["reduce_sum_0"]["from"] == [names.index("scan_0")]


def test_lines_lead_to_their_nodes(small):
    nodes = small.data["nodes"]
    for _, text, node, kind in small.data["lines"]:
        assert (node >= 0) == (kind == "equation")
        if node >= 0:
            assert f" = {nodes[node]['label']}" in text
    (block,) = small.data["sources"]
    assert block["lines"][0] == "def loop(weights, rows):"


def test_folding_from_python_draws_anew(small):
    assert small.unfolded == ["scan_0"] and "scan_0/body/tanh_0" in paths(small.drawing)
    small.fold()
    assert small.drawing["open"] == [] and "scan_0/body/tanh_0" not in paths(small.drawing)
    small.unfold()
    assert small.unfolded == ["scan_0"]


def test_unfolding_a_step_opens_what_it_stands_in(long):
    step = next(path for path in long.foldable if path.startswith("step_"))
    long.unfold([step])
    assert len(long.unfolded) == 3 and step in long.unfolded
    assert "tanh_0" in paths(long.drawing)


def test_the_script_asks_for_a_drawing_a_run_and_dot(long):
    requests = long.requests()
    repetition = long.foldable[0]
    assert requests["open"](paths=[repetition], labels=True) == 1
    assert long.unfolded == [repetition] and long.drawing["labels"]
    assert not long.measures
    assert requests["measure"]() is True
    seconds = long.measures["seconds"]
    assert len(seconds) == len(long.data["nodes"]) and any(s and s > 0 for s in seconds)
    assert requests["dot"]().startswith("digraph jaxpr {")


def test_choosing_seconds_runs_the_program_once(small, monkeypatch):
    small.color = "seconds"
    measures = small.measures
    small.color = "magnitude"
    assert small.measures is measures


def test_mistakes_are_explained(small):
    with pytest.raises(traitlets.TraitError, match="given 'scan_1'. Did you mean 'scan_0'?"):
        small.unfolded = ["scan_1"]
    with pytest.raises(traitlets.TraitError, match="path of a node.*Did you mean 'scan_0'?"):
        small.selected = "scan_O"
    with pytest.raises(traitlets.TraitError):
        small.color = "colour"
    bare = JaxprView(adlib.make_jaxpr(loop)(*steps(5))).explore()
    with pytest.raises(traitlets.TraitError, match="made from a jaxpr alone. Repair: show_jaxpr"):
        bare.color = "seconds"
    with pytest.raises(ValueError, match="seconds and magnitude come from running the program"):
        bare.requests()["measure"]()


def test_a_view_made_from_types_has_nothing_to_run():
    shape = adlib.ShapeDtypeStruct((3,), np.float32)
    view = show_jaxpr(jnp.sin)(shape)
    assert view.values is None and not view.explore().data["measurable"]


def test_another_view_keeps_what_still_applies(small):
    small.selected = "scan_0"
    small.color = "seconds"
    small.show(show_jaxpr(loop)(*steps(7)))
    assert small.selected == "scan_0" and small.unfolded == ["scan_0"]
    assert len(small.measures["seconds"]) == len(small.data["nodes"])
    small.show(show_jaxpr(jnp.sin)(1.0))
    assert small.selected == "" and small.unfolded == []


def test_a_saved_page_can_fold_without_a_kernel(small, long):
    assert {tuple(one["open"]) for one in small.data["drawings"]} == {(), ("scan_0",)}
    assert {tuple(one["open"]) for one in long.data["drawings"]} == {
        (), *((path,) for path in long.foldable if path.startswith("repetition")),
    }  # fmt: skip
    assert small.data["dot"] == small.view.to_dot() and not long.data["dot"]


def test_a_page_of_its_own_is_one_file_without_the_network(small, tmp_path):
    text = small.save(tmp_path / "a.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and "http://www.w3.org/2000/svg" in text
    assert "src=" not in text.split("<script")[0] and "https://" not in text


def test_names_from_user_code_stay_text(nasty_graph, nasty):
    view = show_jaxpr(loop)(*steps(5))
    view.record = nasty_graph
    page = view.explore().to_html()
    assert "<script>alert" not in page


def test_a_huge_program_has_a_small_static_form():
    view = show_jaxpr(adlib.grad(unrolled))(*steps(300))
    assert len(view.record.nodes) > 2000
    assert len(view.svg) < 60_000 and len(view.html) < 400_000
    assert "the first 200 of them" in view.html and "step ×300" in view.svg
