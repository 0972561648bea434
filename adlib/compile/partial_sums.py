"""Totals in memory that threads can share the work on: each part of a loop has totals of its own.

A loop whose rounds all add to the same totals in memory, as in the sums of a matrix's columns, is
one long chain. Cut into parts, each with totals of its own, which are added up in the end, it can
be done by several threads. How many parts there are follows from the loop alone, so that results
are the same with any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adlib.compile import chunks
from adlib.compile.loopir import (
    Accumulator,
    Buffer,
    For,
    Kernel,
    LoopBuilder,
    Nest,
    Position,
    Store,
    Value,
    identity,
    part_type,
)

_MOST = 16  # parts of a loop
_LEAST = 50_000  # nanoseconds of a part
_ROWS = 8  # rounds of a part are best a multiple of this
_LINE = 64  # bytes; each part's totals begin on a line of the cache
_OF_MEMORY = 8  # the parts' totals take at most this part of all memory that the kernel touches

_KINDS = {"add": "sum", "mul": "prod", "max": "max", "min": "min", "or": "or", "and": "and"}
_KINDS["xor"] = "xor"


def separated(kernel: Kernel, work: int) -> int:
    """Give the parts of a kernel's long loops totals of their own, where that lets threads share
    them. Returns the bytes of memory, beside its variables', that the kernel then needs: one more
    pointer, behind those of its buffers that others hand in."""
    time = chunks.estimate(kernel, work)
    if time < chunks.WORTH or len(kernel.nests) > 8:
        return 0
    rounds = [_rounds(nest.items, nest) for nest in kernel.nests]
    number = rounds.index(max(rounds, default=0))
    found = _Parts(kernel, kernel.nests[number], time)
    if not found.worth:
        return 0
    kernel.nests[number : number + 1] = found.nests
    kernel.buffers.append(found.buffer)
    return found.buffer.size * found.buffer.dtype.itemsize


def _rounds(items: Sequence[Any], nest: Nest) -> int:
    found = [nest.extents[i.axis] * _rounds(i.body, nest) for i in items if type(i) is For]
    return sum(found) or 1


class _Parts:
    """One nest in parts.

    Attributes:
      worth: whether it can be done, and pays.
      nests: the parts, and what adds up their totals.
      buffer: the parts' totals.
    """

    worth = False

    def __init__(self, kernel: Kernel, nest: Nest, time: float) -> None:
        self.kernel = kernel
        self.nest = nest
        if not nest.items or type(nest.items[0]) is not For:
            return
        self.loop: For = nest.items[0]
        if not all([type(item) is Store and item.offset is None for item in nest.items[1:]]):
            return
        self.extent = nest.extents[self.loop.axis]
        totals = self._totals()
        if not totals or any(item.buffer in totals for item in nest.items[1:]):
            return
        dtypes = {kernel.buffers[b].dtype for b in totals}
        if len(dtypes) > 1 or any(not kernel.buffers[b].size for b in totals):
            return
        (dtype,) = dtypes
        line = max(1, _LINE // dtype.itemsize)
        sizes = {b: -(-kernel.buffers[b].size // line) * line for b in totals}
        size = sum(sizes.values())
        memory = sum([b.size * b.dtype.itemsize for b in kernel.buffers if not b.local])
        most = min(_MOST, int(time / _LEAST), memory // (_OF_MEMORY * size * dtype.itemsize))
        self.count, self.each = self._cut(most)
        if self.count < 2:
            return
        self.kinds = totals
        self.size = size
        self.number = len(kernel.buffers)
        self.buffer = Buffer(f"b{self.number}", dtype, self.count * size, True)
        starts = [sum(list(sizes.values())[:k]) for k in range(len(sizes))]
        self.starts = dict(zip(sizes, starts, strict=True))
        whole = self._parts()
        if not chunks.independent(Kernel("", [*kernel.buffers, self.buffer], []), whole):
            return
        self.worth = True
        self.left = self.extent - self.count * self.each
        rest = [self._rest()] if self.left else []
        self.nests = [whole, *[self._sum(b) for b in totals], *rest]

    def _cut(self, most: int) -> tuple[int, int]:
        """How many parts, and how many rounds each: such that little is left over, and that
        several rows can be taken together (see row_updates.py)."""
        if most < 2:
            return 0, 0
        found = []
        whole = self.loop.accumulators or any(
            type(i) is Value and i.op == "rare" for i in _everything(self.loop.body)
        )  # kernels with rare cases may do everything again
        for together in (_ROWS, 1):
            for count in range(2, most + 1):
                each = self.extent // count // together * together
                left = self.extent - count * each
                if each and not (whole and left):
                    twice = left > 0 or 2 * count < most
                    found.append((twice, together == 1, left + each, count, each))
        return min(found, default=(False, False, 0, 0, 0))[3:]

    def _totals(self) -> dict[int, str]:
        """The buffers whose elements all rounds of the outermost loop add to, and how; none where
        a value of such a buffer is read or written in another way."""
        axis, buffers = self.loop.axis, self.kernel.buffers
        items = list(_everything(self.loop.body))
        stores = [i for i in items if type(i) is Store and not buffers[i.buffer].local]
        found = {s.buffer: "" for s in stores if s.offset is None and not s.position[axis]}
        used: dict[int, int] = {}
        for item in items:
            for value in _read_by(item):
                used[id(value)] = used.get(id(value), 0) + 1
        pairs = 0
        for store in [s for s in stores if s.buffer in found]:
            kind = _KINDS.get(store.value.op, "")
            before = [
                v
                for v in store.value.args
                if v.op == "load" and not v.args and v.attr == (store.buffer, store.position)
                if v.part == store.part and used[id(v)] == 1
            ]
            if store.offset is not None or len(before) != 1 or used[id(store.value)] != 1:
                return {}
            if found[store.buffer] not in ("", kind) or not kind:
                return {}
            found[store.buffer] = kind
            pairs += 1
        loads = [i for i in items if type(i) is Value and i.op == "load" and i.attr[0] in found]
        return found if len(loads) == pairs else {}

    # ------------------------------------------------------------------------ nests

    def _parts(self) -> Nest:
        """All parts: a loop over them around the loop itself, in which totals are those of one
        part, cleared before."""
        axis, nest = self.loop.axis, self.nest
        inner = len(nest.extents)
        each = self.each
        extents = [*nest.extents, each]
        extents[axis] = self.count

        def place(buffer: int, p: Position) -> Position:
            by = p[axis]
            moved = [*p[:-1], by, p[-1]]
            moved[axis] = by * each
            if buffer in self.kinds:
                moved[axis] = self.size
                moved[-1] += self.starts[buffer]
            return tuple(moved)

        copies = _Copies(place, {b: self.number for b in self.kinds}, {axis: inner})
        loop = copies.loop(self.loop)
        clears = []
        for buffer, kind in self.kinds.items():
            clears.append(self._clear(buffer, kind, len(extents), axis))
            extents.append(self.kernel.buffers[buffer].size)
        for k, item in enumerate(clears):
            _widen([item], (0,) * (len(extents) - len(nest.extents) - 2 - k))
        _widen([loop], (0,) * (len(extents) - inner - 1))
        carried = [Accumulator(acc.kind, acc.result) for acc in loop.accumulators]
        outer = For(axis, [*clears, loop], carried)
        stored = []
        for item in nest.items[1:]:
            p = item.position
            value = item.value
            for acc, one in zip(self.loop.accumulators, carried, strict=True):
                value = one.result if value is acc.result else value
            wide = (*p[:-1], *(0,) * (len(extents) - inner), p[-1])
            stored.append(Store(item.buffer, wide, value, None, item.part))
        return Nest(tuple(extents), [outer, *stored], f"{nest.why}, in {self.count} parts")

    def _clear(self, buffer: int, kind: str, axis: int, parts: int) -> For:
        """A loop that sets one part's totals to what sums start from."""
        dtype = part_type(self.buffer.dtype)
        builder = LoopBuilder()
        start = builder.constant(identity(kind, dtype), dtype)
        place = [0] * (axis + 2)
        place[parts], place[axis], place[-1] = self.size, 1, self.starts[buffer]
        complex_ = self.buffer.dtype.kind == "c"
        stores = [Store(self.number, tuple(place), start, None, p) for p in range(1 + complex_)]
        return For(axis, [*builder.items, *stores], [])

    def _sum(self, buffer: int) -> Nest:
        """All parts' totals, added to the ones that others read."""
        dtype = part_type(self.buffer.dtype)
        op = next(op for op, kind in _KINDS.items() if kind == self.kinds[buffer])
        builder = LoopBuilder()
        stores = []
        for part in range(1 + (self.buffer.dtype.kind == "c")):
            place = (self.size, 1, self.starts[buffer])
            more = builder.load(self.number, place, dtype, part=part)
            total = builder.load(buffer, (0, 1, 0), dtype, part=part)
            stores.append(Store(buffer, (0, 1, 0), builder.binary(op, total, more), None, part))
        loop = For(0, [For(1, [*builder.items, *stores], [])], [])
        extents = (self.count, self.kernel.buffers[buffer].size)
        return Nest(extents, [loop], "adds up the parts' results")

    def _rest(self) -> Nest:
        """The rounds that are left over, after all parts."""
        axis = self.loop.axis
        extents = list(self.nest.extents)
        extents[axis] = self.left
        first = self.extent - self.left
        copies = _Copies(lambda _, p: (*p[:-1], p[-1] + p[axis] * first), {}, {})
        return Nest(tuple(extents), [copies.loop(self.loop)], "the rounds left over")


