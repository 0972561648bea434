"""Incomplete gamma and beta functions, and derivatives in their parameters."""

import numpy as np
import pytest
import scipy.special

import adlib
import adlib.numpy as jnp
from adlib import lax


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0, 1000.0])
def test_derivative_in_the_parameter(scale):
    """Against differences of scipy's function, of the smaller tail."""
    rng = np.random.default_rng(0)
    a = rng.uniform(0.2, 1, 100) * scale
    x = a * rng.lognormal(0, 1 / np.sqrt(1 + scale), 100)
    low = x < a

    def tail(a):
        return np.where(low, scipy.special.gammainc(a, x), -scipy.special.gammaincc(a, x))

    h = a * 1e-4
    wanted = (8 * (tail(a + h) - tail(a - h)) - (tail(a + 2 * h) - tail(a - 2 * h))) / (12 * h)
    with adlib.enable_x64(True):
        given = lax.igamma_grad_a(jnp.asarray(a), jnp.asarray(x))
    np.testing.assert_allclose(given, wanted, rtol=1e-6, atol=1e-9 * np.abs(wanted).max())


def test_derivative_of_samples_in_the_parameter():
    """A draw's quantile stays where its parameter moves."""
    a, q, h = np.float64([0.1, 0.7, 3.0, 40.0]), np.float64([0.3, 0.9, 0.5, 0.01]), 1e-5
    at = lambda a: scipy.special.gammaincinv(a, q)  # noqa: E731
    wanted = (at(a + h) - at(a - h)) / (2 * h)
    with adlib.enable_x64(True):
        given = lax.random_gamma_grad(jnp.asarray(a), jnp.asarray(at(a)))
    np.testing.assert_allclose(given, wanted, rtol=1e-6)


def test_samples_far_in_the_tail():
    """Where the density underflows, the ratio of derivatives does not."""
    assert np.isfinite(lax.random_gamma_grad(2.0, 500.0))
    assert np.isfinite(lax.random_gamma_grad(0.01, 1e-30))


@pytest.mark.parametrize(
    "a, x, lower",
    [(1, 0, 0), (1, np.inf, 1), (-1, 1, np.nan), (1, -1, np.nan), (np.nan, 1, np.nan),
     (2, 3, 0.8008517)],
)  # fmt: skip
def test_special_points(a, x, lower):
    a, x = np.float32(a), np.float32(x)
    np.testing.assert_allclose(lax.igamma(a, x), np.float32(lower), rtol=1e-6)
    np.testing.assert_allclose(lax.igammac(a, x), np.float32(1 - lower), rtol=1e-6, atol=1e-7)


def test_derivatives_at_the_border():
    assert adlib.grad(lax.igamma, 1)(1.0, 0.0) == 1
    assert adlib.grad(lax.igammac, 1)(1.0, 0.0) == -1
    assert adlib.grad(lax.igamma)(1.0, 0.0) == 0
    assert np.isnan(lax.igamma_grad_a(-1.0, 1.0))


def test_mixed_derivatives_do_not_depend_on_their_order():
    mixed = adlib.grad(adlib.grad(lax.igamma), 1)(1.5, 2.0)
    np.testing.assert_allclose(mixed, adlib.grad(adlib.grad(lax.igamma, 1))(1.5, 2.0), rtol=1e-5)
    # a power of x whose exponent is 0 still has a derivative in the exponent
    at_one = np.exp(-2) * (np.log(2) + np.euler_gamma)
    np.testing.assert_allclose(adlib.grad(adlib.grad(lax.igamma, 1))(1.0, 2.0), at_one, rtol=1e-5)


def test_incomplete_beta():
    assert lax.betainc(1.0, 2.0, 0.3) == pytest.approx(0.51)
    assert lax.betainc(2.0, 3.0, 0.0) == 0
    assert adlib.grad(lax.betainc, 2)(2.0, 3.0, 0.3) == pytest.approx(1.764)
    assert adlib.grad(lax.betainc, 2)(1.0, 1.0, 0.0) == 1
    assert adlib.grad(lax.betainc, 0)(2.0, 3.0, 0.0) == 0
    assert adlib.grad(lax.betainc, 1)(2.0, 3.0, 1.0) == 0
