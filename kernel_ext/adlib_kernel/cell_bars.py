"""Bars for long recordings in any cell, not only in those that begin with a magic."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

from adlib_kernel.actions.progress import bars


class CellBars:
    """Listens to a shell: bars may show while a cell runs, and are gone when it ends."""

    def __init__(self, shell: Any) -> None:
        self._events = shell.events
        self._open = ExitStack()
        self._events.register("pre_run_cell", self._start)
        self._events.register("post_run_cell", self._stop)

    def remove(self) -> None:
        """Listen no longer."""
        self._events.unregister("pre_run_cell", self._start)
        self._events.unregister("post_run_cell", self._stop)
        self._stop()

    def _start(self, _info: Any = None) -> None:
        self._stop()
        self._open.enter_context(bars())

    def _stop(self, _result: Any = None) -> None:
        # a cell that ran in a context of its own has taken the hook along with it
        with suppress(ValueError):
            self._open.close()
