"""QR factorization and products of Householder reflections.

Without column exchanges nothing is rearranged: ``x = Q R`` is ``xᵀ = Rᵀ Qᵀ``, an LQ factorization
of what lies in memory. Its reflections are those of ``x``, with conjugated scales.
"""

from __future__ import annotations

from collections.abc import Sequence

from adlib.compile.fortran import Code, workspace
from adlib.compile.library.lapack import LapackPart
from adlib.compile.library.lapack_lu import write_pivots
from adlib.compile.library.part import PARTS
from adlib.core.jaxpr import Eqn


def _orthogonal(eqn: Eqn, name: str) -> str:
    """The name of a routine about unitary matrices: ``or…`` for real ones, ``un…``."""
    return ("un" if eqn.invars[0].aval.dtype.kind == "c" else "or") + name


class Reflections(LapackPart):
    """What the parts here share."""

    def take(self, routine: str, *arguments: object) -> int:
        """Reserve the workspace that a routine asks for, given its arguments with ``"work"``."""
        size = workspace(self.letter + routine, self.dtype, *arguments)
        self.work_size = max(1, size)
        return self.reserve(self.work_size * self.e.size)

    def factorize(self, code: Code, x: str, taus: str, work: str, size: int) -> None:
        """LQ of the transpose of the row-major ``x``, in its place."""
        m, n = self.shape
        info, _ = code.status(self.letter + "gelqf")
        code.call(self.letter + "gelqf", n, m, x, n, taus, work, size, info)

    def operations(self) -> int:
        m, n = self.shape
        return int(2 * m * n * min(m, n))


class Qr(Reflections):
    """Q and R."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        if eqn.params["pivoting"]:
            return ("geqp3", _orthogonal(eqn, "gqr"))
        return ("gelqf", _orthogonal(eqn, "glq"))

    def prepare(self) -> None:
        m, n = self.shape
        k = min(m, n)
        self.columns = m if self.eqn.params["full_matrices"] else k
        self.make = _orthogonal(self.eqn, "gqr" if self.eqn.params["pivoting"] else "glq")
        self.matrix = self.reserve(m * max(n, self.columns) * self.e.size)
        self.taus = self.reserve(k * self.e.size)
        if self.eqn.params["pivoting"]:
            self.order = self.reserve(8 * n)
            self.real = self.reserve(2 * n * self.e.align)
            arguments: list[object] = [m, n, None, m, None, None, "work", -1]
            if self.e.parts == 2:
                arguments.append(None)
            self.space = self.take("geqp3", *arguments, None)
            self.size = self.work_size
            self.making = self.take(self.make, m, self.columns, k, None, m, None, "work", -1, None)
        else:
            self.space = self.take("gelqf", n, m, None, n, None, "work", -1, None)
            self.size = self.work_size
            arguments = [self.columns, m, k, None, self.columns, None, "work", -1, None]
            self.making = self.take(self.make, *arguments)

    def body(self, code: Code, *pointers: str) -> None:
        places = [self.scratch_at(code, p) for p in (self.matrix, self.taus, self.space)]
        if self.eqn.params["pivoting"]:
            self.pivoted(code, *pointers, *places)
            return
        x, q, r = pointers
        matrix, taus, work = places
        m, n = self.shape
        k, columns, e = min(m, n), self.columns, self.e
        code.copy(matrix, x, m * n * e.size)
        self.factorize(code, matrix, taus, work, self.size)
        with code.loop(columns) as i:  # R's rows; those below the k-th are zeros
            row = code.mul(i, n)
            with code.loop(n) as j:
                inside = code.new(f"icmp sge i64 {j}, {i}")
                real = code.new(f"icmp slt i64 {i}, {k}")
                code.store(e, e.constant(0.0), r, code.add(row, j))
                with code.when(code.new(f"and i1 {inside}, {real}")):
                    place = code.add(row, j)
                    code.store(e, code.load(e, matrix, place), r, place)
        with code.loop(m) as i, code.loop(k) as j:
            value = code.load(e, matrix, code.place((i, n), (j, 1)))
            code.store(e, value, q, code.place((i, columns), (j, 1)))
        info, _ = code.status(self.letter + self.make)
        work = self.scratch_at(code, self.making)
        code.call(
            self.letter + self.make, columns, m, k, q, columns, taus, work, self.work_size, info
        )

    def pivoted(
        self, code: Code, x: str, q: str, r: str, order: str, matrix: str, taus: str, work: str
    ) -> None:
        m, n = self.shape
        k, columns, e = min(m, n), self.columns, self.e
        found = self.scratch_at(code, self.order)
        code.transpose(e, matrix, x, m, n)
        info, integer = code.status(self.letter + "geqp3")
        with code.loop(n) as j:  # every column may move
            code.line(f"store {integer} 0, ptr {code.at(found, j, integer)}")
        real = [self.scratch_at(code, self.real)] if e.parts == 2 else []
        code.call(self.letter + "geqp3", m, n, matrix, m, found, taus, work, self.size, *real, info)
        write_pivots(code, order, found, n, integer)
        with code.loop(columns) as i, code.loop(n) as j:
            place = code.place((i, n), (j, 1))
            code.store(e, e.constant(0.0), r, place)
            inside = code.new(f"icmp sge i64 {j}, {i}")
            with code.when(code.new(f"and i1 {inside}, {code.new(f'icmp slt i64 {i}, {k}')}")):
                code.store(e, code.load(e, matrix, code.place((j, m), (i, 1))), r, place)
        info, _ = code.status(self.letter + self.make)
        work = self.scratch_at(code, self.making)
        code.call(
            self.letter + self.make, m, columns, k, matrix, m, taus, work, self.work_size, info
        )
        code.transpose(e, q, matrix, columns, m)


PARTS["qr"] = Qr


class Geqrf(Reflections):
    """R and the reflections below it."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("gelqf",)

    def prepare(self) -> None:
        m, n = self.shape
        self.space = self.take("gelqf", n, m, None, n, None, "work", -1, None)

    def body(self, code: Code, *pointers: str) -> None:
        x, packed, taus = pointers
        m, n = self.shape
        code.copy(packed, x, m * n * self.e.size)
        work = self.scratch_at(code, self.space)
        self.factorize(code, packed, taus, work, self.work_size)
        if self.e.parts == 2:
            code.conjugate(self.e, taus, taus, min(m, n))


