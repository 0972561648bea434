"""Steps that put an array together: concatenations, paddings, updates, running totals.

Each is a few loop nests in a row over one result: its parts are copied to their places, then
changed where they are. Operands are read through their views.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.compile import addressing, running_blocks, views
from adlib.compile.builder import Scalar, select
from adlib.compile.elements import Elements
from adlib.compile.loopir import LoopBuilder, Position, Value
from adlib.compile.mathfns.exponentials import exp
from adlib.compile.mathfns.logarithms import log1p
from adlib.compile.nests import Reader, combine, loop_nest
from adlib.compile.reads import normalized
from adlib.compile.steps import Pieces, Scheduled
from adlib.core.jaxpr import Atom, Var
from adlib.ops.index_plan import GatherScatterMode

# What a scatter does with an old and a new element.
UPDATES = {
    "scatter": "",
    "scatter-add": "add",
    "scatter_add": "add",
    "scatter-sub": "sub",
    "scatter-mul": "mul",
    "scatter_mul": "mul",
    "scatter-min": "min",
    "scatter-max": "max",
    "scatter_min": "min",
    "scatter_max": "max",
}
RUNNING = {
    "cumsum": "sum",
    "cumprod": "prod",
    "cummax": "max",
    "cummin": "min",
    "cumlogsumexp": "logaddexp",
}
_LARGE = 1 << 15  # elements from which on writing them once or twice matters
_REDUCED = {"reduce_prod": "prod", "reduce_max": "max", "reduce_min": "min"}


class PiecesWriter(Reader):
    """Writes the nests of one step as a kernel."""

    elements: type[Elements] = Elements  # what writes the bodies of loops

    def __init__(self, schedule: Scheduled, number: int, name: str) -> None:
        super().__init__(schedule, number, name)
        step = schedule.steps[number]
        assert type(step) is Pieces
        self.eqn = step.eqn
        self.out: Var = step.eqn.outvars[0]
        self.write()

    def write(self) -> None:
        _WRITERS[self.eqn.primitive.name](self)

    @property
    def target(self) -> int:
        return self.buffer(self.out, written=True)

    def piece(
        self,
        space: Sequence[int],
        element: Callable[[Elements, views.Coordinates], Any],
        place: Callable[[views.Coordinates], Position],
        why: str,
        offset: Callable[[Elements], Value | None] | None = None,
        ordered: bool = False,
    ) -> None:
        """One nest: for each point of ``space`` an element goes to a place of the result."""
        space = tuple(space)
        self.builder = self.elements()
        self.rank = len(space)
        same = normalized(views.identity_coordinates(self.rank), space)
        value = element(self.builder, same)
        moved = None if offset is None else offset(self.builder)
        self.builder.store(self.target, place(same), value, moved)
        self.nest(space, self.builder.items, why, ordered)

    def nest(self, space: tuple[int, ...], body: list[Any], why: str, ordered: bool) -> None:
        self.kernel.nests.append(loop_nest(space, body, why, ordered))

    def copy(self, atom: Atom, why: str, place: Callable[..., Position] | None = None) -> None:
        """A whole operand to its place."""
        shape = atom.aval.shape
        where = place or (lambda same: views.linear(same, shape, len(shape)))
        self.piece(shape, lambda b, same: self.read(atom, same), where, why)


def _at(shape: Sequence[int], starts: Sequence[int], steps: Sequence[int], rank: int) -> Any:
    """The place in an array of ``shape`` of coordinates that are scaled and shifted."""

    def place(same: views.Coordinates) -> Position:
        moved = [views.scaled(c, k, s) for c, k, s in zip(same, steps, starts, strict=True)]
        return views.linear_unchecked(tuple(moved), shape, rank)

    return place


def _concatenate(w: PiecesWriter) -> None:
    axis, shape = w.eqn.params["dimension"], w.out.aval.shape
    start = 0
    for i, atom in enumerate(w.eqn.invars):
        starts = [start if d == axis else 0 for d in range(len(shape))]
        place = _at(shape, starts, [1] * len(shape), len(shape))
        w.copy(atom, f"part {i} of a concatenation", place)
        start += atom.aval.shape[axis]


def _stack(w: PiecesWriter) -> None:
    axis, shape = w.eqn.params["axis"], w.out.aval.shape
    strides = views.row_major(shape)
    inner = [s for d, s in enumerate(strides) if d != axis]
    for i, atom in enumerate(w.eqn.invars):

        def place(same: views.Coordinates, i: int = i) -> Position:
            rank = len(inner)
            terms = [views.scaled(c, s) for c, s in zip(same, inner, strict=True)]
            return views.scaled(views.added(terms, rank), 1, i * strides[axis])

        w.copy(atom, f"part {i} of a stack", place)


def _pad(w: PiecesWriter) -> None:
    operand, fill = w.eqn.invars
    shape = w.out.aval.shape
    config = w.eqn.params["padding_config"]
    rank = len(shape)
    firsts, starts, steps, space = [], [], [], []
    for n, size, (lo, _, inside) in zip(operand.aval.shape, shape, config, strict=True):
        step = inside + 1
        first = max(0, -(lo // step))  # the first element whose place is not cut off
        last = min(n, (size - 1 - lo) // step + 1)
        firsts.append(first)
        space.append(max(0, last - first))
        starts.append(lo + first * step)
        steps.append(step)

    def filled(begin: Sequence[int], sizes: Sequence[int], why: str) -> None:
        place = _at(shape, begin, [1] * rank, rank)
        w.piece(sizes, lambda b, same: w.read(fill, ()), place, why)

    if math.prod(shape) >= _LARGE and steps == [1] * rank and 0 not in space:
        for axis in range(rank):  # along the axes before it only beside the operand
            for low, high in ((0, starts[axis]), (starts[axis] + space[axis], shape[axis])):
                if low < high:
                    begin = [*starts[:axis], low, *[0] * (rank - axis - 1)]
                    filled(begin, [*space[:axis], high - low, *shape[axis + 1 :]], "a margin")
    elif operand.aval.shape != shape or any(lo or hi or inside for lo, hi, inside in config):
        filled([0] * rank, shape, "padding")
    if 0 in space:
        return

    def element(b: Elements, same: views.Coordinates) -> Any:
        moved = [views.scaled(c, 1, f) for c, f in zip(same, firsts, strict=True)]
        return w.read(operand, tuple(moved))

    w.piece(space, element, _at(shape, starts, steps, rank), "what is padded")


def _dynamic_update_slice(w: PiecesWriter) -> None:
    operand, update, *starts = w.eqn.invars
    shape, block = operand.aval.shape, update.aval.shape
    w.copy(operand, "what is updated")
    rank = len(shape)

    def offset(b: Elements) -> Value | None:
        return addressing.block_offset(b, [w.read(s, ()) for s in starts], shape, block)

    place = _at(shape, [0] * rank, [1] * rank, rank)
    w.piece(block, lambda b, same: w.read(update, same), place, "the update", offset)


def _scatter(w: PiecesWriter) -> None:
    operand, indices, updates = w.eqn.invars
    w.copy(operand, "what is updated")
    windows = addressing.scatter_windows(w.eqn)
    if 0 in windows.shape:
        return
    op = UPDATES[w.eqn.primitive.name]
    clip = w.eqn.params["mode"] is GatherScatterMode.CLIP
    found: list[Any] = []

    def element(b: Elements, same: views.Coordinates) -> Any:
        entries = [w.read(indices, c) for c in windows.index_reads(same)]
        added, inside = windows.offset(b, entries, clip)
        found.append(added)
        new = w.read(updates, same)
        if not op and inside is None:
            return new
        old = b.load(w.target, windows.base(same), new.dtype, added)
        if op:
            new = updated(b, op, old, new)
        return new if inside is None else b.select(inside, new, old)

    w.piece(windows.shape, element, windows.base, "the updates", lambda b: found[-1], ordered=True)


def updated(b: Elements, op: str, old: Any, new: Any) -> Any:
    """What a scatter makes of an old element and an update."""
    if op == "sub":
        return b.binary("sub", old, new)
    return combine(b, {"add": "sum", "mul": "prod"}.get(op, op), old, new)


def running(b: Elements, kind: str, old: Any, new: Any) -> Any:
    """A running total and the element that follows, as the next one."""
    return _logaddexp(b, old, new) if kind == "logaddexp" else combine(b, kind, old, new)


def _logaddexp(b: LoopBuilder, x: Value, y: Value) -> Value:
    """log(exp x + exp y) by the larger one, so that nothing overflows."""
    first, second = Scalar(b, x), Scalar(b, y)
    less = -abs(first - second)
    found = select(first > second, first, second) + log1p(exp(less))
    equal = first == second  # infinities have no difference
    return select(equal, first + math.log(2), found).value  # type: ignore[no-any-return]


def _running(w: PiecesWriter) -> None:
    (operand,) = w.eqn.invars
    axis, backwards = w.eqn.params["axis"], w.eqn.params["reverse"]
    kind = RUNNING[w.eqn.primitive.name]
    shape = w.out.aval.shape
    rank, n = len(shape), shape[axis]
    if n == 0:
        return
    stride = views.row_major(shape)[axis]
    begin = n - 1 if backwards else 0
    step = -1 if backwards else 1

    def moved(same: views.Coordinates, shift: int) -> views.Coordinates:
        return tuple(
            [
                views.scaled(c, step, begin + step * shift) if d == axis else c
                for d, c in enumerate(same)
            ]
        )

    def place(shift: int) -> Callable[[views.Coordinates], Position]:
        return lambda same: views.linear_unchecked(moved(same, shift), shape, rank)

    first = [1 if d == axis else size for d, size in enumerate(shape)]
    w.piece(first, lambda b, same: w.read(operand, moved(same, 0)), place(0), "the first")
    if n == 1:
        return
    if running_blocks.fits(kind, shape, axis, w.out.aval.dtype):
        running_blocks.write(w, kind, lambda same: moved(same, 0))
        return
    rest = [n - 1 if d == axis else size for d, size in enumerate(shape)]

    def element(b: Elements, same: views.Coordinates) -> Any:
        new = w.read(operand, moved(same, 1))
        before = views.scaled(place(1)(same), 1, -step * stride)
        old = b.load(w.target, before, new.dtype)
        return running(b, kind, old, new)

    w.piece(rest, element, place(1), "running totals", ordered=True)


def _reduced(w: PiecesWriter) -> None:
    """What loops cannot carry: products of complex numbers, and their extrema."""
    (operand,) = w.eqn.invars
    axes, shape, out = w.eqn.params["axes"], operand.aval.shape, w.out.aval.shape
    kind = _REDUCED[w.eqn.primitive.name]
    dtype = w.out.aval.dtype

    def start(b: Elements, same: views.Coordinates) -> Any:
        if kind == "prod" or 0 in shape:
            return b.constant({"prod": 1, "max": -np.inf, "min": np.inf}[kind], dtype)
        kept = iter(same)
        zero = views.zero(len(out))
        return w.read(
            operand, tuple([zero if d in axes else next(kept) for d in range(len(shape))])
        )

    w.piece(out, start, lambda same: views.linear(same, out, len(out)), "the first")
    if 0 in shape:
        return

    def place(same: views.Coordinates) -> Position:
        kept = tuple([c for d, c in enumerate(same) if d not in axes])
        return views.linear(kept, out, len(shape))

    def element(b: Elements, same: views.Coordinates) -> Any:
        return combine(b, kind, b.load(w.target, place(same), dtype), w.read(operand, same))

    w.piece(shape, element, place, "all of them", ordered=True)


_WRITERS: dict[str, Callable[[PiecesWriter], None]] = {
    "concatenate": _concatenate,
    "stack": _stack,
    "pad": _pad,
    "dynamic_update_slice": _dynamic_update_slice,
    **dict.fromkeys(UPDATES, _scatter),
    **dict.fromkeys(RUNNING, _running),
    **dict.fromkeys(_REDUCED, _reduced),
}
NAMES = frozenset(_WRITERS)
