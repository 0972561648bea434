"""Places across a layer: distances kept, long links straight."""

import random

import pytest

from adlib_widgets.layout import Box, Link, coordinates
from adlib_widgets.layout.coordinates import (
    _packed,
    _straight_runs,
    _with_bends,
    least_gap,
    place,
)
from adlib_widgets.layout.crossings import order
from adlib_widgets.layout.layers import assign_layers, split_links

GAP = 20.0


def placed(seed: int):
    draw = random.Random(seed)
    boxes, links = [], []
    for i in range(25):
        width, operands = draw.choice([30.0, 90.0]), min(i, draw.randint(1, 3))
        ports = tuple(width * (k + 1) / (operands + 1) for k in range(operands))
        boxes.append(Box(str(i), width, 20, ports, (width / 2,)))
        links += [Link(str(draw.randrange(i)), 0, str(i), k) for k in range(operands)]
    index = {box.id: i for i, box in enumerate(boxes)}
    layers = assign_layers(boxes, [(index[k.source], index[k.target]) for k in links])
    layered = split_links(boxes, links, index, layers)
    order(layered)
    place(layered, GAP)
    return layered


@pytest.mark.parametrize("seed", range(15))
def test_neighbours_keep_their_distance_in_their_order(seed):
    layered = placed(seed)
    for layer in layered.layers:
        for left, right in zip(layer, layer[1:], strict=False):
            a, b = layered.items[left], layered.items[right]
            assert b.x >= a.x + a.width + least_gap(layered, left, right, GAP) - 1e-6


def test_most_inner_pieces_of_long_links_run_straight():
    bends = []
    for seed in range(15):
        layered = placed(seed)
        items = layered.items
        bends += [
            abs(items[s.source].x - items[s.target].x) > 1e-6
            for s in layered.segments
            if items[s.source].dummy and items[s.target].dummy
        ]
    assert len(bends) > 100 and sum(bends) <= 0.15 * len(bends)


def test_links_may_run_closer_to_each_other_than_boxes():
    boxes = [Box(str(i), 30, 20, (10, 20), (10, 20)) for i in range(3)]
    links = [Link("0", 0, "1", 0), Link("1", 0, "2", 0), Link("0", 1, "2", 1), Link("0", 0, "2", 1)]
    layered = split_links(boxes, links, {str(i): i for i in range(3)}, [0, 1, 2])
    box, *dummies = layered.layers[1]
    assert least_gap(layered, box, box, GAP) == GAP
    assert least_gap(layered, box, dummies[0], GAP) == 15.0
    assert least_gap(layered, dummies[0], dummies[1], GAP) == 10.0


def test_only_runs_with_a_bend_at_an_item_are_looked_for():
    layered = placed(4)
    bent = _with_bends(layered)
    assert _straight_runs(layered, set(), with_boxes=True) == []
    runs = _straight_runs(layered, bent, with_boxes=True)
    assert runs and all(bent.intersection(run) for run in runs)
    members = [number for run in runs for number in run]
    assert len(set(members)) == len(members)


def test_many_items_are_placed_by_half_the_drafts(monkeypatch):
    drafts = []
    monkeypatch.setattr(coordinates, "_packed", lambda *a: drafts.append(1) or packed(*a))
    packed = _packed
    placed(1)
    monkeypatch.setattr(coordinates, "_MANY", 10)
    test_neighbours_keep_their_distance_in_their_order(1)
    assert len(drafts) == 4 + 2
