"""Rows of middling length: a block of them stands in columns and goes through a network in memory.

Each row of the scratch holds one element of all rows of the block, so that a comparison is one
of vectors. Runs of sixteen are sorted in registers; Batcher's merges of them compare rows that are
a step apart, in loops over memory that stays in the nearest cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile import engine
from adlib.compile.library.contraction import Text
from adlib.compile.library.sorting_networks import comparators
from adlib.compile.library.sorting_rows import Problem, as_key, from_key, scaled_index, unsigned
from adlib.compile.llvm_module import Module, memory_type, type_name
from adlib.compile.loopir import Buffer, Kernel, LoopBuilder, Store
from adlib.compile.nests import loop_nest
from adlib.compile.render_llvm import render

_U32, _U64 = np.dtype(np.uint32), np.dtype(np.uint64)
_RUN = 16  # elements that are sorted in registers
_LONGEST = 512
_LANES = (32, 16, 8)


class BlockSort:
    """The function of a problem, and the memory that it needs."""

    def __init__(self, p: Problem, name: str, apart: bool) -> None:
        self.p = p
        self.name = name
        self.apart = apart
        self.lanes = _lanes(p)
        self.word = unsigned(p.dtypes[0]) if apart else _U64
        self.type = type_name(self.word)
        self.scratch = p.n * self.lanes * self.word.itemsize
        # from one element of a row to the next, and from one row to the next
        self.element = p.inner
        self.row = (p.n, p.kept) if p.inner == 1 else (1, 1)
        self.buffers: list[Buffer] = []
        self.nests: list[Any] = []

    @staticmethod
    def fits(p: Problem, apart: bool) -> bool:
        return p.n <= _LONGEST and (apart or p.packed) and bool(_lanes(p))

    # ------------------------------------------------------------------- the kernel

    def buffer(self, dtype: np.dtype[Any], size: int, written: bool = False) -> int:
        self.buffers.append(Buffer(f"b{len(self.buffers)}", dtype, size, written))
        return len(self.buffers) - 1

    def arrays(self) -> None:
        """Buffers for a new kernel."""
        p, reach = self.p, self.p.n * self.lanes * max(self.p.inner, 1)
        self.buffers, self.nests = [], []
        self.sources = [self.buffer(d, reach) for d in p.dtypes]
        self.targets = [self.buffer(d, reach, True) for d in p.written()]
        self.block = self.buffer(self.word, p.n * self.lanes, True)

    def kernel(self, module: Module, name: str, write: Callable[[], None]) -> str:
        self.arrays()
        write()
        render(Kernel(f"{self.name}_{name}", self.buffers, self.nests), module)
        return f"{self.name}_{name}"

    def nest(self, space: tuple[int, ...], body: list[Any], why: str, ordered: bool) -> None:
        self.nests.append(loop_nest(space, body, why, ordered))

    def fill(self) -> None:
        """The keys, an element of all rows after the other."""
        p, b = self.p, LoopBuilder()
        x = b.load(self.sources[0], (self.element, self.row[0], 0), p.dtypes[0])
        word = b.convert(as_key(b, x, p.descending, self.apart), self.word)
        if not self.apart:
            word = b.binary("shl", word, b.constant(32, _U64))
            word = b.binary("or", word, b.convert(b.index((1, 0, 0)), _U64))
        store = Store(self.block, (self.lanes, 1, 0), word)
        self.nest((p.n, self.lanes), [*b.items, store], "keys in columns", ordered=False)

    # ------------------------------------------------------------------ the network

    def network(self, module: Module) -> str:
        """``void @name(ptr block)``, whose instructions are vectors already."""
        text = Text()
        full, rest = divmod(self.p.n, _RUN)
        if full:
            self.sort_runs(text, module, full, _RUN, 0)
        if rest:
            self.sort_runs(text, module, 1, rest, full * _RUN)
        length = _RUN
        while length < self.p.n:
            self.merge(text, module, length)
            length *= 2
        name = f"{self.name}_network"
        head = f"define internal void @{name}(ptr noalias %block) noinline nounwind {{"
        module.functions.append("\n".join([head, "entry:", *text.lines, "  ret void", "}\n"]))
        return name

    def sort_runs(self, text: Text, module: Module, runs: int, length: int, start: int) -> None:
        lanes = min(self.lanes, engine.vectors().bytes // self.word.itemsize)

        def columns(index: str, moving: list[str]) -> list[str]:
            (pointer,) = moving
            places = [text.at(self.type, pointer, i * self.lanes) for i in range(length)]
            values = [self.load(text, place, lanes) for place in places]
            for i, j in comparators(length):
                values[i], values[j] = self.ordered(text, module, values[i], values[j], lanes)
            for value, place in zip(values, places, strict=True):
                self.store(text, value, place, lanes)
            return [text.at(self.type, pointer, lanes)]

        def run(index: str, moving: list[str]) -> list[str]:
            text.loop(self.lanes // lanes, [("ptr", moving[0])], columns)
            return [text.at(self.type, moving[0], _RUN * self.lanes)]

        first = text.at(self.type, "%block", start * self.lanes)
        text.loop(runs, [("ptr", first)], run)

    def merge(self, text: Text, module: Module, length: int) -> None:
        """Pairs of sorted runs of ``length`` become one: see ``comparators``."""
        n, step = self.p.n, length
        while step:
            skip = step % length
            whole, rest = divmod(n, 2 * length)
            groups = 1 if step == length else length // step - 1
            axes = [(whole, 2 * length), (groups, 2 * step), (step, 1)]
            if whole:
                self.compare(text, module, axes, skip, step)
            # of the last pair, which is cut off, what still has a partner
            base, left = whole * 2 * length + skip, rest - skip - step
            complete = max(0, min(groups, (left + step) // (2 * step)))
            if complete:
                self.compare(text, module, [(complete, 2 * step), (step, 1)], base, step)
            count = min(step, left - 2 * step * complete)
            if complete < groups and count > 0:
                self.compare(text, module, [(count, 1)], base + 2 * step * complete, step)
            step //= 2

    def compare(
        self, text: Text, module: Module, axes: list[tuple[int, int]], start: int, step: int
    ) -> None:
        """Elements ``step`` apart are put in order; axes are (size, elements between)."""

        def along(left: list[tuple[int, int]], pointer: str) -> None:
            if not left:
                other = text.at(self.type, pointer, step * self.lanes)
                x, y = self.load(text, pointer, self.lanes), self.load(text, other, self.lanes)
                low, high = self.ordered(text, module, x, y, self.lanes)
                self.store(text, low, pointer, self.lanes)
                self.store(text, high, other, self.lanes)
                return
            (size, by), *inner = left

            def round_(index: str, moving: list[str]) -> list[str]:
                along(inner, moving[0])
                return [text.at(self.type, moving[0], by * self.lanes)]

            text.loop(size, [("ptr", pointer)], round_, module.loop_hint(0, False))

        along(axes, text.at(self.type, "%block", start * self.lanes))

    def load(self, text: Text, pointer: str, lanes: int) -> str:
        size = self.word.itemsize
        return text.assign(f"load <{lanes} x {self.type}>, ptr {pointer}, align {size}")

    def store(self, text: Text, value: str, pointer: str, lanes: int) -> None:
        size = self.word.itemsize
        text.line(f"store <{lanes} x {self.type}> {value}, ptr {pointer}, align {size}")

    def ordered(self, text: Text, module: Module, x: str, y: str, lanes: int) -> tuple[str, str]:
        type_ = f"<{lanes} x {self.type}>"
        found = []
        for op in ("umin", "umax"):
            name = f"llvm.{op}.v{lanes}{self.type}"
            function = module.intrinsic(name, type_, type_, type_)
            found.append(text.assign(f"call {type_} {function}({type_} {x}, {type_} {y})"))
        return found[0], found[1]

    # ---------------------------------------------------------------------- results

    def read_out(self) -> None:
        p, b = self.p, LoopBuilder()
        word = b.load(self.block, (self.lanes, 1, 0), self.word)
        target = (self.element, self.row[1], 0)
        stores = []
        if self.apart:
            stores.append(Store(self.targets[0], target, from_key(b, word, p.dtypes[0])))
        else:
            index = b.convert(word, _U32)
            offset = scaled_index(b, index, p.inner)
            for k, source in enumerate(self.sources):
                value = b.load(source, (0, self.row[0], 0), p.dtypes[k], offset)
                stores.append(Store(self.targets[k], target, value))
            if p.places:
                place = b.convert(index, np.dtype(np.int32))
                stores.append(Store(self.targets[-1], target, place))
        self.nest((p.kept, self.lanes), [*b.items, *stores], "back to rows", ordered=False)

    # ------------------------------------------------------------------- all blocks

    def render(self, module: Module) -> None:
        """``void @name(ptr arrays…, ptr results…, ptr scratch)``: blocks of rows; the last one
        starts early enough to be whole, and does some rows again."""
        fill = self.kernel(module, "fill", self.fill)
        network = self.network(module)
        finish = self.kernel(module, "finish", self.read_out)
        p = self.p
        arrays = [*p.dtypes, *p.written()]
        names = [f"%a{i}" for i in range(len(arrays))]
        params = ", ".join([f"ptr {n}" for n in [*names, "%scratch"]])
        count = p.outer if p.inner == 1 else p.inner
        around = 1 if p.inner == 1 else p.outer
        minimum = module.intrinsic("llvm.umin.i64", "i64", "i64", "i64")
        lines = [
            f"define internal void @{self.name}({params}) noinline nounwind {{",
            "entry:",
            "  br label %outer",
            "outer:",
            "  %o = phi i64 [ 0, %entry ], [ %o_next, %outer_end ]",
            "  br label %blocks",
            "blocks:",
            "  %r = phi i64 [ 0, %outer ], [ %r_next, %blocks ]",
            f"  %at = call i64 {minimum}(i64 %r, i64 {count - self.lanes})",
        ]
        pointers = []
        for i, dtype in enumerate(arrays):
            given = i < len(p.dtypes)
            row, size = self.row[0 if given else 1], p.n if given else p.kept
            lines += [
                f"  %ro{i} = mul i64 %o, {size * p.inner}",
                f"  %rr{i} = mul i64 %at, {row}",
                f"  %rs{i} = add i64 %ro{i}, %rr{i}",
                f"  %p{i} = getelementptr {memory_type(dtype)}, ptr %a{i}, i64 %rs{i}",
            ]
            pointers.append(f"ptr %p{i}")
        given_pointers = ", ".join([*pointers, "ptr %scratch"])
        lines += [
            f"  call void @{fill}({given_pointers})",
            f"  call void @{network}(ptr %scratch)",
            f"  call void @{finish}({given_pointers})",
            f"  %r_next = add i64 %r, {self.lanes}",
            f"  %r_more = icmp ult i64 %r_next, {count}",
            "  br i1 %r_more, label %blocks, label %outer_end",
            "outer_end:",
            "  %o_next = add i64 %o, 1",
            f"  %o_more = icmp ult i64 %o_next, {around}",
            "  br i1 %o_more, label %outer, label %done",
            "done:",
            "  ret void",
            "}\n",
        ]
        module.functions.append("\n".join(lines))


def _lanes(p: Problem) -> int:
    """Rows in a block; 0 where there are too few."""
    count = p.outer if p.inner == 1 else p.inner
    return next((lanes for lanes in _LANES if lanes <= count), 0)
