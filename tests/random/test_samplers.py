"""Samplers: shapes, dtypes, derivatives by reparameterisation, and what misuse says."""

import math

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import random
from adlib.test_util import check_grads

KEY = random.key(7)

# name → (draw of n, mean, deviation)
MOMENTS = {
    "uniform": (lambda n: random.uniform(KEY, n, minval=2.0, maxval=5.0), 3.5, math.sqrt(0.75)),
    "normal": (lambda n: random.normal(KEY, n), 0, 1),
    "normal-complex": (lambda n: random.normal(KEY, n, jnp.complex64), 0, 1),
    "randint": (lambda n: random.randint(KEY, n, -5, 6), 0, math.sqrt(10)),
    "bernoulli": (lambda n: random.bernoulli(KEY, 0.3, n), 0.3, math.sqrt(0.21)),
    "rademacher": (lambda n: random.rademacher(KEY, n), 0, 1),
    "gumbel": (lambda n: random.gumbel(KEY, n), 0.5772, math.pi / math.sqrt(6)),
    "exponential": (lambda n: random.exponential(KEY, n), 1, 1),
    "laplace": (lambda n: random.laplace(KEY, n), 0, math.sqrt(2)),
    "logistic": (lambda n: random.logistic(KEY, n), 0, math.pi / math.sqrt(3)),
    "gamma": (lambda n: random.gamma(KEY, 2.5, n), 2.5, math.sqrt(2.5)),
    "gamma-below-1": (lambda n: random.gamma(KEY, 0.3, n), 0.3, math.sqrt(0.3)),
    "beta": (lambda n: random.beta(KEY, 2.0, 3.0, n), 0.4, 0.2),
    "chisquare": (lambda n: random.chisquare(KEY, 4.0, n), 4, math.sqrt(8)),
    "t": (lambda n: random.t(KEY, 10.0, n), 0, math.sqrt(1.25)),
    "poisson": (lambda n: random.poisson(KEY, 4.0, n), 4, 2),
    "poisson-large": (lambda n: random.poisson(KEY, 100.0, n), 100, 10),
    "binomial": (lambda n: random.binomial(KEY, 20, 0.2, n), 4, math.sqrt(3.2)),
    "binomial-large": (lambda n: random.binomial(KEY, 400, 0.75, n), 300, math.sqrt(75)),
    "geometric": (lambda n: random.geometric(KEY, 0.25, n), 4, math.sqrt(12)),
    "rayleigh": (lambda n: random.rayleigh(KEY, 2.0, n), 2 * math.sqrt(math.pi / 2),
                 2 * math.sqrt(2 - math.pi / 2)),
    "wald": (lambda n: random.wald(KEY, 2.0, n), 2, math.sqrt(8)),
    "triangular": (lambda n: random.triangular(KEY, 0.0, 1.0, 5.0, n), 2, math.sqrt(21 / 18)),
    "maxwell": (lambda n: random.maxwell(KEY, n), 2 * math.sqrt(2 / math.pi),
                math.sqrt(3 - 8 / math.pi)),
    "truncated_normal": (lambda n: random.truncated_normal(KEY, -2.0, 2.0, n), 0, 0.8796),
    "lognormal": (lambda n: random.lognormal(KEY, 0.5, n), math.exp(0.125),
                  math.sqrt((math.exp(0.25) - 1) * math.exp(0.25))),
}  # fmt: skip


@pytest.mark.parametrize("name", MOMENTS)
def test_mean_and_deviation(name):
    draw, mean, deviation = MOMENTS[name]
    n = 20_000
    values = np.asarray(draw((n,)))
    values = values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)
    assert values.shape == (n,) and np.isfinite(values).all()
    assert abs(values.mean() - mean) < 5 * deviation / math.sqrt(n)
    assert abs(values.std() / deviation - 1) < 0.1


def test_large_draws_equal_what_small_ones_say():
    # the pieces that a large draw is made in must join without a seam
    long = random.bits(KEY, (100_003,))
    keys = adlib.vmap(lambda k: random.bits(k, (40_000,)))(random.split(KEY, 3))
    assert long[:5].tolist() == random.bits(KEY, (50_000,))[:5].tolist()
    assert long[16384:16387].tolist() == random.bits(KEY, (16_387,))[16384:].tolist()
    one = random.bits(random.split(KEY, 3)[2], (40_000,))
    assert np.array_equal(np.asarray(keys[2]), np.asarray(one))
    with adlib.threefry_partitionable(False):
        odd = np.asarray(random.bits(KEY, (70_001,)))
        rows = adlib.vmap(lambda k: random.bits(k, (70_001,)))(KEY[None])
        assert np.array_equal(np.asarray(rows[0]), odd)
    assert random.uniform(KEY, (0, 3)).shape == (0, 3)


