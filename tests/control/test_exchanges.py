"""Collectives that move values between examples; values are those of JAX 0.10.2's pmap forms."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import jit, lax, vmap
from adlib.test_util import check_grads

M = jnp.arange(9.0).reshape(3, 3)
CUBE = jnp.arange(54.0).reshape(3, 6, 3)
N = np.asarray(M)


def along(f):
    return vmap(f, axis_name="i")


CASES = {
    "shift": (lambda v: lax.ppermute(v, "i", [(0, 1), (1, 2)]), M, [0 * N[0], N[0], N[1]]),
    "cycle": (lambda v: lax.ppermute(v, "i", [(0, 1), (1, 2), (2, 0)]), M, N[[2, 0, 1]]),
    "all_to_all": (lambda v: lax.all_to_all(v, "i", 0, 0), M, N.T),
    "all_to_all of a matrix": (
        lambda v: lax.all_to_all(v, "i", 1, 0), CUBE, np.asarray(CUBE).transpose(2, 0, 1)),
    "tiled": (
        lambda v: lax.all_to_all(v, "i", 0, 0, tiled=True), CUBE,
        np.asarray(CUBE).reshape(3, 3, 2, 3).transpose(1, 0, 2, 3).reshape(3, 6, 3)),
    "tiled across": (
        lambda v: lax.all_to_all(v, "i", 0, 1, tiled=True), CUBE,
        np.asarray(CUBE).reshape(3, 3, 2, 3).transpose(1, 2, 0, 3).reshape(3, 2, 9)),
    "pswapaxes": (lambda v: lax.pswapaxes(v, "i", 0), M, N.T),
    "psum_scatter": (lambda v: lax.psum_scatter(v, "i"), M, N.sum(0)),
    "psum_scatter along 1": (
        lambda v: lax.psum_scatter(v, "i", scatter_dimension=1), CUBE,
        np.asarray(CUBE).sum(0).T),
    "psum_scatter, tiled": (
        lambda v: lax.psum_scatter(v, "i", tiled=True), CUBE,
        np.asarray(CUBE).sum(0).reshape(3, 2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    f, x, wanted = CASES[name]
    np.testing.assert_array_equal(along(f)(x), wanted)
    np.testing.assert_array_equal(jit(along(f))(x), wanted)
    check_grads(along(f), (x,), order=2)
    outer = vmap(along(f))(jnp.stack([x, x + 1]))
    np.testing.assert_array_equal(outer[0], wanted)


def test_trees():
    out = along(lambda v: lax.ppermute({"a": v, "b": 2 * v}, "i", [(0, 1)]))(jnp.arange(3))
    assert (
        out["b"].tolist() == [0, 0, 0] and along(lambda v: lax.ppermute(v, "i", []))(M).sum() == 0
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda v: lax.ppermute(v, "i", [(0, 1), (2, 1)]), ValueError, r"\(2, 1\) is one too many"),
        (lambda v: lax.ppermute(v, "i", [(0, 1), (0, 2)]), ValueError, r"\(0, 2\) is one too many"),
        (
            lambda v: lax.ppermute(v, "i", [(0, 3)]),
            ValueError,
            "not exist; the axis .i. has 3",
        ),
        (lambda v: lax.all_to_all(v[:2], "i", 0, 0), ValueError, "axis 0 to be of size 3"),
        (lambda v: lax.all_to_all(v[:2], "i", 0, 0, tiled=True), ValueError, "a multiple of 3"),
        (lambda v: lax.psum_scatter(v[0], "i"), ValueError, r"the shape is \(\)"),
        (lambda v: lax.psum_scatter(v, "i", axis_index_groups=[[0]]), NotImplementedError, "nest"),
        (lambda v: lax.pswapaxes(v, "k", 0), NameError, "k"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        along(call)(M)


def test_platform_dependent():
    assert lax.platform_dependent(1.0, cpu=lambda x: x + 1, default=lambda x: x) == 2.0
    assert lax.platform_dependent(1.0, cuda=lambda x: x + 1, default=lambda x: x) == 1.0
    assert jit(lambda x: lax.platform_dependent(x, cpu=lambda x: 3 * x))(2.0) == 6.0
    with pytest.raises(NotImplementedError, match="no function for 'cpu' and no default"):
        lax.platform_dependent(1.0, cuda=lambda x: x)
    assert adlib.lax.dtype(jnp.int8(3)) == np.int8 and lax.dtype(float) == np.float32
