"""Abstract values: the shape, dtype and weakness of an array, without its numbers.

Avals are interned: two that are equal are the same object, so that comparing and
hashing them, which every dispatch does, costs nothing.
"""

from __future__ import annotations

import math
import threading
import weakref
from typing import Any

import numpy as np

from adlib.core import dtypes


class ShapedArray:
    """Type of an array.

    Attributes:
      shape: tuple of int.
      dtype: NumPy dtype, or an extended dtype such as that of PRNG keys.
      weak_type: whether it came from Python scalars alone, so that its width gives way.

    >>> from adlib.core.avals import ShapedArray
    >>> import numpy as np
    >>> ShapedArray((2, 3), np.dtype("float32"))
    ShapedArray(float32[2,3])
    >>> ShapedArray((2,), np.dtype("int32")) is ShapedArray((2,), np.dtype("int32"))
    True
    """

    __slots__ = ("__weakref__", "dtype", "shape", "weak_type")
    shape: tuple[int, ...]
    dtype: Any
    weak_type: bool

    def __new__(cls, shape: tuple[int, ...], dtype: Any, weak_type: bool = False) -> ShapedArray:
        key = (shape, dtype, weak_type)
        found = _interned.get(key)
        if found is None:
            self = object.__new__(cls)
            # normalised, so that np.int64 dims and dtype aliases meet the same object
            self.shape = tuple([int(d) for d in shape])
            self.dtype = dtype
            self.weak_type = bool(weak_type)
            with _lock:  # of two threads that make the same type, both get the first one's
                found = _interned.setdefault((self.shape, dtype, self.weak_type), self)
        return found

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.size * int(self.dtype.itemsize)

    def update(self, **changes: Any) -> ShapedArray:
        """The same type with other ``shape``, ``dtype`` or ``weak_type``."""
        return ShapedArray(
            changes.get("shape", self.shape),
            changes.get("dtype", self.dtype),
            changes.get("weak_type", self.weak_type),
        )

    def strip_weak_type(self) -> ShapedArray:
        return ShapedArray(self.shape, self.dtype, False) if self.weak_type else self

    def to_tangent_aval(self) -> ShapedArray:
        """Type of tangents at values of this type (float0 for integers)."""
        tangent = dtypes.tangent_dtype(self.dtype)
        return self if tangent is self.dtype else ShapedArray(self.shape, tangent, False)

    def str_short(self) -> str:
        """``f32[2,3]``."""
        return f"{dtypes.short_name(self.dtype)}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        return f"ShapedArray({self.dtype.name}[{','.join(map(str, self.shape))}]{weak})"

    def __reduce__(self) -> Any:
        return ShapedArray, (self.shape, self.dtype, self.weak_type)


_lock = threading.RLock()
_interned: weakref.WeakValueDictionary[tuple[Any, ...], ShapedArray] = weakref.WeakValueDictionary()


def same_type(a: ShapedArray, b: ShapedArray) -> bool:
    """Whether shapes and dtypes agree; weakness is not compared."""
    return a is b or (a.shape == b.shape and a.dtype == b.dtype)


def physical_dtype(aval: ShapedArray) -> np.dtype[Any]:
    """The NumPy dtype of the memory that holds values of type ``aval``."""
    dtype = aval.dtype
    return dtype.physical if isinstance(dtype, dtypes.ExtendedDType) else dtype


class Zero:
    """A symbolic zero tangent or cotangent: known to be zero, so nothing is computed.

    >>> import adlib
    >>> from adlib.custom_derivatives import SymbolicZero
    >>> @adlib.custom_jvp
    ... def f(x, y):
    ...     return x * y
    >>> def rule(primals, tangents):
    ...     (x, y), (tx, ty) = primals, tangents
    ...     shares = [] if type(tx) is SymbolicZero else [tx * y]
    ...     shares += [] if type(ty) is SymbolicZero else [x * ty]
    ...     return f(x, y), sum(shares)
    >>> _ = f.defjvp(rule, symbolic_zeros=True)
    >>> adlib.grad(f)(2.0, 3.0)
    Array(3., dtype=float32, weak_type=True)
    """

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        return len(self.aval.shape)

    @staticmethod
    def like(value: Any) -> Zero:
        """The zero tangent at ``value``."""
        return Zero(value.aval.to_tangent_aval())

    from_primal_value = like  # the name that authors of custom rules know

    def __repr__(self) -> str:
        return f"Zero({self.aval.str_short()})"


class UndefinedPrimal:
    """Marks the linear arguments in a transpose rule: their values do not exist."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval

    def __repr__(self) -> str:
        return f"UndefinedPrimal({self.aval.str_short()})"


def is_undefined_primal(x: Any) -> bool:
    return type(x) is UndefinedPrimal
