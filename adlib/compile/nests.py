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

from adlib.compile import addressing, dots, failures, jamming, lowering, staging, views
from adlib.compile import axes as axes_
from adlib.compile.elements import Elements, Pair, in_buffers
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
from adlib.compile.reads import REDUCTIONS, normalized, operand_reads
from adlib.compile.steps import Group, Scheduled
from adlib.compile.views import Coordinates
from adlib.core.jaxpr import Atom, Eqn, Literal, Var


class Reduction:
    """A reduction of a group: ``axes`` of the space are combined into ``var``.

    Attributes:
      value: the contribution of a round.
      position: of the result's element in its memory, over the axes that the body has now.
      number: of the result's buffer; ``part`` of its elements, where they are complex.
    """

    __slots__ = ("axes", "kind", "number", "part", "position", "value", "var")

    def __init__(
        self,
        var: Var,
        kind: str,
        axes: tuple[int, ...],
        value: Value,
        position: Position,
        number: int,
        part: int = 0,
    ) -> None:
        self.part = part
        self.var = var
        self.kind = kind
        self.axes = axes
        self.value = value
        self.position = position
        self.number = number


class Reader:
    """Reads values through their views, for a kernel in the making.

    Attributes:
      variables: what the kernel's buffers hold, in their order.
      values: what has been computed at the coordinates of the space itself.
      rank: of the iteration space that is being written.
    """

    def __init__(self, schedule: Scheduled, number: int, name: str) -> None:
        self.schedule = schedule
        self.number = number
        self.name = name
        self.rank = 0
        self.builder = Elements()
        self.values: dict[Var, Any] = {}
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
            self.buffers.append(Buffer(f"b{number}", in_buffers(var.aval.dtype), size, written))
        return number

    def read(self, atom: Atom, coordinates: Coordinates | None) -> Any:
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

    def read_flat(self, atom: Atom, position: Position) -> Any:
        """The element at a position in row-major order of what lies contiguous in memory."""
        assert type(atom) is Var
        while (eqn := self.view_of(atom)) is not None:
            atom = eqn.invars[0]
            assert type(atom) is Var
        if atom in self.values:  # whoever reads a value of the group itself does so in place
            return self.values[atom]
        return self.builder.load(self.buffer(atom), position, atom.aval.dtype)

    def count(self, eqn: Any, coordinates: Coordinates) -> Any:
        index = self.builder.index(coordinates[eqn.params["dimension"]])
        return self.builder.convert(index, eqn.params["dtype"])

    def load_at(self, var: Var, position: Position, offset: Value | None) -> Any:
        """An element of a variable in memory."""
        return self.builder.load(self.buffer(var), position, var.aval.dtype, offset)


