"""Sums of products as register tiles: the loops of convolutions, written as LLVM text.

``out[i, r, v] = Σ_k left[i, k, r, v] · right[i, k, r, v]`` for axes with constant strides. One
axis of the result is the vectors' (its stride is 0 or 1 in every array), another one counts the
rows of a tile. A tile of rows × vectors of the result is held in registers while the sums run;
an operand that does not depend on the row or on the vector is loaded once for all of them, which
is what makes this as fast as the processor can multiply.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.compile import engine
from adlib.compile.llvm_module import WRITTEN, Module, type_name

_UNROLLED = 4  # rounds of a loop within a tile that LLVM may write out
_MOST_ROWS = 14  # of a tile: of more, LLVM keeps the elements in registers that it has not
_LATENCY = 4  # cycles until the result of a multiply-add can be used


class Axis(NamedTuple):
    """An axis of the loops: its size and its strides, in elements, in each array."""

    size: int
    out: int
    left: int
    right: int


class Plan(NamedTuple):
    """How much of the result a tile holds: ``rows``, and ``vectors`` of ``lanes`` elements."""

    rows: int
    vectors: int
    lanes: int


class Text:
    """Lines of a function, with fresh names and loops."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self.block = "entry"

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def assign(self, text: str) -> str:
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def at(self, type_: str, pointer: str, offset: int) -> str:
        """A pointer moved by a constant number of elements."""
        if not offset:
            return pointer
        return self.assign(f"getelementptr {type_}, ptr {pointer}, i64 {offset}")

    def loop(
        self,
        size: int,
        carried: Sequence[tuple[str, str]],
        body: Callable[[str, list[str]], Sequence[str]],
        hint: str = "",
    ) -> list[str]:
        """Rounds 0 to ``size`` - 1 of ``body(index, values)``, which gives the next values.

        ``carried`` are (type, initial value). Returns the values after the last round.
        """
        if size == 1:
            return list(body("0", [value for _, value in carried]))
        self.count += 1
        head, tail, before = f"loop{self.count}", f"done{self.count}", self.block
        index, following = f"%i{self.count}", f"%n{self.count}"
        names = [f"%c{self.count}_{i}" for i in range(len(carried))]
        self.line(f"br label %{head}")
        self.lines.append(f"{head}:")
        self.block = head
        place = len(self.lines)
        results = list(body(index, names))
        self.line(f"{following} = add nuw nsw i64 {index}, 1")
        more = self.assign(f"icmp ult i64 {following}, {size}")
        last = self.block
        self.line(f"br i1 {more}, label %{head}, label %{tail}{hint}")
        header = [f"  {index} = phi i64 [ 0, %{before} ], [ {following}, %{last} ]"]
        for name, (type_, initial), result in zip(names, carried, results, strict=True):
            header.append(f"  {name} = phi {type_} [ {initial}, %{before} ], [ {result}, %{last} ]")
        self.lines[place:place] = header
        self.lines.append(f"{tail}:")
        self.block = tail
        return results


class Contraction:
    """Adds ``void @name(ptr out, ptr left, ptr right)`` to a module.

    Args:
      outer: axes of the result around the tiles.
      rows, vector: the axes of a tile; strides of ``vector`` are 0 or 1.
      sums: the axes that are summed over, the outermost first.
      accumulate: whether sums are added to what the result holds.
    """

    def __init__(
        self,
        name: str,
        dtype: np.dtype[Any],
        outer: Sequence[Axis],
        rows: Axis,
        vector: Axis,
        sums: Sequence[Axis],
        accumulate: bool,
    ) -> None:
        self.name = name
        self.dtype = dtype
        self.outer = [a for a in outer if a.size != 1]
        self.rows = rows
        self.vector = vector
        self.sums = merged(sums)
        self.accumulate = accumulate
        rounds = math.prod([a.size for a in self.sums])
        self.plan = _plan(dtype.itemsize, rows, vector, rounds)

    def render(self, module: Module) -> None:
        text = Text()
        self._around(text, module, list(self.outer), "%out", "%left", "%right")
        lines = [
            f"define internal void @{self.name}"
            f"(ptr noalias %out, ptr noalias %left, ptr noalias %right) nounwind{WRITTEN} {{",
            "entry:",
            *text.lines,
            "  ret void",
            "}\n",
        ]
        module.functions.append("\n".join(lines))

    def _around(
        self, text: Text, module: Module, axes: list[Axis], out: str, left: str, right: str
    ) -> None:
        """Blocks of the vectors' axis outermost: what they need of ``right`` stays in the cache."""
        plan = self.plan
        width = plan.vectors * plan.lanes
        full, rest = divmod(self.vector.size, width)
        step = Axis(full, *[width * s for s in self.vector[1:]])
        if full:
            self._along(
                text, [step], (out, left, right),
                lambda *p: self._rows(text, module, axes, width, *p),
            )  # fmt: skip
        if rest:
            type_ = type_name(self.dtype)
            moved = [
                text.at(type_, p, full * s)
                for p, s in zip((out, left, right), step[1:], strict=True)
            ]
            self._rows(text, module, axes, rest, *moved)

    def _rows(
        self, text: Text, module: Module, axes: list[Axis], width: int, *pointers: str
    ) -> None:
        full, rest = divmod(self.rows.size, self.plan.rows)
        step = Axis(full, *[self.plan.rows * s for s in self.rows[1:]])

        def tiles(out: str, left: str, right: str) -> None:
            tile = self._tile(module, self.plan.rows, width)
            self._along(
                text, [step], (out, left, right),
                lambda *p: text.line(f"call void @{tile}({', '.join([f'ptr {x}' for x in p])})"),
            )  # fmt: skip
            if rest:
                type_ = type_name(self.dtype)
                moved = [
                    text.at(type_, p, full * s)
                    for p, s in zip((out, left, right), step[1:], strict=True)
                ]
                tile = self._tile(module, rest, width)
                text.line(f"call void @{tile}({', '.join([f'ptr {x}' for x in moved])})")

        self._along(text, axes, pointers, tiles)

    def _along(
        self,
        text: Text,
        axes: list[Axis],
        pointers: Sequence[str],
        body: Callable[..., None],
    ) -> None:
        """Loops over axes that move the pointers to out, left and right."""
        if not axes:
            body(*pointers)
            return
        axis, type_ = axes[0], type_name(self.dtype)

        def round_(index: str, moving: list[str]) -> list[str]:
            self._along(text, axes[1:], moving, body)
            return [text.at(type_, p, s) for p, s in zip(moving, axis[1:], strict=True)]

        text.loop(axis.size, [("ptr", p) for p in pointers], round_)

    # -------------------------------------------------------------------- tiles

    def _tile(self, module: Module, rows: int, width: int) -> str:
        """The name of the function that computes ``rows`` × ``width`` elements."""
        name = f"{self.name}_{rows}x{width}"
        head = f"define internal void @{name}("
        if not any(f.startswith(head) for f in module.functions):
            module.functions.append(_Tile(self, module, name, rows, width).text())
        return name


