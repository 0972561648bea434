"""An attempt is called, and its values, its derivative and its linearity are looked at."""

from __future__ import annotations

import ast
import os
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import adlib
from adlib.base.source import SourceLocation
from adlib.inspect import argument_names, leaf_names
from adlib_kernel.actions.diagnosis import Closeness, Sample, diagnose
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.tables import array_text
from adlib_kernel.actions.tracebacks import ROOTS

Point = tuple[Any, ...]


def attempt_of_cell(
    cell: str, namespace: dict[str, Any], *, filename: str = "<cell>", first_line: int = 1
) -> Any:
    """Run a cell among the user's names, and give what its last line is or defines.

    Args:
      cell: Python statements; the last one is an expression, a definition of a function, or
        an assignment to one name.
      namespace: the user's names; what the cell defines goes in there.
      filename, first_line: where the cell stands, for tracebacks.

    Raises:
      MagicMistake: if the last line gives nothing to check.
      Exception: whatever the cell raises.
    """
    __tracebackhide__ = True
    tree = ast.parse("\n" * (first_line - 1) + cell, filename=filename)
    last = tree.body[-1] if tree.body else None
    name = None
    if isinstance(last, (ast.FunctionDef, ast.ClassDef)):
        name = last.name
    elif isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
        name = last.targets[0].id
    elif not isinstance(last, ast.Expr):
        given = "is empty" if last is None else f"ends with: {ast.unparse(last).splitlines()[0]}"
        raise MagicMistake(
            "%%check wants a cell whose last line is the answer: an expression, a function's "
            f"definition or an assignment; this cell {given}."
        )
    if isinstance(last, ast.Expr):
        tree.body.pop()
    exec(compile(tree, filename, "exec"), namespace)
    if name is not None:
        return namespace[name]
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), filename, "eval"), namespace)


def named_arguments(function: Callable[..., Any], point: Point) -> dict[str, Any]:
    """The arguments by the names of the function's parameters."""
    names = argument_names(function, (0.0,) * len(point))
    return dict(zip(names, point, strict=True))


def call_attempt(
    attempt: Callable[..., Any], point: Point, names: dict[str, Any]
) -> tuple[Any, str]:
    """The attempt's result at a point; or None, and a sentence on what it raises."""
    try:
        result = attempt(*point)
    except Exception as error:  # whatever a learner's code raises is an answer of its own kind
        first = (str(error).splitlines() or [""])[0]
        raised = f"{type(error).__name__}: {first.rstrip('.')}" if first else type(error).__name__
        return None, f"it raises {raised}{_line_of(error)}{at_point(names)}"
    if result is None:
        return None, "the function gives None: is a return missing?"
    if result is ...:
        return None, "the dots still stand where the answer belongs"
    return result, ""


def at_point(names: dict[str, Any]) -> str:
    """`` at x = 2.0, y = 1.0``, with the leaves of pytrees by their own names."""
    texts = [
        f"{path} = {array_text(leaf)}"
        for name, value in names.items()
        for path, leaf in _numeric_leaves(name, value).items()
    ]
    return f" at {', '.join(texts)}" if texts else ""


