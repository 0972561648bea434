"""What the steps of the layout pass on to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle to be placed.

    ``in_ports`` and ``out_ports`` are distances from its left edge: where links arrive on
    its top and leave from its bottom. ``pin`` is ``"first"`` or ``"last"`` for a box that has
    to be in the first or last layer, else empty.
    """

    id: str
    width: float
    height: float
    in_ports: tuple[float, ...] = ()
    out_ports: tuple[float, ...] = ()
    pin: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """From an output port of one box to an input port of another."""

    source: str
    source_port: int
    target: str
    target_port: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The finished drawing.

    ``routes`` has, for every link in order, its points from source to target. Between two
    points the link runs straight down where their x agree, else as an S-shaped curve that
    leaves and arrives vertically.
    """

    corners: dict[str, Point]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


@dataclass(slots=True)
class Item:
    """A box, or the place in a layer that a long link keeps free for itself (a dummy)."""

    width: float
    height: float
    layer: int
    dummy: bool
    position: int = 0  # in its layer
    x: float = 0.0  # of its left edge


@dataclass(slots=True)  # not frozen: there are very many, and frozen ones are slow to make
class Segment:
    """A piece of a link, between items of neighbouring layers.

    ``source_offset`` and ``target_offset`` are measured from the items' left edges, in units of
    length; the shares are the same in units of the items' widths.
    """

    source: int
    source_offset: float
    target: int
    target_offset: float
    source_share: float = 0.5
    target_share: float = 0.5


@dataclass(slots=True)
class Layered:
    """Items in layers, joined by segments between neighbouring layers only.

    Items with a number below the number of boxes are the boxes, in the caller's order.
    """

    items: list[Item]
    layers: list[list[int]]
    segments: list[Segment]
    chains: list[list[int]]  # of each link: its segments from top to bottom
    above: list[list[Segment]] = field(default_factory=list)  # of each item: arriving segments
    below: list[list[Segment]] = field(default_factory=list)  # of each item: leaving segments

    def number_positions(self) -> None:
        """Write into every item where it stands in its layer."""
        for layer in self.layers:
            for position, item in enumerate(layer):
                self.items[item].position = position
