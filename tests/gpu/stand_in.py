"""A stand-in for CuPy on machines without a GPU: NumPy underneath, CuPy's strictness above.

Its arrays do not turn into NumPy's by themselves, operations refuse NumPy arrays, reductions give
arrays of rank 0 rather than numbers, and only names that CuPy has can be used (``cupy_names.txt``).
What runs here may still differ on a card; what fails here fails there.
"""

from __future__ import annotations

import operator
import weakref
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import scipy.special

from tests.gpu import runtime


def _names() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in (Path(__file__).parent / "cupy_names.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("["):
            names = found[line.strip("[]")] = set()
        else:
            names.update(line.split())
    return found


NAMES = _names()


class ndarray:
    """An array "on the GPU"."""

    __slots__ = ("__weakref__", "base", "data", "held")
    __array_ufunc__ = None

    def __init__(self, held: np.ndarray) -> None:
        held = runtime.POOL.adopted(held)
        self.held = held
        self.data = runtime.pointer(held)
        self.base: ndarray | None = None  # of a view, the array that has the memory
        whole = held
        while isinstance(whole.base, np.ndarray) and not isinstance(whole.base, runtime.Block):
            whole = whole.base
        if whole is held:
            _wholes[id(held)] = self
            return
        self.base = _wholes.get(id(whole))
        if self.base is None or self.base.held is not whole:
            self.base = ndarray(whole)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __getattr__(self, name: str) -> Any:
        if name not in NAMES["cupy.ndarray"]:
            raise AttributeError(f"CuPy's arrays have no attribute {name!r}")
        if name == "get":
            return self._brought
        found = getattr(self.held, name)
        if isinstance(found, np.ndarray):
            return ndarray(found)
        return _wrapped(found) if callable(found) else found

    def _brought(self, stream: Any = None, blocking: bool = True) -> np.ndarray:
        """A copy on the CPU, for which the host waits."""
        runtime.refuse("a copy to the host")
        runtime.RUNTIME.count("bytes brought", self.held.nbytes)
        return self.held.copy()

    @classmethod
    def over(cls, held: np.ndarray, owner: Any) -> ndarray:
        """An array over the memory of another library."""
        made = cls.__new__(cls)
        made.held = held
        made.base = None
        memory = runtime.UnownedMemory(held, owner)
        made.data = runtime.MemoryPointer(memory, held.ctypes.data)
        return made

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: Any = None,
        dl_device: Any = None,
        copy: Any = None,
    ) -> runtime.Capsule:
        runtime.RUNTIME.note("exported for stream", stream)
        return runtime.Capsule(self.held, max_version)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        strides = None if self.held.flags.c_contiguous else self.held.strides
        return {
            "shape": self.held.shape,
            "typestr": self.held.dtype.str,
            "descr": self.held.dtype.descr,
            "data": (self.held.ctypes.data, False),
            "strides": strides,
            "stream": 1,
            "version": 3,
        }

    def __setitem__(self, index: Any, value: Any) -> None:
        runtime.refuse("work that the stand-in cannot record")
        self.held[_index(index)] = _down(value)

    def __getitem__(self, index: Any) -> Any:
        return ndarray(np.asarray(self.held[_index(index)]))

    real = property(
        lambda self: ndarray(self.held.real),
        lambda self, value: setattr(self.held, "real", _down(value)),
    )
    imag = property(
        lambda self: ndarray(self.held.imag),
        lambda self, value: setattr(self.held, "imag", _down(value)),
    )

    def __len__(self) -> int:
        return len(self.held)

    def __iter__(self) -> Any:
        return (ndarray(np.asarray(row)) for row in self.held)

    def __bool__(self) -> bool:
        return bool(self._brought())

    def __int__(self) -> int:
        return int(self._brought())

    def __float__(self) -> float:
        return float(self._brought())

    def __complex__(self) -> complex:
        return complex(self._brought())

    def __index__(self) -> int:
        return operator.index(self._brought()[()])

    def __hash__(self) -> int:
        raise TypeError("unhashable type: 'ndarray'")


_wholes: weakref.WeakValueDictionary[int, ndarray] = weakref.WeakValueDictionary()


def _index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple([_index(i) for i in index])
    return index.held if isinstance(index, ndarray) else index


def _down(value: Any) -> Any:
    """What NumPy is given for an argument."""
    if isinstance(value, ndarray):
        return value.held
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if type(value) in (list, tuple):
        return type(value)([_down(v) for v in value])
    return value


def _up(value: Any) -> Any:
    """A result of NumPy's as CuPy gives it."""
    if isinstance(value, (np.ndarray, np.generic)):
        return ndarray(np.asarray(value))
    if isinstance(value, (tuple, list)):
        made = [_up(v) for v in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    return value


def _wrapped(function: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        runtime.refuse("work that the stand-in cannot record")
        given = {k: _down(v) for k, v in kwargs.items()}
        return _up(function(*[_down(a) for a in args], **given))

    return call


def _operator(name: str) -> Any:
    def apply(self: ndarray, *others: Any) -> Any:
        if any(isinstance(o, np.ndarray) for o in others):
            return NotImplemented
        runtime.refuse("work that the stand-in cannot record")
        found = getattr(self.held, name)(*[_down(o) for o in others])
        return found if found is NotImplemented else _up(found)

    return apply


def _in_place(name: str) -> Any:
    def apply(self: ndarray, other: Any) -> ndarray:
        getattr(self.held, name)(_down(other))
        return self

    return apply


for _name in "add sub mul truediv floordiv mod pow and or xor lshift rshift matmul".split():
    for _prefix in ("", "r"):
        setattr(ndarray, f"__{_prefix}{_name}__", _operator(f"__{_prefix}{_name}__"))
    setattr(ndarray, f"__i{_name}__", _in_place(f"__i{_name}__"))
for _name in "lt le gt ge eq ne neg pos abs invert".split():
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))


class _Ufunc:
    """One of NumPy's ufuncs, without what CuPy's cannot do (``where=``)."""

    def __init__(self, held: np.ufunc) -> None:
        self._held = held
        for method in ("reduce", "accumulate", "reduceat", "at", "outer"):
            setattr(self, method, _wrapped(getattr(held, method)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        unknown = set(kwargs) - {"out", "dtype", "casting"}
        if unknown:
            raise TypeError(f"Wrong arguments {unknown}")
        return _wrapped(self._held)(*args, **kwargs)


class _Module(ModuleType):
    """The names of one of CuPy's modules."""

    def __init__(self, name: str, source: Any) -> None:
        super().__init__(name)
        self._source = source
        self._allowed = NAMES[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._allowed:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found = getattr(self._source, name)
        if isinstance(found, np.ufunc):
            made: Any = _Ufunc(found)
        elif isinstance(found, type) or not callable(found):
            made = found
        else:
            made = _wrapped(found)
        setattr(self, name, made)
        return made


class Cupy(_Module):
    """The top module."""

    def __init__(self) -> None:
        super().__init__("cupy", np)
        self.ndarray = ndarray
        self.linalg = _Module("cupy.linalg", np.linalg)
        self.fft = _Module("cupy.fft", np.fft)
        self.special = _Module("cupyx.scipy.special", scipy.special)
        self.cuda = runtime.cuda()
        self.lib = SimpleNamespace(
            stride_tricks=SimpleNamespace(
                as_strided=_wrapped(np.lib.stride_tricks.as_strided),
                sliding_window_view=_wrapped(np.lib.stride_tricks.sliding_window_view),
            )
        )
        self.broadcast = _wrapped(np.broadcast)
        # CuPy's sorts are stable whether asked to be or not
        self.sort = _wrapped(lambda a, axis=-1, kind=None: np.sort(a, axis, "stable"))
        self.argsort = _wrapped(lambda a, axis=-1, kind=None: np.argsort(a, axis, "stable"))
        self.asarray = self._asarray
        self.array = self._array
        self.get_default_memory_pool = lambda: runtime.POOL
        self.fuse = lambda function: function
        self.__version__ = "stand-in"

    @property
    def waits(self) -> int:
        return runtime.RUNTIME.counts.get("wait", 0)

    @staticmethod
    def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
        runtime.refuse("an allocation")
        return ndarray(runtime.POOL.empty(shape, dtype, order))

    @staticmethod
    def from_dlpack(array: Any, *, device: Any = None, copy: Any = None) -> ndarray:
        kind, _ = array.__dlpack_device__()
        if int(kind) != 2:
            raise BufferError("CuPy takes arrays on the GPU")
        capsule = array.__dlpack__(stream=runtime.current().ptr or 1, max_version=(1, 0))
        return ndarray.over(capsule.take(), array)

    @staticmethod
    def _shown(value: Any) -> ndarray:
        """An array over what ``__cuda_array_interface__`` shows."""
        shown = value.__cuda_array_interface__
        if shown.get("stream"):
            runtime.RUNTIME.note("waited for stream", shown["stream"])
        dtype = np.dtype(shown["typestr"])
        size = int(np.prod(shown["shape"], dtype=int)) * dtype.itemsize
        flat = runtime.at(shown["data"][0], size).view(dtype)
        assert shown["strides"] is None, "the stand-in reads arrays in order"
        return ndarray.over(flat.reshape(shown["shape"]), value)

    @staticmethod
    def _asarray(value: Any, dtype: Any = None, order: str = "K", copy: Any = None) -> ndarray:
        if not isinstance(value, ndarray) and hasattr(value, "__cuda_array_interface__"):
            value = Cupy._shown(value)
        if isinstance(value, ndarray) and dtype in (None, value.held.dtype) and not copy:
            return value
        return Cupy._array(value, dtype, True, order)

    @staticmethod
    def _array(value: Any, dtype: Any = None, copy: Any = True, order: str = "K") -> ndarray:
        runtime.refuse("a copy from the host")
        if isinstance(value, ndarray):
            value = value.held
        elif type(value) in (list, tuple):
            value = _down(value)
        made = np.array(value, dtype, order=order)
        return ndarray(made.view(np.ndarray) if type(made) is not np.ndarray else made)

    @staticmethod
    def asnumpy(value: Any) -> np.ndarray:
        return value.get() if isinstance(value, ndarray) else np.asarray(value)
