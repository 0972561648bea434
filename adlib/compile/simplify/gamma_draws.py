"""Gamma draws written out: Marsaglia and Tsang's rejection sampler as loops over all elements.

Keys, digits and the order of decisions are those of ops/random_gamma.py, where the source is named:
a program draws the numbers of its eager run. Each round asks every element that has not been
accepted yet, until none is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.control.while_loop import while_loop
from adlib.ops.arithmetic import add, div, eq, ge, gt, log, mul, sub
from adlib.ops.bitwise import bitwise_and, bitwise_not, bitwise_or, shift_right_logical
from adlib.ops.conversion import bitcast_convert_type, convert
from adlib.ops.elementary import log1p, pow_p, sqrt
from adlib.ops.random_bits import random_bits, random_split
from adlib.ops.reductions import reduce_or
from adlib.ops.reshaping import broadcast_to, full_like, reshape
from adlib.ops.selection import max as max_
from adlib.ops.selection import select
from adlib.ops.special import erf_inv_p
from adlib.ops.structural import slice_in_dim


class _Numbers:
    """Arithmetic in one type, with results that have the digits of another.

    Attributes:
      dtype: in which is computed: single or double precision.
      drawn: of the result.
    """

    def __init__(self, drawn: Any) -> None:
        self.drawn = drawn
        self.dtype = np.dtype(np.float64 if drawn.itemsize == 8 else np.float32)

    def like(self, x: Any, number: Any) -> Any:
        return broadcast_to(full_like(x, number), x.aval.shape)

    def rounded(self, x: Any) -> Any:
        return x if self.dtype == self.drawn else convert(convert(x, self.drawn), self.dtype)

    def unit(self, keys: Any) -> Any:
        """One uniform number in [0, 1) for each key."""
        if self.drawn.itemsize == 2:
            width, digits = (16, 10) if self.drawn.kind == "f" else (8, 7)
            words = convert(random_bits(keys, width, ()), np.dtype(np.uint32))
            kept = convert(_shifted(words, width - digits), self.dtype)
            return mul(kept, self.like(kept, 2.0**-digits))
        if self.dtype.itemsize == 8:
            words, one = _shifted(random_bits(keys, 64, ()), 12), 0x3FF << 52
        else:
            words, one = _shifted(random_bits(keys, 32, ()), 9), 0x3F800000
        words = bitwise_or(words, self.like(words, one))
        number = bitcast_convert_type(words, self.dtype)
        return sub(number, self.like(number, 1))

    def normal(self, keys: Any) -> Any:
        low = self.dtype.type(np.nextafter(self.drawn.type(-1), self.drawn.type(0)))
        width = self.dtype.type(self.drawn.type(self.dtype.type(1) - low))
        u = self.unit(keys)
        u = self.rounded(mul(u, self.like(u, width)))
        u = max_(self.like(u, low), self.rounded(add(u, self.like(u, low))))
        return self.rounded(mul(self.like(u, math.sqrt(2)), erf_inv_p.bind(u)))


def _shifted(words: Any, by: int) -> Any:
    return shift_right_logical(words, broadcast_to(full_like(words, by), words.aval.shape))


def _any(x: Any) -> Any:
    return reduce_or(x, tuple(range(x.aval.ndim)))


def _split(keys: Any, count: int) -> list[Any]:
    """``count`` keys for each."""
    rows = random_split(keys, (count,))
    n = keys.aval.shape[0]
    return [reshape(slice_in_dim(rows, k, k + 1, 1, 1), (n,)) for k in range(count)]


def _cube_roots(num: _Numbers, keys: Any, c: Any, wanted: Any) -> tuple[Any, Any]:
    """(x, 1 + c x) with x normal, drawn again until the second is positive."""

    def going(carry: Any) -> Any:
        return _any(carry[3])

    def body(carry: Any) -> Any:
        keys, x, v, left = carry
        following, drawn = _split(keys, 2)
        normal = num.normal(drawn)
        root = num.rounded(add(num.like(c, 1), mul(normal, c)))
        x, v = select(left, normal, x), select(left, root, v)
        again = bitwise_and(left, bitwise_not(gt(root, num.like(root, 0))))
        return following, x, v, again

    _, x, v, _ = while_loop(going, body, (keys, num.like(c, 0), num.like(c, -1), wanted))
    return x, v


def _accepted_cubes(num: _Numbers, keys: Any, d: Any, c: Any, valid: Any) -> Any:
    """V such that d V is a gamma draw with parameter d + 1/3 (the paper's figure)."""
    one, half = num.like(d, 1), num.like(d, 0.5)

    def going(carry: Any) -> Any:
        return _any(carry[2])

    def body(carry: Any) -> Any:
        keys, result, left = carry
        following, second, third = _split(keys, 3)
        x, v = _cube_roots(num, second, c, left)
        square, cube = num.rounded(mul(x, x)), num.rounded(mul(mul(v, v), v))
        u = num.unit(third)
        bound = sub(one, mul(num.like(d, 0.0331), mul(square, square)))
        height = add(mul(square, half), mul(d, add(sub(one, cube), log(cube))))
        rejected = bitwise_and(ge(u, bound), ge(log(u), height))
        result = select(left, cube, result)
        return following, result, bitwise_and(left, rejected)

    return while_loop(going, body, (keys, num.like(d, np.nan), valid))[1]


def _random_gamma(keys: Any, alpha: Any, *, log_space: bool) -> Sequence[Any]:
    num = _Numbers(alpha.aval.dtype)
    shape = alpha.aval.shape
    each = math.prod(shape[keys.aval.ndim :])
    own = reshape(random_split(keys, (each,)), (math.prod(shape),))
    a = convert(reshape(alpha, (math.prod(shape),)), num.dtype)
    one = num.like(a, 1)
    large = ge(a, one)
    # a draw for a < 1 is one for a + 1 times u ** (1/a)
    third = num.like(a, 1 / 3)
    d = num.rounded(sub(select(large, a, add(a, one)), third))
    first, second = _split(own, 2)
    # parameters that are NaN or negative would never be accepted
    valid = gt(d, num.like(d, 0))
    c = num.rounded(div(third, sqrt(select(valid, d, one))))
    cubes = _accepted_cubes(num, first, d, c, valid)
    u = num.unit(second)
    if log_space:
        logarithm = log1p(sub(num.like(u, 0), u))
        none = bitwise_or(large, eq(logarithm, num.like(u, 0)))
        boost = select(none, num.like(u, 0), mul(logarithm, div(one, a)))
        out = add(add(log(d), log(cubes)), boost)
    else:
        power = pow_p.bind(sub(one, u), div(one, a))
        out = mul(mul(d, cubes), select(large, one, power))
    return [reshape(convert(out, alpha.aval.dtype), shape)]


FUNCTIONS = {"random_gamma": _random_gamma}
