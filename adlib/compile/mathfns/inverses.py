"""Inverse trigonometric and hyperbolic functions."""

from __future__ import annotations

from adlib.compile.builder import FLOAT32, Scalar, fma, mul_add, select
from adlib.compile.mathfns.formats import (
    fast_sum,
    format_of,
    negative,
    ordered,
    polynomial,
    split_constant,
    two_product,
)
from adlib.compile.mathfns.logarithms import log1p_of_sum, log_of_half

_TAN_EIGHTH = 0.41421356237309503  # tan(π/8)
_INF = float("inf")


def atan(x: Scalar) -> Scalar:
    size = abs(x)
    endless = size == _INF
    high, low = _atan_of_ratio(select(endless, x.constant(1.0), size), x.constant(1.0))
    high, low = _beyond_one(size > 1.0, high, low)
    half, _ = split_constant(x, "half_pi")
    return select(endless, x.constant(half), high + low).copysign(x)


def atan2(y: Scalar, x: Scalar) -> Scalar:
    """The angle of the point (x, y), in (-π, π], with C's special values."""
    above, beside = abs(y), abs(x)
    both = (above == _INF) & (beside == _INF)
    above = select(both, x.constant(1.0), above)
    beside = select(both, x.constant(1.0), beside)
    above, beside = _moderate(above, beside)
    steep = above > beside
    high, low = _atan_of_ratio(above, beside)
    high, low = _beyond_one(steep, high, low)
    pi, pi_low = (2 * part for part in split_constant(x, "half_pi"))
    backward = negative(x)
    first, error = fast_sum(x.constant(pi), -high)
    high = select(backward, first, high)
    low = select(backward, error + (pi_low - low), low)
    result = (high + low).copysign(y)
    return select(x.isnan() | y.isnan(), x + y, result)


def _moderate(x: Scalar, y: Scalar) -> tuple[Scalar, Scalar]:
    """Both times a power of two: sums must not overflow, nor quotients of tiny numbers err."""
    form = format_of(x)
    quarter = form.bias // 2
    big = (x > 2.0**quarter) | (y > 2.0**quarter)
    tiny = (x < 2.0**-quarter) & (y < 2.0**-quarter)
    scale = select(tiny, x.constant(2.0 ** (quarter + 10)), x.constant(1.0))
    scale = select(big, x.constant(2.0**-4), scale)
    return x * scale, y * scale


def _atan_of_ratio(y: Scalar, x: Scalar) -> tuple[Scalar, Scalar]:
    """atan(min/max) of two numbers that are not negative, in two parts.

    A ratio t beyond tan(π/8) is turned by π/4: atan t = π/4 + atan((t - 1)/(t + 1)).
    """
    swap = y > x
    small, large = select(swap, x, y), select(swap, y, x)
    turned = small > large * _TAN_EIGHTH
    over = select(turned, small - large, small)
    under, lost = fast_sum(large, select(turned, small, 0.0))
    # an infinite divisor, or 0/0, gives the angle 0
    plain = (under < _INF) & (under > 0.0)
    under = select(under == 0.0, 1.0, under)
    lost = select(plain, lost, 0.0)
    q = over / under
    missing = fma(-q, under, over) - q * lost
    rest = select(plain & (abs(q) > 1e-30), missing / under, 0.0)
    z = q * q
    tail = fma(q * z, polynomial(z, format_of(q).tables["atan"]), rest)
    half, half_low = split_constant(q, "half_pi")
    first, error = fast_sum(select(turned, q.constant(half / 2), q.constant(0.0)), q)
    first = select(turned, first, q)
    error = select(turned, error + half_low / 2, 0.0)
    return first, error + tail


def _beyond_one(steep: Scalar, high: Scalar, low: Scalar) -> tuple[Scalar, Scalar]:
    """π/2 less the angle, where the ratio was turned over."""
    half, half_low = split_constant(high, "half_pi")
    first, error = fast_sum(high.constant(half), -high)
    return select(steep, first, high), select(steep, error + (half_low - low), low)


