"""log and its relatives.

x = 2**k·(1 + f) with 1 + f between √½ and √2; with s = f/(2 + f), log(1 + f) = 2s + s³·(…), which
is arranged as f - ½f² + s·(½f² + …) so that the large terms are exact (as in Tang 1990 and, with
other coefficients, in FDLIBM).
"""

from __future__ import annotations

from adlib.compile.builder import FLOAT32, Scalar, fma, select
from adlib.compile.mathfns.formats import (
    fast_sum,
    format_of,
    polynomial,
    quotient,
    two_product,
    two_sum,
)

_ROOT_HALF_BITS = {4: 0x3F3504F3, 8: 0x3FE6A09E667F3BCD}
_INF = float("inf")


def decomposed(x: Scalar) -> tuple[Scalar, Scalar]:
    """(k, m) with x = 2**k·m, √½ ≤ m < √2, for positive finite x; k as a float."""
    form = format_of(x)
    offset = _ROOT_HALF_BITS[form.dtype.itemsize]
    small = x < form.smallest_normal
    up = form.mantissa + 2
    x = select(small, x * 2.0**up, x)
    bits = x.bitcast(form.bits) - offset
    mask = (1 << form.mantissa) - 1
    m = ((bits & mask) + offset).bitcast(form.dtype)
    if form.dtype == FLOAT32:
        k = (bits >> form.mantissa).convert(form.dtype)
    else:  # conversions of int64 are slow: the number is put into the low bits of 2**52
        shifted = (bits + (form.bias << form.mantissa)).bitcast("uint64") >> form.mantissa
        k = (shifted | 0x4330000000000000).bitcast(form.dtype) - (2.0**52 + form.bias)
    return k - select(small, x.constant(float(up)), x.constant(0.0)), m


def _log_sum(k: Scalar, f: Scalar, low: Scalar | None = None) -> tuple[Scalar, Scalar]:
    """k·log 2 + log(1 + f + low) in two parts."""
    form = format_of(f)
    s = f / (f + 2.0)
    z = s * s
    square, missing = two_product(f * 0.5, f)
    rest = s * (square + z * polynomial(z, form.tables["log"]))
    first, error = fast_sum(f, -square)
    rest = rest + (error - missing)
    if low is not None:  # its derivative 1/(1 + f) is (1 - s)/(1 + s)
        rest = rest + low * (1.0 - 2.0 * (s - z))
    rest = fma(k, form.ln2[1], rest)
    total, error = fast_sum(k * form.ln2[0], first)
    total = select(k == 0.0, first, total)  # keeps the sign of a zero
    error = select(k == 0.0, 0.0, error)
    return total, error + rest


def _with_limits(x: Scalar, inside: Scalar) -> Scalar:
    """The logarithm of x for x beyond the positive finite numbers too."""
    result = select(x < _INF, inside, x)  # inf and NaN
    edge = select(x == 0.0, x.constant(-_INF), x.constant(float("nan")))
    return select(x <= 0.0, edge, result)


def log(x: Scalar) -> Scalar:
    """-inf at 0, NaN for negative numbers."""
    k, m = decomposed(x)
    high, low = _log_sum(k, m - 1.0)
    return _with_limits(x, high + low)


def log1p(x: Scalar) -> Scalar:
    """log(1 + x) without the loss of small x."""
    return log1p_of_sum(x, None)


def log1p_of_sum(x: Scalar, low: Scalar | None) -> Scalar:
    """log(1 + x + low), where ``low`` is below half a unit in the last place of x."""
    whole = x + 1.0
    lost = select(abs(x) < 1.0, x - (whole - 1.0), 1.0 - (whole - x))
    if low is not None:
        lost = lost + low
    k, m = decomposed(whole)
    near = k == 0.0
    f = select(near, x, m - 1.0)
    scale = m / whole  # a power of two, exactly
    part = select(near, low if low is not None else x.constant(0.0), lost * scale)
    high, rest = _log_sum(k, f, part)
    result = select(near & (x == 0.0), x, high + rest)
    return select(whole < _INF, _with_limits(whole, result), whole)


def log_of_half(x: Scalar) -> Scalar:
    """log 2x, where 2x may overflow; for x ≥ 1."""
    k, m = decomposed(x)
    high, low = _log_sum(k + 1.0, m - 1.0)
    return _with_limits(x, high + low)


def precise_log(x: Scalar) -> tuple[Scalar, Scalar]:
    """log x as a sum of two float64 numbers with more than 64 right bits, for ``pow``."""
    form = format_of(x)
    k, m = decomposed(x)
    f = m - 1.0
    divisor, divisor_low = fast_sum(f.constant(2.0), f)
    s, s_low = fast_sum(*quotient(f, f.constant(0.0), divisor, divisor_low))
    z, z_low = two_product(s, s)
    z_low = z_low + 2.0 * s * s_low
    two_thirds = 0.6666666666666666
    more = z * polynomial(z, form.tables["log_more"])
    w, w_low = fast_sum(f.constant(two_thirds), more)
    w_low = w_low + 3.700743415417188e-17  # ⅔ less the number above
    v, v_low = two_product(z, w)
    v_low = v_low + (z * w_low + z_low * w)
    t, t_low = fast_sum(f.constant(2.0), v)
    t_low = t_low + v_low
    p, p_low = two_product(s, t)
    p_low = p_low + (s * t_low + s_low * t)
    high, low = two_sum(k * form.ln2[0], p)
    return fast_sum(high, low + (p_low + k * form.ln2[1]))
