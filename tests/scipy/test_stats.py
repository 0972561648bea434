"""Distributions: values against SciPy's in double precision, derivatives by differences."""

import importlib
import inspect

import numpy as np
import pytest
import scipy.stats as reference

import adlib
import adlib.numpy as jnp
from adlib.scipy import stats
from adlib.test_util import check_grads

X = np.array([-3.7, -1.0, -0.2, 0.0, 0.25, 0.5, 1.0, 2.4, 9.0, np.nan])
TAIL = np.array([-30.0, 30.0])
Q = np.array([0.0, 1e-12, 0.2, 0.5, 0.9, 1.0])
K = np.array([-1.0, 0.0, 1.0, 2.0, 2.5, 5.0, 30.0])
CONTINUOUS = {
    "beta": [(2.0, 3.0), (0.7, 1.0)], "cauchy": [()], "chi2": [(3.0,), (1.0,)], "expon": [()],
    "gamma": [(2.0,), (0.7,)], "gennorm": [(1.5,), (3.0,)], "gumbel_l": [()], "gumbel_r": [()],
    "laplace": [()], "logistic": [()], "norm": [()], "pareto": [(2.0,)], "t": [(3.0,)],
    "truncnorm": [(-1.0, 2.0), (0.5, 4.0), (-9.0, -8.0)], "uniform": [()], "vonmises": [(1.5,)],
    "wrapcauchy": [(0.4,)],
}  # fmt: skip
DISCRETE = {
    "bernoulli": [(0.3,), (1.0,)], "betabinom": [(5, 2.0, 3.0)], "binom": [(5, 0.3), (5, 0.0)],
    "geom": [(0.3,)], "nbinom": [(3, 0.3)], "poisson": [(2.5,), (30.0,)],
}  # fmt: skip
SHIFTED = (0.3, 1.7)


@pytest.fixture(autouse=True)
def x64():
    with adlib.enable_x64(True):
        yield


def functions(name):
    module = importlib.import_module(f"adlib.scipy.stats.{name}")
    return {n: f for n, f in vars(module).items() if n in module.__test__}


CASES = [
    (name, function, shapes)
    for table in (CONTINUOUS, DISCRETE)
    for name, shapess in table.items()
    for function in functions(name)
    for shapes in shapess
]


@pytest.mark.parametrize(("name", "function", "shapes"), CASES)
def test_values(name, function, shapes):
    ours, theirs = functions(name)[function], getattr(getattr(reference, name), function)
    if function == "entropy":
        for mu in (0.01, 2.5, 60.0, 150.0, 1e4):
            p = reference.poisson.pmf(np.arange(mu + 40 * np.sqrt(mu) + 40), mu)
            wanted = -np.sum(p * np.log(np.where(p > 0, p, 1)))
            np.testing.assert_allclose(ours(mu), wanted, rtol=1e-7)
        return
    x = (
        Q[name in DISCRETE :]
        if function in ("ppf", "isf")
        else K
        if name in DISCRETE
        else np.append(X, TAIL)
    )
    if name == "vonmises":
        x = x[np.abs(x) < np.pi]  # beyond, SciPy's is zero and JAX's goes around
    takes_loc = "loc" in inspect.signature(ours).parameters
    for loc_scale in [(), SHIFTED[: 1 + (name in CONTINUOUS)]] if takes_loc else [()]:
        at = x if not loc_scale or name in CONTINUOUS else x + loc_scale[0]
        with np.errstate(all="ignore"):
            wanted = theirs(at, *shapes, *loc_scale)
        found = ours(at, *shapes, *loc_scale)
        assert found.dtype == np.float64
        if name in DISCRETE and function != "cdf" and loc_scale:
            continue  # a shift in floating point leaves the whole numbers
        rtol = 1e-6 if name == "truncnorm" and shapes[0] == -9.0 else 1e-9
        if function in ("pdf", "cdf", "sf", "ppf"):
            np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-15)
        else:
            far = np.abs(wanted) < 1e-15  # logarithms of numbers next to 1
            np.testing.assert_allclose(np.where(far, 0, found), np.where(far, 0, wanted), rtol=rtol)


@pytest.mark.parametrize("name", sorted(CONTINUOUS))
def test_the_density_is_differentiable_in_everything(name):
    shapes = CONTINUOUS[name][0]
    logpdf = functions(name)["logpdf"]
    x = {"pareto": 2.5, "beta": 0.4, "uniform": 0.4}.get(name, 0.6)
    takes_loc = "loc" in inspect.signature(logpdf).parameters
    args = (x, *shapes, *((0.05, 1.3) if takes_loc else ()))
    check_grads(logpdf, args, order=2, atol=1e-5, rtol=1e-5)
    outside = adlib.grad(logpdf)(-7.5, *args[1:])
    assert np.isfinite(outside)  # no NaN leaks from beyond the support


