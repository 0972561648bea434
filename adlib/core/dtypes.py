"""Dtypes: canonical widths, weak types and the promotion lattice.

The lattice is the field's (JEP 9263, "Design of type promotion semantics"): Python
scalars are *weak* (``i*``, ``f*``, ``c*``) and adopt the width of what they meet.
"""

from __future__ import annotations

import functools
from typing import Any

import ml_dtypes
import numpy as np

from adlib.base import errors, source
from adlib.base.config import config

bfloat16 = np.dtype(ml_dtypes.bfloat16)
float8_e4m3 = np.dtype(ml_dtypes.float8_e4m3)
float8_e4m3fn = np.dtype(ml_dtypes.float8_e4m3fn)
float8_e5m2 = np.dtype(ml_dtypes.float8_e5m2)

# The tangent type of integers and booleans: a vector space of dimension zero.
float0 = np.dtype([("float0", np.void, 0)])

_bool = np.dtype(bool)
_FLOAT8 = (float8_e4m3, float8_e4m3fn, float8_e5m2)
_CUSTOM_FLOATS = frozenset((bfloat16, *_FLOAT8))


class extended(np.generic):
    """The kind of dtypes beyond NumPy's, for ``issubdtype``."""


class prng_key(extended):
    """The kind of PRNG keys' dtypes, for ``issubdtype``."""


class ExtendedDType:
    """A dtype beyond NumPy's, stored as one element of ``physical`` each."""

    __slots__ = ("name", "physical")
    kind = "K"

    def __init__(self, name: str, physical: np.dtype[Any]) -> None:
        self.name = name
        self.physical = physical

    @property
    def itemsize(self) -> int:
        return self.physical.itemsize

    def __repr__(self) -> str:
        return self.name


class KeyDType(ExtendedDType):
    """Dtype of typed PRNG keys, ``key<fry>``: 64 opaque bits an element."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "key_fry"  # a name of this module: there is one such dtype, compared by identity


key_fry = KeyDType("key<fry>", np.dtype(np.uint64))

_NARROW = {
    np.dtype(np.int64): np.dtype(np.int32),
    np.dtype(np.uint64): np.dtype(np.uint32),
    np.dtype(np.float64): np.dtype(np.float32),
    np.dtype(np.complex128): np.dtype(np.complex64),
}


def canonicalize_dtype(dtype: Any) -> Any:
    """The dtype in use for ``dtype``: 64-bit types become 32-bit ones unless x64 is on."""
    if isinstance(dtype, ExtendedDType):
        return dtype
    dtype = as_dtype(dtype)
    if not config.jax_enable_x64:
        return _NARROW.get(dtype, dtype)
    return dtype


_PYTHON_SCALARS: dict[Any, np.dtype[Any]] = {
    bool: _bool,
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
    complex: np.dtype(np.complex128),
}


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """``dtype`` as a NumPy dtype; names, scalar types and jnp's scalar makers are accepted.

    Raises TypeError, naming the value, where it is no numeric dtype.
    """
    if isinstance(dtype, np.dtype):
        found = dtype
    elif isinstance(dtype, str) and dtype in _BY_NAME:
        found = _BY_NAME[dtype]
    else:
        inner = getattr(dtype, "dtype", None)
        try:
            found = np.dtype(inner if isinstance(inner, np.dtype) else dtype)
        except TypeError:
            raise TypeError(
                f"{dtype!r} is not a dtype; use one such as jnp.float32 or 'int32'.{source.here()}"
            ) from None
    if found.kind not in "biufc" and found not in _CUSTOM_FLOATS and found != float0:
        raise TypeError(
            f"dtype {found} is not a numeric dtype: adlib arrays hold booleans, integers, "
            f"floats and complex numbers.{source.here()}"
        )
    return found if found.isnative else found.newbyteorder("=")


_BY_NAME = {
    "bfloat16": bfloat16,
    "float8_e4m3": float8_e4m3,
    "float8_e4m3fn": float8_e4m3fn,
    "float8_e5m2": float8_e5m2,
}


def kind(dtype: Any) -> str:
    """One of 'b' bool, 'i' signed, 'u' unsigned, 'f' floating, 'c' complex, 'K' key, 'V' float0."""
    if dtype in _CUSTOM_FLOATS:
        return "f"
    return str(dtype.kind)


def is_float(dtype: Any) -> bool:
    return kind(dtype) == "f"


def is_complex(dtype: Any) -> bool:
    return kind(dtype) == "c"


def is_inexact(dtype: Any) -> bool:
    return kind(dtype) in "fc"


def is_integer(dtype: Any) -> bool:
    return kind(dtype) in "iu"


def real_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the parts of ``dtype``: float32 for complex64."""
    if dtype.kind != "c":
        return dtype
    return np.dtype(np.float32 if dtype.itemsize == 8 else np.float64)


