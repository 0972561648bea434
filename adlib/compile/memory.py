"""Memory of programs: one arena for temporaries, and large buffers kept for the next call.

Fresh memory costs more than the work of most loops, since the system hands it out page by page
at first touch. So large results live in base buffers that a pool keeps: a buffer is free again
when nothing but the pool refers to it.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_left
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

ALIGN = 64
SMALL = 1 << 20  # bytes up to which the allocator's own memory is taken
MOST_KEPT = 1 << 30  # bytes that the pool keeps at most


def arena(intervals: Sequence[tuple[int, int, int]]) -> tuple[list[int], int]:
    """Places in one block for buffers of (size, first step, last step).

    Buffers whose steps overlap do not. Each takes the first gap that is large enough. Returns the
    offsets and the size of the block.
    """
    order = sorted(range(len(intervals)), key=lambda i: intervals[i][1])
    offsets = [0] * len(intervals)
    ending: list[tuple[int, int, int]] = []  # a heap of (last step, offset, size)
    gaps: list[tuple[int, int]] = []  # (offset, size), in order, no two side by side
    total = 0
    for i in order:
        size, first, last = intervals[i]
        size = -(-size // ALIGN) * ALIGN
        while ending and ending[0][0] < first:
            _, offset, length = heappop(ending)
            _free(gaps, offset, length)
        for k, (offset, length) in enumerate(gaps):
            if length >= size:
                gaps[k : k + 1] = [(offset + size, length - size)] if length > size else []
                break
        else:
            at_end = bool(gaps) and sum(gaps[-1]) == total
            offset = gaps.pop()[0] if at_end else total
            total = offset + size
        offsets[i] = offset
        heappush(ending, (last, offset, size))
    return offsets, total


def _free(gaps: list[tuple[int, int]], offset: int, size: int) -> None:
    """Add a gap, joined with those beside it."""
    if not size:
        return
    k = bisect_left(gaps, (offset, 0))
    if k < len(gaps) and gaps[k][0] == offset + size:
        size += gaps.pop(k)[1]
    if k and sum(gaps[k - 1]) == offset:
        k -= 1
        offset, before = gaps.pop(k)
        size += before
    gaps.insert(k, (offset, size))


class Block(np.ndarray[Any, Any]):
    """The memory beneath a large array, which the pool keeps."""


class Pool:
    """Large buffers by size."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self.most = most
        self.kept = 0
        self._buffers: dict[int, list[np.ndarray[Any, Any]]] = {}
        # allocating may collect garbage, whose finalizers may call programs that come here again
        self._lock = threading.RLock()
        probe = [np.empty(0, np.uint8)]
        self._idle = sys.getrefcount(probe[0])  # references to a buffer that only we hold

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> Any:
        """An uninitialised array of ``size`` bytes in all, over memory of an earlier one if any."""
        with self._lock:
            buffers = self._buffers.get(size, ())
            for i in range(len(buffers)):
                if sys.getrefcount(buffers[i]) == self._idle:
                    return np.ndarray(shape, dtype, buffers[i])
        base = Block(size, np.uint8)
        with self._lock:
            if self.kept + size > self.most:
                self._drop_idle()
            if self.kept + size <= self.most:
                self.kept += size
                self._buffers.setdefault(size, []).append(base)
        return np.ndarray(shape, dtype, base)

    def _drop_idle(self) -> None:
        for size, buffers in list(self._buffers.items()):
            busy = [i for i in range(len(buffers)) if sys.getrefcount(buffers[i]) != self._idle]
            self.kept -= size * (len(buffers) - len(busy))
            self._buffers[size] = [buffers[i] for i in busy]

    def clear(self) -> None:
        """Give back the buffers that nobody uses."""
        with self._lock:
            self._drop_idle()


pool = Pool()
