"""The picture of a flow record: one row per value, forward on the left, reverse on the right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adlib.inspect import ArraySummary, FlowOutput, FlowRecord, FlowStep, FlowValue
from adlib.inspect.rule_texts import cotangent_name, tangent_name
from adlib_widgets import theme
from adlib_widgets.canvas import FORWARD, GRID, REVERSE, Canvas, heat_color
from adlib_widgets.svg import number
from adlib_widgets.theme import text_width

_SIZE = 12.5  # small enough for wide rules, large enough that bars and dots stay apart
_LINE = 18.0
_PAD = 9.0
_GAP = 26.0  # between columns
_HEAD = 46.0
_GUTTER = 64.0
_CELL = 7.0  # side of one entry in a small picture
_MOST_LETTERS = 64
MOST_ROWS = 200

Line = tuple[tuple[str, str, bool], ...]  # pieces of text with colour and weight


@dataclass(frozen=True, slots=True)
class Cell:
    """Lines of text, and under them a small picture of an array."""

    lines: tuple[Line, ...] = ()
    preview: tuple[tuple[float, ...], ...] = ()

    @property
    def width(self) -> float:
        widest = max((_line_width(line) for line in self.lines), default=0.0)
        return max(widest, _CELL * max((len(row) for row in self.preview), default=0))

    @property
    def height(self) -> float:
        picture = _CELL * len(self.preview) + 5 if self.preview else 0.0
        return _LINE * len(self.lines) + picture


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its key, the equation, the primal, the tangent and the cotangent."""

    key: str
    cells: tuple[Cell, ...]
    defines: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


def flow_rows(record: FlowRecord) -> list[Row]:
    """The rows of the picture, in program order; long programs keep both ends."""
    rows = [_constant_row(value) for value in record.constants]
    rows += [_input_row(name, value) for name, value in record.inputs]
    steps = [_step_rows(step) for step in record.steps]
    if len(steps) > MOST_ROWS:
        half = MOST_ROWS // 2
        gap = Row("", (_plain(f"… {len(steps) - 2 * half} more equations …"),) + (Cell(),) * 3)
        rows += [row for group in steps[:half] for row in group]
        rows += [gap, *(row for group in steps[-half:] for row in group)]
    else:
        rows += [row for group in steps for row in group]
    return rows + [_output_row(output) for output in record.outputs]


def flow_svg(record: FlowRecord, *, description: str) -> tuple[str, float]:
    """The picture as an SVG document, and its width."""
    rows = flow_rows(record)
    heads = (
        ("equation", theme.INK),
        ("primal", FORWARD),
        ("tangent", FORWARD),
        ("cotangent", REVERSE),
    )
    widths = [
        max(text_width(head, theme.LABEL_SIZE), *(row.cells[i].width for row in rows)) + _GAP
        for i, (head, _) in enumerate(heads)
    ]
    keys = max((text_width(row.key, theme.SMALL_SIZE) for row in rows), default=0.0) + 14
    lefts = [_GUTTER + keys]
    for width in widths:
        lefts.append(lefts[-1] + width)
    total = lefts[-1]
    heights = [max(cell.height for cell in row.cells) + 2 * _PAD for row in rows]
    tops = [_HEAD]
    for height in heights:
        tops.append(tops[-1] + height)
    bottom = tops[-1]

    canvas = Canvas()
    _bands(canvas, lefts, bottom)
    for (head, color), left in zip(heads, lefts, strict=False):
        canvas.text(left, 37, head, size=theme.LABEL_SIZE, color=color, bold=True)
    for i, row in enumerate(rows):
        canvas.line(_GUTTER - 6, tops[i], total, tops[i])
        middle = tops[i] + _PAD + 12
        canvas.text(_GUTTER, middle, row.key, size=theme.SMALL_SIZE, color=theme.MUTED)
        for cell, left in zip(row.cells, lefts, strict=False):
            _draw_cell(canvas, cell, left, tops[i] + _PAD)
    _arcs(canvas, rows, tops)
    svg = canvas.document(total, bottom, title="forward and reverse sweep", description=description)
    return svg, total


def _bands(canvas: Canvas, lefts: Sequence[float], bottom: float) -> None:
    """Grounds, titles and arrows of the two sweeps."""
    start, middle, end = lefts[1] - 10, lefts[3] - 10, lefts[4]
    canvas.rect(start, 0, middle - start - 6, bottom, "#eef5f9", radius=6)
    canvas.rect(middle, 0, end - middle, bottom, "#fbf1ea", radius=6)
    canvas.text(lefts[1], 17, "forward sweep", size=theme.LABEL_SIZE, color=FORWARD, bold=True)
    canvas.text(lefts[3], 17, "reverse sweep", size=theme.LABEL_SIZE, color=REVERSE, bold=True)
    for x, top, tip, color in ((middle - 16, 8, 22, FORWARD), (end - 10, 22, 8, REVERSE)):
        turn = -5 if tip > top else 5
        canvas.path(f"M{number(x)} {top}V{tip}", stroke=color, width=2)
        canvas.path(
            f"M{number(x - 4)} {tip + turn}L{number(x)} {tip}L{number(x + 4)} {tip + turn}",
            stroke=color,
            width=2,
        )


