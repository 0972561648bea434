"""``show_jacobian``: a Jacobian, its sparsity, and what colouring saves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from adlib.inspect import AssembledJacobian, CellRecord, JacobianRecord, MatrixRecord
from adlib_widgets import html
from adlib_widgets.jacobian_scene import group_letter, jacobian_scene, number_text
from adlib_widgets.scene import Scene
from adlib_widgets.static_view import StaticView, explorer_of
from adlib_widgets.svg import scene_svg

_MOST_ROWS = 200  # of the table of entries
_MOST_TEXT = 24  # rows and columns of the picture in letters


class JacobianView(StaticView):
    """A Jacobian as a heat map, with its columns by JVP and its rows by VJP, coloured.

    Displays itself in notebooks; the same record gives the same bytes everywhere. ``explore()``
    gives the interactive form.

    Attributes:
      record: the ``JacobianRecord`` from which the picture is drawn.
      jacobian: the whole matrix and its function, or None where only a record was given.
    """

    def __init__(self, record: JacobianRecord, jacobian: AssembledJacobian | None = None) -> None:
        self.record = record
        self.jacobian = jacobian

    @cached_property
    def _scene(self) -> Scene:
        return jacobian_scene(self.record)

    @cached_property
    def svg(self) -> str:
        """The picture as the text of an SVG file."""
        return scene_svg(self._scene, title="Jacobian", description=repr(self))

    @cached_property
    def html(self) -> str:
        """The view as HTML that needs no scripts and no trust."""
        record = self.record
        picture = html.image(self.svg, describe(record), self._scene.width)
        cells = record.matrix.cells
        shown = cells[:_MOST_ROWS]
        heads, rows = _entry_rows(record, shown)
        more = "" if len(shown) == len(cells) else f" (the first {len(shown)} cells)"
        summary = f"Entries of the pattern: {record.entries}{more}"
        return (
            picture
            + html.table(*_cost_table(record))
            + html.details(summary, html.table(heads, rows))
        )

    def explore(self) -> Any:
        """The interactive form: fill the matrix pass by pass, and see the paths of an entry.

        Columns by JVP fill beside rows by VJP, one-hot or compressed by colours, with what
        they cost; a chosen entry shows the paths of local derivatives that make it.

        Returns:
          A ``JacobianExplorer``, a widget whose traits ``step``, ``mode``, ``block`` and
          ``selected`` can be read and set.

        Raises:
          ImportError: if the Python package anywidget is not installed.
          ValueError: if the view has a record only, and no function to ask.
        """
        return explorer_of(self, "adlib_widgets.jacobian_explorer", "JacobianExplorer")

    def __str__(self) -> str:
        return "\n".join([describe(self.record), *_letters(self.record)])


def show_jacobian(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0
) -> Callable[..., JacobianView]:
    """A function that evaluates the Jacobian of ``function`` at its arguments and shows it.

    The picture has the matrix with its sparsity pattern, the groups of columns that one
    pushforward (JVP) evaluates together and the matrix J·S that these give, and the same for
    groups of rows and pullbacks (VJP).

    Args:
      function: function of real arrays, or pytrees of them, that returns such.
      argnums: the arguments to differentiate with respect to.

    Returns:
      A function of the same arguments that returns a ``JacobianView``, whose ``explore()``
      gives the interactive form. What ``function`` raises comes through unchanged.

    >>> import adlib.numpy as jnp
    >>> show_jacobian(lambda x: x[1:] * x[:-1])(jnp.arange(1.0, 5.0))
    Jacobian of shape 3×4, 6 of 12 entries in its pattern. \
Columns: 4 JVPs, by groups 2. Rows: 3 VJPs, by groups 2.
       a b a b
     A ■ ■ · ·
     B · ■ ■ ·
     A · · ■ ■
    """

    def shown(*args: Any, **kwargs: Any) -> JacobianView:
        __tracebackhide__ = True
        jacobian = AssembledJacobian(function, args, kwargs, argnums=argnums)
        return JacobianView(jacobian.record(), jacobian)

    shown.__wrapped__ = function  # type: ignore[attr-defined]  # for signatures, by name
    return shown


def describe(record: JacobianRecord) -> str:
    """The Jacobian in two sentences, for readers who do not see it."""
    m, n = record.matrix.shape
    (columns, column_groups), (rows, row_groups) = record.pushforwards, record.pullbacks
    zero = f", {record.zeros} of them zero here" if record.zeros else ""
    return (
        f"Jacobian of shape {m}×{n}, {record.entries} of {m * n} entries in its pattern{zero}. "
        f"Columns: {html.counted(columns, 'JVP')}, by groups {column_groups}. "
        f"Rows: {html.counted(rows, 'VJP')}, by groups {row_groups}."
    )


def _cost_table(record: JacobianRecord) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name, product, (one_hot, grouped) in (
        ("columns", "JVP (forward mode)", record.pushforwards),
        ("rows", "VJP (reverse mode)", record.pullbacks),
    ):
        ratio = f"{one_hot / grouped:.3g}× fewer" if one_hot > grouped > 0 else "–"
        rows.append([name, product, str(one_hot), str(grouped), ratio])
    return ["assembled by", "one product is a", "one-hot", "by groups", "saved"], rows


def _entry_rows(
    record: JacobianRecord, cells: Sequence[CellRecord]
) -> tuple[list[str], list[list[str]]]:
    if record.matrix.whole:
        rows = [
            [
                record.rows[c.row],
                record.columns[c.column],
                number_text(c.value),
                group_letter(record.column_colours[c.column]),
                group_letter(record.row_colours[c.row]).upper(),
            ]
            for c in cells
        ]
        return ["result", "argument", "derivative", "column group", "row group"], rows
    rows = [[str(c.row), str(c.column), str(c.entries), number_text(c.value)] for c in cells]
    return ["block row", "block column", "entries", "largest"], rows


def _letters(record: JacobianRecord) -> list[str]:
    """The pattern in letters: the groups of columns above, of rows beside; empty if too big."""
    matrix: MatrixRecord = record.matrix
    m, n = matrix.shape
    if not matrix.whole or max(m, n) > _MOST_TEXT:
        return []
    there = {(c.row, c.column) for c in matrix.cells}
    lines = ["   " + " ".join(group_letter(c) for c in record.column_colours)]
    for i in range(m):
        marks = " ".join("■" if (i, j) in there else "·" for j in range(n))
        lines.append(f" {group_letter(record.row_colours[i]).upper()} {marks}")
    return lines
