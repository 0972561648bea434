"""Gather and scatter-add, each other's transposes: read windows, add to windows."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add_p
from adlib.ops.index_plan import (
    GatherDimensionNumbers,
    GatherScatterMode,
    Plan,
    ScatterDimensionNumbers,
    as_positions,
    as_scatter,
    check_numbers,
    tuples,
    windows_shape,
)
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import moveaxis, zeros
from adlib.ops.scatter_rules import (
    CLIP,
    FILL,
    PROMISE,
    batched_numbers,
    bind_scatter,
    define_scatter,
    element_by_element,
    has_repeats,
    linear_scatter_jvp,
    sample_numbers,
    window_sizes,
)

# --------------------------------------------------------------------- gather

# one NaN, so that parameters which hold it compare equal
_NAN = float("nan")


def default_fill(dtype: Any) -> Any:
    """The fill value where none is given: NaN, the least integer, the largest unsigned one."""
    kind = dtypes.kind(dtype)
    if kind in "fc":
        return _NAN
    if kind in "iu":
        bounds = np.iinfo(dtype)
        return int(bounds.min if kind == "i" else bounds.max)
    return True if kind == "b" else 0


def _gather_shape(
    x: ShapedArray,
    indices: ShapedArray,
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: tuple[int, ...],
    **_: Any,
) -> ShapedArray:
    check_numbers("gather", x, indices, dimension_numbers, slice_sizes)
    return x.update(shape=windows_shape(indices.shape, dimension_numbers, slice_sizes))


def _gather_kernel(
    xp: Any,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: tuple[int, ...],
    mode: GatherScatterMode,
    fill_value: Any,
    unique_indices: bool,
    indices_are_sorted: bool,
) -> Callable[..., Any]:
    plans: dict[Any, Any] = {}
    fill = mode is FILL

    def kernel(x: Any, indices: Any) -> Any:
        key = (x.shape, indices.shape)
        plan = plans.get(key)
        if plan is None:
            plan = plans[key] = Plan(*key, dimension_numbers, slice_sizes)
        if not plan.outer:
            place, inside = plan.window(indices)
            if inside or not fill:
                return x[place].reshape(plan.shape)
            return xp.full(plan.shape, _fill_for(x.dtype, fill_value), x.dtype)
        inside = plan.starts(xp, indices, False)[1] if fill else None
        out = _take(xp, x, indices, plan)
        if inside is None or inside.all():
            return out
        value = xp.asarray(_fill_for(x.dtype, fill_value))
        return xp.where(inside.reshape(plan.mask_shape), out, value)

    return kernel


def _fill_for(dtype: Any, fill_value: Any) -> Any:
    return np.asarray(default_fill(dtype) if fill_value is None else fill_value).astype(dtype)[()]


def _take(xp: Any, x: Any, indices: Any, plan: Plan) -> Any:
    if plan.single_axis and xp is np:
        # NumPy's take clips by itself
        d, rank = plan.order[0], len(plan.outer)
        out = x.take(as_positions(xp, indices[..., 0]), d, mode="clip")
        if d:  # the indices' axes came out in the operand's place: bring them to the front
            out = out.transpose((*range(d, d + rank), *range(d), *range(d + rank, out.ndim)))
        return _arranged(out.reshape(plan.compact), plan)
    starts, _ = plan.starts(xp, indices, True)
    rows = plan.row_numbers(xp, starts)
    if x.flags.c_contiguous and plan.natural:
        out = x.reshape(plan.row_count, plan.column_count).take(rows, 0)
    elif not plan.rows:  # nothing is addressed: every window is the whole operand
        out = xp.broadcast_to(x.transpose(plan.order).reshape(plan.columns), plan.compact)
    else:
        # without a copy of the whole operand: one index array for each addressed axis
        place = xp.unravel_index(rows, plan.rows)
        out = x.transpose(plan.order)[tuple(place)]
    return _arranged(out.reshape(plan.compact), plan)


def _arranged(out: Any, plan: Plan) -> Any:
    if not plan.in_order:
        out = out.transpose(plan.moved)
    return out.reshape(plan.shape)


def _gather_jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    x, indices = primals
    ans = gather_p.bind(x, indices, **params)
    t = tangents[0]
    if type(t) is Zero:
        return ans, Zero.like(ans)
    if params["mode"] is FILL:
        params["fill_value"] = 0  # the fill value is a constant
    return ans, gather_p.bind(t, indices, **params)


def _gather_transpose(
    ct: Any,
    x: Any,
    indices: Any,
    *,
    dimension_numbers: GatherDimensionNumbers,
    mode: GatherScatterMode,
    unique_indices: bool,
    indices_are_sorted: bool,
    **_: Any,
) -> tuple[Any, None]:
    out = scatter_add(
        zeros(x.aval.strip_weak_type()),
        indices,
        ct,
        as_scatter(dimension_numbers),
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
    )
    return out, None


def _gather_batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: tuple[int, ...],
    **params: Any,
) -> tuple[Any, int]:
    (x, indices), (d, i) = args, dims
    if d is not None:
        x = moveaxis(x, d, 0)
        slice_sizes = (1 if i is not None else axis.size, *slice_sizes)
    if i is not None:
        indices = moveaxis(indices, i, 0)
        # the same index may now be used once for each example
        params["unique_indices"] = params["unique_indices"] and d is not None
    numbers = batched_numbers(dimension_numbers, d is not None, i is not None)
    return gather_p.bind(
        x, indices, dimension_numbers=numbers, slice_sizes=slice_sizes, **params
    ), 0


def _gather_samples() -> list[Sample]:
    samples = []
    for name, (shape, indices, numbers, sizes) in sample_numbers().items():
        for mode in (CLIP, FILL) if "outside" in name else (PROMISE,):
            params = dict(
                dimension_numbers=numbers,
                slice_sizes=sizes,
                mode=mode,
                fill_value=None,
                unique_indices=False,
                indices_are_sorted=False,
            )
            if mode is FILL:
                params["fill_value"] = 2.5
            samples.append(
                Sample(
                    (normal(*shape), np.asarray(indices, np.int32)), params, f"{name}-{mode.name}"
                )
            )
    shape, indices, numbers, sizes = sample_numbers()["rows"]
    params = dict(
        dimension_numbers=numbers,
        slice_sizes=sizes,
        mode=CLIP,
        fill_value=None,
        unique_indices=False,
        indices_are_sorted=False,
    )
    for dtype in (np.complex64, np.int32, bool):
        samples.append(
            Sample(
                (normal(*shape, dtype=dtype), np.asarray(indices, np.int32)),
                params,
                np.dtype(dtype).name,
            )
        )
    return samples


gather_p = define_primitive(
    "gather",
    shape=_gather_shape,
    kernel=_gather_kernel,
    jvp=_gather_jvp,
    transpose=_gather_transpose,
    batch=_gather_batch,
    samples=_gather_samples,
)


def gather(
    operand: Any,
    start_indices: Any,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Sequence[int],
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: Any = None,
    fill_value: Any = None,
) -> Any:
    """Windows of ``operand`` that start at ``start_indices`` (XLA's Gather).

    ``x[i]`` is the friendly form of this.

    Args:
      operand: array of rank n.
      start_indices: integers; the last axis holds the entries of one index.
      dimension_numbers: see ``GatherDimensionNumbers``.
      slice_sizes: n ints, the size of the windows.
      unique_indices, indices_are_sorted: promises about the indices, for speed.
      mode: "clip", "fill" or "promise_in_bounds" (the default, which clips).
      fill_value: scalar for mode "fill"; by default NaN, or the integer that is farthest out.

    Raises TypeError where numbers and shapes do not fit.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> numbers = lax.GatherDimensionNumbers((1,), (0,), (0,))
    >>> lax.gather(jnp.eye(3), jnp.array([[2], [0]]), numbers, (1, 3))
    Array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    x, indices = operands("gather", operand, start_indices)
    mode = GatherScatterMode.from_any(mode) or PROMISE
    if mode is not FILL:
        fill_value = None
    elif fill_value is None:
        fill_value = default_fill(x.aval.dtype)
    else:
        fill_value = _static_fill(fill_value)
    return gather_p.bind(
        x,
        indices,
        dimension_numbers=tuples(dimension_numbers),
        slice_sizes=tuple([operator.index(n) for n in slice_sizes]),
        mode=mode,
        fill_value=fill_value,
        unique_indices=bool(unique_indices),
        indices_are_sorted=bool(indices_are_sorted),
    )


def _static_fill(value: Any) -> Any:
    if not isinstance(value, bool | int | float | complex):
        if getattr(value, "shape", ()) != ():
            raise ValueError(
                f"gather: fill_value must be a scalar, got an array of shape {value.shape}.{here()}"
            )
        value = value.item()
    return _NAN if value != value else value


# ---------------------------------------------------------------- scatter-add


def _add_rows(xp: Any, out: Any, rows: Any, new: Any, unique: bool) -> None:
    if unique or (out.ndim == 2 and not has_repeats(xp, rows, len(out))):
        out[rows] += new
        return
    out, rows, new = element_by_element(xp, out, rows, new)
    if out.dtype == bool:
        xp.logical_or.at(out, rows, new)
    else:
        xp.add.at(out, rows, new)


def _add_window(xp: Any, window: Any, new: Any) -> None:
    window += new


def _scatter_add_transpose(
    ct: Any, x: Any, indices: Any, updates: Any, **params: Any
) -> tuple[Any, None, Any]:
    given = (
        gathered_updates(ct, indices, updates.aval.shape, **params)
        if is_undefined_primal(updates)
        else None
    )
    return ct if is_undefined_primal(x) else None, None, given


def gathered_updates(
    values: Any,
    indices: Any,
    shape: tuple[int, ...],
    *,
    dimension_numbers: ScatterDimensionNumbers,
    mode: GatherScatterMode,
    unique_indices: bool,
    indices_are_sorted: bool,
    dropped: int = 0,
    **_: Any,
) -> Any:
    """The windows that a scatter writes, read from ``values``; ``dropped`` for those it drops."""
    return gather(
        values,
        indices,
        dimension_numbers.as_gather,
        window_sizes(values.aval.shape, shape, dimension_numbers),
        mode=mode,
        fill_value=dropped,
        unique_indices=unique_indices,
        indices_are_sorted=indices_are_sorted,
    )


scatter_add_p: Primitive = define_scatter(
    "scatter-add",
    add_p,
    _add_rows,
    _add_window,
    (np.complex64, np.int32),
    jvp=functools.partial(linear_scatter_jvp, lambda: scatter_add_p),
    transpose=_scatter_add_transpose,
)


def scatter_add(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """``operand`` with ``updates`` added to its windows at ``scatter_indices`` (XLA's Scatter).

    ``x.at[i].add(v)`` is the friendly form of this. Where an index occurs twice, both
    updates are added. Modes: "clip", "drop" (default), "promise_in_bounds".

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
    >>> lax.scatter_add(jnp.zeros(3), jnp.array([[1], [1]]), jnp.array([2.0, 3.0]), numbers)
    Array([0., 5., 0.], dtype=float32)
    """
    return bind_scatter(
        "scatter_add",
        scatter_add_p,
        add_p,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        unique_indices,
        indices_are_sorted,
        mode,
    )
