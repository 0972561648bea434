"""Derivatives in the parameters of hypergeometric, incomplete gamma and beta functions."""

import mpmath
import numpy as np
import pytest

import adlib
from adlib import lax
from adlib.scipy import special


@pytest.fixture(autouse=True)
def double_precision():
    with adlib.enable_x64():
        yield


def regularized_beta(a, b, x):
    return mpmath.betainc(a, b, 0, x, regularized=True)


def regularized_gamma(a, x):
    return mpmath.gammainc(a, 0, x, regularized=True)


def slope(f, args, place, order=1):
    """The derivative in one argument, by mpmath."""
    with mpmath.workdps(40):
        return float(
            mpmath.diff(lambda v: f(*args[:place], v, *args[place + 1 :]), args[place], order)
        )


HYP1F1 = [(1.3, 1.6, 0.3), (2.2, 3.0, -2.5), (0.5, 1.5, 8.0), (-0.7, 2.2, -20.0), (-2.0, 1.5, 3.0)]
HYP2F1 = [(1.3, 1.6, 2.2, 0.3), (2.2, 3.0, 1.4, -2.5), (0.5, 1.5, 2.7, 0.95),
          (-0.7, 2.2, 3.1, -0.3), (1.0, 1.0, 2.0, 0.5), (-2.0, 0.5, 1.5, 0.4)]  # fmt: skip
BETA = [(1.3, 1.6, 0.3), (2.2, 3.0, 0.9), (0.5, 0.5, 0.01), (20.0, 3.0, 0.8), (3.0, 40.0, 0.02)]
GAMMA = [(1.3, 0.3), (2.0, 9.0), (0.5, 0.01), (20.0, 21.0), (50.0, 30.0), (3.0, 60.0), (0.1, 8.3)]
CASES = [
    *[(special.hyp1f1, mpmath.hyp1f1, args) for args in HYP1F1],
    *[(special.hyp2f1, mpmath.hyp2f1, args) for args in HYP2F1],
    *[(lax.betainc, regularized_beta, args) for args in BETA],
    *[(lax.igamma, regularized_gamma, args) for args in GAMMA],
]


@pytest.mark.parametrize(("function", "exact", "args"), CASES)
def test_every_argument(function, exact, args):
    for place in range(len(args)):
        given = adlib.grad(function, place)(*args)
        np.testing.assert_allclose(given, slope(exact, args, place), rtol=2e-13)


@pytest.mark.parametrize(("function", "exact", "args"), CASES)
def test_second_order(function, exact, args):
    given = adlib.grad(adlib.grad(function))(*args)
    np.testing.assert_allclose(given, slope(exact, args, 0, 2), rtol=2e-12)


@pytest.mark.parametrize("args", GAMMA)
def test_implicit_derivative_of_gamma_draws(args):
    def exact(a, x):
        density = x ** (a - 1) * mpmath.exp(-x) / mpmath.gamma(a)
        return -mpmath.diff(lambda v: regularized_gamma(v, x), a) / density

    for place in range(2):
        given = adlib.grad(lax.random_gamma_grad, place)(*args)
        np.testing.assert_allclose(given, slope(exact, args, place), rtol=1e-11)


def test_outside_the_circle_of_convergence():
    assert np.isnan(adlib.grad(special.hyp2f1)(0.5, 0.5, 2.0, 1.5))
    np.testing.assert_allclose(
        adlib.grad(special.hyp2f1)(0.5, 0.5, 2.0, -30.0),
        slope(mpmath.hyp2f1, (0.5, 0.5, 2.0, -30.0), 0),
        rtol=1e-12,
    )


def test_under_jit_and_vmap():
    a, x = np.array([0.5, 1.5, 2.5]), np.array([0.2, 0.5, 0.7])
    f = adlib.grad(lax.betainc, (0, 1))
    each = [f(p, 2.0, q) for p, q in zip(a, x, strict=True)]
    mapped = adlib.jit(adlib.vmap(f, (0, None, 0)))(a, 2.0, x)
    np.testing.assert_allclose(np.stack(mapped, 1), each, rtol=1e-13)
