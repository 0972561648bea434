"""Groups of equations as CUDA kernels.

A group without reductions is one thread for each element, in strides of the whole grid; where all
operands run through memory alike, a thread takes several elements at once. A group with reductions
has one kernel for each set of reduced axes. Where the reduced axes are contiguous, the threads of
a block share a row and combine what each has found; where the kept axes are, a thread takes a
column, so that neighbours read neighbours. Rows that are too few to fill the device are cut into
parts, whose results a second, small kernel combines in order: the same bits at every run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.compile import axes as axes_
from adlib.compile.builder import BOOL
from adlib.compile.cuda.expressions import (
    CudaElements,
    Statements,
    c_type,
    literal,
    memory_type,
    table_text,
)
from adlib.compile.loopir import Store, Value, identity, part_type
from adlib.compile.nests import GroupWriter, Reduction
from adlib.compile.steps import Group, Scheduled

THREADS = 256  # of a block
_MANY = 1 << 30  # positions from which on 64 bits are needed: a stride beyond must still fit
BLOCKS = 132 * 16  # that keep a large device busy
_VECTOR = 16  # bytes that one thread reads at once

_JOIN = {
    "sum": "{x} + {y}",
    "prod": "{x} * {y}",
    "and": "{x} & {y}",
    "or": "{x} | {y}",
    "xor": "{x} ^ {y}",
}


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
            runs = axes_.joined(space, axes_.positions(body), [r.axes for r in self.reductions])
            self._map(body, lambda p, _, runs=runs: axes_.moved(p, runs))
            extents = [math.prod([space[a] for a in run]) for run in runs]
            name = self.name if first else f"{self.name}_{len(self.launches)}"
            if self.reductions:
                reduced = sorted(axes_.runs_of(axes, runs))
                self._reduce(name, body, extents, reduced)
            else:
                self._map_elements(name, body, extents)
            first = False

    def _sets(self) -> list[tuple[int, ...]]:
        """The sets of axes that are reduced over; one that is empty where there are none."""
        self.body(self.one)
        found = list(dict.fromkeys([r.axes for r in self.reductions]))
        return found or [()]

    # ------------------------------------------------------------------ elements

    def _map_elements(self, name: str, body: list[Any], extents: list[int]) -> None:
        total = math.prod(extents)
        if not total:
            return
        vector = self._vector(body, extents)
        source = Source(self, name, total)
        if vector > 1:
            source.vectors(body, total, vector)
        else:
            source.line(f"for (index i = {_FIRST}; i < {total}; i += {_STRIDE}) {{")
            source.axes("i", extents)
            source.statements(body)
            source.line("}")
        threads = min(THREADS, max(32, -(-total // 32) * 32))
        blocks = max(1, min(-(-total // (threads * vector)), BLOCKS))
        self.launches.append(source.launch(blocks, threads))

    def _vector(self, body: Sequence[Any], extents: Sequence[int]) -> int:
        """How many elements a thread takes at once: 1 unless all memory is run through alike."""
        if len(extents) != 1:
            return 1
        width = 1
        for item in body:
            if type(item) is Store:
                place, buffer, offset = item.position, item.buffer, item.offset
            elif item.op == "load":
                buffer, place = item.attr
                offset = item.args or None
            else:
                continue
            dtype = self.buffers[buffer].dtype
            if offset is not None or place not in ((1, 0), (0, place[-1])) or dtype.kind == "c":
                return 1
            if place[0]:
                width = max(width, _VECTOR // dtype.itemsize)
        return min(width, 4)

    # ---------------------------------------------------------------- reductions

    def _reduce(
        self, name: str, body: list[Any], extents: list[int], reduced: Sequence[int]
    ) -> None:
        kept = [a for a in range(len(extents)) if a not in reduced]
        rows = math.prod([extents[a] for a in kept])
        columns = math.prod([extents[a] for a in reduced])
        if not rows:
            return
        by_row = self._contiguous(body, len(extents)) in reduced
        parts = self._parts(rows, columns, by_row)
        source = Source(self, name, math.prod(extents))
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
        source = Source(self, f"{name}_end", rows * parts)
        source.partials = list(places)
        source.line(f"for (index k = {_FIRST}; k < {rows}; k += {_STRIDE}) {{")
        for place, r in zip(places, self.reductions, strict=True):
            total = f"t{place}"
            source.line(f"{c_type(r.value.dtype)} {total} = {_start(r)};")
            source.line(f"for (int p = 0; p < {parts}; ++p)")
            part = f"p{place}[index(p) * {rows} + k]"
            source.line(f"  {total} = {joined(r, total, part)};")
            source.line(f"{source.result(r, 'k')} = {total};")
        source.line("}")
        self.launches.append(source.launch(max(1, min(-(-rows // THREADS), BLOCKS)), THREADS))


_FIRST = "index(blockIdx.x) * blockDim.x + threadIdx.x"
_STRIDE = "index(gridDim.x) * blockDim.x"


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


class Source:
    """The text of one kernel in the making."""

    def __init__(self, group: Any, name: str, points: int) -> None:
        self.group = group
        self.name = name
        self.lines: list[str] = []
        self.partials: list[int] = []
        self.tables: dict[str, np.ndarray[Any, Any]] = {}
        self.names: list[str] = []
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

    def result(self, r: Reduction, kept: str) -> str:
        """A reduction's element of memory, by its number among the kept ones."""
        complex_ = self.group.buffers[r.number].dtype.kind == "c"
        return f"b{r.number}[{f'2 * {kept} + {r.part}' if complex_ else kept}]"

    # ------------------------------------------------------------------ elements

    def vectors(self, body: list[Any], total: int, width: int) -> None:
        """Several elements in each round: what is read and written of each buffer is one access."""
        buffers = self.group.buffers
        read, written = _streams(body)
        for number in sorted(read | written):
            type_ = memory_type(buffers[number].dtype)
            self.line(f"struct alignas({width} * sizeof({type_})) w{number} {{")
            self.line(f"{type_} v[{width}]; }};")
        self.line(f"for (index i = {_FIRST}; i < {total // width}; i += {_STRIDE}) {{")
        for number in sorted(read):
            stream = f"reinterpret_cast<const w{number}*>(b{number})[i]"
            self.line(f"const w{number} x{number} = {stream};")
        for number in sorted(written):
            self.line(f"w{number} y{number};")
        self.line("#pragma unroll")
        self.line(f"for (int k = 0; k < {width}; ++k) {{")
        writer = _Streamed([b.dtype for b in buffers], [f"(i * {width} + k)"])
        writer.tables = self.tables
        writer.write(body)
        self.lines += writer.lines
        self.line("}")
        for number in sorted(written):
            self.line(f"reinterpret_cast<w{number}*>(b{number})[i] = y{number};")
        self.line("}")
        if total % width:
            start = total - total % width
            self.line(f"for (index i = {start} + {_FIRST}; i < {total}; i += {_STRIDE}) {{")
            self.names = ["i"]
            self.statements(body)
            self.line("}")

    # ---------------------------------------------------------------- reductions

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
        first, stride = ("blockIdx.x", "gridDim.x") if by_row else (_FIRST, _STRIDE)
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

    # ----------------------------------------------------------------- the whole

    def launch(self, blocks: int, threads: int) -> Launch:
        """The kernel with the buffers that its text mentions."""
        text = _indented([f"typedef {self.index} index;", *self.lines])
        buffers = [
            i for i in range(len(self.group.buffers)) if f"b{i}[" in text or f"(b{i})" in text
        ]
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


class _Streamed(Statements):
    """Statements that read and write streams in the registers that hold several elements."""

    def place(self, buffer: int, position: Any, offset: str = "", part: int = 0) -> str:
        if position == (1, 0):
            return f"{'y' if self.storing else 'x'}{buffer}.v[k]"
        return super().place(buffer, position, offset, part)

    storing = False

    def store(self, item: Store) -> None:
        self.storing = True
        super().store(item)
        self.storing = False


def _streams(body: Sequence[Any]) -> tuple[set[int], set[int]]:
    """The buffers that are read and written element by element."""
    read = {v.attr[0] for v in body if type(v) is Value and v.op == "load" and v.attr[1] == (1, 0)}
    return read, {s.buffer for s in body if type(s) is Store and s.position == (1, 0)}
