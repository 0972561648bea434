"""Operators and methods of Array: thin names for the functions of this package.

Operators take what the functions take, except sequences: ``x + [1, 2]`` is an error, since
it is more often a mistake than a wish. Like all of this, they run at every step of eager
execution, so their common cases come first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax
from adlib.api.devices import device_put, devices
from adlib.base.source import here
from adlib.core import backend, dtypes
from adlib.core.array import Array, ArrayImpl, install_methods
from adlib.core.primitive import registry
from adlib.core.trace import state
from adlib.numpy import (
    choosing,
    contraction,
    creation,
    index_updates,
    indexing,
    matrices,
    reductions,
    shaping,
    sorting,
    splitting,
    statistics,
    taking,
    ufuncs,
    ufuncs_logic,
)
from adlib.numpy.promotion import adopt
from adlib.numpy.standard import check_version

# ------------------------------------------------------------------------- operators

_OPERANDS = (Array, bool, int, float, complex, np.ndarray, np.generic)


def _understood(other: Any) -> bool:
    return (
        isinstance(other, _OPERANDS)
        or hasattr(other, "__jax_array__")
        or type(other) in backend._by_type
    )


def _not_understood(sign: str, left: Any, right: Any) -> Any:
    """NotImplemented, or the error for sequences, which Python would try to repeat or join."""
    for other in (left, right):
        if isinstance(other, (list, tuple, str, bytes)):
            kinds = ["Array" if isinstance(x, Array) else type(x).__name__ for x in (left, right)]
            raise TypeError(
                f"unsupported operand type(s) for {sign}: {kinds[0]!r} and {kinds[1]!r}{here()}\n"
                "  Repair: convert sequences of numbers with jnp.array(...)."
            )
    return NotImplemented


def _operator(function: Callable[..., Any], sign: str, primitive_name: str, kinds: str) -> Any:
    """``self (op) other``; the primitive itself where both have one type of these kinds."""
    primitive = registry[primitive_name]

    def operator(self: Array, other: Any) -> Any:
        aval = self.aval
        if aval.dtype.kind in kinds:
            if isinstance(other, Array):
                if other.aval is aval:
                    return state.trace.process(primitive, (self, other), {})
                return function(self, other)
            constant = adopt(other, aval)
            if constant is not None:
                return state.trace.process(primitive, (self, constant), {})
        if _understood(other):
            return function(self, other)
        return _not_understood(sign, self, other)

    return operator


def _reflected(function: Callable[..., Any], sign: str, primitive_name: str, kinds: str) -> Any:
    """``other (op) self``."""
    primitive = registry[primitive_name]

    def operator(self: Array, other: Any) -> Any:
        aval = self.aval
        if aval.dtype.kind in kinds:
            constant = adopt(other, aval)
            if constant is not None:
                return state.trace.process(primitive, (constant, self), {})
        if _understood(other):
            return function(other, self)
        return _not_understood(sign, other, self)

    return operator


def _plain(function: Callable[..., Any], sign: str) -> Any:
    def operator(self: Array, other: Any) -> Any:
        if _understood(other):
            return function(self, other)
        return _not_understood(sign, self, other)

    return operator


def _plain_reflected(function: Callable[..., Any], sign: str) -> Any:
    def operator(self: Array, other: Any) -> Any:
        if _understood(other):
            return function(other, self)
        return _not_understood(sign, other, self)

    return operator


def _comparison(function: Callable[..., Any], sign: str, primitive_name: str, kinds: str) -> Any:
    """As ``_operator``; other objects are left to Python, for which they are just unequal."""
    compare = _operator(function, sign, primitive_name, kinds)

    def operator(self: Array, other: Any) -> Any:
        return NotImplemented if isinstance(other, (str, bytes)) else compare(self, other)

    return operator


def _matmul(self: Array, other: Any) -> Any:
    if isinstance(other, Array):
        a, b = self.aval, other.aval
        if (
            len(a.shape) == 2 == len(b.shape)
            and a.shape[1] == b.shape[0]
            and a.dtype is b.dtype
            and a.weak_type is b.weak_type
        ):
            return contraction.matrix_product(self, other)
    elif not _understood(other):
        return _not_understood("@", self, other)
    return contraction.matmul(self, other)


_pow_primitive = registry["pow"]
_integer_pow_primitive = registry["integer_pow"]


def _power(self: Array, exponent: Any) -> Any:
    if type(exponent) is int and self.aval.dtype.kind in "fc":
        return state.trace.process(_integer_pow_primitive, (self,), {"y": exponent})
    if type(exponent) is float and self.aval.dtype.kind in "fc":
        return state.trace.process(_pow_primitive, (self, adopt(exponent, self.aval)), {})
    if _understood(exponent):
        return ufuncs.power(self, exponent)
    return _not_understood("**", self, exponent)


def _negative(self: Array) -> Any:
    return state.trace.process(_neg_primitive, (self,), {})


_neg_primitive = registry["neg"]


def _round(self: Array, ndigits: int | None = None) -> Any:
    rounded = ufuncs.round(self, 0 if ndigits is None else ndigits)
    return rounded.astype(int) if ndigits is None else rounded  # type: ignore[attr-defined]


def _contains(self: Array, item: Any) -> Any:
    if self.aval.ndim != 1:
        raise ValueError(
            f"Array.__contains__: the array to search must be one-dimensional, got shape "
            f"{self.aval.shape}.{here()}\n  Repair: jnp.any(x == item), or x.ravel()."
        )
    return reductions.any(ufuncs_logic.equal(self, item))


_ALL, _INTS = "biufc", "iufc"

OPERATORS: dict[str, Any] = {
    "__add__": _operator(ufuncs.add, "+", "add", _ALL),
    "__radd__": _reflected(ufuncs.add, "+", "add", _ALL),
    "__sub__": _operator(ufuncs.subtract, "-", "sub", _INTS),
    "__rsub__": _reflected(ufuncs.subtract, "-", "sub", _INTS),
    "__mul__": _operator(ufuncs.multiply, "*", "mul", _ALL),
    "__rmul__": _reflected(ufuncs.multiply, "*", "mul", _ALL),
    "__truediv__": _operator(ufuncs.true_divide, "/", "div", "fc"),
    "__rtruediv__": _reflected(ufuncs.true_divide, "/", "div", "fc"),
    "__floordiv__": _plain(ufuncs.floor_divide, "//"),
    "__rfloordiv__": _plain_reflected(ufuncs.floor_divide, "//"),
    "__mod__": _plain(ufuncs.remainder, "%"),
    "__rmod__": _plain_reflected(ufuncs.remainder, "%"),
    "__divmod__": _plain(ufuncs.divmod, "divmod()"),
    "__rdivmod__": _plain_reflected(ufuncs.divmod, "divmod()"),
    "__pow__": _power,
    "__rpow__": _plain_reflected(ufuncs.power, "**"),
    "__matmul__": _matmul,
    "__rmatmul__": _plain_reflected(contraction.matmul, "@"),
    "__and__": _plain(ufuncs_logic.bitwise_and, "&"),
    "__rand__": _plain_reflected(ufuncs_logic.bitwise_and, "&"),
    "__or__": _plain(ufuncs_logic.bitwise_or, "|"),
    "__ror__": _plain_reflected(ufuncs_logic.bitwise_or, "|"),
    "__xor__": _plain(ufuncs_logic.bitwise_xor, "^"),
    "__rxor__": _plain_reflected(ufuncs_logic.bitwise_xor, "^"),
    "__lshift__": _plain(ufuncs_logic.left_shift, "<<"),
    "__rlshift__": _plain_reflected(ufuncs_logic.left_shift, "<<"),
    "__rshift__": _plain(ufuncs_logic.right_shift, ">>"),
    "__rrshift__": _plain_reflected(ufuncs_logic.right_shift, ">>"),
    "__eq__": _comparison(ufuncs_logic.equal, "==", "eq", _ALL),
    "__ne__": _comparison(ufuncs_logic.not_equal, "!=", "ne", _ALL),
    "__lt__": _comparison(ufuncs_logic.less, "<", "lt", "biuf"),
    "__le__": _comparison(ufuncs_logic.less_equal, "<=", "le", "biuf"),
    "__gt__": _comparison(ufuncs_logic.greater, ">", "gt", "biuf"),
    "__ge__": _comparison(ufuncs_logic.greater_equal, ">=", "ge", "biuf"),
    "__neg__": _negative,
    "__pos__": lambda self: ufuncs.positive(self),
    "__abs__": lambda self: ufuncs.absolute(self),
    "__invert__": lambda self: ufuncs_logic.bitwise_not(self),
    "__round__": _round,
    "__contains__": _contains,
}


# --------------------------------------------------------------------------- methods


def _reshape(self: Array, *shape: Any, order: str = "C") -> Array:
    """The elements in another shape; sizes as separate arguments or in a tuple."""
    return shaping.reshape(self, shape[0] if len(shape) == 1 else shape, order)


def _transpose(self: Array, *axes: Any) -> Array:
    """Axes in another order; reversed if none is given."""
    if not axes or axes == (None,):
        return shaping.transpose(self)
    several = len(axes) == 1 and isinstance(axes[0], (tuple, list))
    return shaping.transpose(self, axes[0] if several else axes)


def _astype(self: Array, dtype: Any, copy: bool = False, device: Any = None) -> Array:
    """The array in another dtype; complex numbers lose their imaginary part."""
    return creation.astype(self, dtype, copy=copy, device=device)


def _view(self: Array, dtype: Any = None, type: None = None) -> Array:
    """The bits read as another dtype; the last axis grows or shrinks with the item size."""
    if type is not None:
        raise NotImplementedError("`type` argument of array.view() is not supported.")
    if dtype is None:
        return self
    new = dtypes.canonicalize_dtype(dtype)
    old = self.aval.dtype
    if new.kind == "b" and old.kind != "b":
        raise TypeError(
            f"array.view does not make booleans of other bits; got {old}.{here()}\n"
            "  Repair: x != 0, or x.astype(bool)."
        )
    if old.kind == "b" and new.kind != "b":
        old = np.dtype(np.uint8)  # one byte each, 0 or 1
        self = self.astype(old)  # type: ignore[attr-defined]
    return _reinterpreted(self, old, new)


def _does_not_divide(x: Array) -> ValueError:
    return ValueError(
        "When changing to a larger dtype, its size must be a divisor of the total size in "
        f"bytes of the last axis of the array; got shape {x.aval.shape}.{here()}"
    )


def _reinterpreted(x: Array, old: Any, new: Any) -> Array:
    if old == new:
        return x
    if old.kind == "c":
        parts = lax.stack([lax.real(x), lax.imag(x)], x.aval.ndim)
        flat = (
            lax.reshape(
                parts, (*x.aval.shape[:-1], -1 if not x.aval.ndim else 2 * x.aval.shape[-1])
            )
            if x.aval.ndim
            else parts
        )
        return _reinterpreted(flat, dtypes.real_of(old), new)
    if new.kind == "c":
        real = dtypes.real_of(new)
        parts = _reinterpreted(x, old, real)
        if not parts.aval.shape or parts.aval.shape[-1] % 2:
            raise _does_not_divide(x)
        pairs = lax.reshape(parts, (*parts.aval.shape[:-1], parts.aval.shape[-1] // 2, 2))
        first, second = lax.unstack(pairs, pairs.aval.ndim - 1)
        return lax.complex(first, second)
    if old.itemsize == new.itemsize:
        return lax.bitcast_convert_type(x, new)
    *lead, last = x.aval.shape
    if old.itemsize > new.itemsize:
        wide = lax.bitcast_convert_type(x, new)
        return lax.reshape(wide, (*lead, last * (old.itemsize // new.itemsize)))
    ratio = new.itemsize // old.itemsize
    if last % ratio:
        raise _does_not_divide(x)
    return lax.bitcast_convert_type(lax.reshape(x, (*lead, last // ratio, ratio)), new)


def _flatten(self: Array, order: str = "C") -> Array:
    """The elements in one row."""
    return shaping.ravel(self, order)


def _copy(self: Array) -> Array:
    """A copy of the array."""
    return creation.array(self, copy=True)


def _compress(
    self: Array,
    condition: Any,
    axis: int | None = None,
    *,
    out: None = None,
    size: int | None = None,
    fill_value: Any = 0,
) -> Array:
    """The parts along an axis where a vector of conditions holds."""
    return taking.compress(condition, self, axis, size=size, fill_value=fill_value, out=out)


def _no_flat(self: Array) -> Any:
    raise NotImplementedError(
        "Arrays do not implement the arr.flat property: consider arr.flatten() instead."
    )


def _devices(self: Array) -> set[Any]:
    """The devices that hold the array."""
    return {_device(self)}


def _device(self: Array) -> Any:
    if not isinstance(self, ArrayImpl):
        return None  # a traced value is nowhere yet
    return devices(backend.of_array(self._value).platform)[0]


def _to_device(self: Array, device: Any, *, stream: Any = None) -> Any:
    """The array on another device."""
    return device_put(self, device)


def _namespace(self: Array, *, api_version: str | None = None) -> Any:
    """The module with the functions of the Python array API standard."""
    check_version(api_version)
    return sys.modules["adlib.numpy"]


def _method(function: Callable[..., Any]) -> Any:
    """A function of this package as a method: the array is its first argument."""

    def method(self: Array, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    return method


METHODS: dict[str, Any] = {
    **{
        name: _method(getattr(reductions, name))
        for name in ("sum", "prod", "max", "min", "ptp", "any", "all", "argmax", "argmin")
    },
    **{
        name: _method(getattr(statistics, name))
        for name in ("mean", "var", "std", "cumsum", "cumprod")
    },
    **{name: _method(getattr(contraction, name)) for name in ("dot", "trace")},
    **{name: _method(getattr(choosing, name)) for name in ("clip", "choose", "nonzero")},
    **{name: _method(getattr(shaping, name)) for name in ("squeeze", "swapaxes", "ravel")},
    "__getitem__": indexing.getitem,
    "at": property(
        index_updates.IndexUpdateHelper,
        doc="Updated copies: ``x.at[i].set(v)``, ``.add``, ``.multiply``, ``.min``, ``.max``, …",
    ),
    "diagonal": _method(matrices.diagonal),
    **{
        name: _method(getattr(sorting, name))
        for name in ("sort", "argsort", "argpartition", "searchsorted")
    },
    **{name: _method(getattr(taking, name)) for name in ("take", "put")},
    "compress": _compress,
    "repeat": _method(splitting.repeat),
    "round": _method(ufuncs.round),
    "conj": _method(ufuncs.conjugate),
    "conjugate": _method(ufuncs.conjugate),
    "reshape": _reshape,
    "transpose": _transpose,
    "astype": _astype,
    "view": _view,
    "flatten": _flatten,
    "copy": _copy,
    "__array_namespace__": _namespace,
    "devices": _devices,
    "device": property(_device, doc="The device that holds the array."),
    "to_device": _to_device,
    "T": property(shaping.transpose, doc="The array with its axes reversed."),
    "mT": property(shaping.matrix_transpose, doc="The array with its last two axes swapped."),
    "real": property(ufuncs.real, doc="The real part."),
    "imag": property(ufuncs.imag, doc="The imaginary part."),
    "flat": property(_no_flat, doc="Not available: consider flatten()."),
}


def install() -> None:
    """Give Array its operators and methods."""
    install_methods({**OPERATORS, **METHODS})
