"""Last step: heights of the layers, and each link's way through the gaps between them.

Inside a layer a link only runs straight down, at a place that its dummy keeps free; it turns
in the gaps, where there are no boxes. So no link ever runs through a box.
"""

from __future__ import annotations

from collections.abc import Sequence

from adlib_widgets.layout.model import Box, Layered, Layout, Link, Point

_MOST_EXTRA_GAP = 60.0
_GAP_PER_SPAN = 0.07


def route(
    layered: Layered, boxes: Sequence[Box], links: Sequence[Link], vertical_gap: float
) -> Layout:
    """The finished layout of placed items; the leftmost item touches x = 0."""
    items = layered.items
    left = min((item.x for item in items), default=0.0)
    right = max((item.x + item.width for item in items), default=0.0)
    for item in items:
        item.x -= left
    tops, bottoms = _bands(layered, vertical_gap)
    corners: dict[str, Point] = {}
    for box, item in zip(boxes, items, strict=False):
        middle = (tops[item.layer] + bottoms[item.layer]) / 2
        corners[box.id] = (round(item.x, 2), round(middle - item.height / 2, 2))
    routes = []
    for link, chain in zip(links, layered.chains, strict=True):
        points: list[Point] = []
        for number in chain:
            segment = layered.segments[number]
            source, target = items[segment.source], items[segment.target]
            points.append((source.x + segment.source_offset, bottoms[source.layer]))
            points.append((target.x + segment.target_offset, tops[target.layer]))
        source_box = boxes[layered.segments[chain[0]].source]
        start = corners[link.source][1] + source_box.height
        end = corners[link.target][1]
        # rounding must not put a box's bottom below its layer's, or its top above
        points.insert(0, (points[0][0], min(start, points[0][1])))
        points.append((points[-1][0], max(end, points[-1][1])))
        routes.append(_simplified(points))
    return Layout(corners, tuple(routes), right - left, bottoms[-1] if bottoms else 0.0)


def _bands(layered: Layered, vertical_gap: float) -> tuple[list[float], list[float]]:
    """Top and bottom of every layer; a gap is wider where a link runs far sideways in it."""
    items = layered.items
    tops, bottoms, y = [], [], 0.0
    for layer in layered.layers:
        height = max(items[item].height for item in layer)
        spans = [
            abs(items[s.source].x + s.source_offset - items[s.target].x - s.target_offset)
            for item in layer
            for s in layered.below[item]
        ]
        tops.append(y)
        bottoms.append(y + height)
        extra = min(_GAP_PER_SPAN * max(spans, default=0.0), _MOST_EXTRA_GAP)
        y += height + vertical_gap + extra
    return tops, bottoms


def _simplified(points: Sequence[Point]) -> tuple[Point, ...]:
    """Rounded, without repeated points, and without points in the middle of a straight run."""
    kept: list[Point] = []
    last = None  # the x of the point before, as it came
    for x, y in points:
        if x == last and len(kept) >= 2 and kept[-2][0] == kept[-1][0]:  # on in a straight run
            kept[-1] = (kept[-1][0], round(y, 2))
            continue
        last = x
        point = (round(x, 2), round(y, 2))
        if kept and point == kept[-1]:
            continue
        if len(kept) >= 2 and kept[-2][0] == kept[-1][0] == point[0]:
            kept.pop()
        kept.append(point)
    return tuple(kept)
