"""A jaxpr view as the JSON that its interactive form draws from."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from adlib.inspect import NodeRecord
from adlib.inspect.listing import ListingRecord
from adlib.inspect.profile import CostRecord, ProfileRecord, cost_record
from adlib.inspect.summaries import to_json
from adlib_widgets import html, theme
from adlib_widgets.jaxpr_view import JaxprView
from adlib_widgets.outline import Item, Level
from adlib_widgets.scene import Drawing, Placed
from adlib_widgets.shapes import Rect, Stub, Text
from adlib_widgets.svg import curve_paths
from adlib_widgets.theme import BoxStyle

_SMALL = 150  # nodes: programs up to here carry their drawings and DOT text into saved pages
_MOST_TOGGLED = 8  # boxes that a saved page can fold one by one
_MOST_NAMED = 4  # values that a link's tip names
_STYLES: dict[BoxStyle, str] = {
    theme.INPUT: "input",
    theme.CONSTANT: "constant",
    theme.OUTPUT: "output",
    theme.EQUATION: "equation",
    theme.UNREAD: "unread",
    theme.GROUP: "part",
    theme.GROUP_INNER: "part-inner",
    **{style: f"nest{i}" for i, style in enumerate(theme.CONTAINERS)},
    **{style: f"open{i}" for i, style in enumerate(theme.GROUPS)},
}
_SIZES = {theme.LABEL_SIZE: "l", theme.TEXT_SIZE: "t", theme.SMALL_SIZE: "s"}
_COLORS = {theme.INK: "", theme.MUTED: " m", theme.VALUE: " v", theme.EDGE: " e"}


def program_json(view: JaxprView) -> dict[str, Any]:
    """Everything of a view but where it stands: nodes, lines, sources, costs."""
    table = _Table(view)
    small = len(table.nodes) <= _SMALL
    return {
        "about": html.describe(view.record),
        "nodes": table.nodes,
        "containers": table.containers,
        "lines": table.lines(view.listing),
        "sources": [
            {"name": block.name, "first": block.first, "lines": list(block.lines)}
            for block in view.listing.sources
        ],
        "measurable": view.values is not None,
        "small": small,
        "dot": view.to_dot() if small else "",
    }


def drawing_json(view: JaxprView, opened: Set[str], labels: bool) -> dict[str, Any]:
    """The drawing with these items open."""
    drawn = view.painter.draw(opened, labels=labels)
    return {"open": sorted(opened), "labels": labels, "root": _drawing(drawn)}


def drawings_json(view: JaxprView) -> list[dict[str, Any]]:
    """The drawings that a page without a kernel can show: as at first, all folded, all open, and
    with any one box folded or unfolded from the first."""
    outline = view.outline
    first, everything = outline.at_first(), outline.everything()
    states = [first, frozenset()]
    if outline.count(everything, _SMALL) <= _SMALL:
        states.append(everything)
    drawings = [
        drawing_json(view, state, labels)
        for state in dict.fromkeys(states)
        for labels in (False, True)
    ]
    toggled = [_toggled(view, first, path) for path in _foldable_in_sight(view, first)]
    new = [state for state in dict.fromkeys(toggled[:_MOST_TOGGLED]) if state not in states]
    return drawings + [drawing_json(view, state, False) for state in new]


def _foldable_in_sight(view: JaxprView, opened: Set[str]) -> list[str]:
    found, waiting = [], [view.outline.top]
    for level in waiting:  # grows while we walk it
        for item in level.items.values():
            if item.levels:
                found.append(item.path)
                waiting.extend(item.levels if item.path in opened else ())
    return found


def _toggled(view: JaxprView, opened: frozenset[str], path: str) -> frozenset[str]:
    """With ``path`` folded, and all in it; or unfolded."""
    if path not in opened:
        return opened | {path}
    inside: set[str] = {path}
    waiting = list(view.outline.foldable[path].levels)
    for level in waiting:  # grows while we walk it
        for item in level.items.values():
            inside.add(item.path)
            waiting.extend(item.levels)
    return opened - inside


def measures_json(table: Sequence[dict[str, Any]], profile: ProfileRecord) -> dict[str, Any]:
    """What a run measured, per node of ``table``; None for what did not run."""
    found = [profile.measures.get(node["path"]) for node in table]

    def column(name: str) -> list[Any]:
        return [None if one is None else getattr(one, name) for one in found]

    return to_json(
        {
            "seconds": column("seconds"),
            "magnitude": column("largest"),
            "runs": column("runs"),
            "nans": column("nans"),
            "infs": column("infs"),
            "values": column("values"),
            "complete": profile.complete,
        }
    )


class _Table:
    """The nodes of all levels in the program's order, each knowing who makes what it reads."""

    def __init__(self, view: JaxprView) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.containers: list[dict[str, Any]] = []
        self.costs: dict[str, CostRecord] = cost_record(view.jaxpr)
        self.index: dict[str, int] = {}
        edges = {
            (prefix + edge.target, edge.target_port): prefix + edge.source
            for prefix, record in _graphs(view.record, "")
            for edge in record.edges
        }
        self._level(view.outline.top, -1, 0, edges)
        for node in self.nodes:
            node["from"] = [self.index.get(path, -1) for path in node["from"]]

    def _level(
        self, level: Level, parent: int, depth: int, edges: dict[tuple[str, int], str]
    ) -> None:
        for item in level.items.values():
            if item.node is not None:
                self._node(item, item.node, level, parent, depth, edges)
            if not item.levels:
                continue
            first = len(self.nodes)
            here = len(self.containers)
            self.containers.append({"path": item.path, "parent": parent, "depth": depth})
            for inner in item.levels:
                self._level(inner, here, depth + (item.group is None), edges)
            box = self.containers[here]
            box["first"], box["last"] = first, len(self.nodes)
            if item.group is not None:
                group = item.group
                box["group"] = [group.kind, group.label, group.source, group.text, group.count]

    def _node(
        self,
        item: Item,
        node: NodeRecord,
        level: Level,
        parent: int,
        depth: int,
        edges: dict[tuple[str, int], str],
    ) -> None:
        self.index[item.path] = len(self.nodes)
        made_by = [edges.get((item.path, port), "") for port in range(len(node.operands))]
        if node.kind == "input" and level.part is not None and level.owner is not None:
            number = int(node.id.rsplit("_", 1)[1])
            if number < len(level.part.operands):  # the caller's value
                made_by = [self._operand_of(parent, level.part.operands[number], edges)]
        cost = self.costs.get(item.path)
        self.nodes.append(
            {
                "path": item.path,
                "kind": node.kind,
                "label": node.label,
                "operands": list(node.operands),
                "params": [list(pair) for pair in node.params],
                "outputs": [[value.name, value.type] for value in node.outputs],
                "note": node.note,
                "source": node.source,
                "parent": parent,
                "depth": depth,
                "from": made_by,
                "flops": None if cost is None else cost.flops,
                "bytes": None if cost is None else cost.bytes,
                "rounds": None if cost is None else cost.rounds,
                "counted": cost is None or cost.counted,
            }
        )

    def _operand_of(self, parent: int, port: int, edges: dict[tuple[str, int], str]) -> str:
        """Who makes an operand of the equation whose program is being entered."""
        while parent >= 0 and self.containers[parent]["path"] not in self.index:
            parent = self.containers[parent]["parent"]
        return edges.get((self.containers[parent]["path"], port), "") if parent >= 0 else ""

    def lines(self, listing: ListingRecord) -> list[list[Any]]:
        """Lines as [indent, text, node or -1, kind]."""
        return [
            [
                line.indent,
                line.text,
                self.index.get(line.path, -1) if line.kind == "equation" else -1,
                line.kind,
            ]
            for line in listing.lines
        ]


