"""Exercises of 08, jaxprs: count, rewrite for tracing, bound, interpret, measure depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.core import Literal
from adlib_kernel.actions.exercise_sets.task import Task
from adlib_kernel.actions.properties import equations, works_under_jit, works_under_vmap


def _nested(x: Any) -> Any:
    return lax.cond(x > 0, lambda x: jnp.sin(x) * x, lambda x: -x, x)


def _straight(x: Any) -> Any:
    return jnp.sin(x) * x + jnp.cos(x) * x


def _rolled(x: Any) -> Any:
    return lax.scan(lambda c, _: (jnp.sin(c) * 2.0, None), x, None, length=4)[0]


def _used_primitives(f: Callable[..., Any], x: Any) -> dict[str, int]:
    return dict(Counter(e.primitive.name for e in equations(adlib.make_jaxpr(f)(x).jaxpr)))


def _outer_primitives(f: Callable[..., Any], x: Any) -> dict[str, int]:
    return dict(Counter(e.primitive.name for e in adlib.make_jaxpr(f)(x).jaxpr.eqns))


def _leaky(x: Any) -> Any:
    return jnp.where(x > 0, x, 0.1 * x)


def _distance_bounds(a: Any) -> Any:
    low, high = a
    ends = min(abs(low), abs(high)), max(abs(low), abs(high))
    return (0.0, ends[1]) if low < 0 < high else ends


_RULES: dict[str, Callable[..., Any]] = {
    "sin": lambda x, t: (jnp.sin(x), jnp.cos(x) * t),
    "cos": lambda x, t: (jnp.cos(x), -jnp.sin(x) * t),
    "mul": lambda x, t, y, s: (x * y, t * y + x * s),
    "add": lambda x, t, y, s: (x + y, t + s),
}


def _my_jvp(f: Callable[..., Any], x: Any, t: Any) -> Any:
    closed = adlib.make_jaxpr(f)(x)
    env = {closed.jaxpr.invars[0]: (x, t)}

    def read(atom: Any) -> Any:
        return (atom.val, 0.0) if isinstance(atom, Literal) else env[atom]

    for eqn in closed.jaxpr.eqns:
        operands = [part for atom in eqn.invars for part in read(atom)]
        env[eqn.outvars[0]] = _RULES[eqn.primitive.name](*operands)
    return read(closed.jaxpr.outvars[0])


def _fan(x: Any) -> Any:
    return jnp.sin(x) * jnp.cos(x * x) + jnp.sin(x)


def _depth(f: Callable[..., Any], x: Any) -> int:
    jaxpr, level = adlib.make_jaxpr(f)(x).jaxpr, {}
    for eqn in jaxpr.eqns:
        below = [level.get(v, 0) for v in eqn.invars if not isinstance(v, Literal)]
        for var in eqn.outvars:
            level[var] = 1 + max(below, default=0)
    return max((level.get(v, 0) for v in jaxpr.outvars if not isinstance(v, Literal)), default=0)


def _two_branches(x: Any) -> Any:
    a = jnp.sin(jnp.cos(jnp.sin(x)))
    b = jnp.exp(x)
    return a * b + x


TASKS = (
    Task(
        "distance_bounds",
        "warm-up",
        _distance_bounds,
        (
            "x is somewhere in [low, high]. How near to 0 can it be, and how far?",
            "If 0 lies inside, |x| can be 0.",
            "Otherwise the smaller of |low| and |high|. The largest |x| always is at an end.",
        ),
        {
            "points": [((1.0, 2.0),), ((-3.0, 1.0),), ((-2.0, -0.5),), ((-1.0, 4.0),)],
            "mistakes": {
                "taking |·| of both ends is not enough: the order turns around for negative "
                "intervals, and 0 may lie inside": lambda a: (abs(a[0]), abs(a[1])),
                "when 0 lies inside, the smallest |x| is 0, not that of an end": (
                    lambda a: (min(abs(a[0]), abs(a[1])), max(abs(a[0]), abs(a[1])))
                ),
                "the lower bound is not always 0": (lambda a: (0.0, max(abs(a[0]), abs(a[1])))),
                "lower and upper bound have changed places": (lambda a: _distance_bounds(a)[::-1]),
            },
        },
    ),
    Task(
        "leaky",
        "practice",
        _leaky,
        (
            "Under jit x has a shape and no value: Python cannot branch on it.",
            "jnp.where chooses between two values that are both computed.",
            "lax.cond would do for one number; jnp.where does for arrays, too.",
        ),
        {
            "points": [(2.0,), (-3.0,), (jnp.array([1.0, -2.0, 0.5]),)],
            "properties": {
                "works under jit": works_under_jit(-1.5),
                "works under vmap": works_under_vmap(jnp.array([1.0, -1.0, 3.0])),
            },
            "mistakes": {
                "negative numbers come out as 0; a tenth of them is wanted": (
                    lambda x: np.maximum(np.asarray(x), 0.0)
                ),
                "the two branches have changed places": (
                    lambda x: np.where(np.asarray(x) > 0, 0.1 * np.asarray(x), np.asarray(x))
                ),
            },
        },
    ),
    Task(
        "used_primitives",
        "practice",
        _used_primitives,
        (
            "make_jaxpr(f)(x).jaxpr.eqns is a list; eqn.primitive.name is what to count.",
            "cond and scan keep their programs among eqn.params: go into those as well.",
            "A parameter may be a jaxpr, a closed jaxpr (with .jaxpr), or a tuple of them: write a "
            "function that calls itself.",
        ),
        {
            "points": [(_straight, 1.0), (_nested, 1.0), (_rolled, 1.0)],
            "mistakes": {
                "the programs inside of cond and scan are not counted": _outer_primitives,
            },
        },
    ),
    Task(
        "forward_by_hand",
        "practice",
        _my_jvp,
        (
            "Keep a dictionary from variables to pairs (value, tangent), and go down the list.",
            "A literal (isinstance(v, Literal)) has the value v.val and the tangent 0.",
            "A table of rules by primitive name: 'mul' takes (x, t, y, s) to (x*y, t*y + x*s).",
        ),
        {
            "points": [(_straight, 0.7, 1.0), (_fan, 1.3, -0.5), (_fan, -0.4, 2.0)],
            "mistakes": {
                "the tangent is right for t = 1 only: it has to be multiplied by t": (
                    lambda f, x, t: (f(x), adlib.grad(f)(x))
                ),
                "value and tangent have changed places": (
                    lambda f, x, t: adlib.jvp(f, (x,), (t,))[::-1]
                ),
                "the tangent has the wrong sign": (lambda f, x, t: (f(x), -adlib.grad(f)(x) * t)),
            },
        },
    ),
    Task(
        "depth",
        "stretch",
        _depth,
        (
            "Equations that do not wait for each other could run at the same time.",
            "Give each variable a level: the inputs 0, a result one more than its highest operand.",
            "The level of the output is the answer; literals do not count.",
        ),
        {
            "points": [(_straight, 1.0), (_fan, 1.0), (_two_branches, 1.0), (jnp.sin, 1.0)],
            "mistakes": {
                "this is the number of equations; those beside each other count once": (
                    lambda f, x: len(adlib.make_jaxpr(f)(x).jaxpr.eqns)
                ),
                "it is one too small: the last equation counts, too": (
                    lambda f, x: _depth(f, x) - 1
                ),
                "it is one too large: the inputs have the level 0": lambda f, x: _depth(f, x) + 1,
            },
        },
    ),
)
