"""Kernels with rare cases: one function without them, and one that does all again."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import engine

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")
HUGE = [1e6, 1e9, 1e22, 1e30, -3e38]


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


def reference(name, x):
    """In extended precision, where arguments this large still have all their digits."""
    from mpmath import mp

    with mp.workprec(300):
        return np.array([float(getattr(mp, name)(mp.mpf(float(v)))) for v in x.ravel()])


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_one_huge_argument_among_many(name, dtype):
    with adlib.enable_x64():
        x = np.random.default_rng(0).uniform(-3, 3, 2000).astype(dtype)
        x[[3, 70, 500, 1200, 1999]] = HUGE
        got = np.asarray(adlib.jit(getattr(lax, name))(x))
    wanted = reference(name, x)
    np.testing.assert_allclose(got, wanted, rtol=4 * np.finfo(dtype).eps)


def test_infinite_and_nan_arguments():
    x = np.float32([0.5, np.inf, -np.inf, np.nan, -0.0])
    got = np.asarray(adlib.jit(jnp.sin)(x))
    assert np.isnan(got[1:4]).all() and got[0] == np.sin(np.float32(0.5))
    assert got[4] == 0 and np.signbit(got[4])


def test_sums_and_other_results_are_computed_again_too():
    x = np.full(3000, 0.25, np.float32)
    x[7] = 1e20

    def f(x):
        return jnp.sum(jnp.sin(x)), jnp.max(x), x + 1

    total, largest, shifted = adlib.jit(f)(x)
    wanted = np.sin(np.float64(0.25)) * 2999 + reference("sin", x[7:8])[0]
    assert abs(float(total) - wanted) < 1e-2 and largest == x[7]
    np.testing.assert_array_equal(shifted, x + 1)


def test_the_kernel_is_two_functions():
    text = adlib.jit(jnp.sin).lower(jnp.ones(8)).as_text("llvm")
    assert "@segment0_0_quick(" in text and "@segment0_0_exact(" in text and "optnone" in text
    assert "_quick(" not in adlib.jit(jnp.exp).lower(jnp.ones(8)).as_text("llvm")
