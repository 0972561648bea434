"""Exercises of 02, Jacobians and Hessians: by hand, by products, damped, from three products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.exercise_sets.task import Task
from adlib_kernel.actions.properties import no_array_larger_than


def _polar_jacobian(r: Any, phi: Any) -> Any:
    return jnp.array([[jnp.cos(phi), -r * jnp.sin(phi)], [jnp.sin(phi), r * jnp.cos(phi)]])


def _layer_jacobian(W: Any, b: Any, x: Any) -> Any:
    return (1 - jnp.tanh(W @ x + b) ** 2)[:, None] * W


def _layer(rng: np.random.Generator) -> tuple[Any, ...]:
    drawn = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)
    return tuple(jnp.asarray(value, jnp.float32) for value in drawn)


def _spring(x: Any) -> Any:
    return 4.0 * x[0] ** 2 + jnp.sum(jnp.cosh(0.5 * x)) + 0.1 * jnp.sum(x[1:] * x[:-1])


def _eigenvalues(f: Callable[..., Any], x: Any) -> Any:
    return np.linalg.eigvalsh(np.asarray(adlib.hessian(f)(x), dtype=float))


def _sharpness(f: Callable[..., Any], x: Any) -> Any:
    v = jnp.ones_like(x)
    for _ in range(20):
        v = adlib.jvp(adlib.grad(f), (x,), (v / jnp.linalg.norm(v),))[1]
    return jnp.linalg.norm(v)


def _traced(attempt: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    return lambda x: attempt(_spring, x), (jnp.linspace(-1.0, 1.0, 50),)


def _damped_step(r: Callable[..., Any], x: Any, damping: Any) -> Any:
    J = adlib.jacfwd(r)(x)
    return x - jnp.linalg.solve(J.T @ J + damping * jnp.eye(x.size), J.T @ r(x))


def _misses(x: Any) -> Any:
    return jnp.stack([x[0] ** 2 + x[1] - 2, x[1] * x[2] - 1, x[0] - x[2], jnp.sin(x[0]) * x[1]])


def _fit(rng: np.random.Generator) -> tuple[Any, ...]:
    return _misses, jnp.asarray(rng.normal(size=3), jnp.float32), float(rng.uniform(0.5, 2.0))


def _damped_with(r: Callable[..., Any], x: Any, damping: Any, sign: float) -> Any:
    J = adlib.jacfwd(r)(x)
    return x + sign * jnp.linalg.solve(J.T @ J + damping * jnp.eye(3), J.T @ r(x))


def _three_products(push: Callable[..., Any], n: int) -> Any:
    matrix = np.zeros((n, n))
    for colour in range(3):
        product = np.asarray(push((np.arange(n) % 3 == colour).astype(float)))
        for i in range(n):
            for j in range(max(i - 1, 0), min(i + 2, n)):
                if j % 3 == colour:
                    matrix[i, j] = product[i]
    return matrix


class Tridiagonal:
    """A product with a hidden tridiagonal matrix, which counts how often it is asked for."""

    def __init__(self, n: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        dense = random.normal(size=(n, n))
        near = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= 1
        self._matrix = np.where(near, dense, 0.0)
        self.calls = 0

    def __call__(self, v: Any) -> Any:
        v = np.asarray(v, dtype=float)
        if v.shape != (len(self._matrix),):
            raise ValueError(
                f"push takes one vector of shape ({len(self._matrix)},), not {v.shape}"
            )
        self.calls += 1
        return self._matrix @ v


def _asks_three_times(attempt: Any) -> str:
    push = Tridiagonal(9, 5)
    attempt(push, 9)
    if push.calls <= 3:
        return ""
    return f"the matrix is right, but push was called {push.calls} times, and three are enough"


TASKS = (
    Task(
        "polar_jacobian",
        "warm-up",
        _polar_jacobian,
        (
            "Rows are outputs (x, then y), columns are inputs (r, then φ).",
            "x = r cos φ and y = r sin φ: four small derivatives.",
            "The second column, with respect to φ, has a factor r in both entries.",
        ),
        {
            "points": [(1.5, 0.3), (0.7, 2.0), (2.0, -1.1)],
            "mistakes": {
                "the factor r is missing in the column of φ": lambda r, phi: np.array(
                    [[np.cos(phi), -np.sin(phi)], [np.sin(phi), np.cos(phi)]]
                ),
                "one sign is wrong: the derivative of cos is -sin": lambda r, phi: np.array(
                    [[np.cos(phi), r * np.sin(phi)], [np.sin(phi), r * np.cos(phi)]]
                ),
                "the columns have changed places: first r, then φ": lambda r, phi: np.array(
                    [[-r * np.sin(phi), np.cos(phi)], [r * np.cos(phi), np.sin(phi)]]
                ),
            },
        },
    ),
    Task(
        "layer_jacobian",
        "practice",
        _layer_jacobian,
        (
            "The chain rule: the Jacobian of tanh times the Jacobian of Wx + b.",
            "tanh acts on every entry by itself, so its Jacobian is diagonal.",
            "A diagonal matrix from the left multiplies the rows: slope[:, None] * W.",
        ),
        {
            "points": _layer,
            "mistakes": {
                "the slope of tanh multiplies the columns of W; it belongs to the rows": (
                    lambda W, b, x: (1 - np.tanh(W @ x + b) ** 2) * np.asarray(W)
                ),
                "this is W alone: the slope of tanh is missing": lambda W, b, x: np.asarray(W),
                "the slope of tanh is 1 - tanh², not tanh": (
                    lambda W, b, x: np.tanh(W @ x + b)[:, None] * np.asarray(W)
                ),
            },
        },
    ),
    Task(
        "sharpness",
        "practice",
        _sharpness,
        (
            "Multiply any vector by H again and again: which direction survives?",
            "The one of the largest eigenvalue. Normalise before each product, or it overflows.",
            "20 rounds of v = hvp(f, x, v / ‖v‖) with a hvp of section 2.7; then the norm of v.",
        ),
        {
            "points": lambda rng: (_spring, jnp.asarray(rng.normal(size=5), jnp.float32)),
            "rtol": 1e-3,
            "properties": {"no matrix": no_array_larger_than(100, "a whole Hessian", _traced)},
            "mistakes": {
                "this is the trace, the sum of all eigenvalues": (
                    lambda f, x: jnp.trace(adlib.hessian(f)(x))
                ),
                "this is the smallest eigenvalue": lambda f, x: _eigenvalues(f, x)[0],
                "this is the square of the largest eigenvalue: H was applied once too often": (
                    lambda f, x: _eigenvalues(f, x)[-1] ** 2
                ),
                "this is the Hessian's largest diagonal entry, and its neighbours count, too": (
                    lambda f, x: jnp.max(jnp.diag(adlib.hessian(f)(x)))
                ),
                "this is the length of the gradient": (
                    lambda f, x: jnp.linalg.norm(adlib.grad(f)(x))
                ),
            },
        },
    ),
    Task(
        "damped_step",
        "practice",
        _damped_step,
        (
            "Replace r by r(x) + J·δ, and minimise ‖r + Jδ‖² + damping·‖δ‖² over δ.",
            "Set the gradient with respect to δ to zero: (JᵀJ + damping·I)·δ = -Jᵀr.",
            "J = jacfwd(r)(x); then x + jnp.linalg.solve(…, -J.T @ r(x)).",
        ),
        {
            "points": _fit,
            "rtol": 1e-3,
            "mistakes": {
                "the step goes uphill: plus Jᵀr where minus belongs": (
                    lambda r, x, damping: _damped_with(r, x, damping, 1.0)
                ),
                "the damping is missing": lambda r, x, damping: _damped_with(r, x, 0.0, -1.0),
                "this is the step alone; the new x is wanted": (
                    lambda r, x, damping: _damped_with(r, x, damping, -1.0) - x
                ),
                "this is a step of gradient descent: JᵀJ does not occur in it": (
                    lambda r, x, damping: x - adlib.vjp(r, x)[1](r(x))[0] / damping
                ),
            },
        },
    ),
    Task(
        "from_three_products",
        "stretch",
        _three_products,
        (
            "Columns that share no row can be asked for in one product: add their unit vectors.",
            "In a tridiagonal matrix columns 0, 3, 6, … share no row; so do 1, 4, 7, …",
            "From the product with e₀ + e₃ + e₆ + … row i tells the entry of its one such column, "
            "which is i - 1, i or i + 1.",
        ),
        {
            "points": [(Tridiagonal(7, 0), 7), (Tridiagonal(6, 1), 6), (Tridiagonal(8, 2), 8)],
            "properties": {"at most three products": _asks_three_times},
            "mistakes": {
                "only the diagonal is filled in; the neighbours above and below are missing": (
                    lambda push, n: np.diag(np.diag(_three_products(push, n)))
                ),
            },
        },
    ),
)
