"""Groups that do the same to other variables: the layers of an unrolled network, rounds of a loop.

Writing a group's loops takes longer than all else that the compiler does to its equations. So
groups are compared by their structure first: the same operations on the same types, read through
the same views, with the same results stored. A group whose structure is known becomes a call of the
function that the earlier one is, with its own variables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from adlib.compile.steps import Group
from adlib.core.jaxpr import Atom, Literal, Var


class Repeat:
    """A group as a call of an earlier one's function.

    Attributes:
      original: the part whose function it is.
      variables: what it is called with, in the order of the original's.
    """

    fallible = False

    def __init__(self, original: Any, variables: list[Var], make: Callable[[], Any]) -> None:
        self.original = original
        self.variables = variables
        self.work = original.work
        self.scratch = original.scratch
        self._make = make

    def own(self) -> Any:
        """The group as a part of its own: for when the original has been changed since."""
        part = self._make()
        if part.variables != self.variables:
            raise RuntimeError("groups of one structure read other variables")
        return part


def parts(schedule: Any, numbers: Sequence[int], make: Callable[[int], Any]) -> list[Any]:
    """The parts for some steps of a schedule: ``make(number)``, or a ``Repeat`` of an earlier
    one."""
    found: list[Any] = []
    known: dict[Any, tuple[Any, list[int]]] = {}
    for number in numbers:
        step = schedule.steps[number]
        described = structure(schedule, step) if type(step) is Group else None
        if described is None:
            found.append(make(number))
            continue
        key, variables = described
        earlier = known.get(key)
        if earlier is not None:
            original, places = earlier
            own = [variables[place] for place in places]
            found.append(Repeat(original, own, partial(make, number)))
            continue
        part = make(number)
        found.append(part)
        index = {var: place for place, var in enumerate(variables)}
        if all(var in index for var in part.variables):
            known[key] = (part, [index[var] for var in part.variables])
    return found


def structure(schedule: Any, group: Group) -> tuple[Any, list[Var]] | None:
    """What the function of a group follows from, and its variables in the order of their first use.

    None where a parameter cannot be compared.
    """
    numbers: dict[Var, int] = {}
    variables: list[Var] = []

    def number(var: Var) -> int:
        found = numbers.get(var)
        if found is None:
            found = numbers[var] = len(variables)
            variables.append(var)
        return found

    def described(atom: Atom) -> Any:
        if type(atom) is Literal:
            return atom.aval.dtype, atom.array._value.tobytes()
        assert type(atom) is Var
        view = None
        if atom not in group.members and not (atom in schedule.written and atom in group.reads):
            view = schedule.virtual.get(atom)
        if view is None:
            return number(atom), atom.aval.shape, atom.aval.dtype
        return equation(view)

    def equation(eqn: Any) -> Any:
        (out,) = eqn.outvars
        operands = tuple([described(atom) for atom in eqn.invars])
        parameters = tuple(sorted(eqn.params.items())) if eqn.params else ()
        return eqn.primitive, parameters, operands, out.aval.shape, out.aval.dtype

    entries = []
    for eqn in group.eqns:
        (out,) = eqn.outvars
        stored = out in schedule.outside or bool(schedule.uses.get(out))
        entries.append((equation(eqn), number(out), stored))
    key = (group.space, group.work, tuple(entries))
    try:
        hash(key)
    except TypeError:
        return None
    return key, variables
