"""Primitives on complex numbers as arithmetic of the loop language.

A lowering gets and gives elements: ``Pair`` for complex numbers, values for real ones. What is
written for real numbers in ``lowering`` and means the same for complex ones serves for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile import bit_values
from adlib.compile.builder import Scalar
from adlib.compile.elements import COMPLEX, Elements, Pair
from adlib.compile.mathfns.complex_arithmetic import absolute
from adlib.compile.mathfns.complex_functions import FUNCTIONS, power_not_whole
from adlib.core.jaxpr import Eqn

LOWERINGS: dict[str, Callable[..., Any]] = {}

# Lowerings for real numbers that serve complex ones, by the builder's operations on elements.
SAME = frozenset(
    "neg add add_any sub mul div integer_pow square eq ne select_n max min "
    "convert_element_type".split()
)

_ROOTS = frozenset("abs sign sqrt rsqrt".split())


def native(eqn: Eqn) -> bool:
    """Whether loops compute an equation of complex operands or results."""
    return eqn.primitive.name in SAME or eqn.primitive.name in LOWERINGS


def weight(name: str) -> int:
    """About how many instructions an equation becomes."""
    if name in FUNCTIONS:
        return 15 if name in _ROOTS else 100
    return 10 if name in ("div", "abs") else 4


def _function(name: str) -> Callable[..., Any]:
    def lower(b: Elements, eqn: Eqn, *operands: Any) -> Any:
        dtype = eqn.outvars[0].aval.dtype
        numbers = [b.scalars(b.convert(x, dtype)) for x in operands]  # an exponent may be whole
        return b.pair(FUNCTIONS[name](*numbers))

    return lower


for _name in FUNCTIONS:
    LOWERINGS[_name] = _function(_name)


def _pow(b: Elements, eqn: Eqn, x: Any, y: Any) -> Any:
    dtype = eqn.outvars[0].aval.dtype
    x, y = b.convert(x, dtype), b.convert(y, dtype)
    if not y.re.op == y.im.op == "const":
        return b.pair(FUNCTIONS["pow"](b.scalars(x), b.scalars(y)))
    number = float(y.re.attr)
    if y.im.attr or not number.is_integer() or not 0 < abs(number) < 100:
        return b.pair(power_not_whole(b.scalars(x), b.scalars(y)))
    result: Any = None
    for digit in f"{abs(int(number)):b}":  # from the highest
        if result is not None:
            result = b.binary("mul", result, result)
        if digit == "1":
            result = x if result is None else b.binary("mul", result, x)
    return result if number > 0 else b.binary("div", b.constant(1, dtype), result)


def _abs(b: Elements, eqn: Eqn, x: Pair) -> Any:
    return absolute(b.scalars(x)).value


def _conj(b: Elements, eqn: Eqn, x: Any) -> Any:
    if type(x) is not Pair:
        x = b.convert(x, eqn.outvars[0].aval.dtype)
    return Pair(x.dtype, x.re, b.unary("neg", x.im))


def _is_finite(b: Elements, eqn: Eqn, x: Pair) -> Any:
    size = [abs(Scalar(b, part)) for part in (x.re, x.im)]
    return ((size[0] < np.inf) & (size[1] < np.inf)).value


def _complex(b: Elements, eqn: Eqn, re: Any, im: Any) -> Any:
    return Pair(eqn.outvars[0].aval.dtype, re, im)


def _reduce_precision(b: Elements, eqn: Eqn, x: Pair) -> Any:
    lower = bit_values.LOWERINGS["reduce_precision"]
    return Pair(x.dtype, lower(b, eqn, x.re), lower(b, eqn, x.im))


LOWERINGS["reduce_precision"] = _reduce_precision
LOWERINGS["abs"] = _abs
LOWERINGS["pow"] = _pow
LOWERINGS["conj"] = _conj
LOWERINGS["is_finite"] = _is_finite
LOWERINGS["complex"] = _complex
LOWERINGS["real"] = lambda b, eqn, x: x.re
LOWERINGS["imag"] = lambda b, eqn, x: x.im


def involved(eqn: Eqn) -> bool:
    """Whether an equation has complex operands or results."""
    return any(v.aval.dtype in COMPLEX for v in (*eqn.invars, *eqn.outvars))
