"""Batches of small matrix products as CUDA kernels.

A call of cuBLAS for matrices of a few rows keeps few threads busy. Here a block reads some pairs of
matrices into shared memory, in the order in which they lie, and each of its threads makes a few
elements of a column of a result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.compile import dots
from adlib.compile.cuda import joins
from adlib.compile.cuda.expressions import c_type, literal
from adlib.compile.cuda.source import BLOCKS, THREADS, Launch, Source
from adlib.compile.loopir import part_type
from adlib.compile.nests import Reader
from adlib.compile.steps import Dot, Scheduled
from adlib.core.jaxpr import Eqn

_LARGEST = 32  # rows, columns and summed elements of a matrix
_SHARED = 24 << 10  # bytes for the matrices of a block
_STRIP = 4  # elements of a column that one thread makes, where there are many


def small(eqn: Eqn) -> bool:
    """Whether a product is a batch of small ones, of numbers of one type."""
    dims = dots.Dims(eqn)
    sizes = (dims.rows, dims.columns, dims.inner)
    dtypes = {v.aval.dtype for v in (*eqn.invars, *eqn.outvars)}
    if len(dtypes) != 1 or dims.batch < 2 or not all(1 < n <= _LARGEST for n in sizes):
        return False
    (dtype,) = dtypes
    return dtype.kind in "iu" or (dtype.kind in "fc" and part_type(dtype).itemsize >= 4)


class SmallProducts(Reader):
    """The kernel of one step; ``launches`` and ``partials`` as of ``CudaGroup``."""

    def __init__(self, schedule: Scheduled, number: int, name: str) -> None:
        super().__init__(schedule, number, name)
        step = schedule.steps[number]
        assert isinstance(step, Dot)
        self.step = step
        self.launches: list[Launch] = []
        self.partials: list[tuple[int, np.dtype[Any]]] = []
        self.dims = dots.Dims(step.eqn)
        self.out = step.eqn.outvars[0]
        self.dtype = self.out.aval.dtype
        self.type = joins.element_type(self.dtype)
        d = self.dims
        self.strip = _STRIP if d.rows * d.columns > THREADS else 1
        self.strips = -(-d.rows // self.strip)
        room = _SHARED // (self.dtype.itemsize * d.inner * (d.rows + d.columns))
        self.many = max(1, min(d.batch, room, THREADS // (self.strips * d.columns)))
        self.write()

    @property
    def given(self) -> list[int]:
        """Numbers of the buffers that lie in memory."""
        return list(range(len(self.buffers)))

    def write(self) -> None:
        d = self.dims
        (left, left_lies), (right, right_lies) = self.step.operands
        numbers = [self.buffer(v) for v in (left, right)]
        target = self.buffer(self.out, written=True)
        source = self.source = Source(self, self.name, d.batch * d.rows * d.columns)
        line = source.line
        line(f"__shared__ {self.type} left[{self.many * d.rows * d.inner}];")
        line(f"__shared__ {self.type} right[{self.many * d.inner * d.columns}];")
        blocks = -(-d.batch // self.many)
        line(f"for (index w = blockIdx.x; w < {blocks}; w += gridDim.x) {{")
        line(f"const index first = w * {self.many};")
        line(f"const int many = {d.batch} - first < {self.many} ? {d.batch} - first : {self.many};")
        self._read("left", numbers[0], left_lies, d.rows, d.inner)
        self._read("right", numbers[1], right_lies, d.inner, d.columns)
        line("__syncthreads();")
        self._multiply(target)
        line("__syncthreads();")
        line("}")
        threads = min(THREADS, max(32, -(-self.many * self.strips * d.columns // 32) * 32))
        self.launches.append(source.launch(min(blocks, 16 * BLOCKS), threads))

    def _read(self, name: str, number: int, lies: dots.Matrix, rows: int, columns: int) -> None:
        """Matrices into shared memory, row by row; neighbours read what lies side by side."""
        line, size = self.source.line, rows * columns
        line(f"for (int e = threadIdx.x; e < many * {size}; e += blockDim.x) {{")
        line(f"const int m = e / {size};")
        if lies.flipped:
            line(f"const int i = e % {rows}, j = e / {rows} % {columns};")
        else:
            line(f"const int i = e / {columns} % {rows}, j = e % {columns};")
        along, across = ("i", "j") if lies.flipped else ("j", "i")
        at = f"(first + m) * {lies.step} + {across} * index({lies.leading}) + {along}"
        read = f"{joins.elements(number, self.dtype)}[{at} + {lies.offset}]"
        line(f"{name}[(m * {rows} + i) * {columns} + j] = {read};")
        line("}")

    def _multiply(self, target: int) -> None:
        d, line = self.dims, self.source.line
        line(f"for (int e = threadIdx.x; e < many * {self.strips * d.columns}; e += blockDim.x) {{")
        line(f"const int m = e / {self.strips * d.columns}, j = e % {d.columns};")
        line(f"const int i = e / {d.columns} % {self.strips} * {self.strip};")
        line(f"{self.type} total[{self.strip}] = {{}};")
        line(f"for (int k = 0; k < {d.inner}; ++k) {{")
        line(f"const {self.type} y = right[(m * {d.inner} + k) * {d.columns} + j];")
        line("#pragma unroll")
        line(f"for (int s = 0; s < {self.strip}; ++s) {{")
        row = f"(i + s < {d.rows} ? i + s : i)"  # a row that is not there is not written
        line(f"total[s] = added(left[(m * {d.rows} + {row}) * {d.inner} + k], y, total[s]);")
        line("}")
        line("}")
        line(f"for (int s = 0; s < {self.strip}; ++s) {{")
        line(f"if (i + s < {d.rows}) {{")
        line(f"const index at = ((first + m) * {d.rows} + i + s) * {d.columns} + j;")
        line(f"{joins.elements(target, self.dtype, written=True)}[at] = {self._result()};")
        line("}")
        line("}")
        line("}")

    def _result(self) -> str:
        """An element as it is written: scaled, and added to what there is."""
        scale, onto = self.step.scale, self.step.onto
        if onto is None and scale == 1:
            return "total[s]"
        there = "" if onto is None else f"{joins.elements(self.buffer(onto), self.dtype)}[at]"
        if self.dtype.kind == "c":
            real = part_type(self.dtype)
            parts = [
                _scaled(real, f"total[s].{part}", scale, there and f"{there}.{part}")
                for part in ("re", "im")
            ]
            return f"{self.type}{{{', '.join(parts)}}}"
        return _scaled(self.dtype, "total[s]", scale, there)


def _scaled(dtype: np.dtype[Any], x: str, scale: float, there: str) -> str:
    type_ = c_type(dtype)
    factor: Any = scale
    if dtype.kind in "iu":  # -1 wraps in unsigned types
        word = np.array(int(scale) % (1 << 8 * dtype.itemsize), f"u{dtype.itemsize}")
        factor = word.view(dtype)[()]
    return f"added({x}, {type_}({literal(factor, dtype)}), {there or f'{type_}(-0.0)'})"
