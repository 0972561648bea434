"""Loops and branches that the host steers, over compiled programs.

A ``while`` reads its condition back in every round, a ``cond`` its index: one number, for which
the host waits. A ``scan`` comes here where its body has calls in it that cannot be recorded, or
more rounds than are worth writing down. What a round computes is a compiled program in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adlib.core.avals import physical_dtype
from adlib.core.jaxpr import ClosedJaxpr

Compile = Callable[[ClosedJaxpr], Callable[..., Any]]


def scan(
    xp: Any,
    compiled: Compile,
    *,
    jaxpr: ClosedJaxpr,
    length: int,
    reverse: bool,
    num_consts: int,
    num_carry: int,
    unroll: int,
) -> Callable[..., Any]:
    """The function of a ``scan``."""
    body = compiled(jaxpr)
    start = num_consts + num_carry
    stacked = [(a.shape, physical_dtype(a)) for a in jaxpr.out_avals[num_carry:]]
    order = range(length - 1, -1, -1) if reverse else range(length)

    def run(*args: Any) -> Any:
        consts, carry, xs = args[:num_consts], args[num_consts:start], args[start:]
        del args
        ys = [xp.empty((length, *shape), dtype) for shape, dtype in stacked]
        for i in order:
            outs = body(*consts, *carry, *[x[i] for x in xs])
            carry = outs[:num_carry]
            for y, out in zip(ys, outs[num_carry:], strict=True):
                y[i] = out
        return [*carry, *ys]

    return run


def while_(
    xp: Any,
    compiled: Compile,
    *,
    cond_jaxpr: ClosedJaxpr,
    body_jaxpr: ClosedJaxpr,
    cond_nconsts: int,
    body_nconsts: int,
) -> Callable[..., Any]:
    """The function of a ``while``."""
    condition, body = compiled(cond_jaxpr), compiled(body_jaxpr)
    start = cond_nconsts + body_nconsts

    def run(*args: Any) -> Any:
        cond_consts, body_consts = args[:cond_nconsts], args[cond_nconsts:start]
        carry = args[start:]
        del args
        while bool(condition(*cond_consts, *carry)[0]):
            carry = body(*body_consts, *carry)
        return carry

    return run


def cond(xp: Any, compiled: Compile, *, branches: tuple[ClosedJaxpr, ...]) -> Callable[..., Any]:
    """The function of a ``cond``; a branch is compiled when it is first taken."""
    last = len(branches) - 1

    def run(index: Any, *args: Any) -> Any:
        return compiled(branches[min(max(int(index), 0), last)])(*args)

    return run


FUNCTIONS: dict[str, Callable[..., Callable[..., Any]]] = {
    "scan": scan,
    "while": while_,
    "cond": cond,
}
