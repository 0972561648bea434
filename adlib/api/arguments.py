"""Arguments of transformed functions: which are transformed, flattening, and their checks."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import name_of
from adlib.core import dtypes
from adlib.core.array import Array, as_value
from adlib.core.trace import Tracer, state


def check_callable(fun: Any, what: str) -> None:
    """Raise TypeError unless ``fun`` can be called."""
    if not callable(fun):
        raise TypeError(
            f"Expected a callable value, got {fun!r} of type {type(fun)}.{here()}\n  Repair: "
            f"{what}(f)(x) transforms the function f; {what}(f(x)) would be given f's result."
        )


def normalize_argnums(argnums: Any, what: str) -> tuple[int, ...]:
    """``argnums`` as a tuple of int; raises TypeError for anything else."""
    try:
        if isinstance(argnums, (tuple, list)):
            return tuple(operator.index(i) for i in argnums)
        return (operator.index(argnums),)
    except TypeError:
        raise TypeError(
            f"{what}: argnums must be an int or a tuple of ints (positions of arguments), got "
            f"{argnums!r}.{here()}"
        ) from None


def select(
    args: Sequence[Any], argnums: tuple[int, ...], what: str, fun: Callable[..., Any]
) -> tuple[int, ...]:
    """Argument positions with negative ones resolved; raises TypeError out of range."""
    count = len(args)
    for i in argnums:
        if not -count <= i < count:
            raise TypeError(
                f"{what} of {name_of(fun)} is asked for argument {i} (argnums={argnums}), but "
                f"the function was called with {count} positional argument"
                f"{'' if count == 1 else 's'}.{here()}\n  Repair: argnums counts positional "
                "arguments from 0; pass the argument by position."
            )
    return tuple([i % count for i in argnums])


class Partial:
    """A function of some leaves of its arguments, the others fixed: what transforms act on."""

    __slots__ = (
        "args",
        "aux",
        "fun",
        "has_aux",
        "kwargs",
        "out_tree",
        "positions",
        "trees",
        "what",
    )

    def __init__(
        self,
        fun: Any,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        positions: tuple[int, ...],
        what: str,
        has_aux: bool = False,
    ) -> None:
        self.fun = fun
        self.args = list(args)
        self.kwargs = kwargs
        self.positions = positions
        self.what = what
        self.has_aux = has_aux
        self.aux: Any = None
        self.out_tree: Any = None
        self.trees: list[Any] = []

    def leaves(self) -> list[Array]:
        """The chosen arguments' leaves, as Arrays."""
        flat: list[Array] = []
        for i in self.positions:
            arg = self.args[i]
            if isinstance(arg, Array):
                flat.append(arg)
                self.trees.append(None)
            else:
                leaves, treedef = tree.flatten(arg)
                flat += [argument(leaf, self.what, self.fun, i) for leaf in leaves]
                self.trees.append(treedef)
            self.args[i] = None  # the transformed stand-in takes its place
        return flat

    def __call__(self, *flat: Any) -> list[Array]:
        args = list(self.args)
        start = 0
        for i, treedef in zip(self.positions, self.trees, strict=True):
            if treedef is None:
                args[i] = flat[start]
                start += 1
            else:
                stop = start + treedef.num_leaves
                args[i] = tree.unflatten(treedef, flat[start:stop])
                start = stop
        out = self.fun(*args, **self.kwargs)
        if self.has_aux:
            out, aux = split_aux(out, self.what, self.fun)
            self.aux = tree.map(_without_tangent, aux)
        if isinstance(out, Array):
            self.out_tree = None
            return [out]
        leaves, self.out_tree = tree.flatten(out)
        return [result(leaf, self.what, self.fun) for leaf in leaves]

    def unflatten_args(self, flat: Sequence[Any]) -> list[Any]:
        """Flat values in the structure of the chosen arguments, one item for each."""
        out, start = [], 0
        for treedef in self.trees:
            if treedef is None:
                out.append(flat[start])
                start += 1
            else:
                stop = start + treedef.num_leaves
                out.append(tree.unflatten(treedef, flat[start:stop]))
                start = stop
        return out

    def unflatten_out(self, flat: Sequence[Any]) -> Any:
        return flat[0] if self.out_tree is None else tree.unflatten(self.out_tree, flat)


def _without_tangent(leaf: Any) -> Any:
    """Auxiliary data leave a derivative as plain values."""
    return state.trace.split(leaf)[0] if isinstance(leaf, Tracer) else leaf  # type: ignore[attr-defined]


def split_aux(out: Any, what: str, fun: Any) -> tuple[Any, Any]:
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        kind = (
            f"a {type(out).__name__} of length {len(out)}"
            if isinstance(out, (tuple, list))
            else f"{type(out)}"
        )
        raise TypeError(
            f"{what} with has_aux=True expects {name_of(fun)} to return a pair (output, "
            f"auxiliary data), got {kind}.{here()}"
        )
    return out[0], out[1]


def argument(value: Any, what: str, fun: Any, position: int) -> Array:
    """An argument's leaf as an Array, or a TypeError that names function and position."""
    if isinstance(value, Array):
        return value
    try:
        return as_value(value)
    except TypeError:
        raise TypeError(
            f"Argument {position} of {name_of(fun)}, given to {what}, holds {value!r} of type "
            f"{type(value)}, which is not a valid JAX type: only numbers and arrays can be "
            f"transformed.{here()}\n  Repair: leave the argument out of argnums, close over it, "
            "or register its class as a pytree."
        ) from None


def result(value: Any, what: str, fun: Any) -> Array:
    """A leaf of a function's result as an Array."""
    if isinstance(value, Array):
        return value
    try:
        return as_value(value)
    except TypeError:
        raise TypeError(
            f"{name_of(fun)}, given to {what}, returned {value!r} of type {type(value)}, which "
            f"is not a valid JAX type: results must be numbers or arrays (or pytrees of them)."
            f"{here()}"
        ) from None


def describe_type(value: Any) -> str:
    return f"{value.aval.dtype.name}[{','.join(map(str, value.aval.shape))}]"


def is_float0(value: Any) -> bool:
    return getattr(value, "dtype", None) == dtypes.float0


def argument_names(fun: Any, count: int) -> list[str]:
    """Names of the first positional parameters, for messages."""
    try:
        names = [p.name for p in inspect.signature(fun).parameters.values()]
    except (TypeError, ValueError):
        names = []
    return [names[i] if i < len(names) else f"argument {i}" for i in range(count)]
