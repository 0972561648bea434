"""Where gather, scatter and dynamic slices read and write: positions that values decide.

An element's position is affine in the axes of the loops, as everywhere, plus an offset that is
computed from indices: each start, clipped to where its window fits, times the operand's stride.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from adlib.compile import views
from adlib.compile.loopir import INT64, LoopBuilder, Position, Value
from adlib.compile.views import Coordinates
from adlib.core import dtypes
from adlib.core.jaxpr import Atom, Eqn
from adlib.ops.index_plan import GatherScatterMode

ADDRESSED = frozenset({"gather", "dynamic_slice"})

Read = Callable[[Atom, Coordinates], Value]


def native(eqn: Eqn, native_dtypes: frozenset[np.dtype[Any]]) -> bool:
    """Whether loops can do what an equation with indices does."""
    if any(v.aval.dtype not in native_dtypes for v in (*eqn.invars, *eqn.outvars)):
        return False
    return 0 not in eqn.invars[0].aval.shape


# ----------------------------------------------------------------------- windows


class Windows:
    """How the windows of a gather or scatter lie in the operand.

    Attributes:
      shape: of all windows together: a gather's result, a scatter's updates.
      limits: for each entry of an index, the last start at which a window fits.
    """

    def __init__(self, eqn: Eqn, shape: tuple[int, ...], sizes: Sequence[int]) -> None:
        numbers = eqn.params["dimension_numbers"]
        window_axes, gone, index_map, batching, index_batching = numbers
        self.shape = shape
        # what holds the operand may have another shape over the same memory
        self.operand = eqn.params.get("operand_shape") or eqn.invars[0].aval.shape
        self.indices = eqn.invars[1].aval.shape
        self.index_map = index_map
        self.outer = [i for i in range(len(shape)) if i not in window_axes]
        self.limits = [self.operand[d] - sizes[d] for d in index_map]
        kept = [d for d in range(len(self.operand)) if d not in gone and d not in batching]
        self.axes = dict(zip(kept, window_axes, strict=True))  # operand axis → axis of the shape
        for d, i in zip(batching, index_batching, strict=True):
            self.axes[d] = self.outer[i]

    def index_reads(self, same: Coordinates) -> Iterator[Coordinates]:
        """Where the entries of the index of an element's window are read."""
        rank = len(self.shape)
        outer = [same[i] for i in self.outer]
        outer = [
            c if n != 1 else views.zero(rank) for c, n in zip(outer, self.indices, strict=False)
        ]
        for k in range(len(self.index_map)):
            yield (*outer, views.scaled(views.zero(rank), 1, k))

    def base(self, same: Coordinates) -> Position:
        """The position of an element within a window that starts at 0."""
        rank = len(self.shape)
        strides = views.row_major(self.operand)
        terms = [views.scaled(same[axis], strides[d]) for d, axis in self.axes.items()]
        return views.added(terms, rank)

    def offset(
        self, b: LoopBuilder, starts: Sequence[Value], clip: bool
    ) -> tuple[Value | None, Value | None]:
        """(what the index adds to a position, whether the window lies within the operand)."""
        strides = views.row_major(self.operand)
        total: Value | None = None
        inside: Value | None = None
        for start, d, limit in zip(starts, self.index_map, self.limits, strict=True):
            clipped, good = clamped(b, start, limit)
            if not clip:
                inside = good if inside is None else b.binary("and", inside, good)
            step = b.binary("mul", clipped, b.constant(strides[d], INT64))
            total = step if total is None else b.binary("add", total, step)
        return total, inside


def clamped(b: LoopBuilder, start: Value, limit: int) -> tuple[Value, Value]:
    """(a start moved into 0..limit as int64, whether it was there)."""
    if start.dtype == np.dtype(np.uint64):  # above what int64 holds: no start of a window
        most = b.constant(np.iinfo(np.int64).max, start.dtype)
        start = b.binary("min", start, most)
    wide = b.convert(start, INT64)
    low, high = b.constant(0, INT64), b.constant(limit, INT64)
    moved = b.binary("min", b.binary("max", wide, low), high)
    return moved, b.compare("eq", moved, wide)


def gather_windows(eqn: Eqn) -> Windows:
    return Windows(eqn, eqn.outvars[0].aval.shape, eqn.params["slice_sizes"])


def scatter_windows(eqn: Eqn) -> Windows:
    numbers = eqn.params["dimension_numbers"]
    updates = eqn.invars[2].aval.shape
    gone = {*numbers[1], *numbers[3]}
    window = iter([updates[i] for i in numbers[0]])
    rank = len(eqn.invars[0].aval.shape)
    sizes = [1 if d in gone else next(window) for d in range(rank)]
    return Windows(eqn, updates, sizes)


# ------------------------------------------------------ gather and dynamic_slice


def reads(eqn: Eqn, same: Coordinates) -> Iterator[tuple[Atom, Coordinates | None]]:
    """The operands of an equation in a group and where they are read; None: by position."""
    yield eqn.invars[0], None
    if eqn.primitive.name == "dynamic_slice":
        for start in eqn.invars[1:]:
            yield start, ()
        return
    for coordinates in gather_windows(eqn).index_reads(same):
        yield eqn.invars[1], coordinates


def value(
    eqn: Eqn, b: LoopBuilder, same: Coordinates, read: Read, load: Callable[..., Value]
) -> Value:
    """The element of a gather's or dynamic slice's result at its coordinates.

    ``load(position, offset)`` reads the operand's memory.
    """
    if eqn.primitive.name == "dynamic_slice":
        starts = [read(s, ()) for s in eqn.invars[1:]]
        shape = eqn.params["operand_shape"]
        offset = block_offset(b, starts, shape, eqn.params["slice_sizes"])
        return load(views.linear_unchecked(same, shape, len(same)), offset)
    windows = gather_windows(eqn)
    entries = [read(eqn.invars[1], c) for c in windows.index_reads(same)]
    mode = eqn.params["mode"]
    fill = mode is GatherScatterMode.FILL_OR_DROP
    added, inside = windows.offset(b, entries, clip=not fill)
    element = load(windows.base(same), added)
    if inside is None:
        return element
    return b.select(inside, element, b.constant(_fill(eqn), element.dtype))


def _fill(eqn: Eqn) -> Any:
    given, dtype = eqn.params["fill_value"], eqn.outvars[0].aval.dtype
    if given is not None:
        return np.asarray(given).astype(dtype)[()]
    if dtypes.is_inexact(dtype):
        return np.nan
    if dtype.kind == "b":
        return True
    return np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max


def block_offset(
    b: LoopBuilder, starts: Sequence[Value], shape: Sequence[int], sizes: Sequence[int]
) -> Value | None:
    """What the starts of a block add to positions in an array of ``shape``."""
    total: Value | None = None
    for start, n, size, stride in zip(starts, shape, sizes, views.row_major(shape), strict=True):
        if n == size:
            continue
        moved, _ = clamped(b, start, n - size)
        step = b.binary("mul", moved, b.constant(stride, INT64))
        total = step if total is None else b.binary("add", total, step)
    return total
