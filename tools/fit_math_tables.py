"""Make ``adlib/compile/mathfns/tables.py``: the polynomials inside of the math functions.

    python tools/fit_math_tables.py > adlib/compile/mathfns/tables.py

Each polynomial interpolates a smooth function at the Chebyshev nodes of an interval, which is
within a small factor of the best possible (Trefethen, *Approximation Theory and Approximation
Practice*, chapters 4 and 16), computed with 80 digits and then rounded. Needs mpmath.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from mpmath import mp, mpf

mp.dps = 80
Real = Callable[[mpf], mpf]


def fit(function: Real, low: float, high: float, degree: int) -> list[mpf]:
    """Coefficients, lowest first, of the polynomial through the Chebyshev nodes."""
    count = degree + 1
    middle, half = (mpf(low) + mpf(high)) / 2, (mpf(high) - mpf(low)) / 2
    nodes = [middle + half * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
    matrix = mp.matrix(count, count)
    for i, node in enumerate(nodes):
        for j in range(count):
            matrix[i, j] = node**j
    return list(mp.lu_solve(matrix, mp.matrix([function(node) for node in nodes])))


def exp_tail(r: mpf) -> mpf:
    if abs(r) < mpf(10) ** -40:
        return mpf(1) / 2
    return (mp.expm1(r) - r) / r**2


def log_tail(z: mpf) -> mpf:
    s = mp.sqrt(z)
    return (mp.log((1 + s) / (1 - s)) / s - 2) / z


def log_more(z: mpf) -> mpf:
    return (log_tail(z) - mpf(2) / 3) / z


def sin_tail(z: mpf) -> mpf:
    r = mp.sqrt(z)
    return (mp.sin(r) / r - 1) / z


def cos_tail(z: mpf) -> mpf:
    return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2


def asin_tail(z: mpf) -> mpf:
    s = mp.sqrt(z)
    return (mp.asin(s) / s - 1) / z


def atan_tail(z: mpf) -> mpf:
    q = mp.sqrt(z)
    return (mp.atan(q) / q - 1) / z


def erf_tail(z: mpf) -> mpf:
    x = mp.sqrt(z)
    return mp.erf(x) / x - 1


def erfc_scaled(t: mpf) -> mpf:
    """(1 + 2x)·exp(x²)·erfc(x) with x = 2(1 + t)/(1 - t)."""
    x = 2 * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def log_erfc(v: mpf) -> mpf:
    return mp.log(mp.erfc(v + mpf(LOG_ERFC_START)))


def cube_root(m: mpf) -> mpf:
    return mp.cbrt(m)


def erf_inv_of(w: mpf) -> mpf:
    """erfinv(x)/x with w = -log(1 - x²)."""
    complement = mp.exp(-w)
    x = mp.sqrt(1 - complement)
    small = complement / (1 + x)  # 1 - x
    return _inverse_erfc(small) / x


def _inverse_erfc(y: mpf) -> mpf:
    """The root of erfc(u) = y, by Newton's method on the logarithm."""
    u = mp.sqrt(-mp.log(y * mp.sqrt(mp.pi))) if y < 0.1 else mp.erfinv(1 - mpf(float(y)))
    for _ in range(12):
        value = mp.erfc(u)
        step = (mp.log(value) - mp.log(y)) * value / (-2 / mp.sqrt(mp.pi) * mp.exp(-u * u))
        u -= step
        if abs(step) < mpf(10) ** -60:
            break
    return u


def end_of(x: float) -> mpf:
    """Where t stands for x in ``erfc_scaled``."""
    return (mpf(x) - 2) / (mpf(x) + 2)


LOG_ERFC_START = 0.84375
ROOT_EIGHTH = float((mp.sqrt(2) - 1) ** 2) * 1.0001  # tan(π/8)²
LOG_END = float(((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2) * 1.001
QUARTER = float((mp.pi / 4) ** 2) * 1.001

# name: (function, low, high, degree in float32, degree in float64)
FITS: dict[str, tuple[Real, float, float, int, int]] = {
    "exp": (exp_tail, -0.3476, 0.3476, 4, 10),
    "log": (log_tail, 0, LOG_END, 3, 7),
    "log_more": (log_more, 0, LOG_END, 3, 7),
    "sin": (sin_tail, 0, QUARTER, 3, 6),
    "cos": (cos_tail, 0, QUARTER, 3, 6),
    "asin": (asin_tail, 0, 0.2501, 6, 13),
    "atan": (atan_tail, 0, ROOT_EIGHTH, 5, 12),
    "erf": (erf_tail, 0, 0.7225, 7, 13),
    "erfc": (erfc_scaled, -1, float(end_of(28.0)), 12, 24),
    "log_erfc": (log_erfc, 0, 3.2, 10, 10),
    "cbrt": (cube_root, 1, 2, 3, 3),
}
# pieces of erf_inv: (name, first w, last w, centre, whether in √w, degrees)
ERF_INV = {
    np.float32: [("erf_inv_0", 0, 5, 2.5, False, 9), ("erf_inv_1", 5, 17, 3.0, True, 9)],
    np.float64: [
        ("erf_inv_0", 0, 6.25, 3.125, False, 23),
        ("erf_inv_1", 6.25, 16, 3.25, True, 19),
        ("erf_inv_2", 16, 37.5, 5.0, True, 17),
    ],
}


def erf_inv_piece(first: float, last: float, centre: float, root: bool, degree: int) -> list[mpf]:
    if not root:
        return fit(lambda v: erf_inv_of(v + centre), first - centre, last - centre, degree)
    ends = [float(mp.sqrt(w)) - centre for w in (first, last)]
    return fit(lambda v: erf_inv_of((v + centre) ** 2), *ends, degree)


def table(dtype: type[np.floating], place: int) -> dict[str, list[mpf]]:
    tables = {name: fit(f, low, high, row[place]) for name, (f, low, high, *row) in FITS.items()}
    for name, *piece in ERF_INV[dtype]:
        tables[name] = erf_inv_piece(*piece)
    return tables


def written(name: str, dtype: type[np.floating], tables: dict[str, list[mpf]]) -> list[str]:
    lines = [f"{name}: dict[str, tuple[float, ...]] = {{"]
    for key, coefficients in tables.items():
        lines.append(f'    "{key}": (')
        lines += [f"        {float(dtype(mp.nstr(c, 40)))!r}," for c in coefficients]
        lines.append("    ),")
    return [*lines, "}"]


def main() -> None:
    bits = 1280
    lines = [
        '"""Coefficients, lowest first, made by tools/fit_math_tables.py; not written by hand."""',
        "",
        *written("FLOAT32", np.float32, table(np.float32, 0)),
        "",
        *written("FLOAT64", np.float64, table(np.float64, 1)),
        "",
        f"# 2/π · 2**{bits}, for the reduction of huge arguments",
        f"TWO_OVER_PI_BITS = {bits}",
        "TWO_OVER_PI = int(",
    ]
    mp.dps = 420
    digits = hex(int(mp.floor(2 / mp.pi * mpf(2) ** bits)))[2:]
    pieces = [f'    "{digits[i : i + 80]}"' for i in range(0, len(digits), 80)]
    ln2 = int(mp.floor(mp.ln2 * mpf(2) ** 256))
    tail = ["", "# log 2 · 2**256", f"LN2 = 0x{ln2:X}"]
    print("\n".join([*lines, *pieces[:-1], f"{pieces[-1]},", "    16,", ")", *tail]))


if __name__ == "__main__":
    main()
