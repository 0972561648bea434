"""``adlib.scipy``: functions of SciPy's, differentiable, under SciPy's names.

Each part is loaded when first asked for.

>>> import adlib
>>> adlib.scipy.special.ndtr(0.0)
Array(0.5, dtype=float32)
"""

import importlib
from typing import Any

_PARTS = (
    "cluster",
    "fft",
    "integrate",
    "interpolate",
    "linalg",
    "ndimage",
    "optimize",
    "signal",
    "sparse",
    "special",
    "stats",
)


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"adlib.scipy.{name}")
    raise AttributeError(f"module 'adlib.scipy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PARTS})
