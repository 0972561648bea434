"""The loop language: what its verifier refuses, how it prints, what it computes."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from adlib.compile import engine, loop_text
from adlib.compile.llvm_loops import interleave_count
from adlib.compile.llvm_module import Module
from adlib.compile.loop_text import LoopError, verify
from adlib.compile.loopir import (
    Accumulator,
    Buffer,
    For,
    Kernel,
    LoopBuilder,
    Nest,
    Store,
    Value,
    depth,
    identity,
)
from adlib.compile.render_llvm import render

F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)
I32 = np.dtype(np.int32)


def square(size=8, position=(1, 0), dtype=F32):
    builder = LoopBuilder()
    x = builder.load(0, position, dtype)
    y = builder.binary("mul", x, x)
    nest = Nest((size,), [For(0, [*builder.items, Store(1, (1, 0), y)], [])], "squares")
    return Kernel("square", [Buffer("x", F32, 8, False), Buffer("y", F32, 8, True)], [nest])


def run(kernel, *arrays):
    module = Module()
    render(kernel, module)
    text = module.text().replace("define internal", "define")
    loaded = engine.load(engine.object_code(text), [kernel.name])
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays))
    function(loaded.addresses[kernel.name])(*[a.ctypes.data for a in arrays])
    return arrays[-1]


def test_a_kernel_computes():
    x = np.arange(8, dtype=np.float32)
    verify(square())
    np.testing.assert_array_equal(run(square(), x, np.empty_like(x)), x * x)


def test_printed_form():
    assert loop_text.show(square()).splitlines() == [
        "kernel square(x: f32[8], y: f32[8] written)",
        "  # squares",
        "  for i < 8:",
        "    a = load x[i] : f32",
        "    b = mul a, a : f32",
        "    y[i] = b",
    ]


def test_names_go_on_after_z():
    builder = LoopBuilder()
    value = builder.load(0, (1, 0), F32)
    for _ in range(30):
        value = builder.binary("mul", value, value)
    nest = Nest((8,), [For(0, [*builder.items, Store(1, (1, 0), value)], [])])
    kernel = Kernel("k", [Buffer("x", F32, 8, False), Buffer("y", F32, 8, True)], [nest])
    assert "aa = mul z, z : f32" in loop_text.show(kernel)


@pytest.mark.parametrize(
    "kernel, complaint",
    [
        (square(size=9), r"x\[i\] reaches 0..8 of a buffer of 8"),
        (square(position=(1, -1)), r"x\[i \+ -1\] reaches -1..6"),
        (square(position=(1, 0, 0)), "a position of 3 terms in x"),
        (square(dtype=F64), "load as float64 from a buffer of float32"),
    ],
)
def test_the_verifier_refuses_positions(kernel, complaint):
    with pytest.raises(LoopError, match=complaint):
        verify(kernel)


def kernel_of(*items, extents=(8,), written=True):
    buffers = [Buffer("x", F32, 8, False), Buffer("y", F32, 8, written)]
    return Kernel("k", buffers, [Nest(extents, list(items))])


def test_the_verifier_refuses_values():
    builder = LoopBuilder()
    x = builder.load(0, (1, 0), F32)
    stray = Value("neg", F32, (x,))
    with pytest.raises(LoopError, match="neg of a value that is not computed before"):
        verify(kernel_of(For(0, [stray], [])))
    with pytest.raises(LoopError, match="a store of a value that is not computed before"):
        verify(kernel_of(For(0, [x, Store(1, (1, 0), stray)], [])))
    with pytest.raises(LoopError, match="outside the loop over i"):
        verify(kernel_of(x))
    with pytest.raises(LoopError, match="a store to y, which is only read"):
        verify(kernel_of(For(0, [x, Store(1, (1, 0), x)], []), written=False))
    with pytest.raises(LoopError, match="a loop over axis 0 within itself"):
        verify(kernel_of(For(0, [For(0, [], [])], [])))
    with pytest.raises(LoopError, match="an accumulated value is not computed"):
        verify(kernel_of(For(0, [x], [Accumulator("sum", stray)])))
    double = Value("convert", F64, (x,))
    with pytest.raises(LoopError, match="a store of float64 to y, which holds float32"):
        verify(kernel_of(For(0, [x, double, Store(1, (1, 0), double)], [])))


@pytest.mark.parametrize(
    "op, dtype, complaint",
    [
        ("add", F64, "add of .* gives float64"),
        ("and", F32, "bits are those of integers"),
        ("lt", F32, "lt of .* gives float32"),
        ("bitcast", F64, "which has another size"),
    ],
)
def test_the_verifier_refuses_types(op, dtype, complaint):
    x = Value("const", F32, (), F32.type(1))
    arguments = (x,) if op == "bitcast" else (x, x)
    with pytest.raises(LoopError, match=complaint):
        verify(kernel_of(x, Value(op, dtype, arguments)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 7, 1000, 2049, 100_003])
def test_sums_are_as_accurate_as_numpys(dtype, n):
    dtype = np.dtype(dtype)
    builder = LoopBuilder()
    total = Accumulator("sum", builder.load(0, (1, 0), dtype))
    nest = Nest((n,), [For(0, builder.items, [total]), Store(1, (0, 0), total.result)])
    kernel = Kernel("k", [Buffer("x", dtype, n, False), Buffer("y", dtype, 1, True)], [nest])
    verify(kernel)
    x = (np.random.default_rng(0).standard_normal(n) + 1).astype(dtype)
    got = run(kernel, x, np.empty((), dtype))
    exact = np.sum(x.astype(np.longdouble))
    ulp = np.spacing(np.abs(exact).astype(dtype)) * max(1, abs(float(np.abs(x).sum() / exact)))
    assert abs(got - exact) <= max(4 * ulp, 2 * abs(np.sum(x) - exact))
    assert got.tobytes() == run(kernel, x, np.empty((), dtype)).tobytes()


@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min", "and", "or", "xor"])
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint32", "float32"])
def test_loops_without_rounds_give_the_identity(kind, dtype):
    dtype = np.dtype(dtype)
    if kind in ("and", "or", "xor") and dtype.kind == "f":
        return
    builder = LoopBuilder()
    total = Accumulator(kind, builder.load(0, (1, 0), dtype))
    nest = Nest((0,), [For(0, builder.items, [total]), Store(1, (0, 0), total.result)])
    kernel = Kernel("k", [Buffer("x", dtype, 0, False), Buffer("y", dtype, 1, True)], [nest])
    verify(kernel)
    assert run(kernel, np.empty(1, dtype), np.ones((), dtype)) == identity(kind, dtype)


def test_equal_instructions_are_one():
    builder = LoopBuilder()
    x = builder.load(0, (1, 0), F32)
    assert builder.binary("add", x, x) is builder.binary("add", x, x)
    assert builder.constant(0.0, F32) is not builder.constant(-0.0, F32)
    assert builder.constant(-1, I32) is builder.constant(0xFFFFFFFF, I32)


def test_long_chains_are_interleaved():
    builder = LoopBuilder()
    value = builder.load(0, (1, 0), F32)
    for i in range(50):
        value = builder.binary("mul", value, value)
        assert depth(builder.items) == i + 1
    assert interleave_count(For(0, builder.items, []), 100_000) == 4
    assert interleave_count(For(0, builder.items, []), 100) == 0
    assert interleave_count(For(0, builder.items[:5], []), 100_000) == 0