def test_bounds_hold():
    u = np.asarray(random.uniform(KEY, (10_000,), minval=-0.5, maxval=-0.5 + 1e-6))
    assert (u >= -0.5).all() and (u <= -0.5 + 1e-6).all()
    t = np.asarray(random.truncated_normal(KEY, 3.0, 3.5, (10_000,)))
    assert (t > 3.0).all() and (t < 3.5).all()
    i = np.asarray(random.randint(KEY, (10_000,), 0, 256, jnp.uint8))
    assert i.min() == 0 and i.max() == 255


def test_permutations_permute():
    x = random.permutation(KEY, jnp.arange(1000))
    assert sorted(x.tolist()) == list(range(1000)) and x.tolist() != list(range(1000))
    rows = random.permutation(KEY, jnp.arange(20).reshape(10, 2))
    assert sorted(rows[:, 0].tolist()) == list(range(0, 20, 2))
    assert (rows[:, 1] - rows[:, 0] == 1).all()
    drawn = random.choice(KEY, 50, (50,), replace=False)
    assert sorted(drawn.tolist()) == list(range(50))


def test_orthogonal_matrices_are():
    for shape in ((3, 3), (4, 2), (2, 4)):
        q = random.orthogonal(KEY, shape[0], (5,), m=shape[1])
        small = jnp.eye(min(shape))
        product = (
            jnp.einsum("bij,bik->bjk", q, q)
            if shape[0] >= shape[1]
            else (jnp.einsum("bji,bki->bjk", q, q))
        )
        assert jnp.allclose(product, small, atol=1e-5)


REPARAMETERISED = {
    "uniform": lambda a, b: random.uniform(KEY, (4,), minval=a, maxval=a + b),
    "normal": lambda a, b: a + b * random.normal(KEY, (4,)),
    "gumbel": lambda a, b: a + b * random.gumbel(KEY, (4,)),
    "truncated_normal": lambda a, b: random.truncated_normal(KEY, -a, b, (4,)),
    "lognormal": lambda a, b: random.lognormal(KEY, a, (4,)),
    "weibull_min": lambda a, b: random.weibull_min(KEY, a, b, (4,)),
    "pareto": lambda a, b: random.pareto(KEY, a, (4,)),
    "rayleigh": lambda a, b: random.rayleigh(KEY, a, (4,)),
    "multivariate_normal": lambda a, b: random.multivariate_normal(
        KEY, a * jnp.ones(2), jnp.array([[2.0, 0.3], [0.3, 1.0]]) * b, (3,)
    ),
}


@pytest.mark.parametrize("name", REPARAMETERISED)
def test_gradients_go_through_draws(name):
    check_grads(REPARAMETERISED[name], (0.8, 1.3), order=1)


# implicit reparameterisation: the sampler may jump where it accepts otherwise, so the
# derivative is that of the quantile function, which scipy knows
@pytest.mark.parametrize("a", [0.4, 1.0, 2.5, 20.0])
def test_gamma_derivative_is_that_of_the_quantile(a):
    stats = pytest.importorskip("scipy.stats")
    with adlib.enable_x64(True):
        x, dx = adlib.jvp(lambda a: random.gamma(KEY, a, (5,)), (a,), (1.0,))
        y, dy = adlib.jvp(lambda a: random.loggamma(KEY, a, (5,)), (a,), (1.0,))
    level = stats.gamma.cdf(x, a)
    step = 1e-4 * a
    expected = (stats.gamma.ppf(level, a + step) - stats.gamma.ppf(level, a - step)) / (2 * step)
    np.testing.assert_allclose(dx, expected, rtol=1e-5)
    np.testing.assert_allclose(np.exp(y), x, rtol=1e-9)
    np.testing.assert_allclose(dy, dx / x, rtol=1e-9)


@pytest.mark.parametrize("name", ["beta", "dirichlet", "chisquare", "t", "f"])
def test_gamma_family_has_finite_gradients(name):
    draws = {
        "beta": lambda a: random.beta(KEY, a, 2.0, (3,)),
        "dirichlet": lambda a: random.dirichlet(KEY, a * jnp.arange(1.0, 4.0), (2,)),
        "chisquare": lambda a: random.chisquare(KEY, a, (3,)),
        "t": lambda a: random.t(KEY, a, (3,)),
        "f": lambda a: random.f(KEY, a, 5.0, (3,)),
    }
    gradient = adlib.grad(lambda a: jnp.sum(draws[name](a) ** 2))(2.0)
    assert np.isfinite(float(gradient)) and float(gradient) != 0