PARTS["geqrf"] = Geqrf


class HouseholderProduct(Reflections):
    """The first columns of a product of reflections."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return (_orthogonal(eqn, "glq"),)

    def prepare(self) -> None:
        m, n = self.shape
        self.make = _orthogonal(self.eqn, "glq")
        self.count = self.eqn.invars[1].aval.shape[-1]
        self.scales = self.reserve(self.count * self.e.size)
        arguments = [n, m, self.count, None, n, None, "work", -1, None]
        self.space = self.take(self.make, *arguments)

    def body(self, code: Code, *pointers: str) -> None:
        a, taus, q = pointers
        m, n = self.shape
        code.copy(q, a, m * n * self.e.size)
        scales = self.scratch_at(code, self.scales)
        code.conjugate(self.e, scales, taus, self.count)
        info, _ = code.status(self.letter + self.make)
        work = self.scratch_at(code, self.space)
        code.call(
            self.letter + self.make, n, m, self.count, q, n, scales, work, self.work_size, info
        )


PARTS["householder_product"] = HouseholderProduct


class Ormqr(Reflections):
    """A product of reflections times a matrix: ``(Q c)ᵀ = cᵀ Qᵀ``, with ``Qᵀ`` that of LQ."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return (_orthogonal(eqn, "mlq"),)

    def prepare(self) -> None:
        m, n = self.shape
        self.apply = _orthogonal(self.eqn, "mlq")
        self.count = self.eqn.invars[1].aval.shape[-1]
        self.rows, self.columns = self.eqn.invars[2].aval.shape[-2:]
        self.reflections = self.reserve(m * n * self.e.size)
        self.scales = self.reserve(self.count * self.e.size)
        self.side = "R" if self.eqn.params["left"] else "L"
        adjoint = "C" if self.e.parts == 2 else "T"
        self.trans = adjoint if self.eqn.params["transpose"] else "N"
        sizes = [self.side, self.trans, self.columns, self.rows, self.count]
        self.space = self.take(
            self.apply, *sizes, None, n, None, None, self.columns, "work", -1, None
        )

    def operations(self) -> int:
        return int(4 * self.rows * self.columns * self.count)

    def body(self, code: Code, *pointers: str) -> None:
        a, taus, c, out = pointers
        m, n = self.shape
        copy, scales = self.scratch_at(code, self.reflections), self.scratch_at(code, self.scales)
        code.copy(copy, a, m * n * self.e.size)
        code.conjugate(self.e, scales, taus, self.count)
        code.copy(out, c, self.rows * self.columns * self.e.size)
        info, _ = code.status(self.letter + self.apply)
        work = self.scratch_at(code, self.space)
        code.call(
            self.letter + self.apply, self.side, self.trans, self.columns, self.rows, self.count,
            copy, n, scales, out, self.columns, work, self.work_size, info, hidden=2,
        )  # fmt: skip


PARTS["ormqr"] = Ormqr
