"""The paths of one Jacobian entry as a small drawing: numbers in boxes, derivatives on arcs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adlib.inspect import EntryRecord
from adlib.inspect.jacobian_paths import ArcRecord, VertexRecord
from adlib.inspect.summaries import number_text
from adlib_widgets.layout import Box, Link, layered_layout
from adlib_widgets.theme import text_width

SIZE, SMALL = 11.5, 10.5
_HEIGHT, _LABEL_HEIGHT = 36.0, 15.0
_MARGIN = 6.0
_TRAP = (
    "Zero times infinity is no number. Forward mode may escape it, as where() drops the tangent of "
    "the branch that it leaves out; reverse mode multiplies."
)
_MOST_FACTORS, _MOST_PRODUCTS, _MOST_TERMS = 6, 10, 6


def entry_picture(entry: EntryRecord) -> dict[str, Any]:
    """The record as JSON, with a place for each vertex and for each arc and its label.

    ``layout`` has ``width`` and ``height``; ``vertices``, each ``x``, ``y``, ``width``,
    ``height`` and two ``lines``; and ``arcs``, each with its ``label``, the label's ``x`` and
    ``y`` (its middle), and ``routes``, two lists of points: to the label, and on from it.
    ``texts`` says it in words: how many paths there are (``note``), their ``sum``, and the
    ``claim`` that follows the entry's value in a sentence, and a ``remark`` on what may surprise;
    a path has its product as ``text``.
    """
    picture = entry.to_json()
    picture["texts"] = {
        "note": _note(entry),
        "sum": sum_text(entry, True),
        "claim": claim(entry),
        "remark": _TRAP if any(_is_trap(path.factors) for path in entry.paths) else "",
    }
    for path, record in zip(picture["paths"], entry.paths, strict=True):
        path["text"] = f"{product_text(record.factors)} = {number_text(record.product)}"
    if not entry.vertices:
        return {**picture, "layout": None}
    lines = [vertex_lines(vertex) for vertex in entry.vertices]
    labels = [arc_label(arc) for arc in entry.arcs]
    boxes, links = [], []
    for k, two in enumerate(lines):
        width = max(text_width(two[0], SIZE), text_width(two[1], SMALL)) + 18
        middle = (round(width / 2, 2),)
        boxes.append(Box(f"v{k}", width, _HEIGHT, middle, middle))
    for k, (arc, label) in enumerate(zip(entry.arcs, labels, strict=True)):
        width = text_width(label, SMALL) + 8
        middle = (round(width / 2, 2),)
        boxes.append(Box(f"a{k}", width, _LABEL_HEIGHT, middle, middle))
        links.append(Link(f"v{arc.source}", 0, f"a{k}", 0))
        links.append(Link(f"a{k}", 0, f"v{arc.target}", 0))
    drawn = layered_layout(boxes, links, horizontal_gap=10.0, vertical_gap=13.0)

    def at(name: str, width: float, height: float) -> tuple[float, float]:
        x, y = drawn.corners[name]
        return x + _MARGIN + width / 2, y + _MARGIN + height / 2

    size = {box.id: (box.width, box.height) for box in boxes}
    vertices = []
    for k, two in enumerate(lines):
        x, y = drawn.corners[f"v{k}"]
        width, height = size[f"v{k}"]
        place = {"x": x + _MARGIN, "y": y + _MARGIN, "width": width, "height": height}
        vertices.append({**place, "lines": two})
    arcs = []
    for k, label in enumerate(labels):
        x, y = at(f"a{k}", *size[f"a{k}"])
        routes = [
            [[px + _MARGIN, py + _MARGIN] for px, py in drawn.routes[2 * k + half]]
            for half in (0, 1)
        ]
        arcs.append({"label": label, "x": x, "y": y, "width": size[f"a{k}"][0], "routes": routes})
    layout = {
        "width": drawn.width + 2 * _MARGIN,
        "height": drawn.height + 2 * _MARGIN,
        "vertices": vertices,
        "arcs": arcs,
    }
    return {**picture, "layout": _rounded(layout)}


def vertex_lines(vertex: VertexRecord) -> tuple[str, str]:
    """What stands in a vertex's box: its name and formula, and its number.

    >>> vertex_lines(VertexRecord("b", "inner", "sin a", 0.84147))
    ('b = sin a', '0.8415')
    """
    first = f"{vertex.name} = {vertex.text}" if vertex.text else vertex.name
    if vertex.value is not None:
        return first, number_text(vertex.value)
    numbers = "1 number" if vertex.count == 1 else f"{vertex.count} numbers"
    return first, f"{numbers}, share {number_text(vertex.share)}"


def arc_label(arc: ArcRecord) -> str:
    """What stands on an arc: the local derivative, or how many there are.

    >>> arc_label(ArcRecord(0, 1, 0.5403, "cos(a)")), arc_label(ArcRecord(0, 1, None, count=64))
    ('cos(a) = 0.5403', '64 derivatives')
    """
    if arc.value is None:
        return "1 derivative" if arc.count == 1 else f"{arc.count} derivatives"
    number = number_text(arc.value)
    return f"{arc.text} = {number}" if arc.text else number


def product_text(factors: Sequence[float]) -> str:
    """The product of a path's derivatives; plain ones are left out of long ones.

    >>> product_text((2.0, -1.0, 0.5))
    '2 · (−1) · 0.5'
    """
    told = [f for f in factors if f != 1] if len(factors) > _MOST_FACTORS else factors
    return " · ".join(_bracketed(number_text(factor)) for factor in told) or "1"


def sum_text(entry: EntryRecord, products: bool = False) -> str:
    """The sum over the paths: the largest terms, or all as products where that is short."""
    paths, everything = entry.paths, entry.rest is None
    factors = sum(len(path.factors) for path in paths)
    if products and everything and factors <= _MOST_PRODUCTS:
        return " + ".join(product_text(path.factors).replace(" ", "") for path in paths)
    shown = paths if everything and len(paths) <= _MOST_TERMS else paths[: _MOST_TERMS - 2]
    text = " + ".join(number_text(path.product) for path in shown).replace("+ −", "− ")
    whole = everything and len(shown) == len(paths)
    return text if whole else f"{text} + … ({entry.count_text} terms)"


def claim(entry: EntryRecord) -> str:
    """What follows ``∂out/∂x = 3`` in a sentence."""
    if entry.problem:
        return f". {entry.problem}"
    if not entry.paths:
        ends = f"from {entry.argument} to {entry.result}"
        if entry.in_pattern:
            return f": every path {ends} meets a derivative that is zero here."
        return f": no path leads {ends}, so it is zero whatever the numbers are."
    if not entry.paths[0].factors:
        return f": {entry.result} is a copy of {entry.argument}."
    if entry.count == 1:
        return f" is the product along one path: {sum_text(entry, True)}."
    return f" is the sum over {entry.count_text} paths: {sum_text(entry)}."


def _note(entry: EntryRecord) -> str:
    if entry.problem or not entry.paths:
        return ""
    count = "1 path" if entry.count == 1 else f"{entry.count_text} paths"
    drawn = ""
    if entry.bundled:
        size = f"{entry.vertex_count} numbers with {entry.arc_count} local derivatives"
        drawn = f"; {size}, {'drawn as whole values' if entry.vertices else 'not drawn'}"
    return f"{count}{drawn}; copies (slices, reshapes) are passed over"


def _is_trap(factors: Sequence[float]) -> bool:
    return 0.0 in factors and any(math.isinf(factor) for factor in factors)


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return round(value, 2) if isinstance(value, float) else value
