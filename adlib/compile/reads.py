"""Where the operands of an equation in a group are read, in terms of the group's axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from adlib.compile import addressing, dots, views
from adlib.compile.loopir import Position
from adlib.compile.views import Coordinates
from adlib.core.jaxpr import Atom, Eqn, Var

# Rounds below which a loop is too short to be vectorized, and the instructions of an equation
# from which on that matters.
SHORT = 32
HEAVY = 8

# Elements from which on the direction in which memory is read matters.
_LARGE = 4096

REDUCTIONS = {
    "reduce_sum": "sum",
    "reduce_prod": "prod",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
    "reduce_xor": "xor",
}


def operand_reads(eqn: Eqn, space: tuple[int, ...]) -> Iterator[tuple[Atom, Coordinates | None]]:
    """Each operand of an equation in a group over ``space``, and where it is read."""
    rank = len(space)
    same = normalized(views.identity_coordinates(rank), space)
    if eqn.primitive.name in addressing.ADDRESSED:
        yield from addressing.reads(eqn, same)
        return
    if eqn.primitive.name == "dot_general":
        yield from zip(eqn.invars, dots.reads(eqn, same), strict=True)
        return
    if views.is_view(eqn):
        yield eqn.invars[0], views.operand_coordinates(eqn, same, rank)
        return
    for atom in eqn.invars:
        shape = atom.aval.shape
        if not shape:
            yield atom, ()
        elif shape == space:
            yield atom, same
        else:
            zero = views.zero(rank)
            yield atom, tuple([zero if n == 1 else c for n, c in zip(shape, same, strict=True)])


def normalized(coordinates: Coordinates, space: tuple[int, ...]) -> Coordinates:
    """Axes of size 1 do not move."""
    zero = views.zero(len(space))
    return tuple([zero if n == 1 else c for n, c in zip(space, coordinates, strict=True)])


def short_rows(space: tuple[int, ...]) -> bool:
    """Whether the last axis of a space is too short for a loop of its own to be vectorized."""
    return len(space) > 1 and 1 < space[-1] < SHORT and math.prod(space) >= SHORT * SHORT


def runs_flat(space: tuple[int, ...], positions: Sequence[Position | None]) -> bool:
    """Whether all reads run through the last two axes of a space as through one."""
    return len(space) < 2 or all(p is not None and p[-3] == p[-2] * space[-1] for p in positions)


def runs_across(space: tuple[int, ...], reads: Sequence[tuple[Var, Position | None]]) -> bool:
    """Whether all that is read of large arrays lies along another axis than the last one."""
    size = math.prod(space)
    last = max([a for a, n in enumerate(space) if n != 1], default=-1)
    found = [p for v, p in reads if p is not None and 2 * v.aval.size >= size > _LARGE]
    return bool(found) and all(
        abs(p[last]) > 1 and any(abs(p[a]) == 1 for a in range(last)) for p in found
    )
