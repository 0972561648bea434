"""sin, cos and tan for all arguments.

The argument is cut into n·π/2 + r with |r| ≤ π/4, r kept in two parts. Up to some tens of
thousands a three-part π/2 is subtracted (Cody and Waite 1980). Beyond, the argument is multiplied
by the digits of 2/π that matter, found by its exponent (Payne and Hanek 1983).
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

import numpy as np

from adlib.compile.builder import FLOAT32, FLOAT64, Scalar, fma, lookup, rare, select
from adlib.compile.mathfns import tables
from adlib.compile.mathfns.formats import (
    fast_sum,
    format_of,
    nearest_integer,
    polynomial,
    quotient,
    two_product,
    two_sum,
)

_TWO_OVER_PI = 0.6366197723675814
# where the quick reduction ends; π/2 in three parts is good for much more in float64
_QUICK = {FLOAT32: 100_000.0, FLOAT64: 2.0**23}


class _Reduced:
    """The quadrant's number in the low two bits, and the angle from its middle in two parts."""

    def __init__(self, x: Scalar) -> None:
        form = format_of(x)
        size = x.constant(_QUICK[form.dtype])
        huge = ~(abs(x) <= size)
        first, second, third, _ = form.half_pi
        biased, n = nearest_integer(x, _TWO_OVER_PI)
        exact = fma(n, -first, x)
        part, missing = two_product(n, n.constant(-second))
        angle, error = two_sum(exact, part)
        tail = fma(n, -third, error + missing)
        slow = functools.cache(lambda: _reduce_huge(x))
        self.quadrant = rare(huge, lambda: slow()[0], biased).bitcast(form.bits)
        self.angle = rare(huge, lambda: slow()[1], angle)
        self.tail = rare(huge, lambda: slow()[2], tail)

    def sine(self) -> tuple[Scalar, Scalar]:
        r, t = self.angle, self.tail
        z = r * r
        cubic = r * polynomial(z, format_of(r).tables["sin"])
        return r, fma(z, cubic - 0.5 * t, t)

    def cosine(self) -> tuple[Scalar, Scalar]:
        r, t = self.angle, self.tail
        z = r * r
        half, missing = two_product(r * 0.5, r)
        first, error = fast_sum(r.constant(1.0), -half)
        quartic = z * z * polynomial(z, format_of(r).tables["cos"])
        return first, (error - missing) + (quartic - r * t)


def sin(x: Scalar) -> Scalar:
    """NaN for infinite arguments; sin(-0.0) is -0.0."""
    reduced = _Reduced(x)
    value = _in_quadrant(reduced, reduced.quadrant)
    return select(x == 0.0, x, value)


def cos(x: Scalar) -> Scalar:
    """NaN for infinite arguments."""
    reduced = _Reduced(x)
    return _in_quadrant(reduced, reduced.quadrant + 1)


def _in_quadrant(reduced: _Reduced, quadrant: Scalar) -> Scalar:
    """sin(angle + quadrant·π/2)."""
    form = format_of(reduced.angle)
    sine, sine_rest = reduced.sine()
    cosine, cosine_rest = reduced.cosine()
    odd = (quadrant & 1) != 0
    value = select(odd, cosine, sine) + select(odd, cosine_rest, sine_rest)
    sign = (quadrant & 2) << (form.dtype.itemsize * 8 - 2)
    return (value.bitcast(form.bits) ^ sign).bitcast(form.dtype)


def tan(x: Scalar) -> Scalar:
    """sin/cos, or -cos/sin in odd quadrants."""
    reduced = _Reduced(x)
    sine, sine_rest = fast_sum(*reduced.sine())
    cosine, cosine_rest = fast_sum(*reduced.cosine())
    odd = (reduced.quadrant & 1) != 0
    first, rest = quotient(
        select(odd, -cosine, sine),
        select(odd, -cosine_rest, sine_rest),
        select(odd, sine, cosine),
        select(odd, sine_rest, cosine_rest),
    )
    value = select(first == 0.0, first, first + rest)
    return select(x == 0.0, x, value)


# ------------------------------------------------------------------- huge arguments


