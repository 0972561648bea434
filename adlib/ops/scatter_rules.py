"""What gather and the scatters have in common: rules, row updates, sample arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.jaxpr import Eqn, Jaxpr, Var
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.index_plan import (
    GatherDimensionNumbers,
    GatherScatterMode,
    Plan,
    ScatterDimensionNumbers,
    as_scatter,
    check_numbers,
    tuples,
    windows_shape,
)
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import instantiate, moveaxis
from adlib.ops.structural import batch_first

FILL = GatherScatterMode.FILL_OR_DROP
PROMISE = GatherScatterMode.PROMISE_IN_BOUNDS
CLIP = GatherScatterMode.CLIP


def _shifted(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([a + 1 for a in axes])


def batched_numbers(numbers: Any, operand: bool, indices: bool) -> Any:
    """Dimension numbers after a batch axis came to the front of the operand, the indices or both.

    Windows (result or updates) carry it in front as well.
    """
    offset, collapsed, index_map, batching, index_batching = map(_shifted, numbers)
    kind = type(numbers)
    if operand and indices:
        return kind(offset, collapsed, index_map, (0, *batching), (0, *index_batching))
    if operand:
        # the batch axis is part of every window
        return kind((0, *offset), collapsed, index_map, batching, tuple(numbers[4]))
    return kind(offset, tuple(numbers[1]), tuple(numbers[2]), tuple(numbers[3]), index_batching)


def sample_numbers() -> dict[str, tuple[Any, ...]]:
    """Cases for the tests: operand shape, indices, dimension numbers, slice sizes."""
    d = GatherDimensionNumbers
    two = np.array([[0, 1], [2, 0], [2, 0]], np.int32)
    return {
        "rows": ((3, 2), [[0], [2], [2]], d((1,), (0,), (0,)), (1, 2)),
        "columns": ((2, 3), [[2], [0]], d((0,), (1,), (1,)), (2, 1)),
        "elements": ((3, 2), two, d((), (0, 1), (0, 1)), (1, 1)),
        "swapped": ((2, 3), two[:, ::-1] % 2, d((), (0, 1), (1, 0)), (1, 1)),
        "windows": ((4, 2), [[1], [2]], d((1, 2), (), (0,)), (2, 2)),
        "columns-kept": ((2, 4), [[1], [2]], d((0, 2), (), (1,)), (2, 2)),
        "window-sliced": ((3, 4), [[0], [2]], d((1,), (0,), (0,)), (1, 2)),
        "single": ((3, 2), np.array([1], np.int32), d((0,), (0,), (0,)), (1, 2)),
        "outside": ((3, 2), [[-1], [3], [1]], d((1,), (0,), (0,)), (1, 2)),
        "single-outside": ((3,), np.array([5], np.int32), d((), (0,), (0,)), (1,)),
        "index-grid": ((4,), np.array([[[0], [3]], [[1], [1]]], np.int32), d((), (0,), (0,)), (1,)),
        "batched": (
            (2, 3),
            np.array([[[0], [2]], [[1], [1]]], np.int32),
            d((), (1,), (1,), (0,), (0,)),
            (1, 1),
        ),
        "batched-last": (
            (3, 2),
            np.array([[[0], [2]], [[1], [1]]], np.int32),
            d((), (0,), (0,), (1,), (1,)),
            (1, 1),
        ),
        "empty": ((3, 2), np.zeros((0, 1), np.int32), d((1,), (0,), (0,)), (1, 2)),
        "no-index": ((2,), np.zeros((0,), np.int32), d((0,), (), ()), (2,)),
    }


# (out rows, row numbers, update rows, xp, promised unique): writes into ``out``
RowUpdate = Callable[[Any, Any, Any, Any, bool], None]


@functools.cache
def update_jaxpr(primitive: Primitive, dtype: Any) -> Jaxpr:
    """``lambda old new: primitive old new`` on scalars, which says what a scatter does."""
    aval = ShapedArray((), dtype)
    old, new, out = Var(aval), Var(aval), Var(aval)
    return Jaxpr([], [old, new], [out], [Eqn(primitive, [old, new], [out], {})])


def _scatter_shape(
    name: str,
    x: ShapedArray,
    indices: ShapedArray,
    updates: ShapedArray,
    *,
    dimension_numbers: ScatterDimensionNumbers,
    **_: Any,
) -> ShapedArray:
    if x.dtype != updates.dtype:
        raise TypeError(
            f"{name}: operand and updates must have the same dtype, got {x.dtype.name} and "
            f"{updates.dtype.name}.{here()}\n  Repair: updates.astype(operand.dtype)."
        )
    numbers = dimension_numbers.as_gather
    rank = indices.ndim - 1 + len(numbers.offset_dims)
    if updates.ndim != rank:
        raise TypeError(
            f"{name}: updates must have rank {rank} (the axes of the indices but the last, and "
            f"the window's), got shape {updates.shape}.{here()}"
        )
    sizes = window_sizes(x.shape, updates.shape, dimension_numbers)
    check_numbers(name, x, indices, numbers, sizes)
    wanted = windows_shape(indices.shape, numbers, sizes)
    if wanted != updates.shape:
        raise TypeError(
            f"{name}: updates of shape {updates.shape} do not fit indices of shape "
            f"{indices.shape}: {wanted} is wanted.{here()}"
        )
    return ShapedArray(x.shape, x.dtype, x.weak_type)


def window_sizes(
    shape: tuple[int, ...], updates_shape: tuple[int, ...], numbers: ScatterDimensionNumbers
) -> tuple[int, ...]:
    """Size of a scatter's windows along each axis of the operand."""
    gone = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    inner = iter([updates_shape[d] for d in numbers.update_window_dims])
    return tuple([1 if d in gone else next(inner, 1) for d in range(len(shape))])


