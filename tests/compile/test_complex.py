"""Complex numbers in native code: functions, programs, memory."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpc

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.base.config import enable_x64
from adlib.compile import engine
from adlib.compile.builder import NumpyBuilder, Scalar
from adlib.compile.mathfns.complex_functions import FUNCTIONS, Complex
from adlib.compile.steps import Call, Control, Dot
from tests.compile.test_every_primitive import compile_and_compare

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")
DTYPES = [np.complex64, np.complex128]

# ----------------------------------------------------------------------- functions

# name: (in arbitrary precision, NumPy's, bound on |error| in units of |result|·eps)
REFERENCES = {
    "sign": (lambda z: z / abs(z), None, 1.5),
    "sqrt": (mp.sqrt, np.sqrt, 1.5),
    "rsqrt": (lambda z: 1 / mp.sqrt(z), None, 3),
    "exp": (mp.exp, np.exp, 2),
    "exp2": (lambda z: mp.power(2, z), np.exp2, 2),
    "expm1": (lambda z: mp.exp(z) - 1, np.expm1, 3),
    "logistic": (lambda z: 1 / (1 + mp.exp(-z)), None, 20),
    "log": (mp.log, np.log, 2),
    "log1p": (lambda z: mp.log(1 + z), np.log1p, 2),
    "sinh": (mp.sinh, np.sinh, 2),
    "cosh": (mp.cosh, np.cosh, 2),
    "tanh": (mp.tanh, np.tanh, 4),
    "sin": (mp.sin, np.sin, 2),
    "cos": (mp.cos, np.cos, 2),
    "tan": (mp.tan, np.tan, 4),
    "asin": (mp.asin, np.arcsin, 3),
    "acos": (mp.acos, np.arccos, 3),
    "atan": (mp.atan, np.arctan, 3),
    "asinh": (mp.asinh, np.arcsinh, 3),
    "acosh": (mp.acosh, np.arccosh, 3),
    "atanh": (mp.atanh, np.arctanh, 3),
}


def native_function(name, *zs):
    if name == "sign":
        return np.asarray(adlib.jit(lax.sign)(*zs))
    return np.asarray(adlib.jit(getattr(lax, name))(*zs))


def numpy_function(name, *zs):
    """By the formulas, with NumPy's arithmetic."""
    b = NumpyBuilder()
    parts = [Complex(Scalar(b, z.real.copy()), Scalar(b, z.imag.copy())) for z in zs]
    with np.errstate(all="ignore"):
        found = FUNCTIONS[name](*parts)
    result = np.empty(zs[0].shape, zs[0].dtype)
    result.real, result.imag = found.re.value, found.im.value
    return result