class _Tile:
    """One tile as a function ``void @name(ptr out, ptr left, ptr right)``."""

    def __init__(self, c: Contraction, module: Module, name: str, rows: int, width: int) -> None:
        self.c = c
        self.module = module
        self.name = name
        self.rows = rows
        lanes = c.plan.lanes
        # elements of each vector: the last one may have fewer than there are lanes
        self.active = [min(lanes, width - v) for v in range(0, width, lanes)]
        self.element = type_name(c.dtype)
        self.vector = f"<{lanes} x {self.element}>"
        self.suffix = f"v{lanes}{'f' if c.dtype.kind == 'f' else 'i'}{8 * c.dtype.itemsize}"
        self.out = Text()

    def text(self) -> str:
        t, c = self.out, self.c
        places = [(r, v) for r in range(self.rows) for v in range(len(self.active))]
        zero = "zeroinitializer"
        start = [self._load("%out", c.rows.out, c.vector.out, r, v) if c.accumulate else zero
                 for r, v in places]  # fmt: skip
        carried = [("ptr", "%left"), ("ptr", "%right"), *[(self.vector, s) for s in start]]
        results = self._sums(c.sums, carried)[2:]
        for (r, v), value in zip(places, results, strict=True):
            self._store(r, v, value)
        lines = [
            f"define internal void @{self.name}"
            "(ptr noalias %out, ptr noalias %left, ptr noalias %right) "
            f"noinline nounwind{WRITTEN} {{",
            "entry:",
            *t.lines,
            "  ret void",
            "}\n",
        ]
        return "\n".join(lines)

    def _sums(self, axes: Sequence[Axis], carried: Sequence[tuple[str, str]]) -> list[str]:
        if not axes:
            return self._multiply([value for _, value in carried])
        axis = axes[0]
        types = [type_ for type_, _ in carried]

        def round_(index: str, values: list[str]) -> list[str]:
            inner = self._sums(axes[1:], list(zip(types, values, strict=True)))
            moved = [
                self.out.at(self.element, p, s)
                for p, s in zip(values[:2], (axis.left, axis.right), strict=True)
            ]
            return [*moved, *inner[2:]]

        hint = self.module.loop_hint(0, axis.size <= _UNROLLED)
        return self.out.loop(axis.size, carried, round_, hint)

    def _multiply(self, values: list[str]) -> list[str]:
        c = self.c
        left, right, *totals = values
        loaded: dict[Any, str] = {}

        def operand(which: int, pointer: str, r: int, v: int) -> str:
            by_row, by_vector = c.rows[which], c.vector[which]
            key = (which, r if by_row else 0, v if by_vector else 0)
            if key not in loaded:
                loaded[key] = self._load(pointer, by_row, by_vector, key[1], key[2])
            return loaded[key]

        results = []
        places = [(r, v) for r in range(self.rows) for v in range(len(self.active))]
        for (r, v), total in zip(places, totals, strict=True):
            x, y = operand(2, left, r, v), operand(3, right, r, v)
            results.append(self._add_product(x, y, total))
        return [left, right, *results]

    def _add_product(self, x: str, y: str, total: str) -> str:
        type_ = self.vector
        if self.c.dtype.kind == "f":
            name = self.module.intrinsic(f"llvm.fmuladd.{self.suffix}", type_, type_, type_, type_)
            return self.out.assign(
                f"call {type_} {name}({type_} {x}, {type_} {y}, {type_} {total})"
            )
        product = self.out.assign(f"mul {type_} {x}, {y}")
        return self.out.assign(f"add {type_} {total}, {product}")

    def _load(self, pointer: str, by_row: int, by_vector: int, r: int, v: int) -> str:
        """A vector of an operand, or one element in all lanes."""
        t, lanes = self.out, self.c.plan.lanes
        size = self.c.dtype.itemsize
        at = t.at(self.element, pointer, r * by_row + v * lanes * by_vector)
        if not by_vector:
            one = t.assign(f"load {self.element}, ptr {at}, align {size}")
            first = t.assign(f"insertelement {self.vector} poison, {self.element} {one}, i64 0")
            return t.assign(
                f"shufflevector {self.vector} {first}, {self.vector} poison, "
                f"<{lanes} x i32> zeroinitializer"
            )
        if self.active[v] == lanes:
            return t.assign(f"load {self.vector}, ptr {at}, align {size}")
        mask_type = f"<{lanes} x i1>"
        name = self.module.intrinsic(
            f"llvm.masked.load.{self.suffix}.p0", self.vector, "ptr", "i32", mask_type, self.vector
        )
        return t.assign(
            f"call {self.vector} {name}(ptr {at}, i32 {size}, {mask_type} {self._mask(v)}, "
            f"{self.vector} zeroinitializer)"
        )

    def _mask(self, v: int) -> str:
        lanes = self.c.plan.lanes
        return "<" + ", ".join([f"i1 {int(i < self.active[v])}" for i in range(lanes)]) + ">"

    def _store(self, r: int, v: int, value: str) -> None:
        t, lanes, size = self.out, self.c.plan.lanes, self.c.dtype.itemsize
        offset = r * self.c.rows.out + v * lanes * self.c.vector.out
        at = t.at(self.element, "%out", offset)
        if self.active[v] == lanes:
            t.line(f"store {self.vector} {value}, ptr {at}, align {size}")
            return
        mask_type = f"<{lanes} x i1>"
        name = self.module.intrinsic(
            f"llvm.masked.store.{self.suffix}.p0", "void", self.vector, "ptr", "i32", mask_type
        )
        t.line(
            f"call void {name}({self.vector} {value}, ptr {at}, i32 {size}, "
            f"{mask_type} {self._mask(v)})"
        )


