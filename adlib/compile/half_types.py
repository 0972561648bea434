"""float16 and bfloat16 as integer arithmetic: their bits, and float32 rounded to what they hold.

Memory holds 16 bits; loops compute with the float32 of the same value. Conversions are written
out, since not every processor has them, and a library for those that do not may not be loaded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.compile.builder import FLOAT32, FLOAT64, Scalar, select
from adlib.core.dtypes import bfloat16

FLOAT16 = np.dtype(np.float16)
HALVES: frozenset[np.dtype[Any]] = frozenset({FLOAT16, bfloat16})
UINT16 = np.dtype(np.uint16)

_UINT32 = np.dtype(np.uint32)
_INFINITY = 0x7F800000  # float32's bits
_SIZE = 0x7FFFFFFF


def rounded(x: Scalar, dtype: np.dtype[Any]) -> Scalar:
    """The number of a 16-bit type next to a float32 (ties to even), as float32."""
    if dtype == FLOAT16:
        return _rounded_to_float16(x)
    bits = x.bitcast(_UINT32)
    nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return select(x.isnan(), (bits | 0x400000) & 0xFFFF0000, nearest).bitcast(FLOAT32)


def bits_of(x: Scalar, dtype: np.dtype[Any]) -> Scalar:
    """The bits, as uint16, of a float32 that a 16-bit type holds exactly."""
    bits = x.bitcast(_UINT32)
    if dtype != FLOAT16:
        return (bits >> 16).convert(UINT16)
    # times 2**-112 the exponent is float16's, and subnormal numbers stand where its do
    moved = (abs(x) * 2.0**-112).bitcast(_UINT32) >> 13
    size = bits & _SIZE
    special = select(size == _INFINITY, size.constant(0x7C00), size.constant(0x7E00))
    moved = select(size < _INFINITY, moved, special)
    return (moved | ((bits >> 16) & 0x8000)).convert(UINT16)


def value_of(bits: Scalar, dtype: np.dtype[Any]) -> Scalar:
    """The float32 of the same value as 16 bits."""
    wide = bits.convert(_UINT32)
    if dtype != FLOAT16:
        return (wide << 16).bitcast(FLOAT32)
    size = (wide & 0x7FFF) << 13
    finite = (size.bitcast(FLOAT32) * 2.0**112).bitcast(_UINT32)
    found = select(size < 0x7C00 << 13, finite, size | _INFINITY)
    return (found | ((wide & 0x8000) << 16)).bitcast(FLOAT32)


def _rounded_to_float16(x: Scalar) -> Scalar:
    bits = x.bitcast(_UINT32)
    size = bits & _SIZE
    nearest = (size + 0xFFF + ((size >> 13) & 1)) & 0xFFFFE000
    nearest = select(nearest >= 0x47800000, size.constant(_INFINITY), nearest)
    # below the normal numbers the distance of neighbours is that of float32's next to 0.5
    small = ((abs(x) + 0.5) - 0.5).bitcast(_UINT32)
    found = select(size < 0x38800000, small, nearest)
    found = select(size > _INFINITY, size, found)
    return (found | (bits & 0x80000000)).bitcast(FLOAT32)


def as_float32(x: Scalar) -> Scalar:
    """float32 of any number, such that rounding it once more is as if it had been once."""
    if x.dtype == FLOAT32:
        return x
    if x.dtype != FLOAT64:
        if x.dtype.itemsize < 4:
            return x.convert(FLOAT32)
        x = x.convert(FLOAT64)
    near = x.convert(FLOAT32)
    back = near.convert(FLOAT64)
    bits = near.bitcast(_UINT32)
    # rounded towards zero, with the last bit set where anything is lost
    toward_zero = select(abs(back) > abs(x), bits - 1, bits)
    odd = (toward_zero | 1).bitcast(FLOAT32)
    return select((back == x) | x.isnan(), near, odd)
