"""Reductions: ties, zeros, NaN, empty axes, errors."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

NAN, INF = np.nan, np.inf
ALL = (0,)


@pytest.mark.parametrize(
    "x, gradient",
    [
        ([1, 1, 0], [0.5, 0.5, 0]),
        ([2, 2, 2], [1 / 3] * 3),
        ([0, -0.0], [0.5, 0.5]),
        ([1, INF], [0, 1]),
        ([1, NAN], [NAN, NAN]),
    ],
)
def test_ties_of_the_maximum_share_the_derivative(x, gradient):
    x = np.float32(x)
    grad = adlib.grad(lambda x: lax.reduce_max(x, ALL))(x)
    np.testing.assert_allclose(grad, np.float32(gradient))
    grad = adlib.grad(lambda x: lax.reduce_min(x, ALL))(-x)
    np.testing.assert_allclose(grad, np.float32(gradient))


def test_second_derivative_of_the_maximum_is_zero():
    hessian = adlib.hessian(lambda x: lax.reduce_max(x, ALL))(jnp.array([1.0, 3.0, 2.0]))
    np.testing.assert_array_equal(hessian, np.zeros((3, 3)))


@pytest.mark.parametrize(
    "x, gradient",
    [
        ([2, 3, 4], [12, 8, 6]),
        ([0, 3, 4], [12, 0, 0]),
        ([0, 3, 0], [0, 0, 0]),
        ([5], [1]),
        ([2, 3, 4, 5, 6], [360, 240, 180, 144, 120]),
    ],
)
def test_products_with_zeros(x, gradient):
    product = lambda x: lax.reduce_prod(x, ALL)  # noqa: E731
    np.testing.assert_array_equal(adlib.grad(product)(jnp.float32(x)), gradient)


def test_second_derivatives_of_a_product_with_two_zeros():
    hessian = adlib.hessian(lambda x: lax.reduce_prod(x, ALL))(jnp.array([0.0, 3.0, 0.0]))
    np.testing.assert_array_equal(hessian, [[0, 0, 3], [0, 0, 0], [3, 0, 0]])


@pytest.mark.parametrize(
    "function, dtype, wanted",
    [
        (lax.reduce_max, "float32", -INF),
        (lax.reduce_max, "int32", -(2**31)),
        (lax.reduce_max, "bool", False),
        (lax.reduce_min, "float32", INF),
        (lax.reduce_min, "uint8", 255),
        (lax.reduce_prod, "float32", 1),
        (lax.reduce_sum, "float32", 0),
        (lax.reduce_and, "bool", True),
        (lax.reduce_and, "int32", -1),
        (lax.reduce_or, "bool", False),
        (lax.reduce_xor, "int32", 0),
    ],
)
def test_empty_reductions_give_the_identity(function, dtype, wanted):
    out = function(jnp.zeros((2, 0), dtype), (1,))
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, [wanted] * 2)


def test_small_floats_are_summed_in_float32():
    ones = jnp.ones(1000, "bfloat16")
    assert lax.reduce_sum(ones, ALL) == 1000
    assert lax.reduce_prod(jnp.full(64, 1.0078125, "bfloat16"), ALL) == jnp.bfloat16(1.6457)


def test_nothing_to_reduce():
    x = jnp.ones(3)
    assert lax.reduce_max(x, ()) is x


def test_positions_of_extrema():
    x = np.float32([1, 5, 5, NAN, 2, NAN])
    assert lax.argmax(x[:3], 0, np.int32) == 1
    assert lax.argmax(x, 0, np.int32) == 3
    assert lax.argmin(x, 0, np.int32) == 3
    assert lax.argmax(x, 0, "uint8").dtype == np.uint8
    assert lax.argmax(np.array([False, True]), 0, np.int32) == 1
    text = str(adlib.make_jaxpr(lambda x: lax.argmax(x, 0, np.int32))(x))
    assert "argmax[axes=(0,) index_dtype=int32] a" in text


def test_positions_in_nothing():
    with pytest.raises(ValueError, match="argmin and argmax require non-empty reduced dimension"):
        lax.argmax(jnp.zeros((0,)), 0, np.int32)
    with pytest.raises(TypeError, match="index_dtype must be an integer dtype, got float32"):
        lax.argmax(jnp.zeros(3), 0, np.float32)


@pytest.mark.parametrize("axes", [(2,), (0, 0), (-1,)])
def test_axes_that_do_not_fit(axes):
    with pytest.raises(ValueError, match="reduce_max: axes .* do not fit an array of shape"):
        lax.reduce_max(jnp.ones((2, 3)), axes)


def test_logic_of_floats_is_refused():
    with pytest.raises(TypeError, match="reduce_and does not accept dtype float32"):
        lax.reduce_and(jnp.ones(3), ALL)
