"""Exercises of 09, from scratch: pairs, a pull rule, a tape, second order, Taylor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib_kernel.actions.exercise_sets.task import Task

Tape = Sequence[Sequence[tuple[int, float]]]


def _pair_quotient(x: Any, y: Any) -> Any:
    (a, a_dot), (b, b_dot) = x, y
    return a / b, (a_dot * b - a * b_dot) / b**2


def _pull_softmax(y: Any, g: Any) -> Any:
    return y * (g - np.sum(g * y))


def _probabilities(rng: np.random.Generator) -> tuple[Any, ...]:
    weights = np.exp(rng.normal(size=4))
    return weights / weights.sum(), rng.normal(size=4)


def _backward(tape: Tape) -> list[float]:
    cotangents = [0.0] * len(tape)
    cotangents[-1] = 1.0
    for node in reversed(range(len(tape))):
        for parent, slope in tape[node]:
            cotangents[parent] += slope * cotangents[node]
    return cotangents


def _overwriting(tape: Tape) -> list[float]:
    cotangents = [0.0] * len(tape)
    cotangents[-1] = 1.0
    for node in reversed(range(len(tape))):
        for parent, slope in tape[node]:
            cotangents[parent] = slope * cotangents[node]
    return cotangents


def _forwards(tape: Tape) -> list[float]:
    cotangents = [0.0] * len(tape)
    cotangents[-1] = 1.0
    for node in range(len(tape)):
        for parent, slope in tape[node]:
            cotangents[parent] += slope * cotangents[node]
    return cotangents


def _without_incoming(tape: Tape) -> list[float]:
    cotangents = [0.0] * len(tape)
    cotangents[-1] = 1.0
    for node in reversed(range(len(tape))):
        for parent, slope in tape[node]:
            cotangents[parent] += slope
    return cotangents


def _second_order_product(x: Any, y: Any) -> Any:
    (a, a1, a2), (b, b1, b2) = x, y
    return a * b, a1 * b + a * b1, a2 * b + 2 * a1 * b1 + a * b2


def _taylor_product(p: Any, q: Any) -> Any:
    return np.convolve(p, q)[: len(p)]


# Node k lists (parent, slope): what it was made from, with the local derivatives.
_DIAMOND: Tape = ((), ((0, 2.0),), ((0, -1.0),), ((1, 3.0), (2, 0.5)))
_SQUARED: Tape = ((), ((0, 3.0), (0, 3.0)), ((1, 0.2),), ((2, 4.0), (0, 1.5)))
_LADDER: Tape = ((), (), ((0, 2.0), (1, 1.0)), ((2, 0.5), (1, -2.0)), ((3, 1.5), (2, 3.0)))


TASKS = (
    Task(
        "pair_quotient",
        "warm-up",
        _pair_quotient,
        (
            "The value is a/b. Which rule is there for the derivative of a quotient?",
            "(a'b - ab') / b²",
            "Return a tuple: (value, tangent).",
        ),
        {
            "points": [
                ((1.0, 0.5), (2.0, -1.0)),
                ((-3.0, 1.0), (0.5, 2.0)),
                ((2.0, 0.0), (1.5, 1.0)),
                ((0.7, -0.4), (-1.2, 0.3)),
            ],
            "mistakes": {
                "in the tangent the sign of the second term is wrong: a quotient has a minus": (
                    lambda x, y: (x[0] / y[0], (x[1] * y[0] + x[0] * y[1]) / y[0] ** 2)
                ),
                "the tangent is a'/b': a quotient is not differentiated part by part": (
                    lambda x, y: (x[0] / y[0], x[1] / y[1] if y[1] else np.inf)
                ),
                "in the tangent the term with b' is missing": (
                    lambda x, y: (x[0] / y[0], x[1] / y[0])
                ),
                "in the tangent the square of b is missing below": (
                    lambda x, y: (x[0] / y[0], (x[1] * y[0] - x[0] * y[1]) / y[0])
                ),
            },
        },
    ),
    Task(
        "pull_softmax",
        "practice",
        _pull_softmax,
        (
            "Every y depends on every x: ∂yᵢ/∂xⱼ = yᵢ·(δᵢⱼ - yⱼ).",
            "x̄ⱼ = Σᵢ gᵢ·∂yᵢ/∂xⱼ: write the two parts of the sum apart.",
            "yⱼ·gⱼ - yⱼ·Σᵢ gᵢyᵢ",
        ),
        {
            "points": _probabilities,
            "linear_in": 1,
            "terms": {
                "y·g": lambda y, g: y * g,
                "-y·Σ gᵢyᵢ": lambda y, g: -y * np.sum(g * y),
            },
            "mistakes": {
                "this is the rule of the logistic function, y·(1 - y)·g; softmax mixes all "
                "entries": lambda y, g: y * (1 - y) * g,
                "the sum runs over g alone; it has to be Σ gᵢyᵢ": (
                    lambda y, g: y * (g - np.sum(g))
                ),
                "the factor y is missing": lambda y, g: g - np.sum(g * y),
            },
        },
    ),
    Task(
        "backward",
        "practice",
        _backward,
        (
            "Start with the cotangent 1 at the last node, and walk the tape from its end.",
            "A node that was used twice gets two contributions: add them.",
            "cotangents[parent] += slope * cotangents[node], for nodes in reversed order.",
        ),
        {
            "points": [(_DIAMOND,), (_SQUARED,), (_LADDER,)],
            "mistakes": {
                "a later contribution replaces an earlier one: at a fan-out they are added": (
                    _overwriting
                ),
                "the tape is walked from its start; cotangents flow from the end": _forwards,
                "the slopes are passed on without the cotangent that came in (chain rule)": (
                    _without_incoming
                ),
                "the list is in the tape's reversed order; cotangent k belongs to node k": (
                    lambda tape: _backward(tape)[::-1]
                ),
            },
        },
    ),
    Task(
        "second_order_product",
        "practice",
        _second_order_product,
        (
            "Differentiate ab twice: (ab)'' is the derivative of a'b + ab'.",
            "Four products appear, and two of them are equal.",
            "a''b + 2a'b' + ab''",
        ),
        {
            "points": [
                ((1.0, 0.5, 2.0), (2.0, -1.0, 0.3)),
                ((-3.0, 1.0, 0.7), (0.5, 2.0, -1.0)),
                ((2.0, 1.5, -0.4), (1.5, 1.0, 0.8)),
                ((0.7, -0.4, 1.0), (-1.2, 0.3, 2.0)),
            ],
            "mistakes": {
                "in the second derivative the term 2a'b' is missing": lambda x, y: (
                    x[0] * y[0],
                    x[1] * y[0] + x[0] * y[1],
                    x[2] * y[0] + x[0] * y[2],
                ),
                "in the second derivative a'b' comes twice, not once": lambda x, y: (
                    x[0] * y[0],
                    x[1] * y[0] + x[0] * y[1],
                    x[2] * y[0] + x[1] * y[1] + x[0] * y[2],
                ),
                "each derivative is the product of the derivatives: that is no rule": (
                    lambda x, y: tuple(a * b for a, b in zip(x, y, strict=True))
                ),
            },
        },
    ),
    Task(
        "taylor_product",
        "stretch",
        _taylor_product,
        (
            "Multiply out (p₀ + p₁t + p₂t² + …)(q₀ + q₁t + …) and collect powers of t.",
            "The coefficient of tᵏ is Σ pᵢ qₖ₋ᵢ, i from 0 to k.",
            "Powers beyond the length of p are cut off.",
        ),
        {
            "points": lambda rng: (rng.normal(size=4), rng.normal(size=4)),
            "mistakes": {
                "this multiplies coefficient by coefficient; powers have to be collected": (
                    lambda p, q: p * q
                ),
                "the powers beyond the length of p have to be cut off": np.convolve,
                "this is right for derivatives, not for coefficients: no binomials are needed": (
                    lambda p, q: np.array(
                        [
                            sum(_choose(k, i) * p[i] * q[k - i] for i in range(k + 1))
                            for k in range(len(p))
                        ]
                    )
                ),
            },
        },
    ),
)


def _choose(n: int, k: int) -> int:
    rows = [[1]]
    for _ in range(n):
        last = rows[-1]
        rows.append([1, *(a + b for a, b in zip(last, last[1:], strict=False)), 1])
    return rows[n][k]
