"""A graph record as shapes with places: the layout of nodes, and of graphs within nodes.

A nested graph is laid out first; its equation is then a box of that size in the graph around
it, whose links arrive above the nested inputs that they feed. The scene is the one source
of truth for every drawing: the static SVG is written from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adlib.inspect import GraphRecord, NodeRecord, SubgraphRecord
from adlib_widgets import theme
from adlib_widgets.layout import Box, Link, Point, layered_layout
from adlib_widgets.theme import BoxStyle, text_width

_PAD_X, _PAD_Y = 9.0, 6.0
_LINE = 15.0  # from one line of text to the next
_INSET = 14.0  # between a container's outline and the graph in it
_HEADER = 24.0
_CAPTION = 18.0  # a branch's title
_MOST_LETTERS = 38
_CHIP_GAP = 12.0


@dataclass(frozen=True, slots=True)
class Rect:
    """A box's outline; ``x`` and ``y`` are its top left corner."""

    x: float
    y: float
    width: float
    height: float
    style: BoxStyle


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; ``x`` is its start, middle or end, ``y`` its baseline."""

    x: float
    y: float
    text: str
    size: float
    color: str = theme.INK
    bold: bool = False
    anchor: str = "start"
    italic: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """A link with an arrow head at its end; ``dashed`` where nothing is carried on."""

    points: tuple[Point, ...]


Shape = Rect | Text | Curve


@dataclass(frozen=True, slots=True)
class Scene:
    """Shapes in the order in which they are painted, and the size of the whole."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class _Picture:
    """A drawn graph and where, along its top and bottom, its inputs and outputs stand."""

    scene: Scene
    input_spots: tuple[float, ...]
    output_spots: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Tile:
    """A drawn node: its box for the layout, and its shapes around the box's corner."""

    box: Box
    shapes: tuple[Shape, ...]


def graph_scene(record: GraphRecord, *, depth: int | None = None) -> Scene:
    """Place everything that a drawing of ``record`` shows.

    Args:
      record: the graph.
      depth: how many levels of nested graphs to open; None opens all.
    """
    return _draw_graph(record, 10**6 if depth is None else depth, 0, None, None).scene


def _draw_graph(
    graph: GraphRecord,
    depth: int,
    level: int,
    part: SubgraphRecord | None,
    owner: NodeRecord | None,
) -> _Picture:
    """Draw ``graph``, which is ``part`` of the equation ``owner`` unless it is the outermost."""
    read = {(edge.source, edge.source_port) for edge in graph.edges}
    tiles = []
    for node in graph.nodes:
        if node.kind == "equation":
            unread = not any((node.id, i) in read for i in range(len(node.outputs)))
            tiles.append(_draw_equation(node, depth, level, unread))
        else:
            tiles.append(_draw_end(node, part, owner))
    links = [Link(e.source, e.source_port, e.target, e.target_port) for e in graph.edges]
    layout = layered_layout([tile.box for tile in tiles], links)
    shapes: list[Shape] = [Curve(points) for points in layout.routes]
    for tile in tiles:
        x, y = layout.corners[tile.box.id]
        shapes.extend(_moved(shape, x, y) for shape in tile.shapes)

    def spots(kind: str) -> tuple[float, ...]:
        middles = {tile.box.id: tile.box.width / 2 for tile in tiles}
        return tuple(layout.corners[n.id][0] + middles[n.id] for n in graph.of_kind(kind))

    scene = Scene(layout.width, layout.height, tuple(shapes))
    return _Picture(scene, spots("input"), spots("output"))


def _moved(shape: Shape, dx: float, dy: float) -> Shape:
    if isinstance(shape, Curve):
        return Curve(tuple((x + dx, y + dy) for x, y in shape.points))
    return replace(shape, x=shape.x + dx, y=shape.y + dy)


# --- inputs, constants, outputs -----------------------------------------------------------


