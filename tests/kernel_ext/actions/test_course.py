"""The course's exercises: the right answer passes, and wrong ones are told what is wrong.

The answers stand in exercise_sets/, as cells that learners might write: for each exercise one that
is right, and wrong ones under a part of what has to be said about them.
"""

import runpy
from pathlib import Path

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel import check, exercise_set, hint
from adlib_kernel.actions import exercises
from adlib_kernel.actions.attempts import attempt_of_cell
from adlib_kernel.actions.course import PARTS, VIEWS, tasks_of
from adlib_kernel.actions.mistakes import MagicMistake

FOLDER = Path(__file__).parent / "exercise_sets"
ANSWERS = {
    part: runpy.run_path(str(FOLDER / f"{module}.py"))["ANSWERS"] for part, module in PARTS.items()
}
of_views = runpy.run_path(str(FOLDER / "views.py"))
ANSWERS |= {part: of_views[name] for part, name in VIEWS.items()}
EXERCISES = [(part, task) for part in ANSWERS for task in tasks_of(part)]
WRONG = [
    (part, name, message, cell)
    for part, answers in ANSWERS.items()
    for name, (_, wrong) in answers.items()
    for message, cell in wrong.items()
]
each_exercise = pytest.mark.parametrize(
    ("part", "task"), EXERCISES, ids=[task.name for _, task in EXERCISES]
)


def names_of_the_notebook():
    """What the notebooks have imported before their exercises."""
    imported = (
        "checkpoint custom_jvp custom_vjp grad hessian jacfwd jacrev jit jvp lax linear_transpose "
        "linearize make_jaxpr random value_and_grad vjp vmap"
    )
    names = {name: getattr(adlib, name) for name in imported.split()}
    return {**names, "adlib": adlib, "jnp": jnp, "np": np}


def answered(part, name, cell):
    exercise_set(part)
    return check(name, attempt_of_cell(cell, names_of_the_notebook(), name=name))


def test_names_are_unique_and_sets_are_of_three_to_five():
    names = [task.name for _, task in EXERCISES]
    assert len(set(names)) == len(names)
    assert all(3 <= len(tasks_of(part)) <= 5 for part in PARTS)
    assert all(len(tasks_of(part)) == 2 for part in VIEWS)
    for part in ANSWERS:
        levels = [task.level for task in tasks_of(part)]
        assert levels == sorted(levels, key=["warm-up", "practice", "stretch"].index)
        assert levels[0] == "warm-up" and levels[-1] == "stretch"


def test_every_exercise_has_a_right_answer_and_three_wrong_ones():
    assert {part: [task.name for task in tasks_of(part)] for part in ANSWERS} == {
        part: list(answers) for part, answers in ANSWERS.items()
    }
    for answers in ANSWERS.values():
        assert {name: len(wrong) for name, (_, wrong) in answers.items() if len(wrong) < 3} == {}


@each_exercise
def test_the_reference_passes(part, task):
    exercise_set(part)
    verdict = check(task.name, task.reference)
    assert verdict, verdict


@pytest.mark.parametrize(
    ("part", "name", "cell"),
    [(part, name, cell) for part, all_ in ANSWERS.items() for name, (cell, _) in all_.items()],
)
def test_the_right_answer_passes(part, name, cell):
    verdict = answered(part, name, cell)
    assert verdict, verdict
    shown = repr(exercises.exercise_list([name]))
    assert shown.endswith("solved\n1 of 1 solved")


@pytest.mark.parametrize(("part", "name", "message", "cell"), WRONG)
def test_wrong_answers_are_told_what_is_wrong(part, name, message, cell):
    verdict = answered(part, name, cell)
    assert not verdict
    assert message.lower() in verdict.message.lower()


@each_exercise
def test_the_dots_of_an_empty_cell_are_answered_kindly(part, task):
    exercise_set(part)
    dots = "The dots still stand where the answer belongs. For a hint: %check --hint "
    if callable(task.reference):
        assert check(task.name, lambda *args: ...).message == dots + task.name
    assert check(task.name, ...).message.startswith(
        "A function is wanted, and this is a" if callable(task.reference) else dots
    )


@each_exercise
def test_an_error_is_shown_with_the_learners_own_line(part, task):
    if not callable(task.reference):
        return  # the cell itself raises
    cell = f"def {task.name}(*args):\n    x = 1\n    return undefined_name\n"
    exercise_set(part)
    attempt = attempt_of_cell(cell, {}, name=task.name, filename="<learner>", first_line=2)
    message = check(task.name, attempt).message
    assert message.startswith("It raises NameError: name 'undefined_name' is not defined (")
    assert ":4)" in message


@each_exercise
def test_hints_come_one_at_a_time_and_do_not_run_out(part, task):
    exercise_set(part)
    count = len(task.hints)
    assert count >= 3
    shown = [repr(hint(task.name)) for _ in range(count + 2)]
    assert shown[:count] == [
        f"Hint {i + 1} of {count}: {text}" for i, text in enumerate(task.hints)
    ]
    assert shown[count:] == [shown[count - 1]] * 2


@each_exercise
def test_nothing_that_is_shown_holds_the_answer(part, task):
    shown = exercise_set(part)
    assert repr(exercises._exercises[task.name]) == f"Exercise({task.name!r})"
    assert "lambda" not in repr(shown)


def test_the_set_is_a_table_of_what_is_open_and_what_is_solved():
    assert repr(exercise_set("00_start")) == (
        "bump_slope   warm-up   open\n"
        "per_speed    practice  open\n"
        "newton_step  practice  open\n"
        "curvatures   stretch   open\n"
        "0 of 4 solved"
    )
    check("bump_slope", tasks_of("00_start")[0].reference)
    html = exercises.exercise_list()._repr_mimebundle_()["text/html"]
    assert "1 of 4 solved" in html
    assert repr(exercise_set("00_start")).endswith("0 of 4 solved")  # declared again: open again


def test_unknown_parts():
    with pytest.raises(MagicMistake, match="no part 01_gradient. Did you mean 01_gradients?"):
        exercise_set("01_gradient")
    with pytest.raises(MagicMistake, match="no part zzz. There are 00_start, "):
        exercise_set("zzz")
