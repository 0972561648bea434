"""Eigenvalues, singular values and the forms on the way to them.

The iterations behind these are not run on matrices with NaN or infinities, on which some do not
end: the results are NaN, as they are where an iteration gives up. Matrices are rearranged by
columns and back, so that signs and phases of vectors are those that LAPACK gives the matrix
itself, not its transpose. Rounding decides some of them, so small matrices of float32 are worked
on in float64, as NumPy does: the program's vectors are those of its eager run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.compile.fortran import Code, Element, letter, workspace
from adlib.compile.library.lapack import NAN, LapackPart
from adlib.compile.library.part import PARTS
from adlib.core.jaxpr import Eqn

# Rows and columns up to which matrices in single precision are worked on in double.
_WIDENED = 48


class Spectral(LapackPart):
    """A routine on a copy by columns, with NaN where it fails.

    Attributes:
      failure: what complex results are where the computation fails.
      outside: how the operand's elements lie in memory; ``e`` is how those of its copy do.
    """

    failure = (NAN, 0.0)
    widens = True

    def operations(self) -> int:
        return int(8 * max(self.shape) * min(self.shape) ** 2)

    def prepare(self) -> None:
        m, n = self.shape
        self.outside = self.e
        if self.widens and self.e.align == 4 and max(m, n) <= _WIDENED:
            self.dtype = np.dtype(f"{self.dtype.kind}{2 * self.dtype.itemsize}")
            self.e, self.letter = Element(self.dtype), letter(self.dtype)
        self.matrix = self.reserve(m * n * self.e.size)

    def reals(self, count: int) -> int:
        return self.reserve(count * self.e.align)

    def elements(self, count: int) -> int:
        return self.reserve(count * self.e.size)

    def integers(self, count: int) -> int:
        return self.reserve(8 * count)

    def body(self, code: Code, *pointers: str) -> None:
        x, *outs = pointers
        m, n = self.shape
        fine = code.cell("i1")
        code.line(f"store i1 false, ptr {fine}")
        with code.when(code.finite(self.outside, x, m * n)):
            matrix = self.scratch_at(code, self.matrix)
            code.transpose(self.outside, matrix, x, m, n, into=self.e)
            info = code.status(self.letter + self.routines(self.eqn)[0])
            self.compute(code, matrix, info[0], outs)
            good = code.new(f"xor i1 {code.failed(info)}, true")
            code.line(f"store i1 {good}, ptr {fine}")
        with code.choice(code.new(f"load i1, ptr {fine}")) as otherwise:
            self.results(code, self.scratch_at(code, self.matrix), outs)
            otherwise()
            for pointer, var in zip(outs, self.eqn.outvars, strict=True):
                e = Element(var.aval.dtype)
                with code.loop(var.aval.size // self.batch) as i:
                    code.store(e, e.constant(*self.failure[: e.parts]), pointer, i)

    def compute(self, code: Code, matrix: str, info: str, outs: Sequence[str]) -> None:
        """Call the routine on the matrix by columns, which it overwrites."""
        raise NotImplementedError

    def results(self, code: Code, matrix: str, outs: Sequence[str]) -> None:
        """Write the results."""
        raise NotImplementedError

    def write_values(self, code: Code, out: str, place: int, start: int, stop: int) -> None:
        """Real numbers of the scratch memory as a result."""
        e, into = Element(self.e.real_dtype), Element(self.outside.real_dtype)
        found = code.at(self.scratch_at(code, place), start, e.whole)
        code.move(e, out, found, stop - start, into)


def _range(params: dict[str, Any], count: int) -> tuple[int, int]:
    start, stop = params["subset_by_index"] or (0, count)
    return int(start), int(stop)


# ---------------------------------------------------------------------- Hermitian


class Eigh(Spectral):
    """Eigenvectors and eigenvalues of Hermitian matrices, by divide and conquer."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("heevd" if eqn.invars[0].aval.dtype.kind == "c" else "syevd",)

    def prepare(self) -> None:
        super().prepare()
        n = self.shape[0]
        self.values = self.reals(n)
        self.triangle = "L" if self.eqn.params["lower"] else "U"
        self.real_size = 1 + 5 * n + 2 * n * n
        self.integer_size = 3 + 5 * n
        routine = self.letter + self.routines(self.eqn)[0]
        sizes = [-1, None, -1, None, -1] if self.e.parts == 2 else [-1, None, -1]
        self.work_size = workspace(
            routine, self.dtype, "V", self.triangle, n, None, n, None, "work", *sizes, None
        )
        self.work_place = self.elements(self.work_size)
        self.real_place = self.reals(self.real_size) if self.e.parts == 2 else 0
        self.integer_place = self.integers(self.integer_size)

    def compute(self, code: Code, matrix: str, info: str, outs: Sequence[str]) -> None:
        n = self.shape[0]
        real: list[Any] = []
        if self.e.parts == 2:
            real = [self.scratch_at(code, self.real_place), self.real_size]
        code.call(
            self.letter + self.routines(self.eqn)[0], "V", self.triangle, n, matrix, n,
            self.scratch_at(code, self.values), self.scratch_at(code, self.work_place),
            self.work_size, *real, self.scratch_at(code, self.integer_place),
            self.integer_size, info, hidden=2,
        )  # fmt: skip

    def results(self, code: Code, matrix: str, outs: Sequence[str]) -> None:
        vectors, values = outs
        n = self.shape[0]
        start, stop = _range(self.eqn.params, n)
        first = code.at(matrix, start * n, self.e.whole)
        code.transpose(self.e, vectors, first, stop - start, n, into=self.outside)
        self.write_values(code, values, self.values, start, stop)


