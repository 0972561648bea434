"""Programs derived from a primitive's rules, for eager speed.

Running a rule means running Python code that applies further primitives one by one. When a
transformation meets a primitive on arguments of types that it has met before, the rule is
staged once into a program, which then runs as one operation: directly on ndarrays where
the transformation works on concrete values, as a ``call`` where it stands within another
one. The rules stay the only definition; what is kept here is their consequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.core import backend, evaluate, quiet
from adlib.core.array import ArrayImpl
from adlib.core.evaluate import EvalTrace
from adlib.core.jaxpr import ClosedJaxpr, eval_jaxpr
from adlib.core.primitive import Primitive
from adlib.core.program import program
from adlib.core.trace import Trace

_LIMIT = 10_000
_UNSEEN = object()


# A program as one operation. It exists between interpreters only: staging replaces it by
# its equations.
call_p = Primitive("call", multiple_results=True)
call_p.shape_rule = lambda *avals, jaxpr: jaxpr.out_avals
call_p.kernel_rule = lambda xp, jaxpr: program(jaxpr, xp)
call_p.inline = lambda *args, jaxpr: eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *args)


class Derived:
    """A program with what it takes to run it at once."""

    __slots__ = ("avals", "function", "info", "jaxpr", "places")

    def __init__(self, jaxpr: ClosedJaxpr, info: Any = None) -> None:
        self.jaxpr = jaxpr
        self.function = program(jaxpr, backend.cpu().xp)
        self.avals = jaxpr.out_avals
        self.info = info
        self.places: Any = None

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """Results for Arrays, under the current interpreter."""
        for x in arrays:
            if type(x) is not ArrayImpl:
                return call_p.bind(*arrays, jaxpr=self.jaxpr)  # type: ignore[no-any-return]
        values = [x._value for x in arrays]
        if backend.several:
            free = [x.free or not x.aval.shape for x in arrays]
            on, values = backend.place(values, free)
            outs = run(program(self.jaxpr, on.xp), values, self.avals)
            return [o.made_from_nothing() for o in outs] if all(free) else outs
        return run(self.function, values, self.avals)


def lookup(primitive: Primitive, key: Any, make: Callable[[], Any]) -> Any:
    """What was derived for ``key``, or None at its first sighting.

    Deriving costs more than running the rule once, so the first use runs the rule itself.
    """
    derived = primitive.derived
    try:
        found = derived.get(key, _UNSEEN)
    except TypeError:  # a parameter that cannot be hashed
        return None
    if found is _UNSEEN:
        if len(derived) > _LIMIT:
            derived.clear()
        derived[key] = None
        return None
    if found is None:
        found = derived[key] = make()
    return found


def usable() -> bool:
    """Whether derived programs may run: not while every result is to be inspected."""
    return not evaluate._watch[0]


def bare() -> bool:
    """Whether values may go from one derived program to the next as ndarrays: not where several
    devices are in use, since it is Arrays that know whether they may be moved."""
    return usable() and not backend.several


def eager(trace: Trace | None) -> bool:
    """Whether a chain of interpreters ends in the evaluator, and derived programs may run."""
    while trace is not None and trace.parent is not None:
        trace = trace.parent
    return type(trace) is EvalTrace and usable()


def run(function: Callable[..., Any], values: Sequence[Any], avals: Sequence[Any]) -> list[Any]:
    """Call a program with warnings off and wrap its results."""
    token = quiet.enter()
    try:
        outs = function(*values)
    finally:
        quiet.leave(token)
    return [ArrayImpl(o, aval) for o, aval in zip(outs, avals, strict=True)]
