"""Running sums, products, extrema and log-sums as CUDA kernels.

Where the axis lies along memory, or few others run beside it, a block of threads takes a row: in
each round every thread scans a few neighbours in shared memory, the threads' totals are scanned
(Hillis & Steele, "Data parallel algorithms", 1986), and what came before is carried on. Otherwise
a thread takes a column. Rows that are too few to fill the device are cut into parts: a first kernel
finds the parts' totals, and in the second one each part starts from the totals before it. The order
of all operations is fixed, so every run gives the same bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adlib.compile import views
from adlib.compile.builder import FLOAT32
from adlib.compile.cuda import joins
from adlib.compile.cuda.expressions import CudaElements, Statements
from adlib.compile.cuda.pieces import KERNELS, CudaPieces
from adlib.compile.cuda.source import BLOCKS, FIRST, STRIDE, THREADS, Source, joined_axes
from adlib.compile.elements import Half, Pair
from adlib.compile.half_types import HALVES
from adlib.compile.loopir import Store, identity
from adlib.compile.pieces import RUNNING, running
from adlib.compile.reads import normalized

_ITEMS = 7  # neighbours that a thread scans: an odd number, so that threads meet different banks
_SHORT = 32  # elements of a row that one thread scans by itself
_COLUMNS = 8  # beside each other, from which on a thread takes each
_PARTS = 512  # that a row is cut into at most: each of them looks at all before it


def write(w: CudaPieces) -> None:
    """The kernels of a cumulative operation."""
    shape, axis = w.out.aval.shape, w.eqn.params["axis"]
    if 0 in shape:
        return
    if shape[axis] == 1:
        w.copy(w.eqn.invars[0], "nothing to add up")
        return
    scan = _Scan(w)
    if scan.parts > 1:
        scan.kernel(final=False)
    scan.kernel(final=True)


KERNELS.update(dict.fromkeys(RUNNING, write))


class _Scan:
    """One scan.

    Attributes:
      dtype: in which it is computed: 16-bit floats are rounded once, at the end.
      rows, size, parts: how many rows of so many elements there are, cut into parts.
      step: elements of a part.
      by_row: whether a block takes a row, not a thread.
    """

    def __init__(self, w: CudaPieces) -> None:
        self.w = w
        self.kind = RUNNING[w.eqn.primitive.name]
        self.out = w.out.aval.dtype
        self.dtype = FLOAT32 if self.out in HALVES else self.out
        self.type = joins.element_type(self.dtype)
        self.shape, self.axis = w.out.aval.shape, w.eqn.params["axis"]
        self.size = self.shape[self.axis]
        self.rows = math.prod(self.shape) // self.size
        across = views.row_major(self.shape)[self.axis] > 1 and self.rows >= _COLUMNS
        self.by_row = self.size > _SHORT and not across
        self.threads = THREADS
        if self.by_row:
            self.threads = min(THREADS, max(32, 1 << (-(-self.size // _ITEMS) - 1).bit_length()))
        self._cut()
        self.partials = len(w.partials)
        if self.parts > 1:
            w.partials.append((self.rows * self.parts, self.dtype))

    def _cut(self) -> None:
        workers = self.rows if self.by_row else -(-self.rows // THREADS)
        least = 2 * self.threads * _ITEMS if self.by_row else 64
        parts = max(1, min(BLOCKS // workers, self.size // least, _PARTS))
        self.step = -(-self.size // parts)
        self.parts = -(-self.size // self.step)

    @property
    def nothing(self) -> str:
        """What leaves other elements as they are; -0.0 for sums."""
        if self.kind == "logaddexp":
            return joins.constant(-np.inf, self.dtype)
        if self.kind == "sum" and self.dtype.kind in "fc":
            zero = complex(-0.0, -0.0) if self.dtype.kind == "c" else -0.0
            return joins.constant(zero, self.dtype)
        return joins.constant(identity(self.kind, self.dtype), self.dtype)

    # ------------------------------------------------------------------- kernels

    def kernel(self, final: bool) -> None:
        """The kernel that writes the result; or the one that finds the parts' totals."""
        w = self.w
        items, self.value = self._body()
        runs, self.extents = joined_axes(self.shape, items, [(self.axis,)])
        *self.body, self.place = items
        self.scanned = next(i for i, run in enumerate(runs) if run == [self.axis])
        source = self.source = Source(w, w.new_name(), math.prod(self.shape))
        self._functions(final)
        if self.parts > 1:
            source.partials = [self.partials]
        first, stride = ("blockIdx.x", "gridDim.x") if self.by_row else (FIRST, STRIDE)
        work = self.rows * self.parts
        if self.by_row:
            source.line(f"__shared__ {self.type} totals[{THREADS}];")
            if final:
                source.line(f"__shared__ {self.type} tile[{THREADS * _ITEMS}];")
        source.line(f"for (index w = {first}; w < {work}; w += {stride}) {{")
        source.line(f"const index k = w % {self.rows}, part = w / {self.rows};")
        source.line(f"const index first = part * {self.step};")
        limit = f"first + {self.step}"
        source.line(f"const index last = {limit} < {self.size} ? {limit} : {self.size};")
        source.axes("k", self.extents, [i for i in range(len(runs)) if i != self.scanned])
        if self.by_row:
            self._row() if final else self._row_total()
        else:
            self._column() if final else self._column_total()
        source.line("}")
        blocks = work if self.by_row else -(-work // self.threads)
        w.launches.append(source.launch(max(1, min(blocks, 16 * BLOCKS)), self.threads))

    def _functions(self, final: bool) -> None:
        """The functions that the kernel calls."""
        kind, name = self.kind, self.source.name
        formula = lambda b, old, new: running(b, kind, old, new)  # noqa: E731
        self.source.functions.append(joins.function(f"{name}_join", self.dtype, formula))
        if self.out in HALVES and final:
            self.source.functions.append(joins.narrow(f"{name}_narrow", self.out))

    def _body(self) -> tuple[list[Any], Any]:
        """The instructions that read an element, in the order of the scan, with a store that
        stands for its place; and the element."""
        w = self.w
        w.builder = b = CudaElements()
        w.rank = len(self.shape)
        same = normalized(views.identity_coordinates(w.rank), self.shape)
        if w.eqn.params["reverse"]:
            turned = views.scaled(same[self.axis], -1, self.size - 1)
            same = (*same[: self.axis], turned, *same[self.axis + 1 :])
        value = w.read(w.eqn.invars[0], same)
        if type(value) is Half:
            value = b.wide(value)
        real = value.re if type(value) is Pair else value
        b.items.append(Store(w.target, views.linear(same, self.shape, w.rank), real))
        return b.items, value

    # -------------------------------------------------------------- pieces of text

    def join(self, x: str, y: str) -> str:
        return f"{self.source.name}_join({x}, {y})"

    def total(self, number: str) -> str:
        """A part's total in memory."""
        return f"reinterpret_cast<{self.type}*>(p{self.partials})[{number}]"

    def element(self) -> str:
        """Writes what reads element c of the row; the element."""
        self.source.axes("c", self.extents, [self.scanned])
        return joins.element(self.value, self.source.statements(self.body))

    def store(self, value: str) -> None:
        """Writes element c of the row."""
        self.source.axes("c", self.extents, [self.scanned])
        at = Statements([], self.source.names).at(self.place.position)
        if self.out in HALVES:
            value = f"{self.source.name}_narrow({value})"
        target = joins.elements(self.w.target, self.out, written=True)
        self.source.line(f"{target}[{at}] = {value};")

    def combined(self) -> None:
        """What the threads of a block have found, as the first one's total."""
        line = self.source.line
        line("__syncthreads();")
        line("for (int half = blockDim.x / 2; half > 0; half /= 2) {")
        both = self.join("totals[threadIdx.x]", "totals[threadIdx.x + half]")
        line(f"if (threadIdx.x < half) totals[threadIdx.x] = {both};")
        line("__syncthreads();")
        line("}")

    # ---------------------------------------------------------------- a block a row

    def _row_total(self) -> None:
        line = self.source.line
        line(f"{self.type} total = {self.nothing};")
        line("for (index c = first + threadIdx.x; c < last; c += blockDim.x) {")
        line(f"total = {self.join('total', self.element())};")
        line("}")
        line("totals[threadIdx.x] = total;")
        self.combined()
        line(f"if (threadIdx.x == 0) {self.total(f'k * {self.parts} + part')} = totals[0];")
        line("__syncthreads();")

    def _row(self) -> None:
        line = self.source.line
        line(f"{self.type} carry = {self.nothing};")
        if self.parts > 1:
            line("for (int p = threadIdx.x; p < part; p += blockDim.x)")
            line(f"carry = {self.join('carry', self.total(f'k * {self.parts} + p'))};")
            line("totals[threadIdx.x] = carry;")
            self.combined()
            line("carry = totals[0];")
            line("__syncthreads();")
        line(f"const int count = {_ITEMS} * blockDim.x;")
        line("for (index begin = first; begin < last; begin += count) {")
        line("for (int j = threadIdx.x; j < count; j += blockDim.x) {")
        line("const index c = begin + j;")
        line(f"{self.type} value = {self.nothing};")
        line("if (c < last) {")
        line(f"value = {self.element()};")
        line("}")
        line("tile[j] = value;")
        line("}")
        self._scanned_tile()
        line("for (int j = threadIdx.x; j < count; j += blockDim.x) {")
        line("const index c = begin + j;")
        line("if (c < last) {")
        line(f"{self.type} value = tile[j];")
        line(f"if (j >= {_ITEMS}) value = {self.join(f'totals[j / {_ITEMS} - 1]', 'value')};")
        line(f"if (begin > 0) value = {self.join('carry', 'value')};")
        self.store("value")
        line("}")
        line("}")
        both = self.join("carry", "totals[blockDim.x - 1]")
        line(f"carry = begin > 0 ? {both} : totals[blockDim.x - 1];")
        line("__syncthreads();")
        line("}")

    def _scanned_tile(self) -> None:
        """Each thread's neighbours are scanned, and the threads' totals."""
        line = self.source.line
        line("__syncthreads();")
        line(f"{self.type}* mine = tile + {_ITEMS} * threadIdx.x;")
        line(f"for (int j = 1; j < {_ITEMS}; ++j)")
        line(f"mine[j] = {self.join('mine[j - 1]', 'mine[j]')};")
        line(f"totals[threadIdx.x] = mine[{_ITEMS - 1}];")
        line("__syncthreads();")
        line("for (int by = 1; by < blockDim.x; by *= 2) {")
        before = f"threadIdx.x >= by ? totals[threadIdx.x - by] : {self.nothing}"
        line(f"const {self.type} before = {before};")
        line("__syncthreads();")
        both = self.join("before", "totals[threadIdx.x]")
        line(f"if (threadIdx.x >= by) totals[threadIdx.x] = {both};")
        line("__syncthreads();")
        line("}")

    # ------------------------------------------------------------- a thread a column

    def _column_total(self) -> None:
        line = self.source.line
        line(f"{self.type} total = {self.nothing};")
        line("for (index c = first; c < last; ++c) {")
        line(f"total = {self.join('total', self.element())};")
        line("}")
        line(f"{self.total(f'part * {self.rows} + k')} = total;")

    def _column(self) -> None:
        line = self.source.line
        line(f"{self.type} total = {self.nothing};")
        if self.parts > 1:
            line("for (index p = 0; p < part; ++p)")
            line(f"total = {self.join('total', self.total(f'p * {self.rows} + k'))};")
        line("for (index c = first; c < last; ++c) {")
        line(f"const {self.type} value = {self.element()};")
        line(f"total = c > 0 ? {self.join('total', 'value')} : value;")
        line("{")
        self.store("total")
        line("}")
        line("}")
