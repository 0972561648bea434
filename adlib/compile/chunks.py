"""Which nests are cut into chunks that several threads can do, and how large a chunk is.

The outermost loop of a nest is cut where no round of it reads or writes memory that another one
writes, so that chunks can run in any order and at the same time. How many chunks there are follows
from the nest alone, never from the number of threads: each chunk's part of a reduction is kept by
itself, and the parts are combined in order, so that results are the same on every machine and at
every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adlib.compile.loopir import For, Kernel, Nest, Position, Store, Value

# What a kernel has to take, in nanoseconds by a rough estimate, to be worth waking threads for
# (some 20 µs), and the least for one chunk.
WORTH = 120_000
_LEAST = 25_000

_MOST = 32  # chunks of a nest
_LINE = 64  # elements that the widest vectors do in one round of a loop
_WHOLE = 1024  # chunks of long loops are multiples of this: of a cache line, and of blocks of sums

# Nanoseconds for an operation (vectorized) and for a byte of memory.
_PER_OPERATION = 0.016
_PER_BYTE = 0.05


class Cut:
    """How the outermost loop of a nest is cut: ``count`` chunks of ``size`` rounds, the last one
    of what remains of the ``extent``."""

    __slots__ = ("count", "extent", "size")

    def __init__(self, extent: int, size: int) -> None:
        self.extent = extent
        self.size = size
        self.count = -(-extent // size)


def estimate(kernel: Kernel, work: int) -> float:
    """About how many nanoseconds a kernel takes that does so many operations."""
    memory = sum([b.size * b.dtype.itemsize for b in kernel.buffers if not b.local])
    return work * _PER_OPERATION + memory * _PER_BYTE


def cut(kernel: Kernel, nest: Nest, nanoseconds: float) -> Cut | None:
    """How a nest that takes so long is cut; None where it is not."""
    if nanoseconds < WORTH or not _outermost(nest) or not independent(kernel, nest):
        return None
    extent = nest.extents[nest.items[0].axis]
    if extent < 2:
        return None
    count = min(_MOST, int(nanoseconds / _LEAST), extent)
    size = -(-extent // max(count, 1))
    if extent >= 8 * _WHOLE:
        size = -(-size // _WHOLE) * _WHOLE
        # chunks of one size, so that vectors leave nothing over in any
        size = next((s for s in range(size, 2 * size, _LINE) if extent % s == 0), size)
    found = Cut(extent, size)
    return found if found.count > 1 else None


def _outermost(nest: Nest) -> bool:
    """Whether a nest is one loop, followed by what stores its results."""
    if not nest.items or type(nest.items[0]) is not For:
        return False
    return all([type(item) is Store and item.offset is None for item in nest.items[1:]])


Access = tuple[int, Position | None, bool]


def _accesses(items: Sequence[Any]) -> Iterator[Access]:
    """(buffer, position or None where values decide, whether it is written)"""
    for item in items:
        if type(item) is Store:
            yield item.buffer, None if item.offset is not None else item.position, True
        elif type(item) is For:
            yield from _accesses(item.body)
        elif type(item) is Value and item.op == "load":
            yield item.attr[0], None if item.args else item.attr[1], False


def repeatable(nests: Sequence[Nest]) -> bool:
    """Whether nests can be done again without harm: none changes what they have found in memory,
    as one does that adds to what nests before these have left."""
    found: set[int] = set()
    written: set[int] = set()
    for nest in nests:
        accesses = list(_accesses(nest.items))
        found.update([b for b, _, writes in accesses if not writes and b not in written])
        written.update([b for b, _, writes in accesses if writes])
    return not found & written


def independent(kernel: Kernel, nest: Nest) -> bool:
    loop = nest.items[0]
    found: dict[int, list[Position | None]] = {}
    written: set[int] = set()
    for buffer, position, writes in _accesses(loop.body):
        if kernel.buffers[buffer].local:
            continue
        found.setdefault(buffer, []).append(position)
        if writes:
            written.add(buffer)
    results = {item.buffer for item in nest.items[1:]}
    if results & set(found):  # a result that is also read or written within
        return False
    return all([_apart(found[buffer], nest, loop.axis) for buffer in written])


def _apart(positions: Sequence[Position | None], nest: Nest, axis: int) -> bool:
    """Whether rounds of a loop reach different elements by all these positions."""
    known = [p for p in positions if p is not None]
    if len(known) < len(positions):
        return False
    steps = {p[axis] for p in known}
    if len(steps) != 1:
        return False
    step = abs(steps.pop())
    low = min([p[-1] + sum(_reach(p, nest, axis, min)) for p in known])
    high = max([p[-1] + sum(_reach(p, nest, axis, max)) for p in known])
    if step > high - low:
        return True
    return len(set(known)) == 1 and _distinct(known[0], nest, axis)


def _reach(p: Position, nest: Nest, axis: int, extremum: Any) -> list[int]:
    others = [(by, n) for a, (by, n) in enumerate(zip(p, nest.extents, strict=False)) if a != axis]
    return [extremum(0, by * (n - 1)) for by, n in others]


def _distinct(p: Position, nest: Nest, axis: int) -> bool:
    """Whether points of the nest that differ along an axis have different places."""
    if not p[axis]:
        return False
    reach = 1
    for by, n in sorted([(abs(by), n) for by, n in zip(p, nest.extents, strict=False) if by]):
        if n > 1:
            if by < reach:
                return False
            reach = by * n  # more than what all steps so far can reach
    return True
