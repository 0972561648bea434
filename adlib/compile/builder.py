"""How scalar arithmetic is written once and rendered many times.

The transcendental functions (``mathfns``) are formulas over ``Scalar``, which has Python's
operators. A ``Builder`` gives them their meaning: ``NumpyBuilder`` computes at once, on whole
arrays; the loop language's builder emits instructions. A builder has to provide the operations
of this table and nothing else; its values are its own affair (arrays, registers, names).

=============================== ==================================================================
``type_of(v)``                  dtype of a value: float32, float64, (u)int32, (u)int64 or bool
``constant(c, dtype)``          a number as a value
``unary(op, x)``                ``neg abs sqrt floor ceil trunc round_even`` on floats, ``neg`` on
                                integers, ``not`` on bools and integers
``binary(op, x, y)``            ``add sub mul div copysign`` on floats; ``add sub mul`` (wrapping)
                                ``and or xor shl shr`` on integers: ``shr`` fills with the sign
                                where the type is signed; ``and or xor`` on bools. The types of
                                both operands are equal
``compare(op, x, y)``           ``lt le gt ge eq ne`` as a bool; with a NaN all but ``ne`` are false
``select(p, x, y)``             x where p is true, else y; neither side can fail or trap
``fma(x, y, z)``                x·y + z, rounded once
``mul_add(x, y, z)``            x·y + z, rounded once or twice, whichever is faster
``convert(x, dtype)``           between number types; a float is truncated towards zero, and one
                                that does not fit gives an unspecified number. From bool: 0 or 1
``bitcast(x, dtype)``           the same bits as another type of the same size
``lookup(table, i)``            ``table[i]``: a constant array of rank 1, an int32 index in range
``rare(p, slow, fast)``         ``slow()`` where p is true, else ``fast``; p is hardly ever true.
                                By default both are computed and one is selected; a builder that
                                can branch for a whole block of elements may skip ``slow``
=============================== ==================================================================

Every operation is IEEE 754's, rounded to nearest-even, with subnormal numbers: a renderer must
neither reassociate nor contract them, nor flush subnormal numbers to zero. No operation traps.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import numpy as np

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
BOOL = np.dtype(bool)


class Builder(abc.ABC):
    """Gives meaning to scalar arithmetic; the operations are in this module's table."""

    @abc.abstractmethod
    def type_of(self, value: Any) -> np.dtype[Any]: ...

    @abc.abstractmethod
    def constant(self, number: Any, dtype: np.dtype[Any]) -> Any: ...

    @abc.abstractmethod
    def unary(self, op: str, x: Any) -> Any: ...

    @abc.abstractmethod
    def binary(self, op: str, x: Any, y: Any) -> Any: ...

    @abc.abstractmethod
    def compare(self, op: str, x: Any, y: Any) -> Any: ...

    @abc.abstractmethod
    def select(self, predicate: Any, x: Any, y: Any) -> Any: ...

    @abc.abstractmethod
    def fma(self, x: Any, y: Any, z: Any) -> Any: ...

    @abc.abstractmethod
    def convert(self, x: Any, dtype: np.dtype[Any]) -> Any: ...

    @abc.abstractmethod
    def bitcast(self, x: Any, dtype: np.dtype[Any]) -> Any: ...

    @abc.abstractmethod
    def lookup(self, table: np.ndarray[Any, Any], index: Any) -> Any: ...

    def mul_add(self, x: Any, y: Any, z: Any) -> Any:
        return self.fma(x, y, z)

    def rare(self, predicate: Any, slow: Callable[[], Any], fast: Any) -> Any:
        return self.select(predicate, slow(), fast)


