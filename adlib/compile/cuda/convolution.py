"""Convolutions as CUDA kernels: matrix products whose left matrix is never written down.

A convolution is the product of a matrix of windows (a row for each place of the result, a column
for each input feature and tap) and the kernel as a matrix (Chellapilla et al., "High performance
convolutional neural networks for document processing", 2006). A block of threads makes a tile of
the product. It goes through the summed axis in steps: elements of both matrices are read into
shared memory, those of the first from where they are in the input, zeros where a window hangs over;
then each thread adds to a few elements of the tile in registers. Zeros between the elements of a
dilated input are never multiplied: each phase of the result (see ``convolution_geometry``) has a
kernel of its own. Where there are few tiles, as for the cotangent of a kernel, the sum is cut into
parts, which a second kernel adds up in order: the same bits at every run.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.compile.builder import FLOAT32
from adlib.compile.cuda import joins
from adlib.compile.cuda.source import BLOCKS, FIRST, STRIDE, THREADS, Launch, Source, grid
from adlib.compile.half_types import HALVES
from adlib.compile.library.convolution_geometry import Geometry, Phase, strides
from adlib.compile.nests import Reader
from adlib.compile.pieces import updated
from adlib.compile.steps import Library, Scheduled
from adlib.core.jaxpr import Eqn

_FEW = 2 * 132  # tiles that do not fill a large device
_LEAST = 16  # steps through the summed axis that are worth a part of their own
_MOST_PHASES = 64  # each is a kernel


class Tile(NamedTuple):
    """The threads of a block as a grid, and how many elements of the result each has."""

    rows: int
    columns: int
    each_row: int
    each_column: int


# By the largest number of columns that they are for, the first that fits.
_TILES = {
    1: Tile(256, 1, 1, 1),
    8: Tile(128, 2, 1, 4),
    32: Tile(32, 8, 4, 4),
    64: Tile(16, 16, 4, 4),
}
_LARGE = Tile(16, 16, 8, 8)  # for numbers of 4 bytes


class Axis(NamedTuple):
    """An axis of the product: its coordinate's name, its size, and its steps in the arrays."""

    name: str
    size: int
    left: int
    right: int
    out: int


def native(eqn: Eqn) -> bool:
    """Whether a convolution has kernels: its numbers have one type, its phases are not many."""
    if eqn.primitive.name != "conv_general_dilated":
        return False
    dtypes = {v.aval.dtype for v in (*eqn.invars, *eqn.outvars)}
    (dtype, *others) = dtypes
    if others or not (dtype.kind in "iufc" or dtype in HALVES):
        return False
    return math.prod([max(1, len(f)) for f in Geometry(eqn).phases]) <= _MOST_PHASES


