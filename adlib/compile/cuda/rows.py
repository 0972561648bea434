"""Regions as CUDA kernels: a block of threads for each row, one group after the other.

What the groups of a region hand to each other belongs to one row, so the threads of its block can
read it after a barrier. What nobody else reads lies in the block's shared memory, where it fits:
a softmax then reads its matrix from memory once and writes it once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adlib.compile.cuda.expressions import CudaElements, Statements, memory_type
from adlib.compile.cuda.kernels import Reducing, joined
from adlib.compile.cuda.source import BLOCKS, THREADS, Launch
from adlib.compile.nests import GroupWriter
from adlib.compile.regions import lead, reduced_axes
from adlib.compile.steps import Group, Region, Scheduled

# Bytes of shared memory for one row, beside what reductions need; every card has 48 KiB.
_SHARED = 32 << 10


def by_rows(region: Region) -> bool:
    """Whether the groups of a region can follow each other in a block of threads: where each
    reduction gives one number for a row."""
    return all(_complete(group, region) for group in region.groups)


def _complete(group: Group, region: Region) -> bool:
    leading = lead(group.space, len(region.outer))
    inner = {a for a in range(len(leading), len(group.space)) if group.space[a] != 1}
    shared = {a for a, k in enumerate(leading) if k >= 0}
    for eqn in group.eqns:
        axes = set(reduced_axes(eqn))
        if axes and (axes & shared or not inner <= axes):
            return False
    return True


class CudaRegion(GroupWriter):
    """The kernel of one region; ``launches`` and ``partials`` as of ``CudaGroup``."""

    elements = CudaElements

    def __init__(self, schedule: Scheduled, number: int, name: str) -> None:
        self.launches: list[Launch] = []
        self.partials: list[Any] = []
        super().__init__(schedule, number, name)

    @property
    def given(self) -> list[int]:
        """Numbers of the buffers that lie in memory."""
        return self.launches[0].buffers

    def write(self) -> None:
        region = self.schedule.steps[self.number]
        assert type(region) is Region
        rows = math.prod(region.outer)
        for group in region.groups:  # finds all buffers
            self.body(group)
        shared = self._shared(region, rows)
        source = Reducing(self, self.name, rows * max(math.prod(g.space) for g in region.groups))
        for number in shared:
            buffer = self.buffers[number]
            size = buffer.size // rows * (2 if buffer.dtype.kind == "c" else 1)
            source.line(f"__shared__ {memory_type(buffer.dtype)} s{number}[{size}];")
        source.line(f"for (index w = blockIdx.x; w < {rows}; w += gridDim.x) {{")
        source.axes("w", region.outer)
        outer = list(source.names)
        widest = 1
        for group in region.groups:
            widest = max(widest, self._group(source, group, outer, shared))
        source.line("}")
        threads = min(THREADS, max(32, 1 << (widest - 1).bit_length()))
        self.launches.append(source.launch(max(1, min(rows, 16 * BLOCKS)), threads))

    def _shared(self, region: Region, rows: int) -> set[int]:
        """The buffers that need no place beyond the row's block."""
        room, found = _SHARED, set()
        for number, var in enumerate(self.variables):
            size = var.aval.nbytes // rows
            if var in region.local and size <= room:
                room -= size
                found.add(number)
        return found

    def _group(self, source: Reducing, group: Group, outer: Sequence[str], shared: set[int]) -> int:
        """The loop of one group over a row; how many rounds it has."""
        body = self.body(group)
        leading = lead(group.space, len(outer))
        count = math.prod(group.space[len(leading) :])
        source.line("{")
        results = [(-1, r) for r in self.reductions]
        source.totals(results)
        source.line(f"for (index c = threadIdx.x; c < {count}; c += blockDim.x) {{")
        source.names = [outer[k] if k >= 0 else "0" for k in leading]
        source.names += ["0"] * (len(group.space) - len(leading))
        source.axes("c", group.space, range(len(leading), len(group.space)))
        writer = _Row([b.dtype for b in self.buffers], source.names, len(leading), shared)
        writer.tables = source.tables
        writer.write(body)
        source.lines += writer.lines
        for number, r in enumerate(self.reductions):
            value = writer.names[id(r.value)]
            source.line(f"t{number} = {joined(r, f't{number}', value)};")
        source.line("}")
        for number, r in enumerate(self.reductions):
            source.combined(number, r, writer.place(r.number, r.position, part=r.part))
        source.line("__syncthreads();")
        source.line("}")
        return count


class _Row(Statements):
    """Statements within a row: what lies in shared memory has no place for the other rows."""

    def __init__(
        self, dtypes: Sequence[Any], axes: Sequence[str], leading: int, shared: set[int]
    ) -> None:
        super().__init__(dtypes, axes)
        self.leading = leading
        self.shared = shared

    def place(self, buffer: int, position: Any, offset: str = "", part: int = 0) -> str:
        if buffer not in self.shared:
            return super().place(buffer, position, offset, part)
        inner = (*[0] * self.leading, *position[self.leading :])
        return "s" + super().place(buffer, inner, offset, part)[1:]
