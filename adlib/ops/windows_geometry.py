"""Windows that slide over axes: paddings by name, sizes of results, and cutting windows out.

Convolutions and windowed reductions share this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adlib.base.source import here
from adlib.core.avals import ShapedArray

Pads = tuple[tuple[int, int], ...]
Sizes = tuple[int, ...]


def dilated(size: int, dilation: int) -> int:
    """Extent of ``size`` elements with ``dilation - 1`` gaps between neighbours."""
    return 0 if size == 0 else (size - 1) * dilation + 1


def output_size(padded: int, window: int, stride: int) -> int:
    """How many windows fit into ``padded`` elements, ``stride`` apart."""
    return max(0, (padded - window) // stride + 1)


def padtype_to_pads(
    in_shape: Sequence[int],
    window_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str,
) -> list[tuple[int, int]]:
    """The (low, high) paddings that a name stands for.

    "VALID" pads nothing; "SAME" pads such that there are ``ceil(size / stride)`` windows, the
    odd element at the end; "SAME_LOWER" has it at the start.

    Raises RuntimeError for any other name.
    """
    name = padding.upper() if isinstance(padding, str) else padding
    if name == "VALID":
        return [(0, 0)] * len(in_shape)
    if name not in ("SAME", "SAME_LOWER"):
        raise RuntimeError(
            "Unrecognized padding type: expected 'VALID', 'SAME', or 'SAME_LOWER', got "
            f"{padding}.{here()}\n  Repair: use one of these, or (low, high) for each axis."
        )
    pads = []
    for size, window, stride in zip(in_shape, window_shape, window_strides, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + window - size)
        less, more = total // 2, total - total // 2
        pads.append((less, more) if name == "SAME" else (more, less))
    return pads


def ints(values: Sequence[Any]) -> Sizes:
    return tuple([int(v) for v in values])


def pairs(values: Sequence[Any]) -> Pads:
    return tuple([(int(lo), int(hi)) for lo, hi in values])


def padded(
    xp: Any,
    x: Any,
    axes: Sequence[int],
    pads: Pads,
    dilation: Sizes,
    fill: Any,
    keep_layout: bool = False,
) -> Any:
    """A copy of ``x`` with gaps and borders of ``fill`` along ``axes``; x itself if there are none.

    Negative paddings cut off. With ``keep_layout`` the axes lie in memory as they do in x.
    """
    if all(p == (0, 0) for p in pads) and all(d == 1 for d in dilation):
        return x
    shape = list(x.shape)
    target, origin = [slice(None)] * x.ndim, [slice(None)] * x.ndim
    for axis, (lo, hi), d in zip(axes, pads, dilation, strict=True):
        size = x.shape[axis]
        shape[axis] = max(0, dilated(size, d) + lo + hi)
        # elements first … last - 1 stay in sight
        first = max(0, -(lo // d)) if lo < 0 else 0
        last = min(size, -(-(shape[axis] - lo) // d)) if shape[axis] > lo else 0
        last = max(first, last)
        origin[axis] = slice(first, last)
        start = lo + first * d
        target[axis] = slice(start, start + dilated(last - first, d), d)
    if keep_layout:
        out = xp.full_like(x, fill, shape=tuple(shape), order="K")
    else:
        out = xp.full(shape, fill, x.dtype)
    if all(s.stop > s.start for s in origin if s.stop is not None):
        out[tuple(target)] = x[tuple(origin)]
    return out


def windows_of(
    xp: Any, x: Any, axes: Sequence[int], window: Sizes, strides: Sizes, dilation: Sizes
) -> Any:
    """A view of all windows: the axes now count windows, and axes within them come last."""
    shape, steps = list(x.shape), list(x.strides)
    inner_shape, inner_steps = [], []
    for axis, size, stride, d in zip(axes, window, strides, dilation, strict=True):
        shape[axis] = output_size(x.shape[axis], dilated(size, d), stride)
        inner_shape.append(size)
        inner_steps.append(steps[axis] * d)
        steps[axis] *= stride
    return xp.lib.stride_tricks.as_strided(x, (*shape, *inner_shape), (*steps, *inner_steps))


# ------------------------------------------------------- reductions over windows


def check_window(
    name: str, x: ShapedArray, window: Sizes, strides: Sizes, *dilations: Sizes
) -> None:
    for what, values in (
        ("window_dimensions", window),
        ("window_strides", strides),
        *[("dilation", d) for d in dilations],
    ):
        if len(values) != x.ndim:
            raise TypeError(
                f"{name} got {len(values)} {what} for an operand of {x.ndim} axes, of shape "
                f"{x.shape}.{here()}\n  Repair: one number for each axis, 1 for the batch and "
                "channel axes."
            )
        if any(v < 1 for v in values):
            raise TypeError(f"{name} {what} must be positive, got {values}.{here()}")


def reduce_window_shape_tuple(
    operand_shape: Sequence[int],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Sizes:
    """Shape of a windowed reduction.

    >>> from adlib import lax
    >>> lax.reduce_window_shape_tuple((5, 5), (2, 2), (2, 2), ((0, 0), (1, 0)))
    (2, 3)
    """
    ones = (1,) * len(operand_shape)
    base = ones if base_dilation is None else base_dilation
    spread = ones if window_dilation is None else window_dilation
    sizes = [dilated(n, d) for n, d in zip(operand_shape, base, strict=True)]
    reach = [dilated(k, d) for k, d in zip(window_dimensions, spread, strict=True)]
    if isinstance(padding, str):
        padding = padtype_to_pads(sizes, reach, window_strides, padding)
    return tuple(
        [
            output_size(n + int(lo) + int(hi), k, s)
            for n, (lo, hi), k, s in zip(sizes, padding, reach, window_strides, strict=True)
        ]
    )


def window_shape(
    name: str,
    x: ShapedArray,
    *,
    window_dimensions: Sizes,
    window_strides: Sizes,
    padding: Pads,
    base_dilation: Sizes,
    window_dilation: Sizes,
) -> ShapedArray:
    check_window(name, x, window_dimensions, window_strides, base_dilation, window_dilation)
    if len(padding) != x.ndim:
        raise TypeError(
            f"{name} got {len(padding)} paddings for an operand of {x.ndim} axes.{here()}"
        )
    shape = reduce_window_shape_tuple(
        x.shape, window_dimensions, window_strides, padding, base_dilation, window_dilation
    )
    return ShapedArray(shape, x.dtype, x.weak_type)


def in_step(places: Sizes, counts: Sizes, strides: Sizes) -> tuple[slice, ...]:
    """The elements at one place within each window."""
    return tuple(
        [slice(p, p + (n - 1) * s + 1, s) for p, n, s in zip(places, counts, strides, strict=True)]
    )


def widened(window: dict[str, Any]) -> dict[str, Any]:
    """Parameters for operands with one more axis in front, over which windows do not reach."""
    more: dict[str, Any] = {}
    for name, value in window.items():
        if name == "padding":
            more[name] = ((0, 0), *value)
        else:
            more[name] = value if name == "select_prim" else (1, *value)
    return more


def _zero_of(dtype: Any) -> Any:
    """Parameters of a windowed reduction."""
    return 0


def window_params(
    window: Any, strides: Any, pads: Any, base: Any = None, spread: Any = None
) -> Any:
    """Parameters of a windowed reduction."""
    ones = (1,) * len(window)
    return dict(
        window_dimensions=window,
        window_strides=strides,
        padding=pads,
        base_dilation=base or ones,
        window_dilation=spread or ones,
    )
