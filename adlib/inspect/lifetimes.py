"""When each buffer of reverse mode is made and last read, moment by moment.

A program runs forward, then its equations' reverse steps run from the last to the first. What
stands inside of a checkpoint runs forward twice: without keeping anything, and again just
before its own reverse steps. Each of these runs of an equation is a moment; a buffer lives
from the moment that makes it to the last one that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

from adlib.core import Var
from adlib.inspect.buffers import (
    Facts,
    Memory,
    facts_of,
    free_memory,
    memory_of,
    owner_of,
    program_of,
)
from adlib.inspect.evaluation import Execution, run_forward, run_reverse, value_of
from adlib.inspect.rule_texts import cotangent_name


@dataclass(slots=True)
class Buffer:
    """A piece of memory; views of it are the same buffer.

    Attributes:
      size: bytes.
      made, last: the first and the last moment at which it is there.
      value: the Array whose memory it is (kept, so that its identity stays its own).
      name: of the variable; of hidden ones the equation's, with a prime.
      role: ``argument``, ``constant``, ``value``, ``remade`` (by a checkpoint's second run) or
        ``cotangent``.
      step: equation that makes it, by its position; -1 for arguments and constants.
      hidden: whether only a derivative makes it (``cos x`` for ``sin``).
      kept: whether the caller keeps it (arguments, constants, results).
      last_forward: the last moment at which the program itself reads it.
      needed: equations whose reverse steps read it.
    """

    size: int
    made: int
    value: Any
    name: str
    role: str
    step: int
    hidden: bool = False
    kept: bool = False
    last: int = -1
    last_forward: int = -1
    needed: set[int] = field(default_factory=set)


class Moment(NamedTuple):
    """One run of one equation: its position, and ``forward``, ``again`` or ``reverse``."""

    step: int
    sweep: str


class Timeline:
    """The moments of a differentiated program, and its buffers.

    Args:
      done: the program, run forward and in reverse.
      names: of variables, and ids of the equations by position.
      facts: of the run, where they are known already.
      parts: how many equations each of some supposed checkpoints holds, from the program's
        first equation on; the rest is outside of them.

    Attributes:
      moments: forward, then in reverse.
      buffers: in the order in which they are made.
      forward_end: how many moments the program itself takes.
    """

    def __init__(
        self,
        done: Execution,
        names: Mapping[Any, str],
        ids: Sequence[str],
        *,
        facts: Sequence[Facts] | None = None,
        parts: Sequence[int] = (),
    ) -> None:
        self.names, self.ids = names, ids
        self.moments: list[Moment] = []
        self.buffers: list[Buffer] = []
        self._found: dict[int, Buffer] = {}
        self._alive: list[Any] = []  # what identities were taken from
        self._labels: set[tuple[str, str]] = set()
        # cotangents that a supposed checkpoint makes of what it reads from outside
        self._own: dict[Any, Buffer | None] = {}
        self._run(done, facts_of(done) if facts is None else facts, parts)

    def profile(self, buffers: Iterable[Buffer] | None = None) -> list[int]:
        """Bytes live at each moment, of all or of some buffers."""
        chosen = self.buffers if buffers is None else buffers
        return _summed(((b.made, b.last, b.size) for b in chosen), len(self.moments))

    def primal_profile(self) -> list[int]:
        """Bytes live at each moment if the program is only evaluated."""
        end = self.forward_end
        spans = (
            (b.made, end - 1 if b.kept else max(b.last_forward, b.made), b.size)
            for b in self.buffers
            if b.made < end and not b.hidden and b.role != "cotangent"
        )
        return _summed(spans, end)

    # ------------------------------------------------------------------ the run

    def _run(self, done: Execution, facts: Sequence[Facts], parts: Sequence[int]) -> None:
        jaxpr = done.program.closed.jaxpr
        for role, variables in (("constant", jaxpr.constvars), ("argument", jaxpr.invars)):
            for var in variables:
                self._make(memory_of(done.values[var], var), 0, role, -1).kept = True
        groups: list[tuple[Sequence[Facts], int, bool]] = []
        first, flat = 0, 0
        for count in (*parts, len(facts) - sum(parts)):
            part = facts[first : first + count]
            grouped = len(groups) < len(parts)
            groups.append((part, flat, grouped))
            flat = self._forward(part, flat, keep=not grouped)
            first += count
        self.forward_end = len(self.moments)
        for atom in jaxpr.outvars:
            if isinstance(atom, Var):
                result = memory_of(done.values[atom], atom)
                self._make(result, max(self.forward_end - 1, 0), "value").kept = True
                if atom in done.cotangents:
                    self._cotangent(done, atom, self.forward_end)
        for part, start, grouped in reversed(groups):
            if grouped:
                self._reverse_group(done, part, start)
            else:
                self._reverse(done, part, start, tape=True)
        end = max(len(self.moments) - 1, 0)
        for var in jaxpr.invars:  # their cotangents are the caller's
            if var in done.cotangents and id(owner_of(done.cotangents[var])) in self._found:
                self._found[id(owner_of(done.cotangents[var]))].kept = True
        for buffer in self.buffers:
            if buffer.kept:
                buffer.last = max(end, buffer.made)
            buffer.last = min(buffer.last, end)

    def _forward(self, facts: Sequence[Facts], flat: int, *, keep: bool) -> int:
        """Run equations; ``keep`` says whether residuals are made. Gives the next position."""
        for one in facts:
            if one.inner is None:
                self._step(one, flat, "forward", keep=keep)
                flat += 1
                continue
            sub = run_forward(program_of(one.inner, one.step.operands), differentiate=False)
            self._alive.append(sub)
            flat = self._forward(facts_of(sub), flat, keep=False)
            self._pass_on(one, sub)
        return flat

    def _step(self, one: Facts, flat: int, sweep: str, *, keep: bool, start: int = -1,
              wanted: set[Any] | None = None) -> None:  # fmt: skip
        """One equation. In a second run ``wanted`` are the results that something reads."""
        now = self._now(flat, sweep)
        forward = sweep == "forward"
        role = "value" if forward else "remade"
        found = self._found
        for memory in one.operands:
            buffer = found.get(memory.key) or self._make(memory, now, role, flat, start)
            buffer.last = now
            if forward:
                buffer.last_forward = now
            elif buffer.made < start:  # kept for this second run
                buffer.needed.add(flat)
        for memory in one.results:
            if wanted is None or memory.var in wanted:
                self._make(memory, now, role, flat, start)
        if keep:
            for memory in one.residuals:
                made = self._make(memory, now, role, flat, start)
                if not made.name:
                    made.name, made.hidden = self._hidden_name(flat, role), True

    def _pass_on(self, one: Facts, sub: Execution) -> None:
        """The results of a called program are those of the equation that calls it."""
        for memory, atom in zip(one.results, sub.program.closed.jaxpr.outvars, strict=True):
            found = self._found.get(id(owner_of(value_of(sub, atom))))
            if found is not None:
                self._same(memory.array, found)

    def _again(self, facts: Sequence[Facts], flat: int) -> None:
        """The second run of a checkpoint: only what its reverse steps need, and what that needs."""
        start, wanted, runs = len(self.moments), set[Any](), []
        for one in reversed(facts):
            made = one.hidden and one.pulled
            runs.append(made or any(memory.var in wanted for memory in one.results))
            if runs[-1]:
                wanted.update(memory.var for memory in one.operands)
            if one.pulled:
                wanted.update(one.read)
        for one, run in zip(facts, reversed(runs), strict=True):
            if run and one.inner is None:
                self._step(one, flat, "again", keep=True, start=start, wanted=wanted)
            elif run and one.inner is not None:
                self._nested_again(one, flat)
            flat += one.size

    def _nested_again(self, one: Facts, flat: int) -> None:
        """A checkpoint in a checkpoint: its program runs within the outer one's second run."""
        assert one.inner is not None
        sub = run_forward(program_of(one.inner, one.step.operands), differentiate=False)
        self._alive.append(sub)
        for deeper in facts_of(sub):
            if deeper.inner is None:
                self._step(deeper, flat, "again", keep=False)
            else:
                self._nested_again(deeper, flat)
            flat += deeper.size
        self._pass_on(one, sub)

    def _reverse_group(self, done: Execution, facts: Sequence[Facts], flat: int) -> None:
        """A supposed checkpoint: its second run, then its reverse steps."""
        pulled = any(one.pulled for one in facts)
        if pulled:
            self._again(facts, flat)
            # it makes cotangents of its own, which are added to those from outside at its end
            free = {memory.var for memory in free_memory(facts)}
            cts = {var: done.cotangents[var] for var in free if var in done.cotangents}
            self._own = {v: None for v, ct in cts.items() if id(owner_of(ct)) in self._found}
        self._reverse(done, facts, flat, tape=False)
        now = len(self.moments) - 1
        for var, buffer in self._own.items():
            if buffer is not None:
                buffer.last = now
                outside = self._found[id(owner_of(done.cotangents[var]))]
                outside.last = max(outside.last, now)
        self._own = {}
        if pulled:
            self._release(free_memory(facts), flat)

    def _reverse(self, done: Execution, facts: Sequence[Facts], flat: int, *, tape: bool) -> None:
        """Reverse steps. A tape holds the residuals of those, too, that no cotangent reaches."""
        end = flat + sum(one.size for one in facts)
        for one in reversed(facts):
            end -= one.size
            if one.inner is None:
                self._reverse_step(done, one, end, tape=tape)
            elif one.pulled:
                self._reverse_checkpoint(done, one, end)

    def _reverse_step(self, done: Execution, one: Facts, flat: int, *, tape: bool) -> None:
        now, found = self._now(flat, "reverse"), self._found
        if one.pulled or tape:
            for memory in one.residuals:
                buffer = found.get(memory.key)
                if buffer is not None:
                    buffer.last = now
                    buffer.needed.add(flat)
        for key in one.cotangents:
            if key in found:
                found[key].last = now
        for var, _ in one.given:
            self._cotangent(done, var, now)

    def _reverse_checkpoint(self, done: Execution, one: Facts, flat: int) -> None:
        """The second run of a checkpoint in the program, and its reverse steps."""
        step, inner = one.step, one.inner
        assert inner is not None and step.rule is not None
        sub = run_forward(program_of(inner, step.operands), active=step.rule.active)
        self._alive.append(sub)
        run_reverse(sub, step.cotangents)
        for atom, ct in zip(inner.jaxpr.outvars, step.cotangents, strict=True):
            # the cotangents of the results are those of the equation's results
            if ct is not None and isinstance(atom, Var) and id(owner_of(ct)) in self._found:
                self._same(sub.cotangents[atom], self._found[id(owner_of(ct))])
        facts = facts_of(sub)
        self._again(facts, flat)
        self._reverse(sub, facts, flat, tape=False)
        self._release(one.residuals, flat)
        now = len(self.moments) - 1
        for var, atom in zip(inner.jaxpr.invars, step.eqn.invars, strict=True):
            ct = sub.cotangents.get(var)
            if ct is None or not isinstance(atom, Var):
                continue
            made = self._found[id(owner_of(ct))]
            made.last = max(made.last, now)
            total = done.cotangents[atom]
            if id(owner_of(total)) not in self._found:
                made.name = cotangent_name(self.names.get(atom, "_"))
                self._same(total, made)

    # -------------------------------------------------------------- bookkeeping

    def _now(self, flat: int, sweep: str) -> int:
        self.moments.append(Moment(flat, sweep))
        return len(self.moments) - 1

    def _make(self, memory: Memory, now: int, role: str, step: int = -1, start: int = -1) -> Buffer:
        """The buffer of an array; in a second run from ``start`` on, what that run makes anew."""
        found = self._found.get(memory.key)
        again = found is not None and 0 <= found.step and found.made < start
        if found is None or (again and self.moments[found.made].step >= self.moments[start].step):
            name = "" if memory.var is None else self.names.get(memory.var, "_")
            found = Buffer(memory.size, now, memory.array, name, role, step, last=now)
            if role == "remade":
                found.last_forward = now
            self._found[memory.key] = found
            self.buffers.append(found)
        return found

    def _release(self, arguments: Iterable[Memory], flat: int) -> None:
        """A checkpoint holds its arguments until its reverse steps are done."""
        for memory in arguments:
            found = self._found.get(memory.key)
            if found is not None:
                found.last = max(found.last, len(self.moments) - 1)
                if not found.needed:
                    found.needed.add(flat)

    def _cotangent(self, done: Execution, var: Var, now: int) -> None:
        """A share of a variable's cotangent: the first makes it, later ones are added to it."""
        total = memory_of(done.cotangents[var], var)
        found = self._own[var] if var in self._own else self._found.get(total.key)
        if found is not None:
            found.last = max(found.last, now)
            return
        defined = self._found.get(id(owner_of(done.values[var])))
        step = -1 if defined is None else defined.step
        name = cotangent_name(self.names.get(var, "_"))
        made = Buffer(total.size, now, total.array, name, "cotangent", step, last=now)
        self.buffers.append(made)
        if var in self._own:
            self._own[var] = made
        else:
            self._found[total.key] = made

    def _same(self, array: Any, buffer: Buffer) -> None:
        self._found[id(owner_of(array))] = buffer
        self._alive.append(array)

    def _hidden_name(self, flat: int, role: str) -> str:
        name = f"{self.ids[flat]}′"
        while (name, role) in self._labels:
            name += "′"
        self._labels.add((name, role))
        return name


def _summed(spans: Iterable[tuple[int, int, int]], length: int) -> list[int]:
    change = [0] * (length + 1)
    for start, last, size in spans:
        if start < length:
            change[start] += size
            change[min(last, length - 1) + 1] -= size
    return list(accumulate(change[:length]))
