"""Convolutions: register tiles that read the windows where they are.

The products of a window and the kernel are summed by ``contraction.py`` straight out of the input,
without a matrix of windows. What is copied is the input where it needs zeros around it (one
item of the batch at a time, which stays in the cache), the kernel where the axis that goes into
vectors does not lie together in memory, and the result where no axis of it would do. Items are
shared by threads in chunks; where the result is a sum over the items, as for the cotangent of a
kernel, each chunk has a sum of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from adlib.compile import engine
from adlib.compile.library.contraction import Axis, Contraction, merged
from adlib.compile.library.convolution_geometry import Geometry, Loops, permuted_strides, strides
from adlib.compile.library.part import PARTS, LibraryPart
from adlib.compile.llvm_module import WRITTEN, Module, type_name
from adlib.compile.loopir import Buffer, Kernel, LoopBuilder, Store
from adlib.compile.memory import ALIGN
from adlib.compile.nests import loop_nest
from adlib.compile.render_llvm import render
from adlib.core.jaxpr import Eqn, Var

_MOST_PHASES = 16  # each is loops of its own
_LARGE = 1 << 20  # bytes of operands that do not stay in a core's cache
_WORTH = 1 << 23  # multiplications that are worth waking threads for
_MANY_TAPS = 64  # of a window: so much is done for each element of the result
_MOST_SUMS = 1 << 26  # bytes of the chunks' sums
_ROWS = 14  # of a tile are enough
_CHUNKS = 16  # of the batch; sums over it are made of half as many


class Layout(NamedTuple):
    """Which axis goes into vectors, and what is rearranged for it.

    Attributes:
      vector: ``outputs``, ``group``, ``batch`` or the number of a spatial axis.
      pack: whether the kernel is rearranged to (groups, taps, inputs, outputs).
      turn: whether the result is made as (groups, batch, places, outputs), then rearranged.
    """

    vector: Any
    pack: bool
    turn: bool


class Convolution(LibraryPart):
    """``conv_general_dilated``."""

    def __init__(self, eqn: Eqn, operands: Sequence[Var], name: str) -> None:
        super().__init__(eqn, operands, name)
        g = self.geometry = Geometry(eqn)
        self.dtype = eqn.outvars[0].aval.dtype
        # operands may be held by variables of another shape
        self.work = max(1, math.prod(g.out) * math.prod(g.rhs) // max(1, 8 * g.outputs * g.groups))
        if g.empty:
            return
        self.layout = _layout(g, self.dtype.itemsize)
        self.sliced = self._slice()
        self.slices = g.lhs[0] if self.sliced else 1
        self.chunks = self._chunks()
        shape = g.padded_shape()
        self.padded = math.prod(shape) // (shape[0] if self.sliced else 1)
        self.places: dict[str, int] = {}
        for what, needed, size in (
            ("input", g.padded, self.padded * self.chunks),
            ("kernel", self.layout.pack, math.prod(g.rhs)),
            ("turned", self.layout.turn, math.prod(g.out)),
            ("sums", self.sliced == "features", math.prod(g.out) * self.chunks),
        ):
            if needed:
                self.places[what] = self.scratch
                self.scratch += -(-size * self.dtype.itemsize // ALIGN) * ALIGN

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        dtypes_found = {v.aval.dtype for v in (*eqn.invars, *eqn.outvars)}
        if len(dtypes_found) != 1 or not super().accepts(eqn, dtypes_):
            return False
        (dtype,) = dtypes_found
        if dtype.kind not in "iuf" or (dtype.kind == "f" and dtype.itemsize < 4):
            return False
        return math.prod([max(1, len(f)) for f in Geometry(eqn).phases]) <= _MOST_PHASES

    def _slice(self) -> str | None:
        """The input is taken in slices of its first axis, if that can be: of its batch, or of its
        features, over which the result then accumulates."""
        g = self.geometry
        if g.lhs_spec[0] == 0 and g.batch_groups == 1:
            return "batch"
        # sums over slices read and write the whole result for each: it has to be worth that
        taps = math.prod([g.rhs[d] for d in g.rhs_spec[2:]])
        size = self.dtype.itemsize
        small = taps >= _MANY_TAPS or math.prod(g.out) * size <= _LARGE
        large = g.padded or math.prod(g.lhs) * size > _LARGE
        if g.lhs_spec[1] == 0 and g.feature_groups == 1 and small and large:
            return "features"
        return None

    def _chunks(self) -> int:
        """Into how many parts the slices go: the same on every machine, since sums depend on it."""
        if 8 * self.work < _WORTH:
            return 1
        if self.sliced == "batch":
            return min(self.slices, _CHUNKS)
        sums = math.prod(self.geometry.out) * self.dtype.itemsize
        most: int = min(self.slices, _CHUNKS // 2, _MOST_SUMS // max(sums, 1))
        return max(1, most)

    # ----------------------------------------------------------------- rendering

    def render(self, module: Module) -> None:
        g, size = self.geometry, self.dtype.itemsize
        names = ["%lhs", "%rhs", "%out", *(["%scratch"] if self.scratch else [])]
        params = ", ".join([f"ptr {n}" for n in names])
        lines = [f"define internal void @{self.name}({params}) {module.caller} {{", "entry:"]
        out_bytes = math.prod(g.out) * size
        if g.empty:
            lines.append(_clear(module, "%out", out_bytes))
            module.functions.append("\n".join([*lines, "  ret void", "}\n"]))
            return
        at = {"kernel": "%rhs", "turned": "%out"}
        for what, offset in self.places.items():
            lines.append(f"  %{what} = getelementptr i8, ptr %scratch, i64 {offset}")
            at[what] = f"%{what}"
        if self.layout.pack:
            lines.append(f"  call void @{self._packing(module)}(ptr %rhs, ptr %kernel)")
        if not g.complete and self.sliced != "features":
            lines.append(_clear(module, at["turned"], out_bytes))
        result = at["sums"] if self.sliced == "features" else at["turned"]
        pointers = ["%lhs", at["kernel"], result, at.get("input", "null")]
        lines.append(f"  %args = alloca [{len(pointers)} x ptr], align 16")
        for i, pointer in enumerate(pointers):
            lines.append(f"  %arg{i} = getelementptr ptr, ptr %args, i64 {i}")
            lines.append(f"  store ptr {pointer}, ptr %arg{i}")
        chunk = self._chunk(module)
        if self.chunks > 1:
            lines.append(f"  %run = load ptr, ptr {module.link('threads:run')}")
            lines.append(f"  call void %run(ptr @{chunk}, ptr %args, i64 {self.chunks})")
        else:
            lines.append(f"  call void @{chunk}(i64 0, ptr %args)")
        if self.sliced == "features":
            lines.append(f"  call void @{self._summing(module)}(ptr %sums, ptr {at['turned']})")
        if self.layout.turn:
            lines.append(f"  call void @{self._turning(module)}(ptr %turned, ptr %out)")
        module.functions.append("\n".join([*lines, "  ret void", "}\n"]))

    def _chunk(self, module: Module) -> str:
        """The function of the number of a chunk and of (input, kernel, result, padded input)."""
        g, size = self.geometry, self.dtype.itemsize
        type_ = type_name(self.dtype)
        name = f"{self.name}_chunk"
        each = -(-self.slices // self.chunks)
        minimum = module.intrinsic("llvm.umin.i64", "i64", "i64", "i64")
        lines = [
            f"define internal void @{name}(i64 %chunk, ptr %args) nounwind{WRITTEN} {{",
            "entry:",
        ]
        for i, what in enumerate(("lhs", "kernel", "results", "inputs")):
            lines.append(f"  %arg{i} = getelementptr ptr, ptr %args, i64 {i}")
            lines.append(f"  %{what} = load ptr, ptr %arg{i}")
        lines += [
            f"  %first = mul i64 %chunk, {each}",
            f"  %following = add i64 %first, {each}",
            f"  %limit = call i64 {minimum}(i64 %following, i64 {self.slices})",
        ]
        own_result = math.prod(g.out) if self.sliced == "features" else 0
        for what, all_of_them, own in (
            ("result", "results", own_result),
            ("input", "inputs", self.padded),
        ):
            lines.append(f"  %{what}_by = mul i64 %chunk, {own}")
            lines.append(f"  %{what} = getelementptr {type_}, ptr %{all_of_them}, i64 %{what}_by")
        if own_result:
            lines.append(_clear(module, "%result", own_result * size))
        if g.padded:
            lines.append(_clear(module, "%input", self.padded * size))
        lines += self._slices(module, self._loops(module), type_)
        module.functions.append("\n".join([*lines, "  ret void", "}\n"]))
        return name

    def _slices(self, module: Module, found: list[tuple[str, Loops]], type_: str) -> list[str]:
        """The loop over slices of the input around the contractions."""
        g = self.geometry
        loops = found[0][1]
        axis = {"batch": loops.batch, "features": loops.inputs, None: Axis(1, 0, 0, 0)}[self.sliced]
        step = math.prod(g.lhs[1:])
        lines = [
            "  %none = icmp uge i64 %first, %limit",
            "  br i1 %none, label %done, label %slice",
            "slice:",
            "  %i = phi i64 [ %first, %entry ], [ %next, %slice ]",
            f"  %lhs_by = mul i64 %i, {step}",
            f"  %lhs_at = getelementptr {type_}, ptr %lhs, i64 %lhs_by",
            f"  %out_by = mul i64 %i, {axis.out}",
            f"  %out_at = getelementptr {type_}, ptr %result, i64 %out_by",
            f"  %rhs_by = mul i64 %i, {axis.right}",
            f"  %rhs_at = getelementptr {type_}, ptr %kernel, i64 %rhs_by",
        ]
        source = "%lhs_at"
        if g.padded:
            source = "%input"
            lines.append(f"  call void @{self._padding(module)}(ptr %lhs_at, ptr %input)")
        for number, (name, part) in enumerate(found):
            arguments = []
            for what, pointer, start in (
                ("o", "%out_at", part.out_start),
                ("l", source, part.left_start),
                ("r", "%rhs_at", part.right_start),
            ):
                lines.append(
                    f"  %{what}{number} = getelementptr {type_}, ptr {pointer}, i64 {start}"
                )
                arguments.append(f"ptr %{what}{number}")
            lines.append(f"  call void @{name}({', '.join(arguments)})")
        lines += [
            "  %next = add nuw nsw i64 %i, 1",
            "  %more = icmp ult i64 %next, %limit",
            "  br i1 %more, label %slice, label %done",
            "done:",
        ]
        return lines

    def _strides(self) -> tuple[list[int], list[int], list[int]]:
        """Of the input, the kernel and the result, as the contractions find them."""
        g, lay = self.geometry, self.layout
        left = strides(g.padded_shape())
        right = permuted_strides(g.rhs, _packed(g)) if lay.pack else strides(g.rhs)
        out = permuted_strides(g.out, _turned(g)) if lay.turn else strides(g.out)
        return left, right, out

    def _loops(self, module: Module) -> list[tuple[str, Loops]]:
        """The contractions, one for each combination of phases."""
        g = self.geometry
        made = []
        for number, found in enumerate(itertools.product(*g.phases)):
            loops = Loops(g, found, self._strides(), g.low)
            name = f"{self.name}_c{number}"
            _contraction(name, self.dtype, loops, self.layout.vector, self.sliced).render(module)
            made.append((name, loops))
        return made

    # -------------------------------------------------------------------- copies

    def _copy(
        self,
        module: Module,
        what: str,
        shape: Sequence[int],
        source: Sequence[int],
        target: Sequence[int],
        start: int = 0,
    ) -> str:
        """A kernel that copies an array between memory with the strides given."""
        name = f"{self.name}_{what}"
        b = LoopBuilder()
        value = b.load(0, (*source, 0), self.dtype)
        body = [*b.items, Store(1, (*target, start), value)]
        size = 1 + start + sum([(n - 1) * s for n, s in zip(shape, target, strict=True)])
        buffers = [
            Buffer("source", self.dtype, math.prod(shape), False),
            Buffer("target", self.dtype, size, True),
        ]
        nest = loop_nest(tuple(shape), body, what)
        # padding is done by the threads themselves
        render(Kernel(name, buffers, [nest]), module, None if what == "pad" else math.prod(shape))
        return name

    def _summing(self, module: Module) -> str:
        """A kernel that adds up what the chunks have found."""
        name = f"{self.name}_sum"
        size = math.prod(self.geometry.out)
        b = LoopBuilder()
        total = b.load(0, (1, 0), self.dtype)
        for chunk in range(1, self.chunks):
            total = b.binary("add", total, b.load(0, (1, chunk * size), self.dtype))
        buffers = [
            Buffer("sums", self.dtype, size * self.chunks, False),
            Buffer("result", self.dtype, size, True),
        ]
        nest = loop_nest((size,), [*b.items, Store(1, (1, 0), total)], "sums of all chunks")
        render(Kernel(name, buffers, [nest]), module)
        return name

    def _padding(self, module: Module) -> str:
        g = self.geometry
        shape, target = list(g.lhs), strides(g.padded_shape())
        start = sum([lo * target[d] for lo, d in zip(g.low, g.lhs_spec[2:], strict=True)])
        source = strides(g.lhs)
        if self.sliced is not None:
            shape[0] = 1
        return self._copy(module, "pad", shape, source, target, start)

    def _packing(self, module: Module) -> str:
        g = self.geometry
        return self._copy(
            module, "pack", g.rhs, strides(g.rhs), permuted_strides(g.rhs, _packed(g))
        )

    def _turning(self, module: Module) -> str:
        g = self.geometry
        order = _turned(g)
        source = permuted_strides(g.out, order)
        return self._copy(module, "turn", g.out, source, strides(g.out))


PARTS["conv_general_dilated"] = Convolution


def _clear(module: Module, pointer: str, size: int) -> str:
    name = module.intrinsic("llvm.memset.p0.i64", "void", "ptr", "i8", "i64", "i1")
    return f"  call void {name}(ptr {pointer}, i8 0, i64 {size}, i1 false)"


def _packed(g: Geometry) -> list[int]:
    """The kernel's axes: taps, inputs, outputs (with the groups in front of these)."""
    outputs, inputs, *taps = g.rhs_spec
    return [*taps, inputs, outputs]


