"""Rows that are added to totals in memory, several at once."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import native
from adlib.compile.loop_text import show, verify
from adlib.compile.loopir import Buffer, For, Kernel, LoopBuilder, Nest, Store
from adlib.compile.native import KernelPart
from adlib.compile.program import Compiled
from adlib.compile.row_updates import joined
from tests.compile.test_every_primitive import compile_and_compare

F4 = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def always(monkeypatch):
    monkeypatch.setattr(native, "_WORTH_JOINING", 0)


def kernels(run):
    return [
        part.writer.kernel
        for body in run.segments.values()
        for part, _, _ in body.parts
        if isinstance(part, KernelPart)
    ]


def rows_of(kernel):
    """How many rounds each nest takes together."""
    found = joined(kernel)
    verify(found)
    sizes = [
        (np.prod(new.extents), np.prod(old.extents))
        for new, old in zip(found.nests, kernel.nests, strict=True)
    ]
    return [int(old // new) for new, old in sizes]


@pytest.mark.parametrize(
    "rows, together", [(16, 8), (8, 8), (12, 4), (9, 3), (10, 2), (7, 1), (4, 4), (2, 1)]
)
def test_a_vector_and_a_matrix(rows, together):
    rng = np.random.default_rng(0)
    w = rng.standard_normal((rows, 20)).astype(np.float32)
    y = rng.standard_normal(rows).astype(np.float32)
    closed = adlib.make_jaxpr(lambda w, y: y @ w)(jnp.asarray(w), jnp.asarray(y))
    run = compile_and_compare(closed, [w, y])
    assert rows_of(kernels(run)[0])[-1] == together


@pytest.mark.parametrize("shape", [(8, 12), (12, 9), (3, 8, 6), (2, 6, 3, 4)])
def test_sums_and_what_is_around_them(shape):
    def f(x, v):
        last, first = tuple([len(x.shape) - 1]), (0,)
        y = x * v
        return (
            jnp.sum(y, last) * 2,
            jnp.sum(y, first),
            jnp.sum(x * x, first) + 1,
            jnp.max(y, last) + jnp.sum(y, last),
            jnp.sum(y),
            jnp.prod(y, first),
            jnp.tanh(y).sum(last),
            jnp.sum(x @ jnp.swapaxes(x, -1, -2), last),
        )

    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    v = rng.standard_normal(shape[-1]).astype(np.float32)
    closed = adlib.make_jaxpr(f)(jnp.asarray(x), jnp.asarray(v))
    compile_and_compare(closed, [x, v], factor=20.0)


def test_loops_around_products():
    rng = np.random.default_rng(1)
    w = rng.standard_normal((12, 12)).astype(np.float32) / 4
    xs = rng.standard_normal((5, 12)).astype(np.float32)

    def f(w, xs):
        step = lambda h, x: (jnp.tanh(w @ h + h @ w + x),) * 2  # noqa: E731
        return jnp.sum(lax.scan(step, xs[0], xs)[1] ** 2)

    for function in (f, adlib.grad(f)):
        closed = adlib.make_jaxpr(function)(jnp.asarray(w), jnp.asarray(xs))
        compile_and_compare(closed, [w, xs], factor=50.0)


def test_totals_are_loaded_and_stored_once():
    w, x = jnp.ones((20, 8)), jnp.ones(20)
    run = Compiled(adlib.make_jaxpr(lambda w, x: x @ w)(w, x))
    (kernel,) = kernels(run)
    text = show(joined(kernel)).partition("load")[2]
    assert text.count("b2[") == 2, "one load of the total and one store for some rows"


def test_updates_at_other_places_stay_as_they_are():
    """b0[j] = b0[j + 1] + b1[8i + j]."""
    for shift, together in ((0, 8), (1, 1)):
        buffers = [Buffer("b0", F4, 9, True), Buffer("b1", F4, 64, False)]
        builder = LoopBuilder()
        total = builder.load(0, (0, 1, shift), F4)
        added = builder.binary("add", total, builder.load(1, (8, 1, 0), F4))
        inner = For(1, [*builder.items, Store(0, (0, 1, 0), added)], [])
        nest = Nest((8, 8), [For(0, [inner], [])])
        assert rows_of(Kernel("k", buffers, [nest])) == [together]
