"""ravel_pytree: one vector of a tree, and the tree of a vector, under transformations."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.flatten_util import ravel_pytree

TREE = {"b": jnp.arange(2.0), "w": [jnp.ones((2, 2)), jnp.array(5.0)]}


def test_round_trip():
    vector, unravel = ravel_pytree(TREE)
    assert vector.tolist() == [0, 1, 1, 1, 1, 1, 5] and vector.dtype == jnp.float32
    back = unravel(2 * vector)
    assert back["b"].tolist() == [0, 2] and back["w"][0].tolist() == [[2, 2], [2, 2]]
    assert back["w"][1].shape == () and back["w"][1] == 10


def test_dtypes_are_promoted_and_restored():
    mixed = {"a": jnp.ones(2), "n": jnp.array(3, jnp.int32), "z": jnp.array([1j])}
    vector, unravel = ravel_pytree(mixed)
    assert vector.dtype == jnp.complex64
    back = unravel(vector)
    assert [back[k].dtype.name for k in "anz"] == ["float32", "int32", "complex64"]
    with pytest.raises(
        TypeError, match="given array of dtype float32, but expected dtype complex64"
    ):
        unravel(vector.real)
    numbers, _ = ravel_pytree((1, 2.5))
    assert numbers.tolist() == [1.0, 2.5]


def test_nothing_to_ravel():
    vector, unravel = ravel_pytree([])
    assert vector.shape == (0,) and unravel(vector) == []


def test_under_transformations():
    vector, unravel = ravel_pytree(TREE)

    def loss(flat):
        tree = unravel(flat)
        return jnp.sum(tree["w"][0] @ tree["b"]) * tree["w"][1]

    hessian = adlib.hessian(loss)(vector)
    assert hessian.shape == (7, 7) and np.allclose(hessian, hessian.T)
    gradient = adlib.grad(lambda t: jnp.sum(ravel_pytree(t)[0] ** 2))(TREE)
    assert gradient["b"].tolist() == [0, 2]
    rows = adlib.vmap(unravel)(jnp.stack([vector, 3 * vector]))
    assert rows["b"].tolist() == [[0, 1], [0, 3]]


@pytest.mark.parametrize("shape", [(6,), (), (7, 1, 2)])
def test_wrong_lengths_are_explained(shape):
    _, unravel = ravel_pytree(TREE)
    with pytest.raises(ValueError, match=r"a vector of length 7 is wanted, got shape"):
        unravel(jnp.ones(shape))


def test_weak_types_of_equal_leaves_are_kept():
    vector, unravel = ravel_pytree([1, 2, 3])
    assert vector.weak_type and all(x.weak_type for x in unravel(vector))
    assert not ravel_pytree((1, 2.0))[0].weak_type
    assert not ravel_pytree((1, jnp.arange(2)))[0].weak_type
