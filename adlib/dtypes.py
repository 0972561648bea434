"""``adlib.dtypes``: facts about dtypes, and promotion between them."""

from __future__ import annotations

from typing import Any

import ml_dtypes

from adlib.base.errors import TypePromotionError
from adlib.core import dtypes as _core
from adlib.core.array import as_value
from adlib.core.dtypes import extended, float0, prng_key
from adlib.numpy.scalar_types import finfo, iinfo, issubdtype, result_type

bfloat16 = ml_dtypes.bfloat16

__all__ = [
    "TypePromotionError",
    "bfloat16",
    "canonicalize_dtype",
    "extended",
    "finfo",
    "float0",
    "iinfo",
    "issubdtype",
    "prng_key",
    "result_type",
    "scalar_type_of",
]


def canonicalize_dtype(dtype: Any, allow_extended_dtype: bool = False) -> Any:
    """The dtype in use for ``dtype``: 64-bit types become 32-bit ones unless x64 is enabled.

    Raises ValueError for the dtype of PRNG keys unless ``allow_extended_dtype``.

    >>> from adlib import dtypes
    >>> dtypes.canonicalize_dtype("float64")
    dtype('float32')
    """
    if isinstance(dtype, _core.ExtendedDType) and not allow_extended_dtype:
        raise ValueError(
            f"canonicalize_dtype was given the extended dtype {dtype}.\n"
            "  Repair: pass allow_extended_dtype=True if such dtypes may come."
        )
    return _core.canonicalize_dtype(dtype)


def scalar_type_of(x: Any) -> type:
    """The Python scalar type, bool, int, float or complex, that goes with a value's dtype.

    Raises TypeError for what is no array and no number.

    >>> import adlib.numpy as jnp
    >>> from adlib import dtypes
    >>> dtypes.scalar_type_of(jnp.ones(2, jnp.int8))
    <class 'int'>
    """
    kind = _core.kind(as_value(x, "scalar_type_of").aval.dtype)
    return {"b": bool, "i": int, "u": int, "f": float, "c": complex}[kind]
