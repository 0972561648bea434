"""Histograms in one and more dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core.array import Array, scalar
from adlib.numpy.choosing import where
from adlib.numpy.creation import array
from adlib.numpy.promotion import (
    convert,
    index_dtype,
    promote_dtypes,
    promote_dtypes_inexact,
    to_array,
)
from adlib.numpy.ranges import linspace
from adlib.numpy.reductions import max, min, sum
from adlib.numpy.shaping import ravel
from adlib.numpy.sorting import bincount, searchsorted
from adlib.numpy.splitting import diff
from adlib.numpy.ufuncs import true_divide


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    """The edges of the bins that ``histogram`` takes.

    >>> import adlib.numpy as jnp
    >>> jnp.histogram_bin_edges(jnp.array([0.0, 2.0]), bins=2)
    Array([0., 1., 2.], dtype=float32)
    """
    if isinstance(bins, str):
        raise NotImplementedError(
            "jnp.histogram: bins must be a number or a vector of edges; automatic choices such as "
            f"{bins!r} are not supported.{here()}"
        )
    (x,) = promote_dtypes_inexact("histogram_bin_edges", a)
    if not np.ndim(bins) and int(bins) < 1:
        raise ValueError(f"jnp.histogram: there must be at least one bin, got {bins}.{here()}")
    if np.ndim(bins):
        return array(bins, x.aval.dtype)
    if range is None:
        low, high = (min(x), max(x)) if x.aval.size else (array(0.0), array(1.0))
    else:
        low, high = (convert(to_array(v, "histogram"), x.aval.dtype) for v in range)
    empty = lax.eq(*promote_dtypes_inexact("histogram", low, high))
    # all values equal: a bin of width 1 around them
    low, high = where(empty, low - 0.5, low), where(empty, high + 0.5, high)
    return linspace(low, high, int(bins) + 1, dtype=x.aval.dtype)  # type: ignore[no-any-return]


def _bin_of(x: Array, edges: Array) -> tuple[Array, Array]:
    """The bin of each element, and whether it is in one; the last bin has its right edge."""
    count = edges.aval.size
    place = searchsorted(edges, x, side="right")
    last = lax.eq(x, edges[count - 1])  # type: ignore[index]
    place = lax.select_n(last, place, lax.full_like(place, count - 1))
    inside = (place >= 1) & (place <= count - 1)  # type: ignore[operator]
    return lax.sub(place, scalar(1, place.aval.dtype)), inside


def histogram(
    a: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
) -> tuple[Array, Array]:
    """How many elements fall into each bin, and the edges of the bins.

    Args:
      bins: number of bins of equal width, or a vector of edges.
      range: pair (lowest, highest), for a number of bins; by default of the elements.
      weights: what each element counts.
      density: scale counts so that the histogram has integral 1.

    >>> import adlib.numpy as jnp
    >>> jnp.histogram(jnp.array([0.0, 1.0, 1.5, 2.0]), bins=2)[0]
    Array([1., 3.], dtype=float32)
    """
    (x,) = promote_dtypes_inexact("histogram", a)
    x = convert(ravel(x), x.aval.dtype)
    edges = histogram_bin_edges(x, bins, range, weights)
    if weights is None:
        w = lax.full(x.aval.shape, scalar(1, x.aval.dtype))
    else:
        given = to_array(weights, "histogram")
        if given.aval.size != x.aval.size:
            raise ValueError(f"weights should have the same shape as a.{here()}")
        w = ravel(given)
    place, inside = _bin_of(x, edges)
    w = where(inside, w, lax.full_like(w, 0))
    counts = bincount(place, w, length=edges.aval.size - 1)
    if density:
        counts = true_divide(true_divide(counts, sum(counts)), diff(edges))
    return counts, edges


def histogramdd(
    sample: Any,
    bins: Any = 10,
    range: Any = None,
    weights: Any = None,
    density: bool | None = None,
) -> tuple[Array, list[Array]]:
    """Histogram of points with several coordinates.

    Args:
      sample: array with one row for each point, or one vector for each coordinate.
      bins, range: for all coordinates, or a sequence with one for each.

    >>> import adlib.numpy as jnp
    >>> jnp.histogramdd(jnp.array([[0.0, 0.0], [1.0, 1.0]]), bins=2)[0]
    Array([[1, 0],
           [0, 1]], dtype=int32)
    """
    if isinstance(sample, (list, tuple)):
        sample = lax.stack([to_array(s, "histogramdd") for s in sample], 1)
    (x,) = promote_dtypes_inexact("histogramdd", sample)
    count, rank = x.aval.shape
    several = isinstance(bins, (list, tuple)) or np.ndim(bins)
    bins = list(bins) if several else [bins] * rank
    ranges = list(range) if range is not None else [None] * rank
    if len(bins) != rank or len(ranges) != rank:
        raise ValueError(
            f"histogramdd: bins and range must have one entry for each of the {rank} "
            f"coordinates{here()}"
        )
    columns = lax.unstack(x, 1)
    edges = [histogram_bin_edges(c, b, r) for c, b, r in zip(columns, bins, ranges, strict=True)]
    integer = index_dtype()
    flat, inside = lax.full((count,), scalar(0, integer)), None
    for column, edge in zip(columns, edges, strict=True):
        place, within = _bin_of(column, edge)
        flat = flat * (edge.aval.size - 1) + place
        inside = within if inside is None else inside & within
    shape = tuple([e.aval.size - 1 for e in edges])
    total = int(np.prod(shape))
    w = scalar(1, integer)
    if weights is not None:
        (w,) = promote_dtypes_inexact("histogramdd", weights)
    w = where(inside, w, lax.full_like(w, 0))
    hist = lax.reshape(bincount(flat, w, length=total), shape)
    if density:
        hist = true_divide(hist, sum(hist))
        for d, edge in enumerate(edges):
            column = [1] * rank
            column[d] = edge.aval.size - 1
            hist = true_divide(hist, lax.reshape(diff(edge), column))
    return hist, edges


def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    weights: Any = None,
    density: bool | None = None,
) -> tuple[Array, Array, Array]:
    """Histogram of points in the plane, and the edges along both axes.

    >>> import adlib.numpy as jnp
    >>> jnp.histogram2d(jnp.array([0.0, 1.0]), jnp.array([0.0, 1.0]), bins=2)[0]
    Array([[1, 0],
           [0, 1]], dtype=int32)
    """
    x, y = promote_dtypes("histogram2d", x, y)
    if np.ndim(bins) == 1 and len(bins) not in (1, 2):
        bins = [bins, bins]  # one vector of edges for both axes
    elif np.ndim(bins) == 1 and not isinstance(bins, (list, tuple)):
        bins = [bins, bins] if len(bins) == 1 else list(bins)
    hist, edges = histogramdd([x, y], bins, range, weights, density)
    return hist, edges[0], edges[1]
