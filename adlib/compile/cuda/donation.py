"""Results in the memory of donated arguments, on a GPU.

A result may lie where a donated argument of its type does, if all that reads the argument is done
before the result is written; or if one kernel does both, and each thread reads its elements before
it writes them. Such a kernel must not be told that its pointers lead to different memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from adlib.compile import views
from adlib.compile.cuda.kernels import CudaGroup
from adlib.compile.cuda.parts import Part, Product, Segment
from adlib.compile.reads import normalized
from adlib.compile.regions import reduced_axes
from adlib.compile.schedule import Schedule
from adlib.compile.steps import Call, Group
from adlib.core.jaxpr import Var


def taken(schedule: Schedule, parts: Mapping[int, Part], donated: Sequence[int]) -> dict[Var, Var]:
    """Which result takes the memory of which donated argument; kernels are changed to allow it."""
    found: dict[Var, Var] = {}
    jaxpr = schedule.jaxpr
    results = [v for v in dict.fromkeys(jaxpr.outvars) if type(v) is Var]
    writers = {v: number for number, part in reversed(list(parts.items())) for v in part.written}
    for given in [jaxpr.invars[number] for number in donated]:
        if given in schedule.outside or _read_by_calls(schedule, given):
            continue  # calls may keep views of it
        last = max([n for n, part in parts.items() if given in part.read], default=-1)
        for result in results:
            first = writers.get(result, -1)
            if result in found or first < last or first < 0:
                continue
            if (result.aval.shape, result.aval.dtype) != (given.aval.shape, given.aval.dtype):
                continue
            if first > last or _in_one_kernel(schedule, parts[first], first, given, result):
                found[result] = given
                break
    return found


def _read_by_calls(schedule: Schedule, var: Var) -> bool:
    return any(var in step.eqn.invars for step in schedule.steps if type(step) is Call)


def _in_one_kernel(schedule: Schedule, part: Part, number: int, given: Var, result: Var) -> bool:
    step = schedule.steps[number]
    if isinstance(part, Product):  # what it is added to may lie where it is written
        return part.step.onto is given and all(v is not given for v, _ in part.step.operands)
    if not isinstance(part, Segment) or not isinstance(step, Group):
        return False
    if step.turned or any(reduced_axes(eqn) for eqn in step.eqns):
        return False
    if step.space != result.aval.shape or len(part.groups) != 1:
        return False
    rank = len(step.space)
    same = normalized(views.identity_coordinates(rank), step.space)
    if step.reads.get(given) != {views.linear(same, step.space, rank)}:
        return False
    (group,) = part.groups
    assert isinstance(group, CudaGroup)
    if len(group.launches) != 1:
        return False
    (launch,) = group.launches
    source = launch.source
    for var in (given, result):
        source = re.sub(
            rf"__restrict__ b{group.variables.index(var)}\b", _named(group, var), source
        )
    group.launches[0] = launch._replace(source=source)
    return True


def _named(group: CudaGroup, var: Var) -> str:
    return f"b{group.variables.index(var)}"
