"""Arithmetic on corresponding elements: sums, products, quotients, powers."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import is_undefined_primal
from adlib.core.primitive import Sample
from adlib.ops.constructors import elementwise, unbroadcast
from adlib.ops.operands import default_samples, normal, operands, uniform
from adlib.ops.reshaping import full_like

# ------------------------------------------------------------------ negation

neg_p = elementwise(
    "neg",
    "negative",
    [lambda t, ans, x: neg(t)],
    kinds="iufc",
    transpose=lambda ct, x: (neg(ct),),
)


def neg(x: Any) -> Any:
    """``-x``, element by element.

    >>> from adlib import lax
    >>> lax.neg(2.0)
    Array(-2., dtype=float32, weak_type=True)
    """
    return neg_p.bind(*operands("neg", x))


# ------------------------------------------------------------- add, sub, mul


def _add_transpose(ct: Any, x: Any, y: Any) -> tuple[Any, Any]:
    return (
        unbroadcast(ct, x.aval) if is_undefined_primal(x) else None,
        unbroadcast(ct, y.aval) if is_undefined_primal(y) else None,
    )


add_p = elementwise(
    "add",
    "add",
    [lambda t, ans, x, y: t, lambda t, ans, x, y: t],
    kinds="biufc",
    infix="+",
    transpose=_add_transpose,
)


def add(x: Any, y: Any) -> Any:
    """``x + y``, element by element.

    >>> from adlib import lax
    >>> lax.add(1.0, 2.0)
    Array(3., dtype=float32, weak_type=True)
    """
    return add_p.bind(*operands("add", x, y))


def _sub_transpose(ct: Any, x: Any, y: Any) -> tuple[Any, Any]:
    return (
        unbroadcast(ct, x.aval) if is_undefined_primal(x) else None,
        neg(unbroadcast(ct, y.aval)) if is_undefined_primal(y) else None,
    )


sub_p = elementwise(
    "sub",
    "subtract",
    [lambda t, ans, x, y: t, lambda t, ans, x, y: neg(t)],
    kinds="iufc",
    infix="-",
    transpose=_sub_transpose,
)


def sub(x: Any, y: Any) -> Any:
    """``x - y``, element by element.

    >>> from adlib import lax
    >>> lax.sub(3.0, 1.0)
    Array(2., dtype=float32, weak_type=True)
    """
    return sub_p.bind(*operands("sub", x, y))


def _mul_transpose(ct: Any, x: Any, y: Any) -> tuple[Any, Any]:
    if is_undefined_primal(x) and is_undefined_primal(y):
        raise NotImplementedError(
            "Transposition of 'mul' of two linear arguments: their product is not linear. "
            "A custom_jvp rule that multiplies its tangents does this."
        )
    if is_undefined_primal(x):
        return unbroadcast(mul(ct, y), x.aval), None
    return None, unbroadcast(mul(x, ct), y.aval)


mul_p = elementwise(
    "mul",
    "multiply",
    [lambda t, ans, x, y: mul(t, y), lambda t, ans, x, y: mul(x, t)],
    kinds="biufc",
    infix="*",
    transpose=_mul_transpose,
)


def mul(x: Any, y: Any) -> Any:
    """``x * y``, element by element.

    >>> from adlib import lax
    >>> lax.mul(2.0, 3.0)
    Array(6., dtype=float32, weak_type=True)
    """
    return mul_p.bind(*operands("mul", x, y))


# ----------------------------------------------------------------------- div


def _div_kernel(xp: Any, x: Any, y: Any) -> Any:
    if x.dtype.kind not in "iu":
        return xp.divide(x, y)
    # integers: rounded towards zero, and -1 where the divisor is zero, as the hardware does
    safe = xp.where(y == 0, xp.ones_like(y), y)
    quotient = xp.floor_divide(x, safe)
    remainder = x - quotient * safe
    toward_zero = quotient + ((remainder != 0) & ((x < 0) != (safe < 0))).astype(x.dtype)
    return xp.where(y == 0, xp.asarray(-1).astype(x.dtype), toward_zero)


def _div_transpose(ct: Any, x: Any, y: Any) -> tuple[Any, Any]:
    return unbroadcast(div(ct, y), x.aval), None


div_p = elementwise(
    "div",
    _div_kernel,
    [lambda t, ans, x, y: div(t, y), lambda t, ans, x, y: mul(neg(t), div(ans, y))],
    kinds="iufc",
    transpose=_div_transpose,
    samples=lambda: [
        Sample((normal(2, 3), uniform(2, 3))),
        Sample((normal(2, 3), uniform(1, 3)), name="broadcast"),
        Sample((normal(2, 3, dtype=np.complex64), normal(2, 3, dtype=np.complex64)), name="c"),
        Sample(
            (normal(9, dtype=np.int32), np.array([1, 2, -3, 4, -5, 6, 0, -8, 9], np.int32)),
            name="int",
        ),
        Sample((normal(2, 3), uniform()), name="scalar"),
    ],
)


def div(x: Any, y: Any) -> Any:
    """``x / y``, element by element; integers are divided with rounding towards zero.

    >>> from adlib import lax
    >>> lax.div(3.0, 2.0)
    Array(1.5, dtype=float32, weak_type=True)
    >>> lax.div(-7, 2)
    Array(-3, dtype=int32, weak_type=True)
    """
    return div_p.bind(*operands("div", x, y))


# --------------------------------------------------------------- integer_pow


def _integer_pow_kernel(xp: Any, x: Any, *, y: int) -> Any:
    if y < 0:
        return xp.divide(xp.ones((), x.dtype), _integer_pow_kernel(xp, x, y=-y))
    result, square = None, x
    while y:
        if y & 1:
            result = square if result is None else xp.multiply(result, square)
        y >>= 1
        if y:
            square = xp.multiply(square, square)
    return xp.ones_like(x) if result is None else result


integer_pow_p = elementwise(
    "integer_pow",
    _integer_pow_kernel,
    [lambda t, ans, x, y: mul(t, integer_pow_derivative(x, y))],
    kinds="iufc",
    samples=lambda: [
        *[Sample((uniform(2, 3),), dict(y=y), str(y)) for y in (0, 1, 2, 3, 5, -1, -2)],
        Sample((normal(3, dtype=np.complex64),), dict(y=3), "complex"),
        Sample((normal(3, dtype=np.int32),), dict(y=4), "int"),
    ],
)


def integer_pow_derivative(x: Any, y: int) -> Any:
    if y == 0:
        return full_like(x, 0)
    if y == 2:
        return mul(full_like(x, 2), x)
    return full_like(x, 1) if y == 1 else mul(full_like(x, y), integer_pow(x, y - 1))


def integer_pow(x: Any, y: int) -> Any:
    """``x ** y`` for a Python integer ``y``, by repeated squaring.

    Raises TypeError for a negative power of integers, which would not be integers.

    >>> from adlib import lax
    >>> lax.integer_pow(2.0, 3)
    Array(8., dtype=float32, weak_type=True)
    """
    (x,) = operands("integer_pow", x)
    if y == 1:
        return x
    if y < 0 and dtypes.is_integer(x.aval.dtype):
        raise TypeError(
            f"Integers cannot be raised to negative powers: integer_pow of an array of type "
            f"{x.aval.str_short()} with y={y}.{here()}\n  Repair: convert it to floats first."
        )
    return integer_pow_p.bind(x, y=int(y))


# ------------------------------------------------------- comparisons, select


def _bool_result(dtype: Any) -> Any:
    return np.dtype(bool)


_ANY = "biufc"
eq_p = elementwise(
    "eq",
    "equal",
    None,
    kinds=_ANY + "K",
    result=_bool_result,
    arity=2,
    samples=lambda: [Sample((normal(5, dtype=np.int32), normal(5, dtype=np.int32)))],
)
ne_p = elementwise(
    "ne",
    "not_equal",
    None,
    kinds=_ANY + "K",
    result=_bool_result,
    arity=2,
    samples=lambda: default_samples(_ANY, 2),
)
lt_p = elementwise("lt", "less", None, kinds="biuf", result=_bool_result, arity=2)
le_p = elementwise("le", "less_equal", None, kinds="biuf", result=_bool_result, arity=2)
gt_p = elementwise("gt", "greater", None, kinds="biuf", result=_bool_result, arity=2)
ge_p = elementwise("ge", "greater_equal", None, kinds="biuf", result=_bool_result, arity=2)


def eq(x: Any, y: Any) -> Any:
    """``x == y``, element by element.

    >>> from adlib import lax
    >>> lax.eq(1, 1)
    Array(True, dtype=bool, weak_type=True)
    """
    return eq_p.bind(*operands("eq", x, y))


def ne(x: Any, y: Any) -> Any:
    """``x != y``, element by element.

    >>> from adlib import lax
    >>> lax.ne(1, 1)
    Array(False, dtype=bool, weak_type=True)
    """
    return ne_p.bind(*operands("ne", x, y))


def lt(x: Any, y: Any) -> Any:
    """``x < y``, element by element.

    >>> from adlib import lax
    >>> lax.lt(1, 2)
    Array(True, dtype=bool, weak_type=True)
    """
    return lt_p.bind(*operands("lt", x, y))


def le(x: Any, y: Any) -> Any:
    """``x <= y``, element by element.

    >>> from adlib import lax
    >>> lax.le(2, 2)
    Array(True, dtype=bool, weak_type=True)
    """
    return le_p.bind(*operands("le", x, y))


def gt(x: Any, y: Any) -> Any:
    """``x > y``, element by element.

    >>> from adlib import lax
    >>> lax.gt(1, 2)
    Array(False, dtype=bool, weak_type=True)
    """
    return gt_p.bind(*operands("gt", x, y))


def ge(x: Any, y: Any) -> Any:
    """``x >= y``, element by element.

    >>> from adlib import lax
    >>> lax.ge(2, 2)
    Array(True, dtype=bool, weak_type=True)
    """
    return ge_p.bind(*operands("ge", x, y))


# ------------------------------------------------------------- exp, log, ...

exp_p = elementwise("exp", "exp", [lambda t, ans, x: mul(t, ans)])


def exp(x: Any, *, accuracy: Any = None) -> Any:
    """``e ** x``, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.exp(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    return exp_p.bind(*operands("exp", x))


log_p = elementwise(
    "log",
    "log",
    [lambda t, ans, x: div(t, x)],
    samples=lambda: [Sample((uniform(2, 3),)), Sample((normal(3, dtype=np.complex64),), name="c")],
)


def log(x: Any, *, accuracy: Any = None) -> Any:
    """Natural logarithm, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.log(1.0)
    Array(0., dtype=float32, weak_type=True)
    """
    return log_p.bind(*operands("log", x))


sin_p = elementwise("sin", "sin", [lambda t, ans, x: mul(t, cos(x))])
cos_p = elementwise("cos", "cos", [lambda t, ans, x: neg(mul(t, sin(x)))])


def sin(x: Any, *, accuracy: Any = None) -> Any:
    """Sine of ``x`` in radians, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.sin(0.0)
    Array(0., dtype=float32, weak_type=True)
    """
    return sin_p.bind(*operands("sin", x))


def cos(x: Any, *, accuracy: Any = None) -> Any:
    """Cosine of ``x`` in radians, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.cos(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    return cos_p.bind(*operands("cos", x))


def _tanh_derivative(t: Any, ans: Any, x: Any) -> Any:
    # (1 - y)(1 + y), not 1 - y*y: near saturation the square would cancel
    one = full_like(ans, 1)
    return mul(t, mul(sub(one, ans), add(one, ans)))


tanh_p = elementwise("tanh", "tanh", [_tanh_derivative])


def tanh(x: Any, *, accuracy: Any = None) -> Any:
    """Hyperbolic tangent, element by element.

    ``accuracy``, a hint for accelerators, changes nothing here.

    >>> from adlib import lax
    >>> lax.tanh(0.5)
    Array(0.46212, dtype=float32, weak_type=True)
    """
    return tanh_p.bind(*operands("tanh", x))