class Scalar:
    """A value of a builder, with operators; plain numbers adopt its type.

    >>> import numpy as np
    >>> x = Scalar(NumpyBuilder(), np.float32([1.0, 4.0]))
    >>> (2 * x + 1).sqrt().value
    array([1.7320508, 3.       ], dtype=float32)
    """

    __slots__ = ("builder", "value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, builder: Builder, value: Any) -> None:
        self.builder = builder
        self.value = value

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.builder.type_of(self.value)

    def _of(self, other: Any) -> Any:
        """Another operand as a value of the builder, of this one's type if it is a number."""
        if isinstance(other, Scalar):
            return other.value
        return self.builder.constant(other, self.dtype)

    def constant(self, number: Any, dtype: Any = None) -> Scalar:
        """A number, of this value's type unless another is given."""
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        return Scalar(self.builder, self.builder.constant(number, dtype))

    def _unary(self, op: str) -> Scalar:
        return Scalar(self.builder, self.builder.unary(op, self.value))

    def _binary(self, op: str, other: Any) -> Scalar:
        return Scalar(self.builder, self.builder.binary(op, self.value, self._of(other)))

    def _reversed(self, op: str, other: Any) -> Scalar:
        return Scalar(self.builder, self.builder.binary(op, self._of(other), self.value))

    def _compare(self, op: str, other: Any) -> Scalar:
        return Scalar(self.builder, self.builder.compare(op, self.value, self._of(other)))

    def __neg__(self) -> Scalar:
        return self._unary("neg")

    def __abs__(self) -> Scalar:
        return self._unary("abs")

    def __invert__(self) -> Scalar:
        return self._unary("not")

    def __add__(self, other: Any) -> Scalar:
        return self._binary("add", other)

    def __radd__(self, other: Any) -> Scalar:
        return self._reversed("add", other)

    def __sub__(self, other: Any) -> Scalar:
        return self._binary("sub", other)

    def __rsub__(self, other: Any) -> Scalar:
        return self._reversed("sub", other)

    def __mul__(self, other: Any) -> Scalar:
        return self._binary("mul", other)

    def __rmul__(self, other: Any) -> Scalar:
        return self._reversed("mul", other)

    def __truediv__(self, other: Any) -> Scalar:
        return self._binary("div", other)

    def __rtruediv__(self, other: Any) -> Scalar:
        return self._reversed("div", other)

    def __and__(self, other: Any) -> Scalar:
        return self._binary("and", other)

    def __or__(self, other: Any) -> Scalar:
        return self._binary("or", other)

    def __xor__(self, other: Any) -> Scalar:
        return self._binary("xor", other)

    def __lshift__(self, other: Any) -> Scalar:
        return self._binary("shl", other)

    def __rshift__(self, other: Any) -> Scalar:
        return self._binary("shr", other)

    def __lt__(self, other: Any) -> Scalar:
        return self._compare("lt", other)

    def __le__(self, other: Any) -> Scalar:
        return self._compare("le", other)

    def __gt__(self, other: Any) -> Scalar:
        return self._compare("gt", other)

    def __ge__(self, other: Any) -> Scalar:
        return self._compare("ge", other)

    def __eq__(self, other: Any) -> Scalar:  # type: ignore[override]
        return self._compare("eq", other)

    def __ne__(self, other: Any) -> Scalar:  # type: ignore[override]
        return self._compare("ne", other)

    def sqrt(self) -> Scalar:
        return self._unary("sqrt")

    def floor(self) -> Scalar:
        return self._unary("floor")

    def trunc(self) -> Scalar:
        return self._unary("trunc")

    def round_even(self) -> Scalar:
        return self._unary("round_even")

    def copysign(self, sign: Any) -> Scalar:
        """This magnitude with the sign of ``sign``."""
        return self._binary("copysign", sign)

    def isnan(self) -> Scalar:
        return self != self

    def convert(self, dtype: Any) -> Scalar:
        return Scalar(self.builder, self.builder.convert(self.value, np.dtype(dtype)))

    def bitcast(self, dtype: Any) -> Scalar:
        return Scalar(self.builder, self.builder.bitcast(self.value, np.dtype(dtype)))

    def __bool__(self) -> bool:
        raise TypeError("a Scalar has no truth value: use select(predicate, x, y)")


def fma(x: Scalar, y: Any, z: Any) -> Scalar:
    """x·y + z, rounded once."""
    return Scalar(x.builder, x.builder.fma(x.value, x._of(y), x._of(z)))


def mul_add(x: Scalar, y: Any, z: Any) -> Scalar:
    """x·y + z, rounded once or twice."""
    return Scalar(x.builder, x.builder.mul_add(x.value, x._of(y), x._of(z)))


def select(predicate: Scalar, x: Any, y: Any) -> Scalar:
    """x where the predicate is true, else y; one of them has to be a Scalar."""
    typed = x if isinstance(x, Scalar) else y
    builder = predicate.builder
    return Scalar(builder, builder.select(predicate.value, typed._of(x), typed._of(y)))


def rare(predicate: Scalar, slow: Callable[[], Scalar], fast: Scalar) -> Scalar:
    """``slow()`` where the predicate, hardly ever true, is true, else ``fast``."""
    builder = predicate.builder
    return Scalar(builder, builder.rare(predicate.value, lambda: slow().value, fast.value))


def lookup(table: np.ndarray[Any, Any], index: Scalar) -> Scalar:
    """``table[index]`` of a constant table."""
    return Scalar(index.builder, index.builder.lookup(table, index.value))


# ------------------------------------------------------------------------------ NumPy

_UNARY: dict[str, Callable[[Any], Any]] = {
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round_even": np.rint,
    "not": np.invert,
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "copysign": np.copysign,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "shl": np.left_shift,
    "shr": np.right_shift,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}


class NumpyBuilder(Builder):
    """Computes at once with ndarrays (of any shape: operations go element by element).

    For tests and for folding constants. The caller turns floating-point warnings off.
    """

    def type_of(self, value: Any) -> np.dtype[Any]:
        return value.dtype  # type: ignore[no-any-return]

    def constant(self, number: Any, dtype: np.dtype[Any]) -> Any:
        return np.asarray(number, dtype)[()]

    def unary(self, op: str, x: Any) -> Any:
        return _UNARY[op](x)

    def binary(self, op: str, x: Any, y: Any) -> Any:
        return _BINARY[op](x, y)

    def compare(self, op: str, x: Any, y: Any) -> Any:
        return _COMPARE[op](x, y)

    def select(self, predicate: Any, x: Any, y: Any) -> Any:
        return np.where(predicate, x, y)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        return _fma32(x, y, z) if x.dtype == FLOAT32 else _fma64(x, y, z)

    def mul_add(self, x: Any, y: Any, z: Any) -> Any:
        return x * y + z

    def convert(self, x: Any, dtype: np.dtype[Any]) -> Any:
        return np.asarray(x).astype(dtype)[()]

    def bitcast(self, x: Any, dtype: np.dtype[Any]) -> Any:
        return np.asarray(x).view(dtype)[()]

    def lookup(self, table: np.ndarray[Any, Any], index: Any) -> Any:
        return table[index]

    def rare(self, predicate: Any, slow: Callable[[], Any], fast: Any) -> Any:
        return np.where(predicate, slow(), fast) if np.any(predicate) else fast


def _fma32(x: Any, y: Any, z: Any) -> Any:
    """The product of two float32 numbers is exact in float64."""
    wide = x.astype(FLOAT64) * y.astype(FLOAT64) + z.astype(FLOAT64)
    return wide.astype(FLOAT32)


def _fma64(x: Any, y: Any, z: Any) -> Any:
    """By error-free transformations (Dekker 1971, Knuth): right but for rare double roundings."""
    product = x * y
    xh, xl = _halves(x)
    yh, yl = _halves(y)
    error = ((xh * yh - product) + xh * yl + xl * yh) + xl * yl
    total = product + z
    part = total - product
    lost = (product - (total - part)) + (z - part)
    exact = total + (lost + error)
    return np.where(np.isfinite(exact), exact, total)[()]


def _halves(x: Any) -> tuple[Any, Any]:
    big = x * 134217729.0  # 2**27 + 1
    high = big - (big - x)
    return high, x - high
