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


def test_reductions_over_named_axes():
    def summed(x):
        return jnp.sum(x, axis="i"), jnp.max(x, axis=("i", 0)), jnp.mean(x, axis=("i", 0))

    total, largest, average = adlib.vmap(summed, axis_name="i")(jnp.asarray(X))
    np.testing.assert_allclose(total, np.tile(X.sum(0), (2, 1)))
    np.testing.assert_array_equal(largest, [X.max()] * 2)
    np.testing.assert_allclose(average, [X.mean()] * 2, rtol=1e-6)
    g = adlib.grad(lambda x: adlib.vmap(lambda r: jnp.mean(r, axis="i")[0], axis_name="i")(x)[0])
    np.testing.assert_allclose(g(jnp.asarray(X)), [[0.5, 0, 0], [0.5, 0, 0]])


def test_means_and_variances_in_the_dtype_asked_for():
    x = jnp.array([[0.9, 1.9], [0.9, 2.9]])
    assert jnp.mean(x, axis=0, dtype=int).tolist() == [0, 1]
    assert typed(jnp.var(x, dtype=complex)) == ("complex64", False)
    np.testing.assert_allclose(jnp.std(x, dtype=complex), np.std(x), rtol=1e-6)
    assert jnp.cumsum(jnp.array([0.0, 2.0, 0.0]), dtype=bool).tolist() == [False, True, True]
    assert jnp.cumprod(jnp.array([3.0, 0.0, 2.0]), dtype=bool).tolist() == [True, False, False]


def test_weighted_quantiles():
    rng = np.random.default_rng(0)
    a, w = rng.normal(size=(4, 6)), rng.uniform(size=(4, 6))
    q = np.array([0.0, 0.2, 0.5, 0.77, 1.0])
    for axis, weights in ((None, w), (1, w), (1, w[0]), (0, w), ((0, 1), w)):
        given = a.astype(np.float32), q.astype(np.float32)
        mine = jnp.quantile(*given, axis, weights=weights, method="inverted_cdf")
        wanted = np.quantile(*given, axis, weights=weights, method="inverted_cdf")
        np.testing.assert_array_equal(mine, wanted)
    holes = jnp.array([3.0, jnp.nan, 2.0, 5.0])
    weights = jnp.array([1.0, 9.0, 1.0, 1.0])
    assert jnp.nanquantile(holes, 0.5, weights=weights, method="inverted_cdf") == 3
    assert jnp.isnan(jnp.percentile(holes, 50.0, weights=weights, method="inverted_cdf"))
    assert jnp.isnan(jnp.quantile(holes[2:], 0.5, weights=-weights[2:], method="inverted_cdf"))


def test_partitions_put_the_largest_in_descending_order():
    x = jnp.array([3.0, 1.0, 4.0, 1.5, 5.0])
    assert jnp.partition(x, 1).tolist() == [1, 1.5, 5, 4, 3]
    assert jnp.argpartition(x, 1).tolist() == [1, 3, 0, 2, 4]
    assert jnp.partition(x, -1).tolist() == sorted(x.tolist())


def test_transforms_of_nothing():
    fft = jnp.fft
    for empty, wanted in (
        (fft.fft(jnp.zeros((0, 3)), axis=0), ((0, 3), "complex64")),
        (fft.irfft(jnp.zeros(1)), ((0,), "float32")),
        (fft.hfft(jnp.zeros((2, 1))), ((2, 0), "float32")),
        (fft.rfftn(jnp.zeros((0, 2))), ((0, 2), "complex64")),
        (fft.irfft2(jnp.zeros((2, 0))), ((2, 0), "float32")),
    ):
        assert (empty.shape, str(empty.dtype)) == wanted
    assert fft.fftfreq(4, d=0.5, dtype=int).tolist() == [0, 0, -1, 0]
    x = jnp.arange(3)
    assert typed(fft.rfftn(x, axes=())) == ("float32", False)
    with pytest.raises(ValueError, match="only real valued inputs supported for rfftn"):
        fft.rfftn(x + 1j, axes=())


