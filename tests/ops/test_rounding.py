"""Signs, absolute values, rounding and remainders at special points."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    "x, value, slope", [(-2.0, 2, -1), (0.0, 0, 0), (-0.0, 0, 0), (3.0, 3, 1), (-INF, INF, -1)]
)
def test_abs(x, value, slope):
    assert lax.abs(x) == value
    assert not np.signbit(np.asarray(lax.abs(x)))
    assert adlib.grad(lax.abs)(x) == slope


def test_abs_of_nan_and_complex():
    assert np.isnan(adlib.grad(lax.abs)(NAN))
    assert lax.abs(3 + 4j) == 5
    assert adlib.grad(lax.abs)(3 + 4j) == pytest.approx(0.6 - 0.8j)
    assert adlib.grad(lax.abs)(0j) == 0
    assert lax.abs(np.int32(-(2**31))) == -(2**31)  # as integers have it


@pytest.mark.parametrize("x", [0.0, -0.0, 2.5, -2.5, INF, -INF, NAN])
def test_sign(x):
    given = np.asarray(lax.sign(x))
    np.testing.assert_array_equal(given, np.sign(np.float32(x)))
    assert np.isnan(x) or np.signbit(given) == np.signbit(x)
    assert adlib.grad(lax.sign)(x) == 0


def test_sign_of_complex():
    assert lax.sign(3 + 4j) == pytest.approx(0.6 + 0.8j)
    assert lax.sign(0j) == 0
    # along the number nothing changes, across it the direction turns
    tangent = lambda t: adlib.jvp(lax.sign, (3 + 4j,), (t,))[1]  # noqa: E731
    assert tangent(3 + 4j) == pytest.approx(0, abs=1e-6)
    assert tangent(-4 + 3j) == pytest.approx(-0.8 + 0.6j)
    assert adlib.jvp(lax.sign, (0j,), (1 + 0j,))[1] == 0


@pytest.mark.parametrize(
    "method, wanted",
    [
        (lax.RoundingMethod.AWAY_FROM_ZERO, [-3, -1, -0.0, 1, 2, 3, 0, INF, NAN]),
        (lax.RoundingMethod.TO_NEAREST_EVEN, [-2, -0.0, -0.0, 0, 2, 2, 0, INF, NAN]),
    ],
)
def test_round(method, wanted):
    x = np.float32([-2.5, -0.5, -0.3, 0.5, 1.5, 2.5, 0.49999997, INF, NAN])
    given = np.asarray(lax.round(x, method))
    np.testing.assert_array_equal(given, np.float32(wanted))
    assert np.array_equal(np.signbit(given[:8]), np.signbit(np.float32(wanted[:8])))


def test_round_prints_its_method():
    assert "round[rounding_method=0] a" in str(adlib.make_jaxpr(lax.round)(1.0))


def test_floor_and_ceil():
    x = np.float32([-1.5, -0.5, 0.5, INF, -0.0])
    np.testing.assert_array_equal(lax.floor(x), np.floor(x))
    np.testing.assert_array_equal(lax.ceil(x), np.ceil(x))
    with pytest.raises(TypeError, match="floor does not accept dtype int32: it takes floating"):
        lax.floor(1)


def test_integer_remainder_follows_the_hardware():
    x = np.array([5, -5, 5, -5, 0, 7, -(2**31)], np.int32)
    y = np.array([3, 3, -3, -3, 3, 0, -1], np.int32)
    np.testing.assert_array_equal(lax.rem(x, y), [2, -2, 2, -2, 0, 7, 0])
    np.testing.assert_array_equal(lax.div(x, y), [1, -1, -1, 1, 0, -1, -(2**31)])


def test_float_remainder():
    x, y = np.float32([5.5, -5.5, 5.5, INF, 1, 1]), np.float32([2, 2, -2, 1, INF, 0])
    np.testing.assert_array_equal(lax.rem(x, y), np.float32([1.5, -1.5, 1.5, NAN, 1, NAN]))
    assert adlib.grad(lax.rem, (0, 1))(-5.5, 2.0) == (1, 2)


def test_nextafter():
    x, y = np.float32([1, 0, INF, NAN]), np.float32([2, -1, 0, 1])
    np.testing.assert_array_equal(lax.nextafter(x, y), np.nextafter(x, y))
    with pytest.raises(NotImplementedError, match="'nextafter' not implemented: it steps from"):
        adlib.grad(lax.nextafter)(1.0, 2.0)


def test_is_finite():
    given = lax.is_finite(jnp.array([1.0, NAN, INF, -INF]))
    np.testing.assert_array_equal(given, [True, False, False, False])
