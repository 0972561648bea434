"""custom_vjp: a function whose pullback its author gives, as a forward and a backward pass."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.base.treedef import PyTreeDef
from adlib.control.calls import (
    call,
    merge_arguments,
    name_of,
    nondiff_positions,
    positional,
    split_arguments,
    values_of,
)
from adlib.control.custom_call import PythonCall, define_custom_call
from adlib.core import dtypes
from adlib.core.array import as_value
from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero, same_type
from adlib.core.primitive import Absent, define_primitive
from adlib.interpreters.batch import at_front, batch_flat
from adlib.ops.reshaping import instantiate, moveaxis, reduce_sum

_FORWARD_MODE = "can't apply forward-mode autodiff (jvp) to a custom_vjp function."


# ------------------------------------------------- the linear part: custom_lin


def _lin_transpose(cts: Sequence[Any], *args: Any, bwd: Any, num_res: int, **_: Any) -> list[Any]:
    residuals, tangents = args[:num_res], args[num_res:]
    results = bwd(list(residuals), list(cts))
    return [None] * num_res + [
        r if type(t) is UndefinedPrimal else None for r, t in zip(results, tangents, strict=True)
    ]


def _lin_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    bwd: Any,
    num_res: int,
    out_avals: Any,
    **params: Any,
) -> tuple[list[Any], list[Any]]:
    batched = [aval.update(shape=(axis.size, *aval.shape)) for aval in out_avals]
    mapped = _batched_bwd(axis, bwd, dims[:num_res], dims[num_res:])
    outs = custom_lin_p.bind(*args, bwd=mapped, num_res=num_res, out_avals=tuple(batched), **params)
    return outs, [0] * len(outs)


def _batched_bwd(axis: Any, bwd: Any, res_dims: Any, in_dims: Any) -> Any:
    """The backward pass mapped: cotangents of unmapped arguments are summed over the axis."""

    def mapped(residuals: list[Any], cts: list[Any]) -> list[Any]:
        count = len(residuals)
        zero: list[bool] = []
        present = [ct for ct in cts if type(ct) is not Zero]
        absent = [
            Zero(ct.aval.update(shape=ct.aval.shape[1:])) if type(ct) is Zero else None
            for ct in cts
        ]

        def body(*values: Any) -> list[Any]:
            rest = iter(values[count:])
            given = [next(rest) if z is None else z for z in absent]
            results = bwd(list(values[:count]), given)
            zero[:] = [type(r) is Zero for r in results]
            return [instantiate(r) for r in results]

        outs = batch_flat(body, axis, [*residuals, *present], [*res_dims, *([0] * len(present))])
        results: list[Any] = []
        for (value, dim), target, is_zero in zip(outs, in_dims, zero, strict=True):
            front = at_front(axis, value, dim)
            if is_zero:
                shape = front.aval.shape if target is not None else front.aval.shape[1:]
                results.append(Zero(front.aval.update(shape=shape)))
            elif target is None:
                results.append(reduce_sum(front, (0,)))
            else:
                results.append(moveaxis(front, 0, target))
        return results

    return mapped


def _lin_kernel(xp: Any, **_: Any) -> Any:
    def refuse(*args: Any) -> Any:
        raise TypeError(_FORWARD_MODE)

    return refuse


custom_lin_p = define_primitive(
    "custom_lin",
    shape=lambda *avals, out_avals, **_: list(out_avals),
    kernel=_lin_kernel,
    jvp=Absent(_FORWARD_MODE, TypeError),
    transpose=_lin_transpose,
    batch=_lin_batch,
    multiple_results=True,
    first_order=False,
)


# ------------------------------------------------------------- the call itself


def _jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    fwd: Any,
    bwd: Any,
    num_consts: int,
    name: str,
    **_: Any,
) -> tuple[list[Any], list[Any]]:
    if any(type(t) is not Zero for t in tangents[:num_consts]):
        raise TypeError(
            f"{name}, a custom_vjp function, closes over a value that is being differentiated."
            f"{here()}\n  Its backward pass has nowhere to put that value's cotangent. Repair: "
            "pass the value as an argument."
        )
    perturbed = [type(t) is not Zero for t in tangents[num_consts:]]
    outs, residuals = fwd(perturbed, *primals[num_consts:])
    given = [instantiate(t) for t in tangents[num_consts:]]
    avals = tuple(o.aval.to_tangent_aval() for o in outs)
    out_tangents = custom_lin_p.bind(
        *residuals, *given, bwd=bwd, num_res=len(residuals), out_avals=avals
    )
    return list(outs), [
        t if dtypes.is_inexact(o.aval.dtype) else Zero.like(o)
        for o, t in zip(outs, out_tangents, strict=True)
    ]


def _batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    call_jaxpr: Any,
    fwd: Any,
    bwd: Any,
    num_consts: int,
    **params: Any,
) -> tuple[list[Any], list[Any]]:
    def mapped(*values: Any) -> list[Any]:
        outs = batch_flat(functools.partial(call, call_jaxpr), axis, values, dims)
        return [at_front(axis, v, d) for v, d in outs]

    inner = dims[num_consts:]
    # which residuals carry the axis is known only after the forward pass ran
    res_dims: list[Any] = []

    def mapped_fwd(perturbed: list[bool], *values: Any) -> tuple[list[Any], list[Any]]:
        counts: list[int] = []

        def body(*unbatched: Any) -> list[Any]:
            outs, residuals = fwd(perturbed, *unbatched)
            counts.append(len(outs))
            return [*outs, *residuals]

        results = batch_flat(body, axis, values, inner)
        outs = [at_front(axis, v, d) for v, d in results[: counts[0]]]
        res_dims[:] = [d for _, d in results[counts[0] :]]
        return outs, [v for v, _ in results[counts[0] :]]

    def mapped_bwd(residuals: list[Any], cts: list[Any]) -> list[Any]:
        return _batched_bwd(axis, bwd, res_dims, inner)(residuals, cts)  # type: ignore[no-any-return]

    outs = custom_vjp_call_p.bind(
        *args, call_jaxpr=mapped, fwd=mapped_fwd, bwd=mapped_bwd, num_consts=num_consts, **params
    )
    return outs, [0] * len(outs)


custom_vjp_call_p = define_custom_call("custom_vjp_call", jvp=_jvp, batch=_batch)


# ------------------------------------------------------------------ decorator


@dataclasses.dataclass(frozen=True)
class CustomVJPPrimal:
    """An argument of a forward pass with symbolic zeros.

    ``value`` is the argument, ``perturbed`` whether its cotangent is wanted.
    """

    value: Any
    perturbed: bool


class custom_vjp:
    """A function with a custom rule for reverse mode.

    Args:
      fun: the function; called as it is wherever it is not differentiated.
      nondiff_argnums, nondiff_argnames: positions and names of arguments that are no arrays;
        they come first in the backward pass's signature.

    >>> import adlib, adlib.numpy as jnp
    >>> @adlib.custom_vjp
    ... def clipped(x):
    ...     return x
    >>> clipped.defvjp(lambda x: (x, None), lambda res, g: (jnp.clip(g, -1.0, 1.0),))
    >>> adlib.grad(lambda x: 5.0 * clipped(x))(2.0)
    Array(1., dtype=float32, weak_type=True)
    """

    def __init__(
        self, fun: Callable[..., Any], nondiff_argnums: Any = (), nondiff_argnames: Any = ()
    ) -> None:
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.nondiff_argnums = nondiff_positions(fun, nondiff_argnums, nondiff_argnames)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None
        self.symbolic_zeros = False

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def defvjp(
        self,
        fwd: Callable[..., Any],
        bwd: Callable[..., Any],
        symbolic_zeros: bool = False,
        optimize_remat: bool = False,
    ) -> None:
        """Set the passes.

        ``fwd(*args) -> (out, residuals)`` has the function's own signature;
        ``bwd(*nondiff, residuals, ct_out) -> tuple`` returns a cotangent for each argument,
        None standing for zero.

        With ``symbolic_zeros`` each leaf of ``fwd``'s arguments is an object with a ``value`` and
        ``perturbed``, which says whether its cotangent is wanted; and a cotangent that is known
        to be zero is given to ``bwd``, and may be returned, as a
        ``custom_derivatives.SymbolicZero``.
        """
        self.fwd = fwd
        self.bwd = bwd
        self.symbolic_zeros = symbolic_zeros

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = name_of(self.fun)
        if self.fwd is None or self.bwd is None:
            raise AttributeError(
                f"No VJP defined for custom_vjp function {name} using defvjp.{here()}\n"
                f"  Repair: call {name}.defvjp(forward, backward)."
            )
        args = positional(self.fun, args, kwargs)
        dynamic, fixed = split_arguments(self.fun, args, self.nondiff_argnums, "vjp")
        leaves, in_tree = tree.flatten(tuple(dynamic))

        def fun(*dynamic: Any) -> Any:
            return self.fun(*merge_arguments(dynamic, fixed, self.nondiff_argnums))

        functools.update_wrapper(fun, self.fun)
        flat = PythonCall(fun, in_tree, list(leaves))
        passes = _Passes(self, fixed, in_tree, flat)
        flat.values = values = [as_value(x, name) for x in leaves]
        outs = custom_vjp_call_p.bind(
            *values,
            call_jaxpr=flat,
            fwd=passes.forward,
            bwd=passes.backward,
            num_consts=0,
            name=name,
        )
        if flat.raw is not None:
            return flat.raw[0]
        return tree.unflatten(flat.out_tree, outs)  # type: ignore[arg-type]


class _Passes:
    """The user's two passes on flat values, with their results checked."""

    def __init__(self, owner: custom_vjp, fixed: list[Any], in_tree: Any, flat: Any) -> None:
        self.owner, self.fixed, self.in_tree, self.flat = owner, fixed, in_tree, flat
        self.res_tree: Any = None
        self.in_avals: list[ShapedArray] = []

    def forward(self, perturbed: list[bool], *values: Any) -> tuple[list[Any], list[Any]]:
        owner = self.owner
        self.in_avals = [v.aval for v in values]
        given: Sequence[Any] = values
        if owner.symbolic_zeros:
            given = [CustomVJPPrimal(v, p) for v, p in zip(values, perturbed, strict=True)]
        args = merge_arguments(
            tree.unflatten(self.in_tree, given), self.fixed, owner.nondiff_argnums
        )
        result = owner.fwd(*args)  # type: ignore[misc]
        who = f"The custom VJP forward pass {name_of(owner.fwd)} of {name_of(owner.fun)}"  # type: ignore[arg-type]
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(
                f"{who} must return a pair (primal_out, residuals), got {type(result)}.{here()}"
            )
        outs, self.flat.out_tree = values_of(result[0], who)
        self.flat.raw = None
        residuals, self.res_tree = values_of(result[1], who)
        return outs, residuals

    def backward(self, residuals: list[Any], cts: list[Any]) -> list[Any]:
        owner = self.owner
        given = cts if owner.symbolic_zeros else [instantiate(ct) for ct in cts]
        result = owner.bwd(  # type: ignore[misc]
            *self.fixed,
            tree.unflatten(self.res_tree, residuals),
            tree.unflatten(self.flat.out_tree, given),
        )
        who = f"The custom VJP backward pass {name_of(owner.bwd)} of {name_of(owner.fun)}"  # type: ignore[arg-type]
        return _check_cotangents(who, result, self.in_tree, self.in_avals)


