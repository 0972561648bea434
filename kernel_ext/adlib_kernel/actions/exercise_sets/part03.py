"""Exercises of 03, pushforward and pullback: by hand, transposed, without a matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.exercise_sets.task import Task
from adlib_kernel.actions.properties import no_array_larger_than


def _push_sine(x: Any, y: Any, x_dot: Any, y_dot: Any) -> Any:
    return x_dot * jnp.sin(y) + x * jnp.cos(y) * y_dot


def _pull_matvec(W: Any, x: Any, u: Any) -> Any:
    return jnp.outer(u, x), W.T @ u


def _matvec(rng: np.random.Generator) -> tuple[Any, ...]:
    drawn = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)
    return tuple(jnp.asarray(value, jnp.float32) for value in drawn)


def _pull_chain(functions: Sequence[Callable[..., Any]], x: Any, u: Any) -> Any:
    pulls = []
    for function in functions:
        x, pull = adlib.vjp(function, x)
        pulls.append(pull)
    for pull in reversed(pulls):
        (u,) = pull(u)
    return u


def _bend(x: Any) -> Any:
    return jnp.sin(x) * x[::-1]


def _mix(x: Any) -> Any:
    return jnp.array([[1.0, 2.0, 0.0], [0.0, -1.0, 1.0], [0.5, 0.0, 1.0]]) @ x


def _square(x: Any) -> Any:
    return x**2 + x


_LINKS = (_bend, _mix, _square)


def _chain_point(rng: np.random.Generator) -> tuple[Any, ...]:
    x, u = (jnp.asarray(rng.normal(size=3), jnp.float32) for _ in range(2))
    return _LINKS, x, u


def _all_at_x(functions: Sequence[Callable[..., Any]], x: Any, u: Any) -> Any:
    for function in reversed(functions):
        (u,) = adlib.vjp(function, x)[1](u)
    return u


def _wrong_order(functions: Sequence[Callable[..., Any]], x: Any, u: Any) -> Any:
    for function in functions:
        y, pull = adlib.vjp(function, x)
        (u,), x = pull(u), y
    return u


def _pushed_through(functions: Sequence[Callable[..., Any]], x: Any, u: Any) -> Any:
    for function in functions:
        x, u = adlib.jvp(function, (x,), (u,))
    return u


def _second_along(f: Callable[..., Any], x: Any, v: Any) -> Any:
    return adlib.jvp(lambda x: adlib.jvp(f, (x,), (v,))[1], (x,), (v,))[1]


def _hilly(x: Any) -> Any:
    return jnp.sum(jnp.sin(x) * x) + x[0] * x[1] * x[2]


def _hilly_point(rng: np.random.Generator) -> tuple[Any, ...]:
    x, v = (jnp.asarray(rng.normal(size=3), jnp.float32) for _ in range(2))
    return _hilly, x, v


def _normal_product(r: Callable[..., Any], x: Any, weights: Any, v: Any) -> Any:
    _, push = adlib.linearize(r, x)
    return adlib.linear_transpose(push, x)(weights * push(v))[0]


def _misses(x: Any) -> Any:
    return jnp.concatenate([jnp.sin(x[1:] * x[:-1]), x**2 - 1.0])


def _misses_point(rng: np.random.Generator) -> tuple[Any, ...]:
    x, v = (jnp.asarray(rng.normal(size=4), jnp.float32) for _ in range(2))
    return _misses, x, jnp.asarray(rng.uniform(0.5, 2.0, size=7), jnp.float32), v


def _traced(attempt: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    return lambda x, v: attempt(_misses, x, jnp.ones(79), v), (jnp.ones(40), jnp.ones(40))


TASKS = (
    Task(
        "push_sine",
        "warm-up",
        _push_sine,
        (
            "Two inputs move at once; their contributions are added.",
            "Each contribution: the partial derivative times the tangent of that input.",
            "∂/∂x is sin y; ∂/∂y is x cos y.",
        ),
        {
            "points": [
                (1.5, 0.4, 1.0, 0.5),
                (-0.6, 1.2, 0.3, -2.0),
                (2.0, -0.8, -1.0, 1.5),
                (0.9, 2.5, 0.7, 0.2),
            ],
            "linear_in": (2, 3),
            "terms": {
                "ẋ·sin y": lambda x, y, x_dot, y_dot: x_dot * np.sin(y),
                "x·cos y·ẏ": lambda x, y, x_dot, y_dot: x * np.cos(y) * y_dot,
            },
            "mistakes": {
                "the factor x is missing in the term of ẏ": (
                    lambda x, y, x_dot, y_dot: x_dot * np.sin(y) + np.cos(y) * y_dot
                ),
                "the tangents have changed places": (
                    lambda x, y, x_dot, y_dot: y_dot * np.sin(y) + x * np.cos(y) * x_dot
                ),
            },
        },
    ),
    Task(
        "pull_matvec",
        "practice",
        _pull_matvec,
        (
            "A cotangent has the shape of what it belongs to: W̄ that of W, x̄ that of x.",
            "u·(W ẋ) = x̄·ẋ for all ẋ: which vector is x̄?",
            "u·(Ẇ x) = Σᵢⱼ uᵢ Ẇᵢⱼ xⱼ, so W̄ᵢⱼ is uᵢ xⱼ: an outer product.",
        ),
        {
            "points": _matvec,
            "linear_in": 2,
            "mistakes": {
                "x̄ is W u; the pullback needs the transpose of W": (
                    lambda W, x, u: (jnp.outer(u, x), W @ u)
                ),
                "W̄ is transposed: its rows belong to the outputs, so u comes first": (
                    lambda W, x, u: (jnp.outer(x, u), W.T @ u)
                ),
                "the two cotangents have changed places: W̄ first, then x̄": (
                    lambda W, x, u: (W.T @ u, jnp.outer(u, x))
                ),
            },
        },
    ),
    Task(
        "pull_chain",
        "practice",
        _pull_chain,
        (
            "Go forward first, and keep what you will need: one pullback for each function.",
            "Each pullback belongs to the point that its function was called at.",
            "y, pull = vjp(f, x) for each f in turn; then apply the pulls, the last one first.",
        ),
        {
            "points": _chain_point,
            "linear_in": 2,
            "rtol": 1e-3,
            "mistakes": {
                "every pullback is taken at x; each belongs at the value that its function got": (
                    _all_at_x
                ),
                "the pullbacks are applied in the order of the functions; u comes from the end": (
                    _wrong_order
                ),
                "this pushes u forward as a tangent": _pushed_through,
            },
        },
    ),
    Task(
        "second_along",
        "practice",
        _second_along,
        (
            "t ↦ f(x + t·v) is a function of one number; its second derivative at 0 is wanted.",
            "The directional derivative, as a function of x, can be pushed forward again.",
            "jvp of (x ↦ jvp(f, (x,), (v,))[1]), along the same v. It is vᵀHv.",
        ),
        {
            "points": _hilly_point,
            "rtol": 1e-3,
            "mistakes": {
                "this is the first derivative along v; once more": (
                    lambda f, x, v: adlib.jvp(f, (x,), (v,))[1]
                ),
                "this is Hv, a vector; vᵀHv is one number": (
                    lambda f, x, v: adlib.jvp(adlib.grad(f), (x,), (v,))[1]
                ),
                "this is half of it: the coefficient of t² in Taylor's series, not the "
                "derivative": lambda f, x, v: 0.5 * _second_along(f, x, v),
                "this is the square of the first derivative": (
                    lambda f, x, v: adlib.jvp(f, (x,), (v,))[1] ** 2
                ),
            },
        },
    ),
    Task(
        "normal_product",
        "stretch",
        _normal_product,
        (
            "Read JᵀWJv from the right: J is applied to v, then the weights, then Jᵀ.",
            "linearize gives v ↦ Jv, linear_transpose turns it around; W only multiplies.",
            "pull(weights * push(v))[0], with pull = linear_transpose(push, x).",
        ),
        {
            "points": _misses_point,
            "linear_in": 3,
            "rtol": 1e-3,
            "properties": {
                "no matrix": no_array_larger_than(200, "a matrix", _traced),
            },
            "mistakes": {
                "the weights are missing: this is JᵀJv": (
                    lambda r, x, w, v: _normal_product(r, x, jnp.ones_like(w), v)
                ),
                "the weights are applied twice": (
                    lambda r, x, w, v: _normal_product(r, x, w * w, v)
                ),
                "this is WJv; it has still to be pulled back": (
                    lambda r, x, w, v: w * adlib.jvp(r, (x,), (v,))[1]
                ),
                "this is JᵀWr, a gradient; v does not occur in it": (
                    lambda r, x, w, v: adlib.vjp(r, x)[1](w * r(x))[0]
                ),
            },
        },
    ),
)
