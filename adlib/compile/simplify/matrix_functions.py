"""Functions of matrices as the factorizations and arithmetic that they are: determinants,
cofactors, pseudo-inverses, exponentials, polar decompositions. What they are made of is native
and fuses.

Small matrices of single precision are worked on in double, as NumPy does, so that a program
gives the numbers of its eager run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.compile.simplify.inlining import paste
from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.control.while_loop import while_loop
from adlib.core import dtypes
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn
from adlib.core.primitive import Primitive
from adlib.interpreters.stage import stage
from adlib.ops.arithmetic import add, div, eq, exp, gt, log, lt, mul, sub
from adlib.ops.bitwise import bitwise_and, bitwise_not, bitwise_or
from adlib.ops.conversion import convert
from adlib.ops.cumulative import cumprod
from adlib.ops.elementary import cbrt, exp2, sqrt
from adlib.ops.filling import broadcasted_iota
from adlib.ops.linalg import parts
from adlib.ops.linalg.determinant import det_p
from adlib.ops.linalg.lu import lu_p, solve
from adlib.ops.linalg.matrix_functions import expm_p, sqrtm_p
from adlib.ops.linalg.qr import qr_p
from adlib.ops.linalg.svd import svd_p
from adlib.ops.reductions import reduce_max, reduce_or, reduce_prod
from adlib.ops.reshaping import broadcast_to, full_like, reduce_sum, reshape, zeros
from adlib.ops.rounding import abs as abs_
from adlib.ops.rounding import ceil, is_finite, sign
from adlib.ops.selection import select
from adlib.ops.stacking import concatenate
from adlib.ops.structural import rev, slice_in_dim
from adlib.ops.structural import slice as slice_

_WIDENED = 48  # rows up to which single precision is computed in double


def expand_matrix_functions(closed: ClosedJaxpr, log_: Log) -> ClosedJaxpr:
    """Write functions of matrices out. Equal up to rounding."""

    def rule(eqn: Eqn, writer: Writer) -> Sequence[Atom] | None:
        function = _FUNCTIONS.get(eqn.primitive.name)
        if function is None:
            return None
        x = eqn.invars[0].aval
        if x.dtype not in parts.FULL or x.size == 0:
            return None
        program = stage(lambda *xs: function(*xs, **eqn.params), [v.aval for v in eqn.invars])
        if [v.aval for v in program.jaxpr.outvars] != [v.aval for v in eqn.outvars]:
            return None
        log_.note(eqn, "replaced by factorizations and arithmetic")
        return paste(program, eqn.invars, rule, writer)

    return rewrite(closed, rule, log_, _FUNCTIONS)


def _wide(x: Any) -> Any:
    """A small matrix in double precision."""
    dtype, sizes = x.aval.dtype, x.aval.shape[-2:]
    if np.finfo(dtype).bits == 64 or sizes[0] > _WIDENED or sizes[1] > _WIDENED:
        return x
    return convert(x, np.dtype(f"{dtype.kind}{2 * dtype.itemsize}"))


# ------------------------------------------------------------------- determinants


def _det(x: Any) -> Sequence[Any]:
    n = x.aval.shape[-1]
    if n <= 3:
        return [_small_det(x, n)]
    pivots, signs = _diagonal_of_lu(_wide(x))
    if n <= _WIDENED:
        out = reduce_prod(mul(pivots, signs), (pivots.aval.ndim - 1,))
        out = select(_singular(pivots), _like(out, 0), out)
    else:  # the product of many pivots may leave the range of numbers on the way
        phase, total = _phase_and_log(pivots, signs)
        out = mul(phase, convert(exp(total), phase.aval.dtype))
    return [convert(out, x.aval.dtype)]


def _singular(pivots: Any) -> Any:
    """Whether a pivot vanished, as LAPACK tells."""
    return reduce_or(eq(pivots, full_like(pivots, 0)), (pivots.aval.ndim - 1,))


def _like(x: Any, number: float) -> Any:
    return broadcast_to(full_like(x, number), x.aval.shape)


def _small_det(x: Any, n: int) -> Any:
    """As the kernel computes it, term by term."""
    batch = x.aval.shape[:-2]

    def entry(i: int, j: int) -> Any:
        starts, stops = (*[0] * len(batch), i, j), (*batch, i + 1, j + 1)
        return reshape(slice_(x, starts, stops), batch)

    a = [[entry(i, j) for j in range(n)] for i in range(n)]
    if n == 1:
        return a[0][0]
    if n == 2:
        return sub(mul(a[0][0], a[1][1]), mul(a[0][1], a[1][0]))
    (p, q, r), (s, t, u), (v, w, z) = a
    total = add(add(_product(p, t, z), _product(q, u, v)), _product(r, s, w))
    for term in ((r, t, v), (p, u, w), (q, s, z)):
        total = sub(total, _product(*term))
    return total


def _product(x: Any, y: Any, z: Any) -> Any:
    return mul(mul(x, y), z)


def _diagonal_of_lu(x: Any) -> tuple[Any, Any]:
    """The pivots of elimination, and -1 for each exchange of rows."""
    *batch, n, _ = x.aval.shape
    factors, exchanges, _ = lu_p.bind(x)
    flat = reshape(factors, (*batch, n * n))
    diagonal = slice_in_dim(flat, 0, n * n, n + 1, len(batch))
    places = broadcasted_iota(np.int32, (*batch, n), len(batch))
    ones = _like(diagonal, 1)
    return diagonal, select(eq(exchanges, places), ones, _like(diagonal, -1))


def _slogdet(x: Any) -> Sequence[Any]:
    phase, total = _phase_and_log(*_diagonal_of_lu(_wide(x)))
    return [convert(phase, x.aval.dtype), convert(total, dtypes.real_of(x.aval.dtype))]


def _phase_and_log(pivots: Any, signs: Any) -> tuple[Any, Any]:
    """The determinant as a number of size 1, and the logarithm of its size."""
    kind = pivots.aval.dtype.kind
    double = np.dtype(np.complex128 if kind == "c" else np.float64)
    pivots, signs = convert(pivots, double), convert(signs, double)
    axis = (pivots.aval.ndim - 1,)
    if kind == "c":
        units = mul(sign(pivots), signs)
    else:  # that of NaN is 1
        units = select(lt(pivots, _like(pivots, 0)), sub(_like(signs, 0), signs), signs)
    phase, total = reduce_prod(units, axis), reduce_sum(log(abs_(pivots)), axis)
    singular = _singular(pivots)
    phase = select(singular, _like(phase, 0), phase)
    return phase, select(singular, _like(total, -np.inf), total)


def _cofactors(x: Any) -> Sequence[Any]:
    """From ``x = U S Vᴴ``: ``det(U) det(Vᴴ) U* adj(S) Vᵀ``, which singular values of 0 suit."""
    s, u, vh = svd_p.bind(_wide(x), full_matrices=True, compute_uv=True, subset_by_index=None)
    last = s.aval.ndim - 1
    n = s.aval.shape[-1]
    ones = broadcast_to(full_like(s, 1), (*s.aval.shape[:-1], 1))
    before = cumprod(concatenate([ones, slice_in_dim(s, 0, n - 1, 1, last)], last), last)
    others = rev(slice_in_dim(s, 1, n, 1, last), (last,))
    after = rev(cumprod(concatenate([ones, others], last), last), (last,))
    scale = convert(mul(before, after), u.aval.dtype)
    scale = mul(scale, parts.rows(mul(det_p.bind(u), det_p.bind(vh))))
    out = parts.product(mul(parts.conjugate(u), parts.columns(scale)), parts.conjugate(vh))
    return [convert(out, x.aval.dtype)]


# ---------------------------------------------------------------- pseudo-inverses


def _pinv(x: Any, rtol: Any) -> Sequence[Any]:
    s, u, vh = svd_p.bind(_wide(x), full_matrices=False, compute_uv=True, subset_by_index=None)
    last = s.aval.ndim - 1
    largest = slice_in_dim(s, 0, 1, 1, last)
    least = mul(convert(parts.rows(rtol), s.aval.dtype), largest)
    least = broadcast_to(least, s.aval.shape)
    inverse = select(gt(s, least), div(full_like(s, 1), s), _like(s, 0))
    scaled = mul(parts.adjoint(vh), parts.columns(convert(inverse, u.aval.dtype)))
    return [convert(parts.product(scaled, parts.adjoint(u)), x.aval.dtype)]


# ------------------------------------------------------------------- exponentials

# Coefficients of the Padé approximant of order 13, and the norm up to which it is exact to
# double precision: Higham, "The scaling and squaring method for the matrix exponential
# revisited", 2005.
_PADE = (
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
    10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
)  # fmt: skip
_NORM = 5.371920351148152


def _expm(x: Any) -> Sequence[Any]:
    """Scaling by powers of two, a rational approximation, squaring as often as was halved."""
    given, x = x.aval.dtype, _wide(x)
    rank = x.aval.ndim
    norm = reduce_max(reduce_sum(abs_(x), (rank - 2,)), (rank - 2,))
    excess = div(log(div(norm, full_like(norm, _NORM))), full_like(norm, np.log(2.0)))
    zero = _like(norm, 0)
    inside = is_finite(norm)
    halvings = select(bitwise_and(inside, gt(excess, zero)), ceil(excess), zero)
    shrink = exp2(sub(zero, halvings))
    scaled = mul(x, convert(_for_each_entry(shrink, x), x.aval.dtype))
    out = _squared(_rational(scaled), halvings)
    return [convert(select(_for_each_entry(inside, out), out, _like(out, np.nan)), given)]


def _for_each_entry(numbers: Any, x: Any) -> Any:
    """One number for each matrix, repeated for the matrix's entries."""
    return broadcast_to(parts.rows(parts.rows(numbers)), x.aval.shape)


