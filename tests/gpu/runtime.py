"""A stand-in for CuPy's module ``cuda``: memory, streams, graphs and cuBLAS, without a card.

Memory comes from a pool that hands blocks out again as CuPy's does. Work runs at once, unless its
stream is capturing: then it is recorded, and what CUDA refuses while that goes on is refused, and
breaks the recording. A kernel or a copy that is given an address outside of live memory fails.
"""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

UNIT = 512  # bytes that blocks are multiples of


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA runtime, by its name."""


class OutOfMemoryError(MemoryError):
    """CuPy's text."""

    def __init__(self, size: int, total: int, limit: int) -> None:
        super().__init__(
            f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes, "
            f"limit set to: {limit:,} bytes)."
        )


# ------------------------------------------------------------------------------- memory


class Raw(np.ndarray):
    """A piece of the GPU's memory. (NumPy lets an array refer past bases of its own type.)"""


class Block(np.ndarray):
    """Such a piece while somebody has it."""


class Pool:
    """Blocks by size; one that nobody refers to is handed out again, the latest first."""

    def __init__(self, limit: int = 8 * 10**9) -> None:
        self.limit = limit
        self._free: dict[int, list[np.ndarray]] = {}
        self._live: dict[int, int] = {}
        self._starts: list[int] = []
        self._total = self._used = 0
        self._lock = threading.RLock()
        self.made = 0  # blocks that had to be made anew

    def block(self, size: int) -> Block:
        size = max(UNIT, -(-size // UNIT) * UNIT)
        with self._lock:
            waiting = self._free.get(size)
            if waiting:
                raw = waiting.pop()
            else:
                if self._total + size > self.limit:
                    self.free_all_blocks()
                if self._total + size > self.limit:
                    raise OutOfMemoryError(size, self._total, self.limit)
                whole = np.full(size + UNIT, 0xFF, np.uint8)  # NaN: nobody counts on zeros
                start = -whole.ctypes.data % UNIT
                raw = whole[start : start + size].view(Raw)
                self._total += size
                self.made += 1
            block = raw.view(Block)
            self._used += size
            self._live[raw.ctypes.data] = size
            bisect.insort(self._starts, raw.ctypes.data)
            weakref.finalize(block, self._back, raw, size).atexit = False
            return block

    def _back(self, raw: np.ndarray, size: int) -> None:
        with self._lock:
            self._used -= size
            start = raw.ctypes.data
            del self._live[start]
            del self._starts[bisect.bisect_left(self._starts, start)]
            self._free.setdefault(size, []).append(raw)

    def empty(self, shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return np.ndarray(shape, dtype, self.block(size), order="F" if order == "F" else "C")

    def adopted(self, value: np.ndarray) -> np.ndarray:
        """A result of NumPy's in memory of the GPU; views of such memory as they are."""
        if value.base is not None or not value.flags.c_contiguous or value.dtype.hasobject:
            return value
        made = self.empty(value.shape, value.dtype)
        made[...] = value
        return made

    def check(self, address: int, size: int) -> None:
        """AssertionError unless the bytes belong to one live block."""
        if not size:
            return
        with self._lock:
            k = bisect.bisect_right(self._starts, address) - 1
            start = self._starts[k] if k >= 0 else 0
            inside = k >= 0 and address + size <= start + self._live[start]
        assert inside, f"{size} bytes at {address:#x} are not memory of the GPU (any more)"

    def used_bytes(self) -> int:
        return self._used

    def total_bytes(self) -> int:
        return self._total

    def free_bytes(self) -> int:
        return self._total - self._used

    def n_free_blocks(self) -> int:
        return sum(map(len, self._free.values()))

    def free_all_blocks(self, stream: Any = None) -> None:
        with self._lock:
            self._total = self._used
            self._free.clear()

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        self.limit = size or 8 * 10**9

    def get_limit(self) -> int:
        return self.limit


POOL = Pool()


class Memory:
    """What all views of one block share."""

    __slots__ = ("__weakref__", "root")

    def __init__(self, root: np.ndarray) -> None:
        self.root = root


class UnownedMemory(Memory):
    """Memory of another library."""

    __slots__ = ("owner",)

    def __init__(self, root: np.ndarray, owner: Any) -> None:
        super().__init__(root)
        self.owner = owner


class MemoryPointer:
    """A place in memory."""

    __slots__ = ("mem", "ptr")

    def __init__(self, mem: Memory, ptr: int) -> None:
        self.mem = mem
        self.ptr = ptr


_memories: weakref.WeakValueDictionary[int, Memory] = weakref.WeakValueDictionary()


def pointer(held: np.ndarray) -> MemoryPointer:
    """The place of an array's first element."""
    root: Any = held
    while isinstance(root.base, np.ndarray) and not isinstance(root, Block):
        root = root.base
    found = _memories.get(id(root))
    if found is None or found.root is not root:
        found = _memories[id(root)] = Memory(root)
    return MemoryPointer(found, held.ctypes.data)


class Capsule:
    """What ``__dlpack__`` gives; it may be taken once."""

    def __init__(self, held: np.ndarray, version: Any) -> None:
        self.held = held
        self.version = version
        self.taken = False

    def take(self) -> np.ndarray:
        assert not self.taken, "a capsule of DLPack is taken twice"
        self.taken = True
        return self.held


class Piece:
    """Bytes at an address, as a kernel is given them here: with their number."""

    def __init__(self, address: int, size: int) -> None:
        self.address = address
        self.size = size

    @property
    def held(self) -> np.ndarray:
        POOL.check(self.address, self.size)
        return at(self.address, self.size)


def at(address: int, size: int) -> np.ndarray:
    """The bytes at an address."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address)) if size else _NONE


_NONE = np.empty(0, np.uint8)


# ------------------------------------------------------------------------------ streams


class Graph:
    """Recorded work."""

    def __init__(self, works: list[Callable[[], None]]) -> None:
        self.works = works
        self.launches = 0

    def launch(self, stream: Stream | None = None) -> None:
        RUNTIME.count("graph")
        self.launches += 1
        _ = stream or current()
        for work in self.works:
            work()

    def upload(self, stream: Any = None) -> None:
        pass


class Stream:
    """A queue; here its work is done when it is given, unless it is recorded."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        null: bool = False,
        non_blocking: bool = False,
        ptds: bool = False,
        priority: Any = None,
    ) -> None:
        self.ptr = 0 if null else next(Stream._numbers) * 16
        self.non_blocking = non_blocking
        self.captured: list[Callable[[], None]] | None = None
        self.broken = ""
        _streams[self.ptr] = self

    def __enter__(self) -> Stream:
        _stack().append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        _stack().pop()

    def begin_capture(self, mode: Any = None) -> None:
        if not self.ptr or not self.non_blocking:
            raise CUDARuntimeError("cudaErrorStreamCaptureImplicit: the stream is not non-blocking")
        if self.captured is not None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is capturing already")
        self.captured, self.broken = [], ""

    def end_capture(self) -> Graph:
        captured, self.captured = self.captured, None
        if captured is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is not capturing")
        if self.broken:
            raise CUDARuntimeError(f"cudaErrorStreamCaptureInvalidated: {self.broken}")
        RUNTIME.count("captured", len(captured))
        return Graph(captured)

    def is_capturing(self) -> bool:
        return self.captured is not None

    def refuse(self, what: str) -> None:
        """What may not happen while a graph is recorded."""
        if self.captured is not None:
            self.broken = what
            raise CUDARuntimeError(f"cudaErrorStreamCaptureUnsupported: {what}")

    def give(self, kind: str, work: Callable[[], None]) -> None:
        """Do something, or record it."""
        if self.captured is not None:
            self.captured.append(work)
        else:
            RUNTIME.count(kind)
            work()

    def synchronize(self) -> None:
        self.refuse("the host waits")
        RUNTIME.count("wait")

    def record(self, event: Any = None) -> Any:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Any) -> None:
        RUNTIME.count("wait_event")


_streams: dict[int, Stream] = {}
_null = Stream(null=True)
_local = threading.local()


def _stack() -> list[Stream]:
    if not hasattr(_local, "stack"):
        _local.stack = [_null]
    return _local.stack


def current() -> Stream:
    return _stack()[-1]


def refuse(what: str) -> None:
    """What the current stream may not do while it is capturing."""
    current().refuse(what)


class Event:
    """A mark in the stream; here everything before it is done when it is recorded."""

    at: float

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: Any = 0):
        pass

    def record(self, stream: Any = None) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        refuse("the host waits for an event")


