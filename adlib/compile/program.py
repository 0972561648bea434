"""Executables: a scheduled program as a Python function that calls native segments.

A segment is a run of groups between calls, compiled as one native function. Where all steps are
groups, the whole program is one segment, and running it is: allocate the results, call it.
``executable`` gives the function for a jaxpr, with the protocol of the reference executor's
``program``, which it falls back on.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.collection import paused_collection
from adlib.compile import cache, calling, engine, entry, failures, layout, memory
from adlib.compile.calling_text import ARGUMENT, CONSTANT, FRESH, SAME
from adlib.compile.llvm_module import Module
from adlib.compile.native import Body
from adlib.compile.schedule import Schedule
from adlib.compile.simplify import simplify
from adlib.compile.steps import Call
from adlib.core.avals import physical_dtype
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Literal, Var
from adlib.core.primitive import registry
from adlib.core.program import Program
from adlib.core.program import program as reference


def _pays(lines: int, work: int) -> bool:
    """Whether optimising pays, for a program of so many lines that does so many operations.

    Optimising takes 0.1 ms a line, which a program that does little earns back only after
    thousands of calls; of long programs, which take seconds, fewer calls are expected.
    """
    return work > 8 * lines * (1 + lines / 1500)


class Compiled:
    """A program as it was compiled: its parts can be looked at.

    Attributes:
      function: ``(*ndarrays) -> tuple of ndarrays``.
      simplified: the jaxpr that was scheduled.
      schedule: its steps, with the reasons.
      segments: the native parts.
      llvm: LLVM text of all native parts, before optimisation.
      source: Python text of ``function``.
      plan: how it is called without Python, where it is one native function.
      taken: results that are written over an argument that was donated, where that is right.
    """

    def __init__(self, closed: ClosedJaxpr, donated: Sequence[int] = ()) -> None:
        self.simplified = simplify(closed)
        self.schedule = Schedule(self.simplified)
        self.segments = _segments(self.schedule)
        module = Module()
        self.llvm = ""
        self.plan: calling.Plan | None = None
        direct = _direct(self)
        self.taken: dict[Var, Var] = {} if direct is None else _taken(self, direct, donated)
        if self.segments:
            entry.render_entries(module, [(_entry_name(s), s) for s in self.segments.values()])
            if direct is not None:
                entry.render_direct(module, "direct", direct)
            text = module.text()
            work = sum([s.work for s in self.segments.values()])
            self.llvm = text if _pays(text.count("\n"), work) else engine.QUICK + text
        self.source, names = Writer(self, np).write()
        if self.segments:
            entries = [_entry_name(s) for s in self.segments.values()]
            symbols = ["links", *entries, *(["direct"] if direct is not None else [])]
            loaded = cache.load(self.llvm, symbols)
            engine.write_pointers(loaded.addresses["links"], entry.link_values(module.links))
            for segment, name in zip(self.segments.values(), entries, strict=True):
                native = layout.python_function(loaded.addresses[name], name, loaded)
                names[name] = native
                names[f"slow_{name}"] = _slow(native, len(segment.read))
            if direct is not None:
                self.plan = _plan(self, direct, loaded)
        exec(compile(self.source, "<adlib compiled program>", "exec"), names)
        self.function: Program = names["program"]
        self.function.silent = self.schedule.native
        self.function.plan = self.plan


def _entry_name(body: Body) -> str:
    return f"run_{body.name}"


def _segments(schedule: Schedule) -> dict[int, Body]:
    """The segments by the number of their first step."""
    found: dict[int, Body] = {}
    start = 0
    steps = schedule.steps
    while start < len(steps):
        end = start
        while end < len(steps) and type(steps[end]) is not Call:
            end += 1
        if end > start:
            found[start] = Body(schedule, start, end, f"segment{len(found)}")
        start = end + 1
    return found


# ------------------------------------------------------- calls without Python between


def _direct(compiled: Compiled) -> Body | None:
    """The segment that is the whole program; None where Python has a part in it."""
    schedule = compiled.schedule
    if not schedule.native or len(compiled.segments) != 1:
        return None
    (body,) = compiled.segments.values()
    jaxpr = schedule.jaxpr
    inputs = {*jaxpr.invars, *jaxpr.constvars}
    known = {*inputs, *body.written}
    results = {v for v in jaxpr.outvars if type(v) is Var}
    fits = inputs.issuperset(body.read) and known >= results and results.issuperset(body.written)
    return body if fits else None


def _taken(compiled: Compiled, body: Body, donated: Sequence[int]) -> dict[Var, Var]:
    jaxpr = compiled.schedule.jaxpr
    found: dict[Var, Var] = {}
    for read in [jaxpr.invars[number] for number in donated]:
        if read in jaxpr.outvars:
            continue
        for written in body.written:
            if written not in found and body.share(read, written):
                found[written] = read
                break
    return found


def _plan(compiled: Compiled, body: Body, loaded: Any) -> calling.Plan:
    jaxpr = compiled.schedule.jaxpr
    consts = {
        var: np.require(np.asarray(const._value), requirements=["C", "A"])
        for var, const in zip(jaxpr.constvars, compiled.simplified.consts, strict=True)
    }
    arguments = {var: number for number, var in enumerate(jaxpr.invars)}
    place = {var: number for number, var in enumerate((*body.read, *body.written))}
    made: dict[Var, int] = {}
    results: list[tuple[int, Any, int]] = []
    for number, atom in enumerate(jaxpr.outvars):
        if type(atom) is Literal:
            results.append((CONSTANT, np.asarray(atom.array._value), -1))
            continue
        assert type(atom) is Var
        if atom in arguments:
            results.append((ARGUMENT, arguments[atom], -1))
        elif atom in consts:
            results.append((CONSTANT, consts[atom], -1))
        elif atom in made:
            results.append((SAME, made[atom], -1))
        else:
            made[atom] = number
            results.append((FRESH, None, place[atom]))
    return calling.Plan(
        function=loaded.addresses["direct"],
        pointers=[consts[v].ctypes.data if v in consts else 0 for v in place],
        places=[place.get(v, -1) for v in jaxpr.invars],
        results=results,
        reuses={made[result]: arguments[var] for result, var in compiled.taken.items()},
        arena=body.arena,
        releases=entry.releases(body),
        keep=(consts, loaded),
    )


def _slow(native: Callable[..., Any], read: int) -> Callable[..., None]:
    """The call for arrays that native code does not read as they are: it gets copies."""

    def call(*arrays: Any) -> None:
        copies = [np.require(np.asarray(a), requirements=["C", "A"]) for a in arrays[:read]]
        copies = [c if type(c) is np.ndarray else c.view(np.ndarray) for c in copies]
        if native(*copies, *arrays[read:]) is not None:
            raise RuntimeError("native code refuses arrays that are contiguous and aligned")

    return call


# ------------------------------------------------------------ the Python function


class Writer:
    """Writes the Python function of a compiled program, over an array module."""

    def __init__(self, compiled: Any, xp: Any) -> None:
        self.compiled = compiled
        self.xp = xp
        self.schedule = compiled.schedule
        self.names: dict[Var, str] = {}
        self.namespace: dict[str, Any] = {
            "empty": xp.empty,
            "asarray": xp.asarray,
            "take": memory.pool.take,
            "copyto": np.copyto,
            "coerced": _coerced,
        }
        self.lines: list[str] = []
        self.count = 0
        self.left = _remaining(compiled)

    def write(self) -> tuple[str, dict[str, Any]]:
        jaxpr = self.schedule.jaxpr
        for i, (var, const) in enumerate(
            zip(jaxpr.constvars, self.compiled.simplified.consts, strict=True)
        ):
            self.names[var] = f"const{i}"
            self.namespace[f"const{i}"] = self.xp.asarray(const._value)
        for i, var in enumerate(jaxpr.invars):
            self.names[var] = f"arg{i}"
        self.lines = [f"def program({', '.join([self.names[v] for v in jaxpr.invars])}):"]
        for number, step in enumerate(self.schedule.steps):
            if type(step) is Call:
                self.call(step.eqn)
            elif number in self.compiled.segments:
                self.segment(self.compiled.segments[number])
        outs = "".join([f"{self.operand(v)}, " for v in jaxpr.outvars])
        self.lines.append(f"    return ({outs})")
        return "\n".join(self.lines) + "\n", self.namespace

    def name(self, var: Var) -> str:
        """A new name for a variable (a view that was made earlier may now be written anew)."""
        self.count += 1
        found = self.names[var] = f"v{self.count}"
        return found

    def constant(self, value: Any) -> str:
        key = f"c{len(self.namespace)}"
        self.namespace[key] = value
        return key

    def operand(self, atom: Atom) -> str:
        """The name of a value's array; a view is made at its first use."""
        if type(atom) is Literal:
            value = atom.array._value[()]
            return self.constant(value if self.xp is np else self.xp.asarray(value))
        assert type(atom) is Var
        if atom not in self.names:
            self.kernel(self.schedule.virtual[atom])
        return self.names[atom]

    def kernel(self, eqn: Eqn) -> None:
        """One line that runs the primitive's kernel."""
        operands = [self.operand(v) for v in eqn.invars]
        key = self.constant(self.function_of(eqn))
        for v in eqn.outvars:
            self.name(v)
        targets = ", ".join([self.names[v] for v in eqn.outvars])
        if eqn.primitive.multiple_results:
            targets = f"[{targets}]" if eqn.outvars else "_"
        self.lines.append(f"    {targets} = {key}({', '.join(operands)})  # {eqn.primitive.name}")
        trusted = registry.get(eqn.primitive.name) is eqn.primitive
        for v in eqn.outvars:
            name = self.names[v]
            if not trusted:
                shape, dtype = self.constant(v.aval.shape), self.constant(physical_dtype(v.aval))
                self.lines.append(f"    {name} = coerced({name}, {shape}, {dtype})")
            elif not v.aval.shape:
                self.lines.append(f"    {name} = asarray({name})")

    def function_of(self, eqn: Eqn) -> Callable[..., Any]:
        """What computes an equation that is a call."""
        return eqn.primitive.kernel(self.xp, eqn.params)

    def call(self, eqn: Eqn) -> None:
        self.kernel(eqn)
        self.used([v for v in eqn.invars if type(v) is Var])

    def segment(self, segment: Body) -> None:
        arguments = [self.operand(v) for v in segment.read]
        for var in segment.written:
            name = self.name(var)
            self.lines.append(f"    {name} = {self.allocation(var.aval.shape, var.aval.dtype)}")
            arguments.append(name)
            if var in self.compiled.taken:  # the program finds there what it reads
                donor = self.operand(self.compiled.taken[var])
                self.lines.append(f"    copyto({name}, {donor})")
        if segment.arena:
            arguments.append(self.allocation((segment.arena,), np.dtype(np.uint8)))
        text = ", ".join(arguments)
        if segment.arena:
            self.lines.append(f"    arena = {arguments[-1]}")
            text = ", ".join([*arguments[:-1], "arena"])
        entry_name = _entry_name(segment)
        self.lines.append(f"    if {entry_name}({text}) is not None:")
        self.lines.append(f"        slow_{entry_name}({text})")
        self.used(segment.read)

    def allocation(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
        size = math.prod(shape) * dtype.itemsize
        text = f"{self.constant(shape)}, {self.constant(dtype)}"
        pooled = self.xp is np and size > memory.SMALL  # CuPy has a pool of its own
        return f"take({text}, {size})" if pooled else f"empty({text})"

    def used(self, variables: Sequence[Var]) -> None:
        """Drop arrays after their last use."""
        dead = []
        for v in dict.fromkeys(variables):
            self.left[v] = self.left.get(v, 0) - 1
            if self.left[v] == 0 and not self.names[v].startswith("const"):
                dead.append(self.names[v])
        if dead:
            self.lines.append(f"    del {', '.join(dead)}")


def _remaining(compiled: Any) -> dict[Var, int]:
    """How many steps read each array; results of the program and operands of views are read
    to the end."""
    left: dict[Var, int] = {}
    schedule = compiled.schedule
    for number, step in enumerate(schedule.steps):
        if type(step) is Call:
            reads = [v for v in step.eqn.invars if type(v) is Var]
        elif number in compiled.segments:
            reads = compiled.segments[number].read
        else:
            continue
        for v in dict.fromkeys(reads):
            left[v] = left.get(v, 0) + 1
    for atom in schedule.jaxpr.outvars:
        if type(atom) is Var:
            left[atom] = left.get(atom, 0) + 1
    for eqn in schedule.virtual.values():
        if eqn.outvars[0] in schedule.outside:
            for atom in eqn.invars:
                if type(atom) is Var:
                    left[atom] = left.get(atom, 0) + 1
    return left


def _coerced(value: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """The result of a kernel made by hand, as the type that its shape rule promised."""
    value = np.asarray(value)
    if value.shape != shape or value.dtype != dtype:
        value = np.broadcast_to(value.astype(dtype), shape)
    return value


# ------------------------------------------------------------------ entry point


def executable(closed: ClosedJaxpr, donated: tuple[int, ...] = ()) -> Program:
    """The fastest function ``(*ndarrays) -> tuple of ndarrays`` for a closed jaxpr.

    Where native code cannot be made (no llvmlite, or a failure of the compiler, which gives one
    warning), this is the reference executor.
    """
    if not engine.available():
        return reference(closed, np)

    def compiled() -> Program:
        with paused_collection():
            made = Compiled(closed, donated)
        closed.cache["compiled"] = made
        return made.function

    make = functools.partial(failures.or_reference, closed, np, compiled)
    return closed.cached(("executable", donated), make)  # type: ignore[no-any-return]
