"""Compiled programs: whatever arrays they are given, whatever happens around them."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.base.config import enable_x64
from adlib.compile import engine
from adlib.compile import program as programs
from adlib.compile.program import Compiled
from adlib.core import Primitive
from adlib.core.program import program
from tests.compile.test_every_primitive import compile_and_compare, same


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


def compiled(f, *args):
    return Compiled(adlib.make_jaxpr(f)(*args))


def several(x, y):
    scaled = x * y + 2
    return scaled, scaled.sum(0), jnp.max(scaled, 1), x.T, (x + 1).reshape(-1)[::2]


ROWS, COLUMNS = 6, 8


def odd_inputs():
    rng = np.random.default_rng(0)
    plain = rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    yield "fortran order", np.asfortranarray(plain)
    yield "backwards", plain[::-1, ::-1]
    yield "huge strides", np.repeat(np.repeat(plain, 64, 0), 64, 1)[::64, ::64]
    yield "stride 0", np.broadcast_to(plain[0], plain.shape)
    raw = np.zeros(plain.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(np.float32).reshape(plain.shape)
    misaligned[...] = plain
    assert not misaligned.flags.aligned
    yield "misaligned", misaligned
    read_only = plain.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    special = plain.copy()
    special.flat[:8] = [np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, -1e-40, 3.4e38]
    yield "special values", special
    yield "subclass", plain.view(type("Kind", (np.ndarray,), {}))


@pytest.mark.parametrize("x", [pytest.param(x, id=name) for name, x in odd_inputs()])
def test_arrays_of_every_kind(x):
    y = np.linspace(-1, 1, COLUMNS, dtype=np.float32)
    run = compiled(several, jnp.zeros((ROWS, COLUMNS)), jnp.zeros(COLUMNS))
    before = np.array(x)
    with np.errstate(all="ignore"):
        wanted = program(run.simplified, np)(x, y)
    same(run.function(x, y), wanted)
    np.testing.assert_array_equal(np.array(x), before, err_msg="an input was written to")


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (0, 4), (1, 1), (2, 1, 3)])
def test_shapes_of_every_kind(shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    axes = tuple(range(len(shape)))

    def f(x):
        y = x * 2 + 1
        return y, jnp.sum(y, axes), jnp.sum(y, axes[-1:]), jnp.prod(y, axes[:1]), y.reshape(-1)

    closed = adlib.make_jaxpr(f)(jnp.asarray(x))
    compile_and_compare(closed, [x])


def test_results_are_written_whole(monkeypatch):
    """Memory of results and temporaries starts as NaN: what is not written shows."""

    def poisoned(shape, dtype, size=0):
        return np.full(shape, np.nan if dtype.kind == "f" else 85, dtype)

    x = jnp.asarray(np.random.default_rng(0).standard_normal((30, 20)).astype(np.float32))

    def f(x):
        a = jnp.tanh(x) @ x.T
        b = jnp.concatenate([a, a + 1]).sum(0)
        c = adlib.lax.scan(lambda c, r: (c + r, c * 2), jnp.zeros(20), x)
        return a, b, c, jnp.cumsum(x, 0), jnp.pad(x, 2), x[3:5] * 2

    run = compiled(f, x)
    names = run.function.__globals__
    monkeypatch.setitem(names, "empty", poisoned)
    monkeypatch.setitem(names, "take", poisoned)
    same(run.function(x._value), program(run.simplified, np)(x._value))


def test_scalars_are_no_arrays():
    run = compiled(lambda x, y: x * y, jnp.float32(1), jnp.ones(3))
    (got,) = run.function(np.float32(2), np.ones(3, np.float32))
    np.testing.assert_array_equal(got, np.full(3, 2, np.float32))


def test_results_may_be_inputs_constants_and_views():
    constant = jnp.arange(3.0)

    def f(x):
        return x, x, 2.0, constant, jnp.broadcast_to(x, (2, 3)), constant + x

    x = jnp.ones(3)
    compile_and_compare(adlib.make_jaxpr(f)(x), [x._value])


def test_large_results_reuse_memory_only_when_free():
    f = adlib.jit(lambda x: x + 1)
    x = jnp.zeros((600, 1000))
    first = f(x)
    second = f(first)
    assert float(first.sum()) == 600_000 and float(second.sum()) == 1_200_000
    address = second.unsafe_buffer_pointer()
    row = np.asarray(second)[5]  # a view keeps the memory
    del second
    third = f(x)
    assert third.unsafe_buffer_pointer() != address
    assert row[0] == 2
    address = third.unsafe_buffer_pointer()
    del third
    assert f(x).unsafe_buffer_pointer() == address


def test_many_threads():
    f = adlib.jit(lambda x: (jnp.sin(x) @ x.T, x.sum()))
    xs = [jnp.full((64, 64), float(i)) for i in range(8)]
    wanted = [f(x) for x in xs]
    failures = []

    def work(i):
        for _ in range(50):
            got = f(xs[i])
            if not all(np.array_equal(g, w) for g, w in zip(got, wanted[i], strict=True)):
                failures.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_same_bits_at_every_run():
    x = jnp.asarray(np.random.default_rng(1).standard_normal(100_001).astype(np.float32))
    f = adlib.jit(lambda x: (jnp.sum(jnp.exp(x)), jnp.cos(x)))
    first = [np.asarray(r).tobytes() for r in f(x)]
    for _ in range(5):
        assert [np.asarray(r).tobytes() for r in f(x)] == first


# ------------------------------------------------------------------ what fails


def test_a_failure_of_the_compiler_loses_no_result(monkeypatch):
    def broken(closed, *_):
        raise RuntimeError("no such register")

    monkeypatch.setattr(programs, "Compiled", broken)
    f = adlib.jit(lambda x: jnp.sin(x) + 1)
    with pytest.warns(RuntimeWarning, match="compiler failed .RuntimeError: no such register") as w:
        result = f(jnp.arange(3.0))
    np.testing.assert_allclose(result, np.sin(np.arange(3)) + 1, rtol=1e-6)
    assert len(w) == 1 and "sin" in str(w[0].message) and "report" in str(w[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(jnp.arange(3.0))


def test_mistakes_in_a_users_kernel_are_the_users():
    double = Primitive("double_by_hand")
    double.def_abstract_eval(lambda x: x)
    f = adlib.jit(lambda x: double.bind(x) + 1)
    with pytest.raises(NotImplementedError, match="double_by_hand"):
        f(jnp.ones(3))
    double.def_impl(lambda x: x * 2)
    np.testing.assert_array_equal(adlib.jit(lambda x: double.bind(x) + 1)(jnp.ones(3)), 3)


def test_a_users_kernel_may_return_another_type():
    odd = Primitive("odd_by_hand")
    odd.def_abstract_eval(lambda x: x)
    odd.def_impl(lambda x: 7)
    np.testing.assert_array_equal(adlib.jit(lambda x: odd.bind(x) + 1)(jnp.ones(3)), 8)


def test_errors_in_kernels_reach_the_user():
    wrong = Primitive("wrong_by_hand")
    wrong.def_abstract_eval(lambda x: x)

    def fails(x):
        raise ZeroDivisionError("in the kernel")

    wrong.def_impl(fails)
    with pytest.raises(ZeroDivisionError, match="in the kernel"):
        adlib.jit(lambda x: wrong.bind(x * 2) + 1)(jnp.ones(3))


def test_an_unknown_backend_is_explained():
    with adlib.config.override(jit_backend="quick"):
        with pytest.raises(ValueError, match=r"jit_backend.*'auto', 'native' or 'python'.*'quick'"):
            adlib.jit(lambda x: x + 1)(jnp.ones(3))


# ---------------------------------------------------------------- chains of steps


def test_long_programs():
    def f(x):
        for i in range(1500):
            x = x * 1.0001 + i * 1e-5
        return x

    x = jnp.ones(5)
    compile_and_compare(adlib.make_jaxpr(f)(x), [x._value], factor=50)


def test_wide_integers():
    with enable_x64(True):
        x = jnp.asarray(np.array([2**62, -(2**63), -1, 0, 5], np.int64))

        def f(x):
            return x + x, x * 3, -x, abs(x), x // 3, x % 7, x >> 62, x.sum(), x.max(), x.min()

        compile_and_compare(adlib.make_jaxpr(f)(x), [x._value])


def test_long_programs_that_do_little_are_not_optimised():
    def chain(x):
        for _ in range(300):
            x = jnp.sin(x) * 1.01
        return x

    quick = compiled(chain, jnp.ones(3))
    assert quick.llvm.startswith(engine.QUICK)
    assert not compiled(jnp.sin, jnp.ones((1000, 1000))).llvm.startswith(engine.QUICK)
    spinning = compiled(
        lambda x: adlib.lax.while_loop(lambda v: v < 5, lambda v: v + 1, x), jnp.float32(0)
    )
    assert not spinning.llvm.startswith(engine.QUICK)


def test_methods_of_traced_arrays():
    x = jnp.arange(6.0)
    got = adlib.jit(lambda x: (x.var(), x.std(), x.mean()))(x)
    np.testing.assert_allclose(got, [np.var(x), np.std(x), np.mean(x)], rtol=1e-6)
