"""Special functions and Fourier transforms as native steps: NumPy's and SciPy's own loops."""

import warnings

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
import adlib.scipy.special  # brings more primitives
from adlib import lax
from adlib.compile import engine, ufuncs
from adlib.compile.library import fft
from adlib.compile.library.special import FUNCTIONS
from adlib.compile.mathfns import gamma
from adlib.compile.program import Compiled
from adlib.compile.schedule import Call, Group
from adlib.core import ShapedArray
from adlib.core.primitive import registry
from adlib.core.program import program
from adlib.interpreters.stage import stage

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")

_ARGUMENTS = {
    "zeta": 2,
    "igamma": 2,
    "igammac": 2,
    "owens_t": 2,
    "hyp1f1": 3,
    "hyp2f1": 4,
    "regularized_incomplete_beta": 3,
    "expn": 2,
}
_PARAMETERS = {"bessel_jn": {"n": 3}}
SPECIAL = [-np.inf, np.inf, np.nan, 0.0, -0.0, -1.0, -2.5, 1e-30, 0.5, 1.0, 2.0, 7.5, 1e10]


@pytest.fixture(autouse=True)
def wide():
    with adlib.enable_x64():
        yield


def exactly(f, *values, digits=None):
    closed = stage(f, [ShapedArray(np.shape(v), v.dtype) for v in values])
    compiled = Compiled(closed)
    assert not any(type(s) is Call for s in compiled.schedule.steps)
    with np.errstate(all="ignore"):
        wanted = program(closed, np)(*values)
        for got, want in zip(compiled.function(*values), wanted, strict=True):
            assert got.dtype == want.dtype and got.shape == want.shape
            if digits is None:
                np.testing.assert_array_equal(got, want)
            else:
                scale = max(1.0, np.max(np.abs(want), initial=0))
                np.testing.assert_allclose(got, want, atol=digits * scale)


LOOPS = [
    (name, dtype)
    for name in sorted(set(FUNCTIONS) - {"wofz"})
    for dtype in ("float32", "float64")
    if dtype == "float64" or name not in gamma.FUNCTIONS  # arithmetic of its own: see below
]


