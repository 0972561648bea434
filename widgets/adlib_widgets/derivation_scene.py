"""The picture of a derivation: programs as columns, a band for each original equation.

What comes from one equation stands in its band, whatever the order in which it runs; steps are
numbered in that order, and a program that runs from the last equation to the first is written
so that its numbers grow upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adlib.inspect import DerivationRecord, LineRecord, ProgramRecord
from adlib.inspect.texts import shorten
from adlib_widgets import derivation_groups, theme
from adlib_widgets.jacobian_scene import GROUPS
from adlib_widgets.shapes import Rect, Scene, Shape, Text
from adlib_widgets.theme import BoxStyle, text_width

_SIZE = 13.0
_SMALL = 10.5
_LINE = 20.0
_PAD = 7.0
_HEAD = 62.0
_FOOT = 26.0
_GAP = 14.0
_STEP = 22.0
_MOST_BANDS = 120
# Colours and marks of roles: never colour alone.
ROLES = {
    "primal": (theme.INK, ""),
    "tangent": ("#1f4e8c", ""),
    "cotangent": ("#97262b", ""),
    "sum": ("#97262b", "Σ"),
}


@dataclass(frozen=True, slots=True)
class _Column:
    program: ProgramRecord
    bands: dict[int, list[LineRecord]]
    width: float
    order: dict[int, int]  # how far down each step stands
    fates: dict[int, str]


def derivation_scene(record: DerivationRecord) -> Scene:
    """Place the programs of a derivation side by side."""
    first, *rest = record.programs
    pairs = zip(first.inputs, record.arguments, strict=False)
    named = replace(first, inputs=tuple(f"{var} = {name}" for var, name in pairs))
    columns = [_column(program) for program in (named, *rest)]
    bands = list(range(len(record.origins)))
    if any(-1 in column.bands for column in columns):
        bands.append(-1)
    dropped = len(bands) - _MOST_BANDS
    if dropped > 0:
        half = _MOST_BANDS // 2
        bands = [*bands[:half], *bands[-half:]]
    label_width = 14 + max(
        [60.0]
        + [text_width(shorten(o.id, 30), _SIZE) for o in record.origins]
        + [text_width(shorten(o.source, 36), _SMALL) for o in record.origins]
    )
    shapes: list[Shape] = []
    lefts, x = [], label_width + _GAP
    for column in columns:
        lefts.append(x)
        x += column.width + derivation_groups.tracks_width(column.program.groups, column.order)
        x += _GAP
    width = x - _GAP
    for left, column in zip(lefts, columns, strict=True):
        shapes += _head(left, column)
    y = _HEAD
    heights: list[dict[int, float]] = [{} for _ in columns]
    for number, origin in enumerate(bands):
        if dropped > 0 and number == _MOST_BANDS // 2:
            text = f"… {dropped} more equations, listed below …"
            shapes.append(Text(0, y + 14, text, _SIZE, theme.MUTED, italic=True))
            y += 24
        lines = max(2 if origin >= 0 else 1, *(len(c.bands.get(origin, ())) for c in columns))
        height = lines * _LINE + 2 * _PAD
        shapes += _band(record, origin, y, width, height, label_width)
        for k, (left, column) in enumerate(zip(lefts, columns, strict=True)):
            inside = column.bands.get(origin, ())
            shapes += _lines(left, y, height, column, inside)
            heights[k].update(_middles(y, height, inside))
            if origin in column.fates:
                text = column.fates[origin]
                spot = (left + _PAD + _STEP, y + height / 2 + 4)
                shapes.append(Text(*spot, text, _SMALL, theme.MUTED, italic=True))
            if column.program.upward and origin in columns[k - 1].bands:
                if origin not in column.bands:  # a sum's transpose needs no equation
                    text = "passed on unchanged"
                    spot = (left + _PAD + _STEP, y + height / 2 + 4)
                    shapes.append(Text(*spot, text, _SMALL, theme.MUTED, italic=True))
        y += height + 4
    for left, column, where in zip(lefts, columns, heights, strict=True):
        shapes += _foot(left, y, column)
        groups = column.program.groups
        shapes += derivation_groups.track_shapes(groups, column.order, where, left + column.width)
    more, y = derivation_groups.legend(record.programs[-1].groups, y + _FOOT, width)
    return Scene(width, y, (*shapes, *more))


def _middles(y: float, height: float, lines: Sequence[LineRecord]) -> dict[int, float]:
    """Where the middles of a band's lines are."""
    top = y + (height - len(lines) * _LINE) / 2
    return {line.step: top + (k + 0.5) * _LINE for k, line in enumerate(lines)}


