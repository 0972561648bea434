"""What ``jit`` makes of a program: which equation became what, in which pass, and what is fused.

The equations of the program get locations of their own, those inside of calls and loops that of
the equation they are inside of. The compiler's passes hand locations on, so that each equation
of the optimised program is known to come from one of the program before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adlib.base.source import SourceLocation
from adlib.compile import steps as kinds
from adlib.compile.schedule import Schedule
from adlib.compile.simplify import Event, simplify_steps
from adlib.compile.simplify.rewriting import counted
from adlib.core import ClosedJaxpr, Eqn, Jaxpr

_MOST_NOTES = 40  # of one pass
_DEAD = "removed: nothing reads its result"


@dataclass(frozen=True, slots=True)
class FateRecord:
    """What became of an equation that left none in the optimised program.

    Attributes:
      origin: its position in the program as it was.
      text: ``"merged with sin_0"``.
    """

    origin: int
    text: str


@dataclass(frozen=True, slots=True)
class FusedRecord:
    """Equations of the optimised program that are computed together.

    Attributes:
      kind: ``loop``: one pass over memory; ``product``: a matrix product; ``control``: a native
        loop or branch; ``call``: a library's function; ``view``: nothing is computed.
      title: ``"one loop over 40 × 30"``.
      reason: why these and no others, in a sentence.
      steps: the equations, by step.
    """

    kind: str
    title: str
    reason: str
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PassRecord:
    """One pass of the compiler that changed something.

    Attributes:
      name: ``"merge common equations"``.
      summary: ``"9 → 8 equations: 1 merged"``.
      notes: what happened to which equation, in words.
    """

    name: str
    summary: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Optimisation:
    """An optimised program.

    Attributes:
      closed: the program, its variables those of the program before where they mean the same.
      origins: for each equation the position of the one that it comes from; -1 for none.
      rules: for each equation how it came about, in words.
      fates, groups, passes: see the records.
    """

    closed: ClosedJaxpr
    origins: list[int]
    rules: list[str]
    fates: tuple[FateRecord, ...]
    groups: tuple[FusedRecord, ...]
    passes: tuple[PassRecord, ...]


def optimisation(closed: ClosedJaxpr, names: Sequence[str]) -> Optimisation:
    """Run the compiler's passes and its scheduler, and keep what they say.

    ``names`` are those of the program's equations: ``sin_0``.
    """
    marked, marks = _marked(closed)
    first, *steps = simplify_steps(marked)
    final = steps[-1].closed if steps else first.closed
    story = _Story(marks, names)
    passes = []
    for step in steps:
        notes = [note for event in step.events if (note := story.tell(event))]
        passes.append(PassRecord(step.name, step.summary, _short(notes)))
    origins = [story.origin(eqn) for eqn in final.eqns]
    return Optimisation(
        final,
        origins,
        [story.rule(eqn) for eqn in final.eqns],
        tuple(
            FateRecord(position, story.fate(position))
            for position in range(len(names))
            if position not in origins
        ),
        _groups(final),
        tuple(passes),
    )


def _marked(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, dict[int, tuple[SourceLocation, int]]]:
    """The program with locations that tell its equations apart."""
    marks: dict[int, tuple[SourceLocation, int]] = {}

    def mark(eqn: Eqn, position: int) -> Eqn:
        code, line = _marked.__code__, 0
        if eqn.source is not None:
            code, line = eqn.source._code, eqn.source.line
        source = SourceLocation(code, line)
        marks[id(source)] = (source, position)
        return eqn.replace(source=source, params=inside(eqn, position))

    def inside(eqn: Eqn, position: int) -> dict[str, Any]:
        params = dict(eqn.params)
        for name in ("jaxpr", "call_jaxpr", "cond_jaxpr", "body_jaxpr", "branches", "solve"):
            value = params.get(name)
            if isinstance(value, ClosedJaxpr):
                params[name] = again(value, position)
            elif isinstance(value, tuple) and value and isinstance(value[0], ClosedJaxpr):
                params[name] = tuple([again(item, position) for item in value])
        return params

    def again(program: ClosedJaxpr, position: int | None) -> ClosedJaxpr:
        old = program.jaxpr
        eqns = [
            mark(eqn, number if position is None else position)
            for number, eqn in enumerate(old.eqns)
        ]
        return ClosedJaxpr(Jaxpr(old.constvars, old.invars, old.outvars, eqns), program.consts)

    return again(closed, None), marks


class _Story:
    """Gathers what the passes say about each equation."""

    def __init__(self, marks: dict[int, tuple[SourceLocation, int]], names: Sequence[str]) -> None:
        self.marks = marks
        self.names = names
        self.happened: dict[int, list[str]] = {}
        # of the equation that makes a variable: what is said of it, and what it stands for
        self.made: dict[Any, list[str]] = {}
        self.others: dict[Any, list[str]] = {}

    def origin(self, eqn: Eqn | None) -> int:
        source = None if eqn is None else eqn.source
        return self.marks[id(source)][1] if id(source) in self.marks else -1

    def tell(self, event: Event) -> str:
        """The event as a note, remembered for the equations it is about."""
        position, target = self.origin(event.eqn), self.origin(event.into)
        if position < 0:
            return ""
        what = event.what
        if what.startswith("merged"):
            what = f"merged with {self.names[target]}" if target >= 0 else "merged"
        self.happened.setdefault(position, []).append(what)
        for var in event.into.outvars if event.into is not None else ():
            if not event.what.startswith(("merged", "removed")):
                self.made.setdefault(var, []).append(what)
            elif position != target:
                self.others.setdefault(var, []).append(self.names[position])
        return f"{self.names[position]} {what}"

    def rule(self, eqn: Eqn) -> str:
        """How an equation of the optimised program came about."""
        words = [w for var in eqn.outvars for w in self.made.get(var, ())]
        position = self.origin(eqn)
        first = self.happened.get(position, [""])[0]
        if not words and first.startswith("replaced by"):
            words = [f"out of the program that {self.names[position]} calls"]
        others = list(dict.fromkeys(n for v in eqn.outvars for n in self.others.get(v, ())))
        if others:
            words.append(f"stands for {_listed(others)} too")
        return "; ".join(dict.fromkeys(words)) or "as it was"

    def fate(self, position: int) -> str:
        """Why nothing is left of an equation."""
        words = self.happened.get(position, [])
        telling = [w for w in words if w != _DEAD]
        if telling:
            return telling[-1]
        return words[-1] if words else "nothing is left of it"


def _listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])


def _short(notes: Sequence[str]) -> tuple[str, ...]:
    """Equal notes once, with their number, and not too many."""
    counts = Counter(notes)
    words = [note if n == 1 else f"{note} ({n} times)" for note, n in counts.items()]
    more = len(words) - _MOST_NOTES
    return tuple([*words[:_MOST_NOTES], *([f"… and {more} more"] if more > 0 else [])])


# ------------------------------------------------------------------------ fused groups


def _groups(closed: ClosedJaxpr) -> tuple[FusedRecord, ...]:
    """The compiler's schedule: what is computed together."""
    plan = Schedule(closed)
    place = {var: number for number, eqn in enumerate(closed.eqns, 1) for var in eqn.outvars}
    why = {var: text for eqn, text in plan.reasons for var in eqn.outvars}
    found = []
    for step in plan.steps:
        eqns = _equations(step, plan)
        numbers = sorted({place[v] for eqn in eqns for v in eqn.outvars if v in place})
        if not numbers:
            continue
        kind, title, reason = _described(step, eqns)
        told = why.get(eqns[0].outvars[0], "") if eqns[0].outvars else ""
        if told.startswith("not fused: "):
            reason = told.removeprefix("not fused: ")
        found.append(FusedRecord(kind, title, reason, tuple(numbers)))
    views = [place[v] for v, text in why.items() if text.startswith("fused: a view") and v in place]
    if views:
        reason = "broadcasts, transposes, slices: whoever reads them reads their operand instead"
        found.append(FusedRecord("view", "nothing to compute", reason, tuple(sorted(views))))
    return tuple(found)


