"""Memory of programs: one arena for temporaries, and large buffers kept for the next call.

Fresh memory costs more than the work of most loops, since the system hands it out page by page
at first touch. So large results live in base buffers that a pool keeps: a buffer is free again
when nothing but the pool refers to it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

ALIGN = 64
SMALL = 1 << 20  # bytes up to which the allocator's own memory is taken
MOST_KEPT = 1 << 30  # bytes that the pool keeps at most


def arena(intervals: Sequence[tuple[int, int, int]]) -> tuple[list[int], int]:
    """Places in one block for buffers of (size, first step, last step).

    Buffers whose steps overlap do not. Returns the offsets and the size of the block.
    """
    order = sorted(range(len(intervals)), key=lambda i: intervals[i][1])
    offsets = [0] * len(intervals)
    placed: list[tuple[int, int, int]] = []  # (offset, end, last step), by offset
    total = 0
    for i in order:
        size, first, last = intervals[i]
        size = -(-size // ALIGN) * ALIGN
        placed = [p for p in placed if p[2] >= first]
        at = 0
        for offset, end, _ in placed:
            if at + size <= offset:
                break
            at = max(at, end)
        offsets[i] = at
        placed.append((at, at + size, last))
        placed.sort()
        total = max(total, at + size)
    return offsets, total


class Pool:
    """Large buffers by size."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self.most = most
        self.kept = 0
        self._buffers: dict[int, list[np.ndarray[Any, Any]]] = {}
        self._lock = threading.Lock()
        probe = [np.empty(0, np.uint8)]
        self._idle = sys.getrefcount(probe[0])  # references to a buffer that only we hold

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> Any:
        """An uninitialised array of ``size`` bytes in all, over memory of an earlier one if any."""
        with self._lock:
            buffers = self._buffers.get(size)
            if buffers is None:
                buffers = self._buffers[size] = []
            for i in range(len(buffers)):
                if sys.getrefcount(buffers[i]) == self._idle:
                    return np.ndarray(shape, dtype, buffers[i])
            base = np.empty(size, np.uint8)
            if self.kept + size > self.most:
                self._drop_idle()
            if self.kept + size <= self.most:
                self.kept += size
                buffers.append(base)
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
