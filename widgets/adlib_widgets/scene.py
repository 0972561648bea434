"""A graph record as shapes with places: the layout of nodes, and of graphs within nodes.

A nested graph is laid out first; its equation is then a box of that size in the graph around
it, whose links arrive above the nested inputs that they feed. The drawing is the one source
of truth for every picture: the static SVG and the interactive view are written from it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from adlib.inspect import GraphRecord, NodeRecord, ValueRecord
from adlib_widgets import theme
from adlib_widgets.layout import Box, Link, Point, layered_layout
from adlib_widgets.outline import Item, Level, Outline
from adlib_widgets.shapes import Curve, Rect, Scene, Shape, Stub, Text, moved
from adlib_widgets.theme import text_width
from adlib_widgets.tiles import (
    LABEL_GAP,
    LINE,
    Face,
    carried,
    chip_row,
    chip_shapes,
    clip,
    end_face,
    equation_face,
    group_face,
    group_note,
    label_text,
    spread,
)

__all__ = ["Curve", "Drawing", "DrawnLink", "Painter", "Placed", "Rect", "Scene", "Shape", "Stub",
           "Text", "Tile", "graph_scene", "scene_of"]  # fmt: skip

_INSET = 14.0  # between a container's outline and the graph in it
_HEADER = 24.0
_CAPTION = 18.0  # a branch's title
_VERTICAL_GAP = 30.0
_STUB_SHIFT = 9.0  # from a link that meets the box at the same port


@dataclass(frozen=True, slots=True)
class DrawnLink:
    """A link's way, the ids of the items at its ends, and the values that it carries."""

    points: tuple[Point, ...]
    source: str
    target: str
    values: tuple[ValueRecord, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A drawing at a place in a tile."""

    x: float
    y: float
    drawing: Drawing


@dataclass(frozen=True, slots=True)
class Tile:
    """A drawn item: its place in the drawing, and around its corner what it shows, in the order
    in which it is painted."""

    path: str
    id: str
    x: float
    y: float
    width: float
    height: float
    content: tuple[Shape | Placed, ...]
    foldable: bool = False
    open: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn level, and where along its top and bottom its inputs and outputs stand."""

    width: float
    height: float
    links: tuple[DrawnLink, ...]
    tiles: tuple[Tile, ...]
    input_spots: tuple[float, ...] = ()
    output_spots: tuple[float, ...] = ()


def graph_scene(record: GraphRecord, *, depth: int | None = None) -> Scene:
    """Place everything that a drawing of ``record`` shows.

    Args:
      record: the graph.
      depth: how many levels of nested graphs to open; None opens all, or as many as a picture
        can hold. Parts of a long program are closed.
    """
    outline = Outline(record)
    return scene_of(Painter(outline).draw(outline.to_depth(depth)))


def scene_of(drawing: Drawing) -> Scene:
    """A drawing's shapes, each at its place in the whole."""
    return Scene(drawing.width, drawing.height, tuple(_shapes(drawing)))


def _shapes(drawing: Drawing) -> list[Shape]:
    shapes: list[Shape] = [Curve(link.points) for link in drawing.links]
    for tile in drawing.tiles:
        for piece in tile.content:
            inner: Sequence[Shape] = (piece,)  # type: ignore[assignment]
            if isinstance(piece, Placed):
                inner = [moved(shape, piece.x, piece.y) for shape in _shapes(piece.drawing)]
            shapes.extend(moved(shape, tile.x, tile.y) for shape in inner)
    return shapes


class Painter:
    """Draws an outline with some of its items open; what stays as it is is drawn only once."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self._drawn: dict[tuple[int, frozenset[str], bool], Drawing] = {}

    def draw(self, opened: Set[str], *, labels: bool = False) -> Drawing:
        """The drawing with the items of these paths open.

        Args:
          opened: paths; those inside of closed items wait until these are opened.
          labels: whether to say at every link's end what it carries.
        """
        return self._level(self.outline.top, frozenset(opened), 0, labels)

    def _level(self, level: Level, opened: frozenset[str], depth: int, labels: bool) -> Drawing:
        inside = frozenset(self._open_inside(level, opened))
        key = (id(level), inside, labels)
        if key not in self._drawn:
            self._drawn[key] = self._draw_level(level, inside, depth, labels)
        return self._drawn[key]

    def _open_inside(self, level: Level, opened: frozenset[str]) -> list[str]:
        """Those of ``opened`` that can be seen in this level."""
        found = []
        for item in level.items.values():
            if item.path in opened and item.levels:
                found.append(item.path)
                for inner in item.levels:
                    found.extend(self._open_inside(inner, opened))
        return found

    def _draw_level(
        self, level: Level, opened: frozenset[str], depth: int, labels: bool
    ) -> Drawing:
        texts = _link_texts(level) if labels else None
        read = {(link.source, link.source_port) for link in level.links}
        faces: list[tuple[Item, Face | _OpenFace]] = []
        for item in level.items.values():
            above = None if texts is None else texts.get(item.id, {})
            if item.path in opened:
                faces.append((item, self._open(item, opened, depth, labels)))
            else:
                faces.append((item, _closed(item, level, read, above)))
        links = [Link(k.source, k.source_port, k.target, k.target_port) for k in level.links]
        linked = read | {(k.target, ~k.target_port) for k in level.links}
        gap = _VERTICAL_GAP + (LABEL_GAP if labels else 0.0)
        layout = layered_layout([face.box for _, face in faces], links, vertical_gap=gap)
        tiles = []
        for item, face in faces:
            content: list[Shape | Placed] = [*face.shapes, *_stubs(item, face.box, linked)]
            if texts is not None:
                content += _label_shapes(face.box, texts.get(item.id, {}))
            x, y = layout.corners[item.id]
            tiles.append(
                Tile(item.path, item.id, x, y, face.box.width, face.box.height, tuple(content),
                     bool(item.levels), item.path in opened)
            )  # fmt: skip
        drawn = [
            DrawnLink(points, link.source, link.target, link.values)
            for points, link in zip(layout.routes, level.links, strict=True)
        ]
        middles = {item.id: layout.corners[item.id][0] + face.box.width / 2
                   for item, face in faces}  # fmt: skip
        return Drawing(
            layout.width,
            layout.height,
            tuple(drawn),
            tuple(tiles),
            _spots(level, middles, "input", "inputs"),
            _spots(level, middles, "output", "outputs"),
        )

    # --- items that hold graphs -----------------------------------------------------------

    def _open(self, item: Item, opened: frozenset[str], depth: int, labels: bool) -> _OpenFace:
        pictures = [self._level(level, opened, depth + 1, labels) for level in item.levels]
        if item.group is not None:
            return _open_group(item, pictures[0], depth)
        assert item.node is not None
        return _container(item.node, pictures, depth)


@dataclass(slots=True)
class _OpenFace:
    """Like ``Face``, for an item that is open: there are drawings among its shapes."""

    box: Box
    shapes: list[Shape | Placed]


def _closed(
    item: Item, level: Level, read: Set[tuple[str, int]], labels: dict[int, str] | None
) -> Face:
    if item.group is not None:
        pin = {"inputs": "first" if level.part else "", "outputs": "last"}.get(item.group.kind, "")
        return group_face(item.group, " ".join((labels or {}).values()), pin)
    node = item.node
    assert node is not None
    if node.kind != "equation":
        return end_face(node, level.part, level.owner, labels or {})
    used = item.to_outside or any((node.id, i) in read for i in range(len(node.outputs)))
    return equation_face(node, not used, labels)


def _spots(level: Level, middles: dict[str, float], kind: str, group: str) -> tuple[float, ...]:
    """Where the inputs or outputs of a level stand, also of those that are in a closed part."""
    spots: list[float] = []
    for item in level.items.values():
        if item.node is not None and item.node.kind == kind:
            spots.append(middles[item.id])
        elif item.group is not None and item.group.kind == group:
            spots += [middles[item.id]] * item.group.count
    return tuple(spots)


def _stubs(item: Item, box: Box, linked: Set[tuple[str, int]]) -> list[Stub]:
    """The ends of links from outside and to there, beside those that are drawn; in ``linked``
    arriving ports are counted from -1 down."""

    def spot(ports: Sequence[float], port: int, key: int) -> float:
        return ports[port] + (_STUB_SHIFT if (item.id, key) in linked else 0.0)

    arriving = [Stub(spot(box.in_ports, i, ~i), 0.0, False) for i in sorted(item.from_outside)]
    leaving = [Stub(spot(box.out_ports, i, i), box.height, True) for i in sorted(item.to_outside)]
    return arriving + leaving


def _link_texts(level: Level) -> dict[str, dict[int, str]]:
    """By item and port: what the links that arrive there carry, in short."""
    arriving: dict[str, dict[int, dict[str, ValueRecord]]] = {}
    for link in level.links:
        values = arriving.setdefault(link.target, {}).setdefault(link.target_port, {})
        values.update((value.name, value) for value in link.values)
    return {
        name: {port: carried(tuple(values.values())) for port, values in ports.items()}
        for name, ports in arriving.items()
    }


def _label_shapes(box: Box, texts: dict[int, str]) -> list[Text]:
    """A label above every port; one for all links that end above the same closed part."""
    by_spot: dict[float, list[str]] = {}
    for port, text in sorted(texts.items()):
        by_spot.setdefault(box.in_ports[port], []).append(text)
    return [
        label_text(spot, several[0] if len(several) == 1 else f"{len(several)} values")
        for spot, several in by_spot.items()
    ]


def _open_group(item: Item, picture: Drawing, depth: int) -> _OpenFace:
    """A part with what it holds; links end at its outline, and go on inside as stubs."""
    group = item.group
    assert group is not None
    title, note = clip(group.label), clip(group_note(group))
    start = _INSET + text_width(title + "  ", theme.LABEL_SIZE)
    titled = start + text_width(note, theme.SMALL_SIZE) - _INSET
    width = max(picture.width, titled) + 2 * _INSET
    top = _HEADER + 10.0  # the stubs above the first boxes need some
    height = top + picture.height + _INSET + 6.0
    shapes: list[Shape | Placed] = [
        Rect(0, 0, width, height, theme.GROUPS[depth % len(theme.GROUPS)]),
        Text(_INSET, 17, title, theme.LABEL_SIZE, bold=True),
        Text(start, 17, note, theme.SMALL_SIZE, theme.MUTED),
        Placed((width - picture.width) / 2, top, picture),
    ]
    ports = (width / 2,)
    return _OpenFace(Box(group.id, width, height, ports, ports), shapes)


def _container(node: NodeRecord, pictures: Sequence[Drawing], depth: int) -> _OpenFace:
    """An equation with its graphs drawn in it, side by side under a title."""
    parts = node.subgraphs
    captions = [part.title for part in parts] if len(parts) > 1 else [""]
    columns = [
        max(picture.width, text_width(caption, theme.TEXT_SIZE))
        for picture, caption in zip(pictures, captions, strict=True)
    ]
    inner = sum(columns) + _INSET * 2 * (len(columns) - 1)
    title, subtitle = _container_title(node)
    subtitle_start = _INSET + text_width(title + "  ", theme.LABEL_SIZE)
    titled = subtitle_start + text_width(subtitle, theme.SMALL_SIZE) - _INSET
    # one graph's outputs stand right above the equation's; several graphs share a row of names
    mapped = len(parts) == 1 and len(parts[0].results) == len(node.outputs)
    chips = [] if mapped else [clip(str(value)) for value in node.outputs]
    chip_spots, chips_width = chip_row(chips)
    width = max(inner, titled, chips_width) + 2 * _INSET
    top = _HEADER + (_CAPTION if len(parts) > 1 else 0.0)
    body_height = max(picture.height for picture in pictures)
    height = top + body_height + _INSET + (LINE + 6 if chips else 0.0)

    shapes: list[Shape | Placed] = [
        Rect(0, 0, width, height, theme.CONTAINERS[depth % len(theme.CONTAINERS)]),
        Text(_INSET, 17, title, theme.LABEL_SIZE, bold=True),
        Text(subtitle_start, 17, subtitle, theme.SMALL_SIZE, theme.MUTED),
    ]
    x, lefts = (width - inner) / 2, []
    for picture, caption, column in zip(pictures, captions, columns, strict=True):
        middle = x + column / 2
        if caption:
            shapes.append(_caption(middle, caption))
        lefts.append(middle - picture.width / 2)
        shapes.append(Placed(lefts[-1], top, picture))
        x += column + 2 * _INSET
    row_left = (width - chips_width) / 2
    shapes.extend(chip_shapes(chips, chip_spots, row_left, height - 9))

    in_ports = spread(len(node.operands), width)
    if len(parts) == 1 and len(parts[0].operands) == len(node.operands):
        in_ports = _ports_at(parts[0].operands, pictures[0].input_spots, lefts[0])
    out_ports = tuple(row_left + spot for spot in chip_spots)
    if mapped:
        out_ports = _ports_at(parts[0].results, pictures[0].output_spots, lefts[0])
    return _OpenFace(Box(node.id, width, height, in_ports, out_ports), shapes)


def _caption(middle: float, text: str) -> Text:
    y = _HEADER + 10
    return Text(middle, y, text, theme.TEXT_SIZE, theme.MUTED, bold=True, anchor="middle")


def _ports_at(positions: Sequence[int], spots: Sequence[float], left: float) -> tuple[float, ...]:
    """Ports straight above or below the nested inputs or outputs that they belong to."""
    return tuple(left + spots[positions.index(port)] for port in range(len(positions)))


def _container_title(node: NodeRecord) -> tuple[str, str]:
    title = node.label
    if len(node.subgraphs) == 1 and node.subgraphs[0].title not in ("body", node.label):
        title = f"{node.label} {node.subgraphs[0].title}"
    params = "  ".join(name if text == "True" else f"{name}={text}" for name, text in node.params)
    return clip(title), clip("  ".join(text for text in (params, node.source) if text))
