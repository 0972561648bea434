"""How one entry of a Jacobian comes about: the paths from an input's number to a result's.

The entry ∂yᵢ/∂xⱼ is the sum over all paths from xⱼ to yᵢ of the product of the local derivatives
on the way (Bauer, "Computational graphs and rounding error", SIAM J. Numer. Anal. 11(1), 1974).
Here the paths run through single numbers, so that arrays are no bundles: entry (2, 3) of a
matrix product is a vertex like any scalar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adlib.inspect import rule_texts
from adlib.inspect.element_tape import CannotFollow, Edges, ElementTape, Slot, TapeStep, as_floats
from adlib.inspect.summaries import number_text, to_json
from adlib.inspect.texts import shorten

VERSION = 1
MOST_VERTICES = 36  # that are drawn one by one
MOST_ARCS = 72
MOST_VALUES = 40  # that are drawn as bundles
MOST_PATHS = 12  # that are listed
MOST_EDGES = 60_000  # that are followed at all
_NAME = 22


@dataclass(frozen=True, slots=True)
class VertexRecord:
    """A number on the way, or all numbers of one value that are on the way.

    Attributes:
      name: e.g. ``b[2]``; of a bundle the value's name.
      kind: ``input``, ``output`` or ``inner``; ``both`` where a result is an argument.
      text: how it is computed, e.g. ``sin(x[0])``; of a bundle the operation.
      value: the number; None of a bundle.
      count: how many numbers it stands for.
      share: the part of the entry that comes through here.
      source: the user's line, e.g. ``In[3]:2``.
      largest: of a bundle: the numbers with the largest shares, as (name, share).
    """

    name: str
    kind: str
    text: str = ""
    value: float | None = None
    count: int = 1
    share: float = 0.0
    source: str = ""
    largest: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ArcRecord:
    """A local derivative, of the vertex ``target`` by the vertex ``source``.

    Attributes:
      value: the number; None of a bundle.
      text: its formula, e.g. ``cos(b)``; empty where there is none that is short.
      count: how many local derivatives it stands for.
      share: the part of the entry that comes along here.
    """

    source: int
    target: int
    value: float | None
    text: str = ""
    count: int = 1
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class PathRecord:
    """One path and its product.

    Attributes:
      names: of the numbers on it, from the argument's to the result's.
      factors: the local derivatives, in that order.
      product: of the factors.
      arcs: positions of its arcs in the drawing; empty where bundles are drawn.
    """

    names: tuple[str, ...]
    factors: tuple[float, ...]
    product: float
    arcs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """An entry of a Jacobian as a sum over paths.

    Attributes:
      row, column: its place.
      result, argument: names of the two numbers, e.g. ``out[1]`` and ``x[2]``.
      value: the sum over all paths.
      count: how many paths there are; ``count_text`` for people.
      paths: those with the largest products, the largest first.
      rest: the sum over all others; None where all are listed.
      vertices, arcs: the drawing; empty where there are too many.
      bundled: whether vertices stand for whole values.
      vertex_count, arc_count: of the graph of single numbers.
      problem: why the paths cannot be followed; empty where they are.
      in_pattern: whether the program lets the entry differ from zero at some point.
      version: of this record's form.
    """

    row: int
    column: int
    result: str
    argument: str
    value: float = 0.0
    count: int = 0
    count_text: str = "0"
    paths: tuple[PathRecord, ...] = ()
    rest: float | None = None
    vertices: tuple[VertexRecord, ...] = ()
    arcs: tuple[ArcRecord, ...] = ()
    bundled: bool = False
    vertex_count: int = 0
    arc_count: int = 0
    problem: str = ""
    in_pattern: bool = True
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """The record as dicts, lists, strings and numbers; NaN and infinities as strings."""
        plain: dict[str, Any] = to_json(self)
        plain["count"] = min(self.count, 2**53)
        return plain


def entry_paths(
    tape: ElementTape,
    output: int,
    output_number: int,
    source: int,
    source_number: int,
    blank: EntryRecord,
) -> EntryRecord:
    """The paths from a number of an input to a number of an output.

    Args:
      tape: a run of the program.
      output, source: positions of the output and of the input.
      output_number, source_number: positions of the numbers in them, flat.
      blank: a record with the entry's place and names, which is filled in.
    """
    try:
        graph = _Graph(tape, source, source_number, tape.outputs[output], output_number)
    except CannotFollow as reason:
        return replace(blank, problem=f"The paths cannot be followed number by number: {reason}.")
    if graph.end is None:
        return blank
    return graph.record(blank)


@dataclass(slots=True)
class _Vertex:
    slot: Slot
    number: int
    step: TapeStep | None = None
    by_input: float = 0.0  # its derivative by the argument's number
    by_vertex: float = 0.0  # the result's derivative by it
    count_in: int = 0  # paths that lead here


@dataclass(slots=True)
class _Arc:
    source: int
    target: int
    value: float
    port: int
    count: int = 0


class _Graph:
    """The numbers between two numbers, and the local derivatives that join them."""

    def __init__(
        self, tape: ElementTape, source: int, source_number: int, last: Slot, last_number: int
    ) -> None:
        self.first = tape.inputs[source]
        self.place = source_number
        self.origin = source
        self.definition = {slot.index: step for step in tape.steps for slot in step.results}
        followed = self._forward(self._backward(tape, last, last_number))
        self.vertices = [_Vertex(self.first, source_number)]
        self.arcs: list[_Arc] = []
        self.vertex_of: dict[tuple[int, int], int] = {(self.first.index, source_number): 0}
        for step, edges in followed:
            self._add(step, edges)
        self.end = self.vertex_of.get((last.index, last_number))
        if self.end is not None:
            with np.errstate(all="ignore"):
                self._accumulate()

    def _backward(
        self, tape: ElementTape, last: Slot, last_number: int
    ) -> list[tuple[TapeStep, Edges]]:
        """All edges on paths that end in the result's number, the last step first."""
        needed = {last.index: _mask(last.size, last_number)}
        found, total = [], 0
        for step in reversed(tape.steps):
            if not any(slot.index in needed for slot in step.results):
                continue
            if not any(self.origin in slot.origins for slot in step.operands):
                continue
            nothing = np.zeros(0, np.int64)
            wanted = [
                np.flatnonzero(needed[slot.index]) if slot.index in needed else nothing
                for slot in step.results
            ]
            edges = step.edges(wanted, self.origin)
            for port, slot in enumerate(step.operands):
                if slot is self.first:  # its other numbers lead nowhere
                    edges = edges.chosen((edges.port != port) | (edges.operand == self.place))
            total += len(edges)
            if total > MOST_EDGES:
                raise CannotFollow(f"there are more than {MOST_EDGES:,} local derivatives")
            for port, slot in enumerate(step.operands):
                mine = edges.operand[edges.port == port]
                if len(mine):
                    needed.setdefault(slot.index, np.zeros(slot.size, bool))[mine] = True
            found.append((step, edges))
        return found

    def _forward(self, backward: list[tuple[TapeStep, Edges]]) -> list[tuple[TapeStep, Edges]]:
        """Those of them that start from the argument's number, the first step first."""
        reached = {self.first.index: _mask(self.first.size, self.place)}
        found = []
        for step, edges in reversed(backward):
            keep = np.zeros(len(edges), bool)
            for port, slot in enumerate(step.operands):
                if slot.index in reached:
                    mine = edges.port == port
                    keep[mine] = reached[slot.index][edges.operand[mine]]
            edges = edges.chosen(keep)
            if not len(edges):
                continue
            for port, slot in enumerate(step.results):
                mine = edges.result[edges.result_port == port]
                if len(mine):
                    reached.setdefault(slot.index, np.zeros(slot.size, bool))[mine] = True
            found.append((step, edges))
        return found

    def _add(self, step: TapeStep, edges: Edges) -> None:
        """Vertices and arcs of one step; copies are the numbers that they copy."""
        columns = (edges.result_port, edges.result, edges.port, edges.operand, edges.value)
        for result_port, number, port, operand, value in zip(
            *[column.tolist() for column in columns], strict=True
        ):
            source = self.vertex_of[step.operands[port].index, operand]
            slot = step.results[result_port]
            if step.copies:
                self.vertex_of[slot.index, number] = source
                continue
            key = (slot.index, number)
            if key not in self.vertex_of:
                self.vertex_of[key] = len(self.vertices)
                self.vertices.append(_Vertex(slot, number, step))
            self.arcs.append(_Arc(source, self.vertex_of[key], value, port))

    def _accumulate(self) -> None:
        """Derivatives by the argument and of the result, and counts, along the arcs.

        The arcs stand in the order of the steps, so that what leads to a vertex stands
        before what leaves it.
        """
        assert self.end is not None
        vertices = self.vertices
        vertices[0].by_input, vertices[0].count_in = 1.0, 1
        for arc in self.arcs:
            source, target = vertices[arc.source], vertices[arc.target]
            target.by_input += source.by_input * arc.value
            target.count_in += source.count_in
        vertices[self.end].by_vertex = 1.0
        for arc in reversed(self.arcs):
            vertices[arc.source].by_vertex += vertices[arc.target].by_vertex * arc.value

    # -------------------------------------------------------------------- records

    def record(self, blank: EntryRecord) -> EntryRecord:
        assert self.end is not None
        last = self.vertices[self.end]
        names = _Names(self, blank)
        paths = [self._path(names, arcs) for arcs in self._largest()]
        listed = last.count_in <= len(paths)
        rest = None if listed else last.by_input - math.fsum(p.product for p in paths)
        whole = len(self.vertices) <= MOST_VERTICES and len(self.arcs) <= MOST_ARCS
        vertices, arcs = self._numbers(names) if whole else self._values(names)
        if not whole:
            paths = [replace(path, arcs=()) for path in paths]
        return replace(
            blank,
            value=last.by_input,
            count=last.count_in,
            count_text=_count_text(last.count_in),
            paths=tuple(paths),
            rest=rest,
            vertices=vertices,
            arcs=arcs,
            bundled=not whole,
            vertex_count=len(self.vertices),
            arc_count=len(self.arcs),
        )

    def _largest(self) -> list[list[int]]:
        """The paths with the largest products, as positions of arcs."""
        assert self.end is not None
        leading: list[list[int]] = [[] for _ in self.vertices]
        for k, arc in enumerate(self.arcs):
            leading[arc.target].append(k)
        # of each vertex: (product so far, the arc that led here, which path of its source)
        best: list[list[tuple[float, int, int]]] = [[(1.0, -1, 0)]]
        for arcs in leading[1:]:
            ways = [
                (product * self.arcs[k].value, k, rank)
                for k in arcs
                for rank, (product, _, _) in enumerate(best[self.arcs[k].source])
            ]
            ways.sort(key=lambda way: (not math.isnan(way[0]), -abs(way[0]), way[1], way[2]))
            best.append(ways[:MOST_PATHS])
        found = []
        for rank in range(len(best[self.end])):
            at, path = self.end, []
            while at:
                _, k, rank = best[at][rank]
                path.append(k)
                at = self.arcs[k].source
            found.append(path[::-1])
        return found

    def _path(self, names: _Names, arcs: list[int]) -> PathRecord:
        found = [self.arcs[k] for k in arcs]
        through = [0, *[arc.target for arc in found]]
        factors = tuple(arc.value for arc in found)
        return PathRecord(
            tuple(names.vertex(k) for k in through), factors, math.prod(factors), tuple(arcs)
        )

    def _numbers(self, names: _Names) -> tuple[tuple[VertexRecord, ...], tuple[ArcRecord, ...]]:
        """A vertex for each number."""
        vertices = []
        for k, vertex in enumerate(self.vertices):
            value = float(as_floats(vertex.slot.value).ravel()[vertex.number])
            vertices.append(
                VertexRecord(
                    names.vertex(k),
                    self._kind(k),
                    names.definition(k),
                    value,
                    share=vertex.by_input * vertex.by_vertex,
                    source=_source(vertex.step),
                )
            )
        arcs = [
            ArcRecord(arc.source, arc.target, arc.value, names.partial(arc), share=self._share(arc))
            for arc in self.arcs
        ]
        return tuple(vertices), tuple(arcs)

    def _values(self, names: _Names) -> tuple[tuple[VertexRecord, ...], tuple[ArcRecord, ...]]:
        """A vertex for all numbers of a value; nothing where these are too many too."""
        groups: dict[int, list[int]] = {}
        for k, vertex in enumerate(self.vertices):
            groups.setdefault(vertex.slot.index, []).append(k)
        if len(groups) > MOST_VALUES:
            return (), ()
        order = {slot: k for k, slot in enumerate(groups)}
        vertices = [self._bundle(names, members) for members in groups.values()]
        joined: dict[tuple[int, int], tuple[int, float]] = {}
        for arc in self.arcs:
            source, target = (self.vertices[k].slot.index for k in (arc.source, arc.target))
            key = order[source], order[target]
            count, share = joined.get(key, (0, 0.0))
            joined[key] = (count + 1, share + self._share(arc))
        if any(source == target for source, target in joined):
            return (), ()
        arcs = [
            ArcRecord(*key, None, count=count, share=share)
            for key, (count, share) in joined.items()
        ]
        return tuple(vertices), tuple(arcs)

    def _bundle(self, names: _Names, members: list[int]) -> VertexRecord:
        first = self.vertices[members[0]]
        shares = {k: self.vertices[k].by_input * self.vertices[k].by_vertex for k in members}
        largest = sorted(members, key=lambda k: (-abs(shares[k]), k))[:3]
        single = len(members) == 1
        return VertexRecord(
            names.vertex(members[0]) if single else first.slot.name,
            self._kind(members[0]) if single else "inner",
            "" if first.step is None else first.step.name(),
            count=len(members),
            share=math.fsum(shares.values()) if _all_finite(shares.values()) else math.nan,
            source=_source(first.step),
            largest=() if single else tuple((names.vertex(k), shares[k]) for k in largest),
        )

    def _share(self, arc: _Arc) -> float:
        return self.vertices[arc.source].by_input * arc.value * self.vertices[arc.target].by_vertex

    def _kind(self, k: int) -> str:
        if k == 0:
            return "both" if self.end == 0 else "input"
        return "output" if k == self.end else "inner"


