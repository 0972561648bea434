"""How a convolution is computed: windows laid out as rows of a matrix, and one product.

Rows are made with channels last, so that what is copied lies together in memory, and in
pieces that fit the cache rather than for the whole batch. A dilated input is not filled with
zeros that would be multiplied: its elements are multiplied first and added where they belong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.ops.conv_numbers import ConvDimensionNumbers
from adlib.ops.windows_geometry import Pads, Sizes, dilated, output_size, padded, windows_of

# Elements of a matrix of windows that are made at a time.
_PIECE = 1 << 17


def convolution(
    xp: Any,
    numbers: ConvDimensionNumbers,
    strides: Sizes,
    pads: Pads,
    lhs_dilation: Sizes,
    rhs_dilation: Sizes,
    feature_groups: int,
    batch_groups: int,
) -> Callable[[Any, Any], Any]:
    """A function of ndarrays (of one dtype) that convolves."""
    rank = len(strides)
    spatial = tuple(range(2, 2 + rank))
    lhs_order = (numbers.lhs_spec[0], *numbers.lhs_spec[2:], numbers.lhs_spec[1])
    rhs_order = (*numbers.rhs_spec[2:], numbers.rhs_spec[1], numbers.rhs_spec[0])
    out_order = tuple(
        int(i)
        for i in np.argsort((numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))
    )
    groups = feature_groups * batch_groups

    def convolve(lhs: Any, rhs: Any) -> Any:
        # input (group, batch, spatial..., feature), kernel (group, window..., feature, output)
        x = _grouped_input(xp, lhs.transpose(lhs_order), feature_groups, batch_groups)
        w = rhs.transpose(rhs_order)
        w = w.reshape((*w.shape[:-1], groups, w.shape[-1] // groups))
        w = w.transpose((rank + 1, *range(rank + 1), rank + 2))
        if any(d > 1 for d in lhs_dilation) and all(s == 1 for s in strides):
            out = _scattered(xp, x, w, pads, lhs_dilation, rhs_dilation)
        elif groups == 1 and _is_correlation(x, w, strides, pads, lhs_dilation, rhs_dilation):
            x = padded(xp, x, spatial, pads, lhs_dilation, 0, keep_layout=True)
            out = _by_position(xp, x[0], w[0], strides, rhs_dilation)
        else:
            x = padded(xp, x, spatial, pads, lhs_dilation, 0)
            out = _gathered(xp, xp.ascontiguousarray(x), w, strides, rhs_dilation)
        # (group, batch, spatial..., output) with the groups joined to the outputs
        out = out.transpose((*range(1, rank + 2), 0, rank + 2))
        out = out.reshape((*out.shape[:-2], out.shape[-2] * out.shape[-1]))
        return out.transpose(out_order)

    return convolve


def _grouped_input(xp: Any, x: Any, feature_groups: int, batch_groups: int) -> Any:
    if batch_groups > 1:
        return x.reshape((batch_groups, x.shape[0] // batch_groups, *x.shape[1:]))
    if feature_groups == 1:
        return x[None]
    x = x.reshape((*x.shape[:-1], feature_groups, x.shape[-1] // feature_groups))
    return x.transpose((x.ndim - 2, *range(x.ndim - 2), x.ndim - 1))


def _gathered(xp: Any, x: Any, w: Any, strides: Sizes, rhs_dilation: Sizes) -> Any:
    """Windows of the input as rows, times the kernel as a matrix."""
    rank = len(strides)
    kernel = w.shape[1 : 1 + rank]
    view = windows_of(xp, x, tuple(range(2, 2 + rank)), kernel, strides, rhs_dilation)
    # (group, batch, spatial..., feature, window...) -> the feature axis last
    view = view.transpose((*range(rank + 2), *range(rank + 3, 2 * rank + 3), rank + 2))
    groups, batch = view.shape[:2]
    inner, outputs = math.prod(w.shape[1:-1]), w.shape[-1]
    matrix = w.reshape((groups, inner, outputs))
    shape = (*view.shape[: rank + 2], outputs)
    if not math.prod(view.shape) or not outputs:
        return xp.zeros(shape, x.dtype)

    def product(part: Any) -> Any:
        rows = part.reshape((groups, -1, inner))
        if groups == 1:
            return xp.dot(rows[0], matrix[0]).reshape((*part.shape[: rank + 2], outputs))
        return xp.matmul(rows, matrix).reshape((*part.shape[: rank + 2], outputs))

    rows = math.prod(view.shape[2 : rank + 2])
    if groups * batch * rows * inner <= _PIECE:
        return product(view)
    out = xp.empty(shape, x.dtype)
    # pieces of the batch; where one item alone is too large, of its first spatial axis too
    step = max(1, _PIECE // (groups * rows * inner))
    lines = view.shape[2] if rank else 1
    line_step = lines
    if step == 1 and rank:
        line_step = max(1, min(lines, _PIECE * lines // (groups * rows * inner)))
    for b in range(0, batch, step):
        for i in range(0, lines, line_step):
            piece = (slice(None), slice(b, b + step), *[slice(i, i + line_step)] * bool(rank))
            out[piece] = product(view[piece])
    return out


def _result_sizes(
    x: Any, w: Any, strides: Sizes, pads: Pads, lhs_dilation: Sizes, rhs_dilation: Sizes
) -> Sizes:
    rank = len(strides)
    sizes = zip(
        x.shape[2 : 2 + rank],
        w.shape[1 : 1 + rank],
        strides,
        pads,
        lhs_dilation,
        rhs_dilation,
        strict=True,
    )
    return tuple(
        [
            output_size(dilated(n, ld) + lo + hi, dilated(k, rd), s)
            for n, k, s, (lo, hi), ld, rd in sizes
        ]
    )


def _is_correlation(x: Any, w: Any, *geometry: Any) -> bool:
    """Whether few large windows are multiplied, as for the cotangent of a kernel."""
    rank = x.ndim - 3
    count = math.prod(_result_sizes(x, w, *geometry))
    few = 0 < count < math.prod(w.shape[1 : 1 + rank])
    return bool(few and x.size and w.size)


def _by_position(xp: Any, x: Any, w: Any, strides: Sizes, rhs_dilation: Sizes) -> Any:
    """One product for each output position, with the summed axes in the input's memory order."""
    rank = len(strides)
    kernel, outputs = w.shape[:rank], w.shape[-1]
    counts = [
        output_size(n, dilated(k, d), s)
        for n, k, s, d in zip(x.shape[1:-1], kernel, strides, rhs_dilation, strict=True)
    ]
    summed = sorted(range(1, rank + 2), key=lambda axis: -x.strides[axis])
    batch_last = x.strides[0] < x.strides[summed[-1]]
    order = (*summed, 0) if batch_last else (0, *summed)
    matrix = w.transpose((*[axis - 1 for axis in summed], rank + 1))
    out = xp.zeros((1, x.shape[0], *counts, outputs), x.dtype)
    places = [
        (
            slice(None),
            *[
                slice(p * s, p * s + dilated(k, d), d)
                for p, s, k, d in zip(position, strides, kernel, rhs_dilation, strict=True)
            ],
        )
        for position in np.ndindex(*counts)
    ]
    # the sum in pieces that stay in the cache while all positions use them
    size = x[places[0]].size // max(1, matrix.shape[0])
    step = max(1, _PIECE // max(1, size))
    lead = order.index(summed[0])
    for start in range(0, matrix.shape[0], step):
        piece = (*[slice(None)] * lead, slice(start, start + step))
        right = matrix[start : start + step].reshape((-1, outputs))
        for position, place in zip(np.ndindex(*counts), places, strict=True):
            rows = x[place].transpose(order)[piece]
            if batch_last:
                rows = rows.reshape((-1, x.shape[0])).T
            else:
                rows = rows.reshape((x.shape[0], -1))
            out[(0, slice(None), *position)] += xp.dot(rows, right)
    return out


def _scattered(
    xp: Any, x: Any, w: Any, pads: Pads, lhs_dilation: Sizes, rhs_dilation: Sizes
) -> Any:
    """Every input element times every kernel element, added up where they land.

    Output o meets input i (at place i·dilation + lo) at kernel element k where
    o + k·rhs_dilation = i·lhs_dilation + lo.
    """
    rank = len(pads)
    groups, batch, *sizes, features = x.shape
    kernel, outputs = w.shape[1 : 1 + rank], w.shape[-1]
    reach = [dilated(k, d) for k, d in zip(kernel, rhs_dilation, strict=True)]
    spans = [dilated(n, d) for n, d in zip(sizes, lhs_dilation, strict=True)]
    out_sizes = [
        max(0, span + lo + hi - r + 1) for span, (lo, hi), r in zip(spans, pads, reach, strict=True)
    ]
    shape = (groups, batch, *out_sizes, outputs)
    if not math.prod(shape) or not x.size or not w.size:
        return xp.zeros(shape, x.dtype)
    # a buffer of all places that are met: it starts at the output's place -before
    before = [max(0, r - 1 - lo) for r, (lo, _) in zip(reach, pads, strict=True)]
    extent = [
        max(b + n, b + lo + span)
        for b, n, (lo, _), span in zip(before, out_sizes, pads, spans, strict=True)
    ]
    buffer = xp.zeros((groups, batch, *extent, outputs), x.dtype)
    rows = x.reshape((groups, -1, features))
    count = math.prod(kernel)
    # (group, features, kernel · outputs): all kernel elements in one product
    matrix = w.reshape((groups, count, features, outputs)).transpose((0, 2, 1, 3))
    matrix = matrix.reshape((groups, features, count * outputs))
    step = max(1, _PIECE // max(1, groups * math.prod(sizes) * count * outputs))
    per_item = math.prod(sizes)
    for b in range(0, batch, step):
        part = rows[:, b * per_item : (b + step) * per_item]
        made = xp.matmul(part, matrix).reshape((groups, -1, *sizes, count, outputs))
        for flat, k in enumerate(np.ndindex(*kernel)):
            place = [
                slice(b0 + lo - i * rd, b0 + lo - i * rd + span, ld)
                for b0, (lo, _), i, rd, span, ld in zip(
                    before, pads, k, rhs_dilation, spans, lhs_dilation, strict=True
                )
            ]
            target = buffer[(slice(None), slice(b, b + step), *place)]
            target += made[..., flat, :]
    view = [slice(b0, b0 + n) for b0, n in zip(before, out_sizes, strict=True)]
    return buffer[(slice(None), slice(None), *view)]
