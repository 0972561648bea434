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
    cell: str,
    namespace: dict[str, Any],
    *,
    name: str = "",
    filename: str = "<cell>",
    first_line: int = 1,
) -> Any:
    """Run a cell among the user's names, and give its answer.

    Args:
      cell: Python statements. The answer is what it defines as ``name``; otherwise its last
        statement, which is an expression, a definition of a function, or an assignment.
      namespace: the user's names; what the cell defines goes in there.
      name: the exercise's name.
      filename, first_line: where the cell stands, for tracebacks.

    Raises:
      MagicMistake: if the last line gives nothing to check.
      Exception: whatever the cell raises.
    """
    __tracebackhide__ = True
    tree = ast.parse("\n" * (first_line - 1) + cell, filename=filename)
    last = tree.body[-1] if tree.body else None
    found = name if any(name in _defined(statement) for statement in tree.body) else ""
    if not found and last is not None:
        found = next(iter(_defined(last)), "")
    if not found and not isinstance(last, ast.Expr):
        given = "is empty" if last is None else f"ends with: {ast.unparse(last).splitlines()[0]}"
        raise MagicMistake(
            "%%check wants a cell whose last line is the answer: an expression, a function's "
            f"definition or an assignment; this cell {given}."
        )
    if not found:
        tree.body.pop()
    exec(compile(tree, filename, "exec"), namespace)
    if found:
        return namespace[found]
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), filename, "eval"), namespace)


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a statement of a cell gives something to."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def named_arguments(function: Callable[..., Any], point: Point) -> dict[str, Any]:
    """The arguments by the names of the function's parameters."""
    names = argument_names(function, (0.0,) * len(point))
    return dict(zip(names, point, strict=True))


class _NoAnswer(Exception):
    """What an attempt gave that is no result of any kind."""


def call_attempt(
    attempt: Callable[..., Any],
    point: Point,
    names: dict[str, Any],
    through: Callable[[Any], Any] | None = None,
) -> tuple[Any, str]:
    """The attempt's result at a point; or None, and a sentence on what it raises.

    Args:
      attempt: a function of the point's arguments.
      point, names: the arguments, as a tuple and by name.
      through: what is done to the function before it is called.
    """

    def answered(*args: Any) -> Any:
        result = attempt(*args)
        if result is None:
            raise _NoAnswer("the function gives None: is a return missing?")
        if any(leaf is ... for leaf in adlib.tree_util.tree_leaves(result)):
            raise _NoAnswer("the dots still stand where the answer belongs")
        return result

    try:
        return (answered if through is None else through(answered))(*point), ""
    except _NoAnswer as missing:
        return None, str(missing)
    except Exception as error:  # whatever a learner's code raises is an answer of its own kind
        return None, f"it raises {raised_text(error)}{at_point(names)}"


def raised_text(error: Exception) -> str:
    """An error in one line, with the last of the user's lines that it passed.

    >>> raised_text(KeyError("w"))
    "KeyError: 'w'"
    """
    first = (str(error).splitlines() or [""])[0].rstrip(".")
    return f"{type(error).__name__}{': ' if first else ''}{first}{_line_of(error)}"


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
    factors: dict[str, Any] | None = None,
) -> str:
    """What is wrong with an attempt's results, one per point; empty if nothing is.

    Args:
      got, wanted: pytrees.
      arguments: at each point the arguments by name.
      terms: parts of the answer by name; values, or functions of the arguments.
      close: when numbers count as equal.
      factors: factors of the answer, as ``terms``.
    """
    for given, right in zip(got, wanted, strict=True):
        wrong = _other_structure(given, right)
        if wrong:
            return wrong
    if len({str(adlib.tree_util.tree_structure(right)) for right in wanted}) > 1:
        # such as a dict whose keys depend on the point: nothing to compare across points
        singly = (
            check_values([mine], [right], [names], terms, close, factors)
            for mine, right, names in zip(got, wanted, arguments, strict=True)
        )
        return next(filter(None, singly), "")
    if adlib.tree_util.all_leaves([wanted[0]]):
        # a list of numbers is as good as an array
        got = [_as_leaf(given) for given in got]
        if any(given is None for given in got):
            return "an array or a number is wanted, and the answer is something else"
    paths = leaf_names("the answer", wanted[0])
    leaves = [[adlib.tree_util.tree_leaves(tree) for tree in trees] for trees in (got, wanted)]
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
            parts, times = (
                {name: np.asarray(_at_values(part, values)) for name, part in named.items()}
                for named in (terms, factors or {})
            )
            samples.append(Sample(array, _as_array_of(right[place]), flat, parts, times))
        wrong = diagnose(samples, close)
        if wrong:
            return wrong if len(paths) == 1 else f"in {path} {wrong}"
    return ""


