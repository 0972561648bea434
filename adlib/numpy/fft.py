"""``adlib.numpy.fft``: discrete Fourier transforms with NumPy's names."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar, table
from adlib.numpy.axes import axis_of
from adlib.numpy.promotion import convert, float_for, to_array
from adlib.ops.fft import FftType

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]

Shape = Sequence[int] | None

# ------------------------------------------------------------------------ core


def _transform(name: str, kind: FftType, a: Any, s: Any, axes: Any, norm: str | None) -> Array:
    """Cut or pad to the sizes asked for, transform, scale."""
    x = to_array(a, name)
    axes = _axes(name, x, s, axes)
    if s is not None:
        s = [operator.index(n) for n in s]
        if len(s) != len(axes):
            raise ValueError(f"Shape and axes have different lengths.{here()}")
        if any(n < 1 for n in s):
            raise ValueError(f"Shape should be positive.{here()}")
    if not axes and kind is FftType.RFFT:
        return _over_no_axes(x, name)
    if not axes:
        return convert(x, dtypes.complex_of(dtypes.canonicalize_dtype(np.float64)))
    if kind is FftType.IRFFT:
        lengths = (
            s
            if s is not None
            else [*[x.aval.shape[i] for i in axes[:-1]], max(0, 2 * (x.aval.shape[axes[-1]] - 1))]
        )
        wanted = [*lengths[:-1], lengths[-1] // 2 + 1]
    else:
        lengths = wanted = s if s is not None else [x.aval.shape[i] for i in axes]
    if any(n < 1 for n in lengths):
        if kind is FftType.RFFT and not lengths[-1]:
            raise ValueError(
                f"Shape should be positive: {name} of an array of shape {x.aval.shape} over axes "
                f"{tuple(axes)}.{here()}\n  The transform of no points would have one term."
            )
        return _nothing(x, kind, axes, lengths)
    x = _resized(x, axes, wanted)
    kept = [i for i in range(x.aval.ndim) if i not in axes]
    order = [*kept, *axes]
    out = lax.fft(lax.transpose(x, order), kind, lengths)
    out = lax.transpose(out, np.argsort(order))
    return _scaled(out, kind, norm, math.prod(lengths))


def _over_no_axes(x: Array, name: str) -> Array:
    """A real transform over no axes: the numbers themselves, as floats."""
    if x.aval.dtype.kind == "c":
        raise ValueError(
            f"only real valued inputs supported for {name}, got {x.aval.str_short()}.{here()}"
        )
    return convert(x, float_for(x.aval.dtype))


def _nothing(x: Array, kind: FftType, axes: Sequence[int], lengths: Sequence[int]) -> Array:
    """The transform of an array without elements: an array without elements."""
    shape = list(x.aval.shape)
    for axis, n in zip(axes, lengths, strict=True):
        shape[axis] = n
    if kind is FftType.RFFT:
        shape[axes[-1]] = lengths[-1] // 2 + 1
    wide = np.float64 if x.aval.dtype in (np.float64, np.complex128) else np.float32
    dtype = np.dtype(wide) if kind is FftType.IRFFT else dtypes.complex_of(np.dtype(wide))
    return lax.full(tuple(shape), scalar(0, dtype))  # type: ignore[no-any-return]


def _axes(name: str, x: Array, s: Any, axes: Any) -> list[int]:
    if axes is None:
        count = x.aval.ndim if s is None else len(s)
        axes = range(x.aval.ndim - count, x.aval.ndim)
    found = [axis_of(i, x.aval.ndim) for i in axes]
    if len(set(found)) != len(found):
        raise ValueError(
            f"jnp.fft.{name} does not support repeated axes. Got axes {tuple(axes)}.{here()}"
        )
    return found


def _resized(x: Array, axes: Sequence[int], sizes: Sequence[int]) -> Array:
    """Each axis cut, or padded with zeros at its end, to a size."""
    shape = list(x.aval.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    if tuple(shape) == x.aval.shape:
        return x
    config = [(0, n - m, 0) for n, m in zip(shape, x.aval.shape, strict=True)]
    return lax.pad(x, scalar(0, x.aval.dtype), config)  # type: ignore[no-any-return]


def _scaled(x: Array, kind: FftType, norm: str | None, size: int) -> Array:
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(
            f'Invalid norm value {norm}; should be "backward","ortho" or "forward".{here()}'
        )
    if norm in (None, "backward"):
        return x
    forward = kind in (FftType.FFT, FftType.RFFT)
    factor = math.sqrt(size) if norm == "ortho" else size
    return lax.mul(x, scalar(1 / factor if forward else factor, x.aval.dtype))  # type: ignore[no-any-return]


def _single(name: str, kind: FftType, a: Any, n: int | None, axis: Any, norm: str | None) -> Array:
    if isinstance(axis, (tuple, list)):
        raise ValueError(
            f"jnp.fft.{name} does not support multiple axes. Please use jnp.fft.{name}n. Got "
            f"axis = {axis}.{here()}"
        )
    return _transform(
        name, kind, a, None if n is None else [n], None if axis is None else [axis], norm
    )


# ------------------------------------------------------------------- one axis


def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Discrete Fourier transform along an axis, ``sum_k a[k] exp(-2πi j k / n)``.

    Args:
      a: real or complex array.
      n: number of points: the axis is cut, or padded with zeros, to it.
      axis: the axis.
      norm: "backward" (no factor here, 1/n in the inverse), "ortho" (1/√n in both) or
        "forward" (1/n here).

    Returns:
      Complex array.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.fft(jnp.array([1.0, 0.0, 0.0, 0.0]))
    Array([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
    """
    return _single("fft", FftType.FFT, a, n, axis, norm)


