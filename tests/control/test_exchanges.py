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


PAIRS, SIZES = [[0, 2], [1, 3]], [[3, 0, 1], [2]]
R = jnp.asarray(np.random.default_rng(0).permutation(32).reshape(4, 4, 2).astype(np.float32))
NR = np.asarray(R)


def _by_group(groups, per_group):
    """For each example, what ``per_group(values of its group)[its place]`` gives."""
    rows = [None] * 4
    for group in groups:
        for place, index in enumerate(group):
            rows[index] = per_group(NR[group])[place]
    return np.stack(rows)


def _parts(v):
    """What all_to_all gives the members of a group of two: axis 0 cut in two."""
    return np.concatenate([v[:, None, :2], v[:, None, 2:]], 1).swapaxes(0, 1).reshape(2, 4, 2)


GROUPS = {
    "psum": (lambda v, g: lax.psum(v, "i", axis_index_groups=g), lambda v: [v.sum(0)] * len(v)),
    "pmean": (lambda v, g: lax.pmean(v, "i", axis_index_groups=g), lambda v: [v.mean(0)] * len(v)),
    "pmax": (lambda v, g: lax.pmax(v, "i", axis_index_groups=g), lambda v: [v.max(0)] * len(v)),
    "pmin": (lambda v, g: lax.pmin(v, "i", axis_index_groups=g), lambda v: [v.min(0)] * len(v)),
    "psum of a number": (
        lambda v, g: v * lax.psum(1, "i", axis_index_groups=g), lambda v: v * len(v)),
    "all_gather": (
        lambda v, g: lax.all_gather(v, "i", axis_index_groups=g, axis=1),
        lambda v: [v.swapaxes(0, 1)] * len(v)),
    "all_gather, tiled": (
        lambda v, g: lax.all_gather(v, "i", axis_index_groups=g, tiled=True),
        lambda v: [v.reshape(-1, 2)] * len(v)),
    "all_to_all": (
        lambda v, g: lax.all_to_all(v, "i", 0, 0, axis_index_groups=g, tiled=True), _parts),
    "pswapaxes": (
        lambda v, g: lax.pswapaxes(v, "i", 1, axis_index_groups=g),
        lambda v: v.transpose(2, 1, 0)),
    "psum_scatter": (
        lambda v, g: lax.psum_scatter(v, "i", axis_index_groups=g, tiled=True),
        lambda v: v.sum(0).reshape(2, 2, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
def test_groups_of_examples(name):
    f, per_group = GROUPS[name]
    for groups in [PAIRS, SIZES] if name.startswith("p") and "s" not in name[2:] else [PAIRS]:
        wanted = _by_group(groups, per_group)
        mapped = along(lambda v, groups=groups: f(v, groups))
        np.testing.assert_allclose(mapped(R), wanted, rtol=1e-6)
        np.testing.assert_allclose(jit(mapped)(R), wanted, rtol=1e-6)
        check_grads(mapped, (R,), order=1)
        outer = vmap(mapped)(jnp.stack([R, R]))
        np.testing.assert_allclose(outer[1], wanted, rtol=1e-6)


def test_a_constant_in_groups():
    count = along(lambda v: v * 0 + lax.psum(1, "i", axis_index_groups=SIZES))(jnp.arange(4))
    assert count.tolist() == [3, 3, 1, 3]
    mean = along(lambda v: lax.pmean(v, "i", axis_index_groups=SIZES))(jnp.arange(4))
    assert mean.tolist() == pytest.approx([4 / 3, 4 / 3, 2, 4 / 3])


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
        (lambda v: lax.psum_scatter(v, "i", axis_index_groups=[[0]]), ValueError, "0 to 2; got"),
        (lambda v: lax.psum(v, "i", axis_index_groups=[[0, 1], [1, 2]]), ValueError, "once"),
        (
            lambda v: lax.all_gather(v, "i", axis_index_groups=[[0, 1], [2]]),
            ValueError,
            "of the same size",
        ),
        (
            lambda v: lax.psum(v, ("i", "i"), axis_index_groups=[[0, 1, 2]]),
            ValueError,
            "one axis name only",
        ),
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
