"""Loops that are written with vectors: all lengths, types and directions; what is left to LLVM."""

from __future__ import annotations

from ctypes import CFUNCTYPE, c_void_p

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.base.config import enable_x64
from adlib.compile import engine
from adlib.compile.llvm_module import WRITTEN, Module
from adlib.compile.loop_text import verify
from adlib.compile.loopir import Accumulator, Buffer, For, Kernel, LoopBuilder, Nest, Store
from adlib.compile.program import Compiled
from adlib.compile.render_llvm import render
from adlib.compile.splitting import split
from tests.compile.test_every_primitive import compile_and_compare

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")

# fewer than a vector, one, one and a bit, several with and without a rest, copies side by side
LENGTHS = [1, 2, 3, 5, 8, 9, 15, 16, 17, 31, 33, 64, 67, 127, 128, 130, 1000, 1027, 4096, 5003]
TYPES = ["float16", "bfloat16", "float32", "float64", "int8", "uint16", "int32", "int64", "bool"]
COMPLEX = ["complex64", "complex128"]


def numbers(n, dtype, seed=0):
    rng = np.random.default_rng([n, seed])
    dtype = jnp.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(n) < 0.5
    if dtype.kind in "iu":
        return rng.integers(1, 100, n).astype(dtype)
    if dtype.kind == "c":
        return (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(dtype)
    return rng.standard_normal(n).astype(dtype)


def agree(f, *values, factor=20.0):
    with enable_x64(True):
        closed = adlib.make_jaxpr(f)(*values)
        return compile_and_compare(closed, list(values), factor=factor)


def test_most_of_a_program_goes_through_no_passes():
    def f(x, y):
        return jnp.sum(jnp.tanh(x * y) + x, axis=1), jnp.max(x, axis=0), x.T + 1

    x = np.ones((700, 900), np.float32)
    optimised, written, _ = split(Compiled(adlib.make_jaxpr(f)(x, x)).llvm)
    assert "define" not in optimised
    assert "<" in written and WRITTEN.strip() in written


@pytest.mark.parametrize("dtype", TYPES + COMPLEX)
def test_every_length(dtype):
    for n in LENGTHS:
        x, y = numbers(n, dtype), numbers(n, dtype, 1)
        agree(lambda x, y: (x + y, x * y, jnp.where(x == y, x, y)), x, y)


@pytest.mark.parametrize("dtype", TYPES + COMPLEX)
def test_totals_of_every_length(dtype):
    whole = jnp.dtype(dtype)
    for n in LENGTHS:
        x = numbers(n, dtype)

        def f(x):
            found = [jnp.sum(x), jnp.prod(x[:20])]
            if whole.kind != "c":
                found += [jnp.max(x), jnp.min(x)]
            if whole.kind in "iub":
                found += [jnp.any(x > 3), jnp.all(x > 0), jnp.bitwise_xor.reduce(x)]
            return found

        agree(f, x, factor=200.0)


@pytest.mark.parametrize("dtype", ["float32", "int16", "complex64", "bool"])
def test_elements_that_lie_apart_or_backwards(dtype):
    for n in (9, 33, 130, 1027):
        x = numbers(3 * n, dtype)
        agree(lambda x: (x[::-1], x[::3], x[1::2], x[::-3] == x[::3]), x)
        square = numbers(n * 9, dtype).reshape(n, 9)
        agree(lambda x: (x.T, x[:, 4], x[::-1, ::-1], x[:, 2] + x[:, 3].T), square)


def test_totals_of_elements_that_lie_apart():
    x = numbers(1027 * 3, "float32").reshape(1027, 3)
    agree(lambda x: (jnp.sum(x[:, 1]), jnp.max(x[:, 2] * x[:, 0])), x)


def test_numbers_of_rounds():
    for n in LENGTHS:
        agree(lambda n=n: (jnp.arange(n) * 3 - 1, jnp.linspace(0.0, 1.0, n)))
        agree(lambda x: jnp.argmax(x) + jnp.argmin(x), numbers(n, "float32"))
    x = numbers(40 * 67, "float32").reshape(40, 67)
    agree(lambda x: (jnp.tril(x, 5), jnp.triu(x, -3), x * lax.iota(np.float32, 67)), x)


def test_what_does_not_change_is_computed_once():
    x = numbers(300, "float32")
    compiled = agree(lambda x, a: x * jnp.exp(a) + a, x, np.float32(1.5))
    loop = compiled.llvm.split("vectors", 1)[1].split("br i1", 1)[0]
    assert "fmul" in loop and "llvm.fma" not in loop


def test_the_rest_of_a_loop_in_place():
    """The last vector does some rounds a second time: on what they were, not what they became."""
    builder = LoopBuilder()
    x = builder.load(0, (1, 0), np.dtype(np.float32))
    y = builder.binary("add", x, builder.binary("mul", x, x))
    total = Accumulator("sum", y)
    body = [*builder.items, Store(0, (1, 0), y)]
    for n in (17, 23, 64, 77):
        nest = Nest((n,), [For(0, body, [total]), Store(1, (0, 0), total.result)])
        buffers = [Buffer(f"b{i}", np.dtype(np.float32), s, True) for i, s in enumerate((n, 1))]
        kernel = Kernel("f", buffers, [nest])
        verify(kernel)
        module = Module()
        render(kernel, module)
        text = module.text().replace("define internal void @f(", "define void @f(")
        assert WRITTEN in text
        loaded = engine.load(engine.object_code(text), ["f"])
        values, found = numbers(n, "float32"), np.zeros(1, np.float32)
        wanted = values + values * values
        run = CFUNCTYPE(None, c_void_p, c_void_p)(loaded.addresses["f"])
        run(values.ctypes.data, found.ctypes.data)
        np.testing.assert_array_equal(values, wanted)
        np.testing.assert_allclose(found[0], wanted.sum(), rtol=1e-5)


def test_a_loop_over_an_axis_after_a_sum_in_blocks():
    """Where blocks of the first loop begin says nothing about the second one."""
    n = 4096
    builder = LoopBuilder()
    x = builder.load(0, (1, 0), np.dtype(np.float32))
    total = Accumulator("sum", x)
    first = For(0, [x], [total])
    again = LoopBuilder()
    y = again.binary("add", again.load(0, (1, 0), np.dtype(np.float32)), total.result)
    second = For(0, [*again.items, Store(1, (2, 0), y)], [])
    buffers = [
        Buffer(f"b{i}", np.dtype(np.float32), size, i == 1) for i, size in enumerate((n, 2 * n))
    ]
    module = Module()
    render(Kernel("f", buffers, [Nest((n,), [first, second])]), module)
    text = module.text().replace("define internal void @f(", "define void @f(")
    loaded = engine.load(engine.object_code(text), ["f"])
    values, found = numbers(n, "float32"), np.zeros(2 * n, np.float32)
    run = CFUNCTYPE(None, c_void_p, c_void_p)(loaded.addresses["f"])
    run(values.ctypes.data, found.ctypes.data)
    np.testing.assert_allclose(found[::2], values + values.sum(), rtol=1e-4, atol=1e-3)


def recurrence(step: int) -> Kernel:
    """x[i + step] = 2 x[i]"""
    builder = LoopBuilder()
    x = builder.load(0, (1, 0), np.dtype(np.float32))
    store = Store(0, (1, step), builder.binary("add", x, x))
    buffers = [Buffer("b0", np.dtype(np.float32), 64, True)]
    return Kernel("f", buffers, [Nest((32,), [For(0, [*builder.items, store], [])])])


def test_rounds_that_need_each_other_are_no_vectors():
    for step, apart in ((1, False), (31, False), (32, True)):
        module = Module()
        render(recurrence(step), module)
        assert ("<" in module.text()) is apart


@pytest.mark.parametrize("name", ["sin", "exp", "log", "tanh", "lgamma", "erfinv"])
def test_rare_cases_at_any_place(name):
    """An argument for the exact side in each lane, in the last vector and in the loop."""
    f = getattr(lax, {"erfinv": "erf_inv"}.get(name, name))
    rare = {"sin": 1e8, "erfinv": 1 - 2e-7}.get(name, -3.7e4)
    for n in (20, 37, 4099):
        for place in (0, 3, n - 17, n - 2, n - 1):
            x = np.linspace(0.1, 0.9, n).astype(np.float32)
            x[place] = rare
            agree(lambda x: f(x), x)
            agree(lambda x: jnp.sum(f(x) * 0 + 1), x[x != rare])


def test_sums_are_the_same_at_every_run():
    x = numbers(5003, "float32")
    f = adlib.jit(lambda x: jnp.sum(jnp.sin(x) * x))
    first = np.asarray(f(x)).tobytes()
    assert all(np.asarray(f(x.copy())).tobytes() == first for _ in range(5))


def test_extremes_with_nan_and_signs_of_zero():
    extremes = adlib.jit(lambda x: (jnp.max(x), jnp.min(x)))
    for n in (16, 19, 67):
        for place in (0, n // 2, n - 1):
            x = np.full(n, -0.0, np.float32)
            x[place] = 0.0
            assert [np.signbit(v) for v in extremes(x)] == [False, True]
            x[place] = np.nan
            agree(lambda x: (jnp.max(x), jnp.min(x), jnp.sum(x)), x)
