"""Rows to be sorted, keys in the place of their numbers, and kernels that work row by row.

Numbers are sorted as unsigned integers of the same order: NaN last, both zeros alike, unless they
are kept apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.compile.builder import BOOL
from adlib.compile.loopir import INT64, Buffer, For, Kernel, LoopBuilder, Nest, Store, Value

_U8 = np.dtype(np.uint8)


def sortable(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of a type become integers here."""
    return dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize in (4, 8))


def unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"u{dtype.itemsize}")


def as_key(b: LoopBuilder, x: Value, descending: bool, zeros_apart: bool) -> Value:
    """An unsigned integer of the same order as ``x``, or of the opposite one.

    With ``zeros_apart`` a negative zero comes before a positive one.
    """
    dtype, word = x.dtype, unsigned(x.dtype)
    if dtype == BOOL:
        key = b.convert(x, _U8)
    elif dtype.kind == "u":
        key = x
    else:
        top = b.constant(1 << (8 * dtype.itemsize - 1), word)
        if dtype.kind == "i":
            key = b.binary("xor", b.bitcast(x, word), top)
        else:
            signed = np.dtype(f"i{dtype.itemsize}")
            real = x if zeros_apart else b.binary("add", x, b.constant(0, dtype))
            bits = b.bitcast(real, signed)
            spread = b.binary("shr", bits, b.constant(8 * dtype.itemsize - 1, signed))
            flips = b.binary("or", b.bitcast(spread, word), top)
            key = b.binary("xor", b.bitcast(bits, word), flips)
            key = b.select(b.compare("ne", x, x), b.constant(-1, word), key)
    return b.unary("not", key) if descending else key


def from_key(b: LoopBuilder, key: Value, dtype: np.dtype[Any]) -> Value:
    """The number of a key that keeps zeros apart."""
    if dtype == BOOL:
        return b.convert(key, dtype)
    if dtype.kind == "u":
        return key
    word = unsigned(dtype)
    top = b.constant(1 << (8 * dtype.itemsize - 1), word)
    if dtype.kind == "i":
        return b.bitcast(b.binary("xor", key, top), dtype)
    signed = np.dtype(f"i{dtype.itemsize}")
    spread = b.binary("shr", b.bitcast(key, signed), b.constant(8 * dtype.itemsize - 1, signed))
    flips = b.binary("or", b.unary("not", b.bitcast(spread, word)), top)
    return b.bitcast(b.binary("xor", key, flips), dtype)


# -------------------------------------------------------------------------- problems


class Problem:
    """Rows to be sorted: arrays of (outer, n, inner) elements, sorted along the middle.

    Attributes:
      dtypes: of the arrays; the first ``keys`` of them decide.
      written: dtypes of the results, ``kept`` elements of each row; the last one holds the
        places instead of an array where ``places`` is true.
      alone: whether one array is sorted by itself, without places.
    """

    def __init__(
        self,
        shape: Sequence[int],
        axis: int,
        dtypes: Sequence[np.dtype[Any]],
        keys: int,
        descending: bool = False,
        kept: int | None = None,
        places: bool = False,
    ) -> None:
        self.outer = math.prod(shape[:axis])
        self.n = shape[axis]
        self.inner = math.prod(shape[axis + 1 :])
        self.dtypes = list(dtypes)
        self.keys = keys
        self.descending = descending
        self.kept = self.n if kept is None else kept
        self.places = places
        self.alone = len(self.dtypes) == 1 and not places

    @property
    def rows(self) -> int:
        return self.outer * self.inner

    @property
    def packed(self) -> bool:
        """Whether a key and its place fit into 64 bits."""
        return self.keys == 1 and self.dtypes[0].itemsize <= 4

    def written(self) -> list[np.dtype[Any]]:
        return [*self.dtypes, *([np.dtype(np.int32)] if self.places else [])]


class RowLoops:
    """A kernel in the making: loops over outer and inner axes around others."""

    def __init__(self, problem: Problem, apart: bool) -> None:
        self.p = problem
        self.apart = apart  # whether zeros are kept apart, and numbers sorted without places
        self.extents = [problem.outer, problem.inner]
        self.buffers: list[Buffer] = []
        self.body: list[Any] = []
        p = problem
        self.sources = [self.buffer(d, p.rows * p.n) for d in p.dtypes]
        self.targets = [self.buffer(d, p.rows * p.kept, True) for d in p.written()]

    def buffer(self, dtype: np.dtype[Any], size: int, written: bool = False) -> int:
        self.buffers.append(Buffer(f"b{len(self.buffers)}", dtype, size, written))
        return len(self.buffers) - 1

    def axis(self, size: int) -> int:
        self.extents.append(size)
        return len(self.extents) - 1

    def position(self, place: Any) -> Any:
        axes, constant = place
        return (*[axes.get(a, 0) for a in range(len(self.extents))], constant)

    def load(self, b: LoopBuilder, buffer: int, place: Any, offset: Value | None = None) -> Value:
        return b.load(buffer, place, self.buffers[buffer].dtype, offset)

    def kernel(self, name: str) -> Kernel:
        """Positions were noted as (coefficients, constant) until the number of axes was known."""

        def finish(items: Sequence[Any]) -> None:
            for item in items:
                if type(item) is For:
                    finish(item.body)
                elif type(item) is Store:
                    item.position = self.position(item.position)
                elif item.op == "load":
                    item.attr = (item.attr[0], self.position(item.attr[1]))
                elif item.op == "index":
                    item.attr = self.position(item.attr)

        finish(self.body)
        nest = Nest(tuple(self.extents), [For(0, [For(1, self.body, [])], [])], "sorts rows")
        return Kernel(name, self.buffers, [nest])


class _Place(dict):  # type: ignore[type-arg]
    """Coefficients of a position that can be part of a key of the builder's memory."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def place_of(axes: dict[int, int], constant: int = 0) -> Any:
    return _Place(axes), constant


def scaled_index(b: LoopBuilder, index: Value, inner: int) -> Value:
    wide = b.convert(index, INT64)
    return b.binary("mul", wide, b.constant(inner, INT64)) if inner != 1 else wide


def read_out_at(loops: RowLoops, b: LoopBuilder, index: Value, target_place: Any) -> list[Store]:
    """Stores of all results: each array at a place of its row."""
    p = loops.p
    offset = scaled_index(b, index, p.inner)
    stores = []
    for k, source in enumerate(loops.sources):
        base = place_of({0: p.n * p.inner, 1: 1})
        value = loops.load(b, source, base, offset)
        stores.append(Store(loops.targets[k], target_place, value))
    if p.places:
        stores.append(Store(loops.targets[-1], target_place, b.convert(index, np.dtype(np.int32))))
    return stores
