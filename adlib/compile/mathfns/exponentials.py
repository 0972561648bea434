"""exp and its relatives.

The argument is cut into n·log 2 + r with |r| ≤ ½ log 2, and exp r = 1 + r + r²·q(r). The sum is
kept in two parts until the end, so that all but a few results are the nearest number.
"""

from __future__ import annotations

from adlib.compile.builder import FLOAT32, Scalar, fma, select
from adlib.compile.mathfns.formats import (
    clamped,
    fast_sum,
    format_of,
    nearest_integer,
    ordered,
    polynomial,
    power_of_two,
    quotient,
    scaled,
)

_LOG2_E = 1.4426950408889634


def _reduced(x: Scalar, low: Scalar | None = None) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """(magic + n, n, r, t) with x + low = n·log 2 + r + t, t far below r."""
    first, second, third = format_of(x).ln2
    biased, n = nearest_integer(x, _LOG2_E)
    exact = fma(n, -first, x)
    r = fma(n, -second, exact)
    tail = fma(n, -third, fma(n, -second, exact - r))
    return biased, n, r, tail if low is None else tail + low


def exp_parts(x: Scalar, low: Scalar | None = None) -> tuple[Scalar, Scalar, Scalar]:
    """(high, low, n) with exp(x + low) = (high + low)·2**n, high in [0.7, 1.5]."""
    _, n, r, tail = _reduced(x, low)
    curved = polynomial(r, format_of(x).tables["exp"])
    rest = fma(curved, r * r, tail)
    if low is not None:  # no longer so small that exp(r)·t is t
        rest = fma(tail, r + curved * r * r, rest)
    high, error = fast_sum(x.constant(1.0), r)
    return high, error + rest, n


def exp(x: Scalar) -> Scalar:
    """Overflows to inf and underflows through the subnormal numbers to 0."""
    low, high = (-104.0, 89.0) if x.dtype == FLOAT32 else (-746.0, 710.0)
    first, rest, n = exp_parts(clamped(x, low, high))
    return scaled(first + rest, n)


def exp2(x: Scalar) -> Scalar:
    """Exact for integers."""
    low, high = (-151.0, 129.0) if x.dtype == FLOAT32 else (-1076.0, 1025.0)
    x = clamped(x, low, high)
    form = format_of(x)
    _, n = nearest_integer(x, 1.0)
    fraction = x - n
    ln2 = form.ln2[0] + form.ln2[1]
    ln2 = float(form.dtype.type(ln2))
    r = fraction * ln2
    missing = (form.ln2[0] - ln2) + form.ln2[1] + form.ln2[2]
    tail = fma(fraction, ln2, -r) + fraction * missing
    rest = fma(polynomial(r, form.tables["exp"]), r * r, tail)
    first, error = fast_sum(x.constant(1.0), r)
    return scaled(first + (error + rest), n)


def expm1_quarters(x: Scalar) -> tuple[Scalar, Scalar]:
    """¼(exp x - 1) in two parts, for x whose exp is at most twice the largest number.

    2**n·(1 + r + …) - 1 = (2**n - 1) + 2**n·(r + …), where the first sum is nearly exact.
    """
    biased, _, r, tail = _reduced(x)
    power = power_of_two(biased - 2.0)
    first, error = fast_sum(power - 0.25, power * r)
    rest = fma(polynomial(r, format_of(x).tables["exp"]), r * r, tail)
    return fast_sum(first, fma(power, rest, error))


def expm1(x: Scalar) -> Scalar:
    single = x.dtype == FLOAT32
    high, low = expm1_quarters(clamped(x, *((-20.0, 89.0) if single else (-40.0, 710.0))))
    # exact there to the last bit, and subnormal numbers have no quarters
    tiny = abs(x) < (1e-8 if single else 1e-17)
    return select(tiny, x, (high + low) * 4.0)


def tanh(x: Scalar) -> Scalar:
    """(e - 1)/(e + 1) with e = exp 2|x|."""
    single = x.dtype == FLOAT32
    size = clamped(abs(x), 0.0, 9.1 if single else 19.1)
    high, low = expm1_quarters(size + size)
    divisor = high + 0.5
    first, rest = quotient(high, low, divisor, (high - (divisor - 0.5)) + low)
    tiny = size < (1e-5 if single else 1e-9)
    return select(tiny, size, first + rest).copysign(x)


def logistic(x: Scalar) -> Scalar:
    """1/(1 + exp -x), with exp of -|x| alone so that small results keep all their digits."""
    most = 104.0 if x.dtype == FLOAT32 else 746.0
    first, rest, n = exp_parts(-clamped(abs(x), 0.0, most))
    high, low = fast_sum(first, rest)
    high, low = scaled(high, n), scaled(low, n)
    divisor, error = fast_sum(x.constant(1.0), high)
    above = x >= 0.0
    whole, rest = quotient(select(above, 1.0, high), select(above, 0.0, low), divisor, error + low)
    return whole + rest


def sinh(x: Scalar) -> Scalar:
    """½(m + m/(m + 1)) with m = expm1 |x|."""
    single = x.dtype == FLOAT32
    size = clamped(abs(x), 0.0, 89.5 if single else 710.6)
    high, low = expm1_quarters(size)
    bounded = select(high > 2.0**60, 2.0**60, high)
    divisor, error = fast_sum(*ordered(bounded * 4.0, x.constant(1.0)))
    first, rest = quotient(bounded, low, divisor, error + low * 4.0)
    total, error = fast_sum(high, first)
    result = (total + (error + (rest + low))) * 2.0
    result = select(high < 1e37 if single else high < 1e305, result, high + high)
    tiny = size < (1e-5 if single else 1e-9)
    return select(tiny, size, result).copysign(x)


def cosh(x: Scalar) -> Scalar:
    """½(e + 1/e) with e = exp |x|."""
    size = clamped(abs(x), 0.0, 89.5 if x.dtype == FLOAT32 else 710.6)
    first, rest, n = exp_parts(size)
    high, low = fast_sum(first, rest)
    half, half_low = scaled(high, n - 1.0), scaled(low, n - 1.0)
    other = 0.25 / half
    total, error = fast_sum(half, other)
    result = total + (error + half_low * (1.0 - 4.0 * other * other))
    return select(half < (1e37 if x.dtype == FLOAT32 else 1e305), result, half)
