"""Convolutions as native code against the reference executor."""

import math

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import engine, threads
from adlib.compile.library import convolution_geometry as geometry
from adlib.compile.schedule import Call, Library
from adlib.core import ShapedArray
from adlib.interpreters.stage import stage
from tests.compile.test_every_primitive import compile_and_compare

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")


def native_conv(x, w, **params):
    """Compile one convolution, compare it with the reference, return the result."""

    def f(x, w):
        return (lax.conv_general_dilated(x, w, **params),)

    closed = stage(f, [ShapedArray(a.shape, a.dtype) for a in (x, w)])
    compiled = compile_and_compare(closed, [x, w], f"{x.shape} {w.shape} {params}", factor=20)
    assert not any(type(s) is Call for s in compiled.schedule.steps)
    return compiled


def numbers(rng, *shape, dtype=np.float32):
    if np.dtype(dtype).kind != "f":
        return rng.integers(-9, 9, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


LAYOUTS = [
    ("NHWC", "HWIO", "NHWC"),
    ("NCHW", "OIHW", "NCHW"),
    ("HWNC", "HWOI", "NCHW"),
    ("CHWN", "IHWO", "HWCN"),
    ("NCHW", "HWIO", "NHWC"),
    ("CWNH", "OHIW", "WCHN"),
]


def arrays(rng, layout, batch, inputs, outputs, size, taps, dtype=np.float32):
    names = dict(zip("HW", size, strict=True))
    kernel = dict(zip("HW", taps, strict=True))
    left = {"N": batch, "C": inputs, **names}
    right = {"O": outputs, "I": inputs, **kernel}
    x = numbers(rng, *[left[c] for c in layout[0]], dtype=dtype)
    return x, numbers(rng, *[right[c] for c in layout[1]], dtype=dtype)


@pytest.mark.parametrize("layout", LAYOUTS, ids="-".join)
@pytest.mark.parametrize("outputs", [1, 5, 35])
def test_layouts(layout, outputs):
    rng = np.random.default_rng(outputs)
    x, w = arrays(rng, layout, 3, 4, outputs, (9, 11), (3, 2))
    native_conv(x, w, window_strides=(1, 1), padding="SAME", dimension_numbers=layout)
    native_conv(x, w, window_strides=(2, 1), padding="VALID", dimension_numbers=layout)


@pytest.mark.parametrize("seed", range(40))
def test_random_geometries(seed):
    rng = np.random.default_rng(seed)
    draw = lambda lo, hi: tuple(int(v) for v in rng.integers(lo, hi + 1, 2))  # noqa: E731
    layout = LAYOUTS[seed % len(LAYOUTS)]
    outputs = int(rng.choice([1, 2, 17, 70]))
    x, w = arrays(rng, layout, 2, int(rng.integers(1, 4)), outputs, draw(3, 9), draw(1, 4))
    native_conv(
        x,
        w,
        window_strides=draw(1, 3),
        padding=[draw(-2, 4), draw(-2, 4)],
        lhs_dilation=draw(1, 3),
        rhs_dilation=draw(1, 3),
        dimension_numbers=layout,
    )


@pytest.mark.parametrize("layout", LAYOUTS[:3], ids="-".join)
@pytest.mark.parametrize("groups", [2, 6, 24])
def test_feature_groups(layout, groups):
    rng = np.random.default_rng(groups)
    x, _ = arrays(rng, layout, 2, 24, 48, (6, 7), (3, 3))
    _, w = arrays(rng, layout, 2, 24 // groups, 48 if groups < 24 else 24, (6, 7), (3, 3))
    params = dict(dimension_numbers=layout, feature_group_count=groups)
    native_conv(x, w, window_strides=(1, 1), padding="SAME", **params)
    native_conv(x, w, window_strides=(2, 3), padding="VALID", **params)


@pytest.mark.parametrize("layout", LAYOUTS[:3], ids="-".join)
def test_batch_groups(layout):
    rng = np.random.default_rng(0)
    x, w = arrays(rng, layout, 6, 2, 9, (6, 7), (3, 3))
    native_conv(
        x, w, window_strides=(1, 2), padding="SAME", dimension_numbers=layout, batch_group_count=3
    )


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.float64])
def test_dtypes(dtype):
    rng = np.random.default_rng(0)
    with adlib.enable_x64():
        for layout in LAYOUTS[:2]:
            x, w = arrays(rng, layout, 2, 3, 21, (5, 6), (2, 3), dtype)
            native_conv(x, w, window_strides=(1, 1), padding="SAME", dimension_numbers=layout)


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_other_numbers_of_axes(rank):
    rng = np.random.default_rng(rank)
    x, w = numbers(rng, 2, 3, *(5,) * rank), numbers(rng, 4, 3, *(2,) * rank)
    native_conv(x, w, window_strides=(1,) * rank, padding=[(1, 0)] * rank)


