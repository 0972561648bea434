"""Second step: the order of the items in each layer, with few crossings.

Barycentre sweeps down and up (Sugiyama et al. 1981), then exchanges of neighbours, keeping
the best order seen. Ports count: a link's end stands where it is on its box, not at its middle.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from adlib_widgets.layout.model import Layered

_SWEEPS = 12
_EXCHANGES = 6
_MANY = 3000  # items; beyond, sweeps that gain nothing are given up sooner


def order(layered: Layered) -> None:
    """Order every layer of ``layered`` in place."""
    if not layered.layers:
        return
    net = _Net(layered)
    net.start_order()
    best, fewest = net.copy(), net.crossings()
    patience = 4 if len(layered.items) < _MANY else 2
    quiet = 0
    for sweep in range(_SWEEPS):
        if not fewest or quiet >= patience:
            break
        net.sweep(downward=sweep % 2 == 0)
        net.exchange()
        crossings = net.crossings()
        quiet += 1
        if crossings < fewest:
            best, fewest, quiet = net.copy(), crossings, 0
    layered.layers = best
    layered.number_positions()


def count_crossings(layered: Layered) -> int:
    """How many pairs of links cross, over all gaps between layers."""
    return _Net(layered).crossings()


class _Net:
    """The layers while they are ordered.

    Attributes:
      layers: items in their order.
      position: where in its layer an item is.
    """

    def __init__(self, layered: Layered) -> None:
        self.layers = [list(layer) for layer in layered.layers]
        self.layer_of = [item.layer for item in layered.items]
        self.position = [item.position for item in layered.items]
        self.above, self.below = layered.above, layered.below

    def copy(self) -> list[list[int]]:
        return [list(layer) for layer in self.layers]

    def start_order(self) -> None:
        """Depth first from the top, so that what belongs together starts side by side."""
        seen = [False] * len(self.position)
        layers: list[list[int]] = [[] for _ in self.layers]
        for start in (item for layer in self.layers for item in layer):
            stack = [start]
            while stack:
                item = stack.pop()
                if seen[item]:
                    continue
                seen[item] = True
                layers[self.layer_of[item]].append(item)
                stack.extend(segment.target for segment in reversed(self.below[item]))
        self.layers = layers
        for layer in layers:
            for position, item in enumerate(layer):
                self.position[item] = position
        self.sweep(downward=True)

    def sweep(self, downward: bool) -> None:
        """Sort each layer by where its items' neighbours stand in the layer before it."""
        at = self.position
        layers = self.layers if downward else self.layers[::-1]
        for layer in layers[1:]:
            keys: dict[int, float | None] = {}
            for item in layer:
                spots = self._spots_above(item) if downward else self._spots_below(item)
                keys[item] = sum(spots) / len(spots) if spots else None
            _sort_movable(layer, keys)
            for position, item in enumerate(layer):
                at[item] = position

    def _spots_above(self, item: int) -> list[float]:
        """Where an item's links end in the layer above: an item's position, and a part for the
        port."""
        at = self.position
        return [at[segment.source] + segment.source_share for segment in self.above[item]]

    def _spots_below(self, item: int) -> list[float]:
        at = self.position
        return [at[segment.target] + segment.target_share for segment in self.below[item]]

    def exchange(self) -> None:
        """Swap neighbours in a layer as long as that removes crossings."""
        at, active = self.position, set(range(len(self.layers)))
        for _ in range(_EXCHANGES):
            changed: set[int] = set()
            for depth in sorted(active):
                layer = self.layers[depth]
                above = [self._spots_above(item) for item in layer]
                below = [self._spots_below(item) for item in layer]
                for i in range(len(layer) - 1):
                    now = _crossed(above[i], above[i + 1]) + _crossed(below[i], below[i + 1])
                    if not now:
                        continue
                    swapped = _crossed(above[i + 1], above[i]) + _crossed(below[i + 1], below[i])
                    if swapped < now:
                        layer[i], layer[i + 1] = layer[i + 1], layer[i]
                        above[i], above[i + 1] = above[i + 1], above[i]
                        below[i], below[i + 1] = below[i + 1], below[i]
                        at[layer[i]], at[layer[i + 1]] = i, i + 1
                        changed.update((depth - 1, depth, depth + 1))
            active = changed & set(range(len(self.layers)))
            if not active:
                break

    def crossings(self) -> int:
        """How many pairs of links cross, over all gaps between layers."""
        at, total = self.position, 0
        for layer in self.layers:
            ends = [
                (at[item] + segment.source_share, at[segment.target] + segment.target_share)
                for item in layer
                for segment in self.below[item]
            ]
            ends.sort()
            total += _inversions([bottom for _, bottom in ends])
        return total


def _sort_movable(layer: list[int], keys: dict[int, float | None]) -> None:
    """Sort the items that have a key; the others keep their places."""
    movable = [item for item in layer if keys[item] is not None]
    movable.sort(key=lambda item: keys[item])  # type: ignore[arg-type,return-value]
    rest = iter(movable)
    layer[:] = [item if keys[item] is None else next(rest) for item in layer]


def _crossed(left: list[float], right: list[float]) -> int:
    """Crossings between the links of two neighbours that end at these places."""
    if len(left) == 1 == len(right):
        return left[0] > right[0]
    return sum(a > b for a in left for b in right) if left and right else 0


def _inversions(values: Sequence[float]) -> int:
    """Pairs in descending order, by insertion into a sorted list."""
    seen: list[float] = []
    total = 0
    for value in values:
        place = bisect_right(seen, value)
        total += len(seen) - place
        seen.insert(place, value)
    return total
