"""Factorizations and substitution of small matrices as loops: LAPACK takes longer to be called.

They run over rows, which is how the matrices lie in memory. Sizes are constants, so that the
compiler writes out what is short and vectorizes what is long.
"""

from __future__ import annotations

from collections.abc import Callable

from adlib.compile.fortran import Code, Element

# How often loops must run to be worth compiling well.
OFTEN = 64

# Rows for which loops are faster than LAPACK, measured: of real and of complex matrices. Between
# 6 and 8 the compiler's vectors do not fit real ones well.
_FACTORIZED = (frozenset([*range(6), *range(10, 17)]), frozenset(range(17)))
_UNROLLED = 5
_FROM_THE_LEFT, _FROM_THE_RIGHT = (16, 12), (8, 4)


def pays(e: Element, n: int, often: int) -> bool:
    """Whether loops factorize a matrix of ``n`` rows faster, if they do it ``often`` times."""
    return often >= OFTEN and n in _FACTORIZED[e.parts - 1]


def substitution_pays(e: Element, n: int, others: int, left: bool, often: int) -> bool:
    """Whether loops solve triangular systems faster, of ``n`` unknowns and so many sides."""
    most = (_FROM_THE_LEFT if left or others == 1 else _FROM_THE_RIGHT)[e.parts - 1]
    return often >= OFTEN and n <= most


