"""Python's collector of cycles, paused for a while."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_pausing = 0
_was_enabled = False


@contextlib.contextmanager
def paused_collection() -> Iterator[None]:
    """No collection of cycles within the block, in any thread.

    A compiler makes many objects that stay, which the collector would visit again and again: a
    third of the time that a long program takes. What is garbage is found after the block.
    """
    global _pausing, _was_enabled
    with _lock:
        if not _pausing:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pausing += 1
    try:
        yield
    finally:
        with _lock:
            _pausing -= 1
            if not _pausing and _was_enabled:
                gc.enable()
