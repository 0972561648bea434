"""Matrices of known structure, and how to write them: what ``diagonals`` follows."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from adlib.compile.simplify.identities import identity_split
from adlib.compile.simplify.rewriting import Writer
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray
from adlib.core.jaxpr import Atom, Eqn, Literal, Var
from adlib.core.primitive import registry

Shape = tuple[int, ...]


class Diagonal(NamedTuple):
    """A value that is zero but where its two groups of axes meet.

    Attributes:
      identity: an identity matrix of shape (n, n) in the program.
      vector: what stands on the diagonal: an operand of n elements, of any shape; None for ones.
      left, right: groups of axes of n elements each, in increasing order; all others have size 1.
    """

    identity: Atom
    vector: Atom | None
    left: Shape
    right: Shape

    @property
    def size(self) -> int:
        return self.identity.aval.shape[0]


class Outer(NamedTuple):
    """A matrix column·rowᵀ: operands of rank 1; None for ones."""

    column: Atom | None
    row: Atom | None


class Known:
    """Which values are diagonal, and which matrices are diagonal plus outer products."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.found: dict[Var, Diagonal] = {}
        self.sums: dict[Var, tuple[Diagonal, tuple[Outer, ...]]] = {}
        self.squares: dict[Any, Atom] = {}

    def of(self, atom: Atom) -> Diagonal | None:
        if type(atom) is not Var:
            return None
        diagonal = self.found.get(atom)
        if diagonal is not None:
            return diagonal
        split = identity_split(atom, self.writer)
        if split is None:
            return None
        axes = tuple(range(atom.aval.ndim))
        left, right = self._real(axes[:split], atom), self._real(axes[split:], atom)
        self.found[atom] = diagonal = Diagonal(self._square(atom), None, left, right)
        return diagonal

    def _real(self, axes: Shape, atom: Atom) -> Shape:
        return tuple([d for d in axes if atom.aval.shape[d] != 1])

    def _square(self, atom: Var) -> Atom:
        """A constant identity as a matrix of shape (n, n)."""
        if atom.aval.ndim == 2:
            return atom
        n = math.isqrt(atom.aval.size)
        key = (n, atom.aval.dtype)
        if key not in self.squares:
            value = self.writer.known[atom]._value.reshape(n, n)
            aval = ShapedArray((n, n), atom.aval.dtype)
            var = Var(aval)
            self.writer.constvars.append(var)
            self.writer.consts.append(ArrayImpl(value, aval))
            self.writer.known[var] = self.writer.consts[-1]
            self.squares[key] = var
        return self.squares[key]

    def becomes(self, eqn: Eqn, diagonal: Diagonal, why: str) -> list[Atom]:
        """Write the matrix anew from its vector: the equations between fall away."""
        matrix = self.materialized(diagonal, eqn.outvars[0].aval.shape)
        if type(matrix) is Var:
            self.found[matrix] = diagonal
        self.writer.log.note(eqn, why, self.writer.producer.get(matrix))  # type: ignore[arg-type]
        return [matrix]

    def materialized(self, diagonal: Diagonal, shape: Shape) -> Atom:
        n, matrix = diagonal.size, diagonal.identity
        if diagonal.vector is not None:
            vector = reshaped(diagonal.vector, (n,), self.writer)
            row = broadcast(vector, (n, n), (1,), self.writer)
            (matrix,) = self.writer.emit(registry["mul"], [matrix, row])
        return reshaped(matrix, shape, self.writer)

    def vector(self, diagonal: Diagonal) -> Atom:
        """What stands on the diagonal, ones written out."""
        if diagonal.vector is not None:
            return diagonal.vector
        return self.ones(diagonal.size, diagonal.identity.aval.dtype)

    def ones(self, n: int, dtype: Any) -> Atom:
        one = self.writer.constant(1, ShapedArray((), dtype))
        return broadcast(one, (n,), (), self.writer)


def broadcast(x: Atom, shape: Shape, places: Shape, writer: Writer) -> Atom:
    if x.aval.shape == shape:
        return x
    params: dict[str, Any] = dict(shape=shape, broadcast_dimensions=places)
    return writer.emit(registry["broadcast_in_dim"], [x], **params)[0]


def reshaped(x: Atom, shape: Shape, writer: Writer) -> Atom:
    if x.aval.shape == shape:
        return x
    params: dict[str, Any] = dict(new_sizes=shape, dimensions=None)
    return writer.emit(registry["reshape"], [x], **params)[0]


def transposed(x: Atom, order: Shape, writer: Writer) -> Atom:
    if order == tuple(range(len(order))):
        return x
    return writer.emit(registry["transpose"], [x], permutation=order)[0]


def alike(x: Atom, y: Atom, writer: Writer) -> tuple[Atom, Atom]:
    """Two operands of equally many elements in one shape, that of more axes; numbers stay."""
    if is_number(x) or is_number(y) or x.aval.shape == y.aval.shape:
        return x, y
    if x.aval.ndim < y.aval.ndim:
        return reshaped(x, y.aval.shape, writer), y
    return x, reshaped(y, x.aval.shape, writer)


def times(x: Atom | None, y: Atom | None, writer: Writer) -> Atom | None:
    """The product, where None stands for ones."""
    if x is None or y is None:
        return y if x is None else x
    return writer.emit(registry["mul"], [x, y])[0]


def along(atom: Atom, shape: Shape, axes: Shape, writer: Writer) -> Atom | None:
    """An operand of an elementwise operation of result ``shape`` that varies along some axes only,
    of the shape of these axes; as a number, if it does not vary; None if it does more."""
    if atom.aval.size == 1:
        return reshaped(atom, (), writer)
    source, places = atom, tuple(range(atom.aval.ndim))
    made = writer.made_by(atom, "broadcast_in_dim")
    while made is not None and len(made.invars) == 1:
        dims = made.params["broadcast_dimensions"]
        places = tuple([places[d] for d in dims])
        source = made.invars[0]
        made = writer.made_by(source, "broadcast_in_dim")
    if source.aval.size == 1:
        return reshaped(source, (), writer)
    if atom.aval.ndim != len(shape):
        return None
    big = [d for d, n in zip(places, source.aval.shape, strict=True) if n != 1]
    if not set(big) <= set(axes):
        return None
    sizes = tuple([shape[d] for d in axes])
    squeezed = reshaped(source, tuple([shape[d] for d in big]), writer)
    return broadcast(squeezed, sizes, tuple([axes.index(d) for d in big]), writer)


def is_number(atom: Atom) -> bool:
    return type(atom) is Literal or not atom.aval.shape
