"""Products: ``dot_general``, to which every matrix product reduces.

Two arrays are multiplied along pairs of *contracted* axes and, side by side, along pairs of
*batch* axes; the result has the batch axes, the left operand's other (*free*) axes and the
right operand's. Kernels turn this into one matrix product of the backend, copying only
where an operand's memory cannot be read as a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray
from adlib.core.primitive import Primitive, Sample
from adlib.ops.constructors import bilinear
from adlib.ops.conversion import convert
from adlib.ops.dot_kernel import Axes, DotDims, dot_kernel, free_axes
from adlib.ops.operands import normal, operands
from adlib.ops.precision import PrecisionLike, canonicalize_precision
from adlib.ops.reshaping import transpose

DotDimensionNumbers = tuple[
    tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]
]

# ----------------------------------------------------------------- shape rule


def _sizes(aval: ShapedArray, axes: Axes) -> Axes:
    return tuple([aval.shape[d] for d in axes])


def _dot_shape(
    lhs: ShapedArray,
    rhs: ShapedArray,
    *,
    dimension_numbers: DotDims,
    precision: Any,
    preferred_element_type: Any,
) -> ShapedArray:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    _check_axes("lhs", lhs, lhs_contract, lhs_batch)
    _check_axes("rhs", rhs, rhs_contract, rhs_batch)
    for kind, left, right in (
        ("batch", lhs_batch, rhs_batch),
        ("contracting", lhs_contract, rhs_contract),
    ):
        short = "batch" if kind == "batch" else "contracting"
        if len(left) != len(right):
            raise TypeError(
                f"dot_general requires equal numbers of lhs_{short} and rhs_{short} dimensions, "
                f"got lhs_{short} {left} and rhs_{short} {right}.{here()}"
            )
        if _sizes(lhs, left) != _sizes(rhs, right):
            raise TypeError(_size_message(kind, lhs, rhs, left, right))
    shape = (
        *_sizes(lhs, lhs_batch),
        *_sizes(lhs, free_axes(lhs.ndim, lhs_contract, lhs_batch)),
        *_sizes(rhs, free_axes(rhs.ndim, rhs_contract, rhs_batch)),
    )
    dtype = preferred_element_type
    if dtype is None:
        dtype = lhs.dtype
        if rhs.dtype != dtype:
            dtype = dtypes.promote((dtype, False), (rhs.dtype, False))[0]
    if dtypes.kind(dtype) not in "biufc":
        raise TypeError(f"dot_general does not accept dtype {dtype}: it takes numbers.{here()}")
    return ShapedArray(shape, dtype, lhs.weak_type and rhs.weak_type)


def _check_axes(side: str, aval: ShapedArray, contract: Axes, batch: Axes) -> None:
    for name, axes in (("batch", batch), ("contracting", contract)):
        if len(set(axes)) != len(axes):
            raise TypeError(
                f"dot_general requires {side} {name} dimensions to be distinct, got "
                f"{side}_{name} {axes}.{here()}"
            )
    if set(batch) & set(contract):
        raise TypeError(
            f"dot_general requires {side} batch dimensions to be disjoint from contracting "
            f"dimensions, got {side}_batch {batch} and {side}_contracting {contract}.{here()}"
        )
    if any(not 0 <= d < aval.ndim for d in (*batch, *contract)):
        raise TypeError(
            f"dot_general requires {side} dimension numbers to be nonnegative and less than the "
            f"number of axes of the {side} value, got {side}_batch of {batch} and "
            f"{side}_contracting of {contract} for {side} of rank {aval.ndim}.{here()}"
        )


def _size_message(kind: str, lhs: ShapedArray, rhs: ShapedArray, left: Axes, right: Axes) -> str:
    wanted = (
        "lhs batch dimensions and rhs batch dimensions"
        if kind == "batch"
        else ("contracting dimensions")
    )
    message = (
        f"dot_general requires {wanted} to have the same shape, got {_sizes(lhs, left)} and "
        f"{_sizes(rhs, right)}.{here()}\n  The left operand has shape {lhs.shape} and is "
        f"multiplied along its axes {left}, the right one shape {rhs.shape} along {right}."
    )
    return message + _repair(lhs, rhs)


def _repair(lhs: ShapedArray, rhs: ShapedArray) -> str:
    """A transposition that would make the shapes fit, where there is one."""
    if lhs.ndim == 2 and lhs.shape[0] == (rhs.shape[0] if rhs.ndim else None):
        return f"\n  Repair: x.T @ y fits, since {lhs.shape[::-1]} meets {rhs.shape}."
    if rhs.ndim == 2 and rhs.shape[1] == (lhs.shape[-1] if lhs.ndim else None):
        return f"\n  Repair: x @ y.T fits, since {lhs.shape} meets {rhs.shape[::-1]}."
    return (
        "\n  Repair: make the sizes equal; for a product of rows with a matrix's columns the "
        "last axis on the left meets the last but one on the right."
    )


# ------------------------------------------------------- transpose, batching


def _places(axes: Axes) -> Axes:
    """Positions that sort ``axes``."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def _dot_transpose_lhs(
    ct: Any,
    lhs: ShapedArray,
    rhs: Any,
    *,
    dimension_numbers: DotDims,
    precision: Any,
    preferred_element_type: Any,
    swapped: bool = False,
) -> Any:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    lhs_free = free_axes(lhs.ndim, lhs_contract, lhs_batch)
    rhs_free = free_axes(len(rhs.aval.shape), rhs_contract, rhs_batch)
    count, first = len(lhs_batch), len(lhs_batch)
    if swapped:
        # ct's free axes: those of the operand called rhs here come first
        ct_rhs = tuple(range(first, first + len(rhs_free)))
    else:
        start = first + len(lhs_free)
        ct_rhs = tuple(range(start, start + len(rhs_free)))
    dims = ((ct_rhs, rhs_free), (tuple(range(count)), rhs_batch))
    product = dot_general_p.bind(
        ct,
        rhs,
        dimension_numbers=dims,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    # its axes now: batch, lhs_free, then the contracted axes in the order they have in rhs
    contracted = tuple([lhs_contract[i] for i in _places(rhs_contract)])
    return convert(transpose(product, _places((*lhs_batch, *lhs_free, *contracted))), lhs.dtype)


def _dot_transpose_rhs(
    ct: Any,
    lhs: Any,
    rhs: ShapedArray,
    *,
    dimension_numbers: DotDims,
    precision: Any,
    preferred_element_type: Any,
) -> Any:
    contract, batch = dimension_numbers
    return _dot_transpose_lhs(
        ct,
        rhs,
        lhs,
        dimension_numbers=(contract[::-1], batch[::-1]),
        precision=None if precision is None else precision[::-1],
        preferred_element_type=preferred_element_type,
        swapped=True,
    )


def _dot_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    dimension_numbers: DotDims,
    **params: Any,
) -> tuple[Any, int]:
    lhs, rhs = args
    left, right = dims
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    if left is not None:
        lhs_contract, lhs_batch = _past(lhs_contract, left), _past(lhs_batch, left)
    if right is not None:
        rhs_contract, rhs_batch = _past(rhs_contract, right), _past(rhs_batch, right)
    if left is not None and right is not None:
        lhs_batch, rhs_batch = (left, *lhs_batch), (right, *rhs_batch)
        out = 0
    elif left is not None:
        # one operand only: the new axis is one more free axis, and the product stays one
        lhs_free = free_axes(len(lhs.aval.shape), lhs_contract, lhs_batch)
        out = len(lhs_batch) + lhs_free.index(left)
    else:
        rhs_free = free_axes(len(rhs.aval.shape), rhs_contract, rhs_batch)
        lhs_free = free_axes(len(lhs.aval.shape), lhs_contract, lhs_batch)
        out = len(lhs_batch) + len(lhs_free) + rhs_free.index(right)
    numbers = ((lhs_contract, rhs_contract), (lhs_batch, rhs_batch))
    return dot_general_p.bind(lhs, rhs, dimension_numbers=numbers, **params), out


