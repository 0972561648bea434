"""Derivatives of composed functions, against finite differences in both modes."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.test_util import check_grads

rng = np.random.default_rng(7)
V = jnp.array(rng.uniform(0.2, 0.9, 6), jnp.float32)
W = jnp.array(rng.uniform(1.1, 2.0, 6), jnp.float32)
M = jnp.array(rng.standard_normal((3, 4)), jnp.float32)
S = jnp.array(rng.standard_normal((4, 4)), jnp.float32)

ONE = {
    "ufuncs": (V, [
        jnp.exp, jnp.exp2, jnp.expm1, jnp.log, jnp.log2, jnp.log10, jnp.log1p, jnp.sqrt, jnp.cbrt,
        jnp.sin, jnp.cos, jnp.tan, jnp.arcsin, jnp.arccos, jnp.arctan, jnp.sinh, jnp.cosh,
        jnp.tanh, jnp.arcsinh, jnp.arctanh, jnp.square, jnp.reciprocal, jnp.sinc, jnp.i0, jnp.abs,
        jnp.deg2rad, jnp.nan_to_num, lambda x: x**3, lambda x: x**-2, lambda x: x**1.7,
        lambda x: 2**x, lambda x: jnp.modf(x)[0], lambda x: jnp.frexp(x)[0],
        lambda x: jnp.remainder(x, 0.15), lambda x: jnp.ldexp(x, 3),
    ]),
    "reductions": (M, [
        jnp.sum, jnp.mean, jnp.var, jnp.std, jnp.max, jnp.min, jnp.prod, jnp.ptp, jnp.median,
        jnp.cumsum, jnp.cumprod, jnp.average, jnp.nansum, jnp.nanmean, jnp.nanstd, jnp.nanmax,
        lambda x: jnp.std(x, axis=1, ddof=1), lambda x: jnp.quantile(x, jnp.array([0.2, 0.7]), 1),
        lambda x: jnp.sum(x, where=x > 0), lambda x: jnp.var(x, where=x > -0.5), jnp.cov,
        lambda x: jnp.average(x, 0, weights=x[:, 0] ** 2 + 1),
    ]),
    "shapes": (M, [
        jnp.ravel, jnp.transpose, jnp.flip, lambda x: jnp.roll(x, 2), lambda x: jnp.rot90(x),
        lambda x: jnp.tile(x, (2, 2)), lambda x: jnp.repeat(x, 2, 1), lambda x: jnp.diff(x, 2),
        lambda x: jnp.pad(x, 2, "reflect"), lambda x: jnp.pad(x, 2, "wrap"),
        lambda x: jnp.pad(x, 1, "linear_ramp"), lambda x: jnp.pad(x, 1, "mean"),
        lambda x: jnp.stack([x, 2 * x]), lambda x: jnp.concatenate([x, x * x]),
        lambda x: jnp.split(x, 2, 1)[1], lambda x: jnp.block([[x, x]]), jnp.tril, jnp.diagonal,
        lambda x: jnp.diag(x[0]), lambda x: jnp.insert(x, 1, x[0] ** 2, 0), jnp.sort,
        lambda x: jnp.delete(x, 1, 0), lambda x: jnp.vander(x[0]), jnp.gradient,
        lambda x: jnp.array([x[0, 0], x[1, 1] * 2.0]), lambda x: jnp.linspace(x[0], x[1], 4),
    ]),
    "choices": (M, [
        lambda x: jnp.where(x > 0, x**2, -x), lambda x: jnp.clip(x, -0.5, 0.5),
        lambda x: jnp.select([x < -0.5, x < 0.5], [x, x**2], x**3),
        lambda x: jnp.piecewise(x, [x < 0], [lambda v: v**2, jnp.sin]),
        lambda x: jnp.take(x, jnp.array([2, 0, 2]), 0), lambda x: jnp.maximum(x, 0.3),
        lambda x: jnp.take_along_axis(x, jnp.argsort(x, 1), 1), lambda x: x[1:, ::2],
        lambda x: jnp.interp(x, jnp.array([-3.0, 0.1, 3.0]), x[:, 0]),
    ]),
    "products": (S, [
        lambda x: x @ x, lambda x: jnp.dot(x, x[0]), jnp.trace, lambda x: jnp.outer(x[0], x[1]),
        lambda x: jnp.kron(x[:2, :2], x[2:, 2:]), lambda x: jnp.cross(x[0, :3], x[1, :3]),
        lambda x: jnp.tensordot(x, x, ((0,), (1,))), lambda x: jnp.vdot(x, x),
        lambda x: jnp.einsum("ij,jk,kl->il", x, x, x), lambda x: jnp.einsum("ii->i", x),
        lambda x: jnp.convolve(x[0], x[1, :2]), lambda x: jnp.polyval(x[0], x[1]),
    ]),
}  # fmt: skip
CASES = [(f, x) for x, functions in ONE.values() for f in functions]

TWO = [
    jnp.add, jnp.subtract, jnp.multiply, jnp.divide, jnp.maximum, jnp.minimum, jnp.power,
    jnp.arctan2, jnp.hypot, jnp.logaddexp, jnp.logaddexp2, jnp.fmax, jnp.copysign, jnp.fmod,
    jnp.float_power,
]  # fmt: skip


@pytest.mark.parametrize(("function", "x"), CASES)
def test_one_argument(function, x):
    check_grads(function, (x,), order=1, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("function", TWO, ids=lambda f: f.__name__)
def test_two_arguments(function):
    check_grads(function, (V, W), order=2, rtol=2e-2, atol=2e-2)
    check_grads(lambda x: function(x[:, None], W), (V,), order=1, rtol=2e-2, atol=2e-2)


def derivatives(f, x, order):
    for _ in range(order):
        f = adlib.grad(f)
    return float(f(x))


def test_derivatives_where_formulas_divide_by_zero():
    assert [derivatives(jnp.sinc, 0.0, n) for n in (1, 3)] == [0.0, 0.0]
    np.testing.assert_allclose(derivatives(jnp.sinc, 0.0, 2), -(np.pi**2) / 3, rtol=1e-5)
    np.testing.assert_allclose(derivatives(jnp.sinc, 0.0, 4), np.pi**4 / 5, rtol=1e-5)
    assert derivatives(lambda x: jnp.hypot(x, 0.0), 0.0, 1) in (0.0, 1.0)
    assert derivatives(lambda x: jnp.logaddexp(x, x), 1000.0, 1) == 1.0
    assert derivatives(lambda x: jnp.logaddexp(x, -jnp.inf), 1.0, 1) == 1.0
    assert derivatives(lambda x: jnp.logaddexp(x, 0.0), -jnp.inf, 1) == 0.0


def test_nan_that_is_left_out_leaves_gradients_alone():
    x = jnp.array([1.0, jnp.nan, 3.0])
    for f in (jnp.nansum, jnp.nanmean, jnp.nanvar, jnp.nanmax, jnp.nanmedian):
        assert not jnp.isnan(adlib.grad(f)(x)).any(), f.__name__


@pytest.mark.parametrize("name", ["exp", "sin", "tanh", "sqrt", "log", "square", "reciprocal"])
def test_holomorphic(name):
    z = jnp.array([0.3 + 0.4j, 1.2 - 0.3j])
    check_grads(getattr(jnp, name), (z,), order=1, rtol=2e-2, atol=2e-2)
