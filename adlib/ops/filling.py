"""Arrays made of nothing but a shape: counting, constants, broadcasts."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, as_value, scalar
from adlib.core.avals import ShapedArray
from adlib.core.primitive import Sample, define_primitive
from adlib.ops.conversion import convert
from adlib.ops.operands import operands
from adlib.ops.reshaping import broadcast_in_dim, broadcast_to, expand_dims

# ----------------------------------------------------------------------- iota


def _iota_shape(
    *, dtype: Any, shape: tuple[int, ...], dimension: int, sharding: None = None
) -> ShapedArray:
    if dtypes.kind(dtype) not in "iufc":
        raise TypeError(
            f"iota does not accept dtype {dtype.name}: it counts in an integer, floating or "
            f"complex dtype.{here()}"
        )
    if any(n < 0 for n in shape):
        raise TypeError(f"iota: sizes must be at least 0, got the shape {shape}.{here()}")
    if not 0 <= dimension < len(shape):
        raise ValueError(
            f"iota dimension must be between 0 and len(shape), got dimension={dimension} for "
            f"shape={shape}.{here()}"
        )
    return ShapedArray(shape, dtype)


def _iota_kernel(
    xp: Any, dtype: Any, shape: tuple[int, ...], dimension: int, sharding: None = None
) -> Callable[..., Any]:
    n = shape[dimension]
    column = (n,) + (1,) * (len(shape) - dimension - 1)
    if len(shape) == 1:
        return lambda: xp.arange(n).astype(dtype)
    return lambda: xp.broadcast_to(xp.arange(n).astype(dtype).reshape(column), shape)


iota_p = define_primitive(
    "iota",
    shape=_iota_shape,
    kernel=_iota_kernel,
    samples=lambda: [
        Sample((), dict(dtype=np.dtype(np.int32), shape=(4,), dimension=0, sharding=None)),
        Sample(
            (), dict(dtype=np.dtype(np.float32), shape=(2, 3), dimension=1, sharding=None), "float"
        ),
        Sample((), dict(dtype=dtypes.bfloat16, shape=(2, 3), dimension=0, sharding=None), "bf16"),
    ],
)


def broadcasted_iota(dtype: Any, shape: Sequence[int], dimension: int) -> Any:
    """An array of the given shape that counts 0, 1, 2, … along one axis.

    >>> from adlib import lax
    >>> lax.broadcasted_iota("int32", (2, 3), 1)
    Array([[0, 1, 2],
           [0, 1, 2]], dtype=int32)
    """
    return iota_p.bind(
        dtype=dtypes.canonicalize_dtype(dtype),
        shape=tuple([operator.index(n) for n in shape]),
        dimension=operator.index(dimension),
        sharding=None,
    )


def iota(dtype: Any, size: int) -> Any:
    """``0, 1, …, size - 1`` in ``dtype``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.iota(jnp.float32, 3)
    Array([0., 1., 2.], dtype=float32)
    """
    return broadcasted_iota(dtype, (size,), 0)


# ------------------------------------------------------------------ constants


def full(shape: int | Sequence[int], fill_value: Any, dtype: Any = None) -> Any:
    """An array of ``shape`` with ``fill_value`` everywhere.

    Args:
      shape: ints >= 0.
      fill_value: a scalar, or a PRNG key.
      dtype: by default that of ``fill_value``, weakly typed where it is a Python number.

    Raises TypeError where ``fill_value`` is not a scalar.

    >>> from adlib import lax
    >>> lax.full((2,), 7)
    Array([7, 7], dtype=int32, weak_type=True)
    """
    shape = tuple([operator.index(n) for n in ((shape,) if isinstance(shape, int) else shape)])
    if dtype is not None and dtypes.scalar_type(fill_value) is not None:
        # converted exactly: not by way of the default dtype of Python numbers
        value: Array = scalar(fill_value, dtypes.canonicalize_dtype(dtype))
    else:
        (value,) = operands("full", fill_value)
        if value.aval.shape:
            raise TypeError(
                "full must be called with scalar fill_value, got an array of shape "
                f"{value.aval.shape}.{here()}\n  Repair: jnp.broadcast_to(x, shape) repeats an "
                "array along new axes."
            )
        if dtype is not None:
            value = convert(value, dtypes.canonicalize_dtype(dtype))
    if any(n < 0 for n in shape):
        raise TypeError(f"full: sizes must not be negative, got shape {shape}.{here()}")
    return broadcast_to(value, shape) if shape else value


def full_like(
    x: Any, fill_value: Any, dtype: Any = None, shape: Sequence[int] | None = None
) -> Any:
    """An array of the shape and dtype of ``x`` (or the given ones) with one value everywhere.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.full_like(jnp.ones(2), 3)
    Array([3., 3.], dtype=float32)
    """
    (x,) = operands("full_like", x)
    aval = x.aval
    wanted = aval.dtype if dtype is None else dtypes.canonicalize_dtype(dtype)
    if dtype is None and aval.weak_type and not isinstance(fill_value, Array):
        fill_value = scalar(fill_value, wanted, True)
        wanted = None
    return full(aval.shape if shape is None else shape, fill_value, wanted)


# ----------------------------------------------------------------- broadcasts


def broadcast(operand: Any, sizes: Sequence[int]) -> Any:
    """``operand`` repeated along new leading axes of the given sizes.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.broadcast(jnp.array([1, 2]), (2,))
    Array([[1, 2],
           [1, 2]], dtype=int32)
    """
    (x,) = operands("broadcast", operand)
    return broadcast_to(x, (*[operator.index(n) for n in sizes], *x.aval.shape))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape to which NumPy's rules broadcast arrays of the given shapes.

    Raises ValueError where they do not fit.

    >>> from adlib import lax
    >>> lax.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    given = [tuple(s) for s in shapes]
    if len(set(given)) == 1:
        return given[0]
    rank = max(map(len, given), default=0)
    result = []
    for sizes in zip(*[(1,) * (rank - len(s)) + s for s in given], strict=True):
        wide = {n for n in sizes if n != 1}
        if len(wide) > 1:
            raise ValueError(
                f"Incompatible shapes for broadcasting: {', '.join(map(str, given))}.{here()}\n"
                "  Shapes are aligned at their ends; two sizes fit if they are equal or one of "
                "them is 1."
            )
        result.append(wide.pop() if wide else 1)
    return tuple(result)


def broadcast_to_rank(x: Any, rank: int) -> Any:
    """``x`` with leading axes of size 1 up to ``rank``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.broadcast_to_rank(jnp.ones(3), 2).shape
    (1, 3)
    """
    (x,) = operands("broadcast_to_rank", x)
    return expand_dims(x, tuple(range(rank - x.aval.ndim)))


def empty(shape: Any, dtype: Any) -> Any:
    """An array whose values are of no account: zeros.

    >>> import numpy as np
    >>> from adlib import lax
    >>> lax.empty((2,), np.float32).shape
    (2,)
    """
    return full(shape, 0, dtype)


def broadcast_like(arr: Any, like_arr: Any) -> Any:
    """``arr`` broadcast to the shape of ``like_arr``, by NumPy's rules.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.broadcast_like(1.0, jnp.zeros(2))
    Array([1., 1.], dtype=float32, weak_type=True)
    """
    x, like = as_value(arr, "broadcast_like"), as_value(like_arr, "broadcast_like")
    shape = like.aval.shape
    if broadcast_shapes(x.aval.shape, shape) != shape:
        raise ValueError(
            f"broadcast_like: an array of shape {x.aval.shape} does not broadcast to {shape}."
            f"{here()}"
        )
    axes = tuple(range(len(shape) - x.aval.ndim, len(shape)))
    return broadcast_in_dim(x, shape, axes)
