"""The gamma function's logarithm and the derivative of that, for float32, computed in float64.

Above 8 by Stirling's series, below by moving eight steps up, for negative numbers by reflection.
In float64 nothing is lost of a float32's digits that matters, not even next to the zeros.
"""

from __future__ import annotations

import math

from adlib.compile.builder import FLOAT64, Scalar, select
from adlib.compile.mathfns.formats import polynomial
from adlib.compile.mathfns.logarithms import log

_STEPS = 8
_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
# Bernoulli's numbers B2, B4, …
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_STIRLING = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, 1)]
_SLOPE = [b / (2 * k) for k, b in enumerate(_BERNOULLI, 1)]
# sin(πf)/f and cos(πf) in f²
_SINE = [(-1) ** k * math.pi ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(12)]
_COSINE = [(-1) ** k * math.pi ** (2 * k) / math.factorial(2 * k) for k in range(12)]


def lgamma(x: Scalar) -> Scalar:
    """log|Γ(x)|; infinite at the poles 0, -1, -2, … and at both infinities."""
    wide = x.convert(FLOAT64)
    size = abs(wide)
    small = size < float(_STEPS)
    z = select(small, size + float(_STEPS), size)
    product = size
    for k in range(1, _STEPS):
        product = product * (size + float(k))
    product = select(small, product, 1.0)
    reciprocal = 1.0 / z
    series = reciprocal * polynomial(reciprocal * reciprocal, _STIRLING)
    above = (z - 0.5) * log(z) - z + _HALF_LOG_TAU + series
    # Γ(-y) Γ(y) y sin(πy) = -π
    fraction = size - size.round_even()
    sine = abs(fraction) * polynomial(fraction * fraction, _SINE)
    negative = wide < 0.0
    steps = log(select(negative, product * math.pi / (size * sine), product))
    value = select(negative, steps - above, above - steps)
    value = select((wide == 1.0) | (wide == 2.0), 0.0, value)
    return select(size == math.inf, math.inf, value).convert(x.dtype)


def digamma(x: Scalar) -> Scalar:
    """The derivative of ``lgamma``; NaN at its poles."""
    wide = x.convert(FLOAT64)
    size = abs(wide)
    small = size < float(_STEPS)
    z = select(small, size + float(_STEPS), size)
    top, bottom = wide.constant(1.0), size  # of the sum of 1/(size + k)
    for k in range(1, _STEPS):
        step = size + float(k)
        top, bottom = top * step + bottom, bottom * step
    below = select(small, top / bottom, 0.0)
    reciprocal = 1.0 / z
    square = reciprocal * reciprocal
    value = log(z) - 0.5 * reciprocal - square * polynomial(square, _SLOPE) - below
    # ψ(-y) = ψ(y) + 1/y + π cot(πy)
    fraction = size - size.round_even()
    square = fraction * fraction
    cotangent = polynomial(square, _COSINE) / (fraction * polynomial(square, _SINE))
    reflected = value + 1.0 / size + math.pi * cotangent
    value = select(wide < 0.0, reflected, value)
    pole = (wide <= 0.0) & (fraction == 0.0)
    return select(pole, math.nan, value).convert(x.dtype)


FUNCTIONS = {"lgamma": lgamma, "digamma": digamma}
