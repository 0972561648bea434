"""Logic, shifts and counts on integers of all widths."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

INT = [np.int8, np.int16, np.int32, np.uint8, np.uint16, np.uint32]


@pytest.mark.parametrize("dtype", [*INT, bool])
def test_logic(dtype):
    x, y = np.array([0, 1, 5, 100]).astype(dtype), np.array([1, 1, 3, 77]).astype(dtype)
    np.testing.assert_array_equal(lax.bitwise_and(x, y), x & y)
    np.testing.assert_array_equal(lax.bitwise_or(x, y), x | y)
    np.testing.assert_array_equal(lax.bitwise_xor(x, y), x ^ y)
    np.testing.assert_array_equal(lax.bitwise_not(x), ~x)


def test_logic_of_floats_is_refused():
    with pytest.raises(TypeError, match="and does not accept dtype float32: it takes boolean or"):
        lax.bitwise_and(1.0, 2.0)


@pytest.mark.parametrize(
    "function, wanted",
    [
        (lax.shift_left, [-8, -256, 0, 0, 0]),
        (lax.shift_right_logical, [-8, 2**27 - 1, 1, 0, 0]),
        (lax.shift_right_arithmetic, [-8, -1, -1, -1, -1]),
    ],
)
def test_shifts_beyond_the_width(function, wanted):
    amounts = np.array([0, 5, 31, 32, -1], np.int32)
    np.testing.assert_array_equal(function(np.int32(-8), amounts), wanted)


def test_arithmetic_shift_of_positive_numbers():
    given = lax.shift_right_arithmetic(np.uint8(200), np.array([1, 7, 8], np.uint8))
    np.testing.assert_array_equal(given, [100, 1, 0])


@pytest.mark.parametrize("dtype", INT)
def test_counts(dtype):
    x = np.array([0, 1, 2, 5, 127, np.iinfo(dtype).max, np.iinfo(dtype).min], dtype)
    width = 8 * x.itemsize
    words = [int(v) % 2**width for v in x]
    np.testing.assert_array_equal(lax.population_count(x), [w.bit_count() for w in words])
    np.testing.assert_array_equal(lax.clz(x), [width - w.bit_length() for w in words])
    assert lax.clz(x).dtype == dtype


@pytest.mark.parametrize("dtype", [*INT, np.int64, np.uint64])
def test_upper_half_of_products(dtype):
    rng = np.random.default_rng(0)
    bounds = np.iinfo(dtype)
    x, y = rng.integers(bounds.min, bounds.max, (2, 50), dtype, endpoint=True)
    with adlib.enable_x64(True):
        given = np.asarray(lax.mulhi(jnp.asarray(x), jnp.asarray(y)))
    exact = [int(a) * int(b) >> bounds.bits for a, b in zip(x, y, strict=True)]
    assert given.tolist() == exact


def test_counts_in_64_bits():
    with adlib.enable_x64(True):
        x = jnp.array([0, -1, 2**40, 2**62 + 3], "int64")
        assert lax.population_count(x).tolist() == [0, 64, 1, 3]
        assert lax.clz(x).tolist() == [64, 0, 23, 1]
