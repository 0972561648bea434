"""Groups of equations become loop nests.

The body is written once over the group's iteration space, every operand read through its views.
Then axes that all accesses run through alike are joined into one, the axis that most accesses
find contiguous goes innermost, and loops are put around the body. A reduction over the innermost
axes accumulates in registers, any other one in its result's memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from adlib.compile import addressing, dots, views
from adlib.compile.loopir import (
    Accumulator,
    Buffer,
    For,
    Kernel,
    LoopBuilder,
    Nest,
    Position,
    Store,
    Value,
    identity,
)
from adlib.compile.lowering import LOWERINGS
from adlib.compile.schedule import REDUCTIONS, Group, Schedule, normalized, operand_reads
from adlib.compile.views import Coordinates
from adlib.core.jaxpr import Atom, Eqn, Literal, Var


class Reduction:
    """A reduction of a group: ``axes`` of the space are combined into ``var``."""

    __slots__ = ("axes", "kind", "value", "var")

    def __init__(self, var: Var, kind: str, axes: tuple[int, ...], value: Value) -> None:
        self.var = var
        self.kind = kind
        self.axes = axes
        self.value = value


class Reader:
    """Reads values through their views, for a kernel in the making.

    Attributes:
      variables: what the kernel's buffers hold, in their order.
      values: what has been computed at the coordinates of the space itself.
      rank: of the iteration space that is being written.
    """

    def __init__(self, schedule: Schedule, number: int, name: str) -> None:
        self.schedule = schedule
        self.number = number
        self.name = name
        self.rank = 0
        self.builder = LoopBuilder()
        self.values: dict[Var, Value] = {}
        self.variables: list[Var] = []
        self.buffers: list[Buffer] = []
        self._numbers: dict[Var, int] = {}
        self.kernel = Kernel(name, self.buffers, [])

    def buffer(self, var: Var, written: bool = False) -> int:
        number = self._numbers.get(var)
        if number is None:
            number = self._numbers[var] = len(self.buffers)
            self.variables.append(var)
            size = math.prod(var.aval.shape)
            self.buffers.append(Buffer(f"b{number}", var.aval.dtype, size, written))
        return number

    def read(self, atom: Atom, coordinates: Coordinates | None) -> Value:
        """The element of a value at coordinates."""
        if type(atom) is Literal:
            return self.builder.constant(atom.val, atom.aval.dtype)
        assert type(atom) is Var
        found = self.values.get(atom)
        if found is not None:
            return found
        eqn = self.view_of(atom)
        if eqn is None:
            assert coordinates is not None
            position = views.linear(coordinates, atom.aval.shape, self.rank)
            return self.builder.load(self.buffer(atom), position, atom.aval.dtype)
        assert coordinates is not None
        if not eqn.invars:
            return self.count(eqn, coordinates)
        if eqn.primitive.name == "dot_general":
            places = dots.reads(eqn, coordinates)
            factors = [self.read(a, c) for a, c in zip(eqn.invars, places, strict=True)]
            return combine(self.builder, "prod", *factors)
        inner = views.operand_coordinates(eqn, coordinates, self.rank)
        if inner is None:
            position = views.linear(coordinates, atom.aval.shape, self.rank)
            return self.read_flat(eqn.invars[0], position)
        return self.read(eqn.invars[0], inner)

    def view_of(self, var: Var) -> Eqn | None:
        """The view that a variable is here; None where it is memory."""
        if var in self.schedule.written and self.number in self.schedule.uses.get(var, ()):
            return None
        return self.schedule.virtual.get(var)

    def read_flat(self, atom: Atom, position: Position) -> Value:
        """The element at a position in row-major order of what lies contiguous in memory."""
        assert type(atom) is Var
        while (eqn := self.view_of(atom)) is not None:
            atom = eqn.invars[0]
            assert type(atom) is Var
        return self.builder.load(self.buffer(atom), position, atom.aval.dtype)

    def count(self, eqn: Any, coordinates: Coordinates) -> Value:
        index = self.builder.index(coordinates[eqn.params["dimension"]])
        return self.builder.convert(index, eqn.params["dtype"])

    def load_at(self, var: Var, position: Position, offset: Value | None) -> Value:
        """An element of a variable in memory."""
        return self.builder.load(self.buffer(var), position, var.aval.dtype, offset)


class GroupWriter(Reader):
    """Writes one group as a kernel."""

    def __init__(self, schedule: Schedule, number: int, name: str) -> None:
        super().__init__(schedule, number, name)
        group = schedule.steps[number]
        assert type(group) is Group
        self.group = group
        self.rank = len(group.space)
        self.reductions: list[Reduction] = []
        self._write()

    def _write(self) -> None:
        space = self.group.space
        same = normalized(views.identity_coordinates(self.rank), space)
        for eqn in self.group.eqns:
            var = eqn.outvars[0]
            name = eqn.primitive.name
            if name == "iota":
                self.values[var] = self.count(eqn, same)
                continue
            if views.is_view(eqn):
                inner = views.operand_coordinates(eqn, same, self.rank)
                if inner is None:
                    flat = views.linear(same, space, self.rank)
                    self.values[var] = self.read_flat(eqn.invars[0], flat)
                else:
                    self.values[var] = self.read(eqn.invars[0], inner)
                continue
            if name in addressing.ADDRESSED:
                memory = eqn.invars[0]
                assert type(memory) is Var
                load = partial(self.load_at, memory)
                self.values[var] = addressing.value(eqn, self.builder, same, self.read, load)
                continue
            operands = [self.read(atom, c) for atom, c in operand_reads(eqn, space)]
            if name == "dot_general":
                product = combine(self.builder, "prod", *operands)
                axes = dots.reduced_axes(eqn)
                if axes:
                    self.reductions.append(Reduction(var, "sum", axes, product))
                else:  # an outer product that is needed in memory
                    self.values[var] = product
            elif name in REDUCTIONS:
                axes = tuple(eqn.params["axes"])
                self.reductions.append(Reduction(var, REDUCTIONS[name], axes, operands[0]))
            else:
                self.values[var] = LOWERINGS[name](self.builder, eqn, *operands)
        body = self.builder.items
        flat = views.linear(same, space, self.rank)
        for var in stored(self.schedule, self.group):
            if var in self.values:
                body.append(Store(self.buffer(var, written=True), flat, self.values[var]))
        self._loops(body)

    def _loops(self, body: list[Any]) -> None:
        runs = _joined(self.group.space, _positions(body), [r.axes for r in self.reductions])
        extents = [math.prod([self.group.space[a] for a in run]) for run in runs]
        _rewrite(body, runs)
        reduced = [frozenset(_runs_of(r.axes, runs)) for r in self.reductions]
        order, in_memory = _order(len(runs), _positions(body), reduced)
        _permute(body, order)
        extents = [extents[a] for a in order]
        new_place = {old: new for new, old in enumerate(order)}
        reduced = [frozenset(new_place[a] for a in axes) for axes in reduced]
        in_registers: list[tuple[int, int, Reduction]] = []  # first reduced loop, buffer, reduction
        for reduction, axes, memory in zip(self.reductions, reduced, in_memory, strict=True):
            number = self.buffer(reduction.var, written=True)
            if memory:
                self._accumulate_in_memory(body, number, reduction, axes, extents, order, runs)
            else:
                in_registers.append((len(extents) - len(axes), number, reduction))
        position = self._result_positions(order, runs)
        if not self.reductions:
            extents = _tiled(body, extents)
        items = self._nested(body, len(extents), in_registers, position)
        why = f"{len(self.group.eqns)} equations over {self.group.space}"
        self.kernel.nests.append(Nest(tuple(extents), items, why))

    def _nested(
        self, body: list[Any], rank: int, reductions: list[Any], position: Any
    ) -> list[Any]:
        """Loops around the body, with the results of reductions stored after their loops."""
        totals = {id(r): r.value for _, _, r in reductions}
        items = list(body)
        for first, number, r in reductions:
            if first == rank:
                items.append(Store(number, position(r), r.value))
        for level in reversed(range(rank)):
            carried = [(number, r) for first, number, r in reductions if first <= level]
            accumulators = [Accumulator(r.kind, totals[id(r)]) for _, r in carried]
            items = [For(level, items, accumulators)]
            for (_, r), acc in zip(carried, accumulators, strict=True):
                totals[id(r)] = acc.result
            for first, number, r in reductions:
                if first == level:
                    items.append(Store(number, position(r), totals[id(r)]))
        return items

    def _result_positions(self, order: Sequence[int], runs: Sequence[Sequence[int]]) -> Any:
        """Where in its memory the element of a reduction's result lies, in the loops' axes."""

        def position(r: Reduction) -> Position:
            space, rank = self.group.space, self.rank
            same = normalized(views.identity_coordinates(rank), space)
            kept = tuple([c for a, c in enumerate(same) if a not in r.axes])
            flat = views.linear(kept, [n for a, n in enumerate(space) if a not in r.axes], rank)
            moved = _moved(flat, runs)
            return (*[moved[a] for a in order], moved[-1])

        return position

    def _accumulate_in_memory(
        self,
        body: list[Any],
        number: int,
        r: Reduction,
        axes: frozenset[int],
        extents: Sequence[int],
        order: Sequence[int],
        runs: Sequence[Sequence[int]],
    ) -> None:
        """Add to the result's element in each round; a loop before the nest clears it."""
        dtype = r.value.dtype
        size = self.buffers[number].size
        start = LoopBuilder()
        cleared = start.constant(identity(r.kind, dtype), dtype)
        fill = For(0, [*start.items, Store(number, (1, 0), cleared)], [])
        self.kernel.nests.append(Nest((size,), [fill], "clears a result"))
        position = self._result_positions(order, runs)(r)
        builder = LoopBuilder()
        total = builder.load(number, position, dtype)
        combined = combine(builder, r.kind, total, r.value)
        body += [*builder.items, Store(number, position, combined)]


