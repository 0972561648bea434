"""The GPU backend: CuPy, imported when a GPU is first asked for."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any

from adlib.core import backend


class NoGpu(RuntimeError):
    """There is no GPU to compute on; the message says in one sentence what is missing."""


@functools.cache
def load() -> backend.Backend:
    """CuPy as a backend, registered at the first call.

    Raises NoGpu where CuPy or a usable GPU is missing.
    """
    if importlib.util.find_spec("cupy") is None:
        raise NoGpu(
            "computing on a GPU needs CuPy, which is not installed: "
            "pip install 'adlib-jupyter[gpu]'"
        )
    try:
        cupy = importlib.import_module("cupy")
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # each cause (no driver, an old one, no library) has its own class
        raise NoGpu(
            "computing on a GPU needs an NVIDIA card with its driver, and CuPy found none it can "
            f"use ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        ) from error
    if count == 0:
        raise NoGpu("computing on a GPU needs an NVIDIA card, and CuPy sees none here")
    made = of_module(cupy)
    backend.register(made)
    return made


def of_module(cupy: Any) -> backend.Backend:
    """A backend that computes with this module (CuPy, or what stands in for it in tests)."""
    from adlib.backends.cupy_implementations import IMPLEMENTATIONS

    return backend.Backend("gpu", cupy, cupy.ndarray, cupy.asarray, IMPLEMENTATIONS)
