"""Sorting: networks of minima and maxima for short rows, a radix sort for long ones.

What is sorted are integers of the same order, together with their places, so that equal numbers
keep their order; then all arrays are read at the places. Short rows go through a sorting network,
many rows at a time in the lanes of vectors. The largest k are the first k in the order of the
inverted integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.compile.builder import BOOL
from adlib.compile.library.part import PARTS, LibraryPart
from adlib.compile.library.sorting_blocks import BlockSort
from adlib.compile.library.sorting_networks import network
from adlib.compile.library.sorting_radix import Radix
from adlib.compile.library.sorting_rows import Problem, sortable, unsigned
from adlib.compile.llvm_module import Module
from adlib.compile.loopir import Accumulator, Buffer, For, Kernel, LoopBuilder, Nest, Store
from adlib.compile.memory import ALIGN
from adlib.compile.render_llvm import render
from adlib.core.jaxpr import Eqn, Var

_U64, _C64 = np.dtype(np.uint64), np.dtype(np.complex64)
_SHORT = 32  # elements of rows that a network in registers sorts


class _SortPart(LibraryPart):
    """Kernels for one problem; where zeros of both signs may occur, two that are chosen from."""

    problem: Problem

    def prepare(self, problem: Problem, stable: bool) -> None:
        self.problem = problem
        p = problem
        self.empty = 0 in (p.rows, p.n, p.kept)
        self.work = 60 * p.rows * p.n
        if self.empty:
            return
        kernels = []
        if p.alone:
            kernels.append(self._kernel("apart", apart=True))
        if not p.alone or (stable and p.dtypes[0].kind == "f"):
            kernels.append(self._kernel("placed", apart=False))
        self.kernels = kernels
        self.flag = 0
        if len(kernels) == 2:
            self.flag = self.scratch
            self.scratch += ALIGN

    def _kernel(self, name: str, apart: bool) -> tuple[Any, list[int]]:
        """(a kernel or block sort, where the memory that it needs lies in the scratch)."""
        p = self.problem
        name = f"{self.name}_{name}"
        if p.n <= _SHORT:
            return network(p, name, apart), []
        if BlockSort.fits(p, apart):
            block = BlockSort(p, name, apart)
            self.scratch = max(self.scratch, -(-block.scratch // ALIGN) * ALIGN)
            return block, [0]
        radix = Radix(p, name, apart)
        places, at = [], 0
        for dtype, size in radix.scratch:
            places.append(at)
            at += -(-size * dtype.itemsize // ALIGN) * ALIGN
        self.scratch = max(self.scratch, at)
        return radix.kernel, places

    def render(self, module: Module) -> None:
        p = self.problem
        operands, results = len(self.eqn.invars), len(self.eqn.outvars)
        names = [*[f"%a{i}" for i in range(operands)], *[f"%o{i}" for i in range(results)]]
        params = ", ".join([f"ptr {n}" for n in [*names, *(["%scratch"] if self.scratch else [])]])
        lines = [f"define internal void @{self.name}({params}) nounwind {{", "entry:"]
        if not self.empty:
            calls = []
            for number, (kernel, places) in enumerate(self.kernels):
                if isinstance(kernel, BlockSort):
                    kernel.render(module)
                else:
                    render(kernel, module)
                pointers = list(names)
                for k, at in enumerate(places):
                    pointer = f"%s{number}_{k}"
                    lines.append(f"  {pointer} = getelementptr i8, ptr %scratch, i64 {at}")
                    pointers.append(pointer)
                arguments = ", ".join([f"ptr {x}" for x in pointers])
                calls.append(f"  call void @{kernel.name}({arguments})")
            if len(calls) == 2:
                render(_negative_zeros(p, f"{self.name}_zeros"), module)
                lines += [
                    f"  %flag = getelementptr i8, ptr %scratch, i64 {self.flag}",
                    f"  call void @{self.name}_zeros(ptr %a0, ptr %flag)",
                    "  %found = load i8, ptr %flag",
                    "  %any = icmp ne i8 %found, 0",
                    "  br i1 %any, label %placed, label %apart",
                    "placed:",
                    calls[1],
                    "  ret void",
                    "apart:",
                ]
            lines.append(calls[0])
        module.functions.append("\n".join([*lines, "  ret void", "}\n"]))


def _negative_zeros(p: Problem, name: str) -> Kernel:
    """Whether there are any: only then does it show that equal numbers keep their order."""
    dtype = p.dtypes[0]
    size = p.rows * p.n
    word = unsigned(dtype)
    b = LoopBuilder()
    bits = b.bitcast(b.load(0, (1, 0), dtype), word)
    found = b.compare("eq", bits, b.constant(1 << (8 * dtype.itemsize - 1), word))
    total = Accumulator("or", found)
    items = [For(0, b.items, [total]), Store(1, (0, 0), total.result)]
    buffers = [Buffer("x", dtype, size, False), Buffer("found", BOOL, 1, True)]
    return Kernel(name, buffers, [Nest((size,), items, "looks for negative zeros")])


class Sort(_SortPart):
    """``sort``."""

    def __init__(self, eqn: Eqn, operands: Sequence[Var], name: str) -> None:
        super().__init__(eqn, operands, name)
        params = eqn.params
        avals = [v.aval for v in eqn.outvars]
        dtypes_ = [_U64 if a.dtype == _C64 else a.dtype for a in avals]  # moved as they are
        problem = Problem(avals[0].shape, params["dimension"], dtypes_, params["num_keys"])
        self.prepare(problem, params["is_stable"])

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        found = [v.aval.dtype for v in eqn.outvars]
        keys = eqn.params["num_keys"]
        moved = all(sortable(d) or d == _C64 for d in found[keys:])
        return super().accepts(eqn, dtypes_) and moved and all(sortable(d) for d in found[:keys])


class TopK(_SortPart):
    """``top_k``."""

    def __init__(self, eqn: Eqn, operands: Sequence[Var], name: str) -> None:
        super().__init__(eqn, operands, name)
        aval = eqn.invars[0].aval
        problem = Problem(
            aval.shape,
            eqn.params["axis"],
            [aval.dtype],
            1,
            descending=True,
            kept=eqn.params["k"],
            places=True,
        )
        self.prepare(problem, stable=True)

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        return super().accepts(eqn, dtypes_) and sortable(eqn.invars[0].aval.dtype)


PARTS["sort"] = Sort
PARTS["top_k"] = TopK
