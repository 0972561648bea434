"""Instructions of the loop language as statements of CUDA C.

Arithmetic is IEEE 754's, as the loop language asks: kernels are compiled without contraction, and
integers wrap because they are added as unsigned ones. ``PRELUDE`` has the few functions that C
does not give, among them changes of an element that other threads change, too. It and all kernels
are plain enough C++ to be compiled for the CPU as well, which is how the tests run them without a
GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.compile import half_types
from adlib.compile.builder import BOOL, FLOAT32, Scalar
from adlib.compile.elements import Elements
from adlib.compile.half_types import UINT16
from adlib.compile.loopir import LoopBuilder, Position, Store, Value, part_type

_TYPES = {
    "b1": "bool",
    "i1": "s8",
    "i2": "s16",
    "i4": "s32",
    "i8": "s64",
    "u1": "u8",
    "u2": "u16",
    "u4": "u32",
    "u8": "u64",
    "f4": "float",
    "f8": "double",
}

# Functions of CUDA's mathematical library that take the place of our arithmetic: as accurate
# (its errors are documented, at most 2 ulp for these), and shorter.
FUNCTIONS = {
    "exp": "exp",
    "exp2": "exp2",
    "expm1": "expm1",
    "tanh": "tanh",
    "sinh": "sinh",
    "cosh": "cosh",
    "log": "log",
    "log1p": "log1p",
    "pow": "pow",
    "cbrt": "cbrt",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "asin",
    "acos": "acos",
    "atan": "atan",
    "atan2": "atan2",
    "asinh": "asinh",
    "acosh": "acosh",
    "erf": "erf",
    "erfc": "erfc",
}

PRELUDE = """
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
template <class T> __device__ __forceinline__ T minimum(T x, T y) {
  return x != x ? x : y != y ? y : x < y ? x : y < x ? y : signbit(x) ? x : y;
}
template <class T> __device__ __forceinline__ T maximum(T x, T y) {
  return x != x ? x : y != y ? y : x > y ? x : y > x ? y : signbit(x) ? y : x;
}
template <class To, class From> __device__ __forceinline__ To saturated(
    From x, To low, To high, From above) {
  return x != x ? To(0) : x <= From(low) ? low : x >= above ? high : To(x);
}
template <class T> struct alignas(2 * sizeof(T)) Pair { T re, im; };
template <class T> __device__ __forceinline__ T added(T x, T y, T to) {
  return T(u64(to) + u64(x) * u64(y));
}
__device__ __forceinline__ float added(float x, float y, float to) { return fmaf(x, y, to); }
__device__ __forceinline__ double added(double x, double y, double to) { return fma(x, y, to); }
template <class T> __device__ __forceinline__ Pair<T> added(Pair<T> x, Pair<T> y, Pair<T> to) {
  const T re = added(x.re, y.re, to.re), im = added(x.re, y.im, to.im);
  return {added(-x.im, y.im, re), added(x.im, y.re, im)};
}
template <class Word, class T, T (*join)(T, T)> __device__ void changed(T* place, T by) {
  Word* word = reinterpret_cast<Word*>(place);
  Word seen = *word, old, next;
  do {
    old = seen;
    T x;
    memcpy(&x, &old, sizeof x);
    x = join(x, by);
    memcpy(&next, &x, sizeof x);
    seen = atomicCAS(word, old, next);
  } while (seen != old);
}
template <class T, T (*join)(T, T)> __device__ void changed_byte(T* place, T by) {
  const u64 address = reinterpret_cast<u64>(place);
  u32* word = reinterpret_cast<u32*>(address & ~u64(3));
  const u32 shift = 8 * (address & 3);
  u32 seen = *word, old;
  do {
    old = seen;
    const u32 next = u8(join(T(old >> shift), by));
    seen = atomicCAS(word, old, (old & ~(0xffu << shift)) | (next << shift));
  } while (seen != old);
}
"""


class CudaElements(Elements):
    """A builder whose transcendental functions are CUDA's."""

    functions = frozenset(FUNCTIONS)

    def function(self, name: str, *values: Value) -> Value:
        return self.emit("function", values[0].dtype, values, name)


def c_type(dtype: np.dtype[Any]) -> str:
    """The type of a value in registers; in memory a bool is a ``u8``."""
    return _TYPES[f"{dtype.kind}{dtype.itemsize}"]


def memory_type(dtype: np.dtype[Any]) -> str:
    """The type of the elements of a buffer; a complex one is two of them."""
    return "u8" if dtype == BOOL else c_type(part_type(dtype))


