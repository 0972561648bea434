"""Progress of long recordings: a hook that a notebook fills with a bar, and nothing otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

_Item = TypeVar("_Item")

Reporter = Callable[[Iterable[Any], int, str], Iterable[Any]]

_reporter: ContextVar[Reporter | None] = ContextVar("adlib_progress", default=None)


@contextmanager
def reporting(reporter: Reporter | None) -> Iterator[None]:
    """While the context is open, recorders hand their long loops to ``reporter``.

    Args:
      reporter: ``reporter(items, total, what)`` gives an iterable of the same items; ``total``
        is how many there are and ``what`` says in a word or two what they are. None switches
        reports off.

    >>> def spoken(items, total, what):
    ...     print(total, what)
    ...     yield from items
    >>> with reporting(spoken):
    ...     done = [k for k in progress([1, 2], "columns")]
    2 columns
    """
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def progress(items: Collection[_Item], what: str) -> Iterable[_Item]:
    """The items, through the reporter where there is one. An interrupt ends the loop as any.

    >>> list(progress([1, 2, 3], "rows"))
    [1, 2, 3]
    """
    reporter = _reporter.get()
    return items if reporter is None else reporter(items, len(items), what)
