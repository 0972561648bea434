"""The standard's lists of special values: what each function gives at ±0, ±∞ and NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

INF, NAN, PI = math.inf, math.nan, math.pi
VALUES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 7.5, -7.5, INF, -INF, NAN]

# x: result. "either sign" of a zero is not left open by the standard anywhere below.
ONE = {
    "abs": [(NAN, NAN), (-0.0, 0.0), (INF, INF), (-INF, INF)],
    "acos": [(NAN, NAN), (2.0, NAN), (INF, NAN), (-2.0, NAN), (-INF, NAN), (1.0, 0.0)],
    "acosh": [(NAN, NAN), (0.5, NAN), (-1.0, NAN), (-INF, NAN), (1.0, 0.0), (INF, INF)],
    "asin": [(NAN, NAN), (2.0, NAN), (-2.0, NAN), (INF, NAN), (0.0, 0.0), (-0.0, -0.0)],
    "asinh": [(NAN, NAN), (0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)],
    "atan": [(NAN, NAN), (0.0, 0.0), (-0.0, -0.0), (INF, PI / 2), (-INF, -PI / 2)],
    "atanh": [
        (NAN, NAN),
        (-2.0, NAN),
        (2.0, NAN),
        (INF, NAN),
        (-1.0, -INF),
        (1.0, INF),
        (0.0, 0.0),
        (-0.0, -0.0),
    ],
    "ceil": [
        (INF, INF),
        (-INF, -INF),
        (0.0, 0.0),
        (-0.0, -0.0),
        (NAN, NAN),
        (-0.5, -0.0),
        (3.0, 3.0),
        (0.5, 1.0),
    ],
    "cos": [(NAN, NAN), (0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN)],
    "cosh": [(NAN, NAN), (0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, INF)],
    "exp": [(NAN, NAN), (0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0)],
    "expm1": [(NAN, NAN), (0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0)],
    "floor": [
        (INF, INF),
        (-INF, -INF),
        (0.0, 0.0),
        (-0.0, -0.0),
        (NAN, NAN),
        (0.5, 0.0),
        (-0.5, -1.0),
    ],
    "isfinite": [(INF, False), (-INF, False), (NAN, False), (0.0, True), (-3.0, True)],
    "isinf": [(INF, True), (-INF, True), (NAN, False), (0.0, False)],
    "isnan": [(NAN, True), (INF, False), (0.0, False)],
    "log": [
        (NAN, NAN),
        (-1.0, NAN),
        (-INF, NAN),
        (0.0, -INF),
        (-0.0, -INF),
        (1.0, 0.0),
        (INF, INF),
    ],
    "log10": [
        (NAN, NAN),
        (-1.0, NAN),
        (-INF, NAN),
        (0.0, -INF),
        (-0.0, -INF),
        (1.0, 0.0),
        (INF, INF),
    ],
    "log1p": [
        (NAN, NAN),
        (-2.0, NAN),
        (-INF, NAN),
        (-1.0, -INF),
        (0.0, 0.0),
        (-0.0, -0.0),
        (INF, INF),
    ],
    "log2": [
        (NAN, NAN),
        (-1.0, NAN),
        (-INF, NAN),
        (0.0, -INF),
        (-0.0, -INF),
        (1.0, 0.0),
        (INF, INF),
    ],
    "negative": [(NAN, NAN), (INF, -INF), (-INF, INF), (0.0, -0.0), (-0.0, 0.0)],
    "positive": [(NAN, NAN), (-0.0, -0.0), (INF, INF)],
    "reciprocal": [(NAN, NAN), (INF, 0.0), (-INF, -0.0), (0.0, INF), (-0.0, -INF)],
    "round": [
        (INF, INF),
        (-INF, -INF),
        (0.0, 0.0),
        (-0.0, -0.0),
        (NAN, NAN),
        (0.5, 0.0),
        (-0.5, -0.0),
        (7.5, 8.0),
    ],
    "sign": [(NAN, NAN), (0.0, 0.0), (INF, 1.0), (-INF, -1.0), (-2.0, -1.0), (0.5, 1.0)],
    "signbit": [(0.0, False), (-0.0, True), (INF, False), (-INF, True), (2.0, False), (-2.0, True)],
    "sin": [(NAN, NAN), (0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "sinh": [(NAN, NAN), (0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)],
    "sqrt": [(NAN, NAN), (-1.0, NAN), (-INF, NAN), (0.0, 0.0), (-0.0, -0.0), (INF, INF)],
    "square": [(NAN, NAN), (INF, INF), (-INF, INF), (-0.0, 0.0)],
    "tan": [(NAN, NAN), (0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "tanh": [(NAN, NAN), (0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0)],
    "trunc": [
        (INF, INF),
        (-INF, -INF),
        (0.0, 0.0),
        (-0.0, -0.0),
        (NAN, NAN),
        (0.5, 0.0),
        (-0.5, -0.0),
    ],
}


def negative(x):
    return math.copysign(1.0, x) < 0


def signed(magnitude, minus):
    return -magnitude if minus else magnitude


def _atan2(y, x):
    if y == 0:
        return signed(PI if negative(x) else 0.0, negative(y))
    if x == 0:
        return signed(PI / 2, y < 0)
    if math.isinf(x) and math.isinf(y):
        return signed(PI / 4 if x > 0 else 3 * PI / 4, y < 0)
    if math.isinf(y):
        return signed(PI / 2, y < 0)
    if math.isinf(x):
        return signed(0.0 if x > 0 else PI, y < 0)
    return None


def _divide(a, b):
    minus = negative(a) != negative(b)
    if (math.isinf(a) and math.isinf(b)) or (a == 0 and b == 0):
        return NAN
    if math.isinf(a) or b == 0:
        return signed(INF, minus)
    return signed(0.0, minus) if a == 0 or math.isinf(b) else a / b


def _floor_divide(a, b):
    quotient = _divide(a, b)
    if math.isnan(quotient):
        return NAN
    if math.isinf(a) or b == 0:
        return quotient if b == 0 else None  # of an infinity: left to the library, or NaN
    if math.isinf(b) and a != 0:
        return -1.0 if negative(a) != negative(b) else 0.0
    return quotient if a == 0 else float(math.floor(quotient))


def _remainder(a, b):
    if math.isinf(a) or b == 0:
        return NAN
    if math.isinf(b):
        return signed(0.0, negative(b)) if a == 0 else (a if negative(a) == negative(b) else b)
    r = a - b * math.floor(a / b)
    return math.copysign(r, b) if r == 0 else r


def _multiply(a, b):
    if {abs(a), abs(b)} == {0.0, INF}:
        return NAN
    return signed(abs(a) * abs(b), negative(a) != negative(b))


def _pow(x, n):
    odd = abs(n) < INF and n == int(n) and int(n) % 2 == 1
    if x == 1 or n == 0:
        return 1.0
    if math.isnan(x) or math.isnan(n):
        return NAN
    if math.isinf(n):
        if abs(x) == 1:
            return 1.0
        return INF if (abs(x) > 1) == (n > 0) else 0.0
    if math.isinf(x) or x == 0:
        large = (n > 0) == (x != 0)
        return signed(INF if large else 0.0, negative(x) and odd)
    return NAN if x < 0 and n != int(n) else x**n


def _logaddexp(a, b):
    return max(a, b) if math.isinf(a) or math.isinf(b) else None


def _hypot(a, b):
    if math.isinf(a) or math.isinf(b):  # even beside a NaN
        return INF
    return NAN if math.isnan(a) or math.isnan(b) else (abs(a) if b == 0 else None)


# Of two arguments, as functions of both; None where the standard names no value. NaN goes first.
TWO = {
    "add": lambda a, b: NAN if {a, b} == {INF, -INF} else a + b,
    "subtract": lambda a, b: NAN if math.isinf(a) and a == b else a - b,
    "multiply": _multiply,
    "divide": _divide,
    "floor_divide": _floor_divide,
    "remainder": _remainder,
    "atan2": _atan2,
    "logaddexp": _logaddexp,
    "maximum": lambda a, b: max(a, b) if a != b else None,
    "minimum": lambda a, b: min(a, b) if a != b else None,
}
EVEN_OF_NAN = {
    "hypot": _hypot,
    "pow": _pow,
    "copysign": lambda a, b: (
        abs(a) * (-1 if np.signbit(b) else 1) if not math.isnan(a) else NAN),
    "equal": lambda a, b: a == b, "not_equal": lambda a, b: a != b,
    "less": lambda a, b: a < b, "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b, "greater_equal": lambda a, b: a >= b,
    "logical_and": lambda a, b: bool(a) and bool(b),
    "logical_or": lambda a, b: bool(a) or bool(b),
    "logical_xor": lambda a, b: bool(a) != bool(b),
    "nextafter": lambda a, b: NAN if math.isnan(a) or math.isnan(b) else (b if a == b else None),
}  # fmt: skip


# Left out: (function, sign of the zero), with the reason.
ZERO_HAS_EITHER_SIGN = {
    "floor_divide": "a quotient is the difference of two numbers, as in JAX",
    "remainder": "the remainder that is zero has the dividend's sign, as in JAX",
    "logaddexp": "the logarithm of a sum is added to the larger one, as in JAX",
}


def same(found, wanted, what):
    found = np.asarray(found)[()]
    if found.dtype == bool:
        assert bool(found) == wanted, what
    elif math.isnan(wanted):
        assert np.isnan(found), what
    else:
        assert found == pytest.approx(wanted, rel=2e-6, abs=0), what
        if wanted == 0 and what.partition("(")[0] not in ZERO_HAS_EITHER_SIGN:
            assert np.signbit(found) == negative(wanted), f"sign of zero: {what}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ONE)
def test_one_argument(name, dtype):
    with adlib.enable_x64(True):
        for x, wanted in ONE[name]:
            value = jnp.asarray(x, dtype=dtype)
            same(getattr(jnp, name)(value), wanted, f"{name}({x})")
            same(adlib.jit(getattr(jnp, name))(value), wanted, f"jit({name})({x})")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*TWO, *EVEN_OF_NAN])
def test_two_arguments(name, dtype):
    wanted_of = TWO.get(name) or EVEN_OF_NAN[name]
    left, right = np.repeat(VALUES, len(VALUES)), np.tile(VALUES, len(VALUES))
    with adlib.enable_x64(True):
        args = jnp.asarray(left, dtype=dtype), jnp.asarray(right, dtype=dtype)
        for way in (getattr(jnp, name), adlib.jit(getattr(jnp, name))):
            for a, b, found in zip(left.tolist(), right.tolist(), way(*args), strict=True):
                if name in TWO and (math.isnan(a) or math.isnan(b)):
                    wanted = NAN
                else:
                    wanted = wanted_of(a, b)
                if wanted is not None:
                    same(found, wanted, f"{name}({a}, {b})")


def test_the_sign_of_a_nan_is_not_asked_for_but_may_be_read():
    assert jnp.signbit(jnp.asarray([NAN, -NAN])).tolist() == [False, True]


@pytest.mark.parametrize("name", ["min", "max", "sum", "prod", "mean", "std", "var"])
def test_reductions_carry_nan(name):
    assert np.isnan(getattr(jnp, name)(jnp.asarray([1.0, NAN, 2.0])))


def test_reductions_of_nothing():
    nothing = jnp.zeros((0,))
    assert float(jnp.sum(nothing)) == 0.0 and float(jnp.prod(nothing)) == 1.0
    assert bool(jnp.all(nothing)) is True and bool(jnp.any(nothing)) is False
    assert np.isnan(jnp.mean(nothing)) and np.isnan(jnp.var(nothing)) and np.isnan(jnp.std(nothing))
    assert np.isnan(jnp.std(jnp.ones(1), correction=1))
    for name in ("max", "min", "argmax", "argmin"):
        with pytest.raises(ValueError, match="empty|zero-size|no identity"):
            getattr(jnp, name)(nothing)


# Complex functions by the standard's lists: (z, f(z)); f(conj z) = conj f(z) for all of them.
COMPLEX = {
    "exp": [(0j, 1 + 0j), (complex(-0.0, 0.0), 1 + 0j), (complex(1, INF), complex(NAN, NAN)),
            (complex(1, NAN), complex(NAN, NAN)), (complex(INF, 0), complex(INF, 0)),
            (complex(-INF, 1), complex(0, 0)), (complex(-INF, INF), complex(0, 0)),
            (complex(NAN, 0), complex(NAN, 0)), (complex(NAN, 1), complex(NAN, NAN))],
    "log": [(complex(-0.0, 0.0), complex(-INF, PI)), (0j, complex(-INF, 0)),
            (complex(1, INF), complex(INF, PI / 2)), (complex(1, NAN), complex(NAN, NAN)),
            (complex(-INF, 1), complex(INF, PI)), (complex(INF, 1), complex(INF, 0)),
            (complex(-INF, INF), complex(INF, 3 * PI / 4)),
            (complex(INF, INF), complex(INF, PI / 4)), (complex(INF, NAN), complex(INF, NAN)),
            (complex(NAN, 1), complex(NAN, NAN)), (complex(NAN, INF), complex(INF, NAN))],
    "sqrt": [(0j, 0j), (complex(-0.0, 0.0), 0j), (complex(1, INF), complex(INF, INF)),
             (complex(NAN, INF), complex(INF, INF)), (complex(1, NAN), complex(NAN, NAN)),
             (complex(-INF, 1), complex(0, INF)), (complex(INF, 1), complex(INF, 0)),
             (complex(INF, NAN), complex(INF, NAN)), (complex(NAN, 1), complex(NAN, NAN))],
    "sinh": [(0j, 0j), (complex(1, INF), complex(NAN, NAN)), (complex(1, NAN), complex(NAN, NAN)),
             (complex(INF, 0), complex(INF, 0)), (complex(INF, 1), complex(INF, INF)),
             (complex(NAN, 0), complex(NAN, 0)), (complex(NAN, 1), complex(NAN, NAN))],
    "cosh": [(0j, 1 + 0j), (complex(1, INF), complex(NAN, NAN)),
             (complex(1, NAN), complex(NAN, NAN)),
             (complex(INF, 0), complex(INF, 0)), (complex(INF, 1), complex(INF, INF)),
             (complex(NAN, 1), complex(NAN, NAN))],
    "tanh": [(0j, 0j), (complex(1, INF), complex(NAN, NAN)), (complex(1, NAN), complex(NAN, NAN)),
             (complex(INF, 1), complex(1, 0)), (complex(INF, INF), complex(1, 0)),
             (complex(NAN, 0), complex(NAN, 0)), (complex(NAN, 1), complex(NAN, NAN))],
    "asinh": [(0j, 0j), (complex(1, INF), complex(INF, PI / 2)),
              (complex(1, NAN), complex(NAN, NAN)),
              (complex(INF, 1), complex(INF, 0)), (complex(INF, INF), complex(INF, PI / 4)),
              (complex(INF, NAN), complex(INF, NAN)), (complex(NAN, 0), complex(NAN, 0)),
              (complex(NAN, 1), complex(NAN, NAN)), (complex(NAN, INF), complex(INF, NAN))],
    "acosh": [(0j, complex(0, PI / 2)), (complex(1, INF), complex(INF, PI / 2)),
              (complex(1, NAN), complex(NAN, NAN)), (complex(-INF, 1), complex(INF, PI)),
              (complex(INF, 1), complex(INF, 0)), (complex(-INF, INF), complex(INF, 3 * PI / 4)),
              (complex(INF, INF), complex(INF, PI / 4)), (complex(INF, NAN), complex(INF, NAN)),
              (complex(NAN, 1), complex(NAN, NAN)), (complex(NAN, INF), complex(INF, NAN))],
    "acos": [(0j, complex(PI / 2, -0.0)), (complex(1, INF), complex(PI / 2, -INF)),
             (complex(1, NAN), complex(NAN, NAN)), (complex(-INF, 1), complex(PI, -INF)),
             (complex(INF, 1), complex(0, -INF)), (complex(-INF, INF), complex(3 * PI / 4, -INF)),
             (complex(INF, INF), complex(PI / 4, -INF)), (complex(NAN, 1), complex(NAN, NAN)),
             (complex(NAN, INF), complex(NAN, -INF))],
    "atanh": [(0j, 0j), (complex(0, NAN), complex(0, NAN)), (complex(1, 0), complex(INF, 0)),
              (complex(1, INF), complex(0, PI / 2)), (complex(1, NAN), complex(NAN, NAN)),
              (complex(INF, 1), complex(0, PI / 2)), (complex(INF, INF), complex(0, PI / 2)),
              (complex(INF, NAN), complex(0, NAN)), (complex(NAN, 1), complex(NAN, NAN))],
    "expm1": [(0j, 0j), (complex(-0.0, 0.0), 0j), (complex(1, INF), complex(NAN, NAN)),
              (complex(1, NAN), complex(NAN, NAN)), (complex(INF, 0), complex(INF, 0)),
              (complex(-INF, 1), complex(-1, 0)), (complex(-INF, INF), complex(-1, 0)),
              (complex(NAN, 0), complex(NAN, 0)), (complex(NAN, 1), complex(NAN, NAN))],
    "log1p": [(complex(-1, 0), complex(-INF, 0)), (complex(1, INF), complex(INF, PI / 2)),
              (complex(1, NAN), complex(NAN, NAN)), (complex(-INF, 1), complex(INF, PI)),
              (complex(INF, 1), complex(INF, 0)), (complex(-INF, INF), complex(INF, 3 * PI / 4)),
              (complex(INF, INF), complex(INF, PI / 4)), (complex(INF, NAN), complex(INF, NAN)),
              (complex(NAN, 1), complex(NAN, NAN)), (complex(NAN, INF), complex(INF, NAN))],
}  # fmt: skip


def _part(found, wanted, what):
    # cis(1) has no infinite part whose sign the list gives: INF stands for either there
    if math.isnan(wanted):
        assert np.isnan(found), what
    elif math.isinf(wanted):
        assert abs(found) == INF, what
    else:
        assert found == pytest.approx(wanted, rel=2e-6, abs=1e-12), what


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", COMPLEX)
def test_complex(name, dtype):
    with adlib.enable_x64(True):
        for z, wanted in COMPLEX[name]:
            for value, result in ((z, wanted), (z.conjugate(), wanted.conjugate())):
                found = np.asarray(getattr(jnp, name)(jnp.asarray(value, dtype=dtype)))
                for part in ("real", "imag"):
                    what = f"{name}({value}) gave {found}, wanted {result}"
                    _part(getattr(found, part), getattr(result, part), what)
