"""Special functions and draws that are loops: written out as such, so that they are native."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.base.config import config
from adlib.compile.simplify import gamma_draws, gamma_functions
from adlib.compile.simplify.inlining import paste
from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.core.avals import ShapedArray
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn
from adlib.interpreters.stage import stage
from adlib.ops.reshaping import zeros

_FUNCTIONS = {**gamma_functions.FUNCTIONS, **gamma_draws.FUNCTIONS}


def _nothing(*operands: Any, **params: Any) -> Sequence[Any]:
    """No numbers, of the type and shape of the last operand or, by broadcasting, of all."""
    last = operands[-1].aval
    shapes = [x.aval.shape for x in operands if x.aval.dtype == last.dtype]
    return [zeros(ShapedArray(np.broadcast_shapes(*shapes), last.dtype))]


def expand_special_functions(closed: ClosedJaxpr, log_: Log) -> ClosedJaxpr:
    """Write functions that are loops out. Equal up to rounding."""

    def rule(eqn: Eqn, writer: Writer) -> Sequence[Atom] | None:
        function = _FUNCTIONS.get(eqn.primitive.name)
        if function is None:
            return None
        if eqn.outvars[0].aval.size == 0:
            function = _nothing
        if eqn.primitive.name in gamma_draws.FUNCTIONS and not config.jax_threefry_partitionable:
            return None  # other counters, which native code does not know
        program = stage(lambda *xs: function(*xs, **eqn.params), [v.aval for v in eqn.invars])
        found = [v.aval.strip_weak_type() for v in program.jaxpr.outvars]
        if found != [v.aval.strip_weak_type() for v in eqn.outvars]:
            return None
        log_.note(eqn, "replaced by loops and arithmetic")
        return paste(program, eqn.invars, rule, writer)

    return rewrite(closed, rule, log_, _FUNCTIONS)
