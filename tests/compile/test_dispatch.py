"""Calls of compiled programs without Python between: which calls take that way, and what they
give there. Whatever does not fit must come back as it would have without it."""

from __future__ import annotations

import collections
import threading
import warnings

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.base.config import enable_x64
from adlib.compile import layout
from adlib.core import backend

Point = collections.namedtuple("Point", "x y")


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


def direct(f, *args, **kwargs):
    """The result of a third call, which must not have been taken apart in Python."""
    f(*args, **kwargs)
    f(*args, **kwargs)
    function = f._native
    assert function is not None, "no table was made"
    result = function(*args, **kwargs)
    assert result is not NotImplemented, "native code refused"
    return result


def refused(f, *args, **kwargs):
    return f._native(*args, **kwargs) is NotImplemented


def test_arrays_in_and_out():
    f = adlib.jit(lambda x, y: x * 2 + y)
    x, y = jnp.arange(3.0), jnp.ones(3)
    out = direct(f, x, y)
    assert type(out) is type(x) and out.aval is x.aval
    np.testing.assert_array_equal(out, [1, 3, 5])
    np.testing.assert_array_equal(x, [0, 1, 2])


def test_structures_are_taken_apart_and_put_together():
    def f(params, rest):
        (w, b), empty = params["w"], params["none"]
        assert empty is None
        return Point(w + 1, [b * 2, None, ()]), {"z": rest[0].x, "a": (rest[1] * 2, 7.0)}

    f = adlib.jit(f)
    args = ({"w": [jnp.ones(2), jnp.zeros(3)], "none": None}, (Point(jnp.ones(()), 1.0), 2.5))
    out = direct(f, *args)
    assert type(out) is tuple and type(out[0]) is Point and list(out[1]) == ["a", "z"]
    np.testing.assert_array_equal(out[0].x, [2, 2])
    assert type(out[0].y) is list and out[0].y[1:] == [None, ()]
    assert float(out[1]["z"]) == 1 and [float(v) for v in out[1]["a"]] == [5, 7]


