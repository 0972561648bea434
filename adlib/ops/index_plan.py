"""Where gather reads and scatter writes: dimension numbers, modes, and addresses.

Both operations address *windows* of an operand. An array of indices holds, in its last
axis, the start of each window; ``GatherDimensionNumbers`` (``ScatterDimensionNumbers``)
says which axes of the operand those starts belong to and where the window's axes lie in the
result (in the updates). See "Gather" and "Scatter" in XLA's operation semantics.

The kernels bring every case to one form: the operand's axes that are addressed first, made
one axis of *rows*; the axes that windows cover entirely behind them. A gather is then a
``take`` of rows and a scatter an update of rows.
"""

from __future__ import annotations

import enum
import math
from typing import Any, NamedTuple

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray


class GatherScatterMode(enum.Enum):
    """What happens to indices that are out of bounds.

    CLIP: they are moved to the nearest valid place. FILL_OR_DROP: a gather returns the fill
    value, a scatter leaves the update out. PROMISE_IN_BOUNDS: the caller says that there are
    none (if there are, a gather clips and a scatter drops).

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> jnp.arange(3.0).at[5].get(mode=lax.GatherScatterMode.CLIP)
    Array(2., dtype=float32)
    >>> lax.GatherScatterMode.from_any("fill")
    GatherScatterMode.FILL_OR_DROP
    """

    CLIP = 1
    FILL_OR_DROP = 2
    PROMISE_IN_BOUNDS = 3

    @staticmethod
    def from_any(mode: Any) -> GatherScatterMode | None:
        """A mode from its name; None stays None. Raises ValueError for unknown names."""
        if mode is None or isinstance(mode, GatherScatterMode):
            return mode
        if mode in _MODES:
            return _MODES[mode]
        raise ValueError(
            f"Unknown gather mode {mode!r}; the modes are {', '.join(map(repr, _MODES))}.{here()}"
        )

    def __str__(self) -> str:
        return f"GatherScatterMode.{self.name}"

    __repr__ = __str__


_MODES = {
    "clip": GatherScatterMode.CLIP,
    "fill": GatherScatterMode.FILL_OR_DROP,
    "drop": GatherScatterMode.FILL_OR_DROP,
    "promise_in_bounds": GatherScatterMode.PROMISE_IN_BOUNDS,
}


class GatherDimensionNumbers(NamedTuple):
    """How the axes of a gather's operand, indices and result belong together.

    Attributes:
      offset_dims: axes of the result that run within a window, in increasing order.
      collapsed_slice_dims: axes of the operand, of window size 1, that the result leaves out.
      start_index_map: the operand's axis to which each entry of an index belongs.
      operand_batching_dims: axes of the operand that run along with ...
      start_indices_batching_dims: ... these axes of the indices, pair by pair.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> rows = lax.GatherDimensionNumbers((1,), collapsed_slice_dims=(0,), start_index_map=(0,))
    >>> lax.gather(jnp.arange(6.0).reshape(3, 2), jnp.array([[2], [0]]), rows, slice_sizes=(1, 2))
    Array([[4., 5.],
           [0., 1.]], dtype=float32)
    """

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


class ScatterDimensionNumbers(NamedTuple):
    """How the axes of a scatter's operand, indices and updates belong together.

    Attributes:
      update_window_dims: axes of the updates that run within a window, in increasing order.
      inserted_window_dims: axes of the operand, of window size 1, that the updates leave out.
      scatter_dims_to_operand_dims: the operand's axis to which each entry of an index belongs.
      operand_batching_dims: axes of the operand that run along with ...
      scatter_indices_batching_dims: ... these axes of the indices, pair by pair.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> each = lax.ScatterDimensionNumbers((), (0,), scatter_dims_to_operand_dims=(0,))
    >>> lax.scatter_add(jnp.zeros(3), jnp.array([[2], [2]]), jnp.array([1.0, 4.0]), each)
    Array([0., 0., 5.], dtype=float32)
    """

    update_window_dims: tuple[int, ...]
    inserted_window_dims: tuple[int, ...]
    scatter_dims_to_operand_dims: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    scatter_indices_batching_dims: tuple[int, ...] = ()

    @property
    def as_gather(self) -> GatherDimensionNumbers:
        """The gather that reads what this scatter writes."""
        return GatherDimensionNumbers(*self)


def as_scatter(numbers: GatherDimensionNumbers) -> ScatterDimensionNumbers:
    """The scatter that writes what a gather with these numbers reads."""
    return ScatterDimensionNumbers(*numbers)


def tuples(numbers: Any) -> Any:
    """Dimension numbers with every field a tuple of ints."""
    return type(numbers)(*[tuple([int(i) for i in field]) for field in numbers])


