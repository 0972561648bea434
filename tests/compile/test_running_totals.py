"""Running totals in blocks and of several rows side by side."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import native, running_blocks
from adlib.compile.loop_text import verify
from adlib.compile.row_updates import joined
from tests.compile.test_every_primitive import compile_and_compare
from tests.compile.test_row_updates import kernels, rows_of


@pytest.fixture
def short(monkeypatch):
    """Blocks of a few elements."""
    monkeypatch.setattr(running_blocks, "_LENGTHS", (7, 3))
    monkeypatch.setattr(native, "_WORTH_JOINING", 0)


def normal(*shape, dtype=np.float32):
    x = np.random.default_rng(sum(shape)).standard_normal(shape)
    return (x * 3).astype(dtype)


def agree(f, *args, factor=50.0):
    closed = adlib.make_jaxpr(f)(*[jnp.asarray(x) for x in args])
    run = compile_and_compare(closed, list(args), factor=factor)
    for kernel in kernels(run):
        verify(kernel)
        verify(joined(kernel))
    return run


TOTALS = (lax.cumsum, lax.cumprod, lax.cummax, lax.cummin)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [2, 48, 49, 50, 57, 113, 200, 1000])
@pytest.mark.parametrize("total", TOTALS)
def test_lengths(short, total, n, reverse):
    x = normal(n)
    if total is lax.cumprod:
        x = 1 + x / 100
    run = agree(lambda x: total(x, reverse=reverse), x)
    blocks = any("blocks" in nest.why for k in kernels(run) for nest in k.nests)
    assert blocks == (n > 48)


@pytest.mark.parametrize(
    "shape, axis",
    [((3, 100), 1), ((100, 1), 0), ((2, 3, 70), 2), ((1, 100), 1), ((8, 60), 1), ((9, 60), 1)],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "complex64", "bfloat16"])
def test_shapes_and_types(short, shape, axis, dtype):
    with adlib.config.override(jax_enable_x64=True):
        x = np.asarray(jnp.asarray(normal(*shape)).astype(dtype))
        agree(lambda x: lax.cumsum(x, axis), x)
        agree(lambda x: lax.cumsum(x.T[::-1], x.ndim - 1 - axis).T, x)


def test_special_numbers(short):
    x = normal(300)
    x[[3, 120, 121]] = np.nan, np.inf, -np.inf
    agree(lambda x: (lax.cumsum(x), lax.cummax(x), lax.cummin(x, reverse=True)), x)
    zeros = np.full(100, -0.0, np.float32)
    out = np.asarray(adlib.jit(lax.cumsum)(zeros))
    assert out[0] == 0 and np.signbit(out[0])


def test_what_is_read_through_views_and_gradients(short):
    f = lambda x, w: jnp.sum(jnp.cumsum(x.reshape(-1)[::2] * w) ** 2)  # noqa: E731
    agree(adlib.grad(f), normal(20, 20), normal(200), factor=500)


def test_long_ones_are_as_accurate_as_pairwise_sums():
    x = np.random.default_rng(0).uniform(0, 1, 1_000_003).astype(np.float32)
    found = np.asarray(adlib.jit(jnp.cumsum)(x))
    wanted = np.cumsum(x.astype(np.float64))
    np.testing.assert_allclose(found, wanted, rtol=2e-5)
    again = np.asarray(adlib.jit(jnp.cumsum)(x))
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("rows, together", [(16, 8), (24, 8), (12, 4), (9, 3), (11, 1)])
def test_rows_stand_side_by_side(short, rows, together):
    run = agree(lambda x: lax.cumsum(x, 1), normal(rows, 20))
    (kernel,) = kernels(run)
    assert rows_of(kernel)[-1] == together


def test_columns_are_vectors_already(short):
    run = agree(lambda x: lax.cumsum(x, 0), normal(16, 20))
    (kernel,) = kernels(run)
    assert rows_of(kernel)[-1] == 1
