"""Loops and values of the loop language as lines of LLVM text: the body of one function.

Loops become rotated loops (the test stands at the end), since their extents are constants
above zero. Nothing is reassociated or contracted but the combination of accumulators, whose
order is therefore this file's choice and the vectorizer's, the same at every run: sums of
floats are made in blocks, and the blocks' sums of float32 are added up in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.compile import render_halves
from adlib.compile.builder import BOOL
from adlib.compile.llvm_module import Module, constant_text, memory_type, type_name
from adlib.compile.loopir import (
    Accumulator,
    For,
    Kernel,
    Nest,
    Position,
    Store,
    Value,
    depth,
    loops,
)

_BLOCK = 1024  # elements of a sum that are added up before the result joins the others

_FLOAT_OPS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "rem": "frem"}
_FLOAT_FUNCTIONS = {
    "abs": "fabs",
    "sqrt": "sqrt",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "round_even": "rint",
    "copysign": "copysign",
    "fma": "fma",
    "mul_add": "fmuladd",
    "min": "minimum",
    "max": "maximum",
}
_FLOAT_COMPARE = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}


def most_unrolled(loop: For) -> int:
    """Rounds up to which a loop may be written out. LLVM would write out loops of a thousand
    rounds, for seconds, and vectorizes what is written out less well than a loop."""
    if loops(loop.body):
        return 4
    extremum = any(
        a.kind in ("max", "min") and a.value.dtype.kind == "f" for a in loop.accumulators
    )
    return 31 if extremum else 7


def interleave_count(loop: For, rounds: int, lines: int = 0) -> int:
    """How many copies of a loop's body the processor needs to hide its latencies, 0 for LLVM's
    own choice, which is too low for long chains of dependent operations. Loops that are done in
    no time are not worth the longer code: compiling it takes longer in proportion. Nor are those
    of many ``lines`` beside each other, as on complex numbers, which keep the processor busy."""
    if rounds < 2048 or len(loop.accumulators) >= 4:  # enough that is independent
        return 0
    if any(a.kind in ("max", "min") and a.value.dtype.kind == "f" for a in loop.accumulators):
        return 4  # with their NaN and zeros' signs, each depends on the one before for 15 cycles
    chain = depth(loop.body)
    return 0 if chain < 24 else 2 if chain < 36 or lines > 3 * chain else 4


def _mark_needed(items: Sequence[Any], needed: set[int]) -> None:
    """Collect the ids of the values that are read where rare cases are left out."""
    for item in reversed(items):
        if type(item) is Store:
            needed.add(id(item.value))
            if item.offset is not None:
                needed.add(id(item.offset))
        elif type(item) is For:
            needed.update([id(acc.value) for acc in item.accumulators])
            _mark_needed(item.body, needed)
        elif id(item) in needed:
            args = item.args[::2] if item.op == "rare" else item.args  # (predicate, slow, fast)
            needed.update([id(a) for a in args])


class LoopWriter:
    """Writes the body of one function."""

    def __init__(self, kernel: Kernel, module: Module, quick: bool = False) -> None:
        self.kernel = kernel
        self.module = module
        self.quick = quick
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.count = 0
        self.block = "entry"
        self.axes: list[str] = []
        self.rounds = 1  # of all loops around what is being written
        self.offsets: dict[Position, str] = {}
        self.needed: set[int] = set()
        self.noted: set[int] = set()  # predicates of rare cases

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def fresh(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def assign(self, text: str) -> str:
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def start(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.block = label

    # ------------------------------------------------------------------ loops

    def nest(self, nest: Nest) -> None:
        self.begin(nest)
        self.items(nest.items, nest)

    def begin(self, nest: Nest) -> None:
        self.names.clear()
        self.axes = [""] * len(nest.extents)
        self.offsets = {}
        if self.quick:
            self.needed, self.noted = set(), set()
            _mark_needed(nest.items, self.needed)

    def chunk(self, nest: Nest, size: int = 0) -> None:
        """The rounds ``%first`` to ``%limit`` of the outermost loop; its reductions' totals go to
        ``%partial``, eight bytes for each. ``size``: the number of rounds where it is always the
        same, so that LLVM need not write a second loop for what vectors leave over."""
        self.begin(nest)
        loop = nest.items[0]
        self.loop(loop, nest, "%first", "%limit", size)
        for k, acc in enumerate(loop.accumulators):
            pointer = self.assign(f"getelementptr i64, ptr %partial, i64 {k}")
            self.store_plain(self.names[id(acc.result)], acc.value.dtype, pointer)

    def combined(self, nest: Nest, count: int) -> None:
        """The results of a nest whose ``count`` chunks have left their totals in ``%partial``."""
        self.begin(nest)
        accumulators = nest.items[0].accumulators
        types = [_wide(acc) for acc in accumulators]
        totals: list[str] = []
        for chunk in range(count):
            parts = []
            for k, acc in enumerate(accumulators):
                at = chunk * len(accumulators) + k
                pointer = self.assign(f"getelementptr i64, ptr %partial, i64 {at}")
                parts.append(self.load_plain(acc.value.dtype, pointer))
            if not totals:
                totals = [
                    constant_text(a.identity, t) for a, t in zip(accumulators, types, strict=True)
                ]
            totals = self.joined(accumulators, types, totals, parts)
        self.complete(accumulators, types, totals)
        self.items(nest.items[1:], nest)

    def items(self, items: Sequence[Any], nest: Nest) -> None:
        for item in items:
            kind = type(item)
            if kind is Value:
                if not self.quick or id(item) in self.needed:
                    self.names[id(item)] = self.value(item)
            elif kind is Store:
                self.store(item)
            else:
                self.loop(item, nest)

    def loop(self, loop: For, nest: Nest, first: str = "0", limit: str = "", size: int = 0) -> None:
        """A loop from ``first`` below ``limit``, which is its whole extent if not given; of
        ``size`` rounds where that is known."""
        extent = nest.extents[loop.axis]
        if extent == 0:
            for acc in loop.accumulators:
                dtype = acc.value.dtype
                self.names[id(acc.result)] = constant_text(acc.identity, dtype)
            return
        inner = not loops(loop.body)
        blocked = inner and extent > 2 * _BLOCK and any(_sums_floats(a) for a in loop.accumulators)
        if not blocked:
            self.simple_loop(loop, nest, first, limit or str(extent), size)
            return
        size = size if limit else extent
        self.blocked_loop(loop, nest, first, limit or str(extent), size)

    def simple_loop(self, loop: For, nest: Nest, first: str, limit: str, size: int = 0) -> None:
        """One loop from ``first`` below ``limit``, at least one round; of ``size`` rounds where
        that is known: LLVM, too, knows it where the loop counts from 0."""
        self.count += 1
        head, tail, before = f"loop{self.count}", f"done{self.count}", self.block
        index, following = self.fresh(), self.fresh()
        inner = not loops(loop.body)
        types = [acc.value.dtype if inner else _wide(acc) for acc in loop.accumulators]
        phis = [self.fresh() for _ in types]
        self.line(f"br label %{head}")
        place = len(self.lines)
        self.start(head)
        saved_axes, saved_offsets = list(self.axes), dict(self.offsets)
        begin = first
        self.axes[loop.axis] = index
        if size:
            begin, limit = "0", str(size)
            self.axes[loop.axis] = self.assign(f"add nuw nsw i64 {first}, {index}")
        self.rounds *= nest.extents[loop.axis]
        self.items(loop.body, nest)
        parts = [self.names[id(acc.value)] for acc in loop.accumulators]
        results = self.joined(loop.accumulators, types, phis, parts)
        self.line(f"{following} = add nuw nsw i64 {index}, 1")
        more = self.assign(f"icmp ult i64 {following}, {limit}")
        lines = len(self.lines) - place
        interleave = interleave_count(loop, self.rounds, lines) if inner else 0
        self.rounds //= nest.extents[loop.axis]
        unroll = nest.extents[loop.axis] <= most_unrolled(loop)
        hint = self.module.loop_hint(interleave, unroll)
        last = self.block
        self.line(f"br i1 {more}, label %{head}, label %{tail}{hint}")
        self.lines[place + 1 : place + 1] = [
            f"  {index} = phi i64 [ {begin}, %{before} ], [ {following}, %{last} ]",
            *self.carried(loop.accumulators, types, phis, results, (before, last)),
        ]
        self.start(tail)
        self.complete(loop.accumulators, types, results)
        self.axes, self.offsets = saved_axes, saved_offsets

    def blocked_loop(self, loop: For, nest: Nest, begin: str, end: str, size: int) -> None:
        """A loop over blocks around the loop itself: see the module's docstring."""
        self.count += 1
        head, tail, before = f"block{self.count}", f"blocks{self.count}", self.block
        first, following = self.fresh(), self.fresh()
        wide = [_wide(acc) for acc in loop.accumulators]
        phis = [self.fresh() for _ in wide]
        self.line(f"br label %{head}")
        place = len(self.lines)
        self.start(head)
        block = _block(size)
        self.line(f"{following} = add nuw nsw i64 {first}, {block}")
        if size and size % block == 0:
            self.simple_loop(loop, nest, first, "", block)
        else:
            minimum = self.module.intrinsic("llvm.umin.i64", "i64", "i64", "i64")
            limit = self.assign(f"call i64 {minimum}(i64 {following}, i64 {end})")
            self.simple_loop(loop, nest, first, limit)
        parts = [self.names[id(acc.result)] for acc in loop.accumulators]
        results = self.joined(loop.accumulators, wide, phis, parts)
        more = self.assign(f"icmp ult i64 {following}, {end}")
        last = self.block
        hint = self.module.loop_hint(0, False)
        self.line(f"br i1 {more}, label %{head}, label %{tail}{hint}")
        self.lines[place + 1 : place + 1] = [
            f"  {first} = phi i64 [ {begin}, %{before} ], [ {following}, %{last} ]",
            *self.carried(loop.accumulators, wide, phis, results, (before, last)),
        ]
        self.start(tail)
        self.complete(loop.accumulators, wide, results)

    def joined(
        self,
        accumulators: Sequence[Accumulator],
        types: Sequence[np.dtype[Any]],
        totals: Sequence[str],
        parts: Sequence[str],
    ) -> list[str]:
        """The totals with a round's parts, in the types in which they are carried."""
        results = []
        for acc, dtype, total, part in zip(accumulators, types, totals, parts, strict=True):
            if dtype == acc.value.dtype and self.is_product(acc, part):
                x, y = [self.names[id(a)] for a in acc.value.args]
                type_ = type_name(dtype)
                name = f"llvm.fmuladd.f{8 * dtype.itemsize}"
                function = self.module.intrinsic(name, type_, type_, type_, type_)
                args = ", ".join([f"{type_} {v}" for v in (x, y, total)])
                results.append(self.assign(f"call reassoc {type_} {function}({args})"))
                continue
            if dtype != acc.value.dtype:
                part = self.assign(f"fpext float {part} to double")
            results.append(self.combine(Accumulator(acc.kind, Value("part", dtype)), total, part))
        return results

    def is_product(self, acc: Accumulator, part: str) -> bool:
        """Whether a round adds a product, so that one instruction does both."""
        value = acc.value
        if not _sums_floats(acc) or value.op != "mul" or value.dtype.itemsize < 4:
            return False
        return self.names.get(id(value)) == part

    def carried(
        self,
        accumulators: Sequence[Accumulator],
        types: Sequence[np.dtype[Any]],
        phis: Sequence[str],
        results: Sequence[str],
        blocks: tuple[str, str],
    ) -> list[str]:
        """The lines by which a loop carries totals from round to round."""
        before, last = blocks
        lines = []
        for acc, dtype, phi, result in zip(accumulators, types, phis, results, strict=True):
            initial = f"[ {constant_text(acc.identity, dtype)}, %{before} ]"
            lines.append(f"  {phi} = phi {type_name(dtype)} {initial}, [ {result}, %{last} ]")
        return lines

    def complete(
        self,
        accumulators: Sequence[Accumulator],
        types: Sequence[np.dtype[Any]],
        results: Sequence[str],
    ) -> None:
        """Name the results of a loop, in their own types."""
        for acc, dtype, result in zip(accumulators, types, results, strict=True):
            if dtype != acc.value.dtype:
                result = self.assign(f"fptrunc double {result} to float")
            self.names[id(acc.result)] = result

    def combine(self, acc: Accumulator, total: str, value: str) -> str:
        dtype = acc.value.dtype
        type_ = type_name(dtype)
        kind = acc.kind
        if dtype == BOOL:
            op = {"max": "or", "min": "and", "sum": "or", "prod": "and"}.get(kind, kind)
            return self.assign(f"{op} i1 {total}, {value}")
        if kind in ("sum", "prod"):
            op = "add" if kind == "sum" else "mul"
            if dtype.kind == "f":
                op = f"f{op} reassoc"
            return self.assign(f"{op} {type_} {total}, {value}")
        if kind in ("max", "min"):
            return self.extremum(kind, dtype, total, value)
        return self.assign(f"{kind} {type_} {total}, {value}")

    # ----------------------------------------------------------------- memory

    def offset(self, position: Position) -> str:
        """An affine function of the axes, without its constant."""
        coefficients = position[:-1]
        found = self.offsets.get(coefficients)
        if found is not None:
            return found
        total = ""
        for axis, coefficient in enumerate(coefficients):
            if not coefficient:
                continue
            term = self.axes[axis]
            if coefficient != 1:
                term = self.assign(f"mul nsw i64 {term}, {coefficient}")
            total = self.assign(f"add nsw i64 {total}, {term}") if total else term
        self.offsets[coefficients] = total
        return total

    def address(self, buffer: int, position: Position, offset: str = "", part: int = 0) -> str:
        type_ = memory_type(self.kernel.buffers[buffer].dtype)
        pointer, constant = f"%b{buffer}", position[-1]
        moving = self.offset(position)
        if offset:
            pointer = self.assign(f"getelementptr {type_}, ptr {pointer}, i64 {offset}")
        if moving:
            pointer = self.assign(f"getelementptr {type_}, ptr {pointer}, i64 {moving}")
        if constant:
            pointer = self.assign(f"getelementptr {type_}, ptr {pointer}, i64 {constant}")
        if part:
            pointer = self.assign(f"getelementptr {type_}, ptr {pointer}, i64 0, i64 {part}")
        return pointer

    def store(self, item: Store) -> None:
        offset = "" if item.offset is None else self.names[id(item.offset)]
        pointer = self.address(item.buffer, item.position, offset, item.part)
        self.store_plain(self.names[id(item.value)], item.value.dtype, pointer)

    def store_plain(self, value: str, dtype: np.dtype[Any], pointer: str) -> None:
        if dtype == BOOL:
            value = self.assign(f"zext i1 {value} to i8")
        self.line(f"store {memory_type(dtype)} {value}, ptr {pointer}, align {dtype.itemsize}")

    def load_plain(self, dtype: np.dtype[Any], pointer: str) -> str:
        type_ = memory_type(dtype)
        loaded = self.assign(f"load {type_}, ptr {pointer}, align {dtype.itemsize}")
        return self.assign(f"icmp ne i8 {loaded}, 0") if dtype == BOOL else loaded

    # ------------------------------------------------------------- arithmetic

    def value(self, value: Value) -> str:
        op, dtype = value.op, value.dtype
        if op == "const":
            return constant_text(value.attr, dtype)
        if op == "load":
            offset = self.names[id(value.args[0])] if value.args else ""
            buffer, position = value.attr
            return self.load_plain(dtype, self.address(buffer, position, offset, value.part))
        if op == "index":
            moving = self.offset(value.attr) or "0"
            return self.assign(f"add nsw i64 {moving}, {value.attr[-1]}")
        if op == "rare" and self.quick:
            return self.unless_met(value)
        args = [self.names[id(a)] for a in value.args]
        special = _SPECIAL.get(op)
        if special is not None:
            return special(self, value, args)
        if dtype.kind == "f":
            return self.float_operation(op, dtype, args)
        return self.integer_operation(op, dtype, args)

    def float_operation(self, op: str, dtype: np.dtype[Any], args: list[str]) -> str:
        type_ = type_name(dtype)
        if op == "neg":
            return self.assign(f"fneg {type_} {args[0]}")
        name = _FLOAT_OPS.get(op)
        if name is not None:
            return self.assign(f"{name} {type_} {args[0]}, {args[1]}")
        suffix = f"f{8 * dtype.itemsize}"
        return self.call(f"llvm.{_FLOAT_FUNCTIONS[op]}.{suffix}", type_, args)

    def integer_operation(self, op: str, dtype: np.dtype[Any], args: list[str]) -> str:
        type_ = type_name(dtype)
        signed = dtype.kind == "i"
        if op == "neg":
            return self.assign(f"sub {type_} 0, {args[0]}")
        if op == "not":
            ones = "true" if dtype == BOOL else "-1"
            return self.assign(f"xor {type_} {args[0]}, {ones}")
        if op in ("min", "max"):
            return self.extremum(op, dtype, *args)
        if op == "popcount":
            return self.call(f"llvm.ctpop.{type_}", type_, args)
        if op == "clz":
            name = self.module.intrinsic(f"llvm.ctlz.{type_}", type_, type_, "i1")
            return self.assign(f"call {type_} {name}({type_} {args[0]}, i1 false)")
        name = {
            "div": "sdiv" if signed else "udiv",
            "rem": "srem" if signed else "urem",
            "shr": "ashr" if signed else "lshr",
        }.get(op, op)
        return self.assign(f"{name} {type_} {args[0]}, {args[1]}")

    def extremum(self, op: str, dtype: np.dtype[Any], x: str, y: str) -> str:
        type_ = type_name(dtype)
        if dtype.kind == "f":
            return self.float_operation(op, dtype, [x, y])
        if dtype == BOOL:
            return self.assign(f"{'or' if op == 'max' else 'and'} i1 {x}, {y}")
        sign = "s" if dtype.kind == "i" else "u"
        return self.call(f"llvm.{sign}{op}.{type_}", type_, [x, y])

    def call(self, function: str, type_: str, args: Sequence[str]) -> str:
        name = self.module.intrinsic(function, type_, *[type_] * len(args))
        return self.assign(f"call {type_} {name}({', '.join([f'{type_} {a}' for a in args])})")

    def compare(self, value: Value, args: list[str]) -> str:
        dtype = value.args[0].dtype
        type_ = type_name(dtype)
        if dtype.kind == "f":
            return self.assign(f"fcmp {_FLOAT_COMPARE[value.op]} {type_} {args[0]}, {args[1]}")
        sign = "" if value.op in ("eq", "ne") else "s" if dtype.kind == "i" else "u"
        return self.assign(f"icmp {sign}{value.op} {type_} {args[0]}, {args[1]}")

    def unless_met(self, value: Value) -> str:
        """The fast value of a rare case, and a note where the predicate is true."""
        predicate, _, fast = value.args
        if id(predicate) not in self.noted:
            self.noted.add(id(predicate))
            met = self.assign("load i1, ptr %met")
            noted = self.assign(f"or i1 {met}, {self.names[id(predicate)]}")
            self.line(f"store i1 {noted}, ptr %met")
        return self.names[id(fast)]

    def select(self, value: Value, args: list[str]) -> str:
        type_ = type_name(value.dtype)
        return self.assign(f"select i1 {args[0]}, {type_} {args[1]}, {type_} {args[2]}")

    def convert(self, value: Value, args: list[str]) -> str:
        source, target = value.args[0].dtype, value.dtype
        from_, to = type_name(source), type_name(target)
        unsigned = source.kind in "ub"
        if target == BOOL:
            if source.kind == "f":
                return self.assign(f"fcmp une {from_} {args[0]}, 0.0")
            return self.assign(f"icmp ne {from_} {args[0]}, 0")
        if source.kind == "f" and target.kind == "f":
            op = "fpext" if target.itemsize > source.itemsize else "fptrunc"
        elif source.kind == "f":
            # out of range LLVM's own conversion may be anything at all, this one is a number
            name = f"llvm.fpto{'s' if target.kind == 'i' else 'u'}i.sat.{to}.f{8 * source.itemsize}"
            return self.assign(
                f"call {to} {self.module.intrinsic(name, to, from_)}({from_} {args[0]})"
            )
        elif target.kind == "f":
            op = "uitofp" if unsigned else "sitofp"
        elif source == BOOL or target.itemsize > source.itemsize:
            op = "zext" if unsigned else "sext"
        elif target.itemsize == source.itemsize:
            return args[0]
        else:
            op = "trunc"
        return self.assign(f"{op} {from_} {args[0]} to {to}")

    def bitcast(self, value: Value, args: list[str]) -> str:
        from_, to = type_name(value.args[0].dtype), type_name(value.dtype)
        return args[0] if from_ == to else self.assign(f"bitcast {from_} {args[0]} to {to}")

    def lookup(self, value: Value, args: list[str]) -> str:
        table = self.module.table(value.attr)
        type_ = memory_type(value.dtype)
        index_type = type_name(value.args[0].dtype)
        pointer = self.assign(
            f"getelementptr inbounds {type_}, ptr {table}, {index_type} {args[0]}"
        )
        return self.assign(f"load {type_}, ptr {pointer}, align {value.dtype.itemsize}")


