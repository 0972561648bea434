"""What activation functions take: lists, integers, names of arguments."""

import numpy as np
import pytest

import adlib.numpy as jnp
from adlib import nn

STRICT = "hard_sigmoid hard_tanh identity soft_sign sparse_plus sparse_sigmoid"


@pytest.mark.parametrize("name", STRICT.split())
@pytest.mark.parametrize("x", [[1.0, 2.0], None])
def test_what_is_no_array_is_refused(name, x):
    with pytest.raises(TypeError, match=f"{name} requires ndarray or scalar arguments"):
        getattr(nn, name)(x)


def test_leaky_relu_of_integers():
    x = jnp.array([-3, 2])
    assert nn.leaky_relu(x, 2).dtype == np.int32
    np.testing.assert_array_equal(nn.leaky_relu(x, 2), [-6, 2])
    assert nn.leaky_relu(x).dtype == np.float32


def test_names_and_counts():
    assert nn.logmeanexp(x=jnp.zeros(3)) == 0
    with pytest.raises(TypeError):
        nn.one_hot(jnp.array([0]), 2.5)


def test_a_shape_of_one_axis_may_be_an_int():
    with pytest.raises(ValueError, match="1-dimensional"):
        nn.initializers.he_normal()(None, 3)
