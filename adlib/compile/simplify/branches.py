"""Branches and calls: known choices, and results and operands that nothing needs."""

from __future__ import annotations

from collections.abc import Sequence

from adlib.compile.simplify.inlining import paste
from adlib.compile.simplify.rewriting import Log, Writer, counted, rewrite
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Var

_WITH_PROGRAMS = frozenset({"cond", "jit", "remat2"})


def simplify_branches(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Take the branch whose index is known; drop what branches and calls do for nothing. Exact."""
    if not any(eqn.primitive.name in _WITH_PROGRAMS for eqn in closed.eqns):
        return closed
    used = used_variables(closed.jaxpr)

    def rule(eqn: Eqn, writer: Writer) -> Sequence[Atom] | None:
        if eqn.primitive.name == "cond":
            return _cond(eqn, writer, used)
        return _call(eqn, writer, used)

    return rewrite(closed, rule, log, _WITH_PROGRAMS)


def used_variables(jaxpr: Jaxpr) -> set[Var]:
    used = {v for v in jaxpr.outvars if type(v) is Var}
    for eqn in jaxpr.eqns:
        used.update(v for v in eqn.invars if type(v) is Var)
    return used


def _cond(eqn: Eqn, writer: Writer, used: set[Var]) -> Sequence[Atom] | None:
    index, *operands = eqn.invars
    branches = eqn.params["branches"]
    value = writer.value_of(index)
    if value is not None or len(branches) == 1:
        place = 0 if value is None else min(max(int(value), 0), len(branches) - 1)
        writer.log.note(eqn, f"replaced by its branch {place}: the index is a constant")
        return paste(branches[place], operands, _nothing, writer)
    kept = [k for k, v in enumerate(eqn.outvars) if v in used]
    needed = _needed_inputs(branches, kept)
    if len(kept) == len(eqn.outvars) and len(needed) == len(operands):
        return None
    if not kept:
        return None  # the whole equation is dead
    cut = tuple([_cut(b, needed, kept) for b in branches])
    outvars = [eqn.outvars[k] for k in kept]
    new = eqn.replace(
        invars=[index, *[operands[i] for i in needed]],
        outvars=outvars,
        params={**eqn.params, "branches": cut},
    )
    return _written(eqn, new, writer)


def _call(eqn: Eqn, writer: Writer, used: set[Var]) -> Sequence[Atom] | None:
    inner = eqn.params["jaxpr"]
    kept = [k for k, v in enumerate(eqn.outvars) if v in used]
    needed = _needed_inputs([inner], kept)
    if not kept or (len(kept) == len(eqn.outvars) and len(needed) == len(eqn.invars)):
        return None
    cut = inner.cached(
        ("cut", tuple(kept), tuple(needed)), lambda: _cut(inner, needed, kept)
    )  # one for all calls that need the same
    new = eqn.replace(
        invars=[eqn.invars[i] for i in needed],
        outvars=[eqn.outvars[k] for k in kept],
        params={**eqn.params, "jaxpr": cut},
    )
    return _written(eqn, new, writer)


def _written(eqn: Eqn, new: Eqn, writer: Writer) -> Sequence[Atom]:
    dropped = len(eqn.outvars) - len(new.outvars)
    inputs = len(eqn.invars) - len(new.invars)
    both = f"{counted(dropped, 'result')} and {counted(inputs, 'operand')}"
    writer.log.note(eqn, f"narrowed: {both} are not needed", new)
    writer.keep(new)
    return eqn.outvars  # those that are dropped have no readers


def _needed_inputs(programs: Sequence[ClosedJaxpr], kept: Sequence[int]) -> list[int]:
    """The inputs that the kept results of any of the programs depend on."""
    needed: set[int] = set()
    for program in programs:
        jaxpr = program.jaxpr
        live = {v for k in kept if type(v := jaxpr.outvars[k]) is Var}
        for eqn in reversed(jaxpr.eqns):
            if eqn.has_effect or any(v in live for v in eqn.outvars):
                live.update(v for v in eqn.invars if type(v) is Var)
        needed.update(i for i, v in enumerate(jaxpr.invars) if v in live)
    return sorted(needed)


def _cut(program: ClosedJaxpr, needed: Sequence[int], kept: Sequence[int]) -> ClosedJaxpr:
    """The program with some of its inputs and results."""
    old = program.jaxpr
    live = {v for k in kept if type(v := old.outvars[k]) is Var}
    eqns = []
    for eqn in reversed(old.eqns):
        if eqn.has_effect or any(v in live for v in eqn.outvars):
            eqns.append(eqn)
            live.update(v for v in eqn.invars if type(v) is Var)
    invars = [old.invars[i] for i in needed]
    outvars = [old.outvars[k] for k in kept]
    return ClosedJaxpr(Jaxpr(old.constvars, invars, outvars, eqns[::-1]), program.consts)


def _nothing(eqn: Eqn, writer: Writer) -> None:
    return None
