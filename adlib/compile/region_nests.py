"""A region becomes loops over blocks of rows around the loops of its groups.

The shared axes stand outside; the last of them is cut into blocks, whose rows are the first inner
axis of each group. A variable that exists for one block at a time is read and written without the
shared axes' part of a position.
"""

from __future__ import annotations

import math
from typing import Any

from adlib.compile import axes as axes_
from adlib.compile import jamming
from adlib.compile.loopir import For, LoopBuilder, Nest, Position, Store, Value
from adlib.compile.nests import Carried, GroupWriter, Loops, clearing, combine, nested
from adlib.compile.regions import lead
from adlib.compile.steps import Region
from adlib.core.jaxpr import Var

_VECTORS = 64  # elements that a vectorized loop does in one round


class RegionWriter(GroupWriter):
    """Writes a region as a kernel."""

    def write(self) -> None:
        region = self.schedule.steps[self.number]
        assert type(region) is Region
        self.region = region
        self.outer = self._joined(region)
        last = self.outer[-1]
        self.block = self._block(min(region.block, last), last)
        for number, buffer in enumerate(self.buffers):
            if number in self.local:
                buffer.size = buffer.size // math.prod(self.outer) * self.block
        whole = last - last % self.block
        self._nest(0, self.block, whole // self.block)
        if whole < last:
            self._nest(whole, last - whole, 1)

    def _block(self, most: int, last: int) -> int:
        """How many rows make a block: near ``most``, so that none are left over where that is
        possible, that rows can be summed side by side, and that short ones fill whole vectors."""
        shared = math.prod(self.outer)
        widths = [math.prod(g.space) // shared for g in self.region.groups]
        near = sorted(range(most, most // 2, -1), key=lambda b: b % jamming.ROWS != 0)
        full = [b for b in near if last % b == 0 and all(b * w % _VECTORS == 0 for w in widths)]
        if full:
            return full[0]
        if max(widths) < _VECTORS < most:
            return most - most % _VECTORS
        return next((b for b in near if last % b == 0), most)

    def buffer(self, var: Var, written: bool = False) -> int:
        known = var in self._numbers
        number = super().buffer(var, written)
        if not known and var in self.region.local:
            self.variables.pop()  # not memory that others hand in
            self.local.add(number)
            self.buffers[number].local = True
        return number

    # --------------------------------------------------------------------- shared axes

    def _joined(self, region: Region) -> tuple[int, ...]:
        """The shared axes, as one where all accesses run through them alike."""
        self.local: set[int] = set()
        count = len(region.outer)
        self.leads = [lead(g.space, count) for g in region.groups]
        if count == 1:
            for group in region.groups:
                self.body(group)
            return region.outer
        alike = True
        for group, leading in zip(region.groups, self.leads, strict=True):
            found = [p for p, _ in axes_.positions(self.body(group))]
            found += [r.position for r in self.reductions]
            places = [axis for axis, k in enumerate(leading) if k >= 0]
            for before, axis, n in zip(places, places[1:], region.outer[1:], strict=False):
                alike = alike and all(p[before] == p[axis] * n for p in found)
            sets = [[axis in r.axes for axis in places] for r in self.reductions]
            alike = alike and all(all(s) or not any(s) for s in sets)
        if not alike:
            return region.outer
        self.leads = [[min(k, 0) for k in leading] for leading in self.leads]
        return (math.prod(region.outer),)

    def _spread(self, body: list[Any], leading: list[int], first: int, size: int) -> None:
        """Positions over a group's space become those over shared axes, rows of a block, and the
        rest of the group's axes; ``first`` is the block's first row."""
        count = len(self.outer)

        def change(p: Position, buffer: int) -> Position:
            shared = [0] * count
            for axis, k in enumerate(leading):
                if k >= 0:  # of axes that are joined, the last one
                    shared[k] = p[axis]
            row = shared[-1]
            start = p[-1] + row * first
            shared[-1] = row * size
            if buffer in self.local:
                shared, start = [0] * count, p[-1]
            return (*shared, row, *p[len(leading) : -1], start)

        self._map(body, change)
        for r in self.reductions:
            axes = {k for axis, k in enumerate(leading) if k >= 0 and axis in r.axes}
            inner = [a + count + 1 - len(leading) for a in r.axes if a >= len(leading)]
            rows = [count] if count - 1 in axes else []
            r.axes = (*sorted(axes), *rows, *inner)

    # --------------------------------------------------------------------- loops

    def _nest(self, first: int, size: int, turns: int) -> None:
        """The loops over ``turns`` blocks of ``size`` rows, from row ``first`` on."""
        shared = (*self.outer[:-1], turns)
        pinned = len(shared)
        parts: list[tuple[list[Any], list[int]]] = []
        carried: list[tuple[int, Carried]] = []
        for group, leading in zip(self.region.groups, self.leads, strict=True):
            body = self.body(group)
            self._spread(body, leading, first, size)
            inner = group.space[len(leading) :]
            loops = self.loops(body, (*shared, size, *inner), pinned)
            carried += [(len(parts), c) for c in loops.carried]
            items = self._cleared(loops, pinned, first > 0)
            parts.append((items, loops.extents[pinned:]))
        extents = list(shared)
        total = sum(len(e) for _, e in parts)
        items = []
        for number, (part, sizes) in enumerate(parts):
            before = len(extents) - pinned
            after = total - before - len(sizes)
            spare = ((0,) * before, (0,) * after)
            _embed(part, pinned, spare)
            for of, c in carried:
                if of == number:
                    c.reduction.position = _embedded(c.reduction.position, pinned, spare)
            extents += sizes
            items += part
        self._close(items, extents, pinned, [c for _, c in carried], first > 0)

    def _cleared(self, loops: Loops, pinned: int, again: bool) -> list[Any]:
        """The items of a group, with what has to be cleared first: in each turn, if only one
        block of it exists; before all loops otherwise."""
        here = [r for r in loops.in_memory if r.number in self.local]
        if not again:
            self.clear_before([r for r in loops.in_memory if r.number not in self.local])
        if not here:
            return loops.items
        items = []
        rank = len(loops.extents)
        _embed(loops.items, rank, ((), (0,) * len(here)))
        for c in loops.carried:
            c.reduction.position = _embedded(c.reduction.position, rank, ((), (0,) * len(here)))
        for k, r in enumerate(here):
            loops.extents.append(self.buffers[r.number].size)
            position = [0] * (rank + len(here) + 1)
            position[rank + k] = 1
            items.append(clearing(r, rank + k, tuple(position)))
        return [*items, *loops.items]

    def _close(
        self, items: list[Any], extents: list[int], pinned: int, carried: list[Carried], again: bool
    ) -> None:
        """The nest: loops over the shared axes around all, and results that they complete."""
        looped = nested(items, range(pinned), carried)
        if again:  # the first nest has left its part of a complete reduction in memory
            looped = _added_up(looped, {id(c.total): c for c in carried})
        count = sum(len(g.eqns) for g in self.region.groups)
        spaces = ", ".join([str(g.space) for g in self.region.groups])
        why = f"{count} equations in {len(self.region.groups)} groups over {spaces}"
        self.kernel.nests.append(Nest(tuple(extents), looped, why))


def _embedded(p: Position, pinned: int, spare: tuple[Position, Position]) -> Position:
    return (*p[:pinned], *spare[0], *p[pinned:-1], *spare[1], p[-1])


def _embed(items: list[Any], pinned: int, spare: tuple[Position, Position]) -> None:
    """Make room for axes before and after those that follow the pinned ones."""
    here = [item for item in items if type(item) is not For]
    axes_.map_positions(here, lambda p, _: _embedded(p, pinned, spare))
    for item in items:
        if type(item) is For:
            if item.axis >= pinned:
                item.axis += len(spare[0])
            _embed(item.body, pinned, spare)


def _added_up(items: list[Any], totals: dict[int, Carried]) -> list[Any]:
    """Stores of complete reductions add to what is in memory."""
    found: list[Any] = []
    for item in items:
        if type(item) is For:
            item.body = _added_up(item.body, totals)
        elif type(item) is Store and id(item.value) in totals:
            c = totals[id(item.value)]
            builder = LoopBuilder()
            before: Value = builder.load(item.buffer, item.position, item.value.dtype)
            item.value = combine(builder, c.reduction.kind, before, item.value)
            found += builder.items
        found.append(item)
    return found
