"""vmap: axes, names, collectives."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, vmap

A = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("out", [0, 1, -1])
def test_in_and_out_axes(axis, out):
    got = vmap(lambda x: x * 2, in_axes=axis, out_axes=out)(A)
    want = np.moveaxis(np.moveaxis(A, axis, 0) * 2, 0, out)
    np.testing.assert_array_equal(got, want)


def test_unmapped_arguments_and_results():
    got, constant = vmap(lambda x, y: (x + y, 7.0), in_axes=(0, None), out_axes=(1, None))(A, 1.0)
    np.testing.assert_array_equal(got, np.moveaxis(A + 1, 0, 1))
    assert constant == 7.0


def test_axes_as_pytree_prefixes():
    params = {"w": A, "b": np.float32(2.0), "rest": (A, A)}
    axes = ({"w": 1, "b": None, "rest": 2}, None)
    got = vmap(lambda p, s: p["w"].sum() + p["b"] + p["rest"][0].sum() * s, in_axes=(axes[0], None))
    with pytest.raises(ValueError, match="inconsistent sizes"):
        got(params, 1.0)
    params["rest"] = (np.moveaxis(A, 1, 2), np.moveaxis(A, 1, 2))
    want = A.sum((0, 2)) + 2.0 + A.sum((0, 2))
    np.testing.assert_allclose(got(params, 1.0), want)


def test_none_is_an_empty_subtree_of_arguments():
    assert vmap(lambda p: p[0] * 2)((np.ones(3, "f"), None)).tolist() == [2.0, 2.0, 2.0]


def test_keyword_arguments_are_mapped_over_axis_0():
    got = vmap(lambda x, *, y: x + y)(np.ones(3, "f"), y=np.arange(3.0))
    assert got.tolist() == [1.0, 2.0, 3.0]


def test_axis_size_alone():
    got = vmap(lambda: jnp.float32(1.0), axis_size=3)()
    assert got.tolist() == [1.0, 1.0, 1.0]
    assert vmap(lambda x: x, in_axes=None, axis_size=2)(5.0).tolist() == [5.0, 5.0]


def test_nested():
    f = vmap(vmap(lambda x, y: x * y, in_axes=(None, 0)), in_axes=(0, None))
    np.testing.assert_array_equal(f(np.arange(2.0), np.arange(3.0)), np.outer([0, 1], [0, 1, 2]))


COLLECTIVES = {
    "psum": (lambda x: lax.psum(x, "i"), lambda x: np.broadcast_to(x.sum(0), x.shape)),
    "pmean": (lambda x: lax.pmean(x, "i"), lambda x: np.broadcast_to(x.mean(0), x.shape)),
    "pmax": (lambda x: lax.pmax(x, "i"), lambda x: np.broadcast_to(x.max(0), x.shape)),
    "pmin": (lambda x: lax.pmin(x, "i"), lambda x: np.broadcast_to(x.min(0), x.shape)),
    "all_gather": (lambda x: lax.all_gather(x, "i"), lambda x: np.stack([x] * len(x))),
    "axis_index": (
        lambda x: x * 0 + lax.axis_index("i"),
        lambda x: np.arange(len(x), dtype="f")[:, None] + 0 * x,
    ),
    "softmax": (
        lambda x: jnp.exp(x) / lax.psum(jnp.exp(x), "i"),
        lambda x: np.exp(x) / np.exp(x).sum(0),
    ),
}


@pytest.mark.parametrize("name", COLLECTIVES)
@pytest.mark.parametrize("jitted", [False, True])
def test_collectives(name, jitted):
    f, reference = COLLECTIVES[name]
    x = np.random.default_rng(0).standard_normal((3, 2)).astype("f")
    mapped = vmap(f, axis_name="i")
    np.testing.assert_allclose((adlib.jit(mapped) if jitted else mapped)(x), reference(x), 1e-6)


def test_psum_of_a_constant_is_the_axis_size():
    assert vmap(lambda x: x * lax.psum(1, "i"), axis_name="i")(jnp.ones(3)).tolist() == [3.0] * 3


@pytest.mark.parametrize("name", ["psum", "pmean", "pmax", "all_gather", "softmax"])
def test_collectives_are_differentiated(name):
    f, reference = COLLECTIVES[name]
    with adlib.enable_x64():
        x = jnp.asarray(np.random.default_rng(1).standard_normal((3, 2)))
        weights = jnp.asarray(
            np.random.default_rng(2).standard_normal(reference(np.asarray(x)).shape)
        )
        loss = lambda x: jnp.sum(vmap(f, axis_name="i")(x) * weights)  # noqa: E731
        g = adlib.grad(loss)(x)
        v = np.random.default_rng(3).standard_normal((3, 2))
        numeric = (float(loss(x + 1e-6 * v)) - float(loss(x - 1e-6 * v))) / 2e-6
        np.testing.assert_allclose(np.vdot(g, v), numeric, rtol=1e-5)
        np.testing.assert_allclose(adlib.jvp(loss, (x,), (jnp.asarray(v),))[1], numeric, rtol=1e-5)


def test_collectives_through_two_named_axes():
    f = lambda x: lax.psum(x, ("i", "j"))  # noqa: E731
    got = vmap(vmap(f, axis_name="j"), axis_name="i")(jnp.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(got, np.full((2, 3), 15.0))


def test_collectives_in_a_scan_within_vmap():
    def f(x):
        return lax.scan(lambda c, _: (c + lax.psum(x, "i"), None), x, None, length=2)[0]

    assert vmap(f, axis_name="i")(jnp.array([1.0, 2.0])).tolist() == [7.0, 8.0]


def test_the_axis_name_is_unbound_afterwards():
    vmap(lambda x: lax.psum(x, "i"), axis_name="i")(jnp.ones(2))
    with pytest.raises(NameError, match="unbound axis name"):
        lax.psum(jnp.ones(2), "i")
