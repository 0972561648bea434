"""Simplification: passes from jaxpr to jaxpr, each in a file of its own.

``simplify`` runs them all, also on the programs inside of loops and branches; ``simplify_steps``
shows what each does. Results are those of the program before, bit for bit, with the exceptions
that the passes name (signs of zeros, and inf or NaN times a known zero), which are those that
every array compiler makes. Types may lose or gain weakness; shapes and dtypes stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from adlib.compile.simplify.algebra import simplify_algebra
from adlib.compile.simplify.branches import simplify_branches
from adlib.compile.simplify.common import merge_common
from adlib.compile.simplify.constants import fold_constants
from adlib.compile.simplify.dead_code import remove_dead_code
from adlib.compile.simplify.diagonals import use_diagonals
from adlib.compile.simplify.inlining import inline_calls
from adlib.compile.simplify.loop_sums import move_sums_out
from adlib.compile.simplify.loops import simplify_loops
from adlib.compile.simplify.matrix_functions import expand_matrix_functions
from adlib.compile.simplify.products import simplify_products
from adlib.compile.simplify.rewriting import Event, Log, counted, in_nested, same_program
from adlib.compile.simplify.shapes import simplify_shapes
from adlib.compile.simplify.special_functions import expand_special_functions
from adlib.core.jaxpr import ClosedJaxpr

Pass = Callable[[ClosedJaxpr, Log], ClosedJaxpr]


def _inside(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    return in_nested(closed, lambda inner: _cached(inner, log))


PASSES: dict[str, Pass] = {
    "inline calls": inline_calls,
    "matrix functions": expand_matrix_functions,
    "special functions": expand_special_functions,
    "remove dead code": remove_dead_code,
    "simplify the programs inside": _inside,
    "fold constants": fold_constants,
    "algebra": simplify_algebra,
    "shapes": simplify_shapes,
    "matrix products": simplify_products,
    "diagonal matrices": use_diagonals,
    "merge common equations": merge_common,
    "branches": simplify_branches,
    "loops": simplify_loops,
    "sums of loops": move_sums_out,
    "remove dead code again": remove_dead_code,
}
# Rounds until nothing changes any more; what one round leaves over is little.
ROUNDS = 3


class Step(NamedTuple):
    """One pass over a program.

    Attributes:
      name: the pass; empty for the program as it was given.
      closed: the program after it.
      summary: its counts in a line: ``"12 → 9 equations: 2 removed, 1 merged"``.
      events: what happened to which equation.
    """

    name: str
    closed: ClosedJaxpr
    summary: str
    events: list[Event]


def simplify(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The program with less to compute and the same results.

    >>> import adlib, adlib.numpy as jnp
    >>> simplify(adlib.make_jaxpr(lambda x: jnp.sin(x) * 1.0 + jnp.sin(x))(2.0))
    { lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = add b b in (c,) }
    """
    return _cached(closed, Log())


def _cached(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    found = closed.cache.get("simplified")
    if found is None:
        found = closed
        for step in _steps(closed, log):
            found = step.closed
        found.cache["simplified"] = found
        closed.cache["simplified"] = found
    return found


def simplify_steps(closed: ClosedJaxpr) -> list[Step]:
    """The program as given, and after each pass that changed it, with what was done.

    >>> import adlib, adlib.numpy as jnp
    >>> for step in simplify_steps(adlib.make_jaxpr(lambda x: (x * 1.0) + (x * 1.0))(2.0)):
    ...     print(step.name or "as given", "-", step.summary)
    as given - 3 equations
    algebra - 3 → 1 equation: 2 removed
    """
    steps = [Step("", closed, counted(len(closed.eqns), "equation"), [])]
    for step in _steps(closed, Log()):
        if step.events or not same_program(steps[-1].closed, step.closed):
            steps.append(step)
    return steps


def _steps(closed: ClosedJaxpr, log: Log) -> list[Step]:
    """Every pass, in rounds."""
    steps: list[Step] = []
    for _ in range(ROUNDS):
        before = closed
        for name, change in PASSES.items():
            seen = len(log.events)
            new = change(closed, log)
            events = log.events[seen:]
            steps.append(Step(name, new, _summary(closed, new, events), events))
            closed = new
        if same_program(before, closed):
            break
    return steps


def _summary(old: ClosedJaxpr, new: ClosedJaxpr, events: list[Event]) -> str:
    counts: dict[str, int] = {}
    for event in events:
        verb = event.what.split(":")[0].split(" ")[0]
        counts[verb] = counts.get(verb, 0) + 1
    words = ", ".join(f"{n} {verb}" for verb, n in counts.items())
    return f"{len(old.eqns)} → {counted(len(new.eqns), 'equation')}{': ' + words if words else ''}"


__all__ = ["PASSES", "ROUNDS", "Event", "Log", "Step", "simplify", "simplify_steps"]
