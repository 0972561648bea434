"""Exercises of 20, binomial checkpointing: slots, the first snapshot, a schedule carried out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib.experimental.revolve import extra_advances, schedule
from adlib_kernel.actions.exercise_sets.task import Task


def _slots_needed(length: int, runs: int) -> int:
    slots = 1
    while math.comb(slots + runs, slots) < length:
        slots += 1
    return slots


def _splits(n: int, s: int) -> list[int]:
    """Work for each place of the next snapshot, 1 to n - 1."""
    return [m + extra_advances(m, s) + extra_advances(n - m, s - 1) for m in range(1, n)]


def _first_snapshot(n: int, s: int) -> int:
    return 1 + int(np.argmin(_splits(n, s)))


def _last_best(n: int, s: int) -> int:
    return n - 1 - int(np.argmin(_splits(n, s)[::-1]))


def _follow_schedule(
    actions: Sequence[tuple[int, int]], step: Callable[[Any], Any], x: Any, u: Any
) -> Any:
    slots, state = {}, x
    for action, number in actions:
        if action == 0:
            state = step(state)
        elif action == 1:
            slots[number] = state
        elif action == 2:
            state = slots[number]
        else:
            (u,) = adlib.vjp(step, state)[1](u)
    return u


def _pulls_at_the_start(
    actions: Sequence[tuple[int, int]], step: Callable[[Any], Any], x: Any, u: Any
) -> Any:
    for action, _ in actions:
        if action == 3:
            (u,) = adlib.vjp(step, x)[1](u)
    return u


def _pulls_once(
    actions: Sequence[tuple[int, int]], step: Callable[[Any], Any], x: Any, u: Any
) -> Any:
    for _ in range(sum(action == 3 for action, _ in actions) - 1):
        x = step(x)
    return adlib.vjp(step, x)[1](u)[0]


def _moved(x: Any) -> Any:
    return jnp.sin(1.3 * x) + 0.2 * x[::-1]


def _calls(attempt: Any) -> str:
    """What a schedule costs is known: no more calls than its advances and one for each reversal."""
    plan, calls = schedule(12, 2), 0

    def counted(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return _moved(x)

    attempt(_pairs(12, 2), counted, jnp.array([0.3, 1.0]), jnp.ones(2))
    allowed = plan.advances + 12
    if calls == allowed:
        return ""
    return (
        f"the values are right, but step was called {calls} times, and the schedule has "
        f"{plan.advances} advances and 12 reversals: {allowed} calls"
    )


def _pairs(length: int, slots: int) -> tuple[tuple[int, int], ...]:
    return tuple((a, k) for a, k in schedule(length, slots).actions.tolist())


_X, _U = jnp.array([0.3, 1.0, -0.4]), jnp.array([1.0, -2.0, 0.5])

TASKS = (
    Task(
        "slots_needed",
        "warm-up",
        _slots_needed,
        (
            "s slots and r runs reverse at most math.comb(s + r, s) steps.",
            "Count s upwards from 1.",
            "Stop as soon as math.comb(s + runs, s) is no longer below length.",
        ),
        {
            "points": [(1000, 10), (1000, 3), (20, 3), (21, 3), (5, 1), (3003, 5)],
            "mistakes": {
                "this is one too many: a length that is reached exactly needs no further slot": (
                    lambda length, runs: _slots_needed(length + 1, runs)
                ),
                "this is one too few: with so few slots the length is not reached": (
                    lambda length, runs: _slots_needed(length, runs) - 1
                ),
                "this is length divided by runs; the growth is binomial, far faster": (
                    lambda length, runs: -(-length // runs)
                ),
                "this is the length that can be reached, not the number of slots": (
                    lambda length, runs: math.comb(_slots_needed(length, runs) + runs, runs)
                ),
            },
        },
    ),
    Task(
        "first_snapshot",
        "practice",
        _first_snapshot,
        (
            "A snapshot after m steps: what does it cost to get there, and what do the two parts "
            "cost?",
            "The part behind the snapshot has s - 1 slots, the part before it all s again.",
            "Try every m from 1 to n - 1: m + extra_advances(m, s) + extra_advances(n - m, s - 1).",
        ),
        {
            "points": [(10, 2), (10, 3), (20, 3), (56, 3), (57, 3), (100, 5)],
            "mistakes": {
                "this is optimal, but there is a smaller number that is optimal, too": _last_best,
                "this is the number of forward steps; after how many of them is the snapshot?": (
                    extra_advances
                ),
                "the snapshots are spread evenly here, which is not optimal": (lambda n, s: n // s),
                "half of the way is not optimal: the part behind the snapshot has fewer slots": (
                    lambda n, s: n // 2
                ),
            },
        },
    ),
    Task(
        "follow_schedule",
        "stretch",
        _follow_schedule,
        (
            "Two things change as you go: the state at hand, and u. The slots are a dictionary.",
            "Advance: state = step(state). The step's number is not needed.",
            "Reverse: u = vjp(step, state)[1](u)[0].",
        ),
        {
            "points": [
                (_pairs(6, 2), _moved, _X, _U),
                (_pairs(5, 1), _moved, _X, _U),
                (_pairs(4, 4), jnp.tanh, _X, _U),
            ],
            "linear_in": 3,
            "properties": {"calls of step": _calls},
            "mistakes": {
                "every step is pulled back at x; each wants the state that stands before it": (
                    _pulls_at_the_start
                ),
                "this is a state; the cotangent is wanted": lambda actions, step, x, u: x,
                "this is the cotangent before the last step only": _pulls_once,
            },
        },
    ),
)
