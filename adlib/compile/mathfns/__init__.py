"""Transcendental functions as arithmetic, so that the compiler vectorizes them.

Each is written once over ``Scalar``, without branches, for float32 and float64. Bounds on their
errors stand in tests/compile/mathfns. Sources: Muller, *Elementary Functions*, and the papers
named where they are used; coefficients are our own (tools/fit_math_tables.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adlib.compile.builder import Builder, Scalar
from adlib.compile.mathfns import (
    errors,
    exponentials,
    gamma,
    inverses,
    logarithms,
    powers,
    trigonometric,
)

FUNCTIONS: dict[str, Callable[..., Scalar]] = {
    "exp": exponentials.exp,
    "exp2": exponentials.exp2,
    "expm1": exponentials.expm1,
    "tanh": exponentials.tanh,
    "logistic": exponentials.logistic,
    "sinh": exponentials.sinh,
    "cosh": exponentials.cosh,
    "log": logarithms.log,
    "log1p": logarithms.log1p,
    "pow": powers.pow,
    "cbrt": powers.cbrt,
    "rsqrt": powers.rsqrt,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "asin": inverses.asin,
    "acos": inverses.acos,
    "atan": inverses.atan,
    "atan2": inverses.atan2,
    "asinh": inverses.asinh,
    "acosh": inverses.acosh,
    "atanh": inverses.atanh,
    "erf": errors.erf,
    "erfc": errors.erfc,
    "erf_inv": errors.erf_inv,
}
NAMES = frozenset(FUNCTIONS)
# Functions of float32 only, which compute in float64.
OF_FLOAT32 = frozenset(gamma.FUNCTIONS)


def emit(name: str, builder: Builder, *values: Any) -> Any:
    """Write the function ``name`` of a builder's values (float32 or float64) with the builder.

    Names are those of the primitives; all operands have one type, which is the result's.

    >>> import numpy as np
    >>> from adlib.compile.builder import NumpyBuilder
    >>> emit("exp", NumpyBuilder(), np.float32([0.0, 1.0]))
    array([1.       , 2.7182817], dtype=float32)
    """
    function = FUNCTIONS.get(name) or gamma.FUNCTIONS[name]
    return function(*[Scalar(builder, value) for value in values]).value
