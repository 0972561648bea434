"""Compiled programs on a GPU: runs of kernels and products, with CuPy's kernels between them.

The schedule is the CPU's, with other choices: factorizations, sorts and the like are calls of
CuPy (cuSOLVER, …), and so are loops and branches whose conditions the host has to see. What is
left are ``Stretch``es: kernels of ours, products by cuBLAS, and scans of them, as orders on
addresses that a CUDA graph can record. Their temporaries share one block of CuPy's pool.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from adlib.backends import cupy_
from adlib.base.config import config
from adlib.compile import failures, lowering
from adlib.compile.cuda import blas, donation, pieces, products, writers
from adlib.compile.cuda.expressions import PRELUDE
from adlib.compile.cuda.graphs import WORTH, Graphs, issue
from adlib.compile.cuda.orders import Order, Place, Queue
from adlib.compile.cuda.parts import MOST_ORDERS, Layout, Maker, Part, Segment, part_of
from adlib.compile.program import Writer
from adlib.compile.schedule import Schedule
from adlib.compile.simplify import simplify
from adlib.compile.steps import Call, Control
from adlib.core import backend
from adlib.core.jaxpr import ClosedJaxpr, Eqn, Var
from adlib.core.program import Program
from adlib.core.program import program as reference

ALIGNMENT = 16  # bytes
# Loops and branches that the host steers: it reads a condition, or an index, back in every round.
# What a round computes is a compiled program of its own.
_STEERED = ("scan", "while", "cond")
LARGE = 1 << 24  # bytes of a call from which on it looks what the pool keeps
# Every operation as it stands: multiplications and additions are not contracted.
OPTIONS = ("--fmad=false", "-std=c++17")


class GpuSchedule(Schedule):
    """The steps of a program on a GPU; ``products``: whether cuBLAS can be called by address."""

    def __init__(self, closed: ClosedJaxpr, inner: bool = False, products: bool = True) -> None:
        self.products = products
        super().__init__(closed, inner)

    def _add(self, eqn: Eqn) -> None:
        product = eqn.primitive.name == "dot_general" and id(eqn) not in self._done
        if product and products.small(eqn):
            super()._dot(eqn)
        elif writers.library(eqn) is not None:
            super()._library(eqn)
        else:
            super()._add(eqn)

    def _dot(self, eqn: Eqn) -> None:
        if self.products and blas.fits(eqn):
            super()._dot(eqn)
        else:
            self._call(eqn, "a matrix product by CuPy")

    def _control(self, eqn: Eqn) -> None:
        if eqn.primitive.name != "scan":
            self._call(eqn, "the host reads which way it goes")
            return
        if any(v.aval.dtype not in lowering.NATIVE for v in (*eqn.invars, *eqn.outvars)):
            self._call(eqn, "its types are not those of kernels")
            return
        body = GpuSchedule(eqn.params["jaxpr"], True, self.products)
        calls = [s.eqn.primitive.name for s in body.steps if type(s) is Call]
        if calls:
            self._call(eqn, f"its body calls CuPy: {', '.join(calls[:3])}")
            return
        if any(not _held(const) for const in body.closed.consts):
            self._call(eqn, "its body has constants that are no arrays")
            return
        if eqn.params["length"] * _rounds(body) > MOST_ORDERS:
            self._call(eqn, "too many rounds to write down: the host goes round")
            return
        operands = [self.in_memory(atom) for atom in eqn.invars]
        number = self._native_step(Control(eqn, operands, [body]), eqn, operands)
        self.reasons.append((eqn, f"step {number}: its rounds' kernels, one after the other"))

    def _pieces(self, eqn: Eqn) -> None:
        if eqn.primitive.name in pieces.NAMES:
            super()._pieces(eqn)
        else:
            self._call(eqn, f"{eqn.primitive.name} runs as CuPy's kernel")

    def _library(self, eqn: Eqn) -> None:
        self._call(eqn, f"{eqn.primitive.name} runs as CuPy's kernel")


def _held(const: Any) -> bool:
    return hasattr(const, "_value") and const.aval.dtype in lowering.NATIVE


def _rounds(schedule: Schedule) -> int:
    """About how many orders a program gives."""
    total = 0
    for step in schedule.steps:
        if isinstance(step, Control):
            total += step.eqn.params["length"] * _rounds(step.programs[0])
        else:
            total += 1
    return total


class Stretch:
    """Parts that follow each other without a call between: one launch, where it is recorded.

    Attributes:
      parts: by the numbers of their steps.
      read, written: variables whose arrays a call gives it, in this order; then the arena.
      orders: what it does; empty until it is ``bound``.
      graphs: its recordings; None where it has one order only, or none is wanted.
    """

    def __init__(self, number: int, parts: dict[int, Part], kept: set[Var]) -> None:
        self.name = f"stretch{number}"
        self.parts = parts
        made = {v for part in parts.values() for v in part.written}
        touched = dict.fromkeys([v for p in parts.values() for v in (*p.read, *p.written)])
        self.read = [v for v in touched if v not in made and v in kept]
        self.written = [v for v in touched if v in made and v in kept]
        self.orders: list[Order] = []
        self.graphs: Graphs | None = None
        self._xp: Any = None

    def bind(self, layout: Layout, make: Maker, recorded: bool) -> None:
        """Write the orders down, for arrays of the module that ``make`` has."""
        arrays = [*self.read, *self.written]
        places = {v: Place(i, 0, v.aval.nbytes) for i, v in enumerate(arrays)}

        def place(var: Var) -> Place:
            found = places.get(var)
            if found is None:
                found = Place(len(arrays), layout.offsets[var], var.aval.nbytes)
            return found

        for number, part in self.parts.items():
            scratch = Place(len(arrays), layout.scratch[number], part.scratch)
            self.orders += part.orders(place, scratch, make)
        self._xp = make.xp
        if recorded and len(self.orders) >= WORTH:
            library = blas.of_module(make.xp) if make.products else None
            prepare = None if library is None else library.handle
            self.graphs = Graphs(self.orders, make.xp, prepare)

    def __call__(self, *arrays: Any) -> None:
        addresses = [array.data.ptr for array in arrays]
        addresses.append(0)
        if self.graphs is not None:
            self.graphs.run(addresses)
            return
        stream = self._xp.cuda.get_current_stream().ptr
        issue(self.orders, addresses, Queue(stream, stream))


class GpuWriter(Writer):
    """Writes the Python function of a program: allocations, stretches, and CuPy's kernels."""

    def __init__(self, compiled: GpuProgram, xp: Any) -> None:
        self.program = compiled
        super().__init__(
            SimpleNamespace(
                schedule=compiled.schedule,
                simplified=compiled.simplified,
                segments=compiled.stretches,
                taken=compiled.taken,
            ),
            xp,
        )
        self.namespace["ready"] = functools.partial(_as_kernels_read, xp)
        self.namespace["coerced"] = functools.partial(_coerced, xp)
        # what the program made itself is as kernels read it
        self._ready = {v for s in compiled.stretches.values() for v in s.written}
        self._ready.update(compiled.schedule.jaxpr.constvars)
        self._arena = False

    def write(self) -> tuple[str, dict[str, Any]]:
        text, names = super().write()
        for i in range(len(self.schedule.jaxpr.constvars)):
            names[f"const{i}"] = _as_kernels_read(self.xp, names[f"const{i}"])
        first, *body = text.splitlines()
        names["full"] = _full(self.xp)
        names["explained"] = functools.partial(_explained, self.program, self.xp)
        if self.program.arena + sum([v.aval.nbytes for v in self.schedule.jaxpr.outvars]) > LARGE:
            names["tidy"] = cupy_.Tidy(self.xp)
            body.insert(0, "    tidy()")
        lines = [first, "    try:", *[f"    {line}" for line in body]]
        lines += ["    except full as error:", "        raise explained(error) from error"]
        return "\n".join(lines) + "\n", names

    def function_of(self, eqn: Eqn) -> Callable[..., Any]:
        if eqn.primitive.name not in _STEERED:
            return super().function_of(eqn)
        return eqn.primitive.kernel(self.xp, {**eqn.params, "compiled": executable})

    def segment(self, stretch: Any) -> None:
        arguments = []
        for var in stretch.read:
            name = self.operand(var)
            if var not in self._ready:
                self._ready.add(var)
                self.lines.append(f"    {name} = ready({name})")
            arguments.append(name)
        for var in stretch.written:
            if var in self.program.taken:
                made = self.operand(self.program.taken[var])
            else:
                made = self.allocation(var.aval.shape, var.aval.dtype)
            self.lines.append(f"    {self.name(var)} = {made}")
            arguments.append(self.names[var])
        if self.program.arena:
            if not self._arena:
                self._arena = True
                block = self.allocation((self.program.arena,), np.dtype(np.uint8))
                self.lines.append(f"    arena = {block}")
            arguments.append("arena")
        self.lines.append(f"    {stretch.name}({', '.join(arguments)})")
        self.used(stretch.read)


