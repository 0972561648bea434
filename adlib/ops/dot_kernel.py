"""How a product is computed: one matrix product, read from the operands' memory as it lies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.core import dtypes

Axes = tuple[int, ...]
DotDims = tuple[tuple[Axes, Axes], tuple[Axes, Axes]]


def free_axes(rank: int, contract: Axes, batch: Axes) -> Axes:
    """The axes that are neither contracted nor batch axes."""
    taken = {*contract, *batch}
    return tuple([d for d in range(rank) if d not in taken])


_Kernel = Callable[[Any, Any], Any]
_WORK_IN_FLOAT32 = frozenset(
    (
        np.dtype(np.float16),
        dtypes.bfloat16,
        dtypes.float8_e4m3,
        dtypes.float8_e4m3fn,
        dtypes.float8_e5m2,
    )
)


def dot_kernel(
    xp: Any, dimension_numbers: DotDims, precision: Any, preferred_element_type: Any
) -> _Kernel:
    prepared: _Kernel | None = None

    def contract(lhs: Any, rhs: Any) -> Any:
        # A kernel is made for one combination of argument types, so what the first call
        # finds out about their ranks holds for every call.
        nonlocal prepared
        if prepared is None:
            product = _product(xp, dimension_numbers, lhs.shape, rhs.shape)
            prepared = with_dtypes(product, lhs.dtype, rhs.dtype, preferred_element_type)
        return prepared(lhs, rhs)

    return contract


def with_dtypes(product: _Kernel, left: Any, right: Any, preferred: Any) -> _Kernel:
    """The product computed in a dtype that loses nothing, and returned in the wanted one."""
    if left == right and preferred in (None, left) and left not in _WORK_IN_FLOAT32:
        return product
    result = dtypes.promote((left, False), (right, False))[0] if preferred is None else preferred
    wide = [np.dtype(np.float32) if d in _WORK_IN_FLOAT32 else d for d in (left, right, result)]
    work = dtypes.promote(*[(d, False) for d in wide])[0]

    def converted(lhs: Any, rhs: Any) -> Any:
        product_ = product(lhs.astype(work, copy=False), rhs.astype(work, copy=False))
        return product_.astype(result, copy=False)

    return converted


def _product(xp: Any, dims: DotDims, lhs_shape: Axes, rhs_shape: Axes) -> _Kernel:
    """The fastest function of the array module for given shapes and dimension numbers."""
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dims
    lhs_free = free_axes(len(lhs_shape), lhs_contract, lhs_batch)
    rhs_free = free_axes(len(rhs_shape), rhs_contract, rhs_batch)
    if not lhs_contract:
        return _outer(
            xp, len(lhs_free), len(rhs_free), (*lhs_batch, *lhs_free), (*rhs_batch, *rhs_free)
        )
    if not lhs_batch and len(lhs_contract) == 1 and len(lhs_shape) <= 2 and len(rhs_shape) <= 2:
        return _small(xp.dot, lhs_free, rhs_free, lhs_contract[0], rhs_contract[0])
    if not lhs_free and not rhs_free and lhs_batch:
        return _paired(xp, dims)
    lhs_contract, rhs_contract = _contiguous(lhs_contract, rhs_contract, rhs_batch + rhs_contract)
    rows = _matrix(lhs_shape, lhs_batch, lhs_free, lhs_contract)
    columns = _matrix(rhs_shape, rhs_batch, rhs_contract, rhs_free)
    shape = (
        *[lhs_shape[d] for d in lhs_batch],
        *[lhs_shape[d] for d in lhs_free],
        *[rhs_shape[d] for d in rhs_free],
    )
    multiply = xp.matmul if lhs_batch else xp.dot
    if lhs_batch and len(lhs_free) == len(rhs_free) == 1:
        return lambda lhs, rhs: multiply(rows(lhs), columns(rhs))
    return lambda lhs, rhs: multiply(rows(lhs), columns(rhs)).reshape(shape)


def _small(dot: Any, lhs_free: Axes, rhs_free: Axes, left: int, right: int) -> _Kernel:
    """Vectors and matrices: the four ways in which BLAS reads them, none of which copies."""
    if not lhs_free:
        # the array module's dot contracts a matrix on the right over its first axis
        return dot if right == 0 else lambda lhs, rhs: dot(rhs, lhs)
    if left == 1:
        if not rhs_free or right == 0:
            return dot  # type: ignore[no-any-return]
        return lambda lhs, rhs: dot(lhs, rhs.T)
    if not rhs_free or right == 0:
        return lambda lhs, rhs: dot(lhs.T, rhs)
    return lambda lhs, rhs: dot(lhs.T, rhs.T)


def _outer(xp: Any, left: int, right: int, lhs_order: Axes, rhs_order: Axes) -> _Kernel:
    """No contracted axes: products of all pairs within each batch entry."""
    multiply = xp.multiply
    if len(lhs_order) == len(rhs_order) == 1 == left == right:
        return lambda lhs, rhs: multiply(lhs[:, None], rhs)
    batch = len(lhs_order) - left
    stretch_lhs = (Ellipsis, *[None] * right)
    stretch_rhs = (slice(None),) * batch + (None,) * left
    if left == 0 or right == 0:
        stretch_rhs = () if left == 0 else stretch_rhs
        stretch_lhs = () if right == 0 else stretch_lhs

    def outer(lhs: Any, rhs: Any) -> Any:
        if lhs_order:
            lhs = lhs.transpose(lhs_order)
        if rhs_order:
            rhs = rhs.transpose(rhs_order)
        return multiply(lhs[stretch_lhs], rhs[stretch_rhs])

    return outer


def _paired(xp: Any, dims: DotDims) -> _Kernel:
    """Scalar products of corresponding batch entries: one pass over both operands."""
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dims
    names = list(range(len(lhs_contract) + len(lhs_batch)))
    at = dict(zip(rhs_contract + rhs_batch, lhs_contract + lhs_batch, strict=True))
    rhs_names = [at[d] for d in range(len(names))]
    out = list(lhs_batch)
    einsum = xp.einsum
    return lambda lhs, rhs: einsum(lhs, names, rhs, rhs_names, out)


def _contiguous(left: Axes, right: Axes, right_order: Axes) -> tuple[Axes, Axes]:
    """Contracted pairs in an order in which an operand's axes ascend, so that fewer copy."""
    if len(left) < 2 or list(left) == sorted(left) or list(right) == sorted(right):
        return left, right
    pairs = sorted(zip(left, right, strict=True))
    return tuple([a for a, _ in pairs]), tuple([b for _, b in pairs])


def _matrix(shape: Axes, batch: Axes, rows: Axes, columns: Axes) -> Callable[[Any], Any]:
    """A function that reads an array as matrices of (batch..., rows, columns)."""
    # memory that holds the columns first is read as it lies, and transposed as a view
    flip = list((*batch, *columns, *rows)) == list(range(len(shape)))
    first, second = (columns, rows) if flip else (rows, columns)
    order = (*batch, *first, *second)
    sizes = (
        *[shape[d] for d in batch],
        math.prod([shape[d] for d in first]),
        math.prod([shape[d] for d in second]),
    )
    moved = order if list(order) != list(range(len(shape))) else None
    reshaped = sizes if len(first) != 1 or len(second) != 1 else None

    def read(x: Any) -> Any:
        if moved is not None:
            x = x.transpose(moved)
        if reshaped is not None:
            x = x.reshape(reshaped)
        return x.swapaxes(-1, -2) if flip else x

    return read
