"""The text of one kernel in the making."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from adlib.compile import axes as axes_
from adlib.compile.cuda.expressions import Statements, memory_type, table_text
from adlib.compile.loopir import Buffer, part_type
from adlib.core.jaxpr import Var

THREADS = 256  # of a block
_MANY = 1 << 30  # positions from which on 64 bits are needed: a stride beyond must still fit
BLOCKS = 132 * 16  # that keep a large device busy

FIRST = "index(blockIdx.x) * blockDim.x + threadIdx.x"  # a thread's first element of many
STRIDE = "index(gridDim.x) * blockDim.x"


class Launch(NamedTuple):
    """One kernel and how it is started.

    Attributes:
      name: of the function; its parameters are pointers to buffers, then to partial results.
      source: its text, without what is common to all (``expressions.PRELUDE``).
      blocks, threads: of the grid.
      buffers: numbers of the buffers that it is given.
      partials: numbers of the arrays of partial results that it is given.
    """

    name: str
    source: str
    blocks: int
    threads: int
    buffers: list[int]
    partials: list[int]


class Writer(Protocol):
    """What writes kernels: see ``nests.Reader`` for the rest."""

    schedule: Any
    variables: list[Var]
    buffers: list[Buffer]
    partials: list[tuple[int, np.dtype[Any]]]
    launches: list[Launch]


class Source:
    """The text of one kernel in the making.

    Attributes:
      names: of the axes' coordinates, as far as they are known.
      partials: numbers of the arrays of partial results that it is given.
      tables: constant arrays that it looks into; ``functions``: texts of those that it calls.
      index: the type of positions.
    """

    def __init__(self, group: Writer, name: str, points: int) -> None:
        self.group = group
        self.name = name
        self.lines: list[str] = []
        self.partials: list[int] = []
        self.tables: dict[str, np.ndarray[Any, Any]] = {}
        self.names: list[str] = []
        self.functions: list[str] = []
        largest = max([b.size for b in group.buffers], default=0)
        self.index = "s32" if max(points, 2 * largest) < _MANY else "s64"

    def line(self, text: str) -> None:
        self.lines.append(text)

    def axes(self, flat: str, extents: Sequence[int], of: Sequence[int] | None = None) -> None:
        """The axes' coordinates of a number that counts through some of them, the last fastest."""
        numbers = list(range(len(extents))) if of is None else list(of)
        self.names = self.names if len(self.names) == len(extents) else ["0"] * len(extents)
        rest = flat
        for place, axis in reversed(list(enumerate(numbers))):
            name = self.names[axis] = f"a{axis}"
            if place == 0:
                self.line(f"const index {name} = {rest};")
                return
            size = max(extents[axis], 1)  # a loop that never runs must not divide by its extent
            self.line(f"const index {name} = {rest} % {size}, r{axis} = {rest} / {size};")
            rest = f"r{axis}"

    def statements(self, body: Sequence[Any]) -> Statements:
        writer = Statements([b.dtype for b in self.group.buffers], self.names)
        writer.tables = self.tables
        writer.write(body)
        self.lines += writer.lines
        return writer

    # ----------------------------------------------------------------- the whole

    def launch(self, blocks: int, threads: int) -> Launch:
        """The kernel with the buffers that its text mentions."""
        text = _indented([f"typedef {self.index} index;", *self.lines])
        used = set(re.findall(r"\bb\d+\b", text))
        buffers = [i for i in range(len(self.group.buffers)) if f"b{i}" in used]
        params = []
        for i in buffers:
            buffer = self.group.buffers[i]
            const = "" if buffer.written else "const "
            params.append(f"{const}{memory_type(buffer.dtype)}* __restrict__ b{i}")
        for place in self.partials:
            type_ = memory_type(part_type(self.group.partials[place][1]))
            params.append(f"{type_}* __restrict__ p{place}")
        tables = [
            table_text(f"{self.name}_{name}", table) + f"\n#define {name} {self.name}_{name}"
            for name, table in self.tables.items()
        ]
        undone = [f"#undef {name}" for name in self.tables]
        source = "\n".join(
            [
                *tables,
                *self.functions,
                f'extern "C" __global__ void {self.name}({", ".join(params)}) {{',
                text,
                "}",
                *undone,
            ]
        )
        return Launch(self.name, source, blocks, threads, buffers, list(self.partials))


def _indented(lines: Sequence[str]) -> str:
    """Lines with two spaces for each open brace, and for a loop's single statement."""
    found, depth = [], 1
    for i, line in enumerate(lines):
        depth -= line.startswith("}")
        single = i and lines[i - 1].startswith("for (") and not lines[i - 1].endswith("{")
        found.append("  " * (depth + bool(single)) + line.strip())
        depth += line.count("{") - line.count("}") + line.startswith("}")
    return "\n".join(found)


def grid(total: int, width: int = 1) -> tuple[int, int]:
    """Blocks and threads for so many elements, ``width`` of them for each thread and round."""
    threads = min(THREADS, max(32, -(-total // 32) * 32))
    return max(1, min(-(-total // (threads * width)), BLOCKS)), threads


def joined_axes(
    space: Sequence[int], body: Sequence[Any], apart: Sequence[Sequence[int]] = ()
) -> tuple[list[list[int]], list[int]]:
    """Axes of a body that can be one are one: (runs of axes, extents). Sets of axes that are
    treated ``apart`` stay so."""
    runs = axes_.joined(space, axes_.positions(body), apart)
    axes_.map_positions(body, lambda p, _: axes_.moved(p, runs))
    return runs, [math.prod([space[a] for a in run]) for run in runs]