def _scatter_kernel(
    update_rows: RowUpdate,
    update_window: Callable[[Any, Any, Any], None],
    xp: Any,
    dimension_numbers: ScatterDimensionNumbers,
    mode: GatherScatterMode,
    unique_indices: bool,
    indices_are_sorted: bool,
    update_jaxpr: Any,
    update_consts: tuple[()],
) -> Callable[..., Any]:
    plans: dict[Any, Any] = {}
    clip = mode is CLIP

    def kernel(x: Any, indices: Any, updates: Any) -> Any:
        key = (x.shape, indices.shape, updates.shape)
        plan = plans.get(key)
        if plan is None:
            sizes = window_sizes(x.shape, updates.shape, dimension_numbers)
            plan = plans[key] = Plan(*key[:2], dimension_numbers.as_gather, sizes)
        if not plan.outer:
            place, inside = plan.window(indices)
            if not (inside or clip):
                return x
            out = xp.array(x)
            update_window(xp, out[(*place, ...)], updates.reshape(plan.slice_sizes))
            return out
        return _scatter_rows(xp, x, indices, updates, plan, update_rows, clip, unique_indices)

    return kernel


def _scatter_rows(
    xp: Any,
    x: Any,
    indices: Any,
    updates: Any,
    plan: Plan,
    update_rows: RowUpdate,
    clip: bool,
    unique: bool,
) -> Any:
    starts, inside = plan.starts(xp, indices, clip)
    rows = plan.row_numbers(xp, starts)
    new = updates.reshape(plan.squeezed)
    if not plan.in_order:
        new = new.transpose(plan.unmoved)
    if inside is not None and not inside.all():
        rows, new = rows[inside], new[inside]
    # a copy whose addressed axes come first, in one block of memory
    out = xp.array(x.transpose(plan.order), order="C")
    new = new.reshape(rows.size, plan.column_count)
    block = out.reshape(plan.row_count, plan.column_count)
    if plan.column_count == 1:
        block, new = block.reshape(-1), new.reshape(-1)
    if rows.size:
        update_rows(xp, block, rows.reshape(-1), new, unique)
    return out if plan.natural else out.transpose(plan.restored)


def _scatter_batch(
    primitive: Callable[[], Primitive],
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    dimension_numbers: ScatterDimensionNumbers,
    **params: Any,
) -> tuple[Any, int]:
    (x, indices, updates), (d, i, u) = args, dims
    x, updates = batch_first(axis, x, d), batch_first(axis, updates, u)
    if i is not None:
        indices = moveaxis(indices, i, 0)
    numbers = batched_numbers(dimension_numbers, True, i is not None)
    return primitive().bind(x, indices, updates, dimension_numbers=numbers, **params), 0


