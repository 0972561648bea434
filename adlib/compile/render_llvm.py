"""Kernels of the loop language as the text of LLVM's intermediate representation.

Loops become rotated loops (the test stands at the end), since their extents are constants
above zero. Nothing is reassociated or contracted but the combination of accumulators, whose
order is therefore this file's choice and the vectorizer's, the same at every run: sums of
floats are made in blocks, and the blocks' sums of float32 are added up in float64.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.compile.builder import BOOL
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

_TYPES = {"f2": "half", "f4": "float", "f8": "double", "b1": "i1"}
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


def type_name(dtype: np.dtype[Any]) -> str:
    """The type of a value in a register."""
    return _TYPES.get(dtype.str[1:]) or f"i{8 * dtype.itemsize}"


def memory_type(dtype: np.dtype[Any]) -> str:
    return "i8" if dtype == BOOL else type_name(dtype)


def constant_text(number: Any, dtype: np.dtype[Any]) -> str:
    if dtype == BOOL:
        return "true" if number else "false"
    if dtype.kind == "f":  # floats too are written with the bits of a double
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(number)))[0]:016X}"
    return str(int(number))


@functools.lru_cache(64)
def _table_text(dtype: str, content: bytes) -> str:
    values = np.frombuffer(content, dtype)
    type_ = memory_type(values.dtype)
    items = ", ".join([f"{type_} {constant_text(v, values.dtype)}" for v in values])
    return f"[{len(values)} x {type_}] [{items}]"


_UNROLLED = 64  # rounds of a loop that may be written out; of loops around loops, a sixteenth


class Module:
    """Collects functions, the intrinsics that they use, tables and loop hints."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.declared: dict[str, str] = {}
        self.globals: list[str] = []
        self._tables: dict[tuple[str, bytes], str] = {}
        self._hints: list[str] = []
        self.links: list[str] = []
        self._looks = False

    def intrinsic(self, name: str, result: str, *args: str) -> str:
        self.declared.setdefault(name, f"declare {result} @{name}({', '.join(args)})")
        return f"@{name}"

    def table(self, values: np.ndarray[Any, Any]) -> str:
        key = (values.dtype.str, values.tobytes())
        found = self._tables.get(key)
        if found is None:
            found = self._tables[key] = f"@table{len(self._tables)}"
            self.globals.append(f"{found} = private unnamed_addr constant {_table_text(*key)}")
        return found

    def link(self, name: str) -> str:
        """Where an address is found that differs from process to process."""
        if name not in self.links:
            self.links.append(name)
        return f"getelementptr (ptr, ptr @links, i64 {self.links.index(name)})"

    def routine(self, name: str) -> str:
        """A routine of BLAS."""
        return self.link(f"blas:{name}")

    def memcpy(self) -> None:
        """Declare the copying of memory."""
        self.intrinsic("llvm.memcpy.p0.p0.i64", "void", "ptr", "ptr", "i64", "i1")

    def interrupted(self) -> str:
        """A function that lets other threads run, and finds out whether Python was interrupted."""
        if not self._looks:
            self._looks = True
            save, restore = self.link("py:PyEval_SaveThread"), self.link("py:PyEval_RestoreThread")
            check = self.link("py:PyErr_CheckSignals")
            self.functions.append(
                f"""define internal i32 @interrupted() noinline nounwind {{
  %save = load ptr, ptr {save}
  %thread = call ptr %save()
  %restore = load ptr, ptr {restore}
  call void %restore(ptr %thread)
  %check = load ptr, ptr {check}
  %status = call i32 %check()
  ret i32 %status
}}
"""
            )
        return "@interrupted"

    def loop_hint(self, interleave: int, unroll: bool) -> str:
        """Metadata that asks the vectorizer for ``interleave`` copies of the body (0: as it likes),
        and forbids unrolling: LLVM would write out loops of a thousand rounds, for seconds."""
        wishes = []
        if interleave:
            wishes.append(f'!{{!"llvm.loop.interleave.count", i32 {interleave}}}')
        if not unroll:
            wishes.append('!{!"llvm.loop.unroll.disable"}')
        if not wishes:
            return ""
        first = len(self._hints)
        places = [first + 1 + k for k in range(len(wishes))]
        listed = ", ".join(f"!{place}" for place in (first, *places))
        self._hints.append(f"!{first} = distinct !{{{listed}}}")
        self._hints += [f"!{place} = {wish}" for place, wish in zip(places, wishes, strict=True)]
        return f", !llvm.loop !{first}"

    def text(self) -> str:
        links = [f"@links = global [{len(self.links)} x ptr] zeroinitializer"] if self.links else []
        parts = [
            *self.declared.values(),
            *links,
            *self.globals,
            *self.functions,
            *self._hints,
        ]
        return "\n".join(parts) + "\n"


