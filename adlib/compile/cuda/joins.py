"""Functions of two elements, as functions of CUDA C: what scans and scatters combine with.

An element is one C++ value: a number, the bits of a 16-bit float, or a ``Pair`` of real numbers for
a complex one. The functions' bodies come from the loop language, so they mean what they mean
there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile.builder import BOOL, FLOAT32
from adlib.compile.cuda.expressions import CudaElements, Statements, c_type, literal, memory_type
from adlib.compile.elements import COMPLEX, Half, Pair, in_buffers
from adlib.compile.half_types import HALVES, UINT16
from adlib.compile.loopir import Value, part_type

Formula = Callable[[CudaElements, Any, Any], Any]


def element_type(dtype: np.dtype[Any]) -> str:
    """The type of an element in memory."""
    if dtype in COMPLEX:
        return f"Pair<{c_type(part_type(dtype))}>"
    return memory_type(in_buffers(dtype))


def constant(number: Any, dtype: np.dtype[Any]) -> str:
    """An element of memory, exactly."""
    if dtype in COMPLEX:
        value, real = complex(number), part_type(dtype)
        return f"{element_type(dtype)}{{{literal(value.real, real)}, {literal(value.imag, real)}}}"
    if dtype in HALVES:
        return f"u16({int(np.asarray(number).astype(dtype).view(UINT16))})"
    if dtype == BOOL:
        return f"u8({int(bool(number))})"
    return literal(number, dtype)


def function(name: str, dtype: np.dtype[Any], formula: Formula) -> str:
    """The text of ``name(x, y)``, a formula of two elements of memory."""
    type_ = element_type(dtype)
    builder = CudaElements()
    writer = Statements([], [])
    operands = [_operand(letter, dtype, writer) for letter in "xy"]
    result = formula(builder, *operands)
    if type(result) is Half:
        result = builder.bits(result)
    writer.write(builder.items)
    value = element(result, writer)
    lines = [
        f"__device__ __forceinline__ {type_} {name}({type_} x, {type_} y) {{",
        *[f"  {line}" for line in writer.lines],
        f"  return {value};",
        "}",
    ]
    return "\n".join(lines)


def element(value: Any, writer: Statements) -> str:
    """A value that was written, as one of memory; a 16-bit float by its bits."""
    if type(value) is Pair:
        parts = ", ".join([writer.names[id(part)] for part in (value.re, value.im)])
        return f"{element_type(value.dtype)}{{{parts}}}"
    return f"{memory_type(value.dtype)}({writer.names[id(value)]})"


def _operand(letter: str, dtype: np.dtype[Any], writer: Statements) -> Any:
    if dtype in COMPLEX:
        parts = [Value("operand", part_type(dtype)) for _ in range(2)]
        for part, name in zip(parts, ("re", "im"), strict=True):
            writer.names[id(part)] = f"{letter}.{name}"
        return Pair(dtype, *parts)
    value = Value("operand", in_buffers(dtype))
    writer.names[id(value)] = f"({letter} != 0)" if dtype == BOOL else letter
    return Half(dtype, bits=value) if dtype in HALVES else value


def narrow(name: str, dtype: np.dtype[Any]) -> str:
    """The text of ``name(x)``: the bits of the 16-bit float next to a float."""
    builder = CudaElements()
    operand = Value("operand", FLOAT32)
    return _conversion(name, builder, operand, builder.bits(builder.half(operand, dtype)))


def widen(name: str, dtype: np.dtype[Any]) -> str:
    """The text of ``name(x)``: the float that is a 16-bit float, given by its bits."""
    builder = CudaElements()
    operand = Value("operand", UINT16)
    return _conversion(name, builder, operand, builder.wide(Half(dtype, bits=operand)))


def _conversion(name: str, builder: CudaElements, operand: Value, result: Value) -> str:
    writer = Statements([], [])
    writer.names[id(operand)] = "x"
    writer.write(builder.items)
    given, made = c_type(operand.dtype), c_type(result.dtype)
    lines = [
        f"__device__ __forceinline__ {made} {name}({given} x) {{",
        *[f"  {line}" for line in writer.lines],
        f"  return {writer.names[id(result)]};",
        "}",
    ]
    return "\n".join(lines)


def elements(buffer: int, dtype: np.dtype[Any], written: bool = False) -> str:
    """The elements of a buffer."""
    name = f"b{buffer}"
    if dtype not in COMPLEX:
        return name
    return f"reinterpret_cast<{'' if written else 'const '}{element_type(dtype)}*>({name})"
