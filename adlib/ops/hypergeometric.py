"""Hypergeometric functions, and their derivatives of any order in every parameter.

A term of the series is the one before times rational factors of the parameters, so the
derivatives of all terms follow by Leibniz's rule in the same recurrence. Definitions and
transformations: NIST's Digital Library of Mathematical Functions, chapters 13 and 15. The
incomplete gamma and beta functions differentiate in their parameters through these (8.5, 8.17).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.core.primitive import Sample
from adlib.ops.arithmetic import add, div, exp, lt, mul, neg, sub
from adlib.ops.constructors import elementwise
from adlib.ops.elementary import log1p
from adlib.ops.operands import normal, uniform
from adlib.ops.reshaping import broadcast_to, full_like
from adlib.ops.selection import select_n_p
from adlib.ops.special import named

_MOST_TERMS = 20_000
_PRECISION = 1e-17

# ------------------------------------------------------------------------- the series


def _next_terms(
    terms: dict[tuple[int, ...], Any], tops: Sequence[Any], bottoms: Sequence[Any], k: int
) -> dict[tuple[int, ...], Any]:
    """The derivatives of term k + 1 in the parameters, but for the power of x, from term k's."""
    for axis, a in enumerate(tops):
        old = terms
        terms = {
            n: v * (a + k) + (n[axis] * old[_lower(n, axis)] if n[axis] else 0.0)
            for n, v in old.items()
        }
    for axis, c in enumerate(bottoms, len(tops)):
        quotient: dict[tuple[int, ...], Any] = {}
        for n in sorted(terms):
            less = n[axis] * quotient[_lower(n, axis)] if n[axis] else 0.0
            quotient[n] = (terms[n] - less) / (c + k)
        terms = quotient
    return terms


def _lower(n: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*n[:axis], n[axis] - 1, *n[axis + 1 :])


def _series(xp: Any, *args: Any, tops: int, orders: tuple[int, ...]) -> Any:
    """The derivative of those orders in (tops..., bottoms..., x), summed in double precision."""
    dtype = args[0].dtype
    *parameters, x = xp.broadcast_arrays(*[xp.asarray(v).astype(np.float64) for v in args])
    upper, lower = parameters[:tops], parameters[tops:]
    *wanted, power = orders
    # with as many parameters above as there are below and one more, the radius is 1
    outside = xp.absolute(x) >= 1 if tops > len(lower) else xp.zeros(x.shape, bool)
    x = xp.where(outside, 0.0, x)
    zero = xp.zeros(x.shape)
    terms = {n: zero for n in itertools.product(*[range(o + 1) for o in wanted])}
    terms[(0,) * len(wanted)] = zero + 1
    for k in range(power):  # x**k is a constant to the derivative
        terms = _next_terms(terms, upper, lower, k)
    total, small = zero + terms[tuple(wanted)], 0
    for k in range(power, _MOST_TERMS):
        terms = _next_terms(terms, upper, lower, k)
        scale = x / (k + 1 - power)
        terms = {n: v * scale for n, v in terms.items()}
        term = terms[tuple(wanted)]
        total = total + term
        done = (xp.absolute(term) <= _PRECISION * xp.absolute(total)) | ~xp.isfinite(total)
        small = small + 1 if k > sum(wanted) and bool(done.all()) else 0
        if small == 3:
            break
    return xp.where(outside, np.nan, total).astype(dtype)


def _raised(orders: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*orders[:place], orders[place] + 1, *orders[place + 1 :])


def _define_series(name: str, tops: int, count: int, samples: Callable[[], list[Sample]]) -> Any:
    def kernel(xp: Any, *args: Any, orders: tuple[int, ...]) -> Any:
        return _series(xp, *args, tops=tops, orders=orders)

    def derivative(place: int) -> Callable[..., Any]:
        return lambda t, ans, *args, orders: mul(
            t, primitive.bind(*args, orders=_raised(orders, place))
        )

    primitive = elementwise(
        name, kernel, [derivative(i) for i in range(count)], kinds="f", samples=samples
    )
    return primitive


hyp1f1_series_p = _define_series(
    "hyp1f1_series",
    1,
    3,
    lambda: [
        Sample(
            (uniform(3), uniform(3, low=1, high=3), uniform(3, low=-1, high=2)),
            {"orders": orders},
            name=f"orders {orders}",
        )
        for orders in ((0, 0, 0), (1, 0, 0), (0, 1, 2), (1, 1, 0))
    ],
)
hyp2f1_series_p = _define_series(
    "hyp2f1_series",
    2,
    4,
    lambda: [
        Sample(
            (uniform(3), uniform(3), uniform(3, low=1, high=3), uniform(3, low=-0.5, high=0.6)),
            {"orders": orders},
            name=f"orders {orders}",
        )
        for orders in ((0, 0, 0, 0), (1, 0, 0, 1), (0, 1, 1, 0))
    ],
)


