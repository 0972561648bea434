"""Factorizations and solvers by LAPACK: what their parts share, Cholesky, triangular systems.

LAPACK counts columns first: a row-major matrix is its transpose there. Where mathematics allows,
the transposed problem is solved, and nothing is rearranged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adlib.compile import blas
from adlib.compile.fortran import Code, Element, letter
from adlib.compile.library import small_matrices
from adlib.compile.library.part import PARTS, LibraryPart
from adlib.compile.llvm_module import Module
from adlib.compile.memory import ALIGN
from adlib.core.jaxpr import Eqn, Var

NAN = float("nan")

_CALL = 50  # operations that calling a routine amounts to


class LapackPart(LibraryPart):
    """An equation on stacks of matrices: ``body`` for each entry of the stack.

    Attributes:
      core: number of trailing axes of the first operand that one entry has.
      e: how the elements of the first operand lie in memory.
    """

    core = 2

    def __init__(self, eqn: Eqn, operands: Sequence[Var], name: str) -> None:
        super().__init__(eqn, operands, name)
        shape = eqn.invars[0].aval.shape
        self.batch = math.prod(shape[: len(shape) - self.core])
        self.shape: tuple[int, ...] = shape[len(shape) - self.core :]
        self.dtype = eqn.invars[0].aval.dtype
        self.e = Element(self.dtype)
        self.letter = letter(self.dtype)
        self.empty = all(v.aval.size == 0 for v in eqn.outvars)
        if not self.empty:
            self.prepare()
        self.work = self.batch * max(_CALL, self.operations() // 8)

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        if not super().accepts(eqn, dtypes_) or eqn.invars[0].aval.dtype.kind not in "fc":
            return False
        if any(v.aval.size == 0 for v in eqn.invars) and any(v.aval.size for v in eqn.outvars):
            return False
        kind = letter(eqn.invars[0].aval.dtype)
        return all(blas.exists(kind + name) for name in cls.routines(eqn))

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        """Names without their letter of the routines that the equation needs."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Reserve memory."""

    def operations(self) -> int:
        """About how many operations one entry of the stack takes."""
        return int(math.prod(self.shape) * min(self.shape))

    def body(self, code: Code, *pointers: str) -> None:
        """The code for one entry: its operands and results lie at ``pointers``."""
        raise NotImplementedError

    def often(self, code: Code) -> int:
        """How many matrices one run of the program works on, loops around this one included."""
        return self.batch * code.module.rounds

    def reserve(self, size: int) -> int:
        """A place in scratch memory for ``size`` bytes."""
        place = self.scratch
        self.scratch += -(-max(size, 1) // ALIGN) * ALIGN
        return place

    def scratch_at(self, code: Code, place: int) -> str:
        return code.at(f"%p{len(self.variables)}", place, "i8")

    def render(self, module: Module) -> None:
        code = Code(module, self.name, len(self.variables) + bool(self.scratch))
        if not self.empty:
            with code.loop(self.batch) as i:
                steps = [v.aval.nbytes // self.batch for v in self.variables]
                pointers = [
                    code.at(f"%p{k}", code.mul(i, step), "i8") for k, step in enumerate(steps)
                ]
                self.body(code, *pointers)
        code.finish()


# ----------------------------------------------------------------------- Cholesky


class Cholesky(LapackPart):
    """The lower triangle of a row-major matrix is the upper one of LAPACK's, and ``a = L Lᴴ``
    is ``aᵀ = Uᴴ U`` there, with the transpose of L for U."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("potrf",)

    def operations(self) -> int:
        return int(self.shape[0] ** 3 // 3)

    def body(self, code: Code, *pointers: str) -> None:
        x, out = pointers
        n = self.shape[0]
        with code.loop(n) as i:
            row = code.mul(i, n)
            after = code.add(i, 1)
            with code.loop(after) as j:
                place = code.add(row, j)
                code.store(self.e, code.load(self.e, x, place), out, place)
            with code.loop(n, after) as j:
                code.store(self.e, self.e.constant(0.0), out, code.add(row, j))
        if small_matrices.pays(self.e, n, self.often(code)):
            failed = small_matrices.cholesky(code, self.e, out, n)
        else:
            info = code.status(self.letter + "potrf")
            code.call(self.letter + "potrf", "U", n, out, n, info[0], hidden=1)
            failed = code.failed(info)
        with code.when(failed), code.loop(n) as i:
            row = code.mul(i, n)
            with code.loop(code.add(i, 1)) as j:
                code.store(self.e, self.e.constant(NAN), out, code.add(row, j))


PARTS["cholesky"] = Cholesky


# -------------------------------------------------------------- triangular systems


class TriangularSolve(LapackPart):
    """``op(a) x = b`` as ``xᵀ op(a)ᵀ = bᵀ``, which is how memory looks by columns."""

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ("trsm", "trsv")

    def operations(self) -> int:
        b = self.eqn.invars[1].aval
        return int(self.shape[0] * b.size // max(self.batch, 1))

    def body(self, code: Code, *pointers: str) -> None:
        a, b, out = pointers
        p = self.eqn.params
        rows, columns = self.eqn.invars[1].aval.shape[-2:]
        conjugate = p["conjugate_a"] and self.e.parts == 2
        # the conjugate without the transpose is no option: conj(a) x = b is a conj(x) = conj(b)
        around = conjugate and not p["transpose_a"]
        if around:
            code.conjugate(self.e, out, b, rows * columns)
        else:
            code.copy(out, b, rows * columns * self.e.size)
        trans = "N" if not p["transpose_a"] else ("C" if conjugate else "T")
        solve_triangle(
            code, self.e, a, out, rows, columns, self.often(code),
            left=p["left_side"], lower=p["lower"], trans=trans, unit=p["unit_diagonal"],
        )  # fmt: skip
        if around:
            code.conjugate(self.e, out, out, rows * columns)


def solve_triangle(
    code: Code,
    e: Element,
    a: str,
    b: str,
    rows: int,
    columns: int,
    often: int,
    *,
    left: bool,
    lower: bool,
    trans: str,
    unit: bool,
) -> None:
    """Solve ``op(a) x = b``, or from the right, in place of the row-major ``b``.

    ``trans``, N, T or C, says what op is; ``often``, how often that is done.
    """
    n, others = (rows, columns) if left else (columns, rows)
    if small_matrices.substitution_pays(e, n, others, left, often):
        small_matrices.solve_triangle(
            code, e, a, b, rows, columns, left=left, lower=lower, trans=trans, unit=unit
        )
        return
    uplo, diagonal = "U" if lower else "L", "U" if unit else "N"
    kind = letter(e.dtype)
    if others == 1:
        # one vector: op(a) x = b with the transpose of a in memory
        if left and trans == "C":
            # conj(aᵀ) is the conjugate of what lies there, which is no option
            code.conjugate(e, b, b, n)
            code.call(kind + "trsv", uplo, "N", diagonal, n, a, n, b, 1, hidden=3)
            code.conjugate(e, b, b, n)
            return
        if left:
            flipped = "T" if trans == "N" else "N"
        else:  # x op(a) = b is op(a)ᵀ xᵀ = bᵀ
            flipped = trans
        code.call(kind + "trsv", uplo, flipped, diagonal, n, a, n, b, 1, hidden=3)
        return
    side = "R" if left else "L"
    code.call(
        kind + "trsm", side, uplo, trans, diagonal, columns, rows, (1.0, e), a, n, b, columns,
        hidden=4,
    )  # fmt: skip


PARTS["triangular_solve"] = TriangularSolve


# ------------------------------------------------------------------ Cholesky's update


class CholeskyUpdate(LapackPart):
    """One plane rotation for each row clears the vector (Golub & Van Loan, section 6.5.4)."""

    @classmethod
    def accepts(cls, eqn: Eqn, dtypes_: frozenset[Any]) -> bool:
        return eqn.invars[0].aval.dtype.kind == "f" and super().accepts(eqn, dtypes_)

    @classmethod
    def routines(cls, eqn: Eqn) -> Sequence[str]:
        return ()

    def prepare(self) -> None:
        self.vector = self.reserve(self.shape[0] * self.e.size)

    def body(self, code: Code, *pointers: str) -> None:
        r, w, out = pointers
        n, e = self.shape[0], self.e
        numbers = small_matrices.Numbers(code, e)
        vector = self.scratch_at(code, self.vector)
        code.copy(vector, w, n * e.size)
        code.fill(e, out, n * n, 0.0)
        with code.loop(n) as i:
            row = code.mul(i, n)
            with code.loop(n, i) as j:
                place = code.add(row, j)
                code.store(e, code.load(e, r, place), out, place)
        with code.loop(n) as k:
            row = code.mul(k, n)
            cosine, sine = numbers.rotation(
                code.load(e, out, code.add(row, k)), code.load(e, vector, k)
            )
            with code.loop(n, k) as j:
                place = code.add(row, j)
                x, y = code.load(e, out, place), code.load(e, vector, j)
                first = code.new(f"fadd {e.real} {numbers.mul(cosine, x)}, {numbers.mul(sine, y)}")
                second = numbers.sub(numbers.mul(cosine, y), numbers.mul(sine, x))
                code.store(e, first, out, place)
                code.store(e, second, vector, j)


PARTS["cholesky_update"] = CholeskyUpdate