def _rational(x: Any) -> Any:
    b = [full_like(x, float(c)) for c in _PADE]
    eye = parts.constant("eye", x)
    x2 = parts.product(x, x)
    x4 = parts.product(x2, x2)
    x6 = parts.product(x4, x2)

    def every_second(first: int) -> Any:
        """The terms of even or of odd order, these without a factor x."""
        high = add(add(mul(x6, b[first + 12]), mul(x4, b[first + 10])), mul(x2, b[first + 8]))
        low = add(add(mul(x6, b[first + 6]), mul(x4, b[first + 4])), mul(x2, b[first + 2]))
        return add(add(parts.product(x6, high), low), mul(eye, b[first]))

    even, odd = every_second(0), parts.product(x, every_second(1))
    return solve(sub(even, odd), add(even, odd))


def _squared(x: Any, times: Any) -> Any:
    """Each matrix squared as often as its number says."""
    most = times
    if times.aval.ndim:
        most = reduce_max(times, tuple(range(times.aval.ndim)))

    def square(state: Any) -> Any:
        x, done = state
        more = lt(broadcast_to(done, times.aval.shape), times)
        squared = select(_for_each_entry(more, x), parts.product(x, x), x)
        return squared, add(done, full_like(done, 1))

    start = full_like(most, 0)
    return while_loop(lambda state: lt(state[1], most), square, (x, start))[0]


