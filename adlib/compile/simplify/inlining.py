"""Calls replaced by the programs they call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Literal, Var
from adlib.core.primitive import registry

# A program that is called several times is copied for each call while it has, with all that it
# calls, no more equations than this, so that the whole grows by a bounded factor; longer ones
# stay calls.
MOST_COPIED = 200

_CALLS = {
    "jit": "jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vmap_call": "call_jaxpr",
    "linear_call": "call_jaxpr",
    "custom_root": "solve",
    "custom_linear_solve": "solve",
}
# What only other transformations look at.
_NOTHING_DONE = frozenset({"name", "stop_gradient", "copy"})


def inline_calls(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Put the equations of called programs in the place of the calls. Exact.

    Rules of ``custom_jvp``, ``custom_vjp``, ``custom_vmap`` and ``linear_call`` have done their
    work by now, and go; so have the equations that ``custom_root`` and ``custom_linear_solve``
    differentiate: what is left of them is their solver. A recomputation that ``checkpoint``
    placed in the reverse sweep goes behind an ``optimization_barrier``: merged with the forward
    pass, it would save no memory.
    """
    census = _Census()
    census.visit(closed)

    def rule(eqn: Eqn, writer: Writer) -> Sequence[Atom] | None:
        name = eqn.primitive.name
        if name in _NOTHING_DONE:
            log.note(eqn, "removed: it computes nothing")
            return eqn.invars
        inner = called_program(eqn)
        if inner is None:
            return None
        operands = _operands(eqn)
        if name == "remat2" and eqn.params["differentiated"] and eqn.params["prevent_cse"]:
            operands = _behind_barrier(operands, writer)
        if census.calls[id(inner)] > 1 and census.sizes[id(inner)] > MOST_COPIED:
            if name == "jit":
                return None
            return writer.emit(registry["jit"], operands, jaxpr=inner, name=name)
        size = len(inner.eqns)
        number = "equation" if size == 1 else f"{size} equations"
        log.note(eqn, f"replaced by the {number} of the program it calls")
        return paste(inner, operands, rule, writer)

    return rewrite(closed, rule, log, {*_CALLS, *_NOTHING_DONE})


class _Census:
    """How often each program is called, and its equations with those of all that it calls."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.sizes: dict[int, int] = {}

    def visit(self, closed: ClosedJaxpr) -> int:
        size = len(closed.eqns)
        for eqn in closed.eqns:
            inner = called_program(eqn)
            if inner is not None:
                self.calls[id(inner)] += 1
                if id(inner) not in self.sizes:
                    self.sizes[id(inner)] = self.visit(inner)
                size += self.sizes[id(inner)]
        return size


def called_program(eqn: Eqn) -> ClosedJaxpr | None:
    """The program that a call runs; None for other equations."""
    name = _CALLS.get(eqn.primitive.name)
    program = None if name is None else eqn.params[name]
    return program if isinstance(program, ClosedJaxpr) else None


def _operands(eqn: Eqn) -> Sequence[Atom]:
    """What the called program is given."""
    if "counts" not in eqn.params:
        return eqn.invars
    # constants of the equation, of the solver and of the tangent's solver, then the unknowns
    first, second, third = eqn.params["counts"]
    return [*eqn.invars[first : first + second], *eqn.invars[first + second + third :]]


def _behind_barrier(operands: Sequence[Atom], writer: Writer) -> list[Atom]:
    variables = [atom for atom in operands if type(atom) is Var]
    if not variables:
        return list(operands)
    barrier = registry["optimization_barrier"]
    outs = iter(writer.emit(barrier, variables))
    return [next(outs) if type(atom) is Var else atom for atom in operands]


def paste(inner: ClosedJaxpr, operands: Sequence[Atom], rule: Any, writer: Writer) -> list[Atom]:
    """Write the equations of a called program, with new variables; its results' atoms."""
    names: dict[Var, Atom] = dict(zip(inner.jaxpr.invars, operands, strict=True))
    for var, const in zip(inner.jaxpr.constvars, inner.consts, strict=True):
        names[var] = _constant(var, const, writer)

    def read(atom: Atom) -> Atom:
        return names[atom] if type(atom) is Var else atom

    for eqn in inner.eqns:
        writer.log.visits += 1
        moved = eqn.replace(invars=[read(atom) for atom in eqn.invars])
        writer.source = eqn.source
        results = rule(moved, writer)
        if results is None:
            moved.outvars = [Var(var.aval) for var in eqn.outvars]
            writer.keep(moved)
            results = moved.outvars
        names.update(zip(eqn.outvars, results, strict=True))
    return [read(atom) for atom in inner.jaxpr.outvars]


def _constant(var: Var, const: Any, writer: Writer) -> Atom:
    if not var.aval.shape and hasattr(const, "_value"):
        return Literal(const)
    new = Var(var.aval)
    writer.constvars.append(new)
    writer.consts.append(const)
    writer.known[new] = const
    return new
