"""Where CPython and NumPy keep what native code reads: checked at start-up, never assumed."""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
from typing import Any, NamedTuple

import numpy as np

_HEAD = 160  # bytes of an array object that are looked at
_CONTIGUOUS, _ALIGNED = 0x1, 0x100
WRITEABLE = 0x400
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


class Ownership(NamedTuple):
    """Offsets in bytes of what tells who else may read an array's memory.

    Attributes:
      references: of their number (32 bits) within any object.
      base: of the pointer to the object that owns the memory within an array.
    """

    references: int
    base: int


@functools.cache
def ownership() -> Ownership | None:
    """These offsets; None where they are not to be found: then no memory changes hands."""
    try:
        probes = [np.zeros(4)[n:] for n in range(3)]
        held: list[Any] = []
        counts = []
        for n, probe in enumerate(probes):
            held += [probe] * (3 * n)  # they differ in the number of references
            memory = ctypes.string_at(id(probe), _HEAD)
            wanted = sys.getrefcount(probe) - 1
            counts.append(
                {
                    at
                    for at in range(0, _HEAD, 4)
                    if int.from_bytes(memory[at : at + 4], _order()) == wanted
                }
            )
        bases = [_words(p, id(p.base)) for p in probes]
        return Ownership(_common(counts, "the count"), _common(bases, "the base"))
    except RuntimeError:
        return None


class Shape(NamedTuple):
    """Offsets in bytes of what tells an array's shape and type.

    Attributes:
      rank: of the number of axes (32 bits) within an array.
      sizes: of the pointer to their sizes.
      type: of the pointer to the type of the elements.
    """

    rank: int
    sizes: int
    type: int


@functools.cache
def shape() -> Shape | None:
    """These offsets; None where they are not to be found: then arrays of NumPy's are no arguments
    of native calls."""
    try:
        probes: list[Any] = [np.zeros((2, 3, 5), np.int8), np.zeros(7)]
        probes.append(np.zeros((4, 3), np.float32))
        data, flags = layout().data, layout().flags
        ranks = [_numbers(p, p.ndim) for p in probes]
        types = [_words(p, id(p.dtype)) for p in probes]
        found = Shape(_common(ranks, "the rank"), data + 16, _common(types, "the type"))
    except RuntimeError:
        return None
    # the fields of NumPy's own structure: the pointer to the sizes lies among them
    if found.rank != data + 8 or found.type != data + 40 or flags != data + 48:
        return None
    for probe in probes:
        at = ctypes.c_void_p.from_address(id(probe) + found.sizes).value or 0
        if list((ctypes.c_ssize_t * probe.ndim).from_address(at)) != list(probe.shape):
            return None
    return found


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
    return sys.byteorder


def _common(found: list[set[int]], what: str) -> int:
    places = set.intersection(*found)
    if not places:
        raise RuntimeError(f"{what} of an array object was not found where it was looked for")
    return min(places)


# ---------------------------------------------------------- functions from addresses

_KEYWORDS, _FASTCALL = 0x0002, 0x0080


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
    return _function(definition, _Owner(definition, keep))


def keyword_function(address: int, name: str, table: Any, *keep: Any) -> Any:
    """The same for METH_FASTCALL | METH_KEYWORDS; native code gets a tuple as ``self``, whose
    first item is the array ``table``."""
    definition = _MethodDef(name.encode(), address, _FASTCALL | _KEYWORDS, None)
    return _function(definition, (table, definition, *keep))


def _function(definition: _MethodDef, owner: Any) -> Any:
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new(ctypes.addressof(definition), owner, None)


class _Owner:
    """What a built-in function holds on to, as its ``__self__``."""

    def __init__(self, *things: Any) -> None:
        self.things = things


def slot(cls: type, name: str, make: Any) -> int:
    """The offset in bytes of a slot within instances of a class.

    ``make`` gives an instance for a value of the slot.
    """
    probes = [(value, make(value)) for value in (object(), object(), object())]
    places = [{at for at in _words(p, id(v)) if at < cls.__basicsize__} for v, p in probes]
    return _common(places, f"the slot {name!r} of {cls.__name__}")


# Places in the table of NumPy's C interface, which keeps them from release to release.
_NUMPY = {"ndarray": 2, "PyArray_NewFromDescr": 94}


@functools.cache
def numpy_address(name: str) -> int:
    """The address of a function of NumPy's C interface. Raises RuntimeError where the table is
    not what it is taken for."""
    try:
        capsule = importlib.import_module("numpy._core._multiarray_umath")._ARRAY_API
    except ImportError:  # NumPy 1
        capsule = importlib.import_module("numpy.core._multiarray_umath")._ARRAY_API
    kind = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    pointer = kind(("PyCapsule_GetPointer", ctypes.pythonapi))
    table = (ctypes.c_void_p * (1 + max(_NUMPY.values()))).from_address(pointer(capsule, None))
    if table[_NUMPY["ndarray"]] != id(np.ndarray):
        raise RuntimeError("the table of NumPy's C interface was not found")
    return table[_NUMPY[name]] or 0


def address_of(name: str) -> int:
    """The address of a function of CPython's C interface."""
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0
