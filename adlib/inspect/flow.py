"""A program with its numbers: every value with its tangent, its cotangent and their rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from adlib.core import Literal, Var
from adlib.core.array import as_value
from adlib.core.printer import variable_names
from adlib.inspect import rule_texts
from adlib.inspect.costs import bytes_read, bytes_written, flops
from adlib.inspect.evaluation import Execution, LocalRule, Step, run_forward, run_reverse
from adlib.inspect.graph import ValueRecord
from adlib.inspect.memory import live_bytes
from adlib.inspect.programs import (
    cotangent_seeds,
    output_names,
    step_ids,
    tangent_seeds,
    trace_program,
)
from adlib.inspect.summaries import ArraySummary, number_text, summarize, to_json, to_numpy
from adlib.inspect.texts import literal_text, shorten
from adlib.ops.constructors import add_any

VERSION = 1


@dataclass(frozen=True, slots=True)
class ContributionRecord:
    """What one consumer adds to a value's cotangent.

    Attributes:
      consumer: id of the consuming equation, or ``out_0``.
      operand: which of its operands the value is.
      rule: the local rule, e.g. ``cos(b)·c̄``; ``numbers`` the same with numbers, of scalars.
      cotangent: what it comes to.
      total: the sum with what came before it; None for the first.
    """

    consumer: str
    operand: int
    rule: str
    numbers: str
    cotangent: ArraySummary
    total: ArraySummary | None = None


@dataclass(frozen=True, slots=True)
class FlowValue:
    """A variable and what flows through it.

    Attributes:
      value: its name and type.
      primal, tangent, cotangent: summaries; None where it has no tangent or cotangent.
      contributions: its cotangent's parts, in the order of the reverse sweep; several where
        the value fans out.
      rule: the tangent's local rule, e.g. ``cos(b)·ḃ``; ``numbers`` the same with numbers.
    """

    value: ValueRecord
    primal: ArraySummary
    tangent: ArraySummary | None = None
    cotangent: ArraySummary | None = None
    contributions: tuple[ContributionRecord, ...] = ()
    rule: str = ""
    numbers: str = ""


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One equation.

    Attributes:
      id: stable name, e.g. ``mul_3``.
      primitive: its primitive's name.
      text: its right side, e.g. ``sin b``.
      source: the user's line, e.g. ``In[3]:2``; ``code`` is that line's text.
      operands: as they print.
      results: the values it defines.
      seconds: of its forward run; not compared between records.
      flops: arithmetic operations; None where not counted.
      bytes_read, bytes_written: of operands and results.
      bytes_live: held after it has run, residuals of the reverse sweep included.
      derivatives: of a function of real scalars, the derivative by each operand; None where
        the operand carries no tangent. Empty for equations of arrays.
    """

    id: str
    primitive: str
    text: str
    source: str
    code: str
    operands: tuple[str, ...]
    results: tuple[FlowValue, ...]
    flops: int | None
    bytes_read: int
    bytes_written: int
    bytes_live: int
    derivatives: tuple[float | None, ...] = ()
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class FlowOutput:
    """A result of the program: its name in the result's structure, and the operand it is."""

    id: str
    name: str
    operand: str
    primal: ArraySummary
    tangent: ArraySummary | None
    cotangent: ArraySummary | None


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """A run of a program: forward with tangents, and in reverse with cotangents.

    Attributes:
      inputs: (name in the function, its value) for each input.
      steps: the equations in program order.
      outputs: the results with the seeds of the reverse sweep.
      constants: the arrays that the function brings along; they have neither tangent nor
        cotangent.
      version: of this record's form.
    """

    inputs: tuple[tuple[str, FlowValue], ...]
    steps: tuple[FlowStep, ...]
    outputs: tuple[FlowOutput, ...]
    constants: tuple[FlowValue, ...] = ()
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """The record as dicts, lists, strings and numbers; NaN and infinities as strings."""
        return to_json(self)  # type: ignore[no-any-return]


