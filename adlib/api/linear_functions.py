"""The linear functions that linearize, vjp and linear_transpose return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.base.registration import register_pytree_node
from adlib.interpreters.linearize import LinearMap


class _Form:
    """All of a linear function but its residuals; two are equal if they are one object."""

    __slots__ = ("call", "linear", "text")

    def __init__(self, call: Callable[..., Any], linear: LinearMap, text: str) -> None:
        self.call, self.linear, self.text = call, linear, text


class LinearFunction:
    """A linear function of a tape: call it as any function.

    It is a pytree whose leaves are the residuals, so it can be an argument or a result of
    transformed functions: ``y, pullback = jit(lambda x: vjp(f, x))(x)``.
    """

    __slots__ = ("_call", "_form", "_linear", "_text")

    def __init__(self, call: Callable[..., Any], linear: LinearMap, text: str) -> None:
        self._call = call  # takes the LinearMap, then the function's own arguments
        self._linear = linear
        self._text = text
        self._form: _Form | None = None

    def __call__(self, *args: Any) -> Any:
        return self._call(self._linear, *args)

    def __repr__(self) -> str:
        return f"<{self._text}>"


def _flatten(function: LinearFunction) -> tuple[list[Any], _Form]:
    bare, residuals = function._linear.separated()
    if function._form is None:
        function._form = _Form(function._call, bare, function._text)
    return residuals, function._form


def _unflatten(form: _Form, residuals: Sequence[Any]) -> LinearFunction:
    function = LinearFunction(form.call, form.linear.with_residuals(residuals), form.text)
    function._form = form
    return function


register_pytree_node(LinearFunction, _flatten, _unflatten)