def test_sets_of_nothing_and_fillings():
    found = jnp.unique_all(jnp.zeros((2, 0)))
    assert found.values.shape == (0,) and found.inverse_indices.shape == (2, 0)
    assert jnp.unique(jnp.zeros(0), size=2, fill_value=7).tolist() == [7, 7]
    rows, inverse = jnp.unique(jnp.zeros((2, 0)), return_inverse=True, axis=0)
    assert rows.shape == (1, 0) and inverse.tolist() == [0, 0]
    a, b = jnp.array([1, 2, 3]), jnp.array([3, 1, 7])
    common, i, j = jnp.intersect1d(a, b, return_indices=True, size=4)
    assert common.tolist() == [1, 3, 1, 1]
    assert i.tolist() == [0, 2, 3, 3] and j.tolist() == [1, 0, 3, 3]
    assert jnp.intersect1d(a, a + 5, size=2).tolist() == [0, 0]


def test_polynomials_of_odd_inputs():
    assert jnp.poly(jnp.zeros(0)).shape == ()
    assert jnp.roots(jnp.array([1.0, -3.0, 2.0, 0.0])).real.tolist()[0] == 0
    assert jnp.polymul(jnp.zeros(0), jnp.array([1.0, 2.0])).tolist() == [0, 0]
    assert jnp.polyder(jnp.asarray(X)).tolist() == X[:1].tolist()
    assert jnp.trim_zeros(jnp.float32(2)) == 2


def test_places_out_of_bounds():
    x = jnp.arange(3.0)
    assert jnp.put(x, jnp.array([7, -1]), jnp.array([9.0, 8.0]), inplace=False).tolist()[:2] == [
        0,
        1,
    ]
    assert jnp.put(x, jnp.array([7]), 9.0, inplace=False).tolist() == [0, 1, 9]
    assert jnp.take(x, jnp.array([True, False])).tolist() == [1, 0]


def test_differences_of_infinite_neighbours():
    x = np.array([0, 1, np.inf, 2, 3], np.float32)
    np.testing.assert_array_equal(jnp.gradient(x), np.gradient(x))
    xp, fp = np.float32([0.0, 1.0, 2.0]), np.float32([5.0, 6.0, 8.0])
    for period in (1.5, -1.5):
        mine = jnp.interp(np.float32([0.3, 4.0]), xp, fp, period=period, left=7.0)
        np.testing.assert_allclose(mine, np.interp([0.3, 4.0], xp, fp, period=period), rtol=1e-5)


def test_half_precision_determinants():
    x = jnp.array([[2.0, 1.0], [1.0, 3.0]], jnp.float16)
    assert typed(jnp.linalg.det(x)) == ("float16", False) and jnp.linalg.det(x) == 5
    assert typed(jnp.linalg.slogdet(x).logabsdet) == ("float16", False)
    assert typed(jnp.linalg.matrix_power(jnp.ones((2, 2), int), 2)) == ("int32", False)


def test_a_traced_array_has_the_method_trace():
    x = jnp.asarray(X)
    assert adlib.jit(lambda x: x.trace())(x) == X.trace()
    assert adlib.grad(lambda x: x.trace(offset=1))(x).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert adlib.vmap(lambda x: x.trace())(x[None]).tolist() == [X.trace()]
    assert adlib.jvp(lambda x: x.trace(), (x,), (x,))[1] == X.trace()


def test_promotion_of_dtypes_stays_within_those_in_use():
    assert jnp.promote_types("uint32", "int8") == np.dtype("int32")
    assert jnp.promote_types("int64", "int8") == np.dtype("int64")
    with adlib.enable_x64(True):
        assert jnp.promote_types("uint32", "int8") == np.dtype("int64")


def test_counts_of_no_and_of_weighted_bins():
    assert jnp.bincount(jnp.array([1, 2]), length=0).shape == (0,)
    x = jnp.array([0.0, 1.0])
    assert typed(jnp.histogram2d(x, x, 2, weights=jnp.array([1, 2]))[0]) == ("float32", False)


def test_members_and_rounding():
    x = jnp.array([1, 2])
    assert 2 in x and 3 not in x
    assert adlib.jit(lambda x: x.__contains__(2))(x)
    assert typed(round(jnp.uint8(3))) == ("int32", False)
    assert typed(round(jnp.asarray(2))) == ("int32", False)