class Numbers:
    """Arithmetic on elements in registers, of real and of complex numbers."""

    def __init__(self, code: Code, e: Element) -> None:
        self.code = code
        self.e = e

    def _op(self, op: str, x: str, y: str) -> str:
        return self.code.new(f"{op} {self.e.whole} {x}, {y}")

    def sub(self, x: str, y: str) -> str:
        return self._op("fsub", x, y)

    def mul(self, x: str, y: str) -> str:
        """The product; a complex one from two parts of ``x`` and turned ``y``."""
        if self.e.parts == 1:
            return self._op("fmul", x, y)
        real, imaginary = self._both(x, 0), self._both(x, 1)
        turned = self._op("fmul", self._swapped(y), self.e.constant(-1.0, 1.0))
        return self._op("fadd", self._op("fmul", real, y), self._op("fmul", imaginary, turned))

    def conj(self, x: str) -> str:
        return x if self.e.parts == 1 else self._op("fmul", x, self.e.constant(1.0, -1.0))

    def _both(self, x: str, part: int) -> str:
        """One part of a complex number in both places."""
        return self._shuffled(x, part, part)

    def _swapped(self, x: str) -> str:
        return self._shuffled(x, 1, 0)

    def _shuffled(self, x: str, first: int, second: int) -> str:
        mask = f"<2 x i32> <i32 {first}, i32 {second}>"
        return self.code.new(f"shufflevector {self.e.whole} {x}, {self.e.whole} {x}, {mask}")

    def part(self, x: str, number: int = 0) -> str:
        """The real or the imaginary part, as a real number."""
        if self.e.parts == 1:
            return x
        return self.code.new(f"extractelement {self.e.whole} {x}, i32 {number}")

    def from_real(self, x: str) -> str:
        if self.e.parts == 1:
            return x
        return self.code.new(
            f"insertelement {self.e.whole} zeroinitializer, {self.e.real} {x}, i32 0"
        )

    def times_real(self, x: str, y: str) -> str:
        if self.e.parts == 1:
            return self._op("fmul", x, y)
        return self._op("fmul", x, self._both(self.from_real(y), 0))

    def size(self, x: str) -> str:
        """LAPACK's size of a number: the sum of its parts' sizes."""
        real = self.e.real
        name = self.code.module.intrinsic(
            f"llvm.fabs.{'f64' if real == 'double' else 'f32'}", real, real
        )
        sizes = [
            self.code.new(f"call {real} {name}({real} {self.part(x, k)})")
            for k in range(self.e.parts)
        ]
        return sizes[0] if len(sizes) == 1 else self.code.new(f"fadd {real} {sizes[0]}, {sizes[1]}")

    def rotation(self, x: str, y: str) -> tuple[str, str]:
        """Cosine and sine of the angle of two real numbers; no rotation for zeros: (0, 0)."""
        code, real = self.code, self.e.real
        width = "f64" if real == "double" else "f32"
        for name in ("fabs", "sqrt"):
            code.module.intrinsic(f"llvm.{name}.{width}", real, real)
        sizes = [code.new(f"call {real} @llvm.fabs.{width}({real} {v})") for v in (x, y)]
        first = code.new(f"fcmp ogt {real} {sizes[0]}, {sizes[1]}")
        large = code.new(f"select i1 {first}, {real} {sizes[0]}, {real} {sizes[1]}")
        nothing = code.new(f"fcmp oeq {real} {large}, {self.e.number(0.0)}")
        scale = code.new(f"select i1 {nothing}, {real} {self.e.number(1.0)}, {real} {large}")
        parts = [code.new(f"fdiv {real} {v}, {scale}") for v in (x, y)]
        squares = [self.mul(v, v) for v in parts]
        total = code.new(f"fadd {real} {squares[0]}, {squares[1]}")
        length = code.new(f"call {real} @llvm.sqrt.{width}({real} {total})")
        length = code.new(f"select i1 {nothing}, {real} {self.e.number(1.0)}, {real} {length}")
        cosine, sine = [code.new(f"fdiv {real} {v}, {length}") for v in parts]
        return cosine, sine

    def root(self, x: str) -> str:
        """The square root of a complex number right of the imaginary axis."""
        code, real = self.code, self.e.real
        width = "f64" if real == "double" else "f32"
        for name, count in (("fabs", 1), ("sqrt", 1), ("copysign", 2)):
            code.module.intrinsic(f"llvm.{name}.{width}", real, *[real] * count)

        def call(name: str, *values: str) -> str:
            given = ", ".join([f"{real} {v}" for v in values])
            return code.new(f"call {real} @llvm.{name}.{width}({given})")

        a, b = self.part(x, 0), self.part(x, 1)
        sizes = [call("fabs", v) for v in (a, b)]
        first = code.new(f"fcmp ogt {real} {sizes[0]}, {sizes[1]}")
        large = code.new(f"select i1 {first}, {real} {sizes[0]}, {real} {sizes[1]}")
        nothing = code.new(f"fcmp oeq {real} {large}, {self.e.number(0.0)}")
        scale = code.new(f"select i1 {nothing}, {real} {self.e.number(1.0)}, {real} {large}")
        c, d = [code.new(f"fdiv {real} {v}, {scale}") for v in sizes]
        squares = [code.new(f"fmul {real} {v}, {v}") for v in (c, d)]
        modulus = call("sqrt", code.new(f"fadd {real} {squares[0]}, {squares[1]}"))
        half = code.new(
            f"fmul {real} {code.new(f'fadd {real} {modulus}, {c}')}, {self.e.number(0.5)}"
        )
        longer = code.new(f"fmul {real} {call('sqrt', half)}, {call('sqrt', scale)}")
        twice = code.new(f"fmul {real} {longer}, {self.e.number(2.0)}")
        shorter = code.new(f"fdiv {real} {sizes[1]}, {twice}")
        shorter = code.new(f"select i1 {nothing}, {real} {self.e.number(0.0)}, {real} {shorter}")
        right = code.new(f"fcmp oge {real} {a}, {self.e.number(0.0)}")
        re = code.new(f"select i1 {right}, {real} {longer}, {real} {shorter}")
        im = code.new(f"select i1 {right}, {real} {shorter}, {real} {longer}")
        im = call("copysign", im, b)
        out = code.new(f"insertelement {self.e.whole} zeroinitializer, {real} {re}, i32 0")
        return code.new(f"insertelement {self.e.whole} {out}, {real} {im}, i32 1")

    def reciprocal(self, x: str) -> str:
        """1 / x; of a complex number after Smith, 1962, which does not overflow on the way."""
        code, real, one = self.code, self.e.real, self.e.number(1.0)
        if self.e.parts == 1:
            return code.new(f"fdiv {real} {one}, {x}")
        a, b = self.part(x, 0), self.part(x, 1)
        name = f"llvm.fabs.{'f64' if real == 'double' else 'f32'}"
        code.module.intrinsic(name, real, real)
        sizes = [code.new(f"call {real} @{name}({real} {v})") for v in (a, b)]
        first = code.new(f"fcmp oge {real} {sizes[0]}, {sizes[1]}")
        large = code.new(f"select i1 {first}, {real} {a}, {real} {b}")
        small = code.new(f"select i1 {first}, {real} {b}, {real} {a}")
        ratio = code.new(f"fdiv {real} {small}, {large}")
        total = code.new(f"fadd {real} {large}, {code.new(f'fmul {real} {small}, {ratio}')}")
        inverse = code.new(f"fdiv {real} {one}, {total}")
        scaled = code.new(f"fmul {real} {ratio}, {inverse}")
        re = code.new(f"select i1 {first}, {real} {inverse}, {real} {scaled}")
        im = code.new(f"select i1 {first}, {real} {scaled}, {real} {inverse}")
        im = code.new(f"fneg {real} {im}")
        out = code.new(f"insertelement {self.e.whole} zeroinitializer, {real} {re}, i32 0")
        return code.new(f"insertelement {self.e.whole} {out}, {real} {im}, i32 1")


