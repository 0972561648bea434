"""Roots, powers, exponentials and logarithms at special points."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

NAN, INF = np.nan, np.inf


def _same(given, wanted, rtol=1e-6):
    np.testing.assert_allclose(np.asarray(given), np.float32(wanted), rtol=rtol)


# function: (argument, value, derivative)
TABLE = {
    lax.sqrt: [(0.0, 0, INF), (-1.0, NAN, NAN), (INF, INF, 0), (NAN, NAN, NAN), (4.0, 2, 0.25)],
    lax.rsqrt: [(0.0, INF, -INF), (INF, 0, 0), (-1.0, NAN, NAN), (4.0, 0.5, -1 / 16)],
    lax.cbrt: [(0.0, 0, INF), (-8.0, -2, 1 / 12), (-INF, -INF, 0), (1e-38, 2.1544347e-13, None)],
    lax.square: [(-3.0, 9, -6), (-INF, INF, -INF), (NAN, NAN, NAN)],
    lax.reciprocal: [(0.0, INF, -INF), (-0.0, -INF, -INF), (2.0, 0.5, -0.25), (INF, 0, 0)],
    lax.exp2: [(3.0, 8, 8 * np.log(2)), (-INF, 0, 0), (INF, INF, INF)],
    lax.expm1: [(1e-20, 1e-20, 1), (-INF, -1, 0), (INF, INF, INF)],
    lax.log1p: [(1e-20, 1e-20, 1), (-1.0, -INF, INF), (-2.0, NAN, -1), (INF, INF, 0)],
    lax.logistic: [(0.0, 0.5, 0.25), (100.0, 1, 0), (-200.0, 0, 0),
                   (-INF, 0, 0), (INF, 1, 0), (NAN, NAN, NAN)],
}  # fmt: skip


@pytest.mark.parametrize(
    "function, x, value, derivative",
    [(f, *row) for f, rows in TABLE.items() for row in rows],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_special_points(function, x, value, derivative):
    _same(function(x), value)
    if derivative is not None:
        _same(adlib.grad(function)(x), derivative)


@pytest.mark.parametrize("function", TABLE, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_halves_are_rounded_once(function, dtype):
    x = jnp.array([0.3, 0.7, 1.9, 2.6], dtype)
    wanted = function(x.astype("float32")).astype(dtype)
    given = function(x)
    assert given.dtype == dtype
    np.testing.assert_allclose(
        np.asarray(given, np.float32), np.asarray(wanted, np.float32), rtol=2e-2
    )


# x, y, value, d/dx, d/dy
POWERS = [
    (0.0, 0.0, 1, 0, 0),
    (0.0, 2.0, 0, 0, 0),
    (0.0, 1.0, 0, 1, 0),
    (0.0, 0.5, 0, INF, 0),
    (0.0, -1.0, INF, -INF, NAN),
    (2.0, 0.0, 1, 0, np.log(2)),
    (2.0, 3.0, 8, 12, 8 * np.log(2)),
    (-2.0, 3.0, -8, 12, NAN),
    (-2.0, 0.5, NAN, NAN, NAN),
    (INF, 0.0, 1, 0, INF),
    (NAN, 0.0, 1, 0, NAN),
    (1.0, NAN, 1, NAN, 0),
]


@pytest.mark.parametrize("x, y, value, in_x, in_y", POWERS)
def test_powers(x, y, value, in_x, in_y):
    _same(lax.pow(x, y), value)
    if not (np.isnan(y) or y == -1):
        _same(adlib.grad(lax.pow)(x, y), in_x)
        _same(adlib.grad(lax.pow, 1)(x, y), in_y)


@pytest.mark.parametrize("y, value, slope", [(0, 1, 0), (1, 0, 1), (2, 0, 0), (3, 0, 0)])
def test_integer_powers_at_zero(y, value, slope):
    assert lax.pow(0.0, y) == value
    assert adlib.grad(lax.pow)(0.0, y) == slope
    assert adlib.grad(lax.pow)(0.0, np.int32(y)) == slope
    assert adlib.grad(adlib.grad(lax.pow))(0.0, y) == (2 if y == 2 else 0)


def test_power_of_integers():
    x, y = np.array([2, -1, -1, 1, 3], np.int32), np.array([10, -3, -2, -1, -1], np.int32)
    np.testing.assert_array_equal(lax.pow(x, y), [1024, -1, 1, 1, 0])


def test_power_dtypes():
    assert "pow a 3:i32[]" in str(adlib.make_jaxpr(lambda x: lax.pow(x, 3))(1.0))
    assert lax.pow(jnp.ones(2), jnp.int32(3)).dtype == np.float32
    with pytest.raises(TypeError, match="must have the dtype of the base or be an integer"):
        lax.pow(jnp.ones(2), jnp.ones(2, "bfloat16"))


def test_integer_power():
    assert lax.integer_pow(jnp.int32(-3), 3) == -27
    assert adlib.grad(lambda x: lax.integer_pow(x, 0))(INF) == 0
    with pytest.raises(TypeError, match="Integers cannot be raised to negative powers"):
        lax.integer_pow(2, -1)


def test_booleans_are_refused():
    with pytest.raises(TypeError, match="sqrt does not accept dtype bool: it takes floating or"):
        lax.sqrt(True)
    with pytest.raises(TypeError, match="sqrt does not accept dtype int32"):
        lax.sqrt(2)


def test_complex_logistic_far_out():
    assert lax.logistic(-80.0 + 1j) == pytest.approx(np.exp(-80 + 1j), rel=1e-2, abs=1e-9)
    assert lax.logistic(80.0 + 1j) == pytest.approx(1)
