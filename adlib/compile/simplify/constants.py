"""Constant folding: what depends on constants alone is computed now."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.core import backend, quiet
from adlib.core.array import ArrayImpl
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Literal, Var

# Elements of any operand or result: a table of this size costs nothing to keep.
MOST_ELEMENTS = 4096
# Cheaper to make again than to read from memory.
_LEFT = frozenset({"broadcast_in_dim", "iota", "optimization_barrier"})


def fold_constants(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Compute equations of known operands, with the kernels of the reference executor.

    Exact, but where compiled code rounds a math function otherwise than those kernels do.
    """
    writer_rule = _scalars_as_literals(closed)
    folded = rewrite(writer_rule, _fold, log)
    return closed if writer_rule is closed and len(folded.eqns) == len(closed.eqns) else folded


def _scalars_as_literals(closed: ClosedJaxpr) -> ClosedJaxpr:
    """Constants of rank 0 stand in the equations as literals, where rules look for numbers."""
    scalars = {
        var: Literal(const)
        for var, const in zip(closed.jaxpr.constvars, closed.consts, strict=True)
        if not var.aval.shape and type(const) is ArrayImpl and isinstance(const._value, _NUMPY)
    }
    if not scalars:
        return closed
    old = closed.jaxpr

    def read(atom: Any) -> Any:
        return scalars.get(atom, atom) if type(atom) is not Literal else atom

    eqns = [
        eqn.replace(invars=[read(v) for v in eqn.invars])
        if any(v in scalars for v in eqn.invars if type(v) is not Literal)
        else eqn
        for eqn in old.eqns
    ]
    kept = [(v, c) for v, c in zip(old.constvars, closed.consts, strict=True) if v not in scalars]
    outvars = [read(v) for v in old.outvars]
    jaxpr = type(old)([v for v, _ in kept], old.invars, outvars, eqns)
    return ClosedJaxpr(jaxpr, [c for _, c in kept])


_NUMPY = (np.ndarray, np.generic)


_INFIX: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def _kernel(eqn: Eqn) -> Callable[..., Any]:
    """What the reference executor applies (NumPy rounds some products of scalars otherwise)."""
    if eqn.primitive.infix in _INFIX:
        return _INFIX[eqn.primitive.infix]
    return eqn.primitive.kernel(backend.cpu().xp, eqn.params)


def _fold(eqn: Eqn, writer: Writer) -> Sequence[Atom] | None:
    primitive = eqn.primitive
    for atom in eqn.invars:
        if type(atom) is Var and atom not in writer.known:
            return None
    if not eqn.invars or primitive.name in _LEFT or not primitive.first_order or eqn.has_effect:
        return None
    avals = [atom.aval for atom in (*eqn.invars, *eqn.outvars)]
    if any(a.size > MOST_ELEMENTS or not isinstance(a.dtype, np.dtype) for a in avals):
        return None
    values = [writer.value_of(atom) for atom in eqn.invars]
    if any(value is None for value in values):
        return None
    token = quiet.enter()
    try:
        outs = _kernel(eqn)(
            *[v[()] if type(v) is np.ndarray and not v.shape else v for v in values]
        )
    except Exception:  # whatever it is, it is the running program's to raise
        return None
    finally:
        quiet.leave(token)
    results = outs if primitive.multiple_results else [outs]
    writer.log.note(eqn, "computed now: its operands are constants")
    return [writer.constant(r, v.aval) for r, v in zip(results, eqn.outvars, strict=True)]