def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of ``fft``, with the same arguments.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.ifft(jnp.array([4.0, 0.0, 0.0, 0.0]))
    Array([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j], dtype=complex64)
    """
    return _single("ifft", FftType.IFFT, a, n, axis, norm)


def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """``fft`` of a real array: the n // 2 + 1 terms that determine the rest.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.rfft(jnp.array([1.0, 2.0, 3.0, 4.0]))
    Array([10.+0.j, -2.+2.j, -2.+0.j], dtype=complex64)
    """
    return _single("rfft", FftType.RFFT, a, n, axis, norm)


def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of ``rfft``; ``n``, the size of the real result, is 2 (m - 1) by default.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.irfft(jnp.array([4.0, 0.0, 0.0]))
    Array([1., 1., 1., 1.], dtype=float32)
    """
    return _single("irfft", FftType.IRFFT, a, n, axis, norm)


_OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Real spectrum of a signal with Hermitian symmetry, of which half is given.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.hfft(jnp.array([1.0, 2.0, 3.0]))
    Array([ 8., -2.,  0., -2.], dtype=float32)
    """
    x = lax.conj(_complex(a, "hfft"))
    return _single("hfft", FftType.IRFFT, x, n, axis, _OPPOSITE.get(norm, norm))


def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of ``hfft``.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.ihfft(jnp.array([1.0, 2.0, 3.0, 2.0]))
    Array([ 2. -0.j, -0.5-0.j,  0. -0.j], dtype=complex64)
    """
    return lax.conj(_single("ihfft", FftType.RFFT, a, n, axis, _OPPOSITE.get(norm, norm)))  # type: ignore[no-any-return]


def _complex(a: Any, name: str) -> Array:
    x = to_array(a, name)
    if dtypes.is_complex(x.aval.dtype):
        return x
    wide = x.aval.dtype if x.aval.dtype == np.float64 else np.float32
    return convert(x, dtypes.complex_of(np.dtype(wide)))


# ---------------------------------------------------------------- several axes


