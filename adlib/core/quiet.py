"""Floating-point warnings off while our kernels run, and as the user had them outside.

``np.errstate`` does this in a microsecond; setting the context variable beneath it takes a
tenth of that, and every eager operation pays for it. NumPy releases where that variable
is not to be found fall back to ``np.errstate``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

enter: Callable[[], Any]
leave: Callable[[Any], None]

try:
    from numpy._core.umath import _extobj_contextvar, _make_extobj

    _ignore_all = _make_extobj(all="ignore")

    def enter() -> Any:
        """Switch warnings off; the returned token undoes it."""
        return _extobj_contextvar.set(_ignore_all)

    leave = _extobj_contextvar.reset

except ImportError:  # a NumPy that keeps its error state elsewhere

    def enter() -> Any:
        state = np.errstate(all="ignore")
        state.__enter__()
        return state

    def leave(token: Any) -> None:
        token.__exit__(None, None, None)
