"""How a program becomes its derivative: each derived program, equation by equation, with origins.

The equations of each program are given marks that travel as their source locations through
``jvp_jaxpr``, ``partial_eval_jaxpr``, ``transpose_jaxpr`` and ``batch_jaxpr``; so every derived
equation is known to come from one of the program before, and of the original one. Variables keep
their names from program to program: ``ȧ`` is the tangent of ``a``, ``ā`` its cotangent, and
``t1``, ``t2``, … are values that the original program does not have.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adlib.api.compilation import make_jaxpr
from adlib.api.input_names import argument_names
from adlib.base import tree
from adlib.core import ClosedJaxpr, Eqn, Literal, Var, dtypes
from adlib.core.array import as_value
from adlib.core.printer import variable_names
from adlib.inspect import derivation_rules as rules
from adlib.inspect import derivation_steps as steps
from adlib.inspect.derivation_rules import STAGES
from adlib.inspect.equation_text import equation_text
from adlib.inspect.optimisation import FateRecord, FusedRecord, PassRecord, optimisation
from adlib.inspect.texts import literal_text, nested_programs, program_title

VERSION = 2
_MOST_NESTED = 200  # equations of one program inside of an equation
KINDS = ("jvp", "linearize", "grad", "vmap", "jit")


@dataclass(frozen=True, slots=True)
class OriginRecord:
    """An equation of the original program: its stable name ``mul_0``, the user's line, its text."""

    id: str
    source: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class LineRecord:
    """An equation of one of the programs.

    Attributes:
      step: when it runs, counted from 1.
      text: the equation, ``c = a · b``.
      type: the types of its results, ``f32[3]``; under vmap with the batch axis marked,
        ``f32[⟨8⟩,3]``.
      origin: the position of the equation it comes from; -1 where there is none.
      role: ``primal``, ``tangent``, ``cotangent``, or ``sum`` where the cotangents of a value
        that is used several times are added.
      parent: (program, line) that it comes from: their positions; empty where there is none.
      rule: how it follows from that one, in a sentence; empty in the original program.
      nested: the programs inside of the equation (a loop's body, branches, called functions),
        with letters of their own.
    """

    step: int
    text: str
    type: str
    origin: int
    role: str
    parent: tuple[int, ...] = ()
    rule: str = ""
    nested: tuple[ProgramRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """A program on the way to the derivative.

    Attributes:
      title: ``f``, ``jvp``, ``known``, ``unknown``, ``transpose``, ``vmap``, ``optimised``.
      note: what it computes, in a few words.
      upward: whether it runs through the original equations from the last to the first.
      inputs, outputs: variables, as in the equations.
      lines: the equations, in the order in which they run.
      constants: variables whose values belong to the program.
      explanation: what it is for, in a sentence.
      fates: under jit, what became of the equations that left none in this program.
      groups: under jit, which equations are computed together, and why.
    """

    title: str
    note: str
    upward: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    lines: tuple[LineRecord, ...]
    constants: tuple[str, ...] = ()
    explanation: str = ""
    fates: tuple[FateRecord, ...] = ()
    groups: tuple[FusedRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class DerivationRecord:
    """A program and those that follow from it, in order.

    Attributes:
      kind: one of ``KINDS``.
      arguments: what the function calls the inputs of the first program.
      origins: the equations of the original program.
      programs: the original program first.
      passes: under jit, what each pass of the compiler did.
      version: of this record's form; it grows when a field changes its meaning.
    """

    kind: str
    arguments: tuple[str, ...]
    origins: tuple[OriginRecord, ...]
    programs: tuple[ProgramRecord, ...]
    passes: tuple[PassRecord, ...] = ()
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """The record as dicts, lists, strings and ints only."""
        return _with_lists(asdict(self))  # type: ignore[no-any-return]


def derivation_record(
    function: Callable[..., Any],
    kind: str,
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    *,
    argnums: int | Sequence[int] = 0,
) -> DerivationRecord:
    """Derive ``function`` step by step.

    Args:
      function: any function that adlib can trace.
      kind: ``"jvp"``, ``"linearize"``, ``"grad"``, ``"vmap"`` (every argument is mapped over
        its first axis) or ``"jit"``.
      args, kwargs: what to trace it with.
      argnums: the positional arguments to differentiate with respect to.

    Raises:
      ValueError: an unknown kind; for ``"vmap"``, arguments without a common first axis.
      TypeError: for ``"grad"``, a function that does not return a real scalar; for all
        derivatives, no argument of real or complex numbers.

    >>> import adlib.numpy as jnp
    >>> record = derivation_record(lambda x: jnp.sin(x) * x, "grad", (1.0,))
    >>> for program in record.programs:
    ...     print(f"{program.title:9} ", "; ".join(line.text for line in program.lines))
    f          b = sin a; c = b · a
    jvp        b = sin a; t1 = cos a; ḃ = ȧ · t1; c = b · a; t2 = ḃ · a; t3 = b · ȧ; ċ = t2 + t3
    known      b = sin a; t1 = cos a; c = b · a
    unknown    ḃ = ȧ · t1; t2 = ḃ · a; t3 = b · ȧ; ċ = t2 + t3
    transpose  t4 = b · c̄; b̄ = c̄ · a; t5 = b̄ · t1; ā = t4 + t5
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}; got {kind!r}.")
    kwargs = kwargs or {}
    size = 0
    if kind == "vmap":
        size = _common_size(args, kwargs)
        traced = tree.map(_first_example, (tuple(args), kwargs))
        closed = make_jaxpr(function)(*traced[0], **traced[1])
    else:
        closed = make_jaxpr(function)(*args, **kwargs)
    closed = _without_jit(closed)
    names = argument_names(function, args, kwargs)
    if kind == "vmap":
        stages = [steps.original(closed), steps.batched(closed, size)]
    elif kind == "jit":
        stages = [steps.original(closed)]
    else:
        active = _active(closed, args, argnums)
        if kind == "grad":
            _check_scalar(closed)
        stages = steps.derivatives(closed, active, kind)
    writer = _Writer(closed, stages)
    programs = [writer.program(position) for position in range(len(stages))]
    passes: tuple[PassRecord, ...] = ()
    if kind == "jit":
        optimised, passes = _optimised(closed, writer)
        programs.append(optimised)
    return DerivationRecord(kind, tuple(names), writer.origins, tuple(programs), passes)


class _Writer:
    """Writes programs with one naming of their variables."""

    def __init__(self, closed: ClosedJaxpr, stages: Sequence[steps.Stage]) -> None:
        self.stages = stages
        self.fresh = 0
        self.origin_of: dict[tuple[int, ...], int] = {}
        self._residuals: dict[int, set[str]] = {}
        self._moved: set[Any] | None = None
        self._linear: set[Any] | None = None
        count: Counter[str] = Counter()
        origins = []
        for eqn in closed.eqns:
            name = eqn.primitive.name
            known = eqn.source is not None and eqn.source.line != 0
            source = eqn.source.summary() if known and eqn.source else ""
            code = eqn.source.text() if known and eqn.source else ""
            origins.append(OriginRecord(f"{name}_{count[name]}", source, code))
            count[name] += 1
        self.origins = tuple(origins)
        self.names: dict[Any, str] = steps.original_names(closed.jaxpr)

    def name(self, var: Any, meanings: dict[Any, tuple[Any, str]]) -> str:
        """The variable's name: that of the value it means, with the mark for what it is of it."""
        if var not in self.names:
            meant, mark = meanings.get(var, (None, ""))
            if meant is None:
                self.fresh += 1
                self.names[var] = f"t{self.fresh}"
            else:
                self.names[var] = _with_mark(self.name(meant, meanings), mark)
        return self.names[var]

    def text(self, atom: Any, meanings: dict[Any, tuple[Any, str]]) -> str:
        """A variable's name, or a number."""
        if isinstance(atom, Literal):
            return f"{atom.val:g}" if atom.val.dtype.kind == "f" else str(atom.val)
        return self.name(atom, meanings)

    def equation(self, eqn: Eqn, stage: steps.Stage) -> str:
        operands = [self.text(atom, stage.meanings) for atom in eqn.invars]
        return equation_text(eqn, [self.name(v, stage.meanings) for v in eqn.outvars], operands)

    def program(self, position: int) -> ProgramRecord:
        stage = self.stages[position]
        jaxpr = stage.jaxpr
        typed = stage.title == "vmap"  # where the types are what changes

        def text(atom: Any) -> str:
            return self.text(atom, stage.meanings)

        inputs = tuple(
            f"{text(var)}:{stage.type(var)}" if typed else text(var) for var in jaxpr.invars
        )
        read = {v for eqn in jaxpr.eqns for v in eqn.invars if not isinstance(v, Literal)}
        constants = tuple(text(var) for var in jaxpr.constvars if var in read)
        lines = [self.line(position, number, eqn) for number, eqn in enumerate(jaxpr.eqns)]
        outputs = tuple(text(atom) for atom in jaxpr.outvars)
        told = STAGES.get(stage.title, "")
        return ProgramRecord(
            stage.title, stage.note, stage.upward, inputs, outputs, tuple(lines), constants, told
        )

    def line(self, position: int, number: int, eqn: Eqn) -> LineRecord:
        stage = self.stages[position]
        _, *parent = stage.parents.get(id(eqn.source), (None,))
        origin = number if position == 0 else self.origin_of.get(tuple(parent), -1)
        self.origin_of[position, number] = origin
        return LineRecord(
            step=number + 1,
            text=self.equation(eqn, stage),
            type=" ".join(stage.type(var) for var in eqn.outvars),
            origin=origin,
            role=stage.role(eqn),
            parent=tuple(parent),
            rule=self.rule(position, eqn, parent) if position else "",
            nested=nested_records(eqn),
        )

    def rule(self, position: int, eqn: Eqn, parent: Sequence[int]) -> str:
        """How the equation follows from its parent."""
        stage, meanings = self.stages[position], self.stages[position].meanings
        before = self.stages[parent[0]] if parent else None
        came = before.jaxpr.eqns[parent[1]] if before else None
        if stage.title == "vmap":
            batched = any(v in stage.batch_axes for v in eqn.outvars) or any(
                isinstance(v, Var) and v in stage.batch_axes for v in eqn.invars
            )
            return rules.vmap_rule(eqn, came, batched=batched)
        if stage.title == "jvp" and came is not None:
            return self.jvp_rule(eqn, came, stage)
        results = [self.name(v, meanings) for v in eqn.outvars]
        if stage.title == "known":
            read = self.residuals(position + 1)
            return rules.known_rule([name for name in results if name in read])
        if stage.title == "unknown":
            return rules.unknown_rule(eqn, self.fixed(eqn, stage))
        if stage.title == "transpose":
            assert before is not None or came is None
            text = "" if came is None or before is None else self.equation(came, before)
            fixed = [] if came is None or before is None else self.fixed(came, before)
            return rules.transpose_rule(eqn, came, text, fixed)
        return ""

    def residuals(self, position: int) -> set[str]:
        """The names of a program's inputs."""
        if position not in self._residuals:
            stage = self.stages[position]
            names = {self.name(v, stage.meanings) for v in stage.jaxpr.invars}
            self._residuals[position] = names
        return self._residuals[position]

    def jvp_rule(self, eqn: Eqn, came: Eqn, stage: steps.Stage) -> str:
        meanings = stage.meanings
        if self._moved is None:  # the values that have a tangent
            self._moved = {meant for meant, mark in meanings.values() if mark == "tangent"}
        moved = self._moved
        operands = [self.text(atom, {}) for atom in came.invars]
        tangents = [
            _with_mark(name, "tangent") if atom in moved else ""
            for name, atom in zip(operands, came.invars, strict=True)
        ]
        out = self.name(came.outvars[0], {}) if came.outvars else ""
        names = [*operands, *tangents, out, _with_mark(out, "tangent")]
        results = [self.name(v, meanings) for v in eqn.outvars]
        same = results == [self.name(v, {}) for v in came.outvars]
        return rules.jvp_rule(eqn, came, names, tangent=stage.role(eqn) == "tangent", same=same)

    def fixed(self, eqn: Eqn, stage: steps.Stage) -> list[str]:
        """The operands of a linear equation that carry no tangent."""
        if self._linear is None:  # what carries a tangent in the linear program
            first = len(stage.jaxpr.invars) - stage.linear_inputs
            self._linear = set(stage.jaxpr.invars[first:])
            self._linear.update(v for one in stage.jaxpr.eqns for v in one.outvars)
        tangent = self._linear
        return [
            self.text(atom, stage.meanings)
            for atom in eqn.invars
            if isinstance(atom, Literal) or atom not in tangent
        ]


def nested_records(eqn: Eqn) -> tuple[ProgramRecord, ...]:
    """The programs inside of an equation, and inside of theirs."""
    found = []
    for param, position, program in nested_programs(eqn.params):
        jaxpr = program.jaxpr if isinstance(program, ClosedJaxpr) else program
        names: dict[Any, str] = dict(variable_names(jaxpr))

        def text(atom: Any, names: dict[Any, str] = names) -> str:
            return literal_text(atom) if isinstance(atom, Literal) else names.get(atom, "_")

        lines = [
            LineRecord(
                number,
                equation_text(one, [text(v) for v in one.outvars], [text(v) for v in one.invars]),
                " ".join(v.aval.str_short() for v in one.outvars),
                -1,
                "primal",
                nested=nested_records(one),
            )
            for number, one in enumerate(jaxpr.eqns[:_MOST_NESTED], 1)
        ]
        more = len(jaxpr.eqns) - len(lines)
        found.append(
            ProgramRecord(
                program_title(eqn, param, position),
                f"the first {len(lines)} of {len(jaxpr.eqns)} equations" if more else "",
                False,
                tuple(text(v) for v in jaxpr.invars),
                tuple(text(v) for v in jaxpr.outvars),
                tuple(lines),
                tuple(text(v) for v in jaxpr.constvars),
            )
        )
    return tuple(found)


_MARKS = {"": "", "tangent": "\u0307", "cotangent": "\u0304"}
_DOT_BESIDE = "\u02d9"  # i and j have a dot already, which a second one would hide


def _with_mark(name: str, mark: str) -> str:
    """``b`` as ``ḃ`` or ``b̄``; the cotangent belongs to the value, not to its tangent."""
    bare = unicodedata.normalize("NFD", name)
    if mark == "cotangent":
        bare = bare.replace(_MARKS["tangent"], "").replace(_DOT_BESIDE, "")
    sign = _DOT_BESIDE if mark == "tangent" and bare[0] in "ij" else _MARKS[mark]
    return unicodedata.normalize("NFC", bare[:1] + sign + bare[1:])


def _without_jit(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The program of a function that is nothing but a call of a jitted one."""
    while len(closed.eqns) == 1 and closed.eqns[0].primitive.name == "jit":
        (eqn,) = closed.eqns
        if list(eqn.invars) != closed.jaxpr.invars or list(eqn.outvars) != closed.jaxpr.outvars:
            break
        closed = eqn.params["jaxpr"]
    return closed


def _optimised(
    closed: ClosedJaxpr, writer: _Writer
) -> tuple[ProgramRecord, tuple[PassRecord, ...]]:
    """What jit compiles: the program after the compiler's passes."""
    found = optimisation(closed, [origin.id for origin in writer.origins])
    jaxpr = found.closed.jaxpr
    stage = steps.Stage("optimised", "what jit compiles", jaxpr)
    lines = [
        LineRecord(
            step=number,
            text=writer.equation(eqn, stage),
            type=" ".join(v.aval.str_short() for v in eqn.outvars),
            origin=origin,
            role="primal",
            parent=(0, origin) if origin >= 0 else (),
            rule=rule,
            nested=nested_records(eqn),
        )
        for number, (eqn, origin, rule) in enumerate(
            zip(jaxpr.eqns, found.origins, found.rules, strict=True), 1
        )
    ]

    def text(atom: Any) -> str:
        return writer.text(atom, {})

    program = ProgramRecord(
        stage.title,
        stage.note,
        False,
        tuple(text(var) for var in jaxpr.invars),
        tuple(text(atom) for atom in jaxpr.outvars),
        tuple(lines),
        tuple(text(var) for var in jaxpr.constvars),
        STAGES[stage.title],
        found.fates,
        found.groups,
    )
    return program, found.passes


# ------------------------------------------------------------------------------ checks


def _first_example(leaf: Any) -> Any:
    value: Any = as_value(leaf)
    return value[0]


def _active(closed: ClosedJaxpr, args: Sequence[Any], argnums: int | Sequence[int]) -> list[bool]:
    """Which inputs get tangents: the leaves of real or complex numbers of the arguments chosen."""
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    wrong = [p for p in positions if not -len(args) <= p < len(args)]
    if wrong:
        raise ValueError(
            f"argnums asks for argument {wrong[0]}, but the function was called with "
            f"{len(args)} positional arguments; argnums counts them from 0."
        )
    chosen = {p % len(args) for p in positions}
    mask = [k in chosen for k, arg in enumerate(args) for _ in tree.leaves(arg)]
    mask += [False] * (len(closed.in_avals) - len(mask))
    active = [
        m and dtypes.kind(aval.dtype) in "fc" for m, aval in zip(mask, closed.in_avals, strict=True)
    ]
    if not any(active):
        raise TypeError(
            "none of the arguments chosen by argnums holds real or complex numbers, so there is "
            "nothing to differentiate with respect to; pass floats (3.0 instead of 3)."
        )
    return active


def _check_scalar(closed: ClosedJaxpr) -> None:
    outs = closed.out_avals
    if len(outs) != 1 or outs[0].shape or dtypes.kind(outs[0].dtype) != "f":
        given = ", ".join(aval.str_short() for aval in outs) or "nothing"
        raise TypeError(
            f"the gradient of a function that returns {given} is not defined: it has to return one "
            'real scalar. Sum the result up, or look at "linearize", which takes any.'
        )


def _common_size(args: Sequence[Any], kwargs: dict[str, Any]) -> int:
    shapes = [as_value(leaf).aval.shape for leaf in tree.leaves((tuple(args), kwargs))]
    sizes = {shape[0] if shape else None for shape in shapes}
    if len(sizes) != 1 or not min(size or 0 for size in sizes):
        raise ValueError(
            '"vmap" maps every argument over its first axis, so all need one of the same size, '
            f"of 1 at least; the shapes are {', '.join(map(str, shapes)) or 'none'}."
        )
    return next(iter(sizes))  # type: ignore[return-value]


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_with_lists(item) for item in value]
    return value