# -------------------------------------------------------------------- checks


def check_numbers(
    name: str,
    x: ShapedArray,
    indices: ShapedArray,
    numbers: GatherDimensionNumbers,
    slice_sizes: tuple[int, ...],
) -> None:
    """Raise TypeError where dimension numbers fit neither each other nor the shapes."""
    offset, collapsed, index_map, batching, index_batching = numbers

    def fail(reason: str, error: type[Exception] = TypeError) -> None:
        raise error(
            f"{name}: {reason}.{here()}\n  Operand {x.str_short()}, indices "
            f"{indices.str_short()}, {numbers}, slice_sizes={slice_sizes}.\n  Repair: x[i] and "
            "x.at[i] work these numbers out on their own."
        )

    if not dtypes.is_integer(indices.dtype):
        fail(f"indices must have an integer type, not {indices.dtype.name}", ValueError)
    if not indices.shape:
        fail("indices must have at least one axis, whose entries make up an index")
    if len(index_map) != indices.shape[-1]:
        fail(f"each index has {indices.shape[-1]} entries, but {len(index_map)} axes are named")
    if len(slice_sizes) != x.ndim:
        fail(f"a window needs a size for each of the operand's {x.ndim} axes")
    if 0 not in indices.shape[:-1] and any(
        not 0 <= size <= n for size, n in zip(slice_sizes, x.shape, strict=True)
    ):
        fail("a window must fit into the operand")
    if any(slice_sizes[d] != 1 for d in (*collapsed, *batching)):
        fail("axes that are left out or batched must have window size 1")
    if len(batching) != len(index_batching) or any(
        x.shape[d] != indices.shape[i] for d, i in zip(batching, index_batching, strict=True)
    ):
        fail("batched axes of operand and indices must pair up, with equal sizes")
    for axes, rank in (
        (index_map, x.ndim),
        ((*collapsed, *batching), x.ndim),
        (index_batching, indices.ndim - 1),
        (offset, len(offset) + indices.ndim - 1),
    ):
        if len(set(axes)) != len(axes) or any(not 0 <= a < rank for a in axes):
            fail(f"the axes {axes} must differ and lie in 0..{rank - 1}")
    if list(offset) != sorted(offset):
        fail(f"window axes {offset} must be in increasing order")
    if len(offset) + len(collapsed) + len(batching) != x.ndim:
        fail(f"each of the operand's {x.ndim} axes must be in the window, left out, or batched")
    if set(index_map) & set(batching):
        fail("a batched axis takes no index")


def windows_shape(
    indices_shape: tuple[int, ...], numbers: GatherDimensionNumbers, slice_sizes: tuple[int, ...]
) -> tuple[int, ...]:
    """Shape of all windows together: a gather's result, a scatter's updates."""
    outer = iter(indices_shape[:-1])
    kept = _kept(len(slice_sizes), numbers)
    inner = iter([slice_sizes[d] for d in kept])
    rank = len(indices_shape) - 1 + len(kept)
    offset = set(numbers.offset_dims)
    return tuple([next(inner) if i in offset else next(outer) for i in range(rank)])


def _kept(rank: int, numbers: GatherDimensionNumbers) -> list[int]:
    gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    return [d for d in range(rank) if d not in gone]


# ----------------------------------------------------------------- addresses


