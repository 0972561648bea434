"""A call of BLAS as a step of a native function."""

from __future__ import annotations

from typing import Any

from adlib.compile import blas, dots
from adlib.compile.render_llvm import Module, constant_text, type_name
from adlib.compile.schedule import Dot, Schedule
from adlib.core.jaxpr import Var


class DotPart:
    """``gemm`` for each entry of the batch.

    BLAS counts columns first, so that the row-major result C is its C transposed, which is the
    product of the transposed operands in the other order.
    """

    fallible = False
    scratch = 0

    def __init__(self, schedule: Schedule, step: Dot, name: str) -> None:
        self.name = name
        self.dims = dots.Dims(step.eqn)
        self.dtype = step.eqn.outvars[0].aval.dtype
        (left, self.left), (right, self.right) = step.operands
        self.variables: list[Var] = [left, right, step.eqn.outvars[0]]
        d = self.dims
        self.work = d.batch * d.rows * d.columns * d.inner // 8

    def render(self, module: Module) -> None:
        d, type_ = self.dims, type_name(self.dtype)
        routine = "sgemm" if self.dtype.itemsize == 4 else "dgemm"
        function = module.routine(routine)
        integer = f"i{blas.routine(routine).bits}"
        numbers = [d.columns, d.rows, d.inner, self.right.leading, self.left.leading, d.columns]
        text = [f"define internal void @{self.name}(ptr %a, ptr %b, ptr %c) nounwind {{", "entry:"]
        flags = ("T" if self.right.flipped else "N", "T" if self.left.flipped else "N")
        for i, flag in enumerate(flags):
            text += [f"  %f{i} = alloca i8", f"  store i8 {ord(flag)}, ptr %f{i}"]
        for i, number in enumerate(numbers):
            text += [f"  %n{i} = alloca {integer}", f"  store {integer} {number}, ptr %n{i}"]
        for name, number in (("one", 1.0), ("zero", 0.0)):
            constant = constant_text(number, self.dtype)
            text += [f"  %{name} = alloca {type_}", f"  store {type_} {constant}, ptr %{name}"]
        text.append(f"  %gemm = load ptr, ptr {function}")
        text += self._batch(type_)
        text.append("}\n")
        module.functions.append("\n".join(text))

    def _batch(self, type_: str) -> list[str]:
        d = self.dims
        steps: list[tuple[str, Any, int]] = [
            ("a", self.left.offset, self.left.step),
            ("b", self.right.offset, self.right.step),
            ("c", 0, d.rows * d.columns),
        ]
        lines = ["  br label %loop", "loop:", "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]"]
        for name, offset, step in steps:
            lines += [
                f"  %m{name} = mul i64 %i, {step}",
                f"  %o{name} = add i64 %m{name}, {offset}",
                f"  %p{name} = getelementptr {type_}, ptr %{name}, i64 %o{name}",
            ]
        arguments = "f0 f1 n0 n1 n2 one pb n3 pa n4 zero pc n5".split()
        lines += [
            f"  call void %gemm({', '.join([f'ptr %{a}' for a in arguments])}, i64 1, i64 1)",
            "  %next = add i64 %i, 1",
            f"  %more = icmp ult i64 %next, {d.batch}",
            "  br i1 %more, label %loop, label %done",
            "done:",
            "  ret void",
        ]
        return lines
