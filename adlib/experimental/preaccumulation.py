"""Jacobians by elimination of vertices: all orders between forward and reverse mode, and beyond.

A program is a graph: variables are vertices, and on the edge from a to b stands the local
derivative ∂b/∂a. Eliminating a vertex v joins each edge into it with each edge out of it: the
product of the two is added to the derivative between their far ends. When only inputs and outputs
are left, the edges hold the Jacobian. Eliminating first to last is forward mode, last to first is
reverse mode; the best order can need fewer multiplications than both (Griewank and Reese 1991;
Naumann 2004). To find it is NP-complete, so Markowitz' greedy rule is the default, and the exact
optimum is for small programs.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from adlib import numpy as jnp
from adlib.api.compilation import make_jaxpr
from adlib.api.jacobians import jacfwd
from adlib.base import tree
from adlib.base.source import here
from adlib.control.custom_jvp import custom_jvp
from adlib.core import dtypes
from adlib.core.array import as_value
from adlib.core.avals import Zero
from adlib.core.jaxpr import ClosedJaxpr, Eqn, Literal, Var
from adlib.core.printer import variable_names
from adlib.ops.reshaping import instantiate

MOST_FOR_OPTIMUM = 16  # intermediate variables: the search looks at up to 2**16 sets of them
ORDERS = ("forward", "reverse", "markowitz", "optimal")

Edges = dict[int, dict[int, None]]  # of each vertex, the vertices that its edges lead to


class Plan(NamedTuple):
    """An order of elimination and what it costs.

    Attributes:
      order: names of the intermediate variables, as in the printed jaxpr, as eliminated.
      multiplications: of numbers, over all products of local derivatives.
      additions: of products to derivatives that are there already.
      equations: of the program, by variable: what each vertex is.
    """

    order: tuple[str, ...]
    multiplications: int
    additions: int
    equations: dict[str, str]


class _Graph(NamedTuple):
    """The graph of a program: sizes and edges by vertex number, and who is what."""

    sizes: list[int]
    before: Edges
    after: Edges
    inputs: list[int]
    outputs: list[int | None]
    vertex: dict[Var, int]

    def middle(self) -> list[int]:
        ends = {*self.inputs, *(o for o in self.outputs if o is not None)}
        return [v for v in range(len(self.sizes)) if v not in ends]


# ------------------------------------------------------------------------ the API


def preaccumulate(fun: Callable[..., Any], order: str = "markowitz") -> Callable[..., Any]:
    """``fun``, whose derivatives multiply with its Jacobian, accumulated at the primal values.

    It pays for functions of few numbers with long bodies that are differentiated many times, or in
    several directions: whatever ``fun`` computes, its pushforward is one matrix product.

    Args:
      fun: a function of arrays (pytrees of them), without loops that depend on values.
      order: of elimination: ``"markowitz"``, ``"forward"``, ``"reverse"`` or ``"optimal"``.

    Raises:
      ValueError: another order; ``"optimal"`` for more than 16 intermediate variables.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.experimental.preaccumulation import preaccumulate
    >>> f = preaccumulate(lambda x, y: jnp.sin(x * y) * x)
    >>> adlib.grad(f)(1.0, 2.0).round(4)
    Array(0.077, dtype=float32)
    """
    _check_order("preaccumulate", order)

    @custom_jvp
    def wrapped(*args: Any) -> Any:
        return fun(*args)

    @wrapped.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        leaves, in_tree = tree.flatten(primals)
        closed, out_tree = _traced(fun, in_tree, leaves)
        outs, blocks = _accumulated(closed, leaves, order)
        ts = [t.reshape(-1) for t in tree.leaves(tangents)]
        moved = []
        for out, row in zip(outs, blocks, strict=True):
            total = jnp.zeros(out.size, out.dtype)
            for block, t in zip(row, ts, strict=True):
                if block is not None:
                    total = total + block @ t
            moved.append(_tangent(out, total))
        return tree.unflatten(out_tree, outs), tree.unflatten(out_tree, moved)

    wrapped.__name__ = f"preaccumulated_{getattr(fun, '__name__', 'function')}"
    return wrapped


def _tangent(out: Any, total: Any) -> Any:
    if not dtypes.is_inexact(out.dtype):
        return instantiate(Zero.like(out))
    return total.reshape(out.shape)


def accumulated_jacobian(fun: Callable[..., Any], order: str = "markowitz") -> Callable[..., Any]:
    """A function that gives the Jacobian of ``fun`` in all its arguments, by elimination.

    Returns:
      A function of the same arguments; its result is the structure of ``fun``'s result, with, for
      each array, a tuple of the derivatives by the arguments, as ``jacobian`` with all argnums
      gives it.

    >>> import adlib.numpy as jnp
    >>> from adlib.experimental.preaccumulation import accumulated_jacobian
    >>> accumulated_jacobian(lambda x, y: x * y)(2.0, 3.0)
    (Array(3., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True))
    """
    _check_order("accumulated_jacobian", order)

    def jacobian(*args: Any) -> Any:
        leaves, in_tree = tree.flatten(args)
        closed, out_tree = _traced(fun, in_tree, leaves)
        outs, blocks = _accumulated(closed, leaves, order)

        def one(out: Any, row: Sequence[Any]) -> Any:
            parts = [
                jnp.zeros((*out.shape, *jnp.shape(x)), out.dtype)
                if block is None
                else block.reshape(*out.shape, *jnp.shape(x))
                for block, x in zip(row, leaves, strict=True)
            ]
            return tree.unflatten(in_tree, parts)

        return tree.unflatten(out_tree, [one(o, row) for o, row in zip(outs, blocks, strict=True)])

    return jacobian


def elimination_plan(fun: Callable[..., Any], order: str = "markowitz") -> Callable[..., Plan]:
    """A function that gives the order of elimination for arguments of these types, and its cost.

    >>> import adlib.numpy as jnp
    >>> from adlib.experimental.preaccumulation import elimination_plan
    >>> def f(a, b):
    ...     y = jnp.sin(jnp.exp(a * b))
    ...     return y * a, y * b
    >>> for order in ("forward", "reverse", "markowitz", "optimal"):
    ...     print(order, elimination_plan(f, order)(1.0, 2.0).multiplications)
    forward 8
    reverse 8
    markowitz 7
    optimal 7
    """
    _check_order("elimination_plan", order)

    def plan(*args: Any) -> Plan:
        leaves, in_tree = tree.flatten(args)
        closed, _ = _traced(fun, in_tree, leaves)
        graph = _graph(closed)
        chosen = _order(graph, order)
        multiplications, additions = _cost(graph, chosen)
        names = variable_names(closed.jaxpr)
        by_number = {number: names.get(var, "_") for var, number in graph.vertex.items()}
        equations = {
            names.get(v, "_"): eqn.primitive.name for eqn in closed.eqns for v in eqn.outvars
        }
        return Plan(tuple(by_number[v] for v in chosen), multiplications, additions, equations)

    return plan


def _check_order(name: str, order: str) -> None:
    if order not in ORDERS:
        raise ValueError(
            f"{name} takes the orders {', '.join(ORDERS)}; it was given {order!r}.{here()}"
        )


# --------------------------------------------------------------------- the program


def _traced(fun: Any, in_tree: Any, leaves: Sequence[Any]) -> tuple[ClosedJaxpr, Any]:
    """The program of flat arguments with calls opened, and the structure of its result."""
    out_tree: Any = None

    def flat(*values: Any) -> Any:
        nonlocal out_tree
        outs, out_tree = tree.flatten(fun(*tree.unflatten(in_tree, values)))
        return outs

    closed = make_jaxpr(flat)(*leaves)
    while any(eqn.primitive.name == "jit" for eqn in closed.eqns):
        closed = make_jaxpr(_opened(closed))(*leaves)
    return closed, out_tree


def _opened(closed: ClosedJaxpr) -> Callable[..., Any]:
    """A function that runs the program, its jitted calls equation by equation."""

    def run(*args: Any) -> list[Any]:
        env: dict[Var, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        env.update(zip(closed.jaxpr.invars, args, strict=True))
        for eqn in closed.eqns:
            values = [_read(env, atom) for atom in eqn.invars]
            if eqn.primitive.name == "jit":
                inner = eqn.params["jaxpr"]
                outs = _opened(inner)(*values)
            else:
                outs = _applied(eqn, values)
            env.update(zip(eqn.outvars, outs, strict=True))
        return [_read(env, atom) for atom in closed.jaxpr.outvars]

    return run


def _read(env: dict[Var, Any], atom: Any) -> Any:
    return atom.array if isinstance(atom, Literal) else as_value(env[atom])


def _applied(eqn: Eqn, values: Sequence[Any]) -> list[Any]:
    out = eqn.primitive.bind(*values, **eqn.params)
    return list(out) if eqn.primitive.multiple_results else [out]


def _carries(atom: Any) -> bool:
    return isinstance(atom, Var) and dtypes.is_inexact(atom.aval.dtype)


def _graph(closed: ClosedJaxpr) -> _Graph:
    """Vertices are floating variables that depend on an input; an output has its own vertex only
    if nothing else reads it."""
    jaxpr = closed.jaxpr
    vertex: dict[Var, int] = {}
    sizes: list[int] = []
    before: Edges = {}
    after: Edges = {}

    def add(var: Var) -> int:
        vertex[var] = len(sizes)
        sizes.append(var.aval.size)
        before[vertex[var]], after[vertex[var]] = {}, {}
        return vertex[var]

    inputs = [add(var) for var in jaxpr.invars]
    for eqn in jaxpr.eqns:
        sources = dict.fromkeys(vertex[a] for a in eqn.invars if _carries(a) and a in vertex)
        if not sources:
            continue
        for var in eqn.outvars:
            if _carries(var):
                target = add(var)
                for source in sources:
                    before[target][source] = None
                    after[source][target] = None
    outputs = [vertex.get(a) if _carries(a) else None for a in jaxpr.outvars]
    return _Graph(sizes, before, after, inputs, outputs, vertex)


# -------------------------------------------------------------------------- orders


def _order(graph: _Graph, order: str) -> list[int]:
    middle = graph.middle()
    if order == "forward":
        return middle
    if order == "reverse":
        return middle[::-1]
    return _greedy(graph) if order == "markowitz" else _optimum(graph)


def _copy(edges: Edges) -> Edges:
    return {v: dict(ends) for v, ends in edges.items()}


def _eliminate(graph: _Graph, before: Edges, after: Edges, v: int) -> tuple[int, int]:
    """Take a vertex out of a graph of edges; gives multiplications and additions."""
    multiplications = additions = 0
    for source in before[v]:
        for target in after[v]:
            multiplications += graph.sizes[source] * graph.sizes[v] * graph.sizes[target]
            additions += graph.sizes[source] * (graph.sizes[v] - 1) * graph.sizes[target]
            if target in after[source]:
                additions += graph.sizes[source] * graph.sizes[target]
            after[source][target] = None
            before[target][source] = None
    for source in before.pop(v):
        del after[source][v]
    for target in after.pop(v):
        del before[target][v]
    return multiplications, additions


def _cost(graph: _Graph, order: Sequence[int]) -> tuple[int, int]:
    before, after = _copy(graph.before), _copy(graph.after)
    counts = [_eliminate(graph, before, after, v) for v in order]
    return sum(m for m, _ in counts), sum(a for _, a in counts)


def _degree(graph: _Graph, before: Edges, after: Edges, v: int) -> int:
    """Markowitz' number: what eliminating the vertex costs now."""
    into = sum(graph.sizes[s] for s in before[v])
    out = sum(graph.sizes[t] for t in after[v])
    return into * graph.sizes[v] * out


