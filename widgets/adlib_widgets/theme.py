"""Sizes, colours and letter widths of every drawing.

A picture is shown as an image, so it inherits nothing from the page: it brings an opaque
ground of its own that reads well on white and on dark pages. Kinds of node differ in shape
and outline too, never in colour alone.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"

GROUND = "#fafaf8"
GROUND_EDGE = "#d9d9d4"
INK = "#22262e"
MUTED = "#646b77"
VALUE = "#2a5a9b"  # names and types of variables
EDGE = "#7b8492"

# Every fixed-width face in FONT sets its letters at most this wide, in units of its size.
_ADVANCE = 0.605
_WIDE_ADVANCE = 1.21


@dataclass(frozen=True, slots=True)
class BoxStyle:
    """Fill, outline and corners of one kind of box."""

    fill: str
    stroke: str
    radius: float
    dash: str = ""
    stroke_width: float = 1.2


INPUT = BoxStyle("#e4eefb", "#4a7fc1", 14)
CONSTANT = BoxStyle("#efeeea", "#8d8a80", 14, dash="1.5 3")
OUTPUT = BoxStyle("#e2f3e8", "#3b8f62", 14, stroke_width=2.0)
EQUATION = BoxStyle("#ffffff", "#858d9b", 5)
UNREAD = BoxStyle("#fafaf8", "#b6bac2", 5, dash="5 3")
CONTAINERS = (
    BoxStyle("#f3f0fa", "#9a8fc4", 8),
    BoxStyle("#fbf3e6", "#c2a16b", 8),
    BoxStyle("#eaf4f4", "#7aa9ab", 8),
)
GROUP = BoxStyle("#f1f1ec", "#7d7668", 7)
GROUP_INNER = BoxStyle("#fbfbf8", "#b9b3a4", 5, stroke_width=1.0)
GROUPS = (
    BoxStyle("#f4f4ef", "#a39c8c", 7, dash="7 3"),
    BoxStyle("#f9f9f6", "#a39c8c", 7, dash="7 3"),
)

LABEL_SIZE = 13.0
TEXT_SIZE = 11.5
SMALL_SIZE = 10.5


def text_width(text: str, size: float) -> float:
    """Width of a line of text at this font size; never less than what a reader's font needs.

    >>> text_width("abcd", 10.0)
    24.2
    """
    units = sum(
        0.0
        if unicodedata.combining(letter)
        else (_WIDE_ADVANCE if unicodedata.east_asian_width(letter) in "WF" else _ADVANCE)
        for letter in text
    )
    return round(units * size, 2)
