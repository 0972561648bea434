"""A run of a program as one straight line of steps, with the local derivatives of its numbers.

Loops are unrolled, the chosen branch of a conditional takes its place, and called functions are
opened, so that what remains are single operations on values that are known. Of each one can ask
the derivatives of some of the numbers that it computes by the numbers that it reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adlib.core import ClosedJaxpr, Eqn, Jaxpr, Literal, backend, dtypes
from adlib.core.array import ArrayImpl, as_value, table
from adlib.core.jaxpr import eval_jaxpr
from adlib.core.printer import variable_names
from adlib.experimental.sparse.patterns import Value, identity, result_patterns
from adlib.inspect.evaluation import LocalRule
from adlib.inspect.programs import Program
from adlib.inspect.summaries import to_numpy
from adlib.inspect.texts import literal_text
from adlib.interpreters.batch import AxisData, at_front, batch_flat
from adlib.ops.constructors import elementwise_batch

MOST_STEPS = 2_000  # loops that would make more stay one step
MOST_WORK = 4_000_000  # numbers in the local derivatives of one step

_CALLS = {"jit": "jaxpr", "remat2": "jaxpr"}
_COPIES = (
    "reshape transpose squeeze rev slice broadcast_in_dim pad concatenate stack unstack split "
    "tile expand_dims gather dynamic_slice dynamic_update_slice"
).split()
_EXACT_COPIES = ("copy", "name", "optimization_barrier")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class CannotFollow(Exception):
    """Single numbers cannot be followed, or not in a short time; the text says why."""


@dataclass(eq=False, slots=True)
class Slot:
    """A value that was computed.

    Attributes:
      index: its position among the tape's slots.
      name: as the program prints it, with the round of a loop as a subscript.
      value: its Array.
      origins: positions of the inputs that its tangent may come from; empty for constants.
      literal: whether it is written out in the program.
    """

    index: int
    name: str
    value: Any
    origins: frozenset[int] = frozenset()
    literal: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.aval.shape  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        return int(self.value.aval.size)


@dataclass(eq=False, slots=True)
class Edges:
    """Local derivatives of numbers: parallel arrays, an edge each.

    ``port`` and ``operand`` say which operand and which of its numbers; ``result_port`` and
    ``result`` the same of the results.
    """

    result_port: Any
    result: Any
    port: Any
    operand: Any
    value: Any

    def chosen(self, mask: Any) -> Edges:
        parts = (self.result_port, self.result, self.port, self.operand, self.value)
        return Edges(*[part[mask] for part in parts])

    def __len__(self) -> int:
        return len(self.value)


@dataclass(eq=False, slots=True)
class TapeStep:
    """One operation.

    Attributes:
      copies: whether each result is a copy of one number, with derivative one.
      eqn: its equation; None for what a loop does between its rounds.
      sources: of copies, for each result the operand that each of its numbers copies, −1 for
        none, and the number there; None until it is asked, empty if the copies are no copies.
    """

    operands: list[Slot]
    results: list[Slot]
    copies: bool = False
    eqn: Eqn | None = None
    rule: LocalRule | None = None
    residuals: list[Any] = field(default_factory=list)
    sources: list[tuple[Any, Any]] | None = None

    def edges(self, wanted: Sequence[Any], origin: int) -> Edges:
        """Derivatives of the ``wanted`` numbers of each result by what depends on an input.

        Args:
          wanted: for each result an array of positions in it.
          origin: operands that do not depend on this input have no edges.

        Raises:
          CannotFollow: where these are more than ``MOST_WORK`` numbers.
        """
        if any(slot.value.aval.dtype.kind == "c" for slot in (*self.operands, *self.results)):
            raise CannotFollow(f"{self.name()} computes with complex numbers")
        if self.copies:
            found = self._copied(wanted, origin)
        elif self.elementwise:
            found = self._elementwise(wanted[0])
        else:
            found = self._pulled(wanted, origin)
        live = np.array([origin in slot.origins for slot in self.operands], bool)
        return found.chosen(live[found.port])

    @property
    def elementwise(self) -> bool:
        """Whether number k of the result hangs on number k of each operand alone."""
        assert self.eqn is not None
        if getattr(self.eqn.primitive.batch, "func", None) is elementwise_batch:
            return True
        slots = (*self.operands, *self.results)
        return len(self.results) == 1 and all(slot.size == 1 for slot in slots)

    def _elementwise(self, wanted: Any) -> Edges:
        """One push for each operand: each number of the result hangs on one of its numbers."""
        assert self.rule is not None
        parts = []
        active = [k for k, on in enumerate(self.rule.active) if on]
        for port in active:
            tangents = [_filled(self.operands[k], 1.0 if k == port else 0.0) for k in active]
            (out,) = self.rule.push(self.residuals, tangents)
            local = as_floats(out).ravel()[wanted]
            parts.append(_edges(0, wanted, port, self.operand_numbers(port, wanted), local))
        return _joined(parts)

    def operand_numbers(self, port: int, numbers: Any) -> Any:
        """Which numbers of an operand an elementwise operation reads for its result's."""
        slot, result = self.operands[port], self.results[0]
        if slot.shape == result.shape:
            return numbers
        places = np.arange(slot.size).reshape(slot.shape)
        return np.broadcast_to(places, result.shape).ravel()[numbers]

    def _copied(self, wanted: Sequence[Any], origin: int) -> Edges:
        """The edges of an operation that moves numbers, from where each of them stands."""
        if self.sources is None:
            self.sources = self._found_sources()
        if not self.sources:
            return self._pulled(wanted, origin)
        parts = []
        for result, (which, where) in enumerate(self.sources):
            rows = wanted[result]
            rows = rows[which[rows] >= 0]
            parts.append(_edges(result, rows, which[rows], where[rows], np.ones(len(rows))))
        return _joined(parts)

    def _found_sources(self) -> list[tuple[Any, Any]]:
        """What each number of each result copies; empty where it may be more than one number."""
        assert self.eqn is not None and self.rule is not None
        active = [k for k, on in enumerate(self.rule.active) if on]
        starts = np.cumsum([0, *[self.operands[k].size for k in active]])
        everything = identity(int(starts[-1]))
        values = []
        for k, slot in enumerate(self.operands):
            if k in active:
                start = starts[active.index(k)]
                values.append(Value(slot.shape, everything[start : start + slot.size]))
            else:
                values.append(Value(slot.shape, None, slot.value))
        sources = []
        for slot, pattern in zip(self.results, result_patterns(self.eqn, values), strict=True):
            which, where = np.full(slot.size, -1), np.zeros(slot.size, np.int64)
            if pattern is not None:
                found = pattern.tocoo()
                if np.bincount(found.row).max(initial=0) > 1:
                    return []
                place = np.searchsorted(starts, found.col, side="right") - 1
                which[found.row] = np.array(active)[place]
                where[found.row] = found.col - starts[place]
            sources.append((which, where))
        return sources

    def _pulled(self, wanted: Sequence[Any], origin: int) -> Edges:
        """One pull for each wanted number; what is zero there is no edge."""
        active = sum(slot.size for slot in self.operands if origin in slot.origins)
        count = sum(len(part) for part in wanted)
        if count * active > MOST_WORK:
            raise CannotFollow(
                f"{self.name()} alone has {count * active:,} local derivatives on the way"
            )
        parts = []
        for result, where in enumerate(wanted):
            if len(where):
                try:
                    rows = self._rows(result, where)
                except (NotImplementedError, ValueError):  # a loop that has no reverse mode
                    rows = self._columns(result, where, origin)
                for port, row in rows:
                    i, j = np.nonzero((row != 0) | np.isnan(row))
                    parts.append(_edges(result, where[i], port, j, row[i, j]))
        return _joined(parts)

    def _rows(self, result: int, where: Any) -> list[tuple[int, Any]]:
        """For each operand the wanted rows of its local Jacobian."""
        rule, slot = self.rule, self.results[result]
        assert rule is not None
        if not rule.has_tangent[result]:
            return []
        seeds = np.zeros((len(where), slot.size), slot.value.aval.dtype)
        seeds[np.arange(len(where)), where] = 1

        def pull(seed: Any) -> list[Any]:
            given: list[Any] = [None] * len(self.results)
            given[result] = seed
            return rule.pull(self.residuals, given)

        outs = _mapped(pull, seeds.reshape(len(where), *slot.shape))
        return [(k, out) for k, out in enumerate(outs) if out is not None]

    def _columns(self, result: int, where: Any, origin: int) -> list[tuple[int, Any]]:
        """The same by a push for each number of each operand."""
        rule = self.rule
        assert rule is not None
        active = [k for k, on in enumerate(rule.active) if on]
        found = []
        for port in active:
            slot = self.operands[port]
            if origin not in slot.origins or not slot.size:
                continue
            seeds = np.eye(slot.size, dtype=slot.value.aval.dtype)

            def push(seed: Any, port: int = port) -> list[Any]:
                zeros = [_filled(self.operands[k], 0.0) for k in active]
                tangents = [seed if k == port else z for k, z in zip(active, zeros, strict=True)]
                return [rule.push(self.residuals, tangents)[result]]

            (out,) = _mapped(push, seeds.reshape(slot.size, *slot.shape))
            if out is not None:
                found.append((port, out.T[where]))
        return found

    def name(self) -> str:
        """Its primitive's name, or the called function's."""
        if self.eqn is None:
            return "copy"
        given = self.eqn.params.get("name")
        return given if isinstance(given, str) else self.eqn.primitive.name


