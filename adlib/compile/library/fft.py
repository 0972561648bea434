"""Discrete Fourier transforms: NumPy's own loops (pocketfft), one axis after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.compile import ufuncs
from adlib.compile.library.part import PARTS, LibraryPart
from adlib.compile.library.special import loop_call
from adlib.compile.llvm_module import Module, constant_text, type_name
from adlib.compile.memory import ALIGN
from adlib.core import dtypes
from adlib.core.jaxpr import Eqn, Var

_MODULE = "numpy.fft._pocketfft_umath"


class Pass(NamedTuple):
    """A transform along one axis: of ``given`` elements into ``made``, by ufunc ``name``."""

    name: str
    axis: int
    shape: tuple[int, ...]
    given: int
    made: int
    source: np.dtype[Any]
    target: np.dtype[Any]
    factor: float

    @property
    def types(self) -> str:
        real = dtypes.real_of(self.source) if self.source.kind == "c" else self.source
        return f"{self.source.char}{real.char}->{self.target.char}"


def passes(eqn: Eqn) -> list[Pass]:
    """The transforms in their order: real data first turn complex, and real again last."""
    kind = eqn.params["fft_type"].name
    lengths = eqn.params["fft_lengths"]
    x, out = eqn.invars[0].aval, eqn.outvars[0].aval
    axes = list(range(len(x.shape) - len(lengths), len(x.shape)))
    found: list[Pass] = []
    shape, dtype = list(x.shape), x.dtype

    def add(name: str, axis: int, made: int, target: Any, length: int) -> None:
        nonlocal dtype
        factor = 1 / length if "i" in name.split("_")[0][:1] else 1.0
        found.append(Pass(name, axis, tuple(shape), shape[axis], made, dtype, target, factor))
        shape[axis], dtype = made, target

    complex_ = x.dtype if x.dtype.kind == "c" else out.dtype
    if kind == "RFFT":
        n = lengths[-1]
        add("rfft_n_odd" if n % 2 else "rfft_n_even", axes[-1], n // 2 + 1, complex_, n)
        axes, lengths, kind = axes[:-1], lengths[:-1], "FFT"
    last = []
    if kind == "IRFFT":
        last = [(axes[-1], lengths[-1])]
        axes, lengths, kind = axes[:-1], lengths[:-1], "IFFT"
    for axis, n in reversed(list(zip(axes, lengths, strict=True))):
        add(kind.lower(), axis, n, complex_, n)
    for axis, n in last:
        add("irfft", axis, n, out.dtype, n)
    return found


class Fft(LibraryPart):
    """``fft``."""

    def __init__(self, eqn: Eqn, operands: Sequence[Var], name: str) -> None:
        super().__init__(eqn, operands, name)
        self.passes = passes(eqn)
        self.work = sum([10 * math.prod(p.shape) for p in self.passes])
        self.between: list[int] = []
        for p in self.passes[:-1]:
            self.between.append(self.scratch)
            size = math.prod(p.shape) // max(p.given, 1) * p.made * p.target.itemsize
            self.scratch += -(-max(size, 1) // ALIGN) * ALIGN

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        if not super().accepts(eqn, dtypes_):
            return False
        return all(ufuncs.loop(_MODULE, p.name, p.types) is not None for p in passes(eqn))

    def render(self, module: Module) -> None:
        params = "ptr %a, ptr %out" + (", ptr %scratch" if self.scratch else "")
        lines = [f"define internal void @{self.name}({params}) noinline nounwind {{", "entry:"]
        source = "%a"
        for number, p in enumerate(self.passes):
            target = "%out"
            if number < len(self.between):
                target = f"%t{number}"
                lines.append(
                    f"  {target} = getelementptr i8, ptr %scratch, i64 {self.between[number]}"
                )
            if 0 not in p.shape and p.made:
                name = f"{self.name}_{number}"
                self._pass(module, name, p)
                lines.append(f"  call void @{name}(ptr {source}, ptr {target})")
            source = target
        module.functions.append("\n".join([*lines, "  ret void", "}\n"]))

    def _pass(self, module: Module, name: str, p: Pass) -> None:
        """One axis: calls for each entry of the axes in front, or one where it is the last axis."""
        outer = math.prod(p.shape[: p.axis])
        inner = math.prod(p.shape[p.axis + 1 :])
        rows, calls = (outer, 1) if inner == 1 else (inner, outer)
        into, from_ = p.target.itemsize, p.source.itemsize
        step = (p.given * from_, p.made * into) if inner == 1 else (from_, into)
        real = np.dtype(p.types[1])
        lines = [
            f"define internal void @{name}(ptr %source, ptr %target) noinline nounwind {{",
            "entry:",
            f"  %factor = alloca {type_name(real)}, align 16",
            f"  store {type_name(real)} {constant_text(real.type(p.factor), real)}, ptr %factor",
            "  br label %next",
            "next:",
            "  %i = phi i64 [ 0, %entry ], [ %following, %next ]",
            f"  %from_by = mul i64 %i, {p.given * inner * from_}",
            "  %from = getelementptr i8, ptr %source, i64 %from_by",
            f"  %to_by = mul i64 %i, {p.made * inner * into}",
            "  %to = getelementptr i8, ptr %target, i64 %to_by",
            f"  call void @{name}_one(ptr %from, ptr %factor, ptr %to)",
            "  %following = add i64 %i, 1",
            f"  %more = icmp ult i64 %following, {calls}",
            "  br i1 %more, label %next, label %done",
            "done:",
            "  ret void",
            "}\n",
        ]
        arguments = [("%from", 0), ("%factor", 0), ("%to", 0)]
        call = loop_call(
            module,
            (_MODULE, p.name, p.types),
            arguments,
            [rows, p.given, p.made],
            [step[0], 0, step[1], inner * from_, inner * into],
        )
        one = [
            f"define internal void @{name}_one(ptr %from, ptr %factor, ptr %to) "
            "noinline nounwind {",
            "entry:",
            *call,
            "  ret void",
            "}\n",
        ]
        module.functions += ["\n".join(one), "\n".join(lines)]


PARTS["fft"] = Fft
