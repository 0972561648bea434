"""Staging: run a function on types alone and write down what it does, as a jaxpr."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import errors
from adlib.base.source import SourceLocation, user_location
from adlib.core.array import Array, ArrayImpl
from adlib.core.avals import ShapedArray
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Literal, Var
from adlib.core.primitive import Primitive
from adlib.core.trace import Trace, Tracer, fresh


class StageTracer(Tracer):
    """A value of which only the type is known, standing for a variable of a jaxpr."""

    __slots__ = ("binding", "eqn")

    def __init__(self, trace: StageTrace, var: Var, eqn: Eqn | None) -> None:
        self._trace = trace
        self.aval = var.aval
        self.binding = var  # not "var", which is a method of arrays
        self.eqn = eqn

    def source(self) -> SourceLocation | None:
        return self.eqn.source if self.eqn is not None else None


class StageTrace(Trace):
    """Records every primitive as an equation."""

    __slots__ = ("constants", "constvars", "eqns", "invars", "location")

    def __init__(self, parent: Trace | None = None) -> None:
        super().__init__(parent)
        self.eqns: list[Eqn] = []
        self.invars: list[Var] = []
        self.constvars: dict[int, Var] = {}
        self.constants: list[Any] = []
        # where equations come from while a jaxpr is replayed: the location in that jaxpr
        self.location: SourceLocation | None = None

    def new_input(self, aval: ShapedArray) -> StageTracer:
        var = Var(aval)
        self.invars.append(var)
        return StageTracer(self, var, None)

    def atom(self, value: Array) -> Atom:
        """The variable or literal that stands for a value: own tracers, constants."""
        if isinstance(value, StageTracer) and value._trace is self:
            return value.binding
        if type(value) is ArrayImpl and not value.aval.shape:
            return Literal(value)
        if isinstance(value, Tracer) and not value._trace.alive:
            raise errors.leaked(value)
        var = self.constvars.get(id(value))
        if var is None:
            var = self.constvars[id(value)] = Var(value.aval)
            self.constants.append(value)  # kept, so that its id stays its own
        return var

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if primitive.inline is not None:
            out = primitive.inline(*args, **params)
            return out if primitive.multiple_results else out[0]
        if primitive.stage is not None:
            return primitive.stage(self, args, **params)
        outs = self.emit(primitive, args, params)
        return outs if primitive.multiple_results else outs[0]

    def emit(
        self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]
    ) -> list[StageTracer]:
        """Append one equation and return its results."""
        avals = primitive.abstract([a.aval for a in args], params)
        atoms = [self.atom(a) for a in args]
        outvars = [Var(aval) for aval in avals]
        eqn = Eqn(primitive, atoms, outvars, params, self.location or user_location(2))
        self.eqns.append(eqn)
        return [StageTracer(self, var, eqn) for var in outvars]

    def close(self, outs: Sequence[Array]) -> ClosedJaxpr:
        """The jaxpr of everything recorded, with results ``outs``."""
        outvars = [self.atom(o) for o in outs]
        jaxpr = Jaxpr(list(self.constvars.values()), self.invars, outvars, self.eqns)
        return ClosedJaxpr(jaxpr, self.constants)


def stage(function: Callable[..., Sequence[Array]], avals: Sequence[ShapedArray]) -> ClosedJaxpr:
    """The jaxpr of a function of flat arguments that returns a flat sequence of Arrays."""
    with fresh(StageTrace()) as trace:
        outs = function(*[trace.new_input(aval) for aval in avals])
        return trace.close(outs)  # type: ignore[no-any-return]


def single_equation(
    primitive: Primitive, avals: Sequence[ShapedArray], params: dict[str, Any]
) -> ClosedJaxpr:
    """The program that applies one primitive to arguments of the given types."""

    def apply(*args: Any) -> Any:
        out = primitive.bind(*args, **params)
        return out if primitive.multiple_results else [out]

    return stage(apply, avals)


def replay(
    jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any], trace: StageTrace
) -> list[Any]:
    """Evaluate a jaxpr under the current interpreter, keeping its equations' locations.

    ``trace`` is the stage at the bottom: equations it records meanwhile are said to come
    from the lines of the equations being replayed.
    """
    env: dict[Var, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    outer = trace.location
    try:
        for eqn in jaxpr.eqns:
            trace.location = eqn.source or outer
            values = [env[v] if type(v) is Var else v.array for v in eqn.invars]  # type: ignore[union-attr]
            out = eqn.primitive.bind(*values, **eqn.params)
            env.update(
                zip(eqn.outvars, out if eqn.primitive.multiple_results else [out], strict=True)
            )
    finally:
        trace.location = outer
    return [env[v] if type(v) is Var else v.array for v in jaxpr.outvars]  # type: ignore[union-attr]