def literal(number: Any, dtype: np.dtype[Any]) -> str:
    """A constant, exactly."""
    if dtype == BOOL:
        return "true" if number else "false"
    value = np.asarray(number, dtype)
    if dtype.kind == "f":
        if not np.isfinite(value):
            name = "__int_as_float" if dtype.itemsize == 4 else "__longlong_as_double"
            suffix = "" if dtype.itemsize == 4 else "LL"
            return f"{name}({int(value.view(f'i{dtype.itemsize}'))}{suffix})"
        return float(value).hex() + ("f" if dtype.itemsize == 4 else "")
    if dtype.kind == "u":
        return f"{c_type(dtype)}({int(value)}ULL)" if dtype.itemsize == 8 else f"{int(value)}u"
    if value == np.iinfo(dtype).min:  # C has no literal for it
        return f"{c_type(dtype)}({int(value) + 1}LL - 1)"
    return f"{int(value)}LL" if dtype.itemsize == 8 else f"{int(value)}"


class Statements:
    """Writes values and stores, one statement for each.

    Attributes:
      dtypes: element types of the buffers.
      tables: constant arrays that the statements look into, by their names.
    """

    def __init__(self, dtypes: Sequence[np.dtype[Any]], axes: Sequence[str]) -> None:
        self.dtypes = dtypes
        self.axes = list(axes)
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.tables: dict[str, np.ndarray[Any, Any]] = {}
        self._builders: list[LoopBuilder] = []  # kept, since names are by identity

    def write(self, items: Sequence[Any]) -> None:
        for item in items:
            if type(item) is Store:
                self.store(item)
            else:
                self.names[id(item)] = self.value(item)

    # --------------------------------------------------------------------- memory

    def at(self, position: Position, offset: str = "") -> str:
        """The number of an element."""
        terms = [
            axis if by == 1 else f"{axis} * index({by})"
            for axis, by in zip(self.axes, position[:-1], strict=True)
            if by
        ]
        if offset:
            terms.append(f"index({offset})")
        if position[-1] or not terms:
            terms.append(f"index({position[-1]})")
        return " + ".join(terms)

    def place(self, buffer: int, position: Position, offset: str = "", part: int = 0) -> str:
        """An element of a buffer."""
        text = self.at(position, offset)
        if self.dtypes[buffer].kind == "c":
            text = f"2 * ({text}) + {part}"
        return f"b{buffer}[{text}]"

    def store(self, item: Store) -> None:
        offset = "" if item.offset is None else self.names[id(item.offset)]
        place = self.place(item.buffer, item.position, offset, item.part)
        self.lines.append(f"{place} = {self.names[id(item.value)]};")

    # ----------------------------------------------------------------- arithmetic

    def value(self, value: Value) -> str:
        if value.op == "const":
            return literal(value.attr, value.dtype)
        args = [self.names[id(a)] for a in value.args]
        text = self.expression(value, args)
        name = f"v{len(self.names)}"
        self.lines.append(f"const {c_type(value.dtype)} {name} = {text};")
        return name

    def expression(self, value: Value, args: list[str]) -> str:
        op, dtype = value.op, value.dtype
        if op == "load":
            buffer, position = value.attr
            place = self.place(buffer, position, args[0] if args else "", value.part)
            return f"{place} != 0" if dtype == BOOL else place
        if op == "index":
            axes = zip(self.axes, value.attr[:-1], strict=True)
            terms = [f"{a} * {by}LL" for a, by in axes if by]
            return " + ".join([*terms, f"{value.attr[-1]}LL"])
        if op == "function":
            return f"{_named(FUNCTIONS[value.attr], dtype)}({', '.join(args)})"
        if op in ("select", "rare"):
            return f"{args[0]} ? {args[1]} : {args[2]}"
        if op in _COMPARISONS:
            return f"{args[0]} {_COMPARISONS[op]} {args[1]}"
        if op in ("convert", "saturate"):
            return conversion(value.args[0].dtype, dtype, args[0])
        if op == "bitcast":
            return _bitcast(value.args[0].dtype, dtype, args[0])
        if op in ("widen", "narrow", "rounded"):
            return self.half(value)
        if op == "lookup":
            name = f"table{len(self.tables)}"
            for known, table in self.tables.items():
                if table is value.attr:
                    name = known
            self.tables[name] = value.attr
            return f"{name}[{args[0]}]"
        if dtype.kind == "f":
            return _float_operation(op, dtype, args)
        return _integer_operation(op, dtype, args)

    def half(self, value: Value) -> str:
        """A conversion of a 16-bit float, by its formula."""
        formula = {
            "widen": half_types.value_of,
            "narrow": half_types.bits_of,
            "rounded": half_types.rounded,
        }[value.op]
        builder = LoopBuilder()
        operand = Value("operand", UINT16 if value.op == "widen" else FLOAT32)
        self.names[id(operand)] = self.names[id(value.args[0])]
        result = formula(Scalar(builder, operand), value.attr).value
        self._builders.append(builder)
        self.write(builder.items)
        return self.names[id(result)]


