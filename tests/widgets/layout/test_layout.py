"""Properties that every layout has, on random graphs and on graphs of known shape."""

import random
import time

import pytest

from adlib_widgets.layout import Box, Layout, Link, layered_layout

GAP = 24.0
GRID = 0.02  # places are rounded to hundredths


def random_graph(seed: int, count: int = 40, most_operands: int = 3) -> tuple[list, list]:
    """A graph like a jaxpr's: every box reads a few earlier ones, more often recent ones."""
    draw = random.Random(seed)
    boxes, links = [], []
    for i in range(count):
        operands = min(draw.randint(0 if i < 3 else 1, most_operands), i)
        width, height = draw.choice([40.0, 75.0, 130.0]), draw.choice([24.0, 42.0, 200.0])
        ports = tuple(width * (k + 1) / (operands + 1) for k in range(operands))
        boxes.append(Box(f"n{i}", width, height, ports, (width / 3, 2 * width / 3)))
        for k in range(operands):
            source = i - 1 - min(int(draw.expovariate(0.4)), i - 1)
            links.append(Link(f"n{source}", draw.randint(0, 1), f"n{i}", k))
    return boxes, links


def samples(layout: Layout, number: int) -> list[tuple[float, float]]:
    """Points along a link as it is drawn: straight, or an S-curve with vertical ends."""
    points = []
    route = layout.routes[number]
    for (x0, y0), (x1, y1) in zip(route, route[1:], strict=False):
        for step in range(1, 12):
            t = step / 12
            across = x0 + (x1 - x0) * (3 * t**2 - 2 * t**3)
            middle = (y0 + y1) / 2
            down = (
                (1 - t) ** 3 * y0 + 3 * (1 - t) ** 2 * t * middle
                + 3 * (1 - t) * t**2 * middle + t**3 * y1
            )  # fmt: skip
            points.append((across, down))
    return points


@pytest.fixture(params=range(12))
def drawn(request):
    boxes, links = random_graph(request.param)
    return boxes, links, layered_layout(boxes, links, horizontal_gap=GAP)


def test_boxes_keep_their_distance(drawn):
    boxes, _, layout = drawn
    for i, first in enumerate(boxes):
        x, y = layout.corners[first.id]
        for second in boxes[i + 1 :]:
            u, v = layout.corners[second.id]
            apart = u >= x + first.width + GAP - GRID or x >= u + second.width + GAP - GRID
            assert apart or v >= y + first.height or y >= v + second.height


def test_links_run_downward_from_port_to_port(drawn):
    boxes, links, layout = drawn
    by_id = {box.id: box for box in boxes}
    for link, route in zip(links, layout.routes, strict=True):
        source, target = by_id[link.source], by_id[link.target]
        x, y = layout.corners[link.source]
        u, v = layout.corners[link.target]
        start = (x + source.out_ports[link.source_port], y + source.height)
        assert route[0] == pytest.approx(start, abs=GRID)
        assert route[-1] == pytest.approx((u + target.in_ports[link.target_port], v), abs=GRID)
        heights = [point[1] for point in route]
        assert heights == sorted(heights) and heights[0] < heights[-1]


def test_no_link_runs_through_a_box(drawn):
    boxes, links, layout = drawn
    for number, link in enumerate(links):
        for x, y in samples(layout, number):
            for box in boxes:
                if box.id in (link.source, link.target):
                    continue
                u, v = layout.corners[box.id]
                assert not (u < x < u + box.width and v < y < v + box.height)


def test_everything_lies_within_the_stated_size(drawn):
    boxes, links, layout = drawn
    for box in boxes:
        x, y = layout.corners[box.id]
        assert 0 <= x and x + box.width <= layout.width + GRID
        assert 0 <= y and y + box.height <= layout.height + GRID
    for number in range(len(links)):
        for x, y in samples(layout, number):
            assert -GRID <= x <= layout.width + GRID and 0 <= y <= layout.height + GRID


def test_the_same_graph_gives_the_same_drawing(drawn):
    boxes, links, layout = drawn
    assert layered_layout(boxes, links, horizontal_gap=GAP) == layout


def test_a_chain_is_one_straight_line():
    boxes = [Box(f"n{i}", 20.0 + 10 * i, 20, (10.0 + 5 * i,), (10.0 + 5 * i,)) for i in range(6)]
    links = [Link(f"n{i}", 0, f"n{i + 1}", 0) for i in range(5)]
    layout = layered_layout(boxes, links)
    assert {point[0] for route in layout.routes for point in route} == {35.0}


def test_a_tree_is_drawn_without_crossings_and_centred():
    boxes = [Box(f"n{i}", 40, 20, (20,), (20,)) for i in range(7)]
    links = [Link(f"n{(i - 1) // 2}", 0, f"n{i}", 0) for i in range(1, 7)]
    layout = layered_layout(boxes, links)
    x = [layout.corners[f"n{i}"][0] for i in range(7)]
    leaves = sorted(x[3:])
    assert [b - a for a, b in zip(leaves, leaves[1:], strict=False)] == [64.0] * 3
    assert min(x[3], x[4]) <= x[1] <= max(x[3], x[4])
    assert min(x[1], x[2]) <= x[0] <= max(x[1], x[2])


