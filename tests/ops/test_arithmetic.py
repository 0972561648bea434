"""Arithmetic and comparisons: integers, broadcasting, and the errors that learners meet."""

import operator

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8"])
def test_division_of_integers_rounds_towards_zero(dtype):
    x = np.array([7, 7, 100, 0, 5]).astype(dtype)
    y = np.array([2, 3, 7, 4, 0]).astype(dtype)
    wanted = np.array([3, 2, 14, 0, -1]).astype(dtype)
    np.testing.assert_array_equal(lax.div(x, y), wanted)


def test_division_of_negative_integers():
    x, y = np.array([-7, 7, -7, -6], np.int32), np.array([2, -2, -2, 3], np.int32)
    np.testing.assert_array_equal(lax.div(x, y), [-3, -3, 3, -2])


def test_division_by_zero():
    np.testing.assert_array_equal(
        lax.div(np.float32([1, -1, 0]), 0.0), np.float32([INF, -INF, NAN])
    )


def test_arithmetic_of_booleans_is_logic():
    x, y = np.array([True, True, False]), np.array([True, False, False])
    np.testing.assert_array_equal(lax.add(x, y), x | y)
    np.testing.assert_array_equal(lax.mul(x, y), x & y)
    with pytest.raises(TypeError, match="sub does not accept dtype bool: it takes integer or"):
        lax.sub(x, y)


def test_integers_wrap_around():
    assert lax.add(np.uint8(250), np.uint8(10)) == 4
    assert lax.mul(np.int32(2**30), np.int32(4)) == 0
    assert lax.neg(np.uint8(1)) == 255


COMPARISONS = [lax.eq, lax.ne, lax.lt, lax.le, lax.gt, lax.ge]


@pytest.mark.parametrize("function", COMPARISONS, ids=lambda f: f.__name__)
def test_comparisons_with_nan(function):
    by_name = getattr(operator, function.__name__)
    x = np.float32([NAN, 1, 1, INF, 0.0])
    y = np.float32([NAN, NAN, 2, INF, -0.0])
    given = function(x, y)
    assert given.dtype == bool
    np.testing.assert_array_equal(given, by_name(x, y))


def test_complex_numbers_have_no_order():
    assert lax.eq(1j, 1j)
    with pytest.raises(TypeError, match="lt does not accept dtype complex64"):
        lax.lt(1j, 2j)


@pytest.mark.parametrize(
    "x, y, message",
    [
        (np.ones(3), np.ones(4), r"add got incompatible shapes for broadcasting: \(3,\), \(4,\)"),
        (np.ones(3), np.ones((2, 3)), r"add: arrays must have the same number of dimensions"),
        (np.ones(3), np.ones(3, int), "add requires arguments to have equal dtypes, got float32"),
        (np.ones(3), "two", "add requires ndarray or scalar arguments, got <class 'str'> at posi"),
        ([1.0], 2.0, "convert it first with jnp.array"),
        (None, 2.0, "pass a number, a NumPy array or an adlib array"),
    ],
)
def test_operands_that_do_not_fit(x, y, message):
    with pytest.raises(TypeError, match=message):
        lax.add(x, y)


def test_sizes_of_one_broadcast_and_their_cotangents_are_summed():
    x, y = jnp.ones((1, 3)), jnp.full((2, 1), 2.0)
    gradients = adlib.grad(lambda x, y: lax.mul(x, y).sum(), (0, 1))(x, y)
    np.testing.assert_array_equal(gradients[0], [[4, 4, 4]])
    np.testing.assert_array_equal(gradients[1], [[3], [3]])


def test_python_scalars_adopt_the_dtype_of_their_partner():
    assert lax.add(jnp.ones(2, "bfloat16"), 1.5).dtype == jnp.bfloat16
    assert lax.add(jnp.ones(2, "int8"), 1).dtype == np.int8
    assert lax.add(1, 2).weak_type


@pytest.mark.parametrize(
    "function, x, value, slope",
    [
        (lax.exp, -INF, 0, 0),
        (lax.exp, 100.0, INF, INF),
        (lax.log, 0.0, -INF, INF),
        (lax.log, -1.0, NAN, -1),
        (lax.sin, INF, NAN, NAN),
        (lax.cos, 0.0, 1, 0),
        (lax.tanh, -INF, -1, 0),
        (lax.neg, 0.0, -0.0, -1),
    ],
)
def test_special_points(function, x, value, slope):
    given = np.asarray(function(x))
    np.testing.assert_array_equal(given, np.float32(value))
    assert np.isnan(value) or np.signbit(given) == np.signbit(np.float32(value))
    np.testing.assert_array_equal(adlib.grad(function)(x), np.float32(slope))


def test_tanh_near_saturation_keeps_its_derivative():
    exact = 1 / np.cosh(np.float64(5)) ** 2
    np.testing.assert_allclose(adlib.grad(lax.tanh)(5.0), exact, rtol=2e-3)


def test_a_product_of_two_linear_arguments_is_not_linear():
    with pytest.raises(NotImplementedError, match="'mul' of two linear arguments"):
        adlib.linear_transpose(lambda x: lax.mul(x, x), 1.0)(1.0)