# -------------------------------------------------------------------- triangles


def solve_triangle(
    code: Code,
    e: Element,
    a: str,
    b: str,
    rows: int,
    columns: int,
    *,
    left: bool,
    lower: bool,
    trans: str,
    unit: bool,
) -> None:
    """Solve ``op(a) x = b``, or from the right, in place of the row-major ``b``."""
    n = rows if left else columns
    numbers = Numbers(code, e)
    flipped = trans != "N"
    forward = (lower != flipped) == left  # the order in which unknowns follow from each other

    def entry(i: str, j: str) -> str:
        """Element (i, j) of op(a)."""
        place = code.place((j, n), (i, 1)) if flipped else code.place((i, n), (j, 1))
        value = code.load(e, a, place)
        return numbers.conj(value) if trans == "C" else value

    def earlier(i: str) -> tuple[str | int, str | int]:
        """(start, stop) of the unknowns that the i-th follows from."""
        return (0, i) if forward else (code.add(i, 1), n)

    order = {"stop": n} if forward else {"stop": 0, "start": n - 1, "step": -1}
    if left:
        with code.loop(**order) as i:
            start, stop = earlier(i)
            row = code.mul(i, columns)
            with code.loop(stop, start) as k:
                factor = entry(i, k)
                other = code.mul(k, columns)
                with code.loop(columns) as c:
                    place = code.add(row, c)
                    product = numbers.mul(factor, code.load(e, b, code.add(other, c)))
                    code.store(e, numbers.sub(code.load(e, b, place), product), b, place)
            if not unit:
                inverse = numbers.reciprocal(entry(i, i))
                with code.loop(columns) as c:
                    place = code.add(row, c)
                    code.store(e, numbers.mul(code.load(e, b, place), inverse), b, place)
        return
    with code.loop(rows) as r, code.loop(**order) as j:
        start, stop = earlier(j)
        row = code.mul(r, columns)
        place = code.add(row, j)
        with code.loop(stop, start) as k:
            product = numbers.mul(code.load(e, b, code.add(row, k)), entry(k, j))
            code.store(e, numbers.sub(code.load(e, b, place), product), b, place)
        if not unit:
            inverse = numbers.reciprocal(entry(j, j))
            code.store(e, numbers.mul(code.load(e, b, place), inverse), b, place)


# ------------------------------------------------------------------ factorizations


def cholesky(code: Code, e: Element, x: str, n: int) -> str:
    """``x = L Lᴴ`` in place of the lower triangle; whether it went wrong, as i1."""
    bad = code.cell("i1")
    code.line(f"store i1 false, ptr {bad}")
    width = "f64" if e.real == "double" else "f32"
    root = code.module.intrinsic(f"llvm.sqrt.{width}", e.real, e.real)
    numbers = Numbers(code, e)

    def length(pivot: str) -> str:
        """The root of a pivot, which must not be below zero or zero."""
        wrong = code.new(f"fcmp ole {e.real} {pivot}, {e.number(0.0)}")
        before = code.new(f"load i1, ptr {bad}")
        code.line(f"store i1 {code.new(f'or i1 {before}, {wrong}')}, ptr {bad}")
        return code.new(f"call {e.real} {root}({e.real} {pivot})")

    (_written_out if n <= _UNROLLED else _by_columns)(code, numbers, x, n, length)
    return code.new(f"load i1, ptr {bad}")


