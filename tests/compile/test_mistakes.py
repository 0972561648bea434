"""What compiled functions say when they are given what they cannot take, and what is left then."""

from __future__ import annotations

import traceback

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import engine

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


@pytest.fixture
def f():
    """A jitted function that has been compiled for vectors of 3; it works after the test, too."""
    function = adlib.jit(lambda x: jnp.sin(x) * 2 + x.sum())
    x = jnp.arange(3.0)
    wanted = np.sin(np.arange(3.0)) * 2 + 3
    np.testing.assert_allclose(function(x), wanted, rtol=1e-6)
    yield function
    np.testing.assert_allclose(function(x), wanted, rtol=1e-6)


class Raises:
    def __array__(self, dtype=None, copy=None):
        raise ZeroDivisionError("no array today")


class Lies:
    aval = jnp.ones(3).aval
    _value = np.ones(2, np.int8)


class Kind(np.ndarray):
    """An ndarray of another class, with an opinion on functions and operators."""

    def __array_ufunc__(self, *args, **kwargs):
        raise AssertionError("compiled code has no business with ufuncs of arguments")

    def __array_function__(self, *args, **kwargs):
        raise AssertionError("nor with functions")


@pytest.mark.parametrize(
    "what", [Raises(), Lies(), "text", b"bytes", object(), np.array(["a"]), np.array([None])]
)
def test_what_is_no_array_is_refused(f, what):
    with pytest.raises(TypeError, match="not a valid JAX type"):
        f(what)


def test_classes_of_arrays_are_taken_as_arrays(f, tmp_path):
    plain = np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(f(plain.view(Kind)), f(plain))
    assert type(np.asarray(f(plain.view(Kind)))) is np.ndarray
    assert f(np.rec.array(plain)).shape == (3,)
    mapped = np.memmap(tmp_path / "numbers", np.float32, "w+", shape=3)
    mapped[:] = plain
    np.testing.assert_array_equal(f(mapped), f(plain))


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float16", "bool", "complex64", ">i4", "<f8"])
def test_other_types_and_shapes_are_other_programs(f, dtype):
    for shape in ((3,), (2, 3), (), (0,), (1,)):
        x = np.ones(shape, dtype)
        with adlib.config.override(jit_backend="python"):
            wanted = adlib.jit(lambda x: jnp.sin(x) * 2 + x.sum())(x)
        got = f(x)
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        np.testing.assert_allclose(got.astype("complex64"), wanted.astype("complex64"), rtol=2e-3)


def test_a_program_compiled_ahead_of_time_takes_its_own_types_only(f):
    compiled = f.lower(jnp.ones(3)).compile()
    with pytest.raises(TypeError, match=r"compiled for f32\[3\], called with f32\[4\]"):
        compiled(jnp.ones(4))
    with pytest.raises(TypeError, match=r"compiled for f32\[3\], called with i32\[3\]"):
        compiled(jnp.ones(3, int))
    with pytest.raises(TypeError, match="another structure"):
        compiled(jnp.ones(3), jnp.ones(3))
    np.testing.assert_array_equal(compiled(np.ones(3)), f(jnp.ones(3)))


def test_arrays_that_have_been_deleted(f):
    x = jnp.arange(3.0)
    x.delete()
    with pytest.raises(RuntimeError, match="Array has been deleted"):
        f(x)
    with pytest.raises(RuntimeError, match="Array has been deleted"):
        adlib.jit(lambda a, b: a + b)(jnp.ones(3), x)


def test_arrays_that_have_been_donated():
    step = adlib.jit(lambda x, y: (x + y, y), donate_argnums=0)
    x, y = jnp.zeros((300, 1000)), jnp.ones((300, 1000))
    for i in range(5):
        before, (x, y) = x, step(x, y)
        assert float(x[0, 0]) == i + 1 and float(y.sum()) == 300_000
        with pytest.raises(RuntimeError, match="Array has been deleted"):
            step(before, y)
    with pytest.raises(ValueError, match="the same array twice"):
        step(y, y)
    assert float(y.sum()) == 300_000


