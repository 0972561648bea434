"""The picture of a Jacobian: the matrix, and beside and below it what one product gives.

Columns of a group share a letter and a tint, so do rows; J·S stands to the right with a column
for each group, W·J below with a row for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from adlib.inspect import JacobianRecord, MatrixRecord
from adlib_widgets import theme
from adlib_widgets.scene import Rect, Scene, Shape, Text
from adlib_widgets.theme import BoxStyle, text_width

# Fill and ink of groups; letters tell them apart too, and go on where the tints repeat.
GROUPS = (
    ("#cfe1f7", "#1f4e8c"),
    ("#fbdcb4", "#8a4b08"),
    ("#cdebd3", "#1d6b38"),
    ("#ecd3ef", "#7a2c86"),
    ("#f9d0d0", "#97262b"),
    ("#cdecec", "#0f6468"),
    ("#ece6b5", "#6a5c09"),
    ("#dcd8d2", "#4d453a"),
)
_POSITIVE, _NEGATIVE = (178, 78, 18), (33, 82, 156)
_STEPS = 8  # shades of a colour: few, so that rounding never changes a picture
_GRID = "#e3e3de"
_FRAME = "#858d9b"
_BORDER = BoxStyle("none", _FRAME, 0, "", 1.0)
_STRIP = 16.0  # the width of the groups' marks
_GAP = 44.0
_TITLE = 40.0
_MOST_LABEL = 14


def group_letter(group: int) -> str:
    """``a``, ``b``, … ``z``, ``aa``, ``ab``, …

    >>> [group_letter(k) for k in (0, 25, 26)]
    ['a', 'z', 'aa']
    """
    text = ""
    group += 1
    while group:
        group, rest = divmod(group - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def number_text(value: float) -> str:
    """A number in at most three digits.

    >>> [number_text(x) for x in (2.0, -0.12345, 12345.0)]
    ['2', '-0.123', '1.23e+04']
    """
    text = f"{value:.3g}"
    return "0" if text == "-0" else text


def jacobian_scene(record: JacobianRecord) -> Scene:
    """Place the matrix, J·S to its right, W·J below, and the counts."""
    m, n = record.matrix.picture
    most = max(m, n, record.by_columns.picture[1], record.by_rows.picture[0], 1)
    cell = max(8.0, min(40.0, 620.0 / most))
    scale = max((abs(c.value) for c in record.matrix.cells if math.isfinite(c.value)), default=0.0)
    row_marks, column_marks = record.row_colours, record.column_colours
    if not record.matrix.whole:
        row_marks = column_marks = ()
    groups = tuple(range(record.by_columns.shape[1])), tuple(range(record.by_rows.shape[0]))
    labels = _labels(record.rows, cell), _labels(record.columns, cell)
    tall = any(text_width(t, 10.0) > cell for t in labels[1])
    rows_apart, columns_apart = _parts(record, 0), _parts(record, 1)
    names = labels[0] or [_short(part.name) for part in rows_apart]
    left = 4 + max((text_width(t, 10.0) for t in names), default=0.0) + _STRIP + 10
    named = bool(labels[1]) and not tall
    top = _TITLE + (14.0 if named or columns_apart else 0.0) + _STRIP + 6
    shapes: list[Shape] = []
    panel = _Panel(cell, scale)

    size = f"{'×'.join(map(str, record.matrix.shape))}, {record.entries} entries"
    (columns, column_groups), (rows, row_groups) = record.pushforwards, record.pullbacks
    by_columns = f"{_count(column_groups, 'JVP')} instead of {columns}"
    by_rows = f"{_count(row_groups, 'VJP')} instead of {rows}"
    height = top + m * cell
    right = left + max(n * cell, _heading_width("J", size), _heading_width("W·J", by_rows)) + _GAP
    low = height + _TITLE + 8
    shapes += _heading(left, "J", size)
    shapes += panel.draw(record.matrix, left, top, row_marks, column_marks)
    shapes += _names(labels, left, top, cell, tall)
    shapes += _row_parts(rows_apart, left, top, cell, n, not labels[0])
    shapes += _column_parts(columns_apart, left, top, cell, m, not named)
    shapes += _heading(right, "J·S", by_columns)
    column_marks = groups[0] if record.by_columns.whole else ()
    shapes += panel.draw(record.by_columns, right, top, (), column_marks)
    shapes += _heading(left, "W·J", by_rows, low - _TITLE + 8)
    row_marks = groups[1] if record.by_rows.whole else ()
    shapes += panel.draw(record.by_rows, left, low, row_marks, ())
    legend, legend_width = _legend(right, low - 22, record)
    shapes += legend
    wide = max(record.by_columns.picture[1] * cell, _heading_width("J·S", by_columns), legend_width)
    bottom = max(low + record.by_rows.picture[0] * cell, low - 22 + 6 * 17.0)
    return Scene(right + wide + 4, bottom + 4, tuple(shapes))


class _Panel:
    """Draws matrices in cells of one size and shades of one scale."""

    def __init__(self, cell: float, scale: float) -> None:
        self.cell = cell
        self.scale = scale

    def draw(
        self,
        matrix: MatrixRecord,
        x: float,
        y: float,
        rows: Sequence[int],
        columns: Sequence[int],
    ) -> list[Shape]:
        cell = self.cell
        m, n = matrix.picture
        shapes: list[Shape] = []
        for j, group in enumerate(columns):
            shapes += _mark(x + j * cell, y - _STRIP - 4, cell, _STRIP, group, group_letter(group))
        for i, group in enumerate(rows):
            letter = group_letter(group).upper()
            shapes += _mark(x - _STRIP - 4, y + i * cell, _STRIP, cell, group, letter)
        shapes.append(Rect(x, y, n * cell, m * cell, BoxStyle("#ffffff", _FRAME, 0)))
        thin = 0.6 if cell >= 12 else 0.3
        for i in range(1, m):
            shapes.append(Rect(x, y + i * cell, n * cell, 0, BoxStyle("none", _GRID, 0, "", thin)))
        for j in range(1, n):
            shapes.append(Rect(x + j * cell, y, 0, m * cell, BoxStyle("none", _GRID, 0, "", thin)))
        for c in matrix.cells:
            shapes += self._entry(x + c.column * cell, y + c.row * cell, c.value, matrix.whole)
        return shapes

    def _entry(self, x: float, y: float, value: float, whole: bool) -> list[Shape]:
        cell, pad = self.cell, 1.0
        if not math.isfinite(value):
            fill, ink = "#2a2a2a", "#ffffff"
        elif value == 0:
            fill, ink = "#f2f2ee", theme.MUTED
        else:
            fill, ink = _shade(value / self.scale if self.scale else 0.0)
        stroke = "#a9adb5" if value == 0 else fill
        dash = "2 2" if value == 0 else ""
        side = cell - 2 * pad
        shapes: list[Shape] = [
            Rect(
                x + pad, y + pad, side, side, BoxStyle(fill, stroke, 2 if cell > 12 else 0, dash, 1)
            )
        ]
        text = number_text(value)
        size = min(11.5, (cell - 5) / max(1, len(text)) / 0.605)
        if whole and cell >= 24 and size >= 7.5:
            shapes.append(Text(x + cell / 2, y + cell / 2 + size * 0.36, text, size, ink,
                               anchor="middle"))  # fmt: skip
        return shapes


def _shade(value: float) -> tuple[str, str]:
    """Fill and ink for a number in [-1, 1]: its sign is the hue, its size the depth."""
    depth = min(_STEPS, max(1, math.ceil(abs(value) ** 0.6 * _STEPS - 1e-3))) / _STEPS
    full = _POSITIVE if value > 0 else _NEGATIVE
    depth = 0.12 + 0.88 * depth
    parts = [round(255 + (part - 255) * depth) for part in full]
    return "#" + "".join(f"{part:02x}" for part in parts), "#ffffff" if depth > 0.55 else theme.INK


def _mark(x: float, y: float, width: float, height: float, group: int, letter: str) -> list[Shape]:
    fill, ink = GROUPS[group % len(GROUPS)]
    style = BoxStyle(fill, ink, 3, "", 0.8)
    shapes: list[Shape] = [Rect(x + 1, y + 1, width - 2, height - 2, style)]
    if min(width, height) >= 11 and len(letter) * 7 <= width:
        shapes.append(
            Text(x + width / 2, y + height / 2 + 3.7, letter, 10.5, ink, bold=True, anchor="middle")
        )
    return shapes


def _heading(x: float, title: str, line: str, y: float = 0.0) -> list[Shape]:
    start = x + text_width(title + " ", 15.0)
    return [
        Text(x, y + 16, title, 15.0, bold=True),
        Text(start + 2, y + 16, line, 11.5, theme.MUTED),
    ]


def _heading_width(title: str, line: str) -> float:
    return text_width(title + " ", 15.0) + 2 + text_width(line, 11.5)


def _labels(names: Sequence[str], cell: float) -> list[str]:
    if cell < 13:
        return []
    return [_short(name) for name in names]


def _short(name: str, most: int = _MOST_LABEL) -> str:
    """A name's end tells more than its start: it has the index."""
    return name if len(name) <= most else "…" + name[len(name) - most + 1 :]


