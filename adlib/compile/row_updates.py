"""Several rows added to totals in memory in one round of the loop over rows.

Where a sum runs over an outer loop, as in the product of a vector and a matrix, every row reads
and writes all totals again. Four rows at once do that once; the order in which each total is made
stays what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.compile.loopir import For, Kernel, Nest, Store, Value

# Rows at once: the first number that divides the loop.
_ROWS = (4, 3, 2)
_MOST_VALUES = 12  # of one row: all rows' have to fit into registers


def joined(kernel: Kernel) -> Kernel:
    """The kernel with rows that are added to the same totals taken together."""
    nests = [_nest(nest) for nest in kernel.nests]
    if all([new is old for new, old in zip(nests, kernel.nests, strict=True)]):
        return kernel
    return Kernel(kernel.name, kernel.buffers, nests)


def _nest(nest: Nest) -> Nest:
    """A nest whose loops stand one within the other, with the last two but one cut."""
    levels: list[For] = []
    items = nest.items
    while loops := [item for item in items if type(item) is For]:
        if len(loops) > 1 or loops[0].accumulators:
            return nest
        levels.append(loops[0])
        items = loops[0].body
    if len(levels) < 2:
        return nest
    outer, inner = levels[-2:]
    extent = nest.extents[outer.axis]
    rows = next((r for r in _ROWS if extent % r == 0 and extent > r), 0)
    values = [item for item in inner.body if type(item) is Value]
    if not rows or len(values) > _MOST_VALUES or any(v.op == "rare" for v in values):
        return nest
    new = _update(outer, inner, rows)
    if new is None:
        return nest
    for k in reversed(range(len(levels) - 2)):
        body = [new if item is levels[k + 1] else item for item in levels[k].body]
        new = For(levels[k].axis, body, [])
    extents = [n // rows if axis == outer.axis else n for axis, n in enumerate(nest.extents)]
    top = [new if item is levels[0] else item for item in nest.items]
    return Nest(tuple(extents), top, nest.why)


def _update(outer: For, inner: For, rows: int) -> For | None:
    """The loop over groups of rows; None where rows are not just added to totals."""
    before = outer.body[:-1]
    if outer.body[-1] is not inner or any(type(item) is not Value for item in before):
        return None
    stores = [item for item in inner.body if type(item) is Store]
    values = [item for item in inner.body if type(item) is Value]
    places = {(s.buffer, s.part): s for s in stores}
    if len(places) != len(stores) or inner.body[len(values) :] != stores:
        return None
    if any(s.offset is not None or s.position[outer.axis] for s in stores):
        return None
    written = {s.buffer for s in stores}
    if any(item.op == "load" and item.attr[0] in written for item in before):
        return None
    totals: dict[int, Store] = {}  # loads of what is added to
    for value in values:
        if value.op == "load" and value.attr[0] in written:
            store = places.get((value.attr[0], value.part))
            if store is None or value.args or value.attr[1] != store.position:
                return None
            totals[id(value)] = store
    if len(totals) != len(stores):
        return None
    copies = _Copies(outer.axis, rows)
    first: list[Any] = []
    body: list[Any] = []
    for row in range(rows):
        for item in before:
            copies.copy(item, row, first)
        for value in values:
            store = totals.get(id(value))
            if store is None or row == 0:
                copies.copy(value, row, body)
            else:  # what the row before has made
                copies.made[id(value), row] = copies.of(store.value, row - 1)
    last = [Store(s.buffer, s.position, copies.of(s.value, rows - 1), None, s.part) for s in stores]
    return For(outer.axis, [*first, For(inner.axis, [*body, *last], [])], [])


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