def fftn(
    a: Any, s: Shape = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:
    """``fft`` over several axes.

    Args:
      a: real or complex array.
      s: sizes to cut or pad to.
      axes: the axes; the last ``len(s)``, or all, by default.
      norm: as for ``fft``, with the product of the sizes for n.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.fftn(jnp.ones((2, 2)), axes=(0,))
    Array([[2.+0.j, 2.+0.j],
           [0.+0.j, 0.+0.j]], dtype=complex64)
    """
    return _transform("fftn", FftType.FFT, a, s, axes, norm)


def ifftn(
    a: Any, s: Shape = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:
    """The inverse of ``fftn``.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.ifftn(jnp.fft.fftn(jnp.arange(4.0).reshape(2, 2))).real
    Array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    return _transform("ifftn", FftType.IFFT, a, s, axes, norm)


def rfftn(
    a: Any, s: Shape = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:
    """``fftn`` of a real array, with half of the spectrum along the last of the axes.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.rfftn(jnp.ones((2, 2, 4))).shape
    (2, 2, 3)
    """
    return _transform("rfftn", FftType.RFFT, a, s, axes, norm)


def irfftn(
    a: Any, s: Shape = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:
    """The inverse of ``rfftn``; ``s`` are sizes of the real result.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.irfftn(jnp.fft.rfftn(jnp.arange(8.0).reshape(2, 2, 2))).shape
    (2, 2, 2)
    """
    return _transform("irfftn", FftType.IRFFT, a, s, axes, norm)


def _two(name: str, kind: FftType, a: Any, s: Shape, axes: Sequence[int], norm: Any) -> Array:
    if len(axes) != 2:
        raise ValueError(f"jnp.fft.{name} only supports 2 axes. Got axes = {tuple(axes)}.{here()}")
    return _transform(name, kind, a, s, axes, norm)


def fft2(a: Any, s: Shape = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    """``fft`` over two axes.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.fft2(jnp.ones((2, 2)))
    Array([[4.+0.j, 0.+0.j],
           [0.+0.j, 0.+0.j]], dtype=complex64)
    """
    return _two("fft2", FftType.FFT, a, s, axes, norm)


def ifft2(
    a: Any, s: Shape = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """The inverse of ``fft2``.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.ifft2(jnp.array([[4.0, 0.0], [0.0, 0.0]]))
    Array([[1.+0.j, 1.+0.j],
           [1.+0.j, 1.+0.j]], dtype=complex64)
    """
    return _two("ifft2", FftType.IFFT, a, s, axes, norm)


def rfft2(
    a: Any, s: Shape = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """``fft2`` of a real array.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.rfft2(jnp.ones((2, 4))).shape
    (2, 3)
    """
    return _two("rfft2", FftType.RFFT, a, s, axes, norm)


def irfft2(
    a: Any, s: Shape = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """The inverse of ``rfft2``.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.irfft2(jnp.fft.rfft2(jnp.arange(4.0).reshape(2, 2)))
    Array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    return _two("irfft2", FftType.IRFFT, a, s, axes, norm)


# ------------------------------------------------------------------- helpers


def _frequencies(name: str, n: Any, numerators: Any, d: Any, dtype: Any) -> Array:
    wanted = dtypes.canonicalize_dtype(np.float64 if dtype is None else dtype)
    spacing = to_array(d, name)
    if spacing.aval.dtype.kind == "c":
        raise TypeError(f"jnp.fft.{name}: the spacing d must be real, got {d}.{here()}")
    work = wanted if dtypes.is_inexact(wanted) else dtypes.canonicalize_dtype(np.float64)
    count = scalar(n, work)
    values = table(np.asarray(numerators).astype(work))
    scale = lax.mul(convert(spacing, work), count)
    return convert(lax.div(values, scale), wanted)


def _count(name: str, n: Any) -> int:
    try:
        return operator.index(n)
    except TypeError:
        raise ValueError(
            f"The n argument of jnp.fft.{name} must be an integer, got {n}.{here()}"
        ) from None


def fftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """Frequencies of the terms of ``fft`` in cycles per unit of the sample spacing ``d``.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.fftfreq(4)
    Array([ 0.  ,  0.25, -0.5 , -0.25], dtype=float32)
    """
    n = _count("fftfreq", n)
    places = np.arange(n)
    return _frequencies("fftfreq", n, np.where(places < (n + 1) // 2, places, places - n), d, dtype)


def rfftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """Frequencies of the terms of ``rfft`` in cycles per unit of the sample spacing ``d``.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.rfftfreq(4)
    Array([0.  , 0.25, 0.5 ], dtype=float32)
    """
    n = _count("rfftfreq", n)
    return _frequencies("rfftfreq", n, np.arange(n // 2 + 1), d, dtype)


def _rolled(name: str, x: Any, axes: Any, shift: Any) -> Array:
    x = to_array(x, name)
    rank = x.aval.ndim
    if axes is None:
        axes = range(rank)
    for axis in [axis_of(a, rank) for a in (axes if np.iterable(axes) else (axes,))]:
        size = x.aval.shape[axis]
        start = shift(size)
        if size < 2 or not start:
            continue
        x = lax.concatenate(
            [lax.slice_in_dim(x, start, size, 1, axis), lax.slice_in_dim(x, 0, start, 1, axis)],
            axis,
        )
    return x


def fftshift(x: Any, axes: Any = None) -> Array:
    """Move the term of frequency zero to the middle of each axis.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.fftshift(jnp.arange(5))
    Array([3, 4, 0, 1, 2], dtype=int32)
    """
    return _rolled("fftshift", x, axes, lambda n: (n + 1) // 2)


def ifftshift(x: Any, axes: Any = None) -> Array:
    """The inverse of ``fftshift``.

    >>> import adlib.numpy as jnp
    >>> jnp.fft.ifftshift(jnp.array([-1, 0, 1]))
    Array([ 0,  1, -1], dtype=int32)
    """
    return _rolled("ifftshift", x, axes, lambda n: n // 2)