def loop_nest(space: tuple[int, ...], body: list[Any], why: str, ordered: bool = False) -> Nest:
    """Loops over a space around a body without reductions; ``ordered``: in the order of the axes,
    since rounds depend on each other."""
    runs = _joined(space, _positions(body), [])
    extents = [math.prod([space[a] for a in run]) for run in runs]
    _rewrite(body, runs)
    if not ordered:
        order, _ = _order(len(runs), _positions(body), [])
        _permute(body, order)
        extents = _tiled(body, [extents[a] for a in order])
    items = body
    for axis in reversed(range(len(extents))):
        items = [For(axis, items, [])]
    return Nest(tuple(extents), items, why)


def combine(builder: LoopBuilder, kind: str, x: Value, y: Value) -> Value:
    """Two contributions to a reduction as one."""
    if x.dtype.kind == "b":
        logical = {"sum": "or", "max": "or", "prod": "and", "min": "and"}
        return builder.binary(logical.get(kind, kind), x, y)
    return builder.binary({"sum": "add", "prod": "mul"}.get(kind, kind), x, y)


def stored(schedule: Schedule, group: Group) -> list[Var]:
    """The variables of a group that others read."""
    return [
        eqn.outvars[0]
        for eqn in group.eqns
        if eqn.outvars[0] in schedule.outside or schedule.uses.get(eqn.outvars[0])
    ]


