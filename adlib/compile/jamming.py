"""Several rows of a reduction in one round of the loop over rows.

The end of a row's sum is a chain of additions that depend on each other, as long as many rounds of
the loop before it. Where four rows are summed side by side, their ends overlap, and what all rows
read, such as the vector in a product, is loaded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.compile.loopir import Position, Value

ROWS = 4

_MOST_VALUES = 16  # in the body of the loop: four times as many have to fit into registers
_LENGTHS = range(16, 1025)  # of rows: longer ones are read faster one after another


def fits(body: Sequence[Any], extents: Sequence[int], axis: int) -> bool:
    """Whether the loop over ``axis``, whose body is the innermost loop, gains by it."""
    if extents[axis] % ROWS or extents[axis + 1] not in _LENGTHS:
        return False
    if any(type(item) is not Value or item.op == "rare" for item in body):
        return False
    return len([item for item in body if item.op != "const"]) <= _MOST_VALUES


def moved(p: Position, axis: int, row: int) -> Position:
    """A position of row ``row`` of four, over an axis that counts fours."""
    return (*p[:axis], p[axis] * ROWS, *p[axis + 1 : -1], p[-1] + p[axis] * row)


def jammed(body: Sequence[Any], axis: int) -> tuple[list[Any], list[dict[int, Value]]]:
    """The body for four rows, and for each row which value is whose copy, by identity."""
    found: list[Any] = []
    copies: list[dict[int, Value]] = []
    for row in range(ROWS):
        names: dict[int, Value] = {}
        for item in body:
            names[id(item)] = copy = _copy(item, names, copies, axis, row)
            if row == 0 or copy is not copies[0][id(item)]:
                found.append(copy)
        copies.append(names)
    return found, copies


def _copy(
    item: Value, names: dict[int, Value], copies: list[dict[int, Value]], axis: int, row: int
) -> Value:
    args = tuple([names[id(a)] for a in item.args])
    attr = item.attr
    moves = False
    if item.op == "load":
        moves = attr[1][axis] != 0
        attr = (attr[0], moved(attr[1], axis, row))
    elif item.op == "index":
        moves = attr[axis] != 0
        attr = moved(attr, axis, row)
    if row and not moves:
        first = copies[0][id(item)]
        if all([a is b for a, b in zip(args, first.args, strict=True)]):
            return first
    return Value(item.op, item.dtype, args, attr, item.part)