def test_results_are_not_the_callers_memory():
    """Writing to an argument afterwards changes no result."""
    x = np.arange(12, dtype=np.float32)
    f = adlib.jit(lambda x: (x, x.reshape(3, 4).T, x[::2], x * 1))
    results = f(x)
    x[:] = -1
    np.testing.assert_array_equal(results[0], np.arange(12))
    np.testing.assert_array_equal(results[1], np.arange(12).reshape(3, 4).T)
    np.testing.assert_array_equal(results[2], np.arange(0, 12, 2))
    for result in results:
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(result)[0] = 1


# ----------------------------------------------------------------- errors inside a call


def lines_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def user_function(x):
    raise LookupError("the user's own mistake")


def test_errors_of_callbacks_keep_their_traceback():
    @adlib.jit
    def f(x):
        y = jnp.sin(x) * 2
        z = adlib.pure_callback(user_function, adlib.ShapeDtypeStruct((3,), np.float32), y)
        return z + 1

    for _ in range(2):
        with pytest.raises(LookupError, match="the user's own mistake") as caught:
            f(jnp.ones(3))
        text = lines_of(caught.value)
        assert "in user_function" in text and "test_errors_of_callbacks_keep" in text
    np.testing.assert_allclose(adlib.jit(jnp.sin)(jnp.ones(3)), np.sin(np.ones(3)), rtol=1e-6)


def test_callbacks_that_return_the_wrong_thing():
    def call(function):
        shape = adlib.ShapeDtypeStruct((3,), np.float32)
        return adlib.jit(lambda x: adlib.pure_callback(function, shape, x * 2) + 1)

    for function in (lambda x: x[:2], lambda x: "text", lambda x: None):
        with pytest.raises((TypeError, ValueError)):
            call(function)(jnp.ones(3))
    np.testing.assert_array_equal(call(lambda x: x * 2)(jnp.ones(3)), 5)


def test_callbacks_within_loops():
    calls = []

    def note(i):
        calls.append(int(i))
        if len(calls) == 3:
            raise LookupError("the third time")

    @adlib.jit
    def f(x):
        def body(i, c):
            adlib.debug.callback(note, i)
            return c + 1

        return lax.fori_loop(0, 10, body, x)

    with pytest.raises(LookupError, match="the third time"):
        f(jnp.ones(3))
    assert calls == [0, 1, 2]


def test_callbacks_may_call_compiled_functions():
    """Also the one that is running: a program keeps no state between its allocations."""
    depth = []

    def again(x):
        depth.append(1)
        return np.asarray(f(jnp.asarray(x))) if len(depth) < 5 else np.asarray(x)

    @adlib.jit
    def f(x):
        shape = adlib.ShapeDtypeStruct((3,), np.float32)
        y = jnp.cumsum(x) @ jnp.outer(x, x) + 1
        return adlib.pure_callback(again, shape, y / jnp.sum(y)) + y * 0.5

    got = f(jnp.arange(3.0))
    depth.clear()
    with adlib.config.override(jit_backend="python"):
        again_f = f.__wrapped__
        wanted = adlib.jit(again_f)(jnp.arange(3.0))
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_nan_debugging_names_the_operation(f):
    g = adlib.jit(lambda x: jnp.log(x) * 2)
    g(jnp.ones(3))
    with adlib.config.override(jax_debug_nans=True):
        with pytest.raises(FloatingPointError, match="log"):
            g(jnp.float32([1, -1, 1]))
    assert np.isnan(g(jnp.float32([1, -1, 1]))[1])


def test_floating_point_settings_of_the_caller_are_kept(f):
    with np.errstate(all="raise"):
        f(jnp.float32([np.inf, 1e38, 0]))
        with pytest.raises(FloatingPointError):
            np.float32(1) / np.float32(0)
    with np.errstate(divide="ignore"):
        assert np.isinf(adlib.jit(lambda x: 1 / x)(jnp.zeros(2))).all()
        assert np.geterr()["divide"] == "ignore"
