"""The quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno, with a line search.

Algorithms 6.1, 3.5 and 3.6 of Nocedal and Wright, Numerical Optimization (2006).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from adlib import lax
from adlib import numpy as jnp
from adlib.api.derivatives import value_and_grad

_DECREASE, _CURVATURE = 1e-4, 0.9  # Wolfe's constants
_LONGEST = 1e10


class _State(NamedTuple):
    x: Any
    f: Any
    g: Any
    h: Any  # approximate inverse of the Hessian
    before: Any  # value one step earlier
    steps: Any
    calls: Any
    status: Any  # -1 while it goes on


def bfgs(
    fun: Callable[[Any], Any],
    x0: Any,
    *,
    gtol: float,
    norm: Any,
    maxiter: int | None,
    line_search_maxiter: int,
) -> tuple[Any, ...]:
    """The fields of ``OptimizeResults``."""
    n = x0.shape[0]
    limit = 200 * n if maxiter is None else maxiter
    value = value_and_grad(fun)
    f, g = value(x0)
    eye = jnp.eye(n, dtype=x0.dtype)
    small = jnp.linalg.norm(g, norm) <= gtol
    start = _State(
        x0, f, g, eye, f + jnp.linalg.norm(g) / 2, jnp.asarray(0), jnp.asarray(1),
        jnp.where(small, 0, -1),
    )  # fmt: skip

    def step(s: _State) -> _State:
        p = -(s.h @ s.g)
        slope = jnp.dot(p, s.g)
        guess = jnp.minimum(1.0, 2.02 * (s.f - s.before) / jnp.where(slope == 0, 1, slope))
        first = jnp.where((guess > 0) & jnp.isfinite(guess), guess, 1.0).astype(s.x.dtype)
        found = line_search(value, s.x, p, s.f, s.g, first, line_search_maxiter)
        x = s.x + found.length * p
        change, growth = x - s.x, found.g - s.g
        product = jnp.dot(change, growth)
        rho = jnp.where(product == 0, 1000.0, 1 / jnp.where(product == 0, 1, product))
        rho = rho.astype(x.dtype)
        left = eye - rho * jnp.outer(change, growth)
        h = left @ s.h @ left.T + rho * jnp.outer(change, change)
        h = jnp.where(jnp.isfinite(rho) & (product > 0), h, s.h)
        steps = s.steps + 1
        done = jnp.linalg.norm(found.g, norm) <= gtol
        status = jnp.where(steps >= limit, 1, -1)
        status = jnp.where(found.failed, jnp.where(jnp.isfinite(found.f), 5, 3), status)
        status = jnp.where(done, 0, status)
        return _State(x, found.f, found.g, h, s.f, steps, s.calls + found.calls, status)

    end = lax.while_loop(lambda s: (s.status == -1) & (s.steps < limit), step, start)
    status = jnp.where(end.status == -1, 1, end.status)
    return (
        end.x, status == 0, status, end.f, end.g, end.h, end.calls, end.calls, end.steps,
    )  # fmt: skip


class _Found(NamedTuple):
    """A step length, the value and gradient there; whether there is none that is better."""

    length: Any
    f: Any
    g: Any
    failed: Any
    calls: Any


class _Search(NamedTuple):
    low: Any  # the ends of the bracket, their values, and the slope at the lower one
    f_low: Any
    d_low: Any
    high: Any
    f_high: Any
    length: Any  # the one to try next
    best: Any
    f_best: Any
    g_best: Any
    bracketed: Any
    done: Any
    k: Any


def line_search(
    value: Callable[[Any], Any], x: Any, p: Any, f0: Any, g0: Any, first: Any, most: int
) -> _Found:
    """A length along ``p`` that meets Wolfe's strong conditions.

    The bracket grows until it holds such a length, then shrinks by parabolas kept away from its
    ends. If ``2 * most`` tries do not do, the best length seen is given; it has failed where no
    length was better than 0.
    """
    d0 = jnp.dot(g0, p)
    zero = jnp.zeros_like(first)
    start = _Search(
        zero, f0, d0, zero, f0, first, zero, f0, g0,
        jnp.asarray(False), jnp.asarray(False), jnp.asarray(0),
    )  # fmt: skip

    def attempt(s: _Search) -> _Search:
        a = s.length
        f, g = value(x + a * p)
        d = jnp.dot(g, p)
        bad = ~jnp.isfinite(f)
        too_high = bad | (f > f0 + _DECREASE * a * d0) | ((f >= s.f_low) & (s.k > 0))
        flat = ~too_high & (jnp.abs(d) <= -_CURVATURE * d0)
        better = ~bad & (flat | (f < s.f_best))
        # where the new length replaces the lower end, the old lower end may become the upper one
        turns = d * jnp.where(s.bracketed, s.high - s.low, 1.0) >= 0
        bracketed = s.bracketed | too_high | (d >= 0)
        high = jnp.where(too_high, a, jnp.where(turns, s.low, s.high))
        f_high = jnp.where(too_high, f, jnp.where(turns, s.f_low, s.f_high))
        low, f_low, d_low = (
            jnp.where(too_high, old, new) for old, new in ((s.low, a), (s.f_low, f), (s.d_low, d))
        )
        inside = _between(low, f_low, d_low, high, f_high)
        longer = jnp.minimum(2 * a, _LONGEST)
        return _Search(
            low, f_low, d_low, high, f_high,
            jnp.where(bracketed, inside, longer).astype(a.dtype),
            jnp.where(better, a, s.best), jnp.where(better, f, s.f_best),
            jnp.where(better, g, s.g_best), bracketed, flat, s.k + 1,
        )  # fmt: skip

    # growing and shrinking together take more tries than SciPy's inner loop alone
    end = lax.while_loop(lambda s: ~s.done & (s.k < 2 * most), attempt, start)
    failed = ~end.done & (end.best == 0)
    return _Found(end.best, end.f_best, end.g_best, failed, end.k)


def _between(low: Any, f_low: Any, d_low: Any, high: Any, f_high: Any) -> Any:
    """The minimum of the parabola through the lower end, its slope and the upper end, at least a
    tenth of the bracket away from both; the middle where that is not defined."""
    width = high - low
    bend = f_high - f_low - d_low * width
    middle = low + width / 2
    wanted = low - d_low * width**2 / jnp.where(bend == 0, 1, 2 * bend)
    share = (wanted - low) / jnp.where(width == 0, 1, width)
    good = jnp.isfinite(wanted) & (bend > 0) & (share > 0.1) & (share < 0.9)
    return jnp.where(good, wanted, middle)
