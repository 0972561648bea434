"""Values of the loop language as lines of LLVM text: arithmetic and memory in one function.

A writer writes numbers, or vectors of as many as it has ``lanes``: the same instructions on other
types. Nothing is reassociated or contracted but the combination of totals.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.compile import engine, render_halves
from adlib.compile.builder import BOOL
from adlib.compile.llvm_module import Module, constant_text, memory_type, type_name
from adlib.compile.loopir import Accumulator, Kernel, Position, Store, Value

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


@functools.cache
def _vector_type(dtype: np.dtype[Any], lanes: int) -> str:
    return type_name(dtype) if lanes == 1 else f"<{lanes} x {type_name(dtype)}>"


@functools.cache
def _suffix(dtype: np.dtype[Any], lanes: int) -> str:
    name = f"f{8 * dtype.itemsize}" if dtype.kind == "f" else type_name(dtype)
    return name if lanes == 1 else f"v{lanes}{name}"


BOOL_KINDS = {"max": "or", "min": "and", "sum": "or", "prod": "and"}


def sums_floats(acc: Accumulator) -> bool:
    return acc.kind == "sum" and acc.value.dtype.kind == "f"


class ValueWriter:
    """Writes instructions of one function.

    Attributes:
      lanes: how many numbers a value stands for.
      names: of what holds a value, by its identity.
      axes: of what counts the rounds over each axis.
      quick: whether rare cases are left out.
    """

    def __init__(self, kernel: Kernel, module: Module, quick: bool = False) -> None:
        self.kernel = kernel
        self.module = module
        self.quick = quick
        self.lanes = 1
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.count = 0
        self.block = "entry"
        self.axes: list[str] = []
        self.offsets: dict[Position, str] = {}
        self.rounds = 1  # of all loops around what is being written
        self.needed: set[int] = set()  # where rare cases are left out: values that are read
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

    def type(self, dtype: np.dtype[Any]) -> str:
        return _vector_type(dtype, self.lanes)

    def suffix(self, dtype: np.dtype[Any]) -> str:
        """How names of LLVM's functions end."""
        return _suffix(dtype, self.lanes)

    def literal(self, number: Any, dtype: np.dtype[Any]) -> str:
        text = constant_text(number, dtype)
        if self.lanes == 1:
            return text
        if engine.knows_splat():
            return f"splat ({type_name(dtype)} {text})"
        return f"<{', '.join([f'{type_name(dtype)} {text}'] * self.lanes)}>"

    def operand(self, value: Value) -> str:
        return self.names[id(value)]

    # ----------------------------------------------------------------- totals

    def is_product(self, acc: Accumulator) -> bool:
        """Whether a round adds a product, so that one instruction does both."""
        value = acc.value
        return sums_floats(acc) and value.op == "mul" and value.dtype.itemsize >= 4

    def add_product(self, acc: Accumulator, total: str) -> str:
        type_ = self.type(acc.value.dtype)
        name = f"llvm.fmuladd.{self.suffix(acc.value.dtype)}"
        function = self.module.intrinsic(name, type_, type_, type_, type_)
        args = [*[self.operand(a) for a in acc.value.args], total]
        listed = ", ".join([f"{type_} {a}" for a in args])
        return self.assign(f"call reassoc {type_} {function}({listed})")

    def combine(self, kind: str, dtype: np.dtype[Any], total: str, value: str) -> str:
        type_ = self.type(dtype)
        if dtype == BOOL:
            op = BOOL_KINDS.get(kind, kind)
            return self.assign(f"{op} {type_} {total}, {value}")
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
            term = self.axes[axis]
            if not coefficient or term == "0":
                continue
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
            return self.literal(value.attr, dtype)
        if op == "load":
            offset = self.names[id(value.args[0])] if value.args else ""
            buffer, position = value.attr
            return self.load_plain(dtype, self.address(buffer, position, offset, value.part))
        if op == "index":
            moving = self.offset(value.attr) or "0"
            return self.assign(f"add nsw i64 {moving}, {value.attr[-1]}")
        if op == "rare" and self.quick:
            return self.unless_met(value)
        args = [self.operand(a) for a in value.args]
        special = _SPECIAL.get(op)
        if special is not None:
            return special(self, value, args)
        if dtype.kind == "f":
            return self.float_operation(op, dtype, args)
        return self.integer_operation(op, dtype, args)

    def float_operation(self, op: str, dtype: np.dtype[Any], args: list[str]) -> str:
        type_ = self.type(dtype)
        if op == "neg":
            return self.assign(f"fneg {type_} {args[0]}")
        name = _FLOAT_OPS.get(op)
        if name is not None:
            return self.assign(f"{name} {type_} {args[0]}, {args[1]}")
        return self.call(f"llvm.{_FLOAT_FUNCTIONS[op]}.{self.suffix(dtype)}", type_, args)

    def integer_operation(self, op: str, dtype: np.dtype[Any], args: list[str]) -> str:
        type_ = self.type(dtype)
        signed = dtype.kind == "i"
        if op == "neg":
            return self.assign(f"sub {type_} zeroinitializer, {args[0]}")
        if op == "not":
            ones = self.literal(np.invert(dtype.type(0)), dtype)
            return self.assign(f"xor {type_} {args[0]}, {ones}")
        if op in ("min", "max"):
            return self.extremum(op, dtype, *args)
        if op == "popcount":
            return self.call(f"llvm.ctpop.{self.suffix(dtype)}", type_, args)
        if op == "clz":
            name = self.module.intrinsic(f"llvm.ctlz.{self.suffix(dtype)}", type_, type_, "i1")
            return self.assign(f"call {type_} {name}({type_} {args[0]}, i1 false)")
        name = {
            "div": "sdiv" if signed else "udiv",
            "rem": "srem" if signed else "urem",
            "shr": "ashr" if signed else "lshr",
        }.get(op, op)
        return self.assign(f"{name} {type_} {args[0]}, {args[1]}")

    def extremum(self, op: str, dtype: np.dtype[Any], x: str, y: str) -> str:
        type_ = self.type(dtype)
        if dtype.kind == "f":
            return self.float_operation(op, dtype, [x, y])
        if dtype == BOOL:
            return self.assign(f"{'or' if op == 'max' else 'and'} {type_} {x}, {y}")
        sign = "s" if dtype.kind == "i" else "u"
        return self.call(f"llvm.{sign}{op}.{self.suffix(dtype)}", type_, [x, y])

    def call(self, function: str, type_: str, args: Sequence[str]) -> str:
        name = self.module.intrinsic(function, type_, *[type_] * len(args))
        return self.assign(f"call {type_} {name}({', '.join([f'{type_} {a}' for a in args])})")

    def compare(self, value: Value, args: list[str]) -> str:
        dtype = value.args[0].dtype
        type_ = self.type(dtype)
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
        type_ = self.type(value.dtype)
        choice = self.type(BOOL)
        return self.assign(f"select {choice} {args[0]}, {type_} {args[1]}, {type_} {args[2]}")

    def convert(self, value: Value, args: list[str]) -> str:
        source, target = value.args[0].dtype, value.dtype
        from_, to = self.type(source), self.type(target)
        unsigned = source.kind in "ub"
        if target == BOOL:
            if source.kind == "f":
                return self.assign(f"fcmp une {from_} {args[0]}, zeroinitializer")
            return self.assign(f"icmp ne {from_} {args[0]}, zeroinitializer")
        if source.kind == "f" and target.kind == "f":
            op = "fpext" if target.itemsize > source.itemsize else "fptrunc"
        elif source.kind == "f":
            # out of range LLVM's own conversion may be anything at all, this one is a number
            sign = "s" if target.kind == "i" else "u"
            name = f"llvm.fpto{sign}i.sat.{self.suffix(target)}.{self.suffix(source)}"
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
        from_, to = self.type(value.args[0].dtype), self.type(value.dtype)
        return args[0] if from_ == to else self.assign(f"bitcast {from_} {args[0]} to {to}")

    def lookup(self, value: Value, args: list[str]) -> str:
        table = self.module.table(value.attr)
        type_ = memory_type(value.dtype)
        index_type = type_name(value.args[0].dtype)
        pointer = self.assign(
            f"getelementptr inbounds {type_}, ptr {table}, {index_type} {args[0]}"
        )
        return self.assign(f"load {type_}, ptr {pointer}, align {value.dtype.itemsize}")


_SPECIAL: dict[str, Callable[[ValueWriter, Value, list[str]], str]] = {
    **dict.fromkeys(_FLOAT_COMPARE, ValueWriter.compare),
    "select": ValueWriter.select,
    "rare": ValueWriter.select,
    "convert": ValueWriter.convert,
    "saturate": ValueWriter.convert,
    "bitcast": ValueWriter.bitcast,
    "lookup": ValueWriter.lookup,
    **dict.fromkeys(("widen", "narrow", "rounded"), render_halves.conversion),
}