def render(kernel: Kernel, module: Module) -> None:
    """Add ``void @name(ptr...)``, one pointer for each buffer, to the module.

    A kernel with rare cases becomes two functions: one that leaves them out and says whether it
    met any, and one with all, which then does everything again. The vectorized loops of the first
    have no branches, nor the slow side's work; the second is not optimised, which halves the time
    of compiling both.
    """
    params = ", ".join(f"ptr noalias %b{i}" for i in range(len(kernel.buffers)))
    if not any(_rare_cases(nest.items) for nest in kernel.nests):
        _function(kernel, module, kernel.name, params, "noinline")
        return
    _function(kernel, module, f"{kernel.name}_quick", params, "noinline", quick=True)
    _function(kernel, module, f"{kernel.name}_exact", params, "noinline cold optnone")
    args = ", ".join(f"ptr %b{i}" for i in range(len(kernel.buffers)))
    module.functions.append(
        f"""define internal void @{kernel.name}({params}) noinline nounwind {{
entry:
  %met = call i1 @{kernel.name}_quick({args})
  br i1 %met, label %again, label %done
again:
  call void @{kernel.name}_exact({args})
  br label %done
done:
  ret void
}}
"""
    )


def _rare_cases(items: Sequence[Any]) -> bool:
    return any(
        item.op == "rare" if type(item) is Value else _rare_cases(item.body)
        for item in items
        if type(item) is not Store
    )


def _function(
    kernel: Kernel, module: Module, name: str, params: str, attributes: str, quick: bool = False
) -> None:
    writer = _Writer(kernel, module, quick)
    for nest in kernel.nests:
        writer.nest(nest)
    first = ["  %met = alloca i1", "  store i1 false, ptr %met"] if quick else []
    last = ["  %any = load i1, ptr %met", "  ret i1 %any"] if quick else ["  ret void"]
    body = "\n".join([*first, *writer.lines, *last])
    result = "i1" if quick else "void"
    module.functions.append(
        f"define internal {result} @{name}({params}) {attributes} nounwind {{\nentry:\n{body}\n}}\n"
    )


def interleave_count(body: Sequence[Any], rounds: int) -> int:
    """How many copies of a loop's body the processor needs to hide its latencies, 0 for LLVM's
    own choice, which is too low for long chains of dependent operations. Loops that are done in
    no time are not worth the longer code: compiling it takes longer in proportion."""
    if rounds < 2048:
        return 0
    chain = depth(list(body))
    return 0 if chain < 24 else 2 if chain < 36 else 4


