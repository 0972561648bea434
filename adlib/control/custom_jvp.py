"""custom_jvp: a function whose pushforward its author gives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import (
    FlatFunction,
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
from adlib.core.avals import ShapedArray, Zero, same_type
from adlib.interpreters.batch import at_front, batch_flat
from adlib.ops.constructors import add_tangents
from adlib.ops.reshaping import instantiate

# ------------------------------------------------------------------ primitive


def _jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    jvp: Any,
    num_consts: int,
    name: str,
    **_: Any,
) -> tuple[list[Any], list[Any]]:
    if any(type(t) is not Zero for t in tangents[:num_consts]):
        raise TypeError(
            f"{name}, a custom_jvp function, closes over a value that is being differentiated."
            f"{here()}\n  Its rule cannot see that value's tangent. Repair: pass the value as an "
            "argument."
        )
    return jvp(list(primals[num_consts:]), list(tangents[num_consts:]))  # type: ignore[no-any-return]


def _batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    call_jaxpr: Any,
    jvp: Any,
    num_consts: int,
    **params: Any,
) -> tuple[list[Any], list[Any]]:
    def mapped(*values: Any) -> list[Any]:
        outs = batch_flat(functools.partial(call, call_jaxpr), axis, values, dims)
        return [at_front(axis, v, d) for v, d in outs]

    def mapped_jvp(primals: list[Any], tangents: list[Any]) -> tuple[list[Any], list[Any]]:
        count = len(primals)
        inner = dims[num_consts:]
        given = [t for t in tangents if type(t) is not Zero]
        given_dims = [d for d, t in zip(inner, tangents, strict=True) if type(t) is not Zero]

        def both(*values: Any) -> list[Any]:
            rest = iter(values[count:])
            unbatched = [
                Zero.like(v) if type(t) is Zero else next(rest)
                for v, t in zip(values[:count], tangents, strict=True)
            ]
            outs, out_tangents = jvp(list(values[:count]), unbatched)
            return [*outs, *[instantiate(t) for t in out_tangents]]

        results = batch_flat(both, axis, [*primals, *given], [*inner, *given_dims])
        front = [at_front(axis, v, d) for v, d in results]
        return front[: len(front) // 2], front[len(front) // 2 :]

    outs = custom_jvp_call_p.bind(
        *args, call_jaxpr=mapped, jvp=mapped_jvp, num_consts=num_consts, **params
    )
    return outs, [0] * len(outs)


custom_jvp_call_p = define_custom_call("custom_jvp_call", jvp=_jvp, batch=_batch)


# ------------------------------------------------------------------ decorator


class custom_jvp:
    """A function with a custom rule for forward mode, and by transposition for reverse mode.

    Args:
      fun: the function; called as it is wherever it is not differentiated.
      nondiff_argnums, nondiff_argnames: positions and names of arguments that are no arrays
        (functions, say); they come first in the rule's signature.

    >>> import adlib, adlib.numpy as jnp
    >>> @adlib.custom_jvp
    ... def f(x):
    ...     return jnp.sin(x)
    >>> @f.defjvp
    ... def f_jvp(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return f(x), 10.0 * t
    >>> adlib.grad(f)(3.0)
    Array(10., dtype=float32, weak_type=True)
    """

    def __init__(
        self, fun: Callable[..., Any], nondiff_argnums: Any = (), nondiff_argnames: Any = ()
    ) -> None:
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.nondiff_argnums = nondiff_positions(fun, nondiff_argnums, nondiff_argnames)
        self.jvp: Callable[..., Any] | None = None
        self.symbolic_zeros = False

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Set the rule ``jvp(*nondiff, primals, tangents) -> (primal_out, tangent_out)``.

        The tangents that the rule returns must be linear in those that it is given. With
        ``symbolic_zeros`` a tangent that is known to be zero is given, and may be returned, as
        a ``custom_derivatives.SymbolicZero``. Returns the rule, so that it works as a decorator.
        """
        self.jvp = jvp
        self.symbolic_zeros = symbolic_zeros
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Set a rule for each argument: ``jvp(t, primal_out, *primals)``; None for zero.

        The output tangent is the sum over the arguments.
        """
        if self.nondiff_argnums:
            raise TypeError("defjvps cannot be used together with nondiff_argnums; use defjvp.")

        def rule(primals: Any, tangents: Any) -> Any:
            out = self(*primals)
            shares = [jvp(t, out, *primals) for t, jvp in zip(tangents, jvps, strict=True) if jvp]
            if not shares:
                return out, tree.map(lambda o: instantiate(Zero.like(as_value(o))), out)
            return out, functools.reduce(functools.partial(tree.map, _add), shares)

        self.jvp = rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.jvp is None:
            raise AttributeError(
                f"No JVP defined for custom_jvp function {name_of(self.fun)} using defjvp."
                f"{here()}\n  Repair: decorate the rule with @{name_of(self.fun)}.defjvp."
            )
        args = positional(self.fun, args, kwargs)
        dynamic, fixed = split_arguments(self.fun, args, self.nondiff_argnums, "jvp")
        leaves, in_tree = tree.flatten(tuple(dynamic))
        original = list(leaves)

        def fun(*dynamic: Any) -> Any:
            return self.fun(*merge_arguments(dynamic, fixed, self.nondiff_argnums))

        functools.update_wrapper(fun, self.fun)
        flat = PythonCall(fun, in_tree, original)
        rule = _Rule(self.jvp, fixed, in_tree, self.fun, flat, self.symbolic_zeros)
        values = [as_value(x, name_of(self.fun)) for x in leaves]
        flat.values = values
        outs = custom_jvp_call_p.bind(
            *values,
            call_jaxpr=flat,
            jvp=rule,
            num_consts=0,
            name=name_of(self.fun),
            symbolic_zeros=self.symbolic_zeros,
        )
        if flat.raw is not None:
            return flat.raw[0]
        return tree.unflatten(flat.out_tree, outs)  # type: ignore[arg-type]


def _add(x: Any, y: Any) -> Any:
    return add_tangents(x, y)


class _Rule:
    """The user's rule on flat primals and tangents, with its results checked."""

    __name__ = "jvp"

    def __init__(
        self,
        rule: Any,
        fixed: list[Any],
        in_tree: Any,
        fun: Any,
        flat: FlatFunction,
        symbolic_zeros: bool,
    ) -> None:
        self.rule, self.fixed, self.in_tree, self.fun, self.flat = rule, fixed, in_tree, fun, flat
        self.symbolic_zeros = symbolic_zeros

    def __call__(self, primals: list[Any], tangents: list[Any]) -> tuple[list[Any], list[Any]]:
        given = tangents if self.symbolic_zeros else [instantiate(t) for t in tangents]
        result = self.rule(
            *self.fixed, tree.unflatten(self.in_tree, primals), tree.unflatten(self.in_tree, given)
        )
        who = f"The custom JVP rule {name_of(self.rule)} of {name_of(self.fun)}"
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(
                f"{who} must return a pair (primal_out, tangent_out), got {type(result)}.{here()}"
            )
        outs, out_tree = values_of(result[0], who)
        out_tangents, tangent_tree = tree.flatten(result[1])
        out_tangents = [t if type(t) is Zero else as_value(t, who) for t in out_tangents]
        if out_tree != tangent_tree:
            raise TypeError(
                f"{who} must produce primal and tangent outputs with equal container (pytree) "
                f"structures, but got {out_tree} and {tangent_tree}.{here()}"
            )
        self.flat.out_tree = out_tree
        self.flat.raw = None  # type: ignore[attr-defined]
        for out, t in zip(outs, out_tangents, strict=True):
            _check_tangent(who, out.aval, t.aval)
        # tangents of integers say nothing: as known zeros they go no further
        return outs, [Zero(t.aval) if t.aval.dtype == dtypes.float0 else t for t in out_tangents]


def _check_tangent(who: str, out: ShapedArray, tangent: ShapedArray) -> None:
    wanted = out.to_tangent_aval()
    if not same_type(wanted, tangent):
        raise TypeError(
            f"{who} must produce tangents of the type of the primal outputs: the primal output "
            f"has type {out.str_short()}, so its tangent should have {wanted.str_short()}, but "
            f"the rule returned {tangent.str_short()}.{here()}"
        )
