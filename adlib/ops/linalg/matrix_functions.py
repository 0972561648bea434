"""Functions of matrices and their Fréchet derivatives; Sylvester's equation.

For an analytic f the block matrix ``f([[A, E], [0, A]])`` is ``[[f(A), L(A, E)], [0, f(A)]]``,
where L is the derivative of f at A in the direction E (Mathias 1996). So the derivative is
itself an operation linear in E, and its derivatives are others of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import neg
from adlib.ops.constructors import add_tangents
from adlib.ops.linalg import parts
from adlib.ops.operands import normal
from adlib.ops.reshaping import instantiate
from adlib.ops.stacking import concatenate
from adlib.ops.structural import slice_in_dim

_SHAPES = [("matrix", (3, 3)), ("stack", (2, 2, 2))]


def _right_of_zero(*shape: int, dtype: Any = np.float32) -> Callable[[np.random.Generator], Any]:
    """Sample matrices whose eigenvalues lie right of the imaginary axis."""

    def sample(rng: np.random.Generator) -> Any:
        x = normal(*shape, dtype=dtype)(rng) / 3 + 2 * np.eye(shape[-1])
        return x.astype(dtype)

    return sample


def _exponential(x: Any) -> Any:
    return parts.libraries.scipy.expm(x)


def _square_root(x: Any) -> Any:
    return parts.libraries.scipy.sqrtm(x)


def _kernel(function: Callable[[Any], Any], xp: Any) -> Callable[..., Any]:
    def one(x: Any) -> Any:
        if x.size == 0 or not np.isfinite(x).all():
            return np.full(x.shape, np.nan, x.dtype)
        return np.asarray(function(x), x.dtype)

    return parts.on_cpu(xp, lambda x: parts.each_matrix(one, (2,), x))


def _direction_kernel(function: Callable[[Any], Any], xp: Any) -> Callable[..., Any]:
    whole = _kernel(function, np)

    def derivative(a: Any, e: Any) -> Any:
        n = a.shape[-1]
        blocks = np.zeros((*a.shape[:-2], 2 * n, 2 * n), a.dtype)
        blocks[..., :n, :n] = blocks[..., n:, n:] = a
        blocks[..., :n, n:] = e
        return np.ascontiguousarray(whole(blocks)[..., :n, n:])

    return parts.on_cpu(xp, derivative)


def _matrix_function(
    name: str, function: Callable[[Any], Any], dtype: Any
) -> tuple[Primitive, Primitive]:
    """The primitive of a function of matrices, and that of its derivative."""

    def shape(x: ShapedArray) -> ShapedArray:
        parts.check_matrix(name, x, square=True)
        return x

    def direction_shape(a: ShapedArray, e: ShapedArray) -> ShapedArray:
        parts.check_matrix(f"{name}_frechet", a, square=True)
        if a.shape != e.shape or a.dtype != e.dtype:
            raise ValueError(
                f"{name}_frechet wants a matrix and a direction of one shape and dtype; it was "
                f"given {a.str_short()} and {e.str_short()}.{here()}"
            )
        return ShapedArray(a.shape, a.dtype, a.weak_type and e.weak_type)

    def jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        ans = whole.bind(a)
        return ans, Zero.like(ans) if type(da) is Zero else direction.bind(a, da)

    def direction_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Along dE by linearity, along dA the corner of a derivative at the block matrix."""
        (a, e), (da, de) = primals, tangents
        ans = direction.bind(a, e)
        share = Zero.like(ans) if type(de) is Zero else direction.bind(a, instantiate(de))
        if type(da) is Zero:
            return ans, share
        zero = instantiate(Zero.like(a))
        moved = direction.bind(_blocks(a, e, zero), _blocks(da, zero, zero))
        n = a.aval.shape[-1]
        return ans, add_tangents(_corner(moved, n), share)

    def transpose(ct: Any, a: Any, e: Any) -> tuple[Any, Any]:
        if is_undefined_primal(a):
            raise NotImplementedError(f"{name}_frechet is linear in its direction only.{here()}")
        return None, direction.bind(parts.matrix_transpose(a), ct)

    whole = define_primitive(
        name,
        shape=shape,
        kernel=partial(_kernel, function),
        jvp=jvp,
        batch=parts.stacked_batch(lambda: whole),
        samples=lambda: [
            Sample((_right_of_zero(*shape, dtype=dtype),), name=label) for label, shape in _SHAPES
        ],
    )
    direction = define_primitive(
        f"{name}_frechet",
        shape=direction_shape,
        kernel=partial(_direction_kernel, function),
        jvp=direction_jvp,
        transpose=transpose,
        batch=parts.stacked_batch(lambda: direction),
        samples=lambda: [
            Sample((_right_of_zero(*shape, dtype=dtype), normal(*shape, dtype=dtype)), name=label)
            for label, shape in _SHAPES
        ],
    )
    return whole, direction


