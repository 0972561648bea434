"""What each equation of a run reads and makes, as pieces of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adlib.core import ClosedJaxpr, Eqn, Literal, Var
from adlib.inspect.evaluation import Execution, Step
from adlib.inspect.programs import Program, opened


class Memory(NamedTuple):
    """A piece of memory: its identity, its bytes, an Array that shows it, and whose it is."""

    key: int
    size: int
    array: Any
    var: Any = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The memory that one equation's steps touch.

    Attributes:
      step: the run of the equation.
      inner: the program of a checkpoint that keeps nothing; None of others.
      size: how many equations it stands for.
      operands, results: of variables.
      residuals: without the numbers that stand in the program.
      cotangents: identities of those of the results.
      given: variable and identity of each cotangent that the reverse step hands to an operand.
      hidden: whether a residual has to be made by running the equation.
      read: which operands are residuals.
    """

    step: Step
    inner: ClosedJaxpr | None
    size: int
    operands: tuple[Memory, ...]
    results: tuple[Memory, ...]
    residuals: tuple[Memory, ...]
    cotangents: tuple[int, ...]
    given: tuple[tuple[Var, int], ...]
    hidden: bool
    read: frozenset[Any]

    @property
    def pulled(self) -> bool:
        """Whether a reverse step takes place."""
        return self.step.rule is not None and bool(self.cotangents)


def owner_of(array: Any) -> Any:
    """The ndarray whose memory an array shows."""
    value = array._value
    while getattr(value, "base", None) is not None and hasattr(value.base, "nbytes"):
        value = value.base
    return value


def memory_of(array: Any, var: Any = None) -> Memory:
    owner = owner_of(array)
    return Memory(id(owner), int(owner.nbytes), array, var)


def facts_of(done: Execution) -> list[Facts]:
    """One for each equation of a run."""
    return [_facts(step) for step in done.steps]


def _facts(step: Step) -> Facts:
    eqn, inner = step.eqn, inside(step.eqn)
    # numbers that stand in the program are part of the program
    literals = {id(owner_of(atom.array)) for atom in eqn.invars if isinstance(atom, Literal)}
    operands = tuple(
        memory_of(operand, atom)
        for atom, operand in zip(eqn.invars, step.operands, strict=True)
        if isinstance(atom, Var)
    )
    results = tuple(
        memory_of(result, var) for var, result in zip(eqn.outvars, step.results, strict=True)
    )
    every = [memory_of(residual) for residual in step.residuals]
    residuals = tuple(memory for memory in every if memory.key not in literals)
    keys = {memory.key for memory in every}
    return Facts(
        step=step,
        inner=inner,
        size=1 if inner is None else len(flat_equations(inner)),
        operands=operands,
        results=results,
        residuals=residuals,
        cotangents=tuple(id(owner_of(ct)) for ct in step.cotangents if ct is not None),
        given=tuple(
            (atom, id(owner_of(ct)))
            for atom, ct in zip(eqn.invars, step.given, strict=True)
            if ct is not None and isinstance(atom, Var)
        ),
        hidden=bool(keys - {memory.key for memory in operands} - literals),
        read=frozenset(memory.var for memory in operands if memory.key in keys),
    )


def flat_equations(closed: ClosedJaxpr) -> list[Eqn]:
    """The program's equations, those inside of checkpoints in the place of these."""
    found: list[Eqn] = []
    for eqn in closed.eqns:
        inner = inside(eqn)
        found += [eqn] if inner is None else flat_equations(inner)
    return found


def inside(eqn: Eqn) -> ClosedJaxpr | None:
    """The program in a checkpoint that keeps nothing; others are one equation."""
    if eqn.primitive.name != "remat2" or eqn.params["policy"] is not None:
        return None
    return eqn.params["jaxpr"]  # type: ignore[no-any-return]


def with_open_checkpoints(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The program with the jitted functions inside of its checkpoints opened up as well."""
    eqns = []
    for eqn in closed.eqns:
        inner = inside(eqn)
        if inner is not None:
            if any(one.primitive.name == "jit" for one in inner.eqns):
                inner = opened(inner)
            params = {**eqn.params, "jaxpr": with_open_checkpoints(inner)}
            eqn = eqn.replace(params=params)
        eqns.append(eqn)
    jaxpr = closed.jaxpr
    return ClosedJaxpr(
        type(jaxpr)(jaxpr.constvars, jaxpr.invars, jaxpr.outvars, eqns), closed.consts
    )


def program_of(closed: ClosedJaxpr, operands: Sequence[Any]) -> Program:
    """A called program at these operands."""
    count = len(closed.jaxpr.invars)
    names = tuple(f"argument {i}" for i in range(count))
    return Program(closed, tuple(operands), names, tuple(range(count)), None, None)


def free_memory(facts: Sequence[Facts]) -> Iterator[Memory]:
    """What some equations read that none of them makes."""
    made = {memory.var for one in facts for memory in one.results}
    for one in facts:
        yield from (memory for memory in one.operands if memory.var not in made)