def _derivative(function: Primitive) -> Callable[..., Sequence[Any]]:
    """The corner of the function of ``[[a, e], [0, a]]`` (Mathias 1996)."""

    def derivative(a: Any, e: Any) -> Sequence[Any]:
        n, rank = a.aval.shape[-1], a.aval.ndim
        top = concatenate([a, e], rank - 1)
        below = concatenate([zeros(a.aval), a], rank - 1)
        whole = function.bind(concatenate([top, below], rank - 2))
        return [slice_in_dim(slice_in_dim(whole, 0, n, 1, rank - 2), n, 2 * n, 1, rank - 1)]

    return derivative


# ------------------------------------------------------------ polar decomposition


def _qdwh(x: Any, *, is_hermitian: bool, max_iterations: int, eps: float | None) -> Sequence[Any]:
    """Dynamically weighted Halley iteration (Nakatsukasa, Bai & Gygi 2010, algorithm 2).

    Each matrix of a stack goes on until it has converged; see the kernel of ``qdwh``.
    """
    rank, dtype = x.aval.ndim, x.aval.dtype
    last = (rank - 2,)
    sums = [reduce_max(reduce_sum(abs_(x), (axis,)), last) for axis in (rank - 2, rank - 1)]
    scale = sqrt(mul(*sums))
    scale = select(eq(scale, _like(scale, 0)), _like(scale, 1), scale)
    u = div(x, convert(_for_each_entry(scale, x), dtype))
    eps = float(np.finfo(dtype).eps) if eps is None else eps
    low = convert(_like(scale, eps), np.dtype(np.float64))
    count = convert(_like(low, 0), np.dtype(np.int32))
    change = _like(low, np.inf)

    def going(state: Any) -> Any:
        _, low, change, count = state
        still = gt(change, _like(change, (4 * eps) ** (1 / 3)))
        loose = gt(abs_(sub(_like(low, 1), low)), _like(low, 4 * eps))
        ended = bitwise_and(gt(count, _like(count, 0)), bitwise_not(is_finite(change)))
        early = lt(count, _like(count, max_iterations))
        return bitwise_and(bitwise_and(bitwise_or(still, loose), early), bitwise_not(ended))

    def step(state: Any) -> Any:
        u, low, change, count = state
        active = going(state)
        new, lower = _halley(u, low)
        moved = sub(new, u)
        size = reduce_sum(mul(abs_(moved), abs_(moved)), (rank - 2, rank - 1))
        size = convert(sqrt(size), change.aval.dtype)
        return (
            select(_for_each_entry(active, u), new, u),
            select(active, lower, low),
            select(active, size, change),
            add(count, convert(active, count.aval.dtype)),
        )

    def some(state: Any) -> Any:
        active = going(state)
        axes = tuple(range(active.aval.ndim))
        return reduce_or(active, axes) if axes else active

    u, _, change, count = while_loop(some, step, (u, low, change, count))
    product = parts.adjoint_product(u, x)
    h = mul(add(product, parts.adjoint(product)), full_like(product, 0.5))
    converged = bitwise_and(is_finite(change), lt(count, _like(count, max_iterations)))
    return [u, h, count, converged]