def _past(axes: Axes, new: int) -> Axes:
    """``axes`` renumbered after an axis was inserted at ``new``."""
    return tuple([d + (d >= new) for d in axes])


# ------------------------------------------------------------------ primitive


def _numbers(contract: Any, batch: Any = ((), ())) -> dict[str, Any]:
    return dict(dimension_numbers=(contract, batch), precision=None, preferred_element_type=None)


def _samples() -> list[Sample]:
    bf16, i8 = dtypes.bfloat16, np.int8
    matrix, c64 = ((1,), (0,)), np.complex64
    pair = (normal(2, 3, 4), normal(4, 2, 3))
    return [
        Sample((normal(2, 3), normal(3, 4)), _numbers(matrix), "matmat"),
        Sample((normal(3, 2), normal(3, 4)), _numbers(((0,), (0,))), "left-transposed"),
        Sample((normal(2, 3), normal(4, 3)), _numbers(((1,), (1,))), "right-transposed"),
        Sample((normal(3, 2), normal(4, 3)), _numbers(((0,), (1,))), "both-transposed"),
        Sample((normal(2, 3, dtype=c64), normal(3, 2, dtype=c64)), _numbers(matrix), "complex"),
        Sample((normal(2, 3), normal(3)), _numbers(matrix), "matvec"),
        Sample((normal(3), normal(3, 2)), _numbers(((0,), (0,))), "vecmat"),
        Sample((normal(3), normal(2, 3)), _numbers(((0,), (1,))), "vecmat-transposed"),
        Sample((normal(3), normal(3)), _numbers(((0,), (0,))), "vecvec"),
        Sample((normal(3), normal(2)), _numbers(((), ())), "outer"),
        Sample((normal(2), normal()), _numbers(((), ())), "scalar"),
        Sample((normal(), normal()), _numbers(((), ())), "scalars"),
        Sample((normal(2, 3), normal(2, 2)), _numbers(((), ()), ((0,), (1,))), "outer-batched"),
        Sample((normal(2, 3), normal(3, 2)), _numbers(((), ()), ((0, 1), (1, 0))), "hadamard"),
        Sample((normal(2, 3), normal(3, 2)), _numbers(((1,), (0,)), ((0,), (1,))), "paired"),
        Sample((normal(2, 3, 4), normal(2, 4, 2)), _numbers(((2,), (1,)), ((0,), (0,))), "batched"),
        Sample(
            (normal(2, 3), normal(2, 3, 2)), _numbers(((1,), (1,)), ((0,), (0,))), "batched-vec"
        ),
        Sample(pair, _numbers(((2, 0), (0, 1))), "two-axes"),
        Sample(pair, _numbers(((2,), (0,)), ((1,), (2,))), "batch-inside"),
        Sample(pair, _numbers(((1, 2, 0), (2, 0, 1))), "full"),
        Sample((normal(3, 2, 2), normal(3, 2)), _numbers(((0,), (0,))), "leading"),
        Sample((normal(2, 0), normal(0, 3)), _numbers(matrix), "empty"),
        Sample((normal(2, 3, dtype=i8), normal(3, 2, dtype=i8)), _numbers(matrix), "int8"),
        Sample((normal(2, 3, dtype=bool), normal(3, 2, dtype=bool)), _numbers(matrix), "bool"),
        Sample(
            (normal(2, 3, dtype=i8), normal(3, 2, dtype=i8)),
            {**_numbers(matrix), "preferred_element_type": np.dtype(np.int32)},
            "int8-wide",
        ),
        Sample((normal(2, 3, dtype=bf16), normal(3, 2, dtype=bf16)), _numbers(matrix), "bfloat16"),
        Sample((normal(2, 3, dtype=np.float16), normal(3, 2)), _numbers(matrix), "mixed"),
    ]


