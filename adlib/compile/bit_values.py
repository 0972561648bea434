"""Primitives that work on the bits of numbers, as arithmetic of the loop language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile.builder import Scalar, select
from adlib.compile.elements import Elements
from adlib.compile.loopir import Value
from adlib.core.jaxpr import Eqn

LOWERINGS: dict[str, Callable[..., Any]] = {}


def _word(dtype: np.dtype[Any], kind: str = "u") -> np.dtype[Any]:
    """The integers of a type's size."""
    return np.dtype(f"{kind}{dtype.itemsize}")


def _nextafter(b: Elements, eqn: Eqn, x: Any, y: Any) -> Any:
    """One more or one less, read as an integer: floats of one sign are ordered like their bits."""
    dtype = x.dtype
    wide, target = Scalar(b, b.widened(x)), Scalar(b, b.widened(y))
    bits = Scalar(b, b.bitcast(x, _word(dtype, "i")))
    away = (wide < target) ^ (wide < 0.0)  # from zero
    moved = bits + select(away, bits.constant(1), bits.constant(-1))
    least = bits.constant(1)
    first = select(target < 0.0, least | np.iinfo(bits.dtype).min, least)
    moved = select(wide == 0.0, first, moved)
    found = b.bitcast(moved.value, dtype)
    found = b.select((wide == target).value, y, found)
    unknown = (wide.isnan() | target.isnan()).value
    return b.select(unknown, b.constant(np.nan, dtype), found)


def _mulhi(b: Elements, eqn: Eqn, x: Value, y: Value) -> Value:
    dtype = x.dtype
    width, signed = 8 * dtype.itemsize, dtype.kind == "i"
    if width < 64:
        wide = np.dtype(np.int64 if signed else np.uint64)
        product = Scalar(b, b.convert(x, wide)) * Scalar(b, b.convert(y, wide))
        return (product >> width).convert(dtype).value  # type: ignore[no-any-return]
    # four products of 32-bit halves; the middle ones carry
    first, second = (Scalar(b, v).convert(np.uint64) for v in (x, y))
    low = 0xFFFFFFFF
    cross = (first >> 32) * (second & low) + (((first & low) * (second & low)) >> 32)
    middle = (first & low) * (second >> 32) + (cross & low)
    high = (first >> 32) * (second >> 32) + (cross >> 32) + (middle >> 32)
    if signed:  # read as unsigned, a negative factor is 2**64 too large
        high = high - select(Scalar(b, x) < 0, second, high.constant(0))
        high = high - select(Scalar(b, y) < 0, first, high.constant(0))
    return high.convert(dtype).value  # type: ignore[no-any-return]


def _reduce_precision(b: Elements, eqn: Eqn, x: Any) -> Value:
    """Rounded to fewer bits, half to even; beyond the exponents infinite, or zero."""
    wide = Scalar(b, x)
    mantissa, exponent = (23, 8) if wide.dtype.itemsize == 4 else (52, 11)
    kept, exponent_bits = eqn.params["mantissa_bits"], eqn.params["exponent_bits"]
    found, dropped = wide, mantissa - kept
    if dropped > 0:
        bits = wide.bitcast(_word(wide.dtype))
        bits = bits + ((bits >> dropped) & 1) + ((1 << (dropped - 1)) - 1)
        found = (bits & -(1 << dropped)).bitcast(wide.dtype)
    if exponent_bits < exponent:
        bias = (1 << (exponent_bits - 1)) - 1
        zero, endless = wide.constant(0.0), wide.constant(np.inf)
        largest, smallest = 2.0**bias * (2 - 2.0**-kept), 2.0 ** (1 - bias)
        found = select(abs(found) > largest, endless.copysign(wide), found)
        found = select(abs(found) < smallest, zero.copysign(wide), found)
    return select(abs(wide) < np.inf, found, wide).value  # type: ignore[no-any-return]


def integer_power(b: Elements, eqn: Eqn, x: Value, y: Value) -> Value:
    """By squaring, which wraps as multiplication does; negative powers are 0 but for 1 and -1."""
    dtype = x.dtype
    base = Scalar(b, x)
    exponent = Scalar(b, y if y.dtype.itemsize == 1 else b.convert(y, dtype))
    one, zero = base.constant(1), base.constant(0)
    result, factor = one, base
    size = 8 * exponent.dtype.itemsize - (exponent.dtype.kind == "i")
    for place in range(size):
        odd = ((exponent >> place) & 1) != 0
        result = select(odd, result * factor, result)
        if place < size - 1:
            factor = factor * factor
    if exponent.dtype.kind == "u":
        return result.value  # type: ignore[no-any-return]
    unit = select(base == 1, one, zero)
    if dtype.kind == "i":
        sign = select((exponent & 1) != 0, base.constant(-1), one)
        unit = select(base == -1, sign, unit)
    return select(exponent < 0, unit, result).value  # type: ignore[no-any-return]


LOWERINGS["nextafter"] = _nextafter
LOWERINGS["mulhi"] = _mulhi
LOWERINGS["reduce_precision"] = _reduce_precision

# Lowerings that take 16-bit floats by their bits.
OF_HALVES = frozenset({"nextafter"})
