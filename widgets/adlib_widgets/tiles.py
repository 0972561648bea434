"""Boxes with their texts: inputs and outputs, equations, closed parts of a long program.

Each is drawn around its own top left corner; the scene moves it to where the layout wants it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from adlib.inspect import NodeRecord, SubgraphRecord, ValueRecord
from adlib.inspect.groups import GroupRecord
from adlib_widgets import theme
from adlib_widgets.layout import Box
from adlib_widgets.shapes import Rect, Shape, Text, moved
from adlib_widgets.theme import text_width

PAD_X, PAD_Y = 9.0, 6.0
LINE = 15.0  # from one line of text to the next
LABEL_GAP = 14.0  # room above a box for what its links carry
_MOST_LETTERS = 38
_CHIP_GAP = 12.0
_BORDER = 3.0  # between the two outlines of a part


@dataclass(slots=True)
class Face:
    """How a box looks when nothing in it is open, and where links meet it."""

    box: Box
    shapes: list[Shape] = field(default_factory=list)


def baseline(line: int) -> float:
    return PAD_Y + LINE * line + 11.5


def clip(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…"


def spread(count: int, width: float) -> tuple[float, ...]:
    """Ports at equal distances along a side."""
    return tuple(round(width * (i + 1) / (count + 1), 2) for i in range(count))


# --- what links carry -----------------------------------------------------------------------


def carried(values: Sequence[ValueRecord]) -> str:
    """What a link carries, for the label at its end: a type, or how many values."""
    return values[0].type if len(values) == 1 else f"{len(values)} values"


def label_text(spot: float, text: str) -> Text:
    return Text(spot, -9.0, text, theme.SMALL_SIZE, theme.EDGE, anchor="middle")


def _labelled(labels: dict[int, str], count: int, width: float) -> tuple[float, tuple[float, ...]]:
    """The width and the ports of a box above which every link's label has its room."""
    widths = [text_width(labels.get(i, ""), theme.SMALL_SIZE) + 10 for i in range(count)]
    width = max(width, sum(widths))
    ports, x = [], (width - sum(widths)) / 2
    for one in widths:
        ports.append(round(x + one / 2, 2))
        x += one
    return width, tuple(ports)


# --- inputs, constants, outputs -----------------------------------------------------------


def end_face(
    node: NodeRecord,
    part: SubgraphRecord | None,
    owner: NodeRecord | None,
    labels: dict[int, str],
) -> Face:
    """A pill: what the value is called here, and what it is called outside."""
    nested = part is not None and owner is not None
    number = int(node.id.rsplit("_", 1)[1])
    if node.kind == "output":
        first, second = (node.label if nested else f"out {node.label}"), ""
        if part is not None and owner is not None and number < len(part.results):
            second = f"→ {owner.outputs[part.results[number]]}"
        style, pin = theme.OUTPUT, "last"
    else:
        first, second = str(node.outputs[0]), node.note
        style, pin = theme.INPUT, "first" if nested else ""
        if node.kind == "constant":
            style, pin = theme.CONSTANT, ""
        elif part is not None and owner is not None and number < len(part.operands):
            second = f"{node.note} ← {owner.operands[part.operands[number]]}".strip()
        elif not nested and node.note:
            first, second = node.note, str(node.outputs[0])
    lines = [clip(line) for line in (first, second) if line]
    widths = [text_width(lines[0], theme.TEXT_SIZE)]
    widths += [text_width(line, theme.SMALL_SIZE) for line in lines[1:]]
    width = max(widths) + 2 * (PAD_X + 3)
    if labels:
        width = max(width, _labelled(labels, 1, 0.0)[0])
    height = LINE * len(lines) + 2 * PAD_Y
    middle = width / 2
    shapes: list[Shape] = [Rect(0, 0, width, height, style)]
    for i, line in enumerate(lines):
        size = theme.SMALL_SIZE if i else theme.TEXT_SIZE
        color = theme.MUTED if i else theme.INK
        y = baseline(i)
        shapes.append(Text(middle, y, line, size, color, bold=not i, anchor="middle"))
    ports = (middle,)
    return Face(Box(node.id, width, height, ports, ports, pin), shapes)


# --- equations ----------------------------------------------------------------------------


