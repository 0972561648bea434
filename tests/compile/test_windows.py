"""Windowed reductions as native code against the reference executor."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import engine
from adlib.compile.library import windows
from adlib.compile.schedule import Call
from adlib.core import ShapedArray
from adlib.core.primitive import registry
from adlib.interpreters.stage import stage
from tests.compile.test_convolution import agree
from tests.compile.test_every_primitive import compile_and_compare

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")


def numbers(rng, shape, dtype=np.float32):
    if np.dtype(dtype).kind != "f":
        return rng.integers(0, 5, shape).astype(dtype)  # with ties
    return rng.integers(-4, 5, shape).astype(dtype) / 2


def native(name, *values, **params):
    closed = stage(
        lambda *args: (registry[name].bind(*args, **params),),
        [ShapedArray(v.shape, v.dtype) for v in values],
    )
    compiled = compile_and_compare(closed, list(values), f"{name} {params}")
    assert not any(type(s) is Call for s in compiled.schedule.steps)
    return compiled


def params(taps, strides, pads, gaps=None, spreads=None):
    ones = (1,) * len(taps)
    return dict(
        window_dimensions=taps,
        window_strides=strides,
        padding=pads,
        base_dilation=gaps or ones,
        window_dilation=spreads or ones,
    )


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("name", ["reduce_window_sum", "reduce_window_max", "reduce_window_min"])
def test_random_geometries(name, seed):
    rng = np.random.default_rng(seed)
    rank = 1 + seed % 3
    draw = lambda lo, hi: tuple(int(v) for v in rng.integers(lo, hi + 1, rank))  # noqa: E731
    x = numbers(rng, draw(1, 9), [np.float32, np.int32, np.uint8, np.float32][seed % 4])
    pads = tuple(zip(draw(-1, 4), draw(-1, 4), strict=True))
    window = params(draw(1, 4), draw(1, 3), pads, draw(1, 3), draw(1, 3))
    native(name, x, **window)


@pytest.mark.parametrize("seed", range(40))
def test_extreme_elements(seed):
    rng = np.random.default_rng(seed)
    rank = 1 + seed % 3
    draw = lambda lo, hi: tuple(int(v) for v in rng.integers(lo, hi + 1, rank))  # noqa: E731
    x = numbers(rng, draw(3, 8))
    pads = tuple(zip(draw(0, 2), draw(0, 2), strict=True))
    window = params(draw(1, 3), draw(1, 3), pads, spreads=draw(1, 2))
    select = registry["ge" if seed % 2 else "le"]
    t = rng.standard_normal(x.shape).astype(np.float32)
    native("select_and_gather_add", t, x, select_prim=select, **window)
    made = registry["select_and_gather_add"].abstract(
        [ShapedArray(v.shape, v.dtype) for v in (t, x)], {"select_prim": select, **window}
    )
    source = rng.standard_normal(made[0].shape).astype(np.float32)
    del window["base_dilation"]
    native("select_and_scatter_add", source, x, select_prim=select, **window)


def test_windows_that_reach_far():
    """More regions than nests are made for, and windows of many elements."""
    rng = np.random.default_rng(0)
    x = numbers(rng, (40, 30))
    for name in ("reduce_window_sum", "reduce_window_max"):
        native(name, x, **params((21, 17), (1, 1), ((10, 10), (8, 8))))
        native(name, x, **params((1, 30), (1, 1), ((0, 0), (29, 0))))
    native(
        "reduce_window_min", numbers(rng, (3, 9, 9)), **params((2, 2, 3), (1, 1, 1), ((0, 1),) * 3)
    )


@pytest.mark.parametrize("shape, pads", [((0, 3), ((1, 1), (0, 0))), ((2, 0), ((0, 0), (0, 0))),
                                         ((2, 3), ((-1, -1), (0, 0)))])  # fmt: skip
def test_nothing_to_reduce(shape, pads):
    for name in ("reduce_window_sum", "reduce_window_max"):
        native(name, np.ones(shape, np.float32), **params((1, 1), (1, 1), pads))


def test_special_values():
    x = np.array([1, np.nan, 2, np.inf, -np.inf, -np.inf, -np.inf, 3, np.nan, np.nan], np.float32)
    t = np.arange(10, dtype=np.float32) + 1
    for pads in ((0, 0), (2, 1)):
        window = params((3,), (1,), (pads,))
        for name in ("reduce_window_sum", "reduce_window_max", "reduce_window_min"):
            native(name, x, **window)
        for select in ("ge", "le"):
            native("select_and_gather_add", t, x, select_prim=registry[select], **window)
            source = t[: len(t) - 2 + sum(pads)] if sum(pads) < 3 else np.append(t, 7)[:11]
            short = {k: v for k, v in window.items() if k != "base_dilation"}
            native("select_and_scatter_add", source, x, select_prim=registry[select], **short)


# ------------------------------------------------------------- within other programs


def pool(x, stride=(1, 2, 2, 1), padding="SAME"):
    return lax.reduce_window(x, -np.inf, lax.max, (1, 3, 3, 1), stride, padding)


def image(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [(1, 2, 2, 1), (1, 1, 1, 1), (2, 3, 1, 1)])
def test_gradients(stride, padding):
    x, v = image(2, 9, 8, 5), image(2, 9, 8, 5)[::-1].copy()

    def f(x):
        return jnp.sum(jnp.tanh(pool(x * 2, stride, padding)) ** 2)

    agree(adlib.grad(f), x)
    agree(lambda x, v: adlib.jvp(f, (x,), (v,)), x, v)
    agree(lambda x, v: adlib.jvp(adlib.grad(f), (x,), (v,)), x, v)


def test_vmap_and_scan():
    x = image(3, 4, 7, 8, 2)
    agree(adlib.vmap(adlib.grad(lambda x: jnp.sum(pool(x) ** 2))), x)
    agree(adlib.vmap(lambda x: pool(x), in_axes=3), image(4, 7, 8, 3, 2))
    agree(lambda x: lax.scan(lambda c, y: (c + jnp.sum(pool(y)), pool(y)), 0.0, x), x)


def test_average_pooling():
    def f(x):
        total = lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return jnp.sum(total**3)

    agree(adlib.value_and_grad(f), image(3, 8, 8, 4))


def test_any_function():
    def f(x):
        return lax.reduce_window(x, 1.0, lambda a, b: a * jnp.cos(b), (2, 3), (1, 2), "SAME")

    agree(f, image(6, 7))


@pytest.mark.parametrize("seed", range(30))
def test_regions_hold_each_result_once(seed):
    rng = np.random.default_rng(seed)
    size, taps, outputs, stride, gap, spread = (int(v) for v in rng.integers(1, 7, 6))
    low = int(rng.integers(-3, 9))
    found = {}
    for r in windows.regions(size, taps, outputs, stride, low, gap, spread):
        for i in range(r.size):
            assert r.start + i * r.step not in found
            found[r.start + i * r.step] = [a if a is None else a + i * r.move for a in r.reads]
    for o in range(outputs):
        for tap in range(taps):
            at, rest = divmod(o * stride + tap * spread - low, gap)
            inside = rest == 0 and 0 <= at < size
            assert found[o][tap] == (at if inside else None)
