"""Calling a view's function with arguments by name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Caller:
    """Calls ``show`` with arguments by name: positional ones of its function stay positional.

    Gradients and Jacobians are with respect to positional arguments, so names alone will not do.
    """

    def __init__(self, show: Callable[..., Any], names: Iterable[str]) -> None:
        self.show = show
        self.names = list(names)
        self.parameters = _parameters(show)
        self.options = _options(show)
        open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in self.parameters)
        known = [p.name for p in self.parameters if p.kind not in _VARIABLE]
        for name in self.names:
            if name not in known and name not in self.options and not open_ended:
                raise TypeError(_unknown(name, [*known, *self.options]))
        for parameter in self.parameters:
            needed = parameter.default is inspect.Parameter.empty
            if needed and parameter.kind not in _VARIABLE and parameter.name not in self.names:
                raise TypeError(
                    f"the function's argument {parameter.name!r} has no default, so interact() "
                    f"needs it: {parameter.name}=(0.0, 3.0) for a slider, or {parameter.name}=2.0 "
                    "to keep it fixed."
                )

    def default(self, name: str) -> Any:
        """The default of a parameter; None where it has none."""
        found = next((p.default for p in self.parameters if p.name == name), None)
        return None if found is inspect.Parameter.empty else found

    def __call__(self, values: dict[str, Any]) -> Any:
        """The view at these arguments."""
        left = dict(values)
        args = []
        for parameter in self.parameters:
            if parameter.kind not in _POSITIONAL or parameter.name not in left:
                break  # what comes after a default that is left alone goes by name
            args.append(left.pop(parameter.name))
        return self.show(*args, **left)


def _parameters(show: Callable[..., Any]) -> list[inspect.Parameter]:
    """Those of the function that is shown (``__wrapped__``), or of ``show`` itself."""
    try:
        return list(inspect.signature(show).parameters.values())
    except (TypeError, ValueError):
        raise TypeError(
            "interact() binds controls to arguments by name, but this function has no signature. "
            "Repair: wrap it, for example show_flow(lambda x: f(x))."
        ) from None


def _options(show: Callable[..., Any]) -> list[str]:
    """Keywords of the view itself, such as ``tangent``."""
    own = inspect.signature(show, follow_wrapped=False).parameters.values()
    return [p.name for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY]


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"the function has no argument {name!r}; it has {', '.join(known) or 'none'}.{hint}"
