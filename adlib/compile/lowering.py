"""Elementwise primitives as scalar arithmetic of the loop language, exactly as their kernels.

Each lowering is a function of (builder, equation, operand values), in the table ``LOWERINGS``.
They are written for real numbers; ``element`` gives the element of an equation's result for any
types: 16-bit floats compute in float32 and are rounded once for each equation, complex numbers
have lowerings of their own (``complex_values``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile import bit_values, complex_values, mathfns
from adlib.compile.builder import BOOL
from adlib.compile.elements import COMPLEX, Elements, Half, Pair
from adlib.compile.half_types import HALVES
from adlib.compile.loopir import LoopBuilder, Value
from adlib.core import dtypes
from adlib.core.jaxpr import Eqn

Lowering = Callable[..., Value]
LOWERINGS: dict[str, Lowering] = {}

# Types of the loop language's values.
_REAL: frozenset[np.dtype[Any]] = frozenset(
    np.dtype(name)
    for name in "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64".split()
)
# Types that native code computes with; others are left to the array module.
NATIVE: frozenset[np.dtype[Any]] = _REAL | COMPLEX | HALVES
# Those that libraries know.
IN_LIBRARIES: frozenset[np.dtype[Any]] = _REAL | COMPLEX


def lowers(name: str) -> Callable[[Lowering], Lowering]:
    def register(function: Lowering) -> Lowering:
        LOWERINGS[name] = function
        return function

    return register


def weight(eqn: Eqn) -> int:
    """About how many instructions an equation becomes."""
    if complex_values.involved(eqn):
        return complex_values.weight(eqn.primitive.name)
    if eqn.outvars[0].aval.dtype in HALVES:
        return 35 if eqn.primitive.name in mathfns.NAMES else 10
    if eqn.primitive.name in mathfns.OF_FLOAT32:
        return 120
    return 25 if eqn.primitive.name in mathfns.NAMES else 1


def native(eqn: Eqn) -> bool:
    """Whether an equation is elementwise arithmetic that can be part of a loop."""
    if any(v.aval.dtype not in NATIVE for v in (*eqn.invars, *eqn.outvars)):
        return False
    if complex_values.involved(eqn):
        return complex_values.native(eqn)
    if eqn.primitive.name not in LOWERINGS:
        return False
    refuses = _REFUSES.get(eqn.primitive.name)
    return refuses is None or not refuses(eqn)


# Lowerings that take 16-bit floats as they are, and those whose results need no rounding.
_OF_HALVES = bit_values.OF_HALVES | {"select_n", "convert_element_type", "bitcast_convert_type"}
_UNROUNDED = frozenset("neg abs max min clamp sign floor ceil round".split())


def element(b: Elements, eqn: Eqn, *operands: Any) -> Any:
    """The element of an equation's result, made of those of its operands."""
    name, dtype = eqn.primitive.name, eqn.outvars[0].aval.dtype
    if dtype in COMPLEX or any(type(x) is Pair for x in operands):
        lower = complex_values.LOWERINGS.get(name) or LOWERINGS[name]
        return lower(b, eqn, *operands)
    if name in _OF_HALVES or not any(type(x) is Half for x in operands):
        return LOWERINGS[name](b, eqn, *operands)
    value = LOWERINGS[name](b, eqn, *[b.widened(x) for x in operands])
    return b.half(value, dtype, exact=name in _UNROUNDED) if dtype in HALVES else value


def accumulates(eqn: Eqn) -> bool:
    """Whether a loop can carry a reduction: of real numbers any, of complex ones a sum."""
    complex_ = eqn.invars[0].aval.dtype in COMPLEX
    return not complex_ or eqn.primitive.name == "reduce_sum"


# ------------------------------------------------------------------- arithmetic


