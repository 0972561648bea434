"""Kernels of the loop language as functions of LLVM's intermediate representation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from adlib.compile import chunks
from adlib.compile.llvm_loops import LoopWriter
from adlib.compile.llvm_module import GLUE, WRITTEN, Module, memory_type
from adlib.compile.loopir import (
    For,
    Kernel,
    Nest,
    Store,
    Value,
    loops,
)


def render(
    kernel: Kernel,
    module: Module,
    work: int | None = None,
    inline: bool = False,
    once: bool = False,
) -> None:
    """Add ``void @name(ptr...)``, one pointer for each buffer, to the module; ``inline``: numbers
    without loops become part of what calls them, so that a loop keeps them in registers; ``once``:
    nothing can be done again, since it changes what it reads.

    A kernel that does less ``work`` in all than optimising it would earn back is not optimised.

    A kernel with rare cases becomes two functions: one that leaves them out and says whether it
    met any, and one with all, which then does everything again. The vectorized loops of the first
    have no branches, nor the slow side's work; the second is not optimised, which halves the time
    of compiling both.
    """
    if work is not None:
        nanoseconds = chunks.estimate(kernel, work // max(module.rounds, 1))
        cuts = [chunks.cut(kernel, nest, share * nanoseconds) for nest, share in _shares(kernel)]
        if any(cuts):
            _in_chunks(kernel, module, cuts, work)
            return
    given = [i for i, buffer in enumerate(kernel.buffers) if not buffer.local]
    params = ", ".join(f"ptr noalias %b{i}" for i in given)
    if once or not any(_rare_cases(nest.items) for nest in kernel.nests):
        if inline and not any(loops(nest.items) for nest in kernel.nests):
            _function(kernel, module, kernel.name, params, "alwaysinline")
        else:
            _function(kernel, module, kernel.name, params, "noinline", work=work)
        return
    _function(kernel, module, f"{kernel.name}_quick", params, "noinline", quick=True, work=work)
    _function(kernel, module, f"{kernel.name}_exact", params, "noinline cold optnone")
    args = ", ".join(f"ptr %b{i}" for i in given)
    module.functions.append(
        f"""define internal void @{kernel.name}({params}) {module.caller} {{
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


def _shares(kernel: Kernel) -> list[tuple[Nest, float]]:
    """The nests of a kernel, each with the part of all rounds that it has."""
    rounds = [_rounds(nest.items, nest) for nest in kernel.nests]
    return [(nest, n / max(sum(rounds), 1)) for nest, n in zip(kernel.nests, rounds, strict=True)]


def _rounds(items: Sequence[Any], nest: Nest) -> int:
    found = [nest.extents[i.axis] * _rounds(i.body, nest) for i in items if type(i) is For]
    return sum(found) or 1


# ------------------------------------------------------------------------------- chunks


def _in_chunks(
    kernel: Kernel, module: Module, cuts: Sequence[chunks.Cut | None], work: int
) -> None:
    """A kernel some of whose nests are done in chunks, by several threads where there are any.

    Such a nest becomes a function of the number of a chunk, in which rare cases make only the
    chunk be done again, and the kernel itself calls one thing after another.
    """
    given = [i for i, buffer in enumerate(kernel.buffers) if not buffer.local]
    args = ", ".join(f"ptr %b{i}" for i in given)
    lines: list[str] = []
    plain: list[Nest] = []

    def call_plain(number: int) -> None:
        if plain:
            name = f"{kernel.name}_plain{number}"
            once = not chunks.repeatable(plain)
            render(Kernel(name, kernel.buffers, list(plain)), module, once=once)
            lines.append(f"  call void @{name}({args})")
            plain.clear()

    for number, (nest, cut) in enumerate(zip(kernel.nests, cuts, strict=True)):
        if cut is None:
            plain.append(nest)
            continue
        call_plain(number)
        lines += _cut_nest(kernel, module, nest, cut, f"{kernel.name}_part{number}", work)
    call_plain(len(cuts))
    params = ", ".join(f"ptr noalias %b{i}" for i in given)
    text = "\n".join(lines)
    module.functions.append(
        f"define internal void @{kernel.name}({params}) {module.caller} {{\n"
        f"entry:\n{text}\n  ret void\n}}\n"
    )


def _cut_nest(
    kernel: Kernel, module: Module, nest: Nest, cut: chunks.Cut, name: str, work: int
) -> list[str]:
    """The functions for a nest in chunks; the lines that run it."""
    given = [i for i, buffer in enumerate(kernel.buffers) if not buffer.local]
    totals = len(nest.items[0].accumulators)
    params = ", ".join(
        ["i64 %first, i64 %limit, ptr noalias %partial", *[f"ptr noalias %b{i}" for i in given]]
    )
    args = ", ".join(["i64 %first, i64 %limit, ptr %partial", *[f"ptr %b{i}" for i in given]])
    part = Kernel(name, kernel.buffers, [nest])
    chunk = partial(LoopWriter.chunk, size=0 if cut.extent % cut.size else cut.size)
    rare = _rare_cases(nest.items)
    doing = [f"  call void @{name}_rounds({args})", "  ret void"]
    if rare:
        _function(part, module, f"{name}_quick", params, "noinline", True, work, chunk)
        _function(part, module, f"{name}_exact", params, "noinline cold optnone", write=chunk)
        doing = [
            f"  %met = call i1 @{name}_quick({args})",
            "  br i1 %met, label %again, label %done",
            "again:",
            f"  call void @{name}_exact({args})",
            "  br label %done",
            "done:",
            "  ret void",
        ]
    else:
        _function(part, module, f"{name}_rounds", params, "noinline", work=work, write=chunk)
    minimum = module.intrinsic("llvm.umin.i64", "i64", "i64", "i64")
    lines = [
        f"  %first = mul i64 %chunk, {cut.size}",
        f"  %following = add i64 %first, {cut.size}",
        f"  %limit = call i64 {minimum}(i64 %following, i64 {cut.extent})",
        "  %partials = load ptr, ptr %args",
        f"  %at = mul i64 %chunk, {8 * totals}",
        "  %partial = getelementptr i8, ptr %partials, i64 %at",
    ]
    for place, i in enumerate(given, 1):
        lines.append(f"  %place{i} = getelementptr ptr, ptr %args, i64 {place}")
        lines.append(f"  %b{i} = load ptr, ptr %place{i}")
    text = "\n".join([*lines, *doing])
    module.functions.append(
        f"define internal void @{name}_chunk(i64 %chunk, ptr %args) {GLUE} {{\nentry:\n{text}\n}}\n"
    )
    _runner(part, module, nest, cut, totals)
    return [f"  call void @{name}({', '.join([f'ptr %b{i}' for i in given])})"]


def _runner(part: Kernel, module: Module, nest: Nest, cut: chunks.Cut, totals: int) -> None:
    """The function that has all chunks of a nest done, and combines what they found."""
    given = [i for i, buffer in enumerate(part.buffers) if not buffer.local]
    lines = [
        f"  %args = alloca [{len(given) + 1} x ptr], align 16",
        f"  %partial = alloca [{max(cut.count * totals, 1)} x i64], align 16",
        "  store ptr %partial, ptr %args",
    ]
    for place, i in enumerate(given, 1):
        lines.append(f"  %place{i} = getelementptr ptr, ptr %args, i64 {place}")
        lines.append(f"  store ptr %b{i}, ptr %place{i}")
    run = module.link("threads:run")
    lines.append(f"  %run = load ptr, ptr {run}")
    lines.append(f"  call void %run(ptr @{part.name}_chunk, ptr %args, i64 {cut.count})")
    writer = LoopWriter(part, module)
    writer.combined(nest, cut.count)
    params = ", ".join(f"ptr %b{i}" for i in given)
    text = "\n".join([*lines, *writer.lines])
    module.functions.append(
        f"define internal void @{part.name}({params}) {module.caller} {{\n"
        f"entry:\n{text}\n  ret void\n}}\n"
    )


def _rare_cases(items: Sequence[Any]) -> bool:
    return any(
        item.op == "rare" if type(item) is Value else _rare_cases(item.body)
        for item in items
        if type(item) is not Store
    )


def pays(lines: int, work: int) -> bool:
    """Whether optimising so many lines pays that do so many operations in a run.

    Optimising takes 0.1 ms a line, which a program that does little earns back only after
    thousands of calls.
    """
    return work > 8 * lines


def _function(
    kernel: Kernel,
    module: Module,
    name: str,
    params: str,
    attributes: str,
    quick: bool = False,
    work: int | None = None,
    write: Callable[[LoopWriter, Nest], None] = LoopWriter.nest,
) -> None:
    writer = LoopWriter(kernel, module, quick, vectors="optnone" not in attributes)
    for nest in kernel.nests:
        write(writer, nest)
    first = [
        f"  %b{i} = alloca [{buffer.size} x {memory_type(buffer.dtype)}], align 64"
        for i, buffer in enumerate(kernel.buffers)
        if buffer.local
    ]
    first += ["  %met = alloca i1", "  store i1 false, ptr %met"] if quick else []
    last = ["  %any = load i1, ptr %met", "  ret i1 %any"] if quick else ["  ret void"]
    body = "\n".join([*first, *writer.lines, *last])
    if work is not None and not pays(len(writer.lines), work):
        attributes += " optnone"
    elif writer.vector_loops and not writer.scalar_loops:
        attributes += WRITTEN
    result = "i1" if quick else "void"
    module.functions.append(
        f"define internal {result} @{name}({params}) {attributes} nounwind {{\nentry:\n{body}\n}}\n"
    )
