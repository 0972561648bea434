"""``%grad`` and ``%%grad``: gradients of calls and of cells' last expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import adlib
from adlib.inspect import leaf_names
from adlib_kernel.actions.problems import Problem, problem_of_cell
from adlib_kernel.actions.tables import html_table, leaf_rows, number_text, text_table
from adlib_widgets import FlowView, JaxprView, show_flow


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
      hessian: for each pair of variables the block of second derivatives, a pytree like the
        first one whose leaves are pytrees like the second; empty if not asked for.
      graph: the jaxpr of value and gradient, drawn; None if not asked for.
      flow: the numbers of the forward and the reverse sweep; None if not asked for.
    """

    value: Any
    gradients: dict[str, Any]
    checks: dict[str, FiniteDifferenceCheck] = field(default_factory=dict)
    hessian: dict[str, dict[str, Any]] = field(default_factory=dict)
    graph: JaxprView | None = None
    flow: FlowView | None = None

    def __getitem__(self, name: str) -> Any:
        return self.gradients[name]

    def rows(self) -> list[list[str]]:
        """The table's rows: what, entries, type, and the check where there is one."""
        rows = leaf_rows("value", self.value, plain="value")
        for name, gradient in self.gradients.items():
            rows += leaf_rows(name, gradient, before="d/d")
            if name in self.checks:
                rows[-1].append(_check_text(self.checks[name]))
        for first, blocks in self.hessian.items():
            for path, block in zip(
                leaf_names(first, self.gradients[first]),
                _blocks_of(self.gradients[first], blocks),
                strict=True,
            ):
                for second, leaves in block.items():
                    rows += leaf_rows(second, leaves, before=f"d²/d{path} d")
        return rows

    def __repr__(self) -> str:
        views = [view for view in (self.graph, self.flow) if view is not None]
        return "\n".join([text_table(self.rows()), *map(str, views)])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        heads = ["", "entries", "type"] + (["finite differences"] if self.checks else [])
        rows = [[*row, *[""] * (len(heads) - len(row))] for row in self.rows()]
        views = [view.html for view in (self.graph, self.flow) if view is not None]
        return {"text/plain": repr(self), "text/html": html_table(heads, rows) + "".join(views)}


def _by_name(problem: Problem, second: Any) -> dict[str, dict[str, Any]]:
    """What ``adlib.hessian`` gives, by the names of the two variables.

    It gives for each variable a pytree like it, whose leaves are tuples over the variables.
    """
    blocks = {}
    for name, value, rows in zip(problem.names, problem.values, second, strict=True):
        treedef = adlib.tree_util.tree_structure(value)
        leaves = treedef.flatten_up_to(rows)
        blocks[name] = {
            other: treedef.unflatten([leaf[position] for leaf in leaves])
            for position, other in enumerate(problem.names)
        }
    return blocks


def _blocks_of(variable: Any, blocks: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each leaf of a variable, its second derivatives by the name of the other variable."""
    count = len(adlib.tree_util.tree_leaves(variable))
    treedef = adlib.tree_util.tree_structure(variable)
    split: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, block in blocks.items():
        for place, part in zip(split, treedef.flatten_up_to(block), strict=True):
            place[name] = part
    return split


def _check_text(check: FiniteDifferenceCheck) -> str:
    if check.agrees:
        return "agrees with finite differences"
    return (
        f"DIFFERS from finite differences: along a random direction the gradient gives "
        f"{number_text(check.from_gradient)}, differences give "
        f"{number_text(check.from_differences)}"
    )


def gradient(
    problem: Problem,
    *,
    check: bool = False,
    hessian: bool = False,
    graph: bool = False,
    flow: bool = False,
) -> GradientResult:
    """Differentiate a scalar function of named variables.

    Args:
      problem: the function, its variables' names and their values.
      check: whether to compare with central differences.
      hessian: whether to compute the second derivatives too.
      graph: whether to draw the jaxpr of value and gradient.
      flow: whether to show every number of the forward and the reverse sweep.

    Raises:
      Exception: whatever the function or ``adlib.grad`` raises.

    >>> gradient(Problem(lambda x: x**3, ("x",), (2.0,)), hessian=True)
    value     8.0   f32[]
    d/dx      12.0  f32[]
    d²/dx dx  12.0  f32[]
    """
    __tracebackhide__ = True
    function, values = problem.function, problem.values
    argnums = tuple(range(len(problem.names)))
    differentiated = adlib.value_and_grad(function, argnums=argnums)
    value, gradients = differentiated(*values)
    by_name = dict(zip(problem.names, gradients, strict=True))
    checks = {}
    if check:
        for position, name in enumerate(problem.names):
            checks[name] = _compared(function, values, position, by_name[name], value)
    blocks = {}
    if hessian:
        second = adlib.hessian(function, argnums=argnums)(*values)
        blocks = _by_name(problem, second)
    view = None
    if graph:
        jaxpr = adlib.make_jaxpr(differentiated)(*values)
        names = [
            leaf
            for name, v in zip(problem.names, values, strict=True)
            for leaf in leaf_names(name, v)
        ]
        leaves = adlib.tree_util.tree_leaves(values)
        view = JaxprView(jaxpr, input_names=names, values=leaves)
    numbers = show_flow(function)(*values) if flow else None
    return GradientResult(value, by_name, checks, blocks, view, numbers)


def gradient_of_cell(
    cell: str, names: Sequence[str], namespace: dict[str, Any], **options: Any
) -> GradientResult:
    """Differentiate a cell's last expression with respect to variables.

    Args:
      cell, names, namespace: as for ``problem_of_cell``.
      options: those of ``gradient``, and ``filename`` and ``first_line``.

    >>> gradient_of_cell("y = x * x\\ny * 3.0", ["x"], {"x": 2.0})
    value  12.0  f32[]
    d/dx   12.0  f32[]
    """
    __tracebackhide__ = True
    place = {key: options.pop(key) for key in ("filename", "first_line") if key in options}
    return gradient(problem_of_cell(cell, names, namespace, "%%grad", **place), **options)


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