def merged(axes: Sequence[Axis]) -> list[Axis]:
    """Neighbouring axes as one where all arrays run through them alike."""
    result: list[Axis] = []
    for axis in axes:
        if axis.size == 1:
            continue
        if result:
            before = result[-1]
            if all(x == axis.size * y for x, y in zip(before[1:], axis[1:], strict=True)):
                result[-1] = Axis(before.size * axis.size, *axis[1:])
                continue
        result.append(axis)
    return result


@functools.lru_cache(256)
def _plan(itemsize: int, rows: Axis, vector: Axis, rounds: int) -> Plan:
    """The tile that needs the fewest cycles, by a simple model of multiply-adds, loads, latency
    and the caches that vectors come from; large tiles, which take longer to compile, pay a little.
    """
    machine = engine.vectors()
    lanes = min(machine.bytes // itemsize, 1 << (vector.size - 1).bit_length())
    blocks = -(-vector.size // lanes)
    best, least = Plan(1, 1, lanes), math.inf
    for vectors in range(1, min(blocks, 8) + 1):
        for count in range(1, min(rows.size, _MOST_ROWS) + 1):
            if vectors * count + vectors + 1 > machine.registers:
                break
            cycles = _cycles(machine, count, vectors, rows, vector)
            read = vectors * lanes * itemsize
            if count < rows.size:  # other tiles read the same vectors again
                cycles = max(cycles, read / _rate(read * rounds))
            cycles *= 1 + 0.004 * vectors * count
            tiles = -(-rows.size // count) * -(-blocks // vectors)
            if tiles * cycles < least * 0.999:
                best, least = Plan(count, vectors, lanes), tiles * cycles
    return best


def _rate(panel: int) -> float:
    """Bytes in a cycle from the cache that holds what a column of tiles reads again and again."""
    return 32.0 if panel <= 24 << 10 else 12.0 if panel <= 400 << 10 else 6.0


def _cycles(machine: engine.Vectors, rows: int, vectors: int, row: Axis, vector: Axis) -> float:
    """Of one round of the sums in a tile."""
    loads = sum([(rows if row[k] else 1) * (vectors if vector[k] else 1) for k in (2, 3)])
    work = max(rows * vectors * machine.cycles, loads * machine.cycles, _LATENCY)
    return work + 0.2 * loads + 1  # loads that do not fit in between, and the loop itself
