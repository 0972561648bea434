"""Ways of links through the gaps between layers."""

from adlib_widgets.layout import Box, Link, layered_layout


def test_a_link_turns_in_the_gap_and_runs_straight_beside_a_tall_neighbour():
    boxes = [
        Box("x", 40, 20, (), (10, 30)),
        Box("tall", 40, 200, (20,), (20,)),
        Box("small", 40, 20, (20,), (20,)),
        Box("end", 200, 20, (20, 180), ()),
    ]
    links = [
        Link("x", 0, "tall", 0),
        Link("x", 1, "small", 0),
        Link("tall", 0, "end", 0),
        Link("small", 0, "end", 1),
    ]
    layout = layered_layout(boxes, links, vertical_gap=30)
    top = layout.corners["tall"][1]
    into_small = layout.routes[1]
    corner = layout.corners["small"]
    # it has turned where the tall box begins, and runs down to the small one, set in the middle
    assert into_small[1] == (corner[0] + 20, top)
    assert into_small[2] == (corner[0] + 20, corner[1]) and corner[1] == top + 90


def test_gaps_are_wider_where_links_run_far_sideways():
    def gap(count: int) -> float:
        boxes = [Box("x", 40, 20, (), (20,))]
        boxes += [Box(f"n{i}", 100, 20, (50,), ()) for i in range(count)]
        layout = layered_layout(boxes, [Link("x", 0, f"n{i}", 0) for i in range(count)])
        return layout.corners["n0"][1] - 20

    assert gap(1) == 30 < gap(4) < gap(8) <= 90


def test_a_straight_link_has_two_points():
    boxes = [Box(f"n{i}", 40, 20, (20,), (20,)) for i in range(2)]
    layout = layered_layout(boxes, [Link("n0", 0, "n1", 0)])
    assert layout.routes == (((20.0, 20.0), (20.0, 50.0)),)
