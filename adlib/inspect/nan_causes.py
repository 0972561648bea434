"""Why an equation makes a NaN or an infinity, and how it is usually repaired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adlib.core import Eqn
from adlib.inspect.summaries import number_text


@dataclass(frozen=True, slots=True)
class Cause:
    """What happened, in a sentence, and the repair: words and code."""

    why: str
    repair: str = ""
    code: str = ""

    @property
    def before(self) -> str:
        """Code as it is often written, which ``code`` replaces; empty where there is none."""
        return _BEFORE.get(self.code, "")


_DOUBLE_WHERE = (
    "Replace the bad argument before the operation, not only the bad result after it "
    "(the double where): a where that merely hides the value still multiplies 0 by infinity "
    "in the derivative."
)
_SAFE_LOG = "jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), 0.0)"
_SAFE_SQRT = "jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0)"
_SAFE_DIV = "jnp.where(d == 0, 0.0, n / jnp.where(d == 0, 1.0, d))"
_SAFE_XLOGX = "jnp.where(x > 0, x * jnp.log(jnp.where(x > 0, x, 1.0)), 0.0)"
_LOG = ("Keep the argument positive: " + _DOUBLE_WHERE[0].lower() + _DOUBLE_WHERE[1:], _SAFE_LOG)
_STABLE_EXP = (
    "Use the stable form: subtract the maximum first, or call the function that does so "
    "(logsumexp, softmax, log_softmax, logaddexp).",
    "adlib.nn.logsumexp(x)\nadlib.nn.softmax(x)\njnp.logaddexp(0.0, x)",
)


# The same as it is often written, by its repair.
_BEFORE = {
    _SAFE_LOG: "jnp.where(x > 0, jnp.log(x), 0.0)",
    _SAFE_SQRT: "jnp.where(x > 0, jnp.sqrt(x), 0.0)",
    _SAFE_DIV: "jnp.where(d == 0, 0.0, n / d)",
    _SAFE_XLOGX: "jnp.where(x > 0, x * jnp.log(x), 0.0)",
    _STABLE_EXP[1]: "jnp.log(jnp.sum(jnp.exp(x)))\njnp.exp(x) / jnp.sum(jnp.exp(x))\n"
    "jnp.log(1.0 + jnp.exp(x))",
    "jnp.log1p(jnp.where(x > -1, x, 0.0))": "jnp.log1p(x)",
    "lax.rsqrt(x + 1e-6)": "lax.rsqrt(x)",
    "adlib.nn.log_softmax(x)": "jnp.log(jnp.exp(x)) - jnp.log(jnp.exp(x).sum())",
    "jnp.where(x > 0, x, 1.0) ** p": "x ** p",
    "x ** lax.stop_gradient(p)": "x ** p",
    "jnp.acosh(jnp.maximum(x, 1.0))": "jnp.acosh(x)",
    **{
        f"jnp.{name}(jnp.clip(x, -1 + 1e-6, 1 - 1e-6))": f"jnp.{name}(x)"
        for name in ("asin", "acos", "atanh")
    },
}


def primal_cause(eqn: Eqn, at: Sequence[Any]) -> Cause:
    """Why the equation's result is bad, from the operands at the bad entry.

    ``at`` holds a number per operand, or None where an operand has no such entry.
    """
    rule = _PRIMAL.get(eqn.primitive.name)
    found = rule(at, eqn) if rule is not None and all(x is not None for x in at) else None
    return found or _general(eqn, at)


def derivative_cause(eqn: Eqn, at: Sequence[Any], seed: Any, port: int | None) -> Cause:
    """Why an equation's derivative is bad, from its operands and the incoming (co)tangent.

    Args:
      at: operands at the bad entry, as for ``primal_cause``.
      seed: the cotangent (or tangent) that came in there, or None.
      port: the operand whose cotangent is bad; None for tangents.
    """
    rule = _DERIVATIVE.get(eqn.primitive.name)
    found = rule(at, eqn) if rule is not None and all(x is not None for x in at) else None
    if found is None:
        return _general_derivative(eqn, at)
    if seed is not None and seed == 0:
        hidden = " (the value is not chosen by a later where or mask)" if port is not None else ""
        return Cause(
            f"{found.why} The incoming derivative is 0{hidden}, and 0 times infinity is NaN.",
            found.repair,
            found.code,
        )
    return found


def _general(eqn: Eqn, at: Sequence[Any]) -> Cause:
    name = eqn.primitive.name
    if name in ("reduce_sum", "cumsum", "dot_general", "reduce_prod", "convert_element_type"):
        dtype = eqn.outvars[0].aval.dtype.name
        return Cause(
            f"{name} overflows {dtype}, or meets infinities.",
            "Scale the numbers before, use a wider dtype, or work with logarithms.",
        )
    shown = ", ".join(number_text(x) for x in at if x is not None)
    given = f" of {shown}" if shown else ""
    return Cause(
        f"{name}{given} has no finite value here.",
        "Look at the operands below: keep them in the range where the operation is defined.",
    )


def _general_derivative(eqn: Eqn, at: Sequence[Any]) -> Cause:
    shown = ", ".join(number_text(x) for x in at if x is not None)
    given = f" at {shown}" if shown else ""
    return Cause(f"The derivative of {eqn.primitive.name}{given} is not finite.", _DOUBLE_WHERE)


# ------------------------------------------------------------------- results


def _log(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    if x == 0:
        return Cause("log(0) is −infinity.", *_LOG)
    if x < 0:
        return Cause(f"log of a negative number ({number_text(x)}) is NaN.", *_LOG)
    return None


def _log1p(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    if x <= -1:
        what = "−infinity" if x == -1 else "NaN"
        return Cause(f"log1p({number_text(x)}), the logarithm of {number_text(1 + x)}, is {what}.",
                     "Keep the argument above −1: " + _DOUBLE_WHERE,
                     "jnp.log1p(jnp.where(x > -1, x, 0.0))")  # fmt: skip
    return None


def _sqrt(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    if x < 0:
        why = f"sqrt of a negative number ({number_text(x)}) is NaN."
        return Cause(why, "Keep the argument at 0 or above: " + _DOUBLE_WHERE, _SAFE_SQRT)
    return None


def _rsqrt(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    if x <= 0:
        what = "infinite" if x == 0 else "NaN"
        return Cause(f"1/sqrt({number_text(x)}) is {what}.",
                     "Add a small number under the root, or mask: " + _DOUBLE_WHERE,
                     "lax.rsqrt(x + 1e-6)")  # fmt: skip
    return None


def _div(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    n, d = at
    if d == 0:
        what = "0/0 is NaN." if n == 0 else f"{number_text(n)}/0: division by zero is infinite."
        return Cause(what, _DOUBLE_WHERE, _SAFE_DIV)
    if np.isinf(n) and np.isinf(d):
        return Cause("infinity / infinity is NaN.", *_STABLE_EXP)
    return None


def _exp(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    dtype = eqn.outvars[0].aval.dtype
    if np.isfinite(x) and x > 0:
        most = _largest_exponent(dtype)
        why = f"{eqn.primitive.name}({number_text(x)}) overflows {dtype.name}"
        return Cause(why + (f", which ends near {eqn.primitive.name}({most})." if most else "."),
                     *_STABLE_EXP)  # fmt: skip
    return None


def _largest_exponent(dtype: Any) -> str:
    limits = {"float16": "11.1", "bfloat16": "88.7", "float32": "88.7", "float64": "709.8"}
    return limits.get(dtype.name, "")


def _mul(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    x, y = at
    if (x == 0 and np.isinf(y)) or (y == 0 and np.isinf(x)):
        return Cause(
            "0 times infinity is NaN.",
            "Start with the equation that made the infinity, or replace the infinite factor "
            "where the other is 0. For x·log x that is:",
            _SAFE_XLOGX,
        )
    if np.isfinite(x) and np.isfinite(y):
        return _overflow(eqn, f"{number_text(x)}·{number_text(y)}")
    return None


def _overflow(eqn: Eqn, text: str) -> Cause:
    dtype = eqn.outvars[0].aval.dtype.name
    return Cause(f"{text} overflows {dtype}.", "Work with logarithms, or scale the numbers.")


def _add(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    x, y = at
    if np.isinf(x) and np.isinf(y):
        return Cause(
            "infinity − infinity is NaN.",
            "Start with what made the infinities. A difference of logarithms or "
            "exponentials has a stable form: log_softmax, logaddexp, log1p, expm1.",
            "adlib.nn.log_softmax(x)",
        )
    if np.isfinite(x) and np.isfinite(y):
        sign = "−" if eqn.primitive.name == "sub" else "+"
        return _overflow(eqn, f"{number_text(x)} {sign} {number_text(y)}")
    return None


def _pow(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    x, y = at
    shown = f"({number_text(x)})^{number_text(y)}"
    if x < 0 and not float(y).is_integer():
        return Cause(f"{shown}: a negative number to a fractional power is NaN.",
                     "Keep the base positive, or use jnp.sign(x) * jnp.abs(x) ** p.",
                     "jnp.where(x > 0, x, 1.0) ** p")  # fmt: skip
    if x == 0 and y < 0:
        return Cause(f"{shown} divides by zero.", _DOUBLE_WHERE, _SAFE_DIV)
    return _overflow(eqn, shown) if np.isfinite(x) and np.isfinite(y) else None


def _integer_pow(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    return _pow([at[0], eqn.params["y"]], eqn)


def _unit(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    name = eqn.primitive.name
    if abs(x) < 1 and name != "acosh":
        return None
    where = "1 and above" if name == "acosh" else "between −1 and 1"
    return Cause(f"{name}({number_text(x)}): {name} is finite only {where}.",
                 "Clip the argument (rounding often carries it a little outside).",
                 f"jnp.{name}(jnp.clip(x, -1 + 1e-6, 1 - 1e-6))" if name != "acosh" else
                 "jnp.acosh(jnp.maximum(x, 1.0))")  # fmt: skip


_PRIMAL: dict[str, Callable[[Sequence[Any], Eqn], Cause | None]] = {
    "log": _log,
    "log1p": _log1p,
    "sqrt": _sqrt,
    "rsqrt": _rsqrt,
    "div": _div,
    "exp": _exp,
    "exp2": _exp,
    "expm1": _exp,
    "cosh": _exp,
    "sinh": _exp,
    "mul": _mul,
    "add": _add,
    "sub": _add,
    "pow": _pow,
    "integer_pow": _integer_pow,
    "acos": _unit,
    "asin": _unit,
    "atanh": _unit,
    "acosh": _unit,
}


# --------------------------------------------------------------- derivatives


def _d_sqrt(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    if x == 0:
        why = "The derivative of sqrt, 1/(2·sqrt(x)), is infinite at x = 0."
        repair = f"{_DOUBLE_WHERE} A norm at the zero vector needs the same."
        return Cause(why, repair, _SAFE_SQRT)
    return None


def _d_log(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    if x == 0:
        return Cause("The derivative of log, 1/x, is infinite at x = 0.", _DOUBLE_WHERE, _SAFE_LOG)
    return None


def _d_div(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    n, d = at
    if d == 0:
        why = "The derivatives of n/d, 1/d and −n/d², are infinite at d = 0."
        return Cause(why, _DOUBLE_WHERE, _SAFE_DIV)
    return None


def _d_pow(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    x = at[0]
    y = at[1] if len(at) > 1 else eqn.params.get("y")
    if x == 0:
        why = f"The derivative of x^{number_text(y)} is not finite at x = 0."
        return Cause(why, _DOUBLE_WHERE, "jnp.where(x > 0, x, 1.0) ** p")
    if x < 0:
        return Cause(
            "The derivative of x^y by y needs log x, which is NaN for a negative base.",
            "If the power is a constant, let it be a Python number, or lax.stop_gradient(p).",
            "x ** lax.stop_gradient(p)",
        )
    return None


def _d_mul(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    if any(not np.isfinite(x) for x in at):
        why = "The derivative of a product is the other factor, and that is not finite."
        return Cause(why, "Start with the equation that made that factor. " + _DOUBLE_WHERE)
    return None


def _d_exp(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    if not np.isfinite(x) or x > 10:
        why = "The derivative of exp is exp itself, and that has overflowed."
        return Cause(why, *_STABLE_EXP)
    return None


def _d_unit(at: Sequence[Any], eqn: Eqn) -> Cause | None:
    (x,) = at
    if abs(x) >= 1:
        name = eqn.primitive.name
        return Cause(
            f"The derivative of {name} is infinite at {number_text(x)}.",
            "Clip the argument to just inside of the open interval.",
            f"jnp.{name}(jnp.clip(x, -1 + 1e-6, 1 - 1e-6))",
        )
    return None


_DERIVATIVE: dict[str, Callable[[Sequence[Any], Eqn], Cause | None]] = {
    "sqrt": _d_sqrt,
    "rsqrt": _d_sqrt,
    "cbrt": _d_pow,
    "log": _d_log,
    "div": _d_div,
    "pow": _d_pow,
    "integer_pow": _d_pow,
    "mul": _d_mul,
    "exp": _d_exp,
    "acos": _d_unit,
    "asin": _d_unit,
    "atanh": _d_unit,
    "acosh": _d_unit,
}
