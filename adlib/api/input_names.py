"""What a function calls the inputs of its jaxpr: ``x``, ``params['w']``, ``layers[0][1]``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import tree


def argument_names(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any] | None = None
) -> list[str]:
    """One name per leaf of the arguments of ``function(*args, **kwargs)``, in the leaves' order.

    >>> argument_names(lambda x, params: x, (1.0, {"w": 2.0, "b": 3.0}))
    ['x', "params['b']", "params['w']"]
    """
    kwargs = kwargs or {}
    positional = _parameter_names(function, len(args))
    names = []
    for name, value in zip(positional, args, strict=True):
        names.extend(leaf_names(name, value))
    for name in sorted(kwargs):
        names.extend(leaf_names(name, kwargs[name]))
    return names


def leaf_names(name: str, value: Any) -> list[str]:
    """The expression that reaches each leaf of ``value``, which goes by ``name``.

    >>> leaf_names("x", [1.0, (2.0, 3.0)])
    ['x[0]', 'x[1][0]', 'x[1][1]']
    """
    return [name + "".join(f"[{key!r}]" for key in path) for path in tree.paths(value)]


def _parameter_names(function: Callable[..., Any], count: int) -> list[str]:
    """Names of the first ``count`` positional parameters; ``args[2]`` where there are none."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # built-in functions may have no signature
        parameters = []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [parameter.name for parameter in parameters if parameter.kind in kinds][:count]
    rest = next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL), "args")
    return names + [f"{rest}[{i}]" for i in range(count - len(names))]
