"""What the functions need to know of float32 and float64, and steps that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from adlib.compile.builder import FLOAT32, FLOAT64, Scalar, fma, mul_add, select
from adlib.compile.mathfns import tables


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes:
      bits: its signed integer type of the same size.
      mantissa: number of stored bits of the significand.
      bias: of the exponent.
      magic: 1.5·2**mantissa: adding it rounds to an integer, which then stands in the low bits.
      ln2: log 2 as a sum of three parts; ``integer·ln2[0]`` is exact for exponents.
      half_pi: π/2 as a sum of three parts, each rounded to nearest.
      tables: polynomials by name.
    """

    dtype: np.dtype[Any]
    bits: np.dtype[Any]
    mantissa: int
    bias: int
    magic: float
    ln2: tuple[float, float, float]
    half_pi: tuple[float, float, float, float]
    tables: dict[str, tuple[float, ...]]

    @property
    def smallest_normal(self) -> float:
        return 2.0 ** (1 - self.bias)


_LN2 = Fraction(tables.LN2, 2**256)
_HALF_PI = Fraction(2**tables.TWO_OVER_PI_BITS, tables.TWO_OVER_PI)


def split(number: Fraction, dtype: type[np.floating], first_bits: int = 0) -> tuple[float, ...]:
    """A number as a sum of four parts; the first has at most ``first_bits`` bits, if given."""
    parts = []
    for place in range(4):
        part = Fraction(float(dtype(float(number))))
        if first_bits and place == 0:
            unit = Fraction(2) ** -first_bits
            part = Fraction(int(number / unit)) * unit
        parts.append(float(part))
        number -= part
    return tuple(parts)


_FORMATS = {
    FLOAT32: Format(
        FLOAT32,
        np.dtype(np.int32),
        23,
        127,
        1.5 * 2**23,
        split(_LN2, np.float32, 15)[:3],  # type: ignore[arg-type]
        split(_HALF_PI, np.float32),  # type: ignore[arg-type]
        tables.FLOAT32,
    ),
    FLOAT64: Format(
        FLOAT64,
        np.dtype(np.int64),
        52,
        1023,
        1.5 * 2**52,
        split(_LN2, np.float64, 40)[:3],  # type: ignore[arg-type]
        split(_HALF_PI, np.float64),  # type: ignore[arg-type]
        tables.FLOAT64,
    ),
}


def format_of(x: Scalar) -> Format:
    return _FORMATS[x.dtype]


def polynomial(x: Scalar, coefficients: Sequence[float]) -> Scalar:
    """Horner's scheme, coefficients from the lowest."""
    result = x.constant(coefficients[-1])
    for c in coefficients[-2::-1]:
        result = mul_add(result, x, c)
    return result


def fast_sum(big: Scalar, small: Scalar) -> tuple[Scalar, Scalar]:
    """The rounded sum and its error, for |big| ≥ |small| (Dekker 1971)."""
    total = big + small
    return total, small - (total - big)


def ordered(x: Scalar, y: Scalar) -> tuple[Scalar, Scalar]:
    """The larger one first."""
    swap = x < y
    return select(swap, y, x), select(swap, x, y)


def two_sum(x: Scalar, y: Scalar) -> tuple[Scalar, Scalar]:
    """The rounded sum and its error (Knuth)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def two_product(x: Scalar, y: Scalar) -> tuple[Scalar, Scalar]:
    """The rounded product and its error."""
    product = x * y
    return product, fma(x, y, -product)


def quotient(
    high: Scalar, low: Scalar, divisor: Scalar, divisor_low: Scalar
) -> tuple[Scalar, Scalar]:
    """(high + low)/(divisor + divisor_low) as an approximation and what it lacks."""
    reciprocal = 1 / divisor
    first = high * reciprocal
    rest = fma(-first, divisor, high) + fma(-first, divisor_low, low)
    return first, rest * reciprocal


def clamped(x: Scalar, low: float, high: float) -> Scalar:
    """x within bounds; a NaN stays one."""
    x = select(x > high, high, x)
    return select(x < low, low, x)


def power_of_two(biased: Scalar) -> Scalar:
    """2**n from magic + n, for exponents n of normal numbers."""
    form = format_of(biased)
    exponent = (biased.bitcast(form.bits) + form.bias) << form.mantissa
    return exponent.bitcast(form.dtype)


def nearest_integer(x: Scalar, factor: float) -> tuple[Scalar, Scalar]:
    """(magic + n, n) for the integer n next to x·factor, of at most 22 bits (51 in float64)."""
    magic = format_of(x).magic
    biased = mul_add(x, factor, magic)
    return biased, biased - magic


def scaled(x: Scalar, n: Scalar) -> Scalar:
    """x·2**n for integers n that may lead beyond the normal numbers, in two steps."""
    magic = format_of(x).magic
    half = mul_add(n, 0.5, magic)
    rest = (n - (half - magic)) + magic
    return x * power_of_two(half) * power_of_two(rest)


def negative(x: Scalar) -> Scalar:
    """Whether the sign bit is set."""
    return x.constant(1.0).copysign(x) < 0


def split_constant(x: Scalar, name: str) -> tuple[float, float]:
    """The two leading parts of a constant in x's format."""
    parts = getattr(format_of(x), name)
    return parts[0], parts[1]
