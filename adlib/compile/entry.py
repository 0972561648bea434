"""The native entry of a segment: a function that CPython calls with array objects.

It has the signature of METH_FASTCALL, takes the arrays that are read, then those that are
written, then the arena, and calls the segment's kernels with the pointers found in the objects.
It returns None, or NotImplemented, before anything is done, where an array that is read is not
an ndarray, contiguous and aligned. Addresses that differ from process to process come from the
table ``links``, filled after loading, so that the machine code itself can be kept on disk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adlib.compile import blas, threads, ufuncs
from adlib.compile.layout import CONFORMING, address_of, layout
from adlib.compile.llvm_module import GLUE, Module
from adlib.compile.native import Body

# Element operations above which the interpreter's lock is given up for the work.
_LONG = 300_000


def link_values(names: Sequence[str]) -> list[int]:
    """What ``links`` is filled with in this process."""
    return [_address(name) for name in names]


def _address(name: str) -> int:
    kind, _, rest = name.partition(":")
    if kind == "object":
        objects = {"ndarray": np.ndarray, "None": None, "NotImplemented": NotImplemented}
        return id(objects[rest])
    if kind == "threads":
        return threads.run_address()
    if kind == "ufunc":
        return ufuncs.address(rest)
    return blas.routine(rest).address if kind == "blas" else address_of(rest)


def _conforms(module: Module) -> None:
    """The function that decides whether an array can be read as it is."""
    offsets = layout()
    module.functions.append(
        f"""define internal i1 @conforms(ptr %array, ptr %type) {GLUE} {{
  %at = getelementptr i8, ptr %array, i64 {offsets.type}
  %found = load ptr, ptr %at
  %same = icmp eq ptr %found, %type
  br i1 %same, label %array_, label %no
array_:
  %flags_at = getelementptr i8, ptr %array, i64 {offsets.flags}
  %flags = load i32, ptr %flags_at
  %kept = and i32 %flags, {CONFORMING}
  %fits = icmp eq i32 %kept, {CONFORMING}
  ret i1 %fits
no:
  ret i1 false
}}
"""
    )


def render_entries(module: Module, bodies: Sequence[tuple[str, Body]]) -> None:
    """Add a native entry ``name`` for each body, and the body itself."""
    _conforms(module)
    for name, body in bodies:
        body.render(module)
        _entry(module, name, body)


def render_direct(module: Module, name: str, body: Body) -> None:
    """Add ``i32 @name(ptr %pointers, ptr %arena)``, which calls a body with addresses out of a
    table: of what it reads, then of what it writes."""
    lines = [f"define i32 @{name}(ptr %pointers, ptr %arena) {GLUE} {{", "entry:"]
    arguments = []
    for i in range(len(body.read) + len(body.written)):
        lines.append(f"  %at{i} = getelementptr ptr, ptr %pointers, i64 {i}")
        lines.append(f"  %p{i} = load ptr, ptr %at{i}")
        arguments.append(f"ptr %p{i}")
    text = ", ".join([*arguments, "ptr %arena"])
    lines += [f"  %status = call i32 @{body.name}({text})", "  ret i32 %status", "}\n"]
    module.functions.append("\n".join(lines))


def releases(body: Body) -> bool:
    """Whether the interpreter's lock is given up during the work; loops take it back for the
    moment in which they look at interrupts."""
    return body.work > _LONG


def _entry(module: Module, name: str, body: Body) -> None:
    read, written = len(body.read), len(body.written)
    lines = [f"define ptr @{name}(ptr %self, ptr %args, i64 %count) {GLUE} {{", "entry:"]
    total = read + written + (body.arena > 0)
    for i in range(total):
        lines.append(f"  %at{i} = getelementptr ptr, ptr %args, i64 {i}")
        lines.append(f"  %o{i} = load ptr, ptr %at{i}")
    lines.append(f"  %ndarray = load ptr, ptr {module.link('object:ndarray')}")
    for i in range(read):
        lines.append(f"  %c{i} = call i1 @conforms(ptr %o{i}, ptr %ndarray)")
        lines.append(f"  br i1 %c{i}, label %next{i}, label %refuse")
        lines.append(f"next{i}:")
    data = layout().data
    for i in range(total):
        lines.append(f"  %d{i} = getelementptr i8, ptr %o{i}, i64 {data}")
        lines.append(f"  %p{i} = load ptr, ptr %d{i}")
    release = releases(body)
    if release:
        lines.append(f"  %save = load ptr, ptr {module.link('py:PyEval_SaveThread')}")
        lines.append("  %thread = call ptr %save()")
    pointers = [f"ptr %p{i}" for i in range(total)]
    if not body.arena:
        pointers.append("ptr null")
    lines.append(f"  %status = call i32 @{body.name}({', '.join(pointers)})")
    if release:
        lines.append(f"  %restore = load ptr, ptr {module.link('py:PyEval_RestoreThread')}")
        lines.append("  call void %restore(ptr %thread)")
    lines += [
        "  %good = icmp eq i32 %status, 0",
        "  br i1 %good, label %done, label %raise",
        "raise:",
        "  ret ptr null",
        "done:",
        f"  %none = load ptr, ptr {module.link('object:None')}",
    ]
    if read:
        lines += [
            "  br label %out",
            "refuse:",
            f"  %unfit = load ptr, ptr {module.link('object:NotImplemented')}",
            "  br label %out",
            "out:",
            "  %result = phi ptr [ %none, %done ], [ %unfit, %refuse ]",
        ]
    result = "%result" if read else "%none"
    lines += [
        f"  %incref = load ptr, ptr {module.link('py:Py_IncRef')}",
        f"  call void %incref(ptr {result})",
        f"  ret ptr {result}",
        "}\n",
    ]
    module.functions.append("\n".join(lines))