def equation_face(node: NodeRecord, unread: bool, labels: dict[int, str] | None) -> Face:
    """A box: primitive and operands, parameters, results and the user's line."""
    rows = _head_rows(node)
    chips = [clip(str(value)) for value in node.outputs]
    chip_spots, chips_width = chip_row(chips)
    source_width = text_width(node.source, theme.SMALL_SIZE)
    last_row = chips_width + (_CHIP_GAP + source_width if node.source else 0.0)
    width = max([last_row, *(row_width for row_width, _ in rows)]) + 2 * PAD_X
    width = max(width, 14.0 * (len(node.operands) + 1))
    in_ports = spread(len(node.operands), width)
    if labels is not None:
        width, in_ports = _labelled(labels, len(node.operands), width)
    height = LINE * (len(rows) + 1) + 2 * PAD_Y
    style = theme.UNREAD if unread else theme.EQUATION
    shapes: list[Shape] = [Rect(0, 0, width, height, style)]
    for i, (_, texts) in enumerate(rows):
        shapes.extend(moved(text, PAD_X, baseline(i)) for text in texts)
    apart = len(chips) > 1 and not node.source
    left = (width - chips_width) / 2 if apart else PAD_X
    bottom = baseline(len(rows))
    shapes.extend(chip_shapes(chips, chip_spots, left, bottom))
    if node.source:
        end = width - PAD_X
        shapes.append(Text(end, bottom, node.source, theme.SMALL_SIZE, theme.MUTED,
                           anchor="end", italic=True))  # fmt: skip
    out_ports = (width / 2,) if len(chips) == 1 else tuple(left + spot for spot in chip_spots)
    return Face(Box(node.id, width, height, in_ports, out_ports), shapes)


def _head_rows(node: NodeRecord) -> list[tuple[float, list[Text]]]:
    """What an equation does: its primitive and operands, its parameters; with their widths."""
    operands = clip(" ".join(node.operands))
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
            lines.append(clip(item))
    return lines


def chip_row(chips: Sequence[str]) -> tuple[list[float], float]:
    """The middles of the output variables set side by side, and the row's width."""
    spots, x = [], 0.0
    for chip in chips:
        width = text_width(chip, theme.TEXT_SIZE)
        spots.append(x + width / 2)
        x += width + _CHIP_GAP
    return spots, max(x - _CHIP_GAP, 0.0)


def chip_shapes(
    chips: Sequence[str], spots: Sequence[float], left: float, bottom: float
) -> list[Shape]:
    return [
        Text(left + spot, bottom, chip, theme.TEXT_SIZE, theme.VALUE, anchor="middle")
        for chip, spot in zip(chips, spots, strict=True)
    ]


# --- parts ----------------------------------------------------------------------------------


def group_face(group: GroupRecord, label: str, pin: str) -> Face:
    """A box with two outlines: what the part is, where it comes from, how much it holds."""
    rows = [Text(0, 0, clip(group.label), theme.LABEL_SIZE, bold=True)]
    if group.text and group.text != group.label:
        rows.append(Text(0, 0, clip(group.text), theme.TEXT_SIZE))
    rows.append(Text(0, 0, group_note(group), theme.SMALL_SIZE, theme.MUTED))
    width = max(text_width(row.text, row.size) for row in rows) + 2 * (PAD_X + _BORDER)
    width = max(width, text_width(label, theme.SMALL_SIZE) + 10)
    height = LINE * len(rows) + 2 * (PAD_Y + _BORDER)
    shapes: list[Shape] = [
        Rect(0, 0, width, height, theme.GROUP),
        Rect(_BORDER, _BORDER, width - 2 * _BORDER, height - 2 * _BORDER, theme.GROUP_INNER),
    ]
    for i, row in enumerate(rows):
        shapes.append(moved(row, PAD_X + _BORDER, baseline(i) + _BORDER))
    ports = (width / 2,)
    return Face(Box(group.id, width, height, ports, ports, pin), shapes)


def group_note(group: GroupRecord) -> str:
    """How much a part holds and where it comes from: ``1,800 equations  In[3]:4–7``."""
    if group.kind in ("inputs", "constants", "outputs"):
        return f"{group.count:,} {group.kind}"
    word = "equation" if group.count == 1 else "equations"
    return "  ".join(text for text in (f"{group.count:,} {word}", group.source) if text)
