"""Common subexpressions: what is computed twice is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Literal


def merge_common(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Merge equations that apply one primitive to the same operands, and equal constants.

    Exact: the merged equations give the same bits. What stands behind an
    ``optimization_barrier`` (a ``checkpoint``'s recomputation) is not merged with what stands
    before it, since the barrier's results are variables of their own.
    """
    seen: dict[Any, Eqn] = {}

    def rule(eqn: Eqn, writer: Writer) -> Sequence[Atom] | None:
        if eqn.has_effect or eqn.primitive.name == "optimization_barrier":
            return None
        key = equation_key(eqn)
        if key is None:
            return None
        first = seen.setdefault(key, eqn)
        if first is eqn:
            return None
        log.note(eqn, "merged with an equation that computes the same", first)
        return first.outvars

    return rewrite(closed, rule, log)


_COMMUTATIVE = frozenset({"add", "add_any", "mul", "and", "or", "xor", "eq", "ne"})


def equation_key(eqn: Eqn) -> Any:
    """Equal for equations that compute the same; None where a parameter cannot be hashed.

    NumPy's max and min choose among NaNs and zeros of two signs by position, so that they do
    not commute bit for bit.
    """
    operands = [atom_key(atom) for atom in eqn.invars]
    if eqn.primitive.name in _COMMUTATIVE:
        operands.sort(key=hash)
    types = tuple([var.aval.strip_weak_type() for var in eqn.outvars])
    key = (eqn.primitive, tuple(operands), tuple(sorted(eqn.params.items())), types)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def atom_key(atom: Atom) -> Any:
    """Variables by identity; literals by type and bits, so that 0.0 is not -0.0."""
    if type(atom) is Literal:
        return atom.aval.dtype, atom.array._value.tobytes()
    return atom
