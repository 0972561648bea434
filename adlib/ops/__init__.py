"""First-order primitives by family; each is defined in one place with all its rules.

To users it offers ``segment_sum`` and its relatives.
"""

import importlib
from typing import Any

_SEGMENTS = ("segment_max", "segment_min", "segment_prod", "segment_sum")


def __getattr__(name: str) -> Any:
    if name in _SEGMENTS:
        return getattr(importlib.import_module("adlib.ops.segments"), name)
    raise AttributeError(f"module 'adlib.ops' has no attribute {name!r}")