PARTS["eigh"] = Eigh


# ---------------------------------------------------------------- singular values


class Svd(Spectral):
    """Singular values and vectors, by divide and conquer."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("gesdd",)

    def prepare(self) -> None:
        super().prepare()
        m, n = self.shape
        k, params = min(m, n), self.eqn.params
        self.job = "N" if not params["compute_uv"] else ("A" if params["full_matrices"] else "S")
        self.left, self.right = (m, n) if self.job == "A" else (k, k)
        self.values = self.reals(k)
        self.u, self.vh = 0, 0
        if self.job != "N":
            self.u, self.vh = self.elements(m * self.left), self.elements(self.right * n)
        self.integer_place = self.integers(8 * k)
        arguments = [self.job, m, n, None, m, None, None, m, None, self.right, "work", -1, None]
        if self.e.parts == 2:
            # LAPACK's own bound for every job
            size = k * max(5 * k + 7, 2 * max(m, n) + 2 * k + 1)
            self.real_place = self.reals(size)
            arguments.append(None)
        self.work_size = workspace(self.letter + "gesdd", self.dtype, *arguments, None)
        self.work_place = self.elements(self.work_size)

    def compute(self, code: Code, matrix: str, info: str, outs: Sequence[str]) -> None:
        m, n = self.shape
        real = [self.scratch_at(code, self.real_place)] if self.e.parts == 2 else []
        code.call(
            self.letter + "gesdd", self.job, m, n, matrix, m, self.scratch_at(code, self.values),
            self.scratch_at(code, self.u), m, self.scratch_at(code, self.vh), self.right,
            self.scratch_at(code, self.work_place), self.work_size, *real,
            self.scratch_at(code, self.integer_place), info, hidden=1,
        )  # fmt: skip

    def results(self, code: Code, matrix: str, outs: Sequence[str]) -> None:
        m, n = self.shape
        start, stop = _range(self.eqn.params, min(m, n))
        self.write_values(code, outs[0], self.values, start, stop)
        if self.job == "N":
            return
        left, right = (m, n) if self.job == "A" else (stop - start, stop - start)
        u, vh = self.scratch_at(code, self.u), self.scratch_at(code, self.vh)
        into = self.outside
        code.transpose(self.e, outs[1], code.at(u, start * m, self.e.whole), left, m, into=into)
        first = code.at(vh, start, self.e.whole)
        code.transpose(self.e, outs[2], first, n, right, source_step=self.right, into=into)


PARTS["svd"] = Svd


# ---------------------------------------------------------------- any square matrix


class Eig(Spectral):
    """Eigenvalues and eigenvectors; those of real matrices come in conjugate pairs."""

    failure = (NAN, NAN)

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("geev",)

    def operations(self) -> int:
        return int(25 * self.shape[0] ** 3)

    def prepare(self) -> None:
        super().prepare()
        n, params = self.shape[0], self.eqn.params
        self.wanted = [
            params["compute_left_eigenvectors"],
            params["compute_right_eigenvectors"],
        ]
        self.jobs = ["V" if w else "N" for w in self.wanted]
        self.values = self.reserve(2 * n * self.e.align)
        self.vectors = [self.elements(n * n if w else 1) for w in self.wanted]
        values = [None] if self.e.parts == 2 else [None, None]
        arguments = [*self.jobs, n, None, n, *values, None, n, None, n, "work", -1]
        if self.e.parts == 2:
            self.real_place = self.reals(2 * n)
            arguments.append(None)
        self.work_size = workspace(self.letter + "geev", self.dtype, *arguments, None)
        self.work_place = self.elements(self.work_size)

    def compute(self, code: Code, matrix: str, info: str, outs: Sequence[str]) -> None:
        n = self.shape[0]
        values = [self.scratch_at(code, self.values)]
        real = []
        if self.e.parts == 1:
            values.append(code.at(values[0], n, self.e.real))
        else:
            real = [self.scratch_at(code, self.real_place)]
        left, right = [self.scratch_at(code, place) for place in self.vectors]
        code.call(
            self.letter + "geev", *self.jobs, n, matrix, n, *values, left, n, right, n,
            self.scratch_at(code, self.work_place), self.work_size, *real, info, hidden=2,
        )  # fmt: skip

    def results(self, code: Code, matrix: str, outs: Sequence[str]) -> None:
        n = self.shape[0]
        values = self.scratch_at(code, self.values)
        places = [self.scratch_at(code, p) for p, w in zip(self.vectors, self.wanted, strict=True)
                  if w]  # fmt: skip
        if self.e.parts == 2:
            code.move(self.e, outs[0], values, n, self.outside)
            for out, place in zip(outs[1:], places, strict=True):
                code.transpose(self.e, out, place, n, n, into=self.outside)
            return
        imaginary = code.at(values, n, self.e.real)
        with code.loop(n) as j:
            re, im = code.load(self.e, values, j), code.load(self.e, imaginary, j)
            twice = code.mul(j, 2)
            into = self.outside
            code.store(into, code.converted(self.e, re, into), outs[0], twice)
            code.store(into, code.converted(self.e, im, into), outs[0], code.add(twice, 1))
            first = code.new(f"fcmp ogt {self.e.real} {im}, {self.e.number(0.0)}")
            second = code.new(f"fcmp olt {self.e.real} {im}, {self.e.number(0.0)}")
            for out, place in zip(outs[1:], places, strict=True):
                self.unpack(code, out, place, j, first, second)

    def unpack(self, code: Code, out: str, place: str, j: str, first: str, second: str) -> None:
        """Column ``j``: real, or from two columns the first or second of a conjugate pair."""
        n, e = self.shape[0], self.e
        back = code.new(f"select i1 {second}, i64 1, i64 0")
        column = code.mul(code.sub(j, back), n)
        paired = code.new(f"or i1 {first}, {second}")
        step = code.new(f"select i1 {paired}, i64 {n}, i64 0")
        with code.loop(n) as i:
            at = code.add(column, i)
            re, im = code.load(e, place, at), code.load(e, place, code.add(at, step))
            minus = code.new(f"fneg {e.real} {im}")
            im = code.new(f"select i1 {second}, {e.real} {minus}, {e.real} {im}")
            im = code.new(f"select i1 {paired}, {e.real} {im}, {e.real} {e.number(0.0)}")
            target = code.mul(code.place((i, n), (j, 1)), 2)
            into = self.outside
            code.store(into, code.converted(e, re, into), out, target)
            code.store(into, code.converted(e, im, into), out, code.add(target, 1))


PARTS["eig"] = Eig


class Schur(Spectral):
    """The Schur form, and its vectors."""

    widens = False

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("gees",)

    def operations(self) -> int:
        return int(25 * self.shape[0] ** 3)

    def prepare(self) -> None:
        super().prepare()
        n = self.shape[0]
        self.job = "V" if self.eqn.params["compute_schur_vectors"] else "N"
        self.values = self.reserve(2 * n * self.e.align)
        self.vectors = self.elements(n * n)
        values = [None] if self.e.parts == 2 else [None, None]
        extra = []
        if self.e.parts == 2:
            self.real_place = self.reals(n)
            extra = [None]
        self.count = self.integers(1)
        self.flags = self.integers(n)
        self.work_size = workspace(
            self.letter + "gees", self.dtype, self.job, "N", None, n, None, n, None, *values,
            None, n, "work", -1, *extra, None, None,
        )  # fmt: skip
        self.work_place = self.elements(self.work_size)

    def compute(self, code: Code, matrix: str, info: str, outs: Sequence[str]) -> None:
        n = self.shape[0]
        values = [self.scratch_at(code, self.values)]
        real = []
        if self.e.parts == 1:
            values.append(code.at(values[0], n, self.e.real))
        else:
            real = [self.scratch_at(code, self.real_place)]
        code.call(
            self.letter + "gees", self.job, "N", "null", n, matrix, n,
            self.scratch_at(code, self.count), *values, self.scratch_at(code, self.vectors), n,
            self.scratch_at(code, self.work_place), self.work_size, *real,
            self.scratch_at(code, self.flags), info, hidden=2,
        )  # fmt: skip

    def results(self, code: Code, matrix: str, outs: Sequence[str]) -> None:
        n = self.shape[0]
        code.transpose(self.e, outs[0], matrix, n, n)
        if self.job == "V":
            code.transpose(self.e, outs[1], self.scratch_at(code, self.vectors), n, n)


PARTS["schur"] = Schur


# -------------------------------------------------------------------- direct forms


class Hessenberg(LapackPart):
    """Reduction to Hessenberg form."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("gehrd",)

    def prepare(self) -> None:
        n = self.shape[0]
        self.matrix = self.reserve(n * n * self.e.size)
        self.scales = self.reserve(n * self.e.size)
        self.work_size = max(1, workspace(
            self.letter + "gehrd", self.dtype, n, 1, n, None, n, None, "work", -1, None
        ))  # fmt: skip
        self.work_place = self.reserve(self.work_size * self.e.size)

    def body(self, code: Code, *pointers: str) -> None:
        x, form, taus = pointers
        n = self.shape[0]
        matrix, scales = self.scratch_at(code, self.matrix), self.scratch_at(code, self.scales)
        code.transpose(self.e, matrix, x, n, n)
        info, _ = code.status(self.letter + "gehrd")
        work = self.scratch_at(code, self.work_place)
        code.call(self.letter + "gehrd", n, 1, n, matrix, n, scales, work, self.work_size, info)
        code.transpose(self.e, form, matrix, n, n)
        code.copy(taus, scales, (n - 1) * self.e.size)


