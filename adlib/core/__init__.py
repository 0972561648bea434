"""Core: types, values, primitives, traces and jaxprs. Knows no primitive by name."""

from adlib.core import evaluate, printer
from adlib.core.array import Array
from adlib.core.avals import ShapedArray, UndefinedPrimal, Zero
from adlib.core.check import check_jaxpr
from adlib.core.jaxpr import (
    ClosedJaxpr,
    Eqn,
    Jaxpr,
    Literal,
    Var,
    eval_jaxpr,
    jaxpr_as_fun,
)
from adlib.core.primitive import Absent, Primitive, Sample, define_primitive, registry

__all__ = [
    "Absent",
    "Array",
    "ClosedJaxpr",
    "Eqn",
    "Jaxpr",
    "Literal",
    "Primitive",
    "Sample",
    "ShapedArray",
    "UndefinedPrimal",
    "Var",
    "Zero",
    "check_jaxpr",
    "define_primitive",
    "eval_jaxpr",
    "evaluate",
    "jaxpr_as_fun",
    "printer",
    "registry",
]
