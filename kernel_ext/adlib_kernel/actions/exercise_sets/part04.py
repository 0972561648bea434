"""Exercises of 04, vmap: all pairs, one gradient per example, rows, diagonals, a named axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import lax, vmap
from adlib_kernel.actions.exercise_sets.task import Task
from adlib_kernel.actions.properties import works_under_jit


def _array(rng: np.random.Generator, *shape: int) -> Any:
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


def _all_distances(P: Any, Q: Any) -> Any:
    return jnp.sqrt(jnp.sum((P[:, None, :] - Q[None, :, :]) ** 2, axis=-1))


def _gradient_norms(loss: Callable[..., Any], w: Any, X: Any, y: Any) -> Any:
    gradients = vmap(adlib.grad(loss), (None, 0, 0))(w, X, y)
    return jnp.sqrt(jnp.sum(gradients**2, axis=1))


def _loss(w: Any, x: Any, y: Any) -> Any:
    return (jnp.tanh(x @ w) - y) ** 2


def _examples(rng: np.random.Generator) -> tuple[Any, ...]:
    return _loss, _array(rng, 3), _array(rng, 6, 3), _array(rng, 6)


def _gradients(loss: Callable[..., Any], w: Any, X: Any, y: Any) -> Any:
    return vmap(adlib.grad(loss), (None, 0, 0))(w, X, y)


def _kernel(p: Any, q: Any) -> Any:
    return jnp.exp(-jnp.sum((p - 0.5 * q) ** 2)) + p[0] * q[1]


def _kernel_slopes(k: Callable[..., Any], P: Any, Q: Any) -> Any:
    return vmap(vmap(adlib.grad(k), (None, 0)), (0, None))(P, Q)


def _other_slopes(k: Callable[..., Any], P: Any, Q: Any) -> Any:
    return vmap(vmap(adlib.grad(k, argnums=1), (None, 0)), (0, None))(P, Q)


def _hessian_diagonal(f: Callable[..., Any], x: Any) -> Any:
    along = lambda e: e @ adlib.jvp(adlib.grad(f), (x,), (e,))[1]  # noqa: E731
    return vmap(along)(jnp.eye(x.size))


def _coupled(x: Any) -> Any:
    return jnp.sum(jnp.sin(x) ** 2) + x[0] * x[1] * x[2] + jnp.prod(jnp.cos(x))


def _standardise(x: Any) -> Any:
    centred = x - lax.pmean(x, "batch")
    return centred / jnp.sqrt(lax.pmean(centred**2, "batch") + 1e-6)


def _mapped(one: Callable[..., Any]) -> Callable[..., Any]:
    return vmap(one, axis_name="batch")


TASKS = (
    Task(
        "all_distances",
        "warm-up",
        _all_distances,
        (
            "First write the distance of two single points.",
            "One vmap runs over the points of Q with p held fixed: in_axes=(None, 0).",
            "vmap(vmap(dist, (None, 0)), (0, None))(P, Q): the outer one makes the rows.",
        ),
        {
            "points": lambda rng: (_array(rng, 4, 2), _array(rng, 4, 2)),
            "properties": {
                "works under jit": works_under_jit(
                    jnp.arange(6.0).reshape(3, 2), jnp.arange(4.0).reshape(2, 2)
                )
            },
            "mistakes": {
                "these are the squares of the distances; the root is missing": (
                    lambda P, Q: _all_distances(P, Q) ** 2
                ),
                "this pairs the first of P with the first of Q, and so on; all pairs are wanted": (
                    lambda P, Q: jnp.sqrt(jnp.sum((P - Q) ** 2, axis=1))
                ),
            },
        },
    ),
    Task(
        "gradient_norms",
        "practice",
        _gradient_norms,
        (
            "grad(loss)(w, x, y) is the gradient for one example. Which arguments are batched?",
            "in_axes=(None, 0, 0): the same w for everyone.",
            "Then take the root of the sum of squares along the axis of the parameters.",
        ),
        {
            "points": _examples,
            "mistakes": {
                "these are the gradients themselves; the norm of each is wanted": _gradients,
                "this is the norm of the mean gradient: take norms before averaging": (
                    lambda loss, w, X, y: jnp.linalg.norm(_gradients(loss, w, X, y).mean(0))
                ),
                "these are the squares of the norms; the root is missing": (
                    lambda loss, w, X, y: _gradient_norms(loss, w, X, y) ** 2
                ),
                "the norm is taken over the examples (axis 0); each example has its own": (
                    lambda loss, w, X, y: jnp.sqrt(jnp.sum(_gradients(loss, w, X, y) ** 2, axis=0))
                ),
            },
        },
    ),
    Task(
        "kernel_slopes",
        "practice",
        _kernel_slopes,
        (
            "For one pair it is grad(k)(p, q), a vector like p.",
            "Map over Q with p held fixed, and then over P.",
            "vmap(vmap(grad(k), (None, 0)), (0, None))(P, Q) has the shape (len(P), len(Q), 2).",
        ),
        {
            "points": lambda rng: (_kernel, _array(rng, 3, 2), _array(rng, 3, 2)),
            "mistakes": {
                "these are the slopes with respect to q; those with respect to p are wanted": (
                    _other_slopes
                ),
                "the first two axes have changed places: P makes the rows": (
                    lambda k, P, Q: np.swapaxes(_kernel_slopes(k, P, Q), 0, 1)
                ),
                "the contributions of all q are added up; keep them apart": (
                    lambda k, P, Q: np.asarray(_kernel_slopes(k, P, Q)).sum(1)
                ),
                "these are the values of k, not its slopes": (
                    lambda k, P, Q: vmap(vmap(k, (None, 0)), (0, None))(P, Q)
                ),
            },
        },
    ),
    Task(
        "hessian_diagonal",
        "practice",
        _hessian_diagonal,
        (
            "Entry i is eᵢᵀ H eᵢ.",
            "H e is one Hessian–vector product: jvp of grad(f) along e.",
            "vmap(lambda e: e @ jvp(grad(f), (x,), (e,))[1])(jnp.eye(x.size))",
        ),
        {
            "points": lambda rng: (_coupled, _array(rng, 4)),
            "rtol": 1e-3,
            "mistakes": {
                "this is the whole Hessian; its diagonal is wanted": (
                    lambda f, x: adlib.hessian(f)(x)
                ),
                "this is the trace, the sum of the diagonal": (
                    lambda f, x: jnp.trace(adlib.hessian(f)(x))
                ),
                "this is H times a vector of ones: the sum of every row, neighbours included": (
                    lambda f, x: adlib.jvp(adlib.grad(f), (x,), (jnp.ones_like(x),))[1]
                ),
            },
        },
    ),
    Task(
        "standardise",
        "stretch",
        _standardise,
        (
            "Inside, x is one example: its own mean is not what is meant.",
            "lax.pmean(x, 'batch') is the mean over all members of the batch.",
            "Subtract the mean; divide by the root of the mean of squares of what is left, plus "
            "1e-6.",
        ),
        {
            "points": lambda rng: (2.0 + 3.0 * _array(rng, 5, 2),),
            "through": _mapped,
            "rtol": 1e-3,
            "mistakes": {
                "the mean is subtracted, but nothing is divided by the spread": (
                    lambda x: np.asarray(x) - np.mean(x, axis=0)
                ),
                "it is divided by the variance; its root, the standard deviation, is wanted": (
                    lambda x: (np.asarray(x) - np.mean(x, axis=0)) / (np.var(x, axis=0) + 1e-6)
                ),
                "every example is standardised by itself; the mean over the batch is wanted": (
                    lambda x: (
                        (np.asarray(x) - np.mean(x, axis=1, keepdims=True))
                        / np.sqrt(np.var(x, axis=1, keepdims=True) + 1e-6)
                    )
                ),
                "the mean is not subtracted": (
                    lambda x: np.asarray(x) / np.sqrt(np.var(x, axis=0) + 1e-6)
                ),
            },
        },
    ),
)
