"""What works on the bits of numbers, and on integers: native code as the array module."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.base.config import enable_x64
from adlib.compile import engine
from adlib.compile.steps import Call, Group
from adlib.core import dtypes
from tests.compile.test_every_primitive import compile_and_compare

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")


def check(f, *args):
    """Compiled as reference, exactly, and without a kernel."""
    with enable_x64():
        args = [jnp.asarray(a) for a in args]
        closed = adlib.make_jaxpr(f)(*args)
        run = compile_and_compare(closed, [a._value for a in args], factor=0)
    assert not [s.eqn.primitive.name for s in run.schedule.steps if type(s) is Call]
    return run


FLOATS = [np.dtype(np.float16), dtypes.bfloat16, np.dtype(np.float32), np.dtype(np.float64)]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_neighbours(dtype):
    bits = np.array([0, 1, 2, 3], f"u{dtype.itemsize}").view(dtype)
    info = jnp.finfo(dtype)
    rest = np.array([1, -1, np.inf, -np.inf, np.nan, -0.0, info.max, -info.tiny], dtype)
    x = np.concatenate([bits, -bits, rest])
    with np.errstate(all="ignore"):
        wanted = np.nextafter(x[:, None], x[None, :])
        with enable_x64():
            got = np.asarray(adlib.jit(lax.nextafter)(x[:, None], x[None, :]))
            lowered = adlib.jit(lax.nextafter).lower(x[:, None], x[None, :])
    assert "nextafter" not in lowered.as_text("loops")
    assert got.dtype == dtype
    nan = np.isnan(wanted.astype(np.float64))
    assert np.isnan(got.astype(np.float64))[nan].all()
    word = f"u{dtype.itemsize}"
    kept = ~nan & (x[:, None] != x[None, :])  # of equal zeros NumPy takes the one or the other
    np.testing.assert_array_equal(got.view(word)[kept], wanted.view(word)[kept])
    np.testing.assert_array_equal(got[~nan & ~kept], wanted[~nan & ~kept])


@pytest.mark.parametrize("dtype", "int8 uint8 int16 uint32 int32 int64 uint64".split())
def test_upper_halves_of_products(dtype):
    rng = np.random.default_rng(0)
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, 200, dtype=dtype, endpoint=True)
    x[:4] = info.min, info.max, 0, 1
    y = rng.permutation(x)
    check(lax.mulhi, x, y)
    wide = [int(a) * int(b) >> info.bits for a, b in zip(x, y, strict=True)]
    with enable_x64():
        assert np.asarray(adlib.jit(lax.mulhi)(x, y)).tolist() == wide


@pytest.mark.parametrize("dtype", FLOATS + [np.dtype(np.complex64)], ids=str)
def test_reduced_precision(dtype):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(300) * 10.0 ** rng.uniform(-9, 9, 300)).astype(np.float32)
    x[:6] = 0, -0.0, np.inf, -np.inf, np.nan, 65519
    with np.errstate(all="ignore"):
        x = x.astype(dtype)
    for bits in ((5, 10), (8, 7), (4, 3), (11, 52)):
        check(lambda x, bits=bits: lax.reduce_precision(x, *bits), x)


@pytest.mark.parametrize("dtype", "int8 uint8 int32 uint32 int64".split())
def test_powers_of_integers(dtype):
    signed = dtype[0] != "u"
    x = np.array([0, 1, 2, 3, 7, 10] + ([-1, -2, -3] if signed else []), dtype)
    y = np.array([0, 1, 2, 3, 5, 31] + ([-1, -2, -5] if signed else []), dtype)
    check(lax.pow, x[:, None], y[None, :])
    check(lambda x: x ** jnp.int8(3), x)


@pytest.mark.parametrize(
    "old, new",
    [
        ("int32", "uint8"),
        ("float32", "int16"),
        ("float64", "int32"),
        ("float32", "float16"),
        ("uint8", "int32"),
        ("uint16", "float32"),
        ("bfloat16", "uint32"),
        ("int32", "float64"),
        ("int16", "bfloat16"),
    ],
)
def test_bits_of_one_number_as_several(old, new):
    old, new = jnp.dtype(old), jnp.dtype(new)
    x = np.random.default_rng(0).integers(0, 256, (3, 2, 2, 8), np.uint8)
    x = x[..., : max(new.itemsize // old.itemsize, 1) * old.itemsize].copy()
    x = x.view(old) if new.itemsize > old.itemsize else x.view(old)[..., 0]
    with enable_x64():
        run = adlib.jit(lambda x: lax.bitcast_convert_type(x, new))
        lowered = run.lower(x)
        got = np.asarray(run(x))
    assert "kernel" in lowered.as_text("loops")
    wanted = x.view(new)[..., 0] if new.itemsize > old.itemsize else x[..., None].view(new)
    assert got.dtype == new and got.tobytes() == wanted.tobytes()


EVERY = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
    "float16 bfloat16 float32 float64 complex64 complex128"
).split()


@pytest.mark.parametrize("source", EVERY)
def test_conversions_between_all_types(source):
    dtype = jnp.dtype(source)
    if dtypes.is_inexact(dtype):
        x = np.array([0, -0.0, 1, -1, 0.5, 2.5, 127.9, 300, 7e4, -1e-30, np.nan, np.inf, -np.inf])
        with np.errstate(all="ignore"):
            x = x.astype(dtype)
            if dtype.kind == "c":
                x = np.concatenate([x, x * 1j])
    elif dtype.kind == "b":
        x = np.array([False, True])
    else:
        info = np.iinfo(dtype)
        x = np.array([0, 1, 2, 100, info.max, info.max - 1, info.min, info.max // 3], dtype)
    targets = [t for t in EVERY if dtype.kind != "c" or t.startswith("complex")]
    check(lambda x: [lax.convert_element_type(x, t) for t in targets], x)


@pytest.mark.parametrize("reverse", [False, True])
def test_running_sums_of_exponentials(reverse):
    x = np.random.default_rng(0).standard_normal((4, 30)).astype(np.float32) * 50
    x[0, 3:5], x[1, 0], x[2, :] = -np.inf, np.inf, -np.inf
    x[3, 7] = np.nan
    args = [jnp.asarray(x)]
    closed = adlib.make_jaxpr(lambda x: lax.cumlogsumexp(x, 1, reverse=reverse))(*args)
    run = compile_and_compare(closed, [x])
    assert run.schedule.native


def test_a_barrier_keeps_what_follows_behind_its_operands():
    """A checkpoint's recomputation must not move up into the forward pass."""

    def f(x, late):
        first = jnp.exp(x) * 2
        total = jnp.sum(first)
        again, total = lax.optimization_barrier((x, total))
        return first, jnp.exp(again) * 2 + total

    x = np.random.default_rng(0).standard_normal(40).astype(np.float32)
    args = [jnp.asarray(x), jnp.float32(1)]
    run = compile_and_compare(adlib.make_jaxpr(f)(*args), [a._value for a in args])
    assert run.schedule.native
    groups = [s for s in run.schedule.steps if type(s) is Group]
    names = [[e.primitive.name for e in g.eqns] for g in groups]
    assert [n.count("exp") for n in names] == [1, 1], names


def test_checkpoints_in_loops_are_native():
    def layer(h, r):
        return adlib.checkpoint(lambda h, r: jnp.sin(jnp.tanh(h) * r))(h, r), None

    def f(x):
        return jnp.sum(lax.scan(layer, x[0], x)[0])

    x = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
    closed = adlib.make_jaxpr(adlib.grad(f))(jnp.asarray(x))
    assert compile_and_compare(closed, [x], factor=5).schedule.native