def test_vmap_of_parameters_equals_a_loop():
    rates = jnp.array([0.5, 3.0, 30.0])
    for draw in (
        lambda a: random.gamma(KEY, a, (2,)),
        lambda a: random.poisson(KEY, a, (2,)),
        lambda a: random.normal(KEY, (2,)) * a,
        lambda a: random.randint(KEY, (2,), 0, a.astype(int) + 5),
        lambda a: random.categorical(KEY, a * jnp.arange(4.0)),
        lambda a: random.permutation(KEY, a * jnp.arange(4.0)),
    ):
        looped = jnp.stack([draw(a) for a in rates])
        assert adlib.vmap(draw)(rates).tolist() == looped.tolist()
        assert adlib.jit(adlib.vmap(draw))(rates).tolist() == looped.tolist()


def test_one_call_in_a_jaxpr():
    text = str(adlib.make_jaxpr(lambda k: random.normal(k, (3,)))(KEY))
    for part in (
        "name=_normal",
        "name=_uniform",
        "random_bits[bit_width=32 shape=(3,)]",
        "erf_inv",
    ):
        assert part in text
    assert "shift_right_logical" in text and "bitcast_convert_type[new_dtype=float32]" in text


def test_shape_may_be_an_int_and_static():
    assert random.normal(KEY, 3).shape == random.normal(KEY, [3]).shape == (3,)
    with pytest.raises(TypeError, match="shape must be static"):
        adlib.jit(lambda n: random.normal(KEY, (n,)))(3)


MISTAKES = [
    (lambda: random.normal(KEY, dtype=int), ValueError, "`normal` must be a float or complex"),
    (lambda: random.uniform(KEY, dtype=int), ValueError, "`uniform` must be a float dtype, got"),
    (lambda: random.bits(KEY, (), jnp.float32), ValueError, "must be an unsigned int dtype"),
    (lambda: random.randint(KEY, (), 0, 1, jnp.float32), TypeError, "must be an int dtype"),
    (lambda: random.normal(KEY, (-1,)), TypeError, r"sizes of shape \(-1,\) must be at least 0"),
    (lambda: random.bernoulli(KEY, 1), TypeError, "must have a floating dtype, got int32"),
    (lambda: random.bernoulli(KEY, 0.5, mode="x"), ValueError, "'low' or 'high', got 'x'"),
    (lambda: random.gumbel(KEY, mode="x"), ValueError, "gumbel: mode must be"),
    (lambda: random.gamma(KEY, jnp.ones(2), (3,)), ValueError,
     r"parameters of shape \(2,\) do not broadcast to shape=\(3,\)"),
    (lambda: random.beta(KEY, jnp.ones(2), jnp.ones(3)), ValueError,
     r"incompatible shapes for broadcasting: \(2,\), \(3,\)"),
    (lambda: random.choice(KEY, 3, (4,), replace=False), ValueError,
     r"larger sample \(size 4\) than population \(size 3\)"),
    (lambda: random.choice(KEY, 3, p=jnp.ones(2) / 2), ValueError, r"p has shape \(2,\) and .* 3"),
    (lambda: random.choice(KEY, 0, (1,)), ValueError, "a must be greater than 0"),
    (lambda: random.permutation(KEY, 2.5), TypeError, "integer or at least 1-dimensional"),
    (lambda: random.permutation(KEY, jnp.ones(2), axis=1), ValueError, "axis 1 is out of bounds"),
    (lambda: random.categorical(KEY, jnp.ones((2, 3)), shape=(4,)), ValueError,
     r"shape=\(4,\) must end in the batch shape \(2,\)"),
    (lambda: random.categorical(KEY, jnp.ones(3), shape=(4,), replace=False), ValueError,
     r"without replacement \(4\) cannot exceed number of categories \(3\)"),
    (lambda: random.multivariate_normal(KEY, 1.0, jnp.eye(2)), ValueError, "mean.ndim >= 1"),
    (lambda: random.multivariate_normal(KEY, jnp.ones(3), jnp.eye(2)), ValueError, "for n=3"),
    (lambda: random.multivariate_normal(KEY, jnp.ones(2), jnp.eye(2), method="x"), ValueError,
     "'cholesky', 'eigh', 'svd', got 'x'"),
    (lambda: random.dirichlet(KEY, 1.0), ValueError, "alpha.ndim >= 1"),
    (lambda: random.multinomial(KEY, 3, 1.0), ValueError, "p.ndim >= 1"),
    (lambda: random.normal(KEY, 2.5), TypeError, "shape must be an int or a sequence of ints"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, message", MISTAKES)
def test_mistakes_are_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_all_names_are_there():
    assert len(random.__all__) == 48
    for name in random.__all__:
        thing = getattr(random, name)
        assert name == "random_gamma_p" or thing.__doc__