class Plan:
    """How windows of an operand of one shape are addressed by indices of one shape.

    Attributes:
      order: the operand's axes, addressed ones first.
      rows: sizes of the addressed axes; columns: sizes of the others.
      restored: where each axis of the operand is in ``order``.
      moved: axes of the windows (in the result's order) as they lie in the canonical order:
        axes of the indices, window axes along addressed axes, window axes along the others;
        unmoved: the way back.
      compact: the windows' shape in that order; shape: in the result's order.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        indices_shape: tuple[int, ...],
        numbers: GatherDimensionNumbers,
        slice_sizes: tuple[int, ...],
    ) -> None:
        index_map = numbers.start_index_map
        batching = dict(
            zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True)
        )
        self.operand_shape, self.slice_sizes, self.index_map = shape, slice_sizes, index_map
        addressed = [
            d for d, n in enumerate(shape) if d in index_map or d in batching or slice_sizes[d] != n
        ]
        # axes of size 1 that windows leave out, although no index addresses them, come last
        kept = _kept(len(shape), numbers)
        others = [d for d in kept if d not in addressed]
        gone = [d for d in range(len(shape)) if d not in kept and d not in addressed]
        self.order = (*addressed, *others, *gone)
        self.rows = tuple([shape[d] for d in addressed])
        self.columns = tuple([shape[d] for d in others])
        self.row_count, self.column_count = math.prod(self.rows), math.prod(self.columns)
        self.outer = indices_shape[:-1]
        self.shape = windows_shape(indices_shape, numbers, slice_sizes)
        # window axes of size 1 along addressed axes carry no address: they are put in last
        wide = [d for d in addressed if slice_sizes[d] != 1]
        self.addresses_shape = (*self.outer, *[slice_sizes[d] for d in wide])
        self.compact = (*self.addresses_shape, *self.columns)
        canonical = {d: len(self.outer) + i for i, d in enumerate([*wide, *others])}
        outer, inner = iter(range(len(self.outer))), iter(kept)
        offset = set(numbers.offset_dims)
        places = [
            canonical.get(next(inner)) if i in offset else next(outer)
            for i in range(len(self.shape))
        ]
        self.moved = tuple([p for p in places if p is not None])
        self.in_order = self.moved == tuple(range(len(self.moved)))
        self.unmoved, self.restored = _inverse(self.moved), _inverse(self.order)
        self.squeezed = tuple([n for n, p in zip(self.shape, places, strict=True) if p is not None])
        self.mask_shape = tuple([1 if i in offset else n for i, n in enumerate(self.shape)])
        self.limits = [shape[d] - slice_sizes[d] for d in index_map]
        self.strides = _row_strides(self.rows, addressed)
        self.fixed = self._fixed_addresses(addressed, wide, batching)
        # one index along one axis, nothing else addressed
        self.single_axis = len(addressed) == len(index_map) == 1 and not wide

    def _fixed_addresses(self, addressed: list[int], wide: list[int], batching: Any) -> Any:
        """The part of the row numbers that no index decides."""
        total: Any = 0
        rank = len(self.addresses_shape)
        for d in addressed:
            axis = batching.get(d)
            if axis is not None:
                steps = np.arange(self.operand_shape[d])
            elif d in wide:
                axis, steps = len(self.outer) + wide.index(d), np.arange(self.slice_sizes[d])
            else:
                continue
            total = total + (steps * self.strides[d]).reshape((-1,) + (1,) * (rank - axis - 1))
        return total

    @property
    def natural(self) -> bool:
        """Whether the addressed axes lead already."""
        return self.order == tuple(range(len(self.order)))

    def starts(self, xp: Any, indices: Any, clip: bool) -> tuple[list[Any], Any]:
        """(start along each named axis, which windows lie within the operand or None for all)."""
        starts, inside = [], None
        for k, limit in enumerate(self.limits):
            start = as_positions(xp, indices[..., k])
            if clip:
                start = xp.minimum(xp.maximum(start, 0), limit)
            else:
                good = (start >= 0) & (start <= limit)
                inside = good if inside is None else inside & good
            starts.append(start)
        return starts, inside

    def row_numbers(self, xp: Any, starts: list[Any]) -> Any:
        """Which rows the windows consist of: an array of shape ``addresses_shape``."""
        total: Any = 0
        for start, d in zip(starts, self.index_map, strict=True):
            stride = self.strides[d]
            total = total + (start * stride if stride != 1 else start)
        extra = len(self.addresses_shape) - len(self.outer)
        if extra and starts:
            total = total.reshape(self.outer + (1,) * extra)
        fixed = self.fixed
        if type(fixed) is not int:
            total = total + xp.asarray(fixed)
        if np.shape(total) == self.addresses_shape:
            return total
        return xp.broadcast_to(xp.asarray(total), self.addresses_shape)

    def window(self, indices: Any) -> tuple[tuple[slice, ...], bool]:
        """The one window that a single index addresses, clipped, and whether it was inside."""
        entries = dict(zip(self.index_map, indices.tolist(), strict=True))
        slices, inside = [], True
        for d, (n, size) in enumerate(zip(self.operand_shape, self.slice_sizes, strict=True)):
            start = entries.get(d, 0)
            if not 0 <= start <= n - size:
                inside = False
                start = max(0, min(start, n - size))
            slices.append(slice(start, start + size))
        return tuple(slices), inside


def as_positions(xp: Any, indices: Any) -> Any:
    """Indices as machine integers; what is larger than any of them is the largest one."""
    if indices.dtype == np.intp:
        return indices
    if indices.dtype.kind == "u" and indices.dtype.itemsize >= np.dtype(np.intp).itemsize:
        indices = xp.minimum(indices, indices.dtype.type(np.iinfo(np.intp).max))
    return indices.astype(np.intp)


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def _row_strides(rows: tuple[int, ...], addressed: list[int]) -> dict[int, int]:
    strides, step = {}, 1
    for d, n in zip(reversed(addressed), reversed(rows), strict=True):
        strides[d] = step
        step *= n
    return strides
