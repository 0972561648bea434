"""What random programs, guards and odd arguments brought to light, each as small as it gets."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.program import Compiled
from adlib.compile.simplify import simplify
from adlib.core.program import program


def compiled_is_reference(f, *args, x64=False):
    """The results, which have to agree to the bit."""
    with adlib.enable_x64(x64):
        closed = adlib.make_jaxpr(f)(*args)
        values = [np.asarray(jnp.asarray(a)) for a in args]
        with np.errstate(all="ignore"):
            got = Compiled(closed).function(*values)
            wanted = program(closed, np)(*values)
    for g, w in zip(got, wanted, strict=True):
        assert g.dtype == w.dtype
        np.testing.assert_array_equal(g, w)
    return [np.asarray(g) for g in got]


def test_bools_that_a_loop_keeps_as_constants():
    """A table of bools is bytes in memory."""
    mask = jnp.asarray(np.array([True, False, True]))
    compiled_is_reference(
        lambda x: lax.fori_loop(0, 3, lambda i, c: jnp.where(mask, c * 2, c + 1), x), np.ones(3)
    )


@pytest.mark.parametrize("source, between, target", [("int16", "float32", "uint16"),
                                                     ("int32", "float64", "int8"),
                                                     ("uint8", "float32", "int8")])  # fmt: skip
def test_integers_by_way_of_floats_stop_at_the_bounds(source, between, target):
    """Without the floats between, they would wrap around."""
    x = np.array([-3, 300, 200, 5, -1]).astype(source)

    def f(x):
        wide = lax.convert_element_type(x, between)
        return lax.convert_element_type(wide, target)

    (got,) = compiled_is_reference(f, x, x64=True)
    info = np.iinfo(target)
    np.testing.assert_array_equal(got, np.clip(x.astype(np.int64), info.min, info.max))


def test_wide_integers_are_rounded_on_the_way_through_floats():
    x = np.array([2**62 + 1, -(2**60) - 1, 3], np.int64)

    def f(x):
        return lax.convert_element_type(lax.convert_element_type(x, "float64"), "int64")

    (got,) = compiled_is_reference(f, x, x64=True)
    assert got[0] == 2**62


def test_conversions_that_lose_nothing_are_still_merged():
    def f(x):
        return lax.convert_element_type(lax.convert_element_type(x, "float32"), "int32")

    closed = simplify(adlib.make_jaxpr(f)(np.arange(4, dtype=np.int16)))
    assert [e.primitive.name for e in closed.eqns] == ["convert_element_type"]


def test_an_empty_slice_of_a_slice():
    def f(x):
        inner = lax.slice(x, (3, 2, 1), (4, 27, 2), (2, 1, 1))
        return lax.slice(inner, (1, 24, 1), (1, 25, 1))

    compiled_is_reference(f, np.zeros((4, 33, 2), np.int32))


def test_unsigned_indices_above_all_machine_integers():
    """They lie past the end, in compiled code and in kernels."""
    index = np.array([[2**64 - 2], [3], [2**63]], np.uint64)
    x = np.arange(5)
    places = lax.ScatterDimensionNumbers((), (0,), (0,))
    windows = lax.GatherDimensionNumbers((), (0,), (0,))

    def f(x, i):
        seven = jnp.full(3, 7, x.dtype)
        return [
            lax.scatter(x, i, seven, places, mode="clip"),
            lax.scatter(x, i, seven, places, mode="drop"),
            lax.gather(x, i, windows, (1,), mode="clip"),
            lax.gather(x, i, windows, (1,), mode="fill", fill_value=9),
            lax.dynamic_slice(x, (i[0, 0],), (2,)),
        ]

    clipped, dropped, taken, filled, block = compiled_is_reference(f, x, index, x64=True)
    assert clipped.tolist() == [0, 1, 2, 7, 7] and dropped.tolist() == [0, 1, 2, 7, 4]
    assert taken.tolist() == [4, 3, 4] and filled.tolist() == [9, 3, 9]
    assert block.tolist() == [3, 4]


def test_solving_leaves_the_pivots_alone():
    """SciPy's wrapper changes them while it runs; another thread may read them then."""
    a = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)
    lu, pivots, _ = lax.linalg.lu(a)
    solve = adlib.make_jaxpr(lambda b: jnp.linalg.solve(a, b))(np.ones((4, 1), np.float32))
    (solver,) = [e for e in _flat(solve.jaxpr) if e.primitive.name == "lu_solve"]
    fixed = np.asarray(pivots).copy()
    fixed.flags.writeable = False
    b = np.ones((4, 1), np.float32)
    kernel = solver.primitive.kernel(np, solver.params)
    np.testing.assert_allclose(a @ kernel(a, np.asarray(lu), fixed, b), b, atol=1e-4)
    # f2py takes an array as it is, whatever its flags say: the memory must not be the caller's
    seen = []
    original = type(fixed).copy

    class Watched(np.ndarray):
        def copy(self, *args, **kwargs):
            seen.append(1)
            return original(np.asarray(self), *args, **kwargs)

    kernel(a, np.asarray(lu), fixed.view(Watched), b)
    assert seen


