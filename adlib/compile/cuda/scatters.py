"""Scatters as CUDA kernels: a thread for each element of the updates.

Where an index may occur twice, elements are changed by atomic operations: the card's own where it
has one, else by comparing and swapping. Sums of floats then depend, in their last bits, on the
order in which threads come. Where the flag ``gpu_deterministic`` is set, and for types that no
atomic operation holds (products of complex128), updates that may meet are made in order, by one
thread. A scatter that sets elements lets the last update win: each update first claims its
elements with its number, and the highest number writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.config import config
from adlib.compile import addressing, views
from adlib.compile.cuda import joins
from adlib.compile.cuda.expressions import CudaElements, Statements, c_type
from adlib.compile.cuda.pieces import KERNELS, CudaPieces
from adlib.compile.cuda.source import FIRST, STRIDE, Source, grid, joined_axes
from adlib.compile.elements import Half
from adlib.compile.loopir import Store, Value, part_type
from adlib.compile.pieces import UPDATES, updated
from adlib.compile.reads import normalized
from adlib.ops.index_plan import GatherScatterMode

Write = Callable[[Source, Statements, str], None]  # of a kernel, its values, the new element

_INT32 = np.dtype(np.int32)
_WORDS = {2: "u16", 4: "u32", 8: "u64"}  # that can be compared and swapped


def write(w: CudaPieces) -> None:
    """The kernels of a scatter: the operand is copied, then changed."""
    operand, _, updates = w.eqn.invars
    w.copy(operand, "what is updated")
    if 0 in updates.aval.shape:
        return
    scatter = _Scatter(w)
    if not scatter.repeats:
        scatter.updates(scatter.alone)
    elif not scatter.op:
        scatter.last_wins()
    elif config.gpu_deterministic or not scatter.atomic:
        scatter.in_order()
    else:
        scatter.updates(scatter.together)


KERNELS.update(dict.fromkeys(UPDATES, write))


class _Scatter:
    """The updates of one scatter.

    Attributes:
      op: what is done with an old and a new element; empty for setting it.
      repeats: whether an element may be updated twice.
      atomic: whether there are atomic operations on its type.
    """

    def __init__(self, w: CudaPieces) -> None:
        self.w = w
        eqn = w.eqn
        self.op = UPDATES[eqn.primitive.name]
        self.dtype = w.out.aval.dtype
        self.windows = addressing.scatter_windows(eqn)
        self.space = self.windows.shape
        batching = {self.windows.axes[d] for d in eqn.params["dimension_numbers"][3]}
        indices = [self.space[a] for a in self.windows.outer if a not in batching]
        self.repeats = math.prod(indices) > 1 and not eqn.params["unique_indices"]
        added = self.dtype.kind == "c" and self.op in ("add", "sub")
        self.atomic = self.dtype.itemsize <= 8 or added

    def body(self) -> tuple[list[Any], Any, Value | None, Value | None]:
        """(the instructions before an update, the new element, what the index adds to its place,
        whether it is within the operand)."""
        w, windows = self.w, self.windows
        _, indices, updates = w.eqn.invars
        w.builder = b = CudaElements()
        w.rank = len(self.space)
        same = normalized(views.identity_coordinates(w.rank), self.space)
        entries = [w.read(indices, c) for c in windows.index_reads(same)]
        clip = w.eqn.params["mode"] is GatherScatterMode.CLIP
        offset, inside = windows.offset(b, entries, clip)
        new = w.read(updates, same)
        if type(new) is Half:
            new = b.bits(new)
        value = new if type(new) is Value else new.re
        # stands for the update's place, until the update is written
        b.items.append(Store(w.target, windows.base(same), value, offset))
        return b.items, new, offset, inside

    # ------------------------------------------------------------------- kernels

    def updates(self, write: Write, apart: Sequence[int] = ()) -> None:
        """A kernel with a thread for each element, of which ``write`` writes what it does; some
        axes stay ``apart`` from the others."""
        body, new, offset, inside = self.body()
        runs, extents = joined_axes(self.space, body, [apart])
        self._apart = [(i, extents[i]) for i, run in enumerate(runs) if run[0] in apart]
        source = Source(self.w, self.w.new_name(), math.prod(self.space))
        source.line(f"for (index i = {FIRST}; i < {math.prod(extents)}; i += {STRIDE}) {{")
        source.axes("i", extents)
        self.update(source, (body, new, offset, inside), write)
        source.line("}")
        self.w.launches.append(source.launch(*grid(math.prod(extents))))

    def update(self, source: Source, parts: Any, write: Write) -> None:
        (*body, place), new, offset, inside = parts
        writer = source.statements(body)
        at = writer.at(place.position, "" if offset is None else writer.names[id(offset)])
        source.line(f"{'' if inside is None else f'if ({writer.names[id(inside)]}) '}{{")
        source.line(f"const index at = {at};")
        write(source, writer, joins.element(new, writer))
        source.line("}")

    @property
    def memory(self) -> str:
        """The result as elements."""
        return joins.elements(self.w.target, self.dtype, written=True)

    def join(self, source: Source) -> str:
        """The name of a function that makes an element of an old and a new one."""
        name = f"{source.name}_join"
        if not source.functions:
            formula = lambda b, old, new: updated(b, self.op, old, new)  # noqa: E731
            source.functions.append(joins.function(name, self.dtype, formula))
        return name

    def alone(self, source: Source, writer: Statements, new: str) -> None:
        """Nobody else changes the element."""
        place = f"{self.memory}[at]"
        if self.op:
            new = f"{self.join(source)}({place}, {new})"
        source.line(f"{place} = {new};")

    def together(self, source: Source, writer: Statements, new: str) -> None:
        """Others may change the element at the same time."""
        native = _native(self.op, part_type(self.dtype)) if self.op in ("add", "sub") else None
        if self.dtype.kind == "c" and native:
            source.line(f"const {joins.element_type(self.dtype)} by = {new};")
            for part, name in enumerate(("re", "im")):
                source.line(
                    native.format(place=f"b{self.w.target} + 2 * at + {part}", x=f"by.{name}")
                )
            return
        native = _native(self.op, self.dtype)
        if native:
            source.line(native.format(place=f"b{self.w.target} + at", x=new))
            return
        type_, join = joins.element_type(self.dtype), self.join(source)
        if self.dtype.itemsize == 1:
            function = f"changed_byte<{type_}, {join}>"
        else:
            function = f"changed<{_WORDS[self.dtype.itemsize]}, {type_}, {join}>"
        source.line(f"{function}({self.memory} + at, {new});")

    # ------------------------------------------------------------------ in order

    def last_wins(self) -> None:
        """Three kernels: no element is claimed, updates claim theirs, the last one writes."""
        w = self.w
        claims = len(w.partials)
        w.partials.append((self.w.out.aval.size, _INT32))
        source = Source(w, w.new_name(), w.out.aval.size)
        source.partials = [claims]
        source.line(f"for (index i = {FIRST}; i < {w.out.aval.size}; i += {STRIDE}) {{")
        source.line(f"p{claims}[i] = -1;")
        source.line("}")
        w.launches.append(source.launch(*grid(w.out.aval.size)))

        def claim(source: Source, writer: Statements, new: str) -> None:
            source.partials = [claims]
            source.line(f"atomicMax(p{claims} + at, {self.turn(writer)});")

        def win(source: Source, writer: Statements, new: str) -> None:
            source.partials = [claims]
            source.line(f"if (p{claims}[at] == {self.turn(writer)}) {self.memory}[at] = {new};")

        for change in (claim, win):
            self.updates(change, self.windows.outer)

    def turn(self, writer: Statements) -> str:
        """The number of an update among those that may meet."""
        text = "0"
        for axis, size in self._apart:
            text = f"({text} * {size} + {writer.axes[axis]})" if text != "0" else writer.axes[axis]
        return f"s32({text})"

    def in_order(self) -> None:
        """A kernel with a thread for each place in a window that no index decides: it goes through
        all updates that may meet."""
        windows = self.windows
        free = {axis for d, axis in windows.axes.items() if d not in windows.index_map}
        ordered = [a for a in range(len(self.space)) if a not in free]
        body, new, offset, inside = self.body()
        runs, extents = joined_axes(self.space, body, [ordered])
        rounds = [i for i, run in enumerate(runs) if run[0] in ordered]
        others = [i for i in range(len(runs)) if i not in rounds]
        points, turns = [math.prod([extents[i] for i in some]) for some in (others, rounds)]
        source = Source(self.w, self.w.new_name(), math.prod(self.space))
        source.line(f"for (index i = {FIRST}; i < {points}; i += {STRIDE}) {{")
        source.axes("i", extents, others)
        source.line(f"for (index turn = 0; turn < {turns}; ++turn) {{")
        source.axes("turn", extents, rounds)
        self.update(source, (body, new, offset, inside), self.alone)
        source.line("}")
        source.line("}")
        self.w.launches.append(source.launch(*grid(points)))


def _native(op: str, dtype: np.dtype[Any]) -> str | None:
    """A statement with an atomic operation of the card; None where it has none."""
    kind, size = dtype.kind, dtype.itemsize
    if size not in (4, 8) or kind not in "iuf":
        return None
    if op in ("add", "sub"):
        if kind == "f":
            return f"atomicAdd({{place}}, {'-' if op == 'sub' else ''}({{x}}));"
        word = f"u{8 * size}"  # integers wrap
        value = f"{word}({{x}})" if op == "add" else f"{word}(0) - {word}({{x}})"
        return f"atomicAdd(reinterpret_cast<{word}*>({{place}}), {value});"
    if op in ("min", "max") and kind in "iu":
        return f"atomic{op.title()}({{place}}, {c_type(dtype)}({{x}}));"
    return None
