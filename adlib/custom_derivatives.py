"""Everything for functions with derivatives of their own."""

from adlib.api.custom import closure_convert, custom_gradient
from adlib.control.custom_jvp import custom_jvp
from adlib.control.custom_vjp import CustomVJPPrimal, custom_vjp
from adlib.control.linear_call import linear_call
from adlib.core.array import as_value
from adlib.core.avals import Zero as SymbolicZero
from adlib.ops.reshaping import instantiate


def zero_from_primal(val, symbolic_zeros=False):
    """The zero tangent at ``val``: an array of zeros, or a SymbolicZero.

    >>> from adlib.custom_derivatives import zero_from_primal
    >>> zero_from_primal(2.0, symbolic_zeros=True)
    Zero(f32[])
    """
    zero = SymbolicZero.like(as_value(val))
    return zero if symbolic_zeros else instantiate(zero)


__all__ = [
    "CustomVJPPrimal",
    "SymbolicZero",
    "closure_convert",
    "custom_gradient",
    "custom_jvp",
    "custom_vjp",
    "linear_call",
    "zero_from_primal",
]
