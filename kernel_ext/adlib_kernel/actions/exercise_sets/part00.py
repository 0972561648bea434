"""Exercises of 00, the start: a slope by hand, a slope of a model, Newton's step, curvatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.exercise_sets.task import Task


def _bump(x: Any) -> Any:
    return x**2 * jnp.exp(-x)


def _distance(phi: Any, v: Any, h: Any) -> Any:
    up = v * jnp.sin(phi)
    return v * jnp.cos(phi) / 9.81 * (up + jnp.sqrt(up**2 + 2 * 9.81 * h))


def _per_speed(v: Any) -> Any:
    return adlib.grad(_distance, argnums=1)(0.7, v, 1.8)


def _newton_step(f: Callable[..., Any], x: Any) -> Any:
    return x - adlib.grad(f)(x) / adlib.grad(adlib.grad(f))(x)


def _curvatures(f: Callable[..., Any], xs: Any) -> Any:
    return adlib.vmap(adlib.grad(adlib.grad(f)))(xs)


def _wave(x: Any) -> Any:
    return jnp.sin(2 * x) + 0.3 * x**2


def _slopes(f: Callable[..., Any], xs: Any) -> Any:
    return adlib.vmap(adlib.grad(f))(xs)


TASKS = (
    Task(
        "bump_slope",
        "warm-up",
        adlib.grad(_bump),
        (
            "It is a product: which rule is there for products?",
            "The derivative of e⁻ˣ is -e⁻ˣ: the chain rule brings a minus sign.",
            "Two terms: one in which x² is differentiated, one in which e⁻ˣ is.",
        ),
        {
            "points": [0.3, 1.0, 2.5, -0.7],
            "terms": {
                "2x·e⁻ˣ": lambda x: 2 * x * np.exp(-x),
                "-x²·e⁻ˣ": lambda x: -(x**2) * np.exp(-x),
            },
            "mistakes": {
                "this is the function itself, not its derivative": lambda x: x**2 * np.exp(-x),
                "a product is not differentiated factor by factor: (uv)' is not u'v'": (
                    lambda x: -2 * x * np.exp(-x)
                ),
            },
        },
    ),
    Task(
        "per_speed",
        "practice",
        _per_speed,
        (
            "grad differentiates with respect to the first argument, unless it is told otherwise.",
            "Make a function of v alone (a lambda will do), or use grad's argnums.",
            "grad(lambda v: distance(0.7, v=v)) is a function of v.",
        ),
        {
            "points": [8.0, 12.0, 15.0],
            "mistakes": {
                "this is the derivative with respect to the angle, and that with respect to the "
                "speed is wanted": lambda v: adlib.grad(_distance)(0.7, v, 1.8),
                "this is the distance itself; how fast does it grow with v?": (
                    lambda v: _distance(0.7, v, 1.8)
                ),
                "this is distance per speed, a mean slope from 0 to v; the slope at v is wanted": (
                    lambda v: _distance(0.7, v, 1.8) / v
                ),
            },
        },
    ),
    Task(
        "newton_step",
        "practice",
        _newton_step,
        (
            "Two derivatives are needed: grad(f) and the derivative of that.",
            "grad(f) plays the part of the function whose zero is looked for.",
            "x minus slope over curvature.",
        ),
        {
            "points": [(_wave, 0.4), (_wave, 1.1), (_bump, 2.2), (_bump, 0.5)],
            "mistakes": {
                "this looks for a zero of f itself; at a stationary point the slope is zero": (
                    lambda f, x: x - f(x) / adlib.grad(f)(x)
                ),
                "the step goes the wrong way: plus where a minus belongs": (
                    lambda f, x: x + adlib.grad(f)(x) / adlib.grad(adlib.grad(f))(x)
                ),
                "this is the step alone; the new x is wanted": (
                    lambda f, x: -adlib.grad(f)(x) / adlib.grad(adlib.grad(f))(x)
                ),
                "slope and curvature have changed places": (
                    lambda f, x: x - adlib.grad(adlib.grad(f))(x) / adlib.grad(f)(x)
                ),
                "this is a step of gradient descent; divide by the curvature": (
                    lambda f, x: x - adlib.grad(f)(x)
                ),
            },
        },
    ),
    Task(
        "curvatures",
        "stretch",
        _curvatures,
        (
            "First write the curvature for a single number.",
            "grad of grad is a function of one number; which transformation maps it over many?",
            "vmap(grad(grad(f))) is a function of an array.",
        ),
        {
            "points": lambda rng: (_wave, jnp.asarray(rng.normal(size=6), jnp.float32)),
            "mistakes": {
                "these are the slopes; differentiate once more": _slopes,
                "these are the values of f, mapped but not differentiated": (
                    lambda f, xs: adlib.vmap(f)(xs)
                ),
            },
        },
    ),
)
