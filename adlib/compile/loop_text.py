"""The loop language as text, and its verifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adlib.compile.builder import BOOL
from adlib.compile.loopir import (
    INT64,
    For,
    Kernel,
    Nest,
    Position,
    Store,
    Value,
    part_type,
)
from adlib.core import dtypes

# ------------------------------------------------------------------------ printer


def show(kernel: Kernel) -> str:
    """A kernel for people to read.

    >>> import numpy as np
    >>> from adlib.compile.loopir import Buffer, LoopBuilder
    >>> b, f32 = LoopBuilder(), np.dtype(np.float32)
    >>> x = b.load(0, (1, 0), f32)
    >>> y = b.binary("mul", x, x)
    >>> nest = Nest((8,), [For(0, [*b.items, Store(1, (1, 0), y)], [])])
    >>> buffers = [Buffer("x", f32, 8, False), Buffer("y", f32, 8, True)]
    >>> print(show(Kernel("square", buffers, [nest])))
    kernel square(x: f32[8], y: f32[8] written)
      for i < 8:
        a = load x[i] : f32
        b = mul a, a : f32
        y[i] = b
    """
    named = ", ".join(
        f"{b.name}: {dtypes.short_name(b.dtype)}[{b.size}]{' written' if b.written else ''}"
        for b in kernel.buffers
        if not b.local
    )
    lines = [f"kernel {kernel.name}({named})"]
    for b in kernel.buffers:
        if b.local:
            lines.append(f"  local {b.name}: {dtypes.short_name(b.dtype)}[{b.size}]")
    for nest in kernel.nests:
        if nest.why:
            lines.append(f"  # {nest.why}")
        names: dict[int, str] = {}
        lines += _show_items(nest.items, kernel, nest, names, "  ")
    return "\n".join(lines)


def _show_items(
    items: Sequence[Any], kernel: Kernel, nest: Nest, names: dict[int, str], indent: str
) -> Iterator[str]:
    for item in items:
        if type(item) is Value:
            if item.op != "const":
                yield f"{indent}{_name(item, names)} = {_expression(item, kernel, names)}"
        elif type(item) is Store:
            added = f" + {_name(item.offset, names)}" if item.offset is not None else ""
            place = f"{kernel.buffers[item.buffer].name}[{position_text(item.position)}{added}]"
            place += _part_text(item, kernel.buffers[item.buffer].dtype)
            yield f"{indent}{place} = {_name(item.value, names)}"
        else:
            yield f"{indent}for {axis_name(item.axis)} < {nest.extents[item.axis]}:"
            yield from _show_items(item.body, kernel, nest, names, indent + "  ")
            for acc in item.accumulators:
                type_ = dtypes.short_name(acc.value.dtype)
                value = _name(acc.value, names)
                yield f"{indent}{_name(acc.result, names)} = {acc.kind} of {value} : {type_}"


def _name(value: Value, names: dict[int, str]) -> str:
    if value.op == "const":
        return str(value.attr)
    number = len(names)
    if id(value) not in names:
        letters = ""
        while True:
            letters = chr(ord("a") + number % 26) + letters
            number = number // 26 - 1
            if number < 0:
                break
        names[id(value)] = letters
    return names[id(value)]


def _expression(value: Value, kernel: Kernel, names: dict[int, str]) -> str:
    type_ = dtypes.short_name(value.dtype)
    if value.op == "load":
        buffer, position = value.attr
        added = f" + {_name(value.args[0], names)}" if value.args else ""
        part = _part_text(value, kernel.buffers[buffer].dtype)
        place = f"{kernel.buffers[buffer].name}[{position_text(position)}{added}]{part}"
        return f"load {place} : {type_}"
    if value.op == "index":
        return f"index {position_text(value.attr)} : {type_}"
    if value.op in _HALVES:
        as_ = dtypes.short_name(value.attr)
        return f"{value.op} {_name(value.args[0], names)} as {as_} : {type_}"
    table = f" in a table of {len(value.attr)}" if value.op == "lookup" else ""
    return f"{value.op} {', '.join([_name(a, names) for a in value.args])}{table} : {type_}"


def _part_text(item: Value | Store, dtype: Any) -> str:
    return (".re", ".im")[item.part] if dtype.kind == "c" else ""


def axis_name(axis: int) -> str:
    """``i``, ``j``, ``k``, … for axes 0, 1, 2, …"""
    return "ijklmn"[axis] if axis < 6 else f"i{axis}"


def position_text(position: Position) -> str:
    """``4*i + j + 2``."""
    terms = [
        axis_name(a) if c == 1 else f"{c}*{axis_name(a)}" for a, c in enumerate(position[:-1]) if c
    ]
    if position[-1] or not terms:
        terms.append(str(position[-1]))
    return " + ".join(terms)


# ----------------------------------------------------------------------- verifier

_SAME = frozenset("neg abs sqrt floor ceil trunc round_even add sub mul div rem copysign".split())
_BITS = frozenset("and or xor not shl shr popcount clz".split())
_HALVES = {"widen": ("u2", "f4"), "narrow": ("f4", "u2"), "rounded": ("f4", "f4")}
_COMPARE = frozenset("lt le gt ge eq ne".split())
_FLOAT = frozenset("sqrt floor ceil trunc round_even copysign fma mul_add".split())


class LoopError(Exception):
    """A kernel that does not keep the rules of the loop language."""


def verify(kernel: Kernel) -> None:
    """Raise LoopError where a value is used before it is there, types do not fit, a position
    leaves its buffer, or a buffer is written that must not be."""
    for nest in kernel.nests:
        _verify_items(nest.items, kernel, nest, set(), frozenset())


def _verify_items(
    items: Sequence[Any], kernel: Kernel, nest: Nest, known: set[int], axes: frozenset[int]
) -> None:
    known = set(known)
    for item in items:
        if type(item) is Value:
            _verify_value(item, kernel, nest, known, axes)
            known.add(id(item))
        elif type(item) is Store:
            buffer = kernel.buffers[item.buffer]
            if not buffer.written:
                raise LoopError(f"{kernel.name}: a store to {buffer.name}, which is only read")
            if id(item.value) not in known:
                raise LoopError(f"{kernel.name}: a store of a value that is not computed before")
            if item.value.dtype != part_type(buffer.dtype):
                raise LoopError(
                    f"{kernel.name}: a store of {item.value.dtype} to {buffer.name}, which holds "
                    f"{buffer.dtype}"
                )
            if item.offset is not None and id(item.offset) not in known:
                raise LoopError(f"{kernel.name}: a store at an offset that is not computed before")
            free = item.offset is not None
            _verify_position(item.position, item.buffer, kernel, nest, axes, free)
        else:
            if item.axis in axes or not 0 <= item.axis < len(nest.extents):
                raise LoopError(f"{kernel.name}: a loop over axis {item.axis} within itself")
            inner = _verify_loop(item, kernel, nest, known, axes)
            for acc in item.accumulators:
                if id(acc.value) not in inner:
                    raise LoopError(f"{kernel.name}: an accumulated value is not computed")
                known.add(id(acc.result))


def _verify_loop(
    loop: For, kernel: Kernel, nest: Nest, known: set[int], axes: frozenset[int]
) -> set[int]:
    _verify_items(loop.body, kernel, nest, known, axes | {loop.axis})
    inner = set(known)
    for item in loop.body:
        if type(item) is Value:
            inner.add(id(item))
        elif type(item) is For:
            inner.update(id(acc.result) for acc in item.accumulators)
    return inner


def _verify_value(
    value: Value, kernel: Kernel, nest: Nest, known: set[int], axes: frozenset[int]
) -> None:
    for arg in value.args:
        if id(arg) not in known:
            raise LoopError(f"{kernel.name}: {value.op} of a value that is not computed before")
    problem = _type_problem(value, kernel)
    if problem:
        raise LoopError(f"{kernel.name}: {value.op} {problem}")
    if value.op == "load":
        free = bool(value.args)
        _verify_position(value.attr[1], value.attr[0], kernel, nest, axes, free)


def _type_problem(value: Value, kernel: Kernel) -> str:
    op, types = value.op, [a.dtype for a in value.args]
    if value.dtype.kind == "c":
        return f"of {value.dtype}: values are real"
    if op == "load" and part_type(kernel.buffers[value.attr[0]].dtype) != value.dtype:
        return f"as {value.dtype} from a buffer of {kernel.buffers[value.attr[0]].dtype}"
    if op in _SAME | _BITS | {"fma", "mul_add", "min", "max"} and set(types) != {value.dtype}:
        return f"of {types} gives {value.dtype}"
    if op in _BITS and value.dtype.kind not in "biu":
        return f"of {value.dtype}: bits are those of integers"
    if op in _FLOAT and value.dtype.kind != "f":
        return f"of {value.dtype}: it takes floats"
    if op in _COMPARE and (value.dtype != BOOL or types[0] != types[1]):
        return f"of {types} gives {value.dtype}"
    if op in ("select", "rare") and (types[0] != BOOL or types[1:] != [value.dtype] * 2):
        return f"of {types} gives {value.dtype}"
    if op == "bitcast" and types[0].itemsize != value.dtype.itemsize:
        return f"of {types[0]} to {value.dtype}, which has another size"
    if op in _HALVES and (types[0].str[1:], value.dtype.str[1:]) != _HALVES[op]:
        return f"of {types[0]} gives {value.dtype}"
    if op == "index" and value.dtype != INT64:
        return "is no int64"
    return ""


def _verify_position(
    position: Position,
    number: int,
    kernel: Kernel,
    nest: Nest,
    axes: frozenset[int],
    free: bool,
) -> None:
    """``free``: an offset is added, which is kept in bounds by what computes it."""
    buffer = kernel.buffers[number]
    if len(position) != len(nest.extents) + 1:
        raise LoopError(f"{kernel.name}: a position of {len(position)} terms in {buffer.name}")
    low = high = position[-1]
    for axis, coefficient in enumerate(position[:-1]):
        if not coefficient:
            continue
        if axis not in axes:
            raise LoopError(
                f"{kernel.name}: {buffer.name}[{position_text(position)}] outside the loop over "
                f"{axis_name(axis)}"
            )
        if nest.extents[axis] == 0:
            return  # never executed
        reach = coefficient * (nest.extents[axis] - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    if all(nest.extents[a] for a in axes) and not free and not 0 <= low <= high < buffer.size:
        raise LoopError(
            f"{kernel.name}: {buffer.name}[{position_text(position)}] reaches {low}..{high} of a "
            f"buffer of {buffer.size}"
        )