def points(dtype, n=60):
    """All over the plane, near the axes, near the unit circle and near ±1 and ±i."""
    rng = np.random.default_rng(3)
    real = np.dtype(dtype).type(0).real.dtype
    sizes = 10.0 ** rng.uniform(-4, 1, (2, n)) * rng.choice([-1, 1], (2, n))
    angles = rng.uniform(-np.pi, np.pi, n // 3)
    circle = np.exp(1j * angles) * (1 + 1e-3 * rng.standard_normal(n // 3))
    near = rng.choice([1, -1, 1j, -1j], n // 3) + 1e-3 * (
        rng.standard_normal(n // 3) + 1j * rng.standard_normal(n // 3)
    )
    z = np.concatenate([sizes[0] + 1j * sizes[1], circle, near])
    return (z.real.astype(real) + 1j * z.imag.astype(real)).astype(dtype)


def exactly(z):
    return mpc(float(z.real), float(z.imag))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REFERENCES)
def test_functions(name, dtype):
    """Native code gives what the formulas give, and that is right to a few units."""
    z = points(dtype)
    function, _, bound = REFERENCES[name]
    with enable_x64(), mp.workprec(200):
        wanted = [function(exactly(v)) for v in z]
        got = native_function(name, z)
        assert got.dtype == z.dtype
        eps = float(np.finfo(z.dtype).eps)
        errors = [
            float(abs(exactly(g) - w) / abs(w)) / eps for g, w in zip(got, wanted, strict=True)
        ]
    assert max(errors) < bound, z[int(np.argmax(errors))]
    by_numpy = numpy_function(name, z)
    np.testing.assert_allclose(by_numpy, got, rtol=8 * eps)


@pytest.mark.parametrize("name", ["log", "log1p", "sin", "tanh", "asin", "acos", "atanh"])
def test_each_part_is_accurate(name):
    """Also where one part is far smaller than the other."""
    z = points(np.complex128)
    function, _, _ = REFERENCES[name]
    with mp.workprec(200):
        wanted = [function(exactly(v)) for v in z]
        got = numpy_function(name, z)
        for part in ("real", "imag"):
            for g, w in zip(getattr(got, part), wanted, strict=True):
                w = getattr(w, part)
                assert abs(float(g) - w) <= 4 * 2.0**-52 * abs(w)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 100.0, -100.0, 1e30, 1e-30, np.inf, -np.inf, np.nan]

# What NumPy, or the C library that it asks, leaves open or gets wrong
LEFT_OUT = {
    "expm1": lambda z: ~(abs(z) < 88),  # NumPy has NaN, where the exponential has none
    "exp2": lambda z: abs(z) > 50,  # NumPy rounds z·log 2, and loses digits with it
    "log1p": lambda z: (abs(z) < 1e-6) & (z != 0),  # NumPy loses all digits
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [n for n, (_, f, _) in REFERENCES.items() if f is not None])
def test_zeros_infinities_and_branch_cuts(name, dtype):
    z = np.empty((len(SPECIAL), len(SPECIAL)), dtype)
    z.real, z.imag = np.array(SPECIAL)[:, None], SPECIAL
    z = z.ravel()
    with np.errstate(all="ignore"), enable_x64():
        wanted = REFERENCES[name][1](z)
        got = native_function(name, z)
    kept = ~LEFT_OUT.get(name, lambda z: np.zeros(z.shape, bool))(z)
    eps = np.finfo(dtype).eps
    # C leaves the signs of some zeros and infinities open
    open_ = ~np.isfinite(z)
    for part in ("real", "imag"):
        g, w = getattr(got, part)[kept], getattr(wanted, part)[kept]
        with np.errstate(all="ignore"):
            size = np.where(np.isfinite(abs(wanted[kept])), abs(wanted[kept]), abs(w))
            near = (g == w) | (np.isnan(g) & np.isnan(w)) | (abs(g - w) <= 8 * eps * size)
            near |= np.isinf(g) & (g == -w) & open_[kept]
        assert near.all(), (part, z[kept][~near], g[~near], w[~near])
        zeros = (g == 0) & (w == 0) & ~open_[kept]
        wrong = np.signbit(g[zeros]) != np.signbit(w[zeros])
        assert not wrong.any(), (part, z[kept][zeros][wrong])


def test_large_and_small_arguments_neither_overflow_nor_underflow():
    z = np.complex64([3e38 + 3e38j, 1e-40 + 1e-40j, 1e30j, -1e-30, 89.5 + 1e-20j, 3e38])
    with mp.workprec(300):
        for name in ("sqrt", "log", "exp"):
            wanted = [REFERENCES[name][0](exactly(v)) for v in z]
            for v, g, w in zip(z, native_function(name, z), wanted, strict=True):
                if abs(w) < 3.4e38:
                    assert abs(exactly(g) - w) <= 1e-6 * abs(w) + mp.mpf(1e-44), (name, v)
    sizes = np.asarray(adlib.jit(lax.abs)(z))
    wanted = np.abs(z.astype(np.complex128))
    np.testing.assert_allclose(sizes[1:], wanted[1:], rtol=2e-7, atol=1.5e-45)


@pytest.mark.parametrize("dtype", DTYPES)
def test_powers(dtype):
    z, w = points(dtype), points(dtype)[::-1].copy() / 3
    with enable_x64(), mp.workprec(200):
        got = np.asarray(adlib.jit(lax.pow)(z, w))
        eps = float(np.finfo(dtype).eps)
        for x, y, g in zip(z, w, got, strict=True):
            wanted = mp.power(exactly(x), exactly(y))
            size = 1 + abs(mp.log(exactly(x)) * exactly(y))
            assert abs(exactly(g) - wanted) <= 4 * eps * size * abs(wanted)
        # whole powers by multiplication, and what 0 gives
        x = np.array([-1, 1j, 2, 0, 0, 0, 3 - 1j], dtype)
        y = np.array([2, 3, -2, 0, 2, -1, 0], dtype)
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(np.asarray(adlib.jit(lax.pow)(x, y)), np.power(x, y))


@pytest.mark.parametrize("exponent", [0, 1, 2, -3, 7, 99, 100, 0.5, -1.5, 2j, 1 + 1j])
def test_powers_of_a_known_number(exponent):
    """Code for the exponent alone, with the same results."""
    z = np.concatenate([points(np.complex128)[:40] ** 0.2, np.array([0, 1, -1, 1j])])
    with enable_x64(), np.errstate(all="ignore"):
        run = adlib.jit(lambda z: lax.pow(z, np.complex128(exponent)))
        wanted = np.asarray(adlib.jit(lax.pow)(z, np.full_like(z, exponent)))
        np.testing.assert_allclose(np.asarray(run(z)), wanted, rtol=1e-13, atol=1e-13)
        if exponent in (1, 2, -3, 7, 99):
            assert "fma" not in run.lower(z).as_text("loops")


@pytest.mark.parametrize("dtype", DTYPES)
def test_division_is_numpys(dtype):
    special = [0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, 1e-30, -3e30]
    parts = np.array(special)
    z = (parts[:, None] + np.zeros(8)).astype(dtype)
    z.imag = parts
    x, y = z.ravel()[:, None], z.ravel()[None, :]
    with np.errstate(all="ignore"), enable_x64():
        wanted = x / y
        got = np.asarray(adlib.jit(lambda x, y: x / y)(x, y))
    np.testing.assert_array_equal(got, wanted)


# ------------------------------------------------------------------------ programs


def complexes(*shape, dtype=np.complex64, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)


def check(f, *args, native=True, factor=5.0):
    """Compiled as reference, without a step that is a kernel's."""
    args = [jnp.asarray(a) for a in args]
    closed = adlib.make_jaxpr(f)(*args)
    run = compile_and_compare(closed, [a._value for a in args], factor=factor)
    calls = [s.eqn.primitive.name for s in run.schedule.steps if type(s) is Call]
    assert not native or not calls, calls
    return run


Z = complexes(6, 5)
W = complexes(6, 5, seed=1)


@pytest.mark.parametrize(
    "f",
    [
        lambda z, w: z * w + jnp.conj(z) / w - 2j,
        lambda z, w: (z.real, z.imag, abs(z), jnp.angle(z), lax.complex(z.imag, w.real)),
        lambda z, w: jnp.where(z.real > 0, z, w),
        lambda z, w: (z == w, z != w, z == z, jnp.isfinite(z / (w - w)), jnp.maximum(z, w)),
        lambda z, w: (z**3, z**-2, jnp.square(z), -z, jnp.sign(w), jnp.reciprocal(w)),
        lambda z, w: (z.astype(jnp.complex64), z.real.astype(jnp.complex64) + w),
        lambda z, w: (z.astype(bool), jnp.arange(5).astype(jnp.complex64) * w),
    ],
)
def test_elementwise(f):
    check(f, Z, W)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: (z.sum(), z.sum(0), z.sum(1), jnp.mean(z * 2, 1)),
        lambda z: (jnp.prod(z), jnp.prod(z, 0), jnp.prod(z.T, 0)),
        lambda z: (jnp.cumsum(z, 0), jnp.cumprod(z, 1), lax.cumsum(z, 1, reverse=True)),
        lambda z: (jnp.max(z, 0), jnp.min(z)),
        lambda z: (z.T + 1, z[::-1, ::2], z[1:3].reshape(-1), jnp.broadcast_to(z[0], (3, 5))),
        lambda z: (jnp.pad(z, 1), jnp.concatenate([z, 1j * z], 1), jnp.stack([z, z + 1])),
        lambda z: (z[jnp.array([2, 0, 9])], z.at[jnp.array([1, 1])].add(z[:2]), z.at[0].mul(2j)),
        lambda z: (
            lax.dynamic_slice(z, (2, 1), (2, 3)),
            lax.dynamic_update_slice(z, z[:2], (3, 0)),
        ),
        lambda z: (jnp.zeros((3, 2), z.dtype), lax.iota(z.dtype, 4), jnp.full((2,), 1 - 2j)),
        lambda z: jnp.take(z, jnp.array([0, 7]), axis=0, mode="fill"),
    ],
)
def test_structure(f):
    check(f, Z)
    check(f, np.asfortranarray(Z))


