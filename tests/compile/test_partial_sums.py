"""Totals of each part of a loop: which loops are cut; results are right, and always the same."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, nn
from adlib.compile import chunks, partial_sums, regions, threads
from adlib.compile.loop_text import verify
from adlib.compile.native import KernelPart
from adlib.compile.program import Compiled
from adlib.compile.steps import Region
from tests.compile.test_every_primitive import compile_and_compare


@pytest.fixture
def always(monkeypatch):
    """Parts also where a thread would have nothing to do."""
    monkeypatch.setattr(chunks, "WORTH", 0)
    monkeypatch.setattr(chunks, "_LEAST", 1)
    monkeypatch.setattr(partial_sums, "_LEAST", 1)
    monkeypatch.setattr(partial_sums, "_OF_MEMORY", 1)


@pytest.fixture
def rows(monkeypatch):
    """Blocks of rows also where everything fits in the cache."""
    monkeypatch.setattr(regions, "LEAST_SHARED", 0)
    monkeypatch.setattr(regions, "BLOCK", 256)


@pytest.fixture
def several():
    before = threads.count()
    threads.set_count(3)
    yield
    threads.set_count(before)


def normal(*shape, dtype=np.float32):
    rng = np.random.default_rng(sum(shape))
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return jnp.asarray((3 * x).astype(dtype))


def agree(f, *args, factor=20.0):
    closed = adlib.make_jaxpr(f)(*args)
    run = compile_and_compare(closed, [x._value for x in args], factor=factor)
    parts = [p for body in run.segments.values() for p, _, _ in body.parts]
    kernels = [p for p in parts if isinstance(p, KernelPart)]
    for part in kernels:
        verify(part.writer.kernel)
    return sum(part.scratch for part in kernels)


def columns(x):
    return jnp.sum(x, 0)


REDUCING = {
    "sums": columns,
    "products": lambda x: jnp.prod(x, 0),
    "largest": lambda x: jnp.max(x, 0),
    "smallest": lambda x: jnp.min(x, 0),
    "sums and moments": lambda x: (jnp.sum(x, 0), jnp.sum(x * x, 0), jnp.max(x, 0)),
    "with sums of all": lambda x: (jnp.sum(x, 0), jnp.sum(x), jnp.max(x)),
    "with sums of rows": lambda x: (jnp.sum(x, 0), jnp.sum(x, 1), x + 1),
    "rare": lambda x: jnp.sum(jnp.sin(x * 1e6), 0),
}


@pytest.mark.parametrize("shape", [(32, 8), (37, 16), (4, 3), (2, 5), (24, 2, 6), (0, 4), (5, 0)])
@pytest.mark.parametrize("name", REDUCING)
def test_columns(always, several, name, shape):
    if 0 in shape and name != "sums":
        return
    agree(REDUCING[name], normal(*shape))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float64", "complex64", "bool", "float16"])
def test_types(always, several, dtype):
    with adlib.config.override(jax_enable_x64=True):
        x = normal(33, 6).astype(dtype)
        agree(lambda x: (x.sum(0), x.prod(0), (x == x).all(0), (x != 0).any(0)), x, factor=200)


def test_bits(always, several):
    x = normal(64, 6, dtype=np.int32)
    ops = ((-1, lax.bitwise_and), (0, lax.bitwise_or), (0, lax.bitwise_xor))
    agree(lambda x: tuple([lax.reduce(x, start, op, (0,)) for start, op in ops]), x)


def test_long_columns_are_cut():
    assert agree(columns, normal(40_000, 24)) > 0
    assert agree(columns, normal(400, 24)) == 0, "not worth a thread"
    assert agree(lambda x: jnp.sum(x, 1), normal(40_000, 24)) == 0, "rows are by themselves"


def test_results_do_not_depend_on_threads():
    x = normal(30_011, 40)
    f = adlib.jit(lambda x: (x.sum(0), (x * x).sum(0), (x @ jnp.arange(40.0)) @ x))
    before = threads.count()
    try:
        found = []
        for count in (1, 2, 5):
            threads.set_count(count)
            found += [[np.asarray(y) for y in f(x)] for _ in range(3)]
    finally:
        threads.set_count(before)
    for others in found[1:]:
        for a, b in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------- a matrix read once


def gradient(a, b, x):
    return 2 * ((a @ x - b) @ a)


def logistic(a, b, x):
    loss = lambda x: jnp.mean(nn.softplus(a @ x) - b * (a @ x))  # noqa: E731
    return adlib.value_and_grad(loss)(x)


def product(a, b, x):
    loss = lambda x: jnp.sum((a @ x - b) ** 2)  # noqa: E731
    return adlib.jvp(adlib.grad(loss), (x,), (x * x,))[1]


@pytest.mark.parametrize("f", [gradient, logistic, product])
@pytest.mark.parametrize("shape", [(500, 300), (301, 200), (64, 1024), (1500, 40)])
def test_products_from_both_sides_read_the_matrix_once(f, shape):
    a, b, x = normal(*shape), normal(shape[0]), normal(shape[1])
    closed = adlib.make_jaxpr(f)(a, b, x)
    steps = Compiled(closed).schedule.steps
    wide = [s for s in steps if isinstance(s, Region)]
    assert len(wide) == 1
    assert all(np.prod(s.space) < 5000 for s in steps if not isinstance(s, Region))
    agree(f, a, b, x, factor=200)


@pytest.mark.parametrize("f", [gradient, logistic, product])
@pytest.mark.parametrize("shape", [(40, 30), (37, 16), (3, 64), (1, 7), (48, 1), (0, 3), (3, 0)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_small_blocks(always, rows, several, f, shape, dtype):
    if dtype == "complex64" and f is not gradient or 0 in shape and f is logistic:
        return
    with adlib.config.override(jax_enable_x64=True):
        x = [normal(*s, dtype=dtype) for s in (shape, shape[:1], shape[1:])]
        agree(f, *x, factor=500)
