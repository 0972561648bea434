"""Native functions made of steps: the body of a segment, of a loop, of a branch.

A ``Body`` is a run of native steps as one function ``i32 @name(ptr..., ptr arena)``: pointers to
what it reads, then to what it writes, then to memory for its temporaries. It returns 0, or
another number where a Python exception is set, which ends everything around it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from adlib.compile import (
    failures,
    in_place,
    library,
    memory,
    partial_sums,
    repeats,
    row_updates,
)
from adlib.compile.control_flow import ControlPart
from adlib.compile.dot_part import DotPart
from adlib.compile.elements import plain
from adlib.compile.llvm_module import GLUE, Module
from adlib.compile.nests import GroupWriter, Reader, stored
from adlib.compile.pieces import PiecesWriter
from adlib.compile.region_nests import RegionWriter
from adlib.compile.render_llvm import render
from adlib.compile.schedule import Schedule
from adlib.compile.steps import Control, Dot, Group, Library, Pieces, Region, groups_of
from adlib.core.jaxpr import Var

_MOST_CALLS = 64  # steps that one function runs
_WORTH_JOINING = 1 << 8  # operations of a kernel in one run, for rows to be joined
_MOST_NESTED = 4  # loops within loops of one function


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
    changed = False  # whether other groups of the same structure need a function of their own

    def __init__(self, writer: Reader, work: int) -> None:
        self.writer = writer
        self.name = writer.name
        self.variables = writer.variables
        self.work = work
        self.scratch = partial_sums.separated(writer.kernel, work)

    def share(self, read: Var, written: Var) -> bool:
        """Read an operand from where a result is written, if that is right (see ``in_place``)."""
        numbers = [self.writer.buffer(v) for v in (read, written)]
        merged = in_place.merge(self.writer.kernel, *numbers)
        self.changed = self.changed or merged
        return merged

    def render(self, module: Module) -> None:
        kernel, work = self.writer.kernel, self.work * module.rounds
        if work > _WORTH_JOINING:
            kernel = row_updates.joined(kernel)
        render(kernel, module, work, module.rounds > 1)


class Body:
    """The steps ``first`` to ``last`` of a schedule as one function.

    Attributes:
      read, written: variables whose memory it is given, in order.
      arena: bytes for temporaries.
      parts: its steps, with the places of their buffers: the number of a parameter, or
        (offset,) in the arena.
      nesting: how deep loops and branches stand within each other.
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
        steps = range(first, last)
        parts: list[Part] = repeats.parts(schedule, steps, partial(_part, schedule, name))
        self.fallible = any(p.fallible for p in parts)
        self.work = sum(p.work for p in parts)
        self._shared: set[Var] = set()  # inputs and results that have one place
        self.nesting = max([getattr(p, "nesting", 0) for p in parts], default=0)
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

    def share(self, read: Var, written: Var) -> bool:
        """Whether a result may lie where an input does; if so, the body must be called with one
        place for both from now on."""
        if read in self._shared or written in self._shared:
            return False
        if (read.aval.shape, read.aval.dtype) != (written.aval.shape, written.aval.dtype):
            return False
        parts = [part for part, _, _ in self.parts]
        writers = [n for n, part in enumerate(parts) if written in part.variables]
        readers = [n for n, part in enumerate(parts) if read in part.variables]
        if not writers or self.written.count(written) != 1:
            return False
        if readers and readers[-1] > writers[0]:
            return False
        if readers and readers[-1] == writers[0]:
            part = parts[writers[0]]
            if not isinstance(part, (KernelPart, ControlPart, DotPart)):
                return False
            if not part.share(read, written):
                return False
        self._shared |= {read, written}
        return True

    def render(self, module: Module) -> None:
        names = []
        before = len(module.functions)
        rendered: dict[Part, str] = {}
        for part, _, _ in self.parts:
            own = part
            if isinstance(part, repeats.Repeat):
                own = part.own() if part.original.changed else part.original
            if own not in rendered:
                first = len(module.functions)
                own.render(module)
                rendered[own] = module.merged(first, own.name)
            names.append(rendered[own])
        calls = list(zip(names, self.parts, strict=True))
        inner = []
        if len(calls) > _MOST_CALLS:
            # LLVM's work on one function grows faster than linearly with its length
            for first in range(0, len(calls), _MOST_CALLS):
                name = f"{self.name}_c{first // _MOST_CALLS}"
                inner.append(self._function(name, calls[first : first + _MOST_CALLS], module))
        count = len(self.read) + len(self.written)
        params = ", ".join([*[f"ptr %p{i}" for i in range(count)], "ptr %arena"])
        lines = inner or self._calls(calls, module)[0]
        attributes = GLUE if inner or module.rounds == 1 else module.around(before)
        if not inner and self.nesting % _MOST_NESTED == _MOST_NESTED - 1:
            # nests of many loops stay several functions: LLVM's work grows fast with their depth
            attributes = "noinline nounwind"
        self._define(self.name, params, attributes, lines, module)

    def _function(self, name: str, calls: Sequence[Any], module: Module) -> str:
        """Some of the steps as a function of its own; the line that calls it."""
        lines, used = self._calls(calls, module)
        params = ", ".join([*[f"ptr %p{i}" for i in sorted(used)], "ptr %arena"])
        self._define(name, params, GLUE, lines, module)
        if not any(part.fallible for _, (part, _, _) in calls):
            return f"  %{name} = call i32 @{name}({params})"
        return "\n".join(_checked(name, f"call i32 @{name}({params})"))

    def _define(
        self, name: str, params: str, attributes: str, lines: list[str], module: Module
    ) -> None:
        fails = any("label %fail" in line for line in lines)
        text = [f"define internal i32 @{name}({params}) {attributes} {{", "entry:", *lines]
        text += ["  ret i32 0", *(["fail:", "  ret i32 1"] if fails else [])]
        module.functions.append("\n".join([*text, "}\n"]))

    def _calls(self, calls: Sequence[Any], module: Module) -> tuple[list[str], set[int]]:
        """Lines that call steps, and the numbers of the parameters that they are given."""
        lines: list[str] = []
        made: set[int] = set()
        used: set[int] = set()
        for number, (name, (part, places, scratch)) in enumerate(calls):
            used.update([place for place in places if type(place) is int])
            pointers = [self._pointer(p, lines, made, module) for p in places]
            if part.scratch:
                pointers.append(self._pointer((scratch,), lines, made, module))
            arguments = ", ".join([f"ptr {p}" for p in pointers])
            if part.fallible:
                lines += _checked(f"s{number}", f"call i32 @{name}({arguments})")
            else:
                lines.append(f"  call void @{name}({arguments})")
        return lines, used

    def _pointer(self, place: Any, lines: list[str], made: set[int], module: Module) -> str:
        if type(place) is int:
            return f"%p{place}"
        if type(place) is Var:
            return module.table(plain(self.constants[place]))
        (offset,) = place
        if offset not in made:
            made.add(offset)
            lines.append(f"  %t{offset} = getelementptr i8, ptr %arena, i64 {offset}")
        return f"%t{offset}"


