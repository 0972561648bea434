"""A Jacobian with its pattern, its colourings and what they save, frozen and ready for JSON.

``jacobian_record`` gives the record that static pictures are drawn from. An ``AssembledJacobian``
has the whole matrix and the function too, so that it can say more when it is asked: single
blocks, what a pass costs, and the paths that make an entry.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from adlib.api.arguments import normalize_argnums
from adlib.api.input_names import argument_names, leaf_names
from adlib.base import tree
from adlib.core.array import as_value
from adlib.experimental.sparse import colour_columns
from adlib.experimental.sparse.derivatives import assembled
from adlib.inspect.element_tape import ElementTape
from adlib.inspect.jacobian_costs import DerivativeCosts, derivative_costs
from adlib.inspect.jacobian_paths import EntryRecord, entry_paths
from adlib.inspect.programs import Program, trace_program
from adlib.inspect.progress import progress

VERSION = 1
MOST_PLACES = 48
_MOST_COLOURED = 3_000  # rows and columns of a block that is coloured by itself
_MOST_WORK = 1_000_000  # numbers of seeds and products in a second assembly
_NOISE = 1e-5  # entries of both modes that are closer differ by rounding


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One cell of a matrix's picture.

    Attributes:
      row, column: its place in the picture.
      value: the entry; in a down-sampled picture the one of largest magnitude.
      entries: how many entries of the pattern the cell stands for.
    """

    row: int
    column: int
    value: float
    entries: int = 1


@dataclass(frozen=True, slots=True)
class MatrixRecord:
    """A sparse matrix, down-sampled to at most ``MOST_PLACES`` cells each way.

    Attributes:
      shape: of the whole matrix.
      picture: of the picture; equal to ``shape`` where nothing is merged.
      cells: those that hold entries of the pattern, by row, then by column.
    """

    shape: tuple[int, int]
    picture: tuple[int, int]
    cells: tuple[CellRecord, ...]

    @property
    def whole(self) -> bool:
        """Whether each entry has a cell of its own."""
        return self.shape == self.picture


@dataclass(frozen=True, slots=True)
class JacobianRecord:
    """The Jacobian of a function at a point.

    Attributes:
      rows, columns: names of the results' and the arguments' numbers (``x[2]``); empty where
        the picture is down-sampled.
      matrix: the Jacobian.
      row_colours, column_colours: their groups, counted from 0: those of one group never meet.
      by_columns: a column for each group of columns, the sum of that group: what one
        pushforward gives.
      by_rows: a row for each group of rows, their sum: what one pullback gives.
      entries: how many entries the pattern has.
      zeros: how many of them are zero at this point.
      row_parts, column_parts: the arrays that the rows and the columns are made of, as
        (name, first, size).
      version: of this record's form; it grows when a field changes its meaning.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    matrix: MatrixRecord
    row_colours: tuple[int, ...]
    column_colours: tuple[int, ...]
    by_columns: MatrixRecord
    by_rows: MatrixRecord
    entries: int
    zeros: int
    row_parts: tuple[tuple[str, int, int], ...] = ()
    column_parts: tuple[tuple[str, int, int], ...] = ()
    version: int = VERSION

    @property
    def pushforwards(self) -> tuple[int, int]:
        """JVPs that give the whole: one for each column, one for each group of them."""
        return self.matrix.shape[1], self.by_columns.shape[1]

    @property
    def pullbacks(self) -> tuple[int, int]:
        """VJPs that give the whole: one for each row, one for each group of them."""
        return self.matrix.shape[0], self.by_rows.shape[0]

    def to_json(self) -> dict[str, Any]:
        """The record as dicts, lists, strings and numbers only; ``nan`` and ``inf`` as text."""
        return _plain(asdict(self))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class LeafRecord:
    """An array among the arguments or the results: one side of a block of the Jacobian.

    Attributes:
      name: e.g. ``params['w']``.
      type: e.g. ``f32[3,4]``.
      shape: of the array.
      start, size: its columns, or rows, are ``start`` to ``start + size``.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    start: int
    size: int

    def number_name(self, number: int) -> str:
        """The name of one of its numbers, ``w[1,2]``; a scalar goes by its own name."""
        if not self.shape:
            return self.name
        index = np.unravel_index(number, self.shape)
        return f"{self.name}[{','.join(str(int(i)) for i in index)}]"

    def number_names(self) -> list[str]:
        if not self.shape:
            return [self.name]
        places = itertools.product(*map(range, self.shape))
        return [f"{self.name}[{','.join(map(str, place))}]" for place in places]


