"""CUDA graphs: work that is recorded once, and started by one call from then on.

A graph holds addresses. Those of arguments and results differ from call to call, but in a program
that runs in a loop they come again after few calls, since CuPy's pool hands the same blocks out
for the same sizes. So a graph belongs to one set of addresses: the first call with a set launches
kernel by kernel, the second one records, and later ones are a look-up and one launch. Sets that
never come again are never recorded. No copies are made, kernels get their pointers as parameters,
libraries' calls take part like kernels, and two calls in flight share nothing but what the stream
keeps in order.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from adlib.compile.cuda.orders import Order, Queue

MOST_KEPT = 8  # graphs of one stretch of work
_MOST_SEEN = 64  # sets of addresses that are remembered as met once
_MOST_RECORDED = 8 * MOST_KEPT  # recordings of one stretch: each costs a few calls' time
WORTH = 2  # orders from which on one launch takes less time than all


class _Recorder:
    """The stream that records, one program at a time: it runs nothing."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.warned = False
        self._streams: list[tuple[Any, Any]] = []

    def stream(self, xp: Any) -> Any:
        for module, stream in self._streams:
            if module is xp:
                return stream
        made = xp.cuda.Stream(non_blocking=True)
        self._streams[:] = [(xp, made)]
        return made

    def forget(self) -> None:
        """Leave a stream whose recording failed."""
        self._streams.clear()


_recorder = _Recorder()


class Graphs:
    """The graphs of one list of orders.

    Attributes:
      kept: graphs by stream and addresses, in order of recording.
      recorded: how many were recorded in all; ``failed``: none can be.
    """

    def __init__(
        self, orders: Sequence[Order], xp: Any, prepare: Callable[[Queue], Any] | None = None
    ) -> None:
        self.orders = orders
        self._prepare = prepare  # makes what must not be made while a stream records
        self.kept: dict[tuple[int, ...], Any] = {}
        self.recorded = 0
        self.failed = False
        self._seen: dict[tuple[int, ...], None] = {}
        self._xp = xp

    def run(self, addresses: list[int]) -> None:
        """Carry the orders out, for arrays at these addresses (with a 0 behind them)."""
        stream = self._xp.cuda.get_current_stream()
        key = (stream.ptr, *addresses)
        graph = self.kept.get(key)
        if graph is None and self._comes_again(key):
            graph = self._record(key, addresses, stream)
        if graph is None:
            issue(self.orders, addresses, Queue(stream.ptr, stream.ptr))
        else:
            graph.launch(stream)

    def _comes_again(self, key: tuple[int, ...]) -> bool:
        """Whether a set of addresses is met for the second time, and may be recorded."""
        if self.failed or self.recorded >= _MOST_RECORDED:
            return False
        if key in self._seen:
            return True
        if len(self._seen) >= _MOST_SEEN:
            self._seen.pop(next(iter(self._seen)), None)
        self._seen[key] = None
        return False

    def _record(self, key: tuple[int, ...], addresses: list[int], home: Any) -> Any:
        with _recorder.lock:
            try:
                graph = self._captured(addresses, home)
            except Exception as error:
                _recorder.forget()
                self.failed = True
                _warn(len(self.orders), error)
                return None
            self.recorded += 1
            if len(self.kept) >= MOST_KEPT:
                self.kept.pop(next(iter(self.kept)), None)
            self.kept[key] = graph
            return graph

    def _captured(self, addresses: list[int], home: Any) -> Any:
        stream = _recorder.stream(self._xp)
        if self._prepare is not None:
            self._prepare(Queue(home.ptr, home.ptr))
        with stream:
            stream.begin_capture()
            try:
                issue(self.orders, addresses, Queue(stream.ptr, home.ptr))
            except BaseException:
                with contextlib.suppress(Exception):  # what broke the recording is said
                    stream.end_capture()
                raise
            return stream.end_capture()


def issue(orders: Sequence[Order], addresses: Sequence[int], queue: Queue) -> None:
    """Give all orders, one after the other."""
    for order in orders:
        order.issue(addresses, queue)


def _warn(count: int, error: Exception) -> None:
    """Say once for a process that a program is not recorded."""
    if _recorder.warned:
        return
    _recorder.warned = True
    warnings.warn(
        f"A program could not be recorded as a CUDA graph ({type(error).__name__}: {error}). "
        f"Its {count} kernels and library calls are launched one by one, with the same results, "
        "which takes longer where they are short. Please report it with this message; "
        'adlib.config.update("jit_cuda_graphs", False) records no program.',
        RuntimeWarning,
        stacklevel=2,
    )
