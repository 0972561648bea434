"""Reductions of rows by the segment that each belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import ArrayImpl, as_value
from adlib.ops.filling import full
from adlib.ops.index_plan import ScatterDimensionNumbers
from adlib.ops.indexing import scatter_add
from adlib.ops.reshaping import expand_dims
from adlib.ops.scatter import scatter_max, scatter_min, scatter_mul


def _reduced(
    name: str,
    scatter: Callable[..., Any],
    initial: Any,
    data: Any,
    segment_ids: Any,
    num_segments: int | None,
    indices_are_sorted: bool,
    unique_indices: bool,
    mode: Any,
) -> Any:
    data, ids = as_value(data, name), as_value(segment_ids, name)
    if (
        ids.aval.ndim != 1
        or data.aval.shape[:1] != ids.aval.shape
        or ids.aval.dtype.kind not in "iu"
    ):
        raise ValueError(
            f"{name} wants data of shape (n, ...) and integer segment_ids of shape (n,); it was "
            f"given {data.aval.str_short()} and {ids.aval.str_short()}.{here()}"
        )
    if num_segments is None:
        if not isinstance(ids, ArrayImpl):
            raise ValueError(
                f"{name} needs num_segments=… where segment_ids is traced: the shape of the result "
                f"depends on it.{here()}"
            )
        num_segments = int(np.max(np.asarray(ids), initial=-1)) + 1
    if num_segments < 0:
        raise ValueError(
            f"{name} wants num_segments of 0 or more; it was given {num_segments}.{here()}"
        )
    dtype = data.aval.dtype
    start = full((num_segments, *data.aval.shape[1:]), initial(dtype), dtype)
    numbers = ScatterDimensionNumbers(tuple(range(1, data.aval.ndim)), (0,), (0,))
    return scatter(
        start,
        expand_dims(ids, (1,)),
        data,
        numbers,
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
    )


def _smallest(dtype: Any) -> Any:
    if dtype.kind == "b":
        return False
    return -np.inf if dtypes.is_inexact(dtype) else np.iinfo(dtype).min


def _largest(dtype: Any) -> Any:
    if dtype.kind == "b":
        return True
    return np.inf if dtypes.is_inexact(dtype) else np.iinfo(dtype).max


def segment_sum(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: Any = None,
) -> Any:
    """The sum of the rows of each segment.

    Args:
      data: (n, ...).
      segment_ids: (n,), integers: the segment of each row. Rows of segments that do not exist
        (negative or too large) count nowhere.
      num_segments: how many there are; by default the largest id plus one.
      indices_are_sorted, unique_indices: promises about ``segment_ids``.
      bucket_size: taken for compatibility.
      mode: what happens to ids out of range: ``"drop"`` (default), ``"clip"`` or
        ``"promise_in_bounds"``.

    Returns:
      (num_segments, ...); zero for segments without rows.

    Raises:
      ValueError: shapes that do not fit; traced ids without ``num_segments``.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.ops.segment_sum(jnp.array([1.0, 2.0, 4.0]), jnp.array([0, 1, 0]))
    Array([5., 2.], dtype=float32)
    """
    return _reduced(
        "segment_sum", scatter_add, lambda dtype: 0, data, segment_ids, num_segments,
        indices_are_sorted, unique_indices, mode,
    )  # fmt: skip


def segment_prod(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: Any = None,
) -> Any:
    """The product of the rows of each segment, 1 for none; see ``segment_sum``.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.ops.segment_prod(jnp.array([3.0, 2.0, 4.0]), jnp.array([0, 1, 0]))
    Array([12.,  2.], dtype=float32)
    """
    return _reduced(
        "segment_prod", scatter_mul, lambda dtype: 1, data, segment_ids, num_segments,
        indices_are_sorted, unique_indices, mode,
    )  # fmt: skip


def segment_max(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: Any = None,
) -> Any:
    """The largest of the rows of each segment, the smallest number for none; see ``segment_sum``.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.ops.segment_max(jnp.array([1.0, 2.0, 4.0]), jnp.array([0, 1, 0]))
    Array([4., 2.], dtype=float32)
    """
    return _reduced(
        "segment_max", scatter_max, _smallest, data, segment_ids, num_segments,
        indices_are_sorted, unique_indices, mode,
    )  # fmt: skip


def segment_min(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: Any = None,
) -> Any:
    """The smallest of the rows of each segment, the largest number for none; see ``segment_sum``.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.ops.segment_min(jnp.array([1.0, 2.0, 4.0]), jnp.array([0, 1, 0]))
    Array([1., 2.], dtype=float32)
    """
    return _reduced(
        "segment_min", scatter_min, _largest, data, segment_ids, num_segments,
        indices_are_sorted, unique_indices, mode,
    )  # fmt: skip