@pytest.mark.parametrize("name", sorted(DISCRETE))
def test_the_probability_is_differentiable_in_its_parameters(name):
    shapes = [float(s) for s in DISCRETE[name][0]]
    check_grads(
        lambda *shapes: functions(name)["logpmf"](2.0 if name != "bernoulli" else 1.0, *shapes),
        shapes,
        order=2,
    )


@pytest.mark.parametrize("name", sorted({*CONTINUOUS, *DISCRETE}))
def test_signatures_texts_and_transformations(name):
    shapes = {**CONTINUOUS, **DISCRETE}[name][0]
    for label, function in functions(name).items():
        assert function.__name__ == label and function.__module__.endswith(name)
        assert "Returns:" in function.__doc__
        if label == "entropy":
            continue
        x = np.array([0.25, 0.75])
        eager = function(x, *shapes)
        np.testing.assert_allclose(adlib.jit(function)(x, *shapes), eager, rtol=1e-12)
        mapped = adlib.vmap(lambda x, function=function: function(x, *shapes))(x)
        np.testing.assert_allclose(mapped, eager, rtol=1e-12)
        single = function(x.astype(np.float32), *shapes)
        assert single.dtype == np.float32
        with pytest.raises(TypeError):
            function()
        with pytest.raises(TypeError, match="unexpected keyword argument 'sigma'"):
            function(x, *shapes, sigma=2.0)
        with pytest.raises(TypeError, match="takes real numbers; it was given complex ones"):
            function(1j, *shapes)


def test_keywords():
    found = stats.norm.cdf(1.0, scale=2.0, loc=0.5)
    np.testing.assert_allclose(found, reference.norm.cdf(1.0, 0.5, 2.0))
    np.testing.assert_allclose(stats.gamma.logpdf(x=1.0, a=2.0), reference.gamma.logpdf(1.0, 2.0))


def test_tails_keep_their_precision():
    np.testing.assert_allclose(stats.norm.logcdf(-40.0), reference.norm.logcdf(-40.0))
    np.testing.assert_allclose(stats.norm.sf(20.0), reference.norm.sf(20.0))
    np.testing.assert_allclose(stats.cauchy.cdf(-1e12), reference.cauchy.cdf(-1e12), rtol=1e-9)
    np.testing.assert_allclose(stats.expon.logcdf(1e-10), np.log(1e-10), rtol=1e-9)


def test_dirichlet():
    alpha, x = np.array([2.0, 3.0, 0.7]), np.array([0.2, 0.5, 0.3])
    wanted = reference.dirichlet.logpdf(x, alpha)
    np.testing.assert_allclose(stats.dirichlet.logpdf(x, alpha), wanted)
    np.testing.assert_allclose(stats.dirichlet.logpdf(x[:2], alpha), wanted)
    many = np.stack([x, x[::-1]], axis=1)
    wanted = [reference.dirichlet.pdf(x, alpha), reference.dirichlet.pdf(x[::-1], alpha)]
    np.testing.assert_allclose(stats.dirichlet.pdf(many, alpha), wanted)
    assert stats.dirichlet.logpdf(np.array([0.5, 0.6, -0.1]), alpha) == -np.inf
    check_grads(lambda a: stats.dirichlet.logpdf(x, a), (alpha,), order=2)
    with pytest.raises(ValueError, match=r"alpha of shape \(3,\) and x of shape \(5,\)"):
        stats.dirichlet.logpdf(np.ones(5) / 5, alpha)


def test_multinomial():
    p = np.array([0.2, 0.5, 0.3])
    for x in ([1, 2, 1], [0, 4, 0], [1, 1, 1]):
        wanted = reference.multinomial.logpmf(x, 4, p)
        np.testing.assert_allclose(stats.multinomial.logpmf(np.array(x), 4, p), wanted)
        np.testing.assert_allclose(stats.multinomial.pmf(np.array(x), 4, p), np.exp(wanted))


def test_multivariate_normal():
    cov = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, 0.0], [0.1, 0.0, 3.0]])
    mean, x = np.array([0.1, -0.4, 1.0]), np.arange(12.0).reshape(4, 3) / 5
    wanted = reference.multivariate_normal.logpdf(x, mean, cov)
    np.testing.assert_allclose(stats.multivariate_normal.logpdf(x, mean, cov), wanted)
    np.testing.assert_allclose(stats.multivariate_normal.pdf(x, mean, cov), np.exp(wanted))
    scaled = stats.multivariate_normal.logpdf(x, mean, 2.0)
    np.testing.assert_allclose(scaled, reference.multivariate_normal.logpdf(x, mean, 2 * np.eye(3)))
    number = stats.multivariate_normal.logpdf(0.3, 0.1, 2.0)
    np.testing.assert_allclose(number, reference.norm.logpdf(0.3, 0.1, np.sqrt(2.0)))
    check_grads(stats.multivariate_normal.logpdf, (x, mean, cov), order=1)
    with pytest.raises(ValueError, match=r"a covariance of shape \(..., 3, 3\)"):
        stats.multivariate_normal.logpdf(x, mean, np.eye(2))
    with pytest.raises(NotImplementedError, match="allow_singular=None only"):
        stats.multivariate_normal.logpdf(x, mean, cov, allow_singular=True)


