"""Dtypes and ranks that meet: what the operations are then applied to."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import make_jaxpr


def lines(function, *args):
    return [line.strip() for line in str(make_jaxpr(function)(*args)).splitlines()]


def test_rank_promotion_is_a_broadcast_in_dim():
    text = str(make_jaxpr(lambda x, b: x + b)(jnp.ones((3, 5)), jnp.ones(5)))
    assert "c:f32[1,5] = broadcast_in_dim[broadcast_dimensions=(1,)] b" in text
    assert "d:f32[3,5] = add a c" in text


def test_python_scalars_are_literals_of_the_arrays_dtype():
    assert "mul a 2.0:f32[]" in str(make_jaxpr(lambda x: x * 2)(jnp.ones(3)))
    assert "mul a 2:i32[]" in str(make_jaxpr(lambda x: x * 2)(jnp.arange(3)))
    assert "div 2.0:f32[] b" in str(make_jaxpr(lambda x: 2 / x)(jnp.arange(3)))


def test_exponents_choose_the_primitive():
    x = jnp.ones(3)
    assert "integer_pow[y=2] a" in str(make_jaxpr(lambda x: x**2)(x))
    assert "pow a 3.0:f32[]" in str(make_jaxpr(lambda x: x**3.0)(x))
    assert "pow 2.0:f32[] a" in str(make_jaxpr(lambda x: 2**x)(x))


def test_scalar_arrays_broadcast_without_an_equation():
    text = str(make_jaxpr(lambda x, s: x * s)(jnp.ones((2, 3)), jnp.ones(())))
    assert text == "{ lambda ; a:f32[2,3] b:f32[]. let c:f32[2,3] = mul a b in (c,) }"


def test_weak_arguments_of_traced_functions_are_converted():
    text = str(make_jaxpr(lambda x, w: x + w)(jnp.ones(3), 2.0))
    assert "convert_element_type[new_dtype=float32 weak_type=False] b" in text


@pytest.mark.parametrize(
    ("x", "y", "shape"),
    [((3,), (2, 1), (2, 3)), ((), (4,), (4,)), ((2, 1, 3), (5, 1), (2, 5, 3)), ((0,), (1,), (0,))],
)
def test_broadcasting(x, y, shape):
    assert jnp.add(jnp.ones(x), jnp.ones(y)).shape == shape
    assert jnp.broadcast_shapes(x, y) == shape


def test_numpy_operands_on_both_sides():
    x, n = jnp.arange(3.0), np.arange(3.0)
    for result in (x + n, n + x, x * np.float32(2), np.float64(2) * x, n - x, n / (x + 1)):
        assert isinstance(result, adlib.Array) and result.dtype == jnp.float32


def test_strict_promotion_and_rank_promotion_flags():
    with adlib.numpy_dtype_promotion("strict"):
        with pytest.raises(ValueError, match="no implicit promotion"):
            jnp.arange(3) + jnp.ones(3)
        assert (jnp.ones(3) + 1).dtype == jnp.float32
    with adlib.numpy_rank_promotion("raise"):
        with pytest.raises(ValueError, match="needs rank promotion"):
            jnp.ones((2, 3)) + jnp.ones(3)
        assert (jnp.ones((2, 3)) + 1).shape == (2, 3)
    with adlib.numpy_rank_promotion("warn"), pytest.warns(UserWarning, match="rank promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)


def test_integer_overflow():
    assert (jnp.ones(1, "uint8") * 300).item() == 300 % 256
    with pytest.raises(OverflowError, match="Python int 1099511627776 too large"):
        jnp.arange(3) + 2**40


def test_x64():
    with adlib.enable_x64(True):
        assert (jnp.arange(3) + 1.5).dtype == np.float64
        assert jnp.sin(1).dtype == np.float64
        assert jnp.arange(3).dtype == np.int64
        assert (jnp.ones(2, jnp.float32) * 2.0).dtype == np.float32