class ElementTape:
    """The steps of a program that ran.

    Attributes:
      slots: all values.
      steps: in the order in which they ran; those that no input reaches are left out.
      inputs, outputs: the slots of the program's inputs and results.
    """

    def __init__(self, program: Program) -> None:
        self.slots: list[Slot] = []
        self.steps: list[TapeStep] = []
        self._rules: dict[Any, LocalRule] = {}
        closed = program.closed
        self.inputs = []
        pairs = zip(program.input_names, program.values, strict=True)
        for k, (name, value) in enumerate(pairs):
            active = dtypes.is_inexact(value.aval.dtype)
            self.inputs.append(self._slot(name, value, frozenset([k] if active else [])))
        self.outputs = self._run(closed, self.inputs, "")

    def _slot(
        self, name: str, value: Any, origins: frozenset[int] = frozenset(), literal: bool = False
    ) -> Slot:
        slot = Slot(len(self.slots), name, value, origins, literal)
        self.slots.append(slot)
        return slot

    def _run(self, closed: ClosedJaxpr | Jaxpr, args: Sequence[Slot], mark: str) -> list[Slot]:
        """Run a program on slots; ``mark`` follows the names of its variables."""
        if isinstance(closed, Jaxpr):
            closed = ClosedJaxpr(closed, [])
        jaxpr, consts = closed.jaxpr, closed.consts
        names = variable_names(jaxpr)
        env: dict[Any, Slot] = {}
        for var, const in zip(jaxpr.constvars, consts, strict=True):
            env[var] = self._slot(names.get(var, "_") + mark, const)
        env.update(zip(jaxpr.invars, args, strict=True))

        def read(atom: Any) -> Slot:
            if isinstance(atom, Literal):
                return self._slot(literal_text(atom), atom.array, literal=True)
            return env[atom]

        for eqn in jaxpr.eqns:
            labels = [names.get(var, "_") + mark for var in eqn.outvars]
            results = self._equation(eqn, [read(atom) for atom in eqn.invars], labels)
            env.update(zip(eqn.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, eqn: Eqn, operands: list[Slot], names: list[str]) -> list[Slot]:
        if not eqn.outvars:  # it prints or checks, which was done when the function ran
            return []
        opened = self._opened(eqn, operands)
        if opened is not None:
            return opened
        origins = frozenset().union(*[slot.origins for slot in operands])
        if origins and not eqn.has_effect:
            rule = self._rule(eqn, tuple(bool(slot.origins) for slot in operands))
            if any(rule.has_tangent):
                return self._recorded(eqn, rule, operands, names)
        values = [slot.value for slot in operands]
        out = eqn.primitive.bind(*values, **eqn.params)
        outs = out if eqn.primitive.multiple_results else [out]
        return [self._slot(name, value) for name, value in zip(names, outs, strict=True)]

    def _recorded(
        self, eqn: Eqn, rule: LocalRule, operands: list[Slot], names: list[str]
    ) -> list[Slot]:
        known = rule.known
        run = known.jaxpr, known.consts
        outs = _evaluated(*run, [slot.value for slot in operands])
        count = len(names)
        origins = frozenset().union(*[slot.origins for slot in operands])
        results = [
            self._slot(name, value, origins if has else frozenset())
            for name, value, has in zip(names, outs[:count], rule.has_tangent, strict=True)
        ]
        copies = eqn.primitive.name in _COPIES or eqn.primitive.name in _EXACT_COPIES
        step = TapeStep(operands, results, copies, eqn, rule, outs[count:])
        if eqn.primitive.name in _EXACT_COPIES:
            step = self._copy_step(operands[:1], results[:1])
        self.steps.append(step)
        return results

    def _copy_step(self, operands: list[Slot], results: list[Slot]) -> TapeStep:
        """Every number of the result copies the one of the same position."""
        where = np.arange(results[0].size)
        return TapeStep(operands, results, True, sources=[(np.zeros_like(where), where)])

    def _rule(self, eqn: Eqn, active: tuple[bool, ...]) -> LocalRule:
        key = (eqn.primitive, active, *[v.aval for v in eqn.invars], *eqn.params.items())
        try:
            found = self._rules.get(key)
        except TypeError:  # a parameter that cannot be hashed
            return LocalRule(eqn, active)
        if found is None:
            found = self._rules[key] = LocalRule(eqn, active)
        return found

    # ------------------------------------------------------------ what is opened

    def _opened(self, eqn: Eqn, operands: list[Slot]) -> list[Slot] | None:
        name, params = eqn.primitive.name, eqn.params
        if not any(slot.origins for slot in operands) or len(self.steps) > MOST_STEPS:
            return None
        if name in _CALLS and isinstance(params.get("jaxpr"), (ClosedJaxpr, Jaxpr)):
            return self._run(params["jaxpr"], operands, "′")
        if name == "cond":
            branches = params["branches"]
            index = min(max(int(operands[0].value), 0), len(branches) - 1)
            return self._run(branches[index], operands[1:], "′")
        if name == "scan":
            return self._scan(eqn, operands)
        if name == "while":
            return self._while(params, operands)
        return None

    def _scan(self, eqn: Eqn, operands: list[Slot]) -> list[Slot] | None:
        params, body = eqn.params, eqn.params["jaxpr"]
        length, first = params["length"], params["num_consts"]
        start = first + params["num_carry"]
        stacked = eqn.outvars[params["num_carry"] :]
        avals = [*[v.aval for v in stacked], *[slot.value.aval for slot in operands[start:]]]
        plain = all(aval.dtype.kind in "biufcV" for aval in avals)
        if not length or not plain or length * len(body.eqns) > MOST_STEPS - len(self.steps):
            return None
        consts, carry, xs = operands[:first], operands[first:start], operands[start:]
        ys: list[list[Slot]] = []
        order = range(length - 1, -1, -1) if params["reverse"] else range(length)
        for i in order:
            mark = str(i).translate(_SUBSCRIPTS)
            slices = [self._slice(x, i) for x in xs]
            outs = self._run(body, [*consts, *carry, *slices], mark)
            carry = outs[: len(carry)]
            ys.append(outs[len(carry) :])
        rounds = ys[::-1] if params["reverse"] else ys
        together = [[y[k] for y in rounds] for k in range(len(stacked))]
        return [*carry, *[self._stack(slots) for slots in together]]

    def _while(self, params: dict[str, Any], operands: list[Slot]) -> list[Slot] | None:
        first, second = params["cond_nconsts"], params["body_nconsts"]
        condition, body = params["cond_jaxpr"], params["body_jaxpr"]
        tests = [slot.value for slot in operands[:first]]
        consts, carry = operands[first : first + second], operands[first + second :]
        before, i = len(self.steps), 0
        while bool(
            _evaluated(condition.jaxpr, condition.consts, [*tests, *[s.value for s in carry]])[0]
        ):
            if len(self.steps) > MOST_STEPS or i > MOST_STEPS:
                del self.steps[before:]
                return None
            carry = self._run(body, [*consts, *carry], str(i).translate(_SUBSCRIPTS))
            i += 1
        return list(carry)

    def _slice(self, x: Slot, i: int) -> Slot:
        size = math.prod(x.shape[1:])
        name = f"{x.name}[{i}]" if not x.shape[1:] else f"{x.name}{str(i).translate(_SUBSCRIPTS)}"
        slot = self._slot(name, x.value[i], x.origins)
        if x.origins:
            where = np.arange(i * size, (i + 1) * size)
            sources = [(np.zeros_like(where), where)]
            self.steps.append(TapeStep([x], [slot], True, sources=sources))
        return slot

    def _stack(self, slots: list[Slot]) -> Slot:
        arrays = [slot.value for slot in slots]
        on, parts = backend.place([x._value for x in arrays], [x.free for x in arrays], "stack")
        shape = (len(slots), *slots[0].shape)
        value = ArrayImpl(on.xp.stack(parts), arrays[0].aval.update(shape=shape, weak_type=False))
        origins = frozenset().union(*[slot.origins for slot in slots])
        result = self._slot(slots[0].name.rstrip("₀₁₂₃₄₅₆₇₈₉"), value, origins)
        if origins:
            size = slots[0].size
            which, where = np.divmod(np.arange(size * len(slots)), size)
            sources = [(which, where)]
            self.steps.append(TapeStep(slots, [result], True, sources=sources))
        return result


def as_floats(array: Any) -> Any:
    """The numbers of a concrete Array as float64."""
    return to_numpy(array).astype(np.float64)


def _evaluated(jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    return eval_jaxpr(jaxpr, list(consts), *args)


def _filled(slot: Slot, number: float) -> Any:
    return table(np.full(slot.shape, number, slot.value.aval.dtype))


def _mapped(function: Any, seeds: Any) -> list[Any]:
    """The function of each seed: matrices with a row for each, or None where it gives None."""
    count = len(seeds)
    there: list[bool] = []

    def present(seed: Any) -> list[Any]:
        outs = function(seed)
        there[:] = [out is not None for out in outs]
        return [out for out in outs if out is not None]

    axis = AxisData(None, count)
    pairs = batch_flat(present, axis, [as_value(seeds)], [0])
    blocks = iter([as_floats(at_front(axis, v, d)).reshape(count, -1) for v, d in pairs])
    return [next(blocks) if has else None for has in there]


def _edges(result_port: int, result: Any, port: Any, operand: Any, value: Any) -> Edges:
    count = len(value)
    ports = np.broadcast_to(np.asarray(port, np.int64), (count,))
    return Edges(np.full(count, result_port), np.asarray(result), ports, operand, value)


def _joined(parts: Sequence[Edges]) -> Edges:
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Edges(nothing, nothing, nothing, nothing, np.zeros(0))
    fields = ("result_port", "result", "port", "operand", "value")
    return Edges(*[np.concatenate([getattr(part, name) for part in parts]) for name in fields])
