"""Matrix products: which run as loops, which through BLAS, and how operands lie in memory.

A product of a matrix and a vector, or of small matrices, is a loop nest like any other
reduction, and fuses with what is around it. Larger ones are calls of ``gemm``, one for each
entry of the batch, that read their operands as they lie, transposed or strided; an operand that
BLAS cannot read so is written out in order first. A number that scales a product, and an array
in memory that it is added to, are BLAS's part too: that saves a pass over the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.compile import views
from adlib.compile.half_types import HALVES
from adlib.compile.loopir import Position
from adlib.core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var

# Multiplications up to which a product runs as a loop nest: a call of BLAS takes a microsecond.
_SMALL = 16 * 16 * 16

Axes = tuple[int, ...]


class Dims:
    """The axes of a product by what they do, and their sizes.

    Attributes:
      shape: the iteration space as loops: batch, rows, columns, contracted axes; but for a vector
        and a matrix, which is read as it lies, in the matrix's order (``inner_first``).
    """

    __slots__ = (
        "batch",
        "columns",
        "inner",
        "inner_first",
        "lhs",
        "lhs_free",
        "rhs",
        "rhs_free",
        "rows",
        "shape",
    )

    def __init__(self, eqn: Eqn) -> None:
        (left, right), (left_batch, right_batch) = eqn.params["dimension_numbers"]
        a, b = eqn.invars[0].aval.shape, eqn.invars[1].aval.shape
        self.lhs_free = tuple([d for d in range(len(a)) if d not in (*left, *left_batch)])
        self.rhs_free = tuple([d for d in range(len(b)) if d not in (*right, *right_batch)])
        self.lhs: tuple[Axes, Axes, Axes] = (tuple(left_batch), self.lhs_free, tuple(left))
        self.rhs: tuple[Axes, Axes, Axes] = (tuple(right_batch), tuple(right), self.rhs_free)
        self.batch = math.prod([a[d] for d in left_batch])
        self.rows = math.prod([a[d] for d in self.lhs_free])
        self.columns = math.prod([b[d] for d in self.rhs_free])
        self.inner = math.prod([a[d] for d in left])
        free = [*[a[d] for d in self.lhs_free], *[b[d] for d in self.rhs_free]]
        inner = [a[d] for d in left]
        self.inner_first = bool(inner) and (
            (self.rows == 1 and _precede(right, self.rhs_free))
            or (self.columns == 1 and _precede(left, self.lhs_free))
        )
        parts = (inner, free) if self.inner_first else (free, inner)
        self.shape = (*[a[d] for d in left_batch], *parts[0], *parts[1])


def _precede(axes: Axes, others: Axes) -> bool:
    return bool(others) and max(axes) < min(others)


def native(eqn: Eqn, dtypes: frozenset[np.dtype[Any]]) -> bool:
    """Whether native code computes a product: operands and result have one type, but that loops
    may sum up narrower numbers in a wider type."""
    if eqn.primitive.name != "dot_general":
        return False
    result = eqn.outvars[0].aval.dtype
    found = {result, *[v.aval.dtype for v in eqn.invars]}
    if not found <= dtypes:
        return False
    if is_outer(eqn):
        return len(found) == 1
    return result not in HALVES and (len(found) == 1 or as_loops(eqn))


def as_loops(eqn: Eqn) -> bool:
    """Whether a product is a loop nest rather than a call of BLAS."""
    dims = Dims(eqn)
    if eqn.outvars[0].aval.dtype.kind not in "fc" or 0 in dims.shape:
        return True
    if dims.rows == 1 or dims.columns == 1 or dims.inner == 1:
        return True
    return bool(dims.rows * dims.columns * dims.inner <= _SMALL)


def is_outer(eqn: Eqn) -> bool:
    """Whether nothing is summed: every element is one product."""
    return not eqn.params["dimension_numbers"][0][0]


def space(eqn: Eqn) -> tuple[int, ...]:
    """The iteration space of a product as loops."""
    return Dims(eqn).shape


def reads(eqn: Eqn, same: views.Coordinates) -> list[views.Coordinates]:
    """Where the operands are read in that space, given its own coordinates."""
    dims = Dims(eqn)
    batch, rows = len(dims.lhs[0]), len(dims.lhs_free)
    columns = len(dims.rhs_free)
    inner = len(dims.lhs[2])
    by_batch, names = same[:batch], same[batch:]
    free = names[inner:] if dims.inner_first else names[: rows + columns]
    contracted = names[:inner] if dims.inner_first else names[rows + columns :]
    by_row, by_column = free[:rows], free[rows:]
    lhs = _placed(dims.lhs, (by_batch, by_row, contracted))
    return [lhs, _placed(dims.rhs, (by_batch, contracted, by_column))]


def _placed(axes: Sequence[Axes], groups: Sequence[Sequence[Position]]) -> views.Coordinates:
    result: dict[int, Position] = {}
    for places, positions in zip(axes, groups, strict=True):
        result.update(zip(places, positions, strict=True))
    return tuple([result[d] for d in range(len(result))])


def reduced_axes(eqn: Eqn) -> Axes:
    """The axes of the space that are summed over."""
    dims = Dims(eqn)
    inner = len(dims.lhs[2])
    first = len(dims.lhs[0]) if dims.inner_first else len(dims.shape) - inner
    return tuple(range(first, first + inner))


# ------------------------------------------------------- what follows on a product


_LEAST = 1e-30  # of a scale that single precision holds


class Readers:
    """Which equations read each variable of a program."""

    def __init__(self, jaxpr: Jaxpr) -> None:
        self._of: dict[Var, list[Eqn]] = {}
        for eqn in jaxpr.eqns:
            for var in {v for v in eqn.invars if type(v) is Var}:
                self._of.setdefault(var, []).append(eqn)
        self._results = {v for v in jaxpr.outvars if type(v) is Var}

    def only(self, var: Var) -> Eqn | None:
        """The one equation that reads a variable; None where there are others, or a result."""
        found = self._of.get(var, ())
        return found[0] if len(found) == 1 and var not in self._results else None


def continued(
    eqn: Eqn, readers: Readers, in_memory: Callable[[Atom], bool]
) -> tuple[float, Var | None, list[Eqn]]:
    """What BLAS can do to a product besides: (scale, onto, the equations that say so).

    ``in_memory`` tells whether an operand is there when the product is computed.
    """
    scale = 1.0
    followers: list[Eqn] = []
    out = eqn.outvars[0]
    while True:
        reader = readers.only(out)
        if reader is None or reader.outvars[0].aval.dtype != out.aval.dtype:
            return scale, None, followers
        name = reader.primitive.name
        if name == "neg":
            scale = -scale
        elif name == "mul":
            factor = _factor(reader.invars[1] if reader.invars[0] is out else reader.invars[0])
            if factor is None or not _LEAST < abs(scale * factor) < 1 / _LEAST:
                return scale, None, followers
            scale *= factor
        elif name in ("add", "add_any", "sub"):
            first, second = reader.invars
            other = second if first is out else first
            if first is second or type(other) is not Var or other.aval.shape != out.aval.shape:
                return scale, None, followers
            if name == "sub" and first is out or not in_memory(other):
                return scale, None, followers
            return (-scale if name == "sub" else scale), other, [*followers, reader]
        else:
            return scale, None, followers
        followers.append(reader)
        out = reader.outvars[0]


def _factor(atom: Atom) -> float | None:
    """A real number that BLAS may multiply by: not 0, which would hide NaN and infinities."""
    if type(atom) is not Literal or atom.aval.shape:
        return None
    value = complex(np.asarray(atom.array._value).item())
    if value.imag or not math.isfinite(value.real) or not value.real:
        return None
    return value.real


# --------------------------------------------------------------------------- BLAS

# Rows of a triangular matrix from which leaving its zeros out is faster.
TRIANGULAR = 32

# Rows from which computing one triangle, and copying it, is faster than computing both.
_SYMMETRIC = 96


class Matrix:
    """How BLAS reads an operand: a batch of matrices in memory of its own.

    Attributes:
      offset: of the first element; ``step``: from one batch entry to the next.
      leading: elements from one line to the next; ``flipped``: lines are columns.
    """

    __slots__ = ("flipped", "leading", "offset", "step")

    def __init__(self, offset: int, step: int, leading: int, flipped: bool) -> None:
        self.offset = offset
        self.step = step
        self.leading = leading
        self.flipped = flipped


def is_symmetric(dims: Dims, left: Matrix, right: Matrix) -> bool:
    """Whether two views of one variable are a matrix and its transpose, and large enough."""
    same = (left.offset, left.step, left.leading) == (right.offset, right.step, right.leading)
    if not same or left.flipped == right.flipped or dims.rows != dims.columns:
        return False
    return dims.rows >= _SYMMETRIC and dims.inner >= 16


def matrix(
    position: Position | None, shape: Sequence[int], axes: tuple[Axes, Axes, Axes]
) -> Matrix | None:
    """The operand whose element lies at ``position`` of its own axes, as matrices.

    ``axes`` are those of batch, rows and columns. None where BLAS cannot read it so.
    """
    if position is None:
        return None
    merged = [_merged([(shape[d], position[d]) for d in group]) for group in axes]
    if any(m is None for m in merged):
        return None
    (_, step), (rows, by_row), (columns, by_column) = merged  # type: ignore[misc]
    if by_row < 0 or by_column < 0:
        return None
    if (by_column == 1 or columns == 1) and (by_row >= max(columns, 1) or rows == 1):
        return Matrix(position[-1], step, max(by_row, columns, 1), False)
    if (by_row == 1 or rows == 1) and (by_column >= max(rows, 1) or columns == 1):
        return Matrix(position[-1], step, max(by_column, rows, 1), True)
    return None


def _merged(axes: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Several (size, stride) as one; None where they are no single run."""
    real = [(n, s) for n, s in axes if n != 1]
    if not real:
        return 1, 0
    for (_, outer), (n, inner) in zip(real[:-1], real[1:], strict=True):
        if outer != n * inner:
            return None
    return math.prod([n for n, _ in real]), real[-1][1]
