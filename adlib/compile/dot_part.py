"""A call of BLAS as a step of a native function."""

from __future__ import annotations

from adlib.compile import dots
from adlib.compile.fortran import Code, Element, letter
from adlib.compile.llvm_module import Module
from adlib.compile.schedule import Schedule
from adlib.compile.steps import Dot
from adlib.core.jaxpr import Var


class DotPart:
    """``gemm`` for each entry of the batch, ``syrk`` for a matrix times its transpose, ``trmm``
    where one is triangular: half the work.

    BLAS counts columns first, so that the row-major result C is its C transposed, which is the
    product of the transposed operands in the other order.
    """

    fallible = False
    scratch = 0

    def __init__(self, schedule: Schedule, step: Dot, name: str) -> None:
        self.name = name
        self.step = step
        self.dims = dots.Dims(step.eqn)
        self.e = Element(step.eqn.outvars[0].aval.dtype)
        self.letter = letter(self.e.dtype)
        (left, self.left), (right, self.right) = step.operands
        self.symmetric = left is right and dots.is_symmetric(self.dims, self.left, self.right)
        self.symmetric &= step.onto is None
        self.triangle = self._find_triangle(left, right) if step.onto is None else -1
        self.variables: list[Var] = [left, right]
        if step.onto is not None:
            self.variables.append(step.onto)
        self.variables.append(step.eqn.outvars[0])
        d = self.dims
        self.work = d.batch * d.rows * d.columns * d.inner
        self.work //= 16 if self.symmetric or self.triangle >= 0 else 8

    def _find_triangle(self, left: Var, right: Var) -> int:
        """Which operand is a triangular matrix, in memory as BLAS takes it; -1 if none is."""
        d = self.dims
        for number, var, other, n in (
            (0, left, self.right, d.rows),
            (1, right, self.left, d.columns),
        ):
            matrix = (self.left, self.right)[number]
            whole = matrix.leading == n == d.inner and n >= dots.TRIANGULAR
            if var in self.step.lower and whole and not other.flipped:
                if other.leading == (d.columns if number == 0 else d.inner):
                    return number
        return -1

    def share(self, read: Var, written: Var) -> bool:
        """Whether the result may lie where ``read`` does: what the product is added to, may."""
        return read is self.step.onto and read not in self.variables[:2]

    def render(self, module: Module) -> None:
        code = Code(module, self.name, len(self.variables))
        d, e = self.dims, self.e
        out = f"%p{len(self.variables) - 1}"
        if self.step.onto is not None:
            with code.when(code.new(f"icmp ne ptr {out}, %p2")):
                code.copy(out, "%p2", d.batch * d.rows * d.columns * e.size)
        with code.loop(d.batch) as i:
            places = []
            for pointer, matrix in (("%p0", self.left), ("%p1", self.right)):
                first = code.at(pointer, matrix.offset, e.whole)
                places.append(code.at(first, code.mul(i, matrix.step), e.whole))
            target = code.at(out, code.mul(i, d.rows * d.columns), e.whole)
            if self.symmetric:
                self._syrk(code, places[0], target)
            elif self.triangle >= 0:
                self._trmm(code, places, target)
            else:
                self._gemm(code, places[0], places[1], target)
        code.finish()

    def _gemm(self, code: Code, left: str, right: str, target: str) -> None:
        d = self.dims
        flags = ["T" if m.flipped else "N" for m in (self.right, self.left)]
        onto = 1.0 if self.step.onto is not None else 0.0
        code.call(
            self.letter + "gemm", *flags, d.columns, d.rows, d.inner, (self.step.scale, self.e),
            right, self.right.leading, left, self.left.leading, (onto, self.e), target, d.columns,
            hidden=2,
        )  # fmt: skip

    def _syrk(self, code: Code, matrix: str, target: str) -> None:
        """Half the work: one triangle, which is then copied to the other."""
        d, e = self.dims, self.e
        code.call(
            self.letter + "syrk", "L", "N" if self.left.flipped else "T", d.rows, d.inner,
            (self.step.scale, e), matrix, self.left.leading, (0.0, e), target, d.rows, hidden=2,
        )  # fmt: skip
        code.mirror(e, target, d.rows)

    def _trmm(self, code: Code, places: list[str], target: str) -> None:
        """In place of a copy of the other operand. The lower triangle is BLAS's upper one."""
        d, e, number = self.dims, self.e, self.triangle
        matrix = (self.left, self.right)[number]
        code.copy(target, places[1 - number], d.rows * d.columns * e.size)
        code.call(
            self.letter + "trmm", "RL"[number], "U", "T" if matrix.flipped else "N", "N",
            d.columns, d.rows, (self.step.scale, e), places[number], d.inner, target, d.columns,
            hidden=4,
        )  # fmt: skip