def _reduce_huge(x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """(magic + quadrant, r, t) by multiplication with the right digits of 2/π."""
    form = format_of(x)
    nothing = x - x  # NaN for inf and NaN
    quadrant, fraction, low = (_turns32 if form.dtype == FLOAT32 else _turns64)(x)
    first, second, _, _ = format_of(fraction).half_pi
    angle, rest = two_product(fraction, fraction.constant(first))
    rest = rest + fma(fraction, second, low * first)
    if form.dtype == FLOAT32:
        narrow = (angle + rest).convert(FLOAT32)
        tail = (angle - narrow.convert(FLOAT64)) + rest
        return quadrant.convert(FLOAT32) + form.magic, narrow + nothing, tail.convert(FLOAT32)
    angle, rest = fast_sum(angle, rest)
    return quadrant + form.magic, angle + nothing, rest


def _turns32(x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """x·2/π as a whole number (modulo 4) and a fraction in two parts, in float64."""
    form = format_of(x)
    bits = x.bitcast(form.bits)
    exponent = _place(((bits >> 23) & 255), form.dtype)
    parts = [lookup(table, exponent) for table in _digits(np.dtype(np.float32))]
    # the table holds 2/π·2**(exponent) mod 4, and x its significand times the rest
    mantissa = ((bits & 0x7FFFFF) | 0x4B000000).bitcast(FLOAT32).copysign(x).convert(FLOAT64)
    product = mantissa * parts[0]
    turns = product.round_even()
    fraction = (product - turns) + mantissa * parts[1]
    more = fraction.round_even()
    fraction, low = two_sum(fraction - more, mantissa * parts[2])
    return _modulo_four(turns) + more, fraction, low


def _turns64(x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    form = format_of(x)
    bits = x.bitcast(form.bits)
    exponent = _place(((bits >> 52) & 2047).convert("int32"), form.dtype)
    mantissa = ((bits & ((1 << 52) - 1)) | 0x4330000000000000).bitcast(FLOAT64).copysign(x)
    parts = [lookup(table, exponent) for table in _digits(np.dtype(np.float64))]
    products = [two_product(mantissa, part) for part in parts]
    turns = products[0][0].round_even()
    terms = [products[0][0] - turns, products[0][1], products[1][0], products[1][1]]
    terms += [products[2][0], products[2][1], products[3][0]]
    # each term is far below the sum of those before it, unless they cancel: add twice
    high, errors = terms[0], []
    for term in terms[1:]:
        high, error = two_sum(high, term)
        errors.append(error)
    more = high.round_even()
    high = high - more
    low = errors[0]
    for error in errors[1:]:
        low = low + error
    high, low = two_sum(high, low)
    return _modulo_four(turns) + more, high, low


# the smallest biased exponent of a huge argument: the tables begin there
_FIRST = {FLOAT32: 127 + 16, FLOAT64: 1023 + 22}


def _place(exponent: Scalar, dtype: np.dtype[Any]) -> Scalar:
    """The row of the tables; the first for arguments that are not huge."""
    row = exponent - _FIRST[dtype]
    return select(row < 0, 0, row)


def _modulo_four(x: Scalar) -> Scalar:
    return x - 4.0 * (x * 0.25).floor()


@functools.cache
def _digits(dtype: np.dtype[Any]) -> tuple[np.ndarray[Any, Any], ...]:
    """For each biased exponent from ``_FIRST``, 2/π·2**exponent mod 4 for whole significands.

    The number is a sum of parts, one of each table. In float32 the parts have 28 bits, so that
    their products with significands are exact.
    """
    single = dtype == FLOAT32
    count, bias, mantissa = (256, 127, 23) if single else (2048, 1023, 52)
    number = Fraction(tables.TWO_OVER_PI, 2**tables.TWO_OVER_PI_BITS)
    rows = []
    for exponent in range(_FIRST[dtype], count):
        shift = exponent - bias - mantissa
        value = number * 2**shift if shift >= 0 else number / 2**-shift
        value -= 4 * (value // 4)
        row = []
        for place in range(3 if single else 4):
            if single and place < 2:
                unit = Fraction(1, 2 ** (26 if place == 0 else 54))
                part = Fraction(value // unit) * unit
            else:
                part = Fraction(float(value))
            row.append(float(part))
            value -= part
        rows.append(row)
    return tuple(np.array(column) for column in zip(*rows, strict=True))
