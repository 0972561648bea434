"""Ordinary differential equations, with gradients by the adjoint equation."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.api.custom import closure_convert
from adlib.api.derivatives import vjp
from adlib.api.vectorize import vmap
from adlib.base.source import here
from adlib.control.custom_vjp import custom_vjp
from adlib.flatten_util import ravel_pytree
from adlib.tree_util import tree_leaves, tree_map

# Dormand and Prince (1980): stages, weights of order 5, and the difference to order 4.
_NODES = np.array([1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0])
_STAGES = [
    np.array([1 / 5]),
    np.array([3 / 40, 9 / 40]),
    np.array([44 / 45, -56 / 15, 32 / 9]),
    np.array([19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729]),
    np.array([9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656]),
    np.array([35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]),
]
_ERROR = np.array([71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])
# The last coefficient of the continuous extension (Hairer, Nørsett and Wanner, II.6).
_DENSE = np.array(
    [
        -12715105075 / 11282082432, 0, 87487479700 / 32700410799, -10690763975 / 1880347072,
        701980252875 / 199316789632, -1453857185 / 822651844, 69997945 / 29380423,
    ]
)  # fmt: skip
_SAFETY, _SLOWEST, _FASTEST = 0.9, 0.2, 10.0


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float = 1.4e-8,
    mxstep: Any = math.inf,
    hmax: Any = math.inf,
) -> Any:
    """The solution of ``dy/dt = func(y, t, *args)`` with ``y = y0`` at ``t[0]``.

    By the method of Dormand and Prince, of order 5 with steps of adapted length. Reverse mode
    integrates the adjoint equation backwards in time (Pontryagin 1962; Chen et al. 2018), so its
    memory does not grow with the steps; it may be repeated for higher derivatives. Forward mode
    is not defined.

    Args:
      func: ``(y, t, *args) -> dy/dt``, with the structure, shapes and dtypes of ``y``.
      y0: initial value, a tree of arrays.
      t: times, ascending, of shape (n,).
      args: further arguments, trees of arrays; gradients flow to them, and to what ``func``
        closes over.
      rtol, atol: tolerances of the error of a step, relative and absolute.
      mxstep: most steps between two times.
      hmax: longest step.

    Returns:
      Tree like ``y0`` with a leading axis for the times.

    Raises:
      TypeError: arguments that are no arrays.
      ValueError: ``t`` is not a vector.

    >>> from adlib.experimental.ode import odeint
    >>> import adlib.numpy as jnp
    >>> odeint(lambda y, t: -y, jnp.array(1.0), jnp.array([0.0, 1.0]))
    Array([1.        , 0.36787942], dtype=float32)
    """
    for leaf in tree_leaves(args):
        if not hasattr(leaf, "dtype") and not isinstance(leaf, (bool, int, float, complex)):
            raise TypeError(
                f"The contents of odeint *args must be arrays or scalars, but got {leaf!r}."
                f"{here()}\n  Repair: let func close over what is no array."
            )
    times = jnp.asarray(t)
    if times.ndim != 1:
        raise ValueError(
            f"odeint wants t as a vector of times; it has shape {times.shape}.{here()}"
        )
    if times.dtype.kind != "f":
        times = times.astype(float)
    y0 = tree_map(
        lambda x: jnp.asarray(x) if jnp.asarray(x).dtype.kind in "fc" else jnp.asarray(x, float), y0
    )
    args = tree_map(jnp.asarray, args)
    converted, consts = closure_convert(func, y0, times[0], *args)
    settings = (rtol, atol, float(mxstep), float(hmax))
    flat, unravel = ravel_pytree(y0)

    def flat_func(y: Any, t: Any, *all_args: Any) -> Any:
        return ravel_pytree(converted(unravel(y), t, *all_args))[0].astype(y.dtype)

    solution = _solve(flat_func, settings, flat, times, *args, *consts)
    return vmap(unravel)(solution)


@functools.partial(custom_vjp, nondiff_argnums=(0, 1))
def _solve(func: Any, settings: Any, y0: Any, ts: Any, *args: Any) -> Any:
    return _integrate(lambda y, t: func(y, t, *args), settings, y0, ts)


def _forward(func: Any, settings: Any, y0: Any, ts: Any, *args: Any) -> Any:
    ys = _solve(func, settings, y0, ts, *args)
    return ys, (ys, ts, args)


def _backward(func: Any, settings: Any, kept: Any, g: Any) -> Any:
    """Integrates y, its adjoint and the gradients of t and args from the last time to the first."""
    ys, ts, args = kept
    floating = [leaf for leaf in tree_leaves(args) if leaf.dtype.kind in "fc"]

    def dynamics(state: Any, minus_t: Any, args: Any) -> Any:
        """The augmented system, in the time s = -t."""
        y, adjoint, _, _ = state

        def with_floats(y: Any, t: Any, values: Any) -> Any:
            rest = iter(values)
            return func(
                y,
                t,
                *tree_map(lambda leaf: next(rest) if leaf.dtype.kind in "fc" else leaf, args),
            )

        floats = [leaf for leaf in tree_leaves(args) if leaf.dtype.kind in "fc"]
        slope, pull = vjp(with_floats, y, -minus_t, floats)
        y_bar, t_bar, args_bar = pull(adjoint)
        return -slope, y_bar, t_bar, args_bar

    flat_zero, unravel = ravel_pytree(
        (ys[0], g[0], jnp.zeros((), ts.dtype), [jnp.zeros_like(x) for x in floating])
    )

    def flat_dynamics(flat: Any, s: Any, *args: Any) -> Any:
        return ravel_pytree(dynamics(unravel(flat), s, args))[0].astype(flat.dtype)

    def one_interval(carry: Any, i: Any) -> Any:
        adjoint, t0_bar, args_bar = carry
        # moving a time moves the value that is read there
        t_bar = jnp.vdot(func(ys[i], ts[i], *args).conj(), g[i]).real.astype(ts.dtype)
        start, _ = ravel_pytree((ys[i], adjoint, t0_bar - t_bar, args_bar))
        span = jnp.stack([-ts[i], -ts[i - 1]])
        # solved as the equation itself is, so that it has an adjoint in its turn
        end = _solve(flat_dynamics, settings, start.astype(flat_zero.dtype), span, *args)[1]
        _, adjoint, t0_bar, args_bar = unravel(end)
        return (adjoint + g[i - 1], t0_bar, args_bar), t_bar

    start = (g[-1], jnp.zeros((), ts.dtype), [jnp.zeros_like(x) for x in floating])
    (y_bar, t0_bar, args_bar), ts_bar = lax.scan(
        one_interval, start, jnp.arange(len(ts) - 1, 0, -1)
    )
    ts_bar = jnp.concatenate([t0_bar[None], ts_bar[::-1]])
    rest = iter(args_bar)
    full = tree_map(lambda leaf: next(rest) if leaf.dtype.kind in "fc" else None, args)
    return (y_bar, ts_bar, *full)


_solve.defvjp(_forward, _backward)


# ------------------------------------------------------------------- forward in time


def _integrate(func: Callable[[Any, Any], Any], settings: Any, y0: Any, ts: Any) -> Any:
    """The values of a flat system at the given times, (n, size)."""
    rtol, atol, mxstep, hmax = settings
    if not y0.size:
        return jnp.zeros((ts.shape[0], 0), y0.dtype)
    f0 = func(y0, ts[0])
    start = jnp.minimum(_first_step(func, ts[0], y0, f0, rtol, atol), hmax).astype(ts.dtype)
    empty = jnp.zeros((5, *y0.shape), y0.dtype).at[0].set(y0)
    state = (y0, f0, ts[0], start, ts[0], empty)

    def to_time(state: Any, target: Any) -> Any:
        def going(loop: Any) -> Any:
            (_, _, t, dt, _, _), count = loop
            return (t < target) & (count < mxstep) & (dt > 0)

        def step(loop: Any) -> Any:
            (y, f, t, dt, last, dense), count = loop
            y1, f1, error, slopes = _stages(func, y, f, t, dt)
            bound = atol + rtol * jnp.maximum(jnp.abs(y), jnp.abs(y1))
            ratio = jnp.sqrt(jnp.mean(jnp.abs(error / bound) ** 2)).astype(ts.dtype)
            accepted = ratio <= 1
            factor = jnp.where(ratio == 0, _FASTEST, _SAFETY * ratio**-0.2)
            factor = jnp.clip(factor, _SLOWEST, jnp.where(accepted, _FASTEST, 1.0))
            factor = jnp.where(jnp.isfinite(ratio), factor, _SLOWEST)
            longer = jnp.minimum(dt * factor, hmax).astype(ts.dtype)
            # a step below the resolution of time cannot be taken: the values are not finite
            stuck = t + dt == t
            moved = (y1, f1, t + dt, longer, t, _extension(y, y1, dt, f, f1, slopes))
            stayed = (y, f, t, jnp.where(stuck, 0, longer), last, dense)
            kept = tree_map(lambda a, b: jnp.where(accepted, a, b), moved, stayed)
            return kept, count + 1

        state, _ = lax.while_loop(going, step, (state, 0.0))
        y, f, t, dt, last, dense = state
        width = t - last
        share = jnp.where(width == 0, 0, (target - last) / jnp.where(width == 0, 1, width))
        value = _at(dense, share.astype(jnp.finfo(y0.dtype).dtype))
        return state, jnp.where(t < target, jnp.nan, value).astype(y0.dtype)

    _, values = lax.scan(to_time, state, ts[1:])
    return jnp.concatenate([y0[None], values])


def _stages(func: Any, y: Any, f: Any, t: Any, dt: Any) -> tuple[Any, Any, Any, Any]:
    """One step: the new value and slope, the estimated error, and the slopes at the stages."""
    real = jnp.finfo(y.dtype).dtype
    h = dt.astype(real)
    slopes = [f]
    for node, weights in zip(_NODES, _STAGES, strict=True):
        offset = sum(float(w) * k for w, k in zip(weights, slopes, strict=True) if w)
        slopes.append(func(y + h * offset, t + float(node) * dt))
    y1 = y + h * offset
    error = h * sum(float(w) * k for w, k in zip(_ERROR, slopes, strict=True) if w)
    return y1, slopes[-1], error, slopes


def _extension(y0: Any, y1: Any, dt: Any, f0: Any, f1: Any, slopes: Any) -> Any:
    """The five coefficients of the continuous extension of a step."""
    h = dt.astype(jnp.finfo(y0.dtype).dtype)
    rise = y1 - y0
    bend = h * f0 - rise
    last = h * sum(float(d) * k for d, k in zip(_DENSE, slopes, strict=True) if d)
    return jnp.stack([y0, rise, bend, rise - h * f1 - bend, last])


def _at(dense: Any, share: Any) -> Any:
    rest = 1 - share
    inner = dense[3] + rest * dense[4]
    return dense[0] + share * (dense[1] + rest * (dense[2] + share * inner))


def _first_step(func: Any, t0: Any, y0: Any, f0: Any, rtol: float, atol: float) -> Any:
    """A length whose error is about the tolerance (Hairer, Nørsett and Wanner, II.4)."""
    scale = atol + jnp.abs(y0) * rtol
    d0, d1 = (jnp.sqrt(jnp.mean(jnp.abs(v / scale) ** 2)) for v in (y0, f0))
    h0 = jnp.where((d0 < 1e-5) | (d1 < 1e-5), 1e-6, 0.01 * d0 / jnp.where(d1 == 0, 1, d1))
    f1 = func(y0 + h0 * f0, t0 + h0.astype(t0.dtype))
    d2 = jnp.sqrt(jnp.mean(jnp.abs((f1 - f0) / scale) ** 2)) / h0
    most = jnp.maximum(d1, d2)
    h1 = jnp.where(
        most <= 1e-15, jnp.maximum(1e-6, h0 * 1e-3), (0.01 / jnp.where(most == 0, 1, most)) ** 0.2
    )
    return jnp.minimum(100 * h0, h1).astype(t0.dtype)


__all__ = ["odeint"]
