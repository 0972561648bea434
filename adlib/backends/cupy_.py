"""The GPU backend: CuPy, imported when a GPU is first asked for."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib
import importlib.util
import sys
from typing import Any

from adlib.backends.cupy_implementations import IMPLEMENTATIONS
from adlib.base.config import config
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
        platform="gpu",
        xp=cupy,
        ndarray=cupy.ndarray,
        bring=cupy.asarray,
        implementations=IMPLEMENTATIONS,
        numbers={},
        explained=functools.partial(_explained, cupy.ndarray),
    )


def cublas(cupy: Any) -> Any:
    """The cuBLAS that CuPy uses, for calls by address; None where it cannot be reached so."""
    try:
        importlib.import_module("cupy.cublas")  # loads the library
    except ImportError:
        return None
    major = cupy.cuda.runtime.runtimeGetVersion() // 1000
    for name in (f"libcublas.so.{major}", f"cublas64_{major}.dll"):
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    return None


class Tidy:
    """Keeps what CuPy's pool holds in freed blocks bounded: beyond the bound they go back to the
    card, of which other processes have a part.

    The bound is the flag ``gpu_kept_bytes``; by default, half of the card's memory.
    """

    EVERY = 16  # calls: asking takes microseconds, giving back waits for the card

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self._calls = 0
        self._half = 0

    def __call__(self) -> None:
        self._calls += 1
        if self._calls % self.EVERY:
            return
        pool = self._cupy.get_default_memory_pool()
        most = config.gpu_kept_bytes
        if most is None:
            self._half = self._half or self._cupy.cuda.runtime.memGetInfo()[1] // 2
            most = self._half
        if pool.free_bytes() > most:
            pool.free_all_blocks()


def release() -> None:
    """Give the blocks that nobody uses back to the card, if one is in use."""
    if backend.several:
        backend.get("gpu").xp.get_default_memory_pool().free_all_blocks()


def unshared(array: Any) -> bool:
    """Whether nothing but the Array that holds this array refers to its memory: no view of it,
    and nothing that it was handed to."""
    if sys.getrefcount(array) > 3:  # the Array, the caller's argument, the question
        return False
    if type(array.data.mem).__name__ == "UnownedMemory":  # another library's
        return False
    return sys.getrefcount(array.data) <= 2 and sys.getrefcount(array.data.mem) <= 2


def _explained(ndarray: type, error: Exception, what: str) -> Exception | None:
    """A MemoryError that says what fills the GPU's memory; None for other errors."""
    if type(error).__name__ != "OutOfMemoryError":
        return None
    held = [x for x in gc.get_objects() if type(x) is ArrayImpl and not x.is_deleted()]
    there = {id(x._value): x for x in held if type(x._value) is ndarray}  # Arrays share memory
    live = sorted(there.values(), key=lambda x: x.aval.nbytes, reverse=True)
    total = sum([x.aval.nbytes for x in live])
    largest = ", ".join([f"{x.aval.str_short()} ({_size(x.aval.nbytes)})" for x in live[:5]])
    return MemoryError(
        f"the GPU's memory is full: {what} found no room ({error}).{here()}\n"
        f"  Live are {len(live)} Arrays of {_size(total)} together; the largest: "
        f"{largest or 'none'}.\n"
        "  Repair: del arrays that are no longer needed (Jupyter keeps results in Out and _), "
        "use smaller batches, float32, or adlib.checkpoint, which keeps less for the gradient; "
        "donate arguments that a result replaces: adlib.jit(step, donate_argnums=0)."
    )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
