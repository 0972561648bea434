"""How a program becomes its derivative: each derived program, equation by equation, with origins.

The equations of the original program are given marks that travel as their source locations
through ``jvp_jaxpr``, ``partial_eval_jaxpr``, ``transpose_jaxpr`` and ``batch_jaxpr``; so every
derived equation is known to come from one of them. Variables keep their names from program to
program: ``ȧ`` is the tangent of ``a``, ``ā`` its cotangent, and ``t1``, ``t2``, … are values that
the original program does not have.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adlib.api.compilation import make_jaxpr
from adlib.base import tree
from adlib.base.source import SourceLocation
from adlib.core import ClosedJaxpr, Eqn, Jaxpr, Literal, dtypes
from adlib.core.array import as_value
from adlib.inspect import derivation_steps as steps
from adlib.inspect.arguments import argument_names
from adlib.inspect.equation_text import equation_text

VERSION = 1
KINDS = ("jvp", "linearize", "grad", "vmap", "jit")


@dataclass(frozen=True, slots=True)
class OriginRecord:
    """An equation of the original program: its stable name, ``mul_0``, and the user's line."""

    id: str
    source: str


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
    """

    step: int
    text: str
    type: str
    origin: int
    role: str


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """A program on the way to the derivative.

    Attributes:
      title: ``f``, ``jvp``, ``known``, ``unknown``, ``transpose``, ``vmap``, ``program``.
      note: what it computes, in a few words.
      upward: whether it runs through the original equations from the last to the first.
      inputs, outputs: variables, as in the equations.
      lines: the equations, in the order in which they run.
      constants: variables whose values belong to the program.
    """

    title: str
    note: str
    upward: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    lines: tuple[LineRecord, ...]
    constants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DerivationRecord:
    """A program and those that follow from it, in order.

    Attributes:
      kind: one of ``KINDS``.
      arguments: what the function calls the inputs of the first program.
      origins: the equations of the original program.
      programs: the original program first.
      version: of this record's form; it grows when a field changes its meaning.
    """

    kind: str
    arguments: tuple[str, ...]
    origins: tuple[OriginRecord, ...]
    programs: tuple[ProgramRecord, ...]
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
    closed, marks = _marked(_without_jit(closed))
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
    writer = _Writer(closed, marks)
    programs = [writer.program(s) for s in stages]
    if kind == "jit":
        programs.append(_executed(closed, marks))
    return DerivationRecord(kind, tuple(names), writer.origins, tuple(programs))


class _Writer:
    """Writes programs with one naming of their variables."""

    def __init__(self, closed: ClosedJaxpr, marks: dict[int, int]) -> None:
        self.marks = marks
        self.fresh = 0
        count: Counter[str] = Counter()
        origins = []
        for eqn in closed.eqns:
            name = eqn.primitive.name
            source = "" if eqn.source is None or eqn.source.line == 0 else eqn.source.summary()
            origins.append(OriginRecord(f"{name}_{count[name]}", source))
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

    def program(self, stage: steps.Stage) -> ProgramRecord:
        def text(atom: Any) -> str:
            if isinstance(atom, Literal):
                return f"{atom.val:g}" if atom.val.dtype.kind == "f" else str(atom.val)
            return self.name(atom, stage.meanings)

        jaxpr = stage.jaxpr
        typed = stage.title == "vmap"  # where the types are what changes
        inputs = tuple(
            f"{text(var)}:{stage.type(var)}" if typed else text(var) for var in jaxpr.invars
        )
        read = {v for eqn in jaxpr.eqns for v in eqn.invars if not isinstance(v, Literal)}
        constants = tuple(text(var) for var in jaxpr.constvars if var in read)
        lines = []
        for number, eqn in enumerate(jaxpr.eqns, 1):
            operands = [text(atom) for atom in eqn.invars]
            results = [text(var) for var in eqn.outvars]
            lines.append(
                LineRecord(
                    step=number,
                    text=equation_text(eqn, results, operands),
                    type=" ".join(stage.type(var) for var in eqn.outvars),
                    origin=self.marks.get(id(eqn.source), -1),
                    role=stage.role(eqn),
                )
            )
        outputs = tuple(text(atom) for atom in jaxpr.outvars)
        return ProgramRecord(
            stage.title, stage.note, stage.upward, inputs, outputs, tuple(lines), constants
        )


_MARKS = {"": "", "tangent": "\u0307", "cotangent": "\u0304"}


def _with_mark(name: str, mark: str) -> str:
    """``b`` as ``ḃ`` or ``b̄``; the cotangent belongs to the value, not to its tangent."""
    bare = unicodedata.normalize("NFD", name)
    if mark == "cotangent":
        bare = bare.replace(_MARKS["tangent"], "")
    return unicodedata.normalize("NFC", bare[:1] + _MARKS[mark] + bare[1:])


def _marked(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, dict[int, int]]:
    """The program with a location of its own for each equation, and which belongs to which."""
    marks: dict[int, int] = {}
    eqns: list[Eqn] = []
    for position, eqn in enumerate(closed.eqns):
        if eqn.source is None:
            source = SourceLocation(_marked.__code__, 0)
        else:
            source = SourceLocation(eqn.source._code, eqn.source.line)
        marks[id(source)] = position
        eqns.append(eqn.replace(source=source))
    inner = closed.jaxpr
    return ClosedJaxpr(
        Jaxpr(inner.constvars, inner.invars, inner.outvars, eqns), closed.consts
    ), marks


def _without_jit(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The program of a function that is nothing but a call of a jitted one."""
    while len(closed.eqns) == 1 and closed.eqns[0].primitive.name == "jit":
        (eqn,) = closed.eqns
        if list(eqn.invars) != closed.jaxpr.invars or list(eqn.outvars) != closed.jaxpr.outvars:
            break
        closed = eqn.params["jaxpr"]
    return closed


def _executed(closed: ClosedJaxpr, marks: dict[int, int]) -> ProgramRecord:
    """The straight-line function that runs when the program is jitted."""
    lines = [
        LineRecord(number, text, type_, marks.get(id(eqn.source), -1), "primal")
        for number, (eqn, text, type_) in enumerate(steps.executed_lines(closed), 1)
    ]
    inputs = tuple(f"arg{i}" for i in range(len(closed.jaxpr.invars)))
    note = "as it runs: unused equations gone, values freed"
    return ProgramRecord(
        "program", note, False, inputs, steps.executed_results(closed), tuple(lines)
    )


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
