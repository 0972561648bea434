"""``adlib.scipy.fft``: discrete cosine transforms, of types 1 to 4."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import promote_inexact

_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}


def dct(
    x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None
) -> Array:
    """The discrete cosine transform along an axis.

    Args:
      x: real array.
      type: 1, 2, 3 or 4.
      n: length; the axis is cut or filled with zeros to it.
      axis: along which to transform.
      norm: None or ``"backward"`` (no scaling), ``"forward"`` (all of it) or ``"ortho"``.

    Raises:
      ValueError: another type or norm; complex input; a type 1 of fewer than two elements.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import fft
    >>> fft.dct(jnp.ones(2))
    Array([4., 0.], dtype=float32)
    """
    return _transformed("dct", x, type, n, axis, norm, inverse=False)


def idct(
    x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None
) -> Array:
    """The inverse of ``dct`` with the same arguments.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import fft
    >>> fft.idct(fft.dct(jnp.array([1.0, 2.0])))
    Array([1., 2.], dtype=float32)
    """
    return _transformed("idct", x, type, n, axis, norm, inverse=True)


def dctn(
    x: Any,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:
    """``dct`` along several axes, by default all; ``s`` are the lengths.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import fft
    >>> fft.dctn(jnp.ones((1, 2)))
    Array([[8., 0.]], dtype=float32)
    """
    return _along_all("dctn", dct, x, type, s, axes, norm)


def idctn(
    x: Any,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:
    """The inverse of ``dctn`` with the same arguments.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import fft
    >>> fft.idctn(jnp.array([[8.0, 0.0]]))
    Array([[1., 1.]], dtype=float32)
    """
    return _along_all("idctn", idct, x, type, s, axes, norm)


def _along_all(name: str, one: Any, x: Any, type: int, s: Any, axes: Any, norm: Any) -> Array:
    x = jnp.asarray(x)
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    lengths = [None] * len(axes) if s is None else list(s)
    if len(lengths) != len(axes):
        raise ValueError(
            f"{name} wants as many lengths as axes; it was given s={s} and axes={tuple(axes)}."
            f"{here()}"
        )
    for axis, n in zip(axes, lengths, strict=True):
        x = one(x, type, n, axis, norm)
    return x


def _transformed(
    name: str, x: Any, type: int, n: int | None, axis: int, norm: str | None, *, inverse: bool
) -> Array:
    if type not in _INVERSE:
        raise ValueError(f"{name} takes type 1, 2, 3 or 4; it was given {type!r}.{here()}")
    if norm not in (None, "backward", "forward", "ortho"):
        raise ValueError(
            f"{name} takes norm 'backward', 'forward' or 'ortho'; it was given {norm!r}.{here()}"
        )
    (x,) = promote_inexact(name, x)
    if x.dtype.kind == "c":  # linear in both parts
        parts = [
            _transformed(name, p, type, n, axis, norm, inverse=inverse) for p in (x.real, x.imag)
        ]
        return lax.complex(*parts)
    x = jnp.moveaxis(x if n is None else _resized(x, n, axis), axis, -1)
    length = x.shape[-1]
    if length < 1 + (type == 1):
        raise ValueError(
            f"{name} of type {type} wants {1 + (type == 1)} elements or more along the axis; it "
            f"was given {length}.{here()}"
        )
    kind = _INVERSE[type] if inverse else type
    total = 2 * (length - 1) if type == 1 else 2 * length
    if norm == "ortho":
        y = _orthonormal(x, kind, total)
    else:
        y = _TRANSFORMS[kind](x)
        if inverse != (norm == "forward"):
            y = y / total
    return jnp.moveaxis(y, -1, axis)


def _resized(x: Any, n: int, axis: int) -> Any:
    length = x.shape[axis]
    if n <= length:
        return jnp.take(x, np.arange(n), axis=axis)
    widths = [(0, 0)] * x.ndim
    widths[axis] = (0, n - length)
    return jnp.pad(x, widths)


def _phase(power: Any, dtype: Any) -> Any:
    """``exp(-i pi power)`` for an array of numbers, made in double precision."""
    return jnp.asarray(np.exp(-1j * math.pi * power).astype(np.result_type(dtype, np.complex64)))


def _type_1(x: Any) -> Any:
    even = jnp.concatenate([x, x[..., -2:0:-1]], axis=-1)
    return jnp.fft.rfft(even).real


def _type_2(x: Any) -> Any:
    n = x.shape[-1]
    even = jnp.concatenate([x, x[..., ::-1]], axis=-1)
    spectrum = jnp.fft.rfft(even)[..., :n]
    return (spectrum * _phase(np.arange(n) / (2 * n), x.dtype)).real


def _type_3(x: Any) -> Any:
    n = x.shape[-1]
    turned = x * _phase(-np.arange(n) / (2 * n), x.dtype)
    last = jnp.zeros((*x.shape[:-1], 1), turned.dtype)
    return jnp.fft.irfft(jnp.concatenate([turned, last], axis=-1), 2 * n)[..., :n] * (2 * n)


def _type_4(x: Any) -> Any:
    n = x.shape[-1]
    turned = x * _phase(np.arange(n) / (2 * n), x.dtype)
    spectrum = jnp.fft.fft(turned, 2 * n)[..., :n]
    return 2 * (spectrum * _phase((2 * np.arange(n) + 1) / (4 * n), x.dtype)).real


_TRANSFORMS = {1: _type_1, 2: _type_2, 3: _type_3, 4: _type_4}


def _orthonormal(x: Any, kind: int, total: int) -> Any:
    """The transform as an orthogonal matrix: the first (and in type 1 the last) element scaled."""
    n = x.shape[-1]
    root = np.ones(n)
    if kind in (1, 2, 3):
        root[0] = math.sqrt(2)
    if kind == 1:
        root[-1] = math.sqrt(2)
    before = jnp.asarray(root if kind in (1, 3) else np.ones(n), x.dtype)
    after = jnp.asarray(root if kind in (1, 2) else np.ones(n), x.dtype)
    return _TRANSFORMS[kind](x * before) / after / math.sqrt(total)


__all__ = ["dct", "dctn", "idct", "idctn"]