def _column(program: ProgramRecord) -> _Column:
    bands: dict[int, list[LineRecord]] = {}
    for line in program.lines:
        bands.setdefault(line.origin, []).append(line)
    if program.upward:  # so that the numbers grow upwards
        bands = {origin: lines[::-1] for origin, lines in bands.items()}
    ends = [_ends("in", _inputs(program)), _ends("out", program.outputs)]
    widest = [
        *[_STEP + text_width(line.text, _SIZE) + _type_width(line) for line in program.lines],
        *[text_width(text, _SMALL) for text in [_note(program), *ends]],
        *[_STEP + text_width(fate.text, _SMALL) for fate in program.fates],
        text_width(program.title, 15.0),
    ]
    down = [line.step for origin in _from_top(bands) for line in bands[origin]]
    order = {step: place for place, step in enumerate(down)}
    fates = {fate.origin: fate.text for fate in program.fates}
    return _Column(program, bands, max(widest) + 2 * _PAD, order, fates)


def _from_top(bands: dict[int, list[LineRecord]]) -> list[int]:
    """Bands as they stand below each other: what comes from no equation is last."""
    return sorted(bands, key=lambda origin: (origin < 0, origin))


def _type_width(line: LineRecord) -> float:
    shown = _type(line)
    return text_width(shown, _SMALL) + 10 if shown else 0.0


def _type(line: LineRecord) -> str:
    """The type where it has a shape; scalars need no words."""
    return line.type if any(digit.isdigit() for digit in line.type.partition("[")[2]) else ""


def _inputs(program: ProgramRecord) -> list[str]:
    return [*program.inputs, *(f"constant {name}" for name in program.constants)]


def _note(program: ProgramRecord) -> str:
    return f"{'↑ ' if program.upward else '↓ '}{program.note}"


def _ends(word: str, names: Sequence[str], most: int = 8) -> str:
    more = " …" if len(names) > most else ""
    return shorten(f"{word}: {', '.join(names[:most]) or '–'}{more}", 60)


def _head(x: float, column: _Column) -> list[Shape]:
    program = column.program
    start = _ends("in", _inputs(program))
    below = program.upward
    return [
        Text(x + _PAD, 16, program.title, 15.0, bold=True),
        Text(x + _PAD, 33, _note(program), _SMALL, theme.MUTED),
        Text(x + _PAD, 51, _ends("out", program.outputs) if below else start, _SMALL, theme.VALUE),
    ]


def _foot(x: float, y: float, column: _Column) -> list[Shape]:
    program = column.program
    end = _ends("in", _inputs(program)) if program.upward else _ends("out", program.outputs)
    return [Text(x + _PAD, y + 14, end, _SMALL, theme.VALUE)]


def _band(
    record: DerivationRecord, origin: int, y: float, width: float, height: float, label: float
) -> list[Shape]:
    """The ground of what comes from one equation, and its name."""
    if origin < 0:
        plain = BoxStyle("#f1f1ee", "#c9c9c4", 6, "3 3", 1.0)
        name = Text(12, y + height / 2 + 4, "no one equation", _SMALL, theme.MUTED, italic=True)
        return [Rect(0, y, width, height, plain), name]
    fill, ink = GROUPS[origin % len(GROUPS)]
    found = record.origins[origin]
    middle = y + height / 2
    shapes: list[Shape] = [
        Rect(0, y, width, height, BoxStyle(_pale(fill), fill, 6, "", 1.0)),
        Rect(0, y, label, height, BoxStyle(fill, fill, 6, "", 1.0)),
        Text(
            9,
            middle + (4 if not found.source else -2),
            shorten(found.id, 30),
            _SIZE,
            ink,
            bold=True,
        ),
    ]
    if found.source:
        shapes.append(Text(9, middle + 13, shorten(found.source, 36), _SMALL, ink))
    return shapes


def _lines(
    x: float, y: float, height: float, column: _Column, lines: Sequence[LineRecord]
) -> list[Shape]:
    shapes: list[Shape] = [
        Rect(x, y + 3, column.width, height - 6, BoxStyle("#ffffff", "none", 4, "", 0.0))
    ]
    top = y + (height - len(lines) * _LINE) / 2
    for k, line in enumerate(lines):
        base = top + k * _LINE + 14.5
        ink, mark = ROLES[line.role]
        step = f"{mark}{line.step}"
        shapes.append(Text(x + _PAD + _STEP - 7, base, step, _SMALL, theme.MUTED, anchor="end"))
        shapes.append(Text(x + _PAD + _STEP, base, line.text, _SIZE, ink))
        if shown := _type(line):
            end = x + column.width - _PAD
            shapes.append(Text(end, base, shown, _SMALL, theme.MUTED, anchor="end"))
    return shapes


def _pale(color: str) -> str:
    """Half way to the ground's white."""
    parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{(part + 2 * 252) // 3:02x}" for part in parts)
