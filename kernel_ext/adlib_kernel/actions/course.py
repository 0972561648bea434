"""The exercises of the course, part by part: declared when a notebook asks for them."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from adlib_kernel.actions.exercise_sets.task import Task
from adlib_kernel.actions.exercises import ExerciseList, exercise, exercise_list
from adlib_kernel.actions.mistakes import MagicMistake

# Each part of the course by the name of its notebook.
PARTS = {
    "00_start": "part00",
    "01_gradients": "part01",
    "02_jacobians_hessians": "part02",
    "03_pushforward_pullback": "part03",
    "04_vmap": "part04",
    "05_complex": "part05",
    "06_custom_rules": "part06",
    "07_forward_vs_reverse_cost": "part07",
    "08_reading_jaxprs": "part08",
    "09_from_scratch": "part09",
    "16_gpu": "part16",
    "20_binomial_checkpointing": "part20",
    "21_vertex_elimination": "part21",
    "22_taylor_mode": "part22",
}
# And the lessons on seeing, whose exercises stand in one file.
VIEWS = {
    "10_jaxpr_graph": "GRAPH",
    "11_derivation": "DERIVATION",
    "12_flow": "FLOW",
    "13_jacobian_assembly": "ASSEMBLY",
    "14_memory": "MEMORY",
    "15_why_nan": "NANS",
}
_FOLDER = "adlib_kernel.actions.exercise_sets"


def tasks_of(part: str) -> tuple[Task, ...]:
    """The exercises of one part, answers included.

    Raises:
      MagicMistake: there is no such part.
    """
    names = [*PARTS, *VIEWS]
    if part not in names:
        near = difflib.get_close_matches(part, names, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}."
        raise MagicMistake(f"the course has no part {part}. {hint}")
    module: Any = importlib.import_module(f"{_FOLDER}.{PARTS.get(part, 'views')}")
    tasks: tuple[Task, ...] = getattr(module, VIEWS.get(part, "TASKS"))
    return tasks


def exercise_set(part: str) -> ExerciseList:
    """Declare the exercises of a part of the course; their hints start again.

    Args:
      part: the name of its notebook, such as ``"01_gradients"``.

    Returns:
      Their names and levels, which a notebook shows as a table.

    Raises:
      MagicMistake: there is no such part.

    >>> exercise_set("01_gradient")
    Traceback (most recent call last):
    ...
    adlib_kernel.actions.mistakes.MagicMistake: the course has no part 01_gradient. \
Did you mean 01_gradients?
    """
    tasks = tasks_of(part)
    for task in tasks:
        exercise(task.name, task.reference, level=task.level, hints=task.hints, **task.options)
    return exercise_list([task.name for task in tasks])
