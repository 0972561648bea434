"""scatter_apply: a function applied to the elements that indices point at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.control.while_loop import while_loop
from adlib.core.array import ArrayImpl, from_nothing, scalar, to_numpy
from adlib.core.avals import ShapedArray
from adlib.ops.arithmetic import add, gt, lt
from adlib.ops.conversion import convert
from adlib.ops.index_plan import GatherDimensionNumbers, ScatterDimensionNumbers, as_scatter
from adlib.ops.indexing import gather, scatter_add
from adlib.ops.operands import operands
from adlib.ops.reductions import reduce_max
from adlib.ops.reshaping import broadcast_to, zeros
from adlib.ops.scatter import scatter
from adlib.ops.selection import select_n

_INT32 = np.dtype(np.int32)


def scatter_apply(
    operand: Any,
    scatter_indices: Any,
    func: Callable[[Any], Any],
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape: Sequence[int] = (),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """``operand`` with ``func`` applied to the elements of its windows at ``scatter_indices``.

    ``x.at[i].apply(func)`` is the friendly form of this.

    Args:
      operand, scatter_indices, dimension_numbers, mode: as for ``scatter_add``.
      func: works element by element; to an element that is indexed n times it is applied n
        times.
      update_shape: shape that updates would have: that of the indices without their last
        axis, and of the windows.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
    >>> double = lambda v: 2 * v
    >>> lax.scatter_apply(jnp.ones(3), jnp.array([[0], [2], [2]]), double, numbers,
    ...                   update_shape=(3,))
    Array([2., 1., 4.], dtype=float32)
    """
    x, indices = operands("scatter_apply", operand, scatter_indices)
    blank = zeros(ShapedArray(x.aval.shape, _INT32))
    ones = broadcast_to(scalar(1, _INT32), tuple(update_shape))
    counts = scatter_add(
        blank,
        indices,
        ones,
        dimension_numbers,
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
    )
    if type(counts) is ArrayImpl:
        return _apply_in_rounds(x, to_numpy(counts), func)
    return _apply_while_due(x, counts, func)


def _apply_in_rounds(x: Any, counts: Any, func: Callable[[Any], Any]) -> Any:
    """Known counts: in round k the elements that occur more than k times are read and written."""
    axes = tuple(range(x.aval.ndim))
    numbers = GatherDimensionNumbers((), axes, axes)
    for k in range(int(counts.max(initial=0))):
        due = np.argwhere(counts > k).astype(np.int32)
        places = from_nothing(due, ShapedArray(due.shape, _INT32))
        old = gather(x, places, numbers, (1,) * len(axes), unique_indices=True)
        new = convert(func(old), x.aval.dtype)
        x = scatter(x, places, new, as_scatter(numbers), unique_indices=True)
    return x


def _apply_while_due(x: Any, counts: Any, func: Callable[[Any], Any]) -> Any:
    """Unknown counts: all elements go through ``func``, and those that are due take its result."""
    most = reduce_max(counts, tuple(range(counts.aval.ndim)))

    def body(carry: Any) -> Any:
        k, y = carry
        new = convert(func(y), x.aval.dtype, x.aval.weak_type)
        return add(k, scalar(1, _INT32)), select_n(gt(counts, k), y, new)

    return while_loop(lambda carry: lt(carry[0], most), body, (scalar(0, _INT32), x))[1]
