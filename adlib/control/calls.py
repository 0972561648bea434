"""What functions with custom rules share: arguments, flattening, calls that may be staged."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import errors, tree
from adlib.base.source import here
from adlib.core.array import Array, as_value
from adlib.core.jaxpr import ClosedJaxpr, eval_jaxpr
from adlib.core.trace import Tracer
from adlib.interpreters.stage import stage


def name_of(function: Callable[..., Any]) -> str:
    """The function's own name, through partials and wrappers."""
    while not hasattr(function, "__name__") and hasattr(function, "func"):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


# Reading a signature takes as long as a dozen operations.
_signature = functools.lru_cache(maxsize=4096)(inspect.signature)


def positional(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Arguments as positional ones, keywords and defaults resolved by the signature."""
    if not kwargs:
        try:
            count = function.__code__.co_argcount  # type: ignore[attr-defined]
            if len(args) == count and not function.__code__.co_kwonlyargcount:  # type: ignore[attr-defined]
                return tuple(args)
        except AttributeError:
            pass
    try:
        signature = _signature(function)
    except (TypeError, ValueError):
        if kwargs:
            raise TypeError(
                f"{name_of(function)} has no signature to resolve the keyword arguments "
                f"{sorted(kwargs)} with; pass them by position.{here()}"
            ) from None
        return tuple(args)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            f"keyword arguments {sorted(bound.kwargs)} of {name_of(function)} could not be "
            "resolved to positions: a function with custom derivative rules takes positional "
            f"parameters only (no keyword-only parameters, no **kwargs).{here()}"
        )
    return bound.args


def split_arguments(
    function: Callable[..., Any], args: Sequence[Any], nondiff: Sequence[int], what: str
) -> tuple[list[Any], list[Any]]:
    """(differentiable, non-differentiable) arguments; the latter must hold no tracers."""
    fixed = []
    for i in nondiff:
        if i >= len(args):
            raise ValueError(
                f"nondiff_argnums {tuple(nondiff)} of {name_of(function)} asks for argument {i}, "
                f"but it was called with {len(args)} arguments.{here()}"
            )
        if any(isinstance(leaf, Tracer) for leaf in tree.leaves(args[i])):
            raise errors.UnexpectedTracerError(
                f"Found a traced value in argument {i} of {name_of(function)}, which "
                f"nondiff_argnums declares non-differentiable in its {what} rule.{here()}\n"
                "  nondiff_argnums is for values that are not arrays, such as functions and "
                "strings. Repair: leave arrays out of nondiff_argnums; a custom_vjp rule may "
                "return None for their cotangent."
            )
        fixed.append(args[i])
    chosen = set(nondiff)
    return [a for i, a in enumerate(args) if i not in chosen], fixed


def merge_arguments(dynamic: Sequence[Any], fixed: Sequence[Any], nondiff: Sequence[int]) -> Any:
    """The inverse of ``split_arguments``."""
    args = list(dynamic)
    for i, value in sorted(zip(nondiff, fixed, strict=True), key=lambda pair: pair[0]):
        args.insert(i, value)
    return tuple(args)


def normalize_argnums(argnums: Any) -> tuple[int, ...]:
    return (argnums,) if isinstance(argnums, int) else tuple(argnums)


def nondiff_positions(fun: Callable[..., Any], argnums: Any, argnames: Any) -> tuple[int, ...]:
    """Positions of the arguments given by number and by name."""
    names = (argnames,) if isinstance(argnames, str) else tuple(argnames)
    numbers = normalize_argnums(argnums)
    if not names:
        return numbers
    parameters = list(_signature(fun).parameters)
    unknown = [n for n in names if n not in parameters]
    if unknown:
        raise ValueError(
            f"nondiff_argnames {unknown} are no parameters of {name_of(fun)}, which has "
            f"{parameters}.{here()}"
        )
    return tuple(sorted({*numbers, *map(parameters.index, names)}))


def values_of(value: Any, what: str) -> tuple[list[Array], tree.PyTreeDef]:
    """Leaves of a result as Arrays."""
    leaves, treedef = tree.flatten(value)
    return [as_value(leaf, what) for leaf in leaves], treedef


class FlatFunction:
    """A function of flat Arrays around one of pytrees; remembers its result's structure."""

    def __init__(
        self, function: Callable[..., Any], in_tree: tree.PyTreeDef, what: str = ""
    ) -> None:
        self.function = function
        self.in_tree = in_tree
        self.what = what
        self.out_tree: tree.PyTreeDef | None = None
        self.__name__ = name_of(function)

    def __call__(self, *flat: Any) -> list[Array]:
        out = self.function(*tree.unflatten(self.in_tree, flat))
        leaves, self.out_tree = values_of(out, self.what)
        return leaves


def call(program: Any, *args: Any) -> list[Any]:
    """Call a function of flat Arrays, given as such or as a jaxpr."""
    if isinstance(program, ClosedJaxpr):
        return eval_jaxpr(program.jaxpr, program.consts, *args)
    return list(program(*args))


def staged(program: Any, avals: Sequence[Any]) -> ClosedJaxpr:
    """A function of flat Arrays as a jaxpr."""
    return program if isinstance(program, ClosedJaxpr) else stage(program, avals)