def complex_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The complex dtype that holds ``dtype``: complex64 for float32."""
    if dtype.kind == "c":
        return dtype
    return np.dtype(np.complex128 if dtype.itemsize == 8 else np.complex64)


def tangent_dtype(dtype: Any) -> np.dtype[Any]:
    """Dtype of tangents of ``dtype``: itself where inexact, float0 otherwise."""
    return dtype if is_inexact(dtype) else float0


@functools.cache  # NumPy makes a dtype's name anew each time, and every variable prints one
def short_name(dtype: Any) -> str:
    """``f32``, ``i32``, ``bool``, … as printed in jaxprs."""
    if dtype == float0:
        return "float0"
    name = str(dtype.name)
    for long, short in _SHORT:
        if name.startswith(long):
            return short + name[len(long) :]
    return name


_SHORT = (("bfloat", "bf"), ("float", "f"), ("uint", "u"), ("int", "i"), ("complex", "c"))

# ------------------------------------------------------------------- promotion


def _lattice() -> dict[Any, set[Any]]:
    """Every node with the nodes directly above it, from the proposal's figure."""
    d = np.dtype
    up: dict[Any, list[Any]] = {
        _bool: ["i*"],
        "i*": [d("uint8"), d("int8")],
        d("uint8"): [d("int16"), d("uint16")],
        d("uint16"): [d("int32"), d("uint32")],
        d("uint32"): [d("int64"), d("uint64")],
        d("uint64"): ["f*"],
        d("int8"): [d("int16")],
        d("int16"): [d("int32")],
        d("int32"): [d("int64")],
        d("int64"): ["f*"],
        "f*": [*_FLOAT8, bfloat16, d("float16"), "c*"],
        bfloat16: [d("float32")],
        d("float16"): [d("float32")],
        d("float32"): [d("float64"), d("complex64")],
        d("float64"): [d("complex128")],
        "c*": [d("complex64")],
        d("complex64"): [d("complex128")],
        d("complex128"): [],
        **{f8: [] for f8 in _FLOAT8},
    }
    return {node: set(above) for node, above in up.items()}


def _upper_bounds() -> dict[Any, set[Any]]:
    direct = _lattice()
    bounds: dict[Any, set[Any]] = {}

    def above(node: Any) -> set[Any]:
        if node not in bounds:
            bounds[node] = {node}.union(*(above(n) for n in direct[node]))
        return bounds[node]

    for node in direct:
        above(node)
    return bounds


_BOUNDS = _upper_bounds()


@functools.cache
def _join(nodes: frozenset[Any]) -> Any:
    """The least upper bound of lattice nodes."""
    if len(nodes) == 1:
        return next(iter(nodes))
    common = set.intersection(*(_BOUNDS[n] for n in nodes))
    least = [n for n in common if common == _BOUNDS[n] & common]
    if len(least) == 1:
        return least[0]
    names = ", ".join(sorted(str(n) for n in nodes))
    raise errors.TypePromotionError(
        f"The dtypes {names} have no implicit promotion: neither holds the other's values.\n"
        "  Repair: convert one of them explicitly, for example x.astype(jnp.float32)."
    )


def _weak_node(dtype: np.dtype[Any]) -> Any:
    k = kind(dtype)
    if k == "b":
        return _bool
    return "i*" if k in "iu" else f"{k}*"


@functools.cache
def _promote(pairs: tuple[tuple[Any, bool], ...], x64: bool, strict: bool) -> tuple[Any, bool]:
    if len({d for d, _ in pairs}) == 1:
        return pairs[0][0], all(weak for _, weak in pairs)
    strong = {d for d, weak in pairs if not weak}
    if strict and len(strong) > 1:
        names = ", ".join(sorted(str(d) for d in strong))
        raise errors.TypePromotionError(
            f"Input dtypes {names} have no implicit promotion when "
            "jax_numpy_dtype_promotion='strict'.\n"
            "  Repair: convert explicitly with x.astype(...)."
        )
    nodes = frozenset(_weak_node(d) if weak else d for d, weak in pairs)
    found = _join(nodes)
    if isinstance(found, str):
        # a weak value decides, over values of lower kinds: keep the widest weak dtype met
        kinds = [d for d, weak in pairs if weak and _weak_node(d) == found]
        # (none is met where uint64 meets a signed integer, which only floats hold together)
        dtype = max(kinds, key=lambda d: d.itemsize, default=_PYTHON_SCALARS[float])
        return canonicalize_dtype(dtype), True
    weak = all(weak for _, weak in pairs)
    return canonicalize_dtype(found), weak


def promote(*pairs: tuple[Any, bool]) -> tuple[Any, bool]:
    """The common (dtype, weak_type) of values given as (dtype, weak_type)."""
    try:
        return _promote(
            pairs, bool(config.jax_enable_x64), config.jax_numpy_dtype_promotion == "strict"
        )
    except KeyError:
        names = ", ".join(str(d) for d, _ in pairs)
        # keys are no numbers: no configuration of promotion would help
        keys = any(isinstance(d, ExtendedDType) for d, _ in pairs)
        raise (TypeError if keys else errors.TypePromotionError)(
            f"The dtypes {names} cannot be combined in arithmetic.{source.here()}"
        ) from None
    except errors.TypePromotionError as error:
        raise errors.TypePromotionError(f"{error}{source.here()}") from None


def scalar_type(value: Any) -> tuple[np.dtype[Any], bool] | None:
    """(dtype, weak) of a Python scalar; None for anything else."""
    found = _PYTHON_SCALARS.get(type(value))
    if found is None:
        return None
    return canonicalize_dtype(found), found is not _bool
