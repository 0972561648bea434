"""What is computed together, drawn beside the equations of an optimised program.

Each group has a track with a badge at every equation of it, like a line with its stops on a map,
and a line of words below the picture. Tracks that overlap run side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adlib.inspect import FusedRecord
from adlib.inspect.texts import shorten
from adlib_widgets import theme
from adlib_widgets.jacobian_scene import GROUPS
from adlib_widgets.shapes import Rect, Shape, Text
from adlib_widgets.theme import BoxStyle, text_width

_TRACK = 22.0  # width of a track
_BADGE = 14.0
_SIZE = 10.5
_LINE = 17.0
_MOST = 24  # groups that get words in the picture


def drawn_groups(groups: Sequence[FusedRecord]) -> list[tuple[int, FusedRecord]]:
    """(number, group) of those with a track: all in which something is computed."""
    return [(k, g) for k, g in enumerate(groups, 1) if g.kind != "view"]


def tracks(groups: Sequence[FusedRecord], order: Mapping[int, int]) -> dict[int, int]:
    """The track of each group by its number; ``order`` says how far down a step stands."""
    free: list[int] = []  # how far down each track is taken
    found: dict[int, int] = {}
    spans = [
        (min(places), max(places), number)
        for number, group in drawn_groups(groups)
        if (places := [order[s] for s in group.steps if s in order])
    ]
    for first, last, number in sorted(spans):
        track = next((k for k, end in enumerate(free) if end < first), len(free))
        if track == len(free):
            free.append(last)
        free[track] = last
        found[number] = track
    return found


def tracks_width(groups: Sequence[FusedRecord], order: Mapping[int, int]) -> float:
    count = max(tracks(groups, order).values(), default=-1) + 1
    return count * _TRACK + (4 if count else 0)


def track_shapes(
    groups: Sequence[FusedRecord], order: Mapping[int, int], heights: Mapping[int, float], x: float
) -> list[Shape]:
    """The tracks to the right of ``x``; ``heights`` are the middles of the steps' lines."""
    shapes: list[Shape] = []
    where = tracks(groups, order)
    for number, group in drawn_groups(groups):
        if number not in where:
            continue
        fill, ink = GROUPS[(number - 1) % len(GROUPS)]
        stops = sorted(heights[s] for s in group.steps if s in heights)
        middle = x + 4 + where[number] * _TRACK + _TRACK / 2
        if len(stops) > 1:
            style = BoxStyle(ink, "none", 1, "", 0.0)
            shapes.append(Rect(middle - 1, stops[0], 2, stops[-1] - stops[0], style))
        for y in stops:
            shapes += _badge(middle, y, str(number), fill, ink)
    return shapes


def _badge(x: float, y: float, text: str, fill: str, ink: str) -> list[Shape]:
    width = max(_BADGE, text_width(text, _SIZE) + 5)
    return [
        Rect(x - width / 2, y - 7, width, 14, BoxStyle(fill, ink, 7, "", 1.0)),
        Text(x, y + 3.7, text, _SIZE, ink, bold=True, anchor="middle"),
    ]


def legend(groups: Sequence[FusedRecord], y: float, width: float) -> tuple[list[Shape], float]:
    """What each number means, in lines from ``y`` down; and where they end."""
    if not groups:
        return [], y
    shapes: list[Shape] = [Text(0, y + 12, "computed together", 13.0, bold=True)]
    y += 22
    letters = max(30, int((width - 30) / text_width("m", _SIZE)))
    for number, group in list(enumerate(groups, 1))[:_MOST]:
        if group.kind == "view":
            shapes += _badge(10, y + 5, "–", "#ffffff", theme.MUTED)
        else:
            shapes += _badge(10, y + 5, str(number), *GROUPS[(number - 1) % len(GROUPS)])
        shapes.append(Text(26, y + 9, shorten(words(group), letters), _SIZE, theme.INK))
        y += _LINE
    if len(groups) > _MOST:
        more = f"… {len(groups) - _MOST} more, listed below"
        shapes.append(Text(26, y + 9, more, _SIZE, theme.MUTED, italic=True))
        y += _LINE
    return shapes, y


def words(group: FusedRecord) -> str:
    """A group in a line."""
    noun = "steps" if len(group.steps) > 1 else "step"
    return f"{group.title} ({noun} {_ranges(group.steps)}): {group.reason}"


def _ranges(steps: Sequence[int]) -> str:
    """``2–5, 7``."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and runs[-1][1] == step - 1:
            runs[-1][1] = step
        else:
            runs.append([step, step])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)
