"""Dtypes as users write them: ``jnp.float32`` and so on, and questions about dtypes."""

from __future__ import annotations

import builtins
from typing import Any

import ml_dtypes
import numpy as np

from adlib.base.config import config
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array

# What NumPy calls its abstract types.
generic, number, inexact = np.generic, np.number, np.inexact
floating, complexfloating, integer = np.floating, np.complexfloating, np.integer
signedinteger, unsignedinteger = np.signedinteger, np.unsignedinteger
character, flexible, object_ = np.character, np.flexible, np.object_
dtype = np.dtype
ComplexWarning = np.exceptions.ComplexWarning


class ScalarMeta(type):
    """Type of ``jnp.float32``: called it makes an array, elsewhere it stands for its dtype."""

    dtype: np.dtype[Any]
    make: Any

    def __call__(cls, x: Any) -> Array:
        return ScalarMeta.make(x, dtype=cls.dtype)  # type: ignore[no-any-return]

    def __hash__(cls) -> int:
        return hash(cls.dtype.type)

    def __eq__(cls, other: Any) -> builtins.bool:
        if isinstance(other, ScalarMeta):
            return cls is other
        if isinstance(other, (Array, np.ndarray)):
            return False
        return bool_of(cls.dtype == other)

    def __ne__(cls, other: Any) -> builtins.bool:
        return not cls == other

    def __instancecheck__(cls, instance: Any) -> builtins.bool:
        return isinstance(instance, cls.dtype.type)

    def __repr__(cls) -> str:
        return f"<class 'adlib.numpy.{cls.__name__}'>"


def bool_of(value: Any) -> builtins.bool:
    return builtins.bool(value)


def _scalar_type(name: str, found: Any) -> Any:
    doc = (
        f"The dtype {name}: ``jnp.{name}(x)`` makes an array of it from numbers.\n\n"
        "    NumPy and every ``dtype=`` argument accept it as a dtype.\n\n"
        "    >>> import adlib, adlib.numpy as jnp\n"
        "    >>> with adlib.enable_x64():\n"
        f"    ...     print(jnp.{name}(1).dtype, jnp.ones(2, jnp.{name}).nbytes)\n"
        f"    {np.dtype(found).name} {2 * np.dtype(found).itemsize}\n    "
    )
    fields = {"dtype": np.dtype(found), "__doc__": doc, "__module__": "adlib.numpy"}
    return ScalarMeta(name, (), fields)


bool_ = _scalar_type("bool", np.bool_)
int8 = _scalar_type("int8", np.int8)
int16 = _scalar_type("int16", np.int16)
int32 = _scalar_type("int32", np.int32)
int64 = _scalar_type("int64", np.int64)
uint8 = _scalar_type("uint8", np.uint8)
uint16 = _scalar_type("uint16", np.uint16)
uint32 = _scalar_type("uint32", np.uint32)
uint64 = _scalar_type("uint64", np.uint64)
float16 = _scalar_type("float16", np.float16)
float32 = _scalar_type("float32", np.float32)
float64 = _scalar_type("float64", np.float64)
bfloat16 = _scalar_type("bfloat16", dtypes.bfloat16)
float8_e4m3 = _scalar_type("float8_e4m3", dtypes.float8_e4m3)
float8_e4m3fn = _scalar_type("float8_e4m3fn", dtypes.float8_e4m3fn)
float8_e5m2 = _scalar_type("float8_e5m2", dtypes.float8_e5m2)
complex64 = _scalar_type("complex64", np.complex64)
complex128 = _scalar_type("complex128", np.complex128)
# the default types: their width follows jax_enable_x64 wherever they are used
int_, uint, float_, complex_ = int64, uint64, float64, complex128
single, double, csingle, cdouble = float32, float64, complex64, complex128
bool = bool_


# ------------------------------------------------------------ questions on dtypes


def finfo(dtype: Any) -> Any:
    """Limits of a floating-point dtype: ``eps``, ``max``, ``tiny``, ``bits``, …

    >>> import adlib.numpy as jnp
    >>> float(jnp.finfo(jnp.float32).eps)
    1.1920928955078125e-07
    """
    return ml_dtypes.finfo(dtypes.as_dtype(dtype))


def iinfo(int_type: Any) -> Any:
    """Limits of an integer dtype: ``min``, ``max``, ``bits``.

    >>> import adlib.numpy as jnp
    >>> jnp.iinfo(jnp.int8).max
    127
    """
    return ml_dtypes.iinfo(dtypes.as_dtype(int_type))


