"""Statistics of samples: standard error, mode, ranks."""

from __future__ import annotations

from typing import Any, NamedTuple

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import promote_inexact


class ModeResult(NamedTuple):
    """The most frequent values, and how often they occur."""

    mode: Array
    count: Array


def _check_policy(name: str, nan_policy: str) -> None:
    if nan_policy not in ("propagate", "omit"):
        raise ValueError(
            f"{name} takes nan_policy 'propagate' or 'omit'; it was given {nan_policy!r}.{here()}"
        )


def _only_propagate(name: str, nan_policy: str) -> None:
    _check_policy(name, nan_policy)
    if nan_policy == "omit":
        raise NotImplementedError(
            f"{name} supports nan_policy='propagate' only: the shape of a result cannot depend on "
            f"where NaN are.{here()}"
        )


def sem(
    a: Any,
    axis: int | None = 0,
    ddof: int = 1,
    nan_policy: str = "propagate",
    *,
    keepdims: bool = False,
) -> Array:
    """Standard error of the mean: the standard deviation over the root of the count.

    Args:
      a: array.
      axis: int, or None for all.
      ddof: what is taken off the count in the variance.
      nan_policy: ``"propagate"``, or ``"omit"`` to leave NaN out.
      keepdims: keep the reduced axes with size 1.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import sem
    >>> sem(jnp.array([1.0, 2.0, 3.0]))
    Array(0.57735, dtype=float32)
    """
    _check_policy("sem", nan_policy)
    (a,) = promote_inexact("sem", a)
    if axis is None:
        a, axis = a.reshape(-1), 0
    if nan_policy == "omit":
        count = jnp.sum(~jnp.isnan(a), axis=axis, keepdims=keepdims).astype(a.dtype)
        return jnp.nanstd(a, axis, ddof=ddof, keepdims=keepdims) / jnp.sqrt(count)
    deviation = jnp.std(a, axis, ddof=ddof, keepdims=keepdims)
    return deviation / jnp.sqrt(jnp.asarray(a.shape[axis], a.dtype))


def mode(
    a: Any, axis: int | None = 0, nan_policy: str = "propagate", keepdims: bool = False
) -> ModeResult:
    """The most frequent value along an axis, the smallest of them, and its count.

    Raises:
      NotImplementedError: for ``nan_policy="omit"``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import mode
    >>> mode(jnp.array([2, 4, 1, 1, 3, 4, 4])).mode
    Array(4, dtype=int32)
    """
    _only_propagate("mode", nan_policy)
    a = jnp.atleast_1d(jnp.asarray(a))
    flat = a.reshape(-1, *(1,) * (a.ndim - 1)) if axis is None else jnp.moveaxis(a, axis, 0)
    shape = (1,) * a.ndim if axis is None else None
    if flat.shape[0] == 0:
        empty = jnp.full(flat.shape[1:], jnp.nan)
        return ModeResult(empty, jnp.zeros(flat.shape[1:], int))
    ordered = jnp.sort(flat, axis=0)
    n = ordered.shape[0]
    starts = jnp.concatenate([jnp.ones((1, *ordered.shape[1:]), bool), ordered[1:] != ordered[:-1]])
    positions = jnp.arange(n).reshape(-1, *(1,) * (ordered.ndim - 1))
    first = lax.cummax(jnp.where(starts, positions, 0), axis=0)
    lengths = positions - first + 1
    best = jnp.argmax(lengths, axis=0, keepdims=True)  # where a longest run ends
    value = jnp.take_along_axis(ordered, best, axis=0)
    count = jnp.take_along_axis(lengths, best, axis=0)
    if keepdims:
        back = (lambda v: v.reshape(shape)) if shape else (lambda v: jnp.moveaxis(v, 0, axis))
        return ModeResult(back(value), back(count))
    squeeze = tuple(range(value.ndim)) if axis is None else 0
    return ModeResult(jnp.squeeze(value, squeeze), jnp.squeeze(count, squeeze))


_METHODS = ("average", "min", "max", "dense", "ordinal")


def rankdata(
    a: Any,
    method: str = "average",
    *,
    axis: int | None = None,
    nan_policy: str = "propagate",
) -> Array:
    """Ranks from 1 up; ``method`` says which rank equal values get.

    Args:
      a: array.
      method: ``"average"``, ``"min"``, ``"max"``, ``"dense"`` or ``"ordinal"``.
      axis: int; None ranks all values, and the result has rank 1.
      nan_policy: only ``"propagate"``: where there is a NaN, all ranks are NaN.

    Raises:
      ValueError: an unknown method.
      NotImplementedError: for ``nan_policy="omit"``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.stats import rankdata
    >>> rankdata(jnp.array([30, 10, 20, 10]))
    Array([4. , 1.5, 3. , 1.5], dtype=float32)
    """
    _only_propagate("rankdata", nan_policy)
    if method not in _METHODS:
        raise ValueError(
            f"rankdata takes a method out of {', '.join(_METHODS)}; it was given {method!r}."
            f"{here()}"
        )
    a = jnp.atleast_1d(jnp.asarray(a))
    if axis is None:
        a, axis = a.reshape(-1), 0
    ranks = jnp.apply_along_axis(lambda row: _ranks(row, method), axis, a)
    if a.dtype.kind != "f":
        return ranks
    spoiled = jnp.any(jnp.isnan(a), axis=axis, keepdims=True)
    return jnp.where(spoiled, jnp.nan, ranks)


def _ranks(row: Any, method: str) -> Any:
    n = row.shape[0]
    floating = jnp.result_type(float)
    order = jnp.argsort(row)
    place = jnp.zeros(n, order.dtype).at[order].set(jnp.arange(n, dtype=order.dtype))
    if method == "ordinal":
        return (place + 1).astype(floating)
    ordered = row[order]
    starts = jnp.concatenate([jnp.ones(min(n, 1), bool), ordered[1:] != ordered[:-1]])
    dense = jnp.cumsum(starts)
    if method == "dense":
        return dense[place].astype(floating)
    positions = jnp.arange(n)
    first = lax.cummax(jnp.where(starts, positions, 0), axis=0) + 1
    ends = jnp.concatenate([starts[1:], jnp.ones(min(n, 1), bool)])
    last = lax.cummin(jnp.where(ends, positions, n), axis=0, reverse=True) + 1
    chosen = {"min": first, "max": last, "average": (first + last) / 2}[method]
    return chosen[place].astype(floating)
