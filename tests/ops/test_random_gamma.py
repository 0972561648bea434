"""The gamma sampler: its distribution, its keys, and parameters out of range.

Derivatives are tested in tests/random, published numbers too.
"""

import numpy as np
import pytest
from scipy import stats

from adlib.core.array import ArrayImpl, as_value
from adlib.core.avals import ShapedArray
from adlib.core.dtypes import key_fry
from adlib.ops.random_gamma import random_gamma


def key(value, shape=()):
    return ArrayImpl(np.full(shape, value, np.uint64), ShapedArray(shape, key_fry))


@pytest.mark.parametrize("a", [0.05, 0.7, 1.0, 3.0, 200.0])
@pytest.mark.parametrize("log_space", [False, True])
def test_distribution(a, log_space):
    alpha = as_value(np.full(4000, a, np.float32))
    draws = np.asarray(random_gamma(key(5), alpha, log_space), np.float64)
    draws = np.exp(draws) if log_space else draws
    assert stats.kstest(draws, stats.gamma(a).cdf).pvalue > 1e-3


def test_each_element_has_its_own_key():
    alpha = as_value(np.array([2.0, 2.0, 50.0], np.float32))
    draws = np.asarray(random_gamma(key(5), alpha, False))
    assert draws[0] != draws[1]
    # how often one element is rejected does not move the others
    other = np.asarray(random_gamma(key(5), as_value(np.array([2.0, 0.3, 9.0], np.float32)), False))
    assert other[0] == draws[0]


def test_several_keys():
    keys = ArrayImpl(np.array([5, 6], np.uint64), ShapedArray((2,), key_fry))
    alpha = as_value(np.full((2, 3), 1.5, np.float32))
    both = np.asarray(random_gamma(keys, alpha, False))
    row = as_value(np.full(3, 1.5, np.float32))
    assert both[0].tolist() == np.asarray(random_gamma(key(5), row, False)).tolist()
    assert both[1].tolist() == np.asarray(random_gamma(key(6), row, False)).tolist()


def test_parameters_out_of_range_end():
    alpha = as_value(np.array([np.nan, -3.0, 2.0], np.float32))
    draws = np.asarray(random_gamma(key(0), alpha, False))
    assert np.isnan(draws[:2]).all() and draws[2] > 0


def test_low_precision_keeps_its_dtype():
    draws = random_gamma(key(0), as_value(np.array([2.0, 0.5], np.float16)), False)
    assert draws.dtype == np.float16 and (np.asarray(draws) > 0).all()


def test_mistakes_are_explained():
    with pytest.raises(TypeError, match="takes keys and floats, got f32.*and f32"):
        random_gamma(as_value(1.0), as_value(1.0), False)
    with pytest.raises(
        TypeError, match=r"leading axes of alpha, of shape \(3,\), must be those of"
    ):
        random_gamma(key(0, (2,)), as_value(np.ones(3, np.float32)), False)
