"""float16 and bfloat16 in native code."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.base.config import enable_x64
from adlib.compile import engine, half_types
from adlib.compile.builder import NumpyBuilder, Scalar
from adlib.compile.program import Compiled
from adlib.compile.steps import Call, Control, Dot
from adlib.core import dtypes
from adlib.core.program import program
from tests.compile.test_every_primitive import compile_and_compare

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")
TYPES = [np.dtype(np.float16), dtypes.bfloat16]
IDS = ["float16", "bfloat16"]


@pytest.fixture(params=TYPES, ids=IDS)
def dtype(request):
    return request.param


def numbers(*shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def awkward(dtype, wide):
    """Numbers of a wider type between neighbours of a 16-bit one, at ties, out of range."""
    every = np.arange(65536, dtype=np.uint16).view(dtype).astype(wide)
    every = np.sort(every[np.isfinite(every)])
    middle = every[:-1] / 2 + every[1:] / 2
    up, down = np.nextafter(middle, wide(np.inf)), np.nextafter(middle, wide(-np.inf))
    rest = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-44, 3e38, 65519.9, 65520, -65520]
    return np.concatenate([every, middle, up, down, np.array(rest, wide)])


def same_bits(got, wanted):
    """Equal but for the kind of NaN."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.dtype == wanted.dtype
    nan = np.isnan(wanted.astype(np.float32))
    assert np.isnan(got.astype(np.float32))[nan].all()
    view = np.uint16 if got.dtype.itemsize == 2 else np.uint8
    np.testing.assert_array_equal(got.view(view)[~nan], wanted.view(view)[~nan])


# --------------------------------------------------------------------- conversions


def scalar(x):
    return Scalar(NumpyBuilder(), x)


def test_every_number_has_its_value(dtype):
    bits = np.arange(65536, dtype=np.uint16)
    with np.errstate(all="ignore"):
        wanted = bits.view(dtype).astype(np.float32)
        got = half_types.value_of(scalar(bits), dtype).value
        np.testing.assert_array_equal(got, wanted)
        back = half_types.bits_of(scalar(wanted), dtype).value.view(dtype)
        jitted = adlib.jit(lambda x: x.astype(jnp.float32))(bits.view(dtype))
    same_bits(back, bits.view(dtype))
    np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))
    np.testing.assert_array_equal(jitted, wanted)


def test_rounding_is_to_the_nearest_and_ties_to_even(dtype):
    x = awkward(dtype, np.float32)
    with np.errstate(all="ignore"):
        wanted = x.astype(dtype)
        rounded = half_types.rounded(half_types.as_float32(scalar(x)), dtype).value
    np.testing.assert_array_equal(rounded, wanted.astype(np.float32))
    with adlib.config.override(jit_backend="native"):
        same_bits(adlib.jit(lambda x: x.astype(dtype))(x), wanted)


@pytest.mark.parametrize("instructions", [False, True])
def test_with_and_without_instructions_for_it(instructions, monkeypatch):
    if instructions and not engine.converts_float16():
        pytest.skip("this processor has none")
    monkeypatch.setattr(engine, "converts_float16", lambda: instructions)
    x = awkward(np.dtype(np.float16), np.float32)
    bits = np.arange(65536, dtype=np.uint16).view(np.float16)

    def f(x, y):
        return x.astype(jnp.float16), x.astype(jnp.float16) * 2, y.astype(jnp.float32)

    run = Compiled(adlib.make_jaxpr(f)(jnp.asarray(x), jnp.asarray(bits)))
    assert ("half" in run.llvm) == instructions
    with np.errstate(all="ignore"):
        short = x.astype(np.float16)
        got = run.function(x, bits)
        same_bits(got[0], short)
        same_bits(got[1], short * np.float16(2))
        np.testing.assert_array_equal(got[2], bits.astype(np.float32))


def test_doubles_are_rounded_once():
    x = awkward(np.dtype(np.float16), np.float64)
    with np.errstate(all="ignore"), enable_x64():
        same_bits(adlib.jit(lambda x: x.astype(jnp.float16))(x), x.astype(np.float16))
        y = np.array([2049, 2051, 65519, 65520, -(2**31) + 1, 2**24 + 2**12 + 1], np.int64)
        same_bits(adlib.jit(lambda x: x.astype(jnp.float16))(y), y.astype(np.float16))


