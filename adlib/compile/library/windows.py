"""Windowed reductions and the extreme element of each window, as loop nests.

Along each axis the results fall into regions in which every tap of the window is either within
the operand or beyond its border, so that no element asks where it is: nests over the products of
regions read with constant strides, and what lies outside is a constant. Windows of many elements
are reduced one axis after the other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.compile import views
from adlib.compile.library.convolution_geometry import phases
from adlib.compile.library.part import PARTS, LibraryPart
from adlib.compile.llvm_module import Module
from adlib.compile.loopir import Buffer, Kernel, LoopBuilder, Store, Value
from adlib.compile.memory import ALIGN
from adlib.compile.nests import combine, loop_nest
from adlib.compile.render_llvm import render
from adlib.compile.views import Coordinates
from adlib.core.jaxpr import Eqn, Var
from adlib.ops.windows_geometry import Sizes

_MOST_NESTS = 64
_MANY_TAPS = 12  # elements of a window from which axes are reduced one by one
_UINT8 = np.dtype(np.uint8)


class Region(NamedTuple):
    """Results ``start``, ``start + step``, … of one axis (``size`` of them); ``reads`` are the
    elements that the taps of the first one's window are at, None beyond the border; from one
    result to the next they move by ``move``."""

    start: int
    step: int
    size: int
    reads: tuple[int | None, ...]
    move: int


def regions(
    size: int, taps: int, outputs: int, stride: int, low: int, gap: int = 1, spread: int = 1
) -> list[Region]:
    """The regions of one axis: see ``convolution_geometry`` for its geometry."""
    found: list[Region] = []
    left = set(range(min(outputs, gap // math.gcd(gap, stride))))
    for f in phases(taps, outputs, stride, low, gap, spread):
        left.discard(f.start)
        places = [f.first + t * f.spread for t in range(f.taps)]
        cuts = {0, f.size}
        for at in places:  # the results whose tap is within the operand: from … to
            if f.move:
                cuts.update((-(at // f.move), -((at - size) // f.move)))
        inside = sorted([c for c in cuts if 0 <= c <= f.size])
        for first, last in itertools.pairwise(inside):
            reads: list[int | None] = [None] * taps
            for t, at in enumerate(places):
                element = at + first * f.move
                if 0 <= element < size:
                    reads[f.tap + t * f.tap_step] = element
            start = f.start + first * f.step
            found.append(Region(start, f.step, last - first, tuple(reads), f.move))
    period = gap // math.gcd(gap, stride)
    for start in sorted(left):  # windows between the elements
        count = -(-(outputs - start) // period)
        found.append(Region(start, period, count, (None,) * taps, 0))
    return [r for r in found if r.size]


class Window(NamedTuple):
    """The parameters of a windowed operation."""

    taps: Sizes
    strides: Sizes
    low: tuple[int, ...]
    gaps: Sizes
    spreads: Sizes


def window(eqn: Eqn) -> Window:
    p = eqn.params
    ones = (1,) * len(p["window_dimensions"])
    return Window(
        p["window_dimensions"],
        p["window_strides"],
        tuple([low for low, _ in p["padding"]]),
        p.get("base_dilation") or ones,
        p.get("window_dilation") or ones,
    )


def all_regions(shape: Sizes, made: Sizes, w: Window) -> list[list[Region]]:
    """The regions of each axis of results ``made`` out of an operand of ``shape``."""
    return [
        regions(n, k, m, stride, low, gap, spread)
        for n, m, k, stride, low, gap, spread in zip(shape, made, *w, strict=True)
    ]


def nests_of(found: Sequence[Sequence[Region]]) -> int:
    return math.prod([len(r) for r in found])


# --------------------------------------------------------------------------- nests

# (the nest's builder, where each tap of the window is in the operand or None) -> the result
Element = Callable[[LoopBuilder, list[Coordinates | None], Coordinates], Value]


def region_nests(
    found: Sequence[Sequence[Region]], made: Sizes, target: int, element: Element, why: str
) -> list[Any]:
    """A nest for each combination of regions, which writes the results."""
    rank = len(made)
    nests = []
    for chosen in itertools.product(*found):
        space = tuple([r.size for r in chosen])
        same = views.identity_coordinates(rank)
        taps: list[Coordinates | None] = []
        for reads in itertools.product(*[r.reads for r in chosen]):
            if any(at is None for at in reads):
                taps.append(None)
                continue
            place = [
                views.scaled(c, r.move, at)  # type: ignore[arg-type]
                for c, r, at in zip(same, chosen, reads, strict=True)
            ]
            taps.append(tuple(place))
        places = [views.scaled(c, r.step, r.start) for c, r in zip(same, chosen, strict=True)]
        b = LoopBuilder()
        value = element(b, taps, tuple(places))
        store = Store(target, views.linear_unchecked(tuple(places), made, rank), value)
        nests.append(loop_nest(space, [*b.items, store], why))
    return nests


class Memory:
    """The buffers of a kernel in the making."""

    def __init__(self) -> None:
        self.buffers: list[Buffer] = []

    def add(self, dtype: np.dtype[Any], shape: Sequence[int], written: bool = False) -> int:
        number = len(self.buffers)
        self.buffers.append(Buffer(f"b{number}", dtype, math.prod(shape), written))
        return number


def _load(b: LoopBuilder, buffer: int, at: Coordinates, shape: Sizes, dtype: Any) -> Value:
    position = views.linear_unchecked(at, shape, len(at[0]) - 1 if at else 0)
    return b.load(buffer, position, dtype)


def identity_of(kind: str, dtype: np.dtype[Any]) -> Any:
    if kind == "sum":
        return 0
    if dtype.kind == "f":
        return -np.inf if kind == "max" else np.inf
    info = np.iinfo(dtype)
    return info.min if kind == "max" else info.max


class _WindowPart(LibraryPart):
    """What the parts share: kernels called in a row, with memory between them."""

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        found = {v.aval.dtype for v in (*eqn.invars, *eqn.outvars)}
        if not super().accepts(eqn, dtypes_):
            return False
        return all(d.kind in "iu" or (d.kind == "f" and d.itemsize >= 4) for d in found)

    def reserve(self, size: int) -> int:
        at = self.scratch
        self.scratch += -(-max(size, 1) // ALIGN) * ALIGN
        return at

    def calls(self, module: Module, calls: Sequence[tuple[str, Sequence[str]]]) -> None:
        """The function: calls of kernels with the names of pointers; numbers are in the scratch."""
        count = len(self.eqn.invars)
        names = [*[f"%a{i}" for i in range(count)], "%out"]
        if self.scratch:
            names.append("%scratch")
        params = ", ".join([f"ptr {n}" for n in names])
        lines = [f"define internal void @{self.name}({params}) nounwind {{", "entry:"]
        made: dict[str, str] = {}
        for kernel, pointers in calls:
            arguments = []
            for p in pointers:
                if p.isdigit() and p not in made:
                    made[p] = f"%s{p}"
                    lines.append(f"  %s{p} = getelementptr i8, ptr %scratch, i64 {p}")
                arguments.append(f"ptr {made.get(p, p)}")
            lines.append(f"  call void @{kernel}({', '.join(arguments)})")
        module.functions.append("\n".join([*lines, "  ret void", "}\n"]))


# ------------------------------------------------------------------- reductions


class _Pass(NamedTuple):
    """One reduction: from an array of ``shape`` to one of ``made``."""

    shape: Sizes
    made: Sizes
    window: Window


class ReduceWindow(_WindowPart):
    """``reduce_window_sum``, ``_max`` and ``_min``."""

    def __init__(self, eqn: Eqn, operands: Sequence[Var], name: str) -> None:
        super().__init__(eqn, operands, name)
        self.kind = eqn.primitive.name.rpartition("_")[2]
        self.dtype = eqn.outvars[0].aval.dtype
        self.passes = _passes(eqn)
        between = [math.prod(p.made) * self.dtype.itemsize for p in self.passes[:-1]]
        self.between = [self.reserve(size) for size in between]
        self.work = sum([math.prod((*p.made, *p.window.taps)) for p in self.passes])

    def render(self, module: Module) -> None:
        pointers = ["%a0", *[str(at) for at in self.between], "%out"]
        calls = []
        for number, (p, ends) in enumerate(
            zip(self.passes, itertools.pairwise(pointers), strict=True)
        ):
            name = f"{self.name}_{number}"
            self._kernel(module, name, p)
            calls.append((name, ends))
        self.calls(module, calls)

    def _kernel(self, module: Module, name: str, p: _Pass) -> None:
        memory = Memory()
        source = memory.add(self.dtype, p.shape)
        target = memory.add(self.dtype, p.made, written=True)
        found = all_regions(p.shape, p.made, p.window)
        if nests_of(found) <= _MOST_NESTS:
            nests = region_nests(found, p.made, target, self._whole(source, p.shape), name)
        else:
            nests = self._tap_by_tap(p, source, target)
        render(Kernel(name, memory.buffers, nests), module, self.work)

    def _whole(self, source: int, shape: Sizes) -> Element:
        """All taps of a window at once."""

        def element(b: LoopBuilder, taps: list[Coordinates | None], _: Coordinates) -> Value:
            total: Value | None = None
            if any(t is None for t in taps):
                total = b.constant(identity_of(self.kind, self.dtype), self.dtype)
            for at in taps:
                if at is not None:
                    value = _load(b, source, at, shape, self.dtype)
                    total = value if total is None else combine(b, self.kind, total, value)
            assert total is not None
            return total

        return element

    def _tap_by_tap(self, p: _Pass, source: int, target: int) -> list[Any]:
        """Each tap of the window in a pass of its own, over the results for which it is inside."""
        b = LoopBuilder()
        start = b.constant(identity_of(self.kind, self.dtype), self.dtype)
        size = math.prod(p.made)
        nests = [loop_nest((size,), [*b.items, Store(target, (1, 0), start)], "clears a result")]
        for tap in np.ndindex(*p.window.taps):
            w, ones = p.window, (1,) * len(tap)
            low = [lo - t * s for lo, t, s in zip(w.low, tap, w.spreads, strict=True)]
            single = Window(ones, w.strides, tuple(low), w.gaps, ones)
            found = all_regions(p.shape, p.made, single)
            within = [[r for r in axis if r.reads[0] is not None] for axis in found]

            def element(b: LoopBuilder, taps: list[Coordinates | None], out: Coordinates) -> Value:
                (at,) = taps
                assert at is not None
                total = _load(b, target, out, p.made, self.dtype)
                value = _load(b, source, at, p.shape, self.dtype)
                combined: Value = combine(b, self.kind, total, value)
                return combined

            nests += region_nests(within, p.made, target, element, f"tap {tap}")
        return nests


def _passes(eqn: Eqn) -> list[_Pass]:
    w = window(eqn)
    shape, made = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    together = _Pass(shape, made, w)
    if math.prod(w.taps) < _MANY_TAPS:
        return [together]
    axes = [d for d, k in enumerate(w.taps) if k > 1]
    passes = []
    rank = len(shape)
    for number, axis in enumerate(axes):
        # what has one tap moves along with the first pass
        mine = {axis} if number else {d for d in range(rank) if d == axis or w.taps[d] == 1}
        alone = Window(
            *[
                tuple([v[d] if d in mine else neutral for d in range(rank)])
                for v, neutral in zip(w, (1, 1, 0, 1, 1), strict=True)
            ]
        )
        sizes = tuple([made[d] if d in mine else shape[d] for d in range(rank)])
        passes.append(_Pass(shape, sizes, alone))
        shape = sizes
    return passes


for _kind in ("sum", "max", "min"):
    PARTS[f"reduce_window_{_kind}"] = ReduceWindow


# ------------------------------------------------------ the extreme element of a window


def _better(eqn: Eqn) -> tuple[str, str]:
    """(the comparison that keeps what was found first, the reduction it belongs to)."""
    largest = eqn.params["select_prim"].name == "ge"
    return ("ge", "max") if largest else ("le", "min")


class SelectAndGather(_WindowPart):
    """``select_and_gather_add``: of each window the tangent of its first extreme element."""

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        if not super().accepts(eqn, dtypes_):
            return False
        made = eqn.outvars[0].aval.shape
        return nests_of(all_regions(eqn.invars[1].aval.shape, made, window(eqn))) <= _MOST_NESTS

    def render(self, module: Module) -> None:
        tangents, x = [v.aval for v in self.eqn.invars]
        made = self.eqn.outvars[0].aval.shape
        compare, kind = _better(self.eqn)
        memory = Memory()
        t_at, x_at = memory.add(tangents.dtype, x.shape), memory.add(x.dtype, x.shape)
        target = memory.add(tangents.dtype, made, written=True)

        def element(b: LoopBuilder, taps: list[Coordinates | None], _: Coordinates) -> Value:
            worst = b.constant(identity_of(kind, x.dtype), x.dtype)
            none = b.constant(0, tangents.dtype)
            best = result = None
            for at in taps:
                value = worst if at is None else _load(b, x_at, at, x.shape, x.dtype)
                tangent = none if at is None else _load(b, t_at, at, x.shape, tangents.dtype)
                if best is None or result is None:
                    best, result = value, tangent
                    continue
                keep = b.compare(compare, best, value)
                best, result = b.select(keep, best, value), b.select(keep, result, tangent)
            assert result is not None
            return result

        found = all_regions(x.shape, made, window(self.eqn))
        nests = region_nests(found, made, target, element, "what the extreme elements stand for")
        name = f"{self.name}_0"
        render(Kernel(name, memory.buffers, nests), module, self.work)
        self.calls(module, [(name, ["%a0", "%a1", "%out"])])


PARTS["select_and_gather_add"] = SelectAndGather


class SelectAndScatter(_WindowPart):
    """``select_and_scatter_add``: an element gets what belongs to the windows it is extreme in.

    The number of the extreme element of each window is found first; then each element of the
    result reads the windows that it is in. So nothing is written twice, and no order matters.
    """

    def __init__(self, eqn: Eqn, operands: Sequence[Var], name: str) -> None:
        super().__init__(eqn, operands, name)
        self.chosen = self.reserve(math.prod(eqn.invars[0].aval.shape))

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        if not super().accepts(eqn, dtypes_):
            return False
        forward, backward = _scatter_regions(eqn)
        if math.prod(window(eqn).taps) > 255:
            return False
        return nests_of(forward) <= _MOST_NESTS and nests_of(backward) <= _MOST_NESTS

    def render(self, module: Module) -> None:
        first, second = f"{self.name}_0", f"{self.name}_1"
        forward, backward = _scatter_regions(self.eqn)
        self._choose(module, first, forward)
        self._distribute(module, second, backward)
        place = str(self.chosen)
        self.calls(module, [(first, ["%a1", place]), (second, [place, "%a0", "%out"])])

    def _choose(self, module: Module, name: str, found: Any) -> None:
        source, x = [v.aval for v in self.eqn.invars]
        compare, kind = _better(self.eqn)
        memory = Memory()
        x_at = memory.add(x.dtype, x.shape)
        target = memory.add(_UINT8, source.shape, written=True)

        def element(b: LoopBuilder, taps: list[Coordinates | None], _: Coordinates) -> Value:
            worst = b.constant(identity_of(kind, x.dtype), x.dtype)
            best = chosen = None
            for number, at in enumerate(taps):
                value = worst if at is None else _load(b, x_at, at, x.shape, x.dtype)
                place = b.constant(number, _UINT8)
                if best is None or chosen is None:
                    best, chosen = value, place
                    continue
                keep = b.compare(compare, best, value)
                best, chosen = b.select(keep, best, value), b.select(keep, chosen, place)
            assert chosen is not None
            return chosen

        nests = region_nests(found, source.shape, target, element, "which element is extreme")
        render(Kernel(name, memory.buffers, nests), module, self.work)

    def _distribute(self, module: Module, name: str, found: Any) -> None:
        source, x = [v.aval for v in self.eqn.invars]
        memory = Memory()
        chosen_at = memory.add(_UINT8, source.shape)
        source_at = memory.add(source.dtype, source.shape)
        target = memory.add(source.dtype, x.shape, written=True)
        last = math.prod(window(self.eqn).taps) - 1

        def element(b: LoopBuilder, taps: list[Coordinates | None], _: Coordinates) -> Value:
            zero = b.constant(0, source.dtype)
            total = zero
            for number, at in reversed(list(enumerate(taps))):
                if at is None:
                    continue
                chosen = _load(b, chosen_at, at, source.shape, _UINT8)
                mine = b.compare("eq", chosen, b.constant(last - number, _UINT8))
                value = _load(b, source_at, at, source.shape, source.dtype)
                total = b.binary("add", total, b.select(mine, value, zero))
            return total

        nests = region_nests(found, x.shape, target, element, "from the windows to their elements")
        render(Kernel(name, memory.buffers, nests), module, self.work)


def _scatter_regions(eqn: Eqn) -> tuple[list[list[Region]], list[list[Region]]]:
    """Regions of the windows over the operand, and of the operand's elements over windows.

    Element i is tap t of window o where o·stride + t·spread - low = i; with taps counted from
    the end this is again the geometry of windows, over windows that are ``stride`` apart.
    """
    w = window(eqn)
    source, x = [v.aval.shape for v in eqn.invars]
    reach = [(k - 1) * s - lo for k, s, lo in zip(w.taps, w.spreads, w.low, strict=True)]
    ones = (1,) * len(x)
    back = Window(w.taps, ones, tuple(reach), w.strides, w.spreads)
    return all_regions(x, source, w), all_regions(source, x, back)


PARTS["select_and_scatter_add"] = SelectAndScatter