def flow_record(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    *,
    tangent: Any = None,
    cotangent: Any = None,
) -> FlowRecord:
    """Run ``function(*args, **kwargs)`` forward and in reverse, and record every value.

    Args:
      function: any function that can be differentiated in reverse mode.
      tangent: like the only argument, or a tuple like the positional arguments; ones if None.
      cotangent: like the result; ones if None.

    Raises:
      TypeError, ValueError: for a tangent or cotangent of another structure or shape.
      NotImplementedError: where a derivative does not exist.
      Exception: what ``function`` raises, unchanged.

    >>> import adlib.numpy as jnp
    >>> record = flow_record(lambda x: jnp.sin(x) * x, (2.0,))
    >>> [(step.id, step.text, step.results[0].rule) for step in record.steps]
    [('sin_0', 'sin a', 'cos(a)·ȧ'), ('mul_0', 'b·a', 'a·ḃ + b·ȧ')]
    """
    program = trace_program(function, args, kwargs or {})
    done = run_forward(program, tangent_seeds(program, tangent))
    run_reverse(done, cotangent_seeds(program, cotangent))
    return _Recorder(done).record()


class _Recorder:
    def __init__(self, done: Execution) -> None:
        self.done = done
        self.program = done.program
        self.names = variable_names(done.program.closed.jaxpr)
        self.ids = step_ids(done.program)
        self.derivatives = [_local_derivatives(step) for step in done.steps]

    def record(self) -> FlowRecord:
        jaxpr = self.program.closed.jaxpr
        inputs = [
            (name, self.value(var))
            for name, var in zip(self.program.input_names, jaxpr.invars, strict=True)
        ]
        live = live_bytes(self.done)
        steps = [self.step(i, step, live[i]) for i, step in enumerate(self.done.steps)]
        constants = tuple(self.value(var) for var in jaxpr.constvars if var in self.names)
        return FlowRecord(tuple(inputs), tuple(steps), self.outputs(), constants)

    def outputs(self) -> tuple[FlowOutput, ...]:
        count, jaxpr = len(self.done.steps), self.program.closed.jaxpr
        outputs = []
        for i, (name, atom) in enumerate(
            zip(output_names(self.program), jaxpr.outvars, strict=True)
        ):
            seeds = self.done.contributions.get(atom, []) if isinstance(atom, Var) else []
            seed = next((ct for consumer, _, ct in seeds if consumer == count + i), None)
            primal = atom.array if isinstance(atom, Literal) else self.done.values[atom]
            tangent = self.done.tangents.get(atom) if isinstance(atom, Var) else None
            outputs.append(
                FlowOutput(
                    f"out_{i}",
                    name,
                    self.operand(atom),
                    summarize(primal),
                    _summary(tangent),
                    _summary(seed),
                )
            )
        return tuple(outputs)

    def operand(self, atom: Any) -> str:
        if isinstance(atom, Literal):
            return literal_text(atom).replace("-", "−").removesuffix(".0")
        return self.names.get(atom, "_")

    def step(self, number: int, step: Step, live: int) -> FlowStep:
        eqn = step.eqn
        operands = [self.operand(atom) for atom in eqn.invars]
        results = []
        for i, var in enumerate(eqn.outvars):
            rule, numbers = "", ""
            if step.rule is not None and step.tangents[i] is not None:
                rule, numbers = self.push(number, operands, self.names.get(var, "_"))
            results.append(self.value(var, rule, numbers))
        return FlowStep(
            id=self.ids[number],
            primitive=rule_texts.step_label(eqn),
            text=rule_texts.result_text(eqn, operands),
            source="" if eqn.source is None else eqn.source.summary(),
            code="" if eqn.source is None else shorten(eqn.source.text(), 80),
            operands=tuple(operands),
            results=tuple(results),
            flops=flops(eqn),
            bytes_read=bytes_read(eqn),
            bytes_written=bytes_written(eqn),
            bytes_live=live,
            derivatives=self.derivatives[number],
            seconds=step.seconds,
        )

    def value(self, var: Var, rule: str = "", numbers: str = "") -> FlowValue:
        contributions, total = [], None
        for consumer, port, ct in self.done.contributions.get(var, []):
            part = self.contribution(consumer, port, ct)
            total = ct if total is None else add_any(total, ct)
            if contributions:
                part = replace(part, total=summarize(total))
            contributions.append(part)
        return FlowValue(
            ValueRecord(self.names.get(var, "_"), var.aval.str_short()),
            summarize(self.done.values[var]),
            _summary(self.done.tangents.get(var)),
            _summary(self.done.cotangents.get(var)),
            tuple(contributions),
            rule,
            numbers,
        )

    def contribution(self, consumer: int, port: int, ct: Any) -> ContributionRecord:
        count = len(self.done.steps)
        if consumer >= count:
            return ContributionRecord(f"out_{consumer - count}", 0, "seed", "", summarize(ct))
        step = self.done.steps[consumer]
        operands = [self.operand(atom) for atom in step.eqn.invars]
        numbers = ""
        local = self.derivatives[consumer][port] if self.derivatives[consumer] else None
        if local is not None:
            (seed,) = step.cotangents
            partial = rule_texts.partial_text(step.eqn, port, operands, "r")
            numbers = _substituted(partial, local, seed)
        rule = rule_texts.pull_text(
            step.eqn, port, operands, self.names.get(step.eqn.outvars[0], "_")
        )
        return ContributionRecord(self.ids[consumer], port, rule, numbers, summarize(ct))

    def push(self, number: int, operands: Sequence[str], out: str) -> tuple[str, str]:
        """The rule of a result's tangent, and of scalars the same with numbers."""
        step = self.done.steps[number]
        tangents = [
            rule_texts.tangent_name(name) if t is not None else None
            for name, t in zip(operands, step.operand_tangents, strict=True)
        ]
        rule = rule_texts.push_text(step.eqn, operands, tangents, out)
        shares = []
        pairs = zip(self.derivatives[number], step.operand_tangents, strict=False)
        for port, (local, t) in enumerate(pairs):
            if local is not None and t is not None:
                partial = rule_texts.partial_text(step.eqn, port, operands, out)
                shares.append(_substituted(partial, local, t))
        return rule, " + ".join(shares)


