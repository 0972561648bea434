"""The parts of a GPU program that need no host: kernels of ours, products by cuBLAS, and loops of
them whose length is known.

A ``Body`` gives the temporaries of a run of such parts places in one block of memory, by the steps
between which they are needed, and writes their orders down. A loop's orders are those of its
rounds, one after the other: what a scan reads and stacks is at another address in each round, and
a carried value takes turns between two places, the last of which is where the result belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from adlib.compile import memory
from adlib.compile.cuda import blas, writers
from adlib.compile.cuda.orders import FIXED, Call, Copy, Order, Place, Start
from adlib.compile.schedule import Schedule
from adlib.compile.steps import Control, Dot
from adlib.core.jaxpr import Var

# Orders of one loop: beyond, the host goes round, and starts the body's kernels each time.
MOST_ORDERS = 4096


class Maker:
    """What orders are made with: the functions of a module of kernels, cuBLAS, constants.

    Attributes:
      held: the constants of programs within programs, at the addresses that orders name.
      products: whether there are any.
    """

    def __init__(self, xp: Any, module: Any) -> None:
        self.xp = xp
        self.module = module
        self.held: dict[int, Any] = {}
        self.products = False
        self._functions: dict[str, Any] = {}

    def function(self, name: str) -> Any:
        found = self._functions.get(name)
        if found is None:
            found = self._functions[name] = self.module.get_function(name)
        return found

    def copy(self, target: Place, source: Place) -> Copy:
        return Copy(self.xp.cuda.runtime.memcpyAsync, target, source)

    def product(self, step: Dot) -> Any:
        library = blas.of_module(self.xp)
        assert library is not None
        self.products = True
        return blas.product(library, step)

    def constant(self, value: Any) -> Place:
        """The place of a constant array."""
        found = self.held.get(id(value))
        if found is None:
            array = self.xp.ascontiguousarray(self.xp.asarray(value._value))
            self.held[id(value)] = found = (value, array)
        return Place(FIXED, found[1].data.ptr, found[1].nbytes)


Places = Callable[[Var], Place]


class Segment:
    """One step as kernels of ours.

    Attributes:
      groups: what its kernels were written from, in order.
      read, written: its variables.
      scratch: bytes for partial results.
    """

    def __init__(self, schedule: Schedule, number: int, prefix: str = "") -> None:
        self.name = f"{prefix}step{number}"
        self.groups = writers.of_step(schedule, number, self.name)
        given = [(g.variables[i], g.buffers[i].written) for g in self.groups for i in g.given]
        made = {v for v, written in given if written}
        touched = dict.fromkeys([v for v, _ in given])
        self.read: list[Var] = [v for v in touched if v not in made]
        self.written: list[Var] = [v for v in touched if v in made]
        sizes = [size * dtype.itemsize for g in self.groups for size, dtype in g.partials]
        offsets, self.scratch = _in_a_row(sizes)
        self._partials = list(zip(offsets, sizes, strict=True))

    @property
    def source(self) -> str:
        """The text of its kernels."""
        return "\n".join([launch.source for g in self.groups for launch in g.launches])

    @property
    def count(self) -> int:
        """How many orders it gives."""
        return sum([len(g.launches) for g in self.groups])

    def segments(self) -> Iterator[Segment]:
        yield self

    def orders(self, place: Places, scratch: Place, make: Maker) -> Iterator[Order]:
        first = 0
        for group in self.groups:
            for launch in group.launches:
                buffers = [place(group.variables[i]) for i in launch.buffers]
                partials = [scratch.part(*self._partials[first + p]) for p in launch.partials]
                function = make.function(launch.name)
                shared = getattr(launch, "shared", 0)
                yield Start(function, launch.blocks, launch.threads, [*buffers, *partials], shared)
            first += len(group.partials)


def _in_a_row(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Offsets of blocks that lie one behind the other, and their size in all."""
    offsets, total = [], 0
    for size in sizes:
        offsets.append(total)
        total += -(-size // memory.ALIGN) * memory.ALIGN
    return offsets, total


class Product:
    """A matrix product by cuBLAS."""

    scratch = 0

    def __init__(self, schedule: Schedule, step: Dot) -> None:
        self.step = step
        operands = [v for v, _ in step.operands]
        self.read = list(dict.fromkeys([*operands, *([] if step.onto is None else [step.onto])]))
        self.written = [step.eqn.outvars[0]]
        self.count = 1 + (step.onto is not None)

    def segments(self) -> Iterator[Segment]:
        return iter(())

    def orders(self, place: Places, scratch: Place, make: Maker) -> Iterator[Order]:
        (left, _), (right, _) = self.step.operands
        (out,) = self.written
        if self.step.onto is not None:
            yield make.copy(place(out), place(self.step.onto))
        yield Call(make.product(self.step), [place(left), place(right), place(out)])


class Loop:
    """A scan of known length."""

    def __init__(self, schedule: Schedule, step: Control, name: str) -> None:
        params = step.eqn.params
        self.step = step
        self.length: int = params["length"]
        self.reverse: bool = params["reverse"]
        self.consts: int = params["num_consts"]
        self.carried: int = params["num_carry"]
        self.read = list(dict.fromkeys(step.operands))
        self.written = list(step.eqn.outvars)
        self.body: Body = Body(step.programs[0], f"{name}_")
        sizes = [self.body.arena, *[v.aval.nbytes for v in self.written[: self.carried]]]
        self._offsets, self.scratch = _in_a_row(sizes)
        self.count = max(1, self.length * self.body.count + self.carried)

    def segments(self) -> Iterator[Segment]:
        return self.body.segments()

    def orders(self, place: Places, scratch: Place, make: Maker) -> Iterator[Order]:
        given = [place(v) for v in self.step.operands]
        first = self.consts + self.carried
        consts, carry, rows = given[: self.consts], given[self.consts : first], given[first:]
        results = [place(v) for v in self.written]
        arena = scratch.part(self._offsets[0], self.body.arena)
        others = [
            scratch.part(offset, result.size)
            for offset, result in zip(self._offsets[1:], results, strict=False)
        ]
        inner = self.body.schedule
        for i in range(self.length):
            at = self.length - 1 - i if self.reverse else i
            last = (self.length - 1 - i) % 2 == 0
            after = results[: self.carried] if last else others
            row = _rows(rows, inner.jaxpr.invars[first:], at)
            stacked = _rows(results[self.carried :], inner.results[self.carried :], at)
            places = dict(zip(inner.jaxpr.invars, [*consts, *carry, *row], strict=True))
            places.update(zip(inner.results, [*after, *stacked], strict=True))
            yield from self.body.orders(places, arena, make)
            carry = after
        if not self.length:
            for target, source in zip(results, carry, strict=False):
                yield make.copy(target, source)


def _rows(stacks: Sequence[Place], rows: Sequence[Var], number: int) -> list[Place]:
    """The places of one row of each array."""
    return [
        stack.part(number * row.aval.nbytes, row.aval.nbytes)
        for stack, row in zip(stacks, rows, strict=True)
    ]


Part = Segment | Product | Loop


def part_of(schedule: Schedule, number: int, prefix: str = "") -> Part | None:
    """The part that a step of a schedule is; None for calls."""
    step = schedule.steps[number]
    if writers.ours(step):
        return Segment(schedule, number, prefix)
    if isinstance(step, Dot):
        return Product(schedule, step)
    if isinstance(step, Control):
        return Loop(schedule, step, f"{prefix}step{number}")
    return None


class Layout:
    """Places in one block for what is made and read within the program.

    Attributes:
      arena: bytes of the block.
      offsets: of the temporaries; ``scratch``: of each part's own memory.
    """

    def __init__(self, parts: Mapping[int, Part], kept: set[Var]) -> None:
        needed: dict[Var, tuple[int, int]] = {}
        for number, part in parts.items():
            for var in part.written:
                if var not in kept:
                    needed.setdefault(var, (number, number))
            for var in (*part.read, *part.written):
                if var in needed:
                    needed[var] = (needed[var][0], number)
        intervals = [(v.aval.nbytes, *steps) for v, steps in needed.items()]
        intervals += [(part.scratch, number, number) for number, part in parts.items()]
        offsets, self.arena = memory.arena(intervals)
        self.offsets = dict(zip(needed, offsets, strict=False))
        self.scratch = dict(zip(parts, offsets[len(needed) :], strict=True))


class Body:
    """A program within a program, all of whose steps are parts."""

    def __init__(self, schedule: Schedule, prefix: str) -> None:
        self.schedule = schedule
        found = {n: part_of(schedule, n, prefix) for n in range(len(schedule.steps))}
        self.parts = {n: part for n, part in found.items() if part is not None}
        assert len(self.parts) == len(found)
        self.layout = Layout(self.parts, set(schedule.results))
        self.arena: int = self.layout.arena
        self.count: int = sum([part.count for part in self.parts.values()])

    def segments(self) -> Iterator[Segment]:
        for part in self.parts.values():
            yield from part.segments()

    def orders(self, places: Mapping[Var, Place], arena: Place, make: Maker) -> Iterator[Order]:
        """The orders of one round, with its inputs and results at these places."""
        consts = dict(zip(self.schedule.jaxpr.constvars, self.schedule.closed.consts, strict=True))
        offsets = self.layout.offsets

        def place(var: Var) -> Place:
            found = places.get(var)
            if found is not None:
                return found
            if var in offsets:
                return arena.part(offsets[var], var.aval.nbytes)
            return make.constant(consts[var])

        for number, part in self.parts.items():
            scratch = arena.part(self.layout.scratch[number], part.scratch)
            yield from part.orders(place, scratch, make)
