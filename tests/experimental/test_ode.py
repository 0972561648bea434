"""Differential equations: solutions against closed forms and SciPy, gradients by differences."""

import numpy as np
import pytest
import scipy.integrate

import adlib
import adlib.numpy as jnp
from adlib.experimental.ode import odeint
from adlib.test_util import check_grads


@pytest.fixture(autouse=True)
def x64():
    with adlib.enable_x64(True):
        yield


TS = np.linspace(0.0, 2.0, 7)


def pendulum(y, t, friction, pull):
    angle, speed = y
    return jnp.array([speed, -friction * speed - pull * jnp.sin(angle)])


def test_solutions():
    found = odeint(lambda y, t: -y, np.array([1.0, 2.0]), TS)
    np.testing.assert_allclose(found, np.exp(-TS)[:, None] * [1.0, 2.0], rtol=1e-7)
    found = odeint(pendulum, np.array([2.0, 0.0]), TS, 0.25, 9.8)
    wanted = scipy.integrate.odeint(
        lambda y, t: np.asarray(pendulum(y, t, 0.25, 9.8)), [2.0, 0.0], TS, rtol=1e-10, atol=1e-10
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
    found = odeint(lambda y, t: 3 * t**2 + 0 * y, np.array(1.0), TS)
    np.testing.assert_allclose(found, 1 + TS**3, rtol=1e-9)
    rotation = odeint(lambda z, t: 1j * z, np.array(1.0 + 0j), TS)
    np.testing.assert_allclose(rotation, np.exp(1j * TS), rtol=1e-7)


def test_tolerances_and_dense_output():
    many = np.linspace(0.0, 2.0, 200)
    fine = odeint(lambda y, t: jnp.cos(3 * t) * y, np.array(1.0), many, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(fine, np.exp(np.sin(3 * many) / 3), rtol=1e-8)
    coarse = odeint(lambda y, t: jnp.cos(3 * t) * y, np.array(1.0), many, rtol=1e-3, atol=1e-3)
    error = np.max(np.abs(coarse - np.exp(np.sin(3 * many) / 3)))
    assert 1e-7 < error < 1e-2
    short = odeint(lambda y, t: -y, np.array(1.0), TS, hmax=0.01)
    np.testing.assert_allclose(short, np.exp(-TS), rtol=1e-8)


def test_trees_and_compilation():
    def f(state, t, k):
        return {"x": state["v"], "v": -k * state["x"]}

    start = {"x": np.array([1.0, 0.5]), "v": np.zeros(2)}
    found = odeint(f, start, TS, 4.0)
    np.testing.assert_allclose(found["x"], np.cos(2 * TS)[:, None] * [1.0, 0.5], atol=1e-7)
    again = adlib.jit(lambda s, k: odeint(f, s, TS, k))(start, 4.0)
    np.testing.assert_allclose(again["v"], found["v"], atol=1e-9)
    many = adlib.vmap(lambda k: odeint(f, start, TS, k)["x"])(jnp.array([1.0, 4.0]))
    np.testing.assert_allclose(many[1], found["x"], atol=1e-7)


def test_gradients_of_everything():
    check_grads(
        lambda y, t, a, b: odeint(pendulum, y, t, a, b),
        (np.array([2.0, 0.0]), np.array([0.0, 0.4, 1.1]), 0.25, 9.8),
        order=1, modes=["rev"], atol=1e-4, rtol=1e-4,
    )  # fmt: skip
    k = 1.3

    def closing_over(k):
        return odeint(lambda y, t: {"a": -k * y["a"] * t}, {"a": jnp.array(1.0)}, TS)["a"][-1]

    wanted = -2 * np.exp(-2 * k)
    np.testing.assert_allclose(adlib.grad(closing_over)(k), wanted, rtol=1e-6)
    np.testing.assert_allclose(adlib.jit(adlib.grad(closing_over))(k), wanted, rtol=1e-6)


def test_whole_numbers_among_the_arguments():
    def f(y, t, n, a):
        return -a * n * y

    slope = adlib.grad(lambda a: odeint(f, np.array(1.0), TS, 2, a)[-1])(0.5)
    np.testing.assert_allclose(slope, -4 * np.exp(-2.0), rtol=1e-6)


def test_what_cannot_be_integrated_is_nan_and_ends():
    blown = odeint(lambda y, t: y**2, np.array(1.0), np.array([0.0, 0.5, 2.0]))
    np.testing.assert_allclose(blown[1], 2.0, rtol=1e-6)
    assert np.isnan(blown[2])
    cut = odeint(lambda y, t: -y, np.array(1.0), TS, mxstep=2)
    assert np.isnan(np.asarray(cut)[1:]).all()


def test_single_precision_and_nothing():
    found = odeint(lambda y, t: -y, jnp.ones(2, jnp.float32), TS.astype(np.float32), rtol=1e-5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[-1], np.exp(-2.0), rtol=1e-4)
    assert odeint(lambda y, t: y, np.zeros((0,)), TS).shape == (7, 0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: odeint(lambda y, t, f: y, 1.0, TS, "f"), TypeError, "must be arrays or scalars"),
        (lambda: odeint(lambda y, t: y, 1.0, 2.0), ValueError, "t as a vector"),
        (
            lambda: adlib.jvp(lambda y: odeint(lambda y, t: y, y, TS), (1.0,), (1.0,)),
            TypeError,
            "forward-mode",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
