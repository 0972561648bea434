"""A progress bar for long series, where tqdm is installed; nothing where it is not."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

_DELAY = 1.0  # seconds; a bar for what is done by then would only flicker


def progress(items: Sequence[Any], title: str) -> Iterator[Any]:
    """The items one by one, with a bar on stderr that shows after a second and goes at the end.

    Args:
      items: what to go through.
      title: what stands before the bar.

    >>> list(progress([1, 2], "counting"))
    [1, 2]
    """
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        yield from items
        return
    with tqdm(items, desc=title, leave=False, delay=_DELAY) as bar:
        yield from bar
