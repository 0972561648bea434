"""Types of arguments, without the arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, as_value
from adlib.core.avals import ShapedArray


class ShapeDtypeStruct:
    """Shape and dtype of an array, without the array.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.ShapeDtypeStruct((2, 3), jnp.float32)
    ShapeDtypeStruct(shape=(2, 3), dtype=float32)
    """

    __slots__ = ("dtype", "shape", "weak_type")

    def __init__(self, shape: Sequence[int], dtype: Any, weak_type: bool = False, **_: Any) -> None:
        if dtype is None:
            raise ValueError(
                f"ShapeDtypeStruct: a dtype is wanted besides the shape {shape}.{here()}"
            )
        self.shape = tuple(shape)
        self.dtype = dtypes.canonicalize_dtype(dtype)
        self.weak_type = weak_type

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return self.aval.size

    @property
    def aval(self) -> ShapedArray:
        return ShapedArray(self.shape, self.dtype, self.weak_type)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a shape of rank 0")
        return self.shape[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and self.aval is other.aval

    def __hash__(self) -> int:
        return hash(self.aval)

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype.name}{weak})"


def abstract(x: Any, what: str) -> ShapedArray:
    """Type of an argument: an array, a number, or a ShapeDtypeStruct."""
    if isinstance(x, (Array, ShapeDtypeStruct)):
        return x.aval
    return as_value(x, what).aval


def struct(aval: ShapedArray) -> ShapeDtypeStruct:
    """A type as the users' description of it."""
    return ShapeDtypeStruct(aval.shape, aval.dtype, aval.weak_type)
