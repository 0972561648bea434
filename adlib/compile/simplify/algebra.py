"""Algebra of single equations: what is true of numbers, and of floating-point numbers too.

All rules are exact to the bit (a NaN stays a NaN), with one exception: ``add_any``, the sum of
cotangents, drops a term that is known to be zero, so that -0.0 stays -0.0 where adding 0.0 would
have made it 0.0. Sums are not reassociated, x·0 is kept (it may be NaN), x - x too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Literal
from adlib.core.primitive import registry

Found = Sequence[Atom] | None


def simplify_algebra(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Apply the identities of this module to each equation."""
    return rewrite(closed, _rule, log, RULES)


def _rule(eqn: Eqn, writer: Writer) -> Found:
    return RULES[eqn.primitive.name](eqn, writer)


def number(atom: Atom, writer: Writer) -> Any:
    """The number that all elements of an operand are, as a NumPy scalar; None if unknown."""
    made = writer.made_by(atom, "broadcast_in_dim", "reshape")
    while made is not None:
        atom = made.invars[0]
        made = writer.made_by(atom, "broadcast_in_dim", "reshape")
    if type(atom) is Literal:
        return atom.val if isinstance(atom.aval.dtype, np.dtype) else None
    value = writer.value_of(atom)
    if value is None or not 0 < value.size <= 4096 or value.dtype.kind not in "biuf":
        return None
    first = value.reshape(-1)[0]
    same = value.tobytes() == np.full(value.shape, first, value.dtype).tobytes()
    return first if same else None


def is_zero(value: Any, negative: bool | None = None) -> bool:
    """Whether a number is 0, and -0.0 or not, where that is asked."""
    if value is None or value != 0:
        return False
    return negative is None or bool(np.signbit(np.float64(value))) is negative


def _becomes(eqn: Eqn, writer: Writer, atom: Atom, why: str) -> Found:
    """The result is an operand, if that has the result's type."""
    out = eqn.outvars[0].aval
    if atom.aval.shape != out.shape or atom.aval.dtype != out.dtype:
        return None
    producer = writer.producer.get(atom) if type(atom) is not Literal else None  # type: ignore[arg-type]
    writer.log.note(eqn, f"removed: {why}", producer)
    return [atom]


def _instead(eqn: Eqn, writer: Writer, why: str, name: str, *atoms: Atom, **params: Any) -> Found:
    """Another equation, if it gives the same type."""
    out = eqn.outvars[0].aval
    results = registry[name].abstract([a.aval for a in atoms], params)
    if results[0].shape != out.shape or results[0].dtype != out.dtype:
        return None
    found = writer.emit(registry[name], atoms, **params)
    writer.log.note(eqn, f"rewritten: {why}", writer.eqns[-1])
    return found


def _negated(atom: Atom, writer: Writer) -> Atom | None:
    made = writer.made_by(atom, "neg")
    return None if made is None else made.invars[0]


def _real(eqn: Eqn) -> bool:
    dtype = eqn.outvars[0].aval.dtype
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def _add(eqn: Eqn, writer: Writer) -> Found:
    if not _real(eqn):
        return None
    x, y = eqn.invars
    floating = eqn.outvars[0].aval.dtype.kind == "f"
    sign = True if floating and eqn.primitive.name == "add" else None
    for zero, other in ((y, x), (x, y)):
        if is_zero(number(zero, writer), sign):
            found = _becomes(eqn, writer, other, "x + 0 is x")
            if found is not None:
                return found
    negated = _negated(y, writer)
    if negated is not None:
        return _instead(eqn, writer, "x + (-y) is x - y", "sub", x, negated)
    negated = _negated(x, writer)
    if negated is not None:
        return _instead(eqn, writer, "-x + y is y - x", "sub", y, negated)
    return None


def _sub(eqn: Eqn, writer: Writer) -> Found:
    if not _real(eqn):
        return None
    x, y = eqn.invars
    floating = eqn.outvars[0].aval.dtype.kind == "f"
    if is_zero(number(y, writer), False if floating else None):
        return _becomes(eqn, writer, x, "x - 0 is x")
    if is_zero(number(x, writer), True if floating else None):
        return _instead(eqn, writer, "0 - x is -x", "neg", y)
    negated = _negated(y, writer)
    if negated is not None:
        return _instead(eqn, writer, "x - (-y) is x + y", "add", x, negated)
    return None


def _mul(eqn: Eqn, writer: Writer) -> Found:
    if not _real(eqn):
        return None
    for factor, other in (eqn.invars, eqn.invars[::-1]):
        value = number(factor, writer)
        if value is None:
            continue
        if value == 1:
            return _becomes(eqn, writer, other, "x · 1 is x")
        if value == -1 and value.dtype.kind != "u":
            return _instead(eqn, writer, "x · (-1) is -x", "neg", other)
        negated = _negated(other, writer)
        if negated is not None and value.dtype.kind == "f" and not factor.aval.shape:
            constant = writer.constant(-value, factor.aval)
            return _instead(eqn, writer, "(-x) · c is x · (-c)", "mul", negated, constant)
    both = [_negated(atom, writer) for atom in eqn.invars]
    if both[0] is not None and both[1] is not None:
        return _instead(eqn, writer, "(-x) · (-y) is x · y", "mul", both[0], both[1])
    return None


