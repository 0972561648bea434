"""Sorting as native code: exactly what the reference executor gives."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import engine
from adlib.compile.library import sorting_rows
from adlib.compile.library.sorting_networks import comparators
from adlib.compile.program import Compiled
from adlib.compile.schedule import Call
from adlib.core import ShapedArray
from adlib.core.program import program
from adlib.interpreters.stage import stage

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")

DTYPES = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64".split()
SHAPES = [
    *[((n,), 0) for n in (1, 2, 13, 32, 33, 700)],
    *[((9, 40), 0), ((3, 50, 4), 1), ((300, 5), 0)],
    *[((47, 10), 0), ((9, 131), 1), ((2, 65, 16), 1)],  # blocks of rows
    *[((0, 4), 1), ((4, 0), 1)],
]


def draw(rng, shape, dtype, ties=True):
    """Numbers with many ties, and the special ones of their type."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if ties:
            pool = np.array([info.min, info.max, 0, 1, 2, 3, info.max - 1, info.min + 1], dtype)
            return rng.choice(pool, shape)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    pool = np.array([0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1, -1, 2, 1e-45, 5e-324], dtype)
    return rng.choice(pool, shape) if ties else rng.standard_normal(shape).astype(dtype)


def check(f, *values):
    """Results are equal, to the signs of zeros."""
    closed = stage(f, [ShapedArray(v.shape, v.dtype) for v in values])
    compiled = Compiled(closed)
    assert not any(type(s) is Call for s in compiled.schedule.steps)
    wanted = program(closed, np)(*values)
    for got, want in zip(compiled.function(*values), wanted, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
        if want.dtype.kind == "f":
            numbers = ~np.isnan(want)
            np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(want[numbers]))
    return compiled


@pytest.fixture(autouse=True)
def wide():
    with adlib.enable_x64():
        yield


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_array(dtype):
    rng = np.random.default_rng(0)
    for shape, axis in SHAPES:
        for ties in (True, False):
            x = draw(rng, shape, dtype, ties)
            check(lambda x, axis=axis: (lax.sort(x, axis),), x)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers(dtype):
    """By real part, then imaginary part; those with a NaN last, as NumPy orders them."""
    rng = np.random.default_rng(0)
    pool = np.array([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 2.5])
    shapes = [((40,), 0), ((3, 50), 1), ((50, 3), 0), ((700,), 0), ((0, 3), 1), ((1,), 0)]
    for shape, axis in shapes:
        for values in (rng.choice(pool, (2, *shape)), rng.standard_normal((2, *shape))):
            x = np.empty(shape, dtype)
            x.real, x.imag = values
            y = rng.integers(0, 3, shape).astype(np.int32)
            check(lambda x, axis=axis: (lax.sort(x, axis),), x)
            for keys in (1, 2, 3):
                check(
                    lambda x, y, k=keys, a=axis: tuple(lax.sort((y, x, y + 1), a, num_keys=k)), x, y
                )
                check(lambda x, y, k=keys, a=axis: tuple(lax.sort((x, y, -x), a, num_keys=k)), x, y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_places(dtype):
    """A stable order of many ties."""
    rng = np.random.default_rng(1)
    for shape, axis in SHAPES:
        x = draw(rng, shape, dtype)
        check(lambda x, axis=axis: (jnp.argsort(x, axis=axis),), x)


@pytest.mark.parametrize("first", ["bool", "uint8", "int16", "float32", "uint64", "float64"])
@pytest.mark.parametrize("second", ["int8", "float64"])
def test_several_keys(first, second):
    rng = np.random.default_rng(2)
    for shape, axis in [((12,), 0), ((6, 20), 1), ((80, 2), 0), ((0,), 0)]:
        x, y = draw(rng, shape, first), draw(rng, shape, second)
        z, u = draw(rng, shape, "float64", False), draw(rng, shape, "bool")
        for keys in (1, 2, 3):
            check(lambda *a, k=keys, axis=axis: tuple(lax.sort(a, axis, num_keys=k)), x, y, z, u)


def test_unstable():
    x = draw(np.random.default_rng(0), (500,), "float32", False)
    check(lambda x: (lax.sort(x, is_stable=False),), x)


def test_negative_zeros_keep_their_places():
    x = np.array([0.0, -0.0, 1.0, 0.0, -0.0, -1.0] * 20, np.float32)
    check(lambda x: (lax.sort(x),), x)
    check(lambda x: (lax.sort(x),), x[:12])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape, axis", [((9,), 0), ((400,), 0), ((5, 30), 1), ((70, 3), 0)])
def test_top_k(dtype, shape, axis):
    rng = np.random.default_rng(3)
    n = shape[axis]
    for ties in (True, False):
        x = draw(rng, shape, dtype, ties)
        for k in {0, 1, 4, n // 2, n}:
            check(lambda x, k=k: tuple(lax.top_k(x, k, axis=axis)), x)


@pytest.mark.parametrize("n", [33, 34, 47, 48, 49, 63, 65, 96, 100, 127, 129, 200, 255, 257])
def test_blocks_of_rows(n):
    x = draw(np.random.default_rng(n), (17, n), "uint32", False)
    check(lambda x: (lax.sort(x, 1),), x)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 12, 16, 27, 32])
