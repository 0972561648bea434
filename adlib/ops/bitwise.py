"""Logic on booleans and on the bits of integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.core.primitive import Sample
from adlib.ops.constructors import elementwise
from adlib.ops.operands import normal, operands

not_p = elementwise("not", "invert", None, kinds="biu")
and_p = elementwise("and", "bitwise_and", None, kinds="biu", arity=2)
or_p = elementwise("or", "bitwise_or", None, kinds="biu", arity=2)
xor_p = elementwise("xor", "bitwise_xor", None, kinds="biu", arity=2)


def bitwise_not(x: Any) -> Any:
    """``~x``: every bit flipped; the negation of booleans.

    >>> from adlib import lax
    >>> lax.bitwise_not(5)
    Array(-6, dtype=int32, weak_type=True)
    """
    return not_p.bind(*operands("bitwise_not", x))


def bitwise_and(x: Any, y: Any) -> Any:
    """``x & y``, bit by bit.

    >>> from adlib import lax
    >>> lax.bitwise_and(6, 3)
    Array(2, dtype=int32, weak_type=True)
    """
    return and_p.bind(*operands("bitwise_and", x, y))


def bitwise_or(x: Any, y: Any) -> Any:
    """``x | y``, bit by bit.

    >>> from adlib import lax
    >>> lax.bitwise_or(6, 3)
    Array(7, dtype=int32, weak_type=True)
    """
    return or_p.bind(*operands("bitwise_or", x, y))


def bitwise_xor(x: Any, y: Any) -> Any:
    """``x ^ y``, bit by bit.

    >>> from adlib import lax
    >>> lax.bitwise_xor(6, 3)
    Array(5, dtype=int32, weak_type=True)
    """
    return xor_p.bind(*operands("bitwise_xor", x, y))


# --------------------------------------------------------------------- shifts


def _shift(move: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel of ``move(xp, x, y, inside)``; shifts by the width or more are ``inside`` False."""

    def kernel(xp: Any, x: Any, y: Any) -> Any:
        width = 8 * x.dtype.itemsize
        inside = (y >= 0) & (y < width)
        return move(xp, x, xp.where(inside, y, xp.zeros_like(y)), inside)

    return kernel


def _left(xp: Any, x: Any, y: Any, inside: Any) -> Any:
    return xp.where(inside, xp.left_shift(x, y), xp.zeros_like(x))


def _right_arithmetic(xp: Any, x: Any, y: Any, inside: Any) -> Any:
    # what shifts in is the sign
    return xp.where(inside, xp.right_shift(x, y), xp.where(x < 0, ~xp.zeros_like(x), 0 * x))


def _right_logical(xp: Any, x: Any, y: Any, inside: Any) -> Any:
    word = np.dtype(f"u{x.dtype.itemsize}")
    shifted = xp.right_shift(x.astype(word), y.astype(word)).astype(x.dtype)
    return xp.where(inside, shifted, xp.zeros_like(x))


def _shift_samples() -> list[Sample]:
    amounts = np.array([0, 1, 31, 32, -1], np.int32)
    return [
        Sample((normal(5, dtype=np.int32), amounts), name="int32"),
        Sample((normal(3, dtype=np.uint8), np.array([1, 7, 8], np.uint8)), name="uint8"),
        Sample((normal(2, 3, dtype=np.int32), np.int32(2)), name="scalar-amount"),
    ]


shift_left_p = elementwise(
    "shift_left", _shift(_left), None, kinds="iu", arity=2, samples=_shift_samples
)
shift_right_arithmetic_p = elementwise(
    "shift_right_arithmetic",
    _shift(_right_arithmetic),
    None,
    kinds="iu",
    arity=2,
    samples=_shift_samples,
)
shift_right_logical_p = elementwise(
    "shift_right_logical",
    _shift(_right_logical),
    None,
    kinds="iu",
    arity=2,
    samples=_shift_samples,
)


def shift_left(x: Any, y: Any) -> Any:
    """``x << y``; 0 where ``y`` is not within the width of ``x`` in bits.

    >>> from adlib import lax
    >>> lax.shift_left(1, 4)
    Array(16, dtype=int32, weak_type=True)
    """
    return shift_left_p.bind(*operands("shift_left", x, y))