def _halley(u: Any, low: Any) -> tuple[Any, Any]:
    """One step, and the lower bound of the singular values after it."""
    one = _like(low, 1)
    square = mul(low, low)
    inside = div(mul(_like(low, 4), sub(one, square)), mul(square, square))
    d = select(lt(low, one), cbrt(inside), _like(low, 0))
    root = sqrt(add(one, d))
    rest = div(mul(_like(low, 8), sub(_like(low, 2), square)), mul(square, root))
    rest = sqrt(add(sub(_like(low, 8), mul(_like(low, 4), d)), rest))
    a = add(root, mul(rest, _like(low, 0.5)))
    b = mul(mul(sub(a, one), sub(a, one)), _like(low, 0.25))
    c = sub(add(a, b), one)
    m, n = u.aval.shape[-2:]
    rank, dtype = u.aval.ndim, u.aval.dtype

    def spread(number: Any) -> Any:
        return convert(_for_each_entry(number, u), dtype)

    eye = parts.constant("eye", slice_in_dim(u, 0, n, 1, rank - 2))
    eye = broadcast_to(eye, (*u.aval.shape[:-2], n, n))
    tall = concatenate([mul(spread(sqrt(c)), u), eye], rank - 2)
    q, _ = qr_p.bind(tall, pivoting=False, full_matrices=False)
    first, second = slice_in_dim(q, 0, m, 1, rank - 2), slice_in_dim(q, m, m + n, 1, rank - 2)
    turned = parts.product(first, parts.adjoint(second))
    ratio = div(b, c)
    new = add(mul(spread(ratio), u), mul(spread(div(sub(a, ratio), sqrt(c))), turned))
    bound = div(mul(low, add(a, mul(b, square))), add(one, mul(c, square)))
    return new, select(lt(bound, one), bound, one)


_FUNCTIONS: dict[str, Callable[..., Sequence[Any]]] = {
    "det": _det,
    "slogdet": _slogdet,
    "cofactors": _cofactors,
    "pinv": _pinv,
    "expm": _expm,
    "qdwh": _qdwh,
    "expm_frechet": _derivative(expm_p),
    "sqrtm_frechet": _derivative(sqrtm_p),
}
