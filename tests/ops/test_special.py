"""Special functions at special points, and when their library is loaded."""

import mpmath
import numpy as np
import pytest
import scipy.special

import adlib
import adlib.numpy as jnp
from adlib import lax

NAN, INF = np.nan, np.inf
ROOT_PI = np.sqrt(np.pi)
EULER = 0.5772156649

# function: (argument, value, derivative)
TABLE = {
    lax.erf: [(0.0, 0, 2 / ROOT_PI), (INF, 1, 0), (-INF, -1, 0), (NAN, NAN, NAN)],
    lax.erfc: [(0.0, 1, -2 / ROOT_PI), (INF, 0, 0), (-INF, 2, 0)],
    lax.erf_inv: [(0.0, 0, ROOT_PI / 2), (1.0, INF, INF), (-1.0, -INF, INF), (2.0, NAN, NAN)],
    lax.lgamma: [(1.0, 0, -EULER), (0.0, INF, NAN), (-1.0, INF, NAN), (INF, INF, INF),
                 (-INF, INF, NAN)],
    lax.digamma: [(1.0, -EULER, np.pi**2 / 6), (0.0, NAN, None), (-1.0, NAN, None),
                  (INF, INF, 0)],
    lax.bessel_i0e: [(0.0, 1, 0), (INF, 0, 0)],
    lax.bessel_i1e: [(0.0, 0, 0.5), (-INF, 0, 0)],
}  # fmt: skip


@pytest.mark.parametrize(
    "function, x, value, derivative",
    [(f, *row) for f, rows in TABLE.items() for row in rows],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_special_points(function, x, value, derivative):
    np.testing.assert_allclose(function(x), np.float32(value), rtol=1e-6, atol=1e-7)
    if derivative is not None:
        grad = adlib.grad(function)(x)
        np.testing.assert_allclose(grad, np.float32(derivative), rtol=1e-6, atol=1e-7)


def test_inverse_error_function_of_both_widths():
    x = np.linspace(-0.99999, 0.99999, 1001)
    with adlib.enable_x64(True):
        np.testing.assert_array_equal(lax.erf_inv(x), scipy.special.erfinv(x))
    x = x.astype(np.float32)
    wanted = scipy.special.erfinv(x.astype(np.float64))
    np.testing.assert_allclose(lax.erf_inv(x), wanted, rtol=6e-7)


@pytest.mark.parametrize("m", [0, 1, 2, 3])
def test_polygamma(m):
    x = jnp.array([0.5, 1.0, 2.5])
    np.testing.assert_allclose(
        lax.polygamma(np.float32(m), x), scipy.special.polygamma(m, x), rtol=2e-6
    )
    grad = adlib.vmap(adlib.grad(lambda x: lax.polygamma(np.float32(m), x)))(x)
    np.testing.assert_allclose(grad, scipy.special.polygamma(m + 1, x), rtol=2e-6)


def test_orders_that_are_not_whole():
    assert np.isnan(lax.polygamma(0.5, 1.0))
    assert np.isnan(lax.polygamma(-1.0, 1.0))


def test_zeta():
    assert lax.zeta(2.0, 1.0) == pytest.approx(np.pi**2 / 6)
    assert np.isnan(lax.zeta(0.5, 1.0))
    assert adlib.grad(lax.zeta, 1)(2.0, 1.0) == pytest.approx(-2 * scipy.special.zeta(3, 1))
    assert adlib.grad(lax.zeta)(2.0, 1.0) == pytest.approx(-0.93754825)  # Riemann's zeta'(2)


@pytest.mark.parametrize(
    ("s", "q"), [(2.0, 1.0), (1.01, 0.3), (5.0, 3.0), (20.0, 0.5), (3.0, 100.0), (60.0, 1.5)]
)
def test_derivatives_of_zeta(s, q):
    def exact(n, m):
        return float(mpmath.diff(mpmath.zeta, (s, q), (n, m)))

    with adlib.enable_x64(), mpmath.workdps(40):
        in_s = adlib.grad(lax.zeta)
        np.testing.assert_allclose(in_s(s, q), exact(1, 0), rtol=2e-13)
        np.testing.assert_allclose(adlib.grad(in_s)(s, q), exact(2, 0), rtol=2e-13)
        np.testing.assert_allclose(adlib.grad(in_s, 1)(s, q), exact(1, 1), rtol=2e-13)


def test_complex_arguments_are_refused():
    with pytest.raises(TypeError, match="lgamma does not accept dtype complex64: it takes float"):
        lax.lgamma(1j)


def test_the_library_is_loaded_on_first_use(run_python):
    code = """
import sys, adlib, adlib.numpy as jnp
from adlib import lax
jnp.sin(1.0), adlib.grad(jnp.tanh)(1.0)
print("scipy.special" in sys.modules)
lax.erf(1.0)
print("scipy.special" in sys.modules)
"""
    assert run_python(code).split() == ["False", "True"]