def _line_of(error: BaseException) -> str:
    """`` (In[3]:2)``, the last of the user's lines that the error passed."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        code = frame.f_code
        ours = code.co_filename.startswith(tuple(root + os.sep for root in ROOTS))
        if (
            not ours
            and not code.co_filename.startswith("<adlib")
            and "site-packages" not in (code.co_filename)
        ):
            return f" ({SourceLocation(code, line).summary()})"
    return ""


def check_values(
    got: Sequence[Any],
    wanted: Sequence[Any],
    arguments: Sequence[dict[str, Any]],
    terms: dict[str, Any],
    close: Closeness,
) -> str:
    """What is wrong with an attempt's results, one per point; empty if nothing is.

    Args:
      got, wanted: pytrees.
      arguments: at each point the arguments by name.
      terms: parts of the answer by name; values, or functions of the arguments.
      close: when numbers count as equal.
    """
    structures = [adlib.tree_util.tree_structure(wanted[0])] * len(got)
    for given, structure in zip(got, structures, strict=True):
        mine = adlib.tree_util.tree_structure(given)
        if mine != structure and not adlib.tree_util.all_leaves([wanted[0]]):
            return f"the answer is built as {mine}, and {structure} is wanted"
    if adlib.tree_util.all_leaves([wanted[0]]):
        # a list of numbers is as good as an array
        got = [_as_leaf(given) for given in got]
        if any(given is None for given in got):
            return "an array or a number is wanted, and the answer is something else"
    paths = leaf_names("the answer", wanted[0])
    leaves = [
        [adlib.tree_util.tree_leaves(tree) for tree in trees] for trees in (list(got), list(wanted))
    ]
    for place, path in enumerate(paths):
        samples = []
        for mine, right, names in zip(*leaves, arguments, strict=True):
            array = _as_leaf(mine[place])
            if array is None:
                return f"{path} is a {type(mine[place]).__name__}, and numbers are wanted"
            flat: dict[str, np.ndarray] = {}
            for name, value in names.items():
                flat.update(_numeric_leaves(name, value))
            values = tuple(names.values())
            parts = {
                name: np.asarray(term(*values) if callable(term) else term)
                for name, term in terms.items()
            }
            samples.append(Sample(array, np.asarray(right[place]), flat, parts))
        wrong = diagnose(samples, close)
        if wrong:
            return wrong if len(paths) == 1 else f"in {path} {wrong}"
    return ""


def _as_leaf(value: Any) -> np.ndarray | None:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    if array.dtype.kind in "fciub":
        return array.astype(complex if array.dtype.kind == "c" else float)
    # bfloat16 and its like, which NumPy calls void
    return array.astype(float) if array.dtype.kind == "V" and array.dtype.names is None else None


def _numeric_leaves(name: str, value: Any) -> dict[str, np.ndarray]:
    leaves = zip(leaf_names(name, value), adlib.tree_util.tree_leaves(value), strict=True)
    arrays = {path: _as_leaf(leaf) for path, leaf in leaves}
    return {path: array for path, array in arrays.items() if array is not None}


def check_linear(
    attempt: Callable[..., Any],
    point: Point,
    places: Sequence[int],
    named: str,
    close: Closeness,
) -> str:
    """Whether a function is linear in some of its arguments together; why not, or empty."""
    random = np.random.default_rng(1)

    def drawn(value: Any) -> Any:
        return adlib.tree_util.tree_map(
            lambda leaf: np.asarray(random.standard_normal(np.shape(leaf)), dtype=np.float32), value
        )

    def at(vectors: Sequence[Any]) -> Any:
        filled = list(point)
        for place, vector in zip(places, vectors, strict=True):
            filled[place] = vector
        return attempt(*filled)

    first, second = ([drawn(point[place]) for place in places] for _ in range(2))
    mixed = adlib.tree_util.tree_map(lambda a, b: 2.0 * a - 3.0 * b, first, second)
    try:
        whole, *parts = (
            [_float(leaf) for leaf in adlib.tree_util.tree_leaves(at(vectors))]
            for vectors in (mixed, first, second)
        )
    except Exception as error:  # as in call_attempt
        first_line = (str(error).splitlines() or [""])[0]
        return f"with other values of {named} it raises {type(error).__name__}: {first_line}"
    wide = Closeness(10 * close.rtol, 10 * close.atol)  # a sum of rounded numbers
    for got, a, b in zip(whole, *parts, strict=True):
        if got.shape != a.shape or not wide.same(got, 2.0 * a - 3.0 * b):
            return (
                f"it is not linear in {named}: f(2·a - 3·b) differs from 2·f(a) - 3·f(b), "
                f"with a and b in the place of {named}"
            )
    return ""


def _float(leaf: Any) -> np.ndarray:
    array = _as_leaf(leaf)
    if array is None:
        raise TypeError(f"the result holds a {type(leaf).__name__}")
    return array


def check_derivative(
    attempt: Callable[..., Any],
    reference: Callable[..., Any],
    derivative: bool | Callable[..., Any],
    points: Sequence[Point],
    arguments: Sequence[dict[str, Any]],
    close: Closeness,
) -> str:
    """What is wrong with the derivative that adlib finds for an attempt; empty if nothing is.

    Args:
      attempt, reference: functions of the same arguments.
      derivative: True compares their pullbacks of one cotangent; a function gives the Jacobian
        with respect to the first argument.
      points, arguments: where, as tuples and by name.
      close: when numbers count as equal.
    """
    wide = Closeness(10 * close.rtol, 10 * close.atol)
    if callable(derivative):
        wanted = [derivative(*point) for point in points]
        got = []
        for point, names in zip(points, arguments, strict=True):
            jacobian, error = call_attempt(_jacobian_of(attempt), _floats(point), names)
            if error:
                return error
            got.append(jacobian)
        return check_values(got, wanted, arguments, {}, wide)
    places = [i for i, value in enumerate(points[0]) if _is_float_tree(value)]
    for place in places:
        pulled: list[list[Any]] = [[], []]
        for point, names in zip(points, arguments, strict=True):
            for results, function in zip(pulled, (attempt, reference), strict=True):
                pull = _pullback_of(function, place)
                result, error = call_attempt(pull, _floats(point), names)
                if error:
                    return error
                results.append(result)
        wrong = check_values(pulled[0], pulled[1], arguments, {}, wide)
        if wrong:
            name = list(arguments[0])[place]
            return wrong if len(places) == 1 else f"with respect to {name} {wrong}"
    return ""


def _jacobian_of(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: adlib.jacrev(function)(*args)


def _pullback_of(function: Callable[..., Any], place: int) -> Callable[..., Any]:
    """The cotangent of one argument, for a fixed cotangent of the result."""

    def pulled(*args: Any) -> Any:
        def of_one(value: Any) -> Any:
            return function(*args[:place], value, *args[place + 1 :])

        result, pullback = adlib.vjp(of_one, args[place])
        random = np.random.default_rng(2)
        cotangent = adlib.tree_util.tree_map(
            lambda leaf: adlib.numpy.asarray(
                1.0 + random.random(np.shape(leaf)), dtype=adlib.numpy.asarray(leaf).dtype
            ),
            result,
        )
        return pullback(cotangent)[0]

    return pulled


def _floats(point: Point) -> Point:
    return tuple(adlib.tree_util.tree_map(_as_array, value) for value in point)


def _as_array(leaf: Any) -> Any:
    return adlib.numpy.asarray(leaf) if _is_float(leaf) else leaf


def _is_float_tree(value: Any) -> bool:
    leaves = adlib.tree_util.tree_leaves(value)
    return bool(leaves) and all(map(_is_float, leaves))


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, float) or getattr(getattr(leaf, "dtype", None), "kind", "") == "f"
