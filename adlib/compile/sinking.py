"""Equations move to the group that reads their results, so that these need no memory.

The schedule puts an equation into the first group that its operands allow. What a later group
reads of it then goes through memory, although computing it there may cost less: its operands may
be there anyway, or be smaller, as a broadcast vector is. So, from the last equation to the first,

* an elementwise equation whose result only one later group over the same space reads, element by
  element, moves there if fewer bytes are read and written for it;
* one whose result its own group reads, too, is computed in both, if that is only one or two
  instructions: a comparison, a mask, a product with a broadcast vector.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from adlib.compile import lowering, views
from adlib.compile.reads import normalized, short_rows
from adlib.compile.steps import Group
from adlib.core.jaxpr import Eqn, Var

_CHEAP = 2  # instructions of an equation that may be computed twice
_MOST_WORK = 500  # instructions in a group that others have joined


class Sinking:
    """Moves equations of a schedule; ``fences`` are steps that nothing crosses."""

    def __init__(self, schedule: Any, fences: list[int]) -> None:
        self.schedule = schedule
        self.fences = fences
        self.reasons: list[tuple[Eqn, str]] = []

    def run(self) -> None:
        for number in reversed(range(len(self.schedule.steps))):
            group = self.schedule.steps[number]
            if type(group) is Group and group.space and not short_rows(group.space):
                self._from(group, number)

    def _from(self, group: Group, number: int) -> None:
        inside: dict[Var, int] = {}  # how many equations of the group read a result
        for sources in group.sources:
            for var in {v for v, _ in sources}:
                inside[var] = inside.get(var, 0) + 1
        for place in reversed(range(len(group.eqns))):
            eqn, sources = group.eqns[place], group.sources[place]
            target = self._target(group, number, eqn)
            if target is None:
                continue
            shared = inside.get(eqn.outvars[0], 0) > 0
            if not self._pays(group, target, eqn, sources, shared):
                continue
            self._into(eqn, sources, target, shared)
            if not shared:
                del group.eqns[place], group.sources[place]
                group.members.discard(eqn.outvars[0])
                group.work -= lowering.weight(eqn)
                for var in {v for v, _ in sources}:
                    inside[var] -= 1
            self._renewed(group, number, sources)

    def _target(self, group: Group, number: int, eqn: Eqn) -> Group | None:
        """The one group that reads an equation's result, where that can compute it as well."""
        var, schedule = eqn.outvars[0], self.schedule
        if not lowering.native(eqn) or var in schedule.outside or len(eqn.outvars) != 1:
            return None
        readers = schedule.uses.get(var, ())
        if len(readers) != 1 or any(v in schedule.written for v in eqn.invars):
            return None
        (reader,) = readers
        if reader >= len(schedule.steps) or reader <= number:
            return None
        target = schedule.steps[reader]
        if type(target) is not Group or target.space != group.space or target.across:
            return None
        if bisect_right(self.fences, reader) != bisect_right(self.fences, number):
            return None
        rank = len(group.space)
        same = normalized(views.identity_coordinates(rank), group.space)
        position = views.linear(same, group.space, rank)
        if var.aval.shape != group.space or target.reads.get(var) != {position}:
            return None
        return target if target.work + lowering.weight(eqn) <= _MOST_WORK else None

    def _pays(
        self, group: Group, target: Group, eqn: Eqn, sources: list[Any], shared: bool
    ) -> bool:
        """Whether fewer bytes are read and written where an equation is computed elsewhere."""
        if shared and lowering.weight(eqn) > _CHEAP:
            return False
        more = sum([self._price(group, target, v, 0) for v in {v for v, _ in sources}])
        return more < 2 * eqn.outvars[0].aval.nbytes  # what it takes to write and read the result

    def _price(self, group: Group, target: Group, var: Var, depth: int) -> int:
        """Bytes that are read and written so that a group has a value that an earlier one has."""
        if var in target.reads or var in target.members:
            return 0
        if var not in group.members or self.schedule.uses.get(var):
            return int(var.aval.nbytes)
        price = 2 * int(var.aval.nbytes)  # so far it is in registers only
        place = next(k for k, e in enumerate(group.eqns) if e.outvars[0] is var)
        eqn = group.eqns[place]
        if depth < 3 and lowering.native(eqn) and lowering.weight(eqn) <= _CHEAP:
            sources = {v for v, _ in group.sources[place]}
            again = sum([self._price(group, target, v, depth + 1) for v in sources])
            price = min(price, again)
        return price

    def _into(self, eqn: Eqn, sources: list[Any], target: Group, shared: bool) -> None:
        var, schedule = eqn.outvars[0], self.schedule
        number = next(iter(schedule.uses.pop(var)))
        del target.reads[var]
        target.eqns.insert(0, eqn)
        target.sources.insert(0, sources)
        target.members.add(var)
        target.work += lowering.weight(eqn)
        if not shared:
            schedule.where[var] = number
        for v, position in sources:
            if v not in target.members:
                schedule.uses.setdefault(v, set()).add(number)
                target.reads.setdefault(v, set()).add(position)
        how = "computed twice, also" if shared else "moved to where it is read,"
        self.reasons.append((eqn, f"{how} in group {number}"))

    def _renewed(self, group: Group, number: int, sources: list[Any]) -> None:
        """Forget what a group has read for an equation that it has no more."""
        for var in {v for v, _ in sources}:
            left = {p for s in group.sources for v, p in s if v is var}
            if var in group.reads and not left:
                del group.reads[var]
                self.schedule.uses.get(var, set()).discard(number)
            elif var in group.reads:
                group.reads[var] = left


def sink(schedule: Any, fences: list[int]) -> list[tuple[Eqn, str]]:
    """Move equations of a schedule to where their results are read; the reasons."""
    sinking = Sinking(schedule, fences)
    sinking.run()
    return sinking.reasons
