"""``%%grad``: the gradient of a cell's last expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import adlib
from adlib.inspect import leaf_names
from adlib_kernel.actions.expressions import CellFunction, look_up
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.tables import array_text, html_table, number_text, text_table, type_text


@dataclass(frozen=True)
class FiniteDifferenceCheck:
    """A directional derivative, from the gradient and from central differences.

    Attributes:
      from_gradient, from_differences: the derivative along one direction, drawn with a
        fixed seed.
      agrees: whether they agree as far as the precision of the dtype lets one tell.
    """

    from_gradient: float
    from_differences: float
    agrees: bool


@dataclass(frozen=True)
class GradientResult:
    """A value and its gradient with respect to named variables.

    Attributes:
      value: what the cell's last expression gives.
      gradients: for each variable its gradient, a pytree like the variable itself.
      checks: for each variable the comparison with finite differences; empty if not asked for.
    """

    value: Any
    gradients: dict[str, Any]
    checks: dict[str, FiniteDifferenceCheck]

    def __getitem__(self, name: str) -> Any:
        return self.gradients[name]

    def rows(self) -> list[list[str]]:
        """The table's rows: what, entries, type, and the check where there is one."""
        rows = [["value", array_text(self.value), type_text(self.value)]]
        for name, gradient in self.gradients.items():
            leaves = adlib.tree_util.tree_leaves(gradient)
            for path, leaf in zip(leaf_names(name, gradient), leaves, strict=True):
                rows.append([f"d/d{path}", array_text(leaf), type_text(leaf)])
            if name in self.checks:
                rows[-1].append(_check_text(self.checks[name]))
        return rows

    def __repr__(self) -> str:
        return text_table(self.rows())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        heads = ["", "entries", "type"] + (["finite differences"] if self.checks else [])
        rows = [[*row, *[""] * (len(heads) - len(row))] for row in self.rows()]
        return {"text/plain": repr(self), "text/html": html_table(heads, rows)}


def _check_text(check: FiniteDifferenceCheck) -> str:
    if check.agrees:
        return "agrees with finite differences"
    return (
        f"DIFFERS from finite differences: along a random direction the gradient gives "
        f"{number_text(check.from_gradient)}, differences give "
        f"{number_text(check.from_differences)}"
    )


def gradient_of_cell(
    cell: str,
    names: Sequence[str],
    namespace: dict[str, Any],
    *,
    check: bool = False,
    filename: str = "<cell>",
    first_line: int = 1,
) -> GradientResult:
    """Differentiate a cell's last expression with respect to variables.

    Args:
      cell: Python statements; the last one is the expression to differentiate.
      names: names of variables in ``namespace``: arrays, floats, or pytrees of them.
      namespace: the user's names; it is left as it was.
      check: whether to compare with central differences.
      filename, first_line: where the cell stands, for tracebacks and equations' lines.

    Raises:
      MagicMistake: no name, an unknown name, or a cell whose last line is no expression.
      Exception: whatever the cell or ``adlib.grad`` raises.

    >>> gradient_of_cell("y = x * x\\ny * 3.0", ["x"], {"x": 2.0})
    value  12.0  f32[]
    d/dx   12.0  f32[]
    """
    __tracebackhide__ = True
    if not names:
        raise MagicMistake(
            "%%grad wants the names of the variables to differentiate with respect to, "
            "such as %%grad x y; none was given."
        )
    values = look_up(names, namespace, "%%grad")
    function = CellFunction(cell, names, namespace, filename=filename, first_line=first_line)
    argnums = tuple(range(len(names)))
    value, gradients = adlib.value_and_grad(function, argnums=argnums)(*values)
    by_name = dict(zip(names, gradients, strict=True))
    checks = {}
    if check:
        for position, name in enumerate(names):
            checks[name] = _compared(function, values, position, by_name[name], value)
    return GradientResult(value, by_name, checks)


def _compared(
    function: Callable[..., Any],
    values: Sequence[Any],
    position: int,
    gradient: Any,
    value: Any,
) -> FiniteDifferenceCheck:
    """The derivative along one random direction of one variable, both ways."""
    leaves, treedef = adlib.tree_util.tree_flatten(values[position])
    points = [np.asarray(leaf, dtype=float) for leaf in leaves]
    random = np.random.default_rng(0)
    directions = [random.standard_normal(point.shape) for point in points]
    length = float(np.sqrt(sum(np.sum(d * d) for d in directions))) or 1.0
    directions = [direction / length for direction in directions]
    wide = np.asarray(value).dtype.itemsize >= 8
    # relative to the entries, so that a step does not leave the domain of a log or a root
    scale = max((float(np.max(np.abs(point), initial=0.0)) for point in points), default=0.0)
    step = (1e-5 if wide else 5e-3) * (scale or 1.0)

    def moved(distance: float) -> float:
        shifted = [
            _like(leaf, point + distance * direction)
            for leaf, point, direction in zip(leaves, points, directions, strict=True)
        ]
        arguments = list(values)
        arguments[position] = adlib.tree_util.tree_unflatten(treedef, shifted)
        return float(function(*arguments))

    differences = (moved(step) - moved(-step)) / (2 * step)
    slopes = adlib.tree_util.tree_leaves(gradient)
    exact = float(
        sum(
            np.sum(np.asarray(slope, dtype=float) * direction)
            for slope, direction in zip(slopes, directions, strict=True)
        )
    )
    epsilon = 2.3e-16 if wide else 1.2e-7
    rounding = 100 * epsilon * max(abs(float(value)), 1e-30) / step
    tolerance = (1e-5 if wide else 1e-2) * max(abs(exact), abs(differences)) + rounding
    return FiniteDifferenceCheck(exact, differences, abs(exact - differences) <= tolerance)


def _like(leaf: Any, entries: np.ndarray) -> Any:
    """Entries as an array of the dtype that the leaf has for adlib."""
    return adlib.numpy.asarray(entries, dtype=adlib.numpy.asarray(leaf).dtype)