@pytest.mark.parametrize("name, dtype", LOOPS)
def test_same_as_reference(name, dtype):
    primitive = registry[name]
    count = _ARGUMENTS.get(name, 1)
    rng = np.random.default_rng(0)
    f = lambda *xs: (primitive.bind(*xs, **_PARAMETERS.get(name, {})),)  # noqa: E731
    values = [np.array(SPECIAL, dtype) for _ in range(count)]
    exactly(f, *[rng.permutation(v) for v in values])
    shape = (4, 5)
    positive = [rng.uniform(0.1, 3, shape).astype(dtype) for _ in range(count)]
    exactly(f, *positive)
    exactly(f, *[p[0, 0] for p in positive])
    exactly(f, *[p[:0] for p in positive])
    exactly(lambda *xs: f(*[x[::2].T for x in xs]), *positive)
    if count > 1:
        exactly(f, positive[0][:1], *positive[1:])
        exactly(f, positive[0][0, 0], *positive[1:])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orders(dtype):
    x = np.asarray(jnp.linspace(-20, 20, 41).astype(dtype))
    for n in (0, 1, 2, 7, 40):
        exactly(lambda x, n=n: (registry["bessel_jn"].bind(x, n=n),), x)
    n = np.asarray(jnp.asarray([0, 1, 2, 2.5, -1, 60, 3e9, np.nan, -0.0]).astype(dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's, for the order 2.5
        for value in (0.0, 0.3, 5.0, 800.0, -1.0, np.inf, np.nan):
            exactly(lambda n, x: (registry["expn"].bind(n, x),), n, np.full(9, value).astype(dtype))


def _gamma_points():
    rng = np.random.default_rng(0)
    near = [c + rng.uniform(-1e-3, 1e-3, 40) for c in (1.0, 2.0, 1.4616321, -2.4570248, -0.5040830)]
    spread = [rng.uniform(-30, 30, 150), np.exp(rng.uniform(-80, 80, 100)), [0.5, 8, 7.9999995]]
    return np.concatenate([*near, *spread]).astype(np.float32)


@pytest.mark.parametrize("name, reference", [("lgamma", "loggamma"), ("digamma", "digamma")])
def test_gamma_functions_of_float32(name, reference):
    from mpmath import mp

    x = _gamma_points()
    got = np.asarray(adlib.jit(getattr(lax, name))(x))
    with mp.workprec(200):
        wanted = [mp.re(getattr(mp, reference)(mp.mpf(float(v)))) for v in x]
        errors = [abs(mp.mpf(float(g)) - w) for g, w in zip(got, wanted, strict=True)]
        steps = [float(np.spacing(np.float32(abs(w)))) for w in wanted]
        assert max(float(e) / step for e, step in zip(errors, steps, strict=True)) < 1.5


def test_gamma_functions_at_special_points():
    x = np.float32([0.0, -0.0, -1, -2, -1e8, np.inf, np.nan, 1, 2, 3e38])
    infinity, nan = np.inf, np.nan
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(
            adlib.jit(lax.lgamma)(x),
            np.float32([infinity] * 6 + [nan, 0.0, 0.0, infinity]),
        )
        got = np.asarray(adlib.jit(lax.digamma)(x))
    np.testing.assert_array_equal(got[:7], np.float32([nan] * 5 + [infinity, nan]))
    np.testing.assert_allclose(got[7:], [-0.57721566, 0.42278433, 88.59685], rtol=1e-6)


def test_gamma_functions_are_part_of_loops():
    closed = stage(
        lambda x: (lax.lgamma(x * 2) + lax.digamma(x),), [ShapedArray((9,), np.dtype(np.float32))]
    )
    assert [type(s) for s in Compiled(closed).schedule.steps] == [Group]


def test_faddeeva():
    z = np.array([1 + 2j, -0.5j, 0, 3 - 1j], np.complex64)
    exactly(lambda z: (registry["wofz"].bind(z),), z)


@pytest.mark.parametrize("order", [0.0, 1.0, 2.0, 5.0, -1.0, 0.5])
def test_polygamma(order):
    x = np.array([0.3, 1.0, 2.5, 30.0])
    f = lambda x: (lax.polygamma(jnp.full_like(x, order), x),)  # noqa: E731
    closed = stage(f, [ShapedArray(x.shape, x.dtype)])
    (got,), (wanted,) = Compiled(closed).function(x), program(closed, np)(x)
    np.testing.assert_allclose(got, wanted, rtol=1e-14)


def test_within_loops_and_gradients():
    x = np.linspace(0.5, 4, 12)

    def f(x):
        step = lambda c, y: (c + lax.lgamma(y + c), lax.digamma(c))  # noqa: E731
        carry, ys = lax.scan(step, x, jnp.ones((3, 12)))
        return jnp.sum(carry) + jnp.sum(ys)

    native = adlib.jit(adlib.grad(f))
    with adlib.config.override(jit_backend="python"):
        wanted = adlib.jit(adlib.grad(lambda x: f(x)))(x)
    np.testing.assert_allclose(native(x), wanted, rtol=1e-12)


# -------------------------------------------------------------------------------- fft

TRANSFORMS = ["fft", "ifft", "rfft", "irfft", "fft2", "ifft2", "rfft2", "irfft2", "rfftn", "fftn"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name, dtype):
    rng = np.random.default_rng(0)
    for shape in [(7, 8), (3, 4, 5), (1, 1), (2, 16, 3), (0, 4)]:
        x = rng.standard_normal(shape).astype(dtype)
        if not name.startswith("r"):
            x = (x + 1j * rng.standard_normal(shape)).astype(np.result_type(dtype, np.complex64))
        if 0 in shape and name[-1] in "2n":
            continue
        if shape == (1, 1) and name.startswith("irfft"):
            continue
        digits = 1e-6 if dtype == "float32" else 1e-14
        exactly(lambda x: (getattr(jnp.fft, name)(x),), x, digits=digits)


def test_transforms_along_other_axes():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 5, 4)) + 0j
    for axis in (0, 1, 2):
        exactly(lambda x, axis=axis: (jnp.fft.fft(x, axis=axis),), x, digits=1e-14)
        exactly(lambda x, axis=axis: (jnp.fft.rfft(x.real, n=9, axis=axis),), x, digits=1e-14)
    exactly(lambda x: (adlib.vmap(jnp.fft.ifft2, in_axes=1)(x),), x, digits=1e-14)


def test_gradient_of_a_spectrum():
    x = np.random.default_rng(0).standard_normal(30)
    f = lambda x: jnp.sum(jnp.abs(jnp.fft.rfft(jnp.sin(x))) ** 2)  # noqa: E731
    got = adlib.jit(adlib.grad(f))(x)
    with adlib.config.override(jit_backend="python"):
        np.testing.assert_allclose(got, adlib.jit(adlib.grad(lambda x: f(x)))(x), rtol=1e-10)


def test_several_axes_are_several_passes():
    closed = stage(
        lambda x: (jnp.fft.irfftn(x),), [ShapedArray((4, 5, 6), np.dtype(np.complex128))]
    )
    (eqn,) = [e for e in closed.eqns if e.primitive.name == "fft"]
    assert [p.name for p in fft.passes(eqn)] == ["ifft", "ifft", "irfft"]


# ---------------------------------------------------------------------- loops by address


def test_loops_are_found_by_their_types():
    assert ufuncs.loop("numpy", "add", "dd->d") is not None
    assert ufuncs.loop("numpy", "add", "dd->d") != ufuncs.loop("numpy", "add", "ff->f")
    assert ufuncs.loop("numpy", "add", "xx->x") is None
    assert ufuncs.loop("numpy", "no_such_function", "d->d") is None
    assert ufuncs.loop("no_such_module", "add", "dd->d") is None
    assert ufuncs.loop("numpy", "ndarray", "dd->d") is None
    with pytest.raises(LookupError, match=r"no loop of numpy\.gone for d->d"):
        ufuncs.address("numpy:gone:d->d:function")
