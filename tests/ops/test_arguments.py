"""What the operations take and refuse: forms of arguments, and the classes of errors."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

X = jnp.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "name", "cbrt cos exp exp2 expm1 log log1p logistic rsqrt sin sqrt tan tanh".split()
)
def test_accuracy_is_taken_and_changes_nothing(name):
    function = getattr(lax, name)
    assert function(0.5, accuracy=None) == function(0.5)


def test_names_of_operands():
    assert lax.concatenate(operands=[X, X], dimension=0).shape == (4, 3)
    assert lax.stack(operands=[X, X]).shape == (2, 2, 3)
    summed = lax.reduce(operands=X, init_values=0.0, computation=lax.add, dimensions=(1,))
    np.testing.assert_array_equal(summed, [3.0, 12.0])


def test_switch_takes_an_operand_by_keyword():
    branches = [lambda x: x, lambda x: -x]
    assert lax.switch(1, branches, operand=2.0) == -2
    with pytest.raises(TypeError, match="operand= was given besides positional operands"):
        lax.switch(1, branches, 3.0, operand=2.0)


def test_a_shape_of_one_axis_may_be_an_int():
    np.testing.assert_array_equal(lax.full(2, 7), [7, 7])
    assert lax.full(0, 2.5, jnp.int32).shape == (0,)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.bool_])
def test_infinities_begin_windows_of_integers(dtype):
    x = np.array([3, 0, 2, 1]).astype(dtype)
    for operation, start in ((lax.max, -np.inf), (lax.min, np.inf)):
        found = lax.reduce_window(jnp.asarray(x), start, operation, (2,), (2,), "VALID")
        reduce = np.max if operation is lax.max else np.min
        np.testing.assert_array_equal(found, reduce(x.reshape(2, 2), axis=1))
    with pytest.raises(TypeError, match="init_value must be a scalar of the operand's dtype"):
        lax.reduce_window(jnp.asarray(x), 0.5, lax.max, (2,), (2,), "VALID")


REFUSED = [
    (lambda: lax.expand_dims(X, (5,)), ValueError, r"must be different axes of the result"),
    (lambda: lax.expand_dims(X, (0, 0)), ValueError, r"must be different axes of the result"),
    (lambda: lax.squeeze(X[None], (0, 0)), ValueError, r"dimensions \(0, 0\) name an axis twice"),
    (lambda: lax.iota(jnp.int32, -1), TypeError, r"sizes must be at least 0, got the shape \(-1,"),
    (lambda: lax.associative_scan(lax.add, 1.0), ValueError, "axis 0 is out of bounds"),
    (lambda: lax.index_in_dim(X, 1, 2), IndexError, "axis 2 is out of bounds"),
    (lambda: lax.index_in_dim(X, 1, 2), ValueError, "axis 2 is out of bounds"),
    (lambda: lax.reduce_sum(X, (5,)), IndexError, "must differ and lie in 0..1"),
    (lambda: lax.reduce_sum(X, (5,)), ValueError, "must differ and lie in 0..1"),
    (lambda: lax.top_k(X + 1j, 1), ValueError, "no largest element in dtype complex64"),
    (lambda: lax.linalg.triangular_solve(jnp.eye(3), X, left_side=True), ValueError,
     r"shapes \(3, 3\) of a and \(2, 3\) of b do not fit a x = b"),
    (lambda: lax.gather(X, jnp.ones((1, 1)), lax.GatherDimensionNumbers((1,), (0,), (0,)), (1, 3)),
     ValueError, "indices must have an integer type, not float32"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refusals(case):
    call, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        call()


def _power(x, n, flag=False):
    return x**n if flag is True and isinstance(n, int) else x


@pytest.mark.parametrize("options", [
    dict(static_argnames=("n", "flag")), dict(static_argnums=(1,), static_argnames="flag"),
])  # fmt: skip
def test_static_arguments_of_checkpoint_by_name(options):
    f = adlib.checkpoint(_power, **options)
    assert f(2.0, 3, flag=True) == 8 and adlib.grad(f)(2.0, 3, flag=True) == 12
    if "static_argnums" not in options:
        assert f(2.0, n=3, flag=True) == 8 and f(2.0, 3, True) == 8
    assert adlib.checkpoint(**options)(_power)(2.0, 3, flag=True) == 8


def test_mistakes_with_static_arguments_of_checkpoint():
    with pytest.raises(ValueError, match=r"static_argnums=\(5,\) must be positions"):
        adlib.checkpoint(_power, static_argnums=5)(2.0, 3)
    with pytest.raises(NotImplementedError, match="name the arguments that decide"):
        adlib.checkpoint(_power, concrete=True)
