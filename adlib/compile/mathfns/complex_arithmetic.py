"""Complex numbers as two real ones: arithmetic, absolute values, square roots, order."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from adlib.compile.builder import Scalar, fma, select
from adlib.compile.mathfns.formats import format_of, negative

_INF = float("inf")


class Complex(NamedTuple):
    """``re + i·im``."""

    re: Scalar
    im: Scalar


def choose(predicate: Scalar, x: Complex, y: Complex) -> Complex:
    return Complex(select(predicate, x.re, y.re), select(predicate, x.im, y.im))


def add(x: Complex, y: Complex) -> Complex:
    return Complex(x.re + y.re, x.im + y.im)


def sub(x: Complex, y: Complex) -> Complex:
    return Complex(x.re - y.re, x.im - y.im)


def mul(x: Complex, y: Complex) -> Complex:
    return Complex(x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re)


def div(x: Complex, y: Complex) -> Complex:
    """Smith's algorithm (1962): the divisor's larger part is divided by, so nothing overflows
    that need not. A divisor of 0 gives infinities or NaN."""
    flat = abs(y.re) >= abs(y.im)
    large, small = select(flat, y.re, y.im), select(flat, y.im, y.re)
    ratio = small / large
    scale = 1.0 / (large + small * ratio)
    a, b = select(flat, x.re, x.im), select(flat, x.im, x.re)
    re = (a + b * ratio) * scale
    im = select(flat, b - a * ratio, a * ratio - b) * scale
    zero = (y.re == 0.0) & (y.im == 0.0)
    size = abs(y.re)
    return choose(zero, Complex(x.re / size, x.im / size), Complex(re, im))


def _not_less(x: Complex, y: Complex, op: str) -> Scalar:
    """Whether x stays where the larger (or smaller) is wanted: by real parts, then imaginary
    ones; a NaN stays."""
    beyond = x.re > y.re if op == "max" else x.re < y.re
    ahead = x.im >= y.im if op == "max" else x.im <= y.im
    ordered = ~(y.re.isnan() | y.im.isnan())
    keeps = (beyond & ordered) | ((x.re == y.re) & ahead)
    return keeps | x.re.isnan() | x.im.isnan()


def larger(x: Complex, y: Complex) -> Complex:
    return choose(_not_less(x, y, "max"), x, y)


def smaller(x: Complex, y: Complex) -> Complex:
    return choose(_not_less(x, y, "min"), x, y)


BINARY: dict[str, Callable[[Complex, Complex], Complex]] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "max": larger,
    "min": smaller,
}


# ---------------------------------------------------------------------- functions


def sizes(z: Complex) -> tuple[Scalar, Scalar]:
    """The larger and the smaller of |re| and |im|; a NaN is not smaller than anything."""
    x, y = abs(z.re), abs(z.im)
    swap = x < y
    return select(swap, y, x), select(swap, x, y)


def endless(z: Complex) -> Scalar:
    """Whether a part is infinite: the number is, then, even if the other part is NaN."""
    return (abs(z.re) == _INF) | (abs(z.im) == _INF)


def hypot(x: Scalar, y: Scalar) -> Scalar:
    """√(x² + y²) of two numbers that are not negative, scaled so that squares have room."""
    quarter = format_of(x).bias // 2
    big = (x > 2.0**quarter) | (y > 2.0**quarter)
    tiny = (x < 2.0**-quarter) & (y < 2.0**-quarter)
    one = x.constant(1.0)
    scale = select(big, one.constant(2.0**-quarter / 8), one)
    scale = select(tiny, one.constant(2.0**quarter * 2.0**26), scale)
    back = select(big, one.constant(2.0**quarter * 8), one)
    back = select(tiny, one.constant(2.0**-quarter * 2.0**-26), back)
    a, b = x * scale, y * scale
    root = fma(a, a, b * b).sqrt() * back
    return select((x == _INF) | (y == _INF), x.constant(_INF), root)


def absolute(z: Complex) -> Scalar:
    """|z|; infinite where a part is."""
    return hypot(abs(z.re), abs(z.im))


def sign(z: Complex) -> Complex:
    """z/|z|, and 0 for 0."""
    size = absolute(z)
    zero = size == 0.0
    safe = select(zero, 1.0, size)
    return choose(zero, z, Complex(z.re / safe, z.im / safe))


def sqrt(z: Complex) -> Complex:
    """The root with a real part that is not negative (Kahan 1987)."""
    x, y = abs(z.re), abs(z.im)
    bias = format_of(x).bias
    big = (x > 2.0 ** (bias - 2)) | (y > 2.0 ** (bias - 2))
    tiny = (x < 2.0 ** (24 - bias)) & (y < 2.0 ** (24 - bias))
    one = x.constant(1.0)
    up = 2.0 ** (2 * (bias // 4))
    scale = select(big, one.constant(0.0625), select(tiny, one.constant(up), one))
    back = select(big, one.constant(4.0), select(tiny, one.constant(up**-0.5), one))
    a, b = x * scale, y * scale
    root = ((a + hypot(a, b)) * 0.5).sqrt()
    other = b / (root + root)
    zero = (x == 0.0) & (y == 0.0)
    root = root * back
    other = select(zero, 0.0, other * back)
    right = ~negative(z.re)
    re, im = select(right, root, other), select(right, other, root)
    # infinite parts: above and below, to the right, to the left
    far = z.re.constant(_INF)
    upright = y == _INF
    level = (x == _INF) & ~upright
    nothing = z.im * 0.0  # 0, or NaN
    re = select(level, select(right, far, abs(nothing)), re)
    im = select(level, select(right, abs(nothing), far), im)
    return Complex(select(upright, far, re), select(upright, far, im).copysign(z.im))


def rsqrt(z: Complex) -> Complex:
    root = sqrt(z)
    one = root.re.constant(1.0)
    return div(Complex(one, root.re.constant(0.0)), root)
