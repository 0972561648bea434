"""Making arrays: from Python and NumPy values, filled ones, ranges and grids."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from adlib import lax
from adlib.api.devices import device_put
from adlib.base import errors
from adlib.base.source import here
from adlib.core import backend, dtypes
from adlib.core.array import Array, ArrayImpl, as_value, from_nothing, from_numpy, scalar
from adlib.core.avals import ShapedArray
from adlib.core.evaluate import evaluator
from adlib.core.trace import state
from adlib.numpy.interchange import over_memory
from adlib.numpy.promotion import (
    broadcast_array,
    broadcast_shapes,
    convert,
    promote_dtypes,
    to_array,
    warn_user,
)
from adlib.numpy.scalar_types import ScalarMeta

_PYTHON_TYPES = (bool, int, float, complex)
_WIDE = tuple(np.dtype(t) for t in (np.int64, np.uint64, np.float64, np.complex128))


def wanted_dtype(dtype: Any, what: str) -> Any:
    """The dtype in use for an explicit ``dtype=``; warns where 64 bits are asked in vain."""
    if dtype is None or isinstance(dtype, dtypes.ExtendedDType):
        return dtype
    asked = dtypes.as_dtype(dtype)
    given = dtypes.canonicalize_dtype(asked)
    if given != asked and dtype not in _PYTHON_TYPES:
        warn_user(
            f"Explicitly requested dtype {asked.name} requested in {what} is not available, and "
            f"will be truncated to dtype {given.name}. To keep 64-bit types, call "
            'adlib.config.update("jax_enable_x64", True) at startup.'
        )
    return given


def computing() -> bool:
    """Whether constants are made at once: no jaxpr is being recorded beneath."""
    trace: Any = state.trace
    while trace.parent is not None:
        trace = trace.parent
    return trace is evaluator


def shape_of(shape: Any, what: str = "") -> tuple[int, ...]:
    """A shape as a tuple of ints, from an int, a sequence or arrays of them."""
    try:
        if isinstance(shape, (int, np.integer)):
            return (operator.index(shape),)
        if isinstance(shape, Array) and not shape.aval.shape:
            return (operator.index(shape),)
        return tuple([operator.index(n) for n in shape])
    except errors.TracerIntegerConversionError:
        raise TypeError(
            "Shapes must be 1D sequences of concrete values of integer type, got a traced "
            f"value in {shape}.{here()}\n  A shape must be known while a function is traced. "
            "Repair: make the size a static argument (jit(f, static_argnums=...)), or take it "
            "from x.shape."
        ) from None
    except TypeError:
        given = shape if isinstance(shape, (tuple, list, Array)) else (shape,)
        if isinstance(given, list):
            given = tuple(given)
        suffix = f" {what}" if what else ""
        raise TypeError(
            "Shapes must be 1D sequences of concrete values of integer type, got "
            f"{given}.{suffix}{here()}"
        ) from None


# ------------------------------------------------------------------- array, asarray


def array(
    object: Any,
    dtype: Any = None,
    copy: bool | None = True,
    order: str | None = "K",
    ndmin: int = 0,
    *,
    device: Any = None,
) -> Array:
    """An Array from numbers, nested sequences, NumPy arrays or Arrays.

    Python numbers alone give a weakly typed array, whose width gives way to that of what it
    meets; in sequences they give the default dtypes. Sequences may hold traced values.

    Args:
      object: what to convert; every object with ``__array__`` or a buffer will do.
      dtype: of the result; by default from the values.
      copy: always done for memory that others may write to; Arrays share theirs.
      order: accepted for NumPy's sake; the layout in memory is not visible.
      ndmin: least rank; axes of size 1 are put in front.
      device: where the array goes.

    Raises:
      TypeError: for what holds no numbers. ValueError: for ragged sequences and None.
      OverflowError: for Python integers that the dtype does not hold.

    >>> import adlib.numpy as jnp
    >>> jnp.array([1.0, 2.0])
    Array([1., 2.], dtype=float32)
    """
    if order not in ("K", "C", None):
        raise NotImplementedError("Only implemented for order='C'")
    found = wanted_dtype(dtype, "array")
    result = _array_of(object, found)
    missing = ndmin - result.aval.ndim
    if missing > 0:
        result = lax.expand_dims(result, tuple(range(missing)))
    if device is not None:
        result = device_put(result, device)
    if copy and result is object and type(result) is ArrayImpl:
        return ArrayImpl(result._value, result.aval)
    return result


def asarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    copy: bool | None = None,
    device: Any = None,
) -> Array:
    """``a`` as an Array: itself where it is one already.

    Args and errors: as for ``array``; memory on the GPU that another library shows by
    ``__cuda_array_interface__`` is shared where ``copy`` is False.

    >>> import adlib.numpy as jnp
    >>> jnp.asarray((1, 2))
    Array([1, 2], dtype=int32)
    """
    plain = order in (None, "K", "C")
    if isinstance(a, Array) and dtype is None and not copy and device is None and plain:
        return a
    if copy is False and dtype is None and device is None:
        shared = over_memory(a, copy=False)
        if shared is not None:
            return shared
    return array(a, dtype=dtype, copy=bool(copy), order=order, device=device)


def _array_of(x: Any, dtype: Any) -> Array:
    if isinstance(x, Array):
        return x if dtype is None else convert(x, dtype)
    if dtypes.scalar_type(x) is not None:
        return as_value(x) if dtype is None else from_numpy(_typed(x, dtype), copy=False)
    if isinstance(x, (np.ndarray, np.generic)):
        _check_numeric(x, x)
        value = from_numpy(x, copy=dtype is None or dtype == x.dtype)
        return value if dtype is None else convert(value, dtype)
    if isinstance(x, (list, tuple, range)):
        return _from_sequence(x, dtype)
    if x is None:
        raise ValueError(f"None is not a valid value for jnp.array{here()}")
    if hasattr(x, "__jax_array__"):
        return _array_of(x.__jax_array__(), dtype)
    shown = over_memory(x, copy=True)
    if shown is not None:
        return shown if dtype is None else convert(shown, dtype)
    if isinstance(x, ScalarMeta):
        raise _not_numeric(x, "object")
    converted = np.asarray(x)
    _check_numeric(converted, x)
    return _array_of(converted, dtype)


def _typed(x: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """A Python number or nested list of them in ``dtype``; OverflowError where it is too large."""
    if dtype.kind == "V":  # bfloat16 and its like take floats only
        return np.array(x, np.float64).astype(dtype)
    return np.array(x, dtype)


def _check_numeric(value: Any, given: Any) -> None:
    if value.dtype.kind in "biufc" or value.dtype in dtypes._CUSTOM_FLOATS:
        return
    if value.dtype == dtypes.float0:
        return
    raise _not_numeric(given, str(value.dtype))


def _not_numeric(given: Any, dtype: str) -> TypeError:
    return TypeError(
        f"Value {str(given)!r} with dtype {dtype} is not a valid array type. Only arrays of "
        f"numeric types are supported.{here()}"
    )


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, (list, tuple, range)):
        return [leaf for item in x for leaf in _leaves(item)]
    return [x]


def _from_sequence(x: Sequence[Any], dtype: Any) -> Array:
    leaves = _leaves(x)
    if builtins.any([isinstance(leaf, Array) or hasattr(leaf, "__jax_array__") for leaf in leaves]):
        return _stack_nested(x, dtype)
    types = {type(leaf) for leaf in leaves}
    if type(None) in types:
        raise ValueError(f"None is not a valid value for jnp.array{here()}")
    if dtype is None:
        dtype = _common_dtype(leaves, types)
    # what NumPy raises for ragged sequences and for integers out of bounds says it well
    return from_numpy(_typed(x, dtype), copy=False)


def _common_dtype(leaves: list[Any], types: set[type]) -> Any:
    if not types:
        return dtypes.canonicalize_dtype(np.float64)
    if types <= {bool, int, float, complex}:
        pairs = [dtypes.scalar_type(t(0)) for t in types]
        return dtypes.promote(*pairs)[0]  # type: ignore[arg-type]
    pairs = []
    for leaf in leaves:
        found = dtypes.scalar_type(leaf)
        if found is None:
            value = np.asarray(leaf)
            _check_numeric(value, leaf)
            found = (dtypes.canonicalize_dtype(value.dtype), False)
        if found not in pairs:
            pairs.append(found)
    return dtypes.promote(*pairs)[0]  # type: ignore[arg-type]


def _stack_nested(x: Any, dtype: Any) -> Array:
    """Sequences that hold Arrays, joined by operations, so that they are traced through."""

    def join(item: Any) -> Array:
        if not isinstance(item, (list, tuple, range)):
            return _array_of(item, dtype)
        parts = [lax.expand_dims(v, (0,)) for v in promote_dtypes("array", *map(join, item))]
        shapes = {p.aval.shape for p in parts}
        if len(shapes) > 1:
            listed = ", ".join(str(p.aval.shape[1:]) for p in parts)
            raise TypeError(
                f"Cannot concatenate arrays of different shapes: the items of a list given to "
                f"jnp.array have shapes {listed}.{here()}"
            )
        return parts[0] if len(parts) == 1 else lax.concatenate(parts, 0)

    result = join(x)
    return convert(result, result.aval.dtype)


ScalarMeta.make = staticmethod(array)


def copy(a: Any, order: str | None = None) -> Array:
    """A copy of an array.

    >>> import adlib.numpy as jnp
    >>> jnp.copy(jnp.arange(2))
    Array([0, 1], dtype=int32)
    """
    return array(to_array(a, "copy"), copy=True)


def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> Array:
    """An array of the numbers in a buffer of bytes.

    >>> import adlib.numpy as jnp
    >>> jnp.frombuffer(bytes([1, 2]), dtype="uint8")
    Array([1, 2], dtype=uint8)
    """
    return array(np.frombuffer(buffer, dtypes.as_dtype(dtype), count, offset))


def fromiter(iter: Iterable[Any], dtype: Any, count: int = -1) -> Array:
    """An array of the numbers that an iterator yields (at most ``count`` of them).

    >>> import adlib.numpy as jnp
    >>> jnp.fromiter((i * i for i in range(3)), dtype=int)
    Array([0, 1, 4], dtype=int32)
    """
    return array(np.fromiter(iter, dtypes.as_dtype(dtype), count), dtype=dtype)


def fromstring(string: str, dtype: Any = float, count: int = -1, *, sep: str) -> Array:
    """An array of the numbers written in a text, separated by ``sep``.

    >>> import adlib.numpy as jnp
    >>> jnp.fromstring("1 2 3", dtype=int, sep=" ")
    Array([1, 2, 3], dtype=int32)
    """
    return array(np.fromstring(string, dtypes.as_dtype(dtype), count, sep=sep))


def fromfunction(
    function: Callable[..., Any], shape: Any, *, dtype: Any = float, **kwargs: Any
) -> Any:
    """``function`` of the coordinates of every element, given as arrays of ``shape``.

    >>> import adlib.numpy as jnp
    >>> jnp.fromfunction(lambda i, j: i + j, (2, 2), dtype=int)
    Array([[0, 1],
           [1, 2]], dtype=int32)
    """
    sizes = shape_of(shape)
    found = wanted_dtype(dtype, "fromfunction")
    grid = [lax.broadcasted_iota(found, sizes, d) for d in range(len(sizes))]
    return function(*grid, **kwargs)


# -------------------------------------------------------------------------- filled


def _filled(shape: tuple[int, ...], value: Any, dtype: Any, what: str) -> Array:
    _check_sizes(shape, what)
    if computing():
        made = backend.default().xp.full(shape, value, dtype)
        return from_nothing(made, ShapedArray(shape, dtype))
    return lax.full(shape, scalar(value, dtype))


def zeros(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """Zeros; float32 unless a dtype is given.

    Args:
      shape: int or sequence of ints.

    >>> import adlib.numpy as jnp
    >>> jnp.zeros(2)
    Array([0., 0.], dtype=float32)
    """
    return _placed(_filled(shape_of(shape), 0, _dtype_or_float(dtype, "zeros"), "zeros"), device)


def ones(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """Ones; float32 unless a dtype is given.

    Args:
      shape: int or sequence of ints.

    >>> import adlib.numpy as jnp
    >>> jnp.ones((1, 2), int)
    Array([[1, 1]], dtype=int32)
    """
    return _placed(_filled(shape_of(shape), 1, _dtype_or_float(dtype, "ones"), "ones"), device)


def empty(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """Zeros: arrays cannot be written to later, so none is left without values.

    >>> import adlib.numpy as jnp
    >>> jnp.empty(2)
    Array([0., 0.], dtype=float32)
    """
    return _placed(_filled(shape_of(shape), 0, _dtype_or_float(dtype, "empty"), "empty"), device)


def _dtype_or_float(dtype: Any, what: str) -> Any:
    return dtypes.canonicalize_dtype(np.float64) if dtype is None else wanted_dtype(dtype, what)


def full(shape: Any, fill_value: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """``fill_value`` everywhere: a scalar, or an array that broadcasts to ``shape``.

    >>> import adlib.numpy as jnp
    >>> jnp.full((2,), 3.0, float)
    Array([3., 3.], dtype=float32)
    """
    value = array(to_array(fill_value, "full", 1), dtype=wanted_dtype(dtype, "full"))
    return _placed(broadcast_array(value, _check_target(value, shape_of(shape))), device)


def _placed(x: Array, device: Any) -> Array:
    """``x`` on a device. What was asked for there has its own type, not a weak one."""
    return x if device is None else convert(device_put(x, device), x.aval.dtype)


def _check_target(value: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    if value.aval.shape and broadcast_shapes(value.aval.shape, shape) != shape:
        raise ValueError(
            f"Incompatible shapes for broadcasting: {value.aval.shape} and requested shape "
            f"{shape}.{here()}"
        )
    return _check_sizes(shape, "full")


def _check_sizes(shape: tuple[int, ...], what: str) -> tuple[int, ...]:
    if builtins.any([n < 0 for n in shape]):
        raise TypeError(
            f"{what} shape must have every element be nonnegative, got {shape}.{here()}"
        )
    return shape


def _like(what: str, a: Any, value: Any, dtype: Any, shape: Any) -> Array:
    x = _known(a, what)
    found = x.dtype if dtype is None else wanted_dtype(dtype, what)
    sizes = x.shape if shape is None else _check_sizes(shape_of(shape), what)
    weak = dtype is None and x.weak_type
    if computing() and not isinstance(found, dtypes.ExtendedDType):
        made = backend.default().xp.full(sizes, value, found)
        return from_nothing(made, ShapedArray(sizes, found, weak))
    return lax.full(sizes, scalar(value, found, weak))


def _known(a: Any, what: str) -> ShapedArray:
    """Type of an array, or of anything that has a shape and a dtype."""
    if isinstance(a, Array):
        return a.aval
    if hasattr(a, "shape") and hasattr(a, "dtype"):
        return ShapedArray(tuple(a.shape), dtypes.canonicalize_dtype(a.dtype))
    return to_array(a, what).aval


def zeros_like(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Zeros of the shape and dtype of ``a``, or the given ones.

    >>> import adlib.numpy as jnp
    >>> jnp.zeros_like(jnp.arange(2))
    Array([0, 0], dtype=int32)
    """
    return _placed(_like("zeros_like", a, 0, dtype, shape), device)