def _blocks(diagonal: Any, corner: Any, zero: Any) -> Any:
    """``[[diagonal, corner], [0, diagonal]]``."""
    rank = len(diagonal.aval.shape)
    top = concatenate([diagonal, corner], rank - 1)
    return concatenate([top, concatenate([zero, diagonal], rank - 1)], rank - 2)


def _corner(x: Any, n: int) -> Any:
    return slice_in_dim(slice_in_dim(x, 0, n, axis=-2), n, 2 * n, axis=-1)


expm_p, expm_frechet_p = _matrix_function("expm", _exponential, np.float32)
sqrtm_p, sqrtm_frechet_p = _matrix_function("sqrtm", _square_root, np.complex64)


# ------------------------------------------------------------- Sylvester's equation


def _sylvester_shape(a: ShapedArray, b: ShapedArray, c: ShapedArray) -> ShapedArray:
    parts.check_matrix("solve_sylvester", a, square=True)
    parts.check_matrix("solve_sylvester", b, square=True)
    batch, m, n = a.shape[:-2], a.shape[-1], b.shape[-1]
    if b.shape[:-2] != batch or c.shape != (*batch, m, n) or not a.dtype == b.dtype == c.dtype:
        raise ValueError(
            "solve_sylvester wants A of shape (..., m, m), B of shape (..., n, n) and C of shape "
            f"(..., m, n), of one dtype; it was given {a.str_short()}, {b.str_short()} and "
            f"{c.str_short()}.{here()}"
        )
    return ShapedArray(c.shape, c.dtype, a.weak_type and b.weak_type and c.weak_type)


def _sylvester_one(a: Any, b: Any, c: Any) -> Any:
    if c.size == 0 or not all(np.isfinite(x).all() for x in (a, b, c)):
        return np.full(c.shape, np.nan, c.dtype)
    try:
        return np.asarray(parts.libraries.scipy.solve_sylvester(a, b, c), c.dtype)
    except np.linalg.LinAlgError:
        return np.full(c.shape, np.nan, c.dtype)


def _sylvester_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """From ``A X + X B = C``: ``A dX + dX B = dC - dA X - X dB``."""
    a, b, c = primals
    da, db, dc = tangents
    x = sylvester_p.bind(a, b, c)
    if type(da) is not Zero:
        dc = add_tangents(dc, neg(parts.product(da, x)))
    if type(db) is not Zero:
        dc = add_tangents(dc, neg(parts.product(x, db)))
    if type(dc) is Zero:
        return x, Zero.like(x)
    return x, sylvester_p.bind(a, b, dc)


def _sylvester_transpose(ct: Any, a: Any, b: Any, c: Any) -> tuple[Any, ...]:
    if is_undefined_primal(a) or is_undefined_primal(b):
        raise NotImplementedError(f"solve_sylvester is linear in C only.{here()}")
    transposed = (parts.matrix_transpose(a), parts.matrix_transpose(b))
    return None, None, sylvester_p.bind(*transposed, ct)


sylvester_p: Primitive = define_primitive(
    "solve_sylvester",
    shape=_sylvester_shape,
    kernel=lambda xp: parts.on_cpu(xp, partial(parts.each_matrix, _sylvester_one, (2, 2, 2))),
    jvp=_sylvester_jvp,
    transpose=_sylvester_transpose,
    batch=parts.stacked_batch(lambda: sylvester_p),
    samples=lambda: [
        Sample((_right_of_zero(3, 3), _right_of_zero(2, 2), normal(3, 2))),
        Sample((_right_of_zero(2, 2, 2), _right_of_zero(2, 2, 2), normal(2, 2, 2)), name="stack"),
        Sample(
            (
                _right_of_zero(2, 2, dtype=np.complex64),
                _right_of_zero(3, 3, dtype=np.complex64),
                normal(2, 3, dtype=np.complex64),
            ),
            name="complex",
        ),
    ],
)