def _greedy(graph: _Graph) -> list[int]:
    """Always the vertex that is cheapest now, the first of several."""
    before, after = _copy(graph.before), _copy(graph.after)
    rest, order = set(graph.middle()), []
    while rest:
        v = min(rest, key=lambda v: (_degree(graph, before, after, v), v))
        _eliminate(graph, before, after, v)
        rest.remove(v)
        order.append(v)
    return order


def _optimum(graph: _Graph) -> list[int]:
    """The cheapest order: a shortest path through the sets of eliminated vertices, since the
    graph that is left depends on the set only."""
    middle = graph.middle()
    if len(middle) > MOST_FOR_OPTIMUM:
        raise ValueError(
            f"order='optimal' is for programs of at most {MOST_FOR_OPTIMUM} intermediate "
            f"variables; this one has {len(middle)}.{here()}\n  Repair: order='markowitz'."
        )
    full = (1 << len(middle)) - 1
    best: dict[int, tuple[int, int]] = {0: (0, -1)}
    settled: set[int] = set()
    queue = [(0, 0)]
    while queue:
        cost, done = heapq.heappop(queue)
        if done in settled:
            continue
        settled.add(done)
        if done == full:
            break
        before, after = _copy(graph.before), _copy(graph.after)
        for i, v in enumerate(middle):
            if done >> i & 1:
                _eliminate(graph, before, after, v)
        for i, v in enumerate(middle):
            if not done >> i & 1:
                following = done | 1 << i
                total = cost + _degree(graph, before, after, v)
                if following not in best or total < best[following][0]:
                    best[following] = (total, i)
                    heapq.heappush(queue, (total, following))
    order, at = [], full
    while at:
        i = best[at][1]
        order.append(middle[i])
        at &= ~(1 << i)
    return order[::-1]


