"""Second step: the order of the items in each layer, with few crossings.

Barycentre sweeps down and up (Sugiyama et al. 1981), then exchanges of neighbours, keeping
the best order seen. Ports count: a link's end stands where it is on its box, not at its middle.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from adlib_widgets.layout.model import Item, Layered

_SWEEPS = 12
_EXCHANGES = 6
_MANY = 3000  # items; beyond, sweeps that gain nothing are given up sooner


def order(layered: Layered) -> None:
    """Order every layer of ``layered`` in place."""
    if not layered.layers:
        return
    _start_order(layered)
    best, fewest = _copy(layered), count_crossings(layered)
    patience = 4 if len(layered.items) < _MANY else 2
    quiet = 0
    for sweep in range(_SWEEPS):
        if not fewest or quiet >= patience:
            break
        _sweep(layered, downward=sweep % 2 == 0)
        _exchange(layered)
        crossings = count_crossings(layered)
        quiet += 1
        if crossings < fewest:
            best, fewest, quiet = _copy(layered), crossings, 0
    layered.layers = best
    layered.number_positions()


def _copy(layered: Layered) -> list[list[int]]:
    return [list(layer) for layer in layered.layers]


def _start_order(layered: Layered) -> None:
    """Depth first from the top, so that what belongs together starts side by side."""
    seen = [False] * len(layered.items)
    layers: list[list[int]] = [[] for _ in layered.layers]
    for start in (item for layer in layered.layers for item in layer):
        stack = [start]
        while stack:
            item = stack.pop()
            if seen[item]:
                continue
            seen[item] = True
            layers[layered.items[item].layer].append(item)
            stack.extend(segment.target for segment in reversed(layered.below[item]))
    layered.layers = layers
    layered.number_positions()
    _sweep(layered, downward=True)


def _sweep(layered: Layered, downward: bool) -> None:
    """Sort each layer by where its items' neighbours stand in the layer before it."""
    layers = layered.layers if downward else layered.layers[::-1]
    for layer in layers[1:]:
        keys = {item: _barycentre(layered, item, downward) for item in layer}
        _sort_movable(layer, keys)
        for position, item in enumerate(layer):
            layered.items[item].position = position


def _barycentre(layered: Layered, item: int, downward: bool) -> float | None:
    items = layered.items
    if downward:
        spots = [_spot(items[s.source], s.source_offset) for s in layered.above[item]]
    else:
        spots = [_spot(items[s.target], s.target_offset) for s in layered.below[item]]
    return sum(spots) / len(spots) if spots else None


def _spot(item: Item, offset: float) -> float:
    """Where in its layer a link's end is: the item's position and a part for the port."""
    return item.position + (offset / item.width if item.width else 0.5)


def _sort_movable(layer: list[int], keys: dict[int, float | None]) -> None:
    """Sort the items that have a key; the others keep their places."""
    movable = [item for item in layer if keys[item] is not None]
    movable.sort(key=lambda item: keys[item])  # type: ignore[arg-type,return-value]
    rest = iter(movable)
    layer[:] = [item if keys[item] is None else next(rest) for item in layer]


def _exchange(layered: Layered) -> None:
    """Swap neighbours in a layer as long as that removes crossings."""
    items, active = layered.items, set(range(len(layered.layers)))
    for _ in range(_EXCHANGES):
        changed: set[int] = set()
        for depth in sorted(active):
            layer = layered.layers[depth]
            spots = [_far_spots(layered, item) for item in layer]
            for i in range(len(layer) - 1):
                (left_above, left_below), (right_above, right_below) = spots[i], spots[i + 1]
                now = _crossed(left_above, right_above) + _crossed(left_below, right_below)
                if not now:
                    continue
                swapped = _crossed(right_above, left_above) + _crossed(right_below, left_below)
                if swapped < now:
                    layer[i], layer[i + 1] = layer[i + 1], layer[i]
                    spots[i], spots[i + 1] = spots[i + 1], spots[i]
                    items[layer[i]].position, items[layer[i + 1]].position = i, i + 1
                    changed.update((depth - 1, depth, depth + 1))
        active = changed & set(range(len(layered.layers)))
        if not active:
            break


def _far_spots(layered: Layered, item: int) -> tuple[list[float], list[float]]:
    """Where an item's links end, in the layer above and in the layer below."""
    items = layered.items
    return (
        [_spot(items[s.source], s.source_offset) for s in layered.above[item]],
        [_spot(items[s.target], s.target_offset) for s in layered.below[item]],
    )


def _crossed(left: list[float], right: list[float]) -> int:
    """Crossings between the links of two neighbours that end at these places."""
    if len(left) == 1 == len(right):
        return left[0] > right[0]
    return sum(a > b for a in left for b in right)


def count_crossings(layered: Layered) -> int:
    """How many pairs of links cross, over all gaps between layers."""
    items, total = layered.items, 0
    for layer in layered.layers:
        ends = [
            (
                _spot(items[segment.source], segment.source_offset),
                _spot(items[segment.target], segment.target_offset),
            )
            for item in layer
            for segment in layered.below[item]
        ]
        ends.sort()
        total += _inversions([bottom for _, bottom in ends])
    return total


def _inversions(values: Sequence[float]) -> int:
    """Pairs in descending order, by insertion into a sorted list."""
    seen: list[float] = []
    total = 0
    for value in values:
        place = bisect_right(seen, value)
        total += len(seen) - place
        seen.insert(place, value)
    return total
