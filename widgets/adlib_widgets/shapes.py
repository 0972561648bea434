"""The shapes that scenes are made of."""

from __future__ import annotations

from dataclasses import dataclass

from adlib_widgets import theme
from adlib_widgets.layout import Point
from adlib_widgets.theme import BoxStyle


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
    """A link with an arrow head at its end."""

    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Stub:
    """The end of a link whose rest is not drawn: a value that comes from outside of an open part,
    or goes there; ``y`` is the box's edge, and ``down`` says to which side the stub points."""

    x: float
    y: float
    down: bool


Shape = Rect | Text | Curve | Stub


@dataclass(frozen=True, slots=True)
class Scene:
    """Shapes in the order in which they are painted, and the size of the whole."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """The same shape somewhere else."""
    if isinstance(shape, Text):
        return Text(
            shape.x + dx, shape.y + dy, shape.text, shape.size,
            shape.color, shape.bold, shape.anchor, shape.italic,
        )  # fmt: skip
    if isinstance(shape, Curve):
        return Curve(tuple((x + dx, y + dy) for x, y in shape.points))
    if isinstance(shape, Rect):
        return Rect(shape.x + dx, shape.y + dy, shape.width, shape.height, shape.style)
    return Stub(shape.x + dx, shape.y + dy, shape.down)