# -------------------------------------------------------------------- accumulation


def _accumulated(
    closed: ClosedJaxpr, leaves: Sequence[Any], order: str
) -> tuple[list[Any], list[list[Any]]]:
    """The results, and for each a row of blocks (size of result, size of input), None for zero."""
    graph = _graph(closed)
    env: dict[Var, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    env.update(zip(closed.jaxpr.invars, leaves, strict=True))
    blocks: dict[tuple[int, int], Any] = {}
    for eqn in closed.eqns:
        values = [_read(env, atom) for atom in eqn.invars]
        outs = _applied(eqn, values)
        env.update(zip(eqn.outvars, outs, strict=True))
        _local_derivatives(graph, eqn, values, blocks)
    before, after = _copy(graph.before), _copy(graph.after)
    for v in _order(graph, order):
        for source in before[v]:
            for target in after[v]:
                share = blocks[v, target] @ blocks[source, v]
                known = blocks.get((source, target))
                blocks[source, target] = share if known is None else known + share
        _eliminate(graph, before, after, v)
    outs = [_read(env, atom) for atom in closed.jaxpr.outvars]
    return outs, [_row(graph, out, blocks, before, after) for out in graph.outputs]


def _row(graph: _Graph, out: int | None, blocks: Any, before: Edges, after: Edges) -> list[Any]:
    """The blocks of one result; where it feeds another result, the way through it counts for that
    one only, so paths between results are walked here."""
    if out is None:
        return [None] * len(graph.inputs)
    found: dict[int, Any] = {}

    def down(v: int) -> dict[int, Any]:
        if v in graph.inputs:
            return {v: None}
        total: dict[int, Any] = {}
        for source in before[v]:
            for start, rest in down(source).items():
                share = blocks[source, v] if rest is None else blocks[source, v] @ rest
                total[start] = share if start not in total else total[start] + share
        return total

    found = down(out)
    row = []
    for i in graph.inputs:
        if i == out:
            row.append(jnp.eye(graph.sizes[i]))
        else:
            row.append(found.get(i))
    return row


def _local_derivatives(
    graph: _Graph, eqn: Eqn, values: Sequence[Any], blocks: dict[tuple[int, int], Any]
) -> None:
    """The Jacobians of one equation, by forward mode in each variable that it reads."""
    targets = [(i, graph.vertex[v]) for i, v in enumerate(eqn.outvars) if v in graph.vertex]
    sources = dict.fromkeys(a for a in eqn.invars if _carries(a) and a in graph.vertex)
    if not targets:
        return
    for var in sources:

        def of_one(x: Any, var: Any = var) -> list[Any]:
            moved = [
                x if atom is var else value for atom, value in zip(eqn.invars, values, strict=True)
            ]
            outs = _applied(eqn, moved)
            return [outs[i].reshape(-1) for i, _ in targets]

        start = values[[i for i, atom in enumerate(eqn.invars) if atom is var][0]]
        slopes = jacfwd(of_one)(start)
        for (_, target), slope in zip(targets, slopes, strict=True):
            blocks[graph.vertex[var], target] = slope.reshape(slope.shape[0], -1)


__all__ = ["Plan", "accumulated_jacobian", "elimination_plan", "preaccumulate"]
