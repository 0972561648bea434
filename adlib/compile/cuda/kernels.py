"""Groups of equations as CUDA kernels.

A group without reductions is one thread for each element, in strides of the whole grid, or for
several elements (see ``maps``). A group with reductions has one kernel for each set of reduced
axes. Where the reduced axes are contiguous, and long, the threads of a block share a row and
combine what each has found; otherwise a thread takes a short row, or a column, of which neighbours
read neighbours. Rows that are too few to fill the device are cut into parts, whose results a
second, small kernel combines in order: the same bits at every run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.compile import axes as axes_
from adlib.compile.builder import BOOL
from adlib.compile.cuda.expressions import CudaElements, c_type, literal, memory_type
from adlib.compile.cuda.maps import mapped
from adlib.compile.cuda.source import (
    BLOCKS,
    FIRST,
    STRIDE,
    THREADS,
    Launch,
    Source,
    joined_axes,
)
from adlib.compile.loopir import Store, identity
from adlib.compile.nests import GroupWriter, Reduction
from adlib.compile.steps import Group, Scheduled

_SHORT = 32  # elements of a row that one thread goes through by itself

_JOIN = {
    "sum": "{x} + {y}",
    "prod": "{x} * {y}",
    "and": "{x} & {y}",
    "or": "{x} | {y}",
    "xor": "{x} ^ {y}",
}


class CudaGroup(GroupWriter):
    """The kernels of one group.

    Attributes:
      launches: in order of execution.
      partials: (elements, dtype) of arrays for partial results.
    """

    elements = CudaElements

    def __init__(self, schedule: Scheduled, number: int, name: str, group: Group) -> None:
        self.one = group
        self.launches: list[Launch] = []
        self.partials: list[tuple[int, np.dtype[Any]]] = []
        super().__init__(schedule, number, name)

    @property
    def given(self) -> list[int]:
        """Numbers of the buffers that lie in memory."""
        return list(range(len(self.buffers)))

    def write(self) -> None:
        first = True
        for axes in self._sets():
            body = self.body(self.one)
            self.reductions = [r for r in self.reductions if r.axes == axes]
            if not first:  # elements are stored once
                body = [item for item in body if type(item) is not Store]
            space = self.one.space
            runs, extents = joined_axes(space, body, [r.axes for r in self.reductions])
            for r in self.reductions:
                r.position = axes_.moved(r.position, runs)
            name = self.name if first else f"{self.name}_{len(self.launches)}"
            if self.reductions:
                reduced = sorted(axes_.runs_of(axes, runs))
                self._reduce(name, body, extents, reduced)
            else:
                mapped(self, name, body, extents)
            first = False

    def _sets(self) -> list[tuple[int, ...]]:
        """The sets of axes that are reduced over; one that is empty where there are none."""
        self.body(self.one)
        found = list(dict.fromkeys([r.axes for r in self.reductions]))
        return found or [()]

    # ---------------------------------------------------------------- reductions

    def _reduce(
        self, name: str, body: list[Any], extents: list[int], reduced: Sequence[int]
    ) -> None:
        kept = [a for a in range(len(extents)) if a not in reduced]
        rows = math.prod([extents[a] for a in kept])
        columns = math.prod([extents[a] for a in reduced])
        if not rows:
            return
        by_row = columns > _SHORT and self._contiguous(body, len(extents)) in reduced
        parts = self._parts(rows, columns, by_row)
        source = Reducing(self, name, math.prod(extents))
        results = self._results(source, rows, parts)
        source.reduce(body, extents, kept, reduced, (rows, columns, parts), results, by_row)
        threads = THREADS if not by_row else min(THREADS, max(32, 1 << (columns - 1).bit_length()))
        work = rows * parts if by_row else -(-rows * parts // threads)
        self.launches.append(source.launch(max(1, min(work, 16 * BLOCKS)), threads))
        if parts > 1:
            self._finish(name, rows, parts, [p for p, _ in results])

    def _contiguous(self, body: Sequence[Any], rank: int) -> int:
        """The axis along which most accesses run through neighbouring elements."""
        if not rank:
            return -1
        count = [0] * rank
        for position, memory in axes_.positions(body):
            for axis in range(rank):
                count[axis] += memory and position[axis] == 1
        return max(range(rank), key=lambda axis: (count[axis], axis))

    def _parts(self, rows: int, columns: int, by_row: bool) -> int:
        """Into how many parts each row is cut, so that the device has enough to do."""
        workers = rows if by_row else -(-rows // THREADS)
        least = 4 * THREADS if by_row else 64  # elements of a part
        return max(1, min(BLOCKS // max(workers, 1), columns // least, 1024))

    def _results(self, source: Source, rows: int, parts: int) -> list[tuple[int, Reduction]]:
        """Where each reduction's results go: into its buffer (-1), or into partial results."""
        results = []
        for r in self.reductions:
            place = -1
            if parts > 1:
                place = len(self.partials)
                self.partials.append((rows * parts, r.value.dtype))
                source.partials.append(place)
            results.append((place, r))
        return results

    def _finish(self, name: str, rows: int, parts: int, places: Sequence[int]) -> None:
        """The kernel that combines partial results."""
        source = Reducing(self, f"{name}_end", rows * parts)
        source.partials = list(places)
        source.line(f"for (index k = {FIRST}; k < {rows}; k += {STRIDE}) {{")
        for place, r in zip(places, self.reductions, strict=True):
            total = f"t{place}"
            source.line(f"{c_type(r.value.dtype)} {total} = {_start(r)};")
            source.line(f"for (int p = 0; p < {parts}; ++p)")
            part = f"p{place}[index(p) * {rows} + k]"
            source.line(f"  {total} = {joined(r, total, part)};")
            source.line(f"{source.result(r, 'k')} = {total};")
        source.line("}")
        self.launches.append(source.launch(max(1, min(-(-rows // THREADS), BLOCKS)), THREADS))


def _start(r: Reduction) -> str:
    return literal(identity(r.kind, r.value.dtype), r.value.dtype)


def joined(r: Reduction, x: str, y: str) -> str:
    """Two contributions to a reduction as one."""
    dtype = r.value.dtype
    kind = {"max": "or", "sum": "or", "min": "and", "prod": "and"}.get(r.kind, r.kind)
    if dtype == BOOL:
        return f"bool({_JOIN[kind].format(x=f'int({x})', y=f'int({y})')})"
    if r.kind in ("max", "min"):
        if dtype.kind == "f":
            return f"{r.kind}imum({x}, {y})"
        return f"{x} {'<' if r.kind == 'min' else '>'} {y} ? {x} : {y}"
    if dtype.kind in "iu" and r.kind in ("sum", "prod"):  # integers wrap
        word = c_type(np.dtype(f"u{max(dtype.itemsize, 4)}"))
        x, y = f"{word}({x})", f"{word}({y})"
    return f"{c_type(dtype)}({_JOIN[r.kind].format(x=x, y=y)})"


class Reducing(Source):
    """The text of a kernel with reductions."""

    def result(self, r: Reduction, kept: str) -> str:
        """A reduction's element of memory, by its number among the kept ones."""
        complex_ = self.group.buffers[r.number].dtype.kind == "c"
        return f"b{r.number}[{f'2 * {kept} + {r.part}' if complex_ else kept}]"

    def reduce(
        self,
        body: list[Any],
        extents: list[int],
        kept: Sequence[int],
        reduced: Sequence[int],
        sizes: tuple[int, int, int],
        results: Sequence[tuple[int, Reduction]],
        by_row: bool,
    ) -> None:
        """A block of threads for each part of a row, or a thread for each part of a column."""
        rows, columns, parts = sizes
        step = -(-columns // parts)
        first, stride = ("blockIdx.x", "gridDim.x") if by_row else (FIRST, STRIDE)
        self.line(f"for (index w = {first}; w < {rows * parts}; w += {stride}) {{")
        self.line(f"const index k = w % {rows}, first = w / {rows} * {step};")
        self.line(f"const index last = first + {step} < {columns} ? first + {step} : {columns};")
        self.axes("k", extents, kept)
        self.totals(results)
        first, stride = ("first + threadIdx.x", "blockDim.x") if by_row else ("first", "1")
        self.line(f"for (index c = {first}; c < last; c += {stride}) {{")
        self.axes("c", extents, reduced)
        self._contribute(body, results)
        self.line("}")
        for number, (place, r) in enumerate(results):
            target = self.result(r, "k") if place < 0 else f"p{place}[w]"
            if by_row:
                self.combined(number, r, target)
            else:
                self.line(f"{target} = t{number};")
        self.line("}")

    def combined(self, number: int, r: Reduction, target: str) -> None:
        """What the threads of a block have found of one reduction, as one number."""
        shared = f"shared{number}"
        self.line(f"__shared__ {memory_type(r.value.dtype)} {shared}[{THREADS}];")
        self.line(f"{shared}[threadIdx.x] = t{number};")
        self.line("__syncthreads();")
        self.line("for (int half = blockDim.x / 2; half > 0; half /= 2) {")
        both = joined(r, f"{shared}[threadIdx.x]", f"{shared}[threadIdx.x + half]")
        self.line(f"if (threadIdx.x < half) {shared}[threadIdx.x] = {both};")
        self.line("__syncthreads();")
        self.line("}")
        self.line(f"if (threadIdx.x == 0) {target} = {shared}[0];")
        self.line("__syncthreads();")

    def totals(self, results: Sequence[tuple[int, Reduction]]) -> None:
        for number, (_, r) in enumerate(results):
            self.line(f"{c_type(r.value.dtype)} t{number} = {_start(r)};")

    def _contribute(self, body: list[Any], results: Sequence[tuple[int, Reduction]]) -> None:
        writer = self.statements(body)
        for number, (_, r) in enumerate(results):
            value = writer.names[id(r.value)]
            self.line(f"t{number} = {joined(r, f't{number}', value)};")