_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "and": "&", "or": "|", "xor": "^"}
_FLOAT_FUNCTIONS = {
    "abs": "fabs",
    "sqrt": "sqrt",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "round_even": "rint",
    "copysign": "copysign",
    "fma": "fma",
    "mul_add": "fma",
    "rem": "fmod",
}


def _named(function: str, dtype: np.dtype[Any]) -> str:
    return function + ("f" if dtype.itemsize == 4 else "")


def _float_operation(op: str, dtype: np.dtype[Any], args: list[str]) -> str:
    if op == "neg":
        return f"-{args[0]}"
    if op in _OPERATORS:
        return f"{args[0]} {_OPERATORS[op]} {args[1]}"
    if op in ("min", "max"):
        return f"{op}imum({', '.join(args)})"
    return f"{_named(_FLOAT_FUNCTIONS[op], dtype)}({', '.join(args)})"


def _integer_operation(op: str, dtype: np.dtype[Any], args: list[str]) -> str:
    type_ = c_type(dtype)
    if dtype == BOOL:
        if op == "not":
            return f"!{args[0]}"
        op = {"max": "or", "min": "and"}.get(op, op)
        return f"bool(int({args[0]}) {_OPERATORS[op]} int({args[1]}))"
    word = c_type(np.dtype(f"u{max(dtype.itemsize, 4)}"))
    if op == "neg":
        return f"{type_}({word}(0) - {word}({args[0]}))"
    if op == "not":
        return f"{type_}(~{args[0]})"
    if op in ("min", "max"):
        return f"{args[0]} {'<' if op == 'min' else '>'} {args[1]} ? {args[0]} : {args[1]}"
    unsigned = c_type(np.dtype(f"u{dtype.itemsize}"))
    wide = dtype.itemsize == 8
    if op == "popcount":
        return f"{type_}({'__popcll' if wide else '__popc'}({unsigned}({args[0]})))"
    if op == "clz":
        less = 0 if wide else 32 - 8 * dtype.itemsize
        return f"{type_}({'__clzll' if wide else '__clz'}({unsigned}({args[0]})) - {less})"
    if op == "shl":
        return f"{type_}({word}({args[0]}) << {args[1]})"
    if op == "shr":
        return f"{type_}({args[0]} >> {args[1]})"
    if op in ("div", "rem"):
        return f"{type_}({args[0]} {'/' if op == 'div' else '%'} {args[1]})"
    return f"{type_}({word}({args[0]}) {_OPERATORS[op]} {word}({args[1]}))"


def conversion(source: np.dtype[Any], target: np.dtype[Any], x: str) -> str:
    """A number as one of another type; floats become integers by saturation."""
    if source == target:
        return x
    if target == BOOL:
        return f"{x} != 0"
    if source.kind == "f" and target.kind in "iu":
        info = np.iinfo(target)
        above = literal(float(int(info.max) + 1), source)
        low, high = literal(info.min, target), literal(info.max, target)
        to, from_ = c_type(target), c_type(source)
        return f"saturated<{to}, {from_}>({x}, {low}, {high}, {above})"
    return f"{c_type(target)}({x})"


def _bitcast(source: np.dtype[Any], target: np.dtype[Any], x: str) -> str:
    if source == target:
        return x
    if "f" in (source.kind, target.kind):
        to_float = target.kind == "f"
        if source.itemsize == 4:
            if to_float:
                return f"__int_as_float(s32({x}))"
            return f"{c_type(target)}(__float_as_int({x}))"
        if to_float:
            return f"__longlong_as_double(s64({x}))"
        return f"{c_type(target)}(__double_as_longlong({x}))"
    return f"{c_type(target)}({x})"


def table_text(name: str, table: np.ndarray[Any, Any]) -> str:
    """A constant array."""
    numbers = ", ".join([literal(n, table.dtype) for n in table.ravel()])
    return f"__device__ const {memory_type(table.dtype)} {name}[] = {{{numbers}}};"