class GpuProgram:
    """A program as it was compiled: its parts can be looked at.

    Attributes:
      function: ``(*ndarrays) -> tuple of ndarrays``.
      simplified: the jaxpr that was scheduled.
      schedule: its steps, with the reasons.
      parts: the steps that need no host, by their numbers; ``segments``: those that are kernels
        of ours; ``stretches``: runs of them, by the numbers of their first steps.
      arena: bytes of the block that temporaries share.
      taken: results that lie where donated arguments did.
      cuda: CUDA C of all kernels; ``source``: Python text of ``function``.

    Without an array module (``xp`` is None) there is no function, only the rest to look at.
    """

    def __init__(
        self, closed: ClosedJaxpr, xp: Any = None, donated: Sequence[int] = (), graphs: bool = True
    ) -> None:
        self.simplified = simplify(closed)
        products = xp is None or blas.of_module(xp) is not None
        self.schedule = GpuSchedule(self.simplified, products=products)
        found = {n: part_of(self.schedule, n) for n in range(len(self.schedule.steps))}
        self.parts = {n: part for n, part in found.items() if part is not None}
        self.segments = {n: p for n, p in self.parts.items() if isinstance(p, Segment)}
        inputs = {*self.schedule.jaxpr.invars, *self.schedule.jaxpr.constvars}
        outside = self.schedule.outside
        self.layout = Layout(self.parts, outside)
        self.arena = self.layout.arena
        made = {v for part in self.parts.values() for v in part.written}
        touched = {v for part in self.parts.values() for v in part.read}
        self.stretches = _stretches(self.parts, inputs | outside | (touched - made))
        self.taken = donation.taken(self.schedule, self.parts, donated)
        kernels = [s.source for part in self.parts.values() for s in part.segments()]
        self.cuda = PRELUDE + "\n".join(kernels)
        if xp is None:
            return
        self.source, names = GpuWriter(self, xp).write()
        module = xp.RawModule(code=self.cuda, options=OPTIONS) if kernels else None
        self.maker = Maker(xp, module)
        for stretch in self.stretches.values():
            stretch.bind(self.layout, self.maker, graphs)
            names[stretch.name] = stretch
        exec(compile(self.source, "<adlib GPU program>", "exec"), names)
        self.function: Program = names["program"]


