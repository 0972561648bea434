"""``triangular_solve``: systems whose matrix is triangular, by substitution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import neg
from adlib.ops.constructors import add_tangents
from adlib.ops.linalg import parts
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import expand_dims, moveaxis, reshape, squeeze


def _shape(a: ShapedArray, b: ShapedArray, *, left_side: bool, **_: Any) -> ShapedArray:
    parts.check_matrix("triangular_solve", a, square=True)
    if a.dtype != b.dtype:
        raise TypeError(
            f"triangular_solve requires arguments to have equal dtypes, got {a.dtype.name}, "
            f"{b.dtype.name}.{here()}"
        )
    side = -2 if left_side else -1
    if a.ndim != b.ndim or a.shape[:-2] != b.shape[:-2] or b.shape[side] != a.shape[-1]:
        system = "a x = b" if left_side else "x a = b"
        raise ValueError(
            f"triangular_solve: shapes {a.shape} of a and {b.shape} of b do not fit {system}."
            f"{here()}\n  Leading axes must be equal, and axis {side} of b as long as a's last."
        )
    return ShapedArray(b.shape, b.dtype, a.weak_type and b.weak_type)


def _kernel(
    xp: Any,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> Any:
    flags = (left_side, lower, transpose_a, conjugate_a, unit_diagonal)
    if xp is not np:
        return partial(_on_gpu, xp, flags)

    def solve_one(a: Any, b: Any) -> Any:
        return _substitute(flags, a, b)

    return lambda a, b: parts.each_matrix(solve_one, (2, 2), a, b)


def _substitute(flags: tuple[bool, ...], a: Any, b: Any) -> Any:
    """One system through BLAS's trsm.

    trsm reads memory by columns. NumPy's rows are the columns of the transpose, so the
    transposed system is solved: nothing is copied on the way in.
    """
    left_side, lower, transpose_a, conjugate_a, unit_diagonal = flags
    if b.size == 0:
        return np.zeros(b.shape, b.dtype)
    trsm = getattr(parts.libraries.blas, parts.letter(b.dtype) + "trsm")
    conjugate = conjugate_a and a.dtype.kind == "c"
    if conjugate and not transpose_a:
        a, conjugate = a.conj(), False
    trans = 0 if not transpose_a else (2 if conjugate else 1)
    out = trsm(1.0, a.T, b.T, side=left_side, lower=not lower, trans_a=trans, diag=unit_diagonal)
    return out.T


def _on_gpu(xp: Any, flags: tuple[bool, ...], a: Any, b: Any) -> Any:
    left_side, lower, transpose_a, conjugate_a, unit_diagonal = flags
    a = xp.tril(a) if lower else xp.triu(a)
    if unit_diagonal:
        eye = xp.eye(a.shape[-1], dtype=a.dtype)
        a = a * (1 - eye) + eye
    if conjugate_a:
        a = a.conj()
    if transpose_a != (not left_side):
        a = a.swapaxes(-1, -2)
    if left_side:
        return xp.linalg.solve(a, b)
    return xp.linalg.solve(a, b.swapaxes(-1, -2)).swapaxes(-1, -2)


def _jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> tuple[Any, Any]:
    """From ``op(a) x = b``: ``op(a) dx = db - op(da) x`` (Giles 2008, section 2.3.1)."""
    a, b = primals
    da, db = tangents
    solve = partial(
        triangular_solve_p.bind,
        left_side=left_side,
        lower=lower,
        transpose_a=transpose_a,
        conjugate_a=conjugate_a,
        unit_diagonal=unit_diagonal,
    )
    x = solve(a, b)
    if type(da) is not Zero:
        offset = int(unit_diagonal)
        da = parts.lower(da, -offset) if lower else parts.upper(da, offset)
        if conjugate_a:
            da = parts.conjugate(da)
        if transpose_a:
            da = parts.matrix_transpose(da)
        db = add_tangents(db, neg(parts.product(da, x) if left_side else parts.product(x, da)))
    return x, Zero.like(x) if type(db) is Zero else solve(a, db)


def _transpose(ct: Any, a: Any, b: Any, **flags: Any) -> tuple[None, Any]:
    if is_undefined_primal(a):
        raise NotImplementedError(
            "Transposition of triangular_solve in its matrix: it is not linear in that."
        )
    # the transpose of the inverse is the inverse of the transpose; conjugation stays
    flags["transpose_a"] = not flags["transpose_a"]
    return None, triangular_solve_p.bind(a, ct, **flags)


def _batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], *, left_side: bool, **flags: Any
) -> tuple[Any, int]:
    a, b = args
    if dims[0] is None and len(a.aval.shape) == 2:
        # one matrix: the batch becomes more right-hand sides of one system
        place = 1 if left_side else 0
        b = moveaxis(b, dims[1], place)
        shape = b.aval.shape
        merged = (shape[0], shape[1] * shape[2]) if left_side else (shape[0] * shape[1], shape[2])
        x = triangular_solve_p.bind(a, reshape(b, merged), left_side=left_side, **flags)
        return reshape(x, shape), place
    a, b = (parts.at_front(axis, x, d) for x, d in zip(args, dims, strict=True))
    return triangular_solve_p.bind(a, b, left_side=left_side, **flags), 0


def _triangle(*shape: int, dtype: Any = np.float32) -> Any:
    """Matrices whose triangles are far from singular."""

    def make(rng: np.random.Generator) -> Any:
        x = normal(*shape, dtype=dtype)(rng)
        return (x + 3 * np.eye(shape[-1])).astype(dtype)

    return make


def _samples() -> list[Sample]:
    c64 = np.complex64
    samples = []
    for left in (True, False):
        for lower in (True, False):
            for trans in (True, False):
                flags = dict(
                    left_side=left,
                    lower=lower,
                    transpose_a=trans,
                    conjugate_a=False,
                    unit_diagonal=lower and trans,
                )
                b = normal(3, 2) if left else normal(2, 3)
                samples.append(Sample((_triangle(3, 3), b), flags, f"{left}-{lower}-{trans}"))
    flags = dict(
        left_side=True, lower=True, transpose_a=True, conjugate_a=True, unit_diagonal=False
    )
    samples.append(Sample((_triangle(2, 2, dtype=c64), normal(2, 2, dtype=c64)), flags, "adjoint"))
    flags = {**flags, "transpose_a": False}
    samples.append(Sample((_triangle(2, 2, dtype=c64), normal(2, 2, dtype=c64)), flags, "conj"))
    flags = {**flags, "conjugate_a": False}
    samples.append(Sample((_triangle(2, 2, 2), normal(2, 2, 3)), flags, "stack"))
    return samples


triangular_solve_p: Primitive = define_primitive(
    "triangular_solve",
    shape=_shape,
    kernel=_kernel,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    samples=_samples,
)


def triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """Solve ``x op(a) = b`` (or ``op(a) x = b`` with ``left_side``) for a triangular ``a``.

    Args:
      a: (..., n, n); only the triangle named by ``lower`` is read.
      b: (..., m, n), with ``left_side`` (..., n, m), or (..., n) for one right-hand side.
      transpose_a, conjugate_a: whether op transposes and conjugates.
      unit_diagonal: take the diagonal to be ones, whatever it holds.

    Returns:
      x, shaped like b. Where the diagonal holds a zero it has infinities or NaN.

    >>> from adlib.lax import linalg
    >>> import adlib.numpy as jnp
    >>> a = jnp.array([[2.0, 0.0], [1.0, 1.0]])
    >>> linalg.triangular_solve(a, jnp.array([2.0, 3.0]), left_side=True, lower=True)
    Array([1., 2.], dtype=float32)
    """
    a, b = operands("triangular_solve", a, b)
    vector = b.aval.ndim == a.aval.ndim - 1
    if vector:
        b = expand_dims(b, (b.aval.ndim if left_side else b.aval.ndim - 1,))
    conjugate_a = conjugate_a and dtypes.is_complex(a.aval.dtype)
    x = triangular_solve_p.bind(
        a,
        b,
        left_side=bool(left_side),
        lower=bool(lower),
        transpose_a=bool(transpose_a),
        conjugate_a=bool(conjugate_a),
        unit_diagonal=bool(unit_diagonal),
    )
    return squeeze(x, (-1 if left_side else -2,)) if vector else x
