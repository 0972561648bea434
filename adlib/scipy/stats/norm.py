"""``adlib.scipy.stats.norm``: the normal distribution."""

from __future__ import annotations

import math

from adlib.scipy import special
from adlib.scipy.stats._families import publish

_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)

_standard = {
    "logpdf": lambda z: -(z**2) / 2 - _LOG_ROOT_TWO_PI,
    "cdf": special.ndtr,
    "logcdf": special.log_ndtr,
    "sf": lambda z: special.ndtr(-z),
    "logsf": lambda z: special.log_ndtr(-z),
    "ppf": special.ndtri,
    "isf": lambda q: -special.ndtri(q),
}

_examples = {
    "cdf": ("0.5", "Array(0.69146, dtype=float32)"),
    "isf": ("0.25", "Array(0.67449, dtype=float32)"),
    "logcdf": ("0.5", "Array(-0.36895, dtype=float32)"),
    "logpdf": ("0.5", "Array(-1.04394, dtype=float32, weak_type=True)"),
    "logsf": ("0.5", "Array(-1.17591, dtype=float32)"),
    "pdf": ("0.5", "Array(0.35207, dtype=float32, weak_type=True)"),
    "ppf": ("0.25", "Array(-0.67449, dtype=float32)"),
    "sf": ("0.5", "Array(0.30854, dtype=float32)"),
}

publish(globals(), "the normal distribution", "", _standard, _examples)
