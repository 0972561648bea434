"""Parts of programs that can be folded: named scopes, and of long programs repeated steps,
functions, lines, stretches.

Every part is a stretch of neighbouring equations. As a program's order respects its links, a
part that is drawn as one node never closes a cycle with another.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adlib.inspect.graph import GraphRecord, NodeRecord

MOST = 60  # nodes that one level shows
_MOST_ENDS = 24  # inputs, constants or outputs that stand by themselves
_LEAST_REPEATED = 12  # equations: repetitions of fewer are not worth a part
_LONGEST_PERIOD = 3000


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A part of a program that can be drawn as one node.

    Attributes:
      id: stable name, unique in its graph: ``step_9_18`` holds the equations 9 to 17.
      kind: ``scope``, ``repetition``, ``steps`` (some of a repetition), ``step``, ``function``,
        ``line``, ``equations`` (a stretch), ``inputs``, ``constants`` or ``outputs``.
      label: what it is, e.g. ``step ×200``.
      source: the user's lines that it comes from, e.g. ``In[3]:4–7``.
      text: the line of code that most of it comes from.
      count: how many equations (or inputs, …) it holds.
      members: ids of nodes, and parts, in the program's order.
    """

    id: str
    kind: str
    label: str
    source: str
    text: str
    count: int
    members: tuple[str | GroupRecord, ...]


Member = str | GroupRecord


@dataclass(frozen=True, slots=True)
class SourceText:
    """The user's function that holds a line, and the line's text."""

    function: str = ""
    text: str = ""


def grouped(
    graph: GraphRecord, sources: Mapping[str, SourceText] | None = None, *, most: int = MOST
) -> tuple[Member, ...]:
    """The nodes of one graph, under parts where it has named scopes or is long.

    Args:
      graph: the graph; graphs inside of its equations are not entered.
      sources: the functions and texts of the user's lines, by the nodes' ``source``.
      most: how many equations and parts a level may show; a program with fewer has no parts but
        its named scopes.

    >>> import adlib
    >>> def f(x):
    ...     for _ in range(100):
    ...         x = x * x + 1.0
    ...     return x
    >>> from adlib.inspect import graph_record
    >>> first, steps, last = grouped(graph_record(adlib.make_jaxpr(f)(1.0)))
    >>> first, steps.label, len(steps.members), steps.members[0].label, last
    ('in_0', 'step ×100', 10, 'steps 0–9', 'out_0')
    """
    members: list[Member] = []
    for kind, word in (("constant", "constants"), ("input", "inputs")):
        members.extend(_ends(graph.of_kind(kind), word, most))
    members.extend(_Folder(graph, sources or {}, most).members())
    members.extend(_ends(graph.of_kind("output"), "outputs", most))
    return tuple(members)


def walk(members: Sequence[Member]) -> list[GroupRecord]:
    """All parts, outer ones first."""
    found: list[GroupRecord] = []
    for member in members:
        if isinstance(member, GroupRecord):
            found.append(member)
            found.extend(walk(member.members))
    return found


def _ends(nodes: Sequence[NodeRecord], word: str, most: int) -> list[Member]:
    if len(nodes) <= _MOST_ENDS:
        return [node.id for node in nodes]

    def part(first: int, last: int, members: tuple[Member, ...]) -> GroupRecord:
        names = [nodes[i].note or nodes[i].label for i in (first, last - 1)]
        whole = last - first == len(nodes)
        label = f"{len(nodes)} {word}" if whole else f"{word} {first}–{last - 1}"
        text = f"{names[0]} … {names[1]}"
        return GroupRecord(f"{word}_{first}_{last}", word, label, "", text, last - first, members)

    members: tuple[Member, ...] = tuple(node.id for node in nodes)
    width = 1
    while len(members) > most:
        size = _chunk_size(len(members))
        starts = range(0, len(members), size)
        members = tuple(
            part(i * width, min((i + size) * width, len(nodes)), members[i : i + size])
            for i in starts
        )
        width *= size
    return [part(0, len(nodes), members)]


def _chunk_size(count: int) -> int:
    """A round number near the root of ``count``, so that both levels stay short."""
    sizes: list[int] = [s * 10**k for k in range(6) for s in (1, 2, 5)]
    return next(size for size in sizes if size > 1 and size * size * 2 >= count)


# --- equations ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    """A member and the stretch of equations, from ``first`` to before ``last``, that it holds."""

    first: int
    last: int
    member: Member


