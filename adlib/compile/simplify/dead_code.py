"""Dead code: equations and constants that no result depends on."""

from __future__ import annotations

from adlib.compile.simplify.rewriting import Log
from adlib.core.jaxpr import ClosedJaxpr, Eqn, Jaxpr, Var


def remove_dead_code(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """The program without what nobody reads. Exact: the results are those of before."""
    jaxpr = closed.jaxpr
    needed = {v for v in jaxpr.outvars if type(v) is Var}
    kept = []
    narrowed = False
    for eqn in reversed(jaxpr.eqns):
        log.visits += 1
        if eqn.has_effect or any(v in needed for v in eqn.outvars):
            if eqn.primitive.name == "optimization_barrier" and not needed.issuperset(eqn.outvars):
                eqn = _narrowed(eqn, needed)
                narrowed = True
            kept.append(eqn)
            needed.update(v for v in eqn.invars if type(v) is Var)
        else:
            log.note(eqn, "removed: nothing reads its result")
    pairs = zip(jaxpr.constvars, closed.consts, strict=True)
    used = [(var, const) for var, const in pairs if var in needed]
    if not narrowed and len(kept) == len(jaxpr.eqns) and len(used) == len(closed.consts):
        return closed
    constvars = [var for var, _ in used]
    new = Jaxpr(constvars, jaxpr.invars, jaxpr.outvars, kept[::-1])
    return ClosedJaxpr(new, [const for _, const in used])


def _narrowed(eqn: Eqn, needed: set[Var]) -> Eqn:
    """A barrier for those of its values that somebody reads."""
    pairs = [(x, v) for x, v in zip(eqn.invars, eqn.outvars, strict=True) if v in needed]
    return eqn.replace(invars=[x for x, _ in pairs], outvars=[v for _, v in pairs])