def _stretches(parts: dict[int, Part], kept: set[Var]) -> dict[int, Stretch]:
    """Parts whose steps follow each other, by the number of the first step."""
    runs: list[dict[int, Part]] = []
    for number, part in parts.items():
        if not runs or number - 1 not in runs[-1]:
            runs.append({})
        runs[-1][number] = part
    return {next(iter(run)): Stretch(i, run, kept) for i, run in enumerate(runs)}


def _as_kernels_read(xp: Any, array: Any) -> Any:
    """An array in row-major order that begins where several elements can be read at once."""
    if array.flags.c_contiguous:
        if not array.data.ptr % ALIGNMENT:
            return array
        return array.copy()
    return xp.ascontiguousarray(array)


def _coerced(xp: Any, value: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """The result of a kernel made by hand, as the type that its shape rule promised."""
    value = xp.asarray(value)
    if value.shape != shape or value.dtype != dtype:
        value = xp.broadcast_to(value.astype(dtype), shape)
    return value


# ------------------------------------------------------------------ a full memory


def _full(xp: Any) -> type[Exception]:
    """The error of an array module whose memory is full."""
    found: type[Exception] = xp.cuda.memory.OutOfMemoryError
    return found


def _explained(program: GpuProgram, xp: Any, error: Exception) -> Exception:
    results = sum([v.aval.nbytes for v in program.schedule.jaxpr.outvars])
    what = (
        f"a jitted program of {len(program.simplified.eqns)} equations, whose temporaries take "
        f"one block of {program.arena:,} bytes and whose results take {results:,},"
    )
    return backend.of_module(xp).explained(error, what) or error


# ------------------------------------------------------------------- entry point


def executable(closed: ClosedJaxpr, xp: Any, donated: tuple[int, ...] = ()) -> Program:
    """The function ``(*ndarrays) -> tuple of ndarrays`` for a closed jaxpr on a GPU.

    Where the compiler fails, which gives one warning, this is the reference executor.
    """
    if not hasattr(xp, "RawModule"):  # an array module without kernels
        return reference(closed, xp)
    graphs = bool(config.jit_cuda_graphs)

    def compiled() -> Program:
        return GpuProgram(closed, xp, donated, graphs).function

    make = functools.partial(failures.or_reference, closed, xp, compiled)
    return closed.cached(("executable", xp, donated, graphs), make)  # type: ignore[no-any-return]