def _checked(name: str, call: str) -> list[str]:
    """Lines that make a call, and leave for ``fail`` where its status is not 0."""
    return [
        f"  %{name} = {call}",
        f"  %{name}_ok = icmp eq i32 %{name}, 0",
        f"  br i1 %{name}_ok, label %{name}_go, label %fail",
        f"{name}_go:",
    ]


def whole(schedule: Schedule, name: str) -> Body:
    """A whole program as a function: reads its inputs, writes its results."""
    inputs = list(schedule.jaxpr.invars)
    return Body(schedule, 0, len(schedule.steps), name, inputs, schedule.results)


def _part(schedule: Schedule, name: str, number: int) -> Part:
    """A step of the body ``name``."""
    try:
        return part_of(schedule, number, f"{name}_{number}")
    except Exception as error:
        step = schedule.steps[number]
        eqns = groups_of(step)[0].eqns if isinstance(step, (Group, Region)) else [step.eqn]
        failures.at(error, eqns[0])
        raise


def part_of(schedule: Schedule, number: int, name: str) -> Part:
    """A native step as what a body is made of."""
    step = schedule.steps[number]
    if isinstance(step, (Group, Region)):
        writer = GroupWriter if isinstance(step, Group) else RegionWriter
        work = sum(math.prod(g.space) * g.work for g in groups_of(step))
        return KernelPart(writer(schedule, number, name), work)
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
        if isinstance(step, (Group, Region)):
            local = step.local if isinstance(step, Region) else ()
            made = [v for g in groups_of(step) for v in stored(schedule, g) if v not in local]
        elif isinstance(step, (Dot, Control, Pieces, Library)):
            made = list(step.eqn.outvars)
        else:
            raise TypeError("a call is no native step")
        for var in made:
            beyond = any(not first <= n < last for n in schedule.uses.get(var, ()))
            (kept if beyond or var in schedule.outside else temporary).append(var)
    return kept, temporary
