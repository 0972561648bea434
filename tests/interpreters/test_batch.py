"""Vectorization: where the batch axis goes."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core, make_jaxpr, vmap
from adlib.interpreters.batch import AxisData, at_front, batch_flat, batch_jaxpr

axis = AxisData(None, 4)
m = jnp.arange(12.0).reshape(4, 3)


def test_at_front():
    assert at_front(axis, m, 0) is m or (at_front(axis, m, 0) == m).all()
    np.testing.assert_array_equal(at_front(AxisData(None, 3), m, 1), m.T)
    np.testing.assert_array_equal(at_front(axis, m[0], None), np.tile(m[0], (4, 1)))


def test_flat_interface():
    pairs = batch_flat(lambda a, b: [a + b, b, a.T, jnp.float32(1)], axis, [m, m[0]], [0, None])
    assert [d for _, d in pairs] == [0, None, 0, None]
    np.testing.assert_allclose(pairs[0][0], m + m[0])


def test_what_is_not_mapped_is_computed_once():
    closed = make_jaxpr(vmap(lambda x, y: x * jnp.sin(y), in_axes=(0, None)))(m, m[0])
    (sin,) = [e for e in closed.eqns if e.primitive.name == "sin"]
    assert sin.outvars[0].aval.shape == (3,)


def test_the_axis_is_hidden_from_the_function():
    seen = []
    vmap(lambda x: seen.append((x.shape, x.ndim, x.size, len(x))) or x, in_axes=1)(m)
    assert seen == [((4,), 1, 4, 4)]


@pytest.mark.parametrize("in_axis", [0, 1, 2, -1])
@pytest.mark.parametrize("out_axis", [0, 1, 2, -1])
def test_every_position(in_axis, out_axis):
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    f = lambda v: jnp.cumsum(v, 0) * v[0]  # noqa: E731
    got = vmap(f, in_axes=in_axis, out_axes=out_axis)(x)
    rows = [np.asarray(f(jnp.asarray(r))) for r in np.moveaxis(x, in_axis, 0)]
    np.testing.assert_allclose(got, np.stack(rows, out_axis), rtol=1e-6)


def test_nested_axes_of_one_array():
    f = vmap(vmap(lambda x, y: x * y, in_axes=(0, None)), in_axes=(None, 0))
    a, b = np.arange(3.0, dtype="f"), np.arange(4.0, dtype="f")
    np.testing.assert_allclose(f(a, b), np.outer(b, a))


def test_batching_a_jaxpr():
    closed = make_jaxpr(lambda a, b: (a + b, jnp.sin(b)))(m[0], m[0])
    batched, mask = batch_jaxpr(closed, axis, [True, False])
    assert mask == [True, False] and batched.in_avals[0].shape == (4, 3)
    assert batch_jaxpr(closed, axis, [True, False])[0] is batched
    forced, mask = batch_jaxpr(closed, axis, [True, False], True)
    assert mask == [True, True] and forced.out_avals[1].shape == (4, 3)
    some, mask = batch_jaxpr(closed, axis, [False, False], [False, True])
    assert mask == [False, True]
    for each in (batched, forced, some):
        core.check_jaxpr(each.jaxpr)


def test_a_batch_of_size_one_and_of_none():
    assert vmap(jnp.sum)(jnp.ones((1, 3))).tolist() == [3]
    assert vmap(jnp.sum)(jnp.ones((0, 3))).shape == (0,)


def test_rules_run_once_for_a_type_and_axis():
    calls = []
    p = core.Primitive("counted")
    p.def_abstract_eval(lambda x: x)
    p.def_impl(lambda x: 2 * x)

    @p.def_batch
    def _(axis, args, dims):
        calls.append((axis.size, dims))
        return p.bind(*args), dims[0]

    for _ in range(4):
        assert vmap(p.bind)(m).shape == (4, 3)
    assert len(calls) == 2
    vmap(p.bind, in_axes=1)(m)
    assert calls[-1] == (3, [1])


def test_sources_of_values_below():
    seen = []
    adlib.jit(vmap(lambda x: seen.append(jnp.sin(x)) or x))(m)
    assert "seen.append(jnp.sin(x))" in seen[0].source().text()