def _equations(step: Any, plan: Schedule) -> list[Eqn]:
    """What a step computes."""
    if isinstance(step, (kinds.Group, kinds.Region)):
        return [eqn for group in kinds.groups_of(step) for eqn in group.eqns]
    if isinstance(step, kinds.Dot):  # a product may do what follows it, too
        parts: dict[str, list[Eqn]] = {}
        for eqn, text in plan.reasons:
            if text.startswith("fused: part of the product of step "):
                parts.setdefault(text, []).append(eqn)
        for followers in parts.values():
            if followers[-1].outvars == step.eqn.outvars:
                read = followers[0].invars
                made = [e for e in plan.jaxpr.eqns if e.primitive is step.eqn.primitive]
                return [*[e for e in made if e.outvars[0] in read][:1], *followers]
    return [step.eqn]


def _described(step: Any, eqns: Sequence[Eqn]) -> tuple[str, str, str]:
    """(kind, title, reason) of a step."""
    name = eqns[0].primitive.name
    if isinstance(step, kinds.Region):
        size = " × ".join(map(str, step.outer))
        count = counted(len(step.groups), "loop")
        reason = f"{count} take turns on a few rows at a time, which stay in the cache meanwhile"
        return "loop", f"{count} over blocks of {size} rows", reason
    if isinstance(step, kinds.Group):
        if not step.space:
            return "loop", "single numbers", "no loop: a few instructions one after the other"
        size = " × ".join(map(str, step.space))
        if len(eqns) == 1:
            return "loop", f"a loop over {size}", "nothing else goes over the same elements"
        number = counted(len(eqns), "equation")
        reason = f"{number} go over the same elements: one pass over memory does them all"
        return "loop", f"one loop over {size}", reason
    if isinstance(step, kinds.Dot):
        return "product", "a matrix product", "BLAS does large products best"
    if isinstance(step, kinds.Library):
        return "library", f"native code: {name}", "it has code of its own, called without Python"
    if isinstance(step, kinds.Control):
        return "control", f"a native {name}", "its programs are compiled with the rest"
    if isinstance(step, kinds.Call):
        return "call", f"a call: {name}", "it is computed by the array module"
    return "loop", f"native loops: {name}", "its result is put together part by part"
