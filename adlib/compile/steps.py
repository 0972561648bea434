"""What a program is made of once it is scheduled: loop nests, library calls, control flow."""

from __future__ import annotations

from typing import Any, Protocol

from adlib.compile import dots
from adlib.compile.loopir import Position
from adlib.core.jaxpr import Eqn, Var


class Group:
    """Equations that are computed in one pass over an iteration space.

    Attributes:
      space: sizes of the axes that the pass runs over.
      members: the variables that it makes.
      sources: for each equation, the variables that it reads, and where: see ``reads``.
      reads: variables of memory that it reads, each with the positions of the elements in terms
        of the space's axes; None for a position that values decide.
      turned: results that it writes transposed: the variable of which each is a transpose, and
        the permutation.
      work: about how many instructions the body has.
      heavy: whether it has long formulas; ``flat``: whether it reads all its operands along the
        last two axes as along one; ``across``: whether it consists of reductions of what lies
        across in memory.
    """

    __slots__ = (
        "across",
        "eqns",
        "flat",
        "heavy",
        "members",
        "reads",
        "sources",
        "space",
        "turned",
        "work",
    )

    def __init__(self, space: tuple[int, ...]) -> None:
        self.space = space
        self.eqns: list[Eqn] = []
        self.members: set[Var] = set()
        self.reads: dict[Var, set[Position | None]] = {}
        self.work = 0
        self.sources: list[list[tuple[Var, Position | None]]] = []
        self.turned: dict[Var, tuple[Var, tuple[int, ...]]] = {}
        self.heavy = False
        self.across = False
        self.flat = True


class Region:
    """Groups that take turns on each block of rows: see regions.py.

    Attributes:
      outer: sizes of the axes that all groups share, outermost first; none has size 1.
      block: entries of the last of them that are done in one turn.
      groups: in order of execution.
      local: variables of which only one block exists at a time, since nobody else reads them.
    """

    __slots__ = ("block", "groups", "local", "outer")

    def __init__(
        self, outer: tuple[int, ...], block: int, groups: list[Group], local: set[Var]
    ) -> None:
        self.outer = outer
        self.block = block
        self.groups = groups
        self.local = local


def groups_of(step: Group | Region) -> list[Group]:
    """The groups of a step of loops."""
    return step.groups if isinstance(step, Region) else [step]


class Call:
    """An equation that is computed by its primitive's kernel."""

    __slots__ = ("eqn",)

    def __init__(self, eqn: Eqn) -> None:
        self.eqn = eqn


class Dot:
    """A matrix product by BLAS: ``operands`` are variables in memory and how they lie there.

    Attributes:
      scale: a number that the product is multiplied by.
      onto: a variable in memory that the product is added to.
      lower: variables that are lower triangular matrices.
    """

    __slots__ = ("eqn", "lower", "onto", "operands", "scale")

    def __init__(
        self,
        eqn: Eqn,
        operands: list[tuple[Var, dots.Matrix]],
        scale: float = 1.0,
        onto: Var | None = None,
        lower: frozenset[Var] = frozenset(),
    ) -> None:
        self.eqn = eqn
        self.operands = operands
        self.scale = scale
        self.onto = onto
        self.lower = lower


class Control:
    """A loop or branch: ``operands`` are variables in memory, ``programs`` native schedules."""

    __slots__ = ("eqn", "operands", "programs")

    def __init__(self, eqn: Eqn, operands: list[Var], programs: list[Any]) -> None:
        self.eqn = eqn
        self.operands = operands
        self.programs = programs


class Pieces:
    """An array that is put together from parts, by a few nests."""

    __slots__ = ("eqn",)

    def __init__(self, eqn: Eqn) -> None:
        self.eqn = eqn


class Library:
    """An equation that native code of its own computes (see library/), from and to memory."""

    __slots__ = ("eqn", "operands")

    def __init__(self, eqn: Eqn, operands: list[Var]) -> None:
        self.eqn = eqn
        self.operands = operands


Step = Group | Region | Call | Dot | Control | Pieces | Library


class Scheduled(Protocol):
    """What those who write loops ask of a schedule: see ``schedule.Schedule``."""

    steps: list[Step]
    virtual: dict[Var, Eqn]
    written: set[Var]
    outside: set[Var]
    uses: dict[Var, set[int]]
