"""The GPU backend: CuPy, imported when a GPU is first asked for."""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.util
from typing import Any

from adlib.backends.cupy_implementations import IMPLEMENTATIONS
from adlib.base.source import here
from adlib.core import backend
from adlib.core.array import ArrayImpl


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
    return backend.Backend(
        "gpu",
        cupy,
        cupy.ndarray,
        cupy.asarray,
        IMPLEMENTATIONS,
        functools.partial(_explained, cupy.ndarray),
    )


def _explained(ndarray: type, error: Exception, what: str) -> Exception | None:
    """A MemoryError that says what fills the GPU's memory; None for other errors."""
    if type(error).__name__ != "OutOfMemoryError":
        return None
    live = [x for x in gc.get_objects() if type(x) is ArrayImpl and type(x._value) is ndarray]
    live.sort(key=lambda x: x.aval.nbytes, reverse=True)
    total = sum([x.aval.nbytes for x in live])
    largest = ", ".join([f"{x.aval.str_short()} ({_size(x.aval.nbytes)})" for x in live[:5]])
    return MemoryError(
        f"the GPU's memory is full: {what} found no room ({error}).{here()}\n"
        f"  Live are {len(live)} Arrays of {_size(total)} together; the largest: "
        f"{largest or 'none'}.\n"
        "  Repair: del arrays that are no longer needed (Jupyter keeps results in Out and _), "
        "use smaller batches, float32, or adlib.checkpoint, which keeps less for the gradient."
    )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