def _summary(array: Any) -> ArraySummary | None:
    return None if array is None else summarize(array)


def _is_scalar_step(step: Step) -> bool:
    """Whether an equation is a function of real scalars, so that numbers say it all."""
    atoms = (*step.eqn.invars, *step.eqn.outvars)
    return (
        len(step.eqn.outvars) == 1
        and step.rule is not None
        and not any(atom.aval.shape for atom in atoms)
        and not any(atom.aval.dtype.kind == "c" for atom in atoms)
    )


def _local_derivatives(step: Step) -> tuple[float | None, ...]:
    """The derivative of a scalar equation by each operand: its rule applied to a one.

    The rule in reverse tells them all at once, and keeps them apart: pushing a one through one
    operand and zeros through the others would add zero times an infinite derivative.
    """
    if not _is_scalar_step(step):
        return ()
    rule: LocalRule = step.rule  # type: ignore[assignment]
    one = as_value(np.asarray(1.0, step.eqn.outvars[0].aval.dtype))
    pulled = zip(rule.pull(step.residuals, [one]), rule.active, strict=True)
    return tuple(
        None if not on else 0.0 if ct is None else float(to_numpy(ct)[()]) for ct, on in pulled
    )


def _substituted(partial: str, local: float, factor: Any) -> str:
    """``0.54·1``; the bare factor where the derivative is one."""
    number = number_text(float(to_numpy(factor)[()]))
    if partial == "1":
        return number
    text = number_text(local)
    return f"{_bracketed(text)}·{_bracketed(number)}"


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text
