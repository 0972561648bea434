"""``%jaxpr``: the jaxpr of a call or of a cell, as text and drawn."""

from __future__ import annotations

from collections.abc import Sequence

import adlib
from adlib.inspect import leaf_names
from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.problems import Problem
from adlib_widgets import JaxprView, show_jaxpr


def jaxpr_of_call(
    call: Call,
    *,
    parts: Sequence[str] = ("text", "graph", "table"),
    depth: int | None = None,
) -> JaxprView:
    """Trace a call and show its jaxpr.

    Args:
      call: the function and its arguments.
      parts: what a notebook shows: ``"text"``, ``"graph"``, ``"table"``.
      depth: how many levels of nested jaxprs to draw open; None for all.

    Raises:
      Exception: whatever the function raises while it is traced, unchanged.
    """
    __tracebackhide__ = True
    return show_jaxpr(call.function, depth=depth, parts=parts)(*call.args, **call.kwargs)


def jaxpr_of_problem(
    problem: Problem,
    *,
    parts: Sequence[str] = ("text", "graph", "table"),
    depth: int | None = None,
) -> JaxprView:
    """Trace a function of named variables and show its jaxpr.

    Args:
      problem: the function, its variables' names and their values.
      parts, depth: as for ``jaxpr_of_call``.

    Raises:
      Exception: whatever the function raises while it is traced, unchanged.

    >>> jaxpr_of_problem(Problem(lambda x: x * 2.0, ("x",), (3.0,)))
    { lambda ; a:f32[]. let b:f32[] = mul a 2.0:f32[] in (b,) }
    """
    __tracebackhide__ = True
    jaxpr = adlib.make_jaxpr(problem.function)(*problem.values)
    named = zip(problem.names, problem.values, strict=True)
    names = [leaf for name, value in named for leaf in leaf_names(name, value)]
    values = adlib.tree_util.tree_leaves(problem.values)
    return JaxprView(jaxpr, input_names=names, parts=parts, depth=depth, values=values)
