"""Windowed reductions: values against loops, ties, gradients of pooling, error texts."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import adlib
import adlib.numpy as jnp
from adlib import lax


def by_loops(x, fold, window, strides, pads, base, spread):
    """The definition: ``fold`` of the present elements of each window."""
    full = np.full([(n - 1) * d + 1 for n, d in zip(x.shape, base, strict=True)], np.nan)
    full[tuple(slice(None, None, d) for d in base)] = x
    full = np.pad(full, pads, constant_values=np.nan)
    reach = [(k - 1) * d + 1 for k, d in zip(window, spread, strict=True)]
    counts = [max(0, (n - r) // s + 1) for n, r, s in zip(full.shape, reach, strides, strict=True)]
    out = np.zeros(counts)
    for place in itertools.product(*map(range, counts)):
        part = full[
            tuple(
                slice(p * s, p * s + r, d)
                for p, s, r, d in zip(place, strides, reach, spread, strict=True)
            )
        ]
        out[place] = fold(part[~np.isnan(part)])
    return out


@st.composite
def windows(draw):
    rank = draw(st.integers(1, 2))

    def each(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    pads = tuple(tuple(draw(st.integers(0, 2)) for _ in range(2)) for _ in range(rank))
    return each(1, 6), (each(1, 3), each(1, 3), pads, each(1, 2), each(1, 2))


@given(windows())
def test_values_agree_with_loops(case):
    shape, geometry = case
    x = np.random.default_rng(0).integers(-9, 9, shape).astype(np.float32)
    for init, function, fold in (
        (0.0, lax.add, np.sum),
        (-np.inf, lax.max, lambda v: v.max(initial=-np.inf)),
        (np.inf, lax.min, lambda v: v.min(initial=np.inf)),
        (1.0, lax.mul, np.prod),
        (2.0, lax.add, lambda v: v.sum() + 2),
    ):
        out = lax.reduce_window(x, init, function, *geometry)
        np.testing.assert_allclose(out, by_loops(x, fold, *geometry), rtol=1e-5)


@given(windows())
def test_pooling_gradients_agree_with_differences(case):
    shape, geometry = case
    rng = np.random.default_rng(0)
    x, t = rng.permutation(np.prod(shape)).reshape(shape) * 1.0, rng.standard_normal(shape)
    with adlib.enable_x64():
        for init, function in ((-np.inf, lax.max), (np.inf, lax.min), (0.0, lax.add)):
            f = lambda x: lax.reduce_window(x, init, function, *geometry)  # noqa: B023, E731
            out, tangent = adlib.jvp(f, (x,), (t,))
            present = np.isfinite(out)
            change = np.asarray(f(x + 1e-3 * t))[present] - np.asarray(f(x - 1e-3 * t))[present]
            np.testing.assert_allclose(np.asarray(tangent)[present], change / 2e-3, atol=1e-9)
            if function is not lax.add and any(d > 1 for d in geometry[3]):
                continue  # gaps were filled before: covered by the transpose below
            ct = rng.standard_normal(out.shape)
            (ct_x,) = adlib.vjp(f, x)[1](jnp.asarray(ct))
            np.testing.assert_allclose(np.sum(ct_x * t), np.sum(ct * tangent), atol=1e-9)


@pytest.mark.parametrize(
    "function, init, gradient",
    [(lax.max, -np.inf, [1, 2, 0, 7]), (lax.min, np.inf, [1, 2, 3, 4])],
)
def test_of_equal_elements_the_first_is_chosen(function, init, gradient):
    x, weights = jnp.array([1.0, 1.0, 1.0, 2.0]), jnp.arange(1.0, 5)
    f = lambda x: (lax.reduce_window(x, init, function, (2,), (1,), "SAME") * weights).sum()  # noqa: E731
    assert adlib.grad(f)(x).tolist() == gradient


def test_integers():
    lowest = jnp.iinfo(jnp.int32).min
    out = lax.reduce_window(jnp.arange(6), lowest, lax.max, (2,), (2,), "VALID")
    assert out.dtype == np.int32 and out.tolist() == [1, 3, 5]


def test_several_operands_and_any_function():
    x = jnp.arange(1.0, 5)
    sums, products = lax.reduce_window(
        (x, x), (0.0, 1.0), lambda a, b: (a[0] + b[0], a[1] * b[1]), (2,), (1,)
    )
    assert sums.tolist() == [3, 5, 7] and products.tolist() == [2, 6, 12]
    grad = adlib.grad(lambda x: lax.reduce_window(x, 1.0, lax.mul, (2,)).sum())(x)
    assert grad.tolist() == [2, 4, 6, 3]


def test_known_functions_become_their_own_primitives():
    def names(init, function):
        f = lambda x: lax.reduce_window(x, init, function, (2, 2), (2, 2))  # noqa: E731
        return [e.primitive.name for e in adlib.make_jaxpr(f)(jnp.ones((4, 4))).eqns]

    assert names(0.0, lax.add) == ["reduce_window_sum"]
    assert names(-jnp.inf, lax.max) == ["reduce_window_max"]
    assert names(jnp.inf, lax.min) == ["reduce_window_min"]
    assert "reduce_window_max" not in names(0.0, lax.max)  # not the identity of max


def test_jaxpr_of_a_pooling_gradient():
    f = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (2, 2), "VALID").sum()  # noqa: E731
    text = str(adlib.make_jaxpr(adlib.grad(f))(jnp.ones((4, 4))))
    assert (
        """select_and_scatter_add[
      padding=((0, 0), (0, 0))
      select_prim=ge
      window_dimensions=(2, 2)
      window_strides=(2, 2)
    ] c a"""
        in text
    )


def test_hessian_and_vmap_of_pooling():
    pool = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,))  # noqa: E731
    x = jnp.array([1.0, 3.0, 2.0, 0.0])
    hessian = adlib.hessian(lambda x: (pool(x) ** 2).sum())(x)
    np.testing.assert_array_equal(hessian, np.diag([0, 2, 2, 0]))
    rows = jnp.stack([x, x[::-1]])
    np.testing.assert_array_equal(adlib.vmap(pool)(rows), [[3, 2], [2, 3]])
    np.testing.assert_array_equal(adlib.vmap(pool, in_axes=1)(rows.T), [[3, 2], [2, 3]])


def test_shape_tuple():
    assert lax.reduce_window_shape_tuple((4, 4), (2, 2), (1, 2), "SAME") == (4, 2)
    assert lax.reduce_window_shape_tuple(
        (4, 4), (2, 2), (1, 2), ((0, 1), (1, 1)), (2, 2), (1, 3)
    ) == (7, 3)


@pytest.mark.parametrize(
    "init, options, message",
    [
        (0.0, dict(window_dimensions=(2,)), "got 1 window_dimensions for an operand of 2 axes"),
        (0.0, dict(window_strides=(1,)), "got 1 window_strides for an operand of 2 axes"),
        (0.0, dict(window_dimensions=(2, 0)), r"window_dimensions must be positive, got \(2, 0\)"),
        (0.0, dict(padding=((0, 0),)), "got 1 paddings for an operand of 2 axes"),
        (jnp.int32(0), {}, "init_value must be a scalar of the operand's dtype, got i32"),
    ],
)
def test_errors(init, options, message):
    options = {"window_dimensions": (2, 2)} | options
    with pytest.raises(TypeError, match=message):
        lax.reduce_window(jnp.ones((4, 4)), init, lax.add, **options)