@lowers("neg")
def _neg(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.unary("neg", x)


def _arithmetic(op: str, on_bools: str) -> Lowering:
    def lower(b: LoopBuilder, eqn: Eqn, x: Value, y: Value) -> Value:
        return b.binary(on_bools if x.dtype == BOOL else op, x, y)

    return lower


LOWERINGS["add"] = LOWERINGS["add_any"] = _arithmetic("add", "or")
LOWERINGS["sub"] = _arithmetic("sub", "xor")
LOWERINGS["mul"] = _arithmetic("mul", "and")


@lowers("div")
def _div(b: LoopBuilder, eqn: Eqn, x: Value, y: Value) -> Value:
    if x.dtype.kind in "fc":
        return b.binary("div", x, y)
    # towards zero; -1 where the divisor is zero, and x / -1 without the overflow that traps
    zero, one, ones = (b.constant(c, x.dtype) for c in (0, 1, -1))
    by_zero = b.compare("eq", y, zero)
    if x.dtype.kind == "u":
        return b.select(by_zero, ones, b.binary("div", x, b.select(by_zero, one, y)))
    negated = b.compare("eq", y, ones)
    safe = b.select(b.binary("or", by_zero, negated), one, y)
    quotient = b.select(negated, b.unary("neg", x), b.binary("div", x, safe))
    return b.select(by_zero, ones, quotient)


@lowers("rem")
def _rem(b: LoopBuilder, eqn: Eqn, x: Value, y: Value) -> Value:
    if x.dtype.kind == "f":
        return b.binary("rem", x, y)
    zero, one = b.constant(0, x.dtype), b.constant(1, x.dtype)
    by_zero = special = b.compare("eq", y, zero)
    if x.dtype.kind == "i":
        special = b.binary("or", by_zero, b.compare("eq", y, b.constant(-1, x.dtype)))
    return b.select(by_zero, x, b.binary("rem", x, b.select(special, one, y)))


@lowers("integer_pow")
def _integer_pow(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    y = eqn.params["y"]
    result, square, power = None, x, abs(y)
    while power:
        if power & 1:
            result = square if result is None else b.binary("mul", result, square)
        power >>= 1
        if power:
            square = b.binary("mul", square, square)
    one = b.constant(1, x.dtype)
    if result is None:
        return one
    return b.binary("div", one, result) if y < 0 else result


@lowers("square")
def _square(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.binary("mul", x, x)


@lowers("sqrt")
def _sqrt(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.unary("sqrt", x)


def _transcendental(name: str) -> Lowering:
    def lower(b: LoopBuilder, eqn: Eqn, *operands: Value) -> Value:
        # an exponent may be an integer
        same = [b.convert(x, operands[0].dtype) for x in operands]
        if name in b.functions:
            return b.function(name, *same)
        return mathfns.emit(name, b, *same)  # type: ignore[no-any-return]

    return lower


for _name in (*mathfns.NAMES, *mathfns.OF_FLOAT32):
    LOWERINGS[_name] = _transcendental(_name)


@lowers("pow")
def _pow(b: Elements, eqn: Eqn, x: Value, y: Value) -> Value:
    if x.dtype.kind in "iu":
        return bit_values.integer_power(b, eqn, x, y)
    return _transcendental("pow")(b, eqn, x, y)


LOWERINGS.update(bit_values.LOWERINGS)


# ------------------------------------------------------------ signs and rounding


@lowers("abs")
def _abs(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    if x.dtype.kind == "f":
        return b.unary("abs", x)
    if x.dtype.kind == "u":
        return x
    return b.select(b.compare("lt", x, b.constant(0, x.dtype)), b.unary("neg", x), x)


@lowers("sign")
def _sign(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    zero, one = b.constant(0, x.dtype), b.constant(1, x.dtype)
    is_zero = b.compare("eq", x, zero)
    if x.dtype.kind == "f":  # zeros and NaN are their own signs
        same = b.binary("or", is_zero, b.compare("ne", x, x))
        return b.select(same, x, b.binary("copysign", one, x))
    if x.dtype.kind == "u":
        return b.select(is_zero, zero, one)
    below = b.compare("lt", x, zero)
    return b.select(below, b.constant(-1, x.dtype), b.select(is_zero, zero, one))


@lowers("floor")
def _floor(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.unary("floor", x)


@lowers("ceil")
def _ceil(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.unary("ceil", x)


@lowers("round")
def _round(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    if eqn.params["rounding_method"] == 1:
        return b.unary("round_even", x)
    whole = b.unary("trunc", x)
    rest = b.unary("abs", b.binary("sub", x, whole))
    away = b.compare("ge", rest, b.constant(0.5, x.dtype))
    further = b.binary("add", whole, b.binary("copysign", b.constant(1, x.dtype), x))
    return b.binary("copysign", b.select(away, further, whole), x)


@lowers("is_finite")
def _is_finite(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.compare("lt", b.unary("abs", x), b.constant(np.inf, x.dtype))


# ----------------------------------------------------------- comparison, choice


def _comparison(op: str) -> Lowering:
    def lower(b: LoopBuilder, eqn: Eqn, x: Value, y: Value) -> Value:
        return b.compare(op, x, y)

    return lower


for _op in ("eq", "ne", "lt", "le", "gt", "ge"):
    LOWERINGS[_op] = _comparison(_op)


@lowers("max")
def _max(b: LoopBuilder, eqn: Eqn, x: Value, y: Value) -> Value:
    return b.binary("max", x, y)


@lowers("min")
def _min(b: LoopBuilder, eqn: Eqn, x: Value, y: Value) -> Value:
    return b.binary("min", x, y)


@lowers("clamp")
def _clamp(b: LoopBuilder, eqn: Eqn, low: Value, x: Value, high: Value) -> Value:
    return b.binary("min", b.binary("max", low, x), high)


@lowers("select_n")
def _select_n(b: LoopBuilder, eqn: Eqn, which: Value, *cases: Value) -> Value:
    if which.dtype == BOOL and len(cases) == 2:
        return b.select(which, cases[1], cases[0])
    result = cases[0]
    for i, case in enumerate(cases[1:], 1):
        result = b.select(b.compare("eq", which, b.constant(i, which.dtype)), case, result)
    return result


# ------------------------------------------------------------------------- bits


def _logic(op: str) -> Lowering:
    def lower(b: LoopBuilder, eqn: Eqn, x: Value, y: Value) -> Value:
        return b.binary(op, x, y)

    return lower


for _op in ("and", "or", "xor"):
    LOWERINGS[_op] = _logic(_op)


@lowers("not")
def _not(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.unary("not", x)


def _shift(op: str, outside: str, logical: bool) -> Lowering:
    """A shift; ``outside`` is what remains when the amount is not within the width."""

    def lower(b: LoopBuilder, eqn: Eqn, x: Value, y: Value) -> Value:
        width, zero = 8 * x.dtype.itemsize, b.constant(0, y.dtype)
        # read as unsigned, negative amounts are large ones
        word = np.dtype(f"u{x.dtype.itemsize}")
        inside = b.compare("lt", b.convert(y, word), b.constant(width, word))
        amount = b.select(inside, y, zero)
        if logical:
            shifted = b.binary(op, b.convert(x, word), b.convert(amount, word))
            shifted = b.convert(shifted, x.dtype)
        else:
            shifted = b.binary(op, x, amount)
        beyond = b.constant(0, x.dtype)
        if outside == "sign" and x.dtype.kind == "i":
            beyond = b.binary("shr", x, b.constant(width - 1, x.dtype))
        return b.select(inside, shifted, beyond)

    return lower


LOWERINGS["shift_left"] = _shift("shl", "zero", logical=False)
LOWERINGS["shift_right_arithmetic"] = _shift("shr", "sign", logical=False)
LOWERINGS["shift_right_logical"] = _shift("shr", "zero", logical=True)


@lowers("population_count")
def _population_count(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.unary("popcount", x)


@lowers("clz")
def _clz(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.unary("clz", x)


# ------------------------------------------------------------------ conversions


def convert(b: Elements, x: Any, dtype: Any) -> Any:
    """As ``convert_element_type``: floats become integers by saturation, anything becomes a
    bool by comparison with zero, complex numbers become real by their real part."""
    if type(x) is Half:
        x = b.wide(x)
    if type(x) is Pair and dtype.kind in "iuf":
        x = x.re
    if x.dtype.kind == "f" and dtype.kind in "iu":
        return b.emit("saturate", dtype, (x,))
    return b.convert(x, dtype)


@lowers("convert_element_type")
def _convert_element_type(b: Elements, eqn: Eqn, x: Any) -> Any:
    return convert(b, x, eqn.params["new_dtype"])


@lowers("bitcast_convert_type")
def _bitcast(b: LoopBuilder, eqn: Eqn, x: Value) -> Value:
    return b.bitcast(x, eqn.params["new_dtype"])


def _other_size(eqn: Eqn) -> bool:
    source, target = eqn.invars[0].aval.dtype, eqn.outvars[0].aval.dtype
    return bool(source.itemsize != target.itemsize or BOOL in (source, target))


def _two_types(eqn: Eqn) -> bool:
    return bool(eqn.invars[0].aval.dtype != eqn.invars[-1].aval.dtype)


def _not_float(eqn: Eqn) -> bool:
    return not dtypes.is_float(eqn.invars[0].aval.dtype)


def _not_float32(eqn: Eqn) -> bool:
    """Halves are widened to float32 first."""
    dtype = eqn.invars[0].aval.dtype
    return not (dtype == np.float32 or dtype in HALVES)


_REFUSES: dict[str, Callable[[Eqn], bool]] = {
    **dict.fromkeys(mathfns.NAMES - {"pow"}, _not_float),
    **dict.fromkeys(mathfns.OF_FLOAT32, _not_float32),
    "bitcast_convert_type": _other_size,
    "shift_left": _two_types,
    "shift_right_arithmetic": _two_types,
    "shift_right_logical": _two_types,
}
