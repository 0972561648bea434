"""Windowed reductions as CUDA kernels, and the extreme element of each window.

A thread makes one element of the result. The transpose of choosing an element of each window does
not scatter: each element of the operand looks at the windows that it is in, and adds up those that
chose it, in their order. So nothing depends on the order in which threads come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.compile import views
from adlib.compile.builder import FLOAT32
from adlib.compile.cuda import joins
from adlib.compile.cuda.source import FIRST, STRIDE, Launch, Source, grid
from adlib.compile.half_types import HALVES
from adlib.compile.loopir import identity
from adlib.compile.nests import Reader
from adlib.compile.pieces import updated
from adlib.compile.steps import Library, Scheduled
from adlib.core.jaxpr import Eqn

_REDUCED = {"reduce_window_sum": "add", "reduce_window_max": "max", "reduce_window_min": "min"}
_CHOOSING = frozenset({"select_and_gather_add", "select_and_scatter_add"})
_MOST = 1024  # elements of windows that a thread goes through


def native(eqn: Eqn) -> bool:
    """Whether an equation on windows has kernels."""
    name = eqn.primitive.name
    if name not in _REDUCED and name not in _CHOOSING:
        return False
    read = {v.aval.dtype for v in eqn.invars}
    if any(d.kind not in "iufc" and d not in HALVES for d in (*read, eqn.outvars[0].aval.dtype)):
        return False
    if name in _CHOOSING and eqn.invars[1].aval.dtype.kind == "c":
        return False
    window, strides = eqn.params["window_dimensions"], eqn.params["window_strides"]
    work: int = math.prod(window)
    if name == "select_and_scatter_add":  # each element goes through all windows that it is in
        work *= math.prod([-(-n // stride) for n, stride in zip(window, strides, strict=True)])
    return work <= _MOST


class CudaWindows(Reader):
    """The kernel of one equation; ``launches`` and ``partials`` as of ``CudaGroup``.

    Attributes:
      operand: the array that windows slide over; ``counts``: of windows, along each axis.
    """

    def __init__(self, schedule: Scheduled, number: int, name: str) -> None:
        super().__init__(schedule, number, name)
        step = schedule.steps[number]
        assert isinstance(step, Library)
        self.launches: list[Launch] = []
        self.partials: list[tuple[int, np.dtype[Any]]] = []
        self.eqn = eqn = step.eqn
        self.operands = [self.buffer(v) for v in step.operands]
        self.target = self.buffer(eqn.outvars[0], written=True)
        out = eqn.outvars[0].aval
        self.memory = out.dtype
        self.dtype = FLOAT32 if self.memory in HALVES else self.memory
        self.type = joins.element_type(self.dtype)
        p, ones = eqn.params, (1,) * len(out.shape)
        self.window, self.strides = p["window_dimensions"], p["window_strides"]
        self.low = [low for low, _ in p["padding"]]
        self.base = p.get("base_dilation") or ones
        self.spread = p.get("window_dilation") or ones
        self.shape = eqn.invars[-1].aval.shape
        scattered = eqn.primitive.name == "select_and_scatter_add"
        self.counts = eqn.invars[0].aval.shape if scattered else out.shape
        size = math.prod(out.shape)
        if not size:
            return
        source = self.source = Source(self, name, size)
        source.line(f"for (index i = {FIRST}; i < {size}; i += {STRIDE}) {{")
        source.axes("i", out.shape)
        if eqn.primitive.name in _REDUCED:
            self._reduce()
        elif scattered:
            self._scatter()
        else:
            self._gather()
        source.line("}")
        self.launches.append(source.launch(*grid(size)))

    @property
    def given(self) -> list[int]:
        """Numbers of the buffers that lie in memory."""
        return list(range(len(self.buffers)))

    # -------------------------------------------------------------- pieces of text

    def _function(self, name: str, text: str) -> str:
        """The name of a function that the kernel calls."""
        if not any(f" {name}(" in known for known in self.source.functions):
            self.source.functions.append(text)
        return name

    def _element(self, number: int, at: str) -> str:
        """An element of an operand as it is computed with."""
        dtype = self.eqn.invars[number].aval.dtype
        read = f"{joins.elements(self.operands[number], dtype)}[{at}]"
        if dtype not in HALVES:
            return read
        name = f"{self.source.name}_widen{number}"
        return f"{self._function(name, joins.widen(name, dtype))}({read})"

    def _store(self, value: str) -> None:
        if self.memory in HALVES:
            name = f"{self.source.name}_narrow"
            value = f"{self._function(name, joins.narrow(name, self.memory))}({value})"
        target = joins.elements(self.target, self.memory, written=True)
        self.source.line(f"{target}[i] = {value};")

    def _taps(self, type_: str) -> list[str]:
        """Loops over the elements of a window."""
        return [f"for ({type_} k{d} = 0; k{d} < {n}; ++k{d})" for d, n in enumerate(self.window)]

    def _inside(self, windows: Sequence[str], type_: str) -> tuple[list[str], str, str]:
        """(statements, condition, number) of the operand's element at a tap of a window."""
        lines, conditions, terms = [], [], ["0"]
        for d, step in enumerate(views.row_major(self.shape)):
            at = f"{windows[d]} * {self.strides[d]} + k{d} * {self.spread[d]} - {self.low[d]}"
            lines.append(f"const {type_} x{d} = {at};")
            conditions.append(f"x{d} >= 0 && x{d} / {self.base[d]} < {self.shape[d]}")
            if self.base[d] > 1:
                conditions.append(f"x{d} % {self.base[d]} == 0")
            terms.append(f"x{d} / {self.base[d]} * {type_}({step})")
        return lines, " && ".join(conditions) or "true", " + ".join(terms)

    # ------------------------------------------------------------------- kernels

    def _reduce(self) -> None:
        line, op = self.source.line, _REDUCED[self.eqn.primitive.name]
        name = f"{self.source.name}_join"
        both = joins.function(name, self.dtype, lambda b, x, y: updated(b, op, x, y))
        self.source.functions.append(both)
        nothing = identity({"add": "sum"}.get(op, op), self.dtype)
        line(f"{self.type} total = {joins.constant(nothing, self.dtype)};")
        for loop in self._taps("index"):
            line(loop)
        line("{")
        lines, inside, at = self._inside(self.source.names, "index")
        for text in lines:
            line(text)
        line(f"if ({inside}) total = {name}(total, {self._element(0, at)});")
        line("}")
        self._store("total")

    def _chosen(self) -> str:
        """The name of a function of a window that gives the number of its first extreme
        element. What lies beside the operand counts as the least element there is."""
        index, dtype = self.source.index, self.eqn.invars[1].aval.dtype
        name, type_ = f"{self.source.name}_chosen", joins.element_type(dtype)
        largest = self.eqn.params["select_prim"].name == "ge"
        wide = FLOAT32 if dtype in HALVES else dtype
        real = joins.element_type(wide)
        worst = joins.constant(identity("max" if largest else "min", wide), wide)
        lines, inside, at = self._inside([f"o{d}" for d in range(len(self.shape))], index)
        element = self._element(1, at).replace(f"b{self.operands[1]}[", "x[")
        windows = "".join([f", {index} o{d}" for d in range(len(self.shape))])
        text = [
            f"__device__ int {name}(const {type_}* x{windows}) {{",
            f"  {real} best = {worst};",
            "  int number = 0, chosen = 0;",
            *[f"  {loop}" for loop in self._taps(index)],
            "  {",
            *[f"    {one}" for one in lines],
            f"    const {real} value = {inside} ? {element} : {worst};",
            f"    if (number == 0 || !(best {'>=' if largest else '<='} value)) {{",
            "      best = value;",
            "      chosen = number;",
            "    }",
            "    ++number;",
            "  }",
            "  return chosen;",
            "}",
        ]
        return self._function(name, "\n".join(text))

    def _gather(self) -> None:
        line = self.source.line
        windows = ", ".join(["", *self.source.names]) if self.source.names else ""
        line(f"int rest = {self._chosen()}(b{self.operands[1]}{windows});")
        for d, n in reversed(list(enumerate(self.window))):
            line(f"const index k{d} = rest % {n};")
            line(f"rest /= {n};")
        lines, inside, at = self._inside(self.source.names, "index")
        for text in lines:
            line(text)
        line(f"{self.type} value = {{}};")
        line(f"if ({inside}) value = {self._element(0, at)};")
        self._store("value")

    def _scatter(self) -> None:
        line, rank = self.source.line, len(self.shape)
        name = f"{self.source.name}_join"
        both = joins.function(name, self.dtype, lambda b, x, y: updated(b, "add", x, y))
        self.source.functions.append(both)
        line(f"{self.type} total = {{}};")
        for loop in self._taps("index"):
            line(loop)
        line("{")
        number, at, conditions = "0", "0", []
        for d in range(rank):
            place = f"{self.source.names[d]} + {self.low[d]} - k{d} * {self.spread[d]}"
            line(f"const index p{d} = {place}, o{d} = p{d} / {self.strides[d]};")
            conditions += [
                f"p{d} >= 0",
                f"p{d} % {self.strides[d]} == 0",
                f"o{d} < {self.counts[d]}",
            ]
            number = f"({number} * {self.window[d]} + k{d})"
            at = f"({at} * {self.counts[d]} + o{d})"
        windows = "".join([f", o{d}" for d in range(rank)])
        chosen = f"{self._chosen()}(b{self.operands[1]}{windows}) == {number}"
        line(f"if ({' && '.join([*conditions, chosen])})")
        line(f"total = {name}(total, {self._element(0, at)});")
        line("}")
        self._store("total")
