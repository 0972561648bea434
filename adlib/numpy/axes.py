"""Axis arguments: negative ones counted from the end, checked, with NumPy's errors."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adlib.base.source import here


def axis_of(axis: Any, ndim: int) -> int:
    """One axis as an int in ``0..ndim - 1``; NumPy's AxisError where there is no such axis.

    That is a ValueError and an IndexError both.
    """
    index = operator.index(axis)
    if not -ndim <= index < ndim:
        raise np.exceptions.AxisError(
            f"axis {index} is out of bounds for array of dimension {ndim}{here()}"
        )
    return index + ndim if index < 0 else index


def has_names(axis: Any) -> bool:
    """Whether an ``axis=`` argument names an axis of ``vmap``."""
    if type(axis) is str:
        return True
    return type(axis) in (tuple, list) and any([type(a) is str for a in axis])


def split_names(axis: Any) -> tuple[Any, tuple[str, ...]]:
    """An ``axis=`` argument as the axes of the array, and the names of axes of ``vmap``."""
    if not has_names(axis):
        return axis, ()
    given = (axis,) if isinstance(axis, str) else axis
    names = tuple([a for a in given if isinstance(a, str)])
    return tuple([a for a in given if not isinstance(a, str)]), names


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """An ``axis=`` argument (None for all, an int, or several) as a tuple of axes."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis + ndim if axis < 0 else axis,)
    if isinstance(axis, np.ndarray) and axis.ndim == 1:
        axis = axis.tolist()
    if not isinstance(axis, (tuple, list)):
        return (axis_of(axis, ndim),)
    axes = tuple([axis_of(a, ndim) for a in axis])
    if len(set(axes)) != len(axes):
        raise ValueError(f"duplicate value in 'axis': {tuple(axis)}{here()}")
    return axes
