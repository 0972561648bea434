"""Primitives that only say where elements come from: which operand element a result's is.

Coordinates are affine functions of the axes of an iteration space: a tuple of the axes'
coefficients with a constant last; a value of rank n is read at n of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.compile.loopir import Position
from adlib.core.jaxpr import Eqn

Coordinates = tuple[Position, ...]


def identity_coordinates(rank: int) -> Coordinates:
    """Each axis of the space reads the axis of its own number."""
    return tuple([tuple([int(i == j) for i in range(rank)] + [0]) for j in range(rank)])


def zero(rank: int) -> Position:
    return (0,) * (rank + 1)


def scaled(position: Position, factor: int, shift: int = 0) -> Position:
    result = [c * factor for c in position]
    result[-1] += shift
    return tuple(result)


def added(positions: Sequence[Position], rank: int) -> Position:
    if not positions:
        return zero(rank)
    return tuple([sum(column) for column in zip(*positions, strict=True)])


def row_major(shape: Sequence[int]) -> list[int]:
    """Strides, counted in elements, of an array whose last axis is contiguous."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return strides[::-1]


def linear(coordinates: Coordinates, shape: Sequence[int], rank: int) -> Position:
    """The position in row-major memory of the element at ``coordinates``."""
    terms = [
        scaled(c, s) for c, s, n in zip(coordinates, row_major(shape), shape, strict=True) if n != 1
    ]
    return added(terms, rank)


def linear_unchecked(coordinates: Coordinates, shape: Sequence[int], rank: int) -> Position:
    """As ``linear``, where coordinates may be shifted along axes of size 1, too."""
    terms = [scaled(c, s) for c, s in zip(coordinates, row_major(shape), strict=True)]
    return added(terms, rank)


# ------------------------------------------------------------------ one primitive


def _broadcast(eqn: Eqn, coordinates: Coordinates, rank: int) -> Coordinates:
    operand = eqn.invars[0].aval.shape
    dims = eqn.params["broadcast_dimensions"]
    return tuple(
        [zero(rank) if n == 1 else coordinates[d] for n, d in zip(operand, dims, strict=True)]
    )


def _transpose(eqn: Eqn, coordinates: Coordinates, rank: int) -> Coordinates:
    result: list[Any] = [None] * len(coordinates)
    for axis, source in enumerate(eqn.params["permutation"]):
        result[source] = coordinates[axis]
    return tuple(result)


def _slice(eqn: Eqn, coordinates: Coordinates, rank: int) -> Coordinates:
    starts = eqn.params["start_indices"]
    steps = eqn.params["strides"] or (1,) * len(starts)
    return tuple(
        [scaled(c, step, s) for c, step, s in zip(coordinates, steps, starts, strict=True)]
    )


def _rev(eqn: Eqn, coordinates: Coordinates, rank: int) -> Coordinates:
    shape, reversed_ = eqn.invars[0].aval.shape, eqn.params["dimensions"]
    return tuple(
        [scaled(c, -1, shape[d] - 1) if d in reversed_ else c for d, c in enumerate(coordinates)]
    )


def _squeeze(eqn: Eqn, coordinates: Coordinates, rank: int) -> Coordinates:
    gone = eqn.params["dimensions"]
    kept = iter(coordinates)
    return tuple(
        [zero(rank) if d in gone else next(kept) for d in range(len(eqn.invars[0].aval.shape))]
    )


def _same(eqn: Eqn, coordinates: Coordinates, rank: int) -> Coordinates:
    return coordinates


def _reshape(eqn: Eqn, coordinates: Coordinates, rank: int) -> Coordinates | None:
    """Axes that are split read affinely; runs of axes that were merged do not."""
    source, target = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    groups = matched(source, target)
    if groups is None:
        return None
    result: list[Any] = [zero(rank)] * len(source)
    for ins, outs in groups:
        real = [d for d in ins if source[d] != 1]
        if len(real) > 1:
            return None
        if real:
            sizes = [target[d] for d in outs]
            result[real[0]] = linear(tuple([coordinates[d] for d in outs]), sizes, rank)
    return tuple(result)


def matched(
    source: Sequence[int], target: Sequence[int]
) -> list[tuple[list[int], list[int]]] | None:
    """The shortest runs of axes of two shapes that hold the same numbers of elements."""
    groups = []
    i = j = 0
    if 0 in source:
        return None
    while i < len(source) or j < len(target):
        ins: list[int] = []
        outs: list[int] = []
        left = right = 1
        while True:
            if left <= right and i < len(source) and (left < right or not ins or j >= len(target)):
                left *= source[i]
                ins.append(i)
                i += 1
            elif j < len(target) and (right < left or not outs):
                right *= target[j]
                outs.append(j)
                j += 1
            elif left == right:
                break
            else:
                return None
        groups.append((ins, outs))
    return groups


_VIEWS = {
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
    "slice": _slice,
    "rev": _rev,
    "squeeze": _squeeze,
    "reshape": _reshape,
    "stop_gradient": _same,
    "copy": _same,
}


def is_view(eqn: Eqn) -> bool:
    """Whether each element of the result is an element of the operand."""
    return eqn.primitive.name in _VIEWS


def operand_coordinates(eqn: Eqn, coordinates: Coordinates, rank: int) -> Coordinates | None:
    """Where a view's operand is read for the view to be read at ``coordinates``.

    None where that is no affine function of the axes (some reshapes).
    """
    return _VIEWS[eqn.primitive.name](eqn, coordinates, rank)
