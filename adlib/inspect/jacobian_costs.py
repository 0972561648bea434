"""What one JVP and one VJP of a function cost, counted in its programs."""

from __future__ import annotations

from dataclasses import dataclass

from adlib.core import ClosedJaxpr, Jaxpr
from adlib.core.dtypes import is_inexact
from adlib.inspect.costs import flops
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.linearize import partial_eval_jaxpr
from adlib.interpreters.transpose import transpose_jaxpr


@dataclass(frozen=True, slots=True)
class DerivativeCosts:
    """Arithmetic operations of a function and of its derivatives at a point.

    Attributes:
      function: of one evaluation.
      jvp: of one pushforward, the function's value included.
      vjp: of one pullback: the forward sweep that keeps residuals, and the reverse sweep; None
        where there is no reverse mode.
      complete: whether all operations were counted; library calls and loops of unknown length
        are not.
    """

    function: int
    jvp: int
    vjp: int | None
    complete: bool = True


def derivative_costs(closed: ClosedJaxpr, active: list[bool]) -> DerivativeCosts:
    """Count the operations of a program, its pushforward and its pullback.

    Args:
      closed: the program.
      active: which of its inputs carry a tangent.

    >>> import adlib, adlib.numpy as jnp
    >>> derivative_costs(adlib.make_jaxpr(lambda x: jnp.sin(x) * x)(1.0), [True])
    DerivativeCosts(function=2, jvp=7, vjp=7, complete=True)
    """
    count = len(closed.out_avals)
    pushed, mask = jvp_jaxpr(closed, active)
    plain, plain_complete = program_flops(closed)
    jvp, jvp_complete = program_flops(pushed)
    complete = plain_complete and jvp_complete
    if not any(mask):
        return DerivativeCosts(plain, jvp, plain, complete)
    unknown = [False] * len(closed.in_avals) + [True] * sum(active)
    split = partial_eval_jaxpr(pushed, unknown, [False] * count + [True] * sum(mask))
    linear = [False] * split.residuals + [True] * sum(active)
    try:
        transposed, _ = transpose_jaxpr(split.unknown, linear, [True] * sum(mask))
    except (NotImplementedError, ValueError):  # a while loop, for one
        return DerivativeCosts(plain, jvp, None, complete)
    (forward, forward_complete), (reverse, reverse_complete) = map(
        program_flops, (split.known, transposed)
    )
    return DerivativeCosts(
        plain, jvp, forward + reverse, complete and forward_complete and reverse_complete
    )


def program_flops(closed: ClosedJaxpr | Jaxpr) -> tuple[int, bool]:
    """Arithmetic operations of a program, and whether all of them were counted.

    Loops count their rounds, branches the dearest one.

    >>> import adlib
    >>> loop = lambda x: adlib.lax.fori_loop(0, 10, lambda i, c: c * x, x)
    >>> program_flops(adlib.make_jaxpr(loop)(1.0))
    (10, True)
    """
    jaxpr = closed.jaxpr if isinstance(closed, ClosedJaxpr) else closed
    total, complete = 0, True
    for eqn in jaxpr.eqns:
        name, params = eqn.primitive.name, eqn.params
        if name == "cond":
            counts = [program_flops(branch) for branch in params["branches"]]
            mine, whole = max(c for c, _ in counts), all(w for _, w in counts)
        elif name == "while":
            mine, whole = program_flops(params["body_jaxpr"])[0], False
        else:
            inner = params.get("jaxpr", params.get("call_jaxpr"))
            if isinstance(inner, (ClosedJaxpr, Jaxpr)):
                mine, whole = program_flops(inner)
                mine *= params.get("length", 1) if name == "scan" else 1
            else:
                found = flops(eqn)
                floats = any(is_inexact(var.aval.dtype) for var in eqn.outvars)
                mine, whole = found or 0, found is not None or not floats
        total += mine
        complete = complete and whole
    return total, complete
