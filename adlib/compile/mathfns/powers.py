"""pow, cube root and reciprocal square root."""

from __future__ import annotations

from adlib.compile.builder import FLOAT32, FLOAT64, Scalar, fma, select
from adlib.compile.mathfns.exponentials import exp_parts
from adlib.compile.mathfns.formats import (
    clamped,
    format_of,
    polynomial,
    power_of_two,
    scaled,
    two_product,
)
from adlib.compile.mathfns.logarithms import decomposed, log, precise_log

_INF = float("inf")


def pow(x: Scalar, y: Scalar) -> Scalar:
    """x**y with the special values of C's ``pow``; float32 is computed in float64."""
    size = abs(x)
    if x.dtype == FLOAT32:
        wide = size.convert(FLOAT64)
        exponent = clamped(y.convert(FLOAT64) * log(wide), -110.0, 100.0)
        first, rest, n = exp_parts(exponent)
        magic = format_of(wide).magic
        result = ((first + rest) * power_of_two(n + magic)).convert(FLOAT32)
    else:
        high, low = precise_log(size)
        exponent, rest = two_product(y, high)
        rest = fma(y, low, rest)
        outside = abs(exponent) > 750.0
        exponent = clamped(exponent, -750.0, 750.0)
        rest = select(outside, 0.0, rest)
        first, rest, n = exp_parts(exponent, rest)
        result = scaled(first + rest, n)
    return _pow_specials(x, y, size, result)


def _pow_specials(x: Scalar, y: Scalar, size: Scalar, result: Scalar) -> Scalar:
    endless = (size == 0.0) | (size == _INF) | (abs(y) == _INF)
    grows = ~((size > 1.0) ^ (y > 0.0))
    result = select(endless, select(grows, x.constant(_INF), x.constant(0.0)), result)
    whole = y.trunc() == y
    half = y * 0.5
    odd = whole & (half.trunc() != half)
    result = select(odd, result.copysign(x), result)
    real = whole | (abs(y) == _INF) | ~((x < 0.0) & (size < _INF))
    result = select(real, result, x.constant(float("nan")))
    result = select(x.isnan() | y.isnan(), x + y, result)
    one = (y == 0.0) | (x == 1.0) | ((x == -1.0) & (abs(y) == _INF))
    return select(one, x.constant(1.0), result)


def rsqrt(x: Scalar) -> Scalar:
    return 1.0 / x.sqrt()


def cbrt(x: Scalar) -> Scalar:
    """A cubic polynomial for the first digits, then Halley's iteration, then one correction."""
    form = format_of(x)
    k, m = decomposed(abs(x))
    # m in [1, 2) and k = 3n + rest, rest in {-1, 0, 1}
    low = m < 1.0
    m = select(low, m + m, m)
    k = select(low, k - 1.0, k)
    n = (k * (1.0 / 3.0)).round_even()
    rest = k - 3.0 * n
    factor = select(rest > 0.0, x.constant(2 ** (1 / 3)), x.constant(1.0))
    factor = select(rest < 0.0, x.constant(2 ** (-1 / 3)), factor)
    value = m * power_of_two(rest + form.magic)
    root = polynomial(m, form.tables["cbrt"]) * factor
    for _ in range(1 if form.dtype == FLOAT32 else 2):
        cube = root * root * root
        root = root * ((cube + (value + value)) / ((cube + cube) + value))
    square, missing = two_product(root, root)
    error = fma(square, root, -value) + missing * root
    root = root - error / (3.0 * square)
    result = (root * power_of_two(n + form.magic)).copysign(x)
    return select((abs(x) < _INF) & (x != 0.0), result, x)
