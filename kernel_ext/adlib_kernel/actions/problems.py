"""What is to be differentiated: a function of named variables, from a call or from a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import adlib
from adlib.inspect import argument_names
from adlib_kernel.actions.expressions import Call, CellFunction, look_up
from adlib_kernel.actions.mistakes import MagicMistake

_TAKE_ANYTHING = ("%%adtime",)
_NEED_FLOATS = ("%%grad", "%%jvp", "%%vjp", "%%checkgrads")
_NEED_A_FLOAT = ("%%flow", "%%admem", "%%jacobian")


@dataclass(frozen=True)
class Problem:
    """A function of some variables, each an array, a number or a pytree of them.

    Attributes:
      function: takes the variables' values in order.
      names: the variables' names.
      values: where to differentiate.
    """

    function: Callable[..., Any]
    names: tuple[str, ...]
    values: tuple[Any, ...]


def problem_of_cell(
    cell: str,
    names: Sequence[str],
    namespace: dict[str, Any],
    magic: str,
    *,
    filename: str = "<cell>",
    first_line: int = 1,
) -> Problem:
    """A cell's last expression as a function of variables.

    Args:
      cell: Python statements; the last one is an expression.
      names: names of variables in ``namespace``: arrays, floats, or pytrees of them.
      namespace: the user's names; it is left as it was.
      magic: the magic's name as typed, for messages.
      filename, first_line: where the cell stands, for tracebacks and equations' lines.

    Raises:
      MagicMistake: no name, an unknown name, the name of what is no number, or a cell whose
        last line is no expression.
    """
    if not names:
        raise MagicMistake(
            f"{magic} wants the names of the variables to differentiate with respect to, "
            f"such as {magic} x y; none was given."
        )
    values = look_up(names, namespace, magic)
    _check_variables(names, values, magic)
    function = CellFunction(
        cell, names, namespace, magic=magic, filename=filename, first_line=first_line
    )
    return Problem(function, tuple(names), tuple(values))


def _check_variables(names: Sequence[str], values: Sequence[Any], magic: str) -> None:
    """Derivatives are with respect to floats; what runs or draws a program takes all numbers."""
    if magic in _TAKE_ANYTHING:
        return
    for name, value in zip(names, values, strict=True):
        leaves = adlib.tree_util.tree_leaves(value)
        if not leaves or not all(map(_is_numeric, leaves)):
            raise MagicMistake(
                f"{magic} {name}: {name} is of type {type(value).__name__}, and a number, an array "
                "or a pytree of them is wanted."
            )
    wrong = [
        (name, value) for name, value in zip(names, values, strict=True) if not is_float_tree(value)
    ]
    if magic in _NEED_FLOATS and wrong or magic in _NEED_A_FLOAT and len(wrong) == len(names):
        name, value = wrong[0]
        repair = f"{name} = {float(value)}" if type(value) is int else f"{name} as floats"
        raise MagicMistake(
            f"{magic} {name}: {name} holds no floats, so there is nothing to differentiate with "
            f"respect to. Set it in a cell above: {repair}"
        )


def _is_numeric(leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        return isinstance(leaf, (bool, int, float, complex))
    return any(adlib.numpy.issubdtype(dtype, kind) for kind in (np.number, np.bool_))


def problem_of_call(call: Call, magic: str) -> Problem:
    """A call as a function of those of its arguments that hold floats.

    Raises:
      MagicMistake: if none does.
    """
    given = (*call.args, *call.kwargs.values())
    places = [i for i, value in enumerate(given) if is_float_tree(value)]
    if not places:
        raise MagicMistake(
            f"{magic} {call.text}: no argument is a float or an array of floats, so there is "
            "nothing to differentiate with respect to. Write 2.0 instead of 2."
        )
    positional = argument_names(call.function, (0.0,) * len(call.args))
    names = (*positional, *call.kwargs)
    count = len(call.args)

    def function(*values: Any) -> Any:
        __tracebackhide__ = True
        filled = list(given)
        for place, value in zip(places, values, strict=True):
            filled[place] = value
        return call.function(*filled[:count], **dict(zip(call.kwargs, filled[count:], strict=True)))

    return Problem(function, tuple(names[i] for i in places), tuple(given[i] for i in places))


def is_float_tree(value: Any) -> bool:
    """Whether a value is a float, an array of floats or a pytree of them (not an empty one)."""
    leaves = adlib.tree_util.tree_leaves(value)
    return bool(leaves) and all(map(_is_float, leaves))


def _is_float(leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        return isinstance(leaf, (float, complex))
    return bool(adlib.numpy.issubdtype(dtype, adlib.numpy.inexact))
