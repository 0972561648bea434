"""Several rows added to totals in memory in one round of the loop over rows.

Where a sum runs over an outer loop, as in the product of a vector and a matrix, every row reads
and writes all totals again. Several rows at once do that once, and are joined two by two before
that, so that no long chain of operations waits for each other. Sums along the rows, if the same
loop makes some, stand side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from adlib.compile.loopir import Accumulator, For, Kernel, Nest, Store, Value, loops

# Rows at once: the first number that divides the loop.
_ROWS = (8, 4, 3, 2)
_SHORT = 6  # values of one row up to which so many as eight fit into registers
_MOST_VALUES = 12  # of one row: four rows' have to
_JOINING = ("add", "mul", "max", "min", "and", "or", "xor")


def joined(kernel: Kernel) -> Kernel:
    """The kernel with rows that are added to the same totals taken together."""
    nests = [_nest(nest) for nest in kernel.nests]
    if all([new is old for new, old in zip(nests, kernel.nests, strict=True)]):
        return kernel
    return Kernel(kernel.name, kernel.buffers, nests)


def _nest(nest: Nest) -> Nest:
    """A nest whose loops over rows take several rows at once, where they can."""
    times = Counter(_axes(nest.items))
    extents = list(nest.extents)
    items = _items(nest.items, extents, times)
    return nest if items is nest.items else Nest(tuple(extents), items, nest.why)


def _axes(items: Sequence[Any]) -> Iterator[int]:
    """The axis of every loop."""
    for loop in [item for item in items if type(item) is For]:
        yield loop.axis
        yield from _axes(loop.body)


def _items(items: list[Any], extents: list[int], times: Counter[int]) -> list[Any]:
    """Items with the loops among them cut, and ``extents`` as they are then; the same list where
    there is nothing to cut."""
    found: list[Any] = []
    for item in items:
        new = item
        if type(item) is For:
            inner = loops(item.body)
            if len(inner) == 1 and not loops(inner[0].body):
                rows = _rows(item, inner[0], extents) if times[item.axis] == 1 else 0
                changed = _update(item, inner[0], rows) if rows else None
                if rows and changed is None:
                    changed = _chains(item, inner[0], rows, extents)
                if changed is not None:
                    extents[item.axis] //= rows
                    new = changed
            elif inner:
                body = _items(item.body, extents, times)
                if body is not item.body:
                    new = For(item.axis, body, item.accumulators)
        found.append(new)
    return items if all([a is b for a, b in zip(found, items, strict=True)]) else found


def _rows(outer: For, inner: For, extents: Sequence[int]) -> int:
    """How many rows are taken at once; 0 for no more than one."""
    extent = extents[outer.axis]
    values = [item for item in inner.body if type(item) is Value]
    if len(values) > _MOST_VALUES or any(v.op == "rare" for v in values):
        return 0
    sizes = _ROWS if len(values) <= _SHORT and not inner.accumulators else _ROWS[1:]
    return next((r for r in sizes if extent % r == 0 and (extent > r or r >= 4)), 0)


def _update(outer: For, inner: For, rows: int) -> For | None:
    """The loop over groups of rows; None where rows are not just added to totals."""
    place = outer.body.index(inner)
    before, after = outer.body[:place], outer.body[place + 1 :]
    if outer.accumulators or any(type(item) is not Value for item in before):
        return None
    if any(type(item) is not Store or not item.position[outer.axis] for item in after):
        return None
    stores = [item for item in inner.body if type(item) is Store]
    values = [item for item in inner.body if type(item) is Value]
    places = {(s.buffer, s.part): s for s in stores}
    if not stores or len(places) != len(stores) or inner.body[len(values) :] != stores:
        return None
    if any(s.offset is not None or s.position[outer.axis] for s in stores):
        return None
    written = {s.buffer for s in stores}
    apart = written | {s.buffer for s in after}
    if len(apart) != len(written) + len({s.buffer for s in after}):
        return None
    if any(item.op == "load" and item.attr[0] in apart for item in before):
        return None
    totals: dict[int, Store] = {}  # loads of what is added to
    for value in values:
        if value.op == "load" and value.attr[0] in apart:
            store = places.get((value.attr[0], value.part))
            if store is None or value.args or value.attr[1] != store.position:
                return None
            totals[id(value)] = store
    if len(totals) != len(stores):
        return None
    copies = _Copies(outer.axis, rows)
    first: list[Any] = []
    body: list[Any] = []
    added = _added(values, stores, inner, totals)
    for row in range(rows):
        for item in before:
            copies.copy(item, row, first)
        for value in values:
            store = totals.get(id(value))
            if id(value) in added:
                continue
            if store is None or row == 0:
                copies.copy(value, row, body)
            else:  # what the row before has made
                copies.made[id(value), row] = copies.of(store.value, row - 1)
    for value, total, part in added.values():
        parts = [copies.of(part, row) for row in range(rows)]
        copies.made[id(value), rows - 1] = _combined(value, copies.of(total, 0), parts, body)
    last = [Store(s.buffer, s.position, copies.of(s.value, rows - 1), None, s.part) for s in stores]
    carried = copies.accumulators(inner)
    loop = For(inner.axis, [*body, *last], carried)
    return For(outer.axis, [*first, loop, *copies.stores(after)], [])


def _added(
    values: Sequence[Value], stores: Sequence[Store], inner: For, totals: dict[int, Store]
) -> dict[int, tuple[Value, Value, Value]]:
    """The new totals that are an old one and a part of each row: (it, the old one, the part)."""
    used = Counter([id(a) for v in values for a in v.args])
    used.update([id(s.value) for s in stores])
    used.update([id(acc.value) for acc in inner.accumulators])
    found = {}
    for value in values:
        if value.op not in _JOINING or len(value.args) != 2 or used[id(value)] != 1:
            continue
        old = [a for a in value.args if id(a) in totals and totals[id(a)].value is value]
        if len(old) == 1 and used[id(old[0])] == 1:
            (part,) = [a for a in value.args if a is not old[0]]
            found[id(value)] = (value, old[0], part)
    return found


def _combined(value: Value, total: Value, parts: Sequence[Value], body: list[Any]) -> Value:
    """The parts of all rows joined two by two, and then with the total, so that few operations
    wait for each other; the instructions go to ``body``."""

    def joined(x: Value, y: Value) -> Value:
        body.append(Value(value.op, value.dtype, (x, y)))
        return body[-1]  # type: ignore[no-any-return]

    while len(parts) > 1:
        pairs = [joined(x, y) for x, y in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, *parts[2 * len(pairs) :]]
    return joined(total, parts[0])


def _chains(outer: For, inner: For, rows: int, extents: Sequence[int]) -> For | None:
    """The loop over groups of rows whose inner loops are chains; None where they are not, or
    where a row reads or writes what another one writes."""
    values = [item for item in inner.body if type(item) is Value]
    stores = inner.body[len(values) :]
    before = outer.body[:-1]
    if outer.accumulators or inner.accumulators or outer.body[-1] is not inner:
        return None
    if not stores or any(type(s) is not Store or s.offset is not None for s in stores):
        return None
    if any(type(item) is not Value or item.op == "load" for item in before):
        return None
    written = {s.buffer: s.position for s in stores}
    reads = [v for v in values if v.op == "load" and v.attr[0] in written]
    if not any(v.attr[1] != written[v.attr[0]] for v in reads) or any(v.args for v in reads):
        return None
    for buffer in written:
        places = [v.attr[1] for v in reads if v.attr[0] == buffer]
        places += [s.position for s in stores if s.buffer == buffer]
        if not _apart(places, outer.axis, inner.axis, extents[inner.axis]):
            return None
    copies = _Copies(outer.axis, rows)
    first: list[Any] = []
    body: list[Any] = []
    for row in range(rows):
        for item in before:
            copies.copy(item, row, first)
        for value in values:
            copies.copy(value, row, body)
    return For(outer.axis, [*first, For(inner.axis, [*body, *copies.stores(stores)], [])], [])


def _apart(places: Sequence[Sequence[int]], row: int, along: int, length: int) -> bool:
    """Whether rows that differ in one axis reach different places along another one."""
    if len({tuple(p[:-1]) for p in places}) != 1:
        return False
    by = places[0][along] * (length - 1)
    low = min([p[-1] for p in places]) + min(0, by)
    high = max([p[-1] for p in places]) + max(0, by)
    return abs(places[0][row]) > high - low


class _Copies:
    """Instructions of several rows, equal ones made once."""

    def __init__(self, axis: int, rows: int) -> None:
        self.axis = axis
        self.rows = rows
        self.made: dict[tuple[int, int], Value] = {}  # by original and row
        self.memo: dict[Any, Value] = {}

    def position(self, position: Sequence[int], row: int) -> tuple[int, ...]:
        moved = list(position)
        step = moved[self.axis]
        moved[self.axis] = step * self.rows
        moved[-1] += step * row
        return tuple(moved)

    def of(self, value: Value, row: int) -> Value:
        return self.made.get((id(value), row), value)

    def copy(self, value: Value, row: int, into: list[Any]) -> None:
        args = tuple([self.of(a, row) for a in value.args])
        attr = value.attr
        if value.op == "load":
            attr = (attr[0], self.position(attr[1], row))
        elif value.op == "index":
            attr = self.position(attr, row)
        known = id(attr) if value.op in ("const", "lookup") else attr
        key = (value.op, value.dtype, tuple([id(a) for a in args]), known, value.part)
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = Value(value.op, value.dtype, args, attr, value.part)
            into.append(found)
        self.made[id(value), row] = found

    def accumulators(self, loop: For) -> list[Accumulator]:
        """What a loop carries, for each row."""
        found = []
        for row in range(self.rows):
            for acc in loop.accumulators:
                one = Accumulator(acc.kind, self.of(acc.value, row))
                self.made[id(acc.result), row] = one.result
                found.append(one)
        return found

    def stores(self, stores: Sequence[Store]) -> list[Store]:
        """Stores of one row's results, for each row."""
        return [
            Store(s.buffer, self.position(s.position, row), self.of(s.value, row), None, s.part)
            for row in range(self.rows)
            for s in stores
        ]
