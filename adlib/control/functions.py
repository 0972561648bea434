"""Functions given to control flow, traced to jaxprs with what they close over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.base.treedef import PyTreeDef
from adlib.control.calls import name_of
from adlib.control.jit import hoist_tracers
from adlib.core.array import Array, as_value
from adlib.core.avals import ShapedArray, Zero
from adlib.core.jaxpr import ClosedJaxpr, eval_jaxpr
from adlib.core.trace import state
from adlib.interpreters.stage import StageTrace, replay, stage
from adlib.ops.reshaping import instantiate


def trace(
    function: Callable[..., Any], in_tree: tree.PyTreeDef, avals: Sequence[ShapedArray], what: str
) -> tuple[ClosedJaxpr, list[Any], tree.PyTreeDef]:
    """(jaxpr, closed-over tracers, result structure); the tracers are the first inputs."""
    out_tree: Any = None

    def flat(*leaves: Any) -> list[Array]:
        nonlocal out_tree
        out, out_tree = tree.flatten(function(*tree.unflatten(in_tree, leaves)))
        return [as_value(x, f"{what}: the result of {name_of(function)}") for x in out]

    closed, consts = hoist_tracers(stage(flat, avals))
    return closed, consts, out_tree


def evaluate(closed: ClosedJaxpr, *args: Any) -> list[Any]:
    """Run a closed jaxpr under the current interpreter.

    A program that is staged anew, to reorder or complete it, keeps its equations' lines.
    """
    base = state.trace
    if type(base) is StageTrace and base.location is None:
        consts = [as_value(const) for const in closed.consts]
        return replay(closed.jaxpr, consts, [as_value(arg) for arg in args], base)
    return eval_jaxpr(closed.jaxpr, closed.consts, *args)


def reordered(
    closed: ClosedJaxpr,
    key: Any,
    in_order: Sequence[int],
    out_order: Sequence[int],
    in_avals: Sequence[ShapedArray] | None = None,
) -> ClosedJaxpr:
    """The jaxpr with inputs and outputs in another order: new place i takes old ``order[i]``.

    Inputs left out of ``in_order`` must be unused; further ``in_avals`` are ignored inputs.
    """

    def make() -> ClosedJaxpr:
        avals = in_avals if in_avals is not None else [closed.in_avals[i] for i in in_order]

        def run(*args: Any) -> list[Any]:
            old: list[Any] = [None] * len(closed.in_avals)
            for value, i in zip(args, in_order, strict=False):
                if i >= 0:
                    old[i] = value
            outs = evaluate(closed, *old)
            return [outs[i] for i in out_order]

        return stage(run, avals)

    result = closed.cached(("reordered", key, tuple(in_order), tuple(out_order)), make)
    return result  # type: ignore[no-any-return]


def zero_mask(values: Sequence[Any]) -> list[bool]:
    """Which tangents or cotangents are not symbolically zero."""
    return [type(v) is not Zero for v in values]


def arrays(values: Sequence[Any]) -> list[Any]:
    return [instantiate(v) for v in values]


def check_same_structure(what: str, names: Sequence[str], trees: Sequence[Any]) -> None:
    for name, other in zip(names[1:], trees[1:], strict=True):
        if other != trees[0]:
            raise TypeError(
                f"{what} must have the same pytree structure: "
                f"{names[0]} gives {PyTreeDef(trees[0])}, "
                f"{name} gives {PyTreeDef(other)}.{here()}\n"
                "  Repair: return the same nesting of tuples, lists and dicts from both."
            )


def carry_type_error(
    what: str, name: str, given: Sequence[Any], wanted: Sequence[Any]
) -> TypeError:
    lines = [
        f"  * component {i}: the carry goes in as {w.str_short()} and comes out as {g.str_short()}"
        for i, (g, w) in enumerate(zip(given, wanted, strict=True))
        if g.shape != w.shape or g.dtype != w.dtype
    ]
    return TypeError(
        f"{what}: {name} must return a carry of the type that it was given.{here()}\n"
        + "\n".join(lines)
        + "\n  A loop runs one program again and again, so types may not change between rounds. "
        "Repair: convert the initial value (jnp.float32(0), x.astype(...)) or the result."
    )


def settle_weak_types(
    trace_body: Callable[[list[ShapedArray]], tuple[Any, list[ShapedArray]]],
    carry: Sequence[Array],
    what: str,
    name: str,
) -> tuple[Any, list[ShapedArray]]:
    """Trace a loop's body until its carry's types repeat; weak types give way to strong ones."""
    avals = [c.aval for c in carry]
    for _ in range(3):
        traced, outs = trace_body(avals)
        if len(outs) != len(avals):
            return traced, avals
        if any(o.shape != a.shape for o, a in zip(outs, avals, strict=True)):
            raise carry_type_error(what, name, outs, avals)
        settled = [
            o.update(weak_type=False)
            if a.weak_type and o is not a and not (o.weak_type and o.dtype == a.dtype)
            else a
            for o, a in zip(outs, avals, strict=True)
        ]
        if settled == avals:
            if any(o.dtype != a.dtype for o, a in zip(outs, avals, strict=True)):
                raise carry_type_error(what, name, outs, avals)
            return traced, avals
        avals = settled
    raise carry_type_error(what, name, outs, avals)
