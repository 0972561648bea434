"""Special functions: values against SciPy's in double precision, derivatives by differences."""

import numpy as np
import pytest
import scipy.special as reference

import adlib
import adlib.numpy as jnp
from adlib.scipy import special
from adlib.test_util import check_grads

REAL = np.array([-3.2, -1.5, -0.4, 0.0, 0.3, 1.0, 2.6, 7.0])
POSITIVE = np.array([0.05, 0.4, 1.0, 1.7, 3.5, 20.0])
UNIT = np.array([0.0, 0.01, 0.3, 0.5, 0.9, 1.0])
EDGES = np.array([0.0, -0.0, np.inf, -np.inf, np.nan])
UNARY = {
    "dawsn": REAL, "digamma": POSITIVE, "entr": REAL, "erf": REAL, "erfc": REAL, "erfcx": REAL,
    "erfinv": 2 * UNIT - 1, "exp1": POSITIVE, "expi": REAL, "expit": REAL, "gamma": REAL,
    "gammaln": REAL, "gammasgn": REAL, "i0": REAL, "i0e": REAL, "i1": REAL, "i1e": REAL,
    "log_ndtr": np.append(REAL, [-40.0, 40.0]), "loggamma": REAL, "logit": UNIT, "ndtr": REAL,
    "ndtri": UNIT, "spence": POSITIVE, "factorial": POSITIVE, "zeta": POSITIVE + 1.5,
    "wofz": REAL,
}  # fmt: skip
BINARY = {
    "beta": (POSITIVE[:, None], POSITIVE), "betaln": (POSITIVE[:, None], POSITIVE),
    "boxcox": (POSITIVE[:, None], REAL), "boxcox1p": (POSITIVE[:, None], REAL),
    "comb": (np.array([0, 1, 4, 9, -2.0])[:, None], np.array([0, 1, 2, 4, 9, -1.0])),
    "expn": (np.arange(4)[:, None], POSITIVE), "gammainc": (POSITIVE[:, None], POSITIVE),
    "gammaincc": (POSITIVE[:, None], POSITIVE), "kl_div": (UNIT[:, None], UNIT - 0.1),
    "owens_t": (REAL[:, None], REAL), "poch": (POSITIVE[:, None], REAL),
    "polygamma": (np.arange(4)[:, None], POSITIVE), "rel_entr": (UNIT[:, None], UNIT - 0.1),
    "xlog1py": (UNIT[:, None], REAL), "xlogy": (UNIT[:, None], POSITIVE),
    "zeta": (POSITIVE[:, None] + 1.2, POSITIVE),
}  # fmt: skip
OTHER = {
    "betainc": (POSITIVE[:, None, None], POSITIVE[:, None], UNIT),
    "hyp1f1": (POSITIVE[:, None, None], POSITIVE[:, None], REAL),
    "hyp2f1": (POSITIVE[:4, None, None], 1.5, POSITIVE[:4, None], UNIT[:-1]),
}
# beyond these arguments nothing is said about edges
NO_EDGES = {"expn", "hyp1f1", "hyp2f1", "poch", "comb", "beta", "betaln", "owens_t", "boxcox"}


@pytest.fixture(autouse=True)
def x64():
    with adlib.enable_x64(True):
        yield


@pytest.mark.parametrize("name", sorted(UNARY))
def test_functions_of_one_argument(name):
    x = UNARY[name]
    wanted = getattr(reference, name)(x)
    np.testing.assert_allclose(getattr(special, name)(x), wanted, rtol=2e-12, atol=1e-300)
    single = getattr(special, name)(x.astype(np.float32))
    assert single.dtype == (np.complex64 if name == "wofz" else np.float32)
    np.testing.assert_allclose(single, wanted, rtol=3e-5, atol=2e-6)


