"""The error function, its complement and its inverse.

exp(x²)·erfc(x)·(1 + 2x) is smooth on the whole half-line: a polynomial in (x - 2)/(x + 2) (the
idea is that of Shepherd and Laframboise 1981).
"""

from __future__ import annotations

from adlib.compile.builder import FLOAT32, Scalar, fma, select
from adlib.compile.mathfns.exponentials import exp_parts
from adlib.compile.mathfns.formats import (
    clamped,
    fast_sum,
    format_of,
    ordered,
    polynomial,
    power_of_two,
    quotient,
    scaled,
    two_product,
)
from adlib.compile.mathfns.logarithms import log

_INF = float("inf")


def _erfc_parts(size: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """(high, low, n) with erfc = (high + low)·2**n, for 0 ≤ size ≤ 28."""
    table = format_of(size).tables["erfc"]
    over, over_low = fast_sum(*ordered(size, size.constant(2.0)))
    t, rest = quotient(size - 2.0, _difference_rest(size), over, over_low)
    t, rest = fast_sum(t, rest)
    smooth = polynomial(t, table[1:])
    slope = polynomial(t, [k * c for k, c in enumerate(table)][1:6])
    value, value_low = two_product(t, smooth)
    value, error = fast_sum(size.constant(table[0]), value)
    value_low = value_low + error + rest * slope
    square, lost = two_product(size, size)
    first, low, n = exp_parts(-square, -lost)
    first, low = fast_sum(first, low)
    product, error = two_product(first, value)
    error = error + (first * value_low + low * value)
    double = size + size
    divisor, divisor_low = fast_sum(*ordered(double, size.constant(1.0)))
    high, rest = quotient(product, error, divisor, divisor_low)
    high, rest = fast_sum(high, rest)
    return high, rest, n


def _difference_rest(size: Scalar) -> Scalar:
    """What x - 2 loses to rounding."""
    difference = size - 2.0
    small = size < 2.0
    return select(small, size - (difference + 2.0), (size - difference) - 2.0)


def erfc(x: Scalar) -> Scalar:
    """1 - erf x, with all digits where it is small."""
    most = 10.5 if x.dtype == FLOAT32 else 27.5
    high, low, n = _erfc_parts(clamped(abs(x), 0.0, most))
    value = scaled(high + low, n)
    first, error = fast_sum(x.constant(2.0), -scaled(high, n))
    return select(x < 0.0, first + (error - scaled(low, n)), value)


def erf(x: Scalar) -> Scalar:
    size = clamped(abs(x), 0.0, 4.0 if x.dtype == FLOAT32 else 6.0)
    z = size * size
    near = fma(size, polynomial(z, format_of(x).tables["erf"]), size)
    if x.dtype == FLOAT32:  # where erfc need not be known to all its digits
        logarithm = polynomial(size - 0.84375, format_of(x).tables["log_erfc"])
        first, rest, n = exp_parts(logarithm)
        far = 1.0 - (first + rest) * power_of_two(n + format_of(x).magic)
    else:
        high, low, n = _erfc_parts(size)
        first, error = fast_sum(x.constant(1.0), -scaled(high, n))
        far = first + (error - scaled(low, n))
    return select(size < 0.85, near, far).copysign(x)


def erf_inv(x: Scalar) -> Scalar:
    """By polynomials in w = -log(1 - x²), as Giles (2010) does; ±inf at ±1, NaN beyond."""
    table = format_of(x).tables
    w = -log((1.0 - x) * (1.0 + x))
    if x.dtype == FLOAT32:
        inner = polynomial(w - 2.5, table["erf_inv_0"])
        outer = polynomial(w.sqrt() - 3.0, table["erf_inv_1"])
        factor = select(w < 5.0, inner, outer)
    else:
        root = w.sqrt()
        inner = polynomial(w - 3.125, table["erf_inv_0"])
        middle = polynomial(root - 3.25, table["erf_inv_1"])
        outer = polynomial(root - 5.0, table["erf_inv_2"])
        factor = select(w < 6.25, inner, select(w < 16.0, middle, outer))
    value = x * factor
    return select(abs(x) == 1.0, x.constant(_INF).copysign(x), value)
