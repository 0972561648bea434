"""Arguments whose memory is given to results."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile import layout
from adlib.compile.program import Compiled


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


def repeated(f, *args, **kwargs):
    """Call often enough that the native way is taken; the last result."""
    for _ in range(3):
        fresh = adlib.tree_util.tree_map(lambda x: x + 0, (args, kwargs))
        out = f(*fresh[0], **fresh[1])
    assert f._native is not None
    return out


@pytest.mark.parametrize("size", [10, 600_000])
def test_a_result_takes_the_memory(size):
    f = adlib.jit(lambda p, g: (p - 0.5 * g, g.sum()), donate_argnums=0)
    p, g = jnp.zeros(size), jnp.ones(size)
    repeated(f, p, g)
    for step in range(1, 4):
        before, address = p, p.unsafe_buffer_pointer()
        p, total = f(p, g)
        assert before.is_deleted() and not g.is_deleted() and not p.is_deleted()
        assert p.unsafe_buffer_pointer() == address
        np.testing.assert_array_equal(p, np.full(size, -0.5 * step))
        assert float(total) == size


def test_using_it_again_is_explained():
    f = adlib.jit(lambda x: x + 1, donate_argnums=0)
    x = jnp.ones(3)
    f(x)
    assert x.is_deleted() and x.shape == (3,) and x.dtype == np.float32
    uses = [
        lambda: x + 1,
        lambda: f(x),
        lambda: float(x[0]),
        lambda: np.asarray(x),
        lambda: str(x),
        lambda: adlib.grad(lambda y: (y * x).sum())(jnp.ones(3)),
        lambda: adlib.vmap(lambda y: y + x)(jnp.ones(3)),
    ]
    for use in uses:
        with pytest.raises(RuntimeError, match=r"deleted with shape=float32\[3\](.|\n)*donated"):
            use()
    with pytest.raises(AttributeError, match="'ArrayImpl' object has no attribute 'nothing'"):
        x.nothing  # noqa: B018
    x.delete()  # once more does nothing


@pytest.mark.parametrize("size", [10, 600_000])
def test_memory_that_somebody_else_reads_is_left_alone(size):
    f = adlib.jit(lambda x: x * 2, donate_argnums=0)
    repeated(f, jnp.ones(size))
    x = jnp.ones(size)
    view = np.asarray(x)[1:4]
    half = x[: size // 2]
    out = f(x)
    assert x.is_deleted()
    np.testing.assert_array_equal(view, [1, 1, 1])
    np.testing.assert_array_equal(half, np.ones(size // 2))
    np.testing.assert_array_equal(out, np.full(size, 2))
    outside = np.ones(size, np.float32)
    shared = jnp.asarray(outside)
    f(shared)
    np.testing.assert_array_equal(outside, np.ones(size))


def test_arrays_of_numpy_and_numbers_stay():
    f = adlib.jit(lambda x, n: (x + n, n + 1), donate_argnums=(0, 1))
    x = np.ones(3, np.float32)
    for _ in range(4):
        np.testing.assert_array_equal(f(x, 1.0)[0], [2, 2, 2])
    np.testing.assert_array_equal(x, [1, 1, 1])
    one = jnp.float32(1.0)
    f(jnp.ones(3), one)
    assert float(one) == 1 and float(jnp.float32(1.0)) == 1


def test_what_reads_it_later_or_elsewhere_gets_a_copy():
    cases = [
        lambda x: x[::-1] * 2,
        lambda x: jnp.roll(x, 1),
        lambda x: x - x.mean(),
        lambda x: jnp.cumsum(x),
        lambda x: jnp.sort(x) + x,
        lambda x: (jnp.outer(x, x) @ x) / x,
        lambda x: lax.fori_loop(0, 3, lambda i, c: c * 0.5 + x, x),
        lambda x: lax.fori_loop(0, 3, lambda i, c: c.at[i].add(c[i + 1]), x),
        lambda x: jnp.sin(x * 1e6),  # may be computed again, with all cases
        lambda x: (x, x + 1),
        lambda x: (x + 1, x + 2, x[0]),
        lambda x: jnp.zeros(7),
        lambda x: jnp.where(x > 0, x[3], x),
    ]
    rng = np.random.default_rng(0)
    for case in cases:
        f = adlib.jit(case, donate_argnums=0)
        for _ in range(4):
            value = rng.standard_normal(7).astype(np.float32)
            x = jnp.asarray(value)
            wanted = adlib.jit(case)(jnp.asarray(value))
            got = f(x)
            for a, b in zip(*map(adlib.tree_util.tree_leaves, (got, wanted)), strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-5)
            assert x.is_deleted()


def test_a_loop_takes_over_its_initial_value():
    def f(x, n):
        return lax.while_loop(
            lambda c: c[1] < n, lambda c: (c[0].at[c[1]].set(1), c[1] + 1), (x, 0)
        )

    x = jnp.zeros(50)
    plain = Compiled(adlib.make_jaxpr(f)(x, 3))
    donated = Compiled(adlib.make_jaxpr(f)(x, 3), (0,))
    assert not plain.taken and len(donated.taken) == 1
    g = adlib.jit(f, donate_argnums=0)
    repeated(g, x, 3)
    address = x.unsafe_buffer_pointer()
    out, _ = g(x, 3)
    assert out.unsafe_buffer_pointer() == address and float(out.sum()) == 3


def test_structures_and_names():
    f = adlib.jit(
        lambda p, *, state, x: ({k: v + x for k, v in p.items()}, state * 2),
        donate_argnums=0,
        donate_argnames="state",
    )
    p = {"a": jnp.ones(2), "b": jnp.ones(3)}
    for _ in range(4):
        state, before = jnp.ones((2, 2)), p
        p, _ = f(p, state=state, x=1.0)
        assert before["a"].is_deleted() and before["b"].is_deleted() and state.is_deleted()
    np.testing.assert_array_equal(p["a"], [5, 5])
    by_name = adlib.jit(lambda a, b: a + b, donate_argnames="b")
    a, b = jnp.ones(2), jnp.ones(2)
    by_name(a, b)
    assert b.is_deleted() and not a.is_deleted()
    last = adlib.jit(lambda a, n, b: a + b * n, donate_argnums=-1, static_argnums=1)
    b = jnp.ones(2)
    last(a, 3, b)
    assert b.is_deleted() and not a.is_deleted()


def test_what_fits_no_result_stays_and_is_named():
    f = adlib.jit(lambda x, y: (x + 1, y.sum()), donate_argnums=(0, 1))
    x, y = jnp.ones(3), jnp.ones((4, 2))
    with pytest.warns(UserWarning, match=r"donated buffers were not usable: f32\[4,2\]"):
        f(x, y)
    assert x.is_deleted() and not y.is_deleted()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(jnp.ones(3), y)


def test_the_same_array_twice():
    f = adlib.jit(lambda x, y: x + y, donate_argnums=0)
    repeated(f, jnp.ones(3), jnp.ones(3))
    x = jnp.ones(3)
    for _ in range(2):
        with pytest.raises(ValueError, match="same array twice, and donates it: leaves 0 and 1"):
            f(x, x)
    assert not x.is_deleted()
    np.testing.assert_array_equal(f(x, x + 0), [2, 2, 2])


def test_static_arguments_have_no_memory():
    with pytest.raises(ValueError, match="static and donated: 0"):
        adlib.jit(lambda x, y: y, static_argnums=0, donate_argnums=0)
    with pytest.raises(ValueError, match="donate_argnums=.5,., but only 1 positional"):
        adlib.jit(lambda x: x, donate_argnums=5)
    f = functools.partial(adlib.jit, donate_argnums=0)(lambda x: x + 1)
    x = jnp.ones(2)
    f(x)
    assert x.is_deleted()
    assert adlib.jit(donate_argnums=0)(lambda x: x)._donate_argnums == (0,)


def test_under_transformations_and_without_jit_nothing_is_deleted():
    f = adlib.jit(lambda x: x * x, donate_argnums=0)
    x = jnp.arange(3.0)
    np.testing.assert_array_equal(adlib.grad(lambda x: f(x).sum())(x), 2 * x)
    np.testing.assert_array_equal(adlib.vmap(f)(x), x * x)
    adlib.make_jaxpr(f)(x)
    with adlib.disable_jit():
        f(x)
    assert not x.is_deleted()


def test_the_reference_executor_deletes_too():
    with adlib.config.override(jit_backend="python"):
        f = adlib.jit(lambda x: x + 1, donate_argnums=0)
        x = jnp.ones(3)
        np.testing.assert_array_equal(f(x), [2, 2, 2])
        assert x.is_deleted()


def test_where_ownership_is_found():
    found = layout.ownership()
    assert found is not None and found.base not in (found.references, layout.layout().data)
