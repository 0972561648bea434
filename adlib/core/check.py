"""The jaxpr checker: every variable bound once and before use, every type as its rule says."""

from __future__ import annotations

from adlib.base import errors, source
from adlib.core.avals import same_type
from adlib.core.jaxpr import Eqn, Jaxpr, Var, subjaxprs


def check_jaxpr(jaxpr: Jaxpr) -> None:
    """Raise JaxprTypeError, naming the equation, where the jaxpr is ill-formed.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.core import check_jaxpr
    >>> check_jaxpr(adlib.make_jaxpr(jnp.sin)(1.0).jaxpr)  # nothing wrong
    """
    bound: set[Var] = set()

    def bind(var: Var, what: str) -> None:
        if var in bound:
            raise errors.JaxprTypeError(f"variable bound twice: {var!r} as {what}")
        bound.add(var)

    for var in jaxpr.constvars:
        bind(var, "constant")
    for var in jaxpr.invars:
        bind(var, "input")
    for eqn in jaxpr.eqns:
        for atom in eqn.invars:
            if isinstance(atom, Var) and atom not in bound:
                raise errors.JaxprTypeError(f"variable used before it is bound: {_where(eqn)}")
        _check_eqn(eqn)
        for var in eqn.outvars:
            bind(var, f"result of {eqn.primitive}")
    for atom in jaxpr.outvars:
        if isinstance(atom, Var) and atom not in bound:
            raise errors.JaxprTypeError(f"output is never bound: {atom!r}")


def _check_eqn(eqn: Eqn) -> None:
    for _, sub in subjaxprs(eqn.params):
        check_jaxpr(sub)
    wanted = eqn.primitive.abstract([v.aval for v in eqn.invars], eqn.params)
    given = [v.aval for v in eqn.outvars]
    if len(wanted) != len(given) or not all(map(same_type, wanted, given)):
        raise errors.JaxprTypeError(
            f"{_where(eqn)}: results have types {[a.str_short() for a in given]}, the shape "
            f"rule of {eqn.primitive} says {[a.str_short() for a in wanted]}"
        )


def _where(eqn: Eqn) -> str:
    place = source.describe(eqn.source)
    return f"{eqn!r} ({place})" if place else repr(eqn)