class _Folder:
    """Folds the equations of one graph."""

    def __init__(self, graph: GraphRecord, sources: Mapping[str, SourceText], most: int) -> None:
        self.nodes = graph.of_kind("equation")
        self.sources = sources
        self.most = most
        index = {node.id: i for i, node in enumerate(self.nodes)}
        # of every value: the equation that makes it, and those that read it
        self.reads = [
            (index[edge.source], index[edge.target])
            for edge in graph.edges
            if edge.source in index and edge.target in index
        ]
        words = [(node.label, node.source) for node in self.nodes]
        numbers = {word: i for i, word in enumerate(dict.fromkeys(words))}
        self.codes = np.array([numbers[word] for word in words], dtype=np.int64)
        self.repeated: list[tuple[int, int, int]] = []  # found so far: start, period, count

    def members(self) -> tuple[Member, ...]:
        items = self._by_scope(self._single(0, len(self.nodes)), 0)
        return tuple(item.member for item in self._fold(items))

    def _single(self, first: int, last: int) -> list[_Item]:
        return [_Item(i, i + 1, self.nodes[i].id) for i in range(first, last)]

    def _fold(self, items: list[_Item]) -> list[_Item]:
        """At most ``most`` items: first by repetition, then by function, by line, by number."""
        ways: tuple[Callable[[list[_Item]], list[_Item]], ...] = (
            self._by_repetition, self._by_function, self._by_line, self._by_number,
        )  # fmt: skip
        for way in ways:
            if len(items) <= self.most:
                break
            items = way(items)
        return items

    def _part(self, kind: str, label: str, items: Sequence[_Item], mark: str = "") -> _Item:
        first, last = items[0].first, items[-1].last
        source, text = self._origin(first, last)
        record = GroupRecord(
            id=f"{kind}{mark}_{first}_{last}",
            kind=kind,
            label=label,
            source=source,
            text=text,
            count=last - first,
            members=tuple(item.member for item in items),
        )
        return _Item(first, last, record)

    def _origin(self, first: int, last: int) -> tuple[str, str]:
        """The user's lines behind a stretch as ``In[3]:4–7``, and the most frequent one's text."""
        count = Counter(node.source for node in self.nodes[first:last] if node.source)
        if not count:
            return "", ""
        best = max(count.items(), key=lambda item: item[1])[0]  # the first of equals
        file = best.rpartition(":")[0]
        numbers = [int(s.rpartition(":")[2]) for s in count if s.rpartition(":")[0] == file]
        lines = f"{min(numbers)}–{max(numbers)}" if min(numbers) < max(numbers) else numbers[0]
        return f"{file}:{lines}", self.sources.get(best, SourceText()).text

    def _by_scope(self, items: list[_Item], depth: int) -> list[_Item]:
        """Neighbours of the same scope as a part, and in it those of the scopes within."""
        out: list[_Item] = []
        for name, run in itertools.groupby(items, lambda item: self._scope_of(item, depth)):
            if not name:
                out.extend(run)
                continue
            inner = self._fold(self._by_scope(list(run), depth + 1))
            # a scope may fill the one around it, and is another part all the same
            out.append(self._part("scope", name, inner, str(depth) if depth else ""))
        return out

    def _scope_of(self, item: _Item, depth: int) -> str:
        scope = self.nodes[item.first].scope
        return scope[depth] if depth < len(scope) else ""

    # --- repetition

    def _by_repetition(self, items: list[_Item]) -> list[_Item]:
        out: list[_Item] = []
        for plain, run in itertools.groupby(items, lambda item: isinstance(item.member, str)):
            stretch = list(run)
            if plain:
                stretch = self._repeated_in(stretch[0].first, stretch[-1].last)
            out.extend(stretch)
        return out

    def _repeated_in(self, at: int, end: int) -> list[_Item]:
        """The equations from ``at`` to before ``end``, repeated ones as parts."""
        out: list[_Item] = []
        for start, period, count in _repetitions(self.codes, at, end):
            start, count = self._phase(start, period, count)
            out.extend(self._single(at, start))
            out.append(self._repetition(start, period, count))
            at = start + period * count
        return [*out, *self._single(at, end)]

    def _phase(self, start: int, period: int, total: int) -> tuple[int, int]:
        """Where the first step begins and how many there are: a step is cut where the fewest
        values pass from one to the next."""
        end = start + total
        passing = np.zeros(end - start + 2, dtype=np.int64)
        last_read: dict[int, int] = {}
        for maker, reader in self.reads:
            if start <= maker and reader < end:
                last_read[maker] = max(last_read.get(maker, 0), reader)
        for maker, reader in last_read.items():
            passing[maker + 1 - start] += 1
            passing[reader + 1 - start] -= 1
        passing = np.cumsum(passing)
        middle = (total // (2 * period)) * period

        def badness(shift: int) -> tuple[int, int, int]:
            return int(passing[middle + shift]), -((total - shift) // period), shift

        shift = min(range(period), key=badness)
        if (total - shift) // period < 3:
            shift = 0
        return start + shift, (total - shift) // period

    def _repetition(self, start: int, period: int, count: int) -> _Item:
        numbers = self._backward_numbers(start, period, count)
        word = "reverse step" if numbers else "step"
        numbers = numbers or list(range(count))
        self.repeated.append((start, period, count))
        alone = period == 1  # one equation again and again: no part for each
        title = f"{self.nodes[start].label if alone else word} ×{count}"
        steps = self._single(start, start + count) if alone else []
        for i, number in enumerate([] if alone else numbers):
            first = start + i * period
            inner = self._fold(self._single(first, first + period))
            steps.append(self._part("step", f"{word} {number}", inner))
        width = 1
        while len(steps) > self.most:
            size = _chunk_size(len(steps))
            chunks = []
            for i in range(0, len(steps), size):
                here = numbers[i * width : (i + size) * width]
                label = f"{word}s {here[0]}–{here[-1]}"
                if alone:
                    label = f"{self.nodes[start].label} {here[0]}–{here[-1]}"
                chunks.append(self._part("steps", label, steps[i : i + size]))
            steps, width = chunks, width * size
        return self._part("repetition", title, steps)

    def _backward_numbers(self, start: int, period: int, count: int) -> list[int] | None:
        """For the steps of a reverse sweep the numbers of the forward steps that they undo.

        Such steps read what an earlier repetition made, one step less with every step; anything
        else gives None.
        """
        for other, length, times in self.repeated:
            newest: dict[int, int] = {}  # of each step here: the last step there that it reads
            for maker, reader in self.reads:
                step, made = (reader - start) // period, (maker - other) // length
                if 0 <= step < count and 0 <= made < times and start <= reader and other <= maker:
                    newest[step] = max(newest.get(step, 0), made)
            first = newest.get(0, -1)
            if len(newest) >= 3 and all(made == first - i for i, made in newest.items()):
                return [first - i for i in range(count)]
        return None

    # --- the other ways

    def _by_function(self, items: list[_Item]) -> list[_Item]:
        return self._runs(items, "function", self._function_of, lambda key: f"{key}()")

    def _by_line(self, items: list[_Item]) -> list[_Item]:
        def label(source: str) -> str:
            return self.sources.get(source, SourceText()).text or source

        return self._runs(items, "line", self._line_of, label)

    def _by_number(self, items: list[_Item]) -> list[_Item]:
        while len(items) > self.most:
            size = _chunk_size(len(items))
            parts = []
            for i in range(0, len(items), size):
                chunk = items[i : i + size]
                label = f"equations {chunk[0].first}–{chunk[-1].last - 1}"
                parts.append(self._part("equations", label, chunk) if len(chunk) > 1 else chunk[0])
            items = parts
        return items

    def _function_of(self, item: _Item) -> str:
        found = {
            self.sources.get(node.source, SourceText()).function
            for node in self.nodes[item.first : item.last]
        }
        return found.pop() if len(found) == 1 else ""

    def _line_of(self, item: _Item) -> str:
        return self.nodes[item.first].source if isinstance(item.member, str) else ""

    def _runs(
        self,
        items: list[_Item],
        kind: str,
        key: Callable[[_Item], str],
        label: Callable[[str], str],
    ) -> list[_Item]:
        """Neighbours that share a key as one part each; keys that are empty join nothing."""
        runs: list[tuple[str, list[_Item]]] = []
        for item in items:
            found = key(item)
            if runs and found and runs[-1][0] == found:
                runs[-1][1].append(item)
            else:
                runs.append((found, [item]))
        if len(runs) == 1:
            return items
        return [
            self._part(kind, label(found), self._fold(run)) if len(run) > 1 else run[0]
            for found, run in runs
        ]


def _repetitions(codes: np.ndarray, first: int, last: int) -> list[tuple[int, int, int]]:
    """Stretches that repeat, as (start, period, length), in order and apart from each other.

    The stretch that covers most comes first, of equals the one with the shortest period; then
    what is left of it on both sides is searched.
    """
    found: list[tuple[int, int, int]] = []
    open_: list[tuple[int, int]] = [(first, last)]
    while open_:
        low, high = open_.pop()
        best = _longest_repetition(codes[low:high])
        if best is None:
            continue
        start, period, length = best
        found.append((low + start, period, length))
        open_ += [(low, low + start), (low + start + length, high)]
    return sorted(found)


def _longest_repetition(codes: np.ndarray) -> tuple[int, int, int] | None:
    count, best, covered = len(codes), None, _LEAST_REPEATED - 1
    for period in range(1, min(count // 3, _LONGEST_PERIOD) + 1):
        if covered >= count:
            break
        differs = np.flatnonzero(codes[period:] != codes[:-period])
        edges = np.concatenate(([-1], differs, [count - period]))
        lengths = np.diff(edges) - 1  # of the runs in which every equation comes again
        at = int(np.argmax(lengths))
        length = int(lengths[at]) + period
        if length // period >= 3 and length - length % period > covered:
            best, covered = (int(edges[at]) + 1, period, length), length - length % period
    return best
