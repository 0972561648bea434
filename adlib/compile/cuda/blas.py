"""Matrix products by cuBLAS, called by address.

CuPy's own calls allocate their results, and refuse to be part of a CUDA graph. Called by address,
``gemm`` reads operands as they lie, transposed or strided, scales the product and adds it to what
is there, in memory that the program has planned, and can be recorded. Numbers of single precision
are multiplied as such (not as TF32), unless the user's environment says otherwise.
"""

from __future__ import annotations

import ctypes
import math
import threading
from functools import partial
from typing import Any

import numpy as np

from adlib.backends import cupy_
from adlib.compile import dots
from adlib.compile.cuda.orders import Queue
from adlib.compile.steps import Dot
from adlib.core.jaxpr import Eqn

_LETTERS = {"f4": "S", "f8": "D", "c8": "C", "c16": "Z"}
_STRAIGHT, _TRANSPOSED = 0, 1
# Bytes that cuBLAS may compute in, by NVIDIA's advice; without them it allocates on its own.
_WORKSPACE, _LARGE_WORKSPACE = 4 << 20, 32 << 20
_LARGE_FROM = 90  # compute capability


class Failed(RuntimeError):
    """A function of cuBLAS returned an error."""


class Blas:
    """cuBLAS for the arrays of one module: a handle for each thread, room for each stream."""

    def __init__(self, library: Any, xp: Any) -> None:
        self._library = library
        self._xp = xp
        self._threads = threading.local()
        self._room: dict[int, Any] = {}

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function; raises Failed where it says so."""
        status = getattr(self._library, name)(*arguments)
        if status:
            raise Failed(f"{name} of cuBLAS failed with status {status}")

    def handle(self, queue: Queue) -> ctypes.c_void_p:
        """The thread's handle, set to a queue's stream."""
        found: ctypes.c_void_p | None = getattr(self._threads, "handle", None)
        if found is None:
            found = ctypes.c_void_p()
            self.call("cublasCreate_v2", ctypes.byref(found))
            self._threads.handle = found
        room = self._room.get(queue.home)
        if room is None:
            new = int(self._xp.cuda.Device().compute_capability) >= _LARGE_FROM
            room = self._xp.empty(_LARGE_WORKSPACE if new else _WORKSPACE, np.uint8)
            self._room[queue.home] = room
        self.call("cublasSetStream_v2", found, ctypes.c_void_p(queue.stream))
        size = ctypes.c_size_t(room.nbytes)
        self.call("cublasSetWorkspace_v2", found, ctypes.c_void_p(room.data.ptr), size)
        return found


_made: list[tuple[Any, Blas]] = []
_lock = threading.Lock()


def of_module(xp: Any) -> Blas | None:
    """cuBLAS for an array module; None where its library cannot be called by address."""
    with _lock:
        for module, found in _made:
            if module is xp:
                return found
        library = cupy_.cublas(xp)
        if library is None:
            return None
        made = Blas(library, xp)
        _made[:] = [*_made[-1:], (xp, made)]
        return made


def product(blas: Blas, step: Dot) -> Any:
    """A function of (queue, left, right, result), addresses all, that computes a product; the
    result holds what it is added to, where there is such an operand."""
    dims = dots.Dims(step.eqn)
    dtype = step.eqn.outvars[0].aval.dtype
    (_, left), (_, right) = step.operands
    return partial(
        _gemm,
        blas,
        dtype,
        # the result's rows are columns to BLAS: its transpose is the product the other way round
        (dims.columns, dims.rows, dims.inner, dims.batch),
        (right, left),
        _number(dtype, step.scale),
        _number(dtype, 0.0 if step.onto is None else 1.0),
    )


def _number(dtype: np.dtype[Any], value: float) -> Any:
    """A number in memory as cuBLAS reads it, of a product's type."""
    return np.array(value, dtype)


def _gemm(
    blas: Blas,
    dtype: np.dtype[Any],
    sizes: tuple[int, int, int, int],
    operands: tuple[dots.Matrix, dots.Matrix],
    scale: np.ndarray[Any, Any],
    onto: np.ndarray[Any, Any],
    queue: Queue,
    left: int,
    right: int,
    result: int,
) -> None:
    m, n, k, batch = sizes
    first, second = operands
    flags = [_TRANSPOSED if o.flipped else _STRAIGHT for o in operands]
    a = ctypes.c_void_p(right + first.offset * dtype.itemsize)
    b = ctypes.c_void_p(left + second.offset * dtype.itemsize)
    c = ctypes.c_void_p(result)
    alpha, beta = ctypes.c_void_p(scale.ctypes.data), ctypes.c_void_p(onto.ctypes.data)
    letter = _LETTERS[dtype.str[1:]]
    handle = blas.handle(queue)
    if batch == 1:
        blas.call(
            f"cublas{letter}gemm_v2", handle, *flags, m, n, k, alpha, a, first.leading, b,
            second.leading, beta, c, m,
        )  # fmt: skip
        return
    step = ctypes.c_longlong
    blas.call(
        f"cublas{letter}gemmStridedBatched", handle, *flags, m, n, k, alpha, a, first.leading,
        step(first.step), b, second.leading, step(second.step), beta, c, m, step(m * n), batch,
    )  # fmt: skip


def fits(eqn: Eqn) -> bool:
    """Whether cuBLAS counts far enough for a product: its sizes are 32-bit numbers."""
    sizes = [math.prod(v.aval.shape[-2:]) for v in (*eqn.invars, *eqn.outvars)]
    return bool(max([*dots.Dims(eqn).shape, *sizes]) < 2**31)
