"""Trigonometric and hyperbolic functions at special points and on branch cuts."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

NAN, INF, PI = np.nan, np.inf, np.pi

# function: (argument, value, derivative)
TABLE = {
    lax.tan: [(0.0, 0, 1), (INF, NAN, NAN), (PI / 4, 1, 2)],
    lax.asin: [(1.0, PI / 2, INF), (-1.0, -PI / 2, INF), (1.5, NAN, NAN), (0.0, 0, 1)],
    lax.acos: [(1.0, 0, -INF), (-1.0, PI, -INF), (1.5, NAN, NAN), (0.0, PI / 2, -1)],
    lax.atan: [(INF, PI / 2, 0), (-INF, -PI / 2, 0), (1.0, PI / 4, 0.5), (NAN, NAN, NAN)],
    lax.sinh: [(0.0, 0, 1), (INF, INF, INF), (-100.0, -INF, INF)],
    lax.cosh: [(0.0, 1, 0), (-INF, INF, -INF)],
    lax.tanh: [(0.0, 0, 1), (INF, 1, 0), (-INF, -1, 0), (20.0, 1, 0)],
    lax.asinh: [(0.0, 0, 1), (-INF, -INF, 0)],
    lax.acosh: [(1.0, 0, INF), (0.5, NAN, NAN), (-2.0, NAN, NAN), (INF, INF, 0)],
    lax.atanh: [(1.0, INF, INF), (-1.0, -INF, INF), (0.0, 0, 1)],
}  # fmt: skip


@pytest.mark.parametrize(
    "function, x, value, derivative",
    [(f, *row) for f, rows in TABLE.items() for row in rows],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_special_points(function, x, value, derivative):
    np.testing.assert_allclose(function(x), np.float32(value), rtol=1e-6)
    np.testing.assert_allclose(adlib.grad(function)(x), np.float32(derivative), rtol=1e-6)


def test_angles_in_all_quadrants():
    y = np.float32([1, 1, -1, -1, 0, 0, -0.0, 1])
    x = np.float32([1, -1, -1, 1, 1, -1, -1, 0])
    np.testing.assert_allclose(lax.atan2(y, x), np.arctan2(y, x))
    grad = adlib.vmap(adlib.grad(lax.atan2, (0, 1)))(jnp.asarray(y), jnp.asarray(x))
    np.testing.assert_allclose(grad[0], x / (x * x + y * y))
    np.testing.assert_allclose(grad[1], -y / (x * x + y * y))


@pytest.mark.parametrize("z", [1 + 1j, -1 - 1j, -2 + 0.5j, 2 - 0.3j, -0.5 - 2j, 0.1j])
@pytest.mark.parametrize(
    "function", [lax.asin, lax.acos, lax.atan, lax.asinh, lax.acosh, lax.atanh]
)
def test_derivatives_follow_the_branch(function, z):
    with adlib.enable_x64(True):
        h = 1e-6
        slope = (function(z + h) - function(z - h)) / (2 * h)
        grad = adlib.grad(function, holomorphic=True)(jnp.asarray(z))
    assert grad == pytest.approx(complex(slope), rel=1e-6)
