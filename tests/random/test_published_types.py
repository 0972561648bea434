"""Draws whose numbers or types depend on dtypes and parameters, against published ones."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import random

KEY = random.key(7)

# samplers that reject: the numbers are drawn with the digits of the dtype; shape (4,)
NARROW = [
    ("gamma", (2.0,), "float16", [1.0947265625, 2.021484375, 1.44140625, 2.15234375]),
    ("beta", (2.0, 3.0), "float16", [0.46142578125, 0.03948974609375, 0.6826171875, 0.1982421875]),
    ("t", (3.0,), "float16", [2.306640625, 0.2529296875, -1.419921875, -3.931640625]),
    ("chisquare", (3.0,), "float16", [1.3994140625, 2.931640625, 1.9599609375, 3.162109375]),
    ("generalized_normal", (1.5,), "float16",
     [-1.8291015625, -0.08526611328125, 1.2275390625, 0.1591796875]),
    ("gamma", (2.0,), "bfloat16", [1.2109375, 2.734375, 0.98828125, 1.953125]),
    ("beta", (2.0, 3.0), "bfloat16", [0.5546875, 0.28515625, 0.6171875, 0.306640625]),
    ("t", (3.0,), "bfloat16", [-1.6015625, 0.7421875, -0.984375, -1.0078125]),
    ("chisquare", (3.0,), "bfloat16", [1.5625, 4.21875, 1.21875, 2.859375]),
    ("generalized_normal", (1.5,), "bfloat16",
     [-0.99609375, -0.169921875, 1.1328125, 0.09423828125]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parameters", "dtype", "wanted"), NARROW)
def test_numbers_of_16_bits_from_rejection(name, parameters, dtype, wanted):
    found = getattr(random, name)(KEY, *parameters, shape=(4,), dtype=dtype)
    assert found.dtype == jnp.dtype(dtype)
    digits = 2**-10 if dtype == "float16" else 2**-7
    np.testing.assert_allclose(np.asarray(found, np.float64), wanted, rtol=8 * digits)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_binomial_numbers_do_not_depend_on_the_dtype_of_the_result(dtype):
    found = random.binomial(KEY, 5, 0.3, shape=(8,), dtype=dtype)
    assert found.dtype == jnp.dtype(dtype)
    np.testing.assert_array_equal(
        np.asarray(found, np.float32), random.binomial(KEY, 5, 0.3, shape=(8,))
    )


def test_binomial_is_drawn_in_the_dtype_of_its_parameters():
    double, single = [2, 0, 2, 1, 1, 2, 2, 0], [2, 2, 2, 2, 3, 1, 2, 1]
    with adlib.enable_x64(True):
        for dtype in ("float32", "float64"):
            found = random.binomial(KEY, 5, 0.3, shape=(8,), dtype=dtype)
            np.testing.assert_array_equal(found, double)
            n, p = jnp.float32(5), jnp.float32(0.3)
            np.testing.assert_array_equal(random.binomial(KEY, n, p, (8,), dtype), single)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "bool", "float16", "complex64"])
def test_multinomial_in_every_dtype(dtype):
    found = random.multinomial(KEY, 5.0, jnp.array([0.2, 0.8]), dtype=dtype)
    assert found.dtype == jnp.dtype(dtype)
    np.testing.assert_array_equal(found, np.array([0, 5]).astype(dtype))


def test_double_sided_maxwell_adds_its_shape_to_that_of_the_parameters():
    x = jnp.array([1.0, 2.0, 3.0])
    found = random.double_sided_maxwell(KEY, x, x, (2,))
    wanted = [[-0.2385955, -3.1701055, 7.1405168], [3.4362047, 4.5702791, -0.2765385]]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert random.double_sided_maxwell(KEY, x, x).shape == (3, 3)
    assert random.double_sided_maxwell(KEY, 1.0, 2.0).shape == ()


def test_signs_as_booleans_and_unsigned_integers():
    assert np.asarray(random.rademacher(KEY, (6,), bool)).all()
    np.testing.assert_array_equal(
        random.rademacher(KEY, (6,), jnp.uint8), [255, 255, 1, 1, 255, 255]
    )


@pytest.mark.parametrize("method", ["cholesky", "eigh", "svd"])
def test_normal_vectors_of_16_bits(method):
    for dtype, wanted in (
        (jnp.bfloat16, [-1.734436, -2.8944092]), (jnp.float16, [-0.9926758, -0.0189667])
    ):  # fmt: skip
        args = dict(dtype=dtype, method=method)
        found = random.multivariate_normal(KEY, jnp.zeros(2), jnp.eye(2), **args)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=4e-3)  # the draws are of 16 bits
        narrow = [jnp.zeros(2, dtype), jnp.eye(2, dtype=dtype)]
        assert random.multivariate_normal(KEY, *narrow, **args).dtype == dtype


def test_lognormal_of_complex_dtype():
    found = random.lognormal(KEY, 0.5, shape=(2,), dtype=jnp.complex64)
    wanted = [1.4636445 + 0.2370439j, 0.9939222 + 0.3427148j]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("name", ["gamma", "beta", "t", "poisson", "pareto", "rayleigh", "wald"])
def test_complex_parameters_are_refused(name):
    count = 2 if name == "beta" else 1
    with pytest.raises(ValueError, match=f"{name}: parameters are real numbers, got c64"):
        getattr(random, name)(KEY, *[1j] * count)


def test_other_mistakes():
    with pytest.raises(ValueError, match="`categorical` must be a float dtype, got int32"):
        random.categorical(KEY, jnp.arange(3))
    with pytest.raises(TypeError, match="fold_in takes an integer, got c64"):
        random.fold_in(KEY, 1j)
