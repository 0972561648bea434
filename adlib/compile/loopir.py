"""The loop language: typed scalar arithmetic inside loop nests, between schedule and machine code.

A ``Kernel`` works on flat buffers and is a list of nests. A ``Nest`` has axes with constant
extents; its items are loops, stores and values. A ``Value`` is one instruction in single
assignment form. Positions in buffers are affine in the axes: a tuple with one coefficient for
each axis and a constant last, counted in elements. A loop may carry accumulators, whose
results can be used after it. Values are no complex numbers, but buffers may hold some: what
reads or writes one says which part of it, 0 for the real and 1 for the imaginary one.

The operations are those of ``builder.Builder`` and these:

========== ===================================================================================
const      a number; ``attr`` holds it
load       an element of a buffer; ``attr`` is (buffer, position), and an argument, if there is
           one, is added to the position
index      an affine function of the axes, as int64; ``attr`` is the position
min, max   of floats with NaN where one of them is; of integers
div, rem   of integers, where the lowering has excluded divisors 0 and -1
popcount   number of bits set; ``clz``: of leading zeros
widen      the bits of a 16-bit float as the float32 of the same value; ``attr`` is its type
narrow     a float32 that is a number of the 16-bit type ``attr`` as its bits
rounded    the number of the 16-bit type ``attr`` that is next to a float32, as float32
saturate   a float to an integer: towards zero, the nearest bound where out of range, NaN to 0
========== ===================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile.builder import BOOL, Builder

Position = tuple[int, ...]
INT64 = np.dtype(np.int64)


class Value:
    """One instruction; its identity is its name. ``part`` is of a load: see the module."""

    __slots__ = ("args", "attr", "dtype", "op", "part")

    def __init__(
        self,
        op: str,
        dtype: np.dtype[Any],
        args: tuple[Value, ...] = (),
        attr: Any = None,
        part: int = 0,
    ) -> None:
        self.op = op
        self.dtype = dtype
        self.args = args
        self.attr = attr
        self.part = part


class Store:
    """``buffer[position + offset] = value``; ``offset`` is an int64 value, or None for 0."""

    __slots__ = ("buffer", "offset", "part", "position", "value")

    def __init__(
        self,
        buffer: int,
        position: Position,
        value: Value,
        offset: Value | None = None,
        part: int = 0,
    ) -> None:
        self.offset = offset
        self.part = part
        self.buffer = buffer
        self.position = position
        self.value = value


class Accumulator:
    """What a loop carries: starts as ``identity``, combined with ``value`` in each round.

    Attributes:
      kind: ``sum prod max min and or xor``.
      value: the contribution of a round, an instruction of the loop's body.
      result: the combined value, usable after the loop.
    """

    __slots__ = ("identity", "kind", "result", "value")

    def __init__(self, kind: str, value: Value) -> None:
        self.kind = kind
        self.value = value
        self.identity = identity(kind, value.dtype)
        self.result = Value("result", value.dtype)


class For:
    """A loop over one axis of the nest."""

    __slots__ = ("accumulators", "axis", "body")

    def __init__(self, axis: int, body: list[Any], accumulators: list[Accumulator]) -> None:
        self.axis = axis
        self.body = body
        self.accumulators = accumulators


class Nest:
    """Loops over constant extents.

    Attributes:
      extents: size of each axis.
      items: Values, Stores and Fors in order of execution.
      why: how the nest came to be, for people.
    """

    __slots__ = ("extents", "items", "why")

    def __init__(self, extents: tuple[int, ...], items: list[Any], why: str = "") -> None:
        self.extents = extents
        self.items = items
        self.why = why


class Buffer:
    """Memory that a kernel reads or writes: a run of ``size`` elements; ``local``: on its stack."""

    __slots__ = ("dtype", "local", "name", "size", "written")

    def __init__(self, name: str, dtype: np.dtype[Any], size: int, written: bool) -> None:
        self.name = name
        self.dtype = dtype
        self.size = size
        self.written = written
        self.local = False


class Kernel:
    """A function of buffers."""

    __slots__ = ("buffers", "name", "nests")

    def __init__(self, name: str, buffers: list[Buffer], nests: list[Nest]) -> None:
        self.name = name
        self.buffers = buffers
        self.nests = nests


def part_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of the values that are read from memory of ``dtype``."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def identity(kind: str, dtype: np.dtype[Any]) -> Any:
    """The number that leaves all others as they are under ``kind``."""
    if kind in ("sum", "or", "xor"):
        # -0.0 is the neutral number of addition, but sums of nothing are 0.0
        return dtype.type(0)
    if kind == "prod":
        return dtype.type(1)
    if kind == "and":
        return np.bool_(True) if dtype == BOOL else np.invert(dtype.type(0))
    lowest = kind == "max"
    if dtype == BOOL:
        return np.bool_(not lowest)
    if dtype.kind == "f":
        return dtype.type(-np.inf if lowest else np.inf)
    return dtype.type(np.iinfo(dtype).min if lowest else np.iinfo(dtype).max)


class LoopBuilder(Builder):
    """Emits instructions into ``items``; equal constants are one instruction.

    Attributes:
      functions: names of transcendental functions that are instructions themselves, which
        ``function`` emits; the others are written out (``mathfns``).
    """

    functions: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._constants: dict[Any, Value] = {}
        self._memo: dict[Any, Value] = {}

    def emit(
        self,
        op: str,
        dtype: np.dtype[Any],
        args: tuple[Value, ...] = (),
        attr: Any = None,
        part: int = 0,
    ) -> Value:
        key: Any = (op, dtype, args, attr, part)
        try:
            found = self._memo.get(key)
        except TypeError:  # a table
            found = None
            key = None
        if found is None:
            found = Value(op, dtype, args, attr, part)
            self.items.append(found)
            if key is not None:
                self._memo[key] = found
        return found

    def type_of(self, value: Value) -> np.dtype[Any]:
        return value.dtype

    def constant(self, number: Any, dtype: np.dtype[Any]) -> Value:
        number = _as(number, dtype)
        key = (number.tobytes(), dtype)
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = Value("const", dtype, (), number)
            self.items.append(found)
        return found

    def load(
        self,
        buffer: int,
        position: Position,
        dtype: np.dtype[Any],
        offset: Value | None = None,
        part: int = 0,
    ) -> Value:
        args = () if offset is None else (offset,)
        return self.emit("load", dtype, args, (buffer, position), part)

    def index(self, position: Position) -> Value:
        return self.emit("index", INT64, (), position)

    def unary(self, op: str, x: Value) -> Value:
        return self.emit(op, x.dtype, (x,))

    def binary(self, op: str, x: Value, y: Value) -> Value:
        return self.emit(op, x.dtype, (x, y))

    def compare(self, op: str, x: Value, y: Value) -> Value:
        return self.emit(op, BOOL, (x, y))

    def select(self, predicate: Value, x: Value, y: Value) -> Value:
        return x if x is y else self.emit("select", x.dtype, (predicate, x, y))

    def rare(self, predicate: Value, slow: Callable[[], Value], fast: Value) -> Value:
        return self.emit("rare", fast.dtype, (predicate, slow(), fast))

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        return self.emit("fma", x.dtype, (x, y, z))

    def mul_add(self, x: Value, y: Value, z: Value) -> Value:
        return self.emit("mul_add", x.dtype, (x, y, z))

    def convert(self, x: Value, dtype: np.dtype[Any]) -> Value:
        return x if x.dtype == dtype else self.emit("convert", dtype, (x,))

    def bitcast(self, x: Value, dtype: np.dtype[Any]) -> Value:
        return x if x.dtype == dtype else self.emit("bitcast", dtype, (x,))

    def function(self, name: str, *values: Value) -> Value:
        raise NotImplementedError(f"no instruction {name}")

    def lookup(self, table: np.ndarray[Any, Any], index: Value) -> Value:
        key = ("lookup", id(table), index)  # the value keeps the table, and so its id, alive
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = Value("lookup", table.dtype, (index,), table)
            self.items.append(found)
        return found


def _as(number: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(number, int) and dtype.kind in "iu":  # bit patterns wrap
        number &= (1 << 8 * dtype.itemsize) - 1
        return np.array(number, f"u{dtype.itemsize}").view(dtype)[()]
    return np.asarray(number).astype(dtype)[()]


def loops(items: list[Any]) -> list[For]:
    """The loops directly among ``items``."""
    return [item for item in items if type(item) is For]


def depth(items: list[Any]) -> int:
    """Length of the longest chain of dependent floating-point operations."""
    lengths: dict[int, int] = {}
    longest = 0
    for item in items:
        if type(item) is not Value or item.op in ("const", "load", "index"):
            continue
        length = 1 + max([lengths.get(id(a), 0) for a in item.args], default=0)
        lengths[id(item)] = length
        longest = max(longest, length)
    return longest
