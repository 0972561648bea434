"""Minimizing a function of a vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.scipy.optimize.bfgs import bfgs


class OptimizeResults(NamedTuple):
    """What ``minimize`` found.

    Attributes:
      x: the best point.
      success: whether the gradient is small enough there.
      status: 0 for success, 1 where the steps ran out, 3 and 5 where the line search failed.
      fun, jac: the value and the gradient at ``x``.
      hess_inv: approximate inverse of the Hessian.
      nfev, njev, nit: evaluations of the function, of its gradient, and steps.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.scipy.optimize import minimize
    >>> found = minimize(lambda x: jnp.sum((x - 1) ** 2), jnp.zeros(2), method="BFGS")
    >>> found.x.round(4), bool(found.success)
    (Array([1., 1.], dtype=float32), True)
    """

    x: Array
    success: Any
    status: Any
    fun: Array
    jac: Array
    hess_inv: Array | None
    nfev: Any
    njev: Any
    nit: Any


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    *,
    method: str,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResults:
    """A local minimum of ``fun(x, *args)``.

    Args:
      fun: differentiable function of a vector that gives a number.
      x0: where to start, (n,).
      args: further arguments, which may be traced and vmapped over.
      method: ``"BFGS"``.
      tol: the end is a gradient whose norm is at most this; 1e-5 by default.
      options: ``gtol`` (as ``tol``), ``norm`` (of the gradient: ``inf`` by default), ``maxiter``
        (200 n by default), ``line_search_maxiter`` (10 by default).

    Returns:
      ``OptimizeResults``. To differentiate the minimum in ``args``, use ``lax.custom_root`` of
      the gradient: reverse mode does not go through the loop.

    Raises:
      TypeError: ``args`` is not a tuple.
      ValueError: another method, an ``x0`` that is not a vector, unknown options.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.optimize import minimize
    >>> minimize(lambda x: jnp.sum((x - 2.0) ** 2), jnp.zeros(2), method="BFGS").x.round(3)
    Array([2., 2.], dtype=float32)
    """
    if not isinstance(args, tuple):
        raise TypeError(
            f"minimize wants args as a tuple; it was given {args!r}.{here()}\n  Repair: a single "
            "argument needs a comma, args=(a,)."
        )
    x0 = jnp.asarray(x0)
    if x0.ndim != 1:
        raise ValueError(
            f"minimize wants x0 as a vector; it was given shape {x0.shape}.{here()}\n  Repair: "
            "flatten it, for instance with flatten_util.ravel_pytree."
        )
    if method.lower() != "bfgs":
        raise ValueError(f"minimize takes method 'BFGS'; it was given {method!r}.{here()}")
    chosen = dict(options or {})
    if tol is not None:
        chosen.setdefault("gtol", tol)
    known = {"gtol": 1e-5, "norm": jnp.inf, "maxiter": None, "line_search_maxiter": 10}
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise ValueError(
            f"minimize has no option {unknown[0]!r} for BFGS; options are "
            f"{', '.join(sorted(known))}.{here()}"
        )
    if x0.dtype.kind not in "fc":
        x0 = x0.astype(float)
    return OptimizeResults(*bfgs(lambda x: fun(x, *args), x0, **{**known, **chosen}))