PARTS["hessenberg"] = Hessenberg


class Tridiagonal(LapackPart):
    """Reduction of Hermitian matrices to tridiagonal form."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("hetrd" if eqn.invars[0].aval.dtype.kind == "c" else "sytrd",)

    def prepare(self) -> None:
        n = self.shape[0]
        self.routine = self.letter + self.routines(self.eqn)[0]
        self.triangle = "L" if self.eqn.params["lower"] else "U"
        self.matrix = self.reserve(n * n * self.e.size)
        self.work_size = max(1, workspace(
            self.routine, self.dtype, self.triangle, n, None, n, None, None, None, "work", -1, None
        ))  # fmt: skip
        self.work_place = self.reserve(self.work_size * self.e.size)

    def body(self, code: Code, *pointers: str) -> None:
        x, form, diagonal, beside, taus = pointers
        n = self.shape[0]
        matrix = self.scratch_at(code, self.matrix)
        code.transpose(self.e, matrix, x, n, n)
        info, _ = code.status(self.routine)
        work = self.scratch_at(code, self.work_place)
        code.call(
            self.routine, self.triangle, n, matrix, n, diagonal, beside, taus, work,
            self.work_size, info, hidden=1,
        )  # fmt: skip
        code.transpose(self.e, form, matrix, n, n)


PARTS["tridiagonal"] = Tridiagonal


class TridiagonalSolve(LapackPart):
    """Systems with three diagonals, by elimination with row exchanges."""

    core = 1

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        return super().accepts(eqn, dtypes_) and eqn.invars[0].aval.shape[-1] > 1

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("gtsv",)

    def operations(self) -> int:
        return int(8 * self.shape[0] * self.eqn.invars[3].aval.shape[-1])

    def prepare(self) -> None:
        n = self.shape[0]
        self.columns = self.eqn.invars[3].aval.shape[-1]
        self.diagonals = [self.reserve(n * self.e.size) for _ in range(3)]
        self.sides = self.reserve(n * self.columns * self.e.size)

    def body(self, code: Code, *pointers: str) -> None:
        *diagonals, b, out = pointers
        n, e = self.shape[0], self.e
        places = [self.scratch_at(code, p) for p in self.diagonals]
        sides = self.scratch_at(code, self.sides)
        starts, sizes = (1, 0, 0), (n - 1, n, n - 1)
        for place, source, start, size in zip(places, diagonals, starts, sizes, strict=True):
            code.copy(place, code.at(source, start, e.whole), size * e.size)
        code.transpose(e, sides, b, n, self.columns)
        info = code.status(self.letter + "gtsv")
        code.call(self.letter + "gtsv", n, self.columns, *places, sides, n, info[0])
        with code.choice(code.failed(info)) as otherwise:
            code.fill(e, out, n * self.columns, NAN)
            otherwise()
            code.transpose(e, out, sides, self.columns, n)


PARTS["tridiagonal_solve"] = TridiagonalSolve