def test_results_are_inputs_constants_and_twice_the_same():
    constant = jnp.arange(2.0)

    def f(x, y):
        z = x + y
        return x, z, z, constant, 3.0, y, constant * x

    f = adlib.jit(f)
    x, y = jnp.ones(2), jnp.full(2, 5.0)
    out = direct(f, x, y)
    wanted = [x, 6 * x, 6 * x, [0, 1], 3, y, [0, 1]]
    for got, want in zip(out, wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    assert out[4].weak_type and not out[1].weak_type


def test_numbers_of_python_are_arguments():
    f = adlib.jit(lambda x, n, r, b: (x * n + r, jnp.where(b, x, -x)))
    x = jnp.arange(3.0)
    got = direct(f, x, 3, 0.5, True)
    np.testing.assert_array_equal(got[0], [0.5, 3.5, 6.5])
    got = f._native(x, -4, 0.25, False)  # other numbers, one program
    np.testing.assert_array_equal(got[0], [0.25, -3.75, -7.75])
    np.testing.assert_array_equal(got[1], [0, -1, -2])
    with pytest.raises(OverflowError, match="too large to convert to int32"):
        f(x, 2**31, 0.5, True)
    assert refused(f, x, 2**31, 0.5, True) and refused(f, x, 2**70, 0.5, True)
    assert refused(f, x, 3.0, 0.5, True)  # a float where an int was
    assert refused(f, x, 3, 0.5, 1)


def test_other_types_are_other_programs():
    f = adlib.jit(lambda x: x + 1)
    direct(f, jnp.ones(3))
    weak = adlib.jit(lambda: 1.0)()
    assert weak.weak_type
    for x in (jnp.ones(4), jnp.ones(3, jnp.int32), jnp.ones((3, 1)), weak, jnp.float32(1)):
        assert refused(f, x)
        out = f(x)
        assert out.dtype == x.dtype and out.shape == x.shape and out.weak_type == x.weak_type
        out = direct(f, x)
        assert out.weak_type == x.weak_type
    direct(f, jnp.ones(3))  # and the first one is still known


def test_more_signatures_than_tables():
    f = adlib.jit(lambda x: x.sum())
    for n in [*range(1, 14)] * 3:
        assert float(f(jnp.ones(n))) == n
    (_, tables), *_ = f._callers.values()
    assert len(tables) == 8


def test_flags_choose_the_program():
    f = adlib.jit(lambda x: x + np.float64(1))
    x = jnp.ones(3)
    direct(f, x)
    with enable_x64(True):
        wide = jnp.ones(3)
        assert wide.dtype == np.float64
        assert direct(f, wide).dtype == np.float64
        assert f(x).dtype == np.float64  # under this flag the constant is a double
        assert f(x).dtype == np.float64
        assert f(x).dtype == np.float64
    assert f(x).dtype == np.float32
    with adlib.disable_jit():
        seen = []
        g = adlib.jit(lambda x: seen.append(type(x).__name__) or x)
        g(x), g(x), g(x)
        assert seen == ["ArrayImpl"] * 3


def test_disable_jit_reaches_functions_that_ran_before():
    seen = []
    f = adlib.jit(lambda x: seen.append(1) or x + 1)
    x = jnp.ones(2)
    direct(f, x)
    before = len(seen)
    with adlib.disable_jit():
        f(x)
    assert len(seen) == before + 1


def test_debug_nans_looks_into_functions_that_ran_before():
    f = adlib.jit(lambda x: jnp.log(x) * 0)
    direct(f, jnp.ones(2))
    f(-jnp.ones(2))
    with adlib.debug_nans(True):
        with pytest.raises(FloatingPointError, match="nan"):
            f(-jnp.ones(2))
    f(-jnp.ones(2))


def test_the_state_around_a_call_is_looked_at(monkeypatch):
    f = adlib.jit(lambda x: x + 1)
    x = jnp.ones(2)
    direct(f, x)
    with monkeypatch.context() as patch:
        patch.setattr(backend, "several", True)  # arrays may be on another device
        assert refused(f, x)
    with adlib.config.override(jax_debug_infs=True):
        assert refused(f, x)
    with adlib.config.override(jax_log_compiles=True):  # changes no program
        assert refused(f, x)  # until the key of these flags was asked for
        f(x)
        assert not refused(f, x)
        adlib.config.update("jax_enable_x64", True)
        try:
            assert refused(f, x)
        finally:
            adlib.config.update("jax_enable_x64", False)
        f(x)
        assert not refused(f, x)
    with enable_x64(True):
        assert refused(f, x)
        elsewhere = []

        def without():  # the flag is set in the other thread alone
            with adlib.config.override(jit_backend="native"):
                assert f(x).dtype == np.float32
                elsewhere.append(refused(f, x))

        thread = threading.Thread(target=without)
        thread.start()
        thread.join()
        assert elsewhere == [False]
    assert not refused(f, x)
    seen = []
    adlib.make_jaxpr(lambda y: seen.append(refused(f, x)) or y)(x)
    adlib.vmap(lambda y: seen.append(refused(f, x)) or y)(x)
    assert seen == [True, True]


def test_no_warnings_are_let_out():
    f = adlib.jit(lambda x: jnp.log(x) / x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        direct(f, jnp.zeros(3))


def test_under_transformations_nothing_is_skipped():
    f = adlib.jit(lambda x: jnp.sin(x) * x)
    x = jnp.arange(3.0)
    direct(f, x)
    np.testing.assert_allclose(
        adlib.grad(lambda x: f(x).sum())(x), np.sin(x) + x * np.cos(x), rtol=1e-6
    )
    np.testing.assert_allclose(adlib.vmap(f)(x), f(x), rtol=1e-6)
    # an argument that is a value still makes an equation while a program is written down
    assert "jit" in str(adlib.make_jaxpr(lambda y: f(x) + y)(x))
    assert "jit" in str(adlib.make_jaxpr(f)(x))


def test_static_arguments():
    calls = []

    def f(x, n, *, kind="sum"):
        calls.append((n, kind))
        return getattr(jnp, kind)(x) * n

    f = adlib.jit(f, static_argnums=1, static_argnames="kind")
    x = jnp.arange(1.0, 4.0)
    assert float(direct(f, x, 3, kind="sum")) == 18
    assert refused(f, x, 4, kind="sum") and refused(f, x, 3, kind="max")
    assert refused(f, x, 3) and refused(f, x, True, kind="sum")
    assert float(f(x, 4, kind="max")) == 12 and float(f(x, 3)) == 18
    assert float(f(x, True, kind="sum")) == 6
    assert len(calls) == 4  # every new constant, the default, and True, which is not 1


def test_keywords():
    f = adlib.jit(lambda x, y=2.0, *, z: x - y * z)
    x, z = jnp.ones(2), jnp.full(2, 3.0)
    np.testing.assert_array_equal(direct(f, x, z=z), [-5, -5])
    np.testing.assert_array_equal(direct(f, x, y=x, z=z), [-2, -2])
    np.testing.assert_array_equal(f(z=z, y=x, x=x), [-2, -2])
    np.testing.assert_array_equal(direct(f, z=z, y=x, x=x), [-2, -2])
    assert refused(f, x) and refused(f, x, x, z=z) and refused(f, x, w=z)


def test_arrays_that_native_code_does_not_read_as_they_are():
    f = adlib.jit(lambda x: x * 2)
    x = jnp.arange(6.0).reshape(2, 3)
    direct(f, jnp.ones((3, 2)))
    strided = adlib.jit(lambda x: x.T)(x)
    assert refused(f, strided) or strided._value.flags.c_contiguous
    np.testing.assert_array_equal(f(strided), np.asarray(x).T * 2)


def test_what_is_no_array_goes_the_long_way():
    f = adlib.jit(lambda x: x["a"] * 2)
    direct(f, {"a": jnp.ones(2)})
    for other in ({"a": np.ones(2, np.float32)}, collections.OrderedDict(a=jnp.ones(2))):
        np.testing.assert_array_equal(f(other), [2, 2])
        assert refused(f, other)
    assert refused(f, {"b": jnp.ones(2)}) and refused(f, {}) and refused(f, [jnp.ones(2)])
    with pytest.raises(TypeError, match="not a valid JAX type"):
        f({"a": "text"})


def test_arrays_of_numpys_are_read_where_they_are():
    f = adlib.jit(lambda x, d: x * 2 + d["a"])
    x, d = np.arange(12, dtype=np.float32).reshape(4, 3), {"a": np.ones(3, np.float32)}
    np.testing.assert_array_equal(direct(f, x, d), x * 2 + 1)
    x[0] = -5
    np.testing.assert_array_equal(f._native(x, d), x * 2 + 1)
    others = [x[:2], x.reshape(3, 4), x[::-1], x.astype(np.int32), x.astype(">f4"), x.reshape(-1)]
    others += [np.asfortranarray(x), x.astype(np.float64), jnp.asarray(x), x.view(Rows), x[:0]]
    odd = np.frombuffer(b" " + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(4, 3)
    for other in [*others, odd]:
        assert refused(f, other, d)
    for other in (np.asfortranarray(x), odd, x.astype(np.float64), x.view(Rows)):
        np.testing.assert_array_equal(f(other, d), x * 2 + 1)
    both = direct(f, jnp.asarray(x), d)
    np.testing.assert_array_equal(both, x * 2 + 1)
    assert not refused(f, x, d)


class Rows(np.ndarray):
    """A class of arrays of its own."""


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 1, 3, 2)])
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "complex64", "uint8"])
def test_arrays_of_numpys_of_all_shapes_and_types(shape, dtype):
    f = adlib.jit(lambda x: (x == x, x[None]))
    x = np.ones(shape, dtype)
    same, wider = direct(f, x)
    assert same.shape == shape and wider.shape == (1, *shape) and wider.dtype == dtype
    np.testing.assert_array_equal(wider[0], x)


