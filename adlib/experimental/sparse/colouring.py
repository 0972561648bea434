"""Colourings: which columns of a sparse matrix can be evaluated together.

Gebremedhin, Manne & Pothen, "What color is your Jacobian? Graph coloring for computing
derivatives", SIAM Review 47(4), 2005. Finding the fewest colours is NP-hard; these are the
greedy algorithms that the paper recommends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp

Indices = np.ndarray[Any, np.dtype[np.int64]]


def colour_columns(pattern: Any) -> Indices:
    """Colours of the columns such that no two columns of a colour meet in a row.

    Columns are coloured greedily, once in their own order and once by falling degree, and the
    better result is kept; colours count from 0.

    Args:
      pattern: a sparse or dense matrix of shape ``(m, n)``; its nonzeros are the pattern.

    Returns:
      Integers of shape ``(n,)``. Colour the rows by giving the transpose.

    >>> import numpy as np
    >>> colour_columns(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])).tolist()
    [0, 1, 0, 1]
    """
    columns = sp.csc_array(pattern)
    per_row = np.bincount(columns.indices, minlength=columns.shape[0]).astype(np.int64)
    starts = columns.indptr
    degree = [
        int((per_row[columns.indices[a:b]] - 1).sum())
        for a, b in zip(starts[:-1], starts[1:], strict=True)
    ]
    orders = (range(columns.shape[1]), np.argsort(-np.array(degree, np.int64), kind="stable"))
    fewest = int(per_row.max(initial=0))  # the columns of one row all differ
    best: Indices | None = None
    for order in orders:
        colours = _greedy(columns, order)
        if best is None or count_colours(colours) < count_colours(best):
            best = colours
        if count_colours(best) == fewest:
            break
    assert best is not None
    return best


def _greedy(columns: Any, order: Iterable[int]) -> Indices:
    """Each column in turn takes the first colour that none of its rows has seen."""
    seen = [0] * columns.shape[0]  # the colours in each row, as bits of an integer
    colours = np.zeros(columns.shape[1], np.int64)
    for j in order:
        rows = columns.indices[columns.indptr[j] : columns.indptr[j + 1]].tolist()
        taken = 0
        for i in rows:
            taken |= seen[i]
        bit = ~taken & (taken + 1)
        for i in rows:
            seen[i] |= bit
        colours[j] = bit.bit_length() - 1
    return colours


def colour_symmetric(pattern: Any) -> Indices:
    """A star colouring: colours from which a symmetric matrix is read off directly.

    Neighbours differ in colour, and no path of four vertices has two colours only. So each
    entry ``(i, j)`` stands alone with its colour in row i or in row j. It often needs fewer
    colours than ``colour_columns``: an arrow takes two, whatever its size. (Section 4 of the
    paper; vertices in order of falling degree.)

    Args:
      pattern: a symmetric matrix of shape ``(n, n)``; its nonzeros are the pattern.

    Returns:
      Integers of shape ``(n,)``.

    >>> import numpy as np
    >>> arrow = np.eye(5); arrow[0] = arrow[:, 0] = 1
    >>> colour_symmetric(arrow).tolist()
    [0, 1, 1, 1, 1]
    """
    matrix = sp.csr_array(pattern)
    size = matrix.shape[0]
    neighbours = [
        [j for j in matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]].tolist() if j != i]
        for i in range(size)
    ]
    colour = [-1] * size
    for v in sorted(range(size), key=lambda i: -len(neighbours[i])):
        taken = _star_conflicts(v, neighbours, colour)
        free = 0
        while free in taken:
            free += 1
        colour[v] = free
    return np.array(colour, np.int64)


def _star_conflicts(v: int, neighbours: list[list[int]], colour: list[int]) -> set[int]:
    """The colours that vertex v must not take."""
    taken: set[int] = set()
    for w in neighbours[v]:
        if colour[w] < 0:
            # w may get a colour that closes a two-coloured path through v: keep its
            # neighbours' colours apart until then
            taken.update(colour[x] for x in neighbours[w] if colour[x] >= 0)
            continue
        taken.add(colour[w])
        for x in neighbours[w]:
            if x != v and colour[x] >= 0 and colour[x] not in taken:
                if any(y != w and colour[y] == colour[w] for y in neighbours[x]):
                    taken.add(colour[x])
    return taken


def count_colours(colours: Indices) -> int:
    """How many colours there are."""
    return int(colours.max()) + 1 if len(colours) else 0
