"""``conv_general_dilated``: convolution (as in networks: cross-correlation) in any number of axes.

It is linear in each operand, and the cotangents of both are convolutions again: of the output's
cotangent with the reversed kernel for the input, of the input with the cotangent for the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray
from adlib.core.primitive import Primitive, Sample
from adlib.ops.constructors import bilinear
from adlib.ops.conv_kernel import convolution
from adlib.ops.conv_numbers import (
    ConvDimensionNumbers,
    conv_dimension_numbers,
    output_shape,
    spatial_sizes,
)
from adlib.ops.conversion import convert
from adlib.ops.dot_kernel import with_dtypes
from adlib.ops.operands import normal, operands
from adlib.ops.precision import PrecisionLike, canonicalize_precision
from adlib.ops.reshaping import moveaxis, reshape
from adlib.ops.structural import rev
from adlib.ops.windows_geometry import Pads, Sizes, dilated, ints, padtype_to_pads, pairs

# ----------------------------------------------------------------- shape rule


def _shape(
    lhs: ShapedArray,
    rhs: ShapedArray,
    *,
    window_strides: Sizes,
    padding: Pads,
    lhs_dilation: Sizes,
    rhs_dilation: Sizes,
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: Any,
    preferred_element_type: Any,
) -> ShapedArray:
    if lhs.dtype != rhs.dtype:
        raise TypeError(
            "lax.conv_general_dilated requires arguments to have the same dtypes, got "
            f"{lhs.dtype.name}, {rhs.dtype.name}.{here()}\n  Repair: convert one with "
            "x.astype(...)."
        )
    if len(window_strides) != lhs.ndim - 2:
        raise ValueError(
            "conv_general_dilated window and window_strides must have the same number of "
            f"dimensions, but got {lhs.ndim - 2} and {len(window_strides)}.{here()}"
        )
    for name, values in (
        ("window_strides", window_strides),
        ("lhs_dilation", lhs_dilation),
        ("rhs_dilation", rhs_dilation),
    ):
        if len(values) != lhs.ndim - 2 or any(v < 1 for v in values):
            raise ValueError(
                f"conv_general_dilated {name} must hold a positive number for each of the "
                f"{lhs.ndim - 2} spatial axes, got {values}.{here()}"
            )
    _check_groups(lhs, rhs, dimension_numbers, feature_group_count, batch_group_count)
    shape = output_shape(
        lhs.shape,
        rhs.shape,
        dimension_numbers,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        batch_group_count,
    )
    dtype = lhs.dtype if preferred_element_type is None else preferred_element_type
    return ShapedArray(shape, dtype, lhs.weak_type and rhs.weak_type)


def _check_groups(
    lhs: ShapedArray,
    rhs: ShapedArray,
    numbers: ConvDimensionNumbers,
    feature_groups: int,
    batch_groups: int,
) -> None:
    if feature_groups < 1 or batch_groups < 1 or (feature_groups > 1 and batch_groups > 1):
        raise ValueError(
            "At most one of batch_group_count and feature_group_count may be > 1, and none < 1, "
            f"got batch_group_count={batch_groups} and feature_group_count={feature_groups}"
            f"{here()}"
        )
    batch, features = lhs.shape[numbers.lhs_spec[0]], lhs.shape[numbers.lhs_spec[1]]
    outputs, inputs = rhs.shape[numbers.rhs_spec[0]], rhs.shape[numbers.rhs_spec[1]]
    divided = (
        ("feature_group_count", feature_groups, "lhs feature", features),
        ("batch_group_count", batch_groups, "lhs batch", batch),
        ("feature_group_count", feature_groups, "rhs output feature", outputs),
        ("batch_group_count", batch_groups, "rhs output feature", outputs),
    )
    for name, count, what, size in divided:
        if size % count:
            raise ValueError(
                f"conv_general_dilated {name} must divide {what} dimension size, but {count} does "
                f"not divide {size}.{here()}"
            )
    if features // feature_groups != inputs:
        raise ValueError(
            "conv_general_dilated lhs feature dimension size divided by feature_group_count must "
            "equal the rhs input feature dimension size, but "
            f"{features} // {feature_groups} != {inputs}.{here()}\n  lhs has shape {lhs.shape} "
            f"with its features on axis {numbers.lhs_spec[1]}, rhs {rhs.shape} with its input "
            f"features on axis {numbers.rhs_spec[1]}. Repair: check dimension_numbers."
        )


def _kernel(
    xp: Any,
    *,
    window_strides: Sizes,
    padding: Pads,
    lhs_dilation: Sizes,
    rhs_dilation: Sizes,
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: Any,
    preferred_element_type: Any,
) -> Callable[[Any, Any], Any]:
    convolve = convolution(
        xp,
        dimension_numbers,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        feature_group_count,
        batch_group_count,
    )

    def run(lhs: Any, rhs: Any) -> Any:
        return with_dtypes(convolve, lhs.dtype, rhs.dtype, preferred_element_type)(lhs, rhs)

    return run


# ------------------------------------------------------------------ transpose


def _swapped(spec: Sizes) -> Sizes:
    """Batch and feature (or output and input features) in each other's place."""
    return (spec[1], spec[0], *spec[2:])


