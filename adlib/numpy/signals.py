"""Sampled functions: convolution, interpolation, differences, integrals, covariance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.axes import axes_of, axis_of
from adlib.numpy.choosing import where
from adlib.numpy.contraction import dot
from adlib.numpy.creation import wanted_dtype
from adlib.numpy.promotion import (
    convert,
    promote_dtypes_inexact,
    to_array,
)
from adlib.numpy.reductions import sum
from adlib.numpy.shaping import concatenate, moveaxis, ravel
from adlib.numpy.sorting import searchsorted
from adlib.numpy.splitting import diff
from adlib.numpy.statistics import average
from adlib.numpy.taking import take
from adlib.numpy.ufuncs import remainder, true_divide

# ---------------------------------------------------------------------- convolution


def _sliding_products(name: str, x: Array, y: Array, mode: str, precision: Any) -> Array:
    """``out[k] = sum_j x[j] y[k - j]``: the longer one slides over the shorter, reversed."""
    n, m = x.aval.shape[0], y.aval.shape[0]
    if mode == "full":
        start, count = 0, n + m - 1
    elif mode == "same":
        start, count = (min(n, m) - 1) // 2, max(n, m)
    elif mode == "valid":
        start, count = min(n, m) - 1, max(n, m) - min(n, m) + 1
    else:
        raise ValueError(f"mode must be one of ['full', 'same', 'valid'], got {mode!r}{here()}")
    if n < m:
        x, y, n, m = y, x, m, n
    # element k of the whole is reached when x[k - m + 1], …, x[k] lie under y
    padding = [(m - 1 - start, start + count - n)]
    weak = x.aval.weak_type and y.aval.weak_type
    signal, window = lax.expand_dims(x, (0, 1)), lax.expand_dims(lax.rev(y, (0,)), (0, 1))
    out = lax.conv_general_dilated(signal, window, (1,), padding, precision=precision)
    return convert(lax.reshape(out, (count,)), x.aval.dtype, weak)


def convolve(
    a: Any,
    v: Any,
    mode: str = "full",
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Array:
    """Convolution of two vectors.

    Args:
      mode: "full" (every overlap), "same" (the length of the longer) or "valid" (complete
        overlap).

    >>> import adlib.numpy as jnp
    >>> jnp.convolve(jnp.array([1.0, 2.0]), jnp.array([1.0, 1.0]))
    Array([1., 3., 2.], dtype=float32)
    """
    x, y = _vectors("convolve", a, v, preferred_element_type)
    return _sliding_products("convolve", x, y, mode, precision)


def correlate(
    a: Any,
    v: Any,
    mode: str = "valid",
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Array:
    """Correlation of two vectors: products with the second one shifted, and conjugated.

    >>> import adlib.numpy as jnp
    >>> jnp.correlate(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0]))
    Array([2., 3.], dtype=float32)
    """
    x, y = _vectors("correlate", a, v, preferred_element_type)
    if y.aval.dtype.kind == "c":
        y = lax.conj(y)
    shorter = x.aval.shape[0] < y.aval.shape[0]
    out = _sliding_products("correlate", x, lax.rev(y, (0,)), mode, precision)
    if mode == "same" and shorter and x.aval.shape[0] % 2 == 0:
        full = _sliding_products("correlate", x, lax.rev(y, (0,)), "full", precision)
        start = x.aval.shape[0] // 2
        return lax.slice_in_dim(full, start, start + y.aval.shape[0])
    return out


def _vectors(name: str, a: Any, v: Any, preferred: Any) -> list[Array]:
    x, y = promote_dtypes_inexact(name, a, v)
    if x.aval.ndim != 1 or y.aval.ndim != 1:
        raise ValueError(
            f"{name}() only support 1-dimensional inputs, got shapes {x.aval.shape} and "
            f"{y.aval.shape}.{here()}"
        )
    if not x.aval.size or not y.aval.size:
        raise ValueError(
            f"{name}: inputs cannot be empty, got shapes {x.aval.shape} and {y.aval.shape}.{here()}"
        )
    if preferred is not None:
        wanted = _fitting(name, [to_array(z, name) for z in (a, v)], preferred)
        x, y = (convert(z, wanted) for z in (x, y))
    return [x, y]


def _fitting(name: str, given: list[Array], preferred: Any) -> Any:
    """``preferred_element_type`` as a dtype, where it can hold products of what was given."""
    wanted = dtypes.canonicalize_dtype(preferred)
    own, _ = dtypes.promote(*[(x.aval.dtype, x.aval.weak_type) for x in given])
    kinds = {"b": "biuf", "i": "iuf", "u": "iuf", "f": "f", "c": "c"}[dtypes.kind(own)]
    if dtypes.kind(wanted) not in kinds or wanted.itemsize < own.itemsize:
        raise TypeError(
            f"{name}: preferred_element_type must not be of another kind or narrower than the "
            f"arguments, got {wanted} for {own}.{here()}\n"
            "  Repair: convert the result with .astype(...)."
        )
    return wanted


# -------------------------------------------------------------------- interpolation


def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Array:
    """Linear interpolation between given points.

    Args:
      x: where to evaluate, of any shape.
      xp, fp: vectors of points (ascending) and values.
      left, right: values outside; by default those at the ends; "extrapolate" continues.
      period: makes the points periodic; there is then no outside.

    >>> import adlib.numpy as jnp
    >>> jnp.interp(jnp.array([0.5, 5.0]), jnp.array([0.0, 1.0]), jnp.array([0.0, 10.0]))
    Array([ 5., 10.], dtype=float32)
    """
    xp, fp = to_array(xp, "interp", 1), to_array(fp, "interp", 2)
    if xp.aval.shape != fp.aval.shape or xp.aval.ndim != 1:
        raise ValueError(
            f"xp and fp must be one-dimensional arrays of equal size, got shapes "
            f"{xp.aval.shape} and {fp.aval.shape}{here()}"
        )
    x, xp = (convert(v, v.aval.dtype) for v in promote_dtypes_inexact("interp", x, xp))
    if x.aval.dtype.kind == "c":
        raise ValueError(
            f"jnp.interp: points have an order, so x and xp cannot be complex.{here()}\n"
            "  Repair: the values fp may be."
        )
    (fp,) = promote_dtypes_inexact("interp", fp)
    if period is not None:
        if isinstance(period, (int, float)):
            period = abs(period)
        x, xp = remainder(x, period), remainder(xp, period)
        order = lax.sort((xp, lax.iota(np.dtype(np.int32), xp.aval.size)), 0, True, 1)[1]
        xp, fp = take(xp, order, mode="clip"), take(fp, order, mode="clip")
        last = slice(-1, None)
        xp = concatenate([xp[last] - period, xp, xp[:1] + period])  # type: ignore[index]
        fp = concatenate([fp[last], fp, fp[:1]])  # type: ignore[index]
    count = xp.aval.size
    place = searchsorted(xp, x, side="right")
    one = scalar(1, place.aval.dtype)
    place = lax.clamp(one, place, scalar(max(1, count - 1), place.aval.dtype))
    before = lax.sub(place, one)
    x0, x1 = (take(xp, i, mode="clip") for i in (before, place))
    f0, f1 = (take(fp, i, mode="clip") for i in (before, place))
    width = lax.sub(x1, x0)
    # of points at one place the first value counts, and no division by zero enters gradients
    flat = lax.le(lax.abs(width), scalar(float(np.finfo(width.aval.dtype).tiny), width.aval.dtype))
    safe = lax.select_n(flat, width, lax.full_like(width, 1))
    share = true_divide(lax.sub(x, x0), safe)
    value = where(flat, f0, f0 + share * (f1 - f0))
    if period is not None:
        return value
    for outside, end, at in ((lax.lt(x, xp[0]), 0, left), (lax.gt(x, xp[count - 1]), -1, right)):  # type: ignore[index]
        if isinstance(at, str):
            if at != "extrapolate":
                raise ValueError(
                    f"the only valid string value of left and right is 'extrapolate', "
                    f"but got: {at!r}{here()}"
                )
            continue
        value = where(outside, fp[end] if at is None else at, value)  # type: ignore[index]
    return value


# --------------------------------------------------------- differences and integrals


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    """Differences of neighbours in the flattened array.

    >>> import adlib.numpy as jnp
    >>> jnp.ediff1d(jnp.array([1, 4, 9]))
    Array([3, 5], dtype=int32)
    """
    given = to_array(ary, "ediff1d")
    if given.aval.dtype.kind == "b":
        raise TypeError(
            f"ediff1d does not subtract booleans.{here()}\n  Repair: jnp.diff says where "
            "neighbours differ; x.astype(int) gives differences of 0 and 1."
        )
    x = diff(ravel(given))
    parts = [to_begin, x, to_end]
    return concatenate(
        [
            ravel(convert(to_array(p, "ediff1d"), x.aval.dtype, x.aval.weak_type))
            for p in parts
            if p is not None
        ]
    )


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int | None = None) -> Any:
    """Derivative of a sampled function, by central differences; one array for each axis.

    Args:
      varargs: spacings: a number for all axes, or for each axis a number or a vector of
        coordinates.

    >>> import adlib.numpy as jnp
    >>> jnp.gradient(jnp.array([0.0, 1.0, 4.0]))
    Array([1., 2., 3.], dtype=float32)
    """
    if edge_order is not None:
        raise NotImplementedError("The 'edge_order' argument to jnp.gradient is not supported.")
    (x,) = promote_dtypes_inexact("gradient", f)
    axes = axes_of(axis, x.aval.ndim)
    spacings = list(varargs) if varargs else [1.0]
    if len(spacings) == 1:
        spacings = spacings * len(axes)
    if len(spacings) != len(axes):
        raise TypeError(f"{len(varargs)} spacing arguments do not fit axis={axes}{here()}")
    results = [_gradient_along(x, h, d) for h, d in zip(spacings, axes, strict=True)]
    if not varargs:
        results = [convert(r, r.aval.dtype, x.aval.weak_type) for r in results]
    return results[0] if len(results) == 1 else results


def _gradient_along(x: Array, spacing: Any, axis: int) -> Array:
    n = x.aval.shape[axis]
    if n < 2:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least 2 "
            f"elements are required.{here()}"
        )
    x = moveaxis(x, axis, 0)
    dtype = x.aval.dtype
    h = convert(to_array(spacing, "gradient", 1), dtype)
    steps = lax.slice_in_dim(x, 1, n) - lax.slice_in_dim(x, 0, n - 1)  # type: ignore[operator]
    if not h.aval.ndim:
        slopes = true_divide(steps, h)
        later, earlier = lax.slice_in_dim(x, 2, n), lax.slice_in_dim(x, 0, n - 2)
        inner = true_divide(lax.sub(later, earlier), lax.mul(h, scalar(2, dtype)))
    else:
        if h.aval.shape != (n,):
            raise ValueError(
                "Spacing arrays must be 1D arrays, with length equal to the axis they "
                f"belong to: got {h.aval.shape} for an axis of size {n}{here()}"
            )
        h = diff(h)
        h = lax.reshape(h, (n - 1, *[1] * (x.aval.ndim - 1)))
        slopes = true_divide(steps, h)
        h0, h1 = lax.slice_in_dim(h, 0, n - 2), lax.slice_in_dim(h, 1, n - 1)
        s0, s1 = lax.slice_in_dim(slopes, 0, n - 2), lax.slice_in_dim(slopes, 1, n - 1)
        # the nearer neighbour's slope weighs more: exact for parabolas
        inner = (h1 * s0 + h0 * s1) / (h0 + h1)
    ends = (lax.slice_in_dim(slopes, 0, 1), lax.slice_in_dim(slopes, n - 2, n - 1))
    return moveaxis(lax.concatenate([ends[0], inner, ends[1]], 0), 0, axis)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """Integral of a sampled function by the trapezoidal rule.

    Args:
      x: the sample points; dx: their distance, where ``x`` is not given.

    >>> import adlib.numpy as jnp
    >>> jnp.trapezoid(jnp.array([0.0, 1.0, 2.0]))
    Array(2., dtype=float32)
    """
    (y,) = promote_dtypes_inexact("trapezoid", y)
    axis = axis_of(axis, y.aval.ndim)
    step = dx
    if x is not None:
        x = to_array(x, "trapezoid", 1)
        if x.aval.ndim == 1:
            step = diff(x)
        else:
            step = moveaxis(diff(x, axis=axis), axis, -1)
    y = moveaxis(y, axis, -1)
    n = y.aval.shape[-1]
    rank = y.aval.ndim - 1
    pairs = lax.slice_in_dim(y, 1, n, axis=rank) + lax.slice_in_dim(y, 0, n - 1, axis=rank)  # type: ignore[operator]
    return sum(pairs * step, axis=-1) * 0.5  # type: ignore[no-any-return]


def unwrap(p: Any, discont: Any = None, axis: int = -1, period: Any = 2 * math.pi) -> Array:
    """Angles made continuous: jumps of more than half a period are taken back.

    >>> import adlib.numpy as jnp
    >>> jnp.unwrap(jnp.array([0.0, 6.0]), period=6.0)
    Array([0., 0.], dtype=float32)
    """
    (p,) = promote_dtypes_inexact("unwrap", p)
    if p.aval.dtype.kind == "c":
        raise ValueError(f"unwrap takes angles, which are real, got {p.aval.str_short()}.{here()}")
    axis = axis_of(axis, p.aval.ndim)
    if p.aval.shape[axis] < 2:
        return p
    half = period / 2
    discont = half if discont is None else discont
    jump = diff(p, axis=axis)
    rest = remainder(jump + half, period) - half
    rest = where((rest == -half) & (jump > 0), half, rest)
    correction = where(abs(jump) < discont, 0.0, rest - jump)
    total = lax.cumsum(convert(to_array(correction, "unwrap"), p.aval.dtype), axis)
    first = lax.slice_in_dim(p, 0, 1, axis=axis)
    later = lax.slice_in_dim(p, 1, p.aval.shape[axis], axis=axis)
    return lax.concatenate([first, lax.add(later, total)], axis)


# ------------------------------------------------------------------------ covariance


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    dtype: Any = None,
) -> Array:
    """Covariance matrix of variables: rows of ``m`` (columns without ``rowvar``).

    Args:
      y: more variables.
      bias, ddof: divide by the number of samples N, or N - ddof, rather than by N - 1.
      fweights, aweights: how often each sample counts, and its weight.
      dtype: to compute in.

    >>> import adlib.numpy as jnp
    >>> jnp.cov(jnp.array([[0.0, 2.0], [0.0, 4.0]]))
    Array([[2., 4.],
           [4., 8.]], dtype=float32)
    """
    x = _variables(m, rowvar)
    if y is not None:
        other = _variables(y, rowvar)
        if other.aval.shape[1] != x.aval.shape[1]:
            raise ValueError(
                "cov: m and y must have as many samples each, got variables of shapes "
                f"{x.aval.shape} and {other.aval.shape}.{here()}"
            )
        x = concatenate([x, other], 0)
    (x,) = promote_dtypes_inexact("cov", x)
    if dtype is not None:
        x = convert(x, _inexact_dtype("cov", dtype))
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = _sample_weights(x, fweights, aweights)
    centre, total = average(x, axis=1, weights=weights, returned=True)
    total = total[0]
    if weights is None:
        scale = total - ddof
    elif aweights is None or not ddof:
        scale = total - ddof
    else:
        heavy = convert(to_array(aweights, "cov"), weights.aval.dtype)
        scale = total - ddof * sum(weights * heavy) / total
    x = lax.sub(x, lax.expand_dims(centre, (1,)))
    other = x if weights is None else x * lax.expand_dims(weights, (0,))  # type: ignore[operator]
    other = lax.conj(other) if x.aval.dtype.kind == "c" else other
    result = true_divide(dot(x, other.T), scale)  # type: ignore[attr-defined]
    return lax.squeeze(result, [d for d, n in enumerate(result.aval.shape) if n == 1])


def _inexact_dtype(name: str, dtype: Any) -> Any:
    found = wanted_dtype(dtype, name)
    if not dtypes.is_inexact(found):
        raise ValueError(f"{name}: dtype must be floating or complex, got {dtype}.{here()}")
    return found


def _variables(m: Any, rowvar: bool) -> Array:
    x = to_array(m, "cov")
    if x.aval.ndim > 2:
        raise ValueError(f"m has more than 2 dimensions: shape {x.aval.shape}{here()}")
    if x.aval.ndim < 2:
        return lax.reshape(x, (1, x.aval.size))
    return x if rowvar or x.aval.shape[0] == 1 else x.T  # type: ignore[attr-defined,no-any-return]


def _sample_weights(x: Array, fweights: Any, aweights: Any) -> Array | None:
    weights = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        w = to_array(given, "cov")
        if w.aval.shape != (x.aval.shape[1],):
            raise ValueError(
                f"cov: {name} must be a vector with one entry for each of the "
                f"{x.aval.shape[1]} samples, got shape {w.aval.shape}{here()}"
            )
        if name == "fweights" and not dtypes.is_integer(w.aval.dtype):
            raise TypeError(f"fweights must be integer.{here()}")
        w = convert(w, dtypes.real_of(x.aval.dtype))
        weights = w if weights is None else lax.mul(weights, w)
    return weights


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, dtype: Any = None) -> Array:
    """Matrix of correlation coefficients: ``cov`` of variables scaled to variance 1.

    >>> import adlib.numpy as jnp
    >>> jnp.corrcoef(jnp.array([[0.0, 2.0], [0.0, 4.0]])).shape
    (2, 2)
    """
    c = cov(x, y, rowvar, dtype=None if dtype is None else _inexact_dtype("corrcoef", dtype))
    if not c.aval.ndim:
        return true_divide(c, c)
    size = c.aval.shape[0]
    variance = c[np.arange(size), np.arange(size)]  # type: ignore[index]
    deviation = lax.sqrt(lax.real(variance) if c.aval.dtype.kind == "c" else variance)
    deviation = convert(deviation, c.aval.dtype)
    c = lax.div(lax.div(c, lax.expand_dims(deviation, (1,))), lax.expand_dims(deviation, (0,)))
    one = scalar(1, dtypes.real_of(c.aval.dtype))
    if c.aval.dtype.kind == "c":
        return lax.complex(*[lax.clamp(lax.neg(one), p, one) for p in (lax.real(c), lax.imag(c))])
    return lax.clamp(lax.neg(one), c, one)
