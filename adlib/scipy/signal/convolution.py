"""Convolution and correlation in any number of dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.promotion import promote_dtypes_inexact

_MODES = ("full", "same", "valid")


def convolve(
    in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None
) -> Array:
    """The convolution of two arrays of equal rank.

    Args:
      in1, in2: arrays.
      mode: ``"full"``, ``"same"`` (of the first's size, centred) or ``"valid"`` (where both
        overlap wholly).
      method: ``"direct"`` sums products, ``"fft"`` multiplies spectra; ``"auto"`` is direct.
      precision: of the products.

    Raises:
      ValueError: another mode or method; ranks that differ.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> signal.convolve(jnp.array([1.0, 2.0]), jnp.array([1.0, 3.0]))
    Array([1., 5., 6.], dtype=float32)
    """
    x, y = _operands("convolve", in1, in2, mode)
    if _method("convolve", method) == "fft":
        return fftconvolve(x, y, mode)
    return _direct("convolve", x, y, mode, precision)


def correlate(
    in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None
) -> Array:
    """The cross-correlation of two arrays of equal rank: ``in2`` is conjugated, not turned round.

    Arguments and errors are those of ``convolve``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> signal.correlate(jnp.array([1.0, 2.0]), jnp.array([1.0, 3.0]))
    Array([3., 7., 2.], dtype=float32)
    """
    x, y = _operands("correlate", in1, in2, mode)
    y = jnp.conj(jnp.flip(y))
    if _method("correlate", method) == "fft":
        return fftconvolve(x, y, mode)
    return _direct("correlate", x, y, mode, precision)


def convolve2d(
    in1: Any,
    in2: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: float = 0,
    precision: Any = None,
) -> Array:
    """``convolve`` of matrices.

    Args:
      boundary: what lies beyond the edges: ``"fill"`` (``fillvalue``), ``"wrap"`` or ``"symm"``.
      fillvalue: value there, with ``boundary="fill"``.

    Raises:
      ValueError: arrays that are no matrices; another mode or boundary.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> signal.convolve2d(jnp.ones((2, 2)), jnp.ones((1, 2)))
    Array([[1., 2., 1.],
           [1., 2., 1.]], dtype=float32)
    """
    x, y = _matrices("convolve2d", in1, in2, mode, boundary)
    return _with_boundary("convolve2d", x, y, mode, boundary, fillvalue, precision)


def correlate2d(
    in1: Any,
    in2: Any,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: float = 0,
    precision: Any = None,
) -> Array:
    """``correlate`` of matrices; ``boundary`` and ``fillvalue`` are those of ``convolve2d``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> signal.correlate2d(jnp.eye(2), jnp.eye(2), mode="valid")
    Array([[2.]], dtype=float32)
    """
    x, y = _matrices("correlate2d", in1, in2, mode, boundary)
    y = jnp.conj(jnp.flip(y))
    around = [(before, after) for after, before in _centred(y)]  # of even sizes, the other middle
    result = _with_boundary("correlate2d", x, y, mode, boundary, fillvalue, precision, around)
    if mode == "valid" and not _covers(x, y):
        return jnp.flip(result)  # as SciPy does, whose arrays change places
    return result


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Sequence[int] | None = None) -> Array:
    """``convolve`` by the fast Fourier transform, along ``axes`` (by default all).

    Axes that are left out broadcast.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import signal
    >>> signal.fftconvolve(jnp.array([1.0, 2.0]), jnp.array([1.0, 3.0])).round(4)
    Array([1., 5., 6.], dtype=float32)
    """
    _check_mode("fftconvolve", mode)
    x, y = promote_dtypes_inexact("fftconvolve", in1, in2)
    if x.ndim != y.ndim:
        raise _ranks("fftconvolve", x, y)
    chosen = range(x.ndim) if axes is None else np.atleast_1d(axes).tolist()
    over = tuple(a % x.ndim for a in chosen)
    if len(set(over)) != len(over):
        raise ValueError(f"fftconvolve wants each axis once; it was given {axes}.{here()}")
    for a in set(range(x.ndim)) - set(over):
        if x.shape[a] != y.shape[a] and 1 not in (x.shape[a], y.shape[a]):
            raise ValueError(
                f"fftconvolve: shapes {x.shape} and {y.shape} do not fit along axis {a}, over "
                f"which nothing is convolved.{here()}"
            )
    if mode == "valid" and not all(x.shape[a] >= y.shape[a] for a in over):
        if not all(x.shape[a] <= y.shape[a] for a in over):
            raise _valid("fftconvolve", x, y)
        x, y = y, x
    if x.size == 0 or y.size == 0:
        return jnp.zeros((0,) * x.ndim, x.dtype)
    full = [x.shape[a] + y.shape[a] - 1 for a in over]
    real = x.dtype.kind != "c"
    forward, back = (jnp.fft.rfftn, jnp.fft.irfftn) if real else (jnp.fft.fftn, jnp.fft.ifftn)
    result = (
        x * y if not over else back(forward(x, full, over) * forward(y, full, over), full, over)
    )
    return _cut(result, x.shape, y.shape, mode, over).astype(x.dtype)


def _cut(full: Any, a: Sequence[int], b: Sequence[int], mode: str, axes: Sequence[int]) -> Any:
    """The part of a full convolution that the mode asks for."""
    if mode == "full":
        return full
    parts = [slice(None)] * full.ndim
    for i in axes:
        length = a[i] if mode == "same" else a[i] - b[i] + 1
        start = (full.shape[i] - length) // 2
        parts[i] = slice(start, start + length)
    return full[tuple(parts)]


def _direct(name: str, x: Any, y: Any, mode: str, precision: Any, around: Any = None) -> Array:
    """The sum of products, by ``conv_general_dilated`` with the second array turned round.

    ``around`` is the padding that centres the result for mode ``"same"``.
    """
    if x.size == 0 or y.size == 0:
        raise ValueError(
            f"{name} wants arrays with elements; shapes are {x.shape} and {y.shape}.{here()}"
        )
    if mode == "valid" and not _covers(x, y):
        if not _covers(y, x):
            raise _valid(name, x, y)
        x, y = y, x
    if mode == "full" and math.prod(y.shape) > math.prod(x.shape):
        x, y = y, x
    padding = [(n - 1, n - 1) for n in y.shape] if mode == "full" else [(0, 0)] * x.ndim
    if mode == "same":
        padding = around or _centred(y)
    result = lax.conv_general_dilated(
        x[None, None], jnp.flip(y)[None, None], (1,) * x.ndim, padding, precision=precision
    )
    return result[0, 0]


def _centred(y: Any) -> list[tuple[int, int]]:
    return [(n // 2, (n - 1) // 2) for n in y.shape]


def _with_boundary(
    name: str,
    x: Any,
    y: Any,
    mode: str,
    boundary: str,
    fillvalue: Any,
    precision: Any,
    around: Any = None,
) -> Array:
    if mode == "valid" or (boundary == "fill" and not fillvalue):
        return _direct(name, x, y, mode, precision, around)
    widths = [(n - 1, n - 1) for n in y.shape] if mode == "full" else around or _centred(y)
    kinds = {"fill": "constant", "wrap": "wrap", "symm": "symmetric"}
    extra = {"constant_values": fillvalue} if boundary == "fill" else {}
    return _direct(name, jnp.pad(x, widths, kinds[boundary], **extra), y, "valid", precision)


def _covers(x: Any, y: Any) -> bool:
    return all(m >= n for m, n in zip(x.shape, y.shape, strict=True))


def _operands(name: str, in1: Any, in2: Any, mode: str) -> tuple[Any, Any]:
    _check_mode(name, mode)
    x, y = promote_dtypes_inexact(name, in1, in2)
    if x.ndim != y.ndim:
        raise _ranks(name, x, y)
    return x, y


def _matrices(name: str, in1: Any, in2: Any, mode: str, boundary: str) -> tuple[Any, Any]:
    if boundary not in ("fill", "wrap", "symm"):
        raise ValueError(
            f"{name} takes boundary 'fill', 'wrap' or 'symm'; it was given {boundary!r}.{here()}"
        )
    x, y = _operands(name, in1, in2, mode)
    if x.ndim != 2:
        raise ValueError(f"{name} wants matrices; it was given {x.shape} and {y.shape}.{here()}")
    return x, y


def _check_mode(name: str, mode: str) -> None:
    if mode not in _MODES:
        raise ValueError(
            f"{name} takes mode 'full', 'same' or 'valid'; it was given {mode!r}.{here()}"
        )


def _method(name: str, method: str) -> str:
    if method not in ("auto", "direct", "fft"):
        raise ValueError(
            f"{name} takes method 'auto', 'direct' or 'fft'; it was given {method!r}.{here()}"
        )
    return method


def _ranks(name: str, x: Any, y: Any) -> ValueError:
    return ValueError(
        f"{name} wants arrays of equal rank; it was given shapes {x.shape} and {y.shape}.{here()}"
    )


def _valid(name: str, x: Any, y: Any) -> ValueError:
    return ValueError(
        f"{name}(mode='valid') wants one array at least as large as the other in every dimension; "
        f"it was given {x.shape} and {y.shape}.{here()}"
    )