def test_large_sums_and_transposes():
    z = complexes(300, 200)
    check(lambda z: (z.sum(), z.sum(0), z.sum(1), z.T * 2, jnp.vdot(z, z)), z, factor=20)


@pytest.mark.parametrize("dtype", DTYPES)
def test_products(dtype):
    with enable_x64():
        a, b = complexes(40, 30, dtype=dtype), complexes(30, 35, dtype=dtype, seed=1)

        def f(a, b):
            return (
                a @ b,
                b.T @ a.T,
                a[:3] @ b[:, :2],
                a @ b[:, 0],
                jnp.outer(a[0], b[0]) + 1,
                jnp.conj(a).T @ a,
                jnp.einsum("ij,ij->i", a, a * 2),
            )

        run = check(f, a, b, factor=50)
        assert sum(type(s) is Dot for s in run.schedule.steps) == 3
        stack = complexes(3, 20, 20, dtype=dtype)
        check(lambda s: s @ s, stack, factor=50)


def test_convolutions_and_windows_work_on_the_parts():
    x, k = complexes(2, 3, 10), complexes(4, 3, 3, seed=1)

    def f(x, k):
        y = lax.conv_general_dilated(x, k, (2,), [(1, 1)], rhs_dilation=(2,))
        return y, lax.reduce_window(x, 0j, lax.add, (1, 1, 3), (1, 1, 2), "SAME")

    check(f, x, k, factor=20)
    check(adlib.grad(lambda x, k: jnp.sum(abs(f(x, k)[0])), (0, 1)), x, k, factor=50)