class Device:
    compute_capability = "90"

    def __init__(self, number: int = 0) -> None:
        self.id = number

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *error: Any) -> None:
        pass


# ------------------------------------------------------------------------------ runtime


class Runtime:
    """The functions of ``cupy.cuda.runtime``, and how often things happened."""

    memcpyDeviceToDevice = 3  # noqa: N815

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, kind: str, by: int = 1) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + by

    def note(self, kind: str, value: Any) -> None:
        self.counts[f"{kind} {value}"] = self.counts.get(f"{kind} {value}", 0) + 1

    getDeviceCount = staticmethod(lambda: 1)  # noqa: N815
    driverGetVersion = staticmethod(lambda: 12040)  # noqa: N815
    runtimeGetVersion = staticmethod(lambda: 12020)  # noqa: N815
    memGetInfo = staticmethod(lambda: (6 * 10**9, 8 * 10**9))  # noqa: N815

    @staticmethod
    def getDeviceProperties(number: int) -> dict[str, Any]:  # noqa: N802
        return {"name": b"Stand-in 1000", "totalGlobalMem": 8 * 10**9}

    def memcpyAsync(self, dst: int, src: int, size: int, kind: int, stream: int) -> None:  # noqa: N802
        assert kind == self.memcpyDeviceToDevice
        taker = _streams[stream]

        def work() -> None:
            POOL.check(dst, size)
            POOL.check(src, size)
            ctypes.memmove(dst, src, size)

        taker.give("copy", work)