def _at_values(part: Any, values: tuple[Any, ...]) -> Any:
    return part(*values) if callable(part) else part


def _other_structure(given: Any, wanted: Any) -> str:
    """How the outermost containers of two pytrees differ, in words; empty if they do not.

    Where one array or number is wanted, anything may come: a list of numbers will do.
    """
    if adlib.tree_util.all_leaves([wanted]):
        return ""
    mine, right = (adlib.tree_util.tree_structure(tree) for tree in (given, wanted))
    if mine == right:
        return ""
    if isinstance(given, dict) and isinstance(wanted, dict):
        missing = [str(key) for key in wanted if key not in given]
        extra = [str(key) for key in given if key not in wanted]
        if missing:
            return f"in the answer's dict the key {missing[0]!r} is missing"
        if extra:
            return f"the answer's dict has a key {extra[0]!r} that does not belong there"
    if isinstance(wanted, tuple) and adlib.tree_util.all_leaves([given]):
        return f"the answer is one value, and a tuple of {len(wanted)} is wanted"
    both = (given, wanted)
    if all(isinstance(tree, (tuple, list)) for tree in both) and len(given) != len(wanted):
        return f"the answer has {len(given)} parts, and {len(wanted)} are wanted"
    return f"the answer is built as {mine}, and {right} is wanted"


def known_mistake(
    got: Sequence[Any],
    wanted: Sequence[Any],
    arguments: Sequence[dict[str, Any]],
    mistakes: dict[str, Any],
    close: Closeness,
) -> str:
    """The sentence about the mistake that gives the same results; empty if none does.

    Args:
      got, wanted, arguments, close: as of ``check_values``.
      mistakes: sentences, each with the values or the function of the arguments that it is about.
    """
    for sentence, mistake in mistakes.items():
        made = [_at_values(mistake, tuple(names.values())) for names in arguments]
        is_wrong = check_values(made, wanted, arguments, {}, close)
        if is_wrong and not check_values(got, made, arguments, {}, close):
            return sentence
    return ""


def check_property(name: str, holds: Callable[[Any], str], attempt: Any) -> str:
    """What is wrong with an attempt as far as one property goes; empty if nothing is.

    Args:
      name: of the property, such as "works under jit".
      holds: takes the attempt; returns a sentence, or nothing.
      attempt: the learner's function or value.
    """
    try:
        return holds(attempt)
    except Exception as error:  # as in call_attempt
        return f"the values are right, but the answer fails at: {name}. It raises " + raised_text(
            error
        )


def _as_leaf(value: Any) -> np.ndarray | None:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    if array.dtype.kind in "fciub":
        return array.astype(complex if array.dtype.kind == "c" else float)
    # bfloat16 and its like, which NumPy calls void
    return array.astype(float) if array.dtype.kind == "V" and array.dtype.names is None else None


def _as_array_of(reference: Any) -> np.ndarray:
    """What is wanted, as numbers: yes and no are 1 and 0, as in attempts."""
    array = _as_leaf(reference)
    return np.asarray(reference) if array is None else array


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
        return f"with other values of {named} it raises {raised_text(error)}"
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
