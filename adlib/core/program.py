"""The reference executor: a jaxpr as one straight-line Python function of ndarrays.

Each equation becomes one assignment that calls a ready kernel; a value is deleted after
its last use. The function is generated once for each jaxpr and array module and kept with
the jaxpr. It is the reference that compilers are tested against, and their fallback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.core import backend, quiet
from adlib.core.array import ArrayImpl
from adlib.core.jaxpr import ClosedJaxpr, Literal, Var, dead_code_eliminated, last_uses

Program = Callable[..., tuple[Any, ...]]
Compile = Callable[[ClosedJaxpr, Any], Program]  # of a jaxpr, for an array module


def program(closed: ClosedJaxpr, xp: Any) -> Program:
    """The function ``(*ndarrays) -> tuple of ndarrays`` that a closed jaxpr stands for.

    Constants must be concrete arrays. Floating-point warnings are the caller's business
    (see ``quiet``).
    """
    return closed.cached(("program", xp), lambda: _generate(closed, xp))  # type: ignore[no-any-return]


def source_code(closed: ClosedJaxpr, xp: Any) -> str:
    """The text of the function that ``program`` runs, for reading."""
    return _write(closed, xp)[0]


def _generate(closed: ClosedJaxpr, xp: Any) -> Program:
    text, names = _write(closed, xp)
    exec(compile(text, "<adlib program>", "exec"), names)
    return names["program"]  # type: ignore[no-any-return]


def _write(closed: ClosedJaxpr, xp: Any) -> tuple[str, dict[str, Any]]:
    jaxpr = dead_code_eliminated(closed.jaxpr)
    namespace: dict[str, Any] = {}
    name: dict[Var, str] = {}
    for i, (var, const) in enumerate(zip(jaxpr.constvars, closed.consts, strict=True)):
        name[var] = f"const{i}"
        namespace[name[var]] = _constant(const._value, xp)
    for i, var in enumerate(jaxpr.invars):
        name[var] = f"arg{i}"

    def operand(atom: Any) -> str:
        if type(atom) is Var:
            return name[atom]
        key = f"lit{len(namespace)}"
        namespace[key] = _literal_value(atom, xp)
        return key

    lines = [f"def program({', '.join(name[v] for v in jaxpr.invars)}):"]
    last = last_uses(jaxpr)
    for i, eqn in enumerate(jaxpr.eqns):
        operands = [operand(v) for v in eqn.invars]
        for j, var in enumerate(eqn.outvars):
            name[var] = f"v{i}" if len(eqn.outvars) == 1 else f"v{i}_{j}"
        targets = ", ".join(name[v] for v in eqn.outvars)
        if eqn.primitive.multiple_results:
            targets = f"[{targets}]" if eqn.outvars else "_"
        if eqn.primitive.infix is not None:
            call = f"{operands[0]} {eqn.primitive.infix} {operands[1]}"
        else:
            key = f"k{i}_{_identifier(eqn.primitive.name)}"
            namespace[key] = eqn.primitive.kernel(xp, eqn.params)
            call = f"{key}({', '.join(operands)})"
        lines.append(f"    {targets} = {call}")
        dead = [name[v] for v in last[i] if not name[v].startswith("const")]
        if dead:
            lines.append(f"    del {', '.join(dead)}")
    outs = "".join(f"{operand(v)}, " for v in jaxpr.outvars)
    lines.append(f"    return ({outs})")
    return "\n".join(lines) + "\n", namespace


def _constant(value: Any, xp: Any) -> Any:
    """A constant where the program runs: it moves there once, with the program."""
    on = backend.of_module(xp)
    return value if type(value) is on.ndarray else on.bring(value)


def _literal_value(literal: Literal, xp: Any) -> Any:
    value = literal.array._value
    # a NumPy scalar: arithmetic with it is faster than with an array of rank 0
    return value[()] if xp is backend.cpu().xp else _constant(value, xp)


def _identifier(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


def run(closed: ClosedJaxpr, arrays: Sequence[ArrayImpl]) -> list[ArrayImpl]:
    """Run a closed jaxpr on concrete Arrays, with floating-point warnings off."""
    free = [a.free or not a.aval.shape for a in arrays] if backend.several else [False]
    on, values = backend.place([a._value for a in arrays], free)
    function = program(closed, on.xp)
    token = quiet.enter()
    try:
        outs = function(*values)
    finally:
        quiet.leave(token)
    results = [ArrayImpl(o, aval) for o, aval in zip(outs, closed.out_avals, strict=True)]
    return [r.made_from_nothing() for r in results] if all(free) else results
