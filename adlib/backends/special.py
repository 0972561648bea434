"""Special functions of the array modules: scipy.special and CuPy's counterpart, on first use."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np


@functools.cache
def special(xp: Any) -> Any:
    """The module of special functions for arrays of ``xp``; importing it takes a while."""
    if xp is np:
        return importlib.import_module("scipy.special")
    return importlib.import_module(f"{xp.__name__}x.scipy.special")