# ------------------------------------------------------------------ axes of loops


def _positions(body: Sequence[Any]) -> list[tuple[Position, bool]]:
    """Every position in a body, and whether it is one of memory."""
    found = []
    for item in body:
        if type(item) is Store:
            found.append((item.position, True))
        elif item.op == "load":
            found.append((item.attr[1], True))
        elif item.op == "index":
            found.append((item.attr, False))
    return found


def _joined(
    space: tuple[int, ...],
    positions: Sequence[tuple[Position, bool]],
    reduced: Sequence[tuple[int, ...]],
) -> list[list[int]]:
    """Runs of axes that can be one loop; axes of size 1 are in none."""
    distinct = {position[:-1] for position, _ in positions}
    sets = [frozenset(axes) for axes in reduced]
    runs: list[list[int]] = []
    for axis, size in enumerate(space):
        if size == 1:
            continue
        if runs:
            before = runs[-1][-1]
            together = all(p[before] == p[axis] * size for p in distinct)
            if together and all((before in s) == (axis in s) for s in sets):
                runs[-1].append(axis)
                continue
        runs.append([axis])
    return runs


def _moved(position: Position, runs: Sequence[Sequence[int]]) -> Position:
    """A position in terms of runs of axes: a run moves as its last axis does."""
    return (*[position[run[-1]] for run in runs], position[-1])


