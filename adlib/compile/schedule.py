"""A jaxpr becomes steps: groups of equations that share one loop nest, and calls.

Equations over the same iteration space join one group where no operand forbids it, also when
they do not feed each other: a forward value, what the reverse sweep makes of it, and the sum of
either are one pass over memory. Views (broadcasts, transposes, slices, …) take no step: whoever
reads a view reads its operand, at other coordinates. What is not elementwise arithmetic, a view
or a reduction is a call of the primitive's kernel. ``Schedule.reasons`` says in words what was
decided for each equation, and why.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import numpy as np

from adlib.compile import (
    addressing,
    decompositions,
    dots,
    failures,
    library,
    lowering,
    random_keys,
    regions,
    sinking,
    turning,
    views,
)
from adlib.compile.loopir import Position
from adlib.compile.reads import (
    HEAVY,
    REDUCTIONS,
    normalized,
    operand_reads,
    runs_across,
    runs_flat,
    short_rows,
)
from adlib.compile.steps import Call, Control, Dot, Group, Library, Pieces, Step
from adlib.compile.views import Coordinates
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Literal, Var, dead_code_eliminated
from adlib.core.primitive import Primitive, registry

# Instructions in one group: LLVM's work grows faster than linearly with the length of a body.
MOST_WORK = 400

# Bytes of a constant array that may become part of the machine code.
_MOST_CONSTANT = 1 << 14

# Bytes of a view that becomes an array of its own, where it is a result.
_SMALL_RESULT = 1 << 15

_END = 1 << 60  # the step after the last one, as a reader of results

# Primitives that put their result together (see pieces.py).
PIECES = frozenset(
    "concatenate stack pad dynamic_update_slice scatter scatter-add scatter-sub scatter-mul "
    "scatter-min scatter-max scatter_add scatter_mul scatter_min scatter_max "
    "cumsum cumprod cummax cummin cumlogsumexp reduce_prod reduce_max reduce_min".split()
)


class Schedule:
    """The steps of a program.

    Attributes:
      steps: Groups and Calls in order of execution.
      where: number of the step that makes a variable; -1 for inputs and constants.
      virtual: the equations of views, which are read through.
      outside: variables that are needed as arrays: by calls, by other views of arrays, or as
        results of the program.
      uses: for each variable made by a group, the numbers of the other steps that read it.
      reasons: (equation, text) in order of the decisions.
      results: of a program within a program, the variables that hold its results.
    """

    def __init__(self, closed: ClosedJaxpr, inner: bool = False) -> None:
        self.closed = closed = closed if inner else random_keys.as_integers(closed)
        self.jaxpr = dead_code_eliminated(closed.jaxpr)
        self.steps: list[Step] = []
        self.where: dict[Var, int] = {v: -1 for v in (*self.jaxpr.constvars, *self.jaxpr.invars)}
        self.virtual: dict[Var, Eqn] = {}
        self.written: set[Var] = set()  # views that a group writes to memory all the same
        self.outside: set[Var] = set()
        self.uses: dict[Var, set[int]] = {}
        self.reasons: list[tuple[Eqn, str]] = []
        self.current: Eqn | None = None
        self._groups: dict[tuple[int, ...], list[int]] = {}
        self._barriers: dict[Var, int] = {}  # their results, and the first steps to read these
        self._readers = dots.Readers(self.jaxpr)
        self._lower: set[Var] = set()  # lower triangular matrices
        self._done: set[int] = set()  # equations that are part of steps scheduled before them
        try:
            for eqn in self.jaxpr.eqns:
                self.current = eqn
                self._add(eqn)
        except Exception as error:
            failures.at(error, eqn)
            raise
        self.results: list[Var] = []
        for atom in self.jaxpr.outvars:
            if inner:
                self.results.append(self._result(atom))
            else:
                self._give(atom)
        fences = sorted(set(self._barriers.values()))
        self.reasons += sinking.sink(self, fences)
        if not inner:
            self.reasons += turning.turn(self)
        self.reasons += regions.form(self, fences)

    @property
    def native(self) -> bool:
        """Whether there is no call among the steps."""
        return not any(type(step) is Call for step in self.steps)

    def constant(self, var: Var) -> Any:
        """The value of a constant of the program."""
        return np.asarray(self.closed.consts[self.jaxpr.constvars.index(var)]._value)

    # ----------------------------------------------------------------- equations

    def _add(self, eqn: Eqn) -> None:
        if id(eqn) in self._done:
            return
        simpler = decompositions.simpler(eqn, lowering.NATIVE)
        if simpler is not None:
            self._replaced(eqn, *simpler)
        elif eqn.primitive.name == "optimization_barrier":
            self._barrier(eqn)
        elif views.is_view(eqn) or eqn.primitive.name == "iota":
            if eqn.outvars[0].aval.dtype in lowering.NATIVE:
                self._view(eqn)
            else:
                self._call(eqn, _why_call(eqn))
        elif lowering.native(eqn):
            self._place(eqn, eqn.outvars[0].aval.shape)
        elif is_reduction(eqn):
            self._place(eqn, eqn.invars[0].aval.shape)
        elif dots.native(eqn, lowering.NATIVE):
            if dots.is_outer(eqn):
                self.virtual[eqn.outvars[0]] = eqn
                self.reasons.append((eqn, "fused: an outer product, computed where it is read"))
            elif dots.as_loops(eqn):
                self._place(eqn, dots.space(eqn))
            else:
                self._dot(eqn)
        elif eqn.primitive.name in PIECES and self._all_native(eqn):
            self._pieces(eqn)
        elif eqn.primitive.name in addressing.ADDRESSED and addressing.native(eqn, lowering.NATIVE):
            self._addressed(eqn)
        elif eqn.primitive.name in ("scan", "while", "cond"):
            self._control(eqn)
        elif _in_libraries(eqn):
            self._library(eqn)
        elif (simpler := decompositions.of_known_types(eqn, _known)) is not None:
            self._replaced(eqn, *simpler)
        else:
            self._call(eqn, _why_call(eqn))

    def _replaced(self, eqn: Eqn, eqns: list[Eqn], outs: list[Var]) -> None:
        """Equations in the place of one, whose results they compute."""
        self.reasons.append((eqn, f"replaced by {len(eqns)} simpler equations"))
        for new in eqns:
            self._add(new)

    def _barrier(self, eqn: Eqn) -> None:
        """Its results are its operands, for those that come after all of these are there."""
        if any(v.aval.dtype not in lowering.NATIVE for v in eqn.invars):
            self._call(eqn, "a barrier")
            return
        first = 0
        for atom in eqn.invars:
            rank = len(atom.aval.shape)
            for leaf, _ in self.leaves(atom, views.identity_coordinates(rank), rank):
                first = max(first, self.where[leaf] + 1)
        for atom, out in zip(eqn.invars, eqn.outvars, strict=True):
            self.virtual[out] = Eqn(registry["copy"], [atom], [out], {})
            self._barriers[out] = first
        self.reasons.append((eqn, f"a barrier: what reads it follows on step {first - 1}"))

    def _behind(self, atom: Atom) -> int:
        """The first step that may read a value, as far as barriers say."""
        first = 0
        while type(atom) is Var and self.seen_through(atom) and self.virtual[atom].invars:
            first = max(first, self._barriers.get(atom, 0))
            eqn = self.virtual[atom]
            if eqn.primitive.name == "dot_general":
                return max(first, *[self._behind(v) for v in eqn.invars])
            atom = eqn.invars[0]
        return first

    def _call(self, eqn: Eqn, why: str) -> None:
        for atom in eqn.invars:
            self.need_array(atom)
        for v in eqn.outvars:
            self.where[v] = len(self.steps)
        self.steps.append(Call(eqn))
        self.reasons.append((eqn, f"not fused: {why}"))

    def _dot(self, eqn: Eqn) -> None:
        dims = dots.Dims(eqn)
        operands = []
        for atom, axes in zip(eqn.invars, (dims.lhs, dims.rhs), strict=True):
            operands.append(self._matrix(atom, axes))
        scale, onto, followers = dots.continued(eqn, self._readers, self._there)
        if followers:
            eqn = eqn.replace(outvars=followers[-1].outvars)
            self._done.update(map(id, followers))
        read = [v for v, _ in operands] + ([] if onto is None else [onto])
        lower = frozenset([v for v, _ in operands if v in self._lower])
        number = self._native_step(Dot(eqn, operands, scale, onto, lower), eqn, read)
        self.reasons.append((eqn, f"step {number}: a matrix product by BLAS"))
        self.reasons += [(e, f"fused: part of the product of step {number}") for e in followers]

    def _there(self, atom: Atom) -> bool:
        """Whether an array lies in memory already, not made by loops that could go on with it."""
        if type(atom) is not Var or atom in self.virtual or atom not in self.where:
            return False
        step = self.where[atom]
        return step < 0 or type(self.steps[step]) is not Group

    def _matrix(self, atom: Atom, axes: Any) -> tuple[Var, dots.Matrix]:
        """An operand of a product: as it lies, or written out in order where BLAS needs that."""
        shape = atom.aval.shape
        rank = len(shape)
        same = normalized(views.identity_coordinates(rank), shape)
        found = list(self.leaves(atom, same, rank))
        for var, coordinates in found if len(found) == 1 else ():
            position = None
            if coordinates is not None:
                position = views.linear(coordinates, var.aval.shape, rank)
            matrix = dots.matrix(position, shape, axes)
            if matrix is not None and not self._computed(atom):
                return var, matrix
        order = tuple([d for group in axes for d in group])
        if type(atom) is Var and order == tuple(range(rank)):
            var = self.in_memory(atom)
        else:
            var = self._written(registry["transpose"], atom, permutation=order)
        sizes = [[shape[d] for d in group] for group in axes]
        rows, columns = math.prod(sizes[1]), math.prod(sizes[2])
        return var, dots.Matrix(0, rows * columns, columns, False)

    def _computed(self, atom: Atom) -> bool:
        """Whether reading a value means computing: an outer product somewhere on the way."""
        while type(atom) is Var and self.seen_through(atom):
            eqn = self.virtual[atom]
            if eqn.primitive.name in ("dot_general", "iota"):
                return True
            atom = eqn.invars[0]
        return False

    def _control(self, eqn: Eqn) -> None:
        why = control_programs(eqn, lowering.NATIVE)
        if type(why) is str:
            self._call(eqn, why)
            return
        programs = [Schedule(p, inner=True) for p in why if type(p) is ClosedJaxpr]
        for program in programs:
            if not program.native:
                calls = [s.eqn.primitive.name for s in program.steps if type(s) is Call]
                self._call(
                    eqn, f"its program has steps that are not native: {', '.join(calls[:3])}"
                )
                return
        operands = [self.in_memory(atom) for atom in eqn.invars]
        number = self._native_step(Control(eqn, operands, programs), eqn, operands)
        self.reasons.append((eqn, f"step {number}: a native {eqn.primitive.name}"))

    def _library(self, eqn: Eqn) -> None:
        operands = [self.in_memory(atom) for atom in eqn.invars]
        number = self._native_step(Library(eqn, operands), eqn, operands)
        if eqn.primitive.name == "cholesky":
            self._lower.update(eqn.outvars)
        self.reasons.append((eqn, f"step {number}: native code for {eqn.primitive.name}"))

    def _all_native(self, eqn: Eqn) -> bool:
        if any(v.aval.dtype not in lowering.NATIVE for v in (*eqn.invars, *eqn.outvars)):
            return False
        return not (eqn.primitive.name.startswith("scatter") and 0 in eqn.invars[0].aval.shape)

    def _pieces(self, eqn: Eqn) -> None:
        found = []
        for atom in eqn.invars:
            rank = len(atom.aval.shape)
            found += [v for v, _ in self.leaves(atom, views.identity_coordinates(rank), rank)]
        number = self._native_step(Pieces(eqn), eqn, found)
        self.reasons.append((eqn, f"step {number}: put together part by part"))

    def _addressed(self, eqn: Eqn) -> None:
        operand = eqn.invars[0]
        params = {**eqn.params, "operand_shape": operand.aval.shape}
        invars = [self.in_memory(operand), *eqn.invars[1:]]
        self._place(eqn.replace(invars=invars, params=params), eqn.outvars[0].aval.shape)

    def _native_step(
        self, step: Dot | Control | Pieces | Library, eqn: Eqn, operands: list[Var]
    ) -> int:
        number = len(self.steps)
        self.steps.append(step)
        for v in operands:
            self.uses.setdefault(v, set()).add(number)
        for v in eqn.outvars:
            self.where[v] = number
        return number

    def in_memory(self, atom: Atom) -> Var:
        """A variable that holds a value in memory, in row-major order."""
        if type(atom) is Literal:
            return self._written(registry["copy"], atom)
        assert type(atom) is Var
        if self.contiguous(atom):
            while self.seen_through(atom):
                (operand,) = self.virtual[atom].invars
                assert type(operand) is Var
                atom = operand
            return atom
        self.materialize(atom)
        return atom

    def _written(self, primitive: Primitive, atom: Atom, **params: Any) -> Var:
        """A view of a value as a new variable that a group writes to memory."""
        (aval,) = primitive.abstract([atom.aval], params)
        var = Var(aval)
        self._place(Eqn(primitive, [atom], [var], params), aval.shape)
        return var

    def _result(self, atom: Atom) -> Var:
        """A result of an inner program, in memory of its own."""
        own = type(atom) is Var and self.where.get(atom, -1) >= 0 and atom not in self.results
        var = atom if own else self._written(registry["copy"], atom)
        assert type(var) is Var
        self.uses.setdefault(var, set()).add(_END)
        return var

    def _view(self, eqn: Eqn) -> None:
        self.virtual[eqn.outvars[0]] = eqn
        if eqn.primitive.name == "reshape" and not _affine(eqn):
            operand = eqn.invars[0]
            if not self.contiguous(operand):
                self.materialize(operand)
                self.reasons.append((eqn, "a view of its operand, which is written to memory"))
                return
        self.reasons.append((eqn, "fused: a view, read through by whoever reads it"))

    def contiguous(self, atom: Atom) -> bool:
        """Whether elements lie in memory in row-major order."""
        while type(atom) is Var and self.seen_through(atom):
            eqn = self.virtual[atom]
            name = eqn.primitive.name
            keeps = name in ("reshape", "squeeze", "stop_gradient", "copy") or (
                name == "broadcast_in_dim" and eqn.invars[0].aval.size == atom.aval.size
            )
            if not keeps:
                return False
            atom = eqn.invars[0]
        return type(atom) is Var

    def materialize(self, atom: Atom) -> None:
        """Have a view (or a literal's view) written to memory by a group."""
        if type(atom) is Var and self.seen_through(atom):
            self._place(self.virtual[atom], atom.aval.shape)
            self.written.add(atom)

    def seen_through(self, var: Var) -> bool:
        """Whether reading a variable means reading the operand of its view."""
        return var in self.virtual and var not in self.written

    # -------------------------------------------------------------------- groups

    def _place(self, eqn: Eqn, space: tuple[int, ...]) -> None:
        """Put an equation into the first group of its space that its operands allow."""
        same = views.identity_coordinates(len(space))
        same = normalized(same, space)
        earliest = max([0, *[self._behind(v) for v in eqn.invars]]) if self._barriers else 0
        reads = []
        for leaf, coordinates, position in self._operand_leaves(eqn, space):
            at = self.where[leaf]
            reads.append((leaf, position))
            if at < 0:
                continue
            step = self.steps[at]
            inside = type(step) is Group and step.space == space and leaf in step.members
            if not (inside and coordinates == same and leaf.aval.shape == space):
                at += 1
            earliest = max(earliest, at)
        heavy = lowering.weight(eqn) >= HEAVY
        reduces = bool(regions.reduced_axes(eqn))
        flat = not reduces and runs_flat(space, [p for _, p in reads])
        across = reduces and runs_across(space, reads)
        number = self._find_group(space, earliest, heavy, flat, across)
        if number < 0:
            number = len(self.steps)
            self.steps.append(Group(space))
            self._groups.setdefault(space, []).append(number)
            self.reasons.append((eqn, f"fused: starts group {number} over {space}"))
        else:
            self.reasons.append((eqn, f"fused: joins group {number} over {space}"))
        group = self.steps[number]
        assert type(group) is Group
        group.eqns.append(eqn)
        group.sources.append(reads)
        group.across = across
        group.work += lowering.weight(eqn)
        group.heavy = group.heavy or heavy
        group.flat = group.flat and flat
        group.members.add(eqn.outvars[0])
        self.where[eqn.outvars[0]] = number
        for leaf, position in reads:
            if self.where[leaf] != number:
                self.uses.setdefault(leaf, set()).add(number)
                group.reads.setdefault(leaf, set()).add(position)

    def _find_group(
        self, space: tuple[int, ...], earliest: int, heavy: bool, flat: bool, across: bool
    ) -> int:
        """The first group over a space, from step ``earliest`` on, that has room; -1 for none.

        Where the last axis is short, long formulas have groups of their own, in which it is one
        loop with the axes before it: loops of a few rounds cannot be vectorized. Reductions of
        what lies across in memory are apart, too, since other loops suit them.
        """
        numbers = self._groups.get(space, [])
        for number in numbers[bisect_left(numbers, earliest) :][:8]:
            group = self.steps[number]
            if type(group) is not Group or group.work >= MOST_WORK or group.across != across:
                continue
            if short_rows(space):
                if heavy and flat and not group.flat:
                    continue
                if not flat and group.heavy and group.flat:
                    continue
            return number
        return -1

    def _operand_leaves(
        self, eqn: Eqn, space: tuple[int, ...]
    ) -> Iterator[tuple[Var, Coordinates | None, Position | None]]:
        for atom, coordinates in operand_reads(eqn, space):
            yield from self._reached(atom, coordinates, len(space))

    def leaves(
        self, atom: Atom, coordinates: Coordinates | None, rank: int
    ) -> Iterator[tuple[Var, Coordinates | None]]:
        """The variables in memory (or in the group) that a read reaches, and where."""
        for var, place, _ in self._reached(atom, coordinates, rank):
            yield var, place

    def _reached(
        self, atom: Atom, coordinates: Coordinates | None, rank: int
    ) -> Iterator[tuple[Var, Coordinates | None, Position | None]]:
        """As ``leaves``, with the position in row-major memory, which may be affine in the axes
        where coordinates are not; None where values decide it."""
        position: Position | None = None
        while type(atom) is Var and self.seen_through(atom):
            eqn = self.virtual[atom]
            if not eqn.invars:  # iota
                return
            if eqn.primitive.name == "dot_general":
                assert coordinates is not None
                for operand, place in zip(eqn.invars, dots.reads(eqn, coordinates), strict=True):
                    yield from self._reached(operand, place, rank)
                return
            if coordinates is not None:
                inner = views.operand_coordinates(eqn, coordinates, rank)
                if inner is None:  # merged axes: what follows lies in memory in the same order
                    position = views.linear(coordinates, atom.aval.shape, rank)
                coordinates = inner
            atom = eqn.invars[0]
        if type(atom) is Var:
            if coordinates is not None:
                position = views.linear(coordinates, atom.aval.shape, rank)
            yield atom, coordinates, position

    def _give(self, atom: Atom) -> None:
        """Note a result of the program; a view that is small is copied, which takes less time
        than making it an array that shares memory."""
        if type(atom) is Var and self.seen_through(atom) and atom.aval.nbytes <= _SMALL_RESULT:
            self.materialize(atom)
        self.need_array(atom)

    def need_array(self, atom: Atom) -> None:
        """Note that a value is needed as an array; a view's operand is, then, too."""
        while type(atom) is Var and atom not in self.outside:
            if atom in self.virtual and self.virtual[atom].primitive.name == "dot_general":
                self.materialize(atom)
            self.outside.add(atom)
            if not self.seen_through(atom):
                return
            eqn = self.virtual[atom]
            if not eqn.invars:
                return
            atom = eqn.invars[0]


def is_reduction(eqn: Eqn) -> bool:
    return (
        eqn.primitive.name in REDUCTIONS
        and eqn.invars[0].aval.dtype in lowering.NATIVE
        and lowering.accumulates(eqn)
        and bool(eqn.params["axes"])
        and type(eqn.invars[0]) is not Literal
    )


def control_programs(eqn: Eqn, dtypes_: frozenset[Any]) -> list[ClosedJaxpr] | str:
    """The programs of a loop or branch; a text that says why it cannot be native."""
    if any(v.aval.dtype not in dtypes_ for v in (*eqn.invars, *eqn.outvars)):
        return "native loops do not hold values of these types"
    names = {"scan": ("jaxpr",), "while": ("cond_jaxpr", "body_jaxpr"), "cond": ("branches",)}
    programs: list[ClosedJaxpr] = []
    for name in names[eqn.primitive.name]:
        value = eqn.params[name]
        programs += value if isinstance(value, tuple) else [value]
    for program in programs:
        for const in program.consts:
            if not hasattr(const, "_value") or const.aval.dtype not in dtypes_:
                return "its program has constants that native code cannot hold"
            if const.aval.nbytes > _MOST_CONSTANT:
                return "its program has a large constant"
    return programs


def _in_libraries(eqn: Eqn) -> bool:
    return library.native(eqn, lowering.IN_LIBRARIES)


def _known(eqn: Eqn) -> bool:
    """Whether an equation, on the types that it has, needs no kernel."""
    simpler = decompositions.simpler(eqn, lowering.NATIVE)
    return simpler is not None or lowering.native(eqn) or _in_libraries(eqn)


def _affine(eqn: Eqn) -> bool:
    rank = len(eqn.outvars[0].aval.shape)
    same = views.identity_coordinates(rank)
    return views.operand_coordinates(eqn, same, rank) is not None


def _why_call(eqn: Eqn) -> str:
    dtypes_ = {v.aval.dtype for v in (*eqn.invars, *eqn.outvars)}
    foreign = [d for d in dtypes_ if d not in lowering.NATIVE]
    if foreign and (eqn.primitive.name in lowering.LOWERINGS or eqn.primitive.name in REDUCTIONS):
        return f"native code does not compute with {foreign[0].name}"
    return f"{eqn.primitive.name} runs as the array module's kernel"


def describe(schedule: Schedule) -> str:
    """The decisions, one line for each equation."""
    return "\n".join(
        f"{eqn.outvars[0].aval.str_short() if eqn.outvars else '()':>16} = "
        f"{eqn.primitive.name:<20} {text}"
        for eqn, text in schedule.reasons
    )