def _spread(like: Any, args: Sequence[Any]) -> list[Any]:
    return [
        a if a.aval.shape == like.aval.shape else broadcast_to(a, like.aval.shape) for a in args
    ]


# ------------------------------------------------------------------- Kummer's function


def _hyp1f1_in_parameter(place: int) -> Callable[..., Any]:
    """Derivative in a or b; for x < 0 of e**x 1F1(b - a; b; -x), whose terms do not cancel."""

    def derivative(t: Any, ans: Any, a: Any, b: Any, x: Any) -> Any:
        a, b, x = _spread(ans, (a, b, x))
        below = lt(x, full_like(x, 0))
        top = select_n_p.bind(below, a, sub(b, a))
        size = select_n_p.bind(below, x, neg(x))
        by_top = hyp1f1_series_p.bind(top, b, size, orders=(1, 0, 0))
        if place == 0:
            slope, turned = by_top, neg(by_top)
        else:
            slope = hyp1f1_series_p.bind(top, b, size, orders=(0, 1, 0))
            turned = add(slope, by_top)
        zero = full_like(x, 0)
        factor = exp(select_n_p.bind(below, broadcast_to(zero, x.aval.shape), x))
        return mul(t, mul(factor, select_n_p.bind(below, slope, turned)))

    return derivative


def _hyp1f1_derivative(t: Any, ans: Any, a: Any, b: Any, x: Any) -> Any:
    one = full_like(a, 1)
    return mul(t, mul(div(a, b), hyp1f1_p.bind(add(a, one), add(b, one), x)))


hyp1f1_p = elementwise(
    "hyp1f1",
    named("hyp1f1"),
    [_hyp1f1_in_parameter(0), _hyp1f1_in_parameter(1), _hyp1f1_derivative],
    kinds="f",
    samples=lambda: [
        Sample((uniform(2, 3), uniform(2, 3, low=1, high=3), normal(2, 3))),
        Sample((np.float32(0.5), np.float32(1.5), normal(3)), name="scalars"),
    ],
)

# -------------------------------------------------------------------- Gauss's function


def _hyp2f1_in_parameter(place: int) -> Callable[..., Any]:
    """Derivative in a, b or c; for x < 0 of (1 - x)**-a 2F1(a, c - b; c; x / (x - 1))."""

    def derivative(t: Any, ans: Any, a: Any, b: Any, c: Any, x: Any) -> Any:
        a, b, c, x = _spread(ans, (a, b, c, x))
        below = lt(x, full_like(x, 0))
        second = select_n_p.bind(below, b, sub(c, b))
        z = select_n_p.bind(below, x, div(x, sub(x, broadcast_to(full_like(x, 1), x.aval.shape))))
        zero = broadcast_to(full_like(x, 0), x.aval.shape)
        away = select_n_p.bind(below, zero, log1p(neg(x)))

        def slope(*orders: int) -> Any:
            return hyp2f1_series_p.bind(a, second, c, z, orders=(*orders, 0))

        if place == 0:
            plain = slope(1, 0, 0)
            turned = sub(plain, mul(away, slope(0, 0, 0)))
        elif place == 1:
            plain = slope(0, 1, 0)
            turned = neg(plain)
        else:
            plain = slope(0, 0, 1)
            turned = add(plain, slope(0, 1, 0))
        factor = exp(neg(mul(a, away)))
        return mul(t, mul(factor, select_n_p.bind(below, plain, turned)))

    return derivative


def _hyp2f1_derivative(t: Any, ans: Any, a: Any, b: Any, c: Any, x: Any) -> Any:
    one = full_like(a, 1)
    next_ = hyp2f1_p.bind(add(a, one), add(b, one), add(c, one), x)
    return mul(t, mul(div(mul(a, b), c), next_))


hyp2f1_p = elementwise(
    "hyp2f1",
    named("hyp2f1"),
    [*(_hyp2f1_in_parameter(i) for i in range(3)), _hyp2f1_derivative],
    kinds="f",
    samples=lambda: [
        Sample(
            (
                uniform(2, 3),
                uniform(2, 3),
                uniform(2, 3, low=1, high=3),
                uniform(2, 3, low=-0.7, high=0.6),
            )
        ),
        Sample(
            (np.float32(0.5), np.float32(1.5), np.float32(2), uniform(3, low=-0.7, high=0.6)),
            name="scalars",
        ),
    ],
)
