"""Derivatives of Hurwitz's zeta function in its first argument, of any order.

By the Euler and Maclaurin formula (NIST's Digital Library of Mathematical Functions, 25.11.7),
each of whose terms is differentiated in closed form.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adlib.core.primitive import Sample
from adlib.ops.arithmetic import add, mul, neg, sub
from adlib.ops.constructors import elementwise
from adlib.ops.operands import uniform
from adlib.ops.reshaping import full_like

_TERMS = 12  # summed as they are, before the formula takes over
# (2j)! / B_2j for j = 1, 2, …
_BERNOULLI = (
    12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9, 7.47242496e10,
    -2.950130727918164224e12, 1.1646782814350067249e14, -4.5979787224074726105e15,
    1.8152105401943546773e17, -7.1661652561756670113e18,
)  # fmt: skip


def _kernel(xp: Any, x: Any, q: Any, *, order: int) -> Any:
    dtype = x.dtype
    s, q = xp.broadcast_arrays(*[xp.asarray(v).astype(np.float64) for v in (x, q)])
    inside = (s > 1) & (q > 0)
    s, q = xp.where(inside, s, 2.0), xp.where(inside, q, 1.0)

    def falling(base: Any) -> list[Any]:
        """Derivatives of base**-s, of every order."""
        slope, power = -xp.log(base), base**-s
        return [power * slope**m for m in range(order + 1)]

    total = sum(falling(q + k)[order] for k in range(_TERMS))
    end = q + _TERMS
    powers = falling(end)

    def product(factors: list[Any]) -> Any:
        """The derivative of end**-s times a function whose derivatives are given."""
        return sum(math.comb(order, m) * powers[m] * factors[order - m] for m in range(order + 1))

    pole = [math.factorial(m) * (-1) ** m / (s - 1) ** (m + 1) for m in range(order + 1)]
    total = total + end * product(pole) + powers[order] / 2
    rising = [s, *[xp.ones(s.shape) * (m == 1) for m in range(1, order + 1)]]
    for j, constant in enumerate(_BERNOULLI, 1):
        total = total + product(rising) * end ** (1.0 - 2 * j) / constant
        for i in (2 * j - 1, 2 * j):  # s (s + 1) … (s + 2j)
            rising = [(s + i) * v + (m * rising[m - 1] if m else 0.0) for m, v in enumerate(rising)]
    return xp.where(inside, total, np.nan).astype(dtype)


def _in_order(t: Any, ans: Any, x: Any, q: Any, *, order: int) -> Any:
    return mul(t, zeta_derivative_p.bind(x, q, order=order + 1))


def _in_shift(t: Any, ans: Any, x: Any, q: Any, *, order: int) -> Any:
    above = add(x, full_like(x, 1))
    slope = mul(neg(x), zeta_derivative_p.bind(above, q, order=order))
    if order:
        lower = zeta_derivative_p.bind(above, q, order=order - 1)
        slope = sub(slope, mul(lower, full_like(lower, order)))
    return mul(t, slope)


zeta_derivative_p = elementwise(
    "zeta_derivative",
    _kernel,
    [_in_order, _in_shift],
    kinds="f",
    samples=lambda: [
        Sample(
            (uniform(2, 3, low=1.5, high=4), uniform(2, 3, low=0.5, high=3)),
            {"order": order},
            name=f"order {order}",
        )
        for order in (0, 1, 2)
    ],
)
