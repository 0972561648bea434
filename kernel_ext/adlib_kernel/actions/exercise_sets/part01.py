"""Exercises of 01, gradients: the logistic slope, a model's gradient, a safe norm, a wall, meta."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.exercise_sets.task import Task
from adlib_kernel.actions.properties import works_under_jit


def _logistic_slope(z: Any) -> Any:
    s = 1 / (1 + jnp.exp(-z))
    return s * (1 - s)


def _mse(params: Any, X: Any, y: Any) -> Any:
    return jnp.mean((X @ params["w"] + params["b"] - y) ** 2)


def _mse_gradient(params: Any, X: Any, y: Any) -> Any:
    return adlib.grad(_mse)(params, X, y)


def _summed(params: Any, X: Any, y: Any) -> Any:
    return adlib.grad(lambda p: _mse(p, X, y) * len(y))(params)


def _regression(rng: np.random.Generator) -> tuple[Any, ...]:
    X, y, w = rng.normal(size=(7, 3)), rng.normal(size=7), rng.normal(size=3)
    array = [jnp.asarray(value, jnp.float32) for value in (X, y, w)]
    return {"b": float(rng.normal()), "w": array[2]}, array[0], array[1]


def _safe_norm(x: Any) -> Any:
    square = jnp.sum(x * x)
    somewhere = square > 0
    return jnp.where(somewhere, jnp.sqrt(jnp.where(somewhere, square, 1.0)), 0.0)


def _norm_slope(x: Any) -> Any:
    norm = float(np.linalg.norm(x))
    return np.asarray(x) / norm if norm else np.zeros(np.shape(x))


def _quantise(x: Any, step: Any) -> Any:
    return x + adlib.lax.stop_gradient(jnp.round(x / step) * step - x)


def _rate_slope(f: Callable[..., Any], x: Any, rate: Any) -> Any:
    return adlib.grad(lambda a: f(x - a * adlib.grad(f)(x)))(rate)


def _bowl(x: Any) -> Any:
    return 0.5 * jnp.sum(jnp.array([1.0, 2.0, 4.0]) * x * x) + jnp.sum(jnp.sin(x))


def _start(rng: np.random.Generator) -> tuple[Any, ...]:
    return _bowl, jnp.asarray(rng.normal(size=3), jnp.float32), float(rng.uniform(0.05, 0.5))


TASKS = (
    Task(
        "logistic_slope",
        "warm-up",
        _logistic_slope,
        (
            "Write σ(z) as (1 + e⁻ᶻ)⁻¹ and use the chain rule.",
            "You should find e⁻ᶻ / (1 + e⁻ᶻ)². Which part of it is σ?",
            "σ'(z) is σ(z) times something that is 1 where σ is 0.",
        ),
        {
            "points": [-2.0, -0.3, 0.5, 1.7],
            "derivative": True,
            "factors": {
                "σ(z)": lambda z: 1 / (1 + np.exp(-z)),
                "1 - σ(z)": lambda z: 1 / (1 + np.exp(z)),
            },
            "mistakes": {
                "this is 1 - σ² where σ - σ² belongs (1 - σ² is the slope of tanh)": (
                    lambda z: 1 - (1 / (1 + np.exp(-z))) ** 2
                ),
            },
        },
    ),
    Task(
        "mse_gradient",
        "practice",
        _mse_gradient,
        (
            "Let grad do it: which of the arguments is to be differentiated?",
            "Write the loss as a function of (params, X, y) first: a mean of squares.",
            "By hand: with the error e = Xw + b - y it is 2 Xᵀe / N for w, and 2·mean(e) for b.",
        ),
        {
            "points": _regression,
            "mistakes": {
                "this is the gradient of the sum of squares; the loss is their mean": _summed,
                "a square brings a factor 2 when it is differentiated": (
                    lambda p, X, y: adlib.grad(lambda q: _mse(q, X, y) / 2)(p)
                ),
                "it is the gradient with the wrong sign: the error is prediction minus y": (
                    lambda p, X, y: adlib.grad(lambda q: -_mse(q, X, y))(p)
                ),
            },
        },
    ),
    Task(
        "safe_norm",
        "practice",
        _safe_norm,
        (
            "Where does the derivative of a square root become infinite?",
            "One where after the square root is not enough: 0 times infinity is NaN.",
            "First put a harmless number under the root where x is 0, then choose the value.",
        ),
        {
            "points": [
                (jnp.array([3.0, 4.0]),),
                (jnp.zeros(2),),
                (jnp.array([-1.0, 2.0]),),
                (jnp.array([0.0, 0.5]),),
            ],
            "derivative": _norm_slope,
            "properties": {"works under jit": works_under_jit(jnp.array([3.0, 4.0]))},
            "mistakes": {
                "this is the square of the norm; the root is missing": (
                    lambda x: float(np.sum(np.square(x)))
                ),
            },
        },
    ),
    Task(
        "quantise",
        "practice",
        _quantise,
        (
            "The value has to be that of round, the derivative that of x.",
            "x + (something whose value is right and whose derivative is zero).",
            "lax.stop_gradient is the identity for values and zero for derivatives.",
        ),
        {
            "points": [(0.3, 0.25), (1.13, 0.25), (-0.7, 0.5), (2.2, 0.1)],
            "derivative": lambda x, step: 1.0,
            "mistakes": {
                "this is x itself: the value has to be rounded": lambda x, step: x,
                "this rounds to whole numbers; multiples of step are wanted": (
                    lambda x, step: np.round(x)
                ),
                "x / step is rounded, but not multiplied by step again": (
                    lambda x, step: np.round(x / step)
                ),
            },
        },
    ),
    Task(
        "rate_slope",
        "stretch",
        _rate_slope,
        (
            "Write the loss after the step as a function of the rate alone.",
            "grad may stand inside a function that is differentiated.",
            "By hand: -∇f(x - rate·∇f(x)) · ∇f(x), the slope at the new point times the old one.",
        ),
        {
            "points": _start,
            "rtol": 1e-3,
            "mistakes": {
                "both gradients are taken at the old point; one belongs at the new one": (
                    lambda f, x, rate: -jnp.sum(adlib.grad(f)(x) ** 2)
                ),
                "this is the loss after the step; its slope with respect to the rate is wanted": (
                    lambda f, x, rate: f(x - rate * adlib.grad(f)(x))
                ),
                "this is the slope with respect to x, not to the rate": (
                    lambda f, x, rate: adlib.grad(lambda p: f(p - rate * adlib.grad(f)(p)))(x)
                ),
            },
        },
    ),
)
