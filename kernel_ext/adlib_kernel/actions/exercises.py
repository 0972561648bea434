"""Exercises that check themselves: an attempt is compared with a hidden reference.

An exercise is declared once, with its reference; ``check`` compares an attempt with it by value
and by property, and says what is wrong with one that is not right. Nothing leaves the machine.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import adlib
from adlib_kernel.actions.attempts import (
    call_attempt,
    check_derivative,
    check_linear,
    check_property,
    check_values,
    known_mistake,
    named_arguments,
)
from adlib_kernel.actions.diagnosis import Closeness
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.tables import html_table, text_table
from adlib_widgets.svg import escaped

_DRAWS = 5


@dataclass(frozen=True)
class Exercise:
    """A question whose answer is known. Its text form does not show the answer.

    Attributes:
      name: what ``check`` and ``hint`` call it.
      points: the arguments that an attempt is tried with; empty if the answer is a value.
      hints: from the gentlest to the plainest.
      level: how hard it is, in a word; empty if not said.
    """

    name: str
    points: tuple[tuple[Any, ...], ...]
    hints: tuple[str, ...]
    reference: Any = field(repr=False)
    derivative: Any = field(repr=False)
    linear_in: tuple[int, ...] = field(repr=False)
    terms: dict[str, Any] = field(repr=False)
    close: Closeness = field(repr=False)
    level: str = ""
    factors: dict[str, Any] = field(default_factory=dict, repr=False)
    mistakes: dict[str, Any] = field(default_factory=dict, repr=False)
    properties: dict[str, Callable[[Any], str]] = field(default_factory=dict, repr=False)
    through: Callable[[Any], Any] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Exercise({self.name!r})"


@dataclass(frozen=True)
class Verdict:
    """What ``check`` says.

    Attributes:
      name: the exercise's name.
      passed: whether the attempt is right; also what ``bool`` gives.
      message: what was checked, or what is wrong.
    """

    name: str
    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{self.name}: {'right' if self.passed else 'not yet'}. {self.message}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        mark, colour = ("✓", "#1a7f37") if self.passed else ("✗", "#c0392b")
        head = f'<b style="color:{colour}">{mark} {escaped(self.name)}</b>'
        word = "right" if self.passed else "not yet"
        return {
            "text/plain": repr(self),
            "text/html": f"<p>{head}: {word}. {escaped(self.message)}</p>",
        }


@dataclass(frozen=True)
class Hint:
    """One hint of an exercise."""

    text: str

    def __repr__(self) -> str:
        return self.text


_exercises: dict[str, Exercise] = {}
_hints_given: dict[str, int] = {}
_solved: set[str] = set()


def exercise(
    name: str,
    reference: Any,
    *,
    points: Sequence[Any] | Callable[[np.random.Generator], Any] | None = None,
    hints: Sequence[str] = (),
    derivative: bool | Callable[..., Any] = False,
    linear_in: int | Sequence[int] = (),
    terms: dict[str, Any] | None = None,
    factors: dict[str, Any] | None = None,
    mistakes: dict[str, Any] | None = None,
    properties: dict[str, Callable[[Any], str]] | None = None,
    through: Callable[[Any], Any] | None = None,
    level: str = "",
    rtol: float = 1e-4,
    atol: float = 1e-6,
) -> Exercise:
    """Declare an exercise; one of the same name is replaced, and its hints start again.

    Args:
      name: what ``check`` will call it.
      reference: the right answer: a function, or a number, array or pytree of them.
      points: for a function the arguments to try it with: one tuple per point (or the argument
        itself, where there is one), or a function of a NumPy ``Generator`` that draws a point;
        five are drawn, always the same.
      hints: given one at a time by ``hint``.
      derivative: whether the attempt's own derivative has to be right too: True compares
        it with that of the reference, a function of the same arguments with its result, the
        Jacobian with respect to the first argument.
      linear_in: positions of arguments in which, together, the function has to be linear.
      terms: parts of the answer by name (values, or functions of the same arguments), so
        that an attempt without one of them is told which.
      factors: factors of the answer by name, in the same form.
      mistakes: answers that are often given, each under the sentence that explains it: values, or
        functions of the same arguments.
      properties: what else has to hold, by name: functions of the attempt that return a sentence
        on what is wrong, or nothing.
      through: what is done to a function before it is called, such as ``vmap`` with a named axis.
      level: how hard it is, in a word.
      rtol: how far numbers may be off, relative to the largest entry.
      atol: how far besides that.

    Raises:
      ValueError: a function without points, a value with points, or a name with blanks.

    >>> import adlib
    >>> e = exercise("slope", adlib.grad(lambda x: x**3), points=[1.0, 2.0, -1.5])
    >>> check("slope", lambda x: 3 * x**2)
    slope: right. Checked at 3 points: values, shapes.
    >>> check("slope", lambda x: 3 * x)
    slope: not yet. A factor x is missing.
    """
    if not name.isidentifier():
        raise ValueError(f"an exercise's name is like a variable's, without blanks; got {name!r}.")
    if callable(reference) and points is None:
        raise ValueError(
            f"exercise {name!r}: the reference is a function, so it needs points to try an "
            "attempt with.\n"
            "  Repair: points=[(1.0,), (2.0,)], or points=lambda rng: (rng.normal(),)"
        )
    if not callable(reference) and points is not None:
        raise ValueError(
            f"exercise {name!r}: the reference is a value, which has no points.\n"
            "  Repair: leave points out, or give a function as the reference."
        )
    drawn = _drawn(points) if callable(points) else tuple(points or ())
    if callable(reference) and not drawn:
        raise ValueError(f"exercise {name!r}: points is empty; one point at least is wanted.")
    made = Exercise(
        name,
        tuple(point if isinstance(point, tuple) else (point,) for point in drawn),
        tuple(hints),
        reference,
        derivative,
        (linear_in,) if isinstance(linear_in, int) else tuple(linear_in),
        dict(terms or {}),
        Closeness(rtol, atol),
        level,
        dict(factors or {}),
        dict(mistakes or {}),
        dict(properties or {}),
        through,
    )
    _exercises[name] = made
    _hints_given[name] = 0
    _solved.discard(name)
    return made


def _drawn(draw: Callable[[np.random.Generator], Any]) -> tuple[Any, ...]:
    random = np.random.default_rng(0)
    return tuple(draw(random) for _ in range(_DRAWS))


def exercise_names() -> list[str]:
    """The names of the exercises that are declared, in their order."""
    return list(_exercises)


@dataclass(frozen=True)
class ExerciseList:
    """Exercises with their levels, and which of them are solved."""

    rows: tuple[tuple[str, str, str], ...]

    def __repr__(self) -> str:
        done = sum(state == "solved" for _, _, state in self.rows)
        table = text_table([list(row) for row in self.rows])
        return f"{table}\n{done} of {len(self.rows)} solved"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        done = sum(state == "solved" for _, _, state in self.rows)
        table = html_table(["exercise", "level", ""], [list(row) for row in self.rows])
        return {
            "text/plain": repr(self),
            "text/html": f"{table}<p>{done} of {len(self.rows)} solved</p>",
        }


def exercise_list(names: Sequence[str] | None = None) -> ExerciseList:
    """The exercises that are declared, in their order, or those of them that are named.

    >>> e = exercise("area", 6.0, level="warm-up")
    >>> exercise_list(["area"])
    area  warm-up  open
    0 of 1 solved
    """
    return ExerciseList(
        tuple(
            (name, _look_up(name).level, "solved" if name in _solved else "open")
            for name in (exercise_names() if names is None else names)
        )
    )


def check(name: str, attempt: Any) -> Verdict:
    """Compare an attempt with the reference of an exercise.

    Args:
      name: the exercise's name.
      attempt: a function where the reference is one, otherwise a number, array or pytree.

    Returns:
      A ``Verdict``: true if the attempt is right, else with what is wrong with it: the sign, a
      factor, a term, transposed, off by a constant, the shape, an error that it raises, a wrong
      derivative, not linear.

    Raises:
      ValueError: there is no such exercise.

    >>> e = exercise("area", 6.0)
    >>> check("area", -6.0)
    area: not yet. The sign is wrong.
    """
    asked = _look_up(name)
    if callable(asked.reference):
        wrong, checked = _function_verdict(asked, attempt)
    else:
        wrong, checked = _value_verdict(asked, attempt)
    if not wrong:
        _solved.add(name)
        return Verdict(name, True, checked)
    more = len(asked.hints) > _hints_given[name]
    hint_text = f" For a hint: %check --hint {name}" if more else ""
    return Verdict(name, False, f"{_sentence(wrong)}{hint_text}")


def _sentence(text: str) -> str:
    end = "" if text[-1] in ".?!" else "."
    return f"{text[0].upper()}{text[1:]}{end}"


def hint(name: str) -> Hint:
    """The next hint of an exercise; after the last one, the last one again.

    Raises:
      ValueError: there is no such exercise.

    >>> e = exercise("area", 6.0, hints=["Two sides.", "2 × 3."])
    >>> hint("area")
    Hint 1 of 2: Two sides.
    >>> hint("area")
    Hint 2 of 2: 2 × 3.
    """
    asked = _look_up(name)
    if not asked.hints:
        return Hint(f"The exercise {name} has no hints.")
    count = min(_hints_given[name] + 1, len(asked.hints))
    _hints_given[name] = count
    return Hint(f"Hint {count} of {len(asked.hints)}: {asked.hints[count - 1]}")


def _look_up(name: str) -> Exercise:
    if name in _exercises:
        return _exercises[name]
    near = difflib.get_close_matches(name, _exercises, n=1)
    if near:
        repair = f"Did you mean {near[0]}?"
    elif _exercises:
        repair = f"There are {', '.join(_exercises)}."
    else:
        repair = "None is declared yet; run the cell that declares it."
    raise MagicMistake(f"there is no exercise {name}. {repair}")


def _value_verdict(asked: Exercise, attempt: Any) -> tuple[str, str]:
    if any(leaf is ... for leaf in adlib.tree_util.tree_leaves(attempt)):
        return "the dots still stand where the answer belongs", ""
    if attempt is None:
        return "there is no value: the last line has to be the answer", ""
    if callable(attempt):
        return "a value is wanted, and a function was given: call it", ""
    compared = [attempt], [asked.reference], [{}]
    wrong = check_values(*compared, asked.terms, asked.close, asked.factors)
    if wrong:
        return known_mistake(*compared, asked.mistakes, asked.close) or wrong, ""
    failed = _first_failure(asked, attempt)
    return failed, "" if failed else "The value agrees."


def _function_verdict(asked: Exercise, attempt: Any) -> tuple[str, str]:
    """What is wrong with an attempt that ought to be a function, and what was checked."""
    if not callable(attempt):
        kind = "nothing" if attempt is None else f"a {type(attempt).__name__}"
        return f"a function is wanted, and this is {kind}", ""
    arguments = [named_arguments(asked.reference, point) for point in asked.points]
    results: list[Any] = []
    for point, names in zip(asked.points, arguments, strict=True):
        result, error = call_attempt(attempt, point, names, asked.through)
        if error:
            return error, ""
        results.append(result)
    reference = asked.reference if asked.through is None else asked.through(asked.reference)
    wanted = [reference(*point) for point in asked.points]
    wrong = check_values(results, wanted, arguments, asked.terms, asked.close, asked.factors)
    if wrong:
        wrong = known_mistake(results, wanted, arguments, asked.mistakes, asked.close) or wrong
    count = len(asked.points)
    at = "at 1 point" if count == 1 else f"at {count} points"
    checked = ["values", "shapes"]
    if asked.linear_in:
        first = list(arguments[0])
        named = " and ".join(
            first[i] if i < len(first) else f"argument {i}" for i in asked.linear_in
        )
        not_linear = check_linear(attempt, asked.points[0], asked.linear_in, named, asked.close)
        if not_linear:
            return f"{wrong}; besides, {not_linear}" if wrong else not_linear, ""
        checked.append(f"linearity in {named}")
    if wrong:
        return wrong, ""
    if asked.derivative:
        wrong = check_derivative(
            attempt, asked.reference, asked.derivative, asked.points, arguments, asked.close
        )
        if wrong:
            return f"the values are right, but not the derivative: {wrong}", ""
        checked.append("the derivative")
    failed = _first_failure(asked, attempt)
    return failed, "" if failed else f"Checked {at}: {', '.join([*checked, *asked.properties])}."


def _first_failure(asked: Exercise, attempt: Any) -> str:
    """What the first of the exercise's own properties that does not hold has to say."""
    failures = (check_property(name, prop, attempt) for name, prop in asked.properties.items())
    return next(filter(None, failures), "")
