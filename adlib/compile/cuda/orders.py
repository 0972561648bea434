"""Orders: what a program tells the GPU to do, as a flat list of work on addresses.

An order names memory by places: the number of one of the arrays that a call has, and bytes from
where that array begins. So the list is written once, and carried out at each call with that
call's addresses, at once or while a CUDA graph is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

FIXED = -1  # the number of no array: the offset of a place is an address, which never changes


class Place(NamedTuple):
    """Memory that a call knows: ``size`` bytes, ``offset`` bytes into its array ``array``."""

    array: int
    offset: int
    size: int

    def part(self, offset: int, size: int) -> Place:
        """The place of ``size`` bytes that begins ``offset`` bytes further on."""
        return Place(self.array, self.offset + offset, size)


class Queue(NamedTuple):
    """Where orders go.

    Attributes:
      stream: handle of the stream that takes them.
      home: handle of the stream in which they will run: another one while a graph is recorded.
    """

    stream: int
    home: int


class Order(Protocol):
    """One thing to do. ``addresses`` are those of a call's arrays, with a 0 behind them, so that
    the last one stands for ``FIXED``."""

    def issue(self, addresses: Sequence[int], queue: Queue) -> None: ...


class Start:
    """Start a kernel; CuPy sends it to the current stream."""

    __slots__ = ("blocks", "function", "places", "shared", "threads")

    def __init__(
        self, function: Any, blocks: int, threads: int, places: Sequence[Place], shared: int = 0
    ) -> None:
        self.function = function
        self.blocks = (blocks,)
        self.threads = (threads,)
        self.places = [(p.array, p.offset) for p in places]
        self.shared = shared

    def issue(self, addresses: Sequence[int], queue: Queue) -> None:
        arguments = tuple([addresses[array] + offset for array, offset in self.places])
        if self.shared:
            self.function(self.blocks, self.threads, arguments, shared_mem=self.shared)
        else:
            self.function(self.blocks, self.threads, arguments)


class Copy:
    """Copy bytes from one place on the GPU to another."""

    __slots__ = ("copy", "size", "source", "target")

    KIND = 3  # from device memory to device memory

    def __init__(
        self, copy: Callable[[int, int, int, int, int], Any], target: Place, source: Place
    ) -> None:
        self.copy = copy
        self.target = target
        self.source = source
        self.size = target.size

    def issue(self, addresses: Sequence[int], queue: Queue) -> None:
        target = addresses[self.target.array] + self.target.offset
        source = addresses[self.source.array] + self.source.offset
        if target != source and self.size:
            self.copy(target, source, self.size, self.KIND, queue.stream)


class Call:
    """Call a library's function with the addresses of its operands and the queue."""

    __slots__ = ("function", "places")

    def __init__(self, function: Callable[..., None], places: Sequence[Place]) -> None:
        self.function = function
        self.places = [(p.array, p.offset) for p in places]

    def issue(self, addresses: Sequence[int], queue: Queue) -> None:
        self.function(queue, *[addresses[array] + offset for array, offset in self.places])
