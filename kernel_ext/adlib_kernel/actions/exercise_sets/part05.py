"""Exercises of 05, complex numbers: a slope, a direction, a real Jacobian, areas, Cauchy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.exercise_sets.task import Task


def _laurent(z: Any) -> Any:
    return z**3 + 2 / z


def _laurent_slope(z: Any) -> Any:
    return 3 * z**2 - 2 / z**2


def _steepest(L: Callable[..., Any], z: Any) -> Any:
    slope = jnp.conj(adlib.grad(L)(z))
    return slope / jnp.abs(slope)


def _valley(z: Any) -> Any:
    return jnp.abs(z - (1.0 + 2.0j)) ** 2 + 0.5 * jnp.real(z * z)


def _plane_jacobian(f: Callable[..., Any], z: Any) -> Any:
    z = jnp.asarray(z, jnp.complex64)
    along = [adlib.jvp(f, (z,), (jnp.asarray(d, z.dtype),))[1] for d in (1.0, 1.0j)]
    return jnp.array([[jnp.real(w) for w in along], [jnp.imag(w) for w in along]])


def _bent(z: Any) -> Any:
    return z * z + 0.5 * jnp.conj(z) * jnp.exp(z)


def _area_factor(f: Callable[..., Any], z: Any) -> Any:
    return jnp.linalg.det(_plane_jacobian(f, z))


def _along_one(f: Callable[..., Any], z: Any) -> Any:
    z = jnp.asarray(z, jnp.complex64)
    return adlib.jvp(f, (z,), (jnp.ones_like(z),))[1]


def _on_circle(f: Callable[..., Any], z: Any, r: Any, turn: int) -> Any:
    phase = np.exp(2j * np.pi * np.arange(64) / 64)
    values = np.asarray([complex(f(complex(z + r * p))) for p in phase])
    return np.mean(values * phase**turn)


def _cauchy_slope(f: Callable[..., Any], z: Any, r: Any) -> Any:
    return _on_circle(f, z, r, -1) / r


def _entire(z: Any) -> Any:
    return z**3 - 2 * z + jnp.exp(0.5 * z)


TASKS = (
    Task(
        "laurent_slope",
        "warm-up",
        _laurent_slope,
        (
            "It is holomorphic: differentiate as if z were real.",
            "2/z is 2·z⁻¹.",
            "The powers come down: 3z² for the first term, -2z⁻² for the second.",
        ),
        {
            "points": [(1.0 + 0.5j,), (-0.4 + 1.2j,), (2.0 - 1.0j,), (0.3j + 0.6,)],
            "terms": {"3z²": lambda z: 3 * z**2, "-2/z²": lambda z: -2 / z**2},
            "mistakes": {
                "this is the function itself, not its derivative": _laurent,
                "the derivative of 2/z is -2/z²; the power goes down, not up": (
                    lambda z: 3 * z**2 - 2 * z**2
                ),
            },
        },
    ),
    Task(
        "steepest",
        "practice",
        _steepest,
        (
            "grad(L)(z) is L_x - i·L_y. In which direction of the plane does L grow fastest?",
            "The direction is L_x + i·L_y.",
            "A direction has the length 1: divide by jnp.abs of it.",
        ),
        {
            "points": [(_valley, 0.3 + 0.7j), (_valley, -1.0 + 0.5j), (_valley, 2.0 - 1.5j)],
            "mistakes": {
                "the conjugate is missing: this is a mirror image of the direction": (
                    lambda L, z: jnp.conj(_steepest(L, z))
                ),
                "this direction leads downhill": lambda L, z: -_steepest(L, z),
                "the direction is right, but not its length: 1 is wanted": (
                    lambda L, z: jnp.conj(adlib.grad(L)(z))
                ),
                "this is grad itself: neither conjugated nor of length 1": (
                    lambda L, z: adlib.grad(L)(z)
                ),
            },
        },
    ),
    Task(
        "plane_jacobian",
        "practice",
        _plane_jacobian,
        (
            "Two tangents span the plane: 1 (a step in x) and 1j (a step in y).",
            "jvp along 1 gives u_x + i·v_x; along 1j it gives u_y + i·v_y.",
            "The first column holds real and imaginary part of the first, the second column of "
            "the second.",
        ),
        {
            "points": [(_bent, 0.4 + 0.3j), (_bent, -0.8 + 0.6j), (_bent, 1.1 - 0.5j)],
            "mistakes": {
                "the second column has the wrong sign: the step in y is along 1j, not -1j": (
                    lambda f, z: _plane_jacobian(f, z) * np.array([1.0, -1.0])
                ),
                "this is what it would be if f were holomorphic: [[a, -b], [b, a]]": (
                    lambda f, z: (lambda J: jnp.array([[J[0, 0], -J[1, 0]], [J[1, 0], J[0, 0]]]))(
                        _plane_jacobian(f, z)
                    )
                ),
            },
        },
    ),
    Task(
        "area_factor",
        "practice",
        _area_factor,
        (
            "A small square at z becomes a parallelogram. Its sides are two pushforwards.",
            "The area between (a, b) and (c, d) is ad - bc: a determinant.",
            "With the real Jacobian of the last exercise: u_x·v_y - u_y·v_x. (In Wirtinger's terms "
            "|∂f/∂z|² - |∂f/∂z̄|².)",
        ),
        {
            "points": [(_bent, 0.4 + 0.3j), (_bent, -0.8 + 0.6j), (_bent, 1.1 - 0.5j)],
            "rtol": 1e-3,
            "mistakes": {
                "this would be right for a holomorphic f: |f'|²; here the two sides differ": (
                    lambda f, z: jnp.abs(_along_one(f, z)) ** 2
                ),
                "this is the length of one side": lambda f, z: jnp.abs(_along_one(f, z)),
                "the sign is lost: it tells whether f mirrors": (
                    lambda f, z: jnp.abs(_area_factor(f, z))
                ),
                "plus where a minus belongs: ad - bc": lambda f, z: (
                    lambda J: J[0, 0] * J[1, 1] + J[0, 1] * J[1, 0]
                )(_plane_jacobian(f, z)),
            },
        },
    ),
    Task(
        "cauchy_slope",
        "stretch",
        _cauchy_slope,
        (
            "Cauchy: f(z + r·e^{iθ}) = f(z) + f'(z)·r·e^{iθ} + …; which average keeps the second "
            "term only?",
            "Multiply by e^{-iθ} and average over the circle: all other powers average to zero.",
            "64 points θ = 2πk/64; the mean of f(z + r·e^{iθ})·e^{-iθ}, divided by r.",
        ),
        {
            "points": [
                (_entire, 0.3 + 0.4j, 0.5),
                (_entire, -0.5 + 0.5j, 1.0),
                (_entire, 1.1 - 0.2j, 0.25),
            ],
            "rtol": 1e-3,
            "mistakes": {
                "this is the mean of f over the circle, which is f(z)": (
                    lambda f, z, r: _on_circle(f, z, r, 0)
                ),
                "the phase turns the wrong way: e^{-iθ} is wanted (this averages to zero)": (
                    lambda f, z, r: _on_circle(f, z, r, 1) / r
                ),
                "the result has still to be divided by r": (
                    lambda f, z, r: _on_circle(f, z, r, -1)
                ),
                "this is multiplied by r where it ought to be divided": (
                    lambda f, z, r: _on_circle(f, z, r, -1) * r
                ),
            },
        },
    ),
)
