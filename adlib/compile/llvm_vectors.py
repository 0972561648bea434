"""Innermost loops written with vectors, in place of LLVM's loop vectorizer.

What the vectorizer finds out at some length is known here: which values change from round to
round and which do not, that neighbouring rounds reach neighbouring elements, that no round writes
what another one reads, and how many rounds there are. A function whose innermost loops are all
written this way needs none of LLVM's passes, which take as long as making code of it.

Rounds that are left over where vectors are full come from one more vector, the last of the loop,
which does some of the rounds a second time: they store the same numbers again and do not count
in totals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.compile import engine
from adlib.compile.builder import BOOL
from adlib.compile.llvm_module import constant_text, memory_type, type_name
from adlib.compile.llvm_values import BOOL_KINDS, ValueWriter
from adlib.compile.loopir import Accumulator, For, Position, Store, Value, depth, part_type

# Loops of fewer rounds are written out by LLVM, which can then make vectors of the loop around
# them, where there are rounds enough in all for that to pay.
_FEWEST = 8
_MANY = 4096
_MOST_APART = 4  # values or stores of elements that do not lie beside each other
_SHORT = 12  # values of a body that may be written more often than its loop needs
_LONG = 1 << 23  # rounds of a loop that takes longer than making four copies of its body

_REDUCTIONS = {"sum": "add", "prod": "mul"}


def plain(loop: For) -> bool:
    """Whether a loop only moves numbers that do not lie beside each other: written number by
    number, it waits for memory alone."""
    if loop.accumulators or len(loop.body) > _SHORT:
        return False
    steps = [i.position[loop.axis] for i in loop.body if type(i) is Store]
    steps += [i.attr[1][loop.axis] for i in loop.body if type(i) is Value and i.op == "load"]
    return any(step not in (0, 1) for step in steps)


def write(writer: ValueWriter, loop: For, first: str, rounds: int, extent: int) -> bool:
    """Write so many ``rounds`` (0: unknown) of a loop of ``extent`` from number ``first`` on, if
    it is one for vectors."""
    if rounds < 2 or (rounds < _FEWEST and writer.rounds * extent > _MANY):
        return False
    body = [i for i in loop.body if type(i) is Store or not writer.quick or id(i) in writer.needed]
    changing = _changing(body, loop.axis)
    if changing is None or not _apart(body, loop.axis, rounds):
        return False
    lanes = _lanes(body, changing, rounds)
    if lanes < 2 or not _whole_numbers(writer, body):
        return False
    vector = _Vectors(writer, loop, lanes)
    vector.items = [i for i in body if type(i) is Store or id(i) in changing]
    axes, offsets = list(writer.axes), dict(writer.offsets)
    for item in body:
        if type(item) is Value and id(item) not in changing:
            writer.names[id(item)] = writer.value(item)
    vector.write(first, rounds, extent)
    writer.axes, writer.offsets = axes, offsets
    return True


# ------------------------------------------------------------------------- what can be written


def _changing(body: Sequence[Any], axis: int) -> set[int] | None:
    """The ids of the values that change from round to round; None where one of them, or a store,
    cannot be written for neighbouring rounds at once."""
    found: set[int] = set()
    apart = 0
    for item in body:
        if type(item) is Store:
            if not item.position[axis] or (item.offset is not None and id(item.offset) in found):
                return None
            apart += item.position[axis] != 1
        elif item.op == "load":
            step = item.attr[1][axis]
            if any(id(a) in found for a in item.args):
                return None
            if step:
                found.add(id(item))
                apart += step != 1
        elif item.op == "index":
            if item.attr[axis]:
                found.add(id(item))
        elif any(id(a) in found for a in item.args):
            if item.op == "lookup" or (item.op == "rem" and item.dtype.kind == "f"):
                return None
            if item.op in ("div", "rem") and item.dtype.kind in "iu":
                return None  # no processor divides vectors of integers
            found.add(id(item))
    return found if apart <= _MOST_APART else None


def _apart(body: Sequence[Any], axis: int, rounds: int) -> bool:
    """Whether no round writes what another one reads or writes, nor reads what it has written."""
    stores = [item for item in body if type(item) is Store]
    written = {s.buffer for s in stores}
    done: set[int] = set()
    for item in body:
        if type(item) is Store:
            done.add(item.buffer)
            place, offset = item.position, item.offset
            others = [s for s in stores if s.buffer == item.buffer]
        elif item.op == "load" and item.attr[0] in written:
            if item.attr[0] in done:
                return False
            place, offset = item.attr[1], item.args[0] if item.args else None
            others = [s for s in stores if s.buffer == item.attr[0]]
        else:
            continue
        for other in others:
            between = abs(place[-1] - other.position[-1])
            if place[:-1] != other.position[:-1] or offset is not other.offset:
                return False
            if 0 < between < rounds * abs(place[axis]):
                return False
    return True


def _in_place(body: Sequence[Any]) -> bool:
    """Whether it writes what it reads."""
    loads = {i.attr[0] for i in body if type(i) is Value and i.op == "load"}
    return any(type(i) is Store and i.buffer in loads for i in body)


def _lanes(body: Sequence[Any], changing: set[int], rounds: int) -> int:
    """How many rounds are one vector: as many of the widest type as fill a register."""
    sizes = [1]
    for item in body:
        dtype = item.value.dtype if type(item) is Store else item.dtype
        if dtype != BOOL and (type(item) is Store or id(item) in changing):
            sizes.append(dtype.itemsize)
    lanes = engine.vectors().bytes // max(sizes)
    while lanes > rounds:
        lanes //= 2
    return lanes


def _whole_numbers(writer: ValueWriter, body: Sequence[Any]) -> bool:
    """Whether both parts of every complex number that is written are written."""
    parts: dict[tuple[int, Position], list[int]] = {}
    for item in body:
        if type(item) is Store and writer.kernel.buffers[item.buffer].dtype.kind == "c":
            parts.setdefault((item.buffer, item.position), []).append(item.part)
    return all([sorted(found) == [0, 1] for found in parts.values()])


def _copies(loop: For, items: Sequence[Any], total: int, vectors: int) -> int:
    """How many vectors one round of the loop does, so that their latencies overlap.

    ``items``: what a round does; ``total``: rounds of all loops together; ``vectors``: of one run
    of this loop. Programs that are done in no time are not worth the longer code.
    """
    accumulators = loop.accumulators
    values = [i for i in items if type(i) is not Value or i.op != "const"]
    wanted = 1
    if any(a.kind in ("max", "min") and a.value.dtype.kind == "f" for a in accumulators):
        wanted = 4  # with their NaN and zeros' signs, each depends on the one before for 15 cycles
    elif 0 < len(accumulators) < 4 and len(values) <= _SHORT:
        wanted = 4 if len(accumulators) < 3 else 2
    elif total >= 2048 and len(accumulators) < 4:  # else enough is independent
        chain = depth(loop.body)
        if chain >= 24:
            more = chain >= 36 and len(values) <= 3 * chain and total >= _LONG
            wanted = 4 if more else 2
    if total < 2048 or vectors < 2 * wanted:
        wanted = min(wanted, 2)
    if len(values) <= _SHORT:
        return wanted if vectors >= wanted else 1
    while vectors % wanted:
        wanted //= 2
    return wanted


# --------------------------------------------------------------------------------- writing


class _Vectors(ValueWriter):
    """Writes one loop.

    Attributes:
      lanes: rounds that are done together.
      items: the stores and the values that change from round to round.
      place: (name of an index or "", number): the first round of the vector that is written.
    """

    def __init__(self, writer: ValueWriter, loop: For, lanes: int) -> None:
        super().__init__(writer.kernel, writer.module, writer.quick)
        self.writer = writer
        self.loop = loop
        self.lanes = lanes
        self.items: list[Any] = []
        self.place = ("", 0)
        self.first = "0"
        self.accumulators = list(loop.accumulators)
        self.met: list[str] = []  # predicates of rare cases in this vector
        self.memo: dict[Any, str] = {}  # of one vector
        self.splats: dict[int, str] = {}
        self.bases: dict[Any, str] = {}
        self.waiting: list[str] | None = None  # lines for the end of the loop

    def fresh(self) -> str:
        return self.writer.fresh()

    def write(self, first: str, rounds: int, extent: int) -> None:
        writer, lanes = self.writer, self.lanes
        self.first = first
        self.rare = Accumulator("or", Value("met", BOOL))
        if self.quick and any(type(i) is Value and i.op == "rare" for i in self.items):
            self.accumulators.append(self.rare)
        vectors, over = divmod(rounds, lanes)
        total = writer.rounds * extent
        copies = _copies(self.loop, self.items, total, vectors)
        turns = vectors // copies
        last: list[str] = []
        self.lines = writer.lines
        early = over > 0 and _in_place(self.items)
        kept: list[str] = []
        if early:
            self.waiting = kept
            last = self._last(rounds, over)
            self.waiting = None
        starts = [self.literal(a.identity, a.value.dtype) for a in self.accumulators]
        totals = [list(starts) for _ in range(copies)]
        if turns > 1:
            totals = self._turns(turns, copies, totals)
        else:
            totals = self.vectors([("", k * lanes) for k in range(copies)], totals)
        rest = [("", k * lanes) for k in range(turns * copies, vectors)]
        if rest:
            totals[: len(rest)] = self.vectors(rest, totals[: len(rest)])
        writer.lines += kept
        if over and not early:
            last = self._last(rounds, over)
        if last:
            totals.append(last)
        self._results(totals)

    def _turns(self, turns: int, copies: int, totals: list[list[str]]) -> list[list[str]]:
        """The loop itself; what its totals are after it."""
        writer = self.writer
        writer.count += 1
        head, tail, before = f"vectors{writer.count}", f"after{writer.count}", writer.block
        index, following = self.fresh(), self.fresh()
        self.lines = []
        phis = [[self.fresh() for _ in starts] for starts in totals]
        places = [(index, k * self.lanes) for k in range(copies)]
        results = self.vectors(places, phis)
        step = copies * self.lanes
        lines = [f"  {index} = phi i64 [ 0, %{before} ], [ {following}, %{head} ]"]
        for starts, names, ends in zip(totals, phis, results, strict=True):
            for acc, start, phi, end in zip(self.accumulators, starts, names, ends, strict=True):
                type_ = self.type(acc.value.dtype)
                lines.append(f"  {phi} = phi {type_} [ {start}, %{before} ], [ {end}, %{head} ]")
        lines += self.lines
        more = self.fresh()
        lines += [
            f"  {following} = add nuw nsw i64 {index}, {step}",
            f"  {more} = icmp ult i64 {following}, {turns * step}",
            f"  br i1 {more}, label %{head}, label %{tail}",
        ]
        writer.line(f"br label %{head}")
        writer.start(head)
        writer.lines += lines
        writer.start(tail)
        self.lines = writer.lines
        return results

    def _last(self, rounds: int, over: int) -> list[str]:
        """One more vector, of which only the last rounds count: their parts of the totals."""
        totals = []
        self.vectors([("", rounds - self.lanes)], None)
        counts = ", ".join(
            [f"i1 {'true' if k >= self.lanes - over else 'false'}" for k in range(self.lanes)]
        )
        for acc in self.accumulators:
            if acc is self.rare:
                totals.append(self._any_met())
                continue
            type_, neutral = self.type(acc.value.dtype), self.literal(acc.identity, acc.value.dtype)
            part = self.operand(acc.value)
            choice = f"<{self.lanes} x i1> <{counts}>"
            totals.append(self.assign(f"select {choice}, {type_} {part}, {type_} {neutral}"))
        return totals

    def vectors(
        self, places: Sequence[tuple[str, int]], totals: list[list[str]] | None
    ) -> list[list[str]]:
        """Vectors side by side, instruction by instruction; the totals with their parts."""
        states: list[tuple[dict[int, str], dict[Any, str], list[str], set[int]]]
        states = [({}, {}, [], set()) for _ in places]
        for item in self.items:
            for self.place, state in zip(places, states, strict=True):
                self.names, self.memo, self.met, self.noted = state
                if type(item) is Store:
                    self.store(item)
                else:
                    self.names[id(item)] = self.value(item)
        results = []
        for state, befores in zip(states, totals or (), strict=False):
            self.names, self.memo, self.met, self.noted = state
            results.append(
                [self._joined(a, t) for a, t in zip(self.accumulators, befores, strict=True)]
            )
        return results

    def _joined(self, acc: Accumulator, total: str) -> str:
        if acc is self.rare:
            return self.combine("or", BOOL, total, self._any_met())
        if self.is_product(acc):
            return self.add_product(acc, total)
        return self.combine(acc.kind, acc.value.dtype, total, self.operand(acc.value))

    def _any_met(self) -> str:
        found, *others = self.met
        for other in others:
            found = self.combine("or", BOOL, found, other)
        return found

    def _results(self, totals: list[list[str]]) -> None:
        """One number of the totals of all copies and all lanes."""
        for k, acc in enumerate(self.accumulators):
            dtype = acc.value.dtype
            found = [t[k] for t in totals]
            while len(found) > 1:
                pairs = zip(found[::2], found[1::2], strict=False)
                joined = [self.combine(acc.kind, dtype, x, y) for x, y in pairs]
                found = joined + found[len(found) & ~1 :]
            number = self._across(acc.kind, dtype, found[0])
            if acc is self.rare:
                met = self.assign("load i1, ptr %met")
                met = self.assign(f"or i1 {met}, {number}")
                self.line(f"store i1 {met}, ptr %met")
            else:
                self.writer.names[id(acc.result)] = number

    def _across(self, kind: str, dtype: np.dtype[Any], total: str) -> str:
        type_, vector = type_name(dtype), self.type(dtype)
        op = BOOL_KINDS.get(kind, kind) if dtype == BOOL else _REDUCTIONS.get(kind, kind)
        if dtype.kind == "f" and kind in _REDUCTIONS:
            name = f"llvm.vector.reduce.f{op}.{self.suffix(dtype)}"
            start = constant_text(dtype.type(-0.0 if kind == "sum" else 1.0), dtype)
            function = self.module.intrinsic(name, type_, type_, vector)
            return self.assign(
                f"call reassoc {type_} {function}({type_} {start}, {vector} {total})"
            )
        if kind in ("max", "min") and dtype.kind == "f":
            op = f"f{kind}imum"
        elif kind in ("max", "min") and dtype != BOOL:
            op = ("s" if dtype.kind == "i" else "u") + kind
        function = self.module.intrinsic(
            f"llvm.vector.reduce.{op}.{self.suffix(dtype)}", type_, vector
        )
        return self.assign(f"call {type_} {function}({vector} {total})")

    # ----------------------------------------------------------------------- values

    def operand(self, value: Value) -> str:
        """What all lanes have: a vector of the loop, or a number that does not change."""
        found = self.names.get(id(value)) or self.splats.get(id(value))
        if found is None:
            if value.op == "const":
                found = self.literal(value.attr, value.dtype)
            else:
                found = self._spread(self.writer.names[id(value)], value.dtype)
            self.splats[id(value)] = found
        return found

    def _spread(self, number: str, dtype: np.dtype[Any], here: bool = False) -> str:
        """A vector of equal numbers, made before the loop or ``here``."""
        type_ = self.type(dtype)
        assign = self.assign if here else self.writer.assign
        one = assign(f"insertelement {type_} poison, {type_name(dtype)} {number}, i64 0")
        every = f"<{self.lanes} x i32> zeroinitializer"
        return assign(f"shufflevector {type_} {one}, {type_} poison, {every}")

    def value(self, value: Value) -> str:
        if value.op == "load":
            return self._load(value)
        if value.op == "index":
            return self._index(value.attr)
        return super().value(value)

    def unless_met(self, value: Value) -> str:
        predicate, _, fast = value.args
        if id(predicate) not in self.noted:
            self.noted.add(id(predicate))
            self.met.append(self.operand(predicate))
        return self.operand(fast)

    def _index(self, position: Position) -> str:
        step = position[self.loop.axis]
        index, number = self.place
        start = self._invariant(("index", position), lambda: self._start(position))
        if index:
            moved = index if step == 1 else self._times(index, step)
            start = self.assign(f"add nsw i64 {start}, {moved}")
        lanes = ", ".join([f"i64 {step * (number + k)}" for k in range(self.lanes)])
        vector = self._spread(start, np.dtype(np.int64), here=True)
        return self.assign(f"add <{self.lanes} x i64> {vector}, <{lanes}>")

    def _start(self, position: Position) -> str:
        moving = self.writer.offset(self._at_first(position)) or "0"
        return self.writer.assign(f"add nsw i64 {moving}, {position[-1]}")

    def _at_first(self, position: Position) -> Position:
        """The position without the loop's own rounds, but for those before ``first``."""
        axis = self.loop.axis
        if self.first == "0":
            return (*position[:axis], 0, *position[axis + 1 :])
        self.writer.axes[axis] = self.first
        return position

    # ----------------------------------------------------------------------- memory

    def _invariant(self, key: Any, make: Any) -> str:
        """What is computed once, before the loop."""
        found = self.bases.get(key)
        if found is None:
            found = self.bases[key] = make()
        return found

    def _pointer(self, item: Value | Store, lane: int = 0) -> str:
        """The address of what one lane reads or writes."""
        if isinstance(item, Store):
            buffer, position, offset = item.buffer, item.position, item.offset
        else:
            (buffer, position), offset = item.attr, item.args[0] if item.args else None
        writer = self.writer
        given = "" if offset is None else writer.names[id(offset)]
        step = position[self.loop.axis]
        base = self._invariant(
            (buffer, position, given),
            lambda: writer.address(buffer, self._at_first(position), given),
        )
        index, number = self.place
        type_ = memory_type(self.kernel.buffers[buffer].dtype)
        if index:
            moved = index if step == 1 else self._times(index, step)
            base = self.assign(f"getelementptr {type_}, ptr {base}, i64 {moved}")
        constant = step * (number + lane)
        if constant:
            base = self.assign(f"getelementptr {type_}, ptr {base}, i64 {constant}")
        return base

    def _times(self, index: str, step: int) -> str:
        found = self.memo.get(("times", step))
        if found is None:
            found = self.memo["times", step] = self.assign(f"mul nsw i64 {index}, {step}")
        return found

    def _load(self, value: Value) -> str:
        buffer, position = value.attr
        dtype = self.kernel.buffers[buffer].dtype
        if position[self.loop.axis] != 1:
            return self._gathered(value)
        if dtype.kind != "c":
            memory = memory_type(value.dtype)
            loaded = self.assign(
                f"load <{self.lanes} x {memory}>, ptr {self._pointer(value)}, "
                f"align {value.dtype.itemsize}"
            )
            if value.dtype == BOOL:
                return self.assign(f"icmp ne <{self.lanes} x i8> {loaded}, zeroinitializer")
            return loaded
        key = (buffer, position, value.args)
        both = self.memo.get(key)
        double = f"<{2 * self.lanes} x {type_name(value.dtype)}>"
        if both is None:
            both = self.memo[key] = self.assign(
                f"load {double}, ptr {self._pointer(value)}, align {value.dtype.itemsize}"
            )
        chosen = ", ".join([f"i32 {2 * k + value.part}" for k in range(self.lanes)])
        mask = f"<{self.lanes} x i32> <{chosen}>"
        return self.assign(f"shufflevector {double} {both}, {double} poison, {mask}")

    def _gathered(self, value: Value) -> str:
        """Elements that do not lie beside each other, one after another."""
        type_, single = self.type(value.dtype), memory_type(value.dtype)
        found = "poison"
        for lane in range(self.lanes):
            pointer = self._part(value, lane)
            one = self.assign(f"load {single}, ptr {pointer}, align {value.dtype.itemsize}")
            if value.dtype == BOOL:
                one = self.assign(f"icmp ne i8 {one}, 0")
            name = type_name(value.dtype)
            found = self.assign(f"insertelement {type_} {found}, {name} {one}, i64 {lane}")
        return found

    def _part(self, item: Value | Store, lane: int) -> str:
        pointer = self._pointer(item, lane)
        if item.part:
            buffer = item.buffer if isinstance(item, Store) else item.attr[0]
            type_ = memory_type(self.kernel.buffers[buffer].dtype)
            pointer = self.assign(f"getelementptr {type_}, ptr {pointer}, i64 0, i64 {item.part}")
        return pointer

    def store(self, item: Store) -> None:
        dtype = self.kernel.buffers[item.buffer].dtype
        value = self.operand(item.value)
        type_, size = f"<{self.lanes} x {memory_type(item.value.dtype)}>", dtype.itemsize
        if dtype == BOOL:
            value = self.assign(f"zext <{self.lanes} x i1> {value} to {type_}")
        if item.position[self.loop.axis] != 1:
            self._scattered(item, value, type_)
            return
        if dtype.kind == "c":
            key = ("store", item.buffer, item.position)
            other = self.memo.get(key)
            if other is None:
                self.memo[key] = value
                return
            parts = (value, other) if item.part == 0 else (other, value)
            order = ", ".join([f"i32 {k}, i32 {self.lanes + k}" for k in range(self.lanes)])
            mask = f"<{2 * self.lanes} x i32> <{order}>"
            single = self.type(part_type(dtype))
            value = self.assign(f"shufflevector {single} {parts[0]}, {single} {parts[1]}, {mask}")
            type_, size = f"<{2 * self.lanes} x {type_name(part_type(dtype))}>", size // 2
        self._keep(f"  store {type_} {value}, ptr {self._pointer(item)}, align {size}")

    def _scattered(self, item: Store, value: str, type_: str) -> None:
        single, size = memory_type(item.value.dtype), item.value.dtype.itemsize
        for lane in range(self.lanes):
            one = self.assign(f"extractelement {type_} {value}, i64 {lane}")
            self._keep(f"  store {single} {one}, ptr {self._part(item, lane)}, align {size}")

    def _keep(self, line: str) -> None:
        """Write a store, now or at the end of the loop."""
        (self.lines if self.waiting is None else self.waiting).append(line)
