"""Inner loops of NumPy's universal functions, by address: whole arrays by one native call.

A loop has the signature ``void(char **args, intptr *dimensions, intptr *steps, void *data)``, which
is NumPy's interface for extensions, so that the functions of SciPy have it too. Where the loops
lie within a ufunc object is looked up with what the object says of itself, never assumed.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from typing import Any, NamedTuple

import numpy as np

_WORD = ctypes.sizeof(ctypes.c_void_p)


class _Head(ctypes.Structure):
    """The first fields of a ufunc object, behind those of any object."""

    _fields_ = (
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("ntypes", ctypes.c_int),
        ("reserved", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("types", ctypes.c_void_p),
    )


class Loop(NamedTuple):
    """An inner loop: the addresses of its function and of what that is given as ``data``."""

    function: int
    data: int


@functools.cache
def loop(module: str, name: str, types: str) -> Loop | None:
    """The loop of ``module.name`` for types such as ``"ff->f"``; None where there is none."""
    try:
        ufunc = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return None
    if not isinstance(ufunc, np.ufunc) or types not in ufunc.types:
        return None
    head = _head(ufunc)
    if head is None:
        return None
    number = ufunc.types.index(types)
    function = ctypes.c_void_p.from_address(head.functions + number * _WORD).value
    data = ctypes.c_void_p.from_address(head.data + number * _WORD).value if head.data else 0
    return Loop(function, data or 0) if function else None


def _head(ufunc: Any) -> _Head | None:
    """A ufunc's fields, if they are where they are looked for."""
    start = id(ufunc) + object.__basicsize__
    head = _Head.from_address(start)
    numbers = (head.nin, head.nout, head.nargs, head.ntypes)
    if numbers != (ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.ntypes):
        return None
    if not head.functions or not head.types or head.name != ufunc.__name__.encode():
        return None
    codes = ctypes.string_at(head.types, ufunc.ntypes * ufunc.nargs)
    said = "".join([t.replace("->", "") for t in ufunc.types])
    wanted = bytes([np.dtype(c).num for c in said])
    return head if codes == wanted else None


def link(module: str, name: str, types: str, what: str) -> str:
    """The name of an address for ``Module.link``; ``what`` is ``function`` or ``data``."""
    return f"ufunc:{module}:{name}:{types}:{what}"


def address(rest: str) -> int:
    """The address that a link names. Raises LookupError where it is gone."""
    module, name, types, what = rest.split(":")
    found = loop(module, name, types)
    if found is None:
        raise LookupError(f"no loop of {module}.{name} for {types}")
    return int(getattr(found, what))
