"""Counting and removing crossings."""

import itertools
import random

from adlib_widgets.layout import Box, Link
from adlib_widgets.layout.crossings import count_crossings, order
from adlib_widgets.layout.layers import split_links


def layered_graph(top: int, bottom: int, pairs):
    boxes = [Box(f"t{i}", 40, 20, (), (20,)) for i in range(top)]
    degree = [[p for p in pairs if p[1] == j] for j in range(bottom)]
    boxes += [Box(f"b{j}", 40, 20, (20,) * len(degree[j]), ()) for j in range(bottom)]
    links = [Link(f"t{i}", 0, f"b{j}", degree[j].index((i, j))) for i, j in pairs]
    index = {box.id: i for i, box in enumerate(boxes)}
    layers = [0] * top + [1] * bottom
    return split_links(boxes, links, index, layers)


def test_the_count_is_that_of_the_definition():
    draw = random.Random(3)
    for _ in range(20):
        pairs = sorted({(draw.randrange(6), draw.randrange(6)) for _ in range(12)})
        expected = sum(
            (a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in itertools.combinations(pairs, 2)
        )
        assert count_crossings(layered_graph(6, 6, pairs)) == expected


def test_order_finds_a_drawing_without_crossings_where_there_is_one():
    draw = random.Random(5)
    for _ in range(20):
        names = list(range(8))
        draw.shuffle(names)
        layered = layered_graph(8, 8, [(i, names[i]) for i in range(8)])
        order(layered)
        assert count_crossings(layered) == 0


def test_every_item_keeps_its_layer_and_has_its_position():
    layered = layered_graph(5, 4, [(0, 3), (1, 2), (2, 1), (3, 0), (4, 2)])
    before = [sorted(layer) for layer in layered.layers]
    order(layered)
    assert [sorted(layer) for layer in layered.layers] == before
    for layer in layered.layers:
        assert [layered.items[item].position for item in layer] == list(range(len(layer)))
