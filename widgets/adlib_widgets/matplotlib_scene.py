"""A view's SVG drawn by matplotlib, for papers: the same picture in any format that it writes.

Only what the views' own SVG is made of is read: rectangles, texts, paths, circles and lines,
in groups that are moved.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SPACE = "{http://www.w3.org/2000/svg}"
_ALIGN = {"start": "left", "middle": "center", "end": "right"}
_SILENT = {"title", "desc", "defs", "style", "metadata"}
_INHERITED = ("fill", "stroke", "stroke-width", "font-size", "opacity")
_TOKEN = re.compile(r"[MLHVCQZmlhvcqz]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_COUNTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "Q": 4, "Z": 0}

# Without these, files would hold the time at which they were written.
_DATES = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".ps": {}, ".eps": {}}


def save_svg(svg: str, path: str | Path, **options: Any) -> Path:
    """Draw an SVG document of ours into a file of any kind that matplotlib writes.

    One unit is one point. The same picture gives the same bytes. The ground is matplotlib's,
    white unless ``facecolor`` or ``transparent`` says otherwise.

    Args:
      svg: the document.
      path: where to; its ending chooses the format (``.pdf``, ``.png``, ``.svg``, …).
      options: given to matplotlib's ``Figure.savefig``, e.g. ``dpi``.

    Raises:
      ImportError: if matplotlib is not installed.
      ValueError: for an ending that matplotlib does not write.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "savefig() needs the Python package matplotlib: pip install matplotlib. "
            "The attribute svg holds the same picture as text without it."
        ) from None
    path = Path(path)
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.get("viewBox", "0 0 1 1").split())
    settings = {"svg.hashsalt": "adlib", "font.family": "monospace"}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(width / 72, height / 72))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.set_axis_off()
        _Drawing(axes).all(root)
        if path.suffix.lower() in _DATES:
            options.setdefault("metadata", _DATES[path.suffix.lower()])
        figure.savefig(path, **options)
    return path


class _Drawing:
    """Draws elements onto axes whose units are those of the document."""

    def __init__(self, axes: Any) -> None:
        self.axes = axes
        self.order = 0

    def all(self, root: ElementTree.Element) -> None:
        for child in root:
            # what lies under the groups is the ground of the page; a paper brings its own
            if _kind(child) == "g":
                self.element(child, {"fill": "#000000"}, 0.0, 0.0)

    def element(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float):
        """Draw one element, moved by ``x`` and ``y``, with the ``style`` around it."""
        kind = _kind(element)
        if kind in _SILENT:
            return
        inner = style | {k: element.attrib[k] for k in _INHERITED if k in element.attrib}
        if kind == "g":
            dx, dy = _moved(element.get("transform", ""))
            for child in element:
                self.element(child, inner, x + dx, y + dy)
            return
        draw = {
            "rect": self.rect,
            "text": self.text,
            "path": self.path,
            "circle": self.circle,
            "line": self.line,
        }.get(kind)
        if draw is None:
            raise ValueError(f"savefig() cannot draw the SVG element <{kind}>.")
        self.order += 1
        draw(element, inner, x, y)

    def look(self, element: ElementTree.Element, style: dict[str, str]) -> dict[str, Any]:
        """Colours and lines of a shape, as matplotlib calls them."""
        dash = element.get("stroke-dasharray")
        line = "-" if dash in (None, "none") else (0, tuple(_numbers(dash)))
        return {
            "facecolor": _color(style.get("fill", "none")),
            "edgecolor": _color(style.get("stroke", "none")),
            "linewidth": float(style.get("stroke-width", 1)),
            "linestyle": line,
            "alpha": float(style.get("opacity", 1)),
            "zorder": self.order,
        }

    def rect(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float) -> None:
        from matplotlib.patches import FancyBboxPatch, Rectangle

        left, top, width, height = (_length(element, k) for k in ("x", "y", "width", "height"))
        look = self.look(element, style)
        radius = min(_length(element, "rx"), width / 2, height / 2)
        corner = (left + x, top + y)
        if radius > 0:
            box = f"round,pad=0,rounding_size={radius}"
            self.axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=box, **look))
        else:
            self.axes.add_patch(Rectangle(corner, width, height, **look))

    def circle(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float):
        from matplotlib.patches import Circle

        middle = (_length(element, "cx") + x, _length(element, "cy") + y)
        look = self.look(element, style)
        self.axes.add_patch(Circle(middle, _length(element, "r"), **look))

    def line(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float) -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Outline

        ends = [(_length(element, f"x{i}") + x, _length(element, f"y{i}") + y) for i in "12"]
        self.axes.add_patch(PathPatch(Outline(ends), **self.look(element, style)))

    def path(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float) -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Outline

        points, codes = outline(element.get("d", ""))
        if points:
            moved = [(px + x, py + y) for px, py in points]
            self.axes.add_patch(PathPatch(Outline(moved, codes), **self.look(element, style)))

    def text(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float) -> None:
        turned = re.match(r"rotate\((\S+)", element.get("transform", ""))
        self.axes.text(
            _length(element, "x") + x,
            _length(element, "y") + y,
            "".join(element.itertext()),
            fontsize=float(style.get("font-size", 12)),
            color=_color(style.get("fill", "#000000")),
            alpha=float(style.get("opacity", 1)),
            ha=_ALIGN[element.get("text-anchor", "start")],
            va="baseline",
            weight="bold" if element.get("font-weight") in ("600", "700", "bold") else "normal",
            style="italic" if element.get("font-style") == "italic" else "normal",
            rotation=-float(turned[1].rstrip(",)")) if turned else 0.0,
            rotation_mode="anchor",
            zorder=self.order,
            parse_math=False,  # what users name is text
        )


