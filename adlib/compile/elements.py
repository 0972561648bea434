"""Elements that are not one register: complex numbers and 16-bit floats.

The loop language computes with real numbers of 32 and 64 bits, integers and bools. Memory holds
a complex number as two reals and a 16-bit float as its bits. In the body of a loop the first is a
``Pair`` of values, and the second a ``Half``: its bits, or the float32 of the same value, or both.
``Elements`` is the loop language's builder with operations for them, so that what reads, writes,
chooses and adds elements does so for every type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile import half_types
from adlib.compile.builder import BOOL, FLOAT32, Scalar
from adlib.compile.half_types import HALVES, UINT16
from adlib.compile.loopir import LoopBuilder, Position, Store, Value, part_type
from adlib.compile.mathfns import complex_arithmetic
from adlib.compile.mathfns.complex_arithmetic import Complex

COMPLEX: frozenset[np.dtype[Any]] = frozenset({np.dtype(np.complex64), np.dtype(np.complex128)})

# Operations whose results a 16-bit type holds where it holds the operands.
_EXACT = frozenset("neg abs floor ceil trunc round_even copysign min max".split())


class Pair:
    """A complex number: two real values."""

    __slots__ = ("dtype", "im", "re")

    def __init__(self, dtype: np.dtype[Any], re: Value, im: Value) -> None:
        self.dtype = dtype
        self.re = re
        self.im = im


class Half:
    """A 16-bit float by its ``bits`` (uint16) or by its value as float32, ``wide``, or both."""

    __slots__ = ("bits", "dtype", "wide")

    def __init__(
        self, dtype: np.dtype[Any], bits: Value | None = None, wide: Value | None = None
    ) -> None:
        self.dtype = dtype
        self.bits = bits
        self.wide = wide


def in_buffers(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of the loop language's buffers that hold elements of ``dtype``."""
    return UINT16 if dtype in HALVES else dtype


def plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The numbers that make up the elements of an array, in the order of memory."""
    flat = np.ascontiguousarray(array).ravel()
    return flat.view(part_type(in_buffers(array.dtype)))


class Elements(LoopBuilder):
    """Emits instructions for elements of any type that native code holds."""

    # --------------------------------------------------------------------- memory

    def load(
        self,
        buffer: int,
        position: Position,
        dtype: np.dtype[Any],
        offset: Value | None = None,
        part: int = 0,
    ) -> Any:
        read = super().load
        if dtype in COMPLEX:
            real = part_type(dtype)
            parts = [read(buffer, position, real, offset, part) for part in (0, 1)]
            return Pair(dtype, *parts)
        if dtype in HALVES:
            return Half(dtype, bits=read(buffer, position, UINT16, offset))
        return read(buffer, position, dtype, offset, part)

    def store(
        self, buffer: int, position: Position, element: Any, offset: Value | None = None
    ) -> None:
        """Write an element to memory."""
        if type(element) is Pair:
            for part, value in enumerate((element.re, element.im)):
                self.items.append(Store(buffer, position, value, offset, part))
            return
        value = self.bits(element) if type(element) is Half else element
        self.items.append(Store(buffer, position, value, offset))

    # ----------------------------------------------------------------- 16-bit floats

    def bits(self, x: Half) -> Value:
        if x.bits is None:
            assert x.wide is not None
            x.bits = self.emit("narrow", UINT16, (x.wide,), x.dtype)
        return x.bits

    def wide(self, x: Half) -> Value:
        """The float32 of the same value."""
        if x.wide is None:
            assert x.bits is not None
            x.wide = self.emit("widen", FLOAT32, (x.bits,), x.dtype)
        return x.wide

    def half(self, x: Value, dtype: np.dtype[Any], exact: bool = False) -> Half:
        """A number as a 16-bit float; ``exact``: it is known to be one."""
        if exact:
            return Half(dtype, wide=x)
        narrow = half_types.as_float32(Scalar(self, x)).value
        return Half(dtype, wide=self.emit("rounded", FLOAT32, (narrow,), dtype))

    def widened(self, x: Any) -> Any:
        return self.wide(x) if type(x) is Half else x

    # ------------------------------------------------------------------ arithmetic

    def scalars(self, x: Pair) -> Complex:
        """A complex number as formulas take it."""
        return Complex(Scalar(self, x.re), Scalar(self, x.im))

    def pair(self, x: Complex) -> Pair:
        dtype = np.dtype(f"c{2 * x.re.dtype.itemsize}")
        return Pair(dtype, x.re.value, x.im.value)

    def constant(self, number: Any, dtype: np.dtype[Any]) -> Any:
        if dtype in COMPLEX:
            number, real = complex(number), part_type(dtype)
            parts = [super(Elements, self).constant(n, real) for n in (number.real, number.imag)]
            return Pair(dtype, *parts)
        if dtype in HALVES:
            short = np.asarray(number).astype(dtype)
            bits = super().constant(int(short.view(UINT16)), UINT16)
            return Half(dtype, bits, super().constant(float(short), FLOAT32))
        return super().constant(number, dtype)

    def unary(self, op: str, x: Any) -> Any:
        if type(x) is Half:
            return self.half(super().unary(op, self.wide(x)), x.dtype, op in _EXACT)
        if type(x) is Pair:
            if op != "neg":
                raise TypeError(f"no {op} of complex numbers")
            return Pair(x.dtype, super().unary(op, x.re), super().unary(op, x.im))
        return super().unary(op, x)

    def binary(self, op: str, x: Any, y: Any) -> Any:
        if type(x) is Half:
            found = super().binary(op, self.wide(x), self.wide(y))
            return self.half(found, x.dtype, op in _EXACT)
        if type(x) is Pair:
            return self.pair(complex_arithmetic.BINARY[op](self.scalars(x), self.scalars(y)))
        return super().binary(op, x, y)

    def compare(self, op: str, x: Any, y: Any) -> Any:
        if type(x) is Half:
            return super().compare(op, self.wide(x), self.wide(y))
        if type(x) is Pair:
            parts = super().compare(op, x.re, y.re), super().compare(op, x.im, y.im)
            return super().binary({"eq": "and", "ne": "or"}[op], *parts)
        return super().compare(op, x, y)

    def select(self, predicate: Value, x: Any, y: Any) -> Any:
        if type(x) is Pair:
            choose = super().select
            return Pair(x.dtype, choose(predicate, x.re, y.re), choose(predicate, x.im, y.im))
        if type(x) is Half:
            if x.bits is None or y.bits is None:
                found = super().select(predicate, self.wide(x), self.wide(y))
                return Half(x.dtype, wide=found)
            return Half(x.dtype, bits=super().select(predicate, x.bits, y.bits))
        return super().select(predicate, x, y)

    def rare(self, predicate: Value, slow: Callable[[], Any], fast: Any) -> Any:
        if type(fast) in (Pair, Half):
            raise TypeError("rare cases are cases of real numbers")
        return super().rare(predicate, slow, fast)

    def convert(self, x: Any, dtype: np.dtype[Any]) -> Any:
        if x.dtype == dtype:
            return x
        if type(x) is Half:
            x = self.wide(x)
        if type(x) is Pair:
            if dtype == BOOL:
                parts = super().convert(x.re, BOOL), super().convert(x.im, BOOL)
                return super().binary("or", *parts)
            if dtype in COMPLEX:
                real = part_type(dtype)
                return Pair(dtype, super().convert(x.re, real), super().convert(x.im, real))
            x = x.re
        if dtype in COMPLEX:
            real = part_type(dtype)
            return Pair(dtype, super().convert(x, real), super().constant(0, real))
        if dtype in HALVES:
            return self.half(super().convert(x, FLOAT32) if x.dtype == BOOL else x, dtype)
        return super().convert(x, dtype)

    def bitcast(self, x: Any, dtype: np.dtype[Any]) -> Any:
        if type(x) is Half:
            x = self.bits(x)
        if dtype in HALVES:
            return Half(dtype, bits=super().bitcast(x, UINT16))
        return super().bitcast(x, dtype)