@pytest.mark.parametrize("name", sorted({*BINARY, *OTHER}))
def test_functions_of_several_arguments(name):
    args = {**BINARY, **OTHER}[name]
    wanted = getattr(reference, name)(*args)
    np.testing.assert_allclose(getattr(special, name)(*args), wanted, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("name", ["sici", "fresnel"])
def test_pairs(name):
    for found, wanted in zip(
        getattr(special, name)(POSITIVE), getattr(reference, name)(POSITIVE), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("name", "erf erfc erfcx expit i0e ndtr log_ndtr entr dawsn".split())
def test_edges(name):
    found, wanted = getattr(special, name)(EDGES), getattr(reference, name)(EDGES)
    np.testing.assert_array_equal(found, wanted)


SMOOTH = {
    "boxcox": ([0.4, 2.0], [0.0, 0.7]), "boxcox1p": ([0.4, 2.0], [0.0, 1e-4]),
    "beta": ([0.4, 2.0], [1.5, 0.7]), "poch": ([0.4, 2.0], [1.5, 0.7]),
    "xlogy": ([0.4, 2.0], [1.5, 0.7]), "xlog1py": ([0.4, 2.0], [1.5, 0.7]),
    "kl_div": ([0.4, 2.0], [1.5, 0.7]), "entr": ([0.4, 2.0],), "gamma": ([0.4, 2.0],),
    "logit": ([0.4, 0.8],), "ndtr": ([-0.4, 2.0],), "factorial": ([0.4, 2.0],),
    "i0": ([-0.4, 2.0],), "i1": ([-0.4, 2.0],), "comb": ([5.5, 7.0], [2.2, 3.0]),
    "loggamma": ([0.4, 2.0],),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SMOOTH))
def test_derivatives(name):
    args = [jnp.array(a) for a in SMOOTH[name]]
    check_grads(getattr(special, name), args, order=2, atol=1e-5, rtol=1e-5)


def test_box_cox_is_smooth_in_the_power():
    powers = jnp.array([-1e-3, -9e-4, -1e-8, 0.0, 1e-12, 9e-4, 1e-3])
    first = adlib.vmap(adlib.grad(special.boxcox, 1), (None, 0))(2.0, powers)
    np.testing.assert_allclose(first, 0.5 * np.log(2) ** 2, rtol=1e-3)
    assert abs(special.boxcox(1e300, 5e-4) / reference.boxcox(1e300, 5e-4) - 1) < 1e-12


def test_multigammaln():
    a = np.array([2.0, 3.5])
    np.testing.assert_allclose(special.multigammaln(a, 3), reference.multigammaln(a, 3), rtol=1e-12)
    check_grads(lambda a: special.multigammaln(a, 3), (a,), order=1)


def test_bernoulli_numbers():
    np.testing.assert_allclose(special.bernoulli(30), reference.bernoulli(30), rtol=1e-11)
    assert special.bernoulli(0).tolist() == [1.0]
    with pytest.raises(ValueError, match="wants n of 0 or more; it was given -1"):
        special.bernoulli(-1)


def test_bessel_functions_of_whole_order():
    wanted = np.stack([reference.jv(n, REAL) for n in range(5)])
    np.testing.assert_allclose(special.bessel_jn(REAL, v=4), wanted, rtol=1e-10, atol=1e-15)
    check_grads(lambda x: special.bessel_jn(x, v=3), (REAL[:3],), order=2)
    with pytest.raises(ValueError, match="an order v of 0 or more; it was given -1"):
        special.bessel_jn(1.0, v=-1)


def test_spherical_harmonics():
    theta, phi = np.linspace(0.1, 3.0, 5), np.linspace(-2.0, 6.0, 5)
    for n in range(6):
        for m in range(-n, n + 1):
            found = special.sph_harm_y(n, m, theta, phi)
            wanted = reference.sph_harm_y(n, m, theta, phi)
            np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-14)
    assert special.sph_harm_y(1, 2, 0.3, 0.2) == 0
    n, m = np.array([0, 1, 3]), np.array([0, -1, 2])
    several = special.sph_harm_y(n[:, None], m[:, None], theta, phi)
    np.testing.assert_allclose(
        several, reference.sph_harm_y(n[:, None], m[:, None], theta, phi), rtol=1e-11
    )


def test_spherical_harmonics_are_differentiable_at_the_pole_and_traced():
    def real(theta, phi):
        return special.sph_harm_y(3, 2, theta, phi, n_max=3).real

    check_grads(real, (0.7, 1.2), order=2)
    assert np.isfinite(adlib.grad(real)(0.0, 1.0))
    traced = adlib.jit(lambda n: special.sph_harm_y(n, 0, 0.3, 0.2, n_max=4))(2)
    np.testing.assert_allclose(traced, reference.sph_harm_y(2, 0, 0.3, 0.2))
    with pytest.raises(ValueError, match="needs n_max"):
        adlib.jit(lambda n: special.sph_harm_y(n, 0, 0.3, 0.2))(2)


def test_complex_faddeeva():
    z = np.array([0.3 + 0.2j, -1.0 + 2.0j, 4.0 - 0.5j])
    np.testing.assert_allclose(special.wofz(z), reference.wofz(z), rtol=1e-12)


def test_logsumexp_and_softmax():
    x = np.array([[1.0, 2.0, 3.0], [0.0, -1e3, 1e3]])
    for name in ("softmax", "log_softmax"):
        for axis in (None, 0, -1, (0, 1)):
            found = getattr(special, name)(x, axis=axis)
            np.testing.assert_allclose(found, getattr(reference, name)(x, axis=axis), atol=1e-15)
    np.testing.assert_allclose(special.logsumexp(x, axis=1), reference.logsumexp(x, axis=1))


def test_under_jit_and_vmap():
    for name, args in BINARY.items():
        f = getattr(special, name)
        args = jnp.broadcast_arrays(*[jnp.asarray(a, float) for a in args])
        if name == "polygamma":
            args[0] = args[0].astype(int)
        eager = f(*args)
        np.testing.assert_allclose(adlib.jit(f)(*args), eager, rtol=1e-12)
        np.testing.assert_allclose(adlib.vmap(f)(*args), eager, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: special.factorial(3, exact=True), "math.factorial"),
        (lambda: adlib.grad(special.expn)(2.0, 1.0), "it is an order"),
        (lambda: special.sph_harm_y(1, 0, 0.1, 0.1, diff_n=1), "diff_n=None only"),
    ],
)
def test_errors(call, message):
    with pytest.raises((ValueError, NotImplementedError), match=message):
        call()
