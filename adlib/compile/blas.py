"""BLAS and LAPACK by address: the library that NumPy computes with, where it can be found."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Routine(NamedTuple):
    """A Fortran routine: its address, and the width of its integers in bits."""

    address: int
    bits: int


@functools.cache
def routine(name: str) -> Routine:
    """``sgemm``, ``dpotrf``, … Raises LookupError where there is none."""
    found = _numpys(name) or _scipys(name)
    if found is None:
        raise LookupError(
            f"no routine {name} of BLAS or LAPACK was found in NumPy's or SciPy's libraries"
        )
    return found


@functools.cache
def exists(name: str) -> bool:
    """Whether there is a routine of that name."""
    try:
        return bool(routine(name))
    except LookupError:
        return False


@functools.cache
def _libraries() -> list[Any]:
    """The libraries that NumPy's wheel brings, which are loaded already: one thread pool."""
    folder = Path(np.__file__).parent.parent / "numpy.libs"
    candidates = [*folder.glob("*openblas64*"), *(Path(np.__file__).parent / ".dylibs").glob("*")]
    found = []
    for path in candidates:
        try:
            found.append(ctypes.CDLL(str(path)))
        except OSError:
            continue
    return found


def _numpys(name: str) -> Routine | None:
    for library in _libraries():
        function = getattr(library, f"scipy_{name}_64_", None)
        if function is not None:
            return Routine(ctypes.cast(function, ctypes.c_void_p).value or 0, 64)
    return None


def _scipys(name: str) -> Routine | None:
    """In SciPy's tables of routines for Cython, on every platform."""
    from scipy.linalg import cython_blas, cython_lapack

    for table in (cython_blas, cython_lapack):
        capsule = table.__pyx_capi__.get(name)
        if capsule is None:
            continue
        get_name = ctypes.pythonapi.PyCapsule_GetName
        get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        return Routine(get(capsule, get_name(capsule)), 32)
    return None