class _Writer:
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
        self.offsets: dict[Position, str] = {}

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
        self.names.clear()
        self.axes = [""] * len(nest.extents)
        self.offsets = {}
        self.items(nest.items, nest)

    def items(self, items: Sequence[Any], nest: Nest) -> None:
        for item in items:
            kind = type(item)
            if kind is Value:
                self.names[id(item)] = self.value(item)
            elif kind is Store:
                self.store(item)
            else:
                self.loop(item, nest)

    def loop(self, loop: For, nest: Nest) -> None:
        extent = nest.extents[loop.axis]
        if extent == 0:
            for acc in loop.accumulators:
                dtype = acc.value.dtype
                self.names[id(acc.result)] = constant_text(acc.identity, dtype)
            return
        inner = not loops(loop.body)
        blocked = inner and extent > 2 * _BLOCK and any(_sums_floats(a) for a in loop.accumulators)
        if not blocked:
            self.simple_loop(loop, nest, "0", str(extent))
            return
        self.blocked_loop(loop, nest, extent)

    def simple_loop(self, loop: For, nest: Nest, first: str, limit: str) -> None:
        """One loop from ``first`` below ``limit``, at least one round."""
        self.count += 1
        head, tail, before = f"loop{self.count}", f"done{self.count}", self.block
        index, following = self.fresh(), self.fresh()
        phis = [(acc, self.fresh(), type_name(acc.value.dtype)) for acc in loop.accumulators]
        self.line(f"br label %{head}")
        place = len(self.lines)
        self.start(head)
        saved_axes, saved_offsets = list(self.axes), dict(self.offsets)
        self.axes[loop.axis] = index
        self.items(loop.body, nest)
        results = []
        for acc, phi, _type in phis:
            combined = self.combine(acc, phi, self.names[id(acc.value)])
            results.append(combined)
        self.line(f"{following} = add nuw nsw i64 {index}, 1")
        more = self.assign(f"icmp ult i64 {following}, {limit}")
        inner = not loops(loop.body)
        interleave = interleave_count(loop.body, math.prod(nest.extents)) if inner else 0
        unroll = nest.extents[loop.axis] <= (_UNROLLED if inner else _UNROLLED // 16)
        hint = self.module.loop_hint(interleave, unroll)
        last = self.block
        self.line(f"br i1 {more}, label %{head}, label %{tail}{hint}")
        header = [f"  {index} = phi i64 [ {first}, %{before} ], [ {following}, %{last} ]"]
        for (acc, phi, type_), result in zip(phis, results, strict=True):
            initial = constant_text(acc.identity, acc.value.dtype)
            header.append(f"  {phi} = phi {type_} [ {initial}, %{before} ], [ {result}, %{last} ]")
            self.names[id(acc.result)] = result
        self.lines[place + 1 : place + 1] = header
        self.start(tail)
        self.axes, self.offsets = saved_axes, saved_offsets

    def blocked_loop(self, loop: For, nest: Nest, extent: int) -> None:
        """A loop over blocks around the loop itself: see the module's docstring."""
        self.count += 1
        head, tail, before = f"block{self.count}", f"blocks{self.count}", self.block
        first, following = self.fresh(), self.fresh()
        wide = [_wide(acc) for acc in loop.accumulators]
        phis = [self.fresh() for _ in wide]
        self.line(f"br label %{head}")
        place = len(self.lines)
        self.start(head)
        self.line(f"{following} = add nuw nsw i64 {first}, {_BLOCK}")
        minimum = self.module.intrinsic("llvm.umin.i64", "i64", "i64", "i64")
        limit = self.assign(f"call i64 {minimum}(i64 {following}, i64 {extent})")
        self.simple_loop(loop, nest, first, limit)
        header = []
        results = []
        for acc, phi, dtype in zip(loop.accumulators, phis, wide, strict=True):
            part = self.names[id(acc.result)]
            if dtype != acc.value.dtype:
                part = self.assign(f"fpext float {part} to double")
            wider = Accumulator(acc.kind, Value("part", dtype))
            results.append(self.combine(wider, phi, part))
        more = self.assign(f"icmp ult i64 {following}, {extent}")
        last = self.block
        hint = self.module.loop_hint(0, False)
        self.line(f"br i1 {more}, label %{head}, label %{tail}{hint}")
        header.append(f"  {first} = phi i64 [ 0, %{before} ], [ {following}, %{last} ]")
        for acc, phi, dtype, result in zip(loop.accumulators, phis, wide, results, strict=True):
            initial = constant_text(acc.identity, dtype)
            type_ = type_name(dtype)
            header.append(f"  {phi} = phi {type_} [ {initial}, %{before} ], [ {result}, %{last} ]")
        self.lines[place + 1 : place + 1] = header
        self.start(tail)
        for acc, dtype, result in zip(loop.accumulators, wide, results, strict=True):
            narrowed = result
            if dtype != acc.value.dtype:
                narrowed = self.assign(f"fptrunc double {result} to float")
            self.names[id(acc.result)] = narrowed

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

    def address(self, buffer: int, position: Position, offset: str = "") -> str:
        type_ = memory_type(self.kernel.buffers[buffer].dtype)
        pointer, constant = f"%b{buffer}", position[-1]
        moving = self.offset(position)
        if offset:
            pointer = self.assign(f"getelementptr {type_}, ptr {pointer}, i64 {offset}")
        if moving:
            pointer = self.assign(f"getelementptr {type_}, ptr {pointer}, i64 {moving}")
        if constant:
            pointer = self.assign(f"getelementptr {type_}, ptr {pointer}, i64 {constant}")
        return pointer

    def store(self, item: Store) -> None:
        dtype = self.kernel.buffers[item.buffer].dtype
        value = self.names[id(item.value)]
        if dtype == BOOL:
            value = self.assign(f"zext i1 {value} to i8")
        offset = "" if item.offset is None else self.names[id(item.offset)]
        pointer = self.address(item.buffer, item.position, offset)
        self.line(f"store {memory_type(dtype)} {value}, ptr {pointer}, align {dtype.itemsize}")

    # ------------------------------------------------------------- arithmetic

    def value(self, value: Value) -> str:
        op, dtype = value.op, value.dtype
        if op == "const":
            return constant_text(value.attr, dtype)
        if op == "load":
            offset = self.names[id(value.args[0])] if value.args else ""
            buffer, position = value.attr
            pointer = self.address(buffer, position, offset)
            type_ = memory_type(dtype)
            loaded = self.assign(f"load {type_}, ptr {pointer}, align {dtype.itemsize}")
            return self.assign(f"icmp ne i8 {loaded}, 0") if dtype == BOOL else loaded
        if op == "index":
            moving = self.offset(value.attr) or "0"
            return self.assign(f"add nsw i64 {moving}, {value.attr[-1]}")
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

    def rare(self, value: Value, args: list[str]) -> str:
        """The fast value, and a note that the predicate was true, if slow ones come later."""
        if not self.quick:
            return self.select(value, args)
        met = self.assign("load i1, ptr %met")
        self.line(f"store i1 {self.assign(f'or i1 {met}, {args[0]}')}, ptr %met")
        return args[2]

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


_SPECIAL: dict[str, Callable[[_Writer, Value, list[str]], str]] = {
    **dict.fromkeys(_FLOAT_COMPARE, _Writer.compare),
    "select": _Writer.select,
    "rare": _Writer.rare,
    "convert": _Writer.convert,
    "saturate": _Writer.convert,
    "bitcast": _Writer.bitcast,
    "lookup": _Writer.lookup,
}


def _sums_floats(acc: Accumulator) -> bool:
    return acc.kind == "sum" and acc.value.dtype.kind == "f"


def _wide(acc: Accumulator) -> np.dtype[Any]:
    """The dtype in which blocks are combined."""
    if _sums_floats(acc) and acc.value.dtype.itemsize == 4:
        return np.dtype(np.float64)
    return acc.value.dtype