def test_operands_decide_which_box_stands_left():
    boxes = [
        Box("b", 40, 20, (), (20,)),
        Box("a", 40, 20, (), (20,)),
        Box("div", 60, 20, (20, 40), (30,)),
    ]
    layout = layered_layout(boxes, [Link("a", 0, "div", 0), Link("b", 0, "div", 1)])
    assert layout.corners["a"][0] < layout.corners["b"][0]


def test_links_of_one_port_share_their_way_before_they_part():
    boxes = [Box("x", 40, 20, (), (20,))]
    boxes += [Box(f"n{i}", 40, 20, (10, 30), (20,)) for i in range(6)]
    links = [Link(f"n{i}", 0, f"n{i + 1}", 0) for i in range(5)]
    links += [Link("x", 0, "n4", 1), Link("x", 0, "n5", 1), Link("x", 0, "n0", 0)]
    layout = layered_layout(boxes, links)
    first, second = layout.routes[5], layout.routes[6]
    assert second[: len(first) - 2] == first[:-2]


def test_a_box_that_serves_one_reader_stands_just_above_it():
    boxes = [Box("x", 40, 20, (), (20,)), Box("one", 40, 20, (), (20,))]
    boxes += [Box(f"n{i}", 40, 20, (10, 30), (20,)) for i in range(5)]
    links = [Link("x", 0, "n0", 0), *(Link(f"n{i}", 0, f"n{i + 1}", 0) for i in range(4))]
    layout = layered_layout(boxes, [*links, Link("one", 0, "n4", 1)])
    assert layout.corners["one"][1] == layout.corners["n3"][1]


def test_pinned_boxes_stand_in_the_first_and_last_layer():
    boxes = [
        Box("a", 40, 20, (), (20,), "first"),
        Box("b", 40, 20, (20,), (20,)),
        Box("c", 40, 20, (20,), (20,)),
        Box("early", 40, 20, (20,), (), "last"),
        Box("free", 40, 20, (), (20,)),
        Box("late", 40, 20, (10, 30), (), "last"),
    ]
    links = [
        Link("a", 0, "b", 0),
        Link("b", 0, "c", 0),
        Link("a", 0, "early", 0),
        Link("c", 0, "late", 0),
        Link("free", 0, "late", 1),
    ]
    y = {name: corner[1] for name, corner in layered_layout(boxes, links).corners.items()}
    assert y["a"] == 0 and y["free"] > 0
    assert y["early"] == y["late"] == max(y.values())


def test_an_empty_graph_has_no_size():
    assert layered_layout([], []) == Layout({}, (), 0.0, 0.0)


def test_boxes_without_links_stand_side_by_side():
    layout = layered_layout([Box("a", 40, 20), Box("b", 40, 20)], [])
    assert layout.corners == {"a": (0.0, 0.0), "b": (64.0, 0.0)}


@pytest.mark.parametrize(
    ("ids", "links", "message"),
    [
        (["a", "a"], [], "two boxes share an id; every box wants an id of its own"),
        (["a"], [("a", "b")], "a link names the box 'b', which is not among the boxes"),
        (["a", "b"], [("a", "b"), ("b", "a")], "the links form a cycle; a layered drawing needs"),
    ],
)
def test_mistakes_are_explained(ids, links, message):
    boxes = [Box(name, 40, 20, (20,), (20,)) for name in ids]
    with pytest.raises(ValueError, match=message):
        layered_layout(boxes, [Link(a, 0, b, 0) for a, b in links])


def test_three_hundred_boxes_take_less_than_a_lecture_pause(record_property):
    boxes, links = random_graph(7, count=300)
    start = time.perf_counter()
    layered_layout(boxes, links)
    seconds = time.perf_counter() - start
    record_property("seconds", seconds)
    print(f"300 boxes, {len(links)} links: {seconds:.3f} s")


def reverse_chain(half: int) -> tuple[list, list]:
    """A forward sweep, and a reverse one that reads every value again, the last one first: the
    links are as long as they can be."""
    boxes = [Box(f"f{i}", 80, 40, (40,), (30, 50)) for i in range(half)]
    boxes += [Box(f"r{i}", 80, 40, (30, 50), (40,)) for i in range(half)]
    links = [Link(f"f{i}", 0, f"f{i + 1}", 0) for i in range(half - 1)]
    links += [Link(f"r{i}", 0, f"r{i + 1}", 0) for i in range(half - 1)]
    links += [Link(f"f{half - 1 - i}", 1, f"r{i}", i % 2) for i in range(half)]
    return boxes, links


def test_hundreds_of_links_over_hundreds_of_layers_cross_no_box():
    boxes, links = reverse_chain(150)  # beyond 10,000 items some steps are shortened
    layout = layered_layout(boxes, links, horizontal_gap=GAP)
    by_height = sorted((layout.corners[box.id][1], box) for box in boxes)
    assert [height for height, _ in by_height] == sorted({height for height, _ in by_height})
    for number in range(len(links)):
        for x, y in samples(layout, number)[::6]:
            for top, box in by_height:
                left = layout.corners[box.id][0]
                inside = left + 1 < x < left + box.width - 1 and top + 1 < y < top + box.height - 1
                assert not inside