def _split(x: Any, axis: int, sizes: Sequence[int]) -> Any:
    shape = x.aval.shape
    return reshape(x, (*shape[:axis], *sizes, *shape[axis + 1 :]))


def _merged(x: Any, source: int, target: int) -> Any:
    """Axis ``source`` made the slower part of axis ``target`` (counted without ``source``)."""
    x = moveaxis(x, source, target)
    shape = x.aval.shape
    return reshape(x, (*shape[:target], shape[target] * shape[target + 1], *shape[target + 2 :]))


def _regrouped(rhs: Any, spec: Sizes, groups: int) -> Any:
    """A grouped kernel whose input features are those of all groups, outputs those of one."""
    if groups == 1:
        return rhs
    outputs, inputs = spec[0], spec[1]
    rhs = _split(rhs, outputs, (groups, rhs.aval.shape[outputs] // groups))
    return _merged(rhs, outputs, inputs)


def _transpose_lhs(
    ct: Any,
    lhs: ShapedArray,
    rhs: Any,
    *,
    window_strides: Sizes,
    padding: Pads,
    lhs_dilation: Sizes,
    rhs_dilation: Sizes,
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: Any,
    preferred_element_type: Any,
) -> Any:
    """The cotangent spread out by the strides, convolved with the reversed kernel."""
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    groups = feature_group_count * batch_group_count
    pads = []
    sizes = zip(
        spatial_sizes(lhs.shape, lhs_spec),
        spatial_sizes(rhs.aval.shape, rhs_spec),
        spatial_sizes(ct.aval.shape, out_spec),
        padding,
        window_strides,
        lhs_dilation,
        rhs_dilation,
        strict=True,
    )
    for n, k, m, (lo, _), stride, ld, rd in sizes:
        reach = dilated(k, rd)
        before = reach - 1 - lo
        pads.append((before, dilated(n, ld) + reach - 1 - dilated(m, stride) - before))
    kernel = rev(_regrouped(rhs, rhs_spec, groups), rhs_spec[2:])
    out = conv_general_dilated_p.bind(
        ct,
        convert(kernel, ct.aval.dtype),
        window_strides=lhs_dilation,
        padding=tuple(pads),
        lhs_dilation=window_strides,
        rhs_dilation=rhs_dilation,
        dimension_numbers=ConvDimensionNumbers(out_spec, _swapped(rhs_spec), lhs_spec),
        feature_group_count=groups,
        batch_group_count=1,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    if batch_group_count > 1:
        # the groups stand with the features, and belong to the batch
        features = lhs_spec[1]
        out = _split(
            out, features, (batch_group_count, out.aval.shape[features] // batch_group_count)
        )
        batch = lhs_spec[0]
        out = _merged(out, features, batch)
    return convert(out, lhs.dtype)


def _transpose_rhs(
    ct: Any,
    lhs: Any,
    rhs: ShapedArray,
    *,
    window_strides: Sizes,
    padding: Pads,
    lhs_dilation: Sizes,
    rhs_dilation: Sizes,
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: Any,
    preferred_element_type: Any,
) -> Any:
    """The input convolved with the cotangent; batch and features exchange their roles."""
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    pads = []
    sizes = zip(
        spatial_sizes(lhs.aval.shape, lhs_spec),
        spatial_sizes(rhs.shape, rhs_spec),
        spatial_sizes(ct.aval.shape, out_spec),
        padding,
        window_strides,
        lhs_dilation,
        rhs_dilation,
        strict=True,
    )
    for n, k, m, (lo, _), stride, ld, rd in sizes:
        pads.append((lo, dilated(k, rd) + dilated(m, stride) - 1 - dilated(n, ld) - lo))
    out = conv_general_dilated_p.bind(
        convert(lhs, ct.aval.dtype),
        ct,
        window_strides=rhs_dilation,
        padding=tuple(pads),
        lhs_dilation=lhs_dilation,
        rhs_dilation=window_strides,
        dimension_numbers=ConvDimensionNumbers(
            _swapped(lhs_spec), _swapped(out_spec), _swapped(rhs_spec)
        ),
        feature_group_count=batch_group_count,
        batch_group_count=feature_group_count,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    return convert(out, rhs.dtype)


# ------------------------------------------------------------------- batching


def _batch(
    axis: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    feature_group_count: int,
    batch_group_count: int,
    dimension_numbers: ConvDimensionNumbers,
    **params: Any,
) -> tuple[Any, int]:
    """The batch axis joins the batch, the outputs, or (with both) the groups."""
    lhs, rhs = args
    left, right = dims
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    groups = feature_group_count * batch_group_count

    def convolve(lhs: Any, rhs: Any, more: int = 1) -> Any:
        by_batch = batch_group_count > 1
        return conv_general_dilated_p.bind(
            lhs,
            rhs,
            dimension_numbers=dimension_numbers,
            feature_group_count=feature_group_count * (1 if by_batch else more),
            batch_group_count=batch_group_count * (more if by_batch else 1),
            **params,
        )

    if right is None:
        if batch_group_count == 1:
            out = convolve(_merged(lhs, left, lhs_spec[0]), rhs)
        else:
            out = convolve(_merged_inside(lhs, left, lhs_spec[0], batch_group_count), rhs)
        place = out_spec[0]
        return _split(out, place, (axis.size, out.aval.shape[place] // axis.size)), place
    place = out_spec[1]
    if left is None:
        if groups == 1:
            out = convolve(lhs, _merged(rhs, right, rhs_spec[0]))
            return _split(out, place, (axis.size, out.aval.shape[place] // axis.size)), place
        out = convolve(lhs, _merged_inside(rhs, right, rhs_spec[0], groups))
        per_group = out.aval.shape[place] // groups // axis.size
        out = moveaxis(_split(out, place, (groups, axis.size, per_group)), place + 1, 0)
        shape = out.aval.shape
        return reshape(out, (*shape[: place + 1], groups * per_group, *shape[place + 3 :])), 0
    joined = lhs_spec[0] if batch_group_count > 1 else lhs_spec[1]
    out = convolve(_merged(lhs, left, joined), _merged(rhs, right, rhs_spec[0]), axis.size)
    return _split(out, place, (axis.size, out.aval.shape[place] // axis.size)), place


def _merged_inside(x: Any, source: int, target: int, groups: int) -> Any:
    """Axis ``source`` put into axis ``target`` between its groups and what they hold."""
    x = moveaxis(x, source, 0)
    size = x.aval.shape[target + 1]
    x = _split(x, target + 1, (groups, size // groups))
    x = moveaxis(x, 0, target + 1)
    shape = x.aval.shape
    whole = math.prod(shape[target : target + 3])
    return reshape(x, (*shape[:target], whole, *shape[target + 3 :]))


# ------------------------------------------------------------------ primitive


def _params(
    numbers: Any,
    rank: int = 1,
    *,
    strides: Any = 1,
    pads: Any = (0, 0),
    ld: Any = 1,
    rd: Any = 1,
    features: int = 1,
    batches: int = 1,
) -> dict[str, Any]:
    def each(value: Any) -> Any:
        return value if rank > 1 else (value,)

    return dict(
        window_strides=each(strides),
        padding=each(pads),
        lhs_dilation=each(ld),
        rhs_dilation=each(rd),
        feature_group_count=features,
        batch_group_count=batches,
        dimension_numbers=ConvDimensionNumbers(
            *conv_dimension_numbers((0,) * (rank + 2), (0,) * (rank + 2), numbers)
        ),
        precision=None,
        preferred_element_type=None,
    )


def _samples() -> list[Sample]:
    nhc, c64 = ("NHC", "HIO", "NHC"), np.complex64
    two: dict[str, Any] = dict(rank=2, strides=(2, 1), pads=((1, 0), (0, 1)), ld=(1, 1), rd=(1, 1))
    line, taps = normal(2, 2, 5), normal(3, 2, 2)
    grouped = (normal(2, 2, 5), normal(4, 1, 2))
    return [
        Sample((line, taps), _params(None), "plain"),
        Sample((line, taps), _params(None, strides=2, pads=(1, 2)), "strides"),
        Sample((line, taps), _params(None, pads=(2, -1), rd=2), "kernel-dilation"),
        Sample((line, taps), _params(None, pads=(-1, 3), ld=2), "input-dilation"),
        Sample((line, taps), _params(None, pads=(1, 1), ld=2, strides=3, rd=2), "all"),
        Sample((normal(2, 4, 2), normal(2, 2, 3)), _params(nhc, pads=(1, 0)), "channels-last"),
        Sample(grouped, _params(None, pads=(1, 0), features=2), "feature-groups"),
        Sample(
            (normal(4, 1, 5), normal(2, 1, 2)),
            _params(None, pads=(0, 1), batches=2),
            "batch-groups",
        ),
        Sample((normal(1, 2, 3, 3), normal(2, 2, 2, 2)), _params(None, **two), "two-axes"),
        Sample(
            (normal(1, 3, 3, 2), normal(2, 2, 2, 1)),
            _params(("NHWC", "HWIO", "NHWC"), **two),
            "two-axes-last",
        ),
        Sample((normal(1, 2, 4, dtype=c64), normal(2, 2, 2, dtype=c64)), _params(None), "complex"),
        Sample(
            (normal(1, 1, 5, dtype=np.int32), normal(1, 1, 2, dtype=np.int32)), _params(None), "int"
        ),
        Sample((normal(1, 1, 2), normal(1, 1, 3)), _params(None), "empty"),
        Sample(
            (normal(1, 1, 4, dtype=dtypes.bfloat16), normal(1, 1, 2, dtype=dtypes.bfloat16)),
            _params(None),
            "bfloat16",
        ),
    ]


conv_general_dilated_p: Primitive = bilinear(
    "conv_general_dilated",
    shape=_shape,
    kernel=_kernel,
    transpose_lhs=_transpose_lhs,
    transpose_rhs=_transpose_rhs,
    batch=_batch,
    samples=_samples,
)

PaddingLike = str | Sequence[tuple[int, int]]


def conv_general_dilated(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: PaddingLike,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    out_sharding: None = None,
) -> Any:
    """Convolution of an input with a kernel; the kernel is not reversed.

    Args:
      lhs: input, with a batch axis, a feature axis and n spatial axes.
      rhs: kernel, with an output and an input feature axis and n spatial axes.
      window_strides: n distances between windows.
      padding: "SAME", "VALID", "SAME_LOWER", or n pairs (low, high); negative ones cut off.
      lhs_dilation, rhs_dilation: n distances between neighbouring elements of input and kernel.
      dimension_numbers: which axis is which, such as ``("NHWC", "HWIO", "NHWC")``, see
        ``conv_dimension_numbers``; None means ``("NCHW", "OIHW", "NCHW")``.
      feature_group_count: features in this many groups, each with its part of the outputs.
      batch_group_count: the batch in this many groups, each with its part of the outputs.
      precision, preferred_element_type: as for ``dot_general``.

    Raises TypeError or ValueError where shapes do not fit.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> x = jnp.arange(5.0).reshape(1, 1, 5)
    >>> lax.conv_general_dilated(x, jnp.ones((1, 1, 2)), (1,), "VALID")[0, 0]
    Array([1., 3., 5., 7.], dtype=float32)
    """
    x, w = operands("conv_general_dilated", lhs, rhs)
    numbers = conv_dimension_numbers(x.aval.shape, w.aval.shape, dimension_numbers)
    rank = x.aval.ndim - 2
    strides = ints(window_strides)
    lhs_dilation = (1,) * rank if lhs_dilation is None else ints(lhs_dilation)
    rhs_dilation = (1,) * rank if rhs_dilation is None else ints(rhs_dilation)
    preferred = preferred_element_type
    pads: Any = padding
    if isinstance(padding, str) and any(d != 1 for d in lhs_dilation):
        raise ValueError(
            f"conv_general_dilated: padding {padding!r} is not defined for a dilated input "
            f"(lhs_dilation={lhs_dilation}).{here()}\n  Repair: lax.conv_transpose, or paddings "
            "(low, high) for each spatial axis."
        )
    if isinstance(padding, str) and len(strides) == len(rhs_dilation) == rank:
        kernel = [
            dilated(k, d)
            for k, d in zip(
                spatial_sizes(w.aval.shape, numbers.rhs_spec), rhs_dilation, strict=True
            )
        ]
        sizes = spatial_sizes(x.aval.shape, numbers.lhs_spec)
        pads = padtype_to_pads(sizes, kernel, [max(1, s) for s in strides], padding)
    elif isinstance(padding, str):
        pads = [(0, 0)] * rank  # the shape rule says what does not fit
    return conv_general_dilated_p.bind(
        x,
        w,
        window_strides=strides,
        padding=pairs(pads),
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=numbers,
        feature_group_count=int(feature_group_count),
        batch_group_count=int(batch_group_count),
        precision=canonicalize_precision(precision),
        preferred_element_type=(
            None if preferred is None else dtypes.canonicalize_dtype(preferred)
        ),
    )
