"""A Jacobian with its pattern, its colourings and what they save, frozen and ready for JSON."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from adlib.base import tree
from adlib.core.array import as_value
from adlib.experimental.sparse import colour_columns, sparse_jacobian
from adlib.inspect.arguments import argument_names, leaf_names

VERSION = 1
MOST_PLACES = 48


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


def jacobian_record(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    *,
    argnums: int | Sequence[int] = 0,
) -> JacobianRecord:
    """Evaluate and colour the Jacobian of ``function`` at ``args``.

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
    kwargs = kwargs or {}
    results: list[list[Any]] = []

    def noted(*values: Any, **keywords: Any) -> Any:
        out = function(*values, **keywords)
        leaves = [as_value(leaf).aval.shape for leaf in tree.leaves(out)]
        results[:] = [leaf_names("out", out), leaves]
        return out

    jacobian = sparse_jacobian(noted, argnums)(*args, **kwargs)
    i, j = jacobian.row, jacobian.col  # explicit zeros included: this is the pattern
    pattern = sp.coo_array((np.ones(len(i), bool), (i, j)), shape=jacobian.shape)
    groups = colour_columns(pattern), colour_columns(pattern.T)
    values = np.asarray(jacobian.data, np.float64)
    m, n = jacobian.shape
    parts = [int(g.max(initial=-1)) + 1 for g in groups]
    matrix = _matrix(values, i, j, (m, n))
    small = matrix.whole
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    inputs = _inputs(function, args, [p % len(args) for p in positions])
    return JacobianRecord(
        rows=_entry_names(zip(*results, strict=True)) if small else (),
        columns=_entry_names(inputs) if small else (),
        matrix=matrix,
        row_colours=tuple(groups[1].tolist()),
        column_colours=tuple(groups[0].tolist()),
        by_columns=_matrix(values, i, groups[0][j], (m, parts[0])),
        by_rows=_matrix(values, groups[1][i], j, (parts[1], n)),
        entries=int(jacobian.nnz),
        zeros=int((values == 0).sum()),
    )


def _inputs(
    function: Callable[..., Any], args: Sequence[Any], positions: Sequence[int]
) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of every leaf of the arguments at ``positions``."""
    names = iter(argument_names(function, args))
    by_argument = [[(next(names), leaf) for leaf in tree.leaves(arg)] for arg in args]
    return [(name, as_value(leaf).aval.shape) for p in positions for name, leaf in by_argument[p]]


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


def _entry_names(leaves: Any) -> tuple[str, ...]:
    """``x[0]``, ``x[1]``, … for each number of each leaf; a scalar goes by its own name."""
    names = []
    for name, shape in leaves:
        for index in itertools.product(*map(range, shape)):
            names.append(f"{name}[{','.join(map(str, index))}]" if shape else name)
    return tuple(names)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
