"""Where CPython and NumPy keep what native code reads: checked at start-up, never assumed."""

from __future__ import annotations

import ctypes
import functools
from typing import Any, NamedTuple

import numpy as np

_HEAD = 160  # bytes of an array object that are looked at
_CONTIGUOUS, _ALIGNED = 0x1, 0x100
CONFORMING = _CONTIGUOUS | _ALIGNED


class Layout(NamedTuple):
    """Offsets in bytes within objects.

    Attributes:
      type: of the type pointer within any object.
      data: of the pointer to the elements within an array.
      flags: of the array's flags.
    """

    type: int
    data: int
    flags: int


@functools.cache
def layout() -> Layout:
    """The offsets on this interpreter. Raises RuntimeError where they are not to be found."""
    probes = [np.arange(12.0), np.arange(12.0).reshape(3, 4).T, np.zeros((2, 2), np.int8)[:, :1]]
    probes.append(np.frombuffer(bytes(33), np.uint8)[1:].view(np.float64))
    data = _common([_words(p, p.ctypes.data) for p in probes], "the data pointer")
    types = _common([_words(p, id(np.ndarray)) for p in probes], "the type")
    flags = _common([_numbers(p, p.flags.num) for p in probes], "the flags")
    return Layout(types, data, flags)


def _words(probe: Any, wanted: int) -> set[int]:
    memory = ctypes.string_at(id(probe), _HEAD)
    word = ctypes.sizeof(ctypes.c_void_p)
    return {
        at
        for at in range(0, _HEAD, word)
        if int.from_bytes(memory[at : at + word], _order()) == wanted
    }


def _numbers(probe: Any, wanted: int) -> set[int]:
    memory = ctypes.string_at(id(probe), _HEAD)
    return {
        at
        for at in range(0, _HEAD, 4)
        if int.from_bytes(memory[at : at + 4], _order()) & 0xFFFF == wanted & 0xFFFF
    }


def _order() -> Any:
    import sys

    return sys.byteorder


def _common(found: list[set[int]], what: str) -> int:
    places = set.intersection(*found)
    if not places:
        raise RuntimeError(f"{what} of an array object was not found where it was looked for")
    return min(places)


# ---------------------------------------------------------- functions from addresses

_FASTCALL = 0x0080


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def python_function(address: int, name: str, keep: Any) -> Any:
    """A built-in function that calls native code of signature METH_FASTCALL.

    ``keep`` lives as long as the function: the code it calls, for instance.
    """
    definition = _MethodDef(name.encode(), address, _FASTCALL, None)
    owner = _Owner(definition, keep)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new(ctypes.addressof(definition), owner, None)


class _Owner:
    """What a built-in function holds on to, as its ``__self__``."""

    def __init__(self, *things: Any) -> None:
        self.things = things


def address_of(name: str) -> int:
    """The address of a function of CPython's C interface."""
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0
