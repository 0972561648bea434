"""Progress bars for long work, where tqdm is installed; nothing where it is not."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adlib.inspect import reporting

_DELAY = 0.5  # seconds; a bar for what is done by then would only flicker


def progress(items: Sequence[Any], title: str) -> Iterator[Any]:
    """The items one by one, with a bar on stderr that shows after half a second and then goes.

    Args:
      items: what to go through.
      title: what stands before the bar.

    >>> list(progress([1, 2], "counting"))
    [1, 2]
    """
    tqdm = _tqdm()
    if tqdm is None:
        yield from items
        return
    with tqdm(items, desc=title, leave=False, delay=_DELAY) as bar:
        yield from bar


@contextmanager
def bars(title: str = "") -> Iterator[None]:
    """While the context is open, adlib's recorders show bars in their long loops.

    All bars are gone when it ends, however it ends: what interrupts a loop may keep the loop's
    frame alive, in a traceback, and a bar that waits for that frame's end would stay.

    Args:
      title: what stands before each bar, such as a magic's name.
    """
    tqdm = _tqdm()
    if tqdm is None:
        yield
        return
    opened: list[Any] = []

    def reporter(items: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        described = f"{title}: {what}" if title else what
        bar = tqdm(items, total=total, desc=described, leave=False, delay=_DELAY)
        opened.append(bar)
        return bar  # type: ignore[no-any-return]

    with reporting(reporter):
        try:
            yield
        finally:
            for bar in opened:
                bar.close()


def _tqdm() -> Any:
    try:
        return importlib.import_module("tqdm").tqdm
    except ImportError:
        return None