class GroupWriter(Reader):
    """Writes one group as a kernel."""

    group: Group
    elements: type[Elements] = Elements  # what writes the bodies of loops

    def __init__(self, schedule: Scheduled, number: int, name: str) -> None:
        super().__init__(schedule, number, name)
        self.reductions: list[Reduction] = []
        self.write()

    def write(self) -> None:
        group = self.schedule.steps[self.number]
        assert type(group) is Group
        body = self.body(group)
        loops = self.loops(body, group.space)
        self.clear_before(loops.in_memory)
        why = f"{len(group.eqns)} equations over {group.space}"
        self.kernel.nests.append(Nest(tuple(loops.extents), loops.items, why))

    def view_of(self, var: Var) -> Eqn | None:
        if var in self.schedule.written and var in self.group.reads:
            return None
        return self.schedule.virtual.get(var)

    def body(self, group: Group) -> list[Any]:
        """The values and stores of one round, over the axes of the group's space; reductions
        are noted."""
        self.group, self.rank = group, len(group.space)
        self.builder, self.values, self.reductions = self.elements(), {}, []
        space = group.space
        same = normalized(views.identity_coordinates(self.rank), space)
        try:
            for eqn in group.eqns:
                self._equation(eqn, same)
        except Exception as error:
            failures.at(error, eqn)
            raise
        body = self.builder.items
        flat = views.linear(same, space, self.rank)
        for var in stored(self.schedule, group):
            if var in self.values:
                self.builder.store(self.buffer(var, written=True), flat, self.values[var])
        for var, (source, order) in group.turned.items():
            place = views.linear(tuple([same[a] for a in order]), var.aval.shape, self.rank)
            self.builder.store(self.buffer(var, written=True), place, self.values[source])
        return body

    def _equation(self, eqn: Eqn, same: Coordinates) -> None:
        space, var, name = self.group.space, eqn.outvars[0], eqn.primitive.name
        if name == "iota":
            self.values[var] = self.count(eqn, same)
            return
        if views.is_view(eqn):
            inner = views.operand_coordinates(eqn, same, self.rank)
            if inner is None:
                flat = views.linear(same, space, self.rank)
                self.values[var] = self.read_flat(eqn.invars[0], flat)
            else:
                self.values[var] = self.read(eqn.invars[0], inner)
            return
        if name in addressing.ADDRESSED:
            memory = eqn.invars[0]
            assert type(memory) is Var
            load = partial(self.load_at, memory)
            self.values[var] = addressing.value(eqn, self.builder, same, self.read, load)
            return
        operands = [self.read(atom, c) for atom, c in operand_reads(eqn, space)]
        if name == "dot_general":
            dtype = var.aval.dtype
            factors = [self.builder.convert(x, dtype) for x in operands]
            product = combine(self.builder, "prod", *factors)
            axes = dots.reduced_axes(eqn)
            if axes:
                self._reduction(var, "sum", axes, product, same)
            else:  # an outer product that is needed in memory
                self.values[var] = product
        elif name in REDUCTIONS:
            axes = tuple(eqn.params["axes"])
            self._reduction(var, REDUCTIONS[name], axes, operands[0], same)
        else:
            self.values[var] = lowering.element(self.builder, eqn, *operands)

    def _reduction(
        self, var: Var, kind: str, axes: tuple[int, ...], value: Any, same: Coordinates
    ) -> None:
        kept = [a for a in range(self.rank) if a not in axes]
        sizes = [self.group.space[a] for a in kept]
        position = views.linear(tuple([same[a] for a in kept]), sizes, self.rank)
        number = self.buffer(var, written=True)
        parts = (value.re, value.im) if type(value) is Pair else (value,)
        for part, real in enumerate(parts):
            self.reductions.append(Reduction(var, kind, axes, real, position, number, part))

    def loops(self, body: list[Any], space: Sequence[int], pinned: int = 0) -> Loops:
        """Loops over a space around a body, but for its first ``pinned`` axes.

        The positions of body and reductions are over ``space`` before, over the extents of the
        loops afterwards.
        """
        found = axes_.positions(body)
        runs = axes_.joined(space, found, [r.axes for r in self.reductions], pinned)
        extents = [math.prod([space[a] for a in run]) for run in runs]
        self._map(body, lambda p, _: axes_.moved(p, runs))
        reduced = [axes_.runs_of(r.axes, runs) for r in self.reductions]
        order, in_memory = axes_.ordered(len(runs), axes_.positions(body), reduced, pinned)
        self._map(body, lambda p, _: axes_.permuted(p, order))
        extents = [extents[a] for a in order]
        rank = len(extents)
        for r, memory in zip(self.reductions, in_memory, strict=True):
            if memory:
                _accumulate_in_memory(body, r)
        carried = [
            Carried(r, rank - len(axes))
            for r, axes, memory in zip(self.reductions, reduced, in_memory, strict=True)
            if not memory
        ]
        if not self.reductions and not pinned:
            extents = axes_.tiled(body, extents)
            if len(extents) > rank:  # the last two are those of a tile
                return Loops(self._in_tiles(body, extents), extents, [], [])
        body, carried = _side_by_side(body, carried, extents, pinned)
        items = nested(body, range(pinned, len(extents)), carried)
        cleared = [r for r, memory in zip(self.reductions, in_memory, strict=True) if memory]
        return Loops(items, extents, [c for c in carried if c.first < pinned], cleared)

    def _in_tiles(self, body: list[Any], extents: list[int]) -> list[Any]:
        """The loops around a body that has been cut into tiles."""
        rank = len(extents)
        filling = staging.staged(body, extents, self.buffers)
        tile = nested(body, range(rank - 2, rank), [])
        return nested([*filling, *tile], range(rank - 2), [])

    def _map(self, body: list[Any], change: Any) -> None:
        axes_.map_positions(body, change)
        for r in self.reductions:
            r.position = change(r.position, r.number)

    def clear_before(self, reductions: Sequence[Reduction]) -> None:
        """Nests that clear results which are accumulated in memory."""
        for r in reductions:
            fill = clearing(r, 0, (1, 0))
            self.kernel.nests.append(
                Nest((self.buffers[r.number].size,), [fill], "clears a result")
            )


