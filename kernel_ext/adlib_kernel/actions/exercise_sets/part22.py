"""Exercises of 22, Taylor mode: coefficients, a rule for exp, a step of the Taylor method."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import adlib.numpy as jnp
from adlib.experimental.jet import jet
from adlib_kernel.actions.exercise_sets.task import Task


def _polynomial_value(derivatives: Any, h: float) -> Any:
    return sum(d * h**k / math.factorial(k) for k, d in enumerate(derivatives))


def _series_exp(x: Any) -> Any:
    y = [jnp.exp(x[0])]
    for k in range(1, len(x)):
        y.append(sum(j * x[j] * y[k - j] for j in range(1, k + 1)) / k)
    return jnp.stack(y)


def _without_slopes(x: Any) -> Any:
    y = [jnp.exp(x[0])]
    for k in range(1, len(x)):
        y.append(sum(x[j] * y[k - j] for j in range(1, k + 1)))
    return jnp.stack(y)


def _without_division(x: Any) -> Any:
    y = [jnp.exp(x[0])]
    for k in range(1, len(x)):
        y.append(sum(j * x[j] * y[k - j] for j in range(1, k + 1)))
    return jnp.stack(y)


def _coefficients(f: Callable[[Any], Any], y: Any, order: int) -> list[Any]:
    found = [f(y)]
    for k in range(1, order):
        _, slopes = jet(f, (y,), (found,), factorial_scaled=False)
        found.append(slopes[-1] / (k + 1))
    return found[:order]


def _taylor_step(f: Callable[[Any], Any], y: Any, h: float, order: int) -> Any:
    return y + sum(c * h**k for k, c in enumerate(_coefficients(f, y, order), 1))


def _swing(y: Any) -> Any:
    return jnp.stack([y[1], -jnp.sin(y[0])])


def _growth(y: Any) -> Any:
    return y * (1.0 - y)


_Y = jnp.array([1.0, 0.3])

TASKS = (
    Task(
        "polynomial_value",
        "warm-up",
        _polynomial_value,
        (
            "The Taylor coefficient of order k is the derivative over k!.",
            "The first entry is the value itself: order 0.",
            "sum(d * h**k / math.factorial(k) for k, d in enumerate(derivatives))",
        ),
        {
            "points": [
                (jnp.array([1.0, 1.0, 1.0, 1.0, 1.0]), 0.5),
                (jnp.array([0.0, 1.0, 0.0, -1.0]), 0.7),
                (jnp.array([2.0, -1.0, 3.0]), -2.0),
            ],
            "mistakes": {
                "these are derivatives; a coefficient is the derivative over k!": (
                    lambda derivatives, h: sum(d * h**k for k, d in enumerate(derivatives))
                ),
                "the orders begin with 1 here; the first entry is the value": (
                    lambda derivatives, h: sum(
                        d * h**k / math.factorial(k) for k, d in enumerate(derivatives, 1)
                    )
                ),
                "k is not k!": lambda derivatives, h: sum(
                    d * h**k / max(k, 1) for k, d in enumerate(derivatives)
                ),
            },
        },
    ),
    Task(
        "series_exp",
        "practice",
        _series_exp,
        (
            "With y = exp(x): y' = x' y. Compare coefficients.",
            "The coefficient k - 1 of y' is k·y[k], and of x' it is k·x[k].",
            "k·y[k] is the sum of j·x[j]·y[k - j] for j from 1 to k.",
        ),
        {
            "points": [
                (jnp.array([0.0, 1.0, 0.0, 0.0, 0.0]),),
                (jnp.array([0.5, -1.0, 2.0, 0.3]),),
                (jnp.array([1.0, 0.0, 0.5, 0.0, -0.2]),),
                (jnp.array([0.3]),),
            ],
            "derivative": True,
            "mistakes": {
                "this is exp of each coefficient": lambda x: jnp.exp(x),
                "the factor j is missing: the coefficients of x' are j·x[j]": _without_slopes,
                "the division by k is missing: the coefficients of y' are k·y[k]": (
                    _without_division
                ),
                "these are derivatives; coefficients are wanted": lambda x: (
                    _series_exp(x) * np.array([math.factorial(k) for k in range(len(x))])
                ),
            },
        },
    ),
    Task(
        "taylor_step",
        "stretch",
        _taylor_step,
        (
            "Section 22.5: each coefficient of y follows from the slopes' one before it.",
            "jet(f, (y,), (known,), factorial_scaled=False) gives the coefficients of f(y(t)); "
            "the last of them over (k + 1) is the next one of y.",
            "Begin with known = [f(y)]; at the end y + the sum of c * h**k, k from 1.",
        ),
        {
            "points": [
                (_swing, _Y, 0.5, 4),
                (_swing, _Y, -0.3, 1),
                (_growth, jnp.array([0.2]), 0.8, 6),
            ],
            "mistakes": {
                "this is Euler's step, the order 1": lambda f, y, h, order: y + h * f(y),
                "this is the change; the new y is wanted": lambda f, y, h, order: (
                    _taylor_step(f, y, h, order) - y
                ),
                "this is one order too low": lambda f, y, h, order: _taylor_step(
                    f, y, h, order - 1
                ),
                "this is one order too high": lambda f, y, h, order: _taylor_step(
                    f, y, h, order + 1
                ),
            },
        },
    ),
)
