"""checkpoint: recompute a part of the program in the reverse sweep instead of storing it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import (
    merge_arguments,
    name_of,
    normalize_argnums,
    values_of,
)
from adlib.control.functions import evaluate, trace, zero_mask
from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero
from adlib.core.evaluate import EvalTrace
from adlib.core.jaxpr import ClosedJaxpr, Jaxpr, Var, dead_code_eliminated
from adlib.core.primitive import Sample, define_primitive
from adlib.core.program import program
from adlib.core.trace import fresh, state
from adlib.interpreters.batch import batch_jaxpr
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.linearize import LinearMap, Split, Tape, partial_eval_jaxpr
from adlib.interpreters.stage import stage
from adlib.interpreters.transpose import pull_back, transpose_jaxpr
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import moveaxis


def _shape(*avals: ShapedArray, jaxpr: ClosedJaxpr, **_: Any) -> list[ShapedArray]:
    return jaxpr.out_avals


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: ClosedJaxpr, **params: Any
) -> tuple[list[Any], list[Any]]:
    nonzero = zero_mask(tangents)
    given = [t for t in tangents if type(t) is not Zero]
    # Both parts stay behind the checkpoint: what depends on primals alone is computed now
    # by partial evaluation, what depends on tangents is recorded together with the primals.
    pushed, mask = jvp_jaxpr(jaxpr, nonzero)
    outs = remat_p.bind(*primals, *given, jaxpr=pushed, **params)
    count = len(mask)
    rest = iter(outs[count:])
    return outs[:count], [
        next(rest) if m else Zero.like(o) for o, m in zip(outs[:count], mask, strict=True)
    ]


def _batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, jaxpr: ClosedJaxpr, **params: Any
) -> tuple[list[Any], list[Any]]:
    mapped, mask = batch_jaxpr(jaxpr, axis, [d is not None for d in dims])
    moved = [x if d is None else moveaxis(x, d, 0) for x, d in zip(args, dims, strict=True)]
    outs = remat_p.bind(*moved, jaxpr=mapped, **params)
    return outs, [0 if m else None for m in mask]


def _partial_eval(tape: Tape, args: Sequence[Any], **params: Any) -> list[Any]:
    closed, policy = params["jaxpr"], params["policy"]
    unknown = [tape.owns(a) for a in args]
    split = partial_eval_jaxpr(closed, unknown)
    forward, backward, count = split.known.cached(
        ("checkpoint", policy), lambda: _recomputing(split, policy)
    )
    known_args = [a for a, u in zip(args, unknown, strict=True) if not u]
    results = evaluate(forward, *known_args)
    values, saved = iter(results[:count]), results[count:]
    recorded = iter(
        tape.record(
            remat_p,
            [*known_args, *saved, *[a for a, u in zip(args, unknown, strict=True) if u]],
            {**params, "jaxpr": backward, "differentiated": True},
        )
    )
    return [next(recorded) if u else next(values) for u in split.out_unknown]


def _recomputing(split: Split, policy: Any) -> tuple[ClosedJaxpr, ClosedJaxpr, int]:
    """What runs now, and what is recorded: it makes its residuals anew from the arguments.

    The first returns the known results and the values that the policy keeps; the second
    takes the known arguments, those values, and the unknown arguments.
    """
    known, consts = split.known.jaxpr, split.known.consts
    count = len(known.outvars) - split.residuals
    kept = [
        v
        for eqn in known.eqns
        if policy is not None and policy(eqn.primitive, *[a.aval for a in eqn.invars], **eqn.params)
        for v in eqn.outvars
    ]
    eqns = [e for e in known.eqns if not any(v in kept for v in e.outvars)]
    remake = dead_code_eliminated(
        Jaxpr(known.constvars, [*known.invars, *kept], known.outvars[count:], eqns)
    )
    needed = {v for e in remake.eqns for v in e.invars if isinstance(v, Var)}
    needed.update(v for v in remake.outvars if isinstance(v, Var))
    kept = [v for v in kept if v in needed]
    remake = Jaxpr(known.constvars, [*known.invars, *kept], remake.outvars, remake.eqns)
    forward = dead_code_eliminated(
        Jaxpr(known.constvars, known.invars, [*known.outvars[:count], *kept], known.eqns)
    )
    inputs = len(remake.invars)

    def run(*args: Any) -> list[Any]:
        residuals = evaluate(ClosedJaxpr(remake, consts), *args[:inputs])
        return evaluate(split.unknown, *residuals, *args[inputs:])

    tangents = split.unknown.in_avals[split.residuals :]
    backward = stage(run, [*[v.aval for v in remake.invars], *tangents])
    return ClosedJaxpr(forward, consts), backward, count


def _transpose(cts: Sequence[Any], *args: Any, jaxpr: ClosedJaxpr, **params: Any) -> list[Any]:
    """Run the program again at the saved arguments, recording, and sweep back at once."""
    linear = [type(a) is UndefinedPrimal for a in args]
    if type(state.trace) is not EvalTrace:
        nonzero = zero_mask(cts)
        transposed, mask = transpose_jaxpr(jaxpr, linear, nonzero)
        known = [a for a, lin in zip(args, linear, strict=True) if not lin]
        given = [ct for ct in cts if type(ct) is not Zero]
        outs = iter(remat_p.bind(*known, *given, jaxpr=transposed, **params))
        flags = iter(mask)
        return [next(outs) if lin and next(flags) else None for lin in linear]
    tape = Tape(state.trace)
    inputs = [tape.new(a.aval) if lin else None for a, lin in zip(args, linear, strict=True)]
    with fresh(tape):
        outs = evaluate(jaxpr, *[a if t is None else t for a, t in zip(args, inputs, strict=True)])
    return pull_back(LinearMap(tape, inputs, outs), list(cts), consume=True)


remat_p = define_primitive(
    "remat2",
    shape=_shape,
    kernel=lambda xp, jaxpr, **_: program(jaxpr, xp),
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    partial_eval=_partial_eval,
    multiple_results=True,
    first_order=False,
)


def checkpoint(
    fun: Callable[..., Any] | None = None,
    *,
    prevent_cse: bool = True,
    policy: Callable[..., bool] | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    concrete: bool = False,
) -> Any:
    """A function whose inner values are recomputed in the reverse sweep, not stored.

    Saves memory for a second forward evaluation: only arguments are kept (and what
    ``policy`` says). Griewank, "Achieving logarithmic growth of temporal and spatial
    complexity in reverse automatic differentiation", 1992.

    Args:
      fun: the function.
      policy: ``policy(primitive, *avals, **params)`` is True for results to keep; see
        ``checkpoint_policies``.
      static_argnums: positions of arguments that are no arrays.
      static_argnames: names of such arguments, however they are passed.

    Raises ValueError where ``static_argnums`` does not fit the arguments of a call, and
    NotImplementedError for ``concrete=True``, the older way to say what is static.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.grad(adlib.checkpoint(lambda x: jnp.sin(jnp.sin(x))))(1.0)
    Array(0.36004, dtype=float32, weak_type=True)
    """
    if concrete:
        raise NotImplementedError(
            f"checkpoint: concrete=True is not supported.{here()}\n  Repair: name the arguments "
            "that decide the control flow by static_argnums or static_argnames."
        )
    if fun is None:
        return functools.partial(
            checkpoint,
            prevent_cse=prevent_cse,
            policy=policy,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
        )
    static = normalize_argnums(static_argnums)
    names = {static_argnames} if isinstance(static_argnames, str) else set(static_argnames)
    positions = _positions(fun, names)

    @functools.wraps(fun, updated=())
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        places = _static_places(static, positions, len(args))
        fixed = [args[n] for n in places]
        constants = {k: v for k, v in kwargs.items() if k in names}
        dynamic = [a for i, a in enumerate(args) if i not in places]
        varying = {k: v for k, v in kwargs.items() if k not in names}
        values, in_tree = values_of((dynamic, varying), name_of(fun))

        def inner(dynamic: Any, keywords: Any) -> Any:
            return fun(*merge_arguments(dynamic, fixed, places), **keywords, **constants)

        closed, consts, out_tree = trace(inner, in_tree, [v.aval for v in values], name_of(fun))
        outs = remat_p.bind(
            *consts,
            *values,
            jaxpr=closed,
            prevent_cse=prevent_cse,
            differentiated=False,
            policy=policy,
        )
        return tree.unflatten(out_tree, outs)

    return checkpointed


def _positions(fun: Callable[..., Any], names: set[str]) -> list[int]:
    """Where the named parameters stand when they are passed by position."""
    if not names:
        return []
    try:
        parameters = inspect.signature(fun).parameters
    except (TypeError, ValueError):  # a function that does not tell its signature
        return []
    return [i for i, name in enumerate(parameters) if name in names]


def _static_places(static: Sequence[int], named: Sequence[int], count: int) -> list[int]:
    """Positions of the arguments, out of ``count``, that are no arrays, in order."""
    if any(not -count <= n < count for n in static):
        raise ValueError(
            f"checkpoint: static_argnums={tuple(static)} must be positions of arguments; the call "
            f"has {count}.{here()}"
        )
    return sorted({*(n % count for n in static), *(n for n in named if n < count)})


# -------------------------------------------------------------------- policies

name_p = define_primitive(
    "name",
    shape=lambda x, *, name: x,
    impl=lambda xp, x, *, name: x,
    transpose=lambda ct, x, *, name: (ct,),
    batch=lambda axis, args, dims, *, name: (name_p.bind(args[0], name=name), dims[0]),
    samples=lambda: [Sample((normal(3),), {"name": "x"})],
)


def _name_jvp(primals: Sequence[Any], tangents: Sequence[Any], *, name: str) -> tuple[Any, Any]:
    return name_p.bind(primals[0], name=name), tangents[0]


name_p.jvp = _name_jvp


def checkpoint_name(x: Any, name: str) -> Any:
    """``x`` itself, under a name by which a checkpoint policy can choose it.

    >>> import adlib, adlib.numpy as jnp
    >>> policy = adlib.checkpoint_policies.save_only_these_names("sine")
    >>> def f(x):
    ...     return jnp.sin(adlib.ad_checkpoint.checkpoint_name(jnp.sin(x), "sine"))
    >>> adlib.grad(adlib.checkpoint(f, policy=policy))(1.0).round(4)
    Array(0.36, dtype=float32, weak_type=True)
    """
    return tree.map(lambda leaf: name_p.bind(*operands("checkpoint_name", leaf), name=name), x)


class checkpoint_policies:
    """Rules for what a checkpoint keeps: functions of a primitive and its arguments' types.

    >>> import adlib, adlib.numpy as jnp
    >>> policy = adlib.checkpoint_policies.dots_saveable
    >>> adlib.grad(adlib.checkpoint(lambda x: jnp.sin(x @ x), policy=policy))(jnp.ones(2)).round(3)
    Array([-0.832, -0.832], dtype=float32)
    """

    @staticmethod
    def everything_saveable(primitive: Any, *avals: Any, **params: Any) -> bool:
        return True

    @staticmethod
    def nothing_saveable(primitive: Any, *avals: Any, **params: Any) -> bool:
        return False

    @staticmethod
    def dots_saveable(primitive: Any, *avals: Any, **params: Any) -> bool:
        return primitive.name in ("dot_general", "conv_general_dilated")

    checkpoint_dots = dots_saveable

    @staticmethod
    def dots_with_no_batch_dims_saveable(primitive: Any, *avals: Any, **params: Any) -> bool:
        if primitive.name != "dot_general":
            return False
        return not params["dimension_numbers"][1][0]

    checkpoint_dots_with_no_batch_dims = dots_with_no_batch_dims_saveable

    @staticmethod
    def save_only_these_names(*names: str) -> Callable[..., bool]:
        """Keep the values named by ``checkpoint_name`` with one of ``names``."""
        return lambda primitive, *_, **params: primitive.name == "name" and params["name"] in names

    @staticmethod
    def save_any_names_but_these(*names: str) -> Callable[..., bool]:
        """Keep named values, except those named so."""
        return lambda primitive, *_, **params: (
            primitive.name == "name" and params["name"] not in names
        )

    @staticmethod
    def save_anything_except_these_names(*names: str) -> Callable[..., bool]:
        """Keep everything but the values named so."""
        return lambda primitive, *_, **params: (
            not (primitive.name == "name" and params["name"] in names)
        )

    @staticmethod
    def save_and_offload_only_these_names(
        *,
        names_which_can_be_saved: Sequence[str],
        names_which_can_be_offloaded: Sequence[str],
        offload_src: str,
        offload_dst: str,
    ) -> Callable[..., bool]:
        """Keep the values named so. Those to be moved to ``offload_dst`` stay where they are.

        Raises ValueError where a name is in both lists.
        """
        both = sorted({*names_which_can_be_saved} & {*names_which_can_be_offloaded})
        if both:
            raise ValueError(
                "save_and_offload_only_these_names: a value is saved or offloaded; both lists have "
                f"{', '.join(map(repr, both))}.{here()}\n  Repair: take each out of one of them."
            )
        names = *names_which_can_be_saved, *names_which_can_be_offloaded
        return checkpoint_policies.save_only_these_names(*names)

    @staticmethod
    def offload_dot_with_no_batch_dims(offload_src: str, offload_dst: str) -> Callable[..., bool]:
        """Keep products without batch dimensions, where they are."""
        return checkpoint_policies.dots_with_no_batch_dims_saveable

    @staticmethod
    def save_from_both_policies(one: Any, other: Any) -> Callable[..., bool]:
        """Keep what either policy keeps."""
        return lambda *args, **params: one(*args, **params) or other(*args, **params)
