"""Taylor mode against nested forward mode, which it replaces."""

import math

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.experimental.jet import jet, taylor
from adlib.scipy import special

ORDER = 4
X = np.array([0.4, 0.9, 1.3])
M = np.random.default_rng(0).normal(size=(3, 3))


@pytest.fixture(autouse=True)
def x64():
    with adlib.enable_x64(True):
        yield


def by_nesting(f, args, velocities):
    """Derivatives of t ↦ f(x(t)) at 0, by jvp of jvp of ...; x(t) is a polynomial."""

    def along(t):
        moved = [
            x + sum(v * t**k / math.factorial(k) for k, v in enumerate(vs, 1))
            for x, vs in zip(args, velocities, strict=True)
        ]
        return f(*moved)

    def derivative(g):
        return lambda t: adlib.jvp(g, (t,), (1.0,))[1]

    out, g = [], along
    for _ in range(ORDER):
        g = derivative(g)
        out.append(g(0.0))
    return along(0.0), out


def loop(x):
    return lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) * x + i, x)


FUNCTIONS = {
    "polynomial": (lambda x: 3 * x**5 - x**2 + 2 / x**3, X),
    "sin": (jnp.sin, X),
    "tanh": (jnp.tanh, X),
    "exp": (jnp.exp, X),
    "log": (jnp.log, X),
    "sqrt": (jnp.sqrt, X),
    "quotient": (lambda x: (x + 1) / (x * x + 2), X),
    "power": (lambda x: x**2.5, X),
    "exponent": (lambda x: 2.0**x, X),
    "logistic": (adlib.nn.sigmoid, X),
    "softmax": (adlib.nn.softmax, X),
    "erf": (special.erf, X),
    "gammaln": (special.gammaln, X),
    "arctan2": (lambda x: jnp.arctan2(x, 2 - x), X),
    "abs": (jnp.abs, -X),
    "cube at 0": (lambda x: x**3, 0 * X),
    "inverse at a root": (lambda x: x**-2, X),
    "matrix": (lambda x: jnp.tanh(M @ jnp.sin(M @ x)), X),
    "reductions": (lambda x: jnp.max(x) * jnp.prod(x) + jnp.min(x), X),
    "sort": (lambda x: jnp.sort(jnp.cos(x) * x), X),
    "indexing": (lambda x: jnp.asarray(x)[::-1].at[0].add(x[1] ** 2) * x[jnp.array([0, 0, 2])], X),
    "cumulative": (lambda x: jnp.cumsum(jnp.cumprod(x)), X),
    "where": (lambda x: jnp.where(x > 0.8, x**2, jnp.sin(x)), X),
    "solve": (lambda x: jnp.linalg.solve(M + 3 * jnp.eye(3) * x[0], x), X),
    "determinant": (lambda x: jnp.linalg.det(M * x), X),
    "relu": (adlib.nn.relu, X - 1),
    "jit": (adlib.jit(lambda x: jnp.sin(x) * x), X),
    "checkpoint": (adlib.checkpoint(lambda x: jnp.sin(x) ** 2), X),
    "fori": (loop, X),
    "scan": (lambda x: lax.scan(lambda c, y: (c * jnp.sin(y), c + y), 1.0, x)[1], X),
    "while": (
        lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, x))[1],
        X,
    ),
    "cond": (lambda x: lax.cond(x[0] > 0, lambda y: jnp.exp(y), lambda y: y, x), X),
    "vmap": (adlib.vmap(lambda x: jnp.sin(x) / (1 + x)), X),
    "constant": (lambda x: jnp.ones(2), X),
    "convolution": (lambda x: jnp.convolve(x, jnp.exp(x)), X),
    "fft": (lambda x: jnp.abs(jnp.fft.rfft(x**2)), X),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_agrees_with_nested_forward_mode(name):
    f, x = FUNCTIONS[name]
    rng = np.random.default_rng(1)
    velocities = [rng.normal(size=x.shape) for _ in range(ORDER)]
    if name == "abs":
        velocities = [0.1 * v for v in velocities]
    wanted, derivatives = by_nesting(f, (x,), (velocities,))
    for call in (jet, adlib.jit(lambda p, s: jet(f, p, s))) if name != "jit" else (jet,):
        args = (f, (x,), (velocities,)) if call is jet else ((x,), (velocities,))
        value, series = call(*args)
        np.testing.assert_allclose(value, wanted, rtol=1e-12)
        for found, derivative in zip(series, derivatives, strict=True):
            np.testing.assert_allclose(found, derivative, rtol=1e-7, atol=1e-8)


def test_several_arguments_and_results_in_trees():
    def f(tree, y):
        return {"p": tree["a"] * y, "q": (y, tree["a"])}

    value, series = jet(f, ({"a": 2.0}, 3.0), ({"a": [1.0, 0.0]}, [0.0, 1.0]))
    assert value["p"] == 6.0
    assert [float(v) for v in series["p"]] == [3.0, 2.0]
    assert [float(v) for v in series["q"][0]] == [0.0, 1.0]


def test_taylor_coefficients():
    scaled = jet(jnp.sin, (0.5,), ((1.0, 0.0, 0.0),))[1]
    plain = jet(jnp.sin, (0.5,), ((1.0, 0.0, 0.0),), factorial_scaled=False)[1]
    for k, (a, b) in enumerate(zip(scaled, plain, strict=True), 1):
        np.testing.assert_allclose(a, b * math.factorial(k))


def test_high_order_costs_little():
    order = 20
    value, series = jet(jnp.exp, (0.3,), ((1.0, *[0.0] * (order - 1)),))
    np.testing.assert_allclose(series, np.exp(0.3), rtol=1e-9)
    jaxpr = adlib.make_jaxpr(lambda x: jet(jnp.tanh, (x,), ((1.0, *[0.0] * (order - 1)),)))(0.3)
    assert len(jaxpr.eqns) < 10 * order**2  # nested forward mode has more than 2**order


def test_it_nests_with_the_other_transformations():
    def second(x):
        return jet(jnp.sin, (x,), ((1.0, 0.0),))[1][1]

    np.testing.assert_allclose(second(0.3), -np.sin(0.3))
    np.testing.assert_allclose(adlib.grad(second)(0.3), -np.cos(0.3))
    np.testing.assert_allclose(adlib.vmap(second)(X), -np.sin(X))
    twice = jet(second, (0.3,), ((1.0, 0.0),))[1]
    np.testing.assert_allclose(twice, [-np.cos(0.3), np.sin(0.3)])


def test_whole_numbers_have_no_series():
    value, series = jet(lambda x, n: (x * n, n + 1), (2.0, 3), ((1.0,), (0.0,)))
    assert value == (6.0, 4) and series[0] == [3.0]
    assert jet(jnp.sin, (0.5,), ((),))[1] == []
    outs, terms = taylor(lambda x: [x * x], [jnp.array(2.0)], [[jnp.array(1.0)]])
    assert outs == [4.0] and terms == [[4.0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: jet(jnp.sin, (0.5,), ((1.0, 0.0), (1.0,))), ValueError, "one series for each"),
        (lambda: jet(jnp.add, (0.5, 1.0), ((1.0, 0.0), (1.0,))), ValueError, r"given \[1, 2\]"),
        (lambda: jet(jnp.sin, (0.5,), (1.0,)), ValueError, "as a tuple or list; it was given 1.0"),
        (lambda: jet(jnp.sin, 0.5, ((1.0,),)), TypeError, "primals and series as tuples"),
        (
            lambda: jet(jnp.sin, (X,), ((np.ones(2),),)),
            ValueError,
            r"derivative 1 has shape \(2,\)",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
