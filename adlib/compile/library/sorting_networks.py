"""Sorting networks: comparisons that sort whatever the numbers are, for many short rows at once."""

from __future__ import annotations

import functools

import numpy as np

from adlib.compile.library.sorting_rows import (
    Problem,
    RowLoops,
    as_key,
    from_key,
    place_of,
    read_out_at,
)
from adlib.compile.loopir import Kernel, LoopBuilder, Store, Value

_U32, _U64 = np.dtype(np.uint32), np.dtype(np.uint64)


@functools.cache
def comparators(n: int) -> tuple[tuple[int, int], ...]:
    """Pairs (i, j), i < j, of which the smaller goes to i: Batcher's odd-even merge sort.

    The network is that of the next power of two; what lies beyond ``n`` would be infinite and
    never moves.

    >>> comparators(4)
    ((0, 1), (2, 3), (0, 2), (1, 3), (1, 2))
    """
    pairs = []
    size = 1
    while size < n:
        step = size
        while step:
            for start in range(step % size, n - step, 2 * step):
                for i in range(start, min(start + step, n - step)):
                    if i // (2 * size) == (i + step) // (2 * size):
                        pairs.append((i, i + step))
            step //= 2
        size *= 2
    return tuple(pairs)


def network(p: Problem, name: str, apart: bool) -> Kernel:
    """Short rows in registers: each element is a tuple of words, compared in their order."""
    loops = RowLoops(p, apart)
    b = LoopBuilder()
    rows = []
    for i in range(p.n):
        place = place_of({0: p.n * p.inner, 1: 1}, i * p.inner)
        keys = [loops.load(b, source, place) for source in loops.sources[: p.keys]]
        words = [as_key(b, x, p.descending, apart) for x in keys]
        if apart:
            rows.append(words)
        elif p.packed:
            # Places get a byte: taken from 32 bits, LLVM 22 for x86 sometimes reads memory at the
            # whole word, since it takes the instruction that clears the upper half for a copy.
            kind = _U32 if words[0].dtype.itemsize <= 2 else _U64
            wide = b.binary("shl", b.convert(words[0], kind), b.constant(8, kind))
            rows.append([b.binary("or", wide, b.constant(i, kind))])
        else:
            rows.append([*words, b.constant(i, _U32)])
    for i, j in comparators(p.n):
        rows[i], rows[j] = _ordered(b, rows[i], rows[j])
    stores = []
    for i in range(p.kept):
        target = place_of({0: p.kept * p.inner, 1: 1}, i * p.inner)
        if apart:
            stores.append(Store(loops.targets[0], target, from_key(b, rows[i][0], p.dtypes[0])))
            continue
        index = rows[i][-1]
        if p.packed:
            index = b.binary("and", index, b.constant(0xFF, index.dtype))
        stores += read_out_at(loops, b, index, target)
    loops.body = [*b.items, *stores]
    return loops.kernel(name)


def _ordered(b: LoopBuilder, x: list[Value], y: list[Value]) -> tuple[list[Value], list[Value]]:
    if len(x) == 1:
        return [b.binary("min", x[0], y[0])], [b.binary("max", x[0], y[0])]
    swap = b.compare("lt", y[-1], x[-1])
    for u, v in zip(reversed(x[:-1]), reversed(y[:-1]), strict=True):
        equal = b.compare("eq", u, v)
        swap = b.binary("or", b.compare("lt", v, u), b.binary("and", equal, swap))
    less = [b.select(swap, v, u) for u, v in zip(x, y, strict=True)]
    more = [b.select(swap, u, v) for u, v in zip(x, y, strict=True)]
    return less, more