dot_general_p: Primitive = bilinear(
    "dot_general",
    shape=_dot_shape,
    kernel=dot_kernel,
    transpose_lhs=_dot_transpose_lhs,
    transpose_rhs=_dot_transpose_rhs,
    batch=_dot_batch,
    samples=_samples,
)


def dot_general(
    lhs: Any,
    rhs: Any,
    dimension_numbers: DotDimensionNumbers,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    *,
    out_sharding: None = None,
) -> Any:
    """Product over pairs of contracted axes, side by side over pairs of batch axes.

    Args:
      lhs, rhs: arrays of numbers.
      dimension_numbers: ``((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch))``,
        sequences of axes, non-negative; paired axes have equal sizes.
      precision: None, a ``Precision`` or its name, or a pair of these.
      preferred_element_type: dtype of the result; by default that of the operands. Sums are
        taken in it where it is the wider one.

    Returns:
      An array with the batch axes, then lhs's free axes, then rhs's.

    Raises TypeError where axes or sizes do not fit.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> x, y = jnp.ones((5, 2, 3)), jnp.ones((5, 3, 4))
    >>> lax.dot_general(x, y, (([2], [1]), ([0], [0]))).shape
    (5, 2, 4)
    """
    x, y = operands("dot_general", lhs, rhs)
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    preferred = preferred_element_type
    return dot_general_p.bind(
        x,
        y,
        dimension_numbers=(
            (_axes(lhs_contract), _axes(rhs_contract)),
            (_axes(lhs_batch), _axes(rhs_batch)),
        ),
        precision=canonicalize_precision(precision),
        preferred_element_type=(
            None if preferred is None else dtypes.canonicalize_dtype(preferred)
        ),
    )


