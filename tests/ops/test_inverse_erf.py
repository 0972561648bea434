"""erf_inv in 32 bits: scipy's values, special points, and pieces that join without a seam."""

import numpy as np
from scipy import special

from adlib.core import quiet
from adlib.ops.inverse_erf import erf_inv_float32


def inverse(x):
    token = quiet.enter()
    try:
        return erf_inv_float32(np, x)
    finally:
        quiet.leave(token)


def test_against_scipy():
    x = np.linspace(-1, 1, 40_001)[1:-1].astype(np.float32)
    expected = special.erfinv(x.astype(np.float64))
    np.testing.assert_allclose(inverse(x), expected, rtol=8e-6, atol=1e-7)


def test_special_points():
    x = np.array([0.0, -0.0, 1.0, -1.0, 1.5, np.nan], np.float32)
    out = inverse(x)
    assert out.tolist()[:4] == [0.0, 0.0, np.inf, -np.inf] and np.signbit(out[1])
    assert np.isnan(out[4:]).all()
    assert (
        inverse(np.float32(0.5)).shape == () and inverse(np.zeros((2, 0, 3), np.float32)).size == 0
    )


def test_shape_does_not_change_the_numbers():
    x = np.random.default_rng(0).uniform(-1, 1, (100, 301)).astype(np.float32)
    together = inverse(x)
    assert together.shape == x.shape
    assert np.array_equal(together[57], inverse(x[57]))
    assert np.array_equal(together.T, inverse(np.asfortranarray(x).T))
