"""Writing LLVM functions that call Fortran routines: loops, copies, arguments by reference.

Registers and labels are numbered in order, so that equal parts have equal text.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from adlib.compile import blas
from adlib.compile.llvm_module import Module, constant_text

# Elements of a row that are moved at a time when a matrix is transposed: so many lines of cache
# are written side by side.
_STRIP = 4


def letter(dtype: np.dtype[Any]) -> str:
    """LAPACK's letter for a type of numbers."""
    return {"f4": "s", "f8": "d", "c8": "c", "c16": "z"}[dtype.str[1:]]


def real_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


class Element:
    """How an element lies in memory: ``whole`` is what is moved, ``real`` what is computed with.

    Attributes:
      parts: 2 for complex numbers, whose real and imaginary parts follow each other, else 1.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.size = dtype.itemsize
        self.parts = 2 if dtype.kind == "c" else 1
        self.real_dtype = real_of(dtype)
        self.real = {4: "float", 8: "double"}[self.real_dtype.itemsize]
        self.whole = self.real if self.parts == 1 else f"<2 x {self.real}>"
        self.align = self.real_dtype.itemsize

    def number(self, value: float) -> str:
        """A real number as text."""
        return constant_text(value, self.real_dtype)

    def constant(self, value: float, imaginary: float = 0.0) -> str:
        """An element as text."""
        if self.parts == 1:
            return self.number(value)
        return f"<{self.real} {self.number(value)}, {self.real} {self.number(imaginary)}>"


class Code:
    """The text of a function in the making; its parameters are ``%p0``, ``%p1``, …."""

    def __init__(self, module: Module, name: str, count: int) -> None:
        self.module = module
        self.name = name
        self.count = count
        self.entry: list[str] = []
        self.lines: list[str] = []
        self._numbers = 0

    def finish(self) -> None:
        """Add the function to the module."""
        params = ", ".join([f"ptr %p{i}" for i in range(self.count)])
        # what only calls others has nothing to optimise
        plain = not any(" phi " in line for line in self.lines)
        attributes = self.module.caller if plain else "noinline nounwind"
        text = [f"define internal void @{self.name}({params}) {attributes} {{", "entry:"]
        text += [*self.entry, "  br label %start", "start:", *self.lines, "  ret void", "}\n"]
        self.module.functions.append("\n".join(text))

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def line(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def new(self, text: str) -> str:
        """A register with the value of an instruction."""
        register = f"%r{self.number()}"
        self.line(f"{register} = {text}")
        return register

    # ------------------------------------------------------------------ integers

    def add(self, x: str | int, y: str | int) -> str:
        return self._integer("add", x, y)

    def sub(self, x: str | int, y: str | int) -> str:
        return self._integer("sub", x, y)

    def mul(self, x: str | int, y: str | int) -> str:
        return self._integer("mul", x, y)

    def _integer(self, op: str, x: str | int, y: str | int) -> str:
        if isinstance(x, int) and isinstance(y, int):
            return str({"add": x + y, "sub": x - y, "mul": x * y}[op])
        return self.new(f"{op} i64 {x}, {y}")

    def place(self, *terms: tuple[str | int, int]) -> str:
        """The sum of indices times steps."""
        total: str | int = 0
        for index, step in terms:
            total = self.add(total, self.mul(index, step)) if total != 0 else self.mul(index, step)
        return str(total)

    # -------------------------------------------------------------------- memory

    def at(self, pointer: str, index: str | int, type_: str) -> str:
        """The address of an element; of bytes with ``i8``."""
        if index in (0, "0"):
            return pointer
        return self.new(f"getelementptr {type_}, ptr {pointer}, i64 {index}")

    def cell(self, type_: str) -> str:
        """Memory for one value of this function."""
        register = f"%c{self.number()}"
        self.entry.append(f"  {register} = alloca {type_}")
        return register

    def load(self, e: Element, pointer: str, index: str | int) -> str:
        place = self.at(pointer, index, e.whole)
        return self.new(f"load {e.whole}, ptr {place}, align {e.align}")

    def store(self, e: Element, value: str, pointer: str, index: str | int) -> None:
        place = self.at(pointer, index, e.whole)
        self.line(f"store {e.whole} {value}, ptr {place}, align {e.align}")

    def fill(self, e: Element, pointer: str, count: int, value: float) -> None:
        """Set elements to a real number."""
        with self.loop(count) as i:
            self.store(e, e.constant(value), pointer, i)

    def copy(self, pointer: str, source: str, size: int) -> None:
        """Copy bytes."""
        self.module.memcpy()
        self.line(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {pointer}, ptr {source}, i64 {size}, i1 false)"
        )

    def converted(self, e: Element, value: str, into: Element) -> str:
        """An element in another precision."""
        if e.size == into.size:
            return value
        op = "fpext" if e.size < into.size else "fptrunc"
        return self.new(f"{op} {e.whole} {value} to {into.whole}")

    def move(self, e: Element, target: str, source: str, count: int, into: Element) -> None:
        """Copy elements, to another precision maybe."""
        if e.size == into.size:
            self.copy(target, source, count * e.size)
            return
        with self.loop(count) as i:
            self.store(into, self.converted(e, self.load(e, source, i), into), target, i)

    # ------------------------------------------------------------------- control

    @contextmanager
    def loop(self, stop: str | int, start: str | int = 0, step: int = 1) -> Iterator[str]:
        """Indices from ``start`` up to ``stop``; down to ``stop``, with it, for a step of -1."""
        if (stop, start, step) == (1, 0, 1):
            yield "0"
            return
        n = self.number()
        test = "slt" if step > 0 else "sge"
        self.lines += [
            f"  br label %pre{n}",
            f"pre{n}:",
            f"  br label %head{n}",
            f"head{n}:",
            f"  %i{n} = phi i64 [ {start}, %pre{n} ], [ %next{n}, %latch{n} ]",
            f"  %more{n} = icmp {test} i64 %i{n}, {stop}",
            f"  br i1 %more{n}, label %body{n}, label %done{n}",
            f"body{n}:",
        ]
        yield f"%i{n}"
        self.lines += [
            f"  br label %latch{n}",
            f"latch{n}:",
            f"  %next{n} = add i64 %i{n}, {step}",
            f"  br label %head{n}{self.module.loop_hint(0, False)}",
            f"done{n}:",
        ]

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        n = self.number()
        self.lines += [f"  br i1 {condition}, label %yes{n}, label %no{n}", f"yes{n}:"]
        yield
        self.lines += [f"  br label %no{n}", f"no{n}:"]

    @contextmanager
    def choice(self, condition: str) -> Iterator[Any]:
        """``with choice(c) as otherwise:`` …; ``otherwise()`` begins the other side."""
        n = self.number()
        self.lines += [f"  br i1 {condition}, label %yes{n}, label %no{n}", f"yes{n}:"]

        def otherwise() -> None:
            self.lines += [f"  br label %end{n}", f"no{n}:"]

        yield otherwise
        self.lines += [f"  br label %end{n}", f"end{n}:"]

    # ------------------------------------------------------------------ matrices

    def transpose(
        self,
        e: Element,
        target: str,
        source: str,
        rows: int,
        columns: int,
        target_step: int | None = None,
        source_step: int | None = None,
        into: Element | None = None,
    ) -> None:
        """Write row-major ``source`` (rows × columns) by columns; steps are from line to line.

        ``into`` is the type of the target's elements where it is another precision.
        """
        into = into or e
        across = rows if target_step is None else target_step
        along = columns if source_step is None else source_step
        if rows == 1 and across == 1 or columns == 1 and along == 1:
            self.move(e, target, source, rows * columns, into)
            return
        strip = min(_STRIP, columns)
        with self.loop(columns, step=strip) as first:
            end = self.add(first, strip)
            if columns % strip:
                end = self.new(f"call i64 @llvm.smin.i64(i64 {end}, i64 {columns})")
                self.module.intrinsic("llvm.smin.i64", "i64", "i64", "i64")
            with self.loop(rows) as i, self.loop(end, first) as j:
                value = self.load(e, source, self.place((i, along), (j, 1)))
                value = self.converted(e, value, into)
                self.store(into, value, target, self.place((j, across), (i, 1)))

    def mirror(self, e: Element, pointer: str, n: int) -> None:
        """Copy the upper triangle of a square row-major matrix to the lower one."""
        strip = min(_STRIP, n)
        self.module.intrinsic("llvm.smin.i64", "i64", "i64", "i64")
        with self.loop(n, step=strip) as first:
            end = self.add(first, strip)
            with self.loop(n, first) as i:
                last = self.new(f"call i64 @llvm.smin.i64(i64 {i}, i64 {end})")
                with self.loop(last, first) as j:
                    value = self.load(e, pointer, self.place((j, n), (i, 1)))
                    self.store(e, value, pointer, self.place((i, n), (j, 1)))

    def conjugate(self, e: Element, target: str, source: str, count: int) -> None:
        """Copy elements, conjugated if they are complex."""
        if e.parts == 1:
            if target != source:
                self.copy(target, source, count * e.size)
            return
        signs = e.constant(1.0, -1.0)
        with self.loop(count) as i:
            value = self.load(e, source, i)
            self.store(e, self.new(f"fmul {e.whole} {value}, {signs}"), target, i)

    def finite(self, e: Element, pointer: str, count: int) -> str:
        """Whether all elements are finite, as i1."""
        bits = 8 * e.align
        pattern = {32: 0x7F800000, 64: 0x7FF0000000000000}[bits]
        cell = self.cell("i1")
        self.line(f"store i1 true, ptr {cell}")
        with self.loop(count * e.parts) as i:
            place = self.at(pointer, i, e.real)
            value = self.new(f"load i{bits}, ptr {place}")
            exponent = self.new(f"and i{bits} {value}, {pattern}")
            fine = self.new(f"icmp ne i{bits} {exponent}, {pattern}")
            before = self.new(f"load i1, ptr {cell}")
            self.line(f"store i1 {self.new(f'and i1 {before}, {fine}')}, ptr {cell}")
        return self.new(f"load i1, ptr {cell}")

    # ------------------------------------------------------------------ routines

    def constant(self, value: Any, type_: str) -> str:
        """The address of a constant, as Fortran takes its arguments."""
        if type_ == "i8":
            value = ord(value)
        text = str(value).replace("-", "m").replace(".", "_")
        name = "@fixed_" + "".join([c if c.isalnum() or c == "_" else "_" for c in type_ + text])
        line = f"{name} = private constant {type_} {value}"
        if line not in self.module.globals:
            self.module.globals.append(line)
        return name

    def call(self, routine: str, *arguments: Any, hidden: int = 0) -> None:
        """Call a routine. Python integers, and characters, go by reference to constants, a pair
        (number, element) as a floating-point constant, other text is a pointer."""
        integer = f"i{blas.routine(routine).bits}"
        given = []
        for value in arguments:
            if isinstance(value, tuple):
                number, e = value
                value = self.constant(e.constant(number), e.whole)
            elif isinstance(value, int):
                value = self.constant(value, integer)
            elif not value.startswith(("%", "@", "null")):
                value = self.constant(value, "i8")
            given.append(f"ptr {value}")
        given += ["i64 1"] * hidden
        address = self.new(f"load ptr, ptr {self.module.routine(routine)}")
        self.line(f"call void {address}({', '.join(given)})")

    def status(self, routine: str) -> tuple[str, str]:
        """Memory for a routine's status, and its type."""
        integer = f"i{blas.routine(routine).bits}"
        return self.cell(integer), integer

    def failed(self, info: tuple[str, str]) -> str:
        """Whether a status is not 0, as i1."""
        value = self.new(f"load {info[1]}, ptr {info[0]}")
        return self.new(f"icmp ne {info[1]} {value}, 0")


@functools.lru_cache(256)
def workspace(routine: str, dtype: np.dtype[Any], *arguments: Any) -> int:
    """How many elements of workspace a routine asks for.

    ``arguments`` are those of the routine: integers and characters as they are, None for an
    array that is not looked at, ``"work"`` for the workspace, ``"iwork"`` for one of integers.
    The length of the workspace, -1, must be among them, as the caller gives it.
    """
    found = blas.routine(routine)
    integer = ctypes.c_int64 if found.bits == 64 else ctypes.c_int32
    work = (ctypes.c_double * 4)()
    keep: list[Any] = []
    given: list[Any] = []
    hidden = 0
    for value in arguments:
        if value == "work":
            given.append(ctypes.byref(work))
            continue
        if isinstance(value, str) and len(value) == 1:
            hidden += 1
            keep.append(ctypes.c_char(value.encode()))
        elif isinstance(value, int):
            keep.append(integer(value))
        else:
            keep.append((ctypes.c_int64 * 8)())
        given.append(ctypes.byref(keep[-1]))
    function = ctypes.CFUNCTYPE(None)(found.address)
    function(*given, *[ctypes.c_size_t(1)] * hidden)
    return int(np.frombuffer(bytes(work), real_of(dtype))[0])