def scatter_samples(update: Primitive | None) -> list[Sample]:
    """Sample arguments of a scatter whose update is ``update``."""
    samples = []
    for name, (shape, indices, gather_numbers, sizes) in sample_numbers().items():
        indices = np.asarray(indices, np.int32)
        for mode in (CLIP, FILL) if "outside" in name else (FILL,):
            params = scatter_params(update, np.dtype(np.float32), as_scatter(gather_numbers), mode)
            args = (
                normal(*shape),
                indices,
                normal(*windows_shape(indices.shape, gather_numbers, sizes)),
            )
            samples.append(Sample(args, params, f"{name}-{mode.name}"))
    return samples


def typed_scatter_samples(update: Primitive | None, *kinds: Any) -> list[Sample]:
    """Samples of a scatter of rows, one for each dtype."""
    shape, indices, numbers, sizes = sample_numbers()["rows"]
    indices = np.asarray(indices, np.int32)
    return [
        Sample(
            (
                normal(*shape, dtype=t),
                indices,
                normal(*windows_shape(indices.shape, numbers, sizes), dtype=t),
            ),
            scatter_params(update, np.dtype(t), as_scatter(numbers), FILL),
            np.dtype(t).name,
        )
        for t in kinds
    ]


def scatter_params(
    update: Primitive | None,
    dtype: Any,
    numbers: ScatterDimensionNumbers,
    mode: GatherScatterMode,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
) -> dict[str, Any]:
    """Parameters of a scatter."""
    return dict(
        dimension_numbers=numbers,
        mode=mode,
        unique_indices=unique_indices,
        indices_are_sorted=indices_are_sorted,
        update_consts=(),
        update_jaxpr=None if update is None else update_jaxpr(update, dtype),
    )


def bind_scatter(
    name: str,
    primitive: Primitive,
    update: Primitive | None,
    operand: Any,
    indices: Any,
    updates: Any,
    numbers: ScatterDimensionNumbers,
    unique_indices: bool,
    indices_are_sorted: bool,
    mode: Any,
) -> Any:
    """Convert the arguments of a scatter function and apply its primitive."""
    x, new = operands(name, operand, updates)
    (indices,) = operands(name, indices)
    mode = GatherScatterMode.from_any(mode) or FILL
    params = scatter_params(
        update, x.aval.dtype, tuples(numbers), mode, bool(unique_indices), bool(indices_are_sorted)
    )
    return primitive.bind(x, indices, new, **params)


def has_repeats(xp: Any, rows: Any, count: int) -> bool:
    """Whether a row number occurs twice among ``rows``, all below ``count``."""
    seen = xp.zeros(count, bool)
    seen[rows] = True
    return int(xp.count_nonzero(seen)) != int(rows.size)


def element_by_element(xp: Any, out: Any, rows: Any, new: Any) -> tuple[Any, Any, Any]:
    """An update of rows as one of single elements: ``ufunc.at`` is fast on flat arrays only."""
    if out.ndim == 1:
        return out, rows, new
    width = out.shape[1]
    rows = (rows[:, None] * width + xp.arange(width)).reshape(-1)
    return out.reshape(-1), rows, new.reshape(-1)


def define_scatter(
    name: str,
    update: Primitive | None,
    update_rows: RowUpdate,
    update_window: Callable[[Any, Any, Any], None],
    kinds: Sequence[Any] = (),
    **rules: Any,
) -> Primitive:
    """A scatter: its update of rows and of one window, and its derivative rules.

    ``kinds`` are the dtypes, beyond float32, of its samples.
    """
    primitive: Primitive = define_primitive(
        name,
        shape=functools.partial(_scatter_shape, name),
        kernel=functools.partial(_scatter_kernel, update_rows, update_window),
        batch=functools.partial(_scatter_batch, lambda: primitive),
        samples=lambda: [*scatter_samples(update), *typed_scatter_samples(update, *kinds)],
        **rules,
    )
    return primitive


def linear_scatter_jvp(
    primitive: Callable[[], Primitive],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    **params: Any,
) -> tuple[Any, Any]:
    """The jvp of a scatter that is linear in operand and updates jointly."""
    x, indices, updates = primals
    ans = primitive().bind(x, indices, updates, **params)
    tx, _, tu = tangents
    if (type(tx) is Zero and type(tu) is Zero) or not dtypes.is_inexact(ans.aval.dtype):
        return ans, Zero.like(ans)
    return ans, primitive().bind(instantiate(tx), indices, instantiate(tu), **params)