DATA = np.random.default_rng(0).normal(size=(2, 40)) * np.array([[1.0], [3.0]])


@pytest.mark.parametrize("data", [DATA, DATA[0]])
@pytest.mark.parametrize("method", [None, "silverman", 0.4, lambda kde: 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_kernel_density(data, method, weighted):
    weights = np.arange(1.0, 41.0) if weighted else None
    ours = stats.gaussian_kde(data, method, weights)
    theirs = reference.gaussian_kde(data, method, weights)
    points = DATA[:, :5] + 0.3 if data.ndim == 2 else DATA[0, :5]
    np.testing.assert_allclose(ours.pdf(points), theirs.pdf(points), rtol=1e-7)
    np.testing.assert_allclose(ours(points), theirs(points), rtol=1e-7)
    np.testing.assert_allclose(ours.logpdf(points), theirs.logpdf(points), rtol=1e-7)
    np.testing.assert_allclose(ours.covariance, theirs.covariance, rtol=1e-7)
    mean, cov = np.zeros(ours.d), np.eye(ours.d)
    np.testing.assert_allclose(
        ours.integrate_gaussian(mean, cov), theirs.integrate_gaussian(mean, cov)
    )
    np.testing.assert_allclose(ours.integrate_kde(ours), theirs.integrate_kde(theirs))
    if ours.d == 1:
        np.testing.assert_allclose(ours.integrate_box_1d(-1, 0.5), theirs.integrate_box_1d(-1, 0.5))
    draws = ours.resample(adlib.random.key(0), (2000,))
    assert draws.shape == (ours.d, 2000)
    assert abs(np.mean(np.asarray(draws)[0]) - theirs.resample(2000, 1)[0].mean()) < 0.15


def test_kernel_density_is_differentiable_and_a_tree():
    kde = stats.gaussian_kde(DATA)
    point = np.array([[0.2], [0.3]])
    check_grads(kde.logpdf, (point,), order=1)
    np.testing.assert_allclose(adlib.jit(lambda k, x: k.pdf(x))(kde, point), kde.pdf(point))
    with pytest.raises(ValueError, match="two points or more"):
        stats.gaussian_kde(np.ones((2, 1)))
    with pytest.raises(ValueError, match="one weight for each of 40 points"):
        stats.gaussian_kde(DATA, weights=np.ones(3))
    with pytest.raises(ValueError, match="it was given 'scot'"):
        stats.gaussian_kde(DATA, "scot")
    with pytest.raises(ValueError, match="dimension 3, the dataset has 2"):
        kde.pdf(np.ones((3, 4)))


NUMBERS = np.array([[3.0, 1.0, 1.0, 2.0], [2.0, 2.0, 5.0, 1.0], [3.0, 1.0, 5.0, 1.0]])


@pytest.mark.parametrize("method", ["average", "min", "max", "dense", "ordinal"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_ranks(method, axis):
    found = stats.rankdata(NUMBERS, method, axis=axis)
    np.testing.assert_array_equal(found, reference.rankdata(NUMBERS, method, axis=axis))


def test_ranks_of_special_arrays():
    assert stats.rankdata(np.array([])).shape == (0,)
    assert np.isnan(np.asarray(stats.rankdata(np.array([1.0, np.nan])))).all()
    with pytest.raises(ValueError, match="it was given 'mean'"):
        stats.rankdata(NUMBERS, "mean")
    with pytest.raises(NotImplementedError, match="nan_policy='propagate' only"):
        stats.rankdata(NUMBERS, nan_policy="omit")


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_mode(axis, keepdims):
    found, wanted = (m(NUMBERS, axis, keepdims=keepdims) for m in (stats.mode, reference.mode))
    np.testing.assert_array_equal(found.mode, wanted.mode)
    np.testing.assert_array_equal(found.count, wanted.count)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("ddof", [0, 1])
def test_standard_error(axis, ddof):
    np.testing.assert_allclose(
        stats.sem(NUMBERS, axis, ddof), reference.sem(NUMBERS, axis, ddof), rtol=1e-12
    )
    holes = np.where(NUMBERS == 2, np.nan, NUMBERS)
    np.testing.assert_allclose(
        stats.sem(holes, axis, ddof, nan_policy="omit"),
        np.asarray(reference.sem(holes, axis, ddof, nan_policy="omit")),
        rtol=1e-12,
    )


def test_every_name_of_the_namespace_is_a_distribution_or_statistic():
    modules = [name for name, value in vars(stats).items() if inspect.ismodule(value)]
    assert {*CONTINUOUS, *DISCRETE, "dirichlet", "multinomial"} <= set(modules)
    assert isinstance(stats.norm.pdf(jnp.zeros(3)), adlib.Array)
