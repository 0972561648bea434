"""Convolution, interpolation, differences, covariance, polynomials, windows, histograms."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

X = np.array([3.0, -1.0, 2.0, 0.5, 4.0], np.float32)
Y = np.array([1.0, 2.0, -0.5], np.float32)
M = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)


def same(found, wanted, tol=2e-5):
    if isinstance(wanted, (list, tuple)):
        for f, w in zip(found, wanted, strict=True):
            same(f, w, tol)
        return
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=tol, atol=tol)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (4, 4), (5, 2), (2, 5), (1, 4), (4, 1)])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_sliding_products(name, sizes, mode):
    rng = np.random.default_rng(sum(sizes))
    x, y = (rng.standard_normal(n) + 1j * rng.standard_normal(n) for n in sizes)
    x, y = x.astype(np.complex64), y.astype(np.complex64)
    same(getattr(jnp, name)(x, y, mode), getattr(np, name)(x, y, mode))
    same(getattr(jnp, name)(x.real, y.real, mode), getattr(np, name)(x.real, y.real, mode))


def test_interp():
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([1.0, -1.0, 2.0])
    x = np.array([[-1.0, 0.0, 0.25], [1.0, 2.5, 9.0]])
    same(jnp.interp(x, xp, fp), np.interp(x, xp, fp))
    same(jnp.interp(x, xp, fp, -7.0, 7.0), np.interp(x, xp, fp, -7, 7))
    same(jnp.interp(x, xp, fp, period=4), np.interp(x, xp, fp, period=4))
    same(jnp.interp(5.0, xp, fp, right="extrapolate"), np.float32(5.0))
    g = adlib.grad(lambda x: jnp.interp(x, jnp.array(xp), jnp.array(fp)))
    assert g(0.5) == -2 and g(2.0) == 1.5


def test_differences_and_integrals():
    t = np.array([0.0, 1.0, 3.0, 4.0, 7.0], np.float32)
    same(jnp.gradient(X), np.gradient(X))
    same(jnp.gradient(X, 2.0), np.gradient(X, 2.0))
    same(jnp.gradient(X, t), np.gradient(X, t))
    same(jnp.gradient(M), list(np.gradient(M)))
    same(jnp.gradient(M, axis=1), np.gradient(M, axis=1))
    same(jnp.trapezoid(X, dx=0.5), np.trapezoid(X, dx=0.5))
    same(jnp.trapezoid(X, t), np.trapezoid(X, t))
    same(jnp.trapezoid(M, axis=0), np.trapezoid(M, axis=0))
    same(jnp.ediff1d(X, 9.0, -9.0), np.ediff1d(X, 9, -9))
    angles = np.array([0.0, 3.0, 6.5, -2.0, 9.0, 3.0], np.float32)
    same(jnp.unwrap(angles), np.unwrap(angles))
    same(jnp.unwrap(M * 4, axis=0), np.unwrap(M * 4, axis=0))


def test_covariance():
    for options in ({}, {"ddof": 0}, {"bias": True}, {"rowvar": False}):
        same(jnp.cov(M, **options), np.cov(M, **options))
    w, n = np.arange(1.0, 7), np.array([1, 2, 1, 3, 1, 1])
    same(jnp.cov(M, aweights=jnp.array(w)), np.cov(M, aweights=w))
    same(jnp.cov(M, fweights=n), np.cov(M, fweights=n))
    same(jnp.cov(M, fweights=n, aweights=jnp.array(w)), np.cov(M, fweights=n, aweights=w))
    same(jnp.cov(X, X), np.cov(X, X))
    same(jnp.corrcoef(M), np.corrcoef(M))
    same(jnp.corrcoef(M[0] + 1j * M[1], M[2]), np.corrcoef(M[0] + 1j * M[1], M[2]))


def test_polynomials():
    for name in ("polyadd", "polysub", "polymul"):
        same(getattr(jnp, name)(X, Y), getattr(np, name)(X, Y))
        same(getattr(jnp, name)(Y, X), getattr(np, name)(Y, X))
    same(jnp.polyval(X, M), np.polyval(X, M))
    quotient, rest = jnp.polydiv(X, Y, trim_leading_zeros=True)
    same([quotient, rest], list(np.polydiv(X, Y)), 1e-4)
    for m in (0, 1, 2, 3):
        same(jnp.polyder(X, m), np.polyder(X, m))
        same(jnp.polyint(X, m), np.polyint(X, m))
    same(jnp.polyint(X, 2, np.array([1.0, 2.0])), np.polyint(X, 2, [1, 2]))
    same(jnp.poly(Y), np.poly(Y))
    for p in (X, np.array([0.0, 1.0, -3.0, 2.0, 0.0])):
        found = np.sort_complex(np.asarray(jnp.roots(p)))
        np.testing.assert_allclose(found, np.sort_complex(np.roots(p)), atol=1e-4)
    t = np.linspace(0, 1, 8)
    y = 2 * t**2 - t + 0.5
    same(jnp.polyfit(t, y, 2), np.polyfit(t, y, 2), 1e-3)
    same(jnp.polyfit(t, y + t**3, 2, w=1 + t), np.polyfit(t, y + t**3, 2, w=1 + t), 1e-3)
    c, covariance = jnp.polyfit(t, y + t**3, 2, cov=True)
    same(covariance, np.polyfit(t, y + t**3, 2, cov=True)[1], 1e-2)
    assert len(jnp.polyfit(t, y, 2, full=True)) == 5
    same(adlib.grad(lambda x: jnp.polyval(jnp.array(Y), x))(3.0), np.float32(8.0))


@pytest.mark.parametrize("size", [0, 1, 2, 5, 8])
def test_windows(size):
    for name in ("bartlett", "blackman", "hamming", "hanning"):
        same(getattr(jnp, name)(size), getattr(np, name)(size))
    same(jnp.kaiser(size, 2.5), np.kaiser(size, 2.5))


def test_histograms():
    x = np.random.default_rng(3).standard_normal(50).astype(np.float32)
    w = np.abs(x)
    for options in ({}, {"bins": 4, "range": (-1, 1)}, {"bins": np.array([-1.0, 0.0, 0.5, 2.0])}):
        for density in (False, True):
            mine = jnp.histogram(x, density=density, **options)
            same(mine, np.histogram(x, density=density, **options))
            mine = jnp.histogram(x, weights=w, density=density, **options)
            same(mine, np.histogram(x, weights=w, density=density, **options))
    same(jnp.histogram(np.ones(3)), np.histogram(np.ones(3)))
    y = w - 1
    for bins in (3, [2, 4]):
        for density in (False, True):
            mine = jnp.histogram2d(x, y, bins, density=density)
            same(mine, np.histogram2d(x, y, bins, density=density))
    points = np.stack([x, y], 1)
    hist, edges = jnp.histogramdd(points, 3)
    same(hist, np.histogramdd(points, 3)[0])
    same(adlib.jit(lambda x: jnp.histogram(x, 5)[0])(x), np.histogram(x, 5)[0])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: jnp.convolve(M, M), ValueError, "only support 1-dimensional inputs"),
        (lambda: jnp.convolve(X, Y, "bad"), ValueError, "mode must be one of"),
        (lambda: jnp.interp(1.0, X, Y), ValueError, "arrays of equal size"),
        (lambda: jnp.gradient(jnp.ones(1)), ValueError, "at least 2 elements"),
        (lambda: jnp.polyder(X, -1), ValueError, "Order of derivative must be positive"),
        (lambda: jnp.polyfit(X, X, -1), ValueError, "expected deg >= 0"),
        (lambda: jnp.cov(np.ones((2, 2, 2))), ValueError, "more than 2 dimensions"),
        (lambda: jnp.histogram(X, "auto"), NotImplementedError, "bins must be a number"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