def _graphs(record: Any, prefix: str) -> Any:
    yield prefix, record
    for node in record.nodes:
        for part in node.subgraphs:
            yield from _graphs(part.graph, f"{prefix}{node.id}/{part.title}/")


def _drawing(drawing: Drawing) -> dict[str, Any]:
    return {
        "w": _short(drawing.width),
        "h": _short(drawing.height),
        "links": [
            [*curve_paths(link.points), link.source, link.target, _named(link.values),
             _extent(link.points)]
            for link in drawing.links
        ],
        "tiles": [
            {
                "p": tile.path,
                "id": tile.id,
                "x": _short(tile.x),
                "y": _short(tile.y),
                "w": _short(tile.width),
                "h": _short(tile.height),
                "f": int(tile.foldable),
                "o": int(tile.open),
                "c": [_piece(piece) for piece in tile.content],
            }
            for tile in drawing.tiles
        ],
    }  # fmt: skip


def _piece(piece: Any) -> list[Any]:
    x, y = _short(piece.x), _short(piece.y)
    if isinstance(piece, Placed):
        return ["g", x, y, _drawing(piece.drawing)]
    if isinstance(piece, Rect):
        return ["r", x, y, _short(piece.width), _short(piece.height), _STYLES[piece.style]]
    if isinstance(piece, Stub):
        return ["s", x, y, int(piece.down)]
    assert isinstance(piece, Text)
    look = _SIZES[piece.size] + _COLORS[piece.color]
    look += (" b" if piece.bold else "") + (" i" if piece.italic else "")
    return ["t", x, y, piece.text, look, piece.anchor]


def _extent(points: Sequence[tuple[float, float]]) -> list[float]:
    """Left, top, right and bottom of a link."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return [_short(min(xs)), _short(min(ys)), _short(max(xs)), _short(max(ys))]


def _named(values: Sequence[Any]) -> str:
    named = ", ".join(str(value) for value in values[:_MOST_NAMED])
    return named if len(values) <= _MOST_NAMED else f"{len(values)} values: {named}, …"


def _short(value: float) -> float:
    short = round(value, 1)
    return int(short) if short == int(short) else short
