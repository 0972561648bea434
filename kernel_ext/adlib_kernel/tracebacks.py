"""Folding in a shell: its ``showtraceback`` is wrapped while the extension is loaded."""

from __future__ import annotations

import sys
from typing import Any

from adlib_kernel.actions import tracebacks

_NAME = "showtraceback"


def install(shell: Any) -> None:
    """Show errors without adlib's own frames, in this shell."""
    original = getattr(shell, _NAME)

    def showtraceback(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        kind, error, traceback = exc_tuple or sys.exc_info()
        if error is None or not tracebacks.wanted():
            return original(exc_tuple, *args, **kwargs)
        with tracebacks.folded(error, traceback) as shown:
            return original((kind, error, shown), *args, **kwargs)

    showtraceback.adlib_original = original  # type: ignore[attr-defined]
    setattr(shell, _NAME, showtraceback)


def remove(shell: Any) -> None:
    """Show errors as the shell did before ``install``."""
    if hasattr(vars(shell).get(_NAME), "adlib_original"):
        delattr(shell, _NAME)
