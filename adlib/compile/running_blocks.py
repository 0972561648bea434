"""Running totals along memory in blocks.

A running total is a chain of additions, each of which waits for the one before: several times as
long as it takes to read and write memory. So a long run is cut into blocks, and these into eight
segments: first every segment's total, by vectors; then what all segments before it add up to; then
the eight segments side by side, as rows are (see row_updates.py). The second-level cache keeps a
block until it is read again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from adlib.compile import views
from adlib.compile.loopir import Accumulator, For, Nest, Store
from adlib.compile.nests import combine

SEGMENTS = 8  # of a block, done side by side
# Elements of a segment, the longest first: long enough for the processor to see where it goes. Not
# a power of two, nor near one: stores to one segment would look like those to what another reads.
_LENGTHS = (16464, 4368, 1072, 304)
_ROWS = 8  # from so many rows on these are done side by side, each as a whole
_KINDS = ("sum", "prod", "max", "min")


def fits(kind: str, shape: Sequence[int], axis: int, dtype: Any) -> bool:
    """Whether running totals along an axis are long enough, and one after another in memory."""
    if kind not in _KINDS or dtype.kind not in "iuf" or dtype.itemsize < 4:
        return False
    if math.prod(shape[axis + 1 :]) != 1 or math.prod(shape[:axis]) >= _ROWS:
        return False
    return shape[axis] > 2 * SEGMENTS * _LENGTHS[-1]


def write(w: Any, kind: str, place: Callable[[views.Coordinates], views.Coordinates]) -> None:
    """Add the nests of all but the first element, whose total is itself.

    Args:
      w: the writer of the step.
      kind: what totals are made by.
      place: the coordinates in operand and result of the n-th element along the axis, where those
        that are given count from the first one.
    """
    n = w.out.aval.shape[w.eqn.params["axis"]]
    done = 1
    for length in _LENGTHS:
        blocks = (n - done) // (SEGMENTS * length)
        if blocks:
            _Blocks(w, kind, place, done, blocks, length).write()
            done += blocks * SEGMENTS * length
    if done < n:
        _Blocks(w, kind, place, done, 1, n - done).tail()


class _Blocks:
    """The nest over blocks.

    Attributes:
      extents: of the operand's other axes, of blocks, and of the axes of loops in a block.
      done: the number of elements before the first block.
    """

    def __init__(self, w: Any, kind: str, place: Any, done: int, blocks: int, length: int) -> None:
        self.done = done
        self.w = w
        self.kind = kind
        self.place = place
        self.length = length
        shape, self.axis = w.out.aval.shape, w.eqn.params["axis"]
        self.others = len(shape) - 1
        outer = [size for d, size in enumerate(shape) if d != self.axis]
        self.extents = [*outer, blocks]

    def write(self) -> None:
        first = self.others + 1  # the first axis within a block
        n = self.length
        self.extents += [n, SEGMENTS, SEGMENTS, n - 1]
        rank = len(self.extents)
        block = [(self.others, SEGMENTS * n)]
        dtype = self.w.out.aval.dtype

        totals = self._begin(rank)
        ends = []
        for k in range(SEGMENTS):
            element = self._read(rank, [*block, (first, 1)], k * n)
            ends.append((Accumulator(self.kind, element), self._at(rank, block, (k + 1) * n - 1)))
        segments: list[Any] = [For(first, totals.items, [total for total, _ in ends])]
        segments += [Store(self.w.target, place, total.result) for total, place in ends]

        chain = self._begin(rank)
        here = self._at(rank, [*block, (first + 1, n)], n - 1)
        before = self._at(rank, [*block, (first + 1, n)], -1)
        added = combine(
            chain,
            self.kind,
            chain.load(self.w.target, before, dtype),
            chain.load(self.w.target, here, dtype),
        )
        chained = For(first + 1, [*chain.items, Store(self.w.target, here, added)], [])

        run = self._begin(rank)
        steps = [*block, (first + 2, n), (first + 3, 1)]
        new = self._read(rank, steps, 0)
        old = run.load(self.w.target, self._at(rank, steps, -1), dtype)
        found = combine(run, self.kind, old, new)
        store = Store(self.w.target, self._at(rank, steps, 0), found)
        running = For(first + 2, [For(first + 3, [*run.items, store], [])], [])

        self._close(For(self.others, [*segments, chained, running], []), "blocks of running totals")

    def tail(self) -> None:
        """What is left after all blocks, one after another."""
        self.extents[-1] = self.length
        rank = len(self.extents)
        run = self._begin(rank)
        steps = [(self.others, 1)]
        new = self._read(rank, steps, 0)
        old = run.load(self.w.target, self._at(rank, steps, -1), self.w.out.aval.dtype)
        found = combine(run, self.kind, old, new)
        store = Store(self.w.target, self._at(rank, steps, 0), found)
        self._close(For(self.others, [*run.items, store], []), "the rest of the running totals")

    # -------------------------------------------------------------------- parts

    def _begin(self, rank: int) -> Any:
        """What writes the body of a loop."""
        self.w.builder = self.w.elements()
        self.w.rank = rank
        return self.w.builder

    def _coordinates(self, rank: int, steps: Any, first: int) -> views.Coordinates:
        """Where the element is whose number along the axis is affine in the loops."""
        number = [0] * rank + [self.done + first]
        for axis, step in steps:
            number[axis] = step
        others = iter(range(self.others))
        found = []
        for d, size in enumerate(self.w.out.aval.shape):
            if d == self.axis:
                found.append(tuple(number))
            else:
                axis = next(others)
                found.append(tuple([int(a == axis and size > 1) for a in range(rank)] + [0]))
        return self.place(tuple(found))  # type: ignore[no-any-return]

    def _read(self, rank: int, steps: Any, first: int) -> Any:
        (operand,) = self.w.eqn.invars
        return self.w.read(operand, self._coordinates(rank, steps, first))

    def _at(self, rank: int, steps: Any, first: int) -> Any:
        shape = self.w.out.aval.shape
        return views.linear_unchecked(self._coordinates(rank, steps, first), shape, rank)

    def _close(self, loop: For, why: str) -> None:
        for axis in reversed(range(self.others)):
            loop = For(axis, [loop], [])
        self.w.kernel.nests.append(Nest(tuple(self.extents), [loop], why))
