"""Kernels that go through elements: several at once, where they lie side by side.

A thread that reads and writes 16 bytes at a time keeps more of the memory's bandwidth busy. That
can be where the last axis runs along memory, or not at all, in all that is read and written, and
where all rows begin at multiples of so many elements; buffers themselves do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adlib.compile.cuda.expressions import Statements, memory_type
from adlib.compile.cuda.source import FIRST, STRIDE, Source, Writer, grid
from adlib.compile.loopir import Position, Store

_BYTES = 16  # that one thread reads at once
_MOST = 4  # elements in a round

Stream = tuple[int, Position]  # a buffer, and where it is read or written


def mapped(group: Writer, name: str, body: list[Any], extents: Sequence[int]) -> None:
    """A kernel that goes through all elements of a space."""
    total = math.prod(extents)
    if not total:
        return
    width = _width(group, body, extents)
    source = Source(group, name, total)
    if width > 1:
        _several(source, body, extents, width)
    else:
        source.line(f"for (index i = {FIRST}; i < {total}; i += {STRIDE}) {{")
        source.axes("i", extents)
        source.statements(body)
        source.line("}")
    group.launches.append(source.launch(*grid(total, width)))


def _width(group: Writer, body: Sequence[Any], extents: Sequence[int]) -> int:
    """How many elements a thread takes at once."""
    width = 1
    streams: list[Stream] = []
    for item in body:
        if type(item) is Store:
            position, buffer, offset = item.position, item.buffer, item.offset
        elif item.op == "load":
            buffer, position = item.attr
            offset = item.args or None
        else:
            continue
        dtype = group.buffers[buffer].dtype
        if offset is not None or dtype.kind == "c" or position[-2:-1] not in ((0,), (1,)):
            return 1
        if position[-2]:
            streams.append((buffer, position))
            width = max(width, _BYTES // dtype.itemsize)
    width = min(width, _MOST)
    if len(extents) > 1:  # a single row may have a rest
        width = math.gcd(width, extents[-1])
    if extents and width > extents[-1]:
        return 1
    for buffer, position in streams:
        width = math.gcd(width, *position[:-2], position[-1])
        width = min(
            width, max(1, _alignment(group, buffer) // group.buffers[buffer].dtype.itemsize)
        )
    return width


def _alignment(group: Writer, buffer: int) -> int:
    """Bytes of which a buffer's address is known to be a multiple; beyond ``_BYTES``, any."""
    schedule, var = group.schedule, group.variables[buffer]
    inner = schedule.results  # of a program within a program, whose rows may begin anywhere
    if not inner or not (var in inner or var in schedule.jaxpr.invars):
        return _MOST * _BYTES
    size = group.buffers[buffer].dtype.itemsize * group.buffers[buffer].size
    together = math.gcd(_BYTES, size)
    return together if together < _BYTES else _MOST * _BYTES


def _several(source: Source, body: list[Any], extents: Sequence[int], width: int) -> None:
    """Loops in which what is read and written of each stream is one access."""
    *outer, last = extents
    rounds = [*outer, last // width]
    buffers = source.group.buffers
    writer = _Streamed([b.dtype for b in buffers], [])
    for number in sorted({buffer for buffer, _ in (*_loads(body), *_stores(body))}):
        type_ = memory_type(buffers[number].dtype)
        together = min(_BYTES, width * buffers[number].dtype.itemsize)
        source.line(f"struct alignas({together}) w{number} {{ {type_} v[{width}]; }};")
    source.line(f"for (index i = {FIRST}; i < {math.prod(rounds)}; i += {STRIDE}) {{")
    source.axes("i", rounds)

    def place(buffer: int, position: Position) -> str:
        """A stream's element of several."""
        steps = [step // width for step in position]
        steps[-2] = 1
        at = Statements([], source.names).at(tuple(steps))
        return f"w{buffer}*>(b{buffer})[{at}]"

    for buffer, position in _loads(body):
        name = writer.read[buffer, position] = f"x{len(writer.read)}"
        value = f"reinterpret_cast<const {place(buffer, position)}"
        source.line(f"const w{buffer} {name} = {value};")
    for buffer, position in _stores(body):
        name = writer.written[buffer, position] = f"y{len(writer.written)}"
        source.line(f"w{buffer} {name};")
    source.line("#pragma unroll")
    source.line(f"for (int k = 0; k < {width}; ++k) {{")
    writer.axes = [*source.names[:-1], f"({source.names[-1]} * {width} + k)"]
    writer.tables = source.tables
    writer.write(body)
    source.lines += writer.lines
    source.line("}")
    for (buffer, position), name in writer.written.items():
        source.line(f"reinterpret_cast<{place(buffer, position)} = {name};")
    source.line("}")
    if last % width:
        source.line(
            f"for (index i = {last - last % width} + {FIRST}; i < {last}; i += {STRIDE}) {{"
        )
        source.names = ["i"]
        source.statements(body)
        source.line("}")


def _loads(body: Sequence[Any]) -> list[Stream]:
    loads = [item.attr for item in body if type(item) is not Store and item.op == "load"]
    return list(dict.fromkeys([(b, p) for b, p in loads if p[-2]]))


def _stores(body: Sequence[Any]) -> list[Stream]:
    stores = [(s.buffer, s.position) for s in body if type(s) is Store and s.position[-2]]
    return list(dict.fromkeys(stores))


class _Streamed(Statements):
    """Statements that read and write streams in registers that hold several elements."""

    def __init__(self, dtypes: Sequence[Any], axes: Sequence[str]) -> None:
        super().__init__(dtypes, axes)
        self.read: dict[Stream, str] = {}
        self.written: dict[Stream, str] = {}
        self._storing = False

    def place(self, buffer: int, position: Position, offset: str = "", part: int = 0) -> str:
        streams = self.written if self._storing else self.read
        if (buffer, position) in streams:
            return f"{streams[buffer, position]}.v[k]"
        return super().place(buffer, position, offset, part)

    def store(self, item: Store) -> None:
        self._storing = True
        super().store(item)
        self._storing = False
