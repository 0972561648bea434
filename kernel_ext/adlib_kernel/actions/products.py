"""``%jvp`` and ``%vjp``: a Jacobian times a vector, from the right and from the left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import adlib
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.problems import Problem
from adlib_kernel.actions.tables import html_table, leaf_rows, text_table

_HEADS = ["", "entries", "type"]


@dataclass(frozen=True)
class JvpResult:
    """A value and its derivative along a direction.

    Attributes:
      value: f(x).
      tangents: the direction, by variable.
      tangent: the Jacobian at x times the direction; a pytree like the value.
    """

    value: Any
    tangents: dict[str, Any]
    tangent: Any

    def rows(self) -> list[list[str]]:
        """The table's rows: what, entries, type."""
        rows = leaf_rows("value", self.value, plain="value")
        for name, tangent in self.tangents.items():
            rows += leaf_rows(name, tangent, before="along ")
        return rows + leaf_rows("tangent", self.tangent, plain="tangent")

    def __repr__(self) -> str:
        return text_table(self.rows())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": html_table(_HEADS, self.rows())}


@dataclass(frozen=True)
class VjpResult:
    """A value and a cotangent of it pulled back to the variables.

    Attributes:
      value: f(x).
      cotangent: the row vector that is paired with the value; a pytree like it.
      cotangents: by variable, the row vector times the Jacobian; pytrees like the variables.
    """

    value: Any
    cotangent: Any
    cotangents: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.cotangents[name]

    def rows(self) -> list[list[str]]:
        """The table's rows: what, entries, type."""
        rows = leaf_rows("value", self.value, plain="value")
        rows += leaf_rows("cotangent", self.cotangent, plain="cotangent")
        for name, cotangent in self.cotangents.items():
            rows += leaf_rows(name, cotangent, before="pulled back to ")
        return rows

    def __repr__(self) -> str:
        return text_table(self.rows())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": html_table(_HEADS, self.rows())}


def push_forward(problem: Problem, tangents: Sequence[Any | None], magic: str) -> JvpResult:
    """The derivative of a function of named variables along a direction.

    Args:
      problem: the function, its variables' names and their values.
      tangents: for each variable its part of the direction, of the variable's own structure
        and shapes; None stands for ones.
      magic: the magic's name as typed, for messages.

    Raises:
      MagicMistake: a tangent of another structure or shape.
      Exception: whatever the function or ``adlib.jvp`` raises.

    >>> push_forward(Problem(lambda x: x * x, ("x",), (3.0,)), [None], "%jvp")
    value    9.0  f32[]
    along x  1.0  f32[]
    tangent  6.0  f32[]
    """
    __tracebackhide__ = True
    if len(tangents) != len(problem.names):
        raise MagicMistake(
            f"{magic} wants one tangent for each of {', '.join(problem.names)}, in a tuple; "
            f"{len(tangents)} came for {len(problem.names)}."
        )
    primals = tuple(adlib.tree_util.tree_map(adlib.numpy.asarray, v) for v in problem.values)
    directions = tuple(
        _fitted(tangent, primal, f"{magic}: the tangent of {name}")
        for tangent, primal, name in zip(tangents, primals, problem.names, strict=True)
    )
    value, tangent = adlib.jvp(problem.function, primals, directions)
    return JvpResult(value, dict(zip(problem.names, directions, strict=True)), tangent)


def pull_back(problem: Problem, cotangent: Any | None, magic: str) -> VjpResult:
    """A cotangent of a function's value, pulled back to the function's named variables.

    Args:
      problem: the function, its variables' names and their values.
      cotangent: of the value's own structure and shapes; None stands for ones.
      magic: the magic's name as typed, for messages.

    Raises:
      MagicMistake: a cotangent of another structure or shape.
      Exception: whatever the function or ``adlib.vjp`` raises.

    >>> pull_back(Problem(lambda x: x * x, ("x",), (3.0,)), 10.0, "%vjp")
    value             9.0   f32[]
    cotangent         10.0  f32[]
    pulled back to x  60.0  f32[]
    """
    __tracebackhide__ = True
    value, pullback = adlib.vjp(problem.function, *problem.values)
    primal = adlib.tree_util.tree_map(adlib.numpy.asarray, value)
    fitted = _fitted(cotangent, primal, f"{magic}: the cotangent")
    return VjpResult(value, fitted, dict(zip(problem.names, pullback(fitted), strict=True)))


def _fitted(vector: Any | None, like: Any, what: str) -> Any:
    """A tangent or cotangent as arrays of the dtypes of what it belongs to."""
    if vector is None:
        return adlib.tree_util.tree_map(adlib.numpy.ones_like, like)
    treedef = adlib.tree_util.tree_structure(like)
    try:
        # at a leaf's place a list of numbers stands for an array, as it does in NumPy
        parts = [adlib.numpy.asarray(part) for part in treedef.flatten_up_to(vector)]
    except (TypeError, ValueError):
        raise MagicMistake(
            f"{what} has to be built like it: {treedef}; "
            f"this one is {adlib.tree_util.tree_structure(vector)}."
        ) from None
    fitted = []
    for part, to in zip(parts, adlib.tree_util.tree_leaves(like), strict=True):
        if part.shape != to.shape:
            raise MagicMistake(
                f"{what} has to have the shape {to.shape}; this one has {part.shape}."
            )
        fitted.append(part.astype(to.dtype))
    return treedef.unflatten(fitted)
