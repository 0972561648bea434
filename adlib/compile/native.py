"""Native functions made of steps: the body of a segment, of a loop, of a branch.

A ``Body`` is a run of native steps as one function ``i32 @name(ptr..., ptr arena)``: pointers to
what it reads, then to what it writes, then to memory for its temporaries. It returns 0, or
another number where a Python exception is set, which ends everything around it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from adlib.compile import library, memory
from adlib.compile.control_flow import ControlPart
from adlib.compile.dot_part import DotPart
from adlib.compile.nests import GroupWriter, Reader, stored
from adlib.compile.pieces import PiecesWriter
from adlib.compile.render_llvm import Module, render
from adlib.compile.schedule import Control, Dot, Group, Library, Pieces, Schedule
from adlib.core.jaxpr import Var


class Part(Protocol):
    """A step as a function in the module.

    Attributes:
      name: of the function; its parameters are the buffers of ``variables``, and memory of
        ``scratch`` bytes if that is not 0.
      fallible: whether it returns a status and may find that it is interrupted.
      work: about how many operations it takes.
    """

    name: str
    variables: list[Var]
    scratch: int
    fallible: bool
    work: int

    def render(self, module: Module) -> None: ...


class KernelPart:
    """A kernel of loops: a group of equations, or an array that is put together."""

    fallible = False
    scratch = 0

    def __init__(self, writer: Reader, work: int) -> None:
        self.writer = writer
        self.name = writer.name
        self.variables = writer.variables
        self.work = work

    def render(self, module: Module) -> None:
        render(self.writer.kernel, module)


class Body:
    """The steps ``first`` to ``last`` of a schedule as one function.

    Attributes:
      read, written: variables whose memory it is given, in order.
      arena: bytes for temporaries.
      parts: its steps, with the places of their buffers: the number of a parameter, or
        (offset,) in the arena.
    """

    def __init__(
        self,
        schedule: Schedule,
        first: int,
        last: int,
        name: str,
        read: Sequence[Var] | None = None,
        written: Sequence[Var] | None = None,
    ) -> None:
        self.name = name
        parts = [part_of(schedule, i, f"{name}_{i}") for i in range(first, last)]
        self.fallible = any(p.fallible for p in parts)
        self.work = sum(p.work for p in parts)
        kept, temporary = _made(schedule, first, last)
        self.written = list(kept if written is None else written)
        known = {*self.written, *temporary}
        self.read = list(() if read is None else read)
        known.update(self.read)
        self.constants: dict[Var, np.ndarray[Any, Any]] = {}
        for part in parts:
            for var in part.variables:
                if var in known:
                    continue
                known.add(var)
                if read is None:
                    self.read.append(var)
                else:  # a constant of a program within a program
                    self.constants[var] = schedule.constant(var)
        place: dict[Var, Any] = {v: i for i, v in enumerate((*self.read, *self.written))}
        intervals = [
            (v.aval.nbytes, schedule.where[v], max(schedule.uses.get(v, {schedule.where[v]})))
            for v in temporary
        ]
        intervals += [(p.scratch, i, i) for i, p in enumerate(parts, first)]
        offsets, self.arena = memory.arena(intervals)
        place.update({v: (at,) for v, at in zip(temporary, offsets, strict=False)})
        scratch = offsets[len(temporary) :]
        self.parts: list[tuple[Part, list[Any], int]] = [
            (p, [place.get(v, v) for v in p.variables], at)
            for p, at in zip(parts, scratch, strict=True)
        ]

    def render(self, module: Module) -> None:
        for part, _, _ in self.parts:
            part.render(module)
        count = len(self.read) + len(self.written)
        params = ", ".join([*[f"ptr %p{i}" for i in range(count)], "ptr %arena"])
        lines = [f"define internal i32 @{self.name}({params}) nounwind {{", "entry:"]
        made: set[int] = set()
        fails = False
        for number, (part, places, scratch) in enumerate(self.parts):
            pointers = [self._pointer(p, lines, made, module) for p in places]
            if part.scratch:
                pointers.append(self._pointer((scratch,), lines, made, module))
            arguments = ", ".join([f"ptr {p}" for p in pointers])
            if not part.fallible:
                lines.append(f"  call void @{part.name}({arguments})")
                continue
            fails = True
            lines.append(f"  %s{number} = call i32 @{part.name}({arguments})")
            lines.append(f"  %ok{number} = icmp eq i32 %s{number}, 0")
            lines.append(f"  br i1 %ok{number}, label %go{number}, label %fail")
            lines.append(f"go{number}:")
        lines.append("  ret i32 0")
        if fails:
            lines += ["fail:", "  ret i32 1"]
        module.functions.append("\n".join([*lines, "}\n"]))

    def _pointer(self, place: Any, lines: list[str], made: set[int], module: Module) -> str:
        if type(place) is int:
            return f"%p{place}"
        if type(place) is Var:
            return module.table(self.constants[place].ravel())
        (offset,) = place
        if offset not in made:
            made.add(offset)
            lines.append(f"  %t{offset} = getelementptr i8, ptr %arena, i64 {offset}")
        return f"%t{offset}"


def whole(schedule: Schedule, name: str) -> Body:
    """A whole program as a function: reads its inputs, writes its results."""
    inputs = list(schedule.jaxpr.invars)
    return Body(schedule, 0, len(schedule.steps), name, inputs, schedule.results)


def part_of(schedule: Schedule, number: int, name: str) -> Part:
    """A native step as what a body is made of."""
    step = schedule.steps[number]
    if isinstance(step, Group):
        work = math.prod(step.space) * step.work
        return KernelPart(GroupWriter(schedule, number, name), work)
    if isinstance(step, Pieces):
        return KernelPart(PiecesWriter(schedule, number, name), 2 * step.eqn.outvars[0].aval.size)
    if isinstance(step, Dot):
        return DotPart(schedule, step, name)
    if isinstance(step, Control):
        return ControlPart(step, name, whole)
    if isinstance(step, Library):
        return library.part(step.eqn, step.operands, name)
    raise TypeError("a call is no native step")


def _made(schedule: Schedule, first: int, last: int) -> tuple[list[Var], list[Var]]:
    """Variables that the steps make: those that others read too, and temporaries."""
    kept: list[Var] = []
    temporary: list[Var] = []
    for i in range(first, last):
        step = schedule.steps[i]
        if isinstance(step, Group):
            made = stored(schedule, step)
        elif isinstance(step, (Dot, Control, Pieces, Library)):
            made = list(step.eqn.outvars)
        else:
            raise TypeError("a call is no native step")
        for var in made:
            beyond = any(not first <= n < last for n in schedule.uses.get(var, ()))
            (kept if beyond or var in schedule.outside else temporary).append(var)
    return kept, temporary
