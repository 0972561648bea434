"""Convolutions by other names: plain, transposed, as patches, with a kernel for each place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core.array import table
from adlib.ops.conv import PaddingLike, conv_general_dilated
from adlib.ops.conv_numbers import (
    ConvDimensionNumbers,
    conv_dimension_numbers,
    spatial_sizes,
    transposed_padding,
)
from adlib.ops.dot import dot_general
from adlib.ops.operands import operands
from adlib.ops.precision import PrecisionLike
from adlib.ops.reshaping import transpose
from adlib.ops.structural import rev
from adlib.ops.windows_geometry import dilated, ints


def conv(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """``conv_general_dilated`` in the layouts NCHW and OIHW, without dilation.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> image = jnp.arange(9.0).reshape(1, 1, 3, 3)
    >>> lax.conv(image, jnp.ones((1, 1, 2, 2)), (1, 1), "VALID")[0, 0]
    Array([[ 8., 12.],
           [20., 24.]], dtype=float32)
    """
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_with_general_padding(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: PaddingLike,
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """``conv_general_dilated`` in the layouts NCHW and OIHW.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> x, kernel = jnp.ones((1, 1, 3)), jnp.ones((1, 1, 2))
    >>> lax.conv_with_general_padding(x, kernel, (1,), ((1, 0),), None, None)[0, 0]
    Array([1., 2., 2.], dtype=float32)
    """
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: PaddingLike,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
) -> Any:
    """Transposed ("fractionally strided") convolution: sizes grow by ``strides``.

    Args:
      lhs, rhs: input and kernel as for ``conv_general_dilated``; by default in the layouts
        NHWC and HWIO (NHC and HIO for one spatial axis, and so on).
      strides: by how much each spatial axis grows.
      padding: "SAME" or "VALID", of the convolution that this one undoes, or pairs of
        paddings of the dilated input itself.
      transpose_kernel: reverse the kernel and exchange its features, which makes the result
        the exact transpose of a convolution with that kernel.
      use_consistent_padding: pairs, too, are those of the convolution that is undone.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.conv_transpose(jnp.ones((1, 2, 1)), jnp.ones((3, 1, 1)), (2,), "VALID")[0, :, 0]
    Array([1., 1., 2., 1., 1.], dtype=float32)
    """
    x, w = operands("conv_transpose", lhs, rhs)
    rank = x.aval.ndim - 2
    if dimension_numbers is None:
        letters = {1: "H", 2: "HW", 3: "HWD"}.get(rank)
        if letters is None:
            raise ValueError(
                f"conv_transpose: give dimension_numbers for {rank} spatial axes: there is a "
                f"default for 1, 2 and 3.{here()}"
            )
        dimension_numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    numbers = conv_dimension_numbers(x.aval.shape, w.aval.shape, dimension_numbers)
    rhs_dilation = (1,) * rank if rhs_dilation is None else ints(rhs_dilation)
    reach = [
        dilated(k, d)
        for k, d in zip(spatial_sizes(w.aval.shape, numbers.rhs_spec), rhs_dilation, strict=True)
    ]
    if isinstance(padding, str):
        pads: Any = [transposed_padding(k, s, padding) for k, s in zip(reach, strides, strict=True)]
    elif use_consistent_padding:
        pads = [(k - 1 - lo, k - 1 - hi) for k, (lo, hi) in zip(reach, padding, strict=True)]
    else:
        pads = padding
    if transpose_kernel:
        spec = numbers.rhs_spec
        w = rev(w, spec[2:])
        order = list(range(rank + 2))
        order[spec[0]], order[spec[1]] = spec[1], spec[0]
        w = transpose(w, order)
    return conv_general_dilated(
        x,
        w,
        (1,) * rank,
        pads,
        strides,
        rhs_dilation,
        numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


# -------------------------------------------------------------------- patches


def conv_general_dilated_patches(
    lhs: Any,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: PaddingLike,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """The windows that a convolution would multiply, laid out along the feature axis.

    For an input with C features and a window of K elements the result has C·K features,
    those of one input feature together.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.conv_general_dilated_patches(jnp.arange(4.0).reshape(1, 1, 4), (2,), (1,), "VALID")
    Array([[[0., 1., 2.],
            [1., 2., 3.]]], dtype=float32)
    """
    (x,) = operands("conv_general_dilated_patches", lhs)
    window = ints(filter_shape)
    rank = x.aval.ndim
    numbers = conv_dimension_numbers(x.aval.shape, (0,) * rank, dimension_numbers)
    features = x.aval.shape[numbers.lhs_spec[1]]
    count = math.prod(window)
    # a kernel of unit impulses, once for each feature
    eye = np.eye(count, dtype=x.aval.dtype).reshape((count, 1, *window))
    impulses = np.tile(eye, (features,) + (1,) * (rank - 1))
    order = np.argsort(numbers.rhs_spec)
    kernel = table(np.ascontiguousarray(impulses.transpose(order)))
    return conv_general_dilated(
        x,
        kernel,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        numbers,
        feature_group_count=features,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_general_dilated_local(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: PaddingLike,
    filter_shape: Sequence[int],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    precision: PrecisionLike = None,
) -> Any:
    """A convolution with a kernel of its own at each output position.

    The input feature axis of ``rhs`` has C·K elements for C input features and windows of K
    elements, in the order of ``conv_general_dilated_patches``; its spatial axes are as long as
    the result's.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> kernel = jnp.array([1.0, 10.0, 100.0]).reshape(1, 1, 3)
    >>> lax.conv_general_dilated_local(jnp.ones((1, 1, 3)), kernel, (1,), "VALID", (1,))
    Array([[[  1.,  10., 100.]]], dtype=float32)
    """
    x, w = operands("conv_general_dilated_local", lhs, rhs)
    numbers = conv_dimension_numbers(x.aval.shape, w.aval.shape, dimension_numbers)
    rank = x.aval.ndim
    first = tuple(range(rank))
    patches = conv_general_dilated_patches(
        x,
        filter_shape,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        ConvDimensionNumbers(numbers.lhs_spec, numbers.rhs_spec, first),
        precision,
    )
    spatial = first[2:]
    contract = ((1,), (numbers.rhs_spec[1],))
    out = dot_general(patches, w, (contract, (spatial, numbers.rhs_spec[2:])), precision)
    # axes: spatial, batch, output features
    order = [0] * rank
    for source, target in zip(
        (rank - 2, rank - 1, *range(rank - 2)), numbers.out_spec, strict=True
    ):
        order[target] = source
    return transpose(out, order)