def _arcs(canvas: Canvas, rows: Sequence[Row], tops: Sequence[float]) -> None:
    """Who reads whom, in the gutter; values that fan out are drawn stronger."""
    origin = {name: i for i, row in enumerate(rows) for name in row.defines}
    readers: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        for name in dict.fromkeys(row.reads):
            if name in origin:
                readers.setdefault(name, []).append(i)
    right = _GUTTER - 10
    for name, places in readers.items():
        start = tops[origin[name]] + _PAD + 11
        fans = len(places) > 1
        color = theme.VALUE if fans else theme.EDGE
        for place in places:
            end = tops[place] + _PAD + 5
            reach = min(_GUTTER - 14, 7 + 5.2 * math.sqrt(place - origin[name]) * 1.6)
            x = right - reach * 4 / 3
            canvas.path(
                f"M{number(right)} {number(start)}C{number(x)} {number(start)} "
                f"{number(x)} {number(end)} {number(right)} {number(end)}",
                stroke=color,
                width=1.5 if fans else 1.1,
                opacity=0.9 if fans else 0.6,
            )
            canvas.path(
                f"M{number(right + 1)} {number(end)}l-5.5 -3v6z", fill=color,
            )  # fmt: skip
        canvas.rect(right - 2, start - 2.5, 5, 5, color, radius=2.5, tip=f"{name} is read")


def _draw_cell(canvas: Canvas, cell: Cell, left: float, top: float) -> None:
    y = top + 12
    for line in cell.lines:
        x = left
        for text, color, bold in line:
            x = canvas.text(x, y, text, size=_SIZE, color=color, bold=bold)
        y += _LINE
    most = max((abs(v) for row in cell.preview for v in row if math.isfinite(v)), default=0.0)
    for i, row in enumerate(cell.preview):
        for j, entry in enumerate(row):
            canvas.rect(
                left + j * _CELL, y - 9 + i * _CELL, _CELL, _CELL, heat_color(entry, most),
                stroke=GRID,
            )  # fmt: skip


# ------------------------------------------------------------------ the rows


def _constant_row(value: FlowValue) -> Row:
    name = value.value.name
    cells = (_equation_cell(name, value.value.type), *_value_cells(value))
    return Row("constant", cells, (name,))


def _input_row(name: str, value: FlowValue) -> Row:
    text = f"{value.value.name} = {name}"
    cells = (_equation_cell(text, value.value.type), *_value_cells(value))
    return Row("input", cells, (value.value.name,))


def _step_rows(step: FlowStep) -> list[Row]:
    rows = []
    for i, value in enumerate(step.results):
        text = f"{value.value.name} = {step.text}"
        if i:
            text = f"{value.value.name} = …"
        cells = (_equation_cell(text, value.value.type), *_value_cells(value))
        source = "" if i else step.source
        rows.append(Row(source, cells, (value.value.name,), step.operands))
    return rows


def _output_row(output: FlowOutput) -> Row:
    name, operand = output.name, output.operand
    seed = output.cotangent
    cotangent = Cell()
    if seed is not None:
        head = ((f"{cotangent_name(operand)} starts as ", theme.MUTED, False),)
        cotangent = _with_value(head, seed, REVERSE)
    tangent = Cell()
    if output.tangent is not None:
        tangent = _with_value((), output.tangent, FORWARD)
    cells = (
        _equation_cell(f"{name} = {operand}", output.primal.type),
        _with_value((), output.primal, FORWARD),
        tangent,
        cotangent,
    )
    return Row("output", cells, (), (operand,))


def _equation_cell(text: str, kind: str) -> Cell:
    line = ((_clip(text), theme.INK, True),)
    return Cell((line,) if kind.endswith("[]") else (line, ((kind, theme.VALUE, False),)))


def _value_cells(value: FlowValue) -> tuple[Cell, Cell, Cell]:
    primal = _with_value((), value.primal, FORWARD)
    tangent = Cell()
    name = value.value.name
    if value.tangent is not None:
        pieces = [f"{tangent_name(name)} = "]
        pieces += [f"{value.rule} = "] if value.rule else []
        pieces += [f"{value.numbers} = "] if _says_more(value.numbers, value.tangent) else []
        head = ((_clip("".join(pieces)), theme.INK, False),)
        tangent = _with_value(head, value.tangent, FORWARD)
    return primal, tangent, _cotangent_cell(value)


def _cotangent_cell(value: FlowValue) -> Cell:
    """One line for a value that is read once; a line per reader and the sum otherwise."""
    name = cotangent_name(value.value.name)
    if value.cotangent is None:
        return Cell()
    parts = value.contributions
    if len(parts) == 1:
        (part,) = parts
        if part.rule == "seed":
            head = ((f"{name} = seed = ", theme.INK, False),)
        else:
            more = f"{part.numbers} = " if _says_more(part.numbers, part.cotangent) else ""
            head = ((_clip(f"{name} = {part.rule} = {more}"), theme.INK, False),)
        return _with_value(head, value.cotangent, REVERSE)
    lines: list[Line] = []
    for i, part in enumerate(parts):
        more = f"{part.numbers} = " if _says_more(part.numbers, part.cotangent) else ""
        sign = f"{name} = " if i == 0 else " " * len(f"{value.value.name}") + " + "
        text = f"{sign}{part.rule} = {more}{part.cotangent.text()}"
        lines.append(((_clip(text), theme.INK, False),))
    indent = " " * len(value.value.name) + " = "
    total = _with_value(((indent, theme.INK, False),), value.cotangent, REVERSE)
    return Cell((*lines, *total.lines), total.preview)


def _says_more(numbers: str, result: ArraySummary) -> bool:
    return bool(numbers) and numbers != result.text()


def _with_value(head: Line, summary: ArraySummary, color: str) -> Cell:
    """Text that ends in a number, or for an array in its range over a small picture."""
    text = summary.text() or "(keys)"
    if summary.size == 1:
        return Cell(((*head, (text, color, True)),))
    return Cell(((*head, (text, color, False)),), summary.preview)


def _plain(text: str) -> Cell:
    return Cell((((text, theme.MUTED, False),),))


def _line_width(line: Line) -> float:
    return sum(text_width(text, _SIZE) for text, _, _ in line)


def _clip(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 2] + "… "
