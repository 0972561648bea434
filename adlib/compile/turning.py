"""Results that are transposes of what a group makes, written as they lie.

A result that is a transpose is otherwise a view of an array that is written first, and whoever
reads it next copies it. Where its group reads arrays across anyway, as the Jacobian of a layer by
forward mode reads the weights, writing the transpose lets everything go along in memory.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from adlib.compile.reads import runs_across
from adlib.compile.regions import reduced_axes
from adlib.compile.steps import Call, Group
from adlib.core.jaxpr import Eqn, Var


def turn(schedule: Any) -> list[tuple[Eqn, str]]:
    """Mark the results of a schedule that their groups write transposed; the reasons."""
    results = [v for v in dict.fromkeys(schedule.jaxpr.outvars) if type(v) is Var]
    needed: list[Any] = list(results)
    for step in schedule.steps:
        if type(step) is Call:
            needed += step.eqn.invars
    for eqn in schedule.virtual.values():
        if eqn.outvars[0] in schedule.outside and schedule.seen_through(eqn.outvars[0]):
            needed += eqn.invars
    times = Counter([v for v in needed if type(v) is Var])
    reasons = []
    for result in results:
        if not schedule.seen_through(result) or times[result] > 1:
            continue
        eqn = schedule.virtual[result]
        source = eqn.invars[0] if eqn.primitive.name == "transpose" else None
        if type(source) is not Var or times[source] != 1 or schedule.uses.get(source):
            continue
        at = schedule.where.get(source, -1)
        if at >= 0 and _turned(schedule, schedule.steps[at], eqn, source):
            schedule.where[result] = at
            reasons.append((eqn, f"written by group {at}, transposed"))
    return reasons


def _turned(schedule: Any, group: Any, eqn: Eqn, source: Var) -> bool:
    if type(group) is not Group or source.aval.shape != group.space:
        return False
    made = next(e for e in group.eqns if e.outvars[0] is source)
    reads = [(v, p) for v, places in group.reads.items() for p in places]
    if reduced_axes(made) or not runs_across(group.space, reads):
        return False
    (result,) = eqn.outvars
    group.turned[result] = (source, tuple(eqn.params["permutation"]))
    schedule.outside.discard(source)
    schedule.written.add(result)
    return True