def test_loops_and_branches_carry_complex_values():
    def mandelbrot(c):
        def more(s):
            return (s[1] < 40) & (abs(s[0]) < 2).all()

        return lax.while_loop(more, lambda s: (s[0] * s[0] + c, s[1] + 1), (c * 0, 0))

    def recurrence(z, zs):
        z, out = lax.scan(lambda c, x: (c * x / abs(x) + 1j, c.real), z, zs)
        return lax.cond(abs(z).sum() > 3, lambda z: z * 1j, jnp.conj, z), out

    def with_constants(z):
        table = jnp.asarray(W[0])
        return lax.fori_loop(0, 3, lambda i, c: c * table + i * 1j, z)

    for f, args in [(mandelbrot, [W[0] / 4]), (recurrence, [Z[0], W]), (with_constants, [Z[0]])]:
        run = check(f, *args)
        assert any(type(s) is Control for s in run.schedule.steps)


def energy(z, w):
    u = jnp.exp(1j * z) * jnp.sin(w) + jnp.sqrt(z * w) @ jnp.log(w).T.sum(1)[0:1].repeat(5)[:, None]
    return jnp.sum(abs(u) ** 2 + jnp.tanh(z).real)


def test_derivatives():
    check(adlib.grad(energy, (0, 1)), Z, W, factor=50)
    check(lambda z, w: adlib.jvp(energy, (z, w), (w, z)), Z, W, factor=50)
    holomorphic = adlib.grad(lambda z: jnp.sum(jnp.tanh(z) * z**2), holomorphic=True)
    check(holomorphic, Z, factor=50)
    check(adlib.vmap(adlib.grad(lambda z: abs(jnp.sum(z * jnp.exp(z))))), Z, factor=50)
    check(lambda z, w: adlib.vjp(lambda z: jnp.cumsum(z) / z[::-1], z)[1](w), Z[0], W[0], factor=50)


def test_the_gradient_of_a_cholesky_factor_needs_kernels_for_factors_alone():
    a = complexes(4, 4)
    a = a @ a.conj().T + 4 * np.eye(4, dtype=np.complex64)

    def f(a):
        return jnp.sum(abs(jnp.linalg.cholesky(a)) ** 2 * jnp.arange(4.0))

    run = check(adlib.grad(f), a, native=False, factor=50)
    calls = {s.eqn.primitive.name for s in run.schedule.steps if type(s) is Call}
    assert calls <= {"cholesky", "triangular_solve"}


def test_arrays_of_every_kind():
    f = adlib.jit(lambda z: (z * 2j, z.sum(0), z.imag))
    plain = complexes(6, 8)
    raw = np.zeros(plain.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(np.complex64).reshape(plain.shape)
    misaligned[...] = plain
    for z in (np.asfortranarray(plain), plain[::-1, ::-2], misaligned, plain.conj(), plain[:0]):
        for got, wanted in zip(f(z), (z * 2j, z.sum(0), z.imag), strict=True):
            np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------------------- text


def test_kernels_name_the_parts():
    text = adlib.jit(lambda z: z * 2 + jnp.conj(z)).lower(Z).as_text("loops")
    assert "b0: c64[30]" in text and "load b0[i].re : f32" in text
    assert "b1[i].im = " in text and "for i < 30:" in text
