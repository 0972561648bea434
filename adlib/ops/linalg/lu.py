"""``lu``: triangular factors with row exchanges, and solving with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import from_nothing
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, neg
from adlib.ops.constructors import add_tangents
from adlib.ops.conversion import stop_gradient_p
from adlib.ops.linalg import parts
from adlib.ops.linalg.triangular import triangular_solve_p
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import broadcast_to, full_like, moveaxis, reshape
from adlib.ops.structural import pad, slice_in_dim

_INT32 = np.dtype(np.int32)

# From this many small matrices on, elimination on the whole stack beats a loop over LAPACK.
_MANY, _SMALL = 24, 12


# ------------------------------------------------------------------------- lu


def _lu_shape(x: ShapedArray) -> list[ShapedArray]:
    parts.check_matrix("lu", x)
    *batch, m, n = x.shape
    return [
        x,
        ShapedArray((*batch, min(m, n)), _INT32),
        ShapedArray((*batch, m), _INT32),
    ]


def _lu_kernel(xp: Any) -> Callable[..., Any]:
    return parts.on_cpu(xp, _factorize)


def _factorize(x: Any) -> tuple[Any, Any, Any]:
    if x.ndim > 2 and max(x.shape[-2:]) <= _SMALL and x.size > _MANY * x.shape[-1] * x.shape[-2]:
        lu, pivots = _eliminate(x)
    else:
        lu, pivots = parts.each_matrix(_getrf, (2,), x)
    return lu, pivots, _permutation(pivots, x.shape[-2])


def _getrf(x: Any) -> tuple[Any, Any]:
    if x.size == 0:
        return x.copy(), np.arange(min(x.shape), dtype=_INT32)
    lu, pivots, _ = getattr(parts.libraries.lapack, parts.letter(x.dtype) + "getrf")(x)
    return lu, pivots.astype(_INT32, copy=False)


def _eliminate(x: Any) -> tuple[Any, Any]:
    """Gaussian elimination with partial pivoting on a stack of square or other matrices."""
    *batch, m, n = x.shape
    lu = x.reshape((-1, m, n)).copy()
    every = np.arange(lu.shape[0])
    pivots = np.empty((lu.shape[0], min(m, n)), _INT32)
    for k in range(min(m, n)):
        column = lu[:, k:, k]
        # LAPACK's size of a complex number, so that both take the same pivots
        size = (
            np.abs(column.real) + np.abs(column.imag)
            if column.dtype.kind == "c"
            else (np.abs(column))
        )
        best = k + np.argmax(size, axis=1)
        pivots[:, k] = best
        swapped = lu[every, best]
        lu[every, best] = lu[:, k]
        lu[:, k] = swapped
        pivot = lu[:, k, k, None]
        # a column of zeros needs no elimination, and must not divide by its zero pivot
        lu[:, k + 1 :, k] /= np.where(pivot == 0, np.ones_like(pivot), pivot)
        lu[:, k + 1 :, k + 1 :] -= lu[:, k + 1 :, k, None] * lu[:, None, k, k + 1 :]
    return lu.reshape(x.shape), pivots.reshape((*batch, min(m, n)))


def _permutation(pivots: Any, size: int) -> Any:
    """The rearrangement that exchanging row i with row pivots[i], one by one, amounts to."""
    if pivots.ndim == 1:
        places = list(range(size))
        for k, other in enumerate(pivots.tolist()):
            places[k], places[other] = places[other], places[k]
        return np.array(places, _INT32)
    batch = pivots.shape[:-1]
    flat = pivots.reshape((-1, pivots.shape[-1]))
    order = np.broadcast_to(np.arange(size, dtype=_INT32), (flat.shape[0], size)).copy()
    every = np.arange(flat.shape[0])
    for k in range(flat.shape[1]):
        other = flat[:, k]
        first = order[:, k].copy()
        order[:, k] = order[every, other]
        order[every, other] = first
    return order.reshape((*batch, size))


def _lu_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """From ``P dx = dL U + L dU``: split ``L⁻¹ (P dx) U⁻¹`` into its two triangles.

    A factor that is not square is completed by an identity (de Hoog, Anderssen & Lukas,
    "Differentiation of matrix functionals using triangular factorization", 2011).
    """
    (x,), (dx,) = primals, tangents
    lu, pivots, permutation = lu_p.bind(x)
    integers = [Zero.like(pivots), Zero.like(permutation)]
    if type(dx) is Zero:
        return [lu, pivots, permutation], [Zero.like(lu), *integers]
    *batch, m, n = x.aval.shape
    left = _completed(parts.lower(lu, -1), m, min(m, n), axis=-1, diagonal=m)
    right = _completed(parts.upper(lu), n, min(m, n), axis=-2, diagonal=n - min(m, n))
    solve = partial(triangular_solve_p.bind, transpose_a=False, conjugate_a=False)
    rows = parts.product(parts.one_hot_rows(permutation, dx), dx)
    inner = solve(left, rows, left_side=True, lower=True, unit_diagonal=True)
    inner = solve(right, inner, left_side=False, lower=False, unit_diagonal=False)
    d_left = parts.product(left, parts.lower(inner, -1))
    d_right = parts.product(parts.upper(inner), right)
    return [lu, pivots, permutation], [add(d_left, d_right), *integers]


def _completed(factor: Any, size: int, rank: int, axis: int, diagonal: int) -> Any:
    """A factor made square: ones on the last ``diagonal`` places of the main diagonal."""
    place = len(factor.aval.shape) + axis
    extra = size - factor.aval.shape[place]
    if extra > 0:
        config = [(0, 0, 0)] * len(factor.aval.shape)
        config[place] = (0, extra, 0)
        factor = pad(factor, full_like(factor, 0), config)
    elif extra < 0:
        factor = slice_in_dim(factor, 0, size, 1, place)
    ones = np.diag((np.arange(size) >= size - diagonal).astype(factor.aval.dtype))
    value = ones.reshape((1,) * (len(factor.aval.shape) - 2) + ones.shape)
    return add(factor, from_nothing(value, ShapedArray(value.shape, value.dtype)))


lu_p: Primitive = define_primitive(
    "lu",
    shape=_lu_shape,
    kernel=_lu_kernel,
    jvp=_lu_jvp,
    batch=parts.stacked_batch(lambda: lu_p),
    multiple_results=True,
    samples=lambda: [
        Sample((normal(3, 3),)),
        Sample((normal(2, 3),), name="wide"),
        Sample((normal(3, 2),), name="tall"),
        Sample((normal(2, 2, dtype=np.complex64),), name="complex"),
        Sample((normal(2, 2, 2),), name="stack"),
    ],
)


def lu(x: Any) -> tuple[Any, Any, Any]:
    """``x = P L U`` by Gaussian elimination with partial pivoting.

    Args:
      x: (..., m, n), float or complex.

    Returns:
      The factors in one (..., m, n) array (U above, L without its unit diagonal below), the
      row exchanges as int32 (..., min(m, n)) and as a permutation of rows (..., m):
      ``x[permutation] = L U``.

    >>> from adlib.lax import linalg
    >>> import adlib.numpy as jnp
    >>> factors, pivots, permutation = linalg.lu(jnp.array([[0.0, 2.0], [1.0, 3.0]]))
    >>> factors, permutation
    (Array([[1., 3.],
           [0., 2.]], dtype=float32), Array([1, 0], dtype=int32))
    """
    (x,) = operands("lu", x)
    factors, pivots, permutation = lu_p.bind(x)
    return factors, pivots, permutation


# -------------------------------------------------- lu_pivots_to_permutation


def _pivots_shape(pivots: ShapedArray, *, permutation_size: int) -> ShapedArray:
    if pivots.ndim < 1 or not dtypes.is_integer(pivots.dtype):
        raise TypeError(
            f"lu_pivots_to_permutation takes integers of shape (..., k), got "
            f"{pivots.str_short()}.{here()}"
        )
    if permutation_size < pivots.shape[-1]:
        raise ValueError(
            f"lu_pivots_to_permutation: permutation_size {permutation_size} is less than the "
            f"number of pivots {pivots.shape[-1]}.{here()}"
        )
    return ShapedArray((*pivots.shape[:-1], permutation_size), pivots.dtype)


def _no_tangent(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    ans = lu_pivots_to_permutation_p.bind(*primals, **params)
    return ans, Zero.like(ans)


lu_pivots_to_permutation_p: Primitive = define_primitive(
    "lu_pivots_to_permutation",
    shape=_pivots_shape,
    kernel=lambda xp, permutation_size: parts.on_cpu(
        xp, lambda pivots: _permutation(pivots, permutation_size).astype(pivots.dtype, copy=False)
    ),
    jvp=_no_tangent,
    batch=parts.stacked_batch(lambda: lu_pivots_to_permutation_p),
    samples=lambda: [Sample((np.array([2, 2, 2], np.int32),), dict(permutation_size=4))],
)


def lu_pivots_to_permutation(pivots: Any, permutation_size: int) -> Any:
    """The permutation of ``permutation_size`` rows that row exchanges amount to.

    ``pivots`` are (..., k) integers: row i was exchanged with row ``pivots[..., i]``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.linalg.lu_pivots_to_permutation(jnp.array([2, 1, 2]), 3)
    Array([2, 1, 0], dtype=int32)
    """
    (pivots,) = operands("lu_pivots_to_permutation", pivots)
    return lu_pivots_to_permutation_p.bind(pivots, permutation_size=int(permutation_size))


# -------------------------------------------------------------- solve with lu


def _solve_shape(
    a: ShapedArray, factors: ShapedArray, pivots: ShapedArray, b: ShapedArray, *, trans: int
) -> ShapedArray:
    if b.ndim != a.ndim or b.shape[:-1] != a.shape[:-1]:
        raise ValueError(
            f"solve: the right-hand sides of shape {b.shape} do not fit matrices of shape "
            f"{a.shape}.{here()}"
        )
    return ShapedArray(b.shape, b.dtype, a.weak_type and b.weak_type)


def _solve_kernel(xp: Any, trans: int) -> Callable[..., Any]:
    def solve(a: Any, factors: Any, pivots: Any, b: Any) -> Any:
        count = factors.size // max(1, factors.shape[-1] ** 2)
        if factors.ndim > 2 and factors.shape[-1] <= _SMALL and count > _MANY:
            return _substitute_all(trans, factors, pivots, b)
        return parts.each_matrix(partial(_getrs, trans), (2, 1, 2), factors, pivots, b)

    return parts.on_cpu(xp, solve)


def _getrs(trans: int, factors: Any, pivots: Any, b: Any) -> Any:
    if b.size == 0:
        return b.copy()
    routine = getattr(parts.libraries.lapack, parts.letter(b.dtype) + "getrs")
    # SciPy's wrapper counts the pivots from 1 where they are while it runs: not in our memory
    return routine(factors, pivots.copy(), b, trans=trans)[0]


def _substitute_all(trans: int, factors: Any, pivots: Any, b: Any) -> Any:
    """Forward and back substitution on a whole stack of small systems."""
    n = factors.shape[-1]
    order = _permutation(pivots, n)
    if trans == 2:
        factors = factors.conj()
    x = b.copy()
    if trans == 0:
        x = np.take_along_axis(x, order[..., None], -2)
        for k in range(n - 1):
            x[..., k + 1 :, :] -= factors[..., k + 1 :, k, None] * x[..., k, None, :]
        for k in reversed(range(n)):
            x[..., k, :] /= factors[..., k, k, None]
            x[..., :k, :] -= factors[..., :k, k, None] * x[..., k, None, :]
        return x
    for k in range(n):
        x[..., k, :] /= factors[..., k, k, None]
        x[..., k + 1 :, :] -= factors[..., k, k + 1 :, None] * x[..., k, None, :]
    for k in reversed(range(1, n)):
        x[..., :k, :] -= factors[..., k, :k, None] * x[..., k, None, :]
    out = np.empty_like(x)
    np.put_along_axis(out, order[..., None], x, -2)
    return out


def _solve_jvp(primals: Sequence[Any], tangents: Sequence[Any], *, trans: int) -> tuple[Any, Any]:
    """``op(a) dx = db - op(da) x`` (Giles 2008, section 2.2.3), with the same factors."""
    a, factors, pivots, b = primals
    da, _, _, db = tangents
    x = lu_solve_p.bind(a, factors, pivots, b, trans=trans)
    if type(da) is not Zero:
        if trans:
            da = parts.adjoint(da) if trans == 2 else parts.matrix_transpose(da)
        db = add_tangents(db, neg(parts.product(da, x)))
    if type(db) is Zero:
        return x, Zero.like(x)
    return x, lu_solve_p.bind(a, factors, pivots, db, trans=trans)


def _solve_transpose(
    ct: Any, a: Any, factors: Any, pivots: Any, b: Any, *, trans: int
) -> tuple[Any, ...]:
    if is_undefined_primal(a) or is_undefined_primal(factors):
        raise NotImplementedError("Transposition of solve in its matrix: it is not linear in that.")
    if trans == 2:
        conjugated = lu_solve_p.bind(a, factors, pivots, parts.conjugate(ct), trans=0)
        return None, None, None, parts.conjugate(conjugated)
    return None, None, None, lu_solve_p.bind(a, factors, pivots, ct, trans=1 - trans)


def _solve_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, trans: int
) -> tuple[Any, int]:
    a, factors, pivots, b = args
    if dims[:3] == [None] * 3 and len(factors.aval.shape) == 2:
        # one matrix: the batch becomes more right-hand sides of one system
        b = moveaxis(b, dims[3], 1)
        shape = b.aval.shape
        x = lu_solve_p.bind(
            a, factors, pivots, reshape(b, (shape[0], shape[1] * shape[2])), trans=trans
        )
        return reshape(x, shape), 1
    moved = [parts.at_front(axis, x, d) for x, d in zip(args, dims, strict=True)]
    return lu_solve_p.bind(*moved, trans=trans), 0


def _factored(*shape: int, dtype: Any = np.float64) -> tuple[Any, ...]:
    """Sample arguments: matrices with their factors."""
    x = normal(*shape, dtype=dtype)(np.random.default_rng(1)) + 2 * np.eye(shape[-1])
    factors, pivots, _ = _factorize(x)
    narrow = np.complex64 if np.dtype(dtype).kind == "c" else np.float32
    return x.astype(narrow), factors.astype(narrow), pivots


# The factors are the matrix's own, whose tangent says it all: theirs are not looked at.
lu_solve_p: Primitive = define_primitive(
    "lu_solve",
    shape=_solve_shape,
    kernel=_solve_kernel,
    jvp=_solve_jvp,
    transpose=_solve_transpose,
    batch=_solve_batch,
    samples=lambda: [
        Sample((*_factored(3, 3), normal(3, 2)), dict(trans=0)),
        Sample((*_factored(3, 3), normal(3, 1)), dict(trans=1), "transposed"),
        Sample(
            (*_factored(2, 2, dtype=np.complex128), normal(2, 2, dtype=np.complex64)),
            dict(trans=2),
            "adjoint",
        ),
        Sample((*_factored(2, 2, 2), normal(2, 2, 1)), dict(trans=0), "stack"),
    ],
)


def solve(a: Any, b: Any, trans: int = 0) -> Any:
    """``x`` with ``op(a) x = b`` for stacks of matrices with equal leading axes.

    ``trans`` 0, 1, 2 makes op the identity, the transpose or the adjoint. One factorization
    serves the solution, its tangents and its cotangents.
    """
    factors, pivots, _ = lu_p.bind(stop_gradient_p.bind(a))
    return lu_solve_p.bind(a, factors, pivots, b, trans=trans)


def inverse(a: Any) -> Any:
    """The inverses of square matrices."""
    eye = parts.constant("eye", a)
    if eye.aval.shape != a.aval.shape:
        return solve(a, broadcast_to(eye, a.aval.shape))
    return solve(a, eye)
