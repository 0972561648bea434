"""LU factorization, its row exchanges, and systems solved with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adlib.compile.fortran import Code
from adlib.compile.library import small_matrices
from adlib.compile.library.lapack import LapackPart, solve_triangle
from adlib.compile.library.part import PARTS, LibraryPart
from adlib.compile.llvm_module import Module
from adlib.core.jaxpr import Eqn


def exchanges_to_order(
    code: Code, order: str, pivots: str, count: int, size: int, bits: int = 32
) -> None:
    """The rearrangement of ``size`` rows that ``count`` exchanges amount to."""
    type_ = f"i{bits}"
    with code.loop(size) as i:
        place = code.at(order, i, type_)
        code.line(f"store {type_} {_narrowed(code, i, bits)}, ptr {place}")
    with code.loop(count) as k:
        other = other_row(code, pivots, k, size, bits)
        first, second = code.at(order, k, type_), code.at(order, other, type_)
        x = code.new(f"load {type_}, ptr {first}")
        y = code.new(f"load {type_}, ptr {second}")
        code.line(f"store {type_} {y}, ptr {first}")
        code.line(f"store {type_} {x}, ptr {second}")


def other_row(code: Code, pivots: str, k: str, size: int, bits: int = 32) -> str:
    """The row that row ``k`` is exchanged with, kept within the matrix."""
    row = code.new(f"load i{bits}, ptr {code.at(pivots, k, f'i{bits}')}")
    if bits < 64:
        row = code.new(f"sext i{bits} {row} to i64")
    for name, bound in (("smax", 0), ("smin", size - 1)):
        code.module.intrinsic(f"llvm.{name}.i64", "i64", "i64", "i64")
        row = code.new(f"call i64 @llvm.{name}.i64(i64 {row}, i64 {bound})")
    return row


def _narrowed(code: Code, value: str, bits: int) -> str:
    return value if bits == 64 else code.new(f"trunc i64 {value} to i{bits}")


def write_pivots(
    code: Code, target: str, source: str, count: int, integer: str, base: int = 1
) -> None:
    """LAPACK's numbers of rows, counted from 1, as int32 from 0."""
    with code.loop(count) as k:
        value = code.new(f"load {integer}, ptr {code.at(source, k, integer)}")
        if integer == "i64":
            value = code.new(f"trunc i64 {value} to i32")
        value = code.new(f"sub i32 {value}, {base}")
        code.line(f"store i32 {value}, ptr {code.at(target, k, 'i32')}")


class Lu(LapackPart):
    """``getrf`` on a copy that lies by columns."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("getrf",)

    def prepare(self) -> None:
        m, n = self.shape
        self.matrix = self.reserve(m * n * self.e.size)
        self.pivots = self.reserve(8 * min(m, n))

    def body(self, code: Code, *pointers: str) -> None:
        x, factors, pivots, order = pointers
        m, n = self.shape
        if small_matrices.pays(self.e, max(m, n), self.often(code)):
            code.copy(factors, x, m * n * self.e.size)
            small_matrices.lu(code, self.e, factors, pivots, m, n)
            exchanges_to_order(code, order, pivots, min(m, n), m)
            return
        matrix, found = self.scratch_at(code, self.matrix), self.scratch_at(code, self.pivots)
        code.transpose(self.e, matrix, x, m, n)
        info, integer = code.status(self.letter + "getrf")
        code.call(self.letter + "getrf", m, n, matrix, m, found, info)
        code.transpose(self.e, factors, matrix, n, m)
        write_pivots(code, pivots, found, min(m, n), integer)
        exchanges_to_order(code, order, pivots, min(m, n), m)


PARTS["lu"] = Lu


class PivotsToPermutation(LibraryPart):
    """Row exchanges, one by one, on 0, 1, 2, …."""

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        pivots = eqn.invars[0].aval
        return super().accepts(eqn, dtypes_) and pivots.dtype.kind == "i"

    def render(self, module: Module) -> None:
        pivots, order = self.eqn.invars[0].aval, self.eqn.outvars[0].aval
        size, count, bits = order.shape[-1], pivots.shape[-1], 8 * pivots.dtype.itemsize
        code = Code(module, self.name, 2)
        if order.size:
            with code.loop(math.prod(order.shape[:-1])) as i:
                source = code.at("%p0", code.mul(i, count), f"i{bits}")
                target = code.at("%p1", code.mul(i, size), f"i{bits}")
                exchanges_to_order(code, target, source, count, size, bits)
        code.finish()


PARTS["lu_pivots_to_permutation"] = PivotsToPermutation


class LuSolve(LapackPart):
    """Substitution with both factors as they lie, and the row exchanges."""

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        a, factors, pivots, b = [v.aval for v in eqn.invars]
        fits = factors.dtype == b.dtype == a.dtype and pivots.dtype.itemsize == 4
        return fits and factors.shape == a.shape and super().accepts(eqn, dtypes_)

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("trsm", "trsv")

    def operations(self) -> int:
        return int(2 * self.shape[0] ** 2 * self.eqn.invars[3].aval.shape[-1])

    def body(self, code: Code, *pointers: str) -> None:
        _, factors, pivots, b, out = pointers
        n, columns = self.eqn.invars[3].aval.shape[-2:]
        code.copy(out, b, n * columns * self.e.size)
        trans = "NTC"[self.eqn.params["trans"]]
        if trans == "C" and self.e.parts == 1:
            trans = "T"

        def substitute(lower: bool) -> None:
            solve_triangle(
                code, self.e, factors, out, n, columns, self.often(code),
                left=True, lower=lower, trans=trans, unit=lower,
            )  # fmt: skip

        if trans == "N":
            with code.loop(n) as k:
                self.exchange(code, out, pivots, k, n, columns)
        substitute(trans == "N")
        substitute(trans != "N")
        if trans != "N":
            with code.loop(0, n - 1, -1) as k:
                self.exchange(code, out, pivots, k, n, columns)

    def exchange(self, code: Code, b: str, pivots: str, k: str, n: int, columns: int) -> None:
        """Exchange row ``k`` with its partner."""
        other = other_row(code, pivots, k, n)
        first, second = code.mul(k, columns), code.mul(other, columns)
        with code.when(code.new(f"icmp ne i64 {k}, {other}")), code.loop(columns) as j:
            here, there = code.add(first, j), code.add(second, j)
            x, y = code.load(self.e, b, here), code.load(self.e, b, there)
            code.store(self.e, y, b, here)
            code.store(self.e, x, b, there)


PARTS["lu_solve"] = LuSolve
