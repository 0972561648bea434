"""Conversions of 16-bit floats in LLVM: the processor's instructions, or arithmetic of our own.

Where a processor has no such instructions LLVM calls a library that need not be there, so the
formulas of ``half_types`` take their place: small functions that are written where they are used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile import engine, half_types
from adlib.compile.builder import FLOAT32, Scalar
from adlib.compile.half_types import FLOAT16, UINT16
from adlib.compile.llvm_module import type_name
from adlib.compile.loopir import Kernel, LoopBuilder, Value

_FORMULAS: dict[str, Callable[..., Scalar]] = {
    "widen": half_types.value_of,
    "narrow": half_types.bits_of,
    "rounded": half_types.rounded,
}
_INSTRUCTIONS = {
    "widen": ["%h = bitcast i16 %x to half", "%r = fpext half %h to float"],
    "narrow": ["%h = fptrunc float %x to half", "%r = bitcast half %h to i16"],
    "rounded": ["%h = fptrunc float %x to half", "%r = fpext half %h to float"],
}


def conversion(writer: Any, value: Value, args: list[str]) -> str:
    """The call of a conversion, which is defined in the module at its first use; of vectors, the
    conversion itself, since what is written with them is not inlined by LLVM."""
    if writer.lanes > 1:
        return _of_vectors(writer, value, args[0])
    source, target = type_name(value.args[0].dtype), type_name(value.dtype)
    name = f"{value.op}_{value.attr.name}"
    known = writer.module.helpers
    if name not in known:
        lines, result = _body(writer, value.op, value.attr)
        known[name] = "\n".join(
            [
                f"define internal {target} @{name}({source} %x) alwaysinline nounwind {{",
                "entry:",
                *lines,
                f"  ret {target} {result}",
                "}\n",
            ]
        )
    return str(writer.assign(f"call {target} @{name}({source} {args[0]})"))


def _of_vectors(writer: Any, value: Value, arg: str) -> str:
    op, lanes = value.op, writer.lanes
    if value.attr == FLOAT16 and engine.converts_float16():
        half = f"<{lanes} x half>"
        if op == "widen":
            number = writer.assign(f"bitcast <{lanes} x i16> {arg} to {half}")
        else:
            number = writer.assign(f"fptrunc <{lanes} x float> {arg} to {half}")
        if op == "narrow":
            return str(writer.assign(f"bitcast {half} {number} to <{lanes} x i16>"))
        return str(writer.assign(f"fpext {half} {number} to <{lanes} x float>"))
    builder, operand = LoopBuilder(), Value("operand", UINT16 if op == "widen" else FLOAT32)
    result = _FORMULAS[op](Scalar(builder, operand), value.attr).value
    names = writer.names
    writer.names = {id(operand): arg}
    for item in builder.items:
        writer.names[id(item)] = writer.value(item)
    found = writer.names[id(result)]
    writer.names = names
    return str(found)


def _body(writer: Any, op: str, dtype: np.dtype[Any]) -> tuple[list[str], str]:
    if dtype == FLOAT16 and engine.converts_float16():
        return [f"  {line}" for line in _INSTRUCTIONS[op]], "%r"
    builder = LoopBuilder()
    operand = Value("operand", UINT16 if op == "widen" else FLOAT32)
    result = _FORMULAS[op](Scalar(builder, operand), dtype).value
    inner = type(writer)(Kernel("", [], []), writer.module)
    inner.names[id(operand)] = "%x"
    for item in builder.items:
        inner.names[id(item)] = inner.value(item)
    return inner.lines, inner.names[id(result)]
