"""Array: what users hold. An immutable array with a type, over a backend's ndarray.

``Array`` is the common base of values and of tracers, so ``isinstance(x, Array)`` holds
inside transformed functions as well. Its operators and NumPy-style methods are defined on
a higher floor, which knows the operations, and installed here with ``install_methods``.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from adlib.base import errors
from adlib.base.source import here
from adlib.core import backend, dtypes, interchange
from adlib.core.avals import ShapedArray, is_undefined_primal, physical_dtype


class Array:
    """An n-dimensional array that adlib computes with and differentiates.

    Made by ``adlib.numpy.array`` and every function of ``adlib.numpy``; never changed in
    place (``x.at[i].set(v)`` returns an updated copy).

    >>> import adlib.numpy as jnp
    >>> jnp.array([1.0, 2.0]) * 3
    Array([3., 6.], dtype=float32)
    """

    __slots__ = ("__weakref__", "aval")
    # NumPy leaves `ndarray + Array` to us; `np.sin(Array)` still converts, through __array__
    __array_priority__ = 100
    aval: ShapedArray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        return self.aval.dtype

    @property
    def weak_type(self) -> bool:
        return self.aval.weak_type

    @property
    def ndim(self) -> int:
        return len(self.aval.shape)

    @property
    def size(self) -> int:
        return self.aval.size

    @property
    def itemsize(self) -> int:
        return int(self.aval.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.aval.nbytes

    def __len__(self) -> int:
        shape = self.aval.shape
        if not shape:
            raise TypeError("len() of an array of rank 0 (a scalar has no length)")
        return shape[0]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise errors.immutable("an array of type " + self.aval.str_short(), index)

    def __hash__(self) -> int:
        raise TypeError(
            f"unhashable type: Array of type {self.aval.str_short()}\n"
            "  Arrays compare element by element, so they cannot be dictionary keys or static "
            "arguments; use a Python number or tuple (x.item(), tuple(x.tolist()))."
        )

    # immutable, so that a copy is the thing itself
    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, memo: Any) -> Array:
        return self


def install_methods(methods: dict[str, Any]) -> None:
    """Give Array its operators and methods (called once, by the floor that defines them)."""
    for name, method in methods.items():
        setattr(Array, name, method)


class ArrayImpl(Array):
    """A concrete array: ``_value`` is the backend's ndarray, never written to."""

    __slots__ = ("_free", "_value")
    _value: Any

    def __init__(self, value: Any, aval: ShapedArray) -> None:
        if type(value) is not np.ndarray and isinstance(value, (np.generic, int, float, complex)):
            value = np.asarray(value, physical_dtype(aval))
        self._value = value
        self.aval = aval

    # ------------------------------------------------------------ conversions

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if isinstance(self.aval.dtype, dtypes.ExtendedDType):
            raise TypeError(
                f"an array of dtype {self.aval.dtype} has no numbers of its own; "
                "adlib.random.key_data(key) gives the words of a key"
            )
        value = to_numpy(self)
        if dtype is not None and value.dtype != dtype:
            if copy is False:
                raise ValueError(
                    f"an array of type {self.aval.str_short()} cannot become {np.dtype(dtype)} "
                    "without a copy; leave copy=False out, or ask for its own dtype"
                )
            return value.astype(dtype)
        if copy:
            return value.copy()
        view = value.view()
        view.flags.writeable = False  # Arrays are immutable: their memory is shared read-only
        return view

    def item(self, *index: int) -> Any:
        """The element as a Python number; the array must have one element without ``index``."""
        return to_numpy(self).item(*index)

    def tolist(self) -> Any:
        """Nested Python lists of the elements."""
        return to_numpy(self).tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        return to_numpy(self).tobytes(order)

    def __bool__(self) -> bool:
        if self.aval.size != 1:
            raise ValueError(
                f"The truth value of an array of shape {self.shape} is ambiguous.\n"
                "  Repair: use jnp.any(x) or jnp.all(x)."
            )
        return bool(to_numpy(self).reshape(())[()])

    def _scalar(self, target: str) -> Any:
        if self.aval.shape:
            raise TypeError(
                f"Only scalar arrays can be converted to Python scalars; {target}() was given "
                f"an array of shape {self.shape}.\n"
                "  Repair: x.item() for an array of one element, x.tolist() for more."
            )
        if target != "complex" and dtypes.is_complex(self.aval.dtype):
            raise TypeError(
                f"{target}() would drop the imaginary part of a value of type "
                f"{self.aval.str_short()}; say which part is meant: {target}(x.real)."
            )
        return to_numpy(self)[()]

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        if self.aval.shape or not dtypes.is_integer(self.aval.dtype):
            raise TypeError(
                "Only integer scalar arrays can be converted to a scalar index; this array has "
                f"type {self.aval.str_short()}."
            )
        return int(to_numpy(self))

    def __format__(self, spec: str) -> str:
        if not self.aval.shape and not isinstance(self.aval.dtype, dtypes.ExtendedDType):
            return format(to_numpy(self)[()], spec)
        return format(str(self), spec)

    def __iter__(self) -> Iterator[Any]:
        if not self.aval.shape:
            raise TypeError("iteration over an array of rank 0")
        item = self.aval.update(shape=self.aval.shape[1:])
        return iter([ArrayImpl(row, item) for row in self._value])

    def __str__(self) -> str:
        if isinstance(self.aval.dtype, dtypes.ExtendedDType):
            return repr(self)
        return str(to_numpy(self))

    def __repr__(self) -> str:
        aval = self.aval
        weak = ", weak_type=True" if aval.weak_type else ""
        if isinstance(aval.dtype, dtypes.ExtendedDType):
            words = to_numpy(self)[..., None].view(np.uint32)
            return f"Array({aval.shape}, dtype={aval.dtype.name}) overlaying:\n{words}"
        value = to_numpy(self)
        if value.size == 0:
            return f"Array([], shape={aval.shape}, dtype={value.dtype.name}{weak})"
        if value.dtype.kind == "V":
            value = value.astype(np.float32) if value.dtype != dtypes.float0 else value
        text = np.array2string(value, separator=", ", prefix="Array(")
        return f"Array({text}, dtype={aval.dtype.name}{weak})"

    def __reduce__(self) -> Any:
        return ArrayImpl, (to_numpy(self), self.aval)

    # ------------------------------------------------- other array libraries

    def __buffer__(self, flags: int, /) -> memoryview:
        """The memory, read-only: what ``memoryview(x)`` gives from Python 3.12 on."""
        if flags & 1:  # inspect.BufferFlags.WRITABLE
            raise BufferError(f"arrays are immutable: their memory is read-only{here()}")
        return memoryview(self.__array__())  # type: ignore[arg-type]  # mypy thinks of 3.11

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule of DLPack with the array's memory, for other libraries' ``from_dlpack``."""
        return interchange.exported(self._value, stream, max_version, dl_device, copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return interchange.device_of(self._value)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Where the memory is, for libraries that compute on the same GPU, which must not write
        to it; arrays on the CPU have no such attribute."""
        found: dict[str, Any] = self._value.__cuda_array_interface__
        # who takes the address keeps this Array, so its memory must live as long, donated or not
        weakref.finalize(self, _forget, self._value).atexit = False
        return found

    # ------------------------------------------------------------------ where

    @property
    def free(self) -> bool:
        """Whether the array was made from nothing, and so may be moved to where it is needed.

        Noted only while several devices are in use.
        """
        return getattr(self, "_free", False)

    def made_from_nothing(self) -> ArrayImpl:
        """Note that the array may be moved; returns it."""
        self._free = True
        return self

    def block_until_ready(self) -> ArrayImpl:
        """Wait until the value is computed; returns the array itself."""
        value = self._value
        stream = getattr(backend.of_array(value).xp, "cuda", None) if backend.several else None
        if stream is not None:
            stream.get_current_stream().synchronize()
        return self

    def is_ready(self) -> bool:
        return True

    def is_deleted(self) -> bool:
        """Whether the memory was given away: by ``delete``, or donated to a jitted function."""
        try:
            return self._value is None
        except RuntimeError:
            return True

    def delete(self) -> None:
        """Give the memory back now; using the array afterwards raises RuntimeError."""
        if not self.is_deleted():
            del self._value

    def __getattr__(self, name: str) -> Any:
        # Python asks here for what it did not find: a slot that was emptied, or no attribute
        if name == "_value":
            raise RuntimeError(
                f"Array has been deleted with shape={self.dtype.name}"
                f"[{','.join(map(str, self.shape))}].{here()}\n"
                "  Its memory was donated to a jitted function (donate_argnums), which wrote a "
                "result there, or was given back by x.delete(). Repair: use the function's result "
                "in its place, as in params = step(params), or do not donate the argument."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def copy_to_host_async(self) -> None:
        """Start a copy to the CPU; nothing to do for arrays that are there."""

    def unsafe_buffer_pointer(self) -> int:
        """Address of the first element."""
        value = self._value
        return int(value.ctypes.data if isinstance(value, np.ndarray) else value.data.ptr)

    @property
    def is_fully_addressable(self) -> bool:
        return True


def _forget(value: Any) -> None:
    """Let go of memory that another library knew by its address."""


def to_numpy(array: ArrayImpl) -> np.ndarray[Any, Any]:
    """The value in CPU memory; no copy where it is there already."""
    value = array._value
    if isinstance(value, np.ndarray):
        return value
    return value.get()  # type: ignore[no-any-return]  # a GPU array


# ------------------------------------------------------------ making arrays

_scalars: dict[Any, ArrayImpl] = {}


def scalar(value: Any, dtype: Any, weak_type: bool = False) -> ArrayImpl:
    """A rank-0 array; small constants are made once and shared."""
    # equal numbers may differ in the sign of a zero: those are told apart by their text
    name = repr(value) if _may_hold_zero(value) else value
    key = (name, type(value), dtype, weak_type)
    found = _scalars.get(key)
    if found is not None:
        return found
    with np.errstate(over="ignore"):
        made = np.asarray(value).astype(dtype)
    result = ArrayImpl(made, ShapedArray((), dtype, weak_type))
    if len(_scalars) > 4096:
        _scalars.clear()
    _scalars[key] = result
    return result


def _may_hold_zero(value: Any) -> bool:
    if isinstance(value, complex):
        return not (value.real and value.imag)
    return isinstance(value, float) and not value


def from_numpy(value: np.ndarray[Any, Any] | np.generic, copy: bool = True) -> ArrayImpl:
    """An Array with the contents of ``value`` in its canonical dtype.

    The memory is copied unless ``copy`` is False, since its owner may write to it. Raises
    ValueError for masked arrays.
    """
    if type(value) is not np.ndarray and isinstance(value, np.ma.MaskedArray):
        raise ValueError(
            "numpy masked arrays are not supported: adlib would compute with what is masked."
            f"{here()}\n  Repair: give what should stand in its place, x.filled(value), or compute "
            "with x.data and jnp.where(x.mask, ..., ...)."
        )
    if value.dtype.kind not in "biufc":
        dtypes.as_dtype(value.dtype)
    dtype = dtypes.canonicalize_dtype(value.dtype)
    if dtype != value.dtype:  # narrowed, or of the other byte order
        value = value.astype(dtype)
    elif isinstance(value, np.ndarray) and copy:
        value = value.copy()
    made = np.asarray(value)
    if backend.several and made.ndim:  # new arrays are made on the default device
        return ArrayImpl(backend.default().bring(made), ShapedArray(value.shape, dtype))
    return ArrayImpl(made, ShapedArray(value.shape, dtype))


def from_nothing(value: Any, aval: ShapedArray) -> ArrayImpl:
    """An Array that no data went into, which may be moved to where it is needed."""
    made = ArrayImpl(value, aval)
    return made.made_from_nothing() if backend.several else made


def table(value: np.ndarray[Any, Any]) -> ArrayImpl:
    """An Array of numbers that are part of an algorithm, not of its data; ``value`` is kept."""
    made = from_numpy(value, copy=False)
    return made.made_from_nothing() if backend.several else made


def as_value(x: Any, what: str = "", position: int | None = None) -> Array:
    """``x`` as an Array: arrays as they are, Python scalars weakly typed, ndarrays copied.

    Raises TypeError for anything else, naming the function (``what``) and the position.
    """
    if isinstance(x, Array):
        return x
    found = dtypes.scalar_type(x)
    if found is not None:
        if found[0].kind == "i":
            check_integer_fits(x, found[0])
        return scalar(x, found[0], found[1])
    if isinstance(x, (np.ndarray, np.generic)):
        return from_numpy(x)
    if hasattr(x, "__jax_array__"):
        return as_value(x.__jax_array__(), what, position)
    shared = backend.shared(x)
    if shared is not None:
        return of_ndarray(shared, copy=True)
    if is_undefined_primal(x):
        raise errors.not_linear()
    raise not_an_array(x, what, position)


def of_ndarray(value: Any, copy: bool | None = None) -> ArrayImpl:
    """An Array over an ndarray of any backend, in its canonical dtype.

    The memory is shared where that is possible and ``copy`` is not True. Raises BufferError where
    it is not, and ``copy`` is False.
    """
    dtype = dtypes.canonicalize_dtype(value.dtype)
    if dtype != value.dtype:
        if copy is False:
            raise BufferError(
                f"an array of {value.dtype.name} becomes one of {dtype.name}, which is a copy, and "
                f"copy=False forbids it.{here()}\n"
                '  Repair: adlib.config.update("jax_enable_x64", True), or leave copy=False out.'
            )
        value = value.astype(dtype)
    elif copy:
        value = value.copy()
    return ArrayImpl(value, ShapedArray(value.shape, dtype))


def check_integer_fits(value: int, dtype: np.dtype[Any]) -> None:
    """Raise OverflowError where a Python integer does not fit the dtype it would get."""
    bounds = np.iinfo(dtype)
    if not bounds.min <= value <= bounds.max:
        from_x64 = " (enable 64-bit types, or use a float)" if bounds.bits == 32 else ""
        raise OverflowError(f"Python int {value} too large to convert to {dtype.name}{from_x64}")


def not_an_array(x: Any, what: str = "", position: int | None = None) -> TypeError:
    who = f"{what} requires" if what else "adlib computes with"
    where = f" at position {position}" if position is not None else ""
    if isinstance(x, (list, tuple)):
        repair = "convert it first with jnp.array(...)"
    elif isinstance(x, str):
        repair = "text is not a number; if it is a setting, make the argument static"
    else:
        repair = "pass a number, a NumPy array or an adlib array"
    return TypeError(
        f"{who} ndarray or scalar arguments, got {type(x)}{where}.{here()}\n  Repair: {repair}."
    )