def test_results_are_no_arrays_of_numpys():
    """Nothing that is given back is memory that its owner may change."""
    f = adlib.jit(lambda x: (x, x + 1, x.T, x.reshape(-1)))
    x = np.ones((3, 2), np.float32)
    for _ in range(4):
        outs = f(x)
        x[:] += 1
        for out in outs:
            assert not np.shares_memory(out._value, x)
        assert float(outs[0][0, 0]) + 1 == float(outs[1][0, 0]) == x[0, 0]


def test_arrays_of_numpys_are_not_donated():
    f = adlib.jit(lambda x: x + 1, donate_argnums=0)
    x = np.zeros(5, np.float32)
    for _ in range(4):
        np.testing.assert_array_equal(f(x), np.ones(5))
    np.testing.assert_array_equal(x, np.zeros(5))


def test_a_deleted_array_is_refused():
    f = adlib.jit(lambda x: x + 1)
    x = jnp.ones(3)
    direct(f, x)
    x.delete()
    assert refused(f, x)
    with pytest.raises(RuntimeError, match=r"Array has been deleted with shape=float32\[3\]"):
        f(x)


def test_references_are_given_back():
    import gc
    import sys

    f = adlib.jit(lambda d, n: {"x": (d["x"] + n, d["x"]), "y": [d["y"].sum()]})
    d = {"x": jnp.ones(5), "y": jnp.ones((300_000,))}
    direct(f, d, 2)
    gc.collect()
    d["z"] = np.ones(3, np.float32)
    things = (d["z"], d, d["x"], d["x"]._value, d["y"]._value, d["x"].aval, np.dtype("f4"), None, f)
    before = [sys.getrefcount(t) for t in things]
    for _ in range(1000):
        f(d, 2)
        assert refused(f, d, "2") and refused(f, {**d, "y": 1}, 2)
    gc.collect()
    after = [sys.getrefcount(t) for t in things]
    assert [abs(a - b) < 50 for a, b in zip(after, before, strict=True)] == [True] * len(things)


