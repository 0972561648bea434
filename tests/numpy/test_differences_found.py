"""Calls that once gave another result than documented: found by comparing calls with JAX."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, nn
from adlib.scipy import special

X = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]], np.float32)


def typed(x):
    return (str(x.dtype), x.weak_type)


def test_sets():
    a = jnp.array([1, 2, 3])
    assert typed(jnp.setdiff1d(a, jnp.array([2.0]))) == ("int32", False)
    assert jnp.setdiff1d(a, jnp.array([2.0])).tolist() == [1, 3]
    for element, others in ((2.5, a), (True, 2), (a, 2.5)):
        assert typed(jnp.isin(element, others)) == ("bool", False)
    assert jnp.setxor1d(a, jnp.array([3, 4]), size=5).tolist() == [1, 2, 4, 1, 1]
    assert jnp.setxor1d(a, jnp.array([3, 4]), size=4, fill_value=9).tolist() == [1, 2, 4, 9]
    assert jnp.unique(jnp.zeros((2, 0)), axis=1).shape == (2, 0)


def test_order_and_shifts():
    np.testing.assert_array_equal(jnp.sort_complex(jnp.asarray(X)), np.sort_complex(X))
    np.testing.assert_array_equal(jnp.roll(jnp.asarray(X), 1, axis=()), X)
    np.testing.assert_array_equal(
        jnp.fft.ifftshift(jnp.asarray(X), axes=(0, 1, 1)), np.fft.ifftshift(X, (0, 1, 1))
    )


def test_select_and_histograms():
    conditions = jnp.array([[True, False, False], [True, True, False]])
    assert jnp.select(conditions, [X[0], X[1]], -1.0).tolist() == [3, 5, -1]
    counts = jnp.histogram2d(jnp.asarray(X[0]), jnp.array([0, 1, 2]), bins=3)[0]
    np.testing.assert_array_equal(counts, np.histogram2d(X[0], [0, 1, 2], bins=3)[0])


def test_scaling_by_powers_of_two():
    assert jnp.ldexp(jnp.array([1.0, 3.0]), jnp.array([True, False])).tolist() == [2.0, 3.0]
    assert float(jnp.ldexp(0.0, 2**30)) == 0.0
    assert typed(jnp.ldexp(2.0, jnp.array([1]))) == ("float32", False)


def test_sums_of_logarithms():
    assert typed(jnp.logaddexp2(2.0, 3.0)) == ("float32", True)
    pull = adlib.vjp(jnp.logaddexp, jnp.nan, 0.0)[1]
    assert np.isnan(pull(1.0)[0])
    slopes = adlib.grad(jnp.logaddexp, (0, 1))(jnp.inf, jnp.inf)
    assert [float(s) for s in slopes] == [0.5, 0.5]


@pytest.mark.parametrize("base", ["log2", "log10"])
def test_complex_logarithms_at_zero(base):
    f = getattr(jnp, base)
    found = np.asarray(f(jnp.asarray(0j)))
    assert found.real == -np.inf and found.imag == 0
    assert typed(f(1j)) == ("complex64", False)
    np.testing.assert_allclose(f(jnp.asarray(1 + 2j)), getattr(np, base)(1 + 2j), rtol=1e-6)


def test_complex_expm1_on_the_real_axis():
    z = jnp.array([complex(np.inf, 0), complex(-np.inf, np.inf), complex(np.nan, 0)])
    np.testing.assert_array_equal(lax.expm1(z), [np.inf, -1, np.nan])


@pytest.mark.parametrize("name", ["celu", "elu", "selu", "leaky_relu", "hard_swish"])
def test_activations_of_integers(name):
    assert typed(getattr(nn, name)(jnp.array([-1, 2]))) == ("float32", True)
    assert typed(nn.softplus(jnp.array([-1, 2]))) == ("float32", False)


def test_small_integers_on_a_diagonal_are_summed_wide():
    full = jnp.full((2, 2), 100, jnp.int8)
    assert int(jnp.trace(full)) == 200 and typed(jnp.trace(full)) == ("int32", False)
    assert typed(jnp.linalg.trace(full.astype(jnp.uint8))) == ("uint32", False)


def test_a_loop_whose_weak_carry_becomes_a_float():
    assert typed(lax.while_loop(lambda c: c < 9, lambda c: c + 2.5, 1)) == ("float32", False)
    carry, stacked = lax.scan(lambda c, x: (c + 2.5, c), 1, None, length=2)
    assert typed(carry) == typed(stacked) == ("float32", False)


def test_small_things():
    assert lax.reshape(jnp.asarray(X), 6).shape == (6,)
    assert isinstance(lax.unstack(jnp.asarray(X), 0), tuple)
    assert np.isnan(special.gammasgn(jnp.nan))
    for product in (special.xlogy, special.xlog1py):
        assert np.isnan(product(0.0, jnp.nan)) and float(product(0.0, jnp.inf)) == 0.0
    assert lax.nextafter(x1=1.0, x2=2.0) > 1.0
    with pytest.raises(ValueError, match="std: dtype must be floating or complex"):
        jnp.std(jnp.asarray(X), dtype=int)
