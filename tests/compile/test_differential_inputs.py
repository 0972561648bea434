"""Compiled functions as users call them: arrays of every layout, the ends of every type's range."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.program import Compiled
from tests.compile.noise import differences

ROWS, COLUMNS = 6, 8


def both(f, *args):
    """The results of a jitted function in native code and on the reference executor."""
    results = []
    for backend in ("native", "python"):
        with adlib.config.override(jit_backend=backend):
            jitted = adlib.jit(lambda *a: f(*a))
            first = adlib.tree_util.tree_leaves(jitted(*args))
            again = adlib.tree_util.tree_leaves(jitted(*args))
            for a, b in zip(first, again, strict=True):
                np.testing.assert_array_equal(a, b)
            results.append([np.asarray(r) for r in first])
    return results


def agree(f, *args, rtol=2e-6):
    native, reference = both(f, *args)
    for a, b in zip(native, reference, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        if b.dtype.kind in "biu":
            np.testing.assert_array_equal(a, b)
        else:
            finite = np.abs(b[np.isfinite(b)])
            scale = float(finite.max()) if finite.size else 0.0
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)


# ------------------------------------------------------------------------- programs

PROGRAMS = {
    "fused": lambda x, y: (x * y + 2, (x - y).sum(0), jnp.max(x * 3, 1), jnp.tanh(x).T + y.T),
    "views": lambda x, y: (x[::-1, 1::2] + y[:, :4], x.T.reshape(-1)[3:] * 2, jnp.pad(y, 1)),
    "pieces": lambda x, y: (
        jnp.concatenate([x, y + 1]),
        jnp.cumsum(x, 1),
        x.at[jnp.array([1, 1, 5])].add(y[:3]),
        lax.dynamic_update_slice(x, y[:2, :3], (3, 2)),
    ),
    "products": lambda x, y: (x @ y.T, x.T @ y, jnp.kron(x, x[:2]) @ jnp.kron(y, y[:2]).T),
    "loops": lambda x, y: (
        lax.scan(lambda c, r: (c * 0.5 + r, c.sum()), y[0], x),
        lax.fori_loop(0, 3, lambda i, c: c + x[i], y[1]),
        lax.cond(x[0, 0] > 0, lambda a, b: a, lambda a, b: b, x, y),
    ),
    "kernels": lambda x, y: (
        jnp.sort(x * y, 1),
        jnp.linalg.cholesky(x @ x.T + 9 * jnp.eye(ROWS)),
        jnp.fft.fft(x + y),
        jnp.argsort(x, 0),
    ),
    "arguments as results": lambda x, y: (x, y, x, x.T, y.reshape(-1), x + 1),
    "nothing read": lambda x, y: (jnp.zeros(3), jnp.arange(4)),
}


def layouts():
    rng = np.random.default_rng(0)
    plain = rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    yield "plain", plain
    yield "fortran order", np.asfortranarray(plain)
    yield "backwards", plain[::-1, ::-1]
    yield "every other", np.repeat(plain, 2, 1)[:, ::2]
    yield "huge strides", np.repeat(np.repeat(plain, 64, 0), 64, 1)[::64, ::64]
    yield "overlapping", np.lib.stride_tricks.as_strided(plain, (ROWS, COLUMNS), (4, 8))
    yield "stride 0", np.broadcast_to(plain[0], plain.shape)
    yield "all strides 0", np.broadcast_to(np.float32(3), plain.shape)
    raw = np.zeros(plain.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(np.float32).reshape(plain.shape)
    misaligned[...] = plain
    assert not misaligned.flags.aligned
    yield "misaligned", misaligned
    yield "misaligned and backwards", misaligned[::-1]
    read_only = plain.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    yield "over bytes", np.frombuffer(plain.tobytes(), np.float32).reshape(plain.shape)
    yield "byte-swapped", plain.astype(">f4")
    record = np.zeros((ROWS, COLUMNS), [("tag", np.int8), ("x", np.float32)])
    record["x"] = plain
    yield "field of a record", record["x"]
    yield "subclass", plain.view(type("Kind", (np.ndarray,), {}))
    yield "matrix row", np.array(plain, ndmin=4)[0, 0]


LAYOUTS = [pytest.param(x, id=name) for name, x in layouts()]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("x", LAYOUTS)
def test_arrays_of_every_layout(x, name):
    y = np.linspace(-1, 1, ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)
    before = np.array(x)
    agree(PROGRAMS[name], x, y)
    agree(PROGRAMS[name], y, x)
    np.testing.assert_array_equal(np.array(x), before, err_msg="an argument was written to")


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("x", [p for p in LAYOUTS if p.id != "byte-swapped"])
def test_compiled_code_itself_takes_any_layout(x, name):
    """Without the copies that ``jit`` makes of arguments: kernels may return any layout."""
    y = np.linspace(-1, 1, ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)
    closed = adlib.make_jaxpr(PROGRAMS[name])(y, y)
    with np.errstate(all="ignore"):
        results = [
            np.asarray(r) for r in adlib.tree_util.tree_leaves(Compiled(closed).function(x, y))
        ]
    assert not differences(results, closed, [np.array(x), y], 12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_array_twice(name):
    x = jnp.asarray(np.random.default_rng(1).standard_normal((ROWS, COLUMNS)).astype(np.float32))
    agree(PROGRAMS[name], x, x)
    values = np.asarray(x)
    agree(PROGRAMS[name], values, values)
    agree(PROGRAMS[name], values, values[::-1])


def test_results_are_the_arguments_of_the_next_call():
    def step(x, y):
        return y * 0.9 + x.T.reshape(y.shape), x + y[::-1], x

    results = []
    for backend in ("native", "python"):
        with adlib.config.override(jit_backend=backend):
            jitted = adlib.jit(step)
            a, b = jnp.ones((4, 4)), jnp.arange(16.0).reshape(4, 4)
            for _ in range(20):
                a, b, kept = jitted(a, b)
            results.append([np.asarray(v) for v in (a, b, kept)])
    for native, reference in zip(*results, strict=True):
        np.testing.assert_allclose(native, reference, rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (0, 4), (1, 1), (2, 1, 3), (0, 0)])
def test_shapes_of_every_kind(shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    axes = tuple(range(len(shape)))

    def f(x):
        y = jnp.sin(x) + 1
        found = [y, y.sum(), y.sum(axes[-1:]), jnp.prod(y, axes[:1]), y.reshape(-1), y.T]
        found += [jnp.concatenate([y.reshape(-1)] * 2), y.reshape(-1) @ y.reshape(-1)]
        found += [y[..., None] * jnp.ones(3), jnp.cumsum(y.reshape(-1)), jnp.sort(y.reshape(-1))]
        return found

    agree(f, x)
    if 0 not in shape:
        agree(adlib.grad(lambda x: sum(jnp.sum(v) for v in f(x))), x)


# ----------------------------------------------------------------- ends of the ranges

INTS = [np.dtype(d) for d in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()]


def extremes(dtype):
    info = np.iinfo(dtype)
    found = [info.min, info.max, info.max // 2, info.max // 2 + 1, 0, 1, 2, 3, 7, 8, 31, 63]
    if info.min:
        found += [-1, -2, info.min + 1, -8]
    return np.array([n for n in found if info.min <= n <= info.max], dtype)


def pairs(values):
    a, b = np.meshgrid(values, values)
    return np.ascontiguousarray(a), np.ascontiguousarray(b)


@pytest.mark.parametrize("dtype", INTS, ids=str)
def test_ends_of_integers(dtype):
    def f(x, y):
        binary = (lax.add, lax.sub, lax.mul, lax.div, lax.rem, lax.max, lax.min)
        shifts = (lax.shift_left, lax.shift_right_logical, lax.shift_right_arithmetic)
        others = (jnp.floor_divide, jnp.remainder, jnp.fmod, jnp.left_shift, jnp.right_shift)
        compared = [getattr(lax, n)(x, y) for n in "eq ne lt le gt ge".split()]
        unary = [-x, abs(x), lax.sign(x), lax.population_count(x), lax.clz(x), ~x, x**3]
        found = [op(x, y) for op in (*binary, *shifts, *others)]
        sums = [x.sum(), x.prod(0), x.max(1), x.min(), jnp.cumsum(x, 1), x @ y.T]
        return [*found, *compared, *unary, *sums, lax.clamp(y, x, x.T)]

    with adlib.enable_x64(dtype.itemsize == 8):
        agree(f, *pairs(extremes(dtype)))


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 0.49999997, 1e-45, -1e-40, 1e-38, 3.4e38]
SPECIAL += [-3.4e38, 127.5, 128.0, -128.5, 255.9, 256.0, -0.9, 32767.5, 65535.5, 2147483520.0]
SPECIAL += [2147483648.0, -2147483648.0, -2147483904.0, 4294967040.0, 4294967296.0, 9.3e18]
SPECIAL += [9.223372e18, 1.8e19, 1.8446744e19, 1e30, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("target", [*INTS, np.dtype(bool), np.dtype(np.float32)], ids=str)
@pytest.mark.parametrize("source", [np.float32, np.float64])
def test_conversion_of_floats(source, target):
    with adlib.enable_x64():
        x = np.array(SPECIAL).astype(source)
        agree(lambda x: lax.convert_element_type(x, target), x)
        # long enough for vectors
        agree(lambda x: lax.convert_element_type(x * 1, target), np.tile(x, 9))


@pytest.mark.parametrize("source", INTS, ids=str)
def test_conversion_of_integers(source):
    targets = [*INTS, np.dtype(bool), np.dtype(np.float32), np.dtype(np.float64)]
    with adlib.enable_x64():
        x = np.tile(extremes(source), 5)
        agree(lambda x: [lax.convert_element_type(x, t) for t in targets], x, rtol=0)


_OPS = [operator.add, operator.sub, operator.mul, operator.truediv, lax.max, lax.min, lax.rem]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_floats(dtype):
    """Exact operations have the reference's bits, signs of zeros and subnormals included."""
    with adlib.enable_x64():
        with np.errstate(all="ignore"):
            x, y = pairs(np.array(SPECIAL).astype(dtype))

        def f(x, y):
            found = [op(x, y) for op in _OPS]
            found += [-x, abs(x), lax.sign(x), lax.floor(x), lax.ceil(x), lax.sqrt(x), x * x]
            found += [lax.round(x), lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)]
            found += [lax.is_finite(x), lax.clamp(y, x, x.T), jnp.where(x < y, x, y)]
            found += [getattr(lax, n)(x, y) for n in "eq ne lt le gt ge".split()]
            return found

        native, reference = both(f, x, y)
        for i, (a, b) in enumerate(zip(native, reference, strict=True)):
            bits = a.view(f"u{a.dtype.itemsize}") == b.view(f"u{b.dtype.itemsize}")
            # which NaN is nobody's promise, nor which zero max and min choose
            fine = bits | ((a != a) & (b != b)) | ((a == 0) & (b == 0) & (i in (4, 5, 17)))
            assert fine.all(), (i, x[~fine][:5], y[~fine][:5], a[~fine][:5], b[~fine][:5])


@pytest.mark.parametrize("n", [1, 3, 31, 64, 2500])
def test_reductions_of_special_floats(n):
    rng = np.random.default_rng(n)
    base = rng.standard_normal((7, n)).astype(np.float32)
    for special in (np.nan, np.inf, -np.inf, -0.0):
        x = base.copy()
        x[::2, n // 2] = special
        agree(
            lambda x: (
                [op(x, 1) for op in (jnp.sum, jnp.max, jnp.min, jnp.argmax, jnp.argmin)],
                [op(x, 0) for op in (jnp.sum, jnp.max, jnp.min, jnp.argmax, jnp.argmin)],
                (jnp.cumsum(x, 1), lax.cummax(x, 1), lax.cummin(x, 1), jnp.any(x > 0, 1)),
                (jnp.isnan(x).sum(), jnp.nanmax(x, 1), x @ jnp.ones(n), jnp.ones(7) @ x),
            ),
            x,
            rtol=2e-5,
        )