def test_large_results_come_from_the_pool():
    f = adlib.jit(lambda x: x + 1)
    x = jnp.zeros((600, 1000))
    out = direct(f, x)
    address = out.unsafe_buffer_pointer()
    del out
    out = f(x)
    assert out.unsafe_buffer_pointer() == address
    assert f(x).unsafe_buffer_pointer() != address  # while the first is alive


def test_temporaries_of_every_size():
    def f(x):
        y = jnp.cumsum(jnp.tanh(x) @ x.T, 0)
        return jnp.cumsum(y, 1)[::2].sum()

    for n in (8, 100, 700):
        x = jnp.asarray(np.random.default_rng(0).standard_normal((n, n)).astype(np.float32))
        g = adlib.jit(f)
        np.testing.assert_allclose(direct(g, x), f(x), rtol=1e-3)


def test_caches_can_be_cleared():
    f = adlib.jit(lambda x: x + 1)
    direct(f, jnp.ones(3))
    f.clear_cache()
    assert f._native is None and f._cache_size() == 0
    np.testing.assert_array_equal(f(jnp.ones(3)), [2, 2, 2])


def test_functions_that_say_no_are_not_asked_for_tables():
    class Node:
        def __init__(self, x):
            self.x = x

    adlib.tree_util.register_pytree_node(Node, lambda n: ((n.x,), None), lambda _, c: Node(*c))
    f = adlib.jit(lambda n: Node(n.x + 1))
    for _ in range(4):
        assert float(f(Node(jnp.float32(1))).x) == 2
    assert f._native is None


def test_methods_and_exceptions_in_the_making_of_results():
    class Pair(collections.namedtuple("Pair", "a b")):
        broken = False

        def __new__(cls, a, b):
            if cls.broken:
                raise ArithmeticError("no pair today")
            return super().__new__(cls, a, b)

    f = adlib.jit(lambda x: Pair(x, x + 1))
    x = jnp.ones(2)
    direct(f, x)
    Pair.broken = True
    with pytest.raises(ArithmeticError, match="no pair today"):
        f(x)
    Pair.broken = False
    np.testing.assert_array_equal(f(x).b, [2, 2])


def test_many_threads_meet_the_same_new_functions():
    """First calls race; then all go on calling functions of several signatures."""
    failures = []
    for round_ in range(4):
        functions = [
            adlib.jit(
                lambda x, k=k: {
                    "v": jnp.sin(x["v"]) * k
                    + lax.fori_loop(0, 50, lambda j, c: c * 0.5 + j, x["v"])
                }
            )
            for k in range(3)
        ]
        xs = [{"v": jnp.full(n, float(round_))} for n in (3, 4, 5)]
        barrier = threading.Barrier(6)

        def work(i, functions=functions, xs=xs, barrier=barrier):
            barrier.wait()
            try:
                for step in range(60):
                    k, x = (i + step) % 3, xs[(i // 2 + step) % 3]
                    got = np.asarray(functions[k](x)["v"])
                    value = np.float32(x["v"][0])
                    last = np.float32(value)
                    for j in range(50):
                        last = last * np.float32(0.5) + np.float32(j)
                    if got.shape != x["v"].shape or abs(got[0] - np.sin(value) * k - last) > 1e-3:
                        failures.append((i, step, got))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures, failures[:3]


def test_arguments_that_another_thread_throws_away():
    """While a long program runs without the lock, its arrays must not go."""
    f = adlib.jit(lambda d: lax.fori_loop(0, 3000, lambda i, c: c * 0.5 + d["x"][0], d["x"][0]))
    d = {"x": [jnp.full(500, 3.0)]}
    direct(f, d)
    assert next(iter(f._traces.values())).function.plan.releases
    running = [True]

    def replace():
        while running[0]:
            d["x"][0] = jnp.full(500, 3.0)
            np.full(500, np.nan, np.float32)  # takes memory that was just given back
            d["x"] = list(d["x"])

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _ in range(100):
            np.testing.assert_array_equal(f(d), np.full(500, 6.0))
    finally:
        running[0] = False
        thread.join()


def test_slots_are_found_where_they_are():
    class Slotted:
        __slots__ = ("a", "b")

        def __init__(self, b):
            self.a, self.b = None, b

    place = layout.slot(Slotted, "b", Slotted)
    assert place == layout.slot(Slotted, "b", Slotted) != 0
    with pytest.raises(RuntimeError, match="the slot 'c' of Slotted"):
        layout.slot(Slotted, "c", lambda v: Slotted(None))
