"""Derivatives of the incomplete gamma function in its parameter, written out as loops.

The series and the continued fraction are those of ops/gamma.py, where they are derived: here each
is a loop over all elements, in double precision, that ends when the last of them has converged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.control.while_loop import while_loop
from adlib.ops.arithmetic import add, div, eq, exp, gt, log, lt, mul, neg, sub
from adlib.ops.bitwise import bitwise_and, bitwise_not, bitwise_or
from adlib.ops.conversion import convert
from adlib.ops.reductions import reduce_and
from adlib.ops.reshaping import broadcast_to, full_like
from adlib.ops.rounding import abs as abs_
from adlib.ops.rounding import is_finite
from adlib.ops.selection import select
from adlib.ops.special import digamma_p, lgamma_p

_STEPS = 2000
_LEAST = 4  # rounds before convergence is looked for
_DOUBLE = np.dtype(np.float64)


def _like(x: Any, number: float) -> Any:
    return broadcast_to(full_like(x, number), x.aval.shape)


def _converged(n: Any, small: Any, slope: Any) -> Any:
    """Whether every element has, or never will."""
    done = bitwise_or(small, bitwise_not(is_finite(slope)))
    all_done = reduce_and(done, tuple(range(done.aval.ndim)))
    return bitwise_and(gt(n, full_like(n, _LEAST)), all_done)


def _until_converged(step: Callable[..., Any], state: Sequence[Any], like: Any) -> Sequence[Any]:
    """``step(n, *state)`` gives the next state and whether that is the last one."""

    def going(carry: Any) -> Any:
        n, done, *_ = carry
        return bitwise_and(lt(n, full_like(n, _STEPS)), bitwise_not(done))

    def body(carry: Any) -> Any:
        n, _, *rest = carry
        done, new = step(n, *rest)
        return (add(n, full_like(n, 1)), done, *new)

    first = convert(full_like(like, 1), _DOUBLE)
    found = while_loop(going, body, (first, gt(first, full_like(first, 2)), *state))
    return tuple(found[2:])


def _series(a: Any, x: Any) -> Any:
    term = div(_like(a, 1), a)
    slope = div(neg(term), a)

    def step(n: Any, slope: Any, term: Any, total: Any, total_slope: Any) -> Any:
        by = add(a, n)
        slope = div(mul(sub(slope, div(term, by)), x), by)
        term = div(mul(term, x), by)
        total, total_slope = add(total, term), add(total_slope, slope)
        bound = mul(full_like(slope, 1e-17), abs_(total_slope))
        small = bitwise_not(gt(abs_(slope), bound))
        return _converged(n, small, slope), (slope, term, total, total_slope)

    _, _, total, total_slope = _until_converged(step, (slope, term, term, slope), a)
    return add(mul(total, sub(log(x), digamma_p.bind(a))), total_slope)


def _fraction(a: Any, x: Any) -> Any:
    zero, one = _like(a, 0), _like(a, 1)
    start = sub(add(x, one), a)
    value = div(one, start)
    slope = div(value, start)

    def step(n: Any, *state: Any) -> Any:
        p0, q0, dp0, dq0, p, q, dp, dq, value, slope = state
        b = sub(add(add(x, add(n, n)), one), a)
        c = mul(neg(n), sub(n, a))
        p0, p, dp0, dp = p, _next(b, p, c, p0), dp, _slope(b, dp, p, c, dp0, n, p0)
        q0, q, dq0, dq = q, _next(b, q, c, q0), dq, _slope(b, dq, q, c, dq0, n, q0)
        last, value = slope, div(p, q)
        slope = div(sub(dp, mul(value, dq)), q)
        scale = div(one, q)
        p0, dp0, dp = mul(p0, scale), mul(dp0, scale), mul(dp, scale)
        q0, dq0, dq = mul(q0, scale), mul(dq0, scale), mul(dq, scale)
        bound = mul(full_like(slope, 2e-15), add(abs_(slope), abs_(value)))
        small = bitwise_not(gt(abs_(sub(slope, last)), bound))
        new = (p0, q0, dp0, dq0, value, one, dp, dq, value, slope)
        return _converged(n, small, slope), new

    first = (zero, one, zero, zero, one, start, zero, neg(one), value, slope)
    *_, value, slope = _until_converged(step, first, a)
    return neg(add(mul(value, sub(log(x), digamma_p.bind(a))), slope))


def _next(b: Any, p: Any, c: Any, before: Any) -> Any:
    return add(mul(b, p), mul(c, before))


def _slope(b: Any, dp: Any, p: Any, c: Any, before: Any, n: Any, p0: Any) -> Any:
    return add(add(sub(mul(b, dp), p), mul(c, before)), mul(n, p0))


def _doubles(a: Any, x: Any) -> tuple[Any, Any]:
    shape = np.broadcast_shapes(a.aval.shape, x.aval.shape)
    wide = [broadcast_to(convert(v, _DOUBLE), shape) for v in (a, x)]
    return wide[0], wide[1]


def _scaled_slope(a: Any, x: Any) -> tuple[Any, Any]:
    """Where there is a derivative; it, over x**a e**-x / Gamma(a)."""
    zero, one = _like(a, 0), _like(a, 1)
    inside = bitwise_and(bitwise_and(gt(a, zero), gt(x, zero)), is_finite(a))
    inside = bitwise_and(inside, is_finite(x))
    tail = gt(x, add(a, one))
    # elements of the other branch get harmless arguments, so that they end no loop late
    below, beyond = bitwise_and(inside, bitwise_not(tail)), bitwise_and(inside, tail)
    series = _series(select(below, a, one), select(below, x, one))
    fraction = _fraction(select(beyond, a, one), select(beyond, x, _like(x, 4)))
    return inside, select(tail, fraction, series)


def _igamma_grad_a(a: Any, x: Any) -> Sequence[Any]:
    wide_a, wide_x = _doubles(a, x)
    inside, slope = _scaled_slope(wide_a, wide_x)
    power = sub(sub(mul(wide_a, log(wide_x)), wide_x), lgamma_p.bind(wide_a))
    zero, nan = _like(wide_x, 0), _like(wide_x, np.nan)
    ends = bitwise_or(eq(wide_x, zero), eq(wide_x, _like(wide_x, np.inf)))
    edge = select(bitwise_and(gt(wide_a, zero), ends), zero, nan)
    return [convert(select(inside, mul(exp(power), slope), edge), a.aval.dtype)]


def _random_gamma_grad(a: Any, x: Any) -> Sequence[Any]:
    wide_a, wide_x = _doubles(a, x)
    inside, slope = _scaled_slope(wide_a, wide_x)
    zero, nan = _like(wide_x, 0), _like(wide_x, np.nan)
    edge = select(bitwise_and(gt(wide_a, zero), eq(wide_x, zero)), zero, nan)
    return [convert(select(inside, mul(neg(wide_x), slope), edge), a.aval.dtype)]


FUNCTIONS: dict[str, Callable[..., Sequence[Any]]] = {
    "igamma_grad_a": _igamma_grad_a,
    "random_gamma_grad": _random_gamma_grad,
}