class AssembledJacobian:
    """The Jacobian of a function at a point, and what can be asked of it.

    Attributes:
      function, args, kwargs: what was differentiated, and where.
      positions: of the arguments that it was differentiated with respect to.
      rows, columns: of the pattern's entries, integer arrays of shape ``(entries,)``.
      values: the entries, float64, of that shape.
      shape: of the matrix.
      row_colours, column_colours: groups of rows and of columns that never meet.
      outputs, inputs: the leaves whose numbers are the rows and the columns.
      restricted: the only mode that the function has, ``"fwd"`` or ``"rev"``, or ``""``.
      mode: the one that made the values.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any] | None = None,
        *,
        argnums: int | Sequence[int] = 0,
    ) -> None:
        """Assemble it, compressed; arguments and errors as for ``jacobian_record``."""
        self.function, self.args, self.kwargs = function, tuple(args), kwargs or {}
        results: list[list[Any]] = []

        def noted(*values: Any, **keywords: Any) -> Any:
            out = function(*values, **keywords)
            avals = [as_value(leaf).aval for leaf in tree.leaves(out)]
            results[:] = [leaf_names("out", out), avals]
            return out

        given = normalize_argnums(argnums, "jacobian")
        parts = assembled(
            noted, args, self.kwargs, given, loop=lambda items: progress(items, "Jacobian")
        )
        assert parts.columns is not None and parts.rows is not None
        matrix = parts.matrix
        self.positions = tuple(p % len(args) for p in given)
        self.rows, self.columns, self.shape = matrix.row, matrix.col, matrix.shape
        self.values = np.asarray(matrix.data, np.float64)
        self.dtype = matrix.data.dtype
        self.row_colours, self.column_colours = parts.rows, parts.columns
        self.restricted, self.mode = parts.restricted, parts.mode
        self.outputs = _leaves(zip(*results, strict=True))
        self.inputs = _leaves(_inputs(function, args, self.positions))

    def record(self) -> JacobianRecord:
        """What a static picture needs."""
        i, j, values = self.rows, self.columns, self.values
        m, n = self.shape
        groups = self.column_colours, self.row_colours
        parts = [int(g.max(initial=-1)) + 1 for g in groups]
        matrix = _matrix(values, i, j, (m, n))
        small = matrix.whole
        return JacobianRecord(
            rows=_number_names(self.outputs) if small else (),
            columns=_number_names(self.inputs) if small else (),
            matrix=matrix,
            row_colours=tuple(groups[1].tolist()),
            column_colours=tuple(groups[0].tolist()),
            by_columns=_matrix(values, i, groups[0][j], (m, parts[0])),
            by_rows=_matrix(values, groups[1][i], j, (parts[1], n)),
            entries=len(values),
            zeros=int((values == 0).sum()),
            row_parts=tuple((leaf.name, leaf.start, leaf.size) for leaf in self.outputs),
            column_parts=tuple((leaf.name, leaf.start, leaf.size) for leaf in self.inputs),
        )

    @cached_property
    def by_mode(self) -> tuple[Any, Any]:
        """The entries as forward mode and as reverse mode compute them.

        They are one array where both agree but for rounding. They need not: ``where`` drops a
        tangent of the branch that it leaves out, but multiplies a cotangent by zero, and zero
        times infinity is no number. Where the second mode would take long it is not asked.
        """
        other = "rev" if self.mode == "fwd" else "fwd"
        colours = self.row_colours if other == "rev" else self.column_colours
        work = (int(colours.max(initial=-1)) + 1) * sum(self.shape)
        if self.restricted or work > _MOST_WORK:
            return self.values, self.values
        ones = np.ones(len(self.rows), bool)
        pattern = sp.coo_array((ones, (self.rows, self.columns)), shape=self.shape)
        # the pattern is the same, so its entries come in the same order
        parts = assembled(self.function, self.args, self.kwargs, self.positions, other, pattern)
        places = np.array_equal(parts.matrix.row, self.rows)
        assert places and np.array_equal(parts.matrix.col, self.columns)
        values = np.asarray(parts.matrix.data, np.float64)
        if np.allclose(values, self.values, rtol=1e-3, atol=_NOISE, equal_nan=True):
            values = self.values
        return (self.values, values) if self.mode == "fwd" else (values, self.values)

    def block(self, output: int, input: int) -> tuple[Any, Any, Any]:
        """Rows, columns and positions of one result's derivatives by one argument's leaf.

        Rows and columns count from the block's corner; positions are those among ``values``.
        """
        down, across = self.outputs[output], self.inputs[input]
        i, j = self.rows - down.start, self.columns - across.start
        inside = (i >= 0) & (i < down.size) & (j >= 0) & (j < across.size)
        return i[inside], j[inside], np.flatnonzero(inside)

    def block_colours(self, output: int, input: int) -> tuple[Any, Any]:
        """Groups of the columns and of the rows of a block that never meet in it.

        Large blocks keep the groups of the whole, which may be more than they need.
        """
        down, across = self.outputs[output], self.inputs[input]
        if down.size + across.size > _MOST_COLOURED:
            return tuple(
                np.unique(colours[leaf.start : leaf.start + leaf.size], return_inverse=True)[1]
                for colours, leaf in ((self.column_colours, across), (self.row_colours, down))
            )  # type: ignore[return-value]
        i, j, _ = self.block(output, input)
        pattern = sp.coo_array((np.ones(len(i), bool), (i, j)), shape=(down.size, across.size))
        return colour_columns(pattern), colour_columns(pattern.T)

    def entry(self, row: int, column: int) -> float:
        """One entry; zero outside of the pattern."""
        found = self._places.get((row, column))
        return 0.0 if found is None else float(self.values[found])

    @cached_property
    def _places(self) -> dict[tuple[int, int], int]:
        pairs = zip(self.rows.tolist(), self.columns.tolist(), strict=True)
        return {pair: k for k, pair in enumerate(pairs)}

    def row_name(self, row: int) -> str:
        """The name of a result's number, e.g. ``out[1]``."""
        leaf = self.outputs[leaf_at(self.outputs, row)]
        return leaf.number_name(row - leaf.start)

    def column_name(self, column: int) -> str:
        """The name of an argument's number, e.g. ``x[2]``."""
        leaf = self.inputs[leaf_at(self.inputs, column)]
        return leaf.number_name(column - leaf.start)

    @cached_property
    def program(self) -> Program:
        """The function's program."""
        return trace_program(self.function, self.args, self.kwargs)

    @cached_property
    def _input_places(self) -> list[int]:
        """For each leaf of the chosen arguments its position among the program's inputs."""
        counts = [len(tree.leaves(arg)) for arg in self.args]
        starts = np.cumsum([0, *counts])
        leaves = [int(starts[p]) + k for p in self.positions for k in range(counts[p])]
        return [self.program.places.index(leaf) for leaf in leaves]

    @cached_property
    def costs(self) -> DerivativeCosts:
        """Operations of one evaluation, one JVP and one VJP."""
        chosen = set(self._input_places)
        active = [k in chosen for k in range(len(self.program.values))]
        return derivative_costs(self.program.closed, active)

    @cached_property
    def tape(self) -> ElementTape:
        """A run of the program, number by number."""
        return ElementTape(self.program)

    def paths(self, row: int, column: int) -> EntryRecord:
        """The paths that make an entry, and their local derivatives.

        Raises:
          IndexError: for a place outside of the matrix.

        >>> import adlib.numpy as jnp
        >>> jacobian = AssembledJacobian(lambda x: x[0] * jnp.sin(x[0]), (jnp.array([2.0]),))
        >>> entry = jacobian.paths(0, 0)
        >>> [path.names for path in entry.paths]
        [('x[0]', 'out'), ('x[0]', 'd', 'out')]
        """
        m, n = self.shape
        if not (0 <= row < m and 0 <= column < n):
            raise IndexError(
                f"the Jacobian of shape {m}×{n} has no entry ({row}, {column}): rows count from "
                f"0 to {m - 1}, columns from 0 to {n - 1}."
            )
        output, input = leaf_at(self.outputs, row), leaf_at(self.inputs, column)
        return entry_paths(
            self.tape,
            output,
            row - self.outputs[output].start,
            self._input_places[input],
            column - self.inputs[input].start,
            EntryRecord(
                row,
                column,
                self.row_name(row),
                self.column_name(column),
                in_pattern=(row, column) in self._places,
            ),
        )


