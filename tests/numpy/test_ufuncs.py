"""Values of elementwise functions, against NumPy."""

import numpy as np
import pytest

import adlib.numpy as jnp

FLOATS = np.array([-2.5, -1.5, -1.0, -0.5, -0.0, 0.0, 0.3, 1.0, 2.5, 7.0], np.float32)
SPECIAL = np.array([np.nan, np.inf, -np.inf, 1.0, -0.0], np.float32)
UNIT = np.linspace(-0.9, 0.9, 7, dtype=np.float32)
ABOVE_ONE = np.linspace(1.1, 5, 5, dtype=np.float32)
INTS = np.array([-7, -3, -1, 0, 1, 2, 5], np.int32)
COMPLEX = np.array([1 + 2j, -0.5 + 0.25j, 3j, -1.0], np.complex64)

UNARY = {
    "abs fabs negative positive square sign floor ceil trunc rint cbrt exp exp2 expm1 sin cos tan "
    "arctan sinh cosh tanh arcsinh deg2rad rad2deg isnan isinf isfinite isposinf isneginf "
    "signbit sinc logical_not nan_to_num spacing": [FLOATS, SPECIAL],
    "sqrt log log2 log10 log1p reciprocal i0": [np.abs(FLOATS) + 0.1],
    "arcsin arccos arctanh": [UNIT],
    "arccosh": [ABOVE_ONE],
    "abs negative square exp log sqrt sin cos tan tanh sinh cosh conjugate real imag angle "
    "arctan isreal iscomplex reciprocal isnan isinf isfinite expm1 log1p sign": [COMPLEX],
    "invert bitwise_count abs sign negative square": [INTS],
}
BINARY = {
    "add subtract multiply divide maximum minimum arctan2 hypot copysign heaviside fmax fmin "
    "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor "
    "logaddexp logaddexp2 nextafter floor_divide remainder fmod": (FLOATS, FLOATS[::-1] + 0.25),
    "add subtract multiply divide floor_divide remainder fmod maximum minimum": (
        INTS, np.array([2, -2, 3, 5, -1, 4, -3], np.int32),
    ),
    "bitwise_and bitwise_or bitwise_xor gcd lcm": (INTS, INTS[::-1].copy()),
    "left_shift right_shift": (INTS, np.array([0, 1, 2, 3, 1, 2, 0], np.int32)),
    "add subtract multiply divide power": (COMPLEX, COMPLEX[::-1] + 1),
    "power float_power": (np.abs(FLOATS) + 0.1, FLOATS),
}  # fmt: skip


def cases(table):
    return [(name, args) for names, args in table.items() for name in names.split()]


def close(found, wanted, rtol=2e-6):
    if isinstance(wanted, tuple):
        for f, w in zip(found, wanted, strict=True):
            close(f, w, rtol)
        return
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=rtol, atol=2e-6)


@pytest.mark.parametrize(("name", "inputs"), cases(UNARY))
def test_unary(name, inputs):
    with np.errstate(all="ignore"):
        for x in inputs:
            wanted = getattr(np, name)(x)
            if name == "spacing":
                wanted = np.copysign(wanted, x)
            close(getattr(jnp, name)(jnp.array(x)), wanted)


@pytest.mark.parametrize(("name", "inputs"), cases(BINARY))
def test_binary(name, inputs):
    x, y = inputs
    with np.errstate(all="ignore"):
        close(getattr(jnp, name)(jnp.array(x), jnp.array(y)), getattr(np, name)(x, y), 5e-6)
        column = getattr(jnp, name)(jnp.array(x)[:, None], jnp.array(y))
        close(column, getattr(np, name)(x[:, None], y), 5e-6)


@pytest.mark.parametrize("name", ["divmod", "modf", "frexp"])
def test_pairs_of_results(name):
    args = (FLOATS, FLOATS[::-1] + 0.25) if name == "divmod" else (FLOATS,)
    close(getattr(jnp, name)(*map(jnp.array, args)), getattr(np, name)(*args))


def test_integer_division_by_zero_is_defined():
    x = jnp.arange(3)
    assert (jnp.floor_divide(x, 0) == jnp.array([-1, -2, -2])).all()
    assert (jnp.remainder(x, 0) == 0).all()


def test_ldexp_inverts_frexp():
    x = jnp.array([1e-40, 0.1, 3.0, 1e30, 0.0, -7.5])
    assert jnp.array_equal(jnp.ldexp(*jnp.frexp(x)), x)


@pytest.mark.parametrize("decimals", [-1, 0, 1, 3])
def test_round(decimals):
    x = np.array([0.5, 1.5, 2.25, 123.456, -7.6543], np.float32)
    close(jnp.round(jnp.array(x), decimals), np.round(x, decimals))
    if decimals <= 0:
        n = np.array([15, 25, -36], np.int32)
        close(jnp.round(jnp.array(n), decimals), np.round(n, decimals))


def test_power_by_kind_of_exponent():
    x = jnp.array([-2.0, 3.0])
    close(x**3, [-8.0, 27.0])
    close(x**-1, [-0.5, 1 / 3])
    close(x ** jnp.array([2, 3]), [4.0, 27.0])
    assert (2 ** jnp.arange(4) == jnp.array([1, 2, 4, 8])).all()
    assert bool(jnp.isnan(x**0.5)[0])
    with pytest.raises(TypeError, match="Integers cannot be raised to negative powers"):
        jnp.arange(3) ** -1


def test_isclose_and_allclose():
    a = jnp.array([1.0, jnp.inf, jnp.nan, 0.0])
    b = jnp.array([1.000001, jnp.inf, jnp.nan, 1e-9])
    assert jnp.isclose(a, b).tolist() == [True, True, False, True]
    assert jnp.isclose(a, b, equal_nan=True).all()
    assert not jnp.allclose(a, b)
    assert jnp.allclose(jnp.arange(3), jnp.arange(3.0))
    assert not jnp.allclose(jnp.array([1.0]), jnp.array([jnp.inf]))


def test_complex_numbers_are_ordered_by_parts():
    x, y = jnp.array([1 + 2j, 1 + 1j, 2.0]), jnp.array([1 + 1j, 1 + 1j, 1 + 5j])
    assert (x > y).tolist() == [True, False, True]
    assert (x <= y).tolist() == [False, True, False]


def test_methods_of_functions_of_two_arguments():
    x = jnp.array([[1.0, 2.0], [3.0, 5.0]])
    for name in ("add", "multiply", "maximum", "subtract", "logaddexp"):
        mine, numpys = getattr(jnp, name), getattr(np, name)
        close(mine.reduce(x, axis=1), numpys.reduce(np.asarray(x), axis=1))
        close(mine.accumulate(x, axis=0), numpys.accumulate(np.asarray(x), axis=0))
        close(mine.outer(x[0], x[1]), numpys.outer(np.asarray(x[0]), np.asarray(x[1])))
    close(jnp.add.at(x, 0, 1.0, inplace=False), [[2.0, 3.0], [3.0, 5.0]])
    close(jnp.add.reduceat(x[0], [0, 1]), [1.0, 2.0])
    assert isinstance(jnp.add, jnp.ufunc) and not isinstance(jnp.sin, jnp.ufunc)
