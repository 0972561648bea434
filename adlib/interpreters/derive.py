"""Programs derived from a primitive's rules, for eager speed.

Running a rule means running Python code that applies further primitives one by one. When a
transformation meets a primitive on concrete arguments of types that it has met before, the
rule is staged once into a program, which then runs as one function of ndarrays. The rules
stay the only definition; what is kept here is their consequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.core import backend, evaluate, quiet
from adlib.core.array import ArrayImpl
from adlib.core.avals import Zero
from adlib.core.primitive import Primitive
from adlib.core.program import program

_LIMIT = 10_000
_UNSEEN = object()

# Filled in by the interpreters: (primitive, avals, nonzero, params) -> (jaxpr, out mask)
jvp_program: Callable[..., Any]


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
    return not (evaluate._watch[0] or backend.several)


def run_jvp(
    primitive: Primitive, primals: list[Any], tangents: list[Any], params: dict[str, Any]
) -> tuple[Any, Any] | None:
    """Apply the derived pushforward to concrete values; None where there is none."""
    for x in primals:
        if type(x) is not ArrayImpl:
            return None
    values = [p._value for p in primals]
    for t in tangents:
        if t is not None:
            if type(t) is not ArrayImpl:
                return None
            values.append(t._value)
    nonzero = tuple([t is not None for t in tangents])
    avals = tuple([p.aval for p in primals])
    key = ("jvp", nonzero, avals, *params.items()) if params else ("jvp", nonzero, avals)

    def make() -> Any:
        jaxpr, mask = jvp_program(primitive, avals, nonzero, params)
        return program(jaxpr, backend.default().xp), jaxpr.out_avals, mask

    entry = lookup(primitive, key, make) if usable() else None
    if entry is None:
        return None
    function, out_avals, mask = entry
    outs = run(function, values, out_avals)
    count = len(mask)
    rest = iter(outs[count:])
    out_tangents = [
        next(rest) if nz else Zero(aval.to_tangent_aval())
        for nz, aval in zip(mask, out_avals[:count], strict=True)
    ]
    if primitive.multiple_results:
        return outs[:count], out_tangents
    return outs[0], out_tangents[0]


def run(function: Callable[..., Any], values: Sequence[Any], avals: Sequence[Any]) -> list[Any]:
    """Call a program with warnings off and wrap its results."""
    token = quiet.enter()
    try:
        outs = function(*values)
    finally:
        quiet.leave(token)
    return [ArrayImpl(o, aval) for o, aval in zip(outs, avals, strict=True)]