def test_conversions_to_and_from_everything(dtype):
    x = np.array([0, 1, -1.5, 2.75, 100, np.nan, np.inf, -np.inf], np.float32).astype(dtype)

    def f(x):
        targets = ["bool", "int8", "uint8", "int32", "float32", "complex64", "float16", "bfloat16"]
        return [x.astype(t) for t in targets]

    check(f, x)
    for other in ("bool", "int8", "uint16", "int32", "complex64"):
        y = np.array([0, 1, 3, 100], other)
        check(lambda y: y.real.astype(dtype), y)
    check(
        lambda x: (
            lax.bitcast_convert_type(x, jnp.int16),
            lax.bitcast_convert_type(lax.bitcast_convert_type(x, jnp.uint16) + 1, dtype),
        ),
        x,
    )


# ------------------------------------------------------------------------ programs


def check(f, *args, factor=1.0, native=True):
    args = [jnp.asarray(a) for a in args]
    closed = adlib.make_jaxpr(f)(*args)
    run = compile_and_compare(closed, [a._value for a in args], factor=factor)
    calls = [s.eqn.primitive.name for s in run.schedule.steps if type(s) is Call]
    assert not native or not calls, calls
    return run


def exact(f, *args):
    """As ``check``, and bit for bit what the reference executor computes."""
    run = check(f, *args)
    values = [np.asarray(a) for a in args]
    with np.errstate(all="ignore"):
        for got, wanted in zip(
            run.function(*values), program(run.simplified, np)(*values), strict=True
        ):
            if wanted.dtype.itemsize == 2 and dtypes.is_inexact(wanted.dtype):
                same_bits(got, wanted)
            else:
                np.testing.assert_array_equal(got, wanted)


def special(dtype):
    tiny = np.array([1, 2, 3, 0x8001], np.uint16).view(dtype)
    rest = np.array([0, -0.0, 1, -2.5, np.inf, -np.inf, np.nan, 60000, 1e-5], np.float32)
    with np.errstate(all="ignore"):
        return np.concatenate([rest.astype(dtype), tiny])


def test_arithmetic_is_rounded_at_every_step(dtype):
    x, y = special(dtype)[:, None], special(dtype)[None, :]

    def f(x, y):
        return x + y, x - y, x * y, x / y, jnp.maximum(x, y + 1), x < y, x == y, x * y + x

    exact(f, x, y)
    x = numbers(500, dtype=dtype)
    exact(lambda x: (-x, abs(x), jnp.sqrt(abs(x)), jnp.sign(x), jnp.floor(x * 9), x @ x), x)
    exact(lambda x: (jnp.where(x > 0, x, x * 2), jnp.clip(x, -1, 1), jnp.isfinite(x), x % 1), x)


def test_functions(dtype):
    x = np.abs(numbers(300, dtype=dtype)) + np.ones((), dtype)

    def f(x):
        names = "exp log tanh sin cos logistic log1p expm1 rsqrt atan cbrt erf sinh cosh".split()
        return [getattr(lax, name)(x) for name in names] + [x**0.3, lax.atan2(x, x * 2)]

    run = check(f, x)
    for got, wanted in zip(run.function(x), program(run.simplified, np)(x), strict=True):
        # rounded once: at most a neighbour where float32's last digits differ
        places = got.view(np.int16).astype(int) - wanted.view(np.int16).astype(int)
        assert abs(places).max() <= 1 and (places != 0).mean() < 0.02


def test_moving_data_changes_no_bit(dtype):
    bits = np.arange(0x7F00, 0x7F00 + 300, dtype=np.uint16)  # some of them NaN, with payloads
    x = bits.view(dtype).reshape(30, 10)

    def f(x):
        return x.T, x[::-1, 2:5], jnp.concatenate([x, x]), jnp.pad(x, 1), x[jnp.array([3, 1])]

    got = adlib.jit(f)(x)
    wanted = (x.T, x[::-1, 2:5], np.concatenate([x, x]), np.pad(x, 1), x[[3, 1]])
    for g, w in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(g).view(np.uint16), w.copy().view(np.uint16))


