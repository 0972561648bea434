"""``tridiagonal_solve``: systems with three diagonals, in linear time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, mul, neg
from adlib.ops.constructors import add_tangents
from adlib.ops.linalg import parts
from adlib.ops.operands import normal, operands, uniform
from adlib.ops.reshaping import full_like, instantiate
from adlib.ops.structural import pad


def _shape(
    dl: ShapedArray, d: ShapedArray, du: ShapedArray, b: ShapedArray, *, perturb_singular: bool
) -> ShapedArray:
    if b.ndim < 2 or not dl.shape == d.shape == du.shape == b.shape[:-1]:
        raise ValueError(
            "tridiagonal_solve: the diagonals must have shape (..., n) and the right-hand sides "
            f"(..., n, k), got {dl.shape}, {d.shape}, {du.shape} and {b.shape}.{here()}\n  The "
            "first entry of dl and the last of du are not part of the matrix."
        )
    parts.check_precision("tridiagonal_solve", b)
    if not dl.dtype == d.dtype == du.dtype == b.dtype:
        raise TypeError(f"tridiagonal_solve requires arguments to have equal dtypes.{here()}")
    return b


def _one(dl: Any, d: Any, du: Any, b: Any) -> Any:
    if d.shape[0] < 2:
        return b / d[:, None]
    routine = getattr(parts.libraries.lapack, parts.letter(b.dtype) + "gtsv")
    *_, x, info = routine(dl[1:], d, du[:-1], b)
    return np.full_like(x, np.nan) if info > 0 else x


def _shift(x: Any, places: int, axis: int) -> Any:
    """Entries moved by ``places`` along an axis, zeros entering."""
    rank = len(x.aval.shape)
    config = [(0, 0, 0)] * rank
    config[axis % rank] = (places, -places, 0)
    return pad(x, full_like(x, 0), config)


def _times(dl: Any, d: Any, du: Any, x: Any) -> Any:
    """The tridiagonal matrix times ``x``."""
    below = mul(parts.rows(dl), _shift(x, 1, -2))
    above = mul(parts.rows(du), _shift(x, -1, -2))
    return add(add(below, mul(parts.rows(d), x)), above)


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    """``A dx = db - dA x``."""
    dl, d, du, b = primals
    *moved, db = tangents
    x = tridiagonal_solve_p.bind(dl, d, du, b, **params)
    if any(type(t) is not Zero for t in moved):
        d_dl, d_d, d_du = [instantiate(t) for t in moved]
        db = add_tangents(db, neg(_times(d_dl, d_d, d_du, x)))
    return x, Zero.like(x) if type(db) is Zero else tridiagonal_solve_p.bind(
        dl, d, du, db, **params
    )


def _transpose(ct: Any, dl: Any, d: Any, du: Any, b: Any, **params: Any) -> tuple[Any, ...]:
    if any(is_undefined_primal(x) for x in (dl, d, du)):
        raise NotImplementedError(
            "Transposition of tridiagonal_solve in its diagonals: it is not linear in those."
        )
    flipped = _shift(du, 1, -1), d, _shift(dl, -1, -1)
    return None, None, None, tridiagonal_solve_p.bind(*flipped, ct, **params)


_PARAMS: dict[str, Any] = dict(perturb_singular=False)

tridiagonal_solve_p: Primitive = define_primitive(
    "tridiagonal_solve",
    shape=_shape,
    kernel=lambda xp, perturb_singular: parts.on_cpu(
        xp, lambda dl, d, du, b: parts.each_matrix(_one, (1, 1, 1, 2), dl, d, du, b)
    ),
    jvp=_jvp,
    transpose=_transpose,
    batch=parts.stacked_batch(lambda: tridiagonal_solve_p),
    samples=lambda: [
        Sample((uniform(3), uniform(3, low=3, high=4), uniform(3), normal(3, 2)), _PARAMS),
        Sample(
            (uniform(2, 2), uniform(2, 2, low=3, high=4), uniform(2, 2), normal(2, 2, 1)),
            _PARAMS,
            "stack",
        ),
    ],
)


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any, *, perturb_singular: bool = False) -> Any:
    """Solve ``A x = b`` for a matrix with three diagonals.

    Args:
      dl, d, du: (..., n): the diagonal below, the main one, the one above.
        Row i of A holds ``dl[i], d[i], du[i]``; ``dl[0]`` and ``du[-1]`` are not used.
      b: (..., n, k).

    Returns:
      x, shaped like b; NaN where A is singular.

    >>> from adlib.lax import linalg
    >>> import adlib.numpy as jnp
    >>> one = jnp.ones(3)
    >>> linalg.tridiagonal_solve(one, 2 * one, one, jnp.array([[3.0], [4.0], [3.0]])).ravel()
    Array([1., 1., 1.], dtype=float32)
    """
    arrays = operands("tridiagonal_solve", dl, d, du, b)
    return tridiagonal_solve_p.bind(*arrays, perturb_singular=bool(perturb_singular))
