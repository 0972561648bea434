"""Reductions over axes other than the sum: extrema, products, logic, positions of extrema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import div, eq, mul
from adlib.ops.conversion import convert, zero_jvp
from adlib.ops.operands import check_dtypes, normal, operands, uniform
from adlib.ops.reshaping import (
    broadcast_in_dim,
    expand_dims,
    full_like,
    reduce_sum,
    reduced_shape,
    reduction_batch,
    reshape,
    transpose,
)
from adlib.ops.stacking import concatenate
from adlib.ops.structural import pad, slice_in_dim


def reduction(
    name: str,
    kernel: Callable[..., Any],
    jvp: Callable[..., Any],
    kinds: str,
    samples: Callable[[], list[Sample]],
) -> Primitive:
    """A reduction over ``axes`` that keeps the dtype."""

    def shape(x: ShapedArray, *, axes: tuple[int, ...]) -> ShapedArray:
        check_dtypes(name, (x,), kinds)
        return ShapedArray(reduced_shape(name, x, axes), x.dtype, x.weak_type)

    primitive = define_primitive(name, shape=shape, kernel=kernel, samples=samples)
    primitive.jvp = partial(jvp, primitive)
    primitive.batch = partial(reduction_batch, primitive)
    return primitive


def _bind(primitive: Primitive, name: str, operand: Any, axes: Sequence[int]) -> Any:
    (x,) = operands(name, operand)
    axes = tuple([int(a) for a in axes])
    return primitive.bind(x, axes=axes) if axes else x


def _no_jvp(
    primitive: Primitive, primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[Any, Any]:
    return zero_jvp(lambda: primitive, primals, tangents, **params)


# ----------------------------------------------------- reduce_max, reduce_min


def lowest(dtype: Any) -> Any:
    """The value below (or equal to) all others of a dtype: the identity of max."""
    if dtypes.kind(dtype) == "b":
        return False
    return np.iinfo(dtype).min if dtypes.is_integer(dtype) else -np.inf


def highest(dtype: Any) -> Any:
    """The value above (or equal to) all others of a dtype: the identity of min."""
    if dtypes.kind(dtype) == "b":
        return True
    return np.iinfo(dtype).max if dtypes.is_integer(dtype) else np.inf


def _extremum_kernel(
    function: str, identity: Callable[[Any], Any], xp: Any, axes: tuple[int, ...]
) -> Callable[..., Any]:
    reduce = getattr(xp, {"maximum": "max", "minimum": "min"}[function])
    if xp is np:
        reduce = getattr(np, function).reduce  # the same without a Python function around it

    def run(x: Any) -> Any:
        if 0 in x.shape and any(x.shape[a] == 0 for a in axes):
            shape = [n for i, n in enumerate(x.shape) if i not in axes]
            return xp.full(shape, identity(x.dtype), x.dtype)
        return reduce(x, axis=axes)

    return run


def _extremum_jvp(
    primitive: Primitive,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    axes: tuple[int, ...],
) -> tuple[Any, Any]:
    (x,), (t,) = primals, tangents
    ans = primitive.bind(x, axes=axes)
    if type(t) is Zero:
        return ans, Zero.like(ans)
    # ties share the derivative evenly
    hits = convert(eq(x, expand_dims(ans, axes)), t.aval.dtype)
    share = div(hits, expand_dims(reduce_sum(hits, axes), axes))
    return ans, reduce_sum(mul(t, share), axes)


def _extremum_samples() -> list[Sample]:
    return [
        Sample((normal(2, 3),), dict(axes=(1,))),
        Sample((normal(2, 3, 2),), dict(axes=(0, 2)), "two-axes"),
        Sample((normal(4),), dict(axes=(0,)), "to-scalar"),
        Sample((normal(2, 3, dtype=np.complex64),), dict(axes=(0,)), "complex"),
        Sample((normal(2, 3, dtype=np.int32),), dict(axes=(0,)), "int"),
        Sample((normal(2, 3, dtype=bool),), dict(axes=(1,)), "bool"),
        Sample((normal(2, 3, dtype=dtypes.bfloat16),), dict(axes=(1,)), "bfloat16"),
        Sample((normal(0, 2),), dict(axes=(0,)), "empty"),
    ]


reduce_max_p = reduction(
    "reduce_max",
    partial(_extremum_kernel, "maximum", lowest),
    _extremum_jvp,
    "biufc",
    _extremum_samples,
)
reduce_min_p = reduction(
    "reduce_min",
    partial(_extremum_kernel, "minimum", highest),
    _extremum_jvp,
    "biufc",
    _extremum_samples,
)


def reduce_max(operand: Any, axes: Sequence[int]) -> Any:
    """The largest element along ``axes``; NaN where there is one, -inf where there is none.

    Elements that tie share the derivative evenly.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.reduce_max(jnp.array([[1, 5], [3, 2]]), axes=(1,))
    Array([5, 3], dtype=int32)
    """
    return _bind(reduce_max_p, "reduce_max", operand, axes)


def reduce_min(operand: Any, axes: Sequence[int]) -> Any:
    """The smallest element along ``axes``; see ``reduce_max``.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.reduce_min(jnp.array([3.0, 1.0]), axes=(0,))
    Array(1., dtype=float32)
    """
    return _bind(reduce_min_p, "reduce_min", operand, axes)


# ---------------------------------------------------------------- reduce_prod


def _prod_kernel(xp: Any, axes: tuple[int, ...]) -> Callable[..., Any]:
    def run(x: Any) -> Any:
        if x.dtype.kind == "b":
            return xp.all(x, axis=axes)
        if x.dtype.itemsize < 4 and dtypes.is_float(x.dtype):
            return xp.multiply.reduce(x, axis=axes, dtype=np.float32).astype(x.dtype)
        return xp.multiply.reduce(x, axis=axes, dtype=x.dtype)

    return run


def _products_of_others(x: Any) -> Any:
    """For each element the product of all others along the last axis, without division.

    Products of pairs, of pairs of pairs and so on form a tree; coming down, what is beside a
    node is what is beside its parent times its sibling.
    """
    axis = x.aval.ndim - 1
    levels = []
    while x.aval.shape[-1] > 1:
        n = x.aval.shape[-1]
        if n % 2:
            x = pad(x, full_like(x, 1), [(0, 0, 0)] * axis + [(0, 1, 0)])
        half = x.aval.shape[-1] // 2
        left, right = slice_in_dim(x, 0, half, 1, axis), slice_in_dim(x, half, None, 1, axis)
        levels.append((n, left, right))
        x = mul(left, right)
    beside = broadcast_in_dim(full_like(x, 1), x.aval.shape, ())
    for n, left, right in reversed(levels):
        beside = concatenate([mul(beside, right), mul(beside, left)], axis)
        beside = slice_in_dim(beside, 0, n, 1, axis)
    return beside


def _prod_jvp(
    primitive: Primitive,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    axes: tuple[int, ...],
) -> tuple[Any, Any]:
    (x,), (t,) = primals, tangents
    ans = primitive.bind(x, axes=axes)
    if type(t) is Zero or x.aval.size == 0:
        return ans, Zero.like(ans)
    kept = [i for i in range(x.aval.ndim) if i not in axes]
    order = (*kept, *axes)
    moved = transpose(x, order)
    flat = reshape(moved, (*ans.aval.shape, x.aval.size // ans.aval.size))
    others = reshape(_products_of_others(flat), moved.aval.shape)
    inverse = sorted(range(len(order)), key=order.__getitem__)
    return ans, reduce_sum(mul(t, transpose(others, inverse)), axes)


reduce_prod_p = reduction(
    "reduce_prod",
    _prod_kernel,
    _prod_jvp,
    "biufc",
    samples=lambda: [
        Sample((normal(2, 3),), dict(axes=(1,))),
        Sample((normal(2, 3, 2),), dict(axes=(2, 0)), "two-axes"),
        Sample((normal(5),), dict(axes=(0,)), "to-scalar"),
        Sample((np.array([[1, 0, 3], [0, 2, 0]], np.float32),), dict(axes=(1,)), "zeros"),
        Sample((normal(2, 3, dtype=np.complex64),), dict(axes=(0,)), "complex"),
        Sample((normal(2, 3, dtype=np.int32),), dict(axes=(0,)), "int"),
        Sample((uniform(2, 3, dtype=dtypes.bfloat16),), dict(axes=(1,)), "bfloat16"),
        Sample((normal(0, 2),), dict(axes=(0,)), "empty"),
    ],
)


def reduce_prod(operand: Any, axes: Sequence[int]) -> Any:
    """Product over ``axes``; the derivatives are right where elements are zero, too.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.reduce_prod(jnp.array([2.0, 3.0, 4.0]), axes=(0,))
    Array(24., dtype=float32)
    """
    return _bind(reduce_prod_p, "reduce_prod", operand, axes)


# ---------------------------------------------------------------------- logic


def _logic_kernel(function: str, xp: Any, axes: tuple[int, ...]) -> Callable[..., Any]:
    ufunc = getattr(xp, function)
    empty = -1 if function == "bitwise_and" else 0

    def run(x: Any) -> Any:
        if x.dtype.kind == "b" or 0 not in x.shape:
            return ufunc.reduce(x, axis=axes)
        shape = [n for i, n in enumerate(x.shape) if i not in axes]
        return xp.full(shape, empty, np.int64).astype(x.dtype)

    return run


def _logic_samples() -> list[Sample]:
    return [
        Sample((normal(2, 3, dtype=bool),), dict(axes=(1,)), "bool"),
        Sample((normal(2, 3, dtype=bool),), dict(axes=(0, 1)), "all-axes"),
        Sample((normal(2, 3, dtype=np.int32),), dict(axes=(0,)), "int"),
        Sample((normal(0, 3, dtype=np.uint8),), dict(axes=(0,)), "empty"),
    ]


reduce_and_p = reduction(
    "reduce_and", partial(_logic_kernel, "bitwise_and"), _no_jvp, "biu", _logic_samples
)
reduce_or_p = reduction(
    "reduce_or", partial(_logic_kernel, "bitwise_or"), _no_jvp, "biu", _logic_samples
)
reduce_xor_p = reduction(
    "reduce_xor", partial(_logic_kernel, "bitwise_xor"), _no_jvp, "biu", _logic_samples
)


def reduce_and(operand: Any, axes: Sequence[int]) -> Any:
    """Whether all elements along ``axes`` hold; bit by bit for integers.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.reduce_and(jnp.array([True, False]), axes=(0,))
    Array(False, dtype=bool)
    """
    return _bind(reduce_and_p, "reduce_and", operand, axes)


def reduce_or(operand: Any, axes: Sequence[int]) -> Any:
    """Whether any element along ``axes`` holds; bit by bit for integers.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.reduce_or(jnp.array([True, False]), axes=(0,))
    Array(True, dtype=bool)
    """
    return _bind(reduce_or_p, "reduce_or", operand, axes)


def reduce_xor(operand: Any, axes: Sequence[int]) -> Any:
    """Whether an odd number of elements along ``axes`` hold; bit by bit for integers.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.reduce_xor(jnp.array([5, 3]), axes=(0,))
    Array(6, dtype=int32)
    """
    return _bind(reduce_xor_p, "reduce_xor", operand, axes)


# ------------------------------------------------------------- argmax, argmin


def _index_primitive(name: str) -> Primitive:
    def shape(x: ShapedArray, *, axes: tuple[int, ...], index_dtype: Any) -> ShapedArray:
        check_dtypes(name, (x,), "biuf")
        if not dtypes.is_integer(index_dtype):
            raise TypeError(
                f"{name}: index_dtype must be an integer dtype, got {index_dtype.name}.{here()}"
            )
        kept = reduced_shape(name, x, axes)
        if x.shape[axes[0]] == 0:
            raise ValueError(
                f"argmin and argmax require non-empty reduced dimension. operand.shape={x.shape} "
                f"axis={axes[0]}{here()}"
            )
        return ShapedArray(kept, index_dtype)

    def impl(xp: Any, x: Any, *, axes: tuple[int, ...], index_dtype: Any) -> Any:
        if x.dtype.itemsize < 4 and dtypes.is_float(x.dtype):
            x = x.astype(np.float32)  # where NaN counts as the extremum
        return xp.asarray(getattr(xp, name)(x, axis=axes[0])).astype(index_dtype)

    primitive = define_primitive(
        name,
        shape=shape,
        impl=impl,
        samples=lambda: [
            Sample((normal(2, 3),), dict(axes=(1,), index_dtype=np.dtype(np.int32))),
            Sample((normal(2, 3, 2),), dict(axes=(0,), index_dtype=np.dtype(np.int32)), "first"),
            Sample(
                (normal(4, dtype=np.int32),), dict(axes=(0,), index_dtype=np.dtype(np.uint8)), "int"
            ),
            Sample(
                (normal(4, dtype=dtypes.bfloat16),),
                dict(axes=(0,), index_dtype=np.dtype(np.int32)),
                "bfloat16",
            ),
        ],
    )
    primitive.jvp = partial(_no_jvp, primitive)
    primitive.batch = partial(reduction_batch, primitive)
    return primitive


argmax_p = _index_primitive("argmax")
argmin_p = _index_primitive("argmin")


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """Position of the largest element along ``axis``: the first one, or the first NaN.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.argmax(jnp.array([1.0, 5.0, 3.0]), 0, jnp.int32)
    Array(1, dtype=int32)
    """
    (x,) = operands("argmax", operand)
    return argmax_p.bind(x, axes=(int(axis),), index_dtype=dtypes.canonicalize_dtype(index_dtype))


def argmin(operand: Any, axis: int, index_dtype: Any) -> Any:
    """Position of the smallest element along ``axis``; see ``argmax``.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.argmin(jnp.array([2.0, 1.0, 3.0]), 0, jnp.int32)
    Array(1, dtype=int32)
    """
    (x,) = operands("argmin", operand)
    return argmin_p.bind(x, axes=(int(axis),), index_dtype=dtypes.canonicalize_dtype(index_dtype))
