"""linear_call: a linear function whose transpose its author gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import FlatFunction, call, name_of, staged
from adlib.control.custom_call import define_custom_call
from adlib.core.array import as_value
from adlib.core.avals import Zero, is_undefined_primal
from adlib.interpreters.batch import at_front, batch_flat
from adlib.interpreters.jvp import jvp_flat
from adlib.ops.constructors import add_tangents
from adlib.ops.reshaping import instantiate


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[list[Any], list[Any]]:
    num_res, call_jaxpr = params["num_consts"] + params["num_res"], params["call_jaxpr"]
    outs = linear_call_p.bind(*primals, **params)
    shares = [Zero.like(o) for o in outs]
    if any(type(t) is not Zero for t in tangents[num_res:]):
        along = [instantiate(t) for t in tangents[num_res:]]
        shares = linear_call_p.bind(*primals[:num_res], *along, **params)
    if any(type(t) is not Zero for t in tangents[:num_res]):
        fixed = [*tangents[:num_res], *[Zero.like(p) for p in primals[num_res:]]]
        _, more = jvp_flat(partial(call, call_jaxpr), primals, fixed)
        shares = [add_tangents(s, m) for s, m in zip(shares, more, strict=True)]
    return outs, shares


def _transpose(
    cts: Sequence[Any],
    *args: Any,
    num_consts: int,
    num_res: int,
    transpose: Any,
    name: str,
    **_: Any,
) -> list[Any]:
    res, linear = args[: num_consts + num_res], args[num_consts + num_res :]
    if any(map(is_undefined_primal, res)):
        raise NotImplementedError(
            f"Transposition of {name} in its residual arguments: it is linear in the others only."
            f"{here()}"
        )
    outs = call(transpose, *res[num_consts:], *[instantiate(ct) for ct in cts])
    for x, out in zip(linear, outs, strict=True):
        if x.aval.shape != out.aval.shape or x.aval.dtype != out.aval.dtype:
            raise TypeError(
                f"linear_call: the transpose of {name} returned {out.aval.str_short()} for a "
                f"linear argument of type {x.aval.str_short()}.{here()}"
            )
    return [None] * len(res) + [
        out if is_undefined_primal(x) else None for x, out in zip(linear, outs, strict=True)
    ]


def _batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    call_jaxpr: Any,
    transpose: Any,
    num_consts: int,
    num_res: int,
    **params: Any,
) -> tuple[list[Any], list[Any]]:
    # every linear argument gets the axis, so that its cotangent has it too
    first = num_consts + num_res
    linear = [at_front(axis, x, d) for x, d in zip(args[first:], dims[first:], strict=True)]

    def mapped(function: Any, known: Sequence[Any], *values: Any) -> list[Any]:
        inner = [*known, *[0] * (len(values) - len(known))]
        outs = batch_flat(partial(call, function), axis, values, inner)
        return [at_front(axis, v, d) for v, d in outs]

    outs = linear_call_p.bind(
        *args[:first],
        *linear,
        call_jaxpr=partial(mapped, call_jaxpr, dims[:first]),
        transpose=partial(mapped, transpose, dims[num_consts:first]),
        num_consts=num_consts,
        num_res=num_res,
        **params,
    )
    return outs, [0] * len(outs)


linear_call_p = define_custom_call("linear_call", jvp=_jvp, batch=_batch)
linear_call_p.transpose = _transpose
linear_call_p.shape_rule = lambda *avals, call_jaxpr, **_: staged(call_jaxpr, avals).out_avals
linear_call_p.partial_eval = None


def linear_call(
    fun: Callable[[Any, Any], Any],
    fun_transpose: Callable[[Any, Any], Any],
    residual_args: Any,
    linear_args: Any,
) -> Any:
    """``fun(residual_args, linear_args)``, a linear function with a transpose of its own.

    Args:
      fun: linear in its second argument.
      fun_transpose: ``(residual_args, cotangent of the result) -> cotangent of linear_args``,
        linear in its second argument. Reverse mode runs it instead of transposing ``fun``.
      residual_args, linear_args: trees of arrays.

    Raises:
      TypeError: the transpose does not return what ``linear_args`` is.

    >>> import adlib
    >>> from adlib.custom_derivatives import linear_call
    >>> divide = lambda x, y: linear_call(lambda r, l: l / r, lambda r, ct: ct / r, y, x)
    >>> adlib.grad(divide)(1.0, 4.0)
    Array(0.25, dtype=float32, weak_type=True)
    """
    res, res_tree = tree.flatten(residual_args)
    linear, lin_tree = tree.flatten(linear_args)
    both = FlatFunction(
        lambda flat_res, flat_lin: fun(
            tree.unflatten(res_tree, flat_res), tree.unflatten(lin_tree, flat_lin)
        ),
        tree.structure((list(res), list(linear))),
        name_of(fun),
    )
    values = [as_value(x, name_of(fun)) for x in (*res, *linear)]

    def transpose(*flat: Any) -> list[Any]:
        ct = tree.unflatten(both.out_tree, flat[len(res) :])  # type: ignore[arg-type]
        out = fun_transpose(tree.unflatten(res_tree, flat[: len(res)]), ct)
        leaves, out_tree = tree.flatten(out)
        if out_tree != lin_tree:
            raise TypeError(
                f"linear_call: the transpose {name_of(fun_transpose)} must return what "
                f"linear_args is, {lin_tree}; it returned {out_tree}.{here()}"
            )
        return [as_value(leaf, name_of(fun_transpose)) for leaf in leaves]

    outs = linear_call_p.bind(
        *values,
        call_jaxpr=both,
        transpose=transpose,
        num_res=len(res),
        num_consts=0,
        name=name_of(fun),
    )
    return tree.unflatten(both.out_tree, outs)  # type: ignore[arg-type]