def test_networks_sort(n):
    """Those that sort all zeros and ones sort everything."""
    rng = np.random.default_rng(n)
    size = min(2**n, 4000)
    cases = rng.permutation(2**n)[:size] if n < 12 else rng.integers(0, 2**n, size)
    bits = (cases[:, None] >> np.arange(n)) & 1
    for i, j in comparators(n):
        assert i < j < n
        bits[:, [i, j]] = np.sort(bits[:, [i, j]], axis=1)
    assert (np.diff(bits, axis=1) >= 0).all()


def test_optimised_code():
    rng = np.random.default_rng(0)
    for shape, axis in [((5000, 7), 1), ((16, 3000), 0), ((40_000,), 0), ((400, 500), 1)]:
        x = draw(rng, shape, "float32", False)
        y = draw(rng, shape, "float32")
        f = lambda x, axis=axis: (lax.sort(x, axis), jnp.argsort(x, axis=axis),  # noqa: E731
                                  *lax.top_k(x, 3, axis=axis))  # fmt: skip
        for value in (x, y):
            assert not check(f, value).llvm.startswith(engine.QUICK)


# ------------------------------------------------------------- within other programs


def agree(f, *args):
    with adlib.config.override(jit_backend="native"):
        got = adlib.jit(f)(*args)
    with adlib.config.override(jit_backend="python"):
        wanted = adlib.jit(lambda *a: f(*a))(*args)
    for g, w in zip(adlib.tree.leaves(got), adlib.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-6)


def test_gradients():
    x = np.random.default_rng(0).standard_normal((4, 9)).astype(np.float32)
    weights = jnp.arange(9.0, dtype=jnp.float32)
    agree(adlib.grad(lambda x: jnp.sum(jnp.sort(x, axis=1) * weights)), x)
    agree(adlib.grad(lambda x: jnp.sum(lax.top_k(x, 3)[0] ** 2)), x)
    agree(lambda x, v: adlib.jvp(lambda x: jnp.median(x), (x,), (v,)), x, x * 2)
    agree(adlib.grad(lambda x: jnp.sum(jnp.quantile(x, 0.3, axis=0))), x)


def test_transformed():
    x = np.random.default_rng(0).standard_normal((3, 5, 4)).astype(np.float32)
    agree(adlib.vmap(jnp.sort), x)
    agree(adlib.vmap(lambda x: jnp.argsort(x, axis=0), in_axes=1, out_axes=2), x)
    agree(lambda x: lax.scan(lambda c, y: (jnp.sort(c + y, axis=0), lax.top_k(c, 2)), x[0], x), x)
    agree(lambda x: lax.while_loop(lambda c: c[0, 0] < 5, lambda c: jnp.sort(c, 0) + 1, x[0]), x)
    agree(lambda x: jnp.sort(x[::-1, 1:, ::2].transpose(2, 0, 1) * 2), x)


def test_what_sorts():
    for dtype in DTYPES:
        assert sorting_rows.sortable(np.dtype(dtype))
    assert not sorting_rows.sortable(np.dtype(np.complex64))
    assert not sorting_rows.sortable(np.dtype(np.float16))
