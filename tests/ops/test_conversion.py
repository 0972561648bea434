"""Conversions of dtype, bits and precision; parts of complex numbers; values passed on."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax

SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 1e20, -1e20, 300, -1, -1.7, 2.7, 3e9, -129], np.float32
)


@pytest.mark.parametrize(
    "dtype, wanted",
    [
        ("int8", [0, 127, -128, 127, -128, 127, -1, -1, 2, 127, -128]),
        ("uint8", [0, 255, 0, 255, 0, 255, 0, 0, 2, 255, 0]),
        ("int16", [0, 32767, -32768, 32767, -32768, 300, -1, -1, 2, 32767, -129]),
        ("uint16", [0, 65535, 0, 65535, 0, 300, 0, 0, 2, 65535, 0]),
        ("int32", [0, 2**31 - 1, -(2**31), 2**31 - 1, -(2**31), 300, -1, -1, 2, 2**31 - 1, -129]),
        ("uint32", [0, 2**32 - 1, 0, 2**32 - 1, 0, 300, 0, 0, 2, 3000000000, 0]),
        ("bool", [True] * 11),
    ],
)
@pytest.mark.parametrize("source", ["float32", "bfloat16"])
def test_floats_become_the_nearest_integers(dtype, wanted, source):
    x = jnp.asarray(SPECIAL).astype(source)
    if source == "bfloat16" and dtype == "uint32":
        wanted = [*wanted[:9], int(float(x[9])), 0]  # 3e9 is rounded in bfloat16
    np.testing.assert_array_equal(lax.convert_element_type(x, dtype), np.array(wanted, dtype))


def test_integers_wrap():
    given = lax.convert_element_type(jnp.array([300, -1]), "uint8")
    np.testing.assert_array_equal(given, np.array([44, 255], np.uint8))


def test_complex_to_real_warns():
    with pytest.warns(np.exceptions.ComplexWarning, match="discards the imaginary part"):
        assert lax.convert_element_type(jnp.array(1 + 2j), "float32") == 1
    with pytest.warns(np.exceptions.ComplexWarning):
        assert not lax.convert_element_type(jnp.array(2j), "bool")


def test_conversion_to_the_same_type_is_no_operation():
    x = jnp.ones(3)
    assert lax.convert_element_type(x, jnp.float32) is x
    assert not lax.convert_element_type(1.0, jnp.float32).weak_type


def test_conversion_is_narrowed_without_x64():
    assert lax.convert_element_type(1, "float64").dtype == np.float32
    with adlib.enable_x64(True):
        assert lax.convert_element_type(1, "float64").dtype == np.float64


def test_derivative_through_a_conversion_keeps_the_argument_dtype():
    grad = adlib.grad(lambda x: lax.convert_element_type(x, "bfloat16").astype("float32"))(1.5)
    assert grad.dtype == np.float32
    assert adlib.grad(lambda x: x * lax.convert_element_type(x, "int32"))(2.5) == 2


def test_bitcast():
    assert lax.bitcast_convert_type(np.float32(1), "int32") == 0x3F800000
    words = lax.bitcast_convert_type(np.float32([1, 2]), "uint8")
    np.testing.assert_array_equal(words, [[0, 0, 128, 63], [0, 0, 0, 64]])
    np.testing.assert_array_equal(lax.bitcast_convert_type(words, "float32"), [1, 2])


def test_bitcast_of_a_wrong_last_axis():
    with pytest.raises(ValueError, match="the last axis must have size 4; got shape"):
        lax.bitcast_convert_type(jnp.zeros((2, 3), "uint8"), "float32")
    with pytest.raises(TypeError, match="takes integer and floating dtypes"):
        lax.bitcast_convert_type(jnp.zeros(2, bool), "uint8")


@pytest.mark.parametrize(
    "bits, given, wanted",
    [
        ((5, 10), 1e-9, 0.0),
        ((5, 10), 65519.0, 65504.0),
        ((5, 10), 65520.0, np.inf),
        ((5, 10), 0.3, 0.300048828125),
        ((8, 7), 1.00390625, 1.0),  # a tie goes to the even neighbour
        ((8, 7), 1.01171875, 1.015625),
        ((4, 3), 239.0, 240.0),
        ((8, 23), 0.1, np.float32(0.1)),
    ],
)
def test_reduced_precision(bits, given, wanted):
    assert lax.reduce_precision(np.float32(given), *bits) == np.float32(wanted)
    assert lax.reduce_precision(np.float32(-given), *bits) == -np.float32(wanted)


def test_reduced_precision_of_special_values():
    x = np.float32([np.inf, -np.inf, np.nan, -0.0])
    given = np.asarray(lax.reduce_precision(x, 5, 10))
    np.testing.assert_array_equal(given, x)
    assert np.signbit(given[3])


def test_parts_of_infinite_complex_numbers():
    z = lax.complex(np.float32(1), np.float32(np.inf))
    assert (lax.real(z), lax.imag(z)) == (1, np.inf)
    assert lax.conj(2.0).dtype == np.complex64


def test_parts_of_real_numbers_are_refused():
    with pytest.raises(TypeError, match="real does not accept dtype float32: it takes complex"):
        lax.real(1.0)


@pytest.mark.parametrize(
    "function, gradient", [(lax.real, 1), (lax.imag, -1j), (lambda z: lax.real(lax.conj(z)), 1)]
)
def test_gradients_of_parts_follow_the_convention(function, gradient):
    """df/dx - i df/dy for real functions of x + iy."""
    assert adlib.grad(function)(2 + 3j) == gradient


def test_stop_gradient_of_a_pytree():
    def f(x):
        held = lax.stop_gradient({"a": x, "b": (x * x, 3)})
        return x * held["a"] + held["b"][0]

    assert adlib.grad(f)(3.0) == 3
    assert adlib.grad(adlib.grad(f))(3.0) == 0
    assert adlib.jvp(f, (3.0,), (1.0,))[1] == 3
    assert "stop_gradient a" in str(adlib.make_jaxpr(f)(3.0))


def test_optimization_barrier_passes_values_and_derivatives():
    def f(x, y):
        a, b = lax.optimization_barrier((x, y))
        return a * b

    assert adlib.grad(f, (0, 1))(2.0, 3.0) == (3, 2)
    assert lax.optimization_barrier(()) == ()
    out = adlib.vmap(f, (0, None))(jnp.arange(3.0), 2.0)
    np.testing.assert_array_equal(out, [0, 2, 4])


def test_printed_parameters():
    text = str(adlib.make_jaxpr(lambda x: lax.convert_element_type(x, "int32"))(1.0))
    assert "b:i32[] = convert_element_type[new_dtype=int32 weak_type=False] a" in text