def leaf_at(leaves: Sequence[LeafRecord], number: int) -> int:
    """Which leaf a row or a column belongs to."""
    starts = [leaf.start for leaf in leaves]
    found = bisect.bisect_right(starts, number) - 1
    while not leaves[found].size:  # empty arrays share their start with what follows
        found -= 1
    return found


def jacobian_record(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    *,
    argnums: int | Sequence[int] = 0,
) -> JacobianRecord:
    """Evaluate and colour the Jacobian of ``function`` at ``args``.

    Long assemblies report their progress (``adlib.inspect.progress``).

    Args:
      function: function of real arrays, or pytrees of them, that returns such.
      args, kwargs: where to evaluate it.
      argnums: the arguments to differentiate with respect to.

    Raises what ``sparse_jacobian`` raises, and the function's own errors.

    >>> import adlib.numpy as jnp
    >>> record = jacobian_record(lambda x: x[1:] * x[:-1], (jnp.arange(1.0, 6.0),))
    >>> record.pushforwards, record.pullbacks, record.column_colours
    ((5, 2), (4, 2), (0, 1, 0, 1, 0))
    """
    return AssembledJacobian(function, args, kwargs, argnums=argnums).record()


def _inputs(
    function: Callable[..., Any], args: Sequence[Any], positions: Sequence[int]
) -> list[tuple[str, Any]]:
    """Name and type of every leaf of the arguments at ``positions``."""
    names = iter(argument_names(function, args))
    by_argument = [[(next(names), leaf) for leaf in tree.leaves(arg)] for arg in args]
    return [(name, as_value(leaf).aval) for p in positions for name, leaf in by_argument[p]]