def _written_out(
    code: Code, numbers: Numbers, x: str, n: int, length: Callable[[str], str]
) -> None:
    """All elements in registers."""
    e = numbers.e
    rows: list[list[str]] = []
    inverses: list[str] = []
    for i in range(n):
        row: list[str] = []
        for j in range(i + 1):
            value = code.load(e, x, i * n + j)
            for k in range(j):
                other = row[k] if i == j else rows[j][k]
                value = numbers.sub(value, numbers.mul(row[k], numbers.conj(other)))
            if i == j:
                size = length(numbers.part(value))
                inverses.append(code.new(f"fdiv {e.real} {e.number(1.0)}, {size}"))
                row.append(numbers.from_real(size))
            else:
                row.append(numbers.times_real(value, inverses[j]))
        rows.append(row)
        for j, value in enumerate(row):
            code.store(e, value, x, i * n + j)


def _by_columns(code: Code, numbers: Numbers, x: str, n: int, length: Callable[[str], str]) -> None:
    """Columns are eliminated one after the other; a copy of each lies in order."""
    e = numbers.e
    column = code.cell(f"[{n} x {e.whole}]")
    with code.loop(n) as k:
        corner = code.place((k, n), (k, 1))
        size = length(numbers.part(code.load(e, x, corner)))
        inverse = code.new(f"fdiv {e.real} {e.number(1.0)}, {size}")
        code.store(e, numbers.from_real(size), x, corner)
        after = code.add(k, 1)
        with code.loop(n, after) as i:
            place = code.place((i, n), (k, 1))
            value = numbers.times_real(code.load(e, x, place), inverse)
            code.store(e, value, x, place)
            code.store(e, numbers.conj(value), column, i)
        with code.loop(n, after) as i:
            factor = code.load(e, x, code.place((i, n), (k, 1)))
            row = code.mul(i, n)
            with code.loop(code.add(i, 1), after) as j:
                place = code.add(row, j)
                product = numbers.mul(factor, code.load(e, column, j))
                code.store(e, numbers.sub(code.load(e, x, place), product), x, place)


def lu(code: Code, e: Element, x: str, pivots: str, m: int, n: int) -> None:
    """Elimination with row exchanges in place of the row-major ``x``; int32 ``pivots``."""
    numbers = Numbers(code, e)
    best, most = code.cell("i64"), code.cell(e.real)
    with code.loop(min(m, n)) as k:
        code.line(f"store i64 {k}, ptr {best}")
        first = numbers.size(code.load(e, x, code.place((k, n), (k, 1))))
        code.line(f"store {e.real} {first}, ptr {most}")
        after = code.add(k, 1)
        with code.loop(m, after) as i:
            size = numbers.size(code.load(e, x, code.place((i, n), (k, 1))))
            known = code.new(f"load {e.real}, ptr {most}")
            more = code.new(f"fcmp ogt {e.real} {size}, {known}")
            with code.when(more):
                code.line(f"store i64 {i}, ptr {best}")
                code.line(f"store {e.real} {size}, ptr {most}")
        other = code.new(f"load i64, ptr {best}")
        narrow = code.new(f"trunc i64 {other} to i32")
        code.line(f"store i32 {narrow}, ptr {code.at(pivots, k, 'i32')}")
        row, partner = code.mul(k, n), code.mul(other, n)
        with code.when(code.new(f"icmp ne i64 {other}, {k}")), code.loop(n) as j:
            here, there = code.add(row, j), code.add(partner, j)
            upper, lower = code.load(e, x, here), code.load(e, x, there)
            code.store(e, lower, x, here)
            code.store(e, upper, x, there)
        corner = code.load(e, x, code.add(row, k))
        # a column of zeros needs no elimination, and must not be divided by its zero
        nothing = code.new(f"fcmp oeq {e.real} {numbers.size(corner)}, {e.number(0.0)}")
        inverse = numbers.reciprocal(corner)
        inverse = code.new(f"select i1 {nothing}, {e.whole} {e.constant(1.0)}, {e.whole} {inverse}")
        with code.loop(m, after) as i:
            line = code.mul(i, n)
            place = code.add(line, k)
            factor = numbers.mul(code.load(e, x, place), inverse)
            code.store(e, factor, x, place)
            with code.loop(n, after) as j:
                product = numbers.mul(factor, code.load(e, x, code.add(row, j)))
                at = code.add(line, j)
                code.store(e, numbers.sub(code.load(e, x, at), product), x, at)