class _Copies:
    """Loops again, at other places of other buffers."""

    def __init__(self, place: Any, buffers: dict[int, int], axes: dict[int, int]) -> None:
        self.place = place
        self.buffers = buffers
        self.axes = axes
        self.made: dict[int, Value] = {}

    def of(self, value: Value) -> Value:
        return self.made.get(id(value), value)

    def loop(self, loop: For) -> For:
        body = [self._item(item) for item in loop.body]
        carried = []
        for acc in loop.accumulators:
            one = Accumulator(acc.kind, self.of(acc.value))
            self.made[id(acc.result)] = one.result
            carried.append(one)
        return For(self.axes.get(loop.axis, loop.axis), body, carried)

    def _item(self, item: Any) -> Any:
        if type(item) is For:
            return self.loop(item)
        if type(item) is Store:
            buffer = self.buffers.get(item.buffer, item.buffer)
            position = self.place(item.buffer, item.position)
            offset = None if item.offset is None else self.of(item.offset)
            return Store(buffer, position, self.of(item.value), offset, item.part)
        attr = item.attr
        if item.op == "load":
            buffer, position = attr
            attr = (self.buffers.get(buffer, buffer), self.place(buffer, position))
        elif item.op == "index":
            attr = self.place(-1, attr)
        new = Value(item.op, item.dtype, tuple([self.of(a) for a in item.args]), attr, item.part)
        self.made[id(item)] = new
        return new


def _everything(items: Sequence[Any]) -> Iterator[Any]:
    """The values and stores among items, and the loops, each behind what it holds."""
    for item in items:
        if type(item) is For:
            yield from _everything(item.body)
        yield item


def _read_by(item: Any) -> list[Value]:
    if type(item) is Value:
        return list(item.args)
    if type(item) is Store:
        return [item.value] if item.offset is None else [item.value, item.offset]
    return [acc.value for acc in item.accumulators]


def _widen(items: Sequence[Any], more: tuple[int, ...]) -> None:
    """Room for more axes in every position."""
    for item in items:
        if type(item) is For:
            _widen(item.body, more)
        elif type(item) is Store:
            item.position = (*item.position[:-1], *more, item.position[-1])
        elif item.op == "load":
            buffer, p = item.attr
            item.attr = (buffer, (*p[:-1], *more, p[-1]))
        elif item.op == "index":
            item.attr = (*item.attr[:-1], *more, item.attr[-1])