def _leaves(named: Any) -> tuple[LeafRecord, ...]:
    leaves, start = [], 0
    for name, aval in named:
        leaves.append(LeafRecord(name, aval.str_short(), aval.shape, start, int(aval.size)))
        start += int(aval.size)
    return tuple(leaves)


def _number_names(leaves: Sequence[LeafRecord]) -> tuple[str, ...]:
    return tuple(name for leaf in leaves for name in leaf.number_names())


def _matrix(values: Any, rows: Any, columns: Any, shape: tuple[int, int]) -> MatrixRecord:
    """The picture of a matrix given by its entries."""
    steps = [max(1, math.ceil(size / MOST_PLACES)) for size in shape]
    picture = (math.ceil(shape[0] / steps[0]), math.ceil(shape[1] / steps[1]))
    found: dict[tuple[int, int], tuple[float, int]] = {}
    places = zip((rows // steps[0]).tolist(), (columns // steps[1]).tolist(), strict=True)
    for place, value in zip(places, values.tolist(), strict=True):
        largest, count = found.get(place, (0.0, 0))
        keep = abs(value) > abs(largest) or math.isnan(value)
        found[place] = (value if keep else largest, count + 1)
    cells = tuple(CellRecord(*place, *found[place]) for place in sorted(found))
    return MatrixRecord(shape, picture, cells)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
