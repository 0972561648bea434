"""``x.at[index]``: updated copies of arrays, which never change in place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from adlib.base.source import here
from adlib.control.scatter_apply import scatter_apply
from adlib.core.array import Array, ArrayImpl, as_value, scalar
from adlib.core.dtypes import ExtendedDType
from adlib.core.primitive import Primitive
from adlib.numpy.index_parsing import Item, parse
from adlib.numpy.indexing import (
    STATIC,
    common_shape,
    first_axis_indices,
    index_array,
    result_layout,
    static_key,
    take_index,
)
from adlib.numpy.ufuncs import power, true_divide
from adlib.ops.arithmetic import add_p, mul_p, sub_p
from adlib.ops.conversion import convert
from adlib.ops.index_plan import GatherScatterMode, ScatterDimensionNumbers
from adlib.ops.indexing import scatter_add_p
from adlib.ops.reshaping import broadcast_to, reshape
from adlib.ops.scatter import scatter_max_p, scatter_min_p, scatter_mul_p, scatter_p, scatter_sub_p
from adlib.ops.scatter_rules import FILL, scatter_params
from adlib.ops.selection import max_p, min_p

_INT32 = np.dtype(np.int32)


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
        self,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        fill_value: Any = None,
        wrap_negative_indices: bool = True,
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
            self.array,
            self.index,
            mode,
            fill_value,
            indices_are_sorted,
            unique_indices,
            wrap_negative_indices,
        )

    def set(self, values: Any, **options: Any) -> Any:
        """The elements replaced by ``values``, which broadcast to the shape of ``x[index]``."""
        return update(scatter_p, None, self.array, self.index, values, **options)

    def add(self, values: Any, **options: Any) -> Any:
        """``values`` added to the elements."""
        return update(scatter_add_p, add_p, self.array, self.index, values, **options)

    def subtract(self, values: Any, **options: Any) -> Any:
        """``values`` subtracted from the elements."""
        return update(scatter_sub_p, sub_p, self.array, self.index, values, **options)

    def multiply(self, values: Any, **options: Any) -> Any:
        """The elements multiplied by ``values``."""
        return update(scatter_mul_p, mul_p, self.array, self.index, values, **options)

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
        return update(scatter_mul_p, mul_p, ones, self.index, values, **options)

    def min(self, values: Any, **options: Any) -> Any:
        """The smaller of the elements and ``values``."""
        return update(scatter_min_p, min_p, self.array, self.index, values, **options)

    def max(self, values: Any, **options: Any) -> Any:
        """The larger of the elements and ``values``."""
        return update(scatter_max_p, max_p, self.array, self.index, values, **options)

    def apply(self, func: Callable[[Any], Any], **options: Any) -> Any:
        """``func``, a function that works element by element, applied to the elements.

        >>> import adlib.numpy as jnp
        >>> jnp.arange(3).at[1:].apply(lambda v: v * 10)
        Array([ 0, 10, 20], dtype=int32)
        """
        return apply_at(self.array, self.index, func, **options)


# -------------------------------------------------------------------- scatter


def update(
    primitive: Primitive,
    combine: Primitive | None,
    x: Any,
    index: Any,
    values: Any,
    *,
    mode: Any = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    wrap_negative_indices: bool = True,
) -> Any:
    """Apply a scatter primitive, with its update function, at a NumPy index."""
    mode = GatherScatterMode.from_any(mode) or FILL
    values = _values_for(x, values)
    shape = x.aval.shape
    x, indices, layout = locate(x, index, wrap_negative_indices)
    values = _broadcast_values(values, layout.shape)
    if layout.kept != layout.shape:  # new axes are no axes of x
        values = reshape(values, layout.kept)
    once = layout.once
    params = scatter_params(
        combine,
        x.aval.dtype,
        layout.numbers,
        mode,
        unique_indices or once,
        indices_are_sorted or once,
    )
    out = primitive.bind(x, indices, values, **params)
    return reshape(out, shape) if out.aval.shape != shape else out


class Layout(NamedTuple):
    """How an index says where updates go.

    Attributes:
      shape: shape of ``x[index]``; kept: the same without new axes.
      numbers: dimension numbers of the scatter.
      outer: shape of the array of indices, without its last axis.
      order: which column (array, then slices that need one) is which entry of an index.
      places: the axes of ``outer`` along which each column runs.
      starts: the columns that slices need.
      once: whether no element occurs twice.
    """

    shape: tuple[int, ...]
    kept: tuple[int, ...]
    numbers: ScatterDimensionNumbers
    outer: tuple[int, ...]
    order: tuple[int, ...]
    places: tuple[Any, ...]
    starts: tuple[Any, ...]
    once: bool


_known: dict[Any, tuple[Any, Layout]] = {}


def locate(x: Any, index: Any, wrap: bool) -> tuple[Any, Any, Layout]:
    """(x, with an axis for each boolean scalar; array of indices; layout) of ``x.at[index]``."""
    shape = x.aval.shape
    if isinstance(index, Array) and wrap and shape and shape[0] and index.aval.dtype.kind in "iu":
        layout = _first_axis_layout(shape, index.aval.shape)
        return x, first_axis_indices(index, shape[0]), layout
    key = None
    if type(x) is ArrayImpl and wrap:
        entries = index if type(index) is tuple else (index,)
        if all([type(e) in STATIC for e in entries]):
            key = (x.aval.shape, static_key(entries))
            try:
                found = _known.get(key)
            except TypeError:  # an array as a slice's bound
                key = found = None
            if found is not None:
                return x, *found
    x, items = parse(x, index, wrap)
    columns = [i.value for i in items if i.kind in ("int", "array")]
    layout = _layout(
        x.aval.shape,
        tuple(
            [(i.kind, i.axis, i.value if i.kind == "slice" else np.shape(i.value)) for i in items]
        ),
    )
    columns += layout.starts
    if "array" not in [i.kind for i in items] and not isinstance(x, ArrayImpl):
        # as recorded operations, which is how they are read best
        columns = [scalar(c, _INT32) if type(c) is int else c for c in columns]
    indices = index_array(
        [columns[k] for k in layout.order], layout.outer, [layout.places[k] for k in layout.order]
    )
    if key is not None and indices.aval.size <= 1024:
        if len(_known) > 4096:
            _known.clear()
        _known[key] = (indices, layout)
    return x, indices, layout


def _values_for(x: Any, values: Any) -> Any:
    """``values`` in the dtype of ``x``."""
    dtype = x.aval.dtype
    if values is None:
        raise ValueError(f"x.at[...]: None is not a value for an array.{here()}")
    if isinstance(dtype, ExtendedDType):
        return as_value(values, "x.at[...]")
    if type(values) in (int, float, bool, complex):
        return scalar(values, dtype)
    if isinstance(values, list | tuple):
        values = np.asarray(values)
    value = as_value(values, "x.at[...]")
    return convert(value, dtype) if value.aval.dtype != dtype else value


def _broadcast_values(values: Any, wanted: tuple[int, ...]) -> Any:
    given = values.aval.shape
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


@functools.lru_cache(4096)
def _first_axis_layout(shape: tuple[int, ...], index_shape: tuple[int, ...]) -> Layout:
    rest = [("slice", d, (0, n, 1, n)) for d, n in enumerate(shape) if d]
    return _layout(shape, (("array" if index_shape else "int", 0, index_shape), *rest))


@functools.lru_cache(4096)
def _layout(shape: tuple[int, ...], signature: tuple[tuple[str, int | None, Any], ...]) -> Layout:
    items = [Item(*part) for part in signature]
    pointing = [i for i in items if i.kind in ("int", "array")]
    arrays = any(i.kind == "array" for i in items)
    if arrays:
        common = common_shape([i.value for i in pointing])
        axes_of_result = result_layout(items, len(common))
    else:
        common = ()
        axes_of_result = [(i.kind, i.axis) for i in items if i.kind != "int"]
    slices: dict[Any, Any] = {i.axis: i.value for i in items if i.kind == "slice"}
    strided = [axis for axis, s in slices.items() if s[2] != 1]
    kept = [entry for entry in axes_of_result if entry[0] != "new"]
    sizes = [slices[axis][1] if kind == "slice" else common[axis] for kind, axis in kept]  # type: ignore[index]
    window = [
        place for place, (kind, axis) in enumerate(kept) if kind == "slice" and axis not in strided
    ]
    outer = [place for place in range(len(kept)) if place not in window]
    where = {kept[place]: k for k, place in enumerate(outer)}
    along = tuple([where["array", k] for k in range(len(common))]) if arrays else ()
    axes: list[Any] = [i.axis for i in pointing]
    places: list[Any] = [along] * len(axes)
    starts: list[Any] = []
    for axis, (start, count, step, _) in slices.items():
        if step != 1 or count != shape[axis]:
            axes.append(axis)
            starts.append(start if step == 1 else start + step * np.arange(count))
            places.append(() if step == 1 else (where["slice", axis],))
    order = sorted(range(len(axes)), key=lambda k: axes[k])
    numbers = ScatterDimensionNumbers(
        tuple(window),
        tuple(sorted([*axes[: len(pointing)], *strided])),
        tuple([axes[k] for k in order]),
    )
    rest = iter(sizes)
    full = tuple([1 if kind == "new" else next(rest) for kind, _ in axes_of_result])
    return Layout(
        full,
        tuple(sizes),
        numbers,
        tuple([sizes[p] for p in outer]),
        tuple(order),
        tuple(places),
        tuple(starts),
        not arrays,
    )


# ---------------------------------------------------------------------- apply


def apply_at(
    x: Any,
    index: Any,
    func: Callable[[Any], Any],
    *,
    mode: Any = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    wrap_negative_indices: bool = True,
) -> Any:
    """``func`` applied to ``x[index]``, once for each time that an element occurs there."""
    shape = x.aval.shape
    expanded, indices, layout = locate(x, index, wrap_negative_indices)
    if layout.once or unique_indices:
        clip = GatherScatterMode.from_any(mode) is GatherScatterMode.CLIP
        old = take_index(x, index, "clip" if clip else None, wrap=wrap_negative_indices)
        return update(
            scatter_p,
            None,
            x,
            index,
            func(old),
            mode=mode,
            unique_indices=True,
            indices_are_sorted=indices_are_sorted,
            wrap_negative_indices=wrap_negative_indices,
        )
    out = scatter_apply(
        expanded, indices, func, layout.numbers, update_shape=layout.kept, mode=mode
    )
    return reshape(out, shape)
