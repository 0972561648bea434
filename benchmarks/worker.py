"""A library's own process: builds thunks, runs them, and reports over a pipe.

The parent sends ``(command, *arguments)`` pickled on stdin and reads ``("ok", value)`` or
``("error", traceback text)``. Commands are the methods of :class:`Worker` without underscore.
"""

from __future__ import annotations

import cProfile
import gc
import io
import os
import pickle
import pstats
import sys
import time
import traceback
import tracemalloc
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from .case import Case
from .libraries import LIBRARIES, Library

WARM_UP_SECONDS = 0.3
WARM_UP_CALLS = 3
# The processor's clock counts all threads of the process, and none of the time in which the
# process waited for a core that others held.
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Worker:
    """Holds one loaded library and the thunks prepared in it."""

    def __init__(self, library: Library, cases: Mapping[str, Case], threads: int):
        self._library = library
        self._cases = cases
        self._module = library.load(threads)
        self._thunks: dict[tuple[str, int], Any] = {}
        self._limits: dict[int, Any] = {}

    def version(self) -> str:
        return str(getattr(self._module, "__version__", "unknown"))

    def _build(self, name: str, form: int, warm: bool = False) -> Any:
        case = self._cases[name]
        self._library.keep_64_bits(self._module, case.x64)
        inputs = self._library.arrays(self._module, case.make_inputs(warm))
        return case.forms[self._library.name][form](self._module, *inputs)

    def _call(self, thunk: Any) -> Any:
        return self._library.ready(self._module, thunk())

    def prepare(self, name: str, form: int) -> dict[str, Any]:
        """Build and warm up a form; its result as NumPy arrays and the seconds of a warm call."""
        thunk = self._build(name, form)
        result = [leaf.copy() for leaf in self._library.numpy_leaves(self._call(thunk))]
        calls, start, seconds = 0, time.perf_counter(), float("inf")
        while calls < WARM_UP_CALLS or time.perf_counter() - start < WARM_UP_SECONDS:
            last = time.perf_counter()
            self._call(thunk)
            calls += 1
            # the fastest one: on a busy machine any single call may have been interrupted
            seconds = min(seconds, time.perf_counter() - last)
        self._thunks[name, form] = thunk
        # Each library pays for the garbage that it makes from here on, not for its modules.
        gc.collect()
        gc.freeze()
        return {"result": result, "seconds": seconds}

    def time(self, name: str, form: int, calls: int, clock: str = "wall") -> float:
        """Mean seconds of one call over a batch, each call waited for, or only the last one where
        the case says so; on one of CLOCKS."""
        thunk, ready, module = self._thunks[name, form], self._library.ready, self._module
        now = CLOCKS[clock]
        start = now()
        if self._cases[name].queued:
            for _ in range(calls):
                result = thunk()
            ready(module, result)
            return (now() - start) / calls
        for _ in range(calls):
            ready(module, thunk())
        return (now() - start) / calls

    def first(self, name: str, form: int, clock: str = "wall") -> tuple[float, float]:
        """Seconds of the first call of a form that nothing is known of: trace, compile, run; and
        of the second call, which only runs.

        Compiled programs, traces and rules' programs that earlier calls left are forgotten, but
        for what lies in a cache on disk.
        """
        thunk = self._build(name, form)
        self._library.forget(self._module)
        gc.collect()
        now = CLOCKS[clock]
        start = now()
        self._call(thunk)
        called = now()
        self._call(thunk)
        return called - start, now() - called

    def start_compiler(self) -> None:
        """Import and set up what the first compilation of a process needs."""
        ones = self._module.numpy.ones
        self._call(lambda: self._module.jit(lambda x: x + 1)(ones(3)))

    def limits(self, itemsize: int, clock: str = "wall") -> dict[str, float]:
        """What the machine does in this moment: bytes per second read and written by a copy of
        arrays in memory, operations per second of a matrix product with numbers of this size."""
        if self._library.limits is not None:
            return self._library.limits(self._module, itemsize)
        if not self._limits:
            self._limits = {size: _limit_arrays(size) for size in (4, 8)}
        (source, target), (a, b, c) = self._limits[itemsize]
        now = CLOCKS[clock]
        start = now()
        np.copyto(target, source)
        copied = now()
        np.matmul(a, b, out=c)
        end = now()
        return {
            "bytes": 2 * source.nbytes / (copied - start),
            "flops": 2 * len(a) ** 3 / (end - copied),
        }

    def release(self) -> None:
        """Forget all prepared thunks and their arrays."""
        self._thunks.clear()
        gc.unfreeze()
        gc.collect()

    def profile(self, name: str, form: int, calls: int, lines: int) -> str:
        """cProfile of a number of calls: the functions with the most time of their own."""
        thunk = self._thunks[name, form]
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(calls):
            self._call(thunk)
        profiler.disable()
        text = io.StringIO()
        pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(lines)
        return text.getvalue()

    def peak_memory(self, name: str, form: int, traced: bool) -> dict[str, Any]:
        """Bytes by which one call raises the process's peak over what it held before.

        Counted from resident memory after a warm-up on small inputs and with the real inputs in
        place, so inputs are not counted and results are. ``traced`` counts NumPy's allocations
        with tracemalloc instead: free of the allocator's and the kernel's habits, but blind to
        what is allocated outside NumPy and Python.
        """
        self._call(self._build(name, form, warm=True))
        thunk = self._build(name, form)
        gc.collect()
        if traced:
            tracemalloc.start()
            result = self._call(thunk)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        else:
            before = _status_bytes("VmRSS")
            _reset_peak()
            result = self._call(thunk)
            peak = _status_bytes("VmHWM") - before
        sums = [leaf.sum(dtype="float64") for leaf in self._library.numpy_leaves(result)]
        return {"bytes": int(peak), "sums": sums}


def _limit_arrays(itemsize: int) -> tuple[Any, Any]:
    """Arrays to copy, larger than any cache, and to multiply; in memory that is mapped."""
    dtype = f"f{itemsize}"
    large = [np.ones(2**28 // itemsize, dtype) for _ in range(2)]
    return large, [np.full((1000, 1000), 0.01, dtype) for _ in range(3)]


def _status_bytes(field: str) -> int:
    """A field of /proc/self/status, which counts in KiB."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no field {field}: peak memory is measured on Linux only")


def _reset_peak() -> None:
    """Make VmHWM start again from what is resident now."""
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")


def serve(worker: Worker, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until the parent closes the pipe."""
    while True:
        try:
            command, *arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            reply = ("ok", getattr(worker, command)(*arguments))
        except Exception:
            reply = ("error", traceback.format_exc())
        pickle.dump(reply, replies)
        replies.flush()


def protocol_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Stdin and stdout for the protocol; what a library prints goes to stderr instead."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, replies


def main() -> None:
    requests, replies = protocol_pipes()
    name, threads, *device = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
    try:
        if device and device[0].startswith("gpu"):
            from . import gpu_libraries
            from .cases import gpu

            small = device[0] == "gpu-small"
            CASES = gpu.SMALL_CASES if small else gpu.CASES
            libraries = gpu_libraries.GPU_LIBRARIES
            gpu_libraries.measured_small[0] = small
        else:
            from .cases import CASES

            libraries = LIBRARIES
        worker = Worker(libraries[name], CASES, threads)
    except Exception:
        pickle.dump(("error", traceback.format_exc()), replies)
        replies.flush()
        return
    pickle.dump(("ok", worker.version()), replies)
    replies.flush()
    serve(worker, requests, replies)


if __name__ == "__main__":
    main()
