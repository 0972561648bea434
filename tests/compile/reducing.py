"""Makes a program that fails smaller: what is left are the equations that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.core.jaxpr import ClosedJaxpr, Jaxpr, Literal, Var, dead_code_eliminated
from tests.compile.noise import Noise

Fails = Callable[[ClosedJaxpr, list[Any]], bool]


def reduced(closed: ClosedJaxpr, values: list[Any], fails: Fails) -> tuple[ClosedJaxpr, list[Any]]:
    """The program with one result and as few equations as still fail, and its arguments.

    The result of an equation that is not needed becomes an argument, with the value that it had.
    """

    def attempt(jaxpr: Jaxpr, arguments: list[Any]) -> bool:
        nonlocal closed, values
        smaller = _trimmed(jaxpr, closed.consts, arguments)
        if smaller is None or not _quietly(fails, *smaller):
            return False
        closed, values = smaller
        return True

    j = closed.jaxpr
    for atom in [*[v for e in j.eqns for v in e.outvars], *j.outvars]:
        if attempt(Jaxpr(j.constvars, j.invars, [atom], j.eqns), values):
            break  # the first value that fails
    number = 0
    while number < len(closed.eqns):
        j, eqn = closed.jaxpr, closed.eqns[number]
        with np.errstate(all="ignore"):
            made = _values(closed, values)
        rest = [e for e in j.eqns if e is not eqn]
        whole = Jaxpr(j.constvars, [*j.invars, *eqn.outvars], j.outvars, rest)
        if not attempt(whole, [*values, *[made[v] for v in eqn.outvars]]):
            number += 1
    return closed, values


def _trimmed(jaxpr: Jaxpr, consts: list[Any], values: list[Any]) -> Any:
    """Without what nobody reads; None where a program would be left that computes nothing."""
    jaxpr = dead_code_eliminated(jaxpr)
    read = {v for e in jaxpr.eqns for v in e.invars if type(v) is Var}
    read.update(v for v in jaxpr.outvars if type(v) is Var)
    kept = [(v, c) for v, c in zip(jaxpr.constvars, consts, strict=True) if v in read]
    given = [(v, x) for v, x in zip(jaxpr.invars, values, strict=True) if v in read]
    if not jaxpr.eqns:
        return None
    trimmed = Jaxpr([v for v, _ in kept], [v for v, _ in given], jaxpr.outvars, jaxpr.eqns)
    return ClosedJaxpr(trimmed, [c for _, c in kept]), [x for _, x in given]


def _values(closed: ClosedJaxpr, values: list[Any]) -> dict[Var, Any]:
    """What the reference makes of every equation."""
    noise = Noise(None)
    env: dict[Var, Any] = dict(zip(closed.jaxpr.invars, values, strict=True))
    consts = [np.asarray(c._value) for c in closed.consts]
    env.update(zip(closed.jaxpr.constvars, consts, strict=True))
    for eqn in closed.eqns:
        read = [np.asarray(v.array._value) if type(v) is Literal else env[v] for v in eqn.invars]  # type: ignore[index]
        env.update(zip(eqn.outvars, noise._equation(eqn, read), strict=True))
    return env


def _quietly(fails: Fails, closed: ClosedJaxpr, values: list[Any]) -> bool:
    try:
        return fails(closed, values)
    except Exception:  # another failure than the one that is looked for
        return False