def _asin_parts(size: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """(large, s, rest): asin(s') = s + rest, with s' = |x|, or √((1 - |x|)/2) if it is large."""
    large = size > 0.5
    z = select(large, mul_add(size, -0.5, 0.5), size * size)
    root = z.sqrt()
    s = select(large, root, size)
    missing = select(large & (root > 0.0), fma(-root, root, z) / (root + root), 0.0)
    tail = s * z * polynomial(z, format_of(size).tables["asin"])
    return large, s, tail + missing


def asin(x: Scalar) -> Scalar:
    """NaN beyond ±1."""
    large, s, rest = _asin_parts(abs(x))
    half, half_low = split_constant(x, "half_pi")
    first, error = fast_sum(x.constant(half), -2.0 * s)
    turned = first + (error + (half_low - 2.0 * rest))
    return select(large, turned, s + rest).copysign(x)


def acos(x: Scalar) -> Scalar:
    """NaN beyond ±1."""
    large, s, rest = _asin_parts(abs(x))
    half, half_low = split_constant(x, "half_pi")
    below = x < 0.0
    near_one = 2.0 * (s + rest)
    first, error = fast_sum(x.constant(2 * half), -2.0 * s)
    near_minus = first + (error + (2 * half_low - 2.0 * rest))
    signed, signed_rest = select(below, -s, s), select(below, -rest, rest)
    first, error = fast_sum(x.constant(half), -signed)
    middle = first + (error + (half_low - signed_rest))
    return select(large, select(below, near_minus, near_one), middle)


def asinh(x: Scalar) -> Scalar:
    """log(t + √(t² + 1)) with t = |x|, as log1p(t + t²/(1 + √(t² + 1)))."""
    most = 1e8 if x.dtype == FLOAT32 else 1e16
    size = abs(x)
    t = select(size > most, x.constant(1.0), size)
    square, lost = two_product(t, t)
    root = (square + 1.0).sqrt()
    part = square / (root + 1.0)
    whole, error = fast_sum(*ordered(t, part))
    # √ and the quotient are each known to half a unit; their errors come back by Newton's step
    short = fma(root, root, -1.0) - square
    part_error = (lost - part * ((lost - short) / (root + root))) / (root + 1.0)
    under_lost = 1.0 - ((root + 1.0) - root)
    residue = fma(-part, root + 1.0, square) - part * under_lost
    near = log1p_of_sum(whole, error + part_error + residue / (root + 1.0))
    far = log_of_half(select(size > most, size, x.constant(1.0)))
    tiny = size < (1e-5 if x.dtype == FLOAT32 else 1e-9)
    result = select(size > most, far, select(tiny, size, near))
    return select(size < _INF, result, size).copysign(x)


def acosh(x: Scalar) -> Scalar:
    """log1p(t + √(t·(t + 2))) with t = x - 1; NaN below 1."""
    most = 1e8 if x.dtype == FLOAT32 else 1e16
    far = x > most
    bounded = select(far, x.constant(2.0), x)
    t = bounded - 1.0
    square, lost = two_product(t, t + 2.0)
    lost = lost + t * (2.0 - ((t + 2.0) - t))
    root = square.sqrt()
    missing = select(root > 0.0, (fma(-root, root, square) + lost) / (root + root), 0.0)
    whole, error = fast_sum(*ordered(root, t))
    near = log1p_of_sum(whole, error + missing)
    result = select(far, log_of_half(select(far, x, x.constant(1.0))), near)
    return select(x < 1.0, x.constant(float("nan")), result)


def atanh(x: Scalar) -> Scalar:
    """½ log1p(2t/(1 - t)) with t = |x|; NaN beyond 1."""
    size = abs(x)
    divisor, lost = fast_sum(x.constant(1.0), -size)
    double = size + size
    whole = double / divisor
    open_ = divisor > 0.0
    rest = (fma(-whole, divisor, double) - whole * lost) / divisor
    rest = select(open_ & (size > 1e-30), rest, 0.0)
    tiny = size < (1e-5 if x.dtype == FLOAT32 else 1e-9)
    return select(tiny, size, 0.5 * log1p_of_sum(whole, rest)).copysign(x)
