"""What of a program can be folded: its nested graphs, named scopes, the parts of a long graph.

An outline is a tree of levels. A level is what is drawn as one graph: the outermost program, a
program in an equation, or what a part of a long program holds. Its items are nodes and closed
parts; links between two of them that run to or from a part are bundled to one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from adlib.inspect import GraphRecord, NodeRecord, SubgraphRecord, ValueRecord
from adlib.inspect.groups import GroupRecord, Member, SourceText, grouped

MOST_OPEN = 150  # nodes that an outline opens by itself
_MOST_STATIC = 400  # nodes of a picture that opens everything to its depth


@dataclass(frozen=True, slots=True)
class ItemLink:
    """Values on their way between two items of a level; ports of parts are always 0."""

    source: str
    source_port: int
    target: str
    target_port: int
    values: tuple[ValueRecord, ...]


@dataclass
class Item:
    """A node, or a part that is drawn as one.

    Attributes:
      path: unique in the outline; of equations as in ``walk_equations``.
      node, group: one of them.
      from_outside: ports whose values come from outside of the level.
      to_outside: ports whose values are read outside of the level.
    """

    path: str
    graph: _Graph
    node: NodeRecord | None = None
    group: GroupRecord | None = None
    from_outside: set[int] = field(default_factory=set)
    to_outside: set[int] = field(default_factory=set)

    @property
    def id(self) -> str:
        return self.node.id if self.node is not None else self.group.id  # type: ignore[union-attr]

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """What opening the item shows; empty where there is nothing to open."""
        if self.group is not None:
            return (self.graph.levels[self.group.id],)
        parts = self.node.subgraphs if self.node is not None else ()
        return tuple(
            _Graph(part.graph, f"{self.path}/{part.title}/", self.graph.sources, part, self.node)
            .levels[""] for part in parts
        )  # fmt: skip


@dataclass
class Level:
    """What is drawn as one graph.

    Attributes:
      items: by their ids, in the program's order.
      links: between them.
      part, owner: of a program in an equation: its record, and the equation's.
      group: whether it is the inside of a part.
    """

    items: dict[str, Item]
    links: list[ItemLink] = field(default_factory=list)
    part: SubgraphRecord | None = None
    owner: NodeRecord | None = None
    group: bool = False


class _Graph:
    """The levels of one graph: the outermost under ``""``, those of parts under their ids."""

    def __init__(
        self,
        record: GraphRecord,
        prefix: str,
        sources: Callable[[], Mapping[str, SourceText]],
        part: SubgraphRecord | None = None,
        owner: NodeRecord | None = None,
    ) -> None:
        self.sources = sources
        self.prefix = prefix
        self.nodes = {node.id: node for node in record.nodes}
        self.chains: dict[str, tuple[str, ...]] = {}  # of each node: the parts around it
        self.levels: dict[str, Level] = {}
        # such a graph has no parts: spare the search for them
        few = len(record.nodes) <= 24 and not any(node.scope for node in record.nodes)
        members = tuple(self.nodes) if few else grouped(record, LazySources(sources))
        self._add_level("", members, ())
        top = self.levels[""]
        top.part, top.owner = part, owner
        self._link(record)

    def _add_level(self, name: str, members: tuple[Member, ...], chain: tuple[str, ...]) -> None:
        items: dict[str, Item] = {}
        self.levels[name] = Level(items, group=bool(name))
        for member in members:
            if isinstance(member, GroupRecord):
                items[member.id] = Item(self.prefix + member.id, self, group=member)
                self._add_level(member.id, member.members, (*chain, member.id))
            else:
                items[member] = Item(self.prefix + member, self, node=self.nodes[member])
                self.chains[member] = chain

    def _link(self, record: GraphRecord) -> None:
        """Every edge as a link of the innermost level that holds both of its ends."""
        bundles: dict[tuple[str, str, int, str, int], dict[str, ValueRecord]] = {}
        for edge in record.edges:
            above, below = self.chains[edge.source], self.chains[edge.target]
            shared = 0
            while shared < min(len(above), len(below)) and above[shared] == below[shared]:
                shared += 1
            level = above[shared - 1] if shared else ""
            source, source_port = edge.source, edge.source_port
            target, target_port = edge.target, edge.target_port
            for name in reversed(above[shared:]):
                self.levels[name].items[source].to_outside.add(source_port)
                source, source_port = name, 0
            for name in reversed(below[shared:]):
                self.levels[name].items[target].from_outside.add(target_port)
                target, target_port = name, 0
            key = (level, source, source_port, target, target_port)
            bundles.setdefault(key, {})[edge.name] = ValueRecord(edge.name, edge.type)
        for (level, source, source_port, target, target_port), values in bundles.items():
            carried = tuple(values.values())
            link = ItemLink(source, source_port, target, target_port, carried)
            self.levels[level].links.append(link)


class LazySources(Mapping[str, SourceText]):
    """Sources that are looked up only if a program is long enough to have parts."""

    def __init__(self, make: Callable[[], Mapping[str, SourceText]]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Mapping[str, SourceText]:
        return self._make()

    def __getitem__(self, key: str) -> SourceText:
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


class Outline:
    """The tree of levels of a graph record.

    Attributes:
      top: the outermost level.
    """

    def __init__(
        self,
        record: GraphRecord,
        sources: Callable[[], Mapping[str, SourceText]] = dict,
    ) -> None:
        self.record = record
        self.top: Level = _Graph(record, "", sources).levels[""]

    @cached_property
    def foldable(self) -> dict[str, Item]:
        """Every item that can be opened, by path, outer ones first."""
        found: dict[str, Item] = {}

        def visit(level: Level) -> None:
            for item in level.items.values():
                if item.levels:
                    found[item.path] = item
                    for inner in item.levels:
                        visit(inner)

        visit(self.top)
        return found

    def to_depth(self, depth: int | None) -> frozenset[str]:
        """What a picture opens: nested graphs and named scopes to ``depth``, and no other parts.

        None opens all of them, as long as the picture does not become huge.
        """
        if depth is not None:
            return frozenset(self._nested(self.top, depth))
        everything = frozenset(self._nested(self.top, 10**6))
        if self.count(everything, _MOST_STATIC) <= _MOST_STATIC:
            return everything
        return self._most(_MOST_STATIC)

    def at_first(self) -> frozenset[str]:
        """What an interactive view opens at first: as many levels of nested graphs as are read
        at a glance."""
        return self._most(MOST_OPEN)

    def everything(self) -> frozenset[str]:
        """All that can be opened."""
        return frozenset(self.foldable)

    def _most(self, most: int) -> frozenset[str]:
        best: frozenset[str] = frozenset()
        for depth in range(1, 100):
            more = frozenset(self._nested(self.top, depth))
            if more == best or self.count(more, most) > most:
                return best
            best = more
        return best

    def _nested(self, level: Level, depth: int) -> Iterator[str]:
        for item in level.items.values():
            own = item.group is None or item.group.kind == "scope"
            if own and item.levels and depth > 0:
                yield item.path
                for inner in item.levels:
                    yield from self._nested(inner, depth - 1)

    def count(self, opened: frozenset[str], most: int) -> int:
        """How many items are in sight; counting ends soon after ``most``."""
        total, waiting = 0, [self.top]
        while waiting and total <= most:
            for item in waiting.pop().items.values():
                total += 1
                if item.path in opened:
                    waiting.extend(item.levels)
        return total
