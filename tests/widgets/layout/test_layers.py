"""Layers of boxes, and long links cut into pieces."""

import random

import pytest

from adlib_widgets.layout import Box, Link
from adlib_widgets.layout.layers import assign_layers, split_links


def boxes(count: int, **pins: str) -> list[Box]:
    return [Box(str(i), 10, 10, (5,) * 9, (5,) * 9, pins.get(f"b{i}", "")) for i in range(count)]


def random_arcs(seed: int, count: int = 30) -> list[tuple[int, int]]:
    draw = random.Random(seed)
    return sorted({tuple(sorted(draw.sample(range(count), 2))) for _ in range(2 * count)})


def longest_path(count: int, arcs: list[tuple[int, int]]) -> list[int]:
    layer = [0] * count
    for source, target in arcs:  # sorted by source: every source is final when it is read
        layer[target] = max(layer[target], layer[source] + 1)
    return layer


@pytest.mark.parametrize("seed", range(10))
def test_boxes_are_below_what_feeds_them_and_links_no_longer_than_by_longest_path(seed):
    arcs = random_arcs(seed)
    layer = assign_layers(boxes(30), arcs)
    assert all(layer[a] < layer[b] for a, b in arcs)
    assert sorted(set(layer)) == list(range(max(layer) + 1))
    simple = longest_path(30, arcs)
    assert sum(layer[b] - layer[a] for a, b in arcs) <= sum(simple[b] - simple[a] for a, b in arcs)


def test_a_chain_that_serves_one_reader_sinks_as_a_whole():
    # 0 → 1 → 2 → 3 → 4, and 5 → 6 → 4
    layer = assign_layers(boxes(7), [(0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (6, 4)])
    assert layer == [0, 1, 2, 3, 4, 2, 3]


def test_the_first_layer_is_left_to_the_boxes_pinned_there():
    layer = assign_layers(boxes(3, b0="first"), [(0, 2)])
    assert layer == [0, 1, 1]


def test_the_last_layer_holds_the_boxes_pinned_there():
    layer = assign_layers(boxes(4, b3="last"), [(0, 1), (1, 2), (0, 3)])
    assert layer == [0, 1, 2, 2]


def test_a_long_link_gets_a_dummy_in_every_layer_it_passes():
    links = [Link("0", 0, "1", 0), Link("1", 0, "2", 0), Link("2", 0, "3", 0), Link("0", 0, "3", 1)]
    layered = split_links(boxes(4), links, {str(i): i for i in range(4)}, [0, 1, 2, 3])
    dummies = [item for item in layered.items if item.dummy]
    assert [item.layer for item in dummies] == [1, 2]
    assert [len(chain) for chain in layered.chains] == [1, 1, 1, 3]


def test_links_of_one_port_share_their_dummies_and_those_of_two_ports_do_not():
    index, layers = {str(i): i for i in range(4)}, [0, 1, 2, 3]
    same = [Link("0", 0, "2", 0), Link("0", 0, "3", 0)]
    apart = [Link("0", 0, "2", 0), Link("0", 1, "3", 0)]
    count = [sum(item.dummy for item in split_links(boxes(4), links, index, layers).items)
             for links in (same, apart)]  # fmt: skip
    assert count == [2, 3]
