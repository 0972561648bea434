"""The NumPy builder, by which scalar formulas are tested, and the operators of ``Scalar``."""

from fractions import Fraction

import numpy as np
import pytest

from adlib.compile.builder import (
    NumpyBuilder,
    Scalar,
    fma,
    lookup,
    mul_add,
    rare,
    select,
)


@pytest.fixture
def scalar():
    return lambda value, dtype=np.float64: Scalar(NumpyBuilder(), np.asarray(value, dtype))


def test_numbers_adopt_the_type_of_the_scalar(scalar):
    x = scalar([1, 2], np.float32)
    for result in (x + 1, 1 - x, 2.5 * x, x / 3, 1 / x):
        assert result.dtype == np.float32


def test_integer_and_bit_operations(scalar):
    i = scalar([5, -8], np.int32)
    assert (i & 6).value.tolist() == [4, 0]
    assert (i >> 1).value.tolist() == [2, -4]
    assert (i.bitcast("uint32") >> 28).value.tolist() == [0, 15]
    assert ((i << 2) ^ 1).value.tolist() == [21, -31]
    assert (~i).value.tolist() == [-6, 7]
    assert scalar([1.0]).bitcast("int64").value.tolist() == [0x3FF0000000000000]


def test_comparisons_with_nan_are_false_but_for_ne(scalar):
    x = scalar([np.nan])
    assert not any((x < 1).value) and not any((x >= 1).value) and not any((x == x).value)
    assert all((x != x).value) and all(x.isnan().value)


def test_select_takes_numbers_on_either_side(scalar):
    x = scalar([-1.0, 2.0])
    assert select(x > 0, x, 0.0).value.tolist() == [0.0, 2.0]
    assert select(x > 0, 7.0, x).value.tolist() == [-1.0, 7.0]


def test_fma_is_rounded_once(scalar):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200))
    z = -x * y * (1 + rng.integers(-3, 4, 200) * 1e-16)
    got = fma(scalar(x), scalar(y), scalar(z)).value
    exact = [
        float(Fraction(a) * Fraction(b) + Fraction(c)) for a, b, c in zip(x, y, z, strict=True)
    ]
    assert got.tolist() == exact
    assert mul_add(scalar(2.0), 3.0, 4.0).value == 10.0


def test_fma_in_float32_is_rounded_once(scalar):
    x = scalar(1 + 2.0**-23, np.float32)
    assert fma(x, x, -(x * x)).value == 2.0**-46


def test_fma_of_infinite_and_huge_numbers(scalar):
    with np.errstate(all="ignore"):
        assert fma(scalar(np.inf), scalar(2.0), scalar(1.0)).value == np.inf
        assert np.isnan(fma(scalar(np.nan), scalar(2.0), scalar(1.0)).value)


def test_rare_computes_the_slow_side_only_where_it_is_needed(scalar):
    calls = []

    def slow():
        calls.append(1)
        return scalar([10.0, 20.0])

    fast = scalar([1.0, 2.0])
    assert rare(fast > 5, slow, fast).value.tolist() == [1.0, 2.0] and not calls
    assert rare(fast > 1, slow, fast).value.tolist() == [1.0, 20.0]


def test_lookup_reads_a_table(scalar):
    assert lookup(np.array([3.0, 4.0]), scalar([1, 0], np.int32)).value.tolist() == [4.0, 3.0]


def test_a_scalar_has_no_truth_value(scalar):
    with pytest.raises(TypeError, match="use select"):
        bool(scalar(1.0) > 0)
