"""Further ways to give derivatives: custom_gradient and closure_convert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.base.treedef import PyTreeDef
from adlib.control.calls import (
    name_of,
    values_of,
)
from adlib.control.custom_vjp import custom_vjp
from adlib.control.functions import evaluate, trace
from adlib.core import dtypes
from adlib.core.jaxpr import ClosedJaxpr


def custom_gradient(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function that returns its value together with its own pullback.

    Args:
      fun: ``fun(*args) -> (out, vjp)`` where ``vjp(ct)`` returns the cotangent of the
        argument, or a tuple of them for several.

    >>> import adlib, adlib.numpy as jnp
    >>> @adlib.custom_gradient
    ... def f(x):
    ...     return x**2, lambda g: g * 7.0
    >>> adlib.grad(f)(3.0)
    Array(7., dtype=float32, weak_type=True)
    """

    def forward(*args: Any) -> tuple[Any, Any]:
        out, pullback = _value_and_pullback(fun, args)
        ct_leaves, ct_tree = values_of(out, name_of(fun))
        # what the pullback closes over are the residuals
        args_tree = tree.structure((tree.unflatten(ct_tree, [0] * len(ct_leaves)),))
        avals = [leaf.aval.to_tangent_aval() for leaf in ct_leaves]
        closed, residuals, cts_tree = trace(pullback, args_tree, avals, name_of(fun))
        return out, (residuals, _Program(closed, cts_tree, len(args)))

    def backward(saved: Any, ct: Any) -> Any:
        residuals, program = saved
        outs = evaluate(program.jaxpr, *residuals, *tree.leaves(ct))
        cts = tree.unflatten(program.out_tree, outs)
        return cts if isinstance(cts, tuple) and program.arity == len(cts) else (cts,)

    wrapped = custom_vjp(_first_of(fun))
    wrapped.defvjp(forward, backward)
    return wrapped


def _first_of(fun: Callable[..., Any]) -> Callable[..., Any]:
    def value(*args: Any) -> Any:
        return _value_and_pullback(fun, args)[0]

    value.__name__ = name_of(fun)
    return value


def _value_and_pullback(fun: Callable[..., Any], args: Any) -> tuple[Any, Callable[..., Any]]:
    returned = fun(*args)
    if not isinstance(returned, (tuple, list)) or len(returned) != 2 or not callable(returned[1]):
        raise TypeError(
            f"custom_gradient expects {name_of(fun)} to return a pair (value, vjp), where vjp is a "
            f"function of the value's cotangent; got {type(returned)}.{here()}"
        )
    return returned[0], returned[1]


class _Program:
    """A traced pullback, carried beside its residuals as part of their tree's structure."""

    def __init__(self, jaxpr: ClosedJaxpr, out_tree: Any, arity: int) -> None:
        self.jaxpr = jaxpr
        self.out_tree = out_tree
        self.arity = arity


tree.register_static(_Program)


def closure_convert(
    fun: Callable[..., Any], *example_args: Any
) -> tuple[Callable[..., Any], list[Any]]:
    """A function without closed-over traced values, and those values.

    Returns:
      ``(converted, consts)`` such that ``converted(*args, *consts)`` is ``fun(*args)``, for
      arguments of the types of ``example_args``. ``consts`` are the floating-point values
      that ``fun`` closes over and that are being transformed.

    >>> import adlib
    >>> f, consts = adlib.closure_convert(lambda x: x * 2.0, 1.0)
    >>> f(3.0, *consts)
    Array(6., dtype=float32, weak_type=True)
    """
    leaves, in_tree = values_of(example_args, name_of(fun))
    closed, consts, out_tree = trace(fun, in_tree, [v.aval for v in leaves], name_of(fun))
    floating = [dtypes.is_inexact(c.aval.dtype) for c in consts]
    fixed = [c for c, f in zip(consts, floating, strict=True) if not f]
    hoisted = [c for c, f in zip(consts, floating, strict=True) if f]
    count = len(hoisted)

    def converted(*args: Any) -> Any:
        args, given = args[: len(args) - count], args[len(args) - count :]
        values, other = values_of(tuple(args), name_of(fun))
        if other != in_tree:
            raise TypeError(
                f"closure-converted {name_of(fun)} called with arguments of structure "
                f"{PyTreeDef(other)}; "
                f"it was made for {PyTreeDef(in_tree)}"
            )
        floats, others = iter(given), iter(fixed)
        merged = [next(floats) if f else next(others) for f in floating]
        return tree.unflatten(out_tree, evaluate(closed, *merged, *values))

    return converted, hoisted
