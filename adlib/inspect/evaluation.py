"""Runs a program equation by equation, forward and in reverse, and keeps what passes by.

Each equation is differentiated by the engine's own three steps: its pushforward, split into
what depends on primals alone (its results and residuals) and a linear part, which is then
transposed. So what is recorded is what reverse mode computes and stores, nothing estimated.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adlib.core import ClosedJaxpr, Eqn, Literal, Var
from adlib.core.jaxpr import eval_jaxpr
from adlib.inspect.programs import Program
from adlib.inspect.progress import progress
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.linearize import partial_eval_jaxpr
from adlib.interpreters.stage import single_equation
from adlib.interpreters.transpose import transpose_jaxpr
from adlib.ops.constructors import add_any

_RETIMED_BELOW = 1e-3  # seconds: the first run of a short equation also prepares its kernel


class LocalRule:
    """The derivative of one equation, as the engine's rules give it.

    Attributes:
      active: which operands carry a tangent.
      has_tangent: which results have one.
      known: program of the operands that gives the results and then the residuals.
      linear: program of residuals and operand tangents that gives the results' tangents.
      residuals: how many residuals there are.
    """

    def __init__(self, eqn: Eqn, active: tuple[bool, ...]) -> None:
        avals = [atom.aval for atom in eqn.invars]
        pushed, mask = jvp_jaxpr(single_equation(eqn.primitive, avals, eqn.params), active)
        count = len(mask)
        unknown = [False] * len(avals) + [True] * sum(active)
        split = partial_eval_jaxpr(pushed, unknown, [False] * count + [True] * sum(mask))
        self.active = active
        self.has_tangent = tuple(mask)
        self.known: ClosedJaxpr = split.known
        self.linear: ClosedJaxpr = split.unknown
        self.residuals = split.residuals

    def push(self, residuals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """A tangent or None for each result, from those of the active operands."""
        outs = iter(_run(self.linear, *residuals, *tangents))
        return [next(outs) if has else None for has in self.has_tangent]

    def pull(self, residuals: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """A cotangent or None for each operand, from one or None for each result."""
        kept = [ct for ct, has in zip(cotangents, self.has_tangent, strict=True) if has]
        nonzero = [ct is not None for ct in kept]
        if not any(nonzero):
            return [None] * len(self.active)
        linear = [False] * self.residuals + [True] * sum(self.active)
        transposed, mask = transpose_jaxpr(self.linear, linear, nonzero)
        outs = iter(_run(transposed, *residuals, *[ct for ct in kept if ct is not None]))
        found = iter([next(outs) if m else None for m in mask])
        return [next(found) if active else None for active in self.active]


def _run(closed: ClosedJaxpr, *args: Any) -> list[Any]:
    return eval_jaxpr(closed.jaxpr, closed.consts, *args)


@dataclass
class Step:
    """One equation that was run.

    Attributes:
      rule: its derivative; None where no operand or no result has a tangent.
      operands, results: values.
      residuals: what its reverse step needs.
      tangents, cotangents: one or None per result.
      given: the cotangent that it hands to each operand, or None.
      seconds: of its forward run.
    """

    eqn: Eqn
    rule: LocalRule | None
    operands: list[Any]
    results: list[Any]
    residuals: list[Any]
    operand_tangents: list[Any] = field(default_factory=list)
    tangents: list[Any] = field(default_factory=list)
    cotangents: list[Any] = field(default_factory=list)
    given: list[Any] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Execution:
    """Everything that passed by while a program ran.

    Attributes:
      values, tangents, cotangents: by variable; the last two lack what has none.
      contributions: for each variable, in the order of the reverse sweep, the position of the
        consuming equation (or the number of equations plus the output's position), the
        operand's position, and the cotangent that came from there.
    """

    program: Program
    steps: list[Step] = field(default_factory=list)
    values: dict[Var, Any] = field(default_factory=dict)
    tangents: dict[Var, Any] = field(default_factory=dict)
    cotangents: dict[Var, Any] = field(default_factory=dict)
    contributions: dict[Var, list[tuple[int, int, Any]]] = field(default_factory=dict)


def run_forward(
    program: Program,
    tangents: Sequence[Any] | None = None,
    *,
    differentiate: bool = True,
    active: Sequence[bool] | None = None,
) -> Execution:
    """Run the primal program, and push tangents along with it.

    Args:
      tangents: one or None per input; None to push nothing.
      differentiate: whether to make each equation's derivative; needed for tangents and for
        ``run_reverse``.
      active: which inputs to differentiate by; None for all that have tangents.

    Raises:
      NotImplementedError: where an equation has no derivative.
    """
    done = Execution(program)
    jaxpr = program.closed.jaxpr
    done.values.update(zip(jaxpr.constvars, program.closed.consts, strict=True))
    done.values.update(zip(jaxpr.invars, program.values, strict=True))
    pushed = tangents is not None
    carrying: set[Var] = set()
    if differentiate:
        chosen = active or [True] * len(jaxpr.invars)
        pairs = zip(jaxpr.invars, chosen, strict=True)
        carrying = {v for v, on in pairs if on and v.aval.to_tangent_aval() is v.aval}
    if tangents is not None:
        given = zip(jaxpr.invars, tangents, strict=True)
        done.tangents.update((var, t) for var, t in given if t is not None)
    rules: dict[Any, LocalRule] = {}
    for eqn in progress(jaxpr.eqns, "equations, forward"):
        mask = tuple(isinstance(v, Var) and v in carrying for v in eqn.invars)
        rule = None
        if any(mask) and not eqn.has_effect:
            rule = _cached_rule(rules, eqn, mask)
            if not any(rule.has_tangent):
                rule = None
        step = _run_step(done, eqn, rule, pushed)
        done.steps.append(step)
        if rule is not None:
            carrying.update(v for v, has in zip(eqn.outvars, rule.has_tangent, strict=True) if has)
    return done


def _cached_rule(rules: dict[Any, LocalRule], eqn: Eqn, mask: tuple[bool, ...]) -> LocalRule:
    """One rule for all equations of the same primitive, types and parameters."""
    key = (eqn.primitive, mask, *[v.aval for v in eqn.invars], *eqn.params.items())
    try:
        found = rules.get(key)
    except TypeError:  # a parameter that cannot be hashed
        return LocalRule(eqn, mask)
    if found is None:
        found = rules[key] = LocalRule(eqn, mask)
    return found


def _run_step(done: Execution, eqn: Eqn, rule: LocalRule | None, pushed: bool) -> Step:
    operands = [value_of(done, atom) for atom in eqn.invars]
    results, seconds = _timed(eqn, operands)
    residuals: list[Any] = []
    if rule is not None:
        outs = _run(rule.known, *operands)
        results, residuals = outs[: len(eqn.outvars)], outs[len(eqn.outvars) :]
    done.values.update(zip(eqn.outvars, results, strict=True))
    step = Step(eqn, rule, operands, results, residuals, seconds=seconds)
    step.tangents = [None] * len(results)
    step.cotangents = [None] * len(results)
    step.given = [None] * len(operands)
    step.operand_tangents = [
        done.tangents.get(v) if isinstance(v, Var) else None for v in eqn.invars
    ]
    if rule is not None and pushed:
        given = [t for t, on in zip(step.operand_tangents, rule.active, strict=True) if on]
        step.tangents = rule.push(residuals, given)
        pairs = zip(eqn.outvars, step.tangents, strict=True)
        done.tangents.update((var, t) for var, t in pairs if t is not None)
    return step


def _timed(eqn: Eqn, operands: list[Any]) -> tuple[list[Any], float]:
    results, seconds = _timed_once(eqn, operands)
    if seconds < _RETIMED_BELOW and not eqn.has_effect:
        results, again = _timed_once(eqn, operands)
        seconds = min(seconds, again)
    return results, seconds


def _timed_once(eqn: Eqn, operands: list[Any]) -> tuple[list[Any], float]:
    start = time.perf_counter()
    out = eqn.primitive.bind(*operands, **eqn.params)
    for result in out if eqn.primitive.multiple_results else [out]:
        result.block_until_ready()
    seconds = time.perf_counter() - start
    return (list(out) if eqn.primitive.multiple_results else [out]), seconds


def value_of(done: Execution, atom: Any) -> Any:
    """The value of a variable or a literal."""
    return atom.array if isinstance(atom, Literal) else done.values[atom]


def run_reverse(done: Execution, cotangents: Sequence[Any]) -> None:
    """Pull cotangents of the results back through a program that has run forward.

    Args:
      cotangents: one or None per output.

    Raises:
      NotImplementedError: where an equation's derivative has no transpose.
    """
    jaxpr = done.program.closed.jaxpr
    count = len(done.steps)
    for i, (atom, ct) in enumerate(zip(jaxpr.outvars, cotangents, strict=True)):
        if isinstance(atom, Var) and ct is not None:
            _give(done, atom, count + i, 0, ct)
    for number in progress(range(count - 1, -1, -1), "equations, in reverse"):
        step = done.steps[number]
        step.cotangents = [done.cotangents.get(var) for var in step.eqn.outvars]
        if step.rule is None or all(ct is None for ct in step.cotangents):
            continue
        step.given = step.rule.pull(step.residuals, step.cotangents)
        for port, (atom, ct) in enumerate(zip(step.eqn.invars, step.given, strict=True)):
            if ct is not None and isinstance(atom, Var):
                _give(done, atom, number, port, ct)


def _give(done: Execution, var: Var, consumer: int, port: int, ct: Any) -> None:
    """Add a cotangent to a variable's: where a value fans out, its cotangents add up."""
    done.contributions.setdefault(var, []).append((consumer, port, ct))
    before = done.cotangents.get(var)
    done.cotangents[var] = ct if before is None else add_any(before, ct)
