"""Exponentials, logarithms and their relatives of complex numbers, by those of real ones.

Branch cuts, signs of zeros and results for infinite parts are those of C's annex G. Sources:
Kahan, *Branch Cuts for Complex Elementary Functions* (1987); for the inverses Hull, Fairgrieve
and Tang, *Implementing the Complex Arcsine and Arccosine Functions* (1997).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from adlib.compile.builder import FLOAT32, Scalar, fma, rare, select
from adlib.compile.mathfns import exponentials, logarithms, trigonometric
from adlib.compile.mathfns.complex_arithmetic import (
    Complex,
    absolute,
    choose,
    div,
    endless,
    hypot,
    mul,
    rsqrt,
    sign,
    sizes,
    sqrt,
)
from adlib.compile.mathfns.formats import format_of, negative, two_product, two_sum
from adlib.compile.mathfns.inverses import atan2

_INF = float("inf")


def _most(x: Scalar) -> float:
    """Below this exp does not overflow."""
    return 88.0 if x.dtype == FLOAT32 else 709.0


def _turned(z: Complex) -> Complex:
    """i·z"""
    return Complex(-z.im, z.re)


def _turned_back(z: Complex) -> Complex:
    """-i·z"""
    return Complex(z.im, -z.re)


def _angle(y: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """(cos y, sin y, whether y is infinite or NaN)."""
    return trigonometric.cos(y), trigonometric.sin(y), ~(abs(y) < _INF)


# -------------------------------------------------------------------- exponentials


def _power(
    z: Complex, power: Callable[[Scalar], Scalar], most: float, cosine: Scalar, sine: Scalar
) -> Complex:
    """power(x)·(cosine + i·sine); beyond ``most`` power(x) may overflow where products do not."""
    x, y = z
    lost, size = ~(abs(y) < _INF), power(x)
    root = functools.cache(lambda: power(x * 0.5))
    huge = x > most
    re = rare(huge, lambda: root() * cosine * root(), size * cosine)
    im = rare(huge, lambda: root() * sine * root(), size * sine)
    nothing = lost & (size == 0.0)
    re = select(nothing, 0.0, select(lost & (x == _INF), x, re))
    im = select(nothing, 0.0, im)
    level = y == 0.0
    return Complex(select(level, size, re), select(level, y, im))


def exp(z: Complex) -> Complex:
    cosine, sine, _ = _angle(z.im)
    return _power(z, exponentials.exp, _most(z.re), cosine, sine)


def exp2(z: Complex) -> Complex:
    """exp2(x)·(cos + i·sin)(y·log 2), the angle in two parts."""
    first, second, _ = format_of(z.im).ln2
    factor = float(z.im.dtype.type(first + second))
    angle, lost = two_product(z.im, z.im.constant(factor))
    rest = fma(z.im, (first - factor) + second, lost)
    rest = select(abs(rest) < 1e-3, rest, 0.0)  # where the angle has any digits to speak of
    cosine, sine, _ = _angle(angle)
    cosine, sine = fma(-sine, rest, cosine), fma(cosine, rest, sine)
    most = 127.0 if z.re.dtype == FLOAT32 else 1023.0
    return _power(z, exponentials.exp2, most, cosine, sine)


def expm1(z: Complex) -> Complex:
    """expm1(x)·cos y - 2 sin²(y/2), and exp x·sin y."""
    x, y = z
    half = trigonometric.sin(y * 0.5)
    cosine, _, _ = _angle(y)
    whole = exp(z)
    less = exponentials.expm1(x)
    re = fma(less, cosine, -2.0 * half * half)
    re = select(y == 0.0, less, select(abs(x) < 20.0, re, whole.re - 1.0))
    return Complex(re, whole.im)


def logistic(z: Complex) -> Complex:
    """1/(1 + exp -z), by the exponential that does not overflow."""
    left = z.re < 0.0
    small = exp(choose(left, z, Complex(-z.re, -z.im)))
    one, zero = z.re.constant(1.0), z.re.constant(0.0)
    above = choose(left, small, Complex(one, zero))
    return div(above, Complex(small.re + 1.0, small.im))


def sinh(z: Complex) -> Complex:
    x, y = z
    cosine, sine, lost = _angle(y)
    size = abs(x)
    re = exponentials.sinh(x) * cosine
    im = exponentials.cosh(x) * sine
    re, im = _beyond(x, re, im, cosine.copysign(_times_sign(cosine, x)), sine)
    re = select(lost & ((size == _INF) | (x == 0.0)), x, re)
    return Complex(re, select(y == 0.0, y, im))


def cosh(z: Complex) -> Complex:
    x, y = z
    cosine, sine, lost = _angle(y)
    size = abs(x)
    re = exponentials.cosh(x) * cosine
    im = exponentials.sinh(x) * sine
    re, im = _beyond(x, re, im, cosine, sine.copysign(_times_sign(sine, x)))
    re = select(lost & (size == _INF), size, re)
    im = select(lost & (x == 0.0), x, im)
    return Complex(re, select(y == 0.0, y.copysign(_times_sign(y, x)), im))


def _times_sign(x: Scalar, sign: Scalar) -> Scalar:
    return select(negative(sign), -x, x)


def _beyond(
    x: Scalar, re: Scalar, im: Scalar, cosine: Scalar, sine: Scalar
) -> tuple[Scalar, Scalar]:
    """Where ½·exp |x| overflows: its products with cosine and sine may not."""
    size = abs(x)
    huge = size > _most(x)

    def slow(factor: Scalar) -> Callable[[], Scalar]:
        def compute() -> Scalar:
            root = exponentials.exp(size * 0.5)
            return root * (0.5 * factor) * root

        return compute

    return rare(huge, slow(cosine), re), rare(huge, slow(sine), im)


def tanh(z: Complex) -> Complex:
    """sinh x cosh x/(sinh² x + cos² y) and sin y cos y/(…), both multiplied by 4 exp(-2|x|)."""
    x, y = z
    cosine, sine, lost = _angle(y)
    double = abs(x) * -2.0
    q = exponentials.exp(double)
    p = -exponentials.expm1(double)
    divisor = fma(p, p, 4.0 * q * cosine * cosine)
    re = (p * (1.0 + q) / divisor).copysign(x)
    im = 4.0 * q * sine * cosine / divisor
    far = abs(x) == _INF
    re = select(far, x.constant(1.0).copysign(x), select(x == 0.0, x, re))
    im = select(far & lost, x.constant(0.0).copysign(y), im)
    return Complex(re, select(y == 0.0, y, im))


def sin(z: Complex) -> Complex:
    return _turned_back(sinh(_turned(z)))


def cos(z: Complex) -> Complex:
    return cosh(_turned(z))


def tan(z: Complex) -> Complex:
    return _turned_back(tanh(_turned(z)))


# ---------------------------------------------------------------------- logarithms


def _log_size(x: Scalar, y: Scalar, near_square: Scalar, near: Scalar) -> Scalar:
    """log √(x² + y²) for x ≥ y ≥ 0; where it is ``near`` 0, x² + y² - 1 is given."""
    plain = (x > 0.0) & (x < _INF)
    ratio = select(plain, y / x, y * 0.0)  # NaN for NaN
    inside = select(near, near_square, ratio * ratio)
    outside = logarithms.log(select(near, 1.0, x))
    return outside + 0.5 * logarithms.log1p(inside)


def _is_near(large: Scalar) -> Scalar:
    return (large > 0.5) & (large < 2.0)


def log(z: Complex) -> Complex:
    large, small = sizes(z)
    first, lost = two_product(large, large)
    second, more = two_product(small, small)
    total, error = two_sum(first - 1.0, second)
    size = _log_size(large, small, total + (error + (lost + more)), _is_near(large))
    size = select(endless(z), size.constant(_INF), size)
    return Complex(size, atan2(z.im, z.re))


def log1p(z: Complex) -> Complex:
    x, y = z
    moved = Complex(x + 1.0, y)
    large, small = sizes(moved)
    near = _is_near(large)
    # |1 + z|² - 1 = 2x + x² + y²
    first, lost = two_product(x, x)
    second, more = two_product(y, y)
    total, error = two_sum(x + x, first)
    total, rest = two_sum(total, second)
    exact = total + (error + rest + (lost + more))
    size = _log_size(large, small, exact, near)
    size = select(endless(z), size.constant(_INF), size)
    return Complex(size, atan2(y, moved.re))


def pow(z: Complex, w: Complex) -> Complex:
    """exp(w·log z); by multiplication for small whole numbers w. 0**0 is 1."""
    size = abs(w.re)
    whole = (w.im == 0.0) & (size < 100.0) & (size.floor() == size)
    return _special_powers(z, w, choose(whole, _whole_power(z, w.re), exp(mul(w, log(z)))))


def power_not_whole(z: Complex, w: Complex) -> Complex:
    """As ``pow``, for exponents that are known to be no small whole numbers."""
    return _special_powers(z, w, exp(mul(w, log(z))))


def _special_powers(z: Complex, w: Complex, power: Complex) -> Complex:
    one, zero = z.re.constant(1.0), z.re.constant(0.0)
    nan = z.re.constant(float("nan"))
    root = (z.re == 0.0) & (z.im == 0.0)
    good = (w.re > 0.0) & (w.im == 0.0)
    power = choose(root, choose(good, Complex(zero, zero), Complex(nan, nan)), power)
    none = (w.re == 0.0) & (w.im == 0.0)
    return choose(none, Complex(one, zero), power)


def _whole_power(z: Complex, exponent: Scalar) -> Complex:
    """z to a whole number below 128, by squaring."""
    bits = select(abs(exponent) < 128.0, abs(exponent), 0.0).convert("int32")
    one, zero = z.re.constant(1.0), z.re.constant(0.0)
    result, factor = Complex(one, zero), z
    for place in range(7):
        odd = ((bits >> place) & 1) != 0
        first = (bits & ((1 << place) - 1)) == 0  # nothing to multiply with so far
        result = choose(odd, choose(first, factor, mul(result, factor)), result)
        if place < 6:
            factor = mul(factor, factor)
    return choose(exponent < 0.0, div(Complex(one, zero), result), result)


# ------------------------------------------------------------------------ inverses


def _inverse_parts(x: Scalar, y: Scalar) -> tuple[Scalar, Scalar]:
    """For x, y ≥ 0: (root, im): asin has the parts atan(x/root) and im, acos atan(root/x), -im."""
    form = format_of(x)
    r, s = hypot(x + 1.0, y), hypot(abs(x - 1.0), y)
    a = (r + s) * 0.5
    inside = x <= 1.0
    # a - x, and a - 1, as sums of what is not negative, with y² kept in two factors
    right = r + x + 1.0
    left = s + abs(x - 1.0)
    beside = y * (0.5 * (y / right + select(inside, 0.0, y / left)))
    beside = beside + select(inside, 0.5 * left, 0.0)
    factored = y * (0.5 * ((a + x) / right + (a + x) / left)).sqrt()
    root = select(inside, ((a + x) * beside).sqrt(), factored)
    inverse = select(x < 1.0, 1.0 / left, 0.0)
    k = 0.5 * (1.0 / right + inverse)
    close = select(x < 1.0, y * (y * k), 0.5 * (y * (y / right) + left))
    close = select(a > 1.5, a - 1.0, close)
    under = select((x < 1.0) & (a <= 1.5), y * (k * (a + 1.0)).sqrt(), (close * (a + 1.0)).sqrt())
    im = logarithms.log1p(close + under)
    large = 2.0 ** (form.bias // 2 - 4)
    huge = (x > large) | (y > large)

    def far() -> Scalar:
        big, small = select(x < y, y, x), select(x < y, x, y)
        return _log_size(big, small, big.constant(0.0), big < 0.0) + math.log(2)

    return rare(huge, lambda: y, root), rare(huge, far, im)


def asin(z: Complex) -> Complex:
    x, y = abs(z.re), abs(z.im)
    root, im = _inverse_parts(x, y)
    im = select(endless(z), im.constant(_INF), im)
    re = select(x == 0.0, x, atan2(x, root))  # for NaN too
    return Complex(re.copysign(z.re), im.copysign(z.im))


def acos(z: Complex) -> Complex:
    x, y = abs(z.re), abs(z.im)
    root, im = _inverse_parts(x, y)
    im = select(endless(z), im.constant(_INF), im)
    re = select(x == 0.0, math.pi / 2, atan2(root, z.re))  # for NaN too
    return Complex(re, _times_sign(im, -z.im))


def asinh(z: Complex) -> Complex:
    return _turned_back(asin(_turned(z)))


def acosh(z: Complex) -> Complex:
    re, im = acos(z)
    return Complex(abs(im), abs(re).copysign(z.im))


def atanh(z: Complex) -> Complex:
    """¼ log1p(4x/((1 - x)² + y²)) and ½ atan2(2y, (1 - x)(1 + x) - y²)."""
    x, y = abs(z.re), z.im
    form = format_of(x)
    large = 2.0 ** (form.bias // 2 - 4)
    size = abs(y)
    huge = (x > large) | (size > large)
    close = (x == 1.0) & (size < 1.0 / large)
    short = 1.0 - x
    re = 0.25 * logarithms.log1p(4.0 * x / fma(short, short, y * y))

    def far() -> Scalar:
        """Re 1/z, or log √(2/y) next to 1."""
        big, small = select(x < size, size, x), select(x < size, x, size)
        ratio = select(big < _INF, small / big, 0.0)
        level = x / big / (1.0 + ratio * ratio) / big
        level = select(endless(z), 0.0, level)
        near = 0.5 * (math.log(2) - logarithms.log(size))
        return select(close, near, level)

    re = rare(huge | close, far, re)
    angle = 0.5 * atan2(2.0 * y, fma(short, 1.0 + x, -(y * y)))
    right = y.constant(math.pi / 2).copysign(y)
    unknown = y.isnan() | (x.isnan() & (size < _INF))
    im = rare(huge, lambda: select(unknown, angle, right), angle)
    return Complex(select(x == 0.0, x, re).copysign(z.re), im)


def atan(z: Complex) -> Complex:
    return _turned_back(atanh(_turned(z)))


FUNCTIONS: dict[str, Callable[..., Complex]] = {
    "sign": sign,
    "sqrt": sqrt,
    "rsqrt": rsqrt,
    "exp": exp,
    "exp2": exp2,
    "expm1": expm1,
    "logistic": logistic,
    "log": log,
    "log1p": log1p,
    "pow": pow,
    "sinh": sinh,
    "cosh": cosh,
    "tanh": tanh,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "asinh": asinh,
    "acosh": acosh,
    "atanh": atanh,
}

__all__ = ["FUNCTIONS", "Complex", "absolute", "power_not_whole"]