def outline(data: str) -> tuple[list[tuple[float, float]], list[int]]:
    """The points of a path in SVG's language, and what matplotlib is to do at each.

    >>> outline("M1 2h3l-1 1z")
    ([(1.0, 2.0), (4.0, 2.0), (3.0, 3.0), (1.0, 2.0)], [1, 2, 2, 79])
    """
    points: list[tuple[float, float]] = []
    codes: list[int] = []
    at, start = (0.0, 0.0), (0.0, 0.0)
    for command, values in _commands(data):
        kind = command.upper()
        origin = at if command.islower() else (0.0, 0.0)
        if kind == "Z":
            at = start
            points.append(start)
            codes.append(79)
            continue
        if kind in "HV":
            # the other coordinate stays
            x = origin[0] + values[0] if kind == "H" else at[0]
            y = origin[1] + values[0] if kind == "V" else at[1]
            found = [(x, y)]
        else:
            pairs = zip(values[::2], values[1::2], strict=True)
            found = [(origin[0] + x, origin[1] + y) for x, y in pairs]
        points += found
        codes += {"M": [1], "C": [4] * 3, "Q": [3] * 2}.get(kind, [2])
        at = found[-1]
        start = at if kind == "M" else start
    return points, codes


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with as many numbers as it takes; more numbers repeat it."""
    tokens = _TOKEN.findall(data)
    i, command = 0, ""
    while i < len(tokens):
        if tokens[i].isalpha():
            command = tokens[i]
            i += 1
        count = _COUNTS[command.upper()]
        yield command, [float(token) for token in tokens[i : i + count]]
        i += count
        if command in "Mm":  # points that follow a first one are joined to it
            command = "L" if command == "M" else "l"


def _kind(element: ElementTree.Element) -> str:
    return element.tag.removeprefix(_SPACE)


def _length(element: ElementTree.Element, name: str) -> float:
    return float(element.get(name, 0))


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.replace(",", " ").split()]


def _moved(transform: str) -> tuple[float, float]:
    """How far ``translate(x y)`` moves; other transforms of groups are not ours."""
    if not transform:
        return 0.0, 0.0
    found = re.fullmatch(r"translate\(([^)]*)\)", transform.strip())
    if found is None:
        raise ValueError(f"savefig() cannot draw a group with the transform {transform!r}.")
    x, *y = _numbers(found[1])
    return x, (y[0] if y else 0.0)


def _color(text: str) -> str:
    """A colour as matplotlib writes it: SVG's short forms are longer there."""
    if re.fullmatch(r"#[0-9a-fA-F]{3}", text):
        return "#" + "".join(letter * 2 for letter in text[1:])
    return text
