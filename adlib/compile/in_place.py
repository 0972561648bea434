"""Results in the memory of operands: when a kernel may overwrite what it reads.

A loop's carried array that is updated where it lies costs no copy in each round, and a donated
argument no memory. That is right where every element is read before it is written, by the same
point of the same loops, and by nothing later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adlib.compile.loopir import For, Kernel, Nest, Position, Store, Value


def merge(kernel: Kernel, read: int, written: int) -> bool:
    """Let a kernel find in buffer ``written`` what it reads from buffer ``read``, if that is
    right when both are the same memory. Returns whether it is, and was done."""
    if kernel.buffers[read].size != kernel.buffers[written].size:
        return False
    if kernel.buffers[read].dtype != kernel.buffers[written].dtype:
        return False
    if any(item.op == "rare" for nest in kernel.nests for item in _values(nest.items)):
        return False  # such kernels may do everything again
    reading = [n for n, nest in enumerate(kernel.nests) if _loads(nest.items, read)]
    writing = [n for n, nest in enumerate(kernel.nests) if _stores(nest.items, written)]
    if reading and writing:
        if reading[-1] > writing[0]:
            return False
        if reading[-1] == writing[0] and not _pointwise(kernel.nests[writing[0]], read, written):
            return False
    for nest in kernel.nests:
        for load in _loads(nest.items, read):
            load.attr = (written, load.attr[1])
    kernel.nests[:] = [nest for nest in kernel.nests if not _leaves_as_is(nest, written)]
    return True


def _values(items: Sequence[Any]) -> Iterator[Value]:
    for item in items:
        if type(item) is Value:
            yield item
        elif type(item) is For:
            yield from _values(item.body)


def _loads(items: Sequence[Any], buffer: int) -> list[Value]:
    return [v for v in _values(items) if v.op == "load" and v.attr[0] == buffer]


def _stores(items: Sequence[Any], buffer: int | None = None) -> list[Store]:
    """The stores to a buffer, or all."""
    found = []
    for item in items:
        if type(item) is Store and buffer in (None, item.buffer):
            found.append(item)
        elif type(item) is For:
            found += _stores(item.body, buffer)
    return found


def _pointwise(nest: Nest, read: int, written: int) -> bool:
    """Whether each point reads one element, and then writes it, as no other point does."""
    body, axes = _innermost(nest)
    if body is None:
        return False
    loads, stores = _loads(nest.items, read), _stores(nest.items, written)
    if any(load.args for load in loads) or any(store.offset is not None for store in stores):
        return False
    here = {id(item) for item in body}
    if not all([id(x) in here for x in (*loads, *stores)]):
        return False
    places = {load.attr[1] for load in loads} | {store.position for store in stores}
    if len(places) != 1 or not _distinct(places.pop(), nest, axes):
        return False
    first_store = min([k for k, item in enumerate(body) if type(item) is Store])
    return all([body.index(load) < first_store for load in loads])


def _innermost(nest: Nest) -> tuple[list[Any] | None, list[int]]:
    """The body of loops within each other, one at each level, and their axes."""
    body: list[Any] = nest.items
    axes: list[int] = []
    while inner := [item for item in body if type(item) is For]:
        if len(inner) > 1:
            return None, axes
        axes.append(inner[0].axis)
        body = inner[0].body
    return body, axes


def _distinct(position: Position, nest: Nest, axes: Sequence[int]) -> bool:
    """Whether no two points of the loops have the same place."""
    reach = 1
    for step, extent in sorted([(abs(position[a]), nest.extents[a]) for a in axes]):
        if extent > 1:
            if step < reach:
                return False
            reach = step * extent
    return True


def _leaves_as_is(nest: Nest, buffer: int) -> bool:
    """Whether a nest does nothing but store what it has read from the same place."""
    stores = _stores(nest.items)
    return bool(stores) and all(
        [
            s.buffer == buffer
            and s.offset is None
            and s.value.op == "load"
            and not s.value.args
            and s.value.attr == (buffer, s.position)
            and s.value.part == s.part
            for s in stores
        ]
    )
