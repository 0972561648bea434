"""The inverse error function in 32 bits, fast on large arrays: normal draws are made by it.

Giles, "Approximating the erfinv function", GPU Computing Gems 2 (2010): for
w = -log(1 - x*x) below 5 a polynomial in w - 2.5, above one in sqrt(w) - 3. Products and sums
are rounded once, as fused multiply-add instructions do, so that the numbers are those that
compiled code prints.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# the table of single precision coefficients, highest power first
_CENTRAL = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
            -0.00125372503, -0.00417768164, 0.246640727, 1.50140941)  # fmt: skip
_TAIL = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
         -0.0076224613, 0.00943887047, 1.00167406, 2.83297682)  # fmt: skip
_CHUNK = 1 << 13  # elements worked on at a time: their double-precision copies stay in cache


def _polynomial(xp: Any, v: Any, coefficients: tuple[float, ...]) -> Any:
    """Horner's scheme on float32, each multiplication and addition rounded together."""
    wide = v.astype(np.float64)
    rounded = xp.full(v.shape, coefficients[0], np.float32)
    product = xp.empty_like(wide)
    for c in coefficients[1:]:
        xp.multiply(rounded, wide, out=product)
        # added in double precision, rounded as it is stored
        xp.add(product, float(np.float32(c)), out=rounded, casting="same_kind")
    return rounded


def _part(xp: Any, x: Any) -> Any:
    w = -xp.log1p((-x * x).astype(np.float64)).astype(np.float32)
    out = _polynomial(xp, w - np.float32(2.5), _CENTRAL)
    tail = xp.nonzero(w >= 5)[0]
    if tail.shape[0]:
        out[tail] = _polynomial(xp, xp.sqrt(w[tail]) - np.float32(3), _TAIL)
    out *= x
    ends = xp.nonzero(xp.absolute(x) == 1)[0]
    if ends.shape[0]:
        out[ends] = x[ends] * np.float32(np.inf)
    return out


def erf_inv_float32(xp: Any, x: Any) -> Any:
    """``erf_inv`` of a float32 array of any shape."""
    flat = xp.asarray(x).reshape(-1)
    size = flat.shape[0]
    if size <= _CHUNK or not isinstance(flat, np.ndarray):
        return _part(xp, flat).reshape(np.shape(x))
    out = xp.empty(size, np.float32)
    for start in range(0, size, _CHUNK):
        out[start : start + _CHUNK] = _part(xp, flat[start : start + _CHUNK])
    return out.reshape(np.shape(x))
