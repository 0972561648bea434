"""Graph records as HTML that survives untrusted notebooks: an image and tables, no scripts.

A notebook that is not trusted drops ``<svg>`` and ``<style>`` but keeps images with data
URIs, tables, ``<details>`` and inline styles; so these are all that is used.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Sequence

from adlib.inspect import GraphRecord, NodeRecord
from adlib_widgets import theme
from adlib_widgets.svg import escaped

_LINE = "1px solid rgba(128,128,128,0.35)"
_CELL = f"text-align:left;vertical-align:top;padding:2px 10px 2px 0;border-bottom:{_LINE}"
_MONO = f"font-family:{theme.FONT};font-size:12px"
_SUMMARY = "cursor:pointer;margin:4px 0"
_SMALLEST_SCALE = 0.6  # a wider picture scrolls rather than shrink to where nobody reads it


def image(svg: str, alt: str, width: float) -> str:
    """The SVG as an image with a data URI; it shrinks a little to fit, then scrolls."""
    data = base64.b64encode(svg.encode()).decode()
    least = int(width * _SMALLEST_SCALE)
    return (
        f'<div style="overflow-x:auto"><img alt="{escaped(alt)}" '
        f'style="max-width:100%;min-width:{least}px;height:auto" '
        f'src="data:image/svg+xml;base64,{data}"></div>'
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain texts, escaped, in the notebook's own colours."""
    head = "".join(
        f'<th scope="col" style="{_CELL};font-size:12px">{escaped(text)}</th>' for text in heads
    )
    lines = []
    for row in rows:
        cells = (f'<td style="{_CELL};{_MONO}">{escaped(text)}</td>' for text in row)
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<table style="border-collapse:collapse;margin:4px 0"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def details(summary: str, content: str, *, open_: bool = False) -> str:
    """Content that the reader unfolds; ``content`` is HTML, ``summary`` plain text."""
    attribute = " open" if open_ else ""
    head = f'<summary style="{_SUMMARY}">{escaped(summary)}</summary>'
    return f"<details{attribute}>{head}{content}</details>"


def preformatted(text: str) -> str:
    """Text with its line breaks, in fixed-width letters."""
    return f'<pre style="{_MONO};line-height:1.35;margin:4px 0">{escaped(text)}</pre>'


def equation_table(record: GraphRecord, *, most: int | None = None) -> str:
    """Every equation, or the first ``most``, with its name, results, operands, parameters and the
    user's line."""
    heads = ["equation", "result", "primitive", "operands", "parameters", "line"]
    rows = [
        [
            path,
            " ".join(map(str, node.outputs)),
            node.label,
            " ".join(node.operands),
            "  ".join(f"{name}={text}" for name, text in node.params),
            node.source,
        ]
        for path, node in itertools.islice(walk_equations(record), most)
    ]
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    return table(heads, rows)


def walk_equations(record: GraphRecord, prefix: str = "") -> Iterator[tuple[str, NodeRecord]]:
    """Every equation with its path, e.g. ``scan_0/body/mul_1``, nested ones after their own."""
    for node in record.of_kind("equation"):
        yield prefix + node.id, node
        for part in node.subgraphs:
            yield from walk_equations(part.graph, f"{prefix}{node.id}/{part.title}/")


def describe(record: GraphRecord) -> str:
    """The graph in one sentence, for readers who do not see it.

    >>> describe(GraphRecord((), ()))
    'Graph of a jaxpr with 0 inputs, 0 equations and 0 outputs.'
    """
    nested = sum("/" in path for path, _ in walk_equations(record))
    inputs, outputs = len(record.of_kind("input")), len(record.of_kind("output"))
    parts = [counted(inputs, "input")]
    if constants := len(record.of_kind("constant")):
        parts.append(counted(constants, "constant"))
    equations = counted(len(record.of_kind("equation")), "equation")
    parts.append(equations + (f" ({nested} more inside of them)" if nested else ""))
    return f"Graph of a jaxpr with {', '.join(parts)} and {counted(outputs, 'output')}."


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "input"), counted(2, "input")
    ('1 input', '2 inputs')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