RUNTIME = Runtime()


@contextlib.contextmanager
def counted() -> Iterator[dict[str, int]]:
    """What happens within the block, by kind: kernel, product, copy, graph, wait, bytes."""
    before, RUNTIME.counts = RUNTIME.counts, {}
    try:
        yield RUNTIME.counts
    finally:
        RUNTIME.counts = before


class RawModule:
    """Kernels that go through the current stream."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def get_function(self, name: str) -> Any:
        inner = self.module.get_function(name)

        def launch(grid: Any, block: Any, arguments: Any, *, shared_mem: int = 0) -> None:
            given = tuple(arguments)
            current().give("kernel", lambda: inner(grid, block, given))

        return launch


def cuda() -> SimpleNamespace:
    """The module ``cupy.cuda``."""
    return SimpleNamespace(
        Device=Device,
        Event=Event,
        Graph=Graph,
        Stream=Stream,
        get_current_stream=current,
        get_elapsed_time=lambda start, end: 1000 * (end.at - start.at),
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        runtime=RUNTIME,
    )


# ------------------------------------------------------------------------------- cuBLAS


class Cublas:
    """The functions of cuBLAS that take addresses, by NVIDIA's description of them: matrices are
    columns first, one every ``ld`` elements. A status other than 0 is an error."""

    _INVALID = 7
    _TYPES = {"S": np.float32, "D": np.float64, "C": np.complex64, "Z": np.complex128}

    def __init__(self) -> None:
        self._streams: dict[int, Stream] = {}
        self._room: dict[int, int] = {}

    def cublasCreate_v2(self, handle: Any) -> int:  # noqa: N802
        handle._obj.value = 1 + len(self._streams)
        self._streams[handle._obj.value] = _null
        return 0

    def cublasSetStream_v2(self, handle: Any, stream: Any) -> int:  # noqa: N802
        self._streams[handle.value] = _streams[stream.value or 0]
        self._room.pop(handle.value, None)  # the handle has its own room again
        return 0

    def cublasSetWorkspace_v2(self, handle: Any, room: Any, size: Any) -> int:  # noqa: N802
        POOL.check(room.value, size.value)
        self._room[handle.value] = size.value
        return 0

    def __getattr__(self, name: str) -> Any:
        for letter, dtype in self._TYPES.items():
            if name == f"cublas{letter}gemm_v2":
                return lambda *given: self._gemm(dtype, *_strided(given))
            if name == f"cublas{letter}gemmStridedBatched":
                return lambda *given: self._gemm(dtype, *given)
        raise AttributeError(name)

    def _gemm(
        self, type_: Any, handle: Any, flip_a: int, flip_b: int, m: int, n: int, k: int, alpha: Any,
        a: Any, lda: int, step_a: Any, b: Any, ldb: int, step_b: Any, beta: Any, c: Any, ldc: int,
        step_c: Any, batch: int,
    ) -> int:  # fmt: skip
        dtype = np.dtype(type_)
        rows = (k if flip_a else m, n if flip_b else k, m)
        if any(ld < max(1, r) for ld, r in zip((lda, ldb, ldc), rows, strict=True)):
            return self._INVALID
        stream = self._streams[handle.value]
        if handle.value not in self._room:
            return self._INVALID  # it would allocate, which a graph must not
        scale, onto = (at(x.value, dtype.itemsize).view(dtype)[0] for x in (alpha, beta))
        places = [(x.value or 0) for x in (a, b, c)]
        steps = [x.value for x in (step_a, step_b, step_c)]

        def matrix(which: int, i: int, lines: int, ld: int, width: int) -> np.ndarray:
            address = places[which] + i * steps[which] * dtype.itemsize
            size = ((lines - 1) * ld + width) * dtype.itemsize
            POOL.check(address, size)
            flat = at(address, size).view(dtype)
            strides = (ld * dtype.itemsize, dtype.itemsize)
            return np.lib.stride_tricks.as_strided(flat, (lines, width), strides)

        def work() -> None:
            for i in range(batch):
                left = matrix(0, i, m if flip_a else k, lda, rows[0])
                right = matrix(1, i, k if flip_b else n, ldb, rows[1])
                product = (left if flip_a else left.T) @ (right if flip_b else right.T)
                target = matrix(2, i, n, ldc, m)
                added = onto * target.T if onto else 0
                target[...] = (scale * product + added).T

        stream.give("product", work)
        return 0


def _strided(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """One product as a batch of one."""
    handle, fa, fb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc = given
    none = ctypes.c_longlong(0)
    return handle, fa, fb, m, n, k, alpha, a, lda, none, b, ldb, none, beta, c, ldc, none, 1


CUBLAS = Cublas()
