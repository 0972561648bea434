"""Special functions: complex numbers, weak types, what the arguments may be."""

import numpy as np
import pytest
import scipy.special as reference

import adlib
import adlib.numpy as jnp
from adlib.scipy import special
from adlib.test_util import check_grads

PLANE = np.array([
    1.3 - 0.4j, -0.5 + 0.0j, complex(-0.5, -0.0), -3.2 + 1e-3j, -7.5 - 2j, 0.1 + 30j, 25 - 1j,
    -40.3 + 0.2j, 1e-8 + 1e-8j, 3.0 + 0j, 2000 - 3000j,
])  # fmt: skip


@pytest.mark.parametrize("double", [True, False])
def test_gamma_of_complex_numbers(double):
    with adlib.enable_x64(double):
        z = PLANE if double else PLANE.astype(np.complex64)
        found = special.loggamma(jnp.asarray(z))
        assert found.dtype == z.dtype
        tolerance = 1e-12 if double else 1e-5
        np.testing.assert_allclose(found, reference.loggamma(z.astype(complex)), rtol=tolerance)
        small = z[np.abs(z) < 20]
        np.testing.assert_allclose(
            special.gamma(jnp.asarray(small)),
            reference.gamma(small.astype(complex)),
            rtol=tolerance * 10,
        )
        assert np.isnan(special.loggamma(-1 + 0j)) and np.isnan(special.gamma(0j))


def test_the_derivative_of_loggamma_is_digamma():
    with adlib.enable_x64(True):
        for z in (2.3 + 1j, -0.3 + 0.5j, -4.2 - 0.1j):
            found = adlib.grad(special.loggamma, holomorphic=True)(z)
            np.testing.assert_allclose(found, reference.digamma(z), rtol=1e-10)
        check_grads(lambda x: special.gamma(x + 0.5j).real, (1.5,), order=2)


def test_erfcx_of_complex_numbers():
    z = PLANE[:3].astype(np.complex64)
    np.testing.assert_allclose(special.erfcx(jnp.asarray(z)), reference.erfcx(z), rtol=1e-5)


REAL = {
    "beta": 2, "betainc": 3, "betaln": 2, "comb": 2, "dawsn": 1, "digamma": 1, "entr": 1,
    "exp1": 1, "expi": 1, "expn": 2, "factorial": 1, "gammainc": 2, "gammaincc": 2, "gammaln": 1,
    "gammasgn": 1, "hyp1f1": 3, "hyp2f1": 4, "kl_div": 2, "ndtr": 1, "ndtri": 1, "log_ndtr": 1,
    "owens_t": 2, "poch": 2, "rel_entr": 2, "sici": 1, "spence": 1,
}  # fmt: skip


TYPE_ERRORS = (
    "betaln comb digamma factorial gammainc gammaincc gammaln hyp2f1 log_ndtr ndtr ndtri spence"
).split()


@pytest.mark.parametrize("name", sorted(REAL))
def test_functions_of_real_numbers_refuse_complex_ones(name):
    args = [0.5] * (REAL[name] - 1) + [0.5 + 0.1j]
    error = TypeError if name in TYPE_ERRORS else ValueError
    with pytest.raises(error, match=f"{name} does not support complex-valued inputs"):
        getattr(special, name)(*args)


def test_fresnel_refuses_complex_numbers():
    with pytest.raises(NotImplementedError, match="fresnel does not support complex"):
        special.fresnel(1j)


NEVER_WEAK = "dawsn erfcx exp1 expi hyp1f1 hyp2f1 log_ndtr ndtr ndtri owens_t spence wofz expn"


@pytest.mark.parametrize("name", NEVER_WEAK.split())
def test_results_that_are_never_weakly_typed(name):
    args = [0.5] * REAL.get(name, 1)
    assert not getattr(special, name)(*args).weak_type
    assert special.gammaln(0.5).weak_type


def test_types_by_the_first_argument():
    counts = jnp.array([1, 2])
    for function in (special.rel_entr, special.kl_div):
        assert function(0.5, counts).weak_type and not function(counts, 0.5).weak_type


def test_lists():
    for function in (special.ndtr, special.log_ndtr, special.spence):
        wanted = getattr(reference, function.__name__)([1.0, 2.0])
        np.testing.assert_allclose(function([1.0, 2.0]), wanted, rtol=1e-5)
        with pytest.raises(ValueError, match="None is not a valid value"):
            function(None)


def test_half_precision_of_owens_t_is_computed_and_kept_in_single():
    assert special.owens_t(jnp.float16(0.5), jnp.float16(2.0)).dtype == np.float32


def test_polygamma_of_orders_that_are_no_integers():
    with pytest.raises(ValueError, match="the order n must be an integer, got dtype float32"):
        special.polygamma(1.5, 2.0)
    assert special.polygamma(np.int8(1), 2.0).dtype == np.float32