class Carried:
    """A reduction in registers on its way out of the loops.

    Attributes:
      first: the outermost loop that it runs over.
      total: its value within the loops that are written so far.
    """

    __slots__ = ("first", "reduction", "total")

    def __init__(self, reduction: Reduction, first: int) -> None:
        self.reduction = reduction
        self.first = first
        self.total = reduction.value


class Loops:
    """What ``GroupWriter.loops`` makes: ``carried`` reductions go on through pinned axes."""

    __slots__ = ("carried", "extents", "in_memory", "items")

    def __init__(
        self,
        items: list[Any],
        extents: list[int],
        carried: list[Carried],
        in_memory: list[Reduction],
    ) -> None:
        self.items = items
        self.extents = extents
        self.carried = carried
        self.in_memory = in_memory


def _side_by_side(
    body: list[Any], carried: list[Carried], extents: list[int], pinned: int
) -> tuple[list[Any], list[Carried]]:
    """Reductions of the innermost loop for several rows at once, where that is faster."""
    axis = len(extents) - 2
    if axis < pinned or not carried or any(c.first != axis + 1 for c in carried):
        return body, carried
    if not jamming.fits(body, extents, axis):
        return body, carried
    extents[axis] //= jamming.ROWS
    body, copies = jamming.jammed(body, axis)
    rows = []
    for row, names in enumerate(copies):
        for c in carried:
            r = c.reduction
            place = jamming.moved(r.position, axis, row)
            value = names[id(r.value)]
            one = Reduction(r.var, r.kind, r.axes, value, place, r.number, r.part)
            rows.append(Carried(one, c.first))
    return body, rows


def nested(body: Sequence[Any], levels: range, carried: Sequence[Carried]) -> list[Any]:
    """Loops around a body, with the results of reductions stored after their loops."""
    items = [*body, *[_result(c) for c in carried if c.first == levels.stop]]
    for level in reversed(levels):
        through = [c for c in carried if c.first <= level]
        accumulators = [Accumulator(c.reduction.kind, c.total) for c in through]
        items = [For(level, items, accumulators)]
        for c, acc in zip(through, accumulators, strict=True):
            c.total = acc.result
        items += [_result(c) for c in through if c.first == level]
    return items


def _result(c: Carried) -> Store:
    return Store(c.reduction.number, c.reduction.position, c.total, part=c.reduction.part)


def clearing(r: Reduction, axis: int, position: Position) -> For:
    """A loop that sets a result to what its accumulation starts from."""
    builder = LoopBuilder()
    cleared = builder.constant(identity(r.kind, r.value.dtype), r.value.dtype)
    return For(axis, [*builder.items, Store(r.number, position, cleared, part=r.part)], [])


def _accumulate_in_memory(body: list[Any], r: Reduction) -> None:
    """Add to the result's element in each round."""
    builder = LoopBuilder()
    total = builder.load(r.number, r.position, r.value.dtype, part=r.part)
    combined = combine(builder, r.kind, total, r.value)
    body += [*builder.items, Store(r.number, r.position, combined, part=r.part)]


def loop_nest(space: tuple[int, ...], body: list[Any], why: str, ordered: bool = False) -> Nest:
    """Loops over a space around a body without reductions; ``ordered``: in the order of the axes,
    since rounds depend on each other."""
    runs = axes_.joined(space, axes_.positions(body), [])
    extents = [math.prod([space[a] for a in run]) for run in runs]
    axes_.map_positions(body, lambda p, _: axes_.moved(p, runs))
    if not ordered:
        order, _ = axes_.ordered(len(runs), axes_.positions(body), [])
        axes_.map_positions(body, lambda p, _: axes_.permuted(p, order))
        extents = axes_.tiled(body, [extents[a] for a in order])
    return Nest(tuple(extents), nested(body, range(len(extents)), []), why)


def combine(builder: LoopBuilder, kind: str, x: Any, y: Any) -> Any:
    """Two contributions to a reduction as one."""
    if x.dtype.kind == "b":
        logical = {"sum": "or", "max": "or", "prod": "and", "min": "and"}
        return builder.binary(logical.get(kind, kind), x, y)
    return builder.binary({"sum": "add", "prod": "mul"}.get(kind, kind), x, y)


def stored(schedule: Scheduled, group: Group) -> list[Var]:
    """The variables of a group that others read."""
    return [
        eqn.outvars[0]
        for eqn in group.eqns
        if eqn.outvars[0] in schedule.outside or schedule.uses.get(eqn.outvars[0])
    ] + list(group.turned)
