"""custom_vmap: a function whose vectorization its author gives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import call, name_of, positional
from adlib.control.custom_call import PythonCall, define_custom_call
from adlib.control.loops import map as lax_map
from adlib.core.array import as_value
from adlib.interpreters.batch import batch_flat
from adlib.interpreters.jvp import jvp_flat
from adlib.ops.reshaping import moveaxis


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, call_jaxpr: Any, **params: Any
) -> tuple[list[Any], list[Any]]:
    """The value by the call itself, the tangent by the function's own operations."""
    outs = custom_vmap_call_p.bind(*primals, call_jaxpr=call_jaxpr, **params)
    _, out_tangents = jvp_flat(partial(call, call_jaxpr), primals, tangents)
    return outs, out_tangents


def _batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    call_jaxpr: Any,
    rule: Any,
    num_consts: int,
    name: str,
) -> tuple[list[Any], list[Any]]:
    if any(d is not None for d in dims[:num_consts]):
        raise TypeError(
            f"{name}, a custom_vmap function, closes over a value that is being mapped.{here()}\n"
            "  Its rule cannot see that value. Repair: pass the value as an argument."
        )
    if rule is None:
        pairs = batch_flat(partial(call, call_jaxpr), axis, args, dims)
        return [v for v, _ in pairs], [d for _, d in pairs]
    given = list(zip(args, dims, strict=True))[num_consts:]
    moved = [x if d is None else moveaxis(x, d, 0) for x, d in given]
    return rule(axis, moved, [d is not None for _, d in given])  # type: ignore[no-any-return]


custom_vmap_call_p = define_custom_call("custom_vmap_call", jvp=_jvp, batch=_batch)


class custom_vmap:
    """A function with a custom rule for ``vmap``.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.custom_batching import custom_vmap
    >>> @custom_vmap
    ... def f(x, y):
    ...     return x + y
    >>> @f.def_vmap
    ... def f_vmap(axis_size, in_batched, x, y):
    ...     print("mapped over", axis_size, "examples:", in_batched)
    ...     return x + y, True
    >>> adlib.vmap(f, in_axes=(0, None))(jnp.arange(3), 1)
    mapped over 3 examples: [True, False]
    Array([1, 2, 3], dtype=int32)
    """

    def __init__(self, fun: Callable[..., Any]) -> None:
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.vmap_rule: Callable[..., Any] | None = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def def_vmap(self, vmap_rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule ``vmap_rule(axis_size, in_batched, *args) -> (out, out_batched)``.

        Arguments that are mapped have the axis first. ``in_batched`` is a list like the arguments
        of True and False, one for each array; ``out_batched`` the same for the result (a single
        bool stands for all of it). Returns the rule, so that it works as a decorator.
        """
        self.vmap_rule = vmap_rule
        return vmap_rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.vmap_rule is None:
            raise AttributeError(
                f"No batching rule defined for custom_vmap function {name_of(self.fun)}.{here()}\n"
                f"  Repair: decorate the rule with @{name_of(self.fun)}.def_vmap."
            )
        args = positional(self.fun, args, kwargs)
        leaves, in_tree = tree.flatten(args)
        flat = PythonCall(self.fun, in_tree, list(leaves))
        values = [as_value(x, name_of(self.fun)) for x in leaves]
        flat.values = values
        rule = _Rule(self.vmap_rule, self.fun, in_tree)
        outs = custom_vmap_call_p.bind(
            *values, call_jaxpr=flat, rule=rule, num_consts=0, name=name_of(self.fun)
        )
        if flat.raw is not None:
            return tree.map(lambda x: as_value(x, name_of(self.fun)), flat.raw[0])
        return tree.unflatten(flat.out_tree or rule.out_tree, outs)


class _Rule:
    """The user's rule on flat values, with its results checked."""

    __name__ = "vmap_rule"

    def __init__(self, rule: Callable[..., Any], fun: Callable[..., Any], in_tree: Any) -> None:
        self.rule, self.fun, self.in_tree = rule, fun, in_tree
        self.out_tree: Any = None

    def __call__(
        self, axis: Any, values: Sequence[Any], batched: Sequence[bool]
    ) -> tuple[list[Any], list[Any]]:
        args = tree.unflatten(self.in_tree, values)
        flags = list(tree.unflatten(self.in_tree, batched))
        who = f"The vmap rule {name_of(self.rule)} of {name_of(self.fun)}"
        result = self.rule(axis.size, flags, *args)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(f"{who} must return a pair (out, out_batched), got {result!r}.{here()}")
        leaves, self.out_tree = tree.flatten(result[0])
        outs = [as_value(leaf, who) for leaf in leaves]
        if isinstance(result[1], bool):
            out_flags = [result[1]] * len(outs)
        else:
            out_flags, flags_tree = tree.flatten(result[1])
            if flags_tree != self.out_tree:
                raise ValueError(
                    f"{who} must say of each result whether it is batched, in the same structure: "
                    f"the result is {self.out_tree}, out_batched is {flags_tree}.{here()}"
                )
        for out, flag in zip(outs, out_flags, strict=True):
            if flag and out.aval.shape[:1] != (axis.size,):
                raise ValueError(
                    f"{who} says that a result is batched, so its leading axis must be of size "
                    f"{axis.size}; its shape is {out.aval.shape}.{here()}"
                )
        return outs, [0 if flag else None for flag in out_flags]


def sequential_vmap(f: Callable[..., Any]) -> custom_vmap:
    """A function that ``vmap`` calls once for each example, in a loop.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.custom_batching import sequential_vmap
    >>> adlib.vmap(sequential_vmap(jnp.sin))(jnp.zeros(2))
    Array([0., 0.], dtype=float32)
    """
    wrapped = custom_vmap(f)

    def rule(axis_size: int, in_batched: Sequence[Any], *args: Any) -> tuple[Any, bool]:
        leaves, treedef = tree.flatten(tuple(args))
        flags = tree.leaves(tuple(in_batched))
        mapped = [leaf for leaf, flag in zip(leaves, flags, strict=True) if flag]

        def one(slices: Any) -> Any:
            rest = iter(slices)
            each = [next(rest) if flag else leaf for leaf, flag in zip(leaves, flags, strict=True)]
            return f(*tree.unflatten(treedef, each))

        return lax_map(one, mapped), True

    wrapped.def_vmap(rule)
    return wrapped
