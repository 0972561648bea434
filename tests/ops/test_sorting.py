"""sort and top_k: order, ties, NaN, derivatives, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adlib.numpy as jnp
from adlib import grad, jvp, lax, vmap


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 9)), max_size=8),
    st.integers(1, 3),
)
def test_several_arrays_are_sorted_lexicographically(rows, keys):
    columns = [np.array([r[k] for r in rows], np.int32) for k in range(3)]
    expected = sorted(rows, key=lambda r: r[:keys])  # Python's sort keeps ties in place
    got = lax.sort(columns, num_keys=keys)
    assert list(zip(*[c.tolist() for c in got], strict=True)) == expected


def test_nan_comes_last_and_zeros_keep_their_order():
    x = jnp.array([jnp.nan, 1.0, -0.0, 0.0, jnp.inf, -jnp.inf])
    np.testing.assert_array_equal(lax.sort(x), [-np.inf, -0.0, 0.0, 1, np.inf, np.nan])
    _, order = lax.sort_key_val(jnp.array([0.0, -0.0, 0.0]), jnp.arange(3))
    np.testing.assert_array_equal(order, [0, 1, 2])
    np.testing.assert_array_equal(np.signbit(lax.sort(jnp.array([0.0, -0.0]))), [False, True])
    np.testing.assert_array_equal(lax.sort(jnp.array([1 + 1j, 1 - 1j, 5j])), [5j, 1 - 1j, 1 + 1j])


def test_axes():
    x = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)
    for axis in range(-3, 3):
        np.testing.assert_array_equal(lax.sort(x, dimension=axis), np.sort(x, axis))
        values, order = lax.top_k(x, 2, axis=axis)
        np.testing.assert_array_equal(values, np.take(-np.sort(-x, axis), [0, 1], axis))
        np.testing.assert_array_equal(np.take_along_axis(x, np.asarray(order), axis), values)
        assert order.dtype == np.int32


def test_top_k_leads_with_nan_and_with_the_first_of_equals():
    values, order = lax.top_k(jnp.array([1.0, jnp.nan, 3.0, 3.0]), 3)
    np.testing.assert_array_equal(values, [np.nan, 3, 3])
    np.testing.assert_array_equal(order, [1, 2, 3])
    values, order = lax.top_k(jnp.array([3, 1, 2, 0], np.uint8), 2)
    np.testing.assert_array_equal(order, [0, 2])


@pytest.mark.parametrize("ties", [False, True])
def test_top_k_of_long_rows(ties):
    x = np.random.default_rng(1).standard_normal((3, 500)).astype(np.float32)
    if ties:
        x[1, 100:110] = 9
        x[2, 7] = np.nan
    expected = np.argsort(-np.where(np.isnan(x), np.inf, x), axis=1, kind="stable")[:, :5]
    values, order = lax.top_k(x, 5)
    np.testing.assert_array_equal(order, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(x, expected, 1))
    np.testing.assert_array_equal(lax.top_k(x.T, 5, axis=0)[1], expected.T)


def test_gradients_follow_the_elements():
    x = jnp.array([3.0, 1.0, 2.0])
    w = jnp.array([1.0, 10.0, 100.0])
    np.testing.assert_array_equal(grad(lambda x: jnp.sum(w * lax.sort(x)))(x), [100, 1, 10])
    np.testing.assert_array_equal(grad(lambda x: lax.top_k(x, 2)[0][1])(x), [0, 0, 1])
    keys = jnp.array([2, 0, 1])
    to_values = grad(lambda v: jnp.sum(w * lax.sort((keys, v))[1]))(x)
    np.testing.assert_array_equal(to_values, [100, 1, 10])
    _, (_, t) = jvp(lambda v: lax.sort((keys, v)), (x,), (w,))
    np.testing.assert_array_equal(t, [10, 100, 1])
    rows = jnp.stack([x, -x])
    got = vmap(grad(lambda x: jnp.sum(w * lax.sort(x))))(rows)
    np.testing.assert_array_equal(got, [[100, 1, 10], [1, 100, 10]])


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: lax.sort(()), TypeError, "at least one array"),
        (lambda: lax.sort(jnp.ones(2), dimension=1), ValueError, "axis 1 is out of bounds"),
        (lambda: lax.sort((jnp.ones(2), jnp.ones(3))), TypeError, r"equal shapes, got \(2,\), \(3"),
        (lambda: lax.sort((jnp.ones(2),), num_keys=2), ValueError, "num_keys=2 must be between"),
        (lambda: lax.top_k(jnp.ones(2), 3), ValueError, "k=3 must lie in 0..2"),
        (lambda: lax.top_k(1.0, 1), ValueError, "out of bounds for array of dimension 0"),
        (lambda: lax.top_k(jnp.ones(2) * 1j, 1), ValueError, "no largest element in dtype complex"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