def test_nothing_to_multiply():
    x, w = np.ones((2, 0, 5), np.float32), np.ones((3, 0, 2), np.float32)
    native_conv(x, w, window_strides=(1,), padding="SAME")
    native_conv(x[:0, :0], w, window_strides=(1,), padding="VALID")
    native_conv(np.ones((1, 1, 2), np.float32), np.ones((1, 1, 3), np.float32),
                window_strides=(1,), padding="VALID")  # fmt: skip


def test_all_in_the_padding():
    x, w = np.ones((1, 1, 2), np.float32), np.ones((1, 1, 2), np.float32)
    native_conv(x, w, window_strides=(1,), padding=[(9, -4)])


def test_infinities_and_nan():
    x, w = numbers(np.random.default_rng(0), 1, 2, 40), numbers(np.random.default_rng(1), 3, 2, 3)
    x[0, 0, 3], x[0, 1, 20], x[0, 0, 35] = np.inf, np.nan, -np.inf
    native_conv(x, w, window_strides=(1,), padding="VALID")


# ------------------------------------------------------------- within other programs


def network(params, x):
    (w1, b1), (w2, b2), w3 = params
    numbers_ = ("NHWC", "HWIO", "NHWC")
    h = lax.conv_general_dilated(x, w1, (1, 1), "SAME", dimension_numbers=numbers_) + b1
    h = jnp.maximum(h, 0)
    h = lax.conv_general_dilated(h, w2, (2, 2), "SAME", dimension_numbers=numbers_) + b2
    h = jnp.tanh(h)
    return jnp.sum(h.reshape(h.shape[0], -1) @ w3)


def network_values(scale=1):
    rng = np.random.default_rng(0)
    params = [
        (numbers(rng, 3, 3, 2, 5), numbers(rng, 5)),
        (numbers(rng, 3, 2, 5, 18), numbers(rng, 18)),
        numbers(rng, 4 * 4 * 18, 3),
    ]
    return params, numbers(rng, 3, 8, 7, 2)


def agree(f, *args):
    """A jitted function's result by native code and by the reference."""
    with adlib.config.override(jit_backend="native"):
        got = adlib.jit(f)(*args)
    with adlib.config.override(jit_backend="python"):
        wanted = adlib.jit(lambda *a: f(*a))(*args)
    for g, w in zip(adlib.tree.leaves(got), adlib.tree.leaves(wanted), strict=True):
        scale = float(jnp.max(jnp.abs(w)))
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5 * scale)


def test_gradient_of_a_network():
    agree(adlib.grad(network, argnums=(0, 1)), *network_values())


def test_gradient_is_native():
    params, x = network_values()
    leaves, treedef = adlib.tree.flatten(params)
    gradient = adlib.grad(lambda leaves: network(adlib.tree.unflatten(treedef, leaves), x))
    closed = adlib.make_jaxpr(lambda *leaves: gradient(list(leaves)))(*leaves)
    compiled = compile_and_compare(closed, leaves, factor=100)
    assert compiled.schedule.native


def test_optimised_code():
    rng = np.random.default_rng(0)
    for layout, outputs in (("NHWC", "HWIO"), 37), (("NHWC", "HWIO"), 64), (("NCHW", "OIHW"), 19):
        layout = (*layout, layout[0])
        x, w = arrays(rng, layout, 4, 9, outputs, (33, 30), (3, 3))
        params = dict(window_strides=(1, 1), padding="SAME", dimension_numbers=layout)
        assert not native_conv(x, w, **params).llvm.startswith(engine.QUICK)


def test_second_order():
    params, x = network_values()
    v = numbers(np.random.default_rng(9), *x.shape)
    agree(lambda x: adlib.jvp(adlib.grad(lambda x: network(params, x)), (x,), (v,))[1], x)


@pytest.mark.parametrize("in_axes", [(0, None), (None, 0), (0, 0), (1, 2)])
def test_vmap(in_axes):
    rng = np.random.default_rng(0)
    x, w = numbers(rng, 2, 3, 8), numbers(rng, 4, 3, 2)
    x = np.stack([x, x + 1, x * 2], in_axes[0]) if in_axes[0] is not None else x
    w = np.stack([w, w + 1, w * 2], in_axes[1]) if in_axes[1] is not None else w
    agree(adlib.vmap(lambda x, w: lax.conv(x, w, (1,), "SAME"), in_axes), x, w)


