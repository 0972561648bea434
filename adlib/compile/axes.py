"""Which loop stands where: axes that are joined, put in order, and cut into tiles.

A body is a list of values and stores whose positions are affine in the axes of a space. The
functions here change the space and, with it, every position in the body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from adlib.compile.loopir import Position, Store


def positions(body: Sequence[Any]) -> list[tuple[Position, bool]]:
    """Every position in a body, and whether it is one of memory."""
    found = []
    for item in body:
        if type(item) is Store:
            found.append((item.position, True))
        elif item.op == "load":
            found.append((item.attr[1], True))
        elif item.op == "index":
            found.append((item.attr, False))
    return found


def map_positions(body: Iterable[Any], change: Callable[[Position, int], Position]) -> None:
    """Change every position; ``change`` is also told the buffer, -1 for an index."""
    for item in body:
        if type(item) is Store:
            item.position = change(item.position, item.buffer)
        elif item.op == "load":
            buffer, position = item.attr
            item.attr = (buffer, change(position, buffer))
        elif item.op == "index":
            item.attr = change(item.attr, -1)


def joined(
    space: Sequence[int],
    found: Sequence[tuple[Position, bool]],
    reduced: Sequence[Sequence[int]],
    pinned: int = 0,
) -> list[list[int]]:
    """Runs of axes that can be one loop; axes of size 1 are in none. The first ``pinned`` axes
    stay by themselves."""
    distinct = {position[:-1] for position, _ in found}
    sets = [frozenset(axes) for axes in reduced]
    runs = [[axis] for axis in range(pinned)]
    for axis in range(pinned, len(space)):
        size = space[axis]
        if size == 1:
            continue
        if len(runs) > pinned:
            before = runs[-1][-1]
            together = all(p[before] == p[axis] * size for p in distinct)
            if together and all((before in s) == (axis in s) for s in sets):
                runs[-1].append(axis)
                continue
        runs.append([axis])
    return runs


def moved(position: Position, runs: Sequence[Sequence[int]]) -> Position:
    """A position in terms of runs of axes: a run moves as its last axis does."""
    return (*[position[run[-1]] for run in runs], position[-1])


def runs_of(axes: Iterable[int], runs: Sequence[Sequence[int]]) -> frozenset[int]:
    """The runs that a set of axes consists of."""
    chosen = frozenset(axes)
    return frozenset([number for number, run in enumerate(runs) if run[0] in chosen])


def permuted(position: Position, order: Sequence[int]) -> Position:
    return (*[position[a] for a in order], position[-1])


def ordered(
    rank: int,
    found: Sequence[tuple[Position, bool]],
    reduced: Sequence[frozenset[int]],
    pinned: int = 0,
) -> tuple[list[int], list[bool]]:
    """Which loop stands outside of which, and which reductions accumulate in memory."""
    axes = list(range(pinned, rank))
    first = list(range(pinned))
    if not axes:
        return first, [bool(set(first[rank - len(s) :]) != s) for s in reduced]
    innermost = axes[-1]
    if len(axes) > 1:
        strided = {
            axis: sum(1 for p, memory in found if memory and p[axis] not in (0, 1)) for axis in axes
        }
        innermost = min(reversed(axes), key=strided.__getitem__)
    others = [a for a in axes if a != innermost]
    if len(set(reduced)) == 1:
        kept = [a for a in others if a not in reduced[0]]
        others = [*kept, *[a for a in others if a in reduced[0]]]
    order = [*first, *others, innermost]
    in_memory = [set(order[rank - len(s) :]) != s for s in reduced]
    return order, in_memory


# Sizes of tiles in which transposed memory is read: a cache line of elements is used at once, and
# loops are long; and the bytes of a tile, which the first-level cache keeps.
_TILES = (80, 75, 72, 64, 60, 56, 50, 48, 40, 36, 32, 28, 24, 20, 16, 12, 10, 8)
_TILE_BYTES = 26 << 10

_MANY = 512  # tiles, from which on their order matters


def _together(count: int) -> int:
    """How many of so many tiles in a row make a larger one: about eight."""
    return min([n for n in range(1, 17) if count % n == 0], key=lambda n: abs(n - 8))


def tiled(body: Sequence[Any], extents: list[int]) -> list[int]:
    """Cut two axes into tiles where one access runs along the one axis and another along the
    other, as in a transpose; the new extents."""
    rank = len(extents)
    if rank < 2 or extents[-1] * extents[-2] < 4096:
        return extents
    against = [
        axis
        for position, memory in positions(body)
        for axis in range(rank - 1)
        if memory and abs(position[axis]) == 1 and abs(position[rank - 1]) > 16
    ]
    if not against:
        return extents
    axis = against[0]
    width = max([i.dtype.itemsize for i in body if type(i) is not Store and i.op == "load"])
    fitting = [t for t in _TILES if t * t * width <= _TILE_BYTES]
    sizes = [next((t for t in fitting if extents[a] % t == 0), 0) for a in (axis, rank - 1)]
    if not all(sizes):
        return extents
    first, second = sizes
    others = [a for a in range(rank - 1) if a != axis]

    counts = extents[axis] // first, extents[rank - 1] // second
    # tiles of tiles, whose pages the processor still knows when it comes back to them
    tall, wide = [1, 1] if counts[0] * counts[1] < _MANY else [_together(n) for n in counts]

    def cut(p: Position, buffer: int) -> Position:
        steps = [(p[axis] * s, p[rank - 1] * t) for s, t in zip(*sizes_of, strict=True)]
        return (*[p[a] for a in others], *[c for pair in steps for c in pair], p[-1])

    sizes_of = (first * tall, first, 1), (second * wide, second, 1)
    map_positions(body, cut)
    kept = [extents[a] for a in others]
    return [*kept, counts[0] // tall, counts[1] // wide, tall, wide, first, second]
