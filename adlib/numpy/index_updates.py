"""``x.at[index]``: updated copies of arrays, which never change in place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core.array import Array, as_value, scalar
from adlib.core.dtypes import ExtendedDType, scalar_type
from adlib.numpy.indexing import (
    Item,
    broadcast_columns,
    index_array,
    parse,
    result_layout,
    take_index,
)
from adlib.numpy.ufuncs import power, true_divide
from adlib.ops.conversion import convert
from adlib.ops.index_plan import GatherScatterMode, ScatterDimensionNumbers
from adlib.ops.indexing import scatter_add
from adlib.ops.reshaping import broadcast_to, reshape, zeros
from adlib.ops.scatter import scatter, scatter_max, scatter_min, scatter_mul, scatter_sub


class IndexUpdateHelper:
    """``x.at``, to be indexed: ``x.at[index].set(value)``."""

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array

    def __getitem__(self, index: Any) -> IndexUpdate:
        return IndexUpdate(self.array, index)

    def __call__(self, *args: Any) -> None:
        raise TypeError(
            f"x.at is indexed, not called.{here()}\n  Repair: x.at[index].set(value), with square "
            "brackets."
        )

    def __repr__(self) -> str:
        return f"IndexUpdateHelper({self.array!r})"


class IndexUpdate:
    """``x.at[index]``: methods that return ``x`` with the elements at ``index`` changed.

    Where an index occurs twice, ``add``, ``subtract``, ``multiply``, ``min``, ``max`` and
    ``apply`` take effect twice, and ``set`` leaves the last value. All methods take:

    * mode: what to do out of bounds. "drop" (or "fill", the default) leaves updates out,
      "clip" moves the index inside, "promise_in_bounds" says that it does not occur.
    * indices_are_sorted, unique_indices: promises about the index, for speed.
    * wrap_negative_indices: whether -1 is the last element (True).

    >>> import adlib.numpy as jnp
    >>> x = jnp.zeros(3)
    >>> x.at[1].set(5.0)
    Array([0., 5., 0.], dtype=float32)
    >>> x.at[jnp.array([0, 0])].add(1.0)
    Array([2., 0., 0.], dtype=float32)
    >>> x.at[7].set(1.0)
    Array([0., 0., 0.], dtype=float32)
    """

    __slots__ = ("array", "index")

    def __init__(self, array: Array, index: Any) -> None:
        self.array = array
        self.index = index

    def __repr__(self) -> str:
        return f"IndexUpdate({self.array!r}, {self.index!r})"

    def get(
        self, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
        fill_value: Any = None, wrap_negative_indices: bool = True,
    ) -> Any:
        """``x[index]``; with mode "fill", ``fill_value`` (by default NaN) out of bounds.

        >>> import adlib.numpy as jnp
        >>> jnp.arange(3.0).at[jnp.array([1, 5])].get(mode="fill", fill_value=-1)
        Array([ 1., -1.], dtype=float32)
        """
        if fill_value is not None and np.shape(fill_value):
            raise ValueError(
                f"fill_value of x.at[...].get() must be a scalar, got an array of shape "
                f"{np.shape(fill_value)}.{here()}"
            )
        return take_index(
            self.array, self.index, mode, fill_value, indices_are_sorted, unique_indices,
            wrap_negative_indices,
        )

    def set(self, values: Any, **options: Any) -> Any:
        """The elements replaced by ``values``, which broadcast to the shape of ``x[index]``."""
        return update(scatter, self.array, self.index, values, **options)

    def add(self, values: Any, **options: Any) -> Any:
        """``values`` added to the elements."""
        return update(scatter_add, self.array, self.index, values, **options)

    def subtract(self, values: Any, **options: Any) -> Any:
        """``values`` subtracted from the elements."""
        return update(scatter_sub, self.array, self.index, values, **options)

    def multiply(self, values: Any, **options: Any) -> Any:
        """The elements multiplied by ``values``."""
        return update(scatter_mul, self.array, self.index, values, **options)

    mul = multiply

    def divide(self, values: Any, **options: Any) -> Any:
        """The elements divided by ``values``."""
        return true_divide(self.array, self._ones_times(values, options))

    def power(self, values: Any, **options: Any) -> Any:
        """The elements raised to the powers ``values``."""
        return power(self.array, self._ones_times(values, options))

    def _ones_times(self, values: Any, options: dict[str, Any]) -> Any:
        x = self.array
        ones = broadcast_to(scalar(1, x.aval.dtype), x.aval.shape)
        return update(scatter_mul, ones, self.index, values, **options)

    def min(self, values: Any, **options: Any) -> Any:
        """The smaller of the elements and ``values``."""
        return update(scatter_min, self.array, self.index, values, **options)

    def max(self, values: Any, **options: Any) -> Any:
        """The larger of the elements and ``values``."""
        return update(scatter_max, self.array, self.index, values, **options)

    def apply(self, func: Callable[[Any], Any], **options: Any) -> Any:
        """``func``, a function that works element by element, applied to the elements.

        >>> import adlib.numpy as jnp
        >>> jnp.arange(3).at[1:].apply(lambda v: v * 10)
        Array([ 0, 10, 20], dtype=int32)
        """
        return apply_at(self.array, self.index, func, **options)


# -------------------------------------------------------------------- scatter


def update(
    function: Callable[..., Any], x: Any, index: Any, values: Any, *, mode: Any = None,
    indices_are_sorted: bool = False, unique_indices: bool = False,
    wrap_negative_indices: bool = True,
) -> Any:
    """Apply one of the scatter functions at a NumPy index."""
    mode = GatherScatterMode.from_any(mode)
    values = _values_for(x, values)
    shape = x.aval.shape
    x, items = parse(x, index, wrap_negative_indices)
    indices, numbers, result, unique = scatter_plan(x.aval.shape, items)
    values = _broadcast_values(values, result)
    # new axes are no axes of x
    new = [place for place, (kind, _) in enumerate(result.layout) if kind == "new"]
    if new:
        kept = tuple([n for place, n in enumerate(result.shape) if place not in new])
        values = reshape(values, kept)
    out = function(
        x, indices, values, numbers, mode=mode,
        indices_are_sorted=indices_are_sorted or unique, unique_indices=unique_indices or unique,
    )
    return reshape(out, shape) if out.aval.shape != shape else out


class ResultShape:
    """The shape of ``x[index]`` and what each of its axes is (see ``result_layout``)."""

    __slots__ = ("layout", "shape")

    def __init__(self, layout: list[tuple[str, int | None]], shape: tuple[int, ...]) -> None:
        self.layout = layout
        self.shape = shape


def _values_for(x: Any, values: Any) -> Any:
    """``values`` in the dtype of ``x``."""
    dtype = x.aval.dtype
    if isinstance(dtype, ExtendedDType):
        return as_value(values, "x.at[...]")
    if scalar_type(values) is not None:
        return scalar(values, dtype)
    if isinstance(values, list | tuple):
        values = np.asarray(values)
    value = as_value(values, "x.at[...]")
    return convert(value, dtype) if value.aval.dtype != dtype else value


def _broadcast_values(values: Any, result: ResultShape) -> Any:
    given, wanted = values.aval.shape, result.shape
    if given == wanted:
        return values
    fits = len(given) <= len(wanted) and all(
        n in (1, m) for n, m in zip(reversed(given), reversed(wanted), strict=False)
    )
    if not fits:
        raise ValueError(
            f"Incompatible shapes for broadcasting: values of shape {given} cannot be written to "
            f"x.at[index], which has shape {wanted}.{here()}\n  Repair: values.reshape(...), or "
            "check the index with x[index].shape."
        )
    return broadcast_to(values, wanted)


def scatter_plan(
    shape: tuple[int, ...], items: Sequence[Item]
) -> tuple[Any, ScatterDimensionNumbers, ResultShape, bool]:
    """(indices, dimension numbers, shape of ``x[index]``, whether no element occurs twice)."""
    pointing = [i for i in items if i.kind in ("int", "array")]
    arrays = any(i.kind == "array" for i in items)
    if arrays:
        values, common = broadcast_columns([i.value for i in pointing])
        layout = result_layout(items, len(common))
    else:
        values, common = [i.value for i in pointing], ()
        layout = [(i.kind, i.axis) for i in items if i.kind != "int"]
    slices = {i.axis: i.value for i in items if i.kind == "slice"}
    strided = [axis for axis, s in slices.items() if s[2] != 1]
    sizes: list[int] = []
    outer: list[int] = []  # the axes of the indices, by their place in the result
    window: list[int] = []
    for place, (kind, axis) in enumerate([entry for entry in layout if entry[0] != "new"]):
        if kind == "slice":
            sizes.append(slices[axis][1])
        else:
            sizes.append(common[axis])  # type: ignore[index]
        (window if kind == "slice" and axis not in strided else outer).append(place)
    kept = [entry for entry in layout if entry[0] != "new"]
    where = {kept[place]: k for k, place in enumerate(outer)}
    along = [where["array", k] for k in range(len(common))] if arrays else []
    columns, axes, places = list(values), [i.axis for i in pointing], [along] * len(values)
    for axis, (start, count, step, _) in slices.items():
        if step != 1:
            columns.append(start + step * np.arange(count))
            axes.append(axis)
            places.append([where["slice", axis]])
        elif count != shape[axis]:  # type: ignore[index]
            columns.append(start)
            axes.append(axis)
            places.append([])
    order = sorted(range(len(axes)), key=lambda k: axes[k])  # type: ignore[arg-type,return-value]
    indices = index_array(
        [columns[k] for k in order], tuple([sizes[p] for p in outer]), [places[k] for k in order]
    )
    numbers = ScatterDimensionNumbers(
        tuple(window),
        tuple(sorted([*[i.axis for i in pointing], *strided])),  # type: ignore[type-var]
        tuple([axes[k] for k in order]),  # type: ignore[arg-type]
    )
    rest = iter(sizes)
    full = tuple([1 if kind == "new" else next(rest) for kind, _ in layout])
    return indices, numbers, ResultShape(layout, full), not arrays


# ---------------------------------------------------------------------- apply


def apply_at(x: Any, index: Any, func: Callable[[Any], Any], **options: Any) -> Any:
    """``func`` applied to ``x[index]``, once for each time that an element occurs there."""
    clip = GatherScatterMode.from_any(options.get("mode")) is GatherScatterMode.CLIP
    shape = x.aval.shape
    _, items = parse(x, index, options.get("wrap_negative_indices", True))
    if options.get("unique_indices") or all(i.kind != "array" for i in items):
        old = take_index(
            x, index, "clip" if clip else None, wrap=options.get("wrap_negative_indices", True)
        )
        return update(scatter, x, index, func(old), **options)
    counter = zeros(x.aval.update(dtype=np.dtype(np.int32), weak_type=False))
    counts = update(scatter_add, counter, index, 1, **options)
    return _apply_repeatedly(x, counts, func, math.prod(shape))