class CudaConvolution(Reader):
    """The kernels of one convolution; ``launches`` and ``partials`` as of ``CudaGroup``.

    Attributes:
      dtype: in which it is computed: 16-bit floats are rounded once, at the end.
      depth: columns of the left matrix in shared memory at a time.
      parts: into how many the sum is cut.
    """

    def __init__(self, schedule: Scheduled, number: int, name: str) -> None:
        super().__init__(schedule, number, name)
        step = schedule.steps[number]
        assert isinstance(step, Library)
        self.launches: list[Launch] = []
        self.partials: list[tuple[int, np.dtype[Any]]] = []
        g = self.geometry = Geometry(step.eqn)
        self.left, self.right = [self.buffer(v) for v in step.operands]
        self.target = self.buffer(step.eqn.outvars[0], written=True)
        self.memory = step.eqn.outvars[0].aval.dtype
        self.dtype = FLOAT32 if self.memory in HALVES else self.memory
        self.type = joins.element_type(self.dtype)
        self.size = math.prod(g.out)
        if not self.size:
            return
        if g.empty or not g.complete:
            self._clear()
        if g.empty:
            return
        self.tile = self._tile()
        self.parts, self.step = 1, 0
        phases = list(itertools.product(*g.phases))
        if len(phases) == 1 and g.complete:
            self._cut(phases[0])
        for phase in phases:
            self._product(phase)
        if self.parts > 1:
            self._sum()

    @property
    def given(self) -> list[int]:
        """Numbers of the buffers that lie in memory."""
        return list(range(len(self.buffers)))

    @property
    def depth(self) -> int:
        return 16 if self.dtype.itemsize <= 8 else 8

    def _tile(self) -> Tile:
        g = self.geometry
        columns = g.outputs
        rows = math.prod(g.out) // (g.groups * columns)
        found = next((tile for most, tile in _TILES.items() if columns <= most), _TILES[64])
        if columns > 64 and rows >= 128 and self.dtype.itemsize <= 4:
            return _LARGE
        return found

    def _cut(self, phase: Sequence[Phase]) -> None:
        """Into how many parts the sum goes, and how many of its elements each has."""
        g, tile = self.geometry, self.tile
        rows = g.batch * math.prod([f.size for f in phase])
        summed = g.inputs * math.prod([f.taps for f in phase])
        tiles = g.groups * -(-rows // (tile.rows * tile.each_row))
        tiles *= -(-g.outputs // (tile.columns * tile.each_column))
        parts = min(2 * _FEW // tiles, summed // (_LEAST * self.depth)) if tiles < _FEW else 1
        if parts > 1:
            self.step = -(-summed // (parts * self.depth)) * self.depth
            self.parts = -(-summed // self.step)
            self.partials.append((self.parts * self.size, self.dtype))

    # ------------------------------------------------------------- small kernels

    def _new(self) -> Source:
        return Source(self, f"{self.name}_{len(self.launches)}", self.size)

    def _store(self, source: Source, at: str, value: str) -> str:
        """A statement that writes an element of the result."""
        if self.memory in HALVES:
            name = f"{source.name}_narrow"
            if not any(name in text for text in source.functions):
                source.functions.append(joins.narrow(name, self.memory))
            value = f"{name}({value})"
        return f"{joins.elements(self.target, self.memory, written=True)}[{at}] = {value};"

    def _clear(self) -> None:
        source = self._new()
        source.line(f"for (index i = {FIRST}; i < {self.size}; i += {STRIDE}) {{")
        source.line(self._store(source, "i", f"{self.type}{{}}"))
        source.line("}")
        self.launches.append(source.launch(*grid(self.size)))

    def _sum(self) -> None:
        """The kernel that adds up the parts."""
        source = self._new()
        source.partials = [0]
        source.line(f"for (index i = {FIRST}; i < {self.size}; i += {STRIDE}) {{")
        source.line(f"{self.type} total = {{}};")
        source.line(f"for (int part = 0; part < {self.parts}; ++part) {{")
        name = f"{source.name}_join"
        both = joins.function(name, self.dtype, lambda b, x, y: updated(b, "add", x, y))
        source.functions.append(both)
        source.line(f"total = {name}(total, {self._part}[index(part) * {self.size} + i]);")
        source.line("}")
        source.line(self._store(source, "i", "total"))
        source.line("}")
        self.launches.append(source.launch(*grid(self.size)))

    @property
    def _part(self) -> str:
        return f"reinterpret_cast<{self.type}*>(p0)"

    # ------------------------------------------------------------- the product

    def _product(self, phase: Sequence[Phase]) -> None:
        """The kernel of the outputs of one phase."""
        g, tile = self.geometry, self.tile
        self.phase = phase
        self._axes(phase)
        rows, summed = [math.prod([a.size for a in axes]) for axes in (self.rows, self.summed)]
        high, wide = tile.rows * tile.each_row, tile.columns * tile.each_column
        self.sizes = (rows, g.outputs, summed)
        tiles = -(-rows // high), -(-g.outputs // wide)
        source = self.source = self._new()
        if self.parts > 1:
            source.partials = [0]
        if self.memory in HALVES:
            source.functions.append(joins.widen(f"{source.name}_widen", self.memory))
        line = source.line
        line(f"__shared__ {self.type} left[{self.depth}][{high + 1}];")
        line(f"__shared__ {self.type} right[{self.depth}][{wide + 1}];")
        work = g.groups * math.prod(tiles) * self.parts
        line(f"for (index w = blockIdx.x; w < {work}; w += gridDim.x) {{")
        line(
            f"const index n0 = w % {tiles[1]} * {wide}, m0 = w / {tiles[1]} % {tiles[0]} * {high};"
        )
        line(f"const index q = w / {math.prod(tiles)} % {g.groups};")
        line(f"const index part = w / {math.prod(tiles) * g.groups};")
        first, last = "0", f"{summed}"
        if self.parts > 1:
            first = f"part * {self.step}"
            last = f"({first} + {self.step} < {summed} ? {first} + {self.step} : {summed})"
        line(f"const index last = {last};")
        along = tile.columns if self._along(self.rows, "out") < self._run("out") else 0
        if along:  # neighbours among the threads write neighbours in memory
            line(f"const int ty = threadIdx.x % {tile.columns}, tx = threadIdx.x / {tile.columns};")
        else:
            line(f"const int tx = threadIdx.x % {tile.rows}, ty = threadIdx.x / {tile.rows};")
        line(f"{self.type} total[{tile.each_row}][{tile.each_column}] = {{}};")
        line(f"for (index k0 = {first}; k0 < last; k0 += {self.depth}) {{")
        self._read_left(high)
        self._read_right(wide)
        line("__syncthreads();")
        self._multiply()
        line("__syncthreads();")
        line("}")
        self._write()
        line("}")
        self.launches.append(source.launch(min(work, 16 * BLOCKS), THREADS))

    def _axes(self, phase: Sequence[Phase]) -> None:
        """The axes of the product: those of its rows, and those that are summed over."""
        g = self.geometry
        left, right, out = strides(g.lhs), strides(g.rhs), strides(g.out)
        places, taps, made = [
            [s[d] for d in spec[2:]]
            for s, spec in ((left, g.lhs_spec), (right, g.rhs_spec), (out, g.out_spec))
        ]
        rows = [Axis("b", g.batch, left[g.lhs_spec[0]], 0, out[g.out_spec[0]])]
        summed = [Axis("c", g.inputs, left[g.lhs_spec[1]], right[g.rhs_spec[1]], 0)]
        for d, f in enumerate(phase):
            rows.append(Axis(f"o{d}", f.size, f.move * places[d], 0, f.step * made[d]))
            summed.append(Axis(f"t{d}", f.taps, f.spread * places[d], f.tap_step * taps[d], 0))
        # the last axis of each runs along memory, as far as that can be
        self.rows = sorted(rows, key=lambda a: -a.out)
        self.summed = sorted(summed, key=lambda a: -a.right)
        self.column = Axis("n", g.outputs, 0, right[g.rhs_spec[0]], out[g.out_spec[1]])
        batch = g.batch_groups > 1
        shared = g.batch * left[g.lhs_spec[0]] if batch else g.inputs * left[g.lhs_spec[1]]
        self.group = Axis("q", g.groups, shared, g.outputs * self.column.right, 0)
        self.starts = (
            sum([f.first * s for f, s in zip(phase, places, strict=True)]),
            sum([f.tap * s for f, s in zip(phase, taps, strict=True)]),
            sum([f.start * s for f, s in zip(phase, made, strict=True)]),
        )

    def _along(self, axes: Sequence[Axis], array: str) -> int:
        """How many neighbours along the last of some axes are neighbours in an array."""
        real = [a for a in axes if a.size > 1]
        return real[-1].size if real and getattr(real[-1], array) == 1 else 1

    def _run(self, array: str) -> int:
        return self._along([self.column], array)

    def _coordinates(self, axes: Sequence[Axis], flat: str) -> None:
        """The axes' coordinates of a number that counts through them."""
        rest = flat
        real = [a for a in axes if a.size > 1]
        for axis in axes:
            if axis.size == 1:
                self.source.line(f"const index {axis.name} = 0;")
        for axis in reversed(real):
            if axis is real[0]:
                self.source.line(f"const index {axis.name} = {rest};")
            else:
                self.source.line(f"const index {axis.name} = {rest} % {axis.size};")
                rest = f"{rest} / {axis.size}"

    def _loop(self, width: int, along_width: bool, names: tuple[str, str]) -> None:
        """Begins a loop over the elements of a tile in shared memory, with their places in it;
        ``along_width``: neighbours among the threads take neighbours along the tile's width."""
        line, (wide, deep) = self.source.line, names
        line("#pragma unroll")
        line(f"for (int r = 0; r < {-(-width * self.depth // THREADS)}; ++r) {{")
        line(f"const int e = threadIdx.x + r * {THREADS};")
        if along_width:
            line(f"const int {wide} = e % {width}, {deep} = e / {width};")
        else:
            line(f"const int {wide} = e / {self.depth}, {deep} = e % {self.depth};")
        line(f"if (e < {width * self.depth}) {{")
        line(f"{self.type} value = {{}};")

    def _read_left(self, high: int) -> None:
        line, g = self.source.line, self.geometry
        along_rows = self._along(self.summed, "left") <= self._along(self.rows, "left")
        self._loop(high, along_rows, ("i", "j"))
        line("const index m = m0 + i, k = k0 + j;")
        line(f"if (m < {self.sizes[0]} && k < last) {{")
        self._coordinates(self.rows, "m")
        self._coordinates(self.summed, "k")
        inside = []
        for d, (f, axis) in enumerate(zip(self.phase, g.lhs_spec[2:], strict=True)):
            size = g.lhs[axis]
            place = f"x{d}"
            line(f"const index {place} = {f.first} + o{d} * {f.move} + t{d} * {f.spread};")
            if f.first < 0:
                inside.append(f"{place} >= 0")
            if f.first + (f.size - 1) * f.move + (f.taps - 1) * f.spread >= size:
                inside.append(f"{place} < {size}")
        at = self._at((self.group, *self.rows, *self.summed), "left", self.starts[0])
        read = f"value = {self._element(self.left)}[{at}]{')' * (self.memory in HALVES)};"
        line(f"if ({' && '.join(inside)}) {read}" if inside else read)
        line("}")
        line("left[j][i] = value;")
        line("}")
        line("}")

    def _read_right(self, wide: int) -> None:
        line, g = self.source.line, self.geometry
        along_columns = self._along(self.summed, "right") < self._run("right")
        self._loop(wide, along_columns, ("i", "j"))
        line("const index n = n0 + i, k = k0 + j;")
        line(f"if (n < {g.outputs} && k < last) {{")
        self._coordinates(self.summed, "k")
        at = self._at((self.group, self.column, *self.summed), "right", self.starts[1])
        line(f"value = {self._element(self.right)}[{at}]{')' * (self.memory in HALVES)};")
        line("}")
        line("right[j][i] = value;")
        line("}")
        line("}")

    def _element(self, buffer: int) -> str:
        """What reads an element, up to its number."""
        if self.memory in HALVES:
            return f"{self.source.name}_widen(b{buffer}"
        return joins.elements(buffer, self.dtype)

    def _at(self, axes: Sequence[Axis], array: str, start: int) -> str:
        terms = [f"{a.name} * index({getattr(a, array)})" for a in axes if a.size > 1]
        return " + ".join([*terms, f"index({start})"])

    def _multiply(self) -> None:
        line, tile = self.source.line, self.tile
        line("#pragma unroll")
        line(f"for (int j = 0; j < {self.depth}; ++j) {{")
        line(f"{self.type} x[{tile.each_row}], y[{tile.each_column}];")
        line(f"for (int i = 0; i < {tile.each_row}; ++i) x[i] = left[j][tx + i * {tile.rows}];")
        columns = f"ty + i * {tile.columns}"
        line(f"for (int i = 0; i < {tile.each_column}; ++i) y[i] = right[j][{columns}];")
        line(f"for (int i = 0; i < {tile.each_row}; ++i)")
        line(f"for (int l = 0; l < {tile.each_column}; ++l)")
        line("total[i][l] = added(x[i], y[l], total[i][l]);")
        line("}")

    def _write(self) -> None:
        line, tile, g = self.source.line, self.tile, self.geometry
        line(f"for (int i = 0; i < {tile.each_row}; ++i) {{")
        line(f"const index m = m0 + tx + i * {tile.rows};")
        self._coordinates(self.rows, "m")
        line(f"for (int l = 0; l < {tile.each_column}; ++l) {{")
        line(f"const index n = n0 + ty + l * {tile.columns};")
        line(f"if (m < {self.sizes[0]} && n < {g.outputs}) {{")
        group = self.group._replace(out=g.outputs * self.column.out)
        line(
            f"const index at = {self._at((group, self.column, *self.rows), 'out', self.starts[2])};"
        )
        if self.parts > 1:
            line(f"{self._part}[part * {self.size} + at] = total[i][l];")
        else:
            line(self._store(self.source, "at", "total[i][l]"))
        line("}")
        line("}")
        line("}")