def _axes(axes: Sequence[int]) -> Axes:
    return tuple([int(d) for d in axes])


def dot(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: DotDimensionNumbers | None = None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    out_sharding: None = None,
) -> Any:
    """Product of vectors and matrices; with ``dimension_numbers`` the same as ``dot_general``.

    Raises ValueError for operands of other ranks, or sizes that do not fit.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.dot(jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]))
    Array(11., dtype=float32)
    """
    x, y = operands("dot", lhs, rhs)
    left, right = x.aval.shape, y.aval.shape
    if dimension_numbers is None:
        if not (1 <= len(left) <= 2 and 1 <= len(right) <= 2 and left[-1] == right[0]):
            raise ValueError(
                "lax.dot: dimension_numbers must be specified when not performing simple "
                "un-batched matrix-matrix, matrix-vector, or vector-vector products; got "
                f"lhs_shape={left} rhs_shape={right}.{here()}\n  The last axis of lhs must be "
                "as long as the first of rhs. Repair: transpose an operand, or use jnp.matmul "
                "for stacks of matrices."
            )
        dimension_numbers = (((len(left) - 1,), (0,)), ((), ()))
    return dot_general(x, y, dimension_numbers, precision, preferred_element_type)


def batch_matmul(lhs: Any, rhs: Any, precision: PrecisionLike = None) -> Any:
    """Products of corresponding matrices in two stacks of shapes (..., n, k) and (..., k, m).

    Raises ValueError where the ranks differ or are below two.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.batch_matmul(jnp.ones((2, 1, 3)), jnp.ones((2, 3, 1))).ravel()
    Array([3., 3.], dtype=float32)
    """
    x, y = operands("batch_matmul", lhs, rhs)
    rank = x.aval.ndim
    if rank < 2 or y.aval.ndim != rank:
        raise ValueError(
            "batch_matmul requires two arrays of one rank, at least 2, got shapes "
            f"{x.aval.shape} and {y.aval.shape}.{here()}\n  Repair: jnp.matmul broadcasts."
        )
    batch = tuple(range(rank - 2))
    return dot_general(x, y, (((rank - 1,), (rank - 2,)), (batch, batch)), precision)


def matrix_product(x: Any, y: Any) -> Any:
    """``x @ y`` for stacks of matrices with equal leading axes: what rules of other ops use."""
    rank = x.aval.ndim
    batch = tuple(range(rank - 2))
    return dot_general_p.bind(
        x,
        y,
        dimension_numbers=(((rank - 1,), (rank - 2,)), (batch, batch)),
        precision=None,
        preferred_element_type=None,
    )