def test_within_loops():
    rng = np.random.default_rng(0)
    x, w = numbers(rng, 1, 3, 12), 0.2 * numbers(rng, 3, 3, 3)

    def f(x, w):
        step = lambda c, _: (jnp.tanh(lax.conv(c, w, (1,), "SAME")), c[0, 0, 0])  # noqa: E731
        return lax.scan(step, x, None, length=4)

    agree(f, x, w)
    agree(adlib.grad(lambda w: jnp.sum(f(x, w)[0])), w)

    def until(x):
        grown = lambda c: c + lax.conv(c, w, (1,), "SAME") ** 2  # noqa: E731
        return lax.while_loop(lambda c: jnp.sum(c) < 50, grown, x)

    agree(until, x)


def test_operands_that_are_views():
    rng = np.random.default_rng(0)
    x, w = numbers(rng, 7, 12, 3), numbers(rng, 4, 3, 3)

    def f(x, w):
        return lax.conv(
            x[::2, ::-1].transpose(0, 2, 1), jnp.flip(w, 2).transpose(0, 1, 2), (1,), "SAME"
        )

    agree(f, x, w)


# -------------------------------------------------------------------------- geometry


@pytest.mark.parametrize("seed", range(30))
def test_phases_meet_each_product_once(seed):
    rng = np.random.default_rng(seed)
    n, k, stride, gap, spread = (int(v) for v in rng.integers(1, 6, 5))
    low = int(rng.integers(-3, 6))
    outputs = int(rng.integers(1, 12))
    wanted = set()
    for o in range(outputs):
        for tap in range(k):
            at = o * stride + tap * spread - low
            if at % gap == 0:
                wanted.add((o, tap, at // gap))
    found = [
        (f.start + i * f.step, f.tap + t * f.tap_step, f.first + i * f.move + t * f.spread)
        for f in geometry.phases(k, outputs, stride, low, gap, spread)
        for i in range(f.size)
        for t in range(f.taps)
    ]
    assert len(found) == len(set(found)) and set(found) == wanted


def test_a_dilated_input_multiplies_no_zeros():
    x, w = np.ones((1, 8, 8, 4), np.float32), np.ones((4, 4, 4, 4), np.float32)
    compiled = native_conv(
        x, w, window_strides=(1, 1), padding=[(2, 2)] * 2, lhs_dilation=(2, 2),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    (step,) = [s for s in compiled.schedule.steps if type(s) is Library]
    found = geometry.Geometry(step.eqn).phases
    assert math.prod(len(f) for f in found) == 4
    assert all(f.taps == 2 for axis in found for f in axis)


@pytest.mark.parametrize("layout", LAYOUTS, ids="-".join)
def test_windows_of_one_element_or_of_all(layout):
    rng = np.random.default_rng(0)
    for size, taps in [((5, 6), (1, 1)), ((5, 6), (5, 6)), ((5, 6), (1, 6)), ((1, 7), (1, 1))]:
        x, w = arrays(rng, layout, 3, 4, 6, size, taps)
        compiled = native_conv(
            x, w, window_strides=(1, 1), padding="VALID", dimension_numbers=layout
        )
        product = taps != (1, 1) and layout[0][0] != "C"
        assert product != any(type(s) is Library for s in compiled.schedule.steps)
    x, w = arrays(rng, layout, 3, 4, 6, (6, 6), (1, 1))
    native_conv(x, w, window_strides=(2, 3), padding="VALID", dimension_numbers=layout)
    native_conv(x, w, window_strides=(1, 1), padding=[(0, 1)] * 2, dimension_numbers=layout)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_change_nothing(count):
    rng = np.random.default_rng(0)
    x, w = numbers(rng, 9, 20, 21, 16), numbers(rng, 3, 3, 16, 40)
    layout = ("NHWC", "HWIO", "NHWC")

    def f(x, w):
        return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=layout)

    def gradient(x, w):
        return adlib.grad(lambda x, w: jnp.sum(f(x, w) ** 2), (0, 1))(x, w)

    before = threads.count()
    try:
        threads.set_count(1)
        alone = adlib.jit(f)(x, w), adlib.jit(gradient)(x, w)
        threads.set_count(count)
        together = adlib.jit(f)(x, w), adlib.jit(gradient)(x, w)
    finally:
        threads.set_count(before)
    for a, b in zip(adlib.tree.leaves(alone), adlib.tree.leaves(together), strict=True):
        np.testing.assert_array_equal(a, b)
    agree(gradient, x, w)