def _draw_end(node: NodeRecord, part: SubgraphRecord | None, owner: NodeRecord | None) -> _Tile:
    """A pill: what the value is called here, and what it is called outside."""
    nested = part is not None and owner is not None
    number = int(node.id.rsplit("_", 1)[1])
    if node.kind == "output":
        first, second = (node.label if nested else f"out {node.label}"), ""
        if nested and number < len(part.results):
            second = f"→ {owner.outputs[part.results[number]]}"
        style, pin = theme.OUTPUT, "last"
    else:
        first, second = str(node.outputs[0]), node.note
        style, pin = theme.INPUT, "first" if nested else ""
        if node.kind == "constant":
            style, pin = theme.CONSTANT, ""
        elif nested and number < len(part.operands):
            second = f"{node.note} ← {owner.operands[part.operands[number]]}".strip()
        elif not nested and node.note:
            first, second = node.note, str(node.outputs[0])
    lines = [_clip(line) for line in (first, second) if line]
    widths = [text_width(lines[0], theme.TEXT_SIZE)]
    widths += [text_width(line, theme.SMALL_SIZE) for line in lines[1:]]
    width = max(widths) + 2 * (_PAD_X + 3)
    height = _LINE * len(lines) + 2 * _PAD_Y
    middle = width / 2
    shapes: list[Shape] = [Rect(0, 0, width, height, style)]
    for i, line in enumerate(lines):
        size = theme.SMALL_SIZE if i else theme.TEXT_SIZE
        color = theme.MUTED if i else theme.INK
        y = _baseline(i)
        shapes.append(Text(middle, y, line, size, color, bold=not i, anchor="middle"))
    ports = (middle,)
    box = Box(node.id, width, height, ports, ports, pin)
    return _Tile(box, tuple(shapes))


def _baseline(line: int) -> float:
    return _PAD_Y + _LINE * line + 11.5


# --- equations ----------------------------------------------------------------------------


def _draw_equation(node: NodeRecord, depth: int, level: int, unread: bool) -> _Tile:
    if node.subgraphs and depth > 0:
        return _draw_container(node, depth, level)
    rows = _head_rows(node)
    chips = [_clip(str(value)) for value in node.outputs]
    chip_spots, chips_width = _chip_row(chips)
    source_width = text_width(node.source, theme.SMALL_SIZE)
    last_row = chips_width + (_CHIP_GAP + source_width if node.source else 0.0)
    width = max([last_row, *(row_width for row_width, _ in rows)]) + 2 * _PAD_X
    width = max(width, 14.0 * (len(node.operands) + 1))
    height = _LINE * (len(rows) + 1) + 2 * _PAD_Y
    style = theme.UNREAD if unread else theme.EQUATION
    shapes: list[Shape] = [Rect(0, 0, width, height, style)]
    for i, (_, texts) in enumerate(rows):
        shapes.extend(_moved(text, _PAD_X, _baseline(i)) for text in texts)
    spread = len(chips) > 1 and not node.source
    left = (width - chips_width) / 2 if spread else _PAD_X
    baseline = _baseline(len(rows))
    shapes.extend(_chip_shapes(chips, chip_spots, left, baseline))
    if node.source:
        end = width - _PAD_X
        shapes.append(Text(end, baseline, node.source, theme.SMALL_SIZE, theme.MUTED,
                           anchor="end", italic=True))  # fmt: skip
    out_ports = (width / 2,) if len(chips) == 1 else tuple(left + spot for spot in chip_spots)
    box = Box(node.id, width, height, _spread(len(node.operands), width), out_ports)
    return _Tile(box, tuple(shapes))


def _head_rows(node: NodeRecord) -> list[tuple[float, list[Text]]]:
    """What an equation does: its primitive and operands, its parameters; with their widths."""
    operands = _clip(" ".join(node.operands))
    start = text_width(node.label + " ", theme.LABEL_SIZE)
    head = [
        Text(0, 0, node.label, theme.LABEL_SIZE, bold=True),
        Text(start, 0, operands, theme.TEXT_SIZE),
    ]
    rows = [(start + text_width(operands, theme.TEXT_SIZE), head)]
    for line in _param_lines(node):
        width = text_width(line, theme.SMALL_SIZE)
        rows.append((width, [Text(0, 0, line, theme.SMALL_SIZE, theme.MUTED)]))
    return rows