class _Names:
    """Names of numbers and formulas in them."""

    def __init__(self, graph: _Graph, blank: EntryRecord) -> None:
        self.graph = graph
        self.blank = blank

    def vertex(self, k: int) -> str:
        if k == 0:
            return self.blank.argument
        vertex = self.graph.vertices[k]
        if k == self.graph.end:
            return self.blank.result
        return number_name(vertex.slot, vertex.number)

    def definition(self, k: int) -> str:
        """How a number is computed, in numbers' names."""
        vertex = self.graph.vertices[k]
        step = vertex.step
        if step is None or step.eqn is None:
            return ""
        if not step.elementwise:
            return shorten(
                rule_texts.result_text(step.eqn, [slot.name for slot in step.operands]), _NAME
            )
        text = rule_texts.result_text(step.eqn, self._operands(step, vertex.number))
        return shorten(text, _NAME + 8)

    def partial(self, arc: _Arc) -> str:
        """The formula of a local derivative; empty where it has none, or is a plain number."""
        step = self.graph.vertices[arc.target].step
        if step is None or step.eqn is None or not step.elementwise:
            return ""
        number = self.graph.vertices[arc.target].number
        operands = self._operands(step, number)
        text = rule_texts.partial_text(step.eqn, arc.port, operands, self.vertex(arc.target))
        plain = text.lstrip("−-").replace(".", "", 1).isdigit()
        return "" if plain or len(text) > _NAME + 6 else text

    def _operands(self, step: TapeStep, number: int) -> list[str]:
        return [
            self._operand(slot, int(step.operand_numbers(port, number)))
            for port, slot in enumerate(step.operands)
        ]

    def _operand(self, slot: Slot, number: int) -> str:
        """The name of a number that is on a path, or depends on inputs; else the number."""
        known = self.graph.vertex_of.get((slot.index, number))
        if known is not None:
            return self.vertex(known)
        step = self.graph.definition.get(slot.index)
        while step is not None and step.copies:
            wanted = [
                np.array([number] if result is slot else [], np.int64) for result in step.results
            ]
            found = step.edges(wanted, next(iter(slot.origins)))
            if len(found) != 1:
                break
            slot, number = step.operands[int(found.port[0])], int(found.operand[0])
            step = self.graph.definition.get(slot.index)
        if slot.origins:
            return number_name(slot, number)
        if slot.value.aval.dtype.kind == "b":
            return slot.name if not slot.shape else number_name(slot, number)
        return number_text(as_floats(slot.value).ravel()[number].item())


def number_name(slot: Slot, number: int) -> str:
    """``b[1,2]`` for a number of an array, ``b`` for a scalar."""
    if not slot.shape:
        return slot.name
    index = np.unravel_index(number, slot.shape)
    return f"{slot.name}[{','.join(str(int(i)) for i in index)}]"


def _mask(size: int, number: int) -> Any:
    mask = np.zeros(size, bool)
    mask[number] = True
    return mask


def _source(step: TapeStep | None) -> str:
    if step is None or step.eqn is None or step.eqn.source is None:
        return ""
    return step.eqn.source.summary()


def _count_text(count: int) -> str:
    """``1,024``, or ``about 10^30`` for what nobody counts."""
    if count < 10**9:
        return f"{count:,}"
    digits = len(str(count)) - 1
    return f"about 10^{digits}"


def _all_finite(numbers: Sequence[float] | Any) -> bool:
    return all(math.isfinite(number) for number in numbers)