_SPECIAL: dict[str, Callable[[LoopWriter, Value, list[str]], str]] = {
    **dict.fromkeys(_FLOAT_COMPARE, LoopWriter.compare),
    "select": LoopWriter.select,
    "rare": LoopWriter.select,
    "convert": LoopWriter.convert,
    "saturate": LoopWriter.convert,
    "bitcast": LoopWriter.bitcast,
    "lookup": LoopWriter.lookup,
    **dict.fromkeys(("widen", "narrow", "rounded"), render_halves.conversion),
}


def _block(size: int) -> int:
    """How many elements of a loop (0: an unknown number of rounds) are added up before the result
    joins the others. Where the blocks are all of one size, best a multiple of what vectors hold,
    LLVM knows how many rounds there are: half the work of compiling the loop."""
    for step in (64, 16, 8, 1):
        for block in range(_BLOCK, _BLOCK // 2, -step):
            if size and size % block == 0:
                return block
    return _BLOCK


def _sums_floats(acc: Accumulator) -> bool:
    return acc.kind == "sum" and acc.value.dtype.kind == "f"


def _wide(acc: Accumulator) -> np.dtype[Any]:
    """The dtype in which blocks are combined."""
    if _sums_floats(acc) and acc.value.dtype.itemsize == 4:
        return np.dtype(np.float64)
    return acc.value.dtype
