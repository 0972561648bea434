"""Groups that run one after the other on each block of rows.

A softmax is three passes over a matrix: the largest entry of each row, the sum of exponentials,
the quotients. Their iteration spaces begin with the same axis, and what a row's second pass reads
of the first belongs to that row. So the three can take turns on a few rows at a time: the matrix
is read from memory once, what they hand to each other stays in the cache, and what nobody else
reads needs room for one block of rows only.

The condition, for any groups whose spaces begin with the same axes (those of size 1 aside): cut
every variable that one makes and a later one reads into as many equal runs of row-major memory as
the shared axes have entries. In each entry, its maker writes that entry's run, and the reader
reads elements of that run alone. Positions are affine, so that this can be decided. A reduction
over a shared axis is complete only after the last block, and is read by others later.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from adlib.compile import dots
from adlib.compile.loopir import Position
from adlib.compile.steps import Call, Group, Region
from adlib.compile.views import row_major
from adlib.core.jaxpr import Eqn, Var

# Bytes of all rows of a block together: about a first-level cache, so that four rows of a few
# thousand bytes are one.
BLOCK = 48 << 10

# Bytes that groups have to share for a region: what the first-level cache holds anyway is as fast
# in several passes.
LEAST_SHARED = 48 << 10

# Bytes of one row up to which the second-level cache keeps what the groups share.
MOST_ROW = 256 << 10

# Rows of a block at least, as long as the second-level cache keeps them, where they are added up.
LEAST_ROWS = 8

# Bytes of variables of which only a block exists: they lie on the stack.
MOST_LOCAL = 64 << 10

# Instructions for each shared byte above which memory is not what a group waits for, so that
# longer functions, which take longer to compile, would not be faster.
_MOST_PER_BYTE = 32

_MOST_WORK = 1200  # instructions in all loops of a region together
_MOST_VARIABLES = 64
_LOOKED_AT = 6  # regions that a group may join: the latest ones


def axes_of(space: Sequence[int]) -> tuple[int, ...]:
    """The axes of a space that are more than one entry long."""
    return tuple([n for n in space if n != 1])


def lead(space: Sequence[int], count: int) -> list[int]:
    """For each of the first axes of a space, up to the ``count``-th that is longer than 1, its
    number among those; -1 where its size is 1."""
    found: list[int] = []
    number = 0
    for n in space:
        if number == count:
            break
        found.append(-1 if n == 1 else number)
        number += n != 1
    return found


def stays(
    position: Position | None, space: Sequence[int], outer: Sequence[int], width: int
) -> bool:
    """Whether a read at a position, over ``space``, stays within its row's ``width`` elements."""
    if position is None:
        return False
    leading = lead(space, len(outer))
    strides = [s * width for s in row_major(outer)]
    low = high = position[-1]
    for axis, (n, by) in enumerate(zip(space, position[:-1], strict=True)):
        if axis < len(leading):
            if leading[axis] >= 0 and by != strides[leading[axis]]:
                return False
        else:
            low += min(0, by * (n - 1))
            high += max(0, by * (n - 1))
    return low >= 0 and high < width


def reduced_axes(eqn: Eqn) -> tuple[int, ...]:
    """The axes of its group's space that an equation reduces over."""
    if eqn.primitive.name == "dot_general":
        return dots.reduced_axes(eqn)
    if eqn.primitive.name.startswith("reduce_") and "axes" in eqn.params:
        return tuple(eqn.params["axes"])
    return ()