def test_reductions_are_rounded_once(dtype):
    x = numbers(40, 50, dtype=dtype)

    def f(x):
        sums = x.sum(), x.sum(0), x.sum(1), x.mean(1), jnp.cumsum(x, 0), jnp.prod(x[:3], 0)
        return *sums, x.max(0), x.min(), jnp.argmax(x, 1), jnp.argmin(x, 0), lax.cummax(x, 1)

    check(f, x)
    ones = np.ones(5000, dtype)  # adding ones in 16 bits would stop at 256 or 2048
    assert float(adlib.jit(jnp.sum)(ones)) == float(np.float32(5000).astype(dtype))
    nan = x.copy()
    nan[3, 4] = np.nan
    check(lambda x: (x.max(), x.argmax(), x.sum(0)), nan)


def test_products(dtype):
    a, b = numbers(40, 30, dtype=dtype), numbers(30, 20, dtype=dtype, seed=1)

    def f(a, b):
        wide = lax.dot(a, b, preferred_element_type=jnp.float32)
        return a @ b, wide, a[:3] @ b[:, :2], a @ b[:, 0], jnp.outer(a[0], b[0]), b.T @ a[0]

    run = check(f, a, b)
    assert sum(type(s) is Dot for s in run.schedule.steps) in (1, 2)


def test_convolutions_and_windows(dtype):
    x, k = numbers(2, 3, 10, dtype=dtype), numbers(4, 3, 3, dtype=dtype, seed=1)

    def f(x, k):
        y = lax.conv_general_dilated(x, k, (2,), [(1, 1)])
        zero = jnp.zeros((), dtype)
        return y, lax.reduce_window(x, zero, lax.add, (1, 1, 3), (1, 1, 2), "SAME"), jnp.sort(x)

    check(f, x, k)


def test_narrow_integers_and_bools_multiply():
    x = np.random.default_rng(0).integers(-100, 100, (9, 8)).astype(np.int8)
    check(lambda x: (x @ x.T, lax.dot(x, x.T, preferred_element_type=jnp.int32)), x)
    check(lambda x: (lax.dot(x, x.T), lax.dot(x, x[0]), x.sum(0)), x > 0)


def test_scatter_and_gather(dtype):
    x = numbers(6, 4, dtype=dtype)

    def f(x):
        rows = jnp.array([1, 1, 5, 9])
        return x.at[rows].add(x[:4]), x.at[rows].set(1), x.at[2].mul(3), x[rows]

    check(f, x)
    check(lambda x: jnp.take(x, jnp.array([0, 7]), axis=0, mode="fill"), x)


def test_loops_and_branches(dtype):
    x = numbers(6, 4, dtype=dtype)
    constant = jnp.asarray(numbers(4, dtype=dtype, seed=5))

    def f(x):
        def step(c, r):
            return (c * r + constant).astype(dtype), c.sum()

        c, sums = lax.scan(step, x[0], x)
        return lax.cond(c[0] > 0, lambda c: c * 2, lambda c: c - 1, c), sums

    run = check(f, x)
    assert any(type(s) is Control for s in run.schedule.steps)


def test_gradients_of_a_network(dtype):
    w = [numbers(20, 30, dtype=dtype), numbers(30, 10, dtype=dtype, seed=1)]
    x = numbers(8, 20, dtype=dtype, seed=2)

    def loss(w, x):
        h = jnp.tanh(x @ w[0] / 5)
        return jnp.mean((h @ w[1]).astype(jnp.float32) ** 2)

    check(lambda a, b, x: adlib.grad(loss)([a, b], x), *w, x, factor=2)


def test_constants_and_literals(dtype):
    table = jnp.asarray(numbers(300, dtype=dtype))
    x = numbers(300, dtype=dtype, seed=1)
    check(lambda x: (x + table) * jnp.asarray(0.1, dtype) + jnp.arange(300, dtype=dtype), x)


def test_text_shows_bits_in_memory_and_float32_in_registers():
    x = jnp.ones(8, jnp.bfloat16)
    run = Compiled(adlib.make_jaxpr(lambda x: x * 2 + 1)(x))
    assert run.schedule.native
    text = adlib.jit(lambda x: x * 2 + 1).lower(x).as_text("loops")
    assert "b0: u16[8]" in text and "mul" in text and ": f32" in text
