"""What a checkpoint at a chosen place costs and saves: put in, run, and recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adlib.control.checkpoint import checkpoint
from adlib.core import ClosedJaxpr, Eqn, Literal, Var
from adlib.core.printer import variable_names
from adlib.core.trace import state
from adlib.inspect.buffers import flat_equations, inside, with_open_checkpoints
from adlib.inspect.memory import MemoryRecord, program_memory
from adlib.inspect.programs import Program
from adlib.interpreters.stage import stage


def checkpoint_trial(program: Program, equations: int, segments: int = 1) -> MemoryRecord:
    """Record the program with ``adlib.checkpoint`` around its first equations.

    The program is cut there, traced anew with a checkpoint around each segment, and run; so
    the numbers are those of a program that the user writes with checkpoints.

    Args:
      program: as ``trace_program`` gives it.
      equations: how many equations stand inside of checkpoints, from the first on; those in a
        checkpoint of the program's own count one by one.
      segments: into how many checkpoints of the same length, one after the other, they go.

    Returns:
      A ``MemoryRecord`` without places of further checkpoints; its steps and its names are those
      of the program as it is.

    Raises:
      ValueError: if there are not so many equations, or fewer than segments, or if the cut
        falls into a checkpoint that is there already.

    >>> import adlib.numpy as jnp
    >>> from adlib.inspect.programs import trace_program
    >>> program = trace_program(lambda x: jnp.sin(jnp.sin(jnp.sin(x))), (jnp.ones(1000),), {})
    >>> [residual.name for residual in checkpoint_trial(program, 2).residuals if residual.extra]
    ['sin_2′']
    >>> trial = checkpoint_trial(program, 2)
    >>> trial.recomputed, trial.recomputed_flops
    (2, 2000)
    """
    program = replace(program, closed=with_open_checkpoints(program.closed))
    cuts = segment_sizes(program.closed, equations, segments)
    closed = with_checkpoints(program.closed, cuts)
    names = _names(program, closed)
    return program_memory(replace(program, closed=closed), names=names, places=False)


def checkpoint_ends(closed: ClosedJaxpr) -> list[int]:
    """How many equations a checkpoint from the first on can hold, in ascending order."""
    ends, total = [], 0
    for eqn in closed.eqns:
        inner = inside(eqn)
        total += 1 if inner is None else len(flat_equations(inner))
        ends.append(total)
    return ends


def part_count(closed: ClosedJaxpr, equations: int) -> int:
    """Into how many segments the first equations can be cut at the most; see
    ``checkpoint_trial``.
    """
    ends = checkpoint_ends(closed)
    most = ends[-1] if ends else 0
    if not 1 <= equations <= most:
        raise ValueError(
            f"a checkpoint can hold the first 1 to {most} equations of this program; "
            f"it was asked for {equations}."
        )
    if equations not in ends:
        raise ValueError(
            f"the first {equations} equations end inside of a checkpoint that the program has "
            f"already; choose one of {', '.join(map(str, ends))}."
        )
    return ends.index(equations) + 1


def segment_sizes(closed: ClosedJaxpr, equations: int, segments: int) -> list[int]:
    """How many of the program's equations each segment has; see ``checkpoint_trial``."""
    count = part_count(closed, equations)
    if not 1 <= segments <= count:
        raise ValueError(
            f"{count} equations can be cut into 1 to {count} segments; it was asked for {segments}."
        )
    borders = [round(count * i / segments) for i in range(segments + 1)]
    return [end - start for start, end in zip(borders[:-1], borders[1:], strict=True)]


def with_checkpoints(closed: ClosedJaxpr, sizes: Sequence[int]) -> ClosedJaxpr:
    """The program with a checkpoint around each segment, and the rest as it is."""
    jaxpr = closed.jaxpr

    def run(*values: Any) -> list[Any]:
        env = dict(zip(jaxpr.invars, values, strict=True))
        env.update(zip(jaxpr.constvars, closed.consts, strict=True))
        start = 0
        for size in sizes:
            eqns = jaxpr.eqns[start : start + size]
            start += size
            takes, gives = _ends(eqns, jaxpr.eqns[start:], jaxpr.outvars)
            outs = checkpoint(_of_segment(eqns, takes, gives))(*[env[v] for v in takes])
            env.update(zip(gives, outs, strict=True))
        _replay(jaxpr.eqns[start:], env)
        return [a.array if isinstance(a, Literal) else env[a] for a in jaxpr.outvars]

    return stage(run, [v.aval for v in jaxpr.invars])


def _of_segment(eqns: Sequence[Eqn], takes: Sequence[Var], gives: Sequence[Var]) -> Any:
    def segment(*values: Any) -> list[Any]:
        env: dict[Any, Any] = dict(zip(takes, values, strict=True))
        _replay(eqns, env)
        return [env[v] for v in gives]

    return segment


def _replay(eqns: Sequence[Eqn], env: dict[Any, Any]) -> None:
    """Apply equations to the values in ``env``, as coming from the lines they came from."""
    trace: Any = state.trace
    for eqn in eqns:
        trace.location = eqn.source
        operands = [a.array if isinstance(a, Literal) else env[a] for a in eqn.invars]
        out = eqn.primitive.bind(*operands, **eqn.params)
        outs = out if eqn.primitive.multiple_results else [out]
        env.update(zip(eqn.outvars, outs, strict=True))
    trace.location = None


def _ends(
    eqns: Sequence[Eqn], later: Sequence[Eqn], outputs: Sequence[Any]
) -> tuple[list[Var], list[Var]]:
    """What a segment reads that it does not make, and what it makes that is read later."""
    made = [v for eqn in eqns for v in eqn.outvars]
    inner = set(made)
    reads = [v for eqn in eqns for v in eqn.invars if isinstance(v, Var) and v not in inner]
    wanted = {v for eqn in later for v in eqn.invars if isinstance(v, Var)}
    wanted.update(v for v in outputs if isinstance(v, Var))
    return list(dict.fromkeys(reads)), [v for v in made if v in wanted]


def _names(program: Program, closed: ClosedJaxpr) -> dict[Any, str]:
    """Names of the new program's variables: those of the program it was made from."""
    before = program.closed.jaxpr
    given = {**variable_names(before), **dict(zip(before.invars, program.input_names, strict=True))}
    names: dict[Any, str] = dict(zip(closed.jaxpr.invars, program.input_names, strict=True))
    old, new = flat_equations(program.closed), flat_equations(closed)
    for one, other in zip(old, new, strict=True):
        for var, same in zip(one.outvars, other.outvars, strict=True):
            names[same] = given.get(var, "_")
    for eqn in closed.eqns:
        _name_ends(eqn, names)
    for var, const in zip(closed.jaxpr.constvars, closed.consts, strict=True):
        names[var] = next(
            (
                given.get(v, "_")
                for v, value in zip(before.constvars, program.closed.consts, strict=True)
                if value is const
            ),
            "_",
        )
    return names


def _name_ends(eqn: Eqn, names: dict[Any, str]) -> None:
    """A checkpoint's operands and results have the same names inside and outside."""
    inner = inside(eqn)
    if inner is None:
        return
    for atom, var in zip(eqn.invars, inner.jaxpr.invars, strict=True):
        names[var] = names.get(atom, "_")
    for inside_eqn in inner.eqns:
        _name_ends(inside_eqn, names)
    for var, atom in zip(eqn.outvars, inner.jaxpr.outvars, strict=True):
        names[var] = names.get(atom, "_")