def _param_lines(node: NodeRecord) -> list[str]:
    """The parameters as ``name=text``, as many to a line as fit."""
    lines: list[str] = []
    for name, text in node.params:
        item = name if text == "True" else f"{name}={text}"
        if lines and len(lines[-1]) + len(item) + 2 <= _MOST_LETTERS:
            lines[-1] += f"  {item}"
        else:
            lines.append(_clip(item))
    return lines


def _clip(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…"


def _chip_row(chips: Sequence[str]) -> tuple[list[float], float]:
    """The middles of the output variables set side by side, and the row's width."""
    spots, x = [], 0.0
    for chip in chips:
        width = text_width(chip, theme.TEXT_SIZE)
        spots.append(x + width / 2)
        x += width + _CHIP_GAP
    return spots, max(x - _CHIP_GAP, 0.0)


def _chip_shapes(
    chips: Sequence[str], spots: Sequence[float], left: float, baseline: float
) -> list[Shape]:
    return [
        Text(left + spot, baseline, chip, theme.TEXT_SIZE, theme.VALUE, anchor="middle")
        for chip, spot in zip(chips, spots, strict=True)
    ]


def _spread(count: int, width: float) -> tuple[float, ...]:
    """Ports at equal distances along a side."""
    return tuple(round(width * (i + 1) / (count + 1), 2) for i in range(count))


# --- equations that hold graphs -----------------------------------------------------------


def _draw_container(node: NodeRecord, depth: int, level: int) -> _Tile:
    """An equation with its graphs drawn in it, side by side under a title."""
    parts = node.subgraphs
    pictures = [_draw_graph(part.graph, depth - 1, level + 1, part, node) for part in parts]
    captions = [part.title for part in parts] if len(parts) > 1 else [""]
    columns = [
        max(picture.scene.width, text_width(caption, theme.TEXT_SIZE))
        for picture, caption in zip(pictures, captions, strict=True)
    ]
    inner = sum(columns) + _INSET * 2 * (len(columns) - 1)
    title, subtitle = _container_title(node)
    subtitle_start = _INSET + text_width(title + "  ", theme.LABEL_SIZE)
    titled = subtitle_start + text_width(subtitle, theme.SMALL_SIZE) - _INSET
    # one graph's outputs stand right above the equation's; several graphs share a row of names
    mapped = len(parts) == 1 and len(parts[0].results) == len(node.outputs)
    chips = [] if mapped else [_clip(str(value)) for value in node.outputs]
    chip_spots, chips_width = _chip_row(chips)
    width = max(inner, titled, chips_width) + 2 * _INSET
    top = _HEADER + (_CAPTION if len(parts) > 1 else 0.0)
    body_height = max(picture.scene.height for picture in pictures)
    height = top + body_height + _INSET + (_LINE + 6 if chips else 0.0)

    shapes: list[Shape] = [
        Rect(0, 0, width, height, theme.CONTAINERS[level % len(theme.CONTAINERS)]),
        Text(_INSET, 17, title, theme.LABEL_SIZE, bold=True),
        Text(subtitle_start, 17, subtitle, theme.SMALL_SIZE, theme.MUTED),
    ]
    x, lefts = (width - inner) / 2, []
    for picture, caption, column in zip(pictures, captions, columns, strict=True):
        middle = x + column / 2
        if caption:
            shapes.append(_caption(middle, caption))
        lefts.append(middle - picture.scene.width / 2)
        shapes.extend(_moved(shape, lefts[-1], top) for shape in picture.scene.shapes)
        x += column + 2 * _INSET
    row_left = (width - chips_width) / 2
    shapes.extend(_chip_shapes(chips, chip_spots, row_left, height - 9))

    in_ports = _spread(len(node.operands), width)
    if len(parts) == 1 and len(parts[0].operands) == len(node.operands):
        in_ports = _ports_at(parts[0].operands, pictures[0].input_spots, lefts[0])
    out_ports = tuple(row_left + spot for spot in chip_spots)
    if mapped:
        out_ports = _ports_at(parts[0].results, pictures[0].output_spots, lefts[0])
    return _Tile(Box(node.id, width, height, in_ports, out_ports), tuple(shapes))


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
    return _clip(title), _clip("  ".join(text for text in (params, node.source) if text))