class _Part(NamedTuple):
    """An array's range of rows or columns, in cells of the picture."""

    name: str
    start: float
    size: float


def _parts(record: JacobianRecord, axis: int) -> list[_Part]:
    """The arrays along an axis, where there are several."""
    parts = (record.row_parts, record.column_parts)[axis]
    if len(parts) < 2 or not record.matrix.picture[axis]:
        return []
    step = -(-record.matrix.shape[axis] // record.matrix.picture[axis])
    return [_Part(name, start / step, size / step) for name, start, size in parts]


def _row_parts(
    parts: Sequence[_Part], x: float, y: float, cell: float, columns: int, named: bool
) -> list[Shape]:
    """Lines between the arrays along the rows, and their names where the rows have none."""
    shapes: list[Shape] = []
    for k, part in enumerate(parts):
        if k:
            shapes.append(Rect(x - 4, y + part.start * cell, columns * cell + 8, 0, _BORDER))
        if named and part.size * cell >= 11:
            middle = y + (part.start + part.size / 2) * cell + 3.5
            name = _short(part.name)
            shapes.append(Text(x - _STRIP - 9, middle, name, 10.0, theme.VALUE, anchor="end"))
    return shapes


def _column_parts(
    parts: Sequence[_Part], x: float, y: float, cell: float, rows: int, named: bool
) -> list[Shape]:
    """The same for the columns."""
    shapes: list[Shape] = []
    for k, part in enumerate(parts):
        if k:
            shapes.append(Rect(x + part.start * cell, y - 4, 0, rows * cell + 8, _BORDER))
        letters = int((part.size * cell - 4) / text_width("m", 10.0))
        if named and letters >= min(4, len(part.name)):
            middle = x + (part.start + part.size / 2) * cell
            name = _short(part.name, letters)
            shapes.append(Text(middle, y - _STRIP - 9, name, 10.0, theme.VALUE, anchor="middle"))
    return shapes


def _names(
    labels: tuple[list[str], list[str]], left: float, top: float, cell: float, tall: bool
) -> list[Shape]:
    shapes: list[Shape] = []
    for i, text in enumerate(labels[0]):
        y = top + (i + 0.5) * cell + 3.5
        shapes.append(Text(left - _STRIP - 9, y, text, 10.0, theme.VALUE, anchor="end"))
    if not tall:
        for j, text in enumerate(labels[1]):
            x = left + (j + 0.5) * cell
            shapes.append(Text(x, top - _STRIP - 9, text, 10.0, theme.VALUE, anchor="middle"))
    return shapes


def _legend(x: float, y: float, record: JacobianRecord) -> tuple[list[Shape], float]:
    """What colours and letters mean, and how wide that is."""
    rows: list[tuple[str, str, str]] = [
        (_shade(1.0)[0], "", "positive"),
        (_shade(-1.0)[0], "", "negative"),
    ]
    if record.zeros:
        rows.append(("#f2f2ee", "2 2", "in the pattern, zero here"))
    rows.append(("#ffffff", "", "not in the pattern"))
    shapes: list[Shape] = []
    for k, (fill, dash, text) in enumerate(rows):
        top = y + 17.0 * k
        stroke = fill if text in ("positive", "negative") else "#a9adb5"
        shapes.append(Rect(x, top, 12, 12, BoxStyle(fill, stroke, 2, dash, 1)))
        shapes.append(Text(x + 19, top + 10, text, 11.0, theme.MUTED))
    texts = [text for _, _, text in rows]
    if record.matrix.whole:
        top = y + 17.0 * len(rows)
        texts.append("same letter: one product")
        shapes += _mark(x - 2, top - 2, 16, 16, 0, "a")
        shapes.append(Text(x + 19, top + 10, texts[-1], 11.0, theme.MUTED))
    return shapes, 19 + max(text_width(text, 11.0) for text in texts)


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
