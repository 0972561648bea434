"""Runs the programs inside of an equation: rounds of loops, the chosen branch, called functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adlib.core import ClosedJaxpr, Eqn
from adlib.core.jaxpr import eval_jaxpr

_CALLS = ("call_jaxpr", "jaxpr", "fun_jaxpr")

Run = tuple[str, ClosedJaxpr, list[Any], list[Any]]


def nested_runs(eqn: Eqn, operands: list[Any]) -> Iterator[Run]:
    """Every run of a program inside of ``eqn``, as (where, program, arguments, results).

    ``where`` says which run: ``round 3``, ``branch 1``; it is empty for a called function.
    There are none for equations without programs, and for those whose programs are not run on
    the operands as they are.

    >>> import adlib, adlib.numpy as jnp
    >>> loop = lambda x: adlib.lax.fori_loop(0, 3, lambda i, c: c * 2.0, x)
    >>> (eqn,) = adlib.make_jaxpr(loop)(1.0).eqns
    >>> scan = [jnp.asarray(0), jnp.asarray(1.0)]
    >>> [where for where, *_ in nested_runs(eqn, scan)]
    ['round 0', 'round 1', 'round 2']
    """
    name, params = eqn.primitive.name, eqn.params
    if name == "scan":
        yield from _scan(params, operands)
    elif name == "while":
        yield from _while(params, operands)
    elif name == "cond":
        choice = int(operands[0])
        branches = params["branches"]
        chosen = min(max(choice, 0), len(branches) - 1)
        yield _run(f"branch {chosen}", branches[chosen], operands[1:])
    else:
        found = [params[key] for key in _CALLS if isinstance(params.get(key), ClosedJaxpr)]
        if len(found) == 1 and len(found[0].in_avals) == len(operands):
            yield _run("", found[0], operands)


def _run(where: str, closed: ClosedJaxpr, args: list[Any]) -> Run:
    return where, closed, args, eval_jaxpr(closed.jaxpr, closed.consts, *args)


def _scan(params: dict[str, Any], operands: list[Any]) -> Iterator[Run]:
    consts_count, carry_count = params["num_consts"], params["num_carry"]
    consts, rest = operands[:consts_count], operands[consts_count:]
    carry, slices = rest[:carry_count], rest[carry_count:]
    rounds = range(params["length"])
    for i in reversed(rounds) if params["reverse"] else rounds:
        run = _run(f"round {i}", params["jaxpr"], [*consts, *carry, *[x[i] for x in slices]])
        yield run
        carry = run[3][:carry_count]


def _while(params: dict[str, Any], operands: list[Any]) -> Iterator[Run]:
    first, second = params["cond_nconsts"], params["body_nconsts"]
    condition, body = params["cond_jaxpr"], params["body_jaxpr"]
    tests, consts = operands[:first], operands[first : first + second]
    carry, i = operands[first + second :], 0
    while bool(eval_jaxpr(condition.jaxpr, condition.consts, *tests, *carry)[0]):
        run = _run(f"round {i}", body, [*consts, *carry])
        yield run
        carry, i = run[3], i + 1