class _Forming:
    """A region in the making.

    Attributes:
      outer: the axes that all groups share.
      numbers: of its steps.
      makers: for each variable that it writes, the space of its group and the reduced axes.
      touched: for each variable that it reads or writes, the spaces and positions of its reads.
      shared: bytes that two groups have in common.
    """

    def __init__(self, schedule: Any, number: int, group: Group) -> None:
        self.schedule = schedule
        self.outer = axes_of(group.space)
        self.numbers = [number]
        self.groups: list[Group] = []
        self.makers: dict[Var, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self.touched: dict[Var, list[tuple[tuple[int, ...], Position | None]]] = {}
        self.work = 0
        self.shared = 0
        self.add(group)

    def add(self, group: Group) -> None:
        self.groups.append(group)
        self.work += group.work
        for eqn in group.eqns:
            for var in eqn.outvars:
                if var in self.schedule.outside or self.schedule.uses.get(var):
                    self.makers[var] = (group.space, reduced_axes(eqn))
        for var, positions in group.reads.items():
            self.touched.setdefault(var, []).extend([(group.space, p) for p in positions])

    def common(self, group: Group) -> tuple[int, ...]:
        """The axes with which both its spaces and a group's begin."""
        found = []
        for n, m in zip(self.outer, axes_of(group.space), strict=False):
            if n != m:
                break
            found.append(n)
        return tuple(found)

    def shares(self, group: Group) -> int:
        """Bytes of what it makes or reads and a group reads, too."""
        return sum([v.aval.nbytes for v in group.reads if v in self.makers or v in self.touched])

    def whole(self, var: Var, outer: Sequence[int]) -> bool:
        """Whether each entry of the outer axes makes a run of a variable of its own."""
        space, reduced = self.makers[var]
        leading = lead(space, len(outer))
        return not any(axis in reduced for axis, k in enumerate(leading) if k >= 0)

    def fits(self, group: Group, outer: Sequence[int]) -> bool:
        """Whether a group reads, in each entry of the outer axes, only what that entry makes."""
        rows = math.prod(outer)
        return all(
            self.whole(var, outer)
            and all(stays(p, group.space, outer, var.aval.size // rows) for p in positions)
            for var, positions in group.reads.items()
            if var in self.makers
        )

    def bytes(self) -> tuple[int, int]:
        """Bytes that one entry of the outer axes touches: of its own, and of what all touch."""
        rows = math.prod(self.outer)
        own = common = 0
        for var in {*self.makers, *self.touched}:
            by_row = self.whole(var, self.outer) if var in self.makers else True
            width = var.aval.size // rows
            for space, position in self.touched.get(var, ()):
                by_row = by_row and stays(position, space, self.outer, width)
            if by_row:
                own += width * var.aval.dtype.itemsize
            else:
                common += var.aval.nbytes
        return own, common

    def rows(self) -> int:
        """How many rows make a block."""
        own, common = self.bytes()
        rows = (BLOCK - common) // max(own, 1)
        if rows < LEAST_ROWS and self.accumulates():
            rows = min(LEAST_ROWS, (MOST_ROW - common) // max(own, 1))
        return max(1, rows)

    def accumulates(self) -> bool:
        """Whether rows are added to totals in memory, which several at once do faster."""
        return any(not self.whole(var, self.outer) and var.aval.size > 1 for var in self.makers)


class Former:
    """Finds the regions of a schedule.

    Attributes:
      at: for each step, where it now stands: the number of a step that stood there before.
    """

    def __init__(self, schedule: Any, fences: Sequence[int]) -> None:
        self.schedule = schedule
        self.fences = fences
        self.at = list(range(len(schedule.steps)))
        self.forming: list[_Forming] = []
        self.reasons: list[tuple[Eqn, str]] = []
        self.readers: dict[Var, set[int]] = {v: set(ns) for v, ns in schedule.uses.items()}
        for number, step in enumerate(schedule.steps):
            if type(step) is Call:
                self._called(number, step)

    def _called(self, number: int, step: Call) -> None:
        """Note what a call reads: its operands, and what they are views of."""
        for atom in step.eqn.invars:
            while type(atom) is Var:
                self.readers.setdefault(atom, set()).add(number)
                eqn = self.schedule.virtual.get(atom)
                if eqn is None or not eqn.invars:
                    break
                atom = eqn.invars[0]

    def run(self) -> None:
        for number, step in enumerate(self.schedule.steps):
            if type(step) is Group and step.eqns and axes_of(step.space) and 0 not in step.space:
                self._place(number, step)
        found = [f for f in self.forming if len(f.numbers) > 1]
        regions = {f.numbers[0]: r for f in found if (r := self._region(f)) is not None}
        if regions or any(type(s) is Group and not s.eqns for s in self.schedule.steps):
            self._replace(regions)

    def _place(self, number: int, group: Group) -> None:
        for forming in reversed(self.forming[-_LOOKED_AT:]):
            if self._join(forming, number, group):
                return
        self.forming.append(_Forming(self.schedule, number, group))

    def _join(self, forming: _Forming, number: int, group: Group) -> bool:
        outer = forming.common(group)
        shared = forming.shares(group)
        if not outer or not shared or forming.work + group.work > _MOST_WORK:
            return False
        if group.work * math.prod(group.space) > _MOST_PER_BYTE * shared:
            self._say(group, "its arithmetic takes longer than reading what it shares")
            return False
        if bisect_right(self.fences, number) != bisect_right(self.fences, forming.numbers[0]):
            return False
        if len(forming.touched) + len(forming.makers) + len(group.reads) > _MOST_VARIABLES:
            return False
        while outer and not forming.fits(group, outer):
            outer = outer[:-1]
        if not outer:
            self._say(group, f"reads other rows than those of step {forming.numbers[0]}")
            return False
        place = self._place_of([*forming.numbers, number])
        if place < 0:
            return False
        before = forming.outer
        forming.outer = outer
        row = sum(forming.bytes())
        if row > MOST_ROW:
            forming.outer = before
            self._say(
                group, f"a row of all that is read takes {row} bytes, more than a cache keeps"
            )
            return False
        forming.add(group)
        forming.numbers.append(number)
        forming.shared += shared
        for member in forming.numbers:
            self.at[member] = place
        return True

    def _place_of(self, numbers: list[int]) -> int:
        """Where steps can stand together: after what they read, before their readers; or -1."""
        steps, schedule = self.schedule.steps, self.schedule
        members = set(numbers)
        low, high = -1, len(steps)
        for n in numbers:
            group = steps[n]
            for var in group.reads:
                made = schedule.where[var]
                if made >= 0 and made not in members:
                    low = max(low, self.at[made])
            for var in group.members:
                for reader in self.readers.get(var, ()):
                    if reader < len(steps) and reader not in members:
                        high = min(high, self.at[reader])
        return next((n for n in numbers if low < n < high), -1)

    def _say(self, group: Group, text: str) -> None:
        self.reasons.append((group.eqns[0], f"not in one loop with others: {text}"))

    # ------------------------------------------------------------------- results

    def _region(self, forming: _Forming) -> Region | None:
        if forming.shared < LEAST_SHARED:
            return None
        rows = forming.rows()
        while len(forming.outer) > 1:  # longer rows, as long as they are cut often enough
            shorter, forming.outer = forming.outer, forming.outer[:-1]
            fewer = forming.rows()
            if sum(forming.bytes()) > BLOCK or 2 * fewer >= math.prod(forming.outer):
                forming.outer = shorter
                break
            rows = fewer
        if 2 * rows >= math.prod(forming.outer):
            return None
        local = self._local(forming, rows)
        return Region(forming.outer, rows, list(forming.groups), local)

    def _local(self, forming: _Forming, rows: int) -> set[Var]:
        members, schedule = set(forming.numbers), self.schedule
        count = math.prod(forming.outer)
        found: set[Var] = set()
        room = MOST_LOCAL
        for var in forming.makers:
            readers = schedule.uses.get(var, ())
            size = rows * (var.aval.nbytes // count)
            if not readers or var in schedule.outside or not members.issuperset(readers):
                continue
            if forming.whole(var, forming.outer) and size <= room:
                room -= size
                found.add(var)
        return found

    def _replace(self, regions: dict[int, Region]) -> None:
        """The steps in their new order, with new numbers."""
        schedule = self.schedule
        numbers = {n: f.numbers[0] for f in self.forming for n in f.numbers}
        gone = {n for n, first in numbers.items() if n != first and first in regions}
        # groups whose region would not pay follow each other where it would have stood
        gone |= {n for n, s in enumerate(schedule.steps) if type(s) is Group and not s.eqns}
        kept = [n for n in range(len(schedule.steps)) if n not in gone]
        order = sorted(kept, key=lambda n: (self.at[n], n))
        new = {old: place for place, old in enumerate(order)}
        for n in numbers:
            if n not in new and numbers[n] in new:
                new[n] = new[numbers[n]]
        steps = schedule.steps
        schedule.steps = [regions.get(old, steps[old]) for old in order]
        schedule.where = {v: new.get(n, n) for v, n in schedule.where.items()}
        schedule.uses = {v: {new.get(n, n) for n in ns} for v, ns in schedule.uses.items()}
        for place, step in enumerate(schedule.steps):
            if type(step) is Region:
                self._explain(step, place)

    def _explain(self, region: Region, place: int) -> None:
        sizes = "×".join([str(n) for n in region.outer])
        text = f"step {place}: {len(region.groups)} groups take turns on blocks of the {sizes} rows"
        for group in region.groups:
            self.reasons.append((group.eqns[0], text))


def form(schedule: Any, fences: Sequence[int] = ()) -> list[tuple[Eqn, str]]:
    """Put groups of a schedule that share rows into regions, none across ``fences``, which are
    numbers of steps; the reasons."""
    former = Former(schedule, fences)
    former.run()
    return former.reasons
