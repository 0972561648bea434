"""Text of LLVM's intermediate representation: types, constants, and the module they stand in."""

from __future__ import annotations

import functools
import struct
from typing import Any

import numpy as np

from adlib.compile.builder import BOOL
from adlib.compile.loopir import part_type

_TYPES = {"f2": "half", "f4": "float", "f8": "double", "b1": "i1"}


@functools.cache
def type_name(dtype: np.dtype[Any]) -> str:
    """The type of a value in a register."""
    return _TYPES.get(dtype.str[1:]) or f"i{8 * dtype.itemsize}"


@functools.cache
def memory_type(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "c":
        return f"[2 x {type_name(part_type(dtype))}]"
    return "i8" if dtype == BOOL else type_name(dtype)


def constant_text(number: Any, dtype: np.dtype[Any]) -> str:
    if dtype == BOOL:
        return "true" if number else "false"
    if dtype.kind == "f":  # floats too are written with the bits of a double
        number = dtype.type(number)
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(number)))[0]:016X}"
    return str(int(number))


@functools.lru_cache(64)
def _table_text(dtype: str, content: bytes) -> str:
    values = np.frombuffer(content, dtype)
    type_ = memory_type(values.dtype)
    if values.dtype == BOOL:  # in memory, a byte
        values = values.view(np.uint8)
    items = ", ".join([f"{type_} {constant_text(v, values.dtype)}" for v in values])
    return f"[{len(values)} x {type_}] [{items}]"


# Attributes of functions that only call others, once in a run: not worth optimising.
GLUE = "noinline optnone nounwind"

# Of functions that have nothing for LLVM's passes to do: they go straight to the code generator.
WRITTEN = ' "written"'


class Module:
    """Collects functions, the intrinsics that they use, tables and loop hints."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.declared: dict[str, str] = {}
        self.helpers: dict[str, str] = {}  # small functions by name, that any other may call
        self.globals: list[str] = []
        self._tables: dict[tuple[str, bytes], str] = {}
        self._hints: list[str] = []
        self._known_hints: dict[tuple[int, bool], str] = {}
        self._parts: dict[tuple[str, ...], str] = {}
        self.rounds = 1  # how often what is being rendered runs in one run of the program
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
        """A function that lets other threads run, and finds out whether Python was interrupted.

        Long programs run without the interpreter's lock, and take it for the look; in short ones
        that hold it, it is given up for a moment.
        """
        if not self._looks:
            self._looks = True
            names = (
                "PyGILState_Check PyGILState_Ensure PyGILState_Release PyErr_CheckSignals "
                "PyEval_SaveThread PyEval_RestoreThread"
            )
            loads = "\n".join(
                [f"  %{n} = load ptr, ptr {self.link(f'py:{n}')}" for n in names.split()]
            )
            self.functions.append(
                f"""define internal i32 @interrupted() {GLUE} {{
{loads}
  %holds = call i32 %PyGILState_Check()
  %held = icmp ne i32 %holds, 0
  br i1 %held, label %pause, label %take
pause:
  %thread = call ptr %PyEval_SaveThread()
  call void %PyEval_RestoreThread(ptr %thread)
  %status = call i32 %PyErr_CheckSignals()
  ret i32 %status
take:
  %state = call i32 %PyGILState_Ensure()
  %found = call i32 %PyErr_CheckSignals()
  call void %PyGILState_Release(i32 %state)
  ret i32 %found
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
        known = self._known_hints.get((interleave, unroll))
        if known is not None:
            return known
        first = len(self._hints)
        places = [first + 1 + k for k in range(len(wishes))]
        listed = ", ".join(f"!{place}" for place in (first, *places))
        self._hints.append(f"!{first} = distinct !{{{listed}}}")
        self._hints += [f"!{place} = {wish}" for place, wish in zip(places, wishes, strict=True)]
        known = self._known_hints[interleave, unroll] = f", !llvm.loop !{first}"
        return known

    @property
    def caller(self) -> str:
        """Attributes of a function that calls those of one kernel, where it is being rendered."""
        return GLUE if self.rounds == 1 else "noinline nounwind"

    def around(self, first: int) -> str:
        """Attributes of a function that calls those from number ``first`` on again and again:
        LLVM's passes are for what becomes part of it."""
        small = any(" alwaysinline " in f[: f.index("\n")] for f in self.functions[first:])
        return "nounwind" if small else f"nounwind{WRITTEN}"

    def merged(self, first: int, name: str) -> str:
        """Look at the functions from number ``first`` on, which make up the part ``name``.

        Where an earlier part does the same (another layer of an unrolled network), they go. The
        name of the part that stays.
        """
        texts = tuple(
            [
                t.replace(f"@{name}(", "<(").replace(f"@{name}_", "<_")
                for t in self.functions[first:]
            ]
        )
        known = self._parts.setdefault(texts, name)
        if known != name:
            del self.functions[first:]
        return known

    def text(self) -> str:
        links = [f"@links = global [{len(self.links)} x ptr] zeroinitializer"] if self.links else []
        parts = [
            *self.declared.values(),
            *links,
            *self.globals,
            *self.helpers.values(),
            *self.functions,
            *self._hints,
        ]
        return "\n".join(parts) + "\n"
