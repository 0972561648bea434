"""Loops and values of the loop language as lines of LLVM text: the body of one function.

Loops become rotated loops (the test stands at the end), since their extents are constants
above zero. Nothing is reassociated or contracted but the combination of accumulators, whose
order is therefore this file's choice and the vectorizer's, the same at every run: sums of
floats are made in blocks, and the blocks' sums of float32 are added up in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.compile import llvm_vectors
from adlib.compile.llvm_module import Module, constant_text, type_name
from adlib.compile.llvm_values import ValueWriter, sums_floats
from adlib.compile.loopir import (
    Accumulator,
    For,
    Kernel,
    Nest,
    Store,
    Value,
    depth,
    loops,
)

_BLOCK = 1024  # elements of a sum that are added up before the result joins the others


def most_unrolled(loop: For) -> int:
    """Rounds up to which a loop may be written out. LLVM would write out loops of a thousand
    rounds, for seconds, and vectorizes what is written out less well than a loop."""
    if loops(loop.body):
        return 4
    extremum = any(
        a.kind in ("max", "min") and a.value.dtype.kind == "f" for a in loop.accumulators
    )
    return 31 if extremum else 7


def interleave_count(loop: For, rounds: int, lines: int = 0) -> int:
    """How many copies of a loop's body the processor needs to hide its latencies, 0 for LLVM's
    own choice, which is too low for long chains of dependent operations. Loops that are done in
    no time are not worth the longer code: compiling it takes longer in proportion. Nor are those
    of many ``lines`` beside each other, as on complex numbers, which keep the processor busy."""
    if rounds < 2048 or len(loop.accumulators) >= 4:  # enough that is independent
        return 0
    if any(a.kind in ("max", "min") and a.value.dtype.kind == "f" for a in loop.accumulators):
        return 4  # with their NaN and zeros' signs, each depends on the one before for 15 cycles
    chain = depth(loop.body)
    return 0 if chain < 24 else 2 if chain < 36 or lines > 3 * chain else 4


def _mark_needed(items: Sequence[Any], needed: set[int]) -> None:
    """Collect the ids of the values that are read where rare cases are left out."""
    for item in reversed(items):
        if type(item) is Store:
            needed.add(id(item.value))
            if item.offset is not None:
                needed.add(id(item.offset))
        elif type(item) is For:
            needed.update([id(acc.value) for acc in item.accumulators])
            _mark_needed(item.body, needed)
        elif id(item) in needed:
            args = item.args[::2] if item.op == "rare" else item.args  # (predicate, slow, fast)
            needed.update([id(a) for a in args])


class LoopWriter(ValueWriter):
    """Writes the body of one function; ``vectors``: whether loops may be written with them."""

    def __init__(
        self, kernel: Kernel, module: Module, quick: bool = False, vectors: bool = False
    ) -> None:
        super().__init__(kernel, module, quick)
        self.vectors = vectors
        self.vector_loops = 0  # innermost loops that were written with vectors
        self.scalar_loops = 0  # and those that were left to LLVM's vectorizer

    # ------------------------------------------------------------------ loops

    def nest(self, nest: Nest) -> None:
        self.begin(nest)
        self.items(nest.items, nest)

    def begin(self, nest: Nest) -> None:
        self.names.clear()
        self.axes = [""] * len(nest.extents)
        self.offsets = {}
        if self.quick:
            self.needed, self.noted = set(), set()
            _mark_needed(nest.items, self.needed)

    def chunk(self, nest: Nest, size: int = 0) -> None:
        """The rounds ``%first`` to ``%limit`` of the outermost loop; its reductions' totals go to
        ``%partial``, eight bytes for each. ``size``: the number of rounds where it is always the
        same, so that LLVM need not write a second loop for what vectors leave over."""
        self.begin(nest)
        loop = nest.items[0]
        self.loop(loop, nest, "%first", "%limit", size)
        for k, acc in enumerate(loop.accumulators):
            pointer = self.assign(f"getelementptr i64, ptr %partial, i64 {k}")
            self.store_plain(self.names[id(acc.result)], acc.value.dtype, pointer)

    def combined(self, nest: Nest, count: int) -> None:
        """The results of a nest whose ``count`` chunks have left their totals in ``%partial``."""
        self.begin(nest)
        accumulators = nest.items[0].accumulators
        types = [_wide(acc) for acc in accumulators]
        totals: list[str] = []
        for chunk in range(count):
            parts = []
            for k, acc in enumerate(accumulators):
                at = chunk * len(accumulators) + k
                pointer = self.assign(f"getelementptr i64, ptr %partial, i64 {at}")
                parts.append(self.load_plain(acc.value.dtype, pointer))
            if not totals:
                totals = [
                    constant_text(a.identity, t) for a, t in zip(accumulators, types, strict=True)
                ]
            totals = self.joined(accumulators, types, totals, parts)
        self.complete(accumulators, types, totals)
        self.items(nest.items[1:], nest)

    def items(self, items: Sequence[Any], nest: Nest) -> None:
        for item in items:
            kind = type(item)
            if kind is Value:
                if not self.quick or id(item) in self.needed:
                    self.names[id(item)] = self.value(item)
            elif kind is Store:
                self.store(item)
            else:
                self.loop(item, nest)

    def loop(self, loop: For, nest: Nest, first: str = "0", limit: str = "", size: int = 0) -> None:
        """A loop from ``first`` below ``limit``, which is its whole extent if not given; of
        ``size`` rounds where that is known."""
        extent = nest.extents[loop.axis]
        if extent == 0:
            for acc in loop.accumulators:
                dtype = acc.value.dtype
                self.names[id(acc.result)] = constant_text(acc.identity, dtype)
            return
        inner = not loops(loop.body)
        blocked = inner and extent > 2 * _BLOCK and any(sums_floats(a) for a in loop.accumulators)
        if not blocked:
            self.simple_loop(loop, nest, first, limit or str(extent), size)
            return
        size = size if limit else extent
        self.blocked_loop(loop, nest, first, limit or str(extent), size)

    def simple_loop(self, loop: For, nest: Nest, first: str, limit: str, size: int = 0) -> None:
        """One loop from ``first`` below ``limit``, at least one round; of ``size`` rounds where
        that is known: LLVM, too, knows it where the loop counts from 0."""
        inner = not loops(loop.body)
        extent = nest.extents[loop.axis]
        if extent == 1 and first == "0":
            self.once(loop, nest)
            return
        if inner and self.vectors:
            rounds = size or (extent if first == "0" and limit == str(extent) else 0)
            if llvm_vectors.plain(loop):
                self.vector_loops += 1
            elif llvm_vectors.write(self, loop, first, rounds, extent):
                self.vector_loops += 1
                return
            else:
                self.scalar_loops += 1
        self.count += 1
        head, tail, before = f"loop{self.count}", f"done{self.count}", self.block
        index, following = self.fresh(), self.fresh()
        types = [acc.value.dtype if inner else _wide(acc) for acc in loop.accumulators]
        phis = [self.fresh() for _ in types]
        self.line(f"br label %{head}")
        place = len(self.lines)
        self.start(head)
        saved_axes, saved_offsets = list(self.axes), dict(self.offsets)
        begin = first
        self.axes[loop.axis] = index
        if size:
            begin, limit = "0", str(size)
            self.axes[loop.axis] = self.assign(f"add nuw nsw i64 {first}, {index}")
        self.rounds *= nest.extents[loop.axis]
        self.items(loop.body, nest)
        parts = [self.names[id(acc.value)] for acc in loop.accumulators]
        results = self.joined(loop.accumulators, types, phis, parts)
        self.line(f"{following} = add nuw nsw i64 {index}, 1")
        more = self.assign(f"icmp ult i64 {following}, {limit}")
        lines = len(self.lines) - place
        interleave = interleave_count(loop, self.rounds, lines) if inner else 0
        self.rounds //= nest.extents[loop.axis]
        unroll = nest.extents[loop.axis] <= most_unrolled(loop)
        hint = self.module.loop_hint(interleave, unroll)
        last = self.block
        self.line(f"br i1 {more}, label %{head}, label %{tail}{hint}")
        self.lines[place + 1 : place + 1] = [
            f"  {index} = phi i64 [ {begin}, %{before} ], [ {following}, %{last} ]",
            *self.carried(loop.accumulators, types, phis, results, (before, last)),
        ]
        self.start(tail)
        self.complete(loop.accumulators, types, results)
        self.axes, self.offsets = saved_axes, saved_offsets

    def once(self, loop: For, nest: Nest) -> None:
        """A loop of one round."""
        types = [a.value.dtype if not loops(loop.body) else _wide(a) for a in loop.accumulators]
        self.axes[loop.axis] = "0"
        self.items(loop.body, nest)
        starts = [
            constant_text(a.identity, t) for a, t in zip(loop.accumulators, types, strict=True)
        ]
        parts = [self.names[id(acc.value)] for acc in loop.accumulators]
        results = self.joined(loop.accumulators, types, starts, parts)
        self.complete(loop.accumulators, types, results)

    def blocked_loop(self, loop: For, nest: Nest, begin: str, end: str, size: int) -> None:
        """A loop over blocks around the loop itself: see the module's docstring."""
        self.count += 1
        head, tail, before = f"block{self.count}", f"blocks{self.count}", self.block
        first, following = self.fresh(), self.fresh()
        wide = [_wide(acc) for acc in loop.accumulators]
        phis = [self.fresh() for _ in wide]
        self.line(f"br label %{head}")
        place = len(self.lines)
        self.start(head)
        block = _block(size)
        self.line(f"{following} = add nuw nsw i64 {first}, {block}")
        if size and size % block == 0:
            self.simple_loop(loop, nest, first, "", block)
        else:
            minimum = self.module.intrinsic("llvm.umin.i64", "i64", "i64", "i64")
            limit = self.assign(f"call i64 {minimum}(i64 {following}, i64 {end})")
            self.simple_loop(loop, nest, first, limit)
        parts = [self.names[id(acc.result)] for acc in loop.accumulators]
        results = self.joined(loop.accumulators, wide, phis, parts)
        more = self.assign(f"icmp ult i64 {following}, {end}")
        last = self.block
        hint = self.module.loop_hint(0, False)
        self.line(f"br i1 {more}, label %{head}, label %{tail}{hint}")
        self.lines[place + 1 : place + 1] = [
            f"  {first} = phi i64 [ {begin}, %{before} ], [ {following}, %{last} ]",
            *self.carried(loop.accumulators, wide, phis, results, (before, last)),
        ]
        self.start(tail)
        self.complete(loop.accumulators, wide, results)

    def joined(
        self,
        accumulators: Sequence[Accumulator],
        types: Sequence[np.dtype[Any]],
        totals: Sequence[str],
        parts: Sequence[str],
    ) -> list[str]:
        """The totals with a round's parts, in the types in which they are carried."""
        results = []
        for acc, dtype, total, part in zip(accumulators, types, totals, parts, strict=True):
            product = dtype == acc.value.dtype and self.is_product(acc)
            if product and self.names.get(id(acc.value)) == part:
                results.append(self.add_product(acc, total))
                continue
            if dtype != acc.value.dtype:
                part = self.assign(f"fpext float {part} to double")
            results.append(self.combine(acc.kind, dtype, total, part))
        return results

    def carried(
        self,
        accumulators: Sequence[Accumulator],
        types: Sequence[np.dtype[Any]],
        phis: Sequence[str],
        results: Sequence[str],
        blocks: tuple[str, str],
    ) -> list[str]:
        """The lines by which a loop carries totals from round to round."""
        before, last = blocks
        lines = []
        for acc, dtype, phi, result in zip(accumulators, types, phis, results, strict=True):
            initial = f"[ {constant_text(acc.identity, dtype)}, %{before} ]"
            lines.append(f"  {phi} = phi {type_name(dtype)} {initial}, [ {result}, %{last} ]")
        return lines

    def complete(
        self,
        accumulators: Sequence[Accumulator],
        types: Sequence[np.dtype[Any]],
        results: Sequence[str],
    ) -> None:
        """Name the results of a loop, in their own types."""
        for acc, dtype, result in zip(accumulators, types, results, strict=True):
            if dtype != acc.value.dtype:
                result = self.assign(f"fptrunc double {result} to float")
            self.names[id(acc.result)] = result


def _block(size: int) -> int:
    """How many elements of a loop (0: an unknown number of rounds) are added up before the result
    joins the others. Where the blocks are all of one size, best a multiple of what vectors hold,
    LLVM knows how many rounds there are: half the work of compiling the loop."""
    for step in (64, 16, 8, 1):
        for block in range(_BLOCK, _BLOCK // 2, -step):
            if size and size % block == 0:
                return block
    return _BLOCK


def _wide(acc: Accumulator) -> np.dtype[Any]:
    """The dtype in which blocks are combined."""
    if sums_floats(acc) and acc.value.dtype.itemsize == 4:
        return np.dtype(np.float64)
    return acc.value.dtype