def _runs_of(axes: Sequence[int], runs: Sequence[Sequence[int]]) -> list[int]:
    return [number for number, run in enumerate(runs) if run[0] in axes]


def _rewrite(body: Sequence[Any], runs: Sequence[Sequence[int]]) -> None:
    _map_positions(body, lambda p: _moved(p, runs))


def _permute(body: Sequence[Any], order: Sequence[int]) -> None:
    if list(order) != sorted(order):
        _map_positions(body, lambda p: (*[p[a] for a in order], p[-1]))


def _map_positions(body: Sequence[Any], change: Any) -> None:
    for item in body:
        if type(item) is Store:
            item.position = change(item.position)
        elif item.op == "load":
            item.attr = (item.attr[0], change(item.attr[1]))
        elif item.op == "index":
            item.attr = change(item.attr)


def _order(
    rank: int, positions: Sequence[tuple[Position, bool]], reduced: Sequence[frozenset[int]]
) -> tuple[list[int], list[bool]]:
    """Which loop stands outside of which, and which reductions accumulate in memory."""
    axes = list(range(rank))
    if rank > 1:
        strided = [
            sum(1 for p, memory in positions if memory and p[axis] not in (0, 1)) for axis in axes
        ]
        innermost = min(reversed(axes), key=strided.__getitem__)
    else:
        innermost = 0
    if rank and len(set(reduced)) == 1:
        kept = [a for a in axes if a not in reduced[0] and a != innermost]
        order = [*kept, *[a for a in axes if a in reduced[0] and a != innermost], innermost]
    else:
        order = [*[a for a in axes if a != innermost], innermost] if rank else []
    in_memory = [set(order[rank - len(s) :]) != s for s in reduced]
    return order, in_memory


# Sizes of tiles in which transposed memory is read: a cache line of elements is used at once.
_TILES = (32, 28, 24, 20, 16, 12, 10, 8)


def _tiled(body: Sequence[Any], extents: list[int]) -> list[int]:
    """Cut two axes into tiles where one access runs along the one axis and another along the
    other, as in a transpose; the new extents."""
    rank = len(extents)
    if rank < 2 or extents[-1] * extents[-2] < 4096:
        return extents
    against = [
        axis
        for position, memory in _positions(body)
        for axis in range(rank - 1)
        if memory and abs(position[axis]) == 1 and abs(position[rank - 1]) > 16
    ]
    if not against:
        return extents
    axis = against[0]
    sizes = [next((t for t in _TILES if extents[a] % t == 0), 0) for a in (axis, rank - 1)]
    if not all(sizes):
        return extents
    first, second = sizes
    others = [a for a in range(rank - 1) if a != axis]

    def cut(p: Position) -> Position:
        kept = [p[a] for a in others]
        return (*kept, p[axis] * first, p[rank - 1] * second, p[axis], p[rank - 1], p[-1])

    _map_positions(body, cut)
    kept = [extents[a] for a in others]
    return [*kept, extents[axis] // first, extents[rank - 1] // second, first, second]