def ones_like(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Ones of the shape and dtype of ``a``, or the given ones.

    >>> import adlib.numpy as jnp
    >>> jnp.ones_like(jnp.arange(2.0))
    Array([1., 1.], dtype=float32)
    """
    return _placed(_like("ones_like", a, 1, dtype, shape), device)


def empty_like(
    prototype: Any, dtype: Any = None, shape: Any = None, *, device: Any = None
) -> Array:
    """Zeros of the shape and dtype of ``prototype``, or the given ones.

    >>> import adlib.numpy as jnp
    >>> jnp.empty_like(jnp.arange(2))
    Array([0, 0], dtype=int32)
    """
    return _placed(_like("empty_like", prototype, 0, dtype, shape), device)


def full_like(
    a: Any, fill_value: Any, dtype: Any = None, shape: Any = None, *, device: Any = None
) -> Array:
    """``fill_value`` everywhere, in the shape and dtype of ``a``, or the given ones.

    >>> import adlib.numpy as jnp
    >>> jnp.full_like(jnp.arange(2), 7)
    Array([7, 7], dtype=int32)
    """
    x = _known(a, "full_like")
    found = x.dtype if dtype is None else wanted_dtype(dtype, "full_like")
    weak = dtype is None and x.weak_type
    value = convert(to_array(fill_value, "full_like", 1), found, weak)
    sizes = x.shape if shape is None else shape_of(shape)
    return _placed(broadcast_array(value, _check_target(value, sizes)), device)


def astype(x: Any, dtype: Any, /, *, copy: bool = False, device: Any = None) -> Array:
    """The array in another dtype; complex numbers lose their imaginary part, with a warning.

    Args:
      dtype: None for the default float.

    >>> import adlib.numpy as jnp
    >>> jnp.astype(jnp.array([1.7, -1.7]), int)
    Array([ 1, -1], dtype=int32)
    """
    x = to_array(x, "astype")
    found = _dtype_or_float(dtype, "astype")
    if x.aval.dtype.kind == "c" and dtypes.kind(found) not in "cb":
        warn_user(
            "Casting from complex to real dtypes will discard the imaginary part: use x.real "
            "to say so.",
            np.exceptions.ComplexWarning,
        )
    if found.kind == "b" and x.aval.dtype.kind != "b":
        return lax.ne(x, scalar(0, x.aval.dtype))
    return convert(x, found)
