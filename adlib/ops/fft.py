"""``fft``: discrete Fourier transforms over the last axes."""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import ArrayImpl, from_nothing
from adlib.core.avals import ShapedArray
from adlib.core.primitive import Primitive, Sample
from adlib.ops.arithmetic import div, mul
from adlib.ops.constructors import linear
from adlib.ops.conversion import conj, convert
from adlib.ops.operands import normal, operands
from adlib.ops.reshaping import full_like, moveaxis


class FftType(enum.IntEnum):
    """The four transforms: complex forward and inverse, real to complex and back.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.fft(jnp.ones(4), lax.FftType.RFFT, (4,))
    Array([4.+0.j, 0.+0.j, 0.+0.j], dtype=complex64)
    """

    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


def _spectrum(fft_lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes of the spectrum of real data: of two conjugate halves one is kept."""
    return (*fft_lengths[:-1], fft_lengths[-1] // 2 + 1)


def _fft_shape(x: ShapedArray, *, fft_type: FftType, fft_lengths: tuple[int, ...]) -> ShapedArray:
    count = len(fft_lengths)
    name = fft_type.name
    if count > x.ndim:
        raise ValueError(
            f"{name} input shape {x.shape} must have at least as many input dimensions as "
            f"fft_lengths {fft_lengths}.{here()}"
        )
    if not count or any(n < 1 for n in fft_lengths):
        raise ValueError(f"{name}: fft_lengths must be positive, got {fft_lengths}.{here()}")
    lead, tail = x.shape[: x.ndim - count], x.shape[x.ndim - count :]
    if fft_type is FftType.RFFT and x.dtype.kind != "f":
        raise ValueError(
            f"only real valued inputs supported for rfft, got dtype {x.dtype.name}.{here()}\n"
            "  Repair: fft takes complex input; x.real drops the imaginary part."
        )
    if fft_type is not FftType.RFFT and x.dtype.kind != "c":
        raise ValueError(f"{name} takes complex input, got dtype {x.dtype.name}.{here()}")
    wanted = _spectrum(fft_lengths) if fft_type is FftType.IRFFT else fft_lengths
    if tail != wanted:
        expected = f" (which take a spectrum of shape {wanted})" if wanted != fft_lengths else ""
        raise ValueError(
            f"{name} input shape {x.shape} minor dimensions must be equal to fft_lengths "
            f"{fft_lengths}{expected}.{here()}\n  Repair: jnp.fft functions cut or pad to n."
        )
    if fft_type is FftType.RFFT:
        return ShapedArray((*lead, *_spectrum(fft_lengths)), dtypes.complex_of(x.dtype))
    if fft_type is FftType.IRFFT:
        return ShapedArray((*lead, *fft_lengths), dtypes.real_of(x.dtype))
    return ShapedArray(x.shape, x.dtype)


def _fft_kernel(xp: Any, fft_type: FftType, fft_lengths: tuple[int, ...]) -> Callable[..., Any]:
    name = fft_type.name.lower()
    if len(fft_lengths) == 1:
        return functools.partial(getattr(xp.fft, name), n=fft_lengths[0])
    axes = tuple(range(-len(fft_lengths), 0))
    return functools.partial(getattr(xp.fft, name + "n"), s=fft_lengths, axes=axes)


@functools.lru_cache(maxsize=256)
def _multiplicity(length: int, rank: int, dtype: Any) -> ArrayImpl:
    """How often each entry of the half spectrum stands in the whole one: 1, or 2 with its mate."""
    count = np.full(length // 2 + 1, 2, dtype)
    count[0] = 1
    if length % 2 == 0:
        count[-1] = 1
    count = count.reshape((1,) * (rank - 1) + (-1,))
    return from_nothing(count, ShapedArray(count.shape, count.dtype))


def _fft_transpose(
    ct: Any, x: Any, *, fft_type: FftType, fft_lengths: tuple[int, ...]
) -> tuple[Any]:
    """The matrix of a transform is symmetric, so it is its own transpose.

    Where one side is real, the entries that are left out of the half spectrum are counted by
    their conjugates, and the transform runs the other way with the opposite sign.
    """
    size = math.prod(fft_lengths)
    if fft_type is FftType.RFFT:
        weights = _multiplicity(fft_lengths[-1], len(ct.aval.shape), ct.aval.dtype)
        half = div(conj(ct), weights)
        out = fft_p.bind(half, fft_type=FftType.IRFFT, fft_lengths=fft_lengths)
        return (mul(out, full_like(out, size)),)
    if fft_type is FftType.IRFFT:
        half = fft_p.bind(ct, fft_type=FftType.RFFT, fft_lengths=fft_lengths)
        weights = _multiplicity(fft_lengths[-1], len(half.aval.shape), half.aval.dtype)
        return (conj(mul(mul(half, weights), full_like(half, 1 / size))),)
    return (fft_p.bind(ct, fft_type=fft_type, fft_lengths=fft_lengths),)


def _fft_batch(
    axis: Any, args: Sequence[Any], dims: Sequence[Any], **params: Any
) -> tuple[Any, int]:
    return fft_p.bind(moveaxis(args[0], dims[0], 0), **params), 0


def _samples() -> list[Sample]:
    c64 = np.complex64
    cases = [
        (normal(4, dtype=c64), FftType.FFT, (4,)),
        (normal(2, 3, dtype=c64), FftType.FFT, (2, 3)),
        (normal(2, 3, dtype=c64), FftType.IFFT, (3,)),
        (normal(2, 5), FftType.RFFT, (5,)),
        (normal(4), FftType.RFFT, (4,)),
        (normal(3, 4), FftType.RFFT, (3, 4)),
        (normal(2, 3, dtype=c64), FftType.IRFFT, (4,)),
        (normal(3, dtype=c64), FftType.IRFFT, (5,)),
        (normal(3, 3, dtype=c64), FftType.IRFFT, (3, 4)),
    ]
    return [
        Sample((x,), dict(fft_type=kind, fft_lengths=lengths), f"{kind.name}-{lengths}")
        for x, kind, lengths in cases
    ]


fft_p: Primitive = linear(
    "fft",
    shape=_fft_shape,
    kernel=_fft_kernel,
    transpose=_fft_transpose,
    batch=_fft_batch,
    samples=_samples,
)

_NAMES = {
    name: kind
    for kind in FftType
    for name in (kind.name, "jax.numpy.fft." + kind.name.lower(), kind.name.lower())
}


def fft(x: Any, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Any:
    """A discrete Fourier transform over the last ``len(fft_lengths)`` axes.

    Args:
      x: array; real for "RFFT", otherwise real arrays count as complex.
      fft_type: a ``FftType`` or its name: FFT, IFFT, RFFT, IRFFT. Inverse ones divide by the
        number of elements.
      fft_lengths: sizes of the transformed axes, of the real side for RFFT and IRFFT.

    Raises ValueError where sizes or dtype do not fit.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.fft(jnp.array([1.0, 2.0, 3.0, 4.0]), "RFFT", (4,))
    Array([10.+0.j, -2.+2.j, -2.+0.j], dtype=complex64)
    """
    (x,) = operands("fft", x)
    if isinstance(fft_type, str):
        if fft_type not in _NAMES:
            raise ValueError(
                f"Unknown FFT type '{fft_type}'{here()}\n  The types are FFT, IFFT, RFFT and IRFFT."
            )
        fft_type = _NAMES[fft_type]
    fft_type = FftType(fft_type)
    dtype = x.aval.dtype
    if fft_type is not FftType.RFFT:
        x = convert(x, dtypes.complex_of(_full_precision(dtype)))
    elif dtypes.kind(dtype) != "c":
        x = convert(x, _full_precision(dtype))
    return fft_p.bind(x, fft_type=fft_type, fft_lengths=tuple([int(n) for n in fft_lengths]))


def _full_precision(dtype: Any) -> Any:
    """The dtype that transforms are computed in: float32 at least."""
    if dtypes.is_complex(dtype) or dtype == np.float64:
        return dtype
    return np.dtype(np.float32) if dtypes.is_float(dtype) else dtypes.canonicalize_dtype(np.float64)
