"""Reductions, statistics and running totals, against NumPy."""

import warnings

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

rng = np.random.default_rng(0)
X = rng.standard_normal((3, 4, 5)).astype(np.float32)
MASK = rng.random((3, 4, 5)) > 0.4
HOLES = np.where(MASK, X, np.float32(np.nan))
INTS = rng.integers(-5, 6, (3, 4)).astype(np.int32)
COMPLEX = (X[0] + 1j * X[1]).astype(np.complex64)
AXES = [None, 0, -1, (0, 2), (1,), ()]


def same(found, wanted, rtol=1e-5):
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=rtol, atol=1e-5)


@pytest.fixture(autouse=True)
def numpy_may_warn():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", "sum prod max min mean var std any all".split())
def test_over_axes(name, axis, keepdims):
    mine, numpys = getattr(jnp, name), getattr(np, name)
    same(mine(jnp.array(X), axis, keepdims=keepdims), numpys(X, axis, keepdims=keepdims))
    if name in ("sum", "prod", "max", "min", "any", "all", "mean") and axis in (None, 0, -1):
        same(mine(jnp.array(INTS), axis, keepdims=keepdims), numpys(INTS, axis, keepdims=keepdims))


@pytest.mark.parametrize("axis", [None, 0, (0, 2)])
@pytest.mark.parametrize("name", "sum prod max min mean var std any all".split())
def test_where(name, axis):
    extra = {"initial": 0.5} if name in ("sum", "prod", "max", "min") else {}
    mine = getattr(jnp, name)(jnp.array(X), axis, where=jnp.array(MASK), **extra)
    same(mine, getattr(np, name)(X, axis, where=MASK, **extra))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("name", "argmax argmin ptp median cumsum cumprod count_nonzero".split())
def test_along_one_axis(name, axis):
    same(getattr(jnp, name)(jnp.array(X), axis), getattr(np, name)(X, axis))


@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize(
    "name",
    "nansum nanprod nanmax nanmin nanmean nanvar nanstd nanmedian nancumsum nancumprod".split(),
)
def test_without_nan(name, axis):
    same(getattr(jnp, name)(jnp.array(HOLES), axis), getattr(np, name)(HOLES, axis))
    same(getattr(jnp, name)(jnp.array(INTS), axis), getattr(np, name)(INTS, axis))


def test_nothing_but_nan():
    x = jnp.array([jnp.nan, jnp.nan])
    assert jnp.isnan(jnp.nanmax(x)) and jnp.isnan(jnp.nanmean(x)) and jnp.isnan(jnp.nanmedian(x))
    assert jnp.nansum(x) == 0 and jnp.nanargmax(x) == -1
    assert jnp.nanargmin(jnp.array(HOLES)) == np.nanargmin(HOLES)


METHODS = ["linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", [None, 1, (0, 2)])
def test_quantile(method, axis):
    q = np.array([0.0, 0.21, 0.5, 0.9, 1.0], np.float32)
    for keepdims in (False, True):
        options = {"axis": axis, "method": method, "keepdims": keepdims}
        same(jnp.quantile(jnp.array(X), jnp.array(q), **options), np.quantile(X, q, **options))
    same(
        jnp.percentile(jnp.array(X), 30, axis, method=method),
        np.percentile(X, 30, axis, method=method),
    )
    if method == "linear":
        same(jnp.nanquantile(jnp.array(HOLES), jnp.array(q), axis), np.nanquantile(HOLES, q, axis))


def test_quantile_of_nan_is_nan():
    assert jnp.isnan(jnp.median(jnp.array([1.0, jnp.nan])))
    with pytest.raises(ValueError, match="method can only be 'linear'"):
        jnp.quantile(X, 0.5, method="other")


def test_average():
    w = np.array([1.0, 2.0, 3.0], np.float32)
    same(jnp.average(jnp.array(X)), np.average(X))
    same(jnp.average(jnp.array(X), 0, jnp.array(w)), np.average(X, 0, w))
    for mine, numpys in zip(
        jnp.average(jnp.array(X), 0, jnp.array(w), returned=True),
        np.average(X, 0, w, returned=True), strict=True,
    ):  # fmt: skip
        same(mine, numpys)


def test_variance_options():
    same(jnp.var(jnp.array(COMPLEX), 0), np.var(COMPLEX, 0))
    same(jnp.std(jnp.array(X), 1, ddof=1), np.std(X, 1, ddof=1))
    same(jnp.var(jnp.array(X), correction=1), np.var(X, ddof=1))
    assert jnp.isnan(jnp.var(jnp.arange(3.0), ddof=5))
    same(jnp.var(jnp.array(X), 0, mean=jnp.array(X.mean(0, keepdims=True))), X.var(0))


def test_half_precision_is_averaged_in_single():
    x = jnp.full(5000, 100.0, jnp.float16)
    assert jnp.mean(x) == 100 and jnp.mean(x).dtype == jnp.float16


def test_cumulative_sum_of_the_array_api():
    x = jnp.array([1, 2, 3])
    assert jnp.cumulative_sum(x, include_initial=True).tolist() == [0, 1, 3, 6]
    assert jnp.cumulative_prod(x, include_initial=True).tolist() == [1, 1, 2, 6]
    with pytest.raises(ValueError, match="has rank 2"):
        jnp.cumulative_sum(jnp.ones((2, 2)))


def test_small_integers_are_summed_wide():
    x = jnp.full(3, 100, jnp.int8)
    assert jnp.sum(x) == 300 and jnp.sum(x).dtype == jnp.int32
    assert jnp.sum(x, promote_integers=False).dtype == jnp.int8
    assert jnp.sum(jnp.array([True, True])).dtype == jnp.int32


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: jnp.sum([1, 2]), TypeError,
         "sum requires ndarray or scalar arguments, got <class 'list'> at position 0."),
        (lambda: jnp.sum(X, axis=3), ValueError, "axis 3 is out of bounds for array of dimension"),
        (lambda: jnp.sum(X, axis=(0, 0)), ValueError, "duplicate value in 'axis'"),
        (lambda: jnp.sum(X, out=X), NotImplementedError, "'out' argument to jnp.sum"),
        (lambda: jnp.max(jnp.array([])), ValueError, "zero-size array to reduction operation max"),
        (lambda: jnp.max(X, where=MASK), ValueError, "has to specify 'initial'"),
        (lambda: jnp.argmax(jnp.array([])), ValueError, "argmax of an empty sequence"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("name", "sum mean var std max prod median nanmean nanvar".split())
def test_vmap_is_a_loop(name):
    f = getattr(jnp, name)
    x = jnp.array(X)
    same(adlib.vmap(f)(x), jnp.stack([f(row) for row in x]))
    same(adlib.jit(f)(x), f(x))
