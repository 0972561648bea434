"""select_n, max, min and clamp: special values, ties, errors."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    "x, y, largest, smallest",
    [
        (NAN, 1.0, NAN, NAN),
        (1.0, NAN, NAN, NAN),
        (INF, 1.0, INF, 1.0),
        (-INF, INF, INF, -INF),
        (2.0, 2.0, 2.0, 2.0),
    ],
)
def test_extrema_of_special_values(x, y, largest, smallest):
    np.testing.assert_array_equal(lax.max(x, y), np.float32(largest))
    np.testing.assert_array_equal(lax.min(x, y), np.float32(smallest))


@pytest.mark.parametrize("function", [lax.max, lax.min])
def test_a_tie_shares_the_derivative(function):
    assert adlib.grad(function, (0, 1))(2.0, 2.0) == (0.5, 0.5)
    assert adlib.grad(function, (0, 1))(0.0, -0.0) == (0.5, 0.5)
    assert adlib.grad(function, (0, 1))(NAN, 1.0) == (0, 0)


def test_rectifier():
    relu = adlib.vmap(adlib.grad(lambda x: lax.max(x, 0.0)))
    np.testing.assert_array_equal(relu(jnp.array([-1.0, 0.0, 2.0])), [0, 0.5, 1])


def test_complex_numbers_compare_by_real_part_first():
    assert lax.max(1 + 5j, 2 + 0j) == 2
    assert lax.max(1 + 5j, 1 + 6j) == 1 + 6j


def test_other_dtypes():
    assert lax.max(True, False)
    assert lax.max(np.uint8(200), np.uint8(100)).dtype == np.uint8
    assert lax.min(jnp.bfloat16(2), jnp.bfloat16(1)).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    "low, x, high, value, gradients",
    [
        (0.0, NAN, 1.0, NAN, (0, 0, 0)),
        (0.0, -1.0, 1.0, 0, (1, 0, 0)),
        (0.0, 0.0, 1.0, 0, (0, 0, 0)),
        (0.0, 0.5, 1.0, 0.5, (0, 1, 0)),
        (0.0, 1.0, 1.0, 1, (0, 0, 0)),
        (0.0, 2.0, 1.0, 1, (0, 0, 1)),
        (2.0, 0.5, 1.0, 1, (0, 0, 1)),
    ],
)
def test_clamp(low, x, high, value, gradients):
    np.testing.assert_array_equal(lax.clamp(low, x, high), np.float32(value))
    assert adlib.grad(lax.clamp, (0, 1, 2))(low, x, high) == gradients


def test_clamp_of_wrong_shapes():
    with pytest.raises(TypeError, match="clamp: min must be a scalar or have the shape of x"):
        lax.clamp(jnp.zeros(2), jnp.zeros(3), 1.0)
    with pytest.raises(TypeError, match="clamp requires arguments to have equal dtypes"):
        lax.clamp(0, jnp.zeros(3), jnp.int32(2))


def test_select_among_three():
    which = jnp.array([2, 0, 1])
    out = lax.select_n(which, jnp.zeros(3), jnp.ones(3), jnp.full(3, 2.0))
    np.testing.assert_array_equal(out, [2, 0, 1])


def test_select_does_not_mix_in_what_is_not_chosen():
    x = jnp.array([1.0, 0.0])
    f = lambda x: lax.select(x > 0, lax.log(x), x).sum()  # noqa: E731
    assert lax.select(x > 0, x, lax.log(x))[0] == 1
    out = adlib.jvp(lambda x: lax.select(x > 0, x, lax.stop_gradient(lax.log(x))), (x,), (x,))[1]
    np.testing.assert_array_equal(out, [1, 0])
    assert np.isfinite(f(x))


@pytest.mark.parametrize(
    "args, message",
    [
        ((np.ones(3), np.ones(3), np.ones(3)), "the choice must be boolean or integer"),
        ((np.ones(3, bool), np.ones(2), np.ones(2)), "must be scalar or have the same shape"),
        ((np.ones(3, bool), np.ones(2), np.ones(3)), "cases must have the same shapes"),
        ((np.ones(3, bool), np.ones(3), np.ones(3, int)), "equal dtypes, got float32, int32"),
        ((np.ones(3, bool),) + (np.ones(3),) * 3, "boolean choice takes two cases, got 3"),
    ],
)
def test_select_errors(args, message):
    with pytest.raises(TypeError, match=message):
        lax.select_n(*args)


def test_select_without_cases():
    with pytest.raises(ValueError, match="at least one case"):
        lax.select_n(True)
