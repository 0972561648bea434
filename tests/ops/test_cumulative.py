"""Cumulative operations: both directions, ties, zeros; and reduction by any function."""

import operator

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

NAN, INF = np.nan, np.inf

NUMPY = {
    lax.cumsum: np.cumsum,
    lax.cumprod: np.cumprod,
    lax.cummax: np.maximum.accumulate,
    lax.cummin: np.minimum.accumulate,
    lax.cumlogsumexp: np.logaddexp.accumulate,
}


@pytest.mark.parametrize("function, wanted", NUMPY.items(), ids=lambda f: f.__name__)
def test_against_numpy(function, wanted):
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    np.testing.assert_allclose(function(x, axis=1), wanted(x, axis=1), rtol=1e-6)
    np.testing.assert_allclose(function(x, axis=-2), wanted(x, axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        function(x, axis=1, reverse=True), wanted(x[:, ::-1], axis=1)[:, ::-1], rtol=1e-5
    )


@pytest.mark.parametrize("function", NUMPY, ids=lambda f: f.__name__)
def test_dtypes_are_kept(function):
    dtypes = ["float16", "bfloat16"]
    if function is not lax.cumlogsumexp:
        dtypes += ["int8", "uint8", "int32"]
    for dtype in dtypes:
        assert function(jnp.ones(3, dtype)).dtype == dtype
    with pytest.raises(ValueError, match="axis 5 is out of bounds"):
        function(jnp.ones(3), axis=5)


@pytest.mark.parametrize(
    "function, dtype",
    [(lax.cumsum, bool), (lax.cumprod, bool), (lax.cummax, complex), (lax.cumlogsumexp, int)],
)
def test_dtypes_that_are_refused(function, dtype):
    x = jnp.ones(3, dtype)
    with pytest.raises(TypeError, match=f"{function.__name__} does not accept dtype {x.dtype}"):
        function(x)


def test_small_floats_accumulate_in_float32():
    assert lax.cumsum(jnp.ones(1000, "bfloat16"))[-1] == 1000


def test_products_with_zeros():
    jacobian = adlib.jacobian(lax.cumprod)(jnp.array([1.0, 0.0, 3.0, 0.0]))
    np.testing.assert_array_equal(
        jacobian, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0]]
    )


def test_ties_share_the_derivative_evenly():
    jacobian = adlib.jacobian(lax.cummax)(jnp.array([1.0, 1.0, 1.0, 3.0, 2.0]))
    third = np.float32(1 / 3)
    np.testing.assert_allclose(
        jacobian,
        [[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [third] * 3 + [0, 0],
         [0, 0, 0, 1, 0], [0, 0, 0, 1, 0]],
    )  # fmt: skip
    backwards = adlib.jacobian(lambda x: lax.cummin(x, reverse=True))(jnp.array([2.0, 1.0, 1.0]))
    np.testing.assert_allclose(backwards, [[0, 0.5, 0.5], [0, 0.5, 0.5], [0, 0, 1]])


def test_extrema_keep_nan():
    x = jnp.array([1.0, NAN, 3.0])
    np.testing.assert_array_equal(lax.cummax(x), [1, NAN, NAN])
    np.testing.assert_array_equal(lax.cummin(x), [1, NAN, NAN])


def test_log_sums_do_not_overflow():
    x = jnp.array([-INF, -INF, 1000.0, 1000.0])
    np.testing.assert_allclose(lax.cumlogsumexp(x), [-INF, -INF, 1000, 1000 + np.log(2)])
    jacobian = adlib.jacobian(lax.cumlogsumexp)(x)
    np.testing.assert_allclose(jacobian[2:], [[0, 0, 1, 0], [0, 0, 0.5, 0.5]])


def test_printed_form():
    text = str(adlib.make_jaxpr(lax.cumsum)(jnp.ones(3)))
    assert "b:f32[3] = cumsum[axis=0 reverse=False] a" in text


# --------------------------------------------------------------------- reduce


@pytest.mark.parametrize(
    "computation, init, primitive",
    [
        (lax.add, 0.0, "reduce_sum"),
        (operator.add, 0.0, "reduce_sum"),
        (lax.mul, 1.0, "reduce_prod"),
        (lax.max, -INF, "reduce_max"),
        (lax.min, INF, "reduce_min"),
    ],
)
def test_known_reductions_are_recognised(computation, init, primitive):
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    closed = adlib.make_jaxpr(lambda x: lax.reduce(x, init, computation, (0,)))(x)
    assert [str(e.primitive) for e in closed.eqns] == [primitive]
    by_hand = lax.reduce(x, init, lambda a, b: computation(a, b), (0,))
    np.testing.assert_array_equal(lax.reduce(x, init, computation, (0,)), by_hand)


def test_logic_is_recognised():
    x = np.array([True, False])
    assert not lax.reduce(x, True, lax.bitwise_and, (0,))
    assert lax.reduce(x, False, lax.bitwise_or, (0,))


def test_initial_values_count():
    x = jnp.array([1.0, 2.0, 3.0])
    assert lax.reduce(x, 10.0, lax.add, (0,)) == 16
    assert lax.reduce(x, 5.0, lax.max, (0,)) == 5
    assert lax.reduce(jnp.zeros(0), 7.0, lambda a, b: a + b, (0,)) == 7


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_order_is_kept(size):
    """Composition of affine maps: associative, not commutative."""
    rng = np.random.default_rng(size)
    a, b = rng.standard_normal((2, size)).astype(np.float32)

    def compose(f, g):
        return g[0] * f[0], g[0] * f[1] + g[1]

    slope, offset = lax.reduce((a, b), (1.0, 0.0), compose, (0,))
    x = np.float32(0.7)
    for ai, bi in zip(a, b, strict=True):
        x = ai * x + bi
    np.testing.assert_allclose(slope * np.float32(0.7) + offset, x, rtol=1e-5)


def test_general_reductions_have_derivatives():
    x = jnp.array([1.0, 2.0, 4.0])
    f = lambda x: lax.reduce(x, 1.0, lambda a, b: a * b, (0,))  # noqa: E731
    np.testing.assert_array_equal(adlib.grad(f)(x), [8, 4, 2])
    out = adlib.vmap(f)(jnp.stack([x, x]))
    np.testing.assert_array_equal(out, [8, 8])


def test_several_axes():
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    given = lax.reduce(x, 0.0, lambda a, b: a + b, (0, 2))
    np.testing.assert_array_equal(given, x.sum((0, 2)))


def test_reduce_errors():
    with pytest.raises(TypeError, match="init_values must be scalars of the operands' dtypes"):
        lax.reduce(jnp.ones(3), jnp.zeros(3), lax.add, (0,))
    with pytest.raises(TypeError, match="the computation must return values of the types"):
        lax.reduce(jnp.ones(4), 0.0, lambda a, b: a > b, (0,))
