"""Which axis of a convolution's operands is which, and the shapes that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from adlib.base.source import here
from adlib.ops.windows_geometry import Pads, Sizes, dilated, ints, output_size, padtype_to_pads


class ConvDimensionNumbers(NamedTuple):
    """Positions of the axes in a convolution's operands and result.

    Attributes:
      lhs_spec: (batch, feature, spatial...) axes of the input.
      rhs_spec: (output feature, input feature, spatial...) axes of the kernel.
      out_spec: (batch, feature, spatial...) axes of the result.

    >>> from adlib import lax
    >>> numbers = ("NHWC", "HWIO", "NHWC")
    >>> lax.conv_dimension_numbers((1, 5, 5, 2), (3, 3, 2, 4), numbers).lhs_spec
    (0, 3, 1, 2)
    """

    lhs_spec: tuple[int, ...]
    rhs_spec: tuple[int, ...]
    out_spec: tuple[int, ...]


def spatial_sizes(shape: Sizes, spec: Sizes) -> Sizes:
    """Sizes of the spatial axes, in their order."""
    return tuple([shape[d] for d in spec[2:]])


ConvGeneralDilatedDimensionNumbers = None | ConvDimensionNumbers | tuple[str, str, str]


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: Any
) -> ConvDimensionNumbers:
    """Dimension numbers from text such as ``("NHWC", "HWIO", "NHWC")``.

    N is the batch, C the feature axis of input and result, O and I are the kernel's output and
    input features; other letters name spatial axes, in the order of the kernel's text. None
    means ``("NCHW", "OIHW", "NCHW")`` and the like.

    Raises TypeError where letters and ranks do not fit.

    >>> from adlib import lax
    >>> lax.conv_dimension_numbers((1, 8, 8, 3), (3, 3, 3, 4), ("NHWC", "HWIO", "NHWC"))
    ConvDimensionNumbers(lhs_spec=(0, 3, 1, 2), rhs_spec=(3, 2, 0, 1), out_spec=(0, 3, 1, 2))
    """
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return dimension_numbers
    if len(lhs_shape) != len(rhs_shape):
        raise TypeError(
            f"convolution requires lhs and rhs ndim to be equal, got {len(lhs_shape)} and "
            f"{len(rhs_shape)}.{here()}\n  lhs has shape {tuple(lhs_shape)}, rhs "
            f"{tuple(rhs_shape)}. Repair: a single image needs a batch axis, x[None]."
        )
    rank = len(lhs_shape)
    if dimension_numbers is None:
        order = tuple(range(rank))
        return ConvDimensionNumbers(order, order, order)
    if not isinstance(dimension_numbers, (list, tuple)) or len(dimension_numbers) != 3:
        raise TypeError(
            "convolution dimension_numbers must be None or three strings, got "
            f"{dimension_numbers!r}.{here()}"
        )
    for i, text in enumerate(dimension_numbers):
        if not isinstance(text, str) or len(text) != rank:
            raise TypeError(
                f"convolution dimension_numbers[{i}] must have len equal to the ndim of lhs and "
                f"rhs, got {len(text)} for lhs and rhs shapes {tuple(lhs_shape)} and "
                f"{tuple(rhs_shape)}.{here()}\n  One letter for each axis, as in 'NHWC'."
            )
    return ConvDimensionNumbers(*conv_general_permutations(dimension_numbers))


def conv_general_permutations(dimension_numbers: Sequence[str]) -> tuple[Sizes, Sizes, Sizes]:
    """For each of three strings the positions of its batch (or O), feature (or I), spatial axes.

    >>> from adlib import lax
    >>> lax.conv_general_permutations(("NHWC", "HWIO", "NHWC"))
    ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
    """
    lhs, rhs, out = dimension_numbers
    leads = (("N", "C"), ("O", "I"), ("N", "C"))
    for i, (text, lead) in enumerate(zip((lhs, rhs, out), leads, strict=True)):
        if any(text.count(letter) != 1 for letter in lead) or len(set(text)) != len(text):
            raise TypeError(
                f"convolution dimension_numbers[{i}] must contain the characters '{lead[0]}' and "
                f"'{lead[1]}' exactly once and no character twice, got {text}.{here()}"
            )
    spatial = [c for c in rhs if c not in "OI"]
    if any(
        {c for c in text if c not in lead} != set(spatial)
        for text, lead in zip((lhs, rhs, out), leads, strict=True)
    ):
        raise TypeError(
            "convolution dimension_numbers elements must each have the same set of spatial "
            f"characters, got {tuple(dimension_numbers)}.{here()}"
        )
    found = []
    for text, lead in zip((lhs, rhs, out), leads, strict=True):
        found.append(tuple([text.index(c) for c in (*lead, *spatial)]))
    return found[0], found[1], found[2]


def conv_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    strides: Sequence[int],
    pads: Any,
    batch_group_count: int = 1,
) -> Sizes:
    """Shape of a convolution with axes in the order (batch, feature, spatial...).

    >>> from adlib import lax
    >>> lax.conv_shape_tuple((1, 2, 5, 5), (4, 2, 3, 3), (1, 1), ((0, 0), (0, 0)))
    (1, 4, 3, 3)
    """
    if isinstance(pads, str):
        pads = padtype_to_pads(lhs_shape[2:], rhs_shape[2:], strides, pads)
    if len(pads) != len(lhs_shape) - 2:
        raise TypeError(
            f"Wrong number of explicit pads for convolution: expected {len(lhs_shape) - 2}, got "
            f"{len(pads)}.{here()}"
        )
    spatial = [
        output_size(n + lo + hi, k, s)
        for n, k, s, (lo, hi) in zip(lhs_shape[2:], rhs_shape[2:], strides, pads, strict=True)
    ]
    return ints((lhs_shape[0] // batch_group_count, rhs_shape[0], *spatial))


def conv_general_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    dimension_numbers: Any,
) -> Sizes:
    """Shape of a convolution without dilation, for axes in the order of the strings.

    >>> from adlib import lax
    >>> numbers = ("NHWC", "HWIO", "NHWC")
    >>> lax.conv_general_shape_tuple((1, 5, 5, 2), (3, 3, 2, 4), (1, 1), "VALID", numbers)
    (1, 3, 3, 4)
    """
    numbers = conv_dimension_numbers(lhs_shape, rhs_shape, dimension_numbers)
    lhs = [lhs_shape[d] for d in numbers.lhs_spec]
    rhs = [rhs_shape[d] for d in numbers.rhs_spec]
    return _arranged(conv_shape_tuple(lhs, rhs, window_strides, padding), numbers.out_spec)


def _arranged(sizes: Sizes, spec: Sizes) -> Sizes:
    out = [0] * len(sizes)
    for size, place in zip(sizes, spec, strict=True):
        out[place] = size
    return tuple(out)


def transposed_padding(size: int, stride: int, padding: str) -> tuple[int, int]:
    """Padding with which a convolution of the dilated input undoes one of this padding.

    Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.
    """
    if padding == "SAME":
        total = size + stride - 2
        before = size - 1 if stride > size - 1 else -(-total // 2)
    elif padding == "VALID":
        total = size + stride - 2 + max(size - stride, 0)
        before = size - 1
    else:
        raise ValueError(f"Padding mode must be 'SAME' or 'VALID', got {padding!r}.{here()}")
    return before, total - before


def conv_transpose_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    dimension_numbers: Any,
) -> Sizes:
    """Shape of ``conv_transpose``.

    >>> from adlib import lax
    >>> numbers = ("NHWC", "HWIO", "NHWC")
    >>> lax.conv_transpose_shape_tuple((1, 2, 2, 1), (3, 3, 1, 1), (2, 2), "VALID", numbers)
    (1, 5, 5, 1)
    """
    numbers = conv_dimension_numbers(lhs_shape, rhs_shape, dimension_numbers)
    lhs = [lhs_shape[d] for d in numbers.lhs_spec]
    rhs = [rhs_shape[d] for d in numbers.rhs_spec]
    if isinstance(padding, str):
        padding = [
            transposed_padding(k, s, padding) for k, s in zip(rhs[2:], window_strides, strict=True)
        ]
    wide = [*lhs[:2], *[dilated(n, s) for n, s in zip(lhs[2:], window_strides, strict=True)]]
    return _arranged(
        conv_shape_tuple(wide, rhs, [1] * len(window_strides), padding), numbers.out_spec
    )


def output_shape(
    lhs_shape: Sizes,
    rhs_shape: Sizes,
    numbers: ConvDimensionNumbers,
    strides: Sizes,
    pads: Pads,
    lhs_dilation: Sizes,
    rhs_dilation: Sizes,
    batch_group_count: int,
) -> Sizes:
    """Shape of the general convolution."""
    lhs = [lhs_shape[d] for d in numbers.lhs_spec]
    rhs = [rhs_shape[d] for d in numbers.rhs_spec]
    wide = [*lhs[:2], *[dilated(n, d) for n, d in zip(lhs[2:], lhs_dilation, strict=True)]]
    kernel = [*rhs[:2], *[dilated(n, d) for n, d in zip(rhs[2:], rhs_dilation, strict=True)]]
    sizes = conv_shape_tuple(wide, kernel, strides, pads, batch_group_count)
    return _arranged(sizes, numbers.out_spec)
