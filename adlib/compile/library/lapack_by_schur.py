"""What follows from Schur forms: Sylvester's equation, and square roots of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.compile.fortran import Code, workspace
from adlib.compile.library.lapack import NAN, LapackPart
from adlib.compile.library.lapack_spectral import Spectral
from adlib.compile.library.part import PARTS
from adlib.compile.library.small_matrices import Numbers
from adlib.core.jaxpr import Eqn


class SolveSylvester(LapackPart):
    """With ``A = U R Uᴴ`` and ``B = V S Vᴴ``, ``A X + X B = C`` is ``R Y + Y S = Uᴴ C V``.

    Bartels & Stewart, "Solution of the matrix equation AX + XB = C", 1972.
    """

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("gees", "gemm", "trsyl")

    def operations(self) -> int:
        return int(25 * (self.shape[0] ** 3 + self.eqn.invars[1].aval.shape[-1] ** 3))

    def prepare(self) -> None:
        m, n = self.sizes = self.shape[0], self.eqn.invars[1].aval.shape[-1]
        size, most = self.e.size, max(self.sizes)
        self.forms = [self.reserve(k * k * size) for k in self.sizes]
        self.vectors = [self.reserve(k * k * size) for k in self.sizes]
        self.sides = [self.reserve(m * n * size) for _ in range(2)]
        self.values = self.reserve(2 * most * self.e.align)
        self.flags = self.reserve(8 * (most + 1))
        self.reals = self.reserve(most * self.e.align)
        self.scale = self.reserve(self.e.align)
        values = [None] if self.e.parts == 2 else [None, None]
        extra = [None] if self.e.parts == 2 else []
        self.work_size = max(
            workspace(
                self.letter + "gees", self.dtype, "V", "N", None, k, None, k, None, *values,
                None, k, "work", -1, *extra, None, None,
            )
            for k in self.sizes
        )  # fmt: skip
        self.work_place = self.reserve(self.work_size * size)

    def body(self, code: Code, *pointers: str) -> None:
        out = pointers[3]
        m, n = self.sizes
        given = list(zip(pointers[:3], ((m, m), (n, n), (m, n)), strict=True))
        good = code.cell("i1")
        code.line(f"store i1 true, ptr {good}")
        for pointer, (rows, columns) in given:
            self._also(code, good, code.finite(self.e, pointer, rows * columns))
        with code.when(code.new(f"load i1, ptr {good}")):
            places = [*self.forms, self.sides[0]]
            for (pointer, (rows, columns)), place in zip(given, places, strict=True):
                code.transpose(self.e, self.scratch_at(code, place), pointer, rows, columns)
            for number in (0, 1):
                self._schur(code, good, number)
        with code.choice(code.new(f"load i1, ptr {good}")) as otherwise:
            self._solve(code)
            code.transpose(self.e, out, self.scratch_at(code, self.sides[0]), n, m)
            otherwise()
            code.fill(self.e, out, m * n, NAN)

    def _also(self, code: Code, good: str, condition: str) -> None:
        before = code.new(f"load i1, ptr {good}")
        code.line(f"store i1 {code.new(f'and i1 {before}, {condition}')}, ptr {good}")

    def _schur(self, code: Code, good: str, number: int) -> None:
        """The Schur form of A or B in its place."""
        k = self.sizes[number]
        values = [self.scratch_at(code, self.values)]
        if self.e.parts == 1:
            values.append(code.at(values[0], k, self.e.real))
        real = [self.scratch_at(code, self.reals)] if self.e.parts == 2 else []
        flags = self.scratch_at(code, self.flags)
        info = code.status(self.letter + "gees")
        code.call(
            self.letter + "gees", "V", "N", "null", k, self.scratch_at(code, self.forms[number]),
            k, flags, *values, self.scratch_at(code, self.vectors[number]), k,
            self.scratch_at(code, self.work_place), self.work_size, *real,
            code.at(flags, 8, "i8"), info[0], hidden=2,
        )  # fmt: skip
        self._also(code, good, code.new(f"xor i1 {code.failed(info)}, true"))

    def _solve(self, code: Code) -> None:
        m, n = self.sizes
        u, v = [self.scratch_at(code, p) for p in self.vectors]
        r, s = [self.scratch_at(code, p) for p in self.forms]
        sides, between = [self.scratch_at(code, p) for p in self.sides]
        one, zero, gemm = (1.0, self.e), (0.0, self.e), self.letter + "gemm"
        code.call(gemm, "C", "N", m, n, m, one, u, m, sides, m, zero, between, m, hidden=2)
        code.call(gemm, "N", "N", m, n, n, one, between, m, v, n, zero, sides, m, hidden=2)
        info, _ = code.status(self.letter + "trsyl")
        scale = self.scratch_at(code, self.scale)
        code.call(
            self.letter + "trsyl", "N", "N", 1, m, n, r, m, s, n, sides, m, scale, info, hidden=2
        )
        code.call(gemm, "N", "N", m, n, m, one, u, m, sides, m, zero, between, m, hidden=2)
        code.call(gemm, "N", "C", m, n, n, one, between, m, v, n, zero, sides, m, hidden=2)


PARTS["solve_sylvester"] = SolveSylvester


class SquareRoot(Spectral):
    """The root of the triangular form of complex matrices, column by column.

    Björck & Hammarling, "A Schur method for the square root of a matrix", 1983.
    """

    widens = False

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        return eqn.invars[0].aval.dtype.kind == "c" and super().accepts(eqn, dtypes_)

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("gees", "gemm")

    def operations(self) -> int:
        return int(30 * self.shape[0] ** 3)

    def prepare(self) -> None:
        super().prepare()
        n = self.shape[0]
        self.vectors, self.between = self.elements(n * n), self.elements(n * n)
        self.values, self.real_place = self.elements(n), self.reals(n)
        self.flags = self.integers(n + 1)
        self.work_size = workspace(
            self.letter + "gees", self.dtype, "V", "N", None, n, None, n, None, None, None, n,
            "work", -1, None, None, None,
        )  # fmt: skip
        self.work_place = self.elements(self.work_size)

    def compute(self, code: Code, matrix: str, info: str, outs: Sequence[str]) -> None:
        n = self.shape[0]
        flags = self.scratch_at(code, self.flags)
        code.call(
            self.letter + "gees", "V", "N", "null", n, matrix, n, flags,
            self.scratch_at(code, self.values), self.scratch_at(code, self.vectors), n,
            self.scratch_at(code, self.work_place), self.work_size,
            self.scratch_at(code, self.real_place), code.at(flags, 8, "i8"), info, hidden=2,
        )  # fmt: skip

    def results(self, code: Code, matrix: str, outs: Sequence[str]) -> None:
        n, e = self.shape[0], self.e
        with code.loop(n) as j:
            column = code.mul(j, n)
            self._column(code, matrix, j, column)
        vectors, between = [self.scratch_at(code, p) for p in (self.vectors, self.between)]
        one, zero, gemm = (1.0, e), (0.0, e), self.letter + "gemm"
        code.call(gemm, "N", "N", n, n, n, one, vectors, n, matrix, n, zero, between, n, hidden=2)
        code.call(gemm, "N", "C", n, n, n, one, between, n, vectors, n, zero, matrix, n, hidden=2)
        code.transpose(e, outs[0], matrix, n, n)

    def _column(self, code: Code, matrix: str, j: str, column: str) -> None:
        n, e = self.shape[0], self.e
        numbers = Numbers(code, e)
        corner = code.add(column, j)
        root = numbers.root(code.load(e, matrix, corner))
        code.store(e, root, matrix, corner)
        with code.loop(0, code.sub(j, 1), -1) as i:
            place = code.add(column, i)
            with code.loop(j, code.add(i, 1)) as k:
                left = code.load(e, matrix, code.place((k, n), (i, 1)))
                product = numbers.mul(left, code.load(e, matrix, code.add(column, k)))
                code.store(e, numbers.sub(code.load(e, matrix, place), product), matrix, place)
            value = code.load(e, matrix, place)
            other = code.load(e, matrix, code.place((i, n), (i, 1)))
            total = code.new(f"fadd {e.whole} {root}, {other}")
            # two eigenvalues of 0 leave an element of 0, if there is a root at all
            nothing = code.new(f"fcmp oeq {e.real} {numbers.size(value)}, {e.number(0.0)}")
            quotient = numbers.mul(value, numbers.reciprocal(total))
            text = f"select i1 {nothing}, {e.whole} zeroinitializer, {e.whole} {quotient}"
            code.store(e, code.new(text), matrix, place)


PARTS["sqrtm"] = SquareRoot
