"""Exercises of 06, custom rules: stable, clipped, scaled, implicit, and twice differentiable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib_kernel.actions.exercise_sets.task import Task
from adlib_kernel.actions.properties import second_derivative, works_under_jit


@adlib.custom_jvp
def _stable_softplus(x: Any) -> Any:
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


_stable_softplus.defjvps(lambda t, ans, x: t / (1 + jnp.exp(-x)))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.float64(x)))


@adlib.custom_vjp
def _scale_cotangent(x: Any, factor: Any) -> Any:
    return x


_scale_cotangent.defvjp(
    lambda x, factor: (x, factor),
    lambda factor, x_bar: (factor * x_bar, jnp.zeros_like(factor)),
)


def _scaled_slope(attempt: Any) -> str:
    """A gradient through the attempt is the gradient without it, times the factor."""
    x = jnp.array([0.5, -1.0, 2.0])
    plain = np.asarray(adlib.grad(lambda x: jnp.sum(jnp.sin(x)))(x))
    for factor in (0.25, -1.0):
        through = lambda x, a=factor: jnp.sum(jnp.sin(attempt(x, a)))  # noqa: E731
        got = np.asarray(adlib.grad(through)(x))
        if np.allclose(got, factor * plain, rtol=1e-4):
            continue
        if np.allclose(got, plain, rtol=1e-4):
            return "the value is right, but the cotangent comes through unchanged"
        if np.allclose(got, plain / factor, rtol=1e-4):
            return "the value is right, but the cotangent is divided by the factor"
        if np.allclose(got, factor * factor * plain, rtol=1e-4):
            return "the value is right, but the cotangent is multiplied by the factor twice"
        if np.allclose(got, -factor * plain, rtol=1e-4):
            return "the value is right, but the sign of the cotangent is wrong"
        return "the value is right, but the cotangent is not factor times what came in"
    return ""


def _solution_slope(F: Callable[..., Any], a: Any, x: Any) -> Any:
    dF_da, dF_dx = adlib.grad(F, argnums=(0, 1))(a, x)
    return dF_da / (1 - dF_dx)


def _solved(F: Callable[..., Any], a: float) -> tuple[Any, float, float]:
    x = 1.0
    for _ in range(200):
        x = float(F(a, x))
    return F, a, x


def _cosine(a: Any, x: Any) -> Any:
    return a * jnp.cos(x)


def _babylon(a: Any, x: Any) -> Any:
    return 0.4 * x + 0.3 * a / x + 0.1 * jnp.sin(a)


def _both(F: Callable[..., Any], a: Any, x: Any) -> tuple[Any, Any]:
    at_a, at_x = adlib.grad(F, argnums=(0, 1))(a, x)
    return at_a, at_x


@adlib.custom_jvp
def _lambert(a: Any) -> Any:
    w = jnp.log1p(a)
    return lax.fori_loop(0, 20, lambda _, w: w - (w - a * jnp.exp(-w)) / (1 + w), w)


_lambert.defjvps(lambda t, w, a: t / (jnp.exp(w) * (1 + w)))


def _lambert_second(a: float) -> Any:
    w = float(_lambert(a))
    return -np.exp(-2 * w) * (w + 2) / (1 + w) ** 3


TASKS = (
    Task(
        "stable_softplus",
        "warm-up",
        _stable_softplus,
        (
            "e¹⁰⁰ does not exist in 32 bits; e⁻¹⁰⁰ is harmless. Use -|x| in the exponent.",
            "log(1 + eˣ) = max(x, 0) + log(1 + e^(-|x|)). Its slope is 1/(1 + e⁻ˣ).",
            "Decorate with @custom_jvp and say stable_softplus.defjvps(lambda t, ans, x: …), t "
            "times the slope.",
        ),
        {
            "points": [0.0, 1.5, -2.0, 60.0, 100.0, -80.0],
            "derivative": _sigmoid,
            "atol": 1e-5,
            "properties": {"works under jit": works_under_jit(3.0)},
        },
    ),
    Task(
        "scale_cotangent",
        "practice",
        _scale_cotangent,
        (
            "The value is x itself. Only the way back is different: a case for custom_vjp.",
            "fwd returns the output and what bwd will need: the factor.",
            "bwd(factor, x_bar) returns one cotangent per argument: (factor * x_bar, None).",
        ),
        {
            "points": [(jnp.array([1.0, -2.0, 0.5]), -1.0), (jnp.array([0.3, 4.0, 1.0]), 0.25)],
            "properties": {"the cotangent is scaled": _scaled_slope},
            "mistakes": {
                "the value is scaled, too; it has to be x unchanged": (
                    lambda x, factor: np.asarray(x) * factor
                ),
            },
        },
    ),
    Task(
        "solution_slope",
        "practice",
        _solution_slope,
        (
            "Differentiate both sides of x = F(a, x), x depending on a.",
            "dx = ∂F/∂a·da + ∂F/∂x·dx. Solve for dx.",
            "dx/da = (∂F/∂a) / (1 - ∂F/∂x): two calls of grad and a division.",
        ),
        {
            "points": [_solved(_cosine, 0.7), _solved(_cosine, 0.4), _solved(_babylon, 2.0)],
            "rtol": 1e-3,
            "mistakes": {
                "this is ∂F/∂a alone: x on the right side depends on a, too": (
                    lambda F, a, x: _both(F, a, x)[0]
                ),
                "the sign in the denominator is wrong: dx on the right goes to the left": (
                    lambda F, a, x: _both(F, a, x)[0] / (1 + _both(F, a, x)[1])
                ),
                "it is multiplied by 1 - ∂F/∂x where it ought to be divided": (
                    lambda F, a, x: _both(F, a, x)[0] * (1 - _both(F, a, x)[1])
                ),
                "this is for an equation F = 0; here x = F(a, x)": (
                    lambda F, a, x: -_both(F, a, x)[0] / _both(F, a, x)[1]
                ),
            },
        },
    ),
    Task(
        "lambert",
        "stretch",
        _lambert,
        (
            "Newton's method for w - a·e⁻ʷ = 0 in a loop of a fixed number of rounds gives the "
            "value.",
            "Differentiate w·eʷ = a: (eʷ + w·eʷ)·dw = da.",
            "The rule is t / (eʷ·(1 + w)); call lambert itself for w in it, so that it can be "
            "differentiated again.",
        ),
        {
            "points": [0.5, 1.0, 2.0, 5.0],
            "derivative": True,
            "rtol": 1e-3,
            "properties": {
                "the second derivative": second_derivative(_lambert_second, (0.5, 2.0)),
            },
            "mistakes": {
                "this is log(1 + a), where Newton's method starts": (lambda a: float(np.log1p(a))),
            },
        },
    ),
)