def _flat(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn
        for name in ("jaxpr", "call_jaxpr"):
            if name in eqn.params:
                yield from _flat(eqn.params[name].jaxpr)


def test_loops_that_nest_deep_compile_in_time():
    """In one function, LLVM takes minutes for 40 loops within loops; this takes it a second."""

    def nest(depth):
        def body(x):
            return x

        for _ in range(depth):
            inner = body

            def body(x, inner=inner):
                return lax.while_loop(lambda c: c[0] < 5, lambda c: inner(c) + 1, x)

        return body

    closed = adlib.make_jaxpr(nest(40))(jnp.ones(3))
    run = Compiled(closed)
    (got,) = run.function(np.ones(3, np.float32))
    assert got.tolist() == [44, 44, 44]
    assert "noinline nounwind" in run.llvm


@pytest.mark.parametrize("take", [jnp.asarray, jnp.sin, adlib.jit(lambda x: x + 1)])
def test_masked_arrays_are_refused(take):
    masked = np.ma.masked_array([1.0, 2.0], [False, True])
    with pytest.raises(ValueError, match=r"(?s)masked arrays are not supported.*x.filled\(value\)"):
        take(masked)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, bool, np.float32])
def test_short_rows_of_small_keys_with_their_places(dtype):
    """Keys and places in one word: LLVM once lost the mask that takes them apart."""
    x = np.random.default_rng(0).integers(-5, 5, (33, 4, 2)).astype(dtype)
    places = np.broadcast_to(np.arange(4)[:, None], x.shape).astype(np.int32).copy()
    keys, order = compiled_is_reference(
        lambda x, i: lax.sort((x, i), dimension=1, num_keys=1), x, places
    )
    np.testing.assert_array_equal(np.take_along_axis(x, order, 1), keys)


def test_a_barrier_before_values_that_nobody_reads():
    def f(x, y):
        total, kept = lax.optimization_barrier((jnp.prod(x), y))
        return lax.pad(kept, 0.0, ((1, 1, 0),))

    compiled_is_reference(f, np.ones(3), np.ones(4))
    closed = simplify(adlib.make_jaxpr(f)(jnp.ones(3), jnp.ones(4)))
    assert [e.primitive.name for e in closed.eqns] == ["optimization_barrier", "pad"]
    assert len(closed.eqns[0].invars) == len(closed.eqns[0].outvars) == 1


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn", "float32"])
def test_nan_comes_last_in_every_type(dtype, backend):
    """NumPy does not see the NaNs of bfloat16 when it sorts."""
    x = jnp.asarray(np.array([3, np.nan, 1, 2, np.nan, 0, -1], np.float32)).astype(dtype)
    with adlib.config.override(jit_backend=backend):
        f = adlib.jit(lambda x: (jnp.sort(x), jnp.argsort(x), lax.top_k(x, 3), lax.sort((x, x))))
        ordered, places, (largest, _), (again, _) = f(x)
    wanted = np.array([-1, 0, 1, 2, 3, np.nan, np.nan])
    np.testing.assert_array_equal(ordered.astype("float32"), wanted)
    np.testing.assert_array_equal(again.astype("float32"), wanted)
    assert places.tolist() == [6, 5, 2, 3, 0, 1, 4]
    np.testing.assert_array_equal(largest.astype("float32"), [np.nan, np.nan, 3])
