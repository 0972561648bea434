"""Arithmetic and memory traffic of one equation."""

from __future__ import annotations

import math

from adlib.core import Eqn, Var
from adlib.core.dtypes import is_inexact

_FREE = {
    "broadcast_in_dim", "concatenate", "convert_element_type", "copy", "dynamic_slice",
    "dynamic_update_slice", "expand_dims", "gather", "iota", "pad", "reshape", "rev",
    "select_n", "slice", "squeeze", "stop_gradient", "transpose",
}  # fmt: skip
_OF_OPERAND = ("reduce_", "cum", "arg")


def flops(eqn: Eqn) -> int | None:
    """Arithmetic operations of an equation; None where they are not counted.

    Elementwise operations count one per entry of the result, reductions one per entry of
    the operand, contractions a multiplication and an addition for each product, and moving
    data nothing. Loops, branches and library calls are not counted.
    """
    name = eqn.primitive.name
    if name in _FREE:
        return 0
    if name == "dot_general":
        contracted = eqn.params["dimension_numbers"][0][0]
        shape = eqn.invars[0].aval.shape
        return 2 * eqn.outvars[0].aval.size * math.prod(shape[int(d)] for d in contracted)
    if name.startswith(_OF_OPERAND):
        return int(eqn.invars[0].aval.size)
    if not eqn.primitive.first_order or len(eqn.outvars) != 1:
        return None
    out = eqn.outvars[0].aval
    shapes = {atom.aval.shape for atom in eqn.invars} - {()}
    elementwise = shapes <= {out.shape} and is_inexact(out.dtype)
    return int(out.size) if elementwise else None


def bytes_read(eqn: Eqn) -> int:
    """Bytes of the operands that are variables, each counted once."""
    return sum(v.aval.nbytes for v in {v for v in eqn.invars if isinstance(v, Var)})


def bytes_written(eqn: Eqn) -> int:
    """Bytes of the results."""
    return sum(var.aval.nbytes for var in eqn.outvars)
