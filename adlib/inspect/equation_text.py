"""Equations as a student writes them: ``c = a · b`` for ``c:f32[] = mul a b``."""

from __future__ import annotations

from collections.abc import Sequence

from adlib.core import Eqn
from adlib.inspect.texts import param_texts, shorten

_INFIX = {
    "mul": "·", "add": "+", "add_any": "+", "sub": "−", "div": "/",
    "eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥",
}  # fmt: skip
_LONGEST = 64


def equation_text(eqn: Eqn, results: Sequence[str], operands: Sequence[str]) -> str:
    """The equation with these names for its results and operands.

    Sums, products, matrix and outer products, comparisons and powers are written with signs;
    other operations by name, with the parameters that matter.
    """
    name = eqn.primitive.name
    if name in _INFIX and len(operands) == 2:
        right = f"{operands[0]} {_INFIX[name]} {operands[1]}"
        if name in ("eq", "ne", "lt", "le", "gt", "ge"):
            right = f"[{right}]"
    elif name == "neg":
        right = f"−{operands[0]}"
    elif name == "integer_pow":
        right = f"{operands[0]}^{eqn.params['y']}"
    elif name == "square":
        right = f"{operands[0]}^2"
    elif name == "dot_general" and (sign := _product_sign(eqn)):
        right = f"{operands[0]} {sign} {operands[1]}"
    elif name.startswith("reduce_") and not eqn.outvars[0].aval.shape:
        right = f"{name} {operands[0]}"  # over all axes: no need to list them
    else:
        quiet = name in ("convert_element_type", "scan", "while", "cond", "gather", "scatter-add")
        params = "" if quiet else ", ".join(f"{key}={text}" for key, text in param_texts(eqn))
        right = " ".join([name + (f"[{params}]" if params else ""), *operands])
    return shorten(f"{' '.join(results)} = {right}" if results else right, _LONGEST)


def _product_sign(eqn: Eqn) -> str:
    """``@`` for a product as matrices and vectors have it, ``⊗`` for an outer one, else nothing."""
    ((left, right), (batch, _)) = eqn.params["dimension_numbers"]
    ranks = [atom.aval.ndim for atom in eqn.invars]
    if batch or len(left) > 1 or max(ranks) > 2:
        return ""
    if not left:
        return "⊗"
    return "@" if (left[0], right[0]) == (ranks[0] - 1, max(ranks[1] - 2, 0)) else ""
