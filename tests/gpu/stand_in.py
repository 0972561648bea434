"""A stand-in for CuPy on machines without a GPU: NumPy underneath, CuPy's strictness above.

Its arrays do not turn into NumPy's by themselves, operations refuse NumPy arrays, reductions give
arrays of rank 0 rather than numbers, and only names that CuPy has can be used (``cupy_names.txt``).
What runs here may still differ on a card; what fails here fails there.
"""

from __future__ import annotations

import contextlib
import operator
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import scipy.special


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

    __slots__ = ("__weakref__", "held")
    __array_ufunc__ = None

    def __init__(self, held: np.ndarray) -> None:
        self.held = held

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __getattr__(self, name: str) -> Any:
        if name not in NAMES["cupy.ndarray"]:
            raise AttributeError(f"CuPy's arrays have no attribute {name!r}")
        if name == "get":
            return lambda: self.held.copy()
        found = getattr(self.held, name)
        if isinstance(found, np.ndarray):
            return ndarray(found)
        return _wrapped(found) if callable(found) else found

    def __setitem__(self, index: Any, value: Any) -> None:
        self.held[_index(index)] = _down(value)

    def __getitem__(self, index: Any) -> Any:
        return ndarray(np.asarray(self.held[_index(index)]))

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self.held.ctypes.data)

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
        return bool(self.held)

    def __int__(self) -> int:
        return int(self.held)

    def __float__(self) -> float:
        return float(self.held)

    def __complex__(self) -> complex:
        return complex(self.held)

    def __index__(self) -> int:
        return operator.index(self.held[()])

    def __hash__(self) -> int:
        raise TypeError("unhashable type: 'ndarray'")


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
        given = {k: _down(v) for k, v in kwargs.items()}
        return _up(function(*[_down(a) for a in args], **given))

    return call


def _operator(name: str) -> Any:
    def apply(self: ndarray, *others: Any) -> Any:
        if any(isinstance(o, np.ndarray) for o in others):
            return NotImplemented
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


RUNTIME = SimpleNamespace(
    getDeviceCount=lambda: 1,
    getDeviceProperties=lambda number: {"name": b"Stand-in 1000", "totalGlobalMem": 8 * 10**9},
    memGetInfo=lambda: (6 * 10**9, 8 * 10**9),
    driverGetVersion=lambda: 12040,
    runtimeGetVersion=lambda: 12020,
)


class Event:
    """A mark in the stream; here everything before it is done when it is recorded."""

    at: float

    def record(self) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        pass


class Cupy(_Module):
    """The top module."""

    def __init__(self) -> None:
        super().__init__("cupy", np)
        self.ndarray = ndarray
        self.linalg = _Module("cupy.linalg", np.linalg)
        self.fft = _Module("cupy.fft", np.fft)
        self.special = _Module("cupyx.scipy.special", scipy.special)
        self.waits = 0
        stream = SimpleNamespace(synchronize=self._wait)
        self.cuda = SimpleNamespace(
            get_current_stream=lambda: stream,
            runtime=RUNTIME,
            Device=contextlib.nullcontext,
            Event=Event,
            get_elapsed_time=lambda start, end: 1000 * (end.at - start.at),
        )
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
        self.array = self._asarray

    def _wait(self) -> None:
        self.waits += 1

    @staticmethod
    def _asarray(value: Any, dtype: Any = None, order: str = "K", copy: Any = None) -> ndarray:
        if isinstance(value, ndarray):
            value = value.held
        elif type(value) in (list, tuple):
            value = _down(value)
        return ndarray(np.array(value, dtype, order=order))

    @staticmethod
    def asnumpy(value: Any) -> np.ndarray:
        return value.get() if isinstance(value, ndarray) else np.asarray(value)