def _turned(g: Geometry) -> list[int]:
    batch, features, *places = g.out_spec
    return [batch, *places, features]


def _layout(g: Geometry, itemsize: int) -> Layout:
    """The axis of the result that fills vectors best, and what has to be rearranged for it."""
    left, right, out = strides(g.lhs), strides(g.rhs), strides(g.out)
    lanes = engine.vectors().bytes // itemsize
    choices: list[tuple[float, Layout]] = []

    def consider(size: int, layout: Layout) -> None:
        filled = size / (-(-size // lanes) * lanes)
        cost = (0.9 if layout.pack else 1.0) * (0.6 if layout.turn else 1.0)
        choices.append((filled * cost, layout))

    outputs_together = right[g.rhs_spec[0]] == 1
    consider(g.outputs, Layout("outputs", not outputs_together, out[g.out_spec[1]] != 1))
    if g.groups > 1 and g.outputs == 1 and out[g.out_spec[1]] == 1:
        shared = g.batch * left[g.lhs_spec[0]] if g.batch_groups > 1 else left[g.lhs_spec[1]]
        if shared * (1 if g.batch_groups > 1 else g.inputs) == 1:
            consider(g.groups, Layout("group", not outputs_together, False))
    if out[g.out_spec[0]] == left[g.lhs_spec[0]] == 1:
        consider(g.batch, Layout("batch", False, False))
    for i, found in enumerate(g.phases):
        together = out[g.out_spec[2 + i]] == left[g.lhs_spec[2 + i]] == 1
        if together and len(found) == 1 and found[0].step == found[0].move == 1:
            consider(found[0].size, Layout(i, False, False))
    return max(choices, key=lambda c: c[0])[1]


def _contraction(
    name: str, dtype: Any, loops: Loops, vector_name: Any, sliced: str | None
) -> Contraction:
    axes = {"group": loops.group, "batch": loops.batch, "outputs": loops.outputs}
    axes.update(dict(enumerate(loops.places)))  # type: ignore[arg-type]
    vector = axes.pop(vector_name)
    if sliced == "batch":
        del axes["batch"]
    order = ["group", "batch", *range(len(loops.places)), "outputs"]
    others = merged([axes[k] for k in order if k in axes])
    # rows of a tile share what does not depend on them; those that lie close to each other
    # do not compete for places in the cache
    which, other = (2, 3) if vector.left else (3, 2)
    rows = max(
        [a for a in others if a[which] == 0],
        key=lambda a: (min(a.size, _ROWS), -a[other]),
        default=Axis(1, 0, 0, 0),
    )
    outer = [a for a in others if a is not rows]
    sums = [*loops.taps, *([] if sliced == "features" else [loops.inputs])]
    sums.sort(key=lambda a: (-a.left, -a.right))
    return Contraction(name, dtype, outer, rows, vector, sums, accumulate=sliced == "features")
