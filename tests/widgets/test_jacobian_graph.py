"""The drawing of an entry's paths: everything has its place, nothing overlaps."""

import json

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect import AssembledJacobian
from adlib_widgets.jacobian_graph import arc_label, claim, entry_picture, sum_text

X = np.array([1.0, 2.0, 3.0], np.float32)


def small(x):
    s = jnp.sin(x[0])
    return jnp.stack([s * x[1] + x[0] ** 2, jnp.exp(s) * x[2], x[1] * x[2]])


def deep(x):
    w = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    return w @ jnp.tanh(w @ jnp.sin(x))


def wide(x):
    w = np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32)
    return w @ jnp.tanh(w @ x)


CASES = [(small, X), (deep, np.ones(4, np.float32)), (wide, np.ones(30, np.float32))]


def boxes(layout):
    for v in layout["vertices"]:
        yield v["x"], v["y"], v["x"] + v["width"], v["y"] + v["height"]
    for a in layout["arcs"]:
        half = a["width"] / 2
        yield a["x"] - half, a["y"] - 7.5, a["x"] + half, a["y"] + 7.5


@pytest.mark.parametrize(("function", "point"), CASES)
def test_nothing_overlaps_and_all_is_inside(function, point):
    layout = entry_picture(AssembledJacobian(function, (point,)).paths(0, 0))["layout"]
    drawn = list(boxes(layout))
    for k, (a, b, c, d) in enumerate(drawn):
        assert a >= 0 and b >= 0 and c <= layout["width"] and d <= layout["height"]
        for e, f, g, h in drawn[k + 1 :]:
            assert c <= e or g <= a or d <= f or h <= b


@pytest.mark.parametrize(("function", "point"), CASES)
def test_arcs_lead_from_vertex_to_label_to_vertex(function, point):
    picture = entry_picture(AssembledJacobian(function, (point,)).paths(0, 0))
    vertices = picture["layout"]["vertices"]
    for arc, record in zip(picture["layout"]["arcs"], picture["arcs"], strict=True):
        first, second = arc["routes"]
        source, target = vertices[record["source"]], vertices[record["target"]]
        assert first[0][1] == pytest.approx(source["y"] + source["height"], abs=0.02)
        assert first[0][0] == pytest.approx(source["x"] + source["width"] / 2, abs=0.02)
        assert second[-1][1] == pytest.approx(target["y"], abs=0.02)
        assert first[-1][0] == pytest.approx(arc["x"], abs=0.02)


def test_what_stands_in_it():
    picture = entry_picture(AssembledJacobian(small, (X,)).paths(0, 0))
    lines = [vertex["lines"] for vertex in picture["layout"]["vertices"]]
    assert lines[0] == ["x[0]", "1"] and ["d = sin x[0]", "0.8415"] in lines
    assert "cos(x[0]) = 0.5403" in [arc["label"] for arc in picture["layout"]["arcs"]]
    bundled = entry_picture(AssembledJacobian(*[CASES[2][0]], (CASES[2][1],)).paths(0, 0))
    assert bundled["bundled"] and "30 derivatives" in [
        arc["label"] for arc in bundled["layout"]["arcs"]
    ]


def test_it_is_the_same_each_time_and_strict_json():
    first, second = (entry_picture(AssembledJacobian(small, (X,)).paths(0, 0)) for _ in range(2))
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)


def test_no_paths_no_drawing():
    assert entry_picture(AssembledJacobian(small, (X,)).paths(2, 0))["layout"] is None


def test_labels_of_single_derivatives_are_numbers():
    (arc, *_) = AssembledJacobian(lambda x: -2.0 * x, (X,)).paths(0, 0).arcs
    assert arc_label(arc) == "−2"


def test_entries_are_told_in_words():
    found = AssembledJacobian(small, (X,))
    entry = found.paths(0, 0)
    assert claim(entry) == " is the sum over 2 paths: 2 + 1.081."
    texts = entry_picture(entry)["texts"]
    assert texts["sum"] == "2·1 + 0.5403·2·1"
    assert texts["note"] == "2 paths; copies (slices, reshapes) are passed over"
    assert [path["text"] for path in entry_picture(entry)["paths"]] == [
        "2 · 1 = 2",
        "0.5403 · 2 · 1 = 1.081",
    ]
    assert claim(found.paths(2, 1)) == " is the product along one path: 3."
    assert claim(found.paths(2, 0)) == (
        ": no path leads from x[0] to out[2], so it is zero whatever the numbers are."
    )
    copied = AssembledJacobian(lambda x: x[::-1], (X,)).paths(0, 2)
    assert claim(copied) == ": out[0] is a copy of x[2]."


def test_a_path_that_is_cut_here_is_not_one_that_never_is():
    found = AssembledJacobian(lambda x: adlib.nn.relu(x), (-X,))
    assert claim(found.paths(1, 1)) == (
        ": every path from x[1] to out[1] meets a derivative that is zero here."
    )
    assert ": no path leads" in claim(found.paths(1, 0))


def test_many_terms_are_told_by_the_largest():
    entry = AssembledJacobian(wide, (np.linspace(-1, 1, 30).astype(np.float32),)).paths(0, 0)
    assert sum_text(entry).count(" + ") + sum_text(entry).count(" − ") == 4
    assert sum_text(entry).endswith(" + … (30 terms)")
    note = entry_picture(entry)["texts"]["note"]
    assert note.startswith("30 paths; 62 numbers with 90 local derivatives, drawn as whole values;")


def test_what_cannot_be_followed_is_told():
    entry = AssembledJacobian(lambda x: jnp.abs(jnp.fft.fft(x)), (X,)).paths(0, 0)
    assert claim(entry).startswith(". The paths cannot be followed number by number: ")
    assert entry_picture(entry)["texts"]["note"] == ""


def test_plain_factors_of_long_products_are_left_out():
    def long(x):
        for _ in range(8):
            x = x + 1.0
        return 3.0 * x

    entry = AssembledJacobian(long, (2.0,)).paths(0, 0)
    assert entry_picture(entry)["paths"][0]["text"] == "3 = 3"


def test_zero_times_infinity_is_remarked_on():
    def unsafe(x):
        return jnp.where(x > 0, jnp.sqrt(x), 0.0)

    point = np.array([0.0, -1.0, 4.0], np.float32)
    found = AssembledJacobian(unsafe, (point,))
    remarks = [entry_picture(found.paths(k, k))["texts"]["remark"] for k in range(3)]
    assert remarks[0].startswith("Zero times infinity is no number.") and remarks[1:] == ["", ""]