def _type_pair(x: Any) -> tuple[Any, builtins.bool]:
    """(dtype, weak_type) of an array, a Python number, a dtype or a name of one."""
    if isinstance(x, Array):
        return x.aval.dtype, x.aval.weak_type
    found = dtypes.scalar_type(x)
    if found is not None:
        return found
    if x in (builtins.int, builtins.float, builtins.complex) if isinstance(x, type) else False:
        return dtypes.canonicalize_dtype(x), True
    if isinstance(x, (np.ndarray, np.generic)):
        return dtypes.canonicalize_dtype(x.dtype), False
    return dtypes.canonicalize_dtype(x), False


def result_type(*args: Any, return_weak_type_flag: builtins.bool = False) -> Any:
    """Dtype of a result that combines the arguments: arrays, numbers or dtypes.

    Python numbers and the Python types ``int``, ``float``, ``complex`` are weak: they take
    the width of what they meet.

    Raises ValueError without arguments, TypePromotionError where dtypes do not combine.

    >>> import adlib.numpy as jnp
    >>> jnp.result_type(jnp.int32, 1.0)
    dtype('float32')
    """
    if not args:
        raise ValueError("at least one array or dtype is required")
    dtype, weak = dtypes.promote(*[_type_pair(a) for a in args])
    return (dtype, weak) if return_weak_type_flag else dtype


def promote_types(a: Any, b: Any) -> Any:
    """The dtype that values of two dtypes have together.

    >>> import adlib.numpy as jnp
    >>> jnp.promote_types("int32", "float16")
    dtype('float16')
    """
    pairs = []
    for x in (a, b):
        weak = isinstance(x, type) and x in (builtins.int, builtins.float, builtins.complex)
        pairs.append((dtypes.as_dtype(x), weak))
    with config.override(jax_enable_x64=True):  # the types themselves, not those in use
        found = dtypes.promote(*pairs)[0]
    if dtypes.kind(found) == "i" and all([d != found for d, _ in pairs]):
        return dtypes.canonicalize_dtype(found)  # uint32 and int32 meet in int64 where it is in use
    return found


def issubdtype(arg1: Any, arg2: Any) -> builtins.bool:
    """Whether a dtype is of a kind such as ``jnp.floating``, or equal to another dtype.

    >>> import adlib.numpy as jnp
    >>> jnp.issubdtype(jnp.bfloat16, jnp.floating)
    True
    """
    first = _type_of(arg1)
    second = _type_of(arg2)
    if issubclass(first, dtypes.extended):
        return issubclass(first, second)
    if dtypes.kind(np.dtype(first)) == "f" and np.dtype(first).kind == "V":
        # ml_dtypes' own floats are no subclasses of np.floating, and mean to be
        if second in (np.floating, np.inexact, np.number, np.generic):
            return True
        return first == second
    return builtins.bool(np.issubdtype(first, second))


def _type_of(x: Any) -> Any:
    if isinstance(x, ScalarMeta):
        return x.dtype.type
    if isinstance(x, dtypes.ExtendedDType):
        return dtypes.prng_key if isinstance(x, dtypes.KeyDType) else dtypes.extended
    if isinstance(x, type) and issubclass(x, np.generic):
        return x
    return np.dtype(getattr(x, "dtype", x)).type


def can_cast(from_: Any, to: Any, casting: str = "safe") -> builtins.bool:
    """Whether values of one dtype may be cast to another, by NumPy's ``casting`` rules.

    >>> import adlib.numpy as jnp
    >>> jnp.can_cast("int8", "int32")
    True
    """
    return builtins.bool(
        np.can_cast(getattr(from_, "dtype", from_), getattr(to, "dtype", to), casting=casting)  # type: ignore[arg-type]
    )


def isdtype(dtype: Any, kind: Any) -> builtins.bool:
    """Whether a dtype is of a kind, or of one kind of a tuple.

    Args:
      kind: dtype, or 'bool', 'signed integer', 'unsigned integer', 'integral', 'real
        floating', 'complex floating', 'numeric'.

    >>> import adlib.numpy as jnp
    >>> jnp.isdtype(jnp.float32, "real floating")
    True
    """
    try:
        found = dtypes.as_dtype(dtype)
    except TypeError:
        np.dtype(dtype)  # TypeError for what names no dtype at all
        return False  # such as object
    kinds = kind if isinstance(kind, tuple) else (kind,)
    for k in kinds:
        if isinstance(k, str) and k in _KIND_LETTERS:
            if dtypes.kind(found) in _KIND_LETTERS[k]:
                return True
        elif _dtype_of_kind(k) == found:
            return True
    return False


def _dtype_of_kind(kind: Any) -> Any:
    try:
        return dtypes.as_dtype(kind)
    except TypeError:
        raise ValueError(
            f"Unrecognized kind {kind!r}; expected a dtype or one of {list(_KIND_LETTERS)}.{here()}"
        ) from None


_KIND_LETTERS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}
