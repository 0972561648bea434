"""BLAS by address: the routines of the library that NumPy computes with, where it can be found."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Routine(NamedTuple):
    """A Fortran routine: its address, and the width of its integers in bits."""

    address: int
    bits: int


@functools.cache
def routine(name: str) -> Routine:
    """``sgemm``, ``dgemm``, … Raises LookupError where there is none."""
    found = _numpys(name) or _scipys(name)
    if found is None:
        raise LookupError(f"no BLAS routine {name} was found in NumPy's or SciPy's libraries")
    return found


def _numpys(name: str) -> Routine | None:
    """In the library that NumPy's wheel brings, which is loaded already: one thread pool."""
    folder = Path(np.__file__).parent.parent / "numpy.libs"
    candidates = [*folder.glob("*openblas64*"), *(Path(np.__file__).parent / ".dylibs").glob("*")]
    for path in candidates:
        try:
            library = ctypes.CDLL(str(path))
            function = getattr(library, f"scipy_{name}_64_")
        except (OSError, AttributeError):
            continue
        return Routine(ctypes.cast(function, ctypes.c_void_p).value or 0, 64)
    return None


def _scipys(name: str) -> Routine | None:
    """In SciPy's table of BLAS routines for Cython, on every platform."""
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__.get(name)
    if capsule is None:
        return None
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return Routine(get(capsule, get_name(capsule)), 32)