def shift_right_arithmetic(x: Any, y: Any) -> Any:
    """``x >> y`` with copies of the sign bit shifted in.

    >>> from adlib import lax
    >>> lax.shift_right_arithmetic(-8, 1)
    Array(-4, dtype=int32, weak_type=True)
    """
    return shift_right_arithmetic_p.bind(*operands("shift_right_arithmetic", x, y))


def shift_right_logical(x: Any, y: Any) -> Any:
    """``x >> y`` with zeros shifted in.

    >>> from adlib import lax
    >>> lax.shift_right_logical(-1, 28)
    Array(15, dtype=int32, weak_type=True)
    """
    return shift_right_logical_p.bind(*operands("shift_right_logical", x, y))


# ------------------------------------------------------------------- counting


def _population_count(xp: Any, x: Any) -> Any:
    """Bits added up in pairs, then fours, then bytes (Warren, "Hacker's Delight", 5-1)."""
    bits = x.astype(np.uint64) & _mask(x)
    bits = bits - ((bits >> _u64(1)) & _u64(0x5555555555555555))
    pairs = _u64(0x3333333333333333)
    bits = (bits & pairs) + ((bits >> _u64(2)) & pairs)
    bits = (bits + (bits >> _u64(4))) & _u64(0x0F0F0F0F0F0F0F0F)
    return ((bits * _u64(0x0101010101010101)) >> _u64(56)).astype(x.dtype)


def _clz(xp: Any, x: Any) -> Any:
    """Width minus the bits at and below the highest one, once all below it are set too."""
    bits = x.astype(np.uint64) & _mask(x)
    for step in (1, 2, 4, 8, 16, 32):
        bits = bits | (bits >> _u64(step))
    return (8 * x.dtype.itemsize - _population_count(xp, bits).astype(np.int64)).astype(x.dtype)


def _u64(value: int) -> Any:
    return np.uint64(value)


def _mask(x: Any) -> Any:
    return _u64((1 << 8 * x.dtype.itemsize) - 1)


population_count_p = elementwise("population_count", _population_count, None, kinds="iu")
clz_p = elementwise("clz", _clz, None, kinds="iu")


def population_count(x: Any) -> Any:
    """The number of bits that are set, element by element.

    >>> from adlib import lax
    >>> lax.population_count(7)
    Array(3, dtype=int32, weak_type=True)
    """
    return population_count_p.bind(*operands("population_count", x))


def clz(x: Any) -> Any:
    """The number of leading zero bits, element by element.

    >>> from adlib import lax
    >>> lax.clz(1)
    Array(31, dtype=int32, weak_type=True)
    """
    return clz_p.bind(*operands("clz", x))


# ---------------------------------------------------------------------- mulhi


def _mulhi(xp: Any, x: Any, y: Any) -> Any:
    width = 8 * x.dtype.itemsize
    signed = x.dtype.kind == "i"
    if width < 64:
        wide = np.int64 if signed else np.uint64
        product = x.astype(wide) * y.astype(wide)
        return (product >> wide(width)).astype(x.dtype)
    # four products of 32-bit halves; the middle ones carry
    low, half = _u64(0xFFFFFFFF), _u64(32)
    a, b = x.astype(np.uint64), y.astype(np.uint64)
    cross = (a >> half) * (b & low) + (((a & low) * (b & low)) >> half)
    middle = (a & low) * (b >> half) + (cross & low)
    high = (a >> half) * (b >> half) + (cross >> half) + (middle >> half)
    if signed:  # read as unsigned, a negative factor is 2**64 too large
        high = high - xp.where(x < 0, b, _u64(0)) - xp.where(y < 0, a, _u64(0))
    return high.astype(x.dtype)


mulhi_p = elementwise("mulhi", _mulhi, None, kinds="iu", arity=2)


def mulhi(x: Any, y: Any) -> Any:
    """The upper half of the bits of the product ``x * y`` of integers.

    >>> from adlib import lax
    >>> lax.mulhi(2**20, 2**20)
    Array(256, dtype=int32, weak_type=True)
    """
    return mulhi_p.bind(*operands("mulhi", x, y))
