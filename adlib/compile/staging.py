"""Tiles of transposed memory go through a buffer in the cache.

A tile that is read along one axis and written along another would be read a few bytes here and
there, each time from another page, and from places that may all fall into one set of the cache.
So each tile is first copied to a small buffer, row by row as it lies in memory, and read from
there; the buffer's rows are one element longer than the tile's, against the same conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.compile.axes import map_positions
from adlib.compile.loopir import Buffer, For, Position, Store, Value

_ACROSS = 16  # elements from which on a step leaves the line of the cache


def staged(body: Sequence[Any], extents: list[int], buffers: list[Buffer]) -> list[Any]:
    """Loops that fill the buffers of a tile, whose axes are the last two; none if nothing needs it.

    Changes the body, which then reads the buffers, and adds the loops' axes to the extents.
    """
    tall, wide = len(extents) - 2, len(extents) - 1
    written = {item.buffer for item in body if type(item) is Store}
    loads = [
        item
        for item in body
        if type(item) is Value and item.op == "load" and not item.args
        if abs(item.attr[1][tall]) == 1 and abs(item.attr[1][wide]) > _ACROSS
        if item.attr[0] not in written
    ]
    if not loads:
        return []
    rows, length = extents[wide], extents[tall]
    map_positions(body, lambda p, _: (*p[:-1], 0, 0, p[-1]))
    filling: dict[Any, int] = {}
    items: list[Any] = []
    for load in loads:
        key = (*load.attr, load.part)
        if key not in filling:
            filling[key] = len(buffers)
            buffers.append(Buffer(f"b{len(buffers)}", load.dtype, rows * (length + 1), True))
            buffers[-1].local = True
            items.append(_fill(load, filling[key], tall, length))
        place = [0] * (wide + 4)
        place[tall], place[wide] = 1, length + 1
        load.attr, load.part = (filling[key], tuple(place)), 0
    extents += [rows, length]
    return items


def _fill(load: Value, number: int, tall: int, length: int) -> For:
    """The loops over rows and elements of a tile that copy what a load reads."""
    buffer, p = load.attr
    row, column = tall + 2, tall + 3
    source: Position = (*p[:tall], 0, 0, p[tall + 1], p[tall], p[-1])
    copied = Value("load", load.dtype, (), (buffer, source), load.part)
    place = [0] * (column + 2)
    place[row], place[column] = length + 1, 1
    inner = For(column, [copied, Store(number, tuple(place), copied)], [])
    return For(row, [inner], [])
