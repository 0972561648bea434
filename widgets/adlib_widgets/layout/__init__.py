"""Layered drawing of directed acyclic graphs, always the same for the same graph.

The method is Sugiyama's (Sugiyama, Tagawa & Toda 1981): give every box a layer, order the
boxes of each layer so that few links cross, give every box its place, and run each link
through the gaps between layers as a smooth curve. One module per step, in that order:
``layers``, ``crossings``, ``coordinates``, ``routes``.
"""

from __future__ import annotations

from collections.abc import Sequence

from adlib_widgets.layout.coordinates import place
from adlib_widgets.layout.crossings import order
from adlib_widgets.layout.layers import assign_layers, split_links
from adlib_widgets.layout.model import Box, Layout, Link, Point
from adlib_widgets.layout.routes import route

__all__ = ["Box", "Layout", "Link", "Point", "layered_layout"]


def layered_layout(
    boxes: Sequence[Box],
    links: Sequence[Link],
    *,
    horizontal_gap: float = 24.0,
    vertical_gap: float = 30.0,
) -> Layout:
    """Place boxes in layers, every link running downward.

    Args:
      boxes: what to place; their order decides between drawings that are equally good.
      links: from an output port of one box to an input port of another, by box id.
      horizontal_gap: least distance between two boxes of a layer.
      vertical_gap: least distance between two layers.

    Returns:
      The top left corner of every box, the route of every link, and the whole size, all in
      the units of the boxes' sizes.

    Raises:
      ValueError: if two boxes share an id, a link names no box, or the links form a cycle.

    >>> a, b = Box("a", 40, 20, out_ports=(20,)), Box("b", 40, 20, in_ports=(20,))
    >>> drawn = layered_layout([a, b], [Link("a", 0, "b", 0)])
    >>> drawn.corners["a"], drawn.corners["b"]
    ((0.0, 0.0), (0.0, 50.0))
    """
    index = {box.id: i for i, box in enumerate(boxes)}
    if len(index) != len(boxes):
        raise ValueError("two boxes share an id; every box wants an id of its own")
    for link in links:
        for end in (link.source, link.target):
            if end not in index:
                raise ValueError(f"a link names the box {end!r}, which is not among the boxes")
    layer_of = assign_layers(boxes, [(index[k.source], index[k.target]) for k in links])
    layered = split_links(boxes, links, index, layer_of)
    order(layered)
    place(layered, horizontal_gap)
    return route(layered, boxes, links, vertical_gap)
