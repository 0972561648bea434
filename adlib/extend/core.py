"""``adlib.extend.core``: primitives and jaxprs, for those who write interpreters of their own.

The same objects as in ``adlib.core``.
"""

from adlib.core import (
    ClosedJaxpr,
    Eqn,
    Jaxpr,
    Literal,
    Primitive,
    ShapedArray,
    Var,
    check_jaxpr,
    define_primitive,
    eval_jaxpr,
    jaxpr_as_fun,
)

JaxprEqn = Eqn

__all__ = [
    "ClosedJaxpr",
    "Eqn",
    "Jaxpr",
    "JaxprEqn",
    "Literal",
    "Primitive",
    "ShapedArray",
    "Var",
    "check_jaxpr",
    "define_primitive",
    "eval_jaxpr",
    "jaxpr_as_fun",
]
