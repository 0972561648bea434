"""Long rows: distributed by the bytes of their keys, the least significant first."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.compile.library.sorting_rows import (
    Problem,
    RowLoops,
    as_key,
    from_key,
    place_of,
    read_out_at,
    scaled_index,
    unsigned,
)
from adlib.compile.loopir import INT64, For, LoopBuilder, Store, Value

_U32, _U64 = np.dtype(np.uint32), np.dtype(np.uint64)
_BUCKETS = 256
_TOGETHER = 16  # buckets whose starts are added up before the sum goes back to memory


class Radix:
    """A kernel that distributes rows by the bytes of their keys, over and over.

    Attributes:
      scratch: (dtype, elements) of the memory that it needs; buffers behind the arrays'.
    """

    def __init__(self, p: Problem, name: str, apart: bool) -> None:
        self.p = p
        self.loops = RowLoops(p, apart)
        self.scratch: list[tuple[np.dtype[Any], int]] = []
        self.element = self.loops.axis(p.n)
        self.packed = p.packed and not apart
        words = [unsigned(d) for d in p.dtypes[: p.keys]]
        self.word = _U64 if self.packed else max(words, key=lambda d: d.itemsize)
        passes = max([d.itemsize for d in words])
        self.keys = [self.memory(self.word, p.n) for _ in (0, 1)]
        self.indices = []
        if not apart and not self.packed:
            self.indices = [self.memory(_U32, p.n) for _ in (0, 1)]
        self.counts = self.memory(_U32, passes * _BUCKETS)
        self.totals = self.memory(_U32, passes)
        self.bucket = self.loops.axis(_BUCKETS)
        self.batch = self.loops.axis(_BUCKETS // _TOGETHER)
        self.now = 0
        for key in reversed(range(p.keys)):
            self.distribute(key, first=key == p.keys - 1, last=key == 0)
        if not apart:
            self.read_out()
        self.kernel = self.loops.kernel(name)

    def memory(self, dtype: np.dtype[Any], size: int) -> int:
        self.scratch.append((dtype, size))
        return self.loops.buffer(dtype, size, True)

    def digit(self, b: LoopBuilder, word: Value, number: int) -> Value:
        """The bucket of a word, among those of one pass."""
        shift = 8 * number + (32 if self.packed else 0)
        byte = b.binary("shr", word, b.constant(shift, word.dtype)) if shift else word
        if shift + 8 < 8 * word.dtype.itemsize:
            byte = b.binary("and", byte, b.constant(0xFF, word.dtype))
        return b.convert(byte, INT64)

    def loop(self, axis: int, b: LoopBuilder) -> None:
        self.loops.body.append(For(axis, b.items, []))

    def distribute(self, key: int, first: bool, last: bool) -> None:
        passes = self.p.dtypes[key].itemsize
        self.clear(passes)
        self.count(key, passes, first)
        self.add_up(passes)
        for number in range(passes):
            self.move(number, straight=self.loops.apart and number == passes - 1)
            self.now = 1 - self.now

    def clear(self, passes: int) -> None:
        b = LoopBuilder()
        zero = b.constant(0, _U32)
        stores = [
            Store(self.counts, place_of({self.bucket: 1}, k * _BUCKETS), zero)
            for k in range(passes)
        ]
        b.items += stores
        self.loop(self.bucket, b)
        b = LoopBuilder()
        zero = b.constant(0, _U32)
        b.items += [Store(self.totals, place_of({}, k), zero) for k in range(passes)]
        self.loops.body += b.items

    def count(self, key: int, passes: int, first: bool) -> None:
        """Make the keys, and count how many fall into each bucket of every pass."""
        p, loops, b = self.p, self.loops, LoopBuilder()
        here = place_of({self.element: 1})
        if first:
            place = place_of({0: p.n * p.inner, 1: 1, self.element: p.inner})
            x = loops.load(b, loops.sources[key], place)
            index = b.convert(b.index(here), _U32)
        else:
            index = loops.load(b, self.indices[self.now], here)
            offset = scaled_index(b, index, p.inner)
            x = loops.load(b, loops.sources[key], place_of({0: p.n * p.inner, 1: 1}), offset)
        word = b.convert(as_key(b, x, p.descending, loops.apart), self.word)
        if self.packed:
            word = b.binary("shl", word, b.constant(32, _U64))
            word = b.binary("or", word, b.convert(index, _U64))
        b.items.append(Store(self.keys[self.now], here, word))
        if self.indices and first:
            b.items.append(Store(self.indices[self.now], here, index))
        one = b.constant(1, _U32)
        for number in range(passes):
            bucket, place = self.digit(b, word, number), place_of({}, number * _BUCKETS)
            more = b.binary("add", loops.load(b, self.counts, place, bucket), one)
            b.items.append(Store(self.counts, place, more, bucket))
        self.loop(self.element, b)

    def add_up(self, passes: int) -> None:
        """Where each bucket starts."""
        b = LoopBuilder()
        for number in range(passes):
            total_at = place_of({}, number)
            total = self.loops.load(b, self.totals, total_at)
            for k in range(_TOGETHER):
                place = place_of({self.batch: _TOGETHER}, number * _BUCKETS + k)
                count = self.loops.load(b, self.counts, place)
                b.items.append(Store(self.counts, place, total))
                total = b.binary("add", total, count)
            b.items.append(Store(self.totals, total_at, total))
        self.loop(self.batch, b)

    def move(self, number: int, straight: bool) -> None:
        """One pass; the last one of numbers without places goes straight to the result."""
        p, loops, b = self.p, self.loops, LoopBuilder()
        here = place_of({self.element: 1})
        word = loops.load(b, self.keys[self.now], here)
        bucket, place = self.digit(b, word, number), place_of({}, number * _BUCKETS)
        at = loops.load(b, self.counts, place, bucket)
        to = b.convert(at, INT64)
        if straight:
            value = from_key(b, word, p.dtypes[0])
            target = place_of({0: p.n * p.inner, 1: 1})
            stores = [Store(loops.targets[0], target, value, scaled_index(b, at, p.inner))]
        else:
            stores = [Store(self.keys[1 - self.now], place_of({}), word, to)]
        if self.indices:
            index = loops.load(b, self.indices[self.now], here)
            stores.append(Store(self.indices[1 - self.now], place_of({}), index, to))
        more = b.binary("add", at, b.constant(1, _U32))
        b.items += [*stores, Store(self.counts, place, more, bucket)]
        self.loop(self.element, b)

    def read_out(self) -> None:
        p, loops, b = self.p, self.loops, LoopBuilder()
        axis = self.element if p.kept == p.n else loops.axis(p.kept)
        if self.indices:
            index = loops.load(b, self.indices[self.now], place_of({axis: 1}))
        else:
            index = b.convert(loops.load(b, self.keys[self.now], place_of({axis: 1})), _U32)
        target = place_of({0: p.kept * p.inner, 1: 1, axis: p.inner})
        stores = read_out_at(loops, b, index, target)
        self.loops.body.append(For(axis, [*b.items, *stores], []))
