"""A sheet to draw on with free paths: text, boxes, lines and curves, as SVG."""

from __future__ import annotations

import math

from adlib_widgets import theme
from adlib_widgets.svg import escaped, number

FORWARD = "#2a6f97"  # the forward sweep, primals and tangents
REVERSE = "#b3541e"  # the reverse sweep, cotangents
GRID = "#e4e4df"
_MARGIN = 14.0


class Canvas:
    """Collects shapes in the order in which they are painted.

    Attributes:
      right: where the longest line of text ends.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.right = 0.0

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = theme.TEXT_SIZE,
        color: str = theme.INK,
        bold: bool = False,
        anchor: str = "start",
        turn: float = 0,
    ) -> float:
        """Write one line; ``y`` is its baseline. Gives the x where it ends, if it starts at x.

        ``turn`` is in degrees, clockwise around (x, y).
        """
        extras = ' font-weight="600"' if bold else ""
        if anchor != "start":
            extras += f' text-anchor="{anchor}"'
        if turn:
            extras += f' transform="rotate({number(turn)} {number(x)} {number(y)})"'
        self._parts.append(
            f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{color}" '
            f'xml:space="preserve"{extras}>{escaped(text)}</text>'
        )
        end = x + theme.text_width(text, size)
        if anchor == "start" and not turn:
            self.right = max(self.right, end)
        return end

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        *,
        stroke: str = "",
        radius: float = 0,
        tip: str = "",
    ) -> None:
        """A box; ``tip`` says what it is where pointers hover."""
        line = f' stroke="{stroke}"' if stroke else ""
        corner = f' rx="{number(radius)}"' if radius else ""
        size = f'width="{number(width)}" height="{number(height)}"'
        head = f'<rect x="{number(x)}" y="{number(y)}" {size}{corner} fill="{fill}"{line}'
        self._parts.append(f"{head}><title>{escaped(tip)}</title></rect>" if tip else f"{head}/>")

    def path(
        self,
        data: str,
        *,
        stroke: str = "none",
        width: float = 1.2,
        fill: str = "none",
        dash: str = "",
        opacity: float = 1.0,
    ) -> None:
        """A path in SVG's path language."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        faint = f' opacity="{opacity:g}"' if opacity < 1 else ""
        self._parts.append(
            f'<path d="{data}" fill="{fill}" stroke="{stroke}" '
            f'stroke-width="{number(width)}"{dashes}{faint}/>'
        )

    def line(self, x0: float, y0: float, x1: float, y1: float, color: str = GRID) -> None:
        self.path(f"M{number(x0)} {number(y0)}L{number(x1)} {number(y1)}", stroke=color, width=1)

    def document(self, width: float, height: float, *, title: str, description: str) -> str:
        """The sheet as a complete SVG document, with a margin around ``width`` by ``height``."""
        w, h = width + 2 * _MARGIN, height + 2 * _MARGIN
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(w)}" height="{number(h)}" '
            f'viewBox="0 0 {number(w)} {number(h)}" role="img" '
            f'font-family="{escaped(theme.FONT)}">',
            f"<title>{escaped(title)}</title>",
            f"<desc>{escaped(description)}</desc>",
            f'<rect x="0.5" y="0.5" width="{number(w - 1)}" height="{number(h - 1)}" '
            f'rx="6" fill="{theme.GROUND}" stroke="{theme.GROUND_EDGE}"/>',
            f'<g transform="translate({number(_MARGIN)} {number(_MARGIN)})">',
            *self._parts,
            "</g></svg>",
        ]
        return "\n".join(lines) + "\n"


def bytes_text(count: int) -> str:
    """A size with three digits at most before its unit.

    >>> bytes_text(900), bytes_text(65536), bytes_text(3 * 2**20)
    ('900 B', '64 KiB', '3 MiB')
    """
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1024, units[1:]
    text = f"{value:.3g}" if value < 100 else f"{value:.0f}"
    return f"{text} {units[0]}"


def heat_color(value: float, most: float) -> str:
    """Blue below zero, white at zero, red above; NaN is black.

    >>> heat_color(0.0, 1.0), heat_color(1.0, 1.0), heat_color(-1.0, 1.0)
    ('#ffffff', '#c0392b', '#2466a8')
    """
    if value != value:
        return "#111111"
    if most == 0 or math.isinf(value):
        share = math.copysign(float(value != 0), value)
    else:
        share = max(-1.0, min(1.0, value / most))
    target = (192, 57, 43) if share > 0 else (36, 102, 168)
    mixed = [round(255 + (part - 255) * abs(share)) for part in target]
    return "#" + "".join(f"{part:02x}" for part in mixed)