def _div(eqn: Eqn, writer: Writer) -> Found:
    x, y = eqn.invars
    value = number(y, writer) if _real(eqn) else None
    if value is None:
        return None
    if value == 1:
        return _becomes(eqn, writer, x, "x / 1 is x")
    if value.dtype.kind == "i" or value.dtype.kind == "u" or y.aval.shape:
        return None
    if value == -1:
        return _instead(eqn, writer, "x / (-1) is -x", "neg", x)
    mantissa, _ = math.frexp(float(value))
    inverse = 1 / value if abs(mantissa) == 0.5 else None
    tiny = np.finfo(value.dtype).tiny if value.dtype.kind == "f" else 0
    if inverse is not None and np.isfinite(inverse) and abs(inverse) >= tiny:
        constant = writer.constant(inverse, y.aval)
        why = "division by a power of two is multiplication by its inverse"
        return _instead(eqn, writer, why, "mul", x, constant)
    return None


def _neg(eqn: Eqn, writer: Writer) -> Found:
    negated = _negated(eqn.invars[0], writer)
    return None if negated is None else _becomes(eqn, writer, negated, "-(-x) is x")


def _integer_pow(eqn: Eqn, writer: Writer) -> Found:
    power = eqn.params["y"]
    if power == 1:
        return _becomes(eqn, writer, eqn.invars[0], "x to the power of 1 is x")
    negated = _negated(eqn.invars[0], writer)
    if negated is not None and power % 2 == 0 and _real(eqn):
        why = "an even power of -x is that of x"
        return _instead(eqn, writer, why, "integer_pow", negated, y=power)
    return None


def _even(eqn: Eqn, writer: Writer) -> Found:
    negated = _negated(eqn.invars[0], writer)
    if negated is None or not _real(eqn):
        return None
    name = eqn.primitive.name
    return _instead(eqn, writer, f"{name} of -x is {name} of x", name, negated)


def _abs(eqn: Eqn, writer: Writer) -> Found:
    inner = writer.made_by(eqn.invars[0], "abs")
    if inner is not None:
        return _becomes(eqn, writer, eqn.invars[0], "| |x| | is |x|")
    return _even(eqn, writer)


def _idempotent(eqn: Eqn, writer: Writer) -> Found:
    """max, min, and, or of a value with itself; and, or with a constant."""
    x, y = eqn.invars
    if x is y:
        return _becomes(eqn, writer, x, "both operands are one")
    if x.aval.dtype != np.bool_:
        return None
    neutral = eqn.primitive.name == "and"
    for factor, other in ((x, y), (y, x)):
        value = number(factor, writer)
        if value is not None:
            kept = other if bool(value) is neutral else factor
            return _becomes(eqn, writer, kept, f"{eqn.primitive.name} with a constant")
    return None


def _not(eqn: Eqn, writer: Writer) -> Found:
    inner = writer.made_by(eqn.invars[0], "not")
    return None if inner is None else _becomes(eqn, writer, inner.invars[0], "not not x is x")


def _select_n(eqn: Eqn, writer: Writer) -> Found:
    which, *cases = eqn.invars
    value = number(which, writer)
    if value is not None and 0 <= int(value) < len(cases):
        return _becomes(eqn, writer, cases[int(value)], "the choice is a constant")
    if all(case is cases[0] for case in cases):
        return _becomes(eqn, writer, cases[0], "all cases are one")
    inner = writer.made_by(which, "not")
    if inner is not None and len(cases) == 2 and which.aval.dtype == np.bool_:
        why = "not in the choice swaps the cases"
        return _instead(eqn, writer, why, "select_n", inner.invars[0], cases[1], cases[0])
    return None


def _convert(eqn: Eqn, writer: Writer) -> Found:
    (x,) = eqn.invars
    target = eqn.params["new_dtype"]
    if x.aval.dtype == target:
        return _becomes(eqn, writer, x, "it has that dtype already")
    inner = writer.made_by(x, "convert_element_type")
    if inner is None:
        return None
    source = inner.invars[0]
    if not _lossless(source.aval.dtype, x.aval.dtype):
        return None
    if _saturates(source.aval.dtype, x.aval.dtype, target):
        return None
    if source.aval.dtype == target:
        return _becomes(eqn, writer, source, "the conversion and back loses nothing")
    why = "two conversions are one, since the first loses nothing"
    return _instead(eqn, writer, why, "convert_element_type", source, **eqn.params)


def _lossless(a: Any, b: Any) -> bool:
    """Whether every number of dtype a is one of dtype b."""
    if not (isinstance(a, np.dtype) and isinstance(b, np.dtype)):
        return False
    if a.kind not in "biufc" or b.kind not in "biufc" or b.kind == "b":
        return False
    if a.kind in "iu" and a.itemsize == 8 and b.kind in "fc":  # safe to NumPy, and rounded
        return False
    return bool(np.can_cast(a, b, "safe"))


def _saturates(source: Any, between: Any, target: Any) -> bool:
    """Whether integers that become other ones by way of floats stop at the bounds of these,
    where without the floats they would wrap around."""
    if source.kind not in "iu" or between.kind not in "fc" or target.kind not in "iu":
        return False
    return not np.can_cast(source, target, "safe")


def _part(eqn: Eqn, writer: Writer) -> Found:
    made = writer.made_by(eqn.invars[0], "complex")
    if made is None:
        return None
    part = made.invars[0 if eqn.primitive.name == "real" else 1]
    return _becomes(eqn, writer, part, "a part of a number made from its parts")


RULES: dict[str, Callable[[Eqn, Writer], Found]] = {
    "add": _add,
    "add_any": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "integer_pow": _integer_pow,
    "square": _even,
    "abs": _abs,
    "max": _idempotent,
    "min": _idempotent,
    "and": _idempotent,
    "or": _idempotent,
    "not": _not,
    "select_n": _select_n,
    "convert_element_type": _convert,
    "real": _part,
    "imag": _part,
}