def _check_cotangents(who: str, result: Any, in_tree: Any, avals: list[ShapedArray]) -> list[Any]:
    """Flat cotangents, one for each argument leaf; None becomes a symbolic zero."""
    subtrees = in_tree.children()
    if not isinstance(result, (tuple, list)):
        raise TypeError(
            f"{who} must return a tuple of cotangents, one for each of the {len(subtrees)} "
            f"arguments, got {type(result)}.{here()}\n  Repair: return (ct,) for one argument."
        )
    if len(result) != len(subtrees):
        raise TypeError(
            f"{who} must return one cotangent for each argument: {len(subtrees)} arguments, "
            f"{len(result)} cotangents.{here()}\n  Repair: return None for an argument whose "
            "cotangent is zero."
        )
    flat: list[Any] = []
    for i, (ct, subtree) in enumerate(zip(result, subtrees, strict=True)):
        expected = avals[len(flat) : len(flat) + subtree.num_leaves]
        flat += _argument_cotangents(who, i, ct, subtree, expected)
    return flat


def _argument_cotangents(
    who: str, i: int, ct: Any, subtree: Any, avals: list[ShapedArray]
) -> list[Any]:
    if ct is None:
        return [Zero(a.to_tangent_aval()) for a in avals]
    leaves, structure = tree.flatten(ct, is_leaf=lambda x: x is None)
    if len(leaves) != len(avals) or (structure != subtree and None not in leaves):
        raise TypeError(
            f"{who} returned for argument {i} a cotangent of structure "
            f"{PyTreeDef(structure)}, but the argument has {PyTreeDef(subtree)}.{here()}"
        )
    results: list[Any] = []
    for leaf, aval in zip(leaves, avals, strict=True):
        wanted = aval.to_tangent_aval()
        if leaf is None or wanted.dtype == dtypes.float0:
            results.append(Zero(wanted))
            continue
        value: Any = leaf if type(leaf) is Zero else as_value(leaf, who)
        if not same_type(value.aval, wanted):
            raise ValueError(
                f"{who} returned for argument {i} a cotangent of type {value.aval.str_short()}, "
                f"but the argument has type {aval.str_short()}, so {wanted.str_short()} is "
                f"wanted.{here()}"
            )
        results.append(value)
    return results
