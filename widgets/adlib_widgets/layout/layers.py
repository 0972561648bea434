"""First step: a layer for every box, and long links cut into pieces of one layer each."""

from __future__ import annotations

from collections.abc import Sequence

from adlib_widgets.layout.model import Box, Item, Layered, Link, Segment

_DUMMY_WIDTH = 6.0


def assign_layers(boxes: Sequence[Box], arcs: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of every box: below everything that feeds it, links short in total.

    Longest path from the sources first; then boxes, together with what only serves them,
    sink toward the boxes that read them wherever this makes the links shorter in total
    (the aim of Gansner et al. 1993, by local moves instead of their network simplex).
    """
    count = len(boxes)
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in arcs:
        before[target].append(source)
        after[source].append(target)
    sequence = _topological(count, before, after)

    layer = [0] * count
    for box in sequence:
        layer[box] = max((layer[other] + 1 for other in before[box]), default=0)
    if any(box.pin == "first" for box in boxes):
        _keep_first_layer(boxes, sequence, before, layer)
    for _ in range(8):
        moves = [_sink(box, boxes, before, after, layer) for box in reversed(sequence)]
        if not any(moves):
            break
    last = max(layer, default=0)
    for i, box in enumerate(boxes):
        if box.pin == "last":
            layer[i] = last
    return _without_empty_layers(layer)


def _topological(
    count: int, before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> list[int]:
    waiting = [len(before[box]) for box in range(count)]
    ready = [box for box in range(count) if not waiting[box]]
    for box in ready:  # grows while we walk it
        for other in after[box]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    if len(ready) < count:
        raise ValueError("the links form a cycle; a layered drawing needs a graph without one")
    return ready


def _keep_first_layer(
    boxes: Sequence[Box],
    sequence: Sequence[int],
    before: Sequence[Sequence[int]],
    layer: list[int],
) -> None:
    """Leave the first layer to the boxes pinned there."""
    for box in sequence:
        if boxes[box].pin != "first":
            layer[box] = max((layer[other] + 1 for other in before[box]), default=1)


def _sink(
    box: int,
    boxes: Sequence[Box],
    before: Sequence[Sequence[int]],
    after: Sequence[Sequence[int]],
    layer: list[int],
) -> bool:
    """Move ``box`` down, with the boxes that only serve it, if that shortens links in total."""
    if not after[box] or min(layer[other] for other in after[box]) - 1 <= layer[box]:
        return False
    group, order = {box}, [box]
    for member in order:  # grows while we walk it
        if boxes[member].pin == "first":
            return False
        for other in before[member]:
            if other not in group and all(reader in group for reader in after[other]):
                group.add(other)
                order.append(other)
    arriving = sum(other not in group for member in order for other in before[member])
    leaving = [(m, other) for m in order for other in after[m] if other not in group]
    if arriving >= len(leaving):
        return False
    room = min(layer[other] - layer[member] - 1 for member, other in leaving)
    for member in order:
        layer[member] += room
    return room > 0


def _without_empty_layers(layer: list[int]) -> list[int]:
    used = {old: new for new, old in enumerate(sorted(set(layer)))}
    return [used[old] for old in layer]


def split_links(
    boxes: Sequence[Box],
    links: Sequence[Link],
    index: dict[str, int],
    layer_of: Sequence[int],
) -> Layered:
    """Boxes and links as items in layers; a long link gets a dummy in every layer it passes.

    Links that leave the same port share their dummies: they run as one line that branches.
    """
    items = [Item(b.width, b.height, layer_of[i], dummy=False) for i, b in enumerate(boxes)]
    segments: list[Segment] = []
    chains: list[list[int]] = []
    trunks: dict[tuple[int, int], list[int]] = {}  # of each output port: segments to its dummies
    for link in links:
        source, target = index[link.source], index[link.target]
        offset = boxes[source].out_ports[link.source_port]
        trunk = trunks.setdefault((source, link.source_port), [])
        below = layer_of[target] - layer_of[source] - 1  # how many dummies stand between
        while len(trunk) < below:
            here = segments[trunk[-1]].target if trunk else source
            layer = layer_of[source] + len(trunk) + 1
            items.append(Item(_DUMMY_WIDTH, 0.0, layer, dummy=True))
            start = _DUMMY_WIDTH / 2 if trunk else offset
            share = 0.5 if trunk else _share(offset, boxes[source])
            trunk.append(len(segments))
            segments.append(Segment(here, start, len(items) - 1, _DUMMY_WIDTH / 2, share))
        here, start, share = source, offset, _share(offset, boxes[source])
        if below:
            here, start, share = segments[trunk[below - 1]].target, _DUMMY_WIDTH / 2, 0.5
        chains.append([*trunk[:below], len(segments)])
        end = boxes[target].in_ports[link.target_port]
        end_share = _share(end, boxes[target])
        segments.append(Segment(here, start, target, end, share, end_share))
    layers: list[list[int]] = [[] for _ in range(max(layer_of, default=-1) + 1)]
    for number, item in enumerate(items):
        layers[item.layer].append(number)
    layered = Layered(items, layers, segments, chains)
    layered.above = [[] for _ in items]
    layered.below = [[] for _ in items]
    for segment in segments:
        layered.above[segment.target].append(segment)
        layered.below[segment.source].append(segment)
    layered.number_positions()
    return layered


def _share(offset: float, box: Box) -> float:
    return offset / box.width if box.width else 0.5
