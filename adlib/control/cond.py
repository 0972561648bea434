"""cond and switch: one of several programs, chosen by an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import (
    name_of,
    values_of,
)
from adlib.control.functions import (
    arrays,
    check_same_structure,
    evaluate,
    trace,
    zero_mask,
)
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl, as_value, scalar
from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero, same_type
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.primitive import define_primitive
from adlib.core.program import Compile, program
from adlib.interpreters.batch import at_front, batch_jaxpr
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.linearize import Tape, partial_eval_jaxpr
from adlib.interpreters.stage import stage
from adlib.interpreters.transpose import transpose_jaxpr
from adlib.ops.arithmetic import ne
from adlib.ops.conversion import convert_element_type
from adlib.ops.reshaping import broadcast_in_dim, instantiate, moveaxis
from adlib.ops.selection import clamp, select_n

Branches = tuple[ClosedJaxpr, ...]


def _shape(index: ShapedArray, *avals: ShapedArray, branches: Branches) -> list[ShapedArray]:
    return branches[0].out_avals


def _kernel(xp: Any, branches: Branches, compiled: Compile = program) -> Callable[..., Any]:
    last = len(branches) - 1

    def run(index: Any, *args: Any) -> Any:
        # a branch is made a program when it is first taken
        return compiled(branches[min(max(int(index), 0), last)], xp)(*args)

    return run


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, branches: Branches
) -> tuple[list[Any], list[Any]]:
    index, *args = primals
    nonzero = zero_mask(tangents[1:])
    masks = [jvp_jaxpr(b, nonzero)[1] for b in branches]
    union = [any(column) for column in zip(*masks, strict=True)]
    pushed = tuple([jvp_jaxpr(b, nonzero, union)[0] for b in branches])
    given = [t for t in tangents[1:] if type(t) is not Zero]
    outs = cond_p.bind(index, *args, *given, branches=pushed)
    count = len(union)
    rest = iter(outs[count:])
    return outs[:count], [
        next(rest) if m else Zero.like(o) for o, m in zip(outs[:count], union, strict=True)
    ]


def _batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, branches: Branches
) -> tuple[list[Any], list[Any]]:
    index, *operands = args
    batched = [d is not None for d in dims[1:]]
    moved = [x if d is None else moveaxis(x, d, 0) for x, d in zip(operands, dims[1:], strict=True)]
    if dims[0] is not None:
        # each example may choose another branch: all run, and the choice becomes a selection
        results = []
        for branch in branches:
            mapped, _ = batch_jaxpr(branch, axis, batched, True)
            results.append(evaluate(mapped, *moved))
        which = clamp(np.int32(0), at_front(axis, index, dims[0]), np.int32(len(branches) - 1))
        outs = [_select(which, list(cases)) for cases in zip(*results, strict=True)]
        return outs, [0] * len(outs)
    masks = [batch_jaxpr(b, axis, batched)[1] for b in branches]
    union = [any(column) for column in zip(*masks, strict=True)]
    mapped_branches = tuple([batch_jaxpr(b, axis, batched, union)[0] for b in branches])
    outs = cond_p.bind(index, *moved, branches=mapped_branches)
    return outs, [0 if m else None for m in union]


def _select(which: Any, cases: list[Any]) -> Any:
    if len(cases) == 1:
        return cases[0]
    shape = cases[0].aval.shape
    if len(cases) == 2:
        which = convert_element_type(which, np.dtype(bool))
    return select_n(broadcast_in_dim(which, shape, (0,)), *cases)


def _partial_eval(tape: Tape, args: Sequence[Any], *, branches: Branches) -> list[Any]:
    index, *operands = args
    if tape.owns(index):
        return tape.record(cond_p, args, {"branches": branches})
    unknown = [tape.owns(a) for a in operands]
    masks = [partial_eval_jaxpr(b, unknown).out_unknown for b in branches]
    union = [any(column) for column in zip(*masks, strict=True)]
    splits = [partial_eval_jaxpr(b, unknown, union) for b in branches]
    counts = [s.residuals for s in splits]
    res_avals = [s.known.out_avals[len(s.known.out_avals) - s.residuals :] for s in splits]
    known = tuple(_with_residuals(s.known, i, counts, res_avals) for i, s in enumerate(splits))
    unknown_jaxprs = tuple(
        _taking_residuals(s.unknown, i, counts, res_avals) for i, s in enumerate(splits)
    )
    known_args = [a for a, u in zip(operands, unknown, strict=True) if not u]
    outs = cond_p.bind(index, *known_args, branches=known)
    total = sum(counts)
    residuals = outs[len(outs) - total :] if total else []
    inputs = [index, *residuals, *[a for a, u in zip(operands, unknown, strict=True) if u]]
    unknown_outs = iter(tape.record(cond_p, inputs, {"branches": unknown_jaxprs}))
    known_outs = iter(outs)
    return [next(unknown_outs) if u else next(known_outs) for u in union]


def _with_residuals(
    known: ClosedJaxpr, mine: int, counts: list[int], avals: list[list[ShapedArray]]
) -> ClosedJaxpr:
    """A branch that returns residuals for all branches: zeros for those that are not its own."""

    def run(*args: Any) -> list[Any]:
        outs = evaluate(known, *args)
        split = len(outs) - counts[mine]
        residuals = [
            outs[split:] if i == mine else [instantiate(Zero(a)) for a in group]
            for i, group in enumerate(avals)
        ]
        return [*outs[:split], *[r for group in residuals for r in group]]

    return stage(run, known.in_avals)


def _taking_residuals(
    unknown: ClosedJaxpr, mine: int, counts: list[int], avals: list[list[ShapedArray]]
) -> ClosedJaxpr:
    start, total = sum(counts[:mine]), sum(counts)

    def run(*args: Any) -> list[Any]:
        return evaluate(unknown, *args[start : start + counts[mine]], *args[total:])

    rest = unknown.in_avals[counts[mine] :]
    return stage(run, [*[a for group in avals for a in group], *rest])


def _transpose(cts: Sequence[Any], index: Any, *args: Any, branches: Branches) -> list[Any]:
    linear = [type(a) is UndefinedPrimal for a in args]
    nonzero = zero_mask(cts)
    pairs = [transpose_jaxpr(b, linear, nonzero) for b in branches]
    union = [any(column) for column in zip(*[mask for _, mask in pairs], strict=True)]
    avals = [a.aval for a in args if type(a) is UndefinedPrimal]
    transposed = tuple(_filled(t, mask, union, avals) for t, mask in pairs)
    known = [a for a in args if type(a) is not UndefinedPrimal]
    given = [ct for ct in cts if type(ct) is not Zero]
    outs = iter(cond_p.bind(index, *known, *given, branches=transposed))
    flags = iter(union)
    return [None, *[next(outs) if lin and next(flags) else None for lin in linear]]


def _filled(
    closed: ClosedJaxpr, mask: list[bool], union: list[bool], avals: list[ShapedArray]
) -> ClosedJaxpr:
    """The program with zeros for results that only other branches have."""
    if mask == union:
        return closed

    def run(*args: Any) -> list[Any]:
        outs = iter(evaluate(closed, *args))
        full = [next(outs) if m else Zero(a) for m, a in zip(mask, avals, strict=True)]
        return arrays([x for x, u in zip(full, union, strict=True) if u])

    return stage(run, closed.in_avals)


cond_p = define_primitive(
    "cond",
    shape=_shape,
    kernel=_kernel,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    partial_eval=_partial_eval,
    multiple_results=True,
    first_order=False,
)


def _bind(index: Array, branches: Sequence[Callable[..., Any]], operands: Any, what: str) -> Any:
    values, in_tree = values_of(tuple(operands), what)
    avals = [v.aval for v in values]
    traced = [trace(f, in_tree, avals, what) for f in branches]
    names = [name_of(f) for f in branches]
    check_same_structure(f"{what} branch outputs", names, [t for _, _, t in traced])
    jaxprs = _join_consts([(closed, consts) for closed, consts, _ in traced])
    closed, consts = jaxprs
    closed = _settle_outputs(closed, names, what)
    outs = cond_p.bind(index, *consts, *values, branches=tuple(closed))
    return tree.unflatten(traced[0][2], outs)


def _join_consts(
    traced: list[tuple[ClosedJaxpr, list[Any]]],
) -> tuple[list[ClosedJaxpr], list[Any]]:
    """All branches take the tracers that any of them closes over."""
    merged: dict[int, Any] = {id(c): c for _, consts in traced for c in consts}
    if not merged:
        return [closed for closed, _ in traced], []
    order = list(merged)
    avals = [c.aval for c in merged.values()]
    results = []
    for closed, consts in traced:
        positions = [order.index(id(c)) for c in consts]

        def run(*args: Any, closed: Any = closed, positions: Any = positions) -> list[Any]:
            return evaluate(closed, *[args[p] for p in positions], *args[len(order) :])

        results.append(stage(run, [*avals, *closed.in_avals[len(consts) :]]))
    return results, list(merged.values())


def _settle_outputs(branches: list[ClosedJaxpr], names: list[str], what: str) -> list[ClosedJaxpr]:
    """Branches with results of the same types; a weak type gives way to a strong one."""
    first = branches[0].out_avals
    for name, other in zip(names[1:], branches[1:], strict=True):
        for i, (a, b) in enumerate(zip(first, other.out_avals, strict=True)):
            if a.shape != b.shape or a.dtype != b.dtype:
                raise TypeError(
                    f"{what} branches must have equal output types, but result {i} of "
                    f"{names[0]} has type {a.str_short()} and that of {name} {b.str_short()}."
                    f"{here()}\n  Repair: make shapes equal and convert with x.astype(...)."
                )
    targets = [
        ShapedArray(avals[0].shape, *dtypes.promote(*[(a.dtype, a.weak_type) for a in avals]))
        for avals in zip(*[b.out_avals for b in branches], strict=True)
    ]
    return [_converted(b, targets) for b in branches]


def _converted(closed: ClosedJaxpr, targets: list[ShapedArray]) -> ClosedJaxpr:
    if all(same_type(a, t) for a, t in zip(closed.out_avals, targets, strict=True)):
        return closed

    def run(*args: Any) -> list[Any]:
        outs = evaluate(closed, *args)
        return [convert_element_type(o, t.dtype) for o, t in zip(outs, targets, strict=True)]

    return stage(run, closed.in_avals)


_no_operand = object()


def cond(
    pred: Any,
    true_fun: Any,
    false_fun: Any,
    *operands: Any,
    operand: Any = _no_operand,
    linear: Any = None,
) -> Any:
    """``true_fun(*operands)`` if ``pred`` else ``false_fun(*operands)``; only one of them runs.

    Under vmap with a batched ``pred`` both run and each example's result is selected.

    Args:
      pred: boolean (or numeric) scalar.
      true_fun, false_fun: functions of the operands, with results of one structure and type.
      operand: one operand by keyword, in place of ``operands``.
      linear: accepted and ignored.

    The order of older programs, ``cond(pred, x, true_fun, y, false_fun)``, which gives each
    function its own operand, is understood as well.

    >>> from adlib import lax
    >>> lax.cond(True, lambda x: x + 1.0, lambda x: x - 1.0, 5.0)
    Array(6., dtype=float32, weak_type=True)
    """
    if operand is not _no_operand:
        if operands:
            raise TypeError(f"lax.cond: operand= was given besides positional operands.{here()}")
        operands = (operand,)
    if len(operands) == 2 and callable(false_fun) and callable(operands[1]):
        if not callable(true_fun) or not callable(operands[0]):
            first, second = false_fun, operands[1]
            operands = (true_fun, operands[0])
            true_fun, false_fun = (lambda x, _: first(x)), (lambda _, y: second(y))
    if not callable(true_fun) or not callable(false_fun):
        raise TypeError(
            "lax.cond: true_fun and false_fun arguments should be callable, got "
            f"{type(true_fun)} and {type(false_fun)}.{here()}\n  Repair: lax.cond(pred, lambda "
            "x: ..., lambda x: ..., x); to choose between two values use jnp.where."
        )
    value = as_value(pred, "cond")
    if value.aval.shape:
        raise TypeError(
            f"Pred must be a scalar, got {pred!r} of shape {value.aval.shape}.{here()}\n  "
            "Repair: reduce it with jnp.any or jnp.all, or choose element by element with "
            "jnp.where."
        )
    if value.aval.dtype.kind not in "biuf":
        raise TypeError(f"Pred type must be either boolean or number, got {value.aval.dtype}.")
    if type(value) is ArrayImpl:  # a known choice stays a constant of a traced program
        index = scalar(int(bool(value)), np.dtype(np.int32))
    else:
        if value.aval.dtype.kind != "b":
            value = ne(value, scalar(0, value.aval.dtype))
        index = convert_element_type(value, np.dtype(np.int32))
    return _bind(index, (false_fun, true_fun), operands, "cond")


def switch(
    index: Any,
    branches: Sequence[Callable[..., Any]],
    *operands: Any,
    operand: Any = _no_operand,
) -> Any:
    """``branches[index](*operands)``, the index clamped into range; only one branch runs.

    ``operand`` is one operand by keyword, in place of ``operands``.

    >>> from adlib import lax
    >>> lax.switch(1, [lambda x: x, lambda x: -x], 2.0)
    Array(-2., dtype=float32, weak_type=True)
    """
    if operand is not _no_operand:
        if operands:
            raise TypeError(f"lax.switch: operand= was given besides positional operands.{here()}")
        operands = (operand,)
    if not all(callable(f) for f in branches):
        raise TypeError(f"lax.switch: branches argument should be a sequence of callables.{here()}")
    if len(branches) == 0:
        raise ValueError(f"Empty branch sequence: lax.switch needs at least one.{here()}")
    value = as_value(index, "switch")
    if value.aval.shape or value.aval.dtype.kind not in "iu":
        raise TypeError(
            f"Index type must be an integer scalar, got {value.aval.str_short()}.{here()}"
        )
    if len(branches) == 1:
        return branches[0](*operands)
    value = convert_element_type(value, np.dtype(np.int32))
    return _bind(
        clamp(np.int32(0), value, np.int32(len(branches) - 1)), branches, operands, "switch"
    )
